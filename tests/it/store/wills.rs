//! Wills in both archives: what is kept of them, what a decision may rely on, and who is shown them.

use arkki::crypto::sha256;
use arkki::domain::change::{Commit, Effect};
use arkki::domain::digest::Digest;
use arkki::domain::document::{Group, Header};
use arkki::domain::facts::Expectation;
use arkki::domain::ledger::Position;
use arkki::domain::lifecycle::{Author, EventKind, EventRecord, Scope};
use arkki::domain::limits::WILL_OCTETS;
use arkki::domain::oid::Oid;
use arkki::domain::query::{Criteria, Fetched, Found, Register, Registers, WantedState};
use arkki::domain::will::{Denied, Edition, Said, Wills};
use arkki::ports::archive::{Archive, Table};

use super::make::*;
use super::place::Place;
use crate::lifecycle::make::{event_commit, reason};

const LEAST: Edition = Edition { major: 2, minor: 0 };

fn client() -> Digest {
    sha256(b"client")
}

fn group(said: &Said) -> Group {
    match said {
        Said::Informed { .. } => Group::Informing,
        Said::Permitted(_) => Group::Permission,
        Said::Denials(_) | Said::Cancelled(_) => Group::Denial,
    }
}

/// A will of the client, authored a second after the one before.
fn will_header(n: u32, said: &Said) -> Header {
    Header { group: group(said), client: client(), service_task: None, authored: at(i64::from(n) - 60), ..header(n) }
}

fn will(header: Header, said: Said) -> Commit {
    let mut commit = archive(header);
    if let Effect::Archive(archive) = &mut commit.effect {
        archive.will = Some(said);
    }
    commit
}

async fn keep(archive_: &dyn Archive, n: u32, said: Said) {
    done(archive_.commit(will(will_header(n, &said), said)).await.unwrap());
}

async fn in_force(archive_: &dyn Archive) -> Wills {
    archive_.wills(&client()).await.unwrap().at(at(0), LEAST)
}

fn informed() -> Said {
    Said::Informed { edition: LEAST }
}

fn task(code: &str) -> Denied {
    Denied::Task(code.to_owned())
}

/// What happens to the whole set of the n-th document.
fn event_of(n: u32, kind: EventKind) -> Commit {
    let record = EventRecord {
        kind,
        set_id: header(n).set_id,
        scope: Scope::Set,
        by_document: None,
        at: at(0),
        sender: SENDER.to_owned(),
        controller: oid(10, 1),
        author: Author::default(),
        reason: reason(),
    };
    event_commit(record, (Group::Permission, None, None), format!("<event kind=\"{}\" of=\"{n}\"/>", kind.number()).as_bytes())
}

async fn happens(archive_: &dyn Archive, n: u32, kind: EventKind) {
    done(archive_.commit(event_of(n, kind)).await.unwrap());
}

pub async fn a_will_is_kept_with_its_document_and_folded(place: Place) {
    let archive_ = place.open("one").await;
    let archive_ = &*archive_;
    assert_eq!(in_force(archive_).await, Wills::default());
    keep(archive_, 1, informed()).await;
    keep(archive_, 2, Said::Permitted(true)).await;
    let denied = vec![task("24"), Denied::Document(oid(95, 77)), Denied::Controller(oid(10, 5))];
    keep(archive_, 3, Said::Denials(denied.clone())).await;
    let wills = in_force(archive_).await;
    assert_eq!((wills.informing, wills.permission, wills.denials.len()), (Some(document_id(1)), Some(document_id(2)), 3));
    assert_eq!(wills.newest, Some(Position(3)));
    assert!(denied.iter().all(|d| wills.denials.contains(&(d.clone(), document_id(3)))));
    // Another client has none of it.
    assert!(archive_.wills(&sha256(b"another")).await.unwrap().rows.is_empty());
    // Invalidated, it was never said; reinstated, it was.
    happens(archive_, 2, EventKind::Invalidated).await;
    let wills = in_force(archive_).await;
    assert_eq!((wills.permission, wills.newest), (None, Some(Position(4))));
    happens(archive_, 2, EventKind::Reinstated).await;
    let wills = in_force(archive_).await;
    assert_eq!((wills.permission, wills.newest), (Some(document_id(2)), Some(Position(5))));
    // A next version replaces the denials; a cancellation ends them.
    let second = replacing(&will_header(3, &Said::Denials(Vec::new())), 4);
    done(archive_.commit(will(second, Said::Denials(vec![task("25")]))).await.unwrap());
    assert_eq!(in_force(archive_).await.denials, [(task("25"), document_id(4))]);
    keep(archive_, 5, Said::Cancelled(vec![document_id(3)])).await;
    assert!(in_force(archive_).await.denials.is_empty());
    // A will of which nothing was read leaves nothing permitted.
    place.sql(&format!("DELETE FROM will WHERE document_id = '{}'", document_id(3))).await;
    assert!(archive_.wills(&client()).await.unwrap().is_cut);
    assert_eq!(in_force(archive_).await.permission, None);
    // What cannot be read is no answer at all.
    place.sql(&format!("UPDATE will SET said = 'permitted perhaps' WHERE document_id = '{}'", document_id(2))).await;
    assert!(archive_.wills(&client()).await.is_err());
}

