//! `validate` and `codes`: no broker, no database, no keys.

use serde_json::Value;

use super::{arkki, exits, json, name};
use crate::{kit, road};

/// Refused for what the archive holds: offline they pass, and `validate` says what it left out.
const NEED_AN_ARCHIVE: [&str; 28] = [
    "E401", "E402", "E403", "E404", "E408", "E409", "E701", "E702", "E704", "E705", "E706", "E707", "E708", "E709", "E710", "E711", "E712", "E721", "E722",
    "E723", "E724", "E821", "E822", "E884", "E885", "E886", "E887", "E888",
];

/// The verdicts of `validate --json` on a folder, with the example configuration: its trust anchors and its receivers.
fn verdicts(folder: &str) -> Vec<(String, Value)> {
    let files = road::files(&kit::repository().join("samples").join(folder));
    let mut args = vec!["--config", "config/example.toml", "validate", "--json"];
    args.extend(files.iter().map(|f| f.to_str().unwrap()));
    let output = arkki(&args);
    // Without an archive nothing stands against what only an archive can refuse.
    exits(&output, i32::from(!["accepted", "conflicts"].contains(&folder)));
    let lines: Vec<Value> = output.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), files.len());
    files.iter().map(|f| name(f).to_owned()).zip(lines).collect()
}

#[test]
fn every_accepted_sample_is_accepted_without_a_finding() {
    for (name, verdict) in verdicts("accepted") {
        assert_eq!((verdict["verdict"].as_str(), verdict["findings"].as_array().map(Vec::len)), (Some("accepted"), Some(0)), "{name}: {verdict}");
        // What a PDF says of itself is told as its own word.
        let is_pdf = ["04-", "06-", "09-", "16-"].iter().any(|number| name.starts_with(number));
        assert_eq!(verdict["declares"].as_str(), is_pdf.then_some("PDF/A-1b"), "{name}: {verdict}");
    }
}

#[test]
fn every_refused_sample_has_its_code_first() {
    let mut passed = Vec::new();
    for (name, verdict) in verdicts("refused").into_iter().chain(verdicts("conflicts")) {
        let code = &name[..4];
        match verdict["findings"][0]["code"].as_str() {
            None => {
                assert_eq!(verdict["verdict"], "accepted", "{name}");
                passed.push(code.to_owned());
            }
            Some(first) => {
                assert_eq!((verdict["verdict"].as_str(), first), (Some("refused"), code), "{name}: {verdict}");
                let finding = &verdict["findings"][0];
                assert!(finding["line"].as_u64() >= Some(1) && finding["column"].as_u64() >= Some(1), "{name}: {finding}");
                assert!(finding["severity"] == "error" && finding["path"].is_string(), "{name}: {finding}");
                assert!(finding["text"].as_str().is_some_and(|t| t.len() > 20), "{name}: {finding}");
            }
        }
        assert_eq!(verdict["rules"].as_str().map(str::len), Some(64));
    }
    passed.sort_unstable();
    passed.dedup();
    assert_eq!(passed, NEED_AN_ARCHIVE);
}

#[test]
fn hostile_samples_are_refused() {
    for (name, verdict) in verdicts("hostile") {
        assert_eq!(verdict["verdict"], "refused", "{name}");
    }
}

#[test]
fn a_person_sees_place_sentence_and_what_was_left_out() {
    let output = arkki(&["validate", "--trust", "samples/keys/ca.pem", "samples/refused/E305-hetu-check-character.xml", "--language", "fi"]);
    exits(&output, 1);
    let text = output.text();
    assert!(text.starts_with("refused   samples/refused/E305") && text.contains("\n          E305 ") && text.contains("not checked"), "{text}");
    let good = arkki(&["validate", "--trust", "samples/keys/ca.pem", "samples/accepted/03-client-document-fi-signed.xml"]);
    exits(&good, 0);
    // Without its trust anchor a signature leads nowhere.
    let untrusted = arkki(&["validate", "--json", "samples/accepted/03-client-document-fi-signed.xml"]);
    exits(&untrusted, 1);
    assert_eq!(json(&untrusted)["findings"][0]["code"], "E604");
}

