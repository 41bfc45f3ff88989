//! What a batch relies on, asked in one query under the head's lock: nothing can change between the look and the write, so a commit that would
//! conflict is found by looking and never by an error, which would spoil the batch for the others.

use std::collections::HashMap;

use super::batch::{case_made, relation_made};
use super::fault::Fault;
use super::line::{Group, Kind, Line, Value};
use super::wills;
use crate::crypto;
use crate::domain::ack::InstanceId;
use crate::domain::change::{Commit, Effect};
use crate::domain::digest::Digest;
use crate::domain::facts::{Awaited, Expectation, Standing};
use crate::domain::message::Sender;

/// What one commit of a batch is about: where its key, case and relation stand among the things asked.
#[derive(Debug, Default)]
pub(super) struct Places<'a> {
    /// Its key.
    pub key: usize,
    /// The case it makes.
    pub case: Option<usize>,
    /// The relation it makes.
    pub relation: Option<usize>,
    /// What it brings that others may wait for.
    pub brought: Vec<(usize, i64, &'a str)>,
    demands: Vec<(What, usize, Want)>,
}

/// A sort of thing asked, in the order of the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// An inbox row: revision, standing.
    Key,
    /// A frame's id.
    Frame,
    /// A document's id.
    Document,
    /// A version of a set.
    Version,
    /// A set: its newest version.
    Latest,
    /// A case: revision, closed.
    Case,
    /// A relation: revision, old.
    Relation,
    /// An id that held messages wait for.
    Awaited,
    /// A set: how many events it has.
    Events,
    /// A client: the last entry about one of its wills.
    Wills,
    /// A notice's event.
    Notice,
}

#[derive(Debug, Clone, Copy)]
enum Want {
    Absent,
    Present,
    Exactly(i64),
}

/// What was found.
pub(super) struct Seen(HashMap<(usize, usize), (i64, i64)>);

impl Seen {
    /// The two numbers of the n-th thing of a sort; `None` when it is not there.
    pub fn get(&self, what: What, place: usize) -> Option<(i64, i64)> {
        self.0.get(&(what as usize, place)).copied()
    }

    /// Whether all that a commit relies on holds. An acceptance is final: nothing supersedes it.
    pub fn holds(&self, places: &Places<'_>) -> bool {
        places.demands.iter().all(|(what, place, want)| match (want, self.get(*what, *place)) {
            (Want::Absent, found) => found.is_none(),
            (Want::Present, found) => found.is_some(),
            (Want::Exactly(number), found) => {
                let is_final = |standing| *what == What::Key && standing == i64::from(Standing::Accepted.number());
                found.is_some_and(|(a, b)| a == *number && !is_final(b))
            }
        })
    }
}

/// The SHA-256 under which a frame's id is claimed: sender, root and extension, each with its length.
pub(super) fn frame_key(sender: &Sender, id: &InstanceId) -> Digest {
    let mut octets = Vec::with_capacity(160);
    for part in [sender.as_str(), id.root.as_str(), id.extension.as_deref().unwrap_or_default()] {
        octets.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        octets.extend_from_slice(part.as_bytes());
    }
    crypto::sha256(&octets)
}

/// The frame claims of a batch, commit by commit.
pub(super) fn frame_keys(commits: &[&Commit]) -> Vec<Option<Digest>> {
    commits
        .iter()
        .map(|commit| match &commit.effect {
            Effect::Archive(archive) => archive.frame.as_ref().map(|id| frame_key(&commit.key.sender, id)),
            Effect::Event(event) => event.frame.as_ref().map(|id| frame_key(&commit.key.sender, id)),
            Effect::Notice(_) | Effect::Answer(_) | Effect::Refuse(_) | Effect::Hold(_) | Effect::Repeat => None,
        })
        .collect()
}

/// How many sorts of things there are.
const GROUPS: usize = What::Notice as usize + 1;

