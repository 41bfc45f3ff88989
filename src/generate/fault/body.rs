//! E5xx: the body: its coding, its form, and what it says against the header.

use super::{Fault, in_base64, swap};
use crate::domain::code::Code;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E501, "not-base64", |g| g.swapped("representation=\"B64\">", "representation=\"B64\">*!*")),
    Fault::new(Code::E502, "media-type-against-file-format", |g| g.swapped("mediaType=\"application/xhtml+xml\"", "mediaType=\"application/pdf\"")),
    Fault::new(Code::E503, "body-id-of-another-document", |g| {
        let id = g.fresh();
        g.swapped(&format!("ID=\"OID{id}\""), &format!("ID=\"OID{id}.1\""))
    }),
    Fault::new(Code::E503, "body-without-id", |g| g.swapped(&format!("<nonXMLBody ID=\"OID{}\"", g.fresh()), "<nonXMLBody")),
    Fault::new(Code::E504, "json-cut-short", |g| in_base64(&g.case().render(), "<hl7fi:json", |json| json.get(..json.len() / 2).map(<[u8]>::to_vec))),
    Fault::new(Code::E504, "json-name-twice", |g| in_base64(&g.case().render(), "<hl7fi:json", |json| swap(&json, "{", "{\"asia_asiakirja\": {}, "))),
    Fault::new(Code::E505, "json-of-another-client", |g| {
        let spoilt = g.family.person.spoilt_hetu();
        in_base64(&g.case().render(), "<hl7fi:json", |json| swap(&json, &g.family.person.hetu, &spoilt))
    }),
    Fault::new(Code::E505, "json-of-another-case", |g| {
        let case = g.case().case_id?;
        in_base64(&g.case().render(), "<hl7fi:json", |json| swap(&json, &format!("\"{case}\""), &format!("\"{case}.7\"")))
    }),
    Fault::new(Code::E506, "pdf-without-its-mark", |g| in_base64(&g.phase_one().render(), "<text ", |pdf| swap(&pdf, "%PDF-1.4", "%TXT-1.4"))),
    Fault::new(Code::E507, "xhtml-not-well-formed", |g| in_base64(&g.case().render(), "<text ", |xhtml| swap(&xhtml, "</h1>", ""))),
    Fault::new(Code::E507, "root-outside-xhtml", |g| {
        in_base64(&g.case().render(), "<text ", |xhtml| swap(&xhtml, " xmlns=\"http://www.w3.org/1999/xhtml\"", ""))
    }),
];
