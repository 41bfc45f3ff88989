//! The one road in: queue, replay, demo and hold all come through here. A message is examined on the pool, takes its place in its
//! client's lane, is decided on fresh facts, sealed, committed, and only then settled; its answer goes to the relay.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{Semaphore, mpsc, watch};

use super::effect::{self, Planned, Setting};
use super::examine::{Accepted, Examined, Examiner};
use super::gate::{Gate, Stopping, told};
use super::lanes::{Lanes, Place};
use super::notice;
use super::pool::{Panicked, Pool};
use super::query;
use super::relay::RelayHandle;
use super::signers;
use super::trace::{Tracer, Tracing};
use super::waits::{Ticket, Waits};
use crate::domain::change::{Commit, Committed, Effect, HeldMessage};
use crate::domain::code::Code;
use crate::domain::facts::{Facts, Prior, Standing};
use crate::domain::finding::Finding;
use crate::domain::limits;
use crate::domain::message::{Envelope, MessageKey};
use crate::domain::messages::Road;
use crate::domain::query::Want;
use crate::domain::refusal::Refusal;
use crate::domain::refused::{LeasedReplay, ReplayMark};
use crate::domain::time::Moment;
use crate::ports::archive::Archive;
use crate::ports::broker::{Delivery, Settle, Settlement};
use crate::ports::clock::Clock;
use crate::ports::revocation::Revocation;
use crate::ports::signer::Keys;
use crate::rules::decide::{self, Decision, Holding};
use crate::rules::lifecycle;
use crate::rules::may;
use crate::telemetry::{self, Ending};

/// How many messages may be examined at once: enough to keep the pool busy while earlier ones commit.
const EXAMINING: usize = 512;
/// How long to wait before a message whose facts keep changing is decided again.
const STALE_WAIT: Duration = Duration::from_millis(50);
/// How many defective messages are counted at once; the oldest is forgotten first.
const DEFECTS: usize = 10_000;

/// Everything a message meets on its way.
pub struct Parts {
    /// The archive.
    pub archive: Arc<dyn Archive>,
    /// The rules, compiled.
    pub examiner: Arc<Examiner>,
    /// The key of the system signature.
    pub keys: Arc<dyn Keys>,
    /// What issuers say of signers' certificates.
    pub revocation: Arc<dyn Revocation>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The pool.
    pub pool: Pool,
    /// The road out.
    pub relay: RelayHandle,
    /// The gate before the world.
    pub gate: Gate,
    /// How long a message is held.
    pub hold: Duration,
    /// How many of one sender, and in all, may be on hold.
    pub held: (u64, u64),
    /// Turns to make an answer with documents in it.
    pub fetches: Semaphore,
    /// Deliveries in hand, for metrics and the stop.
    pub in_hand: AtomicUsize,
    /// How long they have waited, for whoever watches.
    pub waits: Arc<Waits>,
    /// Who makes traces, where they are wanted.
    pub tracer: Option<Arc<Tracer>>,
}

/// A message on the road: from a delivery, from the hold, or from a replay.
struct Job {
    envelope: Envelope,
    held: Option<HeldMessage>,
    replay: Option<(MessageKey, ReplayMark)>,
    settle: Option<Box<dyn Settle>>,
    received: Moment,
    began: Instant,
    /// Its place among those who wait; given back when it leaves the road.
    _ticket: Option<Ticket>,
    trace: Tracing,
}

/// A job whose octets have been looked at.
struct Ready {
    job: Job,
    examined: Arc<Examined>,
    at: Moment,
}

