//! # Arkki
//!
//! The gateway between integration engines and an archive that must be trusted for good.
//! Read `ARCHITECTURE.md` for the path a message takes; this is the map of the house, floor by floor.
//! A file imports its own floor's friends and anything below, never above; `tests/it/tidy.rs` holds it to that.
//!
//! * floor 0: [`domain`], values and decisions that need nothing but values
//! * floor 1: octets to values and back, pure: [`crypto`], [`codes`], [`xml`], [`cda`], [`v3`], [`fhir`], [`generate`]
//! * floor 2: the work: [`import`], [`rules`], [`ports`], [`pipeline`], [`telemetry`], [`config`]
//! * floor 3: [`adapters`], one library each
//! * floor 4: [`cli`], and [`app`], the only file that names adapters together

pub mod domain;

pub mod cda;
pub mod codes;
pub mod crypto;
pub mod fhir;
pub mod generate;
pub mod v3;
pub mod xml;

pub mod config;
pub mod import;
pub mod pipeline;
pub mod ports;
pub mod rules;
pub mod telemetry;

pub mod adapters;

pub mod app;
pub mod cli;
pub mod web;