/// However long the words of a client's wills, a decision reads a bounded part of them; and where it has not read all, nothing is permitted.
pub async fn words_without_end_are_cut(place: Place) {
    let archive_ = place.open("one").await;
    let archive_ = &*archive_;
    keep(archive_, 1, Said::Denials(vec![task("24")])).await;
    keep(archive_, 2, Said::Permitted(true)).await;
    let first = document_id(1);
    let grow = |to: &str| format!("UPDATE will SET said = {to} WHERE document_id = '{first}'");
    place.sql(&grow("'task 24_'")).await;
    let mut octets = "task 24_".len();
    while octets * 2 < WILL_OCTETS {
        place.sql(&grow("said || said")).await;
        octets *= 2;
    }
    place.sql(&grow("said || '\n'")).await;
    let all = archive_.wills(&client()).await.unwrap();
    assert_eq!((all.rows.len(), all.is_cut), (2, false), "half of what is allowed");
    assert_eq!(in_force(archive_).await.permission, Some(document_id(2)));
    place.sql(&grow("'task ' || replace(said, '\n', '') || said")).await;
    let cut = archive_.wills(&client()).await.unwrap();
    assert_eq!((cut.rows.len(), cut.is_cut), (1, true));
    assert_eq!(in_force(archive_).await.permission, None);
}

pub async fn what_a_will_names_is_looked_up(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(Header { client: client(), ..header(1) })).await.unwrap());
    keep(&*archive_, 2, informed()).await;
    let mut asked = needs(b"<message/>", None);
    assert!(archive_.facts(asked.clone()).await.unwrap().wills.is_none());
    asked.wills = Some(client());
    asked.named = vec![document_id(1), document_id(77)];
    let facts = archive_.facts(asked).await.unwrap();
    assert_eq!(facts.wills.unwrap().at(at(0), LEAST).informing, Some(document_id(2)));
    let named: Vec<_> = facts.named.iter().map(|n| (n.id.clone(), n.group, n.client)).collect();
    assert_eq!(named, [(document_id(1), Group::Client, client())]);
}

pub async fn a_will_that_comes_meanwhile_makes_the_decision_stale(place: Place) {
    let archive_ = place.open("one").await;
    let archive_ = &*archive_;
    let relying = |n: u32, newest: Option<u64>| {
        let expectation = Expectation::Wills { client: client(), newest: newest.map(Position) };
        expecting(note(format!("<relies n=\"{n}\"/>").as_bytes()), [expectation])
    };
    done(archive_.commit(relying(1, None)).await.unwrap());
    keep(archive_, 1, Said::Permitted(true)).await;
    assert!(is_stale(&archive_.commit(relying(2, None)).await.unwrap()));
    done(archive_.commit(relying(3, Some(2))).await.unwrap());
    // Another client's will changes nothing.
    let other = Header { client: sha256(b"another"), ..will_header(2, &informed()) };
    done(archive_.commit(will(other, informed())).await.unwrap());
    done(archive_.commit(relying(4, Some(2))).await.unwrap());
    // Nor does an event about what is no will.
    done(archive_.commit(archive(Header { client: client(), ..header(3) })).await.unwrap());
    happens(archive_, 3, EventKind::Invalidated).await;
    done(archive_.commit(relying(5, Some(2))).await.unwrap());
    // An event about one does.
    happens(archive_, 1, EventKind::Invalidated).await;
    assert!(is_stale(&archive_.commit(relying(6, Some(2))).await.unwrap()));
    let newest = archive_.wills(&client()).await.unwrap().newest.unwrap().0;
    done(archive_.commit(relying(7, Some(newest))).await.unwrap());
    // In one batch: the withdrawal first, so whoever relied on the permission must look again.
    let withdrawal = Said::Permitted(false);
    let (first, second) = (archive_.commit(will(will_header(4, &withdrawal), withdrawal)), archive_.commit(relying(8, Some(newest))));
    let (first, second) = tokio::join!(first, second);
    done(first.unwrap());
    assert!(is_stale(&second.unwrap()));
    let newest = archive_.wills(&client()).await.unwrap().newest.unwrap().0;
    let (first, second) = tokio::join!(archive_.commit(event_of(1, EventKind::Reinstated)), archive_.commit(relying(9, Some(newest))));
    done(first.unwrap());
    assert!(is_stale(&second.unwrap()));
}

