//! Messages as they were kept, newest first: for a rehearsal of other rules. Of what was archived only the document is kept, not the frame it came in.

use std::sync::Arc;

use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::unsigned;
use crate::domain::facts::Standing;
use crate::domain::ledger::Position;
use crate::domain::message::{Envelope, Sender};
use crate::domain::refused::KeptMessage;
use crate::domain::time::Moment;

/// One page. What has no octets, or was no more than noted, is left out.
///
/// # Errors
/// As the database says.
pub(super) async fn page(line: &mut Line, before: Option<Position>, limit: u32, octets: usize) -> Result<Vec<KeptMessage>, Fault> {
    let sql = "SELECT i.position, i.decided_at, i.code, i.standing, i.sender, d.id, CAST(COALESCE(length(i.octets), length(o.octets)) AS bigint), \
               r.message_id, r.content_type, r.inbound, r.profile, i.octets IS NULL FROM inbox i \
               LEFT JOIN document d ON d.position = i.position LEFT JOIN document_octets o ON o.document_id = d.id \
               LEFT JOIN refusal r ON r.sender = i.sender AND r.octets_sha = i.octets_sha \
               WHERE i.position < $1 AND i.standing IN (1, 2) AND (i.octets IS NOT NULL OR o.octets IS NOT NULL) ORDER BY i.position DESC LIMIT $2";
    let end = before.and_then(|position| i64::try_from(position.0).ok()).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    let mut taken = 0_usize;
    for row in line.one(sql, &[Value::Int(Some(end)), Value::Int(Some(i64::from(limit)))]).await? {
        taken = taken.saturating_add(usize::try_from(row.int(6)?.unwrap_or(0)).unwrap_or(usize::MAX));
        if !found.is_empty() && taken > octets {
            break;
        }
        found.push(message(line, &row).await?);
    }
    Ok(found)
}

async fn message(line: &mut Line, row: &Row) -> Result<KeptMessage, Fault> {
    let words = |column: usize| row.octets(column)?.map(String::from_utf8).transpose().map_err(|_| Fault::unreadable(column));
    let position = row.need_int(0)?;
    let is_bare = row.need_flag(11)?;
    let octets = if is_bare { document(line, position).await? } else { received(line, position).await? };
    Ok(KeptMessage {
        position: Position(unsigned(position)),
        at: Moment::from_micros(row.need_int(1)?),
        code: row.text(2)?.filter(|_| row.need_int(3).is_ok_and(|standing| standing == i64::from(Standing::Refused.number()))),
        document: row.text(5)?,
        is_bare,
        envelope: Envelope {
            octets: Arc::new(octets),
            sender: Some(Sender::new(row.need_text(4)?)),
            reply: None,
            message_id: words(7)?,
            content_type: words(8)?,
            inbound: row.text(9)?.unwrap_or_default(),
            profile: row.text(10)?.unwrap_or_default(),
        },
    })
}

async fn received(line: &mut Line, position: i64) -> Result<Vec<u8>, Fault> {
    let rows = line.one("SELECT octets FROM inbox WHERE position = $1", &[Value::Int(Some(position))]).await?;
    Ok(rows.first().map(|row| row.octets(0)).transpose()?.flatten().unwrap_or_default())
}

/// The document as it was received: without the signature that we spliced in.
async fn document(line: &mut Line, position: i64) -> Result<Vec<u8>, Fault> {
    let sql = "SELECT o.octets, d.splice_start, d.splice_len FROM document d JOIN document_octets o ON o.document_id = d.id WHERE d.position = $1";
    let rows = line.one(sql, &[Value::Int(Some(position))]).await?;
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let mut octets = row.need_octets(0)?;
    let start = usize::try_from(row.need_int(1)?).unwrap_or(usize::MAX);
    let end = start.saturating_add(usize::try_from(row.need_int(2)?).unwrap_or(0));
    if start <= end && end <= octets.len() {
        octets.drain(start..end);
    }
    Ok(octets)
}
