//! One bounded walk before anything else sees the octets: encoding, forbidden characters, no document type, well-formedness, depth and floods, and the
//! xs:ID values that libxml2's streaming validator does not compare. What it lets through is text that the tree and the schema may read.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::detective::{self, Marks};
use super::encoding::{self, Decoded, Form};
pub use super::first_id::{FirstId, first_id};
use super::identity::{Identities, Role};
use super::names::Names;
use super::path::{self, Open, Unplaced};
use super::scan::{self, Attribute, Fault, Scanner, Token};
use super::scope::{self, Scope};
use super::sight::{Seen, Sight};
use super::tree;
use crate::domain::code::Code;
use crate::domain::finding::{Finding, Place};
use crate::domain::limits;

/// The most ID and IDREF values kept for comparison: documents have a dozen, the widest narratives a few thousand.
const IDS: usize = 100_000;

/// The longest content of a value in a signature, in octets: a certificate takes 8 KiB, a revocation list some hundred. libxml2 gathers such a value piece by
/// piece and copies it for each (20 MiB of character references in one took it 211 s), while texts and bodies, which may be long, are never gathered.
const VALUE_OCTETS: usize = 256 * 1024;

/// Which encodings are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 without a byte-order mark, as the archives of the Kanta profiles demand (messaging.md §8).
    Utf8Only,
    /// Every encoding of XML that xmllint and Xerces both take.
    Any,
}

/// Text that went through, and its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepassed<'a> {
    /// The text; nothing is copied.
    pub text: &'a str,
    /// How many elements there are.
    pub elements: usize,
    /// How many attributes there are.
    pub attributes: usize,
    /// How many levels there are.
    pub depth: usize,
    /// The root element's namespace and name as written, with its prefix.
    pub root: (Option<&'a str>, &'a str),
    /// Signs of trouble, for [`Prepassed::oddities`].
    marks: Marks,
}

impl Prepassed<'_> {
    /// What is well-formed and probably not meant so: W910 letters encoded twice, W911 letters lost, W912 lone carriage returns.
    #[must_use]
    pub fn oddities(&self) -> Vec<Finding> {
        let found = detective::oddities(self.text, self.marks);
        found.into_iter().map(|(at, finding)| Finding { place: place_in(self.text, at), ..finding }).collect()
    }
}

/// Walks a message in UTF-8 of at most [`limits::MESSAGE_OCTETS`].
///
/// # Errors
/// As [`decode`] and [`walk`].
pub fn prepass(octets: &[u8], encoding: Encoding) -> Result<Prepassed<'_>, Vec<Finding>> {
    prepass_within(octets, encoding, limits::MESSAGE_OCTETS)
}

/// As [`prepass`], with the caller's own bound in octets (a document inside a frame: [`limits::DOCUMENT_OCTETS`]). It borrows the octets, so
/// text in another encoding, which must be copied, is refused here even where [`Encoding::Any`] is asked: that road is [`decode`] and [`walk`].
///
/// # Errors
/// As [`prepass`].
pub fn prepass_within(octets: &[u8], encoding: Encoding, bound: usize) -> Result<Prepassed<'_>, Vec<Finding>> {
    match decode(octets, encoding, bound)?.text {
        Cow::Borrowed(text) => walk(text, &Identities::usual()),
        Cow::Owned(_) => Err(vec![Finding::whole(Code::E107)]),
    }
}

/// Octets to text, at most `bound` of them.
///
/// # Errors
/// One finding at its place: E105 for the size, E101, E106 or E107 for what [`Encoding::Utf8Only`] does not take, else as [`encoding::decode`].
pub fn decode(octets: &[u8], taken: Encoding, bound: usize) -> Result<Decoded<'_>, Vec<Finding>> {
    if octets.len() > bound {
        return Err(vec![Finding::whole(Code::E105).with("limit", bound.to_string()).with("octets", octets.len().to_string())]);
    }
    let only_utf8 = taken == Encoding::Utf8Only;
    match octets {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, b'<', ..] | [b'<', 0, ..] | [0, 0, 0, b'<', ..] if only_utf8 => {
            return Err(vec![Finding::whole(Code::E107)]);
        }
        [0xEF, 0xBB, 0xBF, ..] if only_utf8 => return Err(vec![Finding::whole(Code::E106)]),
        _ => {}
    }
    match encoding::decode(octets) {
        Ok(decoded) if only_utf8 => match objection(&decoded) {
            Some(finding) => Err(vec![finding]),
            None => Ok(decoded),
        },
        Ok(decoded) => Ok(decoded),
        Err(fault) => {
            let place = place_in(&fault.before, fault.before.len());
            let mut finding = Finding { place, ..fault.finding };
            if only_utf8 && matches!(finding.code, Code::E112 | Code::E113 | Code::E114) {
                let declared = finding.args.into_iter().find(|(name, _)| matches!(*name, "encoding" | "declared")).map(|(_, value)| value);
                finding = Finding::new(Code::E101, finding.place).with("encoding", declared.unwrap_or_default());
            }
            Err(vec![finding])
        }
    }
}

