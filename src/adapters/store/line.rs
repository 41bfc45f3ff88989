//! One connection to either database, and the three things asked of it: one statement with values, one statement for many rows, a transaction's ends.
//! PostgreSQL takes many rows as arrays in one round trip; SQLite, which has no round trip to save, takes them one by one. Nothing else differs here.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Executor, Postgres, Row as _, Sqlite};

use super::fault::Fault;

/// A connection.
pub(super) enum Line {
    /// To PostgreSQL.
    Postgres(Box<PgConnection>),
    /// To SQLite.
    Sqlite(Box<SqliteConnection>),
}

/// A value given to a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// A whole number.
    Int(Option<i64>),
    /// Text.
    Text(Option<&'a str>),
    /// Octets.
    Octets(Option<&'a [u8]>),
    /// Yes or no.
    Flag(Option<bool>),
}

impl Value<'_> {
    /// About how many octets it takes on the wire.
    fn size(&self) -> usize {
        const FRAME: usize = 12;
        FRAME
            + match self {
                Self::Int(_) | Self::Flag(_) => 0,
                Self::Text(text) => text.map_or(0, str::len),
                Self::Octets(octets) => octets.map_or(0, <[u8]>::len),
            }
    }
}

/// A column's type, named as PostgreSQL names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number.
    Int,
    /// Text.
    Text,
    /// Octets.
    Octets,
    /// Yes or no.
    Flag,
}

impl Kind {
    /// `bigint[]` and its like.
    pub const fn array(self) -> &'static str {
        match self {
            Self::Int => "bigint[]",
            Self::Text => "text[]",
            Self::Octets => "bytea[]",
            Self::Flag => "boolean[]",
        }
    }
}

/// The same statement for both: PostgreSQL's takes arrays, SQLite's one row. Never holds a value from a message.
#[derive(Debug, Clone)]
pub(super) struct Both {
    /// PostgreSQL's, with `$n` for the n-th column as an array.
    pub postgres: String,
    /// SQLite's, with `$n` for the n-th column of one row.
    pub sqlite: String,
}

/// Rows of one sort to look up.
pub(super) struct Group<'a> {
    /// Their columns' types.
    pub kinds: &'static [Kind],
    /// SQLite's text for one row.
    pub sqlite: &'static str,
    /// The rows.
    pub rows: Vec<Vec<Value<'a>>>,
}

/// What a look-up found for one row of one group.
pub(super) struct Found {
    /// The group, by its place.
    pub group: usize,
    /// The row, by its place.
    pub row: usize,
    /// First number.
    pub a: i64,
    /// Second number.
    pub b: i64,
}

impl Line {
    /// Runs one statement whose text serves both.
    ///
    /// # Errors
    /// As the database says.
    pub async fn one(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
        match self {
            Self::Postgres(line) => postgres_rows(line, sql, pg_values(values)?).await,
            Self::Sqlite(line) => sqlite_rows(line, sql.to_owned(), values).await,
        }
    }

