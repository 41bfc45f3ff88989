//! The decision about an event, row by row.

use arkki::domain::code::Code;
use arkki::domain::digest::Digest;
use arkki::domain::document::Group;
use arkki::domain::facts::{Awaited, DocumentFact, Expectation, Facts, Mark, Prior, SetFact, Standing};
use arkki::domain::lifecycle::{EventKind, EventRequest, Scope};
use arkki::rules::decide::{Decision, Holding};
use arkki::rules::lifecycle::{Request, decide};

use super::make::{event, request, set, version};
use crate::store::make::{at, header, oid};

fn fact() -> DocumentFact {
    let h = header(1);
    DocumentFact {
        id: h.id,
        set_id: h.set_id,
        version: 2,
        group: Group::Client,
        client: h.client,
        controller: h.controller,
        received: Digest([3; 32]),
        case_id: None,
        relation_id: None,
        mark: Mark::None,
    }
}

fn facts(fact: DocumentFact, set: SetFact) -> Facts {
    Facts { document: Some(fact.clone()), latest: Some(fact), set, ..Facts::default() }
}

fn codes(asked: EventRequest, facts: &Facts) -> Vec<Code> {
    match decide(&request(asked, b"m"), facts, at(0)) {
        Decision::Refuse { refusal, .. } => refusal.findings().map(|f| f.code).collect(),
        Decision::Event { .. } => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_relies_on_its_target_and_on_what_happened_to_the_set() {
    let facts = facts(fact(), SetFact { events: 4, invalid: false });
    let Decision::Event { record, made, expects, .. } = decide(&request(event(EventKind::Invalidated, version(&header(1))), b"m"), &facts, at(5)) else {
        panic!()
    };
    assert_eq!((record.at, &record.scope, record.sender.as_str()), (at(5), &Scope::Version(header(1).id), "lab"));
    assert_eq!(made.0, Group::Client);
    assert!(expects.contains(&Expectation::Events { set_id: header(1).set_id, count: 4 }));
    assert!(expects.contains(&Expectation::Document { id: header(1).id, present: true }));
    assert_eq!(record.octets(), record.clone().octets());
    let mut other = (*record).clone();
    other.reason.text = Some("muita sanoja".to_owned());
    assert_ne!(record.octets(), other.octets(), "the words are hashed");
    assert!(!format!("{record:?}").contains("sanoja"), "and not shown");
}

#[test]
fn what_the_frame_says_must_be_so() {
    let good = facts(fact(), SetFact::default());
    let by = |change: &dyn Fn(&mut EventRequest)| {
        let mut asked = event(EventKind::Invalidated, version(&header(1)));
        change(&mut asked);
        codes(asked, &good)
    };
    assert_eq!(by(&|_| ()), []);
    assert_eq!(by(&|e| e.target.set_id = Some(header(1).set_id)), []);
    assert_eq!(by(&|e| e.target.set_id = Some(oid(1, 1))), [Code::E821]);
    assert_eq!(by(&|e| e.target.version = Some(1)), [Code::E821]);
    assert_eq!(by(&|e| e.client = Some(Digest([9; 32]))), [Code::E821]);
    assert_eq!(by(&|e| e.client = Some(header(1).client)), []);
    assert_eq!(by(&|e| e.groups = vec![Group::Case]), [Code::E807]);
    assert_eq!(by(&|e| e.controller = oid(10, 7)), [Code::E822]);
    assert_eq!(
        by(&|e| {
            e.controller = oid(10, 7);
            e.target.version = Some(1);
        }),
        [Code::E822],
        "nothing is told of another controller's document"
    );
}

#[test]
fn what_is_missing_is_waited_for_and_then_refused() {
    for (target, awaited) in [(version(&header(1)), header(1).id), (set(&header(1)), header(1).set_id)] {
        let asked = event(EventKind::Invalidated, target);
        assert!(
            matches!(decide(&request(asked.clone(), b"m"), &Facts::default(), at(0)), Decision::Hold { awaits: Awaited::Document(id), .. } if id == awaited)
        );
        let late = Request { holding: Holding::Held(at(0)), ..request(asked, b"m") };
        match decide(&late, &Facts::default(), at(0)) {
            Decision::Refuse { refusal, .. } => assert_eq!((refusal.code(), refusal.is_final()), (Code::E709, false)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_event_changes_something() {
    use EventKind::{Invalidated, Reinstated};
    let marks = [Mark::None, Mark::Invalidated, Mark::Invalidating];
    for mark in marks {
        for invalid in [false, true] {
            let facts = facts(DocumentFact { mark, ..fact() }, SetFact { events: 1, invalid });
            let of = |kind, target| codes(event(kind, target), &facts);
            let (v, s) = (version(&header(1)), set(&header(1)));
            let no = |ok: bool, code| if ok { vec![] } else { vec![code] };
            assert_eq!(of(Invalidated, v.clone()), no(!invalid && mark == Mark::None, Code::E710), "{mark:?} {invalid}");
            assert_eq!(of(Invalidated, s.clone()), no(!invalid, Code::E710), "{mark:?} {invalid}");
            assert_eq!(of(Reinstated, v), no(mark == Mark::Invalidated, Code::E711), "{mark:?} {invalid}");
            assert_eq!(of(Reinstated, s), no(invalid, Code::E711), "{mark:?} {invalid}");
        }
    }
}

#[test]
fn what_was_decided_stands() {
    let prior = |standing| Some(Prior { standing, revision: 1, outcome: Digest([5; 32]), rules: arkki::crypto::sha256(b"rules"), is_final: true });
    let asked = request(event(EventKind::Invalidated, version(&header(1))), b"m");
    for (standing, wanted) in [(Standing::Accepted, Decision::Repeat), (Standing::Held, Decision::RepeatHeld)] {
        assert_eq!(decide(&asked, &Facts { prior: prior(standing), ..Facts::default() }, at(0)), wanted);
    }
    let taken = Facts { frame: Some(Digest([1; 32])), ..facts(fact(), SetFact::default()) };
    assert_eq!(codes(asked.event, &taken), [Code::E706]);
}
