//! Header facts of a document outside the social register (plain CDA R2): read from the CDA header alone, for it has no social header and no template says what it must hold.
//! What the standard lets be absent and an archive cannot do without is refused; what it lets be said by default is taken by default.

use crate::crypto;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::{Group, Header, Replaced};
use crate::domain::environment::Environment;
use crate::domain::finding::Finding;
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::person::{HETU_ROOT, Hetu};
use crate::domain::time::{Hl7Time, TimeFault};
use crate::xml::tree::{self, Document, HL7, Node};

use super::layout::plain;

/// Reads the facts. `site_key_hash` turns the client's id (root, NUL, extension) into a keyed hash.
///
/// Defaults (CDA R2 §4.2.1): without `setId` the document is a set of its own; without `versionNumber` it is version 1. The client is the first `recordTarget`.
///
/// # Errors
/// All that is missing or cannot be used: E301 id, custodian or client without an identifier; E306 a time that is none; E703 a version that is none; E308 a Finnish
/// identity code of the other environment: a real person among test persons, or the other way round.
pub fn read(document: &Document<'_>, environment: Environment, site_key_hash: &dyn Fn(&[u8]) -> Digest) -> Result<Header, Vec<Finding>> {
    let root = document.root_element();
    let mut out = Vec::new();
    let id = identity(tree::child(root, HL7, "id"));
    let controller = identity(descend(root, &["custodian", "assignedCustodian", "representedCustodianOrganization", "id"]));
    let client = descend(root, &["recordTarget", "patientRole", "id"]).and_then(|id| Some((plain(id, "root")?, plain(id, "extension").unwrap_or_default())));
    for (field, element, is_missing) in
        [("id", "id", id.is_none()), ("custodian", "custodian", controller.is_none()), ("client", "recordTarget", client.is_none())]
    {
        if is_missing {
            out.push(Finding::new(Code::E301, tree::place(tree::child(root, HL7, element).unwrap_or(root))).with("field", field));
        }
    }
    // Whoever else a document is about is a person as well, and a code is the same code in small letters and among blanks.
    let roles = tree::children(root, HL7, "recordTarget").filter_map(|target| tree::child(target, HL7, "patientRole"));
    let persons = roles.flat_map(|role| tree::children(role, HL7, "id"));
    let strays = persons.filter_map(|id| Some((id, misplaced(plain(id, "root")?, plain(id, "extension")?, environment)?)));
    for (id, rule) in strays.take(limits::FINDINGS) {
        out.push(Finding::new(Code::E308, tree::attribute_place(id, "extension")).with("field", "client").with("rule", rule));
    }
    let authored = authored(root, &mut out);
    let version = version(tree::child(root, HL7, "versionNumber"), &mut out);
    let (Some(id), Some(controller), Some((client_root, client_extension)), Some(authored), Some(version)) = (id, controller, client, authored, version) else {
        out.truncate(limits::FINDINGS);
        return Err(out);
    };
    if !out.is_empty() {
        out.truncate(limits::FINDINGS);
        return Err(out);
    }
    Ok(Header {
        set_id: identity(tree::child(root, HL7, "setId")).unwrap_or_else(|| id.clone()),
        id,
        version,
        replaces: replaced(root),
        group: Group::Other,
        client: site_key_hash(&[client_root.as_bytes(), &[0], client_extension.as_bytes()].concat()),
        controller,
        organiser: None,
        service_task: None,
        original_task: None,
        case_id: None,
        relation_id: None,
        general_type: None,
        specific_type: None,
        authored: authored.moment,
        authored_date: authored.date,
        created: None,
        language: tree::child(root, HL7, "languageCode").and_then(|l| plain(l, "code")).map(str::to_lowercase).unwrap_or_default(),
        case_state: None,
        relation_state: None,
    })
}

/// Whether a client's identity code belongs to the other environment, and how. What is no identity code belongs anywhere: other countries have their own.
fn misplaced(root: &str, extension: &str, environment: Environment) -> Option<&'static str> {
    let hetu = Hetu::parse(&extension.trim().to_ascii_uppercase()).ok().filter(|_| root.trim() == HETU_ROOT)?;
    hetu.misplaced_in(environment)
}

