//! The archive: the one place where anything becomes true. Two adapters, PostgreSQL and SQLite, keep the same promises and run the same suite.

use async_trait::async_trait;

use crate::domain::change::{Commit, Committed, HeldMessage};
use crate::domain::digest::Digest;
use crate::domain::document::Header;
use crate::domain::facts::{Facts, Needs};
use crate::domain::ledger::{Chained, Position};
use crate::domain::lifecycle::History;
use crate::domain::message::Sender;
use crate::domain::notice::{NoticeCriteria, NoticeFacts, NoticeNeeds, NoticeRow, StoredNotice};
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::outbox::{OutboxEntry, OutboxId};
use crate::domain::query::{Criteria, Fetched, Found, Registers};
use crate::domain::scope::Scope;
use crate::domain::time::Moment;
use crate::domain::will::{ClientWills, Said};

/// The archive.
#[async_trait]
pub trait Archive: Send + Sync {
    /// What the archive knows about one message. Adapters answer many callers with one round trip.
    ///
    /// # Errors
    /// An outage.
    async fn facts(&self, needs: Needs) -> Result<Facts, Outage>;

    /// Makes one request's whole effect durable, or nothing of it. Many callers share one transaction; calls made in order by one task take effect in that order.
    ///
    /// # Errors
    /// An outage: the outcome is then unknown and is found by asking for the facts again.
    async fn commit(&self, commit: Commit) -> Result<Committed, Outage>;

    /// How many messages are on hold: of this sender, and in all.
    ///
    /// # Errors
    /// An outage.
    async fn held_counts(&self, sender: &Sender) -> Result<(u64, u64), Outage>;

    /// Held messages whose time is up or whose awaited id has arrived, oldest first, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn held_due(&self, now: Moment, limit: u32) -> Result<Vec<HeldMessage>, Outage>;

    /// Answers those who still wait for messages that are decided, at most `limit`: a decision answers some dozens of those who waited for it, the sweep the
    /// rest. Gives how many left the waiting room.
    ///
    /// # Errors
    /// An outage: nobody has left it.
    async fn answer_left(&self, now: Moment, limit: u32) -> Result<u32, Outage>;

    /// Leases outbox rows that nobody holds a lease on, oldest first, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn outbox_lease(&self, now: Moment, limit: u32) -> Result<Vec<OutboxEntry>, Outage>;

    /// Forgets rows that were routed and confirmed.
    ///
    /// # Errors
    /// An outage: the rows stay and will be sent again, with the same ids.
    async fn outbox_sent(&self, ids: &[OutboxId]) -> Result<(), Outage>;

    /// Notes that a row came back unroutable and when it may be tried again.
    ///
    /// # Errors
    /// An outage.
    async fn outbox_unroutable(&self, id: OutboxId, again: Moment) -> Result<(), Outage>;

    /// What stands where, for metrics, `doctor` and tests.
    ///
    /// # Errors
    /// An outage.
    async fn counts(&self) -> Result<Counts, Outage>;

    /// The head of the ledger: last position and hash; `None` while it is empty.
    ///
    /// # Errors
    /// An outage.
    async fn head(&self) -> Result<Option<(Position, Digest)>, Outage>;

    /// Ledger entries after `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn ledger_page(&self, after: Position, limit: u32) -> Result<Vec<Chained>, Outage>;

    /// The archived document that a ledger position made, with its octets; `None` when the row is missing, which an audit reports.
    ///
    /// # Errors
    /// An outage.
    async fn document_at(&self, position: Position) -> Result<Option<StoredDocument>, Outage>;

    /// The archived document with this id.
    ///
    /// # Errors
    /// An outage.
    async fn document(&self, id: &Oid) -> Result<Option<StoredDocument>, Outage>;

    /// Everything that happened to the set that this id names, or to the set of the version that it names; `None` when neither is archived. At most
    /// `limits::HISTORY` versions and as many events, the first ones.
    ///
    /// # Errors
    /// An outage.
    async fn history(&self, id: &Oid) -> Result<Option<History>, Outage>;

    /// Documents that meet the criteria and lie in the scope: all of them up to `limit`, or how to ask for fewer.
    ///
    /// # Errors
    /// An outage.
    async fn search(&self, criteria: &Criteria, scope: &Scope, limit: u32) -> Result<Found, Outage>;

    /// The archived octets of documents of the scope, in the order asked, as long as they are no more than `octets` together.
    ///
    /// # Errors
    /// An outage.
    async fn fetch(&self, ids: &[Oid], scope: &Scope, octets: usize) -> Result<Fetched, Outage>;

    /// Whether one of these registers has a client relation of this client in force or an open case: the factual link (messaging.md §5.3.4).
    ///
    /// # Errors
    /// An outage.
    async fn linked(&self, client: &Digest, registers: &Registers) -> Result<bool, Outage>;

    /// Every will expression of a client, to be folded at a moment: never kept beyond one decision, which names it in `Commit::expects`.
    ///
    /// # Errors
    /// An outage.
    async fn wills(&self, client: &Digest) -> Result<ClientWills, Outage>;

