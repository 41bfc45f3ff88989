//! The logs read for exports: page by page, in order of time.

use async_trait::async_trait;

use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::lines::on_spare;
use super::log_audit::{access, access_columns, disclosed, disclosed_columns};
use super::{Store, place};
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::log::{Given, Mark, Sealed, Span, Used, Whose};
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::ports::logs::Logs;

/// The tail of a page: behind the mark, within the span, in order.
macro_rules! page {
    ($t:literal) => {
        concat!(
            " AND ",
            $t,
            ".at >= $2 AND ",
            $t,
            ".at < $3 AND ",
            $t,
            ".position <= $4 AND (",
            $t,
            ".at, ",
            $t,
            ".id) > ($5, $6) ORDER BY ",
            $t,
            ".at, ",
            $t,
            ".id LIMIT $7"
        )
    };
}

macro_rules! used {
    ($where:literal) => {
        concat!(
            "SELECT a.id, a.position, (SELECT l.message FROM ledger l WHERE l.position = a.position), x.general_type, x.specific_type, x.service_task, ",
            access_columns!(),
            " FROM access_log a LEFT JOIN document x ON x.id = a.document_id WHERE ",
            $where,
            page!("a")
        )
    };
}

macro_rules! given {
    ($where:literal) => {
        concat!(
            "SELECT d.id, d.position, (SELECT l.message FROM ledger l WHERE l.position = d.position), ",
            disclosed_columns!(),
            " FROM disclosure_log d WHERE ",
            $where,
            page!("d")
        )
    };
}

/// Of a search the row names registers, of which an organisation's hold many: those rows are judged when they are read.
const USED_OF_CONTROLLER: &str = used!("(a.controller = $1 OR a.document_id = '')");
/// Rows from before the logs named the client know only the document.
const USED_OF_CLIENT: &str = used!("(a.client = $1 OR (a.client IS NULL AND x.client = $1))");
const GIVEN_OF_CONTROLLER: &str = given!("d.controller = $1");
const GIVEN_OF_CLIENT: &str = given!("d.client = $1");

async fn page(line: &mut Line, (of_controller, of_client): (&'static str, &'static str), span: &Span, after: Mark, limit: u32) -> Result<Vec<Row>, Fault> {
    let (sql, whose) = match &span.of {
        Whose::Controller(oid) => (of_controller, Value::Text(Some(oid.as_str()))),
        Whose::Client(digest, _) => (of_client, Value::Octets(Some(&digest.0))),
    };
    let int = |n: i64| Value::Int(Some(n));
    line.one(sql, &[whose, int(span.from.micros()), int(span.before.micros()), place(span.upto), int(after.0), int(after.1), int(i64::from(limit))]).await
}

async fn used(line: &mut Line, span: &Span, after: Mark, limit: u32) -> Result<(Vec<Used>, Option<Mark>), Fault> {
    let rows = page(line, (USED_OF_CONTROLLER, USED_OF_CLIENT), span, after, limit).await?;
    let mut found = Vec::with_capacity(rows.len());
    let mut next = None;
    for row in &rows {
        let read = access(row, 6)?;
        let mark = (read.at, row.need_int(0)?);
        next = Some(mark);
        if span.of.takes(&read.controller, read.organisation.as_deref()) {
            found.push(Used { mark, position: position(row)?, message: message(row)?, row: read, concerns: [row.text(3)?, row.text(4)?, row.text(5)?] });
        }
    }
    Ok((found, next))
}

async fn given(line: &mut Line, span: &Span, after: Mark, limit: u32) -> Result<(Vec<Given>, Option<Mark>), Fault> {
    let rows = page(line, (GIVEN_OF_CONTROLLER, GIVEN_OF_CLIENT), span, after, limit).await?;
    let mut found = Vec::with_capacity(rows.len());
    let mut next = None;
    for row in &rows {
        let (at, read) = disclosed(row, 3)?;
        let mark = (at, row.need_int(0)?);
        next = Some(mark);
        if span.of.takes(read.controller.as_str(), None) {
            found.push(Given { mark, position: position(row)?, message: message(row)?, at: Moment::from_micros(at), row: read });
        }
    }
    Ok((found, next))
}

fn position(row: &Row) -> Result<Position, Fault> {
    u64::try_from(row.need_int(1)?).map(Position).map_err(|_| Fault::unreadable(1))
}

/// Zeros where the row's entry is missing, which an audit names.
fn message(row: &Row) -> Result<Digest, Fault> {
    Ok(row.octets(2)?.as_deref().and_then(Digest::from_slice).unwrap_or(Digest::ZERO))
}

#[async_trait]
impl Logs for Store {
    async fn used(&self, span: &Span, after: Mark, limit: u32) -> Result<(Vec<Used>, Option<Mark>), Outage> {
        on_spare!(&self.lines, |line| used(line, span, after, limit))
    }

    async fn given(&self, span: &Span, after: Mark, limit: u32) -> Result<(Vec<Given>, Option<Mark>), Outage> {
        on_spare!(&self.lines, |line| given(line, span, after, limit))
    }

    async fn client_sealed(&self, client: &Digest) -> Result<Option<Sealed>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let sql = "SELECT client_sealed FROM access_log WHERE client = $1 AND client_sealed IS NOT NULL LIMIT 1";
            let rows = line.one(sql, &[Value::Octets(Some(&client.0))]).await?;
            rows.first().map(|row| row.need_octets(0).map(Sealed)).transpose()
        })
    }
}
