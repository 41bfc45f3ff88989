//! The notice of a disclosure outside the archive as a CDA R2 document of view LILM (messaging.md §4.2): a document of the patient family (local header,
//! structured body) whose sections say for people and in typed values what the FHIR bundle says. Pure and deterministic: the same event makes the same octets.

use super::layout::Layout;
use super::seal::SealPoint;
use crate::codes::rule_set::RuleSet;
use crate::codes::signatures::SigningPlace;
use crate::domain::language::Language;
use crate::domain::notice::{Basis, Coded, Item, NoticeRecord, Organisation, OutsideDisclosure, Permission, Person, Professional, Recipient, Section};
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::xml::tree::{self, HL7, HL7FI};
use crate::xml::write;

/// A document's octets but for the text of its data sets, which come on top of them.
const OCTETS: usize = 16 * 1024;

/// A document before its signature, and where that goes.
#[derive(Debug)]
pub struct Unsealed {
    /// The document.
    pub text: String,
    /// The place.
    pub point: SealPoint,
}

/// Makes the document under this id; `corrected` is the earlier notice that it corrects.
///
/// # Errors
/// What keeps it from being sealed: a defect of ours, or a site's signature profile for the patient family that has no place in it.
pub fn make(event: &OutsideDisclosure, id: &Oid, corrected: Option<&NoticeRecord>, rules: &RuleSet) -> Result<Unsealed, &'static str> {
    let text = render(event, id, corrected, rules);
    let point = {
        let document = tree::parse(&text).map_err(|_| "it is not well-formed")?;
        let layout = Layout::within(&document, rules.signatures.at(SigningPlace::PatientHeader));
        SealPoint::in_layout(&layout).map_err(|_| "it has no place for a signature")?
    };
    Ok(Unsealed { text, point })
}

