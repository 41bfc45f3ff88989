//! Interactions and service requests: what may stand at the root of a message, and which request carries which document group.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{RuleFile, RulesFault};
use super::source::Files;
use crate::domain::document::Group;
use crate::domain::query::Basis;

const INTERACTIONS: &str = "codes/interactions.toml";
const REQUESTS: &str = "codes/service_requests.toml";

/// The two tables.
#[derive(Debug)]
pub struct Services {
    interactions: HashMap<String, Interaction>,
    families: HashMap<String, String>,
    requests: Vec<ServiceRequest>,
    purpose_base: String,
    purposes: Vec<String>,
}

/// An interaction, named by the root element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    /// `social` or `patient`: decides the service requests' code system.
    pub family: String,
    /// What the document in it is checked as (`codes/profiles.toml`).
    pub profile: String,
    /// What it asks for.
    pub operation: Operation,
    /// Whether this Arkki takes it.
    pub open: bool,
}

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Store a first or new version.
    Store,
    /// Store a new version.
    Replace,
    /// Invalidate.
    Invalidate,
    /// Take an invalidation back.
    Reinstate,
    /// Search metadata.
    MetadataQuery,
    /// Metadata found.
    MetadataResponse,
    /// Fetch documents.
    DocumentQuery,
    /// Documents found.
    DocumentResponse,
    /// An acknowledgement.
    Acknowledgement,
}

/// A service request (palvelupyyntö, tjänstbegäran).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRequest {
    /// Its code, `SP1`.
    pub code: String,
    /// Its family.
    pub family: String,
    /// What it asks for.
    pub operation: Operation,
    /// The document groups it carries.
    pub groups: Vec<Group>,
    /// What a query with it rests on.
    pub basis: Basis,
    /// Whether this Arkki takes it.
    pub open: bool,
}

impl Services {
    /// Reads and checks both tables.
    ///
    /// # Errors
    /// Names file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let file = RuleFile::open(files, REQUESTS)?;
        let raw: RawRequests = file.read()?;
        let mut requests: Vec<ServiceRequest> = Vec::with_capacity(raw.request.len());
        for request in raw.request {
            let groups: Option<Vec<Group>> = request.groups.iter().map(|n| Group::from_number(*n)).collect();
            let groups = groups.ok_or_else(|| file.fault_at(&request.code, "an unknown document group"))?;
            let code = request.code.get_ref();
            if !raw.family.contains_key(&request.family) || requests.iter().any(|r| r.code == *code && r.family == request.family) {
                return Err(file.fault_at(&request.code, "the family is unknown, or the code stands twice"));
            }
            if !known(&request.evidence) {
                return Err(file.fault_at(&request.code, "evidence is none of seen, inferred, placeholder"));
            }
            let basis = request.basis.as_deref().map_or(Some(Basis::OwnRegister), Basis::parse);
            let basis = basis.ok_or_else(|| file.fault_at(&request.code, "basis is none of own-register, register-right, permission, statute, wills"))?;
            requests.push(ServiceRequest { code: code.clone(), family: request.family, operation: request.operation, groups, basis, open: request.open });
        }
        let file = RuleFile::open(files, INTERACTIONS)?;
        let table: RawInteractions = file.read()?;
        let mut interactions = HashMap::new();
        for row in table.interaction {
            if !raw.family.contains_key(&row.family) || !known(&row.evidence) {
                return Err(file.fault_at(&row.id, "the family or the evidence is unknown"));
            }
            let interaction = Interaction { family: row.family, profile: row.profile, operation: row.operation, open: row.open };
            let id = row.id.get_ref().clone();
            if interactions.insert(id, interaction).is_some() {
                return Err(file.fault_at(&row.id, "the interaction stands twice"));
            }
        }
        let families = raw.family.into_iter().map(|(name, f)| (name, f.base)).collect();
        Ok(Self { interactions, families, requests, purpose_base: raw.purpose_base, purposes: raw.purposes })
    }

    /// An interaction by the root element's name.
    #[must_use]
    pub fn interaction(&self, name: &str) -> Option<&Interaction> {
        self.interactions.get(name)
    }

    /// Every interaction and its profile's name.
    pub fn profiles(&self) -> impl Iterator<Item = (&str, &str)> {
        self.interactions.iter().map(|(id, interaction)| (id.as_str(), interaction.profile.as_str()))
    }

    /// The code system's OID of a family's service requests.
    #[must_use]
    pub fn system_of(&self, family: &str) -> &str {
        self.families.get(family).map_or("", String::as_str)
    }

    /// A service request.
    #[must_use]
    pub fn request(&self, family: &str, code: &str) -> Option<&ServiceRequest> {
        self.requests.iter().find(|r| r.code == code && r.family == family)
    }

    /// The request that stores a group in the social family (for the maker of samples and `arkki send`).
    #[must_use]
    pub fn request_for(&self, group: Group) -> Option<&ServiceRequest> {
        self.requests.iter().find(|r| r.family == "social" && r.operation == Operation::Store && r.groups.contains(&group))
    }

    /// How a family asks for something without a document: the interaction and its service request; the first of each where there are several.
    #[must_use]
    pub fn asking(&self, family: &str, operation: Operation) -> Option<(&str, &ServiceRequest)> {
        let interactions = self.interactions.iter().filter(|(_, known)| known.family == family && known.operation == operation && known.open);
        let interaction = interactions.map(|(id, _)| id.as_str()).min()?;
        self.requests.iter().find(|r| r.family == family && r.operation == operation && r.open).map(|request| (interaction, request))
    }

    /// The purpose of use of an organisation's own registers: the first of the list.
    #[must_use]
    pub fn own_use(&self) -> Option<&str> {
        self.purposes.first().map(String::as_str)
    }

    /// The code system of purposes of use.
    #[must_use]
    pub fn purpose_base(&self) -> &str {
        &self.purpose_base
    }

    /// The codes of the known purposes of use.
    #[must_use]
    pub fn purposes(&self) -> &[String] {
        &self.purposes
    }

    /// Whether a purpose of use is known.
    #[must_use]
    pub fn knows_purpose(&self, code: &str) -> bool {
        self.purposes.iter().any(|p| p == code)
    }
}

fn known(evidence: &str) -> bool {
    matches!(evidence, "seen" | "inferred" | "placeholder")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequests {
    purpose_base: String,
    purposes: Vec<String>,
    family: HashMap<String, RawFamily>,
    request: Vec<RawRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFamily {
    base: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    code: Spanned<String>,
    family: String,
    operation: Operation,
    groups: Vec<u8>,
    basis: Option<String>,
    open: bool,
    evidence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInteractions {
    interaction: Vec<RawInteraction>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInteraction {
    id: Spanned<String>,
    family: String,
    profile: String,
    operation: Operation,
    open: bool,
    evidence: String,
}
