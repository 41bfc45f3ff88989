//! What structured content must say beyond its schema (`codes/json.toml`): conditions, and agreement with the header.

use std::borrow::Cow;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use super::system::Systems;
use crate::cda::template::Known;

const FILE: &str = "codes/json.toml";
/// The deepest path a rule may walk: definitions nest to eleven.
const STEPS: usize = 16;

/// The table.
#[derive(Debug)]
pub struct JsonRules {
    /// Conditions that name their documents.
    pub rules: Vec<JsonRule>,
    /// Sets of members of which one must be there, where a definition marks them.
    pub one_of: Vec<OneOf>,
    /// Members asked for by a switch beside them, where a definition marks them.
    pub unless: Vec<Unless>,
    /// What header and content must agree on.
    pub agree: Vec<Agree>,
    /// Members of the root that name clients.
    pub clients: Vec<String>,
}

/// One condition.
#[derive(Debug)]
pub struct JsonRule {
    /// Its name in `codes/rules/`.
    pub rule: Cow<'static, str>,
    /// What the document's specification begins with.
    pub of: String,
    /// The objects it speaks of.
    pub at: Path,
    /// What must hold altogether.
    pub when: Vec<When>,
    /// What must be there.
    pub needs: Vec<Path>,
    /// Of which one must be there.
    pub needs_one: Vec<Path>,
    /// What may not be there.
    pub forbids: Vec<Path>,
    /// Where only some values are allowed.
    pub allows: Option<(Path, Vec<String>)>,
    /// Told, not refused.
    pub warning: bool,
}

/// A path through members; an array stands for each of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// It begins at the root.
    pub absolute: bool,
    /// Members; `*` is any.
    pub steps: Vec<String>,
}

/// One test of a condition: that a value at a path is as said, or with `not` that none is.
#[derive(Debug)]
pub struct When {
    /// The path.
    pub at: Path,
    /// Negated.
    pub not: bool,
    /// What is asked.
    pub test: Test,
}

/// What a value is asked.
#[derive(Debug)]
pub enum Test {
    /// It is true, or false.
    Flag(bool),
    /// It is one of these texts.
    OneOf(Vec<String>),
    /// It is there.
    Present,
}

/// Members of which one must be there.
#[derive(Debug)]
pub struct OneOf {
    /// Its name in `codes/rules/`.
    pub rule: Cow<'static, str>,
    /// The members, side by side.
    pub members: Vec<String>,
}

/// A member that must be there when a switch beside it is false.
#[derive(Debug)]
pub struct Unless {
    /// Its name in `codes/rules/`.
    pub rule: Cow<'static, str>,
    /// The switch.
    pub switch: String,
    /// The member.
    pub member: String,
}

/// A header field and where the content says the same.
#[derive(Debug)]
pub struct Agree {
    /// Its name in `codes/rules/`.
    pub rule: Cow<'static, str>,
    /// The header's field.
    pub header: Known,
    /// What the document's specification begins with.
    pub of: String,
    /// The content's path.
    pub json: Path,
}

impl JsonRules {
    /// Reads and checks the table.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files, systems: &Systems) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let mut rules = Vec::new();
        for rule in raw.rule {
            rules.push(rule.checked(&file, systems)?);
        }
        let mut agree = Vec::new();
        for row in raw.agree {
            let header = Known::ALL.into_iter().find(|k| k.key() == row.header.get_ref());
            let header = header.ok_or_else(|| file.fault_at(&row.header, "no header field of this name"))?;
            agree.push(Agree { rule: row.rule.into(), header, of: row.of, json: path(&file, &row.json)? });
        }
        Ok(Self {
            rules,
            one_of: raw.one_of.into_iter().map(|o| OneOf { rule: o.rule.into(), members: o.members }).collect(),
            unless: raw.unless.into_iter().map(|u| Unless { rule: u.rule.into(), switch: u.switch, member: u.member }).collect(),
            agree,
            clients: raw.clients.members,
        })
    }
}

fn path(file: &RuleFile<'_>, text: &Spanned<String>) -> Result<Path, RulesFault> {
    let absolute = text.get_ref().starts_with('/');
    if text.get_ref() == "/" {
        return Ok(Path { absolute, steps: Vec::new() });
    }
    let steps: Vec<String> = text.get_ref().trim_start_matches('/').split('/').map(str::to_owned).collect();
    if steps.len() > STEPS || steps.iter().any(String::is_empty) {
        return Err(file.fault_at(text, "a path is members between strokes"));
    }
    Ok(Path { absolute, steps })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    rule: Vec<RawRule>,
    one_of: Vec<RawOneOf>,
    unless: Vec<RawUnless>,
    agree: Vec<RawAgree>,
    clients: RawClients,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    rule: Spanned<String>,
    #[serde(rename = "source")]
    _source: String,
    #[serde(default)]
    of: String,
    at: Spanned<String>,
    #[serde(default)]
    when: Vec<RawWhen>,
    #[serde(default)]
    needs: Vec<Spanned<String>>,
    #[serde(default)]
    needs_one: Vec<Spanned<String>>,
    #[serde(default)]
    forbids: Vec<Spanned<String>>,
    allows: Option<RawAllows>,
    #[serde(default)]
    warning: bool,
}

