//! The messages of the archive as operators look at them, and what the archive says of its own rows when they are held against each other.

use async_trait::async_trait;

use crate::domain::ledger::Position;
use crate::domain::message::MessageKey;
use crate::domain::messages::{KeptOctets, MessageCriteria, MessageFacts, MessageName, MessageRow, MessageRows};
use crate::domain::outage::Outage;
use crate::domain::reconciling::Checked;
use crate::domain::time::Moment;

/// The messages that the archive has decided or holds.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Messages that meet the criteria, newest first, at most `limit`, each as it stands now. `before` is what the page before gave as `next`. A page looks at
    /// a bounded number of rows, so it may have fewer than `limit` and still a `next`. Held messages are in the list of `state = Held` only.
    ///
    /// # Errors
    /// An outage.
    async fn messages(&self, criteria: &MessageCriteria, before: Option<u64>, limit: u32) -> Result<MessageRows, Outage>;

    /// Decisions after a ledger position, in order, at most `limit`: what to follow live. Each row is the decision as it was taken.
    ///
    /// # Errors
    /// An outage.
    async fn decided_after(&self, after: Position, limit: u32) -> Result<Vec<MessageRow>, Outage>;

    /// The messages with this name, most often one: everything known of each. At most eight.
    ///
    /// # Errors
    /// An outage.
    async fn message(&self, name: &MessageName) -> Result<Vec<MessageFacts>, Outage>;

    /// What is kept of what was received.
    ///
    /// # Errors
    /// An outage.
    async fn message_octets(&self, key: &MessageKey) -> Result<Option<KeptOctets>, Outage>;

    /// The answer in force, as it was sent; `None` where there is none or it is not kept any more.
    ///
    /// # Errors
    /// An outage.
    async fn message_answer(&self, key: &MessageKey) -> Result<Option<Vec<u8>>, Outage>;
}

/// What the archive says when its tables are held against each other, and what it forgets when its time is up.
#[async_trait]
pub trait Reconciling: Send + Sync {
    /// Ledger entries after a position, at most `limit`, each held against inbox, documents, events, notices, logs, outbox and what has left.
    ///
    /// # Errors
    /// An outage.
    async fn reconcile_page(&self, after: Position, limit: u32) -> Result<Checked, Outage>;

    /// Messages on hold without their octets, and octets without a message on hold; and how many are on hold.
    ///
    /// # Errors
    /// An outage.
    async fn reconcile_held(&self) -> Result<Checked, Outage>;

    /// How many refusals nobody was answered: those that went to the dead-letter queue. Those from before answers were counted come with their pages.
    ///
    /// # Errors
    /// An outage.
    async fn unanswered_refusals(&self) -> Result<u64, Outage>;

    /// Brings refusals of a release that kept no list for operators into the list, each by its position; one that is there, or is decided otherwise
    /// since, is passed over. Gives how many it brought.
    ///
    /// # Errors
    /// An outage.
    async fn list_refusals(&self, positions: &[Position]) -> Result<u64, Outage>;

    /// Forgets the received octets of refusals and notes, and the answers of refusals, that were decided before a moment and have left: at most `limit`.
    /// What is forgotten is decided anew when it comes again. Gives how many.
    ///
    /// # Errors
    /// An outage.
    async fn forget_refused(&self, before: Moment, now: Moment, limit: u32) -> Result<u64, Outage>;
}
