//! Invalidation and reinstatement (messaging.md §3.3 UC3, §9.2): the target is the controller's own and there, and the event changes something.

use super::decide::{Decision, Gathered, Holding, finding_at, repeat, settle};
use crate::domain::ack::InstanceId;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::facts::{Awaited, DocumentFact, Expectation, Facts, Mark};
use crate::domain::finding::Finding;
use crate::domain::lifecycle::{EventKind, EventRecord, EventRequest, Scope};
use crate::domain::message::MessageKey;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;

/// An examined message that asks for an event.
#[derive(Debug, Clone)]
pub struct Request {
    /// Sender and octets.
    pub key: MessageKey,
    /// The frame's id.
    pub frame: Option<InstanceId>,
    /// What is asked.
    pub event: EventRequest,
    /// Warnings of the examination.
    pub warnings: Vec<Finding>,
    /// How it stands with the hold.
    pub holding: Holding,
    /// The rule set that examined it.
    pub rules: Digest,
}

/// Decides. Total and pure, as `decide::decide`.
#[must_use]
pub fn decide(request: &Request, facts: &Facts, at: Moment) -> Decision {
    if let Some(decision) = repeat(facts.prior.as_ref(), &request.rules, matches!(request.holding, Holding::Held(_))) {
        return decision;
    }
    if facts.frame.is_some_and(|octets| octets != request.key.octets) {
        return Decision::Refuse { refusal: Refusal::one(Finding::whole(Code::E706)), expects: Vec::new() };
    }
    let event = &request.event;
    let mut found = Gathered::new();
    let Some(target) = target(event, facts, &mut found) else {
        // Without a target there is no event: it is held, or refused.
        return settle(request.holding, &request.warnings, found, at, |_, warnings| Decision::Refuse {
            refusal: Refusal::unless_clean(warnings).err().unwrap_or_else(|| Refusal::one(Finding::whole(Code::E901))),
            expects: Vec::new(),
        });
    };
    agrees(event, target, &mut found.findings);
    let scope = if event.target.id.is_some() { Scope::Version(target.id.clone()) } else { Scope::Set };
    changes(event, &scope, target, facts.set.invalid, &mut found.findings);
    let record = EventRecord {
        kind: event.kind,
        set_id: target.set_id.clone(),
        scope,
        by_document: None,
        at,
        sender: request.key.sender.as_str().to_owned(),
        controller: target.controller.clone(),
        author: event.author.clone(),
        reason: event.reason.clone(),
    };
    let made = (target.group, target.case_id.clone(), target.relation_id.clone());
    settle(request.holding, &request.warnings, found, at, |expects, warnings| Decision::Event { record: Box::new(record), made, expects, warnings })
}

/// The version that is named, or the newest of the set that is; what is not there is waited for. A set's first version bears the set's id.
fn target<'f>(event: &EventRequest, facts: &'f Facts, found: &mut Gathered) -> Option<&'f DocumentFact> {
    let (target, id) = match (&event.target.id, &event.target.set_id) {
        (Some(id), _) => (facts.document.as_ref(), id),
        (None, Some(set)) => (facts.latest.as_ref(), set),
        // The examination refuses a frame that names neither.
        (None, None) => return None,
    };
    if let Some(target) = target {
        found.expects.push(Expectation::Document { id: target.id.clone(), present: true });
        found.expects.push(Expectation::Events { set_id: target.set_id.clone(), count: facts.set.events });
    } else {
        let refusal = finding_at(Code::E709, &event.places.target).with("document", id.as_str());
        found.missing.push((Awaited::Document(id.clone()), refusal));
    }
    target
}

/// What the frame says of its target must be so.
fn agrees(event: &EventRequest, target: &DocumentFact, out: &mut Vec<Finding>) {
    let (named, places) = (&event.target, &event.places);
    if target.controller != event.controller {
        out.push(finding_at(Code::E822, &places.controller));
        // Nothing more is told of another controller's document.
        return;
    }
    let differs = |place, field: &str| finding_at(Code::E821, place).with("field", field);
    if named.set_id.as_ref().is_some_and(|set| *set != target.set_id) {
        out.push(differs(&places.set, "setId").with("expected", target.set_id.as_str()));
    }
    if named.version.is_some_and(|version| version != target.version) {
        out.push(differs(&places.version, "versionNumber").with("expected", target.version.to_string()));
    }
    if event.client.is_some_and(|client| client != target.client) {
        out.push(differs(&places.client, "client"));
    }
    if !event.groups.contains(&target.group) {
        out.push(finding_at(Code::E807, &places.request).with("request", event.request.as_str()).with("rule", "request-group"));
    }
}

/// An event changes something: what is invalid is not invalidated again, what is valid not reinstated.
fn changes(event: &EventRequest, scope: &Scope, target: &DocumentFact, set_invalid: bool, out: &mut Vec<Finding>) {
    let place = &event.places.target;
    let rule = match (event.kind, scope, target.mark) {
        (EventKind::Invalidated, _, _) if set_invalid => "set-invalid",
        (EventKind::Invalidated, Scope::Version(_), Mark::Invalidated) => "version-invalid",
        (EventKind::Reinstated, Scope::Version(_), Mark::Invalidating) | (EventKind::Invalidated, Scope::Version(_), Mark::Invalidating) => {
            "version-invalidating"
        }
        (EventKind::Reinstated, Scope::Version(_), Mark::None) if set_invalid => "set-invalid",
        (EventKind::Reinstated, Scope::Version(_), Mark::None) => "version-valid",
        (EventKind::Reinstated, Scope::Set, _) if !set_invalid => "set-valid",
        (EventKind::Invalidated, _, _) | (EventKind::Reinstated, Scope::Version(_), Mark::Invalidated) | (EventKind::Reinstated, Scope::Set, _) => return,
    };
    let code = if event.kind == EventKind::Invalidated { Code::E710 } else { Code::E711 };
    out.push(finding_at(code, place).with("rule", rule));
}
