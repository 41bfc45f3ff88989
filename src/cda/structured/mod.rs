//! The structured form (`hl7fi:json`): strict JSON, as its national definition asks (`sosmeta`), with the conditions that a definition cannot say
//! (`conditions`), and in agreement with the header (documents.md §3.2, §7.5, Appendix B). Relation and case also give the facts that the header has no element for.

mod conditions;
pub mod sosmeta;
mod strict;
pub mod will;

use std::collections::BTreeSet;

use serde_json::Value;

use super::template::{Known, Reader};
use crate::codes::rule_set::RuleSet;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::finding::{Finding, Place, has_room};
use crate::domain::person::{HETU_ROOT, Hetu};
use crate::domain::time::{Hl7Time, iso_date};
use crate::xml::tree::{self, HL7, Node};
use conditions::Breach;

pub(crate) use strict::JsonFault;

/// What the JSON says, and which specification it says it obeys.
pub struct Structured {
    root: Value,
    specification: String,
    group: Group,
}

/// Never shown: it speaks of persons.
impl std::fmt::Debug for Structured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Structured")
    }
}

/// Reads the octets as one strict JSON object.
pub(crate) fn read(octets: &[u8], group: Group, specification: &str) -> Result<Structured, JsonFault> {
    let root = strict::read(octets)?;
    Ok(Structured { root, specification: specification.to_owned(), group })
}

impl Structured {
    /// Whether the relation is marked old; `None` where the JSON speaks of no relation.
    #[must_use]
    pub fn relation_is_old(&self) -> Option<bool> {
        if self.group != Group::ClientRelation {
            return None;
        }
        Some(self.at("/asiakkuusasiakirja/sosiaalihuollon_asiakkuus/vanha_asiakkuus").and_then(Value::as_bool).unwrap_or(false))
    }

    /// Whether the case is closed; `None` where the JSON speaks of no case.
    #[must_use]
    pub fn case_is_closed(&self, rules: &RuleSet) -> Option<bool> {
        if self.group != Group::Case {
            return None;
        }
        self.at("/asia_asiakirja/asian_tiedot")?;
        let code = self.at("/asia_asiakirja/asian_tiedot/tila/code").and_then(Value::as_str);
        Some(code.and_then(|code| rules.systems.get("caseState").and_then(|s| s.means(code))) == Some("closed"))
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        self.root.pointer(pointer)
    }

    /// What of the content is not as its definition and the conditions ask (E508, E509), and what is only told (W950, W952). `place` is the element's;
    /// the findings' paths go on with a JSON pointer.
    pub(crate) fn check(&self, rules: &RuleSet, place: &Place, out: &mut Vec<Finding>) {
        let mut breaches = Vec::new();
        let marks = match &rules.sosmeta {
            None => None,
            Some(sosmeta) if sosmeta.has(&self.specification) => {
                sosmeta.check(&self.specification, &self.root, &mut breaches);
                sosmeta.marks(&self.specification)
            }
            Some(_) => {
                out.push(Finding::new(Code::W950, place.clone()));
                None
            }
        };
        let by_schema = breaches.len();
        conditions::check(&self.root, &self.specification, &rules.json, marks, &mut breaches);
        let mut told = BTreeSet::new();
        for (at, breach) in breaches.iter().enumerate() {
            // What the definition itself asks for is told once, by it; a condition is told once a place.
            let is_news = at < by_schema || told.insert(&breach.pointer);
            if at < by_schema {
                told.insert(&breach.pointer);
            }
            if is_news && has_room(out.iter().map(|finding| finding.code), breach.code) {
                out.push(finding(breach, place));
            }
        }
    }

    /// What header and JSON do not agree on: E505, W908; and what the rules know only in part: W901, W909.
    pub(crate) fn agree(&self, reader: &Reader<'_, '_, '_>, rules: &RuleSet, out: &mut Vec<Finding>) {
        for row in rules.json.agree.iter().filter(|row| self.specification.starts_with(&row.of)) {
            let header = reader.value(row.header);
            let mut differs = false;
            conditions::each(&self.root, &self.root, &row.json, &mut |value, _| {
                differs |= value.as_str().is_some_and(|text| header.as_deref() != Some(text.strip_prefix("urn:oid:").unwrap_or(text)));
            });
            if differs {
                out.push(reader.finding(Code::E505, row.header).under(row.rule.clone()));
            }
        }
        self.clients(reader, rules, out);
        if self.group == Group::Case {
            self.case(reader, rules, out);
        }
    }

