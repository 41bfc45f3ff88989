//! From octets to text, in every encoding that XML allows and both xmllint and Xerces take. UTF-8 is borrowed as it stands; anything else is copied once, with
//! the encoding blanked out of its declaration, so that whoever reads the text next does not decode it again. Lines and columns stay those of the file.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, Encoding as Table};

use super::scan::{Scanner, Token};
use crate::domain::code::Code;
use crate::domain::finding::Finding;

/// The longest declared name shown, in octets.
const NAME_OCTETS: usize = 40;
/// How much of a guess is worth looking at, in octets.
const LOOKED_AT: usize = 64 * 1024;

/// Seven-bit names: an octet above 127 is a fault, whatever a larger table would make of it.
const ASCII: [&str; 10] = ["us-ascii", "ascii", "ansi_x3.4-1968", "ansi_x3.4-1986", "iso646-us", "iso-ir-6", "us", "cp367", "ibm367", "csascii"];
/// Names of wide encodings: what bears one of them cannot have been read as far as its declaration in single octets.
const WIDE: [&str; 7] = ["utf-16", "utf-16le", "utf-16be", "iso-10646-ucs-2", "iso-10646-ucs-4", "utf-32", "ucs-4"];
/// Names that xmllint and Xerces both take and the tables call otherwise.
const ALIASES: [(&str, &str); 9] = [
    ("latin9", "iso-8859-15"),
    ("latin-9", "iso-8859-15"),
    ("iso8859_1", "iso-8859-1"),
    ("iso8859_15", "iso-8859-15"),
    ("cp936", "gbk"),
    ("ms936", "gbk"),
    ("euc_jp", "euc-jp"),
    ("eucjis", "euc-jp"),
    ("utf8", "utf-8"),
];
/// Names that the tables have from the web and neither validator takes.
const UNTAKEN: [&str; 14] = [
    "866",
    "chinese",
    "csiso58gb231280",
    "csiso88596e",
    "csiso88596i",
    "csiso88598e",
    "csiso88598i",
    "dos-874",
    "gb_2312-80",
    "iso-ir-58",
    "koi",
    "logical",
    "visual",
    "x-mac-ukrainian",
];

/// Text, and how it was written.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The text without its mark.
    pub text: Cow<'a, str>,
    /// How it was written.
    pub form: Form,
}

/// How a text was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// UTF-8.
    Utf8 {
        /// Whether a byte-order mark stands before it.
        mark: bool,
    },
    /// UTF-16 or UTF-32.
    Wide,
    /// What its declaration says, and where that stands, in octets of the text.
    Declared(String, usize),
}

/// Octets that are no text.
#[derive(Debug)]
pub struct Undecodable<'a> {
    /// The text before the fault, whose end is the fault's place.
    pub before: Cow<'a, str>,
    /// What is wrong; its place is not known yet.
    pub finding: Finding,
}

impl<'a> Undecodable<'a> {
    fn new(before: impl Into<Cow<'a, str>>, finding: Finding) -> Self {
        Self { before: before.into(), finding }
    }
}

/// Reads octets as text by mark, by the pattern of the first octets, and by declaration (XML 1.0, appendix F).
///
/// # Errors
/// E101 not UTF-8 though nothing else is declared, E107 UTF-32 or UTF-16 without mark and declaration, E109 empty, E112 an encoding nobody knows,
/// E113 a declaration that contradicts the octets, E114 octets that the declared encoding does not have.
pub fn decode(octets: &[u8]) -> Result<Decoded<'_>, Undecodable<'_>> {
    let e107 = || Undecodable::new("", Finding::whole(Code::E107));
    match octets {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] | [b'<', 0, 0, 0, ..] => Err(e107()),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes, "utf-16le", true),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes, "utf-16be", true),
        [b'<', 0, ..] => utf16(octets, u16::from_le_bytes, "utf-16le", false),
        [0, b'<', ..] => utf16(octets, u16::from_be_bytes, "utf-16be", false),
        [0, 0, 0, b'<', ..] => utf32(octets),
        [0xEF, 0xBB, 0xBF, rest @ ..] => narrow(rest, true),
        _ => narrow(octets, false),
    }
}

