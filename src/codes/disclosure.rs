//! The table by which disclosures are decided and the grounds in law (`codes/disclosure.toml`): read, and held to what no table may leave open.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::code::Code;
use crate::domain::disclosure::{Bits, FACTORS, Logged, Outcome, Rule, Table};
use crate::domain::finding::Severity;
use crate::domain::language::Language;
use crate::domain::oid::Oid;

const FILE: &str = "codes/disclosure.toml";
/// The longest name of a rule and of a ground, in octets: it stands in every row of the disclosure log.
const ID_OCTETS: usize = 32;

/// The table and the grounds.
#[derive(Debug)]
pub struct DisclosureRules {
    table: Table,
    system: String,
    grounds: Vec<Ground>,
}

/// A right of access in law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Its code.
    pub code: String,
    /// The act and its section, for the disclosure log.
    pub section: String,
    /// Whether it opens old documents as well.
    pub wide: bool,
    says: [String; 3],
}

impl Ground {
    /// What it is for.
    #[must_use]
    pub fn says(&self, language: Language) -> &str {
        of(&self.says, language)
    }
}

impl Rule {
    /// Its sentence.
    #[must_use]
    pub fn sentence(&self, language: Language) -> &str {
        of(&self.says, language)
    }
}

impl DisclosureRules {
    /// Reads the table: names stand once, words are known, what is given is logged, and what is given outside is noticed.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let mut rules: Vec<Rule> = Vec::with_capacity(raw.rule.len());
        for row in raw.rule {
            let fault = |what: &str| Err(file.fault_at(&row.id, what));
            let id = row.id.get_ref();
            if !is_id(id) || *id == *raw.otherwise.id.get_ref() || rules.iter().any(|rule| rule.id == *id) {
                return fault("no name (letters, digits, hyphens), or it stands twice");
            }
            let (Some(outcome), Some(logged)) = (word(Outcome::ALL, Outcome::WORDS, &row.result), word(Logged::ALL, Logged::WORDS, &row.log)) else {
                return fault("result is none of allow, deny, record, or log none of nothing, access, disclosure");
            };
            let fits = match outcome {
                Outcome::Allow => logged != Logged::Nothing && !row.notice,
                Outcome::Deny => logged == Logged::Nothing && !row.notice,
                Outcome::Record => logged == Logged::Disclosure && row.notice,
            };
            if !fits {
                return fault("what is given is logged, what is denied is not, and what was given outside is noticed");
            }
            let says = [row.fi, row.sv, row.en];
            if row.source.trim().is_empty() || says.iter().any(|sentence| sentence.trim().is_empty()) {
                return fault("a source and a sentence in fi, sv and en are needed");
            }
            let when = row.when.iter().map(taken).collect::<Result<Vec<Bits>, (&Spanned<String>, &str)>>();
            let when = when.map_err(|(at, what)| file.fault_at(at, what))?;
            if when.is_empty() {
                return fault("a rule says when it holds");
            }
            let refuses = match row.refuse.as_deref().map(Code::parse) {
                None => None,
                Some(Some(code)) if code.severity() == Severity::Error && outcome == Outcome::Deny => Some(code),
                Some(_) => return fault("refuse is no code of a refusal, or the rule denies nothing"),
            };
            rules.push(Rule { id: id.clone(), when, outcome, logged, notice: row.notice, source: row.source, refuses, says });
        }
        let last = raw.otherwise;
        if !is_id(last.id.get_ref()) {
            return Err(file.fault_at(&last.id, "no name"));
        }
        let otherwise = Rule {
            id: last.id.into_inner(),
            when: vec![[u8::MAX; FACTORS.len()]],
            outcome: Outcome::Deny,
            logged: Logged::Nothing,
            notice: false,
            source: last.source,
            refuses: None,
            says: [last.fi, last.sv, last.en],
        };
        let mut grounds: Vec<Ground> = Vec::with_capacity(raw.ground.len());
        for row in raw.ground {
            let code = row.code.get_ref();
            let says = [row.fi, row.sv, row.en];
            if !is_id(code) || grounds.iter().any(|ground| ground.code == *code) {
                return Err(file.fault_at(&row.code, "no code (letters, digits, hyphens), or it stands twice"));
            }
            if row.section.trim().is_empty() || says.iter().any(|name| name.trim().is_empty()) {
                return Err(file.fault_at(&row.code, "a section and a name in fi, sv and en are needed"));
            }
            if !matches!(row.evidence.as_str(), "seen" | "inferred" | "placeholder") {
                return Err(file.fault_at(&row.code, "evidence is none of seen, inferred, placeholder"));
            }
            grounds.push(Ground { code: row.code.into_inner(), section: row.section, wide: row.wide, says });
        }
        if Oid::parse(raw.grounds.system.get_ref()).is_err() {
            return Err(file.fault_at(&raw.grounds.system, "not an OID"));
        }
        Ok(Self { table: Table { rules, otherwise }, system: raw.grounds.system.into_inner(), grounds })
    }

    /// The table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// The code system of grounds.
    #[must_use]
    pub fn ground_system(&self) -> &str {
        &self.system
    }

    /// A ground by its code.
    #[must_use]
    pub fn ground(&self, code: &str) -> Option<&Ground> {
        self.grounds.iter().find(|ground| ground.code == code)
    }

    /// All grounds.
    pub fn grounds(&self) -> impl Iterator<Item = &Ground> {
        self.grounds.iter()
    }
}

