//! Sealing: every signature of a sealed document verifies with xmlsec1 and with us, and without the splice the octets are the received ones.

use std::path::Path;

use arkki::cda::seal::{SealPoint, Sealed, seal, sign_professional};
use arkki::cda::verify::{Kind, SignerRule, verify};
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::limits;
use arkki::domain::oid::Oid;
use arkki::domain::outage::{Outage, Part};
use arkki::xml::{c14n, tree};

use super::{NOW, UNIT, check, example, examples, moment, shared, site, xmlsec1_verifies_each};

pub(super) fn locate(text: &str) -> Result<SealPoint, Vec<&'static str>> {
    SealPoint::locate(&tree::parse(text).unwrap()).map_err(|findings| findings.iter().map(|f| f.code.as_str()).collect())
}

pub(super) fn sealed(text: &str) -> Sealed {
    let system = &site().system;
    let point = locate(text).unwrap();
    seal(text.as_bytes(), &point, system.certificate.der(), moment(NOW), |octets| Ok(system.key.sign_sha256(octets).unwrap())).unwrap()
}

pub(super) fn text_of(sealed: &Sealed) -> String {
    String::from_utf8(sealed.octets.clone()).unwrap()
}

/// The document without its signature collection, and without the announcement of a signer, which would ask for a professional's signature (E608).
pub(super) fn unsigned(text: &str) -> String {
    let without = |text: &str, what: &dyn Fn(tree::Node<'_, '_>) -> bool| {
        let document = tree::parse(text).unwrap();
        document.descendants().find(|n| what(*n)).map_or_else(|| text.to_owned(), |n| format!("{}{}", &text[..n.range().start], &text[n.range().end..]))
    };
    let text = without(text, &|n| n.tag_name().name() == "signatureCollection");
    without(&text, &|n| n.tag_name().name() == "signature" && n.parent().is_some_and(|p| p.tag_name().name() == "localSocialHeader"))
}

/// Both test authorities, as files for xmlsec1 and as our anchors.
fn both_authorities(folder: &Path) -> (TrustAnchors, std::path::PathBuf, std::path::PathBuf) {
    let theirs = shared("examples").unwrap().join("ca.pem");
    let ours = folder.join("ours.pem");
    let pem = site().authority.to_pem().unwrap().certificate_pem;
    std::fs::write(&ours, &pem).unwrap();
    let bundle = [std::fs::read(&theirs).unwrap(), pem].concat();
    (TrustAnchors::from_pem(&bundle, b"").unwrap(), theirs, ours)
}

/// Everything that must hold of a sealed document; gives its text.
fn holds(received: &str, signatures: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (anchors, theirs, ours) = both_authorities(folder.path());
    let sealed = sealed(received);
    let (start, length) = sealed.splice;
    let without = [&sealed.octets[..start], &sealed.octets[start + length..]].concat();
    assert!(without == received.as_bytes(), "the received octets are what is left without the splice");
    let text = text_of(&sealed);
    let facts = check(&text, &anchors).unwrap_or_else(|findings| panic!("{findings:?}"));
    assert_eq!(facts.len(), signatures);
    let last = facts.last().unwrap();
    assert_eq!((last.kind, last.signer.as_str(), last.at), (Kind::System, UNIT, moment("2026-11-22T08:00:00.123Z")));
    assert_eq!(last.certificate, site().system.certificate.fingerprint());
    assert_eq!(xmlsec1_verifies_each(&text, &[&theirs, &ours], folder.path()), signatures);
    written_canonical(&text);
    text
}

/// What is signed is written in its canonical form, so that hashing what is written is hashing what others will canonicalise.
fn written_canonical(text: &str) {
    let document = tree::parse(text).unwrap();
    for name in ["SignedInfo", "signatureTimestamp"] {
        let node = document.descendants().rfind(|n| n.tag_name().name() == name).unwrap();
        let mut octets = Vec::new();
        c14n::exclusive(node, &mut |piece| octets.extend_from_slice(piece));
        assert_eq!(String::from_utf8(octets).unwrap(), text[node.range()]);
    }
}

