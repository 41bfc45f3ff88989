//! Facts for many callers in one round trip: whatever waits, up to 64 requests, is one query on a connection of its own.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

use super::fault::Fault;
use super::line::{Both, Kind, Line, Value};
use super::lines::{Lines, OPERATION};
use super::look::frame_key;
use super::{decode, wills};
use crate::domain::digest::Digest;
use crate::domain::facts::{DocumentNeeds, Facts, Needs};
use crate::domain::lifecycle::Named;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;

/// How many requests share one query.
const TOGETHER: usize = 64;
/// How often a query is tried: a second time when the connection had died, since looking changes nothing.
const ATTEMPTS: usize = 2;

/// A request and its caller.
pub(super) struct Asked {
    /// What is asked.
    pub needs: Needs,
    /// Where the answer goes.
    pub caller: oneshot::Sender<Result<Facts, Outage>>,
}

/// Answers until no caller is left. Several of these may share the queue.
pub(super) async fn run(lines: Arc<Lines>, incoming: Arc<Mutex<mpsc::Receiver<Asked>>>) {
    let mut line = None;
    let mut asked = Vec::with_capacity(TOGETHER);
    loop {
        if incoming.lock().await.recv_many(&mut asked, TOGETHER).await == 0 {
            return;
        }
        let outcome = answer(&lines, &mut line, &asked).await;
        match outcome {
            Ok(facts) => {
                for (asked, facts) in asked.drain(..).zip(facts) {
                    let _ = asked.caller.send(Ok(facts));
                }
            }
            // A row that cannot be read is the trouble of whoever asked for it, and of nobody else.
            Err(Fault::Wrong(_) | Fault::Unfit(_)) if asked.len() > 1 => {
                for one in asked.drain(..) {
                    let outcome = answer(&lines, &mut line, std::slice::from_ref(&one)).await;
                    let facts = outcome.map(|mut facts| facts.pop().unwrap_or_default());
                    let _ = one.caller.send(facts.map_err(|fault| fault.outage()));
                }
            }
            Err(fault) => {
                for asked in asked.drain(..) {
                    let _ = asked.caller.send(Err(fault.outage()));
                }
            }
        }
    }
}

async fn answer(lines: &Lines, kept: &mut Option<Line>, asked: &[Asked]) -> Result<Vec<Facts>, Fault> {
    let mut attempt = 1;
    loop {
        let (mut line, fresh) = match kept.take() {
            Some(line) => (line, false),
            None => (lines.address.connect().await?, true),
        };
        let outcome = timeout(OPERATION, look(&mut line, asked)).await.unwrap_or_else(|_| Err(Fault::slow("a look-up")));
        match outcome {
            Ok(facts) => {
                *kept = Some(line);
                return Ok(facts);
            }
            Err(_) if !fresh && attempt < ATTEMPTS => attempt += 1,
            Err(fault) => return Err(fault),
        }
    }
}

async fn look(line: &mut Line, asked: &[Asked]) -> Result<Vec<Facts>, Fault> {
    let frames: Vec<Option<Digest>> = asked.iter().map(|a| a.needs.frame.as_ref().map(|id| frame_key(&a.needs.key.sender, id))).collect();
    let rows: Vec<Vec<Value<'_>>> = asked.iter().zip(&frames).zip(0_i64..).map(|((a, frame), n)| row(&a.needs, frame.as_ref(), n)).collect();
    let sql = Both { postgres: POSTGRES.to_owned(), sqlite: SQLITE.to_owned() };
    let mut facts = vec![Facts::default(); asked.len()];
    for row in line.many(&sql, KINDS, &rows).await? {
        let place = usize::try_from(row.need_int(0)?).ok().and_then(|n| facts.get_mut(n));
        *place.ok_or_else(|| Fault::unreadable(0))? = decode::facts(&row)?;
    }
    for (asked, facts) in asked.iter().zip(&mut facts) {
        wills::add(line, &asked.needs, facts).await?;
    }
    Ok(facts)
}

