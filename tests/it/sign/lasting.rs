//! Evidence that lasts: a professional's certificate ends, the list and the responder that spoke of it are gone, and the archive still proves that the signature was good when it came.

use std::path::{Path, PathBuf};
use std::time::Duration;

use arkki::adapters::clock::SystemClock;
use arkki::cda::seal::sign_professional;
use arkki::crypto::authority::{Authority, Validity};
use arkki::crypto::certificate::Certificate;
use arkki::ports::clock::Clock as _;
use arkki::xml::tree;
use serde_json::Value;
use sqlx::Connection as _;

use super::pair;
use super::revoked::{Books, Responder, iso};
use super::sealing::{locate, text_of};
use crate::kit::{self, Output, process::Signal};
use crate::road::Gateway;

/// How long the professional's certificate lasts.
const LASTS: Duration = Duration::from_secs(8);

/// The gateway's configuration with these words behind its one anchor.
fn configure(gateway: &Gateway, more: &str) {
    let file = gateway.folder.path().join("arkki.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("crls =") && !line.starts_with("ocsp ="));
    let anchor = kit::repository().join("samples/keys/ca.pem");
    let lines = lines.map(|line| if line.starts_with("trust =") { format!("trust = [{:?}]\n{more}", anchor.display().to_string()) } else { line.to_owned() });
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
}

async fn run_sql(gateway: &Gateway, statement: &str) -> u64 {
    let mut line = sqlx::SqliteConnection::connect(&gateway.archive_url).await.unwrap();
    let done = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut line).await.unwrap();
    line.close().await.unwrap();
    done.rows_affected()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()))
}

/// The sample document that a professional signed, signed by this one instead.
fn signed(folder: &Path, books: &Books) -> PathBuf {
    let keys = kit::repository().join("samples/keys");
    let sample = Certificate::from_pem(&std::fs::read(keys.join("professional.pem")).unwrap()).unwrap();
    let authority = Authority::from_pem(&std::fs::read(keys.join("ca-key.pem")).unwrap(), &std::fs::read(keys.join("ca.pem")).unwrap()).unwrap();
    let now = SystemClock.now();
    let valid = Validity { from: iso_moment(&iso(now)), until: iso_moment(&iso(now)).plus(LASTS) };
    let who = pair(&authority.professional("Testi", "Lyhytaikainen", sample.serial().unwrap(), valid).unwrap());
    books.write(&[(&who, None)]);
    let text = std::fs::read_to_string(kit::repository().join("samples/accepted/03-client-document-fi-signed.xml")).unwrap();
    // The header goes on announcing who signs.
    let collection = {
        let document = tree::parse(&text).unwrap();
        document.descendants().find(|n| n.tag_name().name() == "signatureCollection").unwrap().range()
    };
    let bare = format!("{}{}", &text[..collection.start], &text[collection.end..]);
    let signed = sign_professional(bare.as_bytes(), &locate(&bare).unwrap(), &who.key, who.certificate.der(), now).unwrap();
    let path = folder.join("03.xml");
    std::fs::write(&path, text_of(&signed)).unwrap();
    path
}

