//! One bounded walk before anything else sees the octets: encoding, forbidden characters, no document type, well-formedness, depth and floods, and the
//! xs:ID values that libxml2's streaming validator does not compare. What it lets through is UTF-8 text that the tree and the schema may read.

use std::collections::{HashMap, HashSet};

pub use super::first_id::{FirstId, first_id};
use super::path::{self, Open, Unplaced};
use super::scan::{self, Attribute, Fault, Scanner, Token};
use super::scope::Scope;
use super::tree;
use crate::domain::code::Code;
use crate::domain::finding::{Finding, Place};
use crate::domain::limits;

/// The most ID and IDREF values kept for comparison: documents have a dozen, the widest narratives a few thousand.
const IDS: usize = 100_000;

/// The longest content of a value in a signature, in octets: a certificate takes 8 KiB. libxml2 gathers such a value piece by piece and copies it for each
/// (20 MiB of character references in one took it 211 s), while texts and bodies, which may be long, are never gathered.
const VALUE_OCTETS: usize = 64 * 1024;

/// Which encodings a profile takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 without a byte-order mark, as the Kanta profiles demand (messaging.md §8).
    Utf8Only,
}

/// Text that went through, and its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepassed<'a> {
    /// The octets as text; nothing is copied.
    pub text: &'a str,
    /// How many elements there are.
    pub elements: usize,
    /// How many attributes there are.
    pub attributes: usize,
    /// How many levels there are.
    pub depth: usize,
}

/// Walks a message of at most [`limits::MESSAGE_OCTETS`].
///
/// # Errors
/// What was found, at least one finding: E101–E111 (the first fault ends the walk), or all E205 and E206 of a well-formed text.
pub fn prepass(octets: &[u8], encoding: Encoding) -> Result<Prepassed<'_>, Vec<Finding>> {
    prepass_within(octets, encoding, limits::MESSAGE_OCTETS)
}

/// As [`prepass`], with the caller's own bound in octets (a document inside a frame: [`limits::DOCUMENT_OCTETS`]).
///
/// # Errors
/// As [`prepass`].
pub fn prepass_within(octets: &[u8], encoding: Encoding, bound: usize) -> Result<Prepassed<'_>, Vec<Finding>> {
    if octets.len() > bound {
        return Err(vec![Finding::whole(Code::E105).with("limit", bound.to_string()).with("octets", octets.len().to_string())]);
    }
    let text = match encoding {
        Encoding::Utf8Only => utf8_only(octets).map_err(|finding| vec![finding])?,
    };
    if let Some(at) = forbidden(text) {
        return Err(vec![Finding::new(Code::E108, place_in(text, at))]);
    }
    let mut walk = Walk::new(text);
    match walk.run() {
        Err(fault) => Err(vec![walk.finding(fault)]),
        Ok(counts) => {
            let found = walk.identities();
            if found.is_empty() { Ok(counts) } else { Err(path::place_all(text, found)) }
        }
    }
}

fn utf8_only(octets: &[u8]) -> Result<&str, Finding> {
    match octets {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, b'<', ..] | [b'<', 0, ..] | [0, 0, 0, b'<', ..] => return Err(Finding::whole(Code::E107)),
        [0xEF, 0xBB, 0xBF, ..] => return Err(Finding::whole(Code::E106)),
        _ if octets.iter().all(u8::is_ascii_whitespace) => return Err(Finding::whole(Code::E109)),
        _ => {}
    }
    let valid = std::str::from_utf8(octets);
    let begin = match &valid {
        Ok(text) => text,
        Err(error) => octets.get(..error.valid_up_to()).and_then(|o| std::str::from_utf8(o).ok()).unwrap_or(""),
    };
    let declared = declared_encoding(begin);
    match (valid, declared) {
        (Ok(text), None) => Ok(text),
        (Ok(_), Some((name, at))) => Err(Finding::new(Code::E101, place_in(begin, at)).with("encoding", name)),
        (Err(_), declared) => {
            let finding = Finding::new(Code::E101, place_in(begin, begin.len()));
            Err(match declared {
                Some((name, _)) => finding.with("encoding", name),
                None => finding,
            })
        }
    }
}

/// The declared encoding and where it stands, when it is another than UTF-8.
fn declared_encoding(text: &str) -> Option<(String, usize)> {
    let mut scanner = Scanner::new(text);
    let Ok(Some(Token::Declaration)) = scanner.token() else { return None };
    let declared = scanner.attributes().iter().find(|a| a.name == "encoding")?;
    let word: String = declared.value.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(40).collect();
    (!declared.value.eq_ignore_ascii_case("UTF-8")).then_some((word, declared.at))
}

