//! Whether signers' certificates are still in force, as their issuers say.

use std::sync::Arc;

use async_trait::async_trait;

use crate::crypto::certificate::Certificate;
use crate::crypto::revocation::Status;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;

/// Asks issuers about certificates: their lists, their responders.
#[async_trait]
pub trait Revocation: Send + Sync {
    /// What is known of each certificate at `at`, in the order given.
    ///
    /// # Errors
    /// An outage of [`Part::Revocation`](crate::domain::outage::Part::Revocation) when nothing current can be had and the site waits for it.
    async fn statuses(&self, certificates: &[Arc<Certificate>], at: Moment) -> Result<Vec<Status>, Outage>;
}
