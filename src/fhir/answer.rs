//! What a FHIR server says to a transaction: each resource's new id, or an `OperationOutcome`. Anything that is neither is not believed, whatever its status.
//! Of an `OperationOutcome` only codes and element paths are kept: its free words may quote the notice.

use serde_json::Value;

use crate::domain::handover::{StoredAs, Verdict, WORDS};

/// The most resources of one bundle, and so the most entries of an answer that are looked at.
pub const ENTRIES: usize = 512;
/// The most issues that are named.
const ISSUES: usize = 8;
/// The longest logical id (FHIR R4 §2.24.0.1, `id`).
const ID_OCTETS: usize = 64;
/// The longest code that is repeated.
const CODE_OCTETS: usize = 40;
/// The longest element path that is repeated.
const PATH_OCTETS: usize = 120;

/// A resource of a bundle as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// `request.url`: the resource's type.
    pub kind: String,
    /// The OID of `fullUrl`.
    pub id: String,
}

/// What a transaction bundle sends, in its order; `None` when it is no such bundle of ours.
#[must_use]
pub fn sent(bundle: &[u8]) -> Option<Vec<Sent>> {
    let bundle: Value = serde_json::from_slice(bundle).ok()?;
    let entries = bundle.get("entry")?.as_array().filter(|entries| !entries.is_empty() && entries.len() <= ENTRIES)?;
    let one = |entry: &Value| {
        let id = entry.get("fullUrl")?.as_str()?.strip_prefix("urn:oid:")?;
        Some(Sent { kind: entry.get("request")?.get("url")?.as_str()?.to_owned(), id: id.to_owned() })
    };
    entries.iter().map(one).collect()
}

/// Judges an answer to what was sent.
#[must_use]
pub fn judge(status: u16, body: &[u8], sent: &[Sent]) -> Verdict {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let kind = value.as_ref().and_then(|v| v.get("resourceType")).and_then(Value::as_str);
    match (status, kind) {
        (200..=299, Some("Bundle")) => value.as_ref().and_then(|v| stored(v, sent)).map_or_else(
            || Verdict::Unclear(format!("{status} with a Bundle that does not say where each of the {} resources is stored", sent.len())),
            Verdict::Taken,
        ),
        // They speak of us, of the address or of the moment, not of the notice.
        (401 | 403 | 404 | 405 | 407, _) => Verdict::Unwelcome(said(status, kind, value.as_ref())),
        (408 | 421 | 425 | 429, _) => Verdict::Unclear(said(status, kind, value.as_ref())),
        (400..=499, Some("OperationOutcome")) if value.as_ref().is_some_and(has_error) => Verdict::Refused(said(status, kind, value.as_ref())),
        _ => Verdict::Unclear(said(status, kind, value.as_ref())),
    }
}

/// The new ids, in the order of what was sent (FHIR R4 §3.1.0.11.2: entries in the order of the request), when every one is there.
fn stored(bundle: &Value, sent: &[Sent]) -> Option<Vec<StoredAs>> {
    let entries = bundle.get("entry")?.as_array()?;
    if bundle.get("type")?.as_str()? != "transaction-response" || entries.len() != sent.len() || sent.is_empty() {
        return None;
    }
    let pairs = entries.iter().zip(sent).map(|(entry, sent)| {
        let response = entry.get("response")?;
        let created = response.get("status")?.as_str()?.get(..3)?;
        // 201: made now; 200: it was there already (a repeat that the server knew).
        if !matches!(created, "200" | "201") {
            return None;
        }
        let id = located(response.get("location")?.as_str()?, &sent.kind)?;
        Some(StoredAs { kind: sent.kind.clone(), sent_id: sent.id.clone(), stored_id: id.to_owned() })
    });
    let pairs: Vec<StoredAs> = pairs.collect::<Option<_>>()?;
    // Two resources under one id would be one resource.
    let mut ids: Vec<(&str, &str)> = pairs.iter().map(|pair| (pair.kind.as_str(), pair.stored_id.as_str())).collect();
    ids.sort_unstable();
    ids.dedup();
    (ids.len() == pairs.len()).then_some(pairs)
}

