//! One channel's publications: sent in order, confirmed in any order, each caller told its own fate.
//!
//! A message counts as routed only when the broker confirmed it *and* did not return it. The broker sends a return before the confirm of the same
//! message, and returns in the order of publication; but lapin 4.12 hangs a return on whichever confirm it resolves next, and resolves the
//! confirms of one `multiple` in no order. Seen here: routed messages bear the return of others, and the unroutable ones look routed. So
//!
//! * the returned message's own `message_id` says which one came back, wherever it hung;
//! * no confirm is believed before all others that were resolved earlier have been looked at;
//! * a confirm that bears the return of an *earlier* message may have its own return still waiting behind it: it is believed only after a
//!   barrier, an empty message sent later, was confirmed and bore no return.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString, ShortStringError};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::sync::mpsc;

use super::connect::{asked, outage, words};
use super::partitions;
use super::publisher::{Letter, Outgoing, Request};
use crate::domain::outage::Outage;
use crate::domain::trace::TRACEPARENT;
use crate::ports::broker::Published;

/// How many publications wait for their confirm at once; more wait in `publish`. A broker confirms hundreds in one write to disk.
const IN_FLIGHT: usize = 1024;
/// How many publications are taken in at one go before the confirms get their turn.
const AT_ONE_GO: usize = 64;
/// How many octets are written before somebody looks at the time: a slow line carries these well within [`ANSWER`](super::settings::ANSWER).
const WRITTEN_OCTETS: usize = 8 * 1024 * 1024;
/// Persistent: written to disk before it is confirmed.
const PERSISTENT: u8 = 2;

/// One channel in confirm mode.
pub(super) struct Desk {
    channel: Channel,
    confirm_timeout: Duration,
    /// Not yet answered, in the order of publication; at most `IN_FLIGHT`.
    flying: VecDeque<Flight>,
    /// Message ids that came back, and how often, whose confirm has not been believed yet.
    returned: HashMap<ShortString, u32>,
    /// A barrier on its way.
    barrier: Option<PublisherConfirm>,
}

struct Flight {
    request: Request,
    since: Instant,
    state: State,
}

enum State {
    Waiting(PublisherConfirm),
    Acked,
    /// Acked, but its own return may still come to light; `true` once a barrier was sent after it was seen.
    Doubtful(bool),
    Nacked,
    Failed(String),
}

impl Desk {
    pub(super) fn new(channel: Channel, confirm_timeout: Duration) -> Self {
        Self { channel, confirm_timeout, flying: VecDeque::new(), returned: HashMap::new(), barrier: None }
    }

    /// `None` when there will be no more callers, else what ended the channel.
    pub(super) async fn serve(&mut self, inbox: &mut mpsc::Receiver<Request>) -> Option<Outage> {
        let mut batch = Vec::with_capacity(AT_ONE_GO);
        loop {
            let late = self.flying.front().map(|f| f.since + self.confirm_timeout);
            let room = IN_FLIGHT.saturating_sub(self.flying.len());
            tokio::select! {
                biased;
                () = poll_fn(|cx| self.sweep(cx)), if !self.flying.is_empty() => {
                    if let Some(trouble) = self.believe() {
                        return Some(outage(trouble));
                    }
                    if let Err(trouble) = self.dispel_doubts().await {
                        return Some(trouble);
                    }
                }
                count = inbox.recv_many(&mut batch, room.min(AT_ONE_GO)), if room > 0 => {
                    if count == 0 {
                        return None;
                    }
                    if let Err(trouble) = self.publish(&mut batch).await {
                        return Some(trouble);
                    }
                }
                () = until(late) => return Some(outage(format!("no confirm within {} s", self.confirm_timeout.as_secs_f32()))),
            }
        }
    }

    /// Everybody who waits is told of the trouble.
    pub(super) fn fail_all(&mut self, trouble: &Outage) {
        for flight in self.flying.drain(..) {
            let _ = flight.request.answer.send(Err(trouble.clone()));
        }
    }

