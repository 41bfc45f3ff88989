//! Queues full of messages with a written expectation each: for fault runs (mixed, exact) and for benches (good, of one size).

use super::document::{Body, DocumentSpec};
use super::family::Family;
use super::fault::{Fault, Needs};
use super::frame::{Carrier, FrameSpec};
use super::random::Random;
use super::signature::{Hand, Hands};
use crate::domain::code::Code;
use crate::domain::language::Language;

/// One message to be sent, and what must become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The AMQP `message_id`, its own.
    pub id: String,
    /// The body.
    pub octets: Vec<u8>,
    /// Whether it is to be sent with a reply address.
    pub reply: bool,
    /// What must become of it.
    pub expected: Expected,
}

/// What must become of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// AA; its document (this id) is archived.
    Accepted {
        /// The document's id.
        document: String,
    },
    /// A refusal whose first finding has this code.
    Refused(Code),
    /// The same octets as another message, with the same answer body as that one got.
    Repeat {
        /// The other message's id.
        of: String,
    },
    /// One of two messages with the same document id and other octets: one of them AA and archived, the other refused with E701; which, is open.
    Conflict {
        /// The other message's id.
        with: String,
        /// The document's id.
        document: String,
    },
    /// No XML and no reply address: its refusal is committed, it is dead-lettered.
    Quarantined,
}

/// The good messages of one client, in an order in which every link resolves: bare and framed, every group; documents that need a professional's
/// signature only when `hands` has one.
#[must_use]
pub fn family(seed: u64, hands: Option<&dyn Hands>) -> Vec<Message> {
    let mut random = Random::new(seed).fork(3);
    let language = if random.one_in(3) { Language::Sv } else { Language::Fi };
    let family = Family::new(seed, series(seed), language);
    let specs = family.in_order().into_iter().cloned();
    specs.enumerate().filter_map(|(n, spec)| good(&mut random, &spec, hands, format!("{seed:x}-{n}"))).collect()
}

/// At least `count` messages of many clients: about 70 % good, the rest refused, repeated, in conflict, or unreadable without a reply address.
/// A client's own messages stand in an order in which links resolve; the clients' messages are interleaved.
#[must_use]
pub fn mixed(seed: u64, count: usize, hands: Option<&dyn Hands>) -> Vec<Message> {
    let mut random = Random::new(seed).fork(4);
    let mut lanes = Vec::new();
    let mut made = 0;
    while made < count {
        let lane = trouble(random.next() >> 16, hands);
        made += lane.len();
        lanes.push(lane.into_iter());
    }
    // Sixteen lanes at a time, so that a client's messages lie near each other as they do in life.
    let mut waiting = lanes.into_iter();
    let mut open: Vec<_> = waiting.by_ref().take(16).collect();
    let mut out = Vec::with_capacity(made);
    while !open.is_empty() {
        let at = usize::try_from(random.below(open.len() as u64)).unwrap_or(0);
        match open.get_mut(at).and_then(Iterator::next) {
            Some(message) => out.push(message),
            None => {
                open.swap_remove(at);
                open.extend(waiting.next());
            }
        }
    }
    out
}

/// Good messages without end, each of about `octets` octets: relations and cases with six documents of phase I each. Needs no keys.
pub fn bench(seed: u64, octets: usize) -> impl Iterator<Item = Message> {
    (0_u64..).flat_map(move |client| {
        let seed = Random::new(seed).fork(client).next() >> 16;
        let family = Family::new(seed, series(seed), Language::Fi);
        let mut specs = vec![family.relation.clone(), family.case.clone()];
        specs.extend((0..6).map(|n| family.phase_one.under(&family.id(200 + n))));
        specs.into_iter().enumerate().map(move |(n, mut spec)| {
            spec.body_octets = body_octets(octets);
            Message { id: format!("{seed:x}-{n}"), octets: spec.render(), reply: true, expected: Expected::Accepted { document: spec.id } }
        })
    })
}

/// How large a body makes a bare document of so many octets: header and metadata take about 5,500, base64 four octets for three.
const fn body_octets(octets: usize) -> usize {
    octets.saturating_sub(5_500) / 4 * 3
}

/// A series of its own for each seed (below 2⁴⁸).
pub(super) const fn series(seed: u64) -> u64 {
    1_000 + (seed & 0xffff_ffff_ffff)
}

/// One client's messages with faults, repeats, a conflict and unreadable ones among them.
fn trouble(seed: u64, hands: Option<&dyn Hands>) -> Vec<Message> {
    let mut random = Random::new(seed).fork(5);
    let mut out = family(seed, hands);
    let language = if random.one_in(2) { Language::Sv } else { Language::Fi };
    let other = Family::new(seed ^ 0x5555, series(seed ^ 0x5555_5555), language);
    refused(&mut random, &other, hands, seed, &mut out);
    if let Some(original) = out.get(usize::try_from(random.below(out.len() as u64)).unwrap_or(0)).cloned() {
        out.push(Message { id: format!("{seed:x}-repeat"), expected: Expected::Repeat { of: original.id }, ..original });
    }
    if random.one_in(2) {
        conflict(&other, seed, &mut out);
    }
    if random.one_in(3) {
        let octets = format!("unreadable {seed:x} \u{1} <").into_bytes();
        out.push(Message { id: format!("{seed:x}-unreadable"), octets, reply: false, expected: Expected::Quarantined });
    }
    out
}

/// Two refusals that show without an archive.
fn refused(random: &mut Random, family: &Family, hands: Option<&dyn Hands>, seed: u64, out: &mut Vec<Message>) {
    let alone: Vec<_> = Fault::all().filter(|f| f.needs == Needs::Nothing && f.code != Code::E109).collect();
    for number in 0..2 {
        let fault = usize::try_from(random.below(alone.len() as u64)).ok().and_then(|at| alone.get(at));
        if let Some((fault, octets)) = fault.and_then(|f| f.make(family, hands, 300 + number).map(|o| (f, o))) {
            out.push(Message { id: format!("{seed:x}-{}-{number}", fault.name()), octets, reply: true, expected: Expected::Refused(fault.code) });
        }
    }
}

/// Two relations with one id and other prose.
fn conflict(family: &Family, seed: u64, out: &mut Vec<Message>) {
    let (a, b) = (format!("{seed:x}-conflict-a"), format!("{seed:x}-conflict-b"));
    let document = family.relation.id.clone();
    let other = DocumentSpec { seed: family.relation.seed ^ 0xff, ..family.relation.clone() };
    out.push(Message {
        id: a.clone(),
        octets: family.relation.render(),
        reply: true,
        expected: Expected::Conflict { with: b.clone(), document: document.clone() },
    });
    out.push(Message { id: b, octets: other.render(), reply: true, expected: Expected::Conflict { with: a, document } });
}

fn good(random: &mut Random, spec: &DocumentSpec, hands: Option<&dyn Hands>, id: String) -> Option<Message> {
    let mut spec = spec.clone();
    if spec.signed && spec.body == Body::Structured && random.one_in(4) {
        spec.body = Body::Pdf;
    }
    let mut octets = spec.render();
    if spec.signed {
        octets = hands?.sign(&octets, Hand::Professional)?;
    }
    if random.one_in(2) {
        let mut frame = FrameSpec::around(&spec, 1);
        frame.carrier = if random.one_in(2) { Carrier::Mime } else { Carrier::Base64 };
        frame.purpose_first = random.one_in(2);
        frame.version = if random.one_in(2) { "V3-2005" } else { "V3-2006" };
        octets = frame.render(&octets);
    }
    Some(Message { id, octets, reply: true, expected: Expected::Accepted { document: spec.id } })
}
