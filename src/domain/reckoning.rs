//! Whether a disclosure outside the archive has all that the law wants of it: its ledger entry, its notice, its log rows, and the notice's leaving.

use std::time::Duration;

use super::handover::Standing;
use super::ledger::Position;
use super::notice::LATE;
use super::time::Moment;

/// How long a notice may take to leave before it is named: an outage of minutes is nobody's news.
pub const LEAVING: Duration = Duration::from_secs(15 * 60);

/// Everything the archive's tables say of one disclosure outside, found by its ledger position in any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reckoned {
    /// The ledger position that made it.
    pub position: Position,
    /// The notice's id, from whichever table has it.
    pub id: Option<String>,
    /// The controllers whose data left: their registers.
    pub controllers: Vec<String>,
    /// When it was committed, as its ledger entry says; `None` without an entry.
    pub entered: Option<Moment>,
    /// Whether the notice is archived.
    pub is_archived: bool,
    /// When the data left.
    pub disclosed: Option<Moment>,
    /// When that was recorded.
    pub recorded: Option<Moment>,
    /// The notice's parts, one a register.
    pub parts: u64,
    /// How many of those have a row in the disclosure log.
    pub parts_logged: u64,
    /// Rows of the disclosure log.
    pub logged: u64,
    /// How many of them name another notice, or a controller that the notice does not name.
    pub strange: u64,
    /// Rows of both logs.
    pub log_rows: u64,
    /// How many the ledger entry says there are.
    pub sealed_rows: Option<u64>,
    /// How many messages of it leave: one for each format.
    pub messages: u64,
    /// How many of those the broker has confirmed on the notice queue.
    pub confirmed: u64,
    /// When it confirmed the last of them.
    pub emitted: Option<Moment>,
    /// Rows of the outbox that still bear it.
    pub leaving: u64,
    /// Where it stands with the FHIR server, if it was ever to go there.
    pub sink: Option<AtSink>,
}

/// Where a notice stands with the FHIR server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtSink {
    /// Waiting, taken, stopped.
    pub standing: Standing,
    /// How often it was tried.
    pub attempts: u32,
    /// What the server said last; empty when all is well.
    pub words: String,
    /// When that was.
    pub at: Option<Moment>,
}

/// What is wrong with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// Rows without a ledger entry: nobody committed them.
    NoEntry,
    /// No notice is archived.
    NoNotice,
    /// The logs lack a row of it.
    NoLog,
    /// The logs have a row of it that names something else, or one too many.
    StrangeLog,
    /// A message of it is not in the outbox, and the broker never confirmed it.
    NeverEmitted,
    /// It should have left by the notice queue long ago.
    Unsent,
    /// The FHIR server should have it long ago.
    NotTaken,
    /// The FHIR server refuses it.
    Stopped,
    /// It was recorded more than [`LATE`] after the disclosure.
    Late,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 9] =
        [Self::NoEntry, Self::NoNotice, Self::NoLog, Self::StrangeLog, Self::NeverEmitted, Self::Unsent, Self::NotTaken, Self::Stopped, Self::Late];

    /// The word for machines, and the key of the sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoEntry => "no-ledger-entry",
            Self::NoNotice => "no-notice",
            Self::NoLog => "no-log-row",
            Self::StrangeLog => "strange-log-row",
            Self::NeverEmitted => "never-emitted",
            Self::Unsent => "unsent",
            Self::NotTaken => "not-taken",
            Self::Stopped => "stopped",
            Self::Late => "late",
        }
    }

    /// Whether something is missing: never so in a whole archive, whatever the world outside does.
    #[must_use]
    pub const fn is_missing(self) -> bool {
        matches!(self, Self::NoEntry | Self::NoNotice | Self::NoLog | Self::StrangeLog | Self::NeverEmitted)
    }

    /// Whether it waits for something that should have happened.
    #[must_use]
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Unsent | Self::NotTaken)
    }
}

