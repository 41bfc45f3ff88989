//! Documents and frames read by the rules that are data; acknowledgements; the decision over them. No broker and no database here.

mod acks;
mod body;
mod decide;
mod examples;
mod frames;
mod generated;
mod model;
mod wills;

use std::sync::LazyLock;

use arkki::codes::rule_set::RuleSet;
use arkki::codes::source::embedded;
use arkki::crypto::sha256;
use arkki::domain::digest::Digest;
use arkki::domain::environment::Environment;
use arkki::domain::finding::Finding;
use arkki::v3::frame::FrameSite;

/// The rules that are built in.
static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::load(&embedded()).expect("the built-in rules load"));

/// A site key is the keys' own test; here any function that tells clients apart will do.
fn hash(octets: &[u8]) -> Digest {
    sha256(octets)
}

fn site() -> FrameSite {
    FrameSite { environment: Environment::Test, receivers: vec![arkki::generate::frame::TEST_ARCHIVE.to_owned()] }
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|f| f.code.as_str()).collect()
}

/// A key that is written in the source and has no word would be shown to people as it is.
#[test]
fn every_key_that_findings_carry_has_its_word() {
    let mut missing = Vec::new();
    let mut seen = 0;
    let mut look = |path: &std::path::Path| {
        let source = std::fs::read_to_string(path).expect("source");
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for (name, begin) in [("rule", ""), ("field", ""), ("reason", "reason-")] {
            for (at, mark) in source.match_indices(&format!("with(\"{name}\", \"")) {
                let key = source[at + mark.len()..].split('"').next().unwrap_or_default();
                seen += 1;
                let key = format!("{begin}{key}");
                if RULES.catalogue.word(&key, arkki::domain::language::Language::Fi) == key {
                    missing.push(format!("{}: {key}", path.display()));
                }
            }
        }
    };
    let mut folders = vec![crate::kit::repository().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                look(&path);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen > 10, "{seen}");
}

/// One text for another, exactly once.
fn swapped(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from} must stand once");
    text.replacen(from, to, 1)
}
