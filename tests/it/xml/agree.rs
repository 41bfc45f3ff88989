//! The verdicts that xmllint and Xerces agreed on, on documents and mutants that nobody here made: ours must be the same, both ways, and every refusal must
//! have a line, a path and a sentence. Once with our own schemas, once with the official ones read from disk as a site would.

use std::collections::BTreeMap;
use std::path::Path;

use arkki::app;
use arkki::config::checked::Config;
use arkki::config::raw::{Raw, RawProfile};
use arkki::domain::language::Language;
use arkki::pipeline::examine::{Examiner, Stage};

use super::shared::shared;

/// The schema sets of the tables, the profiles that stand for them, and the official entry files.
const SETS: [(&str, &str, &str); 3] = [
    ("normative", "cda-r2", "cda-r2-normative/infrastructure/cda/CDA.xsd"),
    ("sdtc", "cda-r2-sdtc", "cda-r2-sdtc/infrastructure/cda/CDA_SDTC.xsd"),
    ("fi", "kanta-patient", "cda-fi-kela/CDA_Fi.xsd"),
];

#[test]
fn our_schemas_give_the_worlds_verdicts() {
    let Some(folder) = shared("the reference documents and mutants") else { return };
    agree(&folder.join("reference"), |_, profile| examiner(BTreeMap::new(), profile));
}

#[test]
fn a_sites_official_schemas_give_the_worlds_verdicts() {
    let Some(folder) = shared("the reference documents and mutants under the official schemas") else { return };
    let folder = folder.join("reference");
    agree(&folder, |entry, profile| {
        let schema = folder.join("schemas").join(entry).to_string_lossy().into_owned();
        examiner(BTreeMap::from([(profile.to_owned(), RawProfile { schema })]), profile)
    });
}

fn examiner(profiles: BTreeMap<String, RawProfile>, profile: &str) -> Examiner {
    let config = Config::check(Raw { profiles, ..Raw::default() }, &|_| None).unwrap();
    app::examiner_for(&Config { trust: Vec::new(), ..config }, vec![0; 32], profile).unwrap()
}

fn agree(reference: &Path, examiner: impl Fn(&str, &str) -> Examiner) {
    let mut wrong = Vec::new();
    for (set, profile, entry) in SETS {
        let examiner = examiner(entry, profile);
        let wanted = wanted(reference, set);
        assert!(wanted.len() > 100, "{profile}: {} files tell too little", wanted.len());
        let refused = wanted.values().filter(|accept| !**accept).count();
        println!("{profile}: {} files, {refused} of them to be refused", wanted.len());
        for (file, accept) in wanted {
            let octets = std::fs::read(reference.join(&file)).unwrap();
            let findings = examiner.validate_as(profile, &octets, Stage::Schema);
            let errors: Vec<_> = findings.iter().filter(|f| f.is_error()).collect();
            let told = errors.iter().any(|f| f.place.line > 0 && !f.place.path.is_empty() && !examiner.sentence(f, Language::En).is_empty());
            match (errors.first(), accept) {
                (None, true) => {}
                (Some(_), false) if told => {}
                (Some(f), false) => wrong.push(format!("{profile} {file}: refused without line, path and sentence: {}", f.code.as_str())),
                (Some(f), true) => {
                    wrong.push(format!("{profile} {file}: wrongly refused, {} {}:{} {}", f.code.as_str(), f.place.line, f.place.column, f.place.path))
                }
                (None, false) => wrong.push(format!("{profile} {file}: wrongly accepted")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of the verdicts differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The files of a set and whether they are to be accepted: the consensus of both validators, but a DOCTYPE is refused whatever they say, and so is what
/// they dispute (entities, dangling IDREF), save XML 1.1, which either may do.
fn wanted(reference: &Path, set: &str) -> BTreeMap<String, bool> {
    let mut wanted = BTreeMap::new();
    for row in table(&reference.join("verdicts.tsv")).iter().filter(|row| row["schema_set"] == set && row["xmllint"] == row["xerces"]) {
        wanted.insert(row["file"].clone(), row["xmllint"] == "valid");
    }
    for row in table(&reference.join("mutant_verdicts.tsv")).iter().filter(|row| row["schema_set"] == set) {
        if row["consensus"] == "disputed" && row["operator"].contains("xml11") {
            continue;
        }
        let octets = std::fs::read(reference.join(&row["file"])).unwrap();
        let has_doctype = octets.windows(9).any(|w| w == b"<!DOCTYPE");
        wanted.insert(row["file"].clone(), row["consensus"] == "accept" && !has_doctype);
    }
    wanted
}

fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines.map(|line| names.iter().map(ToString::to_string).zip(line.split('\t').map(str::to_owned)).collect()).collect()
}
