//! Links: document, case, client relation (documents.md §3.3, §3.4; messaging.md §9.2). Rule names in brackets are those of documents.md.

use super::decide::{Gathered, finding};
use crate::codes::rule_set::RuleSet;
use crate::codes::tasks::PairVerdict;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::{Group, Header};
use crate::domain::facts::{Awaited, DocumentFact, Expectation, Facts};
use crate::domain::finding::Finding;
use crate::domain::oid::Oid;

const CASE: &str = "/ClinicalDocument/componentOf/encompassingEncounter/id/@root";
const RELATION: &str = "/ClinicalDocument/hl7fi:localSocialHeader/hl7fi:encompassingClientRelationship/@root";
const GROUP: &str = "/ClinicalDocument/hl7fi:localSocialHeader/hl7fi:documentGroup/@code";
const ORIGINAL: &str = "/ClinicalDocument/hl7fi:localSocialHeader/hl7fi:originalFunctionCode/@code";
const SET: &str = "/ClinicalDocument/setId/@root";

/// What the header breaks on its own: an old document that is none (R7), the original service task (R36–R40), and the old relation that is never
/// updated (R21).
pub(super) fn own(header: &Header, rules: &RuleSet) -> Vec<Finding> {
    let mut out = Vec::new();
    if header.group == Group::Other {
        return out;
    }
    if header.relation_state.is_some_and(|r| r.old) && header.version > 1 {
        out.push(finding(Code::E405, "/ClinicalDocument/versionNumber/@value"));
    }
    if header.group == Group::Old && rules.controllers.realtime_since(&header.controller).is_some_and(|since| header.authored_date >= since) {
        out.push(finding(Code::E410, "/ClinicalDocument/effectiveTime/@value").under("R7"));
    }
    match &header.original_task {
        None => {
            if let Some(rule) = rules.tasks.demand(header.group, header.authored_date, &header.controller) {
                out.push(finding(Code::E406, "/ClinicalDocument/hl7fi:localSocialHeader").under(rule));
            }
        }
        Some((system, original)) => {
            // A code is shown in words only where it looks like one.
            let is_code = original.len() <= 8 && original.bytes().all(|b| b.is_ascii_alphanumeric());
            let named = |code| if is_code { finding(code, ORIGINAL).with("original", original.as_str()) } else { finding(code, ORIGINAL) };
            if rules.tasks.is_younger(system, header.authored_date) {
                out.push(finding(Code::W920, ORIGINAL).with("says", "R40").under("R40"));
            }
            match rules.tasks.judge(system, original, header.service_task.as_deref()) {
                PairVerdict::Allowed => {}
                PairVerdict::Unknown => out.push(named(Code::W906)),
                PairVerdict::Forbidden { allowed } => out.push(named(Code::E407).with("allowed", allowed)),
            }
        }
    }
    out
}

/// What it breaks in the archive, by group. An invalidating version (`invalidates`) ends what hangs here, so it may hang on what is invalid already.
pub(super) fn judge(header: &Header, invalidates: bool, facts: &Facts, found: &mut Gathered) {
    match header.group {
        Group::ClientRelation => own_relation(header, facts, found),
        Group::Case => case_document(header, invalidates, facts, found),
        Group::PhaseOne | Group::Old | Group::Client => client_document(header, invalidates, facts, found),
        Group::Informing | Group::Permission | Group::Denial | Group::Other => {}
    }
}

/// Whether the version before is of the same set and makes something else: a set makes one case or one relation, else an event about the set would reach
/// only one of two.
fn strays(header: &Header, facts: &Facts, made: impl Fn(&DocumentFact) -> bool) -> bool {
    facts.replaced.as_ref().is_some_and(|before| before.set_id == header.set_id && !made(before))
}

/// The document that makes or updates a relation.
fn own_relation(header: &Header, facts: &Facts, found: &mut Gathered) {
    // One finding for one cause: a relation that another set makes is told below.
    let is_anothers = facts.relation.as_ref().is_some_and(|relation| relation.set_id != header.set_id);
    if !is_anothers && strays(header, facts, |before| before.relation_id == header.relation_id) {
        found.findings.push(finding(Code::E702, SET).with("rule", "set-relation"));
    }
    let Some(id) = &header.relation_id else { return };
    found.expects.push(Expectation::Relation { id: id.clone(), revision: facts.relation.as_ref().map(|r| r.revision) });
    let Some(relation) = &facts.relation else { return };
    if is_anothers {
        found.findings.push(finding(Code::E702, SET).with("rule", "set-relation"));
    } else if relation.old {
        found.findings.push(finding(Code::E405, "/ClinicalDocument/versionNumber/@value"));
    }
    same_owner(header, &relation.client, &relation.controller, "in-relation", &mut found.findings);
}

