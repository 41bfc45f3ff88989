//! What the audit asks about rows that are not chained themselves: whether they still say what the ledger, the documents and the messages say. Derived again from those, never believed.
//! Read leniently, like all that the audit reads: a row that cannot be read does not fit.

use super::decode;
use super::events::invalid;
use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::look::frame_key;
use super::{log_audit, misfit_events, notices, place, search, unsigned, wills};
use crate::crypto;
use crate::domain::ack::InstanceId;
use crate::domain::digest::Digest;
use crate::domain::document::Group;
use crate::domain::facts::Standing;
use crate::domain::ledger::{Chained, EntryKind, Position};
use crate::domain::lifecycle::EventKind;
use crate::domain::message::Sender;
use crate::ports::archive::{Misfits, Table};

/// Held messages looked at in one go: each brings its octets into memory.
const HELD_PAGE: i64 = 4;

/// What is wrong with the rows that one entry brought along. Where a kind of entry tells more precisely what is wrong with its log rows than their digest does,
/// it is told once.
///
/// # Errors
/// As the database says.
pub(super) async fn companions(line: &mut Line, chained: &Chained) -> Result<Vec<&'static str>, Fault> {
    let mut wrong = match chained.entry.kind {
        EntryKind::Archived => document_companions(line, chained).await?,
        EntryKind::Event => misfit_events::companions(line, chained).await?,
        EntryKind::Answered => search::companions(line, chained).await?,
        EntryKind::Shown => log_audit::shown(line, chained).await?,
        EntryKind::Notice => notices::companions(line, chained).await?,
        EntryKind::Refused | EntryKind::Noted | EntryKind::Exported => Vec::new(),
    };
    if !wrong.iter().any(|what| what.starts_with("the access log")) {
        wrong.extend(log_audit::check(line, chained).await?);
    }
    Ok(wrong)
}

async fn document_companions(line: &mut Line, chained: &Chained) -> Result<Vec<&'static str>, Fault> {
    let sql = "SELECT a.position, a.at, a.actor, a.action, a.document_id, a.controller, d.id, d.controller, d.replaces, d.doc_group, d.case_id, c.id, d.relation_id, r.id, \
               d.sender, d.archived_at, (SELECT count(*) FROM document_event e WHERE e.by_document = d.id) FROM document d LEFT JOIN access_log a ON a.position = d.position LEFT JOIN case_file c ON c.id = d.case_id \
               LEFT JOIN client_relation r ON r.id = d.relation_id WHERE d.position = $1 LIMIT 2";
    let rows = line.one(sql, &[place(chained.position)]).await?;
    // Without a document row there is nothing to hold against; that it is missing is reported where it is looked for.
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let (text, int) = (|column| words(row, column), |column| number(row, column));
    let mut wrong = Vec::new();
    let (at, sender) = (Some(chained.entry.at.micros()), Some(chained.entry.sender.as_str()));
    let action = match (int(16), text(8)) {
        (Some(1..), _) => EventKind::Invalidated.action(),
        (_, Some(_)) => "replace",
        (_, None) => "store",
    };
    if int(0).is_none() {
        wrong.push("the access log does not have it");
    } else if rows.len() > 1 {
        wrong.push("the access log has it more than once");
    } else if int(1) != at || text(2).as_deref() != sender || text(3).as_deref() != Some(action) || text(4) != text(6) || text(5) != text(7) {
        wrong.push("the access log's row differs from the entry and the document");
    }
    if text(14).as_deref() != sender || int(15) != at {
        wrong.push("the document's row names another sender or time than the entry");
    }
    if int(9) == Some(i64::from(Group::Case.number())) && text(10).is_some() && text(11).is_none() {
        wrong.push("the case that the document made is missing");
    }
    if int(9) == Some(i64::from(Group::ClientRelation.number())) && text(12).is_some() && text(13).is_none() {
        wrong.push("the client relation that the document made is missing");
    }
    Ok(wrong)
}