/// Carries messages until `drain` is set and nothing is in hand, or the deliveries end.
pub async fn run(
    parts: Arc<Parts>,
    mut deliveries: mpsc::Receiver<Delivery>,
    (mut due, mut replays): (mpsc::Receiver<HeldMessage>, mpsc::Receiver<LeasedReplay>),
    drain: watch::Receiver<bool>,
) {
    let mut examining = FuturesOrdered::new();
    let mut working = FuturesUnordered::new();
    let mut lanes: Lanes<Ready> = Lanes::default();
    let mut defects = Defects::default();
    let mut on_road: HashSet<MessageKey> = HashSet::new();
    let mut released: VecDeque<HeldMessage> = VecDeque::new();
    let mut told_to_drain = drain;
    let (mut open, mut draining) = (true, false);
    loop {
        while let Some(held) = released.pop_front() {
            if examining.len() < EXAMINING && on_road.insert(held.key.clone()) {
                telemetry::hold_released(&held);
                examining.push_back(examine(Arc::clone(&parts), Job::held(held)));
            }
        }
        if (!open || (draining && deliveries.is_empty())) && examining.is_empty() && working.is_empty() {
            return;
        }
        tokio::select! {
            Some(finished) = working.next(), if !working.is_empty() => {
                let mut finished: Finished = finished;
                if let Some(again) = finished.again.take() {
                    // A defect while deciding or committing: counted, and tried again until the count is full.
                    match defects.met(again, &parts) {
                        Ok(ready) => {
                            working.push(work(Arc::clone(&parts), ready, finished.place));
                            continue;
                        }
                        Err(job) => finished.held = job.give_up(&parts),
                    }
                }
                if let Some(key) = &finished.held {
                    on_road.remove(key);
                }
                released.extend(finished.released);
                if let Some(place) = finished.place {
                    for (place, ready) in lanes.leave(&place) {
                        working.push(work(Arc::clone(&parts), ready, Some(place)));
                    }
                    parts.waits.note_lanes(lanes.count(), lanes.waiting());
                }
            }
            Some((job, outcome)) = examining.next(), if !examining.is_empty() => {
                let job: Job = job;
                match outcome {
                    Ok(examined) => {
                        let ready = Ready { job, examined: Arc::new(examined), at: parts.clock.now() };
                        match ready.examined.lane() {
                            None => working.push(work(Arc::clone(&parts), ready, None)),
                            Some((client, touches)) => {
                                if let Some((place, ready)) = lanes.enter(client, touches, ready) {
                                    working.push(work(Arc::clone(&parts), ready, Some(place)));
                                }
                                parts.waits.note_lanes(lanes.count(), lanes.waiting());
                            }
                        }
                    }
                    Err(Panicked) => {
                        let key = parts.examiner.key(&job.envelope);
                        if defects.count(&key) >= limits::PANICS {
                            let examined = parts.examiner.defect(&job.envelope);
                            let ready = Ready { job, examined: Arc::new(examined), at: parts.clock.now() };
                            working.push(work(Arc::clone(&parts), ready, None));
                        } else {
                            examining.push_front(examine(Arc::clone(&parts), job));
                        }
                    }
                }
            }
            delivery = deliveries.recv(), if open && examining.len() < EXAMINING => match delivery {
                None => open = false,
                Some(delivery) => {
                    parts.in_hand.fetch_add(1, Ordering::AcqRel);
                    examining.push_back(examine(Arc::clone(&parts), Job::delivered(delivery, &parts)));
                }
            },
            Some(held) = due.recv(), if examining.len() < EXAMINING && !draining => released.push_back(held),
            // One that is on the road already came by an earlier lease: its own end, or the lease's, ends it.
            Some(replay) = replays.recv(), if examining.len() < EXAMINING && !draining => if on_road.insert(replay.key.clone()) {
                examining.push_back(examine(Arc::clone(&parts), Job::replayed(replay, parts.clock.now())));
            },
            // Once, and also when whoever gives the signal has gone: a signal that is for ever ready would leave no time for the rest.
            () = told(&mut told_to_drain), if !draining => draining = true,
        }
    }
}

impl Job {
    fn delivered(delivery: Delivery, parts: &Parts) -> Self {
        let began = Instant::now();
        let trace = Tracing::begin(parts.tracer.as_ref(), delivery.trace, &delivery.envelope);
        let received = parts.clock.now();
        let ticket = Some(parts.waits.enter(began));
        Self { envelope: delivery.envelope, held: None, replay: None, settle: Some(delivery.settle), received, began, _ticket: ticket, trace }
    }

    fn held(held: HeldMessage) -> Self {
        let (envelope, received) = (held.envelope.clone(), held.since);
        Self { envelope, received, held: Some(held), replay: None, settle: None, began: Instant::now(), _ticket: None, trace: Tracing::NONE }
    }

