//! `migrate`, `topology`, `doctor` and `send` against real servers: well, unwell and blind.

use std::time::Duration;

use arkki::adapters::clock::SystemClock;
use arkki::crypto::authority::{Authority, Validity};
use arkki::ports::clock::Clock as _;
use serde_json::Value;

use super::{arkki, exits, json, samples};
use crate::kit::{self, Output};
use crate::road::Gateway;

/// The archive in both databases: a fresh PostgreSQL, then a file in the gateway's folder.
async fn archives() -> [Option<String>; 2] {
    [Some(kit::postgres::database().await.url), None]
}

/// Checks of `doctor --json` that are in this state, by name.
fn found(output: &Output, state: &str) -> Vec<String> {
    let report = json(output);
    let checks = report["checks"].as_array().unwrap();
    let names = checks.iter().filter(|c| c["state"] == state).map(|c| {
        assert!(state == "well" || c["mend"].as_str().is_some_and(|m| !m.is_empty()), "{c} names nothing that mends it");
        c["name"].as_str().unwrap().to_owned()
    });
    names.collect()
}

/// The gateway's configuration with some words replaced, for commands that take another file.
fn with(gateway: &Gateway, from: &str, to: &str, args: &[&str]) -> Output {
    let config = std::fs::read_to_string(gateway.folder.path().join("arkki.toml")).unwrap();
    assert!(config.contains(from), "{from}: {config}");
    let other = gateway.folder.path().join("other.toml");
    std::fs::write(&other, config.replace(from, to)).unwrap();
    let mut all = vec!["--config", other.to_str().unwrap()];
    all.extend(args);
    let mut command = super::command(&all);
    command.env("ARKKI_BROKER_URL", &gateway.vhost.amqp_url).env("ARKKI_ARCHIVE_URL", &gateway.archive_url);
    kit::run_command(command.env("ARKKI_MANAGEMENT_URL", gateway.vhost.management_url.replacen("http://", "http://guest:guest@", 1)), b"")
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_may_be_repeated_and_refuses_strangers() {
    for archive in archives().await {
        let gateway = Gateway::new(archive, "").await;
        let first = gateway.arkki(&["migrate", "--json"]);
        exits(&first, 0);
        assert_eq!(json(&first)["ran"][0], "0001_archive.sql");
        let second = gateway.arkki(&["migrate", "--json"]);
        exits(&second, 0);
        assert_eq!(json(&second)["ran"].as_array().map(Vec::len), Some(0));
        assert!(gateway.arkki(&["migrate"]).must().contains("up to date"));
    }
    // A file that is not there, not a database, or not a file: which, and what mends it.
    let folder = kit::temp_dir();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("note.txt"), "a note, and long enough that it could have been the header of some database or other, but it is none".repeat(20)).unwrap();
    for (url, words, said) in [
        (at("none.sqlite"), &["messages", "list"][..], "the file is not there: arkki migrate makes it"),
        (at("no/none.sqlite"), &["migrate"], "the folder of the file is not there"),
        (at("note.txt"), &["messages", "list"], "no SQLite database"),
        (at(""), &["messages", "list"], "cannot be opened"),
    ] {
        let output = kit::run_command(super::command(words).env("ARKKI_ARCHIVE_URL", format!("sqlite:{url}")), b"");
        exits(&output, 2);
        assert!(output.errors().contains(said), "{url}: {}", output.errors());
    }
    assert!(!folder.path().join("none.sqlite").exists());
    let nowhere = kit::run_command(super::command(&["migrate"]).env("ARKKI_ARCHIVE_URL", "postgres://u:s3cret@127.0.0.1:1/none"), b"");
    exits(&nowhere, 2);
    assert!(nowhere.errors().contains("127.0.0.1:1") && !nowhere.errors().contains("s3cret"), "{}", nowhere.errors());
}

