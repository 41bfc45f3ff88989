//! What there is to send: the files of folders in the order of their names, each with what must be answered to it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::wanted::{self, Wanted};
use super::{Fate, Item, Replay};

/// The ending of an expected answer's file.
pub const ENDING: &str = "expected";
/// The most files of one run, and the deepest folder: more is a mistake in the path.
const FILES: usize = 1_000_000;
const DEPTH: usize = 16;
/// How much of a file is read to see what it is.
const HEAD: u64 = 2048;

/// What was gathered.
pub struct Gathered {
    /// In the order of sending.
    pub items: Vec<Item>,
    /// Files in the folders that are no messages by their names.
    pub left_out: usize,
}

/// Walks the folders.
///
/// # Errors
/// A path that is not there, a folder that cannot be listed, or nothing to send.
pub fn gather(command: &Replay) -> Result<Gathered, String> {
    let given = match command.expect.as_deref() {
        None => Given::Each(command.expect_all),
        Some(word) => match Wanted::word(word) {
            Some(wanted) => Given::All(wanted),
            None if Path::new(word).is_dir() => Given::Folder(PathBuf::from(word)),
            None => return Err(format!("--expect {word}: say accepted, refused, none, any, a code of `arkki codes`, or a folder")),
        },
    };
    let mut walk = Walk { folders: BTreeMap::new(), singles: Vec::new(), left_out: 0, files: 0 };
    let mut items = Vec::new();
    let mut step = 0;
    for from in &command.from {
        let kind = fs::metadata(from).map_err(|e| format!("{}: {e}", from.display()))?;
        if kind.is_dir() {
            step += usize::from(items.last().is_some_and(|item: &Item| item.step == step));
            walk.folder(from, 0)?;
        } else {
            walk.singles.push(from.clone());
        }
        for (folder, mut files) in std::mem::take(&mut walk.folders) {
            files.sort();
            let base = if from.is_dir() { from.as_path() } else { folder.as_path() };
            items.extend(files.into_iter().map(|path| item(path, base, step, &given)));
            step += 1;
        }
        // Files that were named one by one are one step together.
        for path in std::mem::take(&mut walk.singles) {
            let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
            items.push(item(path, &base, step, &given));
        }
    }
    if items.is_empty() {
        return Err("there is no *.xml in what was named".to_owned());
    }
    Ok(Gathered { items, left_out: walk.left_out })
}

/// What the command line says of expectations.
enum Given {
    All(Wanted),
    Folder(PathBuf),
    /// Each by its file or its name; `true`: else it must be accepted.
    Each(bool),
}

struct Walk {
    folders: BTreeMap<PathBuf, Vec<PathBuf>>,
    singles: Vec<PathBuf>,
    left_out: usize,
    files: usize,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err(format!("{}: more than {DEPTH} folders deep", folder.display()));
        }
        let told = |e: std::io::Error| format!("{}: {e}", folder.display());
        let mut below = Vec::new();
        for entry in fs::read_dir(folder).map_err(told)? {
            let entry = entry.map_err(told)?;
            let path = entry.path();
            // A link to a folder is not followed: it may lead round in a ring.
            if entry.file_type().map_err(told)?.is_dir() {
                below.push(path);
            } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml")) {
                self.files += 1;
                if self.files > FILES {
                    return Err(format!("more than {FILES} files: name a smaller folder"));
                }
                self.folders.entry(folder.to_path_buf()).or_default().push(path);
            } else if path.extension().is_none_or(|e| e != ENDING) {
                self.left_out += 1;
            }
        }
        below.sort();
        below.iter().try_for_each(|path| self.folder(path, depth + 1))
    }
}

fn item(path: PathBuf, base: &Path, step: usize, given: &Given) -> Item {
    let wanted = match given {
        Given::All(wanted) => Ok(wanted.clone()),
        Given::Folder(folder) => {
            let beside = folder.join(path.strip_prefix(base).unwrap_or(&path)).with_extension(ENDING);
            read(&beside).unwrap_or_else(|| Err(format!("{}: there is no such file", beside.display())))
        }
        Given::Each(all) => read(&path.with_extension(ENDING)).unwrap_or_else(|| Ok(guessed(&path, *all))),
    };
    Item { name: path.display().to_string(), path, step, wanted, fate: Fate::NotSent }
}

/// What the name or the message itself says.
fn guessed(path: &Path, all: bool) -> Wanted {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    match Wanted::promised(&name) {
        Some(wanted) => wanted,
        None if is_owed_nothing(path) => Wanted::Silence,
        None if all => Wanted::Accepted,
        None => Wanted::Anything,
    }
}

/// An acknowledgement is never acknowledged. Its root element says what it is.
pub fn is_owed_nothing(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = fs::metadata(path).is_ok_and(|m| m.is_file()) && fs::File::open(path).is_ok_and(|f| f.take(HEAD).read_to_end(&mut head).is_ok());
    read && String::from_utf8_lossy(&head).contains("<MCCI_IN")
}

/// `None` where there is no such file.
fn read(path: &Path) -> Option<Result<Wanted, String>> {
    let metadata = fs::metadata(path).ok()?;
    let told = |why: String| format!("{}: {why}", path.display());
    if !metadata.is_file() || metadata.len() > wanted::OCTETS {
        return Some(Err(told(format!("an expected answer is a file of at most {} octets", wanted::OCTETS))));
    }
    Some(fs::read_to_string(path).map_err(|e| told(e.to_string())).and_then(|text| Wanted::read(&text).map_err(told)))
}
