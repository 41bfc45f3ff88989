//! The configuration as the house uses it: read, checked and complete, secrets in place.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::api::{self, ApiPlace};
use super::desk::{self, ConsolePlace};
use super::keys;
use super::raw::{Raw, RawInbound, RawSender};
use super::registrations;
use super::sink::{self, SinkPlace};
use crate::domain::access::Register;
use crate::domain::environment::Environment;
use crate::domain::language::Language;
use crate::domain::limits;
use crate::domain::notice::NoticeFormat;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;

/// What is wrong with the configuration, for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault(pub String);

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigFault {}

/// An address with its password in it: shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// Keeps an address.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The address, for the adapter that dials it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The address without user and password: for people and logs.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.0.split_once("://"), self.0.rfind('@')) {
            (Some((scheme, _)), Some(at)) => format!("{scheme}://{}", self.0.get(at + 1..).unwrap_or("")),
            _ => self.0.clone(),
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// The checked configuration.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // each option is explained in config/arkki.toml
pub struct Config {
    pub environment: Environment,
    pub instance: String,
    pub broker_url: SecretUrl,
    pub management_url: Option<SecretUrl>,
    pub heartbeat_seconds: u16,
    pub confirm_timeout: Duration,
    pub dead_letter_exchange: String,
    pub dead_letter_queue: String,
    pub notice_queue: String,
    pub delivery_limit: u32,
    pub topology_look: Duration,
    pub inbound: Vec<Inbound>,
    pub default_route: Option<String>,
    pub allow_anonymous: bool,
    pub senders: BTreeMap<String, SenderRoute>,
    pub register: Register,
    pub archive_url: SecretUrl,
    pub keep_refused: Option<Duration>,
    pub reconcile: Duration,
    pub site_key_file: PathBuf,
    pub key_file: PathBuf,
    pub certificate_file: PathBuf,
    pub token: Option<TokenKey>,
    pub next_key: Option<NextKey>,
    pub trust: Vec<PathBuf>,
    pub intermediates: Vec<PathBuf>,
    pub signers: Vec<String>,
    pub crls: Vec<PathBuf>,
    pub crl_grace: Duration,
    pub ocsp: Option<String>,
    pub take_unknown: bool,
    pub checkpoint_file: Option<PathBuf>,
    pub checkpoint_entries: u64,
    pub checkpoint_time: Duration,
    pub timestamp_url: Option<String>,
    pub timestamp_trust: Vec<PathBuf>,
    pub language: Language,
    pub device: Oid,
    pub receiver: Oid,
    pub id_root: Oid,
    pub notice_root: Option<Oid>,
    /// In which format notices leave (`[lilm] format`).
    pub notice_format: NoticeFormat,
    pub reckon: Duration,
    pub code_system: Oid,
    pub receivers: Vec<String>,
    pub only_ae: bool,
    pub keep_query_answers: Duration,
    pub sink: Option<SinkPlace>,
    pub rules_folder: Option<PathBuf>,
    pub profile_schemas: BTreeMap<String, PathBuf>,
    pub sosmeta_folder: Option<PathBuf>,
    pub message_octets: usize,
    pub document_octets: usize,
    pub hold: Duration,
    pub held_per_sender: u64,
    pub held_in_all: u64,
    pub stop: Duration,
    pub threads: usize,
    pub validate: Option<SocketAddr>,
    pub api: Option<ApiPlace>,
    pub listen: Option<SocketAddr>,
    pub log_json: bool,
    pub log_level: String,
    pub instances: Vec<String>,
    pub disks: Vec<PathBuf>,
    pub otlp: Option<String>,
    pub otlp_one_in: u64,
    pub console: ConsolePlace,
}

/// One inbound queue.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Inbound {
    pub name: String,
    pub queue: String,
    pub partitions: u16,
    pub prefetch: u16,
    pub profile: String,
    pub sender: Option<String>,
}

/// A key in a token instead of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TokenKey {
    pub module: PathBuf,
    pub token: String,
    pub key: String,
    pub pin_file: PathBuf,
}

/// The key that signs from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NextKey {
    pub from: Moment,
    pub key_file: PathBuf,
    pub certificate_file: PathBuf,
    pub token: Option<TokenKey>,
}

