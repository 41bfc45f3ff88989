//! Rows, groups, lists, actions.

use arkki::domain::ledger::Position;
use arkki::domain::refused::{Deed, GROUPS, RefusalId, RefusedCriteria, RefusedState};
use arkki::ports::archive::Archive as _;
use arkki::ports::refusals::Refusals as _;

use super::{by, coded, of, open, refuse_at};
use crate::store::make::{archive_message, at, done, header, key, message, note, refuse, superseding};
use crate::store::place::Place;

pub async fn a_refusal_has_an_address_a_group_and_its_surroundings(place: Place) {
    let archive = open(&place).await;
    for n in 0..3 {
        done(archive.commit(of(refuse_at(format!("<a{n}/>").as_bytes(), "E305", "/a/b"), "lab", n)).await.unwrap());
    }
    done(archive.commit(of(refuse_at(b"<b/>", "E305", "/a/b"), "ward", 3)).await.unwrap());
    done(archive.commit(of(refuse_at(b"<c/>", "E305", "/a/c"), "ward", 4)).await.unwrap());
    done(archive.commit(note(b"<ack/>")).await.unwrap());

    let groups = archive.refusal_groups(&RefusedCriteria::default(), None, 10).await.unwrap();
    let seen: Vec<_> = groups.iter().map(|g| (g.finding.as_str(), g.counts, g.sender_count, g.senders.join(","))).collect();
    assert_eq!(seen, [("/a/b", [4, 0, 0, 0], 2, "lab,ward".to_owned()), ("/a/c", [1, 0, 0, 0], 1, "ward".to_owned())]);
    assert_eq!((groups[0].first_at, groups[0].last_at), (at(0), at(3)));
    assert_eq!(archive.refusal_groups(&coded("E101"), None, 10).await.unwrap(), []);
    for (ids, wanted) in [(&[5][..], &["/a/c"][..]), (&[1, 5], &["/a/b", "/a/c"]), (&[999_999], &[])] {
        let named = RefusedCriteria { ids: ids.iter().copied().map(RefusalId).collect(), ..RefusedCriteria::default() };
        let groups = archive.refusal_groups(&named, None, 10).await.unwrap();
        assert_eq!(groups.iter().map(|g| g.finding.as_str()).collect::<Vec<_>>(), wanted, "{ids:?}");
    }
    let held = RefusedCriteria { state: Some(RefusedState::Held), ..RefusedCriteria::default() };
    assert_eq!(archive.refusal_groups(&held, None, 10).await.unwrap(), []);

    let whole = archive.refusal(RefusalId(2)).await.unwrap().unwrap();
    assert_eq!((whole.row.key.octets, whole.envelope.octets.as_slice()), (key(b"<a1/>").octets, b"<a1/>".as_slice()));
    let reply = whole.envelope.reply.unwrap();
    assert_eq!((reply.queue.as_str(), reply.correlation.as_deref()), ("arkki.reply.lab.1", Some("c")));
    assert_eq!((whole.envelope.message_id.as_deref(), whole.envelope.profile.as_str()), (Some("m-1"), "kanta-social"));
    assert!(whole.answer.is_some() && !whole.is_final && whole.actions.is_empty() && whole.replays.is_empty());
    assert!(archive.refusal(RefusalId(99)).await.unwrap().is_none());

    // Refused for something else, it is in another group, under the address that it has.
    done(archive.commit(superseding(refuse_at(b"<a1/>", "E402", "/x"), 1)).await.unwrap());
    let moved = archive.refusal(RefusalId(2)).await.unwrap().unwrap().row;
    assert_eq!((moved.code.as_str(), moved.position, moved.id), ("E402", Position(7), RefusalId(2)));
    assert_eq!(archive.refusal_groups(&coded("E305"), None, 10).await.unwrap()[0].counts, [3, 0, 0, 0]);
    assert_eq!(archive.refusal_at(Position(7)).await.unwrap(), Some(RefusalId(2)));
    assert_eq!(archive.refusal_at(Position(2)).await.unwrap(), Some(RefusalId(2)));
    assert_eq!(archive.refusal_at(Position(6)).await.unwrap(), None);
}

