//! The conditions of `codes/json.toml` held against one structured content. Pointers in findings are made of the rules' own words and of positions only.

use serde_json::Value;

use super::sosmeta::Marks;
use crate::codes::json::{JsonRule, JsonRules, Path, Test, When};
use crate::domain::code::Code;
use crate::domain::finding::has_room;

/// One breach: what a finding is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) code: Code,
    pub(super) rule: std::borrow::Cow<'static, str>,
    /// A JSON pointer.
    pub(super) pointer: String,
    /// What is asked, as a word of `codes/words.toml`.
    pub(super) reason: &'static str,
    /// The members it is about, in the rules' own words.
    pub(super) members: String,
}

/// Holds every rule against the content. `specification` is what the header says that it obeys; `marks` what its definition marks.
pub(super) fn check(root: &Value, specification: &str, rules: &JsonRules, marks: Option<&Marks>, out: &mut Vec<Breach>) {
    for rule in rules.rules.iter().filter(|rule| specification.starts_with(&rule.of)) {
        each(root, root, &rule.at, &mut |here, pointer| {
            if has_room(out.iter().map(|breach| breach.code), code_of(rule)) && rule.when.iter().all(|when| holds(root, here, when)) {
                one(root, here, pointer, rule, out);
            }
        });
    }
    let Some(marks) = marks else { return };
    for (at, set) in &marks.one_of {
        let Some(set) = rules.one_of.get(*set) else { continue };
        each(root, root, at, &mut |here, pointer| {
            let absent = here.is_object() && !set.members.iter().any(|m| here.get(m).is_some_and(is_there));
            if absent && has_room(out.iter().map(|breach| breach.code), Code::E509) {
                out.push(Breach {
                    code: Code::E509,
                    rule: set.rule.clone(),
                    pointer: pointer.to_owned(),
                    reason: "json-one-of",
                    members: set.members.join(", "),
                });
            }
        });
    }
    for (at, row) in &marks.unless {
        let Some(row) = rules.unless.get(*row) else { continue };
        each(root, root, at, &mut |here, pointer| {
            let asked = here.get(&row.switch) == Some(&Value::Bool(false)) && !here.get(&row.member).is_some_and(is_there);
            if asked && has_room(out.iter().map(|breach| breach.code), Code::E509) {
                let pointer = format!("{pointer}/{}", row.member);
                out.push(Breach { code: Code::E509, rule: row.rule.clone(), pointer, reason: "json-needed", members: row.member.clone() });
            }
        });
    }
}

const fn code_of(rule: &JsonRule) -> Code {
    if rule.warning { Code::W952 } else { Code::E509 }
}

fn one(root: &Value, here: &Value, pointer: &str, rule: &JsonRule, out: &mut Vec<Breach>) {
    let code = code_of(rule);
    let breach = |pointer: String, reason, members: String| Breach { code, rule: rule.rule.clone(), pointer, reason, members };
    for path in rule.needs.iter().filter(|path| !there(root, here, path)) {
        out.push(breach(under(pointer, path), "json-needed", last(path)));
    }
    if !rule.needs_one.is_empty() && !rule.needs_one.iter().any(|path| there(root, here, path)) {
        let members: Vec<String> = rule.needs_one.iter().map(last).collect();
        out.push(breach(pointer.to_owned(), "json-one-of", members.join(", ")));
    }
    for path in rule.forbids.iter().filter(|path| there(root, here, path)) {
        out.push(breach(under(pointer, path), "json-forbidden", last(path)));
    }
    if let Some((path, allowed)) = &rule.allows {
        let mut other = false;
        each(root, here, path, &mut |value, _| other |= value.as_str().is_none_or(|text| !allowed.iter().any(|a| a == text)));
        if other {
            out.push(breach(under(pointer, path), "json-value", last(path)));
        }
    }
}

fn holds(root: &Value, here: &Value, when: &When) -> bool {
    let mut found = false;
    each(root, here, &when.at, &mut |value, _| {
        found |= match &when.test {
            Test::Flag(flag) => value.as_bool() == Some(*flag),
            Test::OneOf(texts) => value.as_str().is_some_and(|text| texts.iter().any(|t| t == text)),
            Test::Present => is_there(value),
        };
    });
    found != when.not
}

fn there(root: &Value, here: &Value, path: &Path) -> bool {
    let mut found = false;
    each(root, here, path, &mut |value, _| found |= is_there(value));
    found
}

/// Empty text, empty lists and null say nothing.
fn is_there(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Visits every value at a path, each item of an array by itself.
pub(super) fn each<'v>(root: &'v Value, here: &'v Value, path: &Path, visit: &mut dyn FnMut(&'v Value, &str)) {
    let mut pointer = String::new();
    walk(if path.absolute { root } else { here }, &path.steps, &mut pointer, visit);
}

/// Depth is bounded by the path's steps and by the parser's depth.
fn walk<'v>(here: &'v Value, steps: &[String], pointer: &mut String, visit: &mut dyn FnMut(&'v Value, &str)) {
    let length = pointer.len();
    if let Value::Array(items) = here {
        for (at, item) in items.iter().enumerate() {
            pointer.push_str(&format!("/{at}"));
            walk(item, steps, pointer, visit);
            pointer.truncate(length);
        }
        return;
    }
    let Some((step, rest)) = steps.split_first() else { return visit(here, pointer) };
    let Value::Object(members) = here else { return };
    pointer.push('/');
    pointer.push_str(step);
    if step == "*" {
        members.values().for_each(|value| walk(value, rest, pointer, visit));
    } else if let Some(value) = members.get(step) {
        walk(value, rest, pointer, visit);
    }
    pointer.truncate(length);
}

fn under(pointer: &str, path: &Path) -> String {
    let base = if path.absolute { "" } else { pointer };
    path.steps.iter().filter(|step| *step != "value" && *step != "code").fold(base.to_owned(), |out, step| out + "/" + step)
}

/// The member that a path is about: an identifier's `value` and a code's `code` are its insides.
fn last(path: &Path) -> String {
    path.steps.iter().rev().find(|step| *step != "value" && *step != "code").cloned().unwrap_or_default()
}
