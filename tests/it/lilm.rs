//! Disclosures outside the archive on the whole road: the event comes over the broker, its notice lies in the archive, stands in both logs and leaves on the
//! notice queue, signed so that other tools agree.

mod formats;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::amqp::{AmqpClient, Secret};
use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::domain::ledger::EntryKind;
use arkki::domain::ledger::Position;
use arkki::domain::notice::{NoticeCriteria, NoticeRow, StoredNotice};
use arkki::domain::oid::Oid;
use arkki::generate::disclosure::{BasisSpec, DisclosureSpec};
use arkki::generate::samples;
use arkki::ports::archive::Archive;
use serde_json::Value;

use crate::kit;
use crate::road::{Gateway, files};

/// RFC 8785 by another hand, without numbers: names by their UTF-16 units, Python's own escapes.
const CANONICAL: &str = r"
import json, sys
def key(name): return name.encode('utf-16-be')
def write(v):
    if isinstance(v, dict):
        return '{' + ','.join(write(k) + ':' + write(v[k]) for k in sorted(v, key=key)) + '}'
    if isinstance(v, list):
        return '[' + ','.join(map(write, v)) + ']'
    return json.dumps(v, ensure_ascii=False)
bundle = json.load(sys.stdin)
bundle.pop('signature')
sys.stdout.write(write(bundle))
";

fn sample_files(folder: &str) -> Vec<PathBuf> {
    files(&kit::repository().join("samples").join(folder))
}

async fn open(gateway: &Gateway) -> Arc<store::Store> {
    store::open_unchanged(&gateway.archive_url, "lilm", Arc::new(SystemEntropy::open().unwrap())).await.unwrap()
}

async fn stored(archive: &dyn Archive, id: &str) -> StoredNotice {
    archive.notice(&Oid::parse(id).unwrap()).await.unwrap().unwrap_or_else(|| panic!("{id} is not archived"))
}

/// Everything that the notice queue holds: message id, content type, octets.
async fn drained(gateway: &Gateway, count: usize) -> Vec<Vec<u8>> {
    let client = AmqpClient::connect(&Secret::new(gateway.vhost.amqp_url.clone()), "notices").await.unwrap();
    let mut queue = client.answers("arkki.notice").await.unwrap();
    let mut out = Vec::new();
    while out.len() < count {
        let Some(letter) = queue.next(Duration::from_secs(30)).await.unwrap() else { break };
        out.push(letter.body);
    }
    out
}

async fn the_samples(archive_url: Option<String>) {
    let gateway = Gateway::new(archive_url, "").await;
    let mut serve = gateway.serve(&[]);
    let accepted = gateway.send(&sample_files("accepted"));
    assert!(accepted.iter().all(|(_, answer, _)| answer == "AA"), "{accepted:#?}");
    let events = sample_files("disclosures");
    let answers = gateway.send(&events);
    assert!(answers.len() == 7 && answers.iter().all(|(_, answer, details)| answer == "AA" && details.starts_with(' ')), "{answers:#?}");
    let archive = open(&gateway).await;
    let notices = archive.notices(&NoticeCriteria::default(), 100).await.unwrap();
    let made = samples::disclosures_of(&samples::finnish());
    assert_eq!(notices.iter().map(|n| n.record.id.as_str()).collect::<Vec<_>>(), made.iter().map(|(_, spec, _)| spec.id.as_str()).collect::<Vec<_>>());
    let ids: std::collections::HashSet<&str> =
        notices.iter().flat_map(|n| n.record.parts.iter().flat_map(|p| [p.sent_id.as_str(), p.provenance_id.as_str()])).collect();
    assert_eq!(ids.len(), 16, "eight parts, each with its own two ids");
    assert!(ids.iter().all(|id| id.starts_with("1.2.246.10.99999992.10.0.95.2026.") && id.len() <= 64));

    // What left is what lies in the archive, octet for octet, and each is signed.
    let left = drained(&gateway, 7).await;
    assert_eq!(left.len(), 7);
    for notice in &notices {
        let kept = stored(archive.as_ref(), notice.record.id.as_str()).await;
        assert!(left.contains(&kept.bundle), "{}", notice.record.id);
        assert!(String::from_utf8(kept.event.clone()).unwrap().contains(notice.record.id.as_str()));
        judged_by_others(&kept.bundle);
    }
    the_bundles_say_it(archive.as_ref(), &made).await;
    the_ledger_has_them(archive.as_ref(), &notices).await;
    repeats_and_conflicts(&gateway, archive.as_ref(), &events).await;
    gateway.arkki(&["audit"]).must();
    let log = gateway.log_text();
    let person = samples::finnish().person;
    assert!(!log.contains(&person.hetu) && !log.contains(person.family), "personal values in the log");
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(Duration::from_secs(60)).is_some());
}

