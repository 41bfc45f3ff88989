//! New, repeated, conflict, held, refused: the one decision. Total and pure: the same request, facts and moment always decide the same.

use crate::codes::rule_set::RuleSet;
use crate::domain::ack::InstanceId;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::{Group, Header};
use crate::domain::facts::{Awaited, Expectation, Facts, Prior, Standing};
use crate::domain::finding::{Finding, Place};
use crate::domain::lifecycle::EventRecord;
use crate::domain::message::MessageKey;
use crate::domain::notice::NoticeRecord;
use crate::domain::oid::Oid;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;
use crate::domain::will::Said;

use super::query::Answering;
use super::{links, versions, wills};

/// An examined message that asks for a document to be stored.
#[derive(Debug, Clone)]
pub struct Request {
    /// Sender and octets.
    pub key: MessageKey,
    /// The frame's id, where it has a frame.
    pub frame: Option<InstanceId>,
    /// The document's header facts.
    pub header: Header,
    /// It is an invalidating version: its whole set is invalid with it.
    pub invalidates: bool,
    /// What it says as a will expression of its client, and what counts of wills.
    pub will: Option<(Said, wills::Counting)>,
    /// SHA-256 of the document as received.
    pub received: Digest,
    /// Warnings of the examination.
    pub warnings: Vec<Finding>,
    /// How it stands with the hold.
    pub holding: Holding,
    /// The rule set that examined it.
    pub rules: Digest,
}

/// How a message stands with the hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// It came through the door and may be held when something is missing.
    Fresh,
    /// It came through the door and may not be held (holding is off, or its time is up by its own rules).
    Never,
    /// It is the held message itself, decided anew; its time is up at this moment.
    Held(Moment),
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The document is archived, if what was relied on still holds in the commit.
    Archive {
        /// What was relied on.
        expects: Vec<Expectation>,
        /// What the sender is told.
        warnings: Vec<Finding>,
    },
    /// A document or a set is invalidated or reinstated, if what was relied on still holds in the commit.
    Event {
        /// The event.
        record: Box<EventRecord>,
        /// The target's group, case and relation.
        made: (Group, Option<Oid>, Option<Oid>),
        /// What was relied on.
        expects: Vec<Expectation>,
        /// What the sender is told.
        warnings: Vec<Finding>,
    },
    /// Another message already brought these very octets: answered AA with W907, and nothing is archived. It commits as a decision without a document
    /// (`Effect::Refuse` with no code, not noted, final, its answer an AA): the key is decided, a repeat gets the same answer, and no document, set, case,
    /// relation or frame id is claimed by it.
    Already {
        /// What was relied on.
        expects: Vec<Expectation>,
        /// W907 and what else the sender is told.
        warnings: Vec<Finding>,
    },
    /// A disclosure outside the archive is archived as a notice, if what was relied on still holds in the commit.
    Notice {
        /// The notice that it corrects.
        corrected: Option<Box<NoticeRecord>>,
        /// What was relied on.
        expects: Vec<Expectation>,
        /// What the sender is told.
        warnings: Vec<Finding>,
    },
    /// A query is answered from these registers.
    Answer(Box<Answering>),
    /// Refused.
    Refuse {
        /// Why.
        refusal: Refusal,
        /// What was relied on: nothing, for a refusal that the document's own octets deserve.
        expects: Vec<Expectation>,
    },
    /// Held until what it hangs on arrives, or refused when its time is up.
    Hold {
        /// What it waits for.
        awaits: Awaited,
        /// That it is still not there.
        expects: Vec<Expectation>,
    },
    /// The stored answer goes out again.
    Repeat,
    /// It is on hold already: the new reply address is added to those that will be answered.
    RepeatHeld,
}

/// Decides. Findings name paths in the document; `cda::content::locate` gives them lines.
#[must_use]
pub fn decide(request: &Request, facts: &Facts, at: Moment) -> Decision {
    let is_held = matches!(request.holding, Holding::Held(_));
    if let Some(decision) = repeat(facts.prior.as_ref(), &request.rules, is_held) {
        return decision;
    }
    if facts.frame.is_some_and(|octets| octets != request.key.octets) {
        let refusal = Refusal::one(finding(Code::E706, "/"));
        return Decision::Refuse { refusal, expects: Vec::new() };
    }
    if let Some(document) = &facts.document {
        return known_document(request, document.received);
    }
    let mut found = Gathered::new();
    versions::judge(&request.header, request.invalidates, facts, &mut found);
    links::judge(&request.header, request.invalidates, facts, &mut found);
    wills::judge(request, facts, at, &mut found);
    settle(request.holding, &request.warnings, found, at, |expects, warnings| Decision::Archive { expects, warnings })
}

