//! The other places of signatures: the patient family's header, and the document of its own beside a plain CDA.

use std::path::{Path, PathBuf};
use std::process::Command;

use arkki::cda::beside;
use arkki::cda::seal::{SealPoint, Sealed, seal_with};
use arkki::cda::verify::{Kind, Layout, SignatureFact, SignerRule, verify_within};
use arkki::codes::signatures::{SigningPlace, SigningProfile};
use arkki::crypto::algorithm::Algorithm;
use arkki::crypto::authority::Authority;
use arkki::crypto::sha256;
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::finding::Finding;
use arkki::domain::oid::Oid;
use arkki::xml::{dsig, tree};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::judges::{is_valid, jdk};
use super::{FROM, NOW, Pair, UNTIL, moment, pair, run, shared, site, valid};
use crate::kit;

/// The real archive message's document.
fn real() -> Option<String> {
    let text = std::fs::read_to_string(shared("reference/frames")?.join("RCMR_IN100002FI01.xml")).unwrap();
    let part = &text[text.find("Content-ID").unwrap()..];
    let base64: String = part.lines().skip(2).take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    Some(String::from_utf8(STANDARD.decode(base64).unwrap()).unwrap())
}

fn patient() -> &'static SigningProfile {
    SigningProfile::built_in(SigningPlace::PatientHeader)
}

/// A system of the hospital that the real document is from.
fn hospital() -> Pair {
    pair(&site().authority.system("Testila", &Oid::parse("1.2.246.537.10.15675350.10.7").unwrap(), "Potilastieto", valid(FROM, UNTIL)).unwrap())
}

fn verdict(text: &str, profile: &SigningProfile, anchors: &TrustAnchors) -> Result<Vec<SignatureFact>, Vec<Finding>> {
    verify_within(&tree::parse(text).unwrap(), profile, anchors, &SignerRule::default())
}

fn codes(text: &str, profile: &SigningProfile, anchors: &TrustAnchors) -> Vec<&'static str> {
    verdict(text, profile, anchors).err().unwrap_or_default().iter().map(|f| f.code.as_str()).collect()
}

fn sealed(text: &str, profile: &SigningProfile, who: &Pair) -> Sealed {
    let document = tree::parse(text).unwrap();
    let point = SealPoint::in_layout(&Layout::within(&document, profile)).unwrap_or_else(|findings| panic!("{findings:?}"));
    let signer = (who.key.algorithm(), who.certificate.der());
    seal_with(text.as_bytes(), &point, signer, moment(NOW), |octets| Ok(who.key.sign_sha256(octets).unwrap())).unwrap()
}

fn without_collection(text: &str) -> String {
    let document = tree::parse(text).unwrap();
    let range = document.descendants().find(|n| n.tag_name().name() == "signatureCollection").unwrap().range();
    format!("{}{}", &text[..range.start], &text[range.end..])
}

fn xmlsec1(path: &Path, anchor: &Path, n: usize) -> bool {
    let nth = format!("(//*[local-name()=\"Signature\" and namespace-uri()=\"http://www.w3.org/2000/09/xmldsig#\"])[{n}]");
    let ids = ["--id-attr:ID", "urn:hl7-org:v3:structuredBody", "--id-attr:ID", "urn:hl7finland:signatureTimestamp"];
    let at = ["--trusted-pem", anchor.to_str().unwrap(), "--verification-gmt-time", "2026-11-22 12:00:00", path.to_str().unwrap()];
    run("xmlsec1", &[&["--verify", "--node-xpath", &nth], &ids[..], &at[..]].concat(), b"").2
}

