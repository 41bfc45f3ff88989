//! Floor 2: one function per event; each writes its one log line and moves its metrics. No function here takes octets, names
//! or identity codes: what cannot be passed in cannot leak out. A message is called by the first digits of its hash.

pub mod alarms;
pub mod events;
pub mod exposition;
mod gauges;
pub mod setup;
pub mod snapshot;

pub use events::*;
pub use gauges::*;
