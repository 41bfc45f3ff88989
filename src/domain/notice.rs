//! A disclosure outside the archive and its notice (luovutusilmoitus, anmälan om utlämnande, LILM; messaging.md §4): what a disclosing system tells,
//! and what of it the archive keeps beside the octets.

use std::fmt;
use std::sync::Arc;

use super::digest::Digest;
use super::document::Date;
use super::facts::DocumentFact;
use super::finding::Place;
use super::ledger::Position;
use super::oid::Oid;
use super::time::Moment;

/// The most register sections of one disclosure, each an AuditEvent of its own: a controller has two registers, a discloser few controllers.
pub const SECTIONS: usize = 16;
/// The most data sets of one disclosure: as many as one query gives, so that a whole answer on paper fits one notice.
pub const ITEMS: usize = 300;
/// How long after the disclosure it may be recorded before that is called late (messaging.md Q19).
pub const LATE: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// What a disclosing system tells of one disclosure. It names people: it has no `Debug` that shows them, and goes nowhere but into the notice.
#[derive(Clone)]
pub struct OutsideDisclosure {
    /// The event's own id; the notice bears it in the archive.
    pub id: Oid,
    /// The earlier notice that this one corrects.
    pub corrects: Option<Oid>,
    /// The language of its words (`fi`, `sv`).
    pub language: String,
    /// The sending system.
    pub system: Oid,
    /// Whose data.
    pub client: Person,
    /// When they were disclosed.
    pub disclosed_at: Moment,
    /// When that was recorded.
    pub recorded_at: Moment,
    /// Code of the type of disclosure (luovutuksen laji).
    pub kind: String,
    /// Code of the purpose.
    pub purpose: String,
    /// Code of the way (paper, oral, electronic).
    pub manner: String,
    /// By what right.
    pub basis: Basis,
    /// Who disclosed.
    pub discloser: Professional,
    /// Who wrote it down; `None`: the discloser.
    pub author: Option<Professional>,
    /// Who received.
    pub recipient: Recipient,
    /// What was disclosed, register by register.
    pub sections: Vec<Section>,
    /// Free words about the disclosure.
    pub description: Option<String>,
}

/// A person by id and name.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The id's root and extension, where there is an id.
    pub id: Option<(String, String)>,
    /// The family name.
    pub family: Option<String>,
    /// The given names.
    pub given: Option<String>,
}

/// A person at work.
#[derive(Clone, PartialEq, Eq)]
pub struct Professional {
    /// Id and name.
    pub person: Person,
    /// The title (ammattinimike, yrkesbeteckning).
    pub title: Option<String>,
    /// Code of how the person was authenticated.
    pub authentication: Option<String>,
    /// The organisation.
    pub organisation: Organisation,
    /// The unit.
    pub unit: Option<Organisation>,
}

/// An organisation by OID and name.
#[derive(Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its OID.
    pub id: Oid,
    /// Its name.
    pub name: String,
}

/// Who received.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// What sort.
    pub kind: RecipientKind,
    /// The organisation's OID, where it has one.
    pub organisation: Option<Oid>,
    /// The person's id, where it is a person with one: root and extension.
    pub person: Option<(String, String)>,
    /// The name.
    pub name: Option<String>,
}

/// What sort of recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecipientKind {
    /// Another controller of social welfare or health care.
    Controller,
    /// Another authority.
    Authority,
    /// A private person.
    Private,
    /// The client.
    Client,
    /// Anybody else.
    Other,
}

impl RecipientKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Controller, Self::Authority, Self::Private, Self::Client, Self::Other];

    /// The word in events, tables and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Authority => "authority",
            Self::Private => "private",
            Self::Client => "client",
            Self::Other => "other",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// In which format a notice leaves on the notice queue. The bundle is archived always: it is what the archive says of the disclosure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeFormat {
    /// The FHIR bundle.
    Fhir,
    /// The CDA R2 document of view LILM, archived beside the bundle.
    Cda,
    /// Both, as two messages.
    Both,
}

impl NoticeFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fhir, Self::Cda, Self::Both];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fhir => "fhir",
            Self::Cda => "cda",
            Self::Both => "both",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }

    /// Whether the bundle leaves.
    #[must_use]
    pub const fn has_fhir(self) -> bool {
        matches!(self, Self::Fhir | Self::Both)
    }

    /// Whether the document is made and leaves.
    #[must_use]
    pub const fn has_cda(self) -> bool {
        matches!(self, Self::Cda | Self::Both)
    }
}

/// By what right.
#[derive(Clone, PartialEq, Eq)]
pub enum Basis {
    /// A statute, with its section.
    Statute(String),
    /// A permission (luovutuslupa) of this id in the will store.
    Permission(Oid),
    /// A permission or a consent that is in no store: the notice brings it along.
    Embedded(Permission),
}

impl Basis {
    /// The word in events and logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Statute(_) => "statute",
            Self::Permission(_) => "permission",
            Self::Embedded(permission) if permission.is_consent => "consent",
            Self::Embedded(_) => "permission",
        }
    }
}

/// A permission or consent that comes with the event.
#[derive(Clone, PartialEq, Eq)]
pub struct Permission {
    /// A consent (suostumus, outside social welfare and health care) rather than a permission (luovutuslupa).
    pub is_consent: bool,
    /// Given by a representative, not by the client.
    pub by_representative: bool,
    /// When it was given.
    pub given_at: Moment,
    /// To what.
    pub scope: String,
}

/// What was disclosed of one register: one AuditEvent.
#[derive(Clone)]
pub struct Section {
    /// Whose data.
    pub controller: Organisation,
    /// Code of the register's type.
    pub register: String,
    /// The data sets.
    pub items: Vec<Item>,
}

