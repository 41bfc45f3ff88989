//! What the gateway makes of events is FHIR R4 to a judge who knows nothing of Arkki, and has the profile's facts; and the judge is not blind.

use std::path::PathBuf;

use arkki::app;
use arkki::codes::rule_set::RuleSet;
use arkki::crypto::certificate::Certificate;
use arkki::crypto::key::SigningKey;
use arkki::crypto::sha256;
use arkki::domain::environment::Environment;
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;
use arkki::fhir::{bundle, event, signature};
use arkki::xml::tree;
use serde_json::{Value, json};

use super::events::{self, Fate};
use crate::kit;

const PINS: &str = "tests/it/sink/requirements.txt";

/// The judge's Python, as `scripts/setup test` leaves it.
fn python() -> PathBuf {
    let pins = kit::repository().join(PINS);
    let sum = kit::run_with_input("cksum", [] as [&str; 0], &std::fs::read(&pins).unwrap()).must();
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache"))).expect("a home");
    let folder = variable("ARKKI_JUDGES").unwrap_or_else(|| cache().join("arkki")).join(format!("fhir-{}", sum.split(' ').next().unwrap()));
    let python = folder.join("bin/python");
    assert!(folder.join("complete").is_file() && python.is_file(), "{} is missing: scripts/setup test makes it", python.display());
    python
}

/// The judge's verdicts on bundles, one each: `ok`, or what is wrong.
pub fn verdicts(bundles: &[Vec<u8>]) -> Vec<String> {
    let lines: Vec<u8> = bundles.iter().flat_map(|bundle| bundle.iter().copied().chain([b'\n'])).collect();
    let said = kit::run_with_input(python(), [kit::repository().join("tests/it/sink/judge.py")], &lines).must();
    let verdicts: Vec<String> = said.lines().map(str::to_owned).collect();
    assert_eq!(verdicts.len(), bundles.len());
    verdicts
}

/// The signed bundle of an event, by the pure parts of the road.
fn made(rules: &RuleSet, octets: &[u8]) -> Vec<u8> {
    let document = tree::parse(std::str::from_utf8(octets).unwrap()).unwrap();
    let read = event::read(&document, rules, Environment::Test).unwrap_or_else(|found| panic!("{found:?}"));
    let root = Oid::parse("1.2.246.10.99999992.10.0.95").unwrap();
    let parts = bundle::parts(&read.event, &root, &sha256(octets)).unwrap();
    let keys = kit::repository().join("samples/keys");
    let key = SigningKey::from_pem(&std::fs::read(keys.join("system-key.pem")).unwrap()).unwrap();
    let certificate = Certificate::from_pem(&std::fs::read(keys.join("system.pem")).unwrap()).unwrap();
    let unsigned = signature::prepare(bundle::bundle(&read.event, &parts, None, rules), certificate.der()).unwrap();
    let value = key.sign_sha256(&unsigned.input).unwrap();
    unsigned.signed(&value, Moment::from_seconds(1_795_255_200), read.event.system.as_str()).unwrap()
}

fn all(count: u32) -> Vec<Vec<u8>> {
    let rules = RuleSet::load(&app::rule_files(None).unwrap()).unwrap();
    let events = (1..=count).map(|n| events::event(1, n)).filter(|event| event.fate == Fate::Taken);
    events.map(|event| made(&rules, &event.octets)).collect()
}

#[test]
fn every_bundle_is_fhir_with_the_profiles_facts() {
    let bundles = all(300);
    assert!(bundles.len() > 250);
    let wrong: Vec<String> = verdicts(&bundles).into_iter().filter(|verdict| verdict != "ok").collect();
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), bundles.len(), &wrong[..wrong.len().min(5)]);
}