/// What an archive that takes UTF-8 without a byte-order mark only says of a text in another form: E101, E106 or E107.
#[must_use]
pub fn objection(decoded: &Decoded<'_>) -> Option<Finding> {
    match &decoded.form {
        Form::Utf8 { mark: false } => None,
        Form::Utf8 { mark: true } => Some(Finding::whole(Code::E106)),
        Form::Wide => Some(Finding::whole(Code::E107)),
        Form::Declared(name, at) => Some(Finding::new(Code::E101, place_in(&decoded.text, *at)).with("encoding", name.as_str())),
    }
}

/// Walks a text.
///
/// # Errors
/// What was found, at least one finding: E102–E104, E108, E110, E111, E115–E117 (the first fault ends the walk), or all E205 and E206 of a well-formed text.
pub fn walk<'a>(text: &'a str, identities: &Identities) -> Result<Prepassed<'a>, Vec<Finding>> {
    let (forbidden, marks) = look_through(text);
    if let Some(at) = forbidden {
        let place = place_in(text, at);
        let is_zero = text.as_bytes().get(at) == Some(&0);
        return Err(vec![if is_zero { Finding::new(Code::E115, place).with("rule", detective::zeros(text, at)) } else { Finding::new(Code::E108, place) }]);
    }
    let mut walk = Walk::new(text, identities);
    match walk.run() {
        Err(fault) => Err(vec![walk.finding(fault)]),
        Ok(counts) => {
            let found = walk.identities();
            if found.is_empty() { Ok(Prepassed { marks, ..counts }) } else { Err(path::place_all(text, found)) }
        }
    }
}

/// Walks a text for somebody who wants to see it once, without a tree, within the same bounds.
///
/// # Errors
/// Where it is not well-formed, holds a document type, or goes beyond a bound: the offset in octets.
pub fn look<'a, S: Sight<'a>>(text: &'a str, sight: S) -> Result<S, usize> {
    if let (Some(at), _) = look_through(text) {
        return Err(at);
    }
    let none = Identities::none();
    let mut walk = Walk::with(text, &none, sight);
    match walk.run() {
        Ok(_) => Ok(walk.sight),
        Err(fault) => Err(fault.at),
    }
}

/// The first character that XML 1.0 forbids, and the signs of trouble, in one fast look: megabytes of base64 cost nothing.
fn look_through(text: &str) -> (Option<usize>, Marks) {
    const CONTROL: u8 = 1;
    const HIGH: u8 = 2;
    const EIGHTY_THREE: u8 = 4;
    const RETURN: u8 = 8;
    let octets = text.as_bytes();
    let (mut all, mut suspect) = (0, None);
    for (n, chunk) in octets.chunks(4_096).enumerate() {
        // Chunks without an early end inside are what the compiler turns into vector instructions.
        let flags = chunk.iter().fold(0, |flags, b| {
            let control = u8::from(*b < 0x20) & u8::from(*b != b'\t') & u8::from(*b != b'\n') & u8::from(*b != b'\r');
            flags | control | (u8::from(*b == 0xEF) * HIGH) | (u8::from(*b == 0x83) * EIGHTY_THREE) | (u8::from(*b == b'\r') * RETURN)
        });
        if suspect.is_none() && flags & (CONTROL | HIGH) != 0 {
            suspect = Some(n * 4_096);
        }
        all |= flags;
    }
    let marks = Marks { eighty_three: all & EIGHTY_THREE != 0, high: all & HIGH != 0, carriage_return: all & RETURN != 0 };
    let forbidden = suspect.and_then(|chunk| {
        let from = (chunk.saturating_sub(3)..=chunk).find(|at| text.is_char_boundary(*at))?;
        text.get(from..)?.char_indices().find(|(_, c)| !scan::is_xml_char(*c)).map(|(at, _)| from + at)
    });
    (forbidden, marks)
}

