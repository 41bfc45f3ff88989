//! Lists of messages, newest first. An id leads straight to its messages; everything else walks down the one index that knows most of the criteria, a bounded
//! number of rows a page, and whatever the index does not know is looked at row by row. Moments are turned into positions first: entries follow each other in
//! time, so halving the ledger finds the place without an index.

use async_trait::async_trait;

use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::lines::on_spare;
use super::message;
use super::{Store, decode, unsigned};
use crate::crypto::sha256;
use crate::domain::facts::Standing;
use crate::domain::ledger::{EntryKind, Position};
use crate::domain::message::{MessageKey, Sender};
use crate::domain::messages::{KeptOctets, MessageCriteria, MessageFacts, MessageName, MessageRow, MessageRows};
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::ports::messages::Messages;

/// How many rows one page of a list walks over, where no index knows all the criteria: some tens of milliseconds.
const WALKED: i64 = 5_000;
/// How many messages one id may lead to: an AMQP id that a sender uses for everything leads to its newest ones.
const LED_TO: i64 = 1_000;
/// How far an entry's moment may lie behind that of the entry before it, and a list by moments still finds it: a message waits for its turn between its
/// decision and its commit, and clocks of instances differ.
const SLACK: i64 = 60 * 1_000_000;

#[async_trait]
impl Messages for Store {
    async fn messages(&self, criteria: &MessageCriteria, before: Option<u64>, limit: u32) -> Result<MessageRows, Outage> {
        on_spare!(&self.lines, |line| list(line, criteria, before, limit))
    }

    async fn decided_after(&self, after: Position, limit: u32) -> Result<Vec<MessageRow>, Outage> {
        on_spare!(&self.lines, |line| decided(line, after, limit))
    }

    async fn message(&self, name: &MessageName) -> Result<Vec<MessageFacts>, Outage> {
        on_spare!(&self.lines, |line| message::named(line, name))
    }

    async fn message_octets(&self, key: &MessageKey) -> Result<Option<KeptOctets>, Outage> {
        on_spare!(&self.lines, |line| message::octets(line, key))
    }

    async fn message_answer(&self, key: &MessageKey) -> Result<Option<Vec<u8>>, Outage> {
        on_spare!(&self.lines, |line| message::answer(line, key))
    }
}

/// What the index keeps of an AMQP `message_id`: eight octets of its hash instead of up to 255 of its own.
pub(super) fn tag(amqp_id: &str) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(amqp_id.as_bytes()).0;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The columns that [`row`] reads, of `inbox i` and `ledger l`.
macro_rules! columns {
    () => {
        "i.sender, i.octets_sha, i.standing, i.revision, i.position, COALESCE(l.at, i.decided_at), i.code, l.document_id, l.amqp_id, i.rules, l.instance"
    };
}
pub(super) use columns;

/// A message's row from the columns of [`columns`].
///
/// # Errors
/// When a value is none of ours.
pub(super) fn row(row: &Row) -> Result<MessageRow, Fault> {
    let standing = i16::try_from(row.need_int(2)?).ok().and_then(Standing::from_number);
    Ok(MessageRow {
        key: MessageKey { sender: Sender::new(row.need_text(0)?), octets: decode::digest(row, 1)? },
        state: standing.ok_or_else(|| Fault::unreadable(2))?,
        revision: unsigned(row.need_int(3)?),
        position: row.int(4)?.map(|position| Position(unsigned(position))),
        at: Moment::from_micros(row.need_int(5)?),
        code: row.text(6)?,
        document_id: row.text(7)?,
        amqp_id: amqp_id(row, 8)?,
        rules: decode::digest(row, 9)?,
        instance: row.text(10)?,
    })
}

/// An AMQP id; one that is no UTF-8 cannot have come from us.
pub(super) fn amqp_id(row: &Row, column: usize) -> Result<Option<String>, Fault> {
    row.octets(column)?.map(String::from_utf8).transpose().map_err(|_| Fault::unreadable(column))
}

