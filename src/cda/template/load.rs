//! Reads `templates/`: what every metadata element is (`shared.toml`) and what each document group demands (one file each).

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::Known;
use super::path::Path;
use super::values::Kind;
use crate::codes::fault::{RuleFile, RulesFault};
use crate::codes::source::Files;
use crate::codes::system::{System, Systems};
use crate::domain::document::{Date, Group};
use crate::domain::language::Language;
use crate::domain::time::iso_date;

const FOLDER: &str = "templates/";
const SHARED: &str = "templates/shared.toml";

/// A metadata element.
#[derive(Debug, Clone)]
pub struct Field {
    pub(crate) key: String,
    pub(crate) names: [String; 3],
    pub(crate) path: Path,
    pub(crate) kind: Kind,
    pub(crate) system: Option<System>,
    pub(crate) only: Vec<String>,
    pub(crate) repeats: bool,
    pub(crate) source: String,
}

impl Field {
    /// Its key: `documentGroup`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its name in a language.
    #[must_use]
    pub fn name(&self, language: Language) -> &str {
        let [fi, sv, en] = &self.names;
        match language {
            Language::Fi => fi,
            Language::Sv => sv,
            Language::En => en,
        }
    }

    /// Where the rule comes from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// How a document's body may be made (documents.md §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// XHTML and JSON.
    Structured,
    /// PDF/A.
    Pdf,
    /// XHTML alone.
    Xhtml,
}

/// What one group demands, field by field in the order of `shared.toml`.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) needs: Vec<Need>,
    pub(crate) forms: Vec<Form>,
}

/// What a group demands of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    Mandatory,
    Optional,
    Recommended,
    Forbidden,
    /// The element may stand with nullFlavor NA, never with a value.
    Na,
    When(Box<(Condition, Need, Need)>),
}

/// A condition on other fields, by their place among the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Present(usize),
    Absent(usize),
    Equals(usize, String),
    Before(usize, Date),
}

/// Everything of `templates/`.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) fields: Vec<Field>,
    pub(crate) known: [usize; Known::ALL.len()],
    pub(crate) groups: BTreeMap<Group, Template>,
    pub(crate) extensions: Vec<String>,
}

pub(crate) fn load(files: &Files, systems: &Systems) -> Result<Loaded, RulesFault> {
    let file = RuleFile::open(files, SHARED)?;
    let raw: RawShared = file.read()?;
    let mut fields: Vec<Field> = Vec::with_capacity(raw.field.len());
    for row in raw.field {
        let doubled = fields.iter().any(|f| f.key == *row.key.get_ref());
        let key = row.key.clone();
        if doubled || row.source.is_empty() {
            return Err(file.fault_at(&key, "the key stands twice, or the source is missing"));
        }
        fields.push(row.field(systems).map_err(|what| file.fault_at(&key, what))?);
    }
    let index = |key: &str| fields.iter().position(|f| f.key == key);
    let mut known = [0; Known::ALL.len()];
    for (slot, wanted) in known.iter_mut().zip(Known::ALL) {
        *slot = index(wanted.key()).ok_or_else(|| RulesFault::of(SHARED, format!("the field {} is missing", wanted.key())))?;
    }
    let mut groups = BTreeMap::new();
    for name in files.keys().filter(|n| n.starts_with(FOLDER) && n.as_str() != SHARED) {
        let (group, template) = template(&RuleFile::open(files, name)?, &fields)?;
        if groups.insert(group, template).is_some() {
            return Err(RulesFault::of(name, "another file is about the same group"));
        }
    }
    match Group::ALL.into_iter().find(|g| !groups.contains_key(g)) {
        Some(group) => Err(RulesFault::of(FOLDER, format!("group {} has no file", group.number()))),
        None => Ok(Loaded { fields, known, groups, extensions: raw.extensions }),
    }
}

