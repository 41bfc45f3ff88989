//! All that one commit makes durable. A `Commit` is built by `rules`, checked and written by the archive adapter in one transaction.

use std::sync::Arc;

use super::ack::InstanceId;
use super::digest::Digest;
use super::document::Header;
use super::facts::{Awaited, Expectation, Hold};
use super::ledger::{Entry, Position};
use super::lifecycle::EventRecord;
use super::log::{DisclosedRow, Sealed};
use super::message::{Envelope, MessageKey, Reply};
use super::messages::Road;
use super::notice::{Leaving, NoticeRecord};
use super::oid::Oid;
use super::outbox::OutboxEntry;
use super::refused::{Came, ReplayMark, ReplayOutcome};
use super::time::Moment;
use super::will::Said;

/// One request's whole effect.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The message.
    pub key: MessageKey,
    /// When it was decided.
    pub at: Moment,
    /// Where this delivery's answer goes; `None` when it is owed none or comes from the hold.
    pub reply: Option<Reply>,
    /// What happens.
    pub effect: Effect,
    /// What the decision relied on.
    pub expects: Vec<Expectation>,
    /// The inbox revision that this decision supersedes; `None` when the key is expected to be new.
    pub supersedes: Option<u32>,
    /// The way here.
    pub road: Road,
    /// The replay that this decision ends, in the same transaction.
    pub replay: Option<ReplayMark>,
}

/// What happens to the archive.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A document is archived and answered.
    Archive(Box<Archive>),
    /// A document or a set is invalidated or reinstated.
    Event(Box<Event>),
    /// The message is refused, kept and, where it has a reply address, answered.
    Refuse(Box<Refuse>),
    /// A query is answered.
    Answer(Box<QueryAnswer>),
    /// A disclosure outside the archive is archived as a notice, which leaves.
    Notice(Box<NoticeCommit>),
    /// The message is put on hold.
    Hold(Box<Held>),
    /// The stored answer goes out again to `Commit::reply`; nothing else changes. On a held key: `reply` is added to those that will be answered.
    Repeat,
}

/// A document and its surroundings.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The header facts.
    pub header: Header,
    /// The frame's id: claimed for this sender for good.
    pub frame: Option<InstanceId>,
    /// The archived octets: the received document with our signature spliced in.
    pub octets: Arc<Vec<u8>>,
    /// Where our signature begins in `octets`, and how long it is (0 where it is kept beside): without it they are the received octets.
    pub splice: (usize, usize),
    /// SHA-256 of the document as received.
    pub received: Digest,
    /// Our signature's own document, where the profile keeps it beside; `octets` are then the received ones.
    pub beside: Option<Vec<u8>>,
    /// SHA-256 of `octets`; the ledger's entry has that of `octets` and `beside` after them.
    pub archived: Digest,
    /// The ledger's entry.
    pub entry: Entry,
    /// The access log's entry.
    pub access: Access,
    /// The answer, all but its ledger position.
    pub answer: AnswerDraft,
    /// Digest of the outcome.
    pub outcome: Digest,
    /// The invalidation that comes with an invalidating version.
    pub event: Option<Box<Along>>,
    /// What it says as a will expression of its client.
    pub will: Option<Said>,
}

/// An event that comes along with an archived document: its entry follows the document's.
#[derive(Debug, Clone)]
pub struct Along {
    /// The event.
    pub record: EventRecord,
    /// Its ledger entry, without an answer of its own.
    pub entry: Entry,
}

/// An event and its surroundings.
#[derive(Debug, Clone)]
pub struct Event {
    /// The event.
    pub record: EventRecord,
    /// The case that the target makes or renews.
    pub case_id: Option<Oid>,
    /// The client relation that the target makes or renews.
    pub relation_id: Option<Oid>,
    /// The frame's id: claimed for this sender for good.
    pub frame: Option<InstanceId>,
    /// The received message, kept: it is all the evidence there is.
    pub octets: Arc<Vec<u8>>,
    /// The ledger's entry.
    pub entry: Entry,
    /// The access log's entry.
    pub access: Access,
    /// The answer, all but its ledger position.
    pub answer: AnswerDraft,
    /// Digest of the outcome.
    pub outcome: Digest,
}

/// A notice and its surroundings.
#[derive(Debug, Clone)]
pub struct NoticeCommit {
    /// What is kept of it in columns.
    pub record: NoticeRecord,
    /// The received event, kept.
    pub event: Arc<Vec<u8>>,
    /// The FHIR bundle, signed.
    pub bundle: Arc<Vec<u8>>,
    /// The CDA document, where the site makes one.
    pub cda: Option<Arc<Vec<u8>>>,
    /// What goes to the notice queue.
    pub leaving: Vec<Leaving>,
    /// The ledger's entry.
    pub entry: Entry,
    /// The access log's rows: one for each part, so that each controller finds its own.
    pub looks: Vec<Look>,
    /// The disclosure log's rows: one for each data set.
    pub disclosed: Vec<DisclosedRow>,
    /// The answer, all but its ledger position.
    pub answer: AnswerDraft,
    /// Digest of the outcome.
    pub outcome: Digest,
}

