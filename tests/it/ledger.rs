//! The ledger of messages over a running gateway: every moment of a message, what the command line shows of it, and the reconciler's round.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use arkki::adapters::amqp::{AmqpClient, Outgoing, Secret};
use serde_json::Value;

use crate::kit::{self, process::Signal};
use crate::road::{Gateway, files};

fn report(gateway: &Gateway, args: &[&str]) -> Value {
    let output = gateway.arkki(&[args, &["--json"]].concat());
    serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{args:?}: {e}: {} {}", output.text(), output.errors()))
}

fn metric(gateway: &Gateway, name: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

async fn the_road_is_told(archive_url: Option<String>) {
    let gateway = Gateway::new(archive_url, "").await;
    let mut serve = gateway.serve(&[]);
    let accepted = gateway.send(&files(&kit::repository().join("samples/accepted"))[..3]);
    assert!(accepted.iter().all(|(_, answer, _)| answer == "AA"), "{accepted:#?}");
    let refused = kit::repository().join("samples/refused/E305-hetu-check-character.xml");
    assert_eq!(gateway.send(&[refused])[0].1, "AE");

    let list = report(&gateway, &["messages", "list", "--state", "refused"]);
    let [row] = &list["messages"].as_array().unwrap()[..] else { panic!("{list}") };
    assert_eq!((row["code"].as_str(), row["state"].as_str()), (Some("E305"), Some("refused")));
    assert_eq!(report(&gateway, &["messages", "list"])["messages"].as_array().unwrap().len(), 4);
    // Each moment stands, in its order, and the answer was delivered: the relay forgets a moment after the sender has it.
    let position = row["position"].to_string();
    let mut page = Value::Null;
    let is_delivered = kit::wait_until_blocking(Duration::from_secs(10), || {
        page = report(&gateway, &["messages", "show", &position])["messages"][0].clone();
        page["decisions"][0]["delivered"].as_array().is_some_and(|d| d.len() == 1)
    });
    assert!(is_delivered, "{page}");
    let decision = &page["decisions"][0];
    let moments: Vec<&str> = ["received", "examined", "decided", "archived"].iter().map(|what| decision[what].as_str().unwrap()).collect();
    assert!(moments.is_sorted(), "{decision}");
    assert!(decision["delivered"][0]["at"].as_str().unwrap() >= moments[3], "{decision}");
    assert_eq!((decision["signed"].is_null(), decision["rules"].as_str().map(str::len), decision["answers"].as_u64()), (true, Some(64), Some(1)));
    assert_eq!(page["answer"]["details"][0]["code"], "E305");
    let id = decision["message_id"].as_str().expect("arkki send gives each message an id");
    assert_eq!(report(&gateway, &["messages", "list", "--message-id", id])["messages"][0]["position"], row["position"]);
    let text = gateway.arkki(&["messages", "show", &row["message"].as_str().unwrap()[..12]]).must();
    for word in ["received", "examined", "decided", "committed", "answered", "delivered", "E305"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    // An accepted one was signed besides.
    let first = report(&gateway, &["messages", "show", "1"])["messages"][0]["decisions"][0].clone();
    assert!(first["signed"].as_str().unwrap() >= first["examined"].as_str().unwrap(), "{first}");
    assert_eq!(gateway.arkki(&["messages", "show", "999"]).code, Some(1));
    assert_eq!(gateway.arkki(&["messages", "follow", "--after", "0", "--count", "4"]).must().lines().count(), 4);

    let sum = report(&gateway, &["reconcile"]);
    assert_eq!((sum["unexplained"].as_u64(), sum["entries"].as_u64(), sum["dead_letters"].as_u64()), (Some(0), Some(4), Some(0)), "{sum}");
    assert!(kit::wait_until_blocking(Duration::from_secs(20), || metric(&gateway, "arkki_reconciled_total ") >= Some(1.0)));
    assert_eq!(metric(&gateway, "arkki_unexplained "), Some(0.0));
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());

    // A row deleted behind its back: the next gateway's first round tells, once; so does the command, with its name.
    delete(&gateway, "DELETE FROM document_octets WHERE document_id = (SELECT id FROM document WHERE position = 2)").await;
    let mut serve = gateway.serve(&[]);
    assert!(kit::wait_until_blocking(Duration::from_secs(20), || metric(&gateway, "arkki_unexplained ") == Some(1.0)), "{}", gateway.log_text());
    assert_eq!(gateway.log_text().matches("not everything is explained").count(), 1);
    let output = gateway.arkki(&["reconcile"]);
    assert_eq!(output.code, Some(1));
    assert!(output.text().contains("        2  the archived document's octets are missing"), "{}", output.text());
    // What the broker gave up on is nobody's decision.
    let client = AmqpClient::connect(&Secret::new(gateway.vhost.amqp_url.clone()), "poison").await.unwrap();
    let poison = Outgoing { queue: "arkki.dead-letter".into(), body: std::sync::Arc::new(b"<poison/>".to_vec()), ..Outgoing::default() };
    client.send(poison).await.unwrap();
    let strange = || report(&gateway, &["reconcile"])["named"].as_array().unwrap().iter().any(|one| one["missing"] == "dead-letter");
    assert!(kit::wait_until_blocking(Duration::from_secs(20), strange), "the broker's statistics show it within seconds");
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

async fn delete(gateway: &Gateway, statement: &str) {
    use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
    match gateway.archive_url.strip_prefix("sqlite://") {
        Some(path) => {
            let mut line = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
            line.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
            line.close().await.unwrap();
        }
        None => {
            let options: sqlx::postgres::PgConnectOptions = gateway.archive_url.parse().unwrap();
            let mut line = options.connect().await.unwrap();
            line.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
            line.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_moment_of_a_message_is_told_and_a_lost_row_is_named_on_postgres() {
    the_road_is_told(Some(kit::postgres::database().await.url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_moment_of_a_message_is_told_and_a_lost_row_is_named_on_sqlite() {
    the_road_is_told(None).await;
}
