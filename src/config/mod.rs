//! Floor 2: raw TOML to checked configuration, once. Inside the house nobody asks a string what it means.

pub mod api;
pub mod checked;
pub mod desk;
pub mod folder;
mod keys;
pub mod lilm;
pub mod raw;
pub mod registrations;
pub mod schema_tree;
pub mod sink;
