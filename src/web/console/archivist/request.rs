//! The message that asks for an invalidation: what any sender would send (docs/lifecycle.md), made of what the document itself says.

use super::One;
use crate::codes::requests::Operation;
use crate::codes::rule_set::RuleSet;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::xml::tree::{self, Document, HL7, Node};
use crate::xml::write;

/// The family of messages that invalidations of the social register belong to.
const FAMILY: &str = "social";
/// A message is some thousands of octets.
const OCTETS: usize = 6 * 1024;

/// What the archivist said.
pub(super) struct Wish<'a> {
    /// The whole set, not this version alone.
    pub whole_set: bool,
    /// A code of the reasons' list; empty for none.
    pub code: &'a str,
    /// Free words; empty for none.
    pub words: &'a str,
    /// The message's id.
    pub message: &'a Oid,
    /// When it was said.
    pub at: Moment,
    /// For whom the archivist acts.
    pub organisation: &'a Oid,
    /// The processing code of this environment.
    pub processing: &'a str,
    /// The sending and the receiving device.
    pub devices: (&'a str, &'a str),
}

/// The octets; `None` where the rules know no such request, or the document says no client.
pub(super) fn write(one: &One, wish: &Wish<'_>, rules: &RuleSet) -> Option<Vec<u8>> {
    let (interaction, request) = rules.services.asking(FAMILY, Operation::Invalidate)?;
    let system = rules.services.system_of(FAMILY);
    one.read(|document| {
        let client = Client::of(document)?;
        let mut w = String::with_capacity(OCTETS);
        let now = wish.at.to_hl7();
        w.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        write::open(&mut w, interaction, &[("xmlns", HL7), ("ITSVersion", "XML_1.0")]);
        write::empty(&mut w, "id", &[("root", wish.message.as_str())]);
        write::empty(&mut w, "creationTime", &[("value", &now)]);
        write::empty(&mut w, "versionCode", &[("code", "V3-2006")]);
        write::empty(&mut w, "interactionId", &[("root", "2.16.840.1.113883.1.6"), ("extension", interaction)]);
        write::empty(&mut w, "processingCode", &[("code", wish.processing)]);
        write::empty(&mut w, "processingModeCode", &[("code", "T")]);
        write::empty(&mut w, "acceptAckCode", &[("code", "ER")]);
        for (element, kind, id) in [("receiver", "RCV", wish.devices.1), ("sender", "SND", wish.devices.0)] {
            write::open(&mut w, element, &[("typeCode", kind)]);
            write::open(&mut w, "device", &[("classCode", "DEV"), ("determinerCode", "INSTANCE")]);
            write::empty(&mut w, "id", &[("root", id)]);
            close(&mut w, &["device", element]);
        }
        write::open(&mut w, "controlActProcess", &[("classCode", "CACT"), ("moodCode", "EVN")]);
        write::empty(&mut w, "code", &[("code", "RCMR_TE000102UV01"), ("codeSystem", "2.16.840.1.113883.1.18")]);
        if !wish.words.is_empty() {
            write::element(&mut w, "text", &[], wish.words);
        }
        write::empty(&mut w, "effectiveTime", &[("value", &now)]);
        write::empty(&mut w, "reasonCode", &[("code", &request.code), ("codeSystem", system)]);
        if let Some(purpose) = rules.services.own_use() {
            write::empty(&mut w, "reasonCode", &[("code", purpose), ("codeSystem", rules.services.purpose_base())]);
        }
        if !wish.code.is_empty() {
            write::empty(&mut w, "reasonCode", &[("code", wish.code), ("codeSystem", rules.lifecycle.system())]);
        }
        write::open(&mut w, "authorOrPerformer", &[("typeCode", "AUT")]);
        write::open(&mut w, "assignedPerson", &[]);
        write::empty(&mut w, "id", &[("nullFlavor", "NA")]);
        write::open(&mut w, "representedOrganization", &[]);
        write::empty(&mut w, "id", &[("root", wish.organisation.as_str())]);
        close(&mut w, &["representedOrganization", "assignedPerson", "authorOrPerformer"]);
        write::open(&mut w, "subject", &[("typeCode", "SUBJ")]);
        write::open(&mut w, "clinicalDocument", &[]);
        target(&mut w, one, wish, &client, document);
        close(&mut w, &["clinicalDocument", "subject", "controlActProcess", interaction]);
        Some(w.into_bytes())
    })
    .flatten()
}

