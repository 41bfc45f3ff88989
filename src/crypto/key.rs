//! Private keys read from PEM octets.

use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;

use super::Fault;
use super::certificate::Certificate;

/// The RSA sizes Arkki signs with, in bits: below is weak, above is slow without need (documents.md §4.4).
const BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

/// An RSA key that makes signatures. Its octets are never shown.
pub struct SigningKey {
    key: PKey<Private>,
}

impl SigningKey {
    /// Reads an unencrypted PEM key (PKCS#8 or PKCS#1) and checks that its parts belong together.
    ///
    /// # Errors
    /// Not a key, encrypted, not RSA, of another size than 2048–4096 bits, or broken.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Fault> {
        // The callback answers "no pass phrase": without it OpenSSL would ask at the terminal and wait.
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| Fault::new("no unencrypted PEM private key in it"))?;
        if key.id() != Id::RSA {
            return Err(Fault::new("the key is not RSA: the profile signs with RSA and SHA-256 only"));
        }
        if !BITS.contains(&key.bits()) {
            return Err(Fault::new(format!("the RSA key has {} bits; {} to {} are used", key.bits(), BITS.start(), BITS.end())));
        }
        if !key.rsa()?.check_key()? {
            return Err(Fault::new("the parts of the RSA key do not belong together"));
        }
        Ok(Self { key })
    }

    pub(super) const fn from_key(key: PKey<Private>) -> Self {
        Self { key }
    }

    /// Signs with RSA PKCS#1 v1.5 and SHA-256.
    ///
    /// # Errors
    /// When OpenSSL refuses, which it does only without memory.
    pub fn sign_sha256(&self, octets: &[u8]) -> Result<Vec<u8>, Fault> {
        let digest = super::sha256(octets);
        let mut context = PkeyCtx::new(&self.key)?;
        context.sign_init()?;
        context.set_rsa_padding(Padding::PKCS1)?;
        context.set_signature_md(openssl::md::Md::sha256())?;
        let mut value = Vec::with_capacity(self.key.size());
        context.sign_to_vec(&digest.0, &mut value)?;
        Ok(value)
    }

    /// Whether this is the private half of the certificate's key.
    #[must_use]
    pub fn belongs_to(&self, certificate: &Certificate) -> bool {
        certificate.holds(&self.key)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(RSA {})", self.key.bits())
    }
}
