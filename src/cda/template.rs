//! Metadata templates: data that says what a document of a group must hold (`templates/`, documents.md §2). One walk a document, all findings at once.

mod condition;
pub mod edit;
mod field;
mod known;
mod load;
mod path;
mod values;

use std::borrow::Cow;

use crate::codes::fault::RulesFault;
use crate::codes::rules::Rules;
use crate::codes::source::Files;
use crate::codes::system::Systems;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::environment::Environment;
use crate::domain::finding::{self, Finding, Place};
use crate::domain::language::Language;
use crate::domain::limits::{self, FINDINGS};
use crate::domain::time::Hl7Time;
use crate::xml::tree::{self, Document, HL7FI, Node};

use condition::Values;
pub use field::Field;
pub use known::Known;
pub use load::Form;
use load::{Loaded, Need, Template};
use path::{Anchors, Found, Path};
use values::World;

/// How many repetitions of one element are counted and shown; one too many is enough to say so, many authors are lawful.
const REPETITIONS: usize = 64;
/// How many repetitions a rule compares with other fields.
const COMPARED: usize = 1_000;

/// Every template, compiled.
#[derive(Debug)]
pub struct Templates(Loaded);

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
    pub fn load(files: &Files, systems: &Systems, rules: &Rules) -> Result<Self, RulesFault> {
        load::load(files, systems, rules).map(Self)
    }

    /// What stands in a document, in the order of `shared.toml`: each metadata element of the header that is there, with its values as they are written.
    #[must_use]
    pub fn described(&self, document: &Document<'_>) -> Vec<(&Field, Vec<String>)> {
        let from = Anchors::of(document);
        let values = |field: &Field| -> Vec<String> {
            field.path.all(from, REPETITIONS).into_iter().filter_map(|node| field.path.value(node).map(Cow::into_owned)).collect()
        };
        let header = self.0.fields.iter().filter(|field| !field.is_json() && !field.path.is_element());
        header.map(|field| (field, values(field))).filter(|(_, values)| !values.is_empty()).collect()
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

    /// A group's name, and what it is.
    #[must_use]
    pub fn names(&self, group: Group, language: Language) -> [&str; 2] {
        let pick = |three: &'_ [String; 3]| language as usize % three.len();
        self.0.groups.get(&group).map_or([""; 2], |t| [&t.names, &t.about].map(|three| three.get(pick(three)).map_or("", String::as_str)))
    }

    /// What a group demands of a field: the words of its file, a condition written out.
    #[must_use]
    pub fn demand(&self, group: Group, field: usize) -> Demand<'_> {
        match self.0.groups.get(&group).and_then(|t| t.needs.get(field)) {
            None => Demand { when: None, then: "", otherwise: "" },
            Some(Need::When(when)) => Demand { when: Some(&when.written), then: when.then.as_str(), otherwise: when.otherwise.as_str() },
            Some(need) => Demand { when: None, then: need.as_str(), otherwise: need.as_str() },
        }
    }

    /// What the group demands of a field in this very document: the word that its conditions come to.
    #[must_use]
    pub fn settled(&self, document: &Document<'_>, group: Group, field: usize) -> &'static str {
        let sight = Sight::of(&self.0, self.reader(document).from);
        self.0.groups.get(&group).and_then(|t| t.needs.get(field)).map_or("", |need| sight.settled(need).as_str())
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
        let sight = Sight::of(&self.0, reader.from);
        let made = [Known::Created, Known::Authored].into_iter().find_map(|f| Hl7Time::parse(&reader.value(f)?).ok());
        sight.fields(template, World { environment, made: made.map(|t| t.date) }, &mut out);
        if let Some(group) = group {
            sight.rules(group, &mut out);
            specification(&reader, group, &mut out);
        }
        self.unknown_extensions(social, &mut out);
        finding::bound(&mut out);
        out
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

/// What a group demands of a field, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand<'t> {
    /// The condition, where there is one.
    pub when: Option<&'t str>,
    /// The demand where it holds, or always.
    pub then: &'static str,
    /// The demand where it does not.
    pub otherwise: &'static str,
}

/// One document seen through the fields: each looked for once.
struct Sight<'t, 'a, 'i> {
    loaded: &'t Loaded,
    from: Anchors<'a, 'i>,
    found: Vec<Found<'a, 'i>>,
}

impl<'t, 'a, 'i> Sight<'t, 'a, 'i> {
    fn of(loaded: &'t Loaded, from: Anchors<'a, 'i>) -> Self {
        Self { loaded, from, found: loaded.fields.iter().map(|field| field.path.elements(from, REPETITIONS)).collect() }
    }