impl RawRule {
    fn checked(self, file: &RuleFile<'_>, systems: &Systems) -> Result<JsonRule, RulesFault> {
        let paths = |list: &[Spanned<String>]| list.iter().map(|text| path(file, text)).collect::<Result<Vec<_>, _>>();
        let mut when = Vec::new();
        for raw in self.when {
            when.push(raw.checked(file, systems)?);
        }
        let allows = match self.allows {
            None => None,
            Some(allows) => Some((path(file, &allows.at)?, allows.one_of)),
        };
        if self.needs.is_empty() && self.needs_one.is_empty() && self.forbids.is_empty() && allows.is_none() {
            return Err(file.fault_at(&self.rule, "the rule asks for nothing"));
        }
        Ok(JsonRule {
            at: path(file, &self.at)?,
            needs: paths(&self.needs)?,
            needs_one: paths(&self.needs_one)?,
            forbids: paths(&self.forbids)?,
            rule: self.rule.into_inner().into(),
            of: self.of,
            when,
            allows,
            warning: self.warning,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWhen {
    at: Spanned<String>,
    #[serde(default)]
    not: bool,
    is: Option<RawIs>,
    one_of: Option<Vec<String>>,
    means: Option<RawMeans>,
    present: Option<bool>,
}

impl RawWhen {
    fn checked(self, file: &RuleFile<'_>, systems: &Systems) -> Result<When, RulesFault> {
        let at = path(file, &self.at)?;
        let (test, not) = match (self.is, self.one_of, self.means, self.present) {
            (Some(RawIs::Flag(flag)), None, None, None) => (Test::Flag(flag), self.not),
            (Some(RawIs::Text(text)), None, None, None) => (Test::OneOf(vec![text]), self.not),
            (None, Some(texts), None, None) => (Test::OneOf(texts), self.not),
            (None, None, None, Some(present)) => (Test::Present, present == self.not),
            (None, None, Some(means), None) => {
                let system = systems.get(&means.system).ok_or_else(|| file.fault_at(&self.at, "means: no code system of this key"))?;
                let codes: Vec<String> = system.values.iter().filter(|v| v.means.as_deref() == Some(means.is.as_str())).map(|v| v.code.clone()).collect();
                if codes.is_empty() {
                    return Err(file.fault_at(&self.at, "means: no code of the system means this"));
                }
                (Test::OneOf(codes), self.not)
            }
            _ => return Err(file.fault_at(&self.at, "say one of: is, one_of, means, present")),
        };
        Ok(When { at, not, test })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawIs {
    Flag(bool),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMeans {
    system: String,
    is: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllows {
    at: Spanned<String>,
    one_of: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOneOf {
    rule: String,
    #[serde(rename = "source")]
    _source: String,
    members: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUnless {
    rule: String,
    #[serde(rename = "source")]
    _source: String,
    switch: String,
    member: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAgree {
    rule: String,
    #[serde(rename = "source")]
    _source: String,
    header: Spanned<String>,
    of: String,
    json: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClients {
    #[serde(rename = "source")]
    _source: String,
    members: Vec<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn each_fault_names_its_line() {
        for (old, new) in [
            ("needs = [\"turvakielto\"]", "needs = []"),
            ("system = \"caseState\"", "system = \"caseStat\""),
            ("is = \"closed\"", "is = \"clsed\""),
            ("header = \"caseId\"", "header = \"case\""),
            ("\"yhteystiedot/osoite\"", "\"yhteystiedot//osoite\""),
            ("at = \"nimi/code\", is = \"99\"", "at = \"nimi/code\""),
        ] {
            let mut files = embedded();
            let systems = Systems::load(&files).unwrap();
            let text = String::from_utf8(files[FILE].clone()).unwrap();
            assert!(text.contains(old), "{old}");
            files.insert(FILE.to_owned(), text.replacen(old, new, 1).into_bytes());
            let fault = JsonRules::load(&files, &systems).unwrap_err();
            assert!(fault.line > 10, "{fault}");
        }
    }
}