/// One document or data set.
#[derive(Clone)]
pub struct Item {
    /// The document's id, where it has one.
    pub document: Option<Oid>,
    /// Its set.
    pub set_id: Option<Oid>,
    /// When it was drawn up, where that is known.
    pub authored: Option<Date>,
    /// General document type (asiakirjan yleinen tyyppi): code and words.
    pub general_type: Option<Coded>,
    /// Precise document type.
    pub precise_type: Option<Coded>,
    /// Free words.
    pub description: Option<String>,
    /// Codes of its service tasks.
    pub tasks: Vec<String>,
    /// Original service tasks: code system and code.
    pub original_tasks: Vec<(String, String)>,
}

/// A code with its system and words.
#[derive(Clone, PartialEq, Eq)]
pub struct Coded {
    /// The code system.
    pub system: String,
    /// The code.
    pub code: String,
    /// What it says.
    pub display: String,
}

impl NoticeRecord {
    /// The id of its CDA document: number 0 beside the parts' 1, 2, … . `None` without parts, which no kept notice is.
    #[must_use]
    pub fn cda_id(&self) -> Option<Oid> {
        let (base, _) = self.parts.first()?.sent_id.as_str().rsplit_once('.')?;
        Oid::parse(&format!("{base}.0")).ok()
    }
}

impl OutsideDisclosure {
    /// Whether it was recorded later than it should be.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.recorded_at > self.disclosed_at.plus(LATE)
    }

    /// The ids of documents that it names, in their order, each once.
    #[must_use]
    pub fn documents(&self) -> Vec<Oid> {
        let mut ids: Vec<Oid> = Vec::new();
        for id in self.sections.iter().flat_map(|s| &s.items).filter_map(|item| item.document.as_ref()) {
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        ids
    }
}

impl fmt::Debug for OutsideDisclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutsideDisclosure({})", self.id)
    }
}

/// Where in the event that stands which only the archive or the clock can judge.
#[derive(Debug, Clone)]
pub struct NoticePlaces {
    /// The event's id.
    pub id: Place,
    /// The notice that it corrects.
    pub corrects: Place,
    /// When the data were disclosed.
    pub disclosed: Place,
    /// When that was recorded.
    pub recorded: Place,
    /// The permission.
    pub permission: Place,
    /// Each document that is named, with its register's controller.
    pub documents: Vec<(Oid, Oid, Place)>,
}

/// What the archive keeps of a notice in columns; people are in none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRecord {
    /// The event's id.
    pub id: Oid,
    /// Whose data (keyed hash).
    pub client: Digest,
    /// The earlier notice that it corrects.
    pub corrects: Option<Oid>,
    /// When the data were disclosed.
    pub disclosed_at: Moment,
    /// When that was recorded.
    pub recorded_at: Moment,
    /// One for each AuditEvent of the bundle, in order.
    pub parts: Vec<NoticePart>,
    /// SHA-256 of the received event.
    pub event_sha: Digest,
    /// SHA-256 of the bundle, its signature in it.
    pub bundle_sha: Digest,
}

/// One AuditEvent of a notice, with its Provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticePart {
    /// From 1.
    pub number: u32,
    /// The AuditEvent's id as sent (`sent_id`); the receiver gives it another.
    pub sent_id: Oid,
    /// The Provenance's id as sent.
    pub provenance_id: Oid,
    /// Whose register.
    pub controller: Oid,
    /// The register's type.
    pub register: String,
}

/// A notice as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// Its ledger entry.
    pub position: Position,
    /// When it was archived.
    pub at: Moment,
    /// Who sent the event.
    pub sender: String,
    /// What is kept of it.
    pub record: NoticeRecord,
    /// It waits in the outbox: the notice queue has not taken it yet.
    pub waiting: bool,
}

/// A notice as it lies in the archive.
#[derive(Debug, Clone)]
pub struct StoredNotice {
    /// What the columns say.
    pub row: NoticeRow,
    /// The received event.
    pub event: Vec<u8>,
    /// The FHIR bundle, signed.
    pub bundle: Vec<u8>,
    /// The CDA document of view LILM, where one was made.
    pub cda: Option<Vec<u8>>,
}

/// Which notices are asked for: of one controller, disclosed from a moment until before another, behind a position.
#[derive(Debug, Clone, Default)]
pub struct NoticeCriteria {
    /// Only those with data of this controller.
    pub controller: Option<Oid>,
    /// Disclosed at this moment or later.
    pub from: Option<Moment>,
    /// Disclosed before this moment.
    pub until: Option<Moment>,
    /// Only those behind this ledger position.
    pub after: Option<Position>,
}

/// What to look up for one event.
#[derive(Debug, Clone)]
pub struct NoticeNeeds {
    /// The event.
    pub id: Oid,
    /// The notice it corrects.
    pub corrects: Option<Oid>,
    /// Documents it names, and a permission, each once.
    pub documents: Vec<Oid>,
}

/// What the archive knows of them.
#[derive(Debug, Clone, Default)]
pub struct NoticeFacts {
    /// The notice that bears the event's id.
    pub known: Option<NoticeRecord>,
    /// The notice that is corrected.
    pub corrected: Option<NoticeRecord>,
    /// Those of the documents that are archived.
    pub documents: Vec<DocumentFact>,
}

/// One message that leaves beside the acknowledgement.
#[derive(Debug, Clone)]
pub struct Leaving {
    /// The AMQP `message_id`, the same for every attempt.
    pub amqp_id: String,
    /// The queue.
    pub queue: String,
    /// The AMQP `content_type`.
    pub content_type: &'static str,
    /// The octets.
    pub body: Arc<Vec<u8>>,
}
