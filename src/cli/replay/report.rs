//! The result: a table by answer, then what is not as it must be, line by line.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::gather::Gathered;
use super::road::Ran;
use super::wanted::lines_of;
use super::{Fate, Item, Replay};
use crate::cli::report::{Health, Report};

/// A row of the table.
#[derive(Default)]
struct Row {
    messages: usize,
    well: usize,
    seconds: Vec<f64>,
}

/// Tells it.
pub fn report(command: &Replay, gathered: &Gathered, ran: &Ran, recorded: usize) -> Report {
    let items = &gathered.items;
    let mut rows: BTreeMap<(u8, String), Row> = BTreeMap::new();
    for item in items {
        let row = rows.entry(called(item)).or_default();
        row.messages += 1;
        row.well += usize::from(is_well(item));
        if let Fate::Answered(_, seconds) | Fate::Strange(seconds) = item.fate {
            row.seconds.push(seconds);
        }
    }
    let answered: usize = rows.values().map(|row| row.seconds.len()).sum();
    let rate = answered as f64 / ran.took.as_secs_f64().max(0.001);
    let wrong: Vec<&Item> = items.iter().filter(|item| !is_well(item) && !matches!(item.fate, Fate::NotSent)).collect();
    let unsent = items.iter().filter(|item| matches!(item.fate, Fate::NotSent) && item.fault().is_none()).count();
    let unreadable = items.iter().any(|item| item.fault().is_some());

    let mut text = table(folded(rows));
    text.push_str(&format!("\n{answered} answers in {:.1} s, {rate:.0}/s", ran.took.as_secs_f64()));
    if gathered.left_out > 0 {
        text.push_str(&format!("; {} files that are no *.xml were left out", gathered.left_out));
    }
    text.push('\n');
    if command.record {
        text.push_str(&format!("{recorded} answers written as NAME.expected\n"));
    }
    if ran.stopped {
        text.push_str(&format!("stopped: {unsent} messages were not sent\n"));
    }
    for item in wrong.iter().take(command.show) {
        text.push_str(&format!("\n{}\n", shown(&item.name)));
        match item.fault() {
            Some(fault) => text.push_str(&format!("  ! {}\n", shown(fault))),
            None => item.difference().iter().for_each(|(mark, line)| text.push_str(&format!("  {mark} {}\n", shown(line)))),
        }
    }
    if wrong.len() > command.show {
        text.push_str(&format!("\n… and {} more: --show {}, --junit FILE or --json\n", wrong.len() - command.show, wrong.len()));
    }
    let well = items.len() - wrong.len() - unsent;
    text.push_str(&format!("\n{well} of {} as they must be\n", items.len()));
    let health = match (unreadable, wrong.is_empty() && unsent == 0) {
        (true, _) => Health::Blind,
        (false, true) => Health::Well,
        (false, false) => Health::Unwell,
    };
    let list: Vec<Value> = items.iter().map(one).collect();
    let value = json!({
        "messages": list, "well": well, "wrong": wrong.len(), "not_sent": unsent, "left_out": gathered.left_out, "recorded": recorded,
        "stopped": ran.stopped, "seconds": ran.took.as_secs_f64(), "rate": rate, "rules": ran.rules, "queue": ran.queue,
    });
    Report::new(health, text, value)
}

/// Well means: answered as it must be, or nothing was owed and nothing came.
fn is_well(item: &Item) -> bool {
    item.fault().is_none() && !matches!(item.fate, Fate::NotSent) && item.difference().is_empty()
}

/// What a row of the table is called, and its place.
fn called(item: &Item) -> (u8, String) {
    match &item.fate {
        _ if item.fault().is_some() => (4, "unreadable".to_owned()),
        Fate::Answered(ack, _) => {
            let code = ack.details.first().map_or("", |d| d.code.as_str());
            (u8::from(code.starts_with('E')), format!("{}  {code}", ack.ack_type.as_str()))
        }
        Fate::Strange(_) => (2, "no acknowledgement".to_owned()),
        Fate::Unanswered => (3, "no answer".to_owned()),
        Fate::Unreadable(_) | Fate::NotSent => (5, "not sent".to_owned()),
    }
}

/// How many rows the table has before those in which all is well are put together.
const ROWS: usize = 24;

/// Rows in which all is well, put together by the answer's type when there are many.
fn folded(rows: BTreeMap<(u8, String), Row>) -> BTreeMap<(u8, String), Row> {
    if rows.len() <= ROWS {
        return rows;
    }
    let mut out: BTreeMap<(u8, String), (usize, Row)> = BTreeMap::new();
    for ((place, name), row) in rows {
        let all = name.split("  ").next().unwrap_or(&name).to_owned();
        let key = if row.well == row.messages { (place, all) } else { (place, name) };
        let (count, into) = out.entry(key).or_default();
        *count += 1;
        into.messages += row.messages;
        into.well += row.well;
        into.seconds.extend(row.seconds);
    }
    let named = |(place, name): (u8, String), count: usize| (place, if count > 1 { format!("{name}  {count} codes") } else { name });
    out.into_iter().map(|(key, (count, row))| (named(key, count), row)).collect()
}

fn table(rows: BTreeMap<(u8, String), Row>) -> String {
    let mut text = format!("{:<18}  {:>8}  {:>10}  {:>8}  {:>8}  {:>8}\n", "answer", "messages", "as must be", "p50 ms", "p99 ms", "most ms");
    for ((_, name), mut row) in rows {
        row.seconds.sort_unstable_by(f64::total_cmp);
        let at = |per_cent: usize| {
            let place = (row.seconds.len() * per_cent / 100).min(row.seconds.len().saturating_sub(1));
            row.seconds.get(place).map_or_else(String::new, |s| format!("{:.1}", s * 1000.0))
        };
        let line = format!("{name:<18}  {:>8}  {:>10}  {:>8}  {:>8}  {:>8}", row.messages, row.well, at(50), at(99), at(100));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn one(item: &Item) -> Value {
    let (state, answer, milliseconds) = match &item.fate {
        _ if item.fault().is_some() => ("unreadable", Vec::new(), None),
        Fate::Answered(ack, seconds) => ("answered", lines_of(ack), Some(seconds * 1000.0)),
        Fate::Strange(seconds) => ("strange", Vec::new(), Some(seconds * 1000.0)),
        Fate::Unanswered => ("unanswered", Vec::new(), None),
        Fate::Unreadable(_) | Fate::NotSent => ("not sent", Vec::new(), None),
    };
    let difference: Vec<String> = item.difference().iter().map(|(mark, line)| format!("{mark} {line}")).collect();
    json!({ "file": item.name, "state": state, "answer": answer, "ms": milliseconds, "well": is_well(item), "difference": difference, "fault": item.fault() })
}

/// Nothing that could steer a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
