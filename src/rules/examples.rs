//! The examples that rules carry, tried: each metadata element in a document of each group, and each rule whose example is an edit of one.
//! What `arkki templates test` says, and a test holds.

use crate::cda::content;
use crate::cda::template::Field;
use crate::codes::rule_set::RuleSet;
use crate::codes::rules::{Edit, Example, Rule, Stage};
use crate::crypto::sha256;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::finding::Finding;
use crate::xml::tree;

use super::decide;

/// One trial.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The rule: `need.serviceTask`, `R41`.
    pub rule: String,
    /// The group of the document that was changed.
    pub group: Group,
    /// What was done to it.
    pub edit: Edit,
    /// The code that it must give; `None` when it must keep the rule.
    pub wanted: Option<Code>,
    /// What is not as it should be; `None` when all is well.
    pub fault: Option<String>,
}

/// Tries everything. `base` gives a good document of a group: the same each time, without a finding.
#[must_use]
pub fn run(rules: &RuleSet, base: &dyn Fn(Group) -> Vec<u8>) -> Vec<Trial> {
    let bench = Bench { rules, base };
    let mut trials = Vec::new();
    for group in Group::ALL {
        trials.push(bench.untouched(group));
        for (at, field) in rules.templates.fields().iter().enumerate().filter(|(_, field)| !field.is_json()) {
            trials.extend(bench.field(group, at, field));
        }
    }
    for rule in rules.rules.all() {
        if let Example::Edit(edit) = &rule.passes {
            trials.extend(bench.rule(rule, edit, None));
        }
        if let Example::Edit(edit) = &rule.fails {
            trials.extend(bench.rule(rule, edit, Some(rule.code)));
        }
    }
    trials
}

/// Everything that is found in a document's text by template, body, header and its own rules: the stages of the examination that need neither schema nor archive.
#[must_use]
pub fn judge(rules: &RuleSet, text: &str, stage: Stage) -> Vec<Finding> {
    let Ok(document) = tree::parse(text) else { return vec![Finding::whole(Code::E103)] };
    match content::read(&document, rules, stage.into(), &sha256) {
        Err(findings) => findings,
        Ok(read) => read.warnings.into_iter().chain(decide::own_rules(&read.header, rules)).collect(),
    }
}

fn template(rules: &RuleSet, text: &str, stage: Stage) -> Vec<Finding> {
    tree::parse(text).map_or_else(|_| vec![Finding::whole(Code::E103)], |document| rules.templates.check(&document, stage.into()))
}

struct Bench<'r> {
    rules: &'r RuleSet,
    base: &'r dyn Fn(Group) -> Vec<u8>,
}

impl Bench<'_> {
    fn text(&self, group: Group) -> String {
        String::from_utf8((self.base)(group)).unwrap_or_default()
    }

    fn untouched(&self, group: Group) -> Trial {
        let edit = Edit { group: group.number(), ..Edit::default() };
        let found = judge(self.rules, &self.text(group), Stage::Test);
        let fault = (!found.is_empty()).then(|| format!("the good document is none: {}", said(self.rules, &found)));
        Trial { rule: "good".to_owned(), group, edit, wanted: None, fault }
    }

    /// What the group demands of the element, broken; and a value that is none.
    fn field(&self, group: Group, at: usize, field: &Field) -> Vec<Trial> {
        let text = self.text(group);
        let Ok(document) = tree::parse(&text) else { return Vec::new() };
        let demand = self.rules.templates.settled(&document, group, at);
        let edit = Edit { group: group.number(), ..Edit::default() };
        let key = field.key().to_owned();
        let need = format!("need.{key}");
        let is_there = self.rules.templates.edited(&text, &Edit { remove: vec![key.clone()], ..edit.clone() }).is_none_or(|t| t != text);
        let mut out = Vec::new();
        match demand {
            "mandatory" => out.push((need.clone(), Edit { remove: vec![key.clone()], ..edit.clone() }, Code::E301)),
            "recommended" => out.push((need.clone(), Edit { remove: vec![key.clone()], ..edit.clone() }, Code::W905)),
            "forbidden" | "na" => {
                let value = field.good().unwrap_or("").to_owned();
                out.push((need.clone(), Edit { set: [(key.clone(), value)].into(), ..edit.clone() }, Code::E307));
            }
            _ => {}
        }
        if !matches!(demand, "forbidden" | "na") {
            if is_there && !field.repeats() {
                out.push((need, Edit { repeat: vec![key.clone()], ..edit.clone() }, Code::E309));
            }
            if let Some((bad, code)) = field.bad() {
                let beside = |key: &String| Some((key.clone(), self.rules.templates.fields().iter().find(|f| f.key() == key)?.good()?.to_owned()));
                let set = field.with().iter().filter_map(beside).chain([(key.clone(), bad.to_owned())]).collect();
                out.push((format!("value.{key}"), Edit { set, ..edit }, code));
            }
        }
        out.into_iter().filter_map(|(rule, edit, code)| self.trial(template, rule, group, edit, Some(code), |f| f.arg("field") == Some(field.key()))).collect()
    }

    fn rule(&self, rule: &Rule, edit: &Edit, wanted: Option<Code>) -> Option<Trial> {
        let group = Group::from_number(edit.group)?;
        let borne = rule.borne();
        self.trial(judge, rule.id.clone(), group, edit.clone(), wanted, |f| self.rules.rules.id_of(f).as_deref() == Some(borne))
    }

    /// Breaks or keeps a rule. `look`: the template alone is asked about single elements, for what a change does to body and header is not theirs.
    fn trial(
        &self,
        look: fn(&RuleSet, &str, Stage) -> Vec<Finding>,
        rule: String,
        group: Group,
        edit: Edit,
        wanted: Option<Code>,
        is_its: impl Fn(&Finding) -> bool,
    ) -> Option<Trial> {
        let Some(text) = self.rules.templates.edited(&self.text(group), &edit) else {
            return Some(Trial { rule, group, edit, wanted, fault: Some("the document cannot be changed so".to_owned()) });
        };
        let found = look(self.rules, &text, edit.environment);
        let its: Vec<Code> = found.iter().filter(|f| is_its(f)).map(|f| f.code).collect();
        let fault = match wanted {
            None => (!its.is_empty()).then(|| format!("kept, and yet: {}", said(self.rules, &found))),
            Some(code) => {
                let errors = found.iter().filter(|f| f.is_error()).count();
                let is_exact = its == [code] && errors == usize::from(code.severity() == crate::domain::finding::Severity::Error);
                (!is_exact).then(|| format!("wanted {} alone: {}", code.as_str(), said(self.rules, &found)))
            }
        };
        Some(Trial { rule, group, edit, wanted, fault })
    }
}

/// Codes and rules, never a value.
fn said(rules: &RuleSet, findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing found".to_owned();
    }
    let one = |f: &Finding| format!("{} [{}] {}", f.code.as_str(), rules.rules.id_of(f).unwrap_or_default(), f.place.path);
    findings.iter().take(5).map(one).collect::<Vec<_>>().join("; ")
}
