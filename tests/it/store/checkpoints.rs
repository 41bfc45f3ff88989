//! Checkpoints find what the chain alone cannot: a ledger that was shortened, rewritten, or rewritten with every hash made anew.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::checkpoint_file::LineFile;
use arkki::adapters::clock::{SystemClock, SystemEntropy};
use arkki::adapters::keys::pem::PemSigner;
use arkki::adapters::store::{self, Store};
use arkki::crypto;
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::checkpoint::{Material, MaterialKind};
use arkki::domain::ledger::Position;
use arkki::domain::outage::{Outage, Part};
use arkki::domain::time::Moment;
use arkki::pipeline::audit::{AuditReport, Looked, Plan, audit};
use arkki::pipeline::checkpoint::make::{Evidence, Maker, Pace};
use arkki::pipeline::checkpoint::verify::{Against, Judges};
use arkki::ports::archive::Archive;
use arkki::ports::checkpoints::{CheckpointFile, Checkpoints};
use arkki::ports::signer::Signer;
use tokio::sync::watch;

use super::make::*;
use super::place::Place;
use crate::kit;

/// The sample key, which can be put out of reach.
struct Key {
    signer: PemSigner,
    reachable: std::sync::atomic::AtomicBool,
}

impl Signer for Key {
    fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, Outage> {
        if self.reachable.load(std::sync::atomic::Ordering::Relaxed) { self.signer.sign(octets) } else { Err(Outage::new(Part::Key, "out of reach")) }
    }

    fn certificate(&self) -> &[u8] {
        self.signer.certificate()
    }
}

struct Site(Arc<Key>);

impl Evidence for Site {
    fn signer(&self, _at: Moment) -> Arc<dyn Signer> {
        Arc::clone(&self.0) as Arc<dyn Signer>
    }

    fn material(&self) -> Vec<Material> {
        let octets = b"a revocation list".to_vec();
        vec![Material { kind: MaterialKind::RevocationList, sha: crypto::sha256(&octets), octets, about: None }]
    }
}

fn key(folder: &Path) -> Arc<Key> {
    let file = folder.join("key.pem");
    std::fs::copy(kit::repository().join("samples/keys/system-key.pem"), &file).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let signer = PemSigner::open(&file, &kit::repository().join("samples/keys/system.pem")).unwrap();
    Arc::new(Key { signer, reachable: true.into() })
}

async fn open(place: &Place) -> Arc<Store> {
    store::open_store(&place.url, "one", Arc::new(SystemEntropy::open().unwrap())).await.unwrap()
}

fn maker(store: &Arc<Store>, key: &Arc<Key>, file: Option<&Path>, entries: u64) -> Maker {
    Maker {
        archive: Arc::clone(store) as Arc<dyn Archive>,
        checkpoints: Arc::clone(store) as Arc<dyn Checkpoints>,
        file: file.map(|path| Arc::new(LineFile::new(path)) as Arc<dyn CheckpointFile>),
        stamper: None,
        evidence: Arc::new(Site(Arc::clone(key))),
        clock: Arc::new(SystemClock),
        instance: "one".to_owned(),
        pace: Pace { entries, time: Duration::from_secs(3600) },
    }
}

/// One checkpoint at the ledger's end.
async fn checkpoint(store: &Arc<Store>, key: &Arc<Key>, file: Option<&Path>) {
    let (stop, stopped) = watch::channel(true);
    maker(store, key, file, 1).run(stopped).await;
    drop(stop);
}

/// What the file and the archive's own checkpoints find.
async fn held(store: &Arc<Store>, file: &Path) -> AuditReport {
    let keys = kit::repository().join("samples/keys");
    let anchors = TrustAnchors::from_pem(&std::fs::read(keys.join("ca.pem")).unwrap(), b"").unwrap();
    let certificate = arkki::crypto::certificate::Certificate::from_pem(&std::fs::read(keys.join("system.pem")).unwrap()).unwrap();
    let serials = vec![certificate.serial().unwrap().to_owned()];
    let mut report = AuditReport::default();
    let mut against = Against::new(&**store, &**store, Judges { anchors: &anchors, serials: &serials, stamps: None }).await.unwrap();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        against.line(line, &mut report).await.unwrap();
    }
    against.compare(&**store, &mut report).await.unwrap();
    assert!(against.seen.0 > 0);
    report
}