/// Octets of which one is one character at the beginning: UTF-8, or what the declaration says.
fn narrow(octets: &[u8], mark: bool) -> Result<Decoded<'_>, Undecodable<'_>> {
    if octets.iter().all(u8::is_ascii_whitespace) {
        return Err(Undecodable::new("", Finding::whole(Code::E109)));
    }
    let valid = std::str::from_utf8(octets);
    let begin = match &valid {
        Ok(text) => text,
        Err(error) => octets.get(..error.valid_up_to()).and_then(|o| std::str::from_utf8(o).ok()).unwrap_or(""),
    };
    let declared = Declaration::of(begin);
    let name = declared.as_ref().map_or_else(|| "utf-8".to_owned(), |d| d.name.to_ascii_lowercase());
    if name == "utf-8" {
        return match valid {
            Ok(text) => Ok(Decoded { text: Cow::Borrowed(text), form: Form::Utf8 { mark } }),
            Err(_) => Err(Undecodable::new(begin, Finding::whole(Code::E101).with("guess", guess(octets)))),
        };
    }
    // `name` is of a declaration, so there is one.
    let Some(declared) = declared else { return Err(Undecodable::new("", Finding::whole(Code::E112))) };
    let text = named(&name, octets).map_err(|fault| declared.fault(fault, begin))?;
    let form = Form::Declared(declared.shown(), declared.at);
    Ok(Decoded { text: Cow::Owned(declared.blanked(text)), form })
}

/// Why octets are not of the encoding that is declared.
enum Misfit {
    Unknown,
    Wide,
    Octets(String),
}

/// Octets in an encoding that has a name (in small letters).
fn named(name: &str, octets: &[u8]) -> Result<String, Misfit> {
    if WIDE.contains(&name) {
        return Err(Misfit::Wide);
    }
    if ASCII.contains(&name) {
        return each(octets, |octet| octet.is_ascii().then_some(char::from(octet)));
    }
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    let table = Table::for_label_no_replacement(name.as_bytes()).filter(|_| !UNTAKEN.contains(&name)).ok_or(Misfit::Unknown)?;
    if table == encoding_rs::X_USER_DEFINED || [encoding_rs::UTF_16LE, encoding_rs::UTF_16BE].contains(&table) {
        return Err(Misfit::Unknown);
    }
    if !table.is_single_byte() {
        return whole(table, octets);
    }
    // The tables follow the web, where ISO-8859-1, -9 and -11 mean the windows pages that grew from them: XML means the standards, whose octets 80–9F
    // are control characters; and the windows pages leave some of those octets undefined, which the web's tables fill up.
    let windows = table.name().strip_prefix("windows-");
    let is_windows = windows.is_some_and(|number| name.contains(number));
    let mut characters = ['\u{FFFD}'; 256];
    for (octet, character) in (0..=u8::MAX).zip(&mut characters) {
        let (decoded, _) = table.decode_without_bom_handling(std::slice::from_ref(&octet));
        let found = decoded.chars().next().unwrap_or('\u{FFFD}');
        let is_control = (0x80..=0x9F).contains(&octet);
        *character = match windows {
            Some(_) if is_control && !is_windows => char::from(octet),
            Some(_) if is_control && found == char::from(octet) => '\u{FFFD}',
            _ => found,
        };
    }
    each(octets, |octet| characters.get(usize::from(octet)).copied().filter(|c| *c != '\u{FFFD}'))
}

fn each(octets: &[u8], character: impl Fn(u8) -> Option<char>) -> Result<String, Misfit> {
    let mut text = String::with_capacity(octets.len() + octets.len() / 8);
    for octet in octets {
        match character(*octet) {
            Some(c) => text.push(c),
            None => return Err(Misfit::Octets(text)),
        }
    }
    Ok(text)
}

/// Octets of an encoding with several to a character.
fn whole(table: &'static Table, octets: &[u8]) -> Result<String, Misfit> {
    let mut decoder = table.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(octets.len()).unwrap_or(octets.len());
    let mut text = String::with_capacity(room);
    match decoder.decode_to_string_without_replacement(octets, &mut text, true) {
        (DecoderResult::InputEmpty, _) => Ok(text),
        _ => Err(Misfit::Octets(text)),
    }
}

