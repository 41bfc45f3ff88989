//! The outbound side: one task owns a connection and a channel in confirm mode; many callers wait for their confirms at once.
//!
//! A message counts as routed only when the broker confirmed it and did not return it. lapin 4.12 hangs a returned message on whatever confirm
//! it resolves next, which need not be its own; so the returned message's own `message_id` decides, and no confirm is believed before every
//! other confirm that could carry a return has been looked at (the broker sends the return first, always).

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{ShortString, ShortStringError};
use lapin::{BasicProperties, Channel, Confirmation, Connection, PublisherConfirm};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::connect::{Backoff, asked, connect, lost, outage, words};
use super::settings::AmqpSettings;
use crate::domain::outage::Outage;
use crate::domain::outbox::OutboxEntry;
use crate::ports::broker::{Published, Publisher};

/// How many publications wait for their confirm at once; more wait in `publish`. A broker confirms hundreds in one write to disk.
const IN_FLIGHT: usize = 1024;
/// How many publications wait for their turn.
const QUEUED: usize = 1024;
/// Persistent: written to disk before it is confirmed.
const PERSISTENT: u8 = 2;

/// A message of the client's own: what `arkki send` and the demo put into an inbound queue.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// The queue, reached through the default exchange.
    pub queue: String,
    /// The AMQP `message_id`; a test may leave it out.
    pub message_id: Option<String>,
    /// The AMQP `correlation_id`.
    pub correlation_id: Option<String>,
    /// Where the answer is wished.
    pub reply_to: Option<String>,
    /// The AMQP `content_type`.
    pub content_type: Option<String>,
    /// The connection's own user; the broker refuses any other and closes the channel.
    pub user_id: Option<String>,
    /// The octets.
    pub body: Arc<Vec<u8>>,
}

/// What is published.
pub(super) enum Letter {
    Answer(Arc<OutboxEntry>),
    Own(Outgoing),
}

/// Publishes through the default exchange of one RabbitMQ. Made inside a runtime; connects by itself and again when it must.
///
/// While there is no connection every call fails at once: the caller waits and tries again.
pub struct AmqpPublisher {
    requests: mpsc::Sender<Request>,
    up: watch::Receiver<Up>,
    start_timeout: Duration,
    task: JoinHandle<()>,
}

/// Whether the connection stands, else what was last seen to be wrong.
type Up = Result<(), Outage>;

struct Request {
    letter: Letter,
    answer: oneshot::Sender<Result<Published, Outage>>,
}

impl AmqpPublisher {
    /// Starts the publisher's task.
    #[must_use]
    pub fn new(settings: Arc<AmqpSettings>) -> Self {
        let (requests, inbox) = mpsc::channel(QUEUED);
        let (standing, up) = watch::channel(Err(outage("not connected yet")));
        let start_timeout = settings.start_timeout;
        let task = tokio::spawn(supervise(settings, inbox, standing));
        Self { requests, up, start_timeout, task }
    }

    pub(super) async fn put(&self, letter: Letter) -> Result<Published, Outage> {
        let (answer, answered) = oneshot::channel();
        let gone = || outage("the publisher has stopped");
        self.requests.send(Request { letter, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Whether the connection stands.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.borrow().is_ok()
    }

    /// Waits for the first connection.
    ///
    /// # Errors
    /// What was last seen to be wrong, when it does not stand in the configured time.
    pub async fn await_up(&self) -> Result<(), Outage> {
        let mut up = self.up.clone();
        let waited = tokio::time::timeout(self.start_timeout, up.wait_for(Result::is_ok)).await.is_ok_and(|stands| stands.is_ok());
        if waited { Ok(()) } else { self.up.borrow().clone() }
    }
}

impl Drop for AmqpPublisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Publisher for AmqpPublisher {
    async fn publish(&self, entry: Arc<OutboxEntry>) -> Result<Published, Outage> {
        self.put(Letter::Answer(entry)).await
    }
}

/// Connects and publishes; on any failure answers everybody, drops all and begins again after a pause. Ends when the publisher is dropped.
async fn supervise(settings: Arc<AmqpSettings>, mut inbox: mpsc::Receiver<Request>, up: watch::Sender<Up>) {
    let mut backoff = Backoff::new(settings.backoff);
    loop {
        let since = Instant::now();
        let trouble = match turning_away(&mut inbox, open(&settings)).await {
            Some(Ok((connection, channel))) => {
                up.send_modify(|now| *now = Ok(()));
                let mut desk = Desk { settings: &settings, channel, flying: VecDeque::new(), returned: HashMap::new() };
                let ended = tokio::select! {
                    ended = desk.serve(&mut inbox) => ended,
                    trouble = lost(&connection) => Some(outage(trouble)),
                };
                if let Some(trouble) = &ended {
                    up.send_modify(|now| *now = Err(trouble.clone()));
                    desk.fail_all(trouble);
                }
                if connection.status().connected() {
                    let _ = asked(connection.close(200, "OK".into())).await;
                }
                ended
            }
            Some(Err(outage)) => Some(outage),
            None => None,
        };
        let Some(trouble) = trouble else { return };
        up.send_modify(|now| *now = Err(trouble));
        if since.elapsed() > settings.backoff.1 {
            backoff.reset();
        }
        let pause = tokio::time::sleep(backoff.pause());
        let paused = async {
            pause.await;
            Ok(())
        };
        if turning_away(&mut inbox, paused).await.is_none() {
            return;
        }
    }
}

async fn open(settings: &AmqpSettings) -> Result<(Connection, Channel), Outage> {
    let connection = connect(settings, "out").await?;
    let channel = asked(connection.create_channel()).await.map_err(|e| outage(words(&e)))?;
    asked(channel.confirm_select(ConfirmSelectOptions { nowait: false })).await.map_err(|e| outage(words(&e)))?;
    Ok((connection, channel))
}

/// Does `work` and meanwhile tells every caller that there is no connection; `None` when there will be no more callers.
async fn turning_away<T>(inbox: &mut mpsc::Receiver<Request>, work: impl Future<Output = Result<T, Outage>>) -> Option<Result<T, Outage>> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            request = inbox.recv() => {
                let _ = request?.answer.send(Err(outage("no connection to publish on")));
            }
        }
    }
}

