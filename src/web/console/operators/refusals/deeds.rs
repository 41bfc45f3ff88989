//! What people do about refusals, and what they did: each with who, when and why, kept for good, and taken back with a reason of its own.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::super::html::Html;
use super::super::super::session::Visit;
use super::super::super::{Asked, Console, guard, pages};
use super::super::{ROLES, time};
use super::{DEEDS, PATH, UNDO, Which, by, deed_word, field, link, onward, reason, unreadable, why_field};
use crate::domain::refused::{ActionId, ActionRow, Deed};
use crate::ports::refusals::Refusals as _;

/// How many of the newest the page shows.
const SHOWN: u32 = 30;
/// What a form offers.
const OFFERED: [Deed; 4] = [Deed::Comment, Deed::Hold, Deed::Release, Deed::Discard];

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let told = match super::super::super::query(request.uri(), "told") {
        Some("more") => Some("deed-more"),
        Some("nothing") => Some("deed-nothing"),
        Some("not-undone") => Some("deed-not-undone"),
        _ => None,
    };
    history(&console, &asked, &visit, StatusCode::OK, (told, None)).await
}

/// The newest deeds; `wrong` is the one whose undoing lacks a fit reason, and what is wrong with that.
async fn history(console: &Console, asked: &Asked, visit: &Visit, status: StatusCode, said: (Option<&str>, Option<(u64, &str)>)) -> Response {
    let found = async { console.archive().await?.refusal_actions(SHOWN).await };
    let found = match found.await {
        Ok(found) => found,
        Err(outage) => return pages::out_of_reach(console, asked, &outage),
    };
    let (word, (told, wrong)) = (|key| console.words.get(key, asked.language), said);
    pages::page(console, asked, status, (word("deeds"), word("deeds")), |html| {
        html.leaf("p", &[], word("deeds-intro"));
        if let Some(told) = told {
            html.leaf("p", &[("class", "calm"), ("role", "status")], word(told));
        }
        if found.is_empty() {
            html.leaf("p", &[], word("deeds-none"));
        }
        html.open("ul", &[("class", "rows")]);
        for deed in &found {
            html.open("li", &[("id", &format!("deed-{}", deed.id.0))]);
            line(console, asked, html, deed);
            if deed.deed.leads().is_some() && deed.undone_by.is_none() && deed.count > 0 {
                undo_form(console, asked, visit, html, deed.id, wrong.filter(|(id, _)| *id == deed.id.0).map(|(_, fault)| fault));
            }
            html.close("li");
        }
        html.close("ul");
        link(html, PATH, word("refusals"));
    })
}

/// Deeds as a list, with nothing to press.
pub(super) fn list(console: &Console, asked: &Asked, html: &mut Html, deeds: &[ActionRow]) {
    html.open("ul", &[("class", "rows")]);
    for deed in deeds {
        html.open("li", &[]);
        line(console, asked, html, deed);
        html.close("li");
    }
    html.close("ul");
    link(html, DEEDS, console.words.get("deeds-all", asked.language));
}

/// Who did what, when and why.
fn line(console: &Console, asked: &Asked, html: &mut Html, deed: &ActionRow) {
    let word = |key| console.words.get(key, asked.language);
    html.leaf("strong", &[], &format!("{} {}", deed.id.0, word(deed_word(deed.deed))));
    html.text(&format!(" · {} · {} · {} {}", deed.by.who, time(deed.by.at), deed.count, word("deed-count")));
    html.leaf("p", &[], &deed.by.why);
    html.open("p", &[("class", "hint")]);
    html.leaf("code", &[], &deed.criteria);
    for (key, other) in [("deed-undoes", deed.undoes), ("deed-undone", deed.undone_by)] {
        if let Some(other) = other {
            html.text(&format!(" · {} {}", word(key), other.0));
        }
    }
    html.close("p");
}

