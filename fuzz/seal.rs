//! What must hold of signatures for any octets whatever; `checks.rs` holds the other readers to theirs. Replayed by `tests/it/sign/replay.rs`.
#![allow(clippy::expect_used, clippy::panic, reason = "a broken promise must end the run, that is what it is for")]

use std::sync::LazyLock;

use arkki::cda::beside;
use arkki::cda::explain::{Asked, Verdict, explain};
use arkki::cda::seal::{SealPoint, seal_with};
use arkki::cda::verify::{Layout, SignerRule};
use arkki::codes::signatures::{SigningPlace, SigningProfile};
use arkki::crypto::certificate::Certificate;
use arkki::crypto::key::SigningKey;
use arkki::crypto::revocation::{RevocationLists, Status, ocsp_answer};
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::oid::Oid;
use arkki::domain::outage::{Outage, Part};
use arkki::domain::time::Moment;
use arkki::xml::prepass::{self, Encoding};
use arkki::xml::{c14n, tree};

struct Keys {
    anchors: TrustAnchors,
    authority: Certificate,
    certificate: Certificate,
    key: SigningKey,
    own: Vec<Oid>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let certificate = Certificate::from_pem(include_bytes!("../samples/keys/system.pem")).expect("our own certificate");
    Keys {
        anchors: TrustAnchors::from_pem(include_bytes!("../samples/keys/ca.pem"), b"").expect("our own anchor"),
        authority: Certificate::from_pem(include_bytes!("../samples/keys/ca.pem")).expect("our own anchor"),
        own: certificate.serial().and_then(|s| Oid::parse(s).ok()).into_iter().collect(),
        certificate,
        key: SigningKey::from_pem(include_bytes!("../samples/keys/system-key.pem")).expect("our own key"),
    }
});

/// When they are signed: the sample keys are valid then.
const AT: Moment = Moment::from_seconds(1_795_255_200);

/// What can be sealed is sealed without touching an octet, verifies with one signature more than before, and is explained with the same verdict; what cannot is refused.
pub fn seal(octets: &[u8]) {
    let Ok(good) = prepass::prepass(octets, Encoding::Utf8Only) else { return };
    let Ok(document) = tree::parse(good.text) else { return };
    for place in SigningPlace::ALL {
        sealed_at(good.text, &document, SigningProfile::built_in(place));
    }
}

fn sealed_at(text: &str, document: &tree::Document<'_>, profile: &SigningProfile) {
    let rule = SignerRule { senders: &KEYS.own, require_professional: false };
    let layout = Layout::within(document, profile);
    let before = layout.verify(&KEYS.anchors, &rule);
    let asked = Asked { profile, anchors: &KEYS.anchors, rule, status: &|_| (Status::NotAsked, None), octets: document.input_text().as_bytes(), arrived: AT };
    let told = explain(document, None, &asked);
    if profile.place != SigningPlace::Detached {
        let expected = before.as_ref().map(Vec::len);
        assert_eq!(
            told.verdict == Verdict::Invalid,
            expected.is_err() || told.signatures.iter().flatten().any(|s| s.key == "revocation-good"),
            "told otherwise"
        );
    }
    let Ok(point) = SealPoint::in_layout(&layout) else { return };
    let sign = |octets: &[u8]| KEYS.key.sign_sha256(octets).map_err(|e| Outage::new(Part::Key, e.to_string()));
    let sealed = seal_with(text.as_bytes(), &point, (KEYS.key.algorithm(), KEYS.certificate.der()), AT, sign).expect("a point found here");
    let (start, length) = sealed.splice;
    assert_eq!([&sealed.octets[..start], &sealed.octets[start + length..]].concat(), text.as_bytes(), "the received octets are what is left");
    let again = std::str::from_utf8(&sealed.octets).expect("text");
    let tree_of = tree::parse(again).expect("a sealed document is well-formed");
    match sealed.beside {
        None => {
            let after = Layout::within(&tree_of, profile).verify(&KEYS.anchors, &rule);
            if let Ok(before) = before {
                assert_eq!(after.map(|facts| facts.len()), Ok(before.len() + 1), "our own signature is there and good");
            }
        }
        Some(signature) => {
            let signature = String::from_utf8(signature).expect("text");
            let signature = tree::parse(&signature).expect("our own signature is well-formed");
            assert!(beside::verify(&signature, (&sealed.octets, &tree_of), profile, &KEYS.anchors, &rule).is_ok(), "our own signature is good");
        }
    }
}

/// Canonical XML in every form is well-formed, and its canonical form is itself. What issuers say (lists, answers) is read without harm whatever it is.
pub fn canonical(octets: &[u8]) {
    let _list = RevocationLists::read(&[octets.to_vec()], &KEYS.anchors);
    let _answer = ocsp_answer(octets, &KEYS.certificate, &KEYS.authority, &KEYS.anchors, AT);
    let _certificate = Certificate::from_der(octets);
    let Ok(good) = prepass::prepass(octets, Encoding::Utf8Only) else { return };
    let Ok(document) = tree::parse(good.text) else { return };
    for comments in [false, true] {
        for inclusive in [&[][..], &["", "a"]] {
            let form = |document: &tree::Document<'_>| {
                let mut out = Vec::new();
                c14n::exclusive_as(document.root(), c14n::Variant { comments, inclusive }, &mut |piece| out.extend_from_slice(piece));
                String::from_utf8(out).expect("canonical XML is UTF-8")
            };
            let once = form(&document);
            let again = tree::parse(&once).expect("canonical XML is well-formed");
            assert_eq!(once, form(&again), "its canonical form is another");
        }
    }
}
