//! What a look at a message leaves: what its answer needs, and the verdict.

use std::sync::Arc;

use crate::cda::seal::SealPoint;
use crate::cda::verify::SignatureFact;
use crate::domain::access::Grant;
use crate::domain::ack::{InstanceId, Target};
use crate::domain::digest::Digest;
use crate::domain::document::Header;
use crate::domain::facts::{DocumentNeeds, Needs};
use crate::domain::finding::{Finding, Place};
use crate::domain::lifecycle::{EventRequest, Invalidation};
use crate::domain::log::Sealed;
use crate::domain::message::{MessageKey, Sender};
use crate::domain::notice::{NoticePlaces, OutsideDisclosure};
use crate::domain::query::Query;
use crate::domain::refusal::Refusal;
use crate::domain::will::Said;
use crate::pipeline::lanes::Touches;
use crate::rules::decide::{Holding, Request};
use crate::rules::{lifecycle, notice, wills};
use crate::v3::frame::FrameHead;
use crate::xml::prepass;

/// A message that has been looked at.
pub struct Examined {
    /// Its key.
    pub key: MessageKey,
    /// The rule set that judged it.
    pub rules: Digest,
    /// What an answer names as its target.
    pub target: Target,
    /// The answer's receiver: the frame's sender.
    pub answer_to: InstanceId,
    /// The answer's sender: the frame's receiver.
    pub answer_from: InstanceId,
    /// The answer's processing code.
    pub processing_code: String,
    /// The answer's version code.
    pub version_code: String,
    /// An incoming acknowledgement: recorded, never answered.
    pub is_acknowledgement: bool,
    /// The service request's code.
    pub service_request: Option<String>,
    /// The purpose of use.
    pub purpose: Option<String>,
    /// The document's id, as far as it could be read.
    pub document_id: Option<String>,
    /// Under which registrations it was sent.
    pub grant: Grant,
    pub(super) frame: Option<InstanceId>,
    /// It is a query: what was read of it, also where it is refused.
    pub queried: Option<Queried>,
    /// What was found.
    pub verdict: Result<Accepted, Refusal>,
}

/// What was read of a query before it was judged.
#[derive(Debug, Clone)]
pub enum Queried {
    /// It could not be read.
    Unread,
    /// What is asked.
    Read(Box<Query>),
}

/// What passed.
pub enum Accepted {
    /// A document to archive.
    Document(Box<AcceptedDocument>),
    /// An event about archived documents.
    Event(Box<AcceptedEvent>),
    /// A disclosure outside the archive.
    Disclosure(Box<AcceptedDisclosure>),
    /// A query.
    Query(Box<AcceptedQuery>),
}

/// An event that may be decided.
pub struct AcceptedEvent {
    /// What is asked.
    pub request: EventRequest,
    /// The client's id, for the access log only.
    pub client_sealed: Option<Sealed>,
    /// What the sender is told with the acceptance.
    pub warnings: Vec<Finding>,
}

/// A disclosure outside the archive that may be decided.
pub struct AcceptedDisclosure {
    /// What is told.
    pub event: OutsideDisclosure,
    /// The client (keyed hash).
    pub client: Digest,
    /// Where things stand in the event.
    pub places: NoticePlaces,
    /// What the sender is told with the acceptance.
    pub warnings: Vec<Finding>,
}

/// A query that may be answered.
pub struct AcceptedQuery {
    /// What is asked.
    pub query: Query,
    /// Where it stands in the frame.
    pub place: Place,
    /// What the sender is told with the answer.
    pub warnings: Vec<Finding>,
}

/// A document that passed.
pub struct AcceptedDocument {
    /// Its header facts.
    pub header: Header,
    /// What the sender is told with the acceptance.
    pub warnings: Vec<Finding>,
    /// Its octets as received: the message itself, or what the frame carried.
    pub document: Arc<Vec<u8>>,
    /// Their SHA-256.
    pub received: Digest,
    /// The signatures it came with, all verified.
    pub signatures: Vec<SignatureFact>,
    /// Where our signature goes.
    pub seal: SealPoint,
    /// It invalidates its set.
    pub invalidates: Option<Box<Invalidation>>,
    /// The client's id, for the access log only.
    pub client_sealed: Option<Sealed>,
    /// What it says as a will expression of its client; always there in groups 7 to 9.
    pub will: Option<(Said, wills::Counting)>,
}

