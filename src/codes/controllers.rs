//! What is known of single controllers (`codes/controllers.toml`): since when they archive in real time.

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::document::Date;
use crate::domain::oid::Oid;
use crate::domain::time::iso_date;

const FILE: &str = "codes/controllers.toml";

/// The controllers that something is known of.
#[derive(Debug)]
pub struct Controllers(Vec<(String, Date)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    controller: Vec<RawController>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawController {
    oid: Spanned<String>,
    realtime_since: String,
}

impl Controllers {
    /// Reads the table.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let mut rows: Vec<(String, Date)> = Vec::new();
        for row in raw.controller {
            let oid = row.oid.get_ref();
            if Oid::parse(oid).is_err() || rows.iter().any(|(known, _)| known == oid) {
                return Err(file.fault_at(&row.oid, "not an OID, or it stands twice"));
            }
            let since = iso_date(&row.realtime_since).ok_or_else(|| file.fault_at(&row.oid, "realtime_since: not a date YYYY-MM-DD"))?;
            rows.push((row.oid.into_inner(), since));
        }
        Ok(Self(rows))
    }

    /// The day a controller began real-time archiving, where it is known.
    #[must_use]
    pub fn realtime_since(&self, controller: &Oid) -> Option<Date> {
        self.0.iter().find(|(oid, _)| oid == controller.as_str()).map(|(_, since)| *since)
    }
}
