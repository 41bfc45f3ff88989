//! The schema stage alone, in MB/s: pre-pass and libxml2 apart, on one thread and on two, and xmllint's own streaming of the same files as the ceiling. The
//! reference documents where their folder is, else the samples; and one document of 20 MB, whose peak of memory is told.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use arkki::codes::source;
use arkki::xml::prepass::{self, Encoding};
use arkki::xml::schema::Schema;

use crate::{cpu, kit};

/// Rounds over all documents; the best counts, the others met somebody else's work.
const ROUNDS: usize = 5;

pub fn run() -> String {
    let schema = Schema::compile(&source::embedded(), "xsd/cda-r2.xsd").expect("a schema");
    let (texts, files) = documents();
    let octets: usize = texts.iter().map(String::len).sum();
    let rate = |seconds: f64| octets as f64 / 1e6 / seconds;
    let walk = best(|| texts.iter().for_each(|t| drop(black_box(prepass::prepass(t.as_bytes(), Encoding::Utf8Only)))));
    let one = best(|| texts.iter().for_each(|t| drop(black_box(schema.validate(t)))));
    let two = (0..ROUNDS).map(|_| on_two(&texts, &schema)).fold(f64::MAX, f64::min);
    let mut table = format!("| {} documents, {:.1} MB, schema cda-r2 | MB/s |\n|---|---|\n", texts.len(), octets as f64 / 1e6);
    let mut row = |what: &str, value: f64| table += &format!("| {what} | {value:.0} |\n");
    row("pre-pass, one thread", rate(walk));
    row("libxml2 by Arkki, one thread", rate(one));
    row("libxml2 by Arkki, two threads", rate(two));
    row("pre-pass and libxml2, one thread", rate(walk + one));
    if let Some(seconds) = xmllint(&files) {
        row("xmllint --stream, its start and its schema taken off", rate(seconds));
    }
    table + &large(&schema)
}

/// What is valid, so that no finding's sentence is measured.
fn documents() -> (Vec<String>, Vec<PathBuf>) {
    let schema = Schema::compile(&source::embedded(), "xsd/cda-r2.xsd").expect("a schema");
    let folder = kit::shared().map_or_else(|| kit::repository().join("samples/accepted"), |shared| shared.join("reference/cda"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).expect("documents").map(|e| e.expect("a file").path()).collect();
    files.sort();
    let read = |path: PathBuf| std::fs::read_to_string(&path).ok().map(|text| (text, path));
    let good = |text: &str| prepass::prepass(text.as_bytes(), Encoding::Utf8Only).is_ok() && schema.validate(text).is_empty();
    files.into_iter().filter_map(read).filter(|(text, _)| good(text)).unzip()
}

/// Seconds of processor time of this thread.
fn best(work: impl Fn()) -> f64 {
    let round = |_| {
        let began = cpu::of_this_thread();
        work();
        (cpu::of_this_thread() - began) as f64 / 1e9
    };
    (0..ROUNDS).map(round).fold(f64::MAX, f64::min)
}

/// Seconds on the clock, each thread with every other document.
fn on_two(texts: &[String], schema: &Schema) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || texts.iter().skip(half).step_by(2).for_each(|t| drop(black_box(schema.validate(t)))));
        }
    });
    began.elapsed().as_secs_f64()
}

/// What xmllint itself needs for the same files with the same schema, less what it needs for as many files of no size: it reads the schema anew for each.
fn xmllint(files: &[PathBuf]) -> Option<f64> {
    let entry = kit::repository().join("xsd/cda-r2.xsd");
    let small = kit::temp_dir();
    let nothing = small.path().join("a.xml");
    std::fs::write(&nothing, "<a/>").ok()?;
    let run = |files: &[&Path]| {
        let began = Instant::now();
        Command::new("xmllint").args(["--nonet", "--noout", "--stream", "--schema"]).arg(&entry).args(files).output().ok()?;
        Some(began.elapsed().as_secs_f64())
    };
    let all: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let least = |files: &[&Path]| (0..ROUNDS).filter_map(|_| run(files)).fold(f64::MAX, f64::min);
    run(&[&nothing])?;
    Some(least(&all) - least(&vec![nothing.as_path(); all.len()])).filter(|seconds| *seconds > 0.0)
}

/// A document of 20 MB: its speed, and how much the peak of this process's memory rose.
fn large(schema: &Schema) -> String {
    const ENTRY: &str =
        "<entry><observation classCode=\"OBS\" moodCode=\"EVN\"><code code=\"a\" codeSystem=\"1.2\"/><effectiveTime value=\"2026\"/></observation></entry>";
    let head = "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><typeId root=\"2.16.840.1.113883.1.3\" extension=\"POCD_HD000040\"/><id root=\"1.2\"/><code code=\"a\"/>\
        <effectiveTime value=\"2026\"/><confidentialityCode code=\"N\"/><recordTarget><patientRole><id root=\"1.2\"/></patientRole></recordTarget><author><time value=\"2026\"/>\
        <assignedAuthor><id root=\"1.2\"/></assignedAuthor></author><custodian><assignedCustodian><representedCustodianOrganization><id root=\"1.2\"/>\
        </representedCustodianOrganization></assignedCustodian></custodian><component><structuredBody><component><section>";
    let text = format!("{head}{}</section></component></structuredBody></component></ClinicalDocument>", ENTRY.repeat(20_000_000 / ENTRY.len()));
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0").trim().trim_end_matches(" kB").to_owned();
        line.parse::<f64>().unwrap_or(0.0) / 1e3
    };
    let before = peak();
    let seconds = best(|| assert!(schema.validate(&text).is_empty()));
    let megabytes = text.len() as f64 / 1e6;
    let mut table = format!(
        "\n| one document of {megabytes:.0} MB | |\n|---|---|\n| libxml2 by Arkki, MB/s | {:.0} |\n| peak of memory before and after, MB | {before:.0}, {:.0} |\n",
        megabytes / seconds,
        peak()
    );
    let folder = kit::temp_dir();
    let file = folder.path().join("large.xml");
    if std::fs::write(&file, &text).is_ok()
        && let Some(seconds) = xmllint(&[file])
    {
        table += &format!("| xmllint --stream, its start and its schema taken off, MB/s | {:.0} |\n", megabytes / seconds);
    }
    table
}
