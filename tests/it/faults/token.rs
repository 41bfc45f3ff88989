//! Keys in a token (SoftHSM2 behind its PKCS#11 module): the main job with it, the token away for half a minute under load, and a change of keys without a stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemClock;
use arkki::crypto::authority::{Authority, Validity};
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;
use arkki::ports::clock::Clock as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::place::{REST, Run, page};
use super::verdict::Thoroughness;
use crate::kit::process::Signal;
use crate::kit::{self, wait_until};
use crate::road::Gateway;

/// Where Debian and Ubuntu keep the module.
const MODULES: [&str; 3] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"];
const PIN: &str = "1234";
/// How long the token is away.
const AWAY: Duration = Duration::from_secs(30);

/// A token of our own, in a folder.
struct Token {
    folder: PathBuf,
}

impl Token {
    fn make(folder: &Path) -> Self {
        let folder = folder.join("softhsm");
        std::fs::create_dir_all(folder.join("tokens")).unwrap();
        std::fs::write(
            folder.join("softhsm2.conf"),
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", folder.join("tokens").display()),
        )
        .unwrap();
        let pin = folder.join("pin");
        std::fs::write(&pin, format!("{PIN}\n")).unwrap();
        std::fs::set_permissions(&pin, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let token = Self { folder };
        token.tool(&["--init-token", "--free", "--label", "arkki", "--pin", PIN, "--so-pin", "4321"]);
        token
    }

    fn import(&self, key: &Path, label: &str, id: &str) {
        self.tool(&["--import", key.to_str().unwrap(), "--token", "arkki", "--label", label, "--id", id, "--pin", PIN]);
    }

    fn tool(&self, args: &[&str]) {
        let mut command = std::process::Command::new("softhsm2-util");
        kit::run_command(command.args(args).env("SOFTHSM2_CONF", self.conf()), b"").must();
    }

    fn conf(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }

    /// The lines of `[sign]` that name a key in it.
    fn options(&self, key: &str, pin_file: &Path) -> String {
        let module = MODULES.into_iter().find(|m| Path::new(m).exists()).expect("libsofthsm2.so: install softhsm2");
        format!("pkcs11_module = {module:?}\npkcs11_token = \"arkki\"\npkcs11_key = {key:?}\npin_file = {:?}\n", pin_file.display().to_string())
    }

    fn pin_file(&self) -> PathBuf {
        self.folder.join("pin")
    }
}

/// Puts lines under `[sign]` of the gateway's configuration.
fn sign_with(gateway: &Gateway, lines: &str) {
    let path = gateway.folder.path().join("arkki.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    assert!(config.contains("[sign]\n"));
    std::fs::write(&path, config.replacen("[sign]\n", &format!("[sign]\n{lines}"), 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn h_the_token_is_lost_for_half_a_minute() {
    let mut run = Run::prepare("(h) keys in a token that is lost for 30 s", 108).await;
    let token = Token::make(run.gateway.folder.path());
    token.import(&kit::repository().join("samples/keys/system-key.pem"), "system", "01");
    let gateway = Arc::get_mut(&mut run.gateway).expect("nobody else has it yet");
    gateway.environment.push(("SOFTHSM2_CONF".to_owned(), token.conf().display().to_string()));
    sign_with(gateway, &token.options("system", &token.pin_file()));
    // The PEM key is gone: only the token can have signed.
    std::fs::remove_file(run.gateway.folder.path().join("system.key")).unwrap();
    assert!(run.gateway.arkki(&["keys", "rehearse"]).must().contains("verified it as of"));
    run.fill().await;
    let serve = run.gateway.serve(&[]);
    run.until_decided(200).await;
    let (here, away) = (token.folder.join("tokens"), token.folder.join("away"));
    std::fs::rename(&here, &away).unwrap();
    let lost = Instant::now();
    let paused = wait_until(AWAY, || async { run.gateway.log_text().contains("outage: consumer paused") }).await;
    assert!(paused && page(run.gateway.port, "/readyz").contains(" 503 "), "the gateway noticed:\n{}", run.tail());
    let decided = run.decided();
    let _ = wait_until(AWAY.saturating_sub(lost.elapsed()), || async { false }).await;
    std::fs::rename(&away, &here).unwrap();
    let resumed = wait_until(REST, || async { run.gateway.log_text().contains("outage over") }).await;
    assert!(resumed, "the gateway came back by itself:\n{}", run.tail());
    run.tell(format!("lost at {decided} decided, away {:.1} s", lost.elapsed().as_secs_f32()));
    run.finish(vec![serve], Thoroughness::Sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_tried_once_and_said() {
    let gateway = Gateway::new(None, "").await;
    let mut gateway = gateway;
    let token = Token::make(gateway.folder.path());
    token.import(&kit::repository().join("samples/keys/system-key.pem"), "system", "01");
    token.import(&kit::repository().join("samples/keys/stranger-key.pem"), "stranger", "02");
    gateway.environment.push(("SOFTHSM2_CONF".to_owned(), token.conf().display().to_string()));
    let path = gateway.folder.path().join("arkki.toml");
    let plain = std::fs::read_to_string(&path).unwrap();
    let wrong = token.folder.join("wrong");
    std::fs::write(&wrong, "9999").unwrap();
    std::fs::set_permissions(&wrong, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for (key, pin, said) in [
        ("system", &wrong, "refuses the PIN"),
        ("stranger", &token.pin_file(), "is not the key of the certificate"),
        ("nobody", &token.pin_file(), "no private key called"),
    ] {
        std::fs::write(&path, &plain).unwrap();
        sign_with(&gateway, &token.options(key, pin));
        let output = gateway.arkki(&["keys", "list"]);
        let words = format!("{}{}", output.text(), output.errors());
        assert!(output.code == Some(2) && words.contains(said) && !words.contains("9999") && !words.contains(PIN), "{words}");
    }
    std::fs::set_permissions(&wrong, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(&path, &plain).unwrap();
    sign_with(&gateway, &token.options("system", &wrong));
    assert!(gateway.arkki(&["keys", "list"]).errors().contains("chmod 600"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_at_their_time_without_a_stop() {
    let database = kit::postgres::database().await;
    let gateway = Gateway::new(Some(database.url.clone()), "").await;
    let keys = kit::repository().join("samples/keys");
    let read = |name: &str| std::fs::read(keys.join(name)).unwrap();
    let authority = Authority::from_pem(&read("ca-key.pem"), &read("ca.pem")).unwrap();
    let now = SystemClock.now();
    let valid = Validity { from: Moment::from_seconds(now.seconds() - 86_400), until: Moment::from_seconds(now.seconds() + 20 * 86_400) };
    let next = authority.system("Testilan hyvinvointialue", &Oid::parse("1.2.246.10.99999992.10.0").unwrap(), "Seuraava", valid).unwrap();
    let (key, certificate) = (gateway.folder.path().join("next.key"), gateway.folder.path().join("next.pem"));
    std::fs::write(&key, &next.key_pem).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&certificate, &next.certificate_pem).unwrap();
    let mut serve = gateway.serve(&[]);
    let samples = crate::road::files(&kit::repository().join("samples/accepted"));
    let send = |at: usize| assert_eq!(gateway.send(&samples[at..=at])[0].1, "AA", "{}", gateway.log_text());
    send(0);
    let path = gateway.folder.path().join("arkki.toml");
    let plain = std::fs::read_to_string(&path).unwrap();
    let next_key = |key: &Path, from: Moment| {
        format!(
            "{plain}[next_key]\nfrom = \"{}\"\nkey_file = {:?}\ncertificate_file = {:?}\n",
            from.to_iso(),
            key.display().to_string(),
            certificate.display().to_string()
        )
    };
    // What cannot be opened changes nothing.
    std::fs::write(&path, next_key(&gateway.folder.path().join("absent"), now)).unwrap();
    serve.signal(Signal::Hangup);
    assert!(wait_until(REST, || async { gateway.log_text().contains("the keys were not changed") }).await, "{}", gateway.log_text());
    let from = Moment::from_seconds(SystemClock.now().seconds() + 4);
    std::fs::write(&path, next_key(&key, from)).unwrap();
    assert!(gateway.arkki(&["keys", "rehearse"]).must().matches("verified it as of").count() == 2);
    serve.signal(Signal::Hangup);
    assert!(wait_until(REST, || async { gateway.log_text().contains("\"role\":\"next\"") }).await, "{}", gateway.log_text());
    send(1);
    assert!(wait_until(REST, || async { SystemClock.now() > from }).await);
    send(2);
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    let der = |pem: &[u8]| STANDARD.encode(arkki::crypto::certificate::Certificate::from_pem(pem).unwrap().der());
    let carrying = |certificate: String| {
        let count = format!("SELECT count(*) FROM document_octets WHERE position(convert_to('{certificate}', 'UTF8') in octets) > 0");
        kit::postgres::server().sql(&database.name, &count).trim().parse::<u32>().unwrap()
    };
    let (old, new) = (carrying(der(&read("system.pem"))), carrying(der(&next.certificate_pem)));
    assert_eq!(old + new, 3);
    assert!(new >= 1 && old >= 1, "{old} with the key before, {new} with the next one");
    println!("{}", gateway.arkki(&["audit"]).must());
    assert!(gateway.arkki(&["doctor"]).text().contains("ends in"), "twenty days are spoken of");
}
