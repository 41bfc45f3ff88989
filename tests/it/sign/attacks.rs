//! Signature wrapping: the signed part and the used part must be one. The attacks of others, and permutations of our own document's shape.

use arkki::xml::{dsig, tree};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::sealing::{locate, sealed, text_of, unsigned};
use super::{check, codes, example, shared, site};

#[test]
fn the_attack_files_of_others_are_refused() {
    let Some(folder) = shared("reference/attacks") else { return };
    let (mut files, mut unreadable, mut signatures) = (Vec::new(), 0, 0);
    for sub in ["defusedxml-bombs", "payloads-xxe", "ruby-saml", "ruby-saml/invalids"] {
        files.extend(std::fs::read_dir(folder.join(sub)).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()));
    }
    for file in &files {
        let mut octets = std::fs::read(file).unwrap();
        if file.to_string_lossy().ends_with("base64") {
            octets.retain(|b| !b.is_ascii_whitespace());
            octets = STANDARD.decode(&octets).unwrap_or(octets);
        }
        let text = String::from_utf8_lossy(&octets);
        let Ok(document) = tree::parse(&text) else {
            unreadable += 1;
            continue;
        };
        let survey = dsig::Survey::of(&document);
        signatures += survey.signatures.len();
        for signature in &survey.signatures {
            assert!(dsig::read(*signature).is_err(), "{}: SAML signs one reference", file.display());
        }
        // Without a signature a document of another kind has nothing to verify, but nothing can be sealed in it.
        assert!(check(&text, &site().anchors).is_err() || survey.signatures.is_empty(), "{}", file.display());
        assert!(locate(&text).is_err(), "{}", file.display());
    }
    println!("{} files: {unreadable} not even read, {signatures} signatures", files.len());
    assert!(unreadable >= 8 && signatures > 20, "{unreadable} {signatures}");
}

#[test]
fn wrapped_bodies_and_signatures_of_our_shape_are_refused() {
    let Some(text) = example("01") else { return };
    let text = text_of(&sealed(&unsigned(&text)));
    let document = tree::parse(&text).unwrap();
    let part = |name: &str| {
        let node = document.descendants().find(|n| n.tag_name().name() == name).unwrap();
        text[node.range()].to_owned()
    };
    let (body, component, signature, collection, header) =
        (part("nonXMLBody"), part("component"), part("signature"), part("signatureCollection"), part("localSocialHeader"));
    let dsig = part("Signature");
    let evil = body.replace("PGRpdiBj", "PGRpdiBk");
    assert_ne!(evil, body);
    let evil_without_id = evil.replace(" ID=\"OID1.2.246.10.99999992.95.2026.1.1\"", "");
    let evil_other_id = evil.replace("ID=\"OID1.2.246", "ID=\"evil1.2.246");
    let somewhere = "<hl7fi:creationTime ";
    for (what, wrapped) in [
        (
            "the signed body moved into the header, an evil one in its place",
            text.replacen(&body, &evil_other_id, 1).replacen(somewhere, &format!("{body}{somewhere}"), 1),
        ),
        ("the same, the evil body without an ID", text.replacen(&body, &evil_without_id, 1).replacen(somewhere, &format!("{body}{somewhere}"), 1)),
        ("the same, both with the ID", text.replacen(&body, &evil, 1).replacen(somewhere, &format!("{body}{somewhere}"), 1)),
        ("an evil body before the signed one", text.replacen(&body, &format!("{evil_other_id}{body}"), 1)),
        ("an evil body after the signed one", text.replacen(&body, &format!("{body}{evil_without_id}"), 1)),
        ("an evil component before", text.replacen(&component, &format!("{}{component}", component.replacen(&body, &evil_other_id, 1)), 1)),
        ("the signed body inside an evil one", text.replacen(&body, &evil_without_id.replace("</nonXMLBody>", &format!("{body}</nonXMLBody>")), 1)),
        (
            "the signed body in the signature",
            text.replacen(&body, &evil_without_id, 1).replacen("</KeyInfo>", &format!("</KeyInfo><Object>{body}</Object>"), 1),
        ),
        ("a second header before", text.replacen(&header, &format!("<hl7fi:localSocialHeader></hl7fi:localSocialHeader>{header}"), 1)),
        ("a second collection", text.replacen(&collection, &format!("{collection}{collection}"), 1)),
        ("a signature outside the collection", text.replacen(somewhere, &format!("{dsig}{somewhere}"), 1)),
        ("a signature beside the header", text.replacen("<component>", &format!("{signature}<component>"), 1)),
        ("a signature in a signature", text.replacen("</KeyInfo>", &format!("</KeyInfo>{dsig}"), 1)),
        ("a signature one step too deep", text.replacen(&dsig, &format!("<x>{dsig}</x>"), 1)),
        ("two timestamps with one ID", text.replacen(&signature, &format!("{signature}{signature}"), 1)),
        ("the timestamp's ID on the body by another name", text.replacen("<text ", "<text xml:id=\"arkki.timestamp.1\" ", 1)),
        ("the body's ID in lower case elsewhere", text.replacen(somewhere, "<hl7fi:creationTime id=\"OID1.2.246.10.99999992.95.2026.1.1\" ", 1)),
        ("the signature of another document", text.replace("1.2.246.10.99999992.95.2026.1.1", "1.2.246.10.99999992.95.2026.1.9")),
        ("the root inside another root", text.replacen("<ClinicalDocument ", "<wrapper><ClinicalDocument ", 1) + "</wrapper>"),
    ] {
        assert_ne!(wrapped, text, "{what}");
        let found = codes(&wrapped, &site().anchors);
        assert!(!found.is_empty(), "{what}");
        println!("{what}: {found:?}");
    }
}

