//! A listener that speaks TLS, and asks each browser for a certificate card where issuers of cards are configured. A card that is expired, revoked or of
//! another issuer ends the handshake; a browser without one comes in and has no card. Files that change are read anew.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::bounded::Bounded;
use crate::adapters::clock::SystemClock;
use crate::config::desk::Tls;
use crate::crypto::certificate::Certificate;
use crate::domain::digest::Digest;
use crate::domain::time::Moment;
use crate::ports::clock::Clock as _;
use crate::telemetry;

/// How many handshakes may be under way at once.
const HANDSHAKES: usize = 64;
/// How long one may take; a person may be typing a PIN.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// How often the files' times are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The certificate card that was shown on a connection; the handshake has held it against its issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The subject's serial number; `None` where there is none or more than one.
    pub serial: Option<String>,
    /// SHA-256 of the certificate.
    pub digest: Digest,
}

impl Card {
    /// The card of a certificate that is in force at this moment. A handshake that goes on where an earlier one ended looks at no certificate again: a card
    /// that has expired since is none.
    fn read(der: &[u8], now: Moment) -> Option<Self> {
        let card = Certificate::from_der(der).ok()?;
        let is_in_force = (card.not_before().seconds()..=card.not_after().seconds()).contains(&now.seconds());
        is_in_force.then(|| Self { serial: card.serial().map(str::to_owned), digest: card.fingerprint() })
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The card that was shown.
    pub card: Option<Card>,
}

impl Connected<IncomingStream<'_, Bounded<TcpListener>>> for Peer {
    fn connect_info(_stream: IncomingStream<'_, Bounded<TcpListener>>) -> Self {
        Self { card: None }
    }
}

impl Connected<IncomingStream<'_, Bounded<Secure>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded<Secure>>) -> Self {
        let shown = stream.io().inner().get_ref().1.peer_certificates().and_then(<[_]>::first);
        Self { card: shown.and_then(|der| Card::read(der, SystemClock.now())) }
    }
}

/// A listener that gives connections whose handshake is done.
pub struct Secure {
    arriving: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Secure {
    /// Speaks TLS on this port with these files.
    ///
    /// # Errors
    /// A file that cannot be used, for the person who wrote the configuration.
    pub fn new(listener: TcpListener, tls: Tls) -> Result<Self, String> {
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let config = settings(&tls)?;
        let (give, arriving) = mpsc::channel(HANDSHAKES);
        tokio::spawn(accept(listener, Files { seen: times(&tls), looked: Instant::now(), config, tls }, give));
        Ok(Self { arriving, address })
    }
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.arriving.recv().await {
            Some(arrived) => arrived,
            // The task that accepts ends with the process only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// The files, and what was made of them.
struct Files {
    tls: Tls,
    config: Arc<ServerConfig>,
    seen: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Files {
    /// The settings of now. What cannot be read leaves those before: a half-written file ends nobody's work.
    fn now(&mut self) -> Arc<ServerConfig> {
        if self.looked.elapsed() >= LOOK_AGAIN {
            self.looked = Instant::now();
            let seen = times(&self.tls);
            if seen != self.seen {
                match settings(&self.tls) {
                    Ok(config) => (self.config, self.seen) = (config, seen),
                    Err(why) => telemetry::console_away(&why),
                }
            }
        }
        Arc::clone(&self.config)
    }
}

/// Accepts until nobody takes what arrives. Each handshake is a task of its own: one that hangs keeps no other waiting.
async fn accept(mut listener: TcpListener, mut files: Files, give: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>) {
    let room = Arc::new(Semaphore::new(HANDSHAKES));
    while !give.is_closed() {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, address) = Listener::accept(&mut listener).await;
        let (acceptor, give) = (TlsAcceptor::from(files.now()), give.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _stopped = give.send((stream, address)).await;
                }
                // Expired, revoked, another issuer's; or no TLS at all.
                Ok(Err(_)) => telemetry::console_turned_away("handshake"),
                Err(_) => {}
            }
            drop(permit);
        });
    }
}

fn times(tls: &Tls) -> Vec<Option<SystemTime>> {
    let files = [&tls.certificate_file, &tls.key_file].into_iter().chain(&tls.card_authorities).chain(&tls.card_crls);
    files.map(|file| std::fs::metadata(file).and_then(|about| about.modified()).ok()).collect()
}

fn settings(tls: &Tls) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&tls.certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file).map_err(|e| format!("[console] key_file {}: {e}", tls.key_file.display()))?;
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| format!("[console] TLS: {e}"))?;
    let mut config = builder
        .with_client_cert_verifier(verifier(tls)?)
        .with_single_cert(chain, key)
        .map_err(|e| format!("[console] certificate_file {}: {e}", tls.certificate_file.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn verifier(tls: &Tls) -> Result<Arc<dyn ClientCertVerifier>, String> {
    if tls.card_authorities.is_empty() {
        return Ok(Arc::new(NoClientAuth));
    }
    let mut roots = RootCertStore::empty();
    for file in &tls.card_authorities {
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|e| format!("[console] card_authorities {}: {e}", file.display()))?;
        }
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider())).allow_unauthenticated();
    if !tls.card_crls.is_empty() {
        let lists = tls.card_crls.iter().map(|file| list(file)).collect::<Result<Vec<_>, _>>()?;
        // A card whose issuer has no list here, or an old one, is turned away: nobody knows whether it is still its owner's.
        builder = builder.with_crls(lists).only_check_end_entity_revocation().enforce_revocation_expiration();
    }
    builder.build().map(|verifier| verifier as Arc<dyn ClientCertVerifier>).map_err(|e| format!("[console] card_authorities, card_crls: {e}"))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |why: String| format!("[console] {}: {why}", file.display());
    let all = CertificateDer::pem_file_iter(file).map_err(|e| wrong(e.to_string()))?.collect::<Result<Vec<_>, _>>().map_err(|e| wrong(e.to_string()))?;
    if all.is_empty() { Err(wrong("no BEGIN CERTIFICATE in it".to_owned())) } else { Ok(all) }
}

fn list(file: &PathBuf) -> Result<CertificateRevocationListDer<'static>, String> {
    let wrong = |why: String| format!("[console] card_crls {}: {why}", file.display());
    let octets = std::fs::read(file).map_err(|e| wrong(e.to_string()))?;
    if octets.starts_with(b"-----BEGIN") {
        return CertificateRevocationListDer::from_pem_slice(&octets).map_err(|e| wrong(e.to_string()));
    }
    Ok(CertificateRevocationListDer::from(octets))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypto::authority::{Authority, Validity};
    use crate::domain::oid::Oid;

    #[test]
    fn a_card_is_one_only_while_it_is_in_force() {
        let at = Moment::from_seconds;
        let valid = Validity { from: at(1_800_000_000), until: at(1_800_086_400) };
        let issued = Authority::make("cards", valid).unwrap().system("Testilä", &Oid::parse("1.2.246.900.1").unwrap(), "CARD", valid).unwrap();
        let certificate = Certificate::from_pem(&issued.certificate_pem).unwrap();
        let serial = |now: i64| Card::read(certificate.der(), at(now)).and_then(|card| card.serial);
        for now in [1_800_000_000, 1_800_043_200, 1_800_086_400] {
            assert_eq!(serial(now).as_deref(), Some("1.2.246.900.1"), "{now}");
        }
        assert_eq!((serial(1_799_999_999), serial(1_800_086_401)), (None, None));
        assert_eq!(Card::read(b"no certificate", at(1_800_043_200)), None);
    }
}
