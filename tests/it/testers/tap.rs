//! The tap shows what passes, takes nothing, and shows nobody.

use std::time::Duration;

use arkki::generate::samples;
use serde_json::{Value, json};

use super::{asked, exits};
use crate::kit::process::{Process, Signal};
use crate::kit::{self, canary, wait_until_blocking};
use crate::road::Gateway;

/// Turns the tracer of a virtual host on or off.
fn trace(gateway: &Gateway, on: bool) {
    let (status, body) = gateway.vhost.api("PUT", &format!("/api/vhosts/{}", gateway.vhost.name), Some(&json!({ "tracing": on }).to_string()));
    assert!((200..300).contains(&status), "{status} {body}");
}

fn queues(gateway: &Gateway) -> Vec<String> {
    let (_, body) = gateway.vhost.api("GET", &format!("/api/queues/{}?columns=name", gateway.vhost.name), None);
    let list: Value = serde_json::from_str(&body).unwrap();
    list.as_array().unwrap().iter().map(|q| q["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_each_message_and_takes_none() {
    let gateway = Gateway::new(None, "").await;
    let off = gateway.arkki(&["tap", "--for", "1"]);
    exits(&off, 2);
    assert!(off.errors().contains(&format!("rabbitmqctl trace_on -p {}", gateway.vhost.name)), "{}", off.errors());
    trace(&gateway, true);
    let mut serve = gateway.serve(&[]);
    let log = gateway.folder.path().join("tap.jsonl");
    let mut tap = Process::start(&mut gateway.command(&["tap", "--json"]), &log);
    assert!(wait_until_blocking(Duration::from_secs(30), || queues(&gateway).iter().any(|q| q.starts_with("arkki.tap."))), "the tap's queue");
    // Its proof has passed when a first line comes: until then a message may pass unseen.
    let first = kit::repository().join("samples/accepted/01-client-relation-fi.xml").display().to_string();
    let lines = || -> Vec<Value> { std::fs::read_to_string(&log).unwrap_or_default().lines().filter_map(|l| serde_json::from_str(l).ok()).collect() };
    assert!(wait_until_blocking(Duration::from_secs(60), || {
        asked(&gateway, &["replay", &first, "--expect", "accepted"], 0);
        lines().len() >= 2
    }));
    let folders = ["accepted", "disclosures"].map(|part| kit::repository().join("samples").join(part).display().to_string());
    let report = asked(&gateway, &["replay", &folders[0], &folders[1], "--expect", "accepted"], 0);
    let sent = report["messages"].as_array().unwrap().len();
    // Headers nested so deep that a parser might end with them: the tap lives, and the message passes.
    let deep = (0..400).fold(json!("x"), |inner, _| json!({ "a": inner }));
    let publication = json!({ "properties": { "headers": { "deep": deep }, "message_id": "010190-999W" }, "routing_key": "arkki.inbound", "payload": "<a>010190-999W</a>", "payload_encoding": "string" });
    let (status, body) = gateway.vhost.api("POST", &format!("/api/exchanges/{}/amq.default/publish", gateway.vhost.name), Some(&publication.to_string()));
    assert!(status == 200 && body.contains("true"), "{status} {body}");
    assert!(
        wait_until_blocking(Duration::from_secs(30), || {
            let all = lines();
            let ways = |way: &str| all.iter().filter(|l| l["way"] == way).count();
            ways("in") > sent && ways("answer") >= sent && ways("notice") >= 7 && all.iter().any(|l| l["routed"].is_null())
        }),
        "{}",
        std::fs::read_to_string(&log).unwrap()
    );
    assert_eq!(tap.exit_status(), None, "it lives");
    tap.signal(Signal::Int);
    assert!(tap.wait(Duration::from_secs(10)).is_some_and(|s| s.success()));
    assert!(wait_until_blocking(Duration::from_secs(10), || !queues(&gateway).iter().any(|q| q.starts_with("arkki.tap."))), "its queue went with it");
    // Nobody is in it, and each line says what it is about.
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("010190-999W"), "{text}");
    let (fi, sv) = (samples::finnish().person, samples::swedish().person);
    assert!(canary::grep(&[&log], &[&fi.hetu, fi.given[0], fi.family, &sv.hetu, sv.family]).is_empty());
    let all = lines();
    let first = all.iter().find(|l| l["way"] == "in" && l["what"] == "ClinicalDocument").unwrap();
    assert_eq!((first["user"].as_str(), first["routed"].as_bool()), (Some("guest"), Some(true)));
    let accepted = all.iter().filter(|l| l["way"] == "answer" && l["facts"]["answer"] == "AA" && l["facts"]["ledger"].is_string()).count();
    assert!(accepted >= sent, "{accepted}");
    trace(&gateway, false);
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    gateway.arkki(&["audit"]).must();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_by_count_and_narrows_by_way() {
    let gateway = Gateway::new(None, "").await;
    trace(&gateway, true);
    let mut serve = gateway.serve(&[]);
    let log = gateway.folder.path().join("tap.txt");
    let mut tap = Process::start(&mut gateway.command(&["tap", "--only", "answer", "--count", "3"]), &log);
    let sample = kit::repository().join("samples/accepted/01-client-relation-fi.xml").display().to_string();
    assert!(wait_until_blocking(Duration::from_secs(60), || {
        asked(&gateway, &["replay", &sample], 0);
        tap.exit_status().is_some()
    }));
    let text = std::fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().filter(|l| l.contains(" answer ") && l.contains("answer=AA")).count(), 3, "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    trace(&gateway, false);
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
}
