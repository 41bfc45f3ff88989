//! Synthetic persons: identity codes with individual numbers 900–999, which are never given to anybody (documents.md §6), and names that nobody takes for real.

use super::random::Random;
use crate::domain::language::Language;

/// A client who does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The whole identity code.
    pub hetu: String,
    /// Given names; the first is the calling name.
    pub given: Vec<&'static str>,
    /// Family name.
    pub family: &'static str,
    /// Birth date as year, month, day.
    pub born: (u16, u8, u8),
    /// Odd individual numbers were given to men.
    pub male: bool,
}

const GIVEN_FI: [&str; 12] = ["Testi", "Anna-Testi", "Koe", "Malli", "Esimerkki", "Kokeilu", "Testiina", "Mallikki", "Näyte", "Testeri", "Harjoitus", "Koetta"];
const FAMILY_FI: [&str; 12] = [
    "Testinen",
    "Testilä",
    "Mallikas",
    "Koehenkilö",
    "Esimerkkilä",
    "Kokeilija",
    "Testaaja",
    "Mallila",
    "Näytteinen",
    "Testikoski",
    "Koeniemi",
    "Harjoitusmäki",
];
const GIVEN_SV: [&str; 8] = ["Test", "Prova", "Exempel", "Testina", "Modell", "Prov-Åsa", "Testfrid", "Övning"];
const FAMILY_SV: [&str; 8] = ["Testström", "Provholm", "Exempelsson", "Modellberg", "Testbäck", "Övningsgård", "Provlund", "Testnäs"];

const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";

impl Person {
    /// A person born between 1930 and 2022, with names of the language.
    #[must_use]
    pub fn random(random: &mut Random, language: Language) -> Self {
        let born = (number(random, 1930, 93), small(random, 12), small(random, 28));
        let individual = number(random, 900, 100);
        let (given, family) = match language {
            Language::Sv => (GIVEN_SV.as_slice(), FAMILY_SV.as_slice()),
            Language::Fi | Language::En => (GIVEN_FI.as_slice(), FAMILY_FI.as_slice()),
        };
        let mut names = vec![random.pick(given)];
        let second = random.pick(given);
        if random.one_in(3) && !names.contains(&second) {
            names.push(second);
        }
        Self::new(born, individual, names, random.pick(family))
    }

    /// The person whose identity code, name and birth date stand in the samples only to be searched for in every log, metric and header.
    #[must_use]
    pub fn canary() -> Self {
        Self::new((1966, 6, 6), 966, vec!["Kanarialintu", "Testi"], "Häkkilintunen")
    }

    /// A person of one's own making. `individual` is brought into 900–999 and the check character computed.
    #[must_use]
    pub fn new(born: (u16, u8, u8), individual: u16, given: Vec<&'static str>, family: &'static str) -> Self {
        let individual = 900 + individual % 100;
        let sign = match born.0 {
            ..1900 => '+',
            1900..2000 => '-',
            2000.. => 'A',
        };
        let date = format!("{:02}{:02}{:02}", born.2, born.1, born.0 % 100);
        let check = check_character(&date, individual);
        Self { hetu: format!("{date}{sign}{individual:03}{check}"), given, family, born, male: individual % 2 == 1 }
    }

    /// The code with another check character: one that cannot fit.
    #[must_use]
    pub fn spoilt_hetu(&self) -> String {
        let mut code = self.hetu.clone();
        let check = code.pop();
        let at = CHECKS.iter().position(|c| Some(char::from(*c)) == check).unwrap_or(0);
        code.push(CHECKS.get((at + 1) % CHECKS.len()).copied().map_or('0', char::from));
        code
    }

    /// The code as the display form shows it: the birth date and five stars (documents.md §1.2).
    #[must_use]
    pub fn masked_hetu(&self) -> String {
        format!("{}*****", self.hetu.get(..6).unwrap_or(""))
    }

    /// Given names with spaces between.
    #[must_use]
    pub fn given_names(&self) -> String {
        self.given.join(" ")
    }

    /// The birth date with something between year, month and day.
    #[must_use]
    pub fn birth_date(&self, between: &str) -> String {
        format!("{:04}{between}{:02}{between}{:02}", self.born.0, self.born.1, self.born.2)
    }
}

fn check_character(date: &str, individual: u16) -> char {
    let remainder = date.bytes().fold(0_u64, |n, d| n * 10 + u64::from(d.saturating_sub(b'0'))) * 1000 + u64::from(individual);
    usize::try_from(remainder % 31).ok().and_then(|at| CHECKS.get(at)).copied().map_or('0', char::from)
}

fn number(random: &mut Random, from: u16, count: u16) -> u16 {
    from + u16::try_from(random.below(u64::from(count))).unwrap_or(0)
}

fn small(random: &mut Random, count: u8) -> u8 {
    1 + u8::try_from(random.below(u64::from(count))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::Hetu;

    #[test]
    fn ten_thousand_persons_are_valid_and_artificial() {
        let mut random = Random::new(1);
        for n in 0..10_000_u32 {
            let language = if n % 2 == 0 { Language::Fi } else { Language::Sv };
            let person = Person::random(&mut random, language);
            let hetu = Hetu::parse(&person.hetu).ok();
            assert!(hetu.is_some_and(|h| h.is_test), "a person outside the test range");
            assert_eq!(hetu.map(|h| (h.born.year, h.born.month, h.born.day)), Some(person.born));
            assert!(Hetu::parse(&person.spoilt_hetu()).is_err());
        }
        assert!(Hetu::parse(&Person::canary().hetu).is_ok_and(|h| h.is_test));
    }

    #[test]
    fn agrees_with_the_known_test_persons() {
        assert_eq!(Person::new((1985, 8, 8), 902, vec!["Testi"], "Testinen").hetu, "080885-902M");
        assert_eq!(Person::new((1960, 2, 28), 904, vec!["Testi"], "Testinen").hetu, "280260-904A");
        assert_eq!(Person::new((1960, 2, 28), 904, vec!["Testi"], "Testinen").masked_hetu(), "280260*****");
    }
}
