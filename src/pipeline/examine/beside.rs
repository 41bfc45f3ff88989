//! A frame and its document as two texts, as Kela's validation service takes them (messaging.md §1.5, §2.5): the gateway's own checks over both.

use std::sync::Arc;

use super::Examiner;
use super::examined::Look;
use super::judge::{Judged, Walked, parse, stop_at_errors};
use super::{KANTA_SOCIAL, Stage};
use crate::cda::open::{self, Opened};
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::query::Want;
use crate::v3::frame::Content;
use crate::xml::prepass::{self, Encoding};

/// What a validation service is given.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'t> {
    /// The transfer frame; it may carry the document too.
    pub frame: &'t str,
    /// The document.
    pub document: &'t str,
    /// The service request as it was said beside the two.
    pub request: &'t str,
}

/// The two texts by the names that the service's clients know.
pub const FRAME: &str = "siirtokehysXml";
/// See [`FRAME`].
pub const DOCUMENT: &str = "asiakirjaXml";

impl Examiner {
    /// Everything that is found in a frame and the document beside it, errors and warnings, a stage at a time; nothing when they pass without a remark.
    #[must_use]
    pub fn validate_beside(&self, given: &Beside<'_>) -> Vec<Finding> {
        match self.judge_beside(given) {
            Ok(Judged::Accepted(accepted)) => accepted.remarks().0,
            Ok(Judged::Checked(warnings, _)) => warnings,
            Err(findings) => findings,
        }
    }

    fn judge_beside(&self, given: &Beside<'_>) -> Result<Judged, Vec<Finding>> {
        stop_at_errors([form(FRAME, given.frame), form(DOCUMENT, given.document)].into_iter().flatten().collect())?;
        let mut look = Look::default();
        let decoded = prepass::decode(given.frame.as_bytes(), Encoding::Utf8Only, self.site().octets.0)?;
        let text = prepass::walk(&decoded.text, self.schema(&self.profile(KANTA_SOCIAL).schema)?.declared().identities())?;
        let carrier = parse(text.text)?;
        let name = carrier.root_element().tag_name().name().to_owned();
        let mut frame = match open::open_beside(&carrier, &self.rules, &self.site().frames, given.document.as_bytes())? {
            Opened::Framed(frame) => frame,
            Opened::Bare | Opened::Acknowledgement => return Err(vec![about("validate-frame", FRAME)]),
        };
        let Content::Document { invalidates, .. } = std::mem::replace(&mut frame.content, Content::Query(Want::Metadata)) else {
            return Err(vec![about("validate-no-document", FRAME)]);
        };
        if frame.service_request.code != given.request {
            return Err(vec![about("validate-request", "palveluPyynto")]);
        }
        let profile = self.rules.services.interaction(&name).map_or_else(|| self.profile(KANTA_SOCIAL), |i| self.profile(&i.profile));
        if let Some(frame_schema) = &profile.frame {
            stop_at_errors(self.schema(frame_schema)?.validate(text.text))?;
        }
        let decoded = prepass::decode(given.document.as_bytes(), Encoding::Utf8Only, self.site().octets.1)?;
        let text = prepass::walk(&decoded.text, self.schema(&profile.schema)?.declared().identities())?;
        let document = parse(text.text)?;
        if self.rules.services.interaction(document.root_element().tag_name().name()).is_some() {
            return Err(vec![about("validate-document", DOCUMENT)]);
        }
        let octets = Arc::new(given.document.as_bytes().to_vec());
        let walked = Walked { tree: &document, text: &text, octets, received: None, carried: Some((&carrier, &frame, invalidates)) };
        self.judge_document(walked, profile, Stage::All, &mut look)
    }
}

/// What Kela's service asks of each text before it is read: its declaration, and LF alone between lines.
fn form(name: &'static str, text: &str) -> Option<Finding> {
    if !text.starts_with("<?xml ") {
        return Some(about("validate-declaration", name));
    }
    text.contains('\r').then(|| about("validate-line-ends", name))
}

fn about(rule: &str, element: &str) -> Finding {
    Finding::whole(Code::E860).with("rule", rule).with("element", element)
}
