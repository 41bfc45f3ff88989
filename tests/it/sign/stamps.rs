//! Time stamps judged beside `openssl ts`: its authority answers our question, it accepts the token that we kept, and both refuse what was changed.

use std::path::Path;
use std::sync::Arc;

use arkki::adapters::clock::{SystemClock, SystemEntropy};
use arkki::adapters::post::Address;
use arkki::adapters::stamper::HttpStamper;
use arkki::adapters::store;
use arkki::crypto::timestamp;
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::checkpoint::{Checkpoint, Statement};
use arkki::domain::digest::Digest;
use arkki::domain::ledger::Position;
use arkki::domain::time::Moment;
use arkki::pipeline::audit::AuditReport;
use arkki::pipeline::checkpoint::line;
use arkki::pipeline::checkpoint::verify::{Against, Judges};
use arkki::ports::checkpoints::Stamper;
use arkki::ports::clock::Clock as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::kit;
use crate::store::place::Place;

fn openssl(folder: &Path, args: &str) -> bool {
    let done = std::process::Command::new("openssl").current_dir(folder).args(args.split(' ')).output().unwrap();
    if !done.status.success() {
        println!("openssl {args}: {}", String::from_utf8_lossy(&done.stderr));
    }
    done.status.success()
}

/// An authority with a certificate of this extended use, which its tokens name by its SHA-256.
fn authority(folder: &Path, usage: &str) {
    authority_naming(folder, usage, "sha256");
}

fn authority_naming(folder: &Path, usage: &str, named_by: &str) {
    let config = format!(
        "[req]\ndistinguished_name = dn\n[dn]\n[ca]\nbasicConstraints = critical,CA:true\nkeyUsage = critical,keyCertSign,cRLSign\n\
         [leaf]\nbasicConstraints = critical,CA:false\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = {usage}\n\
         [tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_cert = tsa.pem\nsigner_key = tsa.key\nsigner_digest = sha256\n\
         default_policy = 1.2.3.4\ndigests = sha256\naccuracy = secs:1\ness_cert_id_alg = {named_by}\ncerts = ca.pem\n"
    );
    std::fs::write(folder.join("c.cnf"), config).unwrap();
    std::fs::write(folder.join("serial"), "01").unwrap();
    assert!(openssl(folder, "req -x509 -config c.cnf -extensions ca -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Stamps -days 30"));
    assert!(openssl(folder, "req -config c.cnf -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=Stamper"));
    assert!(openssl(folder, "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile c.cnf -extensions leaf -out tsa.pem -days 20"));
}

/// A small HTTP server around `openssl ts -reply`; answers the n-th question until it is dropped.
async fn serve(folder: std::path::PathBuf) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/tsa", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut octets = Vec::new();
            let mut piece = [0; 4096];
            let question = loop {
                let length = stream.read(&mut piece).await.unwrap_or(0);
                octets.extend_from_slice(&piece[..length]);
                let head = octets.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
                if let Some(head) = head {
                    let text = String::from_utf8_lossy(&octets[..head]).to_lowercase();
                    let want: usize = text.lines().find_map(|l| l.strip_prefix("content-length:")).unwrap().trim().parse().unwrap();
                    if octets.len() >= head + want {
                        break octets[head..].to_vec();
                    }
                }
                if length == 0 {
                    break Vec::new();
                }
            };
            std::fs::write(folder.join("q.tsq"), question).unwrap();
            openssl(&folder, "ts -reply -config c.cnf -section t -queryfile q.tsq -out a.tsr");
            let answer = std::fs::read(folder.join("a.tsr")).unwrap_or_default();
            let head = format!("HTTP/1.0 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\n\r\n", answer.len());
            let _ = stream.write_all(&[head.as_bytes(), &answer].concat()).await;
        }
    });
    address
}

