//! E1xx: what is wrong before anything is read as XML, or makes it no XML.

use super::{Fault, swap};
use crate::domain::code::Code;
use crate::domain::limits;
use crate::generate::hostile;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E101, "not-utf-8", |g| swap(&latin_1(&g.case().render()), "UTF-8", "ISO-8859-1")),
    Fault::new(Code::E101, "latin-1-declared-as-utf-8", |g| Some(latin_1(&g.case().render()))),
    Fault::new(Code::E102, "doctype", |g| g.swapped("<ClinicalDocument ", "<!DOCTYPE ClinicalDocument>\n<ClinicalDocument ")),
    Fault::new(Code::E103, "end-tag-missing", |g| g.swapped("</recordTarget>", "")),
    Fault::new(Code::E103, "truncated", |g| {
        let octets = g.case().render();
        octets.get(..octets.len() / 2).map(<[u8]>::to_vec)
    }),
    Fault::new(Code::E104, "too-deep", |g| {
        let levels = limits::DEPTH + 50;
        g.swapped("<recordTarget>", &format!("{}{}<recordTarget>", "<a>".repeat(levels), "</a>".repeat(levels)))
    }),
    Fault::new(Code::E106, "byte-order-mark", |g| Some([b"\xef\xbb\xbf".as_slice(), &g.case().render()].concat())),
    Fault::new(Code::E107, "utf-16", |g| Some(hostile::utf_16(&g.case().render()))),
    Fault::new(Code::E108, "control-character", |g| {
        g.swapped("(TESTI)</name>", "(TESTI)\u{1}</name>").or_else(|| g.swapped("(TEST)</name>", "(TEST)\u{1}</name>"))
    }),
    Fault::new(Code::E109, "empty", |_| Some(Vec::new())),
    Fault::new(Code::E110, "too-many-attributes", |g| {
        let flood: String = (0..limits::ATTRIBUTES + 10).map(|n| format!(" a{n}=\"\"")).collect();
        g.swapped("<realmCode", &format!("<realmCode{flood}"))
    }),
];

/// The text in one octet a character, where that is possible.
fn latin_1(octets: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(octets).chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}
