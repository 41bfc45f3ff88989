//! What one commit does, and what it must not do.

use std::time::Duration;

use arkki::adapters::store;
use arkki::domain::facts::{CaseFact, DocumentNeeds, Expectation, RelationFact, Standing};
use arkki::domain::ledger::Position;
use arkki::domain::limits::OUTBOX_LEASE;
use arkki::domain::message::{MessageKey, Reply, Sender};
use arkki::ports::archive::Counts;

use super::make::*;
use super::place::Place;

pub async fn a_document_becomes_durable_with_all_that_belongs_to_it(place: Place) {
    let archive_ = place.open("one").await;
    assert!(archive_.head().await.unwrap().is_none());
    let head = header(1);
    let commit = framed(archive(head.clone()), "f-1");
    let sent = message(&head);
    let mut asked = needs(&sent, Some(&head));
    asked.frame = Some(frame("f-1"));
    let before = archive_.facts(asked.clone()).await.unwrap();
    assert!(before.prior.is_none() && before.frame.is_none() && before.document.is_none() && before.latest.is_none());

    let end = done(archive_.commit(commit.clone()).await.unwrap());
    assert_eq!(end.position, Some(Position(1)));
    assert_eq!(end.outbox.len(), 1);
    let out = &end.outbox[0];
    assert_eq!(out.body, draft(&format!("AA {}", head.id)).at(Position(1)));
    assert_eq!((out.queue.as_str(), out.correlation.as_deref(), out.content_type.as_str()), ("arkki.reply.lab.1", Some("c"), "application/xml"));
    assert_eq!(out.amqp_id.len(), 36);

    let after = archive_.facts(asked).await.unwrap();
    assert_eq!(standing(&after), Some((Standing::Accepted, 1)));
    assert!(after.prior.unwrap().is_final);
    assert_eq!(after.frame, Some(key(&sent).octets));
    let fact = after.document.unwrap();
    assert_eq!((&fact.id, fact.version, fact.received, fact.client), (&head.id, 1, key(&sent).octets, head.client));
    assert_eq!(after.latest, Some(fact));

    // Another archive, opened anew, sees the same.
    let other = place.open("two").await;
    let counts = other.counts().await.unwrap();
    assert!(counts.outbox_since.is_some());
    assert_eq!(counts, Counts { documents: 1, messages: 1, accepted: 1, outbox: 1, ledger: 1, outbox_since: counts.outbox_since, ..Counts::default() });
    let page = other.ledger_page(Position(0), 10).await.unwrap();
    assert_eq!((page.len(), page[0].hash), (1, other.head().await.unwrap().unwrap().1));
    let decision = other.decision_at(Position(1)).await.unwrap().unwrap();
    assert_eq!((decision.message, decision.answer.as_ref(), decision.octets), (key(&sent).octets, Some(&out.body), None));
    assert_eq!(place.sql("SELECT count(*) FROM access_log WHERE position = 1 AND service_request = 'PP42' AND purpose IS NULL").await, "1");
    other.ping().await.unwrap();
}

pub async fn a_header_comes_back_as_it_was(place: Place) {
    let archive_ = place.open("one").await;
    let mut full = replacing(&case_header(1, 1, 1, true), 2);
    full.organiser = Some(oid(10, 2));
    full.original_task = Some(("1.2.246.537.6.1220".to_owned(), "7".to_owned()));
    full.specific_type = Some("Åbo ärende".to_owned());
    full.created = Some(at(-30));
    for head in [header(3), full, relation_header(4, 9, false)] {
        done(archive_.commit(archive(head.clone())).await.unwrap());
        let stored = archive_.document(&head.id).await.unwrap().unwrap();
        assert_eq!(stored.header.as_ref(), Some(&head));
        assert_eq!((stored.splice, stored.at), ((9, 12), at(0)));
        assert_eq!(archive_.document_at(stored.position).await.unwrap().unwrap().octets, stored.octets);
    }
    assert!(archive_.document(&document_id(99)).await.unwrap().is_none());
}

pub async fn a_repeat_gets_the_stored_octets_under_its_own_words(place: Place) {
    let archive_ = place.open("one").await;
    let first = done(archive_.commit(archive(header(1))).await.unwrap());
    let refused = done(archive_.commit(refuse(b"<bad/>", "E100")).await.unwrap());
    for (key, first) in [(key(&message(&header(1))), first), (key(b"<bad/>"), refused)] {
        let again = done(archive_.commit(repeat(&key, "again")).await.unwrap());
        assert_eq!(again.position, first.position);
        let (a, b) = (&first.outbox[0], &again.outbox[0]);
        assert_eq!((&a.body, b.correlation.as_deref()), (&b.body, Some("again")));
        assert_ne!(a.amqp_id, b.amqp_id);
        let silent = done(archive_.commit(replying(repeat(&key, ""), None)).await.unwrap());
        assert!(silent.outbox.is_empty());
    }
    assert!(is_stale(&archive_.commit(repeat(&key(b"never seen"), "x")).await.unwrap()));
    assert_eq!(archive_.counts().await.unwrap().ledger, 2);
}

