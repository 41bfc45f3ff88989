//! What is taken, row by row (messaging.md §9.2): the message, its effect on the archive and on the access log, its answer. A new row is one entry of [`ROWS`];
//! each kind of the national table stands here or in [`ELSEWHERE`].

use std::collections::BTreeMap;
use std::sync::Arc;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::domain::ack::AckType;
use arkki::domain::oid::Oid;
use arkki::generate::event::SPX_REINSTATE;
use arkki::generate::query::{Parameter, QuerySpec};
use arkki::ports::archive::Archive;
use arkki::v3::{ack, response};

use super::asked::of_canary;
use super::{Desk, Ground, INBOUND, Make, SOON, closed_gateway, lying, sample};
use crate::kit::{self, wait_until};
use crate::road::Gateway;

/// The kinds of the national table, in its order and words.
const TABLE: [&str; 17] = [
    "store, asiakkuus document",
    "store, case document",
    "store, client document",
    "store, old client document",
    "store by register right",
    "replace",
    "invalidate",
    "metadata query, own",
    "metadata query, disclosure",
    "document query, own",
    "document query, disclosure",
    "consent document store",
    "consent query",
    "LILM submission",
    "internal event \"disclosed outside\"",
    "acknowledgement received",
    "validate-only (dry run)",
];

/// Kinds that are shown by another test.
const ELSEWHERE: [(&str, &str); 3] = [
    ("LILM submission", "lilm: samples/disclosures become notices"),
    ("internal event \"disclosed outside\"", "lilm and sink"),
    ("validate-only (dry run)", "messages::validation"),
];

/// One message and what becomes of it.
struct Row {
    kind: &'static str,
    by: &'static str,
    octets: Make,
    /// How many documents the archive has more.
    archived: u64,
    /// What the access log has more: how many rows of each action.
    logged: &'static str,
    answer: Answer,
}

