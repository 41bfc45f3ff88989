//! The sentences with which a signature is explained (`codes/explanations.toml`), in three languages.

use std::collections::HashMap;

use serde::Deserialize;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::language::Language;

const FILE: &str = "codes/explanations.toml";

/// Sentences by key.
#[derive(Debug)]
pub struct Explanations(HashMap<String, Row>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    fi: String,
    sv: String,
    en: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    say: HashMap<String, Row>,
}

impl Explanations {
    /// Reads the sentences.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let raw: Raw = RuleFile::open(files, FILE)?.read()?;
        match raw.say.iter().find(|(_, row)| [&row.fi, &row.sv, &row.en].iter().any(|text| text.trim().is_empty())) {
            Some((key, _)) => Err(RulesFault::of(FILE, format!("{key} lacks a language"))),
            None => Ok(Self(raw.say)),
        }
    }

    /// The sentence of this key with its words filled in; the key itself where there is none.
    #[must_use]
    pub fn say(&self, key: &str, words: &[(&'static str, String)], language: Language) -> String {
        let Some(row) = self.0.get(key) else { return key.to_owned() };
        let sentence = match language {
            Language::Fi => &row.fi,
            Language::Sv => &row.sv,
            Language::En => &row.en,
        };
        // One pass over the sentence: a word that holds braces itself is not filled in again.
        let mut out = String::with_capacity(sentence.len());
        let mut rest = sentence.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            out.push_str(before);
            out.push_str(words.iter().find(|(n, _)| *n == name).map_or("–", |(_, value)| value.as_str()));
            rest = after;
        }
        out.push_str(rest);
        out
    }
}
