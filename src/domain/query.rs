//! What may be asked of the archive, and what it found: criteria that must all hold, the registers that may be looked into, hits, and the ways to
//! narrow a search that found too many (messaging.md §3.2).

use std::collections::BTreeMap;

use super::ack::InstanceId;
use super::digest::Digest;
use super::document::{Date, Group, Header};
use super::limits::DATES_ALONE_DAYS;
use super::log::Sealed;
use super::oid::Oid;
use super::time::{Moment, days_of_date};

/// A query as it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What is wanted of each document.
    pub want: Want,
    /// `queryId`, which the answer repeats.
    pub id: Option<InstanceId>,
    /// What must hold.
    pub criteria: Criteria,
    /// The most documents that the asker takes; never more than `limits::QUERY_HITS`.
    pub limit: u32,
    /// Who asks, and on what ground.
    pub asker: Asker,
    /// The ids behind the keyed hashes, for the logs only.
    pub sealed: SealedIds,
}

/// The ids of a query as the logs keep them: only exports can read them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedIds {
    /// The client asked for.
    pub client: Option<Sealed>,
    /// The person who asked, and the name where the frame gave one.
    pub person: Option<Sealed>,
}

/// What is wanted of each document found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Want {
    /// Its describing data (kuvailutiedot, beskrivningsuppgifter).
    Metadata,
    /// Its octets as well.
    Documents,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// On what ground.
    pub basis: Basis,
    /// The organisation on whose behalf (`authorOrPerformer/…/representedOrganization/id`).
    pub organisation: Option<Oid>,
    /// The person, as a keyed hash of the id that stood there.
    pub person: Option<Digest>,
    /// The ground in law that it names, by its code in `codes/disclosure.toml`; only where it rests on one.
    pub ground: Option<String>,
}

/// On what ground documents are asked for (messaging.md §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The asker's own register.
    OwnRegister,
    /// The right to use another's register (rekisterinkäyttöoikeus, rätt att använda register).
    RegisterRight,
    /// The client's permission (luovutuslupa, tillstånd).
    Permission,
    /// A right of access in law (tiedonsaantioikeus, rätt att få uppgifter).
    Statute,
    /// The will expressions of a named client (Tahdonilmaisupalvelu, Viljeyttringstjänsten): nothing else, and of every register.
    Wills,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::OwnRegister, Self::RegisterRight, Self::Permission, Self::Statute, Self::Wills];

    /// As data files write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnRegister => "own-register",
            Self::RegisterRight => "register-right",
            Self::Permission => "permission",
            Self::Statute => "statute",
            Self::Wills => "wills",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|b| b.as_str() == text)
    }
}

/// What must hold of a document, all of it. Empty lists and `None` ask nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// The client, as the keyed hash that documents bear.
    pub client: Option<Digest>,
    /// The service task's code.
    pub service_task: Option<String>,
    /// The general document type's code.
    pub general_type: Option<String>,
    /// The specific document type's code.
    pub specific_type: Option<String>,
    /// The case it makes or hangs on.
    pub case_id: Option<Oid>,
    /// The client relation it makes or hangs on.
    pub relation_id: Option<Oid>,
    /// Authored on this day or later.
    pub from: Option<Date>,
    /// Authored on this day or earlier.
    pub to: Option<Date>,
    /// The document group.
    pub group: Option<Group>,
    /// The controller.
    pub controller: Option<Oid>,
    /// One of these documents.
    pub ids: Vec<Oid>,
    /// Of one of these sets.
    pub sets: Vec<Oid>,
    /// Valid or invalidated.
    pub state: WantedState,
    /// Every version instead of the latest only. A document that is asked for by its id is that version.
    pub all_versions: bool,
    /// As the archive stood at this moment.
    pub as_of: Option<Moment>,
}

impl Criteria {
    /// The criteria that are there, by the keys of `codes/query.toml`: what a log may say of a search, for it tells no value.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        [
            (self.client.is_some(), "client"),
            (self.service_task.is_some(), "service-task"),
            (self.general_type.is_some(), "general-type"),
            (self.specific_type.is_some(), "specific-type"),
            (self.case_id.is_some(), "case"),
            (self.relation_id.is_some(), "relation"),
            (self.from.is_some() || self.to.is_some(), "authored"),
            (self.group.is_some(), "group"),
            (self.controller.is_some(), "controller"),
            (!self.ids.is_empty(), "document"),
            (!self.sets.is_empty(), "set"),
            (self.state != WantedState::Valid, "state"),
            (self.all_versions, "versions"),
            (self.as_of.is_some(), "as-of"),
        ]
        .into_iter()
        .filter_map(|(is_there, name)| is_there.then_some(name))
        .collect()
    }

    /// What forbids these criteria together, by its key in `codes/words.toml`.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let span = self.from.zip(self.to).map(|(from, to)| days_of_date(to) - days_of_date(from));
        let asks_nothing = self.names().iter().all(|name| matches!(*name, "state" | "versions" | "as-of"));
        match span {
            _ if asks_nothing => Some("query-none"),
            Some(days) if days < 0 => Some("query-order"),
            _ if self.is_narrow() => None,
            None => Some("query-broad"),
            Some(days) => (days >= DATES_ALONE_DAYS).then_some("query-dates-alone"),
        }
    }

    /// Whether one of the criteria that an index answers is there: without one a search would walk through the archive.
    #[must_use]
    pub const fn is_narrow(&self) -> bool {
        self.client.is_some() || self.case_id.is_some() || self.relation_id.is_some() || !self.ids.is_empty() || !self.sets.is_empty()
    }
}

