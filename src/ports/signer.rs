//! The key that makes Arkki's system signature. Called on the bounded pool, never on the runtime: a signature costs a quarter of a millisecond or a round to a token.

use crate::crypto::algorithm::Algorithm;
use crate::domain::outage::Outage;

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
