//! Replays through the whole road: `arkki serve`, RabbitMQ, both databases; stopped, resumed, killed; each message decided once and answered once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::ports::archive::Archive as _;
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use super::refuse_at;
use crate::faults::queue::Desk;
use crate::kit::process::Signal;
use crate::kit::{self, rabbit};
use crate::road::{Gateway, files};
use crate::store::make::done;

pub const QUEUE: &str = "arkki.reply.guest.send";
/// How many answers may go out twice around a kill: what the relay has in flight (512) and what waits to be forgotten together (256).
const TWICE: usize = 512 + 256;

fn json(gateway: &Gateway, args: &[&str]) -> Value {
    let all: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    let output = gateway.arkki(&all);
    serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{args:?}: {e}: {} {}", output.text(), output.errors()))
}

/// How many messages lie in a queue.
fn lying(gateway: &Gateway, queue: &str) -> u64 {
    let said = rabbit::server().ctl(&["-q", "list_queues", "-p", &gateway.vhost.name, "name", "messages"]);
    let text = said.must();
    text.lines().filter_map(|line| line.split_once('\t')).find(|(name, _)| *name == queue).map_or(0, |(_, many)| many.trim().parse().unwrap())
}

fn wait_for(gateway: &Gateway, job: &str, within: Duration, end: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let now = json(gateway, &["refusals", "jobs", job])["job"].clone();
        if end(&now) {
            return now;
        }
        assert!(begun.elapsed() < within, "{now}\n{}", gateway.log_text());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lacked_its_relation_is_taken_when_it_is_replayed() {
    let samples = kit::repository().join("samples/accepted");
    let [relation, case, document]: [PathBuf; 3] =
        ["01-", "02-", "03-"].map(|n| files(&samples).into_iter().find(|f| f.file_name().unwrap().to_str().unwrap().starts_with(n)).unwrap());
    for archive in [Some(kit::postgres::database().await.url), None] {
        let gateway = Gateway::new(archive, "[limits]\nhold_seconds = 1\n").await;
        let mut serve = gateway.serve(&[]);
        let refused = gateway.send(&[case.clone(), document.clone()]);
        assert!(refused.iter().all(|(_, answer, _)| answer != "AA"), "{refused:?}");
        assert_eq!(gateway.send(std::slice::from_ref(&relation))[0].1, "AA");
        let groups = json(&gateway, &["refusals", "groups"]);
        assert!(!groups["groups"].as_array().unwrap().is_empty(), "{groups}");
        println!("{}", gateway.arkki(&["refusals", "groups"]).must());
        let list = json(&gateway, &["refusals", "list"]);
        let ids: Vec<u64> = list["refusals"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), 2, "{list}");
        let copy = |name: &str| gateway.folder.path().join(name);
        let octets = |id: u64, name: &str| gateway.arkki(&["refusals", "octets", &id.to_string(), "--output", copy(name).to_str().unwrap()]);
        println!("{}", octets(ids[0], "one.xml").must());
        let written = std::fs::read(copy("one.xml")).unwrap();
        assert!([&case, &document].into_iter().any(|file| std::fs::read(file).unwrap() == written), "as it was received");
        assert_eq!(count(&gateway.archive_url, "SELECT count(*) FROM access_log WHERE detail LIKE 'refused message%' AND action = 'show'").await, 1);
        assert!(!octets(ids[0], "one.xml").ok(), "no file is written over");
        let preview = json(&gateway, &["refusals", "replay", "--all", "--why", "the relation came"]);
        assert_eq!((preview["preview"]["ready"].as_u64(), preview["preview"]["unchanged"].as_u64()), (Some(2), Some(0)), "{preview}");
        assert!(!gateway.arkki(&["refusals", "replay", "--why", "everything"]).ok(), "an empty wish is not everything");
        assert_eq!(lying(&gateway, QUEUE), 0);
        // The case first: the document hangs on it, and would wait on hold for it.
        let told = gateway.arkki(&["refusals", "replay", "--all", "--why", "the relation came", "--yes", "--wait", "--token", "night-1"]).must();
        println!("{told}");
        let done = wait_for(&gateway, "1", Duration::from_secs(30), |job| job["state"] == "done");
        assert_eq!(done["outcomes"]["accepted"].as_u64().unwrap() + done["outcomes"]["held"].as_u64().unwrap(), 2, "{done}");
        assert!(kit::wait_until_blocking(Duration::from_secs(30), || lying(&gateway, QUEUE) == 2), "{}", lying(&gateway, QUEUE));
        let again = json(&gateway, &["refusals", "replay", "--all", "--why", "twice", "--yes", "--token", "night-1"]);
        assert_eq!(again["job"]["id"], 1, "the same word is the same replay: {again}");
        for id in &ids {
            let one = json(&gateway, &["refusals", "show", &id.to_string()]);
            assert_eq!((one["state"].as_str(), one["replays"][0]["why"].as_str()), (Some("mended"), Some("the relation came")), "{one}");
            println!("{}", gateway.arkki(&["refusals", "show", &id.to_string()]).must());
        }
        let gone = gateway.arkki(&["refusals", "octets", &ids[1].to_string(), "--output", copy("gone").to_str().unwrap()]);
        assert!(!gone.ok() && gone.text().contains("not kept") && !copy("gone").exists(), "{}", gone.text());
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
        println!("{}", gateway.arkki(&["audit"]).must());
    }
}

