//! Renders and reads the answers to queries, RCMR_IN200030FI01 and RCMR_IN200032FI01 (messaging.md §1.7 e): the acknowledgement as in every answer, a
//! `subject` a document with its describing data and, when it was asked for, its archived octets in base64, and `queryAck`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ack::{coded, escape, instance, open};
use crate::codes::catalogue::Catalogue;
use crate::codes::query::AnswerCodes;
use crate::crypto::sha256;
use crate::domain::ack::{AckDraft, InstanceId};
use crate::domain::change::AnswerDraft;
use crate::domain::document::{Group, Header, Replaced};
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::query::{Hit, Want};
use crate::xml::tree::{self, Document, HL7, Node};

/// The answer with describing data.
pub const METADATA: &str = "RCMR_IN200030FI01";
/// The answer with documents.
pub const DOCUMENTS: &str = "RCMR_IN200032FI01";
/// About how much the describing data of one document takes.
const HIT_OCTETS: usize = 2_000;

/// How a query went (messaging.md §1.7, `queryResponseCode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseCode {
    /// Found.
    Ok,
    /// Nothing found.
    NothingFound,
    /// Refused: it asks for too much, or for what may not be given.
    Rejected,
}

impl ResponseCode {
    /// `OK`, `NF` or `QE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::NothingFound => "NF",
            Self::Rejected => "QE",
        }
    }
}

/// What an answer tells beside its acknowledgement.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// What was asked for.
    pub want: Want,
    /// The query's own id.
    pub query: Option<&'a InstanceId>,
    /// How it went.
    pub code: ResponseCode,
    /// The documents.
    pub hits: &'a [Hit],
    /// Their archived octets in the same order; empty when only describing data is asked for.
    pub octets: &'a [Vec<u8>],
    /// How many documents there are, or were counted.
    pub total: u64,
}

/// Whether this is the root of an answer to a query.
#[must_use]
pub fn is_response(name: &str) -> bool {
    matches!(name, METADATA | DOCUMENTS)
}

/// Renders an answer, all but its ledger position. Pure: same draft and documents, same octets.
#[must_use]
pub fn render(draft: &AckDraft, answer: &Answer<'_>, codes: &AnswerCodes, catalogue: &Catalogue, language: Language, own_code_system: &str) -> AnswerDraft {
    let interaction = match answer.want {
        Want::Metadata => METADATA,
        Want::Documents => DOCUMENTS,
    };
    let octets = answer.octets.iter().map(|o| o.len() / 3 * 4 + 8).sum::<usize>();
    let mut xml = String::with_capacity(octets + HIT_OCTETS * (answer.hits.len() + draft.findings.len() + 1));
    let slot = open(&mut xml, draft, (interaction, "HL7FI"), catalogue, language, own_code_system);
    xml.push_str("<controlActProcess classCode=\"CACT\" moodCode=\"EVN\">");
    for (at, hit) in answer.hits.iter().enumerate() {
        subject(&mut xml, hit, answer.octets.get(at).map(Vec::as_slice), codes);
    }
    xml.push_str("<queryAck>");
    if let Some(id) = answer.query {
        instance(&mut xml, "queryId", id);
    }
    coded(&mut xml, "queryResponseCode", answer.code.as_str());
    let shown = answer.hits.len() as u64;
    let numbers = [("Total", answer.total), ("Current", shown), ("Remaining", answer.total.saturating_sub(shown))];
    for (name, number) in numbers {
        let _ = write!(xml, "<result{name}Quantity value=\"{number}\"/>");
    }
    let _ = write!(xml, "</queryAck></controlActProcess></{interaction}>");
    xml.push('\n');
    let octets = xml.into_bytes();
    AnswerDraft { digest: sha256(&octets), octets, slot }
}

fn subject(xml: &mut String, hit: &Hit, octets: Option<&[u8]>, codes: &AnswerCodes) {
    let header = &hit.header;
    xml.push_str("<subject typeCode=\"SUBJ\"><clinicalDocument classCode=\"DOCCLIN\" moodCode=\"EVN\">");
    oid(xml, "id", &header.id);
    code(xml, "code", &codes.register.code, &codes.register.system);
    if let Some(octets) = octets {
        xml.push_str("<text mediaType=\"text/xml\" representation=\"B64\">");
        STANDARD.encode_string(octets, xml);
        xml.push_str("</text>");
    }
    coded(xml, "statusCode", if hit.is_valid { "completed" } else { "nullified" });
    let _ = write!(xml, "<effectiveTime value=\"{}\"/><availabilityTime value=\"{}\"/>", header.authored.to_hl7(), hit.archived_at.to_hl7());
    coded(xml, "languageCode", &header.language);
    oid(xml, "setId", &header.set_id);
    let _ = write!(xml, "<versionNumber value=\"{}\"/><custodian typeCode=\"CST\"><assignedCustodian classCode=\"ASSIGNED\">", header.version);
    xml.push_str("<representedOrganization classCode=\"ORG\" determinerCode=\"INSTANCE\">");
    oid(xml, "id", &header.controller);
    xml.push_str("</representedOrganization></assignedCustodian></custodian>");
    if let Some(replaced) = &header.replaces {
        parent(xml, replaced);
    }
    if let Some(case) = &header.case_id {
        xml.push_str("<componentOf><encompassingEncounter>");
        oid(xml, "id", case);
        xml.push_str("</encompassingEncounter></componentOf>");
    }
    social(xml, hit, codes);
    xml.push_str("</clinicalDocument></subject>");
}

