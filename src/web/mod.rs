//! Floor 4: what answers over HTTP.

pub mod probe;
