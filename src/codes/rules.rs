//! The rules by name (`codes/rules/*.toml`): what each demands, who holds it, the code that breaking it gives, where it comes from,
//! and an example that keeps it beside one that breaks it. Template rules carry their condition too: `cda::template` compiles it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::environment::Environment;
use crate::domain::finding::Finding;
use crate::domain::language::Language;

/// Every file in it is read.
pub const FOLDER: &str = "codes/rules/";

/// Every rule, checked at load: ids are unique, codes exist, no sentence or source is empty.
#[derive(Debug)]
pub struct Rules {
    rows: Vec<Rule>,
    left: Vec<Left>,
    by_id: HashMap<String, usize>,
    /// The row of a code that only one rule gives.
    alone: HashMap<Code, usize>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its stable id: `R25`, `hetu-check`.
    pub id: String,
    /// Who holds it.
    pub holder: Holder,
    /// What breaking it gives.
    pub code: Code,
    /// Where it comes from: `OLD §4.2; messaging D18`.
    pub source: String,
    /// The rule that its finding bears, where a metadata element's own (`need.…`, `value.…`) or another one holds it.
    pub by: Option<String>,
    /// What keeps it.
    pub passes: Example,
    /// What breaks it.
    pub fails: Example,
    /// The condition of a template rule.
    pub check: Option<Check>,
    /// File and line, for faults found later.
    pub place: (String, usize),
    sentence: [String; 3],
}

/// A rule that software cannot hold, and why.
#[derive(Debug, Clone)]
pub struct Left {
    /// Its id.
    pub id: String,
    /// Where it comes from.
    pub source: String,
    why: [String; 3],
}

/// Who holds a rule, in the order of the examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// What is checked before anything is read as XML, and well-formedness.
    Encoding,
    /// XML Schema.
    Schema,
    /// The frame, and its agreement with the document.
    Frame,
    /// The metadata template: presence, values, declared conditions.
    Template,
    /// The body: display form and structured form.
    Body,
    /// The header as a whole, beside its body.
    Header,
    /// Links between documents, cases and relations, as the archive knows them.
    Link,
    /// Ids, sets and versions.
    Version,
    /// Signatures.
    Signature,
}

impl Holder {
    /// As the table writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Schema => "schema",
            Self::Frame => "frame",
            Self::Template => "template",
            Self::Body => "body",
            Self::Header => "header",
            Self::Link => "link",
            Self::Version => "version",
            Self::Signature => "signature",
        }
    }
}

/// What shows a rule kept or broken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Example {
    /// A file of `samples/`.
    Sample(String),
    /// A generated good document of a group, changed in a few places.
    Edit(Edit),
}

/// What is changed in a generated good document, by the keys of `templates/shared.toml`; `key@attribute` is another attribute of that element.
/// Elements are removed first, then set, then repeated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The document group.
    pub group: u8,
    /// What goes.
    #[serde(default)]
    pub remove: Vec<String>,
    /// What gets another value; an element that is not there is put there.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// What stands twice.
    #[serde(default)]
    pub repeat: Vec<String>,
    /// Where it is examined.
    #[serde(default)]
    pub environment: Stage,
}

/// Where an example is examined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// In a test environment.
    #[default]
    Test,
    /// In production.
    Production,
}

impl From<Stage> for Environment {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Test => Self::Test,
            Stage::Production => Self::Production,
        }
    }
}

/// The condition of a template rule, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The groups it holds for; empty for all.
    pub groups: Vec<Group>,
    /// When it holds; always, when absent.
    pub when: Option<String>,
    /// What must then be so.
    pub must: String,
    /// The element that a finding points at.
    pub at: String,
}

