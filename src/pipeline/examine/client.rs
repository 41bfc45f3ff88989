//! A glance at the document in a message, without a verdict: whose it is, which a sender must know to choose the partition, and what its PDF declares.

use super::Examiner;
use crate::cda::open::{self, Opened};
use crate::cda::{body, header};
use crate::crypto;
use crate::domain::digest::Digest;
use crate::v3::frame::Content;
use crate::xml::identity::Identities;
use crate::xml::prepass::{self, Encoding};
use crate::xml::tree;

impl Examiner {
    /// The keyed hash of the client, read as the examination reads it, from a message that need not be good otherwise: the value that its lane goes by.
    /// `None` for what has no lane: unreadable messages, acknowledgements, documents without a client.
    #[must_use]
    pub fn client(&self, octets: &[u8]) -> Option<Digest> {
        let hash = |client: &[u8]| crypto::hmac_sha256(&self.site.site_key, client).unwrap_or(Digest::ZERO);
        self.glance(octets, |document| header::client_of(document, &self.rules, &hash))
    }

    /// What the PDF in a message declares of itself, "PDF/A-1b": its own word, nobody here has judged whether it is so. `None` without a PDF that is taken.
    #[must_use]
    pub fn declares(&self, octets: &[u8]) -> Option<String> {
        self.glance(octets, |document| {
            let group = self.rules.templates.group(document)?;
            body::read(document, &self.rules, group).ok()?.declares.map(|claim| claim.to_string())
        })
    }

    /// Looks into the document of a message that need not be good otherwise.
    fn glance<T>(&self, octets: &[u8], look: impl FnOnce(&tree::Document<'_>) -> Option<T>) -> Option<T> {
        let decoded = prepass::decode(octets, Encoding::Any, self.site.octets.0).ok()?;
        let walked = prepass::walk(&decoded.text, &Identities::usual()).ok()?;
        let message = tree::parse(walked.text).ok()?;
        match open::open(&message, &self.rules, &self.site.frames).ok()? {
            Opened::Bare => look(&message),
            Opened::Framed(frame) => {
                // An event and a query bring no document: the one is ordered by the archive, the other needs no order.
                let Content::Document { octets, .. } = &frame.content else { return None };
                let decoded = prepass::decode(octets, Encoding::Any, self.site.octets.1).ok()?;
                let walked = prepass::walk(&decoded.text, &Identities::usual()).ok()?;
                look(&tree::parse(walked.text).ok()?)
            }
            Opened::Acknowledgement => None,
        }
    }
}