#[test]
fn the_judge_sees_each_fact_that_is_spoilt() {
    type Spoil = fn(&mut Value);
    let spoilt: [(&str, Spoil); 30] = [
        ("a code that R4 does not know", |b| b["entry"][0]["resource"]["agent"][0]["requestor"] = json!("perhaps")),
        ("an element of R5", |b| b["entry"][0]["resource"]["occurredDateTime"] = json!("2026-01-15")),
        ("no agent", |b| b["entry"][0]["resource"]["agent"] = json!([])),
        ("no recorded", |b| drop(b["entry"][0]["resource"].as_object_mut().unwrap().remove("recorded"))),
        ("a recorded that is no instant", |b| b["entry"][0]["resource"]["recorded"] = json!("2026-01-15")),
        ("an outcome", |b| b["entry"][0]["resource"]["outcome"] = json!("0")),
        ("an action", |b| b["entry"][0]["resource"]["action"] = json!("C")),
        ("a period with an end", |b| b["entry"][0]["resource"]["period"]["end"] = json!("2026-01-15T10:00:00Z")),
        ("no period", |b| drop(b["entry"][0]["resource"].as_object_mut().unwrap().remove("period"))),
        ("another profile", |b| b["entry"][0]["resource"]["meta"]["profile"][0] = json!("https://x/y")),
        ("no type of disclosure", |b| drop(b["entry"][0]["resource"]["extension"].as_array_mut().unwrap().remove(0))),
        ("a purpose with text", |b| b["entry"][0]["resource"]["purposeOfEvent"][0]["text"] = json!("x")),
        ("a purpose without display", |b| drop(b["entry"][0]["resource"]["purposeOfEvent"][0]["coding"][0].as_object_mut().unwrap().remove("display"))),
        ("two agents", |b| b["entry"][0]["resource"]["agent"].as_array_mut().unwrap().truncate(2)),
        ("an agent that is nobody", |b| b["entry"][0]["resource"]["agent"][0]["who"]["reference"] = json!("#nobody")),
        ("a register of no list", |b| b["entry"][0]["resource"]["contained"][0]["extension"][0]["valueCoding"]["code"] = json!("9")),
        ("a controller without a name", |b| drop(b["entry"][0]["resource"]["contained"][0].as_object_mut().unwrap().remove("name"))),
        ("no data set", |b| drop(b["entry"][0]["resource"].as_object_mut().unwrap().remove("entity"))),
        ("a data set without service task", |b| drop(b["entry"][0]["resource"]["entity"][0].as_object_mut().unwrap().remove("extension"))),
        ("an id of another node class", |b| b["entry"][0]["fullUrl"] = json!("urn:oid:1.2.246.10.99999992.94.1")),
        ("an id that is no OID", |b| b["entry"][0]["fullUrl"] = json!("urn:uuid:1")),
        ("two ids for one", |b| b["entry"][0]["resource"]["id"] = json!("1.2.95.3")),
        ("an update", |b| b["entry"][0]["request"]["method"] = json!("PUT")),
        ("no pair", |b| drop(b["entry"].as_array_mut().unwrap().pop())),
        ("a pair the other way round", |b| b["entry"].as_array_mut().unwrap().swap(0, 1)),
        ("a provenance of something else", |b| b["entry"][1]["resource"]["target"][0]["reference"] = json!("urn:oid:1.2.3")),
        ("a provenance without language", |b| drop(b["entry"][1]["resource"].as_object_mut().unwrap().remove("language"))),
        ("a batch", |b| b["type"] = json!("batch")),
        ("no signature", |b| drop(b.as_object_mut().unwrap().remove("signature"))),
        ("two persons", |b| {
            let (mut first, mut second) = (b["entry"][0].clone(), b["entry"][1].clone());
            let patient = first["resource"]["contained"].as_array_mut().unwrap().iter_mut().find(|c| c["resourceType"] == "Patient").unwrap();
            patient["identifier"][0]["value"] = json!("010190-999X");
            for (entry, id) in [(&mut first, "1.2.246.10.99999992.95.1"), (&mut second, "1.2.246.10.99999992.95.2")] {
                entry["fullUrl"] = json!(format!("urn:oid:{id}"));
                entry["resource"]["id"] = json!(id);
            }
            second["resource"]["target"][0]["reference"] = json!("urn:oid:1.2.246.10.99999992.95.1");
            b["entry"].as_array_mut().unwrap().extend([first, second]);
        }),
    ];
    let good: Value = serde_json::from_slice(&all(2)[0]).unwrap();
    let spoilt: Vec<(&str, Vec<u8>)> = spoilt
        .into_iter()
        .map(|(name, spoil)| {
            let mut bundle = good.clone();
            spoil(&mut bundle);
            (name, serde_json::to_vec(&bundle).unwrap())
        })
        .collect();
    let bundles: Vec<Vec<u8>> = spoilt.iter().map(|(_, bundle)| bundle.clone()).chain([serde_json::to_vec(&good).unwrap()]).collect();
    let verdicts = verdicts(&bundles);
    assert_eq!(verdicts.last().map(String::as_str), Some("ok"));
    let unseen: Vec<&str> = spoilt.iter().zip(&verdicts).filter(|(_, verdict)| *verdict == "ok").map(|((name, _), _)| *name).collect();
    assert!(unseen.is_empty(), "the judge took: {unseen:?}");
}
