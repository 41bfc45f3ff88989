//! From a parsed document to checked facts: template, body, header, in this order; each stage tells all it finds and stops the road if one is an error.

use super::body;
use super::header;
use super::structured::will;
use super::template::Form;
use crate::codes::rule_set::RuleSet;
use crate::domain::digest::Digest;
use crate::domain::document::Header;
use crate::domain::environment::Environment;
use crate::domain::finding::Finding;
use crate::domain::will::Said;
use crate::xml::tree::{self, Document};

/// A document whose own rules all hold; what needs the archive is decided later.
#[derive(Debug)]
pub struct Content {
    /// The header facts.
    pub header: Header,
    /// How its body is made.
    pub form: Form,
    /// What it says as a will expression; always there in groups 7 to 9.
    pub will: Option<Said>,
    /// What the sender is told although it is accepted.
    pub warnings: Vec<Finding>,
}

/// Reads and checks a schema-valid document.
///
/// # Errors
/// All findings of the first stage that found an error, warnings among them.
pub fn read(document: &Document<'_>, rules: &RuleSet, environment: Environment, site_key_hash: &dyn Fn(&[u8]) -> Digest) -> Result<Content, Vec<Finding>> {
    let mut warnings = rules.templates.check(document, environment);
    let group = rules.templates.group(document);
    let Some(group) = group.filter(|_| !warnings.iter().any(Finding::is_error)) else { return Err(warnings) };
    let mut body = body::read(document, rules, group)?;
    warnings.append(&mut body.warnings);
    let (header, more) = header::read(document, &body, rules, site_key_hash)?;
    warnings.extend(more);
    let will = will::read(&header, &body, &rules.templates.reader(document), &rules.wills)?;
    Ok(Content { header, form: body.form, will, warnings })
}

/// Gives line and column to findings that were made from header facts alone and name only a path: the decision has no document in hand.
/// Findings that have a place keep it; a document that cannot be read leaves all as they are.
pub fn locate(document: &[u8], findings: &mut [Finding], rules: &RuleSet) {
    if findings.is_empty() {
        // The common case: nothing to place is no reason to read a document again.
        return;
    }
    let Some(document) = std::str::from_utf8(document).ok().and_then(|text| tree::parse(text).ok()) else { return };
    for finding in findings.iter_mut().filter(|f| f.place.line == 1 && f.place.column == 1) {
        if let Some(place) = rules.templates.place_of(&document, &finding.place.path) {
            finding.place = place;
        }
    }
}
