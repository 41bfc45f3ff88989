//! XML's own grammar, token by token and strictly: tags, attributes, references, comments. Nothing here knows a document; nothing here allocates but
//! the list of one element's attributes, and a value whose references are resolved. The pre-pass walks with it, and so does whoever must read the beginning of a broken message.
//!
//! Written here instead of taken from quick-xml: names, references, `]]>`, `<` in values and repeated attributes must be looked at anyway, and
//! a second look at every token costs more than the first.

use std::borrow::Cow;

use crate::domain::code::Code;
use crate::domain::limits;

/// The longest reference: a character has seven digits, and some writers fill up with zeros, of which XML allows any number.
const REFERENCE_OCTETS: usize = 256;
/// The rule that text beside the root element breaks.
pub const BESIDE_ROOT: &str = "text outside the root element";
/// The rule that a second XML declaration breaks.
pub const RESERVED: &str = "a reserved processing instruction";

/// One piece of markup or text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// A start tag or empty element; its attributes are in `Scanner::attributes`.
    Start {
        /// The name as written, with its prefix.
        name: &'a str,
        /// Whether it ends itself (`<a/>`).
        empty: bool,
    },
    /// An end tag.
    End(&'a str),
    /// Text between tags, references included.
    Text(&'a str),
    /// A CDATA section.
    CData,
    /// A comment or a processing instruction.
    Aside,
    /// The XML declaration; its pseudo-attributes are in `Scanner::attributes`.
    Declaration,
    /// `<!DOCTYPE`: the scanner stands before it and goes no further.
    Doctype,
}

/// One attribute as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name with its prefix.
    pub name: &'a str,
    /// The value between its quotes, references included.
    pub value: &'a str,
    /// Where the name begins.
    pub at: usize,
}

/// Where the grammar was broken, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Offset in octets.
    pub at: usize,
    /// The code: not well-formed, or a bound.
    pub code: Code,
    /// The rule in a few words; never anything from the document.
    pub rule: &'static str,
}

impl Fault {
    /// A breach of well-formedness.
    pub const fn new(at: usize, rule: &'static str) -> Self {
        Self { at, code: Code::E103, rule }
    }
}

/// A position in the text, going forward only.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    token_at: usize,
    attributes: Vec<Attribute<'a>>,
}