/// UTF-16 behind its mark, or without one: then it needs a declaration, as both validators ask.
fn utf16<'a>(octets: &[u8], pair: fn([u8; 2]) -> u16, name: &'static str, marked: bool) -> Result<Decoded<'a>, Undecodable<'a>> {
    let mut text = String::with_capacity(octets.len() / 2 + octets.len() / 16);
    let (pairs, odd) = octets.as_chunks::<2>();
    for unit in char::decode_utf16(pairs.iter().map(|p| pair(*p))) {
        match unit {
            Ok(c) => text.push(c),
            Err(_) => return Err(Undecodable::new(text, Finding::whole(Code::E114).with("encoding", "UTF-16"))),
        }
    }
    if !odd.is_empty() {
        return Err(Undecodable::new(text, Finding::whole(Code::E114).with("encoding", "UTF-16")));
    }
    if !marked && !text.starts_with("<?xml") {
        return Err(Undecodable::new("", Finding::whole(Code::E107)));
    }
    wide(text, "UTF-16", &["utf-16", "iso-10646-ucs-2", name])
}

/// UTF-32, big end first and without a mark: the one kind that both validators read.
fn utf32<'a>(octets: &[u8]) -> Result<Decoded<'a>, Undecodable<'a>> {
    let mut text = String::with_capacity(octets.len() / 4 + octets.len() / 32);
    let (quads, odd) = octets.as_chunks::<4>();
    for quad in quads {
        match char::from_u32(u32::from_be_bytes(*quad)) {
            Some(c) => text.push(c),
            None => return Err(Undecodable::new(text, Finding::whole(Code::E114).with("encoding", "UTF-32"))),
        }
    }
    if !odd.is_empty() {
        return Err(Undecodable::new(text, Finding::whole(Code::E114).with("encoding", "UTF-32")));
    }
    wide(text, "UTF-32", &["iso-10646-ucs-4"])
}

fn wide<'a>(text: String, actual: &'static str, names: &[&str]) -> Result<Decoded<'a>, Undecodable<'a>> {
    let text = match Declaration::of(&text) {
        None => text,
        Some(declared) if names.contains(&declared.name.to_ascii_lowercase().as_str()) => declared.blanked(text),
        Some(declared) => {
            let before = text.get(..declared.at).unwrap_or("").to_owned();
            return Err(Undecodable::new(before, Finding::whole(Code::E113).with("declared", declared.shown()).with("actual", actual)));
        }
    };
    Ok(Decoded { text: Cow::Owned(text), form: Form::Wide })
}

/// The encoding a text declares.
struct Declaration {
    name: String,
    at: usize,
}

impl Declaration {
    /// `None` when there is no declaration, none of an encoding, or one that is not well-formed: the walk says so then.
    fn of(text: &str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let Ok(Some(Token::Declaration)) = scanner.token() else { return None };
        let declared = scanner.attributes().iter().find(|a| a.name == "encoding")?;
        is_name(declared.value).then(|| Self { name: declared.value.to_owned(), at: declared.at })
    }

    fn shown(&self) -> String {
        self.name.chars().take(NAME_OCTETS).collect()
    }

    /// The text with spaces in the place of the declaration's `encoding="…"`; every later character keeps its place.
    fn blanked(&self, mut text: String) -> String {
        let end = text.get(self.at..).and_then(|rest| {
            let open = rest.find(['"', '\''])?;
            let quote = rest.get(open..)?.chars().next()?;
            Some(self.at + open + 1 + rest.get(open + 1..)?.find(quote)? + 1)
        });
        if let Some(end) = end {
            text.replace_range(self.at..end, &" ".repeat(end - self.at));
        }
        text
    }

    fn fault<'a>(&self, misfit: Misfit, begin: &'a str) -> Undecodable<'a> {
        let here = || begin.get(..self.at).unwrap_or("");
        match misfit {
            Misfit::Unknown => Undecodable::new(here(), Finding::whole(Code::E112).with("encoding", self.shown())),
            Misfit::Wide => Undecodable::new(here(), Finding::whole(Code::E113).with("declared", self.shown()).with("actual", "UTF-8")),
            Misfit::Octets(before) => Undecodable::new(before, Finding::whole(Code::E114).with("encoding", self.shown())),
        }
    }
}