/// One page of a table.
///
/// # Errors
/// As the database says, or a mark that is none of ours.
pub(super) async fn page(line: &mut Line, table: Table, after: &str, limit: u32) -> Result<Misfits, Fault> {
    let limit = i64::from(limit.max(1));
    match table {
        Table::Frame => frames(line, after, limit).await,
        Table::CaseFile => {
            let sql = concat!(
                "SELECT c.id, c.set_id, c.relation_id, c.client, c.controller, c.closed, c.service_task, c.revision, d.set_id, d.relation_id, d.client, d.controller, \
                       d.case_closed, d.service_task, d.position, d.case_id, d.doc_group, \
                       (SELECT count(*) FROM document x WHERE x.case_id = c.id AND x.doc_group = 2) + (SELECT count(*) FROM document_event e WHERE e.set_id = c.set_id), \
                 (SELECT x.position FROM document x WHERE x.case_id = c.id AND x.doc_group = 2 ORDER BY ",
                invalid!("x"),
                ", x.version DESC LIMIT 1), c.invalid, ",
                invalid!("d"),
                " FROM case_file c LEFT JOIN document d ON d.id = c.document_id WHERE c.id > $1 ORDER BY c.id LIMIT $2"
            );
            made(line, sql, after, limit, Group::Case, "case").await
        }
        Table::ClientRelation => {
            let sql = concat!(
                "SELECT c.id, c.set_id, NULL, c.client, c.controller, c.old, NULL, c.revision, d.set_id, NULL, d.client, d.controller, \
                       d.relation_old, NULL, d.position, d.relation_id, d.doc_group, \
                       (SELECT count(*) FROM document x WHERE x.relation_id = c.id AND x.doc_group = 1) + (SELECT count(*) FROM document_event e WHERE e.set_id = c.set_id), \
                 (SELECT x.position FROM document x WHERE x.relation_id = c.id AND x.doc_group = 1 ORDER BY ",
                invalid!("x"),
                ", x.version DESC LIMIT 1), c.invalid, ",
                invalid!("d"),
                " FROM client_relation c LEFT JOIN document d ON d.id = c.document_id WHERE c.id > $1 ORDER BY c.id LIMIT $2"
            );
            made(line, sql, after, limit, Group::ClientRelation, "client relation").await
        }
        Table::Held => held(line, after).await,
        Table::Event => misfit_events::events(line, after, limit).await,
        Table::Invalid => misfit_events::invalid(line, after, limit).await,
        Table::Will => wills::misfits(line, after, limit).await,
        Table::Notice => notices::misfits(line, after, limit).await,
        Table::AccessLog => log_audit::unbrought_access(line, after, limit).await,
        Table::DisclosureLog => log_audit::unbrought_disclosures(line, after, limit).await,
    }
}

async fn frames(line: &mut Line, after: &str, limit: i64) -> Result<Misfits, Fault> {
    let mark = Digest::from_hex(after).map_or_else(Vec::new, |digest| digest.0.to_vec());
    let sql = "SELECT f.id_sha, f.sender, f.root, f.extension, f.octets_sha, i.standing, i.position FROM frame f \
               LEFT JOIN inbox i ON i.sender = f.sender AND i.octets_sha = f.octets_sha WHERE f.id_sha > $1 ORDER BY f.id_sha LIMIT $2";
    let rows = line.one(sql, &[Value::Octets(Some(&mark)), Value::Int(Some(limit))]).await?;
    let mut page = Misfits { rows: rows.len() as u64, ..Misfits::default() };
    for row in &rows {
        let extension = words(row, 3).filter(|extension| !extension.is_empty());
        let key = words(row, 1).zip(words(row, 2)).map(|(sender, root)| frame_key(&Sender::new(sender), &InstanceId { root, extension }));
        let position = Position(number(row, 6).map_or(0, unsigned));
        if key.is_none() || key != decode::digest(row, 0).ok() {
            page.found.push((position, "a frame's id is not what its key says".to_owned()));
        }
        if number(row, 5) != Some(i64::from(Standing::Accepted.number())) {
            page.found.push((position, "a frame's id is claimed by a message that was not accepted".to_owned()));
        }
    }
    page.next = full(&rows, limit).and_then(|row| decode::digest(row, 0).ok()).map(|digest| digest.to_hex());
    Ok(page)
}

