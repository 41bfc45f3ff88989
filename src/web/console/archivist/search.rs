//! Criteria that must all hold, and what they find: never more than fits a person's eyes, and where there is more, how to ask for less with the counts that help.
//! A client's identity code travels in a form's body only: no address, no history of a browser and no log has it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::answers::Told;
use super::super::fields::{Choice, Field, Fields, Kind};
use super::super::form::pairs;
use super::super::html::Html;
use super::super::session::Visit;
use super::super::{Asked, Console, guard, pages};
use super::{Failed, PATH, ROLES, ask, day, name_of, named, sentence};
use crate::crypto::sealed::Sort;
use crate::domain::document::Group;
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::person::HETU_ROOT;
use crate::domain::query::{Criteria, Hit, SealedIds, Want, WantedState};
use crate::domain::time::iso_date;
use crate::rules::query::Answered;
use crate::v3::query::client_hash;

/// The fields, in the order of the page.
const FIELDS: [&str; 12] = ["client", "document", "set", "case", "relation", "service_task", "general_type", "specific_type", "group", "from", "to", "state"];
/// What an address may say: not the client.
const LINKED: [&str; 4] = ["document", "set", "case", "relation"];

/// What was typed.
#[derive(Default)]
struct Typed(BTreeMap<&'static str, String>);

impl Typed {
    fn read(pairs: &[(String, String)], fields: &[&'static str]) -> Self {
        let mut typed = Self::default();
        for (name, value) in pairs.iter().filter(|(_, value)| !value.trim().is_empty()) {
            if let Some(known) = fields.iter().find(|known| **known == name.as_str()) {
                typed.0.insert(known, value.trim().to_owned());
            }
        }
        // A way to narrow: one more criterion, by a button that bears it.
        if let Some((name, value)) = pairs.iter().find(|(name, _)| name == "narrow").and_then(|(_, value)| value.split_once('=')) {
            typed.narrow(name, value);
        }
        typed
    }

    fn narrow(&mut self, by: &str, value: &str) {
        let field = match by {
            "by-year" if value.len() == 4 && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.0.insert("from", format!("{value}-01-01"));
                self.0.insert("to", format!("{value}-12-31"));
                return;
            }
            "by-service-task" => "service_task",
            "by-case" => "case",
            "by-general-type" => "general_type",
            "by-specific-type" => "specific_type",
            "by-group" => "group",
            _ => return,
        };
        self.0.insert(field, value.to_owned());
    }

    fn get(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }

    fn some(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }
}

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let pairs = request.uri().query().and_then(|query| pairs(query.as_bytes())).unwrap_or_default();
    let typed = Typed::read(&pairs, &LINKED);
    if typed.0.is_empty() {
        return page(&console, &asked, &visit, &typed, StatusCode::OK, &Below::Nothing);
    }
    answer(&console, &asked, &visit, typed).await
}

