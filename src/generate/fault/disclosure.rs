//! E840, E841: queries for another's data that name no client, or no section of law that is known.

use super::query::{by_canary, metadata};
use super::{Fault, Ground};
use crate::domain::code::Code;
use crate::generate::query::{Parameter, QuerySpec};

fn by_law(g: &Ground<'_>, number: u64, grounds: &[&'static str]) -> Vec<u8> {
    let asked = by_canary(g, number);
    let documents = QuerySpec::documents(number, asked.parameters);
    QuerySpec { service_request: "SPX-DOC-STAT", id: asked.id, grounds: grounds.to_vec(), ..documents }.render()
}

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E840, "by-permission-without-client", |g| {
        let asked = metadata(g, 8400, vec![Parameter::ids("documentSetId", &[&g.family.client_document.set_id])]);
        Some(QuerySpec { service_request: "SPX-META-DISC", ..asked }.render())
    }),
    Fault::new(Code::E841, "unknown-section", |g| Some(by_law(g, 8410, &["77"]))),
    Fault::new(Code::E841, "two-sections", |g| Some(by_law(g, 8411, &["1", "4"]))),
];
