//! Renders and reads the acknowledgement MCCI_IN000002UV01 (messaging.md §1.7, §2), in the element order of HL7's NE2008 schema.
//! One `acknowledgementDetail` a finding: our code, with Kanta's and HL7's as translations of it. Ledger position and rule set are details of type I.

use std::fmt::Write as _;

use crate::codes::catalogue::Catalogue;
use crate::crypto::{sha256, sha256_parts};
use crate::domain::ack::{AckDraft, AckType, InstanceId, Target};
use crate::domain::change::AnswerDraft;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::domain::limits::MESSAGE_OCTETS;
use crate::xml::tree::{self, Document, HL7, Node};

/// The root element.
pub const INTERACTION: &str = "MCCI_IN000002UV01";
/// HL7's AcknowledgementDetailCode.
const HL7_DETAILS: &str = "2.16.840.1.113883.5.1100";
/// Kanta's process errors and remarks (messaging.md §2.2).
const KANTA_DETAILS: &str = "1.2.246.537.5.40112.2006";
/// The detail that bears the ledger position.
const LEDGER: &str = "LEDGER";
/// The detail that bears the rule set's hash.
const RULES: &str = "RULES";
/// Whoever renders the longest answer: each finding at most a few hundred octets of sentence.
const DETAIL_OCTETS: usize = 700;

/// Renders an acknowledgement, all but its ledger position, which goes into the slot inside the commit. Pure: same draft, same octets.
#[must_use]
pub fn render(draft: &AckDraft, catalogue: &Catalogue, language: Language, own_code_system: &str) -> AnswerDraft {
    let mut xml = String::with_capacity(1400 + DETAIL_OCTETS * draft.findings.len());
    let slot = open(&mut xml, draft, (INTERACTION, "HL7"), catalogue, language, own_code_system);
    xml.push_str("</MCCI_IN000002UV01>\n");
    let octets = xml.into_bytes();
    AnswerDraft { digest: sha256(&octets), octets, slot }
}

/// Writes what every answer begins with: the root element (left open), the wrapper and the acknowledgement. Gives the slot of the ledger position.
pub(super) fn open(
    xml: &mut String,
    draft: &AckDraft,
    (interaction, authority): (&str, &str),
    catalogue: &Catalogue,
    language: Language,
    own_code_system: &str,
) -> usize {
    let _ = write!(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{interaction} xmlns=\"urn:hl7-org:v3\" ITSVersion=\"XML_1.0\">");
    instance(xml, "id", &draft.id);
    let _ = write!(xml, "<creationTime value=\"{}\"/>", draft.at.to_hl7());
    coded(xml, "versionCode", &draft.version_code);
    let _ = write!(xml, "<interactionId root=\"2.16.840.1.113883.1.6\" extension=\"{interaction}\" assigningAuthorityName=\"{authority}\"/>");
    coded(xml, "processingCode", &draft.processing_code);
    xml.push_str("<processingModeCode code=\"T\"/><acceptAckCode code=\"NE\"/>");
    device(xml, "receiver", "RCV", &draft.receiver);
    device(xml, "sender", "SND", &draft.sender);
    xml.push_str("<acknowledgement>");
    coded(xml, "typeCode", draft.ack_type.as_str());
    target(xml, &draft.target);
    for finding in &draft.findings {
        detail(xml, finding, catalogue, language, own_code_system);
    }
    information(xml, RULES, own_code_system, &draft.rules);
    xml.push_str("</text></acknowledgementDetail>");
    information(xml, LEDGER, own_code_system, "");
    let slot = xml.len();
    xml.push_str("</text></acknowledgementDetail></acknowledgement>");
    slot
}

