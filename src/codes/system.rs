//! Code systems (`codes/systems/*.toml`): which codes exist, what they are called, and whether our list is complete.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::document::Date;
use crate::domain::time::iso_date;

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
    /// Where the list comes from.
    pub source: String,
    /// Versions whose days are known.
    pub versions: Vec<Version>,
}

/// A version of a code system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// How its arc begins: `2017`.
    pub begins: String,
    /// The first and the last day it was valid.
    pub days: Days,
}

/// From the first day to the last, where they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    /// The first day.
    pub first: Option<Date>,
    /// The last day.
    pub last: Option<Date>,
}

impl Days {
    /// Whether a day lies within.
    #[must_use]
    pub fn hold(&self, day: Date) -> bool {
        self.first.is_none_or(|first| first <= day) && self.last.is_none_or(|last| day <= last)
    }
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
    /// Whether its official names are known: else a displayName is not compared with them.
    pub named: bool,
    /// The code that it belongs under: a specific document type's general type.
    pub under: Option<String>,
    /// The days it was valid.
    pub days: Days,
}

impl Value {
    /// Whether it was valid on a day.
    #[must_use]
    pub fn is_valid_on(&self, day: Date) -> bool {
        self.days.hold(day)
    }
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
                let name = system.key.get_ref().clone();
                let made = system.made().ok_or_else(|| file.fault_at(&key, "first, last: not a date YYYY-MM-DD"))?;
                if systems.insert(name, made).is_some() {
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
    /// Whether a version of this code system (its full OID) was no longer valid on a day.
    #[must_use]
    pub fn had_ended(&self, oid: &str, day: Date) -> bool {
        let version = oid.strip_prefix(self.base.as_str()).and_then(|rest| rest.strip_prefix('.'));
        version.is_some_and(|v| self.versions.iter().any(|known| v.starts_with(known.begins.as_str()) && known.days.last.is_some_and(|last| day > last)))
    }

    /// Whether a version of this code system (its full OID) was valid on a day; one whose days are not known was.
    #[must_use]
    pub fn is_valid_on(&self, oid: &str, day: Date) -> bool {
        let version = oid.strip_prefix(self.base.as_str()).and_then(|rest| rest.strip_prefix('.'));
        version.is_none_or(|v| self.versions.iter().filter(|known| v.starts_with(known.begins.as_str())).all(|known| known.days.hold(day)))
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
    versions: Vec<RawVersion>,
}

impl RawSystem {
    /// `None` when a day is none.
    fn made(self) -> Option<System> {
        let value = |raw: RawValue| {
            let en = raw.en.unwrap_or_else(|| raw.fi.clone());
            let mut names = vec![raw.fi, raw.sv, en];
            names.extend(raw.also);
            Some(Value { code: raw.code, names, means: raw.means, named: raw.named.unwrap_or(true), under: raw.under, days: days(raw.first, raw.last)? })
        };
        let version = |raw: RawVersion| Some(Version { begins: raw.version, days: days(raw.first, raw.last)? });
        Some(System {
            base: self.base.into_inner(),
            complete: self.complete,
            source: self.source,
            values: self.values.into_iter().map(value).collect::<Option<_>>()?,
            versions: self.versions.into_iter().map(version).collect::<Option<_>>()?,
        })
    }
}

fn days(first: Option<String>, last: Option<String>) -> Option<Days> {
    let day = |text: Option<String>| text.map_or(Some(None), |t| iso_date(&t).map(Some));
    Some(Days { first: day(first)?, last: day(last)? })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVersion {
    version: String,
    first: Option<String>,
    last: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawValue {
    code: String,
    fi: String,
    sv: String,
    /// A name that only the code system's own languages have stands in English as in Finnish.
    en: Option<String>,
    #[serde(default)]
    also: Vec<String>,
    means: Option<String>,
    named: Option<bool>,
    under: Option<String>,
    first: Option<String>,
    last: Option<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_versions_have_their_days() {
        let text = "[[system]]\nkey = \"x\"\nbase = \"1.2.3\"\ncomplete = true\nsource = \"s\"\nversions = [{ version = \"2017\", first = \"2017-01-01\", last = \"2024-08-31\" }]\n\
                    values = [{ code = \"1\", fi = \"a\", sv = \"b\", last = \"2020-12-31\" }, { code = \"2\", fi = \"c\", sv = \"d\" }]\n";
        let systems = Systems::load(&Files::from([(format!("{FOLDER}x.toml"), text.as_bytes().to_vec())])).unwrap();
        let system = systems.get("x").unwrap();
        let day = |text| iso_date(text).unwrap();
        assert!(system.value("1").unwrap().is_valid_on(day("2020-12-31")) && !system.value("1").unwrap().is_valid_on(day("2021-01-01")));
        assert!(system.value("2").unwrap().is_valid_on(day("1900-01-01")));
        for (oid, on, valid) in [
            ("1.2.3.201701", "2016-12-31", false),
            ("1.2.3.201701", "2017-01-01", true),
            ("1.2.3.201701", "2024-09-01", false),
            ("1.2.3.202301", "1999-01-01", true),
            ("1.2.3", "1999-01-01", true),
        ] {
            assert_eq!(system.is_valid_on(oid, day(on)), valid, "{oid} {on}");
        }
        assert!(system.had_ended("1.2.3.201701", day("2024-09-01")) && !system.had_ended("1.2.3.201701", day("2016-12-31")));
        let broken = text.replace("2020-12-31", "2020-13-31");
        let fault = Systems::load(&Files::from([(format!("{FOLDER}x.toml"), broken.into_bytes())])).unwrap_err();
        assert_eq!(fault.line, 2, "{fault}");
    }
}
