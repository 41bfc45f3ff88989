//! What the broker (or a file, or a replay) hands over, with the facts that came beside the octets.

use std::fmt;
use std::sync::Arc;

use super::digest::Digest;

/// Who sent: the AMQP `user_id`, verified by the broker, or the queue's configured sender. Never a header.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender(String);

impl Sender {
    /// The name that stands for everybody when `allow_anonymous = true` (demo, tests).
    pub const ANONYMOUS: &'static str = "anonymous";

    /// A sender's name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a message, known before any parsing: the sender and the SHA-256 of the received octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageKey {
    /// Who sent.
    pub sender: Sender,
    /// SHA-256 of the received octets.
    pub octets: Digest,
}

impl MessageKey {
    /// The first 12 hexadecimal digits of the octets' digest: what logs call a message.
    #[must_use]
    pub fn short(&self) -> String {
        let mut hex = self.octets.to_hex();
        hex.truncate(12);
        hex
    }
}

/// Where an answer goes: a queue by name, through the default exchange, and the words that let the sender match it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The reply queue.
    pub queue: String,
    /// The inbound `correlation_id`, else the inbound `message_id`, else nothing.
    pub correlation: Option<String>,
}

/// A message at the door: octets and the facts beside them. Nothing in it is trusted but `sender` and `reply`, which the door has checked.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The received octets, shared, never changed.
    pub octets: Arc<Vec<u8>>,
    /// The checked sender; `None` is refused.
    pub sender: Option<Sender>,
    /// The checked reply address, else the configured route; `None` is quarantined.
    pub reply: Option<Reply>,
    /// The AMQP `message_id`, as it came.
    pub message_id: Option<String>,
    /// The AMQP `content_type`, as it came.
    pub content_type: Option<String>,
    /// The inbound queue's name in the configuration (`[inbound.X]`).
    pub inbound: String,
    /// The profile that a bare document takes.
    pub profile: String,
}