/// What the social header says, in its own words. `archivedSha256` is Arkki's: the SHA-256 of the archived octets, so that a reader can hold them to it.
fn social(xml: &mut String, hit: &Hit, codes: &AnswerCodes) {
    let header = &hit.header;
    xml.push_str("<hl7fi:localSocialHeader xmlns:hl7fi=\"urn:hl7finland\">");
    for (name, value) in [("hl7fi:generalDocumentType", &header.general_type), ("hl7fi:specificDocumentType", &header.specific_type)] {
        if let Some(value) = value {
            code(xml, name, value, &codes.type_system);
        }
    }
    if let Some(created) = header.created {
        let _ = write!(xml, "<hl7fi:creationTime value=\"{}\"/>", created.to_hl7());
    }
    // A document outside the register is of no group, and none is made up for it.
    if header.group != Group::Other {
        code(xml, "hl7fi:documentGroup", &header.group.number().to_string(), &codes.group_system);
    }
    if let Some(task) = &header.service_task {
        code(xml, "hl7fi:functionCode", task, &codes.task_system);
    }
    if let Some((system, task)) = &header.original_task {
        code(xml, "hl7fi:originalFunctionCode", task, system);
    }
    if let Some(organiser) = &header.organiser {
        oid(xml, "hl7fi:outsourcingServiceCustomer", organiser);
    }
    if let Some(relation) = &header.relation_id {
        oid(xml, "hl7fi:encompassingClientRelationship", relation);
    }
    states(xml, header);
    let _ = write!(xml, "<hl7fi:archivedSha256>{}</hl7fi:archivedSha256></hl7fi:localSocialHeader>", hit.archived);
}

/// What a case or client-relation document says of its case or relation.
fn states(xml: &mut String, header: &Header) {
    if let (Group::Case, Some(state)) = (header.group, header.case_state) {
        let _ = write!(xml, "<hl7fi:caseClosed value=\"{}\"/>", state.closed);
    }
    if let (Group::ClientRelation, Some(state)) = (header.group, header.relation_state) {
        let _ = write!(xml, "<hl7fi:oldClientRelationship value=\"{}\"/>", state.old);
    }
}

fn parent(xml: &mut String, replaced: &Replaced) {
    xml.push_str("<relatedDocument typeCode=\"RPLC\"><parentDocument>");
    oid(xml, "id", &replaced.id);
    if let Some(set) = &replaced.set_id {
        oid(xml, "setId", set);
    }
    if let Some(version) = replaced.version {
        let _ = write!(xml, "<versionNumber value=\"{version}\"/>");
    }
    xml.push_str("</parentDocument></relatedDocument>");
}

fn oid(xml: &mut String, name: &str, oid: &Oid) {
    let _ = write!(xml, "<{name} root=\"{oid}\"/>");
}

fn code(xml: &mut String, name: &str, code: &str, system: &str) {
    let _ = write!(xml, "<{name} code=\"");
    escape(xml, code);
    xml.push_str("\" codeSystem=\"");
    escape(xml, system);
    xml.push_str("\"/>");
}

/// An answer to a query as its receiver reads it; its acknowledgement is read by [`super::ack::read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `OK`, `NF`, `AE` or `QE`.
    pub code: String,
    /// The query's id.
    pub query: Option<InstanceId>,
    /// Total, current and remaining.
    pub quantities: [Option<u64>; 3],
    /// The documents, in order.
    pub documents: Vec<Described>,
}

/// One document of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its id.
    pub id: String,
    /// Its set.
    pub set_id: Option<String>,
    /// Its version.
    pub version: Option<u32>,
    /// `completed`, or `nullified` when it is invalidated.
    pub status: Option<String>,
    /// Its octets.
    pub octets: Option<Vec<u8>>,
}

/// Reads an answer to a query; `None` when it is none.
#[must_use]
pub fn read(octets: &[u8]) -> Option<Response> {
    let document: Document<'_> = tree::parse(std::str::from_utf8(octets).ok()?).ok()?;
    let root = document.root_element();
    let control = tree::child(root, HL7, "controlActProcess").filter(|_| is_response(root.tag_name().name()))?;
    let ack = tree::child(control, HL7, "queryAck")?;
    let attribute = |name: &str, attribute: &str| tree::child(ack, HL7, name).and_then(|n| n.attribute(attribute)).map(str::to_owned);
    let quantity = |name: &str| attribute(name, "value").and_then(|v| v.parse().ok());
    let documents = tree::children(control, HL7, "subject").filter_map(|s| tree::child(s, HL7, "clinicalDocument")).filter_map(described).collect();
    Some(Response {
        code: attribute("queryResponseCode", "code")?,
        query: attribute("queryId", "root").map(|root| InstanceId { root, extension: attribute("queryId", "extension") }),
        quantities: ["resultTotalQuantity", "resultCurrentQuantity", "resultRemainingQuantity"].map(quantity),
        documents,
    })
}

fn described(node: Node<'_, '_>) -> Option<Described> {
    let attribute = |name: &str, attribute: &str| tree::child(node, HL7, name).and_then(|n| n.attribute(attribute)).map(str::to_owned);
    Some(Described {
        id: attribute("id", "root")?,
        set_id: attribute("setId", "root"),
        version: attribute("versionNumber", "value").and_then(|v| v.parse().ok()),
        status: attribute("statusCode", "code"),
        octets: tree::child(node, HL7, "text").and_then(|text| STANDARD.decode(tree::text_of(text)).ok()),
    })
}