impl<'a> Scanner<'a> {
    /// Begins at the first octet.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, token_at: 0, attributes: Vec::new() }
    }

    /// Where the last token began.
    pub const fn token_at(&self) -> usize {
        self.token_at
    }

    /// How long the last token is.
    pub const fn token_octets(&self) -> usize {
        self.at - self.token_at
    }

    /// The attributes of the last start tag or declaration.
    pub fn attributes(&self) -> &[Attribute<'a>] {
        &self.attributes
    }

    /// Goes on at another offset (behind a document type that a lenient reader steps over).
    pub fn resume_at(&mut self, at: usize) {
        self.at = at.max(self.at);
    }

    /// The next token; `None` at the end.
    pub fn token(&mut self) -> Result<Option<Token<'a>>, Fault> {
        self.token_at = self.at;
        let rest = self.rest();
        let Some(first) = rest.as_bytes().first() else { return Ok(None) };
        if *first != b'<' {
            return self.text_run().map(Some);
        }
        match rest.as_bytes().get(1) {
            Some(b'/') => self.end_tag().map(Some),
            Some(b'!') => self.bang().map(Some),
            Some(b'?') => self.instruction().map(Some),
            Some(_) => self.start_tag().map(Some),
            None => Err(self.fault("the text ends inside a tag")),
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    const fn fault(&self, rule: &'static str) -> Fault {
        Fault::new(self.at, rule)
    }

    fn text_run(&mut self) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        let run = rest.find('<').map_or(rest, |end| &rest[..end]);
        // `contains` goes many octets at a time, which `find` does not: bodies in base64 are most of a message.
        if run.contains("]]>") {
            return Err(Fault::new(self.at + run.find("]]>").unwrap_or(0), "]]> in text"));
        }
        references(run, self.at)?;
        self.at += run.len();
        Ok(Token::Text(run))
    }

    fn end_tag(&mut self) -> Result<Token<'a>, Fault> {
        self.at += 2;
        let name = self.name("an end tag without a name")?;
        self.skip_space();
        if !self.rest().starts_with('>') {
            return Err(self.fault("an end tag that does not end"));
        }
        self.at += 1;
        Ok(Token::End(name))
    }

    fn start_tag(&mut self) -> Result<Token<'a>, Fault> {
        self.at += 1;
        let name = self.name("a tag without a name")?;
        self.attributes.clear();
        loop {
            let spaced = self.skip_space();
            match self.rest().as_bytes() {
                [b'>', ..] => {
                    self.at += 1;
                    return Ok(Token::Start { name, empty: false });
                }
                [b'/', b'>', ..] => {
                    self.at += 2;
                    return Ok(Token::Start { name, empty: true });
                }
                [] => return Err(self.fault("the text ends inside a tag")),
                _ if !spaced => return Err(self.fault("no space before an attribute")),
                _ => self.attribute()?,
            }
        }
    }

    fn attribute(&mut self) -> Result<(), Fault> {
        let at = self.at;
        if self.attributes.len() == limits::ATTRIBUTES {
            return Err(Fault { at, code: Code::E110, rule: "too many attributes" });
        }
        let name = self.name("an attribute without a name")?;
        self.skip_space();
        if !self.rest().starts_with('=') {
            return Err(self.fault("an attribute without a value"));
        }
        self.at += 1;
        self.skip_space();
        let quote = match self.rest().as_bytes().first() {
            Some(b'"') => '"',
            Some(b'\'') => '\'',
            _ => return Err(self.fault("an attribute value without quotes")),
        };
        self.at += 1;
        let rest = self.rest();
        // The bound first: what is longer is not looked at.
        let window = rest.as_bytes().get(..limits::ATTRIBUTE_OCTETS + 1).unwrap_or(rest.as_bytes());
        let Some(length) = window.iter().position(|b| *b == quote as u8) else {
            return Err(if rest.len() > limits::ATTRIBUTE_OCTETS {
                Fault { at, code: Code::E110, rule: "an attribute value that is too long" }
            } else {
                Fault::new(at, "an attribute value without an end")
            });
        };
        let value = rest.get(..length).unwrap_or("");
        if let Some(found) = value.find('<') {
            return Err(Fault::new(self.at + found, "< in an attribute value"));
        }
        references(value, self.at)?;
        self.at += length + 1;
        self.attributes.push(Attribute { name, value, at });
        Ok(())
    }

    /// Comments, CDATA sections and the document type.
    fn bang(&mut self) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        if let Some(inside) = rest.strip_prefix("<!--") {
            let Some(end) = inside.find("--") else { return Err(self.fault("a comment without an end")) };
            if !inside.get(end + 2..).is_some_and(|after| after.starts_with('>')) {
                return Err(Fault::new(self.at + 4 + end, "-- in a comment"));
            }
            self.at += 4 + end + 3;
            return Ok(Token::Aside);
        }
        if let Some(inside) = rest.strip_prefix("<![CDATA[") {
            let Some(end) = inside.find("]]>") else { return Err(self.fault("a CDATA section without an end")) };
            self.at += 9 + end + 3;
            return Ok(Token::CData);
        }
        if rest.as_bytes().get(2..9).is_some_and(|word| word.eq_ignore_ascii_case(b"DOCTYPE")) {
            return Ok(Token::Doctype);
        }
        Err(self.fault("markup that is neither comment nor CDATA"))
    }

    /// `<?xml … ?>` at the very beginning, and processing instructions.
    fn instruction(&mut self) -> Result<Token<'a>, Fault> {
        let begin = self.at;
        self.at += 2;
        let target = self.name("a processing instruction without a target")?;
        if target == "xml" && begin == 0 {
            return self.declaration();
        }
        if target.eq_ignore_ascii_case("xml") || target.contains(':') {
            return Err(Fault::new(begin, RESERVED));
        }
        let rest = self.rest();
        let Some(end) = rest.find("?>") else { return Err(Fault::new(begin, "a processing instruction without an end")) };
        if end > 0 && !rest.starts_with(is_space) {
            return Err(self.fault("a processing instruction without space"));
        }
        self.at += end + 2;
        Ok(Token::Aside)
    }

    fn declaration(&mut self) -> Result<Token<'a>, Fault> {
        self.attributes.clear();
        loop {
            let spaced = self.skip_space();
            match self.rest().as_bytes() {
                [b'?', b'>', ..] => {
                    self.at += 2;
                    return Ok(Token::Declaration);
                }
                [] => return Err(self.fault("the text ends inside the XML declaration")),
                _ if !spaced => return Err(self.fault("no space in the XML declaration")),
                _ => self.attribute()?,
            }
        }
    }

    /// A qualified name: one or two names with a colon between.
    fn name(&mut self, missing: &'static str) -> Result<&'a str, Fault> {
        let rest = self.rest();
        if let Some(name) = plain_name(rest) {
            self.at += name.len();
            return Ok(name);
        }
        let mut parts = 0;
        let mut begin = true;
        let mut length = 0;
        for (offset, c) in rest.char_indices() {
            if c == ':' && !begin && parts == 0 {
                parts = 1;
                begin = true;
            } else if is_name_start(c) || (!begin && is_name_inside(c)) {
                begin = false;
            } else {
                break;
            }
            length = offset + c.len_utf8();
        }
        if begin || rest.get(length..).is_some_and(|after| after.starts_with(':')) {
            return Err(self.fault(missing));
        }
        self.at += length;
        Ok(rest.get(..length).unwrap_or(""))
    }

    fn skip_space(&mut self) -> bool {
        let rest = self.rest().as_bytes();
        let length = rest.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\t' | b'\r')).unwrap_or(rest.len());
        self.at += length;
        length > 0
    }
}

