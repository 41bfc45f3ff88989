//! One thing that was found in a message: which rule, where, and what would mend it. The sentence itself is data
//! (`codes/refusals.toml`, in fi, sv and en); a finding carries the code and the words that go into the sentence.

use std::borrow::Cow;

use super::code::Code;

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
