//! `[console]` and `[people.NAME]`: where the web console listens, by which doors people come in, and who they are.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checked::{ConfigFault, read_text};
use crate::domain::environment::Environment;
use crate::domain::oid::Oid;
use crate::domain::staff::{Person, Role};

/// The most people taken: those of one organisation's archive, not its clients.
const PEOPLE: usize = 1000;
/// The longest key or shown name, in octets.
const NAME_OCTETS: usize = 64;
/// The most folders of candidate rules.
const REHEARSALS: usize = 20;
/// The longest session, in minutes: a working day would leave a screen open over lunch.
const SESSION_MINUTES: u64 = 60;

/// `[console]` as it is written.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each option is explained in config/arkki.toml
pub struct RawConsole {
    pub listen: String,
    pub address: String,
    pub certificate_file: String,
    pub key_file: String,
    pub session_minutes: u64,
    pub organisation: String,
    pub link: String,
    pub people_file: String,
    pub card_authorities: Vec<String>,
    pub card_crls: Vec<String>,
    pub openid_issuer: String,
    pub openid_client: String,
    pub openid_secret_file: String,
    pub openid_ca_file: String,
    pub rehearsals: Vec<String>,
}

impl Default for RawConsole {
    fn default() -> Self {
        let none = String::new;
        Self {
            listen: "127.0.0.1:0".into(),
            address: none(),
            certificate_file: none(),
            key_file: none(),
            session_minutes: 30,
            organisation: "1.2.246.10.99999992.10.0".into(),
            link: none(),
            people_file: none(),
            card_authorities: Vec::new(),
            card_crls: Vec::new(),
            openid_issuer: none(),
            openid_client: none(),
            openid_secret_file: none(),
            openid_ca_file: none(),
            rehearsals: Vec::new(),
        }
    }
}

/// `[people.NAME]` as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each option is explained in config/arkki.toml
pub struct RawPerson {
    pub name: String,
    pub organisation: String,
    pub roles: Vec<String>,
    pub card: String,
    pub openid: String,
}

/// A file that holds people and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    people: BTreeMap<String, RawPerson>,
}

/// The console's doors, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each option is explained in config/arkki.toml
pub struct ConsolePlace {
    pub listen: SocketAddr,
    pub address: Option<String>,
    pub tls: Option<Tls>,
    pub session: Duration,
    pub link: Option<Person>,
    pub people: People,
    pub openid: Option<OpenId>,
    pub rehearsals: Vec<PathBuf>,
}

/// What the console proves itself with, and what it asks of cards.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Tls {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub card_authorities: Vec<PathBuf>,
    pub card_crls: Vec<PathBuf>,
}

/// The provider of the second door.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OpenId {
    pub issuer: String,
    pub client: String,
    pub secret_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
}

/// Who may come in by a card or by the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People(Vec<Registered>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Registered {
    person: Person,
    card: Option<String>,
    openid: Option<String>,
}

impl People {
    /// Whose card bears this subject serial number.
    #[must_use]
    pub fn of_card(&self, serial: &str) -> Option<&Person> {
        self.0.iter().find(|row| row.card.as_deref() == Some(serial)).map(|row| &row.person)
    }

    /// Whom the provider calls by this subject.
    #[must_use]
    pub fn of_openid(&self, subject: &str) -> Option<&Person> {
        self.0.iter().find(|row| row.openid.as_deref() == Some(subject)).map(|row| &row.person)
    }

    /// Everybody, with whether there is a card and whether the provider knows them; in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Person, bool, bool)> {
        self.0.iter().map(|row| (&row.person, row.card.is_some(), row.openid.is_some()))
    }
}

/// Checks both.
///
/// # Errors
/// The first thing that is wrong; an open console among them.
pub(super) fn check(raw: RawConsole, mut rows: BTreeMap<String, RawPerson>, environment: Environment) -> Result<ConsolePlace, ConfigFault> {
    let fault = |text: String| ConfigFault(format!("[console] {text}"));
    let listen: SocketAddr = raw.listen.parse().map_err(|_| fault(format!("listen = {:?} is not ADDRESS:PORT", raw.listen)))?;
    if !raw.people_file.is_empty() {
        let path = Path::new(&raw.people_file);
        let file: RawFile = toml::from_str(&read_text(path)?).map_err(|e| ConfigFault(format!("{}: {e}", path.display())))?;
        for (key, row) in file.people {
            if rows.insert(key.clone(), row).is_some() {
                return Err(ConfigFault(format!("[people.{key}] stands in the configuration and in {}", path.display())));
            }
        }
    }
    let people = people(rows)?;
    let tls = tls(&raw)?;
    if !listen.ip().is_loopback() && tls.is_none() {
        return Err(fault(format!("listen = {listen}: the console listens on this machine only, unless certificate_file and key_file are set")));
    }
    if !listen.ip().is_loopback() && raw.address.is_empty() {
        return Err(fault("address: what people write in their browsers is needed where listen is not this machine alone".into()));
    }
    if !(1..=SESSION_MINUTES).contains(&raw.session_minutes) {
        return Err(fault(format!("session_minutes = {}: say 1 to {SESSION_MINUTES}", raw.session_minutes)));
    }
    let address = (!raw.address.is_empty()).then_some(raw.address.clone());
    if let Some(address) = &address {
        let rest = address.strip_prefix(if tls.is_some() { "https://" } else { "http://" });
        if !rest.is_some_and(|host| !host.is_empty() && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b))) {
            return Err(fault(format!(
                "address = {address:?}: what people write in the browser is needed, such as https://arkki.example.fi:8443, without a path"
            )));
        }
    }
    Ok(ConsolePlace {
        link: link(&raw, &people, environment)?,
        openid: openid(&raw, address.is_some())?,
        session: Duration::from_secs(raw.session_minutes * 60),
        rehearsals: rehearsals(&raw.rehearsals)?,
        listen,
        address,
        tls,
        people,
    })
}

