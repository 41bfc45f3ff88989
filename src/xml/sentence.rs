//! From a schema validator's code to a finding for people. libxml2's messages quote values, which may be personal: of a message only the names of
//! elements and attributes, the schema's own list of what it expected, and the schema's own type names are read; never what stands between.

use super::path::{self, Unplaced};
use super::tree::{self, HL7, HL7FI};
use crate::domain::code::Code;
use crate::domain::finding::Finding;

// libxml2's numbers of schema faults (xmlerror.h); they have not changed in twenty years.
const LENGTH_OR_RANGE: std::ops::RangeInclusive<i32> = 1830..=1838;
const VALUE: [i32; 6] = [1822, 1823, 1824, 1825, 1826, 1829];
const PATTERN: i32 = 1839;
const ENUMERATION: i32 = 1840;
const FIXED: [i32; 7] = [1855, 1856, 1857, 1858, 1861, 1864, 1874];
const EMPTY_CONTENT: i32 = 1841;
const CHILD_IN_VALUE: [i32; 2] = [1828, 1842];
const TEXT: i32 = 1843;
const NO_DECLARATION: i32 = 1845;
const ABSTRACT_ELEMENT: i32 = 1846;
const NIL: [i32; 3] = [1847, 1848, 1849];
const TYPE_UNKNOWN: [i32; 2] = [1850, 1851];
const TYPE_NOT_DERIVED: i32 = 1852;
const ATTRIBUTE_UNEXPECTED: [i32; 4] = [1827, 1865, 1866, 1867];
const ATTRIBUTE_MISSING: i32 = 1868;
const CONTENT: i32 = 1871;
const ABSTRACT_TYPE: i32 = 1876;
const KEY: i32 = 1877;
const WILDCARD: i32 = 1878;
/// The most expected names told; a longer list helps nobody.
pub const EXPECTED: usize = 12;
/// How much of a message's two ends is looked at; values may be megabytes, the longest list of allowed values in CDA has 9,000 octets.
const LOOKED_AT: usize = 16_384;

/// What a schema fault is, from libxml2's code and message, at the element with this number in document order.
#[must_use]
pub fn finding(code: i32, message: &[u8], ordinal: u32) -> Unplaced {
    let head = Head::read(message);
    let about = |code| (head.about_element(code), false);
    let (found, on_attribute) = match code {
        CONTENT => (content(&head), false),
        NO_DECLARATION if ordinal > 0 => about(Code::E227),
        NO_DECLARATION => (root(&head), false),
        // The message names the parent, the number the child that has no place in it.
        EMPTY_CONTENT if head.rest.starts_with(b"Element") => (Finding::whole(Code::E202), false),
        EMPTY_CONTENT | TEXT => about(Code::E211),
        ABSTRACT_ELEMENT => about(Code::E235),
        TYPE_NOT_DERIVED => (head.about_element(Code::E223), true),
        ABSTRACT_TYPE => about(Code::E224),
        KEY => about(Code::E226),
        ATTRIBUTE_MISSING => return missing_attribute(&head, ordinal),
        WILDCARD => match &head.attribute {
            Some(attribute) => (head.about_element(Code::E227).with("attribute", attribute.clone()), true),
            None => about(Code::E227),
        },
        _ if CHILD_IN_VALUE.contains(&code) => (Finding::whole(Code::E232), false),
        _ if NIL.contains(&code) => about(Code::E225),
        _ if TYPE_UNKNOWN.contains(&code) => (head.about_element(Code::E222), true),
        _ if ATTRIBUTE_UNEXPECTED.contains(&code) => (head.about_element(Code::E207).with("attribute", head.attribute.clone().unwrap_or_default()), true),
        _ if is_value(code) => (bad_value(&head, code, message), true),
        _ => (head.about_element(Code::E212).with("rule", code.to_string()), false),
    };
    let attribute = match found.code {
        Code::E222 | Code::E223 => Some("xsi:type".to_owned()),
        _ => head.attribute.filter(|_| on_attribute),
    };
    (ordinal, attribute, found)
}