fn render(event: &OutsideDisclosure, id: &Oid, corrected: Option<&NoticeRecord>, rules: &RuleSet) -> String {
    let mut w = Writer { out: String::with_capacity(OCTETS), rules, language: Language::parse(&event.language).unwrap_or(Language::Fi) };
    w.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let spaces = [("xmlns", HL7), ("xmlns:hl7fi", HL7FI), ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")];
    write::open(&mut w.out, "ClinicalDocument", &spaces);
    header(&mut w, event, id);
    local_header(&mut w);
    w.open("component");
    write::open(&mut w.out, "structuredBody", &[("ID", &format!("OID{id}"))]);
    w.open("component");
    w.open("section");
    w.cda_code("code", "view");
    let title = w.cda_words("view");
    write::element(&mut w.out, "title", &[], &title);
    body(&mut w, event, corrected);
    for name in ["section", "component", "structuredBody", "component", "ClinicalDocument"] {
        write::close(&mut w.out, name);
    }
    w.out
}

fn header(w: &mut Writer<'_>, event: &OutsideDisclosure, id: &Oid) {
    let controller = event.sections.first().map(|section| &section.controller);
    write::empty(&mut w.out, "realmCode", &[("code", "FI")]);
    write::empty(&mut w.out, "typeId", &[("root", "2.16.840.1.113883.1.3"), ("extension", "POCD_HD000040")]);
    w.id("id", id.as_str(), None);
    match event.sections.first() {
        Some(section) => w.listed("code", "register", &section.register),
        None => write::empty(&mut w.out, "code", &[("nullFlavor", "NA")]),
    }
    let title = w.cda_words("view");
    write::element(&mut w.out, "title", &[], &title);
    write::empty(&mut w.out, "effectiveTime", &[("value", &event.recorded_at.to_hl7())]);
    w.cda_code("confidentialityCode", "confidentiality");
    write::empty(&mut w.out, "languageCode", &[("code", w.language.as_str())]);
    w.id("setId", id.as_str(), None);
    write::empty(&mut w.out, "versionNumber", &[("value", "1")]);
    w.open("recordTarget");
    w.open("patientRole");
    w.person_id(&event.client);
    if event.client.family.is_some() || event.client.given.is_some() {
        w.open("patient");
        w.name(&event.client);
        w.close("patient");
    }
    w.close("patientRole");
    w.close("recordTarget");
    author(w, event);
    for name in ["custodian", "assignedCustodian", "representedCustodianOrganization"] {
        w.open(name);
    }
    if let Some(controller) = controller {
        w.organisation(controller);
    }
    for name in ["representedCustodianOrganization", "assignedCustodian", "custodian"] {
        w.close(name);
    }
}

/// Who wrote it down, for which organisation and unit.
fn author(w: &mut Writer<'_>, event: &OutsideDisclosure) {
    let who = event.author.as_ref().unwrap_or(&event.discloser);
    w.open("author");
    write::empty(&mut w.out, "time", &[("value", &event.recorded_at.to_hl7())]);
    w.open("assignedAuthor");
    w.person_id(&who.person);
    if who.person.family.is_some() || who.person.given.is_some() {
        w.open("assignedPerson");
        w.name(&who.person);
        w.close("assignedPerson");
    }
    w.open("representedOrganization");
    match &who.unit {
        None => w.organisation(&who.organisation),
        Some(unit) => {
            w.organisation(unit);
            w.open("asOrganizationPartOf");
            w.open("wholeOrganization");
            w.organisation(&who.organisation);
            w.close("wholeOrganization");
            w.close("asOrganizationPartOf");
        }
    }
    for name in ["representedOrganization", "assignedAuthor", "author"] {
        w.close(name);
    }
}

fn local_header(w: &mut Writer<'_>) {
    w.open("hl7fi:localHeader");
    w.open("hl7fi:tableOfContents");
    w.cda_code("hl7fi:contentsCode", "view");
    w.close("hl7fi:tableOfContents");
    w.cda_code("hl7fi:fileFormat", "file-format");
    let software = [("moderator", "Arkki"), ("product", "Arkki"), ("version", env!("CARGO_PKG_VERSION"))];
    write::empty(&mut w.out, "hl7fi:softwareSupport", &software);
    w.cda_code("hl7fi:documentType", "document-type");
    w.cda_code("hl7fi:recordStatus", "record-status");
    w.close("hl7fi:localHeader");
}

fn body(w: &mut Writer<'_>, event: &OutsideDisclosure, corrected: Option<&NoticeRecord>) {
    w.field("event", &[Value::Id(event.id.as_str(), None)]);
    if let Some(id) = corrected.and_then(NoticeRecord::cda_id) {
        // The event first, by which the archive knows the notice; then the document that it may have left as.
        let event = corrected.map_or("", |record| record.id.as_str());
        w.field("corrects", &[Value::Id(event, None), Value::Id(id.as_str(), None)]);
    }
    w.group("client", |w| person(w, &event.client));
    w.field("disclosed", &[Value::Time(event.disclosed_at)]);
    w.field("recorded", &[Value::Time(event.recorded_at)]);
    for (field, code) in [("type", &event.kind), ("purpose", &event.purpose), ("manner", &event.manner)] {
        w.field(field, &[Value::Listed(field, code)]);
    }
    basis(w, &event.basis);
    w.group("discloser", |w| professional(w, &event.discloser));
    if let Some(author) = &event.author {
        w.group("author", |w| professional(w, author));
    }
    w.group("recipient", |w| recipient(w, &event.recipient, &event.client));
    for section in &event.sections {
        w.group("register", |w| register(w, section));
    }
    if let Some(words) = &event.description {
        w.field("description", &[Value::Words(words)]);
    }
}

fn basis(w: &mut Writer<'_>, basis: &Basis) {
    match basis {
        Basis::Statute(section) => w.field("basis", &[Value::Words(section)]),
        Basis::Permission(id) => w.field("permission", &[Value::Id(id.as_str(), None)]),
        Basis::Embedded(given) => w.group(if given.is_consent { "consent" } else { "permission" }, |w| permission(w, given)),
    }
}

/// A permission or consent that is in no store comes along as it was reported.
fn permission(w: &mut Writer<'_>, given: &Permission) {
    let words = match (w.language, given.by_representative) {
        (Language::Fi, true) => "Laillinen edustaja",
        (Language::Sv, true) => "Laglig företrädare",
        (Language::En, true) => "Legal representative",
        (Language::Fi, false) => "Asiakas",
        (Language::Sv, false) => "Klienten",
        (Language::En, false) => "Client",
    };
    w.field("giver", &[Value::Words(words)]);
    w.field("given", &[Value::Time(given.given_at)]);
    w.field("description", &[Value::Words(&given.scope)]);
}

fn professional(w: &mut Writer<'_>, who: &Professional) {
    w.group("person", |w| person(w, &who.person));
    if let Some(title) = &who.title {
        w.field("title", &[Value::Words(title)]);
    }
    if let Some(code) = &who.authentication {
        w.field("authentication", &[Value::Listed("authentication", code)]);
    }
    for (field, organisation) in [("organisation", Some(&who.organisation)), ("unit", who.unit.as_ref())] {
        if let Some(organisation) = organisation {
            w.field(field, &[Value::Id(organisation.id.as_str(), None), Value::Words(&organisation.name)]);
        }
    }
}

fn recipient(w: &mut Writer<'_>, recipient: &Recipient, client: &Person) {
    if recipient.kind == crate::domain::notice::RecipientKind::Client {
        person(w, client);
        return;
    }
    let mut values = Vec::new();
    values.extend(recipient.organisation.as_ref().map(|id| Value::Id(id.as_str(), None)));
    values.extend(recipient.person.as_ref().map(|(root, extension)| Value::Id(root, Some(extension))));
    values.extend(recipient.name.as_deref().map(Value::Words));
    w.field(if recipient.person.is_some() { "person" } else { "organisation" }, &values);
}

fn register(w: &mut Writer<'_>, section: &Section) {
    w.field("controller", &[Value::Id(section.controller.id.as_str(), None), Value::Words(&section.controller.name)]);
    w.field("register-type", &[Value::Listed("register", &section.register)]);
    for item in &section.items {
        w.group("data", |w| data(w, item));
    }
}

fn data(w: &mut Writer<'_>, item: &Item) {
    let ids: Vec<Value<'_>> = [&item.document, &item.set_id].into_iter().flatten().map(|id| Value::Id(id.as_str(), None)).collect();
    if !ids.is_empty() {
        w.field("document", &ids);
    }
    let types: Vec<Value<'_>> = [&item.general_type, &item.precise_type].into_iter().flatten().map(Value::Coded).collect();
    if !types.is_empty() {
        w.field("document-type", &types);
    }
    if let Some(words) = &item.description {
        w.field("description", &[Value::Words(words)]);
    }
    let tasks: Vec<Value<'_>> = item.tasks.iter().map(|code| Value::Task(code)).collect();
    w.field("task", &tasks);
    let original: Vec<Value<'_>> = item.original_tasks.iter().map(|(system, code)| Value::Original(system, code)).collect();
    if !original.is_empty() {
        w.field("original-task", &original);
    }
}

fn person(w: &mut Writer<'_>, person: &Person) {
    let names: Vec<&str> = [&person.given, &person.family].into_iter().flatten().map(String::as_str).collect();
    let name = names.join(" ");
    let mut values = Vec::new();
    values.extend(person.id.as_ref().map(|(root, extension)| Value::Id(root, Some(extension))));
    if !name.is_empty() {
        values.push(Value::Words(&name));
    }
    w.field("person", &values);
}

/// One value of a field.
enum Value<'v> {
    Words(&'v str),
    Id(&'v str, Option<&'v str>),
    Time(Moment),
    /// A code of a list of `codes/lilm.toml`.
    Listed(&'v str, &'v str),
    /// A code with its own system.
    Coded(&'v Coded),
    /// A service task.
    Task(&'v str),
    /// An original service task: code system and code.
    Original(&'v str, &'v str),
}

struct Writer<'r> {
    out: String,
    rules: &'r RuleSet,
    language: Language,
}

impl Writer<'_> {
    fn open(&mut self, name: &str) {
        write::open(&mut self.out, name, &[]);
    }

    fn close(&mut self, name: &str) {
        write::close(&mut self.out, name);
    }

    fn id(&mut self, name: &str, root: &str, extension: Option<&str>) {
        let attributes: Vec<(&str, &str)> = std::iter::once(("root", root)).chain(extension.map(|extension| ("extension", extension))).collect();
        write::empty(&mut self.out, name, &attributes);
    }

    fn person_id(&mut self, person: &Person) {
        match &person.id {
            Some((root, extension)) => self.id("id", root, Some(extension)),
            None => write::empty(&mut self.out, "id", &[("nullFlavor", "NA")]),
        }
    }

    fn name(&mut self, person: &Person) {
        self.open("name");
        for given in person.given.as_deref().unwrap_or_default().split(' ').filter(|given| !given.is_empty()) {
            write::element(&mut self.out, "given", &[], given);
        }
        if let Some(family) = &person.family {
            write::element(&mut self.out, "family", &[], family);
        }
        self.close("name");
    }

    fn organisation(&mut self, organisation: &Organisation) {
        self.id("id", organisation.id.as_str(), None);
        write::element(&mut self.out, "name", &[], &organisation.name);
    }

    fn cda_words(&self, list: &str) -> String {
        self.rules.lilm.cda(list, None, self.language).map_or_else(String::new, |(coding, _)| coding.display.to_owned())
    }

    /// The one code of a list that only this document names.
    fn cda_code(&mut self, element: &str, list: &str) {
        let rules = self.rules;
        if let Some((coding, name)) = rules.lilm.cda(list, None, self.language) {
            code(&mut self.out, element, None, (coding.code, coding.system, name, coding.display));
        }
    }

    /// A code of a list that the bundle names too.
    fn listed(&mut self, element: &str, list: &str, value: &str) {
        let rules = self.rules;
        let display = rules.lilm.coding(list, value, self.language).map_or("", |coding| coding.display);
        code(&mut self.out, element, None, (value, oid(rules.lilm.system(list)), rules.lilm.name(list), display));
    }

    /// A field with parts.
    fn group(&mut self, field: &str, parts: impl FnOnce(&mut Self)) {
        self.section(field);
        parts(self);
        self.close("section");
        self.close("component");
    }

    /// A field: its words for people, each value typed for machines. The archive's narrative has a paragraph a value.
    fn field(&mut self, field: &str, values: &[Value<'_>]) {
        self.section(field);
        self.open("text");
        for value in values {
            let words = self.words(value);
            write::element(&mut self.out, "paragraph", &[], &words);
        }
        self.close("text");
        for value in values {
            self.open("entry");
            write::open(&mut self.out, "observation", &[("classCode", "OBS"), ("moodCode", "EVN")]);
            self.field_code(field);
            self.value(value);
            self.close("observation");
            self.close("entry");
        }
        self.close("section");
        self.close("component");
    }

    /// Opens a field's section, up to its title.
    fn section(&mut self, field: &str) {
        self.open("component");
        self.open("section");
        self.field_code(field);
        let rules = self.rules;
        let title = rules.lilm.cda("field", Some(field), self.language).map_or(field, |(coding, _)| coding.display);
        write::element(&mut self.out, "title", &[], title);
    }

    fn field_code(&mut self, field: &str) {
        let rules = self.rules;
        // A site's file may have left a field out: its key stands alone then.
        let (system, name) = rules.lilm.cda("field", None, self.language).map_or(("", ""), |(coding, name)| (coding.system, name));
        let display = rules.lilm.cda("field", Some(field), self.language).map_or("", |(coding, _)| coding.display);
        code(&mut self.out, "code", None, (field, system, name, display));
    }

    fn words(&self, value: &Value<'_>) -> String {
        let lilm = &self.rules.lilm;
        match value {
            Value::Words(words) => (*words).to_owned(),
            Value::Id(root, None) => (*root).to_owned(),
            Value::Id(root, Some(extension)) if *root == crate::domain::person::HETU_ROOT => (*extension).to_owned(),
            Value::Id(root, Some(extension)) => format!("{extension} ({root})"),
            Value::Time(moment) => for_people(*moment),
            Value::Listed(list, value) => lilm.coding(list, value, self.language).map_or(*value, |coding| coding.display).to_owned(),
            Value::Coded(coded) => coded.display.clone(),
            Value::Task(value) => format!("{value} {}", self.task(value)).trim_end().to_owned(),
            Value::Original(system, value) => format!("{value} ({system})"),
        }
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Words(words) => {
                write::element(&mut self.out, "value", &[("xsi:type", "ST")], words);
            }
            Value::Id(root, extension) => {
                let typed = [("xsi:type", "II"), ("root", *root)];
                let attributes: Vec<(&str, &str)> = typed.into_iter().chain(extension.map(|extension| ("extension", extension))).collect();
                write::empty(&mut self.out, "value", &attributes);
            }
            Value::Time(moment) => write::empty(&mut self.out, "value", &[("xsi:type", "TS"), ("value", &moment.to_hl7())]),
            Value::Listed(list, value) => {
                let rules = self.rules;
                let display = rules.lilm.coding(list, value, self.language).map_or("", |coding| coding.display);
                code(&mut self.out, "value", Some("CD"), (value, oid(rules.lilm.system(list)), rules.lilm.name(list), display));
            }
            Value::Coded(coded) => code(&mut self.out, "value", Some("CD"), (&coded.code, oid(&coded.system), "", &coded.display)),
            Value::Task(value) => {
                let rules = self.rules;
                let display = self.task(value).to_owned();
                let lilm = &rules.lilm;
                code(&mut self.out, "value", Some("CD"), (value, oid(lilm.system("service-task")), lilm.name("service-task"), &display));
            }
            Value::Original(system, value) => code(&mut self.out, "value", Some("CD"), (value, oid(system), "", "")),
        }
    }

    /// A service task's words; empty for one without.
    fn task(&self, value: &str) -> &str {
        let names = self.rules.systems.get("serviceTask").and_then(|system| system.value(value)).map(|value| &value.names);
        // Finnish, Swedish, English stand in this order.
        names.and_then(|names| names.get(self.language as usize).or_else(|| names.first())).map_or("", String::as_str)
    }
}

/// A coded element; what is empty is left out.
fn code(out: &mut String, element: &str, kind: Option<&str>, (value, system, name, display): (&str, &str, &str, &str)) {
    let all = [("xsi:type", kind.unwrap_or("")), ("code", value), ("codeSystem", system), ("codeSystemName", name), ("displayName", display)];
    write::empty(out, element, &all.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>());
}

/// A code system as CDA names it: its OID.
fn oid(uri: &str) -> &str {
    uri.strip_prefix("urn:oid:").unwrap_or(uri)
}

/// `20.11.2026 09.30`, Finnish time.
fn for_people(moment: Moment) -> String {
    let text = moment.to_hl7();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let plain = |digits: &str| digits.trim_start_matches('0').to_owned();
    format!("{}.{}.{} {}.{}", plain(part(6, 8)), plain(part(4, 6)), part(0, 4), part(8, 10), part(10, 12))
}
