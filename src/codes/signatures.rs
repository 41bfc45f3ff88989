//! Whose signature a document needs (`codes/signatures.toml`).

use serde::Deserialize;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::document::{Group, Header};

const FILE: &str = "codes/signatures.toml";

/// Which documents need a professional's own signature.
#[derive(Debug)]
pub struct Signatures(Vec<(Group, Vec<String>)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    professional: Vec<RawNeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNeed {
    group: toml::Spanned<u8>,
    general_types: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
}

impl Signatures {
    /// Reads the table.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let need = |need: RawNeed| match Group::from_number(*need.group.get_ref()) {
            Some(group) => Ok((group, need.general_types)),
            None => Err(file.fault_at(&need.group, "no such document group")),
        };
        raw.professional.into_iter().map(need).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this document needs a professional's own signature.
    #[must_use]
    pub fn needs_professional(&self, header: &Header) -> bool {
        let general = header.general_type.as_deref().unwrap_or_default();
        self.0.iter().any(|(group, types)| *group == header.group && types.iter().any(|t| t == general))
    }
}
