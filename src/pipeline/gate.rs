//! The gate closes when a part of the world is out of reach: the consumer pauses, everyone in hand waits and tries again,
//! and the gate opens when the first of them gets through. Nothing is answered and nothing is stored meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::outage::Outage;
use crate::ports::broker::Consumer;
use crate::telemetry;

/// The first wait after an outage: a failover of a second must not cost five.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two attempts: long enough not to spin, short enough that a mended database is noticed at once.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Who waits outside, and what wakes them.
pub struct Gate {
    consumer: Arc<dyn Consumer>,
    waiting: AtomicUsize,
    stop: watch::Receiver<bool>,
}

/// The process is stopping: what is in hand goes back to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping;

impl Gate {
    /// A gate before `consumer`, open.
    #[must_use]
    pub fn new(consumer: Arc<dyn Consumer>, stop: watch::Receiver<bool>) -> Self {
        Self { consumer, waiting: AtomicUsize::new(0), stop }
    }

    /// Whether nobody waits: what `/readyz` asks.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Tries `attempt` until it gets through. The first outage pauses the consumer; the last one through resumes it.
    ///
    /// # Errors
    /// [`Stopping`] when the process is told to stop while waiting.
    pub async fn through<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Stopping>
    where
        F: Future<Output = Result<T, Outage>>,
    {
        let mut outage = match attempt().await {
            Ok(value) => return Ok(value),
            Err(outage) => outage,
        };
        if self.waiting.fetch_add(1, Ordering::AcqRel) == 0 {
            telemetry::outage_began(&outage);
            self.consumer.pause().await;
        }
        let mut wait = FIRST_WAIT;
        let mut stop = self.stop.clone();
        // Bounded by the outage itself: each round waits, and a stop ends it.
        let outcome = loop {
            telemetry::outage_attempt(&outage);
            let stopped = tokio::select! {
                () = tokio::time::sleep(wait) => false,
                () = told(&mut stop) => true,
            };
            if stopped {
                break Err(Stopping);
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            match attempt().await {
                Ok(value) => break Ok(value),
                Err(again) => outage = again,
            }
        };
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 && outcome.is_ok() {
            telemetry::outage_ended(outage.part);
            self.consumer.resume().await;
        }
        outcome
    }
}

/// Waits until the signal is given, or whoever gives it has gone.
pub async fn told(signal: &mut watch::Receiver<bool>) {
    let _gone = signal.wait_for(|given| *given).await.is_err();
}
