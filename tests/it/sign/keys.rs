//! Keys in PEM files: who may read them, what they may be, and that they sign.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use arkki::adapters::keys::pem::PemSigner;
use arkki::crypto::certificate::Certificate;
use arkki::crypto::sha256;
use arkki::domain::oid::Oid;
use arkki::ports::signer::Signer;

use super::{FROM, UNIT, UNTIL, run, site, valid};

fn keep(path: &Path, octets: &[u8], mode: u32) {
    std::fs::write(path, octets).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn problem(key: &Path, certificate: &Path) -> String {
    PemSigner::open(key, certificate).err().expect("refused").to_string()
}

#[test]
fn a_pem_key_signs_and_tells_what_is_wrong() {
    let issued = site().authority.system("Testila", &Oid::parse(UNIT).unwrap(), "Avain", valid(FROM, UNTIL)).unwrap();
    let other = site().authority.system("Testila", &Oid::parse(UNIT).unwrap(), "Toinen", valid(FROM, UNTIL)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("system.key"), folder.path().join("system.pem"));
    keep(&key, &issued.key_pem, 0o600);
    keep(&certificate, &issued.certificate_pem, 0o644);
    let signer = PemSigner::open(&key, &certificate).unwrap_or_else(|p| panic!("{p}"));
    let value = signer.sign(b"octets").unwrap();
    assert!(Certificate::from_der(signer.certificate()).unwrap().verifies(&sha256(b"octets"), &value));
    assert!(!signer.facts().verifies(&sha256(b"other octets"), &value));
    // openssl agrees.
    let (signature, public) = (folder.path().join("value"), folder.path().join("public"));
    std::fs::write(&signature, &value).unwrap();
    std::fs::write(&public, run("openssl", &["x509", "-in", certificate.to_str().unwrap(), "-noout", "-pubkey"], b"").0).unwrap();
    let (said, _, well) = run("openssl", &["dgst", "-sha256", "-verify", public.to_str().unwrap(), "-signature", signature.to_str().unwrap()], b"octets");
    assert!(well, "{}", String::from_utf8_lossy(&said));

    for mode in [0o640, 0o604, 0o620, 0o601] {
        keep(&key, &issued.key_pem, mode);
        let said = problem(&key, &certificate);
        assert!(said.contains("chmod 600") && said.contains(&format!("{mode:o}")), "{said}");
    }
    keep(&key, &other.key_pem, 0o600);
    assert!(problem(&key, &certificate).contains("is not the key of the certificate"));
    keep(&key, &vec![b'x'; 65 * 1024], 0o600);
    assert!(problem(&key, &certificate).contains("larger than"));
    keep(&key, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600);
    assert!(problem(&key, &certificate).contains("no unencrypted PEM private key"));
    assert!(problem(&folder.path().join("absent"), &certificate).contains("cannot be read"));
    keep(&key, &issued.key_pem, 0o400);
    keep(&certificate, b"nothing", 0o644);
    assert!(problem(&key, &certificate).contains("certificate in"));
}

#[test]
fn keys_the_profile_cannot_use_are_refused_without_asking_for_a_pass_phrase() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let certificate = folder.path().join("certificate");
    std::fs::write(&certificate, "").unwrap();
    for (arguments, expected) in [
        (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"][..], "1024 bits"),
        (&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "neither P-256 nor P-384"),
        (&["genpkey", "-algorithm", "ED25519"], "neither RSA nor on an elliptic curve"),
        (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-aes128", "-pass", "pass:secret"], "no unencrypted PEM"),
        (&["genrsa", "-traditional", "-aes128", "-passout", "pass:secret", "2048"], "no unencrypted PEM"),
    ] {
        let (pem, said, well) = run("openssl", arguments, b"");
        assert!(well, "{said}");
        keep(&key, &pem, 0o600);
        let said = problem(&key, &certificate);
        assert!(said.contains(expected), "{said}");
    }
}
