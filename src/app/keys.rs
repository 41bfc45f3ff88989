//! The site's keys and those who may sign beside them: opened at the start, taken anew at a SIGHUP, watched for their end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::{START, StartFault, trust};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::pkcs11::TokenPlace;
use crate::adapters::keys::ring::Keyring;
use crate::adapters::keys::{self, Key, KeyPlace, OpenFault};
use crate::adapters::post::Address;
use crate::adapters::stamper::HttpStamper;
use crate::codes::signatures::SigningProfile;
use crate::config::checked::{Config, ConfigFault, TokenKey, read_octets};
use crate::crypto::certificate::Certificate;
use crate::crypto::trust::TrustAnchors;
use crate::domain::digest::Digest;
use crate::domain::environment::Environment;
use crate::domain::oid::Oid;
use crate::fhir::signature;
use crate::pipeline::examine::OwnSigner;
use crate::ports::checkpoints::Stamper;
use crate::ports::clock::{Clock as _, Entropy};
use crate::telemetry;

/// How often the certificates' ends are looked at: the alarm that one has ended must not come an hour late.
const KEY_WATCH: Duration = Duration::from_secs(60);
/// At how many days before its end a certificate is spoken of.
const KEY_WARNINGS: [i64; 4] = [60, 30, 14, 7];

/// The keys that sign now and next, each opened, tried, and refused in production when it is Arkki's own test key.
///
/// # Errors
/// What is wrong with a key, its certificate or their use here; an outage when a token does not answer.
pub fn keyring(config: &Config, anchors: &TrustAnchors) -> Result<Keyring, StartFault> {
    if anchors.anchors().is_empty() {
        return Err(ConfigFault("[sign] trust names no file: no signature that comes with a document could be believed, ours neither".into()).into());
    }
    let current = key(config, anchors, &key_place(&config.key_file, config.token.as_ref()), &config.certificate_file)?;
    let next = match &config.next_key {
        Some(next) => Some((next.from, key(config, anchors, &key_place(&next.key_file, next.token.as_ref()), &next.certificate_file)?)),
        None => None,
    };
    Ok(Keyring::new(current, next))
}

/// Where a key lives.
#[must_use]
pub fn key_place(file: &Path, token: Option<&TokenKey>) -> KeyPlace {
    token.map_or_else(
        || KeyPlace::Pem(file.to_owned()),
        |t| KeyPlace::Token(TokenPlace { module: t.module.clone(), token: t.token.clone(), key: t.key.clone(), pin_file: t.pin_file.clone() }),
    )
}

fn key(config: &Config, anchors: &TrustAnchors, place: &KeyPlace, certificate: &Path) -> Result<Key, StartFault> {
    let key = keys::open(place, certificate).map_err(|fault| match fault {
        OpenFault::Problem(problem) => StartFault::Config(problem.to_string()),
        OpenFault::Outage(outage) => StartFault::Outage(outage),
    })?;
    if let Some(what) = unfit(config, &key) {
        return Err(StartFault::Config(format!("{}: {what}", certificate.display())));
    }
    if config.environment == Environment::Production && (key.certificate.is_arkki_test() || anchors.has_arkki_test()) {
        return Err(StartFault::Config(
            "environment = \"production\" and the key or a trust anchor is Arkki's test CA: its private key is public. Use the key and CA that DVV issued"
                .into(),
        ));
    }
    Ok(key)
}

/// What keeps a key from signing here: the algorithm is the profile's and, where notices are taken, one that a JWS has.
#[must_use]
pub fn unfit(config: &Config, key: &Key) -> Option<String> {
    if config.notice_root.is_some() && signature::algorithm(&key.certificate).is_none() {
        return Some("notices are signed with RSA or on P-256 (RS256, ES256 of RFC 7518), and this key is neither".to_owned());
    }
    let algorithm = key.signer.algorithm();
    let is_unknown = !SigningProfile::social().algorithms.contains(&algorithm);
    is_unknown.then(|| format!("a key for {}, which the national profile does not sign with", algorithm.as_str()))
}

/// Who signs for this gateway, from the certificates alone: an audit needs no key.
///
/// # Errors
/// What is wrong with a certificate.
pub fn signer_certificate(config: &Config) -> Result<OwnSigner, ConfigFault> {
    let mut serials = Vec::new();
    for file in std::iter::once(&config.certificate_file).chain(config.next_key.as_ref().map(|next| &next.certificate_file)) {
        let certificate = Certificate::from_pem(&read_octets(file)?).map_err(|e| ConfigFault(format!("{}: {e}", file.display())))?;
        serials.extend(certificate.serial().and_then(|s| Oid::parse(s).ok()));
    }
    Ok(OwnSigner { serials })
}

