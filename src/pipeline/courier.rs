//! Hands notices over to the FHIR server: as archived, oldest first, a few at once, again and again until the server says under which ids they are stored or
//! that it will not have them. A notice is never given up for want of an answer, and never posted anew before the outcome of the attempt before is kept.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::gate::told;
use crate::domain::handover::{ATTEMPTS, DueNotice, Settled, Standing, Verdict};
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::fhir::answer;
use crate::ports::clock::Clock;
use crate::ports::notices::{Kept, Notices};
use crate::ports::sink::Sink;
use crate::telemetry;

/// How many notices are handed over at once.
const AT_ONCE: u32 = 4;
/// How often the archive is asked for new ones while there are none.
const LOOK: Duration = Duration::from_secs(1);
/// How much longer than two attempts a notice is leased: none is under way twice, and what a killed instance had is soon tried by another.
const LEASE_MORE: Duration = Duration::from_secs(5);
/// The pause before the archive is told an outcome again.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// How fast what failed is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The pause after the first failure; it doubles with each.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Patience {
    /// 5 s, 10 s, … 15 minutes.
    pub const USUAL: Self = Self { first: Duration::from_secs(5), longest: Duration::from_secs(15 * 60) };

    fn after(self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.min(16)).min(self.longest)
    }
}

/// Who hands notices over.
pub struct Courier {
    /// The archive's notices.
    pub notices: Arc<dyn Notices>,
    /// The FHIR server.
    pub sink: Arc<dyn Sink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How fast it tries again.
    pub patience: Patience,
    /// Notices archived before are not its business.
    pub from: Option<Moment>,
    /// How long one attempt may take.
    pub attempt: Duration,
}

/// What one round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Nothing was due.
    Idle,
    /// The server answered, whatever it said.
    Spoken,
    /// The server did not answer, or will not talk to us.
    Silent,
}

impl Courier {
    /// Hands over until `stop`; what is under way then is finished first.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut silent = 0_u32;
        // Ends with the gateway.
        loop {
            let round = self.round(silent, &stop).await;
            let pause = match &round {
                Ok(Round::Spoken) => Duration::ZERO,
                Ok(Round::Idle) => LOOK,
                Ok(Round::Silent) => self.patience.after(silent),
                Err(outage) => {
                    telemetry::outage_attempt(outage);
                    LOOK
                }
            };
            match round {
                Ok(Round::Silent) => silent = silent.saturating_add(1),
                Ok(Round::Spoken) => silent = 0,
                Ok(Round::Idle) | Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = told(&mut stop) => return,
            }
            if *stop.borrow() {
                return;
            }
        }
    }

    /// Hands over what is due now, at most a few. `silent`: how many rounds before this one met no answer.
    ///
    /// # Errors
    /// The archive is out of reach.
    pub async fn round(&self, silent: u32, stop: &watch::Receiver<bool>) -> Result<Round, Outage> {
        let now = self.clock.now();
        let due = self.notices.lease_notices(now, now.plus(self.attempt * 2 + LEASE_MORE), self.from, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(Round::Idle);
        }
        let spoken = join_all(due.iter().map(|notice| self.hand_over(notice, silent, stop))).await;
        Ok(if spoken.iter().all(|spoken| *spoken) { Round::Spoken } else { Round::Silent })
    }

    /// One attempt; gives whether the server spoke of the notice.
    async fn hand_over(&self, notice: &DueNotice, silent: u32, stop: &watch::Receiver<bool>) -> bool {
        let verdict = match answer::sent(&notice.bundle) {
            // What is archived is what we made; octets that are no bundle any more are for the audit and a person.
            None => Verdict::Refused("the archived octets are no bundle".into()),
            Some(sent) => match self.sink.post(&notice.id, &notice.bundle).await {
                Ok(said) => answer::judge(said.status, &said.body, &sent),
                Err(outage) => {
                    telemetry::notice_failed(&notice.id, notice.attempts + 1, &outage.detail);
                    self.keep(notice, Standing::Waiting, Verdict::Unwelcome(outage.detail), self.patience.after(silent), stop).await;
                    return false;
                }
            },
        };
        let attempts = notice.attempts.saturating_add(1);
        let (standing, pause, spoke) = match &verdict {
            Verdict::Taken(_) => (Standing::Taken, Duration::ZERO, true),
            Verdict::Refused(said) => {
                telemetry::notice_stopped(&notice.id, said);
                (Standing::Stopped, Duration::ZERO, true)
            }
            Verdict::Unwelcome(said) => {
                telemetry::sink_unwelcome(said);
                (Standing::Waiting, self.patience.after(silent), false)
            }
            Verdict::Unclear(said) if attempts >= ATTEMPTS => {
                telemetry::notice_stopped(&notice.id, said);
                (Standing::Stopped, Duration::ZERO, true)
            }
            Verdict::Unclear(said) => {
                telemetry::notice_failed(&notice.id, attempts, said);
                (Standing::Waiting, self.patience.after(notice.attempts), true)
            }
        };
        self.keep(notice, standing, verdict, pause, stop).await;
        spoke
    }

    /// Tells the archive until it has heard: a taken notice that it does not know of would be posted again.
    async fn keep(&self, notice: &DueNotice, standing: Standing, verdict: Verdict, pause: Duration, stop: &watch::Receiver<bool>) {
        let at = self.clock.now();
        let (stored, words) = match verdict {
            Verdict::Taken(stored) => (stored, String::new()),
            Verdict::Refused(words) | Verdict::Unwelcome(words) | Verdict::Unclear(words) => (Vec::new(), words),
        };
        let settled = Settled { id: notice.id.clone(), standing, stored, words, at, again: at.plus(pause) };
        // Ends with the archive's outage, or with the gateway: then the notice goes out again under the same ids, when its lease ends.
        loop {
            match self.notices.settle_notice(&settled).await {
                Ok(Kept::Done) if standing == Standing::Taken => return telemetry::notice_taken(&notice.id, notice.attempts + 1),
                Ok(Kept::Done) => return,
                Ok(Kept::Twice) => return telemetry::notice_taken_twice(&notice.id),
                Ok(Kept::Foreign) => return telemetry::notice_failed(&notice.id, notice.attempts + 1, "the server names an id of another notice"),
                Err(outage) => telemetry::outage_attempt(&outage),
            }
            if *stop.borrow() {
                return;
            }
            tokio::time::sleep(TELL_AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_doubles_and_ends() {
        let pauses: Vec<u64> = [0, 1, 2, 7, 8, 16, u32::MAX].into_iter().map(|n| Patience::USUAL.after(n).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 640, 900, 900, 900]);
    }
}
