//! A running gateway: its parts, its tasks, and how it closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};

use super::{HAND, START};
use crate::config::checked::Config;
use crate::domain::limits;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::pipeline::answers::{self, Refused};
use crate::pipeline::checkpoint::make::Maker;
use crate::pipeline::courier::{Courier, Patience};
use crate::pipeline::examine::Examiner;
use crate::pipeline::gate::Gate;
use crate::pipeline::holds;
use crate::pipeline::intake::{self, Parts};
use crate::pipeline::pool::Pool;
use crate::pipeline::reckoner;
use crate::pipeline::reconcile;
use crate::pipeline::relay::Relay;
use crate::pipeline::replay;
use crate::pipeline::trace::Tracer;
use crate::ports::archive::Archive;
use crate::ports::broker::{Consumer, Delivery, Depths, Publisher};
use crate::ports::clock::Clock;
use crate::ports::messages::Reconciling;
use crate::ports::notices::Notices;
use crate::ports::refusals::Refusals;
use crate::ports::revocation::Revocation;
use crate::ports::signer::Keys;
use crate::ports::sink::Sink;
use crate::telemetry;

/// How long the broker may take at the start before it is told of.
const TELLING: Duration = Duration::from_secs(2);

/// What a running gateway is made of; the demo makes the same from embedded parts.
pub struct World {
    /// The archive.
    pub archive: Arc<dyn Archive>,
    /// The road in.
    pub consumer: Arc<dyn Consumer>,
    /// The road out.
    pub publisher: Arc<dyn Publisher>,
    /// The keys.
    pub keys: Arc<dyn Keys>,
    /// What issuers say of signers' certificates.
    pub revocation: Arc<dyn Revocation>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who makes checkpoints of the ledger.
    pub checkpoints: Maker,
    /// What follows a notice's commit.
    pub notices: Notifying,
    /// The archive's tables, to be held against each other.
    pub reconciling: Arc<dyn Reconciling>,
    /// The broker's queues, where they can be asked for.
    pub depths: Option<Arc<dyn Depths>>,
    /// Refused messages and their replays.
    pub refusals: Arc<dyn Refusals>,
    /// Who makes traces, where they are wanted.
    pub tracer: Option<Arc<Tracer>>,
}

/// Takes messages; a broker that keeps the start waiting is told of.
async fn subscribed(consumer: &dyn Consumer, deliver: mpsc::Sender<Delivery>) -> Result<(), Outage> {
    let mut start = std::pin::pin!(consumer.start(deliver));
    match tokio::time::timeout(TELLING, &mut start).await {
        Ok(started) => started,
        Err(_) => {
            telemetry::start_waits(&Outage::new(Part::Broker, "it does not let us in, or its queues are not there: arkki doctor says which"), START, false);
            start.await
        }
    }
}

/// Who hands notices over, and how it is watched that none is missing.
pub struct Notifying {
    /// The archive's notices.
    pub notices: Arc<dyn Notices>,
    /// The FHIR server, where there is one, and how long it may take to answer.
    pub sink: Option<(Arc<dyn Sink>, Duration)>,
    /// Since when every notice goes there.
    pub sink_from: Option<Moment>,
    /// How often it is added up.
    pub reckon: Duration,
}

/// A running gateway.
pub struct House {
    pub(super) parts: Arc<Parts>,
    pub(super) consumer: Arc<dyn Consumer>,
    pub(super) archive: Arc<dyn Archive>,
    intake: tokio::task::JoinHandle<()>,
    holds: tokio::task::JoinHandle<()>,
    replays: tokio::task::JoinHandle<()>,
    forgetting: tokio::task::JoinHandle<()>,
    relay: tokio::task::JoinHandle<()>,
    checkpoints: tokio::task::JoinHandle<()>,
    stop_checkpoints: watch::Sender<bool>,
    courier: Option<tokio::task::JoinHandle<()>>,
    reckoner: tokio::task::JoinHandle<()>,
    reconciler: tokio::task::JoinHandle<()>,
    stop_notices: watch::Sender<bool>,
    drain: watch::Sender<bool>,
    abandon: watch::Sender<bool>,
    stop_relay: watch::Sender<bool>,
}

