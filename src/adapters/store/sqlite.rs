//! SQLite: one file, write-ahead log, every commit on the disk before it is answered.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::Store;
use super::lines::Address;
use crate::domain::outage::Outage;
use crate::ports::clock::Entropy;

/// How long to wait for another process's write to end.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the archive in a file, making it when it is not there and bringing its tables up to date.
///
/// # Errors
/// When the file cannot be opened or its tables are of another version than ours.
pub async fn open(path: &Path, instance: impl Into<String>, entropy: Arc<dyn Entropy>) -> Result<Store, Outage> {
    Store::start(address(path), instance.into(), entropy).await
}

/// Why the file could not be opened: SQLite's own codes do not tell one from the other.
pub(super) fn told(path: &Path, detail: String) -> String {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let opened = std::fs::OpenOptions::new().read(true).write(true).open(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match opened.and_then(|file| file.metadata()) {
        Err(error) if error.kind() == NotFound && folder.is_some_and(|folder| !folder.is_dir()) => {
            "the folder of the file is not there: make it, or mend [archive] url".to_owned()
        }
        Err(error) if error.kind() == NotFound => {
            "the file is not there: arkki migrate makes it, where this user may write in its folder; or mend [archive] url".to_owned()
        }
        Err(error) if error.kind() == PermissionDenied => {
            "this user may not read and write the file: run arkki as the user of arkki serve, or give it the right".to_owned()
        }
        Err(error) => format!("the file cannot be opened: {error}; mend [archive] url"),
        Ok(_) if detail.contains("no SQLite database") => format!("{detail}; mend [archive] url"),
        Ok(_) => detail,
    }
}

pub(super) fn address(path: &Path) -> Address {
    Address::Sqlite(Box::new(
        SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .statement_cache_capacity(100)
            // Statements bear values; none may reach a log.
            .disable_statement_logging(),
    ))
}