/// One channel's publications.
struct Desk<'a> {
    settings: &'a AmqpSettings,
    channel: Channel,
    /// Not yet confirmed, in the order of publication; at most `IN_FLIGHT`.
    flying: VecDeque<Flight>,
    /// Message ids that came back, and how often, whose confirm has not been believed yet.
    returned: HashMap<ShortString, u32>,
}

struct Flight {
    request: Request,
    since: Instant,
    state: State,
}

enum State {
    Waiting(PublisherConfirm),
    Acked,
    Nacked,
    Failed(String),
}

impl Desk<'_> {
    /// `None` when there will be no more callers, else what ended the channel.
    async fn serve(&mut self, inbox: &mut mpsc::Receiver<Request>) -> Option<Outage> {
        let mut batch = Vec::with_capacity(64);
        loop {
            let late = self.flying.front().map(|f| f.since + self.settings.confirm_timeout);
            let room = IN_FLIGHT.saturating_sub(self.flying.len());
            tokio::select! {
                biased;
                () = poll_fn(|cx| self.sweep(cx)), if !self.flying.is_empty() => {
                    if let Some(trouble) = self.believe() {
                        return Some(outage(trouble));
                    }
                }
                count = inbox.recv_many(&mut batch, room.min(64)), if room > 0 => {
                    if count == 0 && self.flying.is_empty() {
                        return None;
                    }
                    for request in batch.drain(..) {
                        if let Err(trouble) = self.publish(request).await {
                            return Some(trouble);
                        }
                    }
                }
                () = until(late) => return Some(outage(format!("no confirm within {} s", self.settings.confirm_timeout.as_secs_f32()))),
            }
        }
    }

    /// Sends one off. A name that AMQP cannot carry is this entry's trouble alone.
    async fn publish(&mut self, request: Request) -> Result<(), Outage> {
        let Ok((queue, properties)) = request.letter.address() else {
            let _ = request.answer.send(Err(outage("a property of the answer is longer than AMQP can carry")));
            return Ok(());
        };
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        match asked(self.channel.basic_publish("".into(), queue, options, request.letter.body(), properties)).await {
            Ok(confirm) => {
                self.flying.push_back(Flight { request, since: Instant::now(), state: State::Waiting(confirm) });
                Ok(())
            }
            Err(error) => {
                let trouble = outage(words(&error));
                let _ = request.answer.send(Err(trouble.clone()));
                Err(trouble)
            }
        }
    }

    /// Looks at every confirm, again and again until none is new: whatever was resolved before one that we have seen has then been seen too.
    fn sweep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut any = false;
        loop {
            let mut new = false;
            for flight in &mut self.flying {
                let State::Waiting(confirm) = &mut flight.state else { continue };
                let Poll::Ready(outcome) = Pin::new(confirm).poll(cx) else { continue };
                new = true;
                let (state, returned) = match outcome {
                    Ok(Confirmation::Ack(returned)) => (State::Acked, returned),
                    Ok(Confirmation::Nack(returned)) => (State::Nacked, returned),
                    Ok(Confirmation::NotRequested) => (State::Failed("the channel does not confirm".into()), None),
                    Err(error) => (State::Failed(words(&error)), None),
                };
                flight.state = state;
                if let Some(id) = returned.map(|r| r.delivery.properties.message_id().clone().unwrap_or_default()) {
                    *self.returned.entry(id).or_default() += 1;
                }
            }
            any |= new;
            if !new {
                return if any { Poll::Ready(()) } else { Poll::Pending };
            }
        }
    }

    /// Answers every caller whose confirm was seen; what failed ends the channel.
    fn believe(&mut self) -> Option<String> {
        let mut trouble = None;
        let mut left = VecDeque::with_capacity(self.flying.len());
        for flight in self.flying.drain(..) {
            let result = match flight.state {
                State::Waiting(_) => {
                    left.push_back(flight);
                    continue;
                }
                State::Acked if self.returned.is_empty() => Ok(Published::Routed),
                State::Acked => Ok(if came_back(&mut self.returned, flight.request.letter.id()) { Published::Unroutable } else { Published::Routed }),
                State::Nacked => {
                    came_back(&mut self.returned, flight.request.letter.id());
                    Err(outage("the broker did not take the answer (nack)"))
                }
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

    fn fail_all(&mut self, trouble: &Outage) {
        for flight in self.flying.drain(..) {
            let _ = flight.request.answer.send(Err(trouble.clone()));
        }
    }
}

fn came_back(returned: &mut HashMap<ShortString, u32>, id: &str) -> bool {
    let Some(count) = returned.get_mut(id) else { return false };
    *count -= 1;
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

    /// The queue, and what goes beside the octets: ids, addresses and the content type, nothing of the document, no header.
    fn address(&self) -> Result<(ShortString, BasicProperties), ShortStringError> {
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
        Ok((ShortString::try_new(queue.as_str())?, properties))
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
