//! The key that makes Arkki's system signature. Called on the bounded pool, never on the runtime: a signature costs a quarter of a millisecond or a round to a token.

use std::sync::Arc;

use crate::crypto::algorithm::Algorithm;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;

/// Which key signs when: keys are changed without a stop.
pub trait Keys: Send + Sync {
    /// The key that signs at this moment.
    fn at(&self, moment: Moment) -> Arc<dyn Signer>;

    /// Whether that key's certificate is in force at this moment: what it signs then could not be verified otherwise.
    ///
    /// # Errors
    /// An outage of [`Part::Key`](crate::domain::outage::Part::Key) until another certificate is in its place.
    fn in_force(&self, _moment: Moment) -> Result<(), Outage> {
        Ok(())
    }
}

/// A key that signs with SHA-256; the national profiles take RSA only (documents.md Q15).
pub trait Signer: Send + Sync {
    /// The signature value over these octets (the canonical `SignedInfo`), as XML Signature wants it: for an elliptic key `r` and `s` side by side.
    ///
    /// # Errors
    /// An outage of [`Part::Key`](crate::domain::outage::Part::Key) when the key cannot be reached; never a refusal.
    fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, Outage>;

    /// What it signs with.
    fn algorithm(&self) -> Algorithm {
        Algorithm::RsaSha256
    }

    /// The signer's certificate, DER.
    fn certificate(&self) -> &[u8];
}