/// The first character that XML 1.0 forbids. Two fast looks, so that megabytes of base64 cost nothing.
fn forbidden(text: &str) -> Option<usize> {
    let octets = text.as_bytes();
    let control = |b: &u8| *b < 0x20 && !matches!(*b, b'\t' | b'\n' | b'\r');
    // Chunks without an early end inside are what the compiler turns into vector instructions.
    let suspect = |chunk: &[u8]| chunk.iter().fold(false, |bad, b| bad | control(b) | (*b == 0xEF));
    let chunk = octets.chunks(4_096).position(suspect)? * 4_096;
    let from = (chunk.saturating_sub(3)..=chunk).find(|at| text.is_char_boundary(*at))?;
    text.get(from..)?.char_indices().find(|(_, c)| !scan::is_xml_char(*c)).map(|(at, _)| from + at)
}

/// The place of an offset in a text whose rest is not to be looked at.
fn place_in(text: &str, at: usize) -> Place {
    let mut walk = Walk::new(text.get(..at).unwrap_or(text));
    let _ends_too_early = walk.run();
    path::place_among(text, at, &walk.open, None)
}

/// What goes with an open element.
struct Mark {
    /// The namespace declarations in force outside it.
    scope: usize,
    /// Octets of content of its own so far, counted for values only.
    content: usize,
}