#[tokio::test(flavor = "multi_thread")]
async fn topology_is_planned_applied_and_applied_again() {
    let gateway = Gateway::new(None, "").await;
    let plan = json(&gateway.arkki(&["topology", "plan", "--json"]));
    let again = gateway.arkki(&["topology", "apply", "--json"]);
    exits(&again, 0);
    let applied = json(&again);
    let declared: Vec<&Value> = applied.as_array().unwrap().iter().map(|a| &a["declaration"]).collect();
    assert_eq!(declared, plan.as_array().unwrap().iter().collect::<Vec<_>>());
    assert!(gateway.arkki(&["topology", "plan"]).must().contains("queue arkki.inbound (x-queue-type=quorum"));
    // The queue made by somebody else, with other arguments.
    let path = format!("/api/queues/{}/arkki.inbound", gateway.vhost.name);
    assert_eq!(gateway.vhost.api("DELETE", &path, None).0, 204);
    assert_eq!(gateway.vhost.api("PUT", &path, Some(r#"{"durable":true,"arguments":{}}"#)).0, 201);
    let mismatch = gateway.arkki(&["topology", "apply", "--json"]);
    exits(&mismatch, 1);
    let wrong: Vec<Value> = json(&mismatch).as_array().unwrap().iter().filter(|a| a["well"] == false).cloned().collect();
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0]["mend"].as_str().is_some_and(|m| m.contains("arkki.inbound")), "{wrong:?}");
    assert!(gateway.arkki(&["topology", "apply"]).text().contains("UNWELL"));
    let nowhere = kit::run_command(super::command(&["topology", "apply"]).env("ARKKI_BROKER_URL", "amqp://u:s3cret@127.0.0.1:1/v"), b"");
    exits(&nowhere, 2);
    assert!(!nowhere.errors().contains("s3cret"), "{}", nowhere.errors());
    exits(&kit::run_command(super::command(&["topology", "plan"]).env("ARKKI_BROKER_URL", "amqp://127.0.0.1:1/v"), b""), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_changes_nothing_and_finds_each_thing_that_is_wrong() {
    for archive in archives().await {
        let gateway = Gateway::new(archive, "").await;
        // Before `migrate`: found, and not mended in passing.
        for _ in 0..2 {
            let bare = gateway.arkki(&["doctor", "--json"]);
            let (unwell, unseen) = (found(&bare, "unwell"), found(&bare, "unseen"));
            assert!(unwell == ["archive"] || unseen == ["archive"], "{}", bare.text());
            exits(&bare, if unwell.is_empty() { 2 } else { 1 });
        }
        gateway.arkki(&["migrate"]).must();
        let well = gateway.arkki(&["doctor", "--json"]);
        exits(&well, 0);
        assert!(found(&well, "well").iter().any(|n| n == "memory bound"));
        assert!(gateway.arkki(&["doctor"]).must().ends_with("all is well\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_keys_queues_and_what_it_could_not_see() {
    let gateway = Gateway::new(None, "").await;
    gateway.arkki(&["migrate"]).must();
    let mut unsighted = gateway.command(&["doctor", "--json"]);
    let unsighted = kit::run_command(unsighted.env_remove("ARKKI_MANAGEMENT_URL"), b"");
    exits(&unsighted, 2);
    assert!(found(&unsighted, "unseen").iter().any(|n| n == "management"));

    let production = with(&gateway, "[archive]", "environment = \"production\"\n[archive]", &["doctor", "--json"]);
    exits(&production, 1);
    let unwell = found(&production, "unwell");
    assert!(unwell.contains(&"trust anchors".to_owned()) && unwell.contains(&"signing key".to_owned()), "{unwell:?}");

    let other = with(&gateway, "system.pem", "stranger.pem", &["doctor", "--json"]);
    exits(&other, 1);
    assert_eq!(found(&other, "unwell"), ["signing key"]);
    let no_authority = with(&gateway, "samples/keys/ca.pem", "samples/keys/stranger.pem", &["doctor", "--json"]);
    exits(&no_authority, 1);
    assert!(found(&no_authority, "unwell").contains(&"trust anchors".to_owned()));
    let now = SystemClock.now();
    let authority = Authority::make("another", Validity { from: now, until: now.plus(Duration::from_secs(400 * 86_400)) }).unwrap();
    std::fs::write(gateway.folder.path().join("another.pem"), authority.to_pem().unwrap().certificate_pem).unwrap();
    let (ours, another) = (kit::repository().join("samples/keys/ca.pem"), gateway.folder.path().join("another.pem"));
    let stranger = with(&gateway, ours.to_str().unwrap(), another.to_str().unwrap(), &["doctor", "--json"]);
    exits(&stranger, 1);
    assert_eq!(found(&stranger, "unwell"), ["signing certificate"]);
    std::fs::write(gateway.folder.path().join("short.key"), [7; 31]).unwrap();
    let short = with(&gateway, "site.key", "short.key", &["doctor", "--json"]);
    exits(&short, 1);
    assert_eq!(found(&short, "unwell"), ["site key"]);
    let host = gateway.vhost.management_url.strip_prefix("http://").unwrap();
    let wrong = format!("http://guest:of-long-ago@{host}");
    let wrong = kit::run_command(gateway.command(&["doctor"]).env("ARKKI_MANAGEMENT_URL", wrong), b"");
    exits(&wrong, 2);
    assert!(wrong.text().contains("mend the password in [broker] management_url") && !wrong.text().contains("of-long-ago"), "{}", wrong.text());

    let path = format!("/api/queues/{}/arkki.inbound", gateway.vhost.name);
    assert_eq!(gateway.vhost.api("DELETE", &path, None).0, 204);
    let gone = gateway.arkki(&["doctor", "--json"]);
    exits(&gone, 1);
    assert_eq!(found(&gone, "unwell"), ["inbound queue arkki.inbound"]);
    assert!(gone.text().contains("arkki topology apply"));

    let away = kit::run_command(gateway.command(&["doctor", "--json"]).env("ARKKI_BROKER_URL", "amqp://u:s3cret@127.0.0.1:1/v"), b"");
    exits(&away, 2);
    assert_eq!(found(&away, "unseen"), ["broker"]);
    assert!(!away.text().contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn send_says_whether_the_answers_are_the_expected_ones() {
    let gateway = Gateway::new(None, "").await;
    let paths = |folder: &str, names: &[&str]| -> Vec<String> { samples(folder, names).iter().map(|p| p.display().to_string()).collect() };
    let send = |args: &[&str], files: &[String]| {
        let mut all = vec!["send"];
        all.extend(args);
        all.extend(files.iter().map(String::as_str));
        gateway.arkki(&all)
    };
    let (good, bad) = (paths("accepted", &["01", "02", "03"]), paths("refused", &["E305"]));
    // Nobody answers.
    let unanswered = send(&["--timeout", "1", "--json"], &bad);
    exits(&unanswered, 1);
    assert_eq!(json(&unanswered)["unanswered"], 1);
    let nowhere = send(&["--timeout", "1", "--reply", "answers.of.mine"], &bad);
    exits(&nowhere, 1);
    assert!(nowhere.text().contains("no answer goes to answers.of.mine for guest by this configuration"), "{}", nowhere.text());
    assert!(!send(&["--timeout", "1"], &bad).text().contains("by this configuration"), "its own queue would be answered");
    let mut serve = gateway.serve(&[]);
    let accepted = send(&["--expect", "accepted", "--json"], &good);
    exits(&accepted, 0);
    assert_eq!((&json(&accepted)["messages"][0]["answer"], &json(&accepted)["messages"][2]["answer"]), (&Value::from("AA"), &Value::from("AA")));
    let shown = send(&["--expect", "E305", "--show"], &bad);
    exits(&shown, 0);
    assert!(shown.text().contains("<MCCI_IN000002UV01") && shown.text().contains("1 AE"), "{}", shown.text());
    exits(&send(&["--expect", "refused"], &bad), 0);
    let wrong = send(&["--expect", "accepted"], &bad);
    exits(&wrong, 1);
    assert!(wrong.text().contains("1 of 1 are not accepted"), "{}", wrong.text());
    exits(&send(&["--expect", "E304"], &bad), 1);
    exits(&send(&[], &bad), 0);
    exits(&send(&["--reply", "arkki.reply.guest.elsewhere"], &bad), 0);
    let queueless = send(&["--queue", "no.such.queue"], &bad);
    exits(&queueless, 2);
    assert!(queueless.errors().contains("arkki topology apply"), "{}", queueless.errors());
    exits(&send(&[], &["no-such-file.xml".to_owned()]), 2);
    let nowhere = kit::run_command(super::command(&["send", &bad[0]]).env("ARKKI_BROKER_URL", "amqp://u:s3cret@127.0.0.1:1/v"), b"");
    exits(&nowhere, 2);
    assert!(!nowhere.errors().contains("s3cret"), "{}", nowhere.errors());
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    exits(&arkki(&["send"]), 2);
}