#[test]
fn the_schema_stage_stops_at_the_schema() {
    for (file, code) in [("samples/refused/E305-hetu-check-character.xml", 0), ("samples/refused/E220-wrong-order.xml", 1)] {
        exits(&arkki(&["validate", "--stage", "schema", "--json", file]), code);
    }
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let missing = arkki(&["validate", "samples/accepted/01-client-relation-fi.xml", "no-such-file.xml"]);
    exits(&missing, 2);
    assert!(missing.errors().contains("no-such-file.xml"));
    for args in [
        &["validate", "--profile", "kanta-health", "samples/accepted/01-client-relation-fi.xml"][..],
        &["validate", "--trust", "no-such.pem", "samples/accepted/01-client-relation-fi.xml"],
        &["--config", "no-such.toml", "validate", "samples/accepted/01-client-relation-fi.xml"],
        &["validate", "--trust", "README.md", "samples/accepted/01-client-relation-fi.xml"],
        &["validate", "--trust", "samples/keys/ca.pem", "--trust", "README.md", "samples/accepted/01-client-relation-fi.xml"],
    ] {
        exits(&arkki(args), 2);
    }
}

#[test]
fn what_cannot_be_meant_is_said_before_anything_is_done() {
    for (args, said) in [
        (&["send", "--expect", "nonsense", "samples/accepted/01-client-relation-fi.xml"][..], "say accepted, refused or a code"),
        (&["messages", "follow", "--count", "0"], "0 is not in 1.."),
        (&["refusals", "list", "--code", "zz"], "no such code"),
        // A report that could not be written is no surprise after an hour's load.
        (&["load", "--html", "no/such/folder/load.html"], "--html no/such/folder/load.html: "),
        (&["replay", "samples/accepted", "--junit", "no/such/folder/junit.xml"], "--junit no/such/folder/junit.xml: "),
    ] {
        let output = arkki(args);
        exits(&output, 2);
        assert!(output.errors().contains(said), "{args:?}: {}", output.errors());
    }
    // Where a person stands, nothing is repeated.
    for args in [&["refusals", "show", "080885-902M"][..], &["refusals", "hold", "1", "--why", "asiakas", "080885-902M"], &["messages", "show", "080885-902M"]]
    {
        let output = arkki(args);
        exits(&output, 2);
        assert!(!output.errors().contains("902M") && !output.text().contains("902M"), "{args:?}: {}", output.errors());
    }
}

#[test]
fn a_file_is_read_as_far_as_the_configured_limit() {
    let folder = kit::temp_dir();
    let config = folder.path().join("arkki.toml");
    let repository = kit::repository();
    let trust = repository.join("samples/keys/ca.pem");
    std::fs::write(&config, format!("[sign]\ntrust = [{trust:?}]\n[limits]\nmessage_octets = 1000\n")).unwrap();
    let output = arkki(&["--config", config.to_str().unwrap(), "validate", "--json", "samples/accepted/01-client-relation-fi.xml"]);
    exits(&output, 1);
    assert_eq!(json(&output)["findings"][0]["code"], "E105", "{}", output.text());
    assert!(json(&output)["findings"][0]["text"].as_str().unwrap().contains("1000"), "{}", output.text());
    // The bound that everything is built for cannot be raised.
    std::fs::write(&config, "[limits]\nmessage_octets = 40000000\n").unwrap();
    let output = arkki(&["--config", config.to_str().unwrap(), "validate", "samples/accepted/01-client-relation-fi.xml"]);
    exits(&output, 2);
    assert!(output.errors().contains("message_octets"), "{}", output.errors());
}

#[test]
fn codes_are_listed_explained_and_documented() {
    let list = json(&arkki(&["codes", "--json"]));
    let list = list.as_array().unwrap();
    assert!(list.len() > 90);
    assert_eq!(arkki(&["codes"]).must().lines().count(), list.len());
    let one = json(&arkki(&["codes", "E305", "--json"]));
    assert_eq!(one[0]["code"], "E305");
    for language in ["fi", "sv", "en"] {
        assert!(one[0]["text"][language].as_str().is_some_and(|t| !t.is_empty()));
        assert!(arkki(&["codes", "e305", "--language", language]).must().contains(one[0]["text"][language].as_str().unwrap()));
    }
    let unknown = arkki(&["codes", "E999"]);
    exits(&unknown, 2);
    assert!(unknown.errors().contains("no such code"));
    for (words, name) in [
        (&["codes", "--markdown"][..], "markdown"),
        (&["codes", "alerts"], "yaml"),
        (&["templates", "page"], "markdown"),
        (&["templates", "rules"], "markdown"),
    ] {
        assert_eq!(json(&arkki(&[words, &["--json"]].concat()))[name].as_str(), Some(arkki(words).must().as_str()), "{words:?}");
    }
    let page = std::fs::read_to_string(kit::repository().join("docs/codes.md")).unwrap();
    assert!(arkki(&["codes", "--markdown"]).must() == page, "docs/codes.md is old: arkki codes --markdown > docs/codes.md");
}
