//! Whose document a message carries: what a sender must know to choose the partition.

use super::Examiner;
use crate::cda::header;
use crate::cda::open::{self, Opened};
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
        let decoded = prepass::decode(octets, Encoding::Any, self.site.octets.0).ok()?;
        let walked = prepass::walk(&decoded.text, &Identities::usual()).ok()?;
        let message = tree::parse(walked.text).ok()?;
        match open::open(&message, &self.rules, &self.site.frames).ok()? {
            Opened::Bare => self.client_of(&message),
            Opened::Framed(frame) => {
                // An event and a query bring no document: the one is ordered by the archive, the other needs no order.
                let Content::Document { octets, .. } = &frame.content else { return None };
                let decoded = prepass::decode(octets, Encoding::Any, self.site.octets.1).ok()?;
                let walked = prepass::walk(&decoded.text, &Identities::usual()).ok()?;
                self.client_of(&tree::parse(walked.text).ok()?)
            }
            Opened::Acknowledgement => None,
        }
    }

    fn client_of(&self, document: &tree::Document<'_>) -> Option<Digest> {
        let hash = |client: &[u8]| crypto::hmac_sha256(&self.site.site_key, client).unwrap_or(Digest::ZERO);
        header::client_of(document, &self.rules, &hash)
    }
}
