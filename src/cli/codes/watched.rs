//! `arkki codes metrics`, `arkki codes alarms` and `arkki codes alerts`: what can be watched, what wakes somebody, and the same as rules for Prometheus.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::report::{Health, Report};
use crate::domain::language::Language;
use crate::telemetry::alarms::{RULES, Rule, When};
use crate::telemetry::setup::{COUNTERS, GAUGES, HISTOGRAMS, LOOKED_UP};

/// docs/metrics.md, as Markdown. A test holds the file to it.
pub(super) fn metrics() -> Report {
    let mut page = String::from(
        "# Metrics and alarms\n\nMade by `arkki codes metrics`; do not edit by hand. `/metrics` of each instance (`[telemetry] listen`) shows them in the format of Prometheus. \
         No label and no value names a person or a document.\n\n## Metrics\n\n| metric | kind | means |\n|---|---|---|\n",
    );
    let kinds = [("counter", COUNTERS), ("gauge", GAUGES), ("gauge", LOOKED_UP), ("histogram", HISTOGRAMS)];
    let all: Vec<(&str, &str, &str)> = kinds.into_iter().flat_map(|(kind, list)| list.iter().map(move |(name, text)| (*name, kind, *text))).collect();
    for (name, kind, text) in &all {
        page.push_str(&format!("| `{name}` | {kind} | {text} |\n"));
    }
    page.push_str(
        "\n## Alarms\n\nThe gateway opens and closes them by itself: one line in the log each time, `arkki_alarm_since_seconds{alarm}`, `arkki top`, the console's board. \
         `deploy/alerts.yml` holds the same ones for Prometheus (`arkki codes alerts`). An alarm opens when its condition has held so long, and closes when it has not held so long.\n\n\
         | alarm | severity | when | opens after | closes after | means | do |\n|---|---|---|---|---|---|---|\n",
    );
    for rule in &RULES {
        page.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | `{}` |\n",
            rule.name,
            rule.severity.as_str(),
            condition(rule.when),
            length(rule.holds.0),
            length(rule.holds.1),
            rule.says(Language::En),
            rule.mend,
        ));
    }
    Report::new(Health::Well, page, all.into_iter().map(|(name, kind, text)| json!({ "metric": name, "kind": kind, "means": text })).collect())
}

/// The alarms, a line each.
pub(super) fn alarms(language: Language) -> Report {
    let text = RULES.iter().map(|rule| format!("{:<20} {:<9} {}  → {}\n", rule.name, rule.severity.as_str(), rule.says(language), rule.mend)).collect();
    let says = |rule: &Rule| Language::ALL.into_iter().map(|l| (l.as_str().to_owned(), rule.says(l).into())).collect::<serde_json::Map<_, Value>>();
    let json = RULES.iter().map(|rule| {
        json!({
            "name": rule.name,
            "severity": rule.severity.as_str(),
            "expression": expression(rule.when),
            "opens_after_seconds": rule.holds.0.as_secs(),
            "closes_after_seconds": rule.holds.1.as_secs(),
            "says": says(rule),
            "mend": rule.mend,
        })
    });
    Report::new(Health::Well, text, json.collect())
}

/// deploy/alerts.yml: rules for Prometheus 2.42 or later. A test holds the file to it.
pub(super) fn alerts() -> Report {
    let mut text = String::from(
        "# Rules for Prometheus 2.42 or later, made by `arkki codes alerts`; do not edit by hand. The gateway keeps the same alarms by itself (docs/metrics.md).\n\
         # Over several instances each alert rings once: what they share is not told once for each.\n\
         groups:\n  - name: arkki\n    rules:\n",
    );
    // A JSON string is a YAML string.
    let quoted = |text: &str| Value::from(text).to_string();
    for rule in &RULES {
        text.push_str(&format!(
            "      - alert: Arkki{}\n        expr: {}\n        for: {}\n        keep_firing_for: {}\n        labels:\n          severity: {}\n        annotations:\n          \
             summary: {}\n          summary_fi: {}\n          summary_sv: {}\n          mend: {}\n",
            rule.name,
            quoted(&expression(rule.when)),
            length(rule.holds.0),
            length(rule.holds.1),
            rule.severity.as_str(),
            quoted(rule.says(Language::En)),
            quoted(rule.says(Language::Fi)),
            quoted(rule.says(Language::Sv)),
            quoted(rule.mend),
        ));
    }
    Report::page("yaml", text)
}

/// A condition as PromQL. What the instances share is the same in each, so it is taken once over all of them.
fn expression(when: When) -> String {
    match when {
        When::Above(gauge, limit) => format!("max without (instance) ({gauge}) > {limit}"),
        When::Below(gauge, limit) => format!("min without (instance) ({gauge}) < {limit}"),
        When::AboveWhere(gauge, (label, value), limit) => format!("max without (instance) ({gauge}{{{label}=\"{value}\"}}) > {limit}"),
        When::Grew(counter, within) => format!("sum without (instance) (increase({counter}[{}])) > 0", length(within)),
        When::Share { counter, part: (label, value), above, at_least, within } => {
            let within = length(within);
            let part = format!("sum by (job) (increase({counter}{{{label}=\"{value}\"}}[{within}]))");
            format!("{part} >= {at_least} and {part} / sum by (job) (increase({counter}[{within}])) > {above}")
        }
        When::Silent => "up{job=\"arkki\"} == 0".to_owned(),
    }
}

/// A condition in words.
fn condition(when: When) -> String {
    match when {
        When::Above(gauge, limit) => format!("`{gauge}` > {limit}"),
        When::Below(gauge, limit) => format!("`{gauge}` < {limit}"),
        When::AboveWhere(gauge, (label, value), limit) => format!("`{gauge}{{{label}=\"{value}\"}}` > {limit}"),
        When::Grew(counter, within) => format!("`{counter}` grew within {}", length(within)),
        When::Share { counter, part: (label, value), above, at_least, within } => {
            format!("of `{counter}` within {} at least {at_least} and more than {:.0} % with `{label}=\"{value}\"`", length(within), above * 100.0)
        }
        When::Silent => "the instance does not answer a scrape".to_owned(),
    }
}

/// A time as Prometheus writes it.
fn length(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}
