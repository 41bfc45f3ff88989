//! The CPU stage: octets in, a checked document or a refusal out. Pure: rules, schemas, anchors and the site's facts are given once.
//! The gateway, `arkki validate` and the demo call the same functions, so they give the same verdict.

mod audit;
mod beside;
mod client;
mod examined;
mod judge;
mod may;
mod notice;
mod schemas;

pub use self::audit::{OwnSigner, signing_place};
pub use self::beside::{Beside, DOCUMENT, FRAME};
use self::examined::Look;
pub use self::examined::{Accepted, AcceptedDisclosure, AcceptedDocument, AcceptedEvent, AcceptedQuery, Examined, Queried};
use self::judge::{Given, Judged};
pub use self::may::Senders;
use self::schemas::Schemas;
use crate::cda::verify::SignatureFact;
use crate::codes::catalogue::Catalogue;
pub use crate::codes::profiles::DEFAULT as KANTA_SOCIAL;
use crate::codes::profiles::Profile;
use crate::codes::rule_set::RuleSet;
use crate::codes::source::Files;
use crate::crypto;
use crate::crypto::sealed::{SEALED_OCTETS, Sealer, Sort};
use crate::crypto::trust::TrustAnchors;
use crate::domain::ack::{AckType, InstanceId, Target};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::environment::Environment;
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::domain::limits;
use crate::domain::log::Sealed;
use crate::domain::message::{Envelope, MessageKey, Sender};
use crate::domain::oid::Oid;
use crate::domain::refusal::Refusal;
use crate::pipeline::notice::NoticeSite;
use crate::v3::frame::FrameSite;
use crate::xml::tree::{self, Document};

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
    /// Who may send what, and how single senders are answered.
    pub senders: Senders,
    /// Code system of our codes in answers.
    pub code_system: Oid,
    /// Root of answers' ids.
    pub id_root: Oid,
    /// Our device: the sender of answers to bare documents.
    pub device: Oid,
    /// The receiver of answers to bare documents.
    pub receiver: Oid,
    /// How notices of disclosures outside the archive are made; `None` takes none.
    pub notices: Option<NoticeSite>,
}

impl Site {
    fn environment(&self) -> Environment {
        self.frames.environment
    }

    /// The language of answers to a sender.
    #[must_use]
    pub fn language_of(&self, sender: &Sender) -> Language {
        self.senders.languages.get(sender.as_str()).copied().unwrap_or(self.language)
    }

    /// The type that goes out where an answer would be this.
    #[must_use]
    pub fn sent(&self, ack_type: AckType) -> AckType {
        if self.senders.only_ae && ack_type == AckType::Reject { AckType::Error } else { ack_type }
    }
}

/// Everything a message is examined with; shared by all threads.
pub struct Examiner {
    rules: RuleSet,
    schemas: Schemas,
    site: Site,
    sealer: Option<Sealer>,
}

/// How far `validate` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Encoding, well-formedness, XML Schema.
    Schema,
    /// Everything that needs no archive.
    All,
    /// The same, for a document that is to be archived: one of a profile whose documents are only checked is refused.
    Gateway,
}

impl Examiner {
    /// Compiles the schemas of all profiles.
    ///
    /// # Errors
    /// Which schema file is wrong, and why.
    pub fn new(files: &Files, rules: RuleSet, site: Site) -> Result<Self, String> {
        let examiner = Self::unready(files, rules, site);
        examiner.compile()?;
        Ok(examiner)
    }

    /// Compiles the schemas of all profiles that are not compiled yet.
    ///
    /// # Errors
    /// Which schema file is wrong, and why.
    pub fn compile(&self) -> Result<(), String> {
        self.schemas.compile()
    }

    /// The same with these authorities: for an audit, which knows those that the archive kept.
    #[must_use]
    pub fn with_anchors(mut self, anchors: TrustAnchors) -> Self {
        self.site.anchors = anchors;
        self
    }

    /// Compiles no schema yet: each is compiled when a document first needs it. Ask [`Self::ready`] for what will be needed.
    #[must_use]
    pub fn unready(files: &Files, rules: RuleSet, site: Site) -> Self {
        let schemas = Schemas::new(files, rules.profiles.all());
        let sealer = Sealer::new(&site.site_key).ok();
        Self { rules, schemas, site, sealer }
    }

    /// Compiles a profile's schemas.
    ///
    /// # Errors
    /// Which schema file is wrong, and why; or that there is no such profile.
    pub fn ready(&self, profile: &str) -> Result<(), String> {
        match self.rules.profiles.get(profile) {
            None => Err(format!("no such profile; there are {}", self.profiles().join(", "))),
            Some(profile) => self.schemas.get(&profile.schema).map(|_| ()),
        }
    }

