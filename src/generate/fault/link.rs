//! E4xx: the document is good in itself, but not beside what is archived.

use super::Fault;
use crate::domain::code::Code;
use crate::domain::language::Language;
use crate::generate::document::Organisation;
use crate::generate::person::Person;
use crate::generate::random::Random;
use crate::generate::terms;

pub(super) const FAULTS: &[Fault] = &[
    Fault::hold(Code::E401, "case-unknown", |g| {
        let mut spec = g.phase_one();
        spec.case_id = Some(format!("{}.9", g.fresh()));
        Some(spec.render())
    }),
    Fault::hold(Code::E402, "relation-unknown", |g| {
        let mut spec = g.case();
        spec.relation_id = Some(format!("{}.9", g.fresh()));
        Some(spec.render())
    }),
    Fault::archive(Code::E403, "old-document-in-open-case", |g| {
        let mut spec = g.old();
        spec.case_id = g.family.case.case_id.clone();
        Some(spec.render())
    }),
    Fault::archive(Code::E404, "phase-one-document-under-old-relation", |g| {
        let mut spec = g.phase_one();
        spec.case_id = g.family.closed_case.case_id.clone();
        spec.task = g.family.closed_case.task;
        Some(spec.render())
    }),
    Fault::archive(Code::E405, "old-relation-updated", |g| Some(g.family.old_relation.replacement(&g.fresh()).render())),
    Fault::new(Code::E406, "original-task-missing", |g| {
        let mut spec = g.old();
        spec.original_task = None;
        Some(spec.render())
    }),
    Fault::new(Code::E407, "task-pair-not-allowed", |g| {
        let mut spec = g.old();
        spec.task = terms::ELDERLY;
        Some(spec.render())
    }),
    Fault::archive(Code::E408, "other-client", |g| {
        let mut spec = g.phase_one();
        let mut random = Random::new(g.number);
        while spec.person.hetu == g.family.person.hetu {
            spec.person = Person::random(&mut random, Language::Fi);
        }
        Some(spec.render())
    }),
    Fault::archive(Code::E409, "other-controller", |g| {
        let mut spec = g.phase_one();
        spec.controller = Organisation::OTHER;
        Some(spec.render())
    }),
];
