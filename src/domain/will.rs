//! Will expressions (tahdonilmaisut, viljeyttringar): what a client was informed of, permits and denies (messaging.md §5). A will is an archived document of
//! group 7, 8 or 9; what is in force at a moment is the fold of a client's wills up to it ([`ClientWills::at`]). Nothing of it is kept: it is folded anew
//! for each decision, so that a withdrawal takes effect with the very next one.

use std::collections::{BTreeMap, HashSet};

use super::digest::Digest;
use super::document::Date;
use super::facts::Expectation;
use super::ledger::Position;
use super::oid::Oid;
use super::time::Moment;

/// What is in force for one client at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wills {
    /// The document by which the client was informed, of an edition that counts; `None`: not informed as far as the archive knows.
    pub informing: Option<Oid>,
    /// The document of the permission in force; `None` where none was given, or the last one says no.
    pub permission: Option<Oid>,
    /// Every denial in force, with the document that made it.
    pub denials: Vec<(Denied, Oid)>,
    /// What this rests on: the last entry of the ledger about any of this client's wills.
    pub newest: Option<Position>,
}

/// What one will document says. Kept in the archive as [`Said::text`] writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Said {
    /// The client was informed of the Kanta services.
    Informed {
        /// The information's edition.
        edition: Edition,
    },
    /// The client permits the disclosure of social-welfare data, or no longer does.
    Permitted(bool),
    /// All that this document denies; a next version of it replaces them.
    Denials(Vec<Denied>),
    /// These denial documents end.
    Cancelled(Vec<Oid>),
}

/// The edition of the information given: `2.0`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edition {
    /// Before the point.
    pub major: u16,
    /// Behind it.
    pub minor: u16,
}

/// What is denied to every controller but its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Denied {
    /// The documents of this set: the id that stays the same when a document is replaced.
    Document(Oid),
    /// Every document of this service task, whoever is its controller.
    Task(String),
    /// Every document of this controller.
    Controller(Oid),
}

/// A will document as the archive has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// The document.
    pub document: Oid,
    /// Its set.
    pub set_id: Oid,
    /// Its version.
    pub version: u32,
    /// Its ledger entry.
    pub position: Position,
    /// When it was authored: in force from then on.
    pub authored: Moment,
    /// The day of it. Where `authored` is the day's first moment, the document says no time.
    pub day: Date,
    /// When it was archived: in force from then on at the latest, should its author's clock be ahead.
    pub archived_at: Moment,
    /// Neither it nor its set is invalidated.
    pub is_valid: bool,
    /// What it says.
    pub said: Said,
}

/// Every will of one client, of all sets and versions, in order of position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientWills {
    /// The wills.
    pub rows: Vec<Will>,
    /// The last entry of the ledger about any of them: the last one archived, invalidated or reinstated.
    pub newest: Option<Position>,
    /// Not all of them are here: more than `limits::WILLS` or longer than `limits::WILL_OCTETS`, of which these are the first, or one of which nothing was
    /// read. Nothing is permitted then.
    pub is_cut: bool,
}

impl ClientWills {
    /// What is in force at a moment. `least`: the first edition of the information that counts (`codes/will.toml`).
    ///
    /// Of each set the latest valid version counts. Of informings and permissions the last one authored counts; of one day's, where one says no time, the one
    /// archived last. A cancellation ends the denials archived before it of the set that it names, by any id of it.
    #[must_use]
    pub fn at(&self, at: Moment, least: Edition) -> Wills {
        let set_of: BTreeMap<&Oid, &Oid> = self.rows.iter().map(|will| (&will.document, &will.set_id)).collect();
        let mut latest: BTreeMap<&Oid, &Will> = BTreeMap::new();
        for will in self.rows.iter().filter(|will| will.is_valid && will.authored.min(will.archived_at) <= at) {
            let kept = latest.entry(&will.set_id).or_insert(will);
            if will.version > kept.version {
                *kept = will;
            }
        }
        let in_force = || latest.values().copied();
        let informed = |will: &&Will| matches!(will.said, Said::Informed { edition } if edition >= least);
        let permission = last(in_force().filter(|will| matches!(will.said, Said::Permitted(_))));
        let mut ended: BTreeMap<&Oid, Position> = BTreeMap::new();
        for will in in_force() {
            let Said::Cancelled(named) = &will.said else { continue };
            for id in named {
                let set = set_of.get(id).copied().unwrap_or(id);
                let until = ended.entry(set).or_insert(will.position);
                *until = (*until).max(will.position);
            }
        }
        let mut denials = Vec::new();
        for will in in_force().filter(|will| ended.get(&will.set_id).is_none_or(|until| will.position > *until)) {
            let Said::Denials(denied) = &will.said else { continue };
            denials.extend(denied.iter().map(|denied| (denied.clone(), will.document.clone())));
        }
        denials.sort();
        Wills {
            informing: last(in_force().filter(informed)).map(|will| will.document.clone()),
            permission: permission.filter(|will| !self.is_cut && will.said == Said::Permitted(true)).map(|will| will.document.clone()),
            denials,
            newest: self.newest,
        }
    }

