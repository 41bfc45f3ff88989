//! The FHIR server that keeps notices: one transaction bundle in, whatever it says out.

use async_trait::async_trait;

use crate::domain::outage::Outage;

/// What the server said, unjudged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The status.
    pub status: u16,
    /// The body, bounded.
    pub body: Vec<u8>,
}

/// Where notices are handed over.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Posts a bundle; `id` is the same for every attempt with the same bundle.
    ///
    /// # Errors
    /// No answer: it is then unknown whether the bundle was taken.
    async fn post(&self, id: &str, bundle: &[u8]) -> Result<Said, Outage>;
}
