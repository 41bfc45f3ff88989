//! Digests, keys and certificates: the one folder that names OpenSSL. Pure functions on octets; files and tokens are the adapters' business.

pub mod certificate;
pub mod key;

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
    let mut hasher = openssl::sha::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finish())
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
