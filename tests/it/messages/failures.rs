//! What is refused, row by row (messaging.md §9.3): the message, its acknowledgement's type and codes, what the same octets get when they come again,
//! and what the broker sees. A new row is one entry of [`ROWS`]; each row of the national table stands here or in [`ELSEWHERE`].

use std::collections::BTreeMap;

use arkki::domain::ack::{AckType, Target};
use arkki::domain::environment::Environment;
use arkki::generate::frame::FrameSpec;
use arkki::generate::query::QuerySpec;
use arkki::v3::ack::{self, AckRead};
use arkki::v3::frame::FrameSite;
use arkki::v3::response;

use super::asked::{MANY, archive_many, at_most, fetch, of_canary, of_family, of_many, unknown};
use super::{Desk, Ground, INBOUND, Make, closed_gateway, lying, sample};
use crate::kit::wait_until;

/// The rows of the national table, in its order and words.
const TABLE: [&str; 31] = [
    "not XML, id unreadable",
    "not well-formed but id found by scan",
    "DTD/entity",
    "unknown root / interaction",
    "wrong environment",
    "wrong receiver",
    "unknown sender, expired registration, certificate mismatch",
    "profile/role forbids",
    "schema fault",
    "template/metadata fault",
    "metadata recommendation unmet",
    "frame/document mismatch",
    "service request missing/ambiguous/unknown",
    "asiakkuus/case missing",
    "replace target missing",
    "replace target not latest",
    "duplicate message id, same bytes",
    "duplicate id, other bytes",
    "document id exists, same bytes",
    "document id exists, other bytes",
    "signature invalid / certificate revoked",
    "revocation/time-stamp service down",
    ">300 hits",
    "no hits",
    "consent refuses single document fetch",
    "consent service down",
    "log cannot be written",
    "storage full / DB down",
    "reply queue missing",
    "real identity code in test / test code in production",
    "payload missing, twice, not base64, another charset",
];

/// Rows that are shown by another test, or belong to another part.
const ELSEWHERE: [(&str, &str); 6] = [
    ("revocation/time-stamp service down", "sign::revoked; never answered, the consumer pauses"),
    ("log cannot be written", "answers::what_is_ours_is_not_answered: the log is in the commit"),
    ("storage full / DB down", "answers::what_is_ours_is_not_answered"),
    ("reply queue missing", "answers::an_answer_waits_for_its_queue"),
    ("consent refuses single document fetch", "disclosure: one that is withheld and one that is not there get the same answer (E845)"),
    ("consent service down", "will expressions lie in the archive itself: it is away in faults"),
];

