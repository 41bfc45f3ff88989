//! The strict profile: what it accepts, whoever wrote it, and each thing it refuses.

use arkki::cda::verify::{Kind, SignerRule, verify};
use arkki::domain::code::Code;
use arkki::xml::tree;

use super::sealing::{locate, sealed, text_of, unsigned};
use super::{check, codes, example, example_anchors, examples, moment, run, site, valid, xmlsec1_verifies_each};

/// A document with one signature of ours.
fn base() -> Option<String> {
    example("01").map(|text| text_of(&sealed(&unsigned(&text))))
}

/// `text` with one place changed; a place that is not there is a mistake of the test.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn every_signature_of_the_examples_verifies() {
    for (name, text) in examples() {
        let facts = check(&text, &example_anchors()).unwrap_or_else(|findings| panic!("{name}: {findings:?}"));
        assert_eq!(facts.len(), 1, "{name}");
        assert_eq!(facts[0].at, moment("2026-11-21T10:00:00Z"));
        let professional = text.contains("Ammattihenkilön allekirjoitus");
        assert_eq!(facts[0].kind, if professional { Kind::Professional } else { Kind::System }, "{name}");
    }
}

#[test]
fn the_body_is_covered_and_the_header_is_not() {
    for (name, text) in examples() {
        let body = text.find("representation=\"B64\">").unwrap() + "representation=\"B64\">".len();
        let mut octets = text.clone().into_bytes();
        octets[body + 100] ^= 2;
        let findings = check(std::str::from_utf8(&octets).unwrap(), &example_anchors()).unwrap_err();
        assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::E602], "{name}");
        assert!(findings[0].args.contains(&("target", "nonXMLBody".to_owned())));
        assert!(
            findings[0].place.line > 1 && findings[0].place.path.contains("/hl7fi:signatureCollection/hl7fi:signature/ds:Signature/ds:SignedInfo/ds:Reference")
        );
        assert!(check(&changed(&text, "TestiATJ", "TostiATJ"), &example_anchors()).is_ok(), "{name}: documents.md §4.2: the header is not covered");
    }
}

#[test]
fn one_changed_place_is_named_for_what_it_is() {
    let Some(text) = base() else { return };
    assert!(check(&text, &site().anchors).is_ok());
    let value = text.find("<SignatureValue>").unwrap() + 40;
    let flipped = if text.as_bytes()[value] == b'A' { "B" } else { "A" };
    for (what, mutant, expected) in [
        ("timestamp", changed(&text, ">2026-11-22T08:00:00.123Z<", ">2026-11-22T08:00:00.124Z<"), &["E602"][..]),
        ("digest value", changed(&text, "<DigestValue>", "<DigestValue>AAAA"), &["E601"]),
        ("signature value", format!("{}{flipped}{}", &text[..value], &text[value + 1..]), &["E603"]),
        ("signature value cut", changed(&text, "<SignatureValue>", "<SignatureValue>AAAA"), &["E603"]),
        ("no signature value", changed(&text, "</SignatureValue>", "!</SignatureValue>"), &["E601"]),
        ("signed info", changed(&text, "<SignedInfo xmlns", "<SignedInfo Id=\"x\" xmlns"), &["E603"]),
        ("white space in signed info", changed(&text, "<Transforms>", "<Transforms> "), &["E603"]),
        ("certificate", changed(&text, "<X509Certificate>MII", "<X509Certificate>MIJ"), &["E604"]),
        ("no certificate", changed(&text, "<X509Certificate>", "<X509Certificate>AAAA"), &["E604"]),
    ] {
        assert_eq!(codes(&mutant, &site().anchors), expected, "{what}");
    }
}

