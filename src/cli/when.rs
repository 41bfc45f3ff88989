//! Times as people write them after `--from` and `--until`: a day in Finnish time, or a moment with its zone.

use super::report::Fault;
use crate::domain::time::{Moment, end_of_day, iso_date, start_of_day};

/// From this day or moment on.
///
/// # Errors
/// How a time is written.
pub(super) fn from(text: &str) -> Result<Moment, String> {
    iso_date(text).map(start_of_day).or_else(|| Moment::parse_iso(text)).ok_or_else(unknown)
}

/// Up to the end of this day, or before this moment.
///
/// # Errors
/// How a time is written.
pub(super) fn until(text: &str) -> Result<Moment, String> {
    iso_date(text).map(|day| Moment::from_micros(end_of_day(day).micros().saturating_add(1))).or_else(|| Moment::parse_iso(text)).ok_or_else(unknown)
}

/// Whether a span has room: one that ends before it begins is a slip, and nothing would be found in it.
///
/// # Errors
/// A wish, when it has none.
pub(super) fn in_order(from: Option<Moment>, until: Option<Moment>, end: &str) -> Result<(), Fault> {
    match (from, until) {
        (Some(from), Some(until)) if until <= from => Err(Fault::Wish(format!("{end} lies before --from: nothing lies between them"))),
        _ => Ok(()),
    }
}

fn unknown() -> String {
    "neither a day (2026-11-22) nor a moment with its zone (2026-11-22T10:00:00Z)".to_owned()
}
