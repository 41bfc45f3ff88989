//! Where checkpoints are kept: in the archive's database, and in a file that the database's owner cannot reach.

use async_trait::async_trait;

use crate::domain::checkpoint::{Checkpoint, Material, MaterialKind};
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;

/// The archive's own checkpoints.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    /// The archive's name, drawn when its tables were made.
    ///
    /// # Errors
    /// An outage.
    async fn archive_name(&self) -> Result<String, Outage>;

    /// The last checkpoint; `None` before the first.
    ///
    /// # Errors
    /// An outage.
    async fn last_checkpoint(&self) -> Result<Option<Checkpoint>, Outage>;

    /// Checkpoints after a position, in order, at most `limit`. What cannot be read comes with zeros, so that it verifies nowhere.
    ///
    /// # Errors
    /// An outage.
    async fn checkpoints(&self, after: Position, limit: u32) -> Result<Vec<Checkpoint>, Outage>;

    /// Keeps a checkpoint durably, with its set of material. Gives `false`, and keeps nothing, when another instance was quicker: at this position, or behind the same one.
    ///
    /// # Errors
    /// An outage: the outcome is then unknown, and the last checkpoint tells it.
    async fn keep_checkpoint(&self, checkpoint: &Checkpoint, material: &[Material]) -> Result<bool, Outage>;

    /// Checkpoints without a time stamp, oldest first, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn unstamped(&self, limit: u32) -> Result<Vec<Checkpoint>, Outage>;

    /// Puts a time stamp's token beside its checkpoint, unless it has one.
    ///
    /// # Errors
    /// An outage.
    async fn stamp(&self, position: Position, token: &[u8]) -> Result<(), Outage>;

    /// The last checkpoint below a position.
    ///
    /// # Errors
    /// An outage.
    async fn checkpoint_below(&self, position: Position) -> Result<Option<Checkpoint>, Outage>;

    /// The members of a set of validation material, by kind and digest; empty when there is no such set.
    ///
    /// # Errors
    /// An outage.
    async fn material_set(&self, set: Digest) -> Result<Vec<(MaterialKind, Digest)>, Outage>;

    /// A piece of validation material; `None` where it is missing, or is not what its digest says.
    ///
    /// # Errors
    /// An outage.
    async fn piece(&self, sha: Digest) -> Result<Option<Material>, Outage>;

    /// Every certificate that was kept, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn kept_certificates(&self, limit: u32) -> Result<Vec<Material>, Outage>;

    /// OCSP answers about a certificate that were given at or before a moment, newest first, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn answers(&self, certificate: Digest, until: Moment, limit: u32) -> Result<Vec<Material>, Outage>;
}

/// An append-only file of checkpoints.
pub trait CheckpointFile: Send + Sync {
    /// The last checkpoint in it, by position and hash; `None` in an empty or missing file.
    ///
    /// # Errors
    /// What the machine says.
    fn last(&self) -> Result<Option<(Position, Digest)>, Outage>;

    /// Appends lines and waits until they are on the disk.
    ///
    /// # Errors
    /// What the machine says: some of the lines may stand in the file.
    fn append(&self, lines: &str) -> Result<(), Outage>;
}

/// A time-stamping authority.
#[async_trait]
pub trait Stamper: Send + Sync {
    /// A verified RFC 3161 token over this digest.
    ///
    /// # Errors
    /// Why there is none: the authority does not answer, or with something that does not verify.
    async fn stamp(&self, digest: &Digest) -> Result<Vec<u8>, Outage>;
}