    fn replayed(replay: LeasedReplay, received: Moment) -> Self {
        let replayed = Some((replay.key, replay.mark));
        Self { envelope: replay.envelope, held: None, replay: replayed, settle: None, received, began: Instant::now(), _ticket: None, trace: Tracing::NONE }
    }

    /// The key under which it is on the road alone; a delivery may be there as often as it was sent.
    fn own_key(&self) -> Option<MessageKey> {
        self.held.as_ref().map(|held| held.key.clone()).or_else(|| self.replay.as_ref().map(|(key, _)| key.clone()))
    }

    /// Leaves the road undecided: a delivery goes back to the broker, whose delivery limit stops what always fails; a held message stays on hold; a replay is
    /// leased anew when its lease has run out. Gives the key that leaves the road.
    fn give_up(self, parts: &Parts) -> Option<MessageKey> {
        let own = self.own_key();
        parts.in_hand.fetch_sub(usize::from(own.is_none()), Ordering::AcqRel);
        own
    }
}

async fn examine(parts: Arc<Parts>, job: Job) -> (Job, Result<Examined, Panicked>) {
    let examiner = Arc::clone(&parts.examiner);
    let envelope = job.envelope.clone();
    // What was refused before replays were known has lost its reply address and its queue; the door had let it in.
    let from_hold = job.held.is_some() || (job.replay.is_some() && envelope.reply.is_none() && envelope.inbound.is_empty());
    let began = job.trace.now();
    let outcome = parts.pool.run(move || examiner.examine(&envelope, from_hold)).await;
    job.trace.step("examine", began);
    (job, outcome)
}

/// How a message left the road.
struct Finished {
    place: Option<Place>,
    released: Vec<HeldMessage>,
    held: Option<MessageKey>,
    again: Option<Ready>,
}

async fn work(parts: Arc<Parts>, mut ready: Ready, mut place: Option<Place>) -> Finished {
    let held = ready.job.own_key();
    let carried = AssertUnwindSafe(carry(&parts, &mut ready, &mut place)).catch_unwind().await;
    if let Some(place) = &mut place {
        // Whatever happened, the next of this client must not wait for us.
        drop(place.next.take());
    }
    match carried {
        Ok(Carried::Away(released)) => {
            if ready.job.settle.is_none() && held.is_none() {
                parts.in_hand.fetch_sub(1, Ordering::AcqRel);
            }
            Finished { place, released, held, again: None }
        }
        Ok(Carried::Abandoned) => Finished { place, released: Vec::new(), held: ready.job.give_up(&parts), again: None },
        Ok(Carried::Defect) | Err(_) => Finished { place, released: Vec::new(), held: None, again: Some(ready) },
    }
}

enum Carried {
    Away(Vec<HeldMessage>),
    Abandoned,
    Defect,
}

async fn carry(parts: &Parts, ready: &mut Ready, place: &mut Option<Place>) -> Carried {
    let mut attempts = 0_usize;
    loop {
        match decide_and_commit(parts, ready, place).await {
            Ok(Step::Done(ending, code, done)) => {
                let key = &ready.examined.key;
                telemetry::message_decided(key, ending, code, done.position, ready.job.began.elapsed());
                done.replayed.into_iter().for_each(telemetry::replayed);
                let mut leaving = done.outbox;
                ready.job.trace.leave(&mut leaving);
                parts.relay.send(leaving);
                ready.job.trace.end(key, ending.as_str(), code.map(Code::as_str), done.position.map(|p| p.0));
                if let Some(settle) = ready.job.settle.take() {
                    settle.settle(if ending == Ending::Quarantined { Settlement::DeadLetter } else { Settlement::Done });
                }
                return Carried::Away(done.released);
            }
            Ok(Step::Known) => {
                telemetry::message_known(&ready.examined.key);
                if let Some(settle) = ready.job.settle.take() {
                    settle.settle(Settlement::Done);
                }
                return Carried::Away(Vec::new());
            }
            Ok(Step::Stale) => {
                attempts += 1;
                telemetry::decision_stale(&ready.examined.key);
                if attempts.is_multiple_of(limits::STALE_ATTEMPTS) {
                    tokio::time::sleep(STALE_WAIT).await;
                }
            }
            Ok(Step::Defect) => return Carried::Defect,
            Err(Stopping) => return Carried::Abandoned,
        }
    }
}

