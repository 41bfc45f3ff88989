//! The stages themselves, in order: encoding, well-formedness, frame, schema, then what the profile's templates, body and signatures ask.
//! All findings of one stage are given, then it stops.

use std::sync::Arc;

use super::examined::{Accepted, AcceptedDocument, AcceptedEvent, AcceptedQuery, Look, Queried};
use super::{Examiner, Stage, document_id};
use crate::cda::content;
use crate::cda::open::{self, Opened};
use crate::cda::plain;
use crate::cda::seal::SealPoint;
use crate::cda::verify::{Layout, SignatureFact, SignerRule};
use crate::codes::profiles::{EncodingRule, Profile, TemplateUse};
use crate::codes::requests::Operation;
use crate::codes::signatures::SigningPlace;
use crate::crypto;
use crate::crypto::sealed::Sort;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::finding::{Finding, Place};
use crate::domain::lifecycle::Invalidation;
use crate::domain::limits;
use crate::domain::query::Want;
use crate::fhir::event;
use crate::rules::decide;
use crate::rules::wills::Counting;
use crate::v3::event::EventFrame;
use crate::v3::frame::{self, Content, Frame, FrameHead};
use crate::v3::patient;
use crate::v3::query;
use crate::xml::prepass::{self, Encoding, Prepassed};
use crate::xml::schema::Schema;
use crate::xml::tree::{self, Document};

/// What came of a message that is not refused.
pub(super) enum Judged {
    /// It can be decided.
    Accepted(Accepted),
    /// It passed as far as it was looked at, with these warnings and signatures: the schema stage alone, or a profile whose documents are not archived.
    Checked(Vec<Finding>, Vec<SignatureFact>),
}

/// What is judged: octets, and where it is the message itself, its copy that is shared already and its SHA-256.
pub(super) struct Given<'o> {
    pub octets: &'o [u8],
    pub shared: Option<(&'o Arc<Vec<u8>>, Digest)>,
}

/// A document with what is known of it.
pub(super) struct Walked<'w, 'i> {
    pub(super) tree: &'w Document<'i>,
    pub(super) text: &'w Prepassed<'i>,
    pub(super) octets: Arc<Vec<u8>>,
    pub(super) received: Option<Digest>,
    pub(super) carried: Option<(&'w Document<'w>, &'w Frame, Option<Box<Invalidation>>)>,
}

impl Examiner {
    /// Judges a message; a bare document as `profile` says, a frame's as its interaction says.
    pub(super) fn judge(&self, given: &Given<'_>, profile: &Profile, stage: Stage, look: &mut Look) -> Result<Judged, Vec<Finding>> {
        let octets = given.octets;
        let schema = self.schema(&profile.schema)?;
        let decoded = prepass::decode(octets, taken(profile, stage), self.site.octets.0).inspect_err(|_| look.first_id(octets))?;
        let text = prepass::walk(&decoded.text, schema.declared().identities()).inspect_err(|_| look.first_id(octets))?;
        if stage == Stage::Schema && is_document(&text) {
            return self.judge_schema(&text, octets.len(), profile).map(|warnings| Judged::Checked(warnings, Vec::new()));
        }
        let message = parse(text.text).inspect_err(|_| look.first_id(octets))?;
        if event::is_event(&message) {
            return self.judge_notice(&message, &text, stage, look);
        }
        look.head = FrameHead::peek(&message);
        match open::open(&message, &self.rules, &self.site.frames)? {
            Opened::Acknowledgement => {
                look.acknowledgement = true;
                Err(vec![Finding::whole(Code::E904)])
            }
            Opened::Bare => {
                self.may_send(look)?;
                let shared = given.shared.map(|(message, digest)| (Arc::clone(message), digest));
                let (octets, received) = shared.map_or_else(|| (Arc::new(octets.to_vec()), None), |(message, digest)| (message, Some(digest)));
                self.judge_document(Walked { tree: &message, text: &text, octets, received, carried: None }, profile, stage, look)
            }
            Opened::Framed(frame) => {
                look.framed = true;
                look.service_request = Some(frame.service_request.code.clone());
                look.purpose.clone_from(&frame.purpose);
                self.may_ask(look, &message, &frame)?;
                let interaction = self.rules.services.interaction(message.root_element().tag_name().name());
                let profile = interaction.map_or(profile, |i| self.profile(&i.profile));
                if taken(profile, stage) == Encoding::Utf8Only
                    && let Some(finding) = prepass::objection(&decoded)
                {
                    return Err(vec![finding]);
                }
                if let Some(frame_schema) = &profile.frame {
                    stop_at_errors(self.schema(frame_schema)?.validate(text.text))?;
                }
                let mut frame = *frame;
                let (octets, invalidates) = match std::mem::replace(&mut frame.content, Content::Query(Want::Metadata)) {
                    Content::Document { octets, invalidates } => (Arc::new(octets), invalidates),
                    Content::Event(event) => return self.judge_event(*event, frame.warnings, stage, look),
                    Content::Query(want) => return self.judge_query(&message, want, frame, stage, look),
                };
                let decoded = prepass::decode(&octets, taken(profile, stage), self.site.octets.1)?;
                let text = prepass::walk(&decoded.text, self.schema(&profile.schema)?.declared().identities())?;
                let document = parse(text.text)?;
                let walked =
                    Walked { tree: &document, text: &text, octets: Arc::clone(&octets), received: None, carried: Some((&message, &frame, invalidates)) };
                self.judge_document(walked, profile, stage, look)
            }
        }
    }

