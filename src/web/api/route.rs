//! The API's one route table, as plain data: what is offered, to whom, with which parameters; and how a request becomes the words of a command line.

use std::path::Path;

use serde_json::{Map, Value};

/// The longest value of a parameter: an address, an OID, a sentence that says why.
const VALUE_OCTETS: usize = 8 * 1024;
/// How many values a parameter that may be repeated can have.
const VALUES: usize = 1000;

/// What a token may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Reader,
    /// Also replays, holds, discards, comments.
    Operator,
    /// Also what takes long or writes files: backups, audits.
    Administrator,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Operator, Self::Administrator];

    /// The word in the file of tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// How a route is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looks, and changes nothing: parameters in the query.
    Get,
    /// Does something: parameters in a JSON object.
    Post,
}

impl Method {
    /// HTTP's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What a parameter's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Flag,
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// A plain name of a file or folder within `[api] folder`.
    File,
}

/// One parameter, as the command has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name: the option's, without dashes.
    pub name: String,
    /// Whether the command takes it by its place instead of by name.
    pub positional: bool,
    /// What its value is.
    pub kind: Kind,
    /// Whether it may have several values.
    pub many: bool,
    /// Whether it must be there.
    pub required: bool,
    /// The values that are taken; empty: any.
    pub choices: Vec<String>,
    /// The value when it is not given.
    pub default: Option<String>,
    /// The option's own help.
    pub help: String,
}

/// One route: one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// How it is called.
    pub method: Method,
    /// The path below `/api/v1`, with `{name}` for a parameter in it.
    pub path: String,
    /// The command's words.
    pub command: Vec<String>,
    /// Who may.
    pub role: Role,
    /// The command's own help.
    pub summary: String,
    /// What it takes.
    pub parameters: Vec<Parameter>,
}

/// The values of a request by name, each in the order given.
pub(super) type Values = Vec<(String, String)>;

impl Route {
    /// The values in a path, when it is this route's.
    #[must_use]
    pub(super) fn matches(&self, path: &str) -> Option<Values> {
        let (ours, theirs): (Vec<&str>, Vec<&str>) = (self.path.split('/').collect(), path.split('/').collect());
        if ours.len() != theirs.len() {
            return None;
        }
        let mut values = Values::new();
        for (our, their) in ours.into_iter().zip(theirs) {
            match in_path(our) {
                Some(name) if !their.is_empty() => values.push((name.to_owned(), super::decoded(their)?)),
                None if our == their => {}
                Some(_) | None => return None,
            }
        }
        Some(values)
    }

    /// Whether a parameter stands in the path.
    #[must_use]
    pub fn is_in_path(&self, parameter: &str) -> bool {
        self.path.split('/').any(|part| in_path(part) == Some(parameter))
    }

    /// The words of the command line that say the same. Values are never taken for options: each stands behind its option's `=`, or behind `--`.
    ///
    /// # Errors
    /// What is wrong with the values, for who sent them.
    pub(super) fn arguments(&self, values: &Values, folder: Option<&Path>) -> Result<Vec<String>, String> {
        let mut words: Vec<String> = self.command.clone();
        let mut by_place = Vec::new();
        if let Some((name, _)) = values.iter().find(|(name, _)| !self.parameters.iter().any(|p| p.name == *name)) {
            let known: Vec<&str> = self.parameters.iter().map(|p| p.name.as_str()).collect();
            return Err(format!("no parameter {name:?}; there are: {}", known.join(", ")));
        }
        for parameter in &self.parameters {
            let name = &parameter.name;
            let given: Vec<&str> = values.iter().filter(|(of, _)| of == name).map(|(_, value)| value.as_str()).collect();
            if given.is_empty() && parameter.required {
                return Err(format!("{name} is missing"));
            }
            if given.len() > if parameter.many { VALUES } else { 1 } {
                return Err(format!("{name} has too many values"));
            }
            for value in given {
                if value.len() > VALUE_OCTETS || value.contains('\0') {
                    return Err(format!("{name}: at most {VALUE_OCTETS} octets without NUL"));
                }
                let value = match parameter.kind {
                    Kind::Flag if value == "true" => {
                        words.push(format!("--{name}"));
                        continue;
                    }
                    Kind::Flag if value == "false" => continue,
                    Kind::Flag => return Err(format!("{name} is true or false")),
                    Kind::File => file(name, value, folder)?,
                    Kind::Number | Kind::Text => value.to_owned(),
                };
                if parameter.positional {
                    by_place.push(value);
                } else {
                    words.push(format!("--{name}={value}"));
                }
            }
        }
        words.push("--".to_owned());
        words.extend(by_place);
        Ok(words)
    }
}