/// A decision that was taken before and stands: an acceptance for ever, a final refusal under the same rules, a hold until it ends (house: same and other).
/// Worth asking before the message is examined: it needs nothing but the key's facts. `is_held`: this is the held message itself.
#[must_use]
pub fn repeat(prior: Option<&Prior>, rules: &Digest, is_held: bool) -> Option<Decision> {
    let prior = prior?;
    match prior.standing {
        Standing::Accepted | Standing::Noted => Some(Decision::Repeat),
        Standing::Refused => (prior.is_final && prior.rules == *rules).then_some(Decision::Repeat),
        // A query is decided on today's facts whenever it comes.
        Standing::Answered => None,
        Standing::Held => (!is_held).then_some(Decision::RepeatHeld),
    }
}

/// Whether a decision taken anew came to what was answered before: then the stored answer goes out, not a new one.
#[must_use]
pub fn is_same_outcome(prior: Option<&Prior>, outcome: &Digest) -> bool {
    prior.is_some_and(|p| p.standing == Standing::Refused && p.outcome == *outcome)
}

/// What a document's own header breaks, whatever the archive holds: E405, E406, E407, E702, E703, W906. Part of the examination, so that
/// offline validation gives the same verdict.
#[must_use]
pub fn own_rules(header: &Header, rules: &RuleSet) -> Vec<Finding> {
    let mut out = versions::own(header);
    out.extend(links::own(header, rules));
    out
}

/// What the rules found, before it is weighed.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) findings: Vec<Finding>,
    /// What is missing: what to wait for, and the refusal when the wait is over.
    pub(super) missing: Vec<(Awaited, Finding)>,
    pub(super) expects: Vec<Expectation>,
}

impl Gathered {
    pub(super) const fn new() -> Self {
        Self { findings: Vec::new(), missing: Vec::new(), expects: Vec::new() }
    }
}

/// A finding at a path of the document.
pub(super) fn finding(code: Code, path: &str) -> Finding {
    Finding::new(code, Place { line: 1, column: 1, path: path.to_owned() })
}

/// A finding at a place of the frame.
pub(super) fn finding_at(code: Code, place: &Place) -> Finding {
    Finding::new(code, place.clone())
}

fn known_document(request: &Request, archived: Digest) -> Decision {
    let id = request.header.id.clone();
    let expects = vec![Expectation::Document { id: id.clone(), present: true }];
    if archived == request.received {
        let mut warnings = vec![finding(Code::W907, "/ClinicalDocument/id/@root")];
        warnings.extend(request.warnings.iter().cloned());
        return Decision::Already { expects, warnings };
    }
    let refusal = Refusal::one(finding(Code::E701, "/ClinicalDocument/id/@root").with("document", id.as_str()));
    Decision::Refuse { refusal, expects }
}

/// Faults refuse at once; a thing that is missing is waited for while there is time; else `take` says what is done.
pub(super) fn settle(
    holding: Holding,
    warnings: &[Finding],
    found: Gathered,
    at: Moment,
    take: impl FnOnce(Vec<Expectation>, Vec<Finding>) -> Decision,
) -> Decision {
    let Gathered { mut findings, missing, expects } = found;
    let is_faulty = findings.iter().any(Finding::is_error);
    let has_time = match holding {
        Holding::Fresh => true,
        Holding::Never => false,
        Holding::Held(until) => at < until,
    };
    if let (Some((awaits, _)), false, true) = (missing.first(), is_faulty, has_time) {
        return Decision::Hold { expects: vec![absence(awaits)], awaits: awaits.clone() };
    }
    findings.extend(missing.into_iter().map(|(_, finding)| finding));
    findings.extend(warnings.iter().cloned());
    match Refusal::unless_clean(findings) {
        Ok(warnings) => take(expects, warnings),
        Err(refusal) => Decision::Refuse { refusal, expects: Vec::new() },
    }
}

fn absence(awaits: &Awaited) -> Expectation {
    match awaits {
        Awaited::Document(id) => Expectation::Document { id: id.clone(), present: false },
        Awaited::Case(id) => Expectation::Case { id: id.clone(), revision: None },
        Awaited::Relation(id) => Expectation::Relation { id: id.clone(), revision: None },
    }
}