fn row<'a>(needs: &'a Needs, frame: Option<&'a Digest>, n: i64) -> Vec<Value<'a>> {
    let document = needs.document.as_ref();
    let event = needs.event.as_ref();
    let id = |of: fn(&DocumentNeeds) -> Option<&Oid>| Value::Text(document.and_then(of).map(Oid::as_str));
    let either =
        |of: fn(&DocumentNeeds) -> &Oid, named: fn(&Named) -> Option<&Oid>| Value::Text(document.map(of).or_else(|| event.and_then(named)).map(Oid::as_str));
    vec![
        Value::Int(Some(n)),
        Value::Text(Some(needs.key.sender.as_str())),
        Value::Octets(Some(&needs.key.octets.0)),
        Value::Octets(frame.map(|digest| digest.0.as_slice())),
        either(|d| &d.id, |e| e.id.as_ref()),
        either(|d| &d.set_id, |e| e.set_id.as_ref()),
        id(|d| d.replaces.as_ref()),
        id(|d| d.case_id.as_ref()),
        id(|d| d.relation_id.as_ref()),
    ]
}

const KINDS: &[Kind] = &[Kind::Int, Kind::Text, Kind::Octets, Kind::Octets, Kind::Text, Kind::Text, Kind::Text, Kind::Text, Kind::Text];

macro_rules! facts_sql {
    ($source:literal) => {
        concat!(
            "SELECT n.n, i.standing, i.revision, i.outcome, i.rules, i.is_final, f.octets_sha,
    d.id, d.set_id, d.version, d.doc_group, d.client, d.controller, d.received_sha, d.case_id, d.relation_id, (SELECT max(i.scope) FROM invalid i WHERE i.id = d.id AND i.scope <> 2),
    l.id, l.set_id, l.version, l.doc_group, l.client, l.controller, l.received_sha, l.case_id, l.relation_id, (SELECT max(i.scope) FROM invalid i WHERE i.id = l.id AND i.scope <> 2),
    r.id, r.set_id, r.version, r.doc_group, r.client, r.controller, r.received_sha, r.case_id, r.relation_id, (SELECT max(i.scope) FROM invalid i WHERE i.id = r.id AND i.scope <> 2),
    c.id, c.revision, c.closed, c.client, c.controller, c.service_task, c.set_id, c.relation_id, cr.old, cr.revision, c.invalid, cr.invalid,
    rel.id, rel.revision, rel.old, rel.client, rel.controller, rel.set_id, rel.invalid,
    (SELECT count(*) FROM document_event e WHERE e.set_id = l.set_id), (SELECT i.scope FROM invalid i WHERE i.id = l.set_id AND i.scope = 2)
FROM ",
            $source,
            "
    LEFT JOIN inbox i ON i.sender = n.sender AND i.octets_sha = n.sha
    LEFT JOIN frame f ON f.id_sha = n.frame
    LEFT JOIN document d ON d.id = n.document
    LEFT JOIN document l ON l.id = (SELECT x.id FROM document x WHERE x.set_id = COALESCE(n.in_set, d.set_id) ORDER BY x.version DESC LIMIT 1)
    LEFT JOIN document r ON r.id = n.replaced
    LEFT JOIN case_file c ON c.id = n.in_case
    LEFT JOIN client_relation cr ON cr.id = c.relation_id
    LEFT JOIN client_relation rel ON rel.id = n.relation"
        )
    };
}

const POSTGRES: &str = facts_sql!(
    "UNNEST($1::bigint[], $2::text[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
        AS n(n, sender, sha, frame, document, in_set, replaced, in_case, relation)"
);
const SQLITE: &str =
    facts_sql!("(SELECT $1 AS n, $2 AS sender, $3 AS sha, $4 AS frame, $5 AS document, $6 AS in_set, $7 AS replaced, $8 AS in_case, $9 AS relation) n");