    /// The schema stage of a document: needs no tree, so the memory it takes does not grow with the number of elements.
    fn judge_schema(&self, text: &Prepassed<'_>, octets: usize, profile: &Profile) -> Result<Vec<Finding>, Vec<Finding>> {
        if octets > self.site.octets.1 {
            return Err(vec![Finding::whole(Code::E105).with("limit", self.site.octets.1.to_string())]);
        }
        let found = self.schema(&profile.schema)?.validate(text.text).into_iter().map(|finding| belonging(finding, profile)).collect();
        let mut warnings = stop_at_errors(found)?;
        warnings.extend(text.oddities());
        Ok(warnings)
    }

    pub(super) fn judge_document(&self, given: Walked<'_, '_>, profile: &Profile, stage: Stage, look: &mut Look) -> Result<Judged, Vec<Finding>> {
        let Walked { tree: document, text, octets, received, carried } = given;
        look.document_id = match profile.templates {
            TemplateUse::Header => plain::document_id(document).map(|id| id.as_str().to_owned()),
            TemplateUse::Group | TemplateUse::None => document_id(document),
        };
        let mut warnings = self.judge_schema(text, octets.len(), profile)?;
        if stage == Stage::Schema {
            return Ok(Judged::Checked(warnings, Vec::new()));
        }
        if !profile.can_be_archived() {
            let mut findings = carried.as_ref().map_or_else(Vec::new, |(carrier, frame, _)| self.agree_plainly(carrier, frame, document));
            if stage == Stage::Gateway {
                findings.push(Finding::whole(Code::E213).with("profile", profile.name.as_str()));
            }
            warnings.extend(stop_at_errors(findings)?);
        }
        let layout = Layout::within(document, self.rules.signatures.at(profile.signing));
        if !profile.can_be_archived() {
            let signatures = match profile.signing {
                SigningPlace::Detached => Vec::new(),
                SigningPlace::SocialHeader | SigningPlace::PatientHeader => {
                    layout.verify(&self.site.anchors, &SignerRule { senders: &self.site.signers, require_professional: false })?
                }
            };
            warnings.push(Finding::whole(Code::W914).with("profile", profile.name.as_str()));
            return Ok(Judged::Checked(warnings, signatures));
        }
        // The client's id is read once, by whoever reads the header; here it is kept to be sealed.
        let client_id = std::cell::RefCell::new(Vec::new());
        let hash = |client: &[u8]| {
            client_id.replace(client.to_vec());
            self.client_hash(client)
        };
        let (header, will) = match profile.templates {
            TemplateUse::Header => (plain::read(document, self.site.environment(), &hash)?, None),
            TemplateUse::Group | TemplateUse::None => {
                let read = content::read(document, &self.rules, self.site.environment(), &hash)?;
                // What the schema has told of an element the template need not tell again.
                let news: Vec<Finding> =
                    read.warnings.into_iter().filter(|new| !warnings.iter().any(|told| told.code == new.code && told.place == new.place)).collect();
                warnings.extend(news);
                (read.header, read.will)
            }
        };
        let mut findings = decide::own_rules(&header, &self.rules);
        content::locate(&octets, &mut findings, &self.rules);
        let (mut invalidates, mut framed) = (None, None);
        if let Some((carrier, frame, invalidation)) = carried {
            framed = Some(frame);
            invalidates = invalidation;
            warnings.extend(frame.warnings.iter().cloned());
            findings.extend(frame::agree(carrier, frame, document, &header));
        }
        warnings.extend(stop_at_errors(findings)?);
        self.may_touch(look, document, framed, &header)?;
        let (signatures, seal) = if profile.signing == SigningPlace::Detached {
            (Vec::new(), SealPoint::beside(&layout, &octets)?)
        } else {
            let rule = SignerRule { senders: &self.site.signers, require_professional: self.rules.signatures.needs_professional(&header) };
            (layout.verify(&self.site.anchors, &rule)?, SealPoint::in_layout(&layout)?)
        };
        warnings.truncate(limits::FINDINGS);
        let received = received.unwrap_or_else(|| crypto::sha256(&octets));
        let client_sealed = self.seal(Sort::Client, &received, &client_id.take());
        let will = will.map(|said| (said, Counting::of(&self.rules.wills)));
        let accepted = AcceptedDocument { header, warnings, document: octets, received, signatures, seal, invalidates, will, client_sealed };
        Ok(Judged::Accepted(Accepted::Document(Box::new(accepted))))
    }

