//! The FHIR server of `[sink]`: its files read, its settings tried.

use std::sync::Arc;
use std::time::Duration;

use super::StartFault;
use crate::adapters::fhir_sink::{self, SinkSettings};
use crate::config::checked::{Config, read_octets};
use crate::domain::time::Moment;
use crate::ports::sink::Sink;

/// A FHIR server, and how long it may take to answer.
pub type SinkWithin = (Arc<dyn Sink>, Duration);

/// The FHIR server that the configuration names, and how long it may take to answer; asks it nothing.
///
/// # Errors
/// A file that cannot be read or used.
pub fn sink(config: &Config) -> Result<Option<SinkWithin>, StartFault> {
    let Some(place) = &config.sink else { return Ok(None) };
    let client = match &place.client {
        Some((certificate, key)) => Some((read_octets(certificate)?, read_octets(key)?)),
        None => None,
    };
    let authorities = place.ca_file.as_deref().map(read_octets).transpose()?.unwrap_or_default();
    let settings = SinkSettings { base: place.url.clone(), authorities, client, token_file: place.token_file.clone(), timeout: place.timeout };
    fhir_sink::open(settings).map(|sink| Some((sink, place.timeout))).map_err(StartFault::Config)
}

/// Since when every notice goes to the FHIR server; `None` without one.
#[must_use]
pub fn sink_from(config: &Config) -> Option<Moment> {
    config.sink.as_ref().map(|place| place.from.unwrap_or(Moment::from_micros(i64::MIN)))
}