impl AcceptedDocument {
    /// The request that `decide` takes.
    #[must_use]
    pub fn request(&self, examined: &Examined, holding: Holding) -> Request {
        Request {
            key: examined.key.clone(),
            frame: examined.frame.clone(),
            header: self.header.clone(),
            invalidates: self.invalidates.is_some(),
            will: self.will.clone(),
            received: self.received,
            warnings: self.warnings.clone(),
            holding,
            rules: examined.rules,
        }
    }
}

impl AcceptedEvent {
    /// The request that `lifecycle::decide` takes.
    #[must_use]
    pub fn request(&self, examined: &Examined, holding: Holding) -> lifecycle::Request {
        lifecycle::Request {
            key: examined.key.clone(),
            frame: examined.frame.clone(),
            event: self.request.clone(),
            warnings: self.warnings.clone(),
            holding,
            rules: examined.rules,
        }
    }
}

impl AcceptedDisclosure {
    /// The request that `notice::decide` takes.
    #[must_use]
    pub fn request(&self, examined: &Examined) -> notice::Request<'_> {
        notice::Request { event: &self.event, client: self.client, places: &self.places, warnings: &self.warnings, rules: examined.rules }
    }
}

impl Accepted {
    /// What the sender is told, and the signatures that were verified.
    #[must_use]
    pub fn remarks(self) -> (Vec<Finding>, Vec<SignatureFact>) {
        match self {
            Self::Document(document) => (document.warnings, document.signatures),
            Self::Event(event) => (event.warnings, Vec::new()),
            Self::Disclosure(disclosure) => (disclosure.warnings, Vec::new()),
            Self::Query(query) => (query.warnings, Vec::new()),
        }
    }
}

impl Examined {
    /// The header facts of a document that passed.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        if let Ok(Accepted::Document(document)) = &self.verdict { Some(&document.header) } else { None }
    }

    /// What the archive is asked before the decision.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let event = if let Ok(Accepted::Event(event)) = &self.verdict { Some(event.request.target.clone()) } else { None };
        let (wills, named) = match &self.verdict {
            Ok(Accepted::Document(accepted)) => {
                accepted.will.as_ref().map_or((None, Vec::new()), |(said, _)| (Some(accepted.header.client), said.names().into_iter().cloned().collect()))
            }
            _ => (None, Vec::new()),
        };
        Needs { key: self.key.clone(), frame: self.frame_id(), document: self.header().map(DocumentNeeds::of), event, wills, named }
    }

    /// The frame's id.
    #[must_use]
    pub fn frame_id(&self) -> Option<InstanceId> {
        self.frame.clone()
    }

    /// The lane of what passed. A refusal depends on nothing and needs none, nor does a query; an event has one where its frame names the client.
    #[must_use]
    pub fn lane(&self) -> Option<(Digest, Touches)> {
        match self.verdict.as_ref().ok()? {
            Accepted::Document(document) => Some((document.header.client, Touches::of(&document.header))),
            Accepted::Event(event) => event.request.client.map(|client| (client, Touches::of_event(&event.request.target))),
            Accepted::Disclosure(told) => Some((told.client, Touches::of_notice(&told.event.id, told.event.corrects.as_ref()))),
            Accepted::Query(_) => None,
        }
    }
}

/// What one look at a message gathers, whether it passes or not.
#[derive(Default)]
pub(super) struct Look {
    /// Who sends; nobody where a file is only looked at.
    pub(super) user: Option<Sender>,
    pub(super) grant: Grant,
    pub(super) head: FrameHead,
    pub(super) framed: bool,
    pub(super) acknowledgement: bool,
    pub(super) service_request: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) document_id: Option<String>,
    pub(super) queried: Option<Queried>,
}

impl Look {
    /// Of a message that cannot be parsed: the id, if it stands before the fault, so that the answer can name it.
    pub(super) fn first_id(&mut self, octets: &[u8]) {
        if self.head.id.is_none()
            && let Some(found) = prepass::first_id(octets)
        {
            self.head.id = found.id;
            self.acknowledgement = found.element == "MCCI_IN000002UV01";
        }
    }
}
