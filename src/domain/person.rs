//! The Finnish personal identity code (henkilötunnus, personbeteckning; documents.md §6). Checked, never kept and never shown.

use super::document::Date;
use super::environment::Environment;
use super::time::real_date;

/// Root OID of identity codes.
pub const HETU_ROOT: &str = "1.2.246.21";

/// How an identity code is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HetuFault {
    /// Not `ddmmyyCNNNX`.
    Form,
    /// The century sign is none of those in force since 1 January 2023.
    Century,
    /// The calendar has no such day.
    Day,
    /// The individual number is below 002.
    Individual,
    /// The check character does not fit.
    Check,
}

/// What a correct identity code tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hetu {
    /// The birth date it names.
    pub born: Date,
    /// Whether the individual number is 900–999: an artificial person for tests.
    pub is_test: bool,
}

impl Hetu {
    /// Checks form, century sign, day, individual number and check character.
    ///
    /// # Errors
    /// The first rule it breaks; never the code itself.
    pub fn parse(text: &str) -> Result<Self, HetuFault> {
        let b: &[u8; 11] = text.as_bytes().try_into().map_err(|_| HetuFault::Form)?;
        let number = |from: usize, to: usize| {
            b.get(from..to)
                .filter(|d| d.iter().all(u8::is_ascii_digit))
                .map(|d| d.iter().fold(0_i64, |n, c| n * 10 + i64::from(c - b'0')))
                .ok_or(HetuFault::Form)
        };
        let (day, month, year, individual) = (number(0, 2)?, number(2, 4)?, number(4, 6)?, number(7, 10)?);
        let century = match b[6] {
            b'+' => 1800,
            b'-' | b'U'..=b'Y' => 1900,
            b'A'..=b'F' => 2000,
            _ => return Err(HetuFault::Century),
        };
        let born = real_date(century + year, month, day).ok_or(HetuFault::Day)?;
        if individual < 2 {
            return Err(HetuFault::Individual);
        }
        let check = (number(0, 6)? * 1000 + individual) % 31;
        let expected = usize::try_from(check).ok().and_then(|i| b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(i));
        if expected != Some(&b[10]) {
            return Err(HetuFault::Check);
        }
        Ok(Self { born, is_test: individual >= 900 })
    }

    /// Whether this person belongs to the other environment: the key of the word that says how (E308).
    #[must_use]
    pub const fn misplaced_in(&self, environment: Environment) -> Option<&'static str> {
        match (environment, self.is_test) {
            (Environment::Production, true) => Some("test-in-production"),
            (Environment::Test, false) => Some("real-in-test"),
            (Environment::Production, false) | (Environment::Test, true) => None,
        }
    }
}

/// How many characters an identity code has that is written without its century sign.
const SIGNLESS: usize = 10;

/// Whether an identity code stands anywhere in words that are kept in clear, such as a reason: then they are not taken. One that is written without its century
/// sign is known where it stands by itself: within longer numbers, as OIDs are, its check character would fit by chance.
#[must_use]
pub fn names_a_person(words: &str) -> bool {
    let whole = words.char_indices().filter_map(|(at, _)| words.get(at..at + SIGNLESS + 1)).any(|part| Hetu::parse(&part.to_ascii_uppercase()).is_ok());
    whole || words.split(|c: char| !c.is_alphanumeric() && c != '.').map(|word| word.trim_end_matches('.')).any(is_signless)
}

fn is_signless(word: &str) -> bool {
    let Some((born, rest)) = word.split_at_checked(6).filter(|(_, rest)| rest.len() == SIGNLESS - 6) else { return false };
    ['-', 'A'].into_iter().any(|sign| Hetu::parse(&format!("{born}{sign}{rest}").to_ascii_uppercase()).is_ok())
}

impl HetuFault {
    /// The key of the word that says it (`codes/words.toml`).
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Form => "hetu-form",
            Self::Century => "hetu-century",
            Self::Day => "hetu-day",
            Self::Individual => "hetu-individual",
            Self::Check => "hetu-check",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_wherever_it_stands_in_a_sentence() {
        for words in ["080885-902M", "she is 080885-902m, they say", "hetu:080885-902M.", "ä080885-902Mä", "1080885-902M", "\"080885-902M\""]
            .into_iter()
            .chain(["010190901R", "of 010190901r.", "(010190901R)", "hetu:080885902M"])
        {
            assert!(names_a_person(words), "{words}");
        }
        for words in [
            "",
            "the county asked",
            "080885-902N",
            "080885-902",
            "1.2.246.10.99999992",
            "åäö åäö åäö åäö",
            "010190901S",
            "1010190901R",
            "1.2.246.010190901R",
            "310290901R",
            "ä010190901R",
        ] {
            assert!(!names_a_person(words), "{words}");
        }
    }

    #[test]
    fn takes_synthetic_persons_and_names_each_fault() {
        let born = Hetu::parse("080885-902M").map(|h| (h.born.year, h.born.month, h.born.day, h.is_test));
        assert_eq!(born, Ok((1985, 8, 8, true)));
        assert!(Hetu::parse("280260-904A").is_ok());
        assert!(Hetu::parse("010190-999W").is_ok() && Hetu::parse("010190Y999W").is_ok(), "the new century signs are persons of their own");
        for (bad, fault) in [
            ("080885-902N", HetuFault::Check),
            ("080885*902M", HetuFault::Century),
            ("310285-902M", HetuFault::Day),
            ("080885-90M", HetuFault::Form),
            ("o80885-902M", HetuFault::Form),
            ("080885-001M", HetuFault::Individual),
            ("åäö", HetuFault::Form),
        ] {
            assert_eq!(Hetu::parse(bad), Err(fault), "{bad}");
        }
    }
}
