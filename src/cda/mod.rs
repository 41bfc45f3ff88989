//! Floor 1: the CDA R2 document of the social-welfare archive: opening it, its header, its body, its templates, its signatures.

pub mod body;
pub mod content;
pub mod header;
pub mod open;
pub mod seal;
pub mod structured;
pub mod template;
pub mod verify;
