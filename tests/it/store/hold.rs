//! The waiting room: held, released, answered, expired.

use std::collections::BTreeSet;

use arkki::domain::facts::{Awaited, Standing};
use arkki::domain::ledger::Position;
use arkki::domain::message::{Reply, Sender};
use arkki::domain::outbox::OutboxEntry;
use arkki::ports::archive::Counts;

use super::make::*;
use super::place::Place;

pub async fn a_held_message_is_released_by_what_it_waits_for(place: Place) {
    let archive_ = place.open("one").await;
    for (n, awaits) in [(1, Awaited::Case(case_id(1))), (2, Awaited::Relation(relation_id(1))), (3, Awaited::Document(document_id(51)))] {
        let end = done(archive_.commit(hold(&message(&header(n)), awaits, 60)).await.unwrap());
        assert_eq!((end.position, end.outbox.len()), (None, 0));
    }
    // The same number under another sort is another id.
    done(archive_.commit(hold(b"never", Awaited::Case(document_id(51)), 60)).await.unwrap());
    assert_eq!(archive_.held_counts(&Sender::new(SENDER)).await.unwrap(), (4, 4));
    assert_eq!(archive_.held_counts(&Sender::new("ward")).await.unwrap(), (0, 4));
    assert!(archive_.held_due(at(59), 10).await.unwrap().is_empty());

    let bringing = [archive(relation_header(50, 1, false)), archive(case_header(51, 1, 1, false))];
    let mut released = Vec::new();
    for commit in bringing {
        released.extend(done(archive_.commit(commit).await.unwrap()).released);
    }
    let mut keys: Vec<_> = released.iter().map(|held| held.key.clone()).collect();
    keys.sort();
    let mut wanted: Vec<_> = (1..=3).map(|n| key(&message(&header(n)))).collect();
    wanted.sort();
    assert_eq!(keys, wanted);
    let first = released.iter().find(|held| held.key == key(&message(&header(1)))).unwrap();
    assert_eq!((first.revision, first.until, &first.awaits), (1, at(60), &Awaited::Case(case_id(1))));
    assert_eq!((first.envelope.octets.as_slice(), first.envelope.reply.is_none()), (message(&header(1)).as_slice(), true));
    assert_eq!((first.envelope.message_id.as_deref(), first.envelope.inbound.as_str(), first.envelope.profile.as_str()), (Some("m-1"), "main", "social"));
    // Whoever was released and not decided, by a crash, is found by the sweep.
    assert_eq!(archive_.held_due(at(1), 10).await.unwrap().len(), 3);
    assert_eq!(archive_.held_due(at(1), 2).await.unwrap().len(), 2);
}

pub async fn everybody_who_waited_is_answered_once(place: Place) {
    let archive_ = place.open("one").await;
    let sent = message(&header(1));
    done(archive_.commit(hold(&sent, Awaited::Case(case_id(1)), 60)).await.unwrap());
    for correlation in ["c", "d", "d"] {
        assert!(done(archive_.commit(repeat(&key(&sent), correlation)).await.unwrap()).outbox.is_empty());
    }
    let none = Reply { queue: "arkki.reply.lab.1".to_owned(), correlation: None };
    done(archive_.commit(replying(repeat(&key(&sent), ""), Some(none))).await.unwrap());
    let end = done(archive_.commit(replying(superseding(archive(header(1)), 1), None)).await.unwrap());
    let words: Vec<_> = end.outbox.iter().map(|row| row.correlation.as_deref()).collect();
    assert_eq!(words, [None, Some("c"), Some("d")]);
    assert!(end.outbox.iter().all(|row| row.body == end.outbox[0].body));
    assert_eq!(archive_.held_counts(&Sender::new(SENDER)).await.unwrap(), (0, 0));
    assert_eq!(place.sql("SELECT count(*) FROM held_reply").await, "0");
    let counts = archive_.counts().await.unwrap();
    assert_eq!(
        counts,
        Counts {
            documents: 1,
            messages: 1,
            accepted: 1,
            outbox: 3,
            ledger: 1,
            outbox_since: counts.outbox_since,
            held_since: counts.held_since,
            ..Counts::default()
        }
    );
}

