//! Sends what passed, each item after what it hangs on, and writes every answer down. Sending twice is safe: the octets are the same, so it is a repeat.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::check::{self, Checked};
use super::journal::{Answer, Journal, item_of, key};
use super::{Import, Work};
use crate::adapters::amqp::{AmqpClient, Outgoing, Secret};
use crate::config::checked::Config;
use crate::crypto::sha256;
use crate::domain::ack::AckType;
use crate::domain::outage::{Outage, Part};
use crate::import::plan::Item;
use crate::ports::broker::Published;
use crate::v3::ack;

/// Messages on their way without an answer: more would only fill the inbound queue.
const WINDOW: usize = 200;
/// How often an item is sent that the archive put off (AR), and how long it rests each time: an overload passes in seconds, a closed door in no time we wait.
const TRIES: u32 = 5;
const REST: Duration = Duration::from_secs(3);
/// How long answers of the run before are collected, before its items are sent again: they lie ready in the queue or not at all.
const LATE_ANSWERS: Duration = Duration::from_millis(500);

/// How a run of sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is left to send or to wait for.
    Finished,
    /// Ctrl-C: what was sent is answered or will be by the next run.
    Stopped,
    /// No answer came for as long as the patience lasts.
    Silent,
}

/// The items that can be sent now, and those that wait for one of them.
struct Queue<'a> {
    work: &'a Work,
    checked: Checked,
    ready: VecDeque<Item>,
    children: HashMap<Item, Vec<Item>>,
    tries: HashMap<Item, u32>,
    resting: VecDeque<(Instant, Item)>,
}

impl<'a> Queue<'a> {
    fn new(work: &'a Work, journal: &Journal) -> Self {
        let checked = journal.checked().unwrap_or_default();
        let mut queue = Self { work, checked, ready: VecDeque::new(), children: HashMap::new(), tries: HashMap::new(), resting: VecDeque::new() };
        let wanted = queue.wanted();
        for item in work.plan.items().filter(|item| wanted.contains(item)) {
            let is_archived = |item: Item| journal.answer(item).is_some_and(|a| a.ack == AckType::Accept.as_str());
            let is_final = journal.answer(item).is_some_and(|a| a.ack != AckType::Reject.as_str());
            match work.plan.before(item) {
                _ if is_final => {}
                Some(before) if !is_archived(before) => queue.children.entry(before).or_default().push(item),
                _ => queue.ready.push_back(item),
            }
        }
        queue
    }

    /// Documents that passed, and the cases and relations that they need.
    fn wanted(&self) -> std::collections::HashSet<Item> {
        let mut wanted = std::collections::HashSet::new();
        for at in 0..self.work.plan.documents.len() {
            let item = Item::Document(at);
            if self.checked.reason(self.work, item).is_none() {
                let case = self.work.plan.before(item);
                wanted.extend([Some(item), case, case.and_then(|case| self.work.plan.before(case))].into_iter().flatten());
            }
        }
        wanted
    }

    /// An item's fate is known: what waited for it may go, or never will; one that was put off rests and goes again.
    fn answered(&mut self, item: Item, answer: &Answer) {
        if answer.ack == AckType::Accept.as_str() {
            self.ready.extend(self.children.remove(&item).unwrap_or_default());
        } else if answer.ack == AckType::Reject.as_str() {
            let tries = self.tries.entry(item).or_default();
            *tries += 1;
            if *tries < TRIES {
                self.resting.push_back((Instant::now() + REST, item));
            }
        }
    }

    fn next(&mut self) -> Option<Item> {
        if self.resting.front().is_some_and(|(until, _)| *until <= Instant::now()) {
            return self.resting.pop_front().map(|(_, item)| item);
        }
        self.ready.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.resting.is_empty()
    }
}

