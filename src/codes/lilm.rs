//! What notices of disclosures outside the archive name (`codes/lilm.toml`; messaging.md §4.4): urls of profiles and extensions, and code lists.
//! Each says whether it was seen; production starts with none that was not.

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::language::Language;
use crate::domain::oid::Oid;

const FILE: &str = "codes/lilm.toml";
/// The keys of the urls that a bundle needs.
pub const URLS: [&str; 17] = [
    "audit-event",
    "provenance",
    "organization",
    "practitioner",
    "practitioner-role",
    "consent",
    "register-type",
    "type-of-disclosure",
    "consent-extension",
    "further",
    "disclosed-data",
    "function-code",
    "original-function-code",
    "document-type",
    "precise-document-type",
    "practitioner-title",
    "authentication-method",
];
/// The keys of the lists.
pub const LISTS: [&str; 9] = ["type", "purpose", "manner", "authentication", "register", "role", "event", "service-task", "document-type"];

/// The keys of the lists that only the CDA rendering names.
pub const CDA: [&str; 6] = ["view", "field", "confidentiality", "file-format", "document-type", "record-status"];

/// What notices name.
#[derive(Debug)]
pub struct Lilm {
    node: String,
    urls: Vec<RawUrl>,
    lists: Vec<RawList>,
    cda: Vec<RawList>,
}

/// A code with its system and words, as a bundle writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding<'l> {
    /// A FHIR uri: `urn:oid:…` or `http://…`.
    pub system: &'l str,
    /// The code.
    pub code: &'l str,
    /// Its words.
    pub display: &'l str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    node: Spanned<String>,
    url: Vec<RawUrl>,
    list: Vec<RawList>,
    cda: Vec<RawList>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUrl {
    key: Spanned<String>,
    url: Spanned<String>,
    evidence: Evidence,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    key: Spanned<String>,
    system: Spanned<String>,
    /// The code system's name, where a CDA document says it.
    #[serde(default)]
    name: String,
    evidence: Evidence,
    codes: Vec<RawCode>,
    #[serde(skip)]
    uri: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCode {
    code: String,
    fi: String,
    sv: String,
    en: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Evidence {
    Seen,
    Inferred,
    Placeholder,
}

impl Lilm {
    /// Reads and checks the file: every url and list is there, once.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let mut raw: Raw = file.read()?;
        if raw.node.get_ref().is_empty() || !raw.node.get_ref().bytes().all(|b| b.is_ascii_digit()) {
            return Err(file.fault_at(&raw.node, "a node class is one arc of an OID"));
        }
        let keys: Vec<(&Spanned<String>, &[&str])> = raw
            .url
            .iter()
            .map(|u| (&u.key, URLS.as_slice()))
            .chain(raw.list.iter().map(|l| (&l.key, LISTS.as_slice())))
            .chain(raw.cda.iter().map(|l| (&l.key, CDA.as_slice())))
            .collect();
        for (at, (key, known)) in keys.iter().enumerate() {
            let twice = keys.iter().take(at).any(|(other, of)| of == known && other.get_ref() == key.get_ref());
            if twice || !known.contains(&key.get_ref().as_str()) {
                return Err(file.fault_at(*key, "an unknown key, or it stands twice"));
            }
        }
        if let Some(left) = URLS.iter().find(|key| raw.url.iter().all(|u| u.key.get_ref() != *key)) {
            return Err(RulesFault::of(FILE, format!("no url {left}")));
        }
        if let Some(left) = LISTS.iter().find(|key| raw.list.iter().all(|l| l.key.get_ref() != *key)) {
            return Err(RulesFault::of(FILE, format!("no list {left}")));
        }
        if let Some(left) = CDA.iter().find(|key| raw.cda.iter().all(|l| l.key.get_ref() != *key)) {
            return Err(RulesFault::of(FILE, format!("no cda {left}")));
        }
        // A CDA document names code systems by OID only, and has one code of each of these but the fields'.
        if let Some(list) = raw.cda.iter().find(|l| Oid::parse(l.system.get_ref()).is_err()) {
            return Err(file.fault_at(&list.system, "not an OID"));
        }
        if let Some(list) = raw.cda.iter().find(|l| l.codes.is_empty()) {
            return Err(file.fault_at(&list.key, "no code"));
        }
        if let Some(url) = raw.url.iter().find(|u| u.url.get_ref().is_empty()) {
            return Err(file.fault_at(&url.url, "empty"));
        }
        for list in raw.list.iter_mut().chain(&mut raw.cda) {
            let system = list.system.get_ref();
            if Oid::parse(system).is_err() && !system.starts_with("http://") && !system.starts_with("https://") {
                return Err(file.fault_at(&list.system, "neither an OID nor a url"));
            }
            if list.codes.iter().enumerate().any(|(at, code)| code.code.is_empty() || list.codes.iter().take(at).any(|c| c.code == code.code)) {
                return Err(file.fault_at(&list.key, "a code is empty or stands twice"));
            }
            list.uri = uri(system);
        }
        Ok(Self { node: raw.node.into_inner(), urls: raw.url, lists: raw.list, cda: raw.cda })
    }

    /// The node class of notices' ids.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// A url by its key.
    #[must_use]
    pub fn url(&self, key: &str) -> &str {
        self.urls.iter().find(|u| u.key.get_ref() == key).map_or("", |u| u.url.get_ref())
    }

    /// A code of a list, with its words in a language; `None` for one that is not in the list.
    #[must_use]
    pub fn coding(&self, list: &str, code: &str, language: Language) -> Option<Coding<'_>> {
        let list = self.list(list)?;
        let row = list.codes.iter().find(|row| row.code == code)?;
        Some(Coding { system: &list.uri, code: &row.code, display: row.words(language) })
    }

    /// A list's code system, as a FHIR uri.
    #[must_use]
    pub fn system(&self, list: &str) -> &str {
        self.list(list).map_or("", |list| &list.uri)
    }

    /// A list's codes, for a sentence: `paper, oral`.
    #[must_use]
    pub fn codes(&self, list: &str) -> String {
        self.list(list).map_or_else(String::new, |list| list.codes.iter().map(|row| row.code.as_str()).collect::<Vec<_>>().join(", "))
    }

    /// A code that the CDA rendering names, with its words and the name of its system: the list's first, or that of a field.
    #[must_use]
    pub fn cda(&self, list: &str, code: Option<&str>, language: Language) -> Option<(Coding<'_>, &str)> {
        let list = self.cda.iter().find(|l| l.key.get_ref() == list)?;
        let row = list.codes.iter().find(|row| code.is_none_or(|code| row.code == code))?;
        Some((Coding { system: list.system.get_ref(), code: &row.code, display: row.words(language) }, &list.name))
    }

    /// The name of a list's code system; empty where none is known.
    #[must_use]
    pub fn name(&self, list: &str) -> &str {
        self.list(list).map_or("", |list| &list.name)
    }

    /// The keys of what was never seen: production takes no disclosures while there is one. `cda`: with what only the CDA rendering names.
    #[must_use]
    pub fn placeholders(&self, cda: bool) -> Vec<&str> {
        let urls = self.urls.iter().filter(|u| u.evidence == Evidence::Placeholder).map(|u| u.key.get_ref().as_str());
        let lists = self.lists.iter().chain(self.cda.iter().filter(|_| cda));
        urls.chain(lists.filter(|l| l.evidence == Evidence::Placeholder).map(|l| l.key.get_ref().as_str())).collect()
    }

    /// The lists whose code system is a url, which a CDA document cannot name.
    #[must_use]
    pub fn without_oid(&self) -> Vec<&str> {
        // The type of the event and the actors' roles stand in the bundle only.
        let named = self.lists.iter().filter(|l| !matches!(l.key.get_ref().as_str(), "event" | "role"));
        named.filter(|l| Oid::parse(l.system.get_ref()).is_err()).map(|l| l.key.get_ref().as_str()).collect()
    }

    fn list(&self, key: &str) -> Option<&RawList> {
        self.lists.iter().find(|l| l.key.get_ref() == key)
    }
}

