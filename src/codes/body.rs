//! What a body may hold (`codes/body.toml`): XHTML's allowed elements, attributes and addresses; PDF/A's parts and what no PDF may do.

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;

const FILE: &str = "codes/body.toml";

/// Both kinds of display form.
#[derive(Debug)]
pub struct BodyRules {
    /// XHTML.
    pub xhtml: XhtmlRules,
    /// PDF.
    pub pdf: PdfRules,
}

/// What XHTML may hold. The lists are sorted: they are asked once an element and once an attribute.
#[derive(Debug)]
pub struct XhtmlRules {
    elements: Vec<String>,
    outside: Vec<String>,
    attributes: Vec<String>,
    beginnings: Vec<String>,
    addresses: Vec<(String, Vec<String>)>,
    style_forbids: Vec<String>,
    http_equiv: Vec<String>,
}

/// What an address attribute's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// The attribute holds no address.
    None,
    /// It stays inside the document.
    Inside,
    /// It leads out of it.
    Outside,
}

impl XhtmlRules {
    /// Whether an element of XHTML's namespace is allowed.
    #[must_use]
    pub fn allows_element(&self, name: &str) -> bool {
        has(&self.elements, name)
    }

    /// Whether an element that is not allowed would bring something from outside.
    #[must_use]
    pub fn is_outside(&self, name: &str) -> bool {
        has(&self.outside, name)
    }

    /// Whether an attribute without namespace is allowed.
    #[must_use]
    pub fn allows_attribute(&self, name: &str) -> bool {
        has(&self.attributes, name) || self.beginnings.iter().any(|b| name.starts_with(b.as_str()))
    }

    /// What an attribute says as an address. Only its beginning is looked at, white space before it and letter case left aside.
    #[must_use]
    pub fn address(&self, attribute: &str, value: &str) -> Address {
        let Some((_, begins)) = self.addresses.iter().find(|(name, _)| name == attribute) else { return Address::None };
        let value = value.trim_start().as_bytes();
        let inside = begins.iter().any(|b| value.get(..b.len()).is_some_and(|start| start.eq_ignore_ascii_case(b.as_bytes())));
        if inside { Address::Inside } else { Address::Outside }
    }

    /// Whether a style says something that it may not.
    #[must_use]
    pub fn forbids_style(&self, style: &str) -> bool {
        let mut plain = String::with_capacity(style.len());
        let mut rest = style;
        while let Some((before, after)) = rest.split_once("/*") {
            plain.push_str(before);
            rest = after.split_once("*/").map_or("", |(_, tail)| tail);
        }
        plain.push_str(rest);
        plain.make_ascii_lowercase();
        self.style_forbids.iter().any(|word| plain.contains(word.as_str()))
    }

    /// Whether `http-equiv` may say this.
    #[must_use]
    pub fn allows_http_equiv(&self, value: &str) -> bool {
        self.http_equiv.iter().any(|allowed| allowed.eq_ignore_ascii_case(value.trim()))
    }
}

/// What a PDF may declare and may not do.
#[derive(Debug)]
pub struct PdfRules {
    parts: Vec<RawPart>,
    /// Whether a level that the part has not refuses the file, or is a warning only.
    pub level_refuses: bool,
    actions: Vec<String>,
    annotations: Vec<String>,
    keys: Vec<String>,
    program_names: Vec<String>,
    program_beginnings: Vec<Vec<u8>>,
}

/// What the table says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Part and level are in the table.
    Known,
    /// There is no such part.
    UnknownPart,
    /// The part has no such level.
    UnknownLevel,
}

impl PdfRules {
    /// Looks a claim up.
    #[must_use]
    pub fn judge(&self, part: &str, level: Option<&str>) -> Judged {
        match self.parts.iter().find(|p| p.part == part) {
            None => Judged::UnknownPart,
            Some(known) if known.levels.iter().any(|l| l == level.unwrap_or("")) => Judged::Known,
            Some(_) => Judged::UnknownLevel,
        }
    }

    /// Whether a part allows embedded files.
    #[must_use]
    pub fn may_embed(&self, part: &str) -> bool {
        self.parts.iter().any(|p| p.part == part && p.embeds)
    }

    /// The forbidden action of this name, in the table's own letters.
    #[must_use]
    pub fn action(&self, name: &[u8]) -> Option<&str> {
        among(&self.actions, name)
    }

    /// The forbidden annotation of this name.
    #[must_use]
    pub fn annotation(&self, name: &[u8]) -> Option<&str> {
        among(&self.annotations, name)
    }

    /// The forbidden key of this name.
    #[must_use]
    pub fn key(&self, name: &[u8]) -> Option<&str> {
        among(&self.keys, name)
    }

