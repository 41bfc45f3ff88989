//! Backup and restore, drilled on both archives: copied under load, brought into a fresh place, audited against the checkpoints, and what was lost sent again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{LONG, exits, json, samples};
use crate::kit::process::{Process, Signal};
use crate::kit::{self, Output};
use crate::road::Gateway;

/// What there is before the backup, while it is made, and after it.
const BEFORE: [&str; 4] = ["01", "02", "03", "05"];
const MEANWHILE: [&str; 3] = ["07", "08", "13"];
const AFTER: [&str; 3] = ["06", "14", "11"];

fn stop(mut serve: Process, gateway: &Gateway) {
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

/// A command of the gateway's on another archive.
fn elsewhere(gateway: &Gateway, archive: &str, args: &[&str]) -> Output {
    kit::run_command(gateway.command(args).env("ARKKI_ARCHIVE_URL", archive), b"")
}

async fn drill(postgres: bool) {
    let fresh = async || match postgres {
        true => kit::postgres::database().await.url,
        false => format!("sqlite://{}/again.sqlite", kit::temp_dir().keep().display()),
    };
    let file = kit::temp_dir();
    let checkpoints = file.path().join("checkpoints.jsonl").display().to_string();
    let first = if postgres { Some(fresh().await) } else { None };
    let mut gateway = Gateway::new(first, &format!("[checkpoint]\nfile = {checkpoints:?}\nseconds = 1\n")).await;
    let serve = gateway.serve(&[]);
    let answers = gateway.send(&samples(&BEFORE));
    assert!(answers.iter().all(|(_, answer, _)| answer == "AA"), "{answers:?}");
    let backup = file.path().join("copy").display().to_string();
    // Under load: what is new comes in while the copy is made, and the old again and again.
    let over = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut sent = gateway.send(&samples(&MEANWHILE));
            while !over.load(Ordering::Acquire) {
                sent.extend(gateway.send(&samples(&BEFORE)));
            }
            sent
        });
        let made = gateway.arkki(&["backup", &backup, "--json"]);
        over.store(true, Ordering::Release);
        let sent = load.join().unwrap();
        assert!(sent.iter().all(|(_, answer, _)| answer == "AA"), "{sent:?}");
        made
    });
    exits(&made, 0);
    let position = json(&made)["position"].as_u64().unwrap();
    assert!(position >= 4, "{}", made.text());
    gateway.send(&samples(&MEANWHILE));
    let after = gateway.send(&samples(&AFTER));
    assert!(after.iter().all(|(_, answer, _)| answer == "AA"), "{after:?}");
    let end = json(&gateway.arkki(&["audit", "--json"]))["head"]["position"].as_u64().unwrap();
    let signed = || std::fs::read_to_string(&checkpoints).unwrap_or_default().contains(&format!("\"position\":{end}"));
    assert!(kit::wait_until_blocking(LONG, signed), "no checkpoint of position {end}");
    stop(serve, &gateway);

    refusals(&gateway, &fresh().await, &backup, file.path());
    // The archive is gone. In its place the copy, held against the checkpoints that the database's owner could not change.
    let place = fresh().await;
    let log = gateway.log().display().to_string();
    let restored = elsewhere(&gateway, &place, &["restore", &backup, "--checkpoint", &checkpoints, "--log", &log, "--json"]);
    exits(&restored, 0);
    let told = json(&restored);
    assert_eq!((told["position"].as_u64(), told["faults"].as_u64(), told["entries"].as_u64()), (Some(position), Some(0), Some(position)), "{told}");
    assert_eq!(told["reached"]["position"].as_u64(), Some(end), "{told}");
    // Each message that was decided later is named by its position, and no other.
    let named: Vec<u64> = told["resend"].as_array().unwrap().iter().map(|l| l["position"].as_u64().unwrap()).collect();
    let mut distinct = named.clone();
    distinct.dedup();
    assert_eq!(distinct, ((position + 1)..=end).collect::<Vec<_>>(), "{told}");
    let senders = told["senders"].as_array().unwrap();
    assert!(senders.iter().any(|s| s["sender"] == "guest" && s["position"].as_u64() == Some(position)), "{senders:?}");
    exits(&elsewhere(&gateway, &place, &["restore", &backup]), 2);

    // The gateway goes on there; all is sent again: what is there is answered as before, the rest is archived.
    gateway.archive_url = place;
    let config = gateway.folder.path().join("arkki.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("checkpoints.jsonl", "checkpoints-2.jsonl");
    std::fs::write(&config, text).unwrap();
    let serve = gateway.serve(&[]);
    let again = gateway.send(&samples(&[&BEFORE[..], &MEANWHILE, &AFTER].concat()));
    assert!(again.iter().all(|(_, answer, _)| answer == "AA"), "{again:?}");
    let audit = json(&gateway.arkki(&["audit", "--json"]));
    assert_eq!((audit["faults"].as_u64(), audit["documents"].as_u64()), (Some(0), Some(10)), "{audit}");
    stop(serve, &gateway);
    exits(&gateway.arkki(&["audit"]), 0);
}

