//! Bodies in every form: what is allowed passes, each single fault gives its code, and nothing makes the reader panic or work without end.

mod edits;
mod json;
mod pdf;
mod xhtml;

use arkki::cda::body::{self, Body};
use arkki::codes::rule_set::RuleSet;
use arkki::domain::code::Code;
use arkki::domain::document::Group;
use arkki::domain::finding::Finding;
use arkki::domain::language::Language;
use arkki::generate::family::Family;
use arkki::xml::tree;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::RULES;

fn family() -> Family {
    Family::new(11, 4_100, Language::Fi)
}

/// The content of the first element that begins with `tag`, decoded.
fn decoded(document: &str, tag: &str) -> Vec<u8> {
    let (start, end) = span(document, tag);
    STANDARD.decode(&document[start..end]).expect("base64")
}

/// The document with another content in that element.
fn with(document: &str, tag: &str, content: &[u8]) -> String {
    let (start, end) = span(document, tag);
    [&document[..start], &STANDARD.encode(content), &document[end..]].concat()
}

fn span(document: &str, tag: &str) -> (usize, usize) {
    let element = document.find(tag).expect("the element");
    let start = element + document[element..].find('>').expect("its end") + 1;
    (start, start + document[start..].find('<').expect("the end tag"))
}

fn read(document: &str, rules: &RuleSet, group: Group) -> Result<Body, Vec<Finding>> {
    body::read(&tree::parse(document).expect("well-formed"), rules, group)
}

/// Codes and, for structured content, where.
fn seen(result: &Result<Body, Vec<Finding>>) -> Vec<String> {
    let findings = match result {
        Ok(body) => &body.warnings,
        Err(findings) => findings,
    };
    findings.iter().map(|f| format!("{} {}", f.code.as_str(), f.place.path.split_once('#').map_or("", |(_, pointer)| pointer)).trim_end().to_owned()).collect()
}

/// Every finding has a sentence in each language with no word missing, and none of them repeats a person's data.
fn speaks(findings: &[Finding], secrets: &[&str]) {
    for finding in findings {
        for language in [Language::Fi, Language::Sv, Language::En] {
            let text = RULES.catalogue.text(finding, language);
            assert!(!text.contains('–') && !text.contains("json-") && !text.contains("pdf-") && !text.contains("xhtml-"), "{text}");
            assert!(secrets.iter().all(|secret| !text.contains(secret) && !finding.place.path.contains(secret)), "{text}");
        }
        assert!(finding.rule.is_some() || finding.code == Code::W950, "{}: no rule", finding.code.as_str());
    }
}
