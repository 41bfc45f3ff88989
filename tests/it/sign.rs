//! Signatures: canonical form, verification, sealing and keys, each against tools that know nothing of Arkki (xmllint, xmlsec1, openssl).

mod attacks;
mod canonical;
mod explained;
mod judges;
mod keys;
mod lasting;
mod legacy;
mod places;
mod profile;
mod replay;
mod revoked;
mod sealing;
mod stamps;
mod trust;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use arkki::cda::verify::{SignatureFact, SignerRule, verify};
use arkki::crypto::authority::{Authority, Issued, Validity};
use arkki::crypto::certificate::Certificate;
use arkki::crypto::key::SigningKey;
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::finding::Finding;
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;
use arkki::xml::tree;

/// The reference data, where it is at hand.
fn shared(part: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("ARKKI_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("shared"), PathBuf::from).join(part);
    if !folder.exists() {
        println!("left out: no reference data at {}", folder.display());
        return None;
    }
    Some(folder)
}

/// The seven example documents, by name, in order.
fn examples() -> Vec<(String, String)> {
    let Some(folder) = shared("examples") else { return Vec::new() };
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "xml")).collect();
    all.sort();
    all.into_iter().map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&p).unwrap())).collect()
}

fn example(start: &str) -> Option<String> {
    examples().into_iter().find(|(name, _)| name.starts_with(start)).map(|(_, text)| text)
}

fn example_anchors() -> TrustAnchors {
    let folder = shared("examples").unwrap();
    TrustAnchors::from_pem(&std::fs::read(folder.join("ca.pem")).unwrap(), b"").unwrap()
}

fn moment(text: &str) -> Moment {
    Moment::parse_iso(text).unwrap()
}

/// A test CA with a system's and a professional's key, made once a run.
struct Site {
    authority: Authority,
    anchors: TrustAnchors,
    system: Pair,
    professional: Pair,
}

struct Pair {
    key: SigningKey,
    certificate: Certificate,
}

const FROM: &str = "2026-01-01T00:00:00Z";
const UNTIL: &str = "2030-12-31T23:59:59Z";
const NOW: &str = "2026-11-22T08:00:00.123Z";
const UNIT: &str = "1.2.246.10.99999992.10.7";

fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let authority = Authority::make("for tests", valid(FROM, UNTIL)).unwrap();
        let anchors = TrustAnchors::from_pem(&authority.to_pem().unwrap().certificate_pem, b"").unwrap();
        let system = pair(&authority.system("Testila", &Oid::parse(UNIT).unwrap(), "Arkki", valid(FROM, UNTIL)).unwrap());
        let professional = pair(&authority.professional("Testi", "Sosionomi", "99999999999", valid(FROM, UNTIL)).unwrap());
        Site { authority, anchors, system, professional }
    })
}

fn pair(issued: &Issued) -> Pair {
    let (key, certificate) = issued.open().unwrap();
    Pair { key, certificate }
}

fn valid(from: &str, until: &str) -> Validity {
    Validity { from: moment(from), until: moment(until) }
}

fn check(text: &str, anchors: &TrustAnchors) -> Result<Vec<SignatureFact>, Vec<Finding>> {
    let document = tree::parse(text).unwrap();
    verify(&document, anchors, &SignerRule::default())
}

/// The codes of a refusal, in order, without repeats beside each other.
fn codes(text: &str, anchors: &TrustAnchors) -> Vec<&'static str> {
    let mut codes: Vec<_> = check(text, anchors).err().unwrap_or_default().iter().map(|f| f.code.as_str()).collect();
    codes.dedup();
    codes
}

/// Runs a tool with this on its standard input; what it said on standard output and error, and whether it ended well.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> (Vec<u8>, String, bool) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed (apt-get install libxml2-utils xmlsec1 openssl): {error}"));
    let mut to = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = to.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned(), output.status.success())
}

/// xmlsec1's verdict on each ds:Signature of a document apart: it looks at the first only, unless told which.
pub(crate) fn xmlsec1_verifies_each(text: &str, anchors: &[&Path], folder: &Path) -> usize {
    let file = folder.join("document.xml");
    std::fs::write(&file, text).unwrap();
    let count = text.matches("</SignatureValue>").count() + text.matches(":SignatureValue>").count() / 2;
    for n in 1..=count {
        let nth = format!("(//*[local-name()=\"Signature\" and namespace-uri()=\"http://www.w3.org/2000/09/xmldsig#\"])[{n}]");
        let mut arguments =
            vec!["--verify", "--node-xpath", &nth, "--id-attr:ID", "urn:hl7-org:v3:nonXMLBody", "--id-attr:ID", "urn:hl7finland:signatureTimestamp"];
        for anchor in anchors {
            arguments.extend(["--trusted-pem", anchor.to_str().unwrap()]);
        }
        arguments.extend(["--verification-gmt-time", "2026-11-22 12:00:00", file.to_str().unwrap()]);
        let (_, said, well) = run("xmlsec1", &arguments, b"");
        assert!(well, "xmlsec1 refuses signature {n} of {count}: {said}");
        assert!(said.contains("2/2"), "both references were looked at: {said}");
    }
    count
}
