//! What an event leaves in both archives, and that nothing else changes.

use arkki::domain::code::Code;
use arkki::domain::document::CaseState;
use arkki::domain::facts::{Awaited, DocumentNeeds, Facts, Mark, Needs};
use arkki::domain::lifecycle::{EventKind, Scope, State};

use super::make::*;
use crate::store::make::*;
use crate::store::place::Place;

use EventKind::{Invalidated, Reinstated};

pub async fn a_version_and_a_set_go_and_come_back(place: Place) {
    let archive_ = place.open("one").await;
    let first = header(1);
    let second = replacing(&first, 2);
    store(&*archive_, first.clone(), false, at(0)).await.done();
    store(&*archive_, second.clone(), false, at(1)).await.done();
    let octets = archive_.document(&first.id).await.unwrap().unwrap().octets;
    let states = |seconds| {
        let (archive_, id) = (std::sync::Arc::clone(&archive_), first.set_id.clone());
        async move { archive_.history(&id).await.unwrap().unwrap().states(at(seconds)) }
    };
    let facts = |header: arkki::domain::document::Header| {
        let archive_ = std::sync::Arc::clone(&archive_);
        async move { archive_.facts(needs(b"look", Some(&header))).await.unwrap() }
    };

    let done = ask(&*archive_, event(Invalidated, version(&second)), b"<invalidate n='1'/>", at(2)).await.done();
    assert_eq!(done.position.map(|p| p.0), Some(3));
    assert!(String::from_utf8(done.outbox[0].body.clone()).unwrap().contains("<position>3</position>"));
    let seen: Facts = facts(replacing(&second, 9)).await;
    assert_eq!((seen.replaced.map(|d| d.mark), seen.set.events, seen.set.invalid), (Some(Mark::Invalidated), 1, false));
    assert_eq!(states(2).await, [State::Valid, State::Invalidated], "the first is valid again");
    assert_eq!(states(1).await, [State::Superseded, State::Valid], "as it was before");
    assert_eq!(states(0).await, [State::Valid, State::Future]);
    assert_eq!(ask(&*archive_, event(Invalidated, version(&second)), b"<twice/>", at(3)).await.refused(), [Code::E710]);
    assert_eq!(store(&*archive_, replacing(&second, 3), false, at(3)).await.refused(), [Code::E708]);

    ask(&*archive_, event(Invalidated, set(&first)), b"<whole/>", at(4)).await.done();
    assert_eq!(states(4).await, [State::Invalidated, State::Invalidated]);
    assert_eq!(store(&*archive_, replacing(&second, 3), false, at(5)).await.refused(), [Code::E708]);
    assert_eq!(ask(&*archive_, event(Reinstated, version(&first)), b"<not-so/>", at(5)).await.refused(), [Code::E711]);
    clean(&*archive_).await;

    // What was invalid by itself before stays so when the set comes back.
    ask(&*archive_, event(Reinstated, set(&first)), b"<back/>", at(6)).await.done();
    assert_eq!(states(6).await, [State::Valid, State::Invalidated]);
    ask(&*archive_, event(Reinstated, version(&second)), b"<back-too/>", at(7)).await.done();
    assert_eq!(states(7).await, [State::Superseded, State::Valid]);
    assert_eq!(states(4).await, [State::Invalidated, State::Invalidated], "the past does not change");
    assert_eq!(ask(&*archive_, event(Reinstated, set(&first)), b"<again/>", at(8)).await.refused(), [Code::E711]);
    store(&*archive_, replacing(&second, 3), false, at(9)).await.done();

    let history = archive_.history(&second.id).await.unwrap().unwrap();
    assert_eq!((history.versions.len(), history.events.len(), &history.set_id), (3, 4, &first.set_id));
    let whole = &history.events[1];
    assert_eq!((whole.position.0, &whole.record.scope, whole.record.reason.text.as_deref()), (4, &Scope::Set, Some("sanoja")));
    assert_eq!(whole.record.author.professional.as_deref(), Some("90000000017"));
    assert!(archive_.history(&document_id(77)).await.unwrap().is_none());
    assert_eq!(archive_.document(&first.id).await.unwrap().unwrap().octets, octets, "not an octet changed");
    assert_eq!(place.sql("SELECT count(*) FROM access_log WHERE action IN ('invalidate', 'reinstate')").await, "4");
    clean(&*archive_).await;
}

