//! Changes a document's text by the keys of the templates: what the examples of rules, `arkki templates test` and property tests are made with.

use std::ops::Range;

use super::Templates;
use super::field::Field;
use super::path::{Anchors, End};
use super::values::Kind;
use crate::codes::rules::Edit;
use crate::xml::tree::{self, Node};

/// One replacement in the text.
type Splice = (Range<usize>, String);
/// What a change makes of one field: the field, the attribute asked for, where paths begin.
type Change<'c> = &'c dyn Fn(&Field, Option<&str>, Anchors<'_, '_>) -> Option<Vec<Splice>>;

impl Templates {
    /// A document's text, changed; elements are removed, then set, then repeated. `None` when the text is no document or a key is none.
    #[must_use]
    pub fn edited(&self, text: &str, edit: &Edit) -> Option<String> {
        let mut text = text.to_owned();
        for key in &edit.remove {
            text = self.change(&text, key, true, &|field, attribute, from| removal(field, attribute, from))?;
        }
        for (key, value) in &edit.set {
            text = self.change(&text, key, false, &|field, attribute, from| setting(field, attribute, value, from))?;
        }
        for key in &edit.repeat {
            text = self.change(&text, key, false, &|field, _, from| repetition(field, from))?;
        }
        Some(text)
    }

    fn change(&self, text: &str, key: &str, is_removal: bool, make: Change<'_>) -> Option<String> {
        let (key, attribute) = key.split_once('@').map_or((key, None), |(key, attribute)| (key, Some(attribute)));
        let field = self.0.fields.iter().find(|f| f.key == key)?;
        // A client's value is its number; the root says whose numbers they are.
        let attribute = attribute.or((field.kind == Kind::Client && !is_removal).then_some("extension"));
        let document = tree::parse(text).ok()?;
        let mut splices = make(field, attribute, Anchors::of(&document))?;
        splices.sort_by_key(|(range, _)| range.start);
        let (mut out, mut at) = (String::with_capacity(text.len() + 256), 0);
        for (range, with) in splices {
            out.push_str(text.get(at..range.start)?);
            out.push_str(&with);
            at = range.end;
        }
        out.push_str(text.get(at..)?);
        Some(out)
    }
}

/// Every element of the path goes, or one attribute of each.
fn removal(field: &Field, attribute: Option<&str>, from: Anchors<'_, '_>) -> Option<Vec<Splice>> {
    let nodes = field.path.all(from, usize::MAX);
    match attribute {
        None => Some(nodes.iter().map(|node| (node.range(), String::new())).collect()),
        Some(name) => Some(nodes.iter().filter_map(|node| node.attribute_node(name)).map(|a| (a.range(), String::new())).collect()),
    }
}

/// The first element of the path gets the value; where there is none, one is put there.
fn setting(field: &Field, attribute: Option<&str>, value: &str, from: Anchors<'_, '_>) -> Option<Vec<Splice>> {
    let Some(node) = field.path.all(from, 1).first().copied() else {
        let (parent, steps) = field.path.missing(from);
        let inner = steps.iter().rev().enumerate().fold(String::new(), |inner, (n, (namespace, name, predicate))| {
            let content = if n == 0 { content(field, attribute, value) } else { (String::new(), inner) };
            let predicate = predicate.map(|(a, v)| format!(" {a}=\"{v}\"")).unwrap_or_default();
            format!("<{name} xmlns=\"{namespace}\"{predicate}{}>{}</{name}>", content.0, content.1)
        });
        return Some(vec![inside(parent, &inner)?]);
    };
    let Some(name) = target(field, attribute) else { return Some(vec![replaced_text(node, value)]) };
    let written = format!("{name}=\"{}\"", escaped(value));
    Some(match (node.attribute_node(name), node.attribute_node("nullFlavor")) {
        (Some(old), _) => vec![(old.range(), written)],
        (None, Some(flavour)) => vec![(flavour.range(), format!("{written}{}", code_system(field, attribute)))],
        (None, None) => vec![after_name(node, &format!(" {written}{}", code_system(field, attribute)))],
    })
}

/// The first element of the path stands twice.
fn repetition(field: &Field, from: Anchors<'_, '_>) -> Option<Vec<Splice>> {
    let node = field.path.all(from, 1).first().copied()?;
    let text = node.document().input_text().get(node.range())?;
    Some(vec![(node.range().end..node.range().end, text.to_owned())])
}

/// What a new element holds: attributes, and text.
fn content(field: &Field, attribute: Option<&str>, value: &str) -> (String, String) {
    match target(field, attribute) {
        Some(name) => (format!(" {name}=\"{}\"{}", escaped(value), code_system(field, attribute)), String::new()),
        None => (String::new(), escaped(value)),
    }
}

/// The attribute that holds the value; none where the text does.
fn target<'n>(field: &'n Field, attribute: Option<&'n str>) -> Option<&'n str> {
    match (attribute, field.path.end()) {
        (Some(name), _) => Some(name),
        (None, End::Attribute(name)) => Some(name),
        (None, End::Element | End::Text) => None,
    }
}

/// A code's own code system, so that only what is meant to be wrong is.
fn code_system(field: &Field, attribute: Option<&str>) -> String {
    match (&field.system, field.kind, attribute) {
        (Some(system), _, None) => format!(" codeSystem=\"{}\"", system.base),
        (None, Kind::AnyCode, None) => " codeSystem=\"1.2.246.537.6.1259\"".to_owned(),
        _ => String::new(),
    }
}

/// The element's text becomes another; its elements go.
fn replaced_text(node: Node<'_, '_>, value: &str) -> Splice {
    let inner = node.children().fold(None, |all: Option<Range<usize>>, child| {
        let range = child.range();
        Some(all.map_or_else(|| range.clone(), |a| a.start.min(range.start)..a.end.max(range.end)))
    });
    inner.map_or_else(|| inside(node, &escaped(value)).unwrap_or((0..0, String::new())), |range| (range, escaped(value)))
}

/// Puts text before an element's end tag; an empty element is opened.
fn inside(node: Node<'_, '_>, inner: &str) -> Option<Splice> {
    let text = node.document().input_text().get(node.range())?;
    if text.ends_with("/>") {
        let name = text.get(1..)?.split(|c: char| c.is_whitespace() || c == '/').next()?;
        return Some((node.range().end - 2..node.range().end, format!(">{inner}</{name}>")));
    }
    let at = node.range().start + text.rfind("</")?;
    Some((at..at, inner.to_owned()))
}

fn after_name(node: Node<'_, '_>, attributes: &str) -> Splice {
    let text = node.document().input_text().get(node.range()).unwrap_or("");
    let length = text.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).unwrap_or(0);
    let at = node.range().start + length;
    (at..at, attributes.to_owned())
}

fn escaped(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
