//! The end state against the messages' fates, by set: answers, dead letters, archive, signatures.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use arkki::domain::ack::AckType;
use arkki::v3::ack::{self, AckRead};
use base64::Engine as _;

use super::mix::{Fate, Sent};
use super::place::Run;
use super::queue::Found;
use crate::kit;

/// How many archived documents xmlsec1 looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoroughness {
    Sample,
    All,
}

/// A sample of about so many.
const SAMPLE: usize = 30;

struct Stored {
    octets: Vec<u8>,
    received: Vec<u8>,
}

/// Fails with the run's name and what is wrong; gives what is worth telling.
pub fn check(run: &Run, answers: &[Found], dead: &[Found], thoroughness: Thoroughness) -> Vec<String> {
    let by_id: HashMap<&str, &Sent> = run.messages.iter().map(|m| (m.id.as_str(), m)).collect();
    let bodies = bodies(run, answers);
    let quarantined: BTreeSet<String> = run.messages.iter().filter(|m| m.fate == Fate::Quarantined).map(|m| m.id.clone()).collect();
    let dead_ids: BTreeSet<String> = dead.iter().map(Found::message_id).collect();
    assert_eq!(dead_ids, quarantined, "{}: dead letters are the quarantined", run.name);
    let owed: BTreeSet<&str> = run.messages.iter().filter(|m| !matches!(m.fate, Fate::Quarantined | Fate::Silent)).map(|m| m.id.as_str()).collect();
    let answered: BTreeSet<&str> = bodies.keys().map(String::as_str).collect();
    let missing: Vec<_> = owed.difference(&answered).collect();
    let surplus: Vec<_> = answered.difference(&owed).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "{}: without their answer {missing:?}; answered though none is owed {surplus:?}", run.name);
    let stored = documents(run);
    let mut expected_documents = BTreeSet::new();
    for message in &run.messages {
        match &message.fate {
            Fate::Accepted { document } => {
                let answer = acknowledgement(run, &bodies, &message.id);
                assert_eq!(answer.ack_type, AckType::Accept, "{}: {}: {:?}", run.name, message.id, answer.details);
                expected_documents.insert(document.clone());
                came_from(run, message, &stored[document]);
            }
            Fate::Refused(code) => {
                let answer = acknowledgement(run, &bodies, &message.id);
                assert_eq!(answer.ack_type, code.ack_type(), "{}: {}", run.name, message.id);
                assert_eq!(answer.details.first().map(|d| d.code.as_str()), Some(code.as_str()), "{}: {}", run.name, message.id);
            }
            Fate::Repeat { of } => assert_eq!(bodies[&message.id], bodies[of], "{}: {} repeats {of}", run.name, message.id),
            Fate::Conflict { with, document } => {
                conflict(run, &bodies, message, by_id[with.as_str()], &stored[document]);
                expected_documents.insert(document.clone());
            }
            Fate::Quarantined | Fate::Silent => {}
        }
    }
    assert_eq!(stored.keys().cloned().collect::<BTreeSet<_>>(), expected_documents, "{}: the archive's documents", run.name);
    let (documents, signatures) = xmlsec(run, &stored, thoroughness);
    let distinct: BTreeSet<String> = answers.iter().map(Found::message_id).collect();
    vec![
        format!("{} messages, {} answered, {} answers lay there ({} without copies)", run.messages.len(), answered.len(), answers.len(), distinct.len()),
        format!("{} quarantined, {} dead letters", quarantined.len(), dead.len()),
        format!("{} documents archived, xmlsec1 verified {signatures} signatures of {documents}", stored.len()),
    ]
}

/// One body an id, whatever copies and repeats there are; two copies under one AMQP id are the same octets.
fn bodies(run: &Run, answers: &[Found]) -> BTreeMap<String, Vec<u8>> {
    let mut by_id: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for answer in answers {
        let id = answer.correlation();
        assert!(!id.is_empty() && !answer.message_id().is_empty(), "{}: an answer without ids", run.name);
        by_id.entry(id).or_default().insert(answer.body.clone());
    }
    for (id, bodies) in &by_id {
        let all: Vec<_> = bodies.iter().map(|b| String::from_utf8_lossy(b)).collect();
        assert_eq!(bodies.len(), 1, "{}: {id} has different answers:\n{}", run.name, all.join("\n"));
    }
    by_id.into_iter().filter_map(|(id, bodies)| Some((id, bodies.into_iter().next()?))).collect()
}

