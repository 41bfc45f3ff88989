//! The sentences of `codes/refusals.toml`: what a finding says to people in Finnish, Swedish and English, and what mends it.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::rules::Rules;
use super::source::Files;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::language::Language;

const REFUSALS: &str = "codes/refusals.toml";
const WORDS: &str = "codes/words.toml";
const FIELDS: &str = "templates/shared.toml";

/// The args whose values are keys of words, translated when shown, and what begins their keys in the table; every other arg is shown as it is.
const TRANSLATED: [(&str, &str); 4] = [("field", ""), ("rule", ""), ("reason", "reason-"), ("says", "says ")];

/// Every code's sentences, checked at load: each code has its row, no sentence is empty, each word in braces closes.
#[derive(Debug)]
pub struct Catalogue {
    rows: Vec<Row>,
    words: HashMap<String, [String; 3]>,
}

#[derive(Debug)]
struct Row {
    text: [Sentence; 3],
    mend: [Sentence; 3],
    source: String,
    http: u16,
    log: String,
}

impl Catalogue {
    /// Reads and checks the table, the words and the names of metadata elements.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, REFUSALS)?;
        let table: RawTable = file.read()?;
        let mut rows = Vec::with_capacity(Code::ALL.len());
        for (at, raw) in table.code.iter().enumerate() {
            let code = Code::parse(raw.id.get_ref()).ok_or_else(|| file.fault_at(&raw.id, "this Arkki was built without this code"))?;
            if Code::ALL.get(at) != Some(&code) || raw.differs_from(code) {
                return Err(file.fault_at(&raw.id, "the row differs from the table this Arkki was built with: only sentences may change"));
            }
            rows.push(raw.row().map_err(|what| file.fault_at(&raw.id, what))?);
        }
        if rows.len() != Code::ALL.len() {
            return Err(RulesFault::of(REFUSALS, "a code has no row"));
        }
        Ok(Self { rows, words: words(files)? })
    }

    /// The sentence of a finding.
    #[must_use]
    pub fn text(&self, finding: &Finding, language: Language) -> String {
        self.row(finding.code).map_or_else(String::new, |row| self.render(pick(&row.text, language), finding, language))
    }

    /// What mends it.
    #[must_use]
    pub fn mend(&self, finding: &Finding, language: Language) -> String {
        self.row(finding.code).map_or_else(String::new, |row| self.render(pick(&row.mend, language), finding, language))
    }

    /// Where the rule comes from ("documents §6").
    #[must_use]
    pub fn source(&self, code: Code) -> &str {
        self.row(code).map_or("", |row| &row.source)
    }

    /// The HTTP status of a refusal.
    #[must_use]
    pub fn http(&self, code: Code) -> u16 {
        self.row(code).map_or(500, |row| row.http)
    }

    /// The log level: `info`, `warn` or `error`.
    #[must_use]
    pub fn log(&self, code: Code) -> &str {
        self.row(code).map_or("error", |row| &row.log)
    }

    /// A word in a language; the key itself where there is no such word.
    #[must_use]
    pub fn word<'a>(&'a self, key: &'a str, language: Language) -> &'a str {
        self.words.get(key).map_or(key, |names| pick(names, language).as_str())
    }

    fn row(&self, code: Code) -> Option<&Row> {
        self.rows.get(code as usize)
    }

    fn render(&self, sentence: &Sentence, finding: &Finding, language: Language) -> String {
        let mut out = String::new();
        let word = |name: &str| {
            let value = finding.args.iter().find(|(n, v)| *n == name && !v.is_empty()).map(|(_, v)| v.as_str())?;
            Some(match TRANSLATED.iter().find(|(n, _)| *n == name) {
                None => value,
                Some((_, "")) => self.word(value, language),
                Some((_, begin)) => self.words.get(&format!("{begin}{value}")).map_or(value, |names| pick(names, language).as_str()),
            })
        };
        for part in &sentence.0 {
            match part {
                Part::Always(pieces) => drop(write(&mut out, pieces, &word)),
                Part::IfKnown(pieces) => {
                    let before = out.len();
                    if !write(&mut out, pieces, &word) {
                        out.truncate(before);
                    }
                }
            }
        }
        out
    }
}

/// Writes pieces; a word that did not come stands as a dash. Says whether every word came.
fn write<'a>(out: &mut String, pieces: &[Piece], word: &impl Fn(&str) -> Option<&'a str>) -> bool {
    let mut whole = true;
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Word(name) => match word(name) {
                Some(value) => out.push_str(value),
                None => {
                    out.push('–');
                    whole = false;
                }
            },
        }
    }
    whole
}

fn pick<T>(three: &[T; 3], language: Language) -> &T {
    let [fi, sv, en] = three;
    match language {
        Language::Fi => fi,
        Language::Sv => sv,
        Language::En => en,
    }
}

fn words(files: &Files) -> Result<HashMap<String, [String; 3]>, RulesFault> {
    let raw: RawWords = RuleFile::open(files, WORDS)?.read()?;
    let fields: RawFields = RuleFile::open(files, FIELDS)?.read()?;
    let mut words: HashMap<_, _> = raw.word.into_iter().map(|(key, w)| (key, [w.fi, w.sv, w.en])).collect();
    words.extend(fields.field.into_iter().map(|f| (f.key, [f.fi, f.sv, f.en])));
    // What a rule demands is a word too: the sentences of E311 and W920 say it.
    for rule in Rules::load(files)?.all() {
        words.insert(format!("says {}", rule.id), Language::ALL.map(|language| rule.sentence(language).to_owned()));
    }
    match words.iter().find(|(_, names)| names.iter().any(|n| n.trim().is_empty())) {
        Some((key, _)) => Err(RulesFault::of(WORDS, format!("{key} has an empty word"))),
        None => Ok(words),
    }
}

