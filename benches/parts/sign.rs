//! Signatures a second, one thread: ours from octets to octets, xmlsec1's own loop (`--repeat`) on the same files, and the bare key operation of `openssl speed` on the same
//! machine in the same run. Both of the others are counted in processor time, as ours is, so that a neighbour on the machine changes no ratio.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use arkki::cda::seal::{self, SealPoint};
use arkki::cda::verify::{Layout, SignerRule};
use arkki::crypto::certificate::Certificate;
use arkki::crypto::key::SigningKey;
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::outage::{Outage, Part};
use arkki::domain::time::Moment;
use arkki::xml::tree;

use crate::{cpu, kit, sender};

/// Size of the document and how often each is signed.
const SIZES: [(usize, usize); 4] = [(8_000, 600), (30_000, 600), (250_000, 120), (5_000_000, 12)];
/// The best of so many rounds counts.
const ROUNDS: usize = 5;
/// When they are signed: the sample keys are valid then.
const AT: i64 = 1_795_255_200;

pub fn run() -> String {
    let keys = kit::repository().join("samples/keys");
    let key = SigningKey::from_pem(&std::fs::read(keys.join("system-key.pem")).unwrap()).expect("a key");
    let certificate = Certificate::from_pem(&std::fs::read(keys.join("system.pem")).unwrap()).expect("a certificate");
    let sign = |octets: &[u8]| key.sign_sha256(octets).map_err(|e| Outage::new(Part::Key, e.to_string()));
    let at = Moment::from_seconds(AT);
    let folder = kit::temp_dir();
    let (raw_sign, raw_verify) = raw();
    let mut table = format!(
        "`openssl speed rsa2048`: {raw_sign:.0} signs/s ({:.0} µs), {raw_verify:.0} verifies/s\n\n\
         | document | signs/s | × key operation | × xmlsec1 | where the tree is at hand | verifies/s | × xmlsec1 |\n|---|---|---|---|---|---|---|\n",
        1e6 / raw_sign
    );
    for (octets, times) in SIZES {
        let text = document(octets);
        let signed = |text: &str| {
            let tree = tree::parse(text).expect("a document");
            let point = SealPoint::locate(&tree).expect("a place");
            seal::seal(text.as_bytes(), &point, certificate.der(), at, sign).expect("sealed")
        };
        let sealed = String::from_utf8(signed(&text).octets).expect("text");
        let whole = per(times, || drop(black_box(signed(black_box(&text)))));
        let tree_at_hand = {
            let tree = tree::parse(&text).expect("a document");
            per(times, || {
                let point = SealPoint::locate(&tree).expect("a place");
                drop(black_box(seal::seal(text.as_bytes(), &point, certificate.der(), at, sign).expect("sealed")));
            })
        };
        let anchors = TrustAnchors::from_pem(&std::fs::read(keys.join("ca.pem")).unwrap(), b"").expect("an anchor");
        let rule =
            SignerRule { senders: &[certificate.serial().and_then(|s| arkki::domain::oid::Oid::parse(s).ok()).expect("an OID")], require_professional: false };
        let verify = per(times, || {
            let tree = tree::parse(&sealed).expect("a document");
            assert_eq!(black_box(Layout::of(&tree).verify(&anchors, &rule)).map(|facts| facts.len()).ok(), Some(1));
        });
        let (their_sign, their_verify) = xmlsec1(folder.path(), &keys, &sealed, times.max(40) / 2);
        table += &format!(
            "| {:.0} KB | {:.0} | {:.2} | {:.1} | {:.0} ({:.2}) | {:.0} | {:.1} |\n",
            text.len() as f64 / 1000.0,
            1.0 / whole,
            whole * raw_sign,
            their_sign / whole,
            1.0 / tree_at_hand,
            tree_at_hand * raw_sign,
            1.0 / verify,
            their_verify / verify
        );
    }
    table + &memory()
}

