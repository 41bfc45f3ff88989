//! `/disclosures/new`: the form of a disclosure outside the archive, and what becomes of it. The form's event goes to the inbound queue; its acknowledgement
//! is the answer. What was typed is kept in the session until it is taken.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::answers::{self, Told};
use super::event::{self, Around, Event};
use super::fields::{Choice, Field, Fields, Kind};
use super::form::{Form, ITEMS, Item};
use super::html::Html;
use super::road::Ending;
use super::session::Visit;
use super::{Asked, Console, guard, pages};
use crate::domain::ack::AckType;
use crate::domain::notice::RecipientKind;
use crate::domain::oid::Oid;
use crate::domain::staff::Role;
use crate::telemetry;
use crate::v3::ack::AckRead;

/// The page's path.
pub(super) const PATH: &str = "/disclosures/new";
/// Who reports disclosures.
pub(super) const ROLES: &[Role] = &[Role::Archivist, Role::Officer];
/// The root of events' ids where the site has none of its own: the arc of random numbers (ITU-T X.667).
const RANDOM: &str = "2.25";

/// What stands above the form.
enum Above<'w> {
    Nothing,
    /// Something is wrong with what was typed.
    Faults(Vec<Told>),
    /// The keys of a heading and of a sentence: it is not the form's fault.
    Calm(&'w str, &'w str),
}

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::acting(&console, &request, ROLES) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let form = console.desk.draft(&visit, Instant::now()).unwrap_or_else(|| empty(&console, &asked));
    page(&console, &asked, &visit, &form, StatusCode::OK, &Above::Nothing)
}

pub(super) async fn take(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::acting(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let mut form = Form::read(&pairs);
    match form.get("action") {
        "add" if form.items.len() < ITEMS => form.items.push(Item::default()),
        "remove" if form.items.len() > 1 => drop(form.items.pop()),
        "forget" => form = empty(&console, &asked),
        "send" => return send(&console, &asked, &visit, form).await,
        _ => {}
    }
    console.desk.keep(&visit, Some(form.clone()), Instant::now());
    page(&console, &asked, &visit, &form, StatusCode::OK, &Above::Nothing)
}

/// Sends what was typed and tells what became of it.
async fn send(console: &Console, asked: &Asked, visit: &Visit, mut form: Form) -> Response {
    let id = match Oid::parse(form.get("event")) {
        Ok(id) if id.is_under(&event_root(console)) => id,
        _ => fresh_id(console),
    };
    form.set("event", id.as_str());
    console.desk.keep(visit, Some(form.clone()), Instant::now());
    let needed = console.words.get("field-needed", asked.language);
    let missing: Vec<Told> = event::missing(&form).into_iter().map(|field| Told { field: Some(field), text: needed.to_owned() }).collect();
    if !missing.is_empty() {
        return page(console, asked, visit, &form, StatusCode::UNPROCESSABLE_ENTITY, &Above::Faults(missing));
    }
    let recorded = console.desk.recorded(visit, &id, form.digest(), console.clock.now(), Instant::now());
    let processing = console.environment().processing_codes().first().copied().unwrap_or("T");
    let around = Around { id: &id, recorded, system: &console.system, processing };
    let event = event::write(&form, &around, console.rules(), asked.language);
    let message_id = format!("console-{}-{}", id, recorded.micros());
    let (status, above) = match console.road.send(event.octets.clone(), message_id).await {
        Ending::Answered(ack) if ack.ack_type == AckType::Accept => {
            console.desk.keep(visit, None, Instant::now());
            return done(console, asked, &id, &event, &ack);
        }
        Ending::Answered(ack) => (StatusCode::UNPROCESSABLE_ENTITY, Above::Faults(answers::told(console, &event, &ack, "E", asked.language))),
        Ending::Unanswered => (StatusCode::GATEWAY_TIMEOUT, Above::Calm("waiting-heading", "waiting")),
        Ending::Busy => (StatusCode::SERVICE_UNAVAILABLE, Above::Calm("too-many-heading", "busy")),
        Ending::Away(why) => {
            telemetry::console_away(&why);
            (StatusCode::SERVICE_UNAVAILABLE, Above::Calm("away-heading", "away"))
        }
    };
    page(console, asked, visit, &form, status, &above)
}

fn done(console: &Console, asked: &Asked, id: &Oid, event: &Event, ack: &AckRead) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let remarks = answers::told(console, event, ack, "W", asked.language);
    pages::page(console, asked, StatusCode::OK, (word("done-heading"), word("done-heading")), |html| {
        html.leaf("p", &[("class", "good"), ("role", "status")], word("done"));
        html.open("dl", &[]);
        html.leaf("dt", &[], word("done-id"));
        html.leaf("dd", &[("id", "notice")], id.as_str());
        if let Some(position) = ack.position {
            html.leaf("dt", &[], word("done-position"));
            html.leaf("dd", &[], &position.to_string());
        }
        html.close("dl");
        if !remarks.is_empty() {
            html.leaf("h2", &[], word("done-remarks"));
            html.open("ul", &[]);
            remarks.iter().for_each(|remark| html.leaf("li", &[], &remark.text));
            html.close("ul");
        }
        html.open("p", &[]);
        html.leaf("a", &[("href", PATH)], word("done-another"));
        html.close("p");
    })
}

