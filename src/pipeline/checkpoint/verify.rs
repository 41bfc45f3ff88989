//! Holds checkpoints against a ledger: each must be signed by us, name the one before it, and find exactly its hash at its position. A ledger that was shortened, rewritten or
//! rewritten with all its hashes anew does not have the hashes that were signed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::line::{self, Line};
use crate::crypto;
use crate::crypto::trust::{Distrust, TrustAnchors};
use crate::domain::checkpoint::Checkpoint;
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::pipeline::audit::AuditReport;
use crate::ports::archive::Archive;
use crate::ports::checkpoints::Checkpoints;

/// How many certificates a file may bring: a key lives for years, and two instances may have one each.
const CERTIFICATES: usize = 1024;
/// How many pieces of material are remembered as looked at; a full memory is emptied, and some are looked at again.
const PIECES: usize = 100_000;
/// How many of a file's checkpoints are remembered for stamps that come later: at one a minute those of nearly two years. The oldest is forgotten first.
const STAMPABLE: usize = 1_000_000;
/// How far an authority's clock may be behind ours.
const STAMP_SKEW: Duration = Duration::from_secs(300);
/// How late a time stamp may come and still count for the time that its checkpoint says.
const STAMP_LATE: Duration = Duration::from_secs(7 * 86_400);
/// How many checkpoints of the archive are read at once.
const PAGE: u32 = 500;

/// Who may have signed a checkpoint, and who may have stamped it.
pub struct Judges<'a> {
    /// What certificates must lead to.
    pub anchors: &'a TrustAnchors,
    /// What the signer's `serialNumber` may be.
    pub serials: &'a [String],
    /// What stamps must lead to; without, tokens are not judged.
    pub stamps: Option<&'a TrustAnchors>,
}

/// Checkpoints in order, held against one ledger.
pub struct Against<'a> {
    archive: &'a dyn Archive,
    name: String,
    head: Position,
    judges: Judges<'a>,
    certificates: HashMap<Digest, Vec<u8>>,
    last: Option<(Position, Digest)>,
    /// The file's checkpoints by hash, and in order.
    stampable: (HashMap<Digest, (Position, Moment)>, VecDeque<Digest>),
    /// The last position at which ledger and checkpoint agreed.
    agreed: Position,
    disagreed: bool,
    unreadable: u64,
    /// Material that was looked at.
    pieces: HashSet<Digest>,
    /// Checkpoints seen, and those with a verified time stamp.
    pub seen: (u64, u64),
}

/// What is said of the newest checkpoint in a file that the archive itself does not have.
pub const LOST: &str = "the archive has lost a checkpoint that the file has, or has another in its place";

impl<'a> Against<'a> {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// An outage.
    pub async fn new(archive: &'a dyn Archive, checkpoints: &dyn Checkpoints, judges: Judges<'a>) -> Result<Self, Outage> {
        let head = archive.head().await?.map_or(Position(0), |(position, _)| position);
        let name = checkpoints.archive_name().await?;
        Ok(Self {
            archive,
            name,
            head,
            judges,
            certificates: HashMap::new(),
            last: None,
            stampable: (HashMap::new(), VecDeque::new()),
            agreed: Position(0),
            disagreed: false,
            unreadable: 0,
            pieces: HashSet::new(),
            seen: (0, 0),
        })
    }

    /// Takes the file's next line.
    ///
    /// # Errors
    /// An outage.
    pub async fn line(&mut self, text: &str, report: &mut AuditReport) -> Result<(), Outage> {
        match line::read(text) {
            Some(Line::Certificate(der)) => {
                if self.certificates.len() < CERTIFICATES {
                    self.certificates.insert(crypto::sha256(&der), der);
                }
            }
            Some(Line::Stamp(of, token)) => match self.stampable.0.get(&of) {
                Some(&(position, at)) => self.judge_token(&of, &token, (position, at), report),
                None => report.fault(self.last.map_or(Position(0), |(position, _)| position), "a time stamp of no checkpoint that stands before it"),
            },
            Some(Line::Checkpoint(mut checkpoint)) => {
                checkpoint.certificate = self.certificates.get(&checkpoint.statement.certificate).cloned().unwrap_or_default();
                self.remember(&checkpoint);
                self.checkpoint(&checkpoint, report).await?;
            }
            // A line cut short by a crash is followed by the same checkpoint once more; one that is missing shows in the chain.
            None => self.unreadable += 1,
        }
        Ok(())
    }

    fn remember(&mut self, checkpoint: &Checkpoint) {
        let (known, order) = &mut self.stampable;
        if known.insert(checkpoint.hash, (checkpoint.statement.position, checkpoint.statement.at)).is_none() {
            order.push_back(checkpoint.hash);
        }
        if order.len() > STAMPABLE
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
    }

