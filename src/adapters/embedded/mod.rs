//! An in-process broker that keeps the same promises as far as one process can: bounded queues by name, confirms, unroutable answers, redelivery of
//! what was dropped unsettled, a dead-letter queue. Nothing is written to disk: what is in it is gone with the process. For `make demo` and tests.

mod consumer;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::domain::outage::{Outage, Part};
use crate::domain::outbox::OutboxEntry;
use crate::ports::broker::{Published, Publisher};

pub use consumer::EmbeddedConsumer;

/// How many messages one queue holds; the demo puts in a few dozen, a bench some thousands.
const QUEUE_LENGTH: usize = 10_000;

/// A broker in this process. Clones are the same broker.
#[derive(Clone, Default)]
pub struct EmbeddedBroker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queues: Mutex<HashMap<String, VecDeque<Letter>>>,
    /// Something was put into a queue.
    arrived: Notify,
}

/// A message in a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// The AMQP `message_id`.
    pub message_id: Option<String>,
    /// The AMQP `correlation_id`.
    pub correlation_id: Option<String>,
    /// Where the answer is wished.
    pub reply_to: Option<String>,
    /// The AMQP `content_type`.
    pub content_type: Option<String>,
    /// Who sends; in one process there is nobody to verify it.
    pub user_id: Option<String>,
    /// The octets.
    pub body: Arc<Vec<u8>>,
    /// Whether it was handed over before.
    pub redelivered: bool,
}

impl EmbeddedBroker {
    /// A broker without queues.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a queue, unless it is there.
    pub fn declare(&self, queue: &str) {
        self.queues().entry(queue.to_owned()).or_default();
    }

    /// Puts a message into a queue.
    ///
    /// # Errors
    /// An outage when the queue is full.
    pub fn put(&self, queue: &str, letter: Letter) -> Result<Published, Outage> {
        let mut queues = self.queues();
        let Some(letters) = queues.get_mut(queue) else { return Ok(Published::Unroutable) };
        if letters.len() >= QUEUE_LENGTH {
            return Err(Outage::new(Part::Broker, "the embedded queue is full"));
        }
        letters.push_back(letter);
        drop(queues);
        self.shared.arrived.notify_waiters();
        Ok(Published::Routed)
    }

    /// Takes the first message of a queue, waiting for one at most this long.
    pub async fn take(&self, queue: &str, within: Duration) -> Option<Letter> {
        tokio::time::timeout(within, self.first(queue)).await.ok()
    }

    /// How many messages lie in a queue; `None` when there is no such queue.
    #[must_use]
    pub fn count(&self, queue: &str) -> Option<usize> {
        self.queues().get(queue).map(VecDeque::len)
    }

    /// The first message of a queue, as soon as there is one. Nothing is taken when the future is dropped.
    async fn first(&self, queue: &str) -> Letter {
        loop {
            let arrived = self.shared.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if let Some(letter) = self.queues().get_mut(queue).and_then(VecDeque::pop_front) {
                return letter;
            }
            arrived.await;
        }
    }

    /// Hands a message back to the head of its queue, beyond its bound if need be: it was in there before.
    fn put_back(&self, queue: &str, mut letter: Letter) {
        letter.redelivered = true;
        self.queues().entry(queue.to_owned()).or_default().push_front(letter);
        self.shared.arrived.notify_waiters();
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Letter>>> {
        self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Publisher for EmbeddedBroker {
    async fn publish(&self, entry: Arc<OutboxEntry>) -> Result<Published, Outage> {
        let letter = Letter {
            message_id: Some(entry.amqp_id.clone()),
            correlation_id: entry.correlation.clone(),
            content_type: Some(entry.content_type.clone()),
            body: Arc::new(entry.body.clone()),
            ..Letter::default()
        };
        self.put(&entry.queue, letter)
    }
}
