//! Reading the logs: for exports, which are themselves logged before they show anything.

use async_trait::async_trait;

use crate::domain::digest::Digest;
use crate::domain::log::{Given, Mark, Sealed, Span, Used};
use crate::domain::outage::Outage;

/// The access log and the disclosure log.
#[async_trait]
pub trait Logs: Send + Sync {
    /// Rows of the access log behind a mark, in order of time, and the mark of the last row looked at; `None` behind the last. A page may hold fewer rows than
    /// were looked at, even none.
    ///
    /// # Errors
    /// An outage, or a row that cannot be read: an audit names it.
    async fn used(&self, span: &Span, after: Mark, limit: u32) -> Result<(Vec<Used>, Option<Mark>), Outage>;

    /// As [`Self::used`], of the disclosure log.
    ///
    /// # Errors
    /// As there.
    async fn given(&self, span: &Span, after: Mark, limit: u32) -> Result<(Vec<Given>, Option<Mark>), Outage>;

    /// The sealed id of a client, from whichever row of the access log bears it: rows that name a client by its hash alone are read with it.
    ///
    /// # Errors
    /// An outage.
    async fn client_sealed(&self, client: &Digest) -> Result<Option<Sealed>, Outage>;
}
