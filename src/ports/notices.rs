//! What the archive keeps about notices after their commit: their leaving, their handing over to a FHIR server, and how all of it adds up.

use async_trait::async_trait;

use crate::domain::handover::{DueNotice, Settled, StoredAs};
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::reckoning::Reckoned;
use crate::domain::time::Moment;

/// Notices of disclosure, as the archive keeps them.
#[async_trait]
pub trait Notices: Send + Sync {
    /// Notices to be handed over, oldest first, at most `limit`, each leased until `until`. `from`: what was archived before is not handed over at all.
    ///
    /// # Errors
    /// An outage.
    async fn lease_notices(&self, now: Moment, until: Moment, from: Option<Moment>, limit: u32) -> Result<Vec<DueNotice>, Outage>;

    /// Keeps what an attempt came to, durably. What was taken stays taken.
    ///
    /// # Errors
    /// An outage: whoever calls must try again, lest a taken notice be sent once more.
    async fn settle_notice(&self, settled: &Settled) -> Result<Kept, Outage>;

    /// Makes a notice that stopped, waits, or was never tried due at once.
    ///
    /// # Errors
    /// An outage.
    async fn retry_notice(&self, id: &str, now: Moment) -> Result<Retried, Outage>;

    /// The ids under which a notice's resources were sent and are stored, in their order.
    ///
    /// # Errors
    /// An outage.
    async fn stored_ids(&self, id: &str) -> Result<Vec<StoredAs>, Outage>;

    /// Disclosures outside after a ledger position, in order, at most `limit`, with all that is known of each.
    ///
    /// # Errors
    /// An outage.
    async fn reckon(&self, after: Position, limit: u32) -> Result<Vec<Reckoned>, Outage>;

    /// How many notices the FHIR server refuses.
    ///
    /// # Errors
    /// An outage.
    async fn stopped_notices(&self) -> Result<u64, Outage>;

    /// The ledger position of a notice's id.
    ///
    /// # Errors
    /// An outage.
    async fn notice_position(&self, id: &str) -> Result<Option<Position>, Outage>;
}

/// What became of an attempt's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept.
    Done,
    /// The notice is stored already under other ids: those are kept.
    Twice,
    /// The server named an id that another notice is stored under: nothing is kept but the words, and it waits.
    Foreign,
}

/// What became of a wish to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is due now.
    Due,
    /// The server has it.
    Taken,
    /// No such notice.
    Unknown,
}