fn people(rows: BTreeMap<String, RawPerson>) -> Result<People, ConfigFault> {
    if rows.len() > PEOPLE {
        return Err(ConfigFault(format!("{} people; {PEOPLE} are taken at most", rows.len())));
    }
    let rows = rows.into_iter().map(|(key, row)| person(key, row)).collect::<Result<Vec<_>, _>>()?;
    for (door, keys) in
        [("card", rows.iter().filter_map(|r| r.card.as_ref()).collect::<Vec<_>>()), ("openid", rows.iter().filter_map(|r| r.openid.as_ref()).collect())]
    {
        let mut seen = HashSet::new();
        if !keys.iter().all(|key| seen.insert(*key)) {
            return Err(ConfigFault(format!("[people]: two people with the same {door}")));
        }
    }
    Ok(People(rows))
}

fn person(key: String, raw: RawPerson) -> Result<Registered, ConfigFault> {
    let fault = |text: &str| ConfigFault(format!("[people.{key}] {text}"));
    if !(1..=NAME_OCTETS).contains(&key.len()) || !key.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err(fault("a key of 1 to 64 letters, digits, dots, dashes, underscores is needed: it stands in the access log"));
    }
    if raw.name.len() > NAME_OCTETS || raw.name.chars().any(char::is_control) {
        return Err(fault("name: at most 64 octets without control characters"));
    }
    let mut roles = Vec::new();
    for word in &raw.roles {
        let known: Vec<&str> = Role::ALL.into_iter().map(Role::as_str).collect();
        roles.push(Role::parse(word).ok_or_else(|| fault(&format!("roles: {word:?}: say {}", known.join(", "))))?);
    }
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return Err(fault("roles: none; who has none need not come in"));
    }
    let organisation = Oid::parse(&raw.organisation).map_err(|_| fault("organisation: an OID is needed"))?;
    let name = if raw.name.is_empty() { key.clone() } else { raw.name };
    let some = |text: String| (!text.is_empty()).then_some(text);
    Ok(Registered { person: Person { key, name, organisation, roles }, card: some(raw.card), openid: some(raw.openid) })
}

/// The folders of candidate rules that a page may name, by their place in this list.
fn rehearsals(folders: &[String]) -> Result<Vec<PathBuf>, ConfigFault> {
    if folders.len() > REHEARSALS {
        return Err(ConfigFault(format!("[console] rehearsals: {} folders; {REHEARSALS} are taken at most", folders.len())));
    }
    if folders.iter().any(|folder| !Path::new(folder).is_absolute()) {
        return Err(ConfigFault("[console] rehearsals: whole paths are needed, such as /etc/arkki/rules-next".into()));
    }
    Ok(folders.iter().map(PathBuf::from).collect())
}

fn tls(raw: &RawConsole) -> Result<Option<Tls>, ConfigFault> {
    let paths = |list: &[String]| list.iter().map(PathBuf::from).collect();
    match (raw.certificate_file.is_empty(), raw.key_file.is_empty()) {
        (true, true) if raw.card_authorities.is_empty() => Ok(None),
        (true, true) => Err(ConfigFault("[console] card_authorities: cards are shown over TLS only; set certificate_file and key_file".into())),
        (false, false) => Ok(Some(Tls {
            certificate_file: PathBuf::from(&raw.certificate_file),
            key_file: PathBuf::from(&raw.key_file),
            card_authorities: paths(&raw.card_authorities),
            card_crls: paths(&raw.card_crls),
        })),
        _ => Err(ConfigFault("[console] certificate_file and key_file are set together or not at all".into())),
    }
}

/// Whom the one-time link lets in: the person that is named; where none is, a tester with every role in a test environment, and nobody in production.
fn link(raw: &RawConsole, people: &People, environment: Environment) -> Result<Option<Person>, ConfigFault> {
    if !raw.link.is_empty() {
        let named = people.0.iter().find(|row| row.person.key == raw.link).map(|row| row.person.clone());
        return named.map(Some).ok_or_else(|| ConfigFault(format!("[console] link = {:?}: there is no [people.{}]", raw.link, raw.link)));
    }
    if environment == Environment::Production {
        return Ok(None);
    }
    let organisation = Oid::parse(&raw.organisation).map_err(|_| ConfigFault(format!("[console] organisation = {:?} is not an OID", raw.organisation)))?;
    Ok(Some(Person { key: "local-tester".into(), name: "Local tester".into(), organisation, roles: Role::ALL.to_vec() }))
}

