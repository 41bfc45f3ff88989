//! The folder `samples/`: what the generator makes, no more and no less.

use std::collections::BTreeMap;

use arkki::domain::code::Code;
use arkki::generate::fault::Fault;
use arkki::generate::samples::{self, Sample};
use arkki::generate::{hostile, person::Person};

use super::{keys, root, tool, xmllint};

#[test]
fn is_what_the_generator_makes() {
    let keys = keys();
    let mut made: BTreeMap<String, Vec<u8>> = samples::all(Some(&keys)).into_iter().map(|s| (s.path, s.octets)).collect();
    for part in ["accepted", "queries", "disclosures", "refused", "conflicts", "warned", "hostile"] {
        for entry in std::fs::read_dir(root().join("samples").join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{part}/{}", path.file_name().unwrap().to_string_lossy());
            let octets = made.remove(&name).unwrap_or_else(|| panic!("samples/{name} is not made by the generator"));
            assert!(std::fs::read(&path).unwrap() == octets, "samples/{name} is not what the generator makes: run cargo run --example make_samples");
        }
    }
    assert_eq!(made.keys().collect::<Vec<_>>(), Vec::<&String>::new(), "missing in samples/: run cargo run --example make_samples");
    let table = std::fs::read_to_string(root().join("samples/README.md")).unwrap();
    assert!(table.contains(&samples::table(&samples::all(Some(&keys)))), "samples/README.md is old: run cargo run --example make_samples");
}

#[test]
fn shows_every_group_both_languages_and_every_form() {
    let accepted = samples::accepted(Some(&keys()));
    assert!(accepted.len() >= 12);
    let count = |word: &str| accepted.iter().filter(|s| s.what.contains(word) || s.path.contains(word)).count();
    let wanted = [
        "client relation",
        "case",
        "phase I",
        "old document",
        "client plan",
        "permission",
        "denial",
        "sv",
        "fi",
        "XHTML",
        "JSON",
        "PDF",
        "bare",
        "base64",
        "MIME",
        "signed",
        "version 2",
    ];
    for word in wanted {
        assert!(count(word) > 0, "no accepted sample shows {word}");
    }
    let canary = Person::canary();
    assert!(accepted.iter().any(|s| String::from_utf8_lossy(&s.octets).contains(&canary.hetu)));
}

#[test]
fn every_fault_is_made_and_named_after_its_code() {
    let refused = samples::refused(Some(&keys()));
    assert_eq!(refused.len(), Fault::all().count(), "a fault does not fit the document it is put into");
    assert!(refused.len() >= 25);
    for Sample { path, code, .. } in &refused {
        let code = code.unwrap();
        let folder = if code == Code::E887 { "conflicts" } else { "refused" };
        assert!(path.starts_with(&format!("{folder}/{}-", code.as_str())), "{path}");
    }
    let mut names: Vec<_> = refused.iter().map(|s| &s.path).collect();
    names.dedup();
    assert_eq!(names.len(), refused.len());
    // What no file can show: no IDREF and no abstract type in this profile, what only a site's own schema has (keys, strict wildcards, abstract elements), a
    // schema's last resort, the environment's persons, what is too large to keep, codes whose days are known, a site's definitions, senders and our own state.
    // tests/it/xml/classes.rs shows those of schemas.
    // What another profile than the archive's shows (tests/it/xml/profiles.rs): encodings that are not UTF-8, documents that are only checked.
    let of_profiles = [Code::E112, Code::E113, Code::E114, Code::E213, Code::E214];
    let of_schemas = [Code::E206, Code::E212, Code::E224, Code::E226, Code::E227, Code::E235];
    let elsewhere = [
        Code::E611,
        Code::E612,
        Code::E105,
        Code::E111,
        Code::E308,
        Code::E312,
        Code::E508,
        Code::E901,
        Code::E902,
        Code::E903,
        Code::E904,
        Code::E830,
        Code::E831,
        Code::E836,
        Code::E837,
        Code::E890,
    ];
    // What only a site's register of senders, or the validation service, can show (tests/it/messages).
    let of_senders = [Code::E850, Code::E851, Code::E852, Code::E853, Code::E854, Code::E860];
    // What hangs on the asker's registration and on what the archive has (tests/it/disclosure).
    let of_disclosure = [Code::E842, Code::E843, Code::E844, Code::E845];
    let elsewhere = [elsewhere.as_slice(), &of_senders, &of_disclosure].concat();
    for code in Code::ALL.into_iter().filter(|c| c.as_str().starts_with('E') && !elsewhere.contains(c) && !of_schemas.contains(c) && !of_profiles.contains(c)) {
        assert!(Fault::of(code).next().is_some(), "no sample shows {}", code.as_str());
    }
}

#[test]
fn accepted_documents_follow_the_schemas_and_their_signatures_verify() {
    let (mut bare, mut framed, mut signed) = (Vec::new(), Vec::new(), 0);
    let folder = tempfile::tempdir().unwrap();
    let anchor = root().join("samples/keys/ca.pem");
    for sample in samples::accepted(Some(&keys())).into_iter().chain(samples::queries()) {
        let name = sample.path.replace('/', "-");
        if sample.octets.windows(17).any(|w| w == b"<ClinicalDocument") {
            if sample.what.contains("signed") {
                let path = folder.path().join(&name);
                std::fs::write(&path, &sample.octets).unwrap();
                let ids = ["--id-attr:ID", "urn:hl7-org:v3:nonXMLBody", "--id-attr:ID", "urn:hl7finland:signatureTimestamp"];
                let trust = ["--verify", "--trusted-pem", anchor.to_str().unwrap(), "--verification-time", "2026-11-21 10:00:00"];
                let said = tool("xmlsec1", "xmlsec1", &[trust.as_slice(), &ids, &[path.to_str().unwrap()]].concat());
                assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
                signed += 1;
            }
            bare.push((name, sample.octets));
        } else {
            framed.push((name, sample.octets));
        }
    }
    assert!(signed > 0);
    let schema = |file: &str| root().join("xsd").join(file).to_string_lossy().into_owned();
    xmllint(&bare, &["--noout", "--nonet", "--schema", &schema("kanta-social.xsd")]).unwrap();
    xmllint(&framed, &["--noout", "--nonet", "--schema", &schema("mr-frame.xsd")]).unwrap();
}

#[test]
fn is_small() {
    let size: usize = samples::all(Some(&keys())).iter().map(|s| s.octets.len()).sum();
    // A sample for each rule that needs one: some three hundred of 5 to 10 KB.
    assert!(size < 3_000_000, "{size} octets of samples");
}

#[test]
fn large_hostile_input_is_as_large_as_asked() {
    let document = samples::finnish().case.render();
    assert_eq!(hostile::padded(&document, 100_000).len(), 100_000);
    assert!(hostile::long_attribute(&document, 1_000_000).len() > 1_000_000);
    xmllint(&[("levels.xml".to_owned(), hostile::levels(200))], &["--noout"]).unwrap();
    xmllint(&[("crowd.xml".to_owned(), hostile::crowd(2_000)), ("namespaces.xml".to_owned(), hostile::namespaces(2_000))], &["--noout"]).unwrap();
    xmllint(&[("levels.xml".to_owned(), hostile::levels(200_000))], &["--noout"]).expect_err("libxml2 itself stops at 256 levels");
}