/// Whether a name of an encoding is one (XML 1.0, production 81).
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// What octets that are not UTF-8 probably are: UTF-16's surrogates put into UTF-8's form one by one; else western single octets, in which Windows' own signs
/// betray Windows.
fn guess(octets: &[u8]) -> &'static str {
    let looked_at = octets.get(..LOOKED_AT).unwrap_or(octets);
    if looked_at.windows(3).any(|w| matches!(w, [0xED, 0xA0..=0xBF, 0x80..=0xBF])) {
        return "CESU-8";
    }
    if looked_at.iter().any(|b| (0x80..=0x9F).contains(b)) { "windows-1252" } else { "ISO-8859-1" }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn declared(name: &str, octets: &[u8]) -> Vec<u8> {
        [format!("<?xml version=\"1.0\" encoding=\"{name}\"?>\n<a>").as_bytes(), octets, b"</a>"].concat()
    }

    fn text(octets: &[u8]) -> String {
        let decoded = decode(octets).unwrap();
        let from = decoded.text.find("<a>").unwrap() + 3;
        decoded.text[from..decoded.text.len() - 4].to_owned()
    }

    #[test]
    fn what_is_not_utf_8_is_guessed() {
        for (octets, guessed) in
            [(b"\xE4iti".as_slice(), "ISO-8859-1"), (b"\xE4iti \x80", "windows-1252"), (b"a\xED\xA0\xBD\xED\xB8\x80", "CESU-8"), (b"\xED\xA0", "ISO-8859-1")]
        {
            assert_eq!(guess(octets), guessed);
        }
    }

    fn code(octets: &[u8]) -> Code {
        decode(octets).unwrap_err().finding.code
    }

    #[test]
    fn names_mean_what_the_standards_say() {
        assert_eq!(text(&declared("ISO-8859-1", b"\xE4\x80\x9F")), "ä\u{80}\u{9F}");
        assert_eq!(text(&declared("windows-1252", b"\xE4\x80\x9F")), "ä€Ÿ");
        assert_eq!(text(&declared("latin9", b"\xA4")), "€");
        assert_eq!(text(&declared("ISO-8859-9", b"\xFD\x80")), "ı\u{80}");
        assert_eq!(text(&declared("windows-1254", b"\xFD\x80")), "ı€");
        assert_eq!(text(&declared("ISO-8859-13", b"\xE4")), "ä");
        assert_eq!(text(&declared("Shift_JIS", b"\x82\xA0")), "あ");
        assert_eq!(text(&declared("utf8", "ä".as_bytes())), "ä");
        for (name, octets) in [("US-ASCII", b"\xE4".as_slice()), ("windows-1252", b"\x81"), ("ISO-8859-7", b"\xD2"), ("Shift_JIS", b"\x82")] {
            assert_eq!(code(&declared(name, octets)), Code::E114, "{name}");
        }
        for name in ["x-foo", "ebcdic", "koi", "iso-2022-kr", "x-user-defined", "UCS-2", "csUnicode"] {
            assert_eq!(code(&declared(name, b"x")), Code::E112, "{name}");
        }
        assert_eq!(code(&declared("UTF-16", b"x")), Code::E113);
        assert_eq!(code(&declared("UTF-8", b"\xE4")), Code::E101);
    }

    #[test]
    fn wide_text() {
        let octets = |name: &str, big: bool, mark: bool| {
            let text = format!("{}<?xml version='1.0' encoding='{name}'?><a>ä😀</a>", if mark { "\u{FEFF}" } else { "" });
            text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect::<Vec<u8>>()
        };
        for (name, big, mark) in
            [("UTF-16", true, true), ("UTF-16", false, true), ("utf-16", false, false), ("UTF-16LE", false, false), ("UTF-16BE", true, true)]
        {
            assert_eq!(text(&octets(name, big, mark)), "ä😀");
        }
        for (name, big) in [("UTF-8", true), ("UTF-16LE", true), ("UTF-16BE", false), ("ISO-8859-1", false)] {
            assert_eq!(code(&octets(name, big, true)), Code::E113, "{name}");
        }
        let mut lone = octets("UTF-16", false, true);
        lone.push(b'x');
        assert_eq!(code(&lone), Code::E114);
        assert_eq!(code(b"<\0a\0/\0>\0"), Code::E107);
        assert!(decode(b"\xFF\xFE<\0a\0/\0>\0").is_ok());
        let quads: Vec<u8> = "<a>ä</a>".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        assert_eq!(text(&quads), "ä");
    }

    #[test]
    fn a_copied_text_keeps_its_places_and_is_not_decoded_twice() {
        let decoded = decode(b"<?xml version=\"1.0\" encoding='ISO-8859-1' standalone=\"yes\"?><a/>").unwrap();
        assert_eq!(decoded.text, format!("<?xml version=\"1.0\" {} standalone=\"yes\"?><a/>", " ".repeat(21)));
        assert_eq!(decoded.form, Form::Declared("ISO-8859-1".to_owned(), 20));
        assert!(matches!(decode(b"\xEF\xBB\xBF<a/>").unwrap(), Decoded { text: Cow::Borrowed("<a/>"), form: Form::Utf8 { mark: true } }));
    }
}