/// What comes back.
enum Answer {
    /// An acknowledgement, AA without a detail.
    Accepted,
    /// Describing data of so many documents, with this response code.
    Described(&'static str, usize),
    /// So many documents, each with its archived octets.
    Fetched(usize),
    /// AE with this code and Kanta's 5Y00009; nothing is told of any document.
    Refused(&'static str),
    /// No answer.
    Nothing,
}

const fn stored(kind: &'static str, octets: Make) -> Row {
    by("guest", kind, octets)
}

const fn by(system: &'static str, kind: &'static str, octets: Make) -> Row {
    Row { kind, by: system, octets, archived: 1, logged: "store 1", answer: Answer::Accepted }
}

const fn replaced(system: &'static str, octets: Make) -> Row {
    Row { logged: "replace 1", ..by(system, "replace", octets) }
}

const fn event(kind: &'static str, system: &'static str, octets: Make, logged: &'static str) -> Row {
    Row { kind, by: system, octets, archived: 0, logged, answer: Answer::Accepted }
}

const fn asked(kind: &'static str, octets: Make, answer: Answer, logged: &'static str) -> Row {
    Row { kind, by: "guest", octets, archived: 0, logged, answer }
}

const fn denied(kind: &'static str, code: &'static str, octets: Make) -> Row {
    asked(kind, octets, Answer::Refused(code), "search 1")
}

use Answer::{Described, Fetched};

const ROWS: &[Row] = &[
    stored("store, asiakkuus document", |_| sample("accepted/01-client-relation-fi.xml")),
    stored("store, case document", |_| sample("accepted/02-case-fi-framed.xml")),
    stored("store, client document", |_| sample("accepted/03-client-document-fi-signed.xml")),
    stored("store, client document", |_| sample("accepted/04-phase-one-fi-framed-mime.xml")),
    replaced("guest", |_| sample("accepted/05-case-fi-version-2.xml")),
    replaced("guest", |_| sample("accepted/06-client-document-fi-version-2-framed.xml")),
    stored("store, asiakkuus document", |_| sample("accepted/07-old-client-relation-fi-framed-mime.xml")),
    stored("store, case document", |_| sample("accepted/08-closed-case-fi.xml")),
    stored("store, old client document", |_| sample("accepted/09-old-document-fi-pdf.xml")),
    stored("store, old client document", |_| sample("accepted/10-old-document-fi-xhtml-framed.xml")),
    stored("consent document store", |_| sample("accepted/10b-informing-fi.xml")),
    stored("consent document store", |_| sample("accepted/11-permission-fi.xml")),
    stored("consent document store", |_| sample("accepted/12-denial-fi-framed.xml")),
    by("other", "store by register right", |g| g.framed(&g.relation(400), "other", |f| f.service_request = Some("SPX-RKO-STORE"))),
    by("application", "store, asiakkuus document", |g| g.framed(&g.relation(401), "application", |_| ())),
    by("storing", "store, asiakkuus document", |g| g.framed(&g.relation(402), "storing", |_| ())),
    replaced("storing", |g| g.framed(&g.relation(402).replacement(&g.family.id(403)), "storing", |_| ())),
    // Ten documents of the client beside the will expressions, two of them with a second version.
    asked("metadata query, own", |_| sample("queries/01-metadata-by-client.xml"), Described("OK", 8), "search 1, show 8"),
    asked("metadata query, own", |_| sample("queries/02-metadata-by-case-and-date.xml"), Described("OK", 3), "search 1, show 3"),
    asked("metadata query, own", |_| sample("queries/03-metadata-every-version.xml"), Described("OK", 2), "search 1, show 2"),
    asked("metadata query, own", |_| sample("queries/04-metadata-as-of.xml"), Described("NF", 0), "search 1"),
    asked("document query, own", |_| sample("queries/05-documents-by-id.xml"), Fetched(1), "fetch 1, search 1"),
    asked("document query, own", |_| sample("queries/06-documents-by-case.xml"), Fetched(1), "fetch 1, search 1"),
    asked("document query, own", |_| QuerySpec::documents(500, of_canary()).render(), Fetched(8), "fetch 8, search 1"),
    asked("consent query", |_| consents(503, "7"), Fetched(1), "fetch 1, search 1"),
    asked("consent query", |_| consents(501, "8"), Fetched(1), "fetch 1, search 1"),
    asked("consent query", |_| consents(502, "9"), Fetched(1), "fetch 1, search 1"),
    // Nobody here is registered as one that manages disclosures, and nobody has a right to another's register; who may is shown in disclosure.
    denied("metadata query, disclosure", "E844", |_| resting("SPX-META-DISC", QuerySpec::metadata(510, of_canary()))),
    denied("metadata query, disclosure", "E835", |_| resting("SPX-RKO-QUERY", QuerySpec::metadata(511, of_canary()))),
    denied("document query, disclosure", "E844", |_| resting("SPX-DOC-DISC", QuerySpec::documents(512, of_canary()))),
    denied("document query, disclosure", "E844", |_| resting("SPX-DOC-STAT", QuerySpec { grounds: vec!["4"], ..QuerySpec::documents(513, of_canary()) })),
    denied("document query, disclosure", "E835", |_| resting("SPX-RKO-QUERY", QuerySpec::documents(514, of_canary()))),
    // One version goes, is found no more, and comes back.
    asked("metadata query, own", |g| set(g, 520), Described("OK", 1), "search 1, show 1"),
    event("invalidate", "storing", |g| super::invalidation(g, 401, "storing"), "invalidate 1"),
    asked("metadata query, own", |g| set(g, 521), Described("NF", 0), "search 1"),
    event("invalidate", "storing", |g| super::event(g, 401, "storing", SPX_REINSTATE, 10), "reinstate 1"),
    asked("metadata query, own", |g| set(g, 522), Described("OK", 1), "search 1, show 1"),
    // The same with the samples: a version, back, its whole set; then a version that invalidates.
    stored("consent document store", |_| sample("accepted/18-permission-fi-stored-twice.xml")),
    asked("consent query", |_| consents(530, "8"), Fetched(2), "fetch 2, search 1"),
    event("invalidate", "guest", |_| sample("accepted/19-invalidation-fi.xml"), "invalidate 1"),
    asked("consent query", |_| consents(531, "8"), Fetched(1), "fetch 1, search 1"),
    event("invalidate", "guest", |_| sample("accepted/20-reinstatement-fi.xml"), "reinstate 1"),
    event("invalidate", "guest", |_| sample("accepted/21-invalidation-sv-whole-set.xml"), "invalidate 1"),
    asked("consent query", |_| consents(532, "8"), Fetched(1), "fetch 1, search 1"),
    stored("store, case document", |_| sample("accepted/22-case-fi-of-the-wrong-client.xml")),
    Row { archived: 1, ..event("invalidate", "guest", |_| sample("accepted/23-case-fi-invalidating-version.xml"), "invalidate 1") },
    // What is left is what was there before the three of them.
    asked("document query, own", |_| QuerySpec::documents(533, of_canary()).render(), Fetched(8), "fetch 8, search 1"),
    Row { kind: "acknowledgement received", by: "guest", octets: |_| sample("hostile/acknowledgement.xml"), archived: 0, logged: "", answer: Answer::Nothing },
];

/// The client's will expressions of a group.
fn consents(number: u64, group: &str) -> Vec<u8> {
    resting("SPX-CONSENT-QUERY", QuerySpec::documents(number, [of_canary(), vec![Parameter::code("documentGroup", group)]].concat()))
}

/// A query that rests on something else than the own register.
fn resting(request: &'static str, spec: QuerySpec) -> Vec<u8> {
    QuerySpec { service_request: request, ..spec }.render()
}

/// What is valid of the set that the tests invalidate.
fn set(ground: &Ground, number: u64) -> Vec<u8> {
    QuerySpec::metadata(number, vec![Parameter::ids("documentSetId", &[&ground.relation(401).set_id])]).render()
}

/// The rows of the access log after one, by action, and the last row's number.
fn logged(gateway: &Gateway, after: &str) -> (String, String) {
    let name = gateway.archive_url.rsplit('/').next().unwrap();
    let statement = format!(
        "SELECT coalesce(string_agg(action || ' ' || n, ', ' ORDER BY action), '') || '|' || coalesce(max(last), {after}) \
         FROM (SELECT action, count(*) AS n, max(id) AS last FROM access_log WHERE id > {after} GROUP BY action) AS made"
    );
    let said = tokio::task::block_in_place(|| kit::postgres::server().sql(name, &statement));
    said.split_once('|').map(|(rows, last)| (rows.to_owned(), last.to_owned())).unwrap()
}

/// Holds an answer against its row and the archive.
async fn holds(row: &Row, answer: &[u8], archive: &dyn Archive) {
    let read = ack::read(answer).unwrap();
    let first = read.details.first();
    if let Answer::Refused(code) = row.answer {
        let forbidden = first.is_some_and(|d| d.code == code && d.translations.iter().any(|(c, _)| c == "5Y00009"));
        let tells = response::read(answer).is_some_and(|r| !r.documents.is_empty());
        assert!(read.ack_type == AckType::Error && forbidden && !tells, "{}: {read:?}", row.kind);
        return;
    }
    assert!(read.ack_type == AckType::Accept && first.is_none(), "{}: {:?}", row.kind, read.details);
    let (code, count, is_fetch) = match row.answer {
        Described(code, count) => (code, count, false),
        Fetched(count) => ("OK", count, true),
        Answer::Accepted | Answer::Refused(_) | Answer::Nothing => return assert!(response::read(answer).is_none(), "{}", row.kind),
    };
    let shown = response::read(answer).unwrap();
    let number = u64::try_from(count).unwrap();
    assert_eq!((shown.code.as_str(), shown.documents.len(), shown.quantities), (code, count, [Some(number), Some(number), Some(0)]), "{}", row.kind);
    for document in &shown.documents {
        let archived = archive.document(&Oid::parse(&document.id).unwrap()).await.unwrap().unwrap();
        assert_eq!(document.octets.as_ref(), is_fetch.then_some(&archived.octets), "{}: {}", row.kind, document.id);
        assert_eq!(document.status.as_deref(), Some("completed"), "{}: {}", row.kind, document.id);
    }
}

#[test]
fn every_kind_of_the_table_is_shown() {
    let shown = |kind: &&str| ROWS.iter().any(|r| r.kind == *kind) || ELSEWHERE.iter().any(|(k, _)| *k == *kind);
    let missing: Vec<&&str> = TABLE.iter().filter(|k| !shown(k)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(ROWS.iter().all(|r| TABLE.contains(&r.kind)) && ELSEWHERE.iter().all(|(k, _)| TABLE.contains(k)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_has_its_effect_and_its_answer() {
    let gateway = closed_gateway().await;
    let mut serve = gateway.serve(&[]);
    let archive = store::open_unchanged(&gateway.archive_url, "kinds", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let ground = Ground::new();
    let mut desks: BTreeMap<&str, Desk> = BTreeMap::new();
    for system in ["guest", "application", "storing", "other"] {
        desks.insert(system, Desk::open(&gateway.vhost, system).await);
    }
    let mut shapes = Vec::new();
    let mut documents = 0;
    let mut last = "0".to_owned();
    for row in ROWS {
        let desk = desks.get_mut(row.by).unwrap();
        let octets = (row.octets)(&ground);
        if matches!(row.answer, Answer::Nothing) {
            let reply = desk.reply.clone();
            desk.put(&octets, Some(&reply)).await;
            let counted = || async { archive.counts().await.unwrap().messages == u64::try_from(shapes.len() + 1).unwrap() };
            assert!(wait_until(SOON, counted).await, "{} was not noted", row.kind);
        } else {
            let answer = desk.ask(&octets).await;
            holds(row, &answer, archive.as_ref()).await;
            shapes.push(answer);
        }
        documents += row.archived;
        assert_eq!(archive.counts().await.unwrap().documents, documents, "{}", row.kind);
        let (rows, end) = logged(&gateway, &last);
        assert_eq!(rows, row.logged, "{}, the access log", row.kind);
        last = end;
    }
    super::answers::valid(&shapes);
    let settled = || async {
        tokio::task::block_in_place(|| lying(&gateway.vhost, INBOUND) == Some((0, 0)) && lying(&gateway.vhost, "arkki.dead-letter") == Some((0, 0)))
    };
    assert!(wait_until(SOON, settled).await);
    serve.signal(crate::kit::process::Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
    println!("{} rows; {}", ROWS.len(), gateway.arkki(&["audit"]).must());
}