/// Which states are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum WantedState {
    /// Valid documents only.
    #[default]
    Valid,
    /// Invalidated documents only.
    Invalidated,
    /// Both.
    Any,
}

impl WantedState {
    /// As `codes/query.toml` and the command line write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [("valid", Self::Valid), ("invalidated", Self::Invalidated), ("any", Self::Any)].into_iter().find(|(name, _)| *name == text).map(|(_, state)| state)
    }
}

/// The registers that a search may look into: controllers by their OID, or every controller of an organisation. Never empty where a search is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers(Vec<Register>);

/// One register, or an organisation's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Register {
    /// The register of this controller.
    Controller(Oid),
    /// The registers of controllers under this OID.
    Organisation(Oid),
    /// The will expressions of every register, and nothing else of them. The other registers never show a will expression.
    Wills,
}

impl Registers {
    /// Registers that a decision allows.
    #[must_use]
    pub const fn new(registers: Vec<Register>) -> Self {
        Self(registers)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Register> {
        self.0.iter()
    }

    /// Whether a controller's register is among them.
    #[must_use]
    pub fn cover(&self, controller: &Oid) -> bool {
        self.0.iter().any(|register| match register {
            Register::Controller(oid) => oid == controller,
            Register::Organisation(root) => controller.is_under(root.as_str()),
            Register::Wills => false,
        })
    }

    /// Their OIDs with commas, for the access log; `*` for the will expressions of all.
    #[must_use]
    pub fn shown(&self) -> String {
        self.0.iter().map(|register| register.oid().map_or("*", Oid::as_str)).collect::<Vec<_>>().join(",")
    }
}

impl Register {
    /// Its OID; the will expressions of all have none.
    #[must_use]
    pub const fn oid(&self) -> Option<&Oid> {
        match self {
            Self::Controller(oid) | Self::Organisation(oid) => Some(oid),
            Self::Wills => None,
        }
    }
}

/// One document found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Its header facts.
    pub header: Header,
    /// Whether it is valid, now or at the moment asked for.
    pub is_valid: bool,
    /// SHA-256 of its archived octets.
    pub archived: Digest,
    /// When it was archived.
    pub archived_at: Moment,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// All of it, newest authored first.
    Hits(Vec<Hit>),
    /// More than the limit: no part of it, and how to ask for less.
    TooMany(Narrowing),
    /// The search did not end within its time: no part of it.
    TooSlow,
    /// Describing data that cannot be read are among what it found: damage, which an audit tells. The documents whose ids can be read.
    Damaged(Vec<Oid>),
}

/// How a search that found too many falls apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// How many documents were counted.
    pub counted: u64,
    /// The count stopped at its bound: there are at least that many.
    pub is_more: bool,
    /// For each way to narrow, its values with their counts, the most frequent first.
    pub ways: Vec<(Way, Vec<Choice>)>,
    /// The counts while they are made, in the order of [`Way::ALL`]: each bundle may bring a value that none before it had.
    counts: [BTreeMap<Option<String>, u64>; Way::ALL.len()],
}

/// One value to narrow by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The value; `None` for documents that have none.
    pub value: Option<String>,
    /// How many documents have it.
    pub count: u64,
}

/// A way to narrow a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// By the year of authoring.
    Year,
    /// By service task.
    ServiceTask,
    /// By case.
    Case,
    /// By general type.
    GeneralType,
    /// By specific type.
    SpecificType,
    /// By document group.
    Group,
}

impl Way {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] = [Self::Year, Self::ServiceTask, Self::Case, Self::GeneralType, Self::SpecificType, Self::Group];

    /// The word's key in `codes/words.toml` (with `by-` before it) and the name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::ServiceTask => "service-task",
            Self::Case => "case",
            Self::GeneralType => "general-type",
            Self::SpecificType => "specific-type",
            Self::Group => "group",
        }
    }
}

