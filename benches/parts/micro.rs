//! Where one document's time goes, on one thread: the examination's stages and the seal, each by itself.

use std::hint::black_box;
use std::sync::Arc;

use arkki::app;
use arkki::cda::content;
use arkki::cda::seal::{self, SealPoint};
use arkki::cda::verify::{Layout, SignerRule};
use arkki::codes::source;
use arkki::config::checked::Config;
use arkki::crypto::certificate::Certificate;
use arkki::crypto::key::SigningKey;
use arkki::crypto::{self, trust::TrustAnchors};
use arkki::domain::digest::Digest;
use arkki::domain::environment::Environment;
use arkki::domain::message::{Envelope, Reply, Sender};
use arkki::domain::time::Moment;
use arkki::xml::prepass::{self, Encoding};
use arkki::xml::schema::Schema;
use arkki::xml::tree;

use crate::{cpu, kit, sender};

/// Different documents, so that no cache knows them by heart.
const DOCUMENTS: usize = 400;
/// Rounds over all of them; the best round counts, the others met somebody else's work.
const ROUNDS: usize = 9;

/// Microseconds a document for one stage.
fn stage(all: &[Envelope], mut work: impl FnMut(&Envelope)) -> f64 {
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let began = cpu::of_this_thread();
        all.iter().for_each(&mut work);
        best = best.min(cpu::of_this_thread() - began);
    }
    best as f64 / 1e3 / all.len() as f64
}

pub fn run(octets: usize) -> String {
    let folder = kit::temp_dir();
    std::fs::write(folder.path().join("site.key"), [7; 32]).unwrap();
    let keys = kit::repository().join("samples/keys");
    let text = format!("[archive]\nsite_key_file = {:?}\n[sign]\ntrust = [{:?}]\n", folder.path().join("site.key"), keys.join("ca.pem"));
    std::fs::write(folder.path().join("arkki.toml"), text).unwrap();
    let config = Config::read(Some(&folder.path().join("arkki.toml"))).expect("a configuration");
    let examiner = app::examiner(&config).expect("an examiner");
    let files = source::embedded();
    let schema = Schema::compile(&files, "xsd/kanta-social.xsd").expect("a schema");
    let anchors = TrustAnchors::from_pem(&std::fs::read(keys.join("ca.pem")).unwrap(), b"").expect("an anchor");
    let key = SigningKey::from_pem(&std::fs::read(keys.join("system-key.pem")).unwrap()).expect("a key");
    let certificate = Certificate::from_pem(&std::fs::read(keys.join("system.pem")).unwrap()).expect("a certificate");
    let rule = SignerRule { senders: &[], require_professional: false };
    let envelope = |message: arkki::generate::scenario::Message| Envelope {
        octets: Arc::new(message.octets),
        sender: Some(Sender::new("guest")),
        reply: Some(Reply { queue: "arkki.reply.guest.micro".into(), correlation: Some(message.id.clone()) }),
        message_id: Some(message.id),
        content_type: None,
        inbound: "main".into(),
        profile: "kanta-social".into(),
    };
    let all: Vec<Envelope> = sender::documents(4, octets).take(DOCUMENTS).map(envelope).collect();
    let text = |e: &Envelope| String::from_utf8(e.octets.to_vec()).expect("text");
    let texts: Vec<String> = all.iter().map(text).collect();
    let parsed: Vec<_> = texts.iter().map(|t| tree::parse(t).expect("a document")).collect();
    let sealing: Vec<SealPoint> = parsed.iter().map(|d| SealPoint::locate(d).expect("a place for the signature")).collect();
    let numbered = |work: &mut dyn FnMut(usize)| {
        let mut at = 0;
        stage(&all, |_| {
            work(at % DOCUMENTS);
            at += 1;
        })
    };
    let sign = |octets: &[u8]| key.sign_sha256(octets).map_err(|e| arkki::domain::outage::Outage::new(arkki::domain::outage::Part::Key, e.to_string()));
    let at = Moment::from_seconds(1_795_255_200);
    let rows = [
        ("SHA-256 of the message", stage(&all, |e| _ = black_box(crypto::sha256(&e.octets)))),
        ("pre-pass: encoding, well-formedness, bounds, ids", stage(&all, |e| _ = black_box(prepass::prepass(&e.octets, Encoding::Utf8Only).expect("clean")))),
        ("tree", numbered(&mut |n| drop(black_box(tree::parse(&texts[n]).expect("a document"))))),
        ("XML Schema", numbered(&mut |n| assert!(schema.validate(&texts[n]).is_empty()))),
        (
            "template, body, header",
            numbered(&mut |n| {
                let hash = |client: &[u8]| crypto::hmac_sha256(&[7; 32], client).unwrap_or(Digest::ZERO);
                drop(black_box(content::read(&parsed[n], examiner.rule_set(), Environment::Test, &hash).expect("clean")));
            }),
        ),
        (
            "signatures: find, verify, place",
            numbered(&mut |n| {
                let layout = Layout::of(&parsed[n]);
                drop(black_box(layout.verify(&anchors, &rule).expect("clean")));
                drop(black_box(SealPoint::in_layout(&layout).expect("a place")));
            }),
        ),
        ("**examine, all of the above**", stage(&all, |e| assert!(black_box(examiner.examine(e, false)).verdict.is_ok()))),
        (
            "**seal: canonical form, RSA, splice**",
            numbered(&mut |n| drop(black_box(seal::seal(&all[n].octets, &sealing[n], certificate.der(), at, sign).expect("sealed")))),
        ),
        ("RSA-2048 alone", stage(&all[..100], |e| drop(black_box(sign(&e.octets[..600]).expect("signed"))))),
    ];
    let mut table = String::from("| one document, one thread | µs |\n|---|---|\n");
    for (name, microseconds) in rows {
        table += &format!("| {name} | {microseconds:.0} |\n");
    }
    table
}
