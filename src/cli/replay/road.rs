//! The run: files read when their turn comes, sent at the rate, their answers taken as they come.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::wanted::Wanted;
use super::{Fate, Item, Replay};
use crate::adapters::amqp::{AmqpClient, Answer, Outgoing, Secret};
use crate::adapters::clock::SystemClock;
use crate::cli::report::Report;
use crate::cli::send::{self, Way};
use crate::cli::stop::Stop;
use crate::cli::validate::read_message;
use crate::config::checked::Config;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::ports::broker::Published;
use crate::ports::clock::Clock as _;
use crate::v3::ack;

/// How many messages may be on their way without an answer: more would only fill the inbound queue.
const WINDOW: usize = 200;
/// How long at most between two looks at what else is to be done.
const LOOK: Duration = Duration::from_millis(100);

/// What is known of the run as a whole.
pub struct Ran {
    /// When it began.
    pub began: Moment,
    /// How long it took.
    pub took: Duration,
    /// Ctrl-C ended it.
    pub stopped: bool,
    /// The rule set that the answers name, where they agree.
    pub rules: Option<String>,
    /// The queue that was sent to.
    pub queue: String,
}

struct Run<'a> {
    items: &'a mut [Item],
    waiting: HashMap<String, (usize, Instant)>,
    /// Sent, and owed no answer: one that comes all the same is wrong.
    silent: HashMap<String, (usize, Instant)>,
    rules: Option<String>,
    other: usize,
    done: usize,
}

/// Sends and waits until everything has its answer, or no answer came for as long as the patience lasts.
///
/// # Errors
/// What of the broker failed; a report where the way to the queue is not there.
pub async fn carry(command: &Replay, config: &Config, items: &mut [Item], json: bool) -> Result<Result<Ran, Report>, Outage> {
    let way = match Way::of(command.queue.as_deref(), config) {
        Ok(way) => way,
        Err(report) => return Ok(Err(report)),
    };
    let client = AmqpClient::connect(&Secret::new(config.broker_url.reveal()), "arkki replay").await?;
    let user = client.user();
    let reply = command.reply.clone().unwrap_or_else(|| format!("arkki.reply.{user}.replay"));
    client.declare_reply_queue(&reply).await?;
    let mut answers = client.answers(&reply).await?;
    let run_id = send::run_id()?;
    let progress = bar(items.len(), json);
    let (began, started) = (SystemClock.now(), Instant::now());
    let stop = Stop::listen();
    let pace = command.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
    let patience = Duration::from_secs(command.timeout);
    let mut run = Run { items, waiting: HashMap::new(), silent: HashMap::new(), rules: None, other: 0, done: 0 };
    let (mut next, mut due, mut heard) = (0, started, started);
    // Ends when nothing is left, at a stop, or when the patience is up: each turn sends one, takes one answer or waits a bounded time.
    loop {
        let stopped = stop.is_asked();
        let left = next < run.items.len() && !stopped;
        if (run.waiting.is_empty() && !left) || stop.at_once() {
            break;
        }
        if !run.waiting.is_empty() && heard.elapsed() > patience {
            if stopped {
                break;
            }
            // What this folder left open stays open; the next one has its chance.
            run.waiting.clear();
            heard = Instant::now();
            continue;
        }
        let now = Instant::now();
        if left && run.may_send(next) && now >= due {
            if let Some(body) = run.read(next, config.message_octets) {
                let id = format!("{run_id}-{next}");
                let outgoing = Outgoing {
                    queue: way.queue().to_owned(),
                    through: way.through(&body)?,
                    message_id: Some(id.clone()),
                    correlation_id: None,
                    reply_to: Some(reply.clone()),
                    content_type: Some("application/xml".into()),
                    user_id: Some(user.clone()),
                    body: Arc::new(body),
                };
                run.sent(next, id, now);
                if client.send(outgoing).await? == Published::Unroutable {
                    return Ok(Err(Report::blind(format!("there is no queue {}: run `arkki topology apply`", way.queue()))));
                }
                if run.waiting.len() == 1 {
                    heard = now;
                }
                // Time that was lost is not made up for: the rate is never exceeded.
                due = due.max(now.checked_sub(pace).unwrap_or(now)) + pace;
            }
            next += 1;
            progress.set_position(run.done as u64);
            continue;
        }
        let wait = if left && run.may_send(next) { due.saturating_duration_since(now).min(LOOK) } else { LOOK };
        if let Some(answer) = answers.next(wait.max(Duration::from_millis(1))).await?
            && run.take(&answer)
        {
            heard = Instant::now();
            progress.set_position(run.done as u64);
            progress.set_message(if run.other == 0 { String::new() } else { format!("{} not as expected", run.other) });
        }
    }
    // One that is owed no answer and gets one all the same gets it by now, or the next run sees it.
    while !run.silent.is_empty()
        && let Some(answer) = answers.next(LOOK).await?
    {
        run.take(&answer);
    }
    progress.finish_and_clear();
    client.close().await;
    let stopped = stop.is_asked();
    let rules = run.rules.take();
    Ok(Ok(Ran { began, took: started.elapsed(), stopped, rules, queue: way.queue().to_owned() }))
}