pub async fn lists_go_on_where_they_ended(place: Place) {
    let archive = open(&place).await;
    for n in 0..40_i64 {
        let (code, sender) = (["E305", "E402", "E101"][usize::try_from(n % 3).unwrap()], if n % 2 == 0 { "lab" } else { "ward" });
        done(archive.commit(of(refuse_at(format!("<a{n}/>").as_bytes(), code, "/a"), sender, n / 4)).await.unwrap());
    }
    let named = RefusedCriteria { ids: [1, 5, 40].map(RefusalId).to_vec(), ..RefusedCriteria::default() };
    for (criteria, wanted) in [
        (RefusedCriteria::default(), (0..40).rev().collect::<Vec<i64>>()),
        (coded("E402"), (0..40).rev().filter(|n| n % 3 == 1).collect()),
        (RefusedCriteria { sender: Some("ward".to_owned()), ..coded("E305") }, (0..40).rev().filter(|n| n % 3 == 0 && n % 2 == 1).collect()),
        (RefusedCriteria { from: Some(at(3)), until: Some(at(5)), ..RefusedCriteria::default() }, (12..20).rev().collect()),
        (RefusedCriteria { finding: Some("/b".to_owned()), ..RefusedCriteria::default() }, Vec::new()),
        (RefusedCriteria { state: Some(RefusedState::Open), ..RefusedCriteria::default() }, (0..40).rev().collect()),
        (RefusedCriteria { state: Some(RefusedState::Held), ..coded("E402") }, Vec::new()),
        (named, vec![39, 4, 0]),
    ] {
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let page = archive.refusals(&criteria, after, 7).await.unwrap();
            assert!(page.len() <= 7);
            let Some(last) = page.last() else { break };
            after = Some(last.mark());
            got.extend(page.iter().map(|row| i64::try_from(row.id.0).unwrap() - 1));
        }
        assert_eq!(got, wanted, "{}", criteria.shown());
    }
}

pub async fn what_is_taken_later_is_mended(place: Place) {
    let archive = open(&place).await;
    let sent = message(&header(1));
    done(archive.commit(refuse_at(&sent, "E402", "/a")).await.unwrap());
    done(archive.commit(superseding(archive_message(header(1), sent), 1)).await.unwrap());
    let row = archive.refusal(RefusalId(1)).await.unwrap().unwrap().row;
    assert_eq!((row.state, row.position), (RefusedState::Mended, Position(2)));
    assert_eq!(archive.refusal_groups(&RefusedCriteria::default(), None, 9).await.unwrap()[0].counts, [0, 0, 0, 1]);
    // The same refusal again writes nothing.
    done(archive.commit(refuse(b"<x/>", "E101")).await.unwrap());
    done(archive.commit(superseding(refuse(b"<x/>", "E101"), 1)).await.unwrap());
    assert_eq!(place.sql("SELECT count(*) FROM refusal").await, "2");
    assert_eq!(archive.refusal_groups(&coded("E101"), None, 9).await.unwrap()[0].counts, [1, 0, 0, 0]);
}

