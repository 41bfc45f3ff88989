//! Floor 4: what answers over HTTP.

mod bounded;
mod fields;
pub mod probe;
pub mod validate;
