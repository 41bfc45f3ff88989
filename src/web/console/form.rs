//! What a browser sends: `application/x-www-form-urlencoded`, and the form of an outside disclosure that is read from it.

use std::collections::BTreeMap;

use crate::crypto::sha256_parts;
use crate::domain::digest::Digest;

/// The most data sets that the form offers: more come as a file with `arkki send`.
pub const ITEMS: usize = 10;
/// The most service tasks of one data set, as in the schema.
const TASKS: usize = 50;
/// The most fields of one request: what [`ITEMS`] data sets with all their tasks can have, and some.
const PAIRS: usize = 800;

/// The fields of an event, in the order of the page.
pub const FIELDS: [&str; 34] = [
    "language",
    "client_id",
    "client_family",
    "client_given",
    "disclosed_at",
    "type",
    "purpose",
    "manner",
    "basis",
    "statute",
    "permission",
    "given_by",
    "given_at",
    "given_scope",
    "discloser_id",
    "discloser_family",
    "discloser_given",
    "discloser_title",
    "discloser_organisation",
    "discloser_organisation_name",
    "discloser_unit",
    "discloser_unit_name",
    "recipient_kind",
    "recipient_organisation",
    "recipient_person",
    "recipient_name",
    "controller",
    "controller_name",
    "register",
    "description",
    "corrects",
    "event",
    "csrf",
    "action",
];
/// The fields of a data set; on the page each bears the set's number: `task_1`.
pub const ITEM_FIELDS: [&str; 7] = ["document", "set", "authored", "general", "precise", "description", "original"];
/// The field of a data set that may have several values.
pub const TASK: &str = "task";

/// The form, as typed. It names people: nothing shows it but its own page.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    values: BTreeMap<&'static str, String>,
    /// The data sets; at least one on the page.
    pub items: Vec<Item>,
}

/// A data set, as typed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Item {
    values: BTreeMap<&'static str, String>,
    /// Service tasks.
    pub tasks: Vec<String>,
}

impl Form {
    /// Reads the pairs; fields that the form does not have are read past.
    #[must_use]
    pub fn read(pairs: &[(String, String)]) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            if let Some(known) = FIELDS.iter().find(|known| **known == name.as_str()) {
                form.values.insert(known, value.trim().to_owned());
                continue;
            }
            let Some((field, number)) = name.rsplit_once('_') else { continue };
            let Some(at) = number.parse::<usize>().ok().filter(|n| (1..=ITEMS).contains(n)) else { continue };
            while form.items.len() < at {
                form.items.push(Item::default());
            }
            let Some(item) = form.items.get_mut(at - 1) else { continue };
            if field == TASK {
                if !value.is_empty() && item.tasks.len() < TASKS && !item.tasks.contains(value) {
                    item.tasks.push(value.clone());
                }
            } else if let Some(known) = ITEM_FIELDS.iter().find(|known| **known == field) {
                item.values.insert(known, value.trim().to_owned());
            }
        }
        form.or_one_item()
    }

    /// An empty form of this event, with some fields filled.
    #[must_use]
    pub fn new(filled: &[(&'static str, &str)]) -> Self {
        let values = filled.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { values, items: Vec::new() }.or_one_item()
    }

    fn or_one_item(mut self) -> Self {
        if self.items.is_empty() {
            self.items.push(Item::default());
        }
        self
    }

    /// A field's value; empty where it was not sent.
    #[must_use]
    pub fn get(&self, field: &str) -> &str {
        self.values.get(field).map_or("", String::as_str)
    }

    /// Sets a field.
    pub fn set(&mut self, field: &'static str, value: &str) {
        self.values.insert(field, value.to_owned());
    }

    /// Names all that is said, so that the same said twice is known; what belongs to the page alone does not count.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut words: Vec<&str> = Vec::new();
        for (name, value) in self.values.iter().filter(|(name, _)| !matches!(**name, "csrf" | "action")) {
            words.extend([*name, value.as_str()]);
        }
        for item in &self.items {
            words.push("item");
            item.values.iter().for_each(|(name, value)| words.extend([*name, value.as_str()]));
            item.tasks.iter().for_each(|task| words.extend([TASK, task.as_str()]));
        }
        let lengths: Vec<[u8; 8]> = words.iter().map(|word| (word.len() as u64).to_be_bytes()).collect();
        let parts: Vec<&[u8]> = words.iter().zip(&lengths).flat_map(|(word, length)| [length.as_slice(), word.as_bytes()]).collect();
        sha256_parts(&parts)
    }
}

impl Item {
    /// A field's value; empty where it was not sent.
    #[must_use]
    pub fn get(&self, field: &str) -> &str {
        self.values.get(field).map_or("", String::as_str)
    }
}

/// Reads a body; `None` when it is no form: not UTF-8, a broken escape, too many fields.
#[must_use]
pub fn pairs(body: &[u8]) -> Option<Vec<(String, String)>> {
    let mut out = Vec::new();
    for part in body.split(|octet| *octet == b'&').filter(|part| !part.is_empty()) {
        if out.len() >= PAIRS {
            return None;
        }
        let (name, value) = match part.iter().position(|octet| *octet == b'=') {
            Some(at) => (part.get(..at)?, part.get(at + 1..)?),
            None => (part, [].as_slice()),
        };
        out.push((decoded(name)?, decoded(value)?));
    }
    Some(out)
}

/// A value as a form or an address carries it.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

fn decoded(octets: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(octets.len());
    let mut rest = octets.iter();
    while let Some(octet) = rest.next() {
        out.push(match octet {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (char::from(*rest.next()?).to_digit(16)?, char::from(*rest.next()?).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => *other,
        });
    }
    // Browsers send line breaks of a text area as CRLF.
    String::from_utf8(out).ok().map(|text| text.replace("\r\n", "\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_browsers_write_it() {
        let read = pairs(b"client_family=M%C3%A4kel%C3%A4+%26+co&task_1=24&task_1=25&task_1=24&document_2=1.2&&flag&task_99=1&other=x").unwrap();
        let form = Form::read(&read);
        assert_eq!(form.get("client_family"), "Mäkelä & co");
        assert_eq!(form.items.len(), 2);
        assert_eq!((form.items[0].tasks.clone(), form.items[1].get("document")), (vec!["24".to_owned(), "25".to_owned()], "1.2"));
        for broken in [&b"a=%"[..], b"a=%2", b"a=%zz", b"a=%ff", &b"a=1&".repeat(PAIRS + 1)] {
            assert!(pairs(broken).is_none());
        }
        assert_eq!(Form::read(&pairs(b"").unwrap()).items.len(), 1);
    }

    #[test]
    fn what_is_said_has_one_name() {
        let form = |body: &[u8]| Form::read(&pairs(body).unwrap()).digest();
        assert_eq!(form(b"statute=x&csrf=1&action=send"), form(b"csrf=2&statute=x"));
        assert_ne!(form(b"statute=x"), form(b"permission=x"));
        assert_ne!(form(b"task_1=24&task_2=25"), form(b"task_1=24&task_1=25"));
    }
}
