//! The fuzz targets of signing and canonical XML on their seeds, on what was found, and on some thousand random edits of the seeds.

use std::path::PathBuf;

use super::canonical::Chance;
use crate::kit;

#[path = "../../../fuzz/seal.rs"]
mod seal;

/// Random edits of each seed. `make fuzz` makes better ones, for longer.
const EDITS: u64 = 150;

fn seeds(target: &str) -> Vec<PathBuf> {
    let fuzz = kit::repository().join("fuzz");
    let mut all: Vec<PathBuf> = ["corpus", "crashes"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(fuzz.join(folder).join(target)).into_iter().flatten())
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    assert!(all.len() >= 4, "{target}");
    all
}

fn replay(target: &str, check: fn(&[u8])) {
    let mut chance = Chance(9);
    for seed in seeds(target) {
        let octets = std::fs::read(&seed).unwrap();
        check(&octets);
        for _ in 0..EDITS {
            let mut edited = octets.clone();
            let at = usize::try_from(chance.below(edited.len() as u64)).unwrap();
            let length = usize::try_from(chance.below(12)).unwrap().min(edited.len() - at);
            match chance.below(3) {
                0 => drop(edited.drain(at..at + length)),
                1 => edited[at] ^= 1 << chance.below(8),
                _ => {
                    let piece = edited[at..at + length].to_vec();
                    let to = usize::try_from(chance.below(edited.len() as u64)).unwrap();
                    edited.splice(to..to, piece);
                }
            }
            check(&edited);
        }
    }
}

#[test]
fn whatever_can_be_sealed_verifies_and_the_rest_is_refused() {
    replay("seal", seal::seal);
}

#[test]
fn whatever_is_canonical_is_its_own_canonical_form() {
    replay("canonical", seal::canonical);
}
