//! Revocation: lists that openssl makes, a responder that openssl is, and what is done when neither says anything current.

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::clock::{SystemClock, SystemEntropy};
use arkki::adapters::post::Address;
use arkki::adapters::revocation::{Revocations, Sources};
use arkki::adapters::store;
use arkki::cda::signers::judge;
use arkki::crypto::authority::Authority;
use arkki::crypto::certificate::Certificate;
use arkki::crypto::revocation::Status;
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::checkpoint::{Material, MaterialKind};
use arkki::domain::ledger::Position;
use arkki::domain::oid::Oid;
use arkki::domain::outage::Part;
use arkki::domain::time::Moment;
use arkki::pipeline::evidence::{Past, Source};
use arkki::ports::checkpoints::Checkpoints as _;
use arkki::ports::clock::Clock as _;
use arkki::ports::revocation::Revocation as _;

use super::sealing::{sealed, text_of, unsigned};
use super::{FROM, Pair, UNIT, UNTIL, check, example, moment, pair, run, site, valid};
use crate::kit;
use crate::store::place::Place;

const LIST: &str = "2026-11-20T00:00:00Z";
const NEXT: &str = "2026-11-23T00:00:00Z";
const DURING: &str = "2026-11-22T08:00:00Z";

/// An authority's books, as `openssl ca` keeps them.
pub(super) struct Books {
    pub(super) folder: tempfile::TempDir,
    authority: Authority,
    anchors: TrustAnchors,
}

impl Books {
    pub(super) fn open(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make(name, valid(FROM, UNTIL)).unwrap();
        let kept = authority.to_pem().unwrap();
        std::fs::write(folder.path().join("ca.pem"), &kept.certificate_pem).unwrap();
        std::fs::write(folder.path().join("ca.key"), &kept.key_pem).unwrap();
        std::fs::write(folder.path().join("index.txt"), "").unwrap();
        let conf = format!(
            "[ca]\ndefault_ca=own\n[own]\ndatabase={}\ndefault_md=sha256\ncrl_extensions=none\n[none]\nauthorityKeyIdentifier=keyid\n",
            folder.path().join("index.txt").display()
        );
        std::fs::write(folder.path().join("ca.conf"), conf).unwrap();
        let anchors = TrustAnchors::from_pem(&kept.certificate_pem, b"").unwrap();
        Self { folder, authority, anchors }
    }

    pub(super) fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn issue(&self, name: &str) -> Pair {
        pair(&self.authority.system("Testila", &Oid::parse(UNIT).unwrap(), name, valid(FROM, UNTIL)).unwrap())
    }

    /// Writes the books: each certificate good, or revoked at a moment for a reason.
    pub(super) fn write(&self, entries: &[(&Pair, Option<(&str, &str)>)]) {
        let mut index = String::new();
        for (who, revoked) in entries {
            let (state, when) = revoked.map_or(("V", String::new()), |(at, reason)| ("R", format!("{},{reason}", short(at))));
            let _ = writeln!(index, "{state}\t301231235959Z\t{when}\t{}\tunknown\t/CN=x", who.certificate.number());
        }
        std::fs::write(self.at("index.txt"), index).unwrap();
    }

    /// Has openssl make a list of what is in the books.
    pub(super) fn list(&self, from: &str, next: &str) -> PathBuf {
        let (conf, key, certificate, out) = (self.at("ca.conf"), self.at("ca.key"), self.at("ca.pem"), self.at("list.pem"));
        let (from, next) = (long(from), long(next));
        let times = ["-crl_lastupdate", &from, "-crl_nextupdate", &next];
        let arguments = [&["ca", "-config", &conf, "-gencrl", "-keyfile", &key, "-cert", &certificate, "-out", &out][..], &times].concat();
        let (_, said, well) = run("openssl", &arguments, b"");
        assert!(well, "{said}");
        PathBuf::from(out)
    }

