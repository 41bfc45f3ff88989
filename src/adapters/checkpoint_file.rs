//! The file of checkpoints outside the database: lines are only ever appended, and are on the disk before they count. One process at a time writes; a lock on the file sees to it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::{Outage, Part};
use crate::pipeline::checkpoint::line::{self, LINE_OCTETS, Line};
use crate::ports::checkpoints::CheckpointFile;

/// How far from the end the last checkpoint is looked for: behind it stand only stamps that came late, and a line cut short.
const TAIL: u64 = 32 * LINE_OCTETS as u64;

/// An append-only file of lines.
pub struct LineFile {
    path: PathBuf,
}

impl LineFile {
    /// The file at this path; made when the first line is written.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Whether lines could be appended; opens, and writes nothing.
    ///
    /// # Errors
    /// What the machine says.
    pub fn try_open(&self) -> Result<(), Outage> {
        self.open().map(drop).map_err(|error| self.outage(&error))
    }

    fn open(&self) -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        options.open(&self.path)
    }

    fn outage(&self, error: &std::io::Error) -> Outage {
        Outage::new(Part::Machine, format!("{}: {error}", self.path.display()))
    }

    fn write(&self, lines: &str) -> std::io::Result<()> {
        let is_new = !self.path.exists();
        let mut file = self.open()?;
        // Released when the file is closed.
        file.try_lock().map_err(|_| std::io::Error::other("another process writes to it: give each instance a file of its own"))?;
        let length = file.seek(SeekFrom::End(0))?;
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        // A line that a crash cut short is left as it is, on a line of its own.
        let begin = if last == [b'\n'] { "" } else { "\n" };
        file.write_all(format!("{begin}{lines}").as_bytes())?;
        file.sync_all()?;
        if is_new && let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn tail(&self) -> std::io::Result<Vec<u8>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut octets = Vec::new();
        file.take(TAIL).read_to_end(&mut octets)?;
        Ok(octets)
    }
}

impl CheckpointFile for LineFile {
    fn last(&self) -> Result<Option<(Position, Digest)>, Outage> {
        let octets = self.tail().map_err(|error| self.outage(&error))?;
        let last = octets.split(|octet| *octet == b'\n').rev().find_map(|text| match line::read(std::str::from_utf8(text).ok()?) {
            Some(Line::Checkpoint(checkpoint)) => Some((checkpoint.statement.position, checkpoint.hash)),
            _ => None,
        });
        if last.is_none() && !octets.is_empty() {
            return Err(Outage::new(Part::Machine, format!("{}: no checkpoint stands at its end; move it away, and keep it", self.path.display())));
        }
        Ok(last)
    }

    fn append(&self, lines: &str) -> Result<(), Outage> {
        self.write(lines).map_err(|error| self.outage(&error))
    }
}
