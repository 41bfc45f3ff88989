//! The tables as a commit writes them: their columns once, and the rows of a batch.

use super::compose::{Effected, Inbox};
use super::fault::Fault;
use super::line::{Both, Kind, Line, Row, Value};
use crate::domain::change::{Commit, Effect, Held};
use crate::domain::digest::Digest;
use crate::domain::document::{Date, Header};
use crate::domain::message::Reply;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;

/// Rows of one table, one value a column.
pub(super) type Rows<'a> = Vec<Vec<Value<'a>>>;

/// A table, and what an insert says after its values.
pub(super) struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    tail: &'static str,
}

impl Table {
    /// A table of another file.
    pub const fn of(name: &'static str, columns: &'static [(&'static str, Kind)], tail: &'static str) -> Self {
        Self { name, columns, tail }
    }

    /// Writes the rows; gives back what the tail returns.
    ///
    /// # Errors
    /// As the database says.
    pub async fn insert(&self, line: &mut Line, rows: &Rows<'_>) -> Result<Vec<Row>, Fault> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let list = |form: &dyn Fn(usize, &str, Kind) -> String| -> String {
            self.columns.iter().enumerate().map(|(at, (name, kind))| form(at + 1, name, *kind)).collect::<Vec<_>>().join(", ")
        };
        let Self { name, tail, .. } = self;
        let names = list(&|_, name, _| name.to_owned());
        let arrays = list(&|at, _, kind| format!("${at}::{}", kind.array()));
        let values = list(&|at, _, _| format!("${at}"));
        let kinds: Vec<Kind> = self.columns.iter().map(|(_, kind)| *kind).collect();
        let sql = Both {
            postgres: format!("INSERT INTO {name} ({names}) SELECT * FROM UNNEST({arrays}) {tail}"),
            sqlite: format!("INSERT INTO {name} ({names}) VALUES ({values}) {tail}"),
        };
        line.many(&sql, &kinds, rows).await
    }
}

use Kind::{Flag, Int, Octets, Text};

/// Octets of documents, before the lock; an id already there is found by the row that does not come back.
pub(super) static DOCUMENT_OCTETS: Table = Table {
    name: "document_octets",
    columns: &[("document_id", Text), ("octets", Octets), ("beside", Octets)],
    tail: "ON CONFLICT (document_id) DO NOTHING RETURNING document_id",
};

const INBOX: &[(&str, Kind)] = &[
    ("sender", Text),
    ("octets_sha", Octets),
    ("standing", Int),
    ("revision", Int),
    ("outcome", Octets),
    ("rules", Octets),
    ("is_final", Flag),
    ("code", Text),
    ("position", Int),
    ("answer", Octets),
    ("octets", Octets),
    ("decided_at", Int),
];
/// A message seen for the first time.
pub(super) static INBOX_NEW: Table = Table { name: "inbox", columns: INBOX, tail: "" };
/// A message decided again.
pub(super) static INBOX_CHANGED: Table = Table {
    name: "inbox",
    columns: INBOX,
    tail: "ON CONFLICT (sender, octets_sha) DO UPDATE SET standing = excluded.standing, revision = excluded.revision, outcome = excluded.outcome, \
           rules = excluded.rules, is_final = excluded.is_final, code = excluded.code, position = excluded.position, answer = excluded.answer, \
           octets = excluded.octets, decided_at = excluded.decided_at, forgotten_at = NULL",
};
/// Claims of frame ids.
pub(super) static FRAME: Table =
    Table { name: "frame", columns: &[("id_sha", Octets), ("sender", Text), ("root", Text), ("extension", Text), ("octets_sha", Octets)], tail: "" };
/// Header facts.
pub(super) static DOCUMENT: Table = Table {
    name: "document",
    columns: &[
        ("id", Text),
        ("set_id", Text),
        ("version", Int),
        ("replaces", Text),
        ("replaces_set", Text),
        ("replaces_version", Int),
        ("doc_group", Int),
        ("client", Octets),
        ("controller", Text),
        ("organiser", Text),
        ("service_task", Text),
        ("original_task_system", Text),
        ("original_task", Text),
        ("case_id", Text),
        ("relation_id", Text),
        ("general_type", Text),
        ("specific_type", Text),
        ("authored", Int),
        ("authored_date", Int),
        ("created", Int),
        ("language", Text),
        ("case_closed", Flag),
        ("relation_old", Flag),
        ("received_sha", Octets),
        ("archived_sha", Octets),
        ("splice_start", Int),
        ("splice_len", Int),
        ("position", Int),
        ("sender", Text),
        ("archived_at", Int),
    ],
    tail: "",
};
/// Client relations, made or renewed.
pub(super) static CLIENT_RELATION: Table = Table {
    name: "client_relation",
    columns: &[("id", Text), ("set_id", Text), ("old", Flag), ("client", Octets), ("controller", Text), ("revision", Int), ("document_id", Text)],
    tail: "ON CONFLICT (id) DO UPDATE SET set_id = excluded.set_id, old = excluded.old, client = excluded.client, controller = excluded.controller, \
           revision = excluded.revision, document_id = excluded.document_id, invalid = false",
};
/// Cases, made or renewed.
pub(super) static CASE_FILE: Table = Table {
    name: "case_file",
    columns: &[
        ("id", Text),
        ("set_id", Text),
        ("relation_id", Text),
        ("client", Octets),
        ("controller", Text),
        ("closed", Flag),
        ("service_task", Text),
        ("revision", Int),
        ("document_id", Text),
    ],
    tail: "ON CONFLICT (id) DO UPDATE SET set_id = excluded.set_id, relation_id = excluded.relation_id, client = excluded.client, \
           controller = excluded.controller, closed = excluded.closed, service_task = excluded.service_task, revision = excluded.revision, document_id = excluded.document_id, \
           invalid = false",
};
/// Events, append-only.
pub(super) static DOCUMENT_EVENT: Table = Table {
    name: "document_event",
    columns: &[
        ("position", Int),
        ("kind", Int),
        ("set_id", Text),
        ("document_id", Text),
        ("by_document", Text),
        ("at", Int),
        ("sender", Text),
        ("controller", Text),
        ("organisation", Text),
        ("professional", Text),
        ("reason_code", Text),
        ("reason", Text),
    ],
    tail: "",
};
/// What is invalid now.
pub(super) static INVALID: Table = Table { name: "invalid", columns: &[("id", Text), ("scope", Int), ("position", Int)], tail: "" };
/// What will documents say.
pub(super) static WILL: Table =
    Table { name: "will", columns: &[("document_id", Text), ("client", Octets), ("position", Int), ("kind", Int), ("said", Text)], tail: "" };
/// The chain.
pub(super) static LEDGER: Table = Table {
    name: "ledger",
    columns: &[
        ("position", Int),
        ("before", Octets),
        ("hash", Octets),
        ("kind", Int),
        ("at", Int),
        ("sender", Text),
        ("message", Octets),
        ("document_id", Text),
        ("document", Octets),
        ("archived", Octets),
        ("code", Text),
        ("answer", Octets),
        ("rules", Octets),
        ("supersedes", Int),
        ("log_rows", Int),
        ("log", Octets),
        ("about", Int),
        ("amqp_id", Octets),
        ("amqp_tag", Int),
        ("received_at", Int),
        ("examined_at", Int),
        ("signed_at", Int),
        ("written_at", Int),
        ("instance", Text),
        ("answers", Int),
    ],
    tail: "",
};
/// Notices of disclosures outside the archive, append-only.
pub(super) static NOTICE: Table = Table {
    name: "notice",
    columns: &[
        ("position", Int),
        ("id", Text),
        ("sender", Text),
        ("client", Octets),
        ("corrects", Text),
        ("disclosed_at", Int),
        ("recorded_at", Int),
        ("at", Int),
        ("event_sha", Octets),
        ("bundle_sha", Octets),
        ("event", Octets),
        ("bundle", Octets),
        ("cda", Octets),
        ("messages", Int),
    ],
    tail: "",
};
/// Their parts: one for each AuditEvent.
pub(super) static NOTICE_PART: Table = Table {
    name: "notice_part",
    columns: &[("position", Int), ("number", Int), ("sent_id", Text), ("provenance_id", Text), ("controller", Text), ("register", Text)],
    tail: "",
};
/// The access log.
pub(super) static ACCESS_LOG: Table = Table {
    name: "access_log",
    columns: &[
        ("position", Int),
        ("at", Int),
        ("actor", Text),
        ("action", Text),
        ("document_id", Text),
        ("controller", Text),
        ("service_request", Text),
        ("purpose", Text),
        ("organisation", Text),
        ("person", Octets),
        ("client", Octets),
        ("detail", Text),
        ("query_id", Text),
        ("client_sealed", Octets),
        ("person_sealed", Octets),
    ],
    tail: "",
};
/// The disclosure log.
pub(super) static DISCLOSURE_LOG: Table = Table {
    name: "disclosure_log",
    columns: &[
        ("position", Int),
        ("at", Int),
        ("kind", Int),
        ("disclosed_at", Int),
        ("controller", Text),
        ("register_type", Text),
        ("client", Octets),
        ("client_sealed", Octets),
        ("document_id", Text),
        ("set_id", Text),
        ("general_type", Text),
        ("specific_type", Text),
        ("service_task", Text),
        ("discloser_kind", Text),
        ("discloser", Text),
        ("discloser_person", Octets),
        ("discloser_sealed", Octets),
        ("recipient_kind", Text),
        ("recipient", Text),
        ("recipient_person", Octets),
        ("recipient_sealed", Octets),
        ("purpose", Text),
        ("service_request", Text),
        ("query_id", Text),
        ("basis", Text),
        ("rule", Text),
        ("section", Text),
        ("informing", Text),
        ("permission", Text),
        ("denials", Text),
        ("notice", Text),
        ("detail", Text),
    ],
    tail: "",
};
/// What leaves.
pub(super) static OUTBOX: Table = Table {
    name: "outbox",
    columns: &[
        ("amqp_id", Text),
        ("queue", Octets),
        ("correlation", Octets),
        ("content_type", Text),
        ("body", Octets),
        ("made_at", Int),
        ("lease_owner", Text),
        ("due_at", Int),
        ("attempts", Int),
        ("query_position", Int),
        ("notice_position", Int),
        ("position", Int),
    ],
    tail: "RETURNING id, amqp_id",
};
/// Messages on hold; a hold renewed keeps its age.
pub(super) static HELD: Table = Table {
    name: "held",
    columns: &[
        ("sender", Text),
        ("octets_sha", Octets),
        ("awaits_kind", Int),
        ("awaits_id", Text),
        ("until_at", Int),
        ("since", Int),
        ("message_id", Octets),
        ("content_type", Octets),
        ("inbound", Text),
        ("profile", Text),
        ("octets", Octets),
    ],
    tail: "ON CONFLICT (sender, octets_sha) DO UPDATE SET awaits_kind = excluded.awaits_kind, awaits_id = excluded.awaits_id, until_at = excluded.until_at",
};
/// Who waits for held messages.
pub(super) static HELD_REPLY: Table = Table {
    name: "held_reply",
    columns: &[("sender", Text), ("octets_sha", Octets), ("queue", Octets), ("correlation", Octets)],
    tail: "ON CONFLICT (sender, octets_sha, queue, correlation) DO NOTHING",
};

/// What [`by_key`] asks with.
pub(super) const KEY: &[Kind] = &[Kind::Text, Kind::Octets];

/// A statement about rows whose key is among these.
pub(super) fn by_key(head: &str, tail: &str) -> Both {
    Both {
        postgres: format!("{head} WHERE (sender, octets_sha) IN (SELECT * FROM UNNEST($1::text[], $2::bytea[])) {tail}"),
        sqlite: format!("{head} WHERE sender = $1 AND octets_sha = $2 {tail}"),
    }
}

/// What answers are made of.
pub(super) const CONTENT_TYPE: &str = "application/xml";

/// An answer's outbox row: under which AMQP id it goes to whom, since when, who may send it alone until when; the position of a query's answer, and the one
/// whose answers are reckoned.
pub(super) fn answer_row<'a>(
    id: &'a str,
    reply: &'a Reply,
    body: Option<&'a [u8]>,
    made: Moment,
    lease: Option<(&'a str, Moment)>,
    (query, position): (Option<i64>, Option<i64>),
) -> Vec<Value<'a>> {
    vec![
        text(id),
        Value::Octets(Some(reply.queue.as_bytes())),
        Value::Octets(reply.correlation.as_deref().map(str::as_bytes)),
        text(CONTENT_TYPE),
        Value::Octets(body),
        Value::Int(Some(made.micros())),
        Value::Text(lease.map(|(instance, _)| instance)),
        Value::Int(Some(lease.map_or(made, |(_, until)| until).micros())),
        Value::Int(Some(0)),
        Value::Int(query),
        Value::Int(None),
        Value::Int(position),
    ]
}

