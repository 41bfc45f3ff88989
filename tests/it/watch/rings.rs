//! Alarms rung by their real causes, on real servers, seen by a real Prometheus that scrapes the gateway; and seen to close when the cause is mended.

use std::process::Command;
use std::time::Duration;

use arkki::crypto::authority::{Authority, Validity};
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;
use arkki::ports::clock::Clock as _;
use serde_json::json;
use sqlx::Connection as _;

use super::prometheus::Prometheus;
use super::{metrics, publish, reconfigure, samples};
use crate::kit::process::{Process, Signal};
use crate::kit::{self, wait_until_blocking};
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(60);

fn nothing() -> serde_json::Value {
    json!({})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_a_broker_and_an_instance_that_go_away_ring_and_fall_silent() {
    let (database, rabbit) = tokio::task::spawn_blocking(|| (kit::postgres::own_server(), kit::rabbit::own_server())).await.unwrap();
    let vhost = tokio::task::block_in_place(|| rabbit.vhost_blocking());
    let gateway = Gateway::on(vhost, Some(database.database().await.url), "");
    let mut serve = gateway.serve(&[]);
    let prometheus = Prometheus::start(&[gateway.port]);
    gateway.send(&samples("accepted", &["01"]));
    // What this machine's own disk says is not ours to judge.
    assert!(prometheus.firing().iter().all(|alert| alert.starts_with("ArkkiDisk")), "{:?}", prometheus.firing());

    tokio::task::block_in_place(|| database.stop());
    let files = samples("accepted", &["02", "03", "13", "17"]);
    files.iter().for_each(|file| publish(&gateway.vhost, file, Some("arkki.reply.guest.1"), &nothing()));
    prometheus.rings(&["Outage", "Unanswered"]);
    tokio::task::block_in_place(|| database.start());
    prometheus.is_silent(&["Outage"]);

    // The user loses the right to read, and its connections: messages come and nobody takes them.
    let permit = |read: &str| {
        let rights = json!({ "configure": ".*", "write": ".*", "read": read }).to_string();
        assert_eq!(gateway.vhost.api("PUT", &format!("/api/permissions/{}/guest", gateway.vhost.name), Some(&rights)).0, 204);
    };
    permit("^$");
    let connections =
        || serde_json::from_str::<Vec<serde_json::Value>>(&gateway.vhost.api("GET", &format!("/api/vhosts/{}/connections", gateway.vhost.name), None).1);
    assert!(wait_until_blocking(SOON, || connections().is_ok_and(|all| !all.is_empty())), "the management pages know no connection");
    for connection in connections().unwrap() {
        let name = connection["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E");
        gateway.vhost.api("DELETE", &format!("/api/connections/{name}"), None);
    }
    files.iter().for_each(|file| publish(&gateway.vhost, file, Some("arkki.reply.guest.2"), &nothing()));
    prometheus.rings(&["QueueUnread"]);
    permit(".*");
    prometheus.is_silent(&["QueueUnread"]);

    tokio::task::block_in_place(|| rabbit.stop());
    prometheus.rings(&["BrokerAway"]);
    tokio::task::block_in_place(|| rabbit.start());
    prometheus.is_silent(&["BrokerAway"]);

    serve.signal(Signal::Kill);
    assert!(serve.wait(SOON).is_some());
    prometheus.rings(&["InstanceDown"]);
    let mut serve = gateway.serve(&[]);
    // The answers went to queues that nobody declared: that, and nothing else, is left to mend.
    prometheus.is_silent(&["InstanceDown"]);
    for queue in ["arkki.reply.guest.1", "arkki.reply.guest.2"] {
        assert_eq!(gateway.vhost.api("PUT", &format!("/api/queues/{}/{queue}", gateway.vhost.name), Some(r#"{"durable":true}"#)).0, 201);
    }
    prometheus.is_silent(&["Unanswered", "Unroutable", "OutboxOld", "Outage"]);
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_make_trouble_ring_and_fall_silent() {
    let gateway = Gateway::new(None, "[limits]\nheld_in_all = 1\nhold_seconds = 20\n").await;
    gateway.arkki(&["migrate"]).must();
    let mut serve = gateway.serve(&[]);
    let prometheus = Prometheus::start(&[gateway.port]);
    let answers = |name: &str| format!("/api/queues/{}/{name}", gateway.vhost.name);

    // An answer that no queue takes.
    publish(&gateway.vhost, &samples("accepted", &["01"])[0], Some("arkki.reply.guest.nowhere"), &nothing());
    // A message without a reply address.
    publish(&gateway.vhost, &samples("refused", &["E305"])[0], None, &nothing());
    // A document whose case nobody has sent.
    publish(&gateway.vhost, &samples("accepted", &["03"])[0], Some("arkki.reply.guest.held"), &nothing());
    prometheus.rings(&["Unroutable", "OutboxOld", "DeadLetters", "HoldsFill"]);
    for queue in ["arkki.reply.guest.nowhere", "arkki.reply.guest.held"] {
        assert_eq!(gateway.vhost.api("PUT", &answers(queue), Some(r#"{"durable":true}"#)).0, 201);
    }
    assert_eq!(gateway.vhost.api("DELETE", &format!("{}/contents", answers("arkki.dead-letter")), None).0, 204);
    prometheus.is_silent(&["Unroutable", "OutboxOld", "DeadLetters", "HoldsFill"]);

    // A sender's bad release, and signatures that are not what they say.
    let refused = crate::road::files(&kit::repository().join("samples/refused"));
    gateway.send(&refused.into_iter().filter(|f| f.to_str().is_some_and(|f| f.contains("E60") || f.contains("E3"))).collect::<Vec<_>>());
    prometheus.rings(&["RefusalsFlood", "SecurityRefusals"]);
    prometheus.is_silent(&["RefusalsFlood", "SecurityRefusals"]);

    // A document that the database cannot take: a defect of ours.
    let mut line = sqlx::SqliteConnection::connect(&gateway.archive_url).await.unwrap();
    let trigger = "CREATE TRIGGER unforeseen BEFORE INSERT ON document WHEN NEW.language = 'sv' BEGIN SELECT RAISE(ABORT, 'unforeseen'); END";
    sqlx::query(trigger).execute(&mut line).await.unwrap();
    gateway.send(&samples("accepted", &["13"]));
    prometheus.rings(&["Defect"]);
    sqlx::query("DROP TRIGGER unforeseen").execute(&mut line).await.unwrap();
    line.close().await.unwrap();
    prometheus.is_silent(&["Defect"]);

    // The gateway's own alarms: opened once, however often it looked.
    let log = gateway.log_text();
    for alarm in ["SecurityRefusals", "Defect"] {
        assert_eq!(log.lines().filter(|l| l.contains("alarm opened") && l.contains(&format!("\"{alarm}\""))).count(), 1, "{alarm}: {log}");
        assert!(metrics(&gateway).lines().any(|l| l.starts_with(&format!("arkki_alarm_since_seconds{{alarm=\"{alarm}\"}} 1"))), "{}", metrics(&gateway));
    }
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_checkpoints_stamps_and_responders_that_fail_ring_and_fall_silent() {
    let late = kit::temp_dir();
    let file = late.path().join("not-yet/checkpoints.jsonl");
    let ca = kit::repository().join("samples/keys/ca.pem");
    let more = format!(
        "[checkpoint]\nfile = {:?}\nseconds = 1\n[timestamp]\nurl = \"http://127.0.0.1:1/tsa\"\ntrust = [{:?}]\n",
        file.display().to_string(),
        ca.display().to_string()
    );
    let gateway = Gateway::new(None, &more).await;
    reconfigure(&gateway, "[sign]\n", "[sign]\nocsp = \"http://127.0.0.1:1/ocsp\"\nrevocation_unknown = \"warn\"\n");
    // A certificate with two days left.
    let keys = kit::repository().join("samples/keys");
    let authority = Authority::from_pem(&std::fs::read(keys.join("ca-key.pem")).unwrap(), &std::fs::read(keys.join("ca.pem")).unwrap()).unwrap();
    let now = arkki::adapters::clock::SystemClock.now();
    let valid = |days: u64| Validity { from: Moment::from_seconds(now.seconds() - 3600), until: now.plus(Duration::from_secs(days * 86_400)) };
    let unit = Oid::parse("1.2.246.10.99999992.10.0").unwrap();
    let certificate = gateway.folder.path().join("short.pem");
    let issue = |days: u64| {
        let issued = authority.system("Testila", &unit, "Arkki", valid(days)).unwrap();
        std::fs::write(gateway.folder.path().join("system.key"), issued.key_pem).unwrap();
        std::fs::write(&certificate, issued.certificate_pem).unwrap();
    };
    issue(2);
    reconfigure(&gateway, &format!("{:?}", keys.join("system.pem").display().to_string()), &format!("{:?}", certificate.display().to_string()));
    let mut serve = gateway.serve(&[]);
    let prometheus = Prometheus::start(&[gateway.port]);
    gateway.send(&samples("accepted", &["01", "02", "03"]));
    prometheus.rings(&["CertificateSoon", "CertificateEnds", "CheckpointsFail", "OcspSilent"]);

    issue(400);
    serve.signal(Signal::Hangup);
    std::fs::create_dir(late.path().join("not-yet")).unwrap();
    prometheus.is_silent(&["CertificateSoon", "CertificateEnds", "OcspSilent"]);
    gateway.send(&samples("accepted", &["13"]));
    prometheus.is_silent(&["CheckpointsFail"]);
    assert!(file.is_file());
    prometheus.rings(&["TimestampsFail"]);

    // Somebody rewrites the ledger: the next checkpoint is not signed.
    let mut line = sqlx::SqliteConnection::connect(&gateway.archive_url).await.unwrap();
    for sql in ["CREATE TABLE kept AS SELECT position, hash FROM ledger", "UPDATE ledger SET hash = randomblob(32)"] {
        sqlx::query(sql).execute(&mut line).await.unwrap();
    }
    gateway.send(&samples("accepted", &["17"]));
    prometheus.rings(&["CheckpointsDisagree"]);
    let mend = "UPDATE ledger SET hash = (SELECT k.hash FROM kept k WHERE k.position = ledger.position) WHERE position IN (SELECT position FROM kept)";
    for sql in [mend, "DROP TABLE kept"] {
        sqlx::query(sql).execute(&mut line).await.unwrap();
    }
    line.close().await.unwrap();
    prometheus.is_silent(&["CheckpointsDisagree"]);
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

/// A disk of 64 megabytes with the archive on it, in a name space of its own, that is filled and emptied.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_rings_and_falls_silent() {
    if !kit::run("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).ok() {
        println!("left out: this machine lets nobody mount a file system of its own");
        return;
    }
    let gateway = Gateway::new(None, "").await;
    let disk = gateway.folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    reconfigure(&gateway, "log = \"json\"", &format!("log = \"json\"\ndisks = [{:?}]", disk.display().to_string()));
    let config = gateway.folder.path().join("arkki.toml");
    let script = "mount -t tmpfs -o size=64m tmpfs \"$1\" && exec \"$2\" --config \"$3\" serve";
    let plain = gateway.command(&["serve"]);
    let mut command = Command::new(kit::tool("unshare"));
    command.args(["-rm", "sh", "-c", script, "sh"]).arg(&disk).arg(kit::arkki()).arg(config);
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("ARKKI_ARCHIVE_URL", format!("sqlite://{}/archive.sqlite", disk.display()));
    let mut serve = Process::start(&mut command, &gateway.log());
    assert!(wait_until_blocking(SOON, || metrics(&gateway).contains("arkki_disk_free_share")), "{}", gateway.log_text());
    let prometheus = Prometheus::start(&[gateway.port]);
    // The process sees its own disk; through it, so do we.
    let inside = |name: &str| format!("/proc/{}/root{}/{name}", serve.pid(), disk.display());
    std::fs::write(inside("ballast"), vec![1; 58_500_000]).unwrap();
    prometheus.rings(&["DiskLow"]);
    assert!(!prometheus.firing().contains(&"ArkkiDiskFull".to_owned()));
    // It fills to the last octet.
    let _full = std::fs::write(inside("more"), vec![1; 20_000_000]).is_err();
    prometheus.rings(&["DiskLow", "DiskFull"]);
    std::fs::remove_file(inside("more")).unwrap();
    std::fs::remove_file(inside("ballast")).unwrap();
    prometheus.is_silent(&["DiskLow", "DiskFull"]);
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}
