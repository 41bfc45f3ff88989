//! How refusals, actions and replays look, to people and to machines. Nothing here names a person: codes, places, senders' accounts, operators' words.

use serde_json::{Value, json};

use crate::cli::report::{Health, Report, many};
use crate::domain::refused::{
    AT_ONCE, Acted, ActionRow, Deed, Job, JobItem, Preview, RefusedCriteria, RefusedGroup, RefusedMessage, RefusedRow, RefusedState, ReplayOutcome, Replayed,
};
use crate::domain::time::Moment;

/// Groups, a line each and their senders below.
pub(super) fn groups(groups: &[RefusedGroup]) -> Report {
    let mut text = String::from("    open    held  discard   mended  code  last seen                  first finding\n");
    for group in groups {
        let [open, held, discarded, mended] = group.counts;
        text.push_str(&format!("{open:>8}{held:>8}{discarded:>9}{mended:>9}  {:<5} {:<26} {}\n", group.code, group.last_at.to_iso(), group.finding));
        let more = group.sender_count.saturating_sub(group.senders.len() as u64);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text.push_str(&format!("{:42}since {}  {}{more}\n", "", group.first_at.to_iso(), group.senders.join(", ")));
    }
    text.push_str(&format!("{}\n", many(groups.len() as u64, "group")));
    Report::new(Health::Well, text, json!({ "groups": groups.iter().map(group_value).collect::<Vec<_>>() }))
}

fn group_value(group: &RefusedGroup) -> Value {
    let [open, held, discarded, mended] = group.counts;
    json!({
        "code": group.code, "finding": group.finding, "senders": group.senders, "sender_count": group.sender_count, "open": open, "held": held,
        "discarded": discarded, "mended": mended, "first": group.first_at.to_iso(), "last": group.last_at.to_iso(),
    })
}

/// Refusals, a line each; the mark for the next page when there may be one.
pub(super) fn list(rows: &[RefusedRow], limit: u32) -> Report {
    let mut text = String::new();
    for row in rows {
        let job = row.job.map_or_else(String::new, |job| format!("  in hand of replay {}", job.0));
        text.push_str(&format!(
            "{:>10}  {}  {:<9}  {:<5} {:<20}  {}  {}{job}\n",
            row.id.0,
            row.at.to_iso(),
            row.state.as_str(),
            row.code,
            row.key.sender.as_str(),
            row.key.short(),
            row.finding
        ));
    }
    text.push_str(&format!("{}\n", many(rows.len() as u64, "refusal")));
    let next = rows.last().filter(|_| rows.len() >= limit as usize).map(|row| format!("{}/{}", row.at.micros(), row.id.0));
    if let Some(next) = &next {
        text.push_str(&format!("more: --after {next}\n"));
    }
    Report::new(Health::Well, text, json!({ "refusals": rows.iter().map(row_value).collect::<Vec<_>>(), "next": next }))
}

fn row_value(row: &RefusedRow) -> Value {
    json!({
        "id": row.id.0, "sender": row.key.sender.as_str(), "message": row.key.octets.to_hex(), "position": row.position.0, "code": row.code,
        "finding": row.finding, "state": row.state.as_str(), "first": row.first_at.to_iso(), "last": row.at.to_iso(), "job": row.job.map(|job| job.0),
    })
}

