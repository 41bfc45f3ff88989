//! Checkpoints of the ledger: made (`make`), written as lines of a file (`line`), held against a ledger (`verify`).

pub mod line;
pub mod make;
pub mod verify;

use crate::crypto;
use crate::domain::checkpoint::Material;
use crate::domain::digest::Digest;

/// The name of a set of validation material: the SHA-256 of its members' digests in order. `material` is sorted and freed of doubles.
#[must_use]
pub fn set_of(material: &mut Vec<Material>) -> Digest {
    material.sort_unstable_by_key(|piece| piece.sha.0);
    material.dedup_by_key(|piece| piece.sha);
    crypto::sha256_parts(&material.iter().map(|piece| piece.sha.0.as_slice()).collect::<Vec<_>>())
}
