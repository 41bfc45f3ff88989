//! Acknowledgements against HL7's own schema, by xmllint.

use arkki::domain::ack::{AckDraft, AckType, InstanceId, Target};
use arkki::domain::code::Code;
use arkki::domain::finding::{Finding, Place};
use arkki::domain::language::Language;
use arkki::domain::ledger::Position;
use arkki::domain::time::Moment;
use arkki::v3::ack::{read, render};

use super::RULES;
use crate::kit;

const SCHEMA: &str = "reference/schemas/hl7v3-NE2008/NE2008/multicacheschemas/MCCI_IN000002UV01.xsd";

fn id(root: &str, extension: Option<&str>) -> InstanceId {
    InstanceId { root: root.to_owned(), extension: extension.map(str::to_owned) }
}

fn draft(ack_type: AckType, target: Target, findings: Vec<Finding>) -> AckDraft {
    AckDraft {
        ack_type,
        target,
        at: Moment::from_seconds(1_795_000_000),
        id: id("1.2.246.10.99999992.18.1", Some("0123456789abcdef")),
        receiver: id("1.2.246.10.99999992.18.5", None),
        sender: id("1.2.246.556.18007.2", None),
        processing_code: "T".to_owned(),
        version_code: "V3-2006".to_owned(),
        findings,
        rules: RULES.hash().to_hex(),
    }
}

/// Every code in every language, every type, every kind of target.
#[test]
fn every_answer_is_valid_against_ne2008() {
    let Some(shared) = kit::shared() else {
        println!("left out: the reference folder is absent");
        return;
    };
    let all = |word: &str| {
        let finding = |code| {
            let place = Place { line: 12, column: 5, path: "/ClinicalDocument/author[2]/time/@value".to_owned() };
            let names =
                ["field", "rule", "element", "value", "expected", "allowed", "limit", "case", "relation", "document", "latest", "request", "system", "reason"];
            names.into_iter().fold(Finding::new(code, place), |f, name| f.with(name, word))
        };
        Code::ALL.into_iter().map(finding).collect::<Vec<_>>()
    };
    let folder = kit::temp_dir();
    let mut files = Vec::new();
    for language in Language::ALL {
        for (name, ack_type, target, findings) in [
            ("aa", AckType::Accept, Target::Id(id("1.2.3", None)), Vec::new()),
            ("ae", AckType::Error, Target::Id(id("1.2.3", Some("x&\"<>\u{7}"))), all("documentGroup")),
            ("ar", AckType::Reject, Target::Unknown(None), all("<&>\"'")),
            ("ni", AckType::Reject, Target::Unknown(Some("abc 'x' \"&\"".to_owned())), Vec::new()),
        ] {
            let answer = render(&draft(ack_type, target, findings.clone()), &RULES.catalogue, language, "1.2.246.10.99999992.6.1").at(Position(42));
            let back = read(&answer).expect("reads back");
            assert_eq!((back.ack_type, back.position, back.details.len()), (ack_type, Some(42), findings.len()));
            let path = folder.path().join(format!("{name}-{}.xml", language.as_str()));
            std::fs::write(&path, answer).expect("written");
            files.push(path.to_string_lossy().into_owned());
        }
    }
    let schema = shared.join(SCHEMA).to_string_lossy().into_owned();
    let mut arguments = vec!["--nonet", "--noout", "--schema", &schema];
    arguments.extend(files.iter().map(String::as_str));
    let output = kit::run("xmllint", arguments);
    assert!(output.ok(), "{}", String::from_utf8_lossy(&output.stderr));
    // The judge can say no.
    let bad = folder.path().join("bad.xml");
    let good = std::fs::read_to_string(&files[0]).expect("read");
    std::fs::write(&bad, good.replace("<acceptAckCode code=\"NE\"/>", "")).expect("written");
    assert!(!kit::run("xmllint", ["--nonet", "--noout", "--schema", &schema, &bad.to_string_lossy()]).ok());
}