/// Three checkpoints over nine entries.
async fn filled(place: &Place, folder: &Path) -> (Arc<Store>, Arc<Key>, std::path::PathBuf) {
    let (store, key, file) = (open(place).await, key(folder), folder.join("checkpoints.jsonl"));
    for n in 1..=9 {
        done(store.commit(refuse(format!("<bad n='{n}'/>").as_bytes(), "E100")).await.unwrap());
        if n % 3 == 0 {
            checkpoint(&store, &key, Some(&file)).await;
        }
    }
    (store, key, file)
}

fn octets(place: &Place, octets: &[u8; 32]) -> String {
    let hex = arkki::domain::digest::Digest(*octets).to_hex();
    if place.url.starts_with("sqlite") { format!("x'{hex}'") } else { format!("'\\x{hex}'") }
}

/// Changes an entry and makes every hash after it anew, the head's too: the chain holds.
async fn rewrite(place: &Place, store: &Store, from: u64) {
    let entries = store.ledger_page(Position(from - 1), 1000).await.unwrap();
    let mut before = entries[0].before;
    for (n, mut chained) in entries.into_iter().enumerate() {
        if n == 0 {
            chained.entry.code = Some("E101".to_owned());
        }
        let hash = crypto::sha256(&chained.entry.octets(&before, chained.position));
        let (b, h, p) = (octets(place, &before.0), octets(place, &hash.0), chained.position.0);
        let code = chained.entry.code.unwrap();
        place.sql(&format!("UPDATE ledger SET code = '{code}', before = {b}, hash = {h} WHERE position = {p}")).await;
        before = hash;
    }
    place.sql(&format!("UPDATE head SET hash = {}", octets(place, &before.0))).await;
}

pub async fn an_untouched_ledger_agrees_with_its_checkpoints(place: Place) {
    let folder = kit::temp_dir();
    let (store, key, file) = filled(&place, folder.path()).await;
    assert_eq!(held(&store, &file).await.faults, []);
    let own = store.checkpoints(Position(0), 10).await.unwrap();
    assert_eq!(own.iter().map(|c| c.statement.position.0).collect::<Vec<_>>(), [3, 6, 9]);
    assert_eq!(own[1].statement.before, own[0].hash);
    // The material is kept once, and is what the checkpoint signed.
    assert_eq!(place.sql("SELECT count(*) FROM material").await, "2");
    let members = store.material_set(own[2].statement.material).await.unwrap();
    assert_eq!(members.len(), 2);
    for (kind, sha) in members {
        assert_eq!(store.piece(sha).await.unwrap().map(|piece| piece.kind), Some(kind));
    }
    assert_eq!(store.checkpoint_below(Position(9)).await.unwrap().map(|c| c.hash), Some(own[1].hash));
    assert!(store.checkpoint_below(Position(3)).await.unwrap().is_none());
    // Nothing grew: none is made. A line cut short is written again behind it.
    checkpoint(&store, &key, Some(&file)).await;
    assert_eq!(store.checkpoints(Position(0), 10).await.unwrap().len(), 3);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 40]).unwrap();
    checkpoint(&store, &key, Some(&file)).await;
    assert_eq!(held(&store, &file).await.faults, []);
    // Any line changed or taken out is seen.
    let text = std::fs::read_to_string(&file).unwrap();
    // Lines 1 and 3 are checkpoints; 0 and 2 the certificate, which every new process writes once more.
    for without in [1, 3] {
        let cut: Vec<&str> = text.lines().enumerate().filter(|(n, _)| *n != without).map(|(_, line)| line).collect();
        std::fs::write(&file, cut.join("\n")).unwrap();
        assert!(!held(&store, &file).await.is_clean(), "without line {without}");
    }
    std::fs::write(&file, text.replacen("\"position\":6", "\"position\":5", 1)).unwrap();
    assert!(held(&store, &file).await.faults.iter().any(|f| f.what.contains("hash")));
}

