//! One batch, one transaction: the heavy octets first, in key order; then the head's lock; under it the look, the chain and the rows; then the commit.
//! Whoever holds the head waits for nothing after it, and octets are taken in key order, so no two batches can wait for each other.

use std::collections::{BTreeMap, HashMap};

use super::compose::{Effected, Head, Prior, compose};
use super::fault::Fault;
use super::line::{Both, Kind, Line, Row, Value};
use super::log;
use super::look::{Places, Seen, What, frame_keys, look};
use super::rows::{
    ACCESS_LOG, CASE_FILE, CLIENT_RELATION, CONTENT_TYPE, DISCLOSURE_LOG, DOCUMENT, DOCUMENT_OCTETS, FRAME, HELD, HELD_REPLY, INBOX_CHANGED, INBOX_NEW, KEY,
    LEDGER, OUTBOX, Rows, answer_row, by_key, digest, document_row, held_row, inbox_row, key_row, text,
};
use super::{events, messages, notices, now, refusal_rows, waiting, wills};
use crate::domain::change::{Archive, Commit, Done, Effect};
use crate::domain::digest::Digest;
use crate::domain::facts::Standing;
use crate::domain::ledger::{Chained, EntryKind, Position};
use crate::domain::limits::OUTBOX_LEASE;
use crate::domain::log::DisclosedRow;
use crate::domain::message::{MessageKey, Reply};
use crate::domain::oid::Oid;
use crate::domain::outbox::{OutboxEntry, OutboxId};
use crate::domain::time::Moment;
use crate::ports::clock::Entropy;

/// What a batch came to.
pub(super) enum Verdict {
    /// Durable: each commit's own end, in order, and the ids brought that somebody waits for.
    Done(Vec<(Done, Vec<(i64, String)>)>),
    /// Nothing was written: these commits, by place, no longer hold.
    Stale(Vec<usize>),
    /// Nothing was written: these commits, by place, belong to replays that others have ended.
    Moot(Vec<usize>),
}

/// A batch that failed, and whether its end is unknown.
pub(super) struct Failed {
    /// Why.
    pub fault: Fault,
    /// It failed at the commit itself: it may be durable or not.
    pub unknown: bool,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self { fault, unknown: false }
    }
}

/// Runs one batch.
///
/// # Errors
/// As the database says. The transaction is then still open on this connection, or the connection is gone.
pub(super) async fn run(line: &mut Line, commits: &[&Commit], instance: &str, entropy: &dyn Entropy) -> Result<Verdict, Failed> {
    line.begin().await?;
    let octets = octets_rows(commits);
    let written = DOCUMENT_OCTETS.insert(line, &octets).await?;
    let mut head = lock(line).await?;
    let frames = frame_keys(commits);
    let (places, seen) = look(line, commits, &frames).await?;
    let stale: Vec<usize> = places.iter().enumerate().filter(|(_, places)| !seen.holds(places)).map(|(at, _)| at).collect();
    if !stale.is_empty() {
        line.rollback().await?;
        return Ok(Verdict::Stale(stale));
    }
    let moot = refusal_rows::moot(line, commits).await?;
    if !moot.is_empty() {
        line.rollback().await?;
        return Ok(Verdict::Moot(moot));
    }
    if written.len() != octets.len() {
        return Err(Fault::Wrong("octets lie in the archive without their document".to_owned()).into());
    }
    let priors = priors(line, commits, &places, &seen).await?;
    // Nobody would be answered: such a message is decided anew.
    let is_lost = |commit: &Commit| matches!(commit.effect, Effect::Repeat) && priors.get(&commit.key).is_some_and(|prior| prior.is_forgotten);
    let forgotten: Vec<usize> = commits.iter().enumerate().filter(|(_, commit)| is_lost(commit)).map(|(at, _)| at).collect();
    if !forgotten.is_empty() {
        line.rollback().await?;
        return Ok(Verdict::Stale(forgotten));
    }
    let before = head;
    let effected = compose(commits, places, &seen, &priors, &mut head, entropy);
    let ids = write(line, &effected, &frames, instance).await?;
    if head != before {
        set_head(line, &head).await?;
    }
    line.commit().await.map_err(|fault| Failed { fault, unknown: true })?;
    Ok(Verdict::Done(effected.into_iter().map(|e| done(e, &ids)).collect()))
}

