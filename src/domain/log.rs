//! The logs of the archive: who used what (access log), and what was disclosed to whom, why and by which rule (disclosure log). Their rows are append-only;
//! the entry that brings rows hashes them all, so that a row changed, lost or put in later shows (messaging.md §4.6).

use std::borrow::Cow;
use std::fmt;

use super::digest::Digest;
use super::ledger::{Position, put};
use super::oid::Oid;
use super::time::Moment;

/// How long the rows are kept at the least: the law keeps logs of use and disclosure for twelve years (messaging.md §4.6). Nothing is deleted in this version.
pub const RETENTION_YEARS: u16 = 12;

/// One disclosure: a row of the disclosure log. Its position, time and message are those of the ledger entry that brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisclosedRow {
    /// What was disclosed.
    pub kind: Disclosed,
    /// When it was disclosed, where that is not when it was recorded: outside the archive.
    pub disclosed_at: Option<Moment>,
    /// Whose data.
    pub controller: Oid,
    /// Of which register (code of 1.2.246.537.6.1264.201701).
    pub register_type: Option<String>,
    /// Whose life: the client.
    pub client: Option<Digest>,
    /// The client's id, for exports only.
    pub client_sealed: Option<Sealed>,
    /// The document; `None` for a search, and for what lies outside the archive.
    pub document_id: Option<Oid>,
    /// Its set.
    pub set_id: Option<Oid>,
    /// Its general type.
    pub general_type: Option<String>,
    /// Its specific type.
    pub specific_type: Option<String>,
    /// The service task, or several with commas.
    pub service_task: Option<String>,
    /// Who disclosed.
    pub discloser: Party,
    /// Who received.
    pub recipient: Party,
    /// The purpose of use's code.
    pub purpose: Option<String>,
    /// The service request's code.
    pub service_request: Option<String>,
    /// The query's id (root, or root^extension).
    pub query_id: Option<String>,
    /// On what ground: `permission`, `statute`, `consent`, as `domain::query::Basis` writes it where it was a query.
    pub basis: String,
    /// The rule that decided (R1 …, R-OLD); `None` outside the archive, where people decided.
    pub rule: Option<String>,
    /// The section of law, where the ground is one.
    pub section: Option<String>,
    /// The informing that was there.
    pub informing: Option<Oid>,
    /// The permission that was there.
    pub permission: Option<Oid>,
    /// The denials that were evaluated.
    pub denials: Vec<Oid>,
    /// The notice (LILM) of a disclosure outside the archive.
    pub notice: Option<String>,
    /// Of a search: by which criteria and how many documents, without any value.
    pub detail: Option<String>,
}

/// What was disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disclosed {
    /// A document, or its describing data.
    Document,
    /// That a search found something.
    Search,
    /// Outside the archive: on paper, by word, in another system.
    Outside,
}

impl Disclosed {
    /// The number kept and hashed.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Document => 1,
            Self::Search => 2,
            Self::Outside => 3,
        }
    }

    /// Reads the number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Document),
            2 => Some(Self::Search),
            3 => Some(Self::Outside),
            _ => None,
        }
    }

    /// As exports write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Search => "search",
            Self::Outside => "outside",
        }
    }
}

/// One side of a disclosure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// What it is: `archive`, `controller`, `authority`, `person`, `client`, `other`.
    pub kind: String,
    /// Its organisation.
    pub organisation: Option<Oid>,
    /// The person, as the keyed hash of its id.
    pub person: Option<Digest>,
    /// The person's id and name, or an organisation without an OID, for exports only.
    pub sealed: Option<Sealed>,
}

impl Party {
    /// The archive itself, on a controller's behalf.
    #[must_use]
    pub fn archive(controller: Oid) -> Self {
        Self { kind: "archive".to_owned(), organisation: Some(controller), person: None, sealed: None }
    }
}

