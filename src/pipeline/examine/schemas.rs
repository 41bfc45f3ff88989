//! The compiled schemas of all profiles. The gateway compiles them at start, so that a broken one stops it there; `arkki validate` compiles the one it needs.

use std::sync::OnceLock;

use crate::codes::profiles::{Profile, SITE_FOLDER};
use crate::codes::source::Files;
use crate::xml::schema::Schema;

/// Schemas by their entry files.
pub struct Schemas {
    files: Files,
    sets: Vec<(String, OnceLock<Result<Schema, String>>)>,
}

impl Schemas {
    /// Takes the schema files in; compiles nothing yet.
    pub fn new(files: &Files, profiles: &[Profile]) -> Self {
        let files = files.iter().filter(|(name, _)| name.ends_with(".xsd")).map(|(name, octets)| (name.clone(), octets.clone())).collect();
        let mut entries: Vec<&String> = profiles.iter().flat_map(|p| std::iter::once(&p.schema).chain(&p.frame)).collect();
        let event = crate::fhir::event::SCHEMA.to_owned();
        entries.push(&event);
        entries.sort_unstable();
        entries.dedup();
        Self { files, sets: entries.into_iter().map(|entry| (entry.clone(), OnceLock::new())).collect() }
    }

    /// The schema of an entry file, compiled when it is first asked for.
    ///
    /// # Errors
    /// Which file is wrong, where, and why.
    pub fn get(&self, entry: &str) -> Result<&Schema, String> {
        let Some((_, compiled)) = self.sets.iter().find(|(name, _)| name == entry) else { return Err(format!("{entry}: no profile names it")) };
        let compile = if entry.starts_with(SITE_FOLDER) { Schema::compile_with_remarks } else { Schema::compile };
        compiled.get_or_init(|| compile(&self.files, entry).map_err(|fault| fault.to_string())).as_ref().map_err(Clone::clone)
    }

    /// What libxml2 remarked on a schema that is compiled.
    pub fn remarks(&self, entry: &str) -> Vec<String> {
        let compiled = self.sets.iter().find(|(name, _)| name == entry).and_then(|(_, compiled)| compiled.get());
        compiled.and_then(|c| c.as_ref().ok()).map_or_else(Vec::new, |schema| schema.remarks().iter().map(ToString::to_string).collect())
    }

    /// Compiles them all.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn compile(&self) -> Result<(), String> {
        self.sets.iter().try_for_each(|(entry, _)| self.get(entry).map(|_| ()))
    }
}
