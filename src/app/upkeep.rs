//! What the running gateway looks at every few seconds: what stands in the archive, how long it has waited, how deep the queues are, what is free on
//! the disks; and the alarms over all of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::adapters::amqp::AmqpSettings;
use crate::adapters::amqp::depths::Depths;
use crate::adapters::clock::SystemClock;
use crate::adapters::machine;
use crate::config::checked::Config;
use crate::pipeline::intake::Parts;
use crate::ports::archive::{Archive, Counts};
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
    disks: Arc<[PathBuf]>,
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
        Self { archive, parts, metrics, answers, depths: Depths::new(settings), disks: disks(config).into(), held_in_all: config.held_in_all }
    }

    /// Looks again and again. The archive is asked beside all else: one that does not answer must not keep the rest from being told.
    pub(super) async fn run(self) {
        let Self { archive, parts, metrics, answers, mut depths, disks, held_in_all } = self;
        let last = Mutex::new(Counts::default());
        let archive = async {
            let mut tick = every();
            // Ends with the gateway, which aborts it; as does the other.
            loop {
                tick.tick().await;
                let counts = archive.counts().await;
                answers.store(counts.is_ok(), Ordering::Release);
                if let Ok(counts) = counts {
                    telemetry::counts(&counts);
                    telemetry::hold_fills(counts.held, held_in_all);
                    telemetry::glass(counts.glass_broken, SystemClock.now());
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = counts;
                }
            }
        };
        let rest = async {
            let mut tick = every();
            let mut alarms = Alarms::default();
            loop {
                tick.tick().await;
                // The metrics' own upkeep: without it what nobody scrapes would fill the memory.
                metrics.run_upkeep();
                telemetry::in_hand(parts.in_hand.load(Ordering::Acquire));
                telemetry::lanes(parts.waits.lanes(), parts.waits.lane_waits());
                if let Ok(Ok(seen)) = tokio::time::timeout(QUEUES_WITHIN, depths.look()).await {
                    seen.iter().for_each(|d| telemetry::queue_depth(&d.queue, d.role, d.messages, d.consumers));
                }
                let now = SystemClock.now();
                // While the archive does not answer, what it last said waits on.
                let counts = *last.lock().unwrap_or_else(PoisonError::into_inner);
                telemetry::waits(&telemetry::Waits::of(parts.waits.oldest(), &counts, now));
                for (rule, change) in alarms.step(&Samples::read(&metrics.render()), now) {
                    telemetry::alarm(rule, change, now);
                }
            }
        };
        // A disk of another machine that went away keeps who asks: only the next look at disks waits for it.
        let room = async {
            let mut tick = every();
            loop {
                tick.tick().await;
                let disks = Arc::clone(&disks);
                let _ended = tokio::task::spawn_blocking(move || disks.iter().for_each(|folder| look_at_disk(folder))).await;
            }
        };
        tokio::join!(archive, rest, room);
    }
}

fn every() -> tokio::time::Interval {
    let mut tick = tokio::time::interval(LOOKING);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick
}

/// A folder that is not there yet has no disk to fill.
fn look_at_disk(folder: &Path) {
    if let Ok((free, all)) = machine::disk(folder) {
        telemetry::disk_free(&folder.display().to_string(), free, all);
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
