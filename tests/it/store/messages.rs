//! Messages as operators look at them, and the reconciler that misses a row.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store::{self, Store};
use arkki::domain::change::{Commit, Committed};
use arkki::domain::facts::{Awaited, Standing};
use arkki::domain::ledger::{EntryKind, Position};
use arkki::domain::messages::{KeptOctets, MessageCriteria, MessageName, MessageRow, Road};
use arkki::domain::reconciling::Missing;
use arkki::pipeline::audit::{Looked, Plan, audit};
use arkki::pipeline::reconcile::{Reconciled, reconcile};
use arkki::ports::archive::Archive;
use arkki::ports::messages::{Messages, Reconciling};

use super::make::*;
use super::place::Place;

async fn open(place: &Place, instance: &str) -> Arc<Store> {
    store::open_store(&place.url, instance, Arc::new(SystemEntropy::open().unwrap())).await.unwrap()
}

/// A commit that came under this AMQP id, decided so many seconds after the first.
fn came(mut commit: Commit, amqp_id: &str, seconds: i64) -> Commit {
    commit.at = at(seconds);
    commit.road = Road {
        amqp_id: Some(amqp_id.to_owned()),
        received: Some(at(seconds - 3)),
        examined: Some(at(seconds - 2)),
        signed: Some(at(seconds - 1)),
        dead_letter: false,
    };
    match &mut commit.effect {
        arkki::domain::change::Effect::Archive(archive) => archive.entry.at = at(seconds),
        arkki::domain::change::Effect::Refuse(refuse) => refuse.entry.at = at(seconds),
        _ => {}
    }
    commit
}

/// Documents 1 to 6 at positions 1 to 6, a refusal E100 at 7, two of E200 at 8 and 9, a note at 10; a minute apart. And one on hold.
async fn filled(place: &Place) -> Arc<Store> {
    let archive_ = open(place, "one").await;
    for n in 1..=6 {
        done(archive_.commit(came(archive(header(n)), &format!("m-{n}"), 60 * i64::from(n))).await.unwrap());
    }
    for (n, octets, code) in [(7, "<a/>", "E100"), (8, "<b/>", "E200"), (9, "<c/>", "E200")] {
        done(archive_.commit(came(refuse(octets.as_bytes(), code), &format!("m-{n}"), 60 * n)).await.unwrap());
    }
    done(archive_.commit(came(note(b"<their-ack/>"), "m-10", 600)).await.unwrap());
    done(archive_.commit(came(hold(b"<waits/>", Awaited::Case(case_id(1)), 900), "m-11", 660)).await.unwrap());
    archive_
}

/// Every position that a list shows, page by page.
async fn positions(archive_: &Store, criteria: &MessageCriteria, limit: u32) -> Vec<u64> {
    let (mut found, mut before) = (Vec::new(), None);
    for _ in 0..100 {
        let page = archive_.messages(criteria, before, limit).await.unwrap();
        assert!(page.rows.len() <= limit as usize);
        found.extend(page.rows.iter().map(|row: &MessageRow| row.position.map_or(0, |p| p.0)));
        before = page.next;
        if before.is_none() {
            return found;
        }
    }
    panic!("a list without an end");
}

