//! What the value of a metadata element may be: OIDs, times, codes, persons (documents.md §2, §6).

use serde::Deserialize;

use super::field::Field;
use crate::codes::system::System;
use crate::domain::code::Code;
use crate::domain::document::Date;
use crate::domain::environment::Environment;
use crate::domain::finding::Finding;
use crate::domain::limits::EXTENSION;
use crate::domain::oid::{Oid, business_id_fits};
use crate::domain::person::{HETU_ROOT, Hetu};
use crate::domain::time::{Hl7Time, TimeFault};
use crate::xml::tree::{self, Node};

/// Root of professionals' register numbers (documents.md §6).
const PROFESSIONAL_ROOT: &str = "1.2.246.537.26";
/// Nodes under which organisations stand (documents.md §6; the patient family's too).
const ORGANISATIONS: [&str; 2] = [BUSINESS, "1.2.246.537.10."];
/// The node under which an organisation's business id is its number, without leading zeros and hyphen.
const BUSINESS: &str = "1.2.246.10.";

/// The kinds of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Any OID.
    Oid,
    /// An id that an organisation gave: its node and at least two arcs.
    DocumentOid,
    /// An organisation's OID.
    Organisation,
    /// A version number from 1.
    Version,
    /// A time of at least a day.
    Time,
    /// A day, exactly.
    Day,
    /// A code of a known code system.
    Code,
    /// A code of some code system, checked elsewhere.
    AnyCode,
    /// A language code without a code system.
    Language,
    /// The client: identity code or temporary id.
    Client,
    /// A professional's register number.
    Professional,
    /// `softwareSupport` with its three attributes.
    Software,
    /// `contentSpecificationId`.
    Specification,
    /// Text that is not blank.
    Text,
    /// The element itself.
    Element,
    /// An element of the JSON: the body's rules hold it.
    Json,
}

impl Kind {
    /// As rule files write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Oid => "oid",
            Self::DocumentOid => "document-oid",
            Self::Organisation => "organisation",
            Self::Version => "version",
            Self::Time => "time",
            Self::Day => "day",
            Self::Code => "code",
            Self::AnyCode => "any-code",
            Self::Language => "language",
            Self::Client => "client",
            Self::Professional => "professional",
            Self::Software => "software",
            Self::Specification => "specification",
            Self::Text => "text",
            Self::Element => "element",
            Self::Json => "json",
        }
    }
}

/// What values are checked against beside themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    /// Test or production.
    pub(crate) environment: Environment,
    /// The day the document was made: `creationTime`, else `effectiveTime`; codes are judged by it, for an old document of 1997 is made today.
    pub(crate) made: Option<Date>,
}

/// Checks one value; adds what it finds.
pub(crate) fn check(field: &Field, node: Node<'_, '_>, value: &str, world: World, out: &mut Vec<Finding>) {
    match field.kind {
        Kind::Oid | Kind::DocumentOid | Kind::Organisation => oid(field, node, value, world.environment, out),
        Kind::Version => {
            if value.parse::<u32>().ok().filter(|v| *v >= 1).is_none() {
                out.push(at(field, node, Code::E703).with("expected", "1, 2, 3 …"));
            }
        }
        Kind::Time | Kind::Day => time(field, node, value, out),
        Kind::Code => {
            if let Some(system) = &field.system {
                code(field, system, node, value, world.made, out);
            }
        }
        Kind::AnyCode => {
            if node.attribute("codeSystem").is_none_or(|s| Oid::parse(s).is_err()) {
                out.push(at(field, node, Code::E303));
            }
        }
        Kind::Language => language(field, node, value, out),
        Kind::Client => client(field, node, world.environment, out),
        Kind::Professional => professional(field, node, value, out),
        Kind::Software => {
            for name in ["moderator", "product", "version"] {
                if node.attribute(name).is_none_or(|v| v.trim().is_empty()) {
                    out.push(
                        Finding::new(Code::E301, tree::place(node)).with("field", field.key.as_str()).with("element", format!("{}/@{name}", field.path.shown)),
                    );
                }
            }
        }
        // Its agreement with group and type needs other elements: the template checks it.
        Kind::Specification => oid(field, node, value, world.environment, out),
        Kind::Text | Kind::Element | Kind::Json => {}
    }
}

