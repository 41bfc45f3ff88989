//! The display form as XHTML: well-formed, and nothing in it but what is on the list of what shows text, tables and inline pictures (`codes/body.toml`).
//! What runs, what loads and what leads elsewhere has no place in a document that is shown for decades.

use super::Report;
use crate::codes::body::{Address, XhtmlRules};
use crate::domain::code::Code;
use crate::domain::finding::Place;
use crate::domain::limits::DEPTH;
use crate::xml::tree::{self, Node};

/// The most tags taken in a display form: real ones have hundreds, and each becomes a node of the tree (100 octets); more would be a flood, not a document.
const XHTML_TAGS: usize = 200_000;
/// XHTML's namespace.
const XHTML: &str = "http://www.w3.org/1999/xhtml";
/// The namespace of `xml:lang` and `xml:space`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The longest name of an element or attribute that is repeated in a sentence.
const SHOWN_NAME: usize = 40;

/// Well-formed XHTML without a DTD, its root in the right namespace and no deeper than a document may be, made of allowed things only.
pub(super) fn check(octets: &[u8], rules: &XhtmlRules, report: &mut Report<'_, '_, '_>) {
    let tags = octets.iter().filter(|octet| **octet == b'<').count();
    let Some(text) = std::str::from_utf8(octets).ok().filter(|_| tags <= XHTML_TAGS) else {
        return report.add(Code::E507, "B-xhtml", &[]);
    };
    match tree::parse(text) {
        Err(fault) => report.add(Code::E507, "B-xhtml", &[("line", &fault.line.to_string()), ("column", &fault.column.to_string())]),
        Ok(display) => {
            let root = display.root_element();
            if root.tag_name().namespace() != Some(XHTML) || is_deeper_than(root, DEPTH) {
                return report.add(Code::E507, "B-xhtml", &[]);
            }
            for node in display.root().descendants() {
                if report.is_full() {
                    return;
                }
                if let Some(instruction) = node.pi() {
                    at(report, Code::E510, node, "xhtml-instruction", instruction.target);
                } else if node.is_element() {
                    element(node, rules, report);
                }
            }
        }
    }
}

fn element(node: Node<'_, '_>, rules: &XhtmlRules, report: &mut Report<'_, '_, '_>) {
    let name = node.tag_name().name();
    if node.tag_name().namespace() != Some(XHTML) {
        return at(report, Code::E510, node, "xhtml-foreign", name);
    }
    if !rules.allows_element(name) {
        let outside = rules.is_outside(name);
        return at(report, if outside { Code::E511 } else { Code::E510 }, node, "xhtml-element", name);
    }
    for attribute in node.attributes() {
        let (key, value) = (attribute.name(), attribute.value());
        match attribute.namespace() {
            Some(XML) if key != "base" => continue,
            Some(_) => {
                at(report, if key == "base" || key == "href" { Code::E511 } else { Code::E510 }, node, "xhtml-attribute", key);
                continue;
            }
            None => {}
        }
        match rules.address(key, value) {
            Address::Inside => continue,
            Address::Outside => {
                at(report, Code::E511, node, "xhtml-attribute", key);
                continue;
            }
            Address::None => {}
        }
        if !rules.allows_attribute(key) {
            at(report, Code::E510, node, "xhtml-attribute", key);
        } else if (key == "style" && rules.forbids_style(value)) || (key == "http-equiv" && !rules.allows_http_equiv(value)) {
            at(report, Code::E511, node, "xhtml-attribute", key);
        }
    }
    if name == "style" && rules.forbids_style(&tree::text_of(node)) {
        at(report, Code::E511, node, "xhtml-element", name);
    }
}

/// A finding that names the thing and its place within the display form.
fn at(report: &mut Report<'_, '_, '_>, code: Code, node: Node<'_, '_>, kind: &str, name: &str) {
    let Place { line, column, .. } = place(node);
    let name: String = name.chars().take(SHOWN_NAME).collect();
    let rule = if code == Code::E511 { "B-xhtml-outside" } else { "B-xhtml-active" };
    report.add(code, rule, &[("reason", kind), ("name", &name), ("line", &line.to_string()), ("column", &column.to_string())]);
}

/// Line and column alone: the path is the body's.
fn place(node: Node<'_, '_>) -> Place {
    let at = node.document().text_pos_at(node.range().start);
    Place { line: at.row, column: at.col, path: String::new() }
}

/// Walks in document order, so that depth costs no stack.
fn is_deeper_than(root: Node<'_, '_>, limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut here = root;
    loop {
        if let Some(child) = here.first_element_child() {
            depth += 1;
            if depth > limit {
                return true;
            }
            here = child;
            continue;
        }
        loop {
            if here == root {
                return false;
            }
            if let Some(next) = here.next_sibling_element() {
                here = next;
                break;
            }
            match here.parent() {
                Some(parent) => {
                    here = parent;
                    depth = depth.saturating_sub(1);
                }
                None => return false,
            }
        }
    }
}
