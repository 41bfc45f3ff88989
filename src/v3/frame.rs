//! Reads the transfer frame (siirtokehys, överföringsram): wrapper, service request, and what it says of its document (messaging.md §1, §2.4, §9.1).

use super::event::{self, EventFrame};
use super::payload;
use crate::codes::requests::{Operation, ServiceRequest};
use crate::codes::rule_set::RuleSet;
use crate::domain::ack::InstanceId;
use crate::domain::code::Code;
use crate::domain::document::Header;
use crate::domain::environment::Environment;
use crate::domain::finding::Finding;
use crate::domain::lifecycle::Invalidation;
use crate::domain::oid::Oid;
use crate::domain::query::{Basis, Want};
use crate::xml::tree::{self, Document, HL7, Node};

/// Root of interaction ids.
const INTERACTIONS: &str = "2.16.840.1.113883.1.6";
/// Versions of the wrapper that are spoken (domain README: wrapper).
const VERSIONS: [&str; 2] = ["V3-2005", "V3-2006"];

/// Who we are to a frame.
#[derive(Debug, Clone)]
pub struct FrameSite {
    /// Test or production.
    pub environment: Environment,
    /// The device OIDs that are us; empty takes any receiver.
    pub receivers: Vec<String>,
}

/// What an answer needs of a message, as far as it can be read; never refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameHead {
    /// The message's id: the frame's, or a bare document's own.
    pub id: Option<InstanceId>,
    /// The sending device.
    pub sender: Option<InstanceId>,
    /// The receiving device.
    pub receiver: Option<InstanceId>,
    /// P, T or D as it stood there.
    pub processing_code: Option<String>,
    /// V3-2005 or V3-2006 as it stood there.
    pub version_code: Option<String>,
}

impl FrameHead {
    /// Reads what can be read.
    #[must_use]
    pub fn peek(document: &Document<'_>) -> Self {
        let root = document.root_element();
        let device =
            |role: &str| tree::child(root, HL7, role).and_then(|r| tree::child(r, HL7, "device")).and_then(|d| tree::child(d, HL7, "id")).and_then(instance);
        Self {
            id: tree::child(root, HL7, "id").and_then(instance),
            sender: device("sender"),
            receiver: device("receiver"),
            processing_code: code_of(root, "processingCode").filter(|c| matches!(*c, "P" | "T" | "D")).map(str::to_owned),
            version_code: code_of(root, "versionCode").filter(|v| VERSIONS.contains(v)).map(str::to_owned),
        }
    }
}

/// A frame whose own rules hold, with what it asks.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What an answer needs.
    pub head: FrameHead,
    /// What it brings, or asks.
    pub content: Content,
    /// The service request.
    pub service_request: ServiceRequest,
    /// The purpose of use's code, where it is a known one.
    pub purpose: Option<String>,
    /// What the sender is told although the frame is taken.
    pub warnings: Vec<Finding>,
}

/// What a frame brings, or asks.
#[derive(Debug, Clone)]
pub enum Content {
    /// A document to archive.
    Document {
        /// Its octets, cut out and decoded, never re-serialised.
        octets: Vec<u8>,
        /// It invalidates its set.
        invalidates: Option<Box<Invalidation>>,
    },
    /// An event about archived documents.
    Event(Box<EventFrame>),
    /// A query, which `v3::query` reads.
    Query(Want),
}

impl Content {
    /// The document's octets.
    #[must_use]
    pub fn document(&self) -> Option<&[u8]> {
        if let Self::Document { octets, .. } = self { Some(octets) } else { None }
    }
}

/// Reads a frame whose root element is a known and open interaction. The wrapper, the service request and the purpose are checked for each;
/// then what the service request's operation asks for is read.
pub(crate) fn read(carrier: &Document<'_>, rules: &RuleSet, site: &FrameSite) -> Result<Frame, Vec<Finding>> {
    read_by(carrier, rules, site, payload::read)
}

/// As [`read`], of a frame whose document stands beside it; a frame that carries one too must carry the same octets.
pub(crate) fn read_beside(carrier: &Document<'_>, rules: &RuleSet, site: &FrameSite, beside: &[u8]) -> Result<Frame, Vec<Finding>> {
    read_by(carrier, rules, site, |described, out| {
        if let Some(text) = tree::child(described, HL7, "text")
            && payload::read(described, out)? != beside
        {
            out.push(Finding::new(Code::E860, tree::place(text)).with("rule", "validate-payload").with("element", "asiakirjaXml"));
            return None;
        }
        Some(beside.to_vec())
    })
}