/// Where a sender's answers may go.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct SenderRoute {
    pub replies: Vec<String>,
    pub route: Option<String>,
    pub language: Option<Language>,
}

/// The largest secret or configuration file read, in octets: a wrong path must not fill the memory.
const FILE_OCTETS: u64 = 1024 * 1024;

impl Config {
    /// Reads and checks a configuration file; without one, the defaults and the environment.
    ///
    /// # Errors
    /// Everything that is wrong, for the person who wrote it.
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigFault> {
        let raw = match path {
            None => Raw::default(),
            Some(path) => {
                let text = read_text(path)?;
                toml::from_str(&text).map_err(|e| ConfigFault(format!("{}: {e}", path.display())))?
            }
        };
        Self::check(raw, &|name| std::env::var(name).ok())
    }

    /// Checks a raw configuration. `environment` gives environment variables.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(raw: Raw, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigFault> {
        let environment = environment(&raw.environment)?;
        if environment == Environment::Production && raw.reply.allow_anonymous {
            return Err(ConfigFault("[reply] allow_anonymous = true is for demo and tests; in production every sender is known by its AMQP user".into()));
        }
        if raw.inbound.is_empty() {
            return Err(ConfigFault("no [inbound.NAME]: Arkki would have no queue to read".into()));
        }
        let oid = |text: &str, option: &str| Oid::parse(text).map_err(|_| ConfigFault(format!("{option} = {text:?} is not an OID")));
        let inbound = raw.inbound.into_iter().map(inbound).collect::<Result<Vec<_>, _>>()?;
        let broker_url = secret_url(&raw.broker.url, &raw.broker.password_file, "ARKKI_BROKER_URL", "[broker] url", variable)?;
        let archive_url = secret_url(&raw.archive.url, &raw.archive.password_file, "ARKKI_ARCHIVE_URL", "[archive] url", variable)?;
        schemed(&broker_url, &["amqp", "amqps"], "[broker] url or ARKKI_BROKER_URL")?;
        schemed(&archive_url, &["postgres", "postgresql", "sqlite"], "[archive] url or ARKKI_ARCHIVE_URL")?;
        let (notice_root, notice_format) = super::lilm::check(&raw.lilm)?;
        Ok(Self {
            environment,
            instance: some(raw.instance).unwrap_or_else(instance_name),
            broker_url,
            management_url: match some(raw.broker.management_url) {
                None => variable("ARKKI_MANAGEMENT_URL").map(SecretUrl),
                Some(url) => Some(secret_url(&url, &raw.broker.password_file, "ARKKI_MANAGEMENT_URL", "[broker] management_url", variable)?),
            },
            heartbeat_seconds: raw.broker.heartbeat_seconds,
            confirm_timeout: Duration::from_secs(raw.broker.confirm_timeout_seconds.max(1)),
            dead_letter_exchange: named(raw.broker.dead_letter_exchange, "[broker] dead_letter_exchange")?,
            dead_letter_queue: named(raw.broker.dead_letter_queue, "[broker] dead_letter_queue")?,
            notice_queue: named(raw.broker.notice_queue, "[broker] notice_queue")?,
            delivery_limit: raw.broker.delivery_limit,
            topology_look: Duration::from_secs(raw.broker.topology_seconds.max(1)),
            inbound,
            default_route: some(raw.reply.default_route),
            allow_anonymous: raw.reply.allow_anonymous,
            senders: raw.senders.into_iter().map(|(name, s)| sender(&name, s).map(|route| (name, route))).collect::<Result<_, _>>()?,
            register: registrations::check(raw.access, raw.registrations, environment)?,
            archive_url,
            keep_refused: keep_refused(raw.archive.keep_refused_days)?,
            reconcile: Duration::from_secs(raw.archive.reconcile_minutes.clamp(1, 24 * 60) * 60),
            site_key_file: raw.archive.site_key_file.into(),
            token: keys::token(&raw.sign)?,
            next_key: keys::next(&raw.sign, raw.next_key)?,
            key_file: raw.sign.key_file.into(),
            certificate_file: raw.sign.certificate_file.into(),
            trust: raw.sign.trust.into_iter().map(PathBuf::from).collect(),
            intermediates: raw.sign.intermediates.into_iter().map(PathBuf::from).collect(),
            signers: raw.sign.signers,
            crls: raw.sign.crls.into_iter().map(PathBuf::from).collect(),
            crl_grace: crl_grace(raw.sign.crl_grace_hours)?,
            ocsp: some(raw.sign.ocsp),
            take_unknown: take_unknown(&raw.sign.revocation_unknown)?,
            checkpoint_file: some(raw.checkpoint.file).map(PathBuf::from),
            checkpoint_entries: raw.checkpoint.entries.max(1),
            checkpoint_time: Duration::from_secs(raw.checkpoint.seconds.max(1)),
            timestamp_url: some(raw.timestamp.url),
            timestamp_trust: raw.timestamp.trust.into_iter().map(PathBuf::from).collect(),
            language: language(&raw.answer.language, "[answer] language")?,
            device: oid(&raw.answer.device, "[answer] device")?,
            receiver: oid(&raw.answer.receiver, "[answer] receiver")?,
            id_root: oid(&raw.answer.id_root, "[answer] id_root")?,
            notice_root,
            notice_format,
            reckon: Duration::from_secs(raw.lilm.reckon_minutes.clamp(1, 24 * 60) * 60),
            code_system: oid(&raw.answer.code_system, "[answer] code_system")?,
            receivers: raw.answer.receivers,
            only_ae: raw.answer.only_ae,
            keep_query_answers: keep_query_answers(raw.answer.keep_query_answers_hours)?,
            sink: sink::check(raw.sink, environment)?,
            rules_folder: some(raw.rules.folder).map(PathBuf::from),
            profile_schemas: raw.profiles.into_iter().filter_map(|(name, p)| Some((name, PathBuf::from(some(p.schema)?)))).collect(),
            sosmeta_folder: some(raw.sosmeta.folder).map(PathBuf::from),
            message_octets: within(raw.limits.message_octets, limits::MESSAGE_OCTETS, "message_octets")?,
            document_octets: within(raw.limits.document_octets, limits::DOCUMENT_OCTETS, "document_octets")?,
            hold: Duration::from_secs(raw.limits.hold_seconds),
            held_per_sender: raw.limits.held_per_sender,
            held_in_all: raw.limits.held_in_all,
            stop: Duration::from_secs(raw.limits.stop_seconds.max(1)),
            threads: match raw.work.threads {
                0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
                n => n.min(256),
            },
            validate: validate(raw.validate.listen, environment)?,
            api: api::check(raw.api)?,
            listen: address(raw.telemetry.listen, "[telemetry] listen")?,
            log_json: match raw.telemetry.log.as_str() {
                "human" => false,
                "json" => true,
                other => return Err(ConfigFault(format!("[telemetry] log = {other:?}: say \"human\" or \"json\""))),
            },
            log_level: raw.telemetry.level,
            instances: raw.telemetry.instances,
            disks: raw.telemetry.disks.into_iter().map(PathBuf::from).collect(),
            otlp: some(raw.telemetry.otlp),
            otlp_one_in: raw.telemetry.otlp_one_in,
            console: desk::check(raw.console, raw.people, environment)?,
        })
    }
}

