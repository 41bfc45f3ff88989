//! Verdicts of the embedded schemas, and what is said of faults.

use arkki::codes::source;
use arkki::domain::code::Code;
use arkki::xml::schema::Schema;

use super::shared::{DOCUMENT, examples, schema, shared, told};

const SOCIAL: &str = "xsd/kanta-social.xsd";

#[test]
fn the_examples_are_valid() {
    let schema = schema(SOCIAL);
    assert_eq!(told(&schema.validate(DOCUMENT)), Vec::<String>::new());
    for (name, text) in examples() {
        assert_eq!(told(&schema.validate(&text)), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn each_fault_is_named_and_placed() {
    let schema = schema(SOCIAL);
    let table = [
        (
            ("<languageCode code=\"sv\"/>", "<language code=\"sv\"/>"),
            "E202 9:3 /ClinicalDocument/language element=language; expected=languageCode, setId, versionNumber, copyTime, recordTarget; similar=languageCode",
        ),
        (
            ("<time nullFlavor=\"NA\"/>", ""),
            "E204 14:11 /ClinicalDocument/author[1]/assignedAuthor element=assignedAuthor; expected=realmCode, typeId, templateId, functionCode, time; missing=time; before=assignedAuthor",
        ),
        (
            ("<id nullFlavor=\"NA\"/></assignedAuthor>", "</assignedAuthor>"),
            "E204 14:50 /ClinicalDocument/author[1]/assignedAuthor element=assignedAuthor; missing=id; expected=realmCode, typeId, templateId, id",
        ),
        (
            ("<hl7fi:localSocialHeader>", "<hl7fi:localHeader/><hl7fi:localSocialHeader>"),
            "E203 18:3 /ClinicalDocument/hl7fi:localHeader element=hl7fi:localHeader",
        ),
        (
            ("<versionNumber value=\"1\"/>", "<versionNumber value=\"1\" colour=\"080885-902M\"/>"),
            "E207 11:28 /ClinicalDocument/versionNumber/@colour element=versionNumber; attribute=colour; expected=value, nullFlavor",
        ),
        (("extension=\"POCD_HD000040\"", ""), "E208 4:3 /ClinicalDocument/typeId/@extension element=typeId; attribute=extension"),
        (
            ("root=\"1.2.246.21\"", "root=\"080885-902M\""),
            "E209 12:34 /ClinicalDocument/recordTarget/patientRole/id/@root element=id; attribute=root; type=uid",
        ),
        (
            ("<effectiveTime value=\"20261120120000+0200\"", "<effectiveTime value=\"Åsa 080885-902M\""),
            "E209 7:18 /ClinicalDocument/effectiveTime/@value element=effectiveTime; attribute=value; type=ts",
        ),
        (
            ("<author><time nullFlavor=\"NA\"/>", "<author typeCode=\"ENT\"><time nullFlavor=\"XX\"/>"),
            "E229 14:11 /ClinicalDocument/author[1]/@typeCode element=author; attribute=typeCode; expected=AUT",
        ),
        (("<custodian>", "<custodian xmlns=\"urn:hl7-org:v2\">"), "E210 16:3 /ClinicalDocument/custodian element=custodian"),
        (
            ("<languageCode code=\"sv\"/>", "<languageCode code=\"sv\">080885-902M</languageCode>"),
            "E211 9:27 /ClinicalDocument/languageCode element=languageCode",
        ),
        (("<author>", "080885-902M<author>"), "E211 14:3 /ClinicalDocument element=ClinicalDocument"),
        (("<text mediaType", "<structuredBody/><text mediaType"), "E202 25:57 /ClinicalDocument/component/nonXMLBody/structuredBody element=structuredBody"),
        (("<setId root=\"1.2.246.10.99999992.95.2026.1.9\"/>", "<setId root=\"1.2\"><x/></setId>"), "E202 10:21 /ClinicalDocument/setId/x element=x"),
    ];
    let mut wrong = Vec::new();
    for ((from, to), expected) in table {
        assert!(DOCUMENT.contains(from), "{from}");
        let broken = DOCUMENT.replacen(from, to, 1);
        let lines = told(&schema.validate(&broken));
        if lines.first().is_none_or(|line| !line.starts_with(expected)) {
            wrong.push(format!("{to}: expected {expected}, found {lines:#?}"));
        }
        assert!(!lines.iter().any(|line| line.contains("080885") || line.contains("Åsa")), "a value got through: {lines:#?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_faults_are_told_at_once_in_document_order() {
    let broken = DOCUMENT.replace("nullFlavor=\"NA\"", "nullFlavor=\"XX\"").replace("root=\"1.2.246.21\"", "root=\"-\"");
    let found = schema(SOCIAL).validate(&broken);
    assert_eq!(found.len(), 6, "{:#?}", told(&found));
    assert!(found.iter().all(|f| matches!(f.code, Code::E209 | Code::E228)));
    assert!(found.windows(2).all(|pair| (pair[0].place.line, pair[0].place.column) < (pair[1].place.line, pair[1].place.column)));
}

#[test]
fn unknown_roots_and_namespaces() {
    let schema = schema(SOCIAL);
    assert_eq!(schema.validate("<a/>")[0].code, Code::E201);
    assert_eq!(schema.validate("<ClinicalDocument/>")[0].code, Code::E210);
    assert_eq!(schema.validate("<ClinicalDocument xmlns='urn:hl7-org:v3'/>")[0].code, Code::E204);
    let structured = DOCUMENT.replace("nonXMLBody", "structuredBody");
    assert!(schema.validate(&structured).iter().any(|f| f.code == Code::E202 && f.place.path == "/ClinicalDocument/component/structuredBody"));
    let patient = DOCUMENT.replace("localSocialHeader", "localHeader");
    assert_eq!(schema.validate(&patient)[0].code, Code::E203);
}

#[test]
fn unknown_extension_elements_are_warnings_and_hide_nothing() {
    let schema = schema(SOCIAL);
    let extended = DOCUMENT
        .replace("<hl7fi:softwareSupport", "<hl7fi:fromTomorrow a=\"080885-902M\">Åsa\n<x xmlns=\"urn:x\"/></hl7fi:fromTomorrow><hl7fi:softwareSupport");
    let found = schema.validate(&extended);
    assert_eq!(told(&found), ["W902 21:5 /ClinicalDocument/hl7fi:localSocialHeader/hl7fi:fromTomorrow element=hl7fi:fromTomorrow"]);
    let also = extended.replace("<hl7fi:encompassing", "<hl7fi:documentGroup code=\"1\"/><hl7fi:encompassing");
    let found = schema.validate(&also);
    assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::W902, Code::E221], "{:#?}", told(&found));
    assert_eq!((found[1].place.line, found[1].place.path.as_str()), (23, "/ClinicalDocument/hl7fi:localSocialHeader/hl7fi:documentGroup[2]"));
    let elsewhere = DOCUMENT.replacen("<author>", "<hl7fi:fromTomorrow/><author>", 1);
    assert_eq!(schema.validate(&elsewhere)[0].code, Code::E202);
}

#[test]
fn a_text_that_slipped_through_the_pre_pass_is_refused_without_a_panic() {
    let schema = schema(SOCIAL);
    for text in ["", "<", "<a>", "<a></b>", "<ClinicalDocument xmlns='urn:hl7-org:v3'>", "<a>&x;</a>", "\0"] {
        assert!(!schema.validate(text).is_empty(), "{text:?}");
    }
    let bomb = "<!DOCTYPE a [<!ENTITY b 'bbbbbbbbbb'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>]><a>&d;</a>";
    assert!(!schema.validate(bomb).is_empty());
}

#[test]
fn nothing_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let bait = folder.path().join("bait.xml");
    std::fs::write(&bait, "080885-902M").unwrap();
    let schema = schema(SOCIAL);
    let before = std::fs::metadata(&bait).unwrap().accessed().unwrap();
    let text = format!("<!DOCTYPE a [<!ENTITY x SYSTEM 'file://{}'>]><a>&x;</a>", bait.display());
    assert!(!schema.validate(&text).is_empty());
    assert_eq!(before, std::fs::metadata(&bait).unwrap().accessed().unwrap());
    let hint = DOCUMENT.replace("xmlns:hl7fi", "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:hl7-org:v3 file:///dev/zero urn:x http://192.0.2.1/x.xsd\" xmlns:hl7fi");
    assert!(schema.validate(&hint).is_empty());
}

#[test]
fn threads_share_one_schema_and_agree() {
    let schema = schema(SOCIAL);
    let broken = DOCUMENT.replace("nullFlavor=\"NA\"", "nullFlavor=\"XX\"");
    let expected = told(&schema.validate(&broken));
    // Locations that libxml2 would note in a table that all threads share.
    let located = |n: usize| {
        DOCUMENT.replacen("xmlns:hl7fi", &format!("xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:a{n} b{n}.xsd\" xsi:noNamespaceSchemaLocation=\"c{n}\" xmlns:hl7fi"), 1)
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..100 {
                    assert!(schema.validate(DOCUMENT).is_empty());
                    assert!(schema.validate(&located(n)).is_empty());
                    assert_eq!(told(&schema.validate(&broken)), expected);
                }
            });
        }
    });
}

