//! A rehearsal of other rules: kept messages are examined under today's rules and under the candidate's, and nothing is written. Both verdicts are offline ones
//! (`arkki validate`), so what differs between them differs for the rules alone.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::examine::Examiner;
use crate::domain::code::Code;
use crate::domain::outage::Outage;
use crate::domain::refused::KeptMessage;
use crate::domain::time::Moment;
use crate::ports::refusals::Refusals;

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

/// What is rehearsed.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'w> {
    /// How many messages, the newest.
    pub last: u32,
    /// For those of which no profile is kept.
    pub profile: &'w str,
    /// On how many threads.
    pub threads: usize,
}

/// How many messages are read at once, and how many octets.
const PAGE: (u32, usize) = (256, 64 * 1024 * 1024);

/// Rehearses, newest messages first, until all are examined, none is left, or `goes_on` says no; it is asked after each page. Blocks its thread while it judges: a runtime of
/// several threads is needed.
///
/// # Errors
/// An outage of the archive.
pub async fn run(
    archive: &dyn Refusals,
    (today, candidate): (&Examiner, &Examiner),
    wish: Wish<'_>,
    mut goes_on: impl FnMut(&Rehearsal) -> bool + Send,
) -> Result<Rehearsal, Outage> {
    let mut rehearsal = Rehearsal::default();
    let mut before = None;
    // Each page ends before the one before: bounded by the ledger, and by the wish.
    while rehearsal.looked < u64::from(wish.last) {
        let left = u32::try_from(u64::from(wish.last) - rehearsal.looked).unwrap_or(PAGE.0);
        let page = archive.kept_messages(before, left.min(PAGE.0), PAGE.1).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.position);
        rehearsal.add(tokio::task::block_in_place(|| judge(today, candidate, &page, wish.profile, wish.threads)));
        if !goes_on(&rehearsal) {
            break;
        }
    }
    Ok(rehearsal)
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
