//! What may be seen of a message that passes: what it is, codes, ids of documents, sizes. Nothing personal: no text, no name, no identity code, of nobody.

use crate::domain::document::Group;
use crate::domain::limits;
use crate::v3::ack;
use crate::xml::first_id::first_id;
use crate::xml::prepass::{self, Encoding};
use crate::xml::tree::{self, HL7, HL7FI, Node};

/// The longest value shown.
const VALUE: usize = 64;

/// What a message is, and facts by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `ClinicalDocument`, `RCMR_IN200002FI01`, `MCCI_IN000002UV01`, `JSON`, or `unreadable`.
    pub what: String,
    /// Codes and ids, in order.
    pub facts: Vec<(&'static str, String)>,
}

/// Looks.
#[must_use]
pub fn seen(octets: &[u8]) -> Seen {
    if let Ok(ack) = ack::read(octets) {
        let mut facts = vec![("answer", ack.ack_type.as_str().to_owned())];
        let codes: Vec<&str> = ack.details.iter().map(|d| d.code.as_str()).take(4).collect();
        facts.extend((!codes.is_empty()).then(|| ("codes", codes.join(","))));
        facts.extend(ack.position.map(|position| ("ledger", position.to_string())));
        let facts = facts.into_iter().map(|(name, value)| (name, plain(&value))).collect();
        return Seen { what: first_id(octets).map_or_else(|| "acknowledgement".to_owned(), |id| plain(&id.element)), facts };
    }
    if octets.first() == Some(&b'{') {
        let value: serde_json::Value = serde_json::from_slice(octets).unwrap_or_default();
        let kind = value.get("resourceType").and_then(serde_json::Value::as_str).map(|kind| ("resource", plain(kind)));
        return Seen { what: "JSON".to_owned(), facts: kind.into_iter().collect() };
    }
    let facts = facts(octets);
    let what = first_id(octets).map_or_else(|| "unreadable".to_owned(), |id| plain(&id.element));
    Seen { what, facts: facts.unwrap_or_else(|| vec![("state", "not well-formed".to_owned())]) }
}

/// What stands in a document or a frame; `None` when it cannot be read.
fn facts(octets: &[u8]) -> Option<Vec<(&'static str, String)>> {
    let walked = prepass::prepass_within(octets, Encoding::Any, limits::MESSAGE_OCTETS).ok()?;
    let document = tree::parse(walked.text).ok()?;
    let root = document.root_element();
    let own = |name: &str, attribute: &str| tree::child(root, HL7, name).and_then(|n| n.attribute(attribute)).map(plain);
    let mut facts = Vec::new();
    let reason = of(root, HL7, "reasonCode").and_then(|n| n.attribute("code"));
    facts.extend(reason.map(|code| ("request", plain(code))));
    // A document's header, or what a frame repeats of it, or the document that lies in it in clear.
    let group = of(root, HL7FI, "documentGroup").and_then(|n| n.attribute("code")).map(plain);
    facts.extend(group.map(|number| ("group", Group::ALL.iter().find(|g| g.number().to_string() == number).map_or_else(|| "other".to_owned(), |_| number))));
    facts.extend(own("languageCode", "code").map(|code| ("language", code)));
    facts.extend(own("versionNumber", "value").map(|number| ("version", number)));
    facts.extend(own("id", "root").filter(|id| id.bytes().all(|b| b.is_ascii_digit() || b == b'.')).map(|id| ("id", id)));
    Some(facts)
}

fn of<'a, 'i>(root: Node<'a, 'i>, namespace: &str, name: &str) -> Option<Node<'a, 'i>> {
    root.descendants().find(|n| n.is_element() && n.tag_name().name() == name && n.tag_name().namespace() == Some(namespace))
}

/// A value that may be shown: letters, digits and `. - _ : ,`, not long, and no identity code in it.
#[must_use]
pub fn plain(value: &str) -> String {
    let clean: String = value.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_:,#/@ ".contains(c) { c } else { '?' }).take(VALUE).collect();
    masked(&clean)
}