/// All about one.
pub(super) fn one(message: &RefusedMessage) -> Report {
    let row = &message.row;
    let mut text = String::new();
    let reply = message.envelope.reply.as_ref();
    for (what, word) in [
        ("refusal", row.id.0.to_string()),
        ("state", row.state.as_str().to_owned()),
        ("code", row.code.clone()),
        ("finding", row.finding.clone()),
        ("sender", row.key.sender.as_str().to_owned()),
        ("message", row.key.octets.to_hex()),
        ("ledger", row.position.0.to_string()),
        ("refused first", row.first_at.to_iso()),
        ("refused last", row.at.to_iso()),
        ("rules", message.rules.to_hex()),
        ("final", if message.is_final { "yes, under these rules" } else { "no" }.to_owned()),
        ("answered to", reply.map_or_else(|| "nobody".to_owned(), |reply| reply.queue.clone())),
        ("queue", message.envelope.inbound.clone()),
        ("octets", message.envelope.octets.len().to_string()),
        ("in hand of", row.job.map_or_else(|| "no replay".to_owned(), |job| format!("replay {}", job.0))),
    ] {
        text.push_str(&format!("{what:<14}{word}\n"));
    }
    for action in &message.actions {
        text.push_str(&action_line(action));
    }
    for replay in &message.replays {
        text.push_str(&replay_line(replay));
    }
    let mut json = row_value(row);
    json["rules"] = Value::from(message.rules.to_hex());
    json["final"] = Value::from(message.is_final);
    json["reply"] = Value::from(reply.map(|reply| reply.queue.clone()));
    json["message_id"] = Value::from(message.envelope.message_id.clone());
    json["octets"] = Value::from(message.envelope.octets.len());
    json["actions"] = Value::from(message.actions.iter().map(action_value).collect::<Vec<_>>());
    json["replays"] = Value::from(message.replays.iter().map(replay_value).collect::<Vec<_>>());
    Report::new(Health::Well, text, json)
}

fn replay_line(replay: &Replayed) -> String {
    let outcome = replay.outcome.map_or(replay.state.as_str(), ReplayOutcome::as_str);
    let after = replay.after.map_or_else(String::new, |position| format!(", ledger {}", position.0));
    let when = replay.at.map_or_else(String::new, |at| format!(" at {}", at.to_iso()));
    format!("replay {:<7}{outcome}{after}{when}; asked by {} {}: {}\n", replay.job.0, replay.by.who, replay.by.at.to_iso(), replay.by.why)
}

fn replay_value(replay: &Replayed) -> Value {
    json!({
        "job": replay.job.0, "state": replay.state.as_str(), "outcome": replay.outcome.map(ReplayOutcome::as_str), "before": replay.before.0,
        "after": replay.after.map(|position| position.0), "at": replay.at.map(Moment::to_iso), "who": replay.by.who, "why": replay.by.why,
        "asked": replay.by.at.to_iso(),
    })
}

/// Actions, a line each.
pub(super) fn actions(actions: &[ActionRow]) -> Report {
    let mut text: String = actions.iter().map(action_line).collect();
    text.push_str(&format!("{}\n", many(actions.len() as u64, "action")));
    Report::new(Health::Well, text, json!({ "actions": actions.iter().map(action_value).collect::<Vec<_>>() }))
}

fn action_line(action: &ActionRow) -> String {
    let undone = action.undone_by.map_or_else(String::new, |by| format!(" [taken back by {}]", by.0));
    format!(
        "action {:<7}{} {} of {} by {} {}: {}{undone}\n",
        action.id.0,
        action.deed.as_str(),
        action.count,
        action.criteria,
        action.by.who,
        action.by.at.to_iso(),
        action.by.why
    )
}

fn action_value(action: &ActionRow) -> Value {
    json!({
        "id": action.id.0, "deed": action.deed.as_str(), "who": action.by.who, "why": action.by.why, "at": action.by.at.to_iso(),
        "criteria": action.criteria, "count": action.count, "undoes": action.undoes.map(|id| id.0), "undone_by": action.undone_by.map(|id| id.0),
    })
}

/// What an action came to.
pub(super) fn acted(deed: Deed, acted: Acted) -> Report {
    let json = json!({ "deed": deed.as_str(), "action": acted.action.map(|id| id.0), "count": acted.count, "more": acted.more });
    let Some(action) = acted.action else {
        return Report::new(Health::Unwell, "nothing was changed: no refusal meets the criteria in a state that allows it\n".to_owned(), json);
    };
    let mut text = format!("{}: {} refusals (action {})\n", deed.as_str(), acted.count, action.0);
    if acted.more {
        text.push_str(&format!("the bound of one action, {AT_ONCE}, was reached; run the command again for the rest\n"));
    }
    if deed.leads().is_some() {
        text.push_str(&format!("arkki refusals undo {} --why … takes it back\n", action.0));
    }
    Report::new(Health::Well, text, json)
}

