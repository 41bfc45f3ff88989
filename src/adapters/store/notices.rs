//! Notices in the tables: written with their commit, looked up for a decision, listed for people, and held against the ledger by the audit.

use std::collections::HashMap;

use super::compose::Effected;
use super::decode::{self, count, digest, need_oid, oid};
use super::fault::Fault;
use super::line::{Both, Kind, Line, Row, Value};
use super::misfits::{full, number, words};
use super::rows::{NOTICE, NOTICE_PART, Rows, digest as digest_value, text};
use super::{place, unsigned};
use crate::domain::change::{Commit, Effect, NoticeCommit};
use crate::domain::ledger::{Chained, EntryKind, Position};
use crate::domain::limits::OUTBOX_LEASE;
use crate::domain::notice::{NoticeCriteria, NoticeFacts, NoticeNeeds, NoticePart, NoticeRecord, NoticeRow, StoredNotice};
use crate::domain::oid::Oid;
use crate::domain::outbox::{OutboxEntry, OutboxId};
use crate::domain::time::Moment;
use crate::ports::archive::Misfits;

/// By what one notice is asked for.
pub(super) enum Key<'a> {
    /// The event's id.
    Id(&'a Oid),
    /// The ledger position.
    Position(Position),
}

fn of(commit: &Commit) -> Option<&NoticeCommit> {
    if let Effect::Notice(notice) = &commit.effect { Some(notice) } else { None }
}

/// Writes the notices of a batch.
///
/// # Errors
/// As the database says.
pub(super) async fn write(line: &mut Line, effected: &[Effected<'_>]) -> Result<(), Fault> {
    let notices: Vec<_> = effected.iter().filter_map(|e| of(e.commit).map(|notice| (e, notice))).collect();
    NOTICE.insert(line, &notices.iter().map(|(e, notice)| row(e, notice)).collect()).await?;
    let parts = notices.iter().flat_map(|(e, notice)| notice.record.parts.iter().map(|part| part_row(e.position, part)));
    NOTICE_PART.insert(line, &parts.collect()).await?;
    Ok(())
}

fn row<'a>(e: &'a Effected<'_>, notice: &'a NoticeCommit) -> Vec<Value<'a>> {
    let record = &notice.record;
    vec![
        Value::Int(e.position),
        text(record.id.as_str()),
        text(e.commit.key.sender.as_str()),
        digest_value(&record.client),
        Value::Text(record.corrects.as_ref().map(Oid::as_str)),
        Value::Int(Some(record.disclosed_at.micros())),
        Value::Int(Some(record.recorded_at.micros())),
        Value::Int(Some(e.commit.at.micros())),
        digest_value(&record.event_sha),
        digest_value(&record.bundle_sha),
        Value::Octets(Some(&notice.event)),
        Value::Octets(Some(&notice.bundle)),
        Value::Octets(notice.cda.as_ref().map(|cda| cda.as_slice())),
        Value::Int(i64::try_from(notice.leaving.len()).ok()),
    ]
}

fn part_row(position: Option<i64>, part: &NoticePart) -> Vec<Value<'_>> {
    vec![
        Value::Int(position),
        Value::Int(Some(i64::from(part.number))),
        text(part.sent_id.as_str()),
        text(part.provenance_id.as_str()),
        text(part.controller.as_str()),
        text(&part.register),
    ]
}

/// The outbox's rows of what goes to the notice queue.
pub(super) fn outbox_rows<'a>(e: &'a Effected<'_>, instance: &'a str) -> Rows<'a> {
    let rows = of(e.commit).into_iter().flat_map(|notice| &notice.leaving).map(|leaving| {
        vec![
            text(&leaving.amqp_id),
            Value::Octets(Some(leaving.queue.as_bytes())),
            Value::Octets(None),
            text(leaving.content_type),
            Value::Octets(Some(&leaving.body)),
            Value::Int(Some(e.commit.at.micros())),
            text(instance),
            Value::Int(Some(e.commit.at.plus(OUTBOX_LEASE).micros())),
            Value::Int(Some(0)),
            Value::Int(None),
            Value::Int(e.position),
            // What leaves of a notice is reckoned by itself (`notice_emitted`).
            Value::Int(None),
        ]
    });
    rows.collect()
}

