//! A disclosure outside the archive that is reported (messaging.md §4, §5.4 R9–R11): people have decided it already, so nothing here asks whether it was
//! right, only whether the notice can be true: its time is past, its permission was in force, what it names is this client's and this controller's.

use super::decide::{Decision, repeat};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::facts::{Expectation, Facts};
use crate::domain::finding::{Finding, Place};
use crate::domain::notice::{Basis, NoticeFacts, NoticePlaces, NoticeRecord, OutsideDisclosure};
use crate::domain::oid::Oid;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;
use crate::domain::will::{ClientWills, Edition, Said};

/// How far ahead of ours a sender's clock may go: two machines that both keep time by the network differ by less.
const CLOCKS: std::time::Duration = std::time::Duration::from_secs(60);

/// An examined event.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The event.
    pub event: &'r OutsideDisclosure,
    /// The client (keyed hash).
    pub client: Digest,
    /// Where things stand in it.
    pub places: &'r NoticePlaces,
    /// Warnings of the examination.
    pub warnings: &'r [Finding],
    /// The rule set that examined it.
    pub rules: Digest,
}

/// What the archive knows.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    /// Of the message.
    pub facts: &'k Facts,
    /// Of what the event names.
    pub named: &'k NoticeFacts,
    /// Of the client's wills, where the event rests on one.
    pub wills: &'k ClientWills,
    /// The first edition of the information that counts.
    pub least: Edition,
}

/// Decides. Total and pure.
#[must_use]
pub fn decide(request: &Request<'_>, known: &Known<'_>, at: Moment) -> Decision {
    if let Some(decision) = repeat(known.facts.prior.as_ref(), &request.rules, false) {
        return decision;
    }
    let (event, places) = (request.event, request.places);
    let mut expects = Vec::new();
    if known.named.known.is_some() {
        let taken = Finding::new(Code::E887, places.id.clone());
        return Decision::Refuse { refusal: Refusal::one(taken), expects: vec![Expectation::Notice { id: event.id.clone(), present: true }] };
    }
    let mut found = Vec::new();
    for (moment, place) in [(event.disclosed_at, &places.disclosed), (event.recorded_at, &places.recorded)] {
        if moment > at.plus(CLOCKS) {
            found.push(Finding::new(Code::E884, place.clone()).with("rule", "time-future"));
        }
    }
    if let Basis::Permission(id) = &event.basis {
        expects.push(known.wills.expectation(request.client));
        found.extend(permission(id, event.disclosed_at, known).map(|rule| Finding::new(Code::E885, places.permission.clone()).with("rule", rule)));
    }
    let corrected = corrected(request, known.named, &mut expects, &mut found);
    documents(request, known.named, &mut expects, &mut found);
    found.extend(request.warnings.iter().cloned());
    match Refusal::unless_clean(found) {
        Ok(warnings) => Decision::Notice { corrected: corrected.map(Box::new), expects, warnings },
        Err(refusal) => Decision::Refuse { refusal, expects: Vec::new() },
    }
}

/// What speaks against a permission: the word's key. A later version of the one that is named is as good.
fn permission(id: &Oid, disclosed: Moment, known: &Known<'_>) -> Option<&'static str> {
    let is_it = |will: &&crate::domain::will::Will| (will.document == *id || will.set_id == *id) && matches!(will.said, Said::Permitted(_));
    let Some(set) = known.wills.rows.iter().find(is_it).map(|will| &will.set_id) else { return Some("permission-unknown") };
    let in_force = known.wills.at(disclosed, known.least).permission;
    let is_of_set = |document: &Oid| known.wills.rows.iter().any(|will| will.document == *document && will.set_id == *set);
    (!in_force.is_some_and(|document| is_of_set(&document))).then_some("permission-not-in-force")
}

/// The notice that is corrected: about the same client, and a controller of this one.
fn corrected(request: &Request<'_>, named: &NoticeFacts, expects: &mut Vec<Expectation>, found: &mut Vec<Finding>) -> Option<NoticeRecord> {
    let id = request.event.corrects.as_ref()?;
    let finding = |rule| Finding::new(Code::E886, request.places.corrects.clone()).with("rule", rule);
    let Some(record) = &named.corrected else {
        found.push(finding("corrects-unknown"));
        return None;
    };
    expects.push(Expectation::Notice { id: id.clone(), present: true });
    let shares = record.parts.iter().any(|part| request.event.sections.iter().any(|section| section.controller.id == part.controller));
    if record.client != request.client || !shares {
        found.push(finding("corrects-another"));
    }
    Some(record.clone())
}

/// Documents that are named: those of the archive are this client's and this controller's; others are described, and the sender is told once each.
fn documents(request: &Request<'_>, named: &NoticeFacts, expects: &mut Vec<Expectation>, found: &mut Vec<Finding>) {
    let mut seen: Vec<(&Oid, &Oid)> = Vec::new();
    for (id, controller, place) in &request.places.documents {
        if seen.contains(&(id, controller)) {
            continue;
        }
        seen.push((id, controller));
        found.extend(document(request, named, (id, controller, place), expects));
    }
}

fn document(request: &Request<'_>, named: &NoticeFacts, (id, controller, place): (&Oid, &Oid, &Place), expects: &mut Vec<Expectation>) -> Option<Finding> {
    let Some(fact) = named.documents.iter().find(|fact| fact.id == *id) else { return Some(Finding::new(Code::W936, place.clone())) };
    expects.push(Expectation::Document { id: id.clone(), present: true });
    (fact.client != request.client || fact.controller != *controller).then(|| Finding::new(Code::E888, place.clone()))
}
