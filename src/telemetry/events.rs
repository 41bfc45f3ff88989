//! The events themselves.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tracing::{debug, error, info, warn};

use crate::domain::change::HeldMessage;
use crate::domain::code::Code;
use crate::domain::ledger::Position;
use crate::domain::message::MessageKey;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::ports::archive::Counts;

/// How a message ended, for its one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Archived.
    Accepted,
    /// Refused and answered.
    Refused,
    /// A query was answered.
    Answered,
    /// The stored answer went out again.
    Repeated,
    /// Put on hold.
    Held,
    /// Recorded, owed no answer.
    Noted,
    /// Refused without a reply address: dead-lettered.
    Quarantined,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Accepted, Self::Refused, Self::Answered, Self::Repeated, Self::Held, Self::Noted, Self::Quarantined];

    /// The label in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Answered => "answered",
            Self::Repeated => "repeated",
            Self::Held => "held",
            Self::Noted => "noted",
            Self::Quarantined => "quarantined",
        }
    }
}

/// The one line of a message, written when its commit is durable.
pub fn message_decided(key: &MessageKey, ending: Ending, code: Option<Code>, position: Option<Position>, took: Duration) {
    let is_alarming = code.is_some_and(|c| ALARMING.contains(&c));
    if is_alarming {
        counter!("arkki_security_refusals_total").increment(1);
    }
    let code = code.map_or("", Code::as_str);
    counter!("arkki_messages_total", "ending" => ending.as_str(), "code" => code).increment(1);
    counter!("arkki_endings_total", "ending" => ending.as_str()).increment(1);
    histogram!("arkki_message_seconds").record(took.as_secs_f64());
    let message = key.short();
    let position = position.map(|p| p.0);
    let ms = took.as_secs_f64() * 1000.0;
    if ending == Ending::Quarantined {
        warn!(%message, sender = %key.sender, ending = ending.as_str(), code, position, ms, "message quarantined");
    } else if is_alarming {
        warn!(%message, sender = %key.sender, ending = ending.as_str(), code, position, ms, "message {}", ending.as_str());
    } else {
        info!(%message, sender = %key.sender, ending = ending.as_str(), code, position, ms, "message {}", ending.as_str());
    }
}

/// Refusals that somebody should look into: a sender who is not what it says, a person in the wrong environment, a signature that is not what it says
/// (messaging.md §9.3: security alert).
const ALARMING: [Code; 17] = [
    Code::E308,
    Code::E602,
    Code::E603,
    Code::E604,
    Code::E605,
    Code::E606,
    Code::E607,
    Code::E612,
    Code::E813,
    Code::E835,
    Code::E842,
    Code::E844,
    Code::E850,
    Code::E851,
    Code::E852,
    Code::E853,
    Code::E854,
];

/// The verdicts of the validation service: the request's frame and document are valid, are not, or it could not be judged.
pub const VERDICTS: [&str; 3] = ["valid", "invalid", "undecided"];

/// A request to the validation service was answered.
pub fn validated(verdict: &'static str, took: Duration) {
    counter!("arkki_validations_total", "verdict" => verdict).increment(1);
    debug!(verdict, ms = took.as_secs_f64() * 1000.0, "validation answered");
}

/// A form of the web console could not be sent; what was typed is kept.
pub fn console_away(why: &str) {
    warn!(why, "the console's form could not be sent");
}

/// Somebody came into the web console.
pub fn console_entered(person: &str, door: &'static str) {
    info!(person, door, "came into the console");
}

/// Somebody was not let into the web console: a card or a provider's word that names nobody, or no valid card.
pub fn console_turned_away(door: &'static str) {
    warn!(door, "turned away at the console's door");
}

/// Somebody opened the archivist's pages beyond their roles. ALARM: a person looks at who, and why.
pub fn console_glass_broken(person: &str, minutes: u64) {
    warn!(person, minutes, "GLASS BROKEN at the console: the archivist's pages are open beyond the roles; the reason stands in the access log");
}

/// A session was ended by the administrator.
pub fn console_ended(person: &str, by: &str) {
    info!(person, by, "the administrator ended a session");
}

/// A delivery of a message that is settled without a new effect (it was on hold already, or another instance decided it).
pub fn message_known(key: &MessageKey) {
    counter!("arkki_messages_known_total").increment(1);
    debug!(message = %key.short(), "message known");
}

