//! Chains: anchors, intermediates, the moment of signing, key usage, and what hostile certificates cost.

use arkki::cda::seal::seal;
use arkki::crypto::authority::Authority;
use arkki::crypto::certificate::Certificate;
use arkki::crypto::trust::{Distrust, TrustAnchors};
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;

use super::sealing::{locate, text_of, unsigned};
use super::{FROM, NOW, Pair, UNIT, UNTIL, codes, example, example_anchors, moment, pair, run, shared, site, valid};

fn signed_by(who: &Pair, at: &str) -> Option<String> {
    let text = unsigned(&example("01")?);
    let sealed = seal(text.as_bytes(), &locate(&text).unwrap(), who.certificate.der(), moment(at), |o| Ok(who.key.sign_sha256(o).unwrap())).unwrap();
    Some(text_of(&sealed))
}

#[test]
fn another_authority_is_not_trusted() {
    let Some(text) = signed_by(&site().system, NOW) else { return };
    assert_eq!(codes(&text, &site().anchors), [""; 0]);
    assert_eq!(codes(&text, &example_anchors()), ["E604"]);
    // One of the same name, with another key.
    let namesake = Authority::make("for tests", valid(FROM, UNTIL)).unwrap();
    let anchors = TrustAnchors::from_pem(&namesake.to_pem().unwrap().certificate_pem, b"").unwrap();
    assert_eq!(codes(&text, &anchors), ["E604"]);
}

#[test]
fn validity_counts_at_the_moment_of_signing_however_often_it_is_asked() {
    let unit = Oid::parse(UNIT).unwrap();
    let short = pair(&site().authority.system("Testila", &unit, "Lyhyt", valid("2026-05-01T00:00:00Z", "2026-05-31T23:59:59Z")).unwrap());
    for (at, expected) in [
        ("2026-04-30T23:59:58.999Z", Some("E605")),
        ("2026-05-01T00:00:00Z", None),
        ("2026-05-15T12:00:00Z", None),
        ("2026-05-31T23:59:59Z", None),
        ("2026-06-01T00:00:01Z", Some("E605")),
        // Again, now that the certificate is remembered.
        ("2026-05-15T12:00:00Z", None),
        ("2026-06-01T00:00:01Z", Some("E605")),
        ("2025-06-01T00:00:01Z", Some("E605")),
    ] {
        let Some(text) = signed_by(&short, at) else { return };
        assert_eq!(codes(&text, &site().anchors), Vec::from_iter(expected), "{at}");
    }
    // A signer that outlives its authority is not believed after it.
    let brief = Authority::make("brief", valid("2026-05-01T00:00:00Z", "2026-05-31T23:59:59Z")).unwrap();
    let anchors = TrustAnchors::from_pem(&brief.to_pem().unwrap().certificate_pem, b"").unwrap();
    let long = pair(&brief.system("Testila", &unit, "Pitka", valid(FROM, UNTIL)).unwrap());
    let at = |at: &str| codes(&signed_by(&long, at).unwrap_or_default(), &anchors);
    assert_eq!((at("2026-05-15T12:00:00Z"), at("2026-07-15T12:00:00Z"), at("2026-05-16T12:00:00Z")), (vec![], vec!["E605"], vec![]));
}

/// openssl makes what our own authority does not: an intermediate, and certificates that must not be believed.
struct Hierarchy {
    root: Vec<u8>,
    intermediate: Vec<u8>,
    folder: tempfile::TempDir,
}

impl Hierarchy {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let openssl = |arguments: &[&str]| {
            let (_, said, well) = run("openssl", arguments, b"");
            assert!(well, "openssl {arguments:?}: {said}");
        };
        let ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
        openssl(
            &[
                &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "300", "-subj", "/CN=Root", "-keyout", &at("root.key"), "-out", &at("root.pem")],
                &ca[..],
            ]
            .concat(),
        );
        let made = Self { root: std::fs::read(at("root.pem")).unwrap(), intermediate: Vec::new(), folder };
        let intermediate = made.issue("root", "middle", "/CN=Middle", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign", "rsa:2048");
        Self { intermediate, ..made }
    }

    fn issue(&self, issuer: &str, name: &str, subject: &str, extensions: &str, key: &str) -> Vec<u8> {
        let at = |name: String| self.folder.path().join(name).display().to_string();
        std::fs::write(at(format!("{name}.ext")), extensions).unwrap();
        let (key_file, request, out) = (at(format!("{name}.key")), at(format!("{name}.csr")), at(format!("{name}.pem")));
        let mut arguments = vec!["req", "-newkey", key, "-nodes", "-subj", subject, "-keyout", &key_file, "-out", &request];
        if key == "ec" {
            arguments.extend(["-pkeyopt", "ec_paramgen_curve:P-256"]);
        }
        let (_, said, well) = run("openssl", &arguments, b"");
        assert!(well, "{said}");
        let (issuer_file, issuer_key, extension_file) = (at(format!("{issuer}.pem")), at(format!("{issuer}.key")), at(format!("{name}.ext")));
        let arguments = [
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &issuer_file,
            "-CAkey",
            &issuer_key,
            "-CAcreateserial",
            "-days",
            "200",
            "-out",
            &out,
            "-extfile",
            &extension_file,
        ];
        let (_, said, well) = run("openssl", &arguments, b"");
        assert!(well, "{said}");
        std::fs::read(out).unwrap()
    }
}

fn der(pem: &[u8]) -> Vec<u8> {
    Certificate::from_pem(pem).unwrap().der().to_vec()
}

