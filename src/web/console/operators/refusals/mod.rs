//! `/refusals`: refused messages in groups, what people do about them, and their replays, as `arkki refusals` has them. Nothing of it names a client, and nothing changes what
//! was decided.
//!
//! * `which`: the refusals that a page is about, as its address says them; `groups`: the groups, and one with its messages
//! * `deeds`: put aside, open again, discard, say something, take back; `replay`: what one would take, and its beginning; `jobs`: replays that began
//! * `refusal`: what the page of a message shows of all this

mod deeds;
mod groups;
mod jobs;
mod refusal;
mod replay;
mod which;

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::super::html::Html;
use super::super::session::Visit;
use super::super::{Asked, Console, pages};
use crate::codes::console::ConsoleWords;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::domain::person::names_a_person;
use crate::domain::refused::{By, Deed, RefusedState, WORDS};

pub(super) use refusal::section;
use which::Which;

/// Where they begin.
pub(in super::super) const PATH: &str = "/refusals";
/// One group.
const GROUP: &str = "/refusals/group";
/// What was done, and doing something.
const DEEDS: &str = "/refusals/deeds";
/// Taking something back.
const UNDO: &str = "/refusals/undo";
/// What a replay would take, and its beginning.
const REPLAY: &str = "/refusals/replay";
/// Replays.
const JOBS: &str = "/refusals/jobs";
/// How many rows a page shows.
const PAGE: u32 = 50;

/// Its pages.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(groups::show))
        .route(GROUP, get(groups::one))
        .route(DEEDS, get(deeds::show).post(deeds::act))
        .route(UNDO, post(deeds::undo))
        .route(REPLAY, get(replay::preview).post(replay::begin))
        .route(JOBS, get(jobs::list))
        .route("/refusals/jobs/{id}", get(jobs::show).post(jobs::change))
        .route("/refusals/jobs/{id}/stream", get(jobs::stream))
}

/// The value of a form's field, without what surrounds it.
fn field<'p>(pairs: &'p [(String, String)], name: &str) -> &'p str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

/// Why somebody does something.
///
/// # Errors
/// The key of what is wrong with it: nothing is said, too much, or an identity code.
fn reason(pairs: &[(String, String)]) -> Result<&str, &'static str> {
    match field(pairs, "why") {
        "" => Err("refusals-why-missing"),
        why if why.chars().count() > WORDS => Err("refusals-why-long"),
        why if names_a_person(why) => Err("refusals-why-names"),
        why => Ok(why),
    }
}

/// Who does it, now.
fn by(console: &Console, visit: &Visit, why: &str) -> By {
    By::new(&visit.person.actor(), why, console.clock.now())
}

/// The field for the reason, with its hint and what is wrong with it.
fn why_field(html: &mut Html, words: (&ConsoleWords, Language), id: &str, value: &str, fault: Option<&str>) {
    let word = |key| words.0.get(key, words.1);
    let (hint, wrong) = (format!("{id}-hint"), format!("{id}-fault"));
    html.open("div", &[("class", "wide")]);
    html.leaf("label", &[("for", id)], word("refusals-why"));
    html.leaf("span", &[("class", "hint"), ("id", &hint)], word("refusals-why-hint"));
    let mut described = hint.clone();
    if let Some(fault) = fault {
        html.leaf("span", &[("class", "fault"), ("id", &wrong), ("role", "alert")], word(fault));
        described = format!("{hint} {wrong}");
    }
    let most = WORDS.to_string();
    let mut attributes = vec![("id", id), ("name", "why"), ("type", "text"), ("value", value), ("maxlength", &most), ("required", ""), ("autocomplete", "off")];
    attributes.push(("aria-describedby", &described));
    if fault.is_some() {
        attributes.push(("aria-invalid", "true"));
    }
    html.open("input", &attributes);
    html.close("div");
}

/// What a code says, where it is one of this release.
fn says(console: &Console, asked: &Asked, code: &str) -> String {
    Code::parse(code).map_or_else(|| "–".to_owned(), |code| console.examiner.catalogue().text(&Finding::whole(code), asked.language))
}

/// A way within these pages.
fn link(html: &mut Html, href: &str, text: &str) {
    html.open("p", &[]);
    html.leaf("a", &[("href", href)], text);
    html.close("p");
}

/// After something was done: the page that shows it.
fn onward(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to.to_owned())]).into_response()
}

/// An address that says no refusals that could be meant.
fn unreadable(console: &Console, asked: &Asked) -> Response {
    pages::words(console, asked, StatusCode::UNPROCESSABLE_ENTITY, ("refused-heading", "refusals-unreadable"))
}

const fn state_word(state: RefusedState) -> &'static str {
    match state {
        RefusedState::Open => "refusals-open",
        RefusedState::Held => "refusals-held",
        RefusedState::Discarded => "refusals-discarded",
        RefusedState::Mended => "refusals-mended",
    }
}

const fn deed_word(deed: Deed) -> &'static str {
    match deed {
        Deed::Hold => "deed-hold",
        Deed::Release => "deed-release",
        Deed::Discard => "deed-discard",
        Deed::Comment => "deed-comment",
        Deed::Undo => "deed-undo",
    }
}
