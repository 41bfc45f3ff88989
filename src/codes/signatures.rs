//! Signatures as data (`codes/signatures.toml`): where they stand in a family of documents, what they may be made with, and whose a document needs.

use std::sync::LazyLock;

use serde::Deserialize;

use super::fault::{RuleFile, RulesFault};
use super::source::{self, Files};
use crate::crypto::algorithm::Algorithm;
use crate::domain::document::{Group, Header};

const FILE: &str = "codes/signatures.toml";

/// Where a family of documents keeps its signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningPlace {
    /// In `hl7fi:localSocialHeader`: the social-welfare family.
    SocialHeader,
    /// In `hl7fi:localHeader`: the patient family.
    PatientHeader,
    /// In a document of its own beside this one: plain CDA R2, which has no place for a signature.
    Detached,
}

impl SigningPlace {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SocialHeader, Self::PatientHeader, Self::Detached];

    /// The name in data files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SocialHeader => "social-header",
            Self::PatientHeader => "patient-header",
            Self::Detached => "detached",
        }
    }
}

/// The strict profile of signatures at one place. It names what is taken; nothing in it can be set to take more than one reader would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningProfile {
    /// Which place this is.
    pub place: SigningPlace,
    /// The header element with the `signatureCollection`; empty at [`SigningPlace::Detached`].
    pub header: String,
    /// Elements that stand before a collection that is made; empty: all.
    pub follows: Vec<String>,
    /// The elements that may be the body.
    pub bodies: Vec<String>,
    /// Whether the body's ID must be `OID` and the document's id.
    pub body_is_document: bool,
    /// The algorithms taken and made.
    pub algorithms: Vec<Algorithm>,
    /// Branches under which an organisation's number stands.
    pub organisations: Vec<String>,
    /// Roots of professionals' numbers.
    pub professionals: Vec<String>,
}

impl SigningProfile {
    /// The social family's profile, as built in.
    ///
    /// # Panics
    /// Never: a test reads the built-in file.
    #[must_use]
    pub fn social() -> &'static Self {
        Self::built_in(SigningPlace::SocialHeader)
    }

    /// A place's profile, as built in.
    ///
    /// # Panics
    /// Never: a test reads the built-in file.
    #[must_use]
    pub fn built_in(place: SigningPlace) -> &'static Self {
        static BUILT_IN: LazyLock<Option<Signatures>> = LazyLock::new(|| Signatures::load(&source::embedded()).ok());
        static NOTHING: LazyLock<SigningProfile> = LazyLock::new(SigningProfile::nothing);
        BUILT_IN.as_ref().map_or(&NOTHING, |signatures| signatures.at(place))
    }

    /// A profile that takes nothing.
    fn nothing() -> Self {
        Self {
            place: SigningPlace::Detached,
            header: String::new(),
            follows: Vec::new(),
            bodies: Vec::new(),
            body_is_document: true,
            algorithms: Vec::new(),
            organisations: Vec::new(),
            professionals: Vec::new(),
        }
    }
}

/// The three places' profiles, and which documents need a professional's own signature.
#[derive(Debug)]
pub struct Signatures {
    places: [SigningProfile; 3],
    needs: Vec<(Group, Vec<String>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    place: Vec<RawPlace>,
    professional: Vec<RawNeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlace {
    name: toml::Spanned<String>,
    header: String,
    follows: Vec<String>,
    bodies: Vec<String>,
    body_id: toml::Spanned<String>,
    algorithms: toml::Spanned<Vec<String>>,
    organisations: Vec<String>,
    professionals: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNeed {
    group: toml::Spanned<u8>,
    general_types: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
}

impl Signatures {
    /// Reads the tables.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, FILE)?;
        let raw: Raw = file.read()?;
        let place = |place: SigningPlace| match raw.place.iter().filter(|raw| raw.name.get_ref() == place.as_str()).collect::<Vec<_>>().as_slice() {
            [raw] => profile(&file, place, raw),
            _ => Err(RulesFault::of(FILE, format!("the place {:?} stands there once", place.as_str()))),
        };
        let places = [place(SigningPlace::SocialHeader)?, place(SigningPlace::PatientHeader)?, place(SigningPlace::Detached)?];
        if let Some(strange) = raw.place.iter().find(|raw| SigningPlace::ALL.iter().all(|place| place.as_str() != raw.name.get_ref())) {
            return Err(file.fault_at(&strange.name, "no such place"));
        }
        let need = |need: RawNeed| match Group::from_number(*need.group.get_ref()) {
            Some(group) => Ok((group, need.general_types)),
            None => Err(file.fault_at(&need.group, "no such document group")),
        };
        let needs = raw.professional.into_iter().map(need).collect::<Result<_, _>>()?;
        Ok(Self { places, needs })
    }

    /// The profile of a place.
    #[must_use]
    pub const fn at(&self, place: SigningPlace) -> &SigningProfile {
        let [social, patient, beside] = &self.places;
        match place {
            SigningPlace::SocialHeader => social,
            SigningPlace::PatientHeader => patient,
            SigningPlace::Detached => beside,
        }
    }

    /// Whether this document needs a professional's own signature.
    #[must_use]
    pub fn needs_professional(&self, header: &Header) -> bool {
        let general = header.general_type.as_deref().unwrap_or_default();
        self.needs.iter().any(|(group, types)| *group == header.group && types.iter().any(|t| t == general))
    }
}

fn profile(file: &RuleFile<'_>, place: SigningPlace, raw: &RawPlace) -> Result<SigningProfile, RulesFault> {
    let algorithm = |name: &String| Algorithm::from_name(name).ok_or_else(|| file.fault_at(&raw.algorithms, "no such algorithm"));
    let body_is_document = match raw.body_id.get_ref().as_str() {
        "document" => true,
        "any" => false,
        _ => return Err(file.fault_at(&raw.body_id, "body_id is \"document\" or \"any\"")),
    };
    if (place == SigningPlace::Detached) != raw.header.is_empty() || raw.header.is_empty() != raw.bodies.is_empty() {
        return Err(file.fault_at(&raw.name, "a place has a header and a body, and detached has neither"));
    }
    Ok(SigningProfile {
        place,
        header: raw.header.clone(),
        follows: raw.follows.clone(),
        bodies: raw.bodies.clone(),
        body_is_document,
        algorithms: raw.algorithms.get_ref().iter().map(algorithm).collect::<Result<_, _>>()?,
        organisations: raw.organisations.clone(),
        professionals: raw.professionals.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_can_be_read() {
        for place in SigningPlace::ALL {
            assert_eq!(SigningProfile::built_in(place).place, place);
        }
        let social = SigningProfile::social();
        assert_eq!((social.algorithms.as_slice(), social.header.as_str()), (&[Algorithm::RsaSha256][..], "localSocialHeader"));
    }
}