/// Names an outcome: codes, paths and words of its findings. Line and column follow from path and octets, so they are left out: the same octets with the
/// same outcome digest have the same answer.
#[must_use]
pub fn outcome_digest(ack_type: AckType, findings: &[Finding]) -> Digest {
    let mut words: Vec<&str> = vec![ack_type.as_str()];
    for finding in findings {
        words.extend([finding.code.as_str(), finding.place.path.as_str()]);
        for (name, value) in &finding.args {
            words.extend([*name, value.as_str()]);
        }
        words.push("");
    }
    let lengths: Vec<[u8; 8]> = words.iter().map(|w| (w.len() as u64).to_be_bytes()).collect();
    let parts: Vec<&[u8]> = words.iter().zip(&lengths).flat_map(|(word, length)| [length.as_slice(), word.as_bytes()]).collect();
    sha256_parts(&parts)
}

fn target(xml: &mut String, target: &Target) {
    xml.push_str("<targetMessage>");
    match target {
        Target::Id(id) => instance(xml, "id", id),
        Target::Unknown(None) => xml.push_str("<id nullFlavor=\"NI\"/>"),
        Target::Unknown(Some(message_id)) => {
            xml.push_str("<id nullFlavor=\"NI\" extension=\"");
            escape(xml, message_id);
            xml.push_str("\"/>");
        }
    }
    xml.push_str("</targetMessage>");
}

fn detail(xml: &mut String, finding: &Finding, catalogue: &Catalogue, language: Language, own_code_system: &str) {
    let code = finding.code;
    let kind = if finding.is_error() { "E" } else { "W" };
    let _ = write!(xml, "<acknowledgementDetail typeCode=\"{kind}\"><code code=\"{}\" codeSystem=\"", code.as_str());
    escape(xml, own_code_system);
    let _ = write!(xml, "\" displayName=\"{}\">", code.name());
    for (translation, system) in [(code.kanta(), KANTA_DETAILS), (code.hl7(), HL7_DETAILS)] {
        if !translation.is_empty() {
            let _ = write!(xml, "<translation code=\"{translation}\" codeSystem=\"{system}\"/>");
        }
    }
    xml.push_str("</code><text>");
    escape(xml, &catalogue.text(finding, language));
    xml.push(' ');
    escape(xml, &catalogue.mend(finding, language));
    let (line, column) = (finding.place.line, finding.place.column);
    let _ = match language {
        Language::Fi => write!(xml, " (rivi {line}, sarake {column})"),
        Language::Sv => write!(xml, " (rad {line}, kolumn {column})"),
        Language::En => write!(xml, " (line {line}, column {column})"),
    };
    xml.push_str("</text><location>");
    escape(xml, &finding.place.path);
    xml.push_str("</location></acknowledgementDetail>");
}

/// Opens a detail of type I up to the end of its text, which the caller closes.
fn information(xml: &mut String, code: &str, own_code_system: &str, text: &str) {
    let _ = write!(xml, "<acknowledgementDetail typeCode=\"I\"><code code=\"{code}\" codeSystem=\"");
    escape(xml, own_code_system);
    xml.push_str("\"/><text>");
    escape(xml, text);
}

pub(super) fn instance(xml: &mut String, name: &str, id: &InstanceId) {
    let _ = write!(xml, "<{name} root=\"");
    escape(xml, &id.root);
    if let Some(extension) = &id.extension {
        xml.push_str("\" extension=\"");
        escape(xml, extension);
    }
    xml.push_str("\"/>");
}

pub(super) fn coded(xml: &mut String, name: &str, code: &str) {
    let _ = write!(xml, "<{name} code=\"");
    escape(xml, code);
    xml.push_str("\"/>");
}

fn device(xml: &mut String, role: &str, type_code: &str, id: &InstanceId) {
    let _ = write!(xml, "<{role} typeCode=\"{type_code}\"><device classCode=\"DEV\" determinerCode=\"INSTANCE\">");
    instance(xml, "id", id);
    let _ = write!(xml, "</device></{role}>");
}

/// Escapes for text and attribute values alike; what XML cannot hold becomes U+FFFD.
pub(super) fn escape(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(xml, "&#{};", u32::from(c));
            }
            '\u{0}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => xml.push('\u{FFFD}'),
            c => xml.push(c),
        }
    }
}