    /// Forgets the octets of answers to queries that were decided before a moment and have left: at most `limit`. Gives how many.
    ///
    /// # Errors
    /// An outage.
    async fn forget_answers(&self, before: Moment, limit: u32) -> Result<u64, Outage>;

    /// The stored answer and received octets of the decision at a ledger position, as far as the inbox still bears them.
    ///
    /// # Errors
    /// An outage.
    async fn decision_at(&self, position: Position) -> Result<Option<StoredDecision>, Outage>;

    /// Whether a later entry supersedes the one at this position.
    ///
    /// # Errors
    /// An outage.
    async fn is_superseded(&self, position: Position) -> Result<bool, Outage>;

    /// What is wrong with the rows that an entry brought along: its log rows, the case or client relation that its document made, its event, the answer that it
    /// says was shown. Without any value.
    ///
    /// # Errors
    /// An outage.
    async fn companions(&self, entry: &Chained) -> Result<Vec<&'static str>, Outage>;

    /// One page of a table's rows held against the rest of the archive. `after` is empty, or the page's mark before.
    ///
    /// # Errors
    /// An outage.
    async fn misfits(&self, table: Table, after: &str, limit: u32) -> Result<Misfits, Outage>;

    /// What the archive knows of what a disclosure outside it names.
    ///
    /// # Errors
    /// An outage.
    async fn notice_facts(&self, needs: &NoticeNeeds) -> Result<NoticeFacts, Outage>;

    /// Notices that meet the criteria, in the order in which they were archived, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn notices(&self, criteria: &NoticeCriteria, limit: u32) -> Result<Vec<NoticeRow>, Outage>;

    /// The notice of an event.
    ///
    /// # Errors
    /// An outage.
    async fn notice(&self, id: &Oid) -> Result<Option<StoredNotice>, Outage>;

    /// The notice that a ledger position made.
    ///
    /// # Errors
    /// An outage.
    async fn notice_at(&self, position: Position) -> Result<Option<StoredNotice>, Outage>;

    /// Whether the database answers.
    ///
    /// # Errors
    /// An outage.
    async fn ping(&self) -> Result<(), Outage>;
}

/// A document as it lies in the archive.
#[derive(Debug, Clone)]
pub struct StoredDocument {
    /// Its id.
    pub id: Oid,
    /// The ledger position that made it.
    pub position: Position,
    /// The stored octets.
    pub octets: Vec<u8>,
    /// Where our signature begins, and how long it is.
    pub splice: (usize, usize),
    /// The SHA-256 kept beside it: of the document as received.
    pub received: Digest,
    /// The SHA-256 kept beside it: of `octets`.
    pub archived: Digest,
    /// Our signature's own document, where it is kept beside.
    pub beside: Option<Vec<u8>>,
    /// When it was archived.
    pub at: Moment,
    /// What is kept of it as a will expression; `None` when that cannot be read.
    pub will: Option<Option<Said>>,
    /// The header facts kept beside it, for comparison with the octets; `None` when they cannot be read.
    pub header: Option<Header>,
}

/// A decision as it lies in the inbox.
#[derive(Debug, Clone)]
pub struct StoredDecision {
    /// SHA-256 of the received message.
    pub message: Digest,
    /// The stored answer.
    pub answer: Option<Vec<u8>>,
    /// The received octets, where they are kept (refusals and notes).
    pub octets: Option<Vec<u8>>,
    /// Whether octets and answer were forgotten because their time was up.
    pub is_forgotten: bool,
}

/// A table that no ledger entry leads to row by row: the audit walks through it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Frames' ids.
    Frame,
    /// Cases.
    CaseFile,
    /// Client relations.
    ClientRelation,
    /// Messages on hold.
    Held,
    /// Events about documents.
    Event,
    /// What is invalid now.
    Invalid,
    /// What will documents say.
    Will,
    /// Notices of disclosures outside the archive.
    Notice,
    /// Rows of the access log.
    AccessLog,
    /// Rows of the disclosure log.
    DisclosureLog,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Frame,
        Self::CaseFile,
        Self::ClientRelation,
        Self::Held,
        Self::Event,
        Self::Invalid,
        Self::Will,
        Self::Notice,
        Self::AccessLog,
        Self::DisclosureLog,
    ];
}

/// One page of a table walked through.
#[derive(Debug, Clone, Default)]
pub struct Misfits {
    /// What does not fit, with the ledger position nearest to it (0 for none).
    pub found: Vec<(Position, String)>,
    /// Rows looked at.
    pub rows: u64,
    /// Where the next page begins; `None` after the last row.
    pub next: Option<String>,
}

/// Row counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Archived documents.
    pub documents: u64,
    /// Decided messages, held ones among them.
    pub messages: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Messages refused.
    pub refused: u64,
    /// Messages on hold.
    pub held: u64,
    /// Answers waiting in the outbox.
    pub outbox: u64,
    /// Answers that came back unroutable and wait.
    pub unroutable: u64,
    /// When the oldest answer in the outbox was made.
    pub outbox_since: Option<Moment>,
    /// When the oldest message on hold was put there.
    pub held_since: Option<Moment>,
    /// Ledger entries.
    pub ledger: u64,
    /// When somebody last opened the archivist's pages beyond their roles.
    pub glass_broken: Option<Moment>,
}
