//! Documents and frames read by the rules that are data; acknowledgements; the decision over them. No broker and no database here.

mod acks;
mod examples;
mod frames;
mod generated;
mod model;

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

/// One text for another, exactly once.
fn swapped(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from} must stand once");
    text.replacen(from, to, 1)
}