fn sender(name: &str, raw: RawSender) -> Result<SenderRoute, ConfigFault> {
    let language = some(raw.language).map(|text| language(&text, &format!("[senders.{name}] language"))).transpose()?;
    Ok(SenderRoute { replies: raw.replies, route: some(raw.route), language })
}

fn language(text: &str, option: &str) -> Result<Language, ConfigFault> {
    Language::parse(text).ok_or_else(|| ConfigFault(format!("{option} = {text:?}: say fi, sv or en")))
}

fn address(text: String, option: &str) -> Result<Option<SocketAddr>, ConfigFault> {
    some(text).map(|text| text.parse().map_err(|_| ConfigFault(format!("{option} = {text:?} is not ADDRESS:PORT")))).transpose()
}

/// Only test persons may be sent to a validation service, so it has no place in production (messaging.md §2.5).
fn validate(listen: String, environment: Environment) -> Result<Option<SocketAddr>, ConfigFault> {
    match (address(listen, "[validate] listen")?, environment) {
        (Some(_), Environment::Production) => {
            Err(ConfigFault("[validate] listen in production: the validation service takes test persons only; run it where environment = \"test\"".into()))
        }
        (address, _) => Ok(address),
    }
}

fn inbound((name, q): (String, RawInbound)) -> Result<Inbound, ConfigFault> {
    if q.prefetch == 0 {
        return Err(ConfigFault(format!("[inbound.{name}] prefetch = 0 would let the broker hand over without bound")));
    }
    Ok(Inbound {
        partitions: partitions(&name, q.partitions, q.prefetch)?,
        queue: named(q.queue, &format!("[inbound.{name}] queue"))?,
        prefetch: q.prefetch,
        profile: q.profile,
        sender: some(q.sender),
        name,
    })
}