/// A decision was taken on facts that changed before the commit.
pub fn decision_stale(key: &MessageKey) {
    counter!("arkki_decisions_stale_total").increment(1);
    debug!(message = %key.short(), "decided again: facts changed");
}

/// Held messages that are due were looked for.
pub fn holds_swept() {
    counter!("arkki_sweeps_total").increment(1);
}

/// A search found a document that the decision denies: statement and table disagree. It was not given. A defect of ours.
pub fn disclosure_disagrees(document: &Oid) {
    counter!("arkki_disclosure_disagreements_total").increment(1);
    error!(document = %document, "a search found what the decision denies; the document was not given");
}

/// The octets of old answers to queries were forgotten.
pub fn answers_forgotten(count: u64) {
    counter!("arkki_query_answers_forgotten_total").increment(count);
}

/// Deliveries in hand.
pub fn in_hand(count: usize) {
    #[allow(clippy::cast_precision_loss)] // a gauge is a float; a hand holds some hundreds
    gauge!("arkki_in_hand").set(count as f64);
}

/// A held message is decided anew.
pub fn hold_released(held: &HeldMessage) {
    counter!("arkki_holds_released_total").increment(1);
    debug!(message = %held.key.short(), "hold released");
}

/// Our own defect: a message made us panic.
pub fn defect(key: &MessageKey, times: u32) {
    counter!("arkki_defects_total").increment(1);
    error!(message = %key.short(), times, "defect: a message made us panic or decide what cannot be archived; please report it with the message's hash");
}

/// The archive refuses what was decided: a defect of ours, counted as one.
pub fn commit_unfit(key: &MessageKey, detail: &str) {
    error!(message = %key.short(), detail, "the archive refuses what was decided");
}

/// A part went out of reach: the consumer pauses.
pub fn outage_began(outage: &Outage) {
    gauge!("arkki_outage", "part" => outage.part.as_str()).set(1.0);
    warn!(part = outage.part.as_str(), detail = %outage.detail, "outage: consumer paused, messages kept");
}

/// An attempt met an outage.
pub fn outage_attempt(outage: &Outage) {
    counter!("arkki_outage_attempts_total", "part" => outage.part.as_str()).increment(1);
    debug!(part = outage.part.as_str(), detail = %outage.detail, "outage goes on");
}

/// What the start needs is out of reach, and it waits; told once a part.
pub fn start_waits(outage: &Outage, most: Duration, told: bool) {
    outage_attempt(outage);
    if !told {
        warn!(part = outage.part.as_str(), detail = %outage.detail, seconds = most.as_secs(), "start: waiting for what is out of reach");
    }
}

/// The part answers again.
pub fn outage_ended(part: Part) {
    gauge!("arkki_outage", "part" => part.as_str()).set(0.0);
    info!(part = part.as_str(), "outage over: consumer resumed");
}

/// A revocation list that was put in place cannot be used: the one before stays in force until it is too old.
pub fn revocation_unreadable(why: &str) {
    warn!(why, "a revocation list cannot be used; the earlier one stays in force");
}

/// A key was taken over, at a SIGHUP.
pub fn key_taken(role: &'static str, certificate: &str) {
    info!(role, certificate, "signing key taken");
}

/// The keys of a SIGHUP cannot be used: the ones before go on.
pub fn keys_kept(why: &str) {
    error!(why, "the keys were not changed: what the configuration names now cannot be used");
}

/// How long a signing certificate lasts, in seconds.
pub fn key_lasts(role: &'static str, seconds: i64) {
    #[allow(clippy::cast_precision_loss)] // a gauge is a float; seconds of a certificate's life stay far below 2^52
    gauge!("arkki_certificate_seconds_left", "role" => role).set(seconds as f64);
}

/// A signing certificate ends soon.
pub fn key_ends(role: &'static str, days: i64) {
    warn!(role, days, "the signing certificate ends soon: order the next one, see docs/signatures.md");
}

/// The OCSP responder gave nothing that could be used.
pub fn responder_silent(why: &str) {
    counter!("arkki_ocsp_failures_total").increment(1);
    warn!(why, "the OCSP responder gave no usable answer");
}

/// The broker's connection was made or lost.
pub fn broker_connection(up: bool, detail: &str) {
    gauge!("arkki_broker_up").set(if up { 1.0 } else { 0.0 });
    if up {
        info!(detail, "broker connected");
    } else {
        counter!("arkki_broker_lost_total").increment(1);
        warn!(detail, "broker connection lost");
    }
}