fn iso_moment(text: &str) -> arkki::domain::time::Moment {
    super::moment(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_stays_evidence_when_its_certificate_and_all_that_spoke_of_it_are_gone() {
    let keys = kit::repository().join("samples/keys");
    let books = Books::open("unused");
    for (from, to) in [("ca.pem", "ca.pem"), ("ca-key.pem", "ca.key")] {
        std::fs::copy(keys.join(from), books.at(to)).unwrap();
    }
    let document = signed(books.folder.path(), &books);
    let ended = SystemClock.now().plus(LASTS);
    let list = books.list(&iso(SystemClock.now()), &iso(SystemClock.now().plus(Duration::from_secs(3600))));
    let responder = Responder::start(&books, &books);
    for (more, tally, kind) in
        [(format!("crls = [{:?}]", list.display().to_string()), "by_list", 2), (format!("ocsp = \"{}\"", responder.address), "by_answer", 3)]
    {
        let gateway = Gateway::new(None, "").await;
        configure(&gateway, &more);
        let mut serve = gateway.serve(&[]);
        let samples = ["01-client-relation-fi.xml", "02-case-fi-framed.xml"].map(|name| kit::repository().join("samples/accepted").join(name));
        let answers = gateway.send(&[samples[0].clone(), samples[1].clone(), document.clone()]);
        assert!(answers.iter().all(|(_, answer, _)| answer == "AA"), "{tally}: {answers:?}\n{}", gateway.log_text());
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());

        // Years later, so to speak: the certificate has ended, and the site has neither list nor responder.
        assert!(kit::wait_until_blocking(Duration::from_secs(30), || SystemClock.now() > ended));
        configure(&gateway, "");
        let report = json(&gateway.arkki(&["audit", "--json"]));
        assert_eq!((report["faults"].as_u64(), report["signers"][tally].as_u64()), (Some(0), Some(1)), "{report}");
        assert!(gateway.arkki(&["audit"]).must().contains("signers' certificates: "));
        let explained = gateway.arkki(&["--json", "signature", "verify", "--archived", "3"]);
        let value = json(&explained);
        assert!(explained.ok() && value["verdict"] == "valid", "{value}");
        let steps: Vec<&str> = value["signatures"][0].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
        assert_eq!(steps[0], "professional");
        assert_eq!(steps[steps.len() - 2..], ["revocation-good", if kind == 2 { "by-list" } else { "by-answer" }], "{value}");
        let about: Vec<&str> = value["document"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
        assert_eq!(about, ["document", "archived", "kept"], "{value}");
        for language in ["fi", "sv", "en"] {
            let said = gateway.arkki(&["signature", "verify", "--archived", "3", "--language", language]).must();
            assert!(!said.contains(['{', '}', '✗']), "{said}");
            println!("{said}");
        }

        // The material is watched like everything else.
        assert_eq!(
            run_sql(&gateway, &format!("UPDATE material SET octets = CAST(substr(octets, 1, length(octets) - 1) || x'21' AS blob) WHERE kind = {kind}")).await,
            1
        );
        let changed = gateway.arkki(&["audit"]);
        assert!(!changed.ok() && changed.text().contains("validation material that a checkpoint names has changed"), "{}", changed.text());
        assert!(run_sql(&gateway, &format!("DELETE FROM material WHERE kind = {kind}")).await == 1);
        let gone = gateway.arkki(&["audit", "--json"]);
        let report = json(&gone);
        assert!(!gone.ok() && report["list"][0]["what"].as_str().unwrap().contains("validation material"), "{report}");
        assert_eq!(report["signers"][tally].as_u64(), Some(0), "{report}");
        // What a list of those days says is believed: one that had the certificate revoked before the document came.
        if kind == 2 {
            let revoked =
                std::fs::read_to_string(books.at("index.txt")).unwrap().replacen("V\t301231235959Z\t\t", "R\t301231235959Z\t261101000000Z,keyCompromise\t", 1);
            std::fs::write(books.at("index.txt"), revoked).unwrap();
            let other = std::fs::read(books.list(&iso(ended), &iso(ended.plus(Duration::from_secs(3600))))).unwrap();
            let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
            let sha = hex(&arkki::crypto::sha256(&other).0);
            run_sql(&gateway, &format!("INSERT INTO material (sha, kind, octets) VALUES (x'{sha}', 2, x'{}')", hex(&other))).await;
            run_sql(&gateway, &format!("INSERT INTO material_set SELECT material, x'{sha}' FROM checkpoint")).await;
            let said = gateway.arkki(&["audit"]).text();
            assert!(said.contains("position 3: E612 signature-revoked, as the kept material says"), "{said}");
        }
    }
}
