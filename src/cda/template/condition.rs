//! Conditions as rule files write them: `authored before 2016-03-01 and not present(originalTask)`. Parsed and checked at load, evaluated over one document.
//!
//! ```text
//! condition = and { "or" and }          and = not { "and" not }          not = "not" not | "(" condition ")" | statement
//! statement = present(F) | absent(F) | unit(F) | fits(F, G) | younger(F, YEARS, G)
//!           | F = "…" | F != "…" | F = G | F in ("…", "…") | F begins "…" | F before YYYY-MM-DD | F before G | F from YYYY-MM-DD
//! ```
//! F and G are keys of `templates/shared.toml`. Where an element repeats, `=`, `in` and `begins` ask for any of them. A statement about a value
//! that is absent is false, so `F != "…"` is `not (F = "…")`: true of an absent element.

use std::borrow::Cow;

use crate::domain::document::Date;
use crate::domain::time::{Hl7Time, iso_date};

/// How deep brackets and `not` may nest: rules of people have two or three.
const DEPTH: usize = 32;

/// A condition, its fields by their place among the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Present(usize),
    Equals(usize, Vec<String>),
    Same(usize, usize),
    Begins(usize, String),
    Before(usize, Date),
    /// The first field's day is before the second's.
    Earlier(usize, usize),
    /// The organisation's OID names a unit of it.
    Unit(usize),
    /// The first field's code belongs under the second's, as the first one's code system says.
    Fits(usize, usize),
    /// From the first field's day, fewer years than these had passed on the second field's day.
    Younger(usize, u16, usize),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

/// What a condition is evaluated over.
pub(crate) trait Values {
    /// The field's values, in document order.
    fn values(&self, field: usize) -> Vec<Cow<'_, str>>;
    /// The first of them.
    fn first(&self, field: usize) -> Option<Cow<'_, str>>;
    /// Whether a code of one field belongs under a code of another; unknown codes do.
    fn fits(&self, field: usize, code: &str, under: &str) -> bool;
}

impl Condition {
    /// Reads a condition; `field` turns a key into its place.
    pub(crate) fn parse(text: &str, field: &dyn Fn(&str) -> Option<usize>) -> Result<Self, String> {
        let mut parser = Parser { rest: text, field, depth: 0 };
        let condition = parser.any()?;
        parser.skip();
        if parser.rest.is_empty() { Ok(condition) } else { Err(format!("not understood from here: {}", parser.rest)) }
    }

    /// Whether it holds.
    pub(crate) fn holds(&self, of: &dyn Values) -> bool {
        match self {
            Self::Present(field) => of.first(*field).is_some(),
            Self::Equals(field, wanted) => of.values(*field).iter().any(|v| wanted.iter().any(|w| w == v)),
            Self::Same(a, b) => of.first(*a).is_some_and(|a| of.first(*b).is_some_and(|b| a == b)),
            Self::Begins(field, start) => of.values(*field).iter().any(|v| v.starts_with(start.as_str())),
            Self::Before(field, date) => day(of, *field).is_some_and(|d| d < *date),
            Self::Earlier(a, b) => day(of, *a).is_some_and(|a| day(of, *b).is_some_and(|b| a < b)),
            Self::Unit(field) => of.first(*field).is_some_and(|oid| names_unit(&oid)),
            Self::Fits(a, b) => match (of.first(*a), of.first(*b)) {
                (Some(code), Some(under)) => of.fits(*a, &code, &under),
                _ => false,
            },
            Self::Younger(born, years, on) => match (day(of, *born), day(of, *on)) {
                (Some(born), Some(on)) => on < Date { year: born.year.saturating_add(*years), ..born },
                _ => false,
            },
            Self::Not(inner) => !inner.holds(of),
            Self::All(parts) => parts.iter().all(|p| p.holds(of)),
            Self::Any(parts) => parts.iter().any(|p| p.holds(of)),
        }
    }

