//! The one decision. Pure and total: a request and the facts in; archive, repeat, hold or refuse out, with everything it relied on.

use super::{links, versions};
use crate::domain::ack::InstanceId;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::{Group, Header};
use crate::domain::facts::{Awaited, Expectation, Facts, Prior, Standing};
use crate::domain::finding::Finding;
use crate::domain::message::MessageKey;
use crate::domain::refusal::Refusal;

/// A document that examine has passed, as far as the decision cares.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The message.
    pub key: &'a MessageKey,
    /// The frame's id, where it has a frame.
    pub frame: Option<&'a InstanceId>,
    /// The header facts.
    pub header: &'a Header,
    /// SHA-256 of the document as received.
    pub received: Digest,
    /// The rule set that examined it.
    pub rules: Digest,
    /// Whether it may (still) wait for what it hangs on.
    pub may_hold: bool,
    /// Whether it comes from the hold.
    pub from_hold: bool,
}

/// What is to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Archive it.
    Archive {
        /// What the decision relied on.
        expects: Vec<Expectation>,
    },
    /// The same document is archived already, brought by another message: answered AA with W907, nothing else happens.
    Already {
        /// What the decision relied on.
        expects: Vec<Expectation>,
    },
    /// Refuse it.
    Refuse {
        /// Why.
        refusal: Refusal,
        /// What the decision relied on; empty when nothing in the archive bears on it.
        expects: Vec<Expectation>,
    },
    /// Let it wait.
    Hold {
        /// For what.
        awaited: Awaited,
        /// What the decision relied on: the absence of what it waits for.
        expects: Vec<Expectation>,
    },
    /// Decided before: the stored answer goes out again. On a held message: this delivery's address is added to those that will be answered.
    Repeat,
}

/// Decides about a document that examine has passed.
#[must_use]
pub fn decide(request: &Request<'_>, facts: &Facts) -> Decision {
    if repeats(facts.prior.as_ref(), request.rules, request.from_hold) {
        return Decision::Repeat;
    }
    let header = request.header;
    if request.frame.is_some() && facts.frame.is_some_and(|octets| octets != request.key.octets) {
        return refuse(Finding::whole(Code::E706), Vec::new());
    }
    if let Some(document) = &facts.document {
        let expects = vec![Expectation::Document { id: header.id.clone(), present: true }];
        if document.received == request.received {
            return Decision::Already { expects };
        }
        return refuse(Finding::whole(Code::E701).with("id", header.id.as_str()), expects);
    }
    let mut wants = Wants { expects: vec![Expectation::Document { id: header.id.clone(), present: false }], ..Wants::default() };
    versions::check(header, facts, &mut wants);
    links::check(header, facts, &mut wants);
    wants.decision(request.may_hold)
}

/// Decides about a message that examine has refused: the stored answer if it was refused before, finally and by the same rules; else the refusal itself.
#[must_use]
pub fn refused(refusal: Refusal, facts: &Facts, from_hold: bool, rules: Digest) -> Decision {
    if repeats(facts.prior.as_ref(), rules, from_hold) { Decision::Repeat } else { Decision::Refuse { refusal, expects: Vec::new() } }
}

/// Whether an earlier decision about the same key stands: an acceptance always, a note always, a refusal when it is final and the rules are
/// the same, a hold unless it is the held message itself that is decided now.
fn repeats(prior: Option<&Prior>, rules: Digest, from_hold: bool) -> bool {
    prior.is_some_and(|prior| match prior.standing {
        Standing::Accepted | Standing::Noted => true,
        Standing::Refused => prior.is_final && prior.rules == rules,
        Standing::Held => !from_hold,
    })
}

fn refuse(finding: Finding, expects: Vec<Expectation>) -> Decision {
    Decision::Refuse { refusal: Refusal::one(finding), expects }
}

/// What the checks gather: faults, what is missing, and what they relied on.
#[derive(Debug, Default)]
pub struct Wants {
    /// Faults that no waiting mends.
    pub findings: Vec<Finding>,
    /// What is not there yet, and the finding that says so if it never comes.
    pub missing: Vec<(Awaited, Finding)>,
    /// What was relied on.
    pub expects: Vec<Expectation>,
}

impl Wants {
    fn decision(mut self, may_hold: bool) -> Decision {
        if self.findings.is_empty()
            && may_hold
            && let Some((awaited, _)) = self.missing.first()
        {
            return Decision::Hold { awaited: awaited.clone(), expects: self.expects };
        }
        self.findings.extend(self.missing.into_iter().map(|(_, finding)| finding));
        match Refusal::unless_clean(self.findings) {
            Err(refusal) => Decision::Refuse { refusal, expects: self.expects },
            Ok(_warnings) => Decision::Archive { expects: self.expects },
        }
    }
}

/// Whether a document of this group makes the thing it names rather than hanging on it.
pub(super) const fn makes_relation(group: Group) -> bool {
    matches!(group, Group::ClientRelation)
}