fn octets_rows<'a>(commits: &[&'a Commit]) -> Rows<'a> {
    let mut documents: Vec<&Archive> = commits
        .iter()
        .filter_map(|commit| match &commit.effect {
            Effect::Archive(archive) => Some(&**archive),
            Effect::Event(_) | Effect::Notice(_) | Effect::Answer(_) | Effect::Refuse(_) | Effect::Hold(_) | Effect::Repeat => None,
        })
        .collect();
    documents.sort_unstable_by(|a, b| a.header.id.cmp(&b.header.id));
    documents.into_iter().map(|a| vec![text(a.header.id.as_str()), Value::Octets(Some(&a.octets)), Value::Octets(a.beside.as_deref())]).collect()
}

const HEAD: &str = "SELECT position, hash, documents, messages, accepted, refused FROM head WHERE id = 1";

async fn lock(line: &mut Line) -> Result<Head, Fault> {
    let rows = match line {
        Line::Postgres(_) => line.one("SELECT position, hash, documents, messages, accepted, refused FROM head WHERE id = 1 FOR UPDATE", &[]).await?,
        // The whole file is locked since the transaction began.
        Line::Sqlite(_) => line.one(HEAD, &[]).await?,
    };
    let row = rows.first().ok_or_else(|| Fault::Wrong("the ledger's head is missing".to_owned()))?;
    read_head(row)
}

fn read_head(row: &Row) -> Result<Head, Fault> {
    let hash = Digest::from_slice(&row.need_octets(1)?).ok_or_else(|| Fault::unreadable(1))?;
    Ok(Head { position: row.need_int(0)?, hash, tallies: [row.need_int(2)?, row.need_int(3)?, row.need_int(4)?, row.need_int(5)?] })
}

/// The ledger's end and the tallies, without a lock.
///
/// # Errors
/// As the database says.
pub(super) async fn head(line: &mut Line) -> Result<Head, Fault> {
    let rows = line.one(HEAD, &[]).await?;
    read_head(rows.first().ok_or_else(|| Fault::Wrong("the ledger's head is missing".to_owned()))?)
}

async fn set_head(line: &mut Line, head: &Head) -> Result<(), Fault> {
    let [documents, messages, accepted, refused] = head.tallies.map(|n| Value::Int(Some(n)));
    let values = [Value::Int(Some(head.position)), digest(&head.hash), documents, messages, accepted, refused];
    line.one("UPDATE head SET position = $1, hash = $2, documents = $3, messages = $4, accepted = $5, refused = $6 WHERE id = 1", &values).await.map(drop)
}

