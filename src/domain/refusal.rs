//! The failure that is the sender's to mend: final, stored, answered, with all findings of the stage at once.

use super::ack::AckType;
use super::code::Code;
use super::finding::Finding;

/// At least one finding of severity error, in document order; warnings may stand among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    first: Finding,
    rest: Vec<Finding>,
}

impl Refusal {
    /// A refusal for one finding.
    #[must_use]
    pub const fn one(finding: Finding) -> Self {
        Self { first: finding, rest: Vec::new() }
    }

    /// A refusal if any of the findings is an error; the warnings come back when none is. Errors come before warnings, each in the order given.
    ///
    /// # Errors
    /// The refusal itself.
    pub fn unless_clean(findings: Vec<Finding>) -> Result<Vec<Finding>, Self> {
        let (errors, warnings): (Vec<_>, Vec<_>) = findings.into_iter().partition(Finding::is_error);
        let mut errors = errors.into_iter();
        match errors.next() {
            None => Ok(warnings),
            Some(first) => Err(Self { first, rest: errors.chain(warnings).collect() }),
        }
    }

    /// The code that names this refusal: its first finding's.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.first.code
    }

    /// All findings, the naming one first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// AR if every error may succeed later or elsewhere, else AE.
    #[must_use]
    pub fn ack_type(&self) -> AckType {
        if self.findings().filter(|f| f.is_error()).all(|f| f.code.ack_type() == AckType::Reject) { AckType::Reject } else { AckType::Error }
    }

    /// Whether the decision is final for the same octets under the same rule set.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.findings().filter(|f| f.is_error()).any(|f| f.code.is_final())
    }
}
