//! Reads `templates/`: what every metadata element is (`shared.toml`) and what each document group demands (one file each).

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::Known;
use super::condition::Condition;
use super::field::Field;
use super::path::Path;
use super::values::Kind;
use crate::codes::fault::{RuleFile, RulesFault};
use crate::codes::rules::{Example, Rules};
use crate::codes::source::Files;
use crate::codes::system::Systems;
use crate::domain::code::Code;
use crate::domain::document::Group;

const FOLDER: &str = "templates/";
const SHARED: &str = "templates/shared.toml";
/// Where the JSON stands.
const JSON: &str = "component/nonXMLBody/hl7fi:json";

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
    pub(crate) names: [String; 3],
    pub(crate) about: [String; 3],
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
    When(Box<When>),
}

impl Need {
    /// As rule files write it; a condition has no word of its own.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Mandatory => "mandatory",
            Self::Optional => "optional",
            Self::Recommended => "recommended",
            Self::Forbidden => "forbidden",
            Self::Na => "na",
            Self::When(_) => "",
        }
    }
}

/// A demand that depends on other elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) condition: Condition,
    /// The condition as the file writes it.
    pub(crate) written: String,
    pub(crate) then: Need,
    pub(crate) otherwise: Need,
}

/// A rule of `codes/rules` with a condition, compiled.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) id: String,
    pub(crate) code: Code,
    /// Empty for all.
    pub(crate) groups: Vec<Group>,
    pub(crate) when: Option<Condition>,
    pub(crate) must: Condition,
    /// The fields that the condition asks for.
    pub(crate) asks: Vec<usize>,
    pub(crate) at: usize,
}

/// Everything of `templates/`.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) fields: Vec<Field>,
    pub(crate) known: [usize; Known::ALL.len()],
    pub(crate) groups: BTreeMap<Group, Template>,
    pub(crate) extensions: Vec<String>,
    pub(crate) rules: Vec<Checked>,
}

pub(crate) fn load(files: &Files, systems: &Systems, rules: &Rules) -> Result<Loaded, RulesFault> {
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
    if let Some(key) = fields.iter().flat_map(|f| &f.with).find(|key| index(key).is_none()) {
        return Err(RulesFault::of(SHARED, format!("with names no such element: {key}")));
    }
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
        None => Ok(Loaded { rules: checked(rules, &fields)?, fields, known, groups, extensions: raw.extensions }),
    }
}

/// The rules that the template holds; a key or a condition that does not fit is named by the rule's own file and line.
fn checked(rules: &Rules, fields: &[Field]) -> Result<Vec<Checked>, RulesFault> {
    let index = |key: &str| fields.iter().position(|f| f.key == key);
    let mut out = Vec::new();
    for rule in rules.all() {
        let fault = |what: String| RulesFault { file: rule.place.0.clone(), line: rule.place.1, what };
        for example in [&rule.passes, &rule.fails] {
            if let Example::Edit(edit) = example {
                let key = edit.remove.iter().chain(edit.set.keys()).chain(&edit.repeat).find(|key| index(key.split('@').next().unwrap_or("")).is_none());
                key.map_or(Ok(()), |key| Err(fault(format!("no such element: {key}"))))?;
            }
        }
        let Some(check) = &rule.check else { continue };
        let condition = |text: &str| Condition::parse(text, &index).map_err(fault);
        let (when, must) = (check.when.as_deref().map(condition).transpose()?, condition(&check.must)?);
        let mut asks = Vec::new();
        when.iter().chain([&must]).for_each(|c| c.fields(&mut asks));
        out.push(Checked {
            id: rule.id.clone(),
            code: rule.code,
            groups: check.groups.clone(),
            when,
            must,
            asks,
            at: index(&check.at).ok_or_else(|| fault(format!("no such element: {}", check.at)))?,
        });
    }
    Ok(out)
}

fn template(file: &RuleFile<'_>, fields: &[Field]) -> Result<(Group, Template), RulesFault> {
    let raw: RawTemplate = file.read()?;
    let group = Group::from_number(*raw.group.get_ref()).ok_or_else(|| file.fault_at(&raw.group, "no such document group"))?;
    let (names, about) = ([raw.fi, raw.sv, raw.en], [raw.about.fi, raw.about.sv, raw.about.en]);
    if raw.forms.is_empty() || names.iter().chain(&about).any(String::is_empty) {
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
    Ok((group, Template { names, about, needs, forms: raw.forms }))
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
    good: Option<String>,
    bad: Option<String>,
    gives: Option<String>,
    #[serde(default)]
    with: Vec<String>,
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
        // The JSON's elements are read by the body; a finding about them points at the JSON.
        let path = Path::parse(if self.kind == Kind::Json { JSON } else { &self.path })?;
        if path.is_element() != matches!(self.kind, Kind::Client | Kind::Software | Kind::Element | Kind::Json) {
            return Err("the path does not end in what the type needs".to_owned());
        }
        let bad = match (self.bad, self.gives) {
            (Some(bad), Some(code)) => Some((bad, Code::parse(&code).ok_or_else(|| format!("this Arkki was built without the code {code}"))?)),
            (None, None) => None,
            _ => return Err("bad and gives belong together".to_owned()),
        };
        let takes_anything = matches!(self.kind, Kind::Text | Kind::AnyCode | Kind::Element | Kind::Software | Kind::Json);
        if self.good.is_some() == matches!(self.kind, Kind::Element | Kind::Software | Kind::Json) || bad.is_none() != takes_anything {
            return Err("examples: good for every value, bad and gives for every value that has a form".to_owned());
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
            good: self.good,
            bad,
            with: self.with,
            written: self.path,
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
    about: RawAbout,
    forms: Vec<Form>,
    need: BTreeMap<Spanned<String>, RawNeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAbout {
    fi: String,
    sv: String,
    en: String,
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
    when: String,
    then: String,
    #[serde(rename = "else")]
    otherwise: String,
}

impl RawNeed {
    fn need(self, fields: &[Field]) -> Result<Need, String> {
        match self {
            Self::Plain(word) => plain(&word),
            Self::When(when) => {
                let condition = Condition::parse(&when.when, &|key| fields.iter().position(|f| f.key == key))?;
                Ok(Need::When(Box::new(When { condition, written: when.when, then: plain(&when.then)?, otherwise: plain(&when.otherwise)? })))
            }
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
