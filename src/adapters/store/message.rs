//! Everything known of one message: the inbox's row, its entries from the newest to the oldest, and what became of each one's answers.

use super::fault::Fault;
use super::held::awaited;
use super::line::{Line, Row, Value};
use super::messages::{amqp_id, columns, row};
use super::{decode, unsigned};
use crate::domain::ledger::{EntryKind, Position};
use crate::domain::message::MessageKey;
use crate::domain::messages::{DECISIONS, DELIVERIES, DecisionFacts, Delivered, HoldFacts, KeptOctets, MessageFacts, MessageName, MessageRow, Road};
use crate::domain::time::Moment;

/// The most messages that one name shows: two senders may send the same octets.
const NAMESAKES: usize = 8;
/// How many positions a row of `sent` spans at most: no run crosses a multiple of it, so that the row of a position is found among few.
pub(super) const RUN: i64 = 512;

/// The messages with this name.
///
/// # Errors
/// As the database says.
pub(super) async fn named(line: &mut Line, name: &MessageName) -> Result<Vec<MessageFacts>, Fault> {
    let keys = match name.between() {
        None => {
            let MessageName::Position(position) = name else { return Ok(Vec::new()) };
            line.one("SELECT sender, message FROM ledger WHERE position = $1", &[super::place(*position)]).await?
        }
        // From sender to sender along the index: there are far fewer of them than messages.
        Some((first, last)) => {
            let sql = "WITH RECURSIVE s(sender) AS (SELECT min(sender) FROM inbox \
                       UNION ALL SELECT (SELECT min(i.sender) FROM inbox i WHERE i.sender > s.sender) FROM s WHERE s.sender IS NOT NULL) \
                       SELECT i.sender, i.octets_sha FROM s JOIN inbox i ON i.sender = s.sender AND i.octets_sha >= $1 AND i.octets_sha <= $2 LIMIT $3";
            let most = Value::Int(i64::try_from(NAMESAKES).ok());
            line.one(sql, &[Value::Octets(Some(&first.0)), Value::Octets(Some(&last.0)), most]).await?
        }
    };
    let mut found = Vec::with_capacity(keys.len());
    for key in keys.iter().take(NAMESAKES) {
        found.extend(facts(line, &key.need_text(0)?, &key.need_octets(1)?).await?);
    }
    Ok(found)
}

async fn facts(line: &mut Line, sender: &str, sha: &[u8]) -> Result<Option<MessageFacts>, Fault> {
    let key = [Value::Text(Some(sender)), Value::Octets(Some(sha))];
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", CAST(CASE WHEN i.octets IS NULL THEN 0 ELSE 1 END AS bigint), CAST(CASE WHEN i.answer IS NULL THEN 0 ELSE 1 END AS bigint) \
         FROM inbox i LEFT JOIN ledger l ON l.position = i.position WHERE i.sender = $1 AND i.octets_sha = $2"
    );
    let rows = line.one(sql, &key).await?;
    let Some(inbox) = rows.first() else { return Ok(None) };
    let (has_octets, has_answer) = (inbox.need_int(11)? == 1, inbox.need_int(12)? == 1);
    let row = row(inbox)?;
    let hold = hold(line, &key).await?;
    let decisions = decisions(line, &row, sha).await?;
    let is_document = decisions.first().is_some_and(|decision| decision.kind == EntryKind::Archived);
    Ok(Some(MessageFacts { has_octets: has_octets || is_document || hold.is_some(), row, hold, decisions, has_answer }))
}

