//! What a set of schemas says, fact by fact, with groups expanded and everything inherited worked out, so that two sets can be held against each other.

use std::collections::{BTreeMap, BTreeSet};

use arkki::codes::source::Files;

use super::particle::{Kind, Particle};
use super::set::{Part, Set};

/// Facts by where they hold: `type ED`, `type ED content`, `type ED @mediaType`, `element ClinicalDocument`.
pub type Facts = BTreeMap<String, Vec<String>>;

/// A fact in which two sets differ: the parts of it that are not the same. Empty where a set does not have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub place: String,
    pub ours: String,
    pub theirs: String,
}

/// All that a set says, every type of it by its name.
pub fn facts(files: &Files, entry: &str) -> Facts {
    Set::with(files, entry, |set| Teller { set, shared: &set.names() }.facts())
}

/// What a built-in type means without being told, and ours tell again because libxml2 takes more (`xsd/cda/datatypes-values.xsd`): no difference.
const MEANT: [(&str, &str); 5] = [
    ("xs:NMTOKENS", "minLength 1"),
    ("xs:IDREFS", "minLength 1"),
    ("xs:base64Binary", "pattern [A-Za-z0-9+/= ]*"),
    ("xs:double", r"pattern [+\-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([Ee][+\-]?[0-9]+)?|-?INF|NaN"),
    ("xs:anyURI", r"pattern ([^:/?#]+(:([^#/].*|/([^/].*|/([^\[].*|\[[0-9A-Fa-f:.]+\].*))?)|[/?#].*)?|/([^/].*|/([^\[].*|\[[0-9A-Fa-f:.]+\].*))?|[?#].*)?"),
];

/// How deep unnamed types may lie in each other.
const DEPTH: usize = 30;

/// Every difference between two sets, each given by its files and the entry among them.
pub fn differences(ours: (&Files, &str), theirs: (&Files, &str)) -> Vec<Difference> {
    let names = |(files, entry): (&Files, &str)| Set::with(files, entry, |set| set.names());
    let shared: BTreeSet<_> = names(ours).intersection(&names(theirs)).cloned().collect();
    let facts = |(files, entry): (&Files, &str)| Set::with(files, entry, |set| Teller { set, shared: &shared }.facts());
    let (ours, theirs) = (facts(ours), facts(theirs));
    let places: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    places.into_iter().filter_map(|place| difference(place, ours.get(place), theirs.get(place))).collect()
}

/// The steps in which the two differ, without those they begin and end with alike.
fn difference(place: &str, ours: Option<&Vec<String>>, theirs: Option<&Vec<String>>) -> Option<Difference> {
    if ours == theirs {
        return None;
    }
    let (ours, theirs) = (ours.map_or(&[][..], Vec::as_slice), theirs.map_or(&[][..], Vec::as_slice));
    let head = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let (ours, theirs) = (&ours[head..], &theirs[head..]);
    let tail = ours.iter().rev().zip(theirs.iter().rev()).take_while(|(a, b)| a == b).count();
    let told = |steps: &[String]| steps[..steps.len() - tail].join("; ");
    Some(Difference { place: place.to_owned(), ours: told(ours), theirs: told(theirs) })
}

/// Tells the facts of a set. What both sets have by name is told by its name; what only one has is told as it is made.
struct Teller<'s, 'a, 'i> {
    set: &'s Set<'a, 'i>,
    shared: &'s BTreeSet<(&'static str, String)>,
}

