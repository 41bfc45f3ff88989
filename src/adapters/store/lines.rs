//! Connections: where to, how long to wait, and a few kept for whatever is not batched. A connection that failed is thrown away; the next caller opens another.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::fault::Fault;
use super::line::Line;

/// How long opening a connection, or waiting for a free one, may take: short, so that an outage is known before senders wonder.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long one operation may take in all, its statements' own timeouts included.
pub(super) const OPERATION: Duration = Duration::from_secs(20);
/// How long PostgreSQL itself lets one statement run.
pub(super) const STATEMENT: Duration = Duration::from_secs(15);
/// How long one statement of a search may run, on either database: an asker waits 30 s (messaging.md §8), and a search is two statements at most.
/// Longer than [`CONNECT`], so that a lock that passes fails nobody.
pub(super) const SEARCH: Duration = Duration::from_secs(8);
/// How often an operation is tried again when another is in the way.
pub(super) const BUSY_ATTEMPTS: u32 = 8;
/// Connections for what is not batched: outbox, holds, audit. More would only wait for the same disk.
const SPARE: usize = 4;

/// Where the database is.
#[derive(Clone)]
pub(super) enum Address {
    /// A PostgreSQL server.
    Postgres(Box<PgConnectOptions>),
    /// A file.
    Sqlite(Box<SqliteConnectOptions>),
}

impl Address {
    /// The same place for what may be lost in a crash: leases, and rows forgotten after they were sent, which are then sent again under the same ids.
    /// Such a change waits for no disk; the next commit that does brings it along.
    fn relaxed(&self) -> Self {
        match self {
            Self::Postgres(options) => Self::Postgres(Box::new((**options).clone().options([("synchronous_commit", "off")]))),
            Self::Sqlite(options) => Self::Sqlite(Box::new((**options).clone().synchronous(SqliteSynchronous::Normal))),
        }
    }

    /// The same place for searches, whose statements end after [`SEARCH`]; SQLite's are ended by [`Line::bound`].
    pub fn searching(&self) -> Self {
        match self {
            Self::Postgres(options) => Self::Postgres(Box::new((**options).clone().options([("statement_timeout", SEARCH.as_millis().to_string())]))),
            Self::Sqlite(options) => Self::Sqlite(options.clone()),
        }
    }

    /// The same place, which must be there already.
    pub fn existing(self) -> Self {
        match self {
            Self::Postgres(options) => Self::Postgres(options),
            Self::Sqlite(options) => Self::Sqlite(Box::new(options.create_if_missing(false))),
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When the database cannot be reached in time.
    pub async fn connect(&self) -> Result<Line, Fault> {
        let opened = timeout(CONNECT, async {
            Ok::<_, sqlx::Error>(match self {
                Self::Postgres(options) => Line::Postgres(Box::new(options.connect().await?)),
                Self::Sqlite(options) => Line::Sqlite(Box::new(options.connect().await?)),
            })
        });
        match opened.await {
            // Whatever kept a connection from opening, it keeps everybody's from opening.
            Ok(result) => result.map_err(|error| match Fault::from(error) {
                Fault::Busy(detail) | Fault::Down(detail) | Fault::Slow(detail) | Fault::Wrong(detail) | Fault::Unfit(detail) => Fault::Down(self.told(detail)),
            }),
            Err(_) => Err(Fault::slow("connecting")),
        }
    }

    /// Why a connection could not be opened, in words where the file itself tells.
    fn told(&self, detail: String) -> String {
        match self {
            Self::Postgres(_) => detail,
            Self::Sqlite(options) => super::sqlite::told(options.get_filename(), detail),
        }
    }
}

/// A few connections, and SQLite's turn to write.
pub(super) struct Lines {
    /// Where to.
    pub address: Address,
    relaxed: Address,
    idle: Mutex<Vec<Line>>,
    permits: Semaphore,
    turn: tokio::sync::Mutex<()>,
}

impl Lines {
    /// Opens nothing yet.
    pub fn new(address: Address) -> Self {
        Self { relaxed: address.relaxed(), address, idle: Mutex::new(Vec::new()), permits: Semaphore::new(SPARE), turn: tokio::sync::Mutex::new(()) }
    }

    /// A spare connection and whether it is fresh; an idle one may have died since it was used. Nothing is written through it that must not be lost.
    ///
    /// # Errors
    /// When none can be had in time.
    pub async fn take(&self) -> Result<(Line, bool, SemaphorePermit<'_>), Fault> {
        let Ok(Ok(permit)) = timeout(CONNECT, self.permits.acquire()).await else {
            return Err(Fault::slow("waiting for a free connection"));
        };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(line) => Ok((line, false, permit)),
            None => Ok((self.relaxed.connect().await?, true, permit)),
        }
    }

    /// Takes a healthy connection back.
    pub fn give(&self, line: Line) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Forgets every idle connection: one of them was found dead, so the others are as old.
    pub fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// SQLite's turn to write, so that writers of one process queue instead of polling the file's lock. PostgreSQL needs none.
    pub async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.address {
            Address::Postgres(_) => None,
            Address::Sqlite(_) => Some(self.turn.lock().await),
        }
    }
}

