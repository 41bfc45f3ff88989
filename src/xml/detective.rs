//! What probably happened to a text on its way here, said so that its sender knows where to look: a second declaration, the remains of a MIME message,
//! zero octets, letters that were encoded twice, line ends of an old kind. Looks only where a fault or a mark has been found already.

use super::scan::{self, Fault};
use crate::domain::code::Code;
use crate::domain::finding::Finding;

/// How much text beside the XML is looked at for a MIME message's lines, in octets.
const LOOKED_AT: usize = 8 * 1024;
/// The most letters counted: after so many the number tells nothing more.
const COUNTED: usize = 10_000;
/// Headers of MIME parts that were seen beside documents.
const MIME_HEADERS: [&str; 5] = ["mime-version:", "content-type:", "content-transfer-encoding:", "content-id:", "content-disposition:"];

/// Signs of trouble that the walk's one look at all octets gives for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// Octet 83: the second of `Ã` in UTF-8.
    pub eighty_three: bool,
    /// Octet EF: the first of U+FFFD, of U+FEFF and of what XML forbids above them.
    pub high: bool,
    /// A carriage return.
    pub carriage_return: bool,
}

/// What a fault of the grammar really is, and the word that says more.
pub fn refine(text: &str, fault: &Fault) -> (Code, &'static str) {
    let before = text.get(..fault.at).unwrap_or("");
    let after = text.get(fault.at..).unwrap_or("");
    match fault.rule {
        scan::BESIDE_ROOT if !before.contains('<') && is_mime(after) => (Code::E116, "mime-before"),
        scan::BESIDE_ROOT if before.contains('<') && is_mime(after) => (Code::E116, "mime-after"),
        scan::RESERVED if after.starts_with("<?xml") && after.get(5..).is_some_and(|rest| rest.starts_with(scan::is_space)) => {
            let rule = match before.trim_matches(scan::is_space) {
                "" => "space-before",
                markup if markup.starts_with("<?xml") || is_inside(before) => "declaration-inside",
                _ => "something-before",
            };
            (Code::E117, rule)
        }
        rule => (fault.code, rule),
    }
}

/// Whether an element has begun before: a tag, not a comment or an instruction.
fn is_inside(before: &str) -> bool {
    before.match_indices('<').any(|(at, _)| before.get(at + 1..).is_some_and(|rest| !rest.starts_with(['!', '?'])))
}

/// A boundary line or a header of a MIME part.
fn is_mime(text: &str) -> bool {
    let mut end = text.len().min(LOOKED_AT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("").lines().any(|line| {
        let line = line.trim();
        let boundary = line.strip_prefix("--").is_some_and(|rest| !rest.is_empty() && !rest.contains(['<', '>']));
        boundary || line.split_once(':').is_some_and(|(name, _)| MIME_HEADERS.iter().any(|h| h.trim_end_matches(':').eq_ignore_ascii_case(name)))
    })
}

/// What zero octets from `at` on most likely are.
pub fn zeros(text: &str, at: usize) -> &'static str {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let count = rest.iter().filter(|b| **b == 0).count();
    if rest.iter().all(|b| *b == 0 || b.is_ascii_whitespace()) {
        "nul-padding"
    } else if count * 4 > rest.len() {
        "nul-wide"
    } else {
        "nul-inside"
    }
}

/// Warnings about a text that is well-formed and probably not what its writer meant, with their offsets: W910–W912.
pub fn oddities(text: &str, marks: Marks) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    if marks.eighty_three {
        let mut doubles = text.match_indices('Ã').filter_map(|(at, _)| text.get(at + 2..)?.chars().next().and_then(meant).map(|letter| (at, letter)));
        if let Some((at, (second, letter))) = doubles.next() {
            let count = 1 + doubles.take(COUNTED).count();
            let finding = Finding::whole(Code::W910).with("seen", format!("Ã{second}")).with("meant", letter.to_string());
            found.push((at, finding.with("count", count.to_string())));
        }
    }
    if marks.high
        && let Some(at) = text.find('\u{FFFD}')
    {
        let count = text.matches('\u{FFFD}').take(COUNTED).count();
        found.push((at, Finding::whole(Code::W911).with("count", count.to_string())));
    }
    if marks.carriage_return {
        let octets = text.as_bytes();
        let mut alone = text.match_indices('\r').filter(|(at, _)| octets.get(at + 1) != Some(&b'\n'));
        if let Some((at, _)) = alone.next() {
            found.push((at, Finding::whole(Code::W912).with("count", (1 + alone.take(COUNTED).count()).to_string())));
        }
    }
    found
}

/// The letter whose UTF-8 octets, read as Windows-1252 or ISO-8859-1, give `Ã` and this one; and how this one is shown.
const fn meant(second: char) -> Option<(char, char)> {
    match second {
        '¤' => Some(('¤', 'ä')),
        '¶' => Some(('¶', 'ö')),
        '¥' => Some(('¥', 'å')),
        '„' | '\u{84}' => Some(('„', 'Ä')),
        '–' | '\u{96}' => Some(('–', 'Ö')),
        '…' | '\u{85}' => Some(('…', 'Å')),
        '©' => Some(('©', 'é')),
        '¼' => Some(('¼', 'ü')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mime_is_told_from_text() {
        for text in ["--=_part_1\n", "Content-Type: text/xml\r\n", "\nMIME-Version: 1.0", "x\n--b--"] {
            assert!(is_mime(text), "{text}");
        }
        for text in ["", "hello", "--", "-->", "--<a>", "{\"a\": 1}"] {
            assert!(!is_mime(text), "{text}");
        }
    }

    #[test]
    fn oddities_are_counted_and_never_quote() {
        let all = Marks { eighty_three: true, high: true, carriage_return: true };
        let told = |text: &str| oddities(text, all).into_iter().map(|(at, f)| (at, f.code, f.args)).collect::<Vec<_>>();
        assert_eq!(told("aÃ¤ bÃ„ Ãx"), [(1, Code::W910, vec![("seen", "Ã¤".to_owned()), ("meant", "ä".to_owned()), ("count", "2".to_owned())])]);
        assert_eq!(told("a\r\nb\rc\r"), [(4, Code::W912, vec![("count", "2".to_owned())])]);
        assert_eq!(told("a\u{FFFD}"), [(1, Code::W911, vec![("count", "1".to_owned())])]);
        assert!(told("ä Ã ã, såväl\r\n").is_empty());
    }

    #[test]
    fn zeros_are_told_apart() {
        assert_eq!(zeros("<a/>\0\0\n", 4), "nul-padding");
        assert_eq!(zeros(" \0<\0a\0/\0>\0", 1), "nul-wide");
        assert_eq!(zeros("<a>\0some text that goes on</a>", 3), "nul-inside");
    }
}
