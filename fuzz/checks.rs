//! What must hold for any octets whatever. `make fuzz` looks for octets for which it does not; the tests hold what was found, and the seeds, to it for good
//! (`tests/it/xml/replay.rs` includes this file). None of it may panic, hang, or touch memory that is not its own; beyond that each function says more.
#![allow(clippy::expect_used, clippy::panic, reason = "a broken promise must end the run, that is what it is for")]

use std::sync::{Arc, LazyLock};

use arkki::cda::verify::{Layout, SignerRule};
use arkki::codes::catalogue::Catalogue;
use arkki::codes::source;
use arkki::config::checked::Config;
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::finding::Finding;
use arkki::domain::language::Language;
use arkki::domain::limits;
use arkki::domain::message::{Envelope, Sender};
use arkki::pipeline::examine::Examiner;
use arkki::xml::prepass::{self, Encoding};
use arkki::xml::schema::Schema;
use arkki::xml::{c14n, tree};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The entries that a first octet chooses from.
const ENTRIES: [&str; 6] = ["xsd/kanta-social.xsd", "xsd/cda-r2.xsd", "xsd/cda-r2-sdtc.xsd", "xsd/kanta-patient.xsd", "xsd/mr-frame.xsd", "xsd/ack.xsd"];

static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    let files = source::embedded();
    ENTRIES.iter().map(|entry| Schema::compile(&files, entry).expect("a schema of our own")).collect()
});
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::load(&source::embedded()).expect("our own sentences"));
static ANCHORS: LazyLock<TrustAnchors> = LazyLock::new(|| TrustAnchors::from_pem(include_bytes!("../samples/keys/ca.pem"), b"").expect("our own anchor"));

/// What the walk takes, the tree can read, and its counts are the tree's.
pub fn prepass(octets: &[u8]) {
    let _named = prepass::first_id(octets);
    match prepass::prepass(octets, Encoding::Utf8Only) {
        Ok(good) => {
            let tree = tree::parse(good.text);
            assert!(tree.as_ref().map_or_else(|fault| fault.too_much, |_| true), "the tree refuses what the walk took: {:?}", tree.err());
            let elements = tree.map(|tree| tree.descendants().filter(tree::Node::is_element).count());
            assert!(elements.is_ok_and(|n| n == good.elements) && good.depth <= limits::DEPTH, "counted otherwise");
        }
        Err(found) => told(&found),
    }
}

/// libxml2 and our reading of its words: any text, walked or not, under every schema. Places lie in the text and sentences are whole.
pub fn schema(octets: &[u8]) {
    let Some((choice, octets)) = octets.split_first() else { return };
    let Some(schema) = SCHEMAS.get(usize::from(*choice) % ENTRIES.len()) else { return };
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let walked = prepass::prepass(octets, Encoding::Utf8Only).is_ok();
    // Nothing with a document type or of great depth comes so far.
    if !walked && (text.contains("<!") || text.len() > 100_000) {
        return;
    }
    let found = schema.validate(text);
    told(&found);
    let lines = text.split('\n').count();
    assert!(found.iter().all(|f| f.place.line as usize <= lines), "a place beyond the text: {found:?}");
    assert!(walked || !found.is_empty() || tree::parse(text).is_ok(), "valid, and no XML");
}

/// The whole examination: frame, document, template, body, header, signatures.
pub fn examine(octets: &[u8]) {
    static EXAMINER: LazyLock<Examiner> = LazyLock::new(|| {
        let folder = std::env::temp_dir().join(format!("arkki-fuzz-{}", std::process::id()));
        let write = |name: &str, octets: &[u8]| {
            let path = folder.join(name);
            std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, octets)).expect("a place for temporary files");
            path
        };
        let (key, anchor) = (write("site.key", &[7; 32]), write("ca.pem", include_bytes!("../samples/keys/ca.pem")));
        let text = format!("[archive]\nsite_key_file = {key:?}\n[sign]\ntrust = [{anchor:?}]\n");
        let config = Config::read(Some(&write("arkki.toml", text.as_bytes()))).expect("a configuration");
        let examiner = arkki::app::examiner(&config).expect("an examiner");
        drop(std::fs::remove_dir_all(&folder));
        examiner
    });
    let envelope = Envelope {
        octets: Arc::new(octets.to_vec()),
        sender: Some(Sender::new("a")),
        reply: None,
        message_id: None,
        content_type: None,
        inbound: "main".to_owned(),
        profile: "kanta-social".to_owned(),
    };
    let _examined = EXAMINER.examine(&envelope, false);
}

/// Canonical XML is well-formed, means the same, and its canonical form is itself; signatures are read and verified without harm.
pub fn signature(octets: &[u8]) {
    let Ok(good) = prepass::prepass(octets, Encoding::Utf8Only) else { return };
    let Ok(document) = tree::parse(good.text) else { return };
    let canonical = |document: &tree::Document<'_>| {
        let mut out = Vec::new();
        c14n::exclusive(document.root_element(), &mut |piece| out.extend_from_slice(piece));
        String::from_utf8(out).expect("canonical XML is UTF-8")
    };
    let once = canonical(&document);
    let again = tree::parse(&once).expect("canonical XML is well-formed");
    assert_eq!(once, canonical(&again), "its canonical form is another");
    let layout = Layout::of(&document);
    if let Err(found) = layout.verify(&ANCHORS, &SignerRule { senders: &[], require_professional: false }) {
        told(&found);
    }
}

/// The octets as the body of a good document, and as its JSON.
pub fn body(octets: &[u8]) {
    const DOCUMENT: &str = include_str!("../samples/accepted/05-case-fi-version-2.xml");
    let Some((choice, octets)) = octets.split_first() else { return };
    let tag = if choice % 2 == 0 { "<text" } else { "<hl7fi:json" };
    let inside = if choice & 2 == 0 { STANDARD.encode(octets) } else { String::from_utf8_lossy(octets).replace(['<', '&'], "") };
    let element = DOCUMENT.find(tag).expect("the sample has a body");
    let from = element + DOCUMENT[element..].find('>').expect("a tag ends") + 1;
    let to = from + DOCUMENT[from..].find('<').expect("an element ends");
    examine(format!("{}{inside}{}", &DOCUMENT[..from], &DOCUMENT[to..]).as_bytes());
}

fn told(found: &[Finding]) {
    assert!(!found.is_empty() && found.len() <= 2 * limits::FINDINGS || found.is_empty(), "too many findings");
    for finding in found {
        assert!(finding.place.line > 0 && finding.place.column > 0 && finding.place.path.starts_with('/'), "no place: {finding:?}");
        for language in Language::ALL {
            assert!(CATALOGUE.text(finding, language).len() > 8, "no sentence: {finding:?}");
        }
    }
}