impl<'a, 'i> Teller<'_, 'a, 'i> {
    fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        for (name, part) in self.set.all("type") {
            if !self.shared.contains(&("type", name.clone())) {
                // A type of one's own that is no more than a built-in one is told where it is used.
                if !self.made(part, 0).starts_with("xs:") {
                    facts.insert(format!("type {name}"), vec!["is there".to_owned()]);
                }
            } else if part.node.tag_name().name() == "simpleType" {
                facts.insert(format!("type {name}"), self.simple(part, 0));
            } else {
                let (kind, content, attributes) = self.complex(part, 0);
                facts.insert(format!("type {name}"), kind);
                facts.insert(format!("type {name} content"), content);
                facts.extend(attributes.into_iter().map(|(attribute, words)| (format!("type {name} {attribute}"), vec![words])));
            }
        }
        for (name, part) in self.set.all("element") {
            facts.insert(format!("element {name}"), vec![self.element(part, 0)]);
        }
        for (name, part) in self.set.all("attribute") {
            facts.insert(format!("attribute {name}"), vec![self.value(part, 0)]);
        }
        facts
    }

    /// A type that is named, or else told where it is used.
    fn type_of(&self, part: Part<'a, 'i>, depth: usize) -> String {
        if let Some(name) = part.node.attribute("type").map(|name| part.name(part.node, name)) {
            return self.named(&name, depth);
        }
        part.child("complexType").or_else(|| part.child("simpleType")).map_or_else(|| "any type".to_owned(), |inner| self.made(inner, depth))
    }

    fn named(&self, name: &str, depth: usize) -> String {
        match self.set.get("type", name) {
            Some(part) if !self.shared.contains(&("type", name.to_owned())) => self.made(part, depth),
            None if !name.starts_with("xs:") => format!("{name}, which is not there"),
            _ => name.to_owned(),
        }
    }

    /// A type told as it is made. A restriction that restricts nothing is its base.
    fn made(&self, part: Part<'a, 'i>, depth: usize) -> String {
        if depth > DEPTH {
            return "a type within itself".to_owned();
        }
        if part.node.tag_name().name() == "simpleType" {
            let told = self.simple(part, depth + 1);
            return match (told.as_slice(), told.first().and_then(|word| word.strip_prefix("restriction of "))) {
                ([_], Some(base)) => base.to_owned(),
                _ => format!("[{}]", told.join("; ")),
            };
        }
        let (kind, content, attributes) = self.complex(part, depth + 1);
        let attributes = attributes.into_iter().map(|(name, words)| format!("{name} {words}"));
        format!("[{}]", kind.into_iter().chain(content).chain(attributes).collect::<Vec<_>>().join("; "))
    }

    fn simple(&self, part: Part<'a, 'i>, depth: usize) -> Vec<String> {
        let mut told = flags(part, &["final"]);
        let inner = part.at(part.children().next().unwrap());
        match inner.node.tag_name().name() {
            "restriction" => told.extend(self.restricted(inner, depth)),
            "list" => told.push(format!("list of {}", self.members(inner, "itemType", depth).join(" "))),
            _ => told.extend(std::iter::once("union of".to_owned()).chain(self.members(inner, "memberTypes", depth))),
        }
        told
    }

    fn members(&self, part: Part<'a, 'i>, attribute: &str, depth: usize) -> Vec<String> {
        let named = part.node.attribute(attribute).unwrap_or_default().split_ascii_whitespace().map(|name| self.named(&part.name(part.node, name), depth));
        named.chain(part.children().map(|n| self.made(part.at(n), depth))).collect()
    }

    /// Base and facets. Enumerations and the patterns of one step are sets.
    fn restricted(&self, part: Part<'a, 'i>, depth: usize) -> Vec<String> {
        let base = part.node.attribute("base").map(|name| self.named(&part.name(part.node, name), depth));
        let base = base.or_else(|| part.child("simpleType").map(|inner| self.made(inner, depth))).unwrap_or_default();
        let facets = part.children().filter(|n| n.attribute("value").is_some());
        let facets = facets.map(|n| format!("{} {}", n.tag_name().name(), n.attribute("value").unwrap()));
        let facets: BTreeSet<String> = facets.filter(|facet| !MEANT.contains(&(base.as_str(), facet.as_str()))).collect();
        std::iter::once(format!("restriction of {base}")).chain(facets).collect()
    }

    /// What kind of type, what may stand in it, and its attributes with all it inherits.
    fn complex(&self, part: Part<'a, 'i>, depth: usize) -> (Vec<String>, Vec<String>, BTreeMap<String, String>) {
        let mut kind = vec!["complex".to_owned()];
        kind.extend(flags(part, &["abstract", "block", "final"]));
        let content = part.child("complexContent").or_else(|| part.child("simpleContent"));
        let mixed = |part: Part<'a, 'i>| matches!(part.node.attribute("mixed"), Some("true" | "1"));
        if mixed(part) || content.is_some_and(mixed) {
            kind.push("mixed".to_owned());
        }
        let derivation = content.and_then(|content| content.children().next().map(|n| content.at(n)));
        let mut model = Vec::new();
        if let Some(derivation) = derivation {
            let base = self.named(&derivation.name(derivation.node, derivation.node.attribute("base").unwrap()), depth);
            kind.push(format!("{} of {base}", derivation.node.tag_name().name()));
            if content.is_some_and(|c| c.node.tag_name().name() == "simpleContent") {
                kind.push("simple content".to_owned());
                model = self.restricted(derivation, depth).split_off(1);
            }
        }
        let body = derivation.unwrap_or(part);
        let particle = body.children().find_map(|n| self.particle(body.at(n), depth));
        model.extend(particle.and_then(Particle::simplified).map(|p| p.steps()).unwrap_or_default());
        (kind, model, self.attributes(part, depth))
    }

    fn particle(&self, part: Part<'a, 'i>, depth: usize) -> Option<Particle> {
        let inside = |part: Part<'a, 'i>| part.children().filter_map(|n| self.particle(part.at(n), depth)).collect();
        let kind = match part.node.tag_name().name() {
            "sequence" => Kind::Sequence(inside(part)),
            "choice" => Kind::Choice(inside(part)),
            "all" => Kind::All(inside(part)),
            "group" => {
                let name = part.name(part.node, part.node.attribute("ref")?);
                let group = self.set.get("group", &name).unwrap_or_else(|| panic!("no group {name}"));
                Kind::Sequence(inside(group))
            }
            "element" => Kind::Leaf(self.local(part, depth)),
            "any" => Kind::Leaf(wildcard(part)),
            _ => return None,
        };
        let max = match part.node.attribute("maxOccurs") {
            Some("unbounded") => None,
            other => Some(other.map_or(1, |n| n.parse().unwrap())),
        };
        Some(Particle { kind, min: part.node.attribute("minOccurs").map_or(1, |n| n.parse().unwrap()), max })
    }

    /// An element in a content model: its name and what it is.
    fn local(&self, part: Part<'a, 'i>, depth: usize) -> String {
        if let Some(name) = part.node.attribute("ref").map(|name| part.name(part.node, name)) {
            let global = self.set.get("element", &name).unwrap_or_else(|| panic!("no element {name}"));
            let known = self.shared.contains(&("element", name.clone())) && global.node.attribute("type").is_none();
            return if known { format!("{name}: as declared") } else { format!("{name}: {}", self.element(global, depth)) };
        }
        let name = qualified(part, "elementFormDefault");
        format!("{name}: {}", self.element(part, depth))
    }

    fn element(&self, part: Part<'a, 'i>, depth: usize) -> String {
        let mut told = vec![self.value(part, depth)];
        told.extend(flags(part, &["abstract", "nillable", "block", "final", "substitutionGroup"]));
        let constraints = part.children().filter(|n| matches!(n.tag_name().name(), "key" | "keyref" | "unique"));
        told.extend(constraints.map(|n| n.tag_name().name().to_owned()));
        told.join(" ")
    }

    /// The type, and the value where the document gives none or may give no other.
    fn value(&self, part: Part<'a, 'i>, depth: usize) -> String {
        let mut told = self.type_of(part, depth);
        for name in ["default", "fixed"] {
            if let Some(value) = part.node.attribute(name) {
                told.push_str(&format!(" {name} '{value}'"));
            }
        }
        told
    }

    fn attributes(&self, part: Part<'a, 'i>, depth: usize) -> BTreeMap<String, String> {
        let mut attributes = BTreeMap::new();
        let content = part.child("complexContent").or_else(|| part.child("simpleContent"));
        let derivation = content.and_then(|content| content.children().next().map(|n| content.at(n)));
        if let Some(derivation) = derivation {
            let base = derivation.name(derivation.node, derivation.node.attribute("base").unwrap());
            if let Some(base) = self.set.get("type", &base).filter(|_| depth <= DEPTH) {
                attributes = self.attributes(base, depth + 1);
            }
        }
        self.own_attributes(derivation.unwrap_or(part), depth, &mut attributes);
        attributes
    }

    fn own_attributes(&self, part: Part<'a, 'i>, depth: usize, attributes: &mut BTreeMap<String, String>) {
        for node in part.children() {
            let part = part.at(node);
            match node.tag_name().name() {
                "attribute" => {
                    let reference = node.attribute("ref").map(|name| part.name(node, name));
                    let name = reference.clone().unwrap_or_else(|| qualified(part, "attributeFormDefault"));
                    let name = format!("@{}", name.trim_start_matches("{}"));
                    let needed = node.attribute("use").unwrap_or("optional");
                    if needed == "prohibited" {
                        attributes.remove(&name);
                        continue;
                    }
                    let declared = reference.map(|name| self.set.get("attribute", &name).unwrap_or_else(|| panic!("no attribute {name}")));
                    attributes.insert(name, format!("{needed} {}", self.value(declared.unwrap_or(part), depth)));
                }
                "attributeGroup" => {
                    let name = part.name(node, node.attribute("ref").unwrap());
                    self.own_attributes(self.set.get("attributeGroup", &name).unwrap_or_else(|| panic!("no attribute group {name}")), depth, attributes);
                }
                "anyAttribute" => drop(attributes.insert("@*".to_owned(), wildcard(part))),
                _ => {}
            }
        }
    }
}

/// A local name with its namespace: none, unless the schema says that local names have the schema's.
fn qualified(part: Part<'_, '_>, default: &str) -> String {
    let form = part.node.attribute("form").or_else(|| part.node.document().root_element().attribute(default));
    let name = part.node.attribute("name").unwrap();
    if form == Some("qualified") { super::set::short(part.target, name) } else { format!("{{}}{name}") }
}

fn wildcard(part: Part<'_, '_>) -> String {
    let namespace = part.node.attribute("namespace").unwrap_or("##any");
    format!("anything of {namespace}, processed {}", part.node.attribute("processContents").unwrap_or("strict"))
}

/// Attributes of a declaration that change what it lets through, where they are there and say something.
fn flags(part: Part<'_, '_>, names: &[&str]) -> Vec<String> {
    let told = |name: &&str| match part.node.attribute(*name)? {
        "false" | "0" | "" => None,
        "true" | "1" => Some((*name).to_owned()),
        value => Some(format!("{name} {value}")),
    };
    names.iter().filter_map(told).collect()
}