    /// Sends some off, in their order, as many octets at a time as the broker answers for in time.
    async fn publish(&mut self, batch: &mut Vec<Request>) -> Result<(), Outage> {
        // Ends with the batch, of which each turn takes one at least.
        while !batch.is_empty() {
            let (mut octets, mut fitting) = (0, 0);
            for request in batch.iter() {
                if octets >= WRITTEN_OCTETS {
                    break;
                }
                octets += request.letter.body().len();
                fitting += 1;
            }
            let some = batch.drain(..fitting).collect();
            self.write(some).await?;
        }
        Ok(())
    }

    /// Sends these off. lapin says of each when its octets are written: begun together, one write takes them all. When this returns
    /// every one that went is among the flying, so that no confirm is looked at before those it may have to be compared with.
    /// A name that AMQP cannot carry is its entry's trouble alone.
    async fn write(&mut self, some: Vec<Request>) -> Result<(), Outage> {
        let Self { channel, flying, .. } = self;
        let channel = &*channel;
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let mut going = FuturesOrdered::new();
        for request in some {
            let Ok((exchange, queue, properties)) = request.letter.address() else {
                let _ = request.answer.send(Err(outage("a property of the answer is longer than AMQP can carry")));
                continue;
            };
            going.push_back(async move {
                let sent = channel.basic_publish(exchange, queue, options, request.letter.body(), properties).await;
                (request, sent)
            });
        }
        let mut trouble = None;
        let all = async {
            while let Some((request, sent)) = going.next().await {
                match sent {
                    Ok(confirm) => flying.push_back(Flight { request, since: Instant::now(), state: State::Waiting(confirm) }),
                    Err(error) => {
                        let error = outage(words(&error));
                        let _ = request.answer.send(Err(error.clone()));
                        trouble.get_or_insert(error);
                    }
                }
            }
            Ok(())
        };
        asked(all).await.map_err(|error| outage(words(&error)))?;
        trouble.map_or(Ok(()), Err)
    }

    /// Looks at every confirm, again and again until none is new: whatever was resolved before one that we have seen has then been seen too.
    fn sweep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut any = false;
        loop {
            let mut new = false;
            for at in 0..self.flying.len() {
                let Some(Flight { state: State::Waiting(confirm), .. }) = self.flying.get_mut(at) else { continue };
                let Poll::Ready(outcome) = Pin::new(confirm).poll(cx) else { continue };
                new = true;
                let (state, returned) = seen(outcome);
                let doubtful = returned.as_ref().is_some_and(|id| !self.is_own_or_later(at, id));
                if let Some(flight) = self.flying.get_mut(at) {
                    flight.state = if doubtful && matches!(state, State::Acked) { State::Doubtful(false) } else { state };
                }
                self.came(returned);
            }
            if let Some(Poll::Ready(outcome)) = self.barrier.as_mut().map(|barrier| Pin::new(barrier).poll(cx)) {
                new = true;
                self.barrier = None;
                let (state, returned) = seen(outcome);
                let proof = matches!(state, State::Acked) && returned.is_none();
                for flight in &mut self.flying {
                    if let State::Doubtful(covered @ true) = &mut flight.state {
                        // A barrier that bears a return proves nothing: the next one may.
                        *covered = false;
                        if proof {
                            flight.state = State::Acked;
                        }
                    }
                }
                self.came(returned);
            }
            any |= new;
            if !new {
                return if any { Poll::Ready(()) } else { Poll::Pending };
            }
        }
    }

    /// Whether the message with this id is the one at `at`, or was published after it: then all returns of `at` have come to light.
    fn is_own_or_later(&self, at: usize, id: &ShortString) -> bool {
        self.flying.iter().position(|f| f.request.letter.id() == id.as_str()).is_some_and(|place| place >= at)
    }

    fn came(&mut self, returned: Option<ShortString>) {
        if let Some(id) = returned {
            *self.returned.entry(id).or_default() += 1;
        }
    }

    /// Answers every caller whose fate is certain; what failed ends the channel.
    fn believe(&mut self) -> Option<String> {
        let mut trouble = None;
        let mut left = VecDeque::with_capacity(self.flying.len());
        for flight in self.flying.drain(..) {
            let came_back = !matches!(flight.state, State::Waiting(_)) && came_back(&mut self.returned, flight.request.letter.id());
            let result = match flight.state {
                State::Acked | State::Doubtful(_) if came_back => Ok(Published::Unroutable),
                State::Waiting(_) | State::Doubtful(_) => {
                    left.push_back(flight);
                    continue;
                }
                State::Acked => Ok(Published::Routed),
                State::Nacked => Err(outage("the broker did not take the answer (nack)")),
                State::Failed(ref what) => {
                    trouble.get_or_insert_with(|| what.clone());
                    Err(outage(what.clone()))
                }
            };
            let _ = flight.request.answer.send(result);
        }
        self.flying = left;
        trouble
    }

    /// Sends a barrier when there is a doubt and none is on its way: to the queue without a name, which no broker has.
    async fn dispel_doubts(&mut self) -> Result<(), Outage> {
        if self.barrier.is_some() || !self.flying.iter().any(|f| matches!(f.state, State::Doubtful(_))) {
            return Ok(());
        }
        let options = BasicPublishOptions { mandatory: false, immediate: false };
        let sent = asked(self.channel.basic_publish("".into(), "".into(), options, b"", BasicProperties::default())).await;
        self.barrier = Some(sent.map_err(|e| outage(words(&e)))?);
        for flight in &mut self.flying {
            if let State::Doubtful(covered) = &mut flight.state {
                *covered = true;
            }
        }
        Ok(())
    }
}

