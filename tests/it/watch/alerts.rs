//! Each rule of `deploy/alerts.yml` over series made up for it: it is silent, fires when its metric passes its limit, and closes. `promtool` is the judge.
//! What can be caused for real is, in `rings.rs`.

use arkki::telemetry::alarms::{RULES, When};

use crate::kit;

/// Series in promtool's notation, a value a minute: an hour well, half an hour unwell, three hours well.
fn series(when: When) -> Vec<(String, String)> {
    let shape = |well: String, unwell: String| format!("{well}x60 {unwell}x30 {well}x180");
    let flat = |value: f64| format!("{value}+0");
    match when {
        When::Above(gauge, limit) => vec![(gauge.to_owned(), shape(flat(0.0), flat(limit + 1.0)))],
        When::Below(gauge, limit) => vec![(gauge.to_owned(), shape(flat(limit + 1.0), flat(limit - 0.01)))],
        When::AboveWhere(gauge, (label, value), limit) => vec![
            (format!("{gauge}{{{label}=\"{value}\"}}"), shape(flat(0.0), flat(limit + 1.0))),
            (format!("{gauge}{{{label}=\"another\"}}"), format!("{}x270", flat(limit + 1.0))),
        ],
        When::Grew(counter, _) => vec![(counter.to_owned(), "5+0x60 6+1x30 36+0x180".to_owned())],
        When::Share { counter, part: (label, value), .. } => vec![
            (format!("{counter}{{{label}=\"{value}\"}}"), "5+1x60 70+50x30 1600+1x180".to_owned()),
            (format!("{counter}{{{label}=\"another\"}}"), "5+10x270".to_owned()),
        ],
        When::Silent => vec![("up".to_owned(), shape(flat(1.0), flat(0.0)))],
    }
}

#[test]
fn each_rule_fires_when_it_should_and_closes_when_it_may() {
    let rules = kit::repository().join("deploy/alerts.yml");
    let mut tests = String::new();
    for rule in &RULES {
        tests.push_str("  - interval: 1m\n    input_series:\n");
        for (name, values) in series(rule.when) {
            let (metric, labels) = name.split_once('{').map_or((name.as_str(), ""), |(metric, labels)| (metric, labels.trim_end_matches('}')));
            // Two instances say the same, and one alert comes of it.
            for instance in ["a", "b"] {
                let labels =
                    [labels, &format!("instance=\"{instance}\""), "job=\"arkki\""].into_iter().filter(|l| !l.is_empty()).collect::<Vec<_>>().join(", ");
                tests.push_str(&format!("      - series: '{metric}{{{labels}}}'\n        values: '{values}'\n"));
            }
        }
        tests.push_str("    alert_rule_test:\n");
        for (minute, fires) in [("59m", false), ("85m", true), ("240m", false)] {
            tests.push_str(&format!("      - eval_time: {minute}\n        alertname: Arkki{}\n        exp_alerts:", rule.name));
            if !fires {
                tests.push_str(" []\n");
                continue;
            }
            tests.push('\n');
            let (fi, sv, en) = (rule.says[0], rule.says[1], rule.says[2]);
            let each: &[&str] = if rule.when == When::Silent { &["\n            instance: a", "\n            instance: b"] } else { &[""] };
            for instance in each {
                let label = match rule.when {
                    When::AboveWhere(_, (label, value), _) => format!("\n            {label}: {value}"),
                    _ => String::new(),
                };
                let quoted = |text: &str| serde_json::Value::from(text).to_string();
                tests.push_str(&format!(
                    "        - exp_labels:\n            severity: {}\n            job: arkki{instance}{label}\n          exp_annotations:\n            summary: {}\n            summary_fi: {}\n            summary_sv: {}\n            mend: {}\n",
                    rule.severity.as_str(), quoted(en), quoted(fi), quoted(sv), quoted(rule.mend),
                ));
            }
        }
    }
    let folder = kit::temp_dir();
    let file = folder.path().join("tests.yml");
    std::fs::write(&file, format!("rule_files: [{:?}]\nevaluation_interval: 1m\ntests:\n{tests}", rules.display().to_string())).unwrap();
    let judged = kit::run("promtool", ["test", "rules", file.to_str().unwrap()]);
    assert!(judged.ok(), "{}\n{}", judged.text(), judged.errors());
}
