//! The data-protection officer's pages: the logs of the own organisation's register as a file, between two days or about one client who asks; and whether each
//! disclosure has its notice.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::board::table;
use super::html::Html;
use super::session::Visit;
use super::{Asked, Console, guard, pages};
use crate::app;
use crate::cli::log::give::{self, NotGiven, Part, Wish};
use crate::domain::reckoning::Tally;
use crate::domain::staff::Role;
use crate::domain::time::iso_date;
use crate::pipeline::reckoner::{self, Reckoning, Wanted};

/// The officer's first page.
pub(super) const PATH: &str = "/officer";
/// Where an export is asked for.
pub(super) const EXPORT: &str = "/officer/export";
/// Where an export about one client is asked for.
pub(super) const CLIENT: &str = "/officer/client";
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

/// Gives the file of some days, when it was confirmed and is logged.
pub(super) async fn export(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match taken(&console, request).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let field = |name: &str| typed(&pairs, name);
    let (Some(from), Some(to)) = (iso_date(field("from")), iso_date(field("to"))) else {
        return page(&console, &asked, &visit, StatusCode::UNPROCESSABLE_ENTITY, Some("officer-days"), &pairs);
    };
    let part = Part::Days { from, to };
    let wish = Wish { controller: &visit.person.organisation, part, format: field("format"), log: field("log"), language: asked.language };
    let name = format!("arkki-log-{}-{}", field("from"), field("to"));
    give(&console, &asked, &visit, &pairs, (&wish, &name)).await
}

/// Gives the file about one client, when it was confirmed and is logged, with its reason. The identity code travels in the form's body alone.
pub(super) async fn client(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match taken(&console, request).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let field = |name: &str| typed(&pairs, name);
    let part = Part::Client { id: field("client"), older: field("older") == "yes", reason: field("reason") };
    let wish = Wish { controller: &visit.person.organisation, part, format: field("client_format"), log: field("client_log"), language: asked.language };
    let day = console.clock.now().helsinki_date();
    let name = format!("arkki-log-client-{:04}-{:02}-{:02}", day.year, day.month, day.day);
    give(&console, &asked, &visit, &pairs, (&wish, &name)).await
}

/// Who asks, and with which fields.
async fn taken(console: &Arc<Console>, request: Request) -> Result<(Asked, Visit, Vec<(String, String)>), Response> {
    let (asked, _) = Asked::by(console, &request, ROLES)?;
    let asked = Asked { path: PATH.to_owned(), ..asked };
    let (visit, pairs) = guard::form(console, &asked, request).await?;
    Ok((asked, visit, pairs))
}

fn typed<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
}

/// The file, once its giving is confirmed and durable; else the page with what is wrong.
async fn give(console: &Console, asked: &Asked, visit: &Visit, pairs: &[(String, String)], (wish, name): (&Wish<'_>, &str)) -> Response {
    let wrong = |why| page(console, asked, visit, StatusCode::UNPROCESSABLE_ENTITY, Some(why), pairs);
    if typed(pairs, "confirm") != "yes" {
        return wrong("officer-unconfirmed");
    }
    let archive = match console.archive().await {
        Ok(archive) => archive,
        Err(outage) => return pages::out_of_reach(console, asked, &outage),
    };
    let around = (console.entropy.as_ref(), console.clock.now());
    match give::export(&archive, &console.examiner, around, &visit.person.actor(), wish).await {
        Ok(file) => {
            let headers = [
                (header::CONTENT_TYPE, file.content_type.to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.{}\"", file.extension)),
                (HeaderName::from_static("x-arkki-rows"), file.rows.to_string()),
                (HeaderName::from_static("x-arkki-sha256"), file.sha.to_hex()),
            ];
            (headers, file.octets).into_response()
        }
        Err(NotGiven::Wrong) => wrong("officer-days"),
        Err(NotGiven::Client) => wrong("officer-client-fault"),
        Err(NotGiven::Reason) => wrong("officer-reason-fault"),
        Err(NotGiven::TooLarge) => wrong("officer-large"),
        Err(NotGiven::Outage(outage)) => pages::out_of_reach(console, asked, &outage),
    }
}

