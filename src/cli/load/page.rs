//! The report as one HTML file that needs nothing else: figures, four plots, and what the run was.

use super::drive::Measured;
use super::histogram::Histogram;
use super::plot::{Plot, Point, Scale};
use super::{Load, TOLD, faults, figures};
use crate::xml::write;

/// The whole file; well-formed XML too.
#[must_use]
pub fn page(command: &Load, measured: &Measured) -> String {
    let mut out = String::from("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><meta charset=\"utf-8\"/>");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><meta name=\"color-scheme\" content=\"light dark\"/>");
    let title = format!("arkki load: {:.1}/s for {} s", command.rate, command.seconds);
    write::element(&mut out, "title", &[], &title);
    out.push_str("<style>");
    out.push_str(STYLE);
    out.push_str("</style></head><body><main>");
    write::element(&mut out, "h1", &[], &title);
    let faults = faults(command, measured);
    if faults.is_empty() {
        write::element(&mut out, "p", &[("class", "well")], "Every message was accepted.");
    }
    faults.iter().for_each(|fault| write::element(&mut out, "p", &[("class", "unwell")], &capital(fault)));
    table(&mut out, measured);
    section(
        &mut out,
        "Latency by percentile",
        &percentiles(measured),
        "A message's latency counts from the moment at which it was to arrive. Where the two lines part, messages waited to be sent.",
    );
    section(
        &mut out,
        "Latency over time",
        &over_time(command, measured),
        "By the moment of arrival; the grey stretch is the warm-up and is not in the figures.",
    );
    section(&mut out, "Rates", &rates(command, measured), "Messages that arrived and answers that came, a second.");
    section(
        &mut out,
        "Open messages",
        &open(command, measured),
        "Arrived and not answered yet. A line that climbs means that the rate is above what is carried.",
    );
    about(&mut out, command, measured);
    out.push_str("</main></body></html>\n");
    out
}

fn section(out: &mut String, head: &str, svg: &str, says: &str) {
    out.push_str("<section>");
    write::element(out, "h2", &[], head);
    out.push_str(svg);
    write::element(out, "p", &[], says);
    out.push_str("</section>");
}

