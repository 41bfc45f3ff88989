//! Profiles at work: which one judges a message, what belongs to another, what the detective says, and a site's own schema files.

use std::collections::BTreeMap;

use arkki::app;
use arkki::config::checked::Config;
use arkki::config::raw::{Raw, RawInbound, RawProfile};
use arkki::domain::code::Code;
use arkki::domain::language::Language;
use arkki::pipeline::examine::{Examiner, Stage};

use super::shared::{DOCUMENT, shared, told};

fn config(raw: Raw) -> Config {
    Config { trust: Vec::new(), ..Config::check(raw, &|_| None).unwrap() }
}

fn examiner() -> Examiner {
    app::examiner_with(&config(Raw::default()), vec![0; 32]).unwrap()
}

fn with_schema(profile: &str, schema: &str) -> Result<Examiner, String> {
    let raw = Raw { profiles: BTreeMap::from([(profile.to_owned(), RawProfile { schema: schema.to_owned() })]), ..Raw::default() };
    app::examiner_with(&config(raw), vec![0; 32]).map_err(|fault| fault.0)
}

/// A document of CDA R2 that every profile but the social one takes.
const PLAIN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <id root="1.2.3"/><code code="x"/><effectiveTime value="2026"/><confidentialityCode code="N"/>
  <recordTarget><patientRole><id root="1.2.3"/></patientRole></recordTarget>
  <author><time value="2026"/><assignedAuthor><id root="1.2.3"/></assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.3"/></representedCustodianOrganization></assignedCustodian></custodian>
  <component><structuredBody><component><section><title>Å</title>
    <text><paragraph ID="a">x</paragraph><table><tbody><tr><th ID="h">y</th><td headers="h">z</td></tr></tbody></table></text>
  </section></component></structuredBody></component>
</ClinicalDocument>
"#;

fn codes(examiner: &Examiner, profile: &str, text: &str, stage: Stage) -> Vec<&'static str> {
    examiner.validate_as(profile, text.as_bytes(), stage).iter().map(|f| f.code.as_str()).collect()
}

#[test]
fn each_profile_has_its_own_verdict() {
    let examiner = examiner();
    for profile in ["cda-r2", "cda-r2-sdtc", "kanta-patient"] {
        assert_eq!(told(&examiner.validate_as(profile, PLAIN.as_bytes(), Stage::Schema)), Vec::<String>::new(), "{profile}");
        // The patient family is checked whole, and told that it goes no further here; plain documents are archived by their CDA header.
        let (all, gateway) = if profile == "kanta-patient" { (vec!["W914"], vec!["E213"]) } else { (Vec::new(), Vec::new()) };
        assert_eq!(codes(&examiner, profile, PLAIN, Stage::All), all, "{profile}");
        assert_eq!(codes(&examiner, profile, PLAIN, Stage::Gateway), gateway, "{profile}");
        assert_eq!(codes(&examiner, profile, DOCUMENT, Stage::Schema)[0], "E214", "{profile}");
    }
    assert!(codes(&examiner, "kanta-social", PLAIN, Stage::Schema).iter().any(|c| c.starts_with('E')));
    assert_eq!(codes(&examiner, "kanta-social", DOCUMENT, Stage::Schema), Vec::<&str>::new());
    let sdtc = PLAIN
        .replace("<recordTarget><patientRole>", "<recordTarget><patientRole xmlns:s='urn:hl7-org:sdtc'>")
        .replace("<id root=\"1.2.3\"/></patientRole>", "<id root=\"1.2.3\"/><patient><name/><s:deceasedInd value='false'/></patient></patientRole>");
    assert_eq!(codes(&examiner, "cda-r2-sdtc", &sdtc, Stage::Schema), Vec::<&str>::new());
    assert!(!codes(&examiner, "cda-r2", &sdtc, Stage::Schema).is_empty());
}

