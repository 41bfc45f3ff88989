//! Where a test's archive lies, and a way in behind its back.

use std::sync::Arc;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::ports::archive::Archive;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use crate::kit;

/// An empty archive's place.
pub struct Place {
    pub url: String,
    database: Option<kit::postgres::Database>,
    _folder: Option<kit::TempDir>,
}

impl Place {
    pub async fn postgres() -> Self {
        let database = kit::postgres::database().await;
        Self { url: database.url.clone(), database: Some(database), _folder: None }
    }

    pub fn sqlite() -> Self {
        let folder = kit::temp_dir();
        let url = format!("sqlite:{}", folder.path().join("archive.db").display());
        Self { url, database: None, _folder: Some(folder) }
    }

    pub async fn open(&self, instance: &str) -> Arc<dyn Archive> {
        store::open(&self.url, instance, Arc::new(SystemEntropy::open().unwrap())).await.unwrap()
    }

    /// Runs a statement that both databases understand, and gives back the first column of the first row as text.
    pub async fn sql(&self, statement: &str) -> String {
        match &self.database {
            Some(database) => kit::postgres::server().sql(&database.name, statement),
            None => {
                let mut line = self.line().await;
                let row = sqlx::query(AssertSqlSafe(statement.to_owned())).fetch_optional(&mut line).await.unwrap();
                line.close().await.unwrap();
                row.map_or(String::new(), |row| row.try_get::<i64, _>(0).map(|n| n.to_string()).unwrap_or_else(|_| row.get::<String, _>(0)))
            }
        }
    }

    /// Turns one bit of one octet of a column in one row.
    pub async fn flip(&self, table: &str, column: &str, octet: usize, row: &str) {
        match &self.database {
            Some(_) => {
                let done = self
                    .sql(&format!("UPDATE {table} SET {column} = set_byte({column}, {octet}, get_byte({column}, {octet}) # 1) WHERE {row} RETURNING 1"))
                    .await;
                assert_eq!(done, "1", "{table}.{column} where {row}");
            }
            None => {
                let mut line = self.line().await;
                let found = sqlx::query(AssertSqlSafe(format!("SELECT {column} FROM {table} WHERE {row}"))).fetch_one(&mut line).await.unwrap();
                let mut octets: Vec<u8> = found.get(0);
                octets[octet] ^= 1;
                sqlx::query(AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE {row}"))).bind(octets).execute(&mut line).await.unwrap();
                line.close().await.unwrap();
            }
        }
    }

    async fn line(&self) -> sqlx::SqliteConnection {
        let path = self.url.strip_prefix("sqlite:").unwrap();
        sqlx::sqlite::SqliteConnectOptions::new().filename(path).busy_timeout(std::time::Duration::from_secs(5)).connect().await.unwrap()
    }
}
