//! The open loop: a plan of arrivals that nothing slows down, and the moments at which the answers came.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::histogram::Histogram;
use super::{Arrivals, Load};
use crate::adapters::amqp::{AmqpClient, Answers, Outgoing, Secret, Through};
use crate::adapters::clock::SystemClock;
use crate::cli::report::Report;
use crate::cli::send::{self, Way};
use crate::cli::stop::Stop;
use crate::config::checked::Config;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::generate::random::Random;
use crate::generate::scenario;
use crate::ports::broker::Published;
use crate::ports::clock::Clock as _;
use crate::v3::ack;

/// How many messages may be open before the arrivals end: the archive is then minutes behind, and the broker's disk is not ours.
pub const MOST_OPEN: usize = 20_000;
/// How many clients' messages are interleaved, as they are in life: one client's follow each other in its lane.
const CLIENTS: u64 = 64;
/// How many messages lie ready: making them must not be in the way of sending them.
const READY: usize = 256;
/// How many moments the plots have at most.
const SLOTS: u32 = 600;
/// How long at most between two looks at Ctrl-C and at the patience.
const LOOK: Duration = Duration::from_millis(200);

/// How the arrivals ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// In their time.
    InTime,
    /// By Ctrl-C.
    Stopped,
    /// The answers were too far behind.
    Behind,
}

/// A stretch of time in the plots.
#[derive(Default)]
pub struct Slot {
    /// Messages that arrived in it.
    pub arrived: u64,
    /// Answers that came in it.
    pub answered: u64,
    /// Latencies of those that arrived in it.
    pub latency: Histogram,
}

/// What was measured.
pub struct Measured {
    /// From the planned arrival to the answer.
    pub latency: Histogram,
    /// From the sending to the answer.
    pub service: Histogram,
    /// From the planned arrival to the sending.
    pub lag: Histogram,
    /// In order; the first ones are the warm-up.
    pub slots: Vec<Slot>,
    /// The length of each.
    pub slot: Duration,
    /// How often which answer came: AA, or type and first code.
    pub answers: BTreeMap<String, u64>,
    /// Messages sent, the warm-up's too.
    pub sent: u64,
    /// Messages that were not answered.
    pub open: usize,
    /// How long messages arrived.
    pub arrived_for: Duration,
    /// From the first arrival to the last answer.
    pub answered_for: Duration,
    /// How the arrivals ended.
    pub ended: Ended,
    /// When it began.
    pub began: Moment,
    /// What the documents followed from.
    pub seed: u64,
    /// The queue.
    pub queue: String,
    /// The rule set that answered.
    pub rules: Option<String>,
}

impl Measured {
    /// Answers a second, from the first arrival to the last answer.
    pub fn throughput(&self) -> f64 {
        self.answers.values().sum::<u64>() as f64 / self.answered_for.as_secs_f64().max(0.001)
    }
}

/// A message that lies ready.
struct Ready {
    octets: Arc<Vec<u8>>,
    through: Option<Through>,
}

/// An answer: to which message, when, what.
type Heard = (u64, Instant, String, Option<String>);

