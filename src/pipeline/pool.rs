//! The bounded pool for work that burns a processor: parsing, checking, hashing, signing. Never on the runtime's threads,
//! and a panic in it costs one message one attempt, not the process.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::domain::outage::{Outage, Part};

type Work = Box<dyn FnOnce() + Send>;

struct Queue {
    work: Mutex<(VecDeque<Work>, bool)>,
    wake: Condvar,
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
        let queue = Arc::new(Queue { work: Mutex::new((VecDeque::new(), false)), wake: Condvar::new() });
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

    /// Runs `work` on the pool and waits for its value.
    ///
    /// # Errors
    /// [`Panicked`] when the work panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
        let (give, take) = oneshot::channel();
        let piece: Work = Box::new(move || {
            if let Ok(value) = catch_unwind(AssertUnwindSafe(work)) {
                // The caller may have gone (a stop): then nobody wants the value.
                let _gone = give.send(value);
            }
        });
        {
            let mut work = self.queue.work.lock().unwrap_or_else(PoisonError::into_inner);
            work.0.push_back(piece);
        }
        self.queue.wake.notify_one();
        take.await.map_err(|_| Panicked)
    }
}

fn serve(queue: &Queue) {
    loop {
        let piece = {
            let mut work = queue.work.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                // Before the next piece: whoever ends the pool wants none of what still waits.
                if work.1 {
                    return;
                }
                if let Some(piece) = work.0.pop_front() {
                    break piece;
                }
                work = queue.wake.wait(work).unwrap_or_else(PoisonError::into_inner);
            }
        };
        piece();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.work.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
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
