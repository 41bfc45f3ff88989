//! Decisions become commits here: the signature is spliced in, the answer drafted, the ledger entry filled in. Pure but for the key.

use std::sync::Arc;

use super::answers::{self, Asked};
use super::examine::{Accepted, AcceptedDocument, AcceptedEvent, Examined, Examiner};
use super::{notice, query};
use crate::cda::{content, seal};
use crate::crypto;
use crate::domain::ack::{AckDraft, AckType, InstanceId};
use crate::domain::change::{Access, Along, AnswerDraft, Archive, Commit, Effect, Event, Held, Refuse};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::Group;
use crate::domain::facts::{Expectation, Hold, Prior};
use crate::domain::finding::Finding;
use crate::domain::ledger::{Entry, EntryKind};
use crate::domain::lifecycle::{EventKind, EventRecord, Scope};
use crate::domain::message::{Envelope, MessageKey, Reply};
use crate::domain::messages::Road;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::refusal::Refusal;
use crate::domain::refused::{Came, ReplayMark};
use crate::domain::time::Moment;
use crate::ports::signer::Signer;
use crate::rules::decide::Decision;
use crate::telemetry::Ending;
use crate::v3::ack;

/// A commit, and how it will be told in the message's one line.
pub struct Planned {
    /// The commit.
    pub commit: Commit,
    /// How the message ends if it holds.
    pub ending: Ending,
    /// The refusal's code.
    pub code: Option<Code>,
}

/// What surrounds one decision.
pub struct Setting<'a> {
    /// Rules, site and catalogue.
    pub examiner: &'a Examiner,
    /// The key.
    pub signer: &'a dyn Signer,
    /// The message as it came.
    pub envelope: &'a Envelope,
    /// The message as it was examined.
    pub examined: &'a Examined,
    /// The earlier decision about the same key.
    pub prior: Option<&'a Prior>,
    /// Where this delivery's answer goes.
    pub reply: Option<Reply>,
    /// Now.
    pub at: Moment,
    /// When a hold that begins now ends.
    pub until: Moment,
    /// The replay that the decision ends.
    pub replay: Option<ReplayMark>,
}

/// Makes the commit that a decision asks for.
///
/// # Errors
/// An outage when the key cannot be reached.
pub fn plan(setting: Setting<'_>, decision: &Decision) -> Result<Planned, Outage> {
    let supersedes = setting.prior.map(|p| p.revision);
    let planned = |effect, expects: &[Expectation], ending, code| {
        let reply = setting.reply.clone();
        let commit = Commit {
            key: setting.examined.key.clone(),
            at: setting.at,
            reply,
            effect,
            expects: expects.to_vec(),
            supersedes,
            replay: setting.replay,
            road: Road::default(),
        };
        Planned { commit, ending, code }
    };
    Ok(match (decision, &setting.examined.verdict) {
        (Decision::Repeat, _) => planned(Effect::Repeat, &[], Ending::Repeated, None),
        (Decision::RepeatHeld, _) => planned(Effect::Repeat, &[], Ending::Held, None),
        (Decision::Refuse { refusal, expects }, _) => {
            let noted = setting.examined.is_acknowledgement;
            let ending = if noted { Ending::Noted } else { Ending::Refused };
            planned(Effect::Refuse(Box::new(refuse(&setting, refusal, noted))), expects, ending, (!noted).then(|| refusal.code()))
        }
        (Decision::Hold { awaits, expects }, _) => {
            let hold = Hold { awaits: awaits.clone(), until: setting.until };
            planned(Effect::Hold(Box::new(Held { hold, envelope: setting.envelope.clone(), rules: setting.examined.rules })), expects, Ending::Held, None)
        }
        (Decision::Already { expects, warnings }, Ok(Accepted::Document(accepted))) => {
            planned(Effect::Refuse(Box::new(already(&setting, accepted, warnings))), expects, Ending::Accepted, None)
        }
        (Decision::Archive { expects, warnings }, Ok(Accepted::Document(accepted))) => {
            planned(Effect::Archive(Box::new(archive(&setting, accepted, warnings)?)), expects, Ending::Accepted, None)
        }
        (Decision::Event { record, made, expects, warnings }, Ok(Accepted::Event(accepted))) => {
            planned(Effect::Event(Box::new(event(&setting, accepted, record, made, warnings))), expects, Ending::Accepted, None)
        }
        (Decision::Notice { corrected, expects, warnings }, Ok(Accepted::Disclosure(accepted))) => {
            let notice = notice::commit(&setting, accepted, corrected.as_deref(), warnings)?;
            planned(Effect::Notice(Box::new(notice)), expects, Ending::Accepted, None)
        }
        (Decision::Answer(answering), Ok(Accepted::Query(accepted))) => {
            let examined = setting.examined;
            let asked = Asked {
                actor: examined.key.sender.as_str(),
                service_request: examined.service_request.as_deref(),
                purpose: examined.purpose.as_deref(),
                query: &accepted.query,
                scope: &answering.scope,
                standing: answering.standing.as_ref(),
            };
            let answer = query::answer(setting.examiner, &query::Envelope::of(examined, setting.at), &asked, &answering.answered);
            let code = answering.answered.refused();
            let ending = if code.is_some() { Ending::Refused } else { Ending::Answered };
            planned(Effect::Answer(Box::new(answer)), &answering.expects, ending, code)
        }
        // `decide` gives these only for what examine has passed as such.
        (Decision::Already { .. } | Decision::Archive { .. } | Decision::Event { .. } | Decision::Notice { .. } | Decision::Answer(..), verdict) => {
            let defect = Refusal::one(Finding::whole(Code::E901));
            let refusal = verdict.as_ref().err().unwrap_or(&defect);
            planned(Effect::Refuse(Box::new(refuse(&setting, refusal, false))), &[], Ending::Refused, Some(refusal.code()))
        }
    })
}

