//! The archive's rules for documents, one broken at a time, beside what `metadata`, `link` and `version` break; and what is taken with a warning.

use super::{Fault, cut, in_base64, swap};
use crate::domain::code::Code;
use crate::generate::document::{DocumentSpec, Organisation};
use crate::generate::terms;

pub(super) const FAULTS: &[Fault] = &[
    Fault::archive(Code::E402, "relation-of-another-case", |g| {
        let relation = g.family.old_relation.relation_id.clone()?;
        let element = format!("<hl7fi:encompassingClientRelationship root=\"{relation}\"/>");
        swap(&g.phase_one().render(), "<hl7fi:serviceProcess>", &format!("{element}<hl7fi:serviceProcess>"))
    }),
    Fault::archive(Code::E403, "open-case-under-old-relation", |g| {
        let mut spec = g.case();
        spec.relation_id = g.family.old_relation.relation_id.clone();
        Some(spec.render())
    }),
    Fault::new(Code::E406, "before-the-controllers-adoption", |g| {
        let mut spec = g.old();
        spec.controller = Organisation::OTHER;
        spec.authored = "20160615".to_owned();
        spec.original_task = None;
        Some(spec.render())
    }),
    Fault::new(Code::E410, "old-document-after-the-start", |g| {
        let mut spec = g.old();
        spec.controller = Organisation::OTHER;
        spec.authored = "20240901".to_owned();
        spec.original_task = None;
        Some(spec.render())
    }),
    Fault::archive(Code::E702, "relation-of-another-set", |g| Some(g.family.relation.under(&g.fresh()).render())),
    Fault::archive(Code::E702, "case-of-another-set", |g| {
        let mut spec = g.case();
        spec.case_id = g.family.case.case_id.clone();
        Some(spec.render())
    }),
    Fault::new(Code::E702, "second-version-under-the-sets-own-id", |g| {
        let first = g.case();
        Some(DocumentSpec { id: first.set_id.clone(), ..first.replacement(&g.fresh()) }.render())
    }),
    Fault::new(Code::E311, "old-document-of-a-whole-organisation", |g| {
        let text = String::from_utf8(g.old().render()).ok()?;
        let (head, tail) = text.split_once("<custodian>")?;
        Some(
            format!(
                "{head}<custodian>{}",
                tail.replacen(&format!("root=\"{}\"", Organisation::SAMPLE.unit), &format!("root=\"{}\"", Organisation::SAMPLE.node), 1)
            )
            .into_bytes(),
        )
    }),
    Fault::new(Code::E301, "live-relation-without-service-unit", |g| {
        let mut spec = g.family.relation.under(&g.fresh());
        spec.relation_id = Some(format!("{}.1", g.fresh()));
        spec.style = crate::generate::writer::Style::default();
        cut(&spec.render(), "      <encounterParticipant", "</encounterParticipant>\n")
    }),
];

pub(super) const WARNED: &[Fault] = &[
    Fault::new(Code::W902, "extension-unknown", |g| g.swapped("<hl7fi:documentGroup", "<hl7fi:somethingNew/><hl7fi:documentGroup")),
    Fault::new(Code::W906, "original-task-not-in-the-table", |g| {
        let mut spec = g.old();
        spec.original_task = Some(terms::Term { code: "77", ..terms::CHILD_MAINTENANCE_1989 });
        Some(spec.render())
    }),
    Fault::new(Code::W909, "case-named-of-2017", |g| {
        in_base64(&g.case().render(), "<hl7fi:json", |json| swap(&json, "1.2.246.537.6.1265.202301", "1.2.246.537.6.1265.201701"))
    }),
    Fault::new(Code::W920, "time-without-offset", |g| {
        let mut spec = g.phase_one();
        spec.created = spec.created.get(..14)?.to_owned();
        Some(spec.render())
    }),
];