enum Step {
    Done(Ending, Option<Code>, crate::domain::change::Done),
    /// A held message or a replay that another instance has decided meanwhile.
    Known,
    /// What it was decided on, or when, is past: it is decided again.
    Stale,
    /// It panicked, or the archive refuses what was decided.
    Defect,
}

async fn decide_and_commit(parts: &Parts, ready: &Ready, place: &mut Option<Place>) -> Result<Step, Stopping> {
    let examined = &ready.examined;
    let began = ready.job.trace.now();
    let facts: Facts = parts.gate.through(|| parts.archive.facts(examined.needs())).await?;
    let at = parts.clock.now();
    let held = ready.job.held.as_ref();
    if let Some(held) = held
        && facts.prior.as_ref().is_none_or(|p| p.revision != held.revision || p.standing != Standing::Held)
    {
        return Ok(Step::Known);
    }
    let holding = held.map_or(Holding::Fresh, |h| Holding::Held(h.until));
    // Held until the answer is committed: it bounds how many answers with documents are in memory.
    let mut _turn = None;
    let mut decision = match &examined.verdict {
        Err(refusal) => decide::repeat(facts.prior.as_ref(), &examined.rules, held.is_some())
            .unwrap_or_else(|| Decision::Refuse { refusal: refusal.clone(), expects: Vec::new() }),
        Ok(Accepted::Document(accepted)) => decide::decide(&accepted.request(examined, holding), &facts, at),
        Ok(Accepted::Event(accepted)) => lifecycle::decide(&accepted.request(examined, holding), &facts, at),
        Ok(Accepted::Disclosure(accepted)) => notice::decide(parts, examined, accepted, &facts, at).await?,
        Ok(Accepted::Query(accepted)) => {
            if accepted.query.want == Want::Documents {
                _turn = parts.fetches.acquire().await.ok();
            }
            query::decide(parts, examined, accepted, &facts, at).await?
        }
    };
    if let Decision::Hold { awaits, .. } = &decision
        && held.is_none()
    {
        let (of_sender, in_all) = parts.gate.through(|| parts.archive.held_counts(&examined.key.sender)).await?;
        if of_sender >= parts.held.0 || in_all >= parts.held.1 {
            let full = Finding::whole(Code::E902).with("id", awaits.id().as_str());
            decision = Decision::Refuse { refusal: Refusal::one(full), expects: Vec::new() };
        }
    }
    decision = may::still_may(&examined.grant, decision, matches!(examined.verdict, Ok(Accepted::Query(_))), at);
    let asking = signers::Asking { gate: &parts.gate, revocation: &parts.revocation, clock: &parts.clock };
    let Some(decision) = signers::still_sign(&asking, examined, decision, at).await? else { return Ok(Step::Stale) };
    let decided = ready.job.trace.step("decide", began);
    // Held again for something else, it still waits no longer than was promised at first.
    let until = held.map_or_else(|| at.plus(parts.hold), |held| held.until);
    let Ok(Planned { mut commit, ending, code }) = plan(parts, ready, facts.prior, decision, (at, until)).await? else { return Ok(Step::Defect) };
    let sealed = ready.job.trace.step("seal", decided);
    commit.road = road(ready, &commit, parts.clock.now());
    // An acknowledgement is owed no answer, so it lacks no address: settled like any other, also when it is handed over again.
    let quarantine = ready.job.envelope.reply.is_none() && ready.job.own_key().is_none() && !examined.is_acknowledgement;
    let ending = if quarantine { Ending::Quarantined } else { ending };
    if let Some(turn) = place.as_mut().and_then(|p| p.turn.take()) {
        // A dropped sender means the one before has gone: our turn all the same.
        let _passed = turn.await;
    }
    let turned = ready.job.trace.step("lane", sealed);
    let committed = hand_in(parts, commit, place).await?;
    ready.job.trace.step("commit", turned);
    Ok(match committed {
        Committed::Done(done) => Step::Done(ending, code, done),
        Committed::Stale => Step::Stale,
        Committed::Moot => Step::Known,
        Committed::Unfit(detail) => {
            telemetry::commit_unfit(&examined.key, &detail);
            Step::Defect
        }
    })
}

