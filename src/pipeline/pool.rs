//! The bounded pool for work that burns a processor: parsing, checking, hashing, signing. Never on the runtime's threads,
//! and a panic in it costs one message one attempt, not the process.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::domain::outage::{Outage, Part};

/// Does the work and gives back how its value is handed over.
type Work = Box<dyn FnOnce() -> Handover + Send>;
type Handover = Box<dyn FnOnce() + Send>;

/// How many finished values a thread keeps while more work waits, to hand them over in one go: each hand-over alone would wake the runtime's
/// thread, which costs more than it does. Nobody's value waits for an idle thread, and for at most so many pieces of work of others.
const TOGETHER: usize = 8;

struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    work: VecDeque<Work>,
    /// Threads that wait for work. While none does, nobody is woken: a call to the kernel that nobody hears costs as much as one that somebody does.
    idle: usize,
    ending: bool,
}

/// A fixed number of threads. What waits is bounded by its callers: intake keeps at most one piece of work a message in hand.
pub struct Pool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// The work panicked: a defect of ours. Its message is not kept, it could quote the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

impl Pool {
    /// Starts `threads` threads (at least one).
    ///
    /// # Errors
    /// An outage when the machine gives no thread.
    pub fn start(threads: usize) -> Result<Self, Outage> {
        let queue = Arc::new(Queue { state: Mutex::new(State::default()), wake: Condvar::new() });
        let mut pool = Self { queue, threads: Vec::new() };
        for n in 0..threads.max(1) {
            let queue = Arc::clone(&pool.queue);
            let thread = std::thread::Builder::new()
                .name(format!("examine-{n}"))
                .spawn(move || serve(&queue))
                .map_err(|e| Outage::new(Part::Machine, format!("no thread: {e}")))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// How many threads it has.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Runs `work` on the pool and waits for its value.
    ///
    /// # Errors
    /// [`Panicked`] when the work panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
        let (give, take) = oneshot::channel();
        let piece: Work = Box::new(move || {
            let value = catch_unwind(AssertUnwindSafe(work));
            Box::new(move || {
                if let Ok(value) = value {
                    // The caller may have gone (a stop): then nobody wants the value.
                    let _gone = give.send(value);
                }
            })
        });
        let somebody_waits = {
            let mut state = self.queue.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.work.push_back(piece);
            state.idle > 0
        };
        if somebody_waits {
            self.queue.wake.notify_one();
        }
        take.await.map_err(|_| Panicked)
    }
}

fn serve(queue: &Queue) {
    let mut finished: Vec<Handover> = Vec::with_capacity(TOGETHER);
    while let Some(piece) = next(queue, &mut finished) {
        finished.push(piece());
        if finished.len() >= TOGETHER {
            hand_over(&mut finished);
        }
    }
    hand_over(&mut finished);
}

/// The next piece of work; before waiting for one, everything finished is handed over. `None` at the end.
fn next(queue: &Queue, finished: &mut Vec<Handover>) -> Option<Work> {
    let mut state = queue.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        // Before the next piece: whoever ends the pool wants none of what still waits.
        if state.ending {
            return None;
        }
        if let Some(piece) = state.work.pop_front() {
            return Some(piece);
        }
        if !finished.is_empty() {
            drop(state);
            hand_over(finished);
            state = queue.state.lock().unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        state.idle += 1;
        state = queue.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
    }
}

fn hand_over(finished: &mut Vec<Handover>) {
    finished.drain(..).for_each(|handover| handover());
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.state.lock().unwrap_or_else(PoisonError::into_inner).ending = true;
        self.queue.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_one_piece_of_work() {
        let Ok(pool) = Pool::start(1) else { panic!("no threads") };
        assert_eq!(pool.run(|| 1 + 1).await, Ok(2));
        assert_eq!(pool.run(|| -> u8 { panic!("on purpose") }).await, Err(Panicked));
        assert_eq!(pool.run(|| 3).await, Ok(3));
    }
}
