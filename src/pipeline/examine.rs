//! The CPU stage: octets in, a checked document or a refusal out. Pure: rules, schemas, anchors and the site's facts are given once.
//! The gateway, `arkki validate` and the demo call the same functions, so they give the same verdict.

use std::sync::Arc;

use super::lanes::Touches;
use crate::cda::content;
use crate::cda::open::{self, Opened};
use crate::cda::seal::SealPoint;
use crate::cda::verify::{self, Layout, SignatureFact, SignerRule};
use crate::codes::catalogue::Catalogue;
use crate::codes::rule_set::RuleSet;
use crate::codes::source::Files;
use crate::crypto;
use crate::crypto::trust::TrustAnchors;
use crate::domain::ack::{InstanceId, Target};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::Header;
use crate::domain::environment::Environment;
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::domain::limits;
use crate::domain::message::{Envelope, MessageKey, Sender};
use crate::domain::oid::Oid;
use crate::domain::refusal::Refusal;
use crate::ports::archive::StoredDocument;
use crate::rules::decide::{self, Holding, Request};
use crate::v3::frame::{self, Frame, FrameHead, FrameSite};
use crate::xml::prepass::{self, Encoding};
use crate::xml::schema::Schema;
use crate::xml::tree::{self, Document};

/// The one profile of this release; what a bare document is checked as.
pub const KANTA_SOCIAL: &str = "kanta-social";

/// What the site says of itself.
pub struct Site {
    /// Test or production, and whom a frame may be addressed to.
    pub frames: FrameSite,
    /// The largest message and the largest document, in octets.
    pub octets: (usize, usize),
    /// Trust anchors of signatures that come with documents.
    pub anchors: TrustAnchors,
    /// The site's key for client ids.
    pub site_key: Vec<u8>,
    /// OIDs whose system certificates may sign beside the document's own controller.
    pub signers: Vec<Oid>,
    /// Language of answers.
    pub language: Language,
    /// Code system of our codes in answers.
    pub code_system: Oid,
    /// Root of answers' ids.
    pub id_root: Oid,
    /// Our device: the sender of answers to bare documents.
    pub device: Oid,
    /// The receiver of answers to bare documents.
    pub receiver: Oid,
}

impl Site {
    fn environment(&self) -> Environment {
        self.frames.environment
    }
}

/// Everything a message is examined with; shared by all threads.
pub struct Examiner {
    rules: RuleSet,
    document_schema: Schema,
    frame_schema: Schema,
    site: Site,
}

/// Who signs for this gateway: needed to judge its own signatures.
#[derive(Debug, Clone, Default)]
pub struct OwnSigner {
    /// The `serialNumber` of each of its certificates, where it is an OID.
    pub serials: Vec<Oid>,
}

/// How far `validate` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Encoding, well-formedness, XML Schema.
    Schema,
    /// Everything that needs no archive.
    All,
}

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
    frame: Option<InstanceId>,
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
struct Look {
    head: FrameHead,
    framed: bool,
    acknowledgement: bool,
    service_request: Option<String>,
    purpose: Option<String>,
    document_id: Option<String>,
}

impl Examiner {
    /// Compiles the schemas.
    ///
    /// # Errors
    /// Which schema file is wrong, and why.
    pub fn new(files: &Files, rules: RuleSet, site: Site) -> Result<Self, String> {
        let compile = |entry: &str| Schema::compile(files, entry).map_err(|e| e.to_string());
        Ok(Self { rules, document_schema: compile("xsd/kanta-social.xsd")?, frame_schema: compile("xsd/mr-frame.xsd")?, site })
    }

    /// All rules that are data.
    #[must_use]
    pub const fn rule_set(&self) -> &RuleSet {
        &self.rules
    }

    /// The rule set's hash.
    #[must_use]
    pub const fn rules(&self) -> Digest {
        self.rules.hash()
    }

