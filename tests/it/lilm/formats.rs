//! The notice's second format, and who signed: a CDA R2 document of view LILM that other schemas and other tools take, beside the bundle; keys that ES256 is not for.

use std::path::Path;
use std::time::Duration;

use arkki::crypto::certificate::Certificate;
use arkki::crypto::key::SigningKey;
use arkki::domain::notice::{NoticeCriteria, StoredNotice};
use arkki::domain::time::Moment;
use arkki::fhir::{json, signature};
use arkki::ports::archive::Archive;
use arkki::xml::tree;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{drained, open, sample_files};
use crate::kit;
use crate::kit::process::Signal;
use crate::road::Gateway;

fn tool(program: &str, arguments: &[&str]) -> kit::Output {
    kit::run_with_input(program, arguments.iter().copied(), b"")
}

/// xmllint by Kela's own schema where it is at hand, and by ours; xmlsec1 for both references of the one signature.
fn judged_by_others(cda: &[u8], folder: &Path) {
    let file = folder.join("notice.xml");
    std::fs::write(&file, cda).unwrap();
    let file = file.to_str().unwrap();
    let mut schemas = vec![kit::repository().join("xsd/kanta-patient.xsd")];
    match kit::shared() {
        Some(shared) => schemas.push(shared.join("reference/schemas/cda-fi-kela/CDA_Fi.xsd")),
        None => println!("left out: no reference schema"),
    }
    for schema in &schemas {
        tool("xmllint", &["--noout", "--nonet", "--schema", schema.to_str().unwrap(), file]).must();
    }
    let anchor = kit::repository().join("samples/keys/ca.pem");
    let ids = ["--id-attr:ID", "urn:hl7-org:v3:structuredBody", "--id-attr:ID", "urn:hl7finland:signatureTimestamp"];
    let verify = |file: &str| tool("xmlsec1", &[&["--verify"], &ids[..], &["--trusted-pem", anchor.to_str().unwrap(), file]].concat());
    let said = verify(file);
    assert!(said.ok() && (said.text() + &said.errors()).contains("2/2"), "{}{}", said.text(), said.errors());
    // A judge that cannot say no proves nothing.
    let changed = String::from_utf8(cda.to_vec()).unwrap().replacen("<paragraph>", "<paragraph>x", 1);
    std::fs::write(file, changed).unwrap();
    assert!(!verify(file).ok());
}

/// What the document says to people and to machines is what the event said.
fn says_it(notice: &StoredNotice) {
    let text = std::str::from_utf8(notice.cda.as_ref().unwrap()).unwrap();
    let event = std::str::from_utf8(&notice.event).unwrap();
    let (document, event) = (tree::parse(text).unwrap(), tree::parse(event).unwrap());
    let words: String = document.descendants().filter(|n| n.has_tag_name((tree::HL7, "paragraph"))).map(|n| tree::text_of(n) + "\n").collect();
    for name in ["family", "statute", "scope", "description", "name", "title"] {
        for said in event.descendants().filter(|n| n.tag_name().name() == name).map(tree::text_of) {
            assert!(words.contains(said.trim()), "{name}");
        }
    }
    let typed: Vec<&str> = document.descendants().filter(|n| n.has_tag_name((tree::HL7, "value"))).flat_map(|n| n.attributes().map(|a| a.value())).collect();
    for (name, attribute) in
        [("client", "extension"), ("document", "root"), ("serviceTask", "code"), ("type", "code"), ("purpose", "code"), ("corrects", "root")]
    {
        for said in event.descendants().filter(|n| n.tag_name().name() == name).filter_map(|n| n.attribute(attribute)) {
            assert!(typed.contains(&said), "{name} {said}");
        }
    }
    let view = document.descendants().find(|n| n.has_tag_name((tree::HL7, "section"))).and_then(|n| tree::child(n, tree::HL7, "code")).unwrap();
    assert_eq!(view.attribute("code"), Some("LILM"));
}

