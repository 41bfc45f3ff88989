//! The signatures a document came with: each must verify, sign this document's body and its own timestamp, and be made by someone who may (documents.md §4, Q13, Q14).
//! Nothing here trusts what an ID seems to mean: the signed elements are found by their place in the document, and the references must name exactly those.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;

use crate::crypto::certificate::Certificate;
use crate::crypto::trust::{Distrust, TrustAnchors};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::xml::dsig::{self, Survey};
use crate::xml::tree::{self, DSIG, Document, HL7, HL7FI, Node};

/// Code system of signature types (KanTa-palvelut - Sähköisen allekirjoituksen tyyppi).
pub const KIND_SYSTEM: &str = "1.2.246.537.5.40127.2006";
/// Organisations' branch of OIDs: below it stands the organisation's number (documents.md §6).
const ORGANISATIONS: &str = "1.2.246.10";
/// Roots of professionals' numbers: registration number and SV number (documents.md §6). An author may bear other ids, which no certificate names.
const PROFESSIONALS: [&str; 2] = ["1.2.246.537.26", "1.2.246.537.25"];

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

/// What signing needs to know of one document: the elements it finds by their place, and what IDs mean. Made once for verifying and sealing.
pub struct Layout<'a, 'i> {
    pub(super) survey: Survey<'a, 'i>,
    pub(super) root: Node<'a, 'i>,
    /// `hl7fi:localSocialHeader`.
    pub(super) header: Option<Node<'a, 'i>>,
    /// `hl7fi:signatureCollection` in it.
    pub(super) collection: Option<Node<'a, 'i>>,
    /// `component/nonXMLBody`.
    pub(super) body: Option<Node<'a, 'i>>,
    /// What is there twice.
    pub(super) doubles: Vec<Finding>,
    digest: OnceCell<Digest>,
}

