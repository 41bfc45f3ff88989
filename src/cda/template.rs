//! Metadata templates: data that says what a document of a group must hold (`templates/`, documents.md §2). One walk a document, all findings at once.

mod load;
mod path;
mod values;

use std::borrow::Cow;

use crate::codes::fault::RulesFault;
use crate::codes::source::Files;
use crate::codes::system::Systems;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::environment::Environment;
use crate::domain::finding::{Finding, Place};
use crate::domain::limits::FINDINGS;
use crate::domain::time::Hl7Time;
use crate::xml::tree::{self, Document, HL7FI, Node};

use load::{Condition, Loaded, Need, Template};
pub use load::{Field, Form};
use path::{Anchors, Found, Path};

/// How many repetitions of one element are looked at; one too many is enough to say so, many authors are lawful.
const REPETITIONS: usize = 64;

/// Every template, compiled.
#[derive(Debug)]
pub struct Templates(Loaded);

/// The fields that Arkki itself reads: each must be in `shared.toml`, where its path may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Known {
    Id,
    SetId,
    Version,
    GeneralType,
    SpecificType,
    Authored,
    Created,
    Language,
    Client,
    BirthTime,
    Controller,
    Organiser,
    CaseId,
    RelationId,
    Group,
    ServiceTask,
    OriginalTask,
    FileFormat,
    StructuredFormat,
    Specification,
    ReplacedId,
    ReplacedSetId,
    ReplacedVersion,
    Body,
    Json,
}

impl Known {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Id,
        Self::SetId,
        Self::Version,
        Self::GeneralType,
        Self::SpecificType,
        Self::Authored,
        Self::Created,
        Self::Language,
        Self::Client,
        Self::BirthTime,
        Self::Controller,
        Self::Organiser,
        Self::CaseId,
        Self::RelationId,
        Self::Group,
        Self::ServiceTask,
        Self::OriginalTask,
        Self::FileFormat,
        Self::StructuredFormat,
        Self::Specification,
        Self::ReplacedId,
        Self::ReplacedSetId,
        Self::ReplacedVersion,
        Self::Body,
        Self::Json,
    ];

    /// Its key in `shared.toml`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::SetId => "setId",
            Self::Version => "versionNumber",
            Self::GeneralType => "generalType",
            Self::SpecificType => "specificType",
            Self::Authored => "authored",
            Self::Created => "created",
            Self::Language => "language",
            Self::Client => "client",
            Self::BirthTime => "birthTime",
            Self::Controller => "custodian",
            Self::Organiser => "organiser",
            Self::CaseId => "caseId",
            Self::RelationId => "relationId",
            Self::Group => "documentGroup",
            Self::ServiceTask => "serviceTask",
            Self::OriginalTask => "originalTask",
            Self::FileFormat => "fileFormat",
            Self::StructuredFormat => "structuredFormat",
            Self::Specification => "contentSpecification",
            Self::ReplacedId => "replacedId",
            Self::ReplacedSetId => "replacedSetId",
            Self::ReplacedVersion => "replacedVersion",
            Self::Body => "body",
            Self::Json => "json",
        }
    }
}

/// A document with its templates: reads known fields without looking for the header again.
#[derive(Clone, Copy)]
pub struct Reader<'t, 'a, 'i> {
    loaded: &'t Loaded,
    from: Anchors<'a, 'i>,
}

impl<'a, 'i> Reader<'_, 'a, 'i> {
    /// The element of a field, the first where several stand.
    #[must_use]
    pub fn node(&self, field: Known) -> Option<Node<'a, 'i>> {
        self.field(field).and_then(|f| f.path.elements(self.from, 1).first)
    }

    /// The value of a field.
    #[must_use]
    pub fn value(&self, field: Known) -> Option<Cow<'a, str>> {
        self.field(field).and_then(|f| f.path.value(f.path.elements(self.from, 1).first?))
    }

    /// A finding at a field: at its value, else where it would stand.
    #[must_use]
    pub fn finding(&self, code: Code, field: Known) -> Finding {
        match self.field(field) {
            None => Finding::whole(code),
            Some(f) => match f.path.elements(self.from, 1).first {
                Some(node) => Finding::new(code, f.path.place(node)).with("field", f.key.as_str()),
                None => Finding::new(code, f.path.place_of_missing(self.from)).with("field", f.key.as_str()),
            },
        }
    }

    fn field(&self, field: Known) -> Option<&Field> {
        self.loaded.known.get(field as usize).and_then(|at| self.loaded.fields.get(*at))
    }
}

