//! What was known of a signer's certificate when a document was archived: judged long after, from what checkpoints kept then, and never from what the site has now. So a signature stays
//! evidence when its certificate, the list that spoke of it and the responder are long gone.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::crypto::certificate::Certificate;
use crate::crypto::revocation::{self, RevocationLists, Status};
use crate::crypto::trust::TrustAnchors;
use crate::domain::checkpoint::{Checkpoint, MaterialKind};
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::ports::checkpoints::Checkpoints;

/// How many kept certificates are read: a site's authorities and its own keys, of decades.
const CERTIFICATES: u32 = 4096;
/// How many OCSP answers about one certificate are tried, newest first: the first that was current then is enough.
const ANSWERS: u32 = 4;
/// How many checkpoints, and lists, are remembered at once; an audit goes through both in order.
const REMEMBERED: usize = 8;

/// What the archive kept to judge signers by.
pub struct Past<'a> {
    checkpoints: &'a dyn Checkpoints,
    anchors: TrustAnchors,
    grace: Duration,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    spans: VecDeque<Arc<Span>>,
    lists: HashMap<Digest, Arc<Option<RevocationLists>>>,
}

/// The stretch of the ledger that ends with one checkpoint, and what was kept with it.
pub struct Span {
    from: Position,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// How many certificates, lists and answers its set has.
    pub pieces: [usize; 3],
    /// Its lists, and those of the checkpoint before it: a list may have been replaced between an entry and its checkpoint.
    lists: [Vec<Arc<Option<RevocationLists>>>; 2],
}

/// Which material said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An OCSP answer, and when it was given.
    Answer(Moment),
    /// A revocation list: whose, from when, until when.
    List {
        /// Its issuer's common name.
        issuer: String,
        /// From when.
        from: Moment,
        /// When the next was to come.
        next: Moment,
    },
    /// Nothing that was kept speaks of it, though lists or answers were in use.
    Nothing,
    /// Neither lists nor a responder were in use.
    NotAsked,
}

impl<'a> Past<'a> {
    /// What this archive kept. Kept authorities are taken as links of a chain; where a chain may end the site's own anchors say. `grace` is the site's for lists past their time.
    ///
    /// # Errors
    /// An outage.
    pub async fn open(checkpoints: &'a dyn Checkpoints, anchors: &TrustAnchors, grace: Duration) -> Result<Self, Outage> {
        let kept: Vec<Vec<u8>> = checkpoints.kept_certificates(CERTIFICATES).await?.into_iter().map(|piece| piece.octets).collect();
        Ok(Self { checkpoints, anchors: anchors.knowing(&kept), grace, remembered: Mutex::default() })
    }

    /// The site's anchors with every authority that was kept.
    #[must_use]
    pub const fn anchors(&self) -> &TrustAnchors {
        &self.anchors
    }

    /// What was known of a certificate when the entry at this position was made.
    ///
    /// # Errors
    /// An outage.
    pub async fn known(&self, certificate: &Certificate, position: Position, at: Moment) -> Result<(Status, Source), Outage> {
        let Some(issuer) = self.anchors.issuer_of(certificate) else { return Ok((Status::Unknown, Source::Nothing)) };
        let answers = self.checkpoints.answers(certificate.fingerprint(), at, ANSWERS).await?;
        for answer in &answers {
            if let (Ok((status, _)), Some((_, given))) = (revocation::ocsp_answer(&answer.octets, certificate, issuer, &self.anchors, at), answer.about) {
                return Ok((status, Source::Answer(given)));
            }
        }
        let Some(span) = self.span(position).await? else {
            let source = if answers.is_empty() { Source::NotAsked } else { Source::Nothing };
            return Ok((Status::NotAsked, source));
        };
        let said = span.lists.each_ref().map(|set| newest(set, certificate, issuer, at, self.grace));
        if let Some((status, (from, next))) = believed(said) {
            return Ok((status, Source::List { issuer: issuer.subject().unwrap_or("–").to_owned(), from, next }));
        }
        let in_use = span.lists.iter().any(|set| !set.is_empty()) || !answers.is_empty();
        Ok(if in_use { (Status::Unknown, Source::Nothing) } else { (Status::NotAsked, Source::NotAsked) })
    }

