//! The messages of the walk through a disclosure (`samples/counties/`, docs/disclosure.md): one client, the county whose client it is, and another.

use super::document::{DocumentSpec, Organisation};
use super::family::Family;
use super::frame::FrameSpec;
use super::query::{Parameter, QuerySpec};
use super::samples::Sample;
use super::signature::{Hand, Hands};
use super::writer::Style;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::will::{Denied, Edition, Said};

/// The client's own seed and series: no other sample has its documents.
const SERIES: u64 = 9_200;

/// The files, in the order in which they are sent. Empty when `hands` has no key to sign the professional's document with.
#[must_use]
pub fn samples(hands: &dyn Hands) -> Vec<Sample> {
    let family = Family::new(SERIES, SERIES, Language::Fi);
    let Family { relation, case, client_document, old_relation, closed_case, old_document, .. } = &family;
    let other = Organisation::OTHER;
    let link = family.id(60).replace(Organisation::SAMPLE.node, other.node);
    let link = DocumentSpec { controller: other, relation_id: Some(format!("{link}.1")), ..relation.under(&link) };
    let denied = Oid::parse(&client_document.set_id).map(Denied::Document).into_iter().collect();
    let informing = will(&family.informing, Said::Informed { edition: Edition { major: 2, minor: 0 } }, 1);
    let permission = will(&family.permission, Said::Permitted(true), 2);
    let denial = will(&family.denial, Said::Denials(denied), 3);
    let by_client = || vec![Parameter::client(&family.person.hetu)];
    let the_plan = [by_client(), vec![Parameter::ids("documentId", &[&client_document.id])]].concat();
    let made = [
        ("relation", framed(relation, hands), "the county's client relation"),
        ("case", framed(case, hands), "its case"),
        ("plan", framed(client_document, hands), "a client plan, signed by the professional"),
        ("old-relation", framed(old_relation, hands), "a client relation marked old"),
        ("closed-case", framed(closed_case, hands), "its closed case"),
        ("old-document", framed(old_document, hands), "an old document of 1997"),
        ("relation-of-the-other-county", framed(&link, hands), "the other county's relation with the same client"),
        ("informing", framed(&informing, hands), "the client is informed"),
        ("permission", framed(&permission, hands), "the client permits disclosure"),
        ("search", asked("SPX-META-DISC", &[], QuerySpec::metadata(1, by_client())), "the other county searches by permission: 5 documents"),
        ("denial-of-the-plan", framed(&denial, hands), "the client denies the disclosure of the plan"),
        ("search-again", asked("SPX-META-DISC", &[], QuerySpec::metadata(2, by_client())), "the same search: 4 documents"),
        ("fetch-of-the-plan", asked("SPX-DOC-DISC", &[], QuerySpec::documents(3, the_plan)), "the plan alone: refused, as if it were not there (E845)"),
        ("fetch-by-law", asked("SPX-DOC-STAT", &["4"], QuerySpec::documents(4, by_client())), "by the wide right of access: all 6 documents"),
    ];
    let files = made.into_iter().enumerate().filter_map(|(n, (name, octets, what))| {
        Some(Sample { path: format!("counties/{:02}-{name}.xml", n + 1), octets: octets?, what: what.to_owned(), code: None })
    });
    files.collect()
}

/// A will as the county writes it down, on the first of November 2026.
fn will(base: &DocumentSpec, said: Said, hour: u8) -> DocumentSpec {
    let time = format!("20261101{:02}0000+0200", 8 + hour);
    DocumentSpec { said: Some(said), authored: time.clone(), created: time, ..base.clone() }
}

/// A document in a frame of its controller; `None` when it needs a signature that `hands` cannot give.
fn framed(spec: &DocumentSpec, hands: &dyn Hands) -> Option<Vec<u8>> {
    let spec = DocumentSpec { style: Style::default(), ..spec.clone() };
    let octets = spec.render();
    let octets = if spec.signed { hands.sign(&octets, Hand::Professional)? } else { octets };
    Some(FrameSpec::around(&spec, 1).render(&octets))
}

/// A question of the other county.
fn asked(request: &'static str, grounds: &[&'static str], base: QuerySpec) -> Option<Vec<u8>> {
    let other = Organisation::OTHER;
    let id = (format!("{}.18.2026.31", other.node), base.id.1.clone());
    let spec =
        QuerySpec { id, service_request: request, grounds: grounds.to_vec(), sender: other.unit.to_owned(), organisation: Some(other.unit.to_owned()), ..base };
    Some(spec.render())
}
