//! What a look at a message leaves: what its answer needs, and the verdict.

use std::sync::Arc;

use crate::cda::seal::SealPoint;
use crate::cda::verify::SignatureFact;
use crate::domain::access::Grant;
use crate::domain::ack::{InstanceId, Target};
use crate::domain::digest::Digest;
use crate::domain::document::Header;
use crate::domain::finding::Finding;
use crate::domain::message::{MessageKey, Sender};
use crate::domain::refusal::Refusal;
use crate::pipeline::lanes::Touches;
use crate::rules::decide::{Holding, Request};
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
    /// What was found.
    pub verdict: Result<Box<Accepted>, Refusal>,
}

/// A document that passed.
pub struct Accepted {
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
}

impl Accepted {
    /// The request that `decide` takes.
    #[must_use]
    pub fn request(&self, examined: &Examined, holding: Holding) -> Request {
        Request {
            key: examined.key.clone(),
            frame: examined.frame.clone(),
            header: self.header.clone(),
            received: self.received,
            warnings: self.warnings.clone(),
            holding,
            rules: examined.rules,
        }
    }
}

impl Examined {
    /// The header facts of a document that passed.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        self.verdict.as_ref().ok().map(|a| &a.header)
    }

    /// The frame's id.
    #[must_use]
    pub fn frame_id(&self) -> Option<InstanceId> {
        self.frame.clone()
    }

    /// The lane of a document that passed; a refusal depends on nothing and needs none.
    #[must_use]
    pub fn lane(&self) -> Option<(Digest, Touches)> {
        self.header().map(|h| (h.client, Touches::of(h)))
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
