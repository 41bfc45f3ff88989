//! Where the reference data lies, and documents made for these tests.

use std::path::PathBuf;

use arkki::codes::source;
use arkki::xml::schema::Schema;

/// The shared folder, or a note of what is left out without it.
pub fn shared(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ARKKI_SHARED").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("left out, no shared folder: {what}");
    None
}

/// The seven examples, by name.
pub fn examples() -> Vec<(String, String)> {
    let Some(folder) = shared("the seven example documents") else { return Vec::new() };
    let mut files: Vec<_> = std::fs::read_dir(folder.join("examples")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "xml"));
    files.sort();
    assert_eq!(files.len(), 7);
    files.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())).collect()
}

pub fn schema(entry: &str) -> Schema {
    Schema::compile(&source::embedded(), entry).unwrap()
}

/// The codes, paths and words of findings, one a line.
pub fn told(findings: &[arkki::domain::finding::Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|f| {
            let words: Vec<String> = f.args.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}:{} {} {}", f.code.as_str(), f.place.line, f.place.column, f.place.path, words.join("; "))
        })
        .collect()
}

/// A small social-welfare document, valid under the schema.
pub const DOCUMENT: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:hl7fi="urn:hl7finland">
  <realmCode code="FI"/>
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <id root="1.2.246.10.99999992.95.2026.1.9"/>
  <code nullFlavor="NA"/>
  <effectiveTime value="20261120120000+0200"/>
  <confidentialityCode code="6" codeSystem="1.2.246.777.5.99902.2006"/>
  <languageCode code="sv"/>
  <setId root="1.2.246.10.99999992.95.2026.1.9"/>
  <versionNumber value="1"/>
  <recordTarget><patientRole><id root="1.2.246.21" extension="080885-902M"/>
    <patient><name><given>Åsa</given><family>Testström</family></name></patient></patientRole></recordTarget>
  <author><time nullFlavor="NA"/><assignedAuthor><id nullFlavor="NA"/></assignedAuthor></author>
  <author><time nullFlavor="NA"/><assignedAuthor><id nullFlavor="NA"/></assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.246.10.99999992.10.0"/><name>Test</name>
    </representedCustodianOrganization></assignedCustodian></custodian>
  <hl7fi:localSocialHeader>
    <hl7fi:creationTime value="20261120120000+0200"/>
    <hl7fi:documentGroup code="1" codeSystem="1.2.246.537.6.1505.201601"/>
    <hl7fi:softwareSupport moderator="a" product="b" version="c"/>
    <hl7fi:encompassingClientRelationship root="1.2.246.10.99999992.95.2026.2.1"/>
  </hl7fi:localSocialHeader>
  <component>
    <nonXMLBody ID="OID1.2.246.10.99999992.95.2026.1.9"><text mediaType="application/xhtml+xml" representation="B64">PGRpdi8+</text><hl7fi:json>e30=</hl7fi:json></nonXMLBody>
  </component>
</ClinicalDocument>
"##;
