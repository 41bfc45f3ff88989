//! A glance at the document in a message, without a verdict: whose it is, which a sender must know to choose the partition, and what its PDF declares.

use super::Examiner;
use crate::cda::open::{self, Opened};
use crate::cda::{body, header};
use crate::crypto;
use crate::domain::digest::Digest;
use crate::fhir::event::{self, is_event};
use crate::v3::event::EventFrame;
use crate::v3::frame::Content;
use crate::xml::identity::Identities;
use crate::xml::prepass::{self, Encoding};
use crate::xml::tree;

impl Examiner {
    /// The keyed hash of the client, read as the examination reads it, from a message that need not be good otherwise: the value that its lane goes by.
    /// `None` for what has no lane: unreadable messages, acknowledgements, queries, documents without a client, events whose frame names none.
    #[must_use]
    pub fn client(&self, octets: &[u8]) -> Option<Digest> {
        let hash = |client: &[u8]| crypto::hmac_sha256(&self.site.site_key, client).unwrap_or(Digest::ZERO);
        let of_notice = |message: &tree::Document<'_>| event::client_octets(message).map(|client| hash(&client));
        self.glance(octets, |document| header::client_of(document, &self.rules, &hash), |event| event.client.as_deref().map(&hash), of_notice)
    }

    /// What the PDF in a message declares of itself, "PDF/A-1b": its own word, nobody here has judged whether it is so. `None` without a PDF that is taken.
    #[must_use]
    pub fn declares(&self, octets: &[u8]) -> Option<String> {
        let look = |document: &tree::Document<'_>| {
            let group = self.rules.templates.group(document)?;
            body::read(document, &self.rules, group).ok()?.declares.map(|claim| claim.to_string())
        };
        self.glance(octets, look, |_| None, |_| None)
    }

    /// Looks into the document, or the event, of a message that need not be good otherwise.
    fn glance<T>(
        &self,
        octets: &[u8],
        look: impl FnOnce(&tree::Document<'_>) -> Option<T>,
        event: impl FnOnce(&EventFrame) -> Option<T>,
        notice: impl FnOnce(&tree::Document<'_>) -> Option<T>,
    ) -> Option<T> {
        let decoded = prepass::decode(octets, Encoding::Any, self.site.octets.0).ok()?;
        let walked = prepass::walk(&decoded.text, &Identities::usual()).ok()?;
        let message = tree::parse(walked.text).ok()?;
        if is_event(&message) {
            return notice(&message);
        }
        match open::open(&message, &self.rules, &self.site.frames).ok()? {
            Opened::Bare => look(&message),
            Opened::Framed(frame) => match &frame.content {
                Content::Document { octets, .. } => {
                    let decoded = prepass::decode(octets, Encoding::Any, self.site.octets.1).ok()?;
                    let walked = prepass::walk(&decoded.text, &Identities::usual()).ok()?;
                    look(&tree::parse(walked.text).ok()?)
                }
                Content::Event(frame) => event(frame),
                // It needs no order.
                Content::Query(_) => None,
            },
            Opened::Acknowledgement => None,
        }
    }
}