async fn list(line: &mut Line, criteria: &MessageCriteria, before: Option<u64>, limit: u32) -> Result<MessageRows, Fault> {
    if criteria.state == Some(Standing::Held) {
        return held(line, criteria, before, limit).await;
    }
    if criteria.amqp_id.is_some() || criteria.document_id.is_some() {
        return led(line, criteria, before, limit).await;
    }
    walk(line, criteria, before, limit).await
}

/// Those that an id leads to: their keys from the ledger, the newest first, then the rows as they stand now.
async fn led(line: &mut Line, criteria: &MessageCriteria, before: Option<u64>, limit: u32) -> Result<MessageRows, Fault> {
    let mut keys: Vec<(String, Vec<u8>)> = Vec::new();
    let most = Value::Int(Some(LED_TO));
    let mut found = Vec::new();
    if let Some(id) = &criteria.amqp_id {
        let octets = Value::Octets(Some(id.as_bytes()));
        let sql = "SELECT l.sender, l.message FROM ledger l WHERE l.amqp_tag = $1 AND l.amqp_id = $2 ORDER BY l.position DESC LIMIT $3";
        found.extend(line.one(sql, &[Value::Int(Some(tag(id))), octets, most]).await?);
        // The waiting room is bounded and small, and has no index for this.
        found.extend(line.one("SELECT h.sender, h.octets_sha FROM held h WHERE h.message_id = $1 LIMIT $2", &[octets, most]).await?);
    } else if let Some(id) = &criteria.document_id {
        let id = Value::Text(Some(id));
        let archived = "SELECT l.sender, l.message FROM document d JOIN ledger l ON l.position = d.position WHERE d.id = $1";
        found.extend(line.one(archived, &[id]).await?);
        let others = "SELECT l.sender, l.message FROM ledger l WHERE l.document_id = $1 AND l.kind <> 1 ORDER BY l.position DESC LIMIT $2";
        found.extend(line.one(others, &[id, most]).await?);
    }
    for row in &found {
        let key = (row.need_text(0)?, row.need_octets(1)?);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut rows = Vec::new();
    for (sender, sha) in &keys {
        let sql = concat!("SELECT ", columns!(), " FROM inbox i LEFT JOIN ledger l ON l.position = i.position WHERE i.sender = $1 AND i.octets_sha = $2");
        for found in line.one(sql, &[Value::Text(Some(sender)), Value::Octets(Some(sha))]).await? {
            rows.push(row(&found)?);
        }
    }
    rows.retain(|row| meets(row, criteria));
    rows.sort_by_key(|row| std::cmp::Reverse((row.position.map_or(u64::MAX, |p| p.0), row.at)));
    Ok(cut(rows, before, limit))
}

/// What is left of the criteria when an id led to the message.
fn meets(row: &MessageRow, criteria: &MessageCriteria) -> bool {
    let same = |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
    same(&criteria.sender, Some(row.key.sender.as_str()))
        && same(&criteria.code, row.code.as_deref())
        && criteria.state.is_none_or(|state| row.state == state)
        && criteria.from.is_none_or(|from| row.at >= from)
        && criteria.until.is_none_or(|until| row.at < until)
        // Where both ids are asked for, the AMQP id led here; the document's is looked at as the decision in force has it.
        && (criteria.amqp_id.is_none() || same(&criteria.document_id, row.document_id.as_deref()))
}

/// One page of what is known whole; `before` counts the rows of the pages before.
fn cut(rows: Vec<MessageRow>, before: Option<u64>, limit: u32) -> MessageRows {
    let (passed, limit, all) = (before.unwrap_or(0), u64::from(limit), rows.len() as u64);
    let rows: Vec<MessageRow> =
        rows.into_iter().skip(usize::try_from(passed).unwrap_or(usize::MAX)).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    let shown = passed.saturating_add(rows.len() as u64);
    MessageRows { next: (shown < all && !rows.is_empty()).then_some(shown), rows }
}

/// The waiting room, the newest first.
async fn held(line: &mut Line, criteria: &MessageCriteria, before: Option<u64>, limit: u32) -> Result<MessageRows, Fault> {
    let sql = "SELECT h.sender, h.octets_sha, i.standing, i.revision, i.position, h.since, i.code, l.document_id, h.message_id, i.rules, NULL \
               FROM held h JOIN inbox i ON i.sender = h.sender AND i.octets_sha = h.octets_sha LEFT JOIN ledger l ON l.position = i.position \
               ORDER BY h.since DESC LIMIT $1";
    // As many as the waiting room has places by default; whoever gave it more sees the newest.
    let most = i64::try_from(crate::domain::limits::HELD_IN_ALL).unwrap_or(i64::MAX);
    let mut rows = line.one(sql, &[Value::Int(Some(most))]).await?.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    rows.retain(|row| {
        let ids = [(&criteria.amqp_id, &row.amqp_id), (&criteria.document_id, &row.document_id)];
        meets(row, &MessageCriteria { amqp_id: None, document_id: None, ..criteria.clone() })
            && ids.iter().all(|(wanted, found)| wanted.is_none() || wanted == found)
    });
    Ok(cut(rows, before, limit))
}

/// Down the ledger. The conditions that an index knows go into the inner statement, which walks a bounded number of rows; the rest is looked at outside of it.
async fn walk(line: &mut Line, criteria: &MessageCriteria, before: Option<u64>, limit: u32) -> Result<MessageRows, Fault> {
    let mut outer = String::new();
    let mut values = Vec::with_capacity(8);
    let upper = match criteria.until {
        Some(until) => Some(position_at(line, until.micros().saturating_add(SLACK)).await?),
        None => None,
    };
    let below = before.and_then(|before| i64::try_from(before).ok()).into_iter().chain(upper).min();
    let below = put(&mut values, Value::Int(Some(below.unwrap_or(i64::MAX))));
    let lower = match criteria.from {
        Some(from) => position_at(line, from.micros().saturating_sub(SLACK)).await?,
        None => 0,
    };
    let above = put(&mut values, Value::Int(Some(lower)));
    // The first one leads: what fewest messages have.
    let mut lead: Option<(&str, String)> = None;
    let mut add = |column: &'static str, value: String| match lead {
        None => lead = Some((column, value)),
        Some(_) => outer.push_str(&format!(" AND i.{column} = {value}")),
    };
    if let Some(code) = &criteria.code {
        add("code", put(&mut values, Value::Text(Some(code))));
    }
    if let Some(state) = criteria.state.filter(|state| *state != Standing::Accepted) {
        add("standing", state.number().to_string());
    }
    if let Some(sender) = &criteria.sender {
        add("sender", put(&mut values, Value::Text(Some(sender))));
    }
    let inner = led_by(line, lead.as_ref(), (&below, &above));
    if criteria.state == Some(Standing::Accepted) {
        outer.push_str(" AND i.standing = 1");
    }
    for (moment, sign) in [(criteria.from, ">="), (criteria.until, "<")] {
        if let Some(moment) = moment {
            outer.push_str(&format!(" AND l.at {sign} {}", put(&mut values, Value::Int(Some(moment.micros())))));
        }
    }
    let walked = if outer.is_empty() { i64::from(limit) } else { WALKED.max(i64::from(limit)) };
    let walked_at = put(&mut values, Value::Int(Some(walked)));
    let inner = format!(
        "SELECT i.sender, i.octets_sha, i.standing, i.revision, i.position, i.decided_at, i.code, i.rules FROM inbox i WHERE {inner} LIMIT {walked_at}"
    );
    let most = put(&mut values, Value::Int(Some(i64::from(limit))));
    let sql = format!(
        concat!("SELECT ", columns!(), " FROM ({}) i LEFT JOIN ledger l ON l.position = i.position WHERE 1 = 1{} ORDER BY i.position DESC LIMIT {}"),
        inner, outer, most
    );
    let rows = line.composed(sql, &values).await?.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let last = rows.last().and_then(|row| row.position).map(|position| position.0);
    if rows.len() == usize::try_from(limit).unwrap_or(usize::MAX) {
        return Ok(MessageRows { rows, next: last });
    }
    if outer.is_empty() {
        return Ok(MessageRows { rows, next: None });
    }
    // Fewer than asked for: was that all, or only the end of the walk?
    values.pop();
    let end = line.composed(format!("SELECT min(w.position), count(*) FROM ({inner}) w"), &values).await?;
    let end = end.first().ok_or_else(|| Fault::unreadable(0))?;
    let next = if end.need_int(1)? < walked { None } else { end.int(0)?.map(unsigned) };
    Ok(MessageRows { rows, next })
}

