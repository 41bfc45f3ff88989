//! The archive in PostgreSQL and SQLite through sqlx. One store for both: what is decided, numbered, chained and checked is written once; the two
//! differ in how they are connected (`postgres`, `sqlite`), how they take many rows (`line`), and in a few lines of SQL.
//!
//! * `writer`, `batch`, `transaction`, `look`, `compose`, `rows`: group commit
//! * `reader`, `decode`: facts
//! * `log`, `log_audit`, `log_read`: the rows of the access and the disclosure log
//! * `events`, `history`: invalidations, and the state of documents in the words of a search
//! * `search`: searches and fetches, and what is forgotten of their answers
//! * `wills`: what will documents say
//! * `notices`: disclosures outside the archive
//! * `held`, `outbox`: the waiting room and what leaves
//! * `messages`, `message`: what operators ask: lists, and everything about one message
//! * `checkpoints`, `misfits`, `misfit_events`: what the ledger is held to, and what of the other tables does not fit it
//! * `handovers`, `reckon`: notices after their commit
//! * `reconcile`: whether all tables agree
//! * `refusals`, `refusal_rows`, `deeds`, `replays`, `kept`: refused messages for operators, and their replays
//! * `lines`, `line`, `fault`, `migrate`: the database itself
//! * `backup`: all of it, copied out and in

pub mod backup;
mod batch;
mod checkpoints;
mod compose;
mod decode;
mod deeds;
mod events;
mod fault;
mod glass;
mod handovers;
mod held;
mod history;
mod kept;
mod line;
mod lines;
mod log;
mod log_audit;
mod log_read;
mod look;
mod message;
mod messages;
mod migrate;
mod misfit_events;
mod misfits;
mod notices;
mod outbox;
pub mod postgres;
mod reader;
mod reckon;
mod reconcile;
mod refusal_rows;
mod refusal_terms;
mod refusals;
mod replays;
mod rows;
mod search;
pub mod sqlite;
mod transaction;
mod waiting;
mod wills;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, mpsc, oneshot};

use self::decode::stored_columns;
use self::fault::Fault;
use self::line::Value;
use self::lines::{Address, Lines, durably, on_spare};
use crate::domain::change::{Commit, Committed, HeldMessage};
use crate::domain::digest::Digest;
use crate::domain::facts::{Facts, Needs};
use crate::domain::ledger::{Chained, Position};
use crate::domain::lifecycle::History;
use crate::domain::message::Sender;
use crate::domain::notice::{NoticeCriteria, NoticeFacts, NoticeNeeds, NoticeRow, StoredNotice};
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::domain::outbox::{OutboxEntry, OutboxId};
use crate::domain::query::{Criteria, Fetched, Found, Registers};
use crate::domain::scope::Scope;
use crate::domain::time::Moment;
use crate::domain::will::ClientWills;
use crate::ports::archive::{Archive, Counts, Misfits, StoredDecision, StoredDocument, Table};
use crate::ports::clock::Entropy;

/// How many callers may wait for the writer, or for facts, before the next one waits to be let in.
const WAITING: usize = 1024;
/// Tasks that look up facts, each with its own connection: one looks while another's answer is read.
const READERS: usize = 2;
/// Searches and fetches at once. They may be slow, so they have connections of their own: the outbox, holds and the ping never wait behind them.
const SEARCHES: usize = 2;
/// How long a search waits for others before its asker is told that it was too slow: a sender's many slow ones must not keep deliveries in hand for long.
const SEARCH_TURN: Duration = Duration::from_secs(30);

/// Opens the archive that a URL names: `postgres://…` or `sqlite:path`. Its tables are brought up to date first. `instance` names this process in leases.
///
/// # Errors
/// When the URL is of neither sort, the database out of reach, or its tables of another version.
pub async fn open(url: &str, instance: impl Into<String>, entropy: Arc<dyn Entropy>) -> Result<Arc<dyn Archive>, Outage> {
    Ok(open_store(url, instance, entropy).await?)
}

/// As [`open`], as the store itself: for who keeps checkpoints beside documents.
///
/// # Errors
/// As [`open`].
pub async fn open_store(url: &str, instance: impl Into<String>, entropy: Arc<dyn Entropy>) -> Result<Arc<Store>, Outage> {
    Ok(Arc::new(Store::start(address(url)?, instance.into(), entropy).await?))
}

/// Opens the archive as it stands, for those who only look: makes no file and changes no table.
///
/// # Errors
/// As [`open`], and when the tables are not those of this release.
pub async fn open_unchanged(url: &str, instance: impl Into<String>, entropy: Arc<dyn Entropy>) -> Result<Arc<Store>, Outage> {
    let address = address(url)?.existing();
    let left = migrate::left(&address).await?;
    if left.is_empty() {
        Ok(Arc::new(Store::on(address, instance.into(), entropy)))
    } else {
        Err(Outage::new(Part::Archive, format!("its tables are not those of this release ({} to run): arkki migrate", left.join(", "))))
    }
}