fn template(file: &RuleFile<'_>, fields: &[Field]) -> Result<(Group, Template), RulesFault> {
    let raw: RawTemplate = file.read()?;
    let group = Group::from_number(*raw.group.get_ref()).ok_or_else(|| file.fault_at(&raw.group, "no such document group"))?;
    if raw.forms.is_empty() || [&raw.fi, &raw.sv, &raw.en].iter().any(|n| n.is_empty()) {
        return Err(file.fault_at(&raw.group, "a name is empty, or there is no form"));
    }
    let mut needs: Vec<Option<Need>> = vec![None; fields.len()];
    for (key, need) in raw.need {
        let at = fields.iter().position(|f| f.key == *key.get_ref()).ok_or_else(|| file.fault_at(&key, "no such field"))?;
        let need = need.need(fields).map_err(|what| file.fault_at(&key, what))?;
        if let Some(slot) = needs.get_mut(at) {
            *slot = Some(need);
        }
    }
    let needs: Option<Vec<Need>> = needs.into_iter().collect();
    let needs = needs.ok_or_else(|| file.fault_at(&raw.group, "a field of shared.toml is not mentioned"))?;
    Ok((group, Template { needs, forms: raw.forms }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShared {
    extensions: Vec<String>,
    field: Vec<RawField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    key: Spanned<String>,
    fi: String,
    sv: String,
    en: String,
    path: String,
    #[serde(rename = "type")]
    kind: Kind,
    system: Option<String>,
    #[serde(default)]
    only: Vec<String>,
    #[serde(default)]
    repeats: bool,
    source: String,
}

impl RawField {
    fn field(self, systems: &Systems) -> Result<Field, String> {
        let system = match &self.system {
            None => None,
            Some(key) => Some(systems.get(key).ok_or_else(|| format!("no code system {key}"))?.clone()),
        };
        if (self.kind == Kind::Code) != system.is_some() {
            return Err("type code and a code system belong together".to_owned());
        }
        let outside = system.as_ref().filter(|s| s.complete).and_then(|s| self.only.iter().find(|c| s.value(c).is_none()));
        if let Some(code) = outside {
            return Err(format!("the code {code} is not in its code system"));
        }
        let path = Path::parse(&self.path)?;
        if path.is_element() != matches!(self.kind, Kind::Client | Kind::Software | Kind::Element) {
            return Err("the path does not end in what the type needs".to_owned());
        }
        Ok(Field {
            key: self.key.into_inner(),
            names: [self.fi, self.sv, self.en],
            path,
            kind: self.kind,
            system,
            only: self.only,
            repeats: self.repeats,
            source: self.source,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTemplate {
    group: Spanned<u8>,
    fi: String,
    sv: String,
    en: String,
    forms: Vec<Form>,
    need: BTreeMap<Spanned<String>, RawNeed>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawNeed {
    Plain(String),
    When(RawWhen),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWhen {
    when: RawCondition,
    then: String,
    #[serde(rename = "else")]
    otherwise: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawCondition {
    Present(String),
    Absent(String),
    Equals(String, String),
    Before(String, String),
}

impl RawNeed {
    fn need(self, fields: &[Field]) -> Result<Need, String> {
        match self {
            Self::Plain(word) => plain(&word),
            Self::When(when) => Ok(Need::When(Box::new((when.when.condition(fields)?, plain(&when.then)?, plain(&when.otherwise)?)))),
        }
    }
}

fn plain(word: &str) -> Result<Need, String> {
    match word {
        "mandatory" => Ok(Need::Mandatory),
        "optional" => Ok(Need::Optional),
        "recommended" => Ok(Need::Recommended),
        "forbidden" => Ok(Need::Forbidden),
        "na" => Ok(Need::Na),
        _ => Err("none of mandatory, optional, recommended, forbidden, na".to_owned()),
    }
}

impl RawCondition {
    fn condition(self, fields: &[Field]) -> Result<Condition, String> {
        let index = |key: &str| fields.iter().position(|f| f.key == key).ok_or_else(|| format!("no such field: {key}"));
        Ok(match self {
            Self::Present(key) => Condition::Present(index(&key)?),
            Self::Absent(key) => Condition::Absent(index(&key)?),
            Self::Equals(key, value) => Condition::Equals(index(&key)?, value),
            Self::Before(key, date) => Condition::Before(index(&key)?, iso_date(&date).ok_or("not a date YYYY-MM-DD")?),
        })
    }
}
