//! What an import remembers between runs: one JSON value a line, only ever appended. A line that a kill cut short is dropped when the file is opened again.
//! It holds codes, sentences and numbers, no value of a document.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::check::{Checked, Reason};
use crate::import::plan::Item;

/// What makes two runs the same import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// SHA-256 of the manifest.
    pub manifest: String,
    /// SHA-256 of the mapping.
    pub mapping: String,
    /// Whether only the permanent sample is imported.
    pub only_sample: bool,
    /// The import's arc: part of every id it makes.
    pub import: u32,
    /// When it began.
    pub created: String,
}

/// The archive's answer to one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// AA, AE or AR.
    pub ack: String,
    /// The first finding's code.
    pub code: String,
    /// Its sentence.
    pub text: String,
    /// The ledger position.
    pub position: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Import(Head),
    Refused(String, Reason),
    Checked,
    Sent(String, String),
    Answer(String, Answer),
}

/// An open journal. One process at a time: the file is locked.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    head: Head,
    refused: HashMap<Item, Reason>,
    is_checked: bool,
    sent: HashMap<Item, String>,
    answers: HashMap<Item, Answer>,
}

impl Journal {
    /// Opens the journal of an import, or begins one.
    ///
    /// # Errors
    /// When it cannot be read or written, another process has it, or it belongs to another manifest, mapping or choice of rows.
    pub fn open(path: &Path, head: &Head) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another import has it open")),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        let mut journal =
            Self { path: path.to_owned(), file, head: head.clone(), refused: HashMap::new(), is_checked: false, sent: HashMap::new(), answers: HashMap::new() };
        if journal.read()? {
            let mine = Head { import: journal.head.import, created: journal.head.created.clone(), ..head.clone() };
            if mine != journal.head {
                return Err(io::Error::other("it belongs to another manifest, mapping or choice of rows; give this import a --journal of its own"));
            }
        } else {
            journal.write(&Line::Import(head.clone()))?;
            journal.file.sync_all()?;
        }
        Ok(journal)
    }

    /// Reads what is there; whether anything was.
    fn read(&mut self) -> io::Result<bool> {
        let mut text = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            self.file.set_len(whole as u64)?;
        }
        let mut lines = 0_u64;
        for line in text.get(..whole).unwrap_or_default().split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
            lines += 1;
            let damaged = || io::Error::other(format!("line {lines} is damaged"));
            match serde_json::from_slice(line).map_err(|_| damaged())? {
                Line::Import(head) => self.head = head,
                Line::Checked => self.is_checked = true,
                Line::Refused(item, reason) => {
                    self.refused.insert(item_of(&item).ok_or_else(damaged)?, reason);
                }
                Line::Sent(item, digest) => {
                    self.sent.insert(item_of(&item).ok_or_else(damaged)?, digest);
                }
                Line::Answer(item, answer) => {
                    self.answers.insert(item_of(&item).ok_or_else(damaged)?, answer);
                }
            }
        }
        Ok(lines > 0)
    }

    /// The import it is of.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// What the dry run refused; `None` before it ended.
    pub fn checked(&self) -> Option<Checked> {
        self.is_checked.then(|| Checked { refused: self.refused.clone().into_iter().collect(), ..Checked::default() })
    }

    /// Remembers the dry run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_checked(&mut self, checked: &Checked) -> io::Result<()> {
        for (item, reason) in &checked.refused {
            self.write(&Line::Refused(key(*item), reason.clone()))?;
            self.refused.insert(*item, reason.clone());
        }
        self.write(&Line::Checked)?;
        self.is_checked = true;
        self.file.sync_all()
    }

    /// The SHA-256 of an item that was sent.
    pub fn sent(&self, item: Item) -> Option<&str> {
        self.sent.get(&item).map(String::as_str)
    }

    /// Remembers a sending, before it is done.
    ///
    /// # Errors
    /// When it cannot be written: nothing may be sent then.
    pub fn note_sent(&mut self, item: Item, digest: String) -> io::Result<()> {
        if self.sent.get(&item) != Some(&digest) {
            self.write(&Line::Sent(key(item), digest.clone()))?;
            self.sent.insert(item, digest);
        }
        Ok(())
    }

    /// The answer to an item.
    pub fn answer(&self, item: Item) -> Option<&Answer> {
        self.answers.get(&item)
    }

    /// Remembers an answer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_answer(&mut self, item: Item, answer: Answer) -> io::Result<()> {
        self.write(&Line::Answer(key(item), answer.clone()))?;
        self.answers.insert(item, answer);
        Ok(())
    }

    /// Removes a journal in which nothing was sent.
    pub fn forget(self) {
        if self.sent.is_empty() {
            let _left = std::fs::remove_file(&self.path);
        }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
        text.push(b'\n');
        self.file.write_all(&text)
    }
}

/// An item's name: `r0`, `c12`, `d4711`.
pub fn key(item: Item) -> String {
    match item {
        Item::Relation(at) => format!("r{at}"),
        Item::Case(at) => format!("c{at}"),
        Item::Document(at) => format!("d{at}"),
    }
}

/// The item of a name.
pub fn item_of(key: &str) -> Option<Item> {
    let at = key.get(1..)?.parse().ok()?;
    match key.get(..1)? {
        "r" => Some(Item::Relation(at)),
        "c" => Some(Item::Case(at)),
        "d" => Some(Item::Document(at)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head { manifest: "m".into(), mapping: "p".into(), only_sample: false, import: 7, created: "2026".into() }
    }

    #[test]
    fn a_journal_is_read_back_and_a_torn_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.journal");
        let answer = Answer { ack: "AA".into(), code: String::new(), text: String::new(), position: Some(4) };
        let mut journal = Journal::open(&path, &head()).unwrap();
        assert!(Journal::open(&path, &head()).unwrap_err().to_string().contains("another import"));
        let refused = [(Item::Document(2), Reason { code: "E306".into(), text: "x".into() })].into();
        journal.note_checked(&Checked { refused, ..Checked::default() }).unwrap();
        journal.note_sent(Item::Relation(0), "aa".into()).unwrap();
        journal.note_answer(Item::Relation(0), answer.clone()).unwrap();
        drop(journal);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"sent\":[\"c0\",\"b").unwrap();
        let mut journal = Journal::open(&path, &Head { import: 9, created: "2027".into(), ..head() }).unwrap();
        assert_eq!((journal.head().import, journal.sent(Item::Case(0))), (7, None), "the first run's arc and time stay");
        assert_eq!((journal.answer(Item::Relation(0)), journal.checked().unwrap().refused.len()), (Some(&answer), 1));
        journal.note_sent(Item::Case(0), "bb".into()).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path, &head()).unwrap().sent(Item::Case(0)), Some("bb"), "what follows a torn line is whole");
        let other = Head { manifest: "n".into(), ..head() };
        assert!(Journal::open(&path, &other).unwrap_err().to_string().contains("another manifest"));
        std::fs::write(&path, "{}\n{}\n").unwrap();
        assert!(Journal::open(&path, &head()).unwrap_err().to_string().contains("line 1 is damaged"));
    }
}
