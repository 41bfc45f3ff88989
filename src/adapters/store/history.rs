//! A set's history: its versions and events, read strictly; what cannot be read is a fault of the archive, which an audit names.

use super::decode::{count, digest, group, need_oid, oid};
use super::fault::Fault;
use super::line::{Line, Row, Value};
use crate::domain::ledger::Position;
use crate::domain::lifecycle::{Author, Event, EventKind, EventRecord, History, Reason, Scope, Version};
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;

/// Everything that happened to the set of this id, or of the version with this id.
///
/// # Errors
/// As the database says, or when a row cannot be read.
pub(super) async fn of(line: &mut Line, id: &Oid) -> Result<Option<History>, Fault> {
    let limit = Value::Int(Some(i64::from(limits::HISTORY)));
    let found = line
        .one("SELECT set_id, doc_group, controller FROM document WHERE id = $1 OR set_id = $1 ORDER BY version LIMIT 1", &[Value::Text(Some(id.as_str()))])
        .await?;
    let Some(first) = found.first() else { return Ok(None) };
    let set_id = need_oid(first, 0)?;
    let set = Value::Text(Some(set_id.as_str()));
    let versions = line
        .one(
            "SELECT id, version, replaces, position, archived_at, sender, archived_sha FROM document WHERE set_id = $1 ORDER BY version LIMIT $2",
            &[set, limit],
        )
        .await?;
    let events = line.one(EVENTS_OF_SET, &[set, limit]).await?;
    Ok(Some(History {
        group: group(first, 1)?,
        controller: need_oid(first, 2)?,
        versions: versions.iter().map(version).collect::<Result<_, Fault>>()?,
        events: events.iter().map(event).collect::<Result<_, Fault>>()?,
        set_id,
    }))
}

/// The columns that [`event`] reads, in its order.
macro_rules! event_columns {
    () => {
        "SELECT e.position, e.kind, e.set_id, e.document_id, e.by_document, e.at, e.sender, e.controller, e.organisation, e.professional, e.reason_code, e.reason"
    };
}
pub(super) use event_columns;

const EVENTS_OF_SET: &str = concat!(event_columns!(), " FROM document_event e WHERE e.set_id = $1 ORDER BY e.position LIMIT $2");

/// An event's row.
///
/// # Errors
/// When a value is none of ours.
pub(super) fn event(row: &Row) -> Result<Event, Fault> {
    Ok(Event {
        position: position(row, 0)?,
        record: EventRecord {
            kind: i16::try_from(row.need_int(1)?).ok().and_then(EventKind::from_number).ok_or_else(|| Fault::unreadable(1))?,
            set_id: need_oid(row, 2)?,
            scope: oid(row, 3)?.map_or(Scope::Set, Scope::Version),
            by_document: oid(row, 4)?,
            at: Moment::from_micros(row.need_int(5)?),
            sender: row.need_text(6)?,
            controller: need_oid(row, 7)?,
            author: Author { organisation: oid(row, 8)?, professional: row.text(9)? },
            reason: Reason { code: row.text(10)?, text: row.text(11)? },
        },
    })
}

fn version(row: &Row) -> Result<Version, Fault> {
    Ok(Version {
        id: need_oid(row, 0)?,
        number: count(row, 1)?,
        replaces: oid(row, 2)?,
        position: position(row, 3)?,
        at: Moment::from_micros(row.need_int(4)?),
        sender: row.need_text(5)?,
        archived: digest(row, 6)?,
    })
}

fn position(row: &Row, column: usize) -> Result<Position, Fault> {
    u64::try_from(row.need_int(column)?).map(Position).map_err(|_| Fault::unreadable(column))
}
