//! Plain CDA R2 on the whole road: the octets stay as they came, our signature lies beside them, and whatever is changed in either is found and named.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::cda::beside::file_name;
use arkki::crypto::sha256;
use arkki::domain::ledger::Position;
use arkki::ports::archive::{Archive as _, StoredDocument};

use super::audits::Behind;
use super::{exits, json};
use crate::kit::{self, process::Signal};
use crate::road::Gateway;

/// A document of nobody, with what stands for `{header}` in its header.
const PLAIN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <id root="1.2.246.10.99999992.77" extension="{id}"/><code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime value="202611220800+0200"/>
  <confidentialityCode code="N"/><languageCode code="fi"/>{header}
  <recordTarget><patientRole><id root="1.2.246.10.99999992.78" extension="x"/></patientRole></recordTarget>
  <author><time value="20261122"/><assignedAuthor><id root="1.2.246.10.99999992.79"/></assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.246.10.99999992.10.0"/></representedCustodianOrganization></assignedCustodian></custodian>
  {related}<component><structuredBody><component><section><title>Å</title><text>x</text></section></component></structuredBody></component>
</ClinicalDocument>
"#;

fn document(id: &str, header: &str, related: &str) -> String {
    PLAIN.replace("{id}", id).replace("{header}", header).replace("{related}", related)
}

fn write(folder: &Path, name: &str, octets: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, octets).unwrap();
    path
}

