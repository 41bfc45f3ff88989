//! The octets of what is imported: client-relation and case documents with JSON and a display form of their own, old documents around their file.
//! Nothing in them comes from a clock or a die, so the same import makes the same octets again, and a second sending is a repeat.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::plan::{Item, Plan};
use super::row::{Client, hl7, iso};
use super::table::Mapping;
use super::terms::{Term, Terms};
use crate::domain::document::Date;
use crate::domain::language::Language;
use crate::xml::tree::{HL7, HL7FI};
use crate::xml::write::{attribute, close, element, empty, open};

/// Room for everything but the body: names are bounded by the manifest's values.
const HEAD_OCTETS: usize = 8_192;

/// Makes documents of one import.
pub struct Composer<'a> {
    /// Coded terms.
    pub terms: &'a Terms,
    /// Whose documents they are.
    pub mapping: &'a Mapping,
    /// The import's own arc under the mapping's `ids`.
    pub import: u32,
    /// When the import began, as an HL7 timestamp: the creation time of all its documents.
    pub created: &'a str,
}

/// A file's form, by its first octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// PDF.
    Pdf,
    /// XHTML, or something else that the body's rules will refuse.
    Xhtml,
}

impl Form {
    /// Looks at a file.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        if octets.starts_with(b"%PDF-") { Self::Pdf } else { Self::Xhtml }
    }
}

/// What the three kinds of documents differ in.
struct Parts<'a> {
    id: String,
    group: Term,
    general_type: Option<Term>,
    authored: String,
    language: Language,
    client: &'a Client,
    case: Option<(String, Option<(Date, Date)>)>,
    relation: Option<String>,
    form: Form,
    tasks: Vec<(&'static str, Term)>,
    definition: Option<&'a str>,
    display: Vec<u8>,
    json: Option<Value>,
}

