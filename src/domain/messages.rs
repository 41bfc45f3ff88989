//! Messages as operators look at them: what to list, and everything known of one: when it was received, examined, decided, signed, archived, answered and
//! delivered, by which instance and under which rules.

use super::code::Code;
use super::digest::Digest;
use super::facts::{Awaited, Standing};
use super::ledger::{EntryKind, Position};
use super::message::MessageKey;
use super::time::Moment;

/// The fewest hexadecimal digits of a message's hash that name it: what logs show has 12.
pub const HASH_DIGITS: usize = 8;

/// What the road says of a message on its way: kept beside the ledger's entry and not hashed with it, since it is about us and not about the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Road {
    /// The AMQP `message_id`, as it came.
    pub amqp_id: Option<String>,
    /// When it was handed over; of a message from the hold, when it was put there.
    pub received: Option<Moment>,
    /// When all that can be said of it by itself was said.
    pub examined: Option<Moment>,
    /// When our signature was made, where there is one.
    pub signed: Option<Moment>,
    /// Its delivery goes to the dead-letter queue, since nobody can be answered.
    pub dead_letter: bool,
}

/// Which messages. What is not there does not narrow. AMQP ids, document ids and hashes lead straight to their messages; the others walk down the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageCriteria {
    /// The AMQP `message_id` of a delivery that was decided.
    pub amqp_id: Option<String>,
    /// The document's, the event's or the notice's id.
    pub document_id: Option<String>,
    /// Who sent it.
    pub sender: Option<String>,
    /// The code of the decision in force.
    pub code: Option<String>,
    /// Decided at this moment or later.
    pub from: Option<Moment>,
    /// Decided before this moment.
    pub until: Option<Moment>,
    /// How it stands now.
    pub state: Option<Standing>,
}

/// A message in a list, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Who sent it, and the hash of its octets: its name for good.
    pub key: MessageKey,
    /// How it stands.
    pub state: Standing,
    /// How often it was decided.
    pub revision: u64,
    /// The ledger entry of the decision in force; `None` while it waits for its first.
    pub position: Option<Position>,
    /// When it was decided, or put on hold.
    pub at: Moment,
    /// The code of a refusal or a note.
    pub code: Option<String>,
    /// The document's, event's or notice's id, where one was read.
    pub document_id: Option<String>,
    /// The AMQP `message_id` of the delivery that was decided.
    pub amqp_id: Option<String>,
    /// The rule set that decided.
    pub rules: Digest,
    /// The instance that decided; `None` of entries from before instances were kept.
    pub instance: Option<String>,
}

impl MessageRow {
    /// The refusal's code, where it is one of this release.
    #[must_use]
    pub fn known_code(&self) -> Option<Code> {
        self.code.as_deref().and_then(Code::parse)
    }
}

/// One page of a list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageRows {
    /// The rows; fewer than asked for does not mean the end.
    pub rows: Vec<MessageRow>,
    /// What to give as `before` for what follows; `None` at the end.
    pub next: Option<u64>,
}

/// What names a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageName {
    /// A ledger entry of its own.
    Position(Position),
    /// The hash of its octets, or its first digits ([`HASH_DIGITS`] or more): hexadecimal, lower case.
    Hash(String),
}

impl MessageName {
    /// Reads a ledger position, or a hash or its beginning. What is all digits is a position, unless it is written as `sha:…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let hash = |hex: &str| {
            let is_hash = (HASH_DIGITS..=64).contains(&hex.len()) && hex.chars().all(|c| c.is_ascii_hexdigit());
            is_hash.then(|| Self::Hash(hex.to_ascii_lowercase()))
        };
        if let Some(hex) = text.strip_prefix("sha:") {
            return hash(hex);
        }
        match text.parse::<u64>() {
            Ok(position) if position > 0 && text.len() < 20 => Some(Self::Position(Position(position))),
            _ => hash(text),
        }
    }

    /// The first and the last hash that it may be; `None` for a position.
    #[must_use]
    pub fn between(&self) -> Option<(Digest, Digest)> {
        let Self::Hash(hex) = self else { return None };
        let fill = |with: char| Digest::from_hex(&hex.chars().chain(std::iter::repeat_n(with, 64 - hex.len().min(64))).collect::<String>());
        fill('0').zip(fill('f'))
    }
}