/// The id in `[base/]Type/id[/_history/version]`.
fn located<'a>(location: &'a str, kind: &str) -> Option<&'a str> {
    let path = location.split_once("/_history/").map_or(location, |(path, _)| path);
    let (before, id) = path.rsplit_once('/')?;
    let of_kind = before == kind || before.strip_suffix(kind).is_some_and(|base| base.ends_with('/'));
    (of_kind && is_id(id)).then_some(id)
}

fn is_id(text: &str) -> bool {
    (1..=ID_OCTETS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

fn issues(outcome: &Value) -> impl Iterator<Item = &Value> {
    outcome.get("issue").and_then(Value::as_array).into_iter().flatten().take(ISSUES)
}

fn has_error(outcome: &Value) -> bool {
    issues(outcome).any(|issue| matches!(issue.get("severity").and_then(Value::as_str), Some("error" | "fatal")))
}

/// Status, codes and element paths, at most [`WORDS`] octets.
fn said(status: u16, kind: Option<&str>, value: Option<&Value>) -> String {
    let mut words = format!("HTTP {status}");
    match (kind, value) {
        (Some("OperationOutcome"), Some(outcome)) => {
            for issue in issues(outcome) {
                let codes = [issue.get("severity"), issue.get("code")].into_iter().flatten().chain(details(issue));
                let codes: Vec<&str> = codes.filter_map(Value::as_str).filter(|code| is_code(code)).collect();
                let paths = ["expression", "location"].into_iter().filter_map(|key| issue.get(key)?.as_array()).flatten();
                let path = paths.filter_map(Value::as_str).find(|path| is_path(path)).map(|path| format!(" at {path}")).unwrap_or_default();
                words.push_str(&format!("; {}{path}", codes.join(" ")));
            }
        }
        (Some(_), _) => words.push_str(" with another resource than was due"),
        (None, Some(_)) => words.push_str(" with JSON that is no resource"),
        (None, None) => words.push_str(" without a FHIR answer"),
    }
    // Every part is ASCII.
    words.truncate(WORDS);
    words
}

fn details(issue: &Value) -> impl Iterator<Item = &Value> {
    let codings = issue.get("details").and_then(|details| details.get("coding")).and_then(Value::as_array);
    codings.into_iter().flatten().take(2).filter_map(|coding| coding.get("code"))
}

/// A code as code systems have them; nobody's name or number looks like one that begins with a letter and holds no space.
fn is_code(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.len() <= CODE_OCTETS && digits <= 5 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// `Bundle.entry[0].resource.agent[1].who`: names of elements with small numbers.
fn is_path(text: &str) -> bool {
    let is_step = |step: &str| {
        let (name, index) = step.split_once('[').map_or((step, None), |(name, rest)| (name, Some(rest)));
        let index = index.is_none_or(|rest| rest.strip_suffix(']').is_some_and(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit())));
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic()) && index
    };
    text.len() <= PATH_OCTETS && text.starts_with(|c: char| c.is_ascii_uppercase()) && text.split('.').all(is_step)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PAIR: &str = r#"{"resourceType":"Bundle","type":"transaction-response","entry":[
        {"response":{"status":"201 Created","location":"AuditEvent/a-1/_history/1"}},
        {"response":{"status":"201","location":"https://log.example/fhir/Provenance/p.2"}}]}"#;

    fn pair() -> Vec<Sent> {
        let bundle = br#"{"entry":[{"fullUrl":"urn:oid:1.2.95.1","request":{"method":"POST","url":"AuditEvent"}},
            {"fullUrl":"urn:oid:1.2.95.2","request":{"method":"POST","url":"Provenance"}}]}"#;
        sent(bundle).unwrap()
    }

    fn is_unclear(status: u16, body: &str) -> bool {
        matches!(judge(status, body.as_bytes(), &pair()), Verdict::Unclear(_))
    }

    #[test]
    fn both_ids_are_read() {
        let Verdict::Taken(stored) = judge(200, PAIR.as_bytes(), &pair()) else { unreachable!() };
        let ids: Vec<(&str, &str)> = stored.iter().map(|s| (s.sent_id.as_str(), s.stored_id.as_str())).collect();
        assert_eq!(ids, [("1.2.95.1", "a-1"), ("1.2.95.2", "p.2")]);
    }

    #[test]
    fn what_does_not_name_every_id_is_not_believed() {
        assert!(!is_unclear(201, PAIR));
        for (from, to) in [
            ("transaction-response", "transaction"),
            ("AuditEvent/a-1", "Provenance/a-1"),
            ("AuditEvent/a-1", "NotAuditEvent/a-1"),
            ("AuditEvent/a-1", "AuditEvent/"),
            ("AuditEvent/a-1", "AuditEvent/a 1"),
            ("AuditEvent/a-1", "a-1"),
            ("201 Created", "400 Bad"),
            ("\"201\"", "201"),
            ("\"entry\"", "\"entries\""),
        ] {
            assert!(is_unclear(200, &PAIR.replace(from, to)), "{from} → {to}");
        }
        for body in ["", "garbage", "{}", "[]", "<html/>", r#"{"resourceType":"Bundle"}"#, r#"{"resourceType":"OperationOutcome","issue":[]}"#] {
            assert!(is_unclear(200, body), "{body}");
        }
        assert!(matches!(judge(200, PAIR.as_bytes(), &pair()[..1]), Verdict::Unclear(_)));
    }

    #[test]
    fn only_the_servers_own_word_refuses_a_notice() {
        let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"010181-900C Testi",
            "details":{"text":"Testi","coding":[{"system":"urn:x","code":"40112"}]},"expression":["Bundle.entry[0].resource"]}]}"#;
        let Verdict::Refused(words) = judge(400, outcome.as_bytes(), &pair()) else { unreachable!() };
        assert_eq!(words, "HTTP 400; error invalid 40112 at Bundle.entry[0].resource");
        assert!(matches!(judge(422, outcome.as_bytes(), &pair()), Verdict::Refused(_)));
        for status in [401, 403, 404] {
            assert!(matches!(judge(status, outcome.as_bytes(), &pair()), Verdict::Unwelcome(_)), "{status}");
        }
        for status in [301, 408, 429, 500, 503] {
            assert!(is_unclear(status, outcome), "{status}");
        }
        // A proxy's page, and an outcome without a fault.
        assert!(is_unclear(400, "<html>Bad Request</html>"));
        assert!(is_unclear(400, &outcome.replace("\"error\"", "\"information\"")));
    }

    #[test]
    fn free_words_are_never_repeated() {
        for (key, text) in [("code", "010181-900C"), ("code", "Testi Henkilö"), ("severity", "010181-900C")] {
            let outcome =
                format!(r#"{{"resourceType":"OperationOutcome","issue":[{{"{key}":"{text}","expression":["010181-900C","Patient.where(x='y')"]}}]}}"#);
            let (Verdict::Unclear(words) | Verdict::Refused(words)) = judge(400, outcome.as_bytes(), &pair()) else { unreachable!() };
            assert!(!words.contains("900C") && !words.contains("Henkil") && !words.contains("where"), "{words}");
        }
    }

    #[test]
    fn what_is_sent_is_read_from_the_bundle_itself() {
        assert_eq!(pair().len(), 2);
        for bad in
            ["", "{}", r#"{"entry":[]}"#, r#"{"entry":[{"fullUrl":"urn:uuid:1","request":{"url":"AuditEvent"}}]}"#, r#"{"entry":[{"fullUrl":"urn:oid:1"}]}"#]
        {
            assert_eq!(sent(bad.as_bytes()), None, "{bad}");
        }
    }
}
