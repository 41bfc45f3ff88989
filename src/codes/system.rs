//! Code systems (`codes/systems/*.toml`): which codes exist, what they are called, and whether our list is complete.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::document::Date;

const FOLDER: &str = "codes/systems/";

/// Every code system that the rules know, by its key.
#[derive(Debug)]
pub struct Systems(HashMap<String, System>);

/// One code system.
#[derive(Debug, Clone)]
pub struct System {
    /// Its OID; a version stands under it.
    pub base: String,
    /// Whether a code outside `values` is wrong (else it is only unknown).
    pub complete: bool,
    /// The codes known.
    pub values: Vec<Value>,
    /// Versions that have ended: how the version's arc begins, and the last day it was valid.
    ended: Vec<(String, Date)>,
}

/// One code.
#[derive(Debug, Clone)]
pub struct Value {
    /// The code.
    pub code: String,
    /// Its names: Finnish, Swedish, English and other spellings seen.
    pub names: Vec<String>,
    /// What it stands for in the rules (`closed`, `pdf`), when it does.
    pub means: Option<String>,
}

impl Systems {
    /// Reads every file of the folder.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let mut systems = HashMap::new();
        for name in files.keys().filter(|n| n.starts_with(FOLDER)) {
            let file = RuleFile::open(files, name)?;
            let raw: RawFile = file.read()?;
            for system in raw.system {
                if crate::domain::oid::Oid::parse(system.base.get_ref()).is_err() {
                    return Err(file.fault_at(&system.base, "base is not an OID"));
                }
                let doubled = system.values.iter().enumerate().any(|(i, v)| system.values.iter().take(i).any(|w| w.code == v.code));
                if doubled || system.complete && system.values.is_empty() || system.source.is_empty() {
                    return Err(file.fault_at(&system.key, "a code stands twice, a complete list is empty, or the source is missing"));
                }
                let key = system.key.clone();
                let made = System::of(system.base.into_inner(), system.complete, system.values, system.ended)
                    .ok_or_else(|| file.fault_at(&key, "ended: not a date YYYY-MM-DD"))?;
                if systems.insert(system.key.into_inner(), made).is_some() {
                    return Err(file.fault_at(&key, "the key stands twice"));
                }
            }
        }
        if systems.is_empty() {
            return Err(RulesFault::of(FOLDER, "no code system"));
        }
        Ok(Self(systems))
    }

    /// A system by its key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&System> {
        self.0.get(key)
    }
}

impl System {
    fn of(base: String, complete: bool, values: Vec<RawValue>, ended: Vec<RawEnded>) -> Option<Self> {
        let value = |raw: RawValue| {
            let mut names = vec![raw.fi, raw.sv, raw.en];
            names.extend(raw.also);
            Value { code: raw.code, names, means: raw.means }
        };
        let ended = ended.into_iter().map(|e| Some((e.version, crate::domain::time::iso_date(&e.last)?))).collect::<Option<Vec<_>>>()?;
        Some(Self { base, complete, values: values.into_iter().map(value).collect(), ended })
    }

    /// Whether a version of this code system (its full OID) was no longer valid on a day.
    #[must_use]
    pub fn had_ended(&self, oid: &str, day: Date) -> bool {
        let version = oid.strip_prefix(self.base.as_str()).and_then(|rest| rest.strip_prefix('.'));
        version.is_some_and(|v| self.ended.iter().any(|(begin, last)| v.starts_with(begin.as_str()) && day > *last))
    }

    /// Whether a code system's OID is this one or a version of it.
    #[must_use]
    pub fn has_oid(&self, oid: &str) -> bool {
        oid.strip_prefix(self.base.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// A code's row.
    #[must_use]
    pub fn value(&self, code: &str) -> Option<&Value> {
        self.values.iter().find(|v| v.code == code)
    }

    /// What a code stands for in the rules.
    #[must_use]
    pub fn means(&self, code: &str) -> Option<&str> {
        self.value(code).and_then(|v| v.means.as_deref())
    }

    /// The codes, for a sentence: `1, 2, 3`.
    #[must_use]
    pub fn codes(&self) -> String {
        self.values.iter().map(|v| v.code.as_str()).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    system: Vec<RawSystem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSystem {
    key: Spanned<String>,
    base: Spanned<String>,
    complete: bool,
    source: String,
    values: Vec<RawValue>,
    #[serde(default)]
    ended: Vec<RawEnded>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnded {
    version: String,
    last: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawValue {
    code: String,
    fi: String,
    sv: String,
    en: String,
    #[serde(default)]
    also: Vec<String>,
    means: Option<String>,
}
