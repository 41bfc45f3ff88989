//! The answer that a message must get: `NAME.expected` beside `NAME.xml`, a few lines that people write and read.
//!
//! The first line is `AA`, `AE`, `AR` or `none` (no answer is owed); then a line a finding, `CODE` or `CODE path`, in the answer's order; a last line `*`
//! lets more follow. `#` begins a remark. Ids, times, sentences and ledger positions are not in it: they differ from run to run and language to language.

use crate::domain::ack::AckType;
use crate::domain::code::Code;
use crate::v3::ack::AckRead;

/// The largest file of an expected answer, in octets, and the most lines compared: an answer names at most a few hundred findings.
pub const OCTETS: u64 = 64 * 1024;
const LINES: usize = 600;

/// What must be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever is answered is right.
    Anything,
    /// AA, whatever the remarks.
    Accepted,
    /// AE or AR, whatever the findings.
    Refused,
    /// The first finding has this code.
    Code(String),
    /// No answer is owed.
    Silence,
    /// These lines; `open`: and perhaps more.
    Lines {
        /// The answer's type, then its findings.
        lines: Vec<String>,
        /// Whether more findings may follow.
        open: bool,
    },
}

impl Wanted {
    /// An answer of this type, this code first if there is one; `open`: and perhaps more.
    #[must_use]
    pub fn of(ack: AckType, code: Option<Code>, open: bool) -> Self {
        let lines = [Some(ack.as_str()), code.map(Code::as_str)].into_iter().flatten().map(str::to_owned).collect();
        Self::Lines { lines, open }
    }

    /// What came, as it is to come again.
    #[must_use]
    pub fn recorded(came: Option<&AckRead>) -> Self {
        came.map_or(Self::Silence, |ack| Self::Lines { lines: lines_of(ack), open: false })
    }

    /// Reads `accepted`, `refused`, `none`, `any` or a code.
    #[must_use]
    pub fn word(word: &str) -> Option<Self> {
        match word {
            "accepted" => Some(Self::Accepted),
            "refused" => Some(Self::Refused),
            "none" => Some(Self::Silence),
            "any" => Some(Self::Anything),
            code => Code::parse(&code.to_ascii_uppercase()).map(|code| Self::Code(code.as_str().to_owned())),
        }
    }

    /// What a sample's name promises: `E305-…` its code, `W902-…` AA with that warning first.
    #[must_use]
    pub fn promised(name: &str) -> Option<Self> {
        let (code, _) = name.split_once(['-', '.'])?;
        Code::parse(code).map(|code| Self::of(code.ack_type(), Some(code), true))
    }

