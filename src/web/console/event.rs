//! The form as what `fhir::draft` writes an event of, and which of its fields must not be empty. Nothing else is judged here.

use super::form::{Form, Item};
use crate::fhir::draft::Typed;
pub use crate::fhir::draft::{Around, Event, write};

impl Typed for Form {
    fn get(&self, field: &str) -> &str {
        Self::get(self, field)
    }

    fn items(&self) -> usize {
        self.items.len()
    }

    fn of_item(&self, item: usize, field: &str) -> &str {
        self.items.get(item).map_or("", |item| item.get(field))
    }

    fn tasks(&self, item: usize) -> &[String] {
        self.items.get(item).map_or(&[], |item: &Item| &item.tasks)
    }
}

/// The fields that are needed for an event with this basis and have no value; each data set's by its number.
#[must_use]
pub fn missing(form: &Form) -> Vec<String> {
    let mut needed = vec!["client_id", "disclosed_at", "type", "purpose", "manner", "basis"];
    needed.extend(match form.get("basis") {
        "statute" => vec!["statute"],
        "permission" => vec!["permission"],
        "given-permission" | "given-consent" => vec!["given_by", "given_at", "given_scope"],
        _ => vec![],
    });
    needed.extend(["discloser_id", "discloser_organisation", "discloser_organisation_name"]);
    if !form.get("discloser_unit").is_empty() || !form.get("discloser_unit_name").is_empty() {
        needed.extend(["discloser_unit", "discloser_unit_name"]);
    }
    needed.extend(["recipient_kind", "controller", "controller_name", "register"]);
    let mut out: Vec<String> = needed.into_iter().filter(|field| form.get(field).is_empty()).map(str::to_owned).collect();
    for (at, item) in form.items.iter().enumerate() {
        if item.tasks.is_empty() {
            out.push(format!("task_{}", at + 1));
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::form::pairs;
    use super::*;
    use crate::codes::rule_set::RuleSet;
    use crate::codes::source::{embedded, rules_of};
    use crate::domain::language::Language;
    use crate::domain::oid::Oid;
    use crate::domain::time::Moment;
    use crate::fhir::event::NAMESPACE;
    use crate::xml::tree;

    fn event(body: &str) -> Event {
        let rules = RuleSet::load(&rules_of(&embedded())).unwrap();
        let (id, system) = (Oid::parse("2.25.7").unwrap(), Oid::parse("1.2.3").unwrap());
        let around = Around { id: &id, recorded: Moment::from_seconds(1_795_000_000), system: &system, processing: "T" };
        write(&Form::read(&pairs(body.as_bytes()).unwrap()), &around, &rules, Language::Fi)
    }

    #[test]
    fn hostile_words_stay_words_and_places_lead_back_to_their_fields() {
        let event = event(
            "client_family=%3C/family%3E%3Cx/%3E&client_id=%22%26%3C&basis=given-consent&given_scope=all&disclosed_at=2026-11-20T09:30&task_1=24&task_2=24&task_2=25&precise_2=15007",
        );
        let text = String::from_utf8(event.octets.clone()).unwrap();
        let tree = tree::parse(&text).unwrap();
        let client = tree::child(tree.root_element(), NAMESPACE, "client").unwrap();
        assert_eq!(client.attribute("extension"), Some("\"&<"));
        assert_eq!(tree::child(client, NAMESPACE, "family").map(tree::text_of).as_deref(), Some("</family><x/>"));
        assert!(text.contains("value=\"2026-11-20T07:30:00.000Z\""), "{text}");
        // Each place that the writer names is where the reader finds it.
        for (place, _) in &event.places {
            let element = place.split("/@").next().unwrap();
            assert!(tree.descendants().any(|node| node.is_element() && tree::path(node) == element), "{place}");
        }
        for (path, field) in [
            ("/OutsideDisclosure/client/@extension", Some("client_id")),
            ("/OutsideDisclosure/recipient", Some("recipient_kind")),
            ("/OutsideDisclosure/register/item[2]/serviceTask[2]/@code", Some("task_2")),
            ("/OutsideDisclosure/register/item[1]", Some("description_1")),
            ("/OutsideDisclosure/register/item[2]/document/@root", Some("description_2")),
            ("/OutsideDisclosure/basis/given/@at", Some("given_at")),
            ("/OutsideDisclosure/recordedAt/@value", Some("disclosed_at")),
            ("/OutsideDisclosure/id/@root", None),
            ("/", None),
        ] {
            assert_eq!(event.field(path), field, "{path}");
        }
    }

    #[test]
    fn what_is_needed_depends_on_the_basis() {
        let missing = |body: &str| missing(&Form::read(&pairs(body.as_bytes()).unwrap()));
        assert!(missing("basis=statute").contains(&"statute".to_owned()) && !missing("basis=permission").contains(&"statute".to_owned()));
        assert!(missing("basis=given-consent").contains(&"given_scope".to_owned()));
        assert!(missing("discloser_unit=1.2").contains(&"discloser_unit_name".to_owned()) && !missing("").contains(&"discloser_unit".to_owned()));
        assert!(missing("task_2=24").contains(&"task_1".to_owned()));
    }
}
