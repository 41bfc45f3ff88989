//! From rows back to values. Facts are read strictly: a decision must not rest on a row that cannot be read. What the audit reads is read leniently,
//! so that a damaged row shows as a fault of that row and not as an archive that does not answer.

use super::events::{INVALIDATING, VERSION};
use super::fault::Fault;
use super::line::Row;
use super::wills;
use crate::domain::digest::Digest;
use crate::domain::document::{CaseState, Date, Group, Header, RelationState, Replaced};
use crate::domain::facts::{CaseFact, DocumentFact, Facts, Mark, Prior, RelationFact, SetFact, Standing};
use crate::domain::ledger::{Chained, Entry, EntryKind, Position};
use crate::domain::log::LogSeal;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::ports::archive::StoredDocument;

/// One row of the facts query, after its first column.
///
/// # Errors
/// When a value is none of ours.
pub(super) fn facts(row: &Row) -> Result<Facts, Fault> {
    Ok(Facts {
        prior: prior(row)?,
        frame: row.octets(6)?.map(|octets| Digest::from_slice(&octets).ok_or_else(|| Fault::unreadable(6))).transpose()?,
        document: document(row, 7)?,
        latest: document(row, 17)?,
        set: SetFact { events: count(row, 56)?, invalid: row.int(57)?.is_some() },
        replaced: document(row, 27)?,
        case: case(row)?,
        relation: relation(row)?,
        wills: None,
        named: Vec::new(),
    })
}

fn prior(row: &Row) -> Result<Option<Prior>, Fault> {
    let Some(standing) = row.int(1)? else { return Ok(None) };
    Ok(Some(Prior {
        standing: i16::try_from(standing).ok().and_then(Standing::from_number).ok_or_else(|| Fault::unreadable(1))?,
        revision: count(row, 2)?,
        outcome: digest(row, 3)?,
        rules: digest(row, 4)?,
        is_final: row.need_flag(5)?,
    }))
}

/// The columns of one [`document`], and where they are read from.
macro_rules! fact_columns {
    () => {
        "SELECT d.id, d.set_id, d.version, d.doc_group, d.client, d.controller, d.received_sha, d.case_id, d.relation_id, \
         (SELECT max(i.scope) FROM invalid i WHERE i.id = d.id AND i.scope <> 2) FROM document d WHERE "
    };
}
pub(super) use fact_columns;

/// A document's fact, from its column on; `None` where there is none.
///
/// # Errors
/// When a value is none of ours.
pub(super) fn document(row: &Row, at: usize) -> Result<Option<DocumentFact>, Fault> {
    let Some(id) = oid(row, at)? else { return Ok(None) };
    Ok(Some(DocumentFact {
        id,
        set_id: need_oid(row, at + 1)?,
        version: count(row, at + 2)?,
        group: group(row, at + 3)?,
        client: digest(row, at + 4)?,
        controller: need_oid(row, at + 5)?,
        received: digest(row, at + 6)?,
        case_id: oid(row, at + 7)?,
        relation_id: oid(row, at + 8)?,
        mark: match row.int(at + 9)? {
            None => Mark::None,
            Some(VERSION) => Mark::Invalidated,
            Some(INVALIDATING) => Mark::Invalidating,
            Some(_) => return Err(Fault::unreadable(at + 9)),
        },
    }))
}

fn case(row: &Row) -> Result<Option<CaseFact>, Fault> {
    let Some(id) = oid(row, 37)? else { return Ok(None) };
    Ok(Some(CaseFact {
        id,
        revision: count(row, 38)?,
        closed: row.need_flag(39)?,
        client: digest(row, 40)?,
        controller: need_oid(row, 41)?,
        service_task: row.text(42)?,
        set_id: need_oid(row, 43)?,
        relation_id: oid(row, 44)?,
        relation_old: row.flag(45)?.unwrap_or(false),
        relation_revision: row.int(46)?.map(|_| count(row, 46)).transpose()?,
        invalid: row.need_flag(47)?,
        relation_invalid: row.flag(48)?.unwrap_or(false),
    }))
}