pub async fn an_invalidating_version_takes_its_set_along(place: Place) {
    let archive_ = place.open("one").await;
    let first = header(1);
    let second = replacing(&first, 2);
    store(&*archive_, first.clone(), false, at(0)).await.done();
    let done = store(&*archive_, second.clone(), true, at(1)).await.done();
    assert_eq!(done.position.map(|p| p.0), Some(2), "the answer names the document's entry; the event's follows");
    assert_eq!(archive_.head().await.unwrap().map(|(p, _)| p.0), Some(3));
    let history = || async { archive_.history(&first.set_id).await.unwrap().unwrap() };
    assert_eq!(history().await.states(at(1)), [State::Invalidated, State::Invalidating]);
    assert_eq!(store(&*archive_, replacing(&second, 3), false, at(2)).await.refused(), [Code::E708]);
    assert_eq!(store(&*archive_, replacing(&second, 3), true, at(2)).await.refused(), [Code::E708]);
    clean(&*archive_).await;
    ask(&*archive_, event(Reinstated, set(&first)), b"<back/>", at(3)).await.done();
    assert_eq!(history().await.states(at(3)), [State::Valid, State::Invalidating], "what only invalidated is never found");
    assert_eq!(ask(&*archive_, event(Reinstated, version(&second)), b"<back2/>", at(4)).await.refused(), [Code::E711]);
    assert_eq!(ask(&*archive_, event(Invalidated, version(&second)), b"<away/>", at(4)).await.refused(), [Code::E710]);
    store(&*archive_, replacing(&second, 3), false, at(5)).await.done();
    assert_eq!(history().await.states(at(5)), [State::Superseded, State::Invalidating, State::Valid]);
    clean(&*archive_).await;
}

pub async fn cases_and_relations_fall_back_to_what_is_valid(place: Place) {
    let archive_ = place.open("one").await;
    let (relation, open) = (relation_header(1, 1, false), case_header(2, 1, 1, false));
    let closed = arkki::domain::document::Header { case_state: Some(CaseState { closed: true }), service_task: Some("7".to_owned()), ..replacing(&open, 3) };
    let owner = |mut h: arkki::domain::document::Header| {
        h.client = relation.client;
        h
    };
    let (open, closed) = (owner(open), owner(closed));
    store(&*archive_, relation.clone(), false, at(0)).await.done();
    store(&*archive_, open.clone(), false, at(1)).await.done();
    store(&*archive_, closed.clone(), false, at(2)).await.done();
    let document = |n| owner(arkki::domain::document::Header { case_id: Some(case_id(1)), ..header(n) });
    let case = || async {
        let needs = Needs { document: Some(DocumentNeeds::of(&document(50))), ..needs(b"look", None) };
        archive_.facts(needs).await.unwrap().case.unwrap()
    };
    assert!(case().await.closed);
    ask(&*archive_, event(Invalidated, version(&closed)), b"<1/>", at(3)).await.done();
    let now = case().await;
    assert_eq!((now.closed, now.revision, now.invalid, now.service_task.as_deref()), (false, 3, false, Some("3")));
    clean(&*archive_).await;
    ask(&*archive_, event(Invalidated, version(&open)), b"<2/>", at(4)).await.done();
    let now = case().await;
    assert!(now.invalid && now.closed, "as its newest version says, and marked");
    clean(&*archive_).await;
    assert_eq!(store(&*archive_, document(10), false, at(5)).await.refused(), [Code::E712]);
    ask(&*archive_, event(Reinstated, version(&closed)), b"<3/>", at(6)).await.done();
    assert!(case().await.closed && !case().await.invalid);
    store(&*archive_, document(10), false, at(7)).await.done();

    // The relation goes: nothing new hangs on it or on its cases; what is archived stays as it is.
    ask(&*archive_, event(Invalidated, set(&relation)), b"<4/>", at(8)).await.done();
    assert!(case().await.relation_invalid && !case().await.invalid);
    assert_eq!(store(&*archive_, document(11), false, at(9)).await.refused(), [Code::E712]);
    assert_eq!(store(&*archive_, owner(case_header(12, 2, 1, false)), false, at(9)).await.refused(), [Code::E712]);
    let kept = archive_.history(&document_id(10)).await.unwrap().unwrap();
    assert_eq!(kept.states(at(9)), [State::Valid]);
    // An invalidating version ends what hangs there already.
    store(&*archive_, replacing(&document(10), 13), true, at(10)).await.done();
    ask(&*archive_, event(Reinstated, set(&relation)), b"<5/>", at(11)).await.done();
    store(&*archive_, document(11), false, at(12)).await.done();
    clean(&*archive_).await;
}

