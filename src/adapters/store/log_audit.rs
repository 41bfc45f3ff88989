//! What the audit asks about the logs: whether an entry's rows are those that it hashed, and whether there are rows that no entry brought. And how a row of
//! either log is read.

use std::borrow::Cow;

use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::log::seal;
use super::misfits::{full, number};
use super::{decode, place, unsigned};
use crate::crypto;
use crate::domain::digest::Digest;
use crate::domain::ledger::{Chained, EntryKind, Position};
use crate::domain::log::{AccessRow, Disclosed, DisclosedRow, Party, Sealed};
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::ports::archive::Misfits;

/// The columns that [`access`] reads, from `first` on.
macro_rules! access_columns {
    () => {
        "a.at, a.actor, a.action, a.document_id, a.controller, a.service_request, a.purpose, a.organisation, a.person, a.client, a.detail, a.query_id, \
         a.client_sealed, a.person_sealed"
    };
}
pub(super) use access_columns;

/// The columns that [`disclosed`] reads, from `first` on.
macro_rules! disclosed_columns {
    () => {
        "d.at, d.kind, d.disclosed_at, d.controller, d.register_type, d.client, d.client_sealed, d.document_id, d.set_id, d.general_type, d.specific_type, \
         d.service_task, d.discloser_kind, d.discloser, d.discloser_person, d.discloser_sealed, d.recipient_kind, d.recipient, d.recipient_person, \
         d.recipient_sealed, d.purpose, d.service_request, d.query_id, d.basis, d.rule, d.section, d.informing, d.permission, d.denials, d.notice, d.detail"
    };
}
pub(super) use disclosed_columns;

/// What is wrong with the rows that an entry brought.
///
/// # Errors
/// As the database says.
pub(super) async fn check(line: &mut Line, chained: &Chained) -> Result<Vec<&'static str>, Fault> {
    let Some(said) = chained.entry.log else { return Ok(Vec::new()) };
    let at = place(chained.position);
    // One more than there should be tells that there are more.
    let limit = Value::Int(Some(i64::from(said.rows).saturating_add(1)));
    let used = line.one(concat!("SELECT ", access_columns!(), " FROM access_log a WHERE a.position = $1 ORDER BY a.id LIMIT $2"), &[at, limit]).await?;
    let given = line.one(concat!("SELECT ", disclosed_columns!(), " FROM disclosure_log d WHERE d.position = $1 ORDER BY d.id LIMIT $2"), &[at, limit]).await?;
    let there = used.len().saturating_add(given.len()) as u64;
    if there < u64::from(said.rows) {
        return Ok(vec!["a row of the logs is missing that the entry brought"]);
    }
    if there > u64::from(said.rows) {
        return Ok(vec!["the logs have a row more than the entry brought"]);
    }
    let used: Result<Vec<_>, Fault> = used.iter().map(|row| access(row, 0)).collect();
    let given: Result<Vec<_>, Fault> = given.iter().map(|row| disclosed(row, 0)).collect();
    let (Ok(used), Ok(given)) = (used, given) else { return Ok(vec!["a row of the logs cannot be read"]) };
    let found = seal(used.iter(), given.iter().map(|(at, row)| (*at, row)));
    Ok(if found == Some(said) { Vec::new() } else { vec!["a row of the logs is not what the entry hashed"] })
}

/// What is wrong with the entry of a sending of the stored answer: it names the entry that gave the answer first, and the octets that were given.
///
/// # Errors
/// As the database says.
pub(super) async fn shown(line: &mut Line, chained: &Chained) -> Result<Vec<&'static str>, Fault> {
    let entry = &chained.entry;
    let Some(about) = entry.about else { return Ok(vec!["it does not name the answer that was shown"]) };
    let sql = "SELECT l.kind, l.sender, l.message, i.answer FROM ledger l LEFT JOIN inbox i ON i.position = l.position WHERE l.position = $1";
    let rows = line.one(sql, &[place(about)]).await?;
    let Some(row) = rows.first() else { return Ok(vec!["the answer that was shown has no entry"]) };
    let kinds = [EntryKind::Answered, EntryKind::Refused].map(|kind| Some(i64::from(kind.number())));
    let mut wrong = Vec::new();
    if !kinds.contains(&number(row, 0)) || row.text(1).ok().flatten().as_deref() != Some(&entry.sender) || decode::digest(row, 2).ok() != Some(entry.message) {
        wrong.push("the answer that was shown is another message's");
    }
    // Forgotten or answered anew since, it is known by its hash alone.
    if let Some(answer) = row.octets(3).ok().flatten()
        && Some(crypto::sha256(&answer)) != entry.answer
    {
        wrong.push("the stored answer is not the one that was shown");
    }
    Ok(wrong)
}

