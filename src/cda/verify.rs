//! The signatures a document came with: each must verify, sign this document's body and its own timestamp, and be made by someone who may (documents.md §4, Q13, Q14).
//! Nothing here trusts what an ID seems to mean: the signed elements are found by their place in the document, and the references must name exactly those.

use std::fmt;
use std::sync::Arc;

use crate::codes::signatures::SigningProfile;
use crate::crypto::algorithm::Algorithm;
use crate::crypto::certificate::Certificate;
use crate::crypto::trust::{Distrust, TrustAnchors};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::finding::{Finding, Place};
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::xml::dsig::{self, Survey};
use crate::xml::tree::{self, DSIG, Document, HL7FI, Node};

pub use super::layout::Layout;
use super::layout::{fault, is, plain};
use super::signers::Signers;

/// Code system of signature types (KanTa-palvelut - Sähköisen allekirjoituksen tyyppi).
pub const KIND_SYSTEM: &str = "1.2.246.537.5.40127.2006";

/// Who a signature speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 1: a professional's own (Ammattihenkilön allekirjoitus).
    Professional,
    /// 3: a system's (Järjestelmäallekirjoitus).
    System,
}

impl Kind {
    /// The code in [`KIND_SYSTEM`].
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Professional => "1",
            Self::System => "3",
        }
    }
}

/// What is known of one signature that verified.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureFact {
    /// Who it speaks for.
    pub kind: Kind,
    /// The certificate's `serialNumber`: a unit's OID, or a professional's registration number, which is never logged.
    pub signer: String,
    /// Its `signatureTimestamp`.
    pub at: Moment,
    /// SHA-256 of the signer's certificate.
    pub certificate: Digest,
    /// What it was made with.
    pub algorithm: Algorithm,
    /// The signer's certificate, for those who ask its issuer about it.
    pub signed_with: Arc<Certificate>,
    /// Where the certificate stands in the document.
    pub place: Place,
}

impl fmt::Debug for SignatureFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureFact({:?} at {} by certificate {})", self.kind, self.at, self.certificate)
    }
}

/// What is asked of the signers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignerRule<'r> {
    /// OIDs whose system signatures are taken besides the custodian's own organisation: the configured senders, and Arkki itself when the archive is audited.
    pub senders: &'r [Oid],
    /// Whether a professional's signature must be among them even where the header announces none (documents.md §4.3).
    pub require_professional: bool,
}

/// Verifies every signature of the document. A document without any has no facts, which is well unless the rule asks for a professional's.
///
/// # Errors
/// Everything found, in document order, at most [`limits::FINDINGS`]: E601 shape, E602 digest, E603 value, E604 chain, E605 validity, E606 key usage, E607 signer,
/// E608 missing, E609 algorithm, E610 references.
pub fn verify(document: &Document<'_>, anchors: &TrustAnchors, rule: &SignerRule<'_>) -> Result<Vec<SignatureFact>, Vec<Finding>> {
    Layout::of(document).verify(anchors, rule)
}

/// As [`verify`], by another family's profile.
///
/// # Errors
/// As [`verify`].
pub fn verify_within(
    document: &Document<'_>,
    profile: &SigningProfile,
    anchors: &TrustAnchors,
    rule: &SignerRule<'_>,
) -> Result<Vec<SignatureFact>, Vec<Finding>> {
    Layout::within(document, profile).verify(anchors, rule)
}

/// An `hl7fi:signature` and the verdict on it.
pub(super) type Judged<'a, 'i> = (Node<'a, 'i>, Result<SignatureFact, Vec<Finding>>);

