//! `arkki history`: everything that happened to a document and its set: versions, events, who, when, why, where in the ledger; and how it stands, now or on a date.
//! The one place that shows the words of a reason.

use clap::Args;
use serde_json::{Value, json};

use super::audit;
use super::codes::language;
use super::query::{Purpose, log};
use super::report::{Health, Report};
use crate::adapters::clock::SystemClock;
use crate::app;
use crate::codes::rule_set::RuleSet;
use crate::config::checked::Config;
use crate::domain::finding::Place;
use crate::domain::language::Language;
use crate::domain::lifecycle::{Event, EventKind, History as Chain, Scope, State, Version};
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::query::{Asker, Basis, Criteria, Query, SealedIds, Want, WantedState};
use crate::domain::time::{Moment, end_of_day, iso_date};
use crate::pipeline::query::look;
use crate::ports::archive::Archive as _;
use crate::ports::clock::Clock as _;
use crate::rules::disclose;

const HELP: &str = r#"Examples:
  arkki history --register 1.2.246.10.99999992.10.0 1.2.246.10.99999992.95.2026.1.30                    by a version's id, or by the set's
  arkki history --register 1.2.246.10.99999992.10.0 1.2.246.10.99999992.95.2026.1.30 --at 2026-03-01    what was valid at the end of that day, Finnish time
  arkki history --register 1.2.246.10.99999992.10.0 1.2.246.10.99999992.95.2026.1.30 --at 2026-03-01T10:00:00+02:00

The look is written to the access log before anything is shown. States: valid (what searches find), superseded, invalidated, invalidating (the version that invalidated its set), future (not archived yet).

Exit codes: 0 well, 1 nothing of that id is archived in the register, 2 the archive or the rules could not be read."#;

/// What `history` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct History {
    /// The id of a version or of a set.
    #[arg(value_parser = oid)]
    id: Oid,
    /// On whose behalf: the controller, or the organisation whose own registers are looked into.
    #[arg(long, value_name = "OID", value_parser = oid)]
    register: Oid,
    /// How everything stood then: a day (YYYY-MM-DD, its end in Finnish time) or a moment with its zone.
    #[arg(long, value_name = "DATE", value_parser = moment)]
    at: Option<Moment>,
    /// Language of the words: fi, sv or en.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
}

fn oid(text: &str) -> Result<Oid, String> {
    Oid::parse(text).map_err(|_| "not an OID".to_owned())
}

fn moment(text: &str) -> Result<Moment, String> {
    iso_date(text)
        .map(end_of_day)
        .or_else(|| Moment::parse_iso(text))
        .ok_or_else(|| "neither a day (2026-11-22) nor a moment with its zone (2026-11-22T10:00:00Z)".to_owned())
}

/// Logs the look, then shows the history.
#[must_use]
pub fn run(command: &History, config: &Config) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(ask(command, config)) {
        Ok(report) => report,
        Err(why) => Report::blind(why),
    }
}

async fn ask(command: &History, config: &Config) -> Result<Report, String> {
    let examiner = app::examiner(config).map_err(|fault| fault.to_string())?;
    let rules = examiner.rule_set();
    let archive = audit::open(config).await?;
    let lost = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let asker = Asker { basis: Basis::OwnRegister, organisation: Some(command.register.clone()), person: None, ground: None };
    let asking = disclose::Asking { asker: &asker, controller: None, registered: None };
    let registers = disclose::allowed(&asking, &rules.query).map_err(|denied| rules.catalogue.word(denied.0, command.language).to_owned())?;
    // Of another's set nothing is told, not even that it is there; nor of a client's wills, which the archivist does not see.
    let chain = archive.history(&command.id).await.map_err(lost)?.filter(|chain| registers.cover(&chain.controller) && !chain.group.is_will());
    let set = chain.as_ref().map_or(&command.id, |chain| &chain.set_id).clone();
    let criteria = Criteria { sets: vec![set], state: WantedState::Any, all_versions: true, ..Criteria::default() };
    let query = Query { want: Want::Metadata, id: None, criteria, limit: limits::QUERY_HITS, asker, sealed: SealedIds::default() };
    let scope = crate::domain::scope::Scope::of(registers);
    let looked = look(archive.as_ref(), &query, &scope, None).await.map_err(lost)?;
    let answered = crate::rules::query::judge(&query, looked, &Place::whole());
    log(&Purpose { purpose: None, shows: Some("history") }, config, &examiner, &archive, (&query, &scope, &answered)).await?;
    Ok(match chain {
        Some(chain) => shown(rules, &chain, command.at.unwrap_or_else(|| SystemClock.now()), command.at.is_some(), command.language),
        None => {
            let text = format!("{}\n", rules.catalogue.word("history-none", command.language));
            Report::new(Health::Unwell, text, json!({ "id": command.id.as_str(), "found": false }))
        }
    })
}

