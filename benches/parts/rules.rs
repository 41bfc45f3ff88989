//! What the rules cost in each document group, on one thread: the metadata template with its rules, and the header's own, beside the schema stage.
//! The aim is less than a third of the schema stage's time: pre-pass and XML Schema, as `--stage schema` runs them.

use std::hint::black_box;

use arkki::cda::content;
use arkki::codes::rule_set::RuleSet;
use arkki::codes::source;
use arkki::crypto::sha256;
use arkki::domain::document::Group;
use arkki::domain::environment::Environment;
use arkki::domain::language::Language;
use arkki::generate::family::Family;
use arkki::rules::decide;
use arkki::xml::prepass::{self, Encoding};
use arkki::xml::schema::Schema;
use arkki::xml::tree;

use crate::cpu;

/// Different documents of each group.
const DOCUMENTS: u64 = 200;
/// The best round counts, the others met somebody else's work.
const ROUNDS: usize = 40;

/// Microseconds a document.
fn each(count: usize, mut work: impl FnMut(usize)) -> f64 {
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let began = cpu::of_this_thread();
        (0..count).for_each(&mut work);
        best = best.min(cpu::of_this_thread() - began);
    }
    best as f64 / 1e3 / count as f64
}

pub fn run() -> String {
    let files = source::embedded();
    let rules = RuleSet::load(&files).expect("the rules");
    let schema = Schema::compile(&files, "xsd/kanta-social.xsd").expect("a schema");
    let mut table = String::from("| group | schema, µs | template and rules, µs | of the schema's time | documents/s |\n|---|---|---|---|---|\n");
    for group in Group::ALL {
        let language = |n: u64| if n.is_multiple_of(2) { Language::Fi } else { Language::Sv };
        let texts: Vec<String> =
            (0..DOCUMENTS).map(|n| String::from_utf8(Family::new(n, 70_000 + n, language(n)).of_group(group).render()).expect("UTF-8")).collect();
        let parsed: Vec<_> = texts.iter().map(|text| tree::parse(text).expect("a document")).collect();
        let headers: Vec<_> = parsed.iter().map(|d| content::read(d, &rules, Environment::Test, &sha256).expect("clean").header).collect();
        let by_schema = each(texts.len(), |n| {
            let walked = prepass::prepass(texts[n].as_bytes(), Encoding::Utf8Only).expect("clean");
            assert!(schema.validate(walked.text).is_empty());
        });
        let by_rules = each(texts.len(), |n| {
            assert!(black_box(rules.templates.check(&parsed[n], Environment::Test)).is_empty());
            assert!(black_box(decide::own_rules(&headers[n], &rules)).is_empty());
        });
        let [name, _] = rules.templates.names(group, Language::En);
        table += &format!("| {} {name} | {by_schema:.0} | {by_rules:.1} | {:.0} % | {:.0} |\n", group.number(), by_rules / by_schema * 100.0, 1e6 / by_rules);
    }
    table
}