impl<'a, 'i: 'a> Layout<'a, 'i> {
    /// As [`verify`].
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(&self, anchors: &TrustAnchors, rule: &SignerRule<'_>) -> Result<Vec<SignatureFact>, Vec<Finding>> {
        let (mut findings, blocks) = self.each(anchors, rule);
        let mut facts = Vec::new();
        if findings.iter().all(|f| f.code == Code::E608) {
            for (_, verdict) in blocks {
                match verdict {
                    Ok(fact) => facts.push(fact),
                    Err(faults) => findings.extend(faults),
                }
            }
            // That one is missing is said only where nothing else is wrong with those that are there.
            if findings.iter().any(|f| f.code != Code::E608) {
                findings.retain(|f| f.code != Code::E608);
            }
        }
        findings.truncate(limits::FINDINGS);
        if findings.is_empty() { Ok(facts) } else { Err(findings) }
    }

    /// What is wrong with the document as a whole, and the verdict on each signature by itself: for those who explain. With anything but E608 wrong with the whole, which
    /// could mean that two readers see two documents, [`Self::verify`] asks no signature.
    pub(super) fn each(&self, anchors: &TrustAnchors, rule: &SignerRule<'_>) -> (Vec<Finding>, Vec<Judged<'a, 'i>>) {
        let mut findings = self.doubles.clone();
        if !self.survey.signatures.is_empty() {
            findings.extend(self.strange_namespace());
        }
        let blocks: Vec<_> = self.collection.into_iter().flat_map(|c| c.children().filter(Node::is_element)).collect();
        if blocks.len() > limits::SIGNATURES {
            findings.push(fault(Code::E601, self.root, "too-many").with("limit", limits::SIGNATURES.to_string()));
            return (findings, Vec::new());
        }
        misplaced(&self.survey, self.collection, &mut findings);
        if !findings.is_empty() {
            return (findings, Vec::new());
        }
        let signers = Signers::of(self.root, self.profile);
        // Signature metadata in the header announce a professional's own signature (documents.md §2 row 43, §4.3): without it the document is not whole.
        let professional = rule.require_professional || !signers.announced.is_empty();
        let check = Check { layout: self, anchors, rule, signers };
        let verdicts: Vec<_> = blocks.into_iter().map(|block| (block, check.block(block))).collect();
        if professional && !verdicts.iter().any(|(_, v)| v.as_ref().is_ok_and(|f| f.kind == Kind::Professional)) {
            findings.push(fault(Code::E608, self.header.unwrap_or(self.root), "professional"));
        }
        (findings, verdicts)
    }
}

/// A `ds:Signature` anywhere but in `signatureCollection/signature` would be judged by other tools and not by us.
fn misplaced(survey: &Survey<'_, '_>, collection: Option<Node<'_, '_>>, findings: &mut Vec<Finding>) {
    for signature in &survey.signatures {
        let block = signature.parent();
        let at_home = block.is_some_and(|b| is(b, HL7FI, "signature") && b.parent().is_some() && b.parent() == collection);
        if !at_home && findings.len() < limits::FINDINGS {
            findings.push(fault(Code::E610, *signature, "misplaced"));
        }
    }
}

/// One document's checks.
struct Check<'c, 'a, 'i> {
    layout: &'c Layout<'a, 'i>,
    anchors: &'c TrustAnchors,
    rule: &'c SignerRule<'c>,
    signers: Signers<'a>,
}

impl<'a, 'i: 'a> Check<'_, 'a, 'i> {
    /// One `hl7fi:signature`.
    fn block(&self, block: Node<'a, 'i>) -> Result<SignatureFact, Vec<Finding>> {
        let children: Vec<_> = block.children().filter(Node::is_element).collect();
        let [description, timestamp, signature] = children.as_slice() else { return Err(vec![fault(Code::E601, block, "children")]) };
        let shape = is(block, HL7FI, "signature")
            && is(*description, HL7FI, "signatureDescription")
            && is(*timestamp, HL7FI, "signatureTimestamp")
            && is(*signature, DSIG, "Signature");
        if !shape {
            return Err(vec![fault(Code::E601, block, "children")]);
        }
        let mut findings = Vec::new();
        let kind = kind_of(*description);
        if kind.is_none() {
            findings.push(fault(Code::E601, *description, "kind"));
        }
        let at = Moment::parse_iso(tree::text_of(*timestamp).trim_ascii()).filter(|_| !timestamp.children().any(|n| n.is_element()));
        if at.is_none() {
            findings.push(fault(Code::E601, *timestamp, "timestamp"));
        }
        let shape = dsig::Shape { algorithms: &self.layout.profile.algorithms, beside: false };
        let read = match dsig::read_as(*signature, shape) {
            Ok(read) => read,
            Err(faults) => {
                findings.extend(faults);
                return Err(findings);
            }
        };
        self.references(&read, *timestamp, &mut findings);
        let certificate = at.and_then(|at| certificate(self.anchors, &read, at, &mut findings));
        if let (Some(certificate), Some(kind)) = (&certificate, kind) {
            may_sign(&self.signers, self.layout.profile, self.rule, (&read, certificate, kind), &mut findings);
        }
        match (certificate, kind, at) {
            (Some(certificate), Some(kind), Some(at)) if findings.is_empty() => Ok(SignatureFact::of(&read, certificate, kind, at)),
            _ => Err(findings),
        }
    }

