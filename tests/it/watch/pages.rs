//! The tables of metrics and alarms, and what is made from them: the page, the rules, the dashboard. And a scrape while the road is full.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use arkki::telemetry::alarms::{RULES, When};
use arkki::telemetry::setup::{COUNTERS, GAUGES, HISTOGRAMS, LOOKED_UP};

use super::metrics;
use crate::faces::{arkki, exits};
use crate::kit::{self, process::Signal};
use crate::road::Gateway;

fn text(path: &str) -> String {
    std::fs::read_to_string(kit::repository().join(path)).unwrap()
}

fn known() -> BTreeSet<&'static str> {
    [COUNTERS, GAUGES, LOOKED_UP, HISTOGRAMS].into_iter().flatten().map(|(name, _)| *name).collect()
}

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("arkki_"));
    words.map(|w| w.strip_suffix("_bucket").unwrap_or(w).to_owned()).collect()
}

#[test]
fn the_page_and_the_rules_are_those_of_the_tables() {
    for (command, file) in [("metrics", "docs/metrics.md"), ("alerts", "deploy/alerts.yml")] {
        let made = arkki(&["codes", command]);
        exits(&made, 0);
        assert!(made.text() == text(file), "arkki codes {command} > {file}");
    }
    assert_eq!(crate::faces::json(&arkki(&["codes", "alarms", "--json"])).as_array().map(Vec::len), Some(RULES.len()));
    let fi = arkki(&["codes", "alarms", "--language", "fi"]).text();
    assert!(RULES.iter().all(|rule| fi.contains(rule.says[0])));
    assert!(super::prometheus::takes(&kit::repository().join("deploy/alerts.yml")).contains(&format!("{} rules found", RULES.len())));
    kit::run("promtool", ["check", "config", kit::repository().join("deploy/prometheus.yml").to_str().unwrap()]).must();
}

/// A metric that the source moves stands in the tables, so `/metrics` and the page explain it; what the rules and the dashboard name exists.
#[test]
fn nothing_is_counted_that_is_not_explained_and_nothing_is_watched_that_is_not_counted() {
    let known = known();
    // The reconciler's gauge is moved where it runs.
    let source: String = ["src/telemetry/events.rs", "src/telemetry/gauges.rs"].into_iter().map(text).collect();
    let literals: BTreeSet<&str> = source.split('"').filter(|w| w.starts_with("arkki_") && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).collect();
    let unexplained: Vec<_> = literals.iter().filter(|name| !known.contains(**name)).collect();
    assert!(unexplained.is_empty(), "not in src/telemetry/setup.rs: {unexplained:?}");
    for file in ["deploy/alerts.yml", "deploy/grafana/arkki.json", "docs/operating.md", "docs/telemetry.md"] {
        let missing: Vec<_> = named(&text(file)).into_iter().filter(|name| !known.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{file} names what is not counted: {missing:?}");
    }
    for rule in &RULES {
        let name = match rule.when {
            When::Above(name, _) | When::Below(name, _) | When::AboveWhere(name, ..) | When::Grew(name, _) | When::Share { counter: name, .. } => name,
            When::Silent => continue,
        };
        assert!(known.contains(name), "{}: {name}", rule.name);
    }
    let dashboard: serde_json::Value = serde_json::from_str(&text("deploy/grafana/arkki.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 12 && panels.iter().all(|p| p["targets"].as_array().is_some_and(|t| !t.is_empty())));
    // Each expression is one to Prometheus itself.
    let groups: Vec<String> = panels
        .iter()
        .flat_map(|p| p["targets"].as_array().unwrap())
        .enumerate()
        .map(|(n, t)| format!("      - record: p{n}\n        expr: {}\n", t["expr"]))
        .collect();
    let folder = kit::temp_dir();
    let rules = folder.path().join("panels.yml");
    std::fs::write(&rules, format!("groups:\n  - name: panels\n    rules:\n{}", groups.concat())).unwrap();
    super::prometheus::takes(&rules);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_under_full_load_answers_quickly() {
    let gateway = Gateway::new(Some(kit::postgres::database().await.url), "").await;
    let mut serve = gateway.serve(&[]);
    // Of the refused ones those that hang on nothing: what waits on hold would keep its sender waiting.
    let mut files = crate::road::files(&kit::repository().join("samples/refused"));
    files.retain(|f| f.file_name().and_then(|n| n.to_str()).is_some_and(|n| ["E1", "E2", "E3", "E5"].iter().any(|c| n.starts_with(c))));
    files.extend(crate::road::files(&kit::repository().join("samples/accepted")));
    let mut took = Vec::new();
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| (0..8).map(|_| gateway.send(&files).len()).sum::<usize>());
        while !sender.is_finished() {
            let since = Instant::now();
            assert!(metrics(&gateway).contains("arkki_in_hand "));
            took.push(since.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        sender.join().unwrap()
    });
    took.sort();
    let p99 = took[(took.len() * 99 / 100).min(took.len() - 1)];
    println!("{sent} messages, {} scrapes: median {:?}, p99 {p99:?}", took.len(), took[took.len() / 2]);
    assert!(sent > 500 && took.len() > 20 && p99 < Duration::from_secs(1), "{sent} messages, {} scrapes, p99 {p99:?}", took.len());
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
}
