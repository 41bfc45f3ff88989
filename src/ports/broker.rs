//! The road in and the road out, as the pipeline sees them. RabbitMQ and the demo's in-process broker keep the same promises.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::domain::message::Envelope;
use crate::domain::outage::Outage;
use crate::domain::outbox::OutboxEntry;
use crate::domain::trace::TraceContext;

/// A message handed over and not yet settled. Dropping it unsettled leaves it to the broker, which will hand it over again.
pub struct Delivery {
    /// The message.
    pub envelope: Envelope,
    /// Whether the broker says it was handed over before.
    pub redelivered: bool,
    /// The trace that it came with.
    pub trace: Option<TraceContext>,
    /// Settles it.
    pub settle: Box<dyn Settle>,
}

/// How a delivery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Done: the broker may forget it.
    Done,
    /// Quarantined: refused for good without a reply address; the broker moves it to the dead-letter queue.
    DeadLetter,
}

/// Settles one delivery, once. Never fails: when the connection is gone the broker hands the message over again, and the archive knows it.
pub trait Settle: Send + Sync {
    /// Settles.
    fn settle(self: Box<Self>, how: Settlement);
}

/// The inbound side.
#[async_trait]
pub trait Consumer: Send + Sync {
    /// Starts consuming every inbound queue into `deliveries`; returns when the first connection stands. The adapter rebuilds connection and channels by itself.
    ///
    /// # Errors
    /// An outage when the first connection cannot be made in the configured time.
    async fn start(&self, deliveries: mpsc::Sender<Delivery>) -> Result<(), Outage>;

    /// Stops taking new deliveries, keeps what is in hand (`basic.cancel` on the same channel).
    async fn pause(&self);

    /// Takes deliveries again.
    async fn resume(&self);

    /// Stops taking for good and waits until everything in hand is settled and the broker has been told, or the time is up; then closes.
    async fn close(&self, within: std::time::Duration);

    /// Whether the connection stands.
    fn is_up(&self) -> bool;
}

/// How one publication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Routed to a queue and confirmed.
    Routed,
    /// Confirmed, but no queue was there to take it.
    Unroutable,
}

/// The outbound side: persistent, mandatory, confirmed, pipelined.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes through the default exchange and waits for confirm. Many callers may wait at once; confirms are pipelined.
    ///
    /// # Errors
    /// An outage when the broker refuses (nack), is gone, or does not confirm in time: it may or may not have been delivered.
    async fn publish(&self, entry: Arc<OutboxEntry>) -> Result<Published, Outage>;
}

/// What the broker says lies in its queues, as fresh as its statistics.
#[async_trait]
pub trait Depths: Send + Sync {
    /// Messages in the inbound queues and in the dead-letter queue; `None` where the broker cannot be asked.
    ///
    /// # Errors
    /// An outage.
    async fn depths(&self) -> Result<Option<QueueDepths>, Outage>;
}

/// How many messages lie where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepths {
    /// In the inbound queues, those handed over and not settled among them.
    pub inbound: u64,
    /// In the dead-letter queue.
    pub dead_letters: u64,
}
