//! The one task that writes: it takes whatever waits, runs it as one transaction, and tells every caller its own end.
//! What no longer holds is told so and the rest runs again; what the database refuses is split until the one at fault stands alone.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::batch::run_length;
use super::fault::Fault;
use super::held;
use super::line::Line;
use super::lines::{BUSY_ATTEMPTS, Lines, OPERATION, pause};
use super::transaction::{Failed, Verdict, run};
use crate::domain::change::{Commit, Committed, Done, HeldMessage};
use crate::domain::limits::COMMIT_BATCH;
use crate::domain::outage::Outage;
use crate::ports::clock::Entropy;

/// A commit and its caller.
pub(super) struct Waiting {
    /// What is to be made durable.
    pub commit: Commit,
    /// Where the end is told.
    pub caller: oneshot::Sender<Result<Committed, Outage>>,
}

/// The writer.
pub(super) struct Writer {
    lines: Arc<Lines>,
    line: Option<Line>,
    instance: String,
    entropy: Arc<dyn Entropy>,
    incoming: mpsc::Receiver<Waiting>,
    queue: VecDeque<Waiting>,
}

impl Writer {
    /// A writer that has opened nothing yet.
    pub fn new(lines: Arc<Lines>, instance: String, entropy: Arc<dyn Entropy>, incoming: mpsc::Receiver<Waiting>) -> Self {
        Self { lines, line: None, instance, entropy, incoming, queue: VecDeque::new() }
    }

    /// Writes until no caller is left.
    pub async fn run(mut self) {
        loop {
            if self.queue.is_empty() {
                match self.incoming.recv().await {
                    Some(waiting) => self.queue.push_back(waiting),
                    None => break,
                }
            }
            while self.queue.len() < COMMIT_BATCH {
                match self.incoming.try_recv() {
                    Ok(waiting) => self.queue.push_back(waiting),
                    Err(_) => break,
                }
            }
            let length = run_length(self.queue.iter().map(|waiting| &waiting.commit));
            let mut parts = vec![self.queue.drain(..length).collect::<Vec<_>>()];
            // Each split makes parts smaller, so this ends.
            while let Some(part) = parts.pop() {
                if let Some((first, second)) = self.settle(part).await {
                    parts.extend([second, first]);
                }
            }
        }
        if let Some(line) = self.line {
            super::lines::close(line).await;
        }
    }

    /// Brings a batch to its end, or hands it back in two halves when one in it is at fault.
    async fn settle(&mut self, mut batch: Vec<Waiting>) -> Option<(Vec<Waiting>, Vec<Waiting>)> {
        let mut attempt = 0;
        while !batch.is_empty() {
            let fresh = self.line.is_none();
            match self.attempt(&batch).await {
                Ok((Verdict::Done(ends), released)) => {
                    tell(batch, ends, released);
                    return None;
                }
                Ok((Verdict::Stale(places), _)) => batch = without(batch, &places, &Committed::Stale),
                Ok((Verdict::Moot(places), _)) => batch = without(batch, &places, &Committed::Moot),
                Err(Failed { fault: Fault::Busy(_), unknown: false }) if attempt < BUSY_ATTEMPTS => {
                    attempt += 1;
                    self.abandon().await;
                    sleep(pause(attempt)).await;
                }
                // A connection kept since the last batch may have died meanwhile: once more on a fresh one, since nothing was committed.
                Err(Failed { fault: Fault::Down(_), unknown: false }) if !fresh && attempt < BUSY_ATTEMPTS => {
                    attempt += 1;
                    self.line = None;
                }
                Err(Failed { fault: Fault::Wrong(_) | Fault::Unfit(_), unknown: false }) if batch.len() > 1 => {
                    self.abandon().await;
                    let second = batch.split_off(batch.len() / 2);
                    return Some((batch, second));
                }
                Err(Failed { fault: fault @ Fault::Unfit(_), unknown: false }) => {
                    self.abandon().await;
                    for waiting in batch {
                        let _ = waiting.caller.send(Ok(Committed::Unfit(fault.outage().detail)));
                    }
                    return None;
                }
                Err(Failed { fault, .. }) => {
                    self.fail(batch, &fault).await;
                    return None;
                }
            }
        }
        None
    }

    async fn attempt(&mut self, batch: &[Waiting]) -> Result<(Verdict, Vec<HeldMessage>), Failed> {
        let line = match &mut self.line {
            Some(line) => line,
            None => self.line.insert(self.lines.address.connect().await?),
        };
        let commits: Vec<&Commit> = batch.iter().map(|waiting| &waiting.commit).collect();
        let _turn = self.lines.turn().await;
        // Out of time means that the end is unknown: the commit may have been on its way.
        let Ok(outcome) = timeout(OPERATION, run(line, &commits, &self.instance, &*self.entropy)).await else {
            return Err(Failed { fault: Fault::slow("a transaction"), unknown: true });
        };
        let verdict = outcome?;
        let mut released = Vec::new();
        if let Verdict::Done(ends) = &verdict {
            let awaited: Vec<&(i64, String)> = ends.iter().flat_map(|(_, awaited)| awaited).collect();
            if !awaited.is_empty() {
                // The batch is durable; whoever is not found now is found by the sweep of what is due.
                match timeout(OPERATION, held::awaiting(line, &awaited)).await {
                    Ok(Ok(messages)) => released = messages,
                    Ok(Err(_)) | Err(_) => self.line = None,
                }
            }
        }
        Ok((verdict, released))
    }

    /// Ends an open transaction without effect; a connection that cannot is thrown away.
    async fn abandon(&mut self) {
        if let Some(mut line) = self.line.take()
            && matches!(timeout(OPERATION, line.rollback()).await, Ok(Ok(())))
        {
            self.line = Some(line);
        }
    }

    /// Tells the callers of an outage. When the database is out of reach, everybody who waits is told at once, not after a batch's wait each.
    async fn fail(&mut self, batch: Vec<Waiting>, fault: &Fault) {
        if matches!(fault, Fault::Wrong(_) | Fault::Unfit(_)) {
            self.abandon().await;
        } else {
            self.line = None;
        }
        let mut told = batch;
        if matches!(fault, Fault::Down(_)) {
            told.extend(self.queue.drain(..));
            while let Ok(waiting) = self.incoming.try_recv() {
                told.push(waiting);
            }
        }
        for waiting in told {
            let _ = waiting.caller.send(Err(fault.outage()));
        }
    }
}

/// Tells the callers at these places, and gives back the others.
fn without(batch: Vec<Waiting>, places: &[usize], end: &Committed) -> Vec<Waiting> {
    let (told, rest): (Vec<_>, Vec<_>) = batch.into_iter().enumerate().partition(|(at, _)| places.contains(at));
    for (_, waiting) in told {
        let _ = waiting.caller.send(Ok(end.clone()));
    }
    rest.into_iter().map(|(_, waiting)| waiting).collect()
}

fn tell(batch: Vec<Waiting>, ends: Vec<(Done, Vec<(i64, String)>)>, mut released: Vec<HeldMessage>) {
    for (waiting, (mut done, awaited)) in batch.into_iter().zip(ends) {
        if !awaited.is_empty() {
            let (mine, others) = released.into_iter().partition(|held| awaited.iter().any(|(kind, id)| held::waits_for(held, *kind, id)));
            released = others;
            done.released = mine;
        }
        // A caller that has gone finds the end by asking.
        let _ = waiting.caller.send(Ok(Committed::Done(done)));
    }
}