/// Python makes the same canonical octets, OpenSSL's command says that the signature over them is good.
fn judged_by_others(bundle: &[u8]) {
    let folder = kit::temp_dir();
    let at = |name: &str| folder.path().join(name);
    let canonical = kit::run_with_input("python3", ["-c", CANONICAL], bundle).must();
    let value: Value = serde_json::from_slice(bundle).unwrap();
    assert!(value["signature"]["sigFormat"] == "application/jose" && value["signature"]["type"][0]["code"] == "1.2.840.10065.1.12.1.5");
    let jws = decoded(value["signature"]["data"].as_str().unwrap(), false);
    let jws = String::from_utf8(jws).unwrap();
    let parts: Vec<&str> = jws.split('.').collect();
    assert!(parts.len() == 3 && parts[1].is_empty(), "detached");
    let header: Value = serde_json::from_slice(&decoded(parts[0], true)).unwrap();
    assert_eq!(header["alg"], "RS256");
    std::fs::write(at("certificate.der"), decoded(header["x5c"][0].as_str().unwrap(), false)).unwrap();
    std::fs::write(at("value"), decoded(parts[2], true)).unwrap();
    let payload = kit::run_with_input(
        "python3",
        ["-c", "import base64,sys; print(base64.urlsafe_b64encode(sys.stdin.buffer.read()).rstrip(b'=').decode(), end='')"],
        canonical.as_bytes(),
    )
    .must();
    std::fs::write(at("input"), [parts[0].as_bytes(), b".", payload.as_bytes()].concat()).unwrap();
    let path = |name: &str| at(name).to_str().unwrap().to_owned();
    let key = kit::run_with_input("openssl", ["x509", "-inform", "DER", "-in", &path("certificate.der"), "-pubkey", "-noout"], b"").must();
    std::fs::write(at("key.pem"), &key).unwrap();
    let said = kit::run_with_input("openssl", ["dgst", "-sha256", "-verify", &path("key.pem"), "-signature", &path("value"), &path("input")], b"").must();
    assert!(said.contains("Verified OK"), "{said}");
    // A judge that cannot say no proves nothing.
    std::fs::write(at("input"), [parts[0].as_bytes(), b".", payload.as_bytes(), b"A"].concat()).unwrap();
    let changed = kit::run_with_input("openssl", ["dgst", "-sha256", "-verify", &path("key.pem"), "-signature", &path("value"), &path("input")], b"");
    assert!(!changed.text().contains("Verified OK"));
}

fn decoded(text: &str, url: bool) -> Vec<u8> {
    let code = if url {
        "import base64,sys; t=sys.stdin.read(); sys.stdout.buffer.write(base64.urlsafe_b64decode(t+'='*(-len(t)%4)))"
    } else {
        "import base64,sys; sys.stdout.buffer.write(base64.b64decode(sys.stdin.read()))"
    };
    let output = kit::run_with_input("python3", ["-c", code], text.as_bytes());
    assert!(output.ok(), "{}", output.errors());
    output.stdout
}