    /// What a decision that rests on these wills expects of the commit: that none came since, and nothing happened to one.
    #[must_use]
    pub const fn expectation(&self, client: Digest) -> Expectation {
        Expectation::Wills { client, newest: self.newest }
    }
}

impl Wills {
    /// The document of a denial that hits a document of this set, service task and controller; `None` where none does.
    #[must_use]
    pub fn denial_of(&self, set_id: &Oid, task: Option<&str>, controller: &Oid) -> Option<&Oid> {
        self.denials.iter().find(|(denied, _)| denied.hits(set_id, task, controller)).map(|(_, document)| document)
    }
}

impl Denied {
    /// Whether it hits a document of this set, service task and controller. A controller is denied with all that lies under its OID.
    #[must_use]
    pub fn hits(&self, set_id: &Oid, task: Option<&str>, controller: &Oid) -> bool {
        match self {
            Self::Document(set) => set == set_id,
            Self::Task(code) => task == Some(code.as_str()),
            Self::Controller(denied) => controller.is_under(denied.as_str()),
        }
    }
}

/// The last of some wills: of the last day the last authored, or the last archived where one of that day's says no time.
fn last<'w>(wills: impl Iterator<Item = &'w Will> + Clone) -> Option<&'w Will> {
    let day = wills.clone().map(|will| will.day).max()?;
    let of_day = wills.filter(|will| will.day == day);
    let is_dated_only = of_day.clone().any(|will| will.authored == super::time::start_of_day(will.day));
    of_day.max_by_key(|will| (if is_dated_only { Moment::from_micros(0) } else { will.authored }, will.position))
}

impl Edition {
    /// Reads `2.0`, or `2`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str| if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None };
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        Some(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl std::fmt::Display for Edition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Said {
    /// The number kept in the database.
    #[must_use]
    pub const fn number(&self) -> i16 {
        match self {
            Self::Informed { .. } => 1,
            Self::Permitted(_) => 2,
            Self::Denials(_) => 3,
            Self::Cancelled(_) => 4,
        }
    }

    /// The words kept in the database, a line for each thing said, each with its end: `document OID`, `task CODE`, `controller OID`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Informed { edition } => format!("edition {edition}\n"),
            Self::Permitted(permitted) => format!("permitted {permitted}\n"),
            Self::Denials(denied) => denied
                .iter()
                .map(|denied| match denied {
                    Denied::Document(set) => format!("document {set}\n"),
                    Denied::Task(code) => format!("task {code}\n"),
                    Denied::Controller(controller) => format!("controller {controller}\n"),
                })
                .collect(),
            Self::Cancelled(named) => named.iter().map(|id| format!("document {id}\n")).collect(),
        }
    }

    /// Reads number and words; `None` for what [`Said::text`] never wrote.
    #[must_use]
    pub fn read(number: i16, text: &str) -> Option<Self> {
        let words = || text.lines().map(|line| line.split_once(' '));
        let one = |key: &str| match words().collect::<Vec<_>>().as_slice() {
            [Some((word, value))] if *word == key => Some((*value).to_owned()),
            _ => None,
        };
        let said = match number {
            1 => Self::Informed { edition: Edition::parse(&one("edition")?)? },
            2 => Self::Permitted(one("permitted")?.parse().ok()?),
            3 => Self::Denials(
                words()
                    .map(|line| {
                        let (word, value) = line?;
                        Some(match word {
                            "document" => Denied::Document(Oid::parse(value).ok()?),
                            "task" => Denied::Task(value.to_owned()),
                            "controller" => Denied::Controller(Oid::parse(value).ok()?),
                            _ => return None,
                        })
                    })
                    .collect::<Option<_>>()?,
            ),
            4 => Self::Cancelled(
                words().map(|line| line.filter(|(word, _)| *word == "document").and_then(|(_, id)| Oid::parse(id).ok())).collect::<Option<_>>()?,
            ),
            _ => return None,
        };
        (said.text() == text).then_some(said)
    }