pub async fn one_key_one_id_one_version_one_frame(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(framed(archive(header(1)), "f")).await.unwrap());
    let same_set = arkki::domain::document::Header { id: document_id(3), ..header(1) };
    for (why, commit) in [
        ("key", archive(header(1))),
        ("id", archive_message(header(1), b"<document other octets/>".to_vec())),
        ("version", archive(same_set)),
        ("frame", framed(archive(header(2)), "f")),
        ("revision", superseding(archive(header(1)), 2)),
        ("new key with a revision", superseding(archive(header(4)), 1)),
        ("an acceptance is final", superseding(refuse(&message(&header(1)), "E100"), 1)),
    ] {
        assert!(is_stale(&archive_.commit(commit).await.unwrap()), "{why}");
    }
    // A frame's id is the sender's own.
    let mut other = framed(archive(header(5)), "f");
    other.key = MessageKey { sender: Sender::new("ward"), ..other.key };
    done(archive_.commit(other).await.unwrap());
    assert_eq!(archive_.counts().await.unwrap().documents, 2);
    assert_eq!(place.sql("SELECT count(*) FROM document_octets").await, "2", "a stale commit leaves nothing behind");
}

pub async fn what_was_relied_on_must_still_hold(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(relation_header(1, 1, false))).await.unwrap());
    done(archive_.commit(archive(case_header(2, 1, 1, false))).await.unwrap());
    let document = |n, present| Expectation::Document { id: document_id(n), present };
    let latest = |n, version| Expectation::Latest { set_id: set_id(n), version };
    let case = |n, revision| Expectation::Case { id: case_id(n), revision };
    let relation = |n, revision| Expectation::Relation { id: relation_id(n), revision };
    let held =
        [document(1, true), document(9, false), latest(1, Some(1)), latest(9, None), case(1, Some(1)), case(9, None), relation(1, Some(1)), relation(9, None)];
    let broken =
        [document(1, false), document(9, true), latest(1, None), latest(1, Some(2)), latest(9, Some(1)), case(1, None), case(1, Some(2)), relation(9, Some(1))];
    for (n, expectation) in (100..).zip(broken) {
        let commit = expecting(archive(header(n)), held.iter().cloned().chain([expectation.clone()]));
        assert!(is_stale(&archive_.commit(commit).await.unwrap()), "{expectation:?}");
    }
    done(archive_.commit(expecting(archive(header(200)), held)).await.unwrap());
}

pub async fn cases_and_relations_count_their_revisions(place: Place) {
    let archive_ = place.open("one").await;
    let (relation, case) = (relation_header(1, 1, false), case_header(2, 1, 1, false));
    done(archive_.commit(archive(relation.clone())).await.unwrap());
    done(archive_.commit(archive(case.clone())).await.unwrap());
    let ask = || async {
        let mut asked = needs(b"x", Some(&case));
        asked.document = Some(DocumentNeeds { replaces: Some(case.id.clone()), ..DocumentNeeds::of(&case) });
        archive_.facts(asked).await.unwrap()
    };
    let facts = ask().await;
    let first = CaseFact {
        id: case_id(1),
        revision: 1,
        closed: false,
        client: case.client,
        controller: case.controller.clone(),
        service_task: Some("3".to_owned()),
        set_id: case.set_id.clone(),
        relation_id: Some(relation_id(1)),
        relation_old: false,
        relation_revision: Some(1),
        invalid: false,
        relation_invalid: false,
    };
    assert_eq!(facts.case.as_ref(), Some(&first));
    assert_eq!(facts.replaced, facts.document);
    let known = RelationFact {
        id: relation_id(1),
        revision: 1,
        old: false,
        client: relation.client,
        controller: relation.controller.clone(),
        set_id: relation.set_id.clone(),
        invalid: false,
    };
    assert_eq!(facts.relation.as_ref(), Some(&known));

    let mut closed = replacing(&case, 3);
    closed.case_state = Some(arkki::domain::document::CaseState { closed: true });
    done(archive_.commit(archive(closed.clone())).await.unwrap());
    let mut old = replacing(&relation, 4);
    old.relation_state = Some(arkki::domain::document::RelationState { old: true });
    done(archive_.commit(archive(old)).await.unwrap());
    let facts = ask().await;
    assert_eq!(facts.case, Some(CaseFact { revision: 2, closed: true, relation_old: true, relation_revision: Some(2), ..first.clone() }));
    assert_eq!(facts.relation, Some(RelationFact { revision: 2, old: true, ..known }));
    assert_eq!(facts.latest.map(|d| (d.id, d.version)), Some((document_id(3), 2)));

    // A case document that does not say leaves the case as it was.
    let mut silent = replacing(&closed, 5);
    silent.case_state = None;
    done(archive_.commit(archive(silent)).await.unwrap());
    assert_eq!(ask().await.case, Some(CaseFact { revision: 3, closed: true, relation_old: true, relation_revision: Some(2), ..first }));
}

