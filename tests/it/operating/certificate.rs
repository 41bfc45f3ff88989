//! A signing certificate ends while messages come: nothing is signed with it, nothing is lost, and a SIGHUP with the next one lets everything go on.

use std::os::unix::fs::PermissionsExt as _;

use arkki::adapters::clock::SystemClock;
use arkki::crypto::authority::{Authority, Validity};
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;
use arkki::ports::clock::Clock as _;

use super::{LONG, exits, json, samples};
use crate::kit;
use crate::kit::process::Signal;
use crate::road::Gateway;

/// How long the first certificate lasts: a gateway starts meanwhile, on a busy machine.
const LASTS: i64 = 40;

/// A key of the sample organisation's for so many seconds, in the gateway's folder.
fn certify(gateway: &Gateway, seconds: i64) -> i64 {
    let keys = kit::repository().join("samples/keys");
    let authority = Authority::from_pem(&std::fs::read(keys.join("ca-key.pem")).unwrap(), &std::fs::read(keys.join("ca.pem")).unwrap()).unwrap();
    let now = SystemClock.now().seconds();
    let valid = Validity { from: Moment::from_seconds(now - 60), until: Moment::from_seconds(now + seconds) };
    let unit = Oid::parse("1.2.246.10.99999992.10.0").unwrap();
    let issued = authority.system("Testilan hyvinvointialue TESTI", &unit, "ARKKI TEST gateway", valid).unwrap();
    let key = gateway.folder.path().join("system.key");
    std::fs::write(&key, &issued.key_pem).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(gateway.folder.path().join("system.pem"), &issued.certificate_pem).unwrap();
    now + seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_with_a_certificate_that_has_ended() {
    let gateway = Gateway::new(None, "").await;
    let config = gateway.folder.path().join("arkki.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let theirs = kit::repository().join("samples/keys/system.pem").display().to_string();
    std::fs::write(&config, text.replace(&theirs, &gateway.folder.path().join("system.pem").display().to_string())).unwrap();
    let end = certify(&gateway, LASTS);
    let mut serve = gateway.serve(&[]);
    let accepted = |names: &[&str]| {
        let answers = gateway.send(&samples(names));
        assert!(answers.iter().all(|(_, answer, _)| answer == "AA"), "{answers:?}\n{}", gateway.log_text());
    };
    accepted(&["01", "02"]);
    assert!(kit::wait_until_blocking(LONG, || SystemClock.now().seconds() > end), "it ends");
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| accepted(&["03", "05"]));
        assert!(kit::wait_until_blocking(LONG, || gateway.log_text().contains("the signing certificate ended on")), "{}", gateway.log_text());
        assert_eq!(json(&gateway.arkki(&["audit", "--json"]))["documents"], 2, "nothing is archived meanwhile");
        let doctor = gateway.arkki(&["doctor"]);
        exits(&doctor, 1);
        assert!(doctor.text().contains("signing certificate: it ended on"), "{}", doctor.text());
        certify(&gateway, 90 * 86_400);
        serve.signal(Signal::Hangup);
        sender.join().unwrap();
    });
    let audit = json(&gateway.arkki(&["audit", "--json"]));
    assert_eq!((audit["faults"].as_u64(), audit["documents"].as_u64()), (Some(0), Some(4)), "{audit}");
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()), "{}", gateway.log_text());
}
