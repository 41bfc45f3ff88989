//! Floor 4: what answers over HTTP.

pub mod api;
mod bounded;
pub mod console;
mod fields;
pub mod probe;
mod secure;
pub mod validate;