/// A durable refusal (or a note: `answer` is `None` and `noted` is true).
#[derive(Debug, Clone)]
pub struct Refuse {
    /// The code that names it; `None` only for a note.
    pub code: Option<String>,
    /// Whether it is final under this rule set.
    pub is_final: bool,
    /// An incoming acknowledgement: recorded, never answered.
    pub noted: bool,
    /// The received octets, kept for replay.
    pub octets: Arc<Vec<u8>>,
    /// The ledger's entry.
    pub entry: Entry,
    /// The answer, all but its ledger position.
    pub answer: Option<AnswerDraft>,
    /// Digest of the outcome: the same as before means the stored answer goes out again.
    pub outcome: Digest,
    /// The access log's rows, where what was refused was a query.
    pub looks: Vec<Look>,
    /// Where it came from, for operators and for a replay.
    pub came: Came,
}

/// An answer to a query. Where the outcome is the stored answer's, that answer goes out again instead, with access log rows of its own.
#[derive(Debug, Clone)]
pub struct QueryAnswer {
    /// The code that names it, when it found too much to be given.
    pub code: Option<String>,
    /// The ledger's entry.
    pub entry: Entry,
    /// The answer, all but its ledger position.
    pub answer: AnswerDraft,
    /// Digest of the outcome: the verdict for every document.
    pub outcome: Digest,
    /// The access log's rows of this sending.
    pub looks: Vec<Look>,
    /// The disclosure log's rows of this sending.
    pub disclosed: Vec<DisclosedRow>,
}

/// A row of the access log that a query makes: the search itself, or a document that it showed or gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Who, what, and why.
    pub access: Access,
    /// The document; `None` for the search itself.
    pub document_id: Option<Oid>,
    /// The document's controller, or the registers searched.
    pub controller: String,
    /// The organisation that asked.
    pub organisation: Option<Oid>,
    /// The person who asked (keyed hash).
    pub person: Option<Digest>,
    /// The client (keyed hash): the document's, or the one asked for.
    pub client: Option<Digest>,
    /// Of the search: the criteria's names and what came of it, without any value.
    pub detail: Option<String>,
    /// The query's id (root, or root^extension).
    pub query_id: Option<String>,
    /// The client's id, for exports only.
    pub client_sealed: Option<Sealed>,
    /// The person's id and name, for exports only.
    pub person_sealed: Option<Sealed>,
}

/// A message put on hold.
#[derive(Debug, Clone)]
pub struct Held {
    /// What it waits for and until when.
    pub hold: Hold,
    /// The message, to be decided anew.
    pub envelope: Envelope,
    /// The rule set.
    pub rules: Digest,
}

/// An answer with the place where the ledger position goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerDraft {
    /// The answer without its position.
    pub octets: Vec<u8>,
    /// Where in `octets` the position's decimal digits are put in.
    pub slot: usize,
    /// SHA-256 of `octets`: what the ledger hashes.
    pub digest: Digest,
}

impl AnswerDraft {
    /// The answer with its position: what is stored and sent.
    #[must_use]
    pub fn at(&self, position: Position) -> Vec<u8> {
        let digits = position.0.to_string();
        let slot = self.slot.min(self.octets.len());
        let mut out = Vec::with_capacity(self.octets.len() + digits.len());
        out.extend_from_slice(&self.octets[..slot]);
        out.extend_from_slice(digits.as_bytes());
        out.extend_from_slice(&self.octets[slot..]);
        out
    }
}

/// The access log's entry: who did what to which document, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Who: the sender.
    pub actor: String,
    /// What: `store`, `replace`, `invalidate`, `reinstate`; of queries `search`, `show`, `fetch`, `history`.
    pub action: String,
    /// The service request's code, when it came in a frame.
    pub service_request: Option<String>,
    /// The purpose of use's code, when it came in a frame.
    pub purpose: Option<String>,
    /// Of a document or an event: the client (keyed hash). A row of a query has its own.
    pub client: Option<Digest>,
    /// The client's id, for exports only.
    pub client_sealed: Option<Sealed>,
}

/// What the commit came to.
#[derive(Debug, Clone)]
pub enum Committed {
    /// It is durable.
    Done(Done),
    /// The archive refuses these values themselves, and will whenever they come again; nothing was written. The detail is for operators and
    /// holds no value of the message. A defect of ours, since what cannot be archived should not have been decided.
    Unfit(String),
    /// The replay that it belongs to was ended by another, or let go: nothing was written, and nothing is left to do.
    Moot,
    /// What the decision relied on no longer holds, or another decided the same key or id meanwhile: look and decide again.
    Stale,
}

/// A durable commit.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// The ledger position, where the effect has one.
    pub position: Option<Position>,
    /// What must leave now. The adapter has leased these rows to this instance.
    pub outbox: Vec<OutboxEntry>,
    /// Held messages that waited for what this commit brought: decide them anew.
    pub released: Vec<HeldMessage>,
    /// What the replay came to that this commit belonged to.
    pub replayed: Option<ReplayOutcome>,
}

/// A held message, ready to be decided anew.
#[derive(Debug, Clone)]
pub struct HeldMessage {
    /// Its key.
    pub key: MessageKey,
    /// Its inbox revision.
    pub revision: u32,
    /// The message; its `reply` is `None`, the replies wait with the hold.
    pub envelope: Envelope,
    /// What it waits for.
    pub awaits: Awaited,
    /// When it was put on hold.
    pub since: Moment,
    /// When its time is up.
    pub until: Moment,
}
