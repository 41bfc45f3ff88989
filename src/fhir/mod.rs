//! Disclosures outside the archive: the event as it comes, the FHIR R4 bundle of its notice (LILM, luovutusilmoitus, anmälan om utlämnande; messaging.md
//! §4.3–4.5), and what a FHIR server answers to it. Pure: what is signed is given as octets, and the signature comes back as octets.

pub mod answer;
pub mod bundle;
pub mod draft;
pub mod event;
pub mod json;
pub mod kept;
mod resources;
pub mod signature;
