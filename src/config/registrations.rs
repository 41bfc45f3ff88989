//! Registered systems (`[access]`, `[registrations.NAME]`): who may send, with which devices, for which controllers, as what, and for how long.
//! They stand in the configuration file, or in a file of their own that `[access] registrations_file` names.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::checked::{ConfigFault, read_text};
use crate::domain::access::{Profile, Register, Registration};
use crate::domain::digest::Digest;
use crate::domain::document::Date;
use crate::domain::environment::Environment;
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::time::iso_date;

/// The most registrations taken: each message is held to the list, and a site has dozens of systems, not thousands.
const MOST: usize = 10_000;

/// `[access]` as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each option is explained in config/arkki.toml
pub struct RawAccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_only: Option<bool>,
    pub registrations_file: String,
}

/// `[registrations.NAME]` as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each option is explained in config/arkki.toml
pub struct RawRegistration {
    pub user: String,
    pub devices: Vec<String>,
    pub organisation: String,
    pub controllers: Vec<String>,
    pub register_rights: Vec<String>,
    pub profile: String,
    pub certificate_sha256: String,
    pub from: String,
    pub until: String,
    pub disclosure_management: bool,
}

/// A file that holds registrations and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    registrations: BTreeMap<String, RawRegistration>,
}

/// The register: the configuration's own registrations and those of its file.
///
/// # Errors
/// The first thing that is wrong, for the person who wrote it; and an open door in production.
pub(super) fn check(access: RawAccess, mut rows: BTreeMap<String, RawRegistration>, environment: Environment) -> Result<Register, ConfigFault> {
    let registered_only = match (access.registered_only, environment) {
        (Some(false), Environment::Production) => {
            return Err(ConfigFault("[access] registered_only = false is for tests: in production every sender is registered".into()));
        }
        (said, environment) => said.unwrap_or(environment == Environment::Production),
    };
    if !access.registrations_file.is_empty() {
        let path = Path::new(&access.registrations_file);
        let file: RawFile = toml::from_str(&read_text(path)?).map_err(|e| ConfigFault(format!("{}: {e}", path.display())))?;
        for (name, row) in file.registrations {
            if rows.contains_key(&name) {
                return Err(ConfigFault(format!("[registrations.{name}] stands in the configuration and in {}", path.display())));
            }
            rows.insert(name, row);
        }
    }
    if rows.len() > MOST {
        return Err(ConfigFault(format!("{} registrations; {MOST} are taken at most", rows.len())));
    }
    let systems = rows.into_iter().map(|(name, row)| registration(name, row)).collect::<Result<Vec<_>, _>>()?;
    Ok(Register::new(registered_only, systems))
}

fn registration(name: String, raw: RawRegistration) -> Result<Registration, ConfigFault> {
    let at = |option: &str| format!("[registrations.{name}] {option}");
    if raw.user.is_empty() || raw.user.len() > limits::SHORT_STRING || raw.user.chars().any(char::is_control) {
        return Err(ConfigFault(format!("{}: the system's AMQP user is needed, 1 to 255 octets without control characters", at("user"))));
    }
    let profile = Profile::parse(&raw.profile).ok_or_else(|| {
        let known: Vec<&str> = Profile::ALL.into_iter().map(Profile::as_str).collect();
        ConfigFault(format!("{} = {:?}: say one of {}", at("profile"), raw.profile, known.join(", ")))
    })?;
    let days = (day(&raw.from, &at("from"))?, day(&raw.until, &at("until"))?);
    if let (Some(first), Some(last)) = days
        && last < first
    {
        return Err(ConfigFault(format!("{} lies before from", at("until"))));
    }
    Ok(Registration {
        devices: oids(&raw.devices, &at("devices"))?,
        organisation: oid(&raw.organisation, &at("organisation"))?,
        controllers: oids(&raw.controllers, &at("controllers"))?,
        register_rights: oids(&raw.register_rights, &at("register_rights"))?,
        certificate: Some(raw.certificate_sha256).filter(|text| !text.is_empty()).map(|text| fingerprint(&text).ok_or(text)),
        disclosure_management: raw.disclosure_management,
        user: raw.user,
        profile,
        days,
        name,
    })
}

fn oid(text: &str, option: &str) -> Result<Oid, ConfigFault> {
    Oid::parse(text).map_err(|_| ConfigFault(format!("{option}: {text:?} is not an OID")))
}

