//! What a message's page says of its refusal: how it stands with people, what they did about it, and its replays: the decision before and the one after, who asked, when and why.

use super::super::super::html::Html;
use super::super::super::session::Visit;
use super::super::super::{Asked, Console};
use super::super::{table, time};
use super::jobs::{item_word, outcome_word};
use super::{GROUP, JOBS, REPLAY, Which, deeds, link, state_word};
use crate::domain::refused::{RefusedMessage, RefusedState};

/// The section of a refused message.
pub(in super::super) fn section(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, refused: &RefusedMessage) {
    let (word, row) = (|key| console.words.get(key, asked.language), &refused.row);
    let which = Which::one(row.id);
    html.leaf("h2", &[("id", "refusal")], word("refusal"));
    html.open("dl", &[]);
    html.leaf("dt", &[], word("state"));
    html.leaf("dd", &[("id", "refusal-state")], word(state_word(row.state)));
    html.leaf("dt", &[], word("refusals-group"));
    html.open("dd", &[]);
    let group = Which::default().with(&[("code", &row.code), ("finding", &row.finding)]);
    html.leaf("a", &[("href", &format!("{GROUP}?{group}"))], &format!("{} {}", row.code, row.finding));
    html.close("dd");
    if let Some(job) = row.job {
        html.leaf("dt", &[], word("refusals-in-hand"));
        html.open("dd", &[]);
        html.leaf("a", &[("href", &format!("{JOBS}/{}", job.0))], &format!("{} {}", word("replay"), job.0));
        html.close("dd");
    }
    html.close("dl");
    if !refused.replays.is_empty() {
        replays(console, asked, html, refused);
    }
    if row.state == RefusedState::Open && row.job.is_none() {
        link(html, &format!("{REPLAY}?{}", which.query()), word("replay-preview"));
    }
    if !refused.actions.is_empty() {
        html.leaf("h3", &[], word("deeds"));
        deeds::list(console, asked, html, &refused.actions);
    }
    html.leaf("h3", &[], word("deed"));
    deeds::form(console, asked, visit, html, &which, ("", None));
}

/// Each replay: from which decision to which.
fn replays(console: &Console, asked: &Asked, html: &mut Html, refused: &RefusedMessage) {
    let word = |key| console.words.get(key, asked.language);
    html.leaf("h3", &[], word("replays"));
    let heads = ["replay", "who", "when", "refusals-why", "replay-before", "replay-outcome", "replay-after"].map(word);
    table(html, word("replays"), &heads, |html| {
        for replayed in &refused.replays {
            html.open("tr", &[]);
            html.open("th", &[("scope", "row")]);
            html.leaf("a", &[("href", &format!("{JOBS}/{}", replayed.job.0))], &format!("{} {}", word("replay"), replayed.job.0));
            html.close("th");
            let outcome = replayed.outcome.map_or_else(|| word(item_word(replayed.state)), |outcome| word(outcome_word(outcome)));
            let after = replayed.after.map_or_else(|| "–".to_owned(), |after| after.0.to_string());
            [&replayed.by.who, &time(replayed.by.at), &replayed.by.why, &replayed.before.0.to_string(), outcome, &after]
                .into_iter()
                .for_each(|cell| html.leaf("td", &[], cell));
            html.close("tr");
        }
    });
}