fn keep_query_answers(hours: u64) -> Result<Duration, ConfigFault> {
    match hours {
        0..=8760 => Ok(Duration::from_secs(hours * 3600)),
        _ => Err(ConfigFault(format!("[answer] keep_query_answers_hours = {hours}: at most 8760, a year"))),
    }
}

/// `None` for ever.
fn keep_refused(days: u64) -> Result<Option<Duration>, ConfigFault> {
    match days {
        0 => Ok(None),
        1..=36_500 => Ok(Some(Duration::from_secs(days * 24 * 3600))),
        _ => Err(ConfigFault(format!("[archive] keep_refused_days = {days}: at most 36500, a century; 0 keeps them for good"))),
    }
}

/// Bounded, and each queue with room for one message at least: what is in hand stays within `prefetch`.
fn partitions(name: &str, partitions: u16, prefetch: u16) -> Result<u16, ConfigFault> {
    if partitions > limits::PARTITIONS {
        return Err(ConfigFault(format!("[inbound.{name}] partitions = {partitions}: say 0 to {}", limits::PARTITIONS)));
    }
    if partitions > 0 && prefetch <= partitions {
        let least = partitions + 1;
        return Err(ConfigFault(format!(
            "[inbound.{name}] prefetch = {prefetch} is shared out among the queue and its {partitions} partitions: say {least} or more"
        )));
    }
    Ok(partitions)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// The bounds that every part is built for can be lowered, not raised.
fn within(octets: usize, most: usize, option: &str) -> Result<usize, ConfigFault> {
    if (1..=most).contains(&octets) { Ok(octets) } else { Err(ConfigFault(format!("[limits] {option} = {octets}: say 1 to {most}"))) }
}

fn named(text: String, option: &str) -> Result<String, ConfigFault> {
    if text.is_empty() || text.len() > limits::SHORT_STRING || text.chars().any(char::is_control) {
        return Err(ConfigFault(format!("{option}: a name of 1 to 255 octets without control characters is needed")));
    }
    Ok(text)
}

fn instance_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "arkki".to_owned(), |h| h.trim().to_owned());
    format!("{host}-{}", std::process::id())
}

