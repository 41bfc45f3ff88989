//! A compiled path from `ClinicalDocument` to an element, attribute or text: steps over the tree, no text built on the way.

use std::borrow::Cow;

use crate::domain::finding::Place;
use crate::xml::tree::{self, Document, HL7, HL7FI, Node};

/// The social header's local name: most paths begin there, so it is looked up once a document.
const SOCIAL: &str = "localSocialHeader";

/// A path as a rule file writes it, cut into steps.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    steps: Vec<Step>,
    end: End,
    /// What a sentence calls it: the last step and what follows, `hl7fi:documentGroup/@code`.
    pub(crate) shown: String,
}

#[derive(Debug, Clone)]
struct Step {
    namespace: &'static str,
    name: String,
    predicate: Option<(String, String)>,
}

/// What the path ends in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Element,
    Attribute(String),
    Text,
}

/// Where paths begin in one document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchors<'a, 'i> {
    pub(crate) root: Node<'a, 'i>,
    pub(crate) social: Option<Node<'a, 'i>>,
}

impl<'a, 'i> Anchors<'a, 'i> {
    pub(crate) fn of(document: &'a Document<'i>) -> Self {
        let root = document.root_element();
        Self { root, social: tree::child(root, HL7FI, SOCIAL) }
    }
}

impl Path {
    /// Reads `a/hl7fi:b[@c='d']/@e`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut end = End::Element;
        let mut shown = "";
        for part in text.split('/') {
            if end != End::Element {
                return Err("nothing may follow an attribute or text()".to_owned());
            }
            if part == "text()" {
                end = End::Text;
            } else if let Some(name) = part.strip_prefix('@') {
                end = End::Attribute(name.to_owned());
            } else {
                steps.push(Step::parse(part)?);
                shown = part;
            }
        }
        let shown = match &end {
            End::Attribute(name) => format!("{shown}/@{name}"),
            End::Element | End::Text => shown.to_owned(),
        };
        if steps.is_empty() { Err("a path needs an element".to_owned()) } else { Ok(Self { steps, end, shown }) }
    }

    /// Every element the path leads to, in document order, at most `limit` of them.
    pub(crate) fn all<'a, 'i>(&self, from: Anchors<'a, 'i>, limit: usize) -> Vec<Node<'a, 'i>> {
        let mut nodes = Vec::new();
        walk(from.root, &self.steps, &mut |node| {
            nodes.push(node);
            nodes.len() < limit
        });
        nodes
    }

    /// The first two elements the path leads to, and how many there are, counted up to `limit`.
    pub(crate) fn elements<'a, 'i>(&self, from: Anchors<'a, 'i>, limit: usize) -> Found<'a, 'i> {
        let mut found = Found { first: None, second: None, count: 0 };
        let (start, steps) = match self.steps.split_first() {
            Some((first, rest)) if first.name == SOCIAL => match from.social {
                Some(social) => (social, rest),
                None => return found,
            },
            _ => (from.root, self.steps.as_slice()),
        };
        walk(start, steps, &mut |node| {
            found.count += 1;
            match found.count {
                1 => found.first = Some(node),
                2 => found.second = Some(node),
                _ => {}
            }
            found.count < limit
        });
        found
    }

    /// The value at an element the path leads to: the attribute, or the text without the white space around it. `None` when it is absent or blank.
    pub(crate) fn value<'a>(&self, node: Node<'a, '_>) -> Option<Cow<'a, str>> {
        let value = match &self.end {
            End::Element => return Some(Cow::Borrowed("")),
            End::Attribute(name) => Cow::Borrowed(node.attribute(name.as_str())?),
            End::Text => {
                let mut texts = node.children().filter(Node::is_text).filter_map(|n| n.text()).filter(|t| !t.trim().is_empty());
                let first = texts.next()?;
                if texts.next().is_none() { Cow::Borrowed(first.trim()) } else { Cow::Owned(tree::text_of(node).trim().to_owned()) }
            }
        };
        if value.trim().is_empty() { None } else { Some(value) }
    }

    /// Whether it ends in the element itself.
    pub(crate) fn is_element(&self) -> bool {
        self.end == End::Element
    }

    /// What it ends in.
    pub(crate) const fn end(&self) -> &End {
        &self.end
    }

    /// The deepest element of the path that is there, and the steps that are not: namespace, name, and the attribute a step asks for.
    #[allow(clippy::type_complexity)]
    pub(crate) fn missing<'a, 'i>(&self, from: Anchors<'a, 'i>) -> (Node<'a, 'i>, Vec<(&'static str, &str, Option<(&str, &str)>)>) {
        let (mut here, mut depth) = (from.root, 0);
        for step in &self.steps {
            match here.children().find(|n| step.fits(*n)) {
                Some(next) => here = next,
                None => break,
            }
            depth += 1;
        }
        let rest = self.steps.get(depth..).unwrap_or_default();
        (here, rest.iter().map(|s| (s.namespace, s.name.as_str(), s.predicate.as_ref().map(|(a, v)| (a.as_str(), v.as_str())))).collect())
    }

    /// Where a value stands.
    pub(crate) fn place(&self, node: Node<'_, '_>) -> Place {
        match &self.end {
            End::Attribute(name) => tree::attribute_place(node, name),
            End::Element | End::Text => tree::place(node),
        }
    }

    /// Where something that is not there would stand: in the deepest element of the path that is there.
    pub(crate) fn place_of_missing(&self, from: Anchors<'_, '_>) -> Place {
        let mut here = from.root;
        for step in &self.steps {
            match here.children().find(|n| step.fits(*n)) {
                Some(next) => here = next,
                None => break,
            }
        }
        tree::place(here)
    }
}

