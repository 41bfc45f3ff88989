//! What a query stands on: all that is the same for every document it may touch. It says whether anything is searched at all, what the search leaves out,
//! and of each document found what the decision looks at: statement and decision come from the same table.

use super::decide;
use crate::codes::disclosure::Ground;
use crate::domain::code::Code;
use crate::domain::disclosure::{Channel, Denial, Known, Material, Recipient, Rests, Rule, Section, Situation, Table, Validity, Whose};
use crate::domain::document::{Group, Header};
use crate::domain::oid::Oid;
use crate::domain::query::{Basis, Registers};
use crate::domain::scope::{DENIALS, Scope, Withheld, Within};
use crate::domain::will::{Denied, Wills};

/// What a query stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// On what ground it asks.
    pub basis: Basis,
    /// The section of law that it names.
    pub ground: Option<Ground>,
    /// Whether it names a purpose of use.
    pub has_purpose: bool,
    /// Whether the asker's systems manage disclosures.
    pub manages: bool,
    /// Whether the asker has a client relation or a case of the client.
    pub is_linked: bool,
    /// What the client has said.
    pub wills: Wills,
    /// The asker's own registers.
    pub own: Registers,
    /// The registers that the asker may use by agreement.
    pub rights: Registers,
    /// The registers whose systems do not manage disclosures, but for the second ones.
    pub unmanaged: Option<(Registers, Registers)>,
}

impl Standing {
    /// Where nothing but the asker is wanting: the code of the refusal. No document and nothing that a client said has a part in it.
    #[must_use]
    pub fn wanting(&self, table: &Table) -> Option<Code> {
        let best = Situation { informing: Known::Yes, permission: Known::Yes, crossing: Known::Yes, ..self.best() };
        let verdict = decide(&best, table);
        if verdict.is_allowed() { None } else { verdict.rule.refuses }
    }

    /// What the search leaves out: each kind of document that the table denies on today's facts.
    #[must_use]
    pub fn scope(&self, table: &Table) -> Scope {
        let within = match self.basis {
            Basis::OwnRegister | Basis::Wills => Within::These(self.own.clone()),
            Basis::RegisterRight => Within::These(self.rights.clone()),
            Basis::Permission | Basis::Statute => Within::AllBut(self.own.clone()),
        };
        let best = self.best();
        let denied = |situation: Situation| !decide(&situation, table).is_allowed();
        let hit = |denial| denied(Situation { denial, ..best });
        let mut withheld = Withheld {
            everything: denied(best) || self.wills.denials.len() > DENIALS,
            groups: Group::ALL.into_iter().chain([Group::Other]).filter(|group| denied(Situation { material: material(*group), ..best })).collect(),
            invalidated: denied(Situation { state: Validity::Invalidated, ..best }),
            unmanaged: self.unmanaged.clone().filter(|_| denied(Situation { managed: Known::No, ..best })),
            ..Withheld::default()
        };
        let (documents, tasks, controllers) = (hit(Denial::Document), hit(Denial::Task), hit(Denial::Controller));
        for (what, _) in self.wills.denials.iter().take(DENIALS) {
            match what {
                Denied::Document(set) if documents => withheld.sets.push(set.clone()),
                Denied::Task(task) if tasks => withheld.tasks.push(task.clone()),
                Denied::Controller(controller) if controllers => withheld.controllers.push(controller.clone()),
                Denied::Document(_) | Denied::Task(_) | Denied::Controller(_) => {}
            }
        }
        Scope { within, withheld }
    }

    /// The rule that decides one document.
    #[must_use]
    pub fn rule<'t>(&self, header: &Header, is_valid: bool, table: &'t Table) -> Option<&'t Rule> {
        let verdict = decide(&self.situation(header, is_valid), table);
        verdict.is_allowed().then_some(verdict.rule)
    }

    /// What the decision on one document looks at.
    #[must_use]
    pub fn situation(&self, header: &Header, is_valid: bool) -> Situation {
        let is_managed = self.unmanaged.as_ref().is_none_or(|(without, with)| !without.cover(&header.controller) || with.cover(&header.controller));
        Situation {
            register: if self.own.cover(&header.controller) {
                Whose::Own
            } else if self.rights.cover(&header.controller) {
                Whose::ByRight
            } else {
                Whose::Another
            },
            material: material(header.group),
            state: if is_valid { Validity::Valid } else { Validity::Invalidated },
            managed: Known::from(self.manages && is_managed),
            denial: self.wills.denials.iter().find_map(|(what, _)| hits(what, header)).unwrap_or(Denial::None),
            ..self.best()
        }
    }

    /// The situation of a document against which nothing speaks: plain, valid, in a register that the ground is for, denied by nobody.
    fn best(&self) -> Situation {
        let (basis, register) = match self.basis {
            Basis::OwnRegister | Basis::Wills => (Rests::OwnRegister, Whose::Own),
            Basis::RegisterRight => (Rests::RegisterRight, Whose::ByRight),
            Basis::Permission => (Rests::Permission, Whose::Another),
            Basis::Statute => (Rests::Statute, Whose::Another),
        };
        Situation {
            channel: Channel::Archive,
            // Whoever is registered here is of social welfare: the register has no other.
            recipient: Recipient::Social,
            register,
            basis,
            section: match (self.basis, &self.ground) {
                (Basis::Statute, Some(ground)) if ground.wide => Section::Wide,
                (Basis::Statute, Some(_)) => Section::Narrow,
                (Basis::Statute, None) | (Basis::OwnRegister | Basis::RegisterRight | Basis::Permission | Basis::Wills, _) => Section::None,
            },
            material: Material::Ordinary,
            state: Validity::Valid,
            purpose: Known::from(self.has_purpose),
            managed: Known::from(self.manages),
            link: Known::from(self.is_linked),
            informing: Known::from(self.wills.informing.is_some()),
            permission: Known::from(self.wills.permission.is_some()),
            // No system gives this archive a permission between social welfare and health care.
            crossing: Known::No,
            denial: Denial::None,
        }
    }

    /// The denials that were looked at for a document, by the documents that made them: all of the client's, for each could have hit.
    #[must_use]
    pub fn denials(&self) -> Vec<Oid> {
        let mut documents: Vec<Oid> = self.wills.denials.iter().map(|(_, document)| document.clone()).collect();
        documents.sort_unstable();
        documents.dedup();
        documents
    }
}

const fn material(group: Group) -> Material {
    match group {
        Group::ClientRelation | Group::Case | Group::Client => Material::Ordinary,
        Group::PhaseOne => Material::PhaseOne,
        // What belongs to no group of the register is old to it: nothing but the wide right opens it.
        Group::Old | Group::Other => Material::Old,
        Group::Informing | Group::Permission | Group::Denial => Material::Will,
    }
}

fn hits(what: &Denied, header: &Header) -> Option<Denial> {
    let is_hit = what.hits(&header.set_id, header.service_task.as_deref(), &header.controller);
    is_hit.then_some(match what {
        Denied::Document(_) => Denial::Document,
        Denied::Task(_) => Denial::Task,
        Denied::Controller(_) => Denial::Controller,
    })
}
