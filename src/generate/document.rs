//! A social-welfare document as a specification, and its octets: CDA R2 with the header extension and a body in XHTML, JSON or PDF/A (documents.md §1–§3).

use super::body;
use super::person::Person;
use super::random::Random;
use super::terms::{self, Term};
use super::writer::{Space, Style, Writer};
use crate::domain::document::Group;
use crate::domain::language::Language;
use crate::domain::person::HETU_ROOT;
use crate::domain::will::Said;

/// Everything a document says, before it is octets. The fields are open: a test makes a document of its own by changing some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSpec {
    /// The document group.
    pub group: Group,
    /// Finnish or Swedish (English counts as Finnish).
    pub language: Language,
    /// `id/@root`.
    pub id: String,
    /// `setId/@root`.
    pub set_id: String,
    /// `versionNumber/@value`.
    pub version: u32,
    /// What it replaces: id, set id and version of the parent document.
    pub replaces: Option<(String, String, u32)>,
    /// The client.
    pub person: Person,
    /// The controller, who is also organiser and provider here.
    pub controller: Organisation,
    /// `effectiveTime/@value`, an HL7 timestamp.
    pub authored: String,
    /// `creationTime/@value`.
    pub created: String,
    /// The 2016 service task.
    pub task: Term,
    /// The original service task of an old document.
    pub original_task: Option<Term>,
    /// The case it makes (group 2) or hangs on (3, 4, 5).
    pub case_id: Option<String>,
    /// The client relation it makes (group 1) or hangs on (2).
    pub relation_id: Option<String>,
    /// From and to, `YYYYMMDD`, of the client relation or the case; an end means a closed case or an ended relation.
    pub period: (String, Option<String>),
    /// The relation is marked as old (group 1).
    pub old_relation: bool,
    /// The form of the body.
    pub body: Body,
    /// How large the body's octets should be at least, before base64; 0 for what comes naturally.
    pub body_octets: usize,
    /// Who wrote it.
    pub professional: Option<Professional>,
    /// Whether the professional signs it with a card: it then carries signature metadata, and needs the signature itself (see [`super::signature`]).
    pub signed: bool,
    /// What a will document says; `None`: what is usual in its group.
    pub said: Option<Said>,
    /// Namespace and layout habits.
    pub style: Style,
    /// The seed of its prose.
    pub seed: u64,
}

/// The body's form (documents.md §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// XHTML with JSON beside it.
    Structured,
    /// PDF/A-1b.
    Pdf,
    /// XHTML alone.
    Xhtml,
}

/// A professional with a register number (1.2.246.537.26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Professional {
    /// Eleven digits.
    pub number: &'static str,
    /// Given name.
    pub given: &'static str,
    /// Family name.
    pub family: &'static str,
}

impl Professional {
    /// The one whose test certificate lies in `samples/keys`.
    pub const SAMPLE: Self = Self { number: "90000000017", given: "Testi", family: "Sosionomi" };
}

/// An organisation that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Organisation {
    /// Its node: `1.2.246.10.<Y-tunnus>`.
    pub node: &'static str,
    /// The unit's OID (toimintayksikkö).
    pub unit: &'static str,
    /// The service unit's OID (palveluyksikkö).
    pub service_unit: &'static str,
    names: [&'static str; 2],
    service_unit_names: [&'static str; 2],
}

impl Organisation {
    /// The sample organisation, Y-tunnus 9999999-2: a right check digit, given to nobody.
    pub const SAMPLE: Self = Self {
        node: "1.2.246.10.99999992",
        unit: "1.2.246.10.99999992.10.0",
        service_unit: "1.2.246.10.99999992.10.1001",
        names: ["Testilän hyvinvointialue (TESTI)", "Testby välfärdsområde (TEST)"],
        service_unit_names: ["Palvelutarpeen arviointi, Testilä", "Bedömning av servicebehov, Testby"],
    };
    /// Another, Y-tunnus 9999998-4: for documents that are not the sample organisation's.
    pub const OTHER: Self = Self {
        node: "1.2.246.10.99999984",
        unit: "1.2.246.10.99999984.10.0",
        service_unit: "1.2.246.10.99999984.10.1001",
        names: ["Toisen testilän hyvinvointialue (TESTI)", "Andra testby välfärdsområde (TEST)"],
        service_unit_names: ["Palvelutarpeen arviointi, Toinen Testilä", "Bedömning av servicebehov, Andra Testby"],
    };

    /// Its name in a language.
    #[must_use]
    pub const fn name(&self, language: Language) -> &'static str {
        self.names[matches!(language, Language::Sv) as usize]
    }

    /// Its service unit's name in a language.
    #[must_use]
    pub const fn service_unit_name(&self, language: Language) -> &'static str {
        self.service_unit_names[matches!(language, Language::Sv) as usize]
    }
}