impl Rules {
    /// Reads and checks every file of the folder.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let mut rules = Self { rows: Vec::new(), left: Vec::new(), by_id: HashMap::new(), alone: HashMap::new() };
        let mut ids = std::collections::HashSet::new();
        for name in files.keys().filter(|n| n.starts_with(FOLDER)) {
            let file = RuleFile::open(files, name)?;
            let raw: RawFile = file.read()?;
            for row in raw.rule {
                let (id, line) = (row.id.clone(), file.line_of(&row.id));
                let rule = row.rule((name.clone(), line)).map_err(|what| file.fault_at(&id, what))?;
                if !ids.insert(rule.id.clone()) {
                    return Err(file.fault_at(&id, "the id stands twice"));
                }
                rules.by_id.insert(rule.id.clone(), rules.rows.len());
                rules.rows.push(rule);
            }
            for row in raw.left {
                let texts = [row.fi, row.sv, row.en];
                let is_empty = row.source.trim().is_empty() || texts.iter().any(|t| t.trim().is_empty());
                if is_empty || !ids.insert(row.id.get_ref().clone()) {
                    return Err(file.fault_at(&row.id, "the id stands twice, or a text or the source is missing"));
                }
                rules.left.push(Left { id: row.id.into_inner(), source: row.source, why: texts });
            }
        }
        for (at, rule) in rules.rows.iter().enumerate() {
            if rule.by.is_none() && rules.rows.iter().filter(|other| other.code == rule.code && other.by.is_none()).count() == 1 {
                rules.alone.insert(rule.code, at);
            }
        }
        Ok(rules)
    }

    /// Every rule, in the order of the files.
    #[must_use]
    pub fn all(&self) -> &[Rule] {
        &self.rows
    }

    /// What is left to people.
    #[must_use]
    pub fn left(&self) -> &[Left] {
        &self.left
    }

    /// A rule by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.by_id.get(id).and_then(|at| self.rows.get(*at))
    }

    /// The rules that give a code.
    pub fn of(&self, code: Code) -> impl Iterator<Item = &Rule> {
        self.rows.iter().filter(move |rule| rule.code == code)
    }

    /// The id of the rule that a finding breaks: the one it names; else the one its `rule` word names; else the metadata element's own rule
    /// (`need.…` for presence, `value.…` for the value); else the only rule with its code. `None` for what no rule is about.
    #[must_use]
    pub fn id_of<'f>(&'f self, finding: &'f Finding) -> Option<Cow<'f, str>> {
        if let Some(id) = &finding.rule {
            return Some(Cow::Borrowed(id));
        }
        if let Some(rule) = finding.arg("rule").and_then(|word| self.get(word)).filter(|rule| rule.code == finding.code) {
            return Some(Cow::Borrowed(&rule.id));
        }
        if let (Some(field), Some(kind)) = (finding.arg("field"), kind_of(finding.code)) {
            return Some(Cow::Owned(format!("{kind}.{field}")));
        }
        self.alone.get(&finding.code).and_then(|at| self.rows.get(*at)).map(|rule| Cow::Borrowed(rule.id.as_str()))
    }
}

/// Which of a metadata element's two rules a code is about.
const fn kind_of(code: Code) -> Option<&'static str> {
    match code {
        Code::E301 | Code::E307 | Code::E309 | Code::W905 => Some("need"),
        Code::E302 | Code::E303 | Code::E304 | Code::E305 | Code::E306 | Code::E312 | Code::E703 | Code::W901 | Code::W903 | Code::W904 | Code::W921 => {
            Some("value")
        }
        _ => None,
    }
}

impl Rule {
    /// The id that its finding bears.
    #[must_use]
    pub fn borne(&self) -> &str {
        self.by.as_deref().unwrap_or(&self.id)
    }

    /// What must hold, in a sentence.
    #[must_use]
    pub const fn sentence(&self, language: Language) -> &str {
        pick(&self.sentence, language)
    }
}

impl Left {
    /// Why software cannot hold it.
    #[must_use]
    pub const fn why(&self, language: Language) -> &str {
        pick(&self.why, language)
    }
}

