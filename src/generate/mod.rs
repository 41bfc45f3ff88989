//! Floor 1: makes realistic documents and messages of synthetic persons, good or with one chosen fault: for samples, tests, demo and benches.
//! Pure: a seed in, octets out; the same seed gives the same octets for good.

pub mod counties;
pub mod disclosure;
pub mod document;
pub mod event;
pub mod family;
pub mod fault;
pub mod frame;
pub mod hostile;
pub mod keys;
pub mod order;
pub mod person;
pub mod query;
pub mod random;
pub mod samples;
pub mod scenario;
pub mod signature;

mod body;
mod json;
pub mod pdf;
pub mod terms;
pub mod writer;
