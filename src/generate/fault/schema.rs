//! E2xx: well-formed, but not the structure that the schemas ask for. One for each class of fault that a social-welfare document can show.

use super::{Fault, Ground, cut, swap};
use crate::domain::code::Code;
use crate::generate::signature::Hand;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E201, "unknown-root", |g| {
        let id = g.fresh();
        Some(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Asiakirja xmlns=\"urn:hl7-org:v3\">\n  <id root=\"{id}\"/>\n</Asiakirja>\n").into_bytes())
    }),
    Fault::new(Code::E202, "unexpected-element", |g| g.swapped("<recordTarget>", "<bogus/><recordTarget>")),
    Fault::new(Code::E202, "name-misspelt", |g| {
        Some(String::from_utf8(g.case().render()).ok()?.replace("<custodian>", "<custodien>").replace("</custodian>", "</custodien>").into_bytes())
    }),
    Fault::new(Code::E203, "patient-document", |g| {
        let text = String::from_utf8(g.case().render()).ok()?;
        Some(text.replace("hl7fi:localSocialHeader", "hl7fi:localHeader").into_bytes())
    }),
    Fault::new(Code::E204, "body-missing", |g| cut(&g.case().render(), "  <component>", "</component>\n")),
    Fault::new(Code::E204, "author-time-missing", |g| cut(&g.case().render(), "    <time nullFlavor", "/>\n")),
    Fault::new(Code::E205, "signature-with-the-bodys-id", |g| {
        let signed = String::from_utf8(g.signed(Hand::Professional)?).ok()?;
        let (head, signatures) = signed.split_once("signatureCollection")?;
        let (before, id) = signatures.split_once(" ID=\"")?;
        let (_, after) = id.split_once('"')?;
        Some(format!("{head}signatureCollection{before} ID=\"OID{}\"{after}", g.fresh()).into_bytes())
    }),
    Fault::new(Code::E207, "unexpected-attribute", |g| g.swapped("<realmCode", "<realmCode bogus=\"1\"")),
    Fault::new(Code::E208, "type-id-without-extension", |g| g.swapped(" extension=\"POCD_HD000040\"", "")),
    Fault::new(Code::E209, "version-number-in-letters", |g| g.swapped("<versionNumber value=\"1\"", "<versionNumber value=\"yksi\"")),
    Fault::new(Code::E210, "wrong-namespace", |g| g.swapped("xmlns=\"urn:hl7-org:v3\"", "xmlns=\"urn:hl7-org:v2\"")),
    Fault::new(Code::E211, "text-between-elements", |g| g.swapped("<recordTarget>", "<recordTarget>teksti")),
    Fault::new(Code::E211, "text-in-a-coded-value", |g| {
        let language = g.case().language_code();
        g.swapped(&format!("<languageCode code=\"{language}\"/>"), &format!("<languageCode code=\"{language}\">suomi</languageCode>"))
    }),
    Fault::new(Code::E220, "wrong-order", |g| {
        let without = cut(&g.case().render(), "  <languageCode", "/>\n")?;
        swap(&without, "<realmCode", &format!("<languageCode code=\"{}\"/>\n  <realmCode", g.case().language_code()))
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
        swap(&signed, "Z</hl7fi:signatureTimestamp>", "Z<time/></hl7fi:signatureTimestamp>")
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
