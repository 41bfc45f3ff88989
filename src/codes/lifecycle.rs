//! Reasons of invalidations and reinstatements (`codes/lifecycle.toml`).

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::language::Language;
use crate::domain::oid::Oid;

const FILE: &str = "codes/lifecycle.toml";

/// The reasons.
#[derive(Debug)]
pub struct Lifecycle {
    system: String,
    text_characters: usize,
    reasons: Vec<RawReason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    system: Spanned<String>,
    text_characters: Spanned<usize>,
    #[serde(default)]
    reason: Vec<RawReason>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReason {
    code: Spanned<String>,
    fi: String,
    sv: String,
    en: String,
}

impl Lifecycle {
    /// Reads the table.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        if Oid::parse(raw.system.get_ref()).is_err() {
            return Err(file.fault_at(&raw.system, "not an OID"));
        }
        if !(1..=100_000).contains(raw.text_characters.get_ref()) {
            return Err(file.fault_at(&raw.text_characters, "from 1 to 100000"));
        }
        for (at, reason) in raw.reason.iter().enumerate() {
            let code = reason.code.get_ref();
            let is_code = (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !is_code || raw.reason.iter().take(at).any(|r| r.code.get_ref() == code) {
                return Err(file.fault_at(&reason.code, "no code (letters, digits, hyphens; at most 64), or it stands twice"));
            }
        }
        Ok(Self { system: raw.system.into_inner(), text_characters: raw.text_characters.into_inner(), reasons: raw.reason })
    }

    /// The code system of reasons.
    #[must_use]
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The longest free reason, in characters.
    #[must_use]
    pub const fn text_characters(&self) -> usize {
        self.text_characters
    }

    /// The codes of the list.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().map(|reason| reason.code.get_ref().as_str())
    }

    /// What a code says; `None` for one that is not in the list.
    #[must_use]
    pub fn reason(&self, code: &str, language: Language) -> Option<&str> {
        let reason = self.reasons.iter().find(|r| r.code.get_ref() == code)?;
        Some(match language {
            Language::Fi => &reason.fi,
            Language::Sv => &reason.sv,
            Language::En => &reason.en,
        })
    }
}
