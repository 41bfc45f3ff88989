//! Mutants of real documents under our schemas and under the official sets: the same verdict on each.

use arkki::xml::prepass::{Encoding, prepass};

use super::differential::{Random, mutate};
use super::judges::{written, xmllint};
use super::shared::{schema, shared, told};

/// How many mutants each set is asked about.
const MUTANTS: usize = 500;
/// The longest base taken, in octets: small documents say as much in less time.
const LONGEST: usize = 120_000;
/// Our entry, the set's name in the reference's tables, its own entry.
const SETS: [(&str, &str, &str); 3] = [
    ("xsd/cda-r2.xsd", "normative", "cda-r2-normative/infrastructure/cda/CDA.xsd"),
    ("xsd/cda-r2-sdtc.xsd", "sdtc", "cda-r2-sdtc/infrastructure/cda/CDA_SDTC.xsd"),
    ("xsd/kanta-patient.xsd", "fi", "cda-fi-kela/CDA_Fi.xsd"),
];

#[test]
fn mutants_are_judged_as_the_official_sets_judge_them() {
    let Some(folder) = shared("mutants of real documents under the official sets") else { return };
    let reference = folder.join("reference");
    let verdicts = std::fs::read_to_string(reference.join("verdicts.tsv")).unwrap();
    for (entry, set, official) in SETS {
        let valid = verdicts.lines().map(|row| row.split('\t').collect::<Vec<_>>()).filter(|cells| cells[1] == set && cells[2] == "valid");
        let bases: Vec<String> = valid
            .filter_map(|cells| std::fs::read_to_string(reference.join(cells[0])).ok())
            .filter(|text| text.len() < LONGEST && prepass(text.as_bytes(), Encoding::Utf8Only).is_ok())
            .collect();
        assert!(bases.len() > 10, "{set}: {} documents tell nothing", bases.len());
        let mut random = Random(0x5EED_0000 + bases.len() as u64);
        let mut texts = Vec::new();
        while texts.len() < MUTANTS {
            let text = mutate(&bases[random.below(bases.len())], &mut random);
            // What the pre-pass refuses (an ID twice, a prefix without a namespace) is not the schema's to judge.
            if prepass(text.as_bytes(), Encoding::Utf8Only).is_ok() {
                texts.push(text);
            }
        }
        let made = tempfile::tempdir().unwrap();
        let Some(theirs) = xmllint(&reference.join("schemas").join(official), &written(made.path(), &texts)) else { return };
        let ours = schema(entry);
        let good = theirs.iter().filter(|good| **good).count();
        println!("{entry}: {} mutants, {good} valid", texts.len());
        assert!(good > MUTANTS / 20 && good < MUTANTS - MUTANTS / 20, "{entry}: the mutants tell nothing: {good} valid");
        for (text, theirs) in texts.iter().zip(&theirs) {
            let found = ours.validate(text);
            assert_eq!(found.is_empty(), *theirs, "{entry}: {:?}\n{text}", told(&found));
            assert!(found.iter().all(|f| f.place.line > 0 && !f.place.path.is_empty()), "{entry}: a finding without a place: {:?}", told(&found));
        }
    }
}
