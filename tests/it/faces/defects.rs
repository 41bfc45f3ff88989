//! What the archive refuses for its own values is a defect of ours, not an outage: the one message is refused with E901, the others pass, nothing is paused.

use std::time::Duration;

use sqlx::Connection as _;

use super::{exits, samples};
use crate::kit::{self, process::Signal};
use crate::road::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_the_database_cannot_take_is_answered_and_the_others_pass() {
    for postgres in [true, false] {
        let database = if postgres { Some(kit::postgres::database().await) } else { None };
        let gateway = Gateway::new(database.as_ref().map(|d| d.url.clone()), "").await;
        gateway.arkki(&["migrate"]).must();
        match &database {
            Some(database) => drop(kit::postgres::server().sql(&database.name, "ALTER TABLE document ADD CONSTRAINT unforeseen CHECK (language <> 'sv')")),
            None => {
                let mut line = sqlx::SqliteConnection::connect(&gateway.archive_url).await.unwrap();
                let trigger = "CREATE TRIGGER unforeseen BEFORE INSERT ON document WHEN NEW.language = 'sv' BEGIN SELECT RAISE(ABORT, 'unforeseen'); END";
                sqlx::query(trigger).execute(&mut line).await.unwrap();
                line.close().await.unwrap();
            }
        }
        let mut serve = gateway.serve(&[]);
        let files = samples("accepted", &["01", "13", "02", "17", "03"]);
        let answers = gateway.send(&files);
        let words: Vec<&str> = answers.iter().map(|(_, answer, details)| if details.starts_with("E901") { "E901" } else { answer.as_str() }).collect();
        assert_eq!(words, ["AA", "E901", "AA", "E901", "AA"], "{answers:?}");
        let log = gateway.log_text();
        assert!(log.contains("unforeseen") || log.contains("database error"), "{log}");
        assert!(!log.contains("outage"), "the consumer was paused: {log}");
        // The cause is mended: the same octets are decided again, since the refusal was not final.
        match &database {
            Some(database) => drop(kit::postgres::server().sql(&database.name, "ALTER TABLE document DROP CONSTRAINT unforeseen")),
            None => {
                let mut line = sqlx::SqliteConnection::connect(&gateway.archive_url).await.unwrap();
                sqlx::query("DROP TRIGGER unforeseen").execute(&mut line).await.unwrap();
                line.close().await.unwrap();
            }
        }
        let again = gateway.send(&samples("accepted", &["13", "17"]));
        assert!(again.iter().all(|(_, answer, _)| answer == "AA"), "{again:?}");
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
        exits(&gateway.arkki(&["audit"]), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_even_the_refusal_cannot_be_kept_the_message_goes_back_and_is_not_lost() {
    let database = kit::postgres::database().await;
    let sql = |statement: &str| kit::postgres::server().sql(&database.name, statement);
    let gateway = Gateway::new(Some(database.url.clone()), "").await;
    gateway.arkki(&["migrate"]).must();
    sql("ALTER TABLE document ADD CONSTRAINT unforeseen CHECK (language <> 'sv')");
    sql("ALTER TABLE inbox ADD CONSTRAINT unforeseen CHECK (code <> 'E901')");
    let mut serve = gateway.serve(&[]);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| gateway.send(&samples("accepted", &["13", "01"])));
        // Three tries and the refusal, and once more after it came back.
        let tried = || gateway.log_text().matches("the archive refuses what was decided").count();
        assert!(kit::wait_until_blocking(Duration::from_secs(30), || tried() >= 6), "{}", gateway.log_text());
        sql("ALTER TABLE document DROP CONSTRAINT unforeseen");
        sender.join().unwrap()
    });
    assert!(sent.iter().all(|(_, answer, _)| answer == "AA"), "{sent:?}");
    assert!(!gateway.log_text().contains("outage"), "{}", gateway.log_text());
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    // Nothing left in hand: every delivery was settled or given back.
    assert!(gateway.log_text().contains("\"in_hand\":0"), "{}", gateway.log_text());
}
