//! What the schema's own files say of an element: which children, in which order and number, which attributes, which types may stand for its own.
//! libxml2 knows all this and tells only the next ten names; a person wants to know what is missing and where things belong. Read once, when the schema is
//! compiled, and asked only when a document failed. Where it cannot tell, libxml2's words stand: the verdict is never taken from here.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{self, Node};
use crate::codes::source::Files;

const XS: &str = "http://www.w3.org/2001/XMLSchema";
/// The namespace of `xsi:type` and `xsi:nil`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// How deep particles and derivations are followed: CDA's deepest are 6. A schema that circles ends here.
const LEVELS: usize = 40;
/// The largest number of occurrences told apart; the standards have 0, 1, 2 and unbounded.
const OCCURRENCES: usize = 1_000;

/// A name with its namespace; an empty namespace is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The local name.
    pub local: String,
}

impl Name {
    /// The name of an element.
    #[must_use]
    pub fn of(node: Node<'_, '_>) -> Self {
        let name = node.tag_name();
        Self { namespace: name.namespace().unwrap_or_default().to_owned(), local: name.name().to_owned() }
    }

    /// As people see it, with the prefix Arkki always uses.
    #[must_use]
    pub fn qualified(&self) -> String {
        tree::qualified(Some(&self.namespace), &self.local)
    }
}

/// A part of a content model and how often it may stand there.
#[derive(Debug, Clone)]
pub struct Particle {
    /// At least so often.
    pub min: usize,
    /// At most so often; `None` without bound.
    pub max: Option<usize>,
    /// What.
    pub term: Term,
}

/// What a particle is.
#[derive(Debug, Clone)]
pub enum Term {
    /// An element declared here.
    Element(Name, Kind),
    /// An element declared at the top of a file.
    Reference(Name),
    /// A named group.
    Group(Name),
    /// One after another.
    Sequence(Vec<Particle>),
    /// One of them.
    Choice(Vec<Particle>),
    /// Any element of these namespaces.
    Any(Wildcard),
    /// What this reader does not follow (`xs:all`): then nothing is told of the order.
    Untold,
}

/// Which namespaces an `xs:any` takes.
#[derive(Debug, Clone)]
pub enum Wildcard {
    /// All.
    Every,
    /// All but this one, and not "none".
    Other(String),
    /// These; empty stands for none.
    Listed(Vec<String>),
}

impl Wildcard {
    /// Whether a name may stand here.
    #[must_use]
    pub fn takes(&self, name: &Name) -> bool {
        match self {
            Self::Every => true,
            Self::Other(target) => !name.namespace.is_empty() && name.namespace != *target,
            Self::Listed(listed) => listed.contains(&name.namespace),
        }
    }
}

/// The type of an element.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A type with a name.
    Named(Name),
    /// A complex type without one.
    Inline(Box<Complex>),
    /// A simple type without a name, or anything.
    Untold,
}

/// A complex type.
#[derive(Debug, Clone, Default)]
pub struct Complex {
    base: Option<Name>,
    extends: bool,
    is_abstract: bool,
    content: Option<Particle>,
    attributes: Vec<Attribute>,
}

/// A simple type: what values it takes, as far as that can be shown.
#[derive(Debug, Clone, Default)]
struct Simple {
    base: Option<Name>,
    values: Vec<String>,
    members: Vec<Name>,
    inside: Vec<Simple>,
    pattern: Option<String>,
}

#[derive(Debug, Clone)]
enum Attribute {
    Own { name: String, prohibited: bool },
    Group(Name),
}

/// Everything declared in the files that an entry file leads to.
#[derive(Debug, Default)]
pub struct Model {
    elements: BTreeMap<Name, Kind>,
    types: BTreeMap<Name, Complex>,
    values: BTreeMap<Name, Simple>,
    groups: BTreeMap<Name, Particle>,
    attribute_groups: BTreeMap<Name, Vec<Attribute>>,
}

/// The type of an element in a document, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Known<'m> {
    /// Its name, if it has one.
    pub name: Option<&'m Name>,
    complex: &'m Complex,
}