/// Beside the notices' own ids, which bear a year where these bear 0.
fn event_root(console: &Console) -> String {
    console.examiner.site().notices.as_ref().map_or_else(|| RANDOM.to_owned(), |site| format!("{}.0", site.id_root))
}

fn fresh_id(console: &Console) -> Oid {
    let random = console.entropy.sixteen().iter().take(8).fold(0_u64, |number, octet| number << 8 | u64::from(*octet)) >> 2;
    // A root of at most 34 characters, checked at start, and 19 digits always are an OID; the device's stands here so that nothing can panic.
    Oid::parse(&format!("{}.{random}", event_root(console))).unwrap_or_else(|_| console.system.clone())
}

fn empty(console: &Console, asked: &Asked) -> Form {
    let language = if asked.language == crate::domain::language::Language::Sv { "sv" } else { "fi" };
    Form::new(&[("event", fresh_id(console).as_str()), ("language", language)])
}

fn page(console: &Console, asked: &Asked, visit: &Visit, form: &Form, status: StatusCode, above: &Above<'_>) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let told: &[Told] = if let Above::Faults(told) = above { told } else { &[] };
    let title = if told.is_empty() { word("form-heading").to_owned() } else { format!("{}: {}", word("error"), word("form-heading")) };
    pages::page(console, asked, status, (&title, word("form-heading")), |html| {
        match above {
            Above::Nothing => {}
            Above::Faults(told) => summary(console, asked, html, told),
            Above::Calm(heading, text) => {
                html.open("div", &[("class", "calm"), ("role", "status")]);
                html.leaf("h2", &[], word(heading));
                html.leaf("p", &[], word(text));
                html.close("div");
            }
        }
        html.leaf("p", &[], word("form-intro"));
        html.open("form", &[("method", "post"), ("action", PATH), ("autocomplete", "off")]);
        html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
        html.open("input", &[("type", "hidden"), ("name", "event"), ("value", form.get("event"))]);
        let mut fields = Fields { html, console, language: asked.language, told };
        groups(&mut fields, form);
        buttons(console, asked, html, form);
        html.close("form");
    })
}

/// All that is wrong, each with the way to its field.
fn summary(console: &Console, asked: &Asked, html: &mut Html, told: &[Told]) {
    let word = |key| console.words.get(key, asked.language);
    html.open("div", &[("class", "summary"), ("role", "alert"), ("aria-labelledby", "summary")]);
    html.leaf("h2", &[("id", "summary")], word("summary"));
    html.leaf("p", &[], word("summary-text"));
    html.open("ul", &[]);
    for one in told {
        html.open("li", &[]);
        match &one.field {
            Some(field) => {
                let key = label_key(field);
                html.leaf("a", &[("href", &format!("#{field}"))], &format!("{}: {}", console.words.get(&key, asked.language), one.text));
            }
            None => html.text(&one.text),
        }
        html.close("li");
    }
    html.close("ul");
    html.close("div");
}

