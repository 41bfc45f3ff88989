//! How replay jobs stand: gauges, and a line when one begins, stops, goes on, is done or is ended, whoever did it and wherever.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::outage::Outage;
use crate::domain::refused::{Job, JobId, JobState, ReplayStanding};
use crate::ports::refusals::Refusals;
use crate::telemetry;

/// How often they are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How many jobs, the newest, are known by their state: operators begin a few a day.
const KNOWN: u32 = 50;

/// Who looks. One for a gateway; each gateway of an archive tells by itself.
#[derive(Debug, Default)]
pub struct Jobs {
    next: Option<Instant>,
    /// What the last look saw; before the first, nothing is news.
    last: Option<(ReplayStanding, BTreeMap<JobId, JobState>)>,
}

impl Jobs {
    /// Looks, when it is time.
    ///
    /// # Errors
    /// The archive is out of reach.
    pub async fn look(&mut self, refusals: &dyn Refusals) -> Result<(), Outage> {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return Ok(());
        }
        self.next = Some(now + LOOK);
        let standing = refusals.replay_standing().await?;
        telemetry::replays_stand(&standing);
        // A job that stands still, in an archive where nothing began or ended, has no news.
        if let Some((last, _)) = &self.last
            && *last == standing
            && standing.jobs(JobState::Running) == 0
        {
            return Ok(());
        }
        let jobs = refusals.replay_jobs(KNOWN).await?;
        if let Some((_, known)) = &self.last {
            jobs.iter().rev().filter(|job| known.get(&job.id) != Some(&job.state)).for_each(tell);
        }
        self.last = Some((standing, jobs.iter().map(|job| (job.id, job.state)).collect()));
        Ok(())
    }
}

fn tell(job: &Job) {
    let by = match (job.state, &job.changed) {
        (JobState::Stopped | JobState::Ended, Some((who, _))) => who,
        (JobState::Running | JobState::Stopped | JobState::Done | JobState::Ended, _) => &job.by.who,
    };
    telemetry::replay_changed(job.id.0, job.state, by, (job.total, job.decided(), job.dropped));
}
