//! Revocation lists in files and an OCSP responder. The responder is asked first, where there is one; the lists are what is left when it does not answer, and all there is without
//! one. When neither gives anything current the site's policy decides: hold (the gateway waits, as for any outage) or warn (the document is taken, and its answer says so).

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;

use super::post::{self, Address};
use crate::crypto;
use crate::crypto::Fault;
use crate::crypto::certificate::Certificate;
use crate::crypto::revocation::{self, LIST_OCTETS, RevocationLists, Status};
use crate::crypto::trust::TrustAnchors;
use crate::domain::checkpoint::{Material, MaterialKind};
use crate::domain::digest::Digest;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::ports::revocation::Revocation;
use crate::telemetry;

/// How often the files are looked at again: whoever fetches them puts the new one in place, and need not tell.
pub const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long a responder's answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long an answer is remembered at most, whatever it allows: so long may a certificate be used after it was revoked.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How many answers are remembered; a full memory is emptied.
const ANSWERS: usize = 4096;

/// What a site has to ask issuers with.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Files of revocation lists, DER or PEM.
    pub lists: Vec<PathBuf>,
    /// How long after its `nextUpdate` a list still counts.
    pub grace: Duration,
    /// The OCSP responder.
    pub responder: Option<Address>,
    /// How often the files are looked at again: [`LOOK_AGAIN`].
    pub look_again: Duration,
    /// What is done when nothing current can be had: take the document with a warning, or wait.
    pub take_unknown: bool,
}

/// Asks issuers about certificates.
pub struct Revocations {
    anchors: TrustAnchors,
    sources: Sources,
    lists: Mutex<Held>,
    answers: Mutex<HashMap<Digest, (Status, Moment)>>,
    unkept: Mutex<VecDeque<Material>>,
}

struct Held {
    looked: Instant,
    stamps: Vec<Option<(SystemTime, u64)>>,
    lists: Arc<RevocationLists>,
}

impl Revocations {
    /// Reads the lists for the first time.
    ///
    /// # Errors
    /// A file that cannot be read or used; without a responder also an authority that no list is of: what it issues could never be judged.
    pub fn open(sources: Sources, anchors: TrustAnchors) -> Result<Self, Fault> {
        let stamps = stamps(&sources.lists);
        let lists = read(&sources.lists, &anchors)?;
        if let (false, None, Some(name)) = (sources.lists.is_empty(), &sources.responder, lists.missing(&anchors).first()) {
            return Err(Fault::new(format!("no revocation list of {name:?} among them, which the site trusts")));
        }
        Ok(Self {
            anchors,
            sources,
            lists: Mutex::new(Held { looked: Instant::now(), stamps, lists: Arc::new(lists) }),
            answers: Mutex::default(),
            unkept: Mutex::default(),
        })
    }

    /// What the lists alone say: for verdicts that are given offline.
    #[must_use]
    pub fn by_lists(&self, certificate: &Certificate, at: Moment) -> Status {
        if self.sources.lists.is_empty() {
            return Status::NotAsked;
        }
        self.lookup(&self.now(), certificate, at)
    }

    /// The list that speaks of a certificate: its issuer's common name, from when, until when.
    #[must_use]
    pub fn list_of(&self, certificate: &Certificate) -> Option<(String, Moment, Moment)> {
        let issuer = self.anchors.issuer_of(certificate)?;
        let (from, next) = self.now().span_of(issuer)?;
        Some((issuer.subject().unwrap_or("–").to_owned(), from, next))
    }

    /// When the first of the lists is due to be replaced.
    #[must_use]
    pub fn due(&self) -> Option<Moment> {
        self.now().due()
    }

    fn lookup(&self, lists: &RevocationLists, certificate: &Certificate, at: Moment) -> Status {
        self.anchors.issuer_of(certificate).map_or(Status::Unknown, |issuer| lists.status(certificate, issuer, at, self.sources.grace))
    }

    fn now(&self) -> Arc<RevocationLists> {
        Arc::clone(&self.lists.lock().unwrap_or_else(PoisonError::into_inner).lists)
    }