fn archive(setting: &Setting<'_>, accepted: &AcceptedDocument, warnings: &[Finding]) -> Result<Archive, Outage> {
    let signer = setting.signer;
    let sealed = seal::seal_with(&accepted.document, &accepted.seal, (signer.algorithm(), signer.certificate()), setting.at, |octets| signer.sign(octets))?;
    let archived = crypto::sha256(&sealed.octets);
    // The chain covers what lies beside as well.
    let whole = sealed.beside.as_deref().map_or(archived, |beside| crypto::sha256_parts(&[&sealed.octets, beside]));
    let warnings = located(setting, accepted, warnings);
    let outcome = ack::outcome_digest(AckType::Accept, &warnings);
    let answer = answer(setting, AckType::Accept, warnings);
    let entry = Entry {
        document_id: Some(accepted.header.id.as_str().to_owned()),
        document: Some(accepted.received),
        archived: Some(whole),
        ..entry(setting, EntryKind::Archived, None, Some(&answer))
    };
    let action = match (&accepted.invalidates, &accepted.header.replaces) {
        (Some(_), _) => EventKind::Invalidated.action(),
        (None, Some(_)) => "replace",
        (None, None) => "store",
    };
    Ok(Archive {
        event: along(setting, accepted).map(Box::new),
        header: accepted.header.clone(),
        will: accepted.will.as_ref().map(|(said, _)| said.clone()),
        frame: setting.examined.frame_id(),
        octets: Arc::new(sealed.octets),
        splice: sealed.splice,
        beside: sealed.beside,
        received: accepted.received,
        archived,
        entry,
        access: Access { client_sealed: accepted.client_sealed.clone(), ..access(setting, action) },
        outcome,
        answer,
    })
}

/// The invalidation that an invalidating version brings: of its whole set.
fn along(setting: &Setting<'_>, accepted: &AcceptedDocument) -> Option<Along> {
    let (invalidation, header) = (accepted.invalidates.as_ref()?, &accepted.header);
    let record = EventRecord {
        kind: EventKind::Invalidated,
        set_id: header.set_id.clone(),
        scope: Scope::Set,
        by_document: Some(header.id.clone()),
        at: setting.at,
        sender: setting.examined.key.sender.as_str().to_owned(),
        controller: header.controller.clone(),
        author: invalidation.author.clone(),
        reason: invalidation.reason.clone(),
    };
    let entry = event_entry(setting, &record, None);
    Some(Along { record, entry })
}

fn event(setting: &Setting<'_>, accepted: &AcceptedEvent, record: &EventRecord, made: &(Group, Option<Oid>, Option<Oid>), warnings: &[Finding]) -> Event {
    let outcome = ack::outcome_digest(AckType::Accept, warnings);
    let answer = answer(setting, AckType::Accept, warnings.to_vec());
    let (group, case_id, relation_id) = made;
    Event {
        entry: event_entry(setting, record, Some(&answer)),
        record: record.clone(),
        case_id: case_id.clone().filter(|_| *group == Group::Case),
        relation_id: relation_id.clone().filter(|_| *group == Group::ClientRelation),
        frame: setting.examined.frame_id(),
        octets: Arc::clone(&setting.envelope.octets),
        access: Access { client: accepted.request.client, client_sealed: accepted.client_sealed.clone(), ..access(setting, record.kind.action()) },
        answer,
        outcome,
    }
}

fn event_entry(setting: &Setting<'_>, record: &EventRecord, answer: Option<&AnswerDraft>) -> Entry {
    Entry {
        document_id: Some(record.target().as_str().to_owned()),
        document: Some(crypto::sha256(&record.octets())),
        ..entry(setting, EntryKind::Event, None, answer)
    }
}

fn access(setting: &Setting<'_>, action: &str) -> Access {
    Access {
        actor: setting.examined.key.sender.as_str().to_owned(),
        action: action.to_owned(),
        service_request: setting.examined.service_request.clone(),
        purpose: setting.examined.purpose.clone(),
        ..Access::default()
    }
}

