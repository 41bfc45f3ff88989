//! Many callers, two instances: batches, their order, and one effect per key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arkki::domain::change::{Committed, Effect};
use arkki::domain::facts::{DocumentNeeds, Expectation, Needs, Standing};
use arkki::pipeline::audit::{Plan, audit};
use arkki::ports::archive::Archive;
use futures_util::future::join_all;

use super::make::*;
use super::place::Place;

async fn clean(archive_: &dyn Archive) {
    let report = audit(archive_, Plan::new(std::sync::Arc::new(|_| arkki::pipeline::audit::Looked::default()), 2), &mut |_, _| ()).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.faults);
}

/// The tallies kept with the head agree with the rows.
async fn tallied(place: &Place, archive_: &dyn Archive) {
    let counts = archive_.counts().await.unwrap();
    for (count, rows) in [
        (counts.documents, "document"),
        (counts.documents, "document_octets"),
        (counts.messages, "inbox"),
        (counts.accepted, "inbox WHERE standing = 1"),
        (counts.refused, "inbox WHERE standing = 2"),
        (counts.held, "inbox WHERE standing = 4"),
        (counts.ledger, "ledger"),
        (counts.documents, "access_log"),
        (counts.outbox, "outbox"),
    ] {
        assert_eq!(place.sql(&format!("SELECT count(*) FROM {rows}")).await, count.to_string(), "{rows}");
    }
}

pub async fn many_at_once_make_one_chain(place: Place) {
    let archive_ = place.open("one").await;
    let ends = join_all((1..=300).map(|n| {
        let archive_ = Arc::clone(&archive_);
        tokio::spawn(async move {
            let sent = message(&header(n));
            let facts = archive_.facts(needs(&sent, Some(&header(n)))).await.unwrap();
            assert!(facts.prior.is_none());
            let commit = if n % 3 == 0 { refuse(&sent, "E100") } else { framed(archive(header(n)), &n.to_string()) };
            done(archive_.commit(commit).await.unwrap()).position.unwrap().0
        })
    }))
    .await;
    let positions: BTreeSet<u64> = ends.into_iter().map(Result::unwrap).collect();
    assert_eq!(positions, (1..=300).collect());
    clean(&*archive_).await;
    tallied(&place, &*archive_).await;
}

pub async fn calls_take_effect_in_their_order(place: Place) {
    let archive_ = place.open("one").await;
    // One set replaced again and again without waiting: each call relies on the one before it.
    let mut calls = vec![archive(header(1))];
    let mut newest = header(1);
    for n in 2..=40 {
        let expects =
            [Expectation::Latest { set_id: set_id(1), version: Some(newest.version) }, Expectation::Document { id: newest.id.clone(), present: true }];
        newest = replacing(&newest, n);
        calls.push(expecting(archive(newest.clone()), expects));
        calls.push(archive(header(1000 + n)));
        calls.push(repeat(&key(&message(&newest)), "again"));
    }
    let ends = join_all(calls.iter().map(|commit| archive_.commit(commit.clone()))).await;
    let positions: Vec<u64> = ends.into_iter().map(|end| done(end.unwrap()).position.unwrap().0).collect();
    let fresh: Vec<u64> = calls.iter().zip(&positions).filter(|(call, _)| !matches!(call.effect, Effect::Repeat)).map(|(_, p)| *p).collect();
    assert_eq!(fresh, (1..=79).collect::<Vec<_>>());
    let facts = archive_.facts(needs(b"", Some(&newest))).await.unwrap();
    assert_eq!(facts.latest.map(|d| d.version), Some(40));
    clean(&*archive_).await;
}

pub async fn a_batch_survives_its_stale_members(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(header(1))).await.unwrap());
    let calls = (2..=60).map(|n| if n % 4 == 0 { archive_message(header(1), n.to_string().repeat(20).into_bytes()) } else { archive(header(n)) });
    let ends = join_all(calls.map(|commit| archive_.commit(commit))).await;
    let stale: Vec<usize> = ends.into_iter().zip(2..).filter(|(end, _)| is_stale(end.as_ref().unwrap())).map(|(_, n)| n).collect();
    assert_eq!(stale, (2..=60).filter(|n| n % 4 == 0).collect::<Vec<_>>());
    clean(&*archive_).await;
    tallied(&place, &*archive_).await;
}

