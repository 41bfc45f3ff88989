//! A rehearsal: kept messages under other rules, read-only.

use std::time::Duration;

use serde_json::Value;

use crate::kit;
use crate::kit::process::Signal;
use crate::road::{Gateway, files};

#[tokio::test(flavor = "multi_thread")]
async fn whose_verdict_would_change_is_shown_and_nothing_is_written() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let samples = kit::repository().join("samples");
    let mut sent: Vec<_> = files(&samples.join("accepted")).into_iter().take(3).collect();
    sent.extend(files(&samples.join("refused")).into_iter().filter(|f| f.file_name().unwrap().to_str().unwrap().starts_with("E305-")));
    let answers = gateway.send(&sent);
    assert_eq!(answers.iter().map(|(_, answer, _)| answer.as_str()).collect::<Vec<_>>(), ["AA", "AA", "AA", "AE"], "{answers:?}");
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());

    let rules = gateway.folder.path().join("next");
    for part in ["codes", "templates", "xsd"] {
        kit::copy_folder(&kit::repository().join(part), &rules.join(part));
    }
    let rehearse = || {
        let output = gateway.arkki(&["rehearse", "--rules", rules.to_str().unwrap(), "--last", "100", "--json"]);
        serde_json::from_str::<Value>(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()))
    };
    let same = rehearse();
    assert_eq!(
        (same["examined"].as_u64(), same["bare"].as_u64(), same["changed"].as_u64(), same["drifted"].as_u64()),
        (Some(4), Some(3), Some(0), Some(0)),
        "{same}"
    );

    let file = rules.join("templates/1-client-relation.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let stricter = text.replacen("clientGiven = \"mandatory\"", "clientGiven = \"forbidden\"", 1);
    assert_ne!(text, stricter);
    std::fs::write(&file, stricter).unwrap();
    let before = gateway.arkki(&["audit", "--json"]).must();
    let changed = rehearse();
    assert_eq!((changed["changed"].as_u64(), changed["list"][0]["turn"].as_str()), (Some(1), Some("now refused")), "{changed}");
    assert_eq!(changed["list"][0]["position"], 1, "{changed}");
    assert_ne!(changed["today"], changed["candidate"]);
    println!("{}", gateway.arkki(&["rehearse", "--rules", rules.to_str().unwrap()]).text());
    let head = |audit: &str| serde_json::from_str::<Value>(audit).unwrap()["head"].clone();
    assert_eq!(head(&before), head(&gateway.arkki(&["audit", "--json"]).must()), "nothing is written");
    std::fs::write(&file, "group = ").unwrap();
    let broken = gateway.arkki(&["rehearse", "--rules", rules.to_str().unwrap()]);
    assert!(!broken.ok() && broken.errors().contains("1-client-relation.toml"), "{}", broken.errors());
}
