//! The log rows that a commit brings: what its entry hashes of them, and how the tables take them.

use std::borrow::Cow;

use super::compose::Effected;
use super::rows::{Rows, text};
use crate::crypto;
use crate::domain::change::{Access, Commit, Effect, Look};
use crate::domain::digest::Digest;
use crate::domain::log::{AccessRow, DisclosedRow, LogSeal, Party, Sealed};
use crate::domain::oid::Oid;

use super::line::Value;

/// The rows of both logs that one commit brings.
#[derive(Debug, Default)]
pub(super) struct LogRows<'a> {
    /// Of the access log.
    pub access: Vec<AccessRow<'a>>,
    /// Of the disclosure log.
    pub disclosed: &'a [DisclosedRow],
    /// When they are recorded, in microseconds.
    pub at: i64,
}

impl<'a> LogRows<'a> {
    /// Of a commit.
    pub fn of(commit: &'a Commit) -> Self {
        let at = commit.at.micros();
        let none = Self { at, ..Self::default() };
        let looks = |looks: &'a [Look]| looks.iter().map(|look| look_row(look, at)).collect();
        match &commit.effect {
            Effect::Archive(archive) => {
                let header = &archive.header;
                Self { access: vec![access_row(&archive.access, &header.id, &header.controller, Some(&header.client), at)], ..none }
            }
            Effect::Event(event) => {
                let (access, record) = (&event.access, &event.record);
                Self { access: vec![access_row(access, record.target(), &record.controller, access.client.as_ref(), at)], ..none }
            }
            Effect::Answer(answer) => Self { access: looks(&answer.looks), disclosed: &answer.disclosed, at },
            Effect::Notice(notice) => Self { access: looks(&notice.looks), disclosed: &notice.disclosed, at },
            Effect::Refuse(refuse) => Self { access: looks(&refuse.looks), ..none },
            Effect::Hold(_) | Effect::Repeat => none,
        }
    }

    /// What the entry says of them; `None` where there are none.
    pub fn seal(&self) -> Option<LogSeal> {
        seal(self.access.iter(), self.disclosed.iter().map(|row| (self.at, row)))
    }
}

/// What an entry says of these rows, those of the disclosure log with the time of their record; `None` where there are none.
pub(super) fn seal<'r>(access: impl Iterator<Item = &'r AccessRow<'r>>, disclosed: impl Iterator<Item = (i64, &'r DisclosedRow)>) -> Option<LogSeal> {
    let mut hasher = crypto::Sha256::new();
    hasher.update(b"arkki-log-1");
    let mut octets = Vec::with_capacity(512);
    let mut rows = 0_u32;
    for row in access {
        octets.clear();
        row.put(&mut octets);
        hasher.update(&octets);
        rows = rows.saturating_add(1);
    }
    for (at, row) in disclosed {
        octets.clear();
        row.put(at, &mut octets);
        hasher.update(&octets);
        rows = rows.saturating_add(1);
    }
    (rows > 0).then(|| LogSeal { rows, digest: hasher.finish() })
}

fn access_row<'a>(access: &'a Access, id: &'a Oid, controller: &'a Oid, client: Option<&'a Digest>, at: i64) -> AccessRow<'a> {
    AccessRow {
        at,
        document_id: Cow::Borrowed(id.as_str()),
        controller: Cow::Borrowed(controller.as_str()),
        client: client.map(|client| Cow::Borrowed(client.0.as_slice())),
        client_sealed: access.client_sealed.as_ref().map(sealed),
        ..doer(access)
    }
}

fn look_row(look: &Look, at: i64) -> AccessRow<'_> {
    AccessRow {
        at,
        document_id: Cow::Borrowed(look.document_id.as_ref().map_or("", Oid::as_str)),
        controller: Cow::Borrowed(&look.controller),
        organisation: look.organisation.as_ref().map(|oid| Cow::Borrowed(oid.as_str())),
        person: look.person.as_ref().map(|person| Cow::Borrowed(person.0.as_slice())),
        client: look.client.as_ref().map(|client| Cow::Borrowed(client.0.as_slice())),
        detail: look.detail.as_deref().map(Cow::Borrowed),
        query_id: look.query_id.as_deref().map(Cow::Borrowed),
        client_sealed: look.client_sealed.as_ref().map(sealed),
        person_sealed: look.person_sealed.as_ref().map(sealed),
        ..doer(&look.access)
    }
}

fn doer(access: &Access) -> AccessRow<'_> {
    AccessRow {
        actor: Cow::Borrowed(&access.actor),
        action: Cow::Borrowed(&access.action),
        service_request: access.service_request.as_deref().map(Cow::Borrowed),
        purpose: access.purpose.as_deref().map(Cow::Borrowed),
        ..AccessRow::default()
    }
}

fn sealed(value: &Sealed) -> Cow<'_, [u8]> {
    Cow::Borrowed(&value.0)
}

/// The access log's rows of a batch member, as the table takes them.
pub(super) fn access_values<'a>(e: &'a Effected<'_>) -> Rows<'a> {
    let words = |word: &'a Option<Cow<'_, str>>| Value::Text(word.as_deref());
    let octets = |octets: &'a Option<Cow<'_, [u8]>>| Value::Octets(octets.as_deref());
    let row = |row: &'a AccessRow<'_>| {
        vec![
            Value::Int(e.log_position),
            Value::Int(Some(row.at)),
            text(&row.actor),
            text(&row.action),
            text(&row.document_id),
            text(&row.controller),
            words(&row.service_request),
            words(&row.purpose),
            words(&row.organisation),
            octets(&row.person),
            octets(&row.client),
            words(&row.detail),
            words(&row.query_id),
            octets(&row.client_sealed),
            octets(&row.person_sealed),
        ]
    };
    e.log.access.iter().map(row).collect()
}

/// The disclosure log's rows of a batch member; the denials' text stands in `denials`, one for each row.
pub(super) fn disclosed_values<'a>(e: &'a Effected<'_>, denials: &'a [String]) -> Rows<'a> {
    let words = |word: &'a Option<String>| Value::Text(word.as_deref());
    let oid = |oid: &'a Option<Oid>| Value::Text(oid.as_ref().map(Oid::as_str));
    let digest = |digest: &'a Option<Digest>| Value::Octets(digest.as_ref().map(|d| d.0.as_slice()));
    let sealed = |sealed: &'a Option<Sealed>| Value::Octets(sealed.as_ref().map(|s| s.0.as_slice()));
    let party = |party: &'a Party| [text(&party.kind), oid(&party.organisation), digest(&party.person), sealed(&party.sealed)];
    let row = |(row, denials): (&'a DisclosedRow, &'a String)| {
        let mut values = vec![
            Value::Int(e.log_position),
            Value::Int(Some(e.commit.at.micros())),
            Value::Int(Some(i64::from(row.kind.number()))),
            Value::Int(row.disclosed_at.map(|at| at.micros())),
            text(row.controller.as_str()),
            words(&row.register_type),
            digest(&row.client),
            sealed(&row.client_sealed),
            oid(&row.document_id),
            oid(&row.set_id),
            words(&row.general_type),
            words(&row.specific_type),
            words(&row.service_task),
        ];
        values.extend(party(&row.discloser));
        values.extend(party(&row.recipient));
        values.extend([
            words(&row.purpose),
            words(&row.service_request),
            words(&row.query_id),
            text(&row.basis),
            words(&row.rule),
            words(&row.section),
            oid(&row.informing),
            oid(&row.permission),
            text(denials),
            words(&row.notice),
            words(&row.detail),
        ]);
        values
    };
    e.log.disclosed.iter().zip(denials).map(row).collect()
}