/// What a checkpoint's signer may be called: this system's certificate, and the organisation's other systems.
///
/// # Errors
/// What is wrong with a certificate.
pub fn own_serials(config: &Config) -> Result<Vec<String>, ConfigFault> {
    let own = signer_certificate(config)?;
    Ok(own.serials.iter().map(|oid| oid.as_str().to_owned()).chain(config.signers.iter().cloned()).collect())
}

/// What time stamps must lead to; `None` where the site names nothing.
///
/// # Errors
/// Which file is wrong, and why.
pub fn stamp_trust(config: &Config) -> Result<Option<TrustAnchors>, ConfigFault> {
    if config.timestamp_trust.is_empty() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for path in &config.timestamp_trust {
        all.extend(read_octets(path)?);
        all.push(b'\n');
    }
    TrustAnchors::from_pem(&all, &[]).map(Some).map_err(|e| ConfigFault(format!("[timestamp] trust: {e}")))
}

/// Who stamps checkpoints; `None` where the site names nobody.
///
/// # Errors
/// An address that is none, or no anchors to believe its answers by.
pub fn stamper(config: &Config, entropy: &Arc<dyn Entropy>) -> Result<Option<Arc<dyn Stamper>>, ConfigFault> {
    let Some(url) = &config.timestamp_url else { return Ok(None) };
    let authority = Address::parse(url).map_err(|e| ConfigFault(format!("[timestamp] url: {e}")))?;
    let anchors = stamp_trust(config)?
        .ok_or_else(|| ConfigFault("[timestamp] url names an authority and trust no file: none of its answers could be believed".into()))?;
    Ok(Some(Arc::new(HttpStamper::new(authority, anchors, Arc::clone(entropy)))))
}

/// Opens the keys, patiently where a token does not answer yet.
pub(super) async fn open_keys(config: &Config, anchors: &TrustAnchors) -> Result<Keyring, StartFault> {
    let deadline = tokio::time::Instant::now() + START;
    let mut told = false;
    // Bounded by the deadline, as for the archive.
    loop {
        match keyring(config, anchors) {
            Err(StartFault::Outage(outage)) if tokio::time::Instant::now() < deadline => {
                telemetry::start_waits(&outage, START, std::mem::replace(&mut told, true));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            opened => return opened,
        }
    }
}

/// At each SIGHUP the keys of the configuration as it stands now; what cannot be opened changes nothing.
pub(super) async fn take_keys(hups: &mut Signal, ring: &Keyring, reload: &(dyn Fn() -> Result<Config, ConfigFault> + Sync)) -> Infallible {
    // Ends with the gateway, which drops it.
    loop {
        hups.recv().await;
        let opened =
            reload().and_then(|config| Ok((trust(&config)?, config))).map_err(StartFault::from).and_then(|(anchors, config)| keyring(&config, &anchors));
        match opened {
            Ok(fresh) => {
                ring.become_like(fresh);
                let now = SystemClock.now();
                for (role, key) in ring.keys(now) {
                    telemetry::key_taken(role.as_str(), &key.certificate.fingerprint().to_hex());
                    telemetry::key_lasts(role.as_str(), key.certificate.not_after().seconds() - now.seconds());
                }
            }
            Err(fault) => telemetry::keys_kept(&fault.to_string()),
        }
    }
}

/// Looks every minute how long the certificates last, and says so at 60, 30, 14 and 7 days, once each.
pub(super) async fn watch_keys(ring: Arc<Keyring>) {
    let mut said: HashMap<Digest, i64> = HashMap::new();
    let mut tick = tokio::time::interval(KEY_WATCH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Ends with the gateway, which aborts it.
    loop {
        tick.tick().await;
        let now = SystemClock.now();
        for (role, key) in ring.keys(now) {
            let left = key.certificate.not_after().seconds() - now.seconds();
            telemetry::key_lasts(role.as_str(), left);
            let days = left.div_euclid(86_400);
            let Some(step) = KEY_WARNINGS.into_iter().filter(|step| days < *step).min() else { continue };
            if said.insert(key.certificate.fingerprint(), step) != Some(step) {
                telemetry::key_ends(role.as_str(), days);
            }
        }
    }
}
