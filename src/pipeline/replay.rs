//! Replays: leases the next messages of running jobs, at each job's own rate, and lets them into the one road, as their own senders and for their own reply
//! addresses. What a replay came to is written by the commit itself, so a crash anywhere leaves it either undone or done.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::gate::told;
use super::jobs::Jobs;
use crate::domain::refused::LeasedReplay;
use crate::ports::clock::Clock;
use crate::ports::refusals::Refusals;
use crate::telemetry;

/// How often running jobs are looked at: a stop acts between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// How many are leased at once: what is leased when a job is stopped still goes.
const LEASED: u32 = 64;
/// How long a message is ours: much longer than a decision takes, and short enough that after a crash nobody waits long.
const LEASE: Duration = Duration::from_secs(60);
/// How many wait between here and the road.
pub const HAND: usize = 8;

/// Runs until `stop`.
pub async fn run(refusals: Arc<dyn Refusals>, clock: Arc<dyn Clock>, road: mpsc::Sender<LeasedReplay>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(LOOK);
    let mut jobs = Jobs::default();
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Ends with the gateway.
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = told(&mut stop) => return,
        }
        if let Err(outage) = jobs.look(refusals.as_ref()).await {
            telemetry::outage_attempt(&outage);
        }
        let now = clock.now();
        match refusals.lease_replays(now, now.plus(LEASE), LEASED).await {
            Ok(leased) => {
                // More is due than one lease gives: no rest until it is caught up.
                if leased.len() >= LEASED as usize {
                    tick.reset_immediately();
                }
                for replay in leased {
                    tokio::select! {
                        sent = road.send(replay) => if sent.is_err() {
                            return;
                        },
                        () = told(&mut stop) => return,
                    }
                }
            }
            // The next look tries again.
            Err(outage) => telemetry::outage_attempt(&outage),
        }
    }
}
