//! Composition root: configuration in, running gateway out. The only file that names adapters together.

mod house;
mod keys;
mod lookout;
mod sink;
mod upkeep;
mod watching;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::adapters::amqp::{AmqpConsumer, AmqpDepths, AmqpPublisher, AmqpSettings, InboundQueue, Secret, topology};
use crate::adapters::checkpoint_file::LineFile;
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::embedded::{EmbeddedBroker, EmbeddedConsumer};
use crate::adapters::evidence::SiteEvidence;
use crate::adapters::keys::ring::Keyring;
use crate::adapters::otlp::Exporter;
use crate::adapters::post::Address;
use crate::adapters::revocation::{LOOK_AGAIN, Revocations, Sources};
use crate::adapters::store::{self, Store};
use crate::cda::structured::sosmeta::Sosmeta;
use crate::codes::rule_set::RuleSet;
use crate::codes::source::{self, Files};
use crate::config::checked::{Config, ConfigFault, read_octets};
use crate::config::{lilm, schema_tree};
use crate::crypto::trust::TrustAnchors;
use crate::domain::digest::Digest;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::pipeline::checkpoint::make::{Maker, Pace};
use crate::pipeline::door::{Entrance, Pattern, Rules, SenderRules};
use crate::pipeline::examine::{Examiner, Senders, Site};
use crate::pipeline::notice::NoticeSite;
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
use crate::v3::frame::FrameSite;
use crate::web::{probe, validate};
pub use house::{House, Notifying, World};
pub use keys::{key_place, keyring, own_serials, signer_certificate, stamp_trust, stamper, unfit};
use keys::{open_keys, take_keys, watch_keys};
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

/// The rules with the national definitions of the site's folder, when it has one.
///
/// # Errors
/// Every definition that cannot be used, and why.
pub fn with_definitions(rules: RuleSet, folder: Option<&Path>) -> Result<RuleSet, ConfigFault> {
    let Some(folder) = folder else { return Ok(rules) };
    let definitions = Sosmeta::compile(&crate::config::folder::read_sosmeta(folder)?, &rules.json);
    definitions.map(|definitions| rules.with_sosmeta(definitions)).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        ConfigFault(format!("[sosmeta] folder {}: {}", folder.display(), faults.join("; ")))
    })
}

/// Trust anchors and intermediates from their files.
///
/// # Errors
/// Which file is wrong, and why.
pub fn trust(config: &Config) -> Result<TrustAnchors, ConfigFault> {
    let read = |paths: &[PathBuf]| -> Result<Vec<u8>, ConfigFault> {
        let mut all = Vec::new();
        for path in paths {
            all.extend(read_octets(path)?);
            all.push(b'\n');
        }
        Ok(all)
    };
    if config.trust.is_empty() {
        return Ok(TrustAnchors::none());
    }
    TrustAnchors::from_pem(&read(&config.trust)?, &read(&config.intermediates)?).map_err(|e| {
        let names: Vec<String> = config.trust.iter().chain(&config.intermediates).map(|p| p.display().to_string()).collect();
        ConfigFault(format!("[sign] trust or intermediates ({}): {e}", names.join(", ")))
    })
}

/// Whom to ask whether certificates are in force.
///
/// # Errors
/// A list that cannot be read or used, an authority that no list is of, an address that is none.
pub fn revocations(config: &Config) -> Result<Revocations, ConfigFault> {
    let responder = config.ocsp.as_deref().map(Address::parse).transpose().map_err(|e| ConfigFault(format!("[sign] ocsp: {e}")))?;
    let sources = Sources { lists: config.crls.clone(), grace: config.crl_grace, responder, look_again: LOOK_AGAIN, take_unknown: config.take_unknown };
    Revocations::open(sources, trust(config)?).map_err(|e| ConfigFault(format!("[sign] crls: {e}")))
}

/// What a message is examined with.
///
/// # Errors
/// What is wrong with rules, schemas, anchors or the site key.
pub fn examiner(config: &Config) -> Result<Examiner, ConfigFault> {
    examiner_with(config, site_key(config)?)
}

/// The site's key for client ids.
///
/// # Errors
/// It cannot be read, or is too short to hide anything.
pub fn site_key(config: &Config) -> Result<Vec<u8>, ConfigFault> {
    let site_key = read_octets(&config.site_key_file)?;
    if site_key.len() < 32 {
        return Err(ConfigFault(format!("{}: a site key has 32 octets or more; make one with `head -c 32 /dev/urandom`", config.site_key_file.display())));
    }
    Ok(site_key)
}

/// As [`examiner_with`], with no schema compiled: to read messages and judge none.
///
/// # Errors
/// What is wrong with rules or anchors.
pub fn examiner_to_read(config: &Config, site_key: Vec<u8>) -> Result<Examiner, ConfigFault> {
    examiner_of(config, site_key).map(|(examiner, _)| examiner)
}

/// As [`examiner`], with a site key of the caller's.
///
/// # Errors
/// What is wrong with rules, schemas or anchors.
pub fn examiner_with(config: &Config, site_key: Vec<u8>) -> Result<Examiner, ConfigFault> {
    let (examiner, site_schemas) = examiner_of(config, site_key)?;
    examiner.compile().map_err(|fault| ConfigFault(on_disk(fault, &site_schemas)))?;
    Ok(examiner)
}

/// As [`examiner_with`], with the schemas of one profile compiled and the others when a message first needs them: for one run over some files.
///
/// # Errors
/// What is wrong with rules, anchors, the profile or its schema.
pub fn examiner_for(config: &Config, site_key: Vec<u8>, profile: &str) -> Result<Examiner, ConfigFault> {
    let (examiner, site_schemas) = examiner_of(config, site_key)?;
    examiner.ready(profile).map_err(|fault| ConfigFault(on_disk(fault, &site_schemas)))?;
    Ok(examiner)
}

