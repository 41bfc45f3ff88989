//! `arkki codes`: the closed table of refusals and warnings, for people, machines and docs/codes.md; and the tables of metrics and alarms.

mod watched;

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::report::{Health, Report};
use crate::app;
use crate::codes::catalogue::Catalogue;
use crate::codes::disclosure::DisclosureRules;
use crate::codes::rule_set::RuleSet;
use crate::config::checked::{Config, ConfigFault};
use crate::domain::code::Code;
use crate::domain::finding::{Finding, Severity};
use crate::domain::language::Language;
use crate::rules::disclose::counted;

const HELP: &str = r#"Examples:
  arkki codes              all of them, a line each
  arkki codes E305 --language fi
  arkki codes --json       for machines
  arkki codes disclosure   who may see whose document: the table, and every combination of its factors
  arkki codes metrics      what can be watched: docs/metrics.md
  arkki codes alarms --language fi
  arkki codes alerts       the alarms as rules for Prometheus: deploy/alerts.yml

Exit codes: 0 well, 2 no such code, or the rules could not be read."#;

/// What `codes` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Codes {
    /// Explain this code (E305), or print a table (disclosure, metrics, alarms, alerts), instead of listing all.
    code: Option<String>,
    /// Language of the sentences: fi, sv or en.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
    /// Write the table as Markdown: `arkki codes --markdown > docs/codes.md`.
    #[arg(long)]
    markdown: bool,
}

pub(super) fn language(text: &str) -> Result<Language, String> {
    Language::parse(text).ok_or_else(|| "say fi, sv or en".to_owned())
}

/// Lists or explains.
#[must_use]
pub fn run(command: &Codes, config: Option<&Path>) -> Report {
    match command.code.as_deref() {
        Some("metrics") => return watched::metrics(),
        Some("alarms") => return watched::alarms(command.language),
        Some("alerts") => return watched::alerts(),
        _ => {}
    }
    match load(config) {
        Ok(rules) if command.code.as_deref() == Some("disclosure") => {
            Report::new(Health::Well, counted::markdown(&rules.disclosure), disclosure(&rules.disclosure))
        }
        Ok(rules) => show(command, &rules.catalogue),
        Err(fault) => Report::blind(fault),
    }
}

/// The rule set of a configuration; without one, the binary's own.
pub(super) fn load(config: Option<&Path>) -> Result<RuleSet, ConfigFault> {
    let folder = match config {
        None => None,
        Some(path) => Config::read(Some(path))?.rules_folder,
    };
    RuleSet::load(&app::rule_files(folder.as_deref())?).map_err(|e| ConfigFault(e.to_string()))
}

fn show(command: &Codes, catalogue: &Catalogue) -> Report {
    if command.markdown {
        return Report::page("markdown", markdown(catalogue));
    }
    let wanted: Vec<Code> = match &command.code {
        None => Code::ALL.to_vec(),
        Some(text) => match Code::parse(&text.to_ascii_uppercase()) {
            Some(code) => vec![code],
            None => return Report::wish(format!("{text}: no such code; `arkki codes` lists them all")),
        },
    };
    let one = wanted.len() == 1;
    let text = wanted.iter().map(|c| line(*c, catalogue, command.language, one)).collect();
    let json = wanted.iter().map(|c| value(*c, catalogue)).collect();
    Report::new(Health::Well, text, json)
}

fn disclosure(rules: &DisclosureRules) -> Value {
    let lines = counted::lines(rules.table());
    let rows = rules.table().iter().map(|rule| {
        let count: usize = lines.iter().filter(|line| std::ptr::eq(line.rule, rule)).map(counted::Line::count).sum();
        let says: serde_json::Map<_, _> = Language::ALL.into_iter().map(|l| (l.as_str().to_owned(), rule.sentence(l).into())).collect();
        json!({
            "rule": rule.id,
            "result": rule.outcome.as_str(),
            "log": rule.logged.as_str(),
            "notice": rule.notice,
            "refuse": rule.refuses.map(Code::as_str),
            "source": rule.source,
            "says": says,
            "combinations": count,
        })
    });
    rows.collect()
}

fn line(code: Code, catalogue: &Catalogue, language: Language, whole: bool) -> String {
    let finding = Finding::whole(code);
    let (text, mend) = (catalogue.text(&finding, language), catalogue.mend(&finding, language));
    if !whole {
        return format!("{}  {}  {:<26} {text}\n", code.as_str(), code.ack_type().as_str(), code.name());
    }
    format!(
        "{} {}\n\n  {text}\n  {mend}\n\n  answer  {} ({}{})\n  final   {}\n  source  {}\n",
        code.as_str(),
        code.name(),
        code.ack_type().as_str(),
        code.hl7(),
        if code.kanta().is_empty() { String::new() } else { format!(", Kanta {}", code.kanta()) },
        if code.is_final() { "yes: the same octets get the same answer while the rules are the same" } else { "no: the same octets are decided again" },
        catalogue.source(code),
    )
}

fn value(code: Code, catalogue: &Catalogue) -> Value {
    let finding = Finding::whole(code);
    let sentences =
        |of: &dyn Fn(Language) -> String| Language::ALL.into_iter().map(|l| (l.as_str().to_owned(), Value::String(of(l)))).collect::<serde_json::Map<_, _>>();
    json!({
        "code": code.as_str(),
        "name": code.name(),
        "severity": code.severity().as_str(),
        "ack": code.ack_type().as_str(),
        "hl7": code.hl7(),
        "kanta": code.kanta(),
        "final": code.is_final(),
        "http": catalogue.http(code),
        "source": catalogue.source(code),
        "text": sentences(&|l| catalogue.text(&finding, l)),
        "mend": sentences(&|l| catalogue.mend(&finding, l)),
    })
}

/// docs/codes.md. A test holds the file to it.
#[must_use]
pub fn markdown(catalogue: &Catalogue) -> String {
    let mut page = String::from(
        "# Codes\n\nMade from `codes/refusals.toml` by `arkki codes --markdown`; do not edit by hand. A dash in a sentence stands for a word that a finding brings.\n\n\
         AE: the message must change. AR: the same octets may succeed later or elsewhere. *Final*: the same octets get the same answer while the rules are the same.\n",
    );
    for (title, severity) in [("Refusals", Severity::Error), ("Warnings", Severity::Warning)] {
        page.push_str(&format!("\n## {title}\n"));
        for code in Code::ALL.into_iter().filter(|c| c.severity() == severity) {
            let finding = Finding::whole(code);
            page.push_str(&format!(
                "\n### {} {}\n\n{} · HL7 {}{}{}{}\n\n",
                code.as_str(),
                code.name(),
                code.ack_type().as_str(),
                code.hl7(),
                if code.kanta().is_empty() { String::new() } else { format!(" · Kanta {}", code.kanta()) },
                if code.is_final() { " · final" } else { "" },
                if catalogue.source(code).is_empty() { String::new() } else { format!(" · {}", catalogue.source(code)) },
            ));
            for language in Language::ALL {
                page.push_str(&format!("* {}: {} {}\n", language.as_str(), catalogue.text(&finding, language), catalogue.mend(&finding, language)));
            }
        }
    }
    page
}