pub async fn the_same_refusal_again_sends_the_same_octets(place: Place) {
    let archive_ = place.open("one").await;
    let first = done(archive_.commit(refuse(b"<bad/>", "E100")).await.unwrap());
    assert!(is_stale(&archive_.commit(refuse(b"<bad/>", "E100")).await.unwrap()));
    let again = done(archive_.commit(superseding(refuse(b"<bad/>", "E100"), 1)).await.unwrap());
    assert_eq!((again.position, &again.outbox[0].body), (Some(Position(1)), &first.outbox[0].body));
    let facts = archive_.facts(needs(b"<bad/>", None)).await.unwrap();
    assert_eq!(standing(&facts), Some((Standing::Refused, 2)));
    let counts = archive_.counts().await.unwrap();
    assert_eq!(counts, Counts { messages: 1, refused: 1, outbox: 2, ledger: 1, outbox_since: counts.outbox_since, ..Counts::default() });
    assert!(is_stale(&archive_.commit(superseding(refuse(b"<bad/>", "E100"), 1)).await.unwrap()));
}

pub async fn another_refusal_supersedes_the_first(place: Place) {
    let archive_ = place.open("one").await;
    let sent = message(&header(1));
    done(archive_.commit(refuse(&sent, "E100")).await.unwrap());
    let other = done(archive_.commit(superseding(refuse(&sent, "E200"), 1)).await.unwrap());
    assert_eq!(other.position, Some(Position(2)));
    let facts = archive_.facts(needs(&sent, None)).await.unwrap();
    assert_eq!(facts.prior.as_ref().map(|p| (p.revision, p.outcome)), Some((2, outcome("E200"))));
    let accepted = done(archive_.commit(superseding(archive(header(1)), 2)).await.unwrap());
    assert_eq!(accepted.position, Some(Position(3)));
    let page = archive_.ledger_page(Position(0), 10).await.unwrap();
    assert_eq!(page.iter().map(|c| c.entry.supersedes).collect::<Vec<_>>(), [None, Some(Position(1)), Some(Position(2))]);
    assert!(archive_.decision_at(Position(1)).await.unwrap().is_none());
    assert!(archive_.decision_at(Position(3)).await.unwrap().unwrap().octets.is_none());
    let counts = archive_.counts().await.unwrap();
    assert_eq!(
        counts,
        Counts {
            documents: 1,
            messages: 1,
            accepted: 1,
            outbox: 3,
            ledger: 3,
            outbox_since: counts.outbox_since,
            held_since: counts.held_since,
            ..Counts::default()
        }
    );
}

pub async fn a_note_is_kept_and_never_answered(place: Place) {
    let archive_ = place.open("one").await;
    let end = done(archive_.commit(note(b"<their-ack/>")).await.unwrap());
    assert_eq!((end.position, end.outbox.len()), (Some(Position(1)), 0));
    let again = done(archive_.commit(repeat(&key(b"<their-ack/>"), "x")).await.unwrap());
    assert!(again.outbox.is_empty());
    let facts = archive_.facts(needs(b"<their-ack/>", None)).await.unwrap();
    assert_eq!(standing(&facts), Some((Standing::Noted, 1)));
    assert_eq!(archive_.decision_at(Position(1)).await.unwrap().unwrap().octets.as_deref(), Some(b"<their-ack/>".as_slice()));
}

