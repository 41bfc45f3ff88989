//! What must leave: made in the commit, sent by the relay, gone when the broker has routed and confirmed it.

use super::trace::Leaving;

/// The row's number in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboxId(pub i64);

/// One message that must leave. All of it is fixed in the commit, so that receivers can tell copies apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The row.
    pub id: OutboxId,
    /// The AMQP `message_id`, the same for every attempt.
    pub amqp_id: String,
    /// The queue, reached through the default exchange.
    pub queue: String,
    /// The AMQP `correlation_id`.
    pub correlation: Option<String>,
    /// The AMQP `content_type`.
    pub content_type: String,
    /// The octets.
    pub body: Vec<u8>,
    /// How often it was tried and came back unroutable.
    pub attempts: u32,
    /// The trace it belongs to; known to the instance that made it, not kept.
    pub trace: Option<Leaving>,
}
