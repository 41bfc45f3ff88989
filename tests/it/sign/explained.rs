//! `arkki signature verify`: the same verdict as the gateway's, told step by step in three languages, with nothing in it that should not be read aloud.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::run;
use crate::kit;

fn arkki(arguments: &[&str]) -> (String, i32) {
    let output = std::process::Command::new(kit::arkki()).args(arguments).env_remove("ARKKI_CONFIG").output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap_or(-1))
}

fn sample(name: &str) -> PathBuf {
    kit::repository().join("samples/accepted").join(name)
}

fn anchor() -> String {
    kit::repository().join("samples/keys/ca.pem").display().to_string()
}

fn json(file: &Path) -> (Value, i32) {
    let (said, code) = arkki(&["--json", "signature", "verify", "--trust", &anchor(), file.to_str().unwrap()]);
    (serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}")), code)
}

/// Steps of the first signature: name and outcome.
fn steps(value: &Value) -> Vec<(String, String)> {
    let of = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_owned();
    value["signatures"][0].as_array().into_iter().flatten().map(|step| (of(step, "step"), of(step, "outcome"))).collect()
}

#[test]
fn a_valid_signature_is_told_in_three_languages() {
    let file = sample("03-client-document-fi-signed.xml");
    for (language, words) in [("fi", "PITÄVÄ"), ("sv", "GILTIG"), ("en", "VALID")] {
        let (said, code) = arkki(&["signature", "verify", "--language", language, "--trust", &anchor(), file.to_str().unwrap()]);
        assert_eq!(code, 0, "{said}");
        assert!(said.trim_end().lines().last().unwrap().starts_with(words), "{said}");
        assert!(!said.contains(['{', '}', '✗']), "{said}");
        let keys = ["name-", "digest-body", "not-covers", "revocation-"];
        assert!(keys.iter().all(|key| !said.contains(key)), "a sentence is missing: {said}");
        if language == "en" {
            println!("{said}");
        }
    }
    let (value, code) = json(&file);
    assert_eq!((value["verdict"].as_str(), code), (Some("valid"), 0));
    let steps = steps(&value);
    assert_eq!(steps[0], ("professional".into(), "told".into()));
    assert!(steps[1..11].iter().all(|(_, outcome)| outcome == "holds"), "{steps:?}");
    assert_eq!(steps[11], ("revocation-not-asked".into(), "told".into()));
    let coverage = value["coverage"].as_array().unwrap();
    assert!(coverage.iter().any(|step| step["step"] == "not-covers" && step["text"].as_str().unwrap().contains("client")));
}

#[test]
fn what_fails_is_named_in_its_place_and_the_rest_still_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(sample("03-client-document-fi-signed.xml")).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let file = folder.path().join("changed.xml");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        json(&file)
    };
    let outcome = |value: &Value, name: &str| steps(value).into_iter().find(|(step, _)| step == name).map(|(_, outcome)| outcome).unwrap_or_default();
    let (value, code) = changed("representation=\"B64\">", "representation=\"B64\">\n");
    assert_eq!((value["verdict"].as_str(), code), (Some("invalid"), 1));
    for (step, expected) in [("digest-body", "fails"), ("digest-time", "holds"), ("value", "holds"), ("chain", "holds"), ("signer", "holds")] {
        assert_eq!(outcome(&value, step), expected, "{step}: {value}");
    }
    let (value, _) = changed("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha512");
    for (step, expected) in [("algorithms", "fails"), ("shape", "holds"), ("digest-body", "not-looked"), ("value", "not-looked")] {
        assert_eq!(outcome(&value, step), expected, "{step}: {value}");
    }
    // Another authority's word.
    let stranger = kit::repository().join("samples/keys/untrusted.pem");
    let file = sample("03-client-document-fi-signed.xml");
    let (said, code) = arkki(&["--json", "signature", "verify", file.to_str().unwrap()]);
    let value: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((outcome(&value, "chain").as_str(), outcome(&value, "value").as_str(), code), ("fails", "not-looked", 1), "{stranger:?}");
    // No signature proves nothing.
    let (value, code) = json(&sample("01-client-relation-fi.xml"));
    assert_eq!((value["verdict"].as_str(), code), (Some("unsigned"), 1));
    // What cannot be read is neither.
    let nothing = folder.path().join("nothing.xml");
    std::fs::write(&nothing, "<a").unwrap();
    assert_eq!(arkki(&["signature", "verify", nothing.to_str().unwrap()]).1, 2);
    let (_, said, _) = run(kit::arkki().to_str().unwrap(), &["signature", "verify", nothing.to_str().unwrap()], b"");
    assert!(said.contains("arkki validate") || arkki(&["signature", "verify", nothing.to_str().unwrap()]).0.contains("arkki validate"));
}