fn already(setting: &Setting<'_>, accepted: &AcceptedDocument, warnings: &[Finding]) -> Refuse {
    let findings = located(setting, accepted, warnings);
    let outcome = ack::outcome_digest(AckType::Accept, &findings);
    let answer = answer(setting, AckType::Accept, findings);
    let entry = Entry {
        document_id: Some(accepted.header.id.as_str().to_owned()),
        document: Some(accepted.received),
        ..entry(setting, EntryKind::Noted, Some(Code::W907), Some(&answer))
    };
    Refuse {
        code: Some(Code::W907.as_str().to_owned()),
        is_final: true,
        noted: true,
        octets: Arc::clone(&setting.envelope.octets),
        entry,
        answer: Some(answer),
        outcome,
        looks: Vec::new(),
        came: Came::default(),
    }
}

fn refuse(setting: &Setting<'_>, refusal: &Refusal, noted: bool) -> Refuse {
    let findings: Vec<Finding> = refusal.findings().cloned().collect();
    let findings = match &setting.examined.verdict {
        Ok(Accepted::Document(accepted)) => located(setting, accepted, &findings),
        Ok(Accepted::Event(_) | Accepted::Disclosure(_) | Accepted::Query(_)) | Err(_) => findings,
    };
    let ack_type = setting.examiner.site().sent(refusal.ack_type());
    let outcome = ack::outcome_digest(ack_type, &findings);
    // Whoever sends an acknowledgement is owed none (no answer to an answer). Everyone else's answer is drafted even without an
    // address: if the same message comes again with one, it gets this answer.
    let answer = (!noted).then(|| answer(setting, ack_type, findings));
    let kind = if noted { EntryKind::Noted } else { EntryKind::Refused };
    let entry = Entry { document_id: setting.examined.document_id.clone(), ..entry(setting, kind, Some(refusal.code()), answer.as_ref()) };
    Refuse {
        code: Some(refusal.code().as_str().to_owned()),
        is_final: refusal.is_final() || noted,
        noted,
        octets: Arc::clone(&setting.envelope.octets),
        entry,
        answer,
        outcome,
        came: if noted { Came::default() } else { Came::of(setting.envelope, refusal.findings().next().map_or("/", |first| &first.place.path)) },
        looks: if noted { Vec::new() } else { answers::refused_look(setting.examined, refusal.code()).into_iter().collect() },
    }
}

/// Findings of the decision name paths; here they get the lines and columns of the document.
fn located(setting: &Setting<'_>, accepted: &AcceptedDocument, findings: &[Finding]) -> Vec<Finding> {
    let mut findings = findings.to_vec();
    if !findings.is_empty() {
        content::locate(&accepted.document, &mut findings, setting.examiner.rule_set());
    }
    findings
}

pub(super) fn entry(setting: &Setting<'_>, kind: EntryKind, code: Option<Code>, answer: Option<&AnswerDraft>) -> Entry {
    Entry {
        kind,
        at: setting.at,
        sender: setting.examined.key.sender.as_str().to_owned(),
        message: setting.examined.key.octets,
        document_id: None,
        document: None,
        archived: None,
        code: code.map(|c| c.as_str().to_owned()),
        answer: answer.map(|a| a.digest),
        rules: setting.examined.rules,
        // The store fills it in: it knows the position of the decision that this one supersedes.
        supersedes: None,
        log: None,
        about: None,
    }
}

pub(super) fn answer(setting: &Setting<'_>, ack_type: AckType, findings: Vec<Finding>) -> AnswerDraft {
    let (examined, site) = (setting.examined, setting.examiner.site());
    let outcome = ack::outcome_digest(ack_type, &findings);
    // What was told before, then otherwise, and now again is news: a copy's id would hide it.
    let after = setting.prior.filter(|prior| prior.outcome != outcome).map_or(0, |prior| prior.revision);
    let draft = AckDraft {
        ack_type,
        target: examined.target.clone(),
        at: setting.at,
        id: InstanceId { root: site.id_root.as_str().to_owned(), extension: Some(answer_id(&examined.key, &outcome, after)) },
        receiver: examined.answer_to.clone(),
        sender: examined.answer_from.clone(),
        processing_code: examined.processing_code.clone(),
        version_code: examined.version_code.clone(),
        findings,
        rules: examined.rules.to_hex(),
    };
    ack::render(&draft, setting.examiner.catalogue(), site.language_of(&examined.key.sender), site.code_system.as_str())
}

/// The answer's id: the same message with the same outcome has the same, so that nobody can mistake a copy for news. `after` is the revision of another
/// outcome that this one supersedes, 0 where there is none.
pub(super) fn answer_id(key: &MessageKey, outcome: &Digest, after: u32) -> String {
    let after = if after == 0 { Vec::new() } else { after.to_be_bytes().to_vec() };
    let digest = crypto::sha256_parts(&[b"arkki-answer-1", key.sender.as_str().as_bytes(), &[0], &key.octets.0, &outcome.0, &after]);
    let mut hex = digest.to_hex();
    hex.truncate(32);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Sender;

    #[test]
    fn an_outcome_after_another_is_news() {
        let key = MessageKey { sender: Sender::new("sender"), octets: crypto::sha256(b"message") };
        let outcome = crypto::sha256(b"outcome");
        let ids = [0, 1, 2].map(|after| answer_id(&key, &outcome, after));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
        assert_eq!(answer_id(&key, &outcome, 1), ids[1], "and the same again is a copy");
    }
}
