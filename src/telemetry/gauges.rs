//! What is looked at from time to time, and the alarms that open and close over it.

use std::time::Duration;

use metrics::{counter, gauge};
use tracing::{info, warn};

use super::alarms::{Change, Rule};
use crate::domain::language::Language;
use crate::domain::refused::{ItemState, JobState, ReplayOutcome, ReplayStanding};
use crate::domain::time::Moment;
use crate::ports::archive::Counts;

/// How long each sort of unanswered message has waited at most.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waits {
    /// The oldest delivery in hand.
    pub in_hand: Duration,
    /// The oldest answer in the outbox.
    pub outbox: Duration,
    /// The oldest message on hold.
    pub held: Duration,
}

impl Waits {
    /// From what was counted at a moment.
    #[must_use]
    pub fn of(in_hand: Duration, counts: &Counts, now: Moment) -> Self {
        let age = |since: Option<Moment>| Duration::from_micros(since.map_or(0, |s| u64::try_from(now.micros() - s.micros()).unwrap_or(0)));
        Self { in_hand, outbox: age(counts.outbox_since), held: age(counts.held_since) }
    }

    /// Critical time: the age of the oldest unanswered message.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.in_hand.max(self.outbox).max(self.held)
    }
}

/// How long messages wait.
pub fn waits(waits: &Waits) {
    gauge!("arkki_in_hand_oldest_seconds").set(waits.in_hand.as_secs_f64());
    gauge!("arkki_outbox_oldest_seconds").set(waits.outbox.as_secs_f64());
    gauge!("arkki_held_oldest_seconds").set(waits.held.as_secs_f64());
    gauge!("arkki_unanswered_seconds").set(waits.longest().as_secs_f64());
}

/// How full the hold is.
#[allow(clippy::cast_precision_loss)] // a gauge is a float
pub fn hold_fills(held: u64, most: u64) {
    gauge!("arkki_held_share").set(held as f64 / most.max(1) as f64);
}

/// Clients whose messages are under way, and messages that wait for an earlier one of theirs.
#[allow(clippy::cast_precision_loss)] // a gauge is a float
pub fn lanes(under_way: usize, waiting: usize) {
    gauge!("arkki_lanes").set(under_way as f64);
    gauge!("arkki_lane_waits").set(waiting as f64);
}

/// What waits in a queue of ours, and who reads it.
#[allow(clippy::cast_precision_loss)] // a gauge is a float
pub fn queue_depth(queue: &str, role: &'static str, messages: u64, consumers: u64) {
    gauge!("arkki_queue_messages", "queue" => queue.to_owned(), "role" => role).set(messages as f64);
    gauge!("arkki_queue_consumers", "queue" => queue.to_owned(), "role" => role).set(consumers as f64);
    if role == "inbound" {
        let unread = if consumers == 0 { messages } else { 0 };
        gauge!("arkki_queue_unread", "queue" => queue.to_owned()).set(unread as f64);
    }
}

/// How replays stand.
#[allow(clippy::cast_precision_loss)] // a gauge is a float
pub fn replays_stand(standing: &ReplayStanding) {
    for (state, many) in JobState::ALL.iter().zip(standing.jobs) {
        gauge!("arkki_replay_jobs", "state" => state.as_str()).set(many as f64);
    }
    for (state, many) in [(ItemState::Waiting, standing.waiting), (ItemState::OnRoad, standing.on_road)] {
        gauge!("arkki_replay_messages", "state" => state.as_str()).set(many as f64);
    }
}

/// A replayed message was decided.
pub fn replayed(outcome: ReplayOutcome) {
    counter!("arkki_replayed_total", "outcome" => outcome.as_str()).increment(1);
}

/// A replay job began, stopped, went on, is done, or was ended: of how many messages, so many decided and so many let go. What stands still, or let messages
/// go undecided, is a warning.
pub fn replay_changed(job: u64, state: JobState, by: &str, (total, decided, let_go): (u64, u64, u64)) {
    let state_word = state.as_str();
    match state {
        JobState::Stopped => warn!(job, state = state_word, by, total, decided, "a replay was stopped: what waits keeps its place (arkki refusals resume)"),
        JobState::Ended => warn!(job, state = state_word, by, total, decided, let_go, "a replay was ended: what waited was let go"),
        JobState::Done if let_go > 0 => warn!(job, state = state_word, by, total, decided, let_go, "a replay is done, and let messages go undecided"),
        JobState::Running | JobState::Done => {
            info!(job, state = state_word, by, total, decided, "a replay {}", if state == JobState::Done { "is done" } else { "runs" })
        }
    }
}

/// What is free on a disk.
#[allow(clippy::cast_precision_loss)] // a gauge is a float
pub fn disk_free(folder: &str, free: u64, all: u64) {
    gauge!("arkki_disk_free_octets", "folder" => folder.to_owned()).set(free as f64);
    gauge!("arkki_disk_free_share", "folder" => folder.to_owned()).set(free as f64 / all.max(1) as f64);
}

/// An alarm opened or closed: told once, whatever its value does meanwhile.
#[allow(clippy::cast_precision_loss)] // a gauge is a float
pub fn alarm(rule: &Rule, change: Change, at: Moment) {
    let gauge = gauge!("arkki_alarm_since_seconds", "alarm" => rule.name);
    match change {
        Change::Opened => {
            gauge.set(at.seconds() as f64);
            warn!(alarm = rule.name, severity = rule.severity.as_str(), mend = rule.mend, "alarm opened: {}", rule.says(Language::En));
        }
        Change::Closed(after) => {
            gauge.set(0.0);
            info!(alarm = rule.name, severity = rule.severity.as_str(), seconds = after.as_secs(), "alarm closed: {}", rule.says(Language::En));
        }
    }
}

/// Spans that a collector took.
pub fn spans_sent(count: usize) {
    counter!("arkki_spans_sent_total").increment(count as u64);
}

/// Spans that found no room or no collector.
pub fn spans_dropped(count: usize) {
    counter!("arkki_spans_dropped_total").increment(count as u64);
}

/// The collector of traces takes none: told once.
pub fn collector_away(why: &str) {
    warn!(why, "the collector takes no traces; messages go on, spans are forgotten");
}
