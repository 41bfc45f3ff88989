//! An archived document looked at again: its octets, its header columns, every signature in it.

use super::{Examiner, document_id};
use crate::cda::content;
use crate::cda::verify::{self, SignerRule};
use crate::crypto;
use crate::domain::digest::Digest;
use crate::domain::document::Header;
use crate::domain::oid::Oid;
use crate::ports::archive::StoredDocument;
use crate::xml::tree::{self, Document};

/// Who signs for this gateway: needed to judge its own signatures.
#[derive(Debug, Clone, Default)]
pub struct OwnSigner {
    /// The `serialNumber` of each of its certificates, where it is an OID.
    pub serials: Vec<Oid>,
}

impl Examiner {
    /// What is wrong with an archived document: it must parse, bear its id, and every signature in it must verify, ours among them. Empty when all is well.
    #[must_use]
    pub fn audit(&self, stored: &StoredDocument, own: &OwnSigner) -> Vec<String> {
        let Ok(text) = std::str::from_utf8(&stored.octets) else { return vec!["the octets are not UTF-8".to_owned()] };
        let Ok(document) = tree::parse(text) else { return vec!["the octets are not well-formed".to_owned()] };
        let mut faults = Vec::new();
        if document_id(&document).as_deref() != Some(stored.id.as_str()) {
            faults.push("the octets are of another document".to_owned());
        }
        faults.extend(self.audit_header(&document, stored));
        let senders: Vec<Oid> = self.site.signers.iter().chain(&own.serials).cloned().collect();
        match verify::verify(&document, &self.site.anchors, &SignerRule { senders: &senders, require_professional: false }) {
            Ok(signatures) if signatures.iter().any(|s| s.kind == verify::Kind::System) => {}
            Ok(_) => faults.push("no system signature".to_owned()),
            Err(findings) => faults.extend(findings.iter().map(|f| format!("{} {}", f.code.as_str(), f.code.name()))),
        }
        faults
    }

    /// The header columns against the octets, read again by today's rules; what they no longer accept cannot be compared and is said so.
    fn audit_header(&self, document: &Document<'_>, stored: &StoredDocument) -> Option<String> {
        let Some(columns) = &stored.header else { return Some("the header columns cannot be read".to_owned()) };
        let hash = |client: &[u8]| crypto::hmac_sha256(&self.site.site_key, client).unwrap_or(Digest::ZERO);
        match content::read(document, &self.rules, self.site.environment(), &hash) {
            Ok(read) if read.header == *columns => None,
            Ok(read) => Some(format!("header columns differ from the octets: {}", differing(&read.header, columns).join(", "))),
            Err(findings) => Some(format!("today's rules do not take the octets: {}", findings.first().map_or("", |f| f.code.as_str()))),
        }
    }
}

/// The names of the facts in which two headers differ.
fn differing(a: &Header, b: &Header) -> Vec<&'static str> {
    [
        ("id", a.id != b.id),
        ("set", a.set_id != b.set_id),
        ("version", a.version != b.version),
        ("replaced document", a.replaces != b.replaces),
        ("group", a.group != b.group),
        ("client", a.client != b.client),
        ("controller", a.controller != b.controller),
        ("organiser", a.organiser != b.organiser),
        ("service task", a.service_task != b.service_task || a.original_task != b.original_task),
        ("case", a.case_id != b.case_id || a.case_state != b.case_state),
        ("client relation", a.relation_id != b.relation_id || a.relation_state != b.relation_state),
        ("type", a.general_type != b.general_type || a.specific_type != b.specific_type),
        ("time", a.authored != b.authored || a.authored_date != b.authored_date || a.created != b.created),
        ("language", a.language != b.language),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}
