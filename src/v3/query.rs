//! Reads `queryByParameter` (messaging.md §1.7 d): what is searched for, in which elements, how it must be written. Every parameter that cannot be read
//! is a finding, and all of them come at once. Pure; what the parameters are called is data (`codes/query.toml`).

use crate::codes::disclosure::DisclosureRules;
use crate::codes::query::{Form, Key, Parameter, QueryRules};
use crate::domain::ack::InstanceId;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::{Date, Group};
use crate::domain::environment::Environment;
use crate::domain::finding::{Finding, Place};
use crate::domain::limits;
use crate::domain::oid::{Oid, OidFault};
use crate::domain::person::{HETU_ROOT, Hetu, HetuFault};
use crate::domain::query::{Asker, Basis, Criteria, Query, SealedIds, Want};
use crate::domain::time::{Hl7Time, Moment, TimeFault, real_date};
use crate::xml::tree::{self, Document, HL7, Node};

/// The most parameters read: each document and set id may be one, and there are some dozen others.
const PARAMETERS: usize = 2 * limits::QUERY_HITS as usize + 50;
/// The longest code, extension or query id taken, in octets: national codes are shorter than ten, identity codes eleven.
const WORD_OCTETS: usize = 128;
/// The longest name of a person that the logs keep, in octets; what is longer is cut.
const NAME_OCTETS: usize = 256;

/// What a query is read with.
pub struct Reading<'r> {
    /// What parameters are called.
    pub rules: &'r QueryRules,
    /// Which grounds in law there are.
    pub grounds: &'r DisclosureRules,
    /// Whose persons may be asked for.
    pub environment: Environment,
    /// The site's keyed hash of a person's id (root, NUL, extension).
    pub hash: &'r dyn Fn(&[u8]) -> Digest,
    /// What the interaction asks for.
    pub want: Want,
    /// What the service request rests on.
    pub basis: Basis,
}

/// A query and the place in the message that its refusal may name.
#[derive(Debug)]
pub struct Read {
    /// The query.
    pub query: Query,
    /// Where it stands.
    pub place: Place,
}

/// Reads the query of a frame.
///
/// # Errors
/// Everything that is wrong with it, at most [`limits::FINDINGS`] findings.
pub fn read(carrier: &Document<'_>, reading: &Reading<'_>) -> Result<Read, Vec<Finding>> {
    let mut out = Vec::new();
    let control = tree::child(carrier.root_element(), HL7, "controlActProcess").unwrap_or_else(|| carrier.root_element());
    let mut queries = tree::children(control, HL7, "queryByParameter");
    let Some(by_parameter) = queries.next() else { return Err(vec![missing(Code::E301, control)]) };
    if let Some(second) = queries.next() {
        return Err(vec![missing(Code::E309, second)]);
    }
    let id = query_id(by_parameter, &mut out);
    controls(by_parameter, &mut out);
    let limit = limit(by_parameter, &mut out);
    let criteria = criteria(by_parameter, reading, &mut out);
    if !out.iter().any(Finding::is_error)
        && let Some(rule) = criteria.fault()
    {
        out.push(Finding::new(Code::E834, tree::place(by_parameter)).with("rule", rule));
    }
    if matches!(reading.basis, Basis::Permission | Basis::Statute) && criteria.client.is_none() {
        out.push(Finding::new(Code::E840, tree::place(by_parameter)));
    }
    let mut asker = asker(control, reading, &mut out);
    if reading.basis == Basis::Statute {
        asker.ground = ground(control, reading.grounds, &mut out);
    }
    if out.iter().any(Finding::is_error) {
        out.truncate(limits::FINDINGS);
        return Err(out);
    }
    Ok(Read { query: Query { want: reading.want, id, criteria, limit, asker, sealed: SealedIds::default() }, place: tree::place(by_parameter) })
}

fn missing(code: Code, node: Node<'_, '_>) -> Finding {
    Finding::new(code, tree::place(node)).with("field", "queryByParameter").with("element", "queryByParameter")
}

fn query_id(by_parameter: Node<'_, '_>, out: &mut Vec<Finding>) -> Option<InstanceId> {
    let node = tree::child(by_parameter, HL7, "queryId")?;
    let extension = node.attribute("extension");
    let rule = match node.attribute("root").map_or(Err(OidFault::Empty), Oid::parse) {
        Err(fault) => fault.word(),
        Ok(_) if extension.is_some_and(|e| e.len() > WORD_OCTETS) => "query-long",
        Ok(root) => return Some(InstanceId { root: root.as_str().to_owned(), extension: extension.map(str::to_owned) }),
    };
    out.push(value(node, "queryId", rule));
    None
}

