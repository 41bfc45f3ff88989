//! The national definitions (Sosmeta, JSON Schema draft-07) that a site puts into a folder: compiled once at start, shared by all threads. Nothing is ever
//! fetched: what a definition refers to must lie in the same folder.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::Value;

use super::conditions::Breach;
use crate::codes::json::{JsonRules, Path};
use crate::codes::source::Files;
use crate::crypto::sha256_parts;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::limits::FINDINGS;
use crate::domain::oid::Oid;

/// The one draft that the definitions are written in.
const DRAFT: &str = "http://json-schema.org/draft-07/schema";
/// Where files of the folder are thought to lie, so that they can refer to each other by name. `.invalid` leads nowhere by decree (RFC 6761).
const BASE: &str = "https://sosmeta.invalid/";
/// How many files' faults are told at once.
const FAULTS: usize = 20;
/// How deep a definition may nest; the published ones reach eleven objects.
const DEPTH: usize = 64;

/// Every definition of the folder.
pub struct Sosmeta {
    definitions: HashMap<String, Definition>,
    /// Members that any definition knows: only these words are ever repeated in a finding.
    words: HashSet<String>,
    hash: Digest,
}

struct Definition {
    validator: Validator,
    marks: Marks,
}

/// What a definition marks as conditionally mandatory: the object's path and the row of `codes/json.toml`.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) one_of: Vec<(Path, usize)>,
    pub(super) unless: Vec<(Path, usize)>,
}

/// A definition that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SosmetaFault {
    /// The file.
    pub file: String,
    /// What is wrong, for operators.
    pub what: String,
}

impl fmt::Display for SosmetaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

impl fmt::Debug for Sosmeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sosmeta({})", self.definitions.len())
    }
}

impl Sosmeta {
    /// Compiles every definition: `<contentSpecificationId>.json`. Files of other names may only be referred to.
    ///
    /// # Errors
    /// Every file that is wrong, and why.
    pub fn compile(files: &Files, rules: &JsonRules) -> Result<Self, Vec<SosmetaFault>> {
        let mut faults = Vec::new();
        let mut parsed: HashMap<String, Value> = HashMap::new();
        let mut words = HashSet::new();
        let mut marks = HashMap::new();
        for (name, octets) in files {
            match parse(name, octets) {
                Ok(mut value) => {
                    let mut found = Marks::default();
                    gather(&mut value, &mut Vec::new(), rules, &mut words, &mut found, DEPTH);
                    marks.insert(name.clone(), found);
                    parsed.insert(name.clone(), value);
                }
                Err(what) => faults.push(SosmetaFault { file: name.clone(), what }),
            }
        }
        let folder = Folder(Arc::new(parsed));
        let mut definitions = HashMap::new();
        for name in files.keys() {
            let (Some(schema), Some(id)) = (folder.0.get(name), specification(name)) else { continue };
            match build(schema, name, &folder) {
                Ok(validator) => {
                    definitions.insert(id.to_owned(), Definition { validator, marks: marks.remove(name).unwrap_or_default() });
                }
                Err(what) => faults.push(SosmetaFault { file: name.clone(), what }),
            }
        }
        if definitions.is_empty() && faults.is_empty() {
            faults.push(SosmetaFault { file: String::new(), what: "no file named <contentSpecificationId>.json".to_owned() });
        }
        faults.truncate(FAULTS);
        let parts: Vec<&[u8]> = files.iter().flat_map(|(name, octets)| [name.as_bytes(), b"\0", octets.as_slice(), b"\0"]).collect();
        if faults.is_empty() { Ok(Self { definitions, words, hash: sha256_parts(&parts) }) } else { Err(faults) }
    }

    /// How many definitions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    /// Whether there is none; never so for what [`Sosmeta::compile`] made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// SHA-256 over names and octets of all files: a part of the rule set's hash.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// Whether the folder has this definition.
    #[must_use]
    pub fn has(&self, specification: &str) -> bool {
        self.definitions.contains_key(specification)
    }

    pub(super) fn marks(&self, specification: &str) -> Option<&Marks> {
        self.definitions.get(specification).map(|definition| &definition.marks)
    }

    /// What of a content is not as its definition says; nothing when there is no such definition.
    pub(super) fn check(&self, specification: &str, content: &Value, out: &mut Vec<Breach>) {
        let Some(definition) = self.definitions.get(specification) else { return };
        if definition.validator.is_valid(content) {
            return;
        }
        out.extend(definition.validator.iter_errors(content).take(FINDINGS).map(|error| self.breach(&error)));
    }

