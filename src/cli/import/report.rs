//! What became of every row: the dry run's table and the reconciliation, for people, as JSON and as a CSV file. A row is named by its line and file,
//! never by its client.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;

use super::check::Checked;
use super::journal::Journal;
use super::publish::Ended;
use super::{Import, Work, sentence};
use crate::cli::report::{Health, Report};
use crate::domain::ack::AckType;
use crate::import::plan::Item;

/// How many refused rows are shown on the screen; all of them stand in the report file.
const SHOWN: usize = 50;

/// A row's fate.
struct Fate<'a> {
    line: u64,
    file: &'a str,
    sample: Option<bool>,
    /// The place of its case in the plan.
    case: Option<usize>,
    what: What,
    id: String,
    code: String,
    text: String,
    position: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Passes,
    Archived,
    Refused,
    Left,
}

impl What {
    const fn word(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Archived => "archived",
            Self::Refused => "refused",
            Self::Left => "left",
        }
    }
}

/// The dry run's report.
pub fn dry_run(command: &Import, work: &Work, checked: &Checked) -> Result<Report, Report> {
    let fates = fates(work, |item| match checked.reason(work, item) {
        Some(reason) => (What::Refused, reason.code.clone(), reason.text.clone(), None),
        None => (What::Passes, String::new(), String::new(), None),
    });
    let mut text = String::new();
    for (code, count) in &checked.warnings {
        let _ = writeln!(text, "{count} × {code}: archived with a warning; `arkki codes {code}` explains it");
    }
    report(command, work, &fates, "dry run: nothing was sent", &text)
}

/// The reconciliation.
pub fn reconcile(command: &Import, work: &Work, journal: &Journal, ended: Result<Ended, Report>) -> Result<Report, Report> {
    let checked = journal.checked().unwrap_or_default();
    let fates = fates(work, |item| {
        if let Some(reason) = checked.reason(work, item) {
            return (What::Refused, reason.code.clone(), reason.text.clone(), None);
        }
        let case = work.plan.before(item);
        let chain = [Some(item), case, case.and_then(|c| work.plan.before(c))];
        // What it hangs on was refused: then so is the row, for the same reason.
        for item in chain.into_iter().flatten() {
            match journal.answer(item) {
                Some(answer) if answer.ack == AckType::Error.as_str() => return (What::Refused, answer.code.clone(), answer.text.clone(), answer.position),
                Some(answer) if answer.ack == AckType::Reject.as_str() => return (What::Left, answer.code.clone(), answer.text.clone(), None),
                _ => {}
            }
        }
        match journal.answer(item) {
            Some(answer) => (What::Archived, String::new(), String::new(), answer.position),
            None if journal.sent(item).is_some() => (What::Left, String::new(), work.examiner.catalogue().word("import-sent", work.language).to_owned(), None),
            None => (What::Left, String::new(), String::new(), None),
        }
    });
    let title = match &ended {
        Ok(Ended::Finished) => "import: finished",
        Ok(Ended::Stopped) => "import: stopped; the same command goes on",
        Ok(Ended::Silent) => "import: no answer came for too long; the same command goes on",
        Err(_) => "import: interrupted; the same command goes on",
    };
    let mut text = String::new();
    if let Err(fault) = &ended {
        let _ = write!(text, "{}", fault.text);
    }
    report(command, work, &fates, title, &text)
}

fn fates<'a>(work: &'a Work, fate: impl Fn(Item) -> (What, String, String, Option<u64>)) -> Vec<Fate<'a>> {
    let mut fates: Vec<Fate<'a>> = work
        .plan
        .documents
        .iter()
        .enumerate()
        .map(|(at, (row, case))| {
            let item = Item::Document(at);
            let (what, code, text, position) = fate(item);
            let id = work.composer().id(&work.plan, item);
            Fate { line: row.line, file: &row.file, sample: Some(row.is_sample(&work.terms)), case: Some(*case), what, id, code, text, position }
        })
        .collect();
    fates.extend(work.faulty.iter().map(|(line, file, faults)| {
        let text: Vec<String> = faults.iter().map(|fault| sentence(work, fault)).collect();
        let code = faults.first().map_or("", |f| f.why).to_owned();
        Fate { line: *line, file, sample: None, case: None, what: What::Refused, id: String::new(), code, text: text.join("; "), position: None }
    }));
    fates.sort_by_key(|fate| fate.line);
    fates
}

fn report(command: &Import, work: &Work, fates: &[Fate<'_>], title: &str, notes: &str) -> Result<Report, Report> {
    if let Some(path) = &command.report {
        std::fs::write(path, csv(fates)).map_err(|e| Report::blind(format!("--report {}: {e}", path.display())))?;
    }
    let count = |what: What| fates.iter().filter(|f| f.what == what).count();
    let (passes, archived, refused, left) = (count(What::Passes), count(What::Archived), count(What::Refused), count(What::Left));
    let sample = fates.iter().filter(|f| f.sample == Some(true)).count();
    // Cases and relations under which every row is refused are not made.
    let cases: BTreeSet<usize> = fates.iter().filter(|f| f.what != What::Refused).filter_map(|f| f.case).collect();
    let relations: BTreeSet<usize> = cases.iter().filter_map(|at| work.plan.cases.get(*at)).map(|case| case.relation).collect();
    let mut by_code: BTreeMap<&str, usize> = BTreeMap::new();
    fates.iter().filter(|f| f.what == What::Refused).for_each(|f| *by_code.entry(&f.code).or_default() += 1);
    let mut text = format!("{title}\n");
    text.push_str(notes);
    for fate in fates.iter().filter(|f| f.what == What::Refused).take(SHOWN) {
        let _ = writeln!(text, "line {:<6} {:<28} {:<6} {}", fate.line, fate.file, fate.code, fate.text);
    }
    if refused > SHOWN {
        let _ = writeln!(text, "… and {} more refused rows; --report FILE has them all", refused - SHOWN);
    }
    let sum = if passes > 0 || (archived == 0 && left == 0) {
        format!("{passes} pass + {refused} refused")
    } else {
        format!("{archived} archived + {refused} refused")
    };
    let left_words = if left > 0 { format!(" + {left} left") } else { String::new() };
    let _ = writeln!(text, "{} rows = {sum}{left_words}", work.rows());
    let _ = writeln!(
        text,
        "{} old client relations, {} closed cases; {sample} rows of the permanent sample{}",
        relations.len(),
        cases.len(),
        if work.outside > 0 { format!("; {} rows outside it left out", work.outside) } else { String::new() }
    );
    let health = if left > 0 {
        Health::Blind
    } else if refused > 0 {
        Health::Unwell
    } else {
        Health::Well
    };
    let value = json!({
        "rows": work.rows(), "pass": passes, "archived": archived, "refused": refused, "left": left, "by_code": by_code,
        "relations": relations.len(), "cases": cases.len(), "permanent_sample": sample, "outside_sample": work.outside,
        "import": work.head.import, "created": work.head.created,
    });
    Ok(Report::new(health, text, value))
}

/// The report file: a line a row.
fn csv(fates: &[Fate<'_>]) -> String {
    let mut out = String::from("line;file;fate;permanent_sample;document;position;code;text\n");
    for f in fates {
        let sample = f.sample.map_or("", |s| if s { "yes" } else { "no" });
        let position = f.position.map(|p| p.to_string()).unwrap_or_default();
        let _ = writeln!(out, "{};{};{};{sample};{};{position};{};{}", f.line, quoted(f.file), f.what.word(), f.id, f.code, quoted(&f.text));
    }
    out
}

/// A value of the report; a spreadsheet must not take one for a formula.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}