/// A sentence cut into parts once, so that showing it only joins.
#[derive(Debug)]
struct Sentence(Vec<Part>);

#[derive(Debug)]
enum Part {
    Always(Vec<Piece>),
    IfKnown(Vec<Piece>),
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Word(String),
}

impl Sentence {
    /// `{word}` stands for an arg, `[…]` for a part that is left out when one of its words did not come.
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("an empty sentence".to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('[') {
            let (inside, tail) = after.split_once(']').ok_or_else(|| format!("a [ does not close: {text}"))?;
            parts.push(Part::Always(pieces(before)?));
            parts.push(Part::IfKnown(pieces(inside)?));
            rest = tail;
        }
        parts.push(Part::Always(pieces(rest)?));
        Ok(Self(parts))
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').ok_or_else(|| format!("a {{ does not close: {text}"))?;
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Word(name.to_owned()));
        rest = tail;
    }
    if rest.contains(['}', ']']) {
        return Err(format!("a bracket closes that was not opened: {text}"));
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    code: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    id: Spanned<String>,
    name: String,
    severity: String,
    ack: String,
    hl7: String,
    kanta: String,
    #[serde(rename = "final")]
    is_final: bool,
    http: u16,
    log: String,
    source: String,
    fi: String,
    sv: String,
    en: String,
    mend_fi: String,
    mend_sv: String,
    mend_en: String,
}

impl RawRow {
    /// What is compiled in must be what the file says: a folder of rules may bring other sentences, never another meaning.
    fn differs_from(&self, code: Code) -> bool {
        self.name != code.name()
            || self.severity != code.severity().as_str()
            || self.ack != code.ack_type().as_str()
            || self.is_final != code.is_final()
            || self.hl7 != code.hl7()
            || self.kanta != code.kanta()
    }

    fn row(&self) -> Result<Row, String> {
        if self.source.trim().is_empty() {
            return Err("an empty source".to_owned());
        }
        if !matches!(self.log.as_str(), "info" | "warn" | "error") {
            return Err("log is none of info, warn, error".to_owned());
        }
        Ok(Row {
            text: [Sentence::parse(&self.fi)?, Sentence::parse(&self.sv)?, Sentence::parse(&self.en)?],
            mend: [Sentence::parse(&self.mend_fi)?, Sentence::parse(&self.mend_sv)?, Sentence::parse(&self.mend_en)?],
            source: self.source.clone(),
            http: self.http,
            log: self.log.clone(),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWords {
    word: HashMap<String, RawWord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWord {
    fi: String,
    sv: String,
    en: String,
}

/// Only the names: the rest of the file is the templates' own.
#[derive(Deserialize)]
struct RawFields {
    field: Vec<RawField>,
}

#[derive(Deserialize)]
struct RawField {
    key: String,
    fi: String,
    sv: String,
    en: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn every_code_speaks_three_languages() {
        let catalogue = Catalogue::load(&embedded()).unwrap();
        for code in Code::ALL {
            for language in Language::ALL {
                let finding = Finding::whole(code);
                assert!(catalogue.text(&finding, language).len() > 8, "{code:?}");
                assert!(catalogue.mend(&finding, language).len() > 8, "{code:?}");
            }
        }
    }

    #[test]
    fn words_are_filled_translated_and_left_out() {
        let catalogue = Catalogue::load(&embedded()).unwrap();
        let finding = Finding::whole(Code::E301).with("field", "documentGroup");
        assert_eq!(catalogue.text(&finding, Language::En), "Mandatory data is missing: document group.");
        assert_eq!(
            catalogue.text(&finding.clone().with("element", "hl7fi:documentGroup"), Language::Fi),
            "Pakollinen tieto puuttuu: asiakirjaryhmä (hl7fi:documentGroup)."
        );
        assert_eq!(catalogue.text(&Finding::whole(Code::E305).with("rule", "hetu-check"), Language::Sv), "Personbeteckningen är felaktig (kontrolltecknet).");
    }

    #[test]
    fn a_fault_names_file_and_line() {
        let mut files = embedded();
        let text = String::from_utf8(files[REFUSALS].clone()).unwrap();
        let broken = text.replacen("http = 422", "http = \"x\"", 1);
        files.insert(REFUSALS.to_owned(), broken.into_bytes());
        let fault = Catalogue::load(&files).unwrap_err();
        assert_eq!((fault.file.as_str(), fault.line), (REFUSALS, 15), "{fault}");

        for (old, new) in [("id = \"E102\"", "id = \"E999\""), ("name = \"doctype\"", "name = \"other\""), ("{rule}]", "{rule]"), ("{limit}]", "{limit}")] {
            files.insert(REFUSALS.to_owned(), text.replacen(old, new, 1).into_bytes());
            let fault = Catalogue::load(&files).unwrap_err();
            assert!(fault.line > 1, "{old}: {fault}");
        }
    }
}