#[test]
fn whatever_the_profile_does_not_name_is_refused() {
    let Some(text) = base() else { return };
    let inclusive = "<InclusiveNamespaces xmlns=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"a\"></InclusiveNamespaces>";
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let transform = format!("<Transform Algorithm=\"{exclusive}\"></Transform>");
    let enveloped = "<Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></Transform>";
    let reference = &text[text.find("<Reference ").unwrap()..text.find("</Reference>").unwrap() + "</Reference>".len()];
    for (what, from, to, expected) in [
        ("canonicalization with comments", "xml-exc-c14n#\"></Canon", "xml-exc-c14n#WithComments\"></Canon", "E609"),
        (
            "inclusive canonicalization",
            "http://www.w3.org/2001/10/xml-exc-c14n#\"></Canon",
            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"></Canon",
            "E609",
        ),
        ("rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "E609"),
        ("ecdsa", "xmldsig-more#rsa-sha256", "xmldsig-more#ecdsa-sha256", "E609"),
        ("hmac: key confusion", "xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256", "E609"),
        ("hmac length", "rsa-sha256\">", "rsa-sha256\"><HMACOutputLength>8</HMACOutputLength>", "E609"),
        ("sha1", "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1", "E609"),
        ("prefix list in canonicalization", "</CanonicalizationMethod>", &format!("{inclusive}</CanonicalizationMethod>"), "E609"),
        ("prefix list in transform", "</Transform>", &format!("{inclusive}</Transform>"), "E609"),
        ("no transform", &transform, "", "E609"),
        ("enveloped only", &transform, enveloped, "E609"),
        ("order of transforms", &transform, &format!("{transform}{enveloped}"), "E609"),
        ("three transforms", &transform, &format!("{enveloped}{transform}{transform}"), "E609"),
        ("xslt", &transform, &format!("<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"></Transform>{transform}"), "E609"),
        (
            "xpath",
            &transform,
            &format!("<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><XPath>1</XPath></Transform>{transform}"),
            "E609",
        ),
        ("one reference", reference, "", "E610"),
        ("three references", reference, &format!("{reference}{reference}"), "E610"),
        ("the body twice", "URI=\"#arkki.timestamp.1\"", "URI=\"#OID1.2.246.10.99999992.95.2026.1.1\"", "E610"),
        ("the signature itself", "URI=\"#arkki.timestamp.1\"", "URI=\"#arkki.signature.1\"", "E610"),
        ("the whole document", "URI=\"#arkki.timestamp.1\"", "URI=\"\"", "E610"),
        ("no URI", "URI=\"#arkki.timestamp.1\"", "", "E610"),
        ("an outer address", "URI=\"#arkki.timestamp.1\"", "URI=\"http://127.0.0.1/\"", "E610"),
        ("a file", "URI=\"#arkki.timestamp.1\"", "URI=\"file:///etc/passwd\"", "E610"),
        ("an xpointer", "URI=\"#arkki.timestamp.1\"", "URI=\"#xpointer(id('arkki.timestamp.1'))\"", "E610"),
        ("nobody", "URI=\"#arkki.timestamp.1\"", "URI=\"#nobody\"", "E610"),
        ("type of reference", "<Reference ", "<Reference Type=\"x\" ", "E601"),
        ("object", "</KeyInfo>", "</KeyInfo><Object></Object>", "E601"),
        ("manifest in object", "</KeyInfo>", "</KeyInfo><Object><Manifest></Manifest></Object>", "E601"),
        ("key value", "<KeyInfo>", "<KeyInfo><KeyValue></KeyValue>", "E601"),
        ("key name instead", "X509Data>", "KeyName>", "E601"),
        ("retrieval", "<X509Data>", "<RetrievalMethod URI=\"http://127.0.0.1/\"/><X509Data>", "E601"),
        ("two certificates", "</X509Data>", "<X509Certificate>AAAA</X509Certificate></X509Data>", "E601"),
        ("a subject name", "<X509Data>", "<X509Data><X509SubjectName>x</X509SubjectName>", "E601"),
        ("text among elements", "<KeyInfo>", "<KeyInfo>x", "E601"),
        ("an element in a value", "</SignatureValue>", "<a></a></SignatureValue>", "E601"),
        ("a foreign attribute", "<SignatureValue>", "<SignatureValue x:Id=\"a\" xmlns:x=\"urn:x\">", "E601"),
        ("type 4", "<signatureDescription code=\"3\"", "<signatureDescription code=\"4\"", "E601"),
        ("type of another code system", "codeSystem=\"1.2.246.537.5.40127.2006\"", "codeSystem=\"1.2.3\"", "E601"),
        ("type 1 by a system", "<signatureDescription code=\"3\"", "<signatureDescription code=\"1\"", "E607"),
        ("no time", ">2026-11-22T08:00:00.123Z<", "><", "E601"),
        ("no zone", ">2026-11-22T08:00:00.123Z<", ">2026-11-22T08:00:00<", "E601"),
        ("an element in the timestamp", ">2026-11-22T08:00:00.123Z<", ">2026-11-22T08:00:00.123Z<a/><", "E601"),
        ("a second time", "<Signature xmlns", "<signatureTimestamp>x</signatureTimestamp><Signature xmlns", "E601"),
        ("a relative namespace", "<realmCode ", "<realmCode xmlns:x=\"x\" ", "E601"),
    ] {
        let mutant = if what == "key name instead" { text.replace(from, to) } else { changed(&text, from, to) };
        let found = codes(&mutant, &site().anchors);
        assert!(found.contains(&expected), "{what}: {found:?}");
    }
}

#[test]
fn all_findings_come_at_once() {
    let Some(text) = base() else { return };
    let twice = text_of(&sealed(&text));
    let broken = changed(&changed(&twice, "xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha512"), "URI=\"#arkki.timestamp.2\"", "URI=\"#x\"");
    let findings = check(&broken, &site().anchors).unwrap_err();
    assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::E609, Code::E610, Code::E603]);
    assert!(findings[0].args.contains(&("algorithm", "rsa-sha512".to_owned())));
    assert!(findings[1].place.path.contains("hl7fi:signature[2]"));
}

#[test]
fn too_many_signatures_are_not_looked_at() {
    let Some(text) = base() else { return };
    let start = text.find("<signature xmlns").unwrap();
    let end = text.find("</signature>").unwrap() + "</signature>".len();
    let many = format!("{}{}{}", &text[..start], text[start..end].repeat(17), &text[end..]);
    assert_eq!(codes(&many, &site().anchors), ["E601"]);
}

/// Documents that xmlsec1 signs with this profile, in shapes that are not ours.
#[test]
fn what_xmlsec1_signs_in_this_profile_is_accepted() {
    let Some(text) = base() else { return };
    let folder = tempfile::tempdir().unwrap();
    let issued = site().authority.system("Testila", &arkki::domain::oid::Oid::parse(super::UNIT).unwrap(), "Toinen", valid(super::FROM, super::UNTIL)).unwrap();
    let paths = ["key.pem", "certificate.pem", "authority.pem", "template.xml", "signed.xml"].map(|name| folder.path().join(name));
    let [key, certificate, authority, template, signed] = &paths;
    std::fs::write(key, &issued.key_pem).unwrap();
    std::fs::write(certificate, &issued.certificate_pem).unwrap();
    std::fs::write(authority, site().authority.to_pem().unwrap().certificate_pem).unwrap();
    let mut blank = text.clone();
    for name in ["DigestValue", "SignatureValue", "X509Certificate"] {
        let mut from = 0;
        while let Some(at) = blank[from..].find(&format!("<{name}>")) {
            let start = from + at + name.len() + 2;
            let end = start + blank[start..].find('<').unwrap();
            blank.replace_range(start..end, "");
            from = start;
        }
    }
    let exclusive = "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></Transform>";
    let enveloped = "<Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>";
    let references = blank.find("<Reference ").unwrap()..blank.rfind("</Reference>").unwrap() + "</Reference>".len();
    let (first, second) = blank[references.clone()].split_at(blank[references.clone()].find("</Reference>").unwrap() + "</Reference>".len());
    let swapped = format!("{}{second}{first}{}", &blank[..references.start], &blank[references.end..]);
    let dsig = blank.find("<Signature xmlns").unwrap()..blank.find("</Signature>").unwrap() + "</Signature>".len();
    let prefixed = blank[dsig.clone()].replace("</", "\u{1}").replace('<', "<ds:").replace('\u{1}', "</ds:").replace(" xmlns=", " xmlns:ds=");
    let prefixed = format!("{}{prefixed}{}", &blank[..dsig.start], &blank[dsig.end..]);
    for (what, document) in [
        ("as ours", blank.clone()),
        ("enveloped-signature first", blank.replace(exclusive, &format!("{enveloped}{exclusive}"))),
        ("mixed transforms", blank.replacen(exclusive, &format!("{enveloped}{exclusive}"), 1)),
        ("timestamp first", swapped),
        ("a prefix of their own", prefixed),
        ("lines and comments", blank.replace("><", ">\r\n  <").replace("<KeyInfo>", "<!-- c --><KeyInfo>").replace("<DigestMethod", "<!-- d --><DigestMethod")),
        ("a comment in the body", blank.replace("<nonXMLBody ", "<nonXMLBody\n").replace("</nonXMLBody>", "<!-- hidden --></nonXMLBody>")),
        ("a comment in the time", blank.replace(".123Z", ".1<!-- -->23Z")),
    ] {
        std::fs::write(template, document).unwrap();
        let pair = format!("{},{}", key.display(), certificate.display());
        let arguments = ["--sign", "--privkey-pem", &pair, "--id-attr:ID", "urn:hl7-org:v3:nonXMLBody", "--id-attr:ID", "urn:hl7finland:signatureTimestamp"];
        let (octets, said, well) = run("xmlsec1", &[&arguments[..], &["--output", signed.to_str().unwrap(), template.to_str().unwrap()]].concat(), b"");
        assert!(well, "{what}: {said} {}", String::from_utf8_lossy(&octets));
        let text = std::fs::read_to_string(signed).unwrap();
        assert_eq!(xmlsec1_verifies_each(&text, &[authority], folder.path()), 1, "{what}");
        let facts = check(&text, &site().anchors).unwrap_or_else(|findings| panic!("{what}: {findings:?}"));
        assert_eq!(facts.len(), 1, "{what}");
        // And each is a document that we can seal beside it.
        locate(&text).unwrap();
    }
}

#[test]
fn a_professional_is_who_the_header_says() {
    let Some(text) = example("03") else { return };
    let ok = |text: &str| check(text, &example_anchors()).is_ok();
    assert!(ok(&text));
    // Header changes leave the signature valid, so these are told by the names alone.
    assert_eq!(codes(&changed(&text, "assignedAuthorSigner>99999999999<", "assignedAuthorSigner>99999999998<"), &example_anchors()), ["E607"]);
    assert_eq!(
        codes(&changed(&text, "1.2.246.537.26\" extension=\"99999999999\"", "1.2.246.537.26\" extension=\"99999999998\""), &example_anchors()),
        ["E607"]
    );
    assert!(ok(&changed(&text, "<hl7fi:assignedAuthorSigner>99999999999</hl7fi:assignedAuthorSigner>", "")), "nothing there to compare with");
    assert!(
        ok(&changed(&text, "1.2.246.537.26\" extension=\"99999999999\"", "1.2.246.21\" extension=\"010190-999W\"")),
        "an id of another kind is not compared"
    );
    let document = tree::parse(&text).unwrap();
    assert!(verify(&document, &example_anchors(), &SignerRule { senders: &[], require_professional: true }).is_ok());
}
