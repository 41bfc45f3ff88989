//! The structured form (`hl7fi:json`) of client-relation and case documents: the few facts that the header has no element for (documents.md §3.2, Appendix B),
//! and their agreement with the header (§7.5). Everything else in the JSON is checked to be JSON and stepped over.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::template::{Known, Reader};
use crate::codes::rule_set::RuleSet;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::finding::Finding;
use crate::domain::person::{HETU_ROOT, Hetu};
use crate::domain::time::{Hl7Time, iso_date};

/// What the JSON says.
#[derive(Debug, Default)]
pub struct Structured {
    relation: Option<Relation>,
    case: Option<Case>,
}

/// Where JSON stops being JSON. The parser's own words are left out: they quote values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonFault {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Reads the octets as one JSON object; of groups 1 and 2 the facts are kept.
pub(crate) fn read(octets: &[u8], group: Group) -> Result<Structured, JsonFault> {
    let fault = |error: &serde_json::Error| JsonFault { line: error.line(), column: error.column() };
    let first = octets.iter().find(|b| !b.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err(JsonFault { line: 1, column: 1 });
    }
    match group {
        Group::ClientRelation => {
            let root: RelationRoot = serde_json::from_slice(octets).map_err(|e| fault(&e))?;
            Ok(Structured { relation: Some(root.asiakkuusasiakirja), case: None })
        }
        Group::Case => {
            let root: CaseRoot = serde_json::from_slice(octets).map_err(|e| fault(&e))?;
            Ok(Structured { relation: None, case: Some(root.asia_asiakirja) })
        }
        Group::PhaseOne | Group::Old | Group::Client | Group::Permission | Group::Denial => {
            let IgnoredAny = serde_json::from_slice(octets).map_err(|e| fault(&e))?;
            Ok(Structured::default())
        }
    }
}

impl Structured {
    /// Whether the relation is marked old; `None` where the JSON speaks of no relation.
    #[must_use]
    pub fn relation_is_old(&self) -> Option<bool> {
        let relation = self.relation.as_ref()?;
        Some(relation.sosiaalihuollon_asiakkuus.as_ref().and_then(|r| r.vanha_asiakkuus).unwrap_or(false))
    }

    /// Whether the case is closed; `None` where the JSON speaks of no case.
    #[must_use]
    pub fn case_is_closed(&self, rules: &RuleSet) -> Option<bool> {
        let facts = self.case.as_ref()?.asian_tiedot.as_ref()?;
        let system = rules.systems.get("caseState");
        Some(facts.tila.code.as_deref().and_then(|code| system.and_then(|s| s.means(code))) == Some("closed"))
    }

    /// What header and JSON do not agree on: E505, W908; and an unknown case status (W901).
    pub(crate) fn agree(&self, reader: &Reader<'_, '_, '_>, rules: &RuleSet, out: &mut Vec<Finding>) {
        if let Some(relation) = &self.relation {
            same(reader, Known::RelationId, relation.asiakkuuden_yksilointitunnus.as_ref().and_then(Identifier::oid), out);
            clients(reader, std::slice::from_ref(&relation.asiakas), out);
        }
        let Some(case) = &self.case else { return };
        clients(reader, &case.asiakas, out);
        let Some(facts) = &case.asian_tiedot else {
            out.push(reader.finding(Code::E504, Known::Json));
            return;
        };
        same(reader, Known::CaseId, facts.asiatunnus.oid(), out);
        same(reader, Known::ServiceTask, facts.palvelutehtava.code.as_deref(), out);
        case_name(reader, rules, facts.nimi.as_ref(), out);
        let known = facts.tila.code.as_deref().is_some_and(|code| rules.systems.get("caseState").is_some_and(|s| s.value(code).is_some()));
        if !known {
            let mut finding = reader.finding(Code::W901, Known::Json);
            finding.args.clear();
            out.push(finding.with("field", "caseState"));
        }
    }
}