/// What the inbox holds about the keys decided before, and who waits for those whose hold ends here: they leave the waiting room with this statement.
async fn priors<'a>(line: &mut Line, commits: &[&'a Commit], places: &[Places<'a>], seen: &Seen) -> Result<HashMap<&'a MessageKey, Prior>, Fault> {
    let held = i64::from(Standing::Held.number());
    let mut known: Vec<&Commit> = commits.iter().copied().filter(|c| c.supersedes.is_some() || matches!(c.effect, Effect::Repeat)).collect();
    known.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    known.dedup_by(|a, b| a.key == b.key);
    let ends: Rows<'_> = commits
        .iter()
        .zip(places)
        .filter(|(c, p)| {
            matches!(c.effect, Effect::Archive(_) | Effect::Event(_) | Effect::Notice(_) | Effect::Refuse(_))
                && seen.get(What::Key, p.key).is_some_and(|(_, standing)| standing == held)
        })
        .map(|(c, _)| key_row(c))
        .collect();
    let asked: Rows<'_> = known.iter().map(|c| key_row(c)).collect();
    let mut found: HashMap<(String, Vec<u8>), Prior> = HashMap::new();
    for row in line.many(&by_key("SELECT sender, octets_sha, position, outcome, code, answer, standing, is_final FROM inbox", ""), KEY, &asked).await? {
        let answer = row.octets(5)?;
        let prior = Prior {
            position: row.int(2)?,
            outcome: row.octets(3)?.as_deref().and_then(Digest::from_slice),
            code: row.text(4)?,
            is_forgotten: answer.is_none() && row.need_int(6)? == i64::from(Standing::Refused.number()) && !row.need_flag(7)?,
            answer,
            replies: Vec::new(),
        };
        found.insert((row.need_text(0)?, row.need_octets(1)?), prior);
    }
    for (key, reply) in waiting::end_holds(line, &ends).await? {
        found.entry(key).or_default().replies.push(reply);
    }
    for prior in found.values_mut() {
        prior.replies.sort_unstable_by(|a, b| (&a.queue, &a.correlation).cmp(&(&b.queue, &b.correlation)));
    }
    Ok(known.into_iter().filter_map(|c| found.remove(&(c.key.sender.as_str().to_owned(), c.key.octets.0.to_vec())).map(|prior| (&c.key, prior))).collect())
}

/// Writes every row of the batch; gives back the outbox rows' numbers by AMQP id.
async fn write(line: &mut Line, effected: &[Effected<'_>], frames: &[Option<Digest>], instance: &str) -> Result<HashMap<String, i64>, Fault> {
    let (mut new, mut changed): (Rows<'_>, Rows<'_>) = (Vec::new(), Vec::new());
    for e in effected {
        if let Some(inbox) = &e.inbox {
            if inbox.revision == 1 { &mut new } else { &mut changed }.push(inbox_row(e, inbox));
        }
    }
    INBOX_NEW.insert(line, &new).await?;
    INBOX_CHANGED.insert(line, &changed).await?;
    let claims = effected.iter().zip(frames).filter_map(|(e, sha)| {
        let id = match &e.commit.effect {
            Effect::Archive(archive) => archive.frame.as_ref(),
            Effect::Event(event) => event.frame.as_ref(),
            Effect::Notice(_) | Effect::Answer(_) | Effect::Refuse(_) | Effect::Hold(_) | Effect::Repeat => None,
        };
        id.zip(sha.as_ref()).map(|(id, sha)| {
            let extension = id.extension.as_deref().unwrap_or_default();
            vec![digest(sha), text(e.commit.key.sender.as_str()), text(&id.root), text(extension), digest(&e.commit.key.octets)]
        })
    });
    FRAME.insert(line, &claims.collect()).await?;
    DOCUMENT.insert(line, &effected.iter().filter_map(document_row).collect()).await?;
    wills::write(line, effected).await?;
    CLIENT_RELATION.insert(line, &effected.iter().filter_map(relation_row).collect()).await?;
    CASE_FILE.insert(line, &effected.iter().filter_map(case_row).collect()).await?;
    events::write(line, effected).await?;
    notices::write(line, effected).await?;
    let written = now();
    let entries = effected.iter().flat_map(|e| e.chained.iter().chain(&e.along).chain(&e.shown).map(move |chained| (e, chained)));
    LEDGER.insert(line, &entries.map(|(e, chained)| ledger_row(e, chained, written, instance)).collect()).await?;
    // Both logs before what leaves: where a row cannot be written, nothing of the batch is, and no answer goes out.
    ACCESS_LOG.insert(line, &effected.iter().flat_map(log::access_values).collect()).await?;
    let denials: Vec<Vec<String>> = effected.iter().map(|e| e.log.disclosed.iter().map(DisclosedRow::denials_text).collect()).collect();
    DISCLOSURE_LOG.insert(line, &effected.iter().zip(&denials).flat_map(|(e, denials)| log::disclosed_values(e, denials)).collect()).await?;
    refusal_rows::write(line, effected).await?;
    refusal_rows::end_replays(line, effected).await?;
    dead_letters(line, effected).await?;
    let holds = effected.iter().filter_map(|e| if let Effect::Hold(held) = &e.commit.effect { Some(held_row(e.commit, held)) } else { None });
    HELD.insert(line, &holds.collect()).await?;
    HELD_REPLY.insert(line, &waiting_rows(effected)).await?;
    let leaving =
        effected.iter().flat_map(|e| e.out.iter().map(move |(id, reply)| outbox_row(e, id, reply, instance)).chain(notices::outbox_rows(e, instance)));
    let mut ids = HashMap::new();
    for row in OUTBOX.insert(line, &leaving.collect()).await? {
        ids.insert(row.need_text(1)?, row.need_int(0)?);
    }
    Ok(ids)
}

/// Counts what the ledger cannot tell of the dead-letter queue. A batch whose answers all have an address costs nothing.
async fn dead_letters(line: &mut Line, effected: &[Effected<'_>]) -> Result<(), Fault> {
    let mut copies: BTreeMap<&MessageKey, i64> = BTreeMap::new();
    for e in effected {
        // What `unanswered_refusals` counts.
        let is_told = e.out.is_empty() && e.chained.as_ref().is_some_and(|chained| chained.entry.kind == EntryKind::Refused);
        let more = i64::from(e.commit.road.dead_letter) - i64::from(is_told);
        if more != 0 {
            *copies.entry(&e.commit.key).or_default() += more;
        }
    }
    copies.retain(|_, more| *more != 0);
    let rows: Rows<'_> = copies.iter().map(|(key, more)| vec![text(key.sender.as_str()), digest(&key.octets), Value::Int(Some(*more))]).collect();
    let columns = "INSERT INTO dead_letter (sender, octets_sha, copies)";
    let known = "ON CONFLICT (sender, octets_sha) DO UPDATE SET copies = dead_letter.copies + excluded.copies";
    let sql = Both {
        postgres: format!("{columns} SELECT * FROM UNNEST($1::text[], $2::bytea[], $3::bigint[]) {known}"),
        sqlite: format!("{columns} VALUES ($1, $2, $3) {known}"),
    };
    line.many(&sql, &[Kind::Text, Kind::Octets, Kind::Int], &rows).await.map(drop)
}

/// Two deliveries of one message may wait under the same words: one row, since one statement may not meet the same row twice.
fn waiting_rows<'a>(effected: &'a [Effected<'a>]) -> Rows<'a> {
    let mut waiting: Vec<(&Commit, &Reply)> = effected.iter().filter_map(|e| e.waits.map(|reply| (e.commit, reply))).collect();
    waiting.sort_unstable_by(|(a, ra), (b, rb)| (&a.key, &ra.queue, &ra.correlation).cmp(&(&b.key, &rb.queue, &rb.correlation)));
    let mut rows: Rows<'a> = Vec::with_capacity(waiting.len());
    for (commit, reply) in waiting {
        let mut row = key_row(commit);
        row.push(Value::Octets(Some(reply.queue.as_bytes())));
        row.push(Value::Octets(Some(reply.correlation.as_deref().unwrap_or_default().as_bytes())));
        rows.push(row);
    }
    rows
}

fn relation_row<'a>(e: &Effected<'a>) -> Option<Vec<Value<'a>>> {
    let (Effect::Archive(archive), Some((revision, old))) = (&e.commit.effect, e.relation) else { return None };
    let header = &archive.header;
    let id = header.relation_id.as_ref()?;
    Some(vec![
        text(id.as_str()),
        text(header.set_id.as_str()),
        Value::Flag(Some(old)),
        digest(&header.client),
        text(header.controller.as_str()),
        Value::Int(Some(revision)),
        text(header.id.as_str()),
    ])
}

fn case_row<'a>(e: &Effected<'a>) -> Option<Vec<Value<'a>>> {
    let (Effect::Archive(archive), Some((revision, closed))) = (&e.commit.effect, e.case) else { return None };
    let header = &archive.header;
    let id = header.case_id.as_ref()?;
    Some(vec![
        text(id.as_str()),
        text(header.set_id.as_str()),
        Value::Text(header.relation_id.as_ref().map(Oid::as_str)),
        digest(&header.client),
        text(header.controller.as_str()),
        Value::Flag(Some(closed)),
        Value::Text(header.service_task.as_deref()),
        Value::Int(Some(revision)),
        text(header.id.as_str()),
    ])
}

