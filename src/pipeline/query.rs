//! A query between examination and commit: looked up on today's facts, judged, rendered, with the rows of its access log. The queue and the command line
//! go the same way.

use super::answers::{Asked, looks};
use super::disclosed;
use super::effect::answer_id;
use super::examine::{AcceptedQuery, Examined, Examiner};
use super::gate::Stopping;
use super::intake::Parts;
use crate::domain::ack::{AckDraft, InstanceId, Target};
use crate::domain::change::QueryAnswer;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::disclosure::Table;
use crate::domain::facts::Facts;
use crate::domain::finding::Finding;
use crate::domain::ledger::{Entry, EntryKind};
use crate::domain::limits;
use crate::domain::message::MessageKey;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::query::{Basis, Found, Query, Want};
use crate::domain::refusal::Refusal;
use crate::domain::scope::Scope;
use crate::domain::time::Moment;
use crate::ports::archive::Archive;
use crate::rules::decide::{self, Decision};
use crate::rules::disclose::Standing;
use crate::rules::query::{Answered, Answering, Looked};
use crate::telemetry;
use crate::v3::response::{self, Answer};

/// How many octets of documents one answer may carry: in base64, and with their describing data, they fill [`limits::ANSWER_OCTETS`].
const FETCHED_OCTETS: usize = (limits::ANSWER_OCTETS - 2 * 1024 * 1024) / 4 * 3;

/// Asks the archive. Of another's data every document found is decided once more, by itself: the statement has left out what the table denies, so
/// what is denied here is a defect of ours, told and not given.
///
/// # Errors
/// An outage.
pub async fn look(archive: &dyn Archive, query: &Query, scope: &Scope, decided: Option<(&Standing, &Table)>) -> Result<Looked, Outage> {
    let mut found = archive.search(&query.criteria, scope, query.limit).await?;
    let mut rules = Vec::new();
    if let (Some((standing, table)), Found::Hits(hits)) = (decided, &mut found) {
        hits.retain(|hit| {
            let rule = standing.rule(&hit.header, hit.is_valid, table);
            match rule {
                Some(rule) => rules.push(rule.id.clone()),
                None => telemetry::disclosure_disagrees(&hit.header.id),
            }
            rule.is_some()
        });
    }
    let fetched = match (query.want, &found) {
        (Want::Documents, Found::Hits(hits)) => {
            let ids: Vec<Oid> = hits.iter().map(|hit| hit.header.id.clone()).collect();
            Some(archive.fetch(&ids, scope, FETCHED_OCTETS).await?)
        }
        _ => None,
    };
    Ok(Looked { found, fetched, rules })
}

/// Decides a query: a refusal that stands is repeated, a frame's id that other octets bear is refused, else it is answered on today's facts, from the
/// registers that the sender's registrations in force at this moment open.
///
/// # Errors
/// [`Stopping`] when the process stops during an outage.
pub async fn decide(parts: &Parts, examined: &Examined, accepted: &AcceptedQuery, facts: &Facts, at: Moment) -> Result<Decision, Stopping> {
    if let Some(decision) = decide::repeat(facts.prior.as_ref(), &examined.rules, false) {
        return Ok(decision);
    }
    if facts.frame.is_some_and(|octets| octets != examined.key.octets) {
        return Ok(Decision::Refuse { refusal: Refusal::one(Finding::whole(Code::E706)), expects: Vec::new() });
    }
    let refused = |refusal| Ok(Decision::Refuse { refusal, expects: Vec::new() });
    let Some(grant) = examined.grant.in_force(at) else { return refused(Refusal::one(Finding::whole(Code::E851))) };
    let (query, place, archive) = (&accepted.query, &accepted.place, parts.archive.as_ref());
    let mut standing = match parts.examiner.standing(query, &grant, examined.purpose.is_some(), place) {
        Ok(standing) => standing,
        Err(denied) => return refused(Refusal::one(denied)),
    };
    let mut expects = Vec::new();
    if let (Basis::Permission | Basis::Statute, Some(client)) = (query.asker.basis, query.criteria.client) {
        let wills = parts.gate.through(|| archive.wills(&client)).await?;
        standing.wills = wills.at(at, parts.examiner.rule_set().wills.least_edition);
        // Whatever the client says while this is answered, it is answered before it or after it.
        expects.push(wills.expectation(client));
        if query.asker.basis == Basis::Permission {
            standing.is_linked = parts.gate.through(|| archive.linked(&client, &standing.own)).await?;
        }
    }
    if let Err(denied) = parts.examiner.not_wanting(&standing, place) {
        return refused(Refusal::one(denied));
    }
    let table = parts.examiner.rule_set().disclosure.table();
    let (scope, standing) = match query.asker.basis {
        Basis::OwnRegister | Basis::Wills => (Scope::of(standing.own), None),
        Basis::RegisterRight | Basis::Permission | Basis::Statute => (standing.scope(table), Some(standing)),
    };
    let looked = parts.gate.through(|| look(archive, query, &scope, standing.as_ref().map(|standing| (standing, table)))).await?;
    let mut answered = crate::rules::query::judge(query, looked, place);
    answered.findings.extend(accepted.warnings.iter().cloned());
    answered.findings.truncate(limits::FINDINGS);
    Ok(Decision::Answer(Box::new(Answering { answered, scope, standing, expects })))
}