/// The conditions and the order by which an index is walked down between two positions: that of the leading column, where there is one. PostgreSQL believes what
/// statistics say of the common value, and would look for a rare one among all messages; compared as a pair, only the pair's index can answer.
fn led_by(line: &Line, lead: Option<&(&str, String)>, (below, above): (&str, &str)) -> String {
    let Some((column, value)) = lead else { return format!("i.position < {below} AND i.position >= {above} ORDER BY i.position DESC") };
    // As the partial indexes say it.
    let within = match *column {
        "code" => " AND i.code IS NOT NULL",
        "standing" => " AND i.standing <> 1",
        "sender" => " AND i.position IS NOT NULL",
        _ => "",
    };
    match line {
        Line::Postgres(_) => format!(
            "(i.{column}, i.position) < ({value}, {below}) AND (i.{column}, i.position) >= ({value}, {above}){within} ORDER BY i.{column} DESC, i.position DESC"
        ),
        Line::Sqlite(_) => format!("i.{column} = {value} AND i.position < {below} AND i.position >= {above}{within} ORDER BY i.position DESC"),
    }
}

/// Adds a value; gives the words that stand for it.
fn put<'a>(values: &mut Vec<Value<'a>>, value: Value<'a>) -> String {
    values.push(value);
    format!("${}", values.len())
}