impl Run<'_> {
    /// Whether there is room, and the folder before is answered.
    fn may_send(&self, next: usize) -> bool {
        let step = |at: usize| self.items.get(at).map(|item| item.step);
        self.waiting.len() < WINDOW && (self.waiting.is_empty() || next.checked_sub(1).is_none_or(|before| step(before) == step(next)))
    }

    fn read(&mut self, at: usize, most: usize) -> Option<Vec<u8>> {
        let item = self.items.get_mut(at)?;
        match octets(&item.path, most) {
            Ok(body) => Some(body),
            Err(why) => {
                item.fate = Fate::Unreadable(why);
                self.done += 1;
                self.other += 1;
                None
            }
        }
    }

    fn sent(&mut self, at: usize, id: String, now: Instant) {
        let Some(item) = self.items.get_mut(at) else { return };
        item.fate = Fate::Unanswered;
        if matches!(item.wanted, Ok(Wanted::Silence)) {
            self.silent.insert(id, (at, now));
            self.done += 1;
        } else {
            self.waiting.insert(id, (at, now));
        }
    }

    /// Whether it was an answer to one of ours.
    fn take(&mut self, answer: &Answer) -> bool {
        // Answers of an earlier run may lie in the same queue: they belong to nobody here.
        let Some(id) = answer.correlation_id.as_ref() else { return false };
        let waited = self.waiting.remove(id);
        self.done += usize::from(waited.is_some());
        let Some((at, sent)) = waited.or_else(|| self.silent.remove(id)) else { return false };
        let Some(item) = self.items.get_mut(at) else { return false };
        let seconds = sent.elapsed().as_secs_f64();
        item.fate = match ack::read(&answer.body) {
            Ok(ack) => {
                if self.rules.is_none() {
                    self.rules.clone_from(&ack.rules);
                }
                Fate::Answered(Box::new(ack), seconds)
            }
            Err(_) => Fate::Strange(seconds),
        };
        self.other += usize::from(!item.difference().is_empty());
        true
    }
}

/// A file's octets. What is no file is not opened: a pipe would never end.
fn octets(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let metadata = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    let body = read_message(path, most).map_err(|e| e.to_string())?;
    // The gateway would refuse it for its size; a broker may not even take it.
    if body.len() > most { Err(format!("it is larger than a message may be, {most} octets")) } else { Ok(body) }
}

fn bar(count: usize, quiet: bool) -> ProgressBar {
    let bar = send::bar(count, quiet);
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A bar that cannot be written is merely not seen.
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    match ProgressStyle::with_template("{bar:40} {pos}/{len}  {rate}  {eta}  {msg}") {
        Ok(style) => bar.with_style(style.with_key("rate", rate)),
        Err(_) => bar,
    }
}
