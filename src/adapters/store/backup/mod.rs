//! The archive copied out and in while it is at work: one moment of it, whole. PostgreSQL gives every table from one snapshot, in its own binary form; SQLite gives one
//! file. A copy says of itself which migrations made it, where its ledger ends, and what each of its files hashes to.

mod postgres;
mod sqlite;

use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter};

use super::fault::Fault;
use super::line::{Line, Value};
use super::lines::{Address, close};
use super::{address, unsigned};
use crate::crypto::Sha256;
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;

/// How much of a file is read at once.
const PIECE: usize = 256 * 1024;

/// Which database a copy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL: a file a table.
    Postgres,
    /// SQLite: one file.
    Sqlite,
}

impl Dialect {
    /// The word in a copy's own description.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}

/// One file of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedFile {
    /// Its name within the copy's folder.
    pub name: String,
    /// The table in it; empty for a whole database.
    pub table: String,
    /// The table's columns, in the order of the file.
    pub columns: Vec<String>,
    /// Its size.
    pub octets: u64,
    /// Its SHA-256.
    pub sha: Digest,
}

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Of which database.
    pub dialect: Dialect,
    /// The archive's own name.
    pub archive: String,
    /// The migrations that made its tables: number, file, checksum.
    pub migrations: Vec<(i64, String, String)>,
    /// Where its ledger ends, and when that entry was made; zeros for an empty one.
    pub head: (Position, Digest, Moment),
    /// Its last signed checkpoint.
    pub checkpoint: Option<(Position, Digest)>,
    /// Its files.
    pub files: Vec<CopiedFile>,
}

/// A sender, and the last that the archive has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastOf {
    /// The sender.
    pub sender: String,
    /// The ledger position of its last message.
    pub position: Position,
    /// When that was decided.
    pub at: Moment,
    /// The SHA-256 of that message.
    pub message: Digest,
}

/// Copies the archive into an existing, empty folder. The gateway may be at work: everything is of one moment.
///
/// # Errors
/// When the database is out of reach, or the disk is full.
pub async fn copy_out(url: &str, folder: &Path) -> Result<Copied, Outage> {
    let address = address(url)?.existing();
    let copied = match &address {
        Address::Postgres(_) => postgres::copy_out(&address, folder).await,
        Address::Sqlite(_) => sqlite::copy_out(&address, folder).await,
    };
    copied.map_err(Broken::outage)
}

/// Copies an archive in: into a database without tables, or a file that is not there yet. All of it or nothing. Its tables are then those of the release that made the
/// copy; [`super::migrate()`] brings them up to this one.
///
/// # Errors
/// When the place is not fresh, the copy is of another sort of database or of a later release, a file is not what it was, or the database is out of reach.
pub async fn copy_in(url: &str, folder: &Path, copied: &Copied) -> Result<(), Outage> {
    for file in &copied.files {
        let (octets, sha) = digest(&folder.join(&file.name)).await.map_err(Broken::outage)?;
        if octets != file.octets || sha != file.sha {
            return Err(wrong(format!("{} is not what it was when the copy was made", file.name)));
        }
    }
    let address = address(url)?;
    match (&address, copied.dialect) {
        (Address::Postgres(_), Dialect::Postgres) => postgres::copy_in(&address, folder, copied).await.map_err(Broken::outage),
        (Address::Sqlite(options), Dialect::Sqlite) => sqlite::copy_in(options.get_filename(), folder, copied).await.map_err(Broken::outage),
        (Address::Postgres(_) | Address::Sqlite(_), dialect) => Err(wrong(format!("the copy is of {}: [archive] url names another sort", dialect.as_str()))),
    }
}

/// Every sender with its last message, in order of their names: who must send again what came later.
///
/// # Errors
/// As for any look into the archive.
pub async fn last_of_senders(url: &str) -> Result<Vec<LastOf>, Outage> {
    let mut line = copying(&address(url)?.existing()).connect().await.map_err(|fault| fault.outage())?;
    let rows = line
        .one(
            "SELECT l.sender, l.position, l.at, l.message FROM ledger l JOIN (SELECT max(position) AS last FROM ledger GROUP BY sender) m ON m.last = l.position \
             ORDER BY l.sender",
            &[],
        )
        .await;
    close(line).await;
    let read = |row: &super::line::Row| {
        Ok(LastOf {
            sender: row.need_text(0)?,
            position: Position(unsigned(row.need_int(1)?)),
            at: Moment::from_micros(row.need_int(2)?),
            message: Digest::from_slice(&row.need_octets(3)?).unwrap_or(Digest::ZERO),
        })
    };
    rows.and_then(|rows| rows.iter().map(read).collect::<Result<_, Fault>>()).map_err(|fault| fault.outage())
}