/// What a restore refuses, each time with nothing written.
fn refusals(gateway: &Gateway, place: &str, backup: &str, aside: &Path) {
    let refused = |archive: &str, folder: &str, word: &str| {
        let output = elsewhere(gateway, archive, &["restore", folder]);
        exits(&output, 2);
        assert!(output.errors().contains(word), "{word}: {}", output.errors());
    };
    // Not into the archive that is there, nor a folder that is no backup.
    refused(&gateway.archive_url, backup, "fresh");
    refused(place, &aside.display().to_string(), "no whole backup");
    // One octet of one file.
    let broken = aside.join("broken");
    std::fs::create_dir(&broken).unwrap();
    let mut largest = (0, String::new());
    for entry in std::fs::read_dir(backup).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), broken.join(entry.file_name())).unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name != "backup.json" {
            largest = largest.max((entry.metadata().unwrap().len(), name));
        }
    }
    let path = broken.join(&largest.1);
    let mut octets = std::fs::read(&path).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(&path, octets).unwrap();
    refused(place, &broken.display().to_string(), "is not what it was");
    // Another site's key: no client would be found.
    let key = gateway.folder.path().join("site.key");
    std::fs::write(&key, [8; 32]).unwrap();
    refused(place, backup, "another key");
    std::fs::write(&key, [7; 32]).unwrap();
    // Another sort of database.
    let other =
        if gateway.archive_url.starts_with("sqlite") { "postgres://arkki@127.0.0.1:1/x".to_owned() } else { format!("sqlite://{}/x.sqlite", aside.display()) };
    refused(&other, backup, "another sort");
    assert!(!aside.join("x.sqlite").exists());
    // A backup of a later release.
    let description = broken.join("backup.json");
    std::fs::copy(Path::new(backup).join("backup.json"), &description).unwrap();
    std::fs::copy(Path::new(backup).join(&largest.1), &path).unwrap();
    let text = std::fs::read_to_string(&description).unwrap();
    std::fs::write(
        &description,
        text.replacen("\"migrations\": [", "\"migrations\": [{\"number\": 9999, \"name\": \"9999_later.sql\", \"checksum\": \"00\"},", 1),
    )
    .unwrap();
    if gateway.archive_url.starts_with("postgres") {
        refused(place, &broken.display().to_string(), "9999_later.sql");
    }
    // None of it left anything behind: the place is still fresh.
    let looked = elsewhere(gateway, place, &["audit"]);
    exits(&looked, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn drilled_on_postgresql() {
    drill(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drilled_on_sqlite() {
    drill(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_whole_is_none() {
    let gateway = Gateway::new(None, "").await;
    let folder = gateway.folder.path().join("copy");
    // No archive yet.
    let none = gateway.arkki(&["backup", folder.to_str().unwrap()]);
    exits(&none, 2);
    assert!(!folder.exists() && !gateway.folder.path().join("copy.partial").exists());
    gateway.arkki(&["migrate"]).must();
    // What a broken-off one left is no backup, and is no obstacle.
    std::fs::create_dir(gateway.folder.path().join("copy.partial")).unwrap();
    std::fs::write(gateway.folder.path().join("copy.partial/archive.sqlite"), "half").unwrap();
    exits(&gateway.arkki(&["backup", folder.to_str().unwrap()]), 0);
    assert!(folder.join("backup.json").is_file() && !gateway.folder.path().join("copy.partial").exists());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&folder).unwrap().permissions()) & 0o777;
    assert_eq!(mode, 0o700);
    exits(&gateway.arkki(&["backup", folder.to_str().unwrap()]), 2);
    exits(&gateway.arkki(&["backup", "/proc/nowhere/copy"]), 2);
}
