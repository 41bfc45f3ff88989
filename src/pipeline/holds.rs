//! Looks for held messages whose time is up, or whose awaited id came by another instance or before a crash.

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
    }
}