    /// An event has no document to judge: what is left is the archive's to say.
    fn judge_event(&self, frame: EventFrame, warnings: Vec<Finding>, stage: Stage, look: &mut Look) -> Result<Judged, Vec<Finding>> {
        let EventFrame { mut request, client } = frame;
        self.may_mark(look, &request)?;
        let place = crypto::sha256(request.target.id.as_ref().or(request.target.set_id.as_ref()).map_or("", |id| id.as_str()).as_bytes());
        let client_sealed = client.as_deref().and_then(|client| self.seal(Sort::Client, &place, client));
        request.client = client.map(|client| self.client_hash(&client));
        let target = request.target.id.as_ref().or(request.target.set_id.as_ref());
        look.document_id = target.map(|id| id.as_str().to_owned());
        if stage == Stage::Schema {
            return Ok(Judged::Checked(warnings, Vec::new()));
        }
        Ok(Judged::Accepted(Accepted::Event(Box::new(AcceptedEvent { request, client_sealed, warnings }))))
    }

    /// What frame and document must have in common where no template gives header facts: the patient family.
    fn agree_plainly(&self, carrier: &Document<'_>, frame: &Frame, document: &Document<'_>) -> Vec<Finding> {
        let interaction = self.rules.services.interaction(carrier.root_element().tag_name().name());
        patient::agree(carrier, interaction.map_or(Operation::Store, |i| i.operation), &frame.service_request.code, document)
    }