pub(super) async fn take(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::by(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    answer(&console, &asked, &visit, Typed::read(&pairs, &FIELDS)).await
}

/// What stands below the criteria.
enum Below<'a> {
    Nothing,
    Faults(Vec<Told>),
    Found(&'a Answered),
}

async fn answer(console: &Console, asked: &Asked, visit: &Visit, typed: Typed) -> Response {
    let (criteria, sealed) = match criteria(console, &typed, asked.language) {
        Ok(read) => read,
        Err(told) => return page(console, asked, visit, &typed, StatusCode::UNPROCESSABLE_ENTITY, &Below::Faults(told)),
    };
    match ask(console, visit, (Want::Metadata, None), criteria, SealedIds { client: sealed, person: None }).await {
        Ok(answered) => page(console, asked, visit, &typed, StatusCode::OK, &Below::Found(&answered)),
        Err(failed @ (Failed::NotThere | Failed::Away(_) | Failed::Refused(_))) => failed.page(console, asked),
    }
}

/// The criteria, and the client's id sealed for the log; or what is wrong, by field.
fn criteria(console: &Console, typed: &Typed, language: Language) -> Result<(Criteria, Option<crate::domain::log::Sealed>), Vec<Told>> {
    let catalogue = console.examiner.catalogue();
    let told = RefCell::new(Vec::new());
    let wrong = |field: &str, text: &str| told.borrow_mut().push(Told { field: Some(field.to_owned()), text: text.to_owned() });
    let word = |key| console.words.get(key, language);
    let oid = |field: &str| typed.some(field).and_then(|text| Oid::parse(text).map_err(|_| wrong(field, word("documents-fault-oid"))).ok());
    let date = |field: &str| {
        typed.some(field).and_then(|text| {
            let read = iso_date(text);
            if read.is_none() {
                wrong(field, word("documents-fault-day"));
            }
            read
        })
    };
    let mut sealed = None;
    let client = typed.some("client").and_then(|id| {
        let kept = RefCell::new(None);
        let hash = |octets: &[u8]| {
            let digest = console.examiner.client_hash(octets);
            kept.replace(console.examiner.seal(Sort::Client, &digest, octets));
            digest
        };
        let root = Oid::parse(HETU_ROOT).ok()?;
        let digest = client_hash(&root, id, console.environment(), &hash).map_err(|rule| wrong("client", catalogue.word(rule, language))).ok();
        sealed = kept.into_inner();
        digest
    });
    let text = |field: &str| typed.some(field).map(str::to_owned);
    let criteria = Criteria {
        client,
        service_task: text("service_task"),
        general_type: text("general_type"),
        specific_type: text("specific_type"),
        case_id: oid("case"),
        relation_id: oid("relation"),
        from: date("from"),
        to: date("to"),
        group: typed.some("group").and_then(|number| number.parse().ok()).and_then(Group::from_number),
        controller: None,
        ids: oid("document").into_iter().collect(),
        sets: oid("set").into_iter().collect(),
        state: typed.some("state").and_then(WantedState::parse).unwrap_or_default(),
        all_versions: typed.some("document").is_some() || typed.some("set").is_some(),
        as_of: None,
    };
    let mut told = told.into_inner();
    if told.is_empty()
        && let Some(rule) = criteria.fault()
    {
        told.push(Told { field: None, text: catalogue.word(rule, language).to_owned() });
    }
    if told.is_empty() { Ok((criteria, sealed)) } else { Err(told) }
}

fn page(console: &Console, asked: &Asked, visit: &Visit, typed: &Typed, status: StatusCode, below: &Below<'_>) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let told: &[Told] = if let Below::Faults(told) = below { told } else { &[] };
    let title = if told.is_empty() { word("documents").to_owned() } else { format!("{}: {}", word("error"), word("documents")) };
    pages::page(console, asked, status, (&title, word("documents-heading")), |html| {
        if !told.is_empty() {
            faults(console, asked, html, told);
        }
        html.leaf("p", &[], word("documents-intro"));
        html.leaf("p", &[("class", "hint")], word("documents-logged"));
        html.open("form", &[("method", "post"), ("action", PATH), ("autocomplete", "off")]);
        html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
        // What was found stands at once before the eyes: the criteria fold away above it.
        let is_answered = matches!(below, Below::Found(_));
        if is_answered {
            html.open("details", &[]);
            html.leaf("summary", &[], word("documents-change"));
        }
        let mut fields = Fields { html, console, language: asked.language, told };
        groups(&mut fields, typed);
        html.open("div", &[("class", "actions")]);
        html.leaf("button", &[("class", "main"), ("name", "action"), ("value", "search")], word("documents-search"));
        html.close("div");
        if is_answered {
            html.close("details");
        }
        if let Below::Found(answered) = below {
            found(console, asked, html, answered);
        }
        html.close("form");
    })
}

fn faults(console: &Console, asked: &Asked, html: &mut Html, told: &[Told]) {
    html.open("div", &[("class", "summary"), ("role", "alert"), ("aria-labelledby", "summary")]);
    html.leaf("h2", &[("id", "summary")], console.words.get("documents-faults", asked.language));
    html.open("ul", &[]);
    for one in told {
        html.open("li", &[]);
        match &one.field {
            Some(field) => html.leaf("a", &[("href", &format!("#{field}"))], &one.text),
            None => html.text(&one.text),
        }
        html.close("li");
    }
    html.close("ul");
    html.close("div");
}

fn groups(fields: &mut Fields<'_>, typed: &Typed) {
    let (console, language) = (fields.console, fields.language);
    let heading = |key| console.words.get(key, language);
    let of_system = |key: &str| -> Vec<Choice> {
        let values = console.rules().systems.get(key).map(|system| system.values.as_slice()).unwrap_or_default();
        values.iter().map(|value| (value.code.clone(), format!("{} {}", value.code, name_of(&value.names, language).unwrap_or_default()))).collect()
    };
    let line = |fields: &mut Fields<'_>, field: Field<'static>| fields.typed(field, Kind::Line, typed.get(field.name));
    fields.group(heading("documents-part-find"), |fields| {
        line(fields, Field { label: "find-client", ..Field::new("client", false) }.hint("find-client"));
        line(fields, Field { label: "find-document", ..Field::new("document", false) });
        line(fields, Field { label: "find-set", ..Field::new("set", false) });
        line(fields, Field { label: "find-case", ..Field::new("case", false) });
        line(fields, Field { label: "find-relation", ..Field::new("relation", false) });
    });
    fields.group(heading("documents-part-narrow"), |fields| {
        let chosen = |fields: &mut Fields<'_>, name: &'static str, label: &'static str, choices: &[Choice]| {
            fields.chosen(Field { label, ..Field::new(name, false) }, choices, typed.get(name), "documents-any");
        };
        chosen(fields, "service_task", "find-task", &of_system("serviceTask"));
        chosen(fields, "general_type", "find-type", &of_system("documentType"));
        line(fields, Field { label: "find-specific", ..Field::new("specific_type", false) });
        let groups: Vec<Choice> = of_system("documentGroup")
            .into_iter()
            .filter(|(code, _)| code.parse().ok().and_then(Group::from_number).is_some_and(|group| !group.is_will()))
            .collect();
        chosen(fields, "group", "find-group", &groups);
        for (name, label) in [("from", "find-from"), ("to", "find-to")] {
            fields.typed(Field { label, ..Field::new(name, false) }, Kind::Day, typed.get(name));
        }
        let states: Vec<Choice> = [("valid", "document-state-valid"), ("invalidated", "document-state-invalidated"), ("any", "find-any-state")]
            .map(|(code, key)| (code.to_owned(), heading(key).to_owned()))
            .into();
        fields.chosen(Field { label: "find-state", ..Field::new("state", false) }, &states, typed.get("state"), "");
    });
}

