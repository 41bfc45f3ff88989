//! Personal values in the logs: AES-256-GCM under a key derived from the site's key, so that only who has that key can read them: the exports.
//! The same value in the same place is sealed to the same octets, since a message decided again must leave the same rows.

use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

use super::{Fault, hmac_sha256};
use crate::domain::log::Sealed;

/// The form of sealed octets: 1, the nonce, the ciphertext, the tag.
const FORM: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
/// The longest value sealed: an id with its root and a person's name are shorter than a tenth of it.
pub const SEALED_OCTETS: usize = 4096;

/// What sort of value it is; a value of one sort does not open as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A client's id: root, NUL, extension.
    Client,
    /// A person who acted: root, NUL, extension, and where known NUL and the name.
    Person,
}

impl Sort {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Client => b"arkki-sealed-client",
            Self::Person => b"arkki-sealed-person",
        }
    }
}

/// Seals and opens.
pub struct Sealer {
    key: [u8; 32],
    nonces: [u8; 32],
}

impl Sealer {
    /// With the keys that a site's key gives.
    ///
    /// # Errors
    /// When OpenSSL refuses, which it does only without memory.
    pub fn new(site_key: &[u8]) -> Result<Self, Fault> {
        Ok(Self { key: hmac_sha256(site_key, b"arkki-seal-key-1")?.0, nonces: hmac_sha256(site_key, b"arkki-seal-nonce-1")?.0 })
    }

    /// Seals a value. `place` is whatever tells this row from others: its message's hash. Equal values in two places do not look alike.
    ///
    /// # Errors
    /// A value longer than [`SEALED_OCTETS`], or OpenSSL without memory.
    pub fn seal(&self, sort: Sort, place: &[u8], value: &[u8]) -> Result<Sealed, Fault> {
        if value.len() > SEALED_OCTETS {
            return Err(Fault::new("a value too long to be sealed"));
        }
        let length = u32::try_from(place.len()).unwrap_or(u32::MAX).to_be_bytes();
        let nonce = hmac_sha256(&self.nonces, &[sort.label(), &[0], &length, place, value].concat())?.0;
        let nonce = nonce.first_chunk::<NONCE>().copied().unwrap_or_default();
        let mut tag = [0; TAG];
        let hidden = encrypt_aead(Cipher::aes_256_gcm(), &self.key, Some(&nonce), sort.label(), value, &mut tag)?;
        Ok(Sealed([[FORM].as_slice(), &nonce, &hidden, &tag].concat()))
    }

    /// Opens a sealed value; `None` where it is none of this site's, of another sort, or has changed.
    #[must_use]
    pub fn open(&self, sort: Sort, sealed: &[u8]) -> Option<Vec<u8>> {
        let (form, rest) = sealed.split_first()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
        let (hidden, tag) = rest.split_last_chunk::<TAG>()?;
        if *form != FORM {
            return None;
        }
        decrypt_aead(Cipher::aes_256_gcm(), &self.key, Some(nonce), sort.label(), hidden, tag).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_again_and_only_as_it_was() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let id = b"1.2.246.21\x00010180-9026";
        let sealed = sealer.seal(Sort::Client, b"message", id).unwrap();
        assert_eq!(sealer.open(Sort::Client, &sealed.0).as_deref(), Some(id.as_slice()));
        assert_eq!(sealer.seal(Sort::Client, b"message", id).unwrap(), sealed, "the same again");
        assert_ne!(sealer.seal(Sort::Client, b"another", id).unwrap(), sealed, "another row looks otherwise");
        assert!(!sealed.0.windows(6).any(|window| window == b"010180"), "nothing of it shows");
        assert_eq!(sealer.open(Sort::Person, &sealed.0), None, "of another sort");
        assert_eq!(Sealer::new(&[8; 32]).unwrap().open(Sort::Client, &sealed.0), None, "another site's key");
        for at in 0..sealed.0.len() {
            let mut changed = sealed.0.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(Sort::Client, &changed), None, "octet {at}");
            assert_eq!(sealer.open(Sort::Client, &sealed.0[..at]), None, "cut at {at}");
        }
        assert_eq!(sealer.open(Sort::Client, &sealer.seal(Sort::Client, b"", b"").unwrap().0).as_deref(), Some(b"".as_slice()));
        assert!(sealer.seal(Sort::Client, b"", &vec![0; SEALED_OCTETS + 1]).is_err());
        assert_eq!(format!("{sealed:?}"), "sealed");
    }
}
