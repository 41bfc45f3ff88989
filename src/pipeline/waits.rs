//! How long what is in hand has waited, and how full the lanes are: for whoever watches. A ticket goes with each delivery and gives itself back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The register; bounded by what is in hand.
#[derive(Debug, Default)]
pub struct Waits {
    since: Mutex<(u64, BTreeMap<u64, Instant>)>,
    lanes: AtomicUsize,
    lane_waits: AtomicUsize,
}

/// A delivery's place in the register.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    waits: Arc<Waits>,
}

impl Waits {
    /// Takes a delivery in.
    #[must_use]
    pub fn enter(self: &Arc<Self>, since: Instant) -> Ticket {
        let mut register = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        register.0 += 1;
        let number = register.0;
        register.1.insert(number, since);
        Ticket { number, waits: Arc::clone(self) }
    }

    /// How long the oldest delivery in hand has been there; zero with none.
    #[must_use]
    pub fn oldest(&self) -> Duration {
        let register = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        register.1.values().next().map_or(Duration::ZERO, Instant::elapsed)
    }

    /// Notes how full the lanes are.
    pub fn note_lanes(&self, lanes: usize, waits: usize) {
        self.lanes.store(lanes, Ordering::Relaxed);
        self.lane_waits.store(waits, Ordering::Relaxed);
    }

    /// Clients whose messages are under way.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.load(Ordering::Relaxed)
    }

    /// Messages that wait for an earlier one of their client.
    #[must_use]
    pub fn lane_waits(&self) -> usize {
        self.lane_waits.load(Ordering::Relaxed)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut register = self.waits.since.lock().unwrap_or_else(PoisonError::into_inner);
        register.1.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_told_until_it_is_given_back() {
        let waits = Arc::new(Waits::default());
        assert_eq!(waits.oldest(), Duration::ZERO);
        let Some(early) = Instant::now().checked_sub(Duration::from_secs(60)) else { return };
        let (old, new) = (waits.enter(early), waits.enter(Instant::now()));
        assert!(waits.oldest() >= Duration::from_secs(60));
        drop(old);
        assert!(waits.oldest() < Duration::from_secs(60));
        drop(new);
        assert_eq!(waits.oldest(), Duration::ZERO);
    }
}