    fn breach(&self, error: &ValidationError<'_>) -> Breach {
        let known = |word: &str| self.words.contains(word);
        let mut pointer = String::new();
        for step in error.instance_path().as_str().split('/').skip(1) {
            let is_position = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
            pointer.push('/');
            pointer.push_str(if is_position || known(step) { step } else { "*" });
        }
        let (reason, members) = match error.kind() {
            ValidationErrorKind::Required { property } => {
                let member = property.as_str().filter(|p| known(p)).unwrap_or("*").to_owned();
                pointer.push('/');
                pointer.push_str(&member);
                ("json-required", member)
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                // A member's name is the sender's: only names that some definition knows are repeated.
                let members: Vec<&str> = unexpected.iter().map(String::as_str).filter(|m| known(m)).take(5).collect();
                ("json-unknown", members.join(", "))
            }
            ValidationErrorKind::Type { .. } => ("json-type", String::new()),
            ValidationErrorKind::Pattern { .. } => ("json-pattern", String::new()),
            ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => ("json-value", String::new()),
            ValidationErrorKind::MinLength { .. } => ("json-short", String::new()),
            ValidationErrorKind::MinItems { .. } => ("json-few", String::new()),
            other => ("json-other", other.keyword().to_owned()),
        };
        Breach { code: Code::E508, rule: "J-schema".into(), pointer, reason, members }
    }
}

/// The specification that a file name stands for: an OID and `.json`.
fn specification(name: &str) -> Option<&str> {
    name.strip_suffix(".json").filter(|id| Oid::parse(id).is_ok())
}

fn parse(name: &str, octets: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(octets).map_err(|e| format!("not JSON: {e}"))?;
    let draft = value.get("$schema").and_then(Value::as_str).map(|s| s.trim_end_matches('#').replacen("https:", "http:", 1));
    if draft.as_deref() != Some(DRAFT) {
        return Err(format!("$schema is not {DRAFT}#"));
    }
    match (specification(name), value.pointer("/sosmeta/oid").and_then(Value::as_str)) {
        (Some(id), Some(inside)) if id != inside => Err("the name is not the OID that the file gives itself (sosmeta.oid)".to_owned()),
        _ => Ok(value),
    }
}

fn build(schema: &Value, name: &str, folder: &Folder) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .with_base_uri(format!("{BASE}{name}"))
        .with_retriever(folder.clone())
        // An engine without backtracking: its time grows with the text alone, whatever the pattern.
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| format!("at {}: {error}", error.instance_path()))
}

/// Gathers the members' names and what the annotations mark, and drops the annotations: they are most of a definition's octets.
fn gather(schema: &mut Value, at: &mut Vec<String>, rules: &JsonRules, words: &mut HashSet<String>, marks: &mut Marks, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let Value::Object(schema) = schema else { return };
    schema.remove("sosmeta");
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        let marked: HashSet<&str> = members.iter().filter(|(_, member)| is_marked(member)).map(|(name, _)| name.as_str()).collect();
        let mut taken: Vec<&str> = Vec::new();
        for (row, set) in rules.one_of.iter().enumerate() {
            let whole = set.members.iter().all(|m| marked.contains(m.as_str()) && !taken.contains(&m.as_str()));
            if whole {
                taken.extend(set.members.iter().map(String::as_str));
                marks.one_of.push((Path { absolute: true, steps: at.clone() }, row));
            }
        }
        for (row, unless) in rules.unless.iter().enumerate() {
            if marked.contains(unless.member.as_str()) && members.contains_key(&unless.switch) {
                marks.unless.push((Path { absolute: true, steps: at.clone() }, row));
            }
        }
        for (name, member) in members.iter_mut() {
            words.insert(name.clone());
            at.push(name.clone());
            gather(member, at, rules, words, marks, depth);
            at.pop();
        }
    }
    if let Some(items) = schema.get_mut("items") {
        gather(items, at, rules, words, marks, depth);
    }
}

fn is_marked(member: &Value) -> bool {
    let own = member.pointer("/sosmeta/conditionalRequired").or_else(|| member.pointer("/items/sosmeta/conditionalRequired"));
    own.and_then(Value::as_bool) == Some(true)
}

/// What a definition may refer to: the folder's files, by name.
#[derive(Clone)]
struct Folder(Arc<HashMap<String, Value>>);

impl Retrieve for Folder {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.as_str().strip_prefix(BASE).map(|rest| rest.split('#').next().unwrap_or(rest));
        let by_id = |uri: &str| self.0.values().find(|v| v.get("$id").and_then(Value::as_str).map(|id| id.trim_end_matches('#')) == Some(uri));
        let found = name.and_then(|name| self.0.get(name)).or_else(|| by_id(uri.as_str()));
        found.cloned().ok_or_else(|| "not in the folder, and nothing is fetched from elsewhere".into())
    }
}