/// A case named by a classification that had ended when the document was made (R27; the 2023 names come first, so it is a warning).
fn case_name(reader: &Reader<'_, '_, '_>, rules: &RuleSet, name: Option<&CaseName>, out: &mut Vec<Finding>) {
    let system = name.and_then(|n| n.system.as_deref()).map(|s| s.strip_prefix("urn:oid:").unwrap_or(s));
    let made = reader.value(Known::Authored).and_then(|v| Hl7Time::parse(&v).ok());
    let (Some(system), Some(made), Some(names)) = (system, made, rules.systems.get("caseName")) else { return };
    if names.had_ended(system, made.date) {
        out.push(reader.finding(Code::W909, Known::Json));
    }
}

/// A header value and a JSON value that must be the same where the JSON has one.
fn same(reader: &Reader<'_, '_, '_>, field: Known, json: Option<&str>, out: &mut Vec<Finding>) {
    if json.is_some_and(|value| reader.value(field).as_deref() != Some(value)) {
        out.push(reader.finding(Code::E505, field));
    }
}

/// One of the clients in the JSON (a shared case has several) is the header's.
fn clients(reader: &Reader<'_, '_, '_>, clients: &[Client], out: &mut Vec<Finding>) {
    let Some(node) = reader.node(Known::Client) else { return };
    let (root, extension) = (node.attribute("root").unwrap_or(""), node.attribute("extension").unwrap_or(""));
    let id = |c: &Client| {
        let id = if root == HETU_ROOT { &c.henkilotunnus } else { &c.tilapainen_yksilointitunnus };
        id.as_ref().and_then(|i| i.value.clone())
    };
    match clients.iter().find(|c| id(c).as_deref() == Some(extension)) {
        None => {
            let mut finding = reader.finding(Code::E505, Known::Client);
            finding.args.clear();
            out.push(finding.with("field", "hetu"));
        }
        Some(client) => birth_date(reader, root, extension, client, out),
    }
}

/// Header, identity code and JSON name one birth date; vendors' test data does not always, so it is a warning (documents.md §7.5).
fn birth_date(reader: &Reader<'_, '_, '_>, root: &str, extension: &str, client: &Client, out: &mut Vec<Finding>) {
    let header = reader.value(Known::BirthTime).and_then(|v| Hl7Time::parse(&v).ok()).map(|t| t.date);
    let code = if root == HETU_ROOT { Hetu::parse(extension).ok().map(|h| h.born) } else { None };
    let json = client.syntymaaika.as_deref().and_then(iso_date);
    let mut dates = [header, code, json].into_iter().flatten();
    let first = dates.next();
    if first.is_some() && dates.any(|d| Some(d) != first) {
        out.push(reader.finding(Code::W908, Known::BirthTime));
    }
}

#[derive(Debug, Deserialize)]
struct RelationRoot {
    asiakkuusasiakirja: Relation,
}

#[derive(Debug, Deserialize)]
struct Relation {
    asiakkuuden_yksilointitunnus: Option<Identifier>,
    asiakas: Client,
    sosiaalihuollon_asiakkuus: Option<RelationMark>,
}

#[derive(Debug, Deserialize)]
struct RelationMark {
    vanha_asiakkuus: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct CaseRoot {
    asia_asiakirja: Case,
}

#[derive(Debug, Deserialize)]
struct Case {
    asiakas: Vec<Client>,
    asian_tiedot: Option<CaseFacts>,
}

#[derive(Debug, Deserialize)]
struct CaseFacts {
    asiatunnus: Identifier,
    tila: Coded,
    palvelutehtava: Coded,
    nimi: Option<CaseName>,
}

#[derive(Debug, Deserialize)]
struct CaseName {
    system: Option<String>,
}

#[derive(Deserialize)]
struct Client {
    henkilotunnus: Option<Identifier>,
    tilapainen_yksilointitunnus: Option<Identifier>,
    syntymaaika: Option<String>,
}

/// Never shown: it is a person.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

#[derive(Deserialize)]
struct Identifier {
    value: Option<String>,
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identifier")
    }
}

impl Identifier {
    /// The OID, without the `urn:oid:` that some systems put before it.
    fn oid(&self) -> Option<&str> {
        self.value.as_deref().map(|v| v.strip_prefix("urn:oid:").unwrap_or(v))
    }
}

#[derive(Debug, Deserialize)]
struct Coded {
    code: Option<String>,
}
