//! A FHIR server over HTTP: POST to its root, with our certificate and against the site's own authorities. `ureq` blocks, so each attempt has a thread of its
//! own, which ends within the timeout; whoever hands over bounds how many there are. Every attempt has a connection of its own too.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::https::agent;
use crate::domain::outage::{Outage, Part};
use crate::ports::sink::{Said, Sink};

/// The largest answer taken: some hundred octets for each resource of a bundle.
pub const ANSWER_OCTETS: u64 = 256 * 1024;
/// The longest token: a signed JWT is some kilobytes.
const TOKEN_OCTETS: usize = 16 * 1024;

/// What a server is reached with.
#[derive(Debug, Clone)]
pub struct SinkSettings {
    /// The FHIR base, `https://host[:port]/path`.
    pub base: String,
    /// The authorities that the server's certificate must come from, PEM.
    pub authorities: Vec<u8>,
    /// Our certificate with its chain, and its private key, PEM.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
    /// A file with a bearer token, read anew for each attempt.
    pub token_file: Option<PathBuf>,
    /// How long one attempt may take in all.
    pub timeout: Duration,
}

/// A FHIR server.
pub struct FhirSink {
    agent: ureq::Agent,
    base: String,
    token_file: Option<PathBuf>,
}

impl FhirSink {
    /// Makes ready; asks nobody yet.
    ///
    /// # Errors
    /// What of the settings cannot be used, for the operator.
    pub fn open(settings: SinkSettings) -> Result<Self, String> {
        let mut tls = TlsConfig::builder().use_sni(true);
        if settings.base.starts_with("https://") {
            let roots = certificates(&settings.authorities, "ca_file")?;
            tls = tls.root_certs(RootCerts::new_with_certs(&roots));
        }
        if let Some((chain, key)) = &settings.client {
            let chain = certificates(chain, "certificate_file")?;
            let key = PrivateKey::from_pem(key).map_err(|_| "[sink] key_file holds no private key in PEM".to_owned())?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(Self { agent: agent(tls.build(), settings.timeout), base: settings.base, token_file: settings.token_file })
    }

    fn bearer(&self) -> Result<Option<String>, Outage> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let shown = |what: &str| outage(format!("[sink] token_file {}: {what}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|e| shown(&e.to_string()))?;
        let token = text.trim();
        if token.is_empty() || token.len() > TOKEN_OCTETS || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(shown("no token in it"));
        }
        Ok(Some(format!("Bearer {token}")))
    }
}

#[async_trait]
impl Sink for FhirSink {
    async fn post(&self, id: &str, bundle: &[u8]) -> Result<Said, Outage> {
        let bearer = self.bearer()?;
        let (agent, base, id, bundle) = (self.agent.clone(), self.base.clone(), id.to_owned(), bundle.to_vec());
        let (told, hear) = oneshot::channel();
        let attempt = move || {
            // Nobody listens any more when the gateway stops.
            let _gone = told.send(exchange(&agent, &base, &id, bearer.as_deref(), &bundle));
        };
        std::thread::Builder::new().name("sink".into()).spawn(attempt).map_err(|e| Outage::new(Part::Machine, format!("no thread: {e}")))?;
        hear.await.unwrap_or_else(|_| Err(outage("an attempt ended without a word")))
    }
}

fn exchange(agent: &ureq::Agent, base: &str, id: &str, bearer: Option<&str>, bundle: &[u8]) -> Result<Said, Outage> {
    let mut request = agent
        .post(base)
        .header("content-type", "application/fhir+json; charset=utf-8")
        .header("accept", "application/fhir+json")
        // Names of common use; a server that knows either can tell a repeat from a new notice.
        .header("x-request-id", id)
        .header("idempotency-key", id);
    if let Some(bearer) = bearer {
        request = request.header("authorization", bearer);
    }
    let failed = |error: ureq::Error| outage(format!("{base}: {}", words(&error)));
    let mut answer = request.send(bundle).map_err(failed)?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(ANSWER_OCTETS).read_to_vec().map_err(failed)?;
    Ok(Said { status, body })
}

/// The error without anything that came over the line.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(e) => e.to_string(),
        ureq::Error::Timeout(which) => format!("timeout: {which}"),
        ureq::Error::HostNotFound => "the host's name is unknown".into(),
        ureq::Error::ConnectionFailed => "no connection".into(),
        ureq::Error::BodyExceedsLimit(most) => format!("an answer of more than {most} octets"),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        ureq::Error::Rustls(e) => format!("TLS: {e}"),
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => "no answer of HTTP".into(),
        _ => "the exchange failed".into(),
    }
}

fn certificates(pem: &[u8], option: &str) -> Result<Vec<Certificate<'static>>, String> {
    let items = parse_pem(pem).map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Ok(Some(certificate)),
        Ok(_) => Ok(None),
        Err(_) => Err(format!("[sink] {option} cannot be read as PEM")),
    });
    let found: Vec<_> = items.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(format!("[sink] {option} holds no certificate in PEM")) } else { Ok(found) }
}

fn outage(what: impl Into<String>) -> Outage {
    Outage::new(Part::Sink, what)
}

/// The sink behind its port.
///
/// # Errors
/// As [`FhirSink::open`].
pub fn open(settings: SinkSettings) -> Result<Arc<dyn Sink>, String> {
    Ok(Arc::new(FhirSink::open(settings)?))
}