/// A confirm's outcome, and the id of the returned message that hung on it.
fn seen(outcome: lapin::Result<Confirmation>) -> (State, Option<ShortString>) {
    let (state, returned) = match outcome {
        Ok(Confirmation::Ack(returned)) => (State::Acked, returned),
        Ok(Confirmation::Nack(returned)) => (State::Nacked, returned),
        Ok(Confirmation::NotRequested) => (State::Failed("the channel does not confirm".into()), None),
        Err(error) => (State::Failed(words(&error)), None),
    };
    (state, returned.map(|r| r.delivery.properties.message_id().clone().unwrap_or_default()))
}

fn came_back(returned: &mut HashMap<ShortString, u32>, id: &str) -> bool {
    let Some(count) = returned.get_mut(id) else { return false };
    *count = count.saturating_sub(1);
    if *count == 0 {
        returned.remove(id);
    }
    true
}

impl Letter {
    fn id(&self) -> &str {
        match self {
            Self::Answer(entry) => &entry.amqp_id,
            Self::Own(own) => own.message_id.as_deref().unwrap_or_default(),
        }
    }

    fn body(&self) -> &[u8] {
        match self {
            Self::Answer(entry) => &entry.body,
            Self::Own(own) => &own.body,
        }
    }

    /// Exchange and queue, and what goes beside the octets: ids, addresses and the content type, nothing of the document; the only headers are a sender's own,
    /// which says the partition, and an answer's trace.
    fn address(&self) -> Result<(ShortString, ShortString, BasicProperties), ShortStringError> {
        let (queue, named) = match self {
            Self::Answer(e) => (&e.queue, [Some(&e.amqp_id), e.correlation.as_ref(), Some(&e.content_type), None, None]),
            Self::Own(o) => {
                let own = [&o.message_id, &o.correlation_id, &o.content_type, &o.reply_to, &o.user_id];
                (&o.queue, own.map(Option::as_ref))
            }
        };
        let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let set = [
            BasicProperties::with_message_id,
            BasicProperties::with_correlation_id,
            BasicProperties::with_content_type,
            BasicProperties::with_reply_to,
            BasicProperties::with_user_id,
        ];
        for (set, value) in set.into_iter().zip(named) {
            if let Some(value) = value {
                properties = set(properties, ShortString::try_new(value.as_str())?);
            }
        }
        let mut exchange = ShortString::default();
        if let Self::Own(Outgoing { through: Some(through), .. }) = self {
            exchange = ShortString::try_new(through.exchange.as_str())?;
            let mut headers = FieldTable::default();
            headers.insert(partitions::HEADER.into(), AMQPValue::LongString(through.partition.as_str().into()));
            properties = properties.with_headers(headers);
        }
        if let Self::Answer(entry) = self
            && let Some(leaving) = &entry.trace
        {
            let mut headers = FieldTable::default();
            headers.insert(TRACEPARENT.into(), AMQPValue::LongString(leaving.context.header().into()));
            properties = properties.with_headers(headers);
        }
        Ok((exchange, ShortString::try_new(queue.as_str())?, properties))
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