    /// The first checkpoint at or behind a position, with what was kept then; `None` for entries that no checkpoint covers yet.
    ///
    /// # Errors
    /// An outage.
    pub async fn span(&self, position: Position) -> Result<Option<Arc<Span>>, Outage> {
        let mut remembered = self.remembered.lock().await;
        if let Some(span) = remembered.spans.iter().find(|span| span.from <= position && position <= span.checkpoint.statement.position) {
            return Ok(Some(Arc::clone(span)));
        }
        let after = Position(position.0.saturating_sub(1));
        let Some(checkpoint) = self.checkpoints.checkpoints(after, 1).await?.into_iter().next() else { return Ok(None) };
        let mut lists = [Vec::new(), Vec::new()];
        let [own, before] = &mut lists;
        let pieces = self.read(&checkpoint, &mut remembered, own).await?;
        if let Some(earlier) = self.checkpoints.checkpoint_below(position).await?.filter(|earlier| earlier.statement.material != checkpoint.statement.material)
        {
            self.read(&earlier, &mut remembered, before).await?;
        }
        let span = Arc::new(Span { from: position, checkpoint, pieces, lists });
        if remembered.spans.len() >= REMEMBERED {
            remembered.spans.pop_front();
        }
        remembered.spans.push_back(Arc::clone(&span));
        Ok(Some(span))
    }

    /// Adds the lists of a checkpoint's set, and counts its members by kind.
    async fn read(&self, checkpoint: &Checkpoint, remembered: &mut Remembered, lists: &mut Vec<Arc<Option<RevocationLists>>>) -> Result<[usize; 3], Outage> {
        let members = self.checkpoints.material_set(checkpoint.statement.material).await?;
        for (_, sha) in members.iter().filter(|(kind, _)| *kind == MaterialKind::RevocationList) {
            if !remembered.lists.contains_key(sha) {
                let piece = self.checkpoints.piece(*sha).await?;
                // A list of an authority that the site trusts no more says nothing; one is read by itself, so that it does not silence the others.
                let read = piece.and_then(|piece| RevocationLists::read(&[piece.octets], &self.anchors).ok());
                if remembered.lists.len() >= REMEMBERED {
                    remembered.lists.clear();
                }
                remembered.lists.insert(*sha, Arc::new(read));
            }
            lists.extend(remembered.lists.get(sha).cloned());
        }
        let of = |kind: MaterialKind| members.iter().filter(|(k, _)| *k == kind).count();
        Ok([of(MaterialKind::Certificate), of(MaterialKind::RevocationList), of(MaterialKind::OcspAnswer)])
    }
}

/// What one list said of a certificate, and the list's span.
type Said = (Status, (Moment, Moment));

/// What the newest list of a set says that was current then.
fn newest(set: &[Arc<Option<RevocationLists>>], certificate: &Certificate, issuer: &Certificate, at: Moment, grace: Duration) -> Option<Said> {
    let said = set.iter().filter_map(|lists| {
        let lists = lists.as_ref().as_ref()?;
        Some((lists.status(certificate, issuer, at, grace), lists.span_of(issuer)?))
    });
    said.filter(|(status, _)| *status != Status::Unknown).max_by_key(|(_, span)| *span)
}

/// Nobody knows any more which of two sets was in force at an entry between their checkpoints, and issuers date revocations back: what either says is good may well have been
/// accepted by that one, and only what both that speak condemn is condemned.
fn believed(said: [Option<Said>; 2]) -> Option<Said> {
    said.iter().flatten().find(|(status, _)| *status == Status::Good).or_else(|| said.iter().flatten().next()).copied()
}
