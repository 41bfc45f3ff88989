//! The outbox after the commit: leased to one instance at a time, forgotten when routed and confirmed, kept when nobody took it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::line::{Both, Kind, Line, Value};
use super::lines::{Lines, on_spare};
use super::message::RUN;
use super::now;
use crate::domain::limits::{COMMIT_BATCH_OCTETS, OUTBOX_LEASE};
use crate::domain::outage::Outage;
use crate::domain::outbox::{OutboxEntry, OutboxId};
use crate::domain::time::Moment;

/// Leases what nobody holds, oldest due first, at most `limit` rows and [`LEASED_OCTETS`] of bodies, but one at least: answers to queries are large, and
/// what is leased lies in memory. PostgreSQL passes over rows that another instance is leasing at this moment; SQLite has one writer.
///
/// # Errors
/// As the database says.
pub(super) async fn lease(line: &mut Line, now: Moment, limit: u32, instance: &str) -> Result<Vec<OutboxEntry>, Fault> {
    macro_rules! lease {
        ($tail:literal) => {
            concat!(
                "UPDATE outbox SET lease_owner = $1, due_at = $2 WHERE id IN (SELECT id FROM outbox WHERE due_at <= $3 AND id IN (",
                "SELECT id FROM (SELECT id, sum(octets) OVER (ORDER BY due_at, id) - octets AS before FROM ",
                "(SELECT id, due_at, length(body) AS octets FROM outbox WHERE due_at <= $3 ORDER BY due_at, id LIMIT $4) AS due) AS first WHERE before < $5)",
                $tail,
                ") RETURNING id, amqp_id, queue, correlation, content_type, body, attempts"
            )
        };
    }
    let sql = match line {
        Line::Postgres(_) => lease!(" FOR UPDATE SKIP LOCKED"),
        Line::Sqlite(_) => lease!(""),
    };
    let until = now.plus(OUTBOX_LEASE).micros();
    let octets = i64::try_from(LEASED_OCTETS).unwrap_or(i64::MAX);
    let [until, now, limit, octets] = [until, now.micros(), i64::from(limit), octets].map(|number| Value::Int(Some(number)));
    let values = [Value::Text(Some(instance)), until, now, limit, octets];
    let mut entries = Vec::new();
    for row in line.one(sql, &values).await? {
        let words = |octets: Vec<u8>, column| String::from_utf8(octets).map_err(|_| Fault::unreadable(column));
        entries.push(OutboxEntry {
            id: OutboxId(row.need_int(0)?),
            amqp_id: row.need_text(1)?,
            queue: words(row.need_octets(2)?, 2)?,
            correlation: row.octets(3)?.map(|octets| words(octets, 3)).transpose()?,
            content_type: row.need_text(4)?,
            body: row.need_octets(5)?,
            attempts: u32::try_from(row.need_int(6)?).unwrap_or(u32::MAX),
            trace: None,
        });
    }
    entries.sort_unstable_by_key(|entry| entry.id);
    Ok(entries)
}

/// How many octets of bodies one lease takes before the last row: as many as one transaction does.
const LEASED_OCTETS: usize = COMMIT_BATCH_OCTETS;
/// How many callers' rows are forgotten in one statement.
const TOGETHER: usize = 256;

/// Rows that were sent, and the caller who says so.
pub(super) struct Sent {
    /// The rows.
    pub ids: Vec<OutboxId>,
    /// Where the end is told.
    pub caller: oneshot::Sender<Result<(), Outage>>,
}

/// Forgets sent rows for many callers at once, until no caller is left.
pub(super) async fn forget(lines: Arc<Lines>, instance: String, mut incoming: mpsc::Receiver<Sent>) {
    let mut waiting = Vec::with_capacity(TOGETHER);
    while incoming.recv_many(&mut waiting, TOGETHER).await > 0 {
        let ids: Vec<OutboxId> = waiting.iter().flat_map(|sent| &sent.ids).copied().collect();
        let outcome = forget_once(&lines, &ids, &instance).await;
        for sent in waiting.drain(..) {
            let _ = sent.caller.send(outcome.clone());
        }
    }
}

async fn forget_once(lines: &Lines, ids: &[OutboxId], instance: &str) -> Result<(), Outage> {
    let _turn = lines.turn().await;
    on_spare!(lines, |line| sent(line, ids, instance))
}

