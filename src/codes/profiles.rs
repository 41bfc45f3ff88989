//! Profiles (`codes/profiles.toml`): what a document is checked as, and what belongs to that: schemas, templates, encodings, the signature's place, the answer.

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::requests::{Operation, Services};
use super::signatures::SigningPlace;
use super::source::Files;

const FILE: &str = "codes/profiles.toml";
const INTERACTIONS: &str = "codes/interactions.toml";
/// The profile of a queue that names none.
pub const DEFAULT: &str = "kanta-social";
/// Where a site's own schema files stand among the rule files, one folder a profile.
pub const SITE_FOLDER: &str = "xsd/site/";

/// All profiles.
#[derive(Debug)]
pub struct Profiles {
    all: Vec<Profile>,
    default: Profile,
}

/// One profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, as configuration and `--profile` give it.
    pub name: String,
    /// The entry file of the document's schema set: the site's own where it has one.
    pub schema: String,
    /// The entry file of the frame's schema; `None`: documents of this profile come bare only.
    pub frame: Option<String>,
    /// Which templates the metadata is held to.
    pub templates: TemplateUse,
    /// Which encodings the archive takes; the schema stage takes them all.
    pub encoding: EncodingRule,
    /// Where a signature stands.
    pub signing: SigningPlace,
    /// The interaction that answers.
    pub acknowledgement: String,
}

/// Which templates the metadata of a profile's documents is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateUse {
    /// The one of the document's group; it gives the header facts that archiving needs.
    Group,
    /// None: the header facts that archiving needs are those of the CDA header alone, for documents outside the social register.
    Header,
    /// None, and no header facts: documents can be checked and not archived.
    None,
}

/// Which encodings a profile's archive takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodingRule {
    /// UTF-8 without a byte-order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Every encoding of XML.
    Any,
}

impl Profile {
    /// Whether documents of this profile can be archived: only where header facts are read.
    #[must_use]
    pub const fn can_be_archived(&self) -> bool {
        matches!(self.templates, TemplateUse::Group | TemplateUse::Header)
    }

    /// Whether its schema set is the site's own.
    #[must_use]
    pub fn has_site_schema(&self) -> bool {
        self.schema.starts_with(SITE_FOLDER)
    }
}

impl Profiles {
    /// Reads the table and holds it to the interactions and to the schema files that are there.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files, services: &Services) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let mut profiles: Vec<Profile> = Vec::with_capacity(raw.profile.len());
        for row in raw.profile {
            let name = row.id.get_ref();
            let well_named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !well_named || profiles.iter().any(|p| p.name == *name) {
                return Err(file.fault_at(&row.id, "a profile's name is of small letters, digits and hyphens, and stands once"));
            }
            let schema = match site_entry(files, name)? {
                Some(entry) => entry,
                None => present(&file, files, &row.schema)?,
            };
            let frame = row.frame.as_ref().map(|frame| present(&file, files, frame)).transpose()?;
            let answers = services.interaction(row.acknowledgement.get_ref()).is_some_and(|i| i.operation == Operation::Acknowledgement);
            if !answers {
                return Err(file.fault_at(&row.acknowledgement, format!("{INTERACTIONS} has no acknowledgement of this name")));
            }
            let place = SigningPlace::ALL.into_iter().find(|place| place.as_str() == row.signing.get_ref());
            let signing = place.ok_or_else(|| file.fault_at(&row.signing, "signing is none of social-header, patient-header, detached"))?;
            if row.templates != TemplateUse::None && signing != SigningPlace::Detached && row.encoding != EncodingRule::Utf8 {
                return Err(
                    file.fault_at(&row.id, "what is archived and signed within is UTF-8: templates = \"group\" or \"header\" goes with encoding = \"utf-8\"")
                );
            }
            let acknowledgement = row.acknowledgement.into_inner();
            profiles.push(Profile { name: row.id.into_inner(), schema, frame, templates: row.templates, encoding: row.encoding, signing, acknowledgement });
        }
        let Some(default) = profiles.iter().find(|p| p.name == DEFAULT).cloned() else {
            return Err(RulesFault::of(FILE, format!("the profile {DEFAULT}, which a queue takes that names none, is missing")));
        };
        let profiles = Self { all: profiles, default };
        match services.profiles().find(|(_, name)| profiles.get(name).is_none_or(|p| p.frame.is_none())) {
            Some((interaction, name)) => {
                Err(RulesFault::of(INTERACTIONS, format!("{interaction}: {FILE} has no profile {name} with a frame; it has {}", profiles.names().join(", "))))
            }
            None => Ok(profiles),
        }
    }

    /// A profile by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.all.iter().find(|p| p.name == name)
    }

    /// A profile by its name; the default one where there is none of that name (a message on hold may come from before a change of configuration).
    #[must_use]
    pub fn get_or_default(&self, name: &str) -> &Profile {
        self.get(name).unwrap_or(&self.default)
    }

    /// All of them, as the table has them.
    #[must_use]
    pub fn all(&self) -> &[Profile] {
        &self.all
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.all.iter().map(|p| p.name.as_str()).collect()
    }
}