/// Names the migrations that are left to run; looks only.
///
/// # Errors
/// As [`open`].
pub async fn pending(url: &str) -> Result<Vec<String>, Outage> {
    migrate::left(&address(url)?.existing()).await
}

/// Brings the tables up to date and names the migrations that were run; none when nothing was left to do.
///
/// # Errors
/// As [`open`].
pub async fn migrate(url: &str) -> Result<Vec<String>, Outage> {
    migrate::run(&address(url)?).await
}

fn address(url: &str) -> Result<Address, Outage> {
    match url.split_once(':') {
        Some(("postgres" | "postgresql", _)) => postgres::address(url),
        Some(("sqlite", rest)) => Ok(sqlite::address(Path::new(rest.strip_prefix("//").unwrap_or(rest)))),
        _ => Err(Outage::new(Part::Archive, "the database URL begins with neither postgres:// nor sqlite:")),
    }
}

/// The archive in either database. Dropping it ends its tasks when what waits has been written.
pub struct Store {
    lines: Arc<Lines>,
    instance: String,
    writes: mpsc::Sender<writer::Waiting>,
    reads: mpsc::Sender<reader::Asked>,
    sent: mpsc::Sender<outbox::Sent>,
    searching: Lines,
    searches: Semaphore,
    entropy: Arc<dyn Entropy>,
}

impl Store {
    async fn start(address: Address, instance: String, entropy: Arc<dyn Entropy>) -> Result<Self, Outage> {
        migrate::run(&address).await?;
        Ok(Self::on(address, instance, entropy))
    }

    fn on(address: Address, instance: String, entropy: Arc<dyn Entropy>) -> Self {
        let searching = Lines::new(address.searching());
        let lines = Arc::new(Lines::new(address));
        let (writes, incoming) = mpsc::channel(WAITING);
        tokio::spawn(writer::Writer::new(Arc::clone(&lines), instance.clone(), Arc::clone(&entropy), incoming).run());
        let (reads, asked) = mpsc::channel(WAITING);
        let asked = Arc::new(Mutex::new(asked));
        for _ in 0..READERS {
            tokio::spawn(reader::run(Arc::clone(&lines), Arc::clone(&asked)));
        }
        let (sent, told) = mpsc::channel(WAITING);
        tokio::spawn(outbox::forget(Arc::clone(&lines), instance.clone(), told));
        Self { lines, instance, writes, reads, sent, searching, searches: Semaphore::new(SEARCHES), entropy }
    }

    /// A search's turn; `None` when it did not come in time, for others' slow searches are no outage.
    async fn search_permit(&self) -> Result<Option<SemaphorePermit<'_>>, Outage> {
        tokio::time::timeout(SEARCH_TURN, self.searches.acquire()).await.ok().transpose().map_err(|_| gone())
    }
}

/// The task that answers is gone, which happens only while the process ends.
fn gone() -> Outage {
    Outage::new(Part::Archive, "the archive is closing")
}

/// When something was written: told beside what was decided, and nothing is decided by it.
fn now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Moment::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn place(position: Position) -> Value<'static> {
    Value::Int(Some(i64::try_from(position.0).unwrap_or(i64::MAX)))
}

