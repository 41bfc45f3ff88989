//! The database goes away and comes back; one commit is at fault and the others are not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::domain::change::Committed;
use arkki::domain::ledger::Position;
use arkki::domain::outage::{Outage, Part};
use arkki::domain::query::{Criteria, Fetched, Found, Register, Registers};
use arkki::domain::scope::Scope;
use arkki::ports::archive::Archive;
use futures_util::future::join_all;
use sqlx::Connection as _;

use super::make::*;
use super::place::Place;
use crate::kit;

/// Nobody waits longer than this to learn of an outage.
const PROMPT: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_is_an_outage_at_once_and_back_it_works() {
    let server = kit::postgres::own_server();
    let database = server.database().await;
    let archive_ = store::open(&database.url, "one", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let mut n = 0;
    for crash in [false, true] {
        n += 100;
        done(archive_.commit(archive(header(n))).await.unwrap());
        archive_.facts(needs(b"", None)).await.unwrap();
        archive_.counts().await.unwrap();
        tokio::task::block_in_place(|| if crash { server.kill9() } else { server.stop() });
        let begun = Instant::now();
        let commits = join_all((1..=200).map(|i| archive_.commit(archive(header(n + 1000 + i))))).await;
        assert!(commits.iter().all(|end| end.as_ref().is_err_and(|outage| outage.part == Part::Archive)));
        assert!(archive_.facts(needs(b"", None)).await.is_err());
        assert!(archive_.counts().await.is_err());
        assert!(archive_.outbox_lease(at(0), 1).await.is_err());
        assert!(archive_.ping().await.is_err());
        assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
        tokio::task::block_in_place(|| server.start());
        archive_.ping().await.unwrap();
        archive_.facts(needs(b"", None)).await.unwrap();
        done(archive_.commit(archive(header(n + 1))).await.unwrap());
        done(archive_.commit(repeat(&key(&message(&header(n))), "again")).await.unwrap());
    }
    assert_eq!(archive_.counts().await.unwrap().documents, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_between_batches_cost_nobody_anything() {
    let place = Place::postgres().await;
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(header(1))).await.unwrap());
    archive_.counts().await.unwrap();
    archive_.facts(needs(b"", None)).await.unwrap();
    place.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").await;
    done(archive_.commit(archive(header(2))).await.unwrap());
    archive_.facts(needs(b"", None)).await.unwrap();
    assert_eq!(archive_.counts().await.unwrap().documents, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_the_database_refuses_is_unfit_and_alone() {
    let place = Place::postgres().await;
    let archive_ = place.open("one").await;
    let commits = (1..=50).map(|n| {
        let mut head = header(n);
        if n == 17 || n == 42 {
            // PostgreSQL's text takes no NUL; no XML attribute can hold one, so this stands for whatever we did not foresee.
            head.service_task = Some("270399-987X\0".to_owned());
        }
        archive_.commit(archive(head))
    });
    let ends = join_all(commits).await;
    let unfit = |end: &Result<Committed, Outage>| match end {
        Ok(Committed::Unfit(detail)) => Some(detail.clone()),
        _ => None,
    };
    let refused: Vec<usize> = ends.iter().zip(1..).filter(|(end, _)| unfit(end).is_some()).map(|(_, n)| n).collect();
    assert_eq!(refused, [17, 42]);
    for detail in ends.iter().filter_map(unfit) {
        assert!(detail.contains("22021") && !detail.contains("270399"), "{detail}");
    }
    let log = kit::postgres::server().log();
    assert!(!kit::canary::grep(&[&log], &["invalid byte sequence"]).is_empty(), "the server logged the error");
    assert!(kit::canary::grep(&[&log], &["270399-987X"]).is_empty(), "the server logged a value");
    assert_eq!(archive_.counts().await.unwrap().documents, 48);
    done(archive_.commit(archive(header(17))).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_row_troubles_only_who_asks_for_it() {
    let place = Place::postgres().await;
    let archive_ = place.open("one").await;
    for n in 1..=20 {
        done(archive_.commit(archive(header(n))).await.unwrap());
    }
    place.sql(&format!("UPDATE document SET doc_group = 77 WHERE id = '{}'", document_id(7))).await;
    let asked: Vec<_> = (1..=20).map(|n| needs(b"", Some(&header(n)))).collect();
    let ends = join_all(asked.into_iter().map(|needs| archive_.facts(needs))).await;
    let failed: Vec<usize> = ends.iter().zip(1..).filter(|(end, _)| end.is_err()).map(|(_, n)| n).collect();
    assert_eq!(failed, [7]);
}

#[tokio::test]
async fn a_wrong_address_is_an_outage() {
    let entropy = || Arc::new(SystemEntropy::open().unwrap());
    for url in ["mysql://x", "postgres:", "", "postgres://nobody@127.0.0.1:1/none", "sqlite:/no/such/folder/archive.db"] {
        let begun = Instant::now();
        let outcome = store::open(url, "one", entropy()).await;
        assert!(outcome.is_err(), "{url}");
        assert!(begun.elapsed() < PROMPT);
    }
}

/// An archive of one document that nobody can read before the lock is given back.
async fn locked() -> (Place, Arc<dyn Archive>, sqlx::PgConnection) {
    let place = Place::postgres().await;
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(header(1))).await.unwrap());
    let mut lock = sqlx::PgConnection::connect(&place.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE document IN ACCESS EXCLUSIVE MODE").execute(&mut lock).await.unwrap();
    (place, archive_, lock)
}

/// What asks for that document, and the scope in which it lies.
fn wanted() -> (Criteria, Scope) {
    (Criteria { ids: vec![document_id(1)], ..Criteria::default() }, Scope::of(Registers::new(vec![Register::Controller(oid(10, 1))])))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_searches_wait_for_each_other_and_nobody_for_them() {
    let (_place, archive_, mut lock) = locked().await;
    let searches: Vec<_> = (0..10)
        .map(|_| {
            let archive_ = Arc::clone(&archive_);
            tokio::spawn(async move {
                let (criteria, own) = wanted();
                archive_.search(&criteria, &own, 10).await.map(|found| matches!(found, Found::Hits(hits) if hits.len() == 1))
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    archive_.outbox_lease(at(0), 1).await.unwrap();
    archive_.ping().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // Longer than anyone waits for a free connection.
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert!(searches.iter().all(|search| !search.is_finished()));
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    assert!(join_all(searches).await.into_iter().all(|end| end.unwrap() == Ok(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_changed_under_a_running_gateway_costs_connections_and_no_answer() {
    let place = Place::postgres().await;
    let archive_ = place.open("one").await;
    let sent = message(&header(1));
    let everything = async |n: u32| {
        done(archive_.commit(archive(header(n))).await.unwrap());
        assert_eq!(done(archive_.commit(repeat(&key(&sent), "again")).await.unwrap()).outbox.len(), 1);
        assert!(archive_.facts(needs(&sent, None)).await.unwrap().prior.is_some());
        assert!(archive_.decision_at(Position(1)).await.unwrap().is_some());
        assert!(archive_.document(&document_id(1)).await.unwrap().is_some());
        archive_.counts().await.unwrap();
        archive_.outbox_lease(at(1_000), 1_000).await.unwrap();
    };
    // Twice, so that every connection has prepared what it asks.
    everything(1).await;
    everything(2).await;
    for change in [
        "ALTER TABLE inbox ALTER COLUMN code TYPE varchar(200)",
        "ALTER TABLE inbox ALTER COLUMN answer SET STORAGE EXTERNAL",
        "ALTER TABLE document ALTER COLUMN id TYPE varchar(300)",
        "ALTER TABLE outbox ALTER COLUMN amqp_id TYPE varchar(300)",
    ] {
        place.sql(change).await;
    }
    everything(3).await;
}

/// Two at a time, each ended after eight seconds: one after the other they would take eighty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_waits_half_a_minute_for_its_turn() {
    let (_place, archive_, mut lock) = locked().await;
    let (criteria, own) = wanted();
    let searches = join_all((0..20).map(|_| archive_.search(&criteria, &own, 10)));
    let ended = tokio::time::timeout(Duration::from_secs(60), searches).await.expect("whoever waits for a turn is told in time");
    assert!(ended.into_iter().all(|end| end.unwrap() == Found::TooSlow), "too slow, and no outage");
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    assert!(matches!(archive_.search(&criteria, &own, 10).await.unwrap(), Found::Hits(hits) if hits.len() == 1), "the turns are free again");
    lock.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_is_too_slow_is_its_askers_trouble() {
    let (_place, archive_, mut lock) = locked().await;
    let (criteria, own) = wanted();
    assert_eq!(archive_.search(&criteria, &own, 10).await.unwrap(), Found::TooSlow);
    assert_eq!(archive_.fetch(&criteria.ids, &own, 1 << 20).await.unwrap(), Fetched::TooSlow);
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    // The same connection serves the next.
    assert!(matches!(archive_.search(&criteria, &own, 10).await.unwrap(), Found::Hits(hits) if hits.len() == 1));
    lock.close().await.unwrap();
}