fn is_value(code: i32) -> bool {
    VALUE.contains(&code) || FIXED.contains(&code) || LENGTH_OR_RANGE.contains(&code) || matches!(code, PATTERN | ENUMERATION)
}

/// What a value can be found guilty of; libxml2 tells such a fault twice.
const OF_VALUES: [Code; 5] = [Code::E209, Code::E228, Code::E229, Code::E230, Code::E231];

/// One finding a fault: libxml2 tells a bad value twice (the facet, then the type), and one wrong element by each of its consequences.
#[must_use]
pub fn merge(found: Vec<Unplaced>) -> Vec<Unplaced> {
    let mut kept: Vec<Unplaced> = Vec::with_capacity(found.len());
    for (ordinal, attribute, finding) in found {
        if finding.code == Code::E224 && kept.iter().rev().any(|(n, a, _)| *n == ordinal && a.as_deref() == Some("xsi:type")) {
            // Its xsi:type names no good type, so the declared one counts: that has been told.
            continue;
        }
        let same = kept.iter_mut().rev().find(|(n, a, f)| *n == ordinal && *a == attribute && both(&f.code, &finding.code));
        match same {
            Some((_, _, before)) => {
                for (name, value) in finding.args {
                    if before.args.iter().all(|(known, _)| *known != name) {
                        before.args.push((name, value));
                    }
                }
            }
            None => kept.push((ordinal, attribute, finding)),
        }
    }
    kept
}

fn both(first: &Code, second: &Code) -> bool {
    first == second || (OF_VALUES.contains(first) && OF_VALUES.contains(second))
}

/// A child that may not stand here, or one that is missing at the end. Why, and what was expected, `explain` finds out from the schema's own files;
/// where it cannot, what libxml2 says of it stands.
fn content(head: &Head<'_>) -> Finding {
    let expected = expected(head.rest);
    let words: Vec<String> = expected.iter().map(Name::qualified).collect();
    let finding = if head.rest.starts_with(b"Missing child") {
        head.about_element(Code::E204)
    } else if head.element.is(HL7FI, "localHeader") && !expected.iter().any(|e| e.is(HL7FI, "localHeader")) {
        head.about_element(Code::E203)
    } else if head.element.namespace.as_deref() != Some(tree::SDTC)
        && expected.iter().any(|e| e.local == head.element.local && e.namespace != head.element.namespace)
    {
        head.about_element(Code::E210)
    } else if head.element.is_foreign() {
        head.about_element(Code::E233)
    } else {
        head.about_element(Code::E202)
    };
    if words.is_empty() { finding } else { finding.with("expected", words.join(", ")) }
}

/// A root element the schema does not have.
fn root(head: &Head<'_>) -> Finding {
    let known = ["ClinicalDocument", "RCMR_IN200002FI01", "MCCI_IN000002UV01"].contains(&head.element.local.as_str());
    head.about_element(if known && head.element.namespace.as_deref() != Some(HL7) { Code::E210 } else { Code::E201 })
}

fn missing_attribute(head: &Head<'_>, ordinal: u32) -> Unplaced {
    // "The attribute 'root' is required but missing.": the name is the schema's own.
    let attribute = head.rest.strip_prefix(b"The attribute '").map(Name::read).map(|n| n.local).unwrap_or_default();
    (ordinal, Some(attribute.clone()), head.about_element(Code::E208).with("attribute", attribute))
}

