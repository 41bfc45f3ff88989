//! The gateway as a value: what was opened can be dropped, and nothing of it goes on.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::embedded::{EmbeddedBroker, Letter};
use arkki::app;
use arkki::config::checked::Config;
use arkki::config::raw::Raw;
use arkki::ports::broker::Published;

use super::samples;
use crate::kit;

const SOON: Duration = Duration::from_secs(20);
const REPLY: &str = "arkki.reply.anonymous.house";

/// A configuration on a folder, with the samples' keys.
fn config(folder: &kit::TempDir) -> Config {
    let at = |name: &str| folder.path().join(name).display().to_string();
    let keys = kit::repository().join("samples/keys");
    std::fs::write(at("site.key"), [7; 32]).unwrap();
    std::fs::copy(keys.join("system-key.pem"), at("system-key.pem")).unwrap();
    std::fs::set_permissions(at("system-key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut raw = Raw::default();
    raw.reply.allow_anonymous = true;
    raw.archive.url = format!("sqlite://{}", at("archive.sqlite"));
    raw.archive.site_key_file = at("site.key");
    raw.sign.key_file = at("system-key.pem");
    raw.sign.certificate_file = keys.join("system.pem").display().to_string();
    raw.sign.trust = vec![keys.join("ca.pem").display().to_string()];
    Config::check(raw, &|_| None).unwrap()
}

fn put(broker: &EmbeddedBroker, n: usize, file: &std::path::Path) {
    let body = Arc::new(std::fs::read(file).unwrap());
    let letter = Letter { message_id: Some(n.to_string()), reply_to: Some(REPLY.to_owned()), body, ..Letter::default() };
    assert_eq!(broker.put("arkki.inbound", letter), Ok(Published::Routed));
}

#[test]
fn a_house_that_is_dropped_leaves_nothing_running() {
    let folder = kit::temp_dir();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let broker = EmbeddedBroker::new();
    broker.declare(REPLY);
    runtime.block_on(async {
        let house = app::open_embedded(&config(&folder), &broker).await.unwrap_or_else(|fault| panic!("{fault}"));
        put(&broker, 1, &samples("accepted", &["01"])[0]);
        assert!(broker.take(REPLY, SOON).await.is_some());
        assert_eq!(house.ended(), None);
    });
    let alive = || runtime.metrics().num_alive_tasks();
    assert!(kit::wait_until_blocking(SOON, || alive() == 0), "{} tasks go on", alive());
}

#[test]
fn a_house_that_is_closed_has_settled_everything_in_hand() {
    let folder = kit::temp_dir();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let broker = EmbeddedBroker::new();
    broker.declare(REPLY);
    runtime.block_on(async {
        let house = app::open_embedded(&config(&folder), &broker).await.unwrap_or_else(|fault| panic!("{fault}"));
        // The same few over and over: repeats are commits too.
        for (n, file) in samples("accepted", &["01", "02", "03", "11"]).iter().cycle().take(60).enumerate() {
            put(&broker, n, file);
        }
        assert!(broker.take(REPLY, SOON).await.is_some());
        assert_eq!(house.close(SOON).await, 0);
        let (left, answered) = (broker.count("arkki.inbound").unwrap(), broker.count(REPLY).unwrap() + 1);
        assert_eq!(left + answered, 60, "{left} left, {answered} answered");
        assert_eq!(broker.count("arkki.dead-letter"), Some(0));
        // A new house takes what was left.
        let house = app::open_embedded(&config(&folder), &broker).await.unwrap_or_else(|fault| panic!("{fault}"));
        assert!(kit::wait_until(SOON, || async { broker.count(REPLY) == Some(59) }).await, "{:?}", broker.count(REPLY));
        assert_eq!(house.close(SOON).await, 0);
    });
}
