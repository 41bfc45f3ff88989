//! An archived document looked at again: its octets, its header columns, every signature in it.

use super::{Examiner, document_id};
use crate::cda::verify::{self, SignatureFact, SignerRule};
use crate::cda::{beside, content, plain};
use crate::codes::signatures::{SigningPlace, SigningProfile};
use crate::crypto;
use crate::crypto::certificate::Certificate;
use crate::crypto::trust::Distrust;
use crate::domain::digest::Digest;
use crate::domain::document::{Group, Header};
use crate::domain::finding::Finding;
use crate::domain::notice::StoredNotice;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::fhir::signature;
use crate::pipeline::audit::Looked;
use crate::ports::archive::StoredDocument;
use crate::xml::prepass::{self, Encoding};
use crate::xml::tree::{self, Document};

/// Who signs for this gateway: needed to judge its own signatures.
#[derive(Debug, Clone, Default)]
pub struct OwnSigner {
    /// The `serialNumber` of each of its certificates, where it is an OID.
    pub serials: Vec<Oid>,
}

impl Examiner {
    /// What is wrong with an archived document: it must parse, bear its id, and every signature in it must verify, ours as the last. Gives those it came with.
    #[must_use]
    pub fn audit(&self, stored: &StoredDocument, own: &OwnSigner) -> Looked {
        let place = signing_place(stored);
        let taken = if place == SigningPlace::Detached { Encoding::Any } else { Encoding::Utf8Only };
        let Ok(decoded) = prepass::decode(&stored.octets, taken, usize::MAX) else {
            return unreadable("the octets are not in an encoding that is archived");
        };
        let Ok(document) = tree::parse(&decoded.text) else { return unreadable("the octets are not well-formed") };
        let mut faults = Vec::new();
        let id = if is_social(stored) { document_id(&document) } else { plain::document_id(&document).map(|id| id.as_str().to_owned()) };
        if id.as_deref() != Some(stored.id.as_str()) {
            faults.push("the octets are of another document".to_owned());
        }
        faults.extend(self.audit_header(&document, stored));
        let senders: Vec<Oid> = self.site.signers.iter().chain(&own.serials).cloned().collect();
        let rule = SignerRule { senders: &senders, require_professional: false };
        let profile = self.rules.signatures.at(place);
        let verdict = match place {
            SigningPlace::Detached => self.audit_beside(stored, &document, profile, &rule),
            SigningPlace::SocialHeader | SigningPlace::PatientHeader => verify::verify_within(&document, profile, &self.site.anchors, &rule).map_err(named),
        };
        match verdict {
            // Ours is the last: it was put behind those that came.
            Ok(mut signatures) => {
                if !signatures.pop().is_some_and(|ours| ours.kind == verify::Kind::System) {
                    faults.push("no system signature".to_owned());
                }
                Looked { faults, signatures }
            }
            Err(found) => {
                faults.extend(found);
                Looked { faults, signatures: Vec::new() }
            }
        }
    }

    /// What is wrong with an archived notice's signers, and with its CDA document. The bundle's own signature is `fhir::kept`'s; here its certificate must have
    /// led to a trust anchor when it was archived, be for signatures, and be ours. The document's is verified by the code for every document of its family.
    #[must_use]
    pub fn audit_notice(&self, stored: &StoredNotice, own: &OwnSigner) -> Vec<String> {
        let mut faults = Vec::new();
        let senders: Vec<Oid> = self.site.signers.iter().chain(&own.serials).cloned().collect();
        // What is no bundle of ours has been named by then.
        if let Ok(verified) = signature::verify(&stored.bundle) {
            faults.extend(self.bundle_signer(&verified.certificate, &senders, stored.row.at).map(|what| format!("the bundle: {what}")));
        }
        if let Some(cda) = &stored.cda {
            faults.extend(self.audit_notice_document(cda, stored, &senders).into_iter().map(|what| format!("the notice's document: {what}")));
        }
        faults
    }