/// What each sample must become in its bundle.
async fn the_bundles_say_it(archive: &dyn Archive, made: &[(&str, DisclosureSpec, &str)]) {
    let mut bundles: Vec<Value> = Vec::new();
    for (_, spec, _) in made {
        bundles.push(serde_json::from_slice(&stored(archive, &spec.id).await.bundle).unwrap());
    }
    let resource = |bundle: usize, entry: usize| bundles[bundle]["entry"][entry]["resource"].clone();
    for (bundle, (name, spec, _)) in bundles.iter().zip(made) {
        let entries = bundle["entry"].as_array().unwrap();
        assert_eq!((bundle["type"].as_str(), entries.len()), (Some("transaction"), spec.registers.len() * 2), "{name}");
        for pair in entries.chunks(2) {
            let event = &pair[0]["resource"];
            assert_eq!(pair[0]["fullUrl"], format!("urn:oid:{}", event["id"].as_str().unwrap()));
            assert_eq!(pair[1]["resource"]["target"][0]["reference"], pair[0]["fullUrl"], "{name}");
            assert_eq!((&pair[0]["request"]["method"], &pair[0]["request"]["url"]), (&Value::from("POST"), &Value::from("AuditEvent")));
            assert!(event["action"].is_null() && event["outcome"].is_null() && event["period"]["end"].is_null(), "0..0");
            let patient = event["contained"].as_array().unwrap().iter().find(|r| r["resourceType"] == "Patient").unwrap();
            assert_eq!(patient["identifier"][0]["value"], spec.person.hetu, "{name}");
            assert_eq!(event["contained"][0]["extension"][0]["valueCoding"]["system"], "urn:oid:1.2.246.537.6.1264.201701");
            for entity in event["entity"].as_array().unwrap() {
                assert!(entity["extension"][0]["extension"].as_array().unwrap().iter().any(|e| e["url"] == "FunctionCode"), "{name}");
                assert!(entity["description"].is_string(), "{name}");
            }
        }
    }
    let text = |value: &Value| value.to_string();
    assert!(text(&resource(0, 0)).contains("703/2023 62 §") && resource(0, 0)["entity"].as_array().unwrap().len() == 1);
    assert!(text(&resource(1, 0)).contains("\"Consent\"") && text(&resource(1, 0)).contains("Olosuhteet oikeudelle"));
    let recipient = resource(2, 0)["agent"].as_array().unwrap().iter().find(|a| a["role"][0]["coding"][0]["code"] == "recipient").cloned().unwrap();
    assert_eq!(recipient["who"]["reference"], "#client");
    assert!(text(&resource(3, 0)).contains(&format!("urn:oid:{}", samples::finnish().client_document.id)), "the archived document by its id");
    assert!(resource(4, 0)["language"].is_null() && resource(4, 1)["language"] == "sv" && text(&resource(4, 2)).contains("Anmälningsregistret"));
    assert!(text(&resource(5, 0)).contains("OriginalFunctionCode"));
    let first = resource(0, 0)["id"].as_str().unwrap().to_owned();
    assert!(text(&resource(6, 0)).contains(&format!("Korjaa ilmoituksen urn:oid:{first}")));
    assert_eq!(resource(6, 1)["entity"][0]["what"]["identifier"]["value"], format!("urn:oid:{first}"));
}

/// Each notice has an entry of its own kind that brings its rows of both logs.
async fn the_ledger_has_them(archive: &dyn Archive, notices: &[NoticeRow]) {
    for notice in notices {
        let entry = archive.ledger_page(Position(notice.position.0 - 1), 1).await.unwrap().remove(0).entry;
        assert_eq!((entry.kind, entry.document_id.as_deref()), (EntryKind::Notice, Some(notice.record.id.as_str())));
        // One row of the access log for each part, one of the disclosure log for each data set.
        assert!(entry.log.is_some_and(|log| log.rows as usize > notice.record.parts.len()), "{:?}", entry.log);
    }
}

