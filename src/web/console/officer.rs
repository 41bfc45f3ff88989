//! The data-protection officer's pages: the logs of the own organisation's register as a file, and whether each disclosure has its notice.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::board::table;
use super::html::Html;
use super::session::Visit;
use super::{Asked, Console, guard, pages};
use crate::app;
use crate::cli::log::give::{self, NotGiven, Wish};
use crate::domain::reckoning::Tally;
use crate::domain::staff::Role;
use crate::domain::time::iso_date;
use crate::pipeline::reckoner::{self, Reckoning, Wanted};

/// The officer's first page.
pub(super) const PATH: &str = "/officer";
/// Where an export is asked for.
pub(super) const EXPORT: &str = "/officer/export";
/// Whether each disclosure has its notice.
pub(super) const NOTICES: &str = "/officer/notices";
/// Whose they are.
pub(super) const ROLES: &[Role] = &[Role::Officer];
/// How many flawed disclosures the page names; the command names more.
const NAMED: usize = 200;

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    match Asked::by(&console, &request, ROLES) {
        Ok((asked, visit)) => page(&console, &asked, &visit, StatusCode::OK, None, &[]),
        Err(response) => response,
    }
}

/// Gives the file, when it was confirmed and is logged.
pub(super) async fn export(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = match Asked::by(&console, &request, ROLES) {
        Ok((asked, _)) => Asked { path: PATH.to_owned(), ..asked },
        Err(response) => return response,
    };
    let (visit, pairs) = match guard::form(&console, &asked, request).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let field = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let wrong = |why| page(&console, &asked, &visit, StatusCode::UNPROCESSABLE_ENTITY, Some(why), &pairs);
    let (Some(from), Some(to)) = (iso_date(field("from")), iso_date(field("to"))) else { return wrong("officer-days") };
    if field("confirm") != "yes" {
        return wrong("officer-unconfirmed");
    }
    let archive = match console.archive().await {
        Ok(archive) => archive,
        Err(outage) => return pages::out_of_reach(&console, &asked, &outage),
    };
    let wish = Wish { controller: &visit.person.organisation, from, to, format: field("format"), log: field("log"), language: asked.language };
    let around = (console.entropy.as_ref(), console.clock.now());
    match give::export(&archive, &console.examiner, around, &visit.person.actor(), &wish).await {
        Ok(file) => {
            let name = format!("attachment; filename=\"arkki-log-{}-{}.{}\"", field("from"), field("to"), file.extension);
            let headers = [
                (header::CONTENT_TYPE, file.content_type.to_owned()),
                (header::CONTENT_DISPOSITION, name),
                (HeaderName::from_static("x-arkki-rows"), file.rows.to_string()),
                (HeaderName::from_static("x-arkki-sha256"), file.sha.to_hex()),
            ];
            (headers, file.octets).into_response()
        }
        Err(NotGiven::Wrong) => wrong("officer-days"),
        Err(NotGiven::TooLarge) => wrong("officer-large"),
        Err(NotGiven::Outage(outage)) => pages::out_of_reach(&console, &asked, &outage),
    }
}

