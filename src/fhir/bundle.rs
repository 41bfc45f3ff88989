//! The notice as a FHIR R4 transaction bundle: for each register a pair of AuditEvent and Provenance (messaging.md §4.3–4.5). Pure and deterministic: the same
//! event makes the same ids and the same octets.

use serde_json::Value;

use super::json::{list, object, text};
use super::resources::{self, Making, extension, oid_identifier, urn};
use crate::codes::lilm::uri;
use crate::codes::rule_set::RuleSet;
use crate::crypto::sha256_parts;
use crate::domain::digest::Digest;
use crate::domain::language::Language;
use crate::domain::notice::{Basis, Item, NoticePart, NoticeRecord, OutsideDisclosure, RecipientKind, Section};
use crate::domain::oid::Oid;

/// The parts of a notice with the ids that they are sent under: below the site's root, the year of recording and a number made of the event's id and octets.
/// `None` when such an id would be too long for an OID, which a checked root never makes it.
#[must_use]
pub fn parts(event: &OutsideDisclosure, id_root: &Oid, event_sha: &Digest) -> Option<Vec<NoticePart>> {
    let digest = sha256_parts(&[b"arkki-notice-1", event.id.as_str().as_bytes(), &[0], &event_sha.0]);
    let mut eight = [0; 8];
    eight.copy_from_slice(digest.0.get(..8)?);
    // 63 bits: readers keep arcs in signed numbers.
    let number = u64::from_be_bytes(eight) >> 1;
    let year = event.recorded_at.helsinki_date().year;
    let part = |(section, n): (&Section, u32)| {
        let sent = format!("{id_root}.{year}.{number}.{n}");
        Some(NoticePart {
            number: n,
            provenance_id: Oid::parse(&format!("{sent}.1")).ok()?,
            sent_id: Oid::parse(&sent).ok()?,
            controller: section.controller.id.clone(),
            register: section.register.clone(),
        })
    };
    event.sections.iter().zip(1_u32..).map(part).collect()
}

/// The bundle without its signature.
#[must_use]
pub fn bundle(event: &OutsideDisclosure, parts: &[NoticePart], corrected: Option<&NoticeRecord>, rules: &RuleSet) -> Value {
    let making = Making { lilm: &rules.lilm, language: Language::parse(&event.language).unwrap_or(Language::Fi) };
    let mut entries = Vec::with_capacity(parts.len() * 2);
    for (section, part) in event.sections.iter().zip(parts) {
        let corrected = corrected.and_then(|record| {
            let same = record.parts.iter().find(|p| p.controller == part.controller && p.register == part.register);
            same.or_else(|| record.parts.first()).map(|p| &p.sent_id)
        });
        entries.push(entry("AuditEvent", &part.sent_id, audit_event(event, section, part, corrected, &making, rules)));
        entries.push(entry("Provenance", &part.provenance_id, provenance(event, part, corrected, &making)));
    }
    object([("resourceType", text("Bundle")), ("identifier", oid_identifier(&event.id)), ("type", text("transaction")), ("entry", list(entries))])
}

fn entry(kind: &str, id: &Oid, resource: Value) -> Value {
    object([("fullUrl", text(urn(id))), ("request", object([("method", text("POST")), ("url", text(kind))])), ("resource", resource)])
}

fn meta(making: &Making<'_>, key: &str) -> Value {
    object([("profile", list(vec![text(making.lilm.url(key))]))])
}

fn audit_event(event: &OutsideDisclosure, section: &Section, part: &NoticePart, corrected: Option<&Oid>, making: &Making<'_>, rules: &RuleSet) -> Value {
    let mut contained = vec![
        resources::controller("controller", &section.controller, &section.register, making),
        resources::practitioner("practitioner", &event.discloser, making),
        resources::organization("organisation", &event.discloser.organisation, making),
        resources::role("role", "practitioner", "organisation", event.discloser.unit.as_ref(), making),
        resources::patient("client", &event.client),
    ];
    contained.extend(resources::recipient("recipient", &event.recipient, making));
    if let Basis::Embedded(permission) = &event.basis {
        contained.push(resources::consent("consent", permission, making));
    }
    object([
        ("resourceType", text("AuditEvent")),
        ("id", text(part.sent_id.as_str())),
        ("meta", meta(making, "audit-event")),
        ("contained", list(contained)),
        ("extension", list(event_extensions(event, corrected, making))),
        ("type", making.coding("event", "rest")),
        ("period", object([("start", text(event.disclosed_at.to_iso()))])),
        ("recorded", text(event.recorded_at.to_iso())),
        ("purposeOfEvent", list(vec![object([("coding", list(vec![making.coding("purpose", &event.purpose)]))])])),
        ("agent", list(agents(event, making))),
        ("source", object([("observer", object([("identifier", oid_identifier(&event.system))]))])),
        ("entity", list(section.items.iter().map(|item| entity(item, making, rules)).collect())),
    ])
}

