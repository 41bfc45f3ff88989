//! What the broker adapter is told: plain values, built and checked by `config`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
    /// How many deliveries may be in hand. Memory is bounded by this times the largest message.
    pub prefetch: u16,
    /// The profile that a bare document takes.
    pub profile: String,
    /// The sender of messages that carry no verified user.
    pub sender: Option<String>,
}

impl InboundQueue {
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