/// Asks for everything that these commits rely on.
///
/// # Errors
/// As the database says.
pub(super) async fn look<'a>(line: &mut Line, commits: &[&'a Commit], frames: &'a [Option<Digest>]) -> Result<(Vec<Places<'a>>, Seen), Fault> {
    let mut groups = empty();
    let places = commits.iter().zip(frames).map(|(commit, frame)| places(&mut groups, commit, frame.as_ref())).collect();
    let found = line.groups(POSTGRES, &groups).await?;
    Ok((places, Seen(found.into_iter().map(|f| ((f.group, f.row), (f.a, f.b))).collect())))
}

fn places<'a>(groups: &mut [Group<'a>; GROUPS], commit: &'a Commit, frame: Option<&'a Digest>) -> Places<'a> {
    let mut ask = |what: What, values: Vec<Value<'a>>| {
        let rows = &mut groups[what as usize].rows;
        rows.push(values);
        rows.len() - 1
    };
    let text = |id: &'a str| vec![Value::Text(Some(id))];
    let key = ask(What::Key, vec![Value::Text(Some(commit.key.sender.as_str())), Value::Octets(Some(&commit.key.octets.0))]);
    let mut places = Places { key, ..Places::default() };
    let standing = match (&commit.effect, commit.supersedes) {
        (Effect::Repeat, _) => Want::Present,
        (_, None) => Want::Absent,
        (_, Some(revision)) => Want::Exactly(i64::from(revision)),
    };
    places.demands.push((What::Key, key, standing));
    if let Some(frame) = frame {
        places.demands.push((What::Frame, ask(What::Frame, vec![Value::Octets(Some(&frame.0))]), Want::Absent));
    }
    if let Effect::Archive(archive) = &commit.effect {
        let header = &archive.header;
        places.demands.push((What::Document, ask(What::Document, text(header.id.as_str())), Want::Absent));
        let version = vec![Value::Text(Some(header.set_id.as_str())), Value::Int(Some(i64::from(header.version)))];
        places.demands.push((What::Version, ask(What::Version, version), Want::Absent));
        places.case = case_made(header).map(|id| ask(What::Case, text(id.as_str())));
        places.relation = relation_made(header).map(|id| ask(What::Relation, text(id.as_str())));
        let made = [(1, Some(&header.id)), (2, case_made(header)), (3, relation_made(header))];
        for (kind, id) in made.into_iter().filter_map(|(kind, id)| id.map(|id| (kind, id.as_str()))) {
            places.brought.push((ask(What::Awaited, text(id)), kind, id));
        }
    }
    if let Effect::Notice(notice) = &commit.effect {
        places.demands.push((What::Notice, ask(What::Notice, text(notice.record.id.as_str())), Want::Absent));
    }
    for expectation in &commit.expects {
        let number = |n: &Option<u32>| n.map_or(Want::Absent, |n| Want::Exactly(i64::from(n)));
        let (what, id, want) = match expectation {
            Expectation::Wills { client, newest } => {
                let want = newest.map_or(Want::Absent, |position| Want::Exactly(i64::try_from(position.0).unwrap_or(i64::MAX)));
                places.demands.push((What::Wills, ask(What::Wills, vec![Value::Octets(Some(&client.0))]), want));
                continue;
            }
            Expectation::Document { id, present: true } => (What::Document, id, Want::Present),
            Expectation::Document { id, present: false } => (What::Document, id, Want::Absent),
            Expectation::Latest { set_id, version } => (What::Latest, set_id, number(version)),
            Expectation::Events { set_id, count } => (What::Events, set_id, Want::Exactly(i64::from(*count))),
            Expectation::Case { id, revision } => (What::Case, id, number(revision)),
            Expectation::Relation { id, revision } => (What::Relation, id, number(revision)),
            Expectation::Notice { id, present } => (What::Notice, id, if *present { Want::Present } else { Want::Absent }),
        };
        places.demands.push((what, ask(what, text(id.as_str())), want));
    }
    places
}

/// The number kept for what a held message waits for.
pub(super) const fn awaits_kind(awaits: &Awaited) -> i64 {
    match awaits {
        Awaited::Document(_) => 1,
        Awaited::Case(_) => 2,
        Awaited::Relation(_) => 3,
    }
}

const TEXT: &[Kind] = &[Kind::Text];

