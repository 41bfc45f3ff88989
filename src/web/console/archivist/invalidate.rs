//! An invalidation: what, why, what it touches, a second look, and then a message to the gateway, which judges it as it judges everybody's.
//! Nothing is changed here; the console writes no document and no event.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::answers::Told;
use super::super::fields::{Field, Fields, Kind};
use super::super::html::Html;
use super::super::road::Ending;
use super::super::session::Visit;
use super::super::{Asked, Console, guard, pages};
use super::document::reasons;
use super::request::{self, Wish};
use super::{Failed, One, PATH, ROLES, ask, search, sentence, state_word};
use crate::crypto::sha256_parts;
use crate::domain::ack::AckType;
use crate::domain::document::Group;
use crate::domain::lifecycle::{History, State as Stands};
use crate::domain::oid::Oid;
use crate::domain::query::{Criteria, SealedIds, Want, WantedState};
use crate::rules::query::Answered;
use crate::telemetry;
use crate::v3::ack::AckRead;

/// The root of the messages' ids: the arc of random numbers (ITU-T X.667).
const RANDOM: &str = "2.25";

/// What was said so far.
#[derive(Default)]
struct Said {
    scope: String,
    code: String,
    words: String,
    message: String,
    is_sure: bool,
    action: String,
}

impl Said {
    fn read(pairs: &[(String, String)]) -> Self {
        let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim().to_owned()).unwrap_or_default();
        Self { scope: get("scope"), code: get("code"), words: get("words"), message: get("message"), is_sure: get("sure") == "yes", action: get("action") }
    }

    fn whole_set(&self) -> bool {
        self.scope == "set"
    }
}

pub(super) async fn show(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit) = match Asked::acting(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let view = match View::find(&console, &visit, &id, "invalidate-show").await {
        Ok(view) => view,
        Err(failed) => return failed.page(&console, &asked),
    };
    let said = Said { scope: "version".to_owned(), message: fresh(&console), ..Said::default() };
    view.first(&console, &asked, &visit, &said, StatusCode::OK, &[])
}