fn secret_url(url: &str, password_file: &str, name: &str, option: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<SecretUrl, ConfigFault> {
    if let Some(whole) = variable(name) {
        return Ok(SecretUrl(whole));
    }
    let Some((scheme, rest)) = url.split_once("://").or_else(|| url.split_once(':').filter(|(s, _)| *s == "sqlite")) else {
        return Err(ConfigFault(format!("{option}: an address with its scheme is needed")));
    };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let authority = rest.get(..authority_end).unwrap_or("");
    if let Some((user, _)) = authority.rsplit_once('@') {
        if user.contains(':') {
            return Err(ConfigFault(format!("{option} holds a password: put it in a file (password_file) or give the whole address in {name}")));
        }
        if !password_file.is_empty() {
            let password = read_text(Path::new(password_file))?;
            let host = rest.get(user.len()..).unwrap_or("");
            return Ok(SecretUrl(format!("{scheme}://{user}:{}{host}", percent(password.trim_end_matches(['\r', '\n'])))));
        }
    }
    Ok(SecretUrl(url.to_owned()))
}

/// A scheme that no adapter knows is a slip of the pen, not a part of the world that may come back.
fn schemed(url: &SecretUrl, schemes: &[&str], option: &str) -> Result<(), ConfigFault> {
    match url.reveal().split_once(':') {
        Some((scheme, _)) if schemes.contains(&scheme) => Ok(()),
        _ => Err(ConfigFault(format!("{option}: an address that begins with {}: is needed", schemes.join(": or ")))),
    }
}

/// Percent-encodes everything that is not unreserved, so that any password may stand in an address.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}

fn environment(word: &str) -> Result<Environment, ConfigFault> {
    match word {
        "test" => Ok(Environment::Test),
        "production" => Ok(Environment::Production),
        other => Err(ConfigFault(format!("environment = {other:?}: say \"test\" or \"production\""))),
    }
}

fn take_unknown(word: &str) -> Result<bool, ConfigFault> {
    match word {
        "hold" => Ok(false),
        "warn" => Ok(true),
        other => Err(ConfigFault(format!("[sign] revocation_unknown = {other:?}: say \"hold\" or \"warn\""))),
    }
}

fn crl_grace(hours: u64) -> Result<Duration, ConfigFault> {
    match hours {
        0..=72 => Ok(Duration::from_secs(hours * 3600)),
        _ => Err(ConfigFault(format!("[sign] crl_grace_hours = {hours}: at most 72, for a list that old says nothing of today"))),
    }
}

/// Reads a small text file, with an error for people.
///
/// # Errors
/// The path and what the machine says.
pub fn read_text(path: &Path) -> Result<String, ConfigFault> {
    let octets = read_octets(path)?;
    String::from_utf8(octets).map_err(|_| ConfigFault(format!("{}: not UTF-8", path.display())))
}

/// Reads a small file, with an error for people.
///
/// # Errors
/// The path and what the machine says.
pub fn read_octets(path: &Path) -> Result<Vec<u8>, ConfigFault> {
    let size = std::fs::metadata(path).map_err(|e| ConfigFault(format!("{}: {e}", path.display())))?.len();
    if size > FILE_OCTETS {
        return Err(ConfigFault(format!(
            "{}: {size} octets, more than the {FILE_OCTETS} that a configuration, key or certificate file may have",
            path.display()
        )));
    }
    std::fs::read(path).map_err(|e| ConfigFault(format!("{}: {e}", path.display())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, ConfigFault> {
        Config::check(toml::from_str(text).unwrap(), &|_| None)
    }

    #[test]
    fn defaults_are_a_configuration() {
        let config = check("").unwrap();
        assert_eq!(config.inbound[0].queue, "arkki.inbound");
        assert_eq!(config.environment, Environment::Test);
    }

    #[test]
    fn passwords_in_the_file_are_refused_and_secrets_are_not_shown() {
        let fault = check("[broker]\nurl = \"amqp://u:secret@h/\"").unwrap_err();
        assert!(fault.0.contains("password_file") && !fault.0.contains("secret"));
        let config = Config::check(Raw::default(), &|n| (n == "ARKKI_BROKER_URL").then(|| "amqp://u:s3cret@host:1/v".to_owned())).unwrap();
        assert_eq!(config.broker_url.reveal(), "amqp://u:s3cret@host:1/v");
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn an_address_of_another_sort_is_refused_and_not_shown() {
        for (name, url) in [("ARKKI_ARCHIVE_URL", "mysql://u:s3cret@h/db"), ("ARKKI_BROKER_URL", "http://u:s3cret@h/"), ("ARKKI_BROKER_URL", "s3cret")] {
            let fault = Config::check(Raw::default(), &|n| (n == name).then(|| url.to_owned())).unwrap_err();
            assert!(fault.0.contains(name) && !fault.0.contains("s3cret"), "{fault}");
        }
    }

    #[test]
    fn partitions_are_bounded_and_share_the_prefetch() {
        assert_eq!(check("").unwrap().inbound[0].partitions, 0);
        assert_eq!(check("[inbound.main]\npartitions = 64").unwrap().inbound[0].partitions, 64);
        assert!(check("[inbound.main]\npartitions = 65").unwrap_err().0.contains("0 to 64"));
        assert!(check("[inbound.main]\npartitions = 8\nprefetch = 8").unwrap_err().0.contains("9 or more"));
        assert!(check("[inbound.main]\npartitions = 8\nprefetch = 9").is_ok());
    }

    #[test]
    fn production_takes_no_anonymous_senders() {
        assert!(check("environment = \"production\"\n[reply]\nallow_anonymous = true").is_err());
        assert!(check("environment = \"staging\"").is_err());
    }
}
