//! One metadata element, as `templates/shared.toml` describes it.

use super::path::Path;
use super::values::Kind;
use crate::codes::system::System;
use crate::domain::code::Code;
use crate::domain::language::Language;

/// A metadata element.
#[derive(Debug, Clone)]
pub struct Field {
    pub(crate) key: String,
    pub(crate) names: [String; 3],
    pub(crate) path: Path,
    pub(crate) kind: Kind,
    pub(crate) system: Option<System>,
    pub(crate) only: Vec<String>,
    pub(crate) repeats: bool,
    pub(crate) source: String,
    pub(crate) good: Option<String>,
    pub(crate) bad: Option<(String, Code)>,
    pub(crate) with: Vec<String>,
    /// The path as the file writes it.
    pub(crate) written: String,
}

impl Field {
    /// Its key: `documentGroup`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its name in a language.
    #[must_use]
    pub fn name(&self, language: Language) -> &str {
        let [fi, sv, en] = &self.names;
        match language {
            Language::Fi => fi,
            Language::Sv => sv,
            Language::En => en,
        }
    }

    /// Where the rule comes from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it stands, from `ClinicalDocument`; of an element of the JSON, from its root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.written
    }

    /// The kind of its value: `time`, `code`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind.as_str()
    }

    /// Whether it stands in the JSON, where the body's own rules hold it.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.kind == Kind::Json
    }

    /// Its code system.
    #[must_use]
    pub const fn system(&self) -> Option<&System> {
        self.system.as_ref()
    }

    /// The codes allowed here, where they are fewer than the code system's.
    #[must_use]
    pub fn only(&self) -> &[String] {
        &self.only
    }

    /// Whether it may stand several times.
    #[must_use]
    pub const fn repeats(&self) -> bool {
        self.repeats
    }

    /// A value that is taken.
    #[must_use]
    pub fn good(&self) -> Option<&str> {
        self.good.as_deref()
    }

    /// The elements that must stand beside it.
    #[must_use]
    pub fn with(&self) -> &[String] {
        &self.with
    }

    /// A value that is not, and the code it earns.
    #[must_use]
    pub fn bad(&self) -> Option<(&str, Code)> {
        self.bad.as_ref().map(|(value, code)| (value.as_str(), *code))
    }
}
