//! Adds up disclosures outside, notices, log rows and what has left: on demand, at the start, and again and again. What comes out is a gauge that must be 0 and, for
//! whoever asks, a name for each one that is not in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::gate::told;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::reckoning::{Flaw, Reckoned, Tally};
use crate::domain::time::Moment;
use crate::ports::clock::Clock;
use crate::ports::notices::Notices;
use crate::telemetry;

/// How soon it is done again where something was missing: an alarm must not stay open for a day after it was mended.
const SOON: Duration = Duration::from_secs(10 * 60);
/// How often it is asked, between two reckonings, what the FHIR server refuses.
const LOOK: Duration = Duration::from_secs(30);
/// How soon it is tried again when the archive did not answer.
const AGAIN: Duration = Duration::from_secs(60);
/// How many disclosures are read at once.
const PAGE: u32 = 1000;
/// The most flawed disclosures that one reckoning names; the tallies count them all.
pub const NAMED: usize = 10_000;

/// Which disclosures are added up.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only of this controller's register.
    pub controller: Option<String>,
    /// Only what left at this moment or later; what has no moment always counts.
    pub from: Option<Moment>,
    /// Only what left before this moment.
    pub before: Option<Moment>,
}

impl Wanted {
    fn names(&self, controller: &str) -> bool {
        self.controller.as_ref().is_none_or(|wanted| controller.is_empty() || wanted == controller)
    }

    fn takes(&self, one: &Reckoned) -> bool {
        // A disclosure that has lost its register or its moment belongs to everybody: it must not hide.
        let of = |wanted: &String| one.controllers.is_empty() || one.controllers.contains(wanted);
        let at = one.disclosed.or(one.entered);
        let since = self.from.is_none_or(|from| at.is_none_or(|at| at >= from));
        let until = self.before.is_none_or(|before| at.is_none_or(|at| at < before));
        self.controller.as_ref().is_none_or(of) && since && until
    }
}

/// How it adds up.
#[derive(Debug, Clone, Default)]
pub struct Reckoning {
    /// Over all registers.
    pub all: Tally,
    /// By controller; those without one under the empty name.
    pub registers: BTreeMap<String, Tally>,
    /// Those that are not in order, in ledger order, at most [`NAMED`].
    pub flawed: Vec<(Reckoned, Vec<Flaw>)>,
}

/// Adds up. `sink_from`: since when every notice goes to the FHIR server; `None` without one.
///
/// # Errors
/// The archive is out of reach.
pub async fn reckon(notices: &dyn Notices, wanted: &Wanted, now: Moment, sink_from: Option<Moment>) -> Result<Reckoning, Outage> {
    let mut sum = Reckoning::default();
    let mut after = Position(0);
    // Each page begins where the one before ended: bounded by the ledger.
    loop {
        let page = notices.reckon(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(sum) };
        after = last.position;
        for one in page.into_iter().filter(|one| wanted.takes(one)) {
            let flaws = one.flaws(now, sink_from);
            sum.all.add(&one, &flaws);
            let registers = if one.controllers.is_empty() { &[String::new()][..] } else { &one.controllers };
            for controller in registers.iter().filter(|controller| wanted.names(controller)) {
                sum.registers.entry(controller.clone()).or_default().add(&one, &flaws);
            }
            if !flaws.is_empty() && sum.flawed.len() < NAMED {
                sum.flawed.push((one, flaws));
            }
        }
    }
}

/// Adds up at once and then every `pace`, until `stop`; between two reckonings it counts what the FHIR server refuses.
pub async fn run(notices: Arc<dyn Notices>, clock: Arc<dyn Clock>, sink_from: Option<Moment>, pace: Duration, mut stop: watch::Receiver<bool>) {
    // Ends with the gateway.
    loop {
        let pause = match reckon(notices.as_ref(), &Wanted::default(), clock.now(), sink_from).await {
            Ok(sum) => {
                telemetry::notices_reckoned(sum.all.missing, sum.all.waiting, sum.all.stopped, sum.all.late);
                if sum.all.missing > 0 { pace.min(SOON) } else { pace }
            }
            Err(outage) => {
                telemetry::outage_attempt(&outage);
                AGAIN
            }
        };
        let due = Instant::now() + pause;
        // Bounded by the pause, a look at a time.
        while Instant::now() < due {
            tokio::select! {
                () = tokio::time::sleep_until(due.min(Instant::now() + LOOK)) => {}
                () = told(&mut stop) => return,
            }
            match notices.stopped_notices().await {
                Ok(stopped) => telemetry::notices_refused(stopped),
                Err(outage) => telemetry::outage_attempt(&outage),
            }
        }
    }
}