impl Model {
    /// Reads the entry file and all that it includes and imports. What cannot be read is passed over: libxml2 complains of it.
    #[must_use]
    pub fn read(files: &Files, entry: &str) -> Self {
        let mut model = Self::default();
        let mut waiting = vec![(entry.to_owned(), None::<String>)];
        let mut seen = BTreeSet::new();
        while let Some((path, namespace)) = waiting.pop() {
            if !seen.insert((path.clone(), namespace.clone())) {
                continue;
            }
            let Some(document) = files.get(&path).and_then(|octets| std::str::from_utf8(octets).ok()) else { continue };
            let text = document.strip_prefix('\u{feff}').unwrap_or(document);
            // The official files may come with a document type; theirs is not a stranger's message.
            let Ok(document) = tree::parse(text) else { continue };
            let schema = document.root_element();
            let target = schema.attribute("targetNamespace").map(str::to_owned).or(namespace).unwrap_or_default();
            let reader = Reader { target: &target, qualified: schema.attribute("elementFormDefault") == Some("qualified") };
            for node in schema.children().filter(|n| n.tag_name().namespace() == Some(XS)) {
                match (node.tag_name().name(), node.attribute("schemaLocation")) {
                    ("include" | "redefine", Some(location)) => waiting.push((resolve(&path, location), Some(target.clone()))),
                    ("import", Some(location)) => waiting.push((resolve(&path, location), None)),
                    _ => model.declare(&reader, node),
                }
            }
        }
        model
    }

    fn declare(&mut self, reader: &Reader<'_>, node: Node<'_, '_>) {
        let Some(name) = node.attribute("name").map(|local| Name { namespace: reader.target.to_owned(), local: local.to_owned() }) else { return };
        match node.tag_name().name() {
            "element" => drop(self.elements.insert(name, reader.kind(node, 0))),
            "complexType" => drop(self.types.insert(name, reader.complex(node, 0))),
            "simpleType" => drop(self.values.insert(name, reader.simple(node, 0))),
            "group" => {
                let inside = node.children().find_map(|n| reader.particle(n, 0));
                self.groups.insert(name, inside.unwrap_or(Particle { min: 1, max: Some(1), term: Term::Sequence(Vec::new()) }));
            }
            "attributeGroup" => drop(self.attribute_groups.insert(name, reader.attributes(node))),
            _ => {}
        }
    }

