//! What every table says of each disclosure outside, side by side: the ledger, the notice, both logs, the outbox, the queue's confirmations, the FHIR server.
//! A disclosure is found by its ledger position in whichever of them still has it.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::{place, unsigned};
use crate::domain::handover::Standing;
use crate::domain::ledger::Position;
use crate::domain::reckoning::{AtSink, Reckoned};
use crate::domain::time::Moment;

/// Kind 6 of the ledger is a notice, kind 3 of the disclosure log is outside the archive.
const PAGE: &str = "SELECT k.position, l.at, l.document_id, l.log_rows, n.id, n.disclosed_at, n.recorded_at, \
     (SELECT count(*) FROM notice_part p WHERE p.position = k.position), \
     (SELECT count(*) FROM notice_part p WHERE p.position = k.position AND EXISTS \
       (SELECT 1 FROM disclosure_log d WHERE d.position = k.position AND d.kind = 3 AND d.controller = p.controller)), \
     (SELECT count(*) FROM disclosure_log d WHERE d.position = k.position AND d.kind = 3), \
     (SELECT count(*) FROM disclosure_log d WHERE d.position = k.position AND d.kind = 3 AND (d.notice IS NULL OR d.notice <> COALESCE(n.id, l.document_id, d.notice) \
       OR NOT EXISTS (SELECT 1 FROM notice_part p WHERE p.position = k.position AND p.controller = d.controller))), \
     (SELECT count(*) FROM access_log a WHERE a.position = k.position), \
     (SELECT min(d.notice) FROM disclosure_log d WHERE d.position = k.position AND d.kind = 3), \
     (SELECT max(e.at) FROM notice_emitted e WHERE e.position = k.position), \
     (SELECT count(*) FROM outbox o WHERE o.notice_position = k.position), \
     h.standing, h.attempts, h.words, h.settled_at, \
     n.messages, (SELECT count(*) FROM notice_emitted e WHERE e.position = k.position) \
     FROM (SELECT position FROM (SELECT position FROM ledger WHERE kind = 6 AND position > $1 ORDER BY position LIMIT $2) a \
       UNION SELECT position FROM (SELECT position FROM notice WHERE position > $1 ORDER BY position LIMIT $2) b \
       UNION SELECT position FROM (SELECT position FROM disclosure_log WHERE kind = 3 AND position > $1 ORDER BY position LIMIT $2) c) k \
     LEFT JOIN ledger l ON l.position = k.position AND l.kind = 6 \
     LEFT JOIN notice n ON n.position = k.position \
     LEFT JOIN notice_handover h ON h.position = k.position \
     ORDER BY k.position LIMIT $2";
const CONTROLLERS: &str = "SELECT position, controller FROM notice_part WHERE position > $1 AND position <= $2 \
     UNION SELECT position, controller FROM disclosure_log WHERE kind = 3 AND position > $1 AND position <= $2 ORDER BY 1, 2";

/// One page of them, in ledger order.
///
/// # Errors
/// As the database says, or when a row cannot be read.
pub(super) async fn page(line: &mut Line, after: Position, limit: u32) -> Result<Vec<Reckoned>, Fault> {
    let rows = line.one(PAGE, &[place(after), Value::Int(Some(i64::from(limit)))]).await?;
    let mut page: Vec<Reckoned> = rows.iter().map(one).collect::<Result<_, Fault>>()?;
    let Some(last) = page.last().map(|one| one.position) else { return Ok(page) };
    let mut controllers: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for row in line.one(CONTROLLERS, &[place(after), place(last)]).await? {
        controllers.entry(unsigned(row.need_int(0)?)).or_default().push(row.need_text(1)?);
    }
    for one in &mut page {
        one.controllers = controllers.remove(&one.position.0).unwrap_or_default();
    }
    Ok(page)
}

fn one(row: &Row) -> Result<Reckoned, Fault> {
    let count = |column| row.int(column).map(|n| n.map_or(0, unsigned));
    let moment = |column| row.int(column).map(|micros| micros.map(Moment::from_micros));
    let archived = row.text(4)?;
    let standing = row.int(15)?.and_then(|n| i16::try_from(n).ok()).and_then(Standing::from_number);
    let sink = match standing {
        Some(standing) => {
            Some(AtSink { standing, attempts: u32::try_from(count(16)?).unwrap_or(u32::MAX), words: row.text(17)?.unwrap_or_default(), at: moment(18)? })
        }
        None => None,
    };
    // Without its notice nobody knows how many messages there were; one there was.
    let (messages, confirmed) = (row.int(19)?.map_or(1, unsigned), count(20)?);
    Ok(Reckoned {
        position: Position(unsigned(row.need_int(0)?)),
        id: archived.clone().or(row.text(2)?).or(row.text(12)?),
        controllers: Vec::new(),
        entered: moment(1)?,
        is_archived: archived.is_some() && count(7)? > 0,
        disclosed: moment(5)?,
        recorded: moment(6)?,
        parts: count(7)?,
        parts_logged: count(8)?,
        logged: count(9)?,
        strange: count(10)?,
        log_rows: count(9)?.saturating_add(count(11)?),
        sealed_rows: row.int(3)?.map(unsigned),
        messages,
        confirmed,
        emitted: if confirmed >= messages { moment(13)? } else { None },
        leaving: count(14)?,
        sink,
    })
}