    fn revocations(&self, sources: Sources) -> Revocations {
        Revocations::open(sources, self.anchors.again()).unwrap()
    }
}

fn long(text: &str) -> String {
    text.replace(['-', ':', 'T'], "")
}

fn short(text: &str) -> String {
    long(text)[2..].to_owned()
}

fn by(lists: Vec<PathBuf>) -> Sources {
    Sources { lists, ..Sources::default() }
}

#[test]
fn a_list_tells_who_is_revoked_since_when_and_for_how_long_it_counts() {
    let books = Books::open("lists");
    let [good, bad, held] = ["Hyva", "Huono", "Jaissa"].map(|name| books.issue(name));
    books.write(&[(&good, None), (&bad, Some(("2026-11-21T00:00:00Z", "keyCompromise"))), (&held, Some(("2026-11-19T00:00:00Z", "certificateHold")))]);
    let pem = books.list(LIST, NEXT);
    let der = books.folder.path().join("list.der");
    let (octets, said, well) = run("openssl", &["crl", "-in", pem.to_str().unwrap(), "-outform", "DER"], b"");
    assert!(well, "{said}");
    std::fs::write(&der, octets).unwrap();
    for file in [pem, der] {
        let revocations = books.revocations(by(vec![file.clone()]));
        let status = |who: &Pair, at: &str| revocations.by_lists(&who.certificate, moment(at));
        assert_eq!(status(&good, DURING), Status::Good);
        assert_eq!(status(&bad, DURING), Status::Revoked { at: moment("2026-11-21T00:00:00Z"), hold: false });
        assert_eq!(status(&held, DURING), Status::Revoked { at: moment("2026-11-19T00:00:00Z"), hold: true });
        assert_eq!(status(&good, "2026-11-23T00:00:01Z"), Status::Unknown, "its time is over");
        assert_eq!(status(&good, "2026-11-19T23:00:00Z"), Status::Unknown, "its time has not come");
        let patient = books.revocations(Sources { grace: Duration::from_secs(3600), ..by(vec![file]) });
        assert_eq!(patient.by_lists(&good.certificate, moment("2026-11-23T00:59:59Z")), Status::Good, "within the grace");
        assert_eq!(patient.by_lists(&good.certificate, moment("2026-11-23T01:00:01Z")), Status::Unknown, "after it");
    }
    let stranger = site().system.certificate.clone();
    let revocations = books.revocations(by(vec![books.folder.path().join("list.pem")]));
    assert_eq!(revocations.by_lists(&stranger, moment(DURING)), Status::Unknown, "of another authority");
    assert_eq!(books.revocations(by(vec![])).by_lists(&good.certificate, moment(DURING)), Status::NotAsked);
}