/// The entry, and beside it what the road says of itself: no hash covers that.
fn ledger_row<'a>(e: &'a Effected<'_>, chained: &'a Chained, written: Moment, instance: &'a str) -> Vec<Value<'a>> {
    let (entry, road) = (&chained.entry, &e.commit.road);
    let at = |moment: Option<Moment>| Value::Int(moment.map(Moment::micros));
    let is_answered = e.answered_at() == i64::try_from(chained.position.0).ok();
    vec![
        Value::Int(i64::try_from(chained.position.0).ok()),
        digest(&chained.before),
        digest(&chained.hash),
        Value::Int(Some(i64::from(entry.kind.number()))),
        Value::Int(Some(entry.at.micros())),
        text(&entry.sender),
        digest(&entry.message),
        Value::Text(entry.document_id.as_deref()),
        octets(entry.document.as_ref()),
        octets(entry.archived.as_ref()),
        Value::Text(entry.code.as_deref()),
        octets(entry.answer.as_ref()),
        digest(&entry.rules),
        Value::Int(entry.supersedes.and_then(|p| i64::try_from(p.0).ok())),
        Value::Int(entry.log.map(|log| i64::from(log.rows))),
        octets(entry.log.as_ref().map(|log| &log.digest)),
        Value::Int(entry.about.and_then(|p| i64::try_from(p.0).ok())),
        Value::Octets(road.amqp_id.as_deref().map(str::as_bytes)),
        Value::Int(road.amqp_id.as_deref().map(messages::tag)),
        at(road.received),
        at(road.examined),
        at(road.signed),
        at(Some(written)),
        text(instance),
        Value::Int(Some(if is_answered { i64::try_from(e.out.len()).unwrap_or(i64::MAX) } else { 0 })),
    ]
}

