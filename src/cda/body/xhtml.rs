//! The display form as XHTML: well-formed, and nothing in it but what is on the list of what shows text, tables and inline pictures (`codes/body.toml`).
//! What runs, what loads and what leads elsewhere has no place in a document that is shown for decades.

use super::Report;
use crate::codes::body::{Address, XhtmlRules};
use crate::domain::code::Code;
use crate::domain::finding::has_room;
use crate::xml::path::Positions;
use crate::xml::prepass;
use crate::xml::sight::{self, Seen, SeenAttribute, Sight};

/// The most tags taken in a display form: real ones have hundreds; more would be a flood, not a document.
const XHTML_TAGS: usize = 200_000;
/// XHTML's namespace.
const XHTML: &str = "http://www.w3.org/1999/xhtml";
/// The namespace of `xml:lang` and `xml:space`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The longest name of an element or attribute that is repeated in a sentence.
const SHOWN_NAME: usize = 40;

/// Well-formed XHTML without a DTD, its root in the right namespace and no deeper than a document may be, made of allowed things only.
pub(super) fn check(octets: &[u8], rules: &XhtmlRules, report: &mut Report<'_, '_, '_>) {
    let tags = octets.iter().filter(|octet| **octet == b'<').count();
    let Some(text) = std::str::from_utf8(octets).ok().filter(|_| tags <= XHTML_TAGS) else {
        return report.add(Code::E507, "B-xhtml", &[]);
    };
    let reader = Reader { rules, found: Vec::new(), depth: 0, is_foreign: false, style: None };
    match prepass::look(text, reader) {
        Err(at) => {
            let (line, column) = Positions::new(text).of(at);
            report.add(Code::E507, "B-xhtml", &[("line", &line.to_string()), ("column", &column.to_string())]);
        }
        Ok(reader) if reader.is_foreign => report.add(Code::E507, "B-xhtml", &[]),
        Ok(mut reader) => {
            // A style is judged where it ends and told where it begins.
            reader.found.sort_by_key(|found| found.at);
            let mut positions = Positions::new(text);
            for found in &reader.found {
                if report.is_full() {
                    return;
                }
                let (line, column) = positions.of(found.at);
                let name: String = found.name.chars().take(SHOWN_NAME).collect();
                let rule = if found.code == Code::E511 { "B-xhtml-outside" } else { "B-xhtml-active" };
                report.add(found.code, rule, &[("reason", found.kind), ("name", &name), ("line", &line.to_string()), ("column", &column.to_string())]);
            }
        }
    }
}

/// What may not stand there.
struct Found<'a> {
    at: usize,
    code: Code,
    kind: &'static str,
    name: &'a str,
}

/// Reads a display form as it goes by.
struct Reader<'a, 'r> {
    rules: &'r XhtmlRules,
    found: Vec<Found<'a>>,
    depth: usize,
    /// The root is not XHTML's.
    is_foreign: bool,
    /// The style element that is open: where, how deep, what it says.
    style: Option<(usize, usize, String)>,
}

impl<'a> Reader<'a, '_> {
    fn add(&mut self, at: usize, code: Code, kind: &'static str, name: &'a str) {
        if has_room(self.found.iter().map(|found| found.code), code) {
            self.found.push(Found { at, code, kind, name });
        }
    }

    /// What stands against an attribute.
    fn attribute(&self, attribute: &SeenAttribute<'a>) -> Option<Code> {
        let (key, value) = (attribute.local, attribute.value.as_ref());
        match attribute.namespace {
            Some(XML) if key != "base" => return None,
            Some(_) => return Some(if key == "base" || key == "href" { Code::E511 } else { Code::E510 }),
            None => {}
        }
        match self.rules.address(key, value) {
            Address::Inside => return None,
            Address::Outside => return Some(Code::E511),
            Address::None => {}
        }
        if !self.rules.allows_attribute(key) {
            return Some(Code::E510);
        }
        let is_outside = (key == "style" && self.rules.forbids_style(value)) || (key == "http-equiv" && !self.rules.allows_http_equiv(value));
        is_outside.then_some(Code::E511)
    }
}

impl<'a> Sight<'a> for Reader<'a, '_> {
    fn element(&mut self, seen: &Seen<'a, '_>) {
        self.depth += 1;
        let name = seen.local();
        if seen.namespace != Some(XHTML) {
            self.is_foreign |= self.depth == 1;
            return self.add(seen.at, Code::E510, "xhtml-foreign", name);
        }
        if !self.rules.allows_element(name) {
            let code = if self.rules.is_outside(name) { Code::E511 } else { Code::E510 };
            return self.add(seen.at, code, "xhtml-element", name);
        }
        for attribute in seen.attributes() {
            if let Some(code) = self.attribute(&attribute) {
                self.add(seen.at, code, "xhtml-attribute", attribute.local);
            }
        }
        if name == "style" && self.style.is_none() {
            self.style = Some((seen.at, self.depth, String::new()));
        }
    }

    fn text(&mut self, written: &'a str) {
        if let Some((_, _, says)) = &mut self.style {
            says.push_str(&sight::plain(written));
        }
    }

    fn aside(&mut self, at: usize, written: &'a str) {
        if let Some(target) = written.strip_prefix("<?") {
            let end = target.find(|c: char| c.is_ascii_whitespace() || c == '?').unwrap_or(target.len());
            self.add(at, Code::E510, "xhtml-instruction", target.get(..end).unwrap_or(target));
        }
    }

    fn end(&mut self) {
        if let Some((at, depth, says)) = &self.style
            && *depth == self.depth
        {
            let at = *at;
            if self.rules.forbids_style(says) {
                self.add(at, Code::E511, "xhtml-element", "style");
            }
            self.style = None;
        }
        self.depth = self.depth.saturating_sub(1);
    }
}
