//! A small FHIR server: takes transaction bundles over TLS from clients it knows, gives each resource an id of its own, and behaves as badly as it is told.
//! Its TLS is OpenSSL's, the gateway's is not: two implementations that must agree.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Name};
use serde_json::{Value, json};

/// The longest that a connection may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Stores, and answers 200 with the new ids; knows a bundle that it has.
    Well,
    /// Stores anew each time it is asked, as a server without memory.
    Forgetful,
    /// Stores and dies before it answers.
    StoresAndDies,
    /// Stores and answers long after the client has gone.
    StoresSlowly,
    /// Answers this status with an OperationOutcome that quotes the notice.
    Outcome(u16),
    /// Answers this status with a page for people.
    Page(u16),
    /// Answers 200 with no FHIR at all.
    Garbage,
    /// Answers 200 with one id too few.
    Half,
    /// Answers no HTTP.
    Noise,
    /// Answers twice on one connection, the second time as if for the next notice.
    Twice,
    /// Never ends its answer.
    Endless,
    /// Sends the client elsewhere.
    Redirect,
    /// Gives every notice the same ids.
    SameIds,
}

/// What it has: by the id a bundle was sent under, the ids each resource is stored under, once for each time it was stored.
pub type Kept = BTreeMap<String, Vec<Vec<String>>>;

struct Inner {
    manner: Mutex<Manner>,
    kept: Mutex<Kept>,
    requests: AtomicU64,
    numbers: AtomicU64,
    heads: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// A running server and the papers of its world.
pub struct Server {
    pub address: SocketAddr,
    pub papers: Papers,
    inner: Arc<Inner>,
}

/// Keys and certificates, PEM.
#[derive(Clone)]
pub struct Papers {
    pub authority: Vec<u8>,
    pub client: (Vec<u8>, Vec<u8>),
    /// A client's certificate from an authority that the server does not know.
    pub stranger: (Vec<u8>, Vec<u8>),
    pub other_authority: Vec<u8>,
}

impl Server {
    pub fn start(manner: Manner) -> Self {
        Self::start_on("127.0.0.1:0", manner)
    }

    pub fn start_on(address: &str, manner: Manner) -> Self {
        let (ours, other) = (Authority::make("notice authority"), Authority::make("another authority"));
        let server = ours.issue("127.0.0.1");
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&server.0).unwrap();
        acceptor.set_private_key(&server.1).unwrap();
        let mut known = X509StoreBuilder::new().unwrap();
        known.add_cert(ours.certificate.clone()).unwrap();
        acceptor.set_verify_cert_store(known.build()).unwrap();
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        // Without it OpenSSL ends every session that a client resumes with its certificate.
        acceptor.set_session_id_context(b"notices").unwrap();
        let acceptor = Arc::new(acceptor.build());
        let pem = |(certificate, key): (X509, PKey<Private>)| (certificate.to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap());
        let papers = Papers {
            authority: ours.certificate.to_pem().unwrap(),
            client: pem(ours.issue("gateway")),
            stranger: pem(other.issue("gateway")),
            other_authority: other.certificate.to_pem().unwrap(),
        };
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            manner: Mutex::new(manner),
            kept: Mutex::default(),
            requests: AtomicU64::new(0),
            numbers: AtomicU64::new(1),
            heads: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(stream), acceptor, inner) = (stream, Arc::clone(&acceptor), Arc::clone(&shared)) else { continue };
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.set_write_timeout(Some(PATIENCE)).unwrap();
                    stream.set_nodelay(true).unwrap();
                    if let Ok(stream) = acceptor.accept(stream) {
                        // A client that goes away is its right.
                        let _gone = inner.serve(stream);
                    }
                });
            }
        });
        Self { address, papers, inner }
    }

    pub fn base(&self) -> String {
        format!("https://127.0.0.1:{}/fhir", self.address.port())
    }

    pub fn behave(&self, manner: Manner) {
        *self.inner.manner.lock().unwrap() = manner;
    }

    pub fn kept(&self) -> Kept {
        self.inner.kept.lock().unwrap().clone()
    }

    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::Acquire)
    }

    pub fn last_head(&self) -> String {
        self.inner.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// Writes the papers into a folder and gives the `[sink]` section that uses them.
    pub fn section(&self, folder: &std::path::Path) -> String {
        let put = |name: &str, octets: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, octets).unwrap();
            path.display().to_string()
        };
        let (ca, certificate, key) =
            (put("sink-ca.pem", &self.papers.authority), put("sink-client.pem", &self.papers.client.0), put("sink-client.key", &self.papers.client.1));
        format!("[sink]\nurl = {:?}\nca_file = {ca:?}\ncertificate_file = {certificate:?}\nkey_file = {key:?}\ntimeout_seconds = 5\n", self.base())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::Release);
        // Wakes the listener, which then sees the end.
        let _ = TcpStream::connect(self.address);
    }
}