fn octets(value: Option<&Digest>) -> Value<'_> {
    Value::Octets(value.map(|d| d.0.as_slice()))
}

fn outbox_row<'a>(e: &'a Effected<'_>, id: &'a str, reply: &'a Reply, instance: &'a str) -> Vec<Value<'a>> {
    let query = e.position.filter(|_| matches!(e.commit.effect, Effect::Answer(_)));
    let lease = (instance, e.commit.at.plus(OUTBOX_LEASE));
    answer_row(id, reply, e.answer.as_deref(), e.commit.at, Some(lease), (query, e.answered_at()))
}

fn done(e: Effected<'_>, ids: &HashMap<String, i64>) -> (Done, Vec<(i64, String)>) {
    let replayed = e.commit.replay.map(|_| refusal_rows::outcome(&e));
    let body = e.answer.unwrap_or_default();
    let notice = notices::leaving(e.commit, ids);
    let outbox = e.out.into_iter().filter_map(|(amqp_id, reply)| {
        ids.get(&amqp_id).map(|id| OutboxEntry {
            id: OutboxId(*id),
            amqp_id,
            queue: reply.queue,
            correlation: reply.correlation,
            content_type: CONTENT_TYPE.to_owned(),
            body: body.clone(),
            attempts: 0,
            trace: None,
        })
    });
    let decided = e.position.filter(|_| !matches!(e.commit.effect, Effect::Hold(_)));
    let position = decided.and_then(|p| u64::try_from(p).ok()).map(Position);
    let awaited = e.awaited.into_iter().map(|(kind, id)| (kind, id.to_owned())).collect();
    (Done { position, outbox: outbox.chain(notice).collect(), released: Vec::new(), replayed }, awaited)
}