impl Templates {
    /// Reads and checks `templates/`.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files, systems: &Systems) -> Result<Self, RulesFault> {
        load::load(files, systems).map(Self)
    }

    /// Every metadata element, in the order of `shared.toml`.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The body forms of a group.
    #[must_use]
    pub fn forms(&self, group: Group) -> &[Form] {
        self.0.groups.get(&group).map_or(&[], |t| t.forms.as_slice())
    }

    /// Reads known fields of a document.
    #[must_use]
    pub fn reader<'a, 'i>(&self, document: &'a Document<'i>) -> Reader<'_, 'a, 'i> {
        Reader { loaded: &self.0, from: Anchors::of(document) }
    }

    /// Where a path that a decision named (`/ClinicalDocument/setId/@root`) stands in a document; `None` for a path that is none or leads nowhere.
    #[must_use]
    pub fn place_of(&self, document: &Document<'_>, path: &str) -> Option<Place> {
        let path = Path::parse(path.strip_prefix("/ClinicalDocument/")?).ok()?;
        path.elements(Anchors::of(document), 1).first.map(|node| path.place(node))
    }

    /// The document's group, when it names one that exists.
    #[must_use]
    pub fn group(&self, document: &Document<'_>) -> Option<Group> {
        self.reader(document).value(Known::Group).and_then(|code| code.parse().ok()).and_then(Group::from_number)
    }

    /// Checks a document against its group's template: errors and warnings in the order of the fields, at most [`FINDINGS`].
    #[must_use]
    pub fn check(&self, document: &Document<'_>, environment: Environment) -> Vec<Finding> {
        let mut out = Vec::new();
        let reader = self.reader(document);
        let Some(social) = reader.from.social else {
            let code = if tree::child(reader.from.root, HL7FI, "localHeader").is_some() { Code::E203 } else { Code::E301 };
            out.push(Finding::new(code, tree::place(reader.from.root)).with("field", "localSocialHeader").with("element", "hl7fi:localSocialHeader"));
            return out;
        };
        let group = self.group(document);
        // Without a group only what stands there can be checked; the group's own finding comes with it.
        let template = group.and_then(|g| self.0.groups.get(&g));
        self.fields_of(&reader, template, environment, &mut out);
        if let Some(group) = group {
            specification(&reader, group, &mut out);
        }
        self.unknown_extensions(social, &mut out);
        out.truncate(FINDINGS);
        out
    }

    fn fields_of(&self, reader: &Reader<'_, '_, '_>, template: Option<&Template>, environment: Environment, out: &mut Vec<Finding>) {
        for (at, field) in self.0.fields.iter().enumerate() {
            let found = field.path.elements(reader.from, REPETITIONS);
            let value = found.first.and_then(|node| field.path.value(node));
            let need = match template.and_then(|t| t.needs.get(at)) {
                Some(need) => self.settled(need, reader),
                None if self.0.known.get(Known::Group as usize) == Some(&at) => &Need::Mandatory,
                None => &Need::Optional,
            };
            match need {
                Need::Forbidden | Need::Na => forbidden(field, need, &found, value.is_some(), out),
                Need::Mandatory if value.is_none() => out.push(missing(field, reader.from, &found, Code::E301)),
                Need::Recommended if value.is_none() => out.push(missing(field, reader.from, &found, Code::W905)),
                _ => allowed(field, reader.from, &found, environment, out),
            }
        }
    }

    fn settled<'n>(&self, need: &'n Need, reader: &Reader<'_, '_, '_>) -> &'n Need {
        match need {
            Need::When(when) => {
                let (condition, then, otherwise) = when.as_ref();
                if self.holds(condition, reader) { then } else { otherwise }
            }
            plain => plain,
        }
    }

    fn holds(&self, condition: &Condition, reader: &Reader<'_, '_, '_>) -> bool {
        let value = |at: &usize| self.0.fields.get(*at).and_then(|f| f.path.value(f.path.elements(reader.from, 1).first?));
        match condition {
            Condition::Present(field) => value(field).is_some(),
            Condition::Absent(field) => value(field).is_none(),
            Condition::Equals(field, wanted) => value(field).is_some_and(|v| v == wanted.as_str()),
            Condition::Before(field, date) => value(field).and_then(|v| Hl7Time::parse(&v).ok()).is_some_and(|t| t.date < *date),
        }
    }

    fn unknown_extensions(&self, social: Node<'_, '_>, out: &mut Vec<Finding>) {
        for child in social.children().filter(Node::is_element) {
            let name = child.tag_name();
            if name.namespace() == Some(HL7FI) && !self.0.extensions.iter().any(|e| e == name.name()) {
                out.push(Finding::new(Code::W902, tree::place(child)).with("element", tree::qualified(name.namespace(), name.name())));
                if out.len() > FINDINGS {
                    return;
                }
            }
        }
    }
}