    /// One reference names the body, the other this signature's timestamp, and both digests are right.
    fn references(&self, read: &dsig::Signature<'a, 'i>, timestamp: Node<'a, 'i>, findings: &mut Vec<Finding>) {
        let Some(body) = self.layout.body else {
            findings.push(fault(Code::E610, read.signed_info, "no-body"));
            return;
        };
        let (mut saw_body, mut saw_timestamp) = (false, false);
        for reference in &read.references {
            let (target, digest) = if self.layout.survey.means(reference.id, body) && !saw_body {
                saw_body = true;
                (body_name(body), self.layout.body_digest(body))
            } else if self.layout.survey.means(reference.id, timestamp) && !saw_timestamp {
                saw_timestamp = true;
                ("hl7fi:signatureTimestamp", dsig::digest_of(timestamp))
            } else {
                findings.push(fault(Code::E610, reference.at, "target"));
                continue;
            };
            if digest != reference.digest {
                findings.push(fault(Code::E602, reference.at, "digest").with("target", target));
            }
        }
    }
}

impl SignatureFact {
    pub(super) fn of(read: &dsig::Signature<'_, '_>, certificate: Arc<Certificate>, kind: Kind, at: Moment) -> Self {
        Self {
            kind,
            signer: certificate.serial().unwrap_or_default().to_owned(),
            at,
            certificate: certificate.fingerprint(),
            algorithm: read.algorithm,
            signed_with: certificate,
            place: tree::place(read.certificate_at),
        }
    }
}

/// The signer's certificate, trusted at the moment of signing, and the signature value under its key.
pub(super) fn certificate(anchors: &TrustAnchors, read: &dsig::Signature<'_, '_>, at: Moment, findings: &mut Vec<Finding>) -> Option<Arc<Certificate>> {
    let place = read.certificate_at;
    let certificate = match anchors.verify(&read.certificate, at) {
        Ok(certificate) => certificate,
        Err(distrust) => {
            let (code, reason) = match distrust {
                Distrust::Unreadable => (Code::E604, "unreadable"),
                Distrust::Chain => (Code::E604, "chain"),
                Distrust::Validity => (Code::E605, "validity"),
            };
            findings.push(fault(code, place, reason));
            return None;
        }
    };
    // The key decides what it verifies; an algorithm that names another kind of key is a confusion, never a try.
    if certificate.algorithm() != Some(read.algorithm) {
        findings.push(fault(Code::E609, place, "key"));
    } else if !certificate.verifies(&dsig::digest_of(read.signed_info), &read.value) {
        findings.push(fault(Code::E603, read.value_at, "value"));
    }
    Some(certificate)
}

/// The certificate may sign as this kind, for this document.
pub(super) fn may_sign(
    signers: &Signers<'_>,
    profile: &SigningProfile,
    rule: &SignerRule<'_>,
    (read, certificate, kind): (&dsig::Signature<'_, '_>, &Certificate, Kind),
    findings: &mut Vec<Finding>,
) {
    let usage = certificate.usage();
    let allowed = match kind {
        Kind::Professional => usage.non_repudiation,
        Kind::System => usage.digital_signature || usage.non_repudiation,
    };
    if !allowed {
        findings.push(fault(Code::E606, read.certificate_at, "key-usage"));
    }
    if !signers.fit(kind, certificate, rule.senders, profile) {
        let reason = match kind {
            Kind::Professional => "professional",
            Kind::System => "system",
        };
        findings.push(fault(Code::E607, read.certificate_at, reason));
    }
}

/// The body's name, for a finding: one of two, never a text of the sender's.
fn body_name(body: Node<'_, '_>) -> &'static str {
    if body.tag_name().name() == "structuredBody" { "structuredBody" } else { "nonXMLBody" }
}

pub(super) fn kind_of(description: Node<'_, '_>) -> Option<Kind> {
    let code = plain(description, "code").filter(|_| plain(description, "codeSystem") == Some(KIND_SYSTEM))?;
    [Kind::Professional, Kind::System].into_iter().find(|kind| kind.code() == code)
}
