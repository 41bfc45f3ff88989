//! Floor 1: the CDA R2 document of the social-welfare archive: opening it, its header, its body, its templates, its signatures.

pub mod beside;
pub mod body;
pub mod content;
pub mod explain;
pub mod header;
mod layout;
pub mod notice;
pub mod open;
pub mod plain;
pub mod seal;
pub mod signers;
pub mod structured;
pub mod template;
pub mod verify;
