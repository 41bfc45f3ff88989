//! E2xx again: one for each further class of schema fault that a social-welfare document can show.

use super::{Fault, Ground, cut, swap};
use crate::domain::code::Code;
use crate::generate::signature::Hand;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E202, "name-misspelt", |g| {
        Some(String::from_utf8(g.case().render()).ok()?.replace("<custodian>", "<custodien>").replace("</custodian>", "</custodien>").into_bytes())
    }),
    Fault::new(Code::E204, "author-time-missing", |g| cut(&g.case().render(), "    <time nullFlavor", "/>\n")),
    Fault::new(Code::E211, "text-in-a-coded-value", |g| {
        let language = g.case().language_code();
        g.swapped(&format!("<languageCode code=\"{language}\"/>"), &format!("<languageCode code=\"{language}\">suomi</languageCode>"))
    }),
    Fault::new(Code::E221, "two-version-numbers", |g| g.swapped("<versionNumber", "<versionNumber value=\"1\"/>\n  <versionNumber")),
    Fault::new(Code::E222, "data-type-unknown", |g| typed(g, "AIKA")),
    Fault::new(Code::E223, "data-type-of-another-kind", |g| typed(g, "II")),
    Fault::new(Code::E225, "nil", |g| g.swapped("<effectiveTime value", &format!("<effectiveTime {XSI} xsi:nil=\"true\" value"))),
    Fault::new(Code::E228, "null-flavor-unknown", |g| g.swapped("<code nullFlavor=\"NA\"", "<code nullFlavor=\"EI\"")),
    Fault::new(Code::E229, "author-of-another-type", |g| g.swapped("<author>", "<author typeCode=\"ENT\">")),
    Fault::new(Code::E230, "probability-above-one", |g| typed(g, "UVP_TS\" probability=\"1.5")),
    Fault::new(Code::E231, "prefix-not-declared", |g| typed(g, "hl7:TS")),
    Fault::new(Code::E232, "element-in-the-timestamp", |g| {
        let signed = g.signed(Hand::Professional)?;
        swap(&signed, "</signatureTimestamp>", "<time/></signatureTimestamp>")
    }),
    Fault::new(Code::E233, "extension-of-the-united-states", |g| {
        g.swapped("<birthTime", "<sdtc:raceCode xmlns:sdtc=\"urn:hl7-org:sdtc\" nullFlavor=\"UNK\"/><birthTime")
    }),
];

const XSI: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";

/// The document's time with a data type named.
fn typed(ground: &Ground<'_>, name: &str) -> Option<Vec<u8>> {
    ground.swapped("<effectiveTime value", &format!("<effectiveTime {XSI} xsi:type=\"{name}\" value"))
}
