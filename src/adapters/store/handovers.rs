//! Notices after their commit: leased to whoever hands them over to the FHIR server, settled with what the server said, and added up. What a server has taken
//! is kept on a connection of its own that waits for the disk: lost, the notice would be handed over a second time.

use async_trait::async_trait;

use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::lines::{durably, on_spare, whole};
use super::reckon;
use super::{Store, place, unsigned};
use crate::domain::handover::{DueNotice, Settled, Standing, StoredAs};
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::reckoning::Reckoned;
use crate::domain::time::Moment;
use crate::ports::notices::{Kept, Notices, Retried};

#[async_trait]
impl Notices for Store {
    async fn lease_notices(&self, now: Moment, until: Moment, from: Option<Moment>, limit: u32) -> Result<Vec<DueNotice>, Outage> {
        // Looked first: an idle gateway must not write once a second.
        let is_new = "SELECT 1 FROM notice WHERE position > (SELECT COALESCE(max(position), 0) FROM notice_handover) AND at >= $1 LIMIT 1";
        let is_due = "SELECT 1 FROM notice_handover WHERE standing = 0 AND due_at <= $1 LIMIT 1";
        let since = Value::Int(Some(from.map_or(i64::MIN, Moment::micros)));
        let any = on_spare!(&self.lines, |line| async move {
            Ok::<_, Fault>(!line.one(is_new, &[since]).await?.is_empty() || !line.one(is_due, &[moment(now)]).await?.is_empty())
        })?;
        if !any {
            return Ok(Vec::new());
        }
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| whole(line, async |line: &mut Line| lease(line, now, until, from, limit).await))
    }

    async fn settle_notice(&self, settled: &Settled) -> Result<Kept, Outage> {
        durably!(&self.lines, |line| settle(line, settled).await)
    }

    async fn retry_notice(&self, id: &str, now: Moment) -> Result<Retried, Outage> {
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| whole(line, async |line: &mut Line| retry(line, id, now).await))
    }

    async fn stored_ids(&self, id: &str) -> Result<Vec<StoredAs>, Outage> {
        on_spare!(&self.lines, |line| stored(line, id))
    }

    async fn reckon(&self, after: Position, limit: u32) -> Result<Vec<Reckoned>, Outage> {
        on_spare!(&self.lines, |line| reckon::page(line, after, limit))
    }

    async fn stopped_notices(&self) -> Result<u64, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one("SELECT count(*) FROM notice_handover WHERE standing = 2", &[]).await?;
            Ok::<_, Fault>(unsigned(rows.first().ok_or_else(|| Fault::unreadable(0))?.need_int(0)?))
        })
    }

    async fn notice_position(&self, id: &str) -> Result<Option<Position>, Outage> {
        on_spare!(&self.lines, |line| async move {
            // A notice that is lost is still known by its entry, or by what became of it.
            for sql in [
                "SELECT position FROM notice WHERE id = $1",
                "SELECT position FROM notice_handover WHERE notice = $1",
                "SELECT position FROM disclosure_log WHERE notice = $1 AND kind = 3 LIMIT 1",
            ] {
                if let Some(row) = line.one(sql, &[text(id)]).await?.first() {
                    return Ok::<_, Fault>(Some(Position(unsigned(row.need_int(0)?))));
                }
            }
            Ok(None)
        })
    }
}

fn text(value: &str) -> Value<'_> {
    Value::Text(Some(value))
}

fn moment(at: Moment) -> Value<'static> {
    Value::Int(Some(at.micros()))
}

/// New notices get their row, in ledger order: positions become visible in the order in which they are given, so nothing can come in below the last.
async fn lease(line: &mut Line, now: Moment, until: Moment, from: Option<Moment>, limit: u32) -> Result<Vec<DueNotice>, Fault> {
    let most = Value::Int(Some(i64::from(limit)));
    let sql = "INSERT INTO notice_handover (notice, position, standing, attempts, due_at, words, settled_at) \
               SELECT n.id, n.position, 0, 0, $1, '', NULL FROM notice n \
               WHERE n.position > (SELECT COALESCE(max(position), 0) FROM notice_handover) AND n.at >= $2 ORDER BY n.position LIMIT $3 ON CONFLICT DO NOTHING";
    line.one(sql, &[moment(now), Value::Int(Some(from.map_or(i64::MIN, Moment::micros))), most]).await?;
    macro_rules! lease {
        ($tail:literal) => {
            concat!(
                "UPDATE notice_handover SET due_at = $1 WHERE notice IN (SELECT notice FROM notice_handover WHERE standing = 0 AND due_at <= $2 \
                 ORDER BY position LIMIT $3",
                $tail,
                ") RETURNING notice, position, attempts"
            )
        };
    }
    let sql = match line {
        Line::Postgres(_) => lease!(" FOR UPDATE SKIP LOCKED"),
        Line::Sqlite(_) => lease!(""),
    };
    let mut due = Vec::new();
    for row in line.one(sql, &[moment(until), moment(now), most]).await? {
        let position = Position(unsigned(row.need_int(1)?));
        let octets = line.one("SELECT bundle FROM notice WHERE position = $1", &[place(position)]).await?;
        // A notice whose octets are gone cannot be handed over; the reckoning and the audit name it.
        let bundle = octets.first().map(|row| row.need_octets(0)).transpose()?.unwrap_or_default();
        due.push(DueNotice { id: row.need_text(0)?, position, bundle, attempts: u32::try_from(row.need_int(2)?).unwrap_or(u32::MAX) });
    }
    due.sort_unstable_by_key(|notice| notice.position);
    Ok(due)
}

