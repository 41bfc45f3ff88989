//! The coded terms that imported documents carry (`codes/import.toml`).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::codes::fault::{RuleFile, RulesFault};
use crate::codes::source::Files;
use crate::codes::system::Systems;
use crate::domain::language::Language;
use crate::domain::oid::Oid;

const FILE: &str = "codes/import.toml";
/// The terms that `compose` writes; a table without one of them is refused at start.
const NEEDED: [&str; 15] = [
    "confidentiality",
    "group-relation",
    "group-case",
    "group-old",
    "pdf",
    "xhtml",
    "json",
    "ready",
    "register",
    "for-good",
    "not-special",
    "male",
    "female",
    "closed",
    "other-case",
];
/// The lists whose codes come from the manifest.
const LISTS: [&str; 4] = ["type", "task", "task-1989", "task-2011"];

/// One value of a code system, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The code.
    pub code: String,
    /// The code system with its version.
    pub system: String,
    /// The code system's name.
    pub system_name: String,
    /// The value's name in the document's language; empty when only the code is known.
    pub name: String,
}

/// Everything in `codes/import.toml`.
#[derive(Debug)]
pub struct Terms {
    raw: Raw,
    names: BTreeMap<(String, String), [String; 2]>,
}

impl Terms {
    /// Reads the file; names of listed codes come from the code systems.
    ///
    /// # Errors
    /// Names file and line, or the term that is missing.
    pub fn load(files: &Files, systems: &Systems) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        if let Some(missing) = NEEDED.iter().find(|name| !raw.term.contains_key(**name)).or_else(|| LISTS.iter().find(|name| !raw.list.contains_key(**name))) {
            return Err(RulesFault::of(FILE, format!("[term.{missing}] or [list.{missing}] is missing")));
        }
        let mut names = BTreeMap::new();
        for (list, row) in &raw.list {
            if Oid::parse(&row.system).is_err() {
                return Err(RulesFault::of(FILE, format!("[list.{list}] system is not an OID")));
            }
            let Some(key) = &row.key else { continue };
            let system = systems.get(key).ok_or_else(|| RulesFault::of(FILE, format!("[list.{list}] key = {key:?} is no code system")))?;
            for value in &system.values {
                let name = |n: usize| value.names.get(n).cloned().unwrap_or_default();
                names.insert((list.clone(), value.code.clone()), [name(0), name(1)]);
            }
        }
        if raw.documents_in_case == 0 {
            return Err(RulesFault::of(FILE, "documents_in_case is 0"));
        }
        Ok(Self { raw, names })
    }

    /// A fixed term in a language; empty when the table lost it, which `load` refuses.
    #[must_use]
    pub fn term(&self, name: &str, language: Language) -> Term {
        self.raw.term.get(name).map_or_else(
            || Term { code: String::new(), system: String::new(), system_name: String::new(), name: String::new() },
            |t| Term {
                code: t.code.clone(),
                system: t.system.clone(),
                system_name: t.name.clone(),
                name: if language == Language::Sv { t.sv.clone() } else { t.fi.clone() },
            },
        )
    }

    /// A code of a list (`type`, `task`, `task-1989`, `task-2011`), with its name where it is known.
    #[must_use]
    pub fn listed(&self, list: &str, code: &str, language: Language) -> Term {
        let (system, system_name) = self.raw.list.get(list).map_or(("", ""), |l| (l.system.as_str(), l.name.as_str()));
        let name = self.names.get(&(list.to_owned(), code.to_owned())).map_or("", |[fi, sv]| if language == Language::Sv { sv } else { fi });
        Term { code: code.to_owned(), system: system.to_owned(), system_name: system_name.to_owned(), name: name.to_owned() }
    }

    /// Whether a list's names are known and this code is not among them.
    #[must_use]
    pub fn is_unknown(&self, list: &str, code: &str) -> bool {
        self.raw.list.get(list).is_some_and(|l| l.key.is_some()) && !self.names.contains_key(&(list.to_owned(), code.to_owned()))
    }

    /// The content definition of the client-relation document (`relation`) or the case document.
    #[must_use]
    pub fn definition(&self, relation: bool) -> &str {
        if relation { &self.raw.relation_definition } else { &self.raw.case_definition }
    }

    /// The `system` beside relation and case ids in JSON.
    #[must_use]
    pub fn json_id_system(&self) -> &str {
        &self.raw.json_id_system
    }

    /// The register of organisations.
    #[must_use]
    pub fn organisations(&self) -> &str {
        &self.raw.organisations
    }

    /// What a case is called when the manifest does not say.
    #[must_use]
    pub fn case_name(&self, language: Language) -> &str {
        if language == Language::Sv { &self.raw.case_name_sv } else { &self.raw.case_name_fi }
    }

    /// Whether a client born on this day of a month belongs to the permanent sample (R10).
    #[must_use]
    pub fn is_sample_day(&self, day: u8) -> bool {
        self.raw.sample_days.contains(&day)
    }

    /// How many documents one case holds at most (R31).
    #[must_use]
    pub const fn documents_in_case(&self) -> usize {
        self.raw.documents_in_case
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    relation_definition: String,
    case_definition: String,
    json_id_system: String,
    organisations: String,
    case_name_fi: String,
    case_name_sv: String,
    sample_days: Vec<u8>,
    documents_in_case: usize,
    term: BTreeMap<String, RawTerm>,
    list: BTreeMap<String, RawList>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTerm {
    code: String,
    system: String,
    name: String,
    fi: String,
    sv: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    system: String,
    name: String,
    key: Option<String>,
}
