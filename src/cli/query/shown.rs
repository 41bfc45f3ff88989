//! An answer to `arkki query` for people and for machines.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::report::{Health, Report};
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::domain::query::{Hit, Query};
use crate::pipeline::examine::Examiner;
use crate::rules::query::Answered;

/// The report: a table of documents, or of ways to narrow.
pub(super) fn report(examiner: &Examiner, query: &Query, answered: &Answered, language: Language, output: Option<&Path>) -> Report {
    let refused = answered.refused().is_some();
    let (narrowing, said): (Vec<&Finding>, Vec<&Finding>) = answered.findings.iter().partition(|f| f.arg("field").is_some());
    let mut text = String::new();
    for finding in said {
        text.push_str(&format!("{} {}\n", finding.code.as_str(), examiner.sentence(finding, language)));
    }
    text.push_str(&table(&narrowing_rows(examiner, &narrowing, language)));
    if !answered.hits.is_empty() {
        text.push_str(&table(&hit_rows(&answered.hits, language)));
    }
    if let (Some(output), Some(octets)) = (output, answered.octets.first()) {
        // On standard output the document stands alone.
        text = if output.as_os_str() == "-" { String::new() } else { format!("{}: {} octets\n", output.display(), octets.len()) };
    } else if !refused {
        text.push_str(&count(answered.total, language));
    }
    let health = if refused { Health::Unwell } else { Health::Well };
    Report::new(health, text, machine(examiner, query, answered, &narrowing, language))
}

fn machine(examiner: &Examiner, query: &Query, answered: &Answered, narrowing: &[&Finding], language: Language) -> Value {
    let findings = answered.findings.iter().filter(|f| f.arg("field").is_none());
    json!({
        "answer": answered.code.as_str(),
        "total": answered.total,
        "criteria": query.criteria.names(),
        "documents": answered.hits.iter().map(document).collect::<Vec<_>>(),
        "findings": findings.map(|f| json!({ "code": f.code.as_str(), "text": examiner.sentence(f, language) })).collect::<Vec<_>>(),
        "narrowing": narrowing.iter().map(|f| json!({
            "by": f.arg("field").and_then(|by| by.strip_prefix("by-")),
            "value": f.arg("value"),
            "count": f.arg("count").and_then(|n| n.parse::<u64>().ok()),
        })).collect::<Vec<_>>(),
    })
}

fn document(hit: &Hit) -> Value {
    let header = &hit.header;
    json!({
        "id": header.id.as_str(),
        "set": header.set_id.as_str(),
        "version": header.version,
        "valid": hit.is_valid,
        "group": header.group.number(),
        "controller": header.controller.as_str(),
        "organiser": header.organiser.as_ref().map(|o| o.as_str()),
        "service_task": header.service_task,
        "case": header.case_id.as_ref().map(|o| o.as_str()),
        "relation": header.relation_id.as_ref().map(|o| o.as_str()),
        "type": header.general_type,
        "specific_type": header.specific_type,
        "authored": header.authored.to_iso(),
        "archived": hit.archived_at.to_iso(),
        "language": header.language,
        "sha256": hit.archived.to_hex(),
    })
}

const fn words(language: Language) -> [&'static str; 12] {
    match language {
        Language::Fi => ["asiakirja", "versio", "laadittu", "ryhmä", "tyyppi", "palvelutehtävä", "asia", "tila", "voimassa", "mitätöity", "rajaus", "määrä"],
        Language::Sv => ["handling", "version", "upprättad", "kategori", "typ", "serviceuppgift", "ärende", "status", "gäller", "makulerad", "begränsning", "antal"],
        Language::En => ["document", "version", "authored", "group", "type", "service task", "case", "state", "valid", "invalidated", "narrow by", "count"],
    }
}

fn hit_rows(hits: &[Hit], language: Language) -> Vec<Vec<String>> {
    let [document, version, authored, group, kind, task, case, state, valid, invalid, ..] = words(language);
    let head = [document, version, authored, group, kind, task, case, state].map(str::to_owned).to_vec();
    let rows = hits.iter().map(|hit| {
        let h = &hit.header;
        let date = h.authored_date;
        let or_dash = |text: Option<&str>| text.unwrap_or("–").to_owned();
        vec![
            h.id.as_str().to_owned(),
            h.version.to_string(),
            format!("{:04}-{:02}-{:02}", date.year, date.month, date.day),
            h.group.number().to_string(),
            or_dash(h.specific_type.as_deref().or(h.general_type.as_deref())),
            or_dash(h.service_task.as_deref()),
            or_dash(h.case_id.as_ref().map(|c| c.as_str())),
            if hit.is_valid { valid } else { invalid }.to_owned(),
        ]
    });
    std::iter::once(head).chain(rows).collect()
}

fn narrowing_rows(examiner: &Examiner, narrowing: &[&Finding], language: Language) -> Vec<Vec<String>> {
    if narrowing.is_empty() {
        return Vec::new();
    }
    let [.., by, count] = words(language);
    let head = vec![by.to_owned(), String::new(), count.to_owned()];
    let rows = narrowing.iter().map(|f| {
        let word = |name: &str| f.arg(name).unwrap_or("–");
        vec![examiner.catalogue().word(word("field"), language).to_owned(), word("value").to_owned(), word("count").to_owned()]
    });
    std::iter::once(head).chain(rows).collect()
}

/// Columns side by side, two spaces between them.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count())))).collect();
        out.push_str(line.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn count(total: u64, language: Language) -> String {
    match language {
        Language::Fi => format!("{total} asiakirjaa\n"),
        Language::Sv => format!("{total} handlingar\n"),
        Language::En => format!("{total} documents\n"),
    }
}
