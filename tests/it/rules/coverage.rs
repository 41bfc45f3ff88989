//! No rule without an example that keeps it and one that breaks it; each gives what the table says.

use std::collections::{BTreeMap, BTreeSet};

use arkki::codes::rules::Example;
use arkki::domain::code::Code;
use arkki::domain::finding::{Finding, Severity};
use arkki::generate::samples;
use arkki::rules::examples;

use super::RULES;
use crate::generate::judged::Shelf;
use crate::kit;

/// Codes that no rule of documents is about, and why.
const NO_RULE: [(&str, &str); 48] = [
    ("E830", "needs more than 300 documents; store::queries makes them"),
    ("E831", "needs documents larger than an answer; queries makes them"),
    ("E836", "needs a damaged archive; queries damages one"),
    ("E837", "needs an archive that is slow; store makes one wait behind a lock"),
    ("W925", "as E830"),
    ("W926", "the archive's; queries asks for a document that is not there"),
    ("E105", "a bound: its sample would be 20 MiB; generate::judged makes it"),
    ("E111", "a bound: its sample would be two million elements; generate::judged makes it"),
    ("E206", "the schema of the social document has no reference that could dangle; xml::schema tests it"),
    ("E212", "whatever the schema finds beside what has its own code"),
    ("E312", "no code in the built-in lists has known days; codes::system and cda::template test it with lists that do"),
    ("E508", "only with a site's folder of definitions; cda::body::json tests it with the published ones"),
    ("W950", "only with a site's folder of definitions; cda::body::json tests it with the published ones"),
    ("E813", "the door's: a message without a sender"),
    ("E901", "ours: a defect"),
    ("E902", "ours: the hold is full"),
    ("E903", "the door's: no reply address"),
    ("E904", "an acknowledgement, noted"),
    ("W901", "an element's own: value.…"),
    ("W907", "a repeat"),
    ("W909", "the body's"),
    ("E112", "no sample: a file in an encoding that is none of ours would lie about itself; xml::encodings makes them"),
    ("E113", "as E112"),
    ("E114", "as E112"),
    ("E213", "another profile's; xml::profiles shows it"),
    ("E214", "another profile's; xml::profiles shows it"),
    ("W914", "another profile's; xml::profiles shows it"),
    ("E224", "no abstract type in the social document's schema; xml::classes shows it"),
    ("E226", "no key in our schemas; xml::classes shows it with a site's"),
    ("E227", "no strict wildcard in our schemas; xml::classes shows it with a site's"),
    ("E235", "no abstract element in our schemas; xml::classes shows it with a site's"),
    ("E611", "a sample would hang on the clock; sign::revoked makes it"),
    ("E612", "a sample would hang on a list of today; sign::revoked makes it"),
    ("W611", "as E612"),
    ("W910", "the encoding detective's remark, of any text; xml::encodings shows it"),
    ("W911", "as W910"),
    ("W912", "as W910"),
    ("E842", "hangs on the archive and the registration; disclosure asks without a link"),
    ("E843", "hangs on the registration; disclosure asks without a purpose"),
    ("E844", "as E843"),
    ("E845", "the archive's; disclosure asks for what is denied and for what is not there"),
    ("E850", "the register of senders'; messages::failures shows it"),
    ("E851", "as E850"),
    ("E852", "as E850"),
    ("E853", "as E850"),
    ("E854", "as E850"),
    ("E890", "the site's: it takes no notices; lilm shows it"),
    ("E860", "the validation service's; messages::validation shows it"),
];

