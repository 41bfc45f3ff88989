//! Looks for held messages whose time is up, or whose awaited id came by another instance or before a crash; and for those who still wait for a message
//! that is decided.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::gate::told;
use crate::domain::change::HeldMessage;
use crate::ports::archive::Archive;
use crate::ports::clock::Clock;
use crate::telemetry;

/// How often: a held message's time is counted in tens of seconds.
const SWEEP: Duration = Duration::from_secs(1);
/// How many at once.
const ROWS: u32 = 64;
/// How many of those left waiting are answered in one transaction: with findings in every answer, some megabytes.
const ANSWERED: u32 = 256;
/// How often a sweep does so: ten thousand answers, so that the next sweep is not late.
const ROUNDS: u32 = 40;

/// Runs until `stop`.
pub async fn run(archive: Arc<dyn Archive>, clock: Arc<dyn Clock>, due: mpsc::Sender<HeldMessage>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(SWEEP);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = told(&mut stop) => return,
        }
        match archive.held_due(clock.now(), ROWS).await {
            Ok(held) => {
                telemetry::holds_swept();
                for message in held {
                    if due.send(message).await.is_err() {
                        return;
                    }
                }
            }
            // The next sweep tries again.
            Err(outage) => telemetry::outage_attempt(&outage),
        }
        answer_left(&*archive, &*clock).await;
    }
}

async fn answer_left(archive: &dyn Archive, clock: &dyn Clock) {
    for _ in 0..ROUNDS {
        match archive.answer_left(clock.now(), ANSWERED).await {
            Ok(ANSWERED..) => {}
            Ok(_) => return,
            Err(outage) => return telemetry::outage_attempt(&outage),
        }
    }
}
