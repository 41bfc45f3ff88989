//! `[sink]`: the FHIR server that notices are posted to, beside the notice queue.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checked::ConfigFault;
use crate::domain::environment::Environment;
use crate::domain::time::Moment;

/// The longest that one attempt may take, in seconds: the lease on a notice is twice that.
const TIMEOUT: u64 = 60;

/// `[sink]` as it is written.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each option is explained in config/arkki.toml
pub struct RawSink {
    pub url: String,
    pub ca_file: String,
    pub certificate_file: String,
    pub key_file: String,
    pub token_file: String,
    pub timeout_seconds: u64,
    pub from: String,
}

impl Default for RawSink {
    fn default() -> Self {
        let none = String::new;
        Self { url: none(), ca_file: none(), certificate_file: none(), key_file: none(), token_file: none(), timeout_seconds: 30, from: none() }
    }
}

/// Where notices are posted, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SinkPlace {
    pub url: String,
    pub ca_file: Option<PathBuf>,
    pub client: Option<(PathBuf, PathBuf)>,
    pub token_file: Option<PathBuf>,
    pub timeout: Duration,
    pub from: Option<Moment>,
}

/// Checks `[sink]`; `None` when notices leave by the queue alone.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(raw: RawSink, environment: Environment) -> Result<Option<SinkPlace>, ConfigFault> {
    if raw.url.is_empty() {
        return Ok(None);
    }
    let fault = |text: String| Err(ConfigFault(format!("[sink] {text}")));
    let Some((scheme, rest)) = raw.url.split_once("://") else { return fault("url: https://host[:port]/path is needed".into()) };
    let authority = rest.split('/').next().unwrap_or("");
    if !matches!(scheme, "https" | "http") || authority.is_empty() || authority.contains('@') || !rest.bytes().all(|b| b.is_ascii_graphic()) {
        return fault("url: https://host[:port]/path without user and password is needed".into());
    }
    let production = environment == Environment::Production;
    if scheme == "http" && production {
        return fault("url begins with http:// in production: notices hold personal data and travel only under TLS".into());
    }
    let path = |text: String| (!text.is_empty()).then(|| PathBuf::from(text));
    let (ca_file, token_file) = (path(raw.ca_file), path(raw.token_file));
    if scheme == "https" && ca_file.is_none() {
        return fault("ca_file is missing: the server is known by the authority that issued its certificate".into());
    }
    let client = match (path(raw.certificate_file), path(raw.key_file)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return fault("certificate_file and key_file go together".into()),
    };
    if production && client.is_none() && token_file.is_none() {
        return fault("neither certificate_file nor token_file in production: the server would not know who posts".into());
    }
    if !(1..=TIMEOUT).contains(&raw.timeout_seconds) {
        return fault(format!("timeout_seconds = {}: say 1 to {TIMEOUT}", raw.timeout_seconds));
    }
    let from = match raw.from.trim() {
        "" => None,
        text => match Moment::parse_iso(text) {
            Some(moment) => Some(moment),
            None => return fault(format!("from = {text:?}: write a moment as 2027-01-31T22:00:00Z")),
        },
    };
    Ok(Some(SinkPlace { url: raw.url, ca_file, client, token_file, timeout: Duration::from_secs(raw.timeout_seconds), from }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn raw(change: impl FnOnce(&mut RawSink)) -> RawSink {
        let mut raw = RawSink { url: "https://log.example/fhir".into(), ca_file: "ca.pem".into(), ..RawSink::default() };
        change(&mut raw);
        raw
    }

    #[test]
    fn a_sink_is_whole_or_refused() {
        let test = |raw| check(raw, Environment::Test);
        assert_eq!(test(RawSink::default()).unwrap(), None);
        let place = test(raw(|r| r.from = "2027-01-31T22:00:00Z".into())).unwrap().unwrap();
        assert_eq!((place.timeout, place.from.is_some(), place.client), (Duration::from_secs(30), true, None));
        for (change, said) in [
            ((|r: &mut RawSink| r.url = "ftp://h/".into()) as fn(&mut RawSink), "https://"),
            (|r| r.url = "https://u:s3cret@h/".into(), "without user"),
            (|r| r.url = "https://h/\r\nX: y".into(), "https://"),
            (|r| r.ca_file = String::new(), "ca_file"),
            (|r| r.key_file = "k".into(), "go together"),
            (|r| r.timeout_seconds = 61, "1 to 60"),
            (|r| r.from = "today".into(), "2027-01-31"),
        ] {
            let fault = test(raw(change)).unwrap_err().0;
            assert!(fault.contains(said) && !fault.contains("s3cret"), "{fault}");
        }
        assert!(test(raw(|r| r.url = "http://127.0.0.1:1/".into())).is_ok());
    }

    #[test]
    fn production_posts_under_tls_and_by_name() {
        let production = |raw| check(raw, Environment::Production);
        assert!(production(raw(|r| r.url = "http://h/".into())).unwrap_err().0.contains("TLS"));
        assert!(production(raw(|_| ())).unwrap_err().0.contains("who posts"));
        assert!(production(raw(|r| r.token_file = "t".into())).is_ok());
        assert!(production(raw(|r| (r.certificate_file, r.key_file) = ("c".into(), "k".into()))).is_ok());
    }
}