    /// A query has no document either: it is read, and the door of disclosure says whose registers it may look into.
    fn judge_query(&self, message: &Document<'_>, want: Want, frame: Frame, stage: Stage, look: &mut Look) -> Result<Judged, Vec<Finding>> {
        if stage == Stage::Schema {
            return Ok(Judged::Checked(frame.warnings, Vec::new()));
        }
        look.queried = Some(Queried::Unread);
        let rules = &self.rules.query;
        let ids = std::cell::RefCell::new(Vec::new());
        let hash = |octets: &[u8]| {
            let digest = self.client_hash(octets);
            ids.borrow_mut().push((digest, octets.to_vec()));
            digest
        };
        let basis = frame.service_request.basis;
        let reading = query::Reading { rules, grounds: &self.rules.disclosure, environment: self.site.environment(), hash: &hash, want, basis };
        let query::Read { mut query, place } = query::read(message, &reading)?;
        let message_hash = crypto::sha256(message.input_text().as_bytes());
        let ids = ids.into_inner();
        let id_of = |digest: Option<Digest>| ids.iter().find(|(known, _)| Some(*known) == digest).map(|(_, id)| id.clone());
        query.sealed.client = id_of(query.criteria.client).and_then(|id| self.seal(Sort::Client, &message_hash, &id));
        query.sealed.person = id_of(query.asker.person).and_then(|mut id| {
            if let Some(name) = query::performer_name(message) {
                id.push(0);
                id.extend_from_slice(name.as_bytes());
            }
            self.seal(Sort::Person, &message_hash, &id)
        });
        look.queried = Some(Queried::Read(Box::new(query.clone())));
        self.may_look(look, &query, &place)?;
        // What no registration opens is refused here; which of them are in force is known at the decision.
        self.standing(&query, &look.grant, look.purpose.is_some(), &place).map_err(|denied| vec![denied])?;
        Ok(Judged::Accepted(Accepted::Query(Box::new(AcceptedQuery { query, place, warnings: frame.warnings }))))
    }

    /// A compiled schema. The gateway compiled all of them at start; where one is compiled only now and is broken, that is our defect, not the sender's.
    pub(super) fn schema(&self, entry: &str) -> Result<&Schema, Vec<Finding>> {
        self.schemas.get(entry).map_err(|_| vec![Finding::whole(Code::E901)])
    }
}

/// Whether the root element is a document's.
fn is_document(text: &Prepassed<'_>) -> bool {
    let (namespace, name) = text.root;
    namespace == Some(tree::HL7) && name.rsplit(':').next() == Some("ClinicalDocument")
}

/// Which encodings are taken: the archive's rule is no part of the schema stage.
const fn taken(profile: &Profile, stage: Stage) -> Encoding {
    match (stage, profile.encoding) {
        (Stage::Schema, _) | (_, EncodingRule::Any) => Encoding::Any,
        (Stage::All | Stage::Gateway, EncodingRule::Utf8) => Encoding::Utf8Only,
    }
}

/// A header of another profile is told as that: the document is not broken, it is in the wrong place. In its own profile the header is an element like others.
fn belonging(mut finding: Finding, profile: &Profile) -> Finding {
    let social =
        matches!(finding.code, Code::E202 | Code::E210) && finding.args.iter().any(|(name, word)| *name == "element" && word == "hl7fi:localSocialHeader");
    match profile.signing {
        SigningPlace::PatientHeader if finding.code == Code::E203 => finding.code = Code::E202,
        SigningPlace::PatientHeader | SigningPlace::Detached if social => finding.code = Code::E214,
        _ => {}
    }
    finding
}

/// Warnings pass on; with an error among them everything found is given back.
pub(super) fn stop_at_errors(findings: Vec<Finding>) -> Result<Vec<Finding>, Vec<Finding>> {
    if findings.iter().any(Finding::is_error) { Err(findings) } else { Ok(findings) }
}

pub(super) fn parse(text: &str) -> Result<Document<'_>, Vec<Finding>> {
    tree::parse(text).map_err(|fault| {
        let place = Place { line: fault.line, column: fault.column, path: "/".to_owned() };
        vec![Finding::new(if fault.too_much { Code::E111 } else { Code::E103 }, place)]
    })
}
