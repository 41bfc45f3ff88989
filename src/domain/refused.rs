//! Refused messages as operators see them: grouped by code and first finding, held back, discarded, replayed. A refusal stays what it is in the
//! ledger; what stands here is what people do about it. Nothing here names a person: a finding's place names elements only.

use super::digest::Digest;
use super::ledger::Position;
use super::message::{Envelope, MessageKey};
use super::time::Moment;

/// The most refusals that one action or one replay job takes: one transaction, seconds at most. What is left takes another.
pub const AT_ONCE: u32 = 100_000;
/// The most refusals named one by one.
pub const NAMED: usize = 1_000;
/// The longest place of a finding that names a group, in octets.
pub const FINDING: usize = 160;
/// The most groups that one sender makes of one code. Beyond it places are no longer told apart: a sender who makes them up fills no table.
pub const GROUPS: u32 = 200;
/// The longest words of a person, in characters: a comment, a reason.
pub const WORDS: usize = 500;
/// The fastest replay, in messages a second.
pub const FASTEST: u32 = 2_000;
/// The usual one: slow enough that the senders of today hardly notice it.
pub const RATE: u32 = 50;

/// The place of a group that takes every finding above [`GROUPS`].
pub const ELSEWHERE: &str = "*";

/// A refusal's permanent address: the ledger position of its first decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefusalId(pub u64);

/// An action's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub u64);

/// A replay job's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$one:meta])* $variant:ident = $number:literal $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$one])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number in the archive.
            #[must_use]
            pub const fn number(self) -> i64 {
                match self { $(Self::$variant => $number,)* }
            }

            /// That of a number.
            #[must_use]
            pub const fn from_number(number: i64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The word for people and machines.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// That of a word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

words! {
    /// How a refusal stands.
    RefusedState {
        /// Nobody has dealt with it.
        Open = 1 "open",
        /// Put aside: no replay takes it until it is released.
        Held = 2 "held",
        /// Somebody said that nothing will be done about it.
        Discarded = 3 "discarded",
        /// The same message was taken later: by a replay, or sent again.
        Mended = 4 "mended",
    }
}

words! {
    /// What was done to refusals.
    Deed {
        /// Put aside.
        Hold = 1 "hold",
        /// Open again.
        Release = 2 "release",
        /// Nothing will be done.
        Discard = 3 "discard",
        /// Words, and nothing else.
        Comment = 4 "comment",
        /// An earlier action taken back.
        Undo = 5 "undo",
    }
}

impl Deed {
    /// From which states to which it leads; `None` where it changes none.
    #[must_use]
    pub const fn leads(self) -> Option<(&'static [RefusedState], RefusedState)> {
        match self {
            Self::Hold => Some((&[RefusedState::Open], RefusedState::Held)),
            Self::Release => Some((&[RefusedState::Held], RefusedState::Open)),
            Self::Discard => Some((&[RefusedState::Open, RefusedState::Held], RefusedState::Discarded)),
            Self::Comment | Self::Undo => None,
        }
    }
}

words! {
    /// How a replay job stands.
    JobState {
        /// `arkki serve` works on it.
        Running = 1 "running",
        /// Somebody stopped it; what waits keeps its place and goes on when the job is resumed.
        Stopped = 2 "stopped",
        /// Nothing of it waits any more.
        Done = 3 "done",
        /// Somebody ended it; what waited was let go.
        Ended = 4 "ended",
    }
}

words! {
    /// How one message of a job stands.
    ItemState {
        /// It waits for its turn.
        Waiting = 1 "waiting",
        /// It is on the road.
        OnRoad = 2 "on-road",
        /// It was decided.
        Decided = 3 "decided",
        /// It was let go undecided, with its job.
        Dropped = 4 "dropped",
    }
}

words! {
    /// What a replay came to.
    ReplayOutcome {
        /// Taken: archived, or what else was asked for.
        Accepted = 1 "accepted",
        /// Refused as before; its sender has that answer and gets no second one, unless the job says so.
        Same = 2 "same",
        /// Refused for something else.
        Refused = 3 "refused",
        /// It waits on hold for what it hangs on.
        Held = 4 "held",
        /// Nothing to do: it had been taken meanwhile.
        Already = 5 "already",
    }
}

/// How all replays stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayStanding {
    /// How many jobs stand how, in the order of `JobState::ALL`.
    pub jobs: [u64; 4],
    /// Messages that wait for their turn.
    pub waiting: u64,
    /// Messages on the road.
    pub on_road: u64,
}