    /// The type of an element of a document: its declaration, found from the root on down, and `xsi:type` where it is given.
    #[must_use]
    pub fn known<'m>(&'m self, node: Node<'_, '_>) -> Option<Known<'m>> {
        self.actual(self.declared(node)?, node)
    }

    /// The type that the schema declares for an element, `xsi:type` left aside.
    #[must_use]
    pub fn declared<'m>(&'m self, node: Node<'_, '_>) -> Option<&'m Kind> {
        let line: Vec<Node<'_, '_>> = node.ancestors().filter(Node::is_element).collect();
        let (root, rest) = line.split_last()?;
        let mut kind = self.elements.get(&Name::of(*root))?;
        let mut parent = *root;
        for element in rest.iter().rev() {
            let known = self.actual(kind, parent)?;
            kind = self.child(known, &Name::of(*element))?;
            parent = *element;
        }
        Some(kind)
    }

    fn actual<'m>(&'m self, kind: &'m Kind, node: Node<'_, '_>) -> Option<Known<'m>> {
        if let Some(given) = node.attribute((XSI, "type")) {
            let (prefix, local) = given.trim().split_once(':').map_or((None, given.trim()), |(prefix, local)| (Some(prefix), local));
            let name = Name { namespace: node.lookup_namespace_uri(prefix).unwrap_or_default().to_owned(), local: local.to_owned() };
            return self.of(&name);
        }
        self.of_kind(kind)
    }

    fn of(&self, name: &Name) -> Option<Known<'_>> {
        self.types.get_key_value(name).map(|(name, complex)| Known { name: Some(name), complex })
    }

    /// What is known of a kind.
    #[must_use]
    pub fn of_kind<'m>(&'m self, kind: &'m Kind) -> Option<Known<'m>> {
        match kind {
            Kind::Named(name) => self.of(name),
            Kind::Inline(complex) => Some(Known { name: None, complex }),
            Kind::Untold => None,
        }
    }

    /// The particles of a type, its base's before its own; `None` when a base is not known.
    #[must_use]
    pub fn content<'m>(&'m self, known: Known<'m>) -> Option<Vec<&'m Particle>> {
        let mut parts = Vec::new();
        for complex in self.line(known, true)? {
            parts.extend(complex.content.as_ref());
        }
        parts.reverse();
        Some(parts)
    }

    /// A type and what it is derived from, outermost first; with `extensions` only as far as each adds to its base.
    fn line<'m>(&'m self, known: Known<'m>, extensions: bool) -> Option<Vec<&'m Complex>> {
        let mut line = vec![known.complex];
        let mut here = known.complex;
        while let Some(base) = here.base.as_ref().filter(|_| here.extends || !extensions) {
            match self.types.get(base) {
                Some(complex) if line.len() < LEVELS => here = complex,
                // A value type of XML Schema itself has no children; a circle tells nothing.
                Some(_) => return None,
                None if base.namespace == XS => break,
                None => break,
            }
            line.push(here);
        }
        Some(line)
    }

    fn child<'m>(&'m self, known: Known<'m>, name: &Name) -> Option<&'m Kind> {
        self.content(known)?.into_iter().find_map(|particle| self.within(particle, name, 0))
    }

    fn within<'m>(&'m self, particle: &'m Particle, name: &Name, level: usize) -> Option<&'m Kind> {
        if level == LEVELS || particle.max == Some(0) {
            return None;
        }
        match &particle.term {
            Term::Element(own, kind) => (own == name).then_some(kind),
            Term::Reference(own) => (own == name).then(|| self.elements.get(own)).flatten(),
            Term::Group(group) => self.within(self.groups.get(group)?, name, level + 1),
            Term::Sequence(parts) | Term::Choice(parts) => parts.iter().find_map(|part| self.within(part, name, level + 1)),
            Term::Any(wildcard) => wildcard.takes(name).then(|| self.elements.get(name)).flatten(),
            Term::Untold => None,
        }
    }

    /// The particle of a named group.
    #[must_use]
    pub fn group(&self, name: &Name) -> Option<&Particle> {
        self.groups.get(name)
    }

    /// The attributes that a type takes, in the order of the files, those of its base last.
    #[must_use]
    pub fn attributes<'m>(&'m self, known: Known<'m>) -> Vec<&'m str> {
        let (mut names, mut prohibited) = (Vec::new(), BTreeSet::new());
        for complex in self.line(known, false).unwrap_or_default() {
            self.gather(&complex.attributes, &mut names, &mut prohibited, 0);
        }
        names
    }

    fn gather<'m>(&'m self, attributes: &'m [Attribute], names: &mut Vec<&'m str>, prohibited: &mut BTreeSet<&'m str>, level: usize) {
        for attribute in attributes {
            match attribute {
                Attribute::Own { name, prohibited: true } => drop(prohibited.insert(name)),
                Attribute::Own { name, .. } if !prohibited.contains(name.as_str()) && !names.contains(&name.as_str()) => names.push(name),
                Attribute::Group(group) if level < LEVELS => {
                    if let Some(more) = self.attribute_groups.get(group) {
                        self.gather(more, names, prohibited, level + 1);
                    }
                }
                Attribute::Own { .. } | Attribute::Group(_) => {}
            }
        }
    }

    /// All values of a simple type with this local name, when it is an enumeration or a union of nothing else.
    #[must_use]
    pub fn values(&self, local: &str) -> Option<Vec<&str>> {
        let (_, simple) = self.values.iter().find(|(name, _)| name.local == local)?;
        let mut values = Vec::new();
        self.enumerate(simple, &mut values, 0)?;
        Some(values)
    }

    fn enumerate<'m>(&'m self, simple: &'m Simple, values: &mut Vec<&'m str>, level: usize) -> Option<()> {
        if level == LEVELS {
            return None;
        }
        if !simple.values.is_empty() {
            values.extend(simple.values.iter().map(String::as_str));
            return Some(());
        }
        if !simple.members.is_empty() || !simple.inside.is_empty() {
            let named = simple.members.iter().map(|name| self.values.get(name));
            for member in named.chain(simple.inside.iter().map(Some)) {
                self.enumerate(member?, values, level + 1)?;
            }
            return Some(());
        }
        self.enumerate(self.values.get(simple.base.as_ref()?)?, values, level + 1)
    }

    /// The pattern of a simple type with this local name, or what stands for it where the type is one of XML Schema's own.
    #[must_use]
    pub fn form(&self, local: &str) -> Option<&str> {
        let mut here = self.values.iter().find(|(name, _)| name.local == local).map(|(_, simple)| simple);
        for _ in 0..LEVELS {
            let Some(simple) = here else { break };
            if let Some(pattern) = &simple.pattern {
                return Some(pattern);
            }
            let base = simple.base.as_ref()?;
            if base.namespace == XS {
                return built_in(&base.local);
            }
            here = self.values.get(base);
        }
        built_in(local.strip_prefix("xs:").unwrap_or(local))
    }

    /// The types that may be named by `xsi:type` where this kind is declared: itself and what is derived from it, in the order of the alphabet.
    #[must_use]
    pub fn stand_ins(&self, kind: &Kind) -> Vec<&str> {
        let Kind::Named(declared) = kind else { return Vec::new() };
        let derives = |name: &Name| {
            let mut here = Some(name);
            for _ in 0..LEVELS {
                match here {
                    Some(name) if name == declared => return true,
                    Some(name) => here = self.types.get(name).and_then(|t| t.base.as_ref()),
                    None => return false,
                }
            }
            false
        };
        self.types.iter().filter(|(name, complex)| !complex.is_abstract && derives(name)).map(|(name, _)| name.local.as_str()).collect()
    }
}