fn anchors(folder: &Path) -> TrustAnchors {
    TrustAnchors::from_pem(&std::fs::read(folder.join("ca.pem")).unwrap(), b"").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn openssls_authority_is_asked_and_its_token_believed_by_both() {
    let folder = kit::temp_dir();
    authority(folder.path(), "critical,timeStamping");
    let address = serve(folder.path().to_owned()).await;
    let stamper = |anchors| HttpStamper::new(Address::parse(&address).unwrap(), anchors, Arc::new(SystemEntropy::open().unwrap()));
    let digest = arkki::crypto::sha256(b"a checkpoint");
    let token = stamper(anchors(folder.path())).stamp(&digest).await.unwrap();
    std::fs::write(folder.path().join("token"), &token).unwrap();
    assert!(openssl(folder.path(), &format!("ts -verify -digest {digest} -in token -token_in -CAfile ca.pem")));
    let known = anchors(folder.path());
    assert!(timestamp::verify(&token, &digest, None, &known).is_ok());
    // Another digest, another nonce, nobody's anchors.
    assert!(timestamp::verify(&token, &Digest([1; 32]), None, &known).is_err());
    assert!(timestamp::verify(&token, &digest, Some([9; 16]), &known).is_err());
    assert!(timestamp::verify(&token, &digest, None, &TrustAnchors::none()).is_err());
    // A changed octet of the signature at its end, or of the content.
    for at in [token.len() - 5, token.windows(32).position(|w| w == digest.0).unwrap()] {
        let mut changed = token.clone();
        changed[at] ^= 1;
        assert!(timestamp::verify(&changed, &digest, None, &known).is_err(), "octet {at}");
    }
    // A certificate of the same authority that is for something else: openssl stamps with none such, so the chain is judged with another authority's.
    let other = kit::temp_dir();
    authority(other.path(), "critical,timeStamping");
    assert!(stamper(anchors(other.path())).stamp(&digest).await.is_err());
    // Nobody there.
    let port = kit::ports::free();
    let silent = HttpStamper::new(Address::parse(&format!("http://127.0.0.1:{port}/")).unwrap(), known, Arc::new(SystemEntropy::open().unwrap()));
    assert!(silent.stamp(&digest).await.is_err());
}

/// The signing-certificate attribute: openssl's own tokens have it in both versions; what has none, or was signed with a twin of the certificate, is refused by both.
#[test]
fn a_token_says_under_its_signature_whose_certificate_it_is() {
    let digest = arkki::crypto::sha256(b"a checkpoint");
    for named_by in ["sha1", "sha256", "sha384"] {
        let temp = kit::temp_dir();
        let folder = temp.path();
        authority_naming(folder, "critical,timeStamping", named_by);
        // Another certificate of the same name, number and key.
        let (der, twin) = (folder.join("tsa.der"), folder.join("twin.der"));
        assert!(openssl(folder, "x509 -in tsa.pem -outform DER -out tsa.der"));
        let number = String::from_utf8(
            std::process::Command::new("openssl").current_dir(folder).args(["x509", "-in", "tsa.pem", "-noout", "-serial"]).output().unwrap().stdout,
        )
        .unwrap();
        let number = number.trim().strip_prefix("serial=").unwrap();
        assert!(openssl(
            folder,
            &format!(
                "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -set_serial 0x{number} -extfile c.cnf -extensions leaf -outform DER -out twin.der -days 19"
            )
        ));
        let (der, twin) = (std::fs::read(der).unwrap(), std::fs::read(twin).unwrap());
        assert!(openssl(folder, &format!("ts -query -digest {digest} -sha256 -cert -out q.tsq")));
        assert!(openssl(folder, "ts -reply -config c.cnf -section t -queryfile q.tsq -token_out -out token"));
        let token = std::fs::read(folder.join("token")).unwrap();
        let verdict = |token: &[u8]| timestamp::verify(token, &digest, None, &anchors(folder));
        verdict(&token).unwrap_or_else(|fault| panic!("{named_by}: {fault}"));

        // The same content signed by the same key as plain CMS: no attribute names the certificate. With -cades one does.
        assert!(openssl(folder, "cms -verify -inform DER -in token -binary -CAfile ca.pem -purpose timestampsign -out info"));
        for (more, is_named) in [("", false), (" -cades", true)] {
            let sign = "cms -sign -in info -binary -nodetach -md sha256 -econtent_type 1.2.840.113549.1.9.16.1.4 -signer tsa.pem -inkey tsa.key -outform DER -out plain";
            assert!(openssl(folder, &format!("{sign}{more}")));
            let plain = std::fs::read(folder.join("plain")).unwrap();
            assert_eq!(verdict(&plain).is_ok(), is_named, "{named_by}{more}: {:?}", verdict(&plain));
            assert_eq!(openssl(folder, &format!("ts -verify -digest {digest} -in plain -token_in -CAfile ca.pem")), is_named);
        }

        // The twin exchanged for the signer's in the token: its signature verifies under both.
        assert_eq!(der.len(), twin.len(), "they differ in their last day and their issuer's signature");
        let at = token.windows(der.len()).position(|window| window == der).unwrap();
        let exchanged = [&token[..at], &twin, &token[at + der.len()..]].concat();
        assert!(verdict(&exchanged).unwrap_err().to_string().contains("another certificate"), "{:?}", verdict(&exchanged));
        std::fs::write(folder.join("exchanged"), exchanged).unwrap();
        assert!(!openssl(folder, &format!("ts -verify -digest {digest} -in exchanged -token_in -CAfile ca.pem")));
    }
}

/// A checkpoint that nobody signed.
pub(super) fn checkpoint(position: u64, at: Moment, material: Digest) -> Checkpoint {
    let nothing = Digest([u8::try_from(position).unwrap(); 32]);
    let certificate = arkki::crypto::sha256(b"nobody's certificate");
    let (archive, instance) = ("an archive".to_owned(), "one".to_owned());
    let statement = Statement { archive, position: Position(position), head: nothing, at, instance, before: nothing, material, certificate };
    let hash = arkki::crypto::sha256(&Checkpoint::octets(&statement, b""));
    Checkpoint { statement, signature: Vec::new(), certificate: b"nobody's certificate".to_vec(), hash, token: None }
}

#[tokio::test]
async fn a_stamp_belongs_to_the_time_of_its_checkpoint() {
    let (place, folder) = (Place::sqlite(), kit::temp_dir());
    let store = store::open_store(&place.url, "one", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let folder = folder.path();
    authority(folder, "critical,timeStamping");
    let known = anchors(folder);
    // Milliseconds, as lines have them.
    let now = SystemClock.now().seconds();
    let (minute, day) = (60, 86_400);
    let cases = [
        (now, None, 1),
        (now - 6 * day, None, 1),
        (now + 3 * minute, None, 1),
        // Stamped late, as after a long outage of the authority: no fault, and no proof of that time either.
        (now - 8 * day, None, 0),
        (now + 10 * minute, Some("from before it was made: stamped "), 0),
    ];
    for (at, expected, counted) in cases {
        let mut made = checkpoint(1, Moment::from_seconds(at), Digest::ZERO);
        assert!(openssl(folder, &format!("ts -query -digest {} -sha256 -cert -out q.tsq", made.hash)));
        assert!(openssl(folder, "ts -reply -config c.cnf -section t -queryfile q.tsq -token_out -out token"));
        let token = std::fs::read(folder.join("token")).unwrap();
        let (bare, later) = (line::checkpoint(&made), line::stamp(&made.hash, &token));
        let another = line::checkpoint(&checkpoint(2, Moment::from_seconds(at), Digest::ZERO));
        made.token = Some(token.clone());
        let stranger = line::stamp(&Digest([7; 32]), &token);
        let files = [
            // In the checkpoint's own line; behind it; behind another.
            (vec![line::checkpoint(&made)], expected, 1),
            (vec![bare.clone(), later.clone()], expected, 1),
            (vec![bare.clone(), another, later.clone()], expected, 1),
            (vec![bare, stranger], Some("of no checkpoint"), 0),
            (vec![later], Some("of no checkpoint"), 0),
        ];
        for (lines, expected, position) in files {
            let mut report = AuditReport::default();
            let judges = Judges { anchors: &known, serials: &[], stamps: Some(&known) };
            let mut against = Against::new(&*store, &*store, judges).await.unwrap();
            for line in &lines {
                against.line(line.trim_end(), &mut report).await.unwrap();
            }
            let found: Vec<_> = report.faults.iter().filter(|fault| fault.what.contains("time stamp")).collect();
            assert_eq!((found.len(), against.seen.1), (usize::from(expected.is_some()), if expected.is_none() { counted } else { 0 }), "{found:?}");
            if let (Some(fault), Some(expected)) = (found.first(), expected) {
                assert!(fault.what.contains(expected), "{fault:?}");
                let own = Moment::from_seconds(at).to_iso();
                assert!(position == 0 || (fault.position == Position(position) && fault.what.contains(&own)), "{fault:?}");
            }
        }
    }
}
