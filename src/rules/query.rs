//! What a query comes to on today's facts: found, nothing found, or refused because it found too much. Pure.

use crate::crypto::sha256_parts;
use crate::domain::ack::AckType;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::facts::Expectation;
use crate::domain::finding::{Finding, Place};
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::query::{Basis, Fetched, Found, Hit, Narrowing, Query, Want};
use crate::domain::scope::Scope;
use crate::rules::disclose::Standing;
use crate::v3::ack::outcome_digest;
use crate::v3::response::ResponseCode;

/// What the archive gave for a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What the search found.
    pub found: Found,
    /// The octets, when documents are asked for and the search found some.
    pub fetched: Option<Fetched>,
    /// The rule that opened each document found, where it is not the asker's own.
    pub rules: Vec<String>,
}

/// A query decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// How it went.
    pub code: ResponseCode,
    /// What the asker is told.
    pub findings: Vec<Finding>,
    /// The documents given.
    pub hits: Vec<Hit>,
    /// Their octets, when asked for.
    pub octets: Vec<Vec<u8>>,
    /// The rule that opened each of them, where it is not the asker's own.
    pub rules: Vec<String>,
    /// How many there are.
    pub total: u64,
}

/// A query decided, with all that its answer and its logs need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answering {
    /// What came of it.
    pub answered: Answered,
    /// What it looked at.
    pub scope: Scope,
    /// What it stood on, where it asked for another's data.
    pub standing: Option<Standing>,
    /// What it relied on.
    pub expects: Vec<Expectation>,
}

impl Answered {
    /// AA when nothing stands against it.
    #[must_use]
    pub fn ack_type(&self) -> AckType {
        let errors: Vec<AckType> = self.findings.iter().filter(|f| f.is_error()).map(|f| f.code.ack_type()).collect();
        match errors.as_slice() {
            [] => AckType::Accept,
            errors if errors.iter().all(|ack| *ack == AckType::Reject) => AckType::Reject,
            _ => AckType::Error,
        }
    }

    /// The code that names the outcome, when it is none of a success.
    #[must_use]
    pub fn refused(&self) -> Option<Code> {
        self.findings.iter().find(|f| f.is_error()).map(|f| f.code)
    }

    /// Names the outcome with the verdict for every document: the same means that the same octets may go out again.
    #[must_use]
    pub fn outcome(&self, want: Want) -> Digest {
        let base = outcome_digest(self.ack_type(), &self.findings);
        let kind = [u8::from(want == Want::Documents)];
        let mut parts: Vec<&[u8]> = vec![b"arkki-query-1", &base.0, &kind, self.code.as_str().as_bytes()];
        for hit in &self.hits {
            parts.extend([hit.header.id.as_str().as_bytes(), if hit.is_valid { b"+" } else { b"-" }, &hit.archived.0]);
        }
        sha256_parts(&parts)
    }
}

/// Decides. `place` is where findings about the whole query point.
#[must_use]
pub fn judge(query: &Query, looked: Looked, place: &Place) -> Answered {
    let refused = |findings, total| Answered { code: ResponseCode::Rejected, findings, hits: Vec::new(), octets: Vec::new(), rules: Vec::new(), total };
    let hits = match looked.found {
        Found::TooMany(narrowing) => return refused(too_many(&narrowing, query.limit, place), narrowing.counted),
        Found::TooSlow => return refused(vec![Finding::new(Code::E837, place.clone())], 0),
        Found::Damaged(documents) => return refused(damaged(documents.iter().map(Oid::as_str), place), 0),
        Found::Hits(hits) => hits,
    };
    let total = hits.len() as u64;
    let discloses = matches!(query.asker.basis, Basis::Permission | Basis::Statute);
    if discloses && query.want == Want::Documents && query.criteria.ids.len() == 1 && hits.is_empty() {
        // The same whether it is not there or not given.
        return refused(vec![Finding::new(Code::E845, place.clone())], 0);
    }
    let mut findings = Vec::new();
    let unfound = query.criteria.ids.iter().filter(|id| !hits.iter().any(|hit| hit.header.id == **id)).count();
    if unfound > 0 {
        findings.push(Finding::new(Code::W926, place.clone()).with("count", unfound.to_string()));
    }
    let octets = match (query.want, looked.fetched) {
        (Want::Metadata, _) | (Want::Documents, None) => Vec::new(),
        (Want::Documents, Some(Fetched::TooLarge(size))) => {
            let limit = limits::ANSWER_OCTETS.to_string();
            let finding = Finding::new(Code::E831, place.clone()).with("count", total.to_string()).with("octets", size.to_string()).with("limit", limit);
            return refused(vec![finding], total);
        }
        (Want::Documents, Some(Fetched::TooSlow)) => return refused(vec![Finding::new(Code::E837, place.clone())], total),
        (Want::Documents, Some(Fetched::Octets(octets))) => {
            if octets.iter().any(Option::is_none) {
                let lost = hits.iter().zip(&octets).filter(|(_, o)| o.is_none()).map(|(hit, _)| hit.header.id.as_str());
                return refused(damaged(lost, place), total);
            }
            octets.into_iter().flatten().collect()
        }
    };
    let code = if hits.is_empty() { ResponseCode::NothingFound } else { ResponseCode::Ok };
    Answered { code, findings, hits, octets, rules: looked.rules, total }
}

/// Documents that cannot be given, for they are not what was archived: the first of them, or one finding without a name where no id can be read.
fn damaged<'a>(documents: impl Iterator<Item = &'a str>, place: &Place) -> Vec<Finding> {
    let finding = || Finding::new(Code::E836, place.clone());
    let named: Vec<Finding> = documents.take(limits::NARROWING_CHOICES).map(|id| finding().with("document", id)).collect();
    if named.is_empty() { vec![finding()] } else { named }
}