impl RawCode {
    const fn words(&self, language: Language) -> &str {
        match language {
            Language::Fi => self.fi.as_str(),
            Language::Sv => self.sv.as_str(),
            Language::En => self.en.as_str(),
        }
    }
}

/// A code system as a FHIR uri.
#[must_use]
pub fn uri(system: &str) -> String {
    if system.starts_with("http") { system.to_owned() } else { format!("urn:oid:{system}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn the_file_has_what_a_bundle_names_and_says_what_is_not_seen() {
        let lilm = Lilm::load(&embedded()).unwrap();
        assert!(URLS.iter().all(|key| !lilm.url(key).is_empty()) && LISTS.iter().all(|key| !lilm.system(key).is_empty()));
        let coding = lilm.coding("register", "1", Language::Fi).unwrap();
        assert_eq!((coding.system, coding.display), ("urn:oid:1.2.246.537.6.1264.201701", "Sosiaalihuollon asiakasrekisteri"));
        assert_eq!(lilm.coding("register", "9", Language::Fi), None);
        assert_eq!(lilm.placeholders(false), ["further", "type", "purpose"]);
        assert_eq!(lilm.placeholders(true), ["further", "type", "purpose", "view", "field", "document-type"]);
        assert!(CDA.iter().all(|key| lilm.cda(key, None, Language::Sv).is_some()) && lilm.without_oid().is_empty());
    }

    #[test]
    fn each_fault_names_its_line() {
        for (old, new) in [
            ("node = \"95\"", "node = \"9a\""),
            ("key = \"consent\"\n", "key = \"consents\"\n"),
            ("key = \"manner\"", "key = \"purpose\""),
            ("system = \"1.2.246.10.99999992.6.3\"", "system = \"three\""),
            ("code = \"oral\"", "code = \"paper\""),
            ("evidence = \"placeholder\"", "evidence = \"heard\""),
        ] {
            let mut files = embedded();
            let text = String::from_utf8(files[FILE].clone()).unwrap();
            assert!(text.contains(old), "{old}");
            files.insert(FILE.to_owned(), text.replacen(old, new, 1).into_bytes());
            let fault = Lilm::load(&files).unwrap_err();
            assert!(fault.file == FILE && fault.line > 0, "{fault}");
        }
    }
}
