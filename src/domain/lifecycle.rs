//! What becomes of archived documents beside new versions: they are invalidated, and reinstated. Octets and rows never change;
//! a document's state at a moment is the fold of the events up to it (`state`).

use super::digest::Digest;
use super::document::Group;
use super::finding::Place;
use super::ledger::Position;
use super::oid::Oid;
use super::time::Moment;

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Mitätöinti, makulering: what it names leaves the searches. Its octets stay.
    Invalidated,
    /// The opposite event: what it names is as it was before it was invalidated.
    Reinstated,
}

impl EventKind {
    /// The number kept in the database and hashed.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Invalidated => 1,
            Self::Reinstated => 2,
        }
    }

    /// Reads the number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Invalidated),
            2 => Some(Self::Reinstated),
            _ => None,
        }
    }

    /// What the access log calls it.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Invalidated => "invalidate",
            Self::Reinstated => "reinstate",
        }
    }
}

/// What a message names as its target: a version by its id, perhaps with set and number, which must then agree; or a whole set by its set id alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The version's id.
    pub id: Option<Oid>,
    /// The set.
    pub set_id: Option<Oid>,
    /// The version's number.
    pub version: Option<u32>,
}

/// Why: a code of the reasons' list, free words, or both. The words are shown by `arkki history` and nowhere else.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: Option<String>,
    /// Free words.
    pub text: Option<String>,
}

impl std::fmt::Debug for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The words may name people: no debug text shows them.
        f.debug_struct("Reason").field("code", &self.code).field("text", &self.text.as_ref().map(String::len)).finish()
    }
}

/// Who asked, as the frame says it: for the history, not for decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    /// The organisation.
    pub organisation: Option<Oid>,
    /// The professional's register number; never an identity code.
    pub professional: Option<String>,
}

/// An invalidation that comes with a document: the new version invalidates its whole set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalidation {
    /// Why.
    pub reason: Reason,
    /// Who.
    pub author: Author,
}

/// A message without a document that asks for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRequest {
    /// What is asked.
    pub kind: EventKind,
    /// The service request's code.
    pub request: String,
    /// The groups whose documents it may name.
    pub groups: Vec<Group>,
    /// What it names.
    pub target: Named,
    /// On whose behalf: the controller that the frame names.
    pub controller: Oid,
    /// The client, when the frame names one (keyed hash).
    pub client: Option<Digest>,
    /// Why.
    pub reason: Reason,
    /// Who.
    pub author: Author,
    /// Where things stand in the frame.
    pub places: EventPlaces,
}

/// Where the parts of an event's frame stand, for the findings of the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPlaces {
    /// The id, or the set id where there is no id.
    pub target: Place,
    /// The set id.
    pub set: Place,
    /// The version number.
    pub version: Place,
    /// The custodian's id.
    pub controller: Place,
    /// The client's id.
    pub client: Place,
    /// The service request.
    pub request: Place,
}

/// How far an event reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One version.
    Version(Oid),
    /// Every version of the set.
    Set,
}

/// An event as it is kept: append-only, its digest in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// What happened.
    pub kind: EventKind,
    /// The set it is about.
    pub set_id: Oid,
    /// How far it reaches.
    pub scope: Scope,
    /// The invalidating version, when one was archived with it.
    pub by_document: Option<Oid>,
    /// When.
    pub at: Moment,
    /// Who sent the message.
    pub sender: String,
    /// The controller.
    pub controller: Oid,
    /// Who asked.
    pub author: Author,
    /// Why.
    pub reason: Reason,
}

impl EventRecord {
    /// The id that access log and ledger name: the version's, or the set's, which is its first version's.
    #[must_use]
    pub const fn target(&self) -> &Oid {
        match &self.scope {
            Scope::Version(id) => id,
            Scope::Set => &self.set_id,
        }
    }

    /// The octets whose SHA-256 stands in the ledger as the event's document: every field with its length, in this order for ever.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        out.extend_from_slice(b"arkki-event-1");
        out.extend_from_slice(&self.kind.number().to_be_bytes());
        out.extend_from_slice(&self.at.micros().to_be_bytes());
        let version = if let Scope::Version(id) = &self.scope { Some(id.as_str()) } else { None };
        let fields = [
            Some(self.set_id.as_str()),
            version,
            self.by_document.as_ref().map(Oid::as_str),
            Some(self.sender.as_str()),
            Some(self.controller.as_str()),
            self.author.organisation.as_ref().map(Oid::as_str),
            self.author.professional.as_deref(),
            self.reason.code.as_deref(),
            self.reason.text.as_deref(),
        ];
        for field in fields {
            super::ledger::put(&mut out, field.map(str::as_bytes));
        }
        out
    }
}

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its ledger entry.
    pub position: Position,
    /// The event.
    pub record: EventRecord,
}

/// A version of a set, as far as its state and its history go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: Oid,
    /// Its number.
    pub number: u32,
    /// The version it replaces.
    pub replaces: Option<Oid>,
    /// Its ledger entry.
    pub position: Position,
    /// When it was archived.
    pub at: Moment,
    /// Who sent it.
    pub sender: String,
    /// SHA-256 of the archived octets.
    pub archived: Digest,
}

/// Everything that happened to one set, in order of position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The set.
    pub set_id: Oid,
    /// The group of its documents.
    pub group: Group,
    /// Its controller.
    pub controller: Oid,
    /// Its versions.
    pub versions: Vec<Version>,
    /// Its events.
    pub events: Vec<Event>,
}

/// How a version stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not archived yet.
    Future,
    /// The latest valid version: what searches find.
    Valid,
    /// A later valid version took its place.
    Superseded,
    /// Invalidated, by itself or with its whole set.
    Invalidated,
    /// The version that invalidated its set: never found, whatever becomes of the set.
    Invalidating,
}

impl State {
    /// The key of its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Future => "future",
            Self::Valid => "valid",
            Self::Superseded => "superseded",
            Self::Invalidated => "invalidated",
            Self::Invalidating => "invalidating",
        }
    }
}

impl History {
    /// The states of all versions at a moment, in their order: the fold of the events up to it.
    #[must_use]
    pub fn states(&self, at: Moment) -> Vec<State> {
        let events = || self.events.iter().filter(|e| e.record.at <= at);
        let is_invalid =
            |scope: &dyn Fn(&Scope) -> bool| events().filter(|e| scope(&e.record.scope)).last().is_some_and(|e| e.record.kind == EventKind::Invalidated);
        let whole = is_invalid(&|scope| *scope == Scope::Set);
        let by_itself = |version: &Version| {
            if version.at > at {
                State::Future
            } else if events().any(|e| e.record.by_document.as_ref() == Some(&version.id)) {
                State::Invalidating
            } else if whole || is_invalid(&|scope| matches!(scope, Scope::Version(id) if *id == version.id)) {
                State::Invalidated
            } else {
                State::Valid
            }
        };
        let mut states: Vec<State> = self.versions.iter().map(by_itself).collect();
        let newest = self.versions.iter().zip(&states).filter(|(_, s)| **s == State::Valid).map(|(v, _)| v.number).max();
        for (state, version) in states.iter_mut().zip(&self.versions) {
            if *state == State::Valid && Some(version.number) != newest {
                *state = State::Superseded;
            }
        }
        states
    }
}
