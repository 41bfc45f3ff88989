//! What search parameters are called and what answers write (`codes/query.toml`): names that an official table may replace.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::oid::Oid;
use crate::domain::query::WantedState;

const FILE: &str = "codes/query.toml";

/// The table of parameters and the answers' codes.
#[derive(Debug)]
pub struct QueryRules {
    organisations: Vec<String>,
    parameters: Vec<Parameter>,
    answer: AnswerCodes,
}

/// One search parameter.
#[derive(Debug)]
pub struct Parameter {
    /// The criterion.
    pub key: Key,
    /// Its element in `parameterList`.
    pub element: String,
    /// How its value is written.
    pub form: Form,
    /// Whether it may be given more than once.
    pub many: bool,
}

/// A criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // each is explained in codes/query.toml and domain::query
pub enum Key {
    Client,
    ServiceTask,
    Authored,
    GeneralType,
    SpecificType,
    Group,
    Case,
    Relation,
    Document,
    Set,
    Controller,
    State,
    Versions,
    AsOf,
}

impl Key {
    const ALL: [Self; 14] = [
        Self::Client,
        Self::ServiceTask,
        Self::Authored,
        Self::GeneralType,
        Self::SpecificType,
        Self::Group,
        Self::Case,
        Self::Relation,
        Self::Document,
        Self::Set,
        Self::Controller,
        Self::State,
        Self::Versions,
        Self::AsOf,
    ];
}

/// How a value is written.
#[derive(Debug, PartialEq, Eq)]
pub enum Form {
    /// `@root`, perhaps `@extension`.
    Id,
    /// `@code` of a code system under this OID.
    Code(String),
    /// `low` and `high`, or `@value`.
    Interval,
    /// `@value`.
    Time,
    /// `@code`, one of these words, each meaning a state.
    Word(BTreeMap<String, WantedState>),
    /// `@value`, `true` or `false`.
    Flag,
}

/// What answers write.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerCodes {
    /// The document's code: the register type.
    pub register: RegisterCode,
    /// The code system of document groups.
    pub group_system: String,
    /// The code system of document types.
    pub type_system: String,
    /// The code system of service tasks.
    pub task_system: String,
}

/// A code and its system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterCode {
    /// The code.
    pub code: String,
    /// Its system.
    pub system: String,
}

impl QueryRules {
    /// Reads and checks the table: every criterion once, every element once.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let mut parameters: Vec<Parameter> = Vec::with_capacity(raw.parameter.len());
        for row in raw.parameter {
            let fault = |what: &str| Err(file.fault_at(&row.element, what));
            let element = row.element.get_ref().clone();
            if element.is_empty() || parameters.iter().any(|p| p.element == element || p.key == row.key) {
                return fault("the element is empty, or it or the key stands twice");
            }
            if !matches!(row.evidence.as_str(), "seen" | "inferred" | "placeholder") {
                return fault("evidence is none of seen, inferred, placeholder");
            }
            let form = match (row.value, row.system, row.words) {
                (RawForm::Id, None, None) => Form::Id,
                (RawForm::Code, Some(system), None) if Oid::parse(&system).is_ok() => Form::Code(system),
                (RawForm::Interval, None, None) => Form::Interval,
                (RawForm::Time, None, None) => Form::Time,
                (RawForm::Flag, None, None) => Form::Flag,
                (RawForm::Word, None, Some(words)) => match words.into_iter().map(|(word, state)| Some((word, WantedState::parse(&state)?))).collect() {
                    Some(words) => Form::Word(words),
                    None => return fault("a word means none of valid, invalidated, any"),
                },
                _ => return fault("a code has a system, a word its words, and no other form has either"),
            };
            if !fits(row.key, &form) {
                return fault("the value's form does not fit the criterion");
            }
            parameters.push(Parameter { key: row.key, element, form, many: row.many });
        }
        if parameters.len() != Key::ALL.len() {
            return Err(RulesFault::of(FILE, "a criterion has no parameter"));
        }
        let oids = raw.organisations.iter().chain([&raw.answer.group_system, &raw.answer.type_system, &raw.answer.task_system, &raw.answer.register.system]);
        if raw.organisations.is_empty() || oids.into_iter().any(|oid| Oid::parse(oid).is_err()) {
            return Err(RulesFault::of(FILE, "organisations and the answer's code systems are OIDs"));
        }
        Ok(Self { organisations: raw.organisations, parameters, answer: raw.answer })
    }

    /// The parameter that an element is.
    #[must_use]
    pub fn parameter(&self, element: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.element == element)
    }

    /// The element of a criterion.
    #[must_use]
    pub fn element(&self, key: Key) -> &str {
        self.parameters.iter().find(|p| p.key == key).map_or("", |p| &p.element)
    }

    /// What answers write.
    #[must_use]
    pub const fn answer(&self) -> &AnswerCodes {
        &self.answer
    }

    /// The organisation that an OID belongs to: a root's one arc more. An OID under no known root is its own organisation.
    #[must_use]
    pub fn organisation_of(&self, oid: &Oid) -> Option<Oid> {
        let root = self.organisations.iter().find(|root| oid.is_under(root))?;
        let arc = oid.as_str().get(root.len() + 1..)?.split('.').next()?;
        Oid::parse(&format!("{root}.{arc}")).ok()
    }
}