impl DocumentSpec {
    /// The document's octets, without signatures.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let bodies = body::of(self);
        let room = bodies.text.len() + bodies.json.as_ref().map_or(0, String::len) + 9000;
        let mut w = Writer::new(
            self.style,
            "ClinicalDocument",
            &[("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"), ("xsi:schemaLocation", "urn:hl7-org:v3 CDA_Fi_sos.xsd")],
            room,
        );
        self.identity(&mut w);
        self.participants(&mut w);
        self.relations(&mut w);
        self.social_header(&mut w);
        w.open(Space::Hl7, "component", &[]);
        w.open(Space::Hl7, "nonXMLBody", &[("ID", &format!("OID{}", self.id))]);
        w.text(Space::Hl7, "text", &[("mediaType", bodies.media_type), ("representation", "B64")], &bodies.text);
        if let Some(json) = &bodies.json {
            w.text(Space::Fi, "json", &[], json);
        }
        w.finish()
    }

    /// A replacement: the next version in the same set, with an id of its own.
    #[must_use]
    pub fn replacement(&self, id: &str) -> Self {
        let mut next = self.clone();
        next.replaces = Some((self.id.clone(), self.set_id.clone(), self.version));
        next.id = id.to_owned();
        next.version = self.version + 1;
        next.seed = Random::new(self.seed).next();
        next
    }

    /// The same document under another id, as the first version of a set of its own.
    #[must_use]
    pub fn under(&self, id: &str) -> Self {
        Self { id: id.to_owned(), set_id: id.to_owned(), version: 1, replaces: None, ..self.clone() }
    }

    /// The general document type (documents.md §2.2); `None` where the group has none.
    #[must_use]
    pub const fn general_type(&self) -> Option<Term> {
        match self.group {
            Group::PhaseOne | Group::Client => Some(terms::PLAN),
            Group::Old => Some(terms::DECISION),
            Group::ClientRelation | Group::Case | Group::Informing | Group::Permission | Group::Denial | Group::Other => None,
        }
    }

    /// `contentSpecificationId`; `None` without JSON.
    #[must_use]
    pub fn content_specification(&self) -> Option<&'static str> {
        match (self.body, self.group) {
            (Body::Structured, Group::ClientRelation) => Some("1.2.246.537.6.1505.1.2023.6.1"),
            (Body::Structured, Group::Case) => Some("1.2.246.537.6.1505.2.2022.6.28"),
            (Body::Structured, Group::Client) => Some("1.2.246.537.6.1506.15007.2024.11.28"),
            // A placeholder: no definition of it was seen.
            (Body::Structured, Group::Informing) => Some("1.2.246.537.6.1505.7.2023.6.1"),
            (Body::Structured, Group::Permission) => Some("1.2.246.537.6.1505.8.2023.6.1"),
            (Body::Structured, Group::Denial) if matches!(self.said, Some(Said::Cancelled(_))) => Some("1.2.246.537.6.1505.9.0.1"),
            (Body::Structured, Group::Denial) => Some("1.2.246.537.6.1505.9.2023.6.5"),
            _ => None,
        }
    }

    fn identity(&self, w: &mut Writer) {
        w.empty(Space::Hl7, "realmCode", &[("code", "FI")]);
        w.empty(Space::Hl7, "typeId", &[("root", "2.16.840.1.113883.1.3"), ("extension", "POCD_HD000040")]);
        w.empty(Space::Hl7, "id", &[("root", &self.id)]);
        match self.general_type() {
            Some(term) => w.empty(Space::Hl7, "code", &term.attributes(self.language)),
            None => w.empty(Space::Hl7, "code", &[("nullFlavor", "NA")]),
        }
        w.empty(Space::Hl7, "effectiveTime", &[("value", &self.authored)]);
        w.empty(Space::Hl7, "confidentialityCode", &terms::SECRET.attributes(self.language));
        w.empty(Space::Hl7, "languageCode", &[("code", self.language_code())]);
        w.empty(Space::Hl7, "setId", &[("root", &self.set_id)]);
        w.empty(Space::Hl7, "versionNumber", &[("value", &self.version.to_string())]);
    }

    pub(super) const fn language_code(&self) -> &'static str {
        match self.language {
            Language::Sv => "sv",
            Language::Fi | Language::En => "fi",
        }
    }

    fn participants(&self, w: &mut Writer) {
        w.open(Space::Hl7, "recordTarget", &[]);
        w.open(Space::Hl7, "patientRole", &[]);
        w.empty(Space::Hl7, "id", &[("root", HETU_ROOT), ("extension", &self.person.hetu)]);
        w.open(Space::Hl7, "patient", &[]);
        person_name(w, Space::Hl7, &self.person.given, self.person.family);
        let gender = if self.person.male { terms::MALE } else { terms::FEMALE };
        w.empty(Space::Hl7, "administrativeGenderCode", &gender.attributes(self.language));
        w.empty(Space::Hl7, "birthTime", &[("value", &self.person.birth_date(""))]);
        (0..3).for_each(|_| w.close());
        w.open(Space::Hl7, "author", &[]);
        w.empty(Space::Hl7, "time", &[("nullFlavor", "NA")]);
        w.open(Space::Hl7, "assignedAuthor", &[]);
        match &self.professional {
            Some(author) => {
                w.empty(Space::Hl7, "id", &[("root", "1.2.246.537.26"), ("extension", author.number)]);
                w.open(Space::Hl7, "assignedPerson", &[]);
                plain_name(w, Space::Hl7, author);
                w.close();
            }
            None => w.empty(Space::Hl7, "id", &[("nullFlavor", "NA")]),
        }
        (0..2).for_each(|_| w.close());
        w.open(Space::Hl7, "custodian", &[]);
        w.open(Space::Hl7, "assignedCustodian", &[]);
        w.open(Space::Hl7, "representedCustodianOrganization", &[]);
        w.empty(Space::Hl7, "id", &[("root", self.controller.unit)]);
        w.text(Space::Hl7, "name", &[], self.controller.name(self.language));
        (0..3).for_each(|_| w.close());
    }

    fn relations(&self, w: &mut Writer) {
        if let Some((id, set_id, version)) = &self.replaces {
            w.open(Space::Hl7, "relatedDocument", &[("typeCode", "RPLC")]);
            w.open(Space::Hl7, "parentDocument", &[]);
            w.empty(Space::Hl7, "id", &[("root", id)]);
            w.empty(Space::Hl7, "setId", &[("root", set_id)]);
            w.empty(Space::Hl7, "versionNumber", &[("value", &version.to_string())]);
            (0..2).for_each(|_| w.close());
        }
        if self.professional.is_some() && self.is_minor() {
            w.open(Space::Hl7, "authorization", &[]);
            w.open(Space::Hl7, "consent", &[]);
            w.empty(Space::Hl7, "code", &terms::TO_GUARDIANS.attributes(self.language));
            w.empty(Space::Hl7, "statusCode", &[("code", "completed")]);
            (0..2).for_each(|_| w.close());
        }
        w.open(Space::Hl7, "componentOf", &[]);
        w.open(Space::Hl7, "encompassingEncounter", &[]);
        match &self.case_id {
            Some(case) => w.empty(Space::Hl7, "id", &[("root", case)]),
            None => w.empty(Space::Hl7, "id", &[("nullFlavor", "NA")]),
        }
        if self.group == Group::Case {
            w.open(Space::Hl7, "effectiveTime", &[]);
            w.empty(Space::Hl7, "low", &[("value", &self.period.0)]);
            if let Some(end) = &self.period.1 {
                w.empty(Space::Hl7, "high", &[("value", end)]);
            }
            w.close();
        } else {
            w.empty(Space::Hl7, "effectiveTime", &[("nullFlavor", "NA")]);
        }
        if self.group.hangs_on_case() {
            w.open(Space::Hl7, "responsibleParty", &[]);
            assigned_organisation(w, self.controller.unit, self.controller.name(self.language));
            w.close();
        }
        let old = self.old_relation || self.group == Group::Old || (self.group == Group::Case && self.period.1.is_some());
        if !old {
            w.open(Space::Hl7, "encounterParticipant", &[("typeCode", "ADM")]);
            assigned_organisation(w, self.controller.service_unit, self.controller.service_unit_name(self.language));
            w.close();
        }
        (0..2).for_each(|_| w.close());
    }

    fn social_header(&self, w: &mut Writer) {
        let l = self.language;
        w.open(Space::Fi, "localSocialHeader", &[]);
        if self.group == Group::Client {
            w.empty(Space::Fi, "specificDocumentType", &terms::FAMILY_PLAN.attributes(l));
        }
        w.empty(Space::Fi, "creationTime", &[("value", &self.created)]);
        w.empty(Space::Fi, "documentGroup", &terms::group(self.group).attributes(l));
        w.empty(Space::Fi, "fileFormat", &if self.body == Body::Pdf { terms::PDF_A } else { terms::XHTML }.attributes(l));
        if self.body == Body::Structured {
            w.empty(Space::Fi, "structuredFileFormat", &terms::JSON.attributes(l));
        }
        w.empty(Space::Fi, "softwareSupport", &[("moderator", "Arkki"), ("product", "Arkki generate (TESTI)"), ("version", "1")]);
        if matches!(self.group, Group::Case | Group::PhaseOne | Group::Old | Group::Client) {
            w.empty(Space::Fi, "functionCode", &self.task.attributes(l));
        }
        if let Some(task) = &self.original_task {
            w.empty(Space::Fi, "originalFunctionCode", &task.attributes(l));
        }
        w.empty(Space::Fi, "recordStatus", &terms::READY.attributes(l));
        w.empty(Space::Fi, "registryType", &terms::REGISTER.attributes(l));
        w.empty(Space::Fi, "outsourcingServiceCustomer", &[("root", self.controller.unit)]);
        w.text(Space::Fi, "outsourcingServiceCustomerName", &[], self.controller.name(l));
        w.empty(Space::Fi, "totalRetentionPeriodClass", &terms::FOR_GOOD.attributes(l));
        w.empty(Space::Fi, "specialContent", &terms::NOT_SPECIAL.attributes(l));
        if let Some(definition) = self.content_specification() {
            w.text(Space::Fi, "contentSpecificationId", &[], definition);
        }
        if let (Group::ClientRelation | Group::Case, Some(relation)) = (self.group, &self.relation_id) {
            w.empty(Space::Fi, "encompassingClientRelationship", &[("root", relation)]);
        }
        if matches!(self.group, Group::PhaseOne | Group::Client) {
            w.open(Space::Fi, "serviceProcess", &[]);
            w.text(Space::Fi, "type", &[], "Sosiaalihuollon palveluprosessi");
            w.empty(Space::Fi, "code", &terms::PLANNING.attributes(l));
            w.close();
        }
        if let Some(signer) = self.professional.as_ref().filter(|_| self.signed) {
            self.signature_metadata(w, signer);
        }
        w.close();
    }

    fn signature_metadata(&self, w: &mut Writer, signer: &Professional) {
        w.open(Space::Fi, "signature", &[]);
        w.text(Space::Fi, "assignedAuthorSigner", &[], signer.number);
        w.open(Space::Fi, "signer", &[]);
        plain_name(w, Space::Fi, signer);
        w.close();
        w.empty(Space::Fi, "authenticationMethod", &terms::BY_CARD.attributes(self.language));
        w.empty(Space::Fi, "time", &[("value", &self.created)]);
        w.close();
    }

    /// Under 18 when the document was authored, by year, month and day.
    fn is_minor(&self) -> bool {
        let number = |text: &str| text.parse::<u32>().unwrap_or(0);
        let authored = number(self.authored.get(..8).unwrap_or(""));
        authored < number(&self.person.birth_date("")) + 180_000
    }
}

