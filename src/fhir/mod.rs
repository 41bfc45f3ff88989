//! Floor 1: FHIR R4, as far as notices of disclosure (LILM) need it.

pub mod answer;
