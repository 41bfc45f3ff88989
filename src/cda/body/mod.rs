//! The body: base64, XHTML, PDF/A, JSON (documents.md §1.2). Whether header and JSON say the same is asked with the header (§7.5).

pub(crate) mod digits;
mod pdf;
mod xhtml;

use std::borrow::Cow;

use super::structured::{self, Structured};
use super::template::{Form, Known, Reader};
use crate::codes::rule_set::RuleSet;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::finding::{Finding, has_room};
use crate::domain::limits::{DOCUMENT_OCTETS, FINDINGS};
use crate::xml::tree::{self, Document, HL7, HL7FI, Node};

pub use pdf::Claim;

/// A body that was read and is well formed of its kind.
#[derive(Debug)]
pub struct Body {
    /// How it is made.
    pub form: Form,
    /// The display form's octets: XHTML or PDF.
    pub display: Vec<u8>,
    /// What a PDF declares of itself: nobody has looked whether it is so.
    pub declares: Option<Claim>,
    /// What the structured form says of case and relation, where it has one.
    pub structured: Option<Structured>,
    /// What the sender is told although the body is good.
    pub warnings: Vec<Finding>,
}

/// Reads the body of a document whose template passed.
///
/// # Errors
/// Everything that is wrong with it, E501–E516, and what is only told beside it.
pub fn read(document: &Document<'_>, rules: &RuleSet, group: Group) -> Result<Body, Vec<Finding>> {
    let reader = rules.templates.reader(document);
    let parts = Parts::find(document)?;
    let mut out = Vec::new();
    let id = reader.value(Known::Id).unwrap_or(Cow::Borrowed(""));
    if parts.body.attribute("ID").and_then(|v| v.strip_prefix("OID")) != Some(id.as_ref()) {
        out.push(Finding::new(Code::E503, tree::attribute_place(parts.body, "ID")));
    }
    let form = form(&parts, &reader, rules, group, &mut out);
    let display = decode(parts.text, "text", &mut out);
    let json = parts.json.and_then(|node| decode(node, "hl7fi:json", &mut out).map(|octets| (node, octets)));
    let mut report = Report { node: parts.text, out: &mut out };
    let declares = match (form, &display) {
        (Some(Form::Pdf), Some(octets)) => pdf::check(octets, &rules.body.pdf, &mut report),
        (Some(Form::Structured | Form::Xhtml), Some(octets)) => {
            xhtml::check(octets, &rules.body.xhtml, &mut report);
            None
        }
        _ => None,
    };
    let specification = reader.value(Known::Specification).unwrap_or_default();
    let structured = json.and_then(|(node, octets)| structured(node, &octets, group, &specification, rules, &mut out));
    match (form, display) {
        (Some(form), Some(display)) if !out.iter().any(Finding::is_error) => Ok(Body { form, display, declares, structured, warnings: out }),
        _ => Err(out),
    }
}

fn structured(node: Node<'_, '_>, octets: &[u8], group: Group, specification: &str, rules: &RuleSet, out: &mut Vec<Finding>) -> Option<Structured> {
    let place = tree::place(node);
    match structured::read(octets, group, specification) {
        Ok(structured) => {
            structured.check(rules, &place, out);
            Some(structured)
        }
        Err(fault) => {
            let finding = Finding::new(Code::E504, place).with("line", fault.line.to_string()).with("column", fault.column.to_string());
            out.push(finding.under("J-strict"));
            None
        }
    }
}

/// Where the display form's findings go: all stand at the element that carries it.
struct Report<'r, 'a, 'i> {
    node: Node<'a, 'i>,
    out: &'r mut Vec<Finding>,
}

impl Report<'_, '_, '_> {
    fn add(&mut self, code: Code, rule: &'static str, args: &[(&'static str, &str)]) {
        if has_room(self.out.iter().map(|finding| finding.code), code) {
            let finding = Finding::new(code, tree::place(self.node)).under(rule);
            self.out.push(args.iter().fold(finding, |finding, (name, value)| finding.with(name, *value)));
        }
    }

    fn is_full(&self) -> bool {
        self.errors() >= FINDINGS
    }

    fn errors(&self) -> usize {
        self.out.iter().filter(|finding| finding.is_error()).count()
    }
}

/// The three elements that make a body.
struct Parts<'a, 'i> {
    body: Node<'a, 'i>,
    text: Node<'a, 'i>,
    json: Option<Node<'a, 'i>>,
}

