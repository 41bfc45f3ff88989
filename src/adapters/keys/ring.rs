//! The key that signs now and the one that follows it: switched at a time, without a stop.

use std::sync::{Arc, PoisonError, RwLock};

use super::Key;
use crate::crypto::algorithm::Algorithm;
use crate::crypto::certificate::Certificate;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::ports::signer::{Keys, Signer};

/// Two keys and the moment between them.
pub struct Keyring {
    ring: RwLock<Ring>,
}

#[derive(Clone)]
struct Ring {
    current: Key,
    next: Option<(Moment, Key)>,
}

/// A key's part on the ring, for metrics, logs and `doctor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It signs now.
    Current,
    /// It will.
    Next,
}

impl Role {
    /// The label in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
        }
    }
}

impl Keyring {
    /// A ring of one key, or of two with the moment from which the second signs.
    #[must_use]
    pub const fn new(current: Key, next: Option<(Moment, Key)>) -> Self {
        Self { ring: RwLock::new(Ring { current, next }) }
    }

    /// Takes over the keys of another ring: from the next signature on.
    pub fn become_like(&self, other: Self) {
        let ring = other.ring.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }

    /// The keys by the part they have at a moment. The one that was replaced is not among them.
    #[must_use]
    pub fn keys(&self, at: Moment) -> Vec<(Role, Key)> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner).clone();
        match ring.next {
            Some((from, next)) if at >= from => vec![(Role::Current, next)],
            Some((_, next)) => vec![(Role::Current, ring.current), (Role::Next, next)],
            None => vec![(Role::Current, ring.current)],
        }
    }
}

impl Ring {
    fn at(&self, moment: Moment) -> &Key {
        match &self.next {
            Some((from, next)) if moment >= *from => next,
            _ => &self.current,
        }
    }
}

impl Keys for Keyring {
    fn at(&self, moment: Moment) -> Arc<dyn Signer> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let key = ring.at(moment);
        match in_force(&key.certificate, moment) {
            Ok(()) => Arc::clone(&key.signer),
            Err(outage) => Arc::new(Ended { of: Arc::clone(&key.signer), outage }),
        }
    }

    fn in_force(&self, moment: Moment) -> Result<(), Outage> {
        in_force(&self.ring.read().unwrap_or_else(PoisonError::into_inner).at(moment).certificate, moment)
    }
}

fn in_force(certificate: &Certificate, moment: Moment) -> Result<(), Outage> {
    let because = if moment < certificate.not_before() {
        format!("the signing certificate begins only on {}", certificate.not_before())
    } else if moment > certificate.not_after() {
        format!("the signing certificate ended on {}: put the next one in [sign], then SIGHUP", certificate.not_after())
    } else {
        return Ok(());
    };
    Err(Outage::new(Part::Key, because))
}

/// A key whose certificate is not in force: it signs nothing, for nobody could verify it.
struct Ended {
    of: Arc<dyn Signer>,
    outage: Outage,
}

impl Signer for Ended {
    fn sign(&self, _octets: &[u8]) -> Result<Vec<u8>, Outage> {
        Err(self.outage.clone())
    }

    fn algorithm(&self) -> Algorithm {
        self.of.algorithm()
    }

    fn certificate(&self) -> &[u8] {
        self.of.certificate()
    }
}