/// Two instances, many tasks, few keys, ids and cases: whatever the interleaving, one effect per key and nothing overwritten.
pub async fn two_instances_make_one_effect_per_key(place: Place) {
    let archives = [place.open("one").await, place.open("two").await];
    done(archives[0].commit(archive(case_header(900, 1, 1, false))).await.unwrap());
    let tasks = (0..24_u32).map(|task| {
        let archive_ = Arc::clone(&archives[task as usize % 2]);
        tokio::spawn(async move {
            let mut seed = task.wrapping_mul(2_654_435_761) | 1;
            let mut answers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            for _ in 0..25 {
                seed ^= seed << 13;
                seed ^= seed >> 17;
                seed ^= seed << 5;
                let (n, variant) = (1 + seed % 20, seed / 64 % 3);
                // Variants 0 and 1 are the same id with other octets; variant 2 renews the case.
                let head = if variant == 2 { case_header(900, 1, 1, false) } else { header(n) };
                let sent = if variant == 2 { format!("<case {n}/>      ").into_bytes() } else { [message(&head), vec![b' '; variant as usize]].concat() };
                if let Some(answer) = decide(&*archive_, head, &sent, n).await {
                    answers.push((sent, answer));
                }
            }
            answers
        })
    });
    let mut bodies: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (sent, answer) in join_all(tasks).await.into_iter().flat_map(Result::unwrap) {
        bodies.entry(sent).or_default().insert(answer);
    }
    for (sent, bodies) in &bodies {
        assert_eq!(bodies.len(), 1, "{}", String::from_utf8_lossy(sent));
    }
    assert!(bodies.len() >= 40, "{}", bodies.len());
    let report = archives[1].counts().await.unwrap();
    assert_eq!(report.messages, bodies.len() as u64 + 1);
    assert_eq!(report.ledger, report.messages, "one entry per key");
    clean(&*archives[0]).await;
    tallied(&place, &*archives[1]).await;
}

/// The pipeline in small: look, decide, commit, and from the start again when stale. Gives back the answer sent.
async fn decide(archive_: &dyn Archive, head: arkki::domain::document::Header, sent: &[u8], n: u32) -> Option<Vec<u8>> {
    for _ in 0..200 {
        let facts = archive_
            .facts(Needs { key: key(sent), frame: None, document: Some(DocumentNeeds::of(&head)), event: None, wills: None, named: Vec::new() })
            .await
            .unwrap();
        let commit = match (&facts.prior, &facts.case) {
            (Some(prior), _) => {
                assert_ne!(prior.standing, Standing::Held);
                repeat(&key(sent), "again")
            }
            (None, Some(case)) => {
                let latest = facts.latest.as_ref().unwrap().clone();
                let mut next = head.clone();
                next.id = document_id(10_000 + 100 * latest.version + n);
                next.version = latest.version + 1;
                let expects = [
                    Expectation::Latest { set_id: head.set_id.clone(), version: Some(latest.version) },
                    Expectation::Case { id: case.id.clone(), revision: Some(case.revision) },
                ];
                expecting(archive_message(next, sent.to_vec()), expects)
            }
            (None, None) if facts.document.is_some() => expecting(refuse(sent, "E500"), [Expectation::Document { id: head.id.clone(), present: true }]),
            (None, None) => expecting(archive_message(head.clone(), sent.to_vec()), [Expectation::Document { id: head.id.clone(), present: false }]),
        };
        match archive_.commit(commit).await.unwrap() {
            Committed::Done(done) => return done.outbox.first().map(|row| row.body.clone()),
            Committed::Stale | Committed::Moot => {}
            Committed::Unfit(detail) => panic!("unfit: {detail}"),
        }
    }
    panic!("stale two hundred times");
}
