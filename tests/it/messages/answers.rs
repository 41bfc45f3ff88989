//! Acknowledgements as they come over the broker: valid in every shape, in the sender's language, AE alone where a site says so; and what is never answered.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::domain::ack::AckType;
use arkki::domain::code::Code;
use arkki::domain::finding::Severity;
use arkki::generate::frame::TEST_ARCHIVE;
use arkki::generate::person::Person;
use arkki::generate::query::{Parameter, QuerySpec};
use arkki::ports::archive::Archive as _;
use arkki::v3::{ack, response};

use super::{Desk, INBOUND, SOON, lying, sample};
use crate::kit;
use crate::road::Gateway;

const SCHEMA: &str = "reference/schemas/hl7v3-NE2008/NE2008/multicacheschemas/MCCI_IN000002UV01.xsd";

/// Holds acknowledgements against HL7's own schema and answers to queries against ours, by xmllint.
pub fn valid(answers: &[Vec<u8>]) {
    let (queries, acknowledgements): (Vec<_>, Vec<_>) = answers.iter().partition(|a| response::read(a).is_some());
    if !queries.is_empty() {
        xmllint(&kit::repository().join("xsd/mr-frame.xsd"), &queries);
    }
    match kit::shared() {
        Some(shared) => xmllint(&shared.join(SCHEMA), &acknowledgements),
        None => println!("left out: the reference folder is absent"),
    }
}

fn xmllint(schema: &Path, answers: &[&Vec<u8>]) {
    let folder = kit::temp_dir();
    let mut arguments = vec!["--nonet".to_owned(), "--noout".to_owned(), "--huge".to_owned(), "--schema".to_owned(), schema.display().to_string()];
    for (n, answer) in answers.iter().enumerate() {
        let path = folder.path().join(format!("{n}.xml"));
        std::fs::write(&path, answer).unwrap();
        arguments.push(path.to_string_lossy().into_owned());
    }
    let said = kit::run("xmllint", &arguments);
    assert!(said.ok() && !answers.is_empty() && !said.errors().contains("Skipping import"), "{}", said.errors());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sender_has_its_language_and_a_site_may_answer_ae_alone() {
    let config = format!("[answer]\nreceivers = [{TEST_ARCHIVE:?}]\nonly_ae = true\n[senders.guest]\nlanguage = \"sv\"\n");
    let gateway = Gateway::new(None, &config).await;
    let mut serve = gateway.serve(&[]);
    let (mut guest, mut stranger) = (Desk::open(&gateway.vhost, "guest").await, Desk::open(&gateway.vhost, "stranger").await);
    let mut shapes = Vec::new();
    for (path, code, hl7, words) in [
        ("refused/E809-production-message.xml", "E809", "NS202", ["Sänd meddelandet till rätt miljö.", "Lähetä sanoma oikeaan ympäristöön."]),
        ("refused/E812-for-another-receiver.xml", "E812", "RTUDEST", ["Meddelandets mottagare", "Sanoman vastaanottaja"]),
    ] {
        let octets = sample(path);
        for (desk, words) in [(&mut guest, words[0]), (&mut stranger, words[1])] {
            let answer = desk.ask(&octets).await;
            let read = ack::read(&answer).unwrap();
            let first = &read.details[0];
            assert_eq!((read.ack_type, first.code.as_str()), (AckType::Error, code), "an AR where AE alone is wanted");
            assert!(first.translations.iter().any(|(c, _)| c == hl7), "{path}: the details stay as they are");
            assert!(first.text.contains(words), "{path}: {}", first.text);
            assert_eq!(desk.ask(&octets).await, answer);
            shapes.push(answer);
        }
    }
    valid(&shapes);
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(SOON).is_some());
}

