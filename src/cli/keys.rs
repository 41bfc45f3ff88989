//! `arkki keys`: which keys sign, and whether the next one will.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::report::{Health, Report};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::Key;
use crate::adapters::keys::ring::Role;
use crate::app;
use crate::cda::seal::{self, SealPoint};
use crate::cda::verify::{self, Kind, SignerRule};
use crate::config::checked::Config;
use crate::crypto::trust::TrustAnchors;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::generate::family::Family;
use crate::ports::clock::Clock as _;
use crate::xml::tree;

const HELP: &str = r#"The next key is named under [next_key]: rehearse it, then send SIGHUP to `arkki serve`; it signs from the moment given there, without a stop.

Examples:
  arkki keys list
  arkki keys rehearse

Exit codes: 0 every key signs and verifies, 1 one does not, 2 a key, the token or the trust anchors could not be opened."#;

/// What `keys` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Show the keys with their certificates' last days.
    #[command(after_help = HELP)]
    List,
    /// Let each key sign a shadow document that goes nowhere, and verify it as the gateway would on the day the key begins to sign.
    #[command(after_help = HELP)]
    Rehearse,
}

/// Lists or rehearses.
#[must_use]
pub fn run(command: &Keys, config: &Config) -> Report {
    let opened = app::trust(config).map_err(Report::blind).and_then(|anchors| Ok((app::keyring(config, &anchors).map_err(Report::blind)?, anchors)));
    let (ring, anchors) = match opened {
        Ok(opened) => opened,
        Err(report) => return report,
    };
    let now = SystemClock.now();
    let mut text = String::new();
    let mut list = Vec::new();
    let mut health = Health::Well;
    for (role, key) in ring.keys(now) {
        // The next key is tried on the day that it begins to sign.
        let at = config.next_key.as_ref().filter(|_| role == Role::Next).map_or(now, |next| next.from.max(now));
        let certificate = &key.certificate;
        let days = (certificate.not_after().seconds() - now.seconds()).div_euclid(86_400);
        let mut value = json!({
            "role": role.as_str(), "algorithm": key.signer.algorithm().as_str(), "bits": certificate.key_bits(), "certificate": certificate.fingerprint().to_hex(),
            "serial": certificate.serial(), "not_after": certificate.not_after().to_iso(), "days": days, "from": at.to_iso(),
        });
        text.push_str(&format!(
            "{:<8} {} {} bits, certificate {} of {}, until {} ({days} days)\n",
            role.as_str(),
            key.signer.algorithm().as_str(),
            certificate.key_bits(),
            certificate.fingerprint(),
            certificate.serial().unwrap_or("no serial number"),
            certificate.not_after()
        ));
        if matches!(command.what, What::Rehearse) {
            let fault = rehearse(&key, &anchors, at);
            health = health.max(if fault.is_none() { Health::Well } else { Health::Unwell });
            text.push_str(&format!("         {}\n", fault.clone().unwrap_or_else(|| format!("signed a shadow document and verified it as of {at}"))));
            value["rehearsal"] = fault.map_or(Value::from("well"), Value::from);
        }
        list.push(value);
    }
    Report::new(health, text, json!({ "keys": list }))
}

/// Signs a generated document of nobody and verifies it; what is wrong, if anything is.
fn rehearse(key: &Key, anchors: &TrustAnchors, at: Moment) -> Option<String> {
    let octets = Family::new(1, 1, Language::Fi).relation.render();
    let signed = (|| {
        let text = std::str::from_utf8(&octets).map_err(|e| e.to_string())?;
        let document = tree::parse(text).map_err(|_| "the shadow document cannot be read".to_owned())?;
        let point = SealPoint::locate(&document).map_err(|_| "the shadow document has no place for a signature".to_owned())?;
        let signer = (key.signer.algorithm(), key.signer.certificate());
        seal::seal_with(&octets, &point, signer, at, |octets| key.signer.sign(octets)).map_err(|outage| outage.detail)
    })();
    let sealed = match signed {
        Ok(sealed) => sealed,
        Err(why) => return Some(format!("it does not sign: {why}")),
    };
    let senders: Vec<Oid> = key.certificate.serial().and_then(|s| Oid::parse(s).ok()).into_iter().collect();
    let Ok(text) = std::str::from_utf8(&sealed.octets) else { return Some("the signed document is not UTF-8".to_owned()) };
    let Ok(document) = tree::parse(text) else { return Some("the signed document cannot be read".to_owned()) };
    match verify::verify(&document, anchors, &SignerRule { senders: &senders, require_professional: false }) {
        Ok(signatures) if signatures.iter().any(|s| s.kind == Kind::System) => None,
        Ok(_) => Some("no system signature was found in the signed document".to_owned()),
        Err(findings) => {
            let codes: Vec<String> = findings.iter().map(|f| format!("{} {}", f.code.as_str(), f.code.name())).collect();
            Some(format!("its signature would be refused: {}", codes.join(", ")))
        }
    }
}
