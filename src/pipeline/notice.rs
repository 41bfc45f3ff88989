//! A disclosure outside the archive between examination and commit: looked up, decided, and made into a signed bundle with its rows of both logs
//! (messaging.md §4).

use std::sync::Arc;

use super::effect::{self, Setting};
use super::examine::{AcceptedDisclosure, Examined, Examiner};
use super::gate::Stopping;
use super::intake::Parts;
use crate::cda::{self, seal};
use crate::crypto::sealed::Sort;
use crate::crypto::{self, sha256};
use crate::domain::ack::AckType;
use crate::domain::change::{Access, Look, NoticeCommit};
use crate::domain::digest::Digest;
use crate::domain::facts::Facts;
use crate::domain::finding::Finding;
use crate::domain::ledger::{Entry, EntryKind};
use crate::domain::log::{Disclosed, DisclosedRow, Party, Sealed};
use crate::domain::notice::{Basis, Item, Leaving, NoticeFormat, NoticeNeeds, NoticeRecord, OutsideDisclosure, Person, Section};
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::domain::will::ClientWills;
use crate::fhir::event::person_octets;
use crate::fhir::{bundle, signature};
use crate::rules::decide::Decision;
use crate::rules::notice::{self, Known};
use crate::v3::ack;

/// What the notice queue's messages are: the bundle,
pub const FHIR_CONTENT: &str = "application/fhir+json";
/// and the CDA document.
pub const CDA_CONTENT: &str = "application/hl7-cda+xml";
/// What the access log calls it.
const ACTION: &str = "report";

/// What a site says of its notices.
#[derive(Debug, Clone)]
pub struct NoticeSite {
    /// The root of notices' ids.
    pub id_root: Oid,
    /// The notice queue.
    pub queue: String,
    /// What leaves on it.
    pub format: NoticeFormat,
}

/// Decides an event on today's facts.
///
/// # Errors
/// [`Stopping`] when the process stops during an outage.
pub async fn decide(parts: &Parts, examined: &Examined, accepted: &AcceptedDisclosure, facts: &Facts, at: Moment) -> Result<Decision, Stopping> {
    let event = &accepted.event;
    let needs = NoticeNeeds { id: event.id.clone(), corrects: event.corrects.clone(), documents: event.documents() };
    let named = parts.gate.through(|| parts.archive.notice_facts(&needs)).await?;
    let wills = match event.basis {
        Basis::Permission(_) => parts.gate.through(|| parts.archive.wills(&accepted.client)).await?,
        Basis::Statute(_) | Basis::Embedded(_) => ClientWills::default(),
    };
    let least = parts.examiner.rule_set().wills.least_edition;
    let known = Known { facts, named: &named, wills: &wills, least };
    Ok(notice::decide(&accepted.request(examined), &known, at))
}

