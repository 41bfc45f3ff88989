//! A rehearsal of other rules: kept messages are examined under today's rules and under the candidate's, and nothing is written. Both verdicts are offline ones
//! (`arkki validate`), so what differs between them differs for the rules alone.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::examine::Examiner;
use crate::domain::code::Code;
use crate::domain::refused::KeptMessage;
use crate::domain::time::Moment;

/// How a verdict changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Taken today, refused by the candidate.
    Refused,
    /// Refused today, taken by the candidate.
    Taken,
    /// Refused by both, for something else.
    Otherwise,
}

impl Turn {
    /// The word for people and machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "now refused",
            Self::Taken => "now accepted",
            Self::Otherwise => "refused otherwise",
        }
    }
}

/// A message whose verdict would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its ledger position.
    pub position: u64,
    /// When it was decided.
    pub at: Moment,
    /// Who sent it.
    pub sender: String,
    /// The document that it brought.
    pub document: Option<String>,
    /// The code that stands in the archive; `None` when it was taken.
    pub archived: Option<String>,
    /// How.
    pub turn: Turn,
    /// The codes of today's rules.
    pub before: Vec<Code>,
    /// The codes of the candidate.
    pub after: Vec<Code>,
}

/// What a rehearsal comes to.
#[derive(Debug, Clone, Default)]
pub struct Rehearsal {
    /// Messages examined.
    pub looked: u64,
    /// Of these: whose frame is no longer kept, so that only the document was examined.
    pub bare: u64,
    /// Of these: that today's rules judge otherwise than the archive did, by what only the archive knows or by rules that have changed since.
    pub drifted: u64,
    /// Whose verdict would change, newest first.
    pub changed: Vec<Changed>,
}

impl Rehearsal {
    /// How many turn how, by the code that makes it so.
    #[must_use]
    pub fn sums(&self) -> BTreeMap<(Turn, &'static str), u64> {
        let mut sums = BTreeMap::new();
        for changed in &self.changed {
            let codes = if changed.turn == Turn::Taken { &changed.before } else { &changed.after };
            *sums.entry((changed.turn, codes.first().map_or("", |code| code.as_str()))).or_insert(0) += 1;
        }
        sums
    }

    /// Takes in what messages came to, in their order.
    pub fn add(&mut self, judged: Vec<Judged>) {
        for one in judged {
            self.looked += 1;
            self.bare += u64::from(one.is_bare);
            self.drifted += u64::from(one.is_drifted);
            self.changed.extend(one.changed);
        }
    }
}

/// What one message came to.
#[derive(Debug, Clone)]
pub struct Judged {
    is_bare: bool,
    is_drifted: bool,
    changed: Option<Changed>,
}

/// Examines messages under both rule sets, on so many threads. `profile` is for those of which none is kept.
#[must_use]
pub fn judge(today: &Examiner, candidate: &Examiner, kept: &[KeptMessage], profile: &str, threads: usize) -> Vec<Judged> {
    let share = kept.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = kept
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(|message| one(today, candidate, message, profile)).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    })
}

fn one(today: &Examiner, candidate: &Examiner, message: &KeptMessage, profile: &str) -> Judged {
    let mut envelope = message.envelope.clone();
    if envelope.profile.is_empty() {
        profile.clone_into(&mut envelope.profile);
    }
    let codes = |examiner: &Examiner| -> Vec<Code> {
        // What came through the door before is not asked for its reply address again. What the gateway would meet as a defect is told as one: a message
        // that is passed over in silence would say that the rules may change.
        let examined = catch_unwind(AssertUnwindSafe(|| examiner.examine(&envelope, true)));
        let Ok(examined) = examined else { return vec![Code::E901] };
        let mut codes: Vec<Code> =
            examined.verdict.err().map(|refusal| refusal.findings().filter(|f| f.is_error()).map(|f| f.code).collect()).unwrap_or_default();
        let mut seen = Vec::with_capacity(codes.len());
        codes.retain(|code| {
            !seen.contains(code) && {
                seen.push(*code);
                true
            }
        });
        codes
    };
    let (before, after) = (codes(today), codes(candidate));
    let turn = match (before.is_empty(), after.is_empty()) {
        (true, false) => Some(Turn::Refused),
        (false, true) => Some(Turn::Taken),
        (false, false) if before != after => Some(Turn::Otherwise),
        (true, true) | (false, false) => None,
    };
    let is_drifted = message.code.is_some() == before.is_empty();
    let changed = turn.map(|turn| Changed {
        position: message.position.0,
        at: message.at,
        sender: message.envelope.sender.as_ref().map_or_else(String::new, |sender| sender.as_str().to_owned()),
        document: message.document.clone(),
        archived: message.code.clone(),
        turn,
        before,
        after,
    });
    Judged { is_bare: message.is_bare, is_drifted, changed }
}
