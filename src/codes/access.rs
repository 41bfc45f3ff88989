//! The permission matrix (`codes/access.toml`): which system profile may ask for what.

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::requests::{Operation, Services};
use super::source::Files;
use crate::domain::access::{Act, Matrix, Profile};

const FILE: &str = "codes/access.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    register_right: Vec<Spanned<String>>,
    act: Vec<RawAct>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAct {
    id: Spanned<String>,
    profiles: Vec<Spanned<String>>,
}

/// Reads the table: every act stands in it once, every profile and service request it names is known.
///
/// # Errors
/// Names file and line.
pub fn load(files: &Files, services: &Services) -> Result<Matrix, RulesFault> {
    let file = RuleFile::open(files, FILE)?;
    let raw: Raw = file.read()?;
    let mut acts = Vec::new();
    let mut allowed = Vec::new();
    for row in &raw.act {
        let act = Act::parse(row.id.get_ref()).filter(|act| !acts.contains(act));
        let act = act.ok_or_else(|| file.fault_at(&row.id, "an unknown act, or it stands twice"))?;
        acts.push(act);
        for word in &row.profiles {
            let profile = Profile::parse(word.get_ref()).ok_or_else(|| file.fault_at(word, "an unknown profile"))?;
            allowed.push((act, profile));
        }
    }
    if let Some(missing) = Act::ALL.into_iter().find(|act| !acts.contains(act)) {
        return Err(RulesFault::of(FILE, format!("the act {} has no row", missing.as_str())));
    }
    if let Some(unknown) = raw.register_right.iter().find(|code| services.request("social", code.get_ref()).is_none()) {
        return Err(file.fault_at(unknown, "no such service request"));
    }
    Ok(Matrix::new(allowed, raw.register_right.into_iter().map(Spanned::into_inner).collect()))
}

/// What an operation is to the matrix; `None` for what only an archive sends.
#[must_use]
pub const fn act_of(operation: Operation) -> Option<Act> {
    Some(match operation {
        Operation::Store => Act::Store,
        Operation::Replace => Act::Replace,
        Operation::Invalidate => Act::Invalidate,
        Operation::Reinstate => Act::Reinstate,
        Operation::MetadataQuery => Act::MetadataQuery,
        Operation::DocumentQuery => Act::DocumentQuery,
        Operation::MetadataResponse | Operation::DocumentResponse | Operation::Acknowledgement => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    /// The table of messaging.md §7.1, written out once more by hand.
    #[test]
    fn the_matrix_is_the_national_one() {
        let files = embedded();
        let matrix = load(&files, &Services::load(&files).unwrap()).unwrap();
        for (profile, acts) in [
            (Profile::Joining, &[Act::Store, Act::Replace, Act::Invalidate, Act::Reinstate, Act::MetadataQuery, Act::DocumentQuery][..]),
            (Profile::Storing, &[Act::Store, Act::Replace, Act::Invalidate, Act::Reinstate]),
            (Profile::Reading, &[Act::MetadataQuery, Act::DocumentQuery]),
            (Profile::Application, &[Act::Store]),
        ] {
            for act in Act::ALL {
                assert_eq!(matrix.allows(profile, act), acts.contains(&act), "{profile:?} {act:?}");
            }
        }
        assert!(matrix.is_by_right("SPX-RKO-STORE") && !matrix.is_by_right("SP1"));
    }

    #[test]
    fn each_fault_names_its_line() {
        for (old, new) in [
            ("id = \"store\"", "id = \"shop\""),
            ("id = \"replace\"", "id = \"store\""),
            ("\"application\"]", "\"app\"]"),
            ("[\"SPX-RKO-STORE\"]", "[\"SPX-NONE\"]"),
        ] {
            let mut files = embedded();
            let text = String::from_utf8(files[FILE].clone()).unwrap();
            assert!(text.contains(old), "{old}");
            files.insert(FILE.to_owned(), text.replacen(old, new, 1).into_bytes());
            let fault = load(&files, &Services::load(&files).unwrap()).unwrap_err();
            assert!(fault.file == FILE && fault.line > 1, "{fault}");
        }
        let mut files = embedded();
        let text = String::from_utf8(files[FILE].clone()).unwrap();
        files.insert(FILE.to_owned(), text.replace("[[act]]\nid = \"reinstate\"\nprofiles = [\"joining\", \"storing\"]\n", "").into_bytes());
        assert!(load(&files, &Services::load(&files).unwrap()).unwrap_err().what.contains("reinstate"));
    }
}