pub async fn no_search_shows_a_will_but_the_one_for_wills(place: Place) {
    let archive_ = place.open("one").await;
    let archive_ = &*archive_;
    done(archive_.commit(archive(Header { client: client(), ..header(1) })).await.unwrap());
    keep(archive_, 2, informed()).await;
    keep(archive_, 3, Said::Permitted(true)).await;
    let theirs = Header { controller: Oid::parse("1.2.246.10.99999984.10.1").unwrap(), ..will_header(4, &Said::Denials(vec![task("24")])) };
    done(archive_.commit(will(theirs, Said::Denials(vec![task("24")]))).await.unwrap());
    let every = [2, 3, 4].map(document_id);
    let wills = arkki::domain::scope::Scope::of(Registers::new(vec![Register::Wills]));
    let own = arkki::domain::scope::Scope::of(Registers::new(vec![Register::Controller(oid(10, 1))]));
    let all =
        arkki::domain::scope::Scope::of(Registers::new(vec![Register::Controller(oid(10, 1)), Register::Organisation(Oid::parse("1.2.246.10").unwrap())]));
    let by_client = Criteria { client: Some(client()), state: WantedState::Any, all_versions: true, ..Criteria::default() };
    let by_id = Criteria { ids: every.to_vec(), ..by_client.clone() };
    let by_group = Criteria { group: Some(Group::Denial), ..by_client.clone() };
    for (criteria, registers, wanted) in [
        (&by_client, &own, vec![1]),
        (&by_client, &all, vec![1]),
        (&by_id, &all, vec![]),
        (&by_group, &all, vec![]),
        (&by_client, &wills, vec![2, 3, 4]),
        (&by_id, &wills, vec![2, 3, 4]),
        (&by_group, &wills, vec![4]),
    ] {
        let Found::Hits(hits) = archive_.search(criteria, registers, 300).await.unwrap() else { panic!() };
        let mut found: Vec<_> = hits.iter().map(|hit| hit.header.id.clone()).collect();
        found.sort();
        let mut wanted: Vec<_> = wanted.into_iter().map(document_id).collect();
        wanted.sort();
        assert_eq!(found, wanted, "{criteria:?} {registers:?}");
        // The ways to narrow count no more than may be shown.
        if wanted.len() > 1 {
            let Found::TooMany(narrowing) = archive_.search(criteria, registers, 1).await.unwrap() else { panic!() };
            assert_eq!(narrowing.counted, wanted.len() as u64);
        }
    }
    for (registers, shown) in [(&own, 0), (&all, 0), (&wills, 3)] {
        let Fetched::Octets(octets) = archive_.fetch(&every, registers, 1_000_000).await.unwrap() else { panic!() };
        assert_eq!(octets.iter().flatten().count(), shown);
    }
    let Fetched::Octets(octets) = archive_.fetch(&[document_id(1)], &wills, 1_000_000).await.unwrap() else { panic!() };
    assert_eq!(octets, [None]);
}

pub async fn a_row_that_is_not_its_documents_is_found(place: Place) {
    let archive_ = place.open("one").await;
    let archive_ = &*archive_;
    keep(archive_, 1, informed()).await;
    done(archive_.commit(archive(header(2))).await.unwrap());
    let misfits = || async { archive_.misfits(Table::Will, "", 10).await.unwrap().found.len() };
    assert_eq!(misfits().await, 0);
    let stored = archive_.document(&document_id(1)).await.unwrap().unwrap();
    assert_eq!(stored.will, Some(Some(informed())));
    assert_eq!(archive_.document(&document_id(2)).await.unwrap().unwrap().will, Some(None));
    place.flip("will", "client", 3, "position = 1").await;
    assert_eq!(misfits().await, 1);
    place.flip("will", "client", 3, "position = 1").await;
    place.sql("UPDATE will SET position = 2 WHERE position = 1").await;
    assert_eq!(misfits().await, 1);
    place.sql("UPDATE will SET position = 1, said = 'edition 3.0x' WHERE position = 2").await;
    assert_eq!(misfits().await, 0);
    assert_eq!(archive_.document(&document_id(1)).await.unwrap().unwrap().will, None, "what cannot be read shows where the document is audited");
    place
        .sql(&format!("INSERT INTO will (document_id, client, position, kind, said) SELECT '{}', client, 9, 2, 'permitted true' FROM will", oid(95, 900)))
        .await;
    assert_eq!(misfits().await, 1);
}