/// Cases and client relations: the row is what the last document that made or renewed it says, and counts all that did.
async fn made(line: &mut Line, sql: &'static str, after: &str, limit: i64, group: Group, what: &str) -> Result<Misfits, Fault> {
    let rows = line.one(sql, &[Value::Text(Some(after)), Value::Int(Some(limit))]).await?;
    let mut page = Misfits { rows: rows.len() as u64, ..Misfits::default() };
    for row in &rows {
        let position = Position(number(row, 14).map_or(0, unsigned));
        let id = words(row, 0);
        let digest = |column| decode::digest(row, column).ok();
        let flag = |column| row.flag(column).ok().flatten();
        if number(row, 14).is_none() || words(row, 15) != id || number(row, 16) != Some(i64::from(group.number())) {
            page.found.push((position, format!("a {what} names a document that did not make it")));
        } else if number(row, 18) != number(row, 14) {
            page.found.push((position, format!("a {what} is not as its last document left it")));
        } else if words(row, 1) != words(row, 8)
            || words(row, 2) != words(row, 9)
            || digest(3).is_none()
            || digest(3) != digest(10)
            || words(row, 4) != words(row, 11)
            || flag(5).is_none()
            || (flag(12).is_some() && flag(12) != flag(5))
            || words(row, 6) != words(row, 13)
        {
            page.found.push((position, format!("a {what} differs from the document that made it")));
        }
        if flag(19).is_none() || flag(19) != flag(20) {
            page.found.push((position, format!("a {what} is not as the events about its documents left it")));
        }
        if number(row, 7) != number(row, 17) {
            page.found.push((position, format!("a {what} counts other documents and events than there are")));
        }
    }
    page.next = full(&rows, limit).and_then(|row| words(row, 0));
    Ok(page)
}

async fn held(line: &mut Line, after: &str) -> Result<Misfits, Fault> {
    let (sha, sender) = after.split_once(':').map_or((Vec::new(), ""), |(hex, sender)| (Digest::from_hex(hex).map_or_else(Vec::new, |d| d.0.to_vec()), sender));
    let sql = "SELECT h.sender, h.octets_sha, h.octets, i.standing, i.position FROM held h LEFT JOIN inbox i ON i.sender = h.sender AND i.octets_sha = h.octets_sha \
               WHERE (h.sender, h.octets_sha) > ($1, $2) ORDER BY h.sender, h.octets_sha LIMIT $3";
    let rows = line.one(sql, &[Value::Text(Some(sender)), Value::Octets(Some(&sha)), Value::Int(Some(HELD_PAGE))]).await?;
    let mut page = Misfits { rows: rows.len() as u64, ..Misfits::default() };
    for row in &rows {
        let position = Position(number(row, 4).map_or(0, unsigned));
        let sha = decode::digest(row, 1).ok();
        let octets = row.octets(2).ok().flatten().unwrap_or_default();
        if sha != Some(crypto::sha256(&octets)) {
            page.found.push((position, "the octets of a message on hold have changed".to_owned()));
        }
        if number(row, 3) != Some(i64::from(Standing::Held.number())) {
            page.found.push((position, "a message is on hold that the inbox does not hold".to_owned()));
        }
    }
    page.next = full(&rows, HELD_PAGE).and_then(|row| Some(format!("{}:{}", decode::digest(row, 1).ok()?, words(row, 0)?)));
    Ok(page)
}

/// The last row of a full page: behind it there may be more.
pub(super) fn full(rows: &[Row], limit: i64) -> Option<&Row> {
    rows.last().filter(|_| i64::try_from(rows.len()).is_ok_and(|length| length >= limit))
}

pub(super) fn words(row: &Row, column: usize) -> Option<String> {
    row.text(column).ok().flatten()
}

pub(super) fn number(row: &Row, column: usize) -> Option<i64> {
    row.int(column).ok().flatten()
}
