//! A disclosure outside the archive as it is typed, on the command line or in the console, written as an event of `xsd/arkki/outside-disclosure.xsd`; and which
//! field each place of the event came from, so that a finding is shown beside it. Nothing is judged here: the gateway does that, as for every other sender.

use super::event::{NAMESPACE, ROOT};
use crate::codes::rule_set::RuleSet;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::person::HETU_ROOT;
use crate::domain::time::{Hl7Time, Moment};
use crate::xml::write;

/// Root of the professionals' register numbers (ammattihenkilön rekisteröintinumero).
const PROFESSIONALS: &str = "1.2.246.537.26";
/// An event's octets are some thousands; one of ten data sets a few more.
const OCTETS: usize = 8 * 1024;

/// What was typed, field by field: `client_id`, `disclosed_at`, `basis`, … What was not is empty.
pub trait Typed {
    /// A field's value.
    fn get(&self, field: &str) -> &str;

    /// How many data sets there are.
    fn items(&self) -> usize;

    /// A data set's field; the first is 0.
    fn of_item(&self, item: usize, field: &str) -> &str;

    /// A data set's service tasks.
    fn tasks(&self, item: usize) -> &[String];
}

/// An event, and where its fields stand in it.
pub struct Event {
    /// The octets.
    pub octets: Vec<u8>,
    /// The path of each place that a field's value stands at, and the field.
    pub places: Vec<(String, String)>,
}

/// What of an event no field says.
pub struct Around<'a> {
    /// Its id.
    pub id: &'a Oid,
    /// When it was recorded.
    pub recorded: Moment,
    /// The sending system.
    pub system: &'a Oid,
    /// The processing code of this environment.
    pub processing: &'a str,
}

impl Event {
    /// The field that a finding's path belongs to: the field itself, the field whose element it lies in, or the first field in the element it names.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<&str> {
        let under = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let within = self.places.iter().filter(|(place, _)| under(place, path)).max_by_key(|(place, _)| place.len());
        within.or_else(|| self.places.iter().find(|(place, _)| path != "/" && under(path, place))).map(|(_, field)| field.as_str())
    }
}

/// Writes the event.
#[must_use]
pub fn write(form: &dyn Typed, around: &Around<'_>, rules: &RuleSet, language: Language) -> Event {
    let mut w = Writer { out: String::with_capacity(OCTETS), path: String::new(), places: Vec::new() };
    w.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let said = if form.get("language") == "sv" { "sv" } else { "fi" };
    w.open(ROOT, &[("xmlns", NAMESPACE, ""), ("language", said, "language"), ("processingCode", around.processing, "")]);
    w.empty("id", &[("root", around.id.as_str(), "")]);
    w.empty_if("corrects", &[("root", form.get("corrects"), "corrects")]);
    w.empty("system", &[("root", around.system.as_str(), "")]);
    w.open("client", &[("root", HETU_ROOT, ""), ("extension", form.get("client_id"), "client_id")]);
    w.words("family", form.get("client_family"), "client_family");
    w.words("given", form.get("client_given"), "client_given");
    w.close("client");
    w.empty("disclosedAt", &[("value", &moment(form.get("disclosed_at")), "disclosed_at")]);
    // Nobody types it: what does not fit it is mended in the other time.
    w.empty("recordedAt", &[("value", &around.recorded.to_iso(), "disclosed_at")]);
    for field in ["type", "purpose", "manner"] {
        w.empty(field, &[("code", form.get(field), field)]);
    }
    basis(&mut w, form);
    discloser(&mut w, form);
    w.open("recipient", &[("kind", form.get("recipient_kind"), "recipient_kind")]);
    w.empty_if("organisation", &[("root", form.get("recipient_organisation"), "recipient_organisation")]);
    if !form.get("recipient_person").is_empty() {
        w.empty("person", &[("root", HETU_ROOT, ""), ("extension", form.get("recipient_person"), "recipient_person")]);
    }
    w.words("name", form.get("recipient_name"), "recipient_name");
    w.close("recipient");
    w.open("register", &[("type", form.get("register"), "register")]);
    w.empty("controller", &[("root", form.get("controller"), "controller"), ("name", form.get("controller_name"), "controller_name")]);
    for at in 0..form.items() {
        item(&mut w, form, at, rules, language);
    }
    w.close("register");
    w.words("description", form.get("description"), "description");
    w.close(ROOT);
    Event { octets: w.out.into_bytes(), places: w.places }
}

fn basis(w: &mut Writer, form: &dyn Typed) {
    w.open("basis", &[]);
    match form.get("basis") {
        "permission" => w.empty("permission", &[("root", form.get("permission"), "permission")]),
        given @ ("given-permission" | "given-consent") => {
            let kind = given.trim_start_matches("given-");
            let at = moment(form.get("given_at"));
            w.open("given", &[("kind", kind, "basis"), ("by", form.get("given_by"), "given_by"), ("at", &at, "given_at")]);
            w.empty("client", &[("root", HETU_ROOT, ""), ("extension", form.get("client_id"), "client_id")]);
            w.words("scope", form.get("given_scope"), "given_scope");
            w.close("given");
        }
        _ => w.words("statute", form.get("statute"), "statute"),
    }
    w.close("basis");
}

