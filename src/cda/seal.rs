//! Adds a signature to a document without touching an octet of it: one contiguous piece is spliced in, and without that piece the octets are the received ones.
//! The parts that are signed are written canonical, so that what is hashed is what is written; `tests/it/sign` holds that to xmllint and xmlsec1.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::crypto;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::xml::dsig::{self, Survey};
use crate::xml::tree::{self, DSIG, Document, HL7, HL7FI, Node};

use super::verify::{KIND_SYSTEM, Kind, Layout, fault};

/// Where and what to sign in one document: found while its tree is at hand, used when the document is accepted. Borrows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealPoint {
    /// Where the signature goes, in octets of the document.
    offset: usize,
    /// How long the document is, so that a point is not used on another one.
    length: usize,
    /// Whether `signatureCollection` itself is missing and comes with the signature.
    collection_missing: bool,
    /// `nonXMLBody/@ID`: `OID` and a checked OID, which needs no escaping.
    body_id: String,
    /// SHA-256 of the body's canonical form.
    body_digest: Digest,
    /// A number that makes the IDs of signature and timestamp new in this document.
    number: usize,
}

/// A sealed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The received octets with the signature in them.
    pub octets: Vec<u8>,
    /// Where the signature begins in `octets`, and how long it is.
    pub splice: (usize, usize),
}

impl SealPoint {
    /// Finds the place: as the last `signature` of `localSocialHeader/signatureCollection`, or a new collection as the last element of the header.
    ///
    /// # Errors
    /// What keeps a signature from being made without mending octets: E503 when the body's ID is not `OID` and the document's id; E601 when header, body or collection
    /// is missing, empty (`<signatureCollection/>`) or full, or namespaces cannot be canonicalised by every tool; E610 when parts or the body's ID are there twice.
    pub fn locate(document: &Document<'_>) -> Result<Self, Vec<Finding>> {
        Self::in_layout(&Layout::of(document))
    }

    /// As [`Self::locate`], where the layout is known already.
    ///
    /// # Errors
    /// As [`Self::locate`].
    pub fn in_layout(layout: &Layout<'_, '_>) -> Result<Self, Vec<Finding>> {
        let mut findings = layout.doubles.clone();
        if let Some(element) = layout.survey.strange_namespaces {
            findings.push(fault(Code::E601, element, "namespace"));
        }
        let body_id = layout.body.and_then(|body| body_id(layout.root, body, &layout.survey, &mut findings));
        let place = match (layout.header, layout.collection) {
            (_, Some(collection)) => {
                if collection.children().filter(Node::is_element).count() >= limits::SIGNATURES {
                    findings.push(fault(Code::E601, collection, "too-many").with("limit", (limits::SIGNATURES - 1).to_string()));
                }
                end_tag(collection, "empty-collection", &mut findings)
            }
            (Some(header), None) => end_tag(header, "empty-header", &mut findings),
            (None, None) => {
                findings.push(fault(Code::E601, layout.root, "no-header"));
                None
            }
        };
        if layout.body.is_none() {
            findings.push(fault(Code::E601, layout.root, "no-body"));
        }
        match (body_id, place, layout.body) {
            (Some(body_id), Some(offset), Some(body)) if findings.is_empty() => Ok(Self {
                offset,
                length: layout.root.document().input_text().len(),
                collection_missing: layout.collection.is_none(),
                body_id,
                body_digest: layout.body_digest(body),
                number: free_number(&layout.survey),
            }),
            _ => Err(findings),
        }
    }

    /// SHA-256 of the body's canonical form, as the signature will state it.
    #[must_use]
    pub const fn body_digest(&self) -> Digest {
        self.body_digest
    }
}

/// Seals `received` with a system's signature (type 3). `sign` gives the RSA-SHA256 value over the octets handed to it; `certificate` is the signer's, in DER.
///
/// # Errors
/// The signer's outage; one of the machine when `point` was not found in these octets, which is a defect of ours.
pub fn seal(received: &[u8], point: &SealPoint, certificate: &[u8], at: Moment, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Outage>) -> Result<Sealed, Outage> {
    splice(received, point, Kind::System, certificate, at, sign)
}

/// Signs a document as a professional would (type 1). The gateway never does this for anyone: samples, load and tests need such documents.
///
/// # Errors
/// As [`seal`].
pub fn sign_professional(received: &[u8], point: &SealPoint, key: &crypto::key::SigningKey, certificate: &[u8], at: Moment) -> Result<Sealed, Outage> {
    splice(received, point, Kind::Professional, certificate, at, |octets| key.sign_sha256(octets).map_err(|fault| Outage::new(Part::Key, fault.to_string())))
}

