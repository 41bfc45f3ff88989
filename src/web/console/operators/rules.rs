//! The rules as pages: what each document group must hold, every code that a sender may be answered with, and the rule set that is in force.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::html::Html;
use super::super::{Asked, Console, pages};
use super::{ROLES, table};
use crate::cda::template::Demand;
use crate::domain::ack::AckType;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::finding::Finding;
use crate::domain::language::Language;

/// Where they begin.
pub(in super::super) const PATH: &str = "/rules";

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, _) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let word = |key| console.words.get(key, asked.language);
    pages::page(&console, &asked, StatusCode::OK, (word("rules"), word("rules")), |html| {
        html.leaf("p", &[], word("rules-intro"));
        html.open("dl", &[]);
        html.leaf("dt", &[], word("rules-hash"));
        html.leaf("dd", &[("id", "rule-set")], &console.examiner.rules().to_hex());
        html.close("dl");
        html.leaf("h2", &[], word("rules-groups"));
        html.open("ul", &[("class", "groups")]);
        for group in Group::ALL {
            let [name, _] = console.rules().templates.names(group, asked.language);
            html.open("li", &[]);
            html.leaf("a", &[("href", &format!("{PATH}/groups/{}", group.number()))], &format!("{} {name}", group.number()));
            html.close("li");
        }
        html.close("ul");
        html.leaf("h2", &[], word("rules-codes"));
        codes(&console, &asked, html);
    })
}

/// Every code with its sentence, each leading to its own page.
fn codes(console: &Console, asked: &Asked, html: &mut Html) {
    let word = |key| console.words.get(key, asked.language);
    table(html, word("rules-codes"), &[word("code"), word("answer"), word("says")], |html| {
        for code in Code::ALL {
            html.open("tr", &[]);
            html.open("th", &[("scope", "row")]);
            html.leaf("a", &[("href", &format!("{PATH}/codes/{}", code.as_str()))], code.as_str());
            html.close("th");
            html.leaf("td", &[], answer(code));
            html.leaf("td", &[], &console.examiner.catalogue().text(&Finding::whole(code), asked.language));
            html.close("tr");
        }
    });
}

/// What a sender is answered with this code.
fn answer(code: Code) -> &'static str {
    // A warning comes with a positive answer.
    if code.as_str().starts_with('W') { AckType::Accept.as_str() } else { code.ack_type().as_str() }
}

pub(super) async fn code(State(console): State<Arc<Console>>, Path(code): Path<String>, request: Request) -> Response {
    let (asked, _) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let Some(code) = Code::parse(&code) else { return pages::words(&console, &asked, StatusCode::NOT_FOUND, ("not-found-heading", "not-found")) };
    let (word, catalogue, finding) = (|key| console.words.get(key, asked.language), console.examiner.catalogue(), Finding::whole(code));
    let heading = format!("{} {}", code.as_str(), code.name());
    pages::page(&console, &asked, StatusCode::OK, (&heading, &heading), |html| {
        html.leaf("p", &[], &catalogue.text(&finding, asked.language));
        html.leaf("p", &[("class", "calm")], &catalogue.mend(&finding, asked.language));
        html.open("dl", &[]);
        let kanta = code.kanta();
        let lines = [
            ("answer", answer(code)),
            ("final", word(if code.is_final() { "yes" } else { "no" })),
            ("kanta-code", if kanta.is_empty() { "–" } else { kanta }),
            ("source", catalogue.source(code)),
        ];
        for (key, value) in lines {
            html.leaf("dt", &[], word(key));
            html.leaf("dd", &[], if value.is_empty() { "–" } else { value });
        }
        html.close("dl");
        named(&console, &asked, html, code);
        html.open("p", &[]);
        html.leaf("a", &[("href", &format!("/messages?code={}", code.as_str()))], word("code-messages"));
        html.close("p");
    })
}

/// The rules that give this code.
fn named(console: &Console, asked: &Asked, html: &mut Html, code: Code) {
    let word = |key| console.words.get(key, asked.language);
    let mut rules = console.rules().rules.of(code).peekable();
    if rules.peek().is_none() {
        return;
    }
    html.leaf("h2", &[], word("rules-of-code"));
    table(html, word("rules-of-code"), &[word("rule"), word("must-hold"), word("source")], |html| {
        for rule in rules {
            html.open("tr", &[]);
            html.leaf("th", &[("scope", "row")], &rule.id);
            html.leaf("td", &[], rule.sentence(asked.language));
            html.leaf("td", &[], &rule.source);
            html.close("tr");
        }
    });
}

pub(super) async fn group(State(console): State<Arc<Console>>, Path(number): Path<String>, request: Request) -> Response {
    let (asked, _) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let Some(group) = number.parse().ok().and_then(Group::from_number) else {
        return pages::words(&console, &asked, StatusCode::NOT_FOUND, ("not-found-heading", "not-found"));
    };
    let (word, rules) = (|key| console.words.get(key, asked.language), console.rules());
    let [name, about] = rules.templates.names(group, asked.language);
    let heading = format!("{} {name}", group.number());
    pages::page(&console, &asked, StatusCode::OK, (&heading, &heading), |html| {
        html.leaf("p", &[], about);
        table(html, &heading, &[word("element"), word("demand"), word("where")], |html| {
            for (at, field) in rules.templates.fields().iter().enumerate() {
                html.open("tr", &[]);
                html.leaf("th", &[("scope", "row")], field.name(asked.language));
                html.leaf("td", &[], &demanded(&console, rules.templates.demand(group, at), asked.language));
                html.open("td", &[]);
                html.leaf("code", &[], field.path());
                html.close("td");
                html.close("tr");
            }
        });
    })
}

/// A demand in words, with its condition as the rules write it.
fn demanded(console: &Console, demand: Demand<'_>, language: Language) -> String {
    let says = |demand: &'static str| console.examiner.catalogue().word(demand, language);
    match demand.when {
        None => says(demand.then).to_owned(),
        Some(condition) => format!("{}: {condition}; {}: {}", says(demand.then), console.words.get("demand-otherwise", language), says(demand.otherwise)),
    }
}
