//! What operators are woken for most seldom, rung by its real cause while the gateway runs: a row that somebody deletes, a queue that somebody makes forgetful, a
//! notice that the FHIR server refuses or that is gone, a statement that finds what the decision denies. Each alarm opens once and closes once.

use std::time::Duration;

use arkki::domain::language::Language;
use arkki::domain::oid::Oid;
use arkki::domain::will::{Denied, Edition, Said};
use arkki::generate::document::{DocumentSpec, Organisation};
use arkki::generate::family::Family;
use arkki::generate::frame::{FrameSpec, TEST_ARCHIVE};
use arkki::generate::query::{Parameter, QuerySpec};
use arkki::generate::signature::{Hand, Hands as _};
use arkki::generate::writer::Style;
use sqlx::{Connection as _, Executor as _};

use super::prometheus::Prometheus;
use super::{metrics, reconfigure, samples};
use crate::kit::process::Signal;
use crate::kit::{self, wait_until_blocking};
use crate::road::Gateway;
use crate::sink::server::{Manner, Server};

const SOON: Duration = Duration::from_secs(60);
/// The gateway's own alarm closes when its condition has not held for a minute, and is looked at every five seconds; a round may come a minute before that.
const CLOSED: Duration = Duration::from_secs(180);

async fn sql(gateway: &Gateway, statements: &[&str]) {
    let mut line = sqlx::PgConnection::connect(&gateway.archive_url).await.unwrap();
    for statement in statements {
        line.execute(sqlx::AssertSqlSafe((*statement).to_owned())).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    line.close().await.unwrap();
}

/// How often the gateway itself said this of an alarm.
fn said(gateway: &Gateway, alarm: &str, what: &str) -> usize {
    gateway.log_text().lines().filter(|line| line.contains(&format!("alarm {what}")) && line.contains(&format!("\"alarm\":\"{alarm}\""))).count()
}

/// The gateway's own bell: opened once, closed once, however often it looked.
fn rang_once(gateway: &Gateway, alarms: &[&str]) {
    for alarm in alarms {
        assert!(wait_until_blocking(CLOSED, || said(gateway, alarm, "closed") > 0), "{alarm} did not close: {}", metrics(gateway));
        assert_eq!((said(gateway, alarm, "opened"), said(gateway, alarm, "closed")), (1, 1), "{alarm}: {}", gateway.log_text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_deleted_by_hand_and_a_queue_made_forgetful_ring_and_fall_silent() {
    let gateway = Gateway::new(Some(kit::postgres::database().await.url), "[broker]\ntopology_seconds = 1\n").await;
    reconfigure(&gateway, "[archive]\n", "[archive]\nreconcile_minutes = 1\n");
    let mut serve = gateway.serve(&[]);
    let prometheus = Prometheus::start(&[gateway.port]);
    gateway.send(&samples("accepted", &["01", "02", "03"]));
    assert!(wait_until_blocking(SOON, || metrics(&gateway).contains("arkki_unexplained 0")), "{}", metrics(&gateway));

    let document = "document_octets WHERE document_id = (SELECT id FROM document WHERE position = 2)";
    sql(&gateway, &[&format!("CREATE TABLE kept AS SELECT * FROM {document}"), &format!("DELETE FROM {document}")]).await;
    let policy = format!("/api/policies/{}/odd", gateway.vhost.name);
    let forgetful = r#"{"pattern":"^arkki\\.inbound$","apply-to":"queues","definition":{"message-ttl":60000}}"#;
    assert_eq!(gateway.vhost.api("PUT", &policy, Some(forgetful)).0, 201);
    prometheus.rings(&["Unexplained", "TopologyLosing"]);
    let named = gateway.arkki(&["reconcile"]);
    assert!(named.code == Some(1) && named.text().contains("        2  the archived document's octets are missing"), "{}", named.text());

    assert!(wait_until_blocking(SOON, || said(&gateway, "TopologyLosing", "opened") == 1), "{}", gateway.log_text());
    sql(&gateway, &["INSERT INTO document_octets SELECT * FROM kept", "DROP TABLE kept"]).await;
    assert_eq!(gateway.vhost.api("DELETE", &policy, None).0, 204);
    prometheus.is_silent(&["Unexplained", "TopologyLosing"]);
    rang_once(&gateway, &["Unexplained", "TopologyLosing"]);
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_refused_and_a_notice_deleted_ring_and_fall_silent() {
    let server = Server::start(Manner::Outcome(400));
    let papers = kit::temp_dir();
    let more = format!("{}[lilm]\nreckon_minutes = 1\n", server.section(papers.path()));
    let gateway = Gateway::new(Some(kit::postgres::database().await.url), &more).await;
    let mut serve = gateway.serve(&[]);
    let prometheus = Prometheus::start(&[gateway.port]);
    gateway.send(&crate::road::files(&kit::repository().join("samples/accepted")));
    let events = crate::road::files(&kit::repository().join("samples/disclosures"));
    assert!(gateway.send(&events[..2]).iter().all(|(_, answer, _)| answer == "AA"));
    prometheus.rings(&["NoticesStopped"]);
    assert!(wait_until_blocking(SOON, || said(&gateway, "NoticesStopped", "opened") == 1), "{}", gateway.log_text());

    server.behave(Manner::Well);
    let list: serde_json::Value = serde_json::from_str(&gateway.arkki(&["lilm", "list", "--standing", "stopped", "--json"]).must()).unwrap();
    let stopped = list["notices"].as_array().unwrap();
    assert_eq!(stopped.len(), 2, "{list}");
    for notice in stopped {
        gateway.arkki(&["lilm", "retry", notice["id"].as_str().unwrap()]).must();
    }
    prometheus.is_silent(&["NoticesStopped"]);

    sql(&gateway, &["CREATE TABLE kept AS SELECT * FROM notice ORDER BY position LIMIT 1", "DELETE FROM notice WHERE position IN (SELECT position FROM kept)"])
        .await;
    prometheus.rings(&["NoticesMissing"]);
    assert!(wait_until_blocking(SOON, || said(&gateway, "NoticesMissing", "opened") == 1), "{}", gateway.log_text());
    sql(&gateway, &["INSERT INTO notice SELECT * FROM kept", "DROP TABLE kept"]).await;
    prometheus.is_silent(&["NoticesMissing"]);
    rang_once(&gateway, &["NoticesStopped", "NoticesMissing"]);
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

/// A document in a frame of its controller, in a file.
fn put(gateway: &Gateway, name: &str, octets: &[u8]) -> std::path::PathBuf {
    let path = gateway.folder.path().join(name);
    std::fs::write(&path, octets).unwrap();
    path
}

fn framed(spec: &DocumentSpec) -> Vec<u8> {
    let spec = DocumentSpec { style: Style::default(), ..spec.clone() };
    let octets = spec.render();
    let octets = if spec.signed { crate::generate::keys().sign(&octets, Hand::Professional).unwrap() } else { octets };
    FrameSpec::around(&spec, 1).render(&octets)
}

/// The client denies everything of a county, and another county searches by permission. While the database compares controllers as the archive made the column,
/// the statement leaves out what lies under the county. Under a collation that somebody gave the column, in which a full stop counts for nothing, it finds it; the
/// decision denies it, nothing is given, and the bell rings.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_finds_what_the_decision_denies_rings_and_falls_silent() {
    let (vhost, other) = (kit::rabbit::vhost().await, Organisation::OTHER);
    let mut config = format!("[answer]\nreceivers = [{TEST_ARCHIVE:?}]\n[access]\nregistered_only = true\n");
    let mut urls = Vec::new();
    // The other county is registered by its unit: what is its own is compared by equality, which no collation changes.
    for (name, device, organisation) in [("alfa", Organisation::SAMPLE.unit, Organisation::SAMPLE.node), ("beta", other.unit, other.unit)] {
        let user = format!("{}-{name}", vhost.name);
        urls.push(tokio::task::block_in_place(|| vhost.user(&user, "words")));
        config.push_str(&format!(
            "[registrations.{name}]\nuser = {user:?}\ndevices = [{device:?}]\norganisation = {organisation:?}\nprofile = \"joining\"\ndisclosure_management = true\n"
        ));
    }
    let gateway = Gateway::on(vhost, Some(kit::postgres::database().await.url), &config);
    let family = Family::new(9_300, 9_300, Language::Fi);
    let will = |base: &DocumentSpec, said, hour: u8| {
        let time = format!("20261101{hour:02}0000+0200");
        framed(&DocumentSpec { said: Some(said), authored: time.clone(), created: time, ..base.clone() })
    };
    let link = family.id(60).replace(Organisation::SAMPLE.node, other.node);
    let link = DocumentSpec { controller: other, relation_id: Some(format!("{link}.1")), ..family.relation.under(&link) };
    let denied = vec![Denied::Controller(Oid::parse(Organisation::SAMPLE.node).unwrap())];
    let send = |who: usize, files: &[std::path::PathBuf]| {
        let mut command = gateway.command(&["send", "--show", "--expect", "accepted"]);
        let said = kit::run_command(command.args(files).env("ARKKI_BROKER_URL", &urls[who]), b"");
        assert!(said.ok(), "{}{}", said.text(), said.errors());
        said.text()
    };
    let ask = |number: u64| {
        let base = QuerySpec::metadata(number, vec![Parameter::client(&family.person.hetu)]);
        let id = (format!("{}.18.2026.33", other.node), base.id.1.clone());
        let spec = QuerySpec {
            id,
            service_request: "SPX-META-DISC",
            grounds: Vec::new(),
            sender: other.unit.to_owned(),
            organisation: Some(other.unit.to_owned()),
            ..base
        };
        let said = send(1, &[put(&gateway, &format!("query-{number}.xml"), &spec.render())]);
        said.split("resultTotalQuantity value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("none").to_owned()
    };
    let mut serve = gateway.serve(&[]);
    let prometheus = Prometheus::start(&[gateway.port]);
    tokio::task::block_in_place(|| {
        let mine = [
            framed(&family.relation),
            framed(&family.case),
            framed(&family.client_document),
            will(&family.informing, Said::Informed { edition: Edition { major: 2, minor: 0 } }, 9),
            will(&family.permission, Said::Permitted(true), 10),
        ];
        let files: Vec<_> = mine.iter().enumerate().map(|(n, octets)| put(&gateway, &format!("mine-{n}.xml"), octets)).collect();
        send(0, &files);
        send(1, &[put(&gateway, "link.xml", &framed(&link))]);
        assert_eq!(ask(1), "3", "permitted, and nothing denied yet");
        send(0, &[put(&gateway, "denial.xml", &will(&family.denial, Said::Denials(denied), 11))]);
        assert_eq!(ask(2), "0", "the statement leaves out what the client denies");
    });
    assert!(metrics(&gateway).contains("arkki_disclosure_disagreements_total 0"), "{}", metrics(&gateway));
    let odd = ["CREATE COLLATION odd (provider = icu, locale = 'en-u-ka-shifted')", "ALTER TABLE document ALTER COLUMN controller TYPE text COLLATE odd"];
    sql(&gateway, &odd).await;
    assert_eq!(tokio::task::block_in_place(|| ask(3)), "0", "found, and not given");
    prometheus.rings(&["DisclosureDisagrees"]);
    assert!(wait_until_blocking(SOON, || said(&gateway, "DisclosureDisagrees", "opened") == 1), "{}", gateway.log_text());
    assert!(metrics(&gateway).contains("arkki_disclosure_disagreements_total 3"), "{}", metrics(&gateway));
    sql(&gateway, &["ALTER TABLE document ALTER COLUMN controller TYPE text COLLATE \"C\"", "DROP COLLATION odd"]).await;
    assert_eq!(tokio::task::block_in_place(|| ask(4)), "0");
    prometheus.is_silent(&["DisclosureDisagrees"]);
    assert!(metrics(&gateway).contains("arkki_disclosure_disagreements_total 3"), "{}", metrics(&gateway));
    assert_eq!(said(&gateway, "DisclosureDisagrees", "opened"), 1, "{}", gateway.log_text());
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}