fn read_by(
    carrier: &Document<'_>,
    rules: &RuleSet,
    site: &FrameSite,
    payload: impl FnOnce(Node<'_, '_>, &mut Vec<Finding>) -> Option<Vec<u8>>,
) -> Result<Frame, Vec<Finding>> {
    let root = carrier.root_element();
    let mut out = Vec::new();
    let head = FrameHead::peek(carrier);
    wrapper(root, &head, site, &mut out);
    let interaction = rules.services.interaction(root.tag_name().name());
    let family = interaction.map_or("social", |i| i.family.as_str());
    let control = child(root, "controlActProcess", "controlActProcess", &mut out);
    let (service_request, purpose) = match control {
        None => (None, None),
        Some(control) => (service_request(control, family, rules, &mut out), purpose(control, family, rules, &mut out)),
    };
    if let Some(attachment) = ["attachmentText", "attachment"].iter().find_map(|n| tree::child(root, HL7, n)) {
        out.push(Finding::new(Code::E816, tree::place(attachment)));
    }
    let operation = interaction.map_or(Operation::Store, |i| i.operation);
    let content = control.and_then(|control| content(control, operation, service_request.as_ref(), rules, payload, &mut out));
    match (content, service_request) {
        (Some(content), Some(service_request)) if !out.iter().any(Finding::is_error) => Ok(Frame { head, content, service_request, purpose, warnings: out }),
        _ => Err(out),
    }
}

/// What the interaction brings, as the service request says. Without a service request the interaction alone tells where to look, so that everything
/// that is wrong is said at once.
fn content(
    control: Node<'_, '_>,
    interaction: Operation,
    request: Option<&ServiceRequest>,
    rules: &RuleSet,
    payload: impl FnOnce(Node<'_, '_>, &mut Vec<Finding>) -> Option<Vec<u8>>,
    out: &mut Vec<Finding>,
) -> Option<Content> {
    let asked = request.map_or(interaction, |r| r.operation);
    match (interaction, asked) {
        (Operation::Store | Operation::Replace, Operation::Store | Operation::Replace) | (Operation::Replace, Operation::Invalidate) => {
            let octets = described(control, out).and_then(|d| payload(d, out));
            let invalidates = if asked == Operation::Invalidate { Some(Box::new(event::invalidation(control, rules, out)?)) } else { None };
            Some(Content::Document { octets: octets?, invalidates })
        }
        (Operation::Invalidate, Operation::Invalidate | Operation::Reinstate) => {
            let described = described(control, out)?;
            event::read(control, described, request?, rules, out).map(|frame| Content::Event(Box::new(frame)))
        }
        (Operation::MetadataQuery, Operation::MetadataQuery) => Some(Content::Query(Want::Metadata)),
        (Operation::DocumentQuery, Operation::DocumentQuery) => Some(Content::Query(Want::Documents)),
        // One code asks for both.
        (Operation::DocumentQuery, Operation::MetadataQuery) if request.is_some_and(|r| matches!(r.basis, Basis::RegisterRight | Basis::Wills)) => {
            Some(Content::Query(Want::Documents))
        }
        _ => {
            let code = request.map_or("", |r| r.code.as_str());
            let reason = tree::children(control, HL7, "reasonCode").find(|n| n.attribute("code") == Some(code));
            let place = reason.map_or_else(|| tree::place(control), |n| tree::attribute_place(n, "code"));
            out.push(Finding::new(Code::E807, place).with("request", code).with("rule", "request-interaction").under("request-fits-interaction"));
            None
        }
    }
}