/// The type of disclosure; a permission that is in no store, or the archived one's id; and in words what no element is known for.
fn event_extensions(event: &OutsideDisclosure, corrected: Option<&Oid>, making: &Making<'_>) -> Vec<Value> {
    let lilm = making.lilm;
    let mut out = vec![extension(lilm.url("type-of-disclosure"), ("valueCoding", making.coding("type", &event.kind)))];
    let mut further = Vec::new();
    match &event.basis {
        Basis::Embedded(_) => out.push(extension(lilm.url("consent-extension"), ("valueReference", resources::local("consent")))),
        Basis::Permission(id) => out.push(extension(lilm.url("consent-extension"), ("valueReference", object([("identifier", oid_identifier(id))])))),
        Basis::Statute(statute) => further.push(making.words("Peruste", "Grund", "Basis") + ": " + statute),
    }
    if let Some(manner) = lilm.coding("manner", &event.manner, making.language) {
        further.push(making.words("Luovutustapa", "Sätt", "Manner") + ": " + manner.display);
    }
    if let Some(corrected) = corrected {
        further.push(making.words("Korjaa ilmoituksen", "Rättar anmälan", "Corrects the notice") + " " + &urn(corrected));
    }
    further.extend(event.description.clone());
    out.extend(further.into_iter().map(|words| extension(lilm.url("further"), ("valueString", text(words)))));
    out
}

/// The controller whose data were disclosed, who disclosed, who received, whose data they are.
fn agents(event: &OutsideDisclosure, making: &Making<'_>) -> Vec<Value> {
    let to = if event.recipient.kind == RecipientKind::Client { "client" } else { "recipient" };
    [("controller", "controller", false), ("role", "discloser", true), (to, "recipient", false), ("client", "client", false)]
        .into_iter()
        .map(|(who, role, requestor)| {
            object([
                ("role", list(vec![object([("coding", list(vec![making.coding("role", role)]))])])),
                ("who", resources::local(who)),
                ("requestor", Value::Bool(requestor)),
            ])
        })
        .collect()
}

/// One data set with its service tasks, types and words.
fn entity(item: &Item, making: &Making<'_>, rules: &RuleSet) -> Value {
    let lilm = making.lilm;
    let tasks = rules.systems.get("serviceTask");
    let task = |code: &String| {
        let names = tasks.and_then(|system| system.value(code)).map(|value| &value.names);
        // Finnish, Swedish, English stand in this order.
        let display = names.and_then(|names| names.get(making.language as usize).or_else(|| names.first()));
        let coding = object([
            ("system", text(lilm.system("service-task"))),
            ("code", text(code.as_str())),
            ("display", display.map_or(Value::Null, |name| text(name.as_str()))),
        ]);
        extension(lilm.url("function-code"), ("valueCoding", coding))
    };
    let mut inner: Vec<Value> = item.tasks.iter().map(task).collect();
    inner.extend(item.original_tasks.iter().map(|(system, code)| {
        let coding = object([("system", text(uri(system))), ("code", text(code.as_str()))]);
        extension(lilm.url("original-function-code"), ("valueCoding", coding))
    }));
    for (key, coded) in [("document-type", &item.general_type), ("precise-document-type", &item.precise_type)] {
        if let Some(coded) = coded {
            let coding = object([("system", text(coded.system.as_str())), ("code", text(coded.code.as_str())), ("display", text(coded.display.as_str()))]);
            inner.push(extension(lilm.url(key), ("valueCoding", coding)));
        }
    }
    let types = item.precise_type.as_ref().or(item.general_type.as_ref());
    let words = item.description.clone().or_else(|| types.map(|coded| coded.display.clone()));
    object([
        ("extension", list(vec![object([("url", text(lilm.url("disclosed-data"))), ("extension", list(inner))])])),
        ("what", item.document.as_ref().map_or(Value::Null, |id| object([("identifier", oid_identifier(id))]))),
        ("description", words.map_or(Value::Null, text)),
    ])
}

/// The notice's metadata: who wrote it down, when, in which language, and what it corrects.
fn provenance(event: &OutsideDisclosure, part: &NoticePart, corrected: Option<&Oid>, making: &Making<'_>) -> Value {
    let author = event.author.as_ref().unwrap_or(&event.discloser);
    let contained = vec![
        resources::practitioner("practitioner", author, making),
        resources::organization("organisation", &author.organisation, making),
        resources::role("role", "practitioner", "organisation", author.unit.as_ref(), making),
    ];
    let revision = |id: &Oid| object([("role", text("revision")), ("what", object([("identifier", oid_identifier(id))]))]);
    object([
        ("resourceType", text("Provenance")),
        ("id", text(part.provenance_id.as_str())),
        ("meta", meta(making, "provenance")),
        ("language", text(event.language.as_str())),
        ("contained", list(contained)),
        ("extension", list(vec![extension(making.lilm.url("further"), ("valueString", text(urn(&event.id))))])),
        ("target", list(vec![object([("reference", text(urn(&part.sent_id)))])])),
        ("recorded", text(event.recorded_at.to_iso())),
        ("agent", list(vec![object([("who", resources::local("role")), ("onBehalfOf", resources::local("organisation"))])])),
        ("entity", list(corrected.map(revision).into_iter().collect())),
    ])
}