#[test]
fn lists_that_cannot_be_believed_are_not_taken() {
    let (books, others) = (Books::open("ours"), Books::open("theirs"));
    let theirs = others.list(LIST, NEXT);
    let refused = |files: Vec<PathBuf>, anchors: &TrustAnchors| Revocations::open(by(files), anchors.again()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(refused(vec![theirs.clone()], &books.anchors).contains("none of the trusted authorities signed"));
    let both = [books.at("ca.pem"), others.at("ca.pem")].map(|p| std::fs::read(p).unwrap()).concat();
    let both = TrustAnchors::from_pem(&both, b"").unwrap();
    assert!(refused(vec![theirs.clone()], &both).contains("no revocation list of \"ARKKI TEST CA ours\""));
    let ours = books.list(LIST, NEXT);
    assert_eq!(refused(vec![theirs, ours.clone()], &both), "");
    // One octet changed.
    let mut octets = run("openssl", &["crl", "-in", ours.to_str().unwrap(), "-outform", "DER"], b"").0;
    let last = octets.len() - 1;
    octets[last] ^= 1;
    let changed = books.folder.path().join("changed.der");
    std::fs::write(&changed, octets).unwrap();
    assert!(refused(vec![changed], &books.anchors).contains("none of the trusted authorities signed"));
    assert!(refused(vec![books.folder.path().join("absent")], &books.anchors).contains("absent"));
    let nothing = books.folder.path().join("nothing");
    std::fs::write(&nothing, "x").unwrap();
    assert!(!refused(vec![nothing], &books.anchors).is_empty());
    // The newer of two counts, in whatever order they are named.
    let who = books.issue("Kahdesti");
    let old = books.folder.path().join("old.pem");
    std::fs::copy(&ours, &old).unwrap();
    books.write(&[(&who, Some(("2026-11-21T00:00:00Z", "superseded")))]);
    let new = books.list("2026-11-21T12:00:00Z", NEXT);
    for files in [vec![old.clone(), new.clone()], vec![new, old]] {
        assert!(matches!(books.revocations(by(files)).by_lists(&who.certificate, moment(DURING)), Status::Revoked { .. }));
    }
}

#[test]
fn a_verdict_counts_from_the_moment_a_document_arrives() {
    let Some(text) = example("01") else { return };
    let facts = check(&text_of(&sealed(&unsigned(&text))), &site().anchors).unwrap();
    let arrived = moment("2026-11-22T09:00:00Z");
    let judged = |status: Status, arrived: Moment| judge(&facts, &[status], arrived).iter().map(|f| f.code.as_str()).collect::<Vec<_>>();
    let revoked = |at: &str, hold| Status::Revoked { at: moment(at), hold };
    assert_eq!(judged(Status::Good, arrived), [""; 0]);
    assert_eq!(judged(Status::NotAsked, arrived), [""; 0]);
    // The time in the signature is the signer's own word: one who backdates gains nothing.
    assert_eq!(judged(revoked("2026-11-22T08:30:00Z", false), arrived), ["E612"], "between signing and arriving");
    assert_eq!(judged(revoked("2026-11-22T08:30:00Z", true), arrived), ["E612"]);
    assert_eq!(judged(revoked("2026-11-22T09:30:00Z", false), arrived), [""; 0], "after it had come");
    assert_eq!(judged(Status::Foreign, arrived), ["E612"]);
    assert_eq!(judged(Status::Unknown, arrived), ["W611"]);
    // NOW of the test's signatures is 08:00:00.123; a clock five minutes ahead is forgiven.
    assert_eq!(judged(Status::Good, moment("2026-11-22T07:55:01Z")), [""; 0]);
    assert_eq!(judged(Status::Good, moment("2026-11-22T07:54:59Z")), ["E611"]);
}

/// openssl as a responder, until it is dropped.
pub(super) struct Responder {
    child: Child,
    pub(super) address: Address,
}

impl Responder {
    pub(super) fn start(books: &Books, signer: &Books) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(kit::tool("openssl"));
        command.args(["ocsp", "-port", &port.to_string(), "-nmin", "5", "-index", &books.at("index.txt"), "-CA", &books.at("ca.pem")]);
        command.args(["-rsigner", &signer.at("ca.pem"), "-rkey", &signer.at("ca.key")]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // It says when it listens. It answers one at a time, and a caller who says nothing keeps it for ever: so it is not tried.
        let mut said = String::new();
        std::io::BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("ACCEPT"), "{said}");
        Self { child, address: Address::parse(&format!("http://127.0.0.1:{port}/")).unwrap() }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(revocations: &Revocations, who: &Pair) -> Result<Status, Part> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let certificates = [Arc::new(who.certificate.clone())];
    runtime.block_on(revocations.statuses(&certificates, SystemClock.now())).map(|s| s[0]).map_err(|outage| outage.part)
}

#[test]
fn a_responder_is_asked_and_its_silence_is_an_outage_or_a_warning() {
    let (books, others) = (Books::open("answers"), Books::open("stranger"));
    let [good, bad, unheard] = ["Hyva", "Huono", "Tuntematon"].map(|name| books.issue(name));
    books.write(&[(&good, None), (&bad, Some(("2026-11-19T12:00:00Z", "keyCompromise")))]);
    let asking = |address: &Address| Sources { responder: Some(address.clone()), ..Sources::default() };
    let responder = Responder::start(&books, &books);
    let revocations = books.revocations(asking(&responder.address));
    assert_eq!(ask(&revocations, &good), Ok(Status::Good));
    assert_eq!(ask(&revocations, &bad), Ok(Status::Revoked { at: moment("2026-11-19T12:00:00Z"), hold: false }));
    assert_eq!(ask(&revocations, &unheard), Ok(Status::Foreign));
    // Signed by an authority that is trusted for itself, but did not issue the certificate: not believed.
    let impostor = Responder::start(&books, &others);
    let both = [books.at("ca.pem"), others.at("ca.pem")].map(|p| std::fs::read(p).unwrap()).concat();
    let both = TrustAnchors::from_pem(&both, b"").unwrap();
    let deceived = Revocations::open(asking(&impostor.address), both.again()).unwrap();
    assert_eq!(ask(&deceived, &good), Err(Part::Revocation));
    // Silent: what was said is remembered; what was not is an outage, or taken with a warning, or in a list.
    let address = responder.address.clone();
    drop(responder);
    assert_eq!(ask(&revocations, &good), Ok(Status::Good), "remembered");
    assert_eq!(ask(&books.revocations(asking(&address)), &good), Err(Part::Revocation));
    assert_eq!(ask(&books.revocations(Sources { take_unknown: true, ..asking(&address) }), &good), Ok(Status::Unknown));
    let now = SystemClock.now();
    let list = books.list(&iso(now.plus(Duration::from_secs(0))), &iso(now.plus(Duration::from_secs(86_400))));
    assert_eq!(ask(&books.revocations(Sources { lists: vec![list], ..asking(&address) }), &bad).map(|s| matches!(s, Status::Revoked { .. })), Ok(true));
}

#[test]
fn a_list_that_is_put_in_place_is_seen() {
    let books = Books::open("renewed");
    let who = books.issue("Ennen");
    books.write(&[(&who, None)]);
    let now = SystemClock.now();
    let day = Duration::from_secs(86_400);
    let list = books.list(&iso(now), &iso(now.plus(day)));
    let revocations = books.revocations(by(vec![list.clone()]));
    assert_eq!(ask(&revocations, &who), Ok(Status::Good));
    // What cannot be used changes nothing.
    std::fs::write(&list, "no list").unwrap();
    assert_eq!(ask(&revocations, &who), Ok(Status::Good));
    books.write(&[(&who, Some((&iso(now), "superseded")))]);
    books.list(&iso(now), &iso(now.plus(day)));
    assert!(matches!(ask(&revocations, &who), Ok(Status::Revoked { .. })));
}

/// The list that a document was accepted by may have been replaced before the next checkpoint, by one that dates a revocation back.
#[tokio::test]
async fn a_document_is_not_condemned_by_a_list_that_came_after_it() {
    let books = Books::open("kept");
    let who = books.issue("Ennen");
    let kept = |from: &str| {
        let octets = std::fs::read(books.list(from, NEXT)).unwrap();
        Material { kind: MaterialKind::RevocationList, sha: arkki::crypto::sha256(&octets), octets, about: None }
    };
    books.write(&[(&who, None)]);
    let good = kept("2026-11-22T07:00:00Z");
    let late = kept("2026-11-22T08:10:00Z");
    books.write(&[(&who, Some(("2026-11-21T00:00:00Z", "keyCompromise")))]);
    let [old, new] = ["2026-11-22T06:00:00Z", "2026-11-22T08:03:00Z"].map(kept);
    let (good_from, new_from) = (Some("2026-11-22T07:00:00Z"), Some("2026-11-22T08:03:00Z"));
    // What the checkpoint before the entry kept, what the one after it kept, and which list is believed about 08:00.
    let cases: [(&[&Material], &[&Material], Option<&str>); 7] = [
        (&[&good], &[&new], good_from),
        (&[&new], &[&good], good_from),
        (&[&good], &[], good_from),
        // One set's newest list speaks for it, in whatever order they are kept.
        (&[&good], &[&old, &good], good_from),
        (&[&good, &new], &[&new], new_from),
        // One of later days does not speak of that day.
        (&[&new], &[&late], new_from),
        (&[&late], &[], None),
    ];
    for (n, (before, after, expected)) in cases.into_iter().enumerate() {
        let place = Place::sqlite();
        let archive = store::open_store(&place.url, "one", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
        for (position, lists) in [(1_u8, before), (3, after)] {
            let made = super::stamps::checkpoint(position.into(), moment(DURING), arkki::crypto::sha256(&[position]));
            let certificate = Material { kind: MaterialKind::Certificate, sha: made.statement.certificate, octets: made.certificate.clone(), about: None };
            let material: Vec<Material> = std::iter::once(&certificate).chain(lists.iter().copied()).cloned().collect();
            assert!(archive.keep_checkpoint(&made, &material).await.unwrap());
        }
        let past = Past::open(&*archive, &books.anchors, Duration::ZERO).await.unwrap();
        let (status, source) = past.known(&who.certificate, Position(2), moment(DURING)).await.unwrap();
        let from = if let Source::List { from, .. } = source { Some(iso(from)) } else { None };
        assert_eq!(from.as_deref(), expected, "{n}: {status:?}");
        assert_eq!((status == Status::Good, status == Status::Unknown), (expected == good_from, expected.is_none()), "{n}: {status:?}");
    }
}

/// Whole seconds, as lists have them.
pub(super) fn iso(at: Moment) -> String {
    Moment::from_seconds(at.seconds()).to_iso().replace(".000", "")
}

/// `arkki validate` gives the gateway's verdict, lists and all.
#[test]
fn a_revoked_professional_is_refused_by_the_whole_gate() {
    let keys = kit::repository().join("samples/keys");
    let books = Books::open("unused");
    for name in ["ca.pem", "ca-key.pem"] {
        std::fs::copy(keys.join(name), books.at(if name == "ca.pem" { "ca.pem" } else { "ca.key" })).unwrap();
    }
    let certificate = Certificate::from_pem(&std::fs::read(keys.join("professional.pem")).unwrap()).unwrap();
    let now = SystemClock.now();
    let config = |list: &Path| {
        let text = format!("[sign]\ntrust = [{:?}]\ncrls = [{list:?}]\n", books.at("ca.pem"));
        let file = books.folder.path().join("arkki.toml");
        std::fs::write(&file, text).unwrap();
        file
    };
    let sample = kit::repository().join("samples/accepted/03-client-document-fi-signed.xml");
    for (entry, expected) in [("V", None), ("R", Some("E612"))] {
        let when = if entry == "R" { format!("{},keyCompromise", short(&iso(now))) } else { String::new() };
        std::fs::write(books.at("index.txt"), format!("{entry}\t301231235959Z\t{when}\t{}\tunknown\t/CN=x\n", certificate.number())).unwrap();
        let list = books.list(&iso(now), &iso(now.plus(Duration::from_secs(86_400))));
        let file = config(&list);
        let arguments = ["--config", file.to_str().unwrap(), "--json", "validate", sample.to_str().unwrap()];
        let (said, errors, well) = run(kit::arkki().to_str().unwrap(), &arguments, b"");
        let said = String::from_utf8(said).unwrap();
        assert_eq!(well, expected.is_none(), "{said}{errors}");
        assert_eq!(expected.is_some_and(|code| said.contains(code)), expected.is_some(), "{said}{errors}");
    }
}
