//! How messages look, to people and to machines.

use serde_json::{Value, json};

use crate::cli::report::{Health, Report, many};
use crate::domain::facts::Standing;
use crate::domain::ledger::EntryKind;
use crate::domain::messages::{DecisionFacts, MessageFacts, MessageRow};
use crate::domain::time::Moment;
use crate::v3::ack::AckRead;

/// The states and their words.
pub const STATES: [(Standing, &str); 5] =
    [(Standing::Accepted, "accepted"), (Standing::Refused, "refused"), (Standing::Noted, "noted"), (Standing::Answered, "answered"), (Standing::Held, "held")];

/// The word of a state.
#[must_use]
pub fn word(state: Standing) -> &'static str {
    STATES.into_iter().find(|(known, _)| *known == state).map_or("", |(_, word)| word)
}

const fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Archived => "archived",
        EntryKind::Refused => "refused",
        EntryKind::Noted => "noted",
        EntryKind::Event => "event",
        EntryKind::Answered => "answered",
        EntryKind::Notice => "notice",
        EntryKind::Shown => "shown-again",
        EntryKind::Exported => "exported",
    }
}

/// A line for each message, and how to go on.
pub(super) fn list(rows: &[MessageRow], next: Option<u64>) -> Report {
    let mut text: String = rows.iter().map(|row| line(row) + "\n").collect();
    text.push_str(&many(rows.len() as u64, "message"));
    text.push_str(&next.map_or_else(|| "\n".to_owned(), |next| format!("; more with --before {next}\n")));
    Report::new(Health::Well, text, json!({ "messages": rows.iter().map(value).collect::<Vec<_>>(), "next": next }))
}

/// One message on one line.
pub(super) fn line(row: &MessageRow) -> String {
    format!(
        "{:>9}  {}  {:<8}  {:<4}  {}  {:<16}  {}",
        row.position.map_or_else(|| "–".to_owned(), |position| position.0.to_string()),
        row.at.to_iso(),
        word(row.state),
        row.code.as_deref().unwrap_or(""),
        row.key.short(),
        safe(row.key.sender.as_str()),
        safe(row.document_id.as_deref().or(row.amqp_id.as_deref()).unwrap_or("")),
    )
}

/// One message for machines.
pub(super) fn value(row: &MessageRow) -> Value {
    json!({
        "position": row.position.map(|position| position.0),
        "message": row.key.octets.to_hex(),
        "sender": row.key.sender.as_str(),
        "state": word(row.state),
        "code": row.code,
        "at": row.at.to_iso(),
        "revision": row.revision,
        "document_id": row.document_id,
        "message_id": row.amqp_id,
        "rules": row.rules.to_hex(),
        "instance": row.instance,
    })
}

/// Everything about each, with the answer in force.
pub(super) fn messages(all: &[(MessageFacts, Option<AckRead>)]) -> Report {
    let text = all.iter().map(|(facts, answer)| page(facts, answer.as_ref())).collect::<Vec<_>>().join("\n");
    let values: Vec<Value> = all.iter().map(|(facts, answer)| facts_value(facts, answer.as_ref())).collect();
    Report::new(Health::Well, text, json!({ "messages": values }))
}

fn page(facts: &MessageFacts, answer: Option<&AckRead>) -> String {
    let row = &facts.row;
    let mut text = String::new();
    let mut say = |what: &str, words: &str| text.push_str(&format!("{what:<12}{words}\n"));
    say("message", &row.key.octets.to_hex());
    say("sender", &safe(row.key.sender.as_str()));
    let code = row.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    let times = if row.revision == 1 { String::new() } else { format!(", looked at {} times", row.revision) };
    say("state", &format!("{}{code}{times}", word(row.state)));
    if let Some(id) = &row.document_id {
        say("document", &safe(id));
    }
    say("kept", &kept(facts));
    if let Some(hold) = &facts.hold {
        let (since, until) = (hold.since.to_iso(), hold.until.to_iso());
        say("on hold", &format!("for {}, since {since}, until {until}, {} answers wait with it", hold.awaits.id(), hold.waiting));
    }
    if let Some(answer) = answer {
        say("answer", answer.ack_type.as_str());
        for detail in &answer.details {
            say("", &format!("{} {}", detail.code, safe(&detail.text)));
            if let Some(location) = &detail.location {
                say("", &format!("     at {}", safe(location)));
            }
        }
    }
    for decision in &facts.decisions {
        text.push_str(&timeline(decision));
    }
    text
}