#[test]
fn the_real_frames_document_verifies_all_but_its_chain() {
    let Some(text) = real() else { return };
    // Its authority's certificate is not among the reference data: everything else holds, and that is told apart.
    assert_eq!(codes(&text, patient(), &site().anchors), ["E604"]);
    let document = tree::parse(&text).unwrap();
    let read = dsig::read(dsig::Survey::of(&document).signatures[0]).unwrap_or_else(|findings| panic!("{findings:?}"));
    let certificate = arkki::crypto::certificate::Certificate::from_der(&read.certificate).unwrap();
    assert!(certificate.verifies(&dsig::digest_of(read.signed_info), &read.value));
    // One octet of its body.
    assert_eq!(
        codes(
            &text.replacen(
                "<given>TIINA</given><given qualifier=\"CL\">TIINA</given><family>TESTI</family></name></subject>",
                "<given>TIINB</given><given qualifier=\"CL\">TIINA</given><family>TESTI</family></name></subject>",
                1
            ),
            patient(),
            &site().anchors
        ),
        ["E602", "E604"]
    );
    // By the social family's profile it has no signature where one would be looked for.
    assert_eq!(codes(&text, SigningProfile::social(), &site().anchors), ["E610"]);
}

#[test]
fn a_patient_document_is_sealed_in_its_header_where_the_schema_wants_it() {
    let Some(text) = real() else { return };
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let anchor = folder.join("anchor.pem");
    std::fs::write(&anchor, site().authority.to_pem().unwrap().certificate_pem).unwrap();
    let who = hospital();
    let bare = without_collection(&text);
    let schema = shared("reference/schemas/cda-fi-kela").map(|f| find(&f, "CDA_Fi.xsd"));
    let once = sealed(&bare, patient(), &who);
    let once_text = String::from_utf8(once.octets.clone()).unwrap();
    let twice = String::from_utf8(sealed(&once_text, patient(), &who).octets).unwrap();
    let (start, length) = once.splice;
    assert_eq!([&once.octets[..start], &once.octets[start + length..]].concat(), bare.as_bytes());
    assert!(once_text.contains("<recordStatus ") && once_text[..start].ends_with('>') && once_text[start + length..].starts_with("<custodianTypeCode"));
    let mut questions = Vec::new();
    for (name, text, count) in [("once.xml", &once_text, 1), ("twice.xml", &twice, 2)] {
        let facts = verdict(text, patient(), &site().anchors).unwrap_or_else(|findings| panic!("{findings:?}"));
        assert_eq!((facts.len(), facts[0].kind), (count, Kind::System));
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        assert!((1..=count).all(|n| xmlsec1(&file, &anchor, n)), "{name}");
        questions.push(format!("V\t{}\t{}", file.display(), anchor.display()));
        if let Some(schema) = &schema {
            let (_, said, well) = run("xmllint", &["--nonet", "--noout", "--schema", schema.to_str().unwrap(), file.to_str().unwrap()], b"");
            assert!(well, "{name}: {said}");
        }
    }
    assert!(jdk(folder, &questions).iter().all(|answer| is_valid(answer)));
    // Another hospital's system may not.
    let other = pair(&site().authority.system("Muu", &Oid::parse("1.2.246.537.10.8888888.10.7").unwrap(), "Muu", valid(FROM, UNTIL)).unwrap());
    assert_eq!(codes(&String::from_utf8(sealed(&bare, patient(), &other).octets).unwrap(), patient(), &site().anchors), ["E607"]);
}

fn find(folder: &Path, name: &str) -> PathBuf {
    let mut here = vec![folder.to_owned()];
    while let Some(folder) = here.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                here.push(path);
            } else if path.file_name().is_some_and(|n| n == name) {
                return path;
            }
        }
    }
    panic!("{name}");
}