    /// The site's facts.
    #[must_use]
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// The sentences.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.rules.catalogue
    }

    /// A finding's sentence and what mends it.
    #[must_use]
    pub fn sentence(&self, finding: &Finding, language: Language) -> String {
        format!("{} {}", self.rules.catalogue.text(finding, language), self.rules.catalogue.mend(finding, language)).trim_end().to_owned()
    }

    /// Whether there is such a profile.
    #[must_use]
    pub fn knows(&self, profile: &str) -> bool {
        self.profiles().contains(&profile)
    }

    /// The profiles.
    #[must_use]
    pub const fn profiles(&self) -> &'static [&'static str] {
        &[KANTA_SOCIAL]
    }

    /// The key of a message. One without a sender has the empty name: no user of a broker bears it.
    #[must_use]
    pub fn key(&self, envelope: &Envelope) -> MessageKey {
        MessageKey { sender: envelope.sender.clone().unwrap_or_else(|| Sender::new("")), octets: crypto::sha256(&envelope.octets) }
    }

    /// Examines one message. `from_hold`: it passed the door before, its reply addresses wait with the hold.
    #[must_use]
    pub fn examine(&self, envelope: &Envelope, from_hold: bool) -> Examined {
        let mut look = Look::default();
        let key = self.key(envelope);
        let verdict = self.judge(&envelope.octets, Some((&envelope.octets, key.octets)), Stage::All, &mut look);
        let mut refusal = match verdict {
            Ok(Some(accepted)) => Ok(Box::new(accepted)),
            // Stage::All always gives a document or findings.
            Ok(None) => Err(Refusal::one(Finding::whole(Code::E901))),
            Err(findings) => Err(Refusal::unless_clean(findings).err().unwrap_or_else(|| Refusal::one(Finding::whole(Code::E901)))),
        };
        if !look.acknowledgement && !from_hold {
            let door = [(envelope.sender.is_none(), Code::E813), (envelope.reply.is_none(), Code::E903)];
            let mut findings: Vec<Finding> = door.into_iter().filter(|(at_fault, _)| *at_fault).map(|(_, code)| Finding::whole(code)).collect();
            if let (false, Err(refusal)) = (findings.is_empty(), &refusal) {
                findings.extend(refusal.findings().cloned());
            }
            if let Err(at_the_door) = Refusal::unless_clean(findings) {
                refusal = Err(at_the_door);
            }
        }
        self.examined(key, envelope, look, refusal)
    }

    /// The same message refused as our defect: it made us panic too often.
    #[must_use]
    pub fn defect(&self, envelope: &Envelope) -> Examined {
        self.examined(self.key(envelope), envelope, Look::default(), Err(Refusal::one(Finding::whole(Code::E901))))
    }

    /// Everything that is found in a file, errors and warnings, in the gateway's order; nothing when it passes without a remark.
    #[must_use]
    pub fn validate(&self, octets: &[u8], stage: Stage) -> Vec<Finding> {
        self.validate_and(octets, stage, |_| Vec::new())
    }

    /// As [`Self::validate`], with what only time and issuers know of the signers of a document that passed.
    #[must_use]
    pub fn validate_and(&self, octets: &[u8], stage: Stage, signers: impl FnOnce(&[SignatureFact]) -> Vec<Finding>) -> Vec<Finding> {
        match self.judge(octets, None, stage, &mut Look::default()) {
            Ok(Some(mut accepted)) => {
                accepted.warnings.extend(signers(&accepted.signatures));
                accepted.warnings
            }
            Ok(None) => Vec::new(),
            Err(findings) => findings,
        }
    }

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

    fn examined(&self, key: MessageKey, envelope: &Envelope, look: Look, verdict: Result<Box<Accepted>, Refusal>) -> Examined {
        let device = |root: &Oid| InstanceId { root: root.as_str().to_owned(), extension: None };
        let target = look.head.id.clone().map_or_else(|| Target::Unknown(envelope.message_id.clone().filter(|id| is_echoable(id))), Target::Id);
        Examined {
            key,
            rules: self.rules.hash(),
            target,
            answer_to: look.head.sender.clone().unwrap_or_else(|| device(&self.site.receiver)),
            answer_from: look.head.receiver.clone().unwrap_or_else(|| device(&self.site.device)),
            processing_code: look
                .head
                .processing_code
                .clone()
                .unwrap_or_else(|| self.site.environment().processing_codes().first().copied().unwrap_or("T").to_owned()),
            version_code: look.head.version_code.clone().unwrap_or_else(|| "V3-2005".to_owned()),
            is_acknowledgement: look.acknowledgement,
            service_request: look.service_request,
            purpose: look.purpose,
            document_id: look.document_id,
            frame: look.framed.then_some(look.head.id).flatten(),
            verdict,
        }
    }

    /// The stages, in order; all findings of one stage, then stop. `shared`, the message and its SHA-256, saves copying
    /// and hashing it again when the message itself is the document.
    fn judge(&self, octets: &[u8], shared: Option<(&Arc<Vec<u8>>, Digest)>, stage: Stage, look: &mut Look) -> Result<Option<Accepted>, Vec<Finding>> {
        let walked = prepass::prepass_within(octets, Encoding::Utf8Only, self.site.octets.0).inspect_err(|_| look.first_id(octets))?;
        let message = parse(walked.text).inspect_err(|_| look.first_id(octets))?;
        look.head = FrameHead::peek(&message);
        match open::open(&message, &self.rules, &self.site.frames)? {
            Opened::Acknowledgement => {
                look.acknowledgement = true;
                Err(vec![Finding::whole(Code::E904)])
            }
            Opened::Bare => {
                let (document, received) = shared.map_or_else(|| (Arc::new(octets.to_vec()), None), |(message, digest)| (Arc::clone(message), Some(digest)));
                self.judge_document(&message, walked.text, (document, received), None, stage, look)
            }
            Opened::Framed(mut frame) => {
                look.framed = true;
                look.service_request = Some(frame.service_request.code.clone());
                look.purpose.clone_from(&frame.purpose);
                stop_at_errors(self.frame_schema.validate(walked.text))?;
                let octets = Arc::new(std::mem::take(&mut frame.document));
                let walked = prepass::prepass_within(&octets, Encoding::Utf8Only, self.site.octets.1)?;
                let document = parse(walked.text)?;
                self.judge_document(&document, walked.text, (Arc::clone(&octets), None), Some((&message, &frame)), stage, look)
            }
        }
    }

    fn judge_document(
        &self,
        document: &Document<'_>,
        text: &str,
        (octets, received): (Arc<Vec<u8>>, Option<Digest>),
        carried: Option<(&Document<'_>, &Frame)>,
        stage: Stage,
        look: &mut Look,
    ) -> Result<Option<Accepted>, Vec<Finding>> {
        if octets.len() > self.site.octets.1 {
            return Err(vec![Finding::whole(Code::E105).with("limit", self.site.octets.1.to_string())]);
        }
        look.document_id = document_id(document);
        let mut warnings = stop_at_errors(self.document_schema.validate(text))?;
        if stage == Stage::Schema {
            return Ok(None);
        }
        let read =
            content::read(document, &self.rules, self.site.environment(), &|client| crypto::hmac_sha256(&self.site.site_key, client).unwrap_or(Digest::ZERO))?;
        warnings.extend(read.warnings);
        let header = read.header;
        let mut findings = decide::own_rules(&header, &self.rules);
        content::locate(&octets, &mut findings, &self.rules);
        if let Some((carrier, frame)) = carried {
            warnings.extend(frame.warnings.iter().cloned());
            findings.extend(frame::agree(carrier, frame, document, &header));
        }
        warnings.extend(stop_at_errors(findings)?);
        let rule = SignerRule { senders: &self.site.signers, require_professional: self.rules.signatures.needs_professional(&header) };
        let layout = Layout::of(document);
        let signatures = layout.verify(&self.site.anchors, &rule)?;
        let seal = SealPoint::in_layout(&layout)?;
        warnings.truncate(limits::FINDINGS);
        let received = received.unwrap_or_else(|| crypto::sha256(&octets));
        Ok(Some(Accepted { header, warnings, document: octets, received, signatures, seal }))
    }
}

