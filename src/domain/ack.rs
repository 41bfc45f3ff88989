//! The acknowledgement (kuittaus, kvittering) as a value; `v3::ack` renders it.

use super::code::Code;
use super::finding::Finding;
use super::time::Moment;

/// HL7 V3 application acknowledgement types (messaging.md §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckType {
    /// AA: processed, side effects done.
    Accept,
    /// AE: the message must change.
    Error,
    /// AR: the same octets may succeed later or elsewhere.
    Reject,
}

impl AckType {
    /// `AA`, `AE` or `AR`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "AA",
            Self::Error => "AE",
            Self::Reject => "AR",
        }
    }

    /// Reads `AA`, `AE` or `AR`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Accept, Self::Error, Self::Reject].into_iter().find(|t| t.as_str() == text)
    }
}

/// An HL7 instance identifier: root, perhaps with an extension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceId {
    /// The OID as it stood in the message.
    pub root: String,
    /// The extension as it stood in the message.
    pub extension: Option<String>,
}

/// What `targetMessage/id` names (issue's order: the frame's id, a bare document's own, else the AMQP `message_id`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The id that stood in the frame or the bare document.
    Id(InstanceId),
    /// `nullFlavor="NI"` with the AMQP `message_id` as extension, when it is printable ASCII of at most 64 characters.
    Unknown(Option<String>),
}

/// An acknowledgement before it has its place in the ledger. Everything here is fixed before the commit; only the ledger position comes inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckDraft {
    /// AA, AE or AR.
    pub ack_type: AckType,
    /// What is acknowledged.
    pub target: Target,
    /// When it was decided.
    pub at: Moment,
    /// The acknowledgement's own id: root from configuration, extension derived from the message key, so that it never changes.
    pub id: InstanceId,
    /// The receiving device: the frame's sender, or the route's.
    pub receiver: InstanceId,
    /// The sending device: the frame's receiver, or ours from configuration.
    pub sender: InstanceId,
    /// `P`, `T` or `D`.
    pub processing_code: String,
    /// `V3-2005` or `V3-2006`.
    pub version_code: String,
    /// Errors and warnings, in the order of the refusal.
    pub findings: Vec<Finding>,
    /// SHA-256 of the rule set, lower-case hexadecimal.
    pub rules: String,
}

impl AckDraft {
    /// The code that names the outcome: the first finding's when it is an error, else none.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.findings.iter().find(|f| f.is_error()).map(|f| f.code)
    }
}
