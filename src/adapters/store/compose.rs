//! From commits that hold to what is written: positions, the chain, the answers, the messages that leave. Pure but for the ids it draws.

use std::collections::HashMap;

use super::log::LogRows;
use super::look::{Places, Seen, What};
use crate::crypto;
use crate::domain::change::{Archive, Commit, Effect, Event, NoticeCommit, Refuse};
use crate::domain::digest::Digest;
use crate::domain::facts::Standing;
use crate::domain::ledger::{Chained, Entry, EntryKind, Position};
use crate::domain::log::LogSeal;
use crate::domain::message::{MessageKey, Reply};
use crate::ports::clock::Entropy;

/// The ledger's end and the tallies kept with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The last position, 0 while the ledger is empty.
    pub position: i64,
    /// Its hash.
    pub hash: Digest,
    /// Archived documents, inbox rows, accepted ones, refused ones.
    pub tallies: [i64; 4],
}

/// What the inbox holds about a message already decided or held.
#[derive(Debug, Clone, Default)]
pub(super) struct Prior {
    /// The last decision's entry.
    pub position: Option<i64>,
    /// Digest of the last outcome.
    pub outcome: Option<Digest>,
    /// The last decision's code.
    pub code: Option<String>,
    /// The stored answer.
    pub answer: Option<Vec<u8>>,
    /// A refusal whose answer was forgotten since it was looked at: it is not final any more.
    pub is_forgotten: bool,
    /// Who waits for the decision of a held message.
    pub replies: Vec<Reply>,
}

/// What one commit comes to.
pub(super) struct Effected<'a> {
    /// The commit.
    pub commit: &'a Commit,
    /// How the message stood before.
    pub was: Option<Standing>,
    /// The ledger position of the decision in force.
    pub position: Option<i64>,
    /// Its new ledger entry.
    pub chained: Option<Chained>,
    /// The entry of the event that came along with a document.
    pub along: Option<Chained>,
    /// The entry of a sending of the stored answer, which brings log rows of its own.
    pub shown: Option<Chained>,
    /// The log rows that it brings.
    pub log: LogRows<'a>,
    /// The ledger position of the entry that brings them.
    pub log_position: Option<i64>,
    /// The ledger position of the event, its own or the one along.
    pub event_position: Option<i64>,
    /// Its inbox row, new or changed.
    pub inbox: Option<Inbox<'a>>,
    /// The answer in force, position and all.
    pub answer: Option<Vec<u8>>,
    /// Who is answered now, under which AMQP id.
    pub out: Vec<(String, Reply)>,
    /// Who will be answered when the hold ends.
    pub waits: Option<&'a Reply>,
    /// A hold ends here.
    pub ends_hold: bool,
    /// The case made or renewed: revision, closed.
    pub case: Option<(i64, bool)>,
    /// The relation made or renewed: revision, old.
    pub relation: Option<(i64, bool)>,
    /// Ids brought that somebody waits for: kind and id.
    pub awaited: Vec<(i64, &'a str)>,
}

impl Effected<'_> {
    /// The ledger position whose answers leave now: of a sending that has an entry of its own, that one; else of the decision in force.
    pub fn answered_at(&self) -> Option<i64> {
        self.shown.as_ref().map_or(self.position, |shown| i64::try_from(shown.position.0).ok())
    }
}

/// An inbox row's changing part.
#[derive(Debug, Clone)]
pub(super) struct Inbox<'a> {
    /// How the message stands.
    pub standing: Standing,
    /// Counts the decisions.
    pub revision: i64,
    /// Digest of the outcome.
    pub outcome: Digest,
    /// The rule set.
    pub rules: Digest,
    /// Final under that rule set.
    pub is_final: bool,
    /// The refusal's code.
    pub code: Option<String>,
    /// Received octets to keep.
    pub octets: Option<&'a [u8]>,
}

