//! Disclosure: the one decision on a document (`decide`), whose registers a query may look into (`door`), what a query stands on (`standing`), and the
//! table counted out to the last combination (`counted`). All of it pure.

pub mod counted;
pub mod door;
pub mod standing;

pub use self::door::{Asking, Denied, Opened, allowed, opened, own_registers};
pub use self::standing::Standing;

use crate::domain::disclosure::{Situation, Table, Verdict};

/// Decides: the first rule that holds. Total, for the table's last rule always holds; pure, for the situation is all that it looks at.
#[must_use]
pub fn decide<'t>(situation: &Situation, table: &'t Table) -> Verdict<'t> {
    let bits = situation.bits();
    Verdict { rule: table.rules.iter().find(|rule| rule.holds(&bits)).unwrap_or(&table.otherwise) }
}

#[cfg(test)]
mod tests;
