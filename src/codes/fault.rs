//! What is wrong with a rule file, by file and line; and the one way that rule files are read.

use std::fmt;

use serde::de::DeserializeOwned;

use super::source::Files;

/// A rule file that cannot be used: which one, where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFault {
    /// The file, as a path in the repository.
    pub file: String,
    /// The line, from 1; 0 when the file as a whole is at fault.
    pub line: usize,
    /// What is wrong, in English for operators.
    pub what: String,
}

impl RulesFault {
    /// A fault of a whole file.
    pub fn of(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, what: what.into() }
    }
}

impl fmt::Display for RulesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { write!(f, "{}: {}", self.file, self.what) } else { write!(f, "{}:{}: {}", self.file, self.line, self.what) }
    }
}

impl std::error::Error for RulesFault {}

/// One rule file's text, kept so that a fault found later can still name its line.
pub struct RuleFile<'f> {
    name: &'f str,
    text: &'f str,
}

impl<'f> RuleFile<'f> {
    /// Finds a file.
    ///
    /// # Errors
    /// When it is not there or no UTF-8.
    pub fn open(files: &'f Files, name: &'f str) -> Result<Self, RulesFault> {
        let octets = files.get(name).ok_or_else(|| RulesFault::of(name, "the file is missing"))?;
        let text = std::str::from_utf8(octets).map_err(|_| RulesFault::of(name, "the file is not UTF-8"))?;
        Ok(Self { name, text })
    }

    /// Reads it as TOML into a type.
    ///
    /// # Errors
    /// Names the line of the first thing that does not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, RulesFault> {
        toml::from_str(self.text).map_err(|error| self.fault(error.span().map_or(0, |s| s.start), error.message()))
    }

    /// A fault at an octet of the file.
    pub fn fault(&self, at: usize, what: impl Into<String>) -> RulesFault {
        let line = self.line(at);
        RulesFault { file: self.name.to_owned(), line, what: what.into() }
    }

    /// The line of something that was read with its place, from 1.
    pub fn line_of<T>(&self, at: &toml::Spanned<T>) -> usize {
        self.line(at.span().start)
    }

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
    }

    /// A fault of something that was read with its place.
    pub fn fault_at<T>(&self, at: &toml::Spanned<T>, what: impl Into<String>) -> RulesFault {
        self.fault(at.span().start, what)
    }
}