/// A social document of about this size without a signature. The generator's largest is smaller than 5 MB: its body is then repeated, as base64 may be.
fn document(octets: usize) -> String {
    let text = |m: arkki::generate::scenario::Message| String::from_utf8(m.octets).expect("text");
    let base = sender::documents(4, octets.min(250_000))
        .map(text)
        .find(|t| t.contains("<ClinicalDocument") && !t.contains("signatureCollection"))
        .expect("one unsigned");
    let (from, to) = (base.find("\"B64\">").expect("a body") + 6, base.find("</text>").expect("a body's end"));
    let missing = octets.saturating_sub(base.len());
    let body: String = base[from..to].chars().cycle().take(to - from + missing).collect();
    format!("{}{body}{}", &base[..from], &base[to..])
}

/// Seconds of this thread's time for one, in the best of the rounds.
fn per(times: usize, mut work: impl FnMut()) -> f64 {
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let began = cpu::of_this_thread();
        for _ in 0..times.div_ceil(ROUNDS) {
            work();
        }
        best = best.min((cpu::of_this_thread() - began) / times.div_ceil(ROUNDS) as u64);
    }
    best as f64 / 1e9
}

/// Signs and verifications a second of the bare key.
fn raw() -> (f64, f64) {
    let output = Command::new(kit::tool("openssl")).args(["speed", "-seconds", "2", "rsa2048"]).stderr(Stdio::null()).output().expect("openssl speed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|l| l.starts_with("rsa") && l.contains("2048 bits")).expect("a line for rsa 2048");
    let words: Vec<f64> = line.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let [.., sign, verify] = words.as_slice() else { panic!("{line}") };
    (*sign, *verify)
}

/// Seconds of processor time xmlsec1 needs for one signature and one verification of this document, its start not counted.
fn xmlsec1(folder: &Path, keys: &Path, sealed: &str, times: usize) -> (f64, f64) {
    let (template, file) = (folder.join("template.xml"), folder.join("sealed.xml"));
    std::fs::write(&file, sealed).unwrap();
    let mut blank = sealed.to_owned();
    for name in ["DigestValue", "SignatureValue", "X509Certificate"] {
        let mut from = 0;
        while let Some(at) = blank[from..].find(&format!("<{name}>")) {
            let start = from + at + name.len() + 2;
            let end = start + blank[start..].find('<').unwrap();
            blank.replace_range(start..end, "");
            from = start;
        }
    }
    std::fs::write(&template, blank).unwrap();
    let ids = ["--id-attr:ID", "urn:hl7-org:v3:nonXMLBody", "--id-attr:ID", "urn:hl7finland:signatureTimestamp"];
    let pair = format!("{},{}", keys.join("system-key.pem").display(), keys.join("system.pem").display());
    let anchor = keys.join("ca.pem");
    let run = |arguments: &[&str], times: usize| {
        let mut command = Command::new(kit::tool("xmlsec1"));
        command.args(arguments).args(ids).args(["--repeat", &times.to_string()]);
        let before = cpu::of(std::process::id());
        let status =
            command.arg(if arguments[0] == "--sign" { &template } else { &file }).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("xmlsec1 runs");
        assert!(status.success(), "xmlsec1 {arguments:?}");
        cpu::of(std::process::id()) - before
    };
    let each = |arguments: &[&str]| (run(arguments, times + 1) - run(arguments, 1)).max(0.0) / times as f64;
    let sign = each(&["--sign", "--output", "/dev/null", "--privkey-pem", &pair]);
    let verify = each(&["--verify", "--trusted-pem", anchor.to_str().unwrap(), "--verification-gmt-time", "2026-11-22 12:00:00"]);
    (sign, verify)
}

/// What the canonical form of a large body adds to the process's memory: nothing, it is hashed as it is made.
fn memory() -> String {
    let text = document(5_000_000);
    let tree = tree::parse(&text).expect("a document");
    let own = std::process::id();
    let before = resident(own);
    for _ in 0..20 {
        black_box(SealPoint::locate(&tree).expect("a place"));
    }
    format!("\nPlacing and hashing a body of 5 MB twenty times over: {:+.1} MB resident.\n", resident(own) - before)
}

/// Megabytes that a process holds now.
fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