fn relation(row: &Row) -> Result<Option<RelationFact>, Fault> {
    let Some(id) = oid(row, 49)? else { return Ok(None) };
    Ok(Some(RelationFact {
        id,
        revision: count(row, 50)?,
        old: row.need_flag(51)?,
        client: digest(row, 52)?,
        controller: need_oid(row, 53)?,
        set_id: need_oid(row, 54)?,
        invalid: row.need_flag(55)?,
    }))
}

/// The columns that [`stored_document`] reads, in its order.
macro_rules! stored_columns {
    () => {
        "SELECT d.position, o.octets, d.splice_start, d.splice_len, d.received_sha, d.archived_sha, d.archived_at, d.id, d.set_id, d.version, d.replaces, \
         d.replaces_set, d.replaces_version, d.doc_group, d.client, d.controller, d.organiser, d.service_task, d.original_task_system, d.original_task, \
         d.case_id, d.relation_id, d.general_type, d.specific_type, d.authored, d.authored_date, d.created, d.language, d.case_closed, d.relation_old, o.beside, w.kind, w.said \
         FROM document d JOIN document_octets o ON o.document_id = d.id LEFT JOIN will w ON w.document_id = d.id WHERE "
    };
}
pub(super) use stored_columns;

/// A document as it lies in the archive.
///
/// # Errors
/// When its id cannot be read; anything else damaged shows in the value.
pub(super) fn stored_document(row: &Row) -> Result<StoredDocument, Fault> {
    let number = |column| row.int(column).ok().flatten();
    Ok(StoredDocument {
        id: need_oid(row, 7)?,
        position: Position(number(0).and_then(|n| u64::try_from(n).ok()).unwrap_or(0)),
        octets: row.octets(1).ok().flatten().unwrap_or_default(),
        splice: (size(number(2)), size(number(3))),
        received: digest(row, 4).unwrap_or(Digest::ZERO),
        archived: digest(row, 5).unwrap_or(Digest::ZERO),
        beside: row.octets(30).ok().flatten(),
        at: Moment::from_micros(number(6).unwrap_or(0)),
        will: wills::said(row, 31).ok(),
        header: header(row).ok(),
    })
}

fn size(number: Option<i64>) -> usize {
    number.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
}

/// The header facts; columns as in [`stored_columns`].
///
/// # Errors
/// When a value is none of ours.
pub(super) fn header(row: &Row) -> Result<Header, Fault> {
    let replaces = match oid(row, 10)? {
        None => None,
        Some(id) => Some(Replaced { id, set_id: oid(row, 11)?, version: row.int(12)?.map(|_| count(row, 12)).transpose()? }),
    };
    Ok(Header {
        id: need_oid(row, 7)?,
        set_id: need_oid(row, 8)?,
        version: count(row, 9)?,
        replaces,
        group: group(row, 13)?,
        client: digest(row, 14)?,
        controller: need_oid(row, 15)?,
        organiser: oid(row, 16)?,
        service_task: row.text(17)?,
        original_task: row.text(18)?.zip(row.text(19)?),
        case_id: oid(row, 20)?,
        relation_id: oid(row, 21)?,
        general_type: row.text(22)?,
        specific_type: row.text(23)?,
        authored: Moment::from_micros(row.need_int(24)?),
        authored_date: date(row.need_int(25)?).ok_or_else(|| Fault::unreadable(25))?,
        created: row.int(26)?.map(Moment::from_micros),
        language: row.need_text(27)?,
        case_state: row.flag(28)?.map(|closed| CaseState { closed }),
        relation_state: row.flag(29)?.map(|old| RelationState { old }),
    })
}