/// One thing that happened.
enum Step<'c> {
    Archived(&'c Version, State),
    Happened(&'c Event),
}

fn shown(rules: &RuleSet, chain: &Chain, at: Moment, is_then: bool, language: Language) -> Report {
    let word = |key: &'static str| rules.catalogue.word(key, language);
    let states = chain.states(at);
    let mut steps: Vec<(u64, Step<'_>)> = chain.versions.iter().zip(&states).map(|(v, s)| (v.position.0, Step::Archived(v, *s))).collect();
    steps.extend(chain.events.iter().map(|e| (e.position.0, Step::Happened(e))));
    steps.sort_by_key(|(position, _)| *position);
    let group = chain.group.number();
    let mut text =
        format!("{} {}  ({} {group}, {} {})\n\n", word("history-set"), chain.set_id, word("history-group"), word("history-controller"), chain.controller);
    for (_, step) in &steps {
        text.push_str(&match step {
            Step::Archived(version, state) => archived(rules, version, *state, language),
            Step::Happened(event) => happened(rules, event, language),
        });
    }
    let valid = chain.versions.iter().zip(&states).find(|(_, s)| **s == State::Valid).map(|(v, _)| v);
    let then = if is_then { format!("{} {}", word("history-at"), at.to_iso()) } else { word("history-now").to_owned() };
    text.push_str(&match valid {
        Some(version) => format!("\n{then}: {} {} {}\n", word("history-version"), version.number, word("history-is-valid")),
        None => format!("\n{then}: {}\n", word("history-none-valid")),
    });
    let json = json!({
        "set": chain.set_id.as_str(),
        "found": true,
        "group": group,
        "controller": chain.controller.as_str(),
        "at": at.to_iso(),
        "valid": valid.map(|v| v.id.as_str()),
        "versions": chain.versions.iter().zip(&states).map(|(v, s)| version_value(v, *s)).collect::<Vec<_>>(),
        "events": chain.events.iter().map(|e| event_value(rules, e, language)).collect::<Vec<_>>(),
    });
    Report::new(Health::Well, text, json)
}

fn archived(rules: &RuleSet, version: &Version, state: State, language: Language) -> String {
    let word = |key: &'static str| rules.catalogue.word(key, language);
    let replaces = version.replaces.as_ref().map(|id| format!("{:>11}{} {id}\n", "", word("history-replaces"))).unwrap_or_default();
    format!(
        "{:>9}  {}  {} {}: {}  {} {}  [{}]\n{replaces}",
        version.position.0,
        version.at.to_iso(),
        word("history-version"),
        version.number,
        version.id,
        word("history-by"),
        version.sender,
        word(state_key(state))
    )
}

fn happened(rules: &RuleSet, event: &Event, language: Language) -> String {
    let word = |key: &'static str| rules.catalogue.word(key, language);
    let record = &event.record;
    let what = word(if record.kind == EventKind::Invalidated { "history-invalidated" } else { "history-reinstated" });
    let target = match &record.scope {
        Scope::Version(id) => id.as_str().to_owned(),
        Scope::Set => word("history-whole-set").to_owned(),
    };
    let mut line = format!("{:>9}  {}  {what}: {target}  {} {}\n", event.position.0, record.at.to_iso(), word("history-by"), who(event));
    if let Some(by) = &record.by_document {
        line.push_str(&format!("{:>11}{} {by}\n", "", word("history-with")));
    }
    let code =
        record.reason.code.as_deref().map(|code| rules.lifecycle.reason(code, language).map_or_else(|| code.to_owned(), |says| format!("{says} ({code})")));
    // Words from outside never steer the terminal.
    let words = record.reason.text.as_ref().map(|text| text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect());
    let why: Vec<String> = code.into_iter().chain(words).collect();
    line.push_str(&format!("{:>11}{}: {}\n", "", word("history-reason"), why.join(". ")));
    line
}

/// The sender, and what the frame says of who asked.
fn who(event: &Event) -> String {
    let author = &event.record.author;
    let more: Vec<&str> = author.organisation.as_ref().map(Oid::as_str).into_iter().chain(author.professional.as_deref()).collect();
    if more.is_empty() { event.record.sender.clone() } else { format!("{} ({})", event.record.sender, more.join(", ")) }
}

const fn state_key(state: State) -> &'static str {
    match state {
        State::Future => "state-future",
        State::Valid => "state-valid",
        State::Superseded => "state-superseded",
        State::Invalidated => "state-invalidated",
        State::Invalidating => "state-invalidating",
    }
}

fn version_value(version: &Version, state: State) -> Value {
    json!({
        "id": version.id.as_str(),
        "version": version.number,
        "replaces": version.replaces.as_ref().map(Oid::as_str),
        "position": version.position.0,
        "archived_at": version.at.to_iso(),
        "sender": version.sender,
        "archived_sha256": version.archived.to_hex(),
        "state": state.as_str(),
    })
}

fn event_value(rules: &RuleSet, event: &Event, language: Language) -> Value {
    let record = &event.record;
    let (version, scope) = match &record.scope {
        Scope::Version(id) => (Some(id.as_str()), "version"),
        Scope::Set => (None, "set"),
    };
    json!({
        "event": record.kind.action(),
        "scope": scope,
        "version": version,
        "by_version": record.by_document.as_ref().map(Oid::as_str),
        "position": event.position.0,
        "at": record.at.to_iso(),
        "sender": record.sender,
        "organisation": record.author.organisation.as_ref().map(Oid::as_str),
        "professional": record.author.professional,
        "reason_code": record.reason.code,
        "reason_says": record.reason.code.as_deref().and_then(|code| rules.lifecycle.reason(code, language)),
        "reason": record.reason.text,
    })
}
