//! Which of the waiting commits share the next transaction: the longest run, in call order, in which none touches what an earlier one brings.
//! A run, not a choice: effects take place in call order, and what is cut off leads the next batch.

use std::collections::HashSet;

use crate::domain::ack::InstanceId;
use crate::domain::change::{Commit, Effect};
use crate::domain::digest::Digest;
use crate::domain::document::{Group, Header};
use crate::domain::facts::{Awaited, Expectation};
use crate::domain::limits::{COMMIT_BATCH, COMMIT_BATCH_OCTETS};
use crate::domain::message::MessageKey;
use crate::domain::oid::Oid;

/// How many of these commits, from the first, share one transaction; at least one unless there is none.
pub(super) fn run_length<'a>(commits: impl Iterator<Item = &'a Commit>) -> usize {
    let mut brought: HashSet<Thing<'_>> = HashSet::new();
    let mut octets = 0_usize;
    let mut length = 0_usize;
    for commit in commits.take(COMMIT_BATCH) {
        octets = octets.saturating_add(weight(commit));
        if length > 0 && (octets > COMMIT_BATCH_OCTETS || touched(commit).iter().any(|thing| brought.contains(thing))) {
            break;
        }
        brought.extend(brings(commit));
        length += 1;
    }
    length
}

/// Something of which the archive holds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Thing<'a> {
    Key(&'a MessageKey),
    Frame(&'a str, &'a InstanceId),
    Document(&'a Oid),
    Set(&'a Oid),
    Case(&'a Oid),
    Relation(&'a Oid),
    Wills(&'a Digest),
    /// Any client's wills: an event names a set, and the batch does not know whose it is.
    AnyWills,
    Notice(&'a Oid),
}

/// The case that a document makes or renews: a case document its own.
pub(super) fn case_made(header: &Header) -> Option<&Oid> {
    header.case_id.as_ref().filter(|_| header.group == Group::Case)
}

/// The client relation that a document makes or renews.
pub(super) fn relation_made(header: &Header) -> Option<&Oid> {
    header.relation_id.as_ref().filter(|_| header.group == Group::ClientRelation)
}

fn weight(commit: &Commit) -> usize {
    match &commit.effect {
        Effect::Archive(archive) => archive.octets.len(),
        Effect::Event(event) => event.octets.len(),
        Effect::Notice(notice) => notice.event.len() + notice.bundle.len() * 2 + notice.cda.as_ref().map_or(0, |cda| cda.len() * 2),
        Effect::Answer(answer) => answer.answer.octets.len(),
        Effect::Refuse(refuse) => refuse.octets.len(),
        Effect::Hold(held) => held.envelope.octets.len(),
        Effect::Repeat => 0,
    }
}

fn brings(commit: &Commit) -> Vec<Thing<'_>> {
    match &commit.effect {
        Effect::Archive(archive) => {
            let header = &archive.header;
            let mut things = vec![Thing::Key(&commit.key), Thing::Document(&header.id), Thing::Set(&header.set_id)];
            things.extend(archive.frame.as_ref().map(|id| Thing::Frame(commit.key.sender.as_str(), id)));
            things.extend(case_made(header).map(Thing::Case));
            things.extend(relation_made(header).map(Thing::Relation));
            if archive.will.is_some() {
                things.push(Thing::Wills(&header.client));
            }
            if archive.event.is_some() {
                things.push(Thing::AnyWills);
            }
            things
        }
        Effect::Event(event) => {
            let mut things = vec![Thing::Key(&commit.key), Thing::Set(&event.record.set_id)];
            things.extend(event.frame.as_ref().map(|id| Thing::Frame(commit.key.sender.as_str(), id)));
            things.extend(event.case_id.as_ref().map(Thing::Case));
            things.extend(event.relation_id.as_ref().map(Thing::Relation));
            things.push(Thing::AnyWills);
            things
        }
        Effect::Notice(notice) => vec![Thing::Key(&commit.key), Thing::Notice(&notice.record.id)],
        Effect::Answer(_) | Effect::Refuse(_) | Effect::Hold(_) => vec![Thing::Key(&commit.key)],
        Effect::Repeat => Vec::new(),
    }
}

fn touched(commit: &Commit) -> Vec<Thing<'_>> {
    let mut things = brings(commit);
    // Only who expects something of wills minds an event that may be about one.
    things.retain(|thing| *thing != Thing::AnyWills);
    things.push(Thing::Key(&commit.key));
    if let Effect::Hold(held) = &commit.effect {
        things.push(match &held.hold.awaits {
            Awaited::Document(id) => Thing::Document(id),
            Awaited::Case(id) => Thing::Case(id),
            Awaited::Relation(id) => Thing::Relation(id),
        });
    }
    for expectation in &commit.expects {
        let thing = match expectation {
            Expectation::Document { id, .. } => Thing::Document(id),
            Expectation::Latest { set_id, .. } | Expectation::Events { set_id, .. } => Thing::Set(set_id),
            Expectation::Case { id, .. } => Thing::Case(id),
            Expectation::Relation { id, .. } => Thing::Relation(id),
            Expectation::Notice { id, .. } => Thing::Notice(id),
            Expectation::Wills { client, .. } => {
                things.push(Thing::AnyWills);
                Thing::Wills(client)
            }
        };
        things.push(thing);
    }
    things
}
