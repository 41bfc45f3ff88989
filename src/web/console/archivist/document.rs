//! One document: its body in a frame, what describes it, its versions and what happened to them, what it hangs on, and where the ledger has it.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::html::Html;
use super::super::{Asked, Console, pages};
use super::{FRAMING, Failed, One, PATH, ROLES, describe, search, state_word, time, with_headers};
use crate::cda::template::Form;
use crate::domain::document::Group;
use crate::domain::lifecycle::{Event, EventKind, History, Scope, State as Stands};
use crate::domain::oid::Oid;
use crate::ports::archive::{Archive as _, StoredDocument};

pub(super) async fn show(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let found = async {
        let one = One::find(&console, &visit, &id, "show").await?;
        let history = one.history().await?;
        let stored = one.archive.document(one.id()).await?;
        Ok::<_, Failed>((one, history, stored))
    };
    let (one, history, stored) = match found.await {
        Ok(found) => found,
        Err(failed) => return failed.page(&console, &asked),
    };
    let title = search::kind(&console, &one.hit, asked.language);
    let page = pages::page(&console, &asked, StatusCode::OK, (&title, &title), |html| {
        let mut sheet = Sheet { console: &console, asked: &asked, html, one: &one };
        sheet.head(history.as_ref());
        sheet.body();
        sheet.describing();
        if let Some(history) = &history {
            sheet.versions(history);
        }
        sheet.links();
        sheet.proof(stored.as_ref());
    });
    with_headers(page, &FRAMING)
}

struct Sheet<'a> {
    console: &'a Console,
    asked: &'a Asked,
    html: &'a mut Html,
    one: &'a One,
}