impl Composer<'_> {
    /// An item's document id.
    #[must_use]
    pub fn id(&self, plan: &Plan, item: Item) -> String {
        match item {
            Item::Relation(at) => self.oid(1, at as u64 + 1),
            Item::Case(at) => self.oid(2, at as u64 + 1),
            // A document's id ends in its line of the manifest.
            Item::Document(at) => self.oid(3, plan.documents.get(at).map_or(0, |(row, _)| row.line)),
        }
    }

    fn oid(&self, kind: u8, number: u64) -> String {
        format!("{}.{}.{kind}.{number}", self.mapping.ids, self.import)
    }

    /// An item's octets; `file` is the row's file and is looked at for documents only. `None` for an item that the plan does not have.
    #[must_use]
    pub fn octets(&self, plan: &Plan, item: Item, file: &[u8]) -> Option<Vec<u8>> {
        let parts = match item {
            Item::Relation(at) => self.relation(plan, at)?,
            Item::Case(at) => self.case(plan, at)?,
            Item::Document(at) => self.document(plan, at, file)?,
        };
        Some(self.render(&parts))
    }

    fn relation<'a>(&'a self, plan: &'a Plan, at: usize) -> Option<Parts<'a>> {
        let relation = plan.relations.get(at)?;
        let (id, relation_id) = (self.id(plan, Item::Relation(at)), self.oid(4, at as u64 + 1));
        let group = self.terms.term("group-relation", relation.language);
        let mut person = person(&relation.client);
        person.insert("syntymaaika".into(), json!(iso(relation.client.born)));
        person.insert("turvakielto".into(), json!(false));
        let json = json!({ "asiakkuusasiakirja": {
            "asiakkuuden_yksilointitunnus": self.identifier(self.terms.json_id_system(), &relation_id),
            "asiakas": person,
            "sosiaalihuollon_asiakkuus": {
                "vanha_asiakkuus": true,
                "asiakkuuden_alkamispvm": iso(relation.period.0),
                "asiakkuuden_paattymispvm": iso(relation.period.1),
            },
        }});
        let words = if relation.language == Language::Sv { ("Gammal klientrelation", "Klientrelation") } else { ("Vanha asiakkuus", "Asiakkuus") };
        let display = self.display(&id, words.0, &[(words.1, &relation_id), ("–", &period(relation.period))]);
        Some(Parts {
            id,
            group,
            general_type: None,
            authored: self.created.to_owned(),
            language: relation.language,
            client: &relation.client,
            case: None,
            relation: Some(relation_id),
            form: Form::Xhtml,
            tasks: Vec::new(),
            definition: Some(self.terms.definition(true)),
            display,
            json: Some(json),
        })
    }

    fn case<'a>(&'a self, plan: &'a Plan, at: usize) -> Option<Parts<'a>> {
        let case = plan.cases.get(at)?;
        let client = &plan.relations.get(case.relation)?.client;
        let (id, case_id) = (self.id(plan, Item::Case(at)), self.oid(5, at as u64 + 1));
        let group = self.terms.term("group-case", case.language);
        let task = self.terms.listed("task", &case.task, case.language);
        let name = case.name.as_deref().unwrap_or_else(|| self.terms.case_name(case.language));
        let json = json!({ "asia_asiakirja": {
            "palvelunjarjestajan_toimintayksikko": {
                "system": format!("urn:oid:{}", self.terms.organisations()),
                "code": self.mapping.controller.as_str(),
                "display": self.mapping.controller_name,
            },
            "asiakas": [person(client)],
            "asian_tiedot": {
                "asiatunnus": self.identifier(self.terms.json_id_system(), &case_id),
                "nimi": coded(&self.terms.term("other-case", case.language)),
                "lisatieto_luokkaan_muu": name,
                "tila": coded(&self.terms.term("closed", case.language)),
                "avauspaiva": iso(case.period.0),
                "paattymispaiva": iso(case.period.1),
                "palvelutehtava": coded(&task),
            },
        }});
        let label = if case.language == Language::Sv { "Ärendenummer" } else { "Asiatunnus" };
        let display = self.display(&id, name, &[(label, &case_id), ("–", &period(case.period)), ("–", &task.name)]);
        Some(Parts {
            id,
            group,
            general_type: None,
            authored: self.created.to_owned(),
            language: case.language,
            client,
            case: Some((case_id, Some(case.period))),
            relation: Some(self.oid(4, case.relation as u64 + 1)),
            form: Form::Xhtml,
            tasks: vec![("hl7fi:functionCode", task)],
            definition: Some(self.terms.definition(false)),
            display,
            json: Some(json),
        })
    }

    fn document<'a>(&'a self, plan: &'a Plan, at: usize, file: &[u8]) -> Option<Parts<'a>> {
        let (row, case) = plan.documents.get(at)?;
        let mut tasks = vec![("hl7fi:functionCode", self.terms.listed("task", &row.task, row.language))];
        if let Some((edition, code)) = &row.original {
            tasks.push(("hl7fi:originalFunctionCode", self.terms.listed(if edition == "1989" { "task-1989" } else { "task-2011" }, code, row.language)));
        }
        Some(Parts {
            id: self.id(plan, Item::Document(at)),
            group: self.terms.term("group-old", row.language),
            general_type: Some(self.terms.listed("type", &row.general_type, row.language)),
            authored: hl7(row.authored),
            language: row.language,
            client: &row.client,
            case: Some((self.oid(5, *case as u64 + 1), None)),
            relation: None,
            form: Form::of(file),
            tasks,
            definition: None,
            display: file.to_vec(),
            json: None,
        })
    }

    fn identifier(&self, system: &str, value: &str) -> Value {
        json!({ "system": format!("urn:oid:{system}"), "value": value })
    }

    /// A display form for a document that has only data: its name and a list.
    fn display(&self, id: &str, title: &str, lines: &[(&str, &str)]) -> Vec<u8> {
        let mut out = String::with_capacity(1_024);
        open(&mut out, "div", &[("xmlns", "http://www.w3.org/1999/xhtml"), ("class", "soc-document"), ("id", &format!("OID{id}"))]);
        open(&mut out, "div", &[("class", "soc-header")]);
        element(&mut out, "div", &[("class", "soc-hdr1")], &self.mapping.controller_name);
        close(&mut out, "div");
        open(&mut out, "div", &[("class", "soc-main-wrapper")]);
        element(&mut out, "h1", &[("class", "soc-fulltitle")], title);
        for (label, value) in lines {
            element(&mut out, "p", &[], &format!("{label} {value}"));
        }
        close(&mut out, "div");
        close(&mut out, "div");
        out.into_bytes()
    }

    fn render(&self, parts: &Parts<'_>) -> Vec<u8> {
        let mut x = String::with_capacity(HEAD_OCTETS + parts.display.len() / 3 * 4);
        x.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        open(&mut x, "ClinicalDocument", &[("xmlns", HL7), ("xmlns:hl7fi", HL7FI)]);
        empty(&mut x, "realmCode", &[("code", "FI")]);
        empty(&mut x, "typeId", &[("root", "2.16.840.1.113883.1.3"), ("extension", "POCD_HD000040")]);
        empty(&mut x, "id", &[("root", &parts.id)]);
        match &parts.general_type {
            Some(term) => code(&mut x, "code", term),
            None => empty(&mut x, "code", &[("nullFlavor", "NA")]),
        }
        empty(&mut x, "effectiveTime", &[("value", &parts.authored)]);
        code(&mut x, "confidentialityCode", &self.terms.term("confidentiality", parts.language));
        empty(&mut x, "languageCode", &[("code", if parts.language == Language::Sv { "sv" } else { "fi" })]);
        empty(&mut x, "setId", &[("root", &parts.id)]);
        empty(&mut x, "versionNumber", &[("value", "1")]);
        self.people(&mut x, parts);
        self.encounter(&mut x, parts);
        self.social_header(&mut x, parts);
        open(&mut x, "component", &[]);
        open(&mut x, "nonXMLBody", &[("ID", &format!("OID{}", parts.id))]);
        let media_type = if parts.form == Form::Pdf { "application/pdf" } else { "application/xhtml+xml" };
        open(&mut x, "text", &[("mediaType", media_type), ("representation", "B64")]);
        STANDARD.encode_string(&parts.display, &mut x);
        close(&mut x, "text");
        if let Some(json) = &parts.json {
            open(&mut x, "hl7fi:json", &[]);
            STANDARD.encode_string(json.to_string(), &mut x);
            close(&mut x, "hl7fi:json");
        }
        ["nonXMLBody", "component", "ClinicalDocument"].iter().for_each(|name| close(&mut x, name));
        x.push('\n');
        x.into_bytes()
    }

    fn people(&self, x: &mut String, parts: &Parts<'_>) {
        let client = parts.client;
        open(x, "recordTarget", &[]);
        open(x, "patientRole", &[]);
        empty(x, "id", &[("root", &client.root), ("extension", &client.extension)]);
        open(x, "patient", &[]);
        open(x, "name", &[]);
        client.given.iter().for_each(|name| element(x, "given", &[], name));
        if let Some(calling) = client.given.first() {
            element(x, "given", &[("qualifier", "CL")], calling);
        }
        element(x, "family", &[], &client.family);
        close(x, "name");
        if let Some(male) = client.male {
            code(x, "administrativeGenderCode", &self.terms.term(if male { "male" } else { "female" }, parts.language));
        }
        empty(x, "birthTime", &[("value", &hl7(client.born))]);
        ["patient", "patientRole", "recordTarget"].iter().for_each(|name| close(x, name));
        open(x, "author", &[]);
        empty(x, "time", &[("nullFlavor", "NA")]);
        open(x, "assignedAuthor", &[]);
        empty(x, "id", &[("nullFlavor", "NA")]);
        ["assignedAuthor", "author"].iter().for_each(|name| close(x, name));
        ["custodian", "assignedCustodian", "representedCustodianOrganization"].iter().for_each(|name| open(x, name, &[]));
        empty(x, "id", &[("root", self.mapping.controller.as_str())]);
        element(x, "name", &[], &self.mapping.controller_name);
        ["representedCustodianOrganization", "assignedCustodian", "custodian"].iter().for_each(|name| close(x, name));
    }

    fn encounter(&self, x: &mut String, parts: &Parts<'_>) {
        open(x, "componentOf", &[]);
        open(x, "encompassingEncounter", &[]);
        match &parts.case {
            Some((id, _)) => empty(x, "id", &[("root", id)]),
            None => empty(x, "id", &[("nullFlavor", "NA")]),
        }
        match &parts.case {
            Some((_, Some((opened, closed)))) => {
                open(x, "effectiveTime", &[]);
                empty(x, "low", &[("value", &hl7(*opened))]);
                empty(x, "high", &[("value", &hl7(*closed))]);
                close(x, "effectiveTime");
            }
            _ => empty(x, "effectiveTime", &[("nullFlavor", "NA")]),
        }
        ["encompassingEncounter", "componentOf"].iter().for_each(|name| close(x, name));
    }

    fn social_header(&self, x: &mut String, parts: &Parts<'_>) {
        let term = |name: &str| self.terms.term(name, parts.language);
        open(x, "hl7fi:localSocialHeader", &[]);
        empty(x, "hl7fi:creationTime", &[("value", self.created)]);
        code(x, "hl7fi:documentGroup", &parts.group);
        code(x, "hl7fi:fileFormat", &term(if parts.form == Form::Pdf { "pdf" } else { "xhtml" }));
        if parts.json.is_some() {
            code(x, "hl7fi:structuredFileFormat", &term("json"));
        }
        let [moderator, product, version] = &self.mapping.software;
        empty(x, "hl7fi:softwareSupport", &[("moderator", moderator), ("product", product), ("version", version)]);
        parts.tasks.iter().for_each(|(name, task)| code(x, name, task));
        code(x, "hl7fi:recordStatus", &term("ready"));
        code(x, "hl7fi:registryType", &term("register"));
        empty(x, "hl7fi:outsourcingServiceCustomer", &[("root", self.mapping.controller.as_str())]);
        element(x, "hl7fi:outsourcingServiceCustomerName", &[], &self.mapping.controller_name);
        code(x, "hl7fi:totalRetentionPeriodClass", &term("for-good"));
        code(x, "hl7fi:specialContent", &term("not-special"));
        if let Some(definition) = parts.definition {
            element(x, "hl7fi:contentSpecificationId", &[], definition);
        }
        if let Some(relation) = &parts.relation {
            empty(x, "hl7fi:encompassingClientRelationship", &[("root", relation)]);
        }
        close(x, "hl7fi:localSocialHeader");
    }
}

/// A coded element; a name that is not known is left out.
fn code(x: &mut String, name: &str, term: &Term) {
    x.push('<');
    x.push_str(name);
    attribute(x, "code", &term.code);
    attribute(x, "codeSystem", &term.system);
    attribute(x, "codeSystemName", &term.system_name);
    if !term.name.is_empty() {
        attribute(x, "displayName", &term.name);
    }
    x.push_str("/>");
}

fn coded(term: &Term) -> Value {
    json!({ "system": format!("urn:oid:{}", term.system), "code": term.code, "display": term.name })
}

/// The client as JSON: names and the identity code, or the temporary id in its own member.
fn person(client: &Client) -> serde_json::Map<String, Value> {
    let mut person = serde_json::Map::new();
    person.insert("sukunimi".into(), json!(client.family));
    person.insert("etunimet".into(), json!(client.given.join(" ")));
    let member = if client.root == crate::domain::person::HETU_ROOT { "henkilotunnus" } else { "tilapainen_yksilointitunnus" };
    person.insert(member.into(), json!({ "system": format!("urn:oid:{}", client.root), "value": client.extension }));
    person
}

fn period(period: (Date, Date)) -> String {
    format!("{} – {}", iso(period.0), iso(period.1))
}
