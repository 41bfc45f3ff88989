//! The broker's topology, looked at before the first message and again and again: a set-up that could lose one is not started on, and one that becomes so is told at once,
//! with the command that mends it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::StartFault;
use crate::adapters::amqp::AmqpSettings;
use crate::adapters::amqp::doctor::{self, Check, State};
use crate::telemetry;

/// How long a look before the start may take. A broker that does not answer is waited for elsewhere, and looked at once it does.
const FIRST: Duration = Duration::from_secs(30);

/// Looks before anything is consumed.
///
/// # Errors
/// Everything that could lose a message, each with the command that mends it.
pub(super) async fn before(settings: &AmqpSettings) -> Result<(), StartFault> {
    let Ok(checks) = tokio::time::timeout(FIRST, doctor::examine(settings)).await else { return Ok(()) };
    let told: Vec<String> = doctor::dangers(&checks).map(sentence).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(StartFault::Config(format!("the broker is set up so that messages could be lost, and nothing is consumed:\n{}", told.join("\n"))))
}

/// Looks again and again; each fault is told when it comes and when it goes, and counted in between. Ends with the gateway, which aborts it.
pub(super) async fn watch(settings: Arc<AmqpSettings>, every: Duration) {
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let checks = doctor::examine(&settings).await;
        if checks.iter().all(|check| check.state == State::Unseen) {
            // Nothing could be seen: what was known stays known.
            continue;
        }
        let now: BTreeMap<(String, String), &Check> =
            checks.iter().filter(|c| c.state == State::Unwell).map(|c| ((c.name.clone(), c.what.clone()), c)).collect();
        for (_, check) in now.iter().filter(|(key, _)| !known.contains(*key)) {
            telemetry::topology_fault(&check.name, &check.what, check.mend.as_deref().unwrap_or_default(), check.loses);
        }
        for (name, what) in known.iter().filter(|key| !now.contains_key(*key)) {
            telemetry::topology_mended(name, what);
        }
        let losing = now.values().filter(|check| check.loses).count();
        telemetry::topology_faults(now.len(), losing);
        known = now.into_keys().collect();
    }
}

fn sentence(check: &Check) -> String {
    format!("  {}: {}\n    → {}", check.name, check.what, check.mend.as_deref().unwrap_or("arkki doctor"))
}
