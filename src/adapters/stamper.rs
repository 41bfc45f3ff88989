//! A time-stamping authority over HTTP (RFC 3161 §3.4): asked, and believed only as far as its token verifies.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::post::{self, Address};
use crate::crypto::timestamp;
use crate::crypto::trust::TrustAnchors;
use crate::domain::digest::Digest;
use crate::domain::outage::{Outage, Part};
use crate::ports::checkpoints::Stamper;
use crate::ports::clock::Entropy;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// An authority and what its tokens must lead to.
pub struct HttpStamper {
    authority: Address,
    anchors: TrustAnchors,
    entropy: Arc<dyn Entropy>,
}

impl HttpStamper {
    /// Asks this authority.
    #[must_use]
    pub const fn new(authority: Address, anchors: TrustAnchors, entropy: Arc<dyn Entropy>) -> Self {
        Self { authority, anchors, entropy }
    }

    async fn ask(&self, digest: &Digest) -> Result<Vec<u8>, String> {
        let nonce = self.entropy.sixteen();
        let question = timestamp::question(digest, nonce);
        let answer = post::post(&self.authority, "application/timestamp-query", &question, timestamp::ANSWER_OCTETS, ANSWER).await?;
        let judged = timestamp::token_of(&answer).and_then(|token| timestamp::verify(&token, digest, Some(nonce), &self.anchors).map(|_| token));
        judged.map_err(|fault| format!("{}: {fault}", self.authority))
    }
}

#[async_trait]
impl Stamper for HttpStamper {
    async fn stamp(&self, digest: &Digest) -> Result<Vec<u8>, Outage> {
        self.ask(digest).await.map_err(|why| Outage::new(Part::Machine, why))
    }
}
