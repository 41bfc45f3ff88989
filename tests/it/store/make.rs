//! Commits for tests: small documents of nobody, each fully determined by its number.

use std::sync::Arc;

use arkki::crypto::{sha256, sha256_parts};
use arkki::domain::ack::InstanceId;
use arkki::domain::change::{Access, AnswerDraft, Archive, Commit, Committed, Done, Effect, Held, Refuse};
use arkki::domain::digest::Digest;
use arkki::domain::document::{CaseState, Date, Group, Header, RelationState, Replaced};
use arkki::domain::facts::{Awaited, DocumentNeeds, Expectation, Facts, Hold, Needs};
use arkki::domain::ledger::{Entry, EntryKind};
use arkki::domain::message::{Envelope, MessageKey, Reply, Sender};
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;

pub const SENDER: &str = "lab";
const BASE: &str = "1.2.246.10.99999992";
const RULES: &[u8] = b"rules";

pub fn at(seconds: i64) -> Moment {
    Moment::from_seconds(1_800_000_000 + seconds)
}

pub fn oid(branch: u32, n: u32) -> Oid {
    Oid::parse(&format!("{BASE}.{branch}.{n}")).unwrap()
}

/// The id, set, case and relation of the n-th document.
pub fn document_id(n: u32) -> Oid {
    oid(95, n)
}
pub fn set_id(n: u32) -> Oid {
    oid(96, n)
}
pub fn case_id(n: u32) -> Oid {
    oid(97, n)
}
pub fn relation_id(n: u32) -> Oid {
    oid(98, n)
}

pub fn reply(correlation: &str) -> Reply {
    Reply { queue: "arkki.reply.lab.1".to_owned(), correlation: Some(correlation.to_owned()) }
}

pub fn key(message: &[u8]) -> MessageKey {
    MessageKey { sender: Sender::new(SENDER), octets: sha256(message) }
}

/// A client document that hangs on no case; tests set what they are about.
pub fn header(n: u32) -> Header {
    Header {
        id: document_id(n),
        set_id: set_id(n),
        version: 1,
        replaces: None,
        group: Group::Client,
        client: sha256(&n.to_be_bytes()),
        controller: oid(10, 1),
        organiser: None,
        service_task: Some("3".to_owned()),
        original_task: None,
        case_id: None,
        relation_id: None,
        general_type: Some("12".to_owned()),
        specific_type: None,
        authored: at(-60),
        authored_date: Date { year: 2026, month: 11, day: 22 },
        created: None,
        language: "fi".to_owned(),
        case_state: None,
        relation_state: None,
    }
}

pub fn case_header(n: u32, case: u32, relation: u32, closed: bool) -> Header {
    Header { group: Group::Case, case_id: Some(case_id(case)), relation_id: Some(relation_id(relation)), case_state: Some(CaseState { closed }), ..header(n) }
}

pub fn relation_header(n: u32, relation: u32, old: bool) -> Header {
    Header { group: Group::ClientRelation, relation_id: Some(relation_id(relation)), relation_state: Some(RelationState { old }), ..header(n) }
}

/// The next version of a document's set.
pub fn replacing(before: &Header, n: u32) -> Header {
    let replaces = Replaced { id: before.id.clone(), set_id: Some(before.set_id.clone()), version: Some(before.version) };
    Header { id: document_id(n), version: before.version + 1, replaces: Some(replaces), ..before.clone() }
}

/// The received message that carries a document.
pub fn message(header: &Header) -> Vec<u8> {
    format!("<document id=\"{}\" set=\"{}\" version=\"{}\"/>", header.id, header.set_id, header.version).into_bytes()
}

pub fn draft(text: &str) -> AnswerDraft {
    let head = format!("<ack><of>{text}</of><position>");
    let octets = format!("{head}</position></ack>").into_bytes();
    AnswerDraft { slot: head.len(), digest: sha256(&octets), octets }
}

/// Archives a document that came as [`message`].
pub fn archive(header: Header) -> Commit {
    let received = message(&header);
    archive_message(header, received)
}

/// Archives a document that came in these octets.
pub fn archive_message(header: Header, received: Vec<u8>) -> Commit {
    let signature = b"<signature/>";
    let mut octets = received.clone();
    octets.splice(9..9, signature.iter().copied());
    let answer = draft(&format!("AA {}", header.id));
    let key = key(&received);
    let entry = Entry {
        kind: EntryKind::Archived,
        at: at(0),
        sender: SENDER.to_owned(),
        message: key.octets,
        document_id: Some(header.id.as_str().to_owned()),
        document: Some(sha256(&received)),
        archived: Some(sha256(&octets)),
        code: None,
        answer: Some(answer.digest),
        rules: sha256(RULES),
        supersedes: None,
        log: None,
        about: None,
    };
    let action = if header.replaces.is_some() { "replace" } else { "store" };
    let archive = Archive {
        frame: None,
        splice: (9, signature.len()),
        beside: None,
        received: sha256(&received),
        archived: sha256_parts(&[&octets]),
        octets: Arc::new(octets),
        entry,
        access: Access { actor: SENDER.to_owned(), action: action.to_owned(), service_request: Some("PP42".to_owned()), purpose: None, ..Access::default() },
        answer,
        outcome: sha256(b"accepted"),
        event: None,
        will: None,
        header,
    };
    Commit {
        key,
        at: at(0),
        reply: Some(reply("c")),
        effect: Effect::Archive(Box::new(archive)),
        expects: Vec::new(),
        supersedes: None,
        replay: None,
        road: arkki::domain::messages::Road::default(),
    }
}

