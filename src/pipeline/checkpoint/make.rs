//! Makes checkpoints while the ledger grows: every so many entries or so much time, whichever comes first. It stands beside the road of messages and never on it: a key, a file or a
//! time-stamping authority out of reach delays checkpoints, and an alarm rises, while messages go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{line, set_of};
use crate::crypto;
use crate::domain::checkpoint::{Checkpoint, Material, MaterialKind, Statement};
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::ports::archive::Archive;
use crate::ports::checkpoints::{CheckpointFile, Checkpoints, Stamper};
use crate::ports::clock::Clock;
use crate::ports::signer::Signer;
use crate::telemetry;

/// How often the ledger's head is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait after a failure before the next attempt.
const AGAIN: Duration = Duration::from_secs(5);
/// How many checkpoints are read from the archive at once for the file.
const PAGE: u32 = 200;
/// How many checkpoints are stamped in one go; the rest waits for the next look.
const STAMPED: u32 = 10;

/// What is signed with and what belongs to it, asked anew for each checkpoint.
pub trait Evidence: Send + Sync {
    /// The key in force at a moment.
    fn signer(&self, at: Moment) -> Arc<dyn Signer>;
    /// The certificates and revocation lists in force now, and the OCSP answers that no checkpoint names yet: what signatures of these days are verified with later.
    fn material(&self) -> Vec<Material>;
    /// A checkpoint names these now.
    fn kept(&self, _material: &[Material]) {}
}

/// When a checkpoint is due.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// After so many entries.
    pub entries: u64,
    /// After so long, when the ledger has grown.
    pub time: Duration,
}

/// Makes checkpoints.
pub struct Maker {
    /// The ledger.
    pub archive: Arc<dyn Archive>,
    /// Where they are kept.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// And again outside the database.
    pub file: Option<Arc<dyn CheckpointFile>>,
    /// Who stamps them.
    pub stamper: Option<Arc<dyn Stamper>>,
    /// Who signs them.
    pub evidence: Arc<dyn Evidence>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// This instance's name.
    pub instance: String,
    /// When one is due.
    pub pace: Pace,
}

/// What is remembered between two looks; all of it can be read again.
#[derive(Default)]
struct Known {
    last: Option<Checkpoint>,
    /// The file's end, and the certificates written since this process began.
    filed: Option<(Position, Digest)>,
    opened: bool,
    certificates: Vec<Digest>,
}