/// A message's key as the first two columns of its tables.
pub(super) fn key_row(commit: &Commit) -> Vec<Value<'_>> {
    vec![text(commit.key.sender.as_str()), digest(&commit.key.octets)]
}

/// The inbox row.
pub(super) fn inbox_row<'a>(effected: &'a Effected<'a>, inbox: &'a Inbox<'a>) -> Vec<Value<'a>> {
    let mut row = key_row(effected.commit);
    row.extend([
        Value::Int(Some(i64::from(inbox.standing.number()))),
        Value::Int(Some(inbox.revision)),
        digest(&inbox.outcome),
        digest(&inbox.rules),
        Value::Flag(Some(inbox.is_final)),
        Value::Text(inbox.code.as_deref()),
        Value::Int(effected.position),
        Value::Octets(effected.answer.as_deref()),
        Value::Octets(inbox.octets),
        Value::Int(Some(effected.commit.at.micros())),
    ]);
    row
}

/// The document's row; `None` for a commit that archives nothing.
pub(super) fn document_row<'a>(effected: &Effected<'a>) -> Option<Vec<Value<'a>>> {
    let Effect::Archive(archive) = &effected.commit.effect else { return None };
    let mut row = header_values(&archive.header);
    row.extend([
        digest(&archive.received),
        digest(&archive.archived),
        Value::Int(i64::try_from(archive.splice.0).ok()),
        Value::Int(i64::try_from(archive.splice.1).ok()),
        Value::Int(effected.position),
        text(effected.commit.key.sender.as_str()),
        Value::Int(Some(effected.commit.at.micros())),
    ]);
    Some(row)
}