/// What says how the answer comes: now, at once, as a new query. Anything else is not kept here.
fn controls(by_parameter: Node<'_, '_>, out: &mut Vec<Finding>) {
    for (name, taken) in [("statusCode", "new"), ("responseModalityCode", "R"), ("responsePriorityCode", "I")] {
        let node = tree::child(by_parameter, HL7, name);
        if let Some(node) = node.filter(|n| n.attribute("code") != Some(taken)) {
            out.push(value(node, name, "query-unsupported"));
        }
    }
    for name in ["modifyCode", "initialQuantityCode", "executionAndDeliveryTime", "matchCriterionList", "sortControl"] {
        if let Some(node) = tree::child(by_parameter, HL7, name) {
            out.push(value(node, name, "query-unsupported"));
        }
    }
}

/// `initialQuantity` lowers the limit: what would not fit is told as too many, never cut.
fn limit(by_parameter: Node<'_, '_>, out: &mut Vec<Finding>) -> u32 {
    let Some(node) = tree::child(by_parameter, HL7, "initialQuantity") else { return limits::QUERY_HITS };
    match node.attribute("value").and_then(|v| v.parse::<u32>().ok()).filter(|n| *n > 0) {
        Some(number) => number.min(limits::QUERY_HITS),
        None => {
            out.push(value(node, "initialQuantity", "query-number"));
            limits::QUERY_HITS
        }
    }
}

fn criteria(by_parameter: Node<'_, '_>, reading: &Reading<'_>, out: &mut Vec<Finding>) -> Criteria {
    let mut criteria = Criteria::default();
    let mut seen: Vec<Key> = Vec::new();
    let lists: Vec<Node<'_, '_>> = tree::children(by_parameter, HL7, "parameterList").take(2).collect();
    if let [_, second, ..] = lists.as_slice() {
        out.push(value(*second, "parameterList", "query-many"));
    }
    let elements = lists.first().into_iter().flat_map(Node::children).filter(Node::is_element);
    for (at, element) in elements.enumerate() {
        let name = element.tag_name();
        if at >= PARAMETERS || out.len() >= limits::FINDINGS {
            out.push(value(element, "parameterList", "query-many-values"));
            break;
        }
        let Some(parameter) = reading.rules.parameter(name.name()).filter(|_| name.namespace() == Some(HL7)) else {
            let shown: String = name.name().chars().take(64).collect();
            out.push(Finding::new(Code::E832, tree::place(element)).with("parameter", shown));
            continue;
        };
        if !parameter.many && seen.contains(&parameter.key) {
            out.push(value(element, &parameter.element, "query-many"));
            continue;
        }
        seen.push(parameter.key);
        take(element, parameter, reading, &mut criteria, out);
    }
    let many = limits::QUERY_HITS as usize;
    for (key, ids) in [(Key::Document, &mut criteria.ids), (Key::Set, &mut criteria.sets)] {
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > many {
            out.push(value(by_parameter, reading.rules.element(key), "query-many-values"));
        }
    }
    criteria
}

/// One parameter's values into the criteria.
fn take(element: Node<'_, '_>, parameter: &Parameter, reading: &Reading<'_>, criteria: &mut Criteria, out: &mut Vec<Finding>) {
    let name = parameter.element.as_str();
    let mut values = tree::children(element, HL7, "value").peekable();
    if let Some(strange) = element.children().find(|n| n.is_element() && !(n.tag_name().name() == "value" && n.tag_name().namespace() == Some(HL7))) {
        out.push(value(strange, name, "query-unsupported"));
        return;
    }
    if values.peek().is_none() {
        out.push(value(element, name, "query-empty"));
        return;
    }
    for (at, node) in values.enumerate() {
        // Each finding looks for its place in the whole message.
        if at >= PARAMETERS || out.len() >= limits::FINDINGS {
            out.push(value(node, name, "query-many-values"));
            return;
        }
        if at > 0 && !parameter.many {
            out.push(value(node, name, "query-many"));
            return;
        }
        if let Err((place, rule)) = one(node, parameter, reading, criteria) {
            out.push(value(place, name, rule));
        }
    }
}