async fn hold(line: &mut Line, key: &[Value<'_>]) -> Result<Option<HoldFacts>, Fault> {
    let sql = "SELECT h.awaits_kind, h.awaits_id, h.since, h.until_at, \
               (SELECT count(*) FROM held_reply r WHERE r.sender = h.sender AND r.octets_sha = h.octets_sha) \
               FROM held h WHERE h.sender = $1 AND h.octets_sha = $2";
    let read = |row: &Row| {
        Ok(HoldFacts {
            awaits: awaited(row, 0, 1)?,
            since: Moment::from_micros(row.need_int(2)?),
            until: Moment::from_micros(row.need_int(3)?),
            waiting: unsigned(row.need_int(4)?),
        })
    };
    line.one(sql, key).await?.first().map(read).transpose()
}

/// From the decision in force back along what each supersedes; with each, what came along and what was shown again.
async fn decisions(line: &mut Line, row: &MessageRow, sha: &[u8]) -> Result<Vec<DecisionFacts>, Fault> {
    macro_rules! entries {
        ($condition:literal) => {
            concat!(
                "SELECT l.position, l.kind, l.at, l.code, l.document_id, l.rules, l.supersedes, l.amqp_id, l.received_at, l.examined_at, l.signed_at, \
                 l.written_at, l.instance, l.answers, (SELECT count(*) FROM outbox o WHERE o.position = l.position) FROM ledger l WHERE ",
                $condition
            )
        };
    }
    let mut found: Vec<DecisionFacts> = Vec::new();
    let mut next = row.position;
    while let Some(position) = next {
        if found.len() >= DECISIONS {
            break;
        }
        let at = super::place(position);
        let entry = line.one(entries!("l.position = $1"), &[at]).await?;
        let Some(entry) = entry.first() else { break };
        let decision = decision(entry)?;
        // An entry supersedes only one before it: this ends.
        next = decision.supersedes.filter(|before| *before < position);
        let room = Value::Int(i64::try_from(DECISIONS).ok());
        for shown in line.one(entries!("l.about = $1 ORDER BY l.position DESC LIMIT $2"), &[at, room]).await? {
            found.push(self::decision(&shown)?);
        }
        let behind = super::place(Position(position.0.saturating_add(1)));
        for along in line.one(entries!("l.position = $1 AND l.kind = 4 AND l.answer IS NULL AND l.message = $2"), &[behind, Value::Octets(Some(sha))]).await? {
            found.push(self::decision(&along)?);
        }
        found.push(decision);
    }
    found.truncate(DECISIONS);
    for decision in &mut found {
        decision.delivered = delivered(line, decision.position).await?;
    }
    Ok(found)
}

fn decision(row: &Row) -> Result<DecisionFacts, Fault> {
    let moment = |column| Ok::<_, Fault>(row.int(column)?.map(Moment::from_micros));
    Ok(DecisionFacts {
        position: Position(unsigned(row.need_int(0)?)),
        kind: i16::try_from(row.need_int(1)?).ok().and_then(EntryKind::from_number).ok_or_else(|| Fault::unreadable(1))?,
        at: Moment::from_micros(row.need_int(2)?),
        code: row.text(3)?,
        document_id: row.text(4)?,
        rules: decode::digest(row, 5)?,
        supersedes: row.int(6)?.map(|position| Position(unsigned(position))),
        road: Road { amqp_id: amqp_id(row, 7)?, received: moment(8)?, examined: moment(9)?, signed: moment(10)?, dead_letter: false },
        archived: moment(11)?,
        instance: row.text(12)?,
        answers: row.int(13)?.map(unsigned),
        waiting: unsigned(row.need_int(14)?),
        delivered: Vec::new(),
    })
}

async fn delivered(line: &mut Line, position: Position) -> Result<Vec<Delivered>, Fault> {
    let at = i64::try_from(position.0).unwrap_or(i64::MAX);
    let values = [Value::Int(Some(at - at.rem_euclid(RUN))), Value::Int(Some(at)), Value::Int(i64::try_from(DELIVERIES).ok())];
    let sql = "SELECT at, instance FROM sent WHERE first >= $1 AND first <= $2 AND last >= $2 ORDER BY at LIMIT $3";
    let rows = line.one(sql, &values).await?;
    rows.iter().map(|row| Ok(Delivered { at: Moment::from_micros(row.need_int(0)?), instance: row.need_text(1)? })).collect()
}

/// What is kept of what was received: the message itself, or the archived document without our signature.
///
/// # Errors
/// As the database says.
pub(super) async fn octets(line: &mut Line, key: &MessageKey) -> Result<Option<KeptOctets>, Fault> {
    let values = [Value::Text(Some(key.sender.as_str())), Value::Octets(Some(&key.octets.0))];
    for sql in [
        "SELECT octets FROM inbox WHERE sender = $1 AND octets_sha = $2 AND octets IS NOT NULL",
        "SELECT octets FROM held WHERE sender = $1 AND octets_sha = $2",
        "SELECT n.event FROM notice n JOIN inbox i ON i.position = n.position WHERE i.sender = $1 AND i.octets_sha = $2",
    ] {
        if let Some(row) = line.one(sql, &values).await?.first() {
            return Ok(Some(KeptOctets::Message(row.need_octets(0)?)));
        }
    }
    let sql = "SELECT o.octets, d.splice_start, d.splice_len FROM inbox i JOIN document d ON d.position = i.position \
               JOIN document_octets o ON o.document_id = d.id WHERE i.sender = $1 AND i.octets_sha = $2";
    let rows = line.one(sql, &values).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut octets = row.need_octets(0)?;
    let start = usize::try_from(row.need_int(1)?).unwrap_or(usize::MAX);
    let end = start.saturating_add(usize::try_from(row.need_int(2)?).unwrap_or(0));
    if start <= end && end <= octets.len() {
        octets.drain(start..end);
    }
    Ok(Some(KeptOctets::Document(octets)))
}

/// The stored answer.
///
/// # Errors
/// As the database says.
pub(super) async fn answer(line: &mut Line, key: &MessageKey) -> Result<Option<Vec<u8>>, Fault> {
    let values = [Value::Text(Some(key.sender.as_str())), Value::Octets(Some(&key.octets.0))];
    let rows = line.one("SELECT answer FROM inbox WHERE sender = $1 AND octets_sha = $2", &values).await?;
    rows.first().map(|row| row.octets(0)).transpose().map(Option::flatten)
}