#[test]
fn every_example_in_the_data_holds() {
    let trials = examples::run(&RULES, &samples::good);
    let wrong: Vec<String> = trials.iter().filter_map(|t| Some(format!("{} group {}: {}", t.rule, t.group.number(), t.fault.as_ref()?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(trials.len() > 700, "{}", trials.len());
    // Each element is broken at least once, in presence or in value.
    let tried: BTreeSet<&str> = trials.iter().map(|t| t.rule.as_str()).collect();
    for field in RULES.templates.fields().iter().filter(|f| !f.is_json()) {
        let key = field.key();
        // What may always stand and may say anything cannot be broken by itself.
        let is_free = field.bad().is_none() && matches!(field.kind(), "text" | "element");
        assert!(is_free || tried.contains(format!("need.{key}").as_str()) || tried.contains(format!("value.{key}").as_str()), "{key} is never broken");
    }
}

/// An examples' runner that could not fail would prove nothing.
#[test]
fn an_example_that_does_not_hold_is_found() {
    let mut files = arkki::codes::source::embedded();
    let name = "codes/rules/metadata.toml";
    let text = String::from_utf8(files[name].clone()).unwrap();
    let broken = text.replacen("must = 'not caseClosed before caseOpened'", "must = 'not caseOpened before caseOpened'", 1);
    assert_ne!(text, broken);
    files.insert(name.to_owned(), broken.into_bytes());
    let rules = arkki::codes::rule_set::RuleSet::load(&files).unwrap();
    let wrong: Vec<String> = examples::run(&rules, &samples::good).into_iter().filter(|t| t.fault.is_some()).map(|t| t.rule).collect();
    assert_eq!(wrong, ["case-dates"]);
}

/// Every sample's verdict, in the order in which they are sent.
fn verdicts() -> BTreeMap<String, Result<Vec<Finding>, Vec<Finding>>> {
    let shelf = Shelf::default();
    samples::all(Some(&crate::generate::keys())).into_iter().map(|s| (s.path, shelf.findings(&s.octets))).collect()
}

#[test]
fn every_sample_of_a_rule_gives_its_verdict() {
    let verdicts = verdicts();
    let mut wrong = Vec::new();
    let id = |f: &Finding| RULES.rules.id_of(f).map(std::borrow::Cow::into_owned);
    for rule in RULES.rules.all() {
        if let Example::Sample(path) = &rule.passes {
            match verdicts.get(path) {
                Some(Ok(warnings)) if warnings.iter().all(|f| id(f).as_deref() != Some(rule.borne())) => {}
                other => wrong.push(format!("{} passes {path}: {other:?}", rule.id)),
            }
        }
        if let Example::Sample(path) = &rule.fails {
            let is_its = |f: &Finding| f.code == rule.code && id(f).as_deref() == Some(rule.borne());
            let is_right = match verdicts.get(path) {
                Some(Err(findings)) => rule.code.severity() == Severity::Error && findings.first().is_some_and(is_its),
                Some(Ok(warnings)) => rule.code.severity() == Severity::Warning && warnings.iter().any(is_its),
                None => false,
            };
            if !is_right {
                let found = verdicts.get(path).map(|v| v.as_ref().err().or(v.as_ref().ok()).map(|f| f.iter().map(|f| (f.code, id(f))).collect::<Vec<_>>()));
                wrong.push(format!("{} fails {path}: {found:?}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_refused_and_warned_sample_breaks_a_rule_that_has_a_name() {
    let mut nameless = Vec::new();
    for (path, verdict) in verdicts() {
        let findings = match verdict {
            Err(findings) if path.starts_with("refused/") => findings,
            Ok(warnings) if path.starts_with("warned/") => warnings,
            _ => continue,
        };
        let is_ours = findings.first().is_some_and(|f| !f.code.as_str().starts_with("E5") && !no_rule(f.code));
        if is_ours && findings.first().and_then(|f| RULES.rules.id_of(f)).is_none() {
            nameless.push(format!("{path}: {:?}", findings.first()));
        }
    }
    assert!(nameless.is_empty(), "{}", nameless.join("\n"));
}

fn no_rule(code: Code) -> bool {
    NO_RULE.iter().any(|(c, _)| *c == code.as_str())
}

/// E5xx are the body's and are asked of it where its rules are there.
#[test]
fn every_code_is_some_rules() {
    let has_body = RULES.rules.get("J-a").is_some();
    let left: Vec<&str> = Code::ALL
        .into_iter()
        .filter(|c| RULES.rules.of(*c).next().is_none() && !no_rule(*c) && (has_body || !c.as_str().starts_with("E5")))
        .map(Code::as_str)
        .collect();
    assert!(left.is_empty(), "codes that no rule gives: {left:?}");
}

#[test]
fn every_rule_that_the_source_names_is_in_the_table() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for file in sources() {
        let source = std::fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, mark) in source.match_indices(".under(\"") {
            let id = source[at + mark.len()..].split('"').next().unwrap_or_default();
            seen += 1;
            if RULES.rules.get(id).is_none() {
                missing.push(format!("{}: {id}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen > 8, "{seen}");
}

fn sources() -> Vec<std::path::PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![kit::repository().join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.into_iter().filter(|f| f.extension().is_some_and(|e| e == "rs")).collect()
}

/// Where only part of a code system's days is known an ended code is a warning; where the list is complete it is refused.
#[test]
fn codes_are_judged_by_the_day_the_document_was_made() {
    let text = String::from_utf8(samples::good(arkki::domain::document::Group::Case)).unwrap();
    for (list, line, code) in [
        ("codes/systems/social.toml", "code = \"E\", fi = \"Ei\"", "E312"),
        ("codes/systems/social.toml", "code = \"24\", fi = \"Lapsiperheiden palvelut\"", "W921"),
    ] {
        for (days, wanted) in
            [("last = \"2025-12-31\"", Some(code)), ("first = \"2026-12-31\"", Some(code)), ("first = \"2026-01-01\", last = \"2026-12-31\"", None)]
        {
            let mut files = arkki::codes::source::embedded();
            let whole = String::from_utf8(files[list].clone()).unwrap();
            let dated = whole.replacen(line, &format!("{days}, {line}"), 1);
            assert_ne!(whole, dated, "{line}");
            files.insert(list.to_owned(), dated.into_bytes());
            let rules = arkki::codes::rule_set::RuleSet::load(&files).unwrap();
            let found = examples::judge(&rules, &text, arkki::codes::rules::Stage::Test);
            assert_eq!(found.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), Vec::from_iter(wanted), "{line} {days}");
        }
    }
}