fn bad_value(head: &Head<'_>, code: i32, message: &[u8]) -> Finding {
    let tail = tail(message);
    let about = |code| match &head.attribute {
        Some(attribute) => head.about_element(code).with("attribute", attribute.clone()),
        None => head.about_element(code),
    };
    if FIXED.contains(&code) {
        // "… does not match the fixed value constraint 'RCT'.": from the end, where the schema speaks.
        let finding = about(Code::E229);
        return if let Some(value) = quoted_at_end(&tail) { finding.with("expected", value) } else { finding };
    }
    if LENGTH_OR_RANGE.contains(&code) {
        // "… exceeds the allowed maximum length of '3'." or "… than the minimum value allowed ('3').": the number is the schema's own.
        let finding = about(Code::E230);
        let end = tail.trim_end();
        let limit = end.strip_suffix("').").or(end.strip_suffix("'.")).and_then(|head| head.rsplit_once('\'')).map(|(_, word)| path::short(word));
        return if let Some(limit) = limit { finding.with("limit", limit) } else { finding };
    }
    if code == ENUMERATION {
        let finding = about(Code::E228);
        let Some((_, set)) = tail.rsplit_once("the set {") else { return finding };
        return finding.with("expected", some(set.trim_end_matches(['.', '\n', '}']).split(", ").map(|value| value.trim_matches('\''))));
    }
    if tail.trim_end().ends_with("has no corresponding namespace declaration in scope.") {
        return about(Code::E231);
    }
    let finding = about(Code::E209);
    if code == PATTERN {
        // "… is not accepted by the pattern '[0-9]+'.": the pattern leads to its type's name.
        let Some((_, pattern)) = tail.rsplit_once("by the pattern '") else { return finding };
        return finding.with("pattern", pattern.trim_end().trim_end_matches("'."));
    }
    match tail.rsplit_once(" type '").and_then(|_| quoted_at_end(&tail)) {
        Some(name) => finding.with("type", Name::read(name.as_bytes()).local),
        None => finding,
    }
}

/// A list cut to what a person reads.
pub fn some<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut words = words.peekable();
    let shown: Vec<&str> = words.by_ref().take(EXPECTED).collect();
    let more = if words.peek().is_some() { ", …" } else { "" };
    shown.join(", ") + more
}

/// The names in "Expected is ( a )." and "Expected is one of ( a, b )." at the message's end, which the schema alone fills.
fn expected(rest: &[u8]) -> Vec<Name> {
    if !rest.starts_with(b"This element is not expected.") && !rest.starts_with(b"Missing child element(s).") {
        return Vec::new();
    }
    let tail = tail(rest);
    let Some((_, list)) = tail.rsplit_once("Expected is").and_then(|(_, list)| list.split_once("( ")) else { return Vec::new() };
    let list = list.rsplit_once(" )").map_or(list, |(list, _)| list);
    list.split(", ").filter(|name| !name.starts_with('#') && !name.starts_with('.')).take(EXPECTED).map(|name| Name::read(name.as_bytes())).collect()
}

/// The last quoted word: `… 'ts'.`
fn quoted_at_end(tail: &str) -> Option<String> {
    let inside = tail.trim_end().strip_suffix("'.")?;
    inside.rsplit_once('\'').map(|(_, word)| path::short(word))
}

fn tail(message: &[u8]) -> String {
    String::from_utf8_lossy(message.get(message.len().saturating_sub(LOOKED_AT)..).unwrap_or(message)).into_owned()
}

/// How every message begins: `Element '{namespace}name': …` or `Element '{namespace}name', attribute 'name': …`.
struct Head<'a> {
    element: Name,
    attribute: Option<String>,
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(message: &'a [u8]) -> Self {
        let rest = message.strip_prefix(b"Element '").unwrap_or(b"");
        let element = Name::read(rest);
        let rest = after_quote(rest);
        let (attribute, rest) = match rest.strip_prefix(b", attribute '") {
            Some(name) => (Some(Name::read(name).attribute()), after_quote(name)),
            None => (None, rest),
        };
        let rest = rest.strip_prefix(b": ").unwrap_or(rest);
        // "[facet 'enumeration'] …" comes before the sentence.
        Self { element, attribute, rest }
    }

    fn about_element(&self, code: Code) -> Finding {
        Finding::whole(code).with("element", self.element.qualified())
    }
}

/// Whether a namespace is none that every profile knows.
pub fn is_foreign(namespace: Option<&str>) -> bool {
    ![Some(HL7), Some(HL7FI), Some(tree::DSIG)].contains(&namespace)
}

fn after_quote(text: &[u8]) -> &[u8] {
    text.iter().position(|b| *b == b'\'').and_then(|end| text.get(end + 1..)).unwrap_or(b"")
}

/// A name as libxml2 writes it: `{namespace}local`.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    namespace: Option<String>,
    local: String,
}