impl Look {
    /// Of a message that cannot be parsed: the id, if it stands before the fault, so that the answer can name it.
    fn first_id(&mut self, octets: &[u8]) {
        if self.head.id.is_none()
            && let Some(found) = prepass::first_id(octets)
        {
            self.head.id = found.id;
            self.acknowledgement = found.element == "MCCI_IN000002UV01";
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

/// Warnings pass on; with an error among them everything found is given back.
fn stop_at_errors(findings: Vec<Finding>) -> Result<Vec<Finding>, Vec<Finding>> {
    if findings.iter().any(Finding::is_error) { Err(findings) } else { Ok(findings) }
}

fn parse(text: &str) -> Result<Document<'_>, Vec<Finding>> {
    tree::parse(text).map_err(|fault| {
        let place = crate::domain::finding::Place { line: fault.line, column: fault.column, path: "/".to_owned() };
        vec![Finding::new(if fault.too_much { Code::E111 } else { Code::E103 }, place)]
    })
}

/// `ClinicalDocument/id/@root`, when it is an OID.
fn document_id(document: &Document<'_>) -> Option<String> {
    let root = tree::child(document.root_element(), tree::HL7, "id")?.attribute("root")?;
    Oid::parse(root).ok().map(|oid| oid.as_str().to_owned())
}

/// Whether an AMQP `message_id` may be repeated in an answer: printable ASCII of at most 64 characters.
fn is_echoable(id: &str) -> bool {
    !id.is_empty() && id.len() <= limits::ECHOED_MESSAGE_ID && id.bytes().all(|b| (0x20..0x7f).contains(&b))
}
