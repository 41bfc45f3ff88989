//! Which refusals a page or a form is about: a group, one message, or what was searched for. Read from an address or from hidden fields alike; what cannot be read
//! means nothing, and never everything.

use super::super::super::form::encoded;
use super::super::super::html::Html;
use crate::domain::refused::{FINDING, NAMED, RefusalId, RefusedCriteria, RefusedState};
use crate::domain::time::{Moment, end_of_day, iso_date, start_of_day};

/// The fields, in the order of an address.
const FIELDS: [&str; 7] = ["id", "code", "finding", "sender", "state", "from", "to"];
/// The longest value, in octets: a place, or a sender's name.
const VALUE: usize = 200;

/// The fields that were given, and what they mean.
#[derive(Default)]
pub(super) struct Which {
    given: Vec<(&'static str, String)>,
    pub criteria: RefusedCriteria,
}

impl Which {
    /// Reads the fields; empty ones count for nothing. `None` where one has a value that it cannot have.
    pub fn read(pairs: &[(String, String)]) -> Option<Self> {
        let mut given = Vec::new();
        let mut criteria = RefusedCriteria::default();
        for (name, value) in pairs {
            let Some(name) = FIELDS.into_iter().find(|field| field == name) else { continue };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            if value.len() > VALUE || value.chars().any(char::is_control) || (name != "id" && given.iter().any(|(before, _)| *before == name)) {
                return None;
            }
            let text = || Some(value.to_owned());
            match name {
                "id" if criteria.ids.len() < NAMED => criteria.ids.push(RefusalId(value.parse().ok().filter(|id| i64::try_from(*id).is_ok())?)),
                "code" => criteria.code = Some(value.to_ascii_uppercase()),
                "finding" if value.len() <= FINDING => criteria.finding = text(),
                "sender" => criteria.sender = text(),
                "state" => criteria.state = Some(RefusedState::parse(value)?),
                "from" => criteria.from = Some(start_of_day(iso_date(value)?)),
                "to" => criteria.until = Some(Moment::from_micros(end_of_day(iso_date(value)?).micros() + 1)),
                _ => return None,
            }
            given.push((name, value.to_owned()));
        }
        Some(Self { given, criteria })
    }

    /// One refusal.
    pub fn one(id: RefusalId) -> Self {
        Self { given: vec![("id", id.0.to_string())], criteria: RefusedCriteria { ids: vec![id], ..RefusedCriteria::default() } }
    }

    /// Whether it names anything: who names nothing does not mean everything.
    pub fn is_meant(&self) -> bool {
        self.criteria != RefusedCriteria::default()
    }

    /// A field as it was given.
    pub fn get(&self, field: &str) -> &str {
        self.given.iter().find(|(name, _)| *name == field).map_or("", |(_, value)| value)
    }

    /// The same but for some fields; an empty value takes one away.
    pub fn with(&self, other: &[(&'static str, &str)]) -> String {
        let kept = self.given.iter().filter(|(name, _)| !other.iter().any(|(changed, _)| changed == name)).map(|(name, value)| (*name, value.as_str()));
        let all = kept.chain(other.iter().copied().filter(|(_, value)| !value.is_empty()));
        all.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
    }

    /// As an address has it.
    pub fn query(&self) -> String {
        self.with(&[])
    }

    /// As hidden fields of a form.
    pub fn hidden(&self, html: &mut Html) {
        self.given.iter().for_each(|(name, value)| html.open("input", &[("type", "hidden"), ("name", name), ("value", value)]));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::super::form::pairs;
    use super::*;

    fn read(query: &str) -> Option<Which> {
        Which::read(&pairs(query.as_bytes()).unwrap())
    }

    #[test]
    fn an_address_says_the_same_there_and_back() {
        let query = "id=7&code=E305&finding=%2Fa%2F%40b&sender=x%20y&state=open&from=2026-11-20&to=2026-11-22";
        let which = read(query).unwrap();
        assert_eq!(which.query(), query);
        assert_eq!(which.criteria.shown(), "id=7 state=open code=E305 finding=/a/@b sender=x y from=2026-11-19T22:00:00.000Z until=2026-11-22T22:00:00.000Z");
        assert_eq!(
            read(&which.with(&[("state", ""), ("sender", "z")])).unwrap().query(),
            "id=7&code=E305&finding=%2Fa%2F%40b&from=2026-11-20&to=2026-11-22&sender=z"
        );
    }

    #[test]
    fn what_cannot_be_read_never_means_everything() {
        for wrong in ["id=x", "id=-1", "id=99999999999999999999", "state=gone", "from=yesterday", "to=2026-13-01", "code=a%00", "code=a&code=b", "sender=%1b"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
        assert!(read(&format!("sender={}", "x".repeat(VALUE + 1))).is_none());
        assert!(Which::read(&vec![("id".to_owned(), "1".to_owned()); NAMED + 1]).is_none());
        assert!(!read("").unwrap().is_meant() && !read("code=&x=1").unwrap().is_meant() && read("state=open").unwrap().is_meant());
    }
}
