//! The acknowledgement `MCCI_IN000002UV01`: rendered for senders, read back by `arkki send`. The shape satisfies both what Kanta's guides show
//! (messaging.md §1.7) and HL7's NE2008 schema: `typeCode` an element, `targetMessage` before the details, one detail a finding.

use crate::codes::catalogue::Catalogue;
use crate::crypto;
use crate::domain::ack::{AckDraft, AckType, InstanceId, Target};
use crate::domain::change::AnswerDraft;
use crate::domain::digest::Digest;
use crate::domain::finding::{Finding, Severity};
use crate::domain::language::Language;
use crate::xml::tree::{self, HL7, Node};

/// HL7's AcknowledgementDetailCode (messaging.md §1.7).
const HL7_DETAILS: &str = "2.16.840.1.113883.5.1100";
/// Kanta-palvelut – Prosessivirheet ja huomautukset (messaging.md §2.2).
const KANTA_DETAILS: &str = "1.2.246.537.5.40112.2006";
/// The information detail that holds the ledger position.
const LEDGER_POSITION: &str = "ledger-position";
/// The information detail that holds the rule set's hash.
const RULE_SET: &str = "rule-set";

/// Renders an answer, all but its ledger position.
#[must_use]
pub fn render(draft: &AckDraft, catalogue: &Catalogue, language: Language, own_codes: &str) -> AnswerDraft {
    let mut out = String::with_capacity(2048);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MCCI_IN000002UV01 xmlns=\"urn:hl7-org:v3\" ITSVersion=\"XML_1.0\">\n  ");
    instance(&mut out, &draft.id);
    out.push_str("\n  ");
    empty(&mut out, "creationTime", &[("value", &draft.at.to_hl7())]);
    out.push_str("\n  ");
    empty(&mut out, "versionCode", &[("code", &draft.version_code)]);
    out.push_str("\n  ");
    empty(&mut out, "interactionId", &[("root", "2.16.840.1.113883.1.6"), ("extension", "MCCI_IN000002UV01"), ("assigningAuthorityName", "HL7")]);
    for (name, code) in [("processingCode", draft.processing_code.as_str()), ("processingModeCode", "T"), ("acceptAckCode", "NE")] {
        out.push_str("\n  ");
        empty(&mut out, name, &[("code", code)]);
    }
    for (name, kind, device) in [("receiver", "RCV", &draft.receiver), ("sender", "SND", &draft.sender)] {
        out.push_str(&format!("\n  <{name} typeCode=\"{kind}\"><device classCode=\"DEV\" determinerCode=\"INSTANCE\">"));
        instance(&mut out, device);
        out.push_str(&format!("</device></{name}>"));
    }
    out.push_str("\n  <acknowledgement>\n    ");
    empty(&mut out, "typeCode", &[("code", draft.ack_type.as_str())]);
    out.push_str("\n    <targetMessage>");
    target(&mut out, &draft.target);
    out.push_str("</targetMessage>");
    for finding in &draft.findings {
        detail(&mut out, finding, catalogue, language, own_codes);
    }
    information(&mut out, RULE_SET, own_codes, &draft.rules);
    information(&mut out, LEDGER_POSITION, own_codes, "");
    // The position's digits go between the last text's tags.
    let slot = out.rfind("</text>").unwrap_or(out.len());
    out.push_str("\n  </acknowledgement>\n</MCCI_IN000002UV01>\n");
    let octets = out.into_bytes();
    let digest = crypto::sha256(&octets);
    AnswerDraft { octets, slot, digest }
}

fn detail(out: &mut String, finding: &Finding, catalogue: &Catalogue, language: Language, own_codes: &str) {
    let kind = match finding.code.severity() {
        Severity::Error => "E",
        Severity::Warning => "W",
    };
    out.push_str(&format!("\n    <acknowledgementDetail typeCode=\"{kind}\">\n      <code"));
    attributes(out, &[("code", finding.code.as_str()), ("codeSystem", own_codes), ("displayName", finding.code.name())]);
    out.push('>');
    empty(out, "translation", &[("code", finding.code.hl7()), ("codeSystem", HL7_DETAILS)]);
    if !finding.code.kanta().is_empty() {
        empty(out, "translation", &[("code", finding.code.kanta()), ("codeSystem", KANTA_DETAILS)]);
    }
    out.push_str("</code>\n      <text>");
    let (text, mend) = (catalogue.text(finding, language), catalogue.mend(finding, language));
    escape(out, &format!("{text} {mend} ({}:{})", finding.place.line, finding.place.column));
    out.push_str("</text>\n      <location>");
    escape(out, &finding.place.path);
    out.push_str("</location>\n    </acknowledgementDetail>");
}

