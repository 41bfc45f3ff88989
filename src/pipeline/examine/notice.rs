//! A disclosure event's examination: its schema, then what it says of itself. What only the archive or the clock knows is `rules::notice`'s.

use super::examined::{Accepted, AcceptedDisclosure, Look};
use super::judge::{Judged, stop_at_errors};
use super::{Examiner, Stage};
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::fhir::event;
use crate::v3::frame::FrameHead;
use crate::xml::prepass::Prepassed;
use crate::xml::tree::{self, Document};

impl Examiner {
    /// Judges an event.
    pub(super) fn judge_notice(&self, message: &Document<'_>, text: &Prepassed<'_>, stage: Stage, look: &mut Look) -> Result<Judged, Vec<Finding>> {
        look.head = FrameHead {
            id: event::id_of(message),
            sender: event::system_of(message),
            receiver: None,
            processing_code: message.root_element().attribute("processingCode").filter(|code| matches!(*code, "P" | "T" | "D")).map(str::to_owned),
            version_code: None,
        };
        look.document_id = look.head.id.as_ref().map(|id| id.root.clone());
        if stage == Stage::Gateway && self.site().notices.is_none() {
            return Err(vec![Finding::new(Code::E890, tree::place(message.root_element()))]);
        }
        self.may_send(look)?;
        let mut warnings = stop_at_errors(self.schema(event::SCHEMA)?.validate(text.text))?;
        warnings.extend(text.oddities());
        if stage == Stage::Schema {
            return Ok(Judged::Checked(warnings, Vec::new()));
        }
        let read = event::read(message, &self.rules, self.site.frames.environment)?;
        look.purpose = Some(read.event.purpose.clone());
        self.may_report(look, message, &read.event)?;
        warnings.extend(read.warnings);
        let client = read.event.client.id.as_ref().map(|(root, extension)| self.client_hash(&event::person_octets(root, extension)));
        // The reader gives no event without a client's id.
        let client = client.ok_or_else(|| vec![Finding::whole(Code::E901)])?;
        let accepted = AcceptedDisclosure { event: read.event, client, places: read.places, warnings };
        Ok(Judged::Accepted(Accepted::Disclosure(Box::new(accepted))))
    }
}