/// Numbers and chains a batch; `head` moves on.
pub(super) fn compose<'a>(
    commits: &[&'a Commit],
    places: Vec<Places<'a>>,
    seen: &Seen,
    priors: &HashMap<&'a MessageKey, Prior>,
    head: &mut Head,
    entropy: &dyn Entropy,
) -> Vec<Effected<'a>> {
    commits
        .iter()
        .zip(places)
        .map(|(commit, places)| {
            let now = seen.get(What::Key, places.key);
            let was = Was { revision: now.map_or(0, |(r, _)| r), standing: now.and_then(|(_, s)| i16::try_from(s).ok()).and_then(Standing::from_number) };
            let unknown = Prior::default();
            let prior = priors.get(&commit.key).unwrap_or(&unknown);
            let mut effected = effect(commit, &was, prior, head);
            effected.awaited =
                places.brought.iter().filter(|(place, _, _)| seen.get(What::Awaited, *place).is_some()).map(|(_, kind, id)| (*kind, *id)).collect();
            if let Effect::Archive(archive) = &commit.effect {
                let renewed = |place: Option<usize>, what: What, said: Option<bool>| {
                    place.map(|place| {
                        let (revision, flag) = seen.get(what, place).unwrap_or((0, 0));
                        (revision.saturating_add(1), said.unwrap_or(flag != 0))
                    })
                };
                effected.case = renewed(places.case, What::Case, archive.header.case_state.map(|s| s.closed));
                effected.relation = renewed(places.relation, What::Relation, archive.header.relation_state.map(|s| s.old));
            }
            // Of a replay that came to what its sender was told before, nobody is told again.
            let is_old_news = effected.chained.is_none() && commit.replay.is_some_and(|mark| !mark.answer_again);
            if effected.answer.is_some() && !is_old_news {
                let now = commit.reply.iter().filter(|_| effected.waits.is_none()).cloned();
                let later = prior.replies.iter().filter(|_| effected.ends_hold).cloned();
                effected.out = now.chain(later).map(|reply| (amqp_id(entropy), reply)).collect();
            }
            tally(head, &was, &effected);
            effected
        })
        .collect()
}

struct Was {
    revision: i64,
    standing: Option<Standing>,
}

fn effect<'a>(commit: &'a Commit, was: &Was, prior: &Prior, head: &mut Head) -> Effected<'a> {
    let mut done = Effected {
        commit,
        was: was.standing,
        position: prior.position,
        chained: None,
        along: None,
        shown: None,
        log: LogRows::of(commit),
        log_position: None,
        event_position: None,
        inbox: None,
        answer: None,
        out: Vec::new(),
        waits: None,
        ends_hold: false,
        case: None,
        relation: None,
        awaited: Vec::new(),
    };
    let held = was.standing == Some(Standing::Held);
    let revision = was.revision.saturating_add(1);
    match &commit.effect {
        Effect::Archive(archive) => {
            let Archive { entry, answer, outcome, .. } = &**archive;
            let position = chain(&mut done, entry, prior.position, head);
            done.answer = Some(answer.at(position));
            if let Some(along) = &archive.event {
                let chained = link(&along.entry, None, None, head);
                done.event_position = Some(head.position);
                done.along = Some(chained);
            }
            done.ends_hold = held;
            done.inbox =
                Some(Inbox { standing: Standing::Accepted, revision, outcome: *outcome, rules: entry.rules, is_final: true, code: None, octets: None });
        }
        Effect::Event(event) => {
            let Event { entry, answer, outcome, octets, .. } = &**event;
            let position = chain(&mut done, entry, prior.position, head);
            done.event_position = done.position;
            done.answer = Some(answer.at(position));
            done.ends_hold = held;
            let octets = Some(octets.as_slice());
            done.inbox = Some(Inbox { standing: Standing::Accepted, revision, outcome: *outcome, rules: entry.rules, is_final: true, code: None, octets });
        }
        Effect::Notice(notice) => {
            let NoticeCommit { entry, answer, outcome, .. } = &**notice;
            let position = chain(&mut done, entry, prior.position, head);
            done.answer = Some(answer.at(position));
            done.ends_hold = held;
            done.inbox =
                Some(Inbox { standing: Standing::Accepted, revision, outcome: *outcome, rules: entry.rules, is_final: true, code: None, octets: None });
        }
        Effect::Refuse(refuse) => {
            let Refuse { entry, answer, outcome, code, is_final, noted, octets, .. } = &**refuse;
            let standing = if *noted { Standing::Noted } else { Standing::Refused };
            let same = was.standing == Some(standing) && prior.outcome == Some(*outcome) && (*noted || prior.answer.is_some());
            if same {
                done.answer.clone_from(&prior.answer);
                show(&mut done, entry, prior, head);
            } else {
                let position = chain(&mut done, entry, prior.position, head);
                done.answer = answer.as_ref().map(|draft| draft.at(position));
                done.ends_hold = held;
            }
            let octets = Some(octets.as_slice());
            done.inbox = Some(Inbox { standing, revision, outcome: *outcome, rules: entry.rules, is_final: *is_final, code: code.clone(), octets });
        }
        Effect::Answer(query) => {
            // The verdict for every document is the stored answer's: those octets go out again, at the position they have.
            if was.standing == Some(Standing::Answered) && prior.outcome == Some(query.outcome) && prior.answer.is_some() {
                done.answer.clone_from(&prior.answer);
                show(&mut done, &query.entry, prior, head);
            } else {
                let position = chain(&mut done, &query.entry, prior.position, head);
                done.answer = Some(query.answer.at(position));
            }
            let (outcome, rules, code) = (query.outcome, query.entry.rules, query.code.clone());
            done.inbox = Some(Inbox { standing: Standing::Answered, revision, outcome, rules, is_final: false, code, octets: None });
        }
        Effect::Hold(hold) => {
            done.waits = commit.reply.as_ref();
            // An earlier answer stays stored with the row; nobody gets it again.
            done.answer.clone_from(&prior.answer);
            let code = prior.code.clone();
            // An earlier refusal keeps its octets while it is on hold: the audit wants them.
            let kept = prior.position.map(|_| hold.envelope.octets.as_slice());
            let outcome = prior.outcome.unwrap_or(Digest::ZERO);
            done.inbox = Some(Inbox { standing: Standing::Held, revision, outcome, rules: hold.rules, is_final: false, code, octets: kept });
        }
        Effect::Repeat if held => done.waits = commit.reply.as_ref(),
        Effect::Repeat => done.answer.clone_from(&prior.answer),
    }
    done
}