fn page(console: &Console, asked: &Asked, visit: &Visit, status: StatusCode, wrong: Option<&str>, typed: &[(String, String)]) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let was = |name: &str| typed.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    pages::page(console, asked, status, (word("officer"), word("officer")), |html| {
        html.open("section", &[("class", "card")]);
        html.open("h2", &[]);
        html.leaf("a", &[("href", NOTICES)], word("officer-notices"));
        html.close("h2");
        html.leaf("p", &[], word("officer-notices-text"));
        html.close("section");
        if let Some(wrong) = wrong {
            html.open("div", &[("class", "summary"), ("role", "alert")]);
            html.leaf("p", &[], word(wrong));
            html.close("div");
        }
        html.open("form", &[("method", "post"), ("action", EXPORT), ("autocomplete", "off")]);
        html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
        html.open("fieldset", &[]);
        html.leaf("legend", &[], word("officer-export"));
        html.leaf("p", &[], &format!("{} {}", word("officer-register"), visit.person.organisation));
        html.open("div", &[("class", "fields")]);
        for (name, label) in [("from", "officer-from"), ("to", "officer-to")] {
            html.open("div", &[]);
            html.leaf("label", &[("for", name)], word(label));
            html.open("input", &[("type", "date"), ("id", name), ("name", name), ("value", was(name)), ("required", "")]);
            html.close("div");
        }
        choice(html, ("log", word("officer-log")), was("log"), &[("both", word("officer-both")), ("access", word("officer-access")), ("disclosure", word("officer-disclosure"))]);
        choice(html, ("format", word("officer-format")), was("format"), &[("csv", "CSV"), ("html", "HTML"), ("json", "JSON")]);
        html.close("div");
        html.open("label", &[("class", "check")]);
        html.open("input", &[("type", "checkbox"), ("name", "confirm"), ("value", "yes"), ("required", "")]);
        html.text(word("officer-confirm"));
        html.close("label");
        html.close("fieldset");
        html.open("p", &[("class", "actions")]);
        html.leaf("button", &[("class", "main")], word("officer-give"));
        html.close("p");
        html.close("form");
    })
}

fn choice(html: &mut Html, (name, label): (&str, &str), chosen: &str, of: &[(&str, &str)]) {
    html.open("div", &[]);
    html.leaf("label", &[("for", name)], label);
    html.open("select", &[("id", name), ("name", name)]);
    for (value, text) in of {
        let selected: &[(&str, &str)] = if *value == chosen { &[("selected", "")] } else { &[] };
        html.leaf("option", &[&[("value", *value)], selected].concat(), text);
    }
    html.close("select");
    html.close("div");
}

/// Adds up the disclosures of the own organisation's register.
pub(super) async fn notices(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let archive = match console.archive().await {
        Ok(archive) => archive,
        Err(outage) => return pages::out_of_reach(&console, &asked, &outage),
    };
    let wanted = Wanted { controller: Some(visit.person.organisation.as_str().to_owned()), ..Wanted::default() };
    match reckoner::reckon(archive.as_ref(), &wanted, console.clock.now(), app::sink_from(&console.config)).await {
        Ok(sum) => notices_page(&console, &asked, &visit, &sum),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

fn notices_page(console: &Console, asked: &Asked, visit: &Visit, sum: &Reckoning) -> Response {
    let (words, language) = (&console.rules().catalogue, asked.language);
    let word = |key| console.words.get(key, language);
    pages::page(console, asked, StatusCode::OK, (word("officer-notices"), word("officer-notices")), |html| {
        let well = sum.all.adds_up();
        html.leaf("p", &[("class", if well { "good" } else { "fault" }), ("role", "status")], words.word(if well { "lilm-well" } else { "lilm-unwell" }, language));
        html.leaf("p", &[], &format!("{} {}", word("officer-register"), visit.person.organisation));
        let Tally { disclosures, notices, logged, emitted, taken, missing, waiting, stopped, late } = sum.all;
        html.open("dl", &[]);
        for (key, count) in [
            ("lilm-disclosures", disclosures),
            ("lilm-notices", notices),
            ("lilm-logged", logged),
            ("lilm-emitted", emitted),
            ("lilm-taken", taken),
            ("lilm-missing", missing),
            ("lilm-waiting", waiting),
            ("lilm-stopped", stopped),
            ("lilm-late", late),
        ] {
            html.leaf("dt", &[], words.word(key, language));
            html.leaf("dd", &[], &count.to_string());
        }
        html.close("dl");
        let rows = sum.flawed.iter().take(NAMED).map(|(one, flaws)| {
            let flaws: Vec<&str> = flaws.iter().map(|flaw| flaw.as_str()).collect();
            vec![one.position.0.to_string(), one.disclosed.map_or_else(String::new, |at| at.to_iso()), flaws.join(", ")]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        if !rows.is_empty() {
            table(html, word("officer-flawed"), &[word("officer-position"), word("officer-disclosed"), word("officer-flaw")], &rows);
        }
    })
}
