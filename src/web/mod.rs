//! Floor 4: what answers over HTTP.

mod bounded;
pub mod console;
mod fields;
pub mod probe;
pub mod validate;
