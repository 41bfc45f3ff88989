//! Versions and replacement (documents.md §3.5): a first version is its own set; a replacement names the newest version of its set and is one higher.

use super::decide::Wants;
use crate::domain::code::Code;
use crate::domain::document::{Header, Replaced};
use crate::domain::facts::{Awaited, DocumentFact, Expectation, Facts};
use crate::domain::finding::Finding;

/// Checks the document's place in its set.
pub fn check(header: &Header, facts: &Facts, wants: &mut Wants) {
    match &header.replaces {
        None => first(header, facts, wants),
        Some(replaced) => replacement(header, replaced, facts, wants),
    }
}

fn first(header: &Header, facts: &Facts, wants: &mut Wants) {
    if header.set_id != header.id {
        wants.findings.push(Finding::whole(Code::E702).with("expected", header.id.as_str()));
    }
    expect_latest(header, facts.latest.as_ref(), wants);
    let expected = facts.latest.as_ref().map_or(1, |latest| latest.version.saturating_add(1));
    if header.version != 1 || facts.latest.is_some() {
        wants.findings.push(Finding::whole(Code::E703).with("expected", expected.to_string()).with("found", header.version.to_string()));
    }
}

fn replacement(header: &Header, replaced: &Replaced, facts: &Facts, wants: &mut Wants) {
    expect_latest(header, facts.latest.as_ref(), wants);
    let Some(target) = &facts.replaced else {
        wants.expects.push(Expectation::Document { id: replaced.id.clone(), present: false });
        let missing = Finding::whole(Code::E704).with("id", replaced.id.as_str());
        wants.missing.push((Awaited::Document(replaced.id.clone()), missing));
        return;
    };
    wants.expects.push(Expectation::Document { id: replaced.id.clone(), present: true });
    if header.set_id != target.set_id || replaced.set_id.as_ref().is_some_and(|set| *set != target.set_id) {
        wants.findings.push(Finding::whole(Code::E702).with("expected", target.set_id.as_str()));
        return;
    }
    let newest = facts.latest.as_ref().map_or(target.version, |latest| latest.version);
    if target.version != newest || replaced.version.is_some_and(|version| version != target.version) {
        let newest_id = facts.latest.as_ref().map_or(target.id.as_str(), |latest| latest.id.as_str());
        wants.findings.push(Finding::whole(Code::E705).with("id", newest_id).with("expected", newest.to_string()));
    }
    if header.version != newest.saturating_add(1) {
        wants.findings.push(Finding::whole(Code::E703).with("expected", newest.saturating_add(1).to_string()).with("found", header.version.to_string()));
    }
    if header.group != target.group {
        wants.findings.push(Finding::whole(Code::E707).with("expected", target.group.number().to_string()).with("found", header.group.number().to_string()));
    }
    if header.client != target.client {
        wants.findings.push(Finding::whole(Code::E408).with("of", "document"));
    }
    if header.controller != target.controller {
        wants.findings.push(Finding::whole(Code::E409).with("of", "document"));
    }
}

fn expect_latest(header: &Header, latest: Option<&DocumentFact>, wants: &mut Wants) {
    wants.expects.push(Expectation::Latest { set_id: header.set_id.clone(), version: latest.map(|l| l.version) });
}
