//! Events in the tables: the rows that an event writes, and the words in which a search asks for the state of a document.

use super::compose::Effected;
use super::fault::Fault;
use super::line::{Both, Kind, Line, Value};
use super::rows::{DOCUMENT_EVENT, INVALID, text};
use crate::domain::change::{Commit, Effect};
use crate::domain::lifecycle::{EventKind, EventRecord, Scope};
use crate::domain::oid::Oid;

/// Of `invalid`: this version.
pub(super) const VERSION: i64 = 1;
/// Of `invalid`: this set.
pub(super) const SET: i64 = 2;
/// Of `invalid`: this version invalidated its set.
pub(super) const INVALIDATING: i64 = 3;

/// SQL: whether the document in this row of `document` is invalid now, or invalidated its set.
macro_rules! invalid {
    ($d:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM invalid i WHERE i.id = ",
            $d,
            ".id AND i.scope <> 2) OR EXISTS (SELECT 1 FROM invalid i WHERE i.id = ",
            $d,
            ".set_id AND i.scope = 2))"
        )
    };
}
pub(super) use invalid;

/// SQL: whether a later version of the same set is valid now.
macro_rules! superseded {
    ($d:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM document newer WHERE newer.set_id = ",
            $d,
            ".set_id AND newer.version > ",
            $d,
            ".version AND NOT ",
            $crate::adapters::store::events::invalid!("newer"),
            ")"
        )
    };
}
pub(super) use superseded;

/// SQL: whether the document in this row of `document` was invalid at a moment (microseconds), or had invalidated its set. Whether it was archived by then is
/// the row's own `archived_at`.
macro_rules! invalid_at {
    ($d:literal, $at:literal) => {
        concat!(
            "(COALESCE((SELECT e.kind FROM document_event e WHERE e.document_id = ",
            $d,
            ".id AND e.at <= ",
            $at,
            " ORDER BY e.position DESC LIMIT 1), 2) = 1 OR COALESCE((SELECT e.kind FROM document_event e WHERE e.set_id = ",
            $d,
            ".set_id AND e.document_id IS NULL AND e.at <= ",
            $at,
            " ORDER BY e.position DESC LIMIT 1), 2) = 1 OR EXISTS (SELECT 1 FROM document_event e WHERE e.by_document = ",
            $d,
            ".id AND e.at <= ",
            $at,
            "))"
        )
    };
}
pub(super) use invalid_at;

/// SQL: whether a later version of the same set was archived and valid at a moment.
macro_rules! superseded_at {
    ($d:literal, $at:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM document newer WHERE newer.set_id = ",
            $d,
            ".set_id AND newer.version > ",
            $d,
            ".version AND newer.archived_at <= ",
            $at,
            " AND NOT ",
            $crate::adapters::store::events::invalid_at!("newer", $at),
            ")"
        )
    };
}
pub(super) use superseded_at;

/// The event that a commit writes, with the case and the relation that its target makes.
pub(super) fn of(commit: &Commit) -> Option<(&EventRecord, Option<&Oid>, Option<&Oid>)> {
    match &commit.effect {
        Effect::Event(event) => Some((&event.record, event.case_id.as_ref(), event.relation_id.as_ref())),
        Effect::Archive(archive) => {
            archive.event.as_ref().map(|along| (&along.record, super::batch::case_made(&archive.header), super::batch::relation_made(&archive.header)))
        }
        Effect::Notice(_) | Effect::Answer(_) | Effect::Refuse(_) | Effect::Hold(_) | Effect::Repeat => None,
    }
}