    /// Whether a file's name, in small letters, ends like a program's.
    #[must_use]
    pub fn is_program_name(&self, name: &str) -> bool {
        self.program_names.iter().any(|end| name.ends_with(end.as_str()))
    }

    /// Whether a file's first octets are a program's.
    #[must_use]
    pub fn is_program(&self, head: &[u8]) -> bool {
        self.program_beginnings.iter().any(|beginning| head.starts_with(beginning))
    }
}

impl BodyRules {
    /// Reads the table.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let mut program_beginnings = Vec::new();
        for text in raw.pdf.program_beginnings {
            program_beginnings.push(octets(text.get_ref()).ok_or_else(|| file.fault_at(&text, "not pairs of hexadecimal digits"))?);
        }
        if raw.pdf.parts.get_ref().is_empty() {
            return Err(file.fault_at(&raw.pdf.parts, "no part: every PDF would be refused"));
        }
        let xhtml = raw.xhtml;
        Ok(Self {
            xhtml: XhtmlRules {
                elements: sorted(xhtml.elements),
                outside: sorted(xhtml.outside),
                attributes: sorted(xhtml.attributes),
                beginnings: xhtml.attribute_beginnings,
                addresses: xhtml.addresses.into_iter().map(|a| (a.attribute, a.begins)).collect(),
                style_forbids: xhtml.style_forbids,
                http_equiv: xhtml.http_equiv,
            },
            pdf: PdfRules {
                parts: raw.pdf.parts.into_inner(),
                level_refuses: raw.pdf.level_refuses,
                actions: raw.pdf.actions,
                annotations: raw.pdf.annotations,
                keys: raw.pdf.keys,
                program_names: raw.pdf.program_names,
                program_beginnings,
            },
        })
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort_unstable();
    list
}

fn has(list: &[String], name: &str) -> bool {
    list.binary_search_by(|entry| entry.as_str().cmp(name)).is_ok()
}

fn among<'l>(list: &'l [String], name: &[u8]) -> Option<&'l str> {
    list.iter().find(|entry| entry.as_bytes() == name).map(String::as_str)
}

fn octets(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| std::str::from_utf8(pair).ok().filter(|p| p.len() == 2).and_then(|p| u8::from_str_radix(p, 16).ok())).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    xhtml: RawXhtml,
    pdf: RawPdf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawXhtml {
    #[serde(rename = "source")]
    _source: String,
    elements: Vec<String>,
    outside: Vec<String>,
    attributes: Vec<String>,
    attribute_beginnings: Vec<String>,
    addresses: Vec<RawAddress>,
    style_forbids: Vec<String>,
    http_equiv: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAddress {
    attribute: String,
    begins: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPdf {
    #[serde(rename = "source")]
    _source: String,
    parts: Spanned<Vec<RawPart>>,
    level_refuses: bool,
    actions: Vec<String>,
    annotations: Vec<String>,
    keys: Vec<String>,
    program_names: Vec<String>,
    program_beginnings: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    part: String,
    levels: Vec<String>,
    embeds: bool,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn addresses_and_styles_are_judged_however_they_are_spelt() {
        let rules = BodyRules::load(&embedded()).unwrap().xhtml;
        for (attribute, value, is) in [
            ("href", "#a", Address::Inside),
            ("href", " MAILTO:x", Address::Inside),
            ("href", "java\tscript:x", Address::Outside),
            ("href", "//host/x", Address::Outside),
            ("href", "", Address::Outside),
            ("src", "data:image/PNG;base64,AA==", Address::Inside),
            ("src", "data:image/svg+xml;base64,AA==", Address::Outside),
            ("src", "data:text/html,x", Address::Outside),
            ("class", "http://x", Address::None),
        ] {
            assert_eq!(rules.address(attribute, value), is, "{attribute}={value}");
        }
        for style in ["background:URL(x)", "@im/**/port 'x'", "b\\65havior:x", "width:expres/* */sion(1)", "a:url\u{28}'http://x')"] {
            assert!(rules.forbids_style(style), "{style}");
        }
        assert!(!rules.forbids_style("color: #333; /* http://x */ margin: 0 auto"));
    }

    #[test]
    fn faults_name_their_line() {
        let mut files = embedded();
        let text = String::from_utf8(files[FILE].clone()).unwrap();
        files.insert(FILE.to_owned(), text.replacen("\"4d5a\"", "\"4d5\"", 1).into_bytes());
        let fault = BodyRules::load(&files).unwrap_err();
        assert!(fault.line > 10 && fault.file == FILE, "{fault}");
    }
}