/// The document's own id, as the archive knows it.
#[must_use]
pub fn document_id(document: &Document<'_>) -> Option<Oid> {
    identity(tree::child(document.root_element(), HL7, "id"))
}

/// The OID that stands for an instance identifier: its root where that is all there is; else, for a root that is a UUID and for one with an extension, an OID under 2.25
/// (ITU-T X.667) whose number is drawn from the SHA-256 of both, so that two identifiers never share one and the same one always has the same.
fn identity(id: Option<Node<'_, '_>>) -> Option<Oid> {
    let id = id?;
    let root = plain(id, "root").filter(|root| !root.is_empty())?;
    let extension = plain(id, "extension").unwrap_or_default();
    match Oid::parse(root) {
        Ok(oid) if extension.is_empty() => Some(oid),
        _ => {
            // A UUID is the same in either letter case (RFC 4122 §3).
            let digest = crypto::sha256_parts(&[root.to_ascii_lowercase().as_bytes(), &[0], extension.as_bytes()]);
            let number = digest.0.iter().take(16).fold(0_u128, |number, octet| number << 8 | u128::from(*octet));
            Oid::parse(&format!("2.25.{number}")).ok()
        }
    }
}

fn authored(root: Node<'_, '_>, out: &mut Vec<Finding>) -> Option<Hl7Time> {
    let element = tree::child(root, HL7, "effectiveTime");
    let Some((element, value)) = element.and_then(|e| Some((e, plain(e, "value")?))) else {
        out.push(Finding::new(Code::E301, tree::place(element.unwrap_or(root))).with("field", "authored"));
        return None;
    };
    Hl7Time::parse(value)
        .map_err(|fault| {
            let rule = if fault == TimeFault::NoSuchTime { "time-none" } else { "time-syntax" };
            out.push(Finding::new(Code::E306, tree::attribute_place(element, "value")).with("field", "authored").with("rule", rule));
        })
        .ok()
}

fn version(element: Option<Node<'_, '_>>, out: &mut Vec<Finding>) -> Option<u32> {
    let Some((element, value)) = element.and_then(|e| Some((e, plain(e, "value")?))) else { return Some(1) };
    let number = value.parse().ok().filter(|number| *number > 0);
    if number.is_none() {
        out.push(Finding::new(Code::E703, tree::attribute_place(element, "value")).with("expected", "≥ 1"));
    }
    number
}

/// What it replaces; addenda and transformations (`APND`, `XFRM`) replace nothing.
fn replaced(root: Node<'_, '_>) -> Option<Replaced> {
    let replaces = tree::children(root, HL7, "relatedDocument").find(|r| plain(*r, "typeCode") == Some("RPLC"))?;
    let parent = tree::child(replaces, HL7, "parentDocument")?;
    Some(Replaced {
        id: identity(tree::child(parent, HL7, "id"))?,
        set_id: identity(tree::child(parent, HL7, "setId")),
        version: tree::child(parent, HL7, "versionNumber").and_then(|v| plain(v, "value")).and_then(|v| v.parse().ok()),
    })
}