fn header_values(header: &Header) -> Vec<Value<'_>> {
    let replaces = header.replaces.as_ref();
    let task = header.original_task.as_ref();
    vec![
        text(header.id.as_str()),
        text(header.set_id.as_str()),
        Value::Int(Some(i64::from(header.version))),
        Value::Text(replaces.map(|r| r.id.as_str())),
        Value::Text(replaces.and_then(|r| r.set_id.as_ref()).map(Oid::as_str)),
        Value::Int(replaces.and_then(|r| r.version).map(i64::from)),
        Value::Int(Some(i64::from(header.group.number()))),
        digest(&header.client),
        text(header.controller.as_str()),
        Value::Text(header.organiser.as_ref().map(Oid::as_str)),
        Value::Text(header.service_task.as_deref()),
        Value::Text(task.map(|(system, _)| system.as_str())),
        Value::Text(task.map(|(_, code)| code.as_str())),
        Value::Text(header.case_id.as_ref().map(Oid::as_str)),
        Value::Text(header.relation_id.as_ref().map(Oid::as_str)),
        Value::Text(header.general_type.as_deref()),
        Value::Text(header.specific_type.as_deref()),
        Value::Int(Some(header.authored.micros())),
        Value::Int(Some(date_number(header.authored_date))),
        Value::Int(header.created.map(Moment::micros)),
        text(&header.language),
        Value::Flag(header.case_state.map(|s| s.closed)),
        Value::Flag(header.relation_state.map(|s| s.old)),
    ]
}

/// The held message's row.
pub(super) fn held_row<'a>(commit: &'a Commit, held: &'a Held) -> Vec<Value<'a>> {
    let mut row = key_row(commit);
    row.extend([
        Value::Int(Some(super::look::awaits_kind(&held.hold.awaits))),
        text(held.hold.awaits.id().as_str()),
        Value::Int(Some(held.hold.until.micros())),
        Value::Int(Some(commit.at.micros())),
        Value::Octets(held.envelope.message_id.as_deref().map(str::as_bytes)),
        Value::Octets(held.envelope.content_type.as_deref().map(str::as_bytes)),
        text(&held.envelope.inbound),
        text(&held.envelope.profile),
        Value::Octets(Some(&held.envelope.octets)),
    ]);
    row
}

/// Text that is there.
pub(super) const fn text(value: &str) -> Value<'_> {
    Value::Text(Some(value))
}

/// A digest that is there.
pub(super) fn digest(value: &Digest) -> Value<'_> {
    Value::Octets(Some(&value.0))
}

fn date_number(date: Date) -> i64 {
    i64::from(date.year) * 10_000 + i64::from(date.month) * 100 + i64::from(date.day)
}