fn oids(texts: &[String], option: &str) -> Result<Vec<Oid>, ConfigFault> {
    texts.iter().map(|text| oid(text, option)).collect()
}

fn day(text: &str, option: &str) -> Result<Option<Date>, ConfigFault> {
    if text.is_empty() {
        return Ok(None);
    }
    iso_date(text).map(Some).ok_or_else(|| ConfigFault(format!("{option} = {text:?}: write a day as 2027-01-31")))
}

/// Reads 32 octets in hexadecimal, with or without colons, as `openssl x509 -fingerprint -sha256` prints them.
fn fingerprint(text: &str) -> Option<Digest> {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b':').collect();
    let mut octets = [0_u8; 32];
    if digits.len() != 2 * octets.len() {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = std::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit())).and_then(|p| u8::from_str_radix(p, 16).ok())?;
    }
    Some(Digest(octets))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::checked::Config;

    const ROW: &str = "user = \"apotti\"\norganisation = \"1.2.246.10.99999992\"\nprofile = \"joining\"\n";

    fn config(text: &str) -> Result<Config, ConfigFault> {
        Config::check(toml::from_str(text).unwrap(), &|_| None)
    }

    #[test]
    fn production_is_closed_and_a_test_is_open_unless_told_otherwise() {
        assert!(!config("").unwrap().register.registered_only);
        assert!(config("[access]\nregistered_only = true").unwrap().register.registered_only);
        assert!(config("environment = \"production\"").unwrap().register.registered_only);
        assert!(config("environment = \"production\"\n[access]\nregistered_only = false").unwrap_err().0.contains("registered_only"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let row = |more: &str| config(&format!("[registrations.apotti]\n{ROW}{more}"));
        let good = row("devices = [\"1.2.3\"]\nfrom = \"2026-01-01\"\nuntil = \"2026-12-31\"\n").unwrap();
        let system = good.register.systems().next().unwrap();
        assert_eq!((system.name.as_str(), system.profile, system.devices.len()), ("apotti", Profile::Joining, 1));
        for (more, word) in [
            ("devices = [\"1.2.\"]", "devices"),
            ("controllers = [\"x\"]", "controllers"),
            ("register_rights = [\"x\"]", "register_rights"),
            ("from = \"2026-02-30\"", "from"),
            ("from = \"2026-12-31\"\nuntil = \"2026-01-01\"", "until"),
        ] {
            let fault = row(more).unwrap_err().0;
            assert!(fault.contains(&format!("[registrations.apotti] {word}")), "{fault}");
        }
        for (old, new, word) in [("apotti\"", "\"", "user"), ("joining", "admin", "profile"), ("1.2.246.10.99999992", "", "organisation")] {
            let fault = config(&format!("[registrations.a]\n{}", ROW.replacen(old, new, 1))).unwrap_err().0;
            assert!(fault.contains(word), "{fault}");
        }
    }

    #[test]
    fn a_file_of_their_own() {
        let folder = std::env::temp_dir().join(format!("arkki-registrations-{}", std::process::id()));
        std::fs::write(&folder, format!("[registrations.berta]\n{ROW}")).unwrap();
        let access = format!("[access]\nregistrations_file = {:?}\n", folder.display().to_string());
        let both = config(&format!("{access}[registrations.apotti]\n{ROW}")).unwrap();
        let names: Vec<_> = both.register.systems().map(|s| s.name.clone()).collect();
        let twice = config(&format!("{access}[registrations.berta]\n{ROW}")).unwrap_err().0;
        std::fs::remove_file(&folder).unwrap();
        assert_eq!(names, ["apotti", "berta"]);
        assert!(twice.contains("berta"), "{twice}");
        assert!(config(&access).is_err(), "the file is gone");
    }

    #[test]
    fn fingerprints_as_openssl_prints_them() {
        let plain = "00ff".repeat(16);
        let colons: Vec<String> = (0..32).map(|n| plain[2 * n..2 * n + 2].to_uppercase()).collect();
        assert_eq!(fingerprint(&plain), fingerprint(&colons.join(":")));
        assert!(fingerprint(&plain).is_some());
        assert_eq!(fingerprint(&plain[2..]), None);
        assert_eq!(fingerprint(&plain.replacen("ff", "+f", 1)), None);
    }
}
