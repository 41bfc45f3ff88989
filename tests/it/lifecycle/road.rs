//! The whole road, on a real RabbitMQ and both databases, and what the history shows afterwards.

use std::path::PathBuf;
use std::time::Duration;

use arkki::generate::document::DocumentSpec;
use arkki::generate::event::{self, Names, SPX_INVALIDATE, SPX_REINSTATE, Why};
use arkki::generate::frame::FrameSpec;
use arkki::generate::samples;
use arkki::generate::writer::Style;

use crate::kit;
use crate::kit::process::Signal;
use crate::road::{Gateway, files};

fn sample(name: &str) -> PathBuf {
    let found = ["accepted", "refused"].iter().flat_map(|folder| files(&kit::repository().join("samples").join(folder)));
    found.into_iter().find(|f| f.file_stem().unwrap().to_str().unwrap().contains(name)).unwrap_or_else(|| panic!("{name}"))
}

fn json(output: &kit::Output) -> serde_json::Value {
    serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()))
}

/// What happens to the samples' permission, to a document whose history is shown: a client relation that nothing hangs on.
fn relation() -> DocumentSpec {
    let family = samples::finnish();
    DocumentSpec { relation_id: Some(format!("{SET}.1")), style: Style::default(), ..family.relation.under(SET) }
}

/// The relation, its invalidation, its reinstatement, and the invalidation of its whole set, as files.
fn made(gateway: &Gateway) -> Vec<PathBuf> {
    let relation = relation();
    let stored_twice = Why { code: Some("stored-twice"), words: Some("Sama lupa tallennettiin jo aiemmin.".to_owned()) };
    let again = Why::words("Tillståndet arkiverades två gånger.");
    let events = [
        event::about(&relation, Names::VERSION, SPX_INVALIDATE, stored_twice, 2),
        event::about(&relation, Names::VERSION, SPX_REINSTATE, Why::code("mistake"), 3),
        event::about(&relation, Names::SET, SPX_INVALIDATE, again, 4),
    ];
    let octets = std::iter::once(relation.render()).chain(events.map(|frame| FrameSpec { style: Style::default(), ..frame }.render(&[])));
    let kept = octets.enumerate().map(|(n, octets)| {
        let path = gateway.folder.path().join(format!("made-{n}.xml"));
        std::fs::write(&path, octets).unwrap();
        path
    });
    kept.collect()
}

const SET: &str = "1.2.246.10.99999992.95.2026.1.750";
const REGISTER: &str = "1.2.246.10.99999992.10.0";
const CASE: &str = "1.2.246.10.99999992.95.2026.1.31";

#[tokio::test(flavor = "multi_thread")]
async fn invalidated_reinstated_and_shown_in_both_databases() {
    for archive in [Some(kit::postgres::database().await.url), None] {
        let gateway = Gateway::new(archive, "[limits]\nhold_seconds = 3\n").await;
        let mut serve = gateway.serve(&[]);
        let good: Vec<PathBuf> = ["01-", "18-", "19-", "20-", "21-", "22-", "23-"].iter().map(|n| sample(n)).chain(made(&gateway)).collect();
        for (file, answer, details) in gateway.send(&good) {
            assert_eq!(answer, "AA", "{file}: {details}\n{}", gateway.log_text());
        }
        let bad = [
            ("E708-replacement", "E708"),
            ("E709-", "E709"),
            ("E710-invalidated", "E710"),
            ("E710-version", "E710"),
            ("E712-", "E712"),
            ("E820-no-target", "E820"),
            ("E822-", "E709"),
            ("E823-invalidation", "E823"),
        ];
        let refused = gateway.send(&bad.iter().map(|(name, _)| sample(name)).collect::<Vec<_>>());
        for ((file, answer, details), (_, code)) in refused.iter().zip(bad) {
            // The permission that E822 names is not sent here: it is unknown before it is another's.
            assert!(answer == "AE" && details.starts_with(code), "{file}: {answer} {details}");
        }
        shown(&gateway);
        let log = gateway.log_text();
        assert!(!log.contains("tallennettiin jo") && !log.contains("arkiverades två"), "a reason is shown by its history alone");
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
        gateway.arkki(&["audit"]).must();
    }
}