impl Narrowing {
    /// Adds a bundle of documents that are alike in every way; [`Way::ALL`] gives the order of the values.
    pub fn add(&mut self, values: [Option<String>; Way::ALL.len()], count: u64) {
        self.counted += count;
        for (counts, value) in self.counts.iter_mut().zip(values) {
            *counts.entry(value).or_default() += count;
        }
    }

    /// Sorted, with at most `most` choices a way; what does not narrow (one value for all) is left out.
    #[must_use]
    pub fn finished(mut self, most: usize) -> Self {
        for (way, counts) in Way::ALL.into_iter().zip(std::mem::take(&mut self.counts)).filter(|(_, counts)| counts.len() > 1) {
            let mut choices: Vec<Choice> = counts.into_iter().map(|(value, count)| Choice { value, count }).collect();
            choices.sort_by(|a, b| match way {
                Way::Year => b.value.cmp(&a.value),
                _ => b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)),
            });
            choices.truncate(most);
            self.ways.push((way, choices));
        }
        self
    }
}

/// The octets of documents fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// Each document's archived octets, in the order asked; `None` where they are not there or not what was archived: damage, which an audit tells.
    Octets(Vec<Option<Vec<u8>>>),
    /// Together they have this many octets, more than was allowed.
    TooLarge(u64),
    /// Reading them did not end within its time.
    TooSlow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_narrowed_by_what_tells_documents_apart() {
        let mut narrowing = Narrowing::default();
        let value = |text: &str| Some(text.to_owned());
        for (year, task, count) in [("2025", "24", 3), ("2026", "24", 5), ("2026", "25", 1)] {
            narrowing.add([value(year), value(task), None, value("15"), None, value("5")], count);
        }
        let narrowing = narrowing.finished(10);
        assert_eq!(narrowing.counted, 9);
        let ways: Vec<Way> = narrowing.ways.iter().map(|(way, _)| *way).collect();
        assert_eq!(ways, [Way::Year, Way::ServiceTask]);
        assert_eq!(narrowing.ways[0].1, [Choice { value: value("2026"), count: 6 }, Choice { value: value("2025"), count: 3 }]);
        assert_eq!(narrowing.ways[1].1[0], Choice { value: value("24"), count: 8 });
    }

    #[test]
    fn a_search_that_falls_apart_into_as_many_cases_as_documents_is_counted_quickly() {
        let begun = std::time::Instant::now();
        let mut narrowing = Narrowing::default();
        for number in 0..20_000 {
            narrowing.add([None, None, Some(format!("1.2.246.10.99999992.14.2026.{number}")), None, None, None], 1);
        }
        let narrowing = narrowing.finished(10);
        assert_eq!((narrowing.counted, narrowing.ways.len(), narrowing.ways[0].1.len()), (20_000, 1, 10));
        // A walk through the choices for each document takes 200 million comparisons: many seconds in a test build.
        assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[test]
    fn criteria_must_lead_somewhere() {
        let day = |year, month, day| Some(Date { year, month, day });
        let with = |change: fn(&mut Criteria)| {
            let mut criteria = Criteria::default();
            change(&mut criteria);
            criteria
        };
        assert_eq!(with(|c| c.all_versions = true).fault(), Some("query-none"));
        assert_eq!(with(|c| c.group = Some(Group::Case)).fault(), Some("query-broad"));
        assert_eq!(with(|c| c.client = Some(Digest::ZERO)).fault(), None);
        let span = |from, to| Criteria { from, to, group: Some(Group::Old), ..Criteria::default() };
        assert_eq!(span(day(2026, 1, 1), day(2026, 12, 31)).fault(), None);
        assert_eq!(span(day(2025, 1, 1), day(2026, 12, 31)).fault(), Some("query-dates-alone"));
        assert_eq!(span(day(2026, 2, 1), day(2026, 1, 31)).fault(), Some("query-order"));
        assert_eq!(span(day(2026, 2, 1), None).fault(), Some("query-broad"));
        assert_eq!(Criteria { client: Some(Digest::ZERO), ..span(None, day(2026, 1, 31)) }.fault(), None);
    }

    #[test]
    fn an_organisations_registers_are_its_own_and_nobody_elses() {
        let oid = |text: &str| Oid::parse(text).unwrap_or_else(|_| unreachable!());
        let own = Registers::new(vec![Register::Organisation(oid("1.2.246.10.99999992"))]);
        assert!(own.cover(&oid("1.2.246.10.99999992.19.1")));
        assert!(!own.cover(&oid("1.2.246.10.999999921.19.1")));
        let one = Registers::new(vec![Register::Controller(oid("1.2.246.10.99999992.10.0"))]);
        assert!(!one.cover(&oid("1.2.246.10.99999992.10.0.1")));
    }
}