/// The key of a field's label; a data set's fields end in its number.
fn label_key(field: &str) -> String {
    match field.rsplit_once('_') {
        Some(("description", _)) => "field-item_description".to_owned(),
        Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) => format!("field-{name}"),
        _ => format!("field-{field}"),
    }
}

fn buttons(console: &Console, asked: &Asked, html: &mut Html, form: &Form) {
    let word = |key| console.words.get(key, asked.language);
    html.open("div", &[("class", "actions")]);
    // The Enter key presses a form's first button: the one that sends.
    html.leaf("button", &[("class", "main"), ("name", "action"), ("value", "send")], word("send"));
    for (action, is_there) in [("add", form.items.len() < ITEMS), ("remove", form.items.len() > 1), ("forget", true)] {
        if is_there {
            html.leaf("button", &[("name", "action"), ("value", action), ("formnovalidate", "")], word(action));
        }
    }
    html.close("div");
}

fn groups(fields: &mut Fields<'_>, form: &Form) {
    let typed = |fields: &mut Fields<'_>, name: &'static str, needed| fields.typed(Field::new(name, needed), Kind::Line, form.get(name));
    let oid = |fields: &mut Fields<'_>, name: &'static str, needed| fields.typed(Field::new(name, needed).hint("oid"), Kind::Line, form.get(name));
    fields.group(fields.word("part-client"), |fields| {
        typed(fields, "client_id", true);
        typed(fields, "client_family", false);
        typed(fields, "client_given", false);
    });
    fields.group(fields.word("part-disclosure"), |fields| {
        fields.typed(Field::new("disclosed_at", true), Kind::Time, form.get("disclosed_at"));
        for list in ["type", "purpose", "manner"] {
            fields.chosen(Field::new(list, true), &listed(fields, list), form.get(list), "choose");
        }
        let languages = [("fi".to_owned(), "Suomi".to_owned()), ("sv".to_owned(), "Svenska".to_owned())];
        fields.chosen(Field::new("language", true), &languages, form.get("language"), "");
    });
    basis(fields, form);
    fields.group(fields.word("part-discloser"), |fields| {
        for (name, needed) in [("discloser_id", true), ("discloser_family", false), ("discloser_given", false), ("discloser_title", false)] {
            typed(fields, name, needed);
        }
        oid(fields, "discloser_organisation", true);
        typed(fields, "discloser_organisation_name", true);
        oid(fields, "discloser_unit", false);
        typed(fields, "discloser_unit_name", false);
    });
    fields.group(fields.word("part-recipient"), |fields| {
        let kinds: Vec<&str> = RecipientKind::ALL.iter().map(|kind| kind.as_str()).collect();
        fields.chosen(Field::new("recipient_kind", true), &worded(fields, "kind-", &kinds), form.get("recipient_kind"), "choose");
        oid(fields, "recipient_organisation", false);
        typed(fields, "recipient_person", false);
        typed(fields, "recipient_name", false);
    });
    fields.group(fields.word("part-register"), |fields| {
        oid(fields, "controller", true);
        typed(fields, "controller_name", true);
        fields.chosen(Field::new("register", true), &listed(fields, "register"), form.get("register"), "choose");
    });
    for (at, item) in form.items.iter().enumerate() {
        data_set(fields, item, at + 1);
    }
    fields.group(fields.word("part-more"), |fields| {
        fields.typed(Field::new("description", false), Kind::Words, form.get("description"));
        oid(fields, "corrects", false);
    });
}