/// The text with whatever looks like an identity code covered, wherever it stands; a UUID, in which one may come about by chance, is left as it is.
#[must_use]
pub fn masked(text: &str) -> String {
    let octets = text.as_bytes();
    if is_uuid(octets) {
        return text.to_owned();
    }
    let is_code = |at: usize| {
        let digits = |from: usize, count: usize| octets.get(at + from..at + from + count).is_some_and(|d| d.iter().all(u8::is_ascii_digit));
        let sign = octets.get(at + 6).is_some_and(|s| b"-+ABCDEFUVWXYabcdefuvwxy".contains(s));
        digits(0, 6) && sign && digits(7, 3) && octets.get(at + 10).is_some_and(u8::is_ascii_alphanumeric)
    };
    let mut out = String::with_capacity(text.len());
    let mut skip_to = 0;
    for (at, c) in text.char_indices() {
        if at >= skip_to && is_code(at) {
            out.push_str("******-****");
            skip_to = at + 11;
        }
        if at >= skip_to {
            out.push(c);
        }
    }
    out
}

fn is_uuid(octets: &[u8]) -> bool {
    let is_one = |(at, octet): (usize, &u8)| if matches!(at, 8 | 13 | 18 | 23) { *octet == b'-' } else { octet.is_ascii_hexdigit() };
    octets.len() == 36 && octets.iter().enumerate().all(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::person::Person;
    use crate::generate::samples;

    #[test]
    fn no_sample_shows_its_client() {
        let (canary, other) = (Person::canary(), samples::swedish().person);
        for sample in samples::accepted(None).into_iter().chain(samples::queries()).chain(samples::disclosures()).chain(samples::hostile()) {
            let shown = format!("{:?}", seen(&sample.octets));
            for person in [&canary, &other] {
                assert!(!shown.contains(&person.hetu) && !shown.contains(person.family) && !shown.contains(person.given[0]), "{}: {shown}", sample.path);
                assert!(!shown.contains(&person.birth_date("")), "{}: {shown}", sample.path);
            }
            assert!(shown.is_ascii() && shown.len() < 500, "{shown}");
        }
    }

    #[test]
    fn a_document_is_called_by_its_codes() {
        let case = samples::good(Group::Case);
        let seen = seen(&case);
        assert_eq!(seen.what, "ClinicalDocument");
        let of = |name: &str| seen.facts.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        assert_eq!((of("group"), of("language"), of("version")), (Some("2"), Some("fi"), Some("1")));
        assert_eq!(of("id"), Some(samples::finnish().case.id.as_str()));
    }

    #[test]
    fn identity_codes_are_covered_wherever_they_stand() {
        let hetu = Person::canary().hetu;
        assert_eq!(masked(&format!("a{hetu}b {hetu}")), "a******-****b ******-****");
        assert_eq!(masked("010190A999w"), "******-****");
        assert_eq!(masked("1.2.246.10.99999992.95.2026.1000-1"), "1.2.246.10.99999992.95.2026.1000-1");
        assert_eq!(masked("ä010190-999Wä"), "ä******-****ä");
        assert_eq!(masked("2f010190-9992-4fc9-8a17-182191c3d063"), "2f010190-9992-4fc9-8a17-182191c3d063");
        assert_eq!(masked("2f010190-9992-4fc9-8a17-182191c3d06"), "2f******-****-4fc9-8a17-182191c3d06");
        assert_eq!(plain("x\u{1b}[2J<Häkki>"), "x?[2J?H?kki?".replace('[', "?"));
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be_so() {
        assert_eq!(seen(b"\x00\x01").what, "unreadable");
        assert_eq!(seen(b"").what, "unreadable");
        assert_eq!(seen(b"<a><b>").facts, [("state", "not well-formed".to_owned())]);
        assert_eq!(seen(b"{\"resourceType\":\"Bundle\"}").facts, [("resource", "Bundle".to_owned())]);
        assert_eq!(seen(b"{nonsense").what, "JSON");
    }
}