const fn fits(key: Key, form: &Form) -> bool {
    match key {
        Key::Client | Key::Case | Key::Relation | Key::Document | Key::Set | Key::Controller => matches!(form, Form::Id),
        Key::ServiceTask | Key::GeneralType | Key::SpecificType | Key::Group => matches!(form, Form::Code(_)),
        Key::Authored => matches!(form, Form::Interval),
        Key::State => matches!(form, Form::Word(_)),
        Key::Versions => matches!(form, Form::Flag),
        Key::AsOf => matches!(form, Form::Time),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    organisations: Vec<String>,
    answer: AnswerCodes,
    parameter: Vec<RawParameter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParameter {
    key: Key,
    element: Spanned<String>,
    value: RawForm,
    #[serde(default)]
    many: bool,
    system: Option<String>,
    words: Option<BTreeMap<String, String>>,
    evidence: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawForm {
    Id,
    Code,
    Interval,
    Time,
    Word,
    Flag,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn an_organisation_is_one_arc_below_its_root() {
        let rules = QueryRules::load(&embedded()).unwrap();
        let of = |oid: &str| rules.organisation_of(&Oid::parse(oid).unwrap()).map(|oid| oid.as_str().to_owned());
        assert_eq!(of("1.2.246.10.99999992.10.1").as_deref(), Some("1.2.246.10.99999992"));
        assert_eq!(of("1.2.246.10.99999992").as_deref(), Some("1.2.246.10.99999992"));
        assert_eq!(of("1.2.246.556.18007.2"), None);
        assert_eq!(of("1.2.246.10"), None);
    }

    #[test]
    fn a_table_with_a_hole_is_refused() {
        let text = String::from_utf8(embedded()[FILE].clone()).unwrap();
        for (old, new) in [
            ("key = \"case\"", "key = \"relation\""),
            ("value = \"flag\"", "value = \"time\""),
            ("any = \"any\"", "any = \"all\""),
            ("element = \"caseId\"", "element = \"patientId\""),
            ("evidence = \"placeholder\"", "evidence = \"heard\""),
            ("system = \"1.2.246.537.6.1505\"\n", ""),
        ] {
            let mut files = embedded();
            assert!(text.contains(old), "{old}");
            files.insert(FILE.to_owned(), text.replacen(old, new, 1).into_bytes());
            assert_eq!(QueryRules::load(&files).unwrap_err().file, FILE, "{old}");
        }
    }
}