/// How a site's entry file is named among the rule files: this file's content is the entry's name, so that the rule set's hash covers it.
#[must_use]
pub fn site_pointer(profile: &str) -> String {
    format!("{SITE_FOLDER}{profile}.entry")
}

fn site_entry(files: &Files, profile: &str) -> Result<Option<String>, RulesFault> {
    let pointer = site_pointer(profile);
    let Some(octets) = files.get(&pointer) else { return Ok(None) };
    match std::str::from_utf8(octets) {
        Ok(entry) if files.contains_key(entry) => Ok(Some(entry.to_owned())),
        _ => Err(RulesFault::of(&pointer, "the entry it names is not there")),
    }
}

fn present(file: &RuleFile<'_>, files: &Files, entry: &Spanned<String>) -> Result<String, RulesFault> {
    if files.contains_key(entry.get_ref()) { Ok(entry.get_ref().clone()) } else { Err(file.fault_at(entry, format!("{} is missing", entry.get_ref()))) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    profile: Vec<RawProfile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    id: Spanned<String>,
    schema: Spanned<String>,
    frame: Option<Spanned<String>>,
    templates: TemplateUse,
    encoding: EncodingRule,
    signing: Spanned<String>,
    acknowledgement: Spanned<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    fn loaded(files: &Files) -> Result<Profiles, RulesFault> {
        Profiles::load(files, &Services::load(files).unwrap())
    }

    #[test]
    fn the_four_profiles() {
        let profiles = loaded(&embedded()).unwrap();
        assert_eq!(profiles.names(), ["kanta-social", "kanta-patient", "cda-r2", "cda-r2-sdtc"]);
        let social = profiles.get(DEFAULT).unwrap();
        assert!(social.can_be_archived() && social.frame.is_some() && !social.has_site_schema());
        assert_eq!((social.signing, social.encoding), (SigningPlace::SocialHeader, EncodingRule::Utf8));
        let patient = profiles.get("kanta-patient").unwrap();
        assert_eq!((patient.signing, patient.can_be_archived()), (SigningPlace::PatientHeader, false));
        for name in ["cda-r2", "cda-r2-sdtc"] {
            let profile = profiles.get(name).unwrap();
            assert!(profile.can_be_archived() && profile.frame.is_none());
            assert_eq!((profile.signing, profile.encoding), (SigningPlace::Detached, EncodingRule::Any));
        }
    }

    #[test]
    fn a_sites_schema_takes_the_place_of_ours() {
        let mut files = embedded();
        files.insert(site_pointer("cda-r2"), b"xsd/site/cda-r2/CDA.xsd".to_vec());
        assert!(loaded(&files).is_err());
        files.insert("xsd/site/cda-r2/CDA.xsd".into(), Vec::new());
        assert!(loaded(&files).unwrap().get("cda-r2").unwrap().has_site_schema());
    }

    #[test]
    fn faults_name_their_line() {
        for (old, new, what) in [
            ("id = \"cda-r2\"", "id = \"kanta-social\"", "stands once"),
            ("xsd/kanta-social.xsd", "xsd/none.xsd", "missing"),
            ("acknowledgement = \"MCCI_IN000002UV01\"", "acknowledgement = \"RCMR_IN200002FI01\"", "no acknowledgement"),
            ("encoding = \"utf-8\"", "encoding = \"utf-7\"", "unknown variant"),
        ] {
            let mut files = embedded();
            let text = String::from_utf8(files[FILE].clone()).unwrap();
            files.insert(FILE.to_owned(), text.replacen(old, new, 1).into_bytes());
            let fault = loaded(&files).unwrap_err();
            assert!(fault.file == FILE && fault.line > 0 && fault.what.contains(what), "{fault}");
        }
        let mut files = embedded();
        let text = String::from_utf8(files[INTERACTIONS].clone()).unwrap();
        files.insert(INTERACTIONS.to_owned(), text.replacen("profile = \"kanta-social\"", "profile = \"cda-r2\"", 1).into_bytes());
        assert!(loaded(&files).unwrap_err().what.contains("cda-r2 with a frame"));
    }
}
