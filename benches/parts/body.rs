//! What the body costs: XHTML by its allow-list, PDF by what it declares, JSON by Arkki's own rules and by the published definitions beside them.

use std::fmt::Write as _;
use std::time::Instant;

use arkki::cda::body;
use arkki::cda::structured::sosmeta::Sosmeta;
use arkki::codes::rule_set::RuleSet;
use arkki::codes::source::{Files, embedded};
use arkki::domain::document::Group;
use arkki::domain::language::Language;
use arkki::generate::document::{Body, DocumentSpec};
use arkki::generate::family::Family;
use arkki::xml::tree;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::kit;

/// Runs of each; the fastest tenth's mean is shown beside the mean of all.
const RUNS: usize = 400;

/// The table; documents of about `octets`.
pub fn run(octets: usize) -> String {
    let own = RuleSet::load(&embedded()).expect("the built-in rules");
    let mut out = String::from("| body, one thread | µs (best tenth) | µs (mean) | documents/s |\n|---|---|---|---|\n");
    let family = Family::new(5, 9_000, Language::Fi);
    let sized = |spec: &DocumentSpec| DocumentSpec { body_octets: octets * 3 / 4, ..spec.clone() };
    let (relation, case, plan) = (sized(&family.relation), sized(&family.case), sized(&family.client_document));
    row(&mut out, "XHTML alone (old document)", &DocumentSpec { body: Body::Xhtml, ..sized(&family.old_document) }.render(), &own, Group::Old);
    let pdf = sized(&family.phase_one).render();
    row(&mut out, "PDF/A-1b", &pdf, &own, Group::PhaseOne);
    row(&mut out, "PDF/A-2b, objects and table in streams", &with_text(&pdf, &arkki::generate::pdf::packed(5, octets * 3 / 4)), &own, Group::PhaseOne);
    let structured =
        [("client relation", relation.render(), Group::ClientRelation), ("case", case.render(), Group::Case), ("client plan", plan.render(), Group::Client)];
    for (name, document, group) in &structured {
        row(&mut out, &format!("{name}: XHTML and JSON, own rules"), document, &own, *group);
    }
    let Some(files) = published() else {
        out.push_str("\nThe published definitions are left out: the reference folder is absent.\n");
        return out;
    };
    let started = Instant::now();
    let sosmeta = Sosmeta::compile(&files, &own.json).expect("the published definitions");
    let compiled = started.elapsed();
    let number = sosmeta.len();
    let published = own.with_sosmeta(sosmeta);
    for (name, document, group) in &structured {
        row(&mut out, &format!("{name}: the same with its published definition"), document, &published, *group);
    }
    let _ = writeln!(out, "\n{number} definitions compiled in {} ms, once at start.", compiled.as_millis());
    out
}

fn row(out: &mut String, name: &str, document: &[u8], rules: &RuleSet, group: Group) {
    let text = std::str::from_utf8(document).expect("UTF-8");
    let tree = tree::parse(text).expect("well-formed");
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            let read = body::read(&tree, rules, group);
            let took = started.elapsed().as_secs_f64();
            assert!(read.is_ok(), "{name}: {:?}", read.err());
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
    let (best, all) = (mean(&times[..RUNS / 10]), mean(&times));
    let _ = writeln!(out, "| {name} | {:.1} | {:.1} | {:.0} |", best * 1e6, all * 1e6, 1.0 / best);
}

fn with_text(document: &[u8], content: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(document).expect("UTF-8");
    let element = text.find("<text ").expect("the element");
    let start = element + text[element..].find('>').expect("its end") + 1;
    let end = start + text[start..].find('<').expect("the end tag");
    [&text[..start], &STANDARD.encode(content), &text[end..]].concat().into_bytes()
}

fn published() -> Option<Files> {
    let entries = std::fs::read_dir(kit::shared()?.join("reference/fi/sosmeta")).ok()?;
    let name = |path: &std::path::Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    entries.map(|e| e.expect("entry").path()).map(|path| Some((name(&path)?, std::fs::read(&path).ok()?))).collect()
}
