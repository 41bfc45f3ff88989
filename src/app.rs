//! Composition root: configuration in, running gateway out. The only file that names adapters together.

mod house;
mod keys;
mod lookout;
mod parts;
mod sink;
mod upkeep;
mod watching;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::adapters::amqp::{AmqpConsumer, AmqpDepths, AmqpPublisher, AmqpSettings, topology};
use crate::adapters::checkpoint_file::LineFile;
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::embedded::{EmbeddedBroker, EmbeddedConsumer};
use crate::adapters::evidence::SiteEvidence;
use crate::adapters::keys::ring::Keyring;
use crate::adapters::otlp::Exporter;
use crate::adapters::post::Address;
use crate::adapters::store::{self, Store};
use crate::config::checked::{Config, ConfigFault};
use crate::config::lilm;
use crate::domain::digest::Digest;
use crate::domain::outage::{Outage, Part};
use crate::pipeline::checkpoint::make::{Maker, Pace};
use crate::pipeline::door::Entrance;
use crate::pipeline::trace::Tracer;
use crate::ports::archive::Archive;
use crate::ports::broker::{Consumer, Depths, Publisher};
use crate::ports::checkpoints::CheckpointFile;
use crate::ports::clock::{Clock, Entropy};
use crate::ports::messages::Reconciling;
use crate::ports::notices::Notices;
use crate::ports::refusals::Refusals;
use crate::ports::signer::Keys;
use crate::telemetry;
use crate::web::{probe, validate};
pub use house::{House, Notifying, World};
pub use keys::{key_place, keyring, own_serials, signer_certificate, stamp_trust, stamper, unfit};
use keys::{open_keys, take_keys, watch_keys};
pub use parts::{
    broker_settings, door, examiner, examiner_for, examiner_to_read, examiner_with, has_certificate, revocations, rule_files, site_key, trust, with_definitions,
};
pub use sink::{sink, sink_from};
use upkeep::Upkeep;
pub use watching::Watching;

/// Deliveries between the broker's adapter and intake: a hand's width, what more the broker gives waits in the adapter.
const HAND: usize = 64;
/// How long the start waits for database and broker before it gives up and leaves the next try to whoever starts us.
const START: Duration = Duration::from_secs(60);

/// Why the gateway cannot start.
#[derive(Debug)]
pub enum StartFault {
    /// The configuration, a key, a certificate or a rule file is wrong.
    Config(String),
    /// A part of the world does not answer.
    Outage(Outage),
    /// A task of the gateway ended by itself: a defect of ours. Whoever started us starts us anew.
    Defect(&'static str),
}

impl std::fmt::Display for StartFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(text) => f.write_str(text),
            Self::Outage(outage) => write!(f, "{outage}"),
            Self::Defect(task) => write!(f, "defect: {task} ended by itself; please report it with the lines before this one"),
        }
    }
}

impl From<ConfigFault> for StartFault {
    fn from(fault: ConfigFault) -> Self {
        Self::Config(fault.0)
    }
}

impl From<Outage> for StartFault {
    fn from(outage: Outage) -> Self {
        Self::Outage(outage)
    }
}

/// Opens a house on the configured archive and keys, with the given roads in and out. Gives the rule set's hash and the keys beside it.
///
/// # Errors
/// Why it cannot start.
pub async fn open(config: &Config, consumer: Arc<dyn Consumer>, publisher: Arc<dyn Publisher>) -> Result<(House, Digest, Arc<Keyring>), StartFault> {
    let examiner = examiner(config)?;
    if let Some(fault) = lilm::faults((config.notice_root.as_ref(), config.notice_format), config.environment, &examiner.rule_set().lilm).into_iter().next() {
        return Err(StartFault::Config(fault));
    }
    let ring = Arc::new(open_keys(config, &examiner.site().anchors).await?);
    let keys: Arc<dyn Keys> = Arc::<Keyring>::clone(&ring);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::open()?);
    let stamper = stamper(config, &entropy)?;
    let revocation = Arc::new(revocations(config)?);
    let store = open_archive(config, &entropy).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let notices = Arc::clone(&store) as Arc<dyn Notices>;
    let reconciling = Arc::clone(&store) as Arc<dyn Reconciling>;
    let refusals = Arc::clone(&store) as Arc<dyn Refusals>;
    let archive: Arc<dyn Archive> = Arc::clone(&store) as Arc<dyn Archive>;
    let checkpoints = Maker {
        archive: Arc::clone(&archive),
        checkpoints: store,
        file: config.checkpoint_file.as_ref().map(|path| Arc::new(LineFile::new(path)) as Arc<dyn CheckpointFile>),
        stamper,
        evidence: Arc::new(SiteEvidence::new(Arc::clone(&keys), &examiner.site().anchors, config.crls.clone(), Arc::clone(&revocation))),
        clock: Arc::clone(&clock),
        instance: config.instance.clone(),
        pace: Pace { entries: config.checkpoint_entries, time: config.checkpoint_time },
    };
    let rules = examiner.rules();
    // Without the management API nobody can be asked; the demo's broker in this process has none.
    let depths = match &config.management_url {
        Some(_) => Some(Arc::new(AmqpDepths::new(Arc::new(broker_settings(config)?))) as Arc<dyn Depths>),
        None => None,
    };
    let tracer = tracer(config, &clock, &entropy)?;
    let notices = Notifying { notices, sink: sink(config)?, sink_from: sink_from(config), reckon: config.reckon };
    let world = World { archive, consumer, publisher, keys, revocation, clock, checkpoints, notices, refusals, reconciling, depths, tracer };
    Ok((House::open(config, examiner, world).await?, rules, ring))
}

