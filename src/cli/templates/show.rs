//! One group, or one metadata element, for people.

use serde_json::{Value, json};

use super::super::report::{Health, Report};
use crate::cda::template::{Demand, Field};
use crate::codes::rule_set::RuleSet;
use crate::codes::system::Days;
use crate::domain::document::{Date, Group};
use crate::domain::language::Language;

/// What a document of a group must hold.
pub(super) fn group(rules: &RuleSet, group: Group, language: Language) -> Report {
    let [name, about] = rules.templates.names(group, language);
    let mut text = format!("{} {name}\n{about}\n\n", group.number());
    let mut values = Vec::new();
    for (at, field) in rules.templates.fields().iter().enumerate() {
        let demand = rules.templates.demand(group, at);
        text.push_str(&format!("{:<22} {:<38} {}\n", field.key(), field.name(language), in_words(rules, demand, language)));
        values.push(json!({ "element": field.key(), "name": field.name(language), "path": field.path(), "demand": demand_value(demand) }));
    }
    let more: Vec<_> = rules.rules.all().iter().filter(|r| r.check.as_ref().is_some_and(|c| c.groups.is_empty() || c.groups.contains(&group))).collect();
    if !more.is_empty() {
        text.push('\n');
    }
    for rule in &more {
        text.push_str(&format!("{:<22} {} {}\n", rule.id, rule.code.as_str(), rule.sentence(language)));
    }
    let more: Vec<Value> = more.iter().map(|r| json!({ "rule": r.id, "code": r.code.as_str(), "text": r.sentence(language) })).collect();
    Report::new(Health::Well, text, json!({ "group": group.number(), "name": name, "elements": values, "rules": more }))
}

/// One metadata element; `None` when there is none of this key.
pub(crate) fn element(rules: &RuleSet, key: &str, language: Language) -> Option<Report> {
    let at = rules.templates.fields().iter().position(|f| f.key().eq_ignore_ascii_case(key))?;
    let field = rules.templates.fields().get(at)?;
    let names: Vec<&str> = Language::ALL.into_iter().map(|l| field.name(l)).collect();
    let mut text = format!(
        "{} – {}\n\n  path    {}\n  type    {}{}\n",
        field.key(),
        names.join(" / "),
        place(field),
        field.kind(),
        if field.repeats() { ", repeats" } else { "" }
    );
    if let Some(codes) = codes(field, language) {
        text.push_str(&codes);
    }
    if let (Some(good), bad) = (field.good(), field.bad()) {
        let bad = bad.map(|(bad, code)| format!("; not {bad} ({})", code.as_str())).unwrap_or_default();
        text.push_str(&format!("  value   {good}{bad}\n"));
    }
    text.push_str(&format!("  source  documents §2: {}\n\n", field.source()));
    for group in Group::ALL {
        let [name, _] = rules.templates.names(group, language);
        text.push_str(&format!("  {} {:<48} {}\n", group.number(), name, in_words(rules, rules.templates.demand(group, at), language)));
    }
    let demands: Vec<Value> = Group::ALL.iter().map(|g| json!({ "group": g.number(), "demand": demand_value(rules.templates.demand(*g, at)) })).collect();
    let json = json!({
        "element": field.key(),
        "names": { "fi": field.name(Language::Fi), "sv": field.name(Language::Sv), "en": field.name(Language::En) },
        "path": field.path(),
        "type": field.kind(),
        "repeats": field.repeats(),
        "codeSystem": field.system().map(|s| s.base.as_str()),
        "codes": field.system().map(|s| s.values.iter().map(|v| v.code.as_str()).collect::<Vec<_>>()),
        "complete": field.system().map(|s| s.complete),
        "source": field.source(),
        "groups": demands,
    });
    Some(Report::new(Health::Well, text, json))
}

/// Where it stands.
pub(super) fn place(field: &Field) -> String {
    if field.is_json() { format!("JSON: {}", field.path()) } else { format!("/ClinicalDocument/{}", field.path()) }
}

/// How many codes are listed before the rest is only counted.
const LISTED: usize = 30;

fn codes(field: &Field, language: Language) -> Option<String> {
    let system = field.system()?;
    let state = if system.complete { "whole list" } else { "partly known: an unknown code is a warning" };
    let mut text = format!("  codes   {} ({state}; {})\n", system.base, system.source);
    for version in &system.versions {
        text.push_str(&format!("          version {}…{}\n", version.begins, days(version.days)));
    }
    let taken: Vec<_> = system.values.iter().filter(|v| field.only().is_empty() || field.only().contains(&v.code)).collect();
    for value in taken.iter().take(LISTED) {
        let name = value.names.get(language as usize).map_or("", String::as_str);
        text.push_str(&format!("          {:<6} {name}{}\n", value.code, days(value.days)));
    }
    if taken.len() > LISTED {
        text.push_str(&format!("          … and {} more\n", taken.len() - LISTED));
    }
    Some(text)
}

fn days(days: Days) -> String {
    let day = |d: Date| format!("{:04}-{:02}-{:02}", d.year, d.month, d.day);
    match (days.first, days.last) {
        (None, None) => String::new(),
        (first, last) => format!(" ({}–{})", first.map(day).unwrap_or_default(), last.map(day).unwrap_or_default()),
    }
}

/// `mandatory when present(json), else forbidden`.
pub(super) fn in_words(rules: &RuleSet, demand: Demand<'_>, language: Language) -> String {
    let [when, otherwise] = match language {
        Language::Fi => ["kun", "muuten"],
        Language::Sv => ["när", "annars"],
        Language::En => ["when", "else"],
    };
    let word = |word| rules.catalogue.word(word, language);
    match demand.when {
        None => word(demand.then).to_owned(),
        Some(condition) => format!("{} {when} {condition}, {otherwise} {}", word(demand.then), word(demand.otherwise)),
    }
}

fn demand_value(demand: Demand<'_>) -> Value {
    match demand.when {
        None => json!(demand.then),
        Some(condition) => json!({ "when": condition, "then": demand.then, "else": demand.otherwise }),
    }
}
