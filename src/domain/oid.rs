//! Object identifiers (documents.md §6): the names of documents, organisations and code systems.

use std::fmt;

/// A checked OID: dotted decimal arcs, no leading zeros, first arc 0–2, second at most 39 under 0 and 1, at most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(String);

impl Oid {
    /// The longest OID taken, in characters (documents.md §6: the limit DICOM uses; the national guide's number was not seen).
    pub const LONGEST: usize = 64;

    /// Checks and keeps an OID.
    ///
    /// # Errors
    /// Says which rule the text breaks; never repeats the text.
    pub fn parse(text: &str) -> Result<Self, OidFault> {
        if text.is_empty() {
            return Err(OidFault::Empty);
        }
        if text.len() > Self::LONGEST {
            return Err(OidFault::TooLong);
        }
        let mut arcs = 0_usize;
        let mut first = "";
        for arc in text.split('.') {
            if arc.is_empty() || !arc.bytes().all(|b| b.is_ascii_digit()) {
                return Err(OidFault::Syntax);
            }
            if arc.len() > 1 && arc.starts_with('0') {
                return Err(OidFault::LeadingZero);
            }
            match arcs {
                0 if !matches!(arc, "0" | "1" | "2") => return Err(OidFault::FirstArc),
                0 => first = arc,
                1 if first != "2" && (arc.len() > 2 || arc.parse::<u8>().is_ok_and(|n| n > 39)) => return Err(OidFault::SecondArc),
                _ => {}
            }
            arcs += 1;
        }
        if arcs < 2 {
            return Err(OidFault::Syntax);
        }
        Ok(Self(text.to_owned()))
    }

    /// The dotted text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `base` itself or lies under it.
    #[must_use]
    pub fn is_under(&self, base: &str) -> bool {
        self.0.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the last digit of a business id (Y-tunnus, FO-nummer) fits the others: weights 7, 9, 10, 5, 8, 4, 2 and the remainder by 11 (documents.md §6).
/// As OIDs write it: digits alone, leading zeros left out.
#[must_use]
pub fn business_id_fits(digits: &str) -> bool {
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let mut padded = [0_u32; 8];
    for (slot, digit) in padded.iter_mut().rev().zip(digits.bytes().rev()) {
        *slot = u32::from(digit - b'0');
    }
    let [number @ .., check] = padded;
    match number.iter().zip([7, 9, 10, 5, 8, 4, 2]).map(|(digit, weight)| digit * weight).sum::<u32>() % 11 {
        0 => check == 0,
        // No business id has this remainder.
        1 => false,
        rest => check == 11 - rest,
    }
}

/// Which rule of OID syntax a text breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OidFault {
    /// No text at all.
    Empty,
    /// More than [`Oid::LONGEST`] characters.
    TooLong,
    /// Something other than digits and single dots, or fewer than two arcs.
    Syntax,
    /// An arc begins with a zero it does not need.
    LeadingZero,
    /// The first arc is not 0, 1 or 2.
    FirstArc,
    /// The second arc is above 39 under 0 or 1.
    SecondArc,
}

impl OidFault {
    /// The key of the word that says it (`codes/words.toml`).
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Empty => "oid-empty",
            Self::TooLong => "oid-long",
            Self::Syntax => "oid-syntax",
            Self::LeadingZero => "oid-zero",
            Self::FirstArc => "oid-first",
            Self::SecondArc => "oid-second",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_standard_takes() {
        for good in ["1.2.246.10.99999992.95.2026.1.1", "2.999", "0.39", "2.16.840.1.113883.1.3"] {
            assert!(Oid::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn names_the_broken_rule() {
        for (bad, fault) in [
            ("", OidFault::Empty),
            ("1", OidFault::Syntax),
            ("1..2", OidFault::Syntax),
            ("1.2.", OidFault::Syntax),
            ("1.2.x", OidFault::Syntax),
            ("1.02", OidFault::LeadingZero),
            ("3.1", OidFault::FirstArc),
            ("1.40", OidFault::SecondArc),
            ("1.999999999999", OidFault::SecondArc),
        ] {
            assert_eq!(Oid::parse(bad), Err(fault), "{bad}");
        }
        assert_eq!(Oid::parse(&format!("1.2{}", ".3".repeat(40))), Err(OidFault::TooLong));
    }

    #[test]
    fn business_ids() {
        // The known ones of documents.md §6, as OIDs write them.
        for good in ["32213561", "2012566", "27489432", "1246109", "2462460", "2048198", "2459296", "99999992", "99999984"] {
            assert!(business_id_fits(good), "{good}");
        }
        for bad in ["99999900", "99999902", "2048199", "12048198", "", "322135610", "2048198x"] {
            assert!(!business_id_fits(bad), "{bad}");
        }
    }

    #[test]
    fn under_means_arcs_not_characters() {
        let oid = Oid::parse("1.2.246.10").unwrap_or_else(|_| unreachable!());
        assert!(oid.is_under("1.2.246"));
        assert!(oid.is_under("1.2.246.10"));
        assert!(!oid.is_under("1.2.24"));
    }
}
