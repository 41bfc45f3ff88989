//! Talks to an OpenID Connect provider: its description, its keys, and the exchange of a code for a token. `ureq` blocks: called through `spawn_blocking`.

use std::path::Path;
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::https::agent;

/// The largest answer taken, in octets: descriptions and key sets have some thousands.
const ANSWER_OCTETS: u64 = 512 * 1024;
/// How long one question may take: a person waits for it.
const ANSWER: Duration = Duration::from_secs(10);

/// A way to the provider.
#[derive(Clone)]
pub struct Provider {
    agent: ureq::Agent,
}

impl Provider {
    /// A way that trusts these authorities; `None`: the machine's own.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub fn new(authorities: Option<&Path>) -> Result<Self, String> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = authorities {
            let wrong = |why: &str| format!("[console] openid_ca_file {}: {why}", path.display());
            let pem = std::fs::read(path).map_err(|e| wrong(&e.to_string()))?;
            let roots: Vec<Certificate<'static>> =
                parse_pem(&pem).filter_map(|item| if let Ok(PemItem::Certificate(certificate)) = item { Some(certificate) } else { None }).collect();
            if roots.is_empty() {
                return Err(wrong("no BEGIN CERTIFICATE in it"));
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&roots));
        }
        Ok(Self { agent: agent(tls.build(), ANSWER) })
    }

    /// Gets a page of the provider's.
    ///
    /// # Errors
    /// What was seen, for the operator; nothing of the answer.
    pub fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let answer = self.agent.get(url).header("Accept", "application/json").call().map_err(|e| words(url, &e))?;
        body(url, answer)
    }

    /// Posts a form; `basic` is the value of `Authorization` where the console has a secret.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn post(&self, url: &str, basic: Option<&str>, fields: &[(&str, &str)]) -> Result<Vec<u8>, String> {
        let mut request = self.agent.post(url).header("Accept", "application/json");
        if let Some(basic) = basic {
            request = request.header("Authorization", basic);
        }
        let answer = request.send_form(fields.iter().copied()).map_err(|e| words(url, &e))?;
        body(url, answer)
    }
}

fn body(url: &str, mut answer: ureq::http::Response<ureq::Body>) -> Result<Vec<u8>, String> {
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(ANSWER_OCTETS).read_to_vec().map_err(|e| words(url, &e))?;
    if status == 200 { Ok(body) } else { Err(format!("{url}: HTTP {status}")) }
}

fn words(url: &str, error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(e) => format!("{url}: {e}"),
        ureq::Error::Timeout(_) => format!("{url}: no answer in time"),
        ureq::Error::HostNotFound => format!("{url}: the host's name is unknown"),
        ureq::Error::BodyExceedsLimit(most) => format!("{url}: an answer of more than {most} octets"),
        ureq::Error::Rustls(e) => format!("{url}: TLS: {e}"),
        _ => format!("{url}: no connection, or no answer of HTTP"),
    }
}