impl Reckoned {
    /// What is wrong with it. `sink_from`: since when the FHIR server has every notice; `None` without one.
    #[must_use]
    pub fn flaws(&self, now: Moment, sink_from: Option<Moment>) -> Vec<Flaw> {
        let age = |since: Option<Moment>| since.map_or(i64::MAX, |since| now.micros().saturating_sub(since.micros()));
        let is_over = |age: i64, bound: Duration| age > i64::try_from(bound.as_micros()).unwrap_or(i64::MAX);
        let is_due = is_over(age(self.entered), LEAVING);
        let standing = self.sink.as_ref().map(|sink| sink.standing);
        let owed = sink_from.is_some_and(|from| self.entered.is_none_or(|at| at >= from));
        let late = match (self.disclosed, self.recorded) {
            (Some(disclosed), Some(recorded)) => is_over(recorded.micros().saturating_sub(disclosed.micros()), LATE),
            _ => false,
        };
        let checks = [
            (self.entered.is_none(), Flaw::NoEntry),
            (!self.is_archived, Flaw::NoNotice),
            (self.logged == 0 || self.parts_logged < self.parts || self.sealed_rows.is_some_and(|rows| self.log_rows < rows), Flaw::NoLog),
            (self.strange > 0 || self.sealed_rows.is_some_and(|rows| self.log_rows > rows), Flaw::StrangeLog),
            (self.confirmed.saturating_add(self.leaving) < self.messages, Flaw::NeverEmitted),
            (self.emitted.is_none() && self.leaving > 0 && is_due, Flaw::Unsent),
            ((owed || standing == Some(Standing::Waiting)) && standing.is_none_or(|s| s == Standing::Waiting) && is_due, Flaw::NotTaken),
            (standing == Some(Standing::Stopped), Flaw::Stopped),
            (late, Flaw::Late),
        ];
        checks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, flaw)| flaw).collect()
    }
}

/// How many of each, for one register or for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Disclosures outside, as the ledger has them.
    pub disclosures: u64,
    /// Notices archived.
    pub notices: u64,
    /// Of those with rows in the disclosure log.
    pub logged: u64,
    /// Confirmed by the broker.
    pub emitted: u64,
    /// Stored by the FHIR server.
    pub taken: u64,
    /// With something missing.
    pub missing: u64,
    /// That should have left.
    pub waiting: u64,
    /// That the FHIR server refuses.
    pub stopped: u64,
    /// Recorded late.
    pub late: u64,
}

impl Tally {
    /// Counts one in.
    pub fn add(&mut self, one: &Reckoned, flaws: &[Flaw]) {
        let mut count = |is_so: bool, which: fn(&mut Self) -> &mut u64| *which(self) += u64::from(is_so);
        count(one.entered.is_some(), |t| &mut t.disclosures);
        count(one.is_archived, |t| &mut t.notices);
        count(one.logged > 0, |t| &mut t.logged);
        count(one.emitted.is_some(), |t| &mut t.emitted);
        count(one.sink.as_ref().is_some_and(|sink| sink.standing == Standing::Taken), |t| &mut t.taken);
        count(flaws.iter().any(|flaw| flaw.is_missing()), |t| &mut t.missing);
        count(flaws.iter().any(|flaw| flaw.is_waiting()), |t| &mut t.waiting);
        count(flaws.contains(&Flaw::Stopped), |t| &mut t.stopped);
        count(flaws.contains(&Flaw::Late), |t| &mut t.late);
    }