const fn of(says: &[String; 3], language: Language) -> &String {
    let [fi, sv, en] = says;
    match language {
        Language::Fi => fi,
        Language::Sv => sv,
        Language::En => en,
    }
}

fn is_id(text: &str) -> bool {
    (1..=ID_OCTETS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn word<T: Copy>(all: &[T], words: &[&str], text: &str) -> Option<T> {
    all.get(words.iter().position(|word| *word == text)?).copied()
}

type Case = BTreeMap<Spanned<String>, Vec<Spanned<String>>>;

/// The values that a case takes of each factor: all of one that it does not name.
fn taken(case: &Case) -> Result<Bits, (&Spanned<String>, &'static str)> {
    let mut bits = [u8::MAX; FACTORS.len()];
    for (key, values) in case {
        let place = FACTORS.iter().position(|factor| factor.key == key.get_ref()).ok_or((key, "no such factor"))?;
        let (Some(factor), Some(bit)) = (FACTORS.get(place), bits.get_mut(place)) else { return Err((key, "no such factor")) };
        *bit = 0;
        for value in values {
            let at = factor.values.iter().position(|word| word == value.get_ref()).ok_or((value, "no such value of this factor"))?;
            *bit |= 1 << at;
        }
        if *bit == 0 {
            return Err((key, "a factor without a value never holds"));
        }
    }
    Ok(bits)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    rule: Vec<RawRule>,
    otherwise: RawOtherwise,
    grounds: RawGrounds,
    #[serde(default)]
    ground: Vec<RawGround>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: Spanned<String>,
    when: Vec<Case>,
    result: String,
    log: String,
    #[serde(default)]
    notice: bool,
    refuse: Option<String>,
    source: String,
    fi: String,
    sv: String,
    en: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOtherwise {
    id: Spanned<String>,
    source: String,
    fi: String,
    sv: String,
    en: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrounds {
    system: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGround {
    code: Spanned<String>,
    section: String,
    wide: bool,
    evidence: String,
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
    fn the_table_has_the_national_rules_in_their_order() {
        let rules = DisclosureRules::load(&embedded()).unwrap();
        let ids: Vec<&str> = rules.table().iter().map(|rule| rule.id.as_str()).collect();
        let national = ["R1", "R2", "R-OLD", "R3", "R4", "R5", "R6", "R7", "R8"];
        let places: Vec<usize> = national.iter().map(|id| ids.iter().position(|found| found == id).unwrap()).collect();
        assert!(places.is_sorted(), "{ids:?}");
        assert!(["R9", "R10", "R11", "R-LINK"].iter().all(|id| rules.table().rule(id).is_some()));
        assert!(rules.ground("4").unwrap().wide && !rules.ground("1").unwrap().wide && rules.ground("9").is_none());
    }

    #[test]
    fn each_fault_names_its_line() {
        let text = String::from_utf8(embedded()[FILE].clone()).unwrap();
        for (old, new) in [
            ("id = \"R10\"", "id = \"R11\""),
            ("id = \"R3\"", "id = \"R-ELSE\""),
            ("result = \"record\"", "result = \"perhaps\""),
            ("notice = true", "notice = false"),
            ("log = \"access\"", "log = \"nothing\""),
            ("channel = [\"outside\"]", "canal = [\"outside\"]"),
            ("channel = [\"outside\"]", "channel = [\"inside\"]"),
            ("material = [\"will\"]", "material = []"),
            ("when = [{ material = [\"will\"] }]", "when = []"),
            ("code = \"2\"", "code = \"1\""),
            ("refuse = \"E842\"", "refuse = \"W901\""),
            ("evidence = \"placeholder\"", "evidence = \"heard\""),
            ("system = \"1.2.246.537.6.1299\"", "system = \"law\""),
        ] {
            let mut files = embedded();
            assert!(text.contains(old), "{old}");
            files.insert(FILE.to_owned(), text.replacen(old, new, 1).into_bytes());
            let fault = DisclosureRules::load(&files).unwrap_err();
            assert!(fault.file == FILE && fault.line > 1, "{old}: {fault}");
        }
    }
}
