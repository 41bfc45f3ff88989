//! A canary is a value that must not sing: it is put into messages and searched for in logs.

use std::path::{Path, PathBuf};

/// Where a canary was found. The line's text is left out: a failing test must not print what it forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// Which of the needles, counted from 0.
    pub needle: usize,
}

/// Every line of every file, folders taken with all below them, that holds one of `needles`, upper or lower case alike.
/// A path that is not there is a failure: an empty search proves nothing.
#[track_caller]
pub fn grep<P: AsRef<Path>>(paths: &[P], needles: &[&str]) -> Vec<Hit> {
    assert!(!needles.is_empty() && needles.iter().all(|needle| !needle.is_empty()), "a canary has a name");
    let mut files = Vec::new();
    for path in paths {
        assert!(path.as_ref().exists(), "{} is not there to be searched", path.as_ref().display());
        collect(path.as_ref(), &mut files);
    }
    let needles: Vec<Vec<u8>> = needles.iter().map(|needle| needle.to_lowercase().into_bytes()).collect();
    let mut hits = Vec::new();
    for file in files {
        // A log that was rotated away between the listing and the reading has been searched under its other name.
        let Ok(octets) = std::fs::read(&file) else { continue };
        for (index, line) in octets.to_ascii_lowercase().split(|octet| *octet == b'\n').enumerate() {
            for (needle, wanted) in needles.iter().enumerate() {
                if line.windows(wanted.len()).any(|window| window == wanted) {
                    hits.push(Hit { file: file.clone(), line: index + 1, needle });
                }
            }
        }
    }
    hits
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| collect(entry, files));
    } else if path.is_file() {
        files.push(path.to_path_buf());
    }
}