#[test]
fn a_faulty_schema_is_named() {
    let mut files = source::embedded();
    assert_eq!(Schema::compile(&files, "xsd/none.xsd").unwrap_err().file, "xsd/none.xsd");
    files.remove("xsd/dsig/xmldsig.xsd");
    let fault = Schema::compile(&files, SOCIAL).unwrap_err();
    assert!(fault.to_string().contains("xmldsig.xsd"), "{fault}");
    let mut files = source::embedded();
    files.insert("xsd/cda/patient.xsd".to_owned(), b"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>\n<xs:element name='a' type='b'".to_vec());
    let fault = Schema::compile(&files, SOCIAL).unwrap_err();
    assert_eq!((fault.file.as_str(), fault.line), ("xsd/cda/patient.xsd", 2), "{fault}");
    let mut files = source::embedded();
    let text = String::from_utf8(files["xsd/fi/social-header.xsd"].clone()).unwrap();
    let second = text.replace("<xs:import namespace=\"urn:hl7-org:v3\"/>", "<xs:import namespace=\"urn:hl7-org:v3\" schemaLocation=\"../cda/other.xsd\"/>");
    files.insert("xsd/cda/other.xsd".to_owned(), files["xsd/cda/patient.xsd"].clone());
    files.insert("xsd/fi/social-header.xsd".to_owned(), second.into_bytes());
    let fault = Schema::compile(&files, SOCIAL).unwrap_err();
    assert!(fault.reason.contains("Skipping"), "{fault}");
}