/// The groups in the order of [`What`].
fn empty<'a>() -> [Group<'a>; GROUPS] {
    let group = |kinds: &'static [Kind], sqlite: &'static str| Group { kinds, sqlite, rows: Vec::new() };
    [
        group(&[Kind::Text, Kind::Octets], "SELECT revision, standing FROM inbox WHERE sender = $1 AND octets_sha = $2"),
        group(&[Kind::Octets], "SELECT 0, 0 FROM frame WHERE id_sha = $1"),
        group(TEXT, "SELECT 0, 0 FROM document WHERE id = $1"),
        group(&[Kind::Text, Kind::Int], "SELECT 0, 0 FROM document WHERE set_id = $1 AND version = $2"),
        group(TEXT, "SELECT max(version), 0 FROM document WHERE set_id = $1"),
        group(TEXT, "SELECT revision, closed + 0 FROM case_file WHERE id = $1"),
        group(TEXT, "SELECT revision, old + 0 FROM client_relation WHERE id = $1"),
        group(TEXT, "SELECT 0, 0 WHERE EXISTS (SELECT 1 FROM held WHERE awaits_id = $1)"),
        group(TEXT, "SELECT count(*), 0 FROM document_event WHERE set_id = $1"),
        group(&[Kind::Octets], wills::NEWEST),
        group(TEXT, "SELECT 0, 0 FROM notice WHERE id = $1"),
    ]
}

const POSTGRES: &str = "
SELECT 0::bigint, k.n, i.revision, i.standing FROM UNNEST($1::text[], $2::bytea[]) WITH ORDINALITY AS k(sender, sha, n)
    JOIN inbox i ON i.sender = k.sender AND i.octets_sha = k.sha
UNION ALL SELECT 1, k.n, 0, 0 FROM UNNEST($3::bytea[]) WITH ORDINALITY AS k(id, n) JOIN frame f ON f.id_sha = k.id
UNION ALL SELECT 2, k.n, 0, 0 FROM UNNEST($4::text[]) WITH ORDINALITY AS k(id, n) JOIN document d ON d.id = k.id
UNION ALL SELECT 3, k.n, 0, 0 FROM UNNEST($5::text[], $6::bigint[]) WITH ORDINALITY AS k(id, version, n) JOIN document d ON d.set_id = k.id AND d.version = k.version
UNION ALL SELECT 4, k.n, (SELECT d.version FROM document d WHERE d.set_id = k.id ORDER BY d.version DESC LIMIT 1), 0 FROM UNNEST($7::text[]) WITH ORDINALITY AS k(id, n)
UNION ALL SELECT 5, k.n, c.revision, CASE WHEN c.closed THEN 1 ELSE 0 END FROM UNNEST($8::text[]) WITH ORDINALITY AS k(id, n) JOIN case_file c ON c.id = k.id
UNION ALL SELECT 6, k.n, r.revision, CASE WHEN r.old THEN 1 ELSE 0 END FROM UNNEST($9::text[]) WITH ORDINALITY AS k(id, n) JOIN client_relation r ON r.id = k.id
UNION ALL SELECT 7, k.n, 0, 0 FROM UNNEST($10::text[]) WITH ORDINALITY AS k(id, n) WHERE EXISTS (SELECT 1 FROM held h WHERE h.awaits_id = k.id)
UNION ALL SELECT 8, k.n, (SELECT count(*) FROM document_event e WHERE e.set_id = k.id), 0 FROM UNNEST($11::text[]) WITH ORDINALITY AS k(id, n)
UNION ALL SELECT 9, k.n, (SELECT max(x.position) FROM (SELECT w.position FROM will w WHERE w.client = k.client
    UNION ALL SELECT e.position FROM will w JOIN document d ON d.id = w.document_id JOIN document_event e ON e.set_id = d.set_id WHERE w.client = k.client) x), 0
    FROM UNNEST($12::bytea[]) WITH ORDINALITY AS k(client, n)
UNION ALL SELECT 10, k.n, 0, 0 FROM UNNEST($13::text[]) WITH ORDINALITY AS k(id, n) JOIN notice x ON x.id = k.id";
