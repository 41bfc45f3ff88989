//! The one road out. What a commit put in the outbox is published persistent, mandatory and confirmed, many at a time;
//! a row is forgotten only when the broker has routed and confirmed it. What is lost on the way is found again by its lease.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};

use super::gate::told;
use super::trace::Tracer;
use crate::domain::outage::Outage;
use crate::domain::outbox::{OutboxEntry, OutboxId};
use crate::ports::archive::Archive;
use crate::ports::broker::{Published, Publisher};
use crate::ports::clock::Clock;
use crate::telemetry;

/// How many publications may be under way: enough to keep the broker busy, few enough to hold in memory.
const IN_FLIGHT: usize = 512;
/// How many entries may wait between commits and the relay; beyond that they are left to their lease.
const WAITING: usize = 4096;
/// How many octets of answers may wait and be under way in all; beyond that they are left to their lease. The last may be the largest answer there is.
const OCTETS: usize = 64 * 1024 * 1024;
/// How many confirmed rows are forgotten in one statement.
const FORGET: usize = 256;
/// How long a confirmed row may wait to be forgotten with others.
const FORGET_AFTER: Duration = Duration::from_millis(20);
/// How often rows without a lease are looked for, unless the last look found all that it takes.
const SWEEP: Duration = Duration::from_secs(1);
/// How many are taken in one sweep.
const SWEEP_ROWS: u32 = 256;
/// The first and the longest wait before an unroutable answer is tried again.
const UNROUTABLE_WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Hands entries to the relay.
#[derive(Clone)]
pub struct RelayHandle {
    entries: mpsc::Sender<OutboxEntry>,
    answered: Arc<AtomicU64>,
    /// Octets handed over and not landed yet.
    octets: Arc<AtomicUsize>,
}

impl RelayHandle {
    /// Hands over what a commit made. When the relay is full the rows are left to their lease.
    pub fn send(&self, entries: Vec<OutboxEntry>) {
        for entry in entries {
            let octets = entry.body.len();
            let before = self.octets.fetch_add(octets, Ordering::AcqRel);
            if before >= OCTETS || self.entries.try_send(entry).is_err() {
                self.octets.fetch_sub(octets, Ordering::AcqRel);
                telemetry::relay_full();
            }
        }
    }

    /// How many answers were routed and confirmed since the start.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }
}

/// The relay itself.
pub struct Relay {
    archive: Arc<dyn Archive>,
    publisher: Arc<dyn Publisher>,
    clock: Arc<dyn Clock>,
    entries: mpsc::Receiver<OutboxEntry>,
    answered: Arc<AtomicU64>,
    octets: Arc<AtomicUsize>,
    tracer: Option<Arc<Tracer>>,
}

impl Relay {
    /// A relay and the handle that feeds it.
    #[must_use]
    pub fn new(archive: Arc<dyn Archive>, publisher: Arc<dyn Publisher>, clock: Arc<dyn Clock>) -> (Self, RelayHandle) {
        let (give, take) = mpsc::channel(WAITING);
        let (answered, octets) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let handle = RelayHandle { entries: give, answered: Arc::clone(&answered), octets: Arc::clone(&octets) };
        (Self { archive, publisher, clock, entries: take, answered, octets, tracer: None }, handle)
    }

    /// With spans of what it sends.
    #[must_use]
    pub fn traced(mut self, tracer: Option<Arc<Tracer>>) -> Self {
        self.tracer = tracer;
        self
    }

