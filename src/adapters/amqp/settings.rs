//! What the broker adapter is told: plain values, built and checked by `config`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::partitions;
use crate::domain::limits;
use crate::pipeline::door::{Entrance, Rules};

/// How often a delivery may come back before it is quarantined; a fence against what kills the process, nothing else (house.md).
pub const DELIVERY_LIMIT: u32 = 100;
/// How long the broker may take to confirm a publication.
pub const CONFIRM: Duration = Duration::from_secs(30);
/// How long one connection attempt, or one question to the broker, may take.
pub const ANSWER: Duration = Duration::from_secs(10);
/// How long `start` waits for the first connection.
pub const START: Duration = Duration::from_secs(30);
/// How long a partition is kept through an outage before it is handed to another instance with all that is in hand: a failover of the database takes
/// seconds, and each handing over costs the messages one of their delivery attempts.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often a partition queue that is not there is looked for again: the broker's log has a line for each look.
pub const MISSING: Duration = Duration::from_secs(15);
/// How often an instance asks whether it has more partitions than its share.
pub const BALANCE: Duration = Duration::from_secs(5);
/// The first pause before connecting again, and the longest.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Everything the adapter needs.
#[derive(Debug, Clone)]
pub struct AmqpSettings {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`.
    pub url: Secret,
    /// The connection's name in RabbitMQ's management pages; `-in` and `-out` are added.
    pub connection_name: String,
    /// Time between heartbeats, in whole seconds on the wire; zero asks for none.
    pub heartbeat: Duration,
    /// `http://user:password@host:15672`: RabbitMQ's management HTTP API, for `doctor`.
    pub management_url: Option<Secret>,
    /// The inbound queues.
    pub inbound: Vec<InboundQueue>,
    /// Our own dead-letter exchange.
    pub dead_letter_exchange: String,
    /// The queue bound to it.
    pub dead_letter_queue: String,
    /// `x-delivery-limit` of the inbound queues.
    pub delivery_limit: u32,
    /// Queues of disclosure notices: declared, never a reply address.
    pub notice_queues: Vec<String>,
    /// Who may send and where answers may go. Its routes are declared as quorum queues.
    pub rules: Arc<Rules>,
    /// How long a confirm may take.
    pub confirm_timeout: Duration,
    /// How long `start` waits for the first connection.
    pub start_timeout: Duration,
    /// How long deliveries stay in hand during a pause before their channel is closed.
    pub in_hand: Duration,
    /// How long a partition is kept through an outage before another instance may have it.
    pub patience: Duration,
    /// How often a partition queue that is not there is looked for again.
    pub missing: Duration,
    /// How often an instance asks whether it has more partitions than its share.
    pub balance: Duration,
    /// The first pause before connecting again, and the longest.
    pub backoff: (Duration, Duration),
}

/// One inbound queue (`[inbound.X]`).
#[derive(Debug, Clone)]
pub struct InboundQueue {
    /// X.
    pub name: String,
    /// The queue's name at the broker.
    pub queue: String,
    /// How many partition queues stand beside it; 0: none.
    pub partitions: u16,
    /// How many deliveries may be in hand, over the queue and its partitions. Memory is bounded by this times the largest message.
    pub prefetch: u16,
    /// The profile that a bare document takes.
    pub profile: String,
    /// The sender of messages that carry no verified user.
    pub sender: Option<String>,
}

/// One queue that is consumed: an inbound queue itself, or a partition of it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) queue: String,
    pub(super) prefetch: u16,
    /// A partition: the broker gives its messages to one instance at a time.
    pub(super) single: bool,
}

impl InboundQueue {
    /// The queue, then its partitions; together they have no more than `prefetch` in hand.
    pub(super) fn sources(&self) -> Vec<Source> {
        let prefetch = partitions::share(self.prefetch, self.partitions);
        let plain = Source { queue: self.queue.clone(), prefetch, single: false };
        let more = partitions::queues(&self.queue, self.partitions).map(|queue| Source { queue, prefetch, single: true });
        std::iter::once(plain).chain(more).collect()
    }

    pub(super) fn entrance(&self) -> Entrance {
        Entrance { name: self.name.clone(), profile: self.profile.clone(), sender: self.sender.clone() }
    }
}

impl AmqpSettings {
    /// Settings with the house's defaults and no inbound queue.
    #[must_use]
    pub fn new(url: Secret, rules: Arc<Rules>) -> Self {
        Self {
            url,
            connection_name: "arkki".into(),
            heartbeat: Duration::from_secs(20),
            management_url: None,
            inbound: Vec::new(),
            dead_letter_exchange: "arkki.dead".into(),
            dead_letter_queue: "arkki.dead".into(),
            delivery_limit: DELIVERY_LIMIT,
            notice_queues: vec!["arkki.notice".into()],
            rules,
            confirm_timeout: CONFIRM,
            start_timeout: START,
            in_hand: limits::IN_HAND,
            patience: PATIENCE,
            missing: MISSING,
            balance: BALANCE,
            backoff: BACKOFF,
        }
    }
}

/// A value that is never printed: URLs with passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one call that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