impl<'a> Sheet<'a> {
    fn word(&self, key: &'a str) -> &'a str {
        self.console.words.get(key, self.asked.language)
    }

    fn section(&mut self, id: &str, heading: &'a str, inside: impl FnOnce(&mut Self)) {
        self.html.open("section", &[("aria-labelledby", id)]);
        let heading = self.word(heading);
        self.html.leaf("h2", &[("id", id)], heading);
        inside(self);
        self.html.close("section");
    }

    fn line(&mut self, name: &str, value: &str) {
        self.html.leaf("dt", &[], name);
        self.html.leaf("dd", &[], value);
    }

    fn link(&mut self, href: &str, words: &str) {
        self.html.leaf("a", &[("href", href)], words);
    }

    /// What it is, how it stands, and what can be done with it.
    fn head(&mut self, history: Option<&History>) {
        let (hit, id) = (&self.one.hit, self.one.id().clone());
        let stands = history.and_then(|history| {
            let states = history.states(self.console.clock.now());
            history.versions.iter().zip(states).find(|(version, _)| version.id == id).map(|(_, state)| state)
        });
        let stands = stands.unwrap_or(if hit.is_valid { Stands::Valid } else { Stands::Invalidated });
        let version = format!("{} {} · {}", self.word("document-version"), hit.header.version, self.word(state_word(stands)));
        self.html.leaf("p", &[("class", if stands == Stands::Valid { "good" } else { "calm" })], &version);
        self.html.leaf("p", &[("class", "hint")], id.as_str());
        if matches!(stands, Stands::Valid | Stands::Superseded) {
            self.html.open("p", &[("class", "actions")]);
            let word = self.word("invalidate-link");
            self.link(&format!("{PATH}/{id}/invalidate"), word);
            self.html.close("p");
        }
    }

    fn body(&mut self) {
        let group = self.one.hit.header.group;
        let console = self.console;
        let form = self.one.read(|document| describe::body_of(console, document, group).map(|body| body.form)).flatten();
        let (id, title) = (self.one.id().clone(), self.word("document-body"));
        self.section("body", "document-body", |sheet| match form {
            Some(Form::Pdf) => {
                let path = format!("{PATH}/{id}/body.pdf");
                sheet.html.open("iframe", &[("class", "document"), ("src", &path), ("title", title)]);
                sheet.html.close("iframe");
                let word = sheet.word("body-alone");
                sheet.html.open("p", &[]);
                sheet.link(&path, word);
                sheet.html.close("p");
            }
            Some(Form::Xhtml | Form::Structured) => {
                let path = format!("{PATH}/{id}/body");
                sheet.html.open("iframe", &[("class", "document"), ("sandbox", ""), ("src", &path), ("title", title)]);
                sheet.html.close("iframe");
                sheet.html.open("p", &[]);
                let word = sheet.word("body-alone");
                sheet.link(&path, word);
                if form == Some(Form::Structured) {
                    sheet.html.text(" · ");
                    let word = sheet.word("form-page");
                    sheet.link(&format!("{PATH}/{id}/form"), word);
                }
                sheet.html.close("p");
            }
            None => {
                let word = sheet.word("body-none");
                sheet.html.leaf("p", &[], word);
            }
        });
    }

    fn describing(&mut self) {
        let (console, language) = (self.console, self.asked.language);
        let lines = self.one.read(|document| describe::lines(console, document, language)).unwrap_or_default();
        self.section("describing", "document-describing", |sheet| {
            sheet.html.open("dl", &[]);
            for line in &lines {
                sheet.line(&line.name, &line.values.join("; "));
            }
            sheet.html.close("dl");
        });
    }

    fn versions(&mut self, history: &History) {
        let states = history.states(self.console.clock.now());
        let here = self.one.id().clone();
        self.section("versions", "document-versions", |sheet| {
            sheet.html.open("ol", &[("class", "chain")]);
            for (version, state) in history.versions.iter().zip(states) {
                sheet.html.open("li", &[]);
                let name = format!("{} {}", sheet.word("document-version"), version.number);
                if version.id == here {
                    sheet.html.leaf("strong", &[], &name);
                } else {
                    sheet.link(&format!("{PATH}/{}", version.id), &name);
                }
                let state = sheet.word(state_word(state));
                sheet.html.text(&format!(" · {} · {state} · {} {}", time(version.at), sheet.word("document-position"), version.position.0));
                if version.id != here {
                    sheet.html.text(" · ");
                    let word = format!("{} {}", sheet.word("compare-link"), version.number);
                    sheet.link(&format!("{PATH}/{here}/compare?with={}", version.id), &word);
                }
                sheet.html.close("li");
            }
            sheet.html.close("ol");
            if !history.events.is_empty() {
                let word = sheet.word("document-events");
                sheet.html.leaf("h3", &[], word);
                sheet.html.open("ul", &[]);
                history.events.iter().for_each(|event| sheet.event(event));
                sheet.html.close("ul");
            }
        });
    }

    fn event(&mut self, event: &Event) {
        let record = &event.record;
        let what = self.word(if record.kind == EventKind::Invalidated { "event-invalidated" } else { "event-reinstated" });
        let target = match &record.scope {
            Scope::Version(id) => id.as_str(),
            Scope::Set => self.word("event-set"),
        };
        let code = record.reason.code.as_deref().map(|code| self.console.rules().lifecycle.reason(code, self.asked.language).unwrap_or(code));
        let why: Vec<&str> = code.into_iter().chain(record.reason.text.as_deref()).collect();
        let by: Vec<&str> = std::iter::once(record.sender.as_str())
            .chain(record.author.organisation.as_ref().map(Oid::as_str))
            .chain(record.author.professional.as_deref())
            .collect();
        let position = self.word("document-position");
        let text = format!("{} · {what}: {target} · {} · {} · {position} {}", time(record.at), why.join(". "), by.join(", "), event.position.0);
        self.html.leaf("li", &[], &text);
    }

    /// Case, client relation and documents: each a search of its own.
    fn links(&mut self) {
        let header = &self.one.hit.header;
        let (case, relation, set, group) = (header.case_id.clone(), header.relation_id.clone(), header.set_id.clone(), header.group);
        if case.is_none() && relation.is_none() {
            return;
        }
        self.section("links", "document-links", |sheet| {
            sheet.html.open("ul", &[]);
            if let Some(relation) = relation {
                let words = format!("{}: {relation}", sheet.word(if group == Group::ClientRelation { "link-relation-own" } else { "link-relation" }));
                sheet.html.open("li", &[]);
                sheet.link(&format!("{PATH}?relation={relation}"), &words);
                sheet.html.close("li");
            }
            if let Some(case) = case {
                let words = format!("{}: {case}", sheet.word(if group == Group::Case { "link-case-own" } else { "link-case" }));
                sheet.html.open("li", &[]);
                sheet.link(&format!("{PATH}?case={case}"), &words);
                sheet.html.close("li");
            }
            let words = format!("{}: {set}", sheet.word("link-set"));
            sheet.html.open("li", &[]);
            sheet.link(&format!("{PATH}?set={set}"), &words);
            sheet.html.close("li");
            sheet.html.close("ul");
        });
    }

    fn proof(&mut self, stored: Option<&StoredDocument>) {
        let (hit, id) = (&self.one.hit, self.one.id().clone());
        let (at, archived, octets) = (time(hit.archived_at), hit.archived.to_hex(), self.one.octets.len().to_string());
        self.section("proof", "document-proof", |sheet| {
            sheet.html.open("dl", &[]);
            if let Some(stored) = stored {
                let name = sheet.word("document-position");
                sheet.line(name, &stored.position.0.to_string());
                let name = sheet.word("proof-received");
                sheet.line(name, &stored.received.to_hex());
            }
            for (key, value) in [("proof-at", &at), ("proof-archived", &archived), ("proof-octets", &octets)] {
                let name = sheet.word(key);
                sheet.line(name, value);
            }
            sheet.html.close("dl");
            sheet.html.open("p", &[]);
            let word = sheet.word("signature-link");
            sheet.link(&format!("{PATH}/{id}/signature"), word);
            sheet.html.close("p");
        });
    }
}

/// The reasons of the reasons' list, to choose from.
pub(super) fn reasons(console: &Console, asked: &Asked) -> Vec<(String, String)> {
    let lifecycle = &console.rules().lifecycle;
    lifecycle.codes().map(|code| (code.to_owned(), lifecycle.reason(code, asked.language).unwrap_or(code).to_owned())).collect()
}