/// The same commit claiming a frame's id.
pub fn framed(mut commit: Commit, extension: &str) -> Commit {
    if let Effect::Archive(archive) = &mut commit.effect {
        archive.frame = Some(frame(extension));
    }
    commit
}

pub fn frame(extension: &str) -> InstanceId {
    InstanceId { root: format!("{BASE}.1"), extension: Some(extension.to_owned()) }
}

pub fn expecting(mut commit: Commit, expects: impl IntoIterator<Item = Expectation>) -> Commit {
    commit.expects = expects.into_iter().collect();
    commit
}

pub fn superseding(mut commit: Commit, revision: u32) -> Commit {
    commit.supersedes = Some(revision);
    commit
}

pub fn replying(mut commit: Commit, reply: Option<Reply>) -> Commit {
    commit.reply = reply;
    commit
}

/// Refuses a message with a code; the code is also the outcome.
pub fn refuse(message: &[u8], code: &str) -> Commit {
    let answer = draft(&format!("AE {code}"));
    let key = key(message);
    let entry = Entry {
        kind: EntryKind::Refused,
        at: at(0),
        sender: SENDER.to_owned(),
        message: key.octets,
        document_id: None,
        document: None,
        archived: None,
        code: Some(code.to_owned()),
        answer: Some(answer.digest),
        rules: sha256(RULES),
        supersedes: None,
        log: None,
        about: None,
    };
    let octets = Arc::new(message.to_vec());
    let refuse = Refuse {
        code: Some(code.to_owned()),
        is_final: false,
        noted: false,
        octets,
        entry,
        answer: Some(answer),
        outcome: sha256(code.as_bytes()),
        looks: Vec::new(),
        came: arkki::domain::refused::Came::default(),
    };
    Commit {
        key,
        at: at(0),
        reply: Some(reply("c")),
        effect: Effect::Refuse(Box::new(refuse)),
        expects: Vec::new(),
        supersedes: None,
        replay: None,
        road: arkki::domain::messages::Road::default(),
    }
}

/// Records a message that is owed no answer.
pub fn note(message: &[u8]) -> Commit {
    let mut commit = refuse(message, "none");
    if let Effect::Refuse(refuse) = &mut commit.effect {
        refuse.noted = true;
        refuse.code = None;
        refuse.answer = None;
        refuse.entry.kind = EntryKind::Noted;
        refuse.entry.code = None;
        refuse.entry.answer = None;
    }
    commit.reply = None;
    commit
}

/// Holds a message for an id until so many seconds.
pub fn hold(message: &[u8], awaits: Awaited, until: i64) -> Commit {
    let absent = match &awaits {
        Awaited::Document(id) => Expectation::Document { id: id.clone(), present: false },
        Awaited::Case(id) => Expectation::Case { id: id.clone(), revision: None },
        Awaited::Relation(id) => Expectation::Relation { id: id.clone(), revision: None },
    };
    let held = Held { hold: Hold { awaits, until: at(until) }, envelope: envelope(message), rules: sha256(RULES) };
    Commit {
        key: key(message),
        at: at(0),
        reply: Some(reply("c")),
        effect: Effect::Hold(Box::new(held)),
        expects: vec![absent],
        supersedes: None,
        replay: None,
        road: arkki::domain::messages::Road::default(),
    }
}

pub fn envelope(message: &[u8]) -> Envelope {
    Envelope {
        octets: Arc::new(message.to_vec()),
        sender: Some(Sender::new(SENDER)),
        reply: None,
        message_id: Some("m-1".to_owned()),
        content_type: Some("application/xml".to_owned()),
        inbound: "main".to_owned(),
        profile: "social".to_owned(),
    }
}

pub fn repeat(key: &MessageKey, correlation: &str) -> Commit {
    Commit {
        key: key.clone(),
        at: at(1),
        reply: Some(reply(correlation)),
        effect: Effect::Repeat,
        expects: Vec::new(),
        supersedes: None,
        replay: None,
        road: arkki::domain::messages::Road::default(),
    }
}

pub fn needs(message: &[u8], header: Option<&Header>) -> Needs {
    Needs { key: key(message), frame: None, document: header.map(DocumentNeeds::of), event: None, wills: None, named: Vec::new() }
}

/// The end of a commit that must be durable.
#[track_caller]
pub fn done(committed: Committed) -> Done {
    match committed {
        Committed::Done(done) => done,
        Committed::Stale => panic!("stale"),
        Committed::Moot => panic!("moot"),
        Committed::Unfit(detail) => panic!("unfit: {detail}"),
    }
}

pub fn is_stale(committed: &Committed) -> bool {
    matches!(committed, Committed::Stale)
}

/// The digest of the outcome that [`refuse`] gives a code.
pub fn outcome(code: &str) -> Digest {
    sha256(code.as_bytes())
}

/// What was decided before, in short.
pub fn standing(facts: &Facts) -> Option<(arkki::domain::facts::Standing, u32)> {
    facts.prior.as_ref().map(|prior| (prior.standing, prior.revision))
}
