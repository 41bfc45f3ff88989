//! Documents and frames: well-formed, what the schemas and the national document definitions ask for, the same for the same seed.

use arkki::domain::language::Language;
use arkki::domain::person::Hetu;
use arkki::generate::document::{Body, DocumentSpec};
use arkki::generate::family::Family;
use arkki::generate::frame::{Carrier, FrameSpec};
use base64::Engine;
use serde_json::Value;

use super::{root, shared, tool, xmllint};

fn families() -> impl Iterator<Item = Family> {
    (0..12).map(|seed| Family::new(seed, seed + 1, if seed % 2 == 0 { Language::Fi } else { Language::Sv }))
}

fn documents() -> Vec<(String, DocumentSpec)> {
    families()
        .enumerate()
        .flat_map(|(n, f)| f.in_order().into_iter().cloned().enumerate().map(move |(m, d)| (format!("{n}-{m}.xml"), d)).collect::<Vec<_>>())
        .collect()
}

#[test]
fn documents_of_every_group_and_style_follow_the_schema() {
    let files: Vec<_> = documents().into_iter().map(|(name, d)| (name, d.render())).collect();
    let schema = root().join("xsd/kanta-social.xsd");
    xmllint(&files, &["--noout", "--nonet", "--schema", schema.to_str().unwrap()]).unwrap();
}

#[test]
fn frames_of_both_carriers_follow_the_schema() {
    let frames = documents().into_iter().enumerate().map(|(n, (name, d))| {
        let mut frame = FrameSpec::around(&d, 1);
        frame.carrier = if n % 2 == 0 { Carrier::Base64 } else { Carrier::Mime };
        frame.purpose_first = n % 3 == 0;
        frame.names_client = n % 5 != 0;
        (name, frame.render(&d.render()))
    });
    let files: Vec<_> = frames.collect();
    let schema = root().join("xsd/mr-frame.xsd");
    xmllint(&files, &["--noout", "--nonet", "--schema", schema.to_str().unwrap()]).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_octets_and_another_others() {
    let render = |seed| Family::new(seed, 1, Language::Fi).in_order().map(DocumentSpec::render);
    assert_eq!(render(7), render(7));
    for (a, b) in render(7).iter().zip(render(8)) {
        assert_ne!(*a, b);
    }
}

#[test]
fn every_identity_code_anywhere_is_artificial() {
    for (name, document) in documents() {
        let octets = document.render();
        let text = String::from_utf8(octets).unwrap();
        let decoded: String = base64s(&text).into_iter().map(|o| String::from_utf8_lossy(&o).into_owned()).collect();
        let mut seen = 0;
        for place in [text.as_str(), decoded.as_str()] {
            for at in 0..place.len().saturating_sub(10) {
                if let Some(hetu) = place.get(at..at + 11).and_then(|w| Hetu::parse(w).ok()) {
                    assert!(hetu.is_test, "{name}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 0, "{name} has no client");
    }
}

#[test]
fn json_has_what_the_national_definitions_require() {
    let Some(shared) = shared() else {
        println!("left out: the national document definitions (no shared folder)");
        return;
    };
    let mut checked = 0;
    for (name, document) in documents() {
        // No definition of the informing was seen: its form is a placeholder of ours.
        let Some(definition) = document.content_specification().filter(|_| document.group != arkki::domain::document::Group::Informing) else { continue };
        let schema = std::fs::read(shared.join(format!("reference/fi/sosmeta/{definition}.json"))).unwrap();
        let schema: Value = serde_json::from_slice(&schema).unwrap();
        let text = String::from_utf8(document.render()).unwrap();
        let json = base64s(&text).into_iter().find_map(|o| serde_json::from_slice::<Value>(&o).ok()).unwrap();
        let mut faults = Vec::new();
        compare(&schema, &json, "", &mut faults);
        assert_eq!(faults, Vec::<String>::new(), "{name}");
        checked += 1;
    }
    assert!(checked >= 12 * 4);
}

/// The part of JSON Schema that the national definitions rest on: types, required and allowed members, items.
fn compare(schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        _ => "other",
    };
    if schema["type"] != kind {
        faults.push(format!("{path} is {kind}"));
    }
    if let Value::Object(members) = value {
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(required) {
                faults.push(format!("{path} has no {required}"));
            }
        }
        for (name, member) in members {
            match properties.get(name) {
                Some(schema) => compare(schema, member, &format!("{path}/{name}"), faults),
                None => faults.push(format!("{path}/{name} is unknown")),
            }
        }
    }
    for item in value.as_array().into_iter().flatten() {
        compare(&schema["items"], item, path, faults);
    }
}

#[test]
fn a_body_is_as_large_as_it_should_be() {
    let family = Family::new(3, 3, Language::Fi);
    for spec in [&family.relation, &family.phase_one, &family.client_document] {
        let mut spec = spec.clone();
        spec.body_octets = 20_000;
        let size: usize = base64s(&String::from_utf8(spec.render()).unwrap()).iter().map(Vec::len).sum();
        assert!((20_000..24_500).contains(&size), "{size}");
    }
}

#[test]
fn xhtml_bodies_are_well_formed_and_pdf_bodies_are_pdf() {
    let mut xhtml = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    for (name, document) in documents() {
        let text = String::from_utf8(document.render()).unwrap();
        let body = base64s(&text).swap_remove(0);
        if document.body == Body::Pdf {
            let path = folder.path().join("body.pdf");
            std::fs::write(&path, &body).unwrap();
            let said = tool("file", "file", &["--brief", path.to_str().unwrap()]);
            assert!(String::from_utf8_lossy(&said.stdout).starts_with("PDF document, version 1.4"), "{name}");
        } else {
            let masked = String::from_utf8_lossy(&body).contains(&document.person.hetu);
            assert!(!masked, "{name}: the display form shows the identity code");
            xhtml.push((name, body));
        }
    }
    xmllint(&xhtml, &["--noout", "--nonet"]).unwrap();
}

/// The base64 texts of a document, decoded: those of `text` and `json`.
fn base64s(document: &str) -> Vec<Vec<u8>> {
    let texts = document.split('<').filter(|part| part.starts_with("text ") || part.split([' ', '>']).next().is_some_and(|n| n.ends_with("json")));
    texts
        .filter_map(|part| part.split_once('>'))
        .filter(|(_, t)| t.len() > 50)
        .map(|(_, t)| base64::engine::general_purpose::STANDARD.decode(t).unwrap())
        .collect()
}
