//! The outbound side: one task owns a connection and a channel in confirm mode; many callers wait for their confirms at once. What happens on
//! the channel is in `desk.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::connect::{Backoff, asked, connect, lost, outage, words};
use super::desk::Desk;
use super::settings::AmqpSettings;
use crate::domain::outage::Outage;
use crate::domain::outbox::OutboxEntry;
use crate::ports::broker::{Published, Publisher};

/// How many publications wait for their turn.
const QUEUED: usize = 1024;

/// A message of the client's own: what `arkki send` and the demo put into an inbound queue.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// The queue, reached through the default exchange unless `through` says otherwise.
    pub queue: String,
    /// The exchange before the queue's partitions, and which of them.
    pub through: Option<Through>,
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

/// The way to a partition of an inbound queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    /// The exchange (`partitions::exchange`).
    pub exchange: String,
    /// The header's value (`partitions::value`).
    pub partition: String,
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

/// What a caller asks for, and where it waits.
pub(super) struct Request {
    pub(super) letter: Letter,
    pub(super) answer: oneshot::Sender<Result<Published, Outage>>,
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
                let mut desk = Desk::new(channel, settings.confirm_timeout);
                let ended = tokio::select! {
                    ended = desk.serve(&mut inbox) => ended,
                    trouble = lost(&connection) => Some(outage(trouble)),
                };
                if let Some(trouble) = &ended {
                    up.send_modify(|now| *now = Err(trouble.clone()));
                    desk.fail_all(trouble);
                }
                let closing = async {
                    if connection.status().connected() {
                        let _ = asked(connection.close(200, "OK".into())).await;
                    }
                    Ok(())
                };
                // A broker that does not answer must not keep the callers waiting.
                turning_away(&mut inbox, closing).await.and(ended)
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