impl Maker {
    /// Makes checkpoints until told to stop, and a last one then.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut known = Known::default();
        let mut pause = LOOK;
        loop {
            let stopping = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                told = stop.wait_for(|stopping| *stopping) => { drop(told); true },
            };
            let outcome = self.look(&mut known, stopping).await;
            let now = self.clock.now();
            if let Some(last) = &known.last {
                telemetry::checkpoint_age(now.seconds().saturating_sub(last.statement.at.seconds()));
            }
            pause = match outcome {
                Ok(()) => LOOK,
                Err(outage) => {
                    telemetry::checkpoint_failed(&outage);
                    known = Known::default();
                    AGAIN
                }
            };
            if stopping {
                return;
            }
        }
    }

    async fn look(&self, known: &mut Known, stopping: bool) -> Result<(), Outage> {
        let now = self.clock.now();
        let seen = known.last.as_ref().map(|last| (last.statement.position, last.statement.at));
        let Some((position, head)) = self.archive.head().await? else { return Ok(()) };
        if known.last.is_none() || self.is_due(position, seen, now) || stopping {
            // Another instance may have been quicker: whoever made the last one, all begin from it.
            known.last = self.checkpoints.last_checkpoint().await?;
            let seen = known.last.as_ref().map(|last| (last.statement.position, last.statement.at));
            let grew = seen.is_none_or(|(last, _)| position > last);
            if grew && (stopping || self.is_due(position, seen, now)) {
                self.make(known, position, head, now).await?;
            } else if seen.is_some_and(|(last, _)| position < last) {
                return Err(Outage::new(Part::Archive, "the ledger is shorter than its last checkpoint: no more are made; run arkki audit"));
            }
        }
        if self.file.is_some() {
            self.export(known).await?;
        }
        if let Some(stamper) = &self.stamper {
            self.stamp(stamper, known).await?;
        }
        Ok(())
    }

    fn is_due(&self, position: Position, last: Option<(Position, Moment)>, now: Moment) -> bool {
        let Some((last, at)) = last else { return true };
        let grown = position.0.saturating_sub(last.0);
        grown >= self.pace.entries || (grown > 0 && now >= at.plus(self.pace.time))
    }

    /// Signs what the ledger says now, after a look whether it still says what it said at the last checkpoint: a ledger that was rewritten gets no signature of ours.
    async fn make(&self, known: &mut Known, position: Position, head: Digest, now: Moment) -> Result<(), Outage> {
        if let Some(last) = &known.last {
            let there = self.archive.ledger_page(Position(last.statement.position.0.saturating_sub(1)), 1).await?;
            let held = there.first().is_some_and(|entry| entry.position == last.statement.position && entry.hash == last.statement.head);
            if !held {
                telemetry::checkpoint_disagrees(last.statement.position);
                return Err(Outage::new(Part::Archive, "the ledger is not what its last checkpoint signed: no more are made; run arkki audit"));
            }
        }
        let evidence = Arc::clone(&self.evidence);
        let asked = tokio::task::spawn_blocking(move || (evidence.signer(now), evidence.material()));
        let (signer, mut material) = asked.await.map_err(|_| Outage::new(Part::Key, "asking for the key ended unexpectedly"))?;
        let der = signer.certificate().to_vec();
        let certificate = crypto::sha256(&der);
        material.push(Material { kind: MaterialKind::Certificate, sha: certificate, octets: der.clone(), about: None });
        let set = set_of(&mut material);
        let statement = Statement {
            archive: self.checkpoints.archive_name().await?,
            position,
            head,
            // Milliseconds, as they are written.
            at: Moment::from_micros(now.micros().div_euclid(1000).saturating_mul(1000)),
            instance: self.instance.clone(),
            before: known.last.as_ref().map_or(Digest::ZERO, |last| last.hash),
            material: set,
            certificate,
        };
        let octets = statement.octets();
        let signature = tokio::task::spawn_blocking(move || signer.sign(&octets))
            .await
            .map_err(|_| Outage::new(Part::Key, "signing a checkpoint ended unexpectedly"))??;
        let hash = crypto::sha256(&Checkpoint::octets(&statement, &signature));
        let checkpoint = Checkpoint { statement, signature, certificate: der, hash, token: None };
        if self.checkpoints.keep_checkpoint(&checkpoint, &material).await? {
            telemetry::checkpoint_made(position);
            self.evidence.kept(&material);
            known.last = Some(checkpoint);
        } else {
            known.last = self.checkpoints.last_checkpoint().await?;
        }
        Ok(())
    }

    /// Writes to the file what the archive has and the file has not, whichever instance made it.
    async fn export(&self, known: &mut Known) -> Result<(), Outage> {
        let Some(file) = &self.file else { return Ok(()) };
        if !known.opened {
            known.filed = on_disk(file, |file| file.last()).await?;
            known.opened = true;
        }
        // Bounded by the archive's own checkpoints: each turn writes a page of them.
        while known.last.as_ref().is_some_and(|last| known.filed.is_none_or(|(position, _)| position < last.statement.position)) {
            let after = known.filed.map_or(Position(0), |(position, _)| position);
            let page = self.checkpoints.checkpoints(after, PAGE).await?;
            let Some(first) = page.first() else { break };
            if first.statement.before != known.filed.map_or(Digest::ZERO, |(_, hash)| hash) {
                telemetry::checkpoint_disagrees(first.statement.position);
                return Err(Outage::new(
                    Part::Archive,
                    "the checkpoint file and the archive do not agree: nothing more is written to it; run arkki audit --checkpoint",
                ));
            }
            let mut lines = String::new();
            for checkpoint in &page {
                if !known.certificates.contains(&checkpoint.statement.certificate) {
                    lines.push_str(&line::certificate(&checkpoint.certificate));
                    known.certificates.push(checkpoint.statement.certificate);
                }
                lines.push_str(&line::checkpoint(checkpoint));
            }
            on_disk(file, move |file| file.append(&lines)).await?;
            known.filed = page.last().map(|last| (last.statement.position, last.hash));
        }
        Ok(())
    }

    /// Has checkpoints stamped that are not yet. The authority's silence is an alarm and nothing more: the next look asks again.
    async fn stamp(&self, stamper: &Arc<dyn Stamper>, known: &Known) -> Result<(), Outage> {
        for checkpoint in self.checkpoints.unstamped(STAMPED).await? {
            match stamper.stamp(&checkpoint.hash).await {
                Err(outage) => {
                    telemetry::stamp_failed(&outage);
                    return Ok(());
                }
                Ok(token) => {
                    self.checkpoints.stamp(checkpoint.statement.position, &token).await?;
                    if let Some(file) = self.file.as_ref().filter(|_| known.filed.is_some_and(|(last, _)| checkpoint.statement.position <= last)) {
                        let lines = line::stamp(&checkpoint.hash, &token);
                        on_disk(file, move |file| file.append(&lines)).await?;
                    }
                    telemetry::stamped();
                }
            }
        }
        Ok(())
    }
}

async fn on_disk<T: Send + 'static>(
    file: &Arc<dyn CheckpointFile>,
    work: impl FnOnce(&dyn CheckpointFile) -> Result<T, Outage> + Send + 'static,
) -> Result<T, Outage> {
    let file = Arc::clone(file);
    tokio::task::spawn_blocking(move || work(&*file)).await.map_err(|_| Outage::new(Part::Machine, "writing the checkpoint file ended unexpectedly"))?
}
