//! What a will document says (`codes/will.toml`): read whole or not at all, for a denial that was overlooked would be a disclosure against the client's will.

use serde_json::Value;

use super::Structured;
use crate::cda::body::Body;
use crate::cda::template::{Known, Reader};
use crate::codes::will::{WillKind, WillReads, WillRules};
use crate::domain::code::Code;
use crate::domain::document::Header;
use crate::domain::finding::Finding;
use crate::domain::limits::DENIALS;
use crate::domain::oid::Oid;
use crate::domain::will::{Denied, Edition, Said};

/// The longest service task code; the classification's have two digits.
const CODE: usize = 16;

/// Reads what a document of groups 7 to 9 says; `None` for other groups.
///
/// # Errors
/// E720, with what is not understood: what cannot be evaluated is not archived as a will.
pub fn read(header: &Header, body: &Body, reader: &Reader<'_, '_, '_>, rules: &WillRules) -> Result<Option<Said>, Vec<Finding>> {
    if !header.group.is_will() {
        return Ok(None);
    }
    let said = match &body.structured {
        None => Err("will-structure"),
        Some(structured) => structured.will(rules),
    };
    match said {
        Ok(Said::Denials(denied)) if denied.is_empty() && header.version == 1 => Err("will-nothing"),
        other => other,
    }
    .map(Some)
    .map_err(|reason| {
        let mut finding = reader.finding(Code::E720, Known::Json);
        finding.args.clear();
        vec![finding.with("reason", reason)]
    })
}

impl Structured {
    /// What the content says as a will; else the word that tells why it is not understood.
    fn will(&self, rules: &WillRules) -> Result<Said, &'static str> {
        let (root, content) = self.root.as_object().and_then(|root| root.iter().next()).ok_or("will-kind")?;
        let is_alone = self.root.as_object().is_some_and(|root| root.len() == 1);
        let kind = rules.kinds.iter().find(|kind| kind.group == self.group && kind.root == *root).filter(|_| is_alone).ok_or("will-kind")?;
        kind.read(content)
    }
}

impl WillKind {
    fn read(&self, content: &Value) -> Result<Said, &'static str> {
        let members = content.as_object().ok_or("will-kind")?;
        if members.keys().any(|member| !self.members.contains(member)) {
            return Err("will-member");
        }
        match &self.reads {
            WillReads::Edition(path) => match gathered(content, path)?.as_slice() {
                [edition] => Edition::parse(edition.as_str().ok_or("will-edition")?).map(|edition| Said::Informed { edition }).ok_or("will-edition"),
                _ => Err("will-edition"),
            },
            WillReads::Permitted(path) => match gathered(content, path)?.as_slice() {
                [Value::Bool(permitted)] => Ok(Said::Permitted(*permitted)),
                _ => Err("will-permitted"),
            },
            WillReads::Denials { documents, tasks, controllers } => {
                let mut denied = Vec::new();
                for value in gathered(content, documents)? {
                    denied.push(Denied::Document(oid(value)?));
                }
                for value in gathered(content, tasks)? {
                    denied.push(Denied::Task(code(value)?));
                }
                for value in gathered(content, controllers)? {
                    denied.push(Denied::Controller(oid(value)?));
                }
                if denied.len() > DENIALS { Err("will-many") } else { Ok(Said::Denials(denied)) }
            }
            WillReads::Cancelled(path) => {
                let named = gathered(content, path)?.into_iter().map(oid).collect::<Result<Vec<Oid>, _>>()?;
                match named.len() {
                    0 => Err("will-nothing"),
                    many if many > DENIALS => Err("will-many"),
                    _ => Ok(Said::Cancelled(named)),
                }
            }
        }
    }
}

/// Every value at a path. Nothing is overlooked: below the content itself an object that says something says the next member too.
fn gathered<'v>(content: &'v Value, path: &[String]) -> Result<Vec<&'v Value>, &'static str> {
    let mut found = vec![content];
    for (depth, step) in path.iter().enumerate() {
        let mut next = Vec::with_capacity(found.len());
        for value in found {
            let Value::Object(members) = value else { return Err("will-form") };
            match members.get(step) {
                Some(Value::Array(items)) => next.extend(items),
                Some(value) => next.push(value),
                None if depth == 0 || members.is_empty() => {}
                None => return Err("will-form"),
            }
        }
        if next.len() > DENIALS {
            return Err("will-many");
        }
        found = next;
    }
    Ok(found)
}

/// An OID, with or without `urn:oid:`.
fn oid(value: &Value) -> Result<Oid, &'static str> {
    let text = value.as_str().ok_or("will-form")?;
    Oid::parse(text.strip_prefix("urn:oid:").unwrap_or(text)).map_err(|_| "will-target")
}