type Wrong<'a, 'i> = (Node<'a, 'i>, &'static str);

fn one<'a, 'i>(node: Node<'a, 'i>, parameter: &Parameter, reading: &Reading<'_>, criteria: &mut Criteria) -> Result<(), Wrong<'a, 'i>> {
    if node.attribute("nullFlavor").is_some() {
        return Err((node, "query-empty"));
    }
    let wrong = |rule| (node, rule);
    match (parameter.key, &parameter.form) {
        (Key::Client, _) => criteria.client = Some(client(node, reading).map_err(wrong)?),
        (Key::Case, _) => criteria.case_id = Some(oid(node).map_err(wrong)?),
        (Key::Relation, _) => criteria.relation_id = Some(oid(node).map_err(wrong)?),
        (Key::Controller, _) => criteria.controller = Some(oid(node).map_err(wrong)?),
        (Key::Document, _) => criteria.ids.push(oid(node).map_err(wrong)?),
        (Key::Set, _) => criteria.sets.push(oid(node).map_err(wrong)?),
        (Key::ServiceTask, Form::Code(system)) => criteria.service_task = Some(code(node, system).map_err(wrong)?.to_owned()),
        (Key::GeneralType, Form::Code(system)) => criteria.general_type = Some(code(node, system).map_err(wrong)?.to_owned()),
        (Key::SpecificType, Form::Code(system)) => criteria.specific_type = Some(code(node, system).map_err(wrong)?.to_owned()),
        (Key::Group, Form::Code(system)) => {
            let group = code(node, system).map_err(wrong)?.parse().ok().and_then(Group::from_number);
            criteria.group = Some(group.ok_or_else(|| wrong("query-word"))?);
        }
        (Key::State, Form::Word(words)) => {
            criteria.state = *node.attribute("code").and_then(|word| words.get(word)).ok_or_else(|| wrong("query-word"))?;
        }
        (Key::Versions, _) => {
            criteria.all_versions = node.attribute("value").and_then(|v| v.parse().ok()).ok_or_else(|| wrong("query-flag"))?;
        }
        (Key::AsOf, _) => criteria.as_of = Some(end_of(time(node).map_err(wrong)?)),
        (Key::Authored, _) => (criteria.from, criteria.to) = interval(node)?,
        // The table's loader lets no other form through.
        (Key::ServiceTask | Key::GeneralType | Key::SpecificType | Key::Group | Key::State, _) => return Err(wrong("query-unsupported")),
    }
    Ok(())
}

/// The client, hashed as documents' clients are: an identity code that is checked, or another root's id.
fn client(node: Node<'_, '_>, reading: &Reading<'_>) -> Result<Digest, &'static str> {
    let root = oid(node)?;
    let extension = node.attribute("extension").unwrap_or("");
    client_hash(&root, extension, reading.environment, reading.hash)
}

/// The keyed hash of a client's id; also the command line's way to ask for one.
///
/// # Errors
/// The key of the word that says what is wrong, never the id.
pub fn client_hash(root: &Oid, extension: &str, environment: Environment, hash: &dyn Fn(&[u8]) -> Digest) -> Result<Digest, &'static str> {
    if extension.trim().is_empty() {
        return Err("query-empty");
    }
    if extension.len() > WORD_OCTETS {
        return Err("query-long");
    }
    if root.as_str() == HETU_ROOT {
        let hetu = Hetu::parse(extension).map_err(HetuFault::word)?;
        if let Some(rule) = hetu.misplaced_in(environment) {
            return Err(rule);
        }
    }
    Ok(hash(&[root.as_str().as_bytes(), &[0], extension.as_bytes()].concat()))
}

fn oid(node: Node<'_, '_>) -> Result<Oid, &'static str> {
    Oid::parse(node.attribute("root").unwrap_or("")).map_err(OidFault::word)
}

fn code<'a>(node: Node<'a, '_>, system: &str) -> Result<&'a str, &'static str> {
    let code = node.attribute("code").map(str::trim).filter(|c| !c.is_empty()).ok_or("query-empty")?;
    if node.attribute("codeSystem").is_some_and(|s| Oid::parse(s).map_or(true, |s| !s.is_under(system))) {
        return Err("query-system");
    }
    if code.len() > WORD_OCTETS { Err("query-long") } else { Ok(code) }
}

fn time(node: Node<'_, '_>) -> Result<Hl7Time, &'static str> {
    let text = node.attribute("value").filter(|v| !v.trim().is_empty()).ok_or("query-empty")?;
    Hl7Time::parse(text).map_err(|fault| match fault {
        TimeFault::Syntax => "time-syntax",
        TimeFault::NoSuchTime => "time-none",
    })
}

/// From the first day of `low` through the last day of `high`, each a year, month, day or time; or `@value`, one of these.
fn interval<'a, 'i>(node: Node<'a, 'i>) -> Result<(Option<Date>, Option<Date>), Wrong<'a, 'i>> {
    let bound = |name| tree::child(node, HL7, name).map(|b| time(b).map_err(|rule| (b, rule))).transpose();
    let (low, high) = (bound("low")?, bound("high")?);
    if low.is_none() && high.is_none() {
        let whole = time(node).map_err(|rule| (node, rule))?;
        return Ok((Some(whole.date), Some(last_day(&whole))));
    }
    if node.attribute("value").is_some() {
        return Err((node, "query-many"));
    }
    Ok((low.map(|t| t.date), high.map(|t| last_day(&t))))
}