/// An acknowledgement as its receiver reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckRead {
    /// AA, AE or AR.
    pub ack_type: AckType,
    /// The acknowledgement's own id.
    pub id: Option<InstanceId>,
    /// What is acknowledged.
    pub target: Target,
    /// Errors and warnings, in order.
    pub details: Vec<AckDetail>,
    /// The ledger position.
    pub position: Option<u64>,
    /// The rule set's hash.
    pub rules: Option<String>,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckDetail {
    /// `E`, `W` or `I`.
    pub kind: String,
    /// The code.
    pub code: String,
    /// Its code system.
    pub system: String,
    /// What it is in other code systems: code and system.
    pub translations: Vec<(String, String)>,
    /// The sentence.
    pub text: String,
    /// The path.
    pub location: Option<String>,
}

/// Why octets are no acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckFault {
    /// Not UTF-8, or not XML.
    NotXml,
    /// XML, but not an acknowledgement with a type.
    NotAck,
}

/// Reads an acknowledgement, ours or another archive's: typeCode as element or attribute, details before or after the target (messaging.md Q8).
///
/// # Errors
/// When it is none.
pub fn read(octets: &[u8]) -> Result<AckRead, AckFault> {
    if octets.len() > MESSAGE_OCTETS {
        return Err(AckFault::NotXml);
    }
    let text = std::str::from_utf8(octets).map_err(|_| AckFault::NotXml)?;
    let document: Document<'_> = tree::parse(text).map_err(|_| AckFault::NotXml)?;
    let root = document.root_element();
    let ack = tree::child(root, HL7, "acknowledgement").filter(|_| is_answer(root.tag_name().name())).ok_or(AckFault::NotAck)?;
    let type_code = tree::child(ack, HL7, "typeCode").and_then(|n| n.attribute("code")).or_else(|| ack.attribute("typeCode"));
    let ack_type = type_code.and_then(AckType::parse).ok_or(AckFault::NotAck)?;
    let target = tree::child(ack, HL7, "targetMessage").and_then(|t| tree::child(t, HL7, "id"));
    let mut read = AckRead {
        ack_type,
        id: tree::child(root, HL7, "id").and_then(id_of),
        target: target.and_then(id_of).map_or_else(|| Target::Unknown(target.and_then(|t| t.attribute("extension")).map(str::to_owned)), Target::Id),
        details: Vec::new(),
        position: None,
        rules: None,
    };
    for node in tree::children(ack, HL7, "acknowledgementDetail") {
        let detail = detail_of(node);
        match (detail.kind.as_str(), detail.code.as_str()) {
            ("I", LEDGER) => read.position = detail.text.trim().parse().ok(),
            ("I", RULES) => read.rules = Some(detail.text),
            _ => read.details.push(detail),
        }
    }
    Ok(read)
}

/// Whether this root element bears an acknowledgement: alone, or before the answer to a query.
fn is_answer(name: &str) -> bool {
    name == INTERACTION || super::response::is_response(name)
}

fn detail_of(node: Node<'_, '_>) -> AckDetail {
    let code = tree::child(node, HL7, "code");
    let attribute = |n: Node<'_, '_>, name: &str| n.attribute(name).unwrap_or("").to_owned();
    let pair = |n: Node<'_, '_>| (attribute(n, "code"), attribute(n, "codeSystem"));
    let (value, system) = code.map(pair).unwrap_or_default();
    AckDetail {
        kind: attribute(node, "typeCode"),
        code: value,
        system,
        translations: code.map(|c| tree::children(c, HL7, "translation").map(pair).collect()).unwrap_or_default(),
        text: tree::child(node, HL7, "text").map(tree::text_of).unwrap_or_default(),
        location: tree::child(node, HL7, "location").map(tree::text_of),
    }
}