#[test]
fn wrapped_patient_documents_are_refused() {
    let Some(text) = real() else { return };
    let text = String::from_utf8(sealed(&without_collection(&text), patient(), &hospital()).octets).unwrap();
    let document = tree::parse(&text).unwrap();
    let part = |name: &str| text[document.descendants().find(|n| n.tag_name().name() == name).unwrap().range()].to_owned();
    let (body, collection, header, dsig) = (part("structuredBody"), part("signatureCollection"), part("localHeader"), part("Signature"));
    let id = " ID=\"OID1.2.246.537.10.15675350.10.1.11220.19098.0\"";
    let evil = body.replacen(id, "", 1).replace("TIINA", "TOINA");
    for (what, wrapped) in [
        (
            "the signed body in the header, an evil one in its place",
            text.replacen(&body, &evil, 1).replacen("<custodianTypeCode", &format!("{body}<custodianTypeCode"), 1),
        ),
        (
            "both with the ID",
            text.replacen(&body, &evil.replacen("<structuredBody", &format!("<structuredBody{id}"), 1), 1).replacen(
                "<custodianTypeCode",
                &format!("{body}<custodianTypeCode"),
                1,
            ),
        ),
        ("an evil body beside it", text.replacen(&body, &format!("{body}{evil}"), 1)),
        ("a nonXMLBody beside it", text.replacen(&body, &format!("{body}<nonXMLBody/>"), 1)),
        ("the signed body in a section of an evil one", text.replacen(&body, &evil.replacen("<section>", &format!("<section>{body}"), 1), 1)),
        ("the signed body in the signature", text.replacen(&body, &evil, 1).replacen("</KeyInfo>", &format!("</KeyInfo><Object>{body}</Object>"), 1)),
        ("a second header", text.replacen(&header, &format!("{header}{header}"), 1)),
        ("a second collection", text.replacen(&collection, &format!("{collection}{collection}"), 1)),
        ("a signature elsewhere", text.replacen("<component>", &format!("{dsig}<component>"), 1)),
        (
            "a social header with the collection",
            text.replacen(
                &header,
                &format!("{}<x:localSocialHeader xmlns:x=\"urn:hl7finland\">{collection}</x:localSocialHeader>", header.replacen(&collection, "", 1)),
                1,
            ),
        ),
    ] {
        assert_ne!(wrapped, text, "{what}");
        assert!(!codes(&wrapped, patient(), &site().anchors).is_empty(), "{what}");
    }
}

/// A plain CDA document of nobody.
const PLAIN: &str = "<?xml version=\"1.0\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><typeId root=\"2.16.840.1.113883.1.3\" extension=\"POCD_HD000040\"/><id root=\"2.16.840.1.113883.19\" extension=\"a/b\"/>\
<custodian><assignedCustodian><representedCustodianOrganization><id root=\"1.2.246.10.99999992.10.0\"/></representedCustodianOrganization></assignedCustodian></custodian>\
<component><structuredBody>\r\n<component/></structuredBody></component></ClinicalDocument>\n";

fn plain() -> &'static SigningProfile {
    SigningProfile::built_in(SigningPlace::Detached)
}

fn beside_verdict(signature: &str, octets: &str) -> Vec<&'static str> {
    let (signature, document) = (tree::parse(signature).unwrap(), tree::parse(octets).unwrap());
    let verdict = beside::verify(&signature, (octets.as_bytes(), &document), plain(), &site().anchors, &SignerRule::default());
    verdict.err().unwrap_or_default().iter().map(|f| f.code.as_str()).collect()
}

