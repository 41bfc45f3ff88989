//! What the configuration names, read and checked: rules, schemas and definitions, trust, the site key, who may send and where answers go.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::START;
use crate::adapters::amqp::{AmqpSettings, InboundQueue, Secret};
use crate::adapters::post::Address;
use crate::adapters::revocation::{LOOK_AGAIN, Revocations, Sources};
use crate::cda::structured::sosmeta::Sosmeta;
use crate::codes::rule_set::RuleSet;
use crate::codes::source::{self, Files};
use crate::config::checked::{Config, ConfigFault, read_octets};
use crate::config::schema_tree;
use crate::crypto::certificate::Certificate;
use crate::crypto::trust::TrustAnchors;
use crate::domain::oid::Oid;
use crate::pipeline::door::{Pattern, Rules, SenderRules};
use crate::pipeline::examine::{Examiner, Senders, Site};
use crate::pipeline::notice::NoticeSite;
use crate::v3::frame::FrameSite;

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
    // Each by itself: in a bundle, a file without a certificate would not be missed.
    for path in &config.trust {
        has_certificate(path).map_err(|fault| ConfigFault(format!("[sign] trust: {fault}")))?;
    }
    TrustAnchors::from_pem(&read(&config.trust)?, &read(&config.intermediates)?).map_err(|e| {
        let names: Vec<String> = config.trust.iter().chain(&config.intermediates).map(|p| p.display().to_string()).collect();
        ConfigFault(format!("[sign] trust or intermediates ({}): {e}", names.join(", ")))
    })
}

/// Whether a file of trust anchors holds a certificate.
///
/// # Errors
/// It cannot be read, or holds none.
pub fn has_certificate(path: &Path) -> Result<(), ConfigFault> {
    let found = Certificate::all_from_pem(&read_octets(path)?);
    found.map(drop).map_err(|fault| ConfigFault(format!("{}: {fault}; a PEM file of trusted certificates is needed", path.display())))
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
