//! `arkki audit`: nothing to find in an archive that was left alone; one changed byte anywhere, and exit code 1.

use std::time::Duration;

use sqlx::Connection as _;

use super::{exits, json, samples};
use crate::kit::{self, process::Signal};
use crate::road::Gateway;

/// An archive's own database, behind Arkki's back.
pub(super) enum Behind {
    Postgres(String),
    Sqlite(String),
}

impl Behind {
    pub async fn run(&self, statement: &str) {
        match self {
            Self::Postgres(name) => drop(kit::postgres::server().sql(name, statement)),
            Self::Sqlite(url) => {
                let mut line = sqlx::SqliteConnection::connect(url).await.unwrap();
                sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut line).await.unwrap();
                line.close().await.unwrap();
            }
        }
    }

    /// Another last octet in a column of octets, of the row with the lowest key.
    async fn flip(&self, table: &str, column: &str, key: &str) {
        let row = format!("{key} = (SELECT min({key}) FROM {table} WHERE {column} IS NOT NULL)");
        let other = match self {
            Self::Postgres(_) => format!("set_byte({column}, length({column}) - 1, (get_byte({column}, length({column}) - 1) + 1) % 256)"),
            Self::Sqlite(_) => format!("CAST(substr({column}, 1, length({column}) - 1) || x'21' AS blob)"),
        };
        self.run(&format!("UPDATE {table} SET {column} = {other} WHERE {row}")).await;
    }
}

/// What is kept aside to mend a damage again.
async fn damaged(gateway: &Gateway, behind: &Behind, table: &str, column: &str, key: &str) {
    behind.run(&format!("CREATE TABLE aside AS SELECT {key}, {column} FROM {table}")).await;
    behind.flip(table, column, key).await;
    let audit = gateway.arkki(&["audit", "--json"]);
    exits(&audit, 1);
    let report = json(&audit);
    assert!(report["faults"].as_u64() >= Some(1) && report["list"][0]["what"].is_string(), "{table}.{column}: {report}");
    assert!(gateway.arkki(&["audit", "--most", "1"]).text().starts_with("position "), "{table}.{column}");
    behind.run(&format!("UPDATE {table} SET {column} = (SELECT a.{column} FROM aside a WHERE a.{key} = {table}.{key})")).await;
    behind.run("DROP TABLE aside").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_anywhere_is_found_in_both_databases() {
    for postgres in [true, false] {
        let database = if postgres { Some(kit::postgres::database().await) } else { None };
        let gateway = Gateway::new(database.as_ref().map(|d| d.url.clone()), "").await;
        // An archive that is not there is not an archive without faults.
        exits(&gateway.arkki(&["audit"]), 2);
        let mut serve = gateway.serve(&[]);
        let mut files = samples("accepted", &["01", "02", "03", "05"]);
        files.extend(samples("refused", &["E305", "E103"]));
        let answers = gateway.send(&files);
        assert_eq!(answers.iter().map(|(_, answer, _)| answer.as_str()).collect::<Vec<_>>(), ["AA", "AA", "AA", "AA", "AE", "AE"], "{answers:?}");
        // The archive may be at work meanwhile.
        exits(&gateway.arkki(&["audit"]), 0);
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
        let clean = json(&gateway.arkki(&["audit", "--json"]));
        assert_eq!((clean["entries"].as_u64(), clean["documents"].as_u64(), clean["faults"].as_u64()), (Some(6), Some(4), Some(0)), "{clean}");

        let behind = database.as_ref().map_or_else(|| Behind::Sqlite(gateway.archive_url.clone()), |d| Behind::Postgres(d.name.clone()));
        for (table, column, key) in [
            ("document_octets", "octets", "document_id"),
            ("document", "client", "id"),
            ("document", "received_sha", "id"),
            ("ledger", "message", "position"),
            ("ledger", "hash", "position"),
            ("inbox", "answer", "position"),
            ("inbox", "octets", "position"),
        ] {
            damaged(&gateway, &behind, table, column, key).await;
        }
        exits(&gateway.arkki(&["audit"]), 0);
        behind.run("UPDATE document SET language = 'sv' WHERE version = 2").await;
        exits(&gateway.arkki(&["audit"]), 1);
        behind.run("UPDATE document SET language = 'fi' WHERE version = 2").await;
        exits(&gateway.arkki(&["audit"]), 0);
        behind.run("DELETE FROM ledger WHERE position = 6").await;
        exits(&gateway.arkki(&["audit"]), 1);
    }
}