fn id_of(node: Node<'_, '_>) -> Option<InstanceId> {
    Some(InstanceId { root: node.attribute("root")?.to_owned(), extension: node.attribute("extension").map(str::to_owned) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;
    use crate::domain::code::Code;
    use crate::domain::finding::Place;
    use crate::domain::ledger::Position;
    use crate::domain::time::Moment;

    fn draft(findings: Vec<Finding>) -> AckDraft {
        let id = |root: &str, extension: Option<&str>| InstanceId { root: root.to_owned(), extension: extension.map(str::to_owned) };
        AckDraft {
            ack_type: AckType::Error,
            target: Target::Id(id("1.2.3", Some("a\"<&>\u{1}ä"))),
            at: Moment::from_seconds(1_795_000_000),
            id: id("1.2.246.10.99999992.18.1", Some("abc")),
            receiver: id("1.2.246.10.99999992.18.5", None),
            sender: id("1.2.246.556.18007.2", None),
            processing_code: "T".to_owned(),
            version_code: "V3-2006".to_owned(),
            findings,
            rules: "00ff".to_owned(),
        }
    }

    #[test]
    fn what_is_rendered_reads_back() {
        let catalogue = Catalogue::load(&embedded()).unwrap();
        let place = Place { line: 7, column: 3, path: "/ClinicalDocument/id/@root".to_owned() };
        let findings = vec![Finding::new(Code::E304, place).with("field", "id").with("rule", "oid-zero"), Finding::whole(Code::W907)];
        let answer = render(&draft(findings), &catalogue, Language::En, "1.2.246.10.99999992.6.1");
        let read = read(&answer.at(Position(4711))).unwrap();
        assert_eq!((read.ack_type, read.position, read.rules.as_deref()), (AckType::Error, Some(4711), Some("00ff")));
        assert_eq!(read.target, Target::Id(InstanceId { root: "1.2.3".to_owned(), extension: Some("a\"<&>\u{FFFD}ä".to_owned()) }));
        let first = &read.details[0];
        assert_eq!((first.kind.as_str(), first.code.as_str(), first.location.as_deref()), ("E", "E304", Some("/ClinicalDocument/id/@root")));
        assert!(first.text.contains("a leading zero") && first.text.ends_with("(line 7, column 3)"), "{}", first.text);
        assert_eq!(first.translations.first().map(|t| t.0.as_str()), Some("4Y00007"));
        assert_eq!(read.details[1].kind, "W");
        assert_eq!(render(&draft(Vec::new()), &catalogue, Language::En, "1.2"), render(&draft(Vec::new()), &catalogue, Language::En, "1.2"));
    }

    #[test]
    fn other_archives_acknowledgements_are_read() {
        let other = "<MCCI_IN000002UV01 xmlns='urn:hl7-org:v3'><acknowledgement typeCode='AR'><targetMessage><id nullFlavor='NI'/></targetMessage></acknowledgement></MCCI_IN000002UV01>";
        let read_back = read(other.as_bytes()).unwrap();
        assert_eq!((read_back.ack_type, read_back.target), (AckType::Reject, Target::Unknown(None)));
        assert_eq!(read(b"<a/>"), Err(AckFault::NotAck));
        assert_eq!(read(b"\xff"), Err(AckFault::NotXml));
        assert_eq!(read(other.replace("AR", "XX").as_bytes()), Err(AckFault::NotAck));
    }

    #[test]
    fn an_outcome_is_its_codes_paths_and_words() {
        let finding = Finding::whole(Code::E305).with("rule", "hetu-day");
        let digest = outcome_digest(AckType::Error, std::slice::from_ref(&finding));
        let mut moved = finding.clone();
        moved.place.line = 9;
        assert_eq!(outcome_digest(AckType::Error, &[moved]), digest);
        assert_ne!(outcome_digest(AckType::Error, &[finding.clone().with("field", "x")]), digest);
        assert_ne!(outcome_digest(AckType::Error, &[finding.clone(), finding]), digest);
    }
}
