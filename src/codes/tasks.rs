//! The original service task of old client documents and the pairs it may form (`codes/service_tasks.toml`; OLD §5.2).

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::document::{Date, Group};
use crate::domain::oid::Oid;
use crate::domain::time::iso_date;

const FILE: &str = "codes/service_tasks.toml";

/// The table of pairs.
#[derive(Debug)]
pub struct ServiceTasks {
    mandatory_before: Date,
    groups: Vec<Group>,
    adopted: Vec<(String, Date)>,
    editions: Vec<Edition>,
    pairs: Vec<Pair>,
}

/// One of the older classifications.
#[derive(Debug)]
struct Edition {
    name: String,
    base: String,
    first: Option<Date>,
}

#[derive(Debug)]
struct Pair {
    edition: String,
    original: String,
    tasks: Vec<String>,
}

/// What the table says of an original task and a 2016 task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairVerdict {
    /// An allowed pair.
    Allowed,
    /// The original task is known, and this 2016 task is not among those it may go with.
    Forbidden {
        /// The 2016 tasks it may go with: `23, 24, 26`.
        allowed: String,
    },
    /// The classification or the code is not in the table.
    Unknown,
}

impl ServiceTasks {
    /// Reads and checks the table.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: RawFile = file.read()?;
        let mandatory_before = iso_date(raw.mandatory_before.get_ref()).ok_or_else(|| file.fault_at(&raw.mandatory_before, "not a date YYYY-MM-DD"))?;
        let groups: Option<Vec<Group>> = raw.groups.get_ref().iter().map(|n| Group::from_number(*n)).collect();
        let groups = groups.ok_or_else(|| file.fault_at(&raw.groups, "an unknown document group"))?;
        for pair in &raw.pair {
            if pair.source.is_empty() || pair.tasks.is_empty() || !raw.edition.iter().any(|e| e.name == *pair.edition.get_ref()) {
                return Err(file.fault_at(&pair.edition, "an unknown edition, no tasks, or no source"));
            }
        }
        let mut editions = Vec::new();
        for edition in raw.edition {
            let first = edition.first.map(|first| iso_date(first.get_ref()).ok_or_else(|| file.fault_at(&first, "not a date YYYY-MM-DD"))).transpose()?;
            editions.push(Edition { name: edition.name, base: edition.base, first });
        }
        let mut adopted = Vec::new();
        for row in raw.adopted {
            let since = iso_date(row.since.get_ref()).ok_or_else(|| file.fault_at(&row.since, "not a date YYYY-MM-DD"))?;
            if Oid::parse(&row.controller).is_err() || since < mandatory_before {
                return Err(file.fault_at(&row.since, "the controller is no OID, or its day is before the day that holds for all"));
            }
            adopted.push((row.controller, since));
        }
        let pairs = raw.pair.into_iter().map(|p| Pair { edition: p.edition.into_inner(), original: p.original, tasks: p.tasks }).collect();
        Ok(Self { mandatory_before, groups, adopted, editions, pairs })
    }

    /// Whether a document of this group drawn up on this date must name its original task, and by which rule: before 1 March 2016 always (R37), later until
    /// its controller had adopted the 2016 classification (R38).
    #[must_use]
    pub fn demand(&self, group: Group, authored: Date, controller: &Oid) -> Option<&'static str> {
        let adopted = self.adopted.iter().find(|(oid, _)| oid == controller.as_str()).map(|(_, since)| *since);
        match self.groups.contains(&group) {
            true if authored < self.mandatory_before => Some("R37"),
            true if adopted.is_some_and(|since| authored < since) => Some("R38"),
            _ => None,
        }
    }

    /// Whether a classification (its code system) was not yet there when the document was drawn up (R40).
    #[must_use]
    pub fn is_younger(&self, system: &str, authored: Date) -> bool {
        self.edition(system).and_then(|e| e.first).is_some_and(|first| authored < first)
    }

    fn edition(&self, system: &str) -> Option<&Edition> {
        let under = |base: &str| system.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.editions.iter().find(|e| under(&e.base))
    }

    /// Every original task of the table: its classification's name and code system, and its code.
    pub fn originals(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.pairs.iter().filter_map(|pair| {
            let edition = self.editions.iter().find(|edition| edition.name == pair.edition)?;
            Some((edition.name.as_str(), edition.base.as_str(), pair.original.as_str()))
        })
    }

    /// Judges a pair (R39).
    #[must_use]
    pub fn judge(&self, system: &str, original: &str, task: Option<&str>) -> PairVerdict {
        let Some(edition) = self.edition(system) else { return PairVerdict::Unknown };
        match self.pairs.iter().find(|p| p.edition == edition.name && p.original == original) {
            None => PairVerdict::Unknown,
            Some(pair) if task.is_some_and(|t| pair.tasks.iter().any(|a| a == t)) => PairVerdict::Allowed,
            Some(pair) => PairVerdict::Forbidden { allowed: pair.tasks.join(", ") },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    mandatory_before: Spanned<String>,
    groups: Spanned<Vec<u8>>,
    #[serde(default)]
    adopted: Vec<RawAdopted>,
    edition: Vec<RawEdition>,
    pair: Vec<RawPair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAdopted {
    controller: String,
    since: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEdition {
    name: String,
    base: String,
    first: Option<Spanned<String>>,
    #[serde(rename = "evidence")]
    _evidence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPair {
    edition: Spanned<String>,
    original: String,
    tasks: Vec<String>,
    source: String,
}
