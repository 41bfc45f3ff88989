//! Composition root: configuration in, running gateway out. The only file that names adapters together.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::adapters::amqp;
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::keys::pem::PemSigner;
use crate::adapters::store;
use crate::codes::rule_set::RuleSet;
use crate::codes::source::{self, Files};
use crate::config::checked::{Config, ConfigFault, Environment, read_octets};
use crate::crypto::certificate::TrustAnchors;
use crate::domain::outage::Outage;
use crate::pipeline::examine::{Examiner, Site};
use crate::pipeline::gate::Gate;
use crate::pipeline::intake::{self, Parts};
use crate::pipeline::pool::Pool;
use crate::pipeline::relay::Relay;
use crate::pipeline::holds;
use crate::ports::archive::Archive;
use crate::ports::broker::{Consumer, Publisher};
use crate::ports::clock::{Clock, Entropy};
use crate::ports::signer::Signer;
use crate::telemetry;
use crate::web::probe;

/// Deliveries between the broker's adapter and intake: a hand's width, what more the broker gives waits in the adapter.
const HAND: usize = 64;
/// How long the start waits for database and broker before it gives up and leaves the next try to whoever starts us.
const START: Duration = Duration::from_secs(60);
/// How often the archive is asked what stands where, for metrics.
const COUNTING: Duration = Duration::from_secs(5);

/// Why the gateway cannot start.
#[derive(Debug)]
pub enum StartFault {
    /// The configuration, a key, a certificate or a rule file is wrong.
    Config(String),
    /// A part of the world does not answer.
    Outage(Outage),
}

impl std::fmt::Display for StartFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(text) => f.write_str(text),
            Self::Outage(outage) => write!(f, "{outage}"),
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

/// The rule files: the binary's own, or the site's folder.
///
/// # Errors
/// What cannot be read.
pub fn rule_files(folder: Option<&Path>) -> Result<Files, ConfigFault> {
    match folder {
        None => Ok(source::rules_of(&source::embedded())),
        Some(folder) => crate::config::folder::read(folder),
    }
}

/// Trust anchors and intermediates from their files.
///
/// # Errors
/// Which file is wrong, and why.
pub fn trust(config: &Config) -> Result<TrustAnchors, ConfigFault> {
    let read = |paths: &[std::path::PathBuf]| paths.iter().map(|p| read_octets(p).map(|o| (p.display().to_string(), o))).collect::<Result<Vec<_>, _>>();
    TrustAnchors::from_pem_files(&read(&config.trust)?, &read(&config.intermediates)?).map_err(|e| ConfigFault(e.to_string()))
}

/// What a message is examined with.
///
/// # Errors
/// What is wrong with rules, schemas, anchors or the site key.
pub fn examiner(config: &Config) -> Result<Examiner, ConfigFault> {
    let files = rule_files(config.rules_folder.as_deref())?;
    let rules = RuleSet::load(&files).map_err(|e| ConfigFault(e.to_string()))?;
    let site_key = read_octets(&config.site_key_file)?;
    if site_key.len() < 32 {
        return Err(ConfigFault(format!("{}: a site key has 32 octets or more; make one with `head -c 32 /dev/urandom`", config.site_key_file.display())));
    }
    Examiner::new(&files, rules, Site::from_config(config, trust(config)?, site_key)).map_err(ConfigFault)
}

/// The signing key, refused in production when it is Arkki's own test key.
///
/// # Errors
/// What is wrong with key, certificate or their use here.
pub fn signer(config: &Config, anchors: &TrustAnchors) -> Result<PemSigner, ConfigFault> {
    let signer = PemSigner::open(&config.key_file, &config.certificate_file).map_err(|e| ConfigFault(e.to_string()))?;
    if config.environment == Environment::Production && (signer.is_arkki_test() || anchors.has_arkki_test()) {
        return Err(ConfigFault("environment = \"production\" and the key or a trust anchor is Arkki's test CA: its private key is public. Use the key and CA that DVV issued".into()));
    }
    Ok(signer)
}

/// What a running gateway is made of; the demo makes the same from embedded parts.
pub struct World {
    /// The archive.
    pub archive: Arc<dyn Archive>,
    /// The road in.
    pub consumer: Arc<dyn Consumer>,
    /// The road out.
    pub publisher: Arc<dyn Publisher>,
    /// The key.
    pub signer: Arc<dyn Signer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A running gateway.
pub struct House {
    parts: Arc<Parts>,
    consumer: Arc<dyn Consumer>,
    archive: Arc<dyn Archive>,
    intake: tokio::task::JoinHandle<()>,
    holds: tokio::task::JoinHandle<()>,
    relay: tokio::task::JoinHandle<()>,
    drain: watch::Sender<bool>,
    abandon: watch::Sender<bool>,
    stop_relay: watch::Sender<bool>,
}

impl House {
    /// Opens the house: every task runs, messages are taken.
    ///
    /// # Errors
    /// An outage when the broker does not answer.
    pub async fn open(config: &Config, examiner: Examiner, world: World) -> Result<Self, Outage> {
        let World { archive, consumer, publisher, signer, clock } = world;
        let (drain, drain_seen) = watch::channel(false);
        let (abandon, abandon_seen) = watch::channel(false);
        let (stop_relay, stop_relay_seen) = watch::channel(false);
        let (relay, relay_handle) = Relay::new(Arc::clone(&archive), publisher, Arc::clone(&clock));
        let parts = Arc::new(Parts {
            archive: Arc::clone(&archive),
            examiner: Arc::new(examiner),
            signer,
            clock: Arc::clone(&clock),
            pool: Pool::start(config.threads)?,
            relay: relay_handle,
            gate: Gate::new(Arc::clone(&consumer), abandon_seen),
            hold: config.hold,
            held: (config.held_per_sender, config.held_in_all),
            in_hand: AtomicUsize::new(0),
        });
        let (deliver, deliveries) = mpsc::channel(HAND);
        let (release, due) = mpsc::channel(HAND);
        consumer.start(deliver).await?;
        Ok(Self {
            intake: tokio::spawn(intake::run(Arc::clone(&parts), deliveries, due, drain_seen.clone())),
            holds: tokio::spawn(holds::run(Arc::clone(&archive), clock, release, drain_seen)),
            relay: tokio::spawn(relay.run(stop_relay_seen)),
            parts,
            consumer,
            archive,
            drain,
            abandon,
            stop_relay,
        })
    }