/// As [`open`], on a broker that could lose no message.
async fn open_checked(
    settings: &AmqpSettings,
    config: &Config,
    consumer: Arc<dyn Consumer>,
    publisher: Arc<dyn Publisher>,
) -> Result<(House, Digest, Arc<Keyring>), StartFault> {
    lookout::before(settings).await?;
    open(config, consumer, publisher).await
}

/// Who makes traces, where the configuration names a collector.
fn tracer(config: &Config, clock: &Arc<dyn Clock>, entropy: &Arc<dyn Entropy>) -> Result<Option<Arc<Tracer>>, ConfigFault> {
    let Some(url) = &config.otlp else { return Ok(None) };
    let collector = Address::parse(url).map_err(|e| ConfigFault(format!("[telemetry] otlp: {e}")))?;
    let exporter = Exporter::start(&collector, &config.instance).map_err(|e| ConfigFault(format!("[telemetry] otlp: {e}")))?;
    Ok(Some(Arc::new(Tracer::new(Arc::new(exporter), Arc::clone(clock), Arc::clone(entropy), config.otlp_one_in))))
}

/// Opens a house on RabbitMQ, its topology declared first: for the demo.
///
/// # Errors
/// Why it cannot start.
pub async fn open_on_broker(config: &Config) -> Result<House, StartFault> {
    let settings = Arc::new(broker_settings(config)?);
    if let Some(fault) = topology::apply(&settings).await?.into_iter().find_map(|a| a.fault) {
        return Err(StartFault::Config(format!("{} {}", fault.said, fault.mend)));
    }
    let (consumer, publisher) = (AmqpConsumer::new(Arc::clone(&settings)), AmqpPublisher::new(settings));
    Ok(open(config, Arc::new(consumer), Arc::new(publisher)).await?.0)
}

/// Opens a house on a broker in this process: for the demo.
///
/// # Errors
/// Why it cannot start.
pub async fn open_embedded(config: &Config, broker: &EmbeddedBroker) -> Result<House, StartFault> {
    let settings = broker_settings(config)?;
    let queues =
        config.inbound.iter().map(|q| (q.queue.clone(), Entrance { name: q.name.clone(), profile: q.profile.clone(), sender: q.sender.clone() })).collect();
    let prefetch = config.inbound.iter().map(|q| q.prefetch).max().unwrap_or(1);
    let consumer = EmbeddedConsumer::new(broker.clone(), queues, settings.rules, config.dead_letter_queue.clone(), prefetch);
    Ok(open(config, Arc::new(consumer), Arc::new(broker.clone())).await?.0)
}