/// Sends and waits until everything has its answer.
///
/// # Errors
/// What of the broker or the journal failed; the next run goes on where this one was.
pub async fn publish(command: &Import, config: &Config, work: &Work, folder: &Path, journal: &mut Journal, json: bool) -> Result<Ended, Outage> {
    let client = AmqpClient::connect(&Secret::new(config.broker_url.reveal()), "arkki import").await?;
    let user = client.user();
    let reply = command.reply.clone().unwrap_or_else(|| format!("arkki.reply.{user}.import"));
    client.declare_reply_queue(&reply).await?;
    let to = command.queue.clone().or_else(|| config.inbound.first().map(|q| q.queue.clone())).unwrap_or_default();
    let mut answers = client.answers(&reply).await?;
    // Answers to what the run before sent: they came while nobody looked.
    while let Some(answer) = answers.next(LATE_ANSWERS).await? {
        take(work, journal, &answer)?;
    }
    let mut queue = Queue::new(work, journal);
    let bar = super::super::send::bar(work.plan.items().count(), json);
    bar.set_position(work.plan.items().filter(|item| journal.answer(*item).is_some()).count() as u64);
    let stop = stop_flag();
    let pace = Duration::from_secs(1) / command.rate.max(1);
    let patience = Duration::from_secs(command.timeout);
    let (mut due, mut heard) = (Instant::now(), Instant::now());
    let mut in_flight = 0_usize;
    // Ends when nothing is left, at a stop, or when the patience is up: each turn sends one, takes one answer or waits a bounded time.
    let ended = loop {
        let stopped = stop.load(Ordering::Relaxed);
        if in_flight == 0 && (stopped || queue.is_empty()) {
            break if stopped { Ended::Stopped } else { Ended::Finished };
        }
        if in_flight > 0 && heard.elapsed() > patience {
            break Ended::Silent;
        }
        let now = Instant::now();
        if !stopped
            && in_flight < WINDOW
            && now >= due
            && let Some(item) = queue.next()
        {
            if let Some(message) = message(work, folder, journal, item, &to, &reply, &user)? {
                if client.send(message).await? == Published::Unroutable {
                    return Err(Outage::new(Part::Broker, format!("there is no queue {to}: run `arkki topology apply`")));
                }
                in_flight += 1;
                heard = heard.max(now);
            } else {
                bar.inc(1);
            }
            due = due.max(now.checked_sub(pace).unwrap_or(now)) + pace;
            continue;
        }
        let wait = if in_flight < WINDOW && !queue.ready.is_empty() { due.saturating_duration_since(now) } else { LATE_ANSWERS };
        if let Some(answer) = answers.next(wait.max(Duration::from_millis(1))).await?
            && let Some((item, answer)) = take(work, journal, &answer)?
        {
            heard = Instant::now();
            in_flight = in_flight.saturating_sub(1);
            bar.inc(1);
            queue.answered(item, &answer);
        }
    };
    bar.finish_and_clear();
    client.close().await;
    Ok(ended)
}

/// An item as a message; `None` when its file cannot be read (written down as refused by us) or is no longer what was sent.
fn message(work: &Work, folder: &Path, journal: &mut Journal, item: Item, to: &str, reply: &str, user: &str) -> Result<Option<Outgoing>, Outage> {
    let file = match check::file_of(work, folder, item) {
        Ok(file) => file,
        Err(reason) => return refused(journal, item, reason.code, reason.text).map(|()| None),
    };
    let Some(body) = work.composer().octets(&work.plan, item, &file) else { return Ok(None) };
    let digest = sha256(&body).to_hex();
    if journal.sent(item).is_some_and(|before| before != digest) {
        // What was sent may be archived yet: it stays open until its answer comes, or its file is put back.
        return Ok(None);
    }
    // Written before it is sent: a row that may lie in the archive is never taken for one that was not.
    journal.note_sent(item, digest).map_err(|e| disk(&e))?;
    Ok(Some(Outgoing {
        queue: to.to_owned(),
        through: None,
        message_id: Some(format!("import-{}-{}", work.head.import, key(item))),
        correlation_id: None,
        reply_to: Some(reply.to_owned()),
        content_type: Some("application/xml".into()),
        user_id: Some(user.to_owned()),
        body: Arc::new(body),
    }))
}

fn refused(journal: &mut Journal, item: Item, code: String, text: String) -> Result<(), Outage> {
    journal.note_answer(item, Answer { ack: AckType::Error.as_str().to_owned(), code, text, position: None }).map_err(|e| disk(&e))
}

/// Writes an answer down; `None` for one that is no answer to this import, and for a copy of one that is known.
fn take(work: &Work, journal: &mut Journal, answer: &crate::adapters::amqp::Answer) -> Result<Option<(Item, Answer)>, Outage> {
    let prefix = format!("import-{}-", work.head.import);
    let item = answer.correlation_id.as_deref().and_then(|id| id.strip_prefix(&prefix)).and_then(item_of);
    let (Some(item), Ok(read)) = (item, ack::read(&answer.body)) else { return Ok(None) };
    if journal.answer(item).is_some_and(|known| known.ack != AckType::Reject.as_str()) {
        return Ok(None);
    }
    let first = read.details.first();
    let accepted = read.ack_type == AckType::Accept;
    let answer = Answer {
        ack: read.ack_type.as_str().to_owned(),
        code: first.filter(|_| !accepted).map(|d| d.code.clone()).unwrap_or_default(),
        text: first.filter(|_| !accepted).map(|d| d.text.clone()).unwrap_or_default(),
        position: read.position,
    };
    journal.note_answer(item, answer.clone()).map_err(|e| disk(&e))?;
    Ok(Some((item, answer)))
}

fn disk(e: &std::io::Error) -> Outage {
    Outage::new(Part::Machine, format!("the journal cannot be written: {e}"))
}

/// Raised by Ctrl-C: no more is sent, what was sent is awaited.
fn stop_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let _task = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            raised.store(true, Ordering::Relaxed);
        }
    });
    flag
}
