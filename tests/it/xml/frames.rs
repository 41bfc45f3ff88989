//! Frames under `xsd/mr-frame.xsd`: the family's members are taken, one fault is refused, and xmllint and Xerces say the same of each.

use std::path::Path;

use arkki::generate::frame::{Carrier, FrameSpec};
use arkki::generate::samples;

use super::judges::{written, xerces, xmllint};
use super::schema::FRAME;
use super::shared::{schema, shared, told};

const ENTRY: &str = "xsd/mr-frame.xsd";

/// The interactions that carry a document.
const CARRIERS: [&str; 5] = ["RCMR_IN200002FI01", "RCMR_IN200010FI01", "RCMR_IN200011FI01", "RCMR_IN100002FI01", "RCMR_IN100016FI01"];

/// A query, as the universal edition writes it with one of Kanta's names.
const QUERY: &str = r#"<controlActProcess classCode="CACT" moodCode="EVN"><reasonCode code="1" codeSystem="1.2.246.537.6.1289.201901"/>
    <authorOrPerformer typeCode="AUT"><assignedPerson classCode="ASSIGNED"><id root="1.2.246.537.26" extension="90000000001"/></assignedPerson></authorOrPerformer>
    <queryByParameter><queryId root="1.2.3"/><statusCode code="new"/><responseModalityCode code="R"/><responsePriorityCode code="I"/><initialQuantity value="300"/>
      <parameterList><documentCreationTime><value><low value="20260101"/></value></documentCreationTime></parameterList></queryByParameter></controlActProcess>"#;

/// Its answer.
const ANSWER: &str = r#"<acknowledgement><typeCode code="AA"/><targetMessage><id root="1.2.4"/></targetMessage></acknowledgement>
  <controlActProcess classCode="CACT" moodCode="EVN"><subject typeCode="SUBJ"><clinicalDocument><id root="1.2.3"/><setId root="1.2.3"/></clinicalDocument></subject>
    <queryAck><queryId root="1.2.3"/><queryResponseCode code="OK"/><resultTotalQuantity value="1"/></queryAck></controlActProcess>"#;

/// The frame with another root, and other parts in the place of its control act.
fn with(root: &str, parts: &str) -> String {
    let (begin, end) = (FRAME.find("<controlActProcess").unwrap(), FRAME.rfind("</RCMR").unwrap());
    format!("{}{parts}{}", &FRAME[..begin], &FRAME[end..]).replace("RCMR_IN200002FI01", root)
}

/// What a frame of the family may be.
fn good() -> Vec<String> {
    let mut texts: Vec<String> = CARRIERS.iter().map(|root| FRAME.replace("RCMR_IN200002FI01", root)).collect();
    texts.extend(["RCMR_IN200029FI01", "RCMR_IN200031FI01"].map(|root| with(root, QUERY)));
    texts.extend(["RCMR_IN200030FI01", "RCMR_IN200032FI01"].map(|root| with(root, ANSWER)));
    let failed = "<acknowledgement><typeCode code=\"AE\"/><acknowledgementDetail typeCode=\"E\"><text>x</text></acknowledgementDetail><targetMessage><id root=\"1.2\"/></targetMessage></acknowledgement>";
    texts.push(with("RCMR_IN200030FI01", failed));
    for family in [samples::finnish(), samples::swedish()] {
        for (n, document) in family.in_order().into_iter().enumerate() {
            let mut frame = FrameSpec::around(document, 7);
            frame.carrier = if n % 2 == 0 { Carrier::Base64 } else { Carrier::Mime };
            frame.root = CARRIERS[n % 3];
            texts.push(String::from_utf8(frame.render(&document.render())).unwrap());
        }
    }
    if let Some(folder) = shared("the real frame under mr-frame.xsd") {
        texts.push(std::fs::read_to_string(folder.join("reference/frames/RCMR_IN100002FI01.xml")).unwrap());
    }
    texts
}