    /// Reads a file of an expected answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut lines: Vec<String> =
            text.lines().map(|l| l.split('#').next().unwrap_or("").trim().to_owned()).filter(|l| !l.is_empty()).take(LINES + 1).collect();
        if lines.len() > LINES {
            return Err(format!("more than {LINES} lines"));
        }
        let open = lines.last().is_some_and(|l| l == "*");
        if open {
            lines.pop();
        }
        match lines.first().map(String::as_str) {
            Some("none") if lines.len() == 1 && !open => Ok(Self::Silence),
            Some("any") if lines.len() == 1 => Ok(Self::Anything),
            Some(first) if AckType::parse(first).is_some() => match lines.iter().skip(1).find(|l| Code::parse(l.split(' ').next().unwrap_or("")).is_none()) {
                None => Ok(Self::Lines { lines, open }),
                Some(line) => Err(format!("{line:?} is not a code of arkki codes")),
            },
            _ => Err("its first line is not AA, AE, AR, none or any".to_owned()),
        }
    }

    /// As a file; what [`Self::read`] reads.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Anything => "any\n".to_owned(),
            Self::Silence => "none\n".to_owned(),
            Self::Accepted => "AA\n*\n".to_owned(),
            Self::Refused => "AE\n*\n".to_owned(),
            Self::Code(code) => Code::parse(code).map_or_else(String::new, |code| Self::of(code.ack_type(), Some(code), true).written()),
            Self::Lines { lines, open } => lines.iter().map(|l| format!("{l}\n")).chain(open.then(|| "*\n".to_owned())).collect(),
        }
    }

    /// Where what came is not what is wanted: lines to show, each with ` `, `-` (wanted, did not come) or `+` (came, not wanted). Empty when all is well.
    #[must_use]
    pub fn difference(&self, came: Option<&AckRead>) -> Vec<(char, String)> {
        let lines = came.map(lines_of).unwrap_or_default();
        let first = lines.first().map(String::as_str);
        let well = match (self, first) {
            (Self::Anything, Some(_)) | (Self::Silence, None) => true,
            (Self::Accepted, Some(first)) => first == AckType::Accept.as_str(),
            (Self::Refused, Some(first)) => first != AckType::Accept.as_str(),
            (Self::Code(code), Some(_)) => lines.get(1).is_some_and(|line| fits(code, line)),
            (Self::Lines { .. } | Self::Silence, Some(_)) | (_, None) => false,
        };
        if well {
            return Vec::new();
        }
        let (wanted, open) = match self {
            Self::Lines { lines, open } => (lines.clone(), *open),
            Self::Silence => (vec!["none".to_owned()], false),
            Self::Anything => (vec!["any answer".to_owned()], false),
            Self::Accepted => (vec!["AA".to_owned()], true),
            Self::Refused => (vec!["AE or AR".to_owned()], true),
            Self::Code(code) => (vec![code.clone()], true),
        };
        let lines = if lines.is_empty() { vec!["no answer".to_owned()] } else { lines };
        let diff = compared(&wanted, &lines);
        // What follows the last wanted line may follow where the end is open.
        let last = diff.iter().rposition(|(mark, _)| *mark != '+').map_or(0, |at| at + 1);
        let counts = |at: usize, mark: char| mark == '-' || (mark == '+' && !(open && at >= last));
        let is_other = diff.iter().enumerate().any(|(at, (mark, _))| counts(at, *mark));
        if is_other { diff } else { Vec::new() }
    }
}

/// An answer's lines: its type, then each finding's code and path.
#[must_use]
pub fn lines_of(ack: &AckRead) -> Vec<String> {
    let findings = ack.details.iter().map(|d| d.location.as_ref().filter(|l| !l.is_empty()).map_or_else(|| d.code.clone(), |l| format!("{} {l}", d.code)));
    std::iter::once(ack.ack_type.as_str().to_owned()).chain(findings).take(LINES).collect()
}

/// A wanted line fits one that came: the same, or a code alone, whatever the path.
fn fits(wanted: &str, came: &str) -> bool {
    wanted == came || (!wanted.contains(' ') && came.split(' ').next() == Some(wanted))
}

