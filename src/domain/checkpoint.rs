//! A checkpoint: what the ledger was at one position, signed with the system's key and kept where the database cannot reach. Each names the one before it.

use super::digest::Digest;
use super::ledger::Position;
use super::time::Moment;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The archive's own name, drawn when its tables were made.
    pub archive: String,
    /// The ledger's last position.
    pub position: Position,
    /// The hash of the entry there.
    pub head: Digest,
    /// When it was made, in whole milliseconds.
    pub at: Moment,
    /// The instance that made it.
    pub instance: String,
    /// The hash of the checkpoint before it; zeros for the first.
    pub before: Digest,
    /// The set of validation material that was in force then.
    pub material: Digest,
    /// SHA-256 of the signer's certificate.
    pub certificate: Digest,
}

impl Statement {
    /// The octets that are signed, in this order for ever. They begin with words that no XML begins with, so that no signature of a document can pass for one.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(b"arkki-checkpoint-1");
        put(&mut out, self.archive.as_bytes());
        out.extend_from_slice(&self.position.0.to_be_bytes());
        out.extend_from_slice(&self.head.0);
        out.extend_from_slice(&self.at.micros().to_be_bytes());
        put(&mut out, self.instance.as_bytes());
        out.extend_from_slice(&self.before.0);
        out.extend_from_slice(&self.material.0);
        out.extend_from_slice(&self.certificate.0);
        out
    }
}

/// A field with its length in four octets.
fn put(out: &mut Vec<u8>, field: &[u8]) {
    out.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(field);
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// What it says.
    pub statement: Statement,
    /// The signature value over the statement's octets.
    pub signature: Vec<u8>,
    /// The signer's certificate, DER.
    pub certificate: Vec<u8>,
    /// SHA-256 of [`Checkpoint::octets`]: what the next one names, and what a time-stamping authority stamps.
    pub hash: Digest,
    /// The RFC 3161 token over `hash`, once there is one.
    pub token: Option<Vec<u8>>,
}

impl Checkpoint {
    /// What `hash` is over: the statement and the signature, each with its length.
    #[must_use]
    pub fn octets(statement: &Statement, signature: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(800);
        put(&mut out, &statement.octets());
        put(&mut out, signature);
        out
    }
}

/// What a piece of validation material is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MaterialKind {
    /// A certificate, DER.
    Certificate,
    /// A revocation list, as the site's file has it (DER or PEM).
    RevocationList,
    /// An OCSP answer, DER.
    OcspAnswer,
}

impl MaterialKind {
    /// The number kept in the database.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Certificate => 1,
            Self::RevocationList => 2,
            Self::OcspAnswer => 3,
        }
    }

    /// Reads the number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Certificate),
            2 => Some(Self::RevocationList),
            3 => Some(Self::OcspAnswer),
            _ => None,
        }
    }
}

/// A piece of what signatures are verified with after their certificates have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// What it is.
    pub kind: MaterialKind,
    /// SHA-256 of the octets.
    pub sha: Digest,
    /// The octets.
    pub octets: Vec<u8>,
    /// Of an OCSP answer: the SHA-256 of the certificate it is about, and when it was given.
    pub about: Option<(Digest, Moment)>,
}