fn wrapper(root: Node<'_, '_>, head: &FrameHead, site: &FrameSite, out: &mut Vec<Finding>) {
    if root.attribute("ITSVersion") != Some("XML_1.0") {
        out.push(Finding::new(Code::E810, tree::attribute_place(root, "ITSVersion")).with("expected", "ITSVersion XML_1.0"));
    }
    if let Some(id) = child(root, "id", "frame-id", out).filter(|id| id.attribute("root").is_none_or(|r| Oid::parse(r).is_err())) {
        out.push(Finding::new(Code::E304, tree::attribute_place(id, "root")).with("field", "frame-id").with("rule", "oid-syntax"));
    }
    if let Some(id) = child(root, "interactionId", "interactionId", out) {
        let name = root.tag_name().name();
        if id.attribute("extension") != Some(name) || id.attribute("root").is_some_and(|r| r != INTERACTIONS) {
            out.push(Finding::new(Code::E808, tree::attribute_place(id, "extension")).with("expected", name));
        }
    }
    let mut code = |name: &str, code: Code, expected: &str, good: &dyn Fn(Option<&str>) -> bool| {
        let node = tree::child(root, HL7, name);
        let value = node.and_then(|n| n.attribute("code"));
        if !good(value) {
            let place = node.map_or_else(|| tree::place(root), |n| tree::attribute_place(n, "code"));
            let finding = Finding::new(code, place).with("expected", expected);
            out.push(match value.filter(|v| v.len() <= 2 && v.bytes().all(|b| b.is_ascii_alphanumeric())) {
                Some(value) => finding.with("value", value),
                None => finding,
            });
        }
    };
    code("versionCode", Code::E810, "V3-2005, V3-2006", &|v| v.is_none_or(|v| VERSIONS.contains(&v)));
    code("processingCode", Code::E809, &site.environment.processing_codes().join(", "), &|v| v.is_some_and(|v| site.environment.takes(v)));
    code("processingModeCode", Code::E811, "T", &|v| v == Some("T"));
    let at = |role: &str| tree::child(root, HL7, role).map_or_else(|| tree::place(root), tree::place);
    if !site.receivers.is_empty() && head.receiver.as_ref().is_none_or(|r| !site.receivers.contains(&r.root)) {
        out.push(Finding::new(Code::E812, at("receiver")));
    }
    if head.sender.is_none() {
        out.push(Finding::new(Code::E813, at("sender")));
    }
}

/// The one service request among the reason codes (messaging.md §1.1): told apart by code system, in any order; a single reason code without one counts.
fn service_request(control: Node<'_, '_>, family: &str, rules: &RuleSet, out: &mut Vec<Finding>) -> Option<ServiceRequest> {
    let base = rules.services.system_of(family);
    let reasons = || tree::children(control, HL7, "reasonCode");
    let lenient = reasons().count() == 1;
    let is_request = |n: &Node<'_, '_>| match n.attribute("codeSystem") {
        Some(system) => under(system, base),
        None => lenient,
    };
    let finding = |node, rule: &str| Finding::new(Code::E806, tree::place(node)).with("rule", rule).with("system", base);
    let mut requests = reasons().filter(is_request);
    let Some(node) = requests.next() else {
        out.push(finding(control, "request-none"));
        return None;
    };
    if let Some(second) = requests.next() {
        out.push(finding(second, "request-many"));
        return None;
    }
    match node.attribute("code").and_then(|code| rules.services.request(family, code)) {
        None => out.push(finding(node, "request-unknown")),
        Some(request) if !request.open => out.push(finding(node, "request-closed")),
        Some(request) => return Some(request.clone()),
    }
    None
}

fn purpose(control: Node<'_, '_>, family: &str, rules: &RuleSet, out: &mut Vec<Finding>) -> Option<String> {
    let base = rules.services.purpose_base();
    let reason = tree::children(control, HL7, "reasonCode").find(|n| n.attribute("codeSystem").is_some_and(|s| under(s, base)));
    let code = reason.and_then(|n| n.attribute("code"));
    match (reason, code) {
        (Some(node), Some(code)) if !rules.services.knows_purpose(code) => {
            out.push(Finding::new(Code::W901, tree::attribute_place(node, "code")).with("field", "purpose"));
        }
        (_, Some(_)) => {}
        (_, None) if family == "social" => out.push(Finding::new(Code::W905, tree::place(control)).with("field", "purpose")),
        (_, None) => {}
    }
    // What is in no table may be anything, an identity code too: it is not kept.
    code.filter(|code| rules.services.knows_purpose(code)).map(str::to_owned)
}

/// `subject/clinicalDocument`, in either letter case.
fn described<'a, 'i>(control: Node<'a, 'i>, out: &mut Vec<Finding>) -> Option<Node<'a, 'i>> {
    let found = described_in(control);
    match found.as_slice() {
        [one] => Some(*one),
        [] => {
            out.push(Finding::new(Code::E815, tree::place(control)).with("rule", "payload-none"));
            None
        }
        [_, second, ..] => {
            out.push(Finding::new(Code::E815, tree::place(*second)).with("rule", "payload-many"));
            None
        }
    }
}

fn described_in<'a, 'i>(control: Node<'a, 'i>) -> Vec<Node<'a, 'i>> {
    let documents = |subject: Node<'a, 'i>| {
        let of = |name: &'static str| tree::children(subject, HL7, name);
        of("clinicalDocument").chain(of("ClinicalDocument"))
    };
    // Two are enough to refuse.
    tree::children(control, HL7, "subject").flat_map(documents).take(2).collect()
}

