//! The open loop: a stall is felt by those that arrive in it, and figures and report say so.

use std::process::Command;
use std::time::Duration;

use super::{asked, exits};
use crate::kit;
use crate::kit::process::{Process, Signal};
use crate::road::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_is_in_the_figures_of_all_that_arrived_in_it() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let calm = asked(&gateway, &["load", "--rate", "20/s", "--for", "3", "--warm-up", "1", "--arrivals", "even"], 0);
    assert_eq!((&calm["sent"], &calm["counted"], &calm["answers"]["AA"]), (&80.into(), &60.into(), &80.into()), "{calm}");

    // The gateway stands still for two seconds of six: arrivals go on.
    let log = gateway.folder.path().join("load.json");
    let html = gateway.folder.path().join("load.html").display().to_string();
    let args = ["load", "--rate", "20/s", "--for", "5", "--warm-up", "1", "--arrivals", "even", "--html", &html, "--json"];
    let mut load = Process::start(&mut gateway.command(&args), &log);
    std::thread::sleep(Duration::from_secs(3));
    let signal = |name: &str| assert!(Command::new("kill").args([name, &serve.pid().to_string()]).status().unwrap().success());
    signal("-STOP");
    std::thread::sleep(Duration::from_secs(2));
    signal("-CONT");
    assert_eq!(load.wait(Duration::from_secs(60)).and_then(|s| s.code()), Some(0), "{}", std::fs::read_to_string(&log).unwrap());
    let stalled: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&log).unwrap()).unwrap();
    // As many arrived as if nothing had happened, and a third of them waited: the first the whole stall.
    assert_eq!((&stalled["sent"], &stalled["answers"]["AA"]), (&120.into(), &120.into()), "{stalled}");
    let figure = |per_cent: &str| stalled["arrival_to_answer_ms"][per_cent].as_f64().unwrap();
    assert!(figure("most") >= 1_800.0 && figure("p90") >= 900.0, "{stalled}");
    kit::run("xmllint", ["--noout", &html]).must();
    let page = std::fs::read_to_string(&html).unwrap();
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(!page.contains("http://127") && !page.contains("<script") && !page.contains("NaN"), "it needs nothing else");

    // Too slow is unwell; a queue that is not there is told before anything is measured.
    let slow = gateway.arkki(&["load", "--rate", "20/s", "--for", "1", "--warm-up", "0", "--most-p99", "0.1"]);
    exits(&slow, 1);
    assert!(slow.text().contains("UNWELL  the 99th percentile"), "{}", slow.text());
    let nowhere = gateway.arkki(&["load", "--rate", "20/s", "--for", "1", "--queue", "no.such.queue"]);
    exits(&nowhere, 2);
    assert!(nowhere.errors().contains("arkki topology apply"), "{}", nowhere.errors());
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    // Nobody answers: they are open, and count with the time that they have waited.
    let silent = asked(&gateway, &["load", "--rate", "20/s", "--for", "1", "--warm-up", "0", "--arrivals", "even", "--timeout", "2"], 1);
    assert_eq!((&silent["open"], &silent["counted"]), (&20.into(), &20.into()), "{silent}");
    assert!(silent["arrival_to_answer_ms"]["p50"].as_f64() >= Some(2_000.0), "{silent}");
}