    /// Runs until `stop` says so and everything handed over has been published or left to its lease.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut flying = FuturesUnordered::new();
        let mut in_flight: HashSet<OutboxId> = HashSet::new();
        // What was handed over and found again is sent once.
        let octets = Arc::clone(&self.octets);
        let (publisher, tracer) = (Arc::clone(&self.publisher), self.tracer.clone());
        let begin = |in_flight: &mut HashSet<OutboxId>, entry: OutboxEntry| {
            if in_flight.insert(entry.id) {
                return Some(publish(Arc::clone(&publisher), tracer.clone(), entry));
            }
            octets.fetch_sub(entry.body.len(), Ordering::AcqRel);
            None
        };
        let mut sent: Vec<OutboxId> = Vec::new();
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut forget = tokio::time::interval(FORGET_AFTER);
        forget.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut open = true;
        while open || !flying.is_empty() {
            tokio::select! {
                Some((entry, outcome)) = flying.next(), if !flying.is_empty() => {
                    let entry: Arc<OutboxEntry> = entry;
                    in_flight.remove(&entry.id);
                    self.octets.fetch_sub(entry.body.len(), Ordering::AcqRel);
                    self.landed(&entry, outcome, &mut sent).await;
                    if sent.len() >= FORGET {
                        self.forget(&mut sent).await;
                    }
                }
                entry = self.entries.recv(), if open && flying.len() < IN_FLIGHT => match entry {
                    None => open = false,
                    Some(entry) => flying.extend(begin(&mut in_flight, entry)),
                },
                _ = forget.tick(), if !sent.is_empty() => self.forget(&mut sent).await,
                _ = sweep.tick(), if open && flying.len() < IN_FLIGHT && self.octets.load(Ordering::Acquire) < OCTETS => {
                    match self.archive.outbox_lease(self.clock.now(), SWEEP_ROWS).await {
                        Ok(entries) => {
                            // There is more: what a crash or a full relay left behind goes as fast as the broker takes it.
                            if entries.len() >= SWEEP_ROWS as usize {
                                sweep.reset_immediately();
                            }
                            for entry in entries {
                                self.octets.fetch_add(entry.body.len(), Ordering::AcqRel);
                                flying.extend(begin(&mut in_flight, entry));
                            }
                        }
                        // The next sweep tries again; the outage itself is told by whoever holds a message.
                        Err(outage) => telemetry::outage_attempt(&outage),
                    }
                }
                () = told(&mut stop), if open => {
                    // What was handed over is still published; nothing new is looked for.
                    while let Ok(entry) = self.entries.try_recv() {
                        flying.extend(begin(&mut in_flight, entry));
                    }
                    open = false;
                }
            }
        }
        self.forget(&mut sent).await;
    }

    async fn landed(&self, entry: &OutboxEntry, outcome: Result<Published, Outage>, sent: &mut Vec<OutboxId>) {
        match outcome {
            Ok(Published::Routed) => {
                self.answered.fetch_add(1, Ordering::AcqRel);
                telemetry::answer_sent();
                sent.push(entry.id);
            }
            Ok(Published::Unroutable) => {
                telemetry::answer_unroutable(&entry.queue, entry.attempts);
                let wait = UNROUTABLE_WAIT.0.saturating_mul(1 << entry.attempts.min(5)).min(UNROUTABLE_WAIT.1);
                if let Err(outage) = self.archive.outbox_unroutable(entry.id, self.clock.now().plus(wait)).await {
                    telemetry::outage_attempt(&outage);
                }
            }
            // Delivered or not, nobody knows: the row keeps its lease, and when that ends it goes out again under the same id.
            Err(outage) => telemetry::outage_attempt(&outage),
        }
    }

    async fn forget(&self, sent: &mut Vec<OutboxId>) {
        if sent.is_empty() {
            return;
        }
        match self.archive.outbox_sent(sent).await {
            Ok(()) => {}
            // The rows stay and go out again when their lease ends, under the same ids: receivers tell copies apart.
            Err(outage) => telemetry::outage_attempt(&outage),
        }
        sent.clear();
    }
}

async fn publish(publisher: Arc<dyn Publisher>, tracer: Option<Arc<Tracer>>, entry: OutboxEntry) -> (Arc<OutboxEntry>, Result<Published, Outage>) {
    let entry = Arc::new(entry);
    let began = tracer.as_ref().and_then(|tracer| tracer.now_for(&entry));
    let outcome = publisher.publish(Arc::clone(&entry)).await;
    if let Some(tracer) = tracer {
        tracer.sent(&entry, began, outcome == Ok(Published::Routed));
    }
    (entry, outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_relay_leaves_answers_to_their_lease() {
        let (give, mut take) = mpsc::channel(WAITING);
        let octets = Arc::new(AtomicUsize::new(0));
        let handle = RelayHandle { entries: give, answered: Arc::default(), octets: Arc::clone(&octets) };
        let of = |id: i64, octets: usize| OutboxEntry {
            id: OutboxId(id),
            amqp_id: String::new(),
            queue: String::new(),
            correlation: None,
            content_type: String::new(),
            body: vec![0; octets],
            attempts: 0,
            trace: None,
        };
        handle.send(vec![of(1, OCTETS / 2), of(2, OCTETS / 2), of(3, 1)]);
        assert_eq!(octets.load(Ordering::Acquire), OCTETS, "the third is not counted either");
        handle.send((0..WAITING).map(|_| of(4, 0)).collect());
        let taken: Vec<i64> = std::iter::from_fn(|| take.try_recv().ok()).map(|entry| entry.id.0).collect();
        assert_eq!(taken, [1, 2], "full is full, whatever the size");
        octets.store(0, Ordering::Release);
        handle.send((0..=WAITING).map(|_| of(5, 0)).collect());
        assert_eq!(std::iter::from_fn(|| take.try_recv().ok()).count(), WAITING, "and so is the number");
    }
}