/// What a query gets under `only_ae`: refused before the archive is asked, for too many documents, and for a damaged one.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_query_is_ae_alone_too() {
    let database = kit::postgres::database().await;
    let config = format!("[answer]\nreceivers = [{TEST_ARCHIVE:?}]\nonly_ae = true\n[senders.guest]\nlanguage = \"sv\"\n");
    let gateway = Gateway::new(Some(database.url), &config).await;
    let mut serve = gateway.serve(&[]);
    let mut guest = Desk::open(&gateway.vhost, "guest").await;
    for path in ["accepted/01-client-relation-fi.xml", "accepted/07-old-client-relation-fi-framed-mime.xml"] {
        assert_eq!(ack::read(&guest.ask(&sample(path)).await).unwrap().ack_type, AckType::Accept, "{path}");
    }
    let by_client = |number| QuerySpec::metadata(number, vec![Parameter::client(&Person::canary().hetu)]);
    let production = QuerySpec { processing: "P", ..by_client(1) };
    let by_permission = QuerySpec { service_request: "SPX-META-DISC", ..by_client(2) };
    let too_many = QuerySpec { quantity: Some("1".to_owned()), ..by_client(3) };
    let damaged = QuerySpec::documents(4, vec![Parameter::client(&Person::canary().hetu)]);
    tokio::task::block_in_place(|| kit::postgres::server().sql(&database.name, "UPDATE document_octets SET octets = octets || '\\x20'::bytea"));
    let mut shapes = Vec::new();
    for (spec, code, response_code, words) in [
        (production, "E809", None, "Sänd meddelandet till rätt miljö."),
        (by_permission, "E835", None, "Fel i åtkomsträtten"),
        (too_many, "E830", Some("QE"), "För många sökresultat"),
        (damaged, "E836", Some("QE"), "kan inte ges"),
    ] {
        let octets = spec.render();
        let answer = guest.ask(&octets).await;
        let read = ack::read(&answer).unwrap();
        let first = &read.details[0];
        assert_eq!((read.ack_type, first.code.as_str()), (AckType::Error, code), "an AR where AE alone is wanted");
        assert_eq!(response::read(&answer).map(|r| r.code).as_deref(), response_code, "{code}");
        assert!(first.text.contains(words), "{code}: {}", first.text);
        assert_eq!(guest.ask(&octets).await, answer, "{code}");
        shapes.push(answer);
    }
    valid(&shapes);
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(SOON).is_some());
}

/// messaging.md §2: every refusal has Kanta's code but those of our own state, and HL7's but where HL7 has none.
#[test]
fn every_refusal_has_its_codes() {
    for code in Code::ALL.into_iter().filter(|c| c.severity() == Severity::Error) {
        let ours = matches!(code, Code::E904) || matches!(code.hl7(), "INTERR" | "NOSTORE" | "RTEDEST");
        // Where the archive's own rules are broken, or a notice's, the national list has no code (GW-VERSION, GW-NOTARGET).
        let unknown = ["E7", "E82", "E885", "E886", "E890"].iter().any(|series| code.as_str().starts_with(series));
        assert!(matches!((code.kanta(), ours, unknown), ("", true, _) | ("", _, true) | ("4Y00007" | "5Y00009", false, _)), "{code:?}");
        let is_of_rights = matches!(code, Code::E813 | Code::E850 | Code::E851 | Code::E852 | Code::E853 | Code::E854);
        assert!(!is_of_rights || code.kanta() == "5Y00009", "{code:?}");
        assert!(!code.hl7().is_empty() || code.kanta() == "5Y00009", "{code:?}");
        assert_ne!(code.ack_type(), AckType::Accept, "{code:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ours_is_not_answered() {
    let server = tokio::task::spawn_blocking(kit::postgres::own_server).await.unwrap();
    let gateway = Gateway::new(Some(server.database().await.url), "").await;
    let mut serve = gateway.serve(&[]);
    let mut desk = Desk::open(&gateway.vhost, "guest").await;
    tokio::task::block_in_place(|| server.stop());
    let reply = desk.reply.clone();
    for path in ["accepted/01-client-relation-fi.xml", "refused/E305-hetu-check-character.xml"] {
        desk.put(&sample(path), Some(&reply)).await;
    }
    assert_eq!(desk.answers.next(Duration::from_secs(4)).await, Ok(None), "an answer without a commit");
    let counted = |queue: &'static str| tokio::task::block_in_place(|| lying(&gateway.vhost, queue)).map(|(ready, in_hand)| ready + in_hand);
    assert!(kit::wait_until(SOON, || async { counted(INBOUND) == Some(2) }).await, "the broker keeps both");
    assert!(kit::wait_until(SOON, || async { counted("arkki.dead-letter") == Some(0) }).await);
    tokio::task::block_in_place(|| server.start());
    let mut types = Vec::new();
    for _ in 0..2 {
        types.push(ack::read(&desk.answers.next(SOON).await.unwrap().expect("an answer when the database is back").body).unwrap().ack_type.as_str());
    }
    types.sort_unstable();
    assert_eq!(types, ["AA", "AE"]);
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(SOON).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_waits_for_its_queue() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let archive = store::open_unchanged(&gateway.archive_url, "answers", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let mut desk = Desk::open(&gateway.vhost, "guest").await;
    let queue = "arkki.reply.guest.later";
    let id = desk.put(&sample("accepted/01-client-relation-fi.xml"), Some(queue)).await;
    let waits = || async { archive.counts().await.unwrap().unroutable == 1 };
    assert!(kit::wait_until(SOON, waits).await, "the answer does not wait in the outbox");
    desk.client.declare_reply_queue(queue).await.unwrap();
    let mut answers = desk.client.answers(queue).await.unwrap();
    let answer = answers.next(SOON).await.unwrap().expect("the answer when its queue is there");
    assert_eq!(answer.correlation_id.as_deref(), Some(id.as_str()));
    assert_eq!(ack::read(&answer.body).unwrap().ack_type, AckType::Accept);
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(SOON).is_some());
}
