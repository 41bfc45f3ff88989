//! The results as JUnit XML, in the form that Jenkins, GitLab and GitHub's reporters read: a suite a folder, a case a message.

use std::path::Path;

use super::road::Ran;
use super::{Fate, Item};
use crate::xml::write;

/// The whole file.
#[must_use]
pub fn written(items: &[Item], ran: &Ran) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let tally = Tally::of(items);
    let total = seconds(ran.took.as_secs_f64());
    let all = [("name", "arkki replay"), ("tests", &tally.tests), ("failures", &tally.failures), ("errors", &tally.errors), ("time", &total)];
    write::open(&mut out, "testsuites", &all);
    out.push('\n');
    for suite in items.chunk_by(|a, b| a.step == b.step) {
        let tally = Tally::of(suite);
        let folder = suite.first().and_then(|i| i.path.parent()).map_or_else(String::new, |p| p.display().to_string());
        let time = seconds(suite.iter().map(taken).sum());
        let began = ran.began.to_iso();
        let head = [
            ("name", folder.as_str()),
            ("tests", &tally.tests),
            ("failures", &tally.failures),
            ("errors", &tally.errors),
            ("skipped", &tally.skipped),
            ("time", &time),
            ("timestamp", began.get(..19).unwrap_or(&began)),
        ];
        out.push_str("  ");
        write::open(&mut out, "testsuite", &head);
        out.push_str("\n    <properties>");
        for (name, value) in [("arkki", env!("CARGO_PKG_VERSION")), ("queue", &ran.queue), ("rules", ran.rules.as_deref().unwrap_or(""))] {
            write::empty(&mut out, "property", &[("name", name), ("value", value)]);
        }
        out.push_str("</properties>\n");
        suite.iter().for_each(|item| case(&mut out, item, &folder));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, item: &Item, folder: &str) {
    let name = item.path.file_name().map_or_else(String::new, |n| Path::new(n).display().to_string());
    let time = seconds(taken(item));
    out.push_str("    ");
    write::open(out, "testcase", &[("classname", folder), ("name", &name), ("time", &time)]);
    let difference = item.difference();
    if let Some(fault) = item.fault() {
        write::empty(out, "error", &[("type", "unreadable"), ("message", fault)]);
    } else if matches!(item.fate, Fate::NotSent) {
        write::empty(out, "skipped", &[("message", "the run was stopped before")]);
    } else if !difference.is_empty() {
        let kind = if matches!(item.fate, Fate::Unanswered) { "no answer" } else { "another answer" };
        let lines: String = difference.iter().map(|(mark, line)| format!("{mark} {line}\n")).collect();
        write::element(out, "failure", &[("type", kind), ("message", &summary(&difference))], &lines);
    }
    write::close(out, "testcase");
    out.push('\n');
}

/// `wanted AA, came AE, E305 …`
fn summary(difference: &[(char, String)]) -> String {
    let of = |mark: char| difference.iter().filter(|(m, _)| *m == mark).map(|(_, line)| line.as_str()).collect::<Vec<_>>().join(", ");
    match (of('-'), of('+')) {
        (wanted, came) if came.is_empty() => format!("wanted {wanted}: did not come"),
        (wanted, came) if wanted.is_empty() => format!("not wanted: {came}"),
        (wanted, came) => format!("wanted {wanted}; came {came}"),
    }
}

fn taken(item: &Item) -> f64 {
    match item.fate {
        Fate::Answered(_, seconds) | Fate::Strange(seconds) => seconds,
        Fate::NotSent | Fate::Unreadable(_) | Fate::Unanswered => 0.0,
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3}")
}

struct Tally {
    tests: String,
    failures: String,
    errors: String,
    skipped: String,
}

impl Tally {
    fn of(items: &[Item]) -> Self {
        let count = |is: &dyn Fn(&Item) -> bool| items.iter().filter(|item| is(item)).count().to_string();
        Self {
            tests: items.len().to_string(),
            failures: count(&|item| item.fault().is_none() && !item.difference().is_empty()),
            errors: count(&|item| item.fault().is_some()),
            skipped: count(&|item| item.fault().is_none() && matches!(item.fate, Fate::NotSent)),
        }
    }
}