fn acknowledgement(run: &Run, bodies: &BTreeMap<String, Vec<u8>>, id: &str) -> AckRead {
    ack::read(&bodies[id]).unwrap_or_else(|e| panic!("{}: the answer of {id} cannot be read: {e:?}", run.name))
}

/// Exactly one AA, the other E701, and the archive holds the octets of the one.
fn conflict(run: &Run, bodies: &BTreeMap<String, Vec<u8>>, one: &Sent, other: &Sent, stored: &Stored) {
    let (answer, others) = (acknowledgement(run, bodies, &one.id), acknowledgement(run, bodies, &other.id));
    let accepted = [&answer, &others].iter().filter(|a| a.ack_type == AckType::Accept).count();
    assert_eq!(accepted, 1, "{}: {} and {}", run.name, one.id, other.id);
    if answer.ack_type == AckType::Accept {
        assert!(stored.received == one.octets, "{}: the archive holds what was accepted, {}", run.name, one.id);
    } else {
        assert_eq!(answer.details.first().map(|d| d.code.as_str()), Some("E701"), "{}: {}", run.name, one.id);
    }
}

/// The stored document without our splice is what the message carried.
fn came_from(run: &Run, message: &Sent, stored: &Stored) {
    let carried = message.octets == stored.received || carried(&message.octets).is_some_and(|c| c == stored.received);
    assert!(carried, "{}: {}: the archive holds other octets", run.name, message.id);
}

/// What a frame carries, by the plainest means: the longest run of base64 in it. A MIME part may be written out as it is: then it stands in the frame.
fn carried(frame: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(frame).ok()?;
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\n' | '\r');
    let longest = text.split(|c| !is_base64(c)).max_by_key(|piece| piece.len())?;
    let packed: String = longest.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(packed).ok()
}

fn documents(run: &Run) -> BTreeMap<String, Stored> {
    let sql = "SELECT d.id, d.splice_start, d.splice_len, encode(o.octets, 'hex') FROM document d JOIN document_octets o ON o.document_id = d.id";
    let rows = run.place.postgres.sql(&run.database.name, sql);
    let octets_of = |hex: &str| -> Vec<u8> {
        let nibble = |c: u8| char::from(c).to_digit(16).and_then(|n| u8::try_from(n).ok()).unwrap();
        hex.as_bytes().chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
    };
    let mut all = BTreeMap::new();
    for row in rows.lines() {
        let columns: Vec<&str> = row.split('|').collect();
        let (start, length): (usize, usize) = (columns[1].parse().unwrap(), columns[2].parse().unwrap());
        let octets = octets_of(columns[3]);
        let received = [&octets[..start], &octets[start + length..]].concat();
        assert!(all.insert(columns[0].to_owned(), Stored { octets, received }).is_none());
    }
    all
}

/// xmlsec1 on each signature apart, two documents at a time; how many documents and signatures it verified.
fn xmlsec(run: &Run, stored: &BTreeMap<String, Stored>, thoroughness: Thoroughness) -> (usize, usize) {
    let step = if thoroughness == Thoroughness::All { 1 } else { (stored.len() / SAMPLE).max(1) };
    let chosen: Vec<&Stored> = stored.values().step_by(step).collect();
    let anchor = kit::repository().join("samples/keys/ca.pem");
    let (next, signatures) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let folder = kit::temp_dir();
                while let Some(document) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let text = std::str::from_utf8(&document.octets).unwrap();
                    let count = crate::sign::xmlsec1_verifies_each(text, &[&anchor], folder.path());
                    assert!(count > 0, "{}: a document without a signature", run.name);
                    signatures.fetch_add(count, Ordering::Relaxed);
                }
            });
        }
    });
    (chosen.len(), signatures.into_inner())
}
