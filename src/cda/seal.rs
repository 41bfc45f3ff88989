//! Adds a signature to a document without touching an octet of it: one contiguous piece is spliced in, and without that piece the octets are the received ones.
//! The parts that are signed are written canonical, so that what is hashed is what is written; `tests/it/sign` holds that to xmllint and xmlsec1.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::codes::signatures::SigningPlace;
use crate::crypto;
use crate::crypto::algorithm::Algorithm;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::xml::dsig::{self, Survey};
use crate::xml::tree::{self, DSIG, Document, HL7, HL7FI, Node};

use super::beside;
use super::layout::{Layout, fault, plain};
use super::verify::{KIND_SYSTEM, Kind};

/// The longest body ID that is signed, in octets: an OID with a prefix is under 80.
const ID_OCTETS: usize = 256;

/// Where and what to sign in one document: found while its tree is at hand, used when the document is accepted. Borrows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealPoint {
    /// Where the signature goes, in octets of the document; its end for one that is kept beside it.
    offset: usize,
    /// How long the document is, so that a point is not used on another one.
    length: usize,
    /// What the signature is put around with.
    place: Place,
    /// What is signed: `nonXMLBody/@ID`, which needs no escaping; for a signature beside, the name of the document's file.
    target: String,
    /// SHA-256 of the body's canonical form, or of the document's octets.
    digest: Digest,
    /// A number that makes the IDs of signature and timestamp new in this document.
    number: usize,
    /// The algorithms that the document's profile takes.
    algorithms: Vec<Algorithm>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// As the last of the collection.
    Collection,
    /// With a collection of its own.
    Header,
    /// In a document of its own.
    Beside,
}

/// A sealed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The received octets with the signature in them; as received where it is kept beside.
    pub octets: Vec<u8>,
    /// Where the signature begins in `octets`, and how long it is; its length is 0 where it is kept beside.
    pub splice: (usize, usize),
    /// The signature's own document, where the profile keeps it beside.
    pub beside: Option<Vec<u8>>,
}

impl SealPoint {
    /// Finds the place in a document of the social family: as the last `signature` of `localSocialHeader/signatureCollection`, or a new collection as the last element of the header.
    ///
    /// # Errors
    /// What keeps a signature from being made without mending octets: E503 when the body's ID is not `OID` and the document's id; E601 when header, body or collection
    /// is missing, empty (`<signatureCollection/>`) or full, or namespaces cannot be canonicalised by every tool; E610 when parts or the body's ID are there twice.
    pub fn locate(document: &Document<'_>) -> Result<Self, Vec<Finding>> {
        Self::in_layout(&Layout::of(document))
    }

    /// As [`Self::locate`], where the layout is known already, of any family.
    ///
    /// # Errors
    /// As [`Self::locate`].
    pub fn in_layout(layout: &Layout<'_, '_>) -> Result<Self, Vec<Finding>> {
        let mut findings = layout.doubles.clone();
        findings.extend(layout.strange_namespace());
        if layout.profile.place == SigningPlace::Detached {
            return Self::beside(layout, layout.root.document().input_text().as_bytes());
        }
        let target = layout.body.and_then(|body| body_id(layout, body, &mut findings));
        let place = match (layout.header, layout.collection) {
            (_, Some(collection)) => {
                if collection.children().filter(Node::is_element).count() >= limits::SIGNATURES {
                    findings.push(fault(Code::E601, collection, "too-many").with("limit", (limits::SIGNATURES - 1).to_string()));
                }
                end_tag(collection, "empty-collection", &mut findings)
            }
            (Some(header), None) => in_header(header, &layout.profile.follows, &mut findings),
            (None, None) => {
                findings.push(fault(Code::E601, layout.root, "no-header"));
                None
            }
        };
        if layout.body.is_none() {
            findings.push(fault(Code::E601, layout.root, "no-body"));
        }
        match (target, place, layout.body) {
            (Some(target), Some(offset), Some(body)) if findings.is_empty() => Ok(Self {
                offset,
                length: layout.root.document().input_text().len(),
                place: if layout.collection.is_none() { Place::Header } else { Place::Collection },
                target,
                digest: layout.body_digest(body),
                number: free_number(&layout.survey),
                algorithms: layout.profile.algorithms.clone(),
            }),
            _ => Err(findings),
        }
    }