/// The last day that a time of some precision means.
fn last_day(time: &Hl7Time) -> Date {
    let Date { year, month, .. } = time.date;
    let last_of = |month: u8| (28..=31).rev().find_map(|day| real_date(i64::from(year), i64::from(month), day));
    match time.digits {
        4 => last_of(12).unwrap_or(time.date),
        6 => last_of(month).unwrap_or(time.date),
        _ => time.date,
    }
}

/// The last moment that a time of some precision means, by whole days: what was valid on a date is what was valid when the day ended.
fn end_of(time: Hl7Time) -> Moment {
    if time.digits > 8 {
        return time.moment;
    }
    let Date { year, month, day } = last_day(&time);
    let end = Hl7Time::parse(&format!("{year:04}{month:02}{day:02}235959")).map_or(time.moment, |t| t.moment);
    Moment::from_micros(end.micros().saturating_add(999_999))
}

/// Who asks: the one organisation behind the performers, and the first person among them.
fn asker(control: Node<'_, '_>, reading: &Reading<'_>, out: &mut Vec<Finding>) -> Asker {
    let mut asker = Asker { basis: reading.basis, organisation: None, person: None, ground: None };
    let performers = || tree::children(control, HL7, "authorOrPerformer");
    let assigned = || performers().flat_map(|p| p.children()).filter(|n| n.is_element() && n.tag_name().name().starts_with("assigned"));
    for node in assigned() {
        if out.len() >= limits::FINDINGS {
            break;
        }
        let organisation = tree::child(node, HL7, "representedOrganization").and_then(|o| tree::child(o, HL7, "id"));
        match organisation.map(|id| (id, oid(id))) {
            Some((_, Ok(oid))) if asker.organisation.as_ref().is_none_or(|o| *o == oid) => asker.organisation = Some(oid),
            Some((id, Ok(_))) => out.push(Finding::new(Code::E835, tree::place(id)).with("rule", "register-two")),
            Some((id, Err(_))) => out.push(Finding::new(Code::E835, tree::place(id)).with("rule", "register-organisation")),
            None => {}
        }
        let id = tree::child(node, HL7, "id").filter(|_| node.tag_name().name() != "assignedDevice" && asker.person.is_none());
        if let Some((root, extension)) = id.and_then(|id| Some((id.attribute("root")?, id.attribute("extension")?))) {
            asker.person = Some((reading.hash)(&[root.as_bytes(), &[0], extension.as_bytes()].concat()));
        }
    }
    asker
}

/// The one ground in law among the reason codes.
fn ground(control: Node<'_, '_>, grounds: &DisclosureRules, out: &mut Vec<Finding>) -> Option<String> {
    let system = grounds.ground_system();
    let is_ground = |n: &Node<'_, '_>| n.attribute("codeSystem").is_some_and(|s| Oid::parse(s).is_ok_and(|s| s.is_under(system)));
    let mut reasons = tree::children(control, HL7, "reasonCode").filter(is_ground);
    let (place, rule) = match (reasons.next(), reasons.next()) {
        (Some(_), Some(second)) => (tree::place(second), "ground-many"),
        (None, _) => (tree::place(control), "ground-none"),
        (Some(node), None) => match node.attribute("code").and_then(|code| grounds.ground(code)) {
            Some(ground) => return Some(ground.code.clone()),
            None => (tree::attribute_place(node, "code"), "ground-unknown"),
        },
    };
    out.push(Finding::new(Code::E841, place).with("rule", rule).with("system", system));
    None
}

/// The name of the first person behind a query, as it stands there; for the logs, which keep it sealed.
#[must_use]
pub fn performer_name(carrier: &Document<'_>) -> Option<String> {
    let control = tree::child(carrier.root_element(), HL7, "controlActProcess")?;
    let mut assigned = tree::children(control, HL7, "authorOrPerformer").take(PARAMETERS).flat_map(|p| p.children()).filter(|n| n.is_element());
    let person = assigned.find(|n| n.tag_name().name().starts_with("assigned") && n.tag_name().name() != "assignedDevice")?;
    let within = |name| tree::child(person, HL7, name).and_then(|within| tree::child(within, HL7, "name"));
    let name = tree::child(person, HL7, "name").or_else(|| within("assignedPerson")).or_else(|| within("assigneePerson"))?;
    let words: Vec<&str> = name.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).map(str::trim).filter(|w| !w.is_empty()).take(8).collect();
    let mut name = words.join(" ");
    while name.len() > NAME_OCTETS {
        name.pop();
    }
    Some(name).filter(|name| !name.is_empty())
}

fn value(node: Node<'_, '_>, parameter: &str, rule: &str) -> Finding {
    Finding::new(Code::E833, tree::place(node)).with("parameter", parameter).with("rule", rule)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
