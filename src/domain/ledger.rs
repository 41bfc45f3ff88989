//! The ledger: one chain of everything that was decided. An entry's hash covers the entry before it, so a changed,
//! missing or moved entry breaks the chain where it happened.

use super::digest::Digest;
use super::log::LogSeal;
use super::time::Moment;

/// A place in the ledger, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u64);

/// What an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A document was archived.
    Archived,
    /// A message was refused.
    Refused,
    /// A message was recorded that is owed no answer.
    Noted,
    /// A document, or a whole set, was invalidated or reinstated. `document` is the event's digest; `answer` is absent where the event came with an
    /// archived document, whose own entry stands right before it.
    Event,
    /// A query was answered: `answer` is the hash of what was given, whose octets are kept for a while only; `code` is there when it was refused for
    /// what it found.
    Answered,
    /// A notice of a disclosure outside the archive was archived: `document_id` is the event's id, `document` the hash of the received event, `archived` that
    /// of the signed bundle, and of the CDA document after it where one was made.
    Notice,
    /// The stored answer to a query went out again: `answer` is the hash of what was given, `about` the entry that gave it first.
    Shown,
    /// Rows of the logs were exported, or somebody was let look beyond their roles: `answer` is the hash of a description of what was given.
    Exported,
}

impl EntryKind {
    /// The number kept in the database and hashed.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Archived => 1,
            Self::Refused => 2,
            Self::Noted => 3,
            Self::Event => 4,
            Self::Answered => 5,
            Self::Notice => 6,
            Self::Shown => 7,
            Self::Exported => 8,
        }
    }

    /// Reads the number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Archived),
            2 => Some(Self::Refused),
            3 => Some(Self::Noted),
            4 => Some(Self::Event),
            5 => Some(Self::Answered),
            6 => Some(Self::Notice),
            7 => Some(Self::Shown),
            8 => Some(Self::Exported),
            _ => None,
        }
    }
}

/// An entry before it is numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it records.
    pub kind: EntryKind,
    /// When it was decided.
    pub at: Moment,
    /// Who sent the message.
    pub sender: String,
    /// SHA-256 of the received message.
    pub message: Digest,
    /// The document's id, where one was read.
    pub document_id: Option<String>,
    /// SHA-256 of the document as received.
    pub document: Option<Digest>,
    /// SHA-256 of the archived octets, our signature in them; or of the octets and of the signature that is kept beside them, one after the other.
    pub archived: Option<Digest>,
    /// The refusal's code.
    pub code: Option<String>,
    /// SHA-256 of the answer without its ledger position.
    pub answer: Option<Digest>,
    /// SHA-256 of the rule set that decided.
    pub rules: Digest,
    /// The earlier decision about the same octets that this one supersedes.
    pub supersedes: Option<Position>,
    /// The log rows that it brings. The store fills it in: it has the rows.
    pub log: Option<LogSeal>,
    /// The earlier entry that it speaks of without superseding it.
    pub about: Option<Position>,
}

impl Entry {
    /// The octets whose SHA-256 is the entry's hash: the hash before it, its position and every field, each with its length, in this order for ever.
    /// The last two stand there only where one of them is: entries from before there were any keep their hash.
    #[must_use]
    pub fn octets(&self, before: &Digest, position: Position) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        out.extend_from_slice(b"arkki-ledger-1");
        out.extend_from_slice(&before.0);
        out.extend_from_slice(&position.0.to_be_bytes());
        out.extend_from_slice(&self.kind.number().to_be_bytes());
        out.extend_from_slice(&self.at.micros().to_be_bytes());
        put(&mut out, Some(self.sender.as_bytes()));
        put(&mut out, Some(&self.message.0));
        put(&mut out, self.document_id.as_deref().map(str::as_bytes));
        put(&mut out, self.document.as_ref().map(|d| d.0.as_slice()));
        put(&mut out, self.archived.as_ref().map(|d| d.0.as_slice()));
        put(&mut out, self.code.as_deref().map(str::as_bytes));
        put(&mut out, self.answer.as_ref().map(|d| d.0.as_slice()));
        put(&mut out, Some(&self.rules.0));
        put(&mut out, self.supersedes.map(|p| p.0.to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        if self.log.is_some() || self.about.is_some() {
            put(&mut out, self.log.map(|log| log.octets()).as_ref().map(<[u8; 36]>::as_slice));
            put(&mut out, self.about.map(|p| p.0.to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        }
        out
    }
}

/// A field: 0xFF for absent, else 0x00, its length in four octets, its octets. No two lists of fields share octets.
pub(super) fn put(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => out.push(0xFF),
        Some(octets) => {
            out.push(0);
            out.extend_from_slice(&u32::try_from(octets.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(octets);
        }
    }
}

/// An entry in its place, as the archive keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chained {
    /// Its place.
    pub position: Position,
    /// The hash of the entry before it.
    pub before: Digest,
    /// Its own hash.
    pub hash: Digest,
    /// The entry.
    pub entry: Entry,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_without_log_rows_keep_the_octets_they_always_had() {
        let entry = Entry {
            kind: EntryKind::Noted,
            at: Moment::from_micros(7),
            sender: "s".to_owned(),
            message: Digest([1; 32]),
            document_id: None,
            document: None,
            archived: None,
            code: None,
            answer: None,
            rules: Digest([2; 32]),
            supersedes: None,
            log: None,
            about: None,
        };
        let octets = entry.octets(&Digest::ZERO, Position(9));
        // Mark, hash before, position, kind, time; sender; message; five absent fields; rules; supersedes absent.
        assert_eq!(octets.len(), 14 + 32 + 8 + 2 + 8 + (5 + 1) + (5 + 32) + 5 + (5 + 32) + 1);
        let log = LogSeal { rows: 3, digest: Digest([4; 32]) };
        let more = |entry: Entry| entry.octets(&Digest::ZERO, Position(9)).split_off(octets.len());
        assert_eq!(more(Entry { log: Some(log), ..entry.clone() }), [&[0, 0, 0, 0, 36, 0, 0, 0, 3][..], &[4; 32], &[0xFF]].concat());
        assert_eq!(more(Entry { about: Some(Position(5)), ..entry.clone() }), [0xFF, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5]);
        assert!(more(entry).is_empty());
    }
}
