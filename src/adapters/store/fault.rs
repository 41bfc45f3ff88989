//! What may go wrong with a statement, in five kinds that ask for five answers. Never a value: a database's own message quotes rows, so only codes and names are kept.

use crate::domain::outage::{Outage, Part};

/// A statement's failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Another was in the way (deadlock, serialisation, lock): the same again may succeed at once.
    Busy(String),
    /// The database is out of reach, full, or hangs: nobody's commit can succeed now.
    Down(String),
    /// The database answers, and ended this one statement at its time limit: others may be quick.
    Slow(String),
    /// The database refused this statement: others may succeed.
    Wrong(String),
    /// The database refuses these values themselves, now and whenever they come again: no outage, since waiting mends nothing.
    Unfit(String),
}

impl Fault {
    /// For everything that took longer than its bound.
    pub fn slow(what: &str) -> Self {
        Self::Down(format!("{what} took too long"))
    }

    /// A value in the database that is none of ours.
    pub fn unreadable(column: usize) -> Self {
        Self::Wrong(format!("column {column} of a row is unreadable"))
    }

    /// What the callers see.
    pub fn outage(&self) -> Outage {
        let (Self::Busy(detail) | Self::Down(detail) | Self::Slow(detail) | Self::Wrong(detail) | Self::Unfit(detail)) = self;
        Outage::new(Part::Archive, detail.clone())
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(db) => of_code(&db.code().unwrap_or_default(), db.constraint()),
            sqlx::Error::Io(io) => Self::Down(format!("connection: {}", io.kind())),
            sqlx::Error::Tls(_) => Self::Down("connection: TLS failed".to_owned()),
            sqlx::Error::Protocol(_) => Self::Down("connection: protocol broken".to_owned()),
            sqlx::Error::WorkerCrashed => Self::Down("connection: worker gone".to_owned()),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::Down("connection: none free".to_owned()),
            sqlx::Error::Encode(_) => Self::Wrong("a value could not be encoded".to_owned()),
            sqlx::Error::ColumnDecode { index, .. } => Self::Wrong(format!("column {index} of a row is unreadable")),
            sqlx::Error::RowNotFound => Self::Wrong("a row that must be there is missing".to_owned()),
            _ => Self::Wrong("the database driver refused".to_owned()),
        }
    }
}

/// PostgreSQL's SQLSTATE has five characters, SQLite's extended result code is a number.
fn of_code(code: &str, constraint: Option<&str>) -> Fault {
    let detail = match constraint {
        Some(name) => format!("database error {code} at {name}"),
        None => format!("database error {code}"),
    };
    if code.len() == 5 && code.parse::<u32>().map_or(true, |n| n > 9999 || code.starts_with('0')) {
        return match code {
            // serialisation failure, deadlock, lock not available
            "40001" | "40P01" | "55P03" => Fault::Busy(detail),
            // query cancelled (statement timeout)
            "57014" => Fault::Slow(detail),
            // shutdowns, idle session ended, read-only server (a standby after failover)
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006" => Fault::Down(detail),
            // connection, authorisation, no such database or table, resources, system, configuration, internal
            _ if ["08", "28", "3D", "42", "53", "58", "F0", "XX"].iter().any(|class| code.starts_with(class)) => Fault::Down(detail),
            // data exception, integrity constraint, program limit (an index row too long): the values' own fault
            _ if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => Fault::Unfit(detail),
            _ => Fault::Wrong(detail),
        };
    }
    match code.parse::<u32>().map(|n| n & 0xFF) {
        Ok(5 | 6) => Fault::Busy(detail),
        // interrupted, which the time limit does
        Ok(9) => Fault::Slow(detail),
        // permission, memory, read-only, I/O, corrupt, full, cannot open, protocol, no file system, no database
        Ok(3 | 7 | 8 | 10 | 11 | 13..=15 | 22 | 23 | 26) => Fault::Down(detail),
        // too big, constraint, mismatch
        Ok(18..=20) => Fault::Unfit(detail),
        _ => Fault::Wrong(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fall_into_their_kinds() {
        for (code, want) in [
            ("40P01", 0),
            ("40001", 0),
            ("5", 0),
            ("517", 0),
            ("57P01", 1),
            ("08006", 1),
            ("53100", 1),
            ("13", 1),
            ("0A000", 2),
            ("1", 2),
            ("23505", 3),
            ("23514", 3),
            ("22021", 3),
            ("54000", 3),
            ("2067", 3),
            ("1555", 3),
            ("275", 3),
            // A full disk and a read-only database are nobody's values.
            ("53400", 1),
            ("25006", 1),
            ("8", 1),
            ("1032", 1),
            ("57014", 4),
            ("9", 4),
        ] {
            let got = match of_code(code, None) {
                Fault::Busy(_) => 0,
                Fault::Down(_) => 1,
                Fault::Wrong(_) => 2,
                Fault::Unfit(_) => 3,
                Fault::Slow(_) => 4,
            };
            assert_eq!(got, want, "{code}");
        }
    }
}