/// "Too many", and for each way to narrow how many documents each value would leave.
fn too_many(narrowing: &Narrowing, limit: u32, place: &Place) -> Vec<Finding> {
    let mut first = Finding::new(Code::E830, place.clone()).with("count", narrowing.counted.to_string()).with("limit", limit.to_string());
    if narrowing.is_more {
        first = first.with("rule", "query-at-least");
    }
    let mut out = vec![first];
    for (way, choices) in &narrowing.ways {
        for choice in choices {
            let finding = Finding::new(Code::W925, place.clone()).with("field", format!("by-{}", way.as_str())).with("count", choice.count.to_string());
            out.push(match &choice.value {
                Some(value) => finding.with("value", value.as_str()),
                None => finding,
            });
        }
    }
    out.truncate(limits::FINDINGS);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::{Date, Group, Header};
    use crate::domain::query::{Asker, Criteria, SealedIds};
    use crate::domain::time::Moment;

    fn hit(n: u32) -> Hit {
        let oid = |text: &str| Oid::parse(text).unwrap_or_else(|_| unreachable!());
        let header = Header {
            id: oid(&format!("1.2.{n}")),
            set_id: oid(&format!("1.2.{n}")),
            version: 1,
            replaces: None,
            group: Group::Client,
            client: Digest::ZERO,
            controller: oid("1.2.3"),
            organiser: None,
            service_task: None,
            original_task: None,
            case_id: None,
            relation_id: None,
            general_type: None,
            specific_type: None,
            authored: Moment::from_seconds(0),
            authored_date: Date { year: 2026, month: 1, day: 1 },
            created: None,
            language: "fi".to_owned(),
            case_state: None,
            relation_state: None,
        };
        Hit { header, is_valid: true, archived: Digest([1; 32]), archived_at: Moment::from_seconds(0) }
    }

    fn judged(want: Want, hits: Vec<Hit>, fetched: Option<Fetched>) -> Answered {
        let criteria = Criteria { ids: hits.iter().map(|h| h.header.id.clone()).collect(), ..Criteria::default() };
        let asker = Asker { basis: Basis::OwnRegister, organisation: None, person: None, ground: None };
        let query = Query { want, id: None, criteria, limit: 300, asker, sealed: SealedIds::default() };
        judge(&query, Looked { found: Found::Hits(hits), fetched, rules: Vec::new() }, &Place::whole())
    }

    #[test]
    fn what_does_not_fit_or_is_damaged_is_given_in_no_part() {
        let large = judged(Want::Documents, vec![hit(1), hit(2)], Some(Fetched::TooLarge(99_000_000)));
        assert_eq!((large.refused(), large.ack_type(), large.hits.len(), large.total), (Some(Code::E831), AckType::Error, 0, 2));
        let damaged = judged(Want::Documents, vec![hit(1), hit(2)], Some(Fetched::Octets(vec![Some(vec![1]), None])));
        assert_eq!((damaged.refused(), damaged.ack_type(), damaged.octets.len()), (Some(Code::E836), AckType::Reject, 0));
        assert_eq!(damaged.findings.first().and_then(|f| f.arg("document")), Some("1.2.2"));
        let slow = judged(Want::Documents, vec![hit(1)], Some(Fetched::TooSlow));
        assert_eq!((slow.refused(), slow.ack_type(), slow.octets.len()), (Some(Code::E837), AckType::Reject, 0));
    }

    #[test]
    fn one_document_that_is_not_given_is_answered_like_one_that_is_not_there() {
        let asked = |basis, ids: &[&str]| {
            let ids = ids.iter().filter_map(|id| Oid::parse(id).ok()).collect();
            let asker = Asker { basis, organisation: None, person: None, ground: None };
            let query =
                Query { want: Want::Documents, id: None, criteria: Criteria { ids, ..Criteria::default() }, limit: 300, asker, sealed: SealedIds::default() };
            judge(&query, Looked { found: Found::Hits(Vec::new()), fetched: None, rules: Vec::new() }, &Place::whole())
        };
        for basis in [Basis::Permission, Basis::Statute] {
            let one = asked(basis, &["1.2.1"]);
            assert_eq!((one.refused(), one.ack_type(), one.total), (Some(Code::E845), AckType::Error, 0));
            assert_eq!(asked(basis, &["1.2.2"]).outcome(Want::Documents), one.outcome(Want::Documents));
            assert_eq!((asked(basis, &["1.2.1", "1.2.2"]).code, asked(basis, &[]).code), (ResponseCode::NothingFound, ResponseCode::NothingFound));
        }
        assert_eq!(asked(Basis::OwnRegister, &["1.2.1"]).refused(), None);
    }

    #[test]
    fn an_outcome_is_the_verdict_for_every_document() {
        let both = judged(Want::Metadata, vec![hit(1), hit(2)], None);
        let outcome = both.outcome(Want::Metadata);
        assert_eq!((both.code, both.refused()), (ResponseCode::Ok, None));
        assert_eq!(judged(Want::Metadata, vec![hit(1), hit(2)], None).outcome(Want::Metadata), outcome);
        assert_ne!(both.outcome(Want::Documents), outcome);
        assert_ne!(judged(Want::Metadata, vec![hit(1)], None).outcome(Want::Metadata), outcome);
        let invalidated = Hit { is_valid: false, ..hit(2) };
        assert_ne!(judged(Want::Metadata, vec![hit(1), invalidated], None).outcome(Want::Metadata), outcome);
        let nothing = judged(Want::Metadata, Vec::new(), None);
        assert_eq!((nothing.code, nothing.ack_type()), (ResponseCode::NothingFound, AckType::Accept));
    }
}
