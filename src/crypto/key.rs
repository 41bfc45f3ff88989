//! Private keys read from PEM octets.

use openssl::ecdsa::EcdsaSig;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;

use super::Fault;
use super::algorithm::Algorithm;
use super::certificate::{Certificate, order_octets};

/// The RSA sizes Arkki signs with, in bits: below is weak, above is slow without need (documents.md §4.4).
const BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

/// A key that makes signatures. Its octets are never shown.
pub struct SigningKey {
    key: PKey<Private>,
    algorithm: Algorithm,
}

impl SigningKey {
    /// Reads an unencrypted PEM key (PKCS#8, PKCS#1 or SEC1) and checks that its parts belong together.
    ///
    /// # Errors
    /// Not a key, encrypted, neither RSA of 2048–4096 bits nor on P-256 or P-384, or broken.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Fault> {
        // The callback answers "no pass phrase": without it OpenSSL would ask at the terminal and wait.
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| Fault::new("no unencrypted PEM private key in it"))?;
        match key.id() {
            Id::RSA if !BITS.contains(&key.bits()) => {
                Err(Fault::new(format!("the RSA key has {} bits; {} to {} are used", key.bits(), BITS.start(), BITS.end())))
            }
            Id::RSA if !key.rsa()?.check_key()? => Err(Fault::new("the parts of the RSA key do not belong together")),
            Id::RSA => Self::from_key(key),
            Id::EC if order_octets(&key).is_none() => Err(Fault::new("the elliptic key is on neither P-256 nor P-384")),
            Id::EC if key.ec_key()?.check_key().is_err() => Err(Fault::new("the parts of the elliptic key do not belong together")),
            Id::EC => Self::from_key(key),
            _ => Err(Fault::new("the key is neither RSA nor on an elliptic curve: no profile signs with it")),
        }
    }

    pub(super) fn from_key(key: PKey<Private>) -> Result<Self, Fault> {
        let algorithm = match key.id() {
            Id::RSA => Algorithm::RsaSha256,
            Id::EC => Algorithm::EcdsaSha256,
            _ => return Err(Fault::new("neither RSA nor an elliptic curve")),
        };
        Ok(Self { key, algorithm })
    }

    /// What it signs with. Whether a profile takes that is the profile's to say.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Signs with the key's [`Algorithm`]; the value as XML Signature wants it.
    ///
    /// # Errors
    /// When OpenSSL refuses, which it does only without memory.
    pub fn sign_sha256(&self, octets: &[u8]) -> Result<Vec<u8>, Fault> {
        let digest = super::sha256(octets);
        let mut context = PkeyCtx::new(&self.key)?;
        context.sign_init()?;
        if self.algorithm == Algorithm::RsaSha256 {
            context.set_rsa_padding(Padding::PKCS1)?;
        }
        context.set_signature_md(openssl::md::Md::sha256())?;
        let mut value = Vec::with_capacity(self.key.size());
        context.sign_to_vec(&digest.0, &mut value)?;
        match order_octets(&self.key) {
            None => Ok(value),
            Some(order) => {
                let pair = EcdsaSig::from_der(&value)?;
                let order = i32::try_from(order).map_err(|_| Fault::new("an order beyond all curves"))?;
                Ok([pair.r().to_vec_padded(order)?, pair.s().to_vec_padded(order)?].concat())
            }
        }
    }

    /// Whether this is the private half of the certificate's key.
    #[must_use]
    pub fn belongs_to(&self, certificate: &Certificate) -> bool {
        certificate.holds(&self.key)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm.as_str(), self.key.bits())
    }
}