#[test]
fn every_entry_compiles_and_takes_its_own() {
    let frame = schema("xsd/mr-frame.xsd");
    assert_eq!(told(&frame.validate(FRAME)), Vec::<String>::new());
    let unknown = FRAME.replace("reasonCode", "reason");
    assert_eq!(frame.validate(&unknown)[0].code, Code::E202);
    assert_eq!(frame.validate(&FRAME.replace(" ITSVersion=\"XML_1.0\"", ""))[0].code, Code::E208);
    let acknowledgement = schema("xsd/ack.xsd");
    assert_eq!(told(&acknowledgement.validate(ACKNOWLEDGEMENT)), Vec::<String>::new());
    assert_eq!(acknowledgement.validate(&ACKNOWLEDGEMENT.replace("code=\"AE\"", "code=\"CE\""))[0].code, Code::E228);
    if let Some(folder) = shared("a real frame under mr-frame.xsd") {
        let real = std::fs::read_to_string(folder.join("reference/frames/RCMR_IN100002FI01.xml")).unwrap();
        // A real frame of the patient family: the same wrapper, another interaction.
        assert_eq!(told(&frame.validate(&real.replace("RCMR_IN100002FI01", "RCMR_IN200002FI01"))), Vec::<String>::new());
    }
}

/// The frame as documents.md §1.4 tells it, V3-2006.
pub const FRAME: &str = r#"<RCMR_IN200002FI01 xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0">
  <id root="1.2.246.10.99999992.18" extension="1"/><creationTime value="20261122093015"/><versionCode code="V3-2006"/>
  <interactionId root="2.16.840.1.113883.1.6" extension="RCMR_IN200002FI01"/>
  <processingCode code="D"/><processingModeCode code="T"/><acceptAckCode code="ER"/>
  <receiver typeCode="RCV"><device><id root="1.2.246.556.18007.2"/></device></receiver>
  <sender typeCode="SND"><device><id root="1.2.246.10.99999992.18.5"/></device></sender>
  <controlActProcess moodCode="RQO"><code code="RCMR_TE000102UV01" codeSystem="2.16.840.1.113883.1.18"/><priorityCode code="R"/>
    <reasonCode code="1" codeSystem="1.2.246.537.6.1289.201901"/><reasonCode code="SP1" codeSystem="1.2.246.537.6.1503.201601"/>
    <authorOrPerformer typeCode="PRF"><assignedPerson><id root="1.2.246.21" extension="080885-902M"/>
      <assignedPerson><name><given>Testi</given><family>Sosionomi</family></name></assignedPerson>
      <representedOrganization><id root="1.2.246.10.99999992.10.0"/></representedOrganization></assignedPerson></authorOrPerformer>
    <subject typeCode="SUBJ"><clinicalDocument><id root="1.2.3"/><code code="1" codeSystem="1.2.246.537.6.1264.201701"/>
      <text mediaType="multipart/related">MIME-Version: 1.0</text><statusCode code="COMPLETED"/><effectiveTime value="20261122"/>
      <setId root="1.2.3"/><versionNumber value="1"/><completionCode code="LA"/><storageCode code="AC"/>
      <recordTarget><patient><id root="1.2.246.21" extension="080885-902M"/></patient></recordTarget>
      <author><time nullFlavor="NA"/><assignedAuthor><id nullFlavor="NA"/></assignedAuthor></author>
      <custodian><assignedCustodian><representedOrganization><id root="1.2.246.10.99999992.10.0"/></representedOrganization></assignedCustodian></custodian>
    </clinicalDocument></subject></controlActProcess></RCMR_IN200002FI01>"#;

