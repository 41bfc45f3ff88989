//! The dead-letter queue against the decisions: whatever is sent without an address for the answer, and however often, is explained; what the broker gave up on is not.

use std::time::Duration;

use serde_json::{Value, json};

use super::{metrics, publish, samples};
use crate::kit::process::Signal;
use crate::kit::{self, rabbit, wait_until_blocking};
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(60);

fn reconciled(gateway: &Gateway) -> Value {
    let output = gateway.arkki(&["reconcile", "--json"]);
    serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()))
}

/// How many lie there, as the broker itself counts them at this moment.
fn dead(gateway: &Gateway) -> u64 {
    let said = rabbit::server().ctl(&["-q", "list_queues", "-p", &gateway.vhost.name, "name", "messages"]).must();
    said.lines().filter_map(|line| line.split_once('\t')).find(|(name, _)| *name == "arkki.dead-letter").map_or(0, |(_, many)| many.trim().parse().unwrap())
}

async fn sent_again_without_an_address(archive_url: Option<String>) {
    let gateway = Gateway::new(archive_url, "[limits]\nhold_seconds = 2\n").await;
    let mut serve = gateway.serve(&[]);
    let publish = |folder: &str, name: &str, reply: Option<&str>| publish(&gateway.vhost, &samples(folder, &[name])[0], reply, &json!({}));
    let lie = |count: u64| assert!(wait_until_blocking(SOON, || dead(&gateway) == count), "{} of {count}: {}", dead(&gateway), gateway.log_text());
    // The management API's counts follow within seconds.
    let explained = |count: u64| {
        let mut sum = Value::Null;
        let is_so = || {
            sum = reconciled(&gateway);
            sum["dead_letters"] == count
        };
        assert!(wait_until_blocking(SOON, is_so), "{sum}");
        assert_eq!(sum["unexplained"], 0, "{sum}");
    };
    // Refused; sent again by its sender, twice; another.
    publish("refused", "E305", None);
    lie(1);
    publish("refused", "E305", None);
    publish("refused", "E305", None);
    lie(3);
    publish("refused", "E301", None);
    lie(4);
    explained(4);
    // What would be taken, and what would wait on hold until its time is up; and both again.
    for name in ["01", "03", "01", "03"] {
        let before = dead(&gateway);
        publish("accepted", name, None);
        lie(before + 1);
    }
    std::thread::sleep(Duration::from_secs(4));
    explained(8);
    // The sender mends its address, and the same message has its answer: nothing more lies there.
    publish("refused", "E305", Some("arkki.reply.guest.mended"));
    assert!(wait_until_blocking(SOON, || metrics(&gateway).contains("ending=\"repeated\"")), "{}", metrics(&gateway));
    assert_eq!(gateway.vhost.api("PUT", &format!("/api/queues/{}/arkki.reply.guest.mended", gateway.vhost.name), Some(r#"{"durable":true}"#)).0, 201);
    // An operator replays them all: nobody is answered, and nothing is dead-lettered once more.
    gateway.arkki(&["refusals", "replay", "--all", "--why", "for the count", "--yes", "--wait"]).must();
    explained(8);
    // What the broker gave up on is nobody's decision, among as many as there are.
    let body = json!({ "properties": {}, "routing_key": "arkki.dead-letter", "payload": "<poison/>", "payload_encoding": "string" }).to_string();
    assert_eq!(gateway.vhost.api("POST", &format!("/api/exchanges/{}/amq.default/publish", gateway.vhost.name), Some(&body)).0, 200);
    let strange = || reconciled(&gateway)["named"].as_array().unwrap().iter().any(|one| one["missing"] == "dead-letter" && one["which"] == "1 of 9");
    assert!(wait_until_blocking(SOON, strange), "{}", reconciled(&gateway));
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_without_an_address_is_explained_on_postgres() {
    sent_again_without_an_address(Some(kit::postgres::database().await.url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_without_an_address_is_explained_on_sqlite() {
    sent_again_without_an_address(None).await;
}