pub(super) async fn take(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::acting(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let mut said = Said::read(&pairs);
    if !Oid::parse(&said.message).is_ok_and(|id| id.is_under(RANDOM)) {
        said.message = fresh(&console);
    }
    let view = match View::find(&console, &visit, &id, if said.action == "send" { "invalidate-send" } else { "invalidate-preview" }).await {
        Ok(view) => view,
        Err(failed) => return failed.page(&console, &asked),
    };
    let faults = faults(&console, &asked, &said);
    match said.action.as_str() {
        _ if !faults.is_empty() => view.first(&console, &asked, &visit, &said, StatusCode::UNPROCESSABLE_ENTITY, &faults),
        "send" if said.is_sure => view.send(&console, &asked, &visit, &said).await,
        "send" | "preview" => view.second(&console, &asked, &visit, &said, StatusCode::OK, said.action == "send").await,
        _ => view.first(&console, &asked, &visit, &said, StatusCode::OK, &[]),
    }
}

fn faults(console: &Console, asked: &Asked, said: &Said) -> Vec<Told> {
    let rules = &console.rules().lifecycle;
    let word = |key| console.words.get(key, asked.language).to_owned();
    let mut out = Vec::new();
    let told = |field: &str, text| Told { field: Some(field.to_owned()), text };
    if said.code.is_empty() && said.words.is_empty() || !said.code.is_empty() && rules.reason(&said.code, asked.language).is_none() {
        out.push(told("code", word("invalidate-needs-reason")));
    }
    if said.words.chars().count() > rules.text_characters() {
        out.push(told("words", word("invalidate-too-long")));
    }
    out
}

fn fresh(console: &Console) -> String {
    let random = console.entropy.sixteen().iter().take(8).fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
    format!("{RANDOM}.{}", random.max(1))
}

/// What an invalidation is about.
struct View {
    one: One,
    history: Option<History>,
}

impl View {
    async fn find(console: &Console, visit: &Visit, id: &str, shows: &str) -> Result<Self, Failed> {
        let one = One::find(console, visit, id, shows).await?;
        let history = one.history().await?;
        Ok(Self { one, history })
    }

    fn path(&self) -> String {
        format!("{PATH}/{}/invalidate", self.one.id())
    }

    fn back(&self, console: &Console, asked: &Asked, html: &mut Html) {
        html.open("p", &[]);
        html.leaf("a", &[("href", &format!("{PATH}/{}", self.one.id()))], console.words.get("back-to-document", asked.language));
        html.close("p");
    }

    /// The first page: how far, and why.
    fn first(&self, console: &Console, asked: &Asked, visit: &Visit, said: &Said, status: StatusCode, told: &[Told]) -> Response {
        let word = |key| console.words.get(key, asked.language);
        pages::page(console, asked, status, (word("invalidate-heading"), word("invalidate-heading")), |html| {
            self.back(console, asked, html);
            html.leaf("p", &[], &search::kind(console, &self.one.hit, asked.language));
            html.leaf("p", &[], word("invalidate-intro"));
            html.open("form", &[("method", "post"), ("action", &self.path()), ("autocomplete", "off")]);
            html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
            html.open("input", &[("type", "hidden"), ("name", "message"), ("value", &said.message)]);
            let mut fields = Fields { html, console, language: asked.language, told };
            fields.group(word("invalidate-part"), |fields| {
                let scopes = [("version", "invalidate-version"), ("set", "invalidate-set")].map(|(code, key)| (code.to_owned(), word(key).to_owned()));
                fields.chosen(Field { label: "invalidate-scope", ..Field::new("scope", true) }, &scopes, &said.scope, "");
                fields.chosen(Field { label: "invalidate-code", ..Field::new("code", false) }, &reasons(console, asked), &said.code, "choose");
                fields.typed(Field { label: "invalidate-words", ..Field::new("words", false) }.hint("invalidate-words"), Kind::Words, &said.words);
            });
            html.open("div", &[("class", "actions")]);
            html.leaf("button", &[("class", "main"), ("name", "action"), ("value", "preview")], word("invalidate-preview"));
            html.close("div");
            html.close("form");
        })
    }

    /// The second look: what it touches, and a box to tick.
    async fn second(&self, console: &Console, asked: &Asked, visit: &Visit, said: &Said, status: StatusCode, is_unsure: bool) -> Response {
        let hanging = match self.hanging(console, visit).await {
            Ok(hanging) => hanging,
            Err(failed) => return failed.page(console, asked),
        };
        let word = |key| console.words.get(key, asked.language);
        pages::page(console, asked, status, (word("invalidate-second"), word("invalidate-second")), |html| {
            self.back(console, asked, html);
            if is_unsure {
                html.leaf("p", &[("class", "summary"), ("role", "alert")], word("invalidate-unsure"));
            }
            html.leaf("h2", &[], word("invalidate-touches"));
            html.open("ul", &[]);
            self.touched(console, asked, html, said);
            html.close("ul");
            if let Some(hanging) = &hanging {
                html.leaf("p", &[], &format!("{}: {}", word("invalidate-hanging"), hanging.total));
                hanging
                    .findings
                    .iter()
                    .filter(|finding| finding.arg("field").is_none())
                    .for_each(|f| html.leaf("p", &[], &sentence(console, f, asked.language)));
            }
            let code = console.rules().lifecycle.reason(&said.code, asked.language).unwrap_or("–");
            html.open("dl", &[]);
            html.leaf("dt", &[], word("field-invalidate-code"));
            html.leaf("dd", &[], code);
            html.leaf("dt", &[], word("field-invalidate-words"));
            html.leaf("dd", &[], if said.words.is_empty() { "–" } else { &said.words });
            html.close("dl");
            html.leaf("p", &[("class", "calm")], word("invalidate-undo"));
            html.open("form", &[("method", "post"), ("action", &self.path()), ("autocomplete", "off")]);
            for (name, value) in [("csrf", &visit.csrf), ("message", &said.message), ("scope", &said.scope), ("code", &said.code), ("words", &said.words)] {
                html.open("input", &[("type", "hidden"), ("name", name), ("value", value)]);
            }
            html.open("label", &[("class", "check")]);
            html.open("input", &[("type", "checkbox"), ("name", "sure"), ("value", "yes"), ("id", "sure")]);
            html.text(word("invalidate-sure"));
            html.close("label");
            html.open("div", &[("class", "actions")]);
            html.leaf("button", &[("class", "main"), ("name", "action"), ("value", "send")], word("invalidate-send"));
            html.leaf("button", &[("name", "action"), ("value", "back")], word("invalidate-change"));
            html.close("div");
            html.close("form");
        })
    }

    /// Each version and what becomes of it.
    fn touched(&self, console: &Console, asked: &Asked, html: &mut Html, said: &Said) {
        let word = |key| console.words.get(key, asked.language);
        let Some(history) = &self.history else { return };
        let states = history.states(console.clock.now());
        for (version, state) in history.versions.iter().zip(states) {
            let is_meant = said.whole_set() || version.id == *self.one.id();
            let becomes = if is_meant && matches!(state, Stands::Valid | Stands::Superseded) { Stands::Invalidated } else { state };
            let text = format!("{} {} ({}): {} → {}", word("document-version"), version.number, version.id, word(state_word(state)), word(state_word(becomes)));
            let class = if becomes == state { "hint" } else { "fault" };
            html.open("li", &[]);
            html.leaf("span", &[("class", class)], &text);
            html.close("li");
        }
    }

    /// What hangs on a case or a client relation, and stays.
    async fn hanging(&self, console: &Console, visit: &Visit) -> Result<Option<Answered>, Failed> {
        let header = &self.one.hit.header;
        let criteria = match header.group {
            Group::Case => Criteria { case_id: header.case_id.clone(), ..Criteria::default() },
            Group::ClientRelation => Criteria { relation_id: header.relation_id.clone(), ..Criteria::default() },
            Group::PhaseOne | Group::Old | Group::Client | Group::Informing | Group::Permission | Group::Denial | Group::Other => return Ok(None),
        };
        if criteria.case_id.is_none() && criteria.relation_id.is_none() {
            return Ok(None);
        }
        let criteria = Criteria { state: WantedState::Valid, ..criteria };
        ask(console, visit, (Want::Metadata, Some("invalidate-preview")), criteria, SealedIds::default()).await.map(Some)
    }

    async fn send(&self, console: &Console, asked: &Asked, visit: &Visit, said: &Said) -> Response {
        let Ok(message) = Oid::parse(&said.message) else { return Failed::NotThere.page(console, asked) };
        let digest = sha256_parts(&[self.one.id().as_str().as_bytes(), b"|", said.scope.as_bytes(), b"|", said.code.as_bytes(), b"|", said.words.as_bytes()]);
        let at = console.desk.recorded(visit, &message, digest, console.clock.now(), Instant::now());
        let processing = console.environment().processing_codes().first().copied().unwrap_or("T");
        let own = console.examiner.site().device.as_str();
        let receiver = console.examiner.site().frames.receivers.first().map_or(own, String::as_str);
        let wish = Wish {
            whole_set: said.whole_set(),
            code: &said.code,
            words: &said.words,
            message: &message,
            at,
            organisation: &visit.person.organisation,
            processing,
            devices: (console.system.as_str(), receiver),
        };
        let Some(octets) = request::write(&self.one, &wish, console.rules()) else {
            return pages::words(console, asked, StatusCode::UNPROCESSABLE_ENTITY, ("invalidate-heading", "invalidate-cannot"));
        };
        let id = format!("console-{message}-{}", at.micros());
        let calm = |status, heading, text| pages::words(console, asked, status, (heading, text));
        match console.road.send(octets, id).await {
            Ending::Answered(ack) if ack.ack_type == AckType::Accept => self.done(console, asked, &ack),
            Ending::Answered(ack) => self.refused(console, asked, &ack),
            Ending::Unanswered => calm(StatusCode::GATEWAY_TIMEOUT, "waiting-heading", "invalidate-waiting"),
            Ending::Busy => calm(StatusCode::SERVICE_UNAVAILABLE, "too-many-heading", "busy"),
            Ending::Away(why) => {
                telemetry::console_away(&why);
                calm(StatusCode::SERVICE_UNAVAILABLE, "away-heading", "invalidate-away")
            }
        }
    }

    fn done(&self, console: &Console, asked: &Asked, ack: &AckRead) -> Response {
        let word = |key| console.words.get(key, asked.language);
        pages::page(console, asked, StatusCode::OK, (word("invalidate-done"), word("invalidate-done")), |html| {
            html.leaf("p", &[("class", "good"), ("role", "status")], word("invalidate-done-text"));
            if let Some(position) = ack.position {
                html.open("dl", &[]);
                html.leaf("dt", &[], word("document-position"));
                html.leaf("dd", &[("id", "position")], &position.to_string());
                html.close("dl");
            }
            self.back(console, asked, html);
        })
    }

    fn refused(&self, console: &Console, asked: &Asked, ack: &AckRead) -> Response {
        let word = |key| console.words.get(key, asked.language);
        pages::page(console, asked, StatusCode::UNPROCESSABLE_ENTITY, (word("invalidate-refused"), word("invalidate-refused")), |html| {
            html.open("div", &[("class", "summary"), ("role", "alert")]);
            html.open("ul", &[]);
            for detail in ack.details.iter().filter(|detail| detail.kind == "E") {
                html.leaf("li", &[], &format!("{} ({})", detail.text, detail.code));
            }
            html.close("ul");
            html.close("div");
            self.back(console, asked, html);
        })
    }
}