/// Runs the plan.
///
/// # Errors
/// What of the broker failed; a report where the way to the queue is not there.
pub async fn drive(command: &Load, config: &Config, seed: u64, json: bool) -> Result<Result<Measured, Report>, Outage> {
    let way = match Way::of(command.queue.as_deref(), config) {
        Ok(way) => Arc::new(way),
        Err(report) => return Ok(Err(report)),
    };
    let client = AmqpClient::connect(&Secret::new(config.broker_url.reveal()), "arkki load").await?;
    let user = client.user();
    let reply = command.reply.clone().unwrap_or_else(|| format!("arkki.reply.{user}.load"));
    client.declare_reply_queue(&reply).await?;
    let run_id = send::run_id()?;
    let (heard_by, mut heard) = mpsc::channel(READY);
    let listening = tokio::spawn(listen(client.answers(&reply).await?, run_id.clone(), heard_by));
    let (made_by, mut made) = mpsc::channel(READY);
    let (size, maker) = (usize::try_from(command.size).unwrap_or(0), Arc::clone(&way));
    tokio::task::spawn_blocking(move || make(seed, size, &maker, &made_by));
    let client = Arc::new(client);
    let stop = Stop::listen();
    let progress = bar(command.whole(), json);

    let mut tally = Tally::new(command, seed, way.queue());
    let mut schedule = Schedule::new(command, seed);
    // The first messages are ready before the clock runs.
    let mut waiting: Option<Ready> = made.recv().await;
    let mut sends = JoinSet::new();
    let start = Instant::now();
    let mut number = 0_u64;
    let mut arriving = true;
    let mut last = start;
    // Each turn sends one, hears one, or waits a bounded time; it ends when the plan is through and all is answered, or the patience is up.
    let trouble = loop {
        let now = Instant::now();
        if arriving && (schedule.next() >= command.whole() || stop.is_asked() || tally.flying.len() >= MOST_OPEN) {
            arriving = false;
            tally.measured.ended = if stop.is_asked() {
                Ended::Stopped
            } else if tally.flying.len() >= MOST_OPEN {
                Ended::Behind
            } else {
                Ended::InTime
            };
            tally.measured.arrived_for = start.elapsed();
            last = now;
        }
        let patience = Duration::from_secs(command.timeout);
        if stop.at_once() || (!arriving && (tally.flying.is_empty() || last.elapsed() > patience)) {
            break None;
        }
        progress.set_position(start.elapsed().as_secs());
        progress.set_message(format!("{number} sent, {} open", tally.flying.len()));
        let due = start + schedule.next();
        tokio::select! {
            Some((number, at, answer, rules)) = heard.recv() => tally.heard(number, at, answer, rules),
            Some(sent) = sends.join_next(), if !sends.is_empty() => match sent {
                Ok(Ok(Published::Routed)) | Err(_) => {}
                Ok(Ok(Published::Unroutable)) => break Some(Ok(Report::blind(format!("there is no queue {}: run `arkki topology apply`", way.queue())))),
                Ok(Err(outage)) => break Some(Err(outage)),
            },
            () = tokio::time::sleep_until(due.into()), if arriving && waiting.is_some() => {
                if let Some(ready) = waiting.take() {
                    let outgoing = outgoing(way.queue(), &reply, &user, format!("{run_id}-{number}"), ready);
                    tally.sent(number, start, schedule.next(), Instant::now());
                    let client = Arc::clone(&client);
                    sends.spawn(async move { client.send(outgoing).await });
                    number += 1;
                    schedule.advance();
                    waiting = made.try_recv().ok();
                }
            }
            ready = made.recv(), if waiting.is_none() => waiting = ready,
            () = tokio::time::sleep(LOOK) => {}
        }
    };
    progress.finish_and_clear();
    listening.abort();
    match trouble {
        Some(Ok(report)) => return Ok(Err(report)),
        Some(Err(outage)) => return Err(outage),
        None => {}
    }
    sends.shutdown().await;
    if let Ok(client) = Arc::try_unwrap(client) {
        client.close().await;
    }
    Ok(Ok(tally.done(start)))
}

fn outgoing(queue: &str, reply: &str, user: &str, id: String, ready: Ready) -> Outgoing {
    Outgoing {
        queue: queue.to_owned(),
        through: ready.through,
        message_id: Some(id),
        correlation_id: None,
        reply_to: Some(reply.to_owned()),
        content_type: Some("application/xml".into()),
        user_id: Some(user.to_owned()),
        body: ready.octets,
    }
}

fn bar(length: Duration, quiet: bool) -> ProgressBar {
    let bar = send::bar(usize::try_from(length.as_secs()).unwrap_or(2), quiet);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} s  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Makes messages until nobody takes them. The clients' messages are interleaved.
fn make(seed: u64, octets: usize, way: &Way, to: &mpsc::Sender<Ready>) {
    let mut clients: Vec<_> = (0..CLIENTS).map(|client| scenario::bench(Random::new(seed).fork(client).next(), octets)).collect();
    let mut turn = 0_usize;
    loop {
        let at = turn % clients.len().max(1);
        let Some(message) = clients.get_mut(at).and_then(Iterator::next) else { return };
        turn += 1;
        let through = way.through(&message.octets).unwrap_or_default();
        if to.blocking_send(Ready { octets: Arc::new(message.octets), through }).is_err() {
            return;
        }
    }
}

/// Takes the answers as they come; those of another run belong to nobody here.
async fn listen(mut answers: Answers, run_id: String, to: mpsc::Sender<Heard>) {
    // Ends with the connection, or when nobody listens any more.
    loop {
        let answer = match answers.next(Duration::from_secs(1)).await {
            Ok(Some(answer)) => answer,
            Ok(None) => continue,
            Err(_) => return,
        };
        let at = Instant::now();
        let number = answer.correlation_id.as_deref().and_then(|id| id.strip_prefix(&run_id)?.strip_prefix('-')?.parse::<u64>().ok());
        let Some(number) = number else { continue };
        let (word, rules) = match ack::read(&answer.body) {
            Ok(ack) => {
                let code = ack.details.first().map(|d| format!(" {}", d.code)).unwrap_or_default();
                (format!("{}{code}", ack.ack_type.as_str()), ack.rules)
            }
            Err(_) => ("no acknowledgement".to_owned(), None),
        };
        if to.send((number, at, word, rules)).await.is_err() {
            return;
        }
    }
}

