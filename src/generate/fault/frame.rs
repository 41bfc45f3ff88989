//! E8xx: the frame, its wrapper and what it says of the document.

use super::{Fault, cut, swap};
use crate::domain::code::Code;
use crate::generate::document::Organisation;
use crate::generate::frame::Carrier;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E801, "frame-names-another-document", |g| Some(g.framed(|f| f.document.id.push_str(".7")))),
    Fault::new(Code::E802, "frame-names-another-set", |g| Some(g.framed(|f| f.document.set_id.push_str(".7")))),
    Fault::new(Code::E803, "frame-names-another-version", |g| Some(g.framed(|f| f.document.version += 1))),
    Fault::new(Code::E804, "frame-names-another-controller", |g| {
        Some(g.framed(|f| {
            f.sender = f.document.controller.unit.to_owned();
            f.document.controller = Organisation::OTHER;
        }))
    }),
    Fault::new(Code::E805, "frame-names-another-client", |g| {
        Some(g.framed(|f| {
            let canary = crate::generate::person::Person::canary();
            let other = crate::generate::person::Person::new((1977, 7, 7), 977, vec!["Testi"], "Toinen");
            f.document.person = if f.document.person == canary { other } else { canary };
        }))
    }),
    Fault::new(Code::E806, "service-request-missing", |g| Some(g.framed(|f| f.service_request = None))),
    Fault::new(Code::E806, "service-request-unknown", |g| Some(g.framed(|f| f.service_request = Some("SP999")))),
    Fault::new(Code::E807, "service-request-of-another-group", |g| Some(g.framed(|f| f.service_request = Some("SP17")))),
    Fault::new(Code::E808, "interaction-id-against-root", |g| Some(g.framed(|f| f.interaction = "RCMR_IN200010FI01"))),
    Fault::new(Code::E809, "production-message", |g| Some(g.framed(|f| f.processing = "P"))),
    Fault::new(Code::E810, "version-unknown", |g| Some(g.framed(|f| f.version = "V3-1999"))),
    Fault::new(Code::E811, "processing-mode-archive", |g| Some(g.framed(|f| f.processing_mode = "A"))),
    Fault::new(Code::E812, "for-another-receiver", |g| Some(g.framed(|f| f.receiver = format!("{}.18.9", Organisation::OTHER.node)))),
    Fault::new(Code::E814, "metadata-response", |g| {
        Some(g.framed(|f| {
            f.root = "RCMR_IN200030FI01";
            f.interaction = "RCMR_IN200030FI01";
        }))
    }),
    Fault::new(Code::E815, "frame-without-document", |g| cut(&g.framed(|_| ()), "<text ", "</text>")),
    Fault::new(Code::E815, "mime-without-its-end", |g| swap(&g.framed(|f| f.carrier = Carrier::Mime), "_arkki_testi--", "_other--")),
    Fault::new(Code::E816, "attachment-beside-the-document", |g| {
        let attachment = "<acceptAckCode code=\"ER\"/>\n  <attachmentText mediaType=\"application/pdf\" representation=\"B64\">JVBERi0xLjQK</attachmentText>";
        swap(&g.framed(|_| ()), "<acceptAckCode code=\"ER\"/>", attachment)
    }),
];