impl Inner {
    fn serve(&self, mut stream: impl Read + Write) -> std::io::Result<()> {
        let (head, body) = request(&mut stream)?;
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.heads.lock().unwrap().push(head.clone());
        let manner = *self.manner.lock().unwrap();
        match manner {
            Manner::Outcome(status) => return answer(&mut stream, status, &outcome()),
            Manner::Page(status) => return answer(&mut stream, status, "<html><body>Sorry, Testi 010181-900C</body></html>"),
            Manner::Garbage => return answer(&mut stream, 200, "{\"resourceType\":\"Patient\"}"),
            Manner::Noise => return stream.write_all(b"220 mail.example ESMTP\r\n"),
            Manner::Redirect => return stream.write_all(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
            Manner::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                // Ends with the client's patience or ours.
                for _ in 0..100_000 {
                    stream.write_all(&[b' '; 8192])?;
                }
                return Ok(());
            }
            _ => {}
        }
        let Some((id, sent)) = sent(&head, &body) else { return answer(&mut stream, 400, &outcome()) };
        let stored = self.store(manner, &id, &sent);
        let location = |(kind, id): (&String, &String)| json!({ "response": { "status": "201 Created", "location": format!("{kind}/{id}/_history/1") } });
        let mut entries: Vec<Value> = sent.iter().zip(&stored).map(location).collect();
        if manner == Manner::Half {
            entries.pop();
        }
        let said = json!({ "resourceType": "Bundle", "type": "transaction-response", "entry": entries }).to_string();
        match manner {
            Manner::StoresAndDies => Ok(()),
            Manner::StoresSlowly => {
                std::thread::sleep(Duration::from_secs(3));
                answer(&mut stream, 200, &said)
            }
            Manner::Twice => {
                answer(&mut stream, 200, &said)?;
                answer(&mut stream, 200, &said.replace("AuditEvent/", "AuditEvent/x"))
            }
            _ => answer(&mut stream, 200, &said),
        }
    }

    fn store(&self, manner: Manner, id: &str, sent: &[String]) -> Vec<String> {
        let mut kept = self.kept.lock().unwrap();
        let times = kept.entry(id.to_owned()).or_default();
        if let (Some(first), false) = (times.first(), manner == Manner::Forgetful) {
            return first.clone();
        }
        let number = if manner == Manner::SameIds { 0 } else { self.numbers.fetch_add(1, Ordering::AcqRel) };
        let ids: Vec<String> = (0..sent.len()).map(|n| format!("s{number}.{n}")).collect();
        times.push(ids.clone());
        ids
    }
}

fn request(stream: &mut impl Read) -> std::io::Result<(String, Vec<u8>)> {
    let mut octets = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let end = loop {
        if let Some(end) = octets.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => octets.extend_from_slice(&buffer[..n]),
        }
    };
    let head = String::from_utf8_lossy(&octets[..end]).to_lowercase();
    let length: usize = header(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    let mut body = octets.split_off(end + 4);
    while body.len() < length {
        match stream.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => body.extend_from_slice(&buffer[..n]),
        }
    }
    Ok((head, body))
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| *n == name).map(|(_, v)| v.trim())
}

/// The request's id and its resources' types, when it is a transaction that a FHIR server takes.
fn sent(head: &str, body: &[u8]) -> Option<(String, Vec<String>)> {
    let bundle: Value = serde_json::from_slice(body).ok()?;
    let right = head.starts_with("post /fhir http/1.1")
        && header(head, "content-type").is_some_and(|v| v.starts_with("application/fhir+json"))
        && bundle["resourceType"] == "Bundle"
        && bundle["type"] == "transaction";
    let kinds = bundle["entry"].as_array()?.iter().map(|entry| {
        let kind = entry["request"]["url"].as_str()?;
        let whole = entry["request"]["method"] == "POST" && entry["resource"]["resourceType"] == kind && entry["fullUrl"].as_str()?.starts_with("urn:oid:");
        whole.then(|| kind.to_owned())
    });
    let kinds: Vec<String> = kinds.collect::<Option<_>>()?;
    let id = header(head, "x-request-id").filter(|id| header(head, "idempotency-key") == Some(id))?;
    right.then(|| (id.to_owned(), kinds))
}

fn outcome() -> String {
    json!({ "resourceType": "OperationOutcome", "issue": [{
        "severity": "error", "code": "invalid", "details": { "coding": [{ "code": "40112" }], "text": "Testi Henkilö" },
        "diagnostics": "010181-900C", "expression": ["Bundle.entry[0].resource.agent[1].who"],
    }] })
    .to_string()
}

fn answer(stream: &mut impl Write, status: u16, body: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} Said\r\nContent-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    stream.flush()
}

struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    fn make(name: &str) -> Self {
        let key = key();
        let certificate = certificate(name, &key, None);
        Self { certificate, key }
    }

    fn issue(&self, name: &str) -> (X509, PKey<Private>) {
        let key = key();
        (certificate(name, &key, Some(self)), key)
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(name: &str, key: &PKey<Private>, issuer: Option<&Authority>) -> X509 {
    let named = |name: &str| {
        let mut builder = X509Name::builder().unwrap();
        builder.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
        builder.build()
    };
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(3650).unwrap()).unwrap();
    builder.set_subject_name(&named(name)).unwrap();
    builder.set_pubkey(key).unwrap();
    match issuer {
        None => {
            builder.set_issuer_name(&named(name)).unwrap();
            builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
            builder.sign(key, MessageDigest::sha256()).unwrap();
        }
        Some(issuer) => {
            builder.set_issuer_name(issuer.certificate.subject_name()).unwrap();
            let alternative = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(Some(&issuer.certificate), None)).unwrap();
            builder.append_extension(alternative).unwrap();
            builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build().unwrap()).unwrap();
            builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
        }
    }
    builder.build()
}