async fn settle(line: &mut Line, settled: &Settled) -> Result<Kept, Fault> {
    // The row's lock first: two who settle the same notice do so one after the other.
    let sql = "UPDATE notice_handover SET attempts = attempts + 1 WHERE notice = $1 RETURNING standing";
    let rows = line.one(sql, &[text(&settled.id)]).await?;
    let was_taken = rows.first().map(|row| row.need_int(0)).transpose()? == Some(i64::from(Standing::Taken.number()));
    if was_taken {
        let same = settled.stored.is_empty() || stored(line, &settled.id).await? == settled.stored;
        return Ok(if same { Kept::Done } else { Kept::Twice });
    }
    for one in &settled.stored {
        let sql = "SELECT 1 FROM notice_stored WHERE kind = $1 AND stored_id = $2 AND notice <> $3";
        if !line.one(sql, &[text(&one.kind), text(&one.stored_id), text(&settled.id)]).await?.is_empty() {
            let words = "the server names an id that another notice is stored under";
            write(line, settled, Standing::Waiting, words).await?;
            return Ok(Kept::Foreign);
        }
    }
    for (number, one) in (1_i64..).zip(&settled.stored) {
        let values = [text(&settled.id), Value::Int(Some(number)), text(&one.kind), text(&one.sent_id), text(&one.stored_id)];
        line.one("INSERT INTO notice_stored (notice, number, kind, sent_id, stored_id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING", &values).await?;
    }
    write(line, settled, settled.standing, &settled.words).await?;
    Ok(Kept::Done)
}

async fn write(line: &mut Line, settled: &Settled, standing: Standing, words: &str) -> Result<(), Fault> {
    let values = [text(&settled.id), Value::Int(Some(i64::from(standing.number()))), moment(settled.again), text(words), moment(settled.at)];
    line.one("UPDATE notice_handover SET standing = $2, due_at = $3, words = $4, settled_at = $5 WHERE notice = $1", &values).await.map(drop)
}

async fn retry(line: &mut Line, id: &str, now: Moment) -> Result<Retried, Fault> {
    let rows = line.one("SELECT standing FROM notice_handover WHERE notice = $1", &[text(id)]).await?;
    match rows.first().map(|row| row.need_int(0)).transpose()? {
        Some(standing) if standing == i64::from(Standing::Taken.number()) => Ok(Retried::Taken),
        Some(_) => {
            line.one("UPDATE notice_handover SET standing = 0, due_at = $2 WHERE notice = $1 AND standing <> 1", &[text(id), moment(now)]).await?;
            Ok(Retried::Due)
        }
        None => {
            let sql = "INSERT INTO notice_handover (notice, position, standing, attempts, due_at, words, settled_at) \
                       SELECT n.id, n.position, 0, 0, $2, '', NULL FROM notice n WHERE n.id = $1 ON CONFLICT DO NOTHING RETURNING notice";
            let made = line.one(sql, &[text(id), moment(now)]).await?;
            Ok(if made.is_empty() { Retried::Unknown } else { Retried::Due })
        }
    }
}

async fn stored(line: &mut Line, id: &str) -> Result<Vec<StoredAs>, Fault> {
    let rows = line.one("SELECT kind, sent_id, stored_id FROM notice_stored WHERE notice = $1 ORDER BY number", &[text(id)]).await?;
    rows.iter().map(|row: &Row| Ok(StoredAs { kind: row.need_text(0)?, sent_id: row.need_text(1)?, stored_id: row.need_text(2)? })).collect()
}
