//! Digests, keys and certificates: the one folder that names OpenSSL. Pure functions on octets; files and tokens are the adapters' business.

pub mod algorithm;
pub mod authority;
pub mod certificate;
pub mod jws;
pub mod key;
pub mod revocation;
pub mod sealed;
mod signing_certificate;
pub mod timestamp;
pub mod trust;

use openssl::hash::MessageDigest;

use crate::domain::digest::Digest;

/// SHA-256 of some octets.
#[must_use]
pub fn sha256(octets: &[u8]) -> Digest {
    Digest(openssl::sha::sha256(octets))
}

/// SHA-256 of octets that lie in pieces, as if they were one.
#[must_use]
pub fn sha256_parts(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}

/// SHA-256 of octets that come one piece after the other.
pub struct Sha256(openssl::sha::Sha256);

impl Sha256 {
    /// Nothing hashed yet.
    #[must_use]
    pub fn new() -> Self {
        Self(openssl::sha::Sha256::new())
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finish())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// HMAC-SHA-256 with a site's own key: tells equal from other without telling what.
///
/// # Errors
/// When OpenSSL refuses, which it does only without memory.
pub fn hmac_sha256(key: &[u8], octets: &[u8]) -> Result<Digest, openssl::error::ErrorStack> {
    let key = openssl::pkey::PKey::hmac(key)?;
    let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), &key)?;
    let value = signer.sign_oneshot_to_vec(octets)?;
    Ok(Digest::from_slice(&value).unwrap_or(Digest::ZERO))
}

/// A key or certificate that cannot be read, made or used. The words are for operators and name no value of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl From<openssl::error::ErrorStack> for Fault {
    /// Keeps OpenSSL's reason words, drops its data fields, which may quote the input.
    fn from(stack: openssl::error::ErrorStack) -> Self {
        let reason = stack.errors().last().and_then(openssl::error::Error::reason).unwrap_or("no reason given");
        Self(format!("OpenSSL: {reason}"))
    }
}
