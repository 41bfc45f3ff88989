//! Messages on hold: those that what they wait for has arrived for, those whose time is up, and how many there are.

use std::sync::Arc;

use super::fault::Fault;
use super::line::{Both, Kind, Line, Row, Value};
use super::look::awaits_kind;
use crate::domain::change::HeldMessage;
use crate::domain::digest::Digest;
use crate::domain::facts::Awaited;
use crate::domain::limits::COMMIT_BATCH_OCTETS;
use crate::domain::message::{Envelope, MessageKey, Sender};
use crate::domain::oid::Oid;
use crate::domain::time::Moment;

/// How many held messages one commit releases at once; the sweep of what is due finds the rest.
const RELEASED: i64 = 64;

/// The held messages that wait for these ids, oldest first.
///
/// # Errors
/// As the database says.
pub(super) async fn awaiting(line: &mut Line, ids: &[&(i64, String)]) -> Result<Vec<HeldMessage>, Fault> {
    let mut sized = Vec::new();
    for (kind, id) in ids {
        let values = [Value::Text(Some(id)), Value::Int(Some(*kind)), Value::Int(Some(RELEASED))];
        let sql = "SELECT sender, octets_sha, CAST(length(octets) AS bigint) FROM held WHERE awaits_id = $1 AND awaits_kind = $2 ORDER BY since LIMIT $3";
        sized.extend(line.one(sql, &values).await?);
    }
    load(line, sized).await
}

/// The held messages whose time is up or whose awaited id is in the archive, oldest first.
///
/// # Errors
/// As the database says.
pub(super) async fn due(line: &mut Line, now: Moment, limit: u32) -> Result<Vec<HeldMessage>, Fault> {
    // Scalar subqueries, since PostgreSQL may answer an EXISTS here by hashing the whole table of documents.
    let sql = "SELECT h.sender, h.octets_sha, CAST(length(h.octets) AS bigint) FROM held h WHERE h.until_at <= $1
        OR (h.awaits_kind = 1 AND (SELECT d.position FROM document d WHERE d.id = h.awaits_id) IS NOT NULL)
        OR (h.awaits_kind = 2 AND (SELECT c.revision FROM case_file c WHERE c.id = h.awaits_id) IS NOT NULL)
        OR (h.awaits_kind = 3 AND (SELECT r.revision FROM client_relation r WHERE r.id = h.awaits_id) IS NOT NULL)
        ORDER BY h.since LIMIT $2";
    let sized = line.one(sql, &[Value::Int(Some(now.micros())), Value::Int(Some(i64::from(limit)))]).await?;
    load(line, sized).await
}

/// How many are on hold: of this sender, and in all.
///
/// # Errors
/// As the database says.
pub(super) async fn counts(line: &mut Line, sender: &str) -> Result<(i64, i64), Fault> {
    let rows = line.one("SELECT (SELECT count(*) FROM held WHERE sender = $1), (SELECT count(*) FROM held)", &[Value::Text(Some(sender))]).await?;
    let row = rows.first().ok_or_else(|| Fault::unreadable(0))?;
    Ok((row.need_int(0)?, row.need_int(1)?))
}

/// When the oldest of them was put on hold.
///
/// # Errors
/// As the database says.
pub(super) async fn since(line: &mut Line) -> Result<Option<Moment>, Fault> {
    let rows = line.one("SELECT min(since) FROM held", &[]).await?;
    Ok(rows.first().map(|row| row.int(0)).transpose()?.flatten().map(Moment::from_micros))
}

/// Whether this message waits for that id.
pub(super) fn waits_for(held: &HeldMessage, kind: i64, id: &str) -> bool {
    awaits_kind(&held.awaits) == kind && held.awaits.id().as_str() == id
}

/// Loads as many as a batch's octets allow, at least one, in the order given.
async fn load(line: &mut Line, sized: Vec<Row>) -> Result<Vec<HeldMessage>, Fault> {
    let mut keys: Vec<(String, Vec<u8>)> = Vec::new();
    let mut octets = 0_usize;
    for row in &sized {
        octets = octets.saturating_add(usize::try_from(row.need_int(2)?).unwrap_or(usize::MAX));
        if !keys.is_empty() && octets > COMMIT_BATCH_OCTETS {
            break;
        }
        keys.push((row.need_text(0)?, row.need_octets(1)?));
    }
    let columns =
        "SELECT h.sender, h.octets_sha, i.revision, h.awaits_kind, h.awaits_id, h.until_at, h.message_id, h.content_type, h.inbound, h.profile, h.octets, h.since
        FROM held h JOIN inbox i ON i.sender = h.sender AND i.octets_sha = h.octets_sha";
    let sql = Both {
        postgres: format!("{columns} WHERE (h.sender, h.octets_sha) IN (SELECT * FROM UNNEST($1::text[], $2::bytea[])) ORDER BY h.since"),
        sqlite: format!("{columns} WHERE h.sender = $1 AND h.octets_sha = $2"),
    };
    let rows = keys.iter().map(|(sender, sha)| vec![Value::Text(Some(sender)), Value::Octets(Some(sha))]).collect::<Vec<_>>();
    line.many(&sql, &[Kind::Text, Kind::Octets], &rows).await?.iter().map(message).collect()
}

fn message(row: &Row) -> Result<HeldMessage, Fault> {
    let words = |column: usize| row.octets(column)?.map(String::from_utf8).transpose().map_err(|_| Fault::unreadable(column));
    let sender = Sender::new(row.need_text(0)?);
    let awaits = awaited(row, 3, 4)?;
    Ok(HeldMessage {
        key: MessageKey { sender: sender.clone(), octets: Digest::from_slice(&row.need_octets(1)?).ok_or_else(|| Fault::unreadable(1))? },
        revision: u32::try_from(row.need_int(2)?).map_err(|_| Fault::unreadable(2))?,
        envelope: Envelope {
            octets: Arc::new(row.need_octets(10)?),
            sender: Some(sender),
            reply: None,
            message_id: words(6)?,
            content_type: words(7)?,
            inbound: row.need_text(8)?,
            profile: row.need_text(9)?,
        },
        awaits,
        since: Moment::from_micros(row.need_int(11)?),
        until: Moment::from_micros(row.need_int(5)?),
    })
}

/// What a held message waits for, from two columns.
///
/// # Errors
/// When they are none of ours.
pub(super) fn awaited(row: &Row, kind: usize, id: usize) -> Result<Awaited, Fault> {
    let oid = Oid::parse(&row.need_text(id)?).map_err(|_| Fault::unreadable(id))?;
    match row.need_int(kind)? {
        1 => Ok(Awaited::Document(oid)),
        2 => Ok(Awaited::Case(oid)),
        3 => Ok(Awaited::Relation(oid)),
        _ => Err(Fault::unreadable(kind)),
    }
}
