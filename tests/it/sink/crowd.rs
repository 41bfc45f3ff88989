//! Many disclosures of every sort through the whole gateway, killed in the middle: disclosures = notices = log entries = what has left, checked by set, on the
//! broker's notice queue and at a FHIR server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arkki::fhir::signature;
use lapin::BasicProperties;
use serde_json::Value;

use super::events::{self, Event, Fate};
use super::judged;
use super::server::{Manner, Server};
use crate::faults::place::{metric, page};
use crate::faults::queue::Desk;
use crate::kit::process::Signal;
use crate::kit::{self, postgres::Database};
use crate::road::Gateway;

const REPLY: &str = "arkki.reply.guest.disclosures";
const NOTICES: &str = "arkki.notice";
/// How many disclosures, where it should be another number than a thousand: ten thousand take minutes in a debug build.
const SIZE: &str = "ARKKI_DISCLOSURES";
/// The longest that a thousand may take to come to rest: leases of what a killed gateway had end first.
const REST: Duration = Duration::from_secs(150);
/// How many bundles the FHIR judge sees of a run.
const JUDGED: usize = 200;

fn set(database: &Database, statement: &str) -> BTreeSet<String> {
    tokio::task::block_in_place(|| kit::postgres::server().sql(&database.name, statement)).lines().map(str::to_owned).collect()
}

