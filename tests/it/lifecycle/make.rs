//! The pipeline in small: look, decide, commit, and from the start again when stale.

use std::sync::Arc;

use arkki::crypto::sha256;
use arkki::domain::change::{Access, Along, Commit, Committed, Done, Effect, Event};
use arkki::domain::code::Code;
use arkki::domain::document::{Group, Header};
use arkki::domain::facts::Facts;
use arkki::domain::finding::Place;
use arkki::domain::ledger::{Entry, EntryKind};
use arkki::domain::lifecycle::{Author, EventKind, EventPlaces, EventRecord, EventRequest, Named, Reason, Scope};
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;
use arkki::pipeline::audit::{Plan, audit};
use arkki::ports::archive::Archive;
use arkki::rules::decide::{self, Decision, Holding};
use arkki::rules::lifecycle;

use crate::store::make::*;

/// What became of a request.
#[derive(Debug)]
pub enum End {
    Done(Done),
    Refused(Vec<Code>),
    Held,
}

impl End {
    #[track_caller]
    pub fn done(self) -> Done {
        if let Self::Done(done) = self { done } else { panic!("{self:?}") }
    }

    #[track_caller]
    pub fn refused(self) -> Vec<Code> {
        if let Self::Refused(codes) = self { codes } else { panic!("{self:?}") }
    }
}

/// One version, by its id alone.
pub fn version(header: &Header) -> Named {
    Named { id: Some(header.id.clone()), set_id: None, version: None }
}

/// The whole set.
pub fn set(header: &Header) -> Named {
    Named { id: None, set_id: Some(header.set_id.clone()), version: None }
}

pub fn reason() -> Reason {
    Reason { code: Some("mistake".to_owned()), text: Some("sanoja".to_owned()) }
}

pub fn event(kind: EventKind, target: Named) -> EventRequest {
    let place = Place::whole;
    EventRequest {
        kind,
        request: "SPX".to_owned(),
        groups: Group::ALL.to_vec(),
        target,
        controller: oid(10, 1),
        client: None,
        reason: reason(),
        author: Author { organisation: Some(oid(10, 2)), professional: Some("90000000017".to_owned()) },
        places: EventPlaces { target: place(), set: place(), version: place(), controller: place(), client: place(), request: place() },
    }
}

pub fn request(event: EventRequest, message: &[u8]) -> lifecycle::Request {
    lifecycle::Request { key: key(message), frame: None, event, warnings: Vec::new(), holding: Holding::Fresh, rules: sha256(b"rules") }
}

/// Asks for an event with a message of its own.
pub async fn ask(archive_: &dyn Archive, asked: EventRequest, message: &[u8], at: Moment) -> End {
    for _ in 0..200 {
        let needs = arkki::domain::facts::Needs { event: Some(asked.target.clone()), ..needs(message, None) };
        let facts = archive_.facts(needs).await.unwrap();
        let decision = lifecycle::decide(&request(asked.clone(), message), &facts, at);
        let (record, made, expects) = match decision {
            Decision::Event { record, made, expects, .. } => (record, made, expects),
            Decision::Refuse { refusal, .. } => return End::Refused(refusal.findings().map(|f| f.code).collect()),
            Decision::Hold { .. } => return End::Held,
            other => panic!("{other:?}"),
        };
        let commit = expecting(event_commit(*record, made, message), expects);
        match archive_.commit(commit).await.unwrap() {
            Committed::Done(done) => return End::Done(done),
            Committed::Stale | Committed::Moot => {}
            Committed::Unfit(detail) => panic!("unfit: {detail}"),
        }
    }
    panic!("stale two hundred times");
}

pub fn event_commit(record: EventRecord, (group, case_id, relation_id): (Group, Option<Oid>, Option<Oid>), message: &[u8]) -> Commit {
    let answer = draft("AA event");
    let entry = Entry { answer: Some(answer.digest), ..event_entry(&record, message) };
    let event = Event {
        access: Access { actor: SENDER.to_owned(), action: record.kind.action().to_owned(), service_request: None, purpose: None, ..Access::default() },
        case_id: case_id.filter(|_| group == Group::Case),
        relation_id: relation_id.filter(|_| group == Group::ClientRelation),
        frame: None,
        octets: Arc::new(message.to_vec()),
        entry,
        answer,
        outcome: sha256(b"event"),
        record,
    };
    let at = event.record.at;
    Commit {
        key: key(message),
        at,
        reply: Some(reply("e")),
        effect: Effect::Event(Box::new(event)),
        expects: Vec::new(),
        supersedes: None,
        replay: None,
        road: arkki::domain::messages::Road::default(),
    }
}

fn event_entry(record: &EventRecord, message: &[u8]) -> Entry {
    Entry {
        kind: EntryKind::Event,
        at: record.at,
        sender: SENDER.to_owned(),
        message: sha256(message),
        document_id: Some(record.target().as_str().to_owned()),
        document: Some(sha256(&record.octets())),
        archived: None,
        code: None,
        answer: None,
        rules: sha256(b"rules"),
        supersedes: None,
        log: None,
        about: None,
    }
}

/// Asks for a document to be archived.
pub async fn store(archive_: &dyn Archive, header: Header, invalidates: bool, at: Moment) -> End {
    let received = message(&header);
    for _ in 0..200 {
        let facts: Facts = archive_.facts(needs(&received, Some(&header))).await.unwrap();
        let request = decide::Request {
            key: key(&received),
            frame: None,
            header: header.clone(),
            invalidates,
            will: None,
            received: sha256(&received),
            warnings: Vec::new(),
            holding: Holding::Fresh,
            rules: sha256(b"rules"),
        };
        let expects = match decide::decide(&request, &facts, at) {
            Decision::Archive { expects, .. } => expects,
            Decision::Refuse { refusal, .. } => return End::Refused(refusal.findings().map(|f| f.code).collect()),
            Decision::Hold { .. } => return End::Held,
            other => panic!("{other:?}"),
        };
        let mut commit = expecting(archive(header.clone()), expects);
        commit.at = at;
        if let Effect::Archive(archive) = &mut commit.effect {
            archive.entry.at = at;
            if invalidates {
                archive.access.action = "invalidate".to_owned();
                let record = EventRecord {
                    kind: EventKind::Invalidated,
                    set_id: header.set_id.clone(),
                    scope: Scope::Set,
                    by_document: Some(header.id.clone()),
                    at,
                    sender: SENDER.to_owned(),
                    controller: header.controller.clone(),
                    author: Author::default(),
                    reason: reason(),
                };
                archive.event = Some(Box::new(Along { entry: event_entry(&record, &received), record }));
            }
        }
        match archive_.commit(commit).await.unwrap() {
            Committed::Done(done) => return End::Done(done),
            Committed::Stale | Committed::Moot => {}
            Committed::Unfit(detail) => panic!("unfit: {detail}"),
        }
    }
    panic!("stale two hundred times");
}

/// The audit finds nothing.
pub async fn clean(archive_: &dyn Archive) {
    let faults = faults(archive_).await;
    assert_eq!(faults, []);
}

/// What the audit finds: position and words.
pub async fn faults(archive_: &dyn Archive) -> Vec<(u64, String)> {
    let report = audit(archive_, Plan::new(Arc::new(|_| arkki::pipeline::audit::Looked::default()), 1), &mut |_, _| ()).await.unwrap();
    report.faults.into_iter().map(|f| (f.position.0, f.what)).collect()
}