#[test]
fn plain_documents_are_signed_beside_with_rsa_and_ecdsa() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let kept = site().authority.to_pem().unwrap();
    let anchor = folder.join("anchor.pem");
    std::fs::write(&anchor, &kept.certificate_pem).unwrap();
    let unit = Oid::parse(super::UNIT).unwrap();
    let elliptic = Authority::from_pem(&kept.key_pem, &kept.certificate_pem).unwrap().issuing_elliptic();
    let elliptic = pair(&elliptic.system("Testila", &unit, "Kayra", valid(FROM, UNTIL)).unwrap());
    let rsa = pair(&site().authority.system("Testila", &unit, "Rsa", valid(FROM, UNTIL)).unwrap());
    let name = beside::file_name(&sha256(PLAIN.as_bytes()));
    std::fs::write(folder.join(&name), PLAIN).unwrap();
    let changed = PLAIN.replace("a/b", "a/c");
    let evil = folder.join("evil.xml");
    std::fs::write(&evil, &changed).unwrap();
    let mut questions = Vec::new();
    for (n, (who, algorithm)) in [(&rsa, Algorithm::RsaSha256), (&elliptic, Algorithm::EcdsaSha256)].into_iter().enumerate() {
        let sealed = sealed(PLAIN, plain(), who);
        assert_eq!((sealed.octets.as_slice(), sealed.splice), (PLAIN.as_bytes(), (PLAIN.len(), 0)), "its octets are not touched");
        let signature = String::from_utf8(sealed.beside.unwrap()).unwrap();
        let (tree_of, document) = (tree::parse(&signature).unwrap(), tree::parse(PLAIN).unwrap());
        let fact = beside::verify(&tree_of, (PLAIN.as_bytes(), &document), plain(), &site().anchors, &SignerRule::default()).unwrap();
        assert_eq!((fact.kind, fact.algorithm, fact.at), (Kind::System, algorithm, moment(NOW)));
        // Two judges, on the document and on another.
        let file = folder.join(format!("{n}.sig.xml"));
        std::fs::write(&file, &signature).unwrap();
        for (octets, good) in [(PLAIN, true), (&changed, false)] {
            std::fs::write(folder.join(&name), octets).unwrap();
            let mut command = Command::new(kit::tool("xmlsec1"));
            command.current_dir(folder).args(["--verify", "--id-attr:ID", "urn:hl7finland:signatureTimestamp", "--trusted-pem", anchor.to_str().unwrap()]);
            let output = command.args(["--verification-gmt-time", "2026-11-22 12:00:00", file.to_str().unwrap()]).output().unwrap();
            assert_eq!(output.status.success(), good, "{}", String::from_utf8_lossy(&output.stderr));
        }
        let beside = folder.join("as-signed.xml");
        std::fs::write(&beside, PLAIN).unwrap();
        questions.push(format!("D\t{}\t{}\t{}", file.display(), beside.display(), anchor.display()));
        questions.push(format!("D\t{}\t{}\t{}", file.display(), evil.display(), anchor.display()));

        // What is refused, and as what.
        assert_eq!(beside_verdict(&signature, &changed), ["E602"]);
        let change = |from: &str, to: &str| {
            assert!(signature.contains(from), "{from}");
            beside_verdict(&signature.replacen(from, to, 1), PLAIN)
        };
        assert_eq!(change(".123Z", ".124Z"), ["E602"]);
        assert_eq!(change(&name, "other.xml"), ["E610", "E603"]);
        assert_eq!(change(&format!("URI=\"{name}\""), "URI=\"http://127.0.0.1/\"").first(), Some(&"E610"));
        assert_eq!(change(&format!("URI=\"{name}\""), "URI=\"\"").first(), Some(&"E610"));
        assert_eq!(change("#arkki.timestamp.1", "#arkki.timestamp.2"), ["E610", "E603"]);
        assert_eq!(change("<Object>", "<Object><x/>"), ["E601"]);
        // Key confusion: the value tried under the other kind of key's algorithm.
        let other = if algorithm == Algorithm::RsaSha256 { Algorithm::EcdsaSha256 } else { Algorithm::RsaSha256 };
        assert_eq!(change(algorithm.uri(), other.uri()), ["E609"]);
    }
    let answers = jdk(folder, &questions);
    assert_eq!(answers.iter().map(|a| is_valid(a)).collect::<Vec<_>>(), [true, false, true, false], "{answers:?}");
    // The national profile does not sign with an elliptic key, and the place within does not take one that comes.
    if let Some(text) = real() {
        let bare = without_collection(&text);
        let document = tree::parse(&bare).unwrap();
        let point = SealPoint::in_layout(&Layout::within(&document, patient())).unwrap();
        let refused = seal_with(bare.as_bytes(), &point, (Algorithm::EcdsaSha256, elliptic.certificate.der()), moment(NOW), |_| Ok(Vec::new()));
        assert_eq!(refused.unwrap_err().part, arkki::domain::outage::Part::Key);
    }
}

#[test]
fn a_plain_document_that_brings_a_signature_is_not_sealed() {
    let text = PLAIN.replace("<component><structuredBody>", "<x:Signature xmlns:x=\"http://www.w3.org/2000/09/xmldsig#\"/><component><structuredBody>");
    let document = tree::parse(&text).unwrap();
    let findings = SealPoint::in_layout(&Layout::within(&document, plain())).unwrap_err();
    assert_eq!(findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["E610"]);
}