pub async fn every_damage_to_an_event_is_found(place: Place) {
    let archive_ = place.open("one").await;
    let (first, other) = (header(1), header(5));
    store(&*archive_, first.clone(), false, at(0)).await.done();
    store(&*archive_, other.clone(), false, at(0)).await.done();
    ask(&*archive_, event(Invalidated, version(&first)), b"<1/>", at(1)).await.done();
    store(&*archive_, replacing(&other, 6), true, at(2)).await.done();
    clean(&*archive_).await;
    let first_id = first.id.as_str();
    for (damage, mend, position) in [
        (
            "UPDATE document_event SET reason = 'muuta' WHERE position = 3".to_owned(),
            "UPDATE document_event SET reason = 'sanoja' WHERE position = 3".to_owned(),
            3,
        ),
        ("UPDATE document_event SET kind = 2 WHERE position = 3".to_owned(), "UPDATE document_event SET kind = 1 WHERE position = 3".to_owned(), 3),
        ("UPDATE document_event SET at = at + 1 WHERE position = 5".to_owned(), "UPDATE document_event SET at = at - 1 WHERE position = 5".to_owned(), 5),
        (
            "UPDATE document_event SET reason = NULL WHERE position = 5".to_owned(),
            "UPDATE document_event SET reason = 'sanoja' WHERE position = 5".to_owned(),
            5,
        ),
        (
            "UPDATE access_log SET action = 'store' WHERE position = 3".to_owned(),
            "UPDATE access_log SET action = 'invalidate' WHERE position = 3".to_owned(),
            3,
        ),
        (
            "UPDATE access_log SET action = 'replace' WHERE position = 4".to_owned(),
            "UPDATE access_log SET action = 'invalidate' WHERE position = 4".to_owned(),
            4,
        ),
        (format!("DELETE FROM invalid WHERE id = '{first_id}'"), format!("INSERT INTO invalid VALUES ('{first_id}', 1, 3)"), 3),
        (format!("INSERT INTO invalid VALUES ('{}', 1, 3)", other.id), format!("DELETE FROM invalid WHERE id = '{}' AND scope = 1", other.id), 3),
        (
            "INSERT INTO document_event (position, kind, set_id, at, sender, controller) VALUES (2, 2, '1.2.3', 0, 'x', '1.2')".to_owned(),
            "DELETE FROM document_event WHERE position = 2".to_owned(),
            2,
        ),
    ] {
        place.sql(&damage).await;
        let found = faults(&*archive_).await;
        assert!(!found.is_empty() && found.iter().all(|(at, _)| *at == position), "{damage}: {found:?}");
        place.sql(&mend).await;
        assert_eq!(faults(&*archive_).await, [], "{mend}");
    }
    place.sql("DELETE FROM document_event WHERE position = 5").await;
    assert!(faults(&*archive_).await.iter().any(|(at, what)| *at == 5 && what.contains("missing")));
}

pub async fn an_event_waits_for_its_document(place: Place) {
    let archive_ = place.open("one").await;
    let first = arkki::domain::document::Header { set_id: document_id(1), ..header(1) };
    let asked = event(Invalidated, set(&first));
    assert!(matches!(ask(&*archive_, asked.clone(), b"<early/>", at(0)).await, End::Held));
    done(archive_.commit(hold(b"<early/>", Awaited::Document(first.set_id.clone()), 60)).await.unwrap());
    let released = store(&*archive_, first.clone(), false, at(1)).await.done().released;
    assert_eq!(released.len(), 1, "the first version bears the set's id");
    let needs = Needs { event: Some(asked.target.clone()), ..needs(b"<early/>", None) };
    let facts = archive_.facts(needs).await.unwrap();
    let held = arkki::rules::lifecycle::Request { holding: arkki::rules::decide::Holding::Held(at(60)), ..request(asked, b"<early/>") };
    let arkki::rules::decide::Decision::Event { record, made, expects, .. } = arkki::rules::lifecycle::decide(&held, &facts, at(2)) else { panic!("no event") };
    let end = done(archive_.commit(superseding(expecting(event_commit(*record, made, b"<early/>"), expects), 1)).await.unwrap());
    assert_eq!(end.outbox.len(), 2, "the one who waited and this delivery");
    assert_eq!(archive_.counts().await.unwrap().held, 0);
    clean(&*archive_).await;
}
