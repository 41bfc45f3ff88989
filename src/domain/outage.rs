//! The failure that is ours, or time's, to mend: never answered, never stored; the consumer pauses, keeps the message and tries again.

use std::fmt;

/// What is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The archive's database.
    Archive,
    /// The message broker.
    Broker,
    /// The signing key (file or token).
    Key,
    /// What issuers say of certificates: revocation lists, OCSP.
    Revocation,
    /// The machine: disk, memory, entropy, threads.
    Machine,
    /// The FHIR server that keeps notices.
    Sink,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Archive, Self::Broker, Self::Key, Self::Revocation, Self::Machine, Self::Sink];

    /// The label used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Broker => "broker",
            Self::Key => "key",
            Self::Revocation => "revocation",
            Self::Machine => "machine",
            Self::Sink => "sink",
        }
    }
}

/// A part that does not answer. `detail` is for operators: it never holds a value from a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// What is out of reach.
    pub part: Part,
    /// What was seen, in the operator's words (an address, an error number), never personal data.
    pub detail: String,
}

impl Outage {
    /// An outage of `part`, with what was seen.
    #[must_use]
    pub fn new(part: Part, detail: impl Into<String>) -> Self {
        Self { part, detail: detail.into() }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} out of reach: {}", self.part.as_str(), self.detail)
    }
}

impl std::error::Error for Outage {}