#[test]
fn intermediates_constraints_and_keys() {
    let made = Hierarchy::make();
    let now = Moment::from_seconds(i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap() + 60);
    let root = TrustAnchors::from_pem(&made.root, b"").unwrap();
    let both = TrustAnchors::from_pem(&made.root, &made.intermediate).unwrap();
    let middle = TrustAnchors::from_pem(&made.intermediate, b"\n").unwrap();
    let usage = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation";
    let leaf = der(&made.issue("middle", "leaf", "/serialNumber=1.2.246.10.1.1/CN=Leaf", usage, "rsa:2048"));
    assert_eq!(root.verify(&leaf, now).unwrap_err(), Distrust::Chain, "the intermediate is unknown");
    assert_eq!(both.verify(&leaf, now).unwrap().serial(), Some("1.2.246.10.1.1"));
    assert!(middle.verify(&leaf, now).is_ok(), "trust may begin below the root");

    // A leaf that signs another leaf.
    made.issue("middle", "ordinary", "/CN=Ordinary", usage, "rsa:2048");
    let bastard = der(&made.issue("ordinary", "bastard", "/serialNumber=1.2.246.10.1.1/CN=Bastard", usage, "rsa:2048"));
    let ordinary = std::fs::read(made.folder.path().join("ordinary.pem")).unwrap();
    assert_eq!(both.verify(&bastard, now).unwrap_err(), Distrust::Chain);
    assert!(TrustAnchors::from_pem(&ordinary, b"").unwrap_err().to_string().contains("no CA"));
    assert!(TrustAnchors::from_pem(&made.root, &ordinary).is_err());
    let toothless = made.issue("middle", "toothless", "/CN=Toothless", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign", "rsa:2048");
    assert!(TrustAnchors::from_pem(&toothless, b"").is_err(), "a CA that may not sign certificates");
    let unsaid = made.issue("root", "unsaid", "/CN=Unsaid", "keyUsage=critical,keyCertSign", "rsa:2048");
    assert!(TrustAnchors::from_pem(&unsaid, b"").is_err(), "keyCertSign without basicConstraints");
    // The intermediate's pathlen is 0: no CA below it.
    let under = made.issue("middle", "under", "/CN=Under", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign", "rsa:2048");
    let below = der(&made.issue("under", "below", "/serialNumber=1.2.246.10.1.1/CN=Below", usage, "rsa:2048"));
    let deep = TrustAnchors::from_pem(&made.root, &[made.intermediate.clone(), under].concat()).unwrap();
    assert_eq!(deep.verify(&below, now).unwrap_err(), Distrust::Chain);
    // A critical extension nobody understands.
    let strange = der(&made.issue("middle", "strange", "/CN=Strange", &format!("{usage}\n1.2.3.4=critical,ASN1:NULL"), "rsa:2048"));
    assert_eq!(both.verify(&strange, now).unwrap_err(), Distrust::Chain);

    // Keys that the profile cannot use are told from chains that are not trusted.
    for (name, key, usable) in [("k1024", "rsa:1024", false), ("ec", "ec", true), ("k3072", "rsa:3072", true)] {
        let certificate = Certificate::from_pem(&made.issue("middle", name, "/CN=Key", usage, key)).unwrap();
        assert_eq!(certificate.has_usable_key(), usable, "{name}");
        assert!(!certificate.verifies(&arkki::crypto::sha256(b""), &[1; 256]));
    }
    assert_eq!(both.verify(&[leaf.clone(), vec![0]].concat(), now).unwrap_err(), Distrust::Unreadable, "octets behind the certificate");
    assert_eq!(both.verify(&vec![0x30; 17 * 1024], now).unwrap_err(), Distrust::Unreadable);
    assert_eq!(both.verify(b"", now).unwrap_err(), Distrust::Unreadable);
}

#[test]
fn key_usage_is_asked() {
    let made = Hierarchy::make();
    let anchors = TrustAnchors::from_pem(&made.root, &made.intermediate).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = Moment::from_seconds(i64::try_from(now).unwrap() + 60).to_iso();
    for (name, usage, expected) in [
        ("none", "basicConstraints=CA:FALSE", Some("E606")),
        ("encipher", "keyUsage=critical,keyEncipherment", Some("E606")),
        ("sign", "keyUsage=critical,digitalSignature", None),
        ("content", "keyUsage=critical,nonRepudiation", None),
    ] {
        let certificate = made.issue("middle", name, &format!("/serialNumber={UNIT}/CN=System"), usage, "rsa:2048");
        let key = std::fs::read(made.folder.path().join(format!("{name}.key"))).unwrap();
        let who = Pair { key: arkki::crypto::key::SigningKey::from_pem(&key).unwrap(), certificate: Certificate::from_pem(&certificate).unwrap() };
        let Some(text) = signed_by(&who, &at) else { return };
        assert_eq!(codes(&text, &anchors), Vec::from_iter(expected), "{name}");
    }
}

#[test]
fn test_authorities_are_known_by_name() {
    assert!(site().anchors.has_arkki_test());
    assert!(site().system.certificate.is_arkki_test(), "what a test authority issued is known too");
    if let Some(folder) = shared("examples") {
        assert!(!example_anchors().has_arkki_test());
        let certificate = Certificate::from_pem(&std::fs::read(folder.join("professional-cert.pem")).unwrap()).unwrap();
        assert_eq!((certificate.serial(), certificate.is_arkki_test()), (Some("99999999999"), false));
        assert!(certificate.usage().non_repudiation && !certificate.usage().digital_signature);
        assert_eq!((certificate.not_before(), certificate.not_after()), (moment("2026-11-01T00:00:00Z"), moment("2031-10-31T00:00:00Z")));
        assert!(!format!("{certificate:?}").contains("Testi"));
    }
    let kept = site().authority.to_pem().unwrap();
    assert!(Authority::from_pem(&kept.key_pem, &kept.certificate_pem).is_ok());
}