/// The same as they leave now, leased to this instance.
pub(super) fn leaving(commit: &Commit, ids: &HashMap<String, i64>) -> Vec<OutboxEntry> {
    let rows = of(commit).into_iter().flat_map(|notice| &notice.leaving).filter_map(|leaving| {
        ids.get(&leaving.amqp_id).map(|id| OutboxEntry {
            id: OutboxId(*id),
            amqp_id: leaving.amqp_id.clone(),
            queue: leaving.queue.clone(),
            correlation: None,
            content_type: leaving.content_type.to_owned(),
            body: leaving.body.as_ref().clone(),
            attempts: 0,
            trace: None,
        })
    });
    rows.collect()
}

/// The columns that [`notice_row`] reads, in its order.
macro_rules! columns {
    ($more:literal) => {
        concat!(
            "SELECT n.position, n.id, n.sender, n.client, n.corrects, n.disclosed_at, n.recorded_at, n.at, n.event_sha, n.bundle_sha, \
             (SELECT count(*) FROM outbox o WHERE o.notice_position = n.position)",
            $more,
            " FROM notice n "
        )
    };
}

fn notice_row(row: &Row) -> Result<NoticeRow, Fault> {
    Ok(NoticeRow {
        position: Position(unsigned(row.need_int(0)?)),
        at: Moment::from_micros(row.need_int(7)?),
        sender: row.need_text(2)?,
        record: NoticeRecord {
            id: need_oid(row, 1)?,
            client: digest(row, 3)?,
            corrects: oid(row, 4)?,
            disclosed_at: Moment::from_micros(row.need_int(5)?),
            recorded_at: Moment::from_micros(row.need_int(6)?),
            parts: Vec::new(),
            event_sha: digest(row, 8)?,
            bundle_sha: digest(row, 9)?,
        },
        waiting: row.need_int(10)? > 0,
    })
}

async fn parts(line: &mut Line, position: Position) -> Result<Vec<NoticePart>, Fault> {
    let sql = "SELECT number, sent_id, provenance_id, controller, register FROM notice_part WHERE position = $1 ORDER BY number";
    let rows = line.one(sql, &[place(position)]).await?;
    let read = |row: &Row| {
        Ok(NoticePart {
            number: count(row, 0)?,
            sent_id: need_oid(row, 1)?,
            provenance_id: need_oid(row, 2)?,
            controller: need_oid(row, 3)?,
            register: row.need_text(4)?,
        })
    };
    rows.iter().map(read).collect()
}

/// One notice with its octets.
///
/// # Errors
/// As the database says, or when a row cannot be read.
pub(super) async fn stored(line: &mut Line, key: Key<'_>) -> Result<Option<StoredNotice>, Fault> {
    let rows = match key {
        Key::Id(id) => line.one(concat!(columns!(", n.event, n.bundle, n.cda"), "WHERE n.id = $1"), &[text(id.as_str())]).await?,
        Key::Position(position) => line.one(concat!(columns!(", n.event, n.bundle, n.cda"), "WHERE n.position = $1"), &[place(position)]).await?,
    };
    let Some(found) = rows.first() else { return Ok(None) };
    let mut row = notice_row(found)?;
    row.record.parts = parts(line, row.position).await?;
    Ok(Some(StoredNotice { row, event: found.need_octets(11)?, bundle: found.need_octets(12)?, cda: found.octets(13)? }))
}

/// Notices in order, with their parts.
///
/// # Errors
/// As the database says, or when a row cannot be read.
pub(super) async fn list(line: &mut Line, criteria: &NoticeCriteria, limit: u32) -> Result<Vec<NoticeRow>, Fault> {
    let sql = concat!(
        columns!(""),
        "WHERE n.position > $1 AND n.disclosed_at >= $2 AND n.disclosed_at < $3 \
         AND ($4 = '' OR EXISTS (SELECT 1 FROM notice_part p WHERE p.position = n.position AND p.controller = $4)) ORDER BY n.position LIMIT $5"
    );
    let values = [
        place(criteria.after.unwrap_or(Position(0))),
        Value::Int(Some(criteria.from.map_or(i64::MIN, Moment::micros))),
        Value::Int(Some(criteria.until.map_or(i64::MAX, Moment::micros))),
        text(criteria.controller.as_ref().map_or("", Oid::as_str)),
        Value::Int(Some(i64::from(limit))),
    ];
    let mut found: Vec<NoticeRow> = line.one(sql, &values).await?.iter().map(notice_row).collect::<Result<_, Fault>>()?;
    for row in &mut found {
        row.record.parts = parts(line, row.position).await?;
    }
    Ok(found)
}

