//! What the archive has against a will expression (messaging.md §5.1, §5.5): whose documents it names, from when it is in force, and whether its client
//! was informed. A will is never refused for a missing informing: that decides at disclosure (R4).

use std::time::Duration;

use super::decide::{Gathered, Request, finding};
use crate::codes::will::WillRules;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::facts::{Awaited, Facts, NamedFact};
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::domain::will::{Edition, Said};

const JSON: &str = "/ClinicalDocument/component/nonXMLBody/hl7fi:json";
/// How far ahead of ours a sender's clock may be: beyond it a will is dated in the future.
pub const CLOCKS: Duration = Duration::from_secs(300);

/// What counts of wills: the part of `codes/will.toml` that decisions need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counting {
    /// The first edition of the information that counts as informing.
    pub least: Edition,
    /// The groups whose documents can be denied one by one.
    pub deniable: Vec<Group>,
}

impl Counting {
    /// From the rules.
    #[must_use]
    pub fn of(rules: &WillRules) -> Self {
        Self { least: rules.least_edition, deniable: rules.deniable.clone() }
    }
}

/// Judges what a document says as a will.
pub(super) fn judge(request: &Request, facts: &Facts, at: Moment, found: &mut Gathered) {
    let Some((said, counting)) = &request.will else { return };
    if request.header.authored > at.plus(CLOCKS) {
        found.findings.push(finding(Code::E723, "/ClinicalDocument/effectiveTime/@value"));
    }
    for id in said.names() {
        match facts.named.iter().find(|named| named.id == *id) {
            None => found.missing.push((Awaited::Document(id.clone()), finding(Code::E721, JSON).with("document", id.as_str()))),
            Some(named) => target(request, said, counting, (id, named), found),
        }
    }
    let needs_informing = matches!(said, Said::Permitted(true) | Said::Denials(_));
    if needs_informing && facts.wills.as_ref().is_some_and(|wills| wills.at(at, counting.least).informing.is_none()) {
        found.findings.push(finding(Code::W930, JSON));
    }
}

/// A document that is named and archived.
fn target(request: &Request, said: &Said, counting: &Counting, (id, named): (&Oid, &NamedFact), found: &mut Gathered) {
    let new = |code| finding(code, JSON).with("document", id.as_str());
    let ends = matches!(said, Said::Cancelled(_));
    if named.client != request.header.client {
        found.findings.push(new(Code::E722));
    } else if ends && named.group != Group::Denial {
        found.findings.push(new(Code::E724).with("rule", "will-no-denial"));
    } else if !ends && named.group.is_will() {
        found.findings.push(new(Code::E724).with("rule", "will-of-will"));
    } else if !ends && !counting.deniable.contains(&named.group) {
        found.findings.push(new(Code::W931).with("group", named.group.number().to_string()));
    }
}