    /// The lists, read again when a file has changed. A file that cannot be used leaves the old lists in force until they are too old.
    async fn current(&self) -> Arc<RevocationLists> {
        let due = {
            let mut held = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            let due = held.looked.elapsed() >= self.sources.look_again && !self.sources.lists.is_empty();
            if due {
                held.looked = Instant::now();
            }
            due.then(|| held.stamps.clone())
        };
        if let Some(before) = due {
            let (files, anchors) = (self.sources.lists.clone(), self.anchors.again());
            let reading = move || {
                let now = stamps(&files);
                (now != before).then(|| (now, read(&files, &anchors)))
            };
            match tokio::task::spawn_blocking(reading).await {
                Ok(Some((stamps, Ok(lists)))) => {
                    let mut held = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
                    (held.stamps, held.lists) = (stamps, Arc::new(lists));
                }
                Ok(Some((_, Err(fault)))) => telemetry::revocation_unreadable(&fault.to_string()),
                Ok(None) | Err(_) => {}
            }
        }
        self.now()
    }

    /// The answers that no checkpoint names yet, for whoever makes one.
    #[must_use]
    pub fn unkept(&self) -> Vec<Material> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A checkpoint names these now.
    pub fn kept(&self, material: &[Material]) {
        let kept: HashSet<Digest> = material.iter().filter(|piece| piece.kind == MaterialKind::OcspAnswer).map(|piece| piece.sha).collect();
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner).retain(|piece| !kept.contains(&piece.sha));
    }

    fn keep(&self, octets: Vec<u8>, certificate: Digest, at: Moment) {
        let mut unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        // Checkpoints that cannot be made for so long are an alarm of their own; messages go on.
        if unkept.len() >= ANSWERS {
            unkept.pop_front();
        }
        unkept.push_back(Material { kind: MaterialKind::OcspAnswer, sha: crypto::sha256(&octets), octets, about: Some((certificate, at)) });
    }

    async fn ask(&self, responder: &Address, certificate: &Certificate, at: Moment) -> Option<Status> {
        let known = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&certificate.fingerprint()).copied();
        if let Some((status, _)) = known.filter(|(_, until)| at <= *until) {
            return Some(status);
        }
        let issuer = self.anchors.issuer_of(certificate)?;
        let judged = async {
            let question = revocation::ocsp_question(certificate, issuer).map_err(|fault| fault.to_string())?;
            let answer = post::post(responder, "application/ocsp-request", &question, revocation::ANSWER_OCTETS, ANSWER).await?;
            let judged = revocation::ocsp_answer(&answer, certificate, issuer, &self.anchors, at).map_err(|fault| format!("{responder}: {fault}"))?;
            Ok::<_, String>((judged, answer))
        };
        match judged.await {
            Ok(((status, until), answer)) => {
                self.keep(answer, certificate.fingerprint(), at);
                let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
                if answers.len() >= ANSWERS {
                    answers.clear();
                }
                answers.insert(certificate.fingerprint(), (status, until.min(at.plus(REMEMBERED))));
                Some(status)
            }
            Err(why) => {
                telemetry::responder_silent(&why);
                None
            }
        }
    }
}

#[async_trait]
impl Revocation for Revocations {
    async fn statuses(&self, certificates: &[Arc<Certificate>], at: Moment) -> Result<Vec<Status>, Outage> {
        if self.sources.lists.is_empty() && self.sources.responder.is_none() {
            return Ok(vec![Status::NotAsked; certificates.len()]);
        }
        let lists = self.current().await;
        let mut statuses = Vec::with_capacity(certificates.len());
        for certificate in certificates {
            let answered = match &self.sources.responder {
                Some(responder) => self.ask(responder, certificate, at).await,
                None => None,
            };
            let status = answered.unwrap_or_else(|| self.lookup(&lists, certificate, at));
            if status == Status::Unknown && !self.sources.take_unknown {
                let issuer = certificate.issuer().unwrap_or("an authority without a name");
                return Err(Outage::new(Part::Revocation, format!("nothing current says whether certificates of {issuer:?} are in force")));
            }
            statuses.push(status);
        }
        Ok(statuses)
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    files.iter().map(|file| std::fs::metadata(file).ok().and_then(|m| Some((m.modified().ok()?, m.len())))).collect()
}

fn read(files: &[PathBuf], anchors: &TrustAnchors) -> Result<RevocationLists, Fault> {
    use std::io::Read as _;
    let octets = |file: &PathBuf| -> std::io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        std::fs::File::open(file)?.take(LIST_OCTETS as u64 + 1).read_to_end(&mut octets)?;
        Ok(octets)
    };
    let all = files.iter().map(|file| octets(file).map_err(|e| Fault::new(format!("{}: {e}", file.display())))).collect::<Result<Vec<_>, _>>()?;
    RevocationLists::read(&all, anchors)
}
