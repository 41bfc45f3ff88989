//! E1xx, E3xx and E8xx again: what else a frame can have wrong in its wrapper, its service request and its payload, and ids that differ by one character.

use super::{Fault, cut, swap};
use crate::domain::code::Code;
use crate::generate::frame::Carrier;
use crate::generate::terms;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E102, "doctype-before-a-frame", |g| swap(&g.framed(|_| ()), "<RCMR_", "<!DOCTYPE RCMR_IN200002FI01>\n<RCMR_")),
    Fault::new(Code::E103, "frame-cut-short", |g| {
        let octets = g.framed(|_| ());
        octets.get(..octets.len() * 2 / 3).map(<[u8]>::to_vec)
    }),
    Fault::new(Code::E301, "frame-without-id", |g| cut(&g.framed(|_| ()), "<id ", "/>\n")),
    Fault::new(Code::E301, "frame-without-control-act", |g| cut(&g.framed(|_| ()), "<controlActProcess ", "</controlActProcess>")),
    Fault::new(Code::E304, "frame-id-no-oid", |g| Some(g.framed(|f| f.id.0.push_str(".0x")))),
    Fault::new(Code::E309, "two-interaction-ids", |g| {
        swap(&g.framed(|_| ()), "<interactionId ", "<interactionId root=\"2.16.840.1.113883.1.6\" extension=\"RCMR_IN200002FI01\"/>\n  <interactionId ")
    }),
    Fault::new(Code::E801, "frame-id-of-one-other-digit", |g| Some(g.framed(|f| nudge(&mut f.document.id)))),
    Fault::new(Code::E801, "two-document-ids", |g| {
        swap(&g.framed(|_| ()), "<statusCode code=\"completed\"", "<id root=\"1.2.3\"/>\n        <statusCode code=\"completed\"")
    }),
    Fault::new(Code::E802, "frame-set-of-one-other-digit", |g| Some(g.framed(|f| nudge(&mut f.document.set_id)))),
    Fault::new(Code::E804, "frame-controller-of-one-other-digit", |g| {
        let unit = g.case().controller.unit;
        let mut other = unit.to_owned();
        nudge(&mut other);
        let custodian = "<representedOrganization>";
        let octets = g.framed(|_| ());
        let text = String::from_utf8(octets).ok()?;
        let at = text.rfind(custodian)?;
        Some(format!("{}{}", text.get(..at)?, text.get(at..)?.replacen(unit, &other, 1)).into_bytes())
    }),
    Fault::new(Code::E805, "frame-client-of-one-other-character", |g| {
        let mut other = g.case().person.hetu;
        let last = other.pop()?;
        other.push(if last == 'A' { 'B' } else { 'A' });
        Some(g.framed(|f| f.document.person.hetu = other))
    }),
    Fault::new(Code::E806, "service-request-twice", |g| {
        let (system, _) = terms::SERVICE_REQUESTS;
        let twice = format!("<reasonCode code=\"SPX-CASE\" codeSystem=\"{system}\"/>\n    <reasonCode code=\"SPX-CASE\"");
        swap(&g.framed(|_| ()), "<reasonCode code=\"SPX-CASE\"", &twice)
    }),
    Fault::new(Code::E806, "two-service-requests", |g| {
        let (system, _) = terms::SERVICE_REQUESTS;
        let other = format!("<reasonCode code=\"SP1\" codeSystem=\"{system}\"/>\n    <reasonCode code=\"SPX-CASE\"");
        swap(&g.framed(|_| ()), "<reasonCode code=\"SPX-CASE\"", &other)
    }),
    Fault::new(Code::E806, "service-request-of-another-system", |g| swap(&g.framed(|_| ()), "1.2.246.537.6.1503", "1.2.246.537.6.1504")),
    Fault::new(Code::E806, "service-request-without-system", |g| {
        let (system, _) = terms::SERVICE_REQUESTS;
        swap(&g.framed(|_| ()), &format!("code=\"SPX-CASE\" codeSystem=\"{system}\""), "code=\"SPX-CASE\"")
    }),
    Fault::new(Code::E806, "service-request-of-the-patient-family", |g| {
        let (system, _) = terms::SERVICE_REQUESTS;
        swap(&g.framed(|_| ()), &format!("code=\"SPX-CASE\" codeSystem=\"{system}\""), "code=\"PP1\" codeSystem=\"1.2.246.537.5.40157.2008\"")
    }),
    Fault::new(Code::E808, "interaction-id-of-another-root", |g| swap(&g.framed(|_| ()), "\"2.16.840.1.113883.1.6\"", "\"2.16.840.1.113883.1.7\"")),
    Fault::new(Code::E809, "processing-code-missing", |g| cut(&g.framed(|_| ()), "<processingCode ", "/>")),
    Fault::new(Code::E810, "its-version-unknown", |g| swap(&g.framed(|_| ()), "ITSVersion=\"XML_1.0\"", "ITSVersion=\"XML_2.0\"")),
    Fault::new(Code::E812, "receiver-of-one-other-digit", |g| Some(g.framed(|f| nudge(&mut f.receiver)))),
    Fault::new(Code::E812, "receiver-missing", |g| cut(&g.framed(|_| ()), "<receiver ", "</receiver>")),
    Fault::new(Code::E813, "sender-missing", |g| cut(&g.framed(|_| ()), "<sender ", "</sender>")),
    Fault::new(Code::E815, "two-payloads", |g| {
        swap(&g.framed(|_| ()), "</text>", "</text>\n        <text mediaType=\"text/xml\" representation=\"B64\">PGEvPg==</text>")
    }),
    Fault::new(Code::E815, "two-documents", |g| swap(&g.framed(|_| ()), "</clinicalDocument>", "</clinicalDocument>\n      <clinicalDocument/>")),
    Fault::new(Code::E815, "payload-empty", |g| {
        swap(&cut(&g.framed(|_| ()), "<text ", "</text>")?, "<statusCode", "<text mediaType=\"text/xml\" representation=\"B64\"/>\n        <statusCode")
    }),
    Fault::new(Code::E815, "payload-not-base64", |g| swap(&g.framed(|_| ()), "representation=\"B64\">", "representation=\"B64\">*")),
    Fault::new(Code::E815, "payload-as-plain-text", |g| swap(&g.framed(|_| ()), "representation=\"B64\"", "representation=\"TXT\"")),
    Fault::new(Code::E815, "mime-of-another-charset", |g| swap(&g.framed(mime), "charset=UTF-8", "charset=ISO-8859-1")),
    Fault::new(Code::E815, "mime-in-eight-bits", |g| swap(&g.framed(mime), "Transfer-Encoding: BASE64", "Transfer-Encoding: 8bit")),
    Fault::new(Code::E815, "mime-of-one-other-digit", |g| swap(&g.framed(mime), "Content-ID: &lt;1.2.246", "Content-ID: &lt;1.2.247")),
    Fault::new(Code::E815, "mime-of-two-parts", |g| {
        let more = "\n------=_Part_1_arkki_testi\nContent-Type: text/xml\n\nPGEvPg==\n------=_Part_1_arkki_testi--";
        swap(&g.framed(mime), "\n------=_Part_1_arkki_testi--", more)
    }),
    Fault::new(Code::E816, "payload-elsewhere", |g| {
        let without = cut(&g.framed(|_| ()), "<text ", "</text>")?;
        swap(&without, "<statusCode", "<text mediaType=\"text/xml\"><reference value=\"cid:1\"/></text>\n        <statusCode")
    }),
];

fn mime(frame: &mut super::FrameSpec) {
    frame.carrier = Carrier::Mime;
}

/// Another last digit.
fn nudge(id: &mut String) {
    let last = id.pop();
    id.push(if last == Some('7') { '8' } else { '7' });
}
