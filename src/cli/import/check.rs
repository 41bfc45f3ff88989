//! The dry run: every row becomes the document it would be and gets the gateway's own verdict, on all processors.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use super::{Work, read_below};
use crate::crypto::sha256;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::import::plan::Item;
use crate::import::row::RowFault;
use crate::pipeline::examine::Stage;

/// Why a row cannot be archived: a refusal code (or the key of a row's fault) and its sentence. No value of the document is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `E305`, or `import-no-file`.
    pub code: String,
    /// The sentence.
    pub text: String,
}

/// What the dry run found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Refused items of the plan with their reason.
    pub refused: BTreeMap<Item, Reason>,
    /// Warnings that acceptances would carry, by code.
    pub warnings: BTreeMap<String, usize>,
}

impl Checked {
    /// How many rows pass.
    pub fn passed(&self, work: &Work) -> usize {
        (0..work.plan.documents.len()).filter(|at| self.reason(work, Item::Document(*at)).is_none()).count()
    }

    /// Why an item cannot be archived: its own reason, or that of what it hangs on.
    pub fn reason(&self, work: &Work, item: Item) -> Option<&Reason> {
        let case = work.plan.before(item);
        let relation = case.and_then(|case| work.plan.before(case));
        [Some(item), case, relation].into_iter().flatten().find_map(|item| self.refused.get(&item))
    }
}

/// Judges everything.
pub fn check(work: &Work, folder: &Path, quiet: bool) -> Checked {
    let items: Vec<Item> = work.plan.items().collect();
    let bar = super::super::send::bar(items.len(), quiet);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Checked::default(), Vec::<(Item, Digest)>::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| look(work, folder, &items, &next, &bar, &found));
        }
    });
    bar.finish_and_clear();
    let (mut checked, files) = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    twice(work, files, &mut checked);
    checked
}

fn look(work: &Work, folder: &Path, items: &[Item], next: &AtomicUsize, bar: &ProgressBar, found: &Mutex<(Checked, Vec<(Item, Digest)>)>) {
    // Ends with the items: each turn takes one.
    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
        let (verdict, digest) = judge(work, folder, *item);
        let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        found.1.extend(digest.map(|digest| (*item, digest)));
        match verdict {
            Ok(warnings) => warnings.iter().for_each(|w| *found.0.warnings.entry(w.code.as_str().to_owned()).or_default() += 1),
            Err(reason) => {
                found.0.refused.insert(*item, reason);
            }
        }
        drop(found);
        bar.inc(1);
    }
}

/// The gateway's verdict on one item, and the SHA-256 of its file.
fn judge(work: &Work, folder: &Path, item: Item) -> (Result<Vec<Finding>, Reason>, Option<Digest>) {
    let file = match file_of(work, folder, item) {
        Ok(file) => file,
        Err(reason) => return (Err(reason), None),
    };
    let digest = matches!(item, Item::Document(_)).then(|| sha256(&file));
    let octets = work.composer().octets(&work.plan, item, &file).unwrap_or_default();
    let findings = work.examiner.validate(&octets, Stage::All);
    match findings.iter().find(|f| f.is_error()) {
        Some(error) => (Err(Reason { code: error.code.as_str().to_owned(), text: work.examiner.sentence(error, work.language) }), digest),
        None => (Ok(findings), digest),
    }
}

/// A document's file; nothing for the documents that have none.
///
/// # Errors
/// Why it cannot be read, under the key of the row's fault.
pub fn file_of(work: &Work, folder: &Path, item: Item) -> Result<Vec<u8>, Reason> {
    let Item::Document(at) = item else { return Ok(Vec::new()) };
    let name = work.plan.documents.get(at).map_or("", |(row, _)| row.file.as_str());
    let most = work.examiner.site().octets.1 as u64;
    read_below(folder, name, most).map_err(|why| reason(work, &RowFault::of("file", why)))
}

fn reason(work: &Work, fault: &RowFault) -> Reason {
    Reason { code: fault.why.to_owned(), text: super::sentence(work, fault) }
}

/// The same file for the same client and day stands in two rows: the second is refused, so that nothing is archived twice.
fn twice(work: &Work, mut files: Vec<(Item, Digest)>, checked: &mut Checked) {
    files.sort_unstable();
    let mut seen = HashMap::new();
    for (item, digest) in files {
        let Item::Document(at) = item else { continue };
        let Some((row, _)) = work.plan.documents.get(at) else { continue };
        let key = (row.client.root.as_str(), row.client.extension.as_str(), row.authored, digest);
        match seen.get(&key) {
            None => {
                seen.insert(key, row.line);
            }
            Some(line) => {
                let fault = RowFault::of("file", "import-twice").with(format!("{line}"));
                checked.refused.entry(item).or_insert_with(|| reason(work, &fault));
            }
        }
    }
}
