//! Queries on the whole road: the samples' documents archived, then asked for; what goes out, what is logged, what a repeat gets.

mod asked;
mod logs;
mod shell;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::embedded::{EmbeddedBroker, Letter};
use arkki::app::{self, House};
use arkki::config::checked::Config;
use arkki::config::raw::Raw;
use arkki::ports::broker::Published;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use crate::kit;

const SOON: Duration = Duration::from_secs(30);
const REPLY: &str = "arkki.reply.anonymous.queries";

/// A house on a broker in this process and a SQLite archive that holds the accepted samples.
pub struct Place {
    folder: kit::TempDir,
    broker: EmbeddedBroker,
    house: Option<House>,
    sent: usize,
}

impl Place {
    pub async fn open(change: impl FnOnce(&mut Raw)) -> Self {
        let folder = kit::temp_dir();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let keys = kit::repository().join("samples/keys");
        std::fs::write(at("site.key"), [7; 32]).unwrap();
        std::fs::copy(keys.join("system-key.pem"), at("system-key.pem")).unwrap();
        std::fs::set_permissions(at("system-key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut raw = Raw::default();
        raw.reply.allow_anonymous = true;
        raw.archive.url = format!("sqlite://{}", at("archive.sqlite"));
        raw.archive.site_key_file = at("site.key");
        raw.sign.key_file = at("system-key.pem");
        raw.sign.certificate_file = keys.join("system.pem").display().to_string();
        raw.sign.trust = vec![keys.join("ca.pem").display().to_string()];
        raw.answer.language = "en".to_owned();
        change(&mut raw);
        std::fs::write(at("arkki.toml"), raw.written().unwrap()).unwrap();
        let broker = EmbeddedBroker::new();
        broker.declare(REPLY);
        let config = Config::check(raw, &|_| None).unwrap();
        let house = app::open_embedded(&config, &broker).await.unwrap_or_else(|fault| panic!("{fault}"));
        let mut place = Self { folder, broker, house: Some(house), sent: 0 };
        for file in crate::road::files(&kit::repository().join("samples/accepted")) {
            let answer = place.send(&std::fs::read(&file).unwrap()).await;
            assert!(text(&answer).contains("<typeCode code=\"AA\"/>"), "{}: {}", file.display(), text(&answer));
        }
        place
    }

    pub fn put(&mut self, octets: &[u8]) -> String {
        self.sent += 1;
        let id = format!("m-{}", self.sent);
        let letter = Letter { message_id: Some(id.clone()), reply_to: Some(REPLY.to_owned()), body: Arc::new(octets.to_vec()), ..Letter::default() };
        assert_eq!(self.broker.put("arkki.inbound", letter), Ok(Published::Routed));
        id
    }

    pub async fn take(&self) -> (String, Vec<u8>) {
        let letter = self.broker.take(REPLY, SOON).await.expect("an answer");
        (letter.correlation_id.unwrap_or_default(), letter.body.to_vec())
    }

    /// Sends one message and takes its answer.
    pub async fn send(&mut self, octets: &[u8]) -> Vec<u8> {
        let id = self.put(octets);
        let (correlation, answer) = self.take().await;
        assert_eq!(correlation, id);
        answer
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The first column of every row, as text.
    pub async fn sql(&self, statement: &str) -> Vec<String> {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path("archive.sqlite")).busy_timeout(Duration::from_secs(5));
        let mut line = options.connect().await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(statement.to_owned())).fetch_all(&mut line).await.unwrap();
        let texts = rows.iter().map(|row| row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string())).unwrap_or_default());
        let texts = texts.collect();
        line.close().await.unwrap();
        texts
    }

    pub async fn close(mut self) {
        if let Some(house) = self.house.take() {
            assert_eq!(house.close(SOON).await, 0);
        }
    }
}

pub fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// The samples of a folder by name.
pub fn samples(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let files = crate::road::files(&kit::repository().join("samples").join(folder));
    files.into_iter().map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&file).unwrap())).collect()
}