fn undo_form(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, id: ActionId, fault: Option<&str>) {
    let (word, number) = (|key| console.words.get(key, asked.language), id.0.to_string());
    html.open("details", if fault.is_some() { &[("open", "")] } else { &[] });
    html.leaf("summary", &[], &format!("{} {number}", word("deed-undo-offer")));
    html.open("form", &[("method", "post"), ("action", UNDO), ("autocomplete", "off")]);
    html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
    why_field(html, (&console.words, asked.language), &format!("undo-{number}"), "", fault);
    html.open("p", &[("class", "actions")]);
    html.leaf("button", &[("name", "action"), ("value", &number)], &format!("{} {number}", word("deed-undo-offer")));
    html.close("p");
    html.close("form");
    html.close("details");
}

/// The form for refusals: a reason, and what to do. What was typed before comes with what is wrong with it.
pub(super) fn form(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, which: &Which, typed: (&str, Option<&str>)) {
    let word = |key| console.words.get(key, asked.language);
    html.open("form", &[("method", "post"), ("action", DEEDS), ("autocomplete", "off"), ("id", "deed")]);
    html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
    which.hidden(html);
    why_field(html, (&console.words, asked.language), "deed-why", typed.0, typed.1);
    html.open("p", &[("class", "actions")]);
    OFFERED.iter().for_each(|deed| html.leaf("button", &[("name", "deed"), ("value", deed.as_str())], word(deed_word(*deed))));
    html.close("p");
    html.close("form");
    html.leaf("p", &[("class", "hint")], word("deed-hint"));
}

/// Does it.
pub(super) async fn act(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::acting(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let deed = Deed::parse(field(&pairs, "deed")).filter(|deed| OFFERED.contains(deed));
    let which = Which::read(&pairs).filter(Which::is_meant);
    let (Some(deed), Some(which)) = (deed, which) else { return unreadable(&console, &asked) };
    let why = match reason(&pairs) {
        Ok(why) => why,
        Err(fault) => return again(&console, &asked, &visit, &which, (field(&pairs, "why"), fault)),
    };
    let acted = async { console.archive().await?.act_on_refusals(&which.criteria, deed, &by(&console, &visit, why)).await };
    match acted.await {
        Ok(acted) => match acted.action {
            None => onward(&format!("{DEEDS}?told=nothing")),
            Some(id) => onward(&format!("{DEEDS}{}#deed-{}", if acted.more { "?told=more" } else { "" }, id.0)),
        },
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

/// The form once more, for a reason that is none.
fn again(console: &Console, asked: &Asked, visit: &Visit, which: &Which, (typed, fault): (&str, &str)) -> Response {
    let word = |key| console.words.get(key, asked.language);
    pages::page(console, asked, StatusCode::UNPROCESSABLE_ENTITY, (word("deed"), word("deed")), |html| {
        html.open("p", &[]);
        html.leaf("code", &[], &which.criteria.shown());
        html.close("p");
        form(console, asked, visit, html, which, (typed, Some(fault)));
        link(html, PATH, word("refusals"));
    })
}

/// Takes a deed back.
pub(super) async fn undo(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::acting(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let Some(id) = field(&pairs, "action").parse::<u64>().ok().filter(|id| i64::try_from(*id).is_ok()) else { return unreadable(&console, &asked) };
    let why = match reason(&pairs) {
        Ok(why) => why,
        Err(fault) => return history(&console, &asked, &visit, StatusCode::UNPROCESSABLE_ENTITY, (None, Some((id, fault)))).await,
    };
    let undone = async { console.archive().await?.undo_action(ActionId(id), &by(&console, &visit, why)).await };
    match undone.await {
        Ok(Some(acted)) => onward(&acted.action.map_or_else(|| DEEDS.to_owned(), |id| format!("{DEEDS}#deed-{}", id.0))),
        Ok(None) => onward(&format!("{DEEDS}?told=not-undone")),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}
