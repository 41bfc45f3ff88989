//! Wills in the tables: what an archived will document says, a row beside its document, written with it; and what a decision asks of them.

use super::compose::Effected;
use super::decode;
use super::fault::Fault;
use super::line::{Both, Kind, Line, Row, Value};
use super::misfits::{full, number, words};
use super::rows::{WILL, digest, text};
use crate::domain::change::Effect;
use crate::domain::digest::Digest;
use crate::domain::facts::{Facts, NamedFact, Needs};
use crate::domain::ledger::Position;
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::domain::will::{ClientWills, Said, Will};
use crate::ports::archive::Misfits;

/// The last entry about a client's wills: one archived, or an event of the set of one.
pub(super) const NEWEST: &str = "SELECT max(x.position), 0 FROM (SELECT w.position FROM will w WHERE w.client = $1 \
     UNION ALL SELECT e.position FROM will w JOIN document d ON d.id = w.document_id JOIN document_event e ON e.set_id = d.set_id WHERE w.client = $1) x";

/// The first ones: as many as are asked for, and as long as their words are no more than so many octets before the last.
const OF_CLIENT: &str = concat!(
    "SELECT w.document_id, d.set_id, d.version, w.position, d.authored, d.authored_date, CAST(CASE WHEN ",
    super::events::invalid!("d"),
    " THEN 0 ELSE 1 END AS bigint), w.kind, w.said, d.archived_at FROM \
     (SELECT x.*, sum(length(x.said)) OVER (ORDER BY x.position) - length(x.said) AS before FROM will x WHERE x.client = $1) AS w \
     JOIN document d ON d.id = w.document_id WHERE w.before < $3 ORDER BY w.position LIMIT $2"
);

/// A will document that was archived before anything was read of it.
const UNREAD: &str = "SELECT d.position FROM document d WHERE d.client = $1 AND d.doc_group BETWEEN 7 AND 9 \
     AND NOT EXISTS (SELECT 1 FROM will w WHERE w.document_id = d.id) LIMIT 1";

/// Every will of a client, as far as the bound goes.
///
/// # Errors
/// As the database says, or when a row cannot be read: a decision must not rest on it.
pub(super) async fn of(line: &mut Line, client: &Digest) -> Result<ClientWills, Fault> {
    // The entry first, then the rows: a will that comes between them is among the rows and not in the mark, so that the commit finds the mark stale.
    let newest = line.one(NEWEST, &[digest(client)]).await?;
    let newest = newest.first().map(|row| row.int(0)).transpose()?.flatten();
    let octets = i64::try_from(limits::WILL_OCTETS).unwrap_or(i64::MAX);
    let found = line.one(OF_CLIENT, &[digest(client), Value::Int(Some(i64::from(limits::WILLS))), Value::Int(Some(octets))]).await?;
    let rows = found.iter().map(will).collect::<Result<Vec<Will>, Fault>>()?;
    let unread = line.one(UNREAD, &[digest(client)]).await?;
    let all = line.one("SELECT count(*) FROM will WHERE client = $1", &[digest(client)]).await?;
    let all = all.first().map(|row| row.need_int(0)).transpose()?.unwrap_or(0);
    let is_cut = !unread.is_empty() || usize::try_from(all).unwrap_or(usize::MAX) > rows.len();
    Ok(ClientWills { rows, newest: newest.and_then(|p| u64::try_from(p).ok()).map(Position), is_cut })
}

fn will(row: &Row) -> Result<Will, Fault> {
    Ok(Will {
        document: decode::need_oid(row, 0)?,
        set_id: decode::need_oid(row, 1)?,
        version: decode::count(row, 2)?,
        position: u64::try_from(row.need_int(3)?).map(Position).map_err(|_| Fault::unreadable(3))?,
        authored: Moment::from_micros(row.need_int(4)?),
        day: decode::date(row.need_int(5)?).ok_or_else(|| Fault::unreadable(5))?,
        archived_at: Moment::from_micros(row.need_int(9)?),
        is_valid: row.need_int(6)? == 1,
        said: said(row, 7)?.ok_or_else(|| Fault::unreadable(8))?,
    })
}