fn table(out: &mut String, measured: &Measured) {
    out.push_str("<table><caption>Milliseconds</caption><thead><tr><th></th>");
    TOLD.iter().for_each(|(name, _)| write::element(out, "th", &[("scope", "col")], name));
    out.push_str("</tr></thead><tbody>");
    for (name, histogram) in figures(measured) {
        out.push_str("<tr>");
        write::element(out, "th", &[("scope", "row")], name);
        TOLD.iter().for_each(|(_, per_cent)| write::element(out, "td", &[], &format!("{:.1}", histogram.at(*per_cent) / 1000.0)));
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
}

/// To the right: how rare; a step is ten times rarer.
fn percentiles(measured: &Measured) -> String {
    let rare = |per_cent: f64| -(1.0 - per_cent / 100.0).log10();
    let most = |h: &Histogram| (h.count().max(10) as f64).log10().clamp(1.0, 5.0);
    let line = |h: &Histogram| -> Vec<Point> {
        let steps = (0..=200_u32).map(|n| f64::from(n) / 40.0).take_while(|x| h.count() > 0 && *x <= most(h));
        steps.map(|x| (x, h.at(100.0 * (1.0 - 10_f64.powf(-x))) / 1000.0)).collect()
    };
    let marks = [(50.0, "50 %"), (90.0, "90 %"), (99.0, "99 %"), (99.9, "99.9 %"), (99.99, "99.99 %"), (99.999, "99.999 %")];
    let furthest = most(&measured.latency);
    Plot {
        says: "Latency in milliseconds by percentile, from arrival and from sending",
        across: "of the messages, no later than",
        upwards: ("ms", Scale::Log),
        marks: marks.into_iter().map(|(p, name)| (rare(p), name.to_owned())).filter(|(x, _)| *x <= furthest + 0.01).collect(),
        grey: 0.0,
        lines: vec![("arrival to answer", "a", line(&measured.latency)), ("sending to answer", "b", line(&measured.service))],
    }
    .svg()
}

/// A value of each slot, at its middle.
fn by_slot(measured: &Measured, value: impl Fn(usize) -> Option<f64>) -> Vec<Point> {
    let length = measured.slot.as_secs_f64();
    (0..measured.slots.len()).filter_map(|at| value(at).map(|v| ((at as f64 + 0.5) * length, v))).collect()
}

fn over_time(command: &Load, measured: &Measured) -> String {
    let at = |per_cent: f64| by_slot(measured, |slot| measured.slots.get(slot).filter(|s| s.latency.count() > 0).map(|s| s.latency.at(per_cent) / 1000.0));
    Plot {
        says: "Latency in milliseconds over time: median, 99th percentile and most",
        across: "seconds",
        upwards: ("ms", Scale::Log),
        marks: Vec::new(),
        grey: command.warm_up().as_secs_f64(),
        lines: vec![("most", "c", at(100.0)), ("p99", "b", at(99.0)), ("p50", "a", at(50.0))],
    }
    .svg()
}

fn rates(command: &Load, measured: &Measured) -> String {
    let length = measured.slot.as_secs_f64();
    Plot {
        says: "Arrivals and answers a second over time",
        across: "seconds",
        upwards: ("messages/s", Scale::Linear),
        marks: Vec::new(),
        grey: command.warm_up().as_secs_f64(),
        lines: vec![
            ("arrived", "a", by_slot(measured, |slot| measured.slots.get(slot).map(|s| s.arrived as f64 / length))),
            ("answered", "b", by_slot(measured, |slot| measured.slots.get(slot).map(|s| s.answered as f64 / length))),
        ],
    }
    .svg()
}

fn open(command: &Load, measured: &Measured) -> String {
    let mut open = 0.0;
    let length = measured.slot.as_secs_f64();
    let line = measured.slots.iter().enumerate().map(|(at, slot)| {
        open += slot.arrived as f64 - slot.answered as f64;
        ((at as f64 + 1.0) * length, f64::max(open, 0.0))
    });
    Plot {
        says: "Messages that arrived and were not answered yet, over time",
        across: "seconds",
        upwards: ("messages", Scale::Linear),
        marks: Vec::new(),
        grey: command.warm_up().as_secs_f64(),
        lines: vec![("open", "a", line.collect())],
    }
    .svg()
}

fn about(out: &mut String, command: &Load, measured: &Measured) {
    out.push_str("<section><h2>The run</h2><dl>");
    let answers: Vec<String> = measured.answers.iter().map(|(answer, count)| format!("{count} {answer}")).collect();
    let rows = [
        ("Began", measured.began.to_iso()),
        ("Arrivals", format!("{} messages in {:.1} s", measured.sent, measured.arrived_for.as_secs_f64())),
        ("Answers", answers.join(", ")),
        ("Answers a second", format!("{:.1}", measured.throughput())),
        ("Size", format!("about {} octets a message", command.size)),
        ("Seed", measured.seed.to_string()),
        ("Queue", measured.queue.clone()),
        ("Rule set", measured.rules.clone().unwrap_or_default()),
        ("Arkki", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    for (name, value) in rows {
        write::element(out, "dt", &[], name);
        write::element(out, "dd", &[], &value);
    }
    out.push_str("</dl></section>");
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1c2127;--dim:#5b6570;--line:#d9dee3;--page:#fff;--a:#0b62b5;--b:#b3470b;--c:#8a94a0;--bad:#b3121d;--good:#1a6b35}\
@media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--dim:#a3adb8;--line:#3a424b;--page:#15191e;--a:#6db3f5;--b:#f2a26b;--c:#77818c;--bad:#ff8a8f;--good:#7fd69b}}\
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}main{max-width:800px;margin:0 auto;padding:1rem}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{color:var(--dim);margin:.3rem 0}.well{color:var(--good)}.unwell{color:var(--bad);font-weight:600}\
table{border-collapse:collapse;width:100%;margin-top:1rem;display:block;overflow-x:auto;font-variant-numeric:tabular-nums}caption{text-align:left;color:var(--dim)}\
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th[scope=row]{text-align:left;font-weight:400}\
svg{width:100%;height:auto;display:block}svg text{fill:var(--dim);font-size:12px}.grid{stroke:var(--line)}.grey{fill:var(--line);opacity:.5}\
polyline{fill:none;stroke-width:2;stroke-linejoin:round}polyline.a{stroke:var(--a)}polyline.b{stroke:var(--b)}polyline.c{stroke:var(--c)}\
.legend span{margin-right:1.2rem}.legend span::before{content:\"\";display:inline-block;width:1.2em;height:3px;margin-right:.4em;vertical-align:middle;background:currentColor}\
.legend .a{color:var(--a)}.legend .b{color:var(--b)}.legend .c{color:var(--c)}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}";
