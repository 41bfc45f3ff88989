//! Disclosures outside the archive: the event as it comes, and the FHIR R4 bundle of its notice (LILM, luovutusilmoitus, anmälan om utlämnande; messaging.md
//! §4.3–4.5). Pure: what is signed is given as octets, and the signature comes back as octets.

pub mod bundle;
pub mod event;
pub mod json;
pub mod kept;
mod resources;
pub mod signature;