pub async fn hostile_words_are_kept_as_they_came(place: Place) {
    let archive_ = place.open("one").await;
    let long = "x".repeat(60_000);
    let mut commit = framed(archive(header(1)), &long);
    let words = Reply { queue: "q\0'\u{1F600}".to_owned(), correlation: Some("\0; DROP TABLE inbox; --".to_owned()) };
    commit.reply = Some(words.clone());
    let out = done(archive_.commit(commit).await.unwrap()).outbox;
    assert_eq!((&out[0].queue, &out[0].correlation), (&words.queue, &words.correlation));
    let leased = archive_.outbox_lease(at(3600), 10).await.unwrap();
    assert_eq!(leased, out);
    let mut asked = needs(b"", None);
    asked.frame = Some(frame(&long));
    assert!(archive_.facts(asked).await.unwrap().frame.is_some());
    // A message of no octets is a message too.
    done(archive_.commit(refuse(b"", "E001")).await.unwrap());
    let mut hostile = hold(b"held", arkki::domain::facts::Awaited::Case(case_id(1)), 60);
    if let arkki::domain::change::Effect::Hold(held) = &mut hostile.effect {
        held.envelope.message_id = Some("\0".to_owned());
        held.envelope.content_type = None;
    }
    hostile.reply = Some(words.clone());
    done(archive_.commit(hostile).await.unwrap());
    let due = archive_.held_due(at(61), 10).await.unwrap();
    assert_eq!((due[0].envelope.message_id.as_deref(), due[0].envelope.content_type.as_deref()), (Some("\0"), None));
}

pub async fn the_outbox_leases_forgets_and_keeps(place: Place) {
    let (one, two) = (place.open("one").await, place.open("two").await);
    let mut rows = Vec::new();
    for n in 1..=3 {
        rows.extend(done(one.commit(archive(header(n))).await.unwrap()).outbox);
    }
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    // While the maker's lease runs nobody else gets them.
    assert!(two.outbox_lease(at(1), 10).await.unwrap().is_empty());
    let later = at(0).plus(OUTBOX_LEASE);
    let leased = two.outbox_lease(later, 2).await.unwrap();
    assert_eq!(leased, rows[..2]);
    assert_eq!(one.outbox_lease(later, 10).await.unwrap(), rows[2..]);
    assert!(one.outbox_lease(later, 10).await.unwrap().is_empty());
    two.outbox_sent(&ids[..1]).await.unwrap();
    two.outbox_sent(&ids[..1]).await.unwrap();
    two.outbox_sent(&[]).await.unwrap();
    let again = later.plus(Duration::from_secs(120));
    two.outbox_unroutable(ids[1], again).await.unwrap();
    let counts = one.counts().await.unwrap();
    assert_eq!((counts.outbox, counts.unroutable), (2, 1));
    let third = one.outbox_lease(later.plus(OUTBOX_LEASE), 10).await.unwrap();
    assert_eq!(third.iter().map(|row| row.id).collect::<Vec<_>>(), ids[2..]);
    let back = one.outbox_lease(again, 10).await.unwrap();
    assert_eq!(back.iter().find(|row| row.id == ids[1]).map(|row| (row.attempts, &row.amqp_id)), Some((1, &rows[1].amqp_id)));
    one.outbox_sent(&ids).await.unwrap();
    assert_eq!(one.counts().await.unwrap().outbox, 0);
}

/// Answers may be as large as messages: a lease takes what fits into memory, in their order, and the rest next time.
pub async fn a_lease_is_bounded_in_octets(place: Place) {
    let one = place.open("one").await;
    let mut ids = Vec::new();
    for n in 0..4 {
        let mut commit = refuse(format!("message {n}").as_bytes(), "E305");
        if let arkki::domain::change::Effect::Refuse(refuse) = &mut commit.effect {
            let answer = draft(&"x".repeat(15 << 20));
            refuse.entry.answer = Some(answer.digest);
            refuse.answer = Some(answer);
        }
        ids.push(done(one.commit(commit).await.unwrap()).outbox[0].id);
    }
    for part in [&ids[..3], &ids[3..], &[]] {
        let leased = one.outbox_lease(at(3600), 10).await.unwrap();
        assert_eq!(leased.iter().map(|row| row.id).collect::<Vec<_>>(), part);
    }
}

pub async fn migrations_run_once_and_strangers_are_refused(place: Place) {
    let (a, b) = tokio::join!(store::migrate(&place.url), store::migrate(&place.url));
    let mut run = [a.unwrap(), b.unwrap()];
    run.sort();
    assert_eq!((run[0].len(), run[1].first().map(String::as_str)), (0, Some("0001_archive.sql")));
    assert!(store::migrate(&place.url).await.unwrap().is_empty());
    place.sql("UPDATE migration SET checksum = 'other' WHERE version = 1").await;
    assert!(store::migrate(&place.url).await.unwrap_err().detail.contains("differs"));
    place.sql("DELETE FROM migration").await;
    place.sql("INSERT INTO migration VALUES (9999, 'future', '')").await;
    assert!(store::migrate(&place.url).await.unwrap_err().detail.contains("newer"));
}