/// When messages arrive, from the start on.
struct Schedule {
    rate: f64,
    random: Option<Random>,
    seconds: f64,
    number: u64,
}

impl Schedule {
    fn new(command: &Load, seed: u64) -> Self {
        let random = (command.arrivals == Arrivals::Random).then(|| Random::new(seed).fork(7));
        let mut schedule = Self { rate: command.rate, random, seconds: 0.0, number: 0 };
        if schedule.random.is_some() {
            schedule.advance();
        }
        schedule
    }

    fn next(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn advance(&mut self) {
        self.number += 1;
        match &mut self.random {
            // A number above 0 and at most 1: its logarithm is finite.
            Some(random) => self.seconds -= (((random.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64).ln() / self.rate,
            None => self.seconds = self.number as f64 / self.rate,
        }
    }
}

/// What is on its way, and what was measured.
struct Tally {
    /// Planned arrival after the start, planned and actual moment, by number.
    flying: HashMap<u64, (Duration, Instant, Instant)>,
    warm_up: Duration,
    measured: Measured,
    start: Option<Instant>,
    last: Option<Instant>,
}

impl Tally {
    fn new(command: &Load, seed: u64, queue: &str) -> Self {
        let slot = Duration::from_secs(u64::from((u32::try_from(command.whole().as_secs()).unwrap_or(u32::MAX)).div_ceil(SLOTS).max(1)));
        let measured = Measured {
            latency: Histogram::default(),
            service: Histogram::default(),
            lag: Histogram::default(),
            slots: Vec::new(),
            slot,
            answers: BTreeMap::new(),
            sent: 0,
            open: 0,
            arrived_for: Duration::ZERO,
            answered_for: Duration::ZERO,
            ended: Ended::InTime,
            began: SystemClock.now(),
            seed,
            queue: queue.to_owned(),
            rules: None,
        };
        Self { flying: HashMap::new(), warm_up: command.warm_up(), measured, start: None, last: None }
    }

    fn sent(&mut self, number: u64, start: Instant, planned: Duration, now: Instant) {
        self.start = Some(start);
        let due = start + planned;
        self.flying.insert(number, (planned, due, now));
        self.measured.sent += 1;
        self.slot(planned, |slot| slot.arrived += 1);
        if planned >= self.warm_up {
            self.measured.lag.add(micros(now.saturating_duration_since(due)));
        }
    }

    fn heard(&mut self, number: u64, at: Instant, answer: String, rules: Option<String>) {
        // A second answer to the same message is known already.
        let Some((planned, due, sent)) = self.flying.remove(&number) else { return };
        *self.measured.answers.entry(answer).or_default() += 1;
        if self.measured.rules.is_none() {
            self.measured.rules = rules;
        }
        self.last = Some(at);
        let latency = micros(at.saturating_duration_since(due));
        self.slot(planned, |slot| slot.latency.add(latency));
        let since = self.start.map_or(Duration::ZERO, |start| at.saturating_duration_since(start));
        self.slot(since, |slot| slot.answered += 1);
        if planned >= self.warm_up {
            self.measured.latency.add(latency);
            self.measured.service.add(micros(at.saturating_duration_since(sent)));
        }
    }

    /// The stretch of the plots that a moment lies in; what comes after twice the plan counts with the last.
    fn slot(&mut self, at: Duration, count: impl FnOnce(&mut Slot)) {
        let number = usize::try_from(at.as_secs() / self.measured.slot.as_secs().max(1)).unwrap_or(usize::MAX).min(2 * SLOTS as usize);
        if self.measured.slots.len() <= number {
            self.measured.slots.resize_with(number + 1, Slot::default);
        }
        if let Some(slot) = self.measured.slots.get_mut(number) {
            count(slot);
        }
    }

    fn done(mut self, start: Instant) -> Measured {
        self.measured.open = self.flying.len();
        // Those that were not answered have waited so long at least: left out, they would make the figures better than the truth.
        for (_, due, sent) in self.flying.values().filter(|(planned, ..)| *planned >= self.warm_up) {
            self.measured.latency.add(micros(due.elapsed()));
            self.measured.service.add(micros(sent.elapsed()));
        }
        self.measured.answered_for = self.last.map_or(Duration::ZERO, |last| last.saturating_duration_since(start));
        self.measured
    }
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}