/// The same octets again get the same answer and make nothing; other octets under the same id are refused.
async fn repeats_and_conflicts(gateway: &Gateway, archive: &dyn Archive, events: &[PathBuf]) {
    let before = archive.notices(&NoticeCriteria::default(), 100).await.unwrap();
    let again = gateway.send(&events[..2]);
    assert!(again.iter().all(|(_, answer, _)| answer == "AA"), "{again:?}");
    let named = [sample_files("refused"), sample_files("conflicts")].concat();
    let refused = gateway.send(&named.into_iter().filter(|f| f.to_str().unwrap().contains("/E88")).collect::<Vec<_>>());
    assert!(refused.len() >= 12, "{}", refused.len());
    for (file, answer, code) in &refused {
        let expected = file.rsplit('/').next().unwrap().get(..4).unwrap().to_owned();
        assert!(answer == "AE" && code.starts_with(&expected), "{file}: {answer} {code}");
    }
    let after = archive.notices(&NoticeCriteria::default(), 100).await.unwrap();
    assert_eq!(after.iter().map(|n| &n.record).collect::<Vec<_>>(), before.iter().map(|n| &n.record).collect::<Vec<_>>());
    assert!(
        kit::wait_until(Duration::from_secs(20), || async { !archive.notices(&NoticeCriteria::default(), 100).await.unwrap().iter().any(|n| n.waiting) }).await
    );
    let none = archive.notices(&NoticeCriteria { controller: Oid::parse("1.2.3").ok(), ..NoticeCriteria::default() }, 100).await.unwrap();
    assert!(none.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_become_notices_on_postgres() {
    the_samples(Some(kit::postgres::database().await.url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_become_notices_on_sqlite() {
    the_samples(None).await;
}

/// Whatever of a notice is changed by hand, an audit names it.
#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_each_changed_value_of_a_notice() {
    let database = kit::postgres::database().await;
    let gateway = Gateway::new(Some(database.url.clone()), "").await;
    let mut serve = gateway.serve(&[]);
    let answers = gateway.send(&sample_files("disclosures")[..3]);
    assert!(answers.iter().all(|(_, answer, _)| answer == "AA"), "{answers:?}");
    serve.signal(kit::process::Signal::Term);
    serve.wait(Duration::from_secs(60));
    gateway.arkki(&["audit"]).must();
    let name = database.url.rsplit('/').next().unwrap();
    let sql = |statement: &str| kit::postgres::server().sql(name, statement);
    // What is changed, and what puts it back.
    let oid = "1.2.246.10.99999992.99";
    let columns = [
        ("notice", "id", format!("'{oid}'")),
        ("notice", "sender", "'somebody'".to_owned()),
        ("notice", "client", "decode(repeat('00', 32), 'hex')".to_owned()),
        ("notice", "corrects", format!("'{oid}'")),
        ("notice", "disclosed_at", "disclosed_at + 60000000".to_owned()),
        ("notice", "recorded_at", "recorded_at + 60000000".to_owned()),
        ("notice", "at", "at + 1".to_owned()),
        ("notice", "event_sha", "decode(repeat('00', 32), 'hex')".to_owned()),
        ("notice", "bundle_sha", "decode(repeat('00', 32), 'hex')".to_owned()),
        ("notice", "event", "event || '\\x20'".to_owned()),
        ("notice", "bundle", "bundle || '\\x20'".to_owned()),
        ("notice", "cda", "'\\x20'".to_owned()),
        ("notice", "messages", "messages + 1".to_owned()),
        ("notice_part", "sent_id", format!("'{oid}'")),
        ("notice_part", "provenance_id", format!("'{oid}'")),
        ("notice_part", "controller", format!("'{oid}'")),
        ("notice_part", "register", "'2'".to_owned()),
        ("notice_part", "number", "number + 1000000".to_owned()),
    ];
    let first = sql("SELECT min(position) FROM notice");
    let first = first.trim();
    for (table, column, value) in columns {
        sql(&format!("CREATE TABLE kept AS SELECT * FROM {table} WHERE position = {first}"));
        sql(&format!("UPDATE {table} SET {column} = {value} WHERE position = {first}"));
        let audit = gateway.arkki(&["audit"]);
        assert_eq!(audit.code, Some(1), "{table}.{column}: {}", audit.text());
        sql(&format!("DELETE FROM {table} WHERE position = {first}"));
        sql(&format!("INSERT INTO {table} SELECT * FROM kept"));
        sql("DROP TABLE kept");
    }
    for table in ["notice", "notice_part"] {
        sql(&format!("CREATE TABLE kept AS SELECT * FROM {table} WHERE position = {first}"));
        sql(&format!("DELETE FROM {table} WHERE position = {first}"));
        assert_eq!(gateway.arkki(&["audit"]).code, Some(1), "{table} lost");
        sql(&format!("INSERT INTO {table} SELECT * FROM kept"));
        sql("DROP TABLE kept");
    }
    gateway.arkki(&["audit"]).must();
}

/// A site that takes none says so and keeps nothing; production does not start with placeholders.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_may_take_no_disclosures() {
    let gateway = Gateway::new(None, "[lilm]\nenabled = false\n").await;
    let mut serve = gateway.serve(&[]);
    let answers = gateway.send(&sample_files("disclosures")[..1]);
    assert!(answers.iter().all(|(_, answer, code)| answer == "AR" && code.starts_with("E890")), "{answers:?}");
    assert!(open(&gateway).await.notices(&NoticeCriteria::default(), 10).await.unwrap().is_empty());
    serve.signal(kit::process::Signal::Term);
    serve.wait(Duration::from_secs(60));
}

/// A disclosure may rest on an archived permission while it is in force, and on one that it brings along at any time.
#[tokio::test(flavor = "multi_thread")]
async fn a_permission_counts_while_it_is_in_force() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let family = samples::finnish();
    let resting = |number: u64, disclosed: &str| {
        let spec = DisclosureSpec {
            basis: BasisSpec::Permission(family.permission.id.clone()),
            disclosed: format!("{disclosed}:00+03:00"),
            recorded: format!("{disclosed}:30+03:00"),
            ..DisclosureSpec::paper(family.id(800_000 + number), family.person.clone())
        };
        let path = gateway.folder.path().join(format!("{number}.xml"));
        std::fs::write(&path, spec.render()).unwrap();
        path
    };
    let send = |file: PathBuf| gateway.send(&[file]).remove(0);
    let accepted = |name: &str| kit::repository().join("samples/accepted").join(name);
    let unknown = send(resting(1, "2026-11-20T10:00"));
    assert!(unknown.1 == "AE" && unknown.2.starts_with("E885"), "{unknown:?}");
    assert_eq!(send(accepted("10b-informing-fi.xml")).1, "AA");
    assert_eq!(send(accepted("11-permission-fi.xml")).1, "AA");
    let before = send(resting(2, "2026-06-01T10:00"));
    assert!(before.1 == "AE" && before.2.starts_with("E885"), "given on the second of June: {before:?}");
    // The same octets as before: what was missing is there now.
    let now = send(resting(1, "2026-11-20T10:00"));
    assert!(now.1 == "AA" && now.2 == " []", "{now:?}");
    assert!(String::from_utf8(stored(open(&gateway).await.as_ref(), &family.id(800_001)).await.bundle).unwrap().contains(&family.permission.id));
    assert_eq!(send(accepted("23d-permission-fi-no-longer.xml")).1, "AA");
    let after = send(resting(3, "2026-11-20T11:00"));
    assert!(after.1 == "AE" && after.2.starts_with("E885"), "{after:?}");
    serve.signal(kit::process::Signal::Term);
    serve.wait(Duration::from_secs(60));
}

/// The schema is judged by xmllint too.
#[test]
fn xmllint_agrees_about_the_schema() {
    let schema = kit::repository().join("xsd/arkki/outside-disclosure.xsd");
    for file in sample_files("disclosures") {
        kit::run_with_input("xmllint", ["--noout", "--schema", schema.to_str().unwrap(), file.to_str().unwrap()], b"").must();
    }
}