/// What a will's row says: its kind and words, in two columns; `None` where both are empty.
///
/// # Errors
/// When they are none of ours.
pub(super) fn said(row: &Row, at: usize) -> Result<Option<Said>, Fault> {
    let Some(kind) = row.int(at)? else { return Ok(None) };
    let read = i16::try_from(kind).ok().and_then(|kind| Said::read(kind, &row.need_text(at + 1).unwrap_or_default()));
    read.map(Some).ok_or_else(|| Fault::unreadable(at + 1))
}

/// Writes the wills of a batch.
///
/// # Errors
/// As the database says.
pub(super) async fn write(line: &mut Line, effected: &[Effected<'_>]) -> Result<(), Fault> {
    let mut kept: Vec<(&Effected<'_>, &Oid, &Digest, i16, String)> = Vec::new();
    for e in effected {
        let Effect::Archive(archive) = &e.commit.effect else { continue };
        if let Some(said) = &archive.will {
            kept.push((e, &archive.header.id, &archive.header.client, said.number(), said.text()));
        }
    }
    let rows = kept
        .iter()
        .map(|(e, id, client, kind, words)| vec![text(id.as_str()), digest(client), Value::Int(e.position), Value::Int(Some(i64::from(*kind))), text(words)]);
    WILL.insert(line, &rows.collect()).await.map(drop)
}

/// Adds to the facts of some requests what they ask about wills: few do, and those are asked one by one.
///
/// # Errors
/// As the database says.
pub(super) async fn add(line: &mut Line, needs: &Needs, facts: &mut Facts) -> Result<(), Fault> {
    if let Some(client) = &needs.wills {
        facts.wills = Some(of(line, client).await?);
    }
    if needs.named.is_empty() {
        return Ok(());
    }
    let sql = Both { postgres: format!("{NAMED} = ANY($1::text[])"), sqlite: format!("{NAMED} = $1") };
    let rows: Vec<Vec<Value<'_>>> = needs.named.iter().map(|id| vec![text(id.as_str())]).collect();
    for row in line.many(&sql, &[Kind::Text], &rows).await? {
        let (id, set_id) = (decode::need_oid(&row, 0)?, decode::need_oid(&row, 1)?);
        facts.named.push(NamedFact { id, set_id, group: decode::group(&row, 2)?, client: decode::digest(&row, 3)? });
    }
    Ok(())
}

/// A document is named by its set's id, which its first version bears as its own, or by a version's.
const NAMED: &str = "SELECT d.id, d.set_id, d.doc_group, d.client FROM document d WHERE d.id";

/// Rows that are not their document's: what they say is held against its octets where the audit looks at the document.
///
/// # Errors
/// As the database says.
pub(super) async fn misfits(line: &mut Line, after: &str, limit: i64) -> Result<Misfits, Fault> {
    let sql = "SELECT w.document_id, w.client, w.position, d.client, d.position FROM will w LEFT JOIN document d ON d.id = w.document_id \
               WHERE w.document_id > $1 ORDER BY w.document_id LIMIT $2";
    let rows = line.one(sql, &[text(after), Value::Int(Some(limit))]).await?;
    let mut page = Misfits { rows: rows.len() as u64, ..Misfits::default() };
    for row in &rows {
        let position = Position(number(row, 2).map_or(0, super::unsigned));
        let client = decode::digest(row, 1).ok();
        if client.is_none() || client != decode::digest(row, 3).ok() || number(row, 2).is_none() || number(row, 2) != number(row, 4) {
            page.found.push((position, "what a will says is kept under another document, client or entry".to_owned()));
        }
    }
    page.next = full(&rows, limit).and_then(|row| words(row, 0));
    Ok(page)
}