impl<'a, 'i> Parts<'a, 'i> {
    fn find(document: &'a Document<'i>) -> Result<Self, Vec<Finding>> {
        let root = document.root_element();
        let component = tree::child(root, HL7, "component");
        let rule = |node, rule: &str| vec![Finding::new(Code::E502, tree::place(node)).with("rule", rule)];
        let Some(body) = component.and_then(|c| tree::child(c, HL7, "nonXMLBody")) else {
            return Err(rule(component.unwrap_or(root), "body-structured"));
        };
        let mut texts = tree::children(body, HL7, "text");
        let mut jsons = tree::children(body, HL7FI, "json");
        let Some(text) = texts.next() else { return Err(rule(body, "body-none")) };
        let json = jsons.next();
        match texts.next().or_else(|| jsons.next()) {
            Some(second) => Err(rule(second, "body-many")),
            None => Ok(Self { body, text, json }),
        }
    }
}

/// The form that mediaType, fileFormat and json together say; `None` after a finding.
fn form(parts: &Parts<'_, '_>, reader: &Reader<'_, '_, '_>, rules: &RuleSet, group: Group, out: &mut Vec<Finding>) -> Option<Form> {
    let text = parts.text;
    let finding = |name: &str, rule: &str| Finding::new(Code::E502, tree::attribute_place(text, name)).with("rule", rule);
    if text.attribute("representation") != Some("B64") {
        out.push(finding("representation", "body-representation"));
    }
    let media_type = text.attribute("mediaType").or_else(|| parts.body.attribute("mediaType"));
    let has_json = parts.json.is_some();
    let form = match media_type {
        Some("application/pdf") => Form::Pdf,
        Some("application/xhtml+xml") if has_json => Form::Structured,
        Some("application/xhtml+xml") => Form::Xhtml,
        _ => {
            out.push(finding("mediaType", "body-mediatype"));
            return None;
        }
    };
    let means = if form == Form::Pdf { "pdf" } else { "xhtml" };
    let system = rules.systems.get("fileFormat");
    let says = reader.value(Known::FileFormat).and_then(|code| system.and_then(|s| s.means(&code)));
    if says.is_some_and(|s| s != means) {
        out.push(finding("mediaType", "body-fileformat"));
    }
    let forms = rules.templates.forms(group);
    let rule = match form {
        Form::Pdf if has_json => Some("body-json-forbidden"),
        _ if forms.contains(&form) => None,
        Form::Pdf => Some("body-pdf"),
        Form::Structured => Some("body-json-forbidden"),
        Form::Xhtml if forms.contains(&Form::Structured) => Some("body-json-missing"),
        Form::Xhtml => Some("body-xhtml"),
    };
    match rule {
        Some(rule) => {
            out.push(Finding::new(Code::E502, tree::place(parts.json.unwrap_or(text))).with("rule", rule));
            None
        }
        None => Some(form),
    }
}

/// Strict base64 out of an element's text; white space is lawful anywhere between the digits.
fn decode(node: Node<'_, '_>, name: &str, out: &mut Vec<Finding>) -> Option<Vec<u8>> {
    let decoded = base64_of(node);
    match decoded {
        Some(octets) if octets.len() <= DOCUMENT_OCTETS => Some(octets),
        Some(_) => {
            out.push(Finding::new(Code::E105, tree::place(node)).with("limit", DOCUMENT_OCTETS.to_string()));
            None
        }
        None => {
            out.push(Finding::new(Code::E501, tree::place(node)).with("element", name));
            None
        }
    }
}

/// The octets that an element's text is base64 of; `None` when it is none, is empty, or other elements stand in it.
pub(crate) fn base64_of(node: Node<'_, '_>) -> Option<Vec<u8>> {
    if node.children().any(|n| n.is_element()) {
        return None;
    }
    let mut texts = node.children().filter(Node::is_text).filter_map(|n| n.text());
    let first = texts.next().unwrap_or("");
    let octets = match texts.next() {
        None if !has_white_space(first.as_bytes()) => digits::decode(first.as_bytes())?,
        second => {
            let mut plain = Vec::with_capacity(first.len());
            for text in std::iter::once(first).chain(second).chain(texts) {
                plain.extend(text.bytes().filter(|b| !is_white_space(*b)));
            }
            digits::decode(&plain)?
        }
    };
    if octets.is_empty() { None } else { Some(octets) }
}

const fn is_white_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// Looks at blocks without stopping inside one, so that the machine takes many octets at a time: bodies are most of a message.
fn has_white_space(octets: &[u8]) -> bool {
    octets.chunks(256).any(|block| block.iter().fold(false, |found, octet| found | is_white_space(*octet)))
}
