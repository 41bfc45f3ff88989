//! The messages of a fault run, each with its fate: the scenario's thousand, and what it leaves out (overtaking, silent, unaddressed, doubly carried).

use std::collections::HashSet;

use arkki::domain::code::Code;
use arkki::domain::language::Language;
use arkki::generate::family::Family;
use arkki::generate::frame::FrameSpec;
use arkki::generate::hostile;
use arkki::generate::keys::{Keys, SIGNED_AT};
use arkki::generate::random::Random;
use arkki::generate::scenario::{self, Expected};

use crate::kit;

/// Both match the pattern of the sender `guest`.
pub const REPLIES: [&str; 2] = ["arkki.reply.guest.a", "arkki.reply.guest.b"];
/// As many as the scenario is asked for; what is added below comes on top.
const SCENARIO: usize = 960;

/// A message and what must become of it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The AMQP `message_id`.
    pub id: String,
    pub octets: Vec<u8>,
    pub reply: Option<&'static str>,
    pub fate: Fate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// AA; this document is archived.
    Accepted { document: String },
    /// A refusal with this code first.
    Refused(Code),
    /// The same answer as the other message.
    Repeat { of: String },
    /// AA, or E701 if the other one was AA.
    Conflict { with: String, document: String },
    /// Never answered, dead-lettered.
    Quarantined,
    /// Never answered, not dead-lettered: an acknowledgement.
    Silent,
}

/// The sample professional's key and the others of `samples/keys`.
pub fn hands() -> Keys {
    let folder = kit::repository().join("samples/keys");
    Keys::read(|name| std::fs::read(folder.join(name)).ok(), SIGNED_AT).expect("the sample keys")
}

/// A thousand messages and a few, in the order in which they are sent.
pub fn mixed(seed: u64) -> Vec<Sent> {
    let mut random = Random::new(seed).fork(77);
    let mut out: Vec<Sent> = scenario::mixed(seed, SCENARIO, Some(&hands())).into_iter().map(of_scenario).collect();
    overtake(&mut out);
    let base = out.len();
    for extra in extras(seed) {
        let at = usize::try_from(random.below(base as u64)).unwrap();
        out.insert(at, extra);
    }
    for (n, message) in out.iter_mut().enumerate() {
        if n % 5 == 0 || matches!(message.fate, Fate::Repeat { .. }) {
            message.reply = message.reply.map(|_| REPLIES[1]);
        }
    }
    let ids: HashSet<&str> = out.iter().map(|m| m.id.as_str()).collect();
    assert!(out.len() >= 1_000 && ids.len() == out.len(), "{} messages, {} ids", out.len(), ids.len());
    out
}

fn of_scenario(message: scenario::Message) -> Sent {
    let fate = match message.expected {
        Expected::Accepted { document } => Fate::Accepted { document },
        Expected::Refused(code) => Fate::Refused(code),
        Expected::Repeat { of } => Fate::Repeat { of },
        Expected::Conflict { with, document } => Fate::Conflict { with, document },
        Expected::Quarantined => Fate::Quarantined,
    };
    Sent { id: message.id, octets: message.octets, reply: message.reply.then_some(REPLIES[0]), fate }
}

/// Of every third client the relation comes after the case and the document that hang on it: they are held, and then accepted.
fn overtake(messages: &mut Vec<Sent>) {
    let families: Vec<String> = messages.iter().filter_map(|m| m.id.strip_suffix("-0").map(str::to_owned)).collect();
    for family in families.iter().step_by(3) {
        let at = |number: usize, messages: &[Sent]| messages.iter().position(|m| m.id == format!("{family}-{number}"));
        if let (Some(relation), Some(document)) = (at(0, messages), at(2, messages)) {
            let message = messages.remove(relation);
            messages.insert(document, message);
        }
    }
}

fn extras(seed: u64) -> Vec<Sent> {
    let mut out = Vec::new();
    for message in scenario::bench(seed ^ 0x00ab_cdef, 9_000).take(12) {
        out.push(Sent { id: format!("unaddressed-{}", message.id), octets: message.octets, reply: None, fate: Fate::Quarantined });
    }
    for n in 0..15 {
        let octets = hostile::acknowledgement().replacen(".18.2026.77\"", &format!(".18.2026.77{n:02}\""), 1).into_bytes();
        out.push(Sent { id: format!("silent-{n}"), octets, reply: (n % 3 > 0).then_some(REPLIES[0]), fate: Fate::Silent });
    }
    for n in 0..6 {
        let number = seed.wrapping_mul(31) + n;
        let spec = Family::new(number, 7_000_000 + (number & 0xffff), Language::Sv).permission;
        let octets = spec.render();
        let framed = FrameSpec::around(&spec, 9).render(&octets);
        let fate = Fate::Accepted { document: spec.id };
        out.push(Sent { id: format!("carried-bare-{n}"), octets, reply: Some(REPLIES[0]), fate: fate.clone() });
        out.push(Sent { id: format!("carried-framed-{n}"), octets: framed, reply: Some(REPLIES[0]), fate });
    }
    out
}