/// What became of a partition, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// The broker gives us its messages.
    Taken,
    /// Left to another instance that has fewer; all in hand was settled.
    Yielded,
    /// Left because we stop or pause; all in hand was settled.
    Left,
    /// An outage lasts: all in hand went back to the broker, another instance may have it.
    HandedBack,
    /// The channel or the connection is gone.
    Lost,
}

/// A partition came or went.
pub fn partition(queue: &str, how: Partition) {
    gauge!("arkki_partitions").increment(if how == Partition::Taken { 1.0 } else { -1.0 });
    match how {
        Partition::Taken => info!(queue, "partition taken"),
        Partition::Yielded => info!(queue, "partition yielded to another instance"),
        Partition::Left => info!(queue, "partition left"),
        Partition::HandedBack => warn!(queue, "partition handed back with all in hand: the outage lasts"),
        Partition::Lost => info!(queue, "partition lost with its channel"),
    }
}

/// A partition queue of the configuration is not at the broker; told once.
pub fn partition_missing(queue: &str) {
    warn!(queue, "partition queue is not there: run `arkki topology apply`, or mend [inbound] partitions; looked for again from time to time");
}

/// An answer was routed and confirmed.
pub fn answer_sent() {
    counter!("arkki_answers_total").increment(1);
}

/// An answer came back: no queue takes it. It waits in the outbox.
pub fn answer_unroutable(queue: &str, attempts: u32) {
    counter!("arkki_answers_unroutable_total").increment(1);
    if attempts == 0 {
        // The queue's name comes from the sender's own pattern in the configuration, not from the message's content.
        warn!(queue, "answer unroutable: no such queue; it waits in the outbox");
    }
}

/// The relay had no room: the rows wait for their lease to end.
pub fn relay_full() {
    counter!("arkki_relay_full_total").increment(1);
}

/// A checkpoint of the ledger was signed and kept.
pub fn checkpoint_made(position: Position) {
    counter!("arkki_checkpoints_total").increment(1);
    debug!(position = position.0, "checkpoint made");
}

/// How old the last checkpoint is. It grows while the ledger does not; with failures counted beside it, it is an alarm.
pub fn checkpoint_age(seconds: i64) {
    #[allow(clippy::cast_precision_loss)] // a gauge is a float
    gauge!("arkki_checkpoint_age_seconds").set(seconds.max(0) as f64);
}

/// A checkpoint could not be made or written: messages go on, the next attempt follows.
pub fn checkpoint_failed(outage: &Outage) {
    counter!("arkki_checkpoint_failures_total").increment(1);
    warn!(part = outage.part.as_str(), detail = %outage.detail, "no checkpoint could be made; messages go on");
}

/// The ledger, the archive's checkpoints or the file are not what was signed.
pub fn checkpoint_disagrees(position: Position) {
    counter!("arkki_checkpoint_disagreements_total").increment(1);
    error!(position = position.0, "the ledger and its checkpoints do not agree: run arkki audit --checkpoint");
}

/// The time-stamping authority gave no stamp: the checkpoint stands without and is stamped later.
pub fn stamp_failed(outage: &Outage) {
    counter!("arkki_timestamp_failures_total").increment(1);
    warn!(detail = %outage.detail, "a checkpoint could not be time-stamped; it is tried again");
}

/// A checkpoint was time-stamped.
pub fn stamped() {
    counter!("arkki_timestamps_total").increment(1);
}

/// What stands where.
pub fn counts(counts: &Counts) {
    for (name, value) in [
        ("arkki_documents", counts.documents),
        ("arkki_held", counts.held),
        ("arkki_outbox", counts.outbox),
        ("arkki_outbox_unroutable", counts.unroutable),
        ("arkki_ledger_entries", counts.ledger),
    ] {
        #[allow(clippy::cast_precision_loss)] // a gauge is a float; counts stay far below 2^52
        gauge!(name).set(value as f64);
    }
}

/// The gateway is ready for messages.
pub fn ready(instance: &str, rules: &str) {
    gauge!("arkki_info", "instance" => instance.to_owned(), "version" => env!("CARGO_PKG_VERSION"), "rules" => rules.to_owned()).set(1.0);
    info!(instance, rules, "ready");
}

/// A stop was asked for.
pub fn stopping(reason: &str) {
    info!(reason, "stopping: settling what is in hand");
}

/// The stop is complete.
pub fn stopped(in_hand: usize) {
    info!(in_hand, "stopped");
}