fn code(value: &Value) -> Result<String, &'static str> {
    let text = value.as_str().ok_or("will-form")?;
    let is_code = (1..=CODE).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_code { Ok(text.to_owned()) } else { Err("will-target") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;
    use crate::domain::document::Group;
    use serde_json::json;

    fn said(group: Group, root: Value) -> Result<Said, &'static str> {
        Structured { root, specification: String::new(), group }.will(&WillRules::load(&embedded()).unwrap())
    }

    fn oid(text: &str) -> Oid {
        Oid::parse(text).unwrap()
    }

    #[test]
    fn each_kind_is_read_whole() {
        let informed = |edition: Value| said(Group::Informing, json!({ "kanta_informointiasiakirja": { "informointi": { "versio": edition } } }));
        assert_eq!(informed(json!("2.1")), Ok(Said::Informed { edition: Edition { major: 2, minor: 1 } }));
        assert_eq!(informed(json!("two")), Err("will-edition"));
        assert_eq!(informed(json!(2)), Err("will-edition"));
        let permitted = |value: Value| said(Group::Permission, json!({ "luovutuslupa_asiakirja": { "asiakas": {}, "voimassa_oleva_luovutuslupa": value } }));
        assert_eq!(permitted(json!({ "luovutuslupa": true })), Ok(Said::Permitted(true)));
        assert_eq!(permitted(json!({ "luovutuslupa": false })), Ok(Said::Permitted(false)));
        assert_eq!(permitted(json!({ "luovutuslupa": "true" })), Err("will-permitted"));
        assert_eq!(permitted(json!({})), Err("will-permitted"));
        assert_eq!(permitted(json!(true)), Err("will-form"));
        let cancelled = |value: Value| said(Group::Denial, json!({ "luovutuskiellon_peruutusasiakirja": { "peruttava_kieltoasiakirja": value } }));
        assert_eq!(cancelled(json!([{ "oid_tunnus": { "value": "1.2.3" } }])), Ok(Said::Cancelled(vec![oid("1.2.3")])));
        assert_eq!(cancelled(json!([])), Err("will-nothing"));
        assert_eq!(cancelled(json!([{ "oid_tunnus": { "value": "1.2." } }])), Err("will-target"));
    }

    #[test]
    fn no_denial_is_overlooked() {
        let denial = |content: Value| said(Group::Denial, json!({ "kieltoasiakirja": content }));
        let tasks = |each: Value| denial(json!({ "palvelutehtavaa_koskevat_luovutuskiellot": { "palvelutehtavaa_koskeva_luovutuskielto": each } }));
        let target = |code: &str| json!({ "palvelutehtava_jonka_tietojen_luovutus_kielletaan": [{ "code": code }] });
        let task = |code: &str| Denied::Task(code.to_owned());
        assert_eq!(tasks(json!([target("24"), target("25")])), Ok(Said::Denials(vec![task("24"), task("25")])));
        assert_eq!(tasks(json!(target("24"))), Ok(Said::Denials(vec![task("24")])));
        assert_eq!(tasks(json!([target("2 4")])), Err("will-target"));
        assert_eq!(tasks(json!([target("24"), { "kiellon_asettamisen_ajankohta": "2026-11-01" }])), Err("will-form"));
        assert_eq!(tasks(json!(["24"])), Err("will-form"));
        assert_eq!(denial(json!({ "palvelutehtavaa_koskevat_luovutuskielot": {} })), Err("will-member"));
        assert_eq!(denial(json!({})), Ok(Said::Denials(Vec::new())));
        assert_eq!(denial(json!([])), Err("will-kind"));
        let all = denial(json!({
            "asiakirjoja_koskevat_luovutuskiellot": { "asiakirjaa_koskeva_luovutuskielto": [
                { "asiakirja_jonka_luovutus_kielletaan": [{ "oid_tunnus": { "value": "1.2.3" } }, { "oid_tunnus": { "value": "urn:oid:1.2.4" } }] }] },
            "rekisterinpitajaa_koskevat_luovutuskiellot": { "rekisterinpitajaa_koskeva_luovutuskielto": [
                { "rekisterinpitaja_jonka_tietojen_luovutus_kielletaan": [{ "code": "1.2.246.10.1" }] }] },
        }));
        assert_eq!(all, Ok(Said::Denials(vec![Denied::Document(oid("1.2.3")), Denied::Document(oid("1.2.4")), Denied::Controller(oid("1.2.246.10.1"))])));
        assert_eq!(said(Group::Permission, json!({ "kieltoasiakirja": {} })), Err("will-kind"));
        assert_eq!(said(Group::Denial, json!({ "kieltoasiakirja": {}, "luovutuslupa_asiakirja": {} })), Err("will-kind"));
    }
}