fn found(console: &Console, asked: &Asked, html: &mut Html, answered: &Answered) {
    let word = |key| console.words.get(key, asked.language);
    let (narrowing, said): (Vec<&Finding>, Vec<&Finding>) = answered.findings.iter().partition(|finding| finding.arg("field").is_some());
    html.open("section", &[("aria-labelledby", "found"), ("id", "results")]);
    html.open("div", &[("role", "status")]);
    html.leaf("h2", &[("id", "found")], &format!("{}: {}", word("documents-found"), answered.total));
    html.close("div");
    for finding in said {
        html.leaf("p", &[], &sentence(console, finding, asked.language));
    }
    if !narrowing.is_empty() {
        ways(console, asked, html, &narrowing);
    }
    if !answered.hits.is_empty() {
        table(console, asked, html, &answered.hits);
    }
    html.close("section");
}

/// Buttons of the search's own form: one presses the criterion that helps.
fn ways(console: &Console, asked: &Asked, html: &mut Html, narrowing: &[&Finding]) {
    html.leaf("h3", &[], console.words.get("documents-narrow", asked.language));
    let mut by = "";
    for finding in narrowing {
        let arg = |name: &str| finding.arg(name).unwrap_or_default();
        if arg("field") != by {
            if !by.is_empty() {
                html.close("ul");
            }
            by = arg("field");
            html.leaf("h4", &[], console.examiner.catalogue().word(by, asked.language));
            html.open("ul", &[("class", "ways")]);
        }
        html.open("li", &[]);
        let system = match by {
            "by-service-task" => "serviceTask",
            "by-general-type" => "documentType",
            "by-group" => "documentGroup",
            _ => "",
        };
        let words = format!("{}: {}", named(console, system, Some(arg("value")), asked.language), arg("count"));
        if arg("value").is_empty() {
            html.text(&words);
        } else {
            html.leaf("button", &[("name", "narrow"), ("value", &format!("{by}={}", arg("value")))], &words);
        }
        html.close("li");
    }
    html.close("ul");
}

fn table(console: &Console, asked: &Asked, html: &mut Html, hits: &[Hit]) {
    let (word, language) = (|key| console.words.get(key, asked.language), asked.language);
    html.open("ul", &[("class", "documents")]);
    for hit in hits {
        let header = &hit.header;
        html.open("li", &[("class", "card")]);
        html.open("h3", &[]);
        html.leaf("a", &[("href", &format!("{PATH}/{}", header.id))], &kind(console, hit, language));
        html.close("h3");
        html.open("p", &[]);
        let state = if hit.is_valid { word("document-state-valid") } else { word("document-state-invalidated") };
        let task = named(console, "serviceTask", header.service_task.as_deref(), language);
        html.text(&format!("{} · {} {} · {state} · {task}", day(header.authored), word("document-version"), header.version));
        html.close("p");
        html.leaf("p", &[("class", "hint")], header.id.as_str());
        html.close("li");
    }
    html.close("ul");
}

/// What a document is called: its specific type, else its general one, else its group.
pub(super) fn kind(console: &Console, hit: &Hit, language: Language) -> String {
    let header = &hit.header;
    match (&header.specific_type, &header.general_type) {
        (Some(code), _) => named(console, "specificType", Some(code), language),
        (None, Some(code)) => named(console, "documentType", Some(code), language),
        (None, None) => named(console, "documentGroup", Some(&header.group.number().to_string()), language),
    }
}