/// What a path led to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a, 'i> {
    pub(crate) first: Option<Node<'a, 'i>>,
    pub(crate) second: Option<Node<'a, 'i>>,
    pub(crate) count: usize,
}

/// Visits depth first; stops when the visitor says so. The depth is the path's own length.
fn walk<'a, 'i>(node: Node<'a, 'i>, steps: &[Step], visit: &mut impl FnMut(Node<'a, 'i>) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else { return visit(node) };
    for child in node.children() {
        if step.fits(child) && !walk(child, rest, visit) {
            return false;
        }
    }
    true
}

impl Step {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, predicate) = match text.split_once('[') {
            None => (text, None),
            Some((name, rest)) => {
                let inner = rest.strip_suffix(']').and_then(|r| r.strip_prefix('@')).ok_or("a predicate is [@name='value']")?;
                let (attribute, value) = inner.split_once('=').ok_or("a predicate is [@name='value']")?;
                let value = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).ok_or("a predicate is [@name='value']")?;
                (name, Some((attribute.to_owned(), value.to_owned())))
            }
        };
        let (namespace, name) = match name.split_once(':') {
            None => (HL7, name),
            Some(("hl7fi", name)) => (HL7FI, name),
            Some(_) => return Err("only the prefix hl7fi: is known".to_owned()),
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("a step is an element's name".to_owned());
        }
        Ok(Self { namespace, name: name.to_owned(), predicate })
    }

    fn fits(&self, node: Node<'_, '_>) -> bool {
        let name = node.tag_name();
        name.name() == self.name
            && name.namespace() == Some(self.namespace)
            && self.predicate.as_ref().is_none_or(|(attribute, value)| node.attribute(attribute.as_str()) == Some(value))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn steps_predicates_attributes_and_text() {
        let text = "<ClinicalDocument xmlns='urn:hl7-org:v3'><a k='1'><b v='x'/></a><a k='2'><b v='y'/><b/></a><c> t<!-- --> u </c></ClinicalDocument>";
        let document = tree::parse(text).unwrap();
        let from = Anchors::of(&document);
        let path = Path::parse("a[@k='2']/b/@v").unwrap();
        let found = path.elements(from, 9);
        assert_eq!(found.count, 2);
        assert_eq!(path.value(found.first.unwrap()).as_deref(), Some("y"));
        assert_eq!(path.value(found.second.unwrap()), None);
        let path = Path::parse("c/text()").unwrap();
        assert_eq!(path.value(path.elements(from, 9).first.unwrap()).as_deref(), Some("t u"));
        assert_eq!(Path::parse("a/x/y/@z").unwrap().place_of_missing(from).path, "/ClinicalDocument/a[1]");
        for bad in ["", "@a", "a/@b/c", "x:a", "a[@b=c]", "a//b"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
    }
}