/// Makes the notice: the bundle, signed; what leaves; the rows of both logs; the answer.
///
/// # Errors
/// An outage when the key cannot be reached.
pub(super) fn commit(
    setting: &Setting<'_>,
    accepted: &AcceptedDisclosure,
    corrected: Option<&NoticeRecord>,
    warnings: &[Finding],
) -> Result<NoticeCommit, Outage> {
    let event = &accepted.event;
    // A defect of ours, as the examination takes no event without a site and checks the root's length: told as an outage, it is found and loses nothing.
    let defect = |what: &str| Outage::new(Part::Machine, format!("a notice could not be made: {what}"));
    let site = setting.examiner.site().notices.as_ref().ok_or_else(|| defect("notices are not taken"))?;
    let event_sha = setting.examined.key.octets;
    let parts = bundle::parts(event, &site.id_root, &event_sha).ok_or_else(|| defect("its ids are too long"))?;
    let made = bundle::bundle(event, &parts, corrected, setting.examiner.rule_set());
    let unsigned = signature::prepare(made, setting.signer.certificate()).ok_or_else(|| defect("it cannot be written"))?;
    let value = setting.signer.sign(&unsigned.input)?;
    let signed = unsigned.signed(&value, setting.at, event.system.as_str()).ok_or_else(|| defect("it cannot be written"))?;
    let bundle = Arc::new(signed);
    let record = NoticeRecord {
        id: event.id.clone(),
        client: accepted.client,
        corrects: event.corrects.clone(),
        disclosed_at: event.disclosed_at,
        recorded_at: event.recorded_at,
        parts,
        event_sha,
        bundle_sha: sha256(&bundle),
    };
    let cda = if site.format.has_cda() { Some(Arc::new(document(setting, event, &record, corrected)?)) } else { None };
    let answer = effect::answer(setting, AckType::Accept, warnings.to_vec());
    let entry = Entry {
        document_id: Some(event.id.as_str().to_owned()),
        document: Some(event_sha),
        archived: Some(archived_digest(&bundle, cda.as_ref().map(|cda| cda.as_slice()))),
        ..effect::entry(setting, EntryKind::Notice, None, Some(&answer))
    };
    let leaves = |id: &Oid, content_type, body: &Arc<Vec<u8>>| Leaving {
        amqp_id: id.as_str().to_owned(),
        queue: site.queue.clone(),
        content_type,
        body: Arc::clone(body),
    };
    let mut leaving = Vec::with_capacity(2);
    if site.format.has_fhir() {
        leaving.push(leaves(&event.id, FHIR_CONTENT, &bundle));
    }
    if let (Some(cda), Some(id)) = (&cda, record.cda_id()) {
        leaving.push(leaves(&id, CDA_CONTENT, cda));
    }
    Ok(NoticeCommit {
        looks: looks(setting, accepted, &record),
        disclosed: disclosed(setting.examiner, accepted, event_sha),
        record,
        event: Arc::clone(&setting.envelope.octets),
        bundle,
        cda,
        leaving,
        entry,
        outcome: ack::outcome_digest(AckType::Accept, warnings),
        answer,
    })
}

/// The CDA document, with our signature where a document of the patient family has it.
fn document(setting: &Setting<'_>, event: &OutsideDisclosure, record: &NoticeRecord, corrected: Option<&NoticeRecord>) -> Result<Vec<u8>, Outage> {
    let defect = |what: &str| Outage::new(Part::Machine, format!("a notice's document could not be made: {what}"));
    let id = record.cda_id().ok_or_else(|| defect("it has no id"))?;
    let made = cda::notice::make(event, &id, corrected, setting.examiner.rule_set()).map_err(defect)?;
    let signer = (setting.signer.algorithm(), setting.signer.certificate());
    Ok(seal::seal_with(made.text.as_bytes(), &made.point, signer, setting.at, |octets| setting.signer.sign(octets))?.octets)
}

/// What the ledger hashes of a notice: the bundle, and the CDA document after it where there is one.
#[must_use]
pub fn archived_digest(bundle: &[u8], cda: Option<&[u8]>) -> Digest {
    cda.map_or_else(|| sha256(bundle), |cda| crypto::sha256_parts(&[bundle, cda]))
}

/// The access log: who reported, for each register.
fn looks(setting: &Setting<'_>, accepted: &AcceptedDisclosure, record: &NoticeRecord) -> Vec<Look> {
    let event = &accepted.event;
    let sealing = Sealing { examiner: setting.examiner, place: record.event_sha };
    let (sealed_client, sealed_person) = (sealing.client(event), sealing.person(&event.discloser.person));
    let look = |controller: &Oid| Look {
        access: Access {
            actor: setting.examined.key.sender.as_str().to_owned(),
            action: ACTION.to_owned(),
            service_request: None,
            purpose: Some(event.purpose.clone()),
            ..Access::default()
        },
        document_id: Some(event.id.clone()),
        controller: controller.as_str().to_owned(),
        organisation: Some(event.discloser.organisation.id.clone()),
        person: person(setting.examiner, event.discloser.person.id.as_ref()),
        client: Some(accepted.client),
        detail: None,
        query_id: None,
        client_sealed: sealed_client.clone(),
        person_sealed: sealed_person.clone(),
    };
    record.parts.iter().map(|part| look(&part.controller)).collect()
}

