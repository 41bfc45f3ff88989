//! `arkki explain`: a code, a rule or a metadata element in plain words: what it says, what mends it, where it comes from, and samples to look at.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::codes::{language, load};
use super::report::{Health, Report};
use super::templates;
use crate::codes::rule_set::RuleSet;
use crate::codes::rules::Rule;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::language::Language;

const HELP: &str = r#"Examples:
  arkki explain E403                  a code: what it says, what mends it, the rules that give it
  arkki explain R25 --language sv     a rule: what must hold, its source, a sample that keeps it and one that breaks it
  arkki explain need.serviceTask      a metadata element's rule

Exit codes: 0 well, 2 there is nothing of that name, or the rules could not be read."#;

/// What `explain` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Explain {
    /// A code (E403), a rule (R25) or a metadata element (serviceTask).
    what: String,
    /// Language of the sentences: fi, sv or en.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
}

/// Explains.
#[must_use]
pub fn run(command: &Explain, config: Option<&Path>) -> Report {
    let rules = match load(config) {
        Ok(rules) => rules,
        Err(fault) => return Report::blind(fault),
    };
    let what = command.what.trim();
    if let Some(code) = Code::parse(&what.to_ascii_uppercase()) {
        return of_code(&rules, code, command.language);
    }
    if let Some(rule) = rules.rules.all().iter().find(|r| r.id.eq_ignore_ascii_case(what)) {
        return of_rule(&rules, rule, command.language);
    }
    if let Some(left) = rules.rules.left().iter().find(|l| l.id.eq_ignore_ascii_case(what)) {
        let why = left.why(command.language);
        return Report::new(
            Health::Well,
            format!("{}\n\n  {why}\n\n  source  {}\n", left.id, left.source),
            json!({ "rule": left.id, "left": why, "source": left.source }),
        );
    }
    let element = what.strip_prefix("need.").or_else(|| what.strip_prefix("value.")).unwrap_or(what);
    templates::element(&rules, element, command.language)
        .unwrap_or_else(|| Report::wish(format!("{what}: no such code, rule or element; `arkki codes` and `arkki templates rules` list them")))
}

fn of_code(rules: &RuleSet, code: Code, language: Language) -> Report {
    let finding = Finding::whole(code);
    let (says, mend) = (rules.catalogue.text(&finding, language), rules.catalogue.mend(&finding, language));
    let mut text = format!(
        "{} {}\n\n  {says}\n  {mend}\n\n  answer  {} ({}{})\n  source  {}\n",
        code.as_str(),
        code.name(),
        code.ack_type().as_str(),
        code.hl7(),
        if code.is_final() { ", final under the same rules" } else { ", decided again when it comes again" },
        rules.catalogue.source(code)
    );
    let given: Vec<&Rule> = rules.rules.of(code).collect();
    for rule in &given {
        text.push_str(&format!("\n{}", paragraph(rules, rule, language)));
    }
    let given: Vec<Value> = given.iter().map(|r| value(rules, r, language)).collect();
    let json = json!({ "code": code.as_str(), "name": code.name(), "text": says, "mend": mend, "source": rules.catalogue.source(code), "rules": given });
    Report::new(Health::Well, text, json)
}

fn of_rule(rules: &RuleSet, rule: &Rule, language: Language) -> Report {
    let finding = Finding::whole(rule.code);
    let mend = rules.catalogue.mend(&finding, language);
    let text = format!("{}  mends   {mend}\n", paragraph(rules, rule, language));
    let mut json = value(rules, rule, language);
    if let Some(object) = json.as_object_mut() {
        object.insert("mend".to_owned(), Value::String(mend));
    }
    Report::new(Health::Well, text, json)
}

fn paragraph(rules: &RuleSet, rule: &Rule, language: Language) -> String {
    let mut text = format!("{} [{}]\n\n  {}\n\n", rule.id, rule.source, rule.sentence(language));
    text.push_str(&format!(
        "  held by {}{}\n",
        rules.catalogue.word(templates::heading(rule.holder), language),
        rule.by.as_deref().map(|by| format!(", as {by}")).unwrap_or_default()
    ));
    if let Some(check) = &rule.check {
        let groups: Vec<String> = check.groups.iter().map(|g| g.number().to_string()).collect();
        let groups = if groups.is_empty() { String::new() } else { format!("group {}: ", groups.join(", ")) };
        let when = check.when.as_deref().map(|when| format!("when {when}: ")).unwrap_or_default();
        text.push_str(&format!("  demands {groups}{when}{}\n", check.must));
    }
    text.push_str(&format!("  passes  {}\n  fails   {} ({})\n", templates::example(&rule.passes), templates::example(&rule.fails), rule.code.as_str()));
    text
}

fn value(rules: &RuleSet, rule: &Rule, language: Language) -> Value {
    json!({
        "rule": rule.id,
        "code": rule.code.as_str(),
        "text": rule.sentence(language),
        "source": rule.source,
        "heldBy": rules.catalogue.word(templates::heading(rule.holder), language),
        "passes": templates::example(&rule.passes),
        "fails": templates::example(&rule.fails),
    })
}
