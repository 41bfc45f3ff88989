//! The operators' pages: which message came to what, what was wrong with it and where, refusals and their replays, and the rules.
//!
//! * `messages`: the list; `message`: one with its way, its answer, and the lines that its findings are about
//! * `refusals`: their groups, what people do about them, replays; `rehearsal`: whose verdict would change under other rules
//! * `place`: which part of a line a finding is about; `rules`: templates and codes to read

mod message;
mod messages;
mod place;
mod refusals;
mod rehearsal;
mod rules;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::Console;
use super::html::Html;
use super::pages::time;
use crate::domain::facts::Standing;
use crate::domain::staff::Role;

pub(super) use messages::PATH as MESSAGES;
pub(super) use refusals::PATH as REFUSALS;
pub(super) use rehearsal::{PATH as REHEARSAL, Rehearsals};
pub(super) use rules::PATH as RULES;

/// Whose they are.
pub(super) const ROLES: &[Role] = &[Role::Operator];

/// Its pages.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(messages::PATH, get(messages::show))
        .route("/messages/{name}", get(message::show))
        .route("/messages/{name}/lines", post(message::lines))
        .merge(refusals::routes())
        .route(rehearsal::PATH, get(rehearsal::show).post(rehearsal::begin))
        .route(rules::PATH, get(rules::show))
        .route("/rules/codes/{code}", get(rules::code))
        .route("/rules/groups/{group}", get(rules::group))
}

/// A table under a caption, which scrolls by itself where the page is narrow and can be reached by keyboard.
fn table(html: &mut Html, caption: &str, heads: &[&str], rows: impl FnOnce(&mut Html)) {
    html.open("div", &[("class", "table"), ("tabindex", "0"), ("role", "region"), ("aria-label", caption)]);
    html.open("table", &[]);
    html.leaf("caption", &[("class", "unseen")], caption);
    html.open("thead", &[]);
    html.open("tr", &[]);
    heads.iter().for_each(|head| html.leaf("th", &[("scope", "col")], head));
    html.close("tr");
    html.close("thead");
    html.open("tbody", &[]);
    rows(html);
    html.close("tbody");
    html.close("table");
    html.close("div");
}

/// A field to type into, with its label.
fn text_field(html: &mut Html, name: &str, label: &str, value: &str, kind: &str) {
    html.open("div", &[]);
    html.leaf("label", &[("for", name)], label);
    html.open("input", &[("id", name), ("name", name), ("type", kind), ("value", value), ("autocomplete", "off")]);
    html.close("div");
}

/// A choice of one, or of none under the first words.
fn select(html: &mut Html, name: &str, label: &str, (none, choices): (&str, &[(&str, &str)]), value: &str) {
    html.open("div", &[]);
    html.leaf("label", &[("for", name)], label);
    html.open("select", &[("id", name), ("name", name)]);
    for (code, words) in std::iter::once(&("", none)).chain(choices) {
        let chosen: &[(&str, &str)] = if *code == value { &[("selected", "")] } else { &[] };
        html.leaf("option", &[&[("value", *code)], chosen].concat(), words);
    }
    html.close("select");
    html.close("div");
}

const fn state_word(state: Standing) -> &'static str {
    match state {
        Standing::Accepted => "message-accepted",
        Standing::Refused => "message-refused",
        Standing::Noted => "message-noted",
        Standing::Answered => "message-answered",
        Standing::Held => "message-held",
    }
}