pub async fn a_rewritten_ledger_is_found_though_its_chain_holds(place: Place) {
    let folder = kit::temp_dir();
    let (store, key, file) = filled(&place, folder.path()).await;
    rewrite(&place, &store, 5).await;
    let chain = audit(&*store, Plan::new(Arc::new(|_| Looked::default()), 1), &mut |_, _| ()).await.unwrap();
    assert_eq!(chain.faults, [], "the chain alone cannot tell");
    let found = held(&store, &file).await.faults;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].position == Position(6) && found[0].what.contains("from position 4 to 6"), "{found:?}");
    // The gateway signs no more of it.
    done(store.commit(refuse(b"<later/>", "E100")).await.unwrap());
    checkpoint(&store, &key, Some(&file)).await;
    assert_eq!(store.checkpoints(Position(0), 10).await.unwrap().len(), 3);
}

pub async fn a_shortened_ledger_is_found(place: Place) {
    let folder = kit::temp_dir();
    let (store, _, file) = filled(&place, folder.path()).await;
    let seventh = store.ledger_page(Position(6), 1).await.unwrap()[0].hash;
    place.sql("DELETE FROM inbox WHERE position > 7").await;
    place.sql("DELETE FROM ledger WHERE position > 7").await;
    place.sql(&format!("UPDATE head SET position = 7, hash = {}", octets(&place, &seventh.0))).await;
    let chain = audit(&*store, Plan::new(Arc::new(|_| Looked::default()), 1), &mut |_, _| ()).await.unwrap();
    assert_eq!(chain.faults, [], "the chain alone cannot tell");
    let found = held(&store, &file).await.faults;
    assert!(found.len() == 1 && found[0].position == Position(9) && found[0].what.contains("ends at position 7"), "{found:?}");
}

pub async fn lost_checkpoints_and_another_archive_are_found(place: Place) {
    let folder = kit::temp_dir();
    let (store, _, file) = filled(&place, folder.path()).await;
    let other = Place::sqlite();
    let other_folder = kit::temp_dir();
    let (other_store, ..) = filled(&other, other_folder.path()).await;
    assert!(held(&other_store, &file).await.faults.iter().any(|f| f.what.contains("another archive")));
    place.sql("DELETE FROM checkpoint").await;
    let found = held(&store, &file).await.faults;
    assert!(found.len() == 1 && found[0].what.contains("lost a checkpoint"), "{found:?}");
}

pub async fn two_instances_make_one_chain_and_a_lost_key_only_delays(place: Place) {
    let folder = kit::temp_dir();
    let (one, two, key) = (open(&place).await, open(&place).await, key(folder.path()));
    let (stop, stopped) = watch::channel(false);
    let files = [folder.path().join("one.jsonl"), folder.path().join("two.jsonl")];
    let runs = [(&one, &files[0]), (&two, &files[1])].map(|(store, file)| tokio::spawn(maker(store, &key, Some(file), 1).run(stopped.clone())));
    key.reachable.store(false, std::sync::atomic::Ordering::Relaxed);
    for n in 0..5 {
        done(one.commit(refuse(format!("<bad n='{n}'/>").as_bytes(), "E100")).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(one.last_checkpoint().await.unwrap().is_none());
    key.reachable.store(true, std::sync::atomic::Ordering::Relaxed);
    for n in 5..20 {
        done(two.commit(refuse(format!("<bad n='{n}'/>").as_bytes(), "E100")).await.unwrap());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    stop.send_replace(true);
    for run in runs {
        run.await.unwrap();
    }
    for file in &files {
        assert_eq!(held(&one, file).await.faults, []);
    }
    assert_eq!(one.last_checkpoint().await.unwrap().unwrap().statement.position, Position(20));
}