/// The disclosure log: a row for each data set.
fn disclosed(examiner: &Examiner, accepted: &AcceptedDisclosure, event_sha: Digest) -> Vec<DisclosedRow> {
    let event = &accepted.event;
    let sealing = Sealing { examiner, place: event_sha };
    let recipient = &event.recipient;
    let name = Person { id: recipient.person.clone(), family: recipient.name.clone(), given: None };
    let sides = Sides {
        client: sealing.client(event),
        discloser: Party {
            kind: "controller".to_owned(),
            organisation: Some(event.discloser.organisation.id.clone()),
            person: person(examiner, event.discloser.person.id.as_ref()),
            sealed: sealing.person(&event.discloser.person),
        },
        recipient: Party {
            kind: recipient.kind.as_str().to_owned(),
            organisation: recipient.organisation.clone(),
            person: person(examiner, recipient.person.as_ref()),
            sealed: if recipient.person.is_some() || recipient.name.is_some() { sealing.person(&name) } else { None },
        },
    };
    let items = event.sections.iter().flat_map(|section| section.items.iter().map(move |item| (section, item)));
    items.map(|at| row(accepted.client, event, &sides, at)).collect()
}

/// What all rows of one event have in common.
struct Sides {
    client: Option<Sealed>,
    discloser: Party,
    recipient: Party,
}

/// Seals personal values for the rows of one event.
struct Sealing<'s> {
    examiner: &'s Examiner,
    place: Digest,
}

impl Sealing<'_> {
    fn client(&self, event: &OutsideDisclosure) -> Option<Sealed> {
        let (root, extension) = event.client.id.as_ref()?;
        self.examiner.seal(Sort::Client, &self.place, &person_octets(root, extension))
    }

    /// A person's id, as far as there is one, and the name.
    fn person(&self, person: &Person) -> Option<Sealed> {
        let (root, extension) = person.id.as_ref().map_or(("", ""), |(root, extension)| (root.as_str(), extension.as_str()));
        let name: Vec<&str> = [&person.given, &person.family].into_iter().flatten().map(String::as_str).collect();
        let mut octets = person_octets(root, extension);
        if !name.is_empty() {
            octets.push(0);
            octets.extend_from_slice(name.join(" ").as_bytes());
        }
        self.examiner.seal(Sort::Person, &self.place, &octets)
    }
}

fn row(client: Digest, event: &OutsideDisclosure, sides: &Sides, (section, item): (&Section, &Item)) -> DisclosedRow {
    let (permission, section_of_law) = match &event.basis {
        Basis::Permission(id) => (Some(id.clone()), None),
        Basis::Statute(statute) => (None, Some(statute.clone())),
        Basis::Embedded(_) => (None, None),
    };
    DisclosedRow {
        kind: Disclosed::Outside,
        disclosed_at: Some(event.disclosed_at),
        controller: section.controller.id.clone(),
        register_type: Some(section.register.clone()),
        client: Some(client),
        client_sealed: sides.client.clone(),
        document_id: item.document.clone(),
        set_id: item.set_id.clone(),
        general_type: item.general_type.as_ref().map(|coded| coded.code.clone()),
        specific_type: item.precise_type.as_ref().map(|coded| coded.code.clone()),
        service_task: Some(item.tasks.join(",")),
        discloser: sides.discloser.clone(),
        recipient: sides.recipient.clone(),
        purpose: Some(event.purpose.clone()),
        service_request: None,
        query_id: None,
        basis: event.basis.as_str().to_owned(),
        rule: None,
        section: section_of_law,
        informing: None,
        permission,
        denials: Vec::new(),
        notice: Some(event.id.as_str().to_owned()),
        detail: Some(event.manner.clone()),
    }
}

fn person(examiner: &Examiner, id: Option<&(String, String)>) -> Option<Digest> {
    id.map(|(root, extension)| examiner.client_hash(&person_octets(root, extension)))
}