impl ReplayStanding {
    /// How many jobs are in a state.
    #[must_use]
    pub fn jobs(&self, state: JobState) -> u64 {
        JobState::ALL.iter().zip(self.jobs).find_map(|(one, many)| (*one == state).then_some(many)).unwrap_or(0)
    }
}

/// Which refusals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefusedCriteria {
    /// These ones; every one when empty. At most [`NAMED`].
    pub ids: Vec<RefusalId>,
    /// In this state; any when `None`.
    pub state: Option<RefusedState>,
    /// With this code.
    pub code: Option<String>,
    /// With this place of the first finding.
    pub finding: Option<String>,
    /// Of this sender.
    pub sender: Option<String>,
    /// Refused last at this moment or later.
    pub from: Option<Moment>,
    /// Refused last before this moment.
    pub until: Option<Moment>,
}

impl RefusedCriteria {
    /// The criteria in words, as a job keeps them: `code=E305 sender=engine`.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut words = Vec::new();
        match self.ids.as_slice() {
            [] => {}
            ids if ids.len() <= 5 => words.push(format!("id={}", ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(","))),
            ids => words.push(format!("{} ids #{:08x}", ids.len(), mixed(ids))),
        }
        let texts = [("state", self.state.map(RefusedState::as_str)), ("code", self.code.as_deref()), ("finding", self.finding.as_deref())];
        words.extend(texts.into_iter().chain([("sender", self.sender.as_deref())]).filter_map(|(name, word)| word.map(|word| format!("{name}={word}"))));
        let moments = [("from", self.from), ("until", self.until)];
        words.extend(moments.into_iter().filter_map(|(name, at)| at.map(|at| format!("{name}={}", at.to_iso()))));
        if words.is_empty() { "all".to_owned() } else { words.join(" ") }
    }
}

/// Many ids in a few digits: a list says with them whether two wishes name the same ones.
fn mixed(ids: &[RefusalId]) -> u32 {
    // FNV-1a, of their octets.
    ids.iter().flat_map(|id| id.0.to_be_bytes()).fold(0x811c_9dc5, |sum, octet| (sum ^ u32::from(octet)).wrapping_mul(0x0100_0193))
}

/// A place in a list, newest first: the next page begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedMark {
    /// When the last shown was refused last.
    pub at: Moment,
    /// Its id.
    pub id: RefusalId,
}

/// A place in the list of groups, those with most open ones first: the next page begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMark {
    /// How many of the last shown group were open.
    pub open: u64,
    /// When its last was refused.
    pub last_at: Moment,
    /// Its code.
    pub code: String,
    /// Its place.
    pub finding: String,
}

/// Refusals with the same code and the same place of the first finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedGroup {
    /// The code.
    pub code: String,
    /// The place of the first finding, without positions: `/ClinicalDocument/recordTarget/patientRole/id/@extension`.
    pub finding: String,
    /// Whose messages, by name, the one with most first; at most 20 of them.
    pub senders: Vec<String>,
    /// How many senders in all.
    pub sender_count: u64,
    /// How many in each state, in the order of `RefusedState::ALL`.
    pub counts: [u64; 4],
    /// When the first was refused.
    pub first_at: Moment,
    /// When the last was refused.
    pub last_at: Moment,
}

impl RefusedGroup {
    /// Where the next page begins.
    #[must_use]
    pub fn mark(&self) -> GroupMark {
        let [open, ..] = self.counts;
        GroupMark { open, last_at: self.last_at, code: self.code.clone(), finding: self.finding.clone() }
    }
}