/// The FHIR server has stored a notice.
pub fn notice_taken(id: &str, attempts: u32) {
    counter!("arkki_notices_taken_total").increment(1);
    info!(notice = id, attempts, "notice stored by the FHIR server");
}

/// The FHIR server stored a notice a second time, or said so: the first ids are kept.
pub fn notice_taken_twice(id: &str) {
    warn!(notice = id, "the FHIR server names other ids for a notice that it has stored; the first ones are kept");
}

/// The FHIR server refuses a notice: it is kept, and a person must look.
pub fn notice_stopped(id: &str, said: &str) {
    counter!("arkki_notices_stopped_total").increment(1);
    error!(notice = id, said, "the FHIR server refuses a notice: look at it with arkki lilm show, mend, then arkki lilm retry");
}

/// An attempt at the FHIR server came to nothing: it is repeated.
pub fn notice_failed(id: &str, attempts: u32, said: &str) {
    counter!("arkki_notices_failed_total").increment(1);
    warn!(notice = id, attempts, said, "a notice could not be handed over; it is tried again");
}

/// The FHIR server will not talk to us: every notice waits.
pub fn sink_unwelcome(said: &str) {
    counter!("arkki_notices_failed_total").increment(1);
    error!(said, "the FHIR server will not talk to us: mend [sink] url, certificate or token; every notice waits");
}

/// How disclosures, notices and their leaving add up.
pub fn notices_reckoned(missing: u64, waiting: u64, stopped: u64, late: u64) {
    #[allow(clippy::cast_precision_loss)] // a gauge is a float; counts stay far below 2^52
    for (name, value) in
        [("arkki_notices_missing", missing), ("arkki_notices_waiting", waiting), ("arkki_notices_stopped", stopped), ("arkki_notices_late", late)]
    {
        gauge!(name).set(value as f64);
    }
    if missing > 0 {
        error!(missing, waiting, stopped, late, "disclosures and notices do not add up: run arkki lilm reconcile");
    } else {
        info!(missing, waiting, stopped, late, "disclosures and notices add up");
    }
}

/// What the FHIR server refuses, between two reckonings.
pub fn notices_refused(stopped: u64) {
    #[allow(clippy::cast_precision_loss)] // a gauge is a float; counts stay far below 2^52
    gauge!("arkki_notices_stopped").set(stopped as f64);
}

/// What the reconciler's round came to. Told once when it changes: an archive that lost a row has lost it in every round.
pub fn reconciled(unexplained: u64, entries: u64) {
    static LAST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    #[allow(clippy::cast_precision_loss)] // a gauge is a float; counts stay far below 2^52
    gauge!("arkki_unexplained").set(unexplained as f64);
    counter!("arkki_reconciled_total").increment(1);
    let last = LAST.swap(unexplained, std::sync::atomic::Ordering::AcqRel);
    if unexplained > 0 && unexplained != last {
        error!(unexplained, entries, "not everything is explained: run arkki reconcile");
    } else if unexplained == 0 && last > 0 {
        info!(entries, "everything is explained again");
    } else {
        debug!(unexplained, entries, "reconciled");
    }
}

/// Received octets and answers whose time was up.
pub fn refused_forgotten(count: u64) {
    if count > 0 {
        info!(count, "octets of old refusals were forgotten");
    }
}

/// A call of the HTTP API ended.
pub fn api_called(caller: &str, verb: &str, exit: u8, took: Duration) {
    info!(caller, verb, exit, ms = took.as_secs_f64() * 1000.0, "api call");
}

/// The file of the API's tokens cannot be read: nobody is let in.
pub fn api_closed(why: &str) {
    error!(why, "the HTTP API lets nobody in: mend [api] tokens_file");
}

/// The broker's topology is not as it must be.
pub fn topology_fault(name: &str, what: &str, mend: &str, loses: bool) {
    if loses {
        error!(name, what, mend, "the broker is set up so that messages could be lost");
    } else {
        warn!(name, what, mend, "the broker's topology is not as it must be");
    }
}

/// It is again.
pub fn topology_mended(name: &str, what: &str) {
    info!(name, what, "the broker's topology: this is over");
}

/// What stands wrong at the broker, and what of it could lose a message.
pub fn topology_faults(faults: usize, losing: usize) {
    #[allow(clippy::cast_precision_loss)] // a gauge is a float; faults are a handful
    for (name, value) in [("arkki_topology_faults", faults), ("arkki_topology_losing", losing)] {
        gauge!(name).set(value as f64);
    }
}
