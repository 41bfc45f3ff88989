//! Frames: the real one with its MIME part, and generated ones, good and with one fault.

use arkki::cda::open::{Opened, open};
use arkki::crypto::sha256;
use arkki::domain::environment::Environment;
use arkki::domain::finding::Finding;
use arkki::generate::frame::{Carrier, FrameSpec};
use arkki::generate::samples;
use arkki::v3::frame::{Frame, FrameHead, FrameSite};
use arkki::xml::tree;

use super::model::examine;
use super::{RULES, codes, site};
use crate::kit;

fn open_frame(octets: &[u8]) -> Result<Frame, Vec<Finding>> {
    let document = tree::parse(std::str::from_utf8(octets).expect("UTF-8")).expect("well-formed");
    match open(&document, &RULES, &site())? {
        Opened::Framed(frame) => Ok(*frame),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_real_frame_gives_its_document_to_the_octet() {
    let Some(shared) = kit::shared() else {
        println!("left out: the reference folder is absent");
        return;
    };
    let octets = std::fs::read(shared.join("reference/frames/RCMR_IN100002FI01.xml")).expect("the frame");
    let frame = open_frame(&octets).unwrap_or_else(|f| panic!("{f:?}"));
    let text = String::from_utf8(frame.content.document().expect("a document").to_vec()).expect("UTF-8");
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ClinicalDocument") && text.trim_end().ends_with("</ClinicalDocument>"));
    assert_eq!((frame.service_request.code.as_str(), frame.service_request.family.as_str()), ("PP1", "patient"));
    assert_eq!(frame.head.version_code.as_deref(), Some("V3-2006"));
    // Cut by other hands: the part between the empty line and the closing delimiter.
    let frame_text = String::from_utf8(octets).expect("UTF-8");
    let begin = frame_text.find("PD94bWwg").expect("the base64");
    let end = begin + frame_text[begin..].find("\n\n------").expect("the delimiter");
    let decoded = kit::run_with_input("base64", ["-d"], &frame_text.as_bytes()[begin..end]);
    assert_eq!(sha256(&decoded.stdout), sha256(frame.content.document().expect("a document")));
    // Inside is a patient document: it has no place here.
    assert_eq!(codes(&examine(frame_text.as_bytes()).expect_err("refused")), ["E203"]);
}

#[test]
fn both_carriers_give_the_same_octets() {
    let family = samples::finnish();
    for carrier in [Carrier::Base64, Carrier::Mime] {
        for spec in family.in_order() {
            let document = spec.render();
            let mut frame = FrameSpec::around(spec, 7);
            frame.carrier = carrier;
            let opened = open_frame(&frame.render(&document)).unwrap_or_else(|f| panic!("{f:?}"));
            assert!(opened.content.document() == Some(document.as_slice()), "{carrier:?}");
            assert!(opened.warnings.is_empty(), "{:?}", opened.warnings);
            assert_eq!(opened.purpose.as_deref(), Some("1"));
            assert_eq!(opened.head.id.as_ref().map(|i| i.root.as_str()), Some(frame.id.0.as_str()));
        }
    }
}

#[test]
fn what_an_answer_needs_is_read_even_from_a_refused_frame() {
    let family = samples::finnish();
    let mut spec = FrameSpec::around(&family.case, 7);
    spec.processing = "P";
    spec.service_request = None;
    spec.receiver = "1.2.3".to_owned();
    let octets = spec.render(&family.case.render());
    assert_eq!(codes(&open_frame(&octets).expect_err("refused")), ["E809", "E812", "E806"]);
    let text = String::from_utf8(octets).expect("UTF-8");
    let document = tree::parse(&text).expect("well-formed");
    let head = FrameHead::peek(&document);
    assert_eq!((head.processing_code.as_deref(), head.receiver.map(|r| r.root)), (Some("P"), Some("1.2.3".to_owned())));
    assert_eq!(head.sender.map(|s| s.root), Some(family.case.controller.unit.to_owned()));
    let production = FrameSite { environment: Environment::Production, receivers: Vec::new() };
    assert_eq!(codes(&open(&document, &RULES, &production).expect_err("refused")), ["E806"], "any receiver, P in production");
    let broken = tree::parse("<a/>").expect("well-formed");
    assert_eq!(FrameHead::peek(&broken), FrameHead::default());
}

#[test]
fn roots() {
    let kind = |text: &str| {
        let document = tree::parse(text).expect("well-formed");
        match open(&document, &RULES, &site()) {
            Ok(Opened::Bare) => "bare".to_owned(),
            Ok(Opened::Acknowledgement) => "acknowledgement".to_owned(),
            Ok(Opened::Framed(_)) => "framed".to_owned(),
            Err(found) => codes(&found).join(" "),
        }
    };
    assert_eq!(kind("<ClinicalDocument xmlns='urn:hl7-org:v3'/>"), "bare");
    assert_eq!(kind(&arkki::generate::hostile::acknowledgement()), "acknowledgement");
    assert_eq!(kind("<ClinicalDocument/>"), "E210");
    assert_eq!(kind("<html xmlns='http://www.w3.org/1999/xhtml'/>"), "E201");
    assert_eq!(kind("<PRPA_IN201301UV02 xmlns='urn:hl7-org:v3'/>"), "E201");
    assert_eq!(kind("<RCMR_IN200030FI01 xmlns='urn:hl7-org:v3'/>"), "E814");
    assert_eq!(kind("<RCMR_IN200002FI01 xmlns='urn:hl7-org:v3'/>"), "E810 E301 E301 E809 E811 E812 E813 E301");
}

#[test]
fn a_purpose_that_is_in_no_table_is_told_and_not_kept() {
    let family = samples::finnish();
    let text = String::from_utf8(FrameSpec::around(&family.case, 7).render(&family.case.render())).expect("UTF-8");
    let system = RULES.services.purpose_base();
    let at = text.find(&format!("<reasonCode code=\"1\" codeSystem=\"{system}")).expect("purpose");
    for strange in ["010190-999W".to_owned(), "x".repeat(60_000)] {
        let changed = format!("{}<reasonCode code=\"{strange}\"{}", &text[..at], &text[at + "<reasonCode code=\"1\"".len()..]);
        let frame = open_frame(changed.as_bytes()).unwrap_or_else(|f| panic!("{f:?}"));
        assert_eq!((frame.purpose.as_deref(), codes(&frame.warnings)), (None, vec!["W901"]));
    }
}

#[test]
fn a_second_service_request_one_without_system_and_a_purpose_alone() {
    let family = samples::finnish();
    let text = String::from_utf8(FrameSpec::around(&family.case, 7).render(&family.case.render())).expect("UTF-8");
    let at = text.find("<reasonCode").expect("reason");
    let end = at + text[at..].find("/>").expect("end") + 2;
    let request = &text[at..end];
    assert!(request.contains("1.2.246.537.6.1503"));
    let twice = text.replacen(request, &format!("{request}{request}"), 1);
    assert_eq!(codes(&open_frame(twice.as_bytes()).expect_err("refused")), ["E806"]);
    let bare = text.replacen(request, "<reasonCode code=\"SPX-CASE\"/>", 1);
    assert_eq!(codes(&open_frame(bare.as_bytes()).expect_err("refused")), ["E806"], "beside a purpose a request must name its system");
    let invalidate = text.replacen("\"SPX-CASE\"", "\"SPX-INVALIDATE\"", 1);
    assert_eq!(codes(&open_frame(invalidate.as_bytes()).expect_err("refused")), ["E807"], "a store does not invalidate");
    let first = text.replacen("\"SPX-CASE\"", "\"SPX-REPLACE\"", 1);
    assert_eq!(codes(&examine(first.as_bytes()).expect_err("refused")), ["E807"], "a first version replaces nothing");
}
