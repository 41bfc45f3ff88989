//! Floor 2: what the work needs from the world. Every error is an [`Outage`](crate::domain::outage::Outage): a refusal never comes from a port.

pub mod archive;
pub mod broker;
pub mod checkpoints;
pub mod clock;
pub mod logs;
pub mod messages;
pub mod notices;
pub mod refusals;
pub mod revocation;
pub mod signer;
pub mod sink;
pub mod spans;
