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

/// What an operator meets when a database is set up, in words.
fn said(code: &str) -> &'static str {
    match code {
        "28P01" => ": the user or its password is not accepted; see [archive] url, and the password it is read from",
        "28000" => ": the server lets this user in from here in no way; see its pg_hba.conf",
        "3D000" => ": there is no such database; create it, or see [archive] url",
        "42501" => ": the user may not do this; let it own the database",
        "53300" => ": the server has no connection left; see its max_connections",
        _ => "",
    }
}

/// PostgreSQL's SQLSTATE has five characters, SQLite's extended result code is a number.
fn of_code(code: &str, constraint: Option<&str>) -> Fault {
    let detail = match constraint {
        Some(name) => format!("database error {code} at {name}"),
        None => format!("database error {code}{}", said(code)),
    };
    if code.len() == 5 && code.parse::<u32>().map_or(true, |n| n > 9999 || code.starts_with('0')) {
        return match code {
            // serialisation failure, deadlock, lock not available
            "40001" | "40P01" | "55P03" => Fault::Busy(detail),
            // query cancelled (statement timeout)
            "57014" => Fault::Slow(detail),
            // shutdowns, idle session ended, read-only server (a standby after failover)
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006" => Fault::Down(detail),
            // a table was changed under a statement prepared before, or that statement is gone: a new connection prepares it anew
            "0A000" | "26000" => Fault::Down(detail),
            // connection, authorisation, no such database or table, resources, system, configuration, internal
            _ if ["08", "28", "3D", "42", "53", "58", "F0", "XX"].iter().any(|class| code.starts_with(class)) => Fault::Down(detail),
            // data exception, integrity constraint, program limit (an index row too long): the values' own fault
            _ if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => Fault::Unfit(detail),
            _ => Fault::Wrong(detail),
        };
    }
    let kind = code.parse::<u32>().map(|n| n & 0xFF);
    let detail = match kind.as_ref().ok().and_then(|n| meaning(*n)) {
        Some(meaning) => format!("{detail}: {meaning}"),
        None => detail,
    };
    match kind {
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

/// What SQLite says by a number, where an operator can mend it.
const fn meaning(kind: u32) -> Option<&'static str> {
    match kind {
        3 | 8 | 23 => Some("this user may not write to the file or its folder"),
        10 => Some("the disk does not read or write"),
        11 => Some("the file is damaged: arkki restore brings a backup"),
        13 => Some("the disk is full"),
        14 => Some("the file, or one beside it, cannot be opened"),
        26 => Some("the file is no SQLite database"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_operators_meet_has_words() {
        assert!(matches!(of_code("28P01", None), Fault::Down(said) if said.contains("password is not accepted")));
        assert!(matches!(of_code("3D000", None), Fault::Down(said) if said.contains("no such database")));
        assert!(matches!(of_code("40001", None), Fault::Busy(said) if said.ends_with("40001")));
    }

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
            ("0A000", 1),
            ("26000", 1),
            ("0B000", 2),
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

    #[test]
    fn what_an_operator_can_mend_is_said_in_words() {
        for (code, said) in [("13", "database error 13: the disk is full"), ("1032", "database error 1032: this user may not write to the file or its folder")]
        {
            assert_eq!(of_code(code, None), Fault::Down(said.to_owned()));
        }
        assert_eq!(of_code("53100", None), Fault::Down("database error 53100".to_owned()), "PostgreSQL's own words are in its log");
    }
}