#[async_trait]
impl Archive for Store {
    async fn facts(&self, needs: Needs) -> Result<Facts, Outage> {
        let (caller, answer) = oneshot::channel();
        self.reads.send(reader::Asked { needs, caller }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, Outage> {
        let (caller, answer) = oneshot::channel();
        self.writes.send(writer::Waiting { commit, caller }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn held_counts(&self, sender: &Sender) -> Result<(u64, u64), Outage> {
        on_spare!(&self.lines, |line| held::counts(line, sender.as_str())).map(|(of, all)| (unsigned(of), unsigned(all)))
    }

    async fn held_due(&self, now: Moment, limit: u32) -> Result<Vec<HeldMessage>, Outage> {
        on_spare!(&self.lines, |line| held::due(line, now, limit))
    }

    async fn answer_left(&self, now: Moment, limit: u32) -> Result<u32, Outage> {
        // Looked first: an idle gateway must not write.
        if on_spare!(&self.lines, |line| waiting::is_nobody_left(line))? {
            return Ok(0);
        }
        durably!(&self.lines, |line| waiting::answer_left(line, now, limit, &*self.entropy).await)
    }

    async fn outbox_lease(&self, now: Moment, limit: u32) -> Result<Vec<OutboxEntry>, Outage> {
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| outbox::lease(line, now, limit, &self.instance))
    }

    async fn outbox_sent(&self, ids: &[OutboxId]) -> Result<(), Outage> {
        let (caller, answer) = oneshot::channel();
        self.sent.send(outbox::Sent { ids: ids.to_vec(), caller }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn outbox_unroutable(&self, id: OutboxId, again: Moment) -> Result<(), Outage> {
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| outbox::unroutable(line, id, again))
    }

    async fn counts(&self) -> Result<Counts, Outage> {
        on_spare!(&self.lines, |line| async move {
            let head = transaction::head(line).await?;
            let (_, held) = held::counts(line, "").await?;
            let (outbox, unroutable, outbox_since) = outbox::counts(line).await?;
            let held_since = held::since(line).await?;
            let glass_broken = glass::broken(line).await?;
            let [documents, messages, accepted, refused] = head.tallies.map(unsigned);
            Ok(Counts {
                documents,
                messages,
                accepted,
                refused,
                held: unsigned(held),
                outbox: unsigned(outbox),
                unroutable: unsigned(unroutable),
                outbox_since,
                held_since,
                ledger: unsigned(head.position),
                glass_broken,
            })
        })
    }

    async fn head(&self) -> Result<Option<(Position, Digest)>, Outage> {
        let head = on_spare!(&self.lines, |line| transaction::head(line))?;
        Ok((head.position > 0).then(|| (Position(unsigned(head.position)), head.hash)))
    }

    async fn ledger_page(&self, after: Position, limit: u32) -> Result<Vec<Chained>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one(decode::LEDGER_PAGE, &[place(after), Value::Int(Some(i64::from(limit)))]).await?;
            rows.iter().map(decode::chained).collect::<Result<_, Fault>>()
        })
    }

    async fn document_at(&self, position: Position) -> Result<Option<StoredDocument>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one(concat!(stored_columns!(), "d.position = $1"), &[place(position)]).await?;
            rows.first().map(decode::stored_document).transpose()
        })
    }

    async fn document(&self, id: &Oid) -> Result<Option<StoredDocument>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one(concat!(stored_columns!(), "d.id = $1"), &[Value::Text(Some(id.as_str()))]).await?;
            rows.first().map(decode::stored_document).transpose()
        })
    }

    async fn history(&self, id: &Oid) -> Result<Option<History>, Outage> {
        on_spare!(&self.lines, |line| history::of(line, id))
    }

    async fn search(&self, criteria: &Criteria, scope: &Scope, limit: u32) -> Result<Found, Outage> {
        let Some(_permit) = self.search_permit().await? else { return Ok(Found::TooSlow) };
        on_spare!(&self.searching, |line| search::search(line, criteria, scope, limit))
    }

    async fn fetch(&self, ids: &[Oid], scope: &Scope, octets: usize) -> Result<Fetched, Outage> {
        let Some(_permit) = self.search_permit().await? else { return Ok(Fetched::TooSlow) };
        on_spare!(&self.searching, |line| search::fetch(line, ids, scope, octets))
    }

    async fn linked(&self, client: &Digest, registers: &Registers) -> Result<bool, Outage> {
        on_spare!(&self.lines, |line| search::linked(line, client, registers))
    }

    async fn wills(&self, client: &Digest) -> Result<ClientWills, Outage> {
        on_spare!(&self.lines, |line| wills::of(line, client))
    }

    async fn forget_answers(&self, before: Moment, limit: u32) -> Result<u64, Outage> {
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| search::forget_answers(line, before, limit))
    }

    async fn decision_at(&self, position: Position) -> Result<Option<StoredDecision>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one("SELECT octets_sha, answer, octets, forgotten_at FROM inbox WHERE position = $1", &[place(position)]).await?;
            let read = |row: &line::Row| {
                let message = decode::digest(row, 0).unwrap_or(Digest::ZERO);
                Ok(StoredDecision { message, answer: row.octets(1)?, octets: row.octets(2)?, is_forgotten: row.int(3)?.is_some() })
            };
            rows.first().map(read).transpose()
        })
    }

    async fn is_superseded(&self, position: Position) -> Result<bool, Outage> {
        on_spare!(&self.lines, |line| line.one("SELECT position FROM ledger WHERE supersedes = $1 LIMIT 1", &[place(position)])).map(|rows| !rows.is_empty())
    }

    async fn companions(&self, chained: &Chained) -> Result<Vec<&'static str>, Outage> {
        on_spare!(&self.lines, |line| misfits::companions(line, chained))
    }

    async fn misfits(&self, table: Table, after: &str, limit: u32) -> Result<Misfits, Outage> {
        on_spare!(&self.lines, |line| misfits::page(line, table, after, limit))
    }

    async fn notice_facts(&self, needs: &NoticeNeeds) -> Result<NoticeFacts, Outage> {
        on_spare!(&self.lines, |line| notices::facts(line, needs))
    }

    async fn notices(&self, criteria: &NoticeCriteria, limit: u32) -> Result<Vec<NoticeRow>, Outage> {
        on_spare!(&self.lines, |line| notices::list(line, criteria, limit))
    }

    async fn notice(&self, id: &Oid) -> Result<Option<StoredNotice>, Outage> {
        on_spare!(&self.lines, |line| notices::stored(line, notices::Key::Id(id)))
    }

    async fn notice_at(&self, position: Position) -> Result<Option<StoredNotice>, Outage> {
        on_spare!(&self.lines, |line| notices::stored(line, notices::Key::Position(position)))
    }

    async fn ping(&self) -> Result<(), Outage> {
        on_spare!(&self.lines, |line| line.one("SELECT 1", &[])).map(drop)
    }
}
