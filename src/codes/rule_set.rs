//! All rules that are data, loaded and checked together, under the hash that every verdict names.

use super::access;
use super::body::BodyRules;
use super::catalogue::Catalogue;
use super::controllers::Controllers;
use super::disclosure::DisclosureRules;
use super::fault::RulesFault;
use super::json::JsonRules;
use super::lifecycle::Lifecycle;
use super::lilm::Lilm;
use super::profiles::Profiles;
use super::query::QueryRules;
use super::requests::Services;
use super::rules::Rules;
use super::signatures::Signatures;
use super::source::{Files, rules_of};
use super::system::Systems;
use super::tasks::ServiceTasks;
use super::will::WillRules;
use crate::cda::structured::sosmeta::Sosmeta;
use crate::cda::template::Templates;
use crate::crypto::sha256_parts;
use crate::domain::access::Matrix;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;

/// The rules of one Arkki: what they say, and their hash.
pub struct RuleSet {
    /// Sentences.
    pub catalogue: Catalogue,
    /// The rules by name.
    pub rules: Rules,
    /// Code systems.
    pub systems: Systems,
    /// Interactions and service requests.
    pub services: Services,
    /// Which system profile may ask for what.
    pub access: Matrix,
    /// Why documents are invalidated and reinstated.
    pub lifecycle: Lifecycle,
    /// What notices of disclosures outside the archive name.
    pub lilm: Lilm,
    /// What documents are checked as.
    pub profiles: Profiles,
    /// Search parameters and answers.
    pub query: QueryRules,
    /// How disclosures are decided.
    pub disclosure: DisclosureRules,
    /// What is known of single controllers.
    pub controllers: Controllers,
    /// Original service tasks and their pairs.
    pub tasks: ServiceTasks,
    /// Whose signature a document needs.
    pub signatures: Signatures,
    /// Metadata templates.
    pub templates: Templates,
    /// What a body may hold.
    pub body: BodyRules,
    /// What structured content must say beyond its definition.
    pub json: JsonRules,
    /// What is read of will documents.
    pub wills: WillRules,
    /// The national definitions, where the site has them.
    pub sosmeta: Option<Sosmeta>,
    hash: Digest,
}

impl RuleSet {
    /// Loads everything and checks it as one: what one file names, another must have.
    ///
    /// # Errors
    /// The first fault, by file and line.
    pub fn load(files: &Files) -> Result<Self, RulesFault> {
        let systems = Systems::load(files)?;
        let services = Services::load(files)?;
        let rules = Rules::load(files)?;
        Ok(Self {
            catalogue: Catalogue::load(files)?,
            access: access::load(files, &services)?,
            profiles: Profiles::load(files, &services)?,
            services,
            query: QueryRules::load(files)?,
            lifecycle: Lifecycle::load(files)?,
            disclosure: DisclosureRules::load(files)?,
            lilm: Lilm::load(files)?,
            controllers: Controllers::load(files)?,
            tasks: ServiceTasks::load(files)?,
            signatures: Signatures::load(files)?,
            templates: Templates::load(files, &systems, &rules)?,
            body: BodyRules::load(files)?,
            json: JsonRules::load(files, &systems)?,
            wills: WillRules::load(files)?,
            sosmeta: None,
            systems,
            rules,
            hash: hash_of(files),
        })
    }

    /// The id of the rule that a finding breaks, and where the rule comes from: its own source, the metadata element's, or the code's.
    #[must_use]
    pub fn rule_of(&self, finding: &Finding) -> (Option<String>, String) {
        let Some(id) = self.rules.id_of(finding) else { return (None, self.catalogue.source(finding.code).to_owned()) };
        let element = || id.split_once('.').and_then(|(_, key)| self.templates.fields().iter().find(|f| f.key() == key));
        let source = match (self.rules.get(&id), element()) {
            (Some(rule), _) => rule.source.clone(),
            (None, Some(field)) => format!("documents §2: {}", field.source()),
            (None, None) => self.catalogue.source(finding.code).to_owned(),
        };
        (Some(id.into_owned()), source)
    }

    /// The same rules with the national definitions beside them; the hash then names both.
    #[must_use]
    pub fn with_sosmeta(self, sosmeta: Sosmeta) -> Self {
        let hash = sha256_parts(&[self.hash.0.as_slice(), sosmeta.hash().0.as_slice()]);
        Self { sosmeta: Some(sosmeta), hash, ..self }
    }

    /// SHA-256 over the names and octets of every rule file, sorted by name, each with its length; and over the definitions' own hash where there are some.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.hash
    }
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RuleSet({})", self.hash)
    }
}

fn hash_of(files: &Files) -> Digest {
    let rules = rules_of(files);
    let lengths: Vec<[u8; 16]> = rules
        .iter()
        .map(|(name, octets)| {
            let mut both = [0; 16];
            both[..8].copy_from_slice(&(name.len() as u64).to_be_bytes());
            both[8..].copy_from_slice(&(octets.len() as u64).to_be_bytes());
            both
        })
        .collect();
    let parts: Vec<&[u8]> = rules.iter().zip(&lengths).flat_map(|((name, octets), length)| [length.as_slice(), name.as_bytes(), octets.as_slice()]).collect();
    sha256_parts(&parts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn the_hash_names_names_and_octets_and_nothing_else() {
        let files = embedded();
        let hash = RuleSet::load(&files).unwrap().hash();
        let mut other = files.clone();
        other.insert("config/arkki.toml".to_owned(), b"x".to_vec());
        assert_eq!(hash_of(&other), hash, "configuration is no rule");
        other.insert("codes/zz.toml".to_owned(), Vec::new());
        assert_ne!(hash_of(&other), hash);
        let mut changed = files;
        changed.get_mut("codes/words.toml").unwrap().push(b'\n');
        assert_ne!(hash_of(&changed), hash);
    }

    #[test]
    fn each_fault_names_its_file() {
        for (name, old, new) in [
            ("codes/systems/social.toml", "complete = true\n", "complete = 1\n"),
            ("codes/service_requests.toml", "groups = [1]", "groups = [6]"),
            ("codes/interactions.toml", "\"store\"", "\"shop\""),
            ("codes/access.toml", "\"storing\"", "\"shopping\""),
            ("codes/profiles.toml", "signing = \"social-header\"", "signing = \"margin\""),
            ("codes/service_tasks.toml", "2016-03-01", "2016-13-01"),
            ("codes/controllers.toml", "2024-09-01", "2024-09-31"),
            ("codes/rules/old.toml", "must = 'unit(custodian)", "must = 'units(custodian)"),
            ("codes/rules/identifiers.toml", "remove = [\"client@extension\"]", "remove = [\"clients@extension\"]"),
            ("templates/4-old.toml", "then = \"recommended\"", "then = \"wished\""),
            ("templates/5-client.toml", "present(json)", "presents(json)"),
            ("templates/shared.toml", "bad = \"0\"\n", ""),
            ("templates/shared.toml", "type = \"time\"", "type = \"moment\""),
            ("templates/5-client.toml", "[need]\nid", "[need]\nidd"),
        ] {
            let mut files = embedded();
            let text = String::from_utf8(files[name].clone()).unwrap();
            assert!(text.contains(old), "{name}");
            files.insert(name.to_owned(), text.replacen(old, new, 1).into_bytes());
            let fault = RuleSet::load(&files).unwrap_err();
            assert_eq!(fault.file, name, "{fault}");
            assert!(fault.line > 0, "{fault}");
        }
    }
}