/// Forgets rows, in their order, so that two instances forgetting the same ones do not wait for each other in a circle. In the same transaction remains what
/// became of them: that the queue confirmed a notice, and which positions' answers left, a row for each run of them. So a notice or an answer is always
/// either leaving or confirmed.
///
/// # Errors
/// As the database says.
async fn sent(line: &mut Line, ids: &[OutboxId], instance: &str) -> Result<(), Fault> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let now = now().micros();
    match line {
        Line::Postgres(_) => {
            let sql = Both {
                postgres: format!(
                    "WITH gone AS (DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE) \
                     RETURNING notice_position, amqp_id, position), \
                     emitted AS (INSERT INTO notice_emitted (position, amqp_id, at) \
                     SELECT notice_position, amqp_id, ($2::bigint[])[1] FROM gone WHERE notice_position IS NOT NULL ON CONFLICT DO NOTHING) \
                     INSERT INTO sent (first, last, at, instance) SELECT min(p), max(p), ($2::bigint[])[1], ($3::text[])[1] FROM \
                     (SELECT p, p - dense_rank() OVER (ORDER BY p) AS island FROM (SELECT DISTINCT position AS p FROM gone WHERE position IS NOT NULL) d) r \
                     GROUP BY island, p / {RUN}"
                ),
                sqlite: String::new(),
            };
            // The moment and the instance stand in the first row alone.
            let row =
                |(at, id): (usize, &OutboxId)| vec![Value::Int(Some(id.0)), Value::Int((at == 0).then_some(now)), Value::Text((at == 0).then_some(instance))];
            line.many(&sql, &[Kind::Int, Kind::Int, Kind::Text], &ids.iter().enumerate().map(row).collect::<Vec<_>>()).await.map(drop)
        }
        Line::Sqlite(_) => {
            line.begin().await?;
            let outcome = sent_one_by_one(line, &ids, instance, now).await;
            if outcome.is_ok() { line.commit().await } else { line.rollback().await.and(outcome) }
        }
    }
}

async fn sent_one_by_one(line: &mut Line, ids: &[OutboxId], instance: &str, now: i64) -> Result<(), Fault> {
    let only = |sqlite: &str| Both { postgres: String::new(), sqlite: sqlite.to_owned() };
    let emitted = only(
        "INSERT INTO notice_emitted (position, amqp_id, at) SELECT notice_position, amqp_id, $2 FROM outbox \
         WHERE id = $1 AND notice_position IS NOT NULL ON CONFLICT DO NOTHING",
    );
    let rows: Vec<_> = ids.iter().map(|id| vec![Value::Int(Some(id.0)), Value::Int(Some(now))]).collect();
    line.many(&emitted, &[Kind::Int, Kind::Int], &rows).await?;
    let rows: Vec<_> = ids.iter().map(|id| vec![Value::Int(Some(id.0))]).collect();
    let gone = line.many(&only("DELETE FROM outbox WHERE id = $1 RETURNING position"), &[Kind::Int], &rows).await?;
    let positions = gone.iter().map(|row| row.int(0)).collect::<Result<Vec<_>, _>>()?;
    let runs: Vec<_> = runs(positions.into_iter().flatten().collect())
        .into_iter()
        .map(|(first, last)| vec![Value::Int(Some(first)), Value::Int(Some(last)), Value::Int(Some(now)), Value::Text(Some(instance))])
        .collect();
    let sql = only("INSERT INTO sent (first, last, at, instance) VALUES ($1, $2, $3, $4)");
    line.many(&sql, &[Kind::Int, Kind::Int, Kind::Int, Kind::Text], &runs).await.map(drop)
}

/// Runs of positions without a gap, the first and the last of each; none crosses a multiple of [`RUN`].
fn runs(mut positions: Vec<i64>) -> Vec<(i64, i64)> {
    positions.sort_unstable();
    positions.dedup();
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for position in positions {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == position && position % RUN != 0 => *last = position,
            _ => runs.push((position, position)),
        }
    }
    runs
}

/// Keeps a row that nobody took until it may be tried again.
///
/// # Errors
/// As the database says.
pub(super) async fn unroutable(line: &mut Line, id: OutboxId, again: Moment) -> Result<(), Fault> {
    let values = [Value::Int(Some(id.0)), Value::Int(Some(again.micros()))];
    line.one("UPDATE outbox SET attempts = attempts + 1, lease_owner = NULL, due_at = $2 WHERE id = $1", &values).await.map(drop)
}

/// How many wait, how many of them came back, and when the oldest was made.
///
/// # Errors
/// As the database says.
pub(super) async fn counts(line: &mut Line) -> Result<(i64, i64, Option<Moment>), Fault> {
    let rows = line.one("SELECT count(*), count(CASE WHEN attempts > 0 THEN 1 END), min(made_at) FROM outbox", &[]).await?;
    let row = rows.first().ok_or_else(|| Fault::unreadable(0))?;
    Ok((row.need_int(0)?, row.need_int(1)?, row.int(2)?.map(Moment::from_micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_have_no_gap_and_cross_no_bound() {
        assert_eq!(runs(vec![]), vec![]);
        assert_eq!(runs(vec![5, 3, 4, 4, 9]), vec![(3, 5), (9, 9)]);
        assert_eq!(runs((RUN - 2..=RUN + 1).collect()), vec![(RUN - 2, RUN - 1), (RUN, RUN + 1)]);
    }
}
