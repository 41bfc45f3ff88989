//! The configuration as it is written: `config/arkki.toml` with every default. A test holds the file to these types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::desk::{RawConsole, RawPerson};
use super::registrations::{RawAccess, RawRegistration};
use super::sink::RawSink;

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each option is explained where people look for it: config/arkki.toml
pub struct Raw {
    pub environment: String,
    pub instance: String,
    pub broker: RawBroker,
    pub inbound: BTreeMap<String, RawInbound>,
    pub reply: RawReply,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub senders: BTreeMap<String, RawSender>,
    pub access: RawAccess,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub registrations: BTreeMap<String, RawRegistration>,
    pub archive: RawArchive,
    pub sign: RawSign,
    pub next_key: RawNextKey,
    pub checkpoint: RawCheckpoint,
    pub timestamp: RawTimestamp,
    pub answer: RawAnswer,
    pub sink: RawSink,
    pub lilm: RawLilm,
    pub rules: RawRules,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, RawProfile>,
    pub sosmeta: RawSosmeta,
    pub limits: RawLimits,
    pub work: RawWork,
    pub validate: RawValidate,
    pub api: RawApi,
    pub telemetry: RawTelemetry,
    pub console: RawConsole,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, RawPerson>,
}

macro_rules! section {
    ($name:ident { $($field:ident : $kind:ty = $default:expr),* $(,)? }) => {
        #[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
        #[serde(deny_unknown_fields, default)]
        #[allow(missing_docs)]
        pub struct $name { $(pub $field: $kind),* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }
    };
}

section!(RawBroker {
    url: String = "amqp://guest@127.0.0.1:5672/%2f".into(),
    password_file: String = String::new(),
    management_url: String = String::new(),
    heartbeat_seconds: u16 = 10,
    confirm_timeout_seconds: u64 = 30,
    dead_letter_exchange: String = "arkki.dead-letter".into(),
    dead_letter_queue: String = "arkki.dead-letter".into(),
    notice_queue: String = "arkki.notice".into(),
    delivery_limit: u32 = 100,
    topology_seconds: u64 = 60,
});

section!(RawInbound {
    queue: String = "arkki.inbound".into(),
    partitions: u16 = 0,
    prefetch: u16 = 256,
    profile: String = "kanta-social".into(),
    sender: String = String::new(),
});

section!(RawReply { default_route: String = String::new(), allow_anonymous: bool = false });

section!(RawSender { replies: Vec<String> = Vec::new(), route: String = String::new(), language: String = String::new() });

section!(RawArchive {
    url: String = "postgres://arkki@127.0.0.1/arkki".into(),
    password_file: String = String::new(),
    site_key_file: String = "/etc/arkki/site.key".into(),
    keep_refused_days: u64 = 400,
    reconcile_minutes: u64 = 10,
});

section!(RawSign {
    key_file: String = "/etc/arkki/system.key".into(),
    certificate_file: String = "/etc/arkki/system.pem".into(),
    pkcs11_module: String = String::new(),
    pkcs11_token: String = String::new(),
    pkcs11_key: String = String::new(),
    pin_file: String = String::new(),
    trust: Vec<String> = vec!["/etc/arkki/trust.pem".into()],
    intermediates: Vec<String> = Vec::new(),
    signers: Vec<String> = Vec::new(),
    crls: Vec<String> = Vec::new(),
    crl_grace_hours: u64 = 4,
    ocsp: String = String::new(),
    revocation_unknown: String = "hold".into(),
});

section!(RawNextKey {
    from: String = String::new(),
    key_file: String = String::new(),
    certificate_file: String = String::new(),
    pkcs11_token: String = String::new(),
    pkcs11_key: String = String::new(),
});

section!(RawCheckpoint { file: String = String::new(), entries: u64 = 1000, seconds: u64 = 60 });

section!(RawTimestamp { url: String = String::new(), trust: Vec<String> = Vec::new() });

section!(RawAnswer {
    language: String = "fi".into(),
    device: String = "1.2.246.10.99999992.18.1".into(),
    receiver: String = "1.2.246.10.99999992.18.5".into(),
    id_root: String = "1.2.246.10.99999992.18.2026".into(),
    code_system: String = "1.2.246.10.99999992.6.1".into(),
    receivers: Vec<String> = Vec::new(),
    only_ae: bool = false,
    keep_query_answers_hours: u64 = 24,
});

section!(RawLilm {
    enabled: bool = true,
    id_root: String = "1.2.246.10.99999992.10.0.95".into(),
    format: String = "fhir".into(),
    reckon_minutes: u64 = 24 * 60
});

section!(RawRules { folder: String = String::new() });

section!(RawProfile { schema: String = String::new() });
section!(RawSosmeta { folder: String = String::new() });

section!(RawLimits {
    message_octets: usize = crate::domain::limits::MESSAGE_OCTETS,
    document_octets: usize = crate::domain::limits::DOCUMENT_OCTETS,
    hold_seconds: u64 = 60,
    held_per_sender: u64 = crate::domain::limits::HELD_PER_SENDER,
    held_in_all: u64 = crate::domain::limits::HELD_IN_ALL,
    stop_seconds: u64 = 30,
});

section!(RawWork { threads: usize = 0 });

section!(RawValidate { listen: String = String::new() });

section!(RawTelemetry {
    listen: String = "127.0.0.1:9464".into(),
    log: String = "human".into(),
    level: String = "info".into(),
    instances: Vec<String> = Vec::new(),
    disks: Vec<String> = Vec::new(),
    otlp: String = String::new(),
    otlp_one_in: u64 = 1,
});

section!(RawApi { listen: String = String::new(), tokens_file: String = String::new(), folder: String = String::new() });

impl Raw {
    /// The configuration as a file that reads back to the same.
    ///
    /// # Errors
    /// The writer's words.
    pub fn written(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|e| e.to_string())
    }
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            environment: "test".into(),
            instance: String::new(),
            broker: RawBroker::default(),
            inbound: BTreeMap::from([("main".to_owned(), RawInbound::default())]),
            reply: RawReply::default(),
            senders: BTreeMap::new(),
            access: RawAccess::default(),
            registrations: BTreeMap::new(),
            archive: RawArchive::default(),
            sign: RawSign::default(),
            next_key: RawNextKey::default(),
            checkpoint: RawCheckpoint::default(),
            timestamp: RawTimestamp::default(),
            answer: RawAnswer::default(),
            sink: RawSink::default(),
            lilm: RawLilm::default(),
            rules: RawRules::default(),
            profiles: BTreeMap::new(),
            sosmeta: RawSosmeta::default(),
            limits: RawLimits::default(),
            work: RawWork::default(),
            validate: RawValidate::default(),
            api: RawApi::default(),
            telemetry: RawTelemetry::default(),
            console: RawConsole::default(),
            people: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../config/arkki.toml");

    #[test]
    fn the_file_is_the_defaults_and_leaves_none_out() {
        let file: toml::Table = FILE.parse().unwrap();
        let defaults = toml::Table::try_from(Raw::default()).unwrap();
        assert_eq!(file, defaults);
    }

    #[test]
    fn every_option_has_its_sentence() {
        let lines: Vec<&str> = FILE.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(lines[i - 1].starts_with("# "), "line {}: {line}", i + 1);
            }
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Raw>("[broker]\nurll = \"x\"").is_err());
        assert!(toml::from_str::<Raw>("colour = 1").is_err());
    }
}
