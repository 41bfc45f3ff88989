//! A signing key in a PEM file that only Arkki's own user may read, with its certificate in another.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::crypto::Fault;
use crate::crypto::algorithm::Algorithm;
use crate::crypto::certificate::Certificate;
use crate::crypto::key::SigningKey;
use crate::domain::outage::{Outage, Part};
use crate::ports::signer::Signer;

/// The largest key or certificate file read, in octets: a 4096-bit key is 3,300, a chain of certificates some more.
const FILE_OCTETS: u64 = 64 * 1024;

/// Signs with a key held in memory.
pub struct PemSigner {
    key: SigningKey,
    certificate: Certificate,
}

/// Why a key cannot be used. The words are for the operator and say what mends it; they never show key material.
#[derive(Debug)]
pub enum KeyProblem {
    /// A file that cannot be read.
    Unreadable(PathBuf, std::io::Error),
    /// A file larger than any key or certificate.
    TooLarge(PathBuf),
    /// A key file that others than its owner may read or write; its mode.
    OpenToOthers(PathBuf, u32),
    /// A key that cannot be used.
    Key(PathBuf, Fault),
    /// A certificate that cannot be used.
    Certificate(PathBuf, Fault),
    /// Key and certificate are not of one pair.
    NotAPair(PathBuf, PathBuf),
}

impl PemSigner {
    /// Reads the key (unencrypted PEM, RSA 2048–4096 or on P-256 or P-384) and its certificate, and checks that they belong together.
    ///
    /// # Errors
    /// What keeps the key from being used.
    pub fn open(key: &Path, certificate: &Path) -> Result<Self, KeyProblem> {
        let octets = read_private(key)?;
        let signing = SigningKey::from_pem(&octets).map_err(|fault| KeyProblem::Key(key.to_owned(), fault))?;
        let octets = read(certificate, &mut open(certificate)?)?;
        let paired = Certificate::from_pem(&octets).map_err(|fault| KeyProblem::Certificate(certificate.to_owned(), fault))?;
        if !signing.belongs_to(&paired) {
            return Err(KeyProblem::NotAPair(key.to_owned(), certificate.to_owned()));
        }
        Ok(Self { key: signing, certificate: paired })
    }

    /// The certificate, for `doctor`, metrics and the production check on test CAs.
    #[must_use]
    pub const fn facts(&self) -> &Certificate {
        &self.certificate
    }
}

impl Signer for PemSigner {
    fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, Outage> {
        self.key.sign_sha256(octets).map_err(|fault| Outage::new(Part::Key, fault.to_string()))
    }

    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn certificate(&self) -> &[u8] {
        self.certificate.der()
    }
}

impl std::fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::TooLarge(path) => write!(f, "{} is larger than {FILE_OCTETS} octets: no key or certificate is", path.display()),
            Self::OpenToOthers(path, mode) => {
                write!(f, "{} may be used by others than its owner (mode {mode:03o}). Mend it with: chmod 600 '{}'", path.display(), path.display())
            }
            Self::Key(path, fault) => write!(f, "the key in {} cannot be used: {fault}", path.display()),
            Self::Certificate(path, fault) => write!(f, "the certificate in {} cannot be used: {fault}", path.display()),
            Self::NotAPair(key, certificate) => write!(f, "{} is not the key of the certificate in {}", key.display(), certificate.display()),
        }
    }
}

impl std::error::Error for KeyProblem {}

/// Reads a file after looking at who may: the open file is asked, so that it cannot be exchanged in between.
fn read_private(path: &Path) -> Result<Vec<u8>, KeyProblem> {
    let mut file = open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = file.metadata().map_err(|error| KeyProblem::Unreadable(path.to_owned(), error))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyProblem::OpenToOthers(path.to_owned(), mode));
        }
    }
    read(path, &mut file)
}

fn open(path: &Path) -> Result<File, KeyProblem> {
    File::open(path).map_err(|error| KeyProblem::Unreadable(path.to_owned(), error))
}

fn read(path: &Path, file: &mut File) -> Result<Vec<u8>, KeyProblem> {
    let mut octets = Vec::new();
    file.take(FILE_OCTETS + 1).read_to_end(&mut octets).map_err(|error| KeyProblem::Unreadable(path.to_owned(), error))?;
    if octets.len() as u64 > FILE_OCTETS { Err(KeyProblem::TooLarge(path.to_owned())) } else { Ok(octets) }
}
