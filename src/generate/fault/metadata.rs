//! E3xx: the metadata template: what is missing, forbidden, repeated, or not of its kind.

use super::{Fault, Ground, cut, in_base64, swap};
use crate::domain::code::Code;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E301, "creation-time-missing", |g| cut(&g.case().render(), "    <hl7fi:creationTime", "/>\n")),
    Fault::new(Code::E301, "set-id-missing", |g| cut(&g.case().render(), "  <setId", "/>\n")),
    Fault::new(Code::E302, "record-status-not-ready", |g| g.swapped("recordStatus code=\"3\"", "recordStatus code=\"2\"")),
    Fault::new(Code::E302, "language-neither-fi-nor-sv", |g| {
        let code = format!("<languageCode code=\"{}\"", g.case().language_code());
        g.swapped(&code, "<languageCode code=\"de\"")
    }),
    Fault::new(Code::E303, "confidentiality-of-another-code-system", |g| g.swapped("1.2.246.777.5.99902.2006", "1.2.246.777.5.99901.2006")),
    Fault::new(Code::E304, "relation-id-no-oid", |g| {
        let relation = g.family.case.relation_id.clone()?;
        relation_everywhere(g, &relation, "1.77.246.10.99999992.95.2026.1")
    }),
    Fault::new(Code::E305, "hetu-check-character", |g| {
        let mut spec = g.case();
        spec.person.hetu = spec.person.spoilt_hetu();
        Some(spec.render())
    }),
    Fault::new(Code::E306, "month-13", |g| {
        let authored = g.case().authored;
        g.swapped(&format!("<effectiveTime value=\"{authored}\""), &format!("<effectiveTime value=\"202613{}\"", authored.get(6..)?))
    }),
    Fault::new(Code::E307, "case-with-specific-type", |g| {
        g.swapped("<hl7fi:creationTime", "<hl7fi:specificDocumentType code=\"15007\" codeSystem=\"1.2.246.537.6.1506.201701\"/>\n    <hl7fi:creationTime")
    }),
    Fault::new(Code::E309, "two-clients", |g| {
        let text = String::from_utf8(g.case().render()).ok()?;
        let (head, rest) = text.split_once("  <recordTarget>")?;
        let (target, tail) = rest.split_once("</recordTarget>\n")?;
        Some(format!("{head}  <recordTarget>{target}</recordTarget>\n  <recordTarget>{target}</recordTarget>\n{tail}").into_bytes())
    }),
    Fault::new(Code::E310, "content-specification-of-another-group", |g| g.swapped("1.2.246.537.6.1505.2.2022.6.28", "1.2.246.537.6.1505.1.2023.6.1")),
];

/// The relation's id in header and JSON, so that only the id itself is wrong.
fn relation_everywhere(g: &Ground<'_>, relation: &str, id: &str) -> Option<Vec<u8>> {
    let octets =
        swap(&g.case().render(), &format!("encompassingClientRelationship root=\"{relation}\""), &format!("encompassingClientRelationship root=\"{id}\""))?;
    in_base64(&octets, "<text ", |content| swap(&content, relation, id).or(Some(content)))
}
