//! Who waits for a held message: answered by the commit that decides it, as many as one transaction should answer, and by the sweep whoever is left.

use std::collections::HashMap;

use super::compose::amqp_id;
use super::fault::Fault;
use super::line::{Both, Line, Row, Value};
use super::rows::{KEY, OUTBOX, Rows, answer_row, by_key};
use crate::domain::message::Reply;
use crate::domain::time::Moment;
use crate::ports::clock::Entropy;

/// How many of those who wait for one message are answered by the commit that decides it: a sender may repeat a held message thousands of times under ever
/// new correlation ids, and every answer's octets lie in memory until the transaction ends.
const AT_ONCE: u32 = 64;

macro_rules! returning {
    () => {
        " RETURNING sender, octets_sha, queue, correlation"
    };
}

/// Those who wait for a message that is not on hold any more. The scalar subquery looks up each key; a join may be planned as a scan of what is large.
macro_rules! left {
    () => {
        " FROM held_reply r WHERE (SELECT h.since FROM held h WHERE h.sender = r.sender AND h.octets_sha = r.octets_sha) IS NULL"
    };
}

/// A message's key as a row bears it: the sender, and the digest of the octets.
pub(super) type Key = (String, Vec<u8>);

/// Ends the hold of these messages. Gives who is answered with the decision, at most [`AT_ONCE`] for each message: they have left the waiting room.
///
/// # Errors
/// As the database says.
pub(super) async fn end_holds(line: &mut Line, keys: &[Vec<Value<'_>>]) -> Result<Vec<(Key, Reply)>, Fault> {
    let sql = Both {
        postgres: format!(
            "DELETE FROM held_reply WHERE ctid = ANY(ARRAY(SELECT first.place FROM UNNEST($1::text[], $2::bytea[]) AS k(sender, octets_sha), LATERAL \
             (SELECT r.ctid AS place FROM held_reply r WHERE r.sender = k.sender AND r.octets_sha = k.octets_sha \
             ORDER BY r.queue, r.correlation LIMIT {AT_ONCE}) AS first)){}",
            returning!()
        ),
        sqlite: format!(
            "DELETE FROM held_reply WHERE rowid IN (SELECT rowid FROM held_reply WHERE sender = $1 AND octets_sha = $2 \
             ORDER BY queue, correlation LIMIT {AT_ONCE}){}",
            returning!()
        ),
    };
    let answered = line.many(&sql, KEY, keys).await?.iter().map(read).collect();
    line.many(&by_key("DELETE FROM held", ""), KEY, keys).await?;
    answered
}

/// Whether there is nobody whom [`answer_left`] would answer.
///
/// # Errors
/// As the database says.
pub(super) async fn is_nobody_left(line: &mut Line) -> Result<bool, Fault> {
    Ok(line.one(concat!("SELECT 1", left!(), " LIMIT 1"), &[]).await?.is_empty())
}

/// Puts the stored answer into the outbox for those who still wait for a message that is decided, at most `limit`. Gives how many left the waiting room.
/// Must run in a transaction: so whoever leaves is answered, and by one instance.
///
/// # Errors
/// As the database says.
pub(super) async fn answer_left(line: &mut Line, now: Moment, limit: u32, entropy: &dyn Entropy) -> Result<u32, Fault> {
    let sql = match line {
        Line::Postgres(_) => {
            concat!("DELETE FROM held_reply WHERE ctid = ANY(ARRAY(SELECT r.ctid", left!(), " LIMIT $1 FOR UPDATE SKIP LOCKED))", returning!())
        }
        Line::Sqlite(_) => concat!("DELETE FROM held_reply WHERE rowid IN (SELECT r.rowid", left!(), " LIMIT $1)", returning!()),
    };
    let left = line.one(sql, &[Value::Int(Some(i64::from(limit)))]).await?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut keys: Vec<&Key> = left.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.dedup();
    let keys: Rows<'_> = keys.into_iter().map(|(sender, sha)| vec![Value::Text(Some(sender)), Value::Octets(Some(sha))]).collect();
    let mut answers: HashMap<Key, (Vec<u8>, Option<i64>)> = HashMap::new();
    // Where the answer was forgotten for its age, there is nothing left to say.
    for row in line.many(&by_key("SELECT sender, octets_sha, answer, position FROM inbox", "AND answer IS NOT NULL"), KEY, &keys).await? {
        answers.insert((row.need_text(0)?, row.need_octets(1)?), (row.need_octets(2)?, row.int(3)?));
    }
    let out: Vec<_> = left.iter().filter_map(|(key, reply)| answers.get(key).map(|answer| (amqp_id(entropy), reply, answer))).collect();
    // Nobody's lease yet: the next relay that looks takes them.
    let rows = out.iter().map(|(id, reply, (body, position))| answer_row(id, reply, Some(body), now, None, (None, *position)));
    OUTBOX.insert(line, &rows.collect()).await?;
    Ok(u32::try_from(left.len()).unwrap_or(u32::MAX))
}

fn read(row: &Row) -> Result<(Key, Reply), Fault> {
    let words = |column: usize| String::from_utf8(row.need_octets(column)?).map_err(|_| Fault::unreadable(column));
    let correlation = Some(words(3)?).filter(|c| !c.is_empty());
    Ok(((row.need_text(0)?, row.need_octets(1)?), Reply { queue: words(2)?, correlation }))
}