/// Runs the gateway until SIGTERM, SIGINT, or `until_answered` answers. Gives the number of answers.
///
/// # Errors
/// Why it cannot start, or which of its tasks ended by itself.
pub async fn serve(config: Config, reload: &(dyn Fn() -> Result<Config, ConfigFault> + Sync), until_answered: Option<u64>) -> Result<u64, StartFault> {
    // Before anything is in hand: a stop that comes while we start is a stop like any other.
    let mut signals = Signals::listen()?;
    let mut hups = Signals::listen_to(SignalKind::hangup())?;
    let metrics = telemetry::setup::metrics().map_err(StartFault::Config)?;
    // An address that is taken is known before messages are.
    let listener = match config.listen {
        Some(address) => Some(probe::listen(address).await?),
        None => None,
    };
    let validation = match config.validate {
        Some(address) => Some(validate::listen(address).await?),
        None => None,
    };
    // Who asks while the house is opened hears that it is being opened.
    let (stop_probe, stop_seen) = watch::channel(false);
    let stands: Arc<OnceLock<Box<probe::Readiness>>> = Arc::default();
    if let Some(listener) = listener {
        let stands = Arc::clone(&stands);
        let readiness = Box::new(move || stands.get().map_or_else(|| vec!["starting: archive, key and broker are waited for"], |readiness| readiness()));
        tokio::spawn(probe::serve(listener, metrics.clone(), readiness, stop_seen.clone()));
    }
    let settings = Arc::new(broker_settings(&config)?);
    let (consumer, publisher) = (AmqpConsumer::new(Arc::clone(&settings)), AmqpPublisher::new(Arc::clone(&settings)));
    let (house, rules, ring) = tokio::select! {
        opened = open_checked(&settings, &config, Arc::new(consumer), Arc::new(publisher)) => opened?,
        reason = signals.told() => {
            telemetry::stopping(reason);
            telemetry::stopped(0);
            return Ok(0);
        }
    };
    let answers = Arc::new(AtomicBool::new(true));
    let looked_at = (Arc::clone(&house.archive), Arc::clone(&house.parts));
    let counting = tokio::spawn(Upkeep::new(&config, looked_at, metrics, Arc::clone(&answers), Arc::clone(&settings)).run());
    if let Some(listener) = validation {
        tokio::spawn(validate::serve(listener, Arc::clone(&house.parts), stop_seen.clone()));
    }
    let _only_here = stands.set(readiness(&house, answers));
    let watching = tokio::spawn(watch_keys(Arc::clone(&ring)));
    let looking = tokio::spawn(lookout::watch(settings, config.topology_look));
    telemetry::ready(&config.instance, &rules.to_hex());
    let ended = tokio::select! {
        reason = signals.told() => Ok(reason),
        never = take_keys(&mut hups, &ring, reload) => match never {},
        ended = until_ended(&house, until_answered) => ended,
    };
    telemetry::stopping(ended.unwrap_or_else(|task| task));
    let answered = house.answered();
    let left = house.close(config.stop).await;
    counting.abort();
    watching.abort();
    looking.abort();
    stop_probe.send_replace(true);
    telemetry::stopped(left);
    ended.map(|_| answered).map_err(StartFault::Defect)
}

/// Ready: the broker stands, nobody waits at the gate, and the archive answered when it was last asked, so that an idle gateway tells the truth too.
fn readiness(house: &House, answers: Arc<AtomicBool>) -> Box<probe::Readiness> {
    let (parts, consumer) = (Arc::clone(&house.parts), Arc::clone(&house.consumer));
    Box::new(move || {
        let mut missing = Vec::new();
        if !consumer.is_up() {
            missing.push("broker");
        }
        if !answers.load(Ordering::Acquire) {
            missing.push("archive");
        } else if !parts.gate.is_open() {
            missing.push("archive or key");
        }
        missing
    })
}

/// Opens the archive, patiently: a database that starts beside us may take its time.
async fn open_archive(config: &Config, entropy: &Arc<dyn Entropy>) -> Result<Arc<Store>, Outage> {
    let deadline = tokio::time::Instant::now() + START;
    let mut told = false;
    // Bounded by the deadline: then whoever starts us decides.
    loop {
        match store::open_store(config.archive_url.reveal(), config.instance.clone(), Arc::clone(entropy)).await {
            Ok(archive) => return Ok(archive),
            Err(outage) if tokio::time::Instant::now() >= deadline => return Err(outage),
            Err(outage) => {
                telemetry::start_waits(&outage, START, std::mem::replace(&mut told, true));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Outage> {
        Ok(Self { term: Self::listen_to(SignalKind::terminate())?, int: Self::listen_to(SignalKind::interrupt())? })
    }

    fn listen_to(kind: SignalKind) -> Result<Signal, Outage> {
        signal(kind).map_err(|e| Outage::new(Part::Machine, format!("no signal handler: {e}")))
    }

    async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

/// Waits for the last of so many answers, or for a task that ends by itself.
async fn until_ended(house: &House, until_answered: Option<u64>) -> Result<&'static str, &'static str> {
    // A script that waits for the last answer wants to know at once; a defect can wait a second.
    let mut tick = tokio::time::interval(Duration::from_millis(if until_answered.is_some() { 20 } else { 1000 }));
    // Ends with the count or a defect; the signals end it otherwise.
    loop {
        tick.tick().await;
        if let Some(task) = house.ended() {
            return Err(task);
        }
        if until_answered.is_some_and(|n| house.answered() >= n) && house.in_hand() == 0 {
            return Ok("all answered");
        }
    }
}
