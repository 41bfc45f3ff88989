//! The gate closes when a part of the world is out of reach: the consumer pauses, everyone in hand waits and tries again,
//! and the gate opens when the first of them gets through. Nothing is answered and nothing is stored meanwhile.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Mutex, watch};

use crate::domain::outage::{Outage, Part};
use crate::ports::broker::Consumer;
use crate::telemetry;

/// The first wait after an outage: a failover of a second must not cost five.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two attempts: long enough not to spin, short enough that a mended database is noticed at once.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Who waits outside, and what wakes them.
pub struct Gate {
    consumer: Arc<dyn Consumer>,
    /// How many wait, by the part that sent them out. Held while the consumer is told, so that a pause and a resume cannot overtake each other.
    outside: Mutex<[usize; Part::ALL.len()]>,
    /// How many wait in all.
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
        Self { consumer, outside: Mutex::default(), waiting: AtomicUsize::new(0), stop }
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
        let outage = match attempt().await {
            Ok(value) => return Ok(value),
            Err(outage) => outage,
        };
        let part = outage.part;
        self.shut_out(&outage).await;
        // Whoever panics outside must not be counted as waiting for ever.
        let outcome = AssertUnwindSafe(self.wait(outage, attempt)).catch_unwind().await;
        self.let_in(part, !matches!(outcome, Ok(Err(Stopping)))).await;
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn wait<T, F>(&self, mut outage: Outage, mut attempt: impl FnMut() -> F) -> Result<T, Stopping>
    where
        F: Future<Output = Result<T, Outage>>,
    {
        let mut wait = FIRST_WAIT;
        let mut stop = self.stop.clone();
        // Bounded by the outage itself: each round waits, and a stop ends it.
        loop {
            telemetry::outage_attempt(&outage);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = told(&mut stop) => return Err(Stopping),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(again) => outage = again,
            }
        }
    }

    /// One more waits: the first pauses the consumer, the first of its part tells of the outage.
    async fn shut_out(&self, outage: &Outage) {
        let mut outside = self.outside.lock().await;
        let before = outside.iter().sum::<usize>();
        if let Some(count) = place(outage.part).and_then(|at| outside.get_mut(at)) {
            *count += 1;
            if *count == 1 {
                telemetry::outage_began(outage);
            }
        }
        self.waiting.store(before + 1, Ordering::Release);
        if before == 0 {
            self.consumer.pause().await;
        }
    }

    /// One no longer waits: the last one through resumes the consumer, the last of its part tells that the outage is over.
    async fn let_in(&self, part: Part, through: bool) {
        let mut outside = self.outside.lock().await;
        if let Some(count) = place(part).and_then(|at| outside.get_mut(at)) {
            *count = count.saturating_sub(1);
            if *count == 0 && through {
                telemetry::outage_ended(part);
            }
        }
        let left = outside.iter().sum::<usize>();
        self.waiting.store(left, Ordering::Release);
        if left == 0 && through {
            self.consumer.resume().await;
        }
    }
}

fn place(part: Part) -> Option<usize> {
    Part::ALL.iter().position(|p| *p == part)
}

/// Waits until the signal is given, or whoever gives it has gone.
pub async fn told(signal: &mut watch::Receiver<bool>) {
    let _gone = signal.wait_for(|given| *given).await.is_err();
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex as Lock;

    use async_trait::async_trait;
    use tokio::sync::mpsc;

    use super::*;
    use crate::ports::broker::Delivery;

    /// Notes what it is told; slow to pause, as a broker may be.
    #[derive(Default)]
    struct Told(Lock<Vec<&'static str>>);

    impl Told {
        fn words(&self) -> Vec<&'static str> {
            self.0.lock().map(|words| words.clone()).unwrap_or_default()
        }

        fn note(&self, word: &'static str) {
            if let Ok(mut words) = self.0.lock() {
                words.push(word);
            }
        }
    }

    #[async_trait]
    impl Consumer for Told {
        async fn start(&self, _deliveries: mpsc::Sender<Delivery>) -> Result<(), Outage> {
            Ok(())
        }
        async fn pause(&self) {
            tokio::time::sleep(Duration::from_millis(30)).await;
            self.note("pause");
        }
        async fn resume(&self) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            self.note("resume");
        }
        async fn close(&self, _within: Duration) {}
        fn is_up(&self) -> bool {
            true
        }
    }

    fn gate() -> (Arc<Told>, Gate, watch::Sender<bool>) {
        let (told, (stop, stopped)) = (Arc::new(Told::default()), watch::channel(false));
        (Arc::clone(&told), Gate::new(told, stopped), stop)
    }

    fn outage(part: Part) -> Outage {
        Outage::new(part, "away")
    }

    #[tokio::test]
    async fn one_who_comes_while_the_last_leaves_finds_the_consumer_paused() {
        let (told, gate, _stop) = gate();
        let away = Lock::new(VecDeque::from([Err(outage(Part::Archive)), Ok(())]));
        let next = || {
            let said = away.lock().ok().and_then(|mut said| said.pop_front()).unwrap_or(Ok(()));
            async move { said }
        };
        // The second meets its outage while the first is on its way in, and stays out for long.
        let late = Lock::new(0);
        let second = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            gate.through(|| {
                let met = late.lock().is_ok_and(|mut n| {
                    *n += 1;
                    *n < 6
                });
                async move { if met { Err(outage(Part::Key)) } else { Ok(()) } }
            })
            .await
        };
        let (first, second) = tokio::join!(gate.through(next), second);
        assert_eq!((first, second), (Ok(()), Ok(())));
        assert_eq!(told.words(), ["pause", "resume", "pause", "resume"]);
        assert!(gate.is_open());
    }

    #[tokio::test]
    async fn a_panic_outside_opens_the_gate_again() {
        let (told, gate, _stop) = gate();
        let times = AtomicUsize::new(0);
        let attempt = || {
            let first = times.fetch_add(1, Ordering::AcqRel) == 0;
            async move {
                assert!(first, "on purpose");
                Err::<(), _>(outage(Part::Archive))
            }
        };
        assert!(AssertUnwindSafe(gate.through(attempt)).catch_unwind().await.is_err());
        assert!(gate.is_open());
        assert_eq!(told.words(), ["pause", "resume"]);
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait_and_takes_nothing_again() {
        let (told, gate, stop) = gate();
        let (ended, ()) = tokio::join!(gate.through(|| async { Err::<(), _>(outage(Part::Archive)) }), async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            assert!(!gate.is_open());
            stop.send_replace(true);
        });
        assert_eq!(ended, Err(Stopping));
        assert_eq!(told.words(), ["pause"]);
    }
}
