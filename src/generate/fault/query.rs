//! E83x: queries that cannot be read, that ask for nothing or for everything, or for what is another's.

use super::{Fault, Ground, swap};
use crate::domain::code::Code;
use crate::generate::document::Organisation;
use crate::generate::person::Person;
use crate::generate::query::{Parameter, QuerySpec};

/// The first number that is a sample's: its faults are numbered by their place, which these must not depend on.
const SAMPLES: u64 = 1000;

/// Message ids of the fault's own: in a sample always the same, in a scenario another for each client and each turn.
pub(super) fn id(g: &Ground<'_>, number: u64) -> (String, String) {
    let turn = if g.number < SAMPLES { g.number * 10_000 } else { 0 };
    (g.family.id(number + turn).replacen(".95.", ".18.", 1), number.to_string())
}

pub(super) fn metadata(g: &Ground<'_>, number: u64, parameters: Vec<Parameter>) -> QuerySpec {
    QuerySpec { id: id(g, number), ..QuerySpec::metadata(number, parameters) }
}

pub(super) fn by_canary(g: &Ground<'_>, number: u64) -> QuerySpec {
    metadata(g, number, vec![Parameter::client(&Person::canary().hetu)])
}

fn with(g: &Ground<'_>, number: u64, parameter: Parameter) -> Option<Vec<u8>> {
    let mut spec = by_canary(g, number);
    spec.parameters.push(parameter);
    Some(spec.render())
}

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E832, "unknown-search-parameter", |g| with(g, 8320, Parameter::code("shoeSize", "42"))),
    Fault::new(Code::E833, "identity-code-empty", |g| Some(metadata(g, 8330, vec![Parameter::client("")]).render())),
    Fault::new(Code::E833, "identity-code-check-character", |g| Some(metadata(g, 8331, vec![Parameter::client("010190-999X")]).render())),
    Fault::new(Code::E833, "date-that-is-none", |g| with(g, 8332, Parameter::authored(Some("20261301"), None))),
    Fault::new(Code::E833, "parameter-twice", |g| with(g, 8333, Parameter::client(&Person::canary().hetu))),
    Fault::new(Code::E833, "query-not-new", |g| swap(&by_canary(g, 8334).render(), "<statusCode code=\"new\"/>", "<statusCode code=\"aborted\"/>")),
    Fault::new(Code::E834, "no-criterion", |g| Some(metadata(g, 8340, Vec::new()).render())),
    Fault::new(Code::E834, "low-after-high", |g| with(g, 8341, Parameter::authored(Some("2026"), Some("2025")))),
    Fault::new(Code::E834, "type-alone", |g| Some(metadata(g, 8342, vec![Parameter::code("documentTypeCode", "15")]).render())),
    Fault::new(Code::E834, "ten-years-alone", |g| Some(metadata(g, 8343, vec![Parameter::authored(Some("2016"), Some("2025"))]).render())),
    Fault::new(Code::E835, "another-register", |g| with(g, 8350, Parameter::ids("custodianId", &[Organisation::OTHER.unit]))),
    Fault::new(Code::E835, "nobody-asks", |g| Some(QuerySpec { organisation: None, ..by_canary(g, 8351) }.render())),
    Fault::new(Code::E835, "by-permission", |g| Some(QuerySpec { service_request: "SPX-META-DISC", ..by_canary(g, 8352) }.render())),
    Fault::new(Code::E841, "by-law-without-section", |g| {
        let asked = by_canary(g, 8353);
        Some(QuerySpec { service_request: "SPX-DOC-STAT", id: asked.id, ..QuerySpec::documents(8353, asked.parameters) }.render())
    }),
];
