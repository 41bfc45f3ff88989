//! The read-only tree, with positions. Everything that reads a document reads this one tree: what is checked is what is used.

pub use roxmltree::{Attribute, Document, Node};

use crate::domain::finding::Place;

/// HL7 version 3.
pub const HL7: &str = "urn:hl7-org:v3";
/// HL7 Finland's extension elements.
pub const HL7FI: &str = "urn:hl7finland";
/// The extensions of HL7's Structured Documents group, which documents of the United States use.
pub const SDTC: &str = "urn:hl7-org:sdtc";
/// XML Signature.
pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Parses a document that the pre-pass has let through. DTDs are refused here once more.
///
/// # Errors
/// The parser's own fault, with its position: line and column from 1.
pub fn parse(text: &str) -> Result<Document<'_>, TreeFault> {
    let options =
        roxmltree::ParsingOptions { allow_dtd: false, nodes_limit: u32::try_from(crate::domain::limits::NODES + 1).unwrap_or(u32::MAX), ..Default::default() };
    Document::parse_with_options(text, options).map_err(|error| {
        use roxmltree::Error::{AttributesLimitReached, NamespacesLimitReached, NodesLimitReached};
        let at = error.pos();
        let too_much = matches!(error, NodesLimitReached | AttributesLimitReached | NamespacesLimitReached);
        TreeFault { line: at.row, column: at.col, too_much }
    })
}

/// Where the tree's parser stopped. Its own words are left out: they quote values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeFault {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Well-formed as far as it was read, but more than the tree holds: nodes, attributes, or 65,535 namespace declarations.
    pub too_much: bool,
}

/// The first child element with this namespace and local name.
#[must_use]
pub fn child<'a, 'i>(node: Node<'a, 'i>, namespace: &str, name: &str) -> Option<Node<'a, 'i>> {
    children(node, namespace, name).next()
}

/// The child elements with this namespace and local name, in document order.
pub fn children<'a, 'i, 'n>(node: Node<'a, 'i>, namespace: &'n str, name: &'n str) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i, 'n> {
    node.children().filter(move |n| n.is_element() && n.tag_name().name() == name && n.tag_name().namespace() == Some(namespace))
}

/// The path of an element, with positions where a name repeats among its siblings: `/ClinicalDocument/author[2]/time`.
/// Names of other namespaces than HL7's stand with the prefix Arkki always uses for them (`hl7fi:`, `ds:`), whatever the document calls them.
#[must_use]
pub fn path(node: Node<'_, '_>) -> String {
    let mut steps = Vec::new();
    let mut here = Some(node);
    while let Some(element) = here.filter(Node::is_element) {
        let name = element.tag_name();
        let same = |n: &Node<'_, '_>| n.is_element() && n.tag_name() == name;
        let before = element.prev_siblings().skip(1).filter(same).count();
        let after = element.next_siblings().skip(1).any(|n| same(&n));
        let mut step = qualified(name.namespace(), name.name());
        if before > 0 || after {
            step.push_str(&format!("[{}]", before + 1));
        }
        steps.push(step);
        here = element.parent();
    }
    if steps.is_empty() {
        return "/".to_owned();
    }
    steps.iter().rev().fold(String::new(), |path, step| path + "/" + step)
}

/// A name with the prefix Arkki uses for its namespace.
#[must_use]
pub fn qualified(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(HL7FI) => format!("hl7fi:{name}"),
        Some(DSIG) => format!("ds:{name}"),
        Some(SDTC) => format!("sdtc:{name}"),
        _ => name.to_owned(),
    }
}

/// Where an element stands.
#[must_use]
pub fn place(node: Node<'_, '_>) -> Place {
    let at = node.document().text_pos_at(node.range().start);
    Place { line: at.row, column: at.col, path: path(node) }
}

/// Where an attribute stands; the element's place where it has no such attribute.
#[must_use]
pub fn attribute_place(node: Node<'_, '_>, name: &str) -> Place {
    let mut place = place(node);
    if let Some(attribute) = node.attributes().find(|a| a.name() == name && a.namespace().is_none()) {
        let at = node.document().text_pos_at(attribute.range().start);
        place.line = at.row;
        place.column = at.col;
    }
    place.path.push_str("/@");
    place.path.push_str(name);
    place
}

/// All text of an element, its own text nodes joined (comments between them are stepped over).
#[must_use]
pub fn text_of(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|n| n.text()).collect()
}