/// What a replay would take.
pub(super) fn preview(criteria: &RefusedCriteria, preview: &Preview, rate: u32) -> Report {
    let ready = preview.matching.saturating_sub(preview.busy).min(u64::from(AT_ONCE));
    let seconds = ready / u64::from(rate.max(1));
    let over = preview.matching > u64::from(AT_ONCE);
    let mut text = format!("criteria      {}\n", RefusedCriteria { state: Some(RefusedState::Open), ..criteria.clone() }.shown());
    text.push_str(&format!("open          {}{}\n", if over { "more than " } else { "" }, preview.matching.min(u64::from(AT_ONCE))));
    text.push_str(&format!("in hand       {} of other replays; these keep them\n", preview.busy));
    text.push_str(&format!("unchanged     {} are final under today's rules and come to the same\n", preview.unchanged));
    text.push_str(&format!("unanswerable  {} have no reply address\n", preview.unanswerable));
    text.push_str(&format!("would go      {ready}, {rate} a second: {} min {} s\n", seconds / 60, seconds % 60));
    text.push_str(if ready > 0 { "nothing was begun; say --yes to begin\n" } else { "nothing to begin\n" });
    let json = json!({
        "preview": { "matching": preview.matching, "busy": preview.busy, "unchanged": preview.unchanged, "unanswerable": preview.unanswerable, "ready": ready },
    });
    Report::new(if ready > 0 { Health::Well } else { Health::Unwell }, text, json)
}

/// Replays, a line each.
pub(super) fn jobs(jobs: &[Job]) -> Report {
    let mut text: String = jobs.iter().map(job_line).collect();
    text.push_str(&format!("{}\n", many(jobs.len() as u64, "replay")));
    Report::new(Health::Well, text, json!({ "jobs": jobs.iter().map(job_value).collect::<Vec<_>>() }))
}

/// One replay, with a line for each of these messages.
pub(super) fn job(job: &Job, items: &[JobItem]) -> Report {
    let mut text = job_line(job);
    for item in items {
        text.push_str(&format!("{:>10}  {}", item.refusal.0, replay_line(&item.replayed)));
    }
    let mut json = json!({ "job": job_value(job) });
    if !items.is_empty() {
        let each = |item: &JobItem| {
            let mut value = replay_value(&item.replayed);
            value["refusal"] = Value::from(item.refusal.0);
            value
        };
        json["items"] = Value::from(items.iter().map(each).collect::<Vec<_>>());
    }
    Report::new(Health::Well, text, json)
}

fn job_line(job: &Job) -> String {
    let changed = job.changed.as_ref().map_or_else(String::new, |(who, at)| format!(" (changed by {who} {})", at.to_iso()));
    format!(
        "replay {}  {}{changed}  {} of {} decided, {} wait, {} on the road, {} let go, {} a second\n          {}\n          {} by {} {}: {}\n",
        job.id.0,
        job.state.as_str(),
        job.decided(),
        job.total,
        job.waiting,
        job.on_road,
        job.dropped,
        job.rate,
        outcomes(job),
        job.criteria,
        job.by.who,
        job.by.at.to_iso(),
        job.by.why
    )
}

/// What a job's messages came to, in words.
pub(super) fn outcomes(job: &Job) -> String {
    ReplayOutcome::ALL.iter().zip(job.outcomes).map(|(outcome, count)| format!("{} {count}", outcome.as_str())).collect::<Vec<_>>().join("  ")
}

pub(super) fn job_value(job: &Job) -> Value {
    let outcomes: serde_json::Map<String, Value> =
        ReplayOutcome::ALL.iter().zip(job.outcomes).map(|(outcome, count)| (outcome.as_str().to_owned(), Value::from(count))).collect();
    json!({
        "id": job.id.0, "state": job.state.as_str(), "criteria": job.criteria, "who": job.by.who, "why": job.by.why, "at": job.by.at.to_iso(),
        "rate": job.rate, "answer_again": job.answer_again, "total": job.total, "decided": job.decided(), "waiting": job.waiting, "on_road": job.on_road,
        "dropped": job.dropped, "outcomes": outcomes,
    })
}