pub async fn lists_know_every_criterion_and_page_without_a_gap(place: Place) {
    let archive_ = filled(&place).await;
    let all = MessageCriteria::default();
    let text = |text: &str| Some(text.to_owned());
    for limit in [1, 3, 50] {
        assert_eq!(positions(&archive_, &all, limit).await, (1..=10).rev().collect::<Vec<_>>(), "{limit} a page");
        for (criteria, wanted) in [
            (MessageCriteria { state: Some(Standing::Refused), ..all.clone() }, &[9_u64, 8, 7][..]),
            (MessageCriteria { state: Some(Standing::Noted), ..all.clone() }, &[10]),
            (MessageCriteria { state: Some(Standing::Accepted), ..all.clone() }, &[6, 5, 4, 3, 2, 1]),
            (MessageCriteria { state: Some(Standing::Answered), ..all.clone() }, &[]),
            (MessageCriteria { state: Some(Standing::Held), ..all.clone() }, &[0]),
            (MessageCriteria { code: text("E200"), ..all.clone() }, &[9, 8]),
            (MessageCriteria { code: text("E200"), sender: text("lab"), state: Some(Standing::Refused), ..all.clone() }, &[9, 8]),
            (MessageCriteria { code: text("E200"), sender: text("other"), ..all.clone() }, &[]),
            (MessageCriteria { sender: text("lab"), ..all.clone() }, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
            (MessageCriteria { from: Some(at(180)), until: Some(at(480)), ..all.clone() }, &[7, 6, 5, 4, 3]),
            (MessageCriteria { from: Some(at(180)), state: Some(Standing::Accepted), ..all.clone() }, &[6, 5, 4, 3]),
            (MessageCriteria { until: Some(at(180)), ..all.clone() }, &[2, 1]),
            (MessageCriteria { from: Some(at(10_000)), ..all.clone() }, &[]),
            (MessageCriteria { amqp_id: text("m-3"), ..all.clone() }, &[3]),
            // The one on hold bears the same id as the first.
            (MessageCriteria { amqp_id: text("m-1"), ..all.clone() }, &[0, 1]),
            (MessageCriteria { amqp_id: text("m-3"), state: Some(Standing::Refused), ..all.clone() }, &[]),
            (MessageCriteria { amqp_id: text("m-33"), ..all.clone() }, &[]),
            (MessageCriteria { document_id: text(document_id(4).as_str()), ..all.clone() }, &[4]),
            (MessageCriteria { document_id: text("1.2.3"), ..all.clone() }, &[]),
        ] {
            assert_eq!(positions(&archive_, &criteria, limit).await, wanted, "{criteria:?}, {limit} a page");
        }
    }
    let followed = archive_.decided_after(Position(6), 3).await.unwrap();
    assert_eq!(followed.iter().map(|row| (row.position.unwrap().0, row.state)).collect::<Vec<_>>(), [7, 8, 9].map(|n| (n, Standing::Refused)));
}

pub async fn a_messages_page_has_all_its_moments_and_decisions(place: Place) {
    let archive_ = filled(&place).await;
    let named = |text: &str| MessageName::parse(text).unwrap();
    let found = archive_.message(&named("3")).await.unwrap();
    let [facts] = &found[..] else { panic!("{found:?}") };
    let received = message(&header(3));
    assert_eq!((facts.row.key.clone(), facts.row.state, facts.has_octets, facts.has_answer), (key(&received), Standing::Accepted, true, true));
    let [decision] = &facts.decisions[..] else { panic!("{:?}", facts.decisions) };
    assert_eq!((decision.kind, decision.at, decision.answers, decision.waiting), (EntryKind::Archived, at(180), Some(1), 1));
    assert_eq!(
        decision.road,
        Road { amqp_id: Some("m-3".to_owned()), received: Some(at(177)), examined: Some(at(178)), signed: Some(at(179)), dead_letter: false }
    );
    assert_eq!((decision.instance.as_deref(), decision.delivered.len()), (Some("one"), 0));
    assert!(decision.archived.is_some(), "the transaction's own moment");
    // By the hash too, and by its beginning.
    let hex = key(&received).octets.to_hex();
    for name in [hex.clone(), format!("sha:{}", &hex[..12])] {
        assert_eq!(archive_.message(&named(&name)).await.unwrap(), found, "{name}");
    }
    assert_eq!(archive_.message(&named(&"0".repeat(64))).await.unwrap(), []);
    assert_eq!(archive_.message(&MessageName::Position(Position(99))).await.unwrap(), []);
    // What was received: the document without our signature; of a refusal the message itself.
    assert_eq!(archive_.message_octets(&key(&received)).await.unwrap(), Some(KeptOctets::Document(received)));
    assert_eq!(archive_.message_octets(&key(b"<a/>")).await.unwrap(), Some(KeptOctets::Message(b"<a/>".to_vec())));
    assert_eq!(archive_.message_octets(&key(b"<waits/>")).await.unwrap(), Some(KeptOctets::Message(b"<waits/>".to_vec())));
    assert_eq!(archive_.message_octets(&key(b"<unknown/>")).await.unwrap(), None);

    // Decided again, otherwise: both decisions, the newest first, each with its own way.
    let again = done(archive_.commit(came(superseding(refuse(b"<a/>", "E300"), 1), "m-12", 720)).await.unwrap());
    let found = archive_.message(&named("7")).await.unwrap();
    let [facts] = &found[..] else { panic!("{found:?}") };
    let decisions: Vec<_> = facts.decisions.iter().map(|d| (d.position.0, d.code.as_deref(), d.road.amqp_id.as_deref(), d.supersedes)).collect();
    assert_eq!(decisions, [(11, Some("E300"), Some("m-12"), Some(Position(7))), (7, Some("E100"), Some("m-7"), None)]);
    assert_eq!((facts.row.position, facts.row.revision), (Some(Position(11)), 2));

    // Delivered by another instance.
    let two = open(&place, "two").await;
    two.outbox_sent(&again.outbox.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
    let decision = archive_.message(&named("11")).await.unwrap()[0].decisions[0].clone();
    assert_eq!((decision.waiting, decision.delivered.iter().map(|d| d.instance.as_str()).collect::<Vec<_>>()), (0, vec!["two"]));

    // On hold: what for, and that somebody waits.
    let found = archive_.message(&named(&key(b"<waits/>").octets.to_hex())).await.unwrap();
    let hold = found[0].hold.clone().unwrap();
    assert_eq!((hold.awaits, hold.since, hold.until, hold.waiting), (Awaited::Case(case_id(1)), at(660), at(900), 1));
    assert_eq!((found[0].row.state, found[0].row.position, found[0].decisions.len()), (Standing::Held, None, 0));
}

pub async fn what_left_is_a_row_a_run(place: Place) {
    let archive_ = open(&place, "one").await;
    let mut ids = Vec::new();
    for n in 1..=20 {
        ids.extend(done(archive_.commit(archive(header(n))).await.unwrap()).outbox.iter().map(|row| row.id));
    }
    // 1 to 9 and 11 to 20; then 10, and 3 once more under the same id, which is forgotten already.
    let first: Vec<_> = ids.iter().enumerate().filter(|(n, _)| *n != 9).map(|(_, id)| *id).collect();
    archive_.outbox_sent(&first).await.unwrap();
    assert_eq!(place.sql("SELECT count(*) FROM sent").await, "2");
    assert_eq!(place.sql("SELECT sum(last - first + 1) FROM sent").await, "19");
    assert_eq!(round(&archive_).await.unexplained, 0, "the tenth waits in the outbox");
    archive_.outbox_sent(&[ids[9], ids[2]]).await.unwrap();
    assert_eq!(place.sql("SELECT count(*) FROM sent").await, "3");
    assert_eq!(round(&archive_).await.unexplained, 0);
    // A repeat leaves again, at the position that it had.
    let repeated = done(archive_.commit(repeat(&key(&message(&header(5))), "again")).await.unwrap());
    archive_.outbox_sent(&repeated.outbox.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
    let facts = archive_.message(&MessageName::Position(Position(5))).await.unwrap();
    assert_eq!(facts[0].decisions[0].delivered.len(), 2);
}

async fn round(archive_: &Store) -> Reconciled {
    reconcile(archive_, None, Duration::ZERO, &mut |_| ()).await.unwrap()
}

pub async fn a_row_deleted_by_hand_is_named_in_one_round(place: Place) {
    let archive_ = filled(&place).await;
    archive_.outbox_sent(&leased(&archive_).await).await.unwrap();
    let clean = round(&archive_).await;
    assert_eq!((clean.entries, clean.held, clean.unexplained, clean.unanswered), (10, 1, 0, 0), "{:?}", clean.named);
    let id = |n| format!("'{}'", document_id(n));
    let mut known = BTreeSet::new();
    // Each loss adds its own to those before it, and nothing else.
    for (statement, position, missing) in [
        (format!("DELETE FROM document_octets WHERE document_id = {}", id(1)), Some(1), Missing::Octets),
        (format!("DELETE FROM document WHERE id = {}", id(2)), Some(2), Missing::Document),
        ("DELETE FROM access_log WHERE position = 3".to_owned(), Some(3), Missing::LogRows),
        ("UPDATE inbox SET answer = NULL WHERE position = 4".to_owned(), Some(4), Missing::StoredAnswer),
        ("DELETE FROM ledger WHERE position = 5".to_owned(), Some(5), Missing::Entry),
        ("DELETE FROM inbox WHERE position = 6".to_owned(), Some(6), Missing::Message),
        ("UPDATE inbox SET octets = NULL WHERE position = 8".to_owned(), Some(8), Missing::Received),
        ("DELETE FROM refusal WHERE position = 9".to_owned(), Some(9), Missing::Refusal),
        ("DELETE FROM refusal_group WHERE code = 'E100'".to_owned(), Some(7), Missing::Refusal),
        ("DELETE FROM held".to_owned(), None, Missing::Held),
    ] {
        place.sql(&statement).await;
        known.insert((position, missing));
        let sum = round(&archive_).await;
        let found: BTreeSet<_> = sum.named.iter().map(|one| (one.position.map(|p| p.0), one.missing)).collect();
        assert_eq!(found, known, "{statement}");
        assert_eq!(sum.unexplained, known.len() as u64);
    }
    // The newest entry, behind which no other shows the gap.
    let newest = place.sql("SELECT max(position) FROM ledger").await;
    place.sql(&format!("CREATE TABLE aside AS SELECT * FROM ledger WHERE position = {newest}")).await;
    place.sql(&format!("DELETE FROM ledger WHERE position = {newest}")).await;
    let sum = round(&archive_).await;
    let lost: Vec<_> = sum.named.iter().filter(|one| one.missing == Missing::Entry).map(|one| one.position.map(|p| p.0.to_string())).collect();
    assert_eq!(lost, [Some("5".to_owned()), Some(newest)]);
    place.sql("INSERT INTO ledger SELECT * FROM aside").await;
    place.sql("DROP TABLE aside").await;
    assert_eq!(round(&archive_).await.unexplained, known.len() as u64);
    // An answer that neither waits nor has left.
    let unsent = done(archive_.commit(came(archive(header(9)), "m-13", 800)).await.unwrap());
    assert_eq!(round(&archive_).await.unexplained, known.len() as u64, "it waits");
    place.sql(&format!("DELETE FROM outbox WHERE id = {}", unsent.outbox[0].id.0)).await;
    let lost = round(&archive_).await;
    assert!(lost.named.iter().any(|one| one.missing == Missing::Answer && one.position == unsent.position), "{:?}", lost.named);
    // So is one that is noted as sent by a row that is gone.
    place.sql("DELETE FROM sent").await;
    let lost = round(&archive_).await;
    assert_eq!(
        lost.named.iter().filter(|one| one.missing == Missing::Answer).count(),
        9,
        "documents 1 to 4 and 6, refusals 7 to 9, and the last: {:?}",
        lost.named
    );
}

pub async fn what_a_former_release_did_is_judged_by_what_it_can_know(place: Place) {
    let archive_ = filled(&place).await;
    archive_.outbox_sent(&leased(&archive_).await).await.unwrap();
    // As a release without these tables leaves it: 7 it refused for want of an address, 8 with one, neither with a number of answers, 8 in no list; and whatever
    // left, left through it.
    place.sql("UPDATE ledger SET answers = NULL, code = 'E903' WHERE position = 7").await;
    place.sql("UPDATE ledger SET answers = NULL WHERE position = 8").await;
    place.sql("UPDATE refusal_group SET open = open - 1 WHERE id = (SELECT grp FROM refusal WHERE id = 8)").await;
    place.sql("DELETE FROM refusal WHERE id = 8").await;
    place.sql("DELETE FROM sent").await;
    let sum = round(&archive_).await;
    assert_eq!((sum.unexplained, sum.former, sum.unanswered), (0, 7, 1), "1 to 6 and 9, which said how many answers they made: {:?}", sum.named);
    assert_eq!(sum.unlisted, [Position(8)]);
    assert_eq!(archive_.list_refusals(&[Position(3), Position(8), Position(99)]).await.unwrap(), 1);
    assert_eq!(archive_.list_refusals(&sum.unlisted).await.unwrap(), 0, "once");
    assert_eq!(place.sql("SELECT count(*) FROM refusal_group WHERE finding = '*' AND code = 'E200' AND open = 1").await, "1");
    assert_eq!(place.sql("SELECT count(*) FROM refusal WHERE id = 8 AND state = 1 AND queue IS NULL").await, "1");
    assert_eq!(round(&archive_).await.unlisted, []);
    // Long after its last decision nothing is excused any more.
    let unsent = done(archive_.commit(came(archive(header(9)), "m-13", 2_000)).await.unwrap());
    place.sql(&format!("DELETE FROM outbox WHERE id = {}", unsent.outbox[0].id.0)).await;
    let sum = round(&archive_).await;
    let named: Vec<_> = sum.named.iter().map(|one| (one.position, one.missing)).collect();
    assert_eq!((named, sum.former), (vec![(unsent.position, Missing::Answer)], 7));
}

async fn leased(archive_: &Store) -> Vec<arkki::domain::outbox::OutboxId> {
    archive_.outbox_lease(at(100_000), 1000).await.unwrap().iter().map(|row| row.id).collect()
}

pub async fn old_refusals_are_forgotten_and_come_again(place: Place) {
    let archive_ = filled(&place).await;
    let forget = |seconds| archive_.forget_refused(at(seconds), at(5000), 10);
    assert_eq!(forget(5000).await.unwrap(), 1, "the note: nobody's answer to it waits; those of the refusals have not left");
    archive_.outbox_sent(&leased(&archive_).await).await.unwrap();
    assert_eq!(forget(60 * 8).await.unwrap(), 2, "decided up to then");
    assert_eq!(forget(60 * 8).await.unwrap(), 0);
    let kept = "SELECT count(*) FROM inbox WHERE octets IS NOT NULL AND standing <> 4";
    assert_eq!(place.sql(kept).await, "1");
    // Nobody misses what was forgotten.
    assert_eq!(round(&archive_).await.unexplained, 0);
    let report = audit(&*archive_, Plan::new(Arc::new(|_| Looked::default()), 1), &mut |_, _| ()).await.unwrap();
    let faults: Vec<_> = report.faults.iter().filter(|fault| !fault.what.contains("header")).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let found = archive_.message(&MessageName::Position(Position(7))).await.unwrap();
    assert_eq!((found[0].has_octets, found[0].has_answer, found[0].row.state), (false, false, Standing::Refused));
    // Who decided on a repeat just before it was forgotten decides again: else the message would be settled, and nobody answered.
    let late = archive_.commit(repeat(&key(b"<a/>"), "c-late")).await.unwrap();
    assert!(matches!(late, Committed::Stale), "{late:?}");
    // It comes again: the facts say that nothing is final, the answer is new, and its octets are kept again.
    let facts = archive_.facts(needs(b"<a/>", None)).await.unwrap();
    assert!(!facts.prior.as_ref().unwrap().is_final);
    let again = done(archive_.commit(superseding(refuse(b"<a/>", "E100"), 1)).await.unwrap());
    assert_eq!((again.position, again.outbox.len()), (Some(Position(11)), 1));
    assert_eq!(place.sql(kept).await, "2");
    let found = archive_.message(&MessageName::Position(Position(7))).await.unwrap();
    assert_eq!((found[0].has_octets, found[0].has_answer), (true, true));
    assert_eq!(round(&archive_).await.unexplained, 0);
}
