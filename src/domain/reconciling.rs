//! What the archive's tables and the broker must agree on: every ledger entry has what it speaks of, every answer waits or has left, every held message is
//! there, and nothing lies in the dead-letter queue that no decision put there. What does not agree is unexplained, and each one has a name.

use std::time::Duration;

use super::ledger::Position;
use super::time::Moment;

/// How long after its last decision a release from before deliveries were noted may still have sent answers without a note: it drains within
/// `[limits] stop_seconds`, a lease of the outbox ends within a minute, and between two of its decisions a quiet site may leave some minutes.
pub const FORMER_LINGERS: Duration = Duration::from_secs(600);

/// Something that should be there and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// A ledger entry.
    Entry,
    /// The inbox row of a decided message.
    Message,
    /// The facts of an archived document.
    Document,
    /// The octets of an archived document.
    Octets,
    /// The event of an invalidation.
    Event,
    /// A notice of a disclosure outside the archive.
    Notice,
    /// Rows of the access log or the disclosure log that an entry brought.
    LogRows,
    /// The stored answer of a decision.
    StoredAnswer,
    /// The received octets of a refusal, a note or an event, before their time is up.
    Received,
    /// An answer that neither waits in the outbox nor has left.
    Answer,
    /// The octets of a message on hold.
    Held,
    /// The decision behind a message in the dead-letter queue.
    DeadLetter,
}

impl Missing {
    /// All of them, in the order of their bits.
    pub const ALL: [Self; 12] = [
        Self::Entry,
        Self::Message,
        Self::Document,
        Self::Octets,
        Self::Event,
        Self::Notice,
        Self::LogRows,
        Self::StoredAnswer,
        Self::Received,
        Self::Answer,
        Self::Held,
        Self::DeadLetter,
    ];

    /// The name in JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Message => "message",
            Self::Document => "document",
            Self::Octets => "octets",
            Self::Event => "event",
            Self::Notice => "notice",
            Self::LogRows => "log-rows",
            Self::StoredAnswer => "stored-answer",
            Self::Received => "received",
            Self::Answer => "answer",
            Self::Held => "held",
            Self::DeadLetter => "dead-letter",
        }
    }

    /// The sentence for operators.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Entry => "the ledger entry is missing",
            Self::Message => "the entry's message is missing from the inbox",
            Self::Document => "the archived document's facts are missing",
            Self::Octets => "the archived document's octets are missing",
            Self::Event => "the event about a document is missing",
            Self::Notice => "the notice of a disclosure is missing",
            Self::LogRows => "rows of the access log or the disclosure log are missing",
            Self::StoredAnswer => "the stored answer is missing",
            Self::Received => "the received octets are missing",
            Self::Answer => "the answer neither waits in the outbox nor has left",
            Self::Held => "a message on hold has lost its octets",
            Self::DeadLetter => "a message lies in the dead-letter queue that no decision put there",
        }
    }

    /// Where to go on.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Entry | Self::Message | Self::Document | Self::Octets | Self::Event | Self::Notice | Self::LogRows | Self::StoredAnswer | Self::Received => {
                "run arkki audit; restore from the backup before anything else is written"
            }
            Self::Answer => "ask the sender to send the message again: it gets the stored answer",
            Self::Held => "ask the sender to send the message again, or restore from the backup",
            Self::DeadLetter => "look at its x-death header: the delivery limit puts there what makes Arkki end",
        }
    }
}

/// Something unexplained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexplained {
    /// The ledger position nearest to it; `None` where there is none.
    pub position: Option<Position>,
    /// What is missing.
    pub missing: Missing,
    /// Which: a message's short name, or how many; never a personal value.
    pub which: String,
}

/// One page of the ledger held against everything else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// What is missing, but for answers.
    pub found: Vec<Unexplained>,
    /// Answers that neither wait nor are noted as sent, and when each was decided: unexplained unless a release that noted nothing was at work then.
    pub owed: Vec<(Moment, Unexplained)>,
    /// When a release from before deliveries were noted decided last.
    pub former: Option<Moment>,
    /// Refusals of such a release that nobody was answered.
    pub unanswered: u64,
    /// Refusals of such a release that the operators' list does not have.
    pub unlisted: Vec<Position>,
    /// Entries looked at.
    pub entries: u64,
    /// The last position looked at.
    pub last: Option<Position>,
}