fn basis(fields: &mut Fields<'_>, form: &Form) {
    fields.group(fields.word("part-basis"), |fields| {
        let bases = worded(fields, "basis-", &["statute", "permission", "given-permission", "given-consent"]);
        fields.chosen(Field::new("basis", true), &bases, form.get("basis"), "choose");
        fields.typed(Field::new("statute", false).hint("statute"), Kind::Line, form.get("statute"));
        fields.typed(Field::new("permission", false).hint("permission"), Kind::Line, form.get("permission"));
        let givers = worded(fields, "giver-", &["client", "representative"]);
        fields.chosen(Field::new("given_by", false).hint("given_by"), &givers, form.get("given_by"), "none");
        fields.typed(Field::new("given_at", false), Kind::Time, form.get("given_at"));
        fields.typed(Field::new("given_scope", false), Kind::Words, form.get("given_scope"));
    });
}

fn data_set(fields: &mut Fields<'_>, item: &Item, number: usize) {
    let heading = format!("{} {number}", fields.word("part-item"));
    fields.group(&heading, |fields| {
        let named = |name: &str| format!("{name}_{number}");
        let field = |name: &'static str, label: &'static str, hint: &'static str| (name, Field { name: "", label, hint, needed: false });
        let (name, of) = field("description", "item_description", "item_description");
        fields.typed(Field { name: &named(name), ..of }, Kind::Words, item.get(name));
        let tasks = values(fields, "serviceTask");
        fields.several(Field { name: &named("task"), label: "task", hint: "task", needed: true }, &tasks, &item.tasks);
        let (name, of) = field("general", "general", "");
        let types = values(fields, "documentType");
        fields.chosen(Field { name: &named(name), ..of }, &types, item.get(name), "none");
        for (name, kind, hint) in [("precise", Kind::Line, ""), ("authored", Kind::Day, ""), ("document", Kind::Line, "oid"), ("set", Kind::Line, "oid")] {
            let (name, of) = field(name, name, hint);
            fields.typed(Field { name: &named(name), ..of }, kind, item.get(name));
        }
        let (name, of) = field("original", "original", "original");
        let originals: Vec<Choice> =
            fields.console.rules().tasks.originals().map(|(edition, system, code)| (format!("{system}|{code}"), format!("{edition}: {code}"))).collect();
        fields.chosen(Field { name: &named(name), ..of }, &originals, item.get(name), "none");
    });
}

/// A list of `codes/lilm.toml`.
fn listed(fields: &Fields<'_>, list: &str) -> Vec<Choice> {
    let lilm = &fields.console.rules().lilm;
    let codings = lilm.codes(list);
    let codings = codings.split(", ").filter_map(|code| lilm.coding(list, code, fields.language));
    codings.map(|coding| (coding.code.to_owned(), coding.display.to_owned())).collect()
}

/// A code system's values.
fn values(fields: &Fields<'_>, system: &str) -> Vec<Choice> {
    let at = fields.language as usize;
    let values = fields.console.rules().systems.get(system).map(|system| system.values.as_slice()).unwrap_or_default();
    values.iter().map(|value| (value.code.clone(), value.names.get(at).unwrap_or(&value.code).clone())).collect()
}

/// Codes of ours whose words are the pages'.
fn worded(fields: &Fields<'_>, begin: &str, codes: &[&str]) -> Vec<Choice> {
    codes.iter().map(|code| ((*code).to_owned(), fields.console.words.get(&format!("{begin}{code}"), fields.language).to_owned())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::form::{FIELDS, ITEM_FIELDS, TASK};
    use super::*;
    use crate::codes::console::ConsoleWords;
    use crate::codes::source::embedded;

    #[test]
    fn every_field_has_its_label() {
        let words = ConsoleWords::load(&embedded()).unwrap();
        let fields = FIELDS.iter().filter(|field| !matches!(**field, "event" | "csrf" | "action")).map(|field| (*field).to_owned());
        for field in fields.chain(ITEM_FIELDS.iter().chain([&TASK]).map(|field| format!("{field}_1"))) {
            assert!(words.has(&label_key(&field)), "{field}");
        }
    }
}