fn splice(
    received: &[u8],
    point: &SealPoint,
    kind: Kind,
    certificate: &[u8],
    at: Moment,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Outage>,
) -> Result<Sealed, Outage> {
    let halves = received.split_at_checked(point.offset).filter(|_| received.len() == point.length);
    let Some((before, after)) = halves else { return Err(Outage::new(Part::Machine, "a seal point was used on another document")) };
    let timestamp = format!(r#"<signatureTimestamp xmlns="{HL7FI}" ID="arkki.timestamp.{}">{}</signatureTimestamp>"#, point.number, at.to_iso());
    let signed_info = signed_info(point, &crypto::sha256(timestamp.as_bytes()));
    let value = sign(signed_info.as_bytes())?;
    let block = block(point, kind, &timestamp, &signed_info, &value, certificate);
    let mut octets = Vec::with_capacity(received.len() + block.len());
    octets.extend_from_slice(before);
    octets.extend_from_slice(block.as_bytes());
    octets.extend_from_slice(after);
    Ok(Sealed { octets, splice: (point.offset, block.len()) })
}

/// `SignedInfo` in its canonical form: attributes in order, no empty tags, its namespace on it.
fn signed_info(point: &SealPoint, timestamp: &Digest) -> String {
    let mut text = String::with_capacity(1024);
    let _ = write!(
        text,
        r#"<SignedInfo xmlns="{DSIG}"><CanonicalizationMethod Algorithm="{}"></CanonicalizationMethod><SignatureMethod Algorithm="{}"></SignatureMethod>"#,
        dsig::EXCLUSIVE,
        dsig::RSA_SHA256
    );
    let timestamp_id = format!("arkki.timestamp.{}", point.number);
    for (id, digest) in [(&point.body_id, &point.body_digest), (&timestamp_id, timestamp)] {
        let _ = write!(
            text,
            concat!(
                r##"<Reference URI="#{}"><Transforms><Transform Algorithm="{}"></Transform></Transforms>"##,
                r#"<DigestMethod Algorithm="{}"></DigestMethod><DigestValue>{}</DigestValue></Reference>"#
            ),
            id,
            dsig::EXCLUSIVE,
            dsig::SHA256,
            STANDARD.encode(digest.0)
        );
    }
    text.push_str("</SignedInfo>");
    text
}

/// The whole `hl7fi:signature`, relying on no prefix of the document around it.
fn block(point: &SealPoint, kind: Kind, timestamp: &str, signed_info: &str, value: &[u8], certificate: &[u8]) -> String {
    let name = match kind {
        Kind::Professional => "Ammattihenkilön allekirjoitus",
        Kind::System => "Järjestelmäallekirjoitus",
    };
    let (open, close) = if point.collection_missing { ("<signatureCollection xmlns=\"urn:hl7finland\">", "</signatureCollection>") } else { ("", "") };
    let mut text = String::with_capacity(2048 + certificate.len() * 4 / 3 + value.len() * 4 / 3);
    let _ = write!(
        text,
        concat!(
            r#"{}<signature xmlns="{}" ID="arkki.signature.{}"><signatureDescription code="{}" codeSystem="{}""#,
            r#" codeSystemName="KanTa-palvelut - Sähköisen allekirjoituksen tyyppi" displayName="{}"/>{}"#,
            r#"<Signature xmlns="{}">{}<SignatureValue>"#
        ),
        open,
        HL7FI,
        point.number,
        kind.code(),
        KIND_SYSTEM,
        name,
        timestamp,
        DSIG,
        signed_info
    );
    STANDARD.encode_string(value, &mut text);
    text.push_str("</SignatureValue><KeyInfo><X509Data><X509Certificate>");
    STANDARD.encode_string(certificate, &mut text);
    text.push_str("</X509Certificate></X509Data></KeyInfo></Signature></signature>");
    text.push_str(close);
    text
}

/// The body's ID, when it is what it must be and stands nowhere else.
fn body_id(root: Node<'_, '_>, body: Node<'_, '_>, survey: &Survey<'_, '_>, findings: &mut Vec<Finding>) -> Option<String> {
    let id = dsig::own_id(body);
    let document = tree::child(root, HL7, "id").and_then(|id| id.attributes().find(|a| a.name() == "root" && a.namespace().is_none()).map(|a| a.value()));
    let expected = document.filter(|root| Oid::parse(root).is_ok()).map(|root| format!("OID{root}"));
    if id.is_none() || id != expected.as_deref() {
        let place = tree::attribute_place(body, "ID");
        findings.push(Finding::new(Code::E503, place).with("reason", if id.is_none() { "missing" } else { "other" }));
        return None;
    }
    if !id.is_some_and(|id| survey.means(id, body)) {
        findings.push(fault(Code::E610, body, "id-twice"));
        return None;
    }
    expected
}

/// Where the element's end tag begins; the last `</` in it, for an end tag holds no other `<`.
fn end_tag(element: Node<'_, '_>, reason: &str, findings: &mut Vec<Finding>) -> Option<usize> {
    let range = element.range();
    let whole = element.document().input_text().get(range.clone()).unwrap_or_default();
    // Only an empty-element tag can end so: an end tag has no room for a slash before its last character.
    let found = if whole.ends_with("/>") { None } else { whole.rfind("</") };
    if found.is_none() {
        findings.push(fault(Code::E601, element, reason));
    }
    found.map(|at| range.start + at)
}

/// The smallest number that is new; at most one more than there are IDs.
fn free_number(survey: &Survey<'_, '_>) -> usize {
    let mut number = 1;
    while survey.has(&format!("arkki.timestamp.{number}")) || survey.has(&format!("arkki.signature.{number}")) {
        number += 1;
    }
    number
}