impl DisclosedRow {
    /// The octets that stand for the row in its entry's digest: every field with its length, in this order for ever.
    /// `at`: when it was recorded, in microseconds.
    pub fn put(&self, at: i64, out: &mut Vec<u8>) {
        out.push(2);
        out.extend_from_slice(&at.to_be_bytes());
        out.extend_from_slice(&self.kind.number().to_be_bytes());
        put(out, self.disclosed_at.map(|at| at.micros().to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        let oid = |oid: &Option<Oid>| oid.as_ref().map(|oid| oid.as_str().as_bytes().to_vec());
        let word = |word: &Option<String>| word.as_ref().map(|word| word.as_bytes().to_vec());
        put(out, Some(self.controller.as_str().as_bytes()));
        put(out, word(&self.register_type).as_deref());
        put(out, self.client.as_ref().map(|d| d.0.as_slice()));
        put(out, self.client_sealed.as_ref().map(|s| s.0.as_slice()));
        for id in [&self.document_id, &self.set_id] {
            put(out, oid(id).as_deref());
        }
        for code in [&self.general_type, &self.specific_type, &self.service_task] {
            put(out, word(code).as_deref());
        }
        for party in [&self.discloser, &self.recipient] {
            put(out, Some(party.kind.as_bytes()));
            put(out, oid(&party.organisation).as_deref());
            put(out, party.person.as_ref().map(|d| d.0.as_slice()));
            put(out, party.sealed.as_ref().map(|s| s.0.as_slice()));
        }
        for code in [&self.purpose, &self.service_request, &self.query_id] {
            put(out, word(code).as_deref());
        }
        put(out, Some(self.basis.as_bytes()));
        for code in [&self.rule, &self.section] {
            put(out, word(code).as_deref());
        }
        for id in [&self.informing, &self.permission] {
            put(out, oid(id).as_deref());
        }
        put(out, Some(self.denials_text().as_bytes()));
        put(out, word(&self.notice).as_deref());
        put(out, word(&self.detail).as_deref());
    }

    /// The denials with commas, as the table keeps them.
    #[must_use]
    pub fn denials_text(&self) -> String {
        self.denials.iter().map(Oid::as_str).collect::<Vec<_>>().join(",")
    }
}

/// A personal value that only exports can read (`crypto::sealed`).
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sealed")
    }
}

/// A row of the access log as it lies in the archive, but for its position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessRow<'a> {
    /// When, in microseconds.
    pub at: i64,
    /// Who: the sender, or the operator.
    pub actor: Cow<'a, str>,
    /// What: `store`, `replace`, `search`, `show`, `export` and the like.
    pub action: Cow<'a, str>,
    /// Which document; empty for none.
    pub document_id: Cow<'a, str>,
    /// Whose register; several with commas.
    pub controller: Cow<'a, str>,
    /// The service request's code.
    pub service_request: Option<Cow<'a, str>>,
    /// The purpose of use's code.
    pub purpose: Option<Cow<'a, str>>,
    /// The organisation behind the actor.
    pub organisation: Option<Cow<'a, str>>,
    /// The person behind it (keyed hash).
    pub person: Option<Cow<'a, [u8]>>,
    /// The client (keyed hash).
    pub client: Option<Cow<'a, [u8]>>,
    /// What a search went by and came to, without any value; the reason of an export.
    pub detail: Option<Cow<'a, str>>,
    /// The query's id.
    pub query_id: Option<Cow<'a, str>>,
    /// The client's id, for exports only.
    pub client_sealed: Option<Cow<'a, [u8]>>,
    /// The person's id and name, for exports only.
    pub person_sealed: Option<Cow<'a, [u8]>>,
}

impl AccessRow<'_> {
    /// The octets that stand for the row in its entry's digest: every field with its length, in this order for ever.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(1);
        out.extend_from_slice(&self.at.to_be_bytes());
        for word in [&self.actor, &self.action, &self.document_id, &self.controller] {
            put(out, Some(word.as_bytes()));
        }
        for word in [&self.service_request, &self.purpose, &self.organisation] {
            put(out, word.as_deref().map(str::as_bytes));
        }
        put(out, self.person.as_deref());
        put(out, self.client.as_deref());
        put(out, self.detail.as_deref().map(str::as_bytes));
        put(out, self.query_id.as_deref().map(str::as_bytes));
        put(out, self.client_sealed.as_deref());
        put(out, self.person_sealed.as_deref());
    }
}