    /// The documents that it names and that must be there: the sets denied, or the denials that end. Each once.
    #[must_use]
    pub fn names(&self) -> Vec<&Oid> {
        let mut seen = HashSet::new();
        let ids: Vec<&Oid> = match self {
            Self::Informed { .. } | Self::Permitted(_) => Vec::new(),
            Self::Denials(denied) => denied.iter().filter_map(|denied| if let Denied::Document(set) = denied { Some(set) } else { None }).collect(),
            Self::Cancelled(named) => named.iter().collect(),
        };
        ids.into_iter().filter(|id| seen.insert(*id)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::time::start_of_day;

    const LEAST: Edition = Edition { major: 2, minor: 0 };
    const DAY: Date = Date { year: 2026, month: 11, day: 2 };

    fn oid(n: u64) -> Oid {
        Oid::parse(&format!("1.2.{n}")).unwrap()
    }

    /// The n-th will of the archive: the first version of a set of its own, authored an hour after the one before.
    fn will(n: u64, said: Said) -> Will {
        let authored = Moment::from_micros(start_of_day(DAY).micros() + i64::try_from(n).unwrap() * 3_600_000_000);
        Will { document: oid(n), set_id: oid(n), version: 1, position: Position(n), authored, archived_at: authored, day: DAY, is_valid: true, said }
    }

    fn version(n: u64, of: u64, number: u32, said: Said) -> Will {
        Will { set_id: oid(of), version: number, ..will(n, said) }
    }

    fn at(rows: &[Will]) -> Wills {
        let newest = rows.iter().map(|w| w.position).max();
        ClientWills { rows: rows.to_vec(), newest, is_cut: false }.at(Moment::from_micros(start_of_day(DAY).micros() + 100 * 3_600_000_000), LEAST)
    }

    fn informed(major: u16) -> Said {
        Said::Informed { edition: Edition { major, minor: 0 } }
    }

    fn task(code: &str) -> Denied {
        Denied::Task(code.to_owned())
    }

    #[test]
    fn nothing_said_is_nothing_in_force() {
        assert_eq!(at(&[]), Wills::default());
    }

    #[test]
    fn the_last_permission_counts_and_may_be_a_no() {
        let (yes, no) = (will(2, Said::Permitted(true)), will(3, Said::Permitted(false)));
        assert_eq!(at(std::slice::from_ref(&yes)).permission, Some(oid(2)));
        assert_eq!(at(&[yes.clone(), no.clone()]).permission, None);
        // What was authored later counts, whatever came first.
        let late = Will { position: Position(1), ..no.clone() };
        assert_eq!(at(&[late, yes.clone()]).permission, None);
        // An invalidated withdrawal was never made.
        let gone = Will { is_valid: false, ..no };
        assert_eq!(at(&[yes.clone(), gone]).permission, Some(oid(2)));
        // What is not yet authored is not in force.
        let before = ClientWills { rows: vec![yes.clone()], newest: None, is_cut: false };
        assert_eq!(before.at(Moment::from_micros(yes.authored.micros() - 1), LEAST).permission, None);
        assert_eq!(before.at(yes.authored, LEAST).permission, Some(oid(2)));
        // Where not all were read, nothing is permitted.
        assert_eq!(ClientWills { is_cut: true, ..before }.at(yes.authored, LEAST).permission, None);
    }

    #[test]
    fn a_day_without_a_time_is_settled_by_what_was_archived_last() {
        let yes = will(2, Said::Permitted(true));
        let no = Will { authored: start_of_day(DAY), ..will(3, Said::Permitted(false)) };
        assert_eq!(at(&[yes.clone(), no.clone()]).permission, None);
        let first = Will { position: Position(1), ..no };
        assert_eq!(at(&[first, yes]).permission, Some(oid(2)));
    }

    #[test]
    fn a_version_replaces_what_its_set_said() {
        let first = will(2, Said::Denials(vec![task("24"), task("25")]));
        let second = version(3, 2, 2, Said::Denials(vec![task("25")]));
        assert_eq!(at(&[first.clone(), second.clone()]).denials, [(task("25"), oid(3))]);
        let gone = Will { is_valid: false, ..second };
        assert_eq!(at(&[first.clone(), gone]).denials.len(), 2);
        let empty = version(3, 2, 2, Said::Denials(Vec::new()));
        assert!(at(&[first, empty]).denials.is_empty());
    }

    #[test]
    fn a_cancellation_ends_what_was_denied_before_it() {
        let denial = will(2, Said::Denials(vec![task("24")]));
        let other = will(3, Said::Denials(vec![Denied::Document(oid(77))]));
        let cancels = |id| will(4, Said::Cancelled(vec![id]));
        assert_eq!(at(&[denial.clone(), other.clone(), cancels(oid(2))]).denials, [(Denied::Document(oid(77)), oid(3))]);
        // A version's id names its set.
        let second = version(3, 2, 2, Said::Denials(vec![task("24")]));
        assert!(at(&[denial.clone(), second.clone(), cancels(oid(2))]).denials.is_empty());
        assert!(at(&[denial.clone(), second, cancels(oid(3))]).denials.is_empty());
        // What is denied anew after it holds.
        let anew = version(5, 2, 2, Said::Denials(vec![task("24")]));
        assert_eq!(at(&[denial.clone(), cancels(oid(2)), anew]).denials, [(task("24"), oid(5))]);
        // A cancellation that is taken back ends nothing.
        let gone = Will { is_valid: false, ..cancels(oid(2)) };
        assert_eq!(at(&[denial, gone]).denials.len(), 1);
    }

    #[test]
    fn only_editions_from_the_least_one_inform() {
        assert_eq!(at(&[will(1, informed(1))]).informing, None);
        assert_eq!(at(&[will(1, informed(2)), will(2, informed(1))]).informing, Some(oid(1)));
        assert_eq!(at(&[will(1, informed(2)), will(2, informed(3))]).informing, Some(oid(2)));
    }

    #[test]
    fn a_denial_hits_its_document_its_task_or_its_controller() {
        let controller = Oid::parse("1.2.246.10.1").unwrap();
        let hits = |denied: Denied| denied.hits(&oid(5), Some("24"), &controller);
        assert!(hits(Denied::Document(oid(5))) && !hits(Denied::Document(oid(6))));
        assert!(hits(task("24")) && !hits(task("25")));
        assert!(hits(Denied::Controller(controller.clone())) && hits(Denied::Controller(Oid::parse("1.2.246.10").unwrap())));
        assert!(!hits(Denied::Controller(Oid::parse("1.2.246.10.11").unwrap())));
        assert!(!task("24").hits(&oid(5), None, &controller));
    }

    #[test]
    fn what_is_said_is_read_again() {
        let all = [
            informed(2),
            Said::Permitted(true),
            Said::Permitted(false),
            Said::Denials(Vec::new()),
            Said::Denials(vec![Denied::Document(oid(5)), task("24"), Denied::Controller(oid(7))]),
            Said::Cancelled(vec![oid(1), oid(2)]),
        ];
        for said in all {
            assert_eq!(Said::read(said.number(), &said.text()), Some(said));
        }
        for (number, text) in
            [(0, ""), (1, "edition x\n"), (1, ""), (2, "permitted yes\n"), (2, "permitted true"), (3, "denied 1.2.3\n"), (4, "task 24\n"), (5, "")]
        {
            assert_eq!(Said::read(number, text), None, "{number} {text}");
        }
    }

    /// One more denial never makes fewer denials, and never gives a permission.
    #[test]
    fn one_more_denial_never_allows_more() {
        let all = [task("24"), task("25"), Denied::Document(oid(5)), Denied::Controller(oid(7))];
        for some in 0..16_u64 {
            let mut rows = vec![will(1, Said::Permitted(some % 2 == 0))];
            rows.extend(all.iter().zip(2..).filter(|(_, n)| some >> (n - 2) & 1 == 1).map(|(denied, n)| will(n, Said::Denials(vec![denied.clone()]))));
            let before = at(&rows);
            for more in &all {
                let after = at(&[rows.clone(), vec![will(50, Said::Denials(vec![more.clone()]))]].concat());
                assert!(before.denials.iter().all(|denial| after.denials.contains(denial)));
                assert_eq!(before.permission, after.permission);
            }
        }
    }
}