fn target(w: &mut String, one: &One, wish: &Wish<'_>, client: &Client<'_>, document: &Document<'_>) {
    let header = &one.hit.header;
    if !wish.whole_set {
        write::empty(w, "id", &[("root", header.id.as_str())]);
    }
    // What every frame repeats of its document stands here as the document has it.
    copied(w, document, "code", &["code", "codeSystem"]);
    write::empty(w, "statusCode", &[("code", "completed")]);
    copied(w, document, "effectiveTime", &["value"]);
    copied(w, document, "confidentialityCode", &["code", "codeSystem"]);
    copied(w, document, "languageCode", &["code"]);
    write::empty(w, "setId", &[("root", header.set_id.as_str())]);
    if !wish.whole_set {
        write::empty(w, "versionNumber", &[("value", &header.version.to_string())]);
    }
    write::open(w, "recordTarget", &[]);
    write::open(w, "patient", &[]);
    write::empty(w, "id", &[("root", client.root), ("extension", client.extension)]);
    write::empty(w, "statusCode", &[("code", "active")]);
    write::open(w, "patientPerson", &[]);
    write::open(w, "name", &[]);
    client.given.iter().for_each(|given| write::element(w, "given", &[], given));
    client.family.iter().for_each(|family| write::element(w, "family", &[], family));
    close(w, &["name", "patientPerson", "patient", "recordTarget"]);
    write::open(w, "author", &[]);
    write::empty(w, "time", &[("nullFlavor", "NA")]);
    write::open(w, "assignedAuthor", &[]);
    write::empty(w, "id", &[("nullFlavor", "NA")]);
    close(w, &["assignedAuthor", "author"]);
    write::open(w, "custodian", &[]);
    write::open(w, "assignedCustodian", &[]);
    write::open(w, "representedOrganization", &[]);
    write::empty(w, "id", &[("root", header.controller.as_str())]);
    close(w, &["representedOrganization", "assignedCustodian", "custodian"]);
}

fn close(w: &mut String, names: &[&str]) {
    names.iter().for_each(|name| write::close(w, name));
}

/// An element of the header with some of its attributes.
fn copied(w: &mut String, document: &Document<'_>, name: &str, attributes: &[&str]) {
    let Some(node) = tree::child(document.root_element(), HL7, name) else { return };
    let kept: Vec<(&str, &str)> = attributes.iter().filter_map(|key| node.attribute(*key).map(|value| (*key, value))).collect();
    if !kept.is_empty() {
        write::empty(w, name, &kept);
    }
}

/// The client as the document names it.
struct Client<'a> {
    root: &'a str,
    extension: &'a str,
    given: Vec<String>,
    family: Vec<String>,
}

impl<'a> Client<'a> {
    fn of(document: &'a Document<'_>) -> Option<Self> {
        let role = tree::child(tree::child(document.root_element(), HL7, "recordTarget")?, HL7, "patientRole")?;
        let id = tree::child(role, HL7, "id")?;
        let name = tree::child(role, HL7, "patient").and_then(|patient| tree::child(patient, HL7, "name"));
        let parts = |part: &'static str| -> Vec<String> {
            name.iter().flat_map(|name: &Node<'_, '_>| tree::children(*name, HL7, part)).map(|node| tree::text_of(node).trim().to_owned()).collect()
        };
        Some(Self { root: id.attribute("root")?, extension: id.attribute("extension")?, given: parts("given"), family: parts("family") })
    }
}