/// The first position whose entry was decided at that moment or later, or the one behind the last; as if each entry were later than the one before.
async fn position_at(line: &mut Line, at: i64) -> Result<i64, Fault> {
    let head = super::transaction::head(line).await?.position;
    let (mut low, mut high) = (1, head.saturating_add(1));
    // Halved each time: ends.
    while low < high {
        let middle = low + (high - low) / 2;
        let rows = line.one("SELECT position, at FROM ledger WHERE position >= $1 ORDER BY position LIMIT 1", &[Value::Int(Some(middle))]).await?;
        match rows.first().map(|row| Ok::<_, Fault>((row.need_int(0)?, row.need_int(1)?))).transpose()? {
            Some((position, found)) if found < at => low = position.max(middle).saturating_add(1),
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

/// Decisions in the order of the ledger. What came along with another entry, what was shown again and what was exported is no decision about a message.
async fn decided(line: &mut Line, after: Position, limit: u32) -> Result<Vec<MessageRow>, Fault> {
    let sql = "SELECT l.sender, l.message, l.kind, CAST(1 AS bigint), l.position, l.at, l.code, l.document_id, l.amqp_id, l.rules, l.instance FROM ledger l \
               WHERE l.position > $1 AND l.kind NOT IN (7, 8) AND NOT (l.kind = 4 AND l.answer IS NULL) ORDER BY l.position LIMIT $2";
    let rows = line.one(sql, &[super::place(after), Value::Int(Some(i64::from(limit)))]).await?;
    rows.iter().map(decision_row).collect()
}

fn state_of(row: &Row) -> Result<Standing, Fault> {
    let kind = i16::try_from(row.need_int(2)?).ok().and_then(EntryKind::from_number).ok_or_else(|| Fault::unreadable(2))?;
    Ok(match kind {
        EntryKind::Archived | EntryKind::Event | EntryKind::Notice => Standing::Accepted,
        EntryKind::Refused => Standing::Refused,
        EntryKind::Noted => Standing::Noted,
        EntryKind::Answered | EntryKind::Shown | EntryKind::Exported => Standing::Answered,
    })
}

fn decision_row(found: &Row) -> Result<MessageRow, Fault> {
    Ok(MessageRow {
        key: MessageKey { sender: Sender::new(found.need_text(0)?), octets: decode::digest(found, 1)? },
        state: state_of(found)?,
        revision: unsigned(found.need_int(3)?),
        position: Some(Position(unsigned(found.need_int(4)?))),
        at: Moment::from_micros(found.need_int(5)?),
        code: found.text(6)?,
        document_id: found.text(7)?,
        amqp_id: amqp_id(found, 8)?,
        rules: decode::digest(found, 9)?,
        instance: found.text(10)?,
    })
}
