//! Logs to standard error, as lines for people or as JSON; metrics in one recorder that `/metrics` renders.

pub use metrics_exporter_prometheus::PrometheusHandle as Metrics;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::EnvFilter;

use super::Ending;
use crate::domain::outage::Part;
use crate::domain::refused::{ItemState, JobState, ReplayOutcome};

/// Bounds of the latency histogram in seconds: from a millisecond to the half minute after which senders give up.
const SECONDS: [f64; 14] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// Starts logging. `level` is a level or a filter; a filter that cannot be read counts as `info`.
pub fn logs(json: bool, level: &str) {
    let filter = EnvFilter::try_new(format!("{level},sqlx=off,lapin=off")).unwrap_or_else(|_| EnvFilter::new("info,sqlx=off,lapin=off"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second call (tests) keeps the first logger.
    let _already =
        if json { builder.json().flatten_event(true).try_init() } else { builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init() };
}

/// Starts metrics and describes them.
///
/// # Errors
/// The recorder's own words when one is installed already or the bounds are wrong.
pub fn metrics() -> Result<Metrics, String> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("arkki_message_seconds".to_owned()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|e| e.to_string())?;
    for (name, text) in COUNTERS.iter().copied() {
        metrics::describe_counter!(name, text);
    }
    for (name, text) in GAUGES.iter().chain(LOOKED_UP).copied() {
        metrics::describe_gauge!(name, text);
    }
    begin_at_zero();
    for (name, text) in HISTOGRAMS.iter().copied() {
        metrics::describe_histogram!(name, text);
    }
    Ok(handle)
}

/// Every series that can be foreseen stands there from the start: an alarm on one that is missing never rings.
fn begin_at_zero() {
    for (name, _) in COUNTERS.iter().copied() {
        match name {
            "arkki_messages_total" => Ending::ALL.into_iter().for_each(|e| metrics::counter!(name, "ending" => e.as_str(), "code" => "").absolute(0)),
            "arkki_endings_total" => Ending::ALL.into_iter().for_each(|e| metrics::counter!(name, "ending" => e.as_str()).absolute(0)),
            "arkki_validations_total" => super::VERDICTS.into_iter().for_each(|v| metrics::counter!(name, "verdict" => v).absolute(0)),
            "arkki_replayed_total" => ReplayOutcome::ALL.iter().for_each(|o| metrics::counter!(name, "outcome" => o.as_str()).absolute(0)),
            "arkki_outage_attempts_total" => Part::ALL.into_iter().for_each(|p| metrics::counter!(name, "part" => p.as_str()).absolute(0)),
            _ => metrics::counter!(name).absolute(0),
        }
    }
    for (name, _) in GAUGES.iter().copied() {
        match name {
            "arkki_outage" => Part::ALL.into_iter().for_each(|p| metrics::gauge!(name, "part" => p.as_str()).set(0.0)),
            "arkki_replay_jobs" => JobState::ALL.iter().for_each(|s| metrics::gauge!(name, "state" => s.as_str()).set(0.0)),
            "arkki_replay_messages" => {
                [ItemState::Waiting, ItemState::OnRoad].into_iter().for_each(|s| metrics::gauge!(name, "state" => s.as_str()).set(0.0));
            }
            "arkki_alarm_since_seconds" => super::alarms::RULES.iter().for_each(|r| metrics::gauge!(name, "alarm" => r.name).set(0.0)),
            _ => metrics::gauge!(name).increment(0.0),
        }
    }
}

/// Every counter, for `/metrics` and the documentation.
pub const COUNTERS: &[(&str, &str)] = &[
    ("arkki_messages_total", "Messages whose commit is durable, by ending and code."),
    ("arkki_endings_total", "The same by ending alone: every series is there from the start, so that its growth can be told."),
    ("arkki_messages_known_total", "Deliveries settled without a new effect."),
    ("arkki_decisions_stale_total", "Decisions taken again because facts changed before the commit."),
    ("arkki_holds_released_total", "Held messages decided anew."),
    ("arkki_defects_total", "Panics caught while a message was examined or decided. Should be 0."),
    ("arkki_outage_attempts_total", "Attempts that met an outage, by part."),
    ("arkki_ocsp_failures_total", "Questions to the OCSP responder without a usable answer."),
    ("arkki_disclosure_disagreements_total", "Documents that a search found and the decision denied. ALARM when above 0."),
    ("arkki_broker_lost_total", "Broker connections lost."),
    ("arkki_answers_total", "Answers routed and confirmed."),
    ("arkki_answers_unroutable_total", "Publications of answers that came back because no queue took them."),
    ("arkki_relay_full_total", "Answers left to their lease because the relay had no room."),
    ("arkki_reconciled_total", "Rounds of the reconciler: ledger, inbox, documents, logs, outbox and queues held against each other."),
    (
        "arkki_replayed_total",
        "Replayed messages whose commit is durable, by outcome: accepted, same, refused, held, already. Its growth is the rate of the replays.",
    ),
    ("arkki_sweeps_total", "Looks for held messages that are due."),
    ("arkki_notices_taken_total", "Notices that the FHIR server has stored."),
    ("arkki_notices_stopped_total", "Notices that the FHIR server refuses: a person must look. ALARM when it grows."),
    ("arkki_notices_failed_total", "Attempts at the FHIR server that came to nothing and are repeated."),
    ("arkki_validations_total", "Requests to the validation service, by verdict."),
    ("arkki_security_refusals_total", "Refusals for security's sake: a sender, a person or a signature is not what it says. ALARM when it grows."),
    ("arkki_query_answers_forgotten_total", "Old answers to queries whose octets were forgotten."),
    ("arkki_spans_sent_total", "Spans that the collector of traces took."),
    ("arkki_spans_dropped_total", "Spans that found no room or no collector."),
    ("arkki_checkpoints_total", "Checkpoints of the ledger that were signed and kept."),
    ("arkki_checkpoint_failures_total", "Checkpoints that could not be made or written; the next attempt follows. ALARM when it grows."),
    ("arkki_checkpoint_disagreements_total", "Looks at which ledger, checkpoints and file were not what was signed. ALARM when above 0."),
    ("arkki_timestamps_total", "Checkpoints that were time-stamped."),
    ("arkki_timestamp_failures_total", "Time stamps that the authority did not give; each is tried again. ALARM when it grows."),
];

/// Every gauge.
pub const GAUGES: &[(&str, &str)] = &[
    ("arkki_outage", "1 while a part is out of reach, by part."),
    ("arkki_broker_up", "1 while the broker's connection stands."),
    ("arkki_partitions", "Partitions whose messages the broker gives to this instance."),
    ("arkki_documents", "Archived documents."),
    ("arkki_held", "Messages on hold."),
    ("arkki_outbox", "Answers waiting to leave."),
    ("arkki_outbox_unroutable", "Answers that came back unroutable and wait. ALARM when above 0."),
    ("arkki_ledger_entries", "Entries of the ledger."),
    ("arkki_notices_missing", "Disclosures without their notice, log rows or emission, as last reckoned. ALARM when above 0."),
    ("arkki_notices_waiting", "Notices that have not left yet, as last reckoned."),
    ("arkki_notices_stopped", "Notices that the FHIR server refuses. ALARM when above 0."),
    ("arkki_notices_late", "Disclosures recorded more than 24 hours after they happened, as last reckoned."),
    ("arkki_topology_faults", "What stands wrong at the broker, as last looked at: arkki doctor names it."),
    ("arkki_topology_losing", "What of it could lose a message. ALARM when above 0."),
    ("arkki_replay_jobs", "Replay jobs, by state: running, stopped, done, ended."),
    ("arkki_replay_messages", "Messages of replay jobs that are undecided, by state: waiting, on-road."),
    ("arkki_in_hand", "Deliveries in hand."),
    ("arkki_in_hand_oldest_seconds", "Age of the oldest delivery in hand, in seconds; 0 with none."),
    ("arkki_unanswered_seconds", "Critical time: age of the oldest unanswered message, in hand, on hold or in the outbox, in seconds."),
    ("arkki_outbox_oldest_seconds", "Age of the oldest answer in the outbox, in seconds; 0 with none."),
    ("arkki_held_oldest_seconds", "Age of the oldest message on hold, in seconds; 0 with none."),
    ("arkki_held_share", "Messages on hold, as a share of how many may be (`[limits] held_in_all`)."),
    ("arkki_lanes", "Clients whose messages are under way."),
    ("arkki_lane_waits", "Messages that wait for an earlier one of their client."),
    ("arkki_alarm_since_seconds", "When an alarm opened, in seconds since 1970, by alarm; 0 while it is closed."),
];

/// Gauges whose labels are known only when somebody has looked: they are not begun at zero, which would be a certificate that has ended or a full disk.
pub const LOOKED_UP: &[(&str, &str)] = &[
    ("arkki_unexplained", "What broker, inbox, archive and outbox do not agree on, as last added up. ALARM when above 0."),
    ("arkki_info", "1, with the instance's name, release and rule set as labels."),
    ("arkki_certificate_seconds_left", "Seconds until a signing certificate ends, by role."),
    ("arkki_checkpoint_age_seconds", "Age of the last checkpoint of the ledger, in seconds."),
    ("arkki_queue_messages", "Messages that wait in a queue of ours, by queue and role; those handed over are not among them."),
    ("arkki_queue_consumers", "Who reads a queue of ours, by queue and role."),
    ("arkki_queue_unread", "Messages that wait in an inbound queue that nobody reads, by queue."),
    ("arkki_disk_free_octets", "Free octets of a disk, by folder (`[telemetry] disks`)."),
    ("arkki_disk_free_share", "Free share of a disk, 0 to 1, by folder."),
];

/// Every histogram.
pub const HISTOGRAMS: &[(&str, &str)] = &[("arkki_message_seconds", "Time from a message's arrival to its durable commit, in seconds.")];