/// Which rows of the logs are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Whose.
    pub of: Whose,
    /// Recorded at this moment or later.
    pub from: Moment,
    /// Recorded before this moment.
    pub before: Moment,
    /// Brought by this entry or an earlier one, so that two readings give the same.
    pub upto: Position,
}

/// Whose rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// About the register of this controller.
    Controller(Oid),
    /// About this client (keyed hash); in the register of this controller only, where one is named.
    Client(Digest, Option<Oid>),
}

impl Whose {
    /// Whether a row is among these by the registers that it names: controllers, or organisations with all that lies under them. A search of all registers
    /// (`*`) and one that was refused belong to whose people asked: of others' registers it told nothing but the rows of what it showed.
    #[must_use]
    pub fn takes(&self, registers: &str, organisation: Option<&str>) -> bool {
        let (Self::Controller(asked) | Self::Client(_, Some(asked))) = self else { return true };
        let within = |base: &str, oid: &str| oid.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        match registers {
            "" | "*" => organisation.is_some_and(|organisation| within(organisation, asked.as_str()) || within(asked.as_str(), organisation)),
            _ => registers.split(',').any(|part| within(part, asked.as_str())),
        }
    }
}

/// Where a page of rows ends: the time of its last row, and its number.
pub type Mark = (i64, i64);

/// A row of the access log as exports read it.
#[derive(Debug, Clone)]
pub struct Used {
    /// Where the next page goes on.
    pub mark: Mark,
    /// The entry that brought it.
    pub position: Position,
    /// The message's hash.
    pub message: Digest,
    /// The row.
    pub row: AccessRow<'static>,
    /// The document's general type, specific type and service task.
    pub concerns: [Option<String>; 3],
}

/// A row of the disclosure log as exports read it.
#[derive(Debug, Clone)]
pub struct Given {
    /// Where the next page goes on.
    pub mark: Mark,
    /// The entry that brought it.
    pub position: Position,
    /// The message's hash.
    pub message: Digest,
    /// When it was recorded.
    pub at: Moment,
    /// The row.
    pub row: DisclosedRow,
}

/// What an entry says of the log rows that it brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSeal {
    /// How many there are.
    pub rows: u32,
    /// SHA-256 of the octets of all of them, those of the access log first, each log's in its order.
    pub digest: Digest,
}

impl LogSeal {
    /// As the entry's octets have it.
    #[must_use]
    pub fn octets(&self) -> [u8; 36] {
        let mut out = [0; 36];
        out[..4].copy_from_slice(&self.rows.to_be_bytes());
        out[4..].copy_from_slice(&self.digest.0);
        out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_of_the_registers_that_it_names() {
        let of = |oid: &str| Whose::Controller(Oid::parse(oid).unwrap());
        let own = of("1.2.246.10.99999992.10.0");
        for (registers, organisation, is_taken) in [
            ("1.2.246.10.99999992.10.0", None, true),
            ("1.2.246.10.99999992", None, true),
            ("1.2.246.10.99999984,1.2.246.10.99999992", None, true),
            ("1.2.246.10.999999", None, false),
            ("1.2.246.10.99999992.10.0.1", None, false),
            ("", None, false),
            ("*", Some("1.2.246.10.99999992.10.0"), true),
            ("*", Some("1.2.246.10.99999992.10.0.7"), true),
            ("", Some("1.2.246.10.99999992"), true),
            ("*", Some("1.2.246.10.99999984.10.0"), false),
            ("1.2.246.10.99999984", Some("1.2.246.10.99999992"), false),
        ] {
            assert_eq!(own.takes(registers, organisation), is_taken, "{registers} {organisation:?}");
        }
        assert!(Whose::Client(Digest::ZERO, None).takes("", None));
    }
}
