//! What a schema's own files declare, read as the XML they are: facts that libxml2 knows but does not tell.

use std::collections::{BTreeMap, BTreeSet};

use super::encoding;
use super::first_id;
use super::identity::{self, Identities};
use super::path::{self, Unplaced};
use super::scan::{Scanner, Token};
use super::tree::{self, HL7FI};
use crate::codes::source::Files;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::limits;

const XS: &str = "http://www.w3.org/2001/XMLSchema";

/// The one header whose unknown children pass with a warning: in a schema that does not have it, it is an unknown element itself.
const HEADER: &str = "localSocialHeader";

/// Names out of the schema files.
#[derive(Debug, Default)]
pub struct Declared {
    /// The local names of HL7 Finland's elements.
    extensions: BTreeSet<String>,
    /// Which named type a pattern belongs to: libxml2 tells the pattern, a person wants the type.
    patterns: BTreeMap<String, String>,
    /// The attributes of type xs:ID and xs:IDREF.
    identities: Identities,
}

/// What a schema file names in an include, an import or a redefinition, or why it cannot be read.
pub type Locations = Result<Vec<(u32, String)>, String>;

impl Declared {
    /// Reads the schema whose entry file is `entry` and what it includes and imports, for another entry may know other extensions.
    /// What cannot be read is passed over, libxml2 complains of it.
    #[must_use]
    pub fn read(files: &Files, entry: &str) -> Self {
        let mut declared = Self::default();
        let mut names = identity::Gathered::default();
        let mut to_read = vec![entry.to_owned()];
        let mut read = BTreeSet::new();
        while let Some(name) = to_read.pop() {
            let Some((name, octets)) = files.get_key_value(name.as_str()).filter(|(name, _)| read.insert(name.as_str())) else { continue };
            let Some(text) = text_of(octets) else { continue };
            let Ok(document) = tree::parse(&text) else { continue };
            declared.read_one(document.root_element());
            names.gather(document.root_element());
            let locations = document.root_element().children().filter_map(|n| n.attribute("schemaLocation"));
            to_read.extend(locations.map(|location| beside(name, location)));
        }
        declared.identities = names.into_identities();
        declared
    }

    /// The attributes of type xs:ID and xs:IDREF.
    #[must_use]
    pub const fn identities(&self) -> &Identities {
        &self.identities
    }

    fn read_one(&mut self, schema: tree::Node<'_, '_>) {
        let is_extension = schema.attribute("targetNamespace") == Some(HL7FI);
        for node in schema.descendants().filter(|n| n.tag_name().namespace() == Some(XS)) {
            match (node.tag_name().name(), node.attribute("name"), node.attribute("value")) {
                ("element", Some(name), _) if is_extension => {
                    self.extensions.insert(name.to_owned());
                }
                ("pattern", _, Some(pattern)) => {
                    let named = node.ancestors().find_map(|n| n.attribute("name"));
                    self.patterns.insert(pattern.to_owned(), named.unwrap_or_default().to_owned());
                }
                _ => {}
            }
        }
    }

    /// The text with the extension elements that the schema does not know blanked out (every position stays), and a warning for each
    /// (documents.md Q19: unknown extension elements are forwarded unchanged). `None` when there is none.
    #[must_use]
    pub fn without_unknown(&self, text: &str) -> Option<(String, Vec<Finding>)> {
        if !self.extensions.contains(HEADER) {
            return None;
        }
        let document = tree::parse(text).ok()?;
        let header = tree::child(document.root_element(), HL7FI, HEADER)?;
        let unknown: Vec<_> = header
            .children()
            .filter(|n| n.tag_name().namespace() == Some(HL7FI) && n.tag_name().name() != "localHeader" && !self.extensions.contains(n.tag_name().name()))
            .collect();
        if unknown.is_empty() {
            return None;
        }
        let mut octets = text.as_bytes().to_vec();
        for node in &unknown {
            for octet in octets.get_mut(node.range()).unwrap_or_default() {
                if *octet != b'\n' {
                    *octet = b' ';
                }
            }
        }
        let warn = |n: &tree::Node<'_, '_>| {
            let name = tree::qualified(Some(HL7FI), &path::short(n.tag_name().name()));
            Finding::new(Code::W902, tree::place(*n)).with("element", name)
        };
        let warnings = unknown.iter().take(limits::FINDINGS).map(warn).collect();
        Some((String::from_utf8(octets).ok()?, warnings))
    }

    /// Puts the type's name in the place of a pattern.
    pub fn name_types(&self, found: &mut [Unplaced]) {
        for (_, _, finding) in found {
            for word in finding.args.iter_mut().filter(|(name, _)| *name == "pattern") {
                *word = ("type", self.patterns.get(&word.1).cloned().unwrap_or_default());
            }
            finding.args.retain(|(_, word)| !word.is_empty());
        }
    }
}

/// The other files that a schema file names, with the line of each.
///
/// # Errors
/// Why it cannot be read as XML.
pub fn locations(octets: &[u8]) -> Locations {
    let text = text_of(octets).ok_or("it is no XML text")?;
    let document = tree::parse(&text).map_err(|fault| format!("line {}: it is not well-formed XML", fault.line))?;
    let root = document.root_element();
    if root.tag_name().namespace() != Some(XS) || root.tag_name().name() != "schema" {
        return Err("its root element is no xs:schema".to_owned());
    }
    let named = root.children().filter(|n| n.tag_name().namespace() == Some(XS) && matches!(n.tag_name().name(), "include" | "import" | "redefine"));
    Ok(named.filter_map(|n| n.attribute("schemaLocation").map(|location| (tree::place(n).line, location.to_owned()))).collect())
}

/// A schema file as text that the tree reads: a document type, which W3C's own file for XML Signature has, is blanked out.
fn text_of(octets: &[u8]) -> Option<String> {
    let mut text = encoding::decode(octets).ok()?.text.into_owned();
    let mut scanner = Scanner::new(&text);
    let doctype = loop {
        match scanner.token() {
            Ok(Some(Token::Doctype)) => break Some(scanner.token_at()),
            Ok(Some(Token::Start { .. }) | None) | Err(_) => break None,
            Ok(Some(_)) => {}
        }
    };
    if let Some(at) = doctype {
        let end = first_id::after_doctype(&text, at)?;
        let blank: String = text.get(at..end)?.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        text.replace_range(at..end, &blank);
    }
    Some(text)
}

/// The name of a file that another names by a relative location: `xsd/fi/a.xsd` and `../cda/b.xsd` give `xsd/cda/b.xsd`.
fn beside(file: &str, location: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
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
mod tests {
    use super::*;
    use crate::codes::source;

    #[test]
    fn locations_are_relative_to_the_file_that_names_them() {
        assert_eq!(beside("xsd/fi/a.xsd", "../cda/b.xsd"), "xsd/cda/b.xsd");
        assert_eq!(beside("xsd/fi/a.xsd", "./b.xsd"), "xsd/fi/b.xsd");
        assert_eq!(beside("a.xsd", "../../b.xsd"), "b.xsd");
    }

    #[test]
    fn only_what_the_entry_reaches_is_read() {
        let files = source::embedded();
        let social = Declared::read(&files, "xsd/kanta-social.xsd");
        assert!(social.extensions.contains("documentGroup") && !social.extensions.contains("localHeader"));
        let patient = Declared::read(&files, "xsd/kanta-patient.xsd");
        assert!(patient.extensions.contains("localHeader") && !patient.extensions.contains("documentGroup"));
        assert_eq!(patient.patterns, social.patterns);
    }
}