/// Whether frame and document say the same (domain README: frame and document), and whether the request fits the document: E801–E805, E807.
#[must_use]
pub fn agree(carrier: &Document<'_>, frame: &Frame, document: &Document<'_>, header: &Header) -> Vec<Finding> {
    let mut out = Vec::new();
    let control = tree::child(carrier.root_element(), HL7, "controlActProcess");
    let Some(described) = control.and_then(|c| described_in(c).first().copied()) else { return out };
    one(described, "id", Code::E801, "root", Some(header.id.as_str()), &mut out);
    one(described, "setId", Code::E802, "root", Some(header.set_id.as_str()), &mut out);
    if tree::child(described, HL7, "versionNumber").is_some() {
        one(described, "versionNumber", Code::E803, "value", Some(&header.version.to_string()), &mut out);
    }
    let custodian = ["representedCustodianOrganization", "representedOrganization"]
        .iter()
        .find_map(|name| descend(described, &["custodian", "assignedCustodian", name, "id"]));
    if let Some(id) = custodian.filter(|id| id.attribute("root") != Some(header.controller.as_str())) {
        out.push(Finding::new(Code::E804, tree::attribute_place(id, "root")));
    }
    let client = ["patientRole", "patient"].iter().find_map(|name| descend(described, &["recordTarget", name, "id"]));
    let own = descend(document.root_element(), &["recordTarget", "patientRole", "id"]);
    if let (Some(client), Some(own)) = (client, own) {
        let pair = |n: Node<'_, '_>| (n.attribute("root").map(str::to_owned), n.attribute("extension").map(str::to_owned));
        if pair(client) != pair(own) {
            out.push(Finding::new(Code::E805, tree::place(client)));
        }
    }
    request_fits(control, frame, header, &mut out);
    out
}

fn request_fits(control: Option<Node<'_, '_>>, frame: &Frame, header: &Header, out: &mut Vec<Finding>) {
    let request = &frame.service_request;
    let rule = if !request.groups.contains(&header.group) {
        "request-group"
    } else if matches!(request.operation, Operation::Replace | Operation::Invalidate) && header.replaces.is_none() {
        "request-first"
    } else {
        return;
    };
    let reason = control.and_then(|c| tree::children(c, HL7, "reasonCode").find(|n| n.attribute("code") == Some(request.code.as_str())));
    let place = reason.map_or_else(crate::domain::finding::Place::whole, |n| tree::attribute_place(n, "code"));
    out.push(Finding::new(Code::E807, place).with("request", request.code.as_str()).with("rule", rule));
}

/// An element that must stand exactly once with this value.
fn one(parent: Node<'_, '_>, name: &str, code: Code, attribute: &str, wanted: Option<&str>, out: &mut Vec<Finding>) {
    let mut nodes = tree::children(parent, HL7, name);
    let first = nodes.next();
    match (first, nodes.next()) {
        (Some(node), None) if node.attribute(attribute) == wanted => {}
        (Some(node), None) => out.push(Finding::new(code, tree::attribute_place(node, attribute))),
        (_, Some(second)) => out.push(Finding::new(code, tree::place(second))),
        (None, None) => out.push(Finding::new(code, tree::place(parent))),
    }
}

pub(super) fn descend<'a, 'i>(from: Node<'a, 'i>, names: &[&str]) -> Option<Node<'a, 'i>> {
    names.iter().try_fold(from, |node, name| tree::child(node, HL7, name))
}

/// A child that must stand exactly once.
fn child<'a, 'i>(parent: Node<'a, 'i>, name: &str, field: &str, out: &mut Vec<Finding>) -> Option<Node<'a, 'i>> {
    let mut nodes = tree::children(parent, HL7, name);
    let first = nodes.next();
    let finding = |code, node| Finding::new(code, tree::place(node)).with("field", field).with("element", name);
    if let Some(second) = nodes.next() {
        out.push(finding(Code::E309, second));
    } else if first.is_none() {
        out.push(finding(Code::E301, parent));
    }
    first
}

fn code_of<'a>(root: Node<'a, '_>, name: &str) -> Option<&'a str> {
    tree::child(root, HL7, name).and_then(|n| n.attribute("code"))
}

/// An id whose root is an OID; anything else is no id that an answer could repeat.
fn instance(node: Node<'_, '_>) -> Option<InstanceId> {
    let root = node.attribute("root").filter(|r| Oid::parse(r).is_ok())?;
    Some(InstanceId { root: root.to_owned(), extension: node.attribute("extension").map(str::to_owned) })
}

pub(super) fn under(oid: &str, base: &str) -> bool {
    oid.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
