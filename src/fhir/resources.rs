//! The resources that an AuditEvent or a Provenance contains: organisations, people, the client, a permission (messaging.md §4.4).

use serde_json::Value;

use super::json::{list, object, text};
use crate::codes::lilm::{Lilm, uri};
use crate::domain::language::Language;
use crate::domain::notice::{Organisation, Permission, Person, Professional, Recipient, RecipientKind};
use crate::domain::oid::Oid;

/// FHIR's system of identifiers that are uris.
const URIS: &str = "urn:ietf:rfc:3986";

/// What all parts of a bundle are made with.
pub(super) struct Making<'m> {
    pub lilm: &'m Lilm,
    pub language: Language,
}

impl Making<'_> {
    /// A code of our lists with system and words. The reader has checked that the list has it; one that it has not stands alone.
    pub fn coding(&self, list: &str, code: &str) -> Value {
        match self.lilm.coding(list, code, self.language) {
            None => object([("system", text(self.lilm.system(list))), ("code", text(code))]),
            Some(coding) => object([("system", text(coding.system)), ("code", text(coding.code)), ("display", text(coding.display))]),
        }
    }

    /// Words in the notice's language.
    pub fn words(&self, fi: &str, sv: &str, en: &str) -> String {
        match self.language {
            Language::Fi => fi,
            Language::Sv => sv,
            Language::En => en,
        }
        .to_owned()
    }
}

/// `urn:oid:…`.
pub(super) fn urn(id: &Oid) -> String {
    format!("urn:oid:{id}")
}

/// An OID as an identifier.
pub(super) fn oid_identifier(id: &Oid) -> Value {
    object([("system", text(URIS)), ("value", text(urn(id)))])
}

/// A reference to a contained resource.
pub(super) fn local(id: &str) -> Value {
    object([("reference", text(format!("#{id}")))])
}

/// An extension with one value.
pub(super) fn extension(url: &str, value: (&str, Value)) -> Value {
    object([("url", text(url)), value])
}

fn resource<'m>(kind: &str, id: &str, profile: Option<&str>, members: impl IntoIterator<Item = (&'m str, Value)>) -> Value {
    let meta = profile.map_or(Value::Null, |profile| object([("profile", list(vec![text(profile)]))]));
    object([("resourceType", text(kind)), ("id", text(id)), ("meta", meta)].into_iter().chain(members))
}

/// The controller with the type of the register whose data were disclosed.
pub(super) fn controller(id: &str, controller: &Organisation, register: &str, making: &Making<'_>) -> Value {
    let kind = extension(making.lilm.url("register-type"), ("valueCoding", making.coding("register", register)));
    resource(
        "Organization",
        id,
        Some(making.lilm.url("organization")),
        [("extension", list(vec![kind])), ("identifier", list(vec![oid_identifier(&controller.id)])), ("name", text(controller.name.as_str()))],
    )
}

/// An organisation.
pub(super) fn organization(id: &str, organisation: &Organisation, making: &Making<'_>) -> Value {
    resource(
        "Organization",
        id,
        Some(making.lilm.url("organization")),
        [("identifier", list(vec![oid_identifier(&organisation.id)])), ("name", text(organisation.name.as_str()))],
    )
}

/// A professional with title and way of authentication.
pub(super) fn practitioner(id: &str, professional: &Professional, making: &Making<'_>) -> Value {
    let lilm = making.lilm;
    let title = professional.title.as_ref().map(|title| extension(lilm.url("practitioner-title"), ("valueString", text(title.as_str()))));
    let method = professional.authentication.as_ref();
    let method = method.map(|code| extension(lilm.url("authentication-method"), ("valueCoding", making.coding("authentication", code))));
    resource(
        "Practitioner",
        id,
        Some(lilm.url("practitioner")),
        [
            ("extension", list(title.into_iter().chain(method).collect())),
            ("identifier", list(identifiers(professional.person.id.as_ref()))),
            ("name", list(name(&professional.person))),
        ],
    )
}

/// A professional in an organisation, perhaps in a unit of it.
pub(super) fn role(id: &str, practitioner: &str, organisation: &str, unit: Option<&Organisation>, making: &Making<'_>) -> Value {
    let unit = unit.map(|unit| object([("identifier", oid_identifier(&unit.id)), ("display", text(unit.name.as_str()))]));
    resource(
        "PractitionerRole",
        id,
        Some(making.lilm.url("practitioner-role")),
        [("practitioner", local(practitioner)), ("organization", local(organisation)), ("location", list(unit.into_iter().collect()))],
    )
}

/// The client.
pub(super) fn patient(id: &str, person: &Person) -> Value {
    resource("Patient", id, None, [("identifier", list(identifiers(person.id.as_ref()))), ("name", list(name(person)))])
}

/// Who received; the client is there already.
pub(super) fn recipient(id: &str, recipient: &Recipient, making: &Making<'_>) -> Option<Value> {
    let names = recipient.name.as_ref();
    let of_person = recipient.person.as_ref();
    let is_person = recipient.kind == RecipientKind::Private || (recipient.organisation.is_none() && of_person.is_some());
    match recipient.kind {
        RecipientKind::Client => None,
        // The one resource for a person who is neither client nor professional.
        _ if is_person => {
            let name = names.map(|name| object([("text", text(name.as_str()))]));
            let members = [("patient", local("client")), ("identifier", list(identifiers(of_person))), ("name", list(name.into_iter().collect()))];
            Some(resource("RelatedPerson", id, None, members))
        }
        RecipientKind::Controller | RecipientKind::Authority | RecipientKind::Private | RecipientKind::Other => {
            let identifier = recipient.organisation.as_ref().map(oid_identifier);
            // FHIR wants a name or an identifier.
            let members = [("identifier", list(identifier.into_iter().collect())), ("name", names.map_or(Value::Null, |name| text(name.as_str())))];
            Some(resource("Organization", id, Some(making.lilm.url("organization")), members))
        }
    }
}

/// A permission or consent that is in no store.
pub(super) fn consent(id: &str, permission: &Permission, making: &Making<'_>) -> Value {
    let category =
        if permission.is_consent { making.words("Suostumus", "Samtycke", "Consent") } else { making.words("Luovutuslupa", "Tillstånd", "Permission") };
    let giver = if permission.by_representative {
        object([("display", text(making.words("Laillinen edustaja", "Laglig företrädare", "Legal representative")))])
    } else {
        local("client")
    };
    let scope = object([("system", text("http://terminology.hl7.org/CodeSystem/consentscope")), ("code", text("patient-privacy"))]);
    resource(
        "Consent",
        id,
        Some(making.lilm.url("consent")),
        [
            ("status", text("active")),
            ("scope", object([("coding", list(vec![scope]))])),
            ("category", list(vec![object([("text", text(category))])])),
            ("patient", local("client")),
            ("dateTime", text(permission.given_at.to_iso())),
            ("performer", list(vec![giver])),
            ("policyRule", object([("text", text(permission.scope.as_str()))])),
        ],
    )
}

fn identifiers(id: Option<&(String, String)>) -> Vec<Value> {
    id.map(|(root, extension)| object([("system", text(uri(root))), ("value", text(extension.as_str()))])).into_iter().collect()
}

fn name(person: &Person) -> Vec<Value> {
    let given = person.given.as_ref().map(|given| list(given.split(' ').map(text).collect()));
    let name = object([("family", person.family.as_ref().map_or(Value::Null, |family| text(family.as_str()))), ("given", given.unwrap_or(Value::Null))]);
    if name.as_object().is_some_and(|members| !members.is_empty()) { vec![name] } else { Vec::new() }
}