/// One transaction: all of the work, or nothing of it.
///
/// # Errors
/// As the work says, or the database.
pub(super) async fn whole<T>(line: &mut Line, work: impl AsyncFnOnce(&mut Line) -> Result<T, Fault>) -> Result<T, Fault> {
    line.begin().await?;
    let outcome = work(line).await;
    match outcome {
        Ok(value) => line.commit().await.map(|()| value),
        Err(fault) => line.rollback().await.and(Err(fault)),
    }
}

/// Runs work that must not be lost on a connection of its own, which waits for the disk: in one transaction, again when another was in the way.
macro_rules! durably {
    ($lines:expr, |$line:ident| $work:expr) => {{
        let lines: &$crate::adapters::store::lines::Lines = $lines;
        let _turn = lines.turn().await;
        let mut own = lines.address.connect().await.map_err(|fault| fault.outage())?;
        let mut attempt = 0_u32;
        let outcome = loop {
            attempt += 1;
            let work = $crate::adapters::store::lines::whole(&mut own, async |$line: &mut $crate::adapters::store::line::Line| $work);
            let ended = tokio::time::timeout($crate::adapters::store::lines::OPERATION, work).await;
            match ended.unwrap_or_else(|_| Err($crate::adapters::store::fault::Fault::slow("a lasting change"))) {
                Err($crate::adapters::store::fault::Fault::Busy(_)) if attempt < $crate::adapters::store::lines::BUSY_ATTEMPTS => {
                    tokio::time::sleep($crate::adapters::store::lines::pause(attempt)).await;
                }
                outcome => break outcome,
            }
        };
        $crate::adapters::store::lines::close(own).await;
        outcome.map_err(|fault| fault.outage())
    }};
}
pub(super) use durably;

/// Runs one repeatable operation on a spare connection: again on a fresh one when the connection had died, again after a pause when another was in the way.
macro_rules! on_spare {
    ($lines:expr, |$line:ident| $operation:expr) => {{
        let lines: &$crate::adapters::store::lines::Lines = $lines;
        let mut attempt = 0_u32;
        loop {
            attempt += 1;
            let (mut taken, fresh, _permit) = lines.take().await.map_err(|fault| fault.outage())?;
            let $line = &mut taken;
            let outcome = match tokio::time::timeout($crate::adapters::store::lines::OPERATION, $operation).await {
                Ok(outcome) => outcome,
                Err(_) => Err($crate::adapters::store::fault::Fault::slow("an operation")),
            };
            match outcome {
                Ok(value) => {
                    lines.give(taken);
                    break Ok(value);
                }
                Err($crate::adapters::store::fault::Fault::Down(_)) if !fresh && attempt < $crate::adapters::store::lines::BUSY_ATTEMPTS => lines.forget(),
                Err($crate::adapters::store::fault::Fault::Busy(_)) if attempt < $crate::adapters::store::lines::BUSY_ATTEMPTS => {
                    lines.give(taken);
                    tokio::time::sleep($crate::adapters::store::lines::pause(attempt)).await;
                }
                Err(fault) => {
                    if matches!(fault, $crate::adapters::store::fault::Fault::Wrong(_) | $crate::adapters::store::fault::Fault::Unfit(_)) {
                        lines.give(taken);
                    }
                    break Err(fault.outage());
                }
            }
        }
    }};
}
pub(super) use on_spare;

/// The pause before the n-th try again.
pub(super) fn pause(attempt: u32) -> Duration {
    Duration::from_millis(5 << attempt.min(6))
}

/// Closes politely what a clean end closes; a dropped connection is closed too, without a word.
pub(super) async fn close(line: Line) {
    let _ = timeout(CONNECT, async {
        match line {
            Line::Postgres(line) => line.close().await,
            Line::Sqlite(line) => line.close().await,
        }
    })
    .await;
}
