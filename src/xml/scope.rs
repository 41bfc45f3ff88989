//! Which namespace a prefix means, element by element.

use std::borrow::Cow;

use super::scan::{self, Attribute, Fault};
use super::tree::{DSIG, HL7, HL7FI};
use crate::domain::code::Code;
use crate::domain::limits;

/// The most namespace declarations in force at once: documents have five; a search through thousands for each of a million elements would take minutes.
const DECLARATIONS: usize = limits::ATTRIBUTES;
/// The most work for the tree: for each element that declares something it writes down all that is in force there and compares each with each. The sum of
/// their squares, shadowed ones counted too: a document of a megabyte whose every element repeats a dozen, fifteen levels deep, stays below.
const COMPARED: usize = 256_000_000;
/// What is said of more: by these words it is told from too many elements.
pub(super) const INHERITED: &str = "too many namespace declarations inherited";
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// The declarations in force, innermost last.
#[derive(Debug, Default)]
pub struct Scope<'a> {
    bindings: Vec<(&'a str, &'a str)>,
    /// What the tree will have to compare for the elements so far.
    compared: usize,
}

/// A prefix that no declaration in force gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undeclared;

impl<'a> Scope<'a> {
    /// How many declarations are in force: what [`Self::leave`] goes back to.
    pub fn mark(&self) -> usize {
        self.bindings.len()
    }

    /// Takes in the declarations of one element.
    pub fn enter(&mut self, attributes: &[Attribute<'a>]) -> Result<(), Fault> {
        let before = self.bindings.len();
        for attribute in attributes {
            let prefix = match attribute.name.split_once(':') {
                Some(("xmlns", prefix)) => prefix,
                None if attribute.name == "xmlns" => "",
                _ => continue,
            };
            let uri = self.known(attribute.value);
            let reserved = prefix == "xmlns" || (prefix == "xml") != (uri == XML) || uri == XMLNS;
            if reserved || (uri.is_empty() && !prefix.is_empty()) {
                return Err(Fault::new(attribute.at, "a namespace declaration that is not allowed"));
            }
            if self.bindings.len() == DECLARATIONS {
                return Err(Fault { at: attribute.at, code: Code::E110, rule: "too many namespace declarations" });
            }
            self.bindings.push((prefix, uri));
        }
        if let Some(first) = attributes.first().filter(|_| self.bindings.len() > before) {
            self.compared += self.bindings.len() * self.bindings.len();
            if self.compared > COMPARED {
                return Err(Fault { at: first.at, code: Code::E111, rule: INHERITED });
            }
        }
        Ok(())
    }

    /// The name itself, or, for one that is written with references, the same name as it is written without. A name that nobody here writes
    /// without stays as it is written: it is nobody's but its own.
    fn known(&self, written: &'a str) -> &'a str {
        let Cow::Owned(name) = scan::resolved(written) else { return written };
        let declared = self.bindings.iter().map(|(_, uri)| *uri);
        [HL7, HL7FI, DSIG, XML, XMLNS, ""].into_iter().chain(declared).find(|known| *known == name).unwrap_or(written)
    }

    /// Forgets the declarations made since `mark`.
    pub fn leave(&mut self, mark: usize) {
        self.bindings.truncate(mark);
    }

    /// The namespace of an element's name; `Err` when its prefix is not declared.
    pub fn of(&self, name: &str) -> Result<Option<&'a str>, Undeclared> {
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        if prefix == "xml" {
            return Ok(Some(XML));
        }
        match self.bindings.iter().rev().find(|(bound, _)| *bound == prefix) {
            Some((_, "")) => Ok(None),
            Some((_, uri)) => Ok(Some(uri)),
            None if prefix.is_empty() => Ok(None),
            None => Err(Undeclared),
        }
    }

    /// Refuses undeclared prefixes and attributes that are there twice, by their names or by what their prefixes mean.
    pub fn check(&self, attributes: &[Attribute<'a>]) -> Result<(), Fault> {
        if attributes.len() < 2 && attributes.iter().all(|a| !a.name.contains(':')) {
            return Ok(());
        }
        let mut names = Vec::with_capacity(attributes.len());
        for attribute in attributes {
            let (namespace, local) = match attribute.name.split_once(':') {
                None => (None, attribute.name),
                Some(("xmlns", prefix)) => (Some(XMLNS), prefix),
                Some((_, local)) => (self.of(attribute.name).map_err(|Undeclared| Fault::new(attribute.at, "a prefix that is not declared"))?, local),
            };
            names.push((local, namespace, attribute.at));
        }
        names.sort_unstable();
        match names.windows(2).find(|pair| matches!(pair, [(a, x, _), (b, y, _)] if a == b && x == y)) {
            Some([_, (_, _, at)]) => Err(Fault::new(*at, "an attribute that is there twice")),
            _ => Ok(()),
        }
    }
}
