//! Links (documents.md §3.3, §3.4): a client document hangs on a case, a case on a client relation; same client, same controller, right state.

use super::decide::{Wants, makes_relation};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::{Group, Header};
use crate::domain::facts::{Awaited, CaseFact, Expectation, Facts, RelationFact};
use crate::domain::finding::Finding;
use crate::domain::oid::Oid;

/// Checks what the document hangs on, and what it makes.
pub fn check(header: &Header, facts: &Facts, wants: &mut Wants) {
    match header.group {
        Group::ClientRelation => own_relation(header, facts.relation.as_ref(), wants),
        Group::Case => {
            own_case(header, facts.case.as_ref(), wants);
            hangs_on_relation(header, facts.relation.as_ref(), wants);
        }
        Group::PhaseOne | Group::Old | Group::Client => hangs_on_case(header, facts, wants),
        // Will expressions stand beside the archive's cases and relations (messaging.md §5).
        Group::Permission | Group::Denial => {}
    }
}

/// A relation is made by its first document and updated by the next versions of the same set; one marked old is never updated (OLD §4.1, R21).
fn own_relation(header: &Header, known: Option<&RelationFact>, wants: &mut Wants) {
    let Some(id) = &header.relation_id else { return };
    debug_assert!(makes_relation(header.group), "only a client-relation document makes its relation");
    wants.expects.push(Expectation::Relation { id: id.clone(), revision: known.map(|r| r.revision) });
    let Some(known) = known else { return };
    if known.old {
        wants.findings.push(Finding::whole(Code::E405).with("id", id.as_str()));
    } else if known.set_id != header.set_id {
        wants.findings.push(Finding::whole(Code::E702).with("expected", known.set_id.as_str()));
    }
    same_person(header, &known.client, &known.controller, "relation", wants);
}

fn own_case(header: &Header, known: Option<&CaseFact>, wants: &mut Wants) {
    let Some(id) = &header.case_id else { return };
    wants.expects.push(Expectation::Case { id: id.clone(), revision: known.map(|c| c.revision) });
    let Some(known) = known else { return };
    if known.set_id != header.set_id {
        wants.findings.push(Finding::whole(Code::E702).with("expected", known.set_id.as_str()));
    }
    same_person(header, &known.client, &known.controller, "case", wants);
}

fn hangs_on_relation(header: &Header, known: Option<&RelationFact>, wants: &mut Wants) {
    let Some(id) = &header.relation_id else { return };
    wants.expects.push(Expectation::Relation { id: id.clone(), revision: known.map(|r| r.revision) });
    match known {
        None => wants.missing.push((Awaited::Relation(id.clone()), Finding::whole(Code::E402).with("id", id.as_str()))),
        Some(known) => same_person(header, &known.client, &known.controller, "relation", wants),
    }
}

fn hangs_on_case(header: &Header, facts: &Facts, wants: &mut Wants) {
    let Some(id) = &header.case_id else { return };
    wants.expects.push(Expectation::Case { id: id.clone(), revision: facts.case.as_ref().map(|c| c.revision) });
    let Some(case) = &facts.case else {
        wants.missing.push((Awaited::Case(id.clone()), Finding::whole(Code::E401).with("id", id.as_str())));
        return;
    };
    same_person(header, &case.client, &case.controller, "case", wants);
    // R25: an old document always hangs on a closed case.
    if header.group == Group::Old && !case.closed {
        wants.findings.push(Finding::whole(Code::E403).with("id", id.as_str()));
    }
    // R20: under an old relation only old documents.
    if header.group != Group::Old && case.relation_old {
        wants.findings.push(Finding::whole(Code::E404).with("id", id.as_str()));
    }
    // Q10: a client document need not name its relation; if it does, it is its case's.
    if let (Some(said), Some(of_case)) = (&header.relation_id, &case.relation_id)
        && said != of_case
    {
        wants.findings.push(Finding::whole(Code::E402).with("id", said.as_str()));
    }
}

fn same_person(header: &Header, client: &Digest, controller: &Oid, of: &'static str, wants: &mut Wants) {
    if header.client != *client {
        wants.findings.push(Finding::whole(Code::E408).with("of", of));
    }
    if header.controller != *controller {
        wants.findings.push(Finding::whole(Code::E409).with("of", of));
    }
}