/// What an answer needs of the message that it answers.
pub struct Envelope<'a> {
    /// The message.
    pub key: &'a MessageKey,
    /// When it was decided.
    pub at: Moment,
    /// The rule set.
    pub rules: Digest,
    /// What the answer names as its target.
    pub target: Target,
    /// The answer's receiver.
    pub to: InstanceId,
    /// The answer's sender.
    pub from: InstanceId,
    /// The answer's processing code.
    pub processing_code: String,
    /// The answer's version code.
    pub version_code: String,
}

impl<'a> Envelope<'a> {
    /// Of a message that was examined.
    #[must_use]
    pub fn of(examined: &'a Examined, at: Moment) -> Self {
        Self {
            key: &examined.key,
            at,
            rules: examined.rules,
            target: examined.target.clone(),
            to: examined.answer_to.clone(),
            from: examined.answer_from.clone(),
            processing_code: examined.processing_code.clone(),
            version_code: examined.version_code.clone(),
        }
    }

    /// Of a query that came without a message: from the command line.
    #[must_use]
    pub fn of_nobody(examiner: &Examiner, key: &'a MessageKey, at: Moment) -> Self {
        let site = examiner.site();
        let device = |oid: &Oid| InstanceId { root: oid.as_str().to_owned(), extension: None };
        Self {
            key,
            at,
            rules: examiner.rules(),
            target: Target::Unknown(None),
            to: device(&site.receiver),
            from: device(&site.device),
            processing_code: site.frames.environment.processing_codes().first().copied().unwrap_or("T").to_owned(),
            version_code: "V3-2005".to_owned(),
        }
    }
}

/// The answer, its ledger entry and its access log.
#[must_use]
pub fn answer(examiner: &Examiner, envelope: &Envelope<'_>, asked: &Asked<'_>, answered: &Answered) -> QueryAnswer {
    let (site, query) = (examiner.site(), asked.query);
    let outcome = answered.outcome(query.want);
    // The same query answered anew at another time is another answer, and bears another id.
    let made = crate::crypto::sha256_parts(&[&outcome.0, &envelope.at.micros().to_be_bytes()]);
    let draft = AckDraft {
        ack_type: site.sent(answered.ack_type()),
        target: envelope.target.clone(),
        at: envelope.at,
        id: InstanceId { root: site.id_root.as_str().to_owned(), extension: Some(answer_id(envelope.key, &made, 0)) },
        receiver: envelope.to.clone(),
        sender: envelope.from.clone(),
        processing_code: envelope.processing_code.clone(),
        version_code: envelope.version_code.clone(),
        findings: answered.findings.clone(),
        rules: envelope.rules.to_hex(),
    };
    let shown =
        Answer { want: query.want, query: query.id.as_ref(), code: answered.code, hits: &answered.hits, octets: &answered.octets, total: answered.total };
    let rules = examiner.rule_set();
    let language = site.language_of(&envelope.key.sender);
    let answer = response::render(&draft, &shown, rules.query.answer(), &rules.catalogue, language, site.code_system.as_str());
    let code = answered.refused().map(|code| code.as_str().to_owned());
    let entry = Entry {
        kind: EntryKind::Answered,
        at: envelope.at,
        sender: envelope.key.sender.as_str().to_owned(),
        message: envelope.key.octets,
        document_id: None,
        document: None,
        archived: None,
        code: code.clone(),
        answer: Some(answer.digest),
        rules: envelope.rules,
        // The store fills it in.
        supersedes: None,
        log: None,
        about: None,
    };
    QueryAnswer { code, entry, answer, outcome, looks: looks(asked, answered), disclosed: disclosed::rows(asked, answered, examiner.rule_set()) }
}
