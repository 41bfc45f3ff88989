//! `arkki templates`: what a document of each group must hold, for people; and the examples that the rules carry, tried.

mod pages;
mod show;

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::codes::{language, load};
use super::report::{Health, Report};
use crate::codes::rule_set::RuleSet;
use crate::domain::document::Group;
use crate::domain::language::Language;
use crate::generate::samples;
use crate::rules::examples::{self, Trial};

pub(super) use pages::{example, heading};
pub use pages::{rules_page, templates_page};
pub(super) use show::element;

const HELP: &str = r#"Examples:
  arkki templates list
  arkki templates show 4 --language fi       what an old client document must hold
  arkki templates explain serviceTask        one metadata element: where it stands, its codes, what each group demands
  arkki templates test                       every example that the rules carry, tried
  arkki --config arkki.toml templates test   the same for a folder of rules of your own
  arkki templates page > docs/templates.md; arkki templates rules > docs/rules.md

Exit codes: 0 well, 1 an example does not hold, 2 no such group or element, or the rules could not be read (file and line are named)."#;

/// What `templates` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Templates {
    /// Language of names and sentences: fi, sv or en.
    #[arg(long, global = true, default_value = "en", value_parser = language)]
    language: Language,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// The document groups, a line each.
    List,
    /// What a document of a group must hold, element by element.
    Show {
        /// The group's number: 1, 2, 3, 4, 5, 8 or 9.
        group: u8,
    },
    /// One metadata element.
    Explain {
        /// Its key, as `templates show` lists it: serviceTask.
        element: String,
    },
    /// Try every example that the rules carry.
    Test,
    /// All templates as Markdown: docs/templates.md.
    Page,
    /// Every rule with its samples as Markdown: docs/rules.md.
    Rules,
}

/// Shows, explains or tries.
#[must_use]
pub fn run(command: &Templates, config: Option<&Path>) -> Report {
    let rules = match load(config) {
        Ok(rules) => rules,
        Err(fault) => return Report::blind(fault),
    };
    match &command.action {
        Action::List => list(&rules, command.language),
        Action::Show { group } => match Group::from_number(*group) {
            Some(group) => show::group(&rules, group, command.language),
            None => Report::wish(format!("{group}: no such group; `arkki templates list` lists them")),
        },
        Action::Explain { element } => show::element(&rules, element, command.language)
            .unwrap_or_else(|| Report::wish(format!("{element}: no such element; `arkki templates show 5` lists them"))),
        Action::Test => test(&rules),
        Action::Page => Report::page("markdown", templates_page(&rules)),
        Action::Rules => Report::page("markdown", rules_page(&rules)),
    }
}

fn list(rules: &RuleSet, language: Language) -> Report {
    let mut text = String::new();
    let mut values = Vec::new();
    for group in Group::ALL {
        let [name, about] = rules.templates.names(group, language);
        let count = |word: &str| (0..rules.templates.fields().len()).filter(|at| is_demanded(rules, group, *at, word)).count();
        text.push_str(&format!("{}  {name}\n   {about}\n   {}\n", group.number(), counts(rules, language, &count)));
        values.push(json!({
            "group": group.number(),
            "name": name,
            "about": about,
            "mandatory": count("mandatory"),
            "conditional": count(""),
            "recommended": count("recommended"),
            "optional": count("optional"),
            "forbidden": count("forbidden") + count("na"),
        }));
    }
    text.push_str(&format!("\n{} {}\n", rules.rules.all().len(), "rules beyond single elements: `arkki templates rules`; the whole rule set is"));
    text.push_str(&format!("{}\n", rules.hash().to_hex()));
    Report::new(Health::Well, text, json!({ "rules": rules.hash().to_hex(), "groups": values }))
}

fn is_demanded(rules: &RuleSet, group: Group, at: usize, word: &str) -> bool {
    let demand = rules.templates.demand(group, at);
    if word.is_empty() { demand.when.is_some() } else { demand.when.is_none() && demand.then == word }
}

fn counts(rules: &RuleSet, language: Language, count: &dyn Fn(&str) -> usize) -> String {
    let conditional = match language {
        Language::Fi => "ehdollinen",
        Language::Sv => "villkorlig",
        Language::En => "conditional",
    };
    let mut parts: Vec<String> = ["mandatory", "recommended", "optional", "forbidden"]
        .into_iter()
        .map(|word| format!("{} {}", count(word), rules.catalogue.word(word, language)))
        .collect();
    parts.insert(1, format!("{} {conditional}", count("")));
    parts.join(", ")
}

fn test(rules: &RuleSet) -> Report {
    let trials = examples::run(rules, &samples::good);
    let wrong: Vec<&Trial> = trials.iter().filter(|t| t.fault.is_some()).collect();
    let mut text = String::new();
    for trial in &wrong {
        text.push_str(&format!("{} in group {}: {}\n  {:?}\n", trial.rule, trial.group.number(), trial.fault.as_deref().unwrap_or(""), trial.edit));
    }
    let mut tried: Vec<&str> = trials.iter().map(|t| t.rule.as_str()).collect();
    tried.sort_unstable();
    tried.dedup();
    text.push_str(&format!("{} examples of {} rules, {} wrong\n", trials.len(), tried.len(), wrong.len()));
    let health = if wrong.is_empty() { Health::Well } else { Health::Unwell };
    let faults: Vec<Value> = wrong.iter().map(|t| json!({ "rule": t.rule, "group": t.group.number(), "fault": t.fault })).collect();
    Report::new(health, text, json!({ "examples": trials.len(), "rules": tried.len(), "wrong": faults }))
}
