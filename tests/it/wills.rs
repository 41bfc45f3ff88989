//! Will expressions on the whole road: who is shown them, what waits for what, and an audit that knows what they say.

use std::process::Command;

use arkki::domain::ack::AckType;
use arkki::domain::oid::Oid;
use arkki::domain::will::{Denied, Said};
use arkki::generate::document::{DocumentSpec, Organisation};
use arkki::generate::person::Person;
use arkki::generate::query::{Parameter, QuerySpec};
use arkki::generate::samples;
use arkki::v3::{ack, response};

use crate::kit::{self, Output};
use crate::queries::{Place, text};

fn arkki(place: &Place, args: &[&str]) -> Output {
    let mut command = Command::new(kit::arkki());
    command.arg("--config").arg(place.path("arkki.toml")).args(args).env("USER", "tester");
    kit::run_command(&mut command, b"")
}

fn consent(number: u64, hetu: &str) -> QuerySpec {
    QuerySpec { service_request: "SPX-CONSENT-QUERY", ..QuerySpec::metadata(number, vec![Parameter::client(hetu)]) }
}

#[tokio::test(flavor = "multi_thread")]
async fn wills_are_shown_to_whoever_asks_for_them_and_to_nobody_else() {
    let mut place = Place::open(|_| ()).await;
    let (family, hetu) = (samples::finnish(), Person::canary().hetu);
    let wills = [&family.informing, &family.permission, &family.denial];
    let ids = |query: &[u8]| response::read(query).unwrap().documents.into_iter().map(|d| d.id).collect::<Vec<String>>();
    // By their ids, by their group, with every version and state: the own register shows none.
    let by_id: Vec<&str> = wills.iter().map(|will| will.id.as_str()).collect();
    let every = |more: Parameter| vec![more, Parameter::client(&hetu), Parameter::code("documentState", "any"), Parameter::value("allVersions", "true")];
    for (number, more) in
        [Parameter::ids("documentId", &by_id), Parameter::ids("documentSetId", &by_id), Parameter::code("documentGroup", "9")].into_iter().enumerate()
    {
        let number = 10 + 2 * number as u64;
        for query in [QuerySpec::metadata(number, every(more.clone())), QuerySpec::documents(number + 1, every(more.clone()))] {
            let answer = place.send(&query.render()).await;
            assert_eq!((ack::read(&answer).unwrap().ack_type, ids(&answer)), (AckType::Accept, Vec::new()), "{}", text(&answer));
        }
    }
    // A consent query shows them all, to another organisation too, and nothing else of the client.
    let mut asked = consent(20, &hetu);
    asked.organisation = Some(Organisation::OTHER.unit.to_owned());
    let shown = ids(&place.send(&asked.render()).await);
    assert!(wills.iter().all(|will| shown.contains(&will.id)) && !shown.contains(&family.phase_one.id), "{shown:?}");
    assert_eq!(shown.len(), 6);
    // Their octets with the same request in a document query.
    let fetched = QuerySpec {
        service_request: "SPX-CONSENT-QUERY",
        ..QuerySpec::documents(21, vec![Parameter::client(&hetu), Parameter::ids("documentId", &by_id[..1])])
    };
    let answer = place.send(&fetched.render()).await;
    assert!(response::read(&answer).unwrap().documents[0].octets.is_some());
    // Nothing but wills by that request, and none of nobody.
    let other = QuerySpec {
        service_request: "SPX-CONSENT-QUERY",
        ..QuerySpec::metadata(22, vec![Parameter::client(&hetu), Parameter::ids("documentId", &[&family.phase_one.id])])
    };
    assert!(ids(&place.send(&other.render()).await).is_empty());
    let nobody = QuerySpec { parameters: vec![Parameter::ids("documentId", &by_id)], ..consent(23, &hetu) };
    assert!(text(&place.send(&nobody.render()).await).contains("E725"));
    // The access log says whose wills were looked at, by whom, and in which registers they lie.
    let logged = place.sql("SELECT controller FROM access_log WHERE action = 'search' AND service_request = 'SPX-CONSENT-QUERY'").await;
    assert_eq!(logged, ["*", "*", "*", ""], "the last one was refused");
    // The archivist's commands show none either.
    let history = arkki(&place, &["history", &family.denial.set_id, "--register", "1.2.246.10.99999992.10.0"]);
    assert!(!history.ok() && !history.text().contains("SPX") && !history.text().contains(&family.denial.controller.unit.to_owned()), "{}", history.text());
    let query = arkki(&place, &["query", "--register", "1.2.246.10.99999992.10.0", "--set", &family.denial.set_id, "--state", "any"]);
    assert!(!query.text().contains(&family.denial.id), "{}", query.text());
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_waits_for_what_it_denies_and_a_cancellation_for_the_denial() {
    let mut place = Place::open(|_| ()).await;
    let family = samples::finnish();
    let late = family.phase_one.under(&family.id(801));
    let oid = |text: &str| Oid::parse(text).unwrap();
    let denial = DocumentSpec { said: Some(Said::Denials(vec![Denied::Document(oid(&late.set_id))])), ..family.denial.under(&family.id(802)) };
    let ended = DocumentSpec { said: Some(Said::Cancelled(vec![oid(&denial.id)])), ..family.denial.under(&family.id(803)) };
    let sent = [&ended, &denial, &late].map(|spec| place.put(&spec.render()));
    let mut answered = Vec::new();
    for _ in &sent {
        let (correlation, answer) = place.take().await;
        assert_eq!(ack::read(&answer).unwrap().ack_type, AckType::Accept, "{}", text(&answer));
        answered.push(correlation);
    }
    answered.sort();
    assert_eq!(answered, sent);
    // The denied document is of group 3, which the definition does not deny one by one: told, and denied all the same.
    let said = place.sql(&format!("SELECT said FROM will WHERE document_id = '{}'", denial.id)).await;
    assert_eq!(said, [format!("document {}\n", late.set_id)]);
    let order = place.sql(&format!("SELECT id FROM document WHERE id IN ('{}', '{}', '{}') ORDER BY position", late.id, denial.id, ended.id)).await;
    assert_eq!(order, [late.id, denial.id, ended.id]);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_holds_what_is_kept_of_a_will_against_its_octets() {
    let place = Place::open(|_| ()).await;
    let id = samples::finnish().denial.id;
    let audit = || arkki(&place, &["audit"]);
    audit().must();
    let kept = place.sql(&format!("SELECT said FROM will WHERE document_id = '{id}'")).await.remove(0);
    let row = format!("SELECT '{id}', client, position, 3, '{kept}' FROM document WHERE id = '{id}'");
    for damage in [
        format!("UPDATE will SET said = 'task 24\n' WHERE document_id = '{id}'"),
        format!("UPDATE will SET kind = 4 WHERE document_id = '{id}'"),
        format!("DELETE FROM will WHERE document_id = '{id}'"),
    ] {
        place.sql(&damage).await;
        let found = audit();
        assert!(!found.ok() && found.text().contains("as a will expression differs"), "{damage}: {}", found.text());
        place.sql(&format!("DELETE FROM will WHERE document_id = '{id}'")).await;
        place.sql(&format!("INSERT INTO will (document_id, client, position, kind, said) {row}")).await;
        audit().must();
    }
    // A will that no document made.
    let plan = samples::finnish().client_document.id;
    place
        .sql(&format!(
            "INSERT INTO will (document_id, client, position, kind, said) SELECT id, client, position, 2, 'permitted true\n' FROM document WHERE id = '{plan}'"
        ))
        .await;
    assert!(audit().text().contains("as a will expression differs"));
    place.close().await;
}
