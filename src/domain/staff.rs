//! The people of the house who work at the web console: who somebody is, for which organisation, and in which roles.

use std::time::Duration;

use super::oid::Oid;

/// How long broken glass stays broken: somebody sees the archivist's pages beyond the own roles for so long.
pub const GLASS_TIME: Duration = Duration::from_secs(15 * 60);

/// What somebody is trusted to do at the console. One role includes no other: who has two is named with two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Keeps the gateway running: board, messages, refusals. Sees no client's data.
    Operator,
    /// Archivist (arkistonhoitaja, arkivarie): looks up documents of the organisation's own registers, invalidates, reports disclosures.
    Archivist,
    /// Data-protection officer (tietosuojavastaava, dataskyddsombud): reads and exports the logs, holds disclosures against notices.
    Officer,
    /// Sees who may enter, and who is in; ends sessions. Has no other right by that.
    Administrator,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Archivist, Self::Officer, Self::Administrator];

    /// Its word in the configuration and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Archivist => "archivist",
            Self::Officer => "data-protection-officer",
            Self::Administrator => "administrator",
        }
    }

    /// Reads such a word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// How somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A link of one use that the terminal showed.
    Link,
    /// A certificate card (mutual TLS).
    Card,
    /// An OpenID Connect provider.
    OpenId,
}

impl Door {
    /// Its word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Card => "card",
            Self::OpenId => "openid",
        }
    }
}

/// Somebody who came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The key of the person's row in the configuration: what logs call the person. No identity code, and no name unless the site chose one.
    pub key: String,
    /// What the pages call the person.
    pub name: String,
    /// The organisation whose own registers the person works with, and no other's.
    pub organisation: Oid,
    /// In which roles, sorted.
    pub roles: Vec<Role>,
}

impl Person {
    /// Whether the person has this role.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// What the access log and the ledger call whoever did something at the console.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("console:{}", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_by_its_word_alone() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("Operator"), None);
        assert_eq!(Role::parse(""), None);
    }
}