pub async fn what_is_done_is_kept_and_can_be_taken_back(place: Place) {
    let archive = open(&place).await;
    for n in 0..6 {
        done(archive.commit(refuse_at(format!("<a{n}/>").as_bytes(), "E305", "/a")).await.unwrap());
    }
    let ids = |ids: &[u64]| RefusedCriteria { ids: ids.iter().copied().map(RefusalId).collect(), ..RefusedCriteria::default() };
    let held = archive.act_on_refusals(&ids(&[1, 2]), Deed::Hold, &by(1)).await.unwrap();
    assert_eq!((held.count, held.more), (2, false));
    assert_eq!(archive.act_on_refusals(&ids(&[1, 2]), Deed::Hold, &by(1)).await.unwrap().action, None);
    let discarded = archive.act_on_refusals(&coded("E305"), Deed::Discard, &by(2)).await.unwrap();
    assert_eq!(discarded.count, 6);
    let counts = async || archive.refusal_groups(&RefusedCriteria::default(), None, 9).await.unwrap()[0].counts;
    assert_eq!(counts().await, [0, 0, 6, 0]);
    assert_eq!(archive.act_on_refusals(&coded("E305"), Deed::Comment, &by(3)).await.unwrap().count, 6);
    // One of them is sent again meanwhile and refused for something else: what was done to it before is past.
    done(archive.commit(superseding(refuse_at(b"<a5/>", "E402", "/a"), 1)).await.unwrap());
    let undone = archive.undo_action(discarded.action.unwrap(), &by(4)).await.unwrap().unwrap();
    assert_eq!((undone.count, counts().await), (5, [3, 2, 0, 0]));
    assert_eq!(archive.refusal_groups(&coded("E402"), None, 9).await.unwrap()[0].counts, [1, 0, 0, 0]);
    assert!(archive.undo_action(discarded.action.unwrap(), &by(5)).await.unwrap().is_none(), "once");
    // The hold is no longer the last thing done to them: what it would take back is not there.
    assert_eq!(archive.undo_action(held.action.unwrap(), &by(6)).await.unwrap().unwrap().count, 0);
    assert_eq!(archive.act_on_refusals(&ids(&[1, 2, 3]), Deed::Release, &by(7)).await.unwrap().count, 2);
    assert_eq!(counts().await, [5, 0, 0, 0]);

    let all = archive.refusal_actions(50).await.unwrap();
    let words: Vec<_> = all.iter().rev().map(|a| (a.deed, a.count, a.undoes.is_some(), a.undone_by.is_some())).collect();
    let none = (false, false);
    let wanted = [
        (Deed::Hold, 2, none.0, true),
        (Deed::Discard, 6, none.0, true),
        (Deed::Comment, 6, none.0, none.1),
        (Deed::Undo, 5, true, none.1),
        (Deed::Undo, 0, true, none.1),
        (Deed::Release, 2, none.0, none.1),
    ];
    assert_eq!(words, wanted);
    assert_eq!((all[0].by.who.as_str(), all[0].by.why.as_str(), all[0].by.at), ("operator:ada", "because", at(7)));
    let story: Vec<_> = archive.refusal(RefusalId(1)).await.unwrap().unwrap().actions.iter().map(|a| a.deed).collect();
    assert_eq!(story, [Deed::Hold, Deed::Discard, Deed::Comment, Deed::Undo, Deed::Release]);
}

pub async fn a_sender_who_makes_places_up_fills_no_table(place: Place) {
    let archive = open(&place).await;
    for n in 0..GROUPS + 30 {
        done(archive.commit(refuse_at(format!("<a{n}/>").as_bytes(), "E202", &format!("/made-up-{n}"))).await.unwrap());
    }
    let groups = archive.refusal_groups(&RefusedCriteria::default(), None, 1_000).await.unwrap();
    assert_eq!(groups.len(), usize::try_from(GROUPS).unwrap() + 1);
    assert_eq!((groups[0].finding.as_str(), groups[0].counts[0]), ("*", 30));
    assert_eq!(groups.iter().map(|g| g.counts[0]).sum::<u64>(), u64::from(GROUPS) + 30);
    // The list in pages is the list.
    let (mut paged, mut mark) = (Vec::new(), None);
    loop {
        let page = archive.refusal_groups(&RefusedCriteria::default(), mark.as_ref(), 40).await.unwrap();
        let Some(last) = page.last() else { break };
        mark = Some(last.mark());
        paged.extend(page);
    }
    assert_eq!(paged, groups);
}

pub async fn refusals_of_an_older_release_are_found(place: Place) {
    let archive = open(&place).await;
    for n in 0..3 {
        done(archive.commit(refuse(format!("<a{n}/>").as_bytes(), "E305")).await.unwrap());
    }
    done(archive.commit(note(b"<ack/>")).await.unwrap());
    drop(archive);
    for table in ["refusal", "refusal_group", "refusal_action", "refusal_acted", "replay_job", "replay_item"] {
        place.sql(&format!("DROP TABLE {table}")).await;
    }
    place.sql("DELETE FROM migration WHERE version = 13").await;
    let archive = open(&place).await;
    let groups = archive.refusal_groups(&RefusedCriteria::default(), None, 9).await.unwrap();
    assert_eq!((groups.len(), groups[0].counts, groups[0].finding.as_str()), (1, [3, 0, 0, 0], "*"));
    let rows = archive.refusals(&RefusedCriteria::default(), None, 9).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id.0).collect::<Vec<_>>(), [3, 2, 1]);
    let whole = archive.refusal(RefusalId(1)).await.unwrap().unwrap();
    assert_eq!((whole.envelope.reply, whole.envelope.octets.as_slice()), (None, b"<a0/>".as_slice()));
}