/// The archived documents, in the ledger's order.
async fn stored(url: &str) -> Vec<StoredDocument> {
    let archive = store::open_unchanged(url, "test", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let mut documents = Vec::new();
    for entry in archive.ledger_page(Position(0), 100).await.unwrap() {
        documents.extend(archive.document_at(entry.position).await.unwrap());
    }
    documents
}

/// xmlsec1's verdict on the two files in one folder, as the docs say it.
fn xmlsec1(octets: &[u8], signature: &[u8]) -> bool {
    let folder = kit::temp_dir();
    write(folder.path(), &file_name(&sha256(octets)), octets);
    write(folder.path(), "signature.xml", signature);
    let anchor = kit::repository().join("samples/keys/ca.pem");
    let mut command = Command::new(kit::tool("xmlsec1"));
    command.current_dir(folder.path()).args(["--verify", "--id-attr:ID", "urn:hl7finland:signatureTimestamp", "--trusted-pem"]).arg(anchor);
    command.arg("signature.xml").output().unwrap().status.success()
}

async fn put(behind: &Behind, column: &str, octets: &[u8], position: u64) {
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let value = match behind {
        Behind::Postgres(_) => format!("decode('{hex}', 'hex')"),
        Behind::Sqlite(_) => format!("x'{hex}'"),
    };
    behind.run(&format!("UPDATE document_octets SET {column} = {value} WHERE document_id = (SELECT id FROM document WHERE position = {position})")).await;
}

/// The commands of docs/signatures.md and docs/checkpoints.md that an auditor of such a document gives.
fn as_the_docs_say(gateway: &Gateway, there: &StoredDocument, checkpoints: &Path) {
    let folder = gateway.folder.path();
    let (file, signature) = (write(folder, "out.xml", &there.octets), write(folder, "out.sig.xml", there.beside.as_ref().unwrap()));
    let anchor = kit::repository().join("samples/keys/ca.pem");
    let paths = [&file, &signature, &anchor, checkpoints].map(|path| path.to_str().unwrap().to_owned());
    let [file, signature, anchor, checkpoints] = paths.each_ref().map(String::as_str);
    let arkki = |arguments: &[&str]| gateway.arkki(arguments).must();
    assert!(arkki(&["signature", "verify", "--beside", signature, "--trust", anchor, file]).contains("VALID"));
    for language in ["fi", "sv", "en"] {
        let said = arkki(&["signature", "verify", "--archived", there.id.as_str(), "--language", language]);
        assert!(!said.contains(['{', '}', '✗']), "{said}");
    }
    assert!(arkki(&["audit", "--checkpoint", checkpoints]).contains(" 0 faults"));
    assert!(arkki(&["checkpoint", "verify", checkpoints]).contains(" 0 faults"));
    assert!(!arkki(&["checkpoint", "list"]).contains("no checkpoint"));
    assert!(arkki(&["audit", "--from", "2", "--trust", anchor]).contains(" 0 faults"));
    assert!(arkki(&["keys", "rehearse"]).contains("signed a shadow document"));
    assert!(arkki(&["doctor"]).contains("at the ledger's end"));
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_documents_are_archived_untouched_and_every_bit_beside_them_is_watched() {
    for postgres in [true, false] {
        let database = if postgres { Some(kit::postgres::database().await) } else { None };
        let lines = kit::temp_dir();
        let gateway = Gateway::new(
            database.as_ref().map(|d| d.url.clone()),
            &format!("[inbound.main]\nprofile = \"cda-r2\"\n[checkpoint]\nfile = {:?}\n", lines.path().join("checkpoints")),
        )
        .await;
        let mut serve = gateway.serve(&[]);
        let set = "<setId root=\"1.2.246.10.99999992.80\"/>";
        let first = document("a/1", &format!("{set}<versionNumber value=\"1\"/>"), "");
        let parent = "<parentDocument><id root=\"1.2.246.10.99999992.77\" extension=\"a/1\"/><setId root=\"1.2.246.10.99999992.80\"/></parentDocument>";
        let related = format!("<relatedDocument typeCode=\"RPLC\">{parent}</relatedDocument>");
        let second = document("a/2", &format!("{set}<versionNumber value=\"2\"/>"), &related);
        let wide: Vec<u8> = format!("\u{feff}{}", document("b", "", "").replace("UTF-8", "UTF-16")).encode_utf16().flat_map(u16::to_le_bytes).collect();
        let nobody = document("c", "", "").replace("<id root=\"1.2.246.10.99999992.78\" extension=\"x\"/>", "<id nullFlavor=\"UNK\"/>");
        let other = document("a/1", set, "");
        let folder = gateway.folder.path();
        let sent: Vec<&[u8]> = vec![first.as_bytes(), second.as_bytes(), &wide, nobody.as_bytes(), other.as_bytes()];
        let files: Vec<PathBuf> = sent.iter().enumerate().map(|(n, octets)| write(folder, &format!("{n}.xml"), octets)).collect();
        let answers = gateway.send(&files);
        let told: Vec<(&str, bool)> = answers.iter().map(|(_, answer, code)| (answer.as_str(), code.contains("E301") || code.contains("E701"))).collect();
        assert_eq!(told, [("AA", false), ("AA", false), ("AA", false), ("AE", true), ("AE", true)], "{answers:?}\n{}", gateway.log_text());
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());

        let clean = json(&gateway.arkki(&["audit", "--json"]));
        assert_eq!((clean["documents"].as_u64(), clean["faults"].as_u64()), (Some(3), Some(0)), "{clean}");
        let documents = stored(&gateway.archive_url).await;
        for (there, octets) in documents.iter().zip(&sent) {
            assert!(there.octets == *octets && there.splice.1 == 0, "the octets are those received");
            let signature = there.beside.clone().unwrap();
            assert!(xmlsec1(&there.octets, &signature));
            let mut changed = there.octets.clone();
            *changed.last_mut().unwrap() ^= 1;
            assert!(!xmlsec1(&changed, &signature), "xmlsec1 is a judge");
        }

        as_the_docs_say(&gateway, &documents[0], &lines.path().join("checkpoints"));

        let behind = database.as_ref().map_or_else(|| Behind::Sqlite(gateway.archive_url.clone()), |d| Behind::Postgres(d.name.clone()));
        let there = &documents[1];
        let position = there.position.0;
        let signature = there.beside.clone().unwrap();
        let text = String::from_utf8(signature.clone()).unwrap();
        let inside = |mark: &str| text.find(mark).unwrap() + mark.len() + 2;
        let places = [inside("<SignatureValue>"), inside("<DigestValue>"), inside("<X509Certificate>"), inside("arkki.timestamp.1\">20"), 2, text.len() - 1];
        for at in places {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            put(&behind, "beside", &changed, position).await;
            let audit = gateway.arkki(&["audit", "--json"]);
            exits(&audit, 1);
            let report = json(&audit);
            let list = report["list"].as_array().unwrap();
            assert!(list.iter().all(|fault| fault["position"] == position), "{report}");
            assert!(list.iter().any(|fault| fault["what"] == "the signature beside the document has changed"), "octet {at}: {report}");
        }
        behind.run(&format!("UPDATE document_octets SET beside = NULL WHERE document_id = (SELECT id FROM document WHERE position = {position})")).await;
        assert!(gateway.arkki(&["audit"]).text().contains(&format!("position {position}: the signature beside the document is missing")));
        put(&behind, "beside", &signature, position).await;
        let mut changed = there.octets.clone();
        changed[100] ^= 1;
        put(&behind, "octets", &changed, position).await;
        assert!(gateway.arkki(&["audit"]).text().contains(&format!("position {position}: the archived octets have changed")));
        put(&behind, "octets", &there.octets, position).await;
        // A document of the register cannot be made one that nothing is asked of.
        behind.run(&format!("UPDATE document SET doc_group = 5 WHERE position = {position}")).await;
        exits(&gateway.arkki(&["audit"]), 1);
        behind.run(&format!("UPDATE document SET doc_group = 0 WHERE position = {position}")).await;
        exits(&gateway.arkki(&["audit"]), 0);
    }
}
