//! Folders held to expected answers: records, differences, broken files, rates, and a stop in the middle.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{asked, exits, generated};
use crate::kit::process::{Process, Signal};
use crate::kit::{self, wait_until_blocking};
use crate::road::Gateway;

/// Files of the folder with broken ones in it; a larger folder is a matter of patience.
fn files() -> usize {
    std::env::var("ARKKI_REPLAY_FILES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_held_to_and_a_difference_is_shown() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let folder = gateway.folder.path().join("cases");
    fs::create_dir(&folder).unwrap();
    for (from, to) in
        [("accepted/01-client-relation-fi.xml", "a.xml"), ("refused/E305-hetu-check-character.xml", "b.xml"), ("hostile/acknowledgement.xml", "c.xml")]
    {
        fs::copy(kit::repository().join("samples").join(from), folder.join(to)).unwrap();
    }
    let shown = folder.display().to_string();
    let recorded = asked(&gateway, &["replay", &shown, "--record", "--timeout", "3"], 0);
    assert_eq!(recorded["recorded"], 3);
    let written = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(written("a.expected"), "AA\n");
    assert!(written("b.expected").starts_with("AE\nE305 /ClinicalDocument/recordTarget"), "{}", written("b.expected"));
    assert_eq!(written("c.expected"), "none\n");
    let junit = gateway.folder.path().join("junit.xml").display().to_string();
    assert_eq!(asked(&gateway, &["replay", &shown, "--junit", &junit], 0)["well"], 3);
    // Now one must be refused, and one for another reason.
    fs::write(folder.join("a.expected"), "AE\nE305\n").unwrap();
    fs::write(folder.join("b.expected"), "AE\nE301\nE305\n").unwrap();
    let output = gateway.arkki(&["replay", &shown, "--junit", &junit]);
    exits(&output, 1);
    let text = output.text();
    assert!(text.contains("  - AE\n  - E305\n  + AA\n") && text.contains("    AE\n  - E301\n    E305 /"), "{text}");
    assert!(text.ends_with("1 of 3 as they must be\n"), "{text}");
    kit::run("xmllint", ["--noout", &junit]).must();
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("tests=\"3\" failures=\"2\" errors=\"0\"") && xml.contains("type=\"another answer\""), "{xml}");
    // A word for all, and a folder of answers elsewhere.
    asked(&gateway, &["replay", &shown, "--expect", "refused", "--timeout", "2"], 1);
    let elsewhere = gateway.folder.path().join("answers");
    fs::create_dir(&elsewhere).unwrap();
    for (name, answer) in [("a", "AA"), ("b", "AE\n*"), ("c", "none")] {
        fs::write(elsewhere.join(format!("{name}.expected")), answer).unwrap();
    }
    asked(&gateway, &["replay", &shown, "--expect", elsewhere.to_str().unwrap()], 0);
    let nonsense = gateway.arkki(&["replay", &shown, "--expect", "perhaps"]);
    exits(&nonsense, 2);
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    // Nobody answers: that is told, and no answer is made up.
    let silent = asked(&gateway, &["replay", &shown, "--timeout", "1"], 1);
    assert_eq!((silent["messages"][0]["state"].as_str(), silent["messages"][2]["well"].as_bool()), (Some("unanswered"), Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_files_are_named_and_the_others_go_on() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let folder = generated(&gateway, "many", &["--kind", "client-relation", "--count", &files().to_string()]);
    fs::create_dir(folder.join("sub")).unwrap();
    fs::create_dir(folder.join("folder.xml")).unwrap();
    std::os::unix::fs::symlink("/no/such/file", folder.join("000000-nowhere.xml")).unwrap();
    std::os::unix::fs::symlink(&folder, folder.join("sub/ring")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("pipe.xml")).status().unwrap().success());
    fs::write(folder.join("sub/empty.xml"), "").unwrap();
    fs::write(folder.join("sub/half.xml"), &fs::read(kit::repository().join("samples/accepted/01-client-relation-fi.xml")).unwrap()[..2000]).unwrap();
    fs::write(folder.join("sub/noise.xml"), (0..9_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    fs::write(folder.join("notes.txt"), "no message").unwrap();
    fs::File::create(folder.join("huge.xml")).unwrap().set_len(40 * 1024 * 1024).unwrap();
    fs::write(folder.join("strange.xml"), "<a/>").unwrap();
    fs::write(folder.join("strange.expected"), "maybe\n").unwrap();
    let junit = gateway.folder.path().join("junit.xml").display().to_string();
    let report = asked(&gateway, &["replay", folder.to_str().unwrap(), "--junit", &junit, "--timeout", "60"], 2);
    let of = |state: &str| report["messages"].as_array().unwrap().iter().filter(|m| m["state"] == state).count();
    // The dangling link, the pipe, the huge one, and the one whose answer cannot be read.
    assert_eq!((of("unreadable"), of("answered"), of("not sent")), (4, files() + 3, 0), "{}", report["wrong"]);
    assert_eq!((&report["wrong"], &report["left_out"]), (&4.into(), &2.into()));
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(xml.contains(&format!("tests=\"{}\" failures=\"0\" errors=\"4\"", files() + 7)), "{}", &xml[..300]);
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_is_kept_and_a_stop_ends_it_within_a_second() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let folder = generated(&gateway, "slow", &["--kind", "client-relation", "--count", "100"]).display().to_string();
    let log = gateway.folder.path().join("replay.json");
    let mut replay = Process::start(&mut gateway.command(&["replay", &folder, "--rate", "20/s", "--json"]), &log);
    std::thread::sleep(Duration::from_secs(2));
    let stopped = Instant::now();
    replay.signal(Signal::Int);
    let status = replay.wait(Duration::from_secs(20)).expect("it ends");
    assert!(stopped.elapsed() < Duration::from_secs(3), "{:?}", stopped.elapsed());
    assert_eq!(status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(&log).unwrap()).unwrap();
    let (well, unsent) = (report["well"].as_u64().unwrap(), report["not_sent"].as_u64().unwrap());
    assert!(report["stopped"] == true && well + unsent == 100 && report["wrong"] == 0, "{well} {unsent}");
    // Two seconds at 20/s; a slow start makes it fewer, nothing makes it more.
    assert!((1..=50).contains(&well), "{well}");
    // Again from the beginning: what was sent is a repeat and gets the same answers.
    assert_eq!(asked(&gateway, &["replay", &folder], 0)["well"], 100);
    assert!(wait_until_blocking(Duration::from_secs(5), || serve.exit_status().is_none()));
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
}