/// The members of a JSON object as values: texts, numbers, yes and no, and lists of them.
///
/// # Errors
/// Which member is something else.
pub(super) fn members(object: Map<String, Value>) -> Result<Values, String> {
    let mut values = Values::new();
    for (name, value) in object {
        let list = match value {
            Value::Array(list) => list,
            Value::Null => continue,
            one => vec![one],
        };
        for value in list {
            match value {
                Value::String(text) => values.push((name.clone(), text)),
                Value::Number(number) => values.push((name.clone(), number.to_string())),
                Value::Bool(flag) => values.push((name.clone(), flag.to_string())),
                Value::Null | Value::Array(_) | Value::Object(_) => return Err(format!("{name} is neither text, number, true, false, nor a list of them")),
            }
        }
    }
    Ok(values)
}

fn in_path(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// A file of the API's own folder: a caller names no other place on this machine.
fn file(name: &str, value: &str, folder: Option<&Path>) -> Result<String, String> {
    let Some(folder) = folder else { return Err(format!("{name} names a file, and no [api] folder is configured")) };
    let is_plain = !value.starts_with('.') && !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !is_plain {
        return Err(format!("{name} is the plain name of a file in [api] folder: letters, digits, dot, dash, underscore"));
    }
    folder.join(value).into_os_string().into_string().map_err(|_| "[api] folder is not UTF-8".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parameter(name: &str, kind: Kind) -> Parameter {
        Parameter { name: name.into(), positional: false, kind, many: false, required: false, choices: Vec::new(), default: None, help: String::new() }
    }

    fn route() -> Route {
        let id = Parameter { positional: true, required: true, ..parameter("id", Kind::Text) };
        Route {
            method: Method::Post,
            path: "/things/{id}/hold".into(),
            command: vec!["things".into(), "hold".into()],
            role: Role::Operator,
            summary: String::new(),
            parameters: vec![id, parameter("why", Kind::Text), parameter("now", Kind::Flag), parameter("into", Kind::File)],
        }
    }

    fn words(values: &[(&str, &str)], folder: Option<&str>) -> Result<String, String> {
        let values = values.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        route().arguments(&values, folder.map(Path::new)).map(|words| words.join(" "))
    }

    #[test]
    fn no_value_becomes_an_option() {
        assert_eq!(
            words(&[("id", "--config=/etc/shadow"), ("why", "--json"), ("now", "true")], None).unwrap(),
            "things hold --why=--json --now -- --config=/etc/shadow"
        );
        assert!(words(&[("why", "x")], None).unwrap_err().contains("id is missing"));
        assert!(words(&[("id", "1"), ("config", "x")], None).unwrap_err().contains("no parameter"));
        assert!(words(&[("id", "1"), ("id", "2")], None).unwrap_err().contains("too many"));
        assert!(words(&[("id", "1"), ("now", "yes")], None).is_err());
        assert!(words(&[("id", "a\0b")], None).is_err());
    }

    #[test]
    fn a_file_lies_in_the_folder_or_nowhere() {
        assert!(words(&[("id", "1"), ("into", "x")], None).unwrap_err().contains("[api] folder"));
        assert_eq!(words(&[("id", "1"), ("into", "x-1.tar")], Some("/var/a")).unwrap(), "things hold --into=/var/a/x-1.tar -- 1");
        for bad in ["../x", "/etc/x", "a/b", ".x", "", "a b", "..", "a\\b"] {
            assert!(words(&[("id", "1"), ("into", bad)], Some("/var/a")).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_match_whole_and_decoded() {
        assert_eq!(route().matches("/things/a%2Fb/hold"), Some(vec![("id".to_owned(), "a/b".to_owned())]));
        for other in
            ["/things//hold", "/things/1", "/things/1/hold/", "/things/%zz/hold", "/things/%ff/hold", "/things/%+5/hold", "/things/%5/hold", "/thing/1/hold"]
        {
            assert_eq!(route().matches(other), None, "{other}");
        }
    }
}