/// A finding at a field's value.
pub(crate) fn at(field: &Field, node: Node<'_, '_>, code: Code) -> Finding {
    Finding::new(code, field.path.place(node)).with("field", field.key.as_str())
}

/// A finding of a recommendation: the rule's own sentence says what it is.
fn recommended(field: &Field, node: Node<'_, '_>, rule: &'static str) -> Finding {
    at(field, node, Code::W920).with("says", rule).under(rule)
}

fn oid(field: &Field, node: Node<'_, '_>, value: &str, environment: Environment, out: &mut Vec<Finding>) {
    let rule = match Oid::parse(value) {
        Err(fault) => Some(fault.word()),
        Ok(oid) => match (field.kind, arcs_under_organisation(oid.as_str())) {
            (Kind::Oid | Kind::Specification, _) | (Kind::Organisation, Some(_)) => None,
            (Kind::DocumentOid, Some(arcs)) if arcs >= 2 => None,
            (Kind::DocumentOid, Some(_)) => Some("oid-document"),
            _ => Some("oid-organisation"),
        },
    };
    let number_fits = organisation_number(value).is_none_or(business_id_fits);
    if let Some(rule) = rule {
        out.push(at(field, node, Code::E304).with("rule", rule));
    } else if !number_fits {
        out.push(match environment {
            Environment::Production => at(field, node, Code::E304).with("rule", "y-tunnus"),
            // Placeholders are common in test data.
            Environment::Test => recommended(field, node, "y-tunnus-test"),
        });
    } else if field.kind == Kind::DocumentOid && node.attribute("extension").is_some_and(|e| !e.is_empty()) {
        out.push(Finding::new(Code::E304, tree::attribute_place(node, "extension")).with("field", field.key.as_str()).with("rule", "id-extension-extra"));
    }
}

/// The number of an organisation whose OID is made from its business id (Y-tunnus, FO-nummer).
fn organisation_number(oid: &str) -> Option<&str> {
    oid.strip_prefix(BUSINESS).and_then(|rest| rest.split('.').next())
}

/// How many arcs follow an organisation's own number; `None` when it stands under no organisation.
fn arcs_under_organisation(oid: &str) -> Option<usize> {
    let rest = ORGANISATIONS.iter().find_map(|node| oid.strip_prefix(node))?;
    Some(rest.split('.').count() - 1)
}

fn time(field: &Field, node: Node<'_, '_>, value: &str, out: &mut Vec<Finding>) {
    let rule = match Hl7Time::parse(value) {
        Err(TimeFault::Syntax) => "time-syntax",
        Err(TimeFault::NoSuchTime) => "time-none",
        Ok(time) if time.digits < 8 => "time-day",
        Ok(time) if field.kind == Kind::Day && time.digits > 8 => "time-syntax",
        Ok(time) => {
            if time.digits > 8 && !time.has_offset {
                out.push(recommended(field, node, "time-offset"));
            }
            return;
        }
    };
    out.push(at(field, node, Code::E306).with("rule", rule));
}

fn code(field: &Field, system: &System, node: Node<'_, '_>, value: &str, made: Option<Date>, out: &mut Vec<Finding>) {
    if !node.attribute("codeSystem").is_some_and(|oid| system.has_oid(oid)) {
        let place = if node.has_attribute("codeSystem") { tree::attribute_place(node, "codeSystem") } else { tree::place(node) };
        out.push(Finding::new(Code::E303, place).with("field", field.key.as_str()).with("expected", system.base.as_str()));
        return;
    }
    if !field.only.is_empty() && !field.only.iter().any(|c| c == value) {
        out.push(bad_code(field, node, Code::E302, value).with("allowed", field.only.join(", ")));
        return;
    }
    match system.value(value) {
        None if system.complete => out.push(bad_code(field, node, Code::E302, value).with("allowed", system.codes())),
        None if !system.values.is_empty() => out.push(bad_code(field, node, Code::W901, value)),
        None => {}
        Some(known) => {
            validity(field, system, node, value, made, out);
            let other = node
                .attribute("displayName")
                .is_some_and(|d| known.named && !known.names.iter().any(|n| n == d) && !known.names.iter().any(|n| n.to_lowercase() == d.to_lowercase()));
            if other {
                let place = tree::attribute_place(node, "displayName");
                out.push(Finding::new(Code::W904, place).with("field", field.key.as_str()).with("value", value));
            }
        }
    }
}