fn page(console: &Console, asked: &Asked, visit: &Visit, status: StatusCode, wrong: Option<&str>, pairs: &[(String, String)]) -> Response {
    let word = |key| console.words.get(key, asked.language);
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
        form(console, asked, visit, html, EXPORT, |html| {
            html.leaf("legend", &[], word("officer-export"));
            html.leaf("p", &[], &format!("{} {}", word("officer-register"), visit.person.organisation));
            html.open("div", &[("class", "fields")]);
            for (name, label) in [("from", "officer-from"), ("to", "officer-to")] {
                html.open("div", &[]);
                html.leaf("label", &[("for", name)], word(label));
                html.open("input", &[("type", "date"), ("id", name), ("name", name), ("value", typed(pairs, name)), ("required", "")]);
                html.close("div");
            }
            kinds(console, asked, html, pairs, ("log", "format"));
            html.close("div");
        });
        form(console, asked, visit, html, CLIENT, |html| about_client(console, asked, visit, html, pairs));
    })
}

/// A form with these fields, which gives a file once it is confirmed what for.
fn form(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, action: &str, fields: impl FnOnce(&mut Html)) {
    let word = |key| console.words.get(key, asked.language);
    html.open("form", &[("method", "post"), ("action", action), ("autocomplete", "off")]);
    html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
    html.open("fieldset", &[]);
    fields(html);
    html.open("label", &[("class", "check")]);
    html.open("input", &[("type", "checkbox"), ("name", "confirm"), ("value", "yes"), ("required", "")]);
    html.text(word("officer-confirm"));
    html.close("label");
    html.close("fieldset");
    html.open("p", &[("class", "actions")]);
    html.leaf("button", &[("class", "main")], word("officer-give"));
    html.close("p");
    html.close("form");
}

/// The fields of a file about one client, who has a right to know who used the own data.
fn about_client(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, pairs: &[(String, String)]) {
    let word = |key| console.words.get(key, asked.language);
    html.leaf("legend", &[], word("officer-client"));
    html.leaf("p", &[], word("officer-client-text"));
    html.leaf("p", &[], &format!("{} {}", word("officer-register"), visit.person.organisation));
    html.open("div", &[("class", "fields")]);
    html.open("div", &[]);
    html.leaf("label", &[("for", "client")], word("officer-client-id"));
    let code = [("id", "client"), ("name", "client"), ("value", typed(pairs, "client")), ("maxlength", "32"), ("spellcheck", "false"), ("required", "")];
    html.open("input", &code);
    html.close("div");
    kinds(console, asked, html, pairs, ("client_log", "client_format"));
    html.close("div");
    html.leaf("label", &[("for", "reason")], word("officer-reason"));
    html.leaf("span", &[("class", "hint"), ("id", "reason-hint")], word("officer-reason-hint"));
    let reason = [("id", "reason"), ("name", "reason"), ("maxlength", "200"), ("required", ""), ("aria-describedby", "reason-hint")];
    html.leaf("textarea", &reason, typed(pairs, "reason"));
    html.open("label", &[("class", "check")]);
    let chosen: &[(&str, &str)] = if typed(pairs, "older") == "yes" { &[("checked", "")] } else { &[] };
    html.open("input", &[&[("type", "checkbox"), ("name", "older"), ("value", "yes")], chosen].concat());
    html.text(word("officer-older"));
    html.close("label");
}

/// Which log, in which form.
fn kinds(console: &Console, asked: &Asked, html: &mut Html, pairs: &[(String, String)], (log, format): (&str, &str)) {
    let word = |key| console.words.get(key, asked.language);
    choice(
        html,
        (log, word("officer-log")),
        typed(pairs, log),
        &[("both", word("officer-both")), ("access", word("officer-access")), ("disclosure", word("officer-disclosure"))],
    );
    choice(html, (format, word("officer-format")), typed(pairs, format), &[("csv", "CSV"), ("html", "HTML"), ("json", "JSON")]);
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
        html.leaf(
            "p",
            &[("class", if well { "good" } else { "fault" }), ("role", "status")],
            words.word(if well { "lilm-well" } else { "lilm-unwell" }, language),
        );
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