    /// Ends whatever statement runs on this connection later than that, as [`Fault::Slow`]. PostgreSQL's connection has its limit from the start.
    ///
    /// # Errors
    /// As the database says.
    pub async fn bound(&mut self, within: Duration) -> Result<(), Fault> {
        /// How many steps of SQLite's machine lie between two looks at the clock: about a millisecond.
        const STEPS: i32 = 10_000;
        if let Self::Sqlite(line) = self {
            let end = Instant::now() + within;
            line.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < end);
        }
        Ok(())
    }

    /// Runs one statement put together from words of ours, whose text serves both: conditions come and go, values never stand in it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn composed(&mut self, sql: String, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
        match self {
            Self::Postgres(line) => {
                let rows = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), pg_values(values)?).fetch_all(&mut **line).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
            Self::Sqlite(line) => sqlite_rows(line, sql, values).await,
        }
    }

    /// Runs a statement for many rows of the same columns; nothing when there are no rows.
    ///
    /// # Errors
    /// As the database says.
    pub async fn many(&mut self, sql: &Both, kinds: &[Kind], rows: &[Vec<Value<'_>>]) -> Result<Vec<Row>, Fault> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        match self {
            Self::Postgres(line) => {
                let mut arguments = PgArguments::default();
                // One allocation for all the documents of a batch, not a doubling and copying one.
                arguments.reserve(kinds.len(), rows.iter().flatten().map(Value::size).sum());
                for (at, kind) in kinds.iter().enumerate() {
                    add_column(&mut arguments, *kind, at, rows)?;
                }
                let rows = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql.postgres.clone()), arguments).fetch_all(&mut **line).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
            Self::Sqlite(line) => {
                let mut found = Vec::new();
                for row in rows {
                    found.extend(sqlite_rows(line, sql.sqlite.clone(), row).await?);
                }
                Ok(found)
            }
        }
    }

    /// Runs one look-up of many sorts: PostgreSQL's text takes every group's columns as arrays and answers (group, row from 1, a, b); SQLite runs
    /// each group's own text for each row, which answers (a, b).
    ///
    /// # Errors
    /// As the database says.
    pub async fn groups(&mut self, postgres: &'static str, groups: &[Group<'_>]) -> Result<Vec<Found>, Fault> {
        let mut found = Vec::new();
        match self {
            Self::Postgres(line) => {
                let mut arguments = PgArguments::default();
                for group in groups {
                    for (at, kind) in group.kinds.iter().enumerate() {
                        add_column(&mut arguments, *kind, at, &group.rows)?;
                    }
                }
                for row in postgres_rows(line, postgres, arguments).await? {
                    let (group, number) = (usize::try_from(row.need_int(0)?), usize::try_from(row.need_int(1)?));
                    if let (Ok(group), Ok(number), Some(a), Some(b)) = (group, number, row.int(2)?, row.int(3)?) {
                        found.push(Found { group, row: number.saturating_sub(1), a, b });
                    }
                }
            }
            Self::Sqlite(line) => {
                for (group, asked) in groups.iter().enumerate() {
                    for (number, values) in asked.rows.iter().enumerate() {
                        for row in sqlite_rows(line, asked.sqlite.to_owned(), values).await? {
                            if let (Some(a), Some(b)) = (row.int(0)?, row.int(1)?) {
                                found.push(Found { group, row: number, a, b });
                            }
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// Begins a transaction. SQLite takes its write lock here: taken later, it could fail without a way to wait for it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn begin(&mut self) -> Result<(), Fault> {
        match self {
            Self::Postgres(line) => line.execute("BEGIN").await.map(drop)?,
            Self::Sqlite(line) => line.execute("BEGIN IMMEDIATE").await.map(drop)?,
        }
        Ok(())
    }

    /// Ends a transaction, durably.
    ///
    /// # Errors
    /// As the database says; the outcome is then unknown.
    pub async fn commit(&mut self) -> Result<(), Fault> {
        self.script("COMMIT").await
    }

    /// Ends a transaction without effect.
    ///
    /// # Errors
    /// As the database says.
    pub async fn rollback(&mut self) -> Result<(), Fault> {
        self.script("ROLLBACK").await
    }

    /// Runs statements of ours without values, as they stand in a migration.
    ///
    /// # Errors
    /// As the database says.
    pub async fn script(&mut self, text: &str) -> Result<(), Fault> {
        let text = AssertSqlSafe(text.to_owned());
        match self {
            Self::Postgres(line) => line.execute(sqlx::raw_sql(text)).await.map(drop)?,
            Self::Sqlite(line) => line.execute(sqlx::raw_sql(text)).await.map(drop)?,
        }
        Ok(())
    }
}

async fn postgres_rows(line: &mut PgConnection, sql: &'static str, arguments: PgArguments) -> Result<Vec<Row>, Fault> {
    let rows = sqlx::query_with::<Postgres, _>(sql, arguments).fetch_all(line).await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

async fn sqlite_rows(line: &mut SqliteConnection, sql: String, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Int(v) => Arguments::add(&mut arguments, *v),
            Value::Text(v) => Arguments::add(&mut arguments, *v),
            Value::Octets(v) => Arguments::add(&mut arguments, *v),
            Value::Flag(v) => Arguments::add(&mut arguments, *v),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    let rows = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), arguments).fetch_all(line).await?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

fn pg_values(values: &[Value<'_>]) -> Result<PgArguments, Fault> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(v) => Arguments::add(&mut arguments, *v),
            Value::Text(v) => Arguments::add(&mut arguments, *v),
            Value::Octets(v) => Arguments::add(&mut arguments, *v),
            Value::Flag(v) => Arguments::add(&mut arguments, *v),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// One column of all rows as an array. A value of another kind than the column's is a slip of ours and goes in as NULL, which the table refuses.
fn add_column(arguments: &mut PgArguments, kind: Kind, at: usize, rows: &[Vec<Value<'_>>]) -> Result<(), Fault> {
    let cells = rows.iter().map(|row| row.get(at).copied());
    match kind {
        Kind::Int => Arguments::add(arguments, cells.map(|c| if let Some(Value::Int(v)) = c { v } else { None }).collect::<Vec<Option<i64>>>()),
        Kind::Text => Arguments::add(arguments, cells.map(|c| if let Some(Value::Text(v)) = c { v } else { None }).collect::<Vec<Option<&str>>>()),
        Kind::Octets => Arguments::add(arguments, cells.map(|c| if let Some(Value::Octets(v)) = c { v } else { None }).collect::<Vec<Option<&[u8]>>>()),
        Kind::Flag => Arguments::add(arguments, cells.map(|c| if let Some(Value::Flag(v)) = c { v } else { None }).collect::<Vec<Option<bool>>>()),
    }
    .map_err(|error| Fault::from(sqlx::Error::Encode(error)))
}

/// A row of either database, its columns by number.
pub(super) enum Row {
    /// Of PostgreSQL.
    Postgres(PgRow),
    /// Of SQLite.
    Sqlite(SqliteRow),
}

macro_rules! column {
    ($name:ident, $need:ident, $type:ty) => {
        /// The column, or `None` where it is NULL.
        ///
        /// # Errors
        /// When the value is of another type.
        pub fn $name(&self, column: usize) -> Result<Option<$type>, Fault> {
            match self {
                Self::Postgres(row) => row.try_get(column),
                Self::Sqlite(row) => row.try_get(column),
            }
            .map_err(|_| Fault::unreadable(column))
        }

        /// The column, which is never NULL.
        ///
        /// # Errors
        /// When it is, or is of another type.
        #[allow(dead_code, reason = "the four kinds are made alike")]
        pub fn $need(&self, column: usize) -> Result<$type, Fault> {
            self.$name(column)?.ok_or_else(|| Fault::unreadable(column))
        }
    };
}

impl Row {
    column!(int, need_int, i64);
    column!(text, need_text, String);
    column!(octets, need_octets, Vec<u8>);
    column!(flag, need_flag, bool);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sqlx::ConnectOptions as _;

    use super::*;

    #[tokio::test]
    async fn a_statement_of_sqlite_ends_at_its_bound_and_the_next_begins_anew() {
        let options = sqlx::sqlite::SqliteConnectOptions::new().in_memory(true);
        let mut line = Line::Sqlite(Box::new(options.connect().await.unwrap()));
        let endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000000) SELECT count(*) FROM r";
        line.bound(Duration::from_millis(50)).await.unwrap();
        assert!(matches!(line.composed(endless.to_owned(), &[]).await, Err(Fault::Slow(_))));
        line.bound(Duration::from_secs(5)).await.unwrap();
        assert_eq!(line.one("SELECT 7", &[]).await.unwrap().first().unwrap().need_int(0).unwrap(), 7);
    }
}
