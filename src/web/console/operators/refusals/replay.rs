//! A replay before it begins: what it would take, at which rate, why. A wish bears a word of its own, so a form sent twice is one replay; a message is in hand of one replay at
//! most, so of two people who ask at once each gets what the other has not.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::super::form::pairs;
use super::super::super::html::Html;
use super::super::super::session::Visit;
use super::super::super::{Asked, Console, guard, pages};
use super::super::ROLES;
use super::{JOBS, PATH, REPLAY, Which, by, field, link, onward, reason, unreadable, why_field};
use crate::domain::refused::{AT_ONCE, FASTEST, NewJob, Preview, RATE};
use crate::ports::refusals::Refusals as _;

/// What was typed into the form of a replay.
struct Typed<'t> {
    why: &'t str,
    rate: &'t str,
    answer_again: bool,
    fault: Option<&'static str>,
}

/// What it would take.
pub(super) async fn preview(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::acting(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let typed = request.uri().query().and_then(|query| pairs(query.as_bytes())).unwrap_or_default();
    let Some(which) = Which::read(&typed).filter(Which::is_meant) else { return unreadable(&console, &asked) };
    let token = console.entropy.sixteen().iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let rate = RATE.to_string();
    shown(&console, &asked, &visit, (&which, &token), &Typed { why: "", rate: &rate, answer_again: false, fault: None }).await
}

async fn shown(console: &Console, asked: &Asked, visit: &Visit, (which, token): (&Which, &str), typed: &Typed<'_>) -> Response {
    let found = async { console.archive().await?.preview_replay(&which.criteria, &console.examiner.rules()).await };
    let found = match found.await {
        Ok(found) => found,
        Err(outage) => return pages::out_of_reach(console, asked, &outage),
    };
    let word = |key| console.words.get(key, asked.language);
    let status = if typed.fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    pages::page(console, asked, status, (word("replay-preview"), word("replay-preview")), |html| {
        html.leaf("p", &[], word("replay-intro"));
        html.open("p", &[]);
        html.leaf("code", &[], &which.criteria.shown());
        html.close("p");
        let goes = counts(console, asked, html, &found);
        if goes == 0 {
            html.leaf("p", &[("class", "calm"), ("role", "status")], word(if found.busy > 0 { "replay-all-busy" } else { "replay-nothing" }));
        } else {
            form(console, asked, visit, html, (which, token), typed);
        }
        link(html, JOBS, word("replays"));
        link(html, PATH, word("refusals"));
    })
}

/// The counts of a preview; gives how many would go.
fn counts(console: &Console, asked: &Asked, html: &mut Html, found: &Preview) -> u64 {
    let word = |key| console.words.get(key, asked.language);
    let most = u64::from(AT_ONCE);
    let goes = found.matching.saturating_sub(found.busy).min(most);
    let matching = if found.matching > most { format!("> {most}") } else { found.matching.to_string() };
    html.open("dl", &[]);
    for (id, key, value) in [
        ("matching", "replay-matching", matching),
        ("busy", "replay-busy", found.busy.to_string()),
        ("unchanged", "replay-unchanged", found.unchanged.to_string()),
        ("unanswerable", "replay-unanswerable", found.unanswerable.to_string()),
        ("goes", "replay-goes", goes.to_string()),
    ] {
        html.leaf("dt", &[], word(key));
        html.leaf("dd", &[("id", id)], &value);
    }
    html.close("dl");
    if found.matching > most {
        html.leaf("p", &[("class", "hint")], word("replay-bound"));
    }
    goes
}

fn form(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, (which, token): (&Which, &str), typed: &Typed<'_>) {
    let word = |key| console.words.get(key, asked.language);
    html.open("form", &[("method", "post"), ("action", REPLAY), ("autocomplete", "off"), ("id", "begin")]);
    html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
    html.open("input", &[("type", "hidden"), ("name", "token"), ("value", token)]);
    which.hidden(html);
    html.open("div", &[("class", "fields")]);
    let is_rate = typed.fault == Some("replay-rate-fault");
    html.open("div", &[]);
    html.leaf("label", &[("for", "rate")], word("replay-rate"));
    if is_rate {
        html.leaf("span", &[("class", "fault"), ("id", "rate-fault"), ("role", "alert")], word("replay-rate-fault"));
    }
    let fastest = FASTEST.to_string();
    let mut attributes = vec![("id", "rate"), ("name", "rate"), ("type", "number"), ("min", "1"), ("max", &fastest), ("value", typed.rate), ("required", "")];
    if is_rate {
        attributes.extend([("aria-invalid", "true"), ("aria-describedby", "rate-fault")]);
    }
    html.open("input", &attributes);
    html.close("div");
    why_field(html, (&console.words, asked.language), "why", typed.why, typed.fault.filter(|_| !is_rate));
    html.close("div");
    html.open("label", &[("class", "check")]);
    let checked: &[(&str, &str)] = if typed.answer_again { &[("checked", "")] } else { &[] };
    html.open("input", &[&[("type", "checkbox"), ("name", "again"), ("value", "yes")], checked].concat());
    html.text(word("replay-again"));
    html.close("label");
    html.open("p", &[("class", "actions")]);
    html.leaf("button", &[("class", "main"), ("name", "action"), ("value", "begin")], word("replay-begin"));
    html.close("p");
    html.close("form");
    html.leaf("p", &[("class", "hint")], word("replay-once"));
}

/// Begins it.
pub(super) async fn begin(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::acting(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let token = field(&pairs, "token");
    let is_token = token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit());
    let Some(which) = Which::read(&pairs).filter(|which| is_token && which.is_meant()) else { return unreadable(&console, &asked) };
    let rate = field(&pairs, "rate").parse::<u32>().ok().filter(|rate| (1..=FASTEST).contains(rate));
    let answer_again = field(&pairs, "again") == "yes";
    let (why, rate) = match (reason(&pairs), rate) {
        (Ok(why), Some(rate)) => (why, rate),
        (why, _) => {
            let fault = why.err().unwrap_or("replay-rate-fault");
            let typed = Typed { why: field(&pairs, "why"), rate: field(&pairs, "rate"), answer_again, fault: Some(fault) };
            return shown(&console, &asked, &visit, (&which, token), &typed).await;
        }
    };
    // The person's own: nobody's form is taken for another's.
    let token = format!("{}:{token}", visit.person.actor());
    let new = NewJob { by: by(&console, &visit, why), criteria: which.criteria, token, rate, answer_again };
    let begun = async { console.archive().await?.start_replay(&new).await };
    match begun.await {
        Ok(job) => onward(&format!("{JOBS}/{}", job.id.0)),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}
