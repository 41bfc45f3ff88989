//! Keys: where the private half of the system signature lives, and which of two signs now.

pub mod pem;
pub mod pkcs11;
pub mod ring;

use std::path::PathBuf;
use std::sync::Arc;

use crate::crypto::certificate::Certificate;
use crate::domain::outage::Outage;
use crate::ports::signer::Signer;
use pem::{KeyProblem, PemSigner};
use pkcs11::{TokenPlace, TokenSigner};

/// Where a key lives; its certificate is a PEM file either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// A PEM file that only Arkki's own user may read.
    Pem(PathBuf),
    /// A token that is spoken to through a PKCS#11 module.
    Token(TokenPlace),
}

/// A key that was opened and tried, with its certificate.
#[derive(Clone)]
pub struct Key {
    /// What signs.
    pub signer: Arc<dyn Signer>,
    /// Its certificate.
    pub certificate: Arc<Certificate>,
}

/// Opens a key, holds it to its certificate and lets it sign once.
///
/// # Errors
/// A problem that a person must mend, or a token that does not answer.
pub fn open(place: &KeyPlace, certificate: &std::path::Path) -> Result<Key, OpenFault> {
    match place {
        KeyPlace::Pem(file) => {
            let signer = PemSigner::open(file, certificate)?;
            let certificate = Arc::new(pem::certificate(certificate)?);
            Ok(Key { signer: Arc::new(signer), certificate })
        }
        KeyPlace::Token(token) => {
            let paired = Arc::new(pem::certificate(certificate)?);
            let signer = TokenSigner::open(token.clone(), Arc::clone(&paired), certificate)?;
            Ok(Key { signer: Arc::new(signer), certificate: paired })
        }
    }
}

/// Why a key was not opened.
#[derive(Debug)]
pub enum OpenFault {
    /// Something a person must mend.
    Problem(KeyProblem),
    /// A token that is away; it may come back.
    Outage(Outage),
}

impl From<KeyProblem> for OpenFault {
    fn from(problem: KeyProblem) -> Self {
        Self::Problem(problem)
    }
}

impl std::fmt::Display for OpenFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Problem(problem) => write!(f, "{problem}"),
            Self::Outage(outage) => write!(f, "{outage}"),
        }
    }
}