/// Gives an entry its place behind the head.
fn chain(done: &mut Effected<'_>, entry: &Entry, supersedes: Option<i64>, head: &mut Head) -> Position {
    let chained = link(entry, supersedes, done.log.seal(), head);
    let position = chained.position;
    done.position = Some(head.position);
    done.log_position = done.position;
    done.chained = Some(chained);
    position
}

/// The stored answer goes out again: where that leaves rows in the logs, an entry of its own brings them, and names what was shown.
fn show(done: &mut Effected<'_>, decided: &Entry, prior: &Prior, head: &mut Head) {
    let Some(log) = done.log.seal() else { return };
    let entry = Entry {
        kind: EntryKind::Shown,
        document_id: None,
        document: None,
        archived: None,
        answer: prior.answer.as_deref().map(crypto::sha256),
        about: prior.position.and_then(|p| u64::try_from(p).ok()).map(Position),
        ..decided.clone()
    };
    done.shown = Some(link(&entry, None, Some(log), head));
    done.log_position = Some(head.position);
}

fn link(entry: &Entry, supersedes: Option<i64>, log: Option<LogSeal>, head: &mut Head) -> Chained {
    head.position = head.position.saturating_add(1);
    let position = Position(u64::try_from(head.position).unwrap_or(0));
    let mut entry = entry.clone();
    entry.supersedes = supersedes.and_then(|p| u64::try_from(p).ok()).map(Position);
    entry.log = log;
    let before = head.hash;
    let hash = crypto::sha256(&entry.octets(&before, position));
    head.hash = hash;
    Chained { position, before, hash, entry }
}

fn tally(head: &mut Head, was: &Was, effected: &Effected<'_>) {
    let [documents, messages, accepted, refused] = &mut head.tallies;
    if matches!(effected.commit.effect, Effect::Archive(_)) {
        *documents += 1;
    }
    let Some(inbox) = &effected.inbox else { return };
    let mut count = |standing: Option<Standing>, by: i64| match standing {
        Some(Standing::Accepted) => *accepted += by,
        Some(Standing::Refused) => *refused += by,
        Some(Standing::Noted | Standing::Held | Standing::Answered) | None => {}
    };
    count(was.standing, -1);
    count(Some(inbox.standing), 1);
    if was.standing.is_none() {
        *messages += 1;
    }
}

/// A version 4 UUID.
pub(super) fn amqp_id(entropy: &dyn Entropy) -> String {
    let mut octets = entropy.sixteen();
    octets[6] = octets[6] & 0x0F | 0x40;
    octets[8] = octets[8] & 0x3F | 0x80;
    let n = u128::from_be_bytes(octets);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", n >> 96, n >> 80 & 0xFFFF, n >> 64 & 0xFFFF, n >> 48 & 0xFFFF, n & 0xFFFF_FFFF_FFFF)
}