/// Writes the events of a batch, what is invalid with them, and what that leaves of cases and relations.
///
/// # Errors
/// As the database says.
pub(super) async fn write(line: &mut Line, effected: &[Effected<'_>]) -> Result<(), Fault> {
    let events: Vec<(i64, _)> = effected.iter().filter_map(|e| Some((e.event_position?, of(e.commit)?))).collect();
    if events.is_empty() {
        return Ok(());
    }
    DOCUMENT_EVENT.insert(line, &events.iter().map(|(position, (record, ..))| row(*position, record)).collect()).await?;
    let (mut made, mut ended) = (Vec::new(), Vec::new());
    for (position, (record, ..)) in &events {
        let scope = if matches!(record.scope, Scope::Set) { SET } else { VERSION };
        let mark = vec![text(record.target().as_str()), Value::Int(Some(scope))];
        match record.kind {
            EventKind::Invalidated => made.push([mark, vec![Value::Int(Some(*position))]].concat()),
            EventKind::Reinstated => ended.push(mark),
        }
        if let Some(by) = &record.by_document {
            made.push(vec![text(by.as_str()), Value::Int(Some(INVALIDATING)), Value::Int(Some(*position))]);
        }
    }
    INVALID.insert(line, &made).await?;
    let end = Both {
        postgres: "DELETE FROM invalid WHERE (id, scope) IN (SELECT * FROM UNNEST($1::text[], $2::bigint[]))".to_owned(),
        sqlite: "DELETE FROM invalid WHERE id = $1 AND scope = $2".to_owned(),
    };
    line.many(&end, &[Kind::Text, Kind::Int], &ended).await?;
    let cases: Vec<_> = events.iter().filter_map(|(_, (_, case, _))| case.map(|id| vec![text(id.as_str())])).collect();
    let relations: Vec<_> = events.iter().filter_map(|(_, (_, _, relation))| relation.map(|id| vec![text(id.as_str())])).collect();
    for (sql, ids) in [(CASES, cases), (RELATIONS, relations)] {
        let both = Both { postgres: format!("{sql} = ANY($1::text[])"), sqlite: format!("{sql} = $1") };
        line.many(&both, &[Kind::Text], &ids).await?;
    }
    Ok(())
}

/// A case is as the newest valid version of its document says; when none is valid, as the newest says, and marked. Where a version does not say whether the
/// case is closed, the one before it holds.
const CASES: &str = concat!(
    "UPDATE case_file SET (document_id, relation_id, client, controller, service_task, invalid, closed, revision) = (SELECT d.id, d.relation_id, d.client, d.controller, d.service_task, ",
    invalid!("d"),
    ", COALESCE((SELECT x.case_closed FROM document x WHERE x.case_id = case_file.id AND x.doc_group = 2 AND x.case_closed IS NOT NULL AND x.version <= d.version ORDER BY ",
    invalid!("x"),
    ", x.version DESC LIMIT 1), false), case_file.revision + 1 FROM document d WHERE d.case_id = case_file.id AND d.doc_group = 2 ORDER BY ",
    invalid!("d"),
    ", d.version DESC LIMIT 1) WHERE id"
);

/// As [`CASES`], a client relation.
const RELATIONS: &str = concat!(
    "UPDATE client_relation SET (document_id, client, controller, invalid, old, revision) = (SELECT d.id, d.client, d.controller, ",
    invalid!("d"),
    ", COALESCE((SELECT x.relation_old FROM document x WHERE x.relation_id = client_relation.id AND x.doc_group = 1 AND x.relation_old IS NOT NULL AND x.version <= d.version ORDER BY ",
    invalid!("x"),
    ", x.version DESC LIMIT 1), false), client_relation.revision + 1 FROM document d WHERE d.relation_id = client_relation.id AND d.doc_group = 1 ORDER BY ",
    invalid!("d"),
    ", d.version DESC LIMIT 1) WHERE id"
);

fn row(position: i64, record: &EventRecord) -> Vec<Value<'_>> {
    let version = if let Scope::Version(id) = &record.scope { Some(id.as_str()) } else { None };
    vec![
        Value::Int(Some(position)),
        Value::Int(Some(i64::from(record.kind.number()))),
        text(record.set_id.as_str()),
        Value::Text(version),
        Value::Text(record.by_document.as_ref().map(Oid::as_str)),
        Value::Int(Some(record.at.micros())),
        text(&record.sender),
        text(record.controller.as_str()),
        Value::Text(record.author.organisation.as_ref().map(Oid::as_str)),
        Value::Text(record.author.professional.as_deref()),
        Value::Text(record.reason.code.as_deref()),
        Value::Text(record.reason.text.as_deref()),
    ]
}
