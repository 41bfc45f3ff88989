//! Brings the tables up to date from the files built into the binary. What was run is recorded with its checksum: a file changed afterwards, or a
//! database newer than the binary, is refused. A lock lets any number of instances start together.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::line::{Line, Value};
use super::lines::{Address, close};
use crate::codes::source;
use crate::crypto;
use crate::domain::outage::{Outage, Part};

/// The advisory lock's number: "arkki" in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(418531470185)";
const RECORD: &str = "CREATE TABLE IF NOT EXISTS migration (version bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL)";

/// Brings the tables up to date.
///
/// # Errors
/// When the database is out of reach, or its tables are not of our making.
pub(super) async fn run(address: &Address) -> Result<Vec<String>, Outage> {
    let mut line = address.connect().await.map_err(|fault| fault.outage())?;
    let ours = files(address)?;
    let done = match pending(&mut line, &ours).await? {
        none if none.is_empty() => none,
        _ => apply_all(&mut line, &ours).await?,
    };
    close(line).await;
    Ok(done)
}

/// Names the files not yet run; changes nothing.
///
/// # Errors
/// As [`run`].
pub(super) async fn left(address: &Address) -> Result<Vec<String>, Outage> {
    let mut line = address.connect().await.map_err(|fault| fault.outage())?;
    let left = pending(&mut line, &files(address)?).await;
    close(line).await;
    left
}

/// Lays the tables as just these migrations made them, in the caller's transaction and an empty database: for a copy that is brought back.
///
/// # Errors
/// When one of them is none of ours: the copy was made by a later release.
pub(super) async fn lay(line: &mut Line, address: &Address, wanted: &[(i64, String, String)]) -> Result<(), Outage> {
    line.script(RECORD).await.map_err(|fault| fault.outage())?;
    let ours = files(address)?;
    for (version, name, checksum) in wanted {
        let Some(file) = ours.get(version).filter(|file| file.checksum == *checksum) else {
            return Err(Outage::new(
                Part::Archive,
                format!("the copy was made with migration {name}, which this arkki does not have: take the release that made it"),
            ));
        };
        record(line, file).await?;
    }
    Ok(())
}

/// Runs one file and says so.
async fn record(line: &mut Line, file: &File) -> Result<(), Outage> {
    let outcome = async {
        line.script(&file.text).await?;
        let values = [Value::Int(Some(file.version)), Value::Text(Some(&file.name)), Value::Text(Some(&file.checksum))];
        line.one("INSERT INTO migration (version, name, checksum) VALUES ($1, $2, $3)", &values).await
    };
    outcome.await.map(drop).map_err(|fault: Fault| Outage::new(Part::Archive, format!("migration {}: {}", file.name, fault.outage().detail)))
}

/// Looks again under the lock, since another instance may have been quicker, and runs what is left. One transaction: all of it or nothing.
async fn apply_all(line: &mut Line, ours: &BTreeMap<i64, File>) -> Result<Vec<String>, Outage> {
    let locked = async {
        line.begin().await?;
        if matches!(line, Line::Postgres(_)) {
            line.one(LOCK, &[]).await?;
        }
        line.script(RECORD).await
    };
    locked.await.map_err(|fault: Fault| fault.outage())?;
    let left = pending(line, ours).await?;
    for file in ours.values().filter(|file| left.contains(&file.name)) {
        record(line, file).await?;
    }
    line.commit().await.map_err(|fault| fault.outage())?;
    Ok(left)
}

/// Names of files not yet run.
async fn pending(line: &mut Line, ours: &BTreeMap<i64, File>) -> Result<Vec<String>, Outage> {
    let there = match line {
        Line::Postgres(_) => line.one("SELECT 1::bigint WHERE to_regclass('migration') IS NOT NULL", &[]).await,
        Line::Sqlite(_) => line.one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'", &[]).await,
    };
    let mut run = BTreeMap::new();
    if !there.map_err(|fault| fault.outage())?.is_empty() {
        let rows = line.one("SELECT version, checksum FROM migration", &[]).await.map_err(|fault| fault.outage())?;
        for row in rows {
            let read = |row: &super::line::Row| Ok::<_, Fault>((row.need_int(0)?, row.need_text(1)?));
            let (version, checksum) = read(&row).map_err(|fault| fault.outage())?;
            run.insert(version, checksum);
        }
    }
    for (version, checksum) in &run {
        match ours.get(version) {
            None => return Err(Outage::new(Part::Archive, format!("the database has migration {version}, which this arkki does not know: it is newer"))),
            Some(file) if file.checksum != *checksum => {
                return Err(Outage::new(Part::Archive, format!("migration {} differs from the one this database was made with", file.name)));
            }
            Some(_) => {}
        }
    }
    Ok(ours.values().filter(|file| !run.contains_key(&file.version)).map(|file| file.name.clone()).collect())
}

struct File {
    version: i64,
    name: String,
    text: String,
    checksum: String,
}

/// `migrations/postgres/0001_archive.sql` and the like, by number.
fn files(address: &Address) -> Result<BTreeMap<i64, File>, Outage> {
    let folder = match address {
        Address::Postgres(_) => "migrations/postgres/",
        Address::Sqlite(_) => "migrations/sqlite/",
    };
    let mut found = BTreeMap::new();
    for (path, octets) in source::embedded() {
        let Some(name) = path.strip_prefix(folder) else { continue };
        let version = name.split('_').next().and_then(|digits| digits.parse::<i64>().ok());
        let (Some(version), Ok(text)) = (version, String::from_utf8(octets)) else {
            return Err(Outage::new(Part::Machine, format!("the built-in migration {name} has no number or is no text")));
        };
        let checksum = crypto::sha256(text.as_bytes()).to_hex();
        found.insert(version, File { version, name: name.to_owned(), text, checksum });
    }
    Ok(found)
}