    /// The document as a whole is signed: its octets, in whatever encoding, under a name made of their own digest, so that no id of the sender's becomes the name of a file.
    ///
    /// # Errors
    /// E610 for a signature that stands in the document: in this profile there is no place for one within. E601 as in [`Self::locate`].
    pub fn beside(layout: &Layout<'_, '_>, octets: &[u8]) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::from_iter(layout.strange_namespace());
        findings.extend(layout.survey.signatures.first().map(|signature| fault(Code::E610, *signature, "misplaced")));
        if !findings.is_empty() {
            return Err(findings);
        }
        let digest = crypto::sha256(octets);
        let (offset, length) = (octets.len(), octets.len());
        Ok(Self { offset, length, place: Place::Beside, target: beside::file_name(&digest), digest, number: 1, algorithms: layout.profile.algorithms.clone() })
    }

    /// SHA-256 of what is signed, as the signature will state it: the body's canonical form, or the document's octets.
    #[must_use]
    pub const fn body_digest(&self) -> Digest {
        self.digest
    }
}

/// Seals `received` with a system's RSA signature (type 3). `sign` gives the value over the octets handed to it; `certificate` is the signer's, in DER.
///
/// # Errors
/// The signer's outage; one of the machine when `point` was not found in these octets, which is a defect of ours.
pub fn seal(received: &[u8], point: &SealPoint, certificate: &[u8], at: Moment, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Outage>) -> Result<Sealed, Outage> {
    seal_with(received, point, (Algorithm::RsaSha256, certificate), at, sign)
}

/// As [`seal`], with the algorithm of the signer's key.
///
/// # Errors
/// As [`seal`], and an outage of the key when the document's profile does not take its algorithm: the site's key is the wrong one.
pub fn seal_with(
    received: &[u8],
    point: &SealPoint,
    (algorithm, certificate): (Algorithm, &[u8]),
    at: Moment,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Outage>,
) -> Result<Sealed, Outage> {
    splice(received, point, Signer { kind: Kind::System, algorithm, certificate }, at, sign)
}

/// Signs a document as a professional would (type 1). The gateway never does this for anyone: samples, load and tests need such documents.
///
/// # Errors
/// As [`seal`].
pub fn sign_professional(received: &[u8], point: &SealPoint, key: &crypto::key::SigningKey, certificate: &[u8], at: Moment) -> Result<Sealed, Outage> {
    let signer = Signer { kind: Kind::Professional, algorithm: key.algorithm(), certificate };
    splice(received, point, signer, at, |octets| key.sign_sha256(octets).map_err(|fault| Outage::new(Part::Key, fault.to_string())))
}

/// Who signs, and with what.
#[derive(Clone, Copy)]
struct Signer<'s> {
    kind: Kind,
    algorithm: Algorithm,
    certificate: &'s [u8],
}

