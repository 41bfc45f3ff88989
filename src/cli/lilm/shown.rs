//! How notices and their reckoning look, to people and to machines.

use serde_json::{Value, json};

use crate::cli::report::{Health, Report, many};
use crate::codes::catalogue::Catalogue;
use crate::domain::handover::StoredAs;
use crate::domain::language::Language;
use crate::domain::reckoning::{Flaw, Reckoned, Tally};
use crate::domain::time::Moment;
use crate::pipeline::reckoner::{NAMED, Reckoning};

/// A line for each notice.
pub(super) fn list(notices: &[Reckoned]) -> Report {
    let mut text = String::new();
    for one in notices {
        text.push_str(&format!("{:>9}  {}  {:<8}  {:<8}  {}\n", one.position.0, moment(one.entered), queue(one), sink(one), id(one)));
    }
    text.push_str(&format!("{}\n", many(notices.len() as u64, "notice")));
    Report::new(Health::Well, text, json!({ "notices": notices.iter().map(|one| value(one, &[])).collect::<Vec<_>>() }))
}

/// All about one.
pub(super) fn one(notice: &Reckoned, flaws: &[Flaw], stored: &[StoredAs]) -> Report {
    let mut text = format!("notice        {}\nledger        {}\n", id(notice), notice.position.0);
    for (what, when) in [("disclosed", notice.disclosed), ("recorded", notice.recorded), ("archived", notice.entered), ("emitted", notice.emitted)] {
        text.push_str(&format!("{what:<14}{}\n", moment(when)));
    }
    for controller in &notice.controllers {
        text.push_str(&format!("register      {controller}\n"));
    }
    text.push_str(&format!("log rows      {}, {} of them of the disclosure log\n", notice.log_rows, notice.logged));
    match &notice.sink {
        None => text.push_str("FHIR server   never handed over\n"),
        Some(sink) => {
            text.push_str(&format!("FHIR server   {} after {} attempts, {}\n", sink.standing.as_str(), sink.attempts, moment(sink.at)));
            if !sink.words.is_empty() {
                text.push_str(&format!("it said       {}\n", sink.words));
            }
        }
    }
    for ids in stored {
        text.push_str(&format!("{:<14}sent as {}, stored as {}\n", ids.kind, ids.sent_id, ids.stored_id));
    }
    for flaw in flaws {
        text.push_str(&format!("WRONG         {}\n", flaw.as_str()));
    }
    let ids: Vec<Value> = stored.iter().map(|s| json!({ "type": s.kind, "sent_id": s.sent_id, "stored_id": s.stored_id })).collect();
    let mut json = value(notice, flaws);
    json["resources"] = Value::Array(ids);
    Report::new(Health::Well, text, json)
}

/// The sums by register, and each that is not in order.
pub(super) fn reckoning(sum: &Reckoning, catalogue: &Catalogue, language: Language) -> Report {
    let word = |key: &'static str| catalogue.word(key, language);
    let columns =
        ["lilm-disclosures", "lilm-notices", "lilm-logged", "lilm-emitted", "lilm-taken", "lilm-missing", "lilm-waiting", "lilm-stopped", "lilm-late"];
    let mut text = String::new();
    for (controller, tally) in sum.registers.iter().map(|(c, t)| (c.as_str(), t)).chain([(word("lilm-all"), &sum.all)]) {
        let counts: Vec<String> = columns.iter().zip(numbers(tally)).map(|(key, (_, n))| format!("{} {n}", word(key))).collect();
        let controller = if controller.is_empty() { word("lilm-no-register") } else { controller };
        text.push_str(&format!("{controller}\n  {}\n", counts.join(", ")));
    }
    for (one, flaws) in &sum.flawed {
        let what: Vec<&str> = flaws.iter().map(|flaw| word(sentence(*flaw))).collect();
        text.push_str(&format!("{:>9}  {}  {}  {}\n", one.position.0, moment(one.entered), id(one), what.join("; ")));
    }
    if sum.flawed.len() == NAMED {
        text.push_str(&format!("{} {NAMED}\n", word("lilm-first")));
    }
    let well = sum.all.adds_up();
    text.push_str(&format!("{}\n", word(if well { "lilm-well" } else { "lilm-unwell" })));
    let tally = |tally: &Tally| Value::Object(numbers(tally).into_iter().map(|(name, n)| (name.to_owned(), Value::from(n))).collect());
    let json = json!({
        "adds_up": well,
        "all": tally(&sum.all),
        "registers": sum.registers.iter().map(|(c, t)| { let mut row = tally(t); row["controller"] = json!(c); row }).collect::<Vec<_>>(),
        "flawed": sum.flawed.iter().map(|(one, flaws)| value(one, flaws)).collect::<Vec<_>>(),
    });
    Report::new(if well { Health::Well } else { Health::Unwell }, text, json)
}

const fn sentence(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::NoEntry => "lilm-flaw-no-ledger-entry",
        Flaw::NoNotice => "lilm-flaw-no-notice",
        Flaw::NoLog => "lilm-flaw-no-log-row",
        Flaw::StrangeLog => "lilm-flaw-strange-log-row",
        Flaw::NeverEmitted => "lilm-flaw-never-emitted",
        Flaw::Unsent => "lilm-flaw-unsent",
        Flaw::NotTaken => "lilm-flaw-not-taken",
        Flaw::Stopped => "lilm-flaw-stopped",
        Flaw::Late => "lilm-flaw-late",
    }
}

const fn numbers(tally: &Tally) -> [(&'static str, u64); 9] {
    [
        ("disclosures", tally.disclosures),
        ("notices", tally.notices),
        ("logged", tally.logged),
        ("emitted", tally.emitted),
        ("taken", tally.taken),
        ("missing", tally.missing),
        ("waiting", tally.waiting),
        ("stopped", tally.stopped),
        ("late", tally.late),
    ]
}

fn id(one: &Reckoned) -> &str {
    one.id.as_deref().unwrap_or("–")
}

fn moment(at: Option<Moment>) -> String {
    at.map_or_else(|| "–".to_owned(), Moment::to_iso)
}

const fn queue(one: &Reckoned) -> &'static str {
    match (one.emitted.is_some(), one.leaving) {
        (_, 1..) => "leaving",
        (true, 0) => "emitted",
        (false, 0) => "LOST",
    }
}

fn sink(one: &Reckoned) -> &'static str {
    one.sink.as_ref().map_or("–", |sink| sink.standing.as_str())
}

fn value(one: &Reckoned, flaws: &[Flaw]) -> Value {
    let at = |at: Option<Moment>| at.map(Moment::to_iso);
    json!({
        "id": one.id,
        "position": one.position.0,
        "controllers": one.controllers,
        "disclosed_at": at(one.disclosed),
        "recorded_at": at(one.recorded),
        "archived_at": at(one.entered),
        "emitted_at": at(one.emitted),
        "messages": one.messages,
        "leaving": one.leaving,
        "disclosure_log_rows": one.logged,
        "sink": one.sink.as_ref().map(|sink| json!({
            "standing": sink.standing.as_str(), "attempts": sink.attempts, "said": sink.words, "at": at(sink.at),
        })),
        "flaws": flaws.iter().map(|flaw| flaw.as_str()).collect::<Vec<_>>(),
    })
}