    /// What libxml2 remarked on a profile's schema without refusing it: only a site's own may be used so.
    #[must_use]
    pub fn remarks(&self, profile: &str) -> Vec<String> {
        self.rules.profiles.get(profile).map_or_else(Vec::new, |p| self.schemas.remarks(&p.schema))
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

    /// A person's id (root, NUL, extension) as the archive knows it: hashed with the site's key.
    #[must_use]
    pub fn client_hash(&self, octets: &[u8]) -> Digest {
        crypto::hmac_sha256(&self.site.site_key, octets).unwrap_or(Digest::ZERO)
    }

    /// A personal value as the logs keep it; `place` tells its row from others. What is longer than any id and name is kept as far as a seal reaches: a
    /// sender does not choose that nothing is kept. `None` only where OpenSSL is without memory, or the value is no id.
    #[must_use]
    pub fn seal(&self, sort: Sort, place: &Digest, value: &[u8]) -> Option<Sealed> {
        let kept = value.get(..SEALED_OCTETS).unwrap_or(value);
        self.sealer.as_ref().and_then(|sealer| sealer.seal(sort, &place.0, kept).ok())
    }

    /// Opens what was sealed: for exports of the logs.
    #[must_use]
    pub fn open(&self, sort: Sort, sealed: &[u8]) -> Option<Vec<u8>> {
        self.sealer.as_ref().and_then(|sealer| sealer.open(sort, sealed))
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
        self.rules.profiles.get(profile).is_some()
    }

    /// The profiles' names.
    #[must_use]
    pub fn profiles(&self) -> Vec<&str> {
        self.rules.profiles.names()
    }

    fn profile(&self, name: &str) -> &Profile {
        self.rules.profiles.get_or_default(name)
    }

    /// The key of a message. One without a sender has the empty name: no user of a broker bears it.
    #[must_use]
    pub fn key(&self, envelope: &Envelope) -> MessageKey {
        MessageKey { sender: envelope.sender.clone().unwrap_or_else(|| Sender::new("")), octets: crypto::sha256(&envelope.octets) }
    }

    /// Examines one message. `from_hold`: it passed the door before, its reply addresses wait with the hold.
    #[must_use]
    pub fn examine(&self, envelope: &Envelope, from_hold: bool) -> Examined {
        let mut look = Look { user: envelope.sender.clone(), ..Look::default() };
        // Whose registration it is under, also where nothing of the message can be read; an unknown sender is refused where the message is judged.
        let _unknown = self.may_send(&mut look);
        let key = self.key(envelope);
        let given = Given { octets: &envelope.octets, shared: Some((&envelope.octets, key.octets)) };
        let verdict = self.judge(&given, self.profile(&envelope.profile), Stage::Gateway, &mut look);
        let mut refusal = match verdict {
            Ok(Judged::Accepted(accepted)) => Ok(accepted),
            // The gateway's stage always gives a document or findings.
            Ok(Judged::Checked(..)) => Err(Refusal::one(Finding::whole(Code::E901))),
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

    /// Everything that is found in a file, errors and warnings, in the gateway's order; nothing when it passes without a remark. A bare document is
    /// checked as the default profile.
    #[must_use]
    pub fn validate(&self, octets: &[u8], stage: Stage) -> Vec<Finding> {
        self.validate_as(KANTA_SOCIAL, octets, stage)
    }

    /// As [`Self::validate`], a bare document as this profile.
    #[must_use]
    pub fn validate_as(&self, profile: &str, octets: &[u8], stage: Stage) -> Vec<Finding> {
        self.validate_and(profile, octets, stage, |_| Vec::new())
    }

    /// As [`Self::validate_as`], with what only time and issuers know of the signers of a document that passed.
    #[must_use]
    pub fn validate_and(&self, profile: &str, octets: &[u8], stage: Stage, signers: impl FnOnce(&[SignatureFact]) -> Vec<Finding>) -> Vec<Finding> {
        let (mut warnings, signatures) = match self.judge(&Given { octets, shared: None }, self.profile(profile), stage, &mut Look::default()) {
            Ok(Judged::Accepted(accepted)) => accepted.remarks(),
            Ok(Judged::Checked(warnings, signatures)) => (warnings, signatures),
            Err(findings) => return findings,
        };
        if !signatures.is_empty() {
            warnings.extend(signers(&signatures));
        }
        warnings
    }

    fn examined(&self, key: MessageKey, envelope: &Envelope, look: Look, verdict: Result<Accepted, Refusal>) -> Examined {
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
            grant: look.grant,
            frame: look.framed.then_some(look.head.id).flatten(),
            queried: look.queried,
            verdict,
        }
    }
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