/// What the archive knows of what an event names.
///
/// # Errors
/// As the database says, or when a row cannot be read.
pub(super) async fn facts(line: &mut Line, needs: &NoticeNeeds) -> Result<NoticeFacts, Fault> {
    let mut facts = NoticeFacts::default();
    for (id, into) in [(Some(&needs.id), &mut facts.known), (needs.corrects.as_ref(), &mut facts.corrected)] {
        if let Some(id) = id {
            *into = stored(line, Key::Id(id)).await?.map(|notice| notice.row.record);
        }
    }
    let sql = Both {
        postgres: concat!(decode::fact_columns!(), "d.id = ANY($1::text[])").to_owned(),
        sqlite: concat!(decode::fact_columns!(), "d.id = $1").to_owned(),
    };
    let ids: Rows<'_> = needs.documents.iter().map(|id| vec![text(id.as_str())]).collect();
    for row in line.many(&sql, &[Kind::Text], &ids).await? {
        facts.documents.extend(decode::document(&row, 0)?);
    }
    Ok(facts)
}

/// What is wrong with the rows of a notice's entry: the notice itself, its parts, and the access log's rows. The octets are the pipeline's to check.
///
/// # Errors
/// As the database says.
pub(super) async fn companions(line: &mut Line, chained: &Chained) -> Result<Vec<&'static str>, Fault> {
    let entry = &chained.entry;
    let sql = "SELECT n.id, n.sender, n.at, n.event_sha, (SELECT count(*) FROM notice_part p WHERE p.position = n.position), \
               (SELECT count(*) FROM notice_part p WHERE p.position = n.position AND EXISTS (SELECT 1 FROM access_log a WHERE a.position = n.position \
                AND a.action = 'report' AND a.document_id = n.id AND a.controller = p.controller)), \
               (SELECT count(*) FROM notice_part p WHERE p.position = n.position AND EXISTS (SELECT 1 FROM disclosure_log d WHERE d.position = n.position \
                AND d.notice = n.id AND d.client = n.client AND d.kind = 3 AND d.disclosed_at = n.disclosed_at AND d.controller = p.controller AND d.register_type = p.register)), \
               n.messages, CASE WHEN n.cda IS NULL THEN CAST(1 AS bigint) ELSE CAST(2 AS bigint) END FROM notice n WHERE n.position = $1";
    let rows = line.one(sql, &[place(chained.position)]).await?;
    let Some(row) = rows.first() else { return Ok(vec!["the notice is missing"]) };
    let mut wrong = Vec::new();
    if words(row, 0) != entry.document_id || words(row, 1).as_deref() != Some(entry.sender.as_str()) || number(row, 2) != Some(entry.at.micros()) {
        wrong.push("the notice names another id, time or sender than its entry");
    }
    if digest(row, 3).ok() != entry.document {
        wrong.push("the notice is about another event than its entry");
    }
    if number(row, 4).is_none_or(|parts| parts < 1) {
        wrong.push("the notice has no parts");
    }
    if number(row, 5) != number(row, 4) {
        wrong.push("the access log does not have the notice for each of its parts");
    }
    if number(row, 6) != number(row, 4) {
        wrong.push("the disclosure log does not have the notice for each of its parts");
    }
    if !matches!((number(row, 7), number(row, 8)), (Some(messages), Some(most)) if (1..=most).contains(&messages)) {
        wrong.push("the notice says that another number of messages leaves than it has formats");
    }
    Ok(wrong)
}

/// Notices that no entry made, and parts without their notice.
///
/// # Errors
/// As the database says.
pub(super) async fn misfits(line: &mut Line, after: &str, limit: i64) -> Result<Misfits, Fault> {
    let sql = "SELECT k.position, n.id, (SELECT l.kind FROM ledger l WHERE l.position = k.position), (SELECT l.document_id FROM ledger l WHERE l.position = k.position) \
               FROM (SELECT position FROM notice UNION SELECT position FROM notice_part) k LEFT JOIN notice n ON n.position = k.position \
               WHERE k.position > $1 ORDER BY k.position LIMIT $2";
    let mark = after.parse::<i64>().unwrap_or(0);
    let rows = line.one(sql, &[Value::Int(Some(mark)), Value::Int(Some(limit))]).await?;
    let mut page = Misfits { rows: rows.len() as u64, ..Misfits::default() };
    for row in &rows {
        let position = Position(number(row, 0).map_or(0, unsigned));
        if words(row, 1).is_none() {
            page.found.push((position, "a notice's part without its notice".to_owned()));
        } else if number(row, 2) != Some(i64::from(EntryKind::Notice.number())) || words(row, 3) != words(row, 1) {
            page.found.push((position, "a notice that no entry made".to_owned()));
        }
    }
    page.next = full(&rows, limit).and_then(|row| number(row, 0)).map(|position| position.to_string());
    Ok(page)
}