impl<'a, 'i: 'a> Layout<'a, 'i> {
    /// Looks through the document once. More than one of any part is E610, for then two readers may mean two things.
    #[must_use]
    pub fn of(document: &'a Document<'i>) -> Self {
        let root = document.root_element();
        let mut doubles = Vec::new();
        let mut only = |parent: Option<Node<'a, 'i>>, namespace: &str, name: &str| {
            let mut found = parent.into_iter().flat_map(|p| tree::children(p, namespace, name));
            let first = found.next();
            if let Some(second) = found.next() {
                doubles.push(fault(Code::E610, second, "second-element"));
            }
            first
        };
        let component = only(Some(root), HL7, "component");
        let body = only(component, HL7, "nonXMLBody");
        let header = only(Some(root), HL7FI, "localSocialHeader");
        let collection = only(header, HL7FI, "signatureCollection");
        Self { survey: Survey::of(document), root, header, collection, body, doubles, digest: OnceCell::new() }
    }

    /// SHA-256 of the body's canonical form; computed when it is first asked for.
    pub(super) fn body_digest(&self, body: Node<'a, 'i>) -> Digest {
        *self.digest.get_or_init(|| dsig::digest_of(body))
    }

    /// As [`verify`].
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(&self, anchors: &TrustAnchors, rule: &SignerRule<'_>) -> Result<Vec<SignatureFact>, Vec<Finding>> {
        let mut findings = self.doubles.clone();
        if let Some(element) = self.survey.strange_namespaces
            && !self.survey.signatures.is_empty()
        {
            findings.push(fault(Code::E601, element, "namespace"));
        }
        let blocks: Vec<_> = self.collection.into_iter().flat_map(|c| c.children().filter(Node::is_element)).collect();
        if blocks.len() > limits::SIGNATURES {
            findings.push(fault(Code::E601, self.root, "too-many").with("limit", limits::SIGNATURES.to_string()));
            return Err(findings);
        }
        misplaced(&self.survey, self.collection, &mut findings);
        let mut facts = Vec::new();
        let signers = Signers::of(self.root);
        // Signature metadata in the header announce a professional's own signature (documents.md §2 row 43, §4.3): without it the document is not whole.
        let professional = rule.require_professional || !signers.announced.is_empty();
        if findings.is_empty() {
            let check = Check { layout: self, anchors, rule, signers };
            for block in blocks {
                match check.block(block) {
                    Ok(fact) => facts.push(fact),
                    Err(faults) => findings.extend(faults),
                }
            }
        }
        if professional && findings.is_empty() && !facts.iter().any(|f| f.kind == Kind::Professional) {
            findings.push(fault(Code::E608, self.header.unwrap_or(self.root), "professional"));
        }
        findings.truncate(limits::FINDINGS);
        if findings.is_empty() { Ok(facts) } else { Err(findings) }
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
        let read = match dsig::read(*signature) {
            Ok(read) => read,
            Err(faults) => {
                findings.extend(faults);
                return Err(findings);
            }
        };
        self.references(&read, *timestamp, &mut findings);
        let certificate = at.and_then(|at| self.certificate(&read, at, &mut findings));
        if let (Some(certificate), Some(kind)) = (&certificate, kind) {
            self.signer(&read, certificate, kind, &mut findings);
        }
        match (certificate, kind, at) {
            (Some(certificate), Some(kind), Some(at)) if findings.is_empty() => {
                Ok(SignatureFact { kind, signer: certificate.serial().unwrap_or_default().to_owned(), at, certificate: certificate.fingerprint() })
            }
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
                ("nonXMLBody", self.layout.body_digest(body))
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

    /// The signer's certificate, trusted at the moment of signing, and the signature value under its key.
    fn certificate(&self, read: &dsig::Signature<'a, 'i>, at: Moment, findings: &mut Vec<Finding>) -> Option<std::sync::Arc<Certificate>> {
        let place = read.certificate_at;
        let certificate = match self.anchors.verify(&read.certificate, at) {
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
        if !certificate.has_usable_key() {
            findings.push(fault(Code::E609, place, "key"));
        } else if !certificate.verifies(&dsig::digest_of(read.signed_info), &read.value) {
            findings.push(fault(Code::E603, read.value_at, "value"));
        }
        Some(certificate)
    }

    /// The certificate may sign as this kind, for this document.
    fn signer(&self, read: &dsig::Signature<'a, 'i>, certificate: &Certificate, kind: Kind, findings: &mut Vec<Finding>) {
        let usage = certificate.usage();
        let (allowed, serial) = (
            match kind {
                Kind::Professional => usage.non_repudiation,
                Kind::System => usage.digital_signature || usage.non_repudiation,
            },
            certificate.serial().unwrap_or_default(),
        );
        if !allowed {
            findings.push(fault(Code::E606, read.certificate_at, "key-usage"));
        }
        let fits = match kind {
            Kind::Professional => self.signers.is_professional(serial),
            Kind::System => self.signers.is_system(serial, self.rule.senders),
        };
        if !fits {
            let reason = match kind {
                Kind::Professional => "professional",
                Kind::System => "system",
            };
            findings.push(fault(Code::E607, read.certificate_at, reason));
        }
    }
}

/// Who may sign, as the header says.
struct Signers<'a> {
    /// `custodian/…/id/@root`.
    custodians: Vec<&'a str>,
    /// Professional numbers among the authors' ids.
    authors: HashSet<&'a str>,
    /// `localSocialHeader/signature/assignedAuthorSigner`.
    announced: HashSet<String>,
}

impl<'a> Signers<'a> {
    fn of<'i: 'a>(root: Node<'a, 'i>) -> Self {
        let ids = |from: Option<Node<'a, 'i>>| from.into_iter().flat_map(|n| tree::children(n, HL7, "id"));
        let custodian = ["custodian", "assignedCustodian", "representedCustodianOrganization"].into_iter().try_fold(root, |n, name| tree::child(n, HL7, name));
        let header = tree::child(root, HL7FI, "localSocialHeader");
        let announced = header.into_iter().flat_map(|h| tree::children(h, HL7FI, "signature")).flat_map(|s| tree::children(s, HL7FI, "assignedAuthorSigner"));
        Self {
            custodians: ids(custodian).filter_map(|id| plain(id, "root")).collect(),
            authors: tree::children(root, HL7, "author")
                .flat_map(|author| ids(tree::child(author, HL7, "assignedAuthor")))
                .filter(|id| plain(*id, "root").is_some_and(|root| PROFESSIONALS.contains(&root)))
                .filter_map(|id| plain(id, "extension"))
                .collect(),
            announced: announced.map(|a| tree::text_of(a).trim_ascii().to_owned()).filter(|t| !t.is_empty()).collect(),
        }
    }

    /// The number is the announced signer's and an author's, where the header names them (documents.md §4.4). It is a number: the type of a signature is
    /// not covered by it, and a system's certificate, whose serial is an OID, must not pass for a person's by a change of the label.
    fn is_professional(&self, serial: &str) -> bool {
        let is_number = !serial.is_empty() && serial.bytes().all(|b| b.is_ascii_digit());
        is_number && (self.announced.is_empty() || self.announced.contains(serial)) && (self.authors.is_empty() || self.authors.contains(serial))
    }

    /// The OID is the custodian's, lies under its organisation's number, or is a sender's.
    fn is_system(&self, serial: &str, senders: &[Oid]) -> bool {
        let Ok(serial) = Oid::parse(serial) else { return false };
        let custodians = || self.custodians.iter().filter_map(|root| Oid::parse(root).ok());
        senders.contains(&serial) || custodians().any(|custodian| serial == custodian || organisation_of(&custodian).is_some_and(|o| serial.is_under(o)))
    }
}

/// `1.2.246.10.<y>` of an OID under it.
fn organisation_of(oid: &Oid) -> Option<&str> {
    let number = oid.as_str().strip_prefix(ORGANISATIONS)?.strip_prefix('.')?.split('.').next().filter(|n| !n.is_empty())?;
    oid.as_str().get(..ORGANISATIONS.len() + 1 + number.len())
}

fn kind_of(description: Node<'_, '_>) -> Option<Kind> {
    let code = plain(description, "code").filter(|_| plain(description, "codeSystem") == Some(KIND_SYSTEM))?;
    [Kind::Professional, Kind::System].into_iter().find(|kind| kind.code() == code)
}

/// The value of an attribute in no namespace.
fn plain<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attributes().find(|a| a.name() == name && a.namespace().is_none()).map(|a| a.value())
}

fn is(node: Node<'_, '_>, namespace: &str, name: &str) -> bool {
    node.tag_name().name() == name && node.tag_name().namespace() == Some(namespace)
}

pub(super) fn fault(code: Code, at: Node<'_, '_>, reason: &str) -> Finding {
    Finding::new(code, tree::place(at)).with("reason", reason)
}