/// Whether code and version were valid on the day the document was made. Where only part of a code system is known, its dates may be too: a warning then.
fn validity(field: &Field, system: &System, node: Node<'_, '_>, value: &str, made: Option<Date>, out: &mut Vec<Finding>) {
    let Some(made) = made else { return };
    if system.value(value).is_some_and(|known| !known.is_valid_on(made)) {
        let finding = if system.complete { bad_code(field, node, Code::E312, value) } else { bad_code(field, node, Code::W921, value) };
        out.push(finding);
    } else if node.attribute("codeSystem").is_some_and(|oid| !system.is_valid_on(oid, made)) {
        out.push(Finding::new(Code::W921, tree::attribute_place(node, "codeSystem")).with("field", field.key.as_str()).under("version-valid"));
    }
}

/// A code that is not taken; it is shown only when it has the form of a code, for a text put there could be personal.
fn bad_code(field: &Field, node: Node<'_, '_>, code: Code, value: &str) -> Finding {
    let finding = at(field, node, code);
    let looks_like_a_code = value.len() <= 8 && value.bytes().all(|b| b.is_ascii_alphanumeric());
    if looks_like_a_code { finding.with("value", value) } else { finding }
}

fn language(field: &Field, node: Node<'_, '_>, value: &str, out: &mut Vec<Finding>) {
    if field.only.iter().any(|c| c == value) {
        return;
    }
    if field.only.iter().any(|c| c.eq_ignore_ascii_case(value)) {
        out.push(at(field, node, Code::W903));
    } else {
        out.push(bad_code(field, node, Code::E302, value).with("allowed", field.only.join(", ")));
    }
}

fn client(field: &Field, node: Node<'_, '_>, environment: Environment, out: &mut Vec<Finding>) {
    let Some(root) = node.attribute("root") else {
        out.push(at(field, node, Code::E301).with("element", format!("{}/@root", field.path.shown)));
        return;
    };
    let extension = node.attribute("extension").unwrap_or("");
    let extension_place = || tree::attribute_place(node, "extension");
    if root == HETU_ROOT {
        match Hetu::parse(extension) {
            Err(fault) => out.push(Finding::new(Code::E305, extension_place()).with("field", field.key.as_str()).with("rule", fault.word())),
            Ok(hetu) => {
                if let Some(rule) = hetu.misplaced_in(environment) {
                    out.push(Finding::new(Code::E308, extension_place()).with("field", field.key.as_str()).with("rule", rule));
                }
            }
        }
        return;
    }
    // A temporary id: an organisation's node and a number that is never checksummed (documents.md §6).
    let rule = match Oid::parse(root) {
        Err(fault) => Some(fault.word()),
        Ok(oid) if arcs_under_organisation(oid.as_str()).is_none() => Some("oid-organisation"),
        Ok(_) => unfit(extension),
    };
    if let Some(rule) = rule {
        out.push(at(field, node, Code::E304).with("rule", rule));
    }
}

/// Why an extension cannot be anybody's, if it cannot.
fn unfit(extension: &str) -> Option<&'static str> {
    if extension.trim().is_empty() { Some("id-extension") } else { (extension.chars().nth(EXTENSION).is_some()).then_some("id-extension-long") }
}

fn professional(field: &Field, node: Node<'_, '_>, root: &str, out: &mut Vec<Finding>) {
    let extension = node.attribute("extension").unwrap_or("");
    let rule = match Oid::parse(root) {
        Err(fault) => fault.word(),
        // An identity code names the author in frames only; in a document it would be shown and archived for good.
        Ok(oid) if oid.as_str() == HETU_ROOT => "professional-hetu",
        Ok(oid) if oid.is_under(PROFESSIONAL_ROOT) && (extension.len() != 11 || !extension.bytes().all(|b| b.is_ascii_digit())) => "professional-number",
        Ok(oid) => {
            if let Some(rule) = unfit(extension) {
                out.push(at(field, node, Code::E304).with("rule", rule));
                return;
            }
            if !oid.is_under(PROFESSIONAL_ROOT) {
                out.push(recommended(field, node, "professional-register"));
            }
            return;
        }
    };
    out.push(at(field, node, Code::E304).with("rule", rule));
}