/// Random one-octet changes. Whatever we accept, xmlsec1 accepts: the reverse need not hold, for it knows no profile.
#[test]
fn no_mutant_is_accepted_that_xmlsec1_refuses() {
    let Some(text) = example("01") else { return };
    let text = text_of(&sealed(&unsigned(&text)));
    let from = text.find("<signatureCollection").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, site().authority.to_pem().unwrap().certificate_pem).unwrap();
    let mut chance = super::canonical::Chance(7);
    let (mut accepted, mut refused, mut unreadable) = (0, 0, 0);
    for round in 0..2_000 {
        let mut octets = text.clone().into_bytes();
        let at = from + usize::try_from(chance.below((octets.len() - from) as u64)).unwrap();
        octets[at] = b"<>\"' /=#&;Aa0\n\r\t"[usize::try_from(chance.below(16)).unwrap()];
        let mutant = String::from_utf8(octets).unwrap_or_default();
        if mutant == text {
            continue;
        }
        let Ok(_) = tree::parse(&mutant) else {
            unreadable += 1;
            continue;
        };
        if check(&mutant, &site().anchors).is_ok() {
            accepted += 1;
            assert_eq!(super::xmlsec1_verifies_each(&mutant, &[&authority], folder.path()), 1, "round {round}");
        } else {
            refused += 1;
        }
    }
    println!("{accepted} accepted, {refused} refused, {unreadable} not even XML");
    assert!(accepted > 0 && refused > 500, "{accepted} {refused}");
}

#[test]
fn hostile_shapes_cost_little() {
    let Some(text) = example("01") else { return };
    let started = std::time::Instant::now();
    let bare = unsigned(&text);
    // Many namespaces in scope of many elements.
    let declared = (0..200).map(|n| format!(" xmlns:n{n}=\"urn:n{n}\"")).collect::<String>();
    let many = bare.replacen("<nonXMLBody ", &format!("<nonXMLBody{declared} "), 1).replacen(
        "</nonXMLBody>",
        &format!("{}</nonXMLBody>", "<n1:a/>".repeat(20_000)),
        1,
    );
    assert_eq!(locate(&many).unwrap_err(), ["E601"]);
    // Many signatures, many references, many transforms.
    let signed = text_of(&sealed(&bare));
    let reference = &signed[signed.find("<Reference ").unwrap()..signed.find("</Reference>").unwrap() + 12];
    let flood = signed.replacen(reference, &reference.repeat(10_000), 1);
    assert!(codes(&flood, &site().anchors).contains(&"E610"));
    let transform = "<Transform Algorithm=\"x\"/>";
    assert!(codes(&signed.replacen("<Transforms>", &format!("<Transforms>{}", transform.repeat(50_000)), 1), &site().anchors).contains(&"E609"));
    let misplaced = "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>".repeat(5_000);
    let findings = check(&signed.replacen("<hl7fi:creationTime ", &format!("{misplaced}<hl7fi:creationTime "), 1), &site().anchors).unwrap_err();
    assert_eq!(findings.len(), arkki::domain::limits::FINDINGS);
    // In a debug build on a busy machine some seconds; what is quadratic would take minutes.
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