/// A refusal in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its address.
    pub id: RefusalId,
    /// Sender and octets.
    pub key: MessageKey,
    /// The ledger entry of the last decision.
    pub position: Position,
    /// The code.
    pub code: String,
    /// The place of the first finding.
    pub finding: String,
    /// How it stands.
    pub state: RefusedState,
    /// When it was refused first.
    pub first_at: Moment,
    /// When it was refused last.
    pub at: Moment,
    /// The job that has it in hand.
    pub job: Option<JobId>,
}

impl RefusedRow {
    /// Where the next page begins.
    #[must_use]
    pub const fn mark(&self) -> RefusedMark {
        RefusedMark { at: self.at, id: self.id }
    }
}

/// All that is known of one refusal.
#[derive(Debug, Clone)]
pub struct RefusedMessage {
    /// As in a list.
    pub row: RefusedRow,
    /// The message as it came, its reply address too; its octets are empty when they are no longer kept.
    pub envelope: Envelope,
    /// The answer in force.
    pub answer: Option<Vec<u8>>,
    /// The rule set of the last decision.
    pub rules: Digest,
    /// Whether that decision is final under this rule set.
    pub is_final: bool,
    /// What people did, oldest first, at most 200.
    pub actions: Vec<ActionRow>,
    /// Its replays, oldest first, at most 200.
    pub replays: Vec<Replayed>,
}

/// Who does it, when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who: the operator's name.
    pub who: String,
    /// Why, in the operator's words; they may name nobody. Cut at [`WORDS`].
    pub why: String,
    /// When.
    pub at: Moment,
}

impl By {
    /// Words of a length that the archive keeps.
    #[must_use]
    pub fn new(who: &str, why: &str, at: Moment) -> Self {
        let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(WORDS).collect();
        Self { who: cut(who), why: cut(why), at }
    }
}

/// An action, as it is kept for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRow {
    /// Its number.
    pub id: ActionId,
    /// What.
    pub deed: Deed,
    /// Who, when, why.
    pub by: By,
    /// To which refusals.
    pub criteria: String,
    /// How many it changed or was said about.
    pub count: u64,
    /// The action that it took back.
    pub undoes: Option<ActionId>,
    /// The action that took it back.
    pub undone_by: Option<ActionId>,
}

/// What an action came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acted {
    /// Its number; `None` when nothing met the criteria, and nothing was kept.
    pub action: Option<ActionId>,
    /// How many refusals it changed.
    pub count: u64,
    /// More may meet the criteria: the bound of one action was reached.
    pub more: bool,
}

/// A replay of one refusal: the link between the two decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The job.
    pub job: JobId,
    /// Who asked for it, when, why.
    pub by: By,
    /// How it stands.
    pub state: ItemState,
    /// The refusal.
    pub before: Position,
    /// What it came to, when it was decided.
    pub outcome: Option<ReplayOutcome>,
    /// The ledger entry of what it came to.
    pub after: Option<Position>,
    /// When it was decided.
    pub at: Option<Moment>,
}

/// What a replay would take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preview {
    /// Open refusals that meet the criteria, counted up to [`AT_ONCE`] + 1.
    pub matching: u64,
    /// Of these: in hand of another job, which keeps them.
    pub busy: u64,
    /// Of these: final under the very rules of today; a replay comes to the same.
    pub unchanged: u64,
    /// Of these: without a reply address; what they come to is archived and answered to nobody.
    pub unanswerable: u64,
}

/// A replay as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Which refusals; only open ones are taken: where `criteria.state` names another state, none.
    pub criteria: RefusedCriteria,
    /// Who, when, why.
    pub by: By,
    /// The asker's own word for this wish: the same word twice is one job.
    pub token: String,
    /// How many a second, 1 to [`FASTEST`].
    pub rate: u32,
    /// The stored answer goes out again where the outcome is the same as before.
    pub answer_again: bool,
}

/// A replay job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Which refusals it was asked for.
    pub criteria: String,
    /// Who, when, why.
    pub by: By,
    /// How many a second.
    pub rate: u32,
    /// The stored answer goes out again where the outcome is the same.
    pub answer_again: bool,
    /// How it stands.
    pub state: JobState,
    /// Who stopped, resumed or ended it last, and when.
    pub changed: Option<(String, Moment)>,
    /// How many messages it took at its start.
    pub total: u64,
    /// How many wait, are on the road, and were let go.
    pub waiting: u64,
    /// On the road.
    pub on_road: u64,
    /// Let go undecided.
    pub dropped: u64,
    /// How many came to what, in the order of `ReplayOutcome::ALL`.
    pub outcomes: [u64; 5],
}

