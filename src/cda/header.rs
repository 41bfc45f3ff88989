//! The header facts of a document whose template and body passed (documents.md §2), each read once.

use super::body::Body;
use super::template::{Known, Reader};
use crate::codes::rule_set::RuleSet;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::{CaseState, Group, Header, RelationState, Replaced};
use crate::domain::finding::Finding;
use crate::domain::oid::Oid;
use crate::domain::time::Hl7Time;
use crate::xml::tree::Document;

/// Reads the header; the second value holds warnings. `site_key_hash` turns the client's id (root, NUL, extension) into a keyed hash.
///
/// # Errors
/// Header and JSON disagree (E505), or a field that the template lets be absent is needed to archive the document (E301, E304, E306).
pub fn read(document: &Document<'_>, body: &Body, rules: &RuleSet, site_key_hash: &dyn Fn(&[u8]) -> Digest) -> Result<(Header, Vec<Finding>), Vec<Finding>> {
    let reader = rules.templates.reader(document);
    let mut out = Vec::new();
    if let Some(structured) = &body.structured {
        structured.agree(&reader, rules, &mut out);
    }
    let header = facts(&reader, body, rules, site_key_hash, &mut out);
    if let Some(header) = &header {
        service_unit(&reader, header, &mut out);
    }
    match header {
        Some(header) if !out.iter().any(Finding::is_error) => Ok((header, out)),
        _ => Err(out),
    }
}

fn facts(reader: &Reader<'_, '_, '_>, body: &Body, rules: &RuleSet, site_key_hash: &dyn Fn(&[u8]) -> Digest, out: &mut Vec<Finding>) -> Option<Header> {
    let mut need_oid = |field: Known| {
        let oid = oid(reader, field);
        if oid.is_none() {
            out.push(reader.finding(Code::E301, field));
        }
        oid
    };
    let (id, set_id, controller) = (need_oid(Known::Id), need_oid(Known::SetId), need_oid(Known::Controller));
    let version = number(reader, Known::Version);
    let group = reader.value(Known::Group).and_then(|c| c.parse().ok()).and_then(Group::from_number);
    let authored = time(reader, Known::Authored);
    for (field, missing) in [(Known::Version, version.is_none()), (Known::Group, group.is_none()), (Known::Authored, authored.is_none())] {
        if missing {
            out.push(reader.finding(Code::E301, field));
        }
    }
    let (id, set_id, controller, version, group, authored) = (id?, set_id?, controller?, version?, group?, authored?);
    let text = |field: Known| reader.value(field).map(std::borrow::Cow::into_owned);
    let structured = body.structured.as_ref();
    Some(Header {
        replaces: replaced(reader),
        client: client(reader, site_key_hash, out)?,
        organiser: oid(reader, Known::Organiser),
        service_task: text(Known::ServiceTask),
        original_task: original_task(reader),
        case_id: if group == Group::Case || group.hangs_on_case() { oid(reader, Known::CaseId) } else { None },
        relation_id: oid(reader, Known::RelationId),
        general_type: text(Known::GeneralType),
        specific_type: text(Known::SpecificType),
        authored: authored.moment,
        authored_date: authored.date,
        created: time(reader, Known::Created).map(|t| t.moment),
        language: text(Known::Language).map(|l| l.to_lowercase()).unwrap_or_default(),
        case_state: structured.and_then(|s| s.case_is_closed(rules)).map(|closed| CaseState { closed }),
        relation_state: structured.and_then(super::structured::Structured::relation_is_old).map(|old| RelationState { old }),
        id,
        set_id,
        version,
        group,
        controller,
    })
}

/// The document of a live relation names its service unit; that the relation is old only the JSON tells, so the template cannot ask.
fn service_unit(reader: &Reader<'_, '_, '_>, header: &Header, out: &mut Vec<Finding>) {
    let is_live = header.group == Group::ClientRelation && !header.relation_state.is_some_and(|r| r.old);
    if is_live && reader.value(Known::ServiceUnit).is_none() {
        out.push(reader.finding(Code::E301, Known::ServiceUnit).under("service-unit"));
    }
}

fn oid(reader: &Reader<'_, '_, '_>, field: Known) -> Option<Oid> {
    reader.value(field).and_then(|v| Oid::parse(&v).ok())
}

fn number(reader: &Reader<'_, '_, '_>, field: Known) -> Option<u32> {
    reader.value(field).and_then(|v| v.parse().ok())
}

fn time(reader: &Reader<'_, '_, '_>, field: Known) -> Option<Hl7Time> {
    reader.value(field).and_then(|v| Hl7Time::parse(&v).ok())
}

fn replaced(reader: &Reader<'_, '_, '_>) -> Option<Replaced> {
    let id = oid(reader, Known::ReplacedId)?;
    Some(Replaced { id, set_id: oid(reader, Known::ReplacedSetId), version: number(reader, Known::ReplacedVersion) })
}

fn original_task(reader: &Reader<'_, '_, '_>) -> Option<(String, String)> {
    let system = reader.node(Known::OriginalTask)?.attribute("codeSystem")?;
    Some((system.to_owned(), reader.value(Known::OriginalTask)?.into_owned()))
}

/// The client of a document that need not be good otherwise, as [`read`] reads it; `None` when it names none.
pub fn client_of(document: &Document<'_>, rules: &RuleSet, site_key_hash: &dyn Fn(&[u8]) -> Digest) -> Option<Digest> {
    client(&rules.templates.reader(document), site_key_hash, &mut Vec::new())
}

fn client(reader: &Reader<'_, '_, '_>, site_key_hash: &dyn Fn(&[u8]) -> Digest, out: &mut Vec<Finding>) -> Option<Digest> {
    let id = reader.node(Known::Client).and_then(|node| Some((node.attribute("root")?, node.attribute("extension")?)));
    let Some((root, extension)) = id else {
        out.push(reader.finding(Code::E301, Known::Client));
        return None;
    };
    let mut octets = Vec::with_capacity(root.len() + 1 + extension.len());
    octets.extend_from_slice(root.as_bytes());
    octets.push(0);
    octets.extend_from_slice(extension.as_bytes());
    Some(site_key_hash(&octets))
}