impl Name {
    /// Reads up to the closing quote; what is no name becomes `?`.
    fn read(text: &[u8]) -> Self {
        let text = text.get(..LOOKED_AT).unwrap_or(text);
        let end = text.iter().position(|b| *b == b'\'').unwrap_or(text.len());
        let text = String::from_utf8_lossy(text.get(..end).unwrap_or(text)).into_owned();
        let (namespace, local) = match text.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')) {
            Some((namespace, local)) => (Some(namespace.to_owned()), local),
            None => (None, text.as_str()),
        };
        // A name begins with no digit, so an identity code is none.
        let begins = local.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let is_name = begins && local.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'));
        Self { namespace, local: if is_name { path::short(local) } else { "?".to_owned() } }
    }

    fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace.as_deref() == Some(namespace) && self.local == local
    }

    fn is_foreign(&self) -> bool {
        is_foreign(self.namespace.as_deref())
    }

    fn qualified(&self) -> String {
        tree::qualified(self.namespace.as_deref(), &self.local)
    }

    fn attribute(&self) -> String {
        match self.namespace.as_deref() {
            Some("http://www.w3.org/2001/XMLSchema-instance") => format!("xsi:{}", self.local),
            _ => self.local.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: i32, message: &str) -> (Code, Option<String>, Vec<(&'static str, String)>) {
        let (_, attribute, finding) = finding(code, message.as_bytes(), 0);
        (finding.code, attribute, finding.args)
    }

    #[test]
    fn names_and_lists_are_read() {
        let message = "Element '{urn:hl7-org:v3}author': This element is not expected. Expected is one of ( {urn:hl7-org:v3}copyTime, {urn:hl7finland}x ).\n";
        assert_eq!(told(1871, message), (Code::E202, None, vec![("element", "author".into()), ("expected", "copyTime, hl7fi:x".into())]));
        let message = "Element '{urn:hl7finland}localHeader': This element is not expected. Expected is ( {urn:hl7finland}localSocialHeader ).\n";
        assert_eq!(told(1871, message).0, Code::E203);
        let message = "Element '{urn:other}author': This element is not expected.\n";
        assert_eq!(told(1871, message).0, Code::E233);
        let message = "Element '{urn:other}author': This element is not expected. Expected is ( {urn:hl7-org:v3}author ).\n";
        assert_eq!(told(1871, message).0, Code::E210);
        let message = "Element '{urn:hl7-org:v3}id', attribute 'colour': The attribute 'colour' is not allowed.\n";
        assert_eq!(told(1866, message), (Code::E207, Some("colour".into()), vec![("element", "id".into()), ("attribute", "colour".into())]));
        let message = "Element '{urn:hl7-org:v3}relatedDocument': The attribute 'typeCode' is required but missing.\n";
        assert_eq!(told(1868, message).1.as_deref(), Some("typeCode"));
    }

    #[test]
    fn values_never_get_through() {
        let hostile = "Element '{urn:hl7-org:v3}id', attribute 'root': '080885-902M Expected is ( {x}080885-902M ) type '080885-902M'.' is not a valid value of the union type '{urn:hl7-org:v3}uid'.\n";
        for code in [1824, 1839, 1840, 1871, 1866, 1868, 1845, 1843, 1874, 1879, 9] {
            let (_, _, found) = finding(code, hostile.as_bytes(), 0);
            assert!(!format!("{found:?}").contains("080885"), "{code}: {found:?}");
        }
        assert_eq!(told(1824, hostile).2.last(), Some(&("type", "uid".to_owned())));
        let enumeration = "Element 'a', attribute 'b': [facet 'enumeration'] The value 'x the set {y' is not an element of the set {'RPLC', 'APND'}.\n";
        assert_eq!(told(1840, enumeration).2.last(), Some(&("expected", "RPLC, APND".to_owned())));
        for odd in ["", "Element '", "Element ''", "Element '{'", "Element 'a', attribute '", "\u{e4}", "Element '{a}': x"] {
            for code in 1800..1880 {
                let _no_panic = finding(code, odd.as_bytes(), 0);
            }
        }
    }
}