const fn pick(three: &[String; 3], language: Language) -> &str {
    let [fi, sv, en] = three;
    match language {
        Language::Fi => fi.as_str(),
        Language::Sv => sv.as_str(),
        Language::En => en.as_str(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    rule: Vec<RawRule>,
    #[serde(default)]
    left: Vec<RawLeft>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: Spanned<String>,
    holds: Holder,
    code: String,
    by: Option<String>,
    fi: String,
    sv: String,
    en: String,
    source: String,
    passes: Example,
    fails: Example,
    groups: Option<Vec<u8>>,
    when: Option<String>,
    must: Option<String>,
    at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLeft {
    id: Spanned<String>,
    source: String,
    fi: String,
    sv: String,
    en: String,
}

impl RawRule {
    fn rule(self, place: (String, usize)) -> Result<Rule, String> {
        let id = self.id.into_inner();
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
            return Err("an id is letters, digits, dots and hyphens".to_owned());
        }
        let code = Code::parse(&self.code).ok_or_else(|| format!("this Arkki was built without the code {}", self.code))?;
        let sentence = [self.fi, self.sv, self.en];
        if self.source.trim().is_empty() || sentence.iter().any(|s| s.trim().is_empty()) {
            return Err("a sentence or the source is empty".to_owned());
        }
        for example in [&self.passes, &self.fails] {
            match example {
                Example::Sample(path) if !path.ends_with(".xml") => return Err(format!("{path}: not a sample's path")),
                Example::Edit(edit) if Group::from_number(edit.group).is_none() => return Err(format!("no such document group: {}", edit.group)),
                _ => {}
            }
        }
        let groups = self.groups.unwrap_or_default().into_iter().map(Group::from_number).collect::<Option<Vec<_>>>().ok_or("no such document group")?;
        let check = match (self.must, self.at) {
            (Some(must), Some(at)) if self.holds == Holder::Template => Some(Check { groups, when: self.when, must, at }),
            (None, None) if self.when.is_none() && groups.is_empty() => None,
            _ => return Err("a condition is groups, when, must and at, of a rule that the template holds".to_owned()),
        };
        Ok(Rule { id, holder: self.holds, code, source: self.source, by: self.by, passes: self.passes, fails: self.fails, check, place, sentence })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn a_finding_finds_its_rule() {
        let rules = Rules::load(&embedded()).unwrap();
        let id = |finding: &Finding| rules.id_of(finding).map(Cow::into_owned);
        assert_eq!(id(&Finding::whole(Code::E403).under("R25")).as_deref(), Some("R25"));
        assert_eq!(id(&Finding::whole(Code::E305).with("field", "client").with("rule", "hetu-check")).as_deref(), Some("hetu-check"));
        assert_eq!(id(&Finding::whole(Code::E301).with("field", "serviceTask")).as_deref(), Some("need.serviceTask"));
        assert_eq!(id(&Finding::whole(Code::E302).with("field", "language")).as_deref(), Some("value.language"));
        assert_eq!(id(&Finding::whole(Code::E407)).as_deref(), Some("R39"));
    }

    #[test]
    fn a_fault_names_file_and_line() {
        let name = "codes/rules/zz.toml";
        let row = "[[rule]]\nid = \"Z1\"\nholds = \"link\"\ncode = \"E403\"\nfi = \"a\"\nsv = \"b\"\nen = \"c\"\nsource = \"d\"\npasses = \"a.xml\"\nfails = \"b.xml\"\n";
        for (old, new, line) in [
            ("\"Z1\"", "\"R25\"", 2),
            ("\"Z1\"", "\"Z 1\"", 2),
            ("E403", "E999", 2),
            ("\"link\"", "\"nobody\"", 3),
            ("\"a.xml\"", "{ group = 6 }", 2),
            ("\"b\"", "\"\"", 2),
            ("source", "must = \"present(json)\"\nsource", 2),
        ] {
            let mut files = embedded();
            files.insert(name.to_owned(), row.replacen(old, new, 1).into_bytes());
            let fault = Rules::load(&files).unwrap_err();
            assert_eq!((fault.file.as_str(), fault.line), (name, line), "{new}: {fault}");
        }
    }
}
