//! Events of disclosures outside the archive (`xsd/arkki/outside-disclosure.xsd`): on paper, by word, to an authority, to the client.

use super::document::{Organisation, Professional};
use super::person::Person;
use crate::domain::language::Language;
use crate::domain::person::HETU_ROOT;
use crate::fhir::event::NAMESPACE;
use crate::xml::write;

/// Root of the professionals' register numbers.
const PROFESSIONALS: &str = "1.2.246.537.26";

/// An event before it is octets. The fields are open: a test makes one of its own by changing some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisclosureSpec {
    /// The event's id.
    pub id: String,
    /// The event whose notice it corrects.
    pub corrects: Option<String>,
    /// Finnish or Swedish.
    pub language: Language,
    /// `processingCode`.
    pub processing: &'static str,
    /// The sending system's device.
    pub system: String,
    /// The client.
    pub person: Person,
    /// When, as xs:dateTime.
    pub disclosed: String,
    /// When recorded.
    pub recorded: String,
    /// Code of the type.
    pub kind: &'static str,
    /// Code of the purpose.
    pub purpose: &'static str,
    /// Code of the manner.
    pub manner: &'static str,
    /// By what right.
    pub basis: BasisSpec,
    /// The professional who disclosed.
    pub professional: Professional,
    /// The controller, for whom the professional works.
    pub controller: Organisation,
    /// Who received: kind, organisation, name.
    pub recipient: (&'static str, Option<String>, Option<String>),
    /// The data sets, by register.
    pub registers: Vec<(&'static str, Vec<ItemSpec>)>,
    /// Free words.
    pub description: Option<String>,
}

/// By what right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BasisSpec {
    /// A statute with its section.
    Statute(String),
    /// An archived permission.
    Permission(String),
    /// A permission or consent that comes along: kind, giver, moment, whose (identity code), scope.
    Given(&'static str, &'static str, String, String, String),
}

/// A data set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemSpec {
    /// Whose, where it is said again: an identity code.
    pub person: Option<String>,
    /// The document's id.
    pub document: Option<String>,
    /// Its set.
    pub set: Option<String>,
    /// When it was drawn up, `YYYY-MM-DD`.
    pub authored: Option<String>,
    /// General document type: code and words.
    pub general: Option<(&'static str, &'static str)>,
    /// Free words.
    pub description: Option<String>,
    /// Service tasks.
    pub tasks: Vec<&'static str>,
    /// Original service tasks: code system and code.
    pub original: Vec<(&'static str, &'static str)>,
}

impl DisclosureSpec {
    /// A plan given on paper to another county, by statute.
    #[must_use]
    pub fn paper(id: String, person: Person) -> Self {
        Self {
            id,
            corrects: None,
            language: Language::Fi,
            processing: "T",
            system: Organisation::SAMPLE.unit.to_owned(),
            person,
            disclosed: "2026-11-20T09:30:00+02:00".to_owned(),
            recorded: "2026-11-20T09:35:00+02:00".to_owned(),
            kind: "document",
            purpose: "social-welfare",
            manner: "paper",
            basis: BasisSpec::Statute("703/2023 62 §".to_owned()),
            professional: Professional::SAMPLE,
            controller: Organisation::SAMPLE,
            recipient: ("controller", Some(Organisation::OTHER.unit.to_owned()), Some(Organisation::OTHER.name(Language::Fi).to_owned())),
            registers: vec![("1", vec![ItemSpec::words("Palvelutarpeen arvio, paperikopio", "25")])],
            description: None,
        }
    }

