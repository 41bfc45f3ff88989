//! The words of the web console's pages (`codes/console.toml` and a file a page under `codes/console/`), in three languages.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::language::Language;

const FILE: &str = "codes/console.toml";
const FOLDER: &str = "codes/console/";

/// Words by their keys.
#[derive(Debug)]
pub struct ConsoleWords(HashMap<String, [String; 3]>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    word: HashMap<String, RawWord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWord {
    fi: Spanned<String>,
    sv: Spanned<String>,
    en: Spanned<String>,
}

impl ConsoleWords {
    /// Reads the files; no word is empty, and none is said twice.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let mut words = HashMap::new();
        let pages = files.keys().map(String::as_str).filter(|name| name.starts_with(FOLDER));
        for name in std::iter::once(FILE).chain(pages) {
            let file = RuleFile::open(files, name)?;
            let raw: RawFile = file.read()?;
            for (key, word) in raw.word {
                if let Some(empty) = [&word.fi, &word.sv, &word.en].into_iter().find(|word| word.get_ref().trim().is_empty()) {
                    return Err(file.fault_at(empty, "an empty word"));
                }
                if words.contains_key(&key) {
                    return Err(file.fault_at(&word.fi, format!("the word {key} is said in another file too")));
                }
                words.insert(key, [word.fi, word.sv, word.en].map(Spanned::into_inner));
            }
        }
        Ok(Self(words))
    }

    /// A word; the key itself where there is none, which a test keeps from happening.
    #[must_use]
    pub fn get<'a>(&'a self, key: &'a str, language: Language) -> &'a str {
        let Some([fi, sv, en]) = self.0.get(key) else { return key };
        match language {
            Language::Fi => fi,
            Language::Sv => sv,
            Language::En => en,
        }
    }

    /// Whether there is such a word.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    /// What stands in quotation marks behind each of these beginnings, in the pages' own sources.
    fn quoted_after(folder: &std::path::Path, begins: &[&str], found: &mut Vec<(String, std::path::PathBuf)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                quoted_after(&path, begins, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for begin in begins {
                let keys = text.split(begin).skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(keys.map(|key| (key.to_owned(), path.clone())));
            }
        }
    }

    #[test]
    fn every_word_that_a_page_names_is_there() {
        let words = ConsoleWords::load(&embedded()).unwrap();
        let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/console");
        let mut named = Vec::new();
        quoted_after(&pages, &[" word(\"", "(word(\"", ".word(\"", "words.get(\""], &mut named);
        assert!(named.len() > 200, "{}", named.len());
        // The rules' own words stand in another table.
        let missing: Vec<_> = named.iter().filter(|(key, _)| !words.has(key) && !key.starts_with("lilm-")).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn three_languages_and_a_fault_names_its_line() {
        let words = ConsoleWords::load(&embedded()).unwrap();
        assert_eq!(Language::ALL.map(|l| words.get("part-client", l)), ["Asiakas", "Klient", "Client"]);
        assert!(words.has("title") && !words.has("none of ours"));
        let mut files = embedded();
        let text = String::from_utf8(files[FILE].clone()).unwrap();
        files.insert(FILE.to_owned(), text.replacen("fi = \"Asiakas\"", "fi = \" \"", 1).into_bytes());
        let fault = ConsoleWords::load(&files).unwrap_err();
        assert!(fault.file == FILE && fault.line > 1, "{fault}");
    }
}
