//! E7xx: ids, sets and versions beside what is archived.

use super::Fault;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::generate::document::{Body, DocumentSpec};
use crate::generate::frame::FrameSpec;

pub(super) const FAULTS: &[Fault] = &[
    // The live relation under its own id, with other prose.
    Fault::archive(Code::E701, "document-id-taken", |g| Some(DocumentSpec { seed: g.family.relation.seed + 1_000, ..g.family.relation.clone() }.render())),
    Fault::archive(Code::E702, "replacement-in-another-set", |g| {
        let mut spec = g.family.phase_one.replacement(&g.fresh());
        spec.set_id = g.fresh();
        Some(spec.render())
    }),
    Fault::archive(Code::E702, "first-version-in-another-set", |g| {
        let mut spec = g.case();
        spec.set_id = format!("{}.7", g.fresh());
        Some(spec.render())
    }),
    Fault::archive(Code::E703, "version-left-out", |g| {
        let mut spec = g.family.phase_one.replacement(&g.fresh());
        spec.version += 1;
        Some(spec.render())
    }),
    Fault::archive(Code::E703, "second-version-replaces-nothing", |g| {
        let mut spec = g.case();
        spec.version = 2;
        Some(spec.render())
    }),
    Fault::hold(Code::E704, "replaced-document-unknown", |g| {
        let unknown = g.family.phase_one.under(&format!("{}.8", g.fresh()));
        Some(unknown.replacement(&g.fresh()).render())
    }),
    // The family's second version of its case is archived: its first cannot be replaced once more.
    Fault::archive(Code::E705, "replaced-document-not-the-latest", |g| Some(g.family.case.replacement(&g.fresh()).render())),
    // The family's case came in a frame with number 1; this frame has its id.
    Fault::archive(Code::E706, "message-id-taken", |g| {
        let spec = g.case();
        let mut frame = g.frame(&spec);
        frame.id = FrameSpec::around(&g.family.case, 1).id;
        Some(frame.render(&spec.render()))
    }),
    Fault::archive(Code::E707, "replacement-of-another-group", |g| {
        let mut spec = g.family.old_document.replacement(&g.fresh());
        spec.group = Group::Case;
        spec.body = Body::Structured;
        spec.original_task = None;
        spec.relation_id = g.family.closed_case.relation_id.clone();
        spec.case_id = Some(format!("{}.1", g.fresh()));
        spec.authored.clone_from(&spec.created);
        spec.period = g.family.closed_case.period.clone();
        Some(spec.render())
    }),
];
