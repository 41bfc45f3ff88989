//! What a decision needs to know of the archive, asked and answered in one go; and what it then relies on until the commit.

use super::ack::InstanceId;
use super::digest::Digest;
use super::document::{Group, Header};
use super::ledger::Position;
use super::lifecycle::Named;
use super::message::MessageKey;
use super::oid::Oid;
use super::time::Moment;
use super::will::ClientWills;

/// What to look up for one message.
#[derive(Debug, Clone)]
pub struct Needs {
    /// The message itself: was it decided before?
    pub key: MessageKey,
    /// The frame's id, where it has a frame.
    pub frame: Option<InstanceId>,
    /// The document's id, its set, the replaced document, its case and its relation; `None` when nothing could be read.
    pub document: Option<DocumentNeeds>,
    /// What an event names.
    pub event: Option<Named>,
    /// The client whose wills are asked for (keyed hash).
    pub wills: Option<Digest>,
    /// The documents that a will names: the sets that it denies, or the denials that it ends.
    pub named: Vec<Oid>,
}

/// The ids that one document touches or hangs on.
#[derive(Debug, Clone)]
pub struct DocumentNeeds {
    /// The document.
    pub id: Oid,
    /// Its set.
    pub set_id: Oid,
    /// The document it replaces.
    pub replaces: Option<Oid>,
    /// Its case.
    pub case_id: Option<Oid>,
    /// Its client relation.
    pub relation_id: Option<Oid>,
}

impl DocumentNeeds {
    /// What a header needs.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        Self {
            id: header.id.clone(),
            set_id: header.set_id.clone(),
            replaces: header.replaces.as_ref().map(|r| r.id.clone()),
            case_id: header.case_id.clone(),
            relation_id: header.relation_id.clone(),
        }
    }
}

/// What the archive knows. A `None` is an answer: it is not there.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The earlier decision about the same key.
    pub prior: Option<Prior>,
    /// SHA-256 of the received octets of the accepted message that bears this frame id from this sender.
    pub frame: Option<Digest>,
    /// The archived document with this id: the message's own, or the one that an event names.
    pub document: Option<DocumentFact>,
    /// The newest archived version of this set; of an event that names a version only, of that version's set.
    pub latest: Option<DocumentFact>,
    /// What happened to that set.
    pub set: SetFact,
    /// The archived document that this one replaces.
    pub replaced: Option<DocumentFact>,
    /// The case.
    pub case: Option<CaseFact>,
    /// The client relation named by the document itself.
    pub relation: Option<RelationFact>,
    /// The wills of the client that was asked for; `None` where none was asked for.
    pub wills: Option<ClientWills>,
    /// Of the documents that a will names those that are archived.
    pub named: Vec<NamedFact>,
}

/// A document that a will names, as far as the archive has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFact {
    /// The id as it was named: the set's, or a version's.
    pub id: Oid,
    /// Its set.
    pub set_id: Oid,
    /// The group of its documents.
    pub group: Group,
    /// Its client (keyed hash).
    pub client: Digest,
}

/// How a message stands in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Archived: final for its key.
    Accepted,
    /// Refused.
    Refused,
    /// Recorded, owed no answer (an incoming acknowledgement).
    Noted,
    /// Held until what it hangs on arrives.
    Held,
    /// A query answered: decided again whenever it comes again.
    Answered,
}

impl Standing {
    /// The number kept in the database.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Accepted => 1,
            Self::Refused => 2,
            Self::Noted => 3,
            Self::Held => 4,
            Self::Answered => 5,
        }
    }

    /// Reads the number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Accepted),
            2 => Some(Self::Refused),
            3 => Some(Self::Noted),
            4 => Some(Self::Held),
            5 => Some(Self::Answered),
            _ => None,
        }
    }
}

/// An earlier decision about the same sender and octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// What was decided.
    pub standing: Standing,
    /// Counts the decisions about this key, from 1.
    pub revision: u32,
    /// Digest of the outcome (codes, places and words of the findings), for "same outcome, same answer".
    pub outcome: Digest,
    /// The rule set that decided.
    pub rules: Digest,
    /// Whether it is final under that rule set.
    pub is_final: bool,
}