/// A qualified name of ASCII alone at the text's beginning, which nearly all are; `None` for the rest, good or bad.
fn plain_name(text: &str) -> Option<&str> {
    let octets = text.as_bytes();
    let part = |from: usize| {
        let rest = octets.get(from..)?;
        let begins = rest.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
        let length = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))).unwrap_or(rest.len());
        begins.then_some(from + length)
    };
    let mut end = part(0)?;
    if octets.get(end) == Some(&b':') {
        end = part(end + 1)?;
    }
    match octets.get(end) {
        Some(b':' | 0x80..) => None,
        _ => text.get(..end),
    }
}

/// XML's white space.
pub const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\n' | '\t' | '\r')
}

/// The characters XML 1.0 lets a document have.
pub const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// Every reference must be one of the five names or a character XML allows: no other entity can exist without a document type.
fn references(text: &str, begin: usize) -> Result<(), Fault> {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('&')) {
        let at = from + found;
        match reference(text.get(at..).unwrap_or("")) {
            Ok((_, length)) => from = at + length,
            Err(rule) => return Err(Fault::new(begin + at, rule)),
        }
    }
    Ok(())
}

/// A value with its references resolved, as whoever compares values must see it.
pub fn resolved(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        // What the scanner let through has no other references.
        let (character, length) = reference(after).unwrap_or(('&', 1));
        text.push(character);
        rest = after.get(length..).unwrap_or("");
    }
    text.push_str(rest);
    Cow::Owned(text)
}

const NO_CHARACTER: &str = "a reference to a character that XML does not allow";

