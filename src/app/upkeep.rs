//! What the running gateway looks at every few seconds: what stands in the archive, how long it has waited, how deep the queues are, what is free on
//! the disks; and the alarms over all of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::adapters::amqp::AmqpSettings;
use crate::adapters::amqp::depths::Depths;
use crate::adapters::clock::SystemClock;
use crate::adapters::machine;
use crate::config::checked::Config;
use crate::pipeline::intake::Parts;
use crate::ports::archive::Archive;
use crate::ports::clock::Clock as _;
use crate::telemetry;
use crate::telemetry::alarms::Alarms;
use crate::telemetry::exposition::Samples;

/// How often.
const LOOKING: Duration = Duration::from_secs(5);
/// How long the look at the queues may take: a broker that does not answer must not keep the archive's numbers waiting.
const QUEUES_WITHIN: Duration = Duration::from_secs(3);

/// What is looked at.
pub(super) struct Upkeep {
    archive: Arc<dyn Archive>,
    parts: Arc<Parts>,
    metrics: telemetry::setup::Metrics,
    answers: Arc<AtomicBool>,
    depths: Depths,
    disks: Vec<PathBuf>,
    held_in_all: u64,
}

impl Upkeep {
    pub(super) fn new(
        config: &Config,
        (archive, parts): (Arc<dyn Archive>, Arc<Parts>),
        metrics: telemetry::setup::Metrics,
        answers: Arc<AtomicBool>,
        settings: Arc<AmqpSettings>,
    ) -> Self {
        Self { archive, parts, metrics, answers, depths: Depths::new(settings), disks: disks(config), held_in_all: config.held_in_all }
    }

    /// Looks again and again; the metrics' own upkeep too: without it what nobody scrapes would fill the memory.
    pub(super) async fn run(mut self) {
        let mut tick = tokio::time::interval(LOOKING);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut alarms = Alarms::default();
        // Ends with the gateway, which aborts it.
        loop {
            tick.tick().await;
            self.look().await;
            self.metrics.run_upkeep();
            let now = SystemClock.now();
            for (rule, change) in alarms.step(&Samples::read(&self.metrics.render()), now) {
                telemetry::alarm(rule, change, now);
            }
        }
    }

    async fn look(&mut self) {
        telemetry::in_hand(self.parts.in_hand.load(Ordering::Acquire));
        telemetry::lanes(self.parts.waits.lanes(), self.parts.waits.lane_waits());
        for folder in &self.disks {
            // A folder that is not there yet has no disk to fill.
            if let Ok((free, all)) = machine::disk(folder) {
                telemetry::disk_free(&folder.display().to_string(), free, all);
            }
        }
        if let Ok(Ok(depths)) = tokio::time::timeout(QUEUES_WITHIN, self.depths.look()).await {
            depths.iter().for_each(|d| telemetry::queue_depth(&d.queue, d.role, d.messages, d.consumers));
        }
        let counts = self.archive.counts().await;
        self.answers.store(counts.is_ok(), Ordering::Release);
        let in_hand = self.parts.waits.oldest();
        match counts {
            Ok(counts) => {
                telemetry::counts(&counts);
                telemetry::hold_fills(counts.held, self.held_in_all);
                telemetry::waits(&telemetry::Waits::of(in_hand, &counts, SystemClock.now()));
            }
            // What is in hand grows old all the same.
            Err(_) => telemetry::waits(&telemetry::Waits { in_hand, ..telemetry::Waits::default() }),
        }
    }
}

/// The folders of the configuration, and those that Arkki itself writes to.
fn disks(config: &Config) -> Vec<PathBuf> {
    let archive = config.archive_url.reveal().strip_prefix("sqlite:").map(|rest| PathBuf::from(rest.strip_prefix("//").unwrap_or(rest)));
    let written = archive.iter().chain(&config.checkpoint_file).filter_map(|file| file.parent().map(PathBuf::from));
    let mut disks: Vec<PathBuf> = config.disks.iter().cloned().chain(written).filter(|folder| !folder.as_os_str().is_empty()).collect();
    disks.sort();
    disks.dedup();
    disks
}
