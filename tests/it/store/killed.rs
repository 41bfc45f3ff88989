//! An audit that is killed in its midst goes on where it was: `arkki audit --resume`, ended by SIGKILL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use super::make::{done, note};
use crate::kit::process::Process;
use crate::road::Gateway;

/// Entries to audit: several times what is looked at between two savings of the state.
const ENTRIES: u64 = 30_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_is_killed_goes_on_and_comes_to_the_same_sums() {
    let gateway = Gateway::new(None, "").await;
    let archive = store::open(&gateway.archive_url, "one", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let messages: Vec<Vec<u8>> = (0..ENTRIES).map(|n| format!("<their-ack n=\"{n}\"/>").into_bytes()).collect();
    let commits = stream::iter(messages.iter().map(|message| archive.commit(note(message))));
    commits.buffer_unordered(512).for_each(|outcome| async move { drop(done(outcome.unwrap())) }).await;

    let whole = json(&gateway, &["audit", "--json"]);
    assert_eq!((whole["entries"].as_u64(), whole["faults"].as_u64()), (Some(ENTRIES), Some(0)), "{whole}");

    let state = gateway.folder.path().join("audit.state");
    let position = || {
        let read: Option<Value> = std::fs::read(&state).ok().and_then(|octets| serde_json::from_slice(&octets).ok());
        read.and_then(|value| value["position"].as_u64()).unwrap_or(0)
    };
    let arguments = ["audit", "--json", "--resume", state.to_str().unwrap()];
    let mut audit = Process::start(&mut gateway.command(&arguments), &gateway.folder.path().join("audit.log"));
    // Looked for without a pause: between the first saving and the end lie some tens of milliseconds.
    let begun = Instant::now();
    while position() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no state was written");
        std::thread::yield_now();
    }
    audit.kill9();
    let reached = position();
    assert!(reached < ENTRIES, "it was to be killed in its midst, and had ended");
    println!("killed at position {reached} of {ENTRIES}");
    // A damage before the place is not looked at again, which shows that the audit went on; one behind it is found, once.
    let damage = |at: u64| format!("UPDATE ledger SET sender = sender || 'x' WHERE position = {at}");
    let mend = |at: u64| format!("UPDATE ledger SET sender = substr(sender, 1, length(sender) - 1) WHERE position = {at}");
    for at in [reached - 1, ENTRIES] {
        run(&gateway, &damage(at)).await;
    }
    let output = gateway.arkki(&arguments);
    let resumed: Value = serde_json::from_str(&output.text()).unwrap();
    assert_eq!((resumed["entries"].as_u64(), resumed["faults"].as_u64()), (Some(ENTRIES), Some(1)), "{resumed}");
    assert_eq!((&resumed["list"][0]["position"], &resumed["head"]), (&Value::from(ENTRIES), &whole["head"]), "{resumed}");
    for at in [reached - 1, ENTRIES] {
        run(&gateway, &mend(at)).await;
    }
    // Untouched, and resumed at its very end: the same sums as in one go. The fault that was found stays in the state.
    std::fs::remove_file(&state).unwrap();
    for _ in 0..2 {
        let mut again = json(&gateway, &arguments);
        again["rows"] = whole["rows"].clone();
        assert_eq!(again, whole);
    }
    let other = Gateway::new(None, "").await;
    store::open(&other.archive_url, "one", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let strange = other.arkki(&arguments);
    assert!(!strange.ok() && strange.text().contains("another archive"), "{}", strange.text());
}

fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    serde_json::from_str(&gateway.arkki(arguments).must()).unwrap()
}

async fn run(gateway: &Gateway, statement: &str) {
    use sqlx::Connection as _;
    let mut line = sqlx::SqliteConnection::connect(&gateway.archive_url).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut line).await.unwrap();
    line.close().await.unwrap();
}
