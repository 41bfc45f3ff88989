//! The machine's clock and entropy.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::ports::clock::{Clock, Entropy};

/// The system's wall clock. A clock set before 1970 reads as 1970; it may step back, so nothing orders by it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The kernel's random numbers.
#[derive(Debug, Clone, Copy)]
pub struct SystemEntropy(());

impl SystemEntropy {
    /// Opens the source and draws from it once, so that a machine without entropy is found at start and not in the middle of the work.
    ///
    /// # Errors
    /// An outage of the machine when the kernel gives no random numbers.
    pub fn open() -> Result<Self, Outage> {
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).map_err(|e| Outage::new(Part::Machine, format!("no random numbers: {e}")))?;
        Ok(Self(()))
    }
}

impl Entropy for SystemEntropy {
    /// The kernel cannot fail once it has answered (getrandom(2)); should it all the same, the process must not go on with a guessable id.
    fn sixteen(&self) -> [u8; 16] {
        let mut octets = [0; 16];
        if getrandom::fill(&mut octets).is_err() {
            std::process::abort();
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_in_this_century_and_ids_differ() {
        assert!(SystemClock.now() > Moment::from_seconds(1_700_000_000));
        let entropy = SystemEntropy::open().unwrap_or(SystemEntropy(()));
        assert_ne!(entropy.sixteen(), entropy.sixteen());
    }
}