fn missing(field: &Field, from: Anchors<'_, '_>, found: &Found<'_, '_>, code: Code) -> Finding {
    let place = found.first.map_or_else(|| field.path.place_of_missing(from), tree::place);
    Finding::new(code, place).with("field", field.key.as_str()).with("element", field.path.shown.as_str())
}

/// Nothing with a value may stand here; for `na` an element with nullFlavor NA may.
fn forbidden(field: &Field, need: &Need, found: &Found<'_, '_>, has_value: bool, out: &mut Vec<Finding>) {
    let Some(node) = found.first else { return };
    let other_flavour = *need == Need::Na && node.attribute("nullFlavor").is_some_and(|f| f != "NA");
    if has_value || other_flavour {
        out.push(values::at(field, node, Code::E307).with("element", field.path.shown.as_str()));
    }
}

fn allowed(field: &Field, from: Anchors<'_, '_>, found: &Found<'_, '_>, environment: Environment, out: &mut Vec<Finding>) {
    if let (Some(second), false) = (found.second, field.repeats) {
        out.push(values::at(field, second, Code::E309).with("element", field.path.shown.as_str()));
    }
    let Some(first) = found.first else { return };
    if found.count == 1 || !field.repeats {
        if let Some(value) = field.path.value(first) {
            values::check(field, first, &value, environment, out);
        }
        return;
    }
    // Repeating elements are few kinds and short: look at each.
    for node in field.path.all(from, REPETITIONS) {
        if let Some(value) = field.path.value(node) {
            values::check(field, node, &value, environment, out);
        }
    }
}

/// `contentSpecificationId` begins with the document type's or the group's OID (documents.md §1.3).
fn specification(reader: &Reader<'_, '_, '_>, group: Group, out: &mut Vec<Finding>) {
    let Some(value) = reader.value(Known::Specification) else { return };
    let expected = match group {
        Group::ClientRelation | Group::Case | Group::Permission | Group::Denial => format!("1.2.246.537.6.1505.{}.", group.number()),
        Group::PhaseOne | Group::Old | Group::Client => match reader.value(Known::SpecificType) {
            Some(code) if code.len() <= 8 && code.bytes().all(|b| b.is_ascii_digit()) => format!("1.2.246.537.6.1506.{code}."),
            _ => "1.2.246.537.6.1506.".to_owned(),
        },
    };
    if !value.starts_with(&expected) {
        out.push(reader.finding(Code::E310, Known::Specification).with("expected", expected));
    }
}