/// Reads the declarations of one file.
struct Reader<'a> {
    target: &'a str,
    qualified: bool,
}

impl Reader<'_> {
    fn name(&self, node: Node<'_, '_>, written: &str) -> Name {
        let (prefix, local) = written.split_once(':').map_or((None, written), |(prefix, local)| (Some(prefix), local));
        // A file without a namespace of its own takes that of the file which includes it.
        let namespace = node.lookup_namespace_uri(prefix).unwrap_or(if prefix.is_none() { self.target } else { "" });
        Name { namespace: namespace.to_owned(), local: local.to_owned() }
    }

    fn kind(&self, element: Node<'_, '_>, level: usize) -> Kind {
        if let Some(name) = element.attribute("type") {
            return Kind::Named(self.name(element, name));
        }
        match xs(element).find(|n| n.tag_name().name() == "complexType") {
            Some(inline) if level < LEVELS => Kind::Inline(Box::new(self.complex(inline, level + 1))),
            _ => Kind::Untold,
        }
    }

    fn complex(&self, node: Node<'_, '_>, level: usize) -> Complex {
        let is_abstract = matches!(node.attribute("abstract"), Some("true" | "1"));
        let derivation = xs(node)
            .find(|n| matches!(n.tag_name().name(), "complexContent" | "simpleContent"))
            .and_then(|content| xs(content).find(|n| matches!(n.tag_name().name(), "extension" | "restriction")));
        let body = derivation.unwrap_or(node);
        Complex {
            base: derivation.and_then(|d| d.attribute("base").map(|base| self.name(d, base))),
            extends: derivation.is_some_and(|d| d.tag_name().name() == "extension"),
            is_abstract,
            content: xs(body).find_map(|n| self.particle(n, level)),
            attributes: self.attributes(body),
        }
    }

    fn simple(&self, node: Node<'_, '_>, level: usize) -> Simple {
        let Some(body) = xs(node).find(|n| matches!(n.tag_name().name(), "restriction" | "union")).filter(|_| level < LEVELS) else { return Simple::default() };
        let facets = |which: &'static str| xs(body).filter(move |n| n.tag_name().name() == which).filter_map(|n| n.attribute("value"));
        let patterns: Vec<&str> = facets("pattern").collect();
        Simple {
            base: body.attribute("base").map(|base| self.name(body, base)),
            values: facets("enumeration").map(str::to_owned).collect(),
            members: body.attribute("memberTypes").unwrap_or_default().split_ascii_whitespace().map(|name| self.name(body, name)).collect(),
            inside: xs(body).filter(|n| n.tag_name().name() == "simpleType").map(|n| self.simple(n, level + 1)).collect(),
            pattern: (!patterns.is_empty()).then(|| patterns.join("|")),
        }
    }

    fn particle(&self, node: Node<'_, '_>, level: usize) -> Option<Particle> {
        if node.tag_name().namespace() != Some(XS) {
            return None;
        }
        let term = match node.tag_name().name() {
            _ if level >= LEVELS => Term::Untold,
            "element" => match node.attribute("ref") {
                Some(name) => Term::Reference(self.name(node, name)),
                None => {
                    let qualified = node.attribute("form").map_or(self.qualified, |form| form == "qualified");
                    let namespace = if qualified { self.target.to_owned() } else { String::new() };
                    Term::Element(Name { namespace, local: node.attribute("name")?.to_owned() }, self.kind(node, level))
                }
            },
            "group" => Term::Group(self.name(node, node.attribute("ref")?)),
            "sequence" => Term::Sequence(xs(node).filter_map(|n| self.particle(n, level + 1)).collect()),
            "choice" => Term::Choice(xs(node).filter_map(|n| self.particle(n, level + 1)).collect()),
            "any" => Term::Any(self.wildcard(node.attribute("namespace"))),
            "all" => Term::Untold,
            _ => return None,
        };
        let number = |name| node.attribute(name).and_then(|n| n.trim().parse::<usize>().ok()).map(|n| n.min(OCCURRENCES));
        let max = if node.attribute("maxOccurs") == Some("unbounded") { None } else { Some(number("maxOccurs").unwrap_or(1)) };
        Some(Particle { min: number("minOccurs").unwrap_or(1), max, term })
    }

    fn wildcard(&self, namespace: Option<&str>) -> Wildcard {
        match namespace.map(str::trim) {
            None | Some("##any") => Wildcard::Every,
            Some("##other") => Wildcard::Other(self.target.to_owned()),
            Some(listed) => Wildcard::Listed(
                listed
                    .split_ascii_whitespace()
                    .map(|one| match one {
                        "##targetNamespace" => self.target.to_owned(),
                        "##local" => String::new(),
                        other => other.to_owned(),
                    })
                    .collect(),
            ),
        }
    }

    fn attributes(&self, body: Node<'_, '_>) -> Vec<Attribute> {
        let read = |node: Node<'_, '_>| match (node.tag_name().name(), node.attribute("name").or(node.attribute("ref"))) {
            ("attribute", Some(name)) => Some(Attribute::Own { name: name.to_owned(), prohibited: node.attribute("use") == Some("prohibited") }),
            ("attributeGroup", Some(name)) => Some(Attribute::Group(self.name(node, name))),
            _ => None,
        };
        xs(body).filter_map(read).collect()
    }
}

