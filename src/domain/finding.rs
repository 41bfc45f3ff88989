//! One thing that was found in a message: which rule, where, and what would mend it. The sentence itself is data
//! (`codes/refusals.toml`, in fi, sv and en); a finding carries the code and the words that go into the sentence.

use std::borrow::Cow;

use super::code::Code;
use super::limits::FINDINGS;

/// How heavy a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The message is refused.
    Error,
    /// The message is taken; the sender is told.
    Warning,
}

impl Severity {
    /// `error` or `warning`, as in JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Where in the message: lines and columns begin at 1, columns count characters, the path names elements with positions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
    /// `/ClinicalDocument/author[2]/time/@value`; `/` where no element is open.
    pub path: String,
}

impl Place {
    /// Line 1, column 1, path `/`: the message as a whole.
    #[must_use]
    pub fn whole() -> Self {
        Self { line: 1, column: 1, path: "/".to_owned() }
    }
}

/// One finding. Its words (`args`) never hold an identity code, a name or element text: only names of elements, codes, OIDs of code systems, numbers and rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// Which rule, as the closed table names it.
    pub code: Code,
    /// Where.
    pub place: Place,
    /// Named words for the sentence: `("element", "hl7fi:documentGroup")`.
    pub args: Vec<(&'static str, String)>,
    /// The rule it breaks, by its id in `codes/rules`; where none is named, `codes::rules` finds it by code and words.
    pub rule: Option<Cow<'static, str>>,
}

impl Finding {
    /// A finding with no words.
    #[must_use]
    pub const fn new(code: Code, place: Place) -> Self {
        Self { code, place, args: Vec::new(), rule: None }
    }

    /// A finding about the message as a whole.
    #[must_use]
    pub fn whole(code: Code) -> Self {
        Self::new(code, Place::whole())
    }

    /// Adds a word for the sentence.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.args.push((name, value.into()));
        self
    }

    /// Names the rule it breaks.
    #[must_use]
    pub fn under(mut self, rule: impl Into<Cow<'static, str>>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// The value of a word.
    #[must_use]
    pub fn arg(&self, name: &str) -> Option<&str> {
        self.args.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// Whether it refuses the message.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(self.code.severity(), Severity::Error)
    }
}

/// Whether a finding with this code is still told beside these: an error unless [`FINDINGS`] errors are, a warning unless [`FINDINGS`] findings are.
/// Warnings without number never keep an error from being told: the verdict hangs on it.
pub fn has_room(told: impl ExactSizeIterator<Item = Code>, code: Code) -> bool {
    let is_error = |code: Code| code.severity() == Severity::Error;
    told.len() < FINDINGS || (is_error(code) && told.filter(|told| is_error(*told)).count() < FINDINGS)
}

/// The first [`FINDINGS`] of these, in their order; where some must go, warnings go before errors.
pub fn bound(findings: &mut Vec<Finding>) {
    if findings.len() > FINDINGS {
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        let mut room = FINDINGS.saturating_sub(errors);
        findings.retain(|finding| {
            let stays = finding.is_error() || room > 0;
            room = room.saturating_sub(usize::from(!finding.is_error()));
            stays
        });
        findings.truncate(FINDINGS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_without_number_hide_no_error() {
        let mut findings: Vec<Finding> = (0..3 * FINDINGS).map(|_| Finding::whole(Code::W903)).collect();
        findings.push(Finding::whole(Code::E305));
        findings.insert(7, Finding::whole(Code::E301));
        bound(&mut findings);
        let errors: Vec<(usize, Code)> = findings.iter().enumerate().filter(|(_, f)| f.is_error()).map(|(at, f)| (at, f.code)).collect();
        assert_eq!((findings.len(), errors), (FINDINGS, vec![(7, Code::E301), (FINDINGS - 1, Code::E305)]));
        let codes = |findings: &[Finding]| findings.iter().map(|f| f.code).collect::<Vec<_>>();
        let told = codes(&findings);
        assert!(has_room(told.iter().copied(), Code::E305) && !has_room(told.iter().copied(), Code::W903));
        let errors = [Code::E301; FINDINGS];
        assert!(!has_room(errors.iter().copied(), Code::E305));
        assert!(has_room(errors[1..].iter().copied(), Code::W903));
    }
}
