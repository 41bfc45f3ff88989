//! A set of schema files as one: includes and imports followed, the global components by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arkki::codes::source::Files;
use arkki::xml::tree::{self, Document, Node};

pub const XS: &str = "http://www.w3.org/2001/XMLSchema";

/// A global component: its element, and the namespace it belongs to (a file without one takes that of the file that includes it).
#[derive(Clone, Copy)]
pub struct Part<'a, 'i> {
    pub node: Node<'a, 'i>,
    pub target: &'a str,
}

/// The global components of a set, by kind (`type`, `element`, `attribute`, `group`, `attributeGroup`) and name.
pub struct Set<'a, 'i> {
    parts: BTreeMap<(&'static str, String), Part<'a, 'i>>,
}

struct Source {
    path: String,
    target: String,
    text: String,
}

impl<'a, 'i> Set<'a, 'i> {
    /// Reads the set that `entry` makes of `files` and hands it on: documents borrow their texts, so the set lives in here.
    pub fn with<T>(files: &Files, entry: &str, work: impl FnOnce(&Set<'_, '_>) -> T) -> T {
        let mut sources = Vec::new();
        collect(files, entry, "", &mut sources);
        let documents: Vec<Document<'_>> = sources.iter().map(|source| tree::parse(&source.text).unwrap()).collect();
        let mut parts = BTreeMap::new();
        for (source, document) in sources.iter().zip(&documents) {
            for node in document.root_element().children().filter(|n| n.tag_name().namespace() == Some(XS)) {
                let kind = match node.tag_name().name() {
                    "complexType" | "simpleType" => "type",
                    "element" => "element",
                    "attribute" => "attribute",
                    "group" => "group",
                    "attributeGroup" => "attributeGroup",
                    "include" | "import" | "annotation" => continue,
                    other => panic!("{}: {other} is not understood here", source.path),
                };
                let name = short(&source.target, node.attribute("name").unwrap());
                parts.entry((kind, name)).or_insert(Part { node, target: source.target.as_str() });
            }
        }
        work(&Set { parts })
    }

    pub fn get(&self, kind: &'static str, name: &str) -> Option<Part<'a, 'i>> {
        self.parts.get(&(kind, name.to_owned())).copied()
    }

    pub fn all(&self, kind: &'static str) -> impl Iterator<Item = (&String, Part<'a, 'i>)> {
        self.parts.iter().filter(move |((k, _), _)| *k == kind).map(|((_, name), part)| (name, *part))
    }

    /// Kind and name of everything that may be referred to from a document or another schema.
    pub fn names(&self) -> BTreeSet<(&'static str, String)> {
        self.parts.keys().filter(|(kind, _)| matches!(*kind, "type" | "element" | "attribute")).cloned().collect()
    }
}

impl<'a, 'i> Part<'a, 'i> {
    /// The name that a reference within this component stands for.
    pub fn name(&self, node: Node<'_, '_>, reference: &str) -> String {
        let (namespace, local) = match reference.split_once(':') {
            Some((prefix, local)) => (node.lookup_namespace_uri(Some(prefix)), local),
            None => (node.lookup_namespace_uri(None), reference),
        };
        short(namespace.unwrap_or(self.target), local)
    }

    /// Another element of the same component.
    pub fn at(&self, node: Node<'a, 'i>) -> Self {
        Self { node, target: self.target }
    }

    /// The children that are of XML Schema, without annotations.
    pub fn children(&self) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i> {
        self.node.children().filter(|n| n.tag_name().namespace() == Some(XS) && n.tag_name().name() != "annotation")
    }

    pub fn child(&self, name: &str) -> Option<Self> {
        self.children().find(|n| n.tag_name().name() == name).map(|n| self.at(n))
    }
}

/// A name as it is shown: HL7's own without prefix, others with the one they usually have.
pub fn short(namespace: &str, local: &str) -> String {
    match namespace {
        "urn:hl7-org:v3" => local.to_owned(),
        XS => format!("xs:{local}"),
        "urn:hl7-org:sdtc" => format!("sdtc:{local}"),
        "urn:hl7finland" => format!("hl7fi:{local}"),
        "http://www.w3.org/2000/09/xmldsig#" => format!("ds:{local}"),
        other => format!("{{{other}}}{local}"),
    }
}

/// Every `.xsd` under a folder, by its path from there.
pub fn files_under(folder: &Path) -> Files {
    fn walk(root: &Path, folder: &Path, files: &mut Files) {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                walk(root, &path, files);
            } else if path.extension().is_some_and(|e| e == "xsd") {
                files.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut files = Files::new();
    walk(folder, folder, &mut files);
    files
}

fn collect(files: &Files, path: &str, inherited: &str, sources: &mut Vec<Source>) {
    let text = String::from_utf8(files.get(path).unwrap_or_else(|| panic!("no {path} in the set")).clone()).unwrap();
    let document = tree::parse(&text).unwrap_or_else(|fault| panic!("{path}: {fault:?}"));
    let target = document.root_element().attribute("targetNamespace").unwrap_or(inherited).to_owned();
    if sources.iter().any(|source| source.path == path && source.target == target) {
        return;
    }
    let mut next = Vec::new();
    for node in document.root_element().children().filter(|n| n.tag_name().namespace() == Some(XS)) {
        let Some(location) = node.attribute("schemaLocation") else { continue };
        next.push((joined(path, location), node.attribute("namespace").unwrap_or(&target).to_owned()));
    }
    drop(document);
    sources.push(Source { path: path.to_owned(), target, text });
    for (path, target) in next {
        collect(files, &path, &target, sources);
    }
}

/// A location as seen from the file that names it.
fn joined(from: &str, location: &str) -> String {
    let mut steps: Vec<&str> = from.split('/').collect();
    steps.pop();
    for step in location.split('/') {
        match step {
            ".." => drop(steps.pop()),
            "." => {}
            step => steps.push(step),
        }
    }
    steps.join("/")
}
