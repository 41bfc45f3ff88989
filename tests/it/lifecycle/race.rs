//! Two at once, from two instances: one wins, the other is decided again on what is so now.

use arkki::domain::code::Code;
use arkki::domain::lifecycle::{EventKind, State};

use super::make::*;
use crate::store::make::*;
use crate::store::place::Place;

/// How many sets are raced for.
const SETS: u32 = 12;

pub async fn of_two_invalidations_one_wins(place: Place) {
    let archives = [place.open("one").await, place.open("two").await];
    for n in 1..=SETS {
        let first = header(n);
        store(&*archives[0], first.clone(), false, at(0)).await.done();
        // The set and its only version: whichever comes second finds it done, or does the rest.
        let same = |i: usize| {
            let (archive_, target) = (archives[i].clone(), version(&first));
            tokio::spawn(async move { ask(&*archive_, event(EventKind::Invalidated, target), format!("<{n} by='{i}'/>").as_bytes(), at(1)).await })
        };
        let (a, b) = tokio::join!(same(0), same(1));
        let ends = [a.unwrap(), b.unwrap()];
        let refused: Vec<&Vec<Code>> = ends.iter().filter_map(|e| if let End::Refused(codes) = e { Some(codes) } else { None }).collect();
        assert_eq!(refused, [&vec![Code::E710]], "{ends:?}");
    }
    clean(&*archives[1]).await;
    assert_eq!(place.sql("SELECT count(*) FROM document_event").await, SETS.to_string());
}

pub async fn a_replacement_and_an_invalidation_never_both_hold(place: Place) {
    let archives = [place.open("one").await, place.open("two").await];
    let mut ways = [0; 2];
    for n in 1..=SETS {
        let first = header(n);
        store(&*archives[0], first.clone(), false, at(0)).await.done();
        let (one, two) = (archives[0].clone(), archives[1].clone());
        let (next, target) = (replacing(&first, 1000 + n), set(&first));
        let replacement = tokio::spawn(async move { store(&*one, next, false, at(1)).await });
        let invalidation = tokio::spawn(async move { ask(&*two, event(EventKind::Invalidated, target), format!("<{n}/>").as_bytes(), at(1)).await });
        invalidation.await.unwrap().done();
        let history = || async { archives[0].history(&first.set_id).await.unwrap().unwrap() };
        match replacement.await.unwrap() {
            End::Done(_) => {
                ways[0] += 1;
                let history = history().await;
                assert!(history.events[0].position > history.versions[1].position, "the event came after, so it took the new version along");
            }
            End::Refused(codes) => {
                ways[1] += 1;
                assert_eq!(codes, [Code::E708]);
            }
            End::Held => panic!("held"),
        }
        assert!(history().await.states(at(1)).iter().all(|s| *s == State::Invalidated));
    }
    println!("replacement first {}, invalidation first {}", ways[0], ways[1]);
    clean(&*archives[1]).await;
}

pub async fn of_two_replacements_one_wins(place: Place) {
    let archives = [place.open("one").await, place.open("two").await];
    for n in 1..=SETS {
        let first = header(n);
        store(&*archives[0], first.clone(), false, at(0)).await.done();
        let race = |i: u32| {
            let (archive_, next) = (archives[i as usize].clone(), replacing(&first, 1000 * (i + 1) + n));
            tokio::spawn(async move { store(&*archive_, next, false, at(1)).await })
        };
        let (a, b) = tokio::join!(race(0), race(1));
        let ends = [a.unwrap(), b.unwrap()];
        let refused: Vec<&Vec<Code>> = ends.iter().filter_map(|e| if let End::Refused(codes) = e { Some(codes) } else { None }).collect();
        assert_eq!(refused, [&vec![Code::E705]], "{ends:?}");
    }
    clean(&*archives[1]).await;
}
