//! Holds the archive's tables and the broker's queues against each other, page by page and without end: what comes out is a gauge that must be 0, and a name
//! for each one that is not explained. On demand by `arkki reconcile`, and round after round while the gateway runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::gate::told;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::reconciling::{FORMER_LINGERS, Missing, Unexplained};
use crate::ports::broker::{Depths, QueueDepths};
use crate::ports::messages::Reconciling;
use crate::telemetry;

/// How many entries one look takes: some tens of milliseconds of the database's time.
const PAGE: u32 = 1_000;
/// The pause between two looks of a round in a running gateway, so that the road has the database for itself nine parts in ten.
const BETWEEN: Duration = Duration::from_millis(250);
/// How many refusals are brought into the operators' list between two pauses.
const LISTED: usize = 64;
/// How soon a round is tried again when the archive did not answer.
const AGAIN: Duration = Duration::from_secs(60);
/// The most that one round names; the count tells all.
pub const NAMED: usize = 10_000;

/// What one round came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Ledger entries held against the rest.
    pub entries: u64,
    /// Messages on hold.
    pub held: u64,
    /// What the broker said of its queues; `None` where it could not be asked.
    pub queues: Option<QueueDepths>,
    /// Refusals that nobody was answered.
    pub unanswered: u64,
    /// Answers that a release from before deliveries were noted may have sent, since it was at work when they were due: counted and not unexplained.
    pub former: u64,
    /// Refusals of such a release that the operators' list does not have yet, at most [`NAMED`].
    pub unlisted: Vec<Position>,
    /// What is not explained, in all.
    pub unexplained: u64,
    /// Each of them, at most [`NAMED`].
    pub named: Vec<Unexplained>,
}

impl Reconciled {
    fn add(&mut self, found: Vec<Unexplained>) {
        self.unexplained += found.len() as u64;
        let room = NAMED.saturating_sub(self.named.len());
        self.named.extend(found.into_iter().take(room));
    }
}

/// One round over everything. `pause` lies between its looks; `after_each` hears how far it has come.
///
/// # Errors
/// The archive is out of reach. A broker that cannot be asked is no fault of the round: it says so.
pub async fn reconcile(
    archive: &dyn Reconciling,
    broker: Option<&dyn Depths>,
    pause: Duration,
    after_each: &mut (dyn FnMut(u64) + Send),
) -> Result<Reconciled, Outage> {
    let mut sum = Reconciled::default();
    let (mut after, mut owed, mut former) = (Position(0), Vec::new(), None);
    // Each page begins where the one before ended: bounded by the ledger, which grows slower than it is read.
    loop {
        let page = archive.reconcile_page(after, PAGE).await?;
        sum.entries += page.entries;
        sum.add(page.found);
        sum.unanswered += page.unanswered;
        former = former.max(page.former);
        sum.unlisted.extend(page.unlisted.into_iter().take(NAMED.saturating_sub(sum.unlisted.len())));
        let room = NAMED.saturating_sub(owed.len());
        let mut due = page.owed.into_iter();
        owed.extend(due.by_ref().take(room));
        sum.add(due.map(|(_, one)| one).collect());
        after_each(sum.entries);
        match page.last {
            Some(last) if page.entries >= u64::from(PAGE) => after = last,
            Some(_) | None => break,
        }
        tokio::time::sleep(pause).await;
    }
    // Whether a release that noted nothing was at work is known at the end: its last decision may be the ledger's last entry.
    let until = former.map(|last| last.plus(FORMER_LINGERS));
    let (excused, missing): (Vec<_>, Vec<_>) = owed.into_iter().partition(|(at, _)| until.is_some_and(|until| *at <= until));
    sum.former = excused.len() as u64;
    sum.add(missing.into_iter().map(|(_, one)| one).collect());
    let held = archive.reconcile_held().await?;
    sum.held = held.entries;
    sum.add(held.found);
    sum.unanswered += archive.unanswered_refusals().await?;
    if let Some(broker) = broker {
        match broker.depths().await {
            Ok(depths) => sum.queues = depths,
            Err(outage) => telemetry::outage_attempt(&outage),
        }
    }
    if let Some(QueueDepths { dead_letters, .. }) = sum.queues
        && dead_letters > sum.unanswered
    {
        let strangers = dead_letters - sum.unanswered;
        sum.unexplained += strangers;
        sum.named.push(Unexplained { position: None, missing: Missing::DeadLetter, which: format!("{strangers} of {dead_letters}") });
    }
    Ok(sum)
}

/// Round after round, `pace` apart, until `stop`.
pub async fn run(archive: Arc<dyn Reconciling>, broker: Option<Arc<dyn Depths>>, pace: Duration, mut stop: watch::Receiver<bool>) {
    // Ends with the gateway.
    loop {
        let round = async {
            match reconcile(archive.as_ref(), broker.as_deref(), BETWEEN, &mut |_| ()).await {
                Ok(sum) => {
                    list(archive.as_ref(), &sum.unlisted).await;
                    telemetry::reconciled(sum.unexplained, sum.entries);
                    pace
                }
                Err(outage) => {
                    telemetry::outage_attempt(&outage);
                    AGAIN
                }
            }
        };
        let pause = tokio::select! {
            pause = round => pause,
            () = told(&mut stop) => return,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = told(&mut stop) => return,
        }
    }
}

/// What a release that kept no list for operators refused, it may have refused a moment ago, beside this one: so it is looked for in every round.
async fn list(archive: &dyn Reconciling, unlisted: &[Position]) {
    for some in unlisted.chunks(LISTED) {
        if let Err(outage) = archive.list_refusals(some).await {
            telemetry::outage_attempt(&outage);
            return;
        }
        tokio::time::sleep(BETWEEN).await;
    }
}