    /// Whether nothing is missing, waiting too long or refused. What is late was so when it was made, and stays so.
    #[must_use]
    pub const fn adds_up(&self) -> bool {
        self.missing == 0 && self.waiting == 0 && self.stopped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Reckoned {
        let at = Moment::from_seconds(1_800_000_000);
        Reckoned {
            position: Position(1),
            id: Some("1.2.95.1".into()),
            controllers: vec!["1.2.10".into()],
            entered: Some(at),
            is_archived: true,
            disclosed: Some(at),
            recorded: Some(at),
            parts: 1,
            parts_logged: 1,
            logged: 1,
            strange: 0,
            log_rows: 2,
            sealed_rows: Some(2),
            messages: 1,
            confirmed: 1,
            emitted: Some(at),
            leaving: 0,
            sink: Some(AtSink { standing: Standing::Taken, attempts: 1, words: String::new(), at: Some(at) }),
        }
    }

    #[test]
    fn each_thing_that_can_be_wrong_is_named_by_itself() {
        let start = Moment::from_seconds(1_800_000_000);
        let (soon, later) = (start.plus(LEAVING), start.plus(LEAVING + Duration::from_micros(1)));
        let flaws = |change: fn(&mut Reckoned), now: Moment, sink: bool| {
            let mut one = whole();
            change(&mut one);
            one.flaws(now, sink.then_some(start))
        };
        assert_eq!(flaws(|_| (), later, true), []);
        assert_eq!(flaws(|r| r.is_archived = false, later, true), [Flaw::NoNotice]);
        assert_eq!(flaws(|r| r.logged = 0, later, true), [Flaw::NoLog]);
        assert_eq!(flaws(|r| r.parts = 2, later, true), [Flaw::NoLog]);
        assert_eq!(flaws(|r| r.log_rows = 1, later, true), [Flaw::NoLog]);
        assert_eq!(flaws(|r| r.strange = 1, later, true), [Flaw::StrangeLog]);
        assert_eq!(flaws(|r| r.log_rows = 3, later, true), [Flaw::StrangeLog]);
        assert_eq!(flaws(|r| r.entered = None, later, true), [Flaw::NoEntry]);
        let emitted = |r: &mut Reckoned, confirmed, leaving| (r.emitted, r.confirmed, r.leaving) = (None, confirmed, leaving);
        let (mut lost, mut leaving) = (whole(), whole());
        emitted(&mut lost, 0, 0);
        emitted(&mut leaving, 0, 1);
        assert_eq!(lost.flaws(soon, Some(start)), [Flaw::NeverEmitted]);
        assert_eq!((leaving.flaws(soon, Some(start)), leaving.flaws(later, Some(start))), (vec![], vec![Flaw::Unsent]));
        // Of two messages one is confirmed: the other leaves, or is lost.
        (lost.messages, leaving.messages) = (2, 2);
        emitted(&mut lost, 1, 0);
        emitted(&mut leaving, 1, 1);
        assert_eq!(lost.flaws(soon, Some(start)), [Flaw::NeverEmitted]);
        assert_eq!((leaving.flaws(soon, Some(start)), leaving.flaws(later, Some(start))), (vec![], vec![Flaw::Unsent]));
        assert_eq!(flaws(|r| r.sink = None, later, false), []);
        assert_eq!(flaws(|r| r.sink = None, soon, true), []);
        assert_eq!(flaws(|r| r.sink = None, later, true), [Flaw::NotTaken]);
        let before = |r: &mut Reckoned| (r.sink, r.entered) = (None, Some(Moment::from_seconds(1_799_999_999)));
        assert_eq!(flaws(before, later, true), []);
        let standing = |r: &mut Reckoned, standing| r.sink.iter_mut().for_each(|s| s.standing = standing);
        let mut one = whole();
        standing(&mut one, Standing::Stopped);
        assert_eq!(one.flaws(later, Some(start)), [Flaw::Stopped]);
        standing(&mut one, Standing::Waiting);
        assert_eq!((one.flaws(soon, None), one.flaws(later, None)), (vec![], vec![Flaw::NotTaken]));
        let day = |seconds: i64| Some(Moment::from_seconds(1_800_000_000 - seconds));
        one = whole();
        one.disclosed = day(86_400);
        assert_eq!(one.flaws(later, None), []);
        one.disclosed = day(86_401);
        assert_eq!(one.flaws(later, None), [Flaw::Late]);
    }

    #[test]
    fn a_tally_adds_up_only_when_nothing_is_owed() {
        let mut tally = Tally::default();
        tally.add(&whole(), &[Flaw::Late]);
        assert!(tally.adds_up() && tally.late == 1);
        assert_eq!((tally.disclosures, tally.notices, tally.logged, tally.emitted, tally.taken), (1, 1, 1, 1, 1));
        for flaw in Flaw::ALL.into_iter().filter(|flaw| *flaw != Flaw::Late) {
            let mut tally = Tally::default();
            tally.add(&whole(), &[flaw]);
            assert!(!tally.adds_up(), "{flaw:?}");
        }
    }
}