fn shown(gateway: &Gateway) {
    let history = json(&gateway.arkki(&["history", "--register", REGISTER, SET, "--json"]));
    let events: Vec<(&str, &str)> =
        history["events"].as_array().unwrap().iter().map(|e| (e["event"].as_str().unwrap(), e["scope"].as_str().unwrap())).collect();
    assert_eq!(events, [("invalidate", "version"), ("reinstate", "version"), ("invalidate", "set")]);
    assert_eq!((history["valid"].as_str(), history["versions"][0]["state"].as_str()), (None, Some("invalidated")));
    let first = &history["events"][0];
    assert_eq!((first["reason_code"].as_str(), first["reason"].as_str()), (Some("stored-twice"), Some("Sama lupa tallennettiin jo aiemmin.")));
    assert_eq!(first["professional"].as_str(), Some("90000000017"));
    // As it was when it had come back.
    let then = history["events"][1]["at"].as_str().unwrap().to_owned();
    let at_end_of_millisecond = then.replacen('Z', "999Z", 1);
    let before = json(&gateway.arkki(&["history", "--register", REGISTER, SET, "--json", "--at", &at_end_of_millisecond]));
    assert_eq!(before["versions"][0]["state"].as_str(), Some("valid"), "{before}");
    assert_eq!(
        json(&gateway.arkki(&["history", "--register", REGISTER, SET, "--json", "--at", "2020-02-29"]))["versions"][0]["state"].as_str(),
        Some("future")
    );
    for (language, words) in [
        ("fi", ["mitätöity", "koko sarja", "Tallennettu kahdesti", "mikään versio ei ole voimassa"]),
        ("sv", ["makulerad", "hela serien", "Arkiverad två gånger", "ingen version är giltig"]),
        ("en", ["invalidated", "the whole set", "Stored twice", "no version is valid"]),
    ] {
        let text = gateway.arkki(&["history", "--register", REGISTER, SET, "--language", language]).must();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        println!("{text}");
    }
    let case = json(&gateway.arkki(&["history", "--register", REGISTER, CASE, "--json"]));
    let states: Vec<&str> = case["versions"].as_array().unwrap().iter().map(|v| v["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["invalidated", "invalidating"]);
    assert_eq!(case["events"][0]["by_version"], case["versions"][1]["id"]);
    println!("{}", gateway.arkki(&["history", "--register", REGISTER, CASE, "--language", "en"]).must());
    for (args, code) in [(["history", "--register", REGISTER, "1.2.3"], 1), (["history", "--register", REGISTER, "x"], 2)] {
        assert_eq!(gateway.arkki(&args).code, Some(code));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_that_comes_first_waits_for_its_document() {
    let gateway = Gateway::new(None, "").await;
    let _serve = gateway.serve(&[]);
    let made = made(&gateway);
    let (document, invalidation, reinstatement) = (&made[0], &made[1], &made[2]);
    for (file, answer, details) in gateway.send(&[invalidation.clone(), document.clone()]) {
        assert_eq!(answer, "AA", "{file}: {details}\n{}", gateway.log_text());
    }
    assert_eq!(json(&gateway.arkki(&["history", "--register", REGISTER, SET, "--json"]))["versions"][0]["state"].as_str(), Some("invalidated"));
    // Without the client it has no lane, and could overtake its document.
    let frame = std::fs::read_to_string(reinstatement).unwrap();
    let (from, to) = (frame.find("<recordTarget>").unwrap(), frame.find("</recordTarget>").unwrap() + "</recordTarget>".len());
    let nameless = gateway.folder.path().join("nameless.xml");
    std::fs::write(&nameless, format!("{}{}", &frame[..from], &frame[to..])).unwrap();
    let (_, answer, details) = gateway.send(&[nameless]).swap_remove(0);
    assert!(answer == "AE" && details.starts_with("E820"), "{answer} {details}");
    assert_eq!(gateway.send(std::slice::from_ref(reinstatement))[0].1, "AA");
    // The same message again: the same answer, and nothing happens twice.
    assert_eq!(gateway.send(std::slice::from_ref(invalidation))[0].1, "AA");
    assert_eq!(json(&gateway.arkki(&["history", "--register", REGISTER, SET, "--json"]))["events"].as_array().map(Vec::len), Some(2));
}
