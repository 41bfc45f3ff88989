//! E88x, W93x: disclosures outside the archive of which no notice can be made, and those that are taken with a remark.

use super::{Fault, Ground};
use crate::domain::code::Code;
use crate::generate::disclosure::{BasisSpec, DisclosureSpec, ItemSpec};
use crate::generate::document::Organisation;
use crate::generate::samples;

/// The first number that is a sample's: its faults are numbered by their place, which these must not depend on.
const SAMPLES: u64 = 1000;

/// A good event of an id of its own: in a sample always the same, in a scenario another for each client and turn.
fn event(g: &Ground<'_>, number: u64, change: impl FnOnce(&mut DisclosureSpec)) -> Option<Vec<u8>> {
    let turn = if g.number < SAMPLES { g.number * 10_000 } else { 0 };
    let mut spec = DisclosureSpec::paper(g.family.id(880_000 + number + turn), g.family.person.clone());
    change(&mut spec);
    Some(spec.render())
}

fn item(spec: &mut DisclosureSpec, change: impl FnOnce(&mut ItemSpec)) {
    if let Some(item) = spec.registers.first_mut().and_then(|(_, items)| items.first_mut()) {
        change(item);
    }
}

/// Another person than the client, whoever the client is.
fn another(g: &Ground<'_>) -> String {
    samples::swedish().person.hetu.replace(&g.family.person.hetu, "010181-900C")
}

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E880, "data-of-two-persons", |g| event(g, 1, |e| item(e, |i| i.person = Some(another(g))))),
    Fault::new(Code::E880, "permission-of-another-person", |g| {
        event(g, 2, |e| {
            let (at, scope) = ("2026-11-19T10:00:00+02:00".to_owned(), "Kaikki sosiaalihuollon tiedot".to_owned());
            e.basis = BasisSpec::Given("permission", "client", at, another(g), scope);
        })
    }),
    Fault::new(Code::E881, "recipient-not-named", |g| event(g, 3, |e| e.recipient = ("authority", None, None))),
    Fault::new(Code::E881, "recipient-is-the-controller", |g| event(g, 4, |e| e.recipient = ("controller", Some(Organisation::SAMPLE.unit.to_owned()), None))),
    Fault::new(Code::E882, "service-task-unknown", |g| event(g, 5, |e| item(e, |i| i.tasks = vec!["99"]))),
    Fault::new(Code::E883, "purpose-unknown", |g| event(g, 6, |e| e.purpose = "shopping")),
    Fault::new(Code::E884, "recorded-before-it-was-made", |g| event(g, 7, |e| e.recorded = "2026-11-20T09:00:00+02:00".to_owned())),
    Fault::archive(Code::E884, "disclosed-in-the-future", |g| {
        event(g, 8, |e| {
            e.disclosed = "2126-11-20T09:30:00+02:00".to_owned();
            e.recorded = "2126-11-20T09:35:00+02:00".to_owned();
        })
    }),
    Fault::archive(Code::E885, "permission-not-archived", |g| event(g, 9, |e| e.basis = BasisSpec::Permission(g.family.id(9999)))),
    Fault::archive(Code::E886, "corrects-an-unknown-notice", |g| event(g, 10, |e| e.corrects = Some(g.family.id(9998)))),
    Fault::notices(Code::E887, "event-id-taken", |g| {
        let mut spec = samples::disclosures_of(g.family).into_iter().next()?.1;
        spec.description = Some("Toinen luovutus samalla tunnisteella".to_owned());
        Some(spec.render())
    }),
    Fault::archive(Code::E888, "document-of-another-controller", |g| {
        event(g, 11, |e| {
            e.controller = Organisation::OTHER;
            e.recipient = ("authority", None, Some("Testilän käräjäoikeus".to_owned()));
            item(e, |i| i.document = Some(g.family.case.id.clone()));
        })
    }),
    Fault::new(Code::E889, "data-set-without-type-or-words", |g| event(g, 12, |e| item(e, |i| i.description = None))),
    Fault::new(Code::E891, "register-twice", |g| {
        event(g, 13, |e| {
            let again = e.registers.clone();
            e.registers.extend(again);
        })
    }),
    Fault::new(Code::E406, "disclosed-of-1997-without-original-task", |g| event(g, 14, |e| item(e, |i| i.authored = Some("1997-03-04".to_owned())))),
];

pub(super) const WARNED: &[Fault] = &[
    Fault::new(Code::W935, "recorded-two-days-later", |g| event(g, 21, |e| e.disclosed = "2026-11-18T09:00:00+02:00".to_owned())),
    Fault::archive(Code::W936, "document-that-is-not-archived", |g| event(g, 22, |e| item(e, |i| i.document = Some(g.family.id(9997))))),
];
