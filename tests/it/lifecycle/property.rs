//! Any sequence of storing, replacing, invalidating and reinstating: the state is the fold of the events, the past stays as it was, and no octet is lost.

use std::collections::{BTreeMap, BTreeSet};

use arkki::crypto::sha256;
use arkki::domain::document::Header;
use arkki::domain::facts::Mark;
use arkki::domain::lifecycle::{EventKind, State};
use arkki::generate::random::Random;
use arkki::ports::archive::Archive;

use super::make::*;
use crate::store::make::*;
use crate::store::place::Place;

/// How many sequences, and how long each.
const SEQUENCES: u64 = 6;
const STEPS: u32 = 40;

/// A set as the simplest archive would remember it.
#[derive(Default)]
struct Model {
    versions: Vec<Header>,
    invalid: BTreeSet<String>,
    invalidating: BTreeSet<String>,
    whole: bool,
}

impl Model {
    fn states(&self) -> Vec<State> {
        let alone = |h: &Header| match h.id.as_str() {
            id if self.invalidating.contains(id) => State::Invalidating,
            id if self.whole || self.invalid.contains(id) => State::Invalidated,
            _ => State::Valid,
        };
        let last = self.versions.iter().rposition(|h| alone(h) == State::Valid);
        self.versions.iter().enumerate().map(|(n, h)| if alone(h) == State::Valid && Some(n) != last { State::Superseded } else { alone(h) }).collect()
    }

    /// Whether the next version may be archived, and may invalidate.
    fn may_follow(&self, invalidates: bool) -> bool {
        !self.whole && self.versions.last().is_none_or(|last| invalidates || !self.invalid.contains(last.id.as_str()))
    }
}

pub async fn any_sequence_keeps_the_fold_and_every_octet(place: Place) {
    let archive_ = place.open("one").await;
    let mut n = 0;
    let mut counted = BTreeMap::new();
    for seed in 0..SEQUENCES {
        let mut random = Random::new(0x11FE ^ seed);
        let mut model = Model::default();
        let mut past: Vec<(i64, Vec<State>)> = Vec::new();
        let mut octets = Vec::new();
        for step in 0..STEPS {
            n += 1;
            let now = i64::from(n) * 10;
            let took = one(&*archive_, &mut random, &mut model, (n, step), now).await;
            *counted.entry(took).or_insert(0) += 1;
            let Some(first) = model.versions.first() else { continue };
            let history = archive_.history(&first.set_id).await.unwrap().unwrap();
            assert_eq!(history.states(at(now)), model.states(), "seed {seed}, step {step}: {took}");
            past.push((now, model.states()));
            while octets.len() < model.versions.len() {
                let stored = archive_.document(&model.versions[octets.len()].id).await.unwrap().unwrap();
                octets.push(sha256(&stored.octets));
            }
            agree(&*archive_, &model).await;
        }
        let Some(first) = model.versions.first() else { continue };
        let history = archive_.history(&first.set_id).await.unwrap().unwrap();
        for (then, states) in &past {
            let known = history.states(at(*then)).into_iter().filter(|s| *s != State::Future).collect::<Vec<_>>();
            assert_eq!(&known, states, "seed {seed}: as it was at {then}");
        }
        for (header, digest) in model.versions.iter().zip(&octets) {
            assert_eq!(sha256(&archive_.document(&header.id).await.unwrap().unwrap().octets), *digest, "an octet changed");
        }
    }
    println!("{counted:?}");
    assert!(counted.len() >= 10, "{counted:?}");
    clean(&*archive_).await;
}

/// One random request; what it came to.
async fn one(archive_: &dyn Archive, random: &mut Random, model: &mut Model, (n, step): (u32, u32), now: i64) -> &'static str {
    let message = format!("<step n='{n}'/>").into_bytes();
    let choice = if step == 0 { 0 } else { random.below(10) };
    match choice {
        0..=4 => {
            let invalidates = choice == 4 && !model.versions.is_empty();
            let next = model.versions.last().map_or_else(|| header(10_000 + n), |last| replacing(last, 10_000 + n));
            let may = model.may_follow(invalidates);
            match (store(archive_, next.clone(), invalidates, at(now)).await, may) {
                (End::Done(_), true) => {
                    if invalidates {
                        model.whole = true;
                        model.invalidating.insert(next.id.as_str().to_owned());
                    }
                    model.versions.push(next);
                    if invalidates { "invalidating version" } else { "version" }
                }
                (End::Refused(_), false) => "version refused",
                (end, may) => panic!("{end:?}, and may be {may}"),
            }
        }
        5 | 6 => {
            let target = set(&model.versions[0]);
            let kind = if choice == 5 { EventKind::Invalidated } else { EventKind::Reinstated };
            let may = model.whole == (kind == EventKind::Reinstated);
            match (ask(archive_, event(kind, target), &message, at(now)).await, may) {
                (End::Done(_), true) => {
                    model.whole = kind == EventKind::Invalidated;
                    if model.whole { "set invalidated" } else { "set reinstated" }
                }
                (End::Refused(_), false) if choice == 5 => "set invalidation refused",
                (End::Refused(_), false) => "set reinstatement refused",
                (end, may) => panic!("{end:?}, and may be {may}"),
            }
        }
        _ => {
            let at_ = usize::try_from(random.below(model.versions.len() as u64)).unwrap();
            let target = model.versions[at_].clone();
            let id = target.id.as_str().to_owned();
            let kind = if choice == 9 { EventKind::Reinstated } else { EventKind::Invalidated };
            let is_invalid = model.invalid.contains(&id);
            let may = match kind {
                EventKind::Invalidated => !model.whole && !is_invalid && !model.invalidating.contains(&id),
                EventKind::Reinstated => is_invalid && !model.invalidating.contains(&id),
            };
            match (ask(archive_, event(kind, version(&target)), &message, at(now)).await, may) {
                (End::Done(_), true) => {
                    if kind == EventKind::Invalidated {
                        model.invalid.insert(id)
                    } else {
                        model.invalid.remove(&id)
                    };
                    if kind == EventKind::Invalidated { "version invalidated" } else { "version reinstated" }
                }
                (End::Refused(_), false) if choice == 9 => "reinstatement refused",
                (End::Refused(_), false) => "invalidation refused",
                (end, may) => panic!("{end:?}, and may be {may}"),
            }
        }
    }
}

/// What decisions are told agrees with the model.
async fn agree(archive_: &dyn Archive, model: &Model) {
    let Some(last) = model.versions.last() else { return };
    let facts = archive_.facts(needs(b"look", Some(&replacing(last, 9_999)))).await.unwrap();
    let mark = match last.id.as_str() {
        id if model.invalidating.contains(id) => Mark::Invalidating,
        id if model.invalid.contains(id) => Mark::Invalidated,
        _ => Mark::None,
    };
    assert_eq!((facts.set.invalid, facts.replaced.map(|r| r.mark)), (model.whole, Some(mark)));
}