pub async fn whoever_is_left_waiting_is_answered_by_the_sweep(place: Place) {
    let (archive_, other) = (place.open("one").await, place.open("two").await);
    let (sent, waits) = (message(&header(1)), b"another");
    for octets in [sent.as_slice(), waits] {
        done(archive_.commit(hold(octets, Awaited::Case(case_id(1)), 60)).await.unwrap());
        for number in 0..150 {
            done(archive_.commit(repeat(&key(octets), &format!("{number:03}"))).await.unwrap());
        }
    }
    assert_eq!(archive_.answer_left(at(2), 100).await.unwrap(), 0, "all of them wait for what is on hold");
    let end = done(archive_.commit(replying(superseding(archive(header(1)), 1), None)).await.unwrap());
    assert_eq!(end.outbox.len(), 64, "with the decision, as many as one transaction should answer");
    // Side by side, and nobody twice.
    let (one, two) = tokio::join!(archive_.answer_left(at(2), 50), other.answer_left(at(2), 50));
    let (one, two) = (one.unwrap(), two.unwrap());
    let rest = archive_.answer_left(at(2), 100).await.unwrap();
    assert!(one + two > 0 && one + two + rest == 151 - 64, "{one} {two} {rest}");
    assert_eq!(archive_.answer_left(at(2), 100).await.unwrap(), 0);
    let left = archive_.outbox_lease(at(2), 200).await.unwrap();
    assert_eq!(left.len(), 151 - 64, "nobody's lease yet");
    let all: Vec<_> = end.outbox.iter().chain(&left).collect();
    assert!(all.iter().all(|row| row.body == all[0].body && row.queue == all[0].queue && row.content_type == all[0].content_type));
    let different = |word: fn(&OutboxEntry) -> Option<&str>| all.iter().map(|row| word(row).unwrap()).collect::<BTreeSet<_>>().len();
    assert_eq!((different(|row| row.correlation.as_deref()), different(|row| Some(&row.amqp_id))), (151, 151));
    // Reckoned as sent like any other of the decision's.
    assert_eq!(place.sql("SELECT count(*) FROM outbox WHERE position = 1").await, "151");
    assert_eq!(place.sql("SELECT count(*) FROM held_reply").await, "151", "of the message that is still on hold");
}

pub async fn a_hold_that_is_too_late_is_stale(place: Place) {
    let archive_ = place.open("one").await;
    let sent = message(&header(1));
    // Side by side: whichever comes first, the message is never left waiting for what is there.
    let (brought, held) = tokio::join!(archive_.commit(archive(case_header(9, 1, 1, false))), archive_.commit(hold(&sent, Awaited::Case(case_id(1)), 60)));
    let brought = done(brought.unwrap());
    assert_eq!(is_stale(&held.unwrap()), brought.released.is_empty());
    assert!(is_stale(&archive_.commit(hold(b"later", Awaited::Case(case_id(1)), 60)).await.unwrap()));
}

pub async fn a_hold_whose_time_is_up_is_due_and_refused(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(hold(b"waits", Awaited::Case(case_id(1)), 60)).await.unwrap());
    let facts = archive_.facts(needs(b"waits", None)).await.unwrap();
    assert_eq!(standing(&facts), Some((Standing::Held, 1)));
    let due = archive_.held_due(at(60), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    // Held again for something else, it keeps its place and its replies.
    done(archive_.commit(replying(superseding(hold(b"waits", Awaited::Relation(relation_id(1)), 90), 1), None)).await.unwrap());
    assert!(archive_.held_due(at(60), 10).await.unwrap().is_empty());
    let due = archive_.held_due(at(90), 10).await.unwrap();
    assert_eq!((due[0].revision, &due[0].awaits), (2, &Awaited::Relation(relation_id(1))));
    let end = done(archive_.commit(replying(superseding(refuse(b"waits", "E300"), 2), None)).await.unwrap());
    assert_eq!((end.position, end.outbox.len(), end.outbox[0].correlation.as_deref()), (Some(Position(1)), 1, Some("c")));
    let counts = archive_.counts().await.unwrap();
    assert_eq!(
        counts,
        Counts { messages: 1, refused: 1, outbox: 1, ledger: 1, outbox_since: counts.outbox_since, held_since: counts.held_since, ..Counts::default() }
    );
}

pub async fn a_refused_message_may_be_held_and_then_accepted(place: Place) {
    let archive_ = place.open("one").await;
    let sent = message(&header(1));
    done(archive_.commit(refuse(&sent, "E300")).await.unwrap());
    let end = done(archive_.commit(superseding(hold(&sent, Awaited::Case(case_id(1)), 60), 1)).await.unwrap());
    assert!(end.outbox.is_empty(), "the old refusal is not sent again");
    let counts = archive_.counts().await.unwrap();
    assert_eq!(
        counts,
        Counts { messages: 1, held: 1, outbox: 1, ledger: 1, outbox_since: counts.outbox_since, held_since: counts.held_since, ..Counts::default() }
    );
    let end = done(archive_.commit(replying(superseding(archive(header(1)), 2), None)).await.unwrap());
    assert_eq!((end.position, end.outbox.len()), (Some(Position(2)), 1));
    let page = archive_.ledger_page(Position(1), 10).await.unwrap();
    assert_eq!(page[0].entry.supersedes, Some(Position(1)));
    let counts = archive_.counts().await.unwrap();
    assert_eq!(
        counts,
        Counts {
            documents: 1,
            messages: 1,
            accepted: 1,
            outbox: 2,
            ledger: 2,
            outbox_since: counts.outbox_since,
            held_since: counts.held_since,
            ..Counts::default()
        }
    );
}
