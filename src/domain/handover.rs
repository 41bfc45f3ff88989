//! What became of a notice at the FHIR server that keeps it: the ids it was sent under and the ids it is stored under, or why it is not stored.

use super::ledger::Position;
use super::time::Moment;

/// How often a notice is handed over before a person must look: at the longest pause of 15 minutes that is a week.
pub const ATTEMPTS: u32 = 700;
/// The longest words kept of what a server said.
pub const WORDS: usize = 300;

/// Where a notice stands with the FHIR server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is to be handed over, for the first time or again.
    Waiting,
    /// The server has stored it and said under which ids.
    Taken,
    /// The server will not have it as it is: a person must look.
    Stopped,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Taken, Self::Stopped];

    /// The number in the archive.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Waiting => 0,
            Self::Taken => 1,
            Self::Stopped => 2,
        }
    }

    /// The standing of a number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Waiting),
            1 => Some(Self::Taken),
            2 => Some(Self::Stopped),
            _ => None,
        }
    }

    /// The word for people and machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Taken => "taken",
            Self::Stopped => "stopped",
        }
    }

    /// The standing of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == word)
    }
}

/// One resource's two ids: the transfer's, which we gave, and the server's, which it gave on storing (messaging.md §4.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredAs {
    /// The resource's type: `AuditEvent` or `Provenance`.
    pub kind: String,
    /// The id it was sent under: an OID.
    pub sent_id: String,
    /// The id it is stored under.
    pub stored_id: String,
}

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every resource is stored.
    Taken(Vec<StoredAs>),
    /// The server refuses this notice, in an `OperationOutcome` of its own: the same octets will never be taken.
    Refused(String),
    /// The server will not talk to us: nothing is said of the notice. Somebody must mend address or credentials; every notice waits.
    Unwelcome(String),
    /// Nothing that can be relied on: no answer, a fault of the server's, or no FHIR. It may have been stored; the same ids are sent again.
    Unclear(String),
}

/// A notice that is to be handed over now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueNotice {
    /// Its id, which is the first one it is sent under.
    pub id: String,
    /// Its ledger entry.
    pub position: Position,
    /// The signed bundle, octet for octet as archived.
    pub bundle: Vec<u8>,
    /// How often it was tried.
    pub attempts: u32,
}

/// What is kept after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The notice.
    pub id: String,
    /// Where it stands now.
    pub standing: Standing,
    /// The ids it is stored under; empty unless taken.
    pub stored: Vec<StoredAs>,
    /// What was said, in words that hold nothing personal; empty when all is well.
    pub words: String,
    /// When this was.
    pub at: Moment,
    /// When it may be tried again, while it waits.
    pub again: Moment,
}
