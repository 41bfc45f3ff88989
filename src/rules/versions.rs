//! Versions and replacement (documents.md §3.5): a set's versions follow each other without gap or fork, by one client, controller and group.

use super::decide::{Gathered, finding};
use crate::domain::code::Code;
use crate::domain::document::{Group, Header};
use crate::domain::facts::{Awaited, DocumentFact, Expectation, Facts, Mark};
use crate::domain::finding::Finding;

const SET: &str = "/ClinicalDocument/setId/@root";
const VERSION: &str = "/ClinicalDocument/versionNumber/@value";
const PARENT: &str = "/ClinicalDocument/relatedDocument/parentDocument";

/// What the header breaks on its own: a first version has id = setId and replaces nothing; a later one has an id of its own and replaces one.
pub(super) fn own(header: &Header) -> Vec<Finding> {
    let mut out = Vec::new();
    let is_first = header.version == 1;
    // How a set begins is the register's own rule; CDA R2 says only what a replacement is.
    let is_social = header.group != Group::Other;
    let number = || finding(Code::E703, VERSION).with("version", header.version.to_string());
    match &header.replaces {
        // Which of the two is wrong cannot be told, so nothing more is said of the ids.
        Some(_) if is_first && is_social => return vec![number().with("expected", "≥ 2").under("version-replaces")],
        None if !is_first && is_social => return vec![number().with("expected", "1").under("version-replaces")],
        Some(replaced) => {
            if replaced.set_id.as_ref().is_some_and(|set| *set != header.set_id) {
                out.push(finding(Code::E702, &format!("{PARENT}/setId/@root")).with("rule", "set-replaced"));
            }
            if let Some(version) = replaced.version.filter(|v| v.checked_add(1) != Some(header.version)) {
                out.push(number().with("expected", version.saturating_add(1).to_string()).under("version-next"));
            }
        }
        None => {}
    }
    if is_social && is_first && header.id != header.set_id {
        out.push(finding(Code::E702, SET).with("rule", "set-first"));
    }
    if is_social && !is_first && header.id == header.set_id {
        out.push(finding(Code::E702, SET).with("rule", "set-new-id"));
    }
    out
}

/// What it breaks in the archive. `invalidates`: it is to invalidate its set.
pub(super) fn judge(header: &Header, invalidates: bool, facts: &Facts, found: &mut Gathered) {
    found.expects.push(Expectation::Document { id: header.id.clone(), present: false });
    found.expects.push(Expectation::Latest { set_id: header.set_id.clone(), version: facts.latest.as_ref().map(|l| l.version) });
    match (&header.replaces, &facts.replaced) {
        (None, _) => {
            // Its id is new, so a set that has versions already is somebody else's.
            if facts.latest.is_some() {
                found.findings.push(finding(Code::E702, SET).with("rule", "set-known"));
            }
        }
        (Some(replaced), None) => {
            let refusal = finding(Code::E704, &format!("{PARENT}/id/@root")).with("document", replaced.id.as_str());
            found.missing.push((Awaited::Document(replaced.id.clone()), refusal));
        }
        (Some(_), Some(replaced)) => {
            // What happened to the set may have ended, or begun, its time for new versions.
            found.expects.push(Expectation::Events { set_id: header.set_id.clone(), count: facts.set.events });
            follows(header, replaced, facts.latest.as_ref(), &mut found.findings);
            let is_invalid = facts.set.invalid || (replaced.mark == Mark::Invalidated && !invalidates);
            if is_invalid && replaced.set_id == header.set_id {
                let rule = if facts.set.invalid { "set-invalid" } else { "version-invalid" };
                found.findings.push(finding(Code::E708, &format!("{PARENT}/id/@root")).with("rule", rule));
            }
        }
    }
}

fn follows(header: &Header, replaced: &DocumentFact, latest: Option<&DocumentFact>, out: &mut Vec<Finding>) {
    if replaced.set_id != header.set_id {
        out.push(finding(Code::E702, SET).with("rule", "set-replaced"));
        return;
    }
    let latest = latest.unwrap_or(replaced);
    if replaced.id != latest.id {
        out.push(finding(Code::E705, &format!("{PARENT}/id/@root")).with("latest", latest.id.as_str()));
    } else if latest.version.checked_add(1) != Some(header.version) {
        let expected = latest.version.saturating_add(1).to_string();
        out.push(finding(Code::E703, VERSION).with("version", header.version.to_string()).with("expected", expected).under("version-next"));
    }
    if replaced.group != header.group {
        let expected = replaced.group.number().to_string();
        out.push(finding(Code::E707, "/ClinicalDocument/hl7fi:localSocialHeader/hl7fi:documentGroup/@code").with("expected", expected));
    }
    super::links::same_owner(header, &replaced.client, &replaced.controller, "in-replaced", out);
}