fn descend<'a, 'i>(from: Node<'a, 'i>, names: &[&str]) -> Option<Node<'a, 'i>> {
    names.iter().try_fold(from, |node, name| tree::child(node, HL7, name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Header, Vec<&'static str>> {
        let document = tree::parse(text).unwrap();
        read(&document, Environment::Test, &crypto::sha256).map_err(|found| found.iter().map(|f| f.code.as_str()).collect())
    }

    fn with(header: &str) -> String {
        format!(
            "<ClinicalDocument xmlns='urn:hl7-org:v3'>{header}<effectiveTime value='202611220800+0200'/><recordTarget><patientRole><id root='1.2.3' extension='x'/></patientRole>\
             </recordTarget><custodian><assignedCustodian><representedCustodianOrganization><id root='1.2.9'/></representedCustodianOrganization></assignedCustodian></custodian></ClinicalDocument>"
        )
    }

    #[test]
    fn defaults_and_identifiers() {
        let bare = read_text(&with("<id root='1.2.4'/>")).unwrap();
        assert_eq!((bare.id.as_str(), bare.set_id.as_str(), bare.version, bare.group), ("1.2.4", "1.2.4", 1, Group::Other));
        assert_eq!((bare.controller.as_str(), bare.client), ("1.2.9", crypto::sha256(b"1.2.3\0x")));
        let whole = with(
            "<id root='1.2.4' extension='a/b'/><languageCode code='fi-FI'/><setId root='8A6E0804-2BD0-4672-B79D-D97027F9071A'/><versionNumber value='3'/>\
                          <relatedDocument typeCode='APND'><parentDocument><id root='1.2.5'/></parentDocument></relatedDocument>\
                          <relatedDocument typeCode='RPLC'><parentDocument><id root='1.2.6'/><versionNumber value='2'/></parentDocument></relatedDocument>",
        );
        let header = read_text(&whole).unwrap();
        assert!(header.id.as_str().starts_with("2.25.") && header.set_id.as_str().starts_with("2.25.") && header.id != header.set_id);
        assert_eq!((header.version, header.language.as_str()), (3, "fi-fi"));
        assert_eq!(header.replaces, Some(Replaced { id: Oid::parse("1.2.6").unwrap(), set_id: None, version: Some(2) }));
        assert_eq!(read_text(&whole.replace("8A6E0804-2BD0", "8a6e0804-2bd0")).unwrap().set_id, header.set_id, "a UUID has no letter case");
        assert_ne!(read_text(&whole.replace("a/b", "a/c")).unwrap().id, header.id);
    }

    #[test]
    fn what_an_archive_cannot_do_without_is_told_all_at_once() {
        assert_eq!(read_text("<ClinicalDocument xmlns='urn:hl7-org:v3'/>").unwrap_err(), ["E301"; 4]);
        assert_eq!(read_text(&with("<id nullFlavor='UNK'/>")).unwrap_err(), ["E301"]);
        assert_eq!(read_text(&with("<id root='1.2.4'/><versionNumber value='0'/>")).unwrap_err(), ["E703"]);
        assert_eq!(read_text(&with("<id root='1.2.4'/>").replace("202611220800", "20261322")).unwrap_err(), ["E306"]);
    }
    #[test]
    fn artificial_persons_stay_in_the_test_environment() {
        let text = with("<id root='1.2.4'/>").replace("root='1.2.3' extension='x'", "root='1.2.246.21' extension='010181-900C'");
        let document = tree::parse(&text).unwrap();
        let codes = |environment| read(&document, environment, &crypto::sha256).map_err(|found| found.iter().map(|f| f.code).collect::<Vec<_>>()).map(|_| ());
        assert_eq!(codes(Environment::Test), Ok(()));
        assert_eq!(codes(Environment::Production), Err(vec![Code::E308]));
    }

    #[test]
    fn every_id_of_every_person_counts_in_any_spelling() {
        let found = |ids: &str| {
            let text =
                with("<id root='1.2.4'/>").replace("</recordTarget>", &format!("</recordTarget><recordTarget><patientRole>{ids}</patientRole></recordTarget>"));
            let document = tree::parse(&text).unwrap();
            read(&document, Environment::Production, &crypto::sha256).map_or_else(|found| found.len(), |_| 0)
        };
        let person = |code: &str| format!("<id root='1.2.246.21' extension='{code}'/>");
        assert_eq!(found("<id root='1.2.3' extension='y'/>"), 0);
        for code in ["010181-900C", "010181-900c", " 010181-900C ", "&#9;010181-900c"] {
            assert_eq!(found(&format!("<id root='1.2.3' extension='y'/>{}", person(code))), 1, "{code}");
        }
        assert_eq!(found(&(person("010181-900C") + &person("010181-900c"))), 2);
        assert_eq!(found(&person("010181-900C").repeat(limits::FINDINGS + 1)), limits::FINDINGS);
    }
}
