//! Reads what a frame says of an invalidation or a reinstatement: the target, why, and who (messaging.md §1.7 g, §3.3 UC3).

use super::frame::{descend, under};
use crate::codes::requests::{Operation, ServiceRequest};
use crate::codes::rule_set::RuleSet;
use crate::domain::code::Code;
use crate::domain::finding::{Finding, Place};
use crate::domain::language::Language;
use crate::domain::lifecycle::{Author, EventKind, EventPlaces, EventRequest, Invalidation, Named, Reason};
use crate::domain::oid::Oid;
use crate::xml::tree::{self, HL7, Node};

/// Root of the professionals' register numbers.
const PROFESSIONALS: &str = "1.2.246.537.26";

/// An event's frame: the request, but for the client, whose hash needs the site's key.
#[derive(Debug, Clone)]
pub struct EventFrame {
    /// The request.
    pub request: EventRequest,
    /// The client's id as it is hashed: root, NUL, extension.
    pub client: Option<Vec<u8>>,
}

/// The frame without a document: `subject/clinicalDocument` names exactly one target.
pub(super) fn read(control: Node<'_, '_>, described: Node<'_, '_>, request: &ServiceRequest, rules: &RuleSet, out: &mut Vec<Finding>) -> Option<EventFrame> {
    if let Some(text) = tree::child(described, HL7, "text") {
        out.push(Finding::new(Code::E815, tree::place(text)).with("rule", "payload-extra"));
    }
    let (id, id_oid) = target(described, "id", out);
    let (set, set_oid) = target(described, "setId", out);
    let (number, version) = version(described, out);
    let custodian = custodian(described);
    let controller = custodian.and_then(|n| n.attribute("root")).and_then(|root| Oid::parse(root).ok());
    let place = |node: Option<Node<'_, '_>>, name: &str| node.map_or_else(|| tree::place(described), |n| tree::attribute_place(n, name));
    if controller.is_none() {
        out.push(Finding::new(Code::E820, place(custodian, "root")).with("rule", "target-controller").under("event-target"));
    }
    let unclear = match (id, set, number) {
        (None, None, _) => Some("target-none"),
        (None, Some(_), Some(_)) => Some("target-version-alone"),
        _ => None,
    };
    if let Some(rule) = unclear {
        out.push(Finding::new(Code::E820, tree::place(described)).with("rule", rule).under("event-target"));
    }
    let client = client(described);
    // Without the client the message has no lane, and could overtake the document that it is about.
    let hashed = client.and_then(client_octets);
    if hashed.is_none() {
        let at = client.map_or_else(|| tree::place(described), tree::place);
        out.push(Finding::new(Code::E820, at).with("rule", "target-client").under("event-target"));
    }
    let reason_node = tree::children(control, HL7, "reasonCode").find(|n| n.attribute("code") == Some(request.code.as_str()));
    let places = EventPlaces {
        target: place(id.or(set), "root"),
        set: place(set, "root"),
        version: place(number, "value"),
        controller: place(custodian, "root"),
        client: client.map_or_else(|| tree::place(described), tree::place),
        request: reason_node.map_or_else(Place::whole, |n| tree::attribute_place(n, "code")),
    };
    let reason = reason(control, rules, out);
    let kind = if request.operation == Operation::Reinstate { EventKind::Reinstated } else { EventKind::Invalidated };
    let request = EventRequest {
        kind,
        request: request.code.clone(),
        groups: request.groups.clone(),
        target: Named { id: id_oid, set_id: set_oid, version },
        controller: controller?,
        client: None,
        reason: reason?,
        author: author(control),
        places,
    };
    Some(EventFrame { request, client: Some(hashed?) })
}

/// What a frame with an invalidating version says beside it.
pub(super) fn invalidation(control: Node<'_, '_>, rules: &RuleSet, out: &mut Vec<Finding>) -> Option<Invalidation> {
    Some(Invalidation { reason: reason(control, rules, out)?, author: author(control) })
}

