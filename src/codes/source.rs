//! Where the data files come from: the binary itself, or a folder the site provides.

use std::collections::BTreeMap;

/// Every data file by its path in the repository (`codes/refusals.toml`), sorted.
pub type Files = BTreeMap<String, Vec<u8>>;

static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The data files that were built into the binary. `migrations/` and `config/` are among them but are no rules.
#[must_use]
pub fn embedded() -> Files {
    EMBEDDED.iter().map(|(name, octets)| ((*name).to_owned(), octets.to_vec())).collect()
}

/// The files that are rules: everything under `codes/`, `templates/` and `xsd/`.
#[must_use]
pub fn rules_of(files: &Files) -> Files {
    files.iter().filter(|(name, _)| ["codes/", "templates/", "xsd/"].iter().any(|f| name.starts_with(f))).map(|(n, o)| (n.clone(), o.clone())).collect()
}