/// How many refusals are replayed: `ARKKI_REPLAYED`, else a few hundred.
fn many() -> u64 {
    std::env::var("ARKKI_REPLAYED").ok().and_then(|n| n.parse().ok()).unwrap_or(600)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_stopped_resumed_and_killed_ends_exactly() {
    let many = many();
    for url in [Some(kit::postgres::database().await.url), None] {
        let gateway = Gateway::new(url, "").await;
        let archive = store::open_store(&gateway.archive_url, "maker", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
        let messages: Vec<Vec<u8>> = (0..many).map(|n| format!("<sent n=\"{n}\"/>").into_bytes()).collect();
        let commits = messages.iter().map(|message| archive.commit(as_guest(message)));
        stream::iter(commits).buffer_unordered(256).for_each(|end| async move { drop(done(end.unwrap())) }).await;
        drop(archive);
        // The road out is not what is asked here: the answers of the making are thrown away.
        run(&gateway.archive_url, "DELETE FROM outbox").await;
        let declared = gateway.vhost.api("PUT", &format!("/api/queues/{}/{QUEUE}", gateway.vhost.name), Some(r#"{"durable":true}"#));
        assert!((200..300).contains(&declared.0), "{declared:?}");

        let mut serve = gateway.serve(&[]);
        let rate = (many / 4).clamp(100, 2_000).to_string();
        let start = |token: &str| json(&gateway, &["refusals", "replay", "--code", "E305", "--why", "new rules", "--yes", "--rate", &rate, "--token", token]);
        // Two at once, and one of them twice.
        let started: Vec<Value> = std::thread::scope(|scope| {
            let all: Vec<_> = ["ada", "bea", "ada"].into_iter().map(|token| scope.spawn(move || start(token))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let totals: u64 = started[..2].iter().map(|one| one["job"]["total"].as_u64().unwrap()).sum();
        assert_eq!(totals, many, "{started:?}");
        assert_eq!(started[0]["job"]["id"], started[2]["job"]["id"]);
        let job = started.iter().find(|one| one["job"]["total"] == many).unwrap()["job"]["id"].to_string();

        wait_for(&gateway, &job, Duration::from_secs(120), |now| now["decided"].as_u64().unwrap() >= many / 4);
        let asked = Instant::now();
        json(&gateway, &["refusals", "stop", &job]);
        let settled = wait_for(&gateway, &job, Duration::from_secs(30), |now| now["on_road"] == 0);
        println!("stopped with {} decided of {many}, {} ms after it was asked", settled["decided"], asked.elapsed().as_millis());
        std::thread::sleep(Duration::from_millis(1200));
        let later = wait_for(&gateway, &job, Duration::from_secs(1), |_| true);
        assert_eq!(later["decided"], settled["decided"], "a stop stops");
        assert!(later["waiting"].as_u64().unwrap() > 0, "it was to be stopped halfway");

        json(&gateway, &["refusals", "resume", &job]);
        wait_for(&gateway, &job, Duration::from_secs(120), |now| now["decided"].as_u64().unwrap() >= many / 2);
        serve.kill9();
        let mut serve = gateway.serve(&[]);
        // What the killed one had in hand comes back when its lease has run out, a minute later.
        let whole = Duration::from_secs(90 + many / 20);
        let ended = wait_for(&gateway, &job, whole, |now| now["state"] == "done");
        assert_eq!((ended["outcomes"]["refused"].as_u64(), ended["decided"].as_u64()), (Some(many), Some(many)), "{ended}");
        // Answers that the killed one had leased go out when that lease has run out. What it had sent and not forgotten lies in the queue already, so
        // that the queue alone does not tell the end.
        let sent = kit::wait_until(whole, || async { count(&gateway.archive_url, "SELECT count(*) FROM outbox").await == 0 }).await;
        assert!(sent, "{}", gateway.log_text());
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
        one_answer_each(&gateway, many).await;
        let counts = json(&gateway, &["refusals", "groups"]);
        let open: u64 = counts["groups"].as_array().unwrap().iter().map(|group| group["open"].as_u64().unwrap()).sum();
        assert_eq!(open, many);
        // Each was decided once more, not twice.
        assert_eq!(count(&gateway.archive_url, "SELECT count(*) FROM ledger WHERE supersedes IS NOT NULL").await, many);
        assert_eq!(count(&gateway.archive_url, "SELECT count(*) FROM inbox WHERE revision <> 2").await, 0);
        println!("{}", gateway.arkki(&["audit"]).must());
    }
}

/// Exactly one answer for each message. A confirmed answer whose row was not yet forgotten when the kill came goes out again: then under the same id,
/// with the same octets, and no more of these than may be in flight and wait to be forgotten.
async fn one_answer_each(gateway: &Gateway, many: u64) {
    let desk = Desk::open(&gateway.vhost.amqp_url).await;
    let answers = desk.take_all(QUEUE).await;
    desk.close().await;
    let mut bodies: BTreeMap<String, &[u8]> = BTreeMap::new();
    for answer in &answers {
        let first = bodies.entry(answer.message_id()).or_insert(&answer.body);
        assert!(*first == answer.body, "two answers under {}", answer.message_id());
    }
    println!("{} answers for {many} messages, {} of them copies", answers.len(), answers.len() - bodies.len());
    assert_eq!(u64::try_from(bodies.len()).unwrap(), many);
    assert!(answers.len() - bodies.len() <= TWICE, "{} copies", answers.len() - bodies.len());
}

/// A refused message of the user that tests send as.
pub fn as_guest(message: &[u8]) -> arkki::domain::change::Commit {
    let mut commit = super::of(refuse_at(message, "E305", "/ClinicalDocument/recordTarget"), "guest", 0);
    commit.reply = Some(arkki::domain::message::Reply { queue: QUEUE.to_owned(), correlation: Some("c".to_owned()) });
    if let arkki::domain::change::Effect::Refuse(refuse) = &mut commit.effect {
        refuse.entry.sender = "guest".to_owned();
    }
    commit
}

async fn run(url: &str, sql: &str) {
    count(url, sql).await;
}

async fn count(url: &str, sql: &str) -> u64 {
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
    let sql = AssertSqlSafe(sql.to_owned());
    let number: Option<i64> = if let Some(path) = url.strip_prefix("sqlite://") {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10));
        let mut line = options.connect().await.unwrap();
        let row = sqlx::query(sql).fetch_optional(&mut line).await.unwrap();
        line.close().await.unwrap();
        row.map(|row| row.get(0))
    } else {
        let mut line = sqlx::PgConnection::connect(url).await.unwrap();
        let row = sqlx::query(sql).fetch_optional(&mut line).await.unwrap();
        line.close().await.unwrap();
        row.map(|row| row.get(0))
    };
    number.unwrap_or(0).try_into().unwrap()
}
