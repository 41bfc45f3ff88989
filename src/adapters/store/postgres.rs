//! PostgreSQL: how its connections are set. Everything asked of it is a look-up by key, so the planner is held to indexes: a plan kept from
//! the day a table was empty would read all of it later.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::Store;
use super::lines::{Address, STATEMENT};
use crate::domain::outage::{Outage, Part};
use crate::ports::clock::Entropy;

/// Opens the archive at a `postgres://` URL, bringing its tables up to date first.
///
/// # Errors
/// When the URL is unreadable, the server out of reach, or its tables of another version than ours.
pub async fn connect(url: &str, instance: impl Into<String>, entropy: Arc<dyn Entropy>) -> Result<Store, Outage> {
    Store::start(address(url)?, instance.into(), entropy).await
}

pub(super) fn address(url: &str) -> Result<Address, Outage> {
    let options = PgConnectOptions::from_str(url).map_err(|_| Outage::new(Part::Archive, "the database URL is no PostgreSQL URL"))?;
    let limit = |length: std::time::Duration| length.as_millis().to_string();
    Ok(Address::Postgres(Box::new(
        options
            .application_name("arkki")
            .statement_cache_capacity(100)
            .options([
                ("synchronous_commit", "on".to_owned()),
                ("statement_timeout", limit(STATEMENT)),
                ("idle_in_transaction_session_timeout", limit(2 * STATEMENT)),
                ("plan_cache_mode", "force_generic_plan".to_owned()),
                ("enable_seqscan", "off".to_owned()),
                ("enable_hashjoin", "off".to_owned()),
                ("enable_mergejoin", "off".to_owned()),
                ("jit", "off".to_owned()),
            ])
            // Statements bear values; none may reach a log.
            .disable_statement_logging(),
    )))
}
