//! Frame and document of the patient family, and of every profile whose documents give no header facts (domain README: patient family; frame and document):
//! what both name must be the same, read from the two trees alone.

use crate::codes::requests::Operation;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::xml::tree::{self, Document, HL7, Node};

/// Whether frame and document say the same: E801–E805; and whether a replacement replaces something, and a new document nothing: E807.
#[must_use]
pub fn agree(carrier: &Document<'_>, operation: Operation, request: &str, document: &Document<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    let Some(described) = described(carrier) else { return out };
    let own = document.root_element();
    same(described, own, "id", Code::E801, &["root", "extension"], &mut out);
    same(described, own, "setId", Code::E802, &["root", "extension"], &mut out);
    if tree::child(described, HL7, "versionNumber").is_some() {
        same(described, own, "versionNumber", Code::E803, &["value"], &mut out);
    }
    let custodian = |from| {
        let organisations = ["representedCustodianOrganization", "representedOrganization"];
        organisations.iter().find_map(|name| descend(from, &["custodian", "assignedCustodian", name, "id"]))
    };
    if let (Some(theirs), Some(ours)) = (custodian(described), custodian(own))
        && theirs.attribute("root") != ours.attribute("root")
    {
        out.push(Finding::new(Code::E804, tree::attribute_place(theirs, "root")));
    }
    let client = |from| ["patientRole", "patient"].iter().find_map(|name| descend(from, &["recordTarget", name, "id"]));
    if let (Some(theirs), Some(ours)) = (client(described), client(own))
        && (theirs.attribute("root"), theirs.attribute("extension")) != (ours.attribute("root"), ours.attribute("extension"))
    {
        out.push(Finding::new(Code::E805, tree::place(theirs)));
    }
    let replaces = tree::children(own, HL7, "relatedDocument").any(|r| r.attribute("typeCode") == Some("RPLC"));
    let rule = match (operation, replaces) {
        (Operation::Replace, false) => "request-first",
        (Operation::Store, true) => "request-replaces",
        _ => return out,
    };
    let place = tree::attribute_place(carrier.root_element(), "ITSVersion");
    out.push(Finding::new(Code::E807, place).with("request", request).with("rule", rule));
    out
}

fn described<'a, 'i>(carrier: &'a Document<'i>) -> Option<Node<'a, 'i>> {
    let control = tree::child(carrier.root_element(), HL7, "controlActProcess")?;
    let subject = tree::child(control, HL7, "subject")?;
    tree::child(subject, HL7, "clinicalDocument").or_else(|| tree::child(subject, HL7, "ClinicalDocument"))
}

/// An element that stands once in the frame with the values that it has in the document, or in neither.
fn same(described: Node<'_, '_>, own: Node<'_, '_>, name: &str, code: Code, attributes: &[&str], out: &mut Vec<Finding>) {
    let mut nodes = tree::children(described, HL7, name);
    let ours = tree::child(own, HL7, name);
    match (nodes.next(), nodes.next(), ours) {
        (None, _, None) => {}
        (Some(theirs), None, Some(ours)) => {
            if let Some(differs) = attributes.iter().find(|a| theirs.attribute(**a) != ours.attribute(**a)) {
                out.push(Finding::new(code, tree::attribute_place(theirs, differs)));
            }
        }
        (_, Some(second), _) => out.push(Finding::new(code, tree::place(second))),
        (Some(theirs), None, None) => out.push(Finding::new(code, tree::place(theirs))),
        (None, None, Some(_)) => out.push(Finding::new(code, tree::place(described))),
    }
}

fn descend<'a, 'i>(from: Node<'a, 'i>, names: &[&str]) -> Option<Node<'a, 'i>> {
    names.iter().try_fold(from, |node, name| tree::child(node, HL7, name))
}