fn splice(received: &[u8], point: &SealPoint, signer: Signer<'_>, at: Moment, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Outage>) -> Result<Sealed, Outage> {
    let halves = received.split_at_checked(point.offset).filter(|_| received.len() == point.length);
    let Some((before, after)) = halves else { return Err(Outage::new(Part::Machine, "a seal point was used on another document")) };
    if !point.algorithms.contains(&signer.algorithm) {
        return Err(Outage::new(Part::Key, format!("the signing key is for {}, which this document's profile does not take", signer.algorithm.as_str())));
    }
    let timestamp = format!(r#"<signatureTimestamp xmlns="{HL7FI}" ID="arkki.timestamp.{}">{}</signatureTimestamp>"#, point.number, at.to_iso());
    let signed_info = signed_info(point, signer.algorithm, &crypto::sha256(timestamp.as_bytes()));
    let value = sign(signed_info.as_bytes())?;
    if point.place == Place::Beside {
        let beside = beside::document(&signed_info, &value, signer.certificate, &timestamp);
        return Ok(Sealed { octets: received.to_vec(), splice: (received.len(), 0), beside: Some(beside.into_bytes()) });
    }
    let block = block(point, signer, &timestamp, &signed_info, &value);
    let mut octets = Vec::with_capacity(received.len() + block.len());
    octets.extend_from_slice(before);
    octets.extend_from_slice(block.as_bytes());
    octets.extend_from_slice(after);
    Ok(Sealed { octets, splice: (point.offset, block.len()), beside: None })
}

/// `SignedInfo` in its canonical form: attributes in order, no empty tags, its namespace on it.
fn signed_info(point: &SealPoint, algorithm: Algorithm, timestamp: &Digest) -> String {
    let mut text = String::with_capacity(1024);
    let _ = write!(
        text,
        r#"<SignedInfo xmlns="{DSIG}"><CanonicalizationMethod Algorithm="{}"></CanonicalizationMethod><SignatureMethod Algorithm="{}"></SignatureMethod>"#,
        dsig::EXCLUSIVE,
        algorithm.uri()
    );
    let timestamp_id = format!("arkki.timestamp.{}", point.number);
    let canonical = format!(r#"<Transforms><Transform Algorithm="{}"></Transform></Transforms>"#, dsig::EXCLUSIVE);
    let (hash, transforms) = if point.place == Place::Beside { ("", "") } else { ("#", canonical.as_str()) };
    for (hash, id, transforms, digest) in [(hash, &point.target, transforms, &point.digest), ("#", &timestamp_id, &canonical, timestamp)] {
        let _ = write!(
            text,
            r#"<Reference URI="{hash}{id}">{transforms}<DigestMethod Algorithm="{}"></DigestMethod><DigestValue>{}</DigestValue></Reference>"#,
            dsig::SHA256,
            STANDARD.encode(digest.0)
        );
    }
    text.push_str("</SignedInfo>");
    text
}

/// The whole `hl7fi:signature`, relying on no prefix of the document around it.
fn block(point: &SealPoint, signer: Signer<'_>, timestamp: &str, signed_info: &str, value: &[u8]) -> String {
    let name = match signer.kind {
        Kind::Professional => "Ammattihenkilön allekirjoitus",
        Kind::System => "Järjestelmäallekirjoitus",
    };
    let (open, close) = if point.place == Place::Header { ("<signatureCollection xmlns=\"urn:hl7finland\">", "</signatureCollection>") } else { ("", "") };
    let mut text = String::with_capacity(2048 + signer.certificate.len() * 4 / 3 + value.len() * 4 / 3);
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
        signer.kind.code(),
        KIND_SYSTEM,
        name,
        timestamp,
        DSIG,
        signed_info
    );
    STANDARD.encode_string(value, &mut text);
    text.push_str("</SignatureValue><KeyInfo><X509Data><X509Certificate>");
    STANDARD.encode_string(signer.certificate, &mut text);
    text.push_str("</X509Certificate></X509Data></KeyInfo></Signature></signature>");
    text.push_str(close);
    text
}

/// Where a new collection goes: after the last of the elements that the header's schema puts before it; as the last where it names none.
fn in_header(header: Node<'_, '_>, follows: &[String], findings: &mut Vec<Finding>) -> Option<usize> {
    let before = |n: &Node<'_, '_>| n.is_element() && n.tag_name().namespace() == Some(HL7FI) && follows.iter().any(|name| name == n.tag_name().name());
    let at_end = end_tag(header, "empty-header", findings)?;
    if follows.is_empty() {
        return Some(at_end);
    }
    let last = header.children().rfind(before).map(|n| n.range().end);
    Some(last.or_else(|| header.first_child().map(|n| n.range().start)).unwrap_or(at_end))
}

/// The body's ID, when it is what it must be and stands nowhere else.
fn body_id(layout: &Layout<'_, '_>, body: Node<'_, '_>, findings: &mut Vec<Finding>) -> Option<String> {
    let id = dsig::own_id(body);
    let root = tree::child(layout.root, HL7, "id").and_then(|id| plain(id, "root"));
    let fits = |id: &&str| {
        let document = || root.filter(|root| Oid::parse(root).is_ok()).map(|root| format!("OID{root}"));
        if layout.profile.body_is_document { document().as_deref() == Some(*id) } else { is_writable(id) }
    };
    let Some(id) = id.filter(fits) else {
        let place = tree::attribute_place(body, "ID");
        findings.push(Finding::new(Code::E503, place).with("reason", if id.is_none() { "missing" } else { "other" }));
        return None;
    };
    if !layout.survey.means(id, body) {
        findings.push(fault(Code::E610, body, "id-twice"));
        return None;
    }
    Some(id.to_owned())
}

/// Whether an ID can be written into a reference as it is: a name of letters, digits and the marks that names have, of bounded length.
fn is_writable(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= ID_OCTETS
        && id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
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