/// The place of an offset in a text whose rest is not to be looked at.
fn place_in(text: &str, at: usize) -> Place {
    let none = Identities::none();
    let mut walk = Walk::new(text.get(..at).unwrap_or(text), &none);
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
struct Walk<'a, 'i, S> {
    text: &'a str,
    sight: S,
    roles: &'i Identities,
    open: Vec<Open<'a>>,
    marks: Vec<Mark>,
    scope: Scope<'a>,
    names: Names<'a>,
    counts: Prepassed<'a>,
    ids: HashSet<Cow<'a, str>>,
    twice: Vec<(u32, &'a str)>,
    references: HashMap<Cow<'a, str>, (u32, &'a str)>,
    /// Comments, instructions and runs of text so far: with the elements they are the tree's nodes.
    asides: usize,
}

impl<'a, 'i> Walk<'a, 'i, ()> {
    fn new(text: &'a str, roles: &'i Identities) -> Self {
        Self::with(text, roles, ())
    }
}

impl<'a, 'i, S: Sight<'a>> Walk<'a, 'i, S> {
    fn with(text: &'a str, roles: &'i Identities, sight: S) -> Self {
        Self {
            text,
            sight,
            roles,
            open: Vec::new(),
            marks: Vec::new(),
            scope: Scope::default(),
            names: Names::default(),
            counts: Prepassed { text, elements: 0, attributes: 0, depth: 0, root: (None, ""), marks: Marks::default() },
            ids: HashSet::new(),
            twice: Vec::new(),
            references: HashMap::new(),
            asides: 0,
        }
    }

    fn run(&mut self) -> Result<Prepassed<'a>, Fault> {
        let mut scanner = Scanner::new(self.text);
        let mut in_text = false;
        while let Some(token) = scanner.token()? {
            let at = scanner.token_at();
            let is_text = matches!(token, Token::Text(_) | Token::CData);
            if matches!(token, Token::Aside) || (is_text && !in_text && !self.open.is_empty()) {
                self.asides += 1;
                if self.counts.elements + self.asides > limits::NODES {
                    return Err(Fault { at, code: Code::E111, rule: "too many pieces" });
                }
            }
            in_text = is_text;
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
                        return Err(Fault::new(at + stray, scan::BESIDE_ROOT));
                    }
                }
                Token::CData if self.open.is_empty() => return Err(Fault::new(at, scan::BESIDE_ROOT)),
                Token::Doctype => return Err(Fault { at, code: Code::E102, rule: "a document type" }),
                Token::Declaration => declaration(scanner.attributes())?,
                Token::Aside => {
                    self.names.aside(self.text, at)?;
                    self.content(scanner.token_octets())?;
                    self.sight.aside(at, self.text.get(at..at + scanner.token_octets()).unwrap_or(""));
                }
                Token::Text(_) | Token::CData => {
                    self.content(scanner.token_octets())?;
                    self.sight.text(self.text.get(at..at + scanner.token_octets()).unwrap_or(""));
                }
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
        self.names.element(name, at, attributes)?;
        self.marks.push(Mark { scope: self.scope.mark(), content: 0 });
        self.open.push(Open { name, namespace: None, at });
        self.scope.enter(attributes)?;
        let namespace = self.scope.of(name).map_err(|_| Fault::new(at, "a prefix that is not declared"))?;
        if let Some(open) = self.open.last_mut() {
            open.namespace = namespace;
        }
        if self.counts.elements == 0 {
            self.counts.root = (namespace, name);
        }
        self.scope.check(attributes)?;
        self.sight.element(&Seen { name, namespace, at, attributes, scope: &self.scope });
        let ordinal = u32::try_from(self.counts.elements).unwrap_or(u32::MAX);
        for attribute in attributes {
            if let Some(role) = self.roles.role(attribute.name)
                && self.roles.covers(namespace)
            {
                self.identity(attribute, role, ordinal)?;
            }
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
            // Their content is mixed: not gathered, and long where a document is enclosed.
            Some(tree::DSIG) => !matches!(open.name.rsplit(':').next(), Some("Object" | "KeyInfo")),
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
        self.sight.end();
        self.open.pop();
        if let Some(mark) = self.marks.pop() {
            self.scope.leave(mark.scope);
        }
    }

    /// Keeps what an xs:ID, xs:IDREF or xs:IDREFS says, its references resolved and its outer space taken off, as the schema reads it.
    fn identity(&mut self, attribute: &Attribute<'a>, role: Role, ordinal: u32) -> Result<(), Fault> {
        let value = match scan::resolved(attribute.value) {
            Cow::Borrowed(value) => Cow::Borrowed(value.trim_matches(scan::is_space)),
            Cow::Owned(value) => Cow::Owned(value.trim_matches(scan::is_space).to_owned()),
        };
        let here = (ordinal, attribute.name);
        match (role, value) {
            (Role::Id, value) => {
                if !self.ids.insert(value) && self.twice.len() < limits::FINDINGS {
                    self.twice.push(here);
                }
            }
            (Role::Reference, value) => {
                self.references.entry(value).or_insert(here);
            }
            (Role::References, Cow::Borrowed(value)) => {
                for part in value.split(scan::is_space).filter(|part| !part.is_empty()) {
                    self.references.entry(Cow::Borrowed(part)).or_insert(here);
                }
            }
            (Role::References, Cow::Owned(value)) => {
                for part in value.split(scan::is_space).filter(|part| !part.is_empty()) {
                    self.references.entry(Cow::Owned(part.to_owned())).or_insert(here);
                }
            }
        }
        if self.ids.len() > IDS || self.references.len() > IDS {
            return Err(Fault { at: attribute.at, code: Code::E111, rule: "too many IDs" });
        }
        Ok(())
    }

    /// Repeated IDs and references that lead nowhere; the values stay out of it.
    fn identities(&self) -> Vec<Unplaced> {
        let unplaced = |code, (ordinal, name): (u32, &str)| {
            let name = path::short(name);
            (ordinal, Some(name.clone()), Finding::whole(code).with("attribute", name))
        };
        let twice = self.twice.iter().map(|here| unplaced(Code::E205, *here));
        let mut lost: Vec<_> = self.references.iter().filter(|(id, _)| !self.ids.contains(*id)).map(|(_, here)| *here).collect();
        lost.sort_unstable();
        twice.chain(lost.into_iter().map(|here| unplaced(Code::E206, here))).take(limits::FINDINGS).collect()
    }

    fn finding(&self, fault: Fault) -> Finding {
        let place = path::place_among(self.text, fault.at, &self.open, None);
        let (code, rule) = detective::refine(self.text, &fault);
        let finding = Finding::new(code, place);
        match code {
            Code::E103 | Code::E110 | Code::E116 | Code::E117 => finding.with("rule", rule),
            Code::E104 => finding.with("limit", limits::DEPTH.to_string()),
            Code::E105 => finding.with("limit", VALUE_OCTETS.to_string()),
            // Its number is of what the tree compares, not of what the sender wrote.
            Code::E111 if rule == scope::INHERITED => finding,
            Code::E111 => finding.with("limit", limits::ELEMENTS.to_string()),
            _ => finding,
        }
    }
}

/// `version="1.0"` or `"1.1"`, then perhaps `encoding`, then perhaps `standalone`. A document of XML 1.1 is read by the rules of 1.0: both validators take
/// it where it keeps to those.
fn declaration(attributes: &[Attribute<'_>]) -> Result<(), Fault> {
    let at = attributes.first().map_or(0, |a| a.at);
    let names: Vec<&str> = attributes.iter().map(|a| a.name).collect();
    let in_order = matches!(names.as_slice(), ["version"] | ["version", "encoding" | "standalone"] | ["version", "encoding", "standalone"]);
    let value = |name| attributes.iter().find(|a| a.name == name).map(|a| a.value);
    let good = matches!(value("version"), Some("1.0" | "1.1"))
        && value("encoding").is_none_or(encoding::is_name)
        && value("standalone").is_none_or(|v| matches!(v, "yes" | "no"));
    if in_order && good { Ok(()) } else { Err(Fault::new(at, "an XML declaration that is not one")) }
}
