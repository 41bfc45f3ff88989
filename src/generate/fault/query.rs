//! E83x: queries that cannot be read, that ask for nothing or for everything, or for what is another's. Their ids are their own: no number of the
//! ground is used, so that they stay the same wherever they stand among the faults.

use super::{Fault, swap};
use crate::domain::code::Code;
use crate::generate::document::Organisation;
use crate::generate::person::Person;
use crate::generate::query::{Parameter, QuerySpec};

fn by_canary(number: u64) -> QuerySpec {
    QuerySpec::metadata(number, vec![Parameter::client(&Person::canary().hetu)])
}

fn with(number: u64, parameter: Parameter) -> Option<Vec<u8>> {
    let mut spec = by_canary(number);
    spec.parameters.push(parameter);
    Some(spec.render())
}

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E832, "unknown-search-parameter", |_| with(8320, Parameter::code("shoeSize", "42"))),
    Fault::new(Code::E833, "identity-code-empty", |_| Some(QuerySpec::metadata(8330, vec![Parameter::client("")]).render())),
    Fault::new(Code::E833, "identity-code-check-character", |_| Some(QuerySpec::metadata(8331, vec![Parameter::client("010190-999X")]).render())),
    Fault::new(Code::E833, "date-that-is-none", |_| with(8332, Parameter::authored(Some("20261301"), None))),
    Fault::new(Code::E833, "parameter-twice", |_| with(8333, Parameter::client(&Person::canary().hetu))),
    Fault::new(Code::E833, "query-not-new", |_| swap(&by_canary(8334).render(), "<statusCode code=\"new\"/>", "<statusCode code=\"aborted\"/>")),
    Fault::new(Code::E834, "no-criterion", |_| Some(QuerySpec::metadata(8340, Vec::new()).render())),
    Fault::new(Code::E834, "low-after-high", |_| with(8341, Parameter::authored(Some("2026"), Some("2025")))),
    Fault::new(Code::E834, "type-alone", |_| Some(QuerySpec::metadata(8342, vec![Parameter::code("documentTypeCode", "15")]).render())),
    Fault::new(Code::E834, "ten-years-alone", |_| Some(QuerySpec::metadata(8343, vec![Parameter::authored(Some("2016"), Some("2025"))]).render())),
    Fault::new(Code::E835, "another-register", |_| with(8350, Parameter::ids("custodianId", &[Organisation::OTHER.unit]))),
    Fault::new(Code::E835, "nobody-asks", |_| Some(QuerySpec { organisation: None, ..by_canary(8351) }.render())),
    Fault::new(Code::E835, "by-permission", |_| Some(QuerySpec { service_request: "SPX-META-DISC", ..by_canary(8352) }.render())),
    Fault::new(Code::E835, "documents-by-law", |_| {
        Some(QuerySpec { service_request: "SPX-DOC-STAT", ..QuerySpec::documents(8353, by_canary(8353).parameters) }.render())
    }),
];