fn count(database: &Database, statement: &str) -> u64 {
    set(database, statement).first().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Every event once, some twice, and some ids a second time with other octets.
fn letters(events: &[Event]) -> Vec<(String, Vec<u8>)> {
    let mut letters = Vec::new();
    for (n, event) in events.iter().enumerate() {
        letters.push((event.id.clone(), event.octets.clone()));
        if n % 20 == 13 {
            letters.push((event.id.clone(), event.octets.clone()));
        }
        if n % 20 == 17 {
            letters.push((event.id.clone(), [event.octets.as_slice(), b"\n"].concat()));
        }
    }
    letters
}

async fn run(number: u32, size: u32) {
    let events: Vec<Event> = (1..=size).map(|n| events::event(number, n)).collect();
    let taken: BTreeSet<String> = events.iter().filter(|e| e.fate == Fate::Taken).map(|e| e.id.clone()).collect();
    let late = events.iter().filter(|e| e.late && e.fate == Fate::Taken).count() as u64;
    let server = Server::start(Manner::Well);
    let database = kit::postgres::database().await;
    let papers = kit::temp_dir();
    let gateway = Gateway::new(Some(database.url.clone()), &server.section(papers.path())).await;
    let desk = Desk::open(&gateway.vhost.amqp_url).await;
    desk.declare(REPLY).await;
    let letters = letters(&events);
    for some in letters.chunks(100) {
        let properties = |id: &String| {
            let properties = BasicProperties::default().with_message_id(id.as_str().into()).with_user_id("guest".into());
            properties.with_content_type("application/xml".into()).with_reply_to(REPLY.into())
        };
        desk.publish(some.iter().map(|(id, octets)| (octets.as_slice(), properties(id)))).await;
    }
    let notices = "SELECT count(*) FROM notice";
    let third = u64::from(size) / 3;
    let rest = REST * (size / 1_000).max(1);
    let mut serve = gateway.serve(&[]);
    assert!(kit::wait_until(rest, || async { count(&database, notices) >= third }).await, "{}", tail(&gateway));
    serve.kill9();
    let killed = count(&database, notices);
    let mut serve = gateway.serve(&[]);
    let at_rest = || async {
        desk.ready("arkki.inbound").await == 0
            && desk.ready(REPLY).await as usize >= letters.len()
            && count(&database, "SELECT count(*) FROM notice_handover WHERE standing = 1") == taken.len() as u64
            && count(&database, "SELECT count(*) FROM outbox") == 0
    };
    assert!(kit::wait_until(rest, at_rest).await, "killed at {killed}, {} taken\n{}", server.kept().len(), tail(&gateway));
    assert!(killed < taken.len() as u64, "it was killed in the middle");

    // Disclosures = notices = log entries = what has left.
    assert_eq!(set(&database, "SELECT id FROM notice"), taken);
    assert_eq!(set(&database, "SELECT DISTINCT notice FROM disclosure_log WHERE kind = 3"), taken);
    assert_eq!(set(&database, "SELECT document_id FROM ledger WHERE kind = 6"), taken);
    assert_eq!(count(&database, "SELECT count(*) FROM ledger WHERE kind = 6"), taken.len() as u64);
    assert_eq!(set(&database, "SELECT DISTINCT n.id FROM notice n JOIN notice_emitted e ON e.position = n.position"), taken);
    let mut bundles: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for found in desk.take_all(NOTICES).await {
        let id = found.message_id();
        let before = bundles.insert(id, found.body.clone());
        assert!(before.is_none_or(|before| before == found.body), "a copy is a copy");
    }
    assert_eq!(bundles.keys().cloned().collect::<BTreeSet<_>>(), taken);
    let kept = server.kept();
    assert_eq!(kept.keys().cloned().collect::<BTreeSet<_>>(), taken);
    assert!(kept.values().all(|times| times.len() == 1));
    let stored: BTreeSet<String> = kept.values().flatten().flatten().cloned().collect();
    assert_eq!(set(&database, "SELECT stored_id FROM notice_stored"), stored);
    assert!(bundles.values().all(|bundle| signature::verify(bundle).is_ok()));
    let some: Vec<Vec<u8>> = bundles.into_values().step_by((taken.len() / JUDGED).max(1)).collect();
    assert_eq!(judged::verdicts(&some).into_iter().find(|verdict| verdict != "ok"), None);

    // The command says the same, and so does the gauge; and a row that is gone moves both.
    let said: Value = serde_json::from_str(&gateway.arkki(&["lilm", "reconcile", "--json"]).must()).unwrap();
    let all = |said: &Value, name: &str| said["all"][name].as_u64().unwrap();
    for name in ["disclosures", "notices", "logged", "emitted", "taken"] {
        assert_eq!(all(&said, name), taken.len() as u64, "{name}");
    }
    assert_eq!((all(&said, "late"), all(&said, "missing"), said["flawed"].as_array().unwrap().len() as u64), (late, 0, late));
    gateway.arkki(&["audit"]).must();
    // Killed between commits and settling, between publishing and forgetting: everything has its explanation.
    gateway.arkki(&["reconcile"]).must();
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(40)).is_some_and(|s| s.success()), "{}", tail(&gateway));
    let gone = set(&database, "DELETE FROM disclosure_log WHERE notice = (SELECT min(id) FROM notice) RETURNING notice");
    let id = gone.first().unwrap().lines().next().unwrap().to_owned();
    let mut serve = gateway.serve(&[]);
    assert!(kit::wait_until(REST, || async { metric(gateway.port, "arkki_notices_missing") == 1.0 }).await, "{}", page(gateway.port, "/metrics"));
    assert!(gateway.log_text().contains("disclosures and notices do not add up"));
    let unwell = gateway.arkki(&["lilm", "reconcile", "--language", "sv"]);
    assert_eq!(unwell.code, Some(1), "{}", unwell.errors());
    assert!(unwell.text().contains(&format!("{id}  en loggrad saknas")), "{}", unwell.text());
    let shown: Value = serde_json::from_str(&gateway.arkki(&["lilm", "show", &id, "--json"]).must()).unwrap();
    assert_eq!(shown["flaws"][0], "no-log-row");
    assert_eq!(shown["resources"][0]["stored_id"], kept[&id][0][0].as_str());
    assert!(gateway.arkki(&["lilm", "list", "--standing", "taken", "--last", "3"]).must().ends_with("3 notices\n"));
    assert_eq!(gateway.arkki(&["lilm", "retry", &id]).code, Some(1));
    assert_eq!(gateway.arkki(&["lilm", "show", "1.2.3"]).code, Some(1));
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(40)).is_some_and(|s| s.success()), "{}", tail(&gateway));
    desk.close().await;
    println!("{size} disclosures, killed at {killed}: {} notices, {late} late, {} requests at the FHIR server", taken.len(), server.requests());
}

fn tail(gateway: &Gateway) -> String {
    let text = gateway.log_text();
    text.lines().rev().take(20).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_disclosures_and_a_kill_in_the_middle() {
    let size = std::env::var(SIZE).map_or(1_000, |size| size.parse().expect("a number"));
    run(1, size).await;
}
