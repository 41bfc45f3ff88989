//! The closed table of refusals and warnings, made from `codes/refusals.toml` when Arkki is built: numbers are stable and never reused.
//! The sentences in fi, sv and en stand in the same file and are read by `codes::catalogue`.

use super::ack::AckType;
use super::finding::Severity;

include!(concat!(env!("OUT_DIR"), "/code.rs"));