/// One thing wrong each: what is replaced in the frame, and by what.
const FAULTS: [(&str, &str); 24] = [
    // missing
    ("<id root=\"1.2.246.10.99999992.18\" extension=\"1\"/>", ""),
    ("<creationTime value=\"20261122093015\"/>", ""),
    ("<acceptAckCode code=\"ER\"/>", ""),
    ("<sender typeCode=\"SND\"><device><id root=\"1.2.246.10.99999992.18.5\"/></device></sender>", ""),
    ("<device><id root=\"1.2.246.556.18007.2\"/></device>", ""),
    ("<device><id root=\"1.2.246.556.18007.2\"/></device>", "<device/>"),
    (" ITSVersion=\"XML_1.0\"", ""),
    // in the wrong place, or too often
    ("<processingCode code=\"D\"/><processingModeCode code=\"T\"/>", "<processingModeCode code=\"T\"/><processingCode code=\"D\"/>"),
    ("<acceptAckCode code=\"ER\"/>", "<acceptAckCode code=\"ER\"/><acceptAckCode code=\"ER\"/>"),
    ("<patient>", "<patient/><patient>"),
    // unknown, or of another namespace
    ("<versionCode code=\"V3-2006\"/>", "<version code=\"V3-2006\"/>"),
    ("<priorityCode code=\"R\"/>", "<priority code=\"R\"/>"),
    ("<storageCode code=\"AC\"/>", "<storageCode code=\"AC\" colour=\"red\"/>"),
    ("<storageCode code=\"AC\"/>", "<storageCode xmlns=\"urn:other\" code=\"AC\"/>"),
    ("RCMR_IN200002FI01", "RCMR_IN299999FI01"),
    ("xmlns=\"urn:hl7-org:v3\"", "xmlns=\"urn:hl7-org:v2\""),
    // bad codes and values
    ("ITSVersion=\"XML_1.0\"", "ITSVersion=\"XML_2.0\""),
    ("typeCode=\"RCV\"", "typeCode=\"XXX\""),
    ("moodCode=\"RQO\"", "moodCode=\"INT\""),
    ("<time nullFlavor=\"NA\"/>", "<time nullFlavor=\"XX\"/>"),
    ("<versionNumber value=\"1\"/>", "<versionNumber value=\"one\"/>"),
    ("<setId root=\"1.2.3\"/>", "<setId root=\"-\"/>"),
    ("<creationTime value=\"20261122093015\"/>", "<creationTime value=\"2026-11-22\"/>"),
    // text where elements are
    ("<receiver typeCode=\"RCV\">", "<receiver typeCode=\"RCV\">x"),
];

#[test]
fn every_judge_says_the_same_of_frames() {
    let good = good();
    let faulty = FAULTS.iter().map(|(from, to)| {
        assert!(FRAME.contains(from), "{from}");
        FRAME.replace(from, to)
    });
    let odd = [
        with("RCMR_IN200029FI01", "<controlActProcess><reasonCode code=\"1\"/></controlActProcess>"),
        with("RCMR_IN200002FI01", ""),
        with("RCMR_IN200030FI01", QUERY),
        with("RCMR_IN200030FI01", &ANSWER.replace("<queryResponseCode code=\"OK\"/>", "")),
        with("RCMR_IN200030FI01", &ANSWER.replace("<targetMessage><id root=\"1.2.4\"/></targetMessage>", "")),
    ];
    let texts: Vec<String> = good.iter().cloned().chain(faulty).chain(odd).collect();
    let ours = schema(ENTRY);
    for (n, text) in texts.iter().enumerate() {
        let found = ours.validate(text);
        assert_eq!(found.is_empty(), n < good.len(), "{:?}\n{text}", told(&found));
        assert!(found.iter().all(|f| f.place.line > 0 && !f.place.path.is_empty()), "a finding without a place: {:?}", told(&found));
    }
    let made = tempfile::tempdir().unwrap();
    let files = written(made.path(), &texts);
    for verdicts in [xmllint(&Path::new(env!("CARGO_MANIFEST_DIR")).join(ENTRY), &files), xerces(ENTRY, &files)].into_iter().flatten() {
        for (n, valid) in verdicts.into_iter().enumerate() {
            assert_eq!(valid, n < good.len(), "{}", texts[n]);
        }
    }
}