/// What the files of a site's own schema are called among the rule files, and the folder they came from.
type SiteSchemas = Vec<(String, PathBuf)>;

fn examiner_of(config: &Config, site_key: Vec<u8>) -> Result<(Examiner, SiteSchemas), ConfigFault> {
    let mut files = rule_files(config.rules_folder.as_deref())?;
    let mut site_schemas = SiteSchemas::new();
    for (profile, entry) in &config.profile_schemas {
        let tree = schema_tree::read(profile, entry)?;
        files.extend(tree.files);
        site_schemas.push(tree.folder);
    }
    let rules = with_definitions(RuleSet::load(&files).map_err(|e| ConfigFault(e.to_string()))?, config.sosmeta_folder.as_deref())?;
    let known = |profile: &str, option: &str| match rules.profiles.get(profile) {
        Some(_) => Ok(()),
        None => Err(ConfigFault(format!("{option}: there is no profile {profile:?}; there are {}", rules.profiles.names().join(", ")))),
    };
    config.profile_schemas.keys().try_for_each(|name| known(name, &format!("[profiles.{name}]")))?;
    config.inbound.iter().try_for_each(|queue| known(&queue.profile, &format!("[inbound.{}] profile", queue.name)))?;
    let mut signers = Vec::new();
    for text in &config.signers {
        signers.push(Oid::parse(text).map_err(|_| ConfigFault(format!("[sign] signers: {text:?} is not an OID")))?);
    }
    let site = Site {
        frames: FrameSite { environment: config.environment, receivers: config.receivers.clone() },
        octets: (config.message_octets, config.document_octets),
        anchors: trust(config)?,
        site_key,
        signers,
        language: config.language,
        senders: Senders {
            register: config.register.clone(),
            languages: config.senders.iter().filter_map(|(name, sender)| Some((name.clone(), sender.language?))).collect(),
            only_ae: config.only_ae,
        },
        code_system: config.code_system.clone(),
        id_root: config.id_root.clone(),
        device: config.device.clone(),
        receiver: config.receiver.clone(),
        notices: config.notice_root.clone().map(|id_root| NoticeSite { id_root, queue: config.notice_queue.clone(), format: config.notice_format }),
    };
    Ok((Examiner::unready(&files, rules, site), site_schemas))
}

/// A schema's fault with the file's place on disk in it.
fn on_disk(fault: String, site_schemas: &SiteSchemas) -> String {
    site_schemas.iter().fold(fault, |fault, (name, folder)| fault.replace(name, &format!("{}/", folder.display())))
}

/// Who may send and where answers may go.
///
/// # Errors
/// A reply pattern that is none.
pub fn door(config: &Config) -> Result<Rules, ConfigFault> {
    let closed = config.inbound.iter().map(|q| q.queue.clone()).chain([config.dead_letter_queue.clone(), config.notice_queue.clone()]);
    let mut rules = Rules::new(config.allow_anonymous, closed).with_default_route(config.default_route.clone());
    for (name, route) in &config.senders {
        let parse = |text: &String| Pattern::parse(text).ok_or_else(|| ConfigFault(format!("[senders.{name}] replies: {text:?} is not a pattern")));
        let replies = if route.replies.is_empty() { None } else { Some(route.replies.iter().map(parse).collect::<Result<_, _>>()?) };
        rules = rules.with_sender(name.clone(), SenderRules { replies, route: route.route.clone() });
    }
    Ok(rules)
}

/// What the broker adapter is told.
///
/// # Errors
/// A reply pattern that is none.
pub fn broker_settings(config: &Config) -> Result<AmqpSettings, ConfigFault> {
    let inbound = config.inbound.iter().map(|q| InboundQueue {
        name: q.name.clone(),
        queue: q.queue.clone(),
        partitions: q.partitions,
        prefetch: q.prefetch,
        profile: q.profile.clone(),
        sender: q.sender.clone(),
    });
    Ok(AmqpSettings {
        connection_name: format!("arkki {}", config.instance),
        heartbeat: Duration::from_secs(u64::from(config.heartbeat_seconds)),
        management_url: config.management_url.as_ref().map(|u| Secret::new(u.reveal())),
        inbound: inbound.collect(),
        dead_letter_exchange: config.dead_letter_exchange.clone(),
        dead_letter_queue: config.dead_letter_queue.clone(),
        delivery_limit: config.delivery_limit,
        notice_queues: vec![config.notice_queue.clone()],
        confirm_timeout: config.confirm_timeout,
        start_timeout: START,
        ..AmqpSettings::new(Secret::new(config.broker_url.reveal()), Arc::new(door(config)?))
    })
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
    let (stop_probe, stop_seen) = watch::channel(false);
    let answers = Arc::new(AtomicBool::new(true));
    let looked_at = (Arc::clone(&house.archive), Arc::clone(&house.parts));
    let counting = tokio::spawn(Upkeep::new(&config, looked_at, metrics.clone(), Arc::clone(&answers), Arc::clone(&settings)).run());
    if let Some(listener) = validation {
        tokio::spawn(validate::serve(listener, Arc::clone(&house.parts), stop_seen.clone()));
    }
    if let Some(listener) = listener {
        tokio::spawn(probe::serve(listener, metrics, readiness(&house, answers), stop_seen));
    }
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
    // Bounded by the deadline: then whoever starts us decides.
    loop {
        match store::open_store(config.archive_url.reveal(), config.instance.clone(), Arc::clone(entropy)).await {
            Ok(archive) => return Ok(archive),
            Err(outage) if tokio::time::Instant::now() >= deadline => return Err(outage),
            Err(outage) => {
                telemetry::outage_attempt(&outage);
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