#[test]
fn each_example_is_sealed_and_sealed_again() {
    for (name, text) in examples() {
        println!("{name}");
        let once = holds(&text, 2);
        if name.starts_with("01") {
            assert!(once.contains("arkki.timestamp.1") && !once.contains("arkki.timestamp.2"));
            assert!(holds(&once, 3).contains("arkki.timestamp.2"));
        }
    }
}

#[test]
fn a_missing_collection_is_made() {
    for (name, text) in examples() {
        println!("{name}");
        let bare = unsigned(&text);
        assert!(!bare.contains("signatureCollection"));
        let once = holds(&bare, 1);
        if name.starts_with("02") {
            holds(&once, 2);
        }
    }
}

#[test]
fn other_prefixes_line_ends_and_comments() {
    let Some(text) = example("01") else { return };
    holds(&text.replace('\n', "\r\n"), 2);
    let bare = unsigned(&text);
    let other_prefix = bare.replace("hl7fi:", "ep2:").replace("xmlns:hl7fi=", "xmlns:ep2=");
    holds(&text_of(&sealed(&other_prefix)), 2);
    let as_default = bare.replace("<hl7fi:", "<").replace("</hl7fi:", "</").replace("<localSocialHeader>", "<localSocialHeader xmlns=\"urn:hl7finland\">");
    let as_default = as_default.replace("<json>", "<json xmlns=\"urn:hl7finland\">");
    holds(&text_of(&sealed(&as_default)), 2);
    let prefixed = bare
        .replace("<ClinicalDocument xmlns=", "<ClinicalDocument xmlns:v=\"urn:hl7-org:v3\" xmlns=")
        .replace("<nonXMLBody", "<v:nonXMLBody")
        .replace("</nonXMLBody", "</v:nonXMLBody");
    holds(&prefixed, 1);
    let hard_to_find = bare.replace("</hl7fi:localSocialHeader>", "<!-- </hl7fi:localSocialHeader> --><?p </x>?></hl7fi:localSocialHeader\n >");
    holds(&hard_to_find, 1);
    let emptied = bare.replace("</hl7fi:localSocialHeader>", "<hl7fi:signatureCollection></hl7fi:signatureCollection></hl7fi:localSocialHeader>");
    holds(&emptied, 1);
    holds(&bare.replace("<nonXMLBody ID", "<nonXMLBody\tclassCode='DOCBODY'\r\n ID").replace("</nonXMLBody>", "&#13;é<![CDATA[ ]]></nonXMLBody>"), 1);
}