#[test]
fn a_patient_document_is_told_where_it_belongs() {
    let examiner = examiner();
    let patient = PLAIN.replacen("<component><structuredBody>", "<f:localHeader xmlns:f='urn:hl7finland'/><component><structuredBody>", 1);
    assert_eq!(codes(&examiner, "kanta-patient", &patient, Stage::Schema), Vec::<&str>::new());
    for profile in ["kanta-social", "cda-r2"] {
        let found = examiner.validate_as(profile, patient.as_bytes(), Stage::Schema);
        let finding = found.iter().find(|f| matches!(f.code, Code::E203 | Code::E233)).unwrap_or_else(|| panic!("{profile}: {found:?}"));
        for language in [Language::Fi, Language::Sv, Language::En] {
            assert!(examiner.sentence(finding, language).contains("kanta-patient"));
        }
    }
    // In its own profile a second header is one too many.
    let twice = patient.replacen("<f:localHeader xmlns:f='urn:hl7finland'/>", &"<f:localHeader xmlns:f='urn:hl7finland'/>".repeat(2), 1);
    assert_eq!(codes(&examiner, "kanta-patient", &twice, Stage::Schema), ["E221"]);
}

#[test]
fn the_archive_takes_utf_8_and_the_schema_stage_everything() {
    let examiner = examiner();
    let latin = |text: &str| text.replace("UTF-8", "ISO-8859-1").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<u8>>();
    let marked = |text: &str| [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    let wide = |text: &str| format!("\u{FEFF}{}", text.replace("UTF-8", "UTF-16")).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (profile, text, utf8_only) in
        [("kanta-social", DOCUMENT, true), ("kanta-patient", PLAIN, true), ("cda-r2", PLAIN, false), ("cda-r2-sdtc", PLAIN, false)]
    {
        for (octets, code) in [(latin(text), Code::E101), (marked(text), Code::E106), (wide(text), Code::E107)] {
            assert!(examiner.validate_as(profile, &octets, Stage::Schema).is_empty(), "{profile} {code:?}");
            let found = examiner.validate_as(profile, &octets, Stage::All);
            assert_eq!(found.iter().any(|f| f.is_error()), utf8_only, "{profile}: {:?}", told(&found));
            assert_eq!(found.first().is_some_and(|f| f.code == code), utf8_only, "{profile}: {:?}", told(&found));
        }
    }
    // Places are those of the file, whatever its encoding.
    let broken = PLAIN.replacen("<title>Å</title>", "<title>Å</title><colour/>", 1);
    let place = |octets: &[u8]| {
        let found = examiner.validate_as("cda-r2", octets, Stage::Schema);
        (found[0].code, found[0].place.line, found[0].place.column, found[0].place.path.clone())
    };
    let expected = (Code::E202, 7, 66, "/ClinicalDocument/component/structuredBody/component/section/colour".to_owned());
    for octets in [broken.clone().into_bytes(), latin(&broken), marked(&broken), wide(&broken)] {
        assert_eq!(place(&octets), expected);
    }
}

#[test]
fn ids_are_compared_as_the_schema_types_them() {
    let examiner = examiner();
    let first = |text: String| told(&examiner.validate_as("cda-r2", text.as_bytes(), Stage::Schema)).first().cloned().unwrap_or_default();
    assert!(first(PLAIN.replace("headers=\"h\"", "headers=\" h \ta\"")).is_empty());
    assert!(first(PLAIN.replace("headers=\"h\"", "headers=\"h gone\"")).starts_with("E206 8:"));
    assert!(first(PLAIN.replace("ID=\"a\"", "ID=\"h\"")).starts_with("E205 8:"));
    assert!(first(PLAIN.replace("ID=\"a\"", "ID=\"&#104;\"")).starts_with("E205 8:"));
    assert!(first(PLAIN.replace("headers=\"h\"", "headers=\"&#x68;\"")).is_empty());
}

#[test]
fn the_detective_says_what_happened() {
    let examiner = examiner();
    let first = |octets: &[u8]| {
        let found = examiner.validate_as("cda-r2", octets, Stage::Schema);
        for language in [Language::Fi, Language::Sv, Language::En] {
            assert!(!examiner.sentence(&found[0], language).contains('–'), "{}", examiner.sentence(&found[0], language));
        }
        told(&found).swap_remove(0)
    };
    let plain = PLAIN.trim_end();
    let cases = [
        (format!("{plain}\0\0\0\n"), "E115 10:20 / rule=nul-padding"),
        (plain.replace("Å", "\0"), "E115 7:57 /ClinicalDocument/component/structuredBody/component/section/title rule=nul-inside"),
        (format!("--=_part\r\nContent-Type: text/xml\r\n\r\n{plain}"), "E116 1:1 / rule=mime-before"),
        (format!("{plain}\r\n--=_part--\r\n"), "E116 11:1 / rule=mime-after"),
        (format!("\n {plain}"), "E117 2:2 / rule=space-before"),
        (format!("<!-- a -->{plain}"), "E117 1:11 / rule=something-before"),
        (format!("{plain}{plain}"), "E117 10:20 / rule=declaration-inside"),
        (
            plain.replace("<title>", "<title><?xml version='1.0'?>"),
            "E117 7:57 /ClinicalDocument/component/structuredBody/component/section/title rule=declaration-inside",
        ),
        (plain.replace("UTF-8", "UTF-16"), "E113 1:21 / declared=UTF-16; actual=UTF-8"),
        (plain.replace("UTF-8", "x-none"), "E112 1:21 / encoding=x-none"),
        (plain.replace("UTF-8", "US-ASCII"), "E114 7:57 /ClinicalDocument/component/structuredBody/component/section/title encoding=US-ASCII"),
        (plain.replace("Å", "Ã…"), "W910 7:57 /ClinicalDocument/component/structuredBody/component/section/title seen=Ã…; meant=Å; count=1"),
        (plain.replace("Å", "\u{FFFD}"), "W911 7:57 /ClinicalDocument/component/structuredBody/component/section/title count=1"),
        (plain.replace("Å", "a\rb"), "W912 7:58 /ClinicalDocument/component/structuredBody/component/section/title count=1"),
        // UTF-8 under another name is read as that name says, and the letters betray it.
        (plain.replace("UTF-8", "windows-1252"), "W910 7:57 /ClinicalDocument/component/structuredBody/component/section/title seen=Ã…; meant=Å; count=1"),
    ];
    for (text, expected) in cases {
        assert_eq!(first(text.as_bytes()), expected);
    }
    let latin: Vec<u8> = plain.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert_eq!(first(&latin), "E101 7:57 /ClinicalDocument/component/structuredBody/component/section/title guess=ISO-8859-1");
}

#[test]
fn a_sites_schema_counts_into_the_hash_and_faults_name_the_file() {
    let made = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = made.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let part = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:hl7-org:v3'><xs:element name='ClinicalDocument'/></xs:schema>";
    let entry = write(
        "entry.xsd",
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:hl7-org:v3'>\n<xs:include schemaLocation='part.xsd'/></xs:schema>",
    );
    write("part.xsd", part);
    let own = with_schema("cda-r2", &entry).unwrap();
    assert_eq!(codes(&own, "cda-r2", "<ClinicalDocument xmlns='urn:hl7-org:v3'/>", Stage::Schema), Vec::<&str>::new());
    assert_ne!(own.rules(), examiner().rules());
    write("part.xsd", &part.replace("/></xs:schema>", "/><!-- --></xs:schema>"));
    assert_ne!(with_schema("cda-r2", &entry).unwrap().rules(), own.rules(), "an included file's octets count");
    assert_ne!(with_schema("cda-r2-sdtc", &entry).unwrap().rules(), own.rules(), "so does the profile");
    write("part.xsd", &part.replace("name='ClinicalDocument'", "name='ClinicalDocument' type='none'"));
    let fault = with_schema("cda-r2", &entry).err().unwrap();
    assert!(fault.contains(&format!("{}/part.xsd:1: ", made.path().display())), "{fault}");
    let fault = with_schema("kanta-none", &entry).err().unwrap();
    assert!(fault.contains("[profiles.kanta-none]") && fault.contains("kanta-patient"), "{fault}");
    let fault = with_schema("cda-r2", "/nonexistent/a.xsd").err().unwrap();
    assert!(fault.contains("[profiles.cda-r2] schema: /nonexistent/a.xsd"), "{fault}");
    let inbound = BTreeMap::from([("x".to_owned(), RawInbound { profile: "none".into(), ..RawInbound::default() })]);
    assert!(app::examiner_with(&config(Raw { inbound, ..Raw::default() }), vec![0; 32]).err().unwrap().0.contains("[inbound.x] profile"));
}

#[test]
fn a_frames_interaction_picks_the_profile() {
    let Some(folder) = shared("a patient archive's real frame") else { return };
    let octets = std::fs::read(folder.join("reference/frames/RCMR_IN100002FI01.xml")).unwrap();
    let examiner = examiner();
    let found = examiner.validate_as("kanta-social", &octets, Stage::Schema);
    assert!(!found.iter().any(|f| f.is_error()), "{:?}", told(&found));
    let found = examiner.validate_as("kanta-social", &octets, Stage::Gateway);
    assert_eq!(told(&found), ["E213 1:1 / profile=kanta-patient"]);
}
