//! Writes XML text in the habits that real senders have: where the extension namespace is declared, and whether lines are broken.

use crate::domain::limits;
use crate::xml::tree::{HL7, HL7FI};

/// How a document names and lays out its elements; nothing in it changes what the document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Where the extension namespace is declared.
    pub prefix: Prefix,
    /// Whether lines are broken.
    pub layout: Layout,
}

/// Where `urn:hl7finland` is declared (documents.md §1.1: match on namespace, never on prefix).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefix {
    /// `hl7fi:` on each element, declared on the root.
    #[default]
    Root,
    /// `ep2:` on each element, declared on each element.
    Each,
    /// No prefix: the default namespace is declared anew on the outermost extension element.
    Default,
}

/// Line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// One element a line, two spaces a level.
    #[default]
    Indented,
    /// No line break after the declaration.
    OneLine,
}

/// Which vocabulary an element is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Hl7,
    Fi,
}

pub(super) type Attributes<'a> = &'a [(&'a str, &'a str)];

/// An XML text in the making. Elements are closed in the order in which they were opened; [`Writer::finish`] closes what is open.
pub(super) struct Writer {
    out: String,
    style: Style,
    open: Vec<Open>,
}

struct Open {
    space: Space,
    tag: String,
    has_elements: bool,
}

impl Writer {
    /// Declaration and root. `capacity` is how large the text will be, in octets.
    pub(super) fn new(style: Style, root: &str, attributes: Attributes<'_>, capacity: usize) -> Self {
        let mut out = String::with_capacity(capacity.min(limits::MESSAGE_OCTETS));
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
        out.push_str(root);
        attribute(&mut out, "xmlns", HL7);
        if style.prefix == Prefix::Root {
            attribute(&mut out, "xmlns:hl7fi", HL7FI);
        }
        attributes.iter().for_each(|(name, value)| attribute(&mut out, name, value));
        out.push('>');
        Self { out, style, open: vec![Open { space: Space::Hl7, tag: root.to_owned(), has_elements: false }] }
    }

    pub(super) fn open(&mut self, space: Space, name: &str, attributes: Attributes<'_>) {
        let tag = self.start(space, name, attributes);
        self.out.push('>');
        self.open.push(Open { space, tag, has_elements: false });
    }

    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            if open.has_elements {
                self.line();
            }
            self.out.push_str("</");
            self.out.push_str(&open.tag);
            self.out.push('>');
        }
    }

    pub(super) fn empty(&mut self, space: Space, name: &str, attributes: Attributes<'_>) {
        self.start(space, name, attributes);
        self.out.push_str("/>");
    }

    pub(super) fn text(&mut self, space: Space, name: &str, attributes: Attributes<'_>, text: &str) {
        let tag = self.start(space, name, attributes);
        self.out.push('>');
        escape(&mut self.out, text);
        self.out.push_str("</");
        self.out.push_str(&tag);
        self.out.push('>');
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.out.push('\n');
        self.out.into_bytes()
    }

    fn start(&mut self, space: Space, name: &str, attributes: Attributes<'_>) -> String {
        let inside = self.open.last_mut().map(|parent| {
            parent.has_elements = true;
            parent.space
        });
        self.line();
        let tag = match (space, self.style.prefix) {
            (Space::Fi, Prefix::Root) => format!("hl7fi:{name}"),
            (Space::Fi, Prefix::Each) => format!("ep2:{name}"),
            _ => name.to_owned(),
        };
        self.out.push('<');
        self.out.push_str(&tag);
        match (space, self.style.prefix) {
            (Space::Fi, Prefix::Each) => attribute(&mut self.out, "xmlns:ep2", HL7FI),
            (Space::Fi, Prefix::Default) if inside != Some(Space::Fi) => attribute(&mut self.out, "xmlns", HL7FI),
            _ => {}
        }
        attributes.iter().for_each(|(name, value)| attribute(&mut self.out, name, value));
        tag
    }

    fn line(&mut self) {
        if self.style.layout == Layout::Indented {
            self.out.push('\n');
            for _ in 0..self.open.len() {
                self.out.push_str("  ");
            }
        }
    }
}

fn attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(out, value);
    out.push('"');
}

/// Text with the characters that markup claims written as references.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::tree;

    #[test]
    fn every_style_says_the_same() {
        for prefix in [Prefix::Root, Prefix::Each, Prefix::Default] {
            for layout in [Layout::Indented, Layout::OneLine] {
                let mut w = Writer::new(Style { prefix, layout }, "Root", &[("a", "<\"&")], 100);
                w.open(Space::Fi, "outer", &[]);
                w.empty(Space::Fi, "inner", &[("code", "1")]);
                w.close();
                w.text(Space::Hl7, "after", &[], "a & b");
                let text = String::from_utf8(w.finish()).unwrap_or_default();
                let tree = tree::parse(&text).map_err(|f| (f, text.clone()));
                let names: Vec<_> = tree
                    .as_ref()
                    .map(|t| t.descendants().filter(tree::Node::is_element).map(|n| (n.tag_name().namespace(), n.tag_name().name())).collect())
                    .unwrap_or_default();
                assert_eq!(names, [(Some(HL7), "Root"), (Some(HL7FI), "outer"), (Some(HL7FI), "inner"), (Some(HL7), "after")], "{text}");
            }
        }
    }
}