/// Given names and a family name; the first given name is repeated as the calling name.
pub(super) fn person_name(w: &mut Writer, space: Space, given: &[&'static str], family: &str) {
    w.open(space, "name", &[]);
    given.iter().for_each(|name| w.text(space, "given", &[], name));
    if let Some(calling) = given.first() {
        w.text(space, "given", &[("qualifier", "CL")], calling);
    }
    w.text(space, "family", &[], family);
    w.close();
}

/// A worker's name.
pub(super) fn plain_name(w: &mut Writer, space: Space, person: &Professional) {
    w.open(space, "name", &[]);
    w.text(space, "given", &[], person.given);
    w.text(space, "family", &[], person.family);
    w.close();
}

fn assigned_organisation(w: &mut Writer, id: &str, name: &str) {
    w.open(Space::Hl7, "assignedEntity", &[]);
    w.empty(Space::Hl7, "id", &[("nullFlavor", "NA")]);
    w.open(Space::Hl7, "representedOrganization", &[]);
    w.empty(Space::Hl7, "id", &[("root", id)]);
    w.text(Space::Hl7, "name", &[], name);
    (0..2).for_each(|_| w.close());
}

/// `20261102…` as `2026-11-02`.
pub(super) fn hyphenated(date: &str) -> String {
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or("01");
    format!("{}-{}-{}", part(0, 4), part(4, 6), part(6, 8))
}