    /// The event's octets.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut x = String::with_capacity(4096);
        x.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        open(&mut x, 0, "OutsideDisclosure", &[("xmlns", NAMESPACE), ("language", self.language.as_str()), ("processingCode", self.processing)], ">");
        empty(&mut x, 1, "id", &[("root", &self.id)]);
        if let Some(corrects) = &self.corrects {
            empty(&mut x, 1, "corrects", &[("root", corrects)]);
        }
        empty(&mut x, 1, "system", &[("root", &self.system)]);
        open(&mut x, 1, "client", &[("root", HETU_ROOT), ("extension", &self.person.hetu)], ">");
        words(&mut x, 2, "family", self.person.family);
        words(&mut x, 2, "given", &self.person.given.join(" "));
        close(&mut x, 1, "client");
        empty(&mut x, 1, "disclosedAt", &[("value", &self.disclosed)]);
        empty(&mut x, 1, "recordedAt", &[("value", &self.recorded)]);
        for (name, code) in [("type", self.kind), ("purpose", self.purpose), ("manner", self.manner)] {
            empty(&mut x, 1, name, &[("code", code)]);
        }
        self.basis(&mut x);
        self.discloser(&mut x);
        let (kind, organisation, name) = &self.recipient;
        open(&mut x, 1, "recipient", &[("kind", kind)], ">");
        if let Some(organisation) = organisation {
            empty(&mut x, 2, "organisation", &[("root", organisation)]);
        }
        if let Some(name) = name {
            words(&mut x, 2, "name", name);
        }
        close(&mut x, 1, "recipient");
        for (register, items) in &self.registers {
            open(&mut x, 1, "register", &[("type", register)], ">");
            empty(&mut x, 2, "controller", &[("root", self.controller.unit), ("name", self.controller.name(self.language))]);
            items.iter().for_each(|item| item.render(&mut x));
            close(&mut x, 1, "register");
        }
        if let Some(description) = &self.description {
            words(&mut x, 1, "description", description);
        }
        close(&mut x, 0, "OutsideDisclosure");
        x.into_bytes()
    }

    fn basis(&self, x: &mut String) {
        open(x, 1, "basis", &[], ">");
        match &self.basis {
            BasisSpec::Statute(statute) => words(x, 2, "statute", statute),
            BasisSpec::Permission(id) => empty(x, 2, "permission", &[("root", id)]),
            BasisSpec::Given(kind, by, at, hetu, scope) => {
                open(x, 2, "given", &[("kind", kind), ("by", by), ("at", at)], ">");
                empty(x, 3, "client", &[("root", HETU_ROOT), ("extension", hetu)]);
                words(x, 3, "scope", scope);
                close(x, 2, "given");
            }
        }
        close(x, 1, "basis");
    }

    fn discloser(&self, x: &mut String) {
        let who = &self.professional;
        open(x, 1, "discloser", &[("authentication", "1")], ">");
        open(x, 2, "person", &[("root", PROFESSIONALS), ("extension", who.number)], ">");
        words(x, 3, "family", who.family);
        words(x, 3, "given", who.given);
        close(x, 2, "person");
        words(x, 2, "title", if self.language == Language::Sv { "socionom" } else { "sosionomi" });
        empty(x, 2, "organisation", &[("root", self.controller.unit), ("name", self.controller.name(self.language))]);
        empty(x, 2, "unit", &[("root", self.controller.service_unit), ("name", self.controller.service_unit_name(self.language))]);
        close(x, 1, "discloser");
    }
}

impl ItemSpec {
    /// A data set described in words.
    #[must_use]
    pub fn words(description: &str, task: &'static str) -> Self {
        Self { description: Some(description.to_owned()), tasks: vec![task], ..Self::default() }
    }

    fn render(&self, x: &mut String) {
        let authored: Vec<(&str, &str)> = self.authored.iter().map(|day| ("authored", day.as_str())).collect();
        open(x, 2, "item", &authored, ">");
        if let Some(hetu) = &self.person {
            empty(x, 3, "client", &[("root", HETU_ROOT), ("extension", hetu)]);
        }
        for (name, id) in [("document", &self.document), ("set", &self.set)] {
            if let Some(id) = id {
                empty(x, 3, name, &[("root", id)]);
            }
        }
        if let Some((code, display)) = self.general {
            empty(x, 3, "generalType", &[("code", code), ("displayName", display)]);
        }
        if let Some(description) = &self.description {
            words(x, 3, "description", description);
        }
        for task in &self.tasks {
            empty(x, 3, "serviceTask", &[("code", task)]);
        }
        for (system, code) in &self.original {
            empty(x, 3, "originalServiceTask", &[("code", code), ("codeSystem", system)]);
        }
        close(x, 2, "item");
    }
}

fn open(x: &mut String, depth: usize, name: &str, attributes: &[(&str, &str)], end: &str) {
    x.extend(std::iter::repeat_n("  ", depth));
    x.push('<');
    x.push_str(name);
    attributes.iter().for_each(|(name, value)| write::attribute(x, name, value));
    x.push_str(end);
    x.push('\n');
}

fn empty(x: &mut String, depth: usize, name: &str, attributes: &[(&str, &str)]) {
    open(x, depth, name, attributes, "/>");
}

fn close(x: &mut String, depth: usize, name: &str) {
    x.extend(std::iter::repeat_n("  ", depth));
    x.push_str("</");
    x.push_str(name);
    x.push_str(">\n");
}

fn words(x: &mut String, depth: usize, name: &str, text: &str) {
    x.extend(std::iter::repeat_n("  ", depth));
    x.push('<');
    x.push_str(name);
    x.push('>');
    write::text(x, text);
    x.push_str("</");
    x.push_str(name);
    x.push_str(">\n");
}