/// The way here, as far as it is behind us: the commit was made just now, and with it the signature.
fn road(ready: &Ready, commit: &Commit, made: Moment) -> Road {
    Road {
        amqp_id: ready.job.envelope.message_id.clone().filter(|id| id.len() <= limits::SHORT_STRING),
        received: Some(ready.job.received),
        examined: Some(ready.at),
        signed: matches!(commit.effect, Effect::Archive(_) | Effect::Notice(_)).then_some(made),
    }
}

/// Makes the commit on the pool. A key out of reach is an outage like any other: wait, and sign again.
async fn plan(
    parts: &Parts,
    ready: &Ready,
    prior: Option<Prior>,
    decision: Decision,
    (at, until): (Moment, Moment),
) -> Result<Result<Planned, Panicked>, Stopping> {
    let (examiner, signer) = (Arc::clone(&parts.examiner), parts.keys.at(at));
    let (envelope, examined) = (ready.job.envelope.clone(), Arc::clone(&ready.examined));
    let replay = ready.job.replay.as_ref().map(|(_, mark)| *mark);
    // The addresses of a held message wait with the hold.
    let reply = envelope.reply.clone().filter(|_| ready.job.held.is_none());
    let make = Arc::new(move || {
        let setting = Setting {
            examiner: &examiner,
            signer: signer.as_ref(),
            envelope: &envelope,
            examined: &examined,
            prior: prior.as_ref(),
            reply: reply.clone(),
            at,
            until,
            replay,
        };
        effect::plan(setting, &decision)
    });
    let attempt = || {
        let make = Arc::clone(&make);
        let run = parts.pool.run(move || make());
        async move {
            match run.await {
                Ok(Ok(plan)) => Ok(Ok(plan)),
                Ok(Err(outage)) => Err(outage),
                Err(Panicked) => Ok(Err(Panicked)),
            }
        }
    };
    parts.gate.through(attempt).await
}

/// Hands the commit to the archive, once, and lets the next of the lane hand in its own right behind it.
async fn hand_in(parts: &Parts, commit: Commit, place: &mut Option<Place>) -> Result<Committed, Stopping> {
    let mut commit = Some(commit);
    let attempt = || {
        let commit = commit.take();
        let next = place.as_mut().and_then(|p| p.next.take());
        async move {
            match commit {
                // After an outage the outcome is unknown, so the facts are asked again, when the archive answers again.
                None => parts.archive.ping().await.map(|()| Committed::Stale),
                Some(commit) => {
                    let mut handed_in = std::pin::pin!(parts.archive.commit(commit));
                    let first = futures_util::poll!(handed_in.as_mut());
                    if let Some(next) = next {
                        let _gone = next.send(());
                    }
                    match first {
                        std::task::Poll::Ready(outcome) => outcome,
                        std::task::Poll::Pending => handed_in.await,
                    }
                }
            }
        }
    };
    parts.gate.through(attempt).await
}

/// Panics counted by message, in memory: after a restart the count begins anew, and what kills the process is the delivery limit's business.
#[derive(Default)]
struct Defects {
    counts: HashMap<MessageKey, u32>,
    order: VecDeque<MessageKey>,
}

impl Defects {
    fn count(&mut self, key: &MessageKey) -> u32 {
        if !self.counts.contains_key(key) {
            self.order.push_back(key.clone());
            if self.order.len() > DEFECTS
                && let Some(oldest) = self.order.pop_front()
            {
                self.counts.remove(&oldest);
            }
        }
        let count = self.counts.entry(key.clone()).or_insert(0);
        *count += 1;
        telemetry::defect(key, *count);
        *count
    }

    /// The job again, or the same message refused as a defect when the count is full. `Err` when that refusal itself fails: there is nothing left to try.
    fn met(&mut self, ready: Ready, parts: &Parts) -> Result<Ready, Box<Job>> {
        let is_refused_so = ready.examined.verdict.as_ref().is_err_and(|refusal| refusal.code() == Code::E901);
        if self.count(&ready.examined.key) < limits::PANICS {
            return Ok(ready);
        }
        if is_refused_so {
            return Err(Box::new(ready.job));
        }
        let examined = Arc::new(parts.examiner.defect(&ready.job.envelope));
        Ok(Ready { job: ready.job, examined, at: parts.clock.now() })
    }
}