    /// How many answers were routed and confirmed.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.parts.relay.answered()
    }

    /// Deliveries in hand.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.parts.in_hand.load(Ordering::Acquire)
    }

    /// Takes nothing more, settles what is in hand, sends what must leave, and closes; at most `within`. Gives how many deliveries went back.
    pub async fn close(mut self, within: Duration) -> usize {
        let deadline = tokio::time::Instant::now() + within;
        self.consumer.pause().await;
        // Everyone waits on these values; a send fails only when all of them have gone.
        self.drain.send_replace(true);
        // An outage ends the wait a little before the deadline, so that what is left can be handed back in order.
        let patience = deadline - within / 5;
        if tokio::time::timeout_at(patience, &mut self.intake).await.is_err() {
            self.abandon.send_replace(true);
            if tokio::time::timeout_at(deadline, &mut self.intake).await.is_err() {
                self.intake.abort();
            }
        }
        self.holds.abort();
        self.stop_relay.send_replace(true);
        if tokio::time::timeout_at(deadline, &mut self.relay).await.is_err() {
            // Its rows keep their lease and go out when it ends.
            self.relay.abort();
        }
        self.consumer.close(deadline.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_millis(500))).await;
        self.in_hand()
    }
}

/// Runs the gateway until SIGTERM, SIGINT, or `until_answered` answers. Gives the number of answers.
///
/// # Errors
/// Why it cannot start.
pub async fn serve(config: Config, until_answered: Option<u64>) -> Result<u64, StartFault> {
    let examiner = examiner(&config)?;
    let signer = signer(&config, examiner.anchors())?;
    let metrics = telemetry::setup::metrics().map_err(StartFault::Config)?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let archive = tokio::time::timeout(START, open_archive(&config, &entropy)).await.map_err(|_| StartFault::Config(format!("{} does not answer", config.archive_url.shown())))??;
    let settings = amqp::settings::Settings::from_config(&config);
    let broker = amqp::Amqp::new(settings);
    let world = World { archive: Arc::clone(&archive), consumer: Arc::clone(&broker) as _, publisher: broker as _, signer: Arc::new(signer), clock: Arc::new(SystemClock) };
    let rules = examiner.rules().to_hex();
    let house = House::open(&config, examiner, world).await?;
    let (stop_probe, stop_seen) = watch::channel(false);
    if let Some(address) = config.listen {
        let listener = probe::listen(address).await?;
        tokio::spawn(probe::serve(listener, metrics, readiness(&house), stop_seen));
    }
    let counting = tokio::spawn(count(Arc::clone(&house.archive)));
    telemetry::ready(&config.instance, &rules);
    let reason = until_told(&house, until_answered).await;
    telemetry::stopping(reason);
    let answered = house.answered();
    let left = house.close(config.stop).await;
    counting.abort();
    stop_probe.send_replace(true);
    telemetry::stopped(left);
    Ok(answered)
}

fn readiness(house: &House) -> Box<probe::Readiness> {
    let (parts, consumer) = (Arc::clone(&house.parts), Arc::clone(&house.consumer));
    Box::new(move || {
        let mut missing = Vec::new();
        if !consumer.is_up() {
            missing.push("broker");
        }
        if !parts.gate.is_open() {
            missing.push("archive or key");
        }
        missing
    })
}

/// Opens the archive, patiently: a database that starts beside us may take its time.
async fn open_archive(config: &Config, entropy: &Arc<dyn Entropy>) -> Result<Arc<dyn Archive>, StartFault> {
    // Bounded by the caller's time limit.
    loop {
        match store::open(config.archive_url.reveal(), &config.instance, Arc::clone(entropy)).await {
            Ok(archive) => return Ok(archive),
            Err(store::OpenFault::Outage(outage)) => {
                telemetry::outage_attempt(&outage);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(store::OpenFault::Schema(text)) => return Err(StartFault::Config(text)),
        }
    }
}

async fn count(archive: Arc<dyn Archive>) {
    let mut tick = tokio::time::interval(COUNTING);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Ends with the gateway, which aborts it.
    loop {
        tick.tick().await;
        if let Ok(counts) = archive.counts().await {
            telemetry::counts(&counts);
        }
    }
}

async fn until_told(house: &House, until_answered: Option<u64>) -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return "no signal handlers: the machine gives none";
    };
    let answered = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        // Ends with the count; the signals end it otherwise.
        loop {
            tick.tick().await;
            if until_answered.is_some_and(|n| house.answered() >= n) && house.in_hand() == 0 {
                return;
            }
        }
    };
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
        () = answered => "all answered",
    }
}