fn information(out: &mut String, code: &str, own_codes: &str, text: &str) {
    out.push_str("\n    <acknowledgementDetail typeCode=\"I\">");
    empty(out, "code", &[("code", code), ("codeSystem", own_codes)]);
    out.push_str("<text>");
    escape(out, text);
    out.push_str("</text></acknowledgementDetail>");
}

fn target(out: &mut String, target: &Target) {
    match target {
        Target::Id(id) => instance(out, id),
        Target::Unknown(Some(message_id)) => empty(out, "id", &[("nullFlavor", "NI"), ("extension", message_id)]),
        Target::Unknown(None) => empty(out, "id", &[("nullFlavor", "NI")]),
    }
}

fn instance(out: &mut String, id: &InstanceId) {
    match &id.extension {
        Some(extension) => empty(out, "id", &[("root", &id.root), ("extension", extension)]),
        None => empty(out, "id", &[("root", &id.root)]),
    }
}

fn empty(out: &mut String, name: &str, list: &[(&str, &str)]) {
    out.push('<');
    out.push_str(name);
    attributes(out, list);
    out.push_str("/>");
}

fn attributes(out: &mut String, list: &[(&str, &str)]) {
    for (name, value) in list {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape(out, value);
        out.push('"');
    }
}

/// Escapes for text and attribute values alike. What XML cannot hold becomes U+FFFD: an id that a sender wrote must not break our answer.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
}

/// Digest of an outcome: codes, places and words of its findings, so that "same outcome" is a comparison of 32 octets.
#[must_use]
pub fn outcome_digest(findings: &[Finding]) -> Digest {
    let mut octets = Vec::with_capacity(128 * findings.len());
    let mut put = |part: &[u8]| {
        octets.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        octets.extend_from_slice(part);
    };
    for finding in findings {
        put(finding.code.as_str().as_bytes());
        put(&finding.place.line.to_be_bytes());
        put(&finding.place.column.to_be_bytes());
        put(finding.place.path.as_bytes());
        for (name, value) in &finding.args {
            put(name.as_bytes());
            put(value.as_bytes());
        }
        put(b"");
    }
    crypto::sha256(&octets)
}

/// An acknowledgement as a sender reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckRead {
    /// AA, AE or AR.
    pub ack_type: AckType,
    /// What it acknowledges: root and extension as they stand.
    pub target: (Option<String>, Option<String>),
    /// Its details, in order; Arkki's own information details are not among them.
    pub details: Vec<DetailRead>,
    /// The ledger position.
    pub position: Option<u64>,
    /// The rule set's hash.
    pub rules: Option<String>,
}

/// One detail of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailRead {
    /// `E`, `W` or `I`.
    pub kind: String,
    /// The code.
    pub code: String,
    /// The sentence.
    pub text: String,
    /// The path.
    pub location: String,
}

/// Reads an acknowledgement; `None` when the octets are none.
#[must_use]
pub fn read(octets: &[u8]) -> Option<AckRead> {
    let text = std::str::from_utf8(octets).ok()?;
    let document = tree::parse(text).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "MCCI_IN000002UV01" {
        return None;
    }
    let acknowledgement = tree::child(root, HL7, "acknowledgement")?;
    let target = tree::child(acknowledgement, HL7, "targetMessage").and_then(|t| tree::child(t, HL7, "id"))?;
    let owned = |node: Node<'_, '_>, name: &str| node.attribute(name).map(str::to_owned);
    let mut read = AckRead {
        ack_type: AckType::parse(tree::child(acknowledgement, HL7, "typeCode")?.attribute("code")?)?,
        target: (owned(target, "root"), owned(target, "extension")),
        details: Vec::new(),
        position: None,
        rules: None,
    };
    for node in tree::children(acknowledgement, HL7, "acknowledgementDetail") {
        let inner = |name: &str| tree::child(node, HL7, name).map(tree::text_of).unwrap_or_default();
        let code = tree::child(node, HL7, "code").and_then(|c| owned(c, "code")).unwrap_or_default();
        match code.as_str() {
            LEDGER_POSITION => read.position = inner("text").parse().ok(),
            RULE_SET => read.rules = Some(inner("text")),
            _ => read.details.push(DetailRead { kind: owned(node, "typeCode").unwrap_or_default(), code, text: inner("text"), location: inner("location") }),
        }
    }
    Some(read)
}