/// The walk's state.
struct Walk<'a> {
    text: &'a str,
    open: Vec<Open<'a>>,
    marks: Vec<Mark>,
    scope: Scope<'a>,
    counts: Prepassed<'a>,
    ids: HashSet<&'a str>,
    twice: Vec<(u32, &'static str)>,
    references: HashMap<&'a str, (u32, &'static str)>,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            open: Vec::new(),
            marks: Vec::new(),
            scope: Scope::default(),
            counts: Prepassed { text, elements: 0, attributes: 0, depth: 0 },
            ids: HashSet::new(),
            twice: Vec::new(),
            references: HashMap::new(),
        }
    }

    fn run(&mut self) -> Result<Prepassed<'a>, Fault> {
        let mut scanner = Scanner::new(self.text);
        while let Some(token) = scanner.token()? {
            let at = scanner.token_at();
            match token {
                Token::Start { name, empty } => {
                    self.start(name, at, scanner.attributes())?;
                    if empty {
                        self.close();
                    }
                }
                Token::End(name) => {
                    if self.open.last().is_none_or(|open| open.name != name) {
                        return Err(Fault::new(at, "an end tag that closes nothing open"));
                    }
                    self.close();
                }
                Token::Text(run) if self.open.is_empty() => {
                    if let Some(stray) = run.find(|c| !scan::is_space(c)) {
                        return Err(Fault::new(at + stray, "text outside the root element"));
                    }
                }
                Token::CData if self.open.is_empty() => return Err(Fault::new(at, "text outside the root element")),
                Token::Doctype => return Err(Fault { at, code: Code::E102, rule: "a document type" }),
                Token::Declaration => declaration(scanner.attributes())?,
                Token::Text(_) | Token::CData | Token::Aside => self.content(scanner.token_octets())?,
            }
        }
        if !self.open.is_empty() {
            return Err(Fault::new(self.text.len(), "the text ends before the root element does"));
        }
        if self.counts.elements == 0 {
            return Err(Fault::new(self.text.len(), "no root element"));
        }
        Ok(self.counts)
    }

    fn start(&mut self, name: &'a str, at: usize, attributes: &[Attribute<'a>]) -> Result<(), Fault> {
        if self.open.is_empty() && self.counts.elements > 0 {
            return Err(Fault::new(at, "a second root element"));
        }
        if self.open.len() == limits::DEPTH {
            return Err(Fault { at, code: Code::E104, rule: "too many levels" });
        }
        if self.counts.elements == limits::ELEMENTS {
            return Err(Fault { at, code: Code::E111, rule: "too many elements" });
        }
        self.marks.push(Mark { scope: self.scope.mark(), content: 0 });
        self.open.push(Open { name, namespace: None, at });
        self.scope.enter(attributes)?;
        let namespace = self.scope.of(name).map_err(|_| Fault::new(at, "a prefix that is not declared"))?;
        if let Some(open) = self.open.last_mut() {
            open.namespace = namespace;
        }
        self.scope.check(attributes)?;
        let ordinal = u32::try_from(self.counts.elements).unwrap_or(u32::MAX);
        for attribute in attributes {
            self.identity(attribute, ordinal)?;
        }
        self.counts.elements += 1;
        self.counts.attributes += attributes.len();
        self.counts.depth = self.counts.depth.max(self.open.len());
        Ok(())
    }

    /// Content of the innermost element, where its schema type is a value.
    fn content(&mut self, octets: usize) -> Result<(), Fault> {
        let (Some(open), Some(mark)) = (self.open.last(), self.marks.last_mut()) else { return Ok(()) };
        let is_value = match open.namespace {
            Some(tree::DSIG) => true,
            Some(tree::HL7FI) => open.name.ends_with("signatureTimestamp"),
            _ => false,
        };
        if is_value {
            mark.content += octets;
            if mark.content > VALUE_OCTETS {
                return Err(Fault { at: open.at, code: Code::E105, rule: "a value that is too long" });
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
        if let Some(mark) = self.marks.pop() {
            self.scope.leave(mark.scope);
        }
    }

    /// The xs:ID attributes of our documents are named `ID` (narrative, body, HL7 Finland's signatures) and `Id` (XML Signature); `id` is none.
    /// The xs:IDREF attributes are the narrative's `IDREF` and `referencedObject`.
    fn identity(&mut self, attribute: &Attribute<'a>, ordinal: u32) -> Result<(), Fault> {
        let value = attribute.value.trim_matches(scan::is_space);
        match attribute.name {
            "ID" => self.declare(value, ordinal, "ID"),
            "Id" => self.declare(value, ordinal, "Id"),
            "IDREF" => {
                self.references.entry(value).or_insert((ordinal, "IDREF"));
            }
            "referencedObject" => {
                for part in value.split(scan::is_space).filter(|part| !part.is_empty()) {
                    self.references.entry(part).or_insert((ordinal, "referencedObject"));
                }
            }
            _ => {}
        }
        if self.ids.len() > IDS || self.references.len() > IDS {
            return Err(Fault { at: attribute.at, code: Code::E111, rule: "too many IDs" });
        }
        Ok(())
    }

    fn declare(&mut self, value: &'a str, ordinal: u32, attribute: &'static str) {
        let is_new = self.ids.insert(value);
        if !is_new && self.twice.len() < limits::FINDINGS {
            self.twice.push((ordinal, attribute));
        }
    }

    /// Repeated IDs and references that lead nowhere; the values stay out of it.
    fn identities(&self) -> Vec<Unplaced> {
        let whole = |code, attribute: &'static str| Finding::whole(code).with("attribute", attribute);
        let twice = self.twice.iter().map(|(n, name)| (*n, Some((*name).to_owned()), whole(Code::E205, name)));
        let mut lost: Vec<_> = self.references.iter().filter(|(id, _)| !self.ids.contains(*id)).map(|(_, at)| *at).collect();
        lost.sort_unstable();
        let lost = lost.into_iter().map(|(n, name)| (n, Some(name.to_owned()), whole(Code::E206, name)));
        twice.chain(lost).take(limits::FINDINGS).collect()
    }

    fn finding(&self, fault: Fault) -> Finding {
        let place = path::place_among(self.text, fault.at, &self.open, None);
        let finding = Finding::new(fault.code, place);
        match fault.code {
            Code::E103 | Code::E110 => finding.with("rule", fault.rule),
            Code::E104 => finding.with("limit", limits::DEPTH.to_string()),
            Code::E105 => finding.with("limit", VALUE_OCTETS.to_string()),
            Code::E111 => finding.with("limit", limits::ELEMENTS.to_string()),
            _ => finding,
        }
    }
}

/// `version="1.x"`, then perhaps `encoding`, then perhaps `standalone`. Another encoding than UTF-8 was refused before.
fn declaration(attributes: &[Attribute<'_>]) -> Result<(), Fault> {
    let at = attributes.first().map_or(0, |a| a.at);
    let names: Vec<&str> = attributes.iter().map(|a| a.name).collect();
    let in_order = matches!(names.as_slice(), ["version"] | ["version", "encoding" | "standalone"] | ["version", "encoding", "standalone"]);
    let value = |name| attributes.iter().find(|a| a.name == name).map(|a| a.value);
    // As the fifth edition of XML 1.0 asks: any 1.x is read by the rules of 1.0.
    let minor = value("version").and_then(|v| v.strip_prefix("1."));
    let good = minor.is_some_and(|m| !m.is_empty() && m.bytes().all(|b| b.is_ascii_digit())) && value("standalone").is_none_or(|v| matches!(v, "yes" | "no"));
    if in_order && good { Ok(()) } else { Err(Fault::new(at, "an XML declaration that is not one")) }
}