    fn bundle_signer(&self, certificate: &Certificate, senders: &[Oid], at: Moment) -> Option<&'static str> {
        let usage = certificate.usage();
        match self.site.anchors.verify(certificate.der(), at) {
            Err(Distrust::Unreadable | Distrust::Chain) => Some("its certificate leads to no trust anchor"),
            Err(Distrust::Validity) => Some("its certificate was not valid when it was archived"),
            Ok(_) if !usage.digital_signature && !usage.non_repudiation => Some("its certificate is not for signatures"),
            Ok(_) if !certificate.serial().is_some_and(|serial| senders.iter().any(|oid| oid.as_str() == serial)) => {
                Some("its certificate is not this system's")
            }
            Ok(_) => None,
        }
    }

    fn audit_notice_document(&self, octets: &[u8], stored: &StoredNotice, senders: &[Oid]) -> Vec<String> {
        let Ok(text) = std::str::from_utf8(octets) else { return vec!["it is not UTF-8".to_owned()] };
        let Ok(document) = tree::parse(text) else { return vec!["it is not well-formed".to_owned()] };
        let mut faults = Vec::new();
        let record = &stored.row.record;
        let hash = |client: &[u8]| crypto::hmac_sha256(&self.site.site_key, client).unwrap_or(Digest::ZERO);
        let fits = plain::read(&document, self.site.environment(), &hash).is_ok_and(|header| {
            let controller = record.parts.first().map(|part| &part.controller);
            Some(&header.id) == record.cda_id().as_ref() && header.client == record.client && Some(&header.controller) == controller
        });
        if !fits {
            faults.push("it and the archive's columns differ".to_owned());
        }
        let rule = SignerRule { senders, require_professional: false };
        let profile = self.rules.signatures.at(SigningPlace::PatientHeader);
        match verify::verify_within(&document, profile, &self.site.anchors, &rule) {
            Ok(signatures) if matches!(signatures.as_slice(), [ours] if ours.kind == verify::Kind::System) => {}
            Ok(_) => faults.push("it does not bear our signature alone".to_owned()),
            Err(found) => faults.extend(named(found)),
        }
        faults
    }

    /// Our signature that lies beside the document.
    fn audit_beside(
        &self,
        stored: &StoredDocument,
        document: &Document<'_>,
        profile: &SigningProfile,
        rule: &SignerRule<'_>,
    ) -> Result<Vec<SignatureFact>, Vec<String>> {
        let Some(signature) = &stored.beside else { return Err(vec!["the signature beside the document is missing".to_owned()]) };
        let read = std::str::from_utf8(signature).ok().and_then(|text| tree::parse(text).ok());
        let Some(read) = read else { return Err(vec!["the signature beside the document cannot be read".to_owned()]) };
        let fact = beside::verify(&read, (&stored.octets, document), profile, &self.site.anchors, rule);
        fact.map(|fact| vec![fact]).map_err(|findings| named(findings).into_iter().map(|what| format!("the signature beside the document: {what}")).collect())
    }

    /// The header columns against the octets, read again by today's rules; what they no longer accept cannot be compared and is said so.
    fn audit_header(&self, document: &Document<'_>, stored: &StoredDocument) -> Option<String> {
        let Some(columns) = &stored.header else { return Some("the header columns cannot be read".to_owned()) };
        let hash = |client: &[u8]| crypto::hmac_sha256(&self.site.site_key, client).unwrap_or(Digest::ZERO);
        let read = if is_social(stored) {
            content::read(document, &self.rules, self.site.environment(), &hash).map(|read| (read.header, read.will))
        } else {
            plain::read(document, self.site.environment(), &hash).map(|header| (header, None))
        };
        match read {
            Ok((_, will)) if stored.will.as_ref() != Some(&will) => Some("what is kept of it as a will expression differs from the octets".to_owned()),
            Ok((header, _)) if header == *columns => None,
            Ok((header, _)) => Some(format!("header columns differ from the octets: {}", differing(&header, columns).join(", "))),
            Err(findings) => Some(format!("today's rules do not take the octets: {}", findings.first().map_or("", |f| f.code.as_str()))),
        }
    }
}

/// Whether the archive keeps it as a document of the social register; so it is judged too where its columns cannot be read.
fn is_social(stored: &StoredDocument) -> bool {
    stored.header.as_ref().is_none_or(|header| header.group != Group::Other)
}

/// Where our signature stands. Of documents outside the social register those that were not touched have it beside them.
#[must_use]
pub fn signing_place(stored: &StoredDocument) -> SigningPlace {
    match (is_social(stored), stored.splice.1) {
        _ if stored.beside.is_some() => SigningPlace::Detached,
        (true, _) => SigningPlace::SocialHeader,
        (false, 0) => SigningPlace::Detached,
        (false, _) => SigningPlace::PatientHeader,
    }
}

fn unreadable(what: &str) -> Looked {
    Looked { faults: vec![what.to_owned()], signatures: Vec::new() }
}

fn named(findings: Vec<Finding>) -> Vec<String> {
    findings.iter().map(|f| format!("{} {}", f.code.as_str(), f.code.name())).collect()
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
