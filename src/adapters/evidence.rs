//! What signatures of these days are verified with later: the site's authorities, the revocation lists in force as the site's files have them, and what the responder answered.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::revocation::Revocations;
use crate::crypto;
use crate::crypto::revocation::LIST_OCTETS;
use crate::crypto::trust::TrustAnchors;
use crate::domain::checkpoint::{Material, MaterialKind};
use crate::domain::time::Moment;
use crate::pipeline::checkpoint::make::Evidence;
use crate::ports::signer::{Keys, Signer};

/// A revocation list's file as it was last read, by its time and size.
type Read = (PathBuf, (SystemTime, u64), Material);

/// A site's keys, authorities and lists.
pub struct SiteEvidence {
    keys: Arc<dyn Keys>,
    authorities: Vec<Material>,
    lists: Vec<PathBuf>,
    read: Mutex<Vec<Read>>,
    responder: Arc<Revocations>,
}

impl SiteEvidence {
    /// The given keys and authorities, the lists in these files, and the answers that are got by asking.
    #[must_use]
    pub fn new(keys: Arc<dyn Keys>, anchors: &TrustAnchors, lists: Vec<PathBuf>, responder: Arc<Revocations>) -> Self {
        let authorities = anchors
            .authorities()
            .map(|authority| Material { kind: MaterialKind::Certificate, sha: authority.fingerprint(), octets: authority.der().to_vec(), about: None })
            .collect();
        Self { keys, authorities, lists, read: Mutex::default(), responder }
    }
}

impl Evidence for SiteEvidence {
    fn signer(&self, at: Moment) -> Arc<dyn Signer> {
        self.keys.at(at)
    }

    fn material(&self) -> Vec<Material> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that is away for a moment while it is exchanged keeps what it said before.
        for file in &self.lists {
            let Some(stamp) = std::fs::metadata(file).ok().and_then(|m| Some((m.modified().ok()?, m.len()))) else { continue };
            let known = read.iter().position(|(path, ..)| path == file);
            let is_new = known.and_then(|at| read.get(at)).is_none_or(|(_, before, _)| *before != stamp);
            if is_new
                && stamp.1 <= LIST_OCTETS as u64
                && let Ok(octets) = std::fs::read(file)
            {
                if let Some(at) = known {
                    read.remove(at);
                }
                read.push((file.clone(), stamp, Material { kind: MaterialKind::RevocationList, sha: crypto::sha256(&octets), octets, about: None }));
            }
        }
        self.authorities.iter().chain(read.iter().map(|(_, _, material)| material)).cloned().chain(self.responder.unkept()).collect()
    }

    fn kept(&self, material: &[Material]) {
        self.responder.kept(material);
    }
}
