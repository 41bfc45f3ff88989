//! How many different names a text may bring. libxml2 keeps every name of an element, an attribute, a prefix, a namespace, an instruction and a type in a
//! table that grows no more after some sixteen thousand entries: two million different ones cost it minutes, and a document has a few hundred.

use std::collections::HashSet;

use super::scan::{Attribute, Fault};
use crate::domain::code::Code;

/// Names that are not looked at, so that no usual document pays anything: so many cost libxml2 nothing worth telling.
const FREE: usize = 30_000;
/// The most different names after that.
const DIFFERENT: usize = 30_000;

/// The different names of a text, as far as they are counted.
#[derive(Debug, Default)]
pub struct Names<'a> {
    met: usize,
    different: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    /// Takes in an element and its attributes.
    pub fn element(&mut self, name: &'a str, at: usize, attributes: &[Attribute<'a>]) -> Result<(), Fault> {
        self.met += 1 + attributes.len();
        if self.met <= FREE {
            return Ok(());
        }
        self.different.insert(name);
        for attribute in attributes {
            self.different.insert(attribute.name);
            // The namespaces and types that values name are kept in the same table.
            let is_named = match attribute.name.split_once(':') {
                Some((prefix, local)) => prefix == "xmlns" || local == "type",
                None => attribute.name == "xmlns",
            };
            if is_named {
                self.different.insert(attribute.value);
            }
        }
        self.bounded(at)
    }

    /// Takes in a comment or an instruction, as it is written.
    pub fn aside(&mut self, text: &'a str, at: usize) -> Result<(), Fault> {
        let Some(target) = text.get(at..).and_then(|rest| rest.strip_prefix("<?")) else { return Ok(()) };
        self.met += 1;
        if self.met <= FREE {
            return Ok(());
        }
        let end = target.find(|c: char| c.is_ascii_whitespace() || c == '?').unwrap_or(target.len());
        self.different.insert(target.get(..end).unwrap_or(target));
        self.bounded(at)
    }

    fn bounded(&self, at: usize) -> Result<(), Fault> {
        if self.different.len() <= DIFFERENT { Ok(()) } else { Err(Fault { at, code: Code::E111, rule: "too many different names" }) }
    }
}