fn openid(raw: &RawConsole, has_address: bool) -> Result<Option<OpenId>, ConfigFault> {
    if raw.openid_issuer.is_empty() {
        return Ok(None);
    }
    let fault = |text: &str| Err(ConfigFault(format!("[console] {text}")));
    let is_local = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"].iter().any(|begins| raw.openid_issuer.starts_with(begins));
    if !raw.openid_issuer.starts_with("https://") && !is_local {
        return fault("openid_issuer: https://… is needed (http:// only for a provider on this machine)");
    }
    if raw.openid_issuer.ends_with('/') || !raw.openid_issuer.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#') {
        return fault("openid_issuer: the issuer's address as the provider writes it, without a slash at its end, ? or #");
    }
    if raw.openid_client.is_empty() {
        return fault("openid_client: the name under which the provider knows this console is needed");
    }
    if !has_address {
        return fault("openid_issuer: the provider sends people back to [console] address, which is empty");
    }
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    Ok(Some(OpenId {
        issuer: raw.openid_issuer.clone(),
        client: raw.openid_client.clone(),
        secret_file: path(&raw.openid_secret_file),
        ca_file: path(&raw.openid_ca_file),
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn place(console: &str, people: &str, environment: Environment) -> Result<ConsolePlace, String> {
        let file: RawFile = toml::from_str(people).unwrap();
        check(toml::from_str(console).unwrap(), file.people, environment).map_err(|fault| fault.0)
    }

    const PAIR: &str = "[people.anna]\nroles = [\"archivist\", \"operator\"]\norganisation = \"1.2.3\"\ncard = \"900001\"\n\
                        [people.bo]\nroles = [\"administrator\"]\norganisation = \"1.2.4\"\nopenid = \"bo\"\n";

    #[test]
    fn people_are_found_by_card_and_by_provider_and_by_nothing_else() {
        let place = place("", PAIR, Environment::Production).unwrap();
        let anna = place.people.of_card("900001").unwrap();
        assert_eq!((anna.key.as_str(), anna.organisation.as_str(), anna.actor().as_str()), ("anna", "1.2.3", "console:anna"));
        assert!(anna.may(Role::Archivist) && anna.may(Role::Operator) && !anna.may(Role::Administrator) && !anna.may(Role::Officer));
        assert_eq!(place.people.of_openid("bo").map(|p| p.key.as_str()), Some("bo"));
        for stranger in ["", "bo", "900002", "anna"] {
            assert_eq!(place.people.of_card(stranger), None, "{stranger}");
        }
        assert_eq!(place.people.of_openid(""), None);
        assert_eq!(place.link, None, "production has no nameless link");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (console, people, word) in [
            ("listen = \"0.0.0.0:443\"", "[people]", "this machine only"),
            ("listen = \"x\"", "[people]", "ADDRESS:PORT"),
            ("session_minutes = 0", "[people]", "1 to 60"),
            ("session_minutes = 61", "[people]", "1 to 60"),
            ("rehearsals = [\"rules\"]", "[people]", "whole paths"),
            ("link = \"eve\"", PAIR, "[people.eve]"),
            ("address = \"https://x\"", "[people]", "address"),
            ("address = \"http://x/y\"", "[people]", "address"),
            ("certificate_file = \"x\"", "[people]", "together"),
            ("card_authorities = [\"x\"]", "[people]", "TLS"),
            ("openid_issuer = \"http://login.example\"", "[people]", "https"),
            ("openid_issuer = \"https://login.example\"", "[people]", "openid_client"),
            ("openid_issuer = \"https://login.example\"\nopenid_client = \"a\"", "[people]", "address"),
            ("", "[people.x]\nroles = [\"king\"]\norganisation = \"1.2\"", "king"),
            ("", "[people.x]\nroles = []\norganisation = \"1.2\"", "none"),
            ("", "[people.x]\nroles = [\"operator\"]\norganisation = \"x\"", "OID"),
            ("", "[people.\"x y\"]\nroles = [\"operator\"]\norganisation = \"1.2\"", "key"),
            (
                "",
                "[people.a]\nroles = [\"operator\"]\norganisation = \"1.2\"\ncard = \"1\"\n[people.b]\nroles = [\"operator\"]\norganisation = \"1.2\"\ncard = \"1\"",
                "same card",
            ),
        ] {
            let said = place(console, people, Environment::Production).unwrap_err();
            assert!(said.contains(word), "{console} {people}: {said}");
        }
    }

    #[test]
    fn the_link_is_a_testers_in_test_and_a_persons_where_one_is_named() {
        assert_eq!(place("", "[people]", Environment::Test).unwrap().link.unwrap().roles, Role::ALL);
        assert_eq!(place("link = \"bo\"", PAIR, Environment::Production).unwrap().link.unwrap().roles, [Role::Administrator]);
    }
}
