//! What the archive reads of will documents (`codes/will.toml`).

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::document::Group;
use crate::domain::will::Edition;

const FILE: &str = "codes/will.toml";
/// The deepest path; the definitions' own have five members.
const STEPS: usize = 10;

/// The kinds of wills, and what counts of them.
#[derive(Debug)]
pub struct WillRules {
    /// The first edition of the information that counts as informing.
    pub least_edition: Edition,
    /// The groups whose documents can be denied one by one.
    pub deniable: Vec<Group>,
    /// The kinds.
    pub kinds: Vec<WillKind>,
}

/// One kind of will document.
#[derive(Debug)]
pub struct WillKind {
    /// Its group.
    pub group: Group,
    /// The one member of its JSON's root.
    pub root: String,
    /// The members that may stand below the root's member: whatever else stands there is not understood, and a will is understood whole or not at all.
    pub members: Vec<String>,
    /// What is read of it.
    pub reads: WillReads,
}

/// What is read of a kind: paths of members below the root's member.
#[derive(Debug)]
pub enum WillReads {
    /// The edition of the information given.
    Edition(Vec<String>),
    /// Whether disclosure is permitted.
    Permitted(Vec<String>),
    /// What is denied: sets of documents, service tasks, controllers.
    Denials {
        /// Sets.
        documents: Vec<String>,
        /// Service tasks.
        tasks: Vec<String>,
        /// Controllers.
        controllers: Vec<String>,
    },
    /// The denial documents that end.
    Cancelled(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    least_edition: Spanned<String>,
    deniable: Spanned<Vec<u8>>,
    kind: Vec<RawKind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKind {
    group: Spanned<u8>,
    root: Spanned<String>,
    members: Vec<String>,
    edition: Option<Spanned<String>>,
    permitted: Option<Spanned<String>>,
    documents: Option<Spanned<String>>,
    tasks: Option<Spanned<String>>,
    controllers: Option<Spanned<String>>,
    cancelled: Option<Spanned<String>>,
    evidence: Spanned<String>,
    #[serde(rename = "source")]
    _source: Option<String>,
}

impl WillRules {
    /// Reads and checks the table: each group of wills has a kind, and no two kinds the same root.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let least_edition =
            Edition::parse(raw.least_edition.get_ref()).ok_or_else(|| file.fault_at(&raw.least_edition, "no edition: two numbers and a point"))?;
        let deniable: Option<Vec<Group>> = raw.deniable.get_ref().iter().map(|n| Group::from_number(*n)).collect();
        let deniable = deniable.ok_or_else(|| file.fault_at(&raw.deniable, "an unknown document group"))?;
        let mut kinds: Vec<WillKind> = Vec::with_capacity(raw.kind.len());
        for kind in raw.kind {
            let checked = kind.checked(&file)?;
            if kinds.iter().any(|known| known.root == checked.root) {
                return Err(file.fault_at(&kind.root, "the root stands twice"));
            }
            kinds.push(checked);
        }
        match Group::WILLS.into_iter().find(|group| !kinds.iter().any(|kind| kind.group == *group)) {
            Some(group) => Err(RulesFault::of(FILE, format!("group {} has no kind", group.number()))),
            None => Ok(Self { least_edition, deniable, kinds }),
        }
    }
}

impl RawKind {
    fn checked(&self, file: &RuleFile<'_>) -> Result<WillKind, RulesFault> {
        let group = Group::from_number(*self.group.get_ref()).filter(|group| group.is_will());
        let group = group.ok_or_else(|| file.fault_at(&self.group, "not a group of will documents: 7, 8 or 9"))?;
        if self.root.get_ref().is_empty() || !matches!(self.evidence.get_ref().as_str(), "seen" | "inferred" | "placeholder") {
            return Err(file.fault_at(&self.root, "the root is empty, or evidence is none of seen, inferred, placeholder"));
        }
        let path = |text: &Spanned<String>| {
            let steps: Vec<String> = text.get_ref().split('/').map(str::to_owned).collect();
            if steps.len() > STEPS || steps.iter().any(String::is_empty) { Err(file.fault_at(text, "a path is members between strokes")) } else { Ok(steps) }
        };
        let reads = match (group, &self.edition, &self.permitted, (&self.documents, &self.tasks, &self.controllers), &self.cancelled) {
            (Group::Informing, Some(edition), None, (None, None, None), None) => WillReads::Edition(path(edition)?),
            (Group::Permission, None, Some(permitted), (None, None, None), None) => WillReads::Permitted(path(permitted)?),
            (Group::Denial, None, None, (Some(documents), Some(tasks), Some(controllers)), None) => {
                WillReads::Denials { documents: path(documents)?, tasks: path(tasks)?, controllers: path(controllers)? }
            }
            (Group::Denial, None, None, (None, None, None), Some(cancelled)) => WillReads::Cancelled(path(cancelled)?),
            _ => return Err(file.fault_at(&self.root, "group 7 reads edition, 8 permitted, 9 documents, tasks and controllers, or cancelled")),
        };
        Ok(WillKind { group, root: self.root.get_ref().clone(), members: self.members.clone(), reads })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn each_kind_reads_what_its_group_says() {
        let rules = WillRules::load(&embedded()).unwrap();
        assert_eq!(rules.least_edition, Edition { major: 2, minor: 0 });
        assert_eq!(rules.kinds.len(), 4);
        for (old, new) in [
            ("least_edition = \"2.0\"", "least_edition = \"new\""),
            ("deniable = [5]", "deniable = [6]"),
            ("group = 7", "group = 5"),
            ("group = 7\n", "group = 8\n"),
            ("root = \"kieltoasiakirja\"", "root = \"luovutuslupa_asiakirja\""),
            ("cancelled = \"peruttava", "documents = \"peruttava"),
            ("informointi/versio", "informointi//versio"),
            ("evidence = \"seen\"", "evidence = \"heard\""),
        ] {
            let mut files = embedded();
            let text = String::from_utf8(files[FILE].clone()).unwrap();
            assert!(text.contains(old), "{old}");
            files.insert(FILE.to_owned(), text.replacen(old, new, 1).into_bytes());
            assert_eq!(WillRules::load(&files).unwrap_err().file, FILE, "{new}");
        }
    }
}
