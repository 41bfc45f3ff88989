//! What the audit asks about events: each is what its ledger entry hashed, and what is invalid is their fold. Read leniently, as all that the audit reads.

use super::events::{INVALIDATING, SET, VERSION};
use super::fault::Fault;
use super::history::{event, event_columns};
use super::line::{Line, Value};
use super::misfits::{full, number, words};
use super::{place, unsigned};
use crate::crypto;
use crate::domain::ledger::{Chained, EntryKind, Position};
use crate::domain::lifecycle::{EventKind, Scope};
use crate::ports::archive::Misfits;

/// What is wrong with the rows of one event's entry: the event itself, and the access log's row where it was a decision of its own.
///
/// # Errors
/// As the database says.
pub(super) async fn companions(line: &mut Line, chained: &Chained) -> Result<Vec<&'static str>, Fault> {
    let sql = concat!(event_columns!(), " FROM document_event e WHERE e.position = $1");
    let rows = line.one(sql, &[place(chained.position)]).await?;
    let Some(row) = rows.first() else { return Ok(vec!["the event is missing"]) };
    let Ok(event) = event(row) else { return Ok(vec!["the event cannot be read"]) };
    let record = &event.record;
    let mut wrong = Vec::new();
    let entry = &chained.entry;
    if entry.document != Some(crypto::sha256(&record.octets())) {
        wrong.push("the event is not what its entry says");
    } else if entry.document_id.as_deref() != Some(record.target().as_str()) || entry.at != record.at || entry.sender != record.sender {
        wrong.push("the event names another target, time or sender than its entry");
    }
    // The one that came along with a document is in the access log with that.
    if entry.answer.is_some() {
        let rows =
            line.one("SELECT at, actor, action, document_id, controller FROM access_log WHERE position = $1 LIMIT 2", &[place(chained.position)]).await?;
        let fits = |row| {
            number(row, 0) == Some(entry.at.micros())
                && words(row, 1).as_deref() == Some(entry.sender.as_str())
                && words(row, 2).as_deref() == Some(record.kind.action())
                && words(row, 3).as_deref() == Some(record.target().as_str())
                && words(row, 4).as_deref() == Some(record.controller.as_str())
        };
        match rows.as_slice() {
            [] => wrong.push("the access log does not have it"),
            [row] if fits(row) => {}
            [_] => wrong.push("the access log's row differs from the event"),
            _ => wrong.push("the access log has it more than once"),
        }
    }
    Ok(wrong)
}

/// Events that no entry made, and what should be invalid by them and is not.
///
/// # Errors
/// As the database says.
pub(super) async fn events(line: &mut Line, after: &str, limit: i64) -> Result<Misfits, Fault> {
    // The last event of a scope says how that stands.
    let sql = concat!(
        event_columns!(),
        ", (SELECT l.kind FROM ledger l WHERE l.position = e.position), \
         (SELECT max(x.position) FROM document_event x WHERE x.set_id = e.set_id AND COALESCE(x.document_id, '') = COALESCE(e.document_id, '')), \
         (SELECT i.position FROM invalid i WHERE i.id = COALESCE(e.document_id, e.set_id) AND i.scope = CASE WHEN e.document_id IS NULL THEN 2 ELSE 1 END), \
         (SELECT i.position FROM invalid i WHERE i.id = e.by_document AND i.scope = 3) \
         FROM document_event e WHERE e.position > $1 ORDER BY e.position LIMIT $2"
    );
    let mark = after.parse::<i64>().unwrap_or(0);
    let rows = line.one(sql, &[Value::Int(Some(mark)), Value::Int(Some(limit))]).await?;
    let mut page = Misfits { rows: rows.len() as u64, ..Misfits::default() };
    for row in &rows {
        let at = number(row, 0);
        let position = Position(at.map_or(0, unsigned));
        if number(row, 12) != Some(i64::from(EntryKind::Event.number())) {
            page.found.push((position, "an event that no entry made".to_owned()));
        }
        let is_last = number(row, 13) == at;
        let invalid = number(row, 14);
        let holds = match number(row, 1) {
            Some(kind) if kind == i64::from(EventKind::Invalidated.number()) => !is_last || invalid == at,
            _ => !is_last || invalid.is_none(),
        };
        if !holds || (words(row, 4).is_some() && number(row, 15) != at) {
            page.found.push((position, "what is invalid now is not what the events say".to_owned()));
        }
    }
    page.next = full(&rows, limit).and_then(|row| number(row, 0)).map(|position| position.to_string());
    Ok(page)
}

/// What is invalid although no event says so.
///
/// # Errors
/// As the database says.
pub(super) async fn invalid(line: &mut Line, after: &str, limit: i64) -> Result<Misfits, Fault> {
    let (scope, id) = after.split_once(':').and_then(|(scope, id)| Some((scope.parse::<i64>().ok()?, id))).unwrap_or((0, ""));
    let sql = concat!(
        event_columns!(),
        ", i.id, i.scope, i.position FROM invalid i LEFT JOIN document_event e ON e.position = i.position WHERE (i.id, i.scope) > ($1, $2) ORDER BY i.id, i.scope LIMIT $3"
    );
    let rows = line.one(sql, &[Value::Text(Some(id)), Value::Int(Some(scope)), Value::Int(Some(limit))]).await?;
    let mut page = Misfits { rows: rows.len() as u64, ..Misfits::default() };
    for row in &rows {
        let (id, scope) = (words(row, 12), number(row, 13));
        let says = event(row).ok().is_some_and(|event| {
            let record = &event.record;
            let target = Some(record.target().as_str());
            record.kind == EventKind::Invalidated
                && match scope {
                    Some(VERSION) => matches!(record.scope, Scope::Version(_)) && id.as_deref() == target,
                    Some(SET) => record.scope == Scope::Set && id.as_deref() == target,
                    Some(INVALIDATING) => record.by_document.as_ref().map(|by| by.as_str()) == id.as_deref(),
                    _ => false,
                }
        });
        if !says {
            page.found.push((Position(number(row, 14).map_or(0, unsigned)), "something is invalid that no event made so".to_owned()));
        }
    }
    page.next = full(&rows, limit).and_then(|row| Some(format!("{}:{}", number(row, 13)?, words(row, 12)?)));
    Ok(page)
}