/// The character that the reference at the text's beginning stands for, and how long the reference is.
fn reference(text: &str) -> Result<(char, usize), &'static str> {
    let octets = text.as_bytes();
    let window = octets.get(..REFERENCE_OCTETS).unwrap_or(octets);
    let end = window.iter().position(|b| *b == b';').ok_or("& that begins no reference")?;
    let character = match window.get(1..end).unwrap_or_default() {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => Some(number(digits, 16).ok_or(NO_CHARACTER)?),
        [b'#', digits @ ..] => Some(number(digits, 10).ok_or(NO_CHARACTER)?),
        _ => None,
    };
    character.map(|c| (c, end + 1)).ok_or("a reference to something that is not declared")
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    let all = !digits.is_empty() && digits.iter().all(|d| char::from(*d).is_digit(radix));
    let value = std::str::from_utf8(digits).ok().and_then(|d| u32::from_str_radix(d, radix).ok());
    value.filter(|_| all).and_then(char::from_u32).filter(|c| is_xml_char(*c))
}

const fn is_name_start(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
        | '\u{200C}' | '\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

const fn is_name_inside(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}' | '\u{2040}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Option<(usize, &'static str)> {
        let mut scanner = Scanner::new(text);
        loop {
            match scanner.token() {
                Ok(Some(Token::Doctype)) => return Some((scanner.token_at(), "doctype")),
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(fault) => return Some((fault.at, fault.rule)),
            }
        }
    }

    #[test]
    fn the_grammar() {
        for good in [
            "<a/>",
            "<a>&#0000000000000000000000000000000000000065;</a>",
            "<a b='1' c=\"2\" ></a >",
            "<a:b x:y=''/>",
            "<ä>&amp;&#xE4;&#228;</ä>",
            "<?pi some?><a><!-- - --><![CDATA[ <]] > ]]></a>",
            "<a b='>'/>",
        ] {
            assert_eq!(rule(good), None, "{good}");
        }
        for (bad, at) in [
            ("<a b='1'c='2'/>", 8),
            ("<a b/>", 4),
            ("<a b=1/>", 5),
            ("<a b='<'/>", 6),
            ("<a>]]></a>", 3),
            ("<a>&nbsp;</a>", 3),
            ("<a>&#0;</a>", 3),
            ("<a>&#xFFFE;</a>", 3),
            ("<a>&#X41;</a>", 3),
            ("<a>& </a>", 3),
            ("<a b='&x'/>", 6),
            ("<1a/>", 1),
            ("<a::b/>", 1),
            ("<:a/>", 1),
            ("<a:/>", 1),
            ("<a", 2),
            ("<", 0),
            ("<!-- a -- b --><a/>", 7),
            ("<!-- a", 0),
            ("<a><![CDATA[", 3),
            (" <?xml version='1.0'?><a/>", 1),
            ("<!ELEMENT a>", 0),
            ("<a></a", 6),
            ("<!doctype a><a/>", 0),
            ("<a b='x", 3),
        ] {
            assert_eq!(rule(bad).map(|r| r.0), Some(at), "{bad}: {:?}", rule(bad));
        }
    }

    #[test]
    fn what_a_reference_lacks_is_named() {
        for number in ["&#0;", "&#xD800;", "&#xFFFE;", "&#2;", "&#;", "&#x110000;"] {
            assert_eq!(rule(&format!("<a>{number}</a>")), Some((3, NO_CHARACTER)), "{number}");
        }
        assert_eq!(rule("<a>&nbsp;</a>"), Some((3, "a reference to something that is not declared")));
    }

    #[test]
    fn references_are_resolved() {
        assert_eq!(resolved("a&#x42;c&amp;&#00100;"), "aBc&d");
        assert!(matches!(resolved("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn the_bounds() {
        let many: String = (0..1_000_000).map(|i| format!(" a{i}=''")).collect();
        let mut scanner = Scanner::new("");
        assert_eq!(scanner.token(), Ok(None));
        let text = format!("<a{many}/>");
        assert_eq!(Scanner::new(&text).token().unwrap_err().code, Code::E110);
        let long = format!("<a b='{}'/>", "x".repeat(limits::ATTRIBUTE_OCTETS + 1));
        assert_eq!(Scanner::new(&long).token().unwrap_err().code, Code::E110);
        let fits = format!("<a b='{}'/>", "x".repeat(limits::ATTRIBUTE_OCTETS));
        assert!(Scanner::new(&fits).token().is_ok());
    }
}
