//! The key that makes Arkki's system signature. Called on the bounded pool, never on the runtime: a signature costs a quarter of a millisecond or a round to a token.

use crate::domain::outage::Outage;

/// Signs with RSA and SHA-256 (PKCS#1 v1.5), the only algorithm of the profile (documents.md Q15).
pub trait Signer: Send + Sync {
    /// The signature value over these octets (the canonical `SignedInfo`).
    ///
    /// # Errors
    /// An outage of [`Part::Key`](crate::domain::outage::Part::Key) when the key cannot be reached; never a refusal.
    fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, Outage>;

    /// The signer's certificate, DER.
    fn certificate(&self) -> &[u8];
}