fn kept(facts: &MessageFacts) -> String {
    let parts = [(facts.has_octets, "what was received"), (facts.has_answer, "the answer")];
    let there: Vec<&str> = parts.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
    if there.is_empty() { "hashes only: octets and answer were forgotten when their time was up, or never kept".to_owned() } else { there.join(", ") }
}

/// The moments of one decision, one a line.
fn timeline(decision: &DecisionFacts) -> String {
    let code = decision.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    let mut text = format!("\nledger entry {} ({}{code})\n", decision.position.0, kind(decision.kind));
    for (what, at) in moments(decision) {
        text.push_str(&format!("  {what:<10}{}\n", at.map_or_else(|| "–".to_owned(), Moment::to_iso)));
    }
    for delivered in &decision.delivered {
        text.push_str(&format!("  {:<10}{}  by {}\n", "delivered", delivered.at.to_iso(), safe(&delivered.instance)));
    }
    if decision.waiting > 0 {
        text.push_str(&format!("  {:<10}{} answers wait in the outbox\n", "delivered", decision.waiting));
    } else if decision.answers == Some(0) {
        text.push_str(&format!("  {:<10}nobody was owed an answer\n", "delivered"));
    }
    if let Some(id) = &decision.road.amqp_id {
        text.push_str(&format!("  {:<10}{}\n", "AMQP id", safe(id)));
    }
    if let Some(instance) = &decision.instance {
        text.push_str(&format!("  {:<10}{}\n", "instance", safe(instance)));
    }
    text.push_str(&format!("  {:<10}{}\n", "rules", decision.rules.to_hex()));
    if let Some(before) = decision.supersedes {
        text.push_str(&format!("  {:<10}{}\n", "supersedes", before.0));
    }
    text
}

/// The road's moments in their order; entries from before they were kept have only the decision's.
fn moments(decision: &DecisionFacts) -> Vec<(&'static str, Option<Moment>)> {
    let road = &decision.road;
    let made = if decision.kind == EntryKind::Archived { "archived" } else { "committed" };
    let mut moments = vec![("received", road.received), ("examined", road.examined), ("decided", Some(decision.at))];
    moments.extend(road.signed.map(|at| ("signed", Some(at))));
    moments.push((made, decision.archived));
    if decision.answers.is_some_and(|answers| answers > 0) {
        moments.push(("answered", decision.archived));
    }
    moments
}

fn facts_value(facts: &MessageFacts, answer: Option<&AckRead>) -> Value {
    let mut all = value(&facts.row);
    if let Value::Object(fields) = &mut all {
        fields.insert("has_octets".to_owned(), json!(facts.has_octets));
        fields.insert("has_answer".to_owned(), json!(facts.has_answer));
        let hold = facts
            .hold
            .as_ref()
            .map(|hold| json!({ "awaits": hold.awaits.id().as_str(), "since": hold.since.to_iso(), "until": hold.until.to_iso(), "waiting": hold.waiting }));
        fields.insert("hold".to_owned(), json!(hold));
        let answer = answer.map(|answer| {
            let detail = |d: &crate::v3::ack::AckDetail| json!({ "kind": d.kind, "code": d.code, "text": d.text, "location": d.location });
            json!({ "answer": answer.ack_type.as_str(), "details": answer.details.iter().map(detail).collect::<Vec<_>>() })
        });
        fields.insert("answer".to_owned(), json!(answer));
        fields.insert("decisions".to_owned(), json!(facts.decisions.iter().map(decision_value).collect::<Vec<_>>()));
    }
    all
}

fn decision_value(decision: &DecisionFacts) -> Value {
    let iso = |at: Option<Moment>| at.map(Moment::to_iso);
    let delivered: Vec<Value> = decision.delivered.iter().map(|d| json!({ "at": d.at.to_iso(), "instance": d.instance })).collect();
    json!({
        "position": decision.position.0,
        "kind": kind(decision.kind),
        "code": decision.code,
        "document_id": decision.document_id,
        "message_id": decision.road.amqp_id,
        "received": iso(decision.road.received),
        "examined": iso(decision.road.examined),
        "decided": decision.at.to_iso(),
        "signed": iso(decision.road.signed),
        "archived": iso(decision.archived),
        "instance": decision.instance,
        "rules": decision.rules.to_hex(),
        "supersedes": decision.supersedes.map(|position| position.0),
        "answers": decision.answers,
        "waiting": decision.waiting,
        "delivered": delivered,
    })
}

/// Words from outside never steer the terminal.
fn safe(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