    /// One of the clients in the JSON (a shared case has several) is the header's.
    fn clients(&self, reader: &Reader<'_, '_, '_>, rules: &RuleSet, out: &mut Vec<Finding>) {
        let Some(node) = reader.node(Known::Client) else { return };
        let (root, extension) = (node.attribute("root").unwrap_or(""), node.attribute("extension").unwrap_or(""));
        let member = if root == HETU_ROOT { "/henkilotunnus/value" } else { "/tilapainen_yksilointitunnus/value" };
        let document = self.root.as_object().and_then(|root| root.values().next());
        let listed = document.into_iter().flat_map(|d| rules.json.clients.iter().filter_map(|m| d.get(m))).flat_map(|value| match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        });
        let clients: Vec<(&Value, Option<&str>)> = listed.map(|client| (client, client.pointer(member).and_then(Value::as_str))).collect();
        let must = matches!(self.group, Group::ClientRelation | Group::Case) || clients.iter().any(|(_, id)| id.is_some());
        match clients.iter().find(|(_, id)| *id == Some(extension)) {
            Some((client, _)) => {
                names(node, client, out);
                birth_date(reader, root, extension, client, out);
            }
            None if must => out.push(of_field(reader, Code::E505, Known::Client, "hetu").under("H-hetu")),
            None => {}
        }
    }

    fn case(&self, reader: &Reader<'_, '_, '_>, rules: &RuleSet, out: &mut Vec<Finding>) {
        self.case_name(reader, rules, out);
        let state = self.at("/asia_asiakirja/asian_tiedot/tila/code").and_then(Value::as_str);
        if state.is_none_or(|code| rules.systems.get("caseState").is_none_or(|s| s.value(code).is_none())) {
            out.push(of_field(reader, Code::W901, Known::Json, "caseState"));
        }
    }

    /// A case named by a classification that had ended when the document was made (R27; the 2023 names come first, so it is a warning).
    fn case_name(&self, reader: &Reader<'_, '_, '_>, rules: &RuleSet, out: &mut Vec<Finding>) {
        let system = self.at("/asia_asiakirja/asian_tiedot/nimi/system").and_then(Value::as_str).map(|s| s.strip_prefix("urn:oid:").unwrap_or(s));
        let made = reader.value(Known::Authored).and_then(|v| Hl7Time::parse(&v).ok());
        let (Some(system), Some(made), Some(names)) = (system, made, rules.systems.get("caseName")) else { return };
        if names.had_ended(system, made.date) {
            out.push(reader.finding(Code::W909, Known::Json));
        }
    }
}

fn finding(breach: &Breach, place: &Place) -> Finding {
    let place = Place { path: format!("{}#{}", place.path, breach.pointer), ..*place };
    let pointer = if breach.pointer.is_empty() { "/" } else { &breach.pointer };
    let finding = Finding::new(breach.code, place).with("pointer", pointer).with("reason", breach.reason).under(breach.rule.clone());
    if breach.members.is_empty() { finding } else { finding.with("member", breach.members.as_str()) }
}

fn of_field(reader: &Reader<'_, '_, '_>, code: Code, at: Known, field: &str) -> Finding {
    let mut finding = reader.finding(code, at);
    finding.args.clear();
    finding.with("field", field)
}

/// Family and given names are the same words in header and JSON, whatever their order, letter case, and which one the client is called by.
fn names(id: Node<'_, '_>, client: &Value, out: &mut Vec<Finding>) {
    let name = id.parent().and_then(|role| tree::child(role, HL7, "patient")).and_then(|patient| tree::child(patient, HL7, "name"));
    let Some(name) = name else { return };
    for (element, member, field) in [("family", "sukunimi", "clientFamily"), ("given", "etunimet", "clientGiven")] {
        let header: BTreeSet<String> = tree::children(name, HL7, element).flat_map(|part| words(&tree::text_of(part))).collect();
        let json: BTreeSet<String> = client.get(member).and_then(Value::as_str).map(words).unwrap_or_default().into_iter().collect();
        if !header.is_empty() && !json.is_empty() && header != json {
            let rule = if element == "family" { "H-family" } else { "H-given" };
            // The first of them: a person has several given names, and one of them says which is used.
            let at = tree::child(name, HL7, element).unwrap_or(name);
            out.push(Finding::new(Code::E505, tree::place(at)).with("field", field).under(rule));
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// Header, identity code and JSON name one birth date; vendors' test data does not always, so it is a warning (documents.md §7.5).
fn birth_date(reader: &Reader<'_, '_, '_>, root: &str, extension: &str, client: &Value, out: &mut Vec<Finding>) {
    let header = reader.value(Known::BirthTime).and_then(|v| Hl7Time::parse(&v).ok()).map(|t| t.date);
    let code = if root == HETU_ROOT { Hetu::parse(extension).ok().map(|h| h.born) } else { None };
    let json = client.get("syntymaaika").and_then(Value::as_str).and_then(iso_date);
    let mut dates = [header, code, json].into_iter().flatten();
    let first = dates.next();
    if first.is_some() && dates.any(|d| Some(d) != first) {
        out.push(reader.finding(Code::W908, Known::BirthTime).under("H-birth"));
    }
}
