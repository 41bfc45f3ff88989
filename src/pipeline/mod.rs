//! Floor 2: the one road in, the one road out, and the audit.

pub mod answers;
pub mod audit;
pub mod checkpoint;
pub mod courier;
pub mod desk;
pub mod disclosed;
pub mod door;
pub mod effect;
pub mod evidence;
pub mod examine;
pub mod gate;
pub mod given;
pub mod holds;
pub mod intake;
pub mod lanes;
pub mod notice;
pub mod pool;
pub mod query;
pub mod reckoner;
pub mod reconcile;
pub mod relay;
pub mod signers;
pub mod trace;
pub mod waits;