    /// The fields it asks for.
    pub(crate) fn fields(&self, out: &mut Vec<usize>) {
        match self {
            Self::Present(a) | Self::Equals(a, _) | Self::Begins(a, _) | Self::Before(a, _) | Self::Unit(a) => out.push(*a),
            Self::Same(a, b) | Self::Earlier(a, b) | Self::Fits(a, b) | Self::Younger(a, _, b) => out.extend([*a, *b]),
            Self::Not(inner) => inner.fields(out),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|p| p.fields(out)),
        }
    }
}

fn day(of: &dyn Values, field: usize) -> Option<Date> {
    Hl7Time::parse(&of.first(field)?).ok().map(|t| t.date)
}

/// `1.2.246.10.<Y-tunnus>.<kind>.<unit>`: two more arcs than the organisation itself (documents.md §6). Which kind of unit it is only the register tells.
fn names_unit(oid: &str) -> bool {
    oid.strip_prefix("1.2.246.10.").or_else(|| oid.strip_prefix("1.2.246.537.10.")).is_some_and(|rest| rest.split('.').count() >= 3)
}

struct Parser<'t> {
    rest: &'t str,
    field: &'t dyn Fn(&str) -> Option<usize>,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self) -> Result<Condition, String> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let first = self.not()?;
        let mut parts = vec![first];
        while self.takes_word("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn not(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("nested too deep".to_owned());
        }
        let found = if self.takes_word("not") {
            Condition::Not(Box::new(self.not()?))
        } else if self.takes("(") {
            let inner = self.any()?;
            self.must(")")?;
            inner
        } else {
            self.statement()?
        };
        self.depth -= 1;
        Ok(found)
    }

    fn statement(&mut self) -> Result<Condition, String> {
        let word = self.word()?;
        match word {
            "present" | "absent" | "unit" => {
                self.must("(")?;
                let field = self.key()?;
                self.must(")")?;
                Ok(match word {
                    "present" => Condition::Present(field),
                    "absent" => Condition::Not(Box::new(Condition::Present(field))),
                    _ => Condition::Unit(field),
                })
            }
            "fits" => {
                self.must("(")?;
                let a = self.key()?;
                self.must(",")?;
                let b = self.key()?;
                self.must(")")?;
                Ok(Condition::Fits(a, b))
            }
            "younger" => {
                self.must("(")?;
                let born = self.key()?;
                self.must(",")?;
                let years = self.word()?.parse().map_err(|_| "younger(F, YEARS, G): not a number of years")?;
                self.must(",")?;
                let on = self.key()?;
                self.must(")")?;
                Ok(Condition::Younger(born, years, on))
            }
            key => {
                let field = (self.field)(key).ok_or_else(|| format!("no such element: {key}"))?;
                self.comparison(field)
            }
        }
    }

    fn comparison(&mut self, field: usize) -> Result<Condition, String> {
        if self.takes("!=") {
            return Ok(Condition::Not(Box::new(self.equal(field)?)));
        }
        if self.takes("=") {
            return self.equal(field);
        }
        match self.word()? {
            "in" => {
                self.must("(")?;
                let mut wanted = vec![self.text()?];
                while self.takes(",") {
                    wanted.push(self.text()?);
                }
                self.must(")")?;
                Ok(Condition::Equals(field, wanted))
            }
            "begins" => Ok(Condition::Begins(field, self.text()?)),
            "before" => {
                let word = self.word()?;
                match ((self.field)(word), iso_date(word)) {
                    (Some(other), _) => Ok(Condition::Earlier(field, other)),
                    (None, Some(date)) => Ok(Condition::Before(field, date)),
                    (None, None) => Err(format!("neither an element nor a date YYYY-MM-DD: {word}")),
                }
            }
            // A value that is absent or no time is neither before nor from.
            "from" => {
                let date = self.date()?;
                Ok(Condition::All(vec![Condition::Present(field), Condition::Not(Box::new(Condition::Before(field, date)))]))
            }
            other => Err(format!("none of =, !=, in, begins, before, from: {other}")),
        }
    }

    fn equal(&mut self, field: usize) -> Result<Condition, String> {
        self.skip();
        if self.rest.starts_with('"') { Ok(Condition::Equals(field, vec![self.text()?])) } else { Ok(Condition::Same(field, self.key()?)) }
    }

    fn key(&mut self) -> Result<usize, String> {
        let word = self.word()?;
        (self.field)(word).ok_or_else(|| format!("no such element: {word}"))
    }

    fn date(&mut self) -> Result<Date, String> {
        let word = self.word()?;
        iso_date(word).ok_or_else(|| format!("not a date YYYY-MM-DD: {word}"))
    }

    fn text(&mut self) -> Result<String, String> {
        self.skip();
        let inner = self.rest.strip_prefix('"').ok_or("a text in quotation marks is missing")?;
        let (text, rest) = inner.split_once('"').ok_or("a text does not end")?;
        self.rest = rest;
        Ok(text.to_owned())
    }

    /// Letters, digits and hyphens.
    fn word(&mut self) -> Result<&'t str, String> {
        self.skip();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.is_empty() { Err(format!("a word is missing before: {rest}")) } else { Ok(word) }
    }

    fn takes(&mut self, mark: &str) -> bool {
        self.skip();
        self.rest.strip_prefix(mark).map(|rest| self.rest = rest).is_some()
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.word().is_ok_and(|w| w == word) {
            return true;
        }
        self.rest = before;
        false
    }

    fn must(&mut self, mark: &str) -> Result<(), String> {
        if self.takes(mark) { Ok(()) } else { Err(format!("{mark} is missing before: {}", self.rest)) }
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["authored", "task", "original", "born", "unit"];

    struct Given([&'static [&'static str]; 5]);

    impl Values for Given {
        fn values(&self, field: usize) -> Vec<Cow<'_, str>> {
            self.0[field].iter().map(|v| Cow::Borrowed(*v)).collect()
        }
        fn first(&self, field: usize) -> Option<Cow<'_, str>> {
            self.0[field].first().map(|v| Cow::Borrowed(*v))
        }
        fn fits(&self, _: usize, code: &str, under: &str) -> bool {
            code.starts_with(under)
        }
    }

    fn parse(text: &str) -> Result<Condition, String> {
        Condition::parse(text, &|key| KEYS.iter().position(|k| *k == key))
    }

    #[test]
    fn statements_and_their_joining() {
        let given = Given([&["20160229"], &["24", "25"], &[], &["20080301"], &["1.2.246.10.99999992.10.0"]]);
        for (text, holds) in [
            ("authored before 2016-03-01", true),
            ("authored before 2016-02-29", false),
            ("authored from 2016-02-29", true),
            ("original before 2016-01-01 or original from 2016-01-01", false),
            ("task = \"25\" and not task = \"26\"", true),
            ("task != \"26\"", true),
            ("original != \"1\"", true),
            ("task in (\"1\", \"25\")", true),
            ("task begins \"2\"", true),
            ("present(task) and absent(original)", true),
            ("present(original) or (present(task) and unit(unit))", true),
            ("unit(task)", false),
            ("younger(born, 8, authored) and not younger(born, 7, authored)", true),
            ("fits(task, task)", true),
            ("fits(task, original)", false),
            ("born before authored and not authored before born", true),
            ("authored = born", false),
            ("not not present(task)", true),
        ] {
            assert_eq!(parse(text).unwrap().holds(&given), holds, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_says_why() {
        for (text, why) in [
            ("", "a word is missing"),
            ("colour = \"1\"", "no such element: colour"),
            ("present(task", ") is missing"),
            ("task = 24", "no such element: 24"),
            ("authored before 2016-13-01", "nor a date"),
            ("authored from 2016-13-01", "not a date"),
            ("task in (\"1\"", ") is missing"),
            ("task = \"1", "does not end"),
            ("task near \"1\"", "none of"),
            ("present(task) present(task)", "not understood"),
        ] {
            assert!(parse(text).unwrap_err().contains(why), "{text}: {:?}", parse(text));
        }
        assert!(parse(&format!("{}present(task)", "not ".repeat(60))).unwrap_err().contains("deep"));
    }
}
