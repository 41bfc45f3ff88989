//! What the archive keeps about refused messages for operators: groups, lists, actions, replay jobs. No list looks at more rows than it shows.

use async_trait::async_trait;

use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::refused::{
    Acted, ActionId, ActionRow, By, Deed, Job, JobId, JobItem, KeptMessage, LeasedReplay, NewJob, Preview, RefusalId, RefusedCriteria, RefusedGroup,
    RefusedMark, RefusedMessage, RefusedRow, ReplayMark, ReplayStanding,
};
use crate::domain::time::Moment;

/// Refused messages, as the archive keeps them.
#[async_trait]
pub trait Refusals: Send + Sync {
    /// Groups by code and first finding, those with most open ones first, at most `limit`. Of the criteria count `state` (groups that have any such), `code`,
    /// `finding`, `sender`, and the moments (groups that were seen between them).
    ///
    /// # Errors
    /// An outage.
    async fn refusal_groups(&self, criteria: &RefusedCriteria, limit: u32) -> Result<Vec<RefusedGroup>, Outage>;

    /// Refusals, those refused last first, after a mark, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn refusals(&self, criteria: &RefusedCriteria, after: Option<RefusedMark>, limit: u32) -> Result<Vec<RefusedRow>, Outage>;

    /// One refusal with its octets, actions and replays.
    ///
    /// # Errors
    /// An outage.
    async fn refusal(&self, id: RefusalId) -> Result<Option<RefusedMessage>, Outage>;

    /// The refusal that a ledger position decided, first or last.
    ///
    /// # Errors
    /// An outage.
    async fn refusal_at(&self, position: Position) -> Result<Option<RefusalId>, Outage>;

    /// Does something to the refusals that meet the criteria, at most `refused::AT_ONCE`, and keeps who did it and why, in one transaction.
    /// A refusal in a state that the deed does not lead from, or in hand of a job, is left as it is.
    ///
    /// # Errors
    /// An outage: nothing was done, or all of it.
    async fn act_on_refusals(&self, criteria: &RefusedCriteria, deed: Deed, by: &By) -> Result<Acted, Outage>;

    /// Takes an action back: each refusal that no later action or decision has changed stands as before. `None`: no such action, one that changed nothing, or
    /// one that was taken back already.
    ///
    /// # Errors
    /// An outage: nothing was done, or all of it.
    async fn undo_action(&self, action: ActionId, by: &By) -> Result<Option<Acted>, Outage>;

    /// The newest actions, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn refusal_actions(&self, limit: u32) -> Result<Vec<ActionRow>, Outage>;

    /// What a replay of these would take. `rules` is today's rule set.
    ///
    /// # Errors
    /// An outage.
    async fn preview_replay(&self, criteria: &RefusedCriteria, rules: &Digest) -> Result<Preview, Outage>;

    /// Begins a replay of the open refusals that meet the criteria and that no other job has in hand, at most `refused::AT_ONCE`. The same token twice is one
    /// job. A job that took nothing is done at once.
    ///
    /// # Errors
    /// An outage: ask again with the same token.
    async fn start_replay(&self, job: &NewJob) -> Result<Job, Outage>;

    /// One job.
    ///
    /// # Errors
    /// An outage.
    async fn replay_job(&self, id: JobId) -> Result<Option<Job>, Outage>;

    /// The newest jobs, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn replay_jobs(&self, limit: u32) -> Result<Vec<Job>, Outage>;

    /// How all replays stand.
    ///
    /// # Errors
    /// An outage.
    async fn replay_standing(&self) -> Result<ReplayStanding, Outage>;

    /// A job's messages after one, in order, at most `limit`.
    ///
    /// # Errors
    /// An outage.
    async fn replay_items(&self, id: JobId, after: RefusalId, limit: u32) -> Result<Vec<JobItem>, Outage>;

    /// Stops a running job, resumes a stopped one, or ends either; what cannot be is left as it is. Gives the job as it then stands; `None`: no such job.
    ///
    /// # Errors
    /// An outage.
    async fn change_replay(&self, id: JobId, change: Change, by: &By) -> Result<Option<Job>, Outage>;

    /// The next messages of running jobs, as many as their rates allow now and `limit` at most, leased until `until`. A message whose lease has run out is given
    /// anew, and what the one before makes of it is moot. One whose octets are no longer kept is let go.
    ///
    /// # Errors
    /// An outage.
    async fn lease_replays(&self, now: Moment, until: Moment, limit: u32) -> Result<Vec<LeasedReplay>, Outage>;

    /// Gives leased messages back undecided.
    ///
    /// # Errors
    /// An outage: their lease runs out.
    async fn return_replays(&self, marks: &[ReplayMark]) -> Result<(), Outage>;

    /// Messages as they were kept, newest first, before a ledger position, at most `limit`, at least one unless there is none, and no more than `octets`.
    ///
    /// # Errors
    /// An outage.
    async fn kept_messages(&self, before: Option<Position>, limit: u32, octets: usize) -> Result<Vec<KeptMessage>, Outage>;
}

/// What is done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It rests.
    Stop,
    /// It goes on.
    Resume,
    /// It ends for good; what waits is let go and free for others.
    End,
}