/// An archived document, as far as decisions care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFact {
    /// Its id.
    pub id: Oid,
    /// Its set.
    pub set_id: Oid,
    /// Its version.
    pub version: u32,
    /// Its group.
    pub group: Group,
    /// Its client (keyed hash).
    pub client: Digest,
    /// Its controller.
    pub controller: Oid,
    /// SHA-256 of the document octets as received, before our signature.
    pub received: Digest,
    /// The case it makes or hangs on.
    pub case_id: Option<Oid>,
    /// The relation it makes or hangs on.
    pub relation_id: Option<Oid>,
    /// How it stands by itself, whatever is with its set.
    pub mark: Mark,
}

/// How a version stands by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing was said of it.
    #[default]
    None,
    /// It was invalidated by itself.
    Invalidated,
    /// It is the version that invalidated its set.
    Invalidating,
}

/// What happened to a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetFact {
    /// How many events, of the set and of its versions.
    pub events: u32,
    /// The whole set is invalidated.
    pub invalid: bool,
}

/// A case, with the relation it hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFact {
    /// The case.
    pub id: Oid,
    /// Counts the versions of its case document and the events about them.
    pub revision: u32,
    /// Closed (Suljettu).
    pub closed: bool,
    /// The client (keyed hash).
    pub client: Digest,
    /// The controller.
    pub controller: Oid,
    /// Its service task.
    pub service_task: Option<String>,
    /// The set of its case documents.
    pub set_id: Oid,
    /// The relation it hangs on.
    pub relation_id: Option<Oid>,
    /// Whether that relation is marked old.
    pub relation_old: bool,
    /// That relation's revision.
    pub relation_revision: Option<u32>,
    /// No version of its document is valid.
    pub invalid: bool,
    /// No version of that relation's document is valid.
    pub relation_invalid: bool,
}

/// A client relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationFact {
    /// The relation.
    pub id: Oid,
    /// Counts the versions of its document and the events about them.
    pub revision: u32,
    /// Marked old (vanha asiakkuus).
    pub old: bool,
    /// The client (keyed hash).
    pub client: Digest,
    /// The controller.
    pub controller: Oid,
    /// The set of its documents.
    pub set_id: Oid,
    /// No version of its document is valid.
    pub invalid: bool,
}

/// What a decision relied on; the commit checks it under the ledger's lock and answers `Stale` if it no longer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// The document with this id is (not) archived.
    Document {
        /// The document.
        id: Oid,
        /// Archived or not.
        present: bool,
    },
    /// The newest version of the set; `None` while the set is unknown.
    Latest {
        /// The set.
        set_id: Oid,
        /// Its newest version.
        version: Option<u32>,
    },
    /// How many events the set has.
    Events {
        /// The set.
        set_id: Oid,
        /// Their number.
        count: u32,
    },
    /// The case's revision; `None` while it is unknown.
    Case {
        /// The case.
        id: Oid,
        /// Its revision.
        revision: Option<u32>,
    },
    /// The notice of this event is (not) archived.
    Notice {
        /// The event.
        id: Oid,
        /// Archived or not.
        present: bool,
    },
    /// The relation's revision; `None` while it is unknown.
    Relation {
        /// The relation.
        id: Oid,
        /// Its revision.
        revision: Option<u32>,
    },
    /// No will of this client came, and nothing happened to one, since the last entry about them; `None` while there is none.
    Wills {
        /// The client (keyed hash).
        client: Digest,
        /// That entry.
        newest: Option<Position>,
    },
}

/// What a held message waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// A document (the one to replace, or to invalidate; a set's first version bears its id).
    Document(Oid),
    /// A case.
    Case(Oid),
    /// A client relation.
    Relation(Oid),
}

impl Awaited {
    /// The id waited for.
    #[must_use]
    pub const fn id(&self) -> &Oid {
        match self {
            Self::Document(id) | Self::Case(id) | Self::Relation(id) => id,
        }
    }
}

/// A message on hold: its octets and how long it may wait.
#[derive(Debug, Clone)]
pub struct Hold {
    /// What it waits for.
    pub awaits: Awaited,
    /// When its time is up.
    pub until: Moment,
}
