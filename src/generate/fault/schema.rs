//! E2xx: well-formed, but not the structure that the schemas ask for. More of them in `structure`.

use super::{Fault, cut, swap};
use crate::domain::code::Code;
use crate::generate::signature::Hand;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E201, "unknown-root", |g| {
        let id = g.fresh();
        Some(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Asiakirja xmlns=\"urn:hl7-org:v3\">\n  <id root=\"{id}\"/>\n</Asiakirja>\n").into_bytes())
    }),
    Fault::new(Code::E202, "unexpected-element", |g| g.swapped("<recordTarget>", "<bogus/><recordTarget>")),
    Fault::new(Code::E220, "wrong-order", |g| {
        let without = cut(&g.case().render(), "  <languageCode", "/>\n")?;
        swap(&without, "<realmCode", &format!("<languageCode code=\"{}\"/>\n  <realmCode", g.case().language_code()))
    }),
    Fault::new(Code::E203, "patient-document", |g| {
        let text = String::from_utf8(g.case().render()).ok()?;
        Some(text.replace("hl7fi:localSocialHeader", "hl7fi:localHeader").into_bytes())
    }),
    Fault::new(Code::E204, "body-missing", |g| cut(&g.case().render(), "  <component>", "</component>\n")),
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
];