impl House {
    /// Opens the house: every task runs, messages are taken.
    ///
    /// # Errors
    /// An outage when the broker does not answer.
    pub async fn open(config: &Config, examiner: Examiner, world: World) -> Result<Self, Outage> {
        let World { archive, consumer, publisher, keys, revocation, clock, checkpoints, notices, refusals, reconciling, depths, tracer } = world;
        let (stop_checkpoints, stop_checkpoints_seen) = watch::channel(false);
        let (stop_notices, stop_notices_seen) = watch::channel(false);
        let (drain, drain_seen) = watch::channel(false);
        let (abandon, abandon_seen) = watch::channel(false);
        let (stop_relay, stop_relay_seen) = watch::channel(false);
        let (relay, relay_handle) = Relay::new(Arc::clone(&archive), publisher, Arc::clone(&clock));
        let relay = relay.traced(tracer.clone());
        let parts = Arc::new(Parts {
            archive: Arc::clone(&archive),
            examiner: Arc::new(examiner),
            keys,
            revocation,
            clock: Arc::clone(&clock),
            pool: Pool::start(config.threads)?,
            relay: relay_handle,
            gate: Gate::new(Arc::clone(&consumer), abandon_seen),
            hold: config.hold,
            held: (config.held_per_sender, config.held_in_all),
            fetches: Semaphore::new(limits::FETCHES_AT_ONCE),
            in_hand: AtomicUsize::new(0),
            waits: Arc::default(),
            tracer,
        });
        let (deliver, deliveries) = mpsc::channel(HAND);
        let (release, due) = mpsc::channel(HAND);
        let (replay, replays) = mpsc::channel(replay::HAND);
        subscribed(consumer.as_ref(), deliver).await?;
        let Notifying { notices, sink, sink_from, reckon } = notices;
        let courier = sink.map(|(sink, attempt)| {
            let courier = Courier { notices: Arc::clone(&notices), sink, clock: Arc::clone(&clock), patience: Patience::USUAL, from: sink_from, attempt };
            tokio::spawn(courier.run(stop_notices_seen.clone()))
        });
        Ok(Self {
            courier,
            reconciler: tokio::spawn(reconcile::run(Arc::clone(&reconciling), depths, config.reconcile, stop_notices_seen.clone())),
            reckoner: tokio::spawn(reckoner::run(notices, Arc::clone(&clock), sink_from, reckon, stop_notices_seen)),
            stop_notices,
            intake: tokio::spawn(intake::run(Arc::clone(&parts), deliveries, (due, replays), drain_seen.clone())),
            forgetting: tokio::spawn(answers::run(
                Arc::clone(&archive),
                Refused { archive: reconciling, keep: config.keep_refused },
                Arc::clone(&clock),
                config.keep_query_answers,
                drain_seen.clone(),
            )),
            replays: tokio::spawn(replay::run(refusals, Arc::clone(&clock), replay, drain_seen.clone())),
            holds: tokio::spawn(holds::run(Arc::clone(&archive), clock, release, drain_seen)),
            relay: tokio::spawn(relay.run(stop_relay_seen)),
            checkpoints: tokio::spawn(checkpoints.run(stop_checkpoints_seen)),
            stop_checkpoints,
            parts,
            consumer,
            archive,
            drain,
            abandon,
            stop_relay,
        })
    }

    /// How many answers were routed and confirmed.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.parts.relay.answered()
    }

    /// The task that ended by itself, which only a defect can make it do: without it messages would be taken and never answered.
    #[must_use]
    pub fn ended(&self) -> Option<&'static str> {
        [
            ("intake", &self.intake),
            ("the sweep of holds", &self.holds),
            ("the replays", &self.replays),
            ("the sweep of answers", &self.forgetting),
            ("the relay", &self.relay),
            ("the maker of checkpoints", &self.checkpoints),
            ("the reckoner of notices", &self.reckoner),
            ("the reconciler", &self.reconciler),
        ]
        .into_iter()
        .chain(self.courier.as_ref().map(|courier| ("the courier of notices", courier)))
        .find(|(_, task)| task.is_finished())
        .map(|(name, _)| name)
    }

    /// Deliveries in hand.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.parts.in_hand.load(Ordering::Acquire)
    }

    /// Takes nothing more, settles what is in hand, sends what must leave, and closes; at most `within`. Gives how many deliveries went back.
    pub async fn close(mut self, within: Duration) -> usize {
        let deadline = tokio::time::Instant::now() + within;
        // The consumer ends when everything it handed over is settled; an outage ends the wait a little before the deadline, and what is
        // left goes back to the broker.
        self.consumer.close(within * 4 / 5).await;
        self.drain.send_replace(true);
        if tokio::time::timeout_at(deadline - within / 10, &mut self.intake).await.is_err() {
            self.abandon.send_replace(true);
            if tokio::time::timeout_at(deadline, &mut self.intake).await.is_err() {
                self.intake.abort();
            }
        }
        // What is on its way to the FHIR server may still be answered and kept.
        self.stop_notices.send_replace(true);
        self.holds.abort();
        self.replays.abort();
        self.forgetting.abort();
        // Nothing is committed any more: the last checkpoint names the ledger's end.
        self.stop_checkpoints.send_replace(true);
        self.stop_relay.send_replace(true);
        if tokio::time::timeout_at(deadline.max(tokio::time::Instant::now() + Duration::from_secs(1)), &mut self.relay).await.is_err() {
            // Its rows keep their lease and go out when it ends.
            self.relay.abort();
        }
        if tokio::time::timeout_at(deadline.max(tokio::time::Instant::now() + Duration::from_secs(1)), &mut self.checkpoints).await.is_err() {
            // The next instance makes it.
            self.checkpoints.abort();
        }
        self.reckoner.abort();
        self.reconciler.abort();
        if let Some(mut courier) = self.courier.take()
            && tokio::time::timeout_at(deadline.max(tokio::time::Instant::now() + Duration::from_secs(1)), &mut courier).await.is_err()
        {
            // Its notices go out again under the same ids when their lease ends.
            courier.abort();
        }
        self.in_hand()
    }
}