#[test]
fn a_professional_signs_before_the_system() {
    let Some(text) = example("03") else { return };
    let bare = unsigned(&text);
    let who = &site().professional;
    let signed = text_of(&sign_professional(bare.as_bytes(), &locate(&bare).unwrap(), &who.key, who.certificate.der(), moment(NOW)).unwrap());
    let text = holds(&signed, 2);
    let document = tree::parse(&text).unwrap();
    let facts = verify(&document, &site().anchors, &SignerRule { senders: &[], require_professional: true }).unwrap();
    assert_eq!(facts.iter().map(|f| f.kind).collect::<Vec<_>>(), [Kind::Professional, Kind::System]);
    assert_eq!(facts[0].signer, "99999999999");
    assert!(!format!("{facts:?}").contains("99999999999"), "a professional's number is not shown");
    // Without it the rule is not kept.
    let system_only = text_of(&sealed(&bare));
    let document = tree::parse(&system_only).unwrap();
    let findings = verify(&document, &site().anchors, &SignerRule { senders: &[], require_professional: true }).unwrap_err();
    assert_eq!(findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["E608"]);
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let Some(text) = example("01") else { return };
    let bare = unsigned(&text);
    let refused = |text: &str| locate(text).expect_err("refused");
    assert_eq!(refused(&bare.replace(" ID=\"OID1", " ID=\"OID2")), ["E503"]);
    assert_eq!(refused(&bare.replace(" ID=\"OID1", " id=\"OID1")), ["E503"]);
    assert_eq!(refused(&bare.replace("<nonXMLBody ID=\"OID1.2.246.10.99999992.95.2026.1.1\"", "<nonXMLBody")), ["E503"]);
    let twice = bare.replace("<hl7fi:creationTime ", "<hl7fi:creationTime ID=\"OID1.2.246.10.99999992.95.2026.1.1\" ");
    assert_eq!(refused(&twice), ["E610"]);
    assert_eq!(refused(&twice.replace("creationTime ID", "creationTime xml:id")), ["E610"]);
    assert_eq!(refused(&bare.replace("</hl7fi:localSocialHeader>", "<hl7fi:signatureCollection/></hl7fi:localSocialHeader>")), ["E601"]);
    assert_eq!(refused(&bare.replace("<nonXMLBody ", "<nonXMLBody xmlns:x=\"relative\" ")), ["E601"]);
    assert_eq!(refused(&bare.replace("hl7fi:localSocialHeader", "hl7fi:localHeader")), ["E601"]);
    assert_eq!(refused(&bare.replace("nonXMLBody", "structuredBody")), ["E601"]);
    assert_eq!(refused(&bare.replace("</component>", "</component><component><nonXMLBody/></component>")), ["E610"]);
    assert_eq!(refused(&bare.replace("</component>", "<nonXMLBody/></component>")), ["E610"]);
    // Room is left for our own: what comes with sixteen signatures could not be audited after the seventeenth.
    let block = "<hl7fi:signature/>".repeat(limits::SIGNATURES);
    let full = bare.replace("</hl7fi:localSocialHeader>", &format!("<hl7fi:signatureCollection>{block}</hl7fi:signatureCollection></hl7fi:localSocialHeader>"));
    assert_eq!(refused(&full), ["E601"]);
}

#[test]
fn an_unreachable_key_is_an_outage_and_a_foreign_point_too() {
    let Some(text) = example("01") else { return };
    let point = locate(&text).unwrap();
    let outage = seal(text.as_bytes(), &point, b"", moment(NOW), |_| Err(Outage::new(Part::Key, "token gone"))).unwrap_err();
    assert_eq!(outage.part, Part::Key);
    let other = seal(&text.as_bytes()[1..], &point, b"", moment(NOW), |_| Ok(Vec::new())).unwrap_err();
    assert_eq!(other.part, Part::Machine);
}

#[test]
fn a_system_signs_for_its_own_organisation_or_as_a_sender() {
    let Some(text) = example("01") else { return };
    let elsewhere = "1.2.246.10.88888888.10.0";
    let other = super::pair(&site().authority.system("Muualla", &Oid::parse(elsewhere).unwrap(), "Muu", super::valid(super::FROM, super::UNTIL)).unwrap());
    let bare = unsigned(&text);
    let foreign = seal(bare.as_bytes(), &locate(&bare).unwrap(), other.certificate.der(), moment(NOW), |o| Ok(other.key.sign_sha256(o).unwrap())).unwrap();
    let foreign = text_of(&foreign);
    assert_eq!(super::codes(&foreign, &site().anchors), ["E607"]);
    let document = tree::parse(&foreign).unwrap();
    let senders = [Oid::parse(elsewhere).unwrap()];
    assert!(verify(&document, &site().anchors, &SignerRule { senders: &senders, require_professional: false }).is_ok());
    let beside = [Oid::parse("1.2.246.10.88888888.10").unwrap()];
    assert!(verify(&document, &site().anchors, &SignerRule { senders: &beside, require_professional: false }).is_err());
}