/// Rows of the access log that no entry brought.
///
/// # Errors
/// As the database says.
pub(super) async fn unbrought_access(line: &mut Line, after: &str, limit: i64) -> Result<Misfits, Fault> {
    let sql =
        "SELECT a.id, a.position, l.kind, l.log_rows FROM access_log a LEFT JOIN ledger l ON l.position = a.position WHERE a.id > $1 ORDER BY a.id LIMIT $2";
    // Entries from before the logs were chained brought rows without saying so.
    let silent = [EntryKind::Archived, EntryKind::Event, EntryKind::Answered].map(|kind| i64::from(kind.number()));
    unbrought(line, sql, after, limit, "a row of the access log that no entry brought", &silent).await
}

/// Rows of the disclosure log that no entry brought.
///
/// # Errors
/// As the database says.
pub(super) async fn unbrought_disclosures(line: &mut Line, after: &str, limit: i64) -> Result<Misfits, Fault> {
    let sql = "SELECT d.id, d.position, l.kind, l.log_rows FROM disclosure_log d LEFT JOIN ledger l ON l.position = d.position WHERE d.id > $1 ORDER BY d.id LIMIT $2";
    unbrought(line, sql, after, limit, "a row of the disclosure log that no entry brought", &[]).await
}

async fn unbrought(line: &mut Line, sql: &'static str, after: &str, limit: i64, what: &str, silent: &[i64]) -> Result<Misfits, Fault> {
    let mark = after.parse::<i64>().unwrap_or(0);
    let rows = line.one(sql, &[Value::Int(Some(mark)), Value::Int(Some(limit))]).await?;
    let mut page = Misfits { rows: rows.len() as u64, ..Misfits::default() };
    for row in &rows {
        let brought = number(row, 3).is_some() || number(row, 2).is_some_and(|kind| silent.contains(&kind));
        if !brought {
            page.found.push((Position(number(row, 1).map_or(0, unsigned)), what.to_owned()));
        }
    }
    page.next = full(&rows, limit).and_then(|row| number(row, 0)).map(|id| id.to_string());
    Ok(page)
}

/// A row of the access log, its columns from `first` on.
///
/// # Errors
/// When a value is of another type.
pub(super) fn access(row: &Row, first: usize) -> Result<AccessRow<'static>, Fault> {
    let need = |column: usize| row.need_text(first + column).map(Cow::Owned);
    let words = |column: usize| row.text(first + column).map(|text| text.map(Cow::Owned));
    let octets = |column: usize| row.octets(first + column).map(|octets| octets.map(Cow::Owned));
    Ok(AccessRow {
        at: row.need_int(first)?,
        actor: need(1)?,
        action: need(2)?,
        document_id: need(3)?,
        controller: need(4)?,
        service_request: words(5)?,
        purpose: words(6)?,
        organisation: words(7)?,
        person: octets(8)?,
        client: octets(9)?,
        detail: words(10)?,
        query_id: words(11)?,
        client_sealed: octets(12)?,
        person_sealed: octets(13)?,
    })
}

/// A row of the disclosure log with the time of its record, its columns from `first` on.
///
/// # Errors
/// When a value is none of ours.
pub(super) fn disclosed(row: &Row, first: usize) -> Result<(i64, DisclosedRow), Fault> {
    let words = |column: usize| row.text(first + column);
    let oid = |column: usize| decode::oid(row, first + column);
    let digest = |column: usize| {
        let octets = row.octets(first + column)?;
        octets.map(|octets| Digest::from_slice(&octets).ok_or_else(|| Fault::unreadable(first + column))).transpose()
    };
    let sealed = |column: usize| row.octets(first + column).map(|octets| octets.map(Sealed));
    let party = |column: usize| -> Result<Party, Fault> {
        Ok(Party { kind: row.need_text(first + column)?, organisation: oid(column + 1)?, person: digest(column + 2)?, sealed: sealed(column + 3)? })
    };
    let denials = row.need_text(first + 28)?;
    let denials = denials.split(',').filter(|_| !denials.is_empty()).map(|id| Oid::parse(id).map_err(|_| Fault::unreadable(first + 28)));
    let at = row.need_int(first)?;
    let row = DisclosedRow {
        kind: i16::try_from(row.need_int(first + 1)?).ok().and_then(Disclosed::from_number).ok_or_else(|| Fault::unreadable(first + 1))?,
        disclosed_at: row.int(first + 2)?.map(Moment::from_micros),
        controller: decode::need_oid(row, first + 3)?,
        register_type: words(4)?,
        client: digest(5)?,
        client_sealed: sealed(6)?,
        document_id: oid(7)?,
        set_id: oid(8)?,
        general_type: words(9)?,
        specific_type: words(10)?,
        service_task: words(11)?,
        discloser: party(12)?,
        recipient: party(16)?,
        purpose: words(20)?,
        service_request: words(21)?,
        query_id: words(22)?,
        basis: row.need_text(first + 23)?,
        rule: words(24)?,
        section: words(25)?,
        informing: oid(26)?,
        permission: oid(27)?,
        denials: denials.collect::<Result<_, Fault>>()?,
        notice: words(29)?,
        detail: words(30)?,
    };
    Ok((at, row))
}
