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
