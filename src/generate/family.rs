//! The documents of one synthetic client, linked as the archive wants them: a relation, a case and what hangs on it; an old relation, its closed case and what hangs on that.

use super::document::{Body, DocumentSpec, Organisation, Professional};
use super::person::Person;
use super::random::Random;
use super::terms;
use super::writer::{Layout, Prefix, Style};
use crate::domain::document::Group;
use crate::domain::language::Language;
use crate::domain::time::Moment;

/// One client with documents in the order in which they can be archived.
#[derive(Debug, Clone)]
pub struct Family {
    /// The client.
    pub person: Person,
    /// Group 1, live.
    pub relation: DocumentSpec,
    /// Group 2, open.
    pub case: DocumentSpec,
    /// Group 3, PDF/A, hangs on `case`.
    pub phase_one: DocumentSpec,
    /// Group 5, XHTML and JSON, hangs on `case`; a professional's document.
    pub client_document: DocumentSpec,
    /// Group 1, marked old.
    pub old_relation: DocumentSpec,
    /// Group 2, closed, hangs on `old_relation`.
    pub closed_case: DocumentSpec,
    /// Group 4, of 1997, hangs on `closed_case`.
    pub old_document: DocumentSpec,
    /// Group 7.
    pub informing: DocumentSpec,
    /// Group 8.
    pub permission: DocumentSpec,
    /// Group 9.
    pub denial: DocumentSpec,
    root: String,
}

/// 2026-01-05 06:00 UTC: the first moment at which a generated document may be authored; the last is 300 days later, before the samples' signature time.
const FIRST: i64 = 1_767_592_800;

impl Family {
    /// A client and documents from a seed. Ids lie under the sample organisation's node 95, year 2026 and `series`: two families share no id
    /// when their series differ.
    #[must_use]
    pub fn new(seed: u64, series: u64, language: Language) -> Self {
        let mut random = Random::new(seed);
        let person = Person::random(&mut random, language);
        Self::of(person, seed, series, language)
    }

    /// The documents of a given client.
    #[must_use]
    pub fn of(person: Person, seed: u64, series: u64, language: Language) -> Self {
        let mut random = Random::new(seed).fork(2);
        let root = format!("{}.95.2026.{series}", Organisation::SAMPLE.node);
        let opened = FIRST + i64::try_from(random.below(280)).unwrap_or(0) * 86_400;
        let style = style(&mut random);
        let make = |number: u64, group: Group, body: Body| {
            let id = format!("{root}.{number}");
            let authored = Moment::from_seconds(opened + i64::try_from(number).unwrap_or(0) * 3600).to_hl7();
            DocumentSpec {
                group,
                language,
                set_id: id.clone(),
                id,
                version: 1,
                replaces: None,
                person: person.clone(),
                controller: Organisation::SAMPLE,
                created: authored.clone(),
                authored,
                task: terms::FAMILIES,
                original_task: None,
                case_id: None,
                relation_id: None,
                period: (Moment::from_seconds(opened).to_hl7().get(..8).unwrap_or("20260105").to_owned(), None),
                old_relation: false,
                body,
                body_octets: 0,
                professional: None,
                signed: false,
                said: None,
                style,
                seed: seed.wrapping_add(number),
            }
        };
        let relation_id = Some(format!("{root}.101"));
        let case_id = Some(format!("{root}.102"));
        let old_relation_id = Some(format!("{root}.103"));
        let closed_case_id = Some(format!("{root}.104"));
        let past = ("19960101".to_owned(), Some("19991231".to_owned()));
        let relation = DocumentSpec { relation_id: relation_id.clone(), ..make(1, Group::ClientRelation, Body::Structured) };
        let case = DocumentSpec { relation_id, case_id: case_id.clone(), ..make(2, Group::Case, Body::Structured) };
        let professional = Some(Professional::SAMPLE);
        let phase_one = DocumentSpec { case_id: case_id.clone(), professional, ..make(3, Group::PhaseOne, Body::Pdf) };
        let client_document = DocumentSpec { case_id, professional, signed: true, ..make(4, Group::Client, Body::Structured) };
        let old_relation =
            DocumentSpec { relation_id: old_relation_id.clone(), old_relation: true, period: past.clone(), ..make(5, Group::ClientRelation, Body::Structured) };
        let closed_case = DocumentSpec {
            relation_id: old_relation_id,
            case_id: closed_case_id.clone(),
            period: past,
            task: terms::FAMILY_LAW,
            ..make(6, Group::Case, Body::Structured)
        };
        let old_document = DocumentSpec {
            case_id: closed_case_id,
            authored: "19970514".to_owned(),
            task: terms::FAMILY_LAW,
            original_task: Some(terms::CHILD_MAINTENANCE_1989),
            ..make(7, Group::Old, Body::Pdf)
        };
        let permission = make(8, Group::Permission, Body::Structured);
        let informing = make(10, Group::Informing, Body::Structured);
        let denial = make(9, Group::Denial, Body::Structured);
        Self { person, relation, case, phase_one, client_document, old_relation, closed_case, old_document, informing, permission, denial, root }
    }

    /// An id of this family's series; numbers up to 199 are its own documents' and links'.
    #[must_use]
    pub fn id(&self, number: u64) -> String {
        format!("{}.{number}", self.root)
    }

    /// A document of a group; of groups 1 and 2 the live relation's.
    #[must_use]
    pub const fn of_group(&self, group: Group) -> &DocumentSpec {
        match group {
            Group::ClientRelation => &self.relation,
            Group::Case => &self.case,
            Group::PhaseOne => &self.phase_one,
            Group::Old => &self.old_document,
            // None outside the register is made here.
            Group::Client | Group::Other => &self.client_document,
            Group::Informing => &self.informing,
            Group::Permission => &self.permission,
            Group::Denial => &self.denial,
        }
    }

    /// A number that another family's seldom is: the messages about it are told apart by it.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.relation.seed
    }

    /// All ten documents in an order in which every link resolves.
    #[must_use]
    pub fn in_order(&self) -> [&DocumentSpec; 10] {
        [
            &self.relation,
            &self.case,
            &self.phase_one,
            &self.client_document,
            &self.old_relation,
            &self.closed_case,
            &self.old_document,
            &self.informing,
            &self.permission,
            &self.denial,
        ]
    }
}

fn style(random: &mut Random) -> Style {
    let prefix = match random.below(3) {
        0 => Prefix::Each,
        1 => Prefix::Default,
        _ => Prefix::Root,
    };
    Style { prefix, layout: if random.one_in(4) { Layout::OneLine } else { Layout::Indented } }
}
