//! What is taken, row by row (messaging.md §9.2): the message, its effect on the archive, its answer. A new row is one entry of [`ROWS`];
//! each kind of the national table stands here or in [`ELSEWHERE`].

use std::collections::BTreeMap;
use std::sync::Arc;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::domain::ack::AckType;
use arkki::ports::archive::Archive as _;
use arkki::v3::ack;

use super::{Desk, Ground, INBOUND, Make, SOON, closed_gateway, lying, sample};
use crate::kit::wait_until;

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

/// Kinds that are shown by another test, or belong to another part.
const ELSEWHERE: [(&str, &str); 8] = [
    ("metadata query, own", "queries"),
    ("metadata query, disclosure", "disclosures"),
    ("document query, own", "queries"),
    ("document query, disclosure", "disclosures"),
    ("consent query", "queries"),
    ("LILM submission", "disclosures"),
    ("internal event \"disclosed outside\"", "disclosures"),
    ("validate-only (dry run)", "messages::validation"),
];

/// One message and what becomes of it.
struct Row {
    kind: &'static str,
    by: &'static str,
    octets: Make,
    /// How many documents the archive has more.
    archived: u64,
    /// Whether an answer comes.
    answered: bool,
}

const fn stored(kind: &'static str, octets: Make) -> Row {
    Row { kind, by: "guest", octets, archived: 1, answered: true }
}

const ROWS: &[Row] = &[
    stored("store, asiakkuus document", |_| sample("accepted/01-client-relation-fi.xml")),
    stored("store, case document", |_| sample("accepted/02-case-fi-framed.xml")),
    stored("store, client document", |_| sample("accepted/03-client-document-fi-signed.xml")),
    stored("store, client document", |_| sample("accepted/04-phase-one-fi-framed-mime.xml")),
    stored("replace", |_| sample("accepted/05-case-fi-version-2.xml")),
    stored("replace", |_| sample("accepted/06-client-document-fi-version-2-framed.xml")),
    stored("store, asiakkuus document", |_| sample("accepted/07-old-client-relation-fi-framed-mime.xml")),
    stored("store, case document", |_| sample("accepted/08-closed-case-fi.xml")),
    stored("store, old client document", |_| sample("accepted/09-old-document-fi-pdf.xml")),
    stored("store, old client document", |_| sample("accepted/10-old-document-fi-xhtml-framed.xml")),
    stored("consent document store", |_| sample("accepted/11-permission-fi.xml")),
    stored("consent document store", |_| sample("accepted/12-denial-fi-framed.xml")),
    Row {
        kind: "store by register right",
        by: "other",
        octets: |g| g.framed(&g.relation(400), "other", |f| f.service_request = Some("SPX-RKO-STORE")),
        archived: 1,
        answered: true,
    },
    Row { kind: "store, asiakkuus document", by: "application", octets: |g| g.framed(&g.relation(401), "application", |_| ()), archived: 1, answered: true },
    Row { kind: "store, asiakkuus document", by: "storing", octets: |g| g.framed(&g.relation(402), "storing", |_| ()), archived: 1, answered: true },
    Row {
        kind: "replace",
        by: "storing",
        octets: |g| g.framed(&g.relation(402).replacement(&g.family.id(403)), "storing", |_| ()),
        archived: 1,
        answered: true,
    },
    Row { kind: "invalidate", by: "storing", octets: |g| super::invalidation(g, 401, "storing"), archived: 0, answered: true },
    Row { kind: "acknowledgement received", by: "guest", octets: |_| sample("hostile/acknowledgement.xml"), archived: 0, answered: false },
];

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
    for row in ROWS {
        let desk = desks.get_mut(row.by).unwrap();
        let octets = (row.octets)(&ground);
        if row.answered {
            let answer = desk.ask(&octets).await;
            let read = ack::read(&answer).unwrap();
            assert_eq!(read.ack_type, AckType::Accept, "{}: {:?}", row.kind, read.details);
            shapes.push(answer);
        } else {
            let reply = desk.reply.clone();
            desk.put(&octets, Some(&reply)).await;
            let counted = || async { archive.counts().await.unwrap().messages == u64::try_from(shapes.len() + 1).unwrap() };
            assert!(wait_until(SOON, counted).await, "{} was not noted", row.kind);
        }
        documents += row.archived;
        assert_eq!(archive.counts().await.unwrap().documents, documents, "{}", row.kind);
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