/// Everything known of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageFacts {
    /// As it stands.
    pub row: MessageRow,
    /// What it waits for, while it is on hold.
    pub hold: Option<HoldFacts>,
    /// Its decisions, the newest first; at most [`DECISIONS`].
    pub decisions: Vec<DecisionFacts>,
    /// Whether the octets it came with are kept.
    pub has_octets: bool,
    /// Whether the answer is kept.
    pub has_answer: bool,
}

/// The most decisions that a message's page shows; a message that is decided more often is a sender in a loop.
pub const DECISIONS: usize = 100;

/// What a held message waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldFacts {
    /// For what.
    pub awaits: Awaited,
    /// Since when.
    pub since: Moment,
    /// Until when.
    pub until: Moment,
    /// How many answers wait with it.
    pub waiting: u64,
}

/// One decision about a message: a ledger entry and what became of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionFacts {
    /// Its entry.
    pub position: Position,
    /// What the entry records.
    pub kind: EntryKind,
    /// When it was decided.
    pub at: Moment,
    /// The code of a refusal or a note.
    pub code: Option<String>,
    /// The document's, event's or notice's id.
    pub document_id: Option<String>,
    /// The rule set that decided.
    pub rules: Digest,
    /// The earlier decision that it supersedes.
    pub supersedes: Option<Position>,
    /// The way here.
    pub road: Road,
    /// When the transaction that made it durable was written; the answer was made durable with it.
    pub archived: Option<Moment>,
    /// Which instance.
    pub instance: Option<String>,
    /// How many answers it made that must leave; `None` of entries from before that was kept.
    pub answers: Option<u64>,
    /// How many of its answers still wait in the outbox.
    pub waiting: u64,
    /// When answers of it were routed and confirmed, the earliest first; at most [`DELIVERIES`].
    pub delivered: Vec<Delivered>,
}

/// The most deliveries of one decision's answers that are shown.
pub const DELIVERIES: usize = 100;

/// An answer that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// When it was known to be routed and confirmed.
    pub at: Moment,
    /// Which instance sent it.
    pub instance: String,
}

/// Octets of a message that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptOctets {
    /// The message, as it was received.
    Message(Vec<u8>),
    /// The document as it was received; the frame around it was not kept.
    Document(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_positions_or_hashes() {
        assert_eq!(MessageName::parse(" 17 "), Some(MessageName::Position(Position(17))));
        assert_eq!(MessageName::parse("0"), None);
        assert_eq!(MessageName::parse("0ab34F12"), Some(MessageName::Hash("0ab34f12".to_owned())));
        assert_eq!(MessageName::parse("0ab34F1"), None);
        assert_eq!(MessageName::parse("sha:12345678"), Some(MessageName::Hash("12345678".to_owned())));
        assert_eq!(MessageName::parse(&"1".repeat(64)), Some(MessageName::Hash("1".repeat(64))));
        assert_eq!(MessageName::parse(&"a".repeat(65)), None);
        assert_eq!(MessageName::parse("x1234567"), None);
    }

    #[test]
    fn a_beginning_of_a_hash_lies_between_two_hashes() {
        let (first, last) = MessageName::Hash("0ab34f12".to_owned()).between().unwrap();
        assert_eq!(first.to_hex(), format!("0ab34f12{}", "0".repeat(56)));
        assert_eq!(last.to_hex(), format!("0ab34f12{}", "f".repeat(56)));
        assert_eq!(MessageName::Position(Position(1)).between(), None);
    }
}