    /// Takes the archive's own checkpoints.
    ///
    /// # Errors
    /// An outage.
    pub async fn archives_own(&mut self, checkpoints: &dyn Checkpoints, report: &mut AuditReport) -> Result<(), Outage> {
        let (mut after, mut named) = (Position(0), None);
        // Ends with the last page: positions only grow.
        loop {
            let page = checkpoints.checkpoints(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.statement.position;
            for checkpoint in &page {
                self.checkpoint(checkpoint, report).await?;
                if named != Some(checkpoint.statement.material) {
                    named = Some(checkpoint.statement.material);
                    self.material(checkpoints, checkpoint, report).await?;
                }
            }
        }
    }

    /// Whether the material that a checkpoint names is there, piece by piece.
    async fn material(&mut self, checkpoints: &dyn Checkpoints, checkpoint: &Checkpoint, report: &mut AuditReport) -> Result<(), Outage> {
        let position = checkpoint.statement.position;
        let members = checkpoints.material_set(checkpoint.statement.material).await?;
        let digests: Vec<&[u8]> = members.iter().map(|(_, sha)| sha.0.as_slice()).collect();
        if crypto::sha256_parts(&digests) != checkpoint.statement.material {
            report.fault(position, "validation material that a checkpoint names is missing");
        }
        for (_, sha) in members {
            if self.pieces.len() >= PIECES {
                self.pieces.clear();
            }
            if self.pieces.insert(sha) && checkpoints.piece(sha).await?.is_none() {
                report.fault(position, "validation material that a checkpoint names has changed");
            }
        }
        Ok(())
    }

    /// Whether the archive itself still has the checkpoint last seen in a file.
    ///
    /// # Errors
    /// An outage.
    pub async fn compare(&self, checkpoints: &dyn Checkpoints, report: &mut AuditReport) -> Result<(), Outage> {
        let Some((position, hash)) = self.last else { return Ok(()) };
        let there = checkpoints.checkpoints(Position(position.0.saturating_sub(1)), 1).await?;
        if !there.first().is_some_and(|own| own.statement.position == position && own.hash == hash) {
            report.fault(position, LOST);
        }
        Ok(())
    }

    /// Lines that could not be read: no fault while the chain goes on over them.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    async fn checkpoint(&mut self, checkpoint: &Checkpoint, report: &mut AuditReport) -> Result<(), Outage> {
        let statement = &checkpoint.statement;
        let position = statement.position;
        if self.last == Some((position, checkpoint.hash)) {
            // The same once more: its first line was cut short, or two processes wrote to one file.
            return Ok(());
        }
        self.seen.0 += 1;
        if let Some(what) = self.wrong(checkpoint) {
            report.fault(position, what);
        }
        if let Some(token) = &checkpoint.token {
            self.judge_token(&checkpoint.hash, token, (position, statement.at), report);
        }
        if self.last.map_or(Digest::ZERO, |(_, hash)| hash) != statement.before {
            report.fault(position, "a checkpoint does not follow the one before it: one is missing or was exchanged");
        }
        self.last = Some((position, checkpoint.hash));
        if statement.archive != self.name {
            report.fault(position, "a checkpoint of another archive");
            return Ok(());
        }
        if position > self.head {
            if !self.disagreed {
                report.fault(
                    position,
                    format!("the ledger ends at position {} and was signed as reaching {}: entries at its end are missing", self.head.0, position.0),
                );
            }
            self.disagreed = true;
            return Ok(());
        }
        let there = self.archive.ledger_page(Position(position.0.saturating_sub(1)), 1).await?;
        if there.first().is_some_and(|entry| entry.position == position && entry.hash == statement.head) {
            self.agreed = position;
        } else {
            if !self.disagreed {
                let from = self.agreed.0.saturating_add(1);
                report.fault(position, format!("the ledger is not the one that was signed: it was rewritten somewhere from position {from} to {}", position.0));
            }
            // Every later one disagrees for the same reason; the first names the place.
            self.disagreed = true;
        }
        Ok(())
    }

    /// What is wrong with a checkpoint's own signature.
    fn wrong(&self, checkpoint: &Checkpoint) -> Option<&'static str> {
        let statement = &checkpoint.statement;
        if crypto::sha256(&Checkpoint::octets(statement, &checkpoint.signature)) != checkpoint.hash {
            return Some("a checkpoint is not what its hash says");
        }
        if crypto::sha256(&checkpoint.certificate) != statement.certificate {
            return Some("the certificate of a checkpoint is missing");
        }
        let certificate = match self.judges.anchors.verify(&checkpoint.certificate, statement.at) {
            Ok(certificate) => certificate,
            Err(Distrust::Validity) => return Some("the certificate of a checkpoint was not in force at its time"),
            Err(Distrust::Unreadable | Distrust::Chain) => return Some("the certificate of a checkpoint does not lead to a trust anchor"),
        };
        let usage = certificate.usage();
        if !(usage.digital_signature || usage.non_repudiation) {
            return Some("the certificate of a checkpoint is not for signing");
        }
        if !certificate.serial().is_some_and(|serial| self.judges.serials.iter().any(|own| own == serial)) {
            return Some("a checkpoint was not signed by this system");
        }
        (!certificate.verifies(&crypto::sha256(&statement.octets()), &checkpoint.signature)).then_some("the signature of a checkpoint is wrong")
    }

    /// Whether a token is of this checkpoint, and of its time.
    fn judge_token(&mut self, of: &Digest, token: &[u8], (position, at): (Position, Moment), report: &mut AuditReport) {
        let Some(anchors) = self.judges.stamps else { return };
        let Ok(stamped) = crypto::timestamp::verify(token, of, None, anchors) else {
            return report.fault(position, "the time stamp of a checkpoint does not verify");
        };
        let times = || format!("stamped {}, and says {} of itself", stamped.to_iso(), at.to_iso());
        if stamped.plus(STAMP_SKEW) < at {
            report.fault(position, format!("a checkpoint has a time stamp from before it was made: {}", times()));
        } else if stamped <= at.plus(STAMP_LATE) {
            // A later one proves no more than its own day: it is no fault, since an authority may be out of reach for long, and it does not count.
            self.seen.1 += 1;
        }
    }
}