/// A day as the tables keep it: 20261122.
pub(super) fn date(number: i64) -> Option<Date> {
    Some(Date { year: u16::try_from(number / 10_000).ok()?, month: u8::try_from(number / 100 % 100).ok()?, day: u8::try_from(number % 100).ok()? })
}

/// The columns that [`chained`] reads, in its order.
pub(super) const LEDGER_PAGE: &str =
    "SELECT position, before, hash, kind, at, sender, message, document_id, document, archived, code, answer, rules, supersedes, log_rows, log, about
    FROM ledger WHERE position > $1 ORDER BY position LIMIT $2";

/// A ledger entry. What cannot be read is read as zeros, and the hash with it, so that the chain breaks here.
///
/// # Errors
/// When its position cannot be read.
pub(super) fn chained(row: &Row) -> Result<Chained, Fault> {
    let position = Position(u64::try_from(row.need_int(0)?).map_err(|_| Fault::unreadable(0))?);
    let (entry, hash) = match (entry(row), digest(row, 2)) {
        (Ok(entry), Ok(hash)) => (entry, hash),
        _ => {
            let unreadable = Entry {
                kind: EntryKind::Noted,
                at: Moment::from_micros(0),
                sender: String::new(),
                message: Digest::ZERO,
                document_id: None,
                document: None,
                archived: None,
                code: None,
                answer: None,
                rules: Digest::ZERO,
                supersedes: None,
                log: None,
                about: None,
            };
            (unreadable, Digest::ZERO)
        }
    };
    Ok(Chained { position, before: digest(row, 1).unwrap_or(Digest::ZERO), hash, entry })
}

fn entry(row: &Row) -> Result<Entry, Fault> {
    let perhaps = |column| row.octets(column)?.map(|octets| Digest::from_slice(&octets).ok_or_else(|| Fault::unreadable(column))).transpose();
    let position = |column| row.int(column)?.map(|p| u64::try_from(p).map(Position)).transpose().map_err(|_| Fault::unreadable(column));
    Ok(Entry {
        kind: i16::try_from(row.need_int(3)?).ok().and_then(EntryKind::from_number).ok_or_else(|| Fault::unreadable(3))?,
        at: Moment::from_micros(row.need_int(4)?),
        sender: row.need_text(5)?,
        message: digest(row, 6)?,
        document_id: row.text(7)?,
        document: perhaps(8)?,
        archived: perhaps(9)?,
        code: row.text(10)?,
        answer: perhaps(11)?,
        rules: digest(row, 12)?,
        supersedes: position(13)?,
        log: match (row.int(14)?, perhaps(15)?) {
            (None, None) => None,
            (Some(rows), Some(digest)) => Some(LogSeal { rows: u32::try_from(rows).map_err(|_| Fault::unreadable(14))?, digest }),
            _ => return Err(Fault::unreadable(14)),
        },
        about: position(16)?,
    })
}

/// A digest that must be there.
///
/// # Errors
/// When it is not, or not 32 octets long.
pub(super) fn digest(row: &Row, column: usize) -> Result<Digest, Fault> {
    Digest::from_slice(&row.need_octets(column)?).ok_or_else(|| Fault::unreadable(column))
}

pub(super) fn oid(row: &Row, column: usize) -> Result<Option<Oid>, Fault> {
    row.text(column)?.map(|text| Oid::parse(&text).map_err(|_| Fault::unreadable(column))).transpose()
}

pub(super) fn need_oid(row: &Row, column: usize) -> Result<Oid, Fault> {
    oid(row, column)?.ok_or_else(|| Fault::unreadable(column))
}

pub(super) fn count(row: &Row, column: usize) -> Result<u32, Fault> {
    u32::try_from(row.need_int(column)?).map_err(|_| Fault::unreadable(column))
}

pub(super) fn group(row: &Row, column: usize) -> Result<Group, Fault> {
    u8::try_from(row.need_int(column)?).ok().and_then(Group::kept).ok_or_else(|| Fault::unreadable(column))
}
