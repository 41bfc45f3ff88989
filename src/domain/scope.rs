//! What a search may look at: whose registers, and what of them is withheld. It goes into the statement itself, so that no count, no "too many" and no way to
//! narrow a search tells that anything was withheld.

use super::document::Group;
use super::oid::Oid;
use super::query::Registers;

/// The most denials that a statement names. A client with more of them has denied all there is to deny: everything is withheld.
pub const DENIALS: usize = 10_000;

/// What a search may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Whose registers.
    pub within: Within,
    /// What of them is withheld.
    pub withheld: Withheld,
}

/// Whose registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// These.
    These(Registers),
    /// Every register but these: the asker's own.
    AllBut(Registers),
}

/// What is withheld. Nothing of it leaves the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withheld {
    /// All of it.
    pub everything: bool,
    /// Documents of these sets.
    pub sets: Vec<Oid>,
    /// Documents of these service tasks.
    pub tasks: Vec<String>,
    /// Documents of these controllers, and of those under their OID.
    pub controllers: Vec<Oid>,
    /// Documents of these groups.
    pub groups: Vec<Group>,
    /// What is invalidated now, or was at the moment that is asked for.
    pub invalidated: bool,
    /// Documents of the first registers that do not lie in the second: whose systems do not manage disclosures.
    pub unmanaged: Option<(Registers, Registers)>,
}

impl Scope {
    /// These registers, and nothing withheld.
    #[must_use]
    pub fn of(registers: Registers) -> Self {
        Self { within: Within::These(registers), withheld: Withheld::default() }
    }

    /// Whether a controller's register is looked into.
    #[must_use]
    pub fn covers(&self, controller: &Oid) -> bool {
        match &self.within {
            Within::These(registers) => registers.cover(controller),
            Within::AllBut(own) => !own.cover(controller),
        }
    }

    /// For the access log: the registers, or the asker's own where all others are looked into, for the search is its act.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.within {
            Within::These(registers) | Within::AllBut(registers) => registers.shown(),
        }
    }
}
