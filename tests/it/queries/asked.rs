//! Each sample of a query and its answer; repeats; hostile words; two at once; what an invalidation changes.

use arkki::crypto::sha256;
use arkki::domain::ack::AckType;
use arkki::generate::document::Organisation;
use arkki::generate::person::Person;
use arkki::generate::query::{Parameter, QuerySpec};
use arkki::generate::samples;
use arkki::v3::{ack, response};

use super::{Place, text};
use crate::kit;

fn by_client(number: u64, more: Vec<Parameter>) -> QuerySpec {
    QuerySpec::metadata(number, [vec![Parameter::client(&Person::canary().hetu)], more].concat())
}

/// What docs/queries.md shows is written by a run of these tests, into the folder that ARKKI_WRITE_ANSWERS names.
fn kept(name: &str, answer: &[u8]) {
    if let Some(folder) = std::env::var_os("ARKKI_WRITE_ANSWERS") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.xml")), answer).unwrap();
    }
}

/// The answers validate against our schema, by a judge of another hand.
fn xmllint(answers: &[(String, Vec<u8>)]) {
    let folder = kit::temp_dir();
    let files: Vec<String> = answers
        .iter()
        .map(|(name, octets)| {
            let path = folder.path().join(format!("{name}.xml"));
            std::fs::write(&path, octets).unwrap();
            path.display().to_string()
        })
        .collect();
    let schema = kit::repository().join("xsd/mr-frame.xsd").display().to_string();
    let mut arguments = vec!["--noout".to_owned(), "--nonet".to_owned(), "--huge".to_owned(), "--schema".to_owned(), schema];
    arguments.extend(files);
    let output = kit::run("xmllint", arguments);
    assert!(output.ok() && !output.errors().contains("Skipping import"), "{}", output.errors());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_answered_with_what_is_in_the_archive() {
    let mut place = Place::open(|_| ()).await;
    let mut answers = Vec::new();
    let mut found = Vec::new();
    for (name, query) in super::samples("queries") {
        let answer = place.send(&query).await;
        let read = ack::read(&answer).unwrap_or_else(|_| panic!("{name}: {}", text(&answer)));
        assert_eq!(read.ack_type, AckType::Accept, "{name}: {}", text(&answer));
        assert!(read.position.is_some() && read.rules.is_some() && read.details.is_empty(), "{name}");
        let shown = response::read(&answer).unwrap();
        assert_eq!(shown.quantities, [Some(shown.documents.len() as u64), Some(shown.documents.len() as u64), Some(0)], "{name}");
        assert_eq!(shown.query.as_ref().and_then(|q| q.extension.as_deref()), Some(format!("q-{}", 101 + answers.len()).as_str()));
        found.push((shown.code.clone(), shown.documents.len()));
        for document in &shown.documents {
            let id = &document.id;
            assert_eq!(document.octets.is_some(), name.contains("documents"), "{name}");
            if let Some(octets) = &document.octets {
                // The very octets of the archive: their hash is the one that the ledger bears.
                let archived = place.sql(&format!("SELECT lower(hex(archived_sha)) FROM document WHERE id = '{id}'")).await;
                assert_eq!(archived, [sha256(octets).to_hex()], "{name}");
            }
        }
        answers.push((name, answer));
    }
    // By client: seven sets that are no wills, two of them with a second version, and the second old document. As of a day before: nothing. Last the wills.
    assert_eq!(found, [("OK", 8), ("OK", 3), ("OK", 2), ("NF", 0), ("OK", 1), ("OK", 1), ("OK", 6)].map(|(code, n)| (code.to_owned(), n)));
    answers.iter().for_each(|(name, answer)| kept(name, answer));
    xmllint(&answers);
    let logged =
        place.sql("SELECT action || ' ' || count(*) FROM access_log WHERE action IN ('search', 'show', 'fetch') GROUP BY action ORDER BY action").await;
    assert_eq!(logged, ["fetch 2", "search 7", "show 19"]);
    // Who asked and for whom stands there as keyed hashes, the criteria as names.
    assert_eq!(
        place.sql("SELECT count(*) FROM access_log WHERE action = 'search' AND length(person) = 32 AND organisation = '1.2.246.10.99999992.10.0'").await,
        ["7"]
    );
    assert_eq!(place.sql("SELECT detail FROM access_log WHERE action = 'search' LIMIT 1").await, ["client: 8 documents"]);
    let hetu = Person::canary().hetu;
    for table in ["access_log", "ledger"] {
        assert!(
            !place
                .sql(&format!("SELECT group_concat(t.{}) FROM {table} t", if table == "ledger" { "sender" } else { "detail" }))
                .await
                .join("")
                .contains(&hetu)
        );
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_faulty_query_is_refused_for_its_code_and_stays_refused() {
    let mut place = Place::open(|_| ()).await;
    for (name, query) in super::samples("refused").into_iter().filter(|(name, _)| name.starts_with("E83")) {
        let answer = place.send(&query).await;
        let read = ack::read(&answer).unwrap();
        assert_eq!((read.ack_type, read.details[0].code.as_str()), (AckType::Error, &name[..4]), "{name}: {}", text(&answer));
        let kanta = if name.starts_with("E835") { "5Y00009" } else { "4Y00007" };
        assert!(read.details[0].translations.iter().any(|(code, _)| code == kanta), "{name}");
        assert_eq!(place.send(&query).await, answer, "{name}");
        kept(&name, &answer);
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_decided_on_todays_facts() {
    let mut place = Place::open(|_| ()).await;
    let family = samples::finnish();
    let query = QuerySpec::metadata(1, vec![Parameter::ids("documentSetId", &[&family.phase_one.set_id, &family.old_document.set_id])]).render();
    let first = place.send(&query).await;
    assert_eq!(response::read(&first).unwrap().documents.len(), 2);
    // The same facts: the same octets, logged again.
    assert_eq!(place.send(&query).await, first);
    let count = "SELECT count(*) FROM access_log WHERE action = 'show'";
    assert_eq!(place.sql(count).await, ["4"]);
    assert_eq!(place.sql("SELECT count(*) FROM ledger WHERE kind = 5").await, ["1"]);
    // Another version of one of them: another verdict, another answer.
    let later = family.phase_one.replacement(&family.id(800)).render();
    assert!(text(&place.send(&later).await).contains("\"AA\""));
    let other = place.send(&query).await;
    let (before, after) = (response::read(&first).unwrap(), response::read(&other).unwrap());
    assert_ne!(ack::read(&first).unwrap().id, ack::read(&other).unwrap().id);
    assert!(before.documents != after.documents && after.documents.iter().any(|d| d.version == Some(2)));
    assert_eq!(place.sql("SELECT count(*) FROM ledger WHERE kind = 5").await, ["2"]);
    assert_eq!(place.sql("SELECT count(*) FROM ledger WHERE kind = 5 AND supersedes IS NOT NULL").await, ["1"]);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_get_the_same_octets_and_a_log_each() {
    let mut place = Place::open(|_| ()).await;
    let query = by_client(1, Vec::new()).render();
    let ids = [place.put(&query), place.put(&query)];
    let answers = [place.take().await, place.take().await];
    assert_eq!(answers[0].1, answers[1].1);
    assert!(ids.iter().all(|id| answers.iter().any(|(correlation, _)| correlation == id)));
    assert_eq!(place.sql("SELECT count(*) FROM access_log WHERE action = 'search'").await, ["2"]);
    assert_eq!(place.sql("SELECT count(*) FROM ledger WHERE kind = 5").await, ["1"]);
    // The same id with other octets is another message under a used id only where the id was claimed: a query claims none, a document's frame does.
    let frame = super::samples("accepted").remove("02-case-fi-framed").unwrap();
    let head = text(&frame).split("<id root=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut spec = by_client(1, Vec::new());
    spec.id.0 = head;
    let answer = place.send(&spec.render()).await;
    assert_eq!(ack::read(&answer).unwrap().details.first().map(|d| d.code.as_str()), Some("E706"), "{}", text(&answer));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_words_come_back_as_words() {
    let mut place = Place::open(|_| ()).await;
    let mut spec = by_client(1, vec![Parameter::code("functionCode", "24'; DROP TABLE document; --<&>\"%_\\")]);
    spec.query_id = "]]><evil a=\"'&\u{85}\u{2028}ä".to_owned();
    let answer = place.send(&spec.render()).await;
    let read = response::read(&answer).unwrap();
    assert_eq!((read.code.as_str(), read.query.unwrap().extension), ("NF", Some(spec.query_id)));
    assert_eq!(place.sql("SELECT count(*) > 0 FROM document").await, ["1"]);
    xmllint(&[("hostile".to_owned(), answer)]);
    let mut long = by_client(2, Vec::new());
    long.query_id = "q".repeat(200);
    assert_eq!(ack::read(&place.send(&long.render()).await).unwrap().details[0].code, "E833");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_anothers_is_told_alike() {
    let mut place = Place::open(|_| ()).await;
    let family = samples::finnish();
    let known = family.denial.id.as_str();
    // Another organisation asks for ours: its own register holds nothing of it.
    let mut theirs = QuerySpec::documents(1, vec![Parameter::ids("documentId", &[known])]);
    theirs.organisation = Some(Organisation::OTHER.unit.to_owned());
    let mut unknown = QuerySpec::documents(2, vec![Parameter::ids("documentId", &["1.2.246.10.99999992.95.2026.1.99999"])]);
    unknown.organisation = theirs.organisation.clone();
    for spec in [theirs, unknown] {
        let answer = place.send(&spec.render()).await;
        let read = ack::read(&answer).unwrap();
        assert_eq!((read.ack_type, read.details[0].code.as_str()), (AckType::Accept, "W926"), "{}", text(&answer));
        assert_eq!(response::read(&answer).unwrap().code, "NF");
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_asker_takes_is_told_with_the_ways_to_narrow() {
    let mut place = Place::open(|_| ()).await;
    let mut spec = by_client(1, Vec::new());
    spec.quantity = Some("4".to_owned());
    let answer = place.send(&spec.render()).await;
    let (read, shown) = (ack::read(&answer).unwrap(), response::read(&answer).unwrap());
    assert_eq!((read.ack_type, read.details[0].code.as_str(), shown.code.as_str()), (AckType::Error, "E830", "QE"), "{}", text(&answer));
    assert!(read.details[0].text.starts_with("Too many results: 8 documents, at most 4 can be given."), "{}", read.details[0].text);
    assert!(read.details.iter().skip(1).all(|d| d.code == "W925") && read.details.len() > 5);
    assert!(read.details.iter().any(|d| d.text.starts_with("Narrowing, document group: 5 – ")), "{:?}", read.details);
    assert_eq!((shown.quantities, shown.documents.len()), ([Some(8), Some(0), Some(8)], 0));
    // It is asked and logged like any other search, and shows nothing.
    assert_eq!(place.sql("SELECT detail FROM access_log WHERE action IN ('search', 'show')").await, ["client: E830"]);
    kept("too-many", &answer);
    xmllint(&[("too-many".to_owned(), answer)]);
    place.close().await;
}