fn discloser(w: &mut Writer, form: &dyn Typed) {
    w.open("discloser", &[]);
    w.open("person", &[("root", PROFESSIONALS, ""), ("extension", form.get("discloser_id"), "discloser_id")]);
    w.words("family", form.get("discloser_family"), "discloser_family");
    w.words("given", form.get("discloser_given"), "discloser_given");
    w.close("person");
    w.words("title", form.get("discloser_title"), "discloser_title");
    w.empty(
        "organisation",
        &[
            ("root", form.get("discloser_organisation"), "discloser_organisation"),
            ("name", form.get("discloser_organisation_name"), "discloser_organisation_name"),
        ],
    );
    if !form.get("discloser_unit").is_empty() {
        w.empty("unit", &[("root", form.get("discloser_unit"), "discloser_unit"), ("name", form.get("discloser_unit_name"), "discloser_unit_name")]);
    }
    w.close("discloser");
}

fn item(w: &mut Writer, form: &dyn Typed, at: usize, rules: &RuleSet, language: Language) {
    let (number, get, tasks) = (at + 1, |field: &str| form.of_item(at, field), form.tasks(at));
    let step = if form.items() > 1 { format!("item[{number}]") } else { "item".to_owned() };
    let field = |name: &str| format!("{name}_{number}");
    let authored = field("authored");
    let attributes: &[_] = if get("authored").is_empty() { &[] } else { &[("authored", get("authored"), authored.as_str())] };
    w.open_as("item", &step, attributes);
    // Of a data set as a whole its description speaks first.
    w.places.push((w.path.clone(), field("description")));
    w.empty_if("document", &[("root", get("document"), &field("document"))]);
    w.empty_if("set", &[("root", get("set"), &field("set"))]);
    for (element, name, system) in [("generalType", "general", "documentType"), ("preciseType", "precise", "specificType")] {
        let code = get(name);
        if !code.is_empty() {
            w.empty(element, &[("code", code, &field(name)), ("displayName", display(rules, system, code, language), &field(name))]);
        }
    }
    w.words("description", get("description"), &field("description"));
    for (at, task) in tasks.iter().enumerate() {
        let step = if tasks.len() > 1 { format!("serviceTask[{}]", at + 1) } else { "serviceTask".to_owned() };
        w.empty_as("serviceTask", &step, &[("code", task, &field("task"))]);
    }
    if let Some((system, code)) = get("original").split_once('|') {
        w.empty("originalServiceTask", &[("code", code, &field("original")), ("codeSystem", system, &field("original"))]);
    }
    w.close("item");
}

/// A code's name; the code itself where the list does not have it.
fn display<'a>(rules: &'a RuleSet, system: &str, code: &'a str, language: Language) -> &'a str {
    let names = rules.systems.get(system).and_then(|s| s.value(code)).map(|value| &value.names);
    names.and_then(|names| names.get(usize::from(language == Language::Sv))).map_or(code, String::as_str)
}

/// `2026-11-20T09:30`, a Finnish clock's, as a moment with its zone; what is no such time goes as it is and comes back with a finding.
fn moment(typed: &str) -> String {
    let shape = |c: &char| !matches!(c, '-' | 'T' | ':' | ' ');
    let mut digits: String = typed.chars().filter(shape).collect();
    if digits.len() == 12 {
        digits.push_str("00");
    }
    match Hl7Time::parse(&digits) {
        Ok(time) if digits.len() == 14 => time.moment.to_iso(),
        _ => typed.to_owned(),
    }
}

/// An attribute: name, value, and the field it came from (empty: none).
type Given<'a> = (&'a str, &'a str, &'a str);

struct Writer {
    out: String,
    path: String,
    places: Vec<(String, String)>,
}

impl Writer {
    fn open(&mut self, name: &str, attributes: &[Given<'_>]) {
        self.open_as(name, name, attributes);
    }

    /// `step`: the name with its position, where it has one.
    fn open_as(&mut self, name: &str, step: &str, attributes: &[Given<'_>]) {
        self.path.push('/');
        self.path.push_str(step);
        let plain: Vec<(&str, &str)> = attributes.iter().map(|(name, value, _)| (*name, *value)).collect();
        write::open(&mut self.out, name, &plain);
        for (attribute, _, field) in attributes.iter().filter(|(_, _, field)| !field.is_empty()) {
            self.places.push((format!("{}/@{attribute}", self.path), (*field).to_owned()));
        }
    }

    fn close(&mut self, name: &str) {
        write::close(&mut self.out, name);
        self.out.push('\n');
        let end = self.path.rfind('/').unwrap_or(0);
        self.path.truncate(end);
    }

    fn empty(&mut self, name: &str, attributes: &[Given<'_>]) {
        self.empty_as(name, name, attributes);
    }

    fn empty_as(&mut self, name: &str, step: &str, attributes: &[Given<'_>]) {
        self.open_as(name, step, attributes);
        self.close(name);
    }

    /// An element of one attribute, left out where that is empty.
    fn empty_if(&mut self, name: &str, attributes: &[Given<'_>]) {
        if attributes.iter().any(|(_, value, _)| !value.is_empty()) {
            self.empty(name, attributes);
        }
    }

    /// An element of words, left out where there are none.
    fn words(&mut self, name: &str, text: &str, field: &str) {
        if text.is_empty() {
            return;
        }
        self.open(name, &[]);
        self.places.push((self.path.clone(), field.to_owned()));
        write::text(&mut self.out, text);
        self.close(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finnish_clock_has_its_zone() {
        assert_eq!(moment("2026-07-01T12:00"), "2026-07-01T09:00:00.000Z");
        assert_eq!(moment("2026-02-30T12:00"), "2026-02-30T12:00");
        assert_eq!(moment("yesterday"), "yesterday");
    }
}