async fn both_formats(archive_url: Option<String>) {
    let gateway = Gateway::new(archive_url, "[lilm]\nformat = \"both\"\n").await;
    let mut serve = gateway.serve(&[]);
    let accepted = gateway.send(&sample_files("accepted"));
    assert!(accepted.iter().all(|(_, answer, _)| answer == "AA"), "{accepted:#?}");
    let answers = gateway.send(&sample_files("disclosures"));
    assert!(answers.len() == 7 && answers.iter().all(|(_, answer, _)| answer == "AA"), "{answers:#?}");
    let left = drained(&gateway, 14).await;
    assert_eq!(left.len(), 14);
    let archive = open(&gateway).await;
    let folder = kit::temp_dir();
    for row in archive.notices(&NoticeCriteria::default(), 100).await.unwrap() {
        let notice = archive.notice(&row.record.id).await.unwrap().unwrap();
        let cda = notice.cda.clone().unwrap();
        assert!(left.contains(&notice.bundle) && left.contains(&cda), "{}", row.record.id);
        says_it(&notice);
        judged_by_others(&cda, folder.path());
    }
    let well = || gateway.arkki(&["lilm", "reconcile"]).ok();
    assert!(kit::wait_until_blocking(Duration::from_secs(30), well), "{}", gateway.arkki(&["lilm", "reconcile"]).text());
    // The document itself is given to whoever may, and that stands in the log.
    let id = "1.2.246.10.99999992.95.2026.1.701";
    let given = gateway.arkki(&["lilm", "show", id, "--cda"]);
    let first = archive.notice(&arkki::domain::oid::Oid::parse(id).unwrap()).await.unwrap().unwrap();
    assert!(given.ok() && given.stdout == first.cda.unwrap(), "{}", given.errors());
    let export = folder.path().join("access.csv");
    let controller = "1.2.246.10.99999992.10.0";
    gateway
        .arkki(&["log", "export", "--controller", controller, "--from", "2026-01-01", "--to", "2099-12-31", "--log", "access", "-o", export.to_str().unwrap()])
        .must();
    let rows = std::fs::read_to_string(&export).unwrap();
    assert!(rows.lines().any(|row| row.contains(",show,") && row.contains(id) && row.contains("notice: cda") && row.contains("060666-966W")), "{rows}");
    gateway.arkki(&["audit"]).must();
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(60)).is_some());
    assert!(!gateway.log_text().contains("060666-966W"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_leave_on_postgres() {
    both_formats(Some(kit::postgres::database().await.url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_leave_on_sqlite() {
    both_formats(None).await;
}

/// Of two messages each is owed: a confirmation taken away by hand is named. What is changed in the document is found, and who signed is asked at each audit.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_owed_and_audited_like_the_bundle() {
    let database = kit::postgres::database().await;
    let gateway = Gateway::new(Some(database.url.clone()), "[lilm]\nformat = \"both\"\n").await;
    let mut serve = gateway.serve(&[]);
    let answers = gateway.send(&sample_files("disclosures")[..2]);
    assert!(answers.iter().all(|(_, answer, _)| answer == "AA"), "{answers:?}");
    let well = || gateway.arkki(&["lilm", "reconcile"]).ok();
    assert!(kit::wait_until_blocking(Duration::from_secs(30), well));
    serve.signal(Signal::Term);
    serve.wait(Duration::from_secs(60));
    gateway.arkki(&["audit"]).must();
    let name = database.url.rsplit('/').next().unwrap();
    let sql = |statement: &str| kit::postgres::server().sql(name, statement);
    let first = sql("SELECT min(position) FROM notice");
    let first = first.trim();
    sql(&format!("CREATE TABLE kept AS SELECT * FROM notice_emitted WHERE position = {first}"));
    sql(&format!("DELETE FROM notice_emitted WHERE position = {first} AND amqp_id LIKE '%.0'"));
    let lost = gateway.arkki(&["lilm", "reconcile"]);
    assert!(lost.code == Some(1) && lost.text().contains("never emitted"), "{}", lost.text());
    assert!(gateway.arkki(&["lilm", "reconcile", "--json"]).text().contains("never-emitted"));
    sql("INSERT INTO notice_emitted SELECT * FROM kept ON CONFLICT DO NOTHING");
    assert!(well());
    let changes = [
        ("messages = 3", "another number of messages"),
        ("cda = convert_to(replace(convert_from(cda, 'UTF8'), '<paragraph>', '<paragraph>x'), 'UTF8')", "E602"),
        ("cda = convert_to(replace(convert_from(cda, 'UTF8'), '<versionNumber value=\"1\"', '<versionNumber value=\"2\"'), 'UTF8')", "has changed"),
        ("cda = (SELECT cda FROM notice n WHERE n.position <> notice.position LIMIT 1)", "columns differ"),
        ("cda = NULL, messages = 1", "has changed"),
    ];
    for (change, says) in changes {
        sql(&format!("CREATE TABLE was AS SELECT * FROM notice WHERE position = {first}"));
        sql(&format!("UPDATE notice SET {change} WHERE position = {first}"));
        let audit = gateway.arkki(&["audit"]);
        assert!(audit.code == Some(1) && audit.text().contains(says), "{change}: {}", audit.text());
        sql(&format!("DELETE FROM notice WHERE position = {first}"));
        sql("INSERT INTO notice SELECT * FROM was");
        sql("DROP TABLE was");
    }
    gateway.arkki(&["audit"]).must();
    // By a site that trusts another authority only, none of it is believed.
    let at = |file: &str| gateway.folder.path().join(file).display().to_string();
    let extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
    let make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "300", "-subj", "/CN=Another", "-keyout", &at("other.key"), "-out", &at("other.pem")];
    tool("openssl", &[&make[..], &extensions[..]].concat()).must();
    let config = std::fs::read_to_string(at("arkki.toml")).unwrap();
    let line = config.lines().find(|line| line.starts_with("trust")).unwrap();
    std::fs::write(at("arkki.toml"), config.replace(line, &format!("trust = [{:?}]", at("other.pem")))).unwrap();
    let audit = gateway.arkki(&["audit"]);
    assert!(audit.code == Some(1), "{}", audit.text());
    for says in ["the bundle: its certificate leads to no trust anchor", "the notice's document: E604"] {
        assert!(audit.text().contains(says), "{says}: {}", audit.text());
    }
}

/// A key on a curve, and a certificate of its own.
fn on_curve(curve: &str, folder: &Path) -> (SigningKey, Certificate) {
    let at = |name: &str| folder.join(format!("{curve}.{name}")).display().to_string();
    tool("openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}"), "-out", &at("key")]).must();
    tool("openssl", &["req", "-x509", "-key", &at("key"), "-days", "300", "-subj", "/CN=Curve", "-out", &at("pem")]).must();
    let read = |name: &str| std::fs::read(at(name)).unwrap();
    (SigningKey::from_pem(&read("key")).unwrap(), Certificate::from_pem(&read("pem")).unwrap())
}

/// ES256 is P-256 and 64 octets (RFC 7518 §3.4): whatever else a bundle says, it is not believed, and none is made.
#[test]
fn es256_is_p256_alone() {
    let folder = kit::temp_dir();
    let bundle = serde_json::json!({ "resourceType": "Bundle", "type": "transaction" });
    let by_hand = |alg: &str, certificate: &Certificate, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let header = serde_json::json!({ "alg": alg, "x5c": [STANDARD.encode(certificate.der())] });
        let head = URL_SAFE_NO_PAD.encode(json::canonical(&header).unwrap());
        let payload = URL_SAFE_NO_PAD.encode(json::canonical(&bundle).unwrap());
        let value = sign(format!("{head}.{payload}").as_bytes());
        let mut signed = bundle.clone();
        signed["signature"] = serde_json::json!({ "data": STANDARD.encode(format!("{head}..{}", URL_SAFE_NO_PAD.encode(value))) });
        json::canonical(&signed).unwrap()
    };
    let (key, certificate) = on_curve("P-256", folder.path());
    let unsigned = signature::prepare(bundle.clone(), certificate.der()).unwrap();
    let value = key.sign_sha256(&unsigned.input).unwrap();
    assert_eq!(value.len(), 64);
    let signed = unsigned.signed(&value, Moment::from_seconds(1_795_000_000), "1.2.3").unwrap();
    assert!(signature::verify(&signed).is_ok() && signature::algorithm(&certificate) == Some("ES256"));
    let sign = |octets: &[u8]| key.sign_sha256(octets).unwrap();
    assert!(signature::verify(&by_hand("ES256", &certificate, &sign)).is_ok());
    // Other names and other lengths over the same key.
    for alg in ["RS256", "ES384", "none", ""] {
        assert!(signature::verify(&by_hand(alg, &certificate, &sign)).is_err(), "{alg}");
    }
    for length in [0, 63, 65, 96] {
        let other = |octets: &[u8]| key.sign_sha256(octets).unwrap().into_iter().chain([0; 32]).take(length).collect();
        assert!(signature::verify(&by_hand("ES256", &certificate, &other)).is_err(), "{length} octets");
    }
    let (key, certificate) = on_curve("P-384", folder.path());
    assert!(signature::prepare(bundle.clone(), certificate.der()).is_none() && signature::algorithm(&certificate).is_none());
    let sign = |octets: &[u8]| key.sign_sha256(octets).unwrap();
    for alg in ["ES256", "ES384"] {
        assert_eq!(signature::verify(&by_hand(alg, &certificate, &sign)).err(), Some("its certificate's key is none that a JWS is made with here"));
    }
}

/// A site whose key is on another curve does not start, and its doctor says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_on_another_curve_is_refused_at_the_start() {
    let gateway = Gateway::new(None, "").await;
    let folder = gateway.folder.path();
    drop(on_curve("P-384", folder));
    let at = |name: &str| folder.join(name).display().to_string();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(at("P-384.key"), private).unwrap();
    let config = std::fs::read_to_string(at("arkki.toml")).unwrap();
    let system = kit::repository().join("samples/keys/system.pem").display().to_string();
    let config = config.replace(&at("system.key"), &at("P-384.key")).replace(&system, &at("P-384.pem"));
    std::fs::write(at("arkki.toml"), config).unwrap();
    let (serve, doctor) = (gateway.arkki(&["serve"]), gateway.arkki(&["doctor"]));
    let says = "notices are signed with RSA or on P-256";
    assert!(!serve.ok() && (serve.text() + &serve.errors()).contains(says), "{}{}", serve.text(), serve.errors());
    assert!(!doctor.ok() && doctor.text().contains(says), "{}", doctor.text());
}