/// The longest common run of lines kept, the others marked.
fn compared(wanted: &[String], came: &[String]) -> Vec<(char, String)> {
    let width = came.len() + 1;
    let mut common = vec![0_u16; (wanted.len() + 1) * width];
    let get = |common: &[u16], w: usize, c: usize| common.get(w * width + c).copied().unwrap_or(0);
    for (w, want) in wanted.iter().enumerate().rev() {
        for (c, line) in came.iter().enumerate().rev() {
            let best = if fits(want, line) { get(&common, w + 1, c + 1) + 1 } else { get(&common, w + 1, c).max(get(&common, w, c + 1)) };
            if let Some(cell) = common.get_mut(w * width + c) {
                *cell = best;
            }
        }
    }
    let (mut w, mut c) = (0, 0);
    let mut out = Vec::new();
    // Each turn takes one line from one side or both.
    loop {
        match (wanted.get(w), came.get(c)) {
            (Some(want), Some(line)) if fits(want, line) => {
                out.push((' ', line.clone()));
                (w, c) = (w + 1, c + 1);
            }
            (Some(want), line) if line.is_none() || get(&common, w + 1, c) >= get(&common, w, c + 1) => {
                out.push(('-', want.clone()));
                w += 1;
            }
            (_, Some(line)) => {
                out.push(('+', line.clone()));
                c += 1;
            }
            (_, None) => return out,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::ack::Target;
    use crate::v3::ack::AckDetail;

    fn ack(ack_type: AckType, findings: &[(&str, Option<&str>)]) -> AckRead {
        let detail = |(code, path): &(&str, Option<&str>)| AckDetail {
            kind: "E".to_owned(),
            code: (*code).to_owned(),
            system: String::new(),
            translations: Vec::new(),
            text: "words".to_owned(),
            location: path.map(str::to_owned),
        };
        AckRead { ack_type, id: None, target: Target::Unknown(None), details: findings.iter().map(detail).collect(), position: None, rules: None }
    }

    fn marks(wanted: &str, came: Option<&AckRead>) -> String {
        Wanted::read(wanted).unwrap().difference(came).iter().map(|(mark, line)| format!("{mark}{line};")).collect()
    }

    #[test]
    fn an_answer_is_held_to_its_lines() {
        let two = ack(AckType::Error, &[("E305", Some("/a/b")), ("E301", None)]);
        assert_eq!(marks("AE\nE305 /a/b\nE301\n", Some(&two)), "");
        assert_eq!(marks("# why\nAE\nE305 # anywhere\nE301\n", Some(&two)), "");
        assert_eq!(marks("AE\nE305\n*\n", Some(&two)), "");
        assert_eq!(marks("AE\nE305\n", Some(&two)), " AE; E305 /a/b;+E301;");
        assert_eq!(marks("AE\nE305 /a/c\nE301", Some(&two)), " AE;-E305 /a/c;+E305 /a/b; E301;");
        assert_eq!(marks("AE\nE301\n*", Some(&two)), " AE;+E305 /a/b; E301;");
        assert_eq!(marks("AA\n", Some(&two)), "-AA;+AE;+E305 /a/b;+E301;");
        assert_eq!(marks("AA\n*", None), "-AA;+no answer;");
        assert_eq!(marks("none", None), "");
        assert_eq!(marks("none", Some(&ack(AckType::Accept, &[]))), "-none;+AA;");
        assert_eq!(marks("any", Some(&two)), "");
    }

    #[test]
    fn words_and_names_promise() {
        let refused = ack(AckType::Error, &[("E305", Some("/a"))]);
        for (word, well) in [("accepted", false), ("refused", true), ("e305", true), ("E301", false), ("any", true), ("none", false)] {
            assert_eq!(Wanted::word(word).unwrap().difference(Some(&refused)).is_empty(), well, "{word}");
        }
        assert_eq!(Wanted::word("E000"), None);
        assert_eq!(Wanted::promised("E305-hetu.xml"), Some(Wanted::of(AckType::Error, Some(Code::E305), true)));
        assert_eq!(Wanted::promised("01-case.xml"), None);
    }

    #[test]
    fn what_is_written_reads_back_and_nonsense_is_named() {
        for wanted in [Wanted::of(AckType::Error, Some(Code::E305), true), Wanted::of(AckType::Accept, None, false), Wanted::Silence, Wanted::Anything] {
            assert_eq!(Wanted::read(&wanted.written()), Ok(wanted));
        }
        let came = ack(AckType::Accept, &[("W902", Some("/x"))]);
        assert!(Wanted::read(&Wanted::recorded(Some(&came)).written()).unwrap().difference(Some(&came)).is_empty());
        for nonsense in ["", "AB\n", "AE\nE9\n", "none\nE305\n"] {
            assert!(Wanted::read(nonsense).is_err(), "{nonsense:?}");
        }
        assert!(Wanted::read(&"AE\n".repeat(1000)).is_err());
    }
}