/// An acknowledgement with a detail of each kind.
pub const ACKNOWLEDGEMENT: &str = r#"<MCCI_IN000002UV01 xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0"><id root="1.2.3" extension="a"/><creationTime value="20261122093016"/>
  <versionCode code="V3-2005"/><interactionId root="2.16.840.1.113883.1.6" extension="MCCI_IN000002UV01" assigningAuthorityName="HL7"/>
  <processingCode code="T"/><processingModeCode code="T"/><acceptAckCode code="NE"/>
  <receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.4"/></device></receiver>
  <sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.5"/></device></sender>
  <acknowledgement><typeCode code="AE"/><targetMessage><id nullFlavor="NI" extension="m-1"/></targetMessage>
    <acknowledgementDetail typeCode="E"><code code="E204" codeSystem="1.2.246.10.99999992.6.1" displayName="missing"/><text>x</text><location>/a</location></acknowledgementDetail>
    <acknowledgementDetail typeCode="W"><code code="W905" codeSystem="1.2.246.10.99999992.6.1"/></acknowledgementDetail>
    <acknowledgementDetail typeCode="I"><code code="ledger" codeSystem="1.2.246.10.99999992.6.1"/><text>17</text></acknowledgementDetail>
  </acknowledgement></MCCI_IN000002UV01>"#;

/// What would make libxml2 gather a value from millions of pieces must not reach it, or must cost it nothing.
#[test]
fn pieces_without_number_end_in_time() {
    let schema = schema(SOCIAL);
    let references = "&#65;".repeat(2_000_000);
    let typed = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:xs='http://www.w3.org/2001/XMLSchema' xsi:type='xs:string'";
    let signature = format!(
        "<hl7fi:signatureCollection><hl7fi:signature><hl7fi:signatureDescription/><hl7fi:signatureTimestamp ID='t'>2026-11-22T00:00:00Z</hl7fi:signatureTimestamp>\
         <Signature xmlns='http://www.w3.org/2000/09/xmldsig#'><Object><a xmlns='' {typed}>{references}</a></Object></Signature></hl7fi:signature></hl7fi:signatureCollection></hl7fi:localSocialHeader>"
    );
    let texts = [
        format!("<r>{references}</r>"),
        format!("<r {typed}>{references}</r>"),
        format!("<ClinicalDocument xmlns='urn:hl7-org:v3' {typed}>{references}</ClinicalDocument>"),
        DOCUMENT.replace("PGRpdi8+", &references),
        DOCUMENT.replace("e30=", &references),
        DOCUMENT.replacen("<text ", &format!("<text {typed} "), 1).replace("PGRpdi8+", &references),
        DOCUMENT.replace("<name>Test", &format!("<name {typed}>{references}")),
        DOCUMENT.replace("<realmCode code=\"FI\"/>", &format!("<realmCode code=\"FI\">{references}</realmCode>")),
        DOCUMENT.replace("</hl7fi:localSocialHeader>", &signature),
        DOCUMENT.replace("<hl7fi:softwareSupport", &format!("<hl7fi:unknown {typed}>{references}</hl7fi:unknown><hl7fi:softwareSupport")),
    ];
    for text in texts {
        let begun = std::time::Instant::now();
        let found = schema.validate(&text);
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?} for {:.300}: {:?}", begun.elapsed(), text, told(&found));
    }
}