/// The reason: a reason code of the reasons' system, free words in `controlActProcess/text`, or both; one of them must be there.
fn reason(control: Node<'_, '_>, rules: &RuleSet, out: &mut Vec<Finding>) -> Option<Reason> {
    let mut codes = tree::children(control, HL7, "reasonCode").filter(|n| n.attribute("codeSystem").is_some_and(|s| under(s, rules.lifecycle.system())));
    let node = codes.next();
    let code = node.and_then(|n| n.attribute("code"));
    let before = out.len();
    if let Some(second) = codes.next() {
        out.push(Finding::new(Code::E824, tree::place(second)).with("rule", "reason-many").under("event-reason-known"));
    } else if let Some(node) = node.filter(|_| code.is_none_or(|c| rules.lifecycle.reason(c, Language::En).is_none())) {
        out.push(Finding::new(Code::E824, tree::attribute_place(node, "code")).with("rule", "reason-unknown").under("event-reason-known"));
    }
    let mut texts = tree::children(control, HL7, "text");
    let words = texts.next().map(|n| (n, tree::text_of(n).split_whitespace().collect::<Vec<_>>().join(" "))).filter(|(_, words)| !words.is_empty());
    if let Some(second) = texts.next() {
        out.push(Finding::new(Code::E824, tree::place(second)).with("rule", "reason-many").under("event-reason-known"));
    }
    if let Some((node, _)) = words.as_ref().filter(|(_, words)| words.chars().count() > rules.lifecycle.text_characters()) {
        out.push(Finding::new(Code::E825, tree::place(*node)).with("limit", rules.lifecycle.text_characters().to_string()));
    }
    if code.is_none() && words.is_none() && out.len() == before {
        out.push(Finding::new(Code::E823, tree::place(control)));
    }
    (out.len() == before).then(|| Reason { code: code.map(str::to_owned), text: words.map(|(_, words)| words) })
}

/// The first person or device that acts, with the organisation behind it.
fn author(control: Node<'_, '_>) -> Author {
    let person =
        tree::children(control, HL7, "authorOrPerformer").find_map(|n| tree::child(n, HL7, "assignedPerson").or_else(|| tree::child(n, HL7, "assignedDevice")));
    let id = person.and_then(|p| tree::children(p, HL7, "id").find(|n| n.attribute("root") == Some(PROFESSIONALS))).and_then(|n| n.attribute("extension"));
    let organisation = person.and_then(|p| descend(p, &["representedOrganization", "id"])).and_then(|n| n.attribute("root"));
    Author {
        organisation: organisation.and_then(|root| Oid::parse(root).ok()),
        // A register number has 11 digits; anything else could be an identity code.
        professional: id.filter(|n| n.len() == 11 && n.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned),
    }
}

/// An id that may stand once and is then an OID alone.
fn target<'a, 'i>(described: Node<'a, 'i>, name: &str, out: &mut Vec<Finding>) -> (Option<Node<'a, 'i>>, Option<Oid>) {
    let mut nodes = tree::children(described, HL7, name);
    let Some(node) = nodes.next() else { return (None, None) };
    let fault = |at: Node<'_, '_>, rule: &str| Finding::new(Code::E820, tree::place(at)).with("rule", rule).under("event-target");
    if let Some(second) = nodes.next() {
        out.push(fault(second, "target-many"));
    }
    let oid = node.attribute("root").filter(|_| node.attribute("extension").is_none()).and_then(|root| Oid::parse(root).ok());
    if oid.is_none() {
        out.push(fault(node, "oid-syntax"));
    }
    (Some(node), oid)
}

fn version<'a, 'i>(described: Node<'a, 'i>, out: &mut Vec<Finding>) -> (Option<Node<'a, 'i>>, Option<u32>) {
    let mut nodes = tree::children(described, HL7, "versionNumber");
    let Some(node) = nodes.next() else { return (None, None) };
    let number = node.attribute("value").and_then(|v| v.parse::<u32>().ok()).filter(|n| *n > 0 && nodes.next().is_none());
    if number.is_none() {
        out.push(Finding::new(Code::E820, tree::place(node)).with("rule", "target-version").under("event-target"));
    }
    (Some(node), number)
}

fn custodian<'a, 'i>(described: Node<'a, 'i>) -> Option<Node<'a, 'i>> {
    ["representedCustodianOrganization", "representedOrganization"].iter().find_map(|name| descend(described, &["custodian", "assignedCustodian", name, "id"]))
}

fn client<'a, 'i>(described: Node<'a, 'i>) -> Option<Node<'a, 'i>> {
    ["patientRole", "patient"].iter().find_map(|name| descend(described, &["recordTarget", name, "id"]))
}

fn client_octets(id: Node<'_, '_>) -> Option<Vec<u8>> {
    let (root, extension) = (id.attribute("root")?, id.attribute("extension")?);
    Some([root.as_bytes(), &[0], extension.as_bytes()].concat())
}