/// The document that makes or updates a case: under a relation of the same client and controller (R24); closed, if that relation is old.
fn case_document(header: &Header, invalidates: bool, facts: &Facts, found: &mut Gathered) {
    let is_anothers = facts.case.as_ref().is_some_and(|case| case.set_id != header.set_id);
    if is_anothers || strays(header, facts, |before| before.case_id == header.case_id) {
        found.findings.push(finding(Code::E702, SET).with("rule", "set-case"));
    }
    if let Some(id) = &header.case_id {
        found.expects.push(Expectation::Case { id: id.clone(), revision: facts.case.as_ref().map(|c| c.revision) });
    }
    if let Some(case) = &facts.case {
        same_owner(header, &case.client, &case.controller, "in-case", &mut found.findings);
    }
    let Some(id) = &header.relation_id else { return };
    match &facts.relation {
        None => found.missing.push((Awaited::Relation(id.clone()), finding(Code::E402, RELATION).with("relation", id.as_str()).under("relation-known"))),
        Some(relation) => {
            found.expects.push(Expectation::Relation { id: id.clone(), revision: Some(relation.revision) });
            same_owner(header, &relation.client, &relation.controller, "in-relation", &mut found.findings);
            if relation.invalid && !invalidates {
                found.findings.push(finding(Code::E712, RELATION).with("rule", "in-relation"));
            }
            if relation.old && !header.case_state.is_some_and(|c| c.closed) {
                found.findings.push(finding(Code::E403, CASE).with("case", header.case_id.as_ref().map_or("", Oid::as_str)).under("R25-case"));
            }
        }
    }
}

/// A document in a case (R15): the same client and controller; old ones in a closed case (R25); under an old relation only old ones (R20).
fn client_document(header: &Header, invalidates: bool, facts: &Facts, found: &mut Gathered) {
    let Some(id) = &header.case_id else { return };
    let Some(case) = &facts.case else {
        found.missing.push((Awaited::Case(id.clone()), finding(Code::E401, CASE).with("case", id.as_str())));
        return;
    };
    found.expects.push(Expectation::Case { id: id.clone(), revision: Some(case.revision) });
    if let (Some(id), Some(revision)) = (&case.relation_id, case.relation_revision) {
        found.expects.push(Expectation::Relation { id: id.clone(), revision: Some(revision) });
    }
    same_owner(header, &case.client, &case.controller, "in-case", &mut found.findings);
    let gone = [(case.invalid, "in-case"), (case.relation_invalid, "in-relation")];
    if let Some((_, rule)) = gone.into_iter().find(|(invalid, _)| *invalid && !invalidates) {
        found.findings.push(finding(Code::E712, CASE).with("rule", rule));
    }
    let is_old = header.group == Group::Old;
    if is_old && !case.closed {
        found.findings.push(finding(Code::E403, CASE).with("case", id.as_str()).under("R25"));
    }
    if !is_old && case.relation_old {
        found.findings.push(finding(Code::E404, GROUP));
    }
    // A relation named beside the case must be the case's own (documents.md Q10).
    if let Some(relation) = header.relation_id.as_ref().filter(|r| case.relation_id.as_ref() != Some(*r)) {
        found.findings.push(finding(Code::E402, RELATION).with("relation", relation.as_str()).under("relation-of-case"));
    }
}

/// E408 and E409: a link never crosses from one client or controller to another.
pub(super) fn same_owner(header: &Header, client: &Digest, controller: &Oid, rule: &str, out: &mut Vec<Finding>) {
    if header.client != *client {
        out.push(finding(Code::E408, "/ClinicalDocument/recordTarget/patientRole/id").with("rule", rule));
    }
    if header.controller != *controller {
        let path = "/ClinicalDocument/custodian/assignedCustodian/representedCustodianOrganization/id/@root";
        out.push(finding(Code::E409, path).with("rule", rule));
    }
}