    fn fields(&self, template: Option<&Template>, world: World, out: &mut Vec<Finding>) {
        for (at, (field, found)) in self.loaded.fields.iter().zip(&self.found).enumerate().filter(|(_, (field, _))| !field.is_json()) {
            let need = match template.and_then(|t| t.needs.get(at)) {
                Some(need) => self.settled(need),
                None if self.loaded.known.get(Known::Group as usize) == Some(&at) => &Need::Mandatory,
                None => &Need::Optional,
            };
            let has_value = || found.first.and_then(|node| field.path.value(node)).is_some();
            match need {
                Need::Forbidden | Need::Na => forbidden(field, need, found, has_value(), out),
                Need::Mandatory if !has_value() => out.push(missing(field, self.from, found, Code::E301)),
                Need::Recommended if !has_value() => out.push(missing(field, self.from, found, Code::W905)),
                _ => allowed(field, self.from, found, world, out),
            }
        }
    }

    fn settled<'n>(&self, need: &'n Need) -> &'n Need {
        match need {
            Need::When(when) if when.condition.holds(self) => &when.then,
            Need::When(when) => &when.otherwise,
            plain => plain,
        }
    }

    /// The rules of `codes/rules` that have a condition. One that asks for an element at which something was found already is not asked: one fault, one finding.
    fn rules(&self, group: Group, out: &mut Vec<Finding>) {
        let faults = out.iter().filter(|f| f.is_error() || f.code == Code::W905);
        let faulty: Vec<usize> = faults.filter_map(|f| f.arg("field")).filter_map(|key| self.loaded.fields.iter().position(|f| f.key == key)).collect();
        for rule in self.loaded.rules.iter().filter(|r| r.groups.is_empty() || r.groups.contains(&group)) {
            if rule.asks.iter().any(|field| faulty.contains(field)) {
                continue;
            }
            if rule.when.as_ref().is_some_and(|when| !when.holds(self)) || rule.must.holds(self) {
                continue;
            }
            let (Some(field), Some(found)) = (self.loaded.fields.get(rule.at), self.found.get(rule.at)) else { continue };
            let place = found.first.map_or_else(|| field.path.place_of_missing(self.from), |node| field.path.place(node));
            out.push(Finding::new(rule.code, place).with("field", field.key.as_str()).with("says", rule.id.as_str()).under(rule.id.clone()));
        }
    }
}

impl Values for Sight<'_, '_, '_> {
    fn values(&self, field: usize) -> Vec<Cow<'_, str>> {
        let (Some(field), Some(found)) = (self.loaded.fields.get(field), self.found.get(field)) else { return Vec::new() };
        match found.count {
            0 => Vec::new(),
            1 => found.first.and_then(|node| field.path.value(node)).into_iter().collect(),
            _ => field.path.all(self.from, COMPARED).into_iter().filter_map(|node| field.path.value(node)).collect(),
        }
    }

    fn first(&self, field: usize) -> Option<Cow<'_, str>> {
        let (field, found) = (self.loaded.fields.get(field)?, self.found.get(field)?);
        field.path.value(found.first?)
    }

    fn fits(&self, field: usize, code: &str, under: &str) -> bool {
        let known = self.loaded.fields.get(field).and_then(|f| f.system.as_ref()).and_then(|s| s.value(code));
        known.and_then(|value| value.under.as_deref()).is_none_or(|u| u == under)
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

fn allowed(field: &Field, from: Anchors<'_, '_>, found: &Found<'_, '_>, world: World, out: &mut Vec<Finding>) {
    if let (Some(second), false) = (found.second, field.repeats) {
        out.push(values::at(field, second, Code::E309).with("element", field.path.shown.as_str()));
    }
    let Some(first) = found.first else { return };
    if found.count == 1 || !field.repeats {
        if let Some(value) = field.path.value(first) {
            values::check(field, first, &value, world, out);
        }
        return;
    }
    // Repeating elements are few kinds and short: look at each. What is found of them is bounded as it comes.
    for node in field.path.all(from, limits::ELEMENTS) {
        if let Some(value) = field.path.value(node) {
            values::check(field, node, &value, world, out);
        }
        if out.len() > 2 * FINDINGS {
            finding::bound(out);
        }
    }
}

/// `contentSpecificationId` begins with the document type's or the group's OID (documents.md §1.3); not asked where something was found at either.
fn specification(reader: &Reader<'_, '_, '_>, group: Group, out: &mut Vec<Finding>) {
    let Some(value) = reader.value(Known::Specification) else { return };
    let keys = [Known::Specification, Known::SpecificType].map(Known::key);
    if out.iter().any(|f| f.arg("field").is_some_and(|key| keys.contains(&key))) {
        return;
    }
    let expected = match group {
        Group::ClientRelation | Group::Case | Group::Informing | Group::Permission | Group::Denial => format!("1.2.246.537.6.1505.{}.", group.number()),
        Group::PhaseOne | Group::Old | Group::Client => match reader.value(Known::SpecificType) {
            Some(code) if code.len() <= 8 && code.bytes().all(|b| b.is_ascii_digit()) => format!("1.2.246.537.6.1506.{code}."),
            _ => "1.2.246.537.6.1506.".to_owned(),
        },
        Group::Other => return,
    };
    if !value.starts_with(&expected) {
        out.push(reader.finding(Code::E310, Known::Specification).with("expected", expected));
    }
}