impl Job {
    /// How many were decided.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.outcomes.iter().sum()
    }
}

/// One message of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobItem {
    /// The refusal.
    pub refusal: RefusalId,
    /// Its replay.
    pub replayed: Replayed,
}

/// What a commit is told of the replay that it ends: the item ends in the same transaction, or the commit does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayMark {
    /// The job.
    pub job: JobId,
    /// The refusal.
    pub refusal: RefusalId,
    /// Whose turn it is: a lease that ran out and was given anew has another.
    pub turn: u32,
    /// The stored answer goes out again where the outcome is the same.
    pub answer_again: bool,
}

/// A message of a job, leased for the road.
#[derive(Debug, Clone)]
pub struct LeasedReplay {
    /// Which item.
    pub mark: ReplayMark,
    /// Sender and octets.
    pub key: MessageKey,
    /// The message as it came.
    pub envelope: Envelope,
}

/// A message as it was kept, with its verdict: for a rehearsal of other rules.
#[derive(Debug, Clone)]
pub struct KeptMessage {
    /// The ledger entry of the last decision.
    pub position: Position,
    /// When.
    pub at: Moment,
    /// Refused, with this code; `None` when it was taken.
    pub code: Option<String>,
    /// The id of the document it brought.
    pub document: Option<String>,
    /// Only the document is kept, not the frame it came in.
    pub is_bare: bool,
    /// The message. The profile is empty where it is not known.
    pub envelope: Envelope,
}

/// The place of a finding as a group's name: positions and prefixes left out, of a bounded length. Places tell elements and attributes, never a value.
#[must_use]
pub fn grouping(path: &str) -> String {
    let mut place = String::with_capacity(path.len().min(FINDING));
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if inside || c.is_control() => {}
            c if place.len() + c.len_utf8() > FINDING => break,
            c => place.push(c),
        }
    }
    place
}

/// Where refused octets came from: what a replay needs beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Came {
    /// The group's place: that of the first finding.
    pub finding: String,
    /// The AMQP `message_id`.
    pub message_id: Option<String>,
    /// The AMQP `content_type`.
    pub content_type: Option<String>,
    /// The inbound queue's name in the configuration.
    pub inbound: String,
    /// The profile that a bare document takes.
    pub profile: String,
}

impl Came {
    /// Of a message, refused for a finding at this path.
    #[must_use]
    pub fn of(envelope: &Envelope, path: &str) -> Self {
        Self {
            finding: grouping(path),
            message_id: envelope.message_id.clone(),
            content_type: envelope.content_type.clone(),
            inbound: envelope.inbound.clone(),
            profile: envelope.profile.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_elements_without_their_positions() {
        assert_eq!(grouping("/ClinicalDocument/author[2]/time/@value"), "/ClinicalDocument/author/time/@value");
        assert_eq!(grouping("/"), "/");
        assert_eq!(grouping(&"/ä".repeat(500)).len(), 160);
        assert_eq!(grouping("/a\u{7}b"), "/ab");
    }

    #[test]
    fn numbers_and_words_lead_back() {
        for state in RefusedState::ALL {
            assert_eq!(RefusedState::from_number(state.number()), Some(*state));
            assert_eq!(RefusedState::parse(state.as_str()), Some(*state));
        }
        assert_eq!(ReplayOutcome::ALL.len(), 5);
        assert_eq!(RefusedState::parse("gone"), None);
    }

    #[test]
    fn criteria_are_told_in_words() {
        assert_eq!(RefusedCriteria::default().shown(), "all");
        let criteria = RefusedCriteria { code: Some("E305".to_owned()), sender: Some("engine".to_owned()), ids: vec![RefusalId(7)], ..Default::default() };
        assert_eq!(criteria.shown(), "id=7 code=E305 sender=engine");
    }
}
