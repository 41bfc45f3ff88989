//! E72x: will expressions that cannot be evaluated, or that speak of what is not there or is another's; and E509: representatives (messaging.md §2.6).

use super::{Fault, Ground, in_base64, swap};
use crate::domain::code::Code;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::will::{Denied, Said};
use crate::generate::document::{Body, DocumentSpec};
use crate::generate::person::Person;
use crate::generate::query::{Parameter, QuerySpec};
use crate::generate::random::Random;
use crate::generate::writer::Style;

/// The first number that is a sample's: its faults are numbered by their place, which these must not depend on.
const SAMPLES: u64 = 1000;

/// A will of the family under an id of the fault's own: in a sample always the same, in a scenario another for each client and each turn.
fn will(g: &Ground<'_>, number: u64, spec: &DocumentSpec) -> DocumentSpec {
    let id = if g.number < SAMPLES { g.fresh() } else { g.family.id(number) };
    DocumentSpec { style: Style::default(), ..spec.under(&id) }
}

fn denial(g: &Ground<'_>, number: u64, denied: Vec<Denied>) -> DocumentSpec {
    DocumentSpec { said: Some(Said::Denials(denied)), ..will(g, number, &g.family.denial) }
}

fn cancellation(g: &Ground<'_>, number: u64, of: &str) -> Option<DocumentSpec> {
    Some(DocumentSpec { said: Some(Said::Cancelled(vec![Oid::parse(of).ok()?])), ..will(g, number, &g.family.denial) })
}

fn document(id: &str) -> Vec<Denied> {
    Oid::parse(id).map(Denied::Document).into_iter().collect()
}

/// A will with one text of its JSON changed.
fn changed(spec: &DocumentSpec, from: &str, to: &str) -> Option<Vec<u8>> {
    in_base64(&spec.render(), "<hl7fi:json", |json| swap(&json, from, to))
}

/// Somebody of whom the archive knows nothing.
fn stranger(g: &Ground<'_>) -> Person {
    let mut random = Random::new(g.number);
    let mut person = Person::random(&mut random, Language::Fi);
    while person.hetu == g.family.person.hetu {
        person = Person::random(&mut random, Language::Fi);
    }
    person
}

/// A denial by somebody else, as the definition writes him.
fn denied_by(g: &Ground<'_>, number: u64, person: &str) -> Option<Vec<u8>> {
    let by = format!("\"kieltaja_on_laillinen_edustaja\": true, {person}\"kiellon_asettamisen_ajankohta\"");
    changed(&will(g, number, &g.family.denial), "\"kiellon_asettamisen_ajankohta\"", &by)
}

fn permitted_by(g: &Ground<'_>, number: u64, person: &str) -> Option<Vec<u8>> {
    let by = format!("\"luovutusluvan_antaja_on_laillinen_edustaja\": true, \"luovutusluvan_antaja\": [{person}], \"infoteksti\"");
    changed(&will(g, number, &g.family.permission), "\"infoteksti\"", &by)
}

const NAMELESS: &str =
    "{\"rooli\": {\"system\": \"urn:oid:1.2.246.537.6.1284\", \"code\": \"32\", \"display\": \"Edunvalvoja\"}, \"edunvalvojan_tunniste\": \"TESTI-1\"}";
const TWICE: &str = "{\"sukunimi\": \"Testi\", \"etunimet\": \"Edustaja\", \"rooli\": {\"system\": \"urn:oid:1.2.246.537.6.1284\", \"code\": \"32\", \
     \"display\": \"Edunvalvoja\"}, \"tilapainen_yksilointitunnus\": {\"value\": \"TESTI-1\"}, \"edunvalvojan_tunniste\": \"TESTI-1\"}";

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E720, "permission-without-structure", |g| Some(DocumentSpec { body: Body::Xhtml, ..will(g, 7200, &g.family.permission) }.render())),
    Fault::new(Code::E720, "permission-without-its-answer", |g| changed(&will(g, 7201, &g.family.permission), "\"luovutuslupa\": true, ", "")),
    Fault::new(Code::E720, "informing-without-edition", |g| changed(&will(g, 7202, &g.family.informing), "\"versio\": \"2.0\"", "\"versio\": \"uusin\"")),
    Fault::new(Code::E720, "denial-of-nothing", |g| Some(denial(g, 7203, Vec::new()).render())),
    Fault::new(Code::E720, "denial-of-what-is-no-id", |g| {
        let spec = denial(g, 7204, document(&g.family.client_document.set_id));
        changed(&spec, &format!("\"{}\"", g.family.client_document.set_id), "\"asiakassuunnitelma\"")
    }),
    Fault::new(Code::E720, "denial-with-a-member-unknown", |g| {
        changed(&will(g, 7205, &g.family.denial), "\"rekisterinpitajaa_koskevat_luovutuskiellot\"", "\"rekisterinpitajan_luovutuskiellot\"")
    }),
    Fault::hold(Code::E721, "denial-of-an-unknown-document", |g| Some(denial(g, 7210, document(&g.family.id(7299))).render())),
    Fault::hold(Code::E721, "cancellation-of-an-unknown-denial", |g| Some(cancellation(g, 7211, &g.family.id(7299))?.render())),
    Fault::archive(Code::E722, "denial-of-another-clients-document", |g| {
        Some(DocumentSpec { person: stranger(g), ..denial(g, 7220, document(&g.family.phase_one.set_id)) }.render())
    }),
    Fault::archive(Code::E723, "permission-of-next-year", |g| {
        let later = "20270301120000+0200".to_owned();
        Some(DocumentSpec { authored: later.clone(), created: later, ..will(g, 7230, &g.family.permission) }.render())
    }),
    Fault::archive(Code::E724, "cancellation-of-a-permission", |g| Some(cancellation(g, 7240, &g.family.permission.id)?.render())),
    Fault::archive(Code::E724, "denial-of-a-permission", |g| Some(denial(g, 7241, document(&g.family.permission.set_id)).render())),
    Fault::new(Code::E725, "wills-of-nobody-in-particular", |g| {
        let number = if g.number < SAMPLES { g.number * 10_000 + 7250 } else { 7250 };
        let case = g.family.case.case_id.clone()?;
        let asked = QuerySpec::metadata(7250, vec![Parameter::ids("caseId", &[&case])]);
        let id = (g.family.id(number).replacen(".95.", ".18.", 1), "7250".to_owned());
        Some(QuerySpec { service_request: "SPX-CONSENT-QUERY", id, ..asked }.render())
    }),
    Fault::new(Code::E509, "denier-not-named", |g| denied_by(g, 7260, "")),
    Fault::new(Code::E509, "denier-without-name", |g| denied_by(g, 7261, &format!("\"henkilo_joka_kieltaa_asiakastietojen_luovuttamisen\": [{NAMELESS}], "))),
    Fault::new(Code::E509, "denier-with-two-ids", |g| denied_by(g, 7262, &format!("\"henkilo_joka_kieltaa_asiakastietojen_luovuttamisen\": [{TWICE}], "))),
    Fault::new(Code::E509, "representative-without-name", |g| permitted_by(g, 7263, NAMELESS)),
    Fault::new(Code::E509, "representative-with-two-ids", |g| permitted_by(g, 7264, TWICE)),
];

/// What is taken with a warning.
pub(super) const WARNED: &[Fault] = &[
    Fault::archive(Code::W930, "permission-without-informing", |g| Some(DocumentSpec { person: stranger(g), ..will(g, 7290, &g.family.permission) }.render())),
    Fault::archive(Code::W931, "denial-of-a-case", |g| Some(denial(g, 7291, document(&g.family.case.set_id)).render())),
];
