//! What a query asks. Its interactions are closed (`codes/interactions.toml`) until it can be answered.

/// A query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {}