/// Where a row's octets come from.
pub enum Octets {
    /// A file under `samples/`.
    Sample(&'static str),
    /// Made for the row.
    Made(Make),
}

/// What must come back.
pub enum Wanted {
    /// This type, the first error's code with Kanta's and HL7's; HL7's is empty where its table has none.
    Refused(AckType, &'static str, &'static str, &'static str),
    /// AA with this first warning, or with none when it is empty.
    Accepted(&'static str),
    /// A query's answer with AA, `NF` and no document, with this first warning or none when it is empty.
    NothingFound(&'static str),
    /// A query's answer with AE, `QE` and no document, with this code and the number of documents there are.
    TooMany(&'static str, u64),
    /// No answer: the message is dead-lettered.
    DeadLetter,
}

/// What the same octets get when they come again.
#[derive(Clone, Copy)]
pub enum Again {
    /// The same answer, octet for octet.
    Same,
    /// AA, once this message has come.
    AcceptedAfter(Make),
    /// Nothing, as the first time.
    Nothing,
}

/// One message and what becomes of it.
pub struct Row {
    pub failure: &'static str,
    pub by: &'static str,
    pub octets: Octets,
    pub wanted: Wanted,
    pub again: Again,
}

const fn refused(failure: &'static str, sample: &'static str, ack: AckType, code: &'static str, hl7: &'static str) -> Row {
    Row { failure, by: "guest", octets: Octets::Sample(sample), wanted: Wanted::Refused(ack, code, "4Y00007", hl7), again: Again::Same }
}

const fn forbidden(failure: &'static str, by: &'static str, make: Make, ack: AckType, code: &'static str) -> Row {
    let hl7 = if matches!(ack, AckType::Reject) { "NS260" } else { "" };
    Row { failure, by, octets: Octets::Made(make), wanted: Wanted::Refused(ack, code, "5Y00009", hl7), again: Again::Same }
}

use AckType::{Error, Reject};

const SENDER: &str = "unknown sender, expired registration, certificate mismatch";
const PROFILE: &str = "profile/role forbids";
const REQUEST: &str = "service request missing/ambiguous/unknown";
const PAYLOAD: &str = "payload missing, twice, not base64, another charset";
const MISMATCH: &str = "frame/document mismatch";

/// The rows that need nothing but what stands in them and the accepted samples.
const ROWS: &[Row] = &[
    Row {
        failure: "not XML, id unreadable",
        by: "guest",
        octets: Octets::Made(|_| b"not a message \x01 <".to_vec()),
        wanted: Wanted::DeadLetter,
        again: Again::Nothing,
    },
    refused("not well-formed but id found by scan", "refused/E103-frame-cut-short.xml", Error, "E103", "SYN102"),
    refused("DTD/entity", "refused/E102-doctype-before-a-frame.xml", Error, "E102", "SYN102"),
    refused("DTD/entity", "hostile/entity-bomb.xml", Error, "E102", "SYN102"),
    refused("unknown root / interaction", "refused/E201-unknown-root.xml", Reject, "E201", "NS200"),
    refused("unknown root / interaction", "refused/E814-metadata-response.xml", Reject, "E814", "NS200"),
    refused("wrong environment", "refused/E809-production-message.xml", Reject, "E809", "NS202"),
    refused("wrong receiver", "refused/E812-for-another-receiver.xml", Reject, "E812", "RTUDEST"),
    refused("wrong receiver", "refused/E812-receiver-of-one-other-digit.xml", Reject, "E812", "RTUDEST"),
    forbidden(SENDER, "stranger", |g| g.framed(&g.relation(300), "joining", |_| ()), Reject, "E850"),
    forbidden(SENDER, "stranger", |g| g.relation(301).render(), Reject, "E850"),
    forbidden(SENDER, "ended", |g| g.framed(&g.relation(302), "ended", |_| ()), Reject, "E851"),
    forbidden(SENDER, "ended", |g| g.relation(303).render(), Reject, "E851"),
    forbidden(SENDER, "joining", |g| g.framed(&g.relation(304), "storing", |_| ()), Reject, "E852"),
    forbidden(SENDER, "joining", |g| g.framed(&g.relation(305), "joining", |f| f.sender.push('1')), Reject, "E852"),
    Row {
        failure: SENDER,
        by: "guest",
        octets: Octets::Sample("refused/E813-sender-missing.xml"),
        wanted: Wanted::Refused(Reject, "E813", "5Y00009", "NS260"),
        again: Again::Same,
    },
    forbidden(PROFILE, "reading", |g| g.framed(&g.relation(310), "reading", |_| ()), Error, "E853"),
    forbidden(PROFILE, "reading", |g| g.relation(311).render(), Error, "E853"),
    forbidden(PROFILE, "application", |g| g.framed(&g.relation(312).replacement(&g.family.id(313)), "application", |_| ()), Error, "E853"),
    forbidden(PROFILE, "other", |g| g.framed(&g.relation(314), "other", |_| ()), Error, "E854"),
    forbidden(PROFILE, "other", |g| g.relation(315).render(), Error, "E854"),
    forbidden(PROFILE, "joining", |g| g.framed(&g.relation(316), "joining", by_right), Error, "E854"),
    forbidden(PROFILE, "reading", |g| super::invalidation(g, 317, "reading"), Error, "E853"),
    forbidden(PROFILE, "application", |g| super::invalidation(g, 317, "application"), Error, "E853"),
    forbidden(PROFILE, "other", |g| super::invalidation(g, 317, "other"), Error, "E854"),
    forbidden(PROFILE, "storing", |g| super::query(&of_family(g, 340), "storing"), Error, "E853"),
    forbidden(PROFILE, "application", |g| super::query(&of_family(g, 341), "application"), Error, "E853"),
    forbidden(PROFILE, "guest", |_| sample("refused/E835-another-register.xml"), Error, "E835"),
    forbidden(PROFILE, "guest", |_| sample("refused/E835-by-permission.xml"), Error, "E844"),
    forbidden(PROFILE, "reading", |g| super::query(&QuerySpec { service_request: "SPX-RKO-QUERY", ..of_family(g, 342) }, "reading"), Error, "E835"),
    forbidden(PROFILE, "reading", |g| super::query(&fetch("SPX-DOC-DISC", g, 343), "reading"), Error, "E844"),
    forbidden(PROFILE, "reading", |g| super::query(&QuerySpec { grounds: vec!["1"], ..fetch("SPX-DOC-STAT", g, 344) }, "reading"), Error, "E844"),
    refused("schema fault", "refused/E202-unexpected-element.xml", Error, "E202", "SYN102"),
    refused("template/metadata fault", "refused/E302-language-neither-fi-nor-sv.xml", Error, "E302", "SYN102"),
    Row {
        failure: "metadata recommendation unmet",
        by: "guest",
        octets: Octets::Sample("warned/W908-birth-date-of-another-day.xml"),
        wanted: Wanted::Accepted("W908"),
        again: Again::Same,
    },
    refused(MISMATCH, "refused/E801-frame-id-of-one-other-digit.xml", Error, "E801", "SYN102"),
    refused(MISMATCH, "refused/E802-frame-set-of-one-other-digit.xml", Error, "E802", "SYN102"),
    refused(MISMATCH, "refused/E803-frame-names-another-version.xml", Error, "E803", "SYN102"),
    refused(MISMATCH, "refused/E804-frame-controller-of-one-other-digit.xml", Error, "E804", "SYN102"),
    refused(MISMATCH, "refused/E805-frame-client-of-one-other-character.xml", Error, "E805", "SYN102"),
    refused(REQUEST, "refused/E806-service-request-missing.xml", Error, "E806", "SYN103"),
    refused(REQUEST, "refused/E806-service-request-unknown.xml", Error, "E806", "SYN103"),
    refused(REQUEST, "refused/E806-two-service-requests.xml", Error, "E806", "SYN103"),
    refused(REQUEST, "refused/E806-service-request-of-another-system.xml", Error, "E806", "SYN103"),
    refused(REQUEST, "refused/E806-service-request-of-the-patient-family.xml", Error, "E806", "SYN103"),
    Row {
        failure: "asiakkuus/case missing",
        by: "joining",
        octets: Octets::Made(|g| g.framed(&case_of(g, 320), "joining", |_| ())),
        wanted: Wanted::Refused(Error, "E402", "4Y00007", "SYN102"),
        again: Again::AcceptedAfter(|g| g.framed(&g.relation(320), "joining", |_| ())),
    },
    Row {
        failure: "replace target missing",
        by: "joining",
        octets: Octets::Made(|g| g.framed(&g.relation(322).replacement(&g.family.id(323)), "joining", |_| ())),
        wanted: Wanted::Refused(Error, "E704", "4Y00007", "SYN102"),
        again: Again::AcceptedAfter(|g| g.framed(&g.relation(322), "joining", |_| ())),
    },
    refused("replace target not latest", "refused/E705-replaced-document-not-the-latest.xml", Error, "E705", "SYN102"),
    Row {
        failure: "duplicate message id, same bytes",
        by: "guest",
        octets: Octets::Sample("accepted/02-case-fi-framed.xml"),
        wanted: Wanted::Accepted(""),
        again: Again::Same,
    },
    refused("duplicate id, other bytes", "refused/E706-message-id-taken.xml", Error, "E706", "SYN102"),
    Row {
        failure: "document id exists, same bytes",
        by: "joining",
        octets: Octets::Made(|g| g.framed(&g.relation(322), "joining", |f| f.id.1 = Some("2".to_owned()))),
        wanted: Wanted::Accepted("W907"),
        again: Again::Same,
    },
    refused("document id exists, other bytes", "refused/E701-document-id-taken.xml", Error, "E701", "SYN102"),
    refused("signature invalid / certificate revoked", "refused/E602-body-changed-after-signing.xml", Error, "E602", "SYN102"),
    refused("signature invalid / certificate revoked", "refused/E603-signature-value-changed.xml", Error, "E603", "SYN102"),
    asked(">300 hits", "joining", |_| super::query(&QuerySpec::metadata(349, of_many()), "joining"), Wanted::TooMany("E830", MANY)),
    asked(">300 hits", "guest", |_| at_most(7, QuerySpec::metadata(345, of_canary())), Wanted::TooMany("E830", 9)),
    asked(">300 hits", "guest", |_| at_most(7, QuerySpec::documents(346, of_canary())), Wanted::TooMany("E830", 9)),
    asked("no hits", "guest", |_| sample("queries/04-metadata-as-of.xml"), Wanted::NothingFound("")),
    asked("no hits", "guest", |_| QuerySpec::documents(347, unknown()).render(), Wanted::NothingFound("W926")),
    // What is another's looks like what is not there.
    asked("no hits", "other", |_| super::query(&QuerySpec::metadata(348, of_canary()), "other"), Wanted::NothingFound("")),
    Row {
        failure: "real identity code in test / test code in production",
        by: "joining",
        octets: Octets::Made(|g| {
            let mut spec = g.relation(330);
            spec.person = super::nobody();
            g.framed(&spec, "joining", |_| ())
        }),
        wanted: Wanted::Refused(Error, "E308", "4Y00007", "SYN102"),
        again: Again::Same,
    },
    refused(PAYLOAD, "refused/E815-frame-without-document.xml", Error, "E815", "SYN102"),
    refused(PAYLOAD, "refused/E815-two-payloads.xml", Error, "E815", "SYN102"),
    refused(PAYLOAD, "refused/E815-two-documents.xml", Error, "E815", "SYN102"),
    refused(PAYLOAD, "refused/E815-payload-not-base64.xml", Error, "E815", "SYN102"),
    refused(PAYLOAD, "refused/E815-mime-of-another-charset.xml", Error, "E815", "SYN102"),
    refused(PAYLOAD, "refused/E816-payload-elsewhere.xml", Error, "E816", "SYN102"),
];

/// A query; a search for the samples' client finds eleven documents here: their ten, and that of the row with W908.
const fn asked(failure: &'static str, by: &'static str, make: Make, wanted: Wanted) -> Row {
    Row { failure, by, octets: Octets::Made(make), wanted, again: Again::Same }
}

/// A frame that asks by the right to another's register.
fn by_right(frame: &mut FrameSpec) {
    frame.service_request = Some("SPX-RKO-STORE");
}

/// A case under the relation of this number.
fn case_of(ground: &Ground, relation: u64) -> arkki::generate::document::DocumentSpec {
    let id = ground.family.id(relation + 1);
    let mut case = ground.family.case.under(&id);
    case.case_id = Some(format!("{id}.8"));
    case.relation_id = ground.relation(relation).relation_id;
    case
}

#[test]
fn every_row_of_the_table_is_shown() {
    let shown = |failure: &&str| ROWS.iter().any(|r| r.failure == *failure) || ELSEWHERE.iter().any(|(f, _)| *f == *failure);
    let missing: Vec<&&str> = TABLE.iter().filter(|f| !shown(f)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(ROWS.iter().all(|r| TABLE.contains(&r.failure)) && ELSEWHERE.iter().all(|(f, _)| TABLE.contains(f)));
}

/// Both ways: a message of a test never enters production, nor one of production a test.
#[test]
fn test_and_production_do_not_mix() {
    let ground = Ground::new();
    let files = arkki::codes::source::embedded();
    let rules = arkki::codes::rule_set::RuleSet::load(&files).unwrap();
    for (environment, taken) in [(Environment::Test, ["T", "D"].as_slice()), (Environment::Production, &["P"])] {
        for code in ["T", "D", "P"] {
            let octets = ground.framed(&ground.relation(350), "joining", |f| f.processing = code);
            let text = String::from_utf8(octets).unwrap();
            let document = arkki::xml::tree::parse(&text).unwrap();
            let site = FrameSite { environment, receivers: Vec::new() };
            let found = arkki::cda::open::open(&document, &rules, &site).err().unwrap_or_default();
            let codes: Vec<&str> = found.iter().map(|f| f.code.as_str()).collect();
            assert_eq!(codes, if taken.contains(&code) { Vec::new() } else { vec!["E809"] }, "{code} in {environment:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_answer() {
    let gateway = closed_gateway().await;
    let mut serve = gateway.serve(&[]);
    let ground = Ground::new();
    let mut desks: BTreeMap<&str, Desk> = BTreeMap::new();
    for system in ["guest", "stranger", "joining", "reading", "application", "storing", "ended", "other"] {
        desks.insert(system, Desk::open(&gateway.vhost, system).await);
    }
    let guest = desks.get_mut("guest").unwrap();
    for file in crate::road::files(&crate::kit::repository().join("samples/accepted")) {
        let answer = ack::read(&guest.ask(&std::fs::read(&file).unwrap()).await).unwrap();
        assert_eq!(answer.ack_type, AckType::Accept, "{}: {:?}", file.display(), answer.details);
    }
    archive_many(&ground, desks.get_mut("joining").unwrap()).await;
    let mut shapes = Vec::new();
    let (mut wrong, mut dead) = (Vec::new(), 0);
    for row in ROWS {
        let desk = desks.get_mut(row.by).unwrap();
        let octets = match &row.octets {
            Octets::Sample(path) => sample(path),
            Octets::Made(make) => make(&ground),
        };
        if matches!(row.wanted, Wanted::DeadLetter) {
            desk.put(&octets, None).await;
            dead += 1;
            continue;
        }
        let first = desk.ask(&octets).await;
        wrong.extend(differs(row, &first).map(|why| format!("{} ({}): {why}", row.failure, name(row))));
        match row.again {
            Again::Nothing => {}
            Again::Same => {
                if desk.ask(&octets).await != first {
                    wrong.push(format!("{} ({}): another answer the second time", row.failure, name(row)));
                }
            }
            Again::AcceptedAfter(missing) => {
                assert_eq!(ack::read(&desk.ask(&missing(&ground)).await).unwrap().ack_type, AckType::Accept, "{}", row.failure);
                let second = ack::read(&desk.ask(&octets).await).unwrap();
                if second.ack_type != AckType::Accept {
                    wrong.push(format!("{} ({}): {:?} when what was missing had come", row.failure, name(row), second.details));
                }
            }
        }
        shapes.push(first);
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), gateway.log_text());
    let log = gateway.log_text();
    for (code, level) in [("E850", "WARN"), ("E852", "WARN"), ("E853", "WARN"), ("E602", "WARN"), ("E308", "WARN"), ("E801", "INFO")] {
        let is_its = |line: &&str| line.contains(&format!("\"code\":\"{code}\""));
        assert!(log.lines().filter(is_its).all(|l| l.contains(&format!("\"level\":\"{level}\""))) && log.lines().any(|l| is_its(&l)), "{code}");
    }
    super::answers::valid(&shapes);
    // What was answered is settled; what could not be answered lies where somebody finds it.
    let settled = || async {
        tokio::task::block_in_place(|| lying(&gateway.vhost, INBOUND) == Some((0, 0)) && lying(&gateway.vhost, "arkki.dead-letter") == Some((dead, 0)))
    };
    assert!(wait_until(super::SOON, settled).await, "{:?} {:?}", lying(&gateway.vhost, INBOUND), lying(&gateway.vhost, "arkki.dead-letter"));
    serve.signal(crate::kit::process::Signal::Term);
    assert!(serve.wait(super::SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
    println!("{} rows, {} answers valid; {}", ROWS.len(), shapes.len(), gateway.arkki(&["audit"]).must());
}

fn name(row: &Row) -> String {
    match (&row.octets, &row.wanted) {
        (Octets::Sample(path), _) => (*path).to_owned(),
        (Octets::Made(_), Wanted::Refused(_, code, ..) | Wanted::Accepted(code) | Wanted::NothingFound(code) | Wanted::TooMany(code, _)) => {
            format!("{} {code}", row.by)
        }
        (Octets::Made(_), Wanted::DeadLetter) => row.by.to_owned(),
    }
}

/// How an answer differs from what the row wants.
fn differs(row: &Row, answer: &[u8]) -> Option<String> {
    let Ok(read) = ack::read(answer) else { return Some("no acknowledgement".to_owned()) };
    let AckRead { ack_type, target, details, position, rules, .. } = &read;
    if position.is_none() || rules.as_ref().is_none_or(|r| r.len() != 64) {
        return Some("without ledger position or rule set".to_owned());
    }
    if !matches!(target, Target::Id(_)) {
        return Some("the message's id is not named".to_owned());
    }
    let first = details.first();
    let has = |system: &str, code: &str| first.is_some_and(|d| d.translations.iter().any(|(c, s)| c == code && s == system));
    let good = match row.wanted {
        Wanted::Accepted("") => *ack_type == AckType::Accept && details.is_empty(),
        Wanted::Accepted(warning) => *ack_type == AckType::Accept && first.is_some_and(|d| d.code == warning && d.kind == "W"),
        Wanted::Refused(ack, code, kanta, hl7) => {
            *ack_type == ack
                && first.is_some_and(|d| d.code == code && d.kind == "E" && d.location.as_ref().is_some_and(|l| l.starts_with('/')) && d.text.len() > 20)
                && has("1.2.246.537.5.40112.2006", kanta)
                && (hl7.is_empty() || has("2.16.840.1.113883.5.1100", hl7))
        }
        Wanted::NothingFound(warning) => {
            let shown = response::read(answer).map(|r| (r.code, r.quantities, r.documents.len()));
            let told = details.first().map_or("", |d| d.code.as_str());
            *ack_type == AckType::Accept && told == warning && shown == Some(("NF".to_owned(), [Some(0); 3], 0))
        }
        Wanted::TooMany(code, total) => {
            let shown = response::read(answer).map(|r| (r.code, r.quantities, r.documents.len()));
            let narrow = details.iter().skip(1).filter(|d| d.code == "W925").count();
            *ack_type == AckType::Error
                && first.is_some_and(|d| d.code == code && d.kind == "E" && d.text.contains(&total.to_string()))
                && has("1.2.246.537.5.40112.2006", "4Y00007")
                && narrow > 0
                && shown == Some(("QE".to_owned(), [Some(total), Some(0), Some(total)], 0))
        }
        Wanted::DeadLetter => false,
    };
    (!good).then(|| format!("{ack_type:?} {details:?}"))
}