/// How the values of XML Schema's own types look, in the notation of its patterns; it says enough for a person and is not used for any verdict.
fn built_in(local: &str) -> Option<&'static str> {
    Some(match local {
        "boolean" => "true|false|1|0",
        "ID" | "IDREF" | "NCName" => "[A-Za-z_][A-Za-z0-9._-]*",
        "IDREFS" => "[A-Za-z_][A-Za-z0-9._-]*( [A-Za-z_][A-Za-z0-9._-]*)*",
        "Name" | "QName" => "[A-Za-z_][A-Za-z0-9._:-]*",
        "NMTOKEN" => "[A-Za-z0-9._:-]+",
        "NMTOKENS" => "[A-Za-z0-9._:-]+( [A-Za-z0-9._:-]+)*",
        "integer" | "long" | "int" | "short" => "[+-]?[0-9]+",
        "nonNegativeInteger" | "unsignedInt" | "unsignedLong" => "[0-9]+",
        "positiveInteger" => "[1-9][0-9]*",
        "decimal" => "[+-]?[0-9]+([.][0-9]+)?",
        "double" | "float" => "[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?",
        "base64Binary" => "[A-Za-z0-9+/]*={0,2}",
        "hexBinary" => "([0-9A-Fa-f]{2})*",
        "date" => "YYYY-MM-DD",
        "dateTime" => "YYYY-MM-DDThh:mm:ss(Z|[+-]hh:mm)?",
        "language" => "[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*",
        "anyURI" => "URI",
        _ => return None,
    })
}

fn xs<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(|n| n.tag_name().namespace() == Some(XS))
}

/// `../a/b.xsd` as seen from a file.
fn resolve(from: &str, location: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in location.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::xml::tree::Document;

    #[test]
    fn files_are_followed_and_names_resolved() {
        let mut files = Files::new();
        let outer = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='u' targetNamespace='u' elementFormDefault='qualified'>\
            <xs:include schemaLocation='../b/inner.xsd'/>\
            <xs:element name='r'><xs:complexType><xs:complexContent><xs:extension base='B'><xs:sequence><xs:element name='y' type='C'/></xs:sequence>\
            <xs:attribute name='k'/></xs:extension></xs:complexContent></xs:complexType></xs:element></xs:schema>";
        // Without a namespace of its own.
        let inner = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' elementFormDefault='qualified'>\
            <xs:complexType name='B'><xs:sequence><xs:element name='x' type='C' minOccurs='0'/></xs:sequence><xs:attribute name='j'/></xs:complexType>\
            <xs:complexType name='C' abstract='true'/>\
            <xs:complexType name='D'><xs:complexContent><xs:restriction base='C'><xs:attribute name='d'/></xs:restriction></xs:complexContent></xs:complexType></xs:schema>";
        files.insert("a/outer.xsd".to_owned(), outer.into());
        files.insert("b/inner.xsd".to_owned(), inner.into());
        let model = Model::read(&files, "a/outer.xsd");
        let document = Document::parse("<r xmlns='u' xmlns:p='u' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><x/><y xsi:type=' p:D'/></r>").unwrap();
        let [x, y] = [document.root_element().first_element_child().unwrap(), document.root_element().last_element_child().unwrap()];
        let root = model.known(document.root_element()).unwrap();
        assert_eq!(model.content(root).unwrap().len(), 2);
        assert_eq!(model.attributes(root), ["k", "j"]);
        assert_eq!(model.known(x).unwrap().name.unwrap().local, "C");
        assert_eq!(model.known(y).unwrap().name.unwrap().local, "D");
        assert_eq!(model.stand_ins(model.declared(y).unwrap()), ["D"]);
    }
}
