//! 155 documents and 606 mutants of them under the official schemas: every refusal says where, in which path, and in a sentence of three languages what
//! was expected there. Prints what it left out where the shared folder is absent.

use std::collections::BTreeMap;
use std::path::Path;

use arkki::codes::catalogue::Catalogue;
use arkki::codes::source::{self, Files};
use arkki::domain::code::Code;
use arkki::domain::language::Language;
use arkki::xml::prepass::{Encoding, prepass};
use arkki::xml::schema::Schema;

use super::shared::{shared, told};

/// An official schema set, read from its folder as a site would point a profile at it.
pub fn official(folder: &Path, entry: &str) -> Schema {
    let mut files = Files::new();
    let mut stack = vec![folder.to_path_buf()];
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "xsd") {
            files.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap());
        }
    }
    Schema::compile_with_remarks(&files, entry).unwrap_or_else(|fault| panic!("{fault}"))
}

/// The three sets by their names in the tables of verdicts.
pub fn sets(folder: &Path) -> BTreeMap<&'static str, Schema> {
    [
        ("normative", "cda-r2-normative", "infrastructure/cda/CDA.xsd"),
        ("sdtc", "cda-r2-sdtc", "infrastructure/cda/CDA_SDTC.xsd"),
        ("fi", "cda-fi-kela", "CDA_Fi.xsd"),
    ]
    .into_iter()
    .map(|(name, set, entry)| (name, official(&folder.join("schemas").join(set), entry)))
    .collect()
}

#[test]
fn no_refusal_is_mute() {
    let Some(folder) = shared("the reference documents under the official schemas") else { return };
    let folder = folder.join("reference");
    let sets = sets(&folder);
    let catalogue = Catalogue::load(&source::embedded()).unwrap();
    let (mut seen, mut codes) = (0, BTreeMap::<Code, usize>::new());
    let mut dump = std::env::var_os("ARKKI_TEST_SENTENCES").map(|path| std::fs::File::create(path).unwrap());
    for (table, set_column, verdict_column) in [("verdicts.tsv", 1, 2), ("mutant_verdicts.tsv", 3, 6)] {
        for row in std::fs::read_to_string(folder.join(table)).unwrap().lines().skip(1) {
            let cells: Vec<&str> = row.split('\t').collect();
            let Some(schema) = sets.get(cells[set_column]) else { continue };
            let octets = std::fs::read(folder.join(cells[0])).unwrap();
            let Ok(good) = prepass(&octets, Encoding::Utf8Only) else { continue };
            let found = schema.validate(good.text);
            let refused = found.iter().any(arkki::domain::finding::Finding::is_error);
            assert_eq!(!refused, cells[verdict_column] == "valid", "{} under {}: {:?}", cells[0], cells[set_column], told(&found));
            seen += 1;
            for finding in &found {
                *codes.entry(finding.code).or_default() += 1;
                assert!(finding.place.line > 0 && finding.place.column > 0 && finding.place.path.len() > 1, "{}: {finding:?}", cells[0]);
                let line = good.text.lines().nth(finding.place.line as usize - 1);
                let stands: String = line.unwrap_or_default().chars().skip(finding.place.column as usize - 1).take(40).collect();
                place_is_exact(finding, &stands, cells[0]);
                for language in Language::ALL {
                    let text = catalogue.text(finding, language);
                    assert!(text.len() > 20 && !text.contains('–'), "{}: {text}", cells[0]);
                }
                if let Some(dump) = &mut dump {
                    use std::io::Write;
                    let place = &finding.place;
                    let text = catalogue.text(finding, Language::En);
                    writeln!(
                        dump,
                        "{}\t{}\n  {} {}:{} {} <<{stands}>>\n  {text}\n  {}",
                        cells[0],
                        cells[set_column],
                        finding.code.as_str(),
                        place.line,
                        place.column,
                        place.path,
                        cells[verdict_column + 1]
                    )
                    .unwrap();
                }
            }
        }
    }
    println!("{seen} verdicts; findings by code: {codes:?}");
    assert!(seen > 600 && codes.len() > 8, "{seen} {codes:?}");
    assert_eq!(codes.get(&Code::E212), None, "a class of fault has no code of its own");
}

/// At an element's place its tag stands, at an attribute's its name, at the end of an element its end tag.
fn place_is_exact(finding: &arkki::domain::finding::Finding, stands: &str, file: &str) {
    let step = finding.place.path.rsplit('/').next().unwrap();
    let name = step.split('[').next().unwrap();
    let name = name.strip_prefix('@').map_or_else(|| name.rsplit(':').next().unwrap().to_owned(), |n| format!("@{}", n.rsplit(':').next().unwrap()));
    let good = match name.strip_prefix('@') {
        // What is missing is told at its element.
        Some(_) if finding.code == Code::E208 => stands.starts_with('<'),
        Some(attribute) => stands.split('=').next().unwrap().trim_end().ends_with(attribute),
        None if stands.starts_with('<') => stands.trim_start_matches(['<', '/']).split([' ', '>', '/', '\t']).next().unwrap().ends_with(&name),
        None => matches!(finding.code, Code::E209 | Code::E211 | Code::E228 | Code::E229 | Code::E230) && !stands.starts_with(' '),
    };
    assert!(good, "{file}: {finding:?} where {stands:?} stands");
}
