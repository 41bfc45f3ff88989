//! Invalidations and reinstatements that are refused, and documents that come too late for what was invalidated.

use super::{Fault, Ground, cut};
use crate::domain::code::Code;
use crate::generate::document::{DocumentSpec, Organisation};
use crate::generate::event::{INVALIDATE, Names, SPX_INVALIDATE, SPX_REINSTATE, Why, about, invalidating};
use crate::generate::frame::{Carrier, FrameSpec};
use crate::generate::person::Person;
use crate::generate::writer::Style;

/// About the family's permission, which is archived and valid.
fn about_permission(g: &Ground<'_>, names: Names, request: &'static str, change: impl FnOnce(&mut FrameSpec)) -> Vec<u8> {
    let mut frame = FrameSpec { style: Style::default(), ..about(&g.family.permission, names, request, Why::code("mistake"), g.number) };
    change(&mut frame);
    frame.render(&[])
}

fn invalidation(g: &Ground<'_>, change: impl FnOnce(&mut FrameSpec)) -> Vec<u8> {
    about_permission(g, Names::VERSION, SPX_INVALIDATE, change)
}

pub(super) const FAULTS: &[Fault] = &[
    Fault::archive(Code::E708, "replacement-of-an-invalidated-document", |g| Some(g.family.withdrawn().replacement(&g.fresh()).render())),
    Fault::hold(Code::E709, "invalidation-of-an-unknown-document", |g| {
        Some(invalidation(g, |f| {
            f.document.id = format!("{}.8", g.fresh());
            f.document.set_id.clone_from(&f.document.id);
        }))
    }),
    Fault::archive(Code::E710, "invalidated-twice", |g| {
        Some(about(&g.family.withdrawn(), Names::SET, SPX_INVALIDATE, Why::code("mistake"), g.number).render(&[]))
    }),
    Fault::archive(Code::E710, "version-of-an-invalidated-set", |g| {
        Some(about(&g.family.withdrawn(), Names::VERSION, SPX_INVALIDATE, Why::code("mistake"), g.number).render(&[]))
    }),
    Fault::archive(Code::E711, "reinstatement-of-a-valid-document", |g| Some(about_permission(g, Names::VERSION, SPX_REINSTATE, |_| ()))),
    Fault::archive(Code::E712, "document-in-an-invalidated-case", |g| {
        let mut spec = g.phase_one();
        spec.case_id = g.family.withdrawn_case().case_id;
        Some(spec.render())
    }),
    Fault::new(Code::E820, "no-target", |g| Some(invalidation(g, |f| f.carrier = Carrier::Nothing(Names { id: false, set: false, version: false })))),
    Fault::new(Code::E820, "version-number-without-id", |g| Some(invalidation(g, |f| f.carrier = Carrier::Nothing(Names { id: false, ..Names::VERSION })))),
    Fault::new(Code::E820, "target-without-controller", |g| cut(&invalidation(g, |_| ()), "<custodian>", "</custodian>")),
    Fault::archive(Code::E821, "target-is-another-version", |g| Some(invalidation(g, |f| f.document.version += 1))),
    Fault::archive(Code::E821, "target-is-in-another-set", |g| Some(invalidation(g, |f| f.document.set_id.push_str(".7")))),
    Fault::archive(Code::E821, "target-is-of-another-client", |g| {
        Some(invalidation(g, |f| f.document.person = Person::new((1977, 7, 7), 977, vec!["Testi"], "Toinen")))
    }),
    Fault::archive(Code::E822, "target-is-of-another-controller", |g| {
        Some(invalidation(g, |f| {
            f.document.controller = Organisation::OTHER;
        }))
    }),
    Fault::new(Code::E823, "invalidation-without-reason", |g| Some(invalidation(g, |f| f.reason = None))),
    Fault::new(Code::E823, "invalidating-version-without-reason", |g| {
        let version = DocumentSpec { style: Style::default(), ..g.family.denial.replacement(&g.fresh()) };
        Some(invalidating(&version, Why::default(), g.number).render(&version.render()))
    }),
    Fault::new(Code::E824, "reason-unknown", |g| Some(invalidation(g, |f| f.reason = Some(Why::code("whim"))))),
    Fault::new(Code::E825, "reason-too-long", |g| Some(invalidation(g, |f| f.reason = Some(Why::words(&"syy ".repeat(600)))))),
    Fault::new(Code::E807, "store-that-invalidates", |g| Some(g.framed(|f| f.service_request = Some(SPX_INVALIDATE)))),
    Fault::new(Code::E807, "invalidation-that-stores", |g| Some(invalidation(g, |f| f.service_request = Some("SPX-PERMISSION")))),
    Fault::new(Code::E815, "invalidation-with-a-document", |g| {
        Some(g.framed(|f| {
            f.root = INVALIDATE;
            f.interaction = INVALIDATE;
            f.service_request = Some(SPX_INVALIDATE);
            f.reason = Some(Why::code("mistake"));
        }))
    }),
];