/// What keeps a copy from being made.
enum Broken {
    Store(Fault),
    Disk(std::io::Error),
    Other(String),
}

impl Broken {
    fn outage(self) -> Outage {
        match self {
            Self::Store(fault) => fault.outage(),
            Self::Disk(error) => Outage::new(Part::Machine, format!("copy: {error}")),
            Self::Other(why) => wrong(why),
        }
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

fn wrong(why: impl Into<String>) -> Outage {
    Outage::new(Part::Archive, why.into())
}

/// The same place with no limit on a statement's time: a copy of a large archive takes hours.
fn copying(address: &Address) -> Address {
    match address {
        Address::Postgres(options) => {
            let unlimited = [("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];
            Address::Postgres(Box::new((**options).clone().options(unlimited)))
        }
        Address::Sqlite(options) => Address::Sqlite(options.clone()),
    }
}

/// What a copy says of itself, read on the connection that has its moment.
async fn described(line: &mut Line, dialect: Dialect) -> Result<Copied, Broken> {
    let migrations = line.one("SELECT version, name, checksum FROM migration ORDER BY version", &[]).await?;
    let migrations = migrations.iter().map(|row| Ok((row.need_int(0)?, row.need_text(1)?, row.need_text(2)?))).collect::<Result<_, Fault>>()?;
    let name = line.one("SELECT name FROM archive WHERE id = 1", &[]).await?;
    let archive = name.first().ok_or_else(|| Fault::Wrong("the archive's name is missing".to_owned()))?.need_text(0)?;
    let head = line.one("SELECT h.position, h.hash, coalesce(l.at, 0) FROM head h LEFT JOIN ledger l ON l.position = h.position WHERE h.id = 1", &[]).await?;
    let head = head.first().ok_or_else(|| Fault::Wrong("the ledger's head is missing".to_owned()))?;
    let digest = |octets: Vec<u8>| Digest::from_slice(&octets).unwrap_or(Digest::ZERO);
    let head = (Position(unsigned(head.need_int(0)?)), digest(head.need_octets(1)?), Moment::from_micros(head.need_int(2)?));
    let last = line.one("SELECT position, hash FROM checkpoint ORDER BY position DESC LIMIT 1", &[]).await?;
    let checkpoint = last.first().map(|row| Ok::<_, Fault>((Position(unsigned(row.need_int(0)?)), digest(row.need_octets(1)?)))).transpose()?;
    Ok(Copied { dialect, archive, migrations, head, checkpoint, files: Vec::new() })
}

/// A file that is hashed while it is written, readable by its owner alone, and on the disk when it is finished.
struct Hashed {
    name: String,
    file: BufWriter<File>,
    sha: Sha256,
    octets: u64,
}

impl Hashed {
    async fn create(folder: &Path, name: String) -> Result<Self, Broken> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(folder.join(&name)).await?;
        Ok(Self { name, file: BufWriter::with_capacity(PIECE, file), sha: Sha256::new(), octets: 0 })
    }

    async fn write(&mut self, piece: &[u8]) -> Result<(), Broken> {
        self.sha.update(piece);
        self.octets += piece.len() as u64;
        Ok(self.file.write_all(piece).await?)
    }

    async fn finish(mut self, table: String, columns: Vec<String>) -> Result<CopiedFile, Broken> {
        self.file.flush().await?;
        self.file.get_ref().sync_all().await?;
        Ok(CopiedFile { name: self.name, table, columns, octets: self.octets, sha: self.sha.finish() })
    }
}

async fn digest(path: &PathBuf) -> Result<(u64, Digest), Broken> {
    let mut file = File::open(path).await?;
    let (mut sha, mut octets, mut piece) = (Sha256::new(), 0_u64, vec![0; PIECE]);
    // Ends with the file.
    loop {
        let length = file.read(&mut piece).await?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else { break };
        sha.update(read);
        octets += length as u64;
    }
    Ok((octets, sha.finish()))
}

/// A value that a statement of ours bears as text.
fn text(value: &str) -> Value<'_> {
    Value::Text(Some(value))
}
