//! What `serve` refuses to start with, and how it says so: at once, with exit code 2, naming what is wrong and never a secret.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{command, exits};
use crate::kit::{self, Output};

/// A folder with keys and a configuration that lacks only its broker.
struct Setup {
    folder: kit::TempDir,
}

impl Setup {
    fn new() -> Self {
        let folder = kit::temp_dir();
        let keys = kit::repository().join("samples/keys");
        std::fs::write(folder.path().join("site.key"), [7; 32]).unwrap();
        for name in ["system-key.pem", "system.pem", "ca.pem", "stranger.pem"] {
            std::fs::copy(keys.join(name), folder.path().join(name)).unwrap();
        }
        mode(&folder.path().join("system-key.pem"), 0o600);
        Self { folder }
    }

    fn config(&self, top: &str, more: &str) -> String {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        format!(
            "{top}\n[archive]\nurl = \"sqlite://{}\"\nsite_key_file = {:?}\n[sign]\nkey_file = {:?}\ncertificate_file = {:?}\ntrust = [{:?}]\n[telemetry]\nlisten = \"\"\n{more}\n",
            path("archive.sqlite"),
            path("site.key"),
            path("system-key.pem"),
            path("system.pem"),
            path("ca.pem"),
        )
    }

    /// What `serve` says; with a broker that is not there, so that nothing is refused for want of one.
    fn serve(&self, config: &str) -> Output {
        std::fs::write(self.folder.path().join("arkki.toml"), config).unwrap();
        kit::run_command(
            command(&["--config", self.folder.path().join("arkki.toml").to_str().unwrap(), "serve"]).env("ARKKI_BROKER_URL", "amqp://u:s3cret@127.0.0.1:1/v"),
            b"",
        )
    }

    /// Refused at once, with these words and without the password.
    #[track_caller]
    fn refuses(&self, config: &str, words: &[&str]) {
        let began = std::time::Instant::now();
        let output = self.serve(config);
        exits(&output, 2);
        assert!(began.elapsed().as_secs() < 20, "not at once: {:?}", began.elapsed());
        let said = output.errors();
        assert!(words.iter().all(|w| said.contains(w)), "{words:?}: {said}");
        assert!(!said.contains("s3cret") && !output.text().contains("s3cret"), "{said}");
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_configuration_that_is_wrong() {
    let setup = Setup::new();
    let plain = |more: &str| setup.config("", more);
    setup.refuses(&plain("[broker]\nurll = \"amqp://h/\""), &["urll", "line"]);
    setup.refuses(&plain("colour = 1"), &["colour"]);
    setup.refuses(&plain("[broker]\nconfirm_timeout_seconds = \"soon\""), &["confirm_timeout_seconds"]);
    setup.refuses(&setup.config("environment = \"staging\"", ""), &["staging", "production"]);
    setup.refuses(&plain("[inbound.main]\nprefetch = 0"), &["prefetch"]);
    setup.refuses(&plain("[inbound.main]\nprofile = \"kanta-health\""), &["kanta-health", "kanta-social"]);
    setup.refuses(&plain("[senders.x]\nreplies = [\"\"]"), &["[senders.x] replies"]);
    setup.refuses(&plain("").replace("sqlite://", "mysql://"), &["[archive] url", "postgres"]);
    setup.refuses(&plain("").replace("listen = \"\"", "listen = \"nowhere\""), &["[telemetry] listen"]);
    setup.refuses(&plain("").replace("sqlite://", "postgres://u:s3cret@h"), &["[archive] url", "password_file"]);
    // The broker's own address comes from the environment above; in the file a password is refused all the same.
    std::fs::write(setup.folder.path().join("arkki.toml"), plain("[broker]\nurl = \"amqp://u:s3cret@h/\"")).unwrap();
    let output = super::arkki(&["--config", setup.folder.path().join("arkki.toml").to_str().unwrap(), "serve", "--json"]);
    exits(&output, 2);
    assert!(super::json(&output)["error"].as_str().is_some_and(|e| e.contains("ARKKI_BROKER_URL") && !e.contains("s3cret")));
}

#[test]
fn keys_and_anchors_that_may_not_be_used() {
    let setup = Setup::new();
    let at = |name: &str| setup.folder.path().join(name);
    let config = setup.config("", "");
    setup.refuses(&setup.config("environment = \"production\"", ""), &["placeholders", "lilm.toml", "[lilm] enabled = false"]);
    setup.refuses(&setup.config("environment = \"production\"", "[lilm]\nenabled = false"), &["production", "test CA"]);
    for open in [0o640, 0o604, 0o660] {
        mode(&at("system-key.pem"), open);
        setup.refuses(&config, &["system-key.pem", "chmod"]);
    }
    mode(&at("system-key.pem"), 0o600);
    setup.refuses(&config.replace("system.pem", "stranger.pem"), &["stranger.pem"]);
    setup.refuses(&config.replace("system.pem", "none.pem"), &["none.pem"]);
    std::fs::write(at("ca.pem"), "no certificate").unwrap();
    setup.refuses(&config, &["ca.pem", "trust"]);
    std::fs::copy(kit::repository().join("samples/keys/ca.pem"), at("ca.pem")).unwrap();
    setup.refuses(&config.replace(&format!("{:?}", at("ca.pem").display().to_string()), ""), &["[sign] trust"]);
    std::fs::write(at("site.key"), [7; 31]).unwrap();
    setup.refuses(&config, &["site.key", "32 octets"]);
}

#[test]
fn rules_that_are_broken_name_file_and_line() {
    let setup = Setup::new();
    let rules = setup.folder.path().join("rules");
    for part in ["codes", "templates", "xsd"] {
        kit::copy_folder(&kit::repository().join(part), &rules.join(part));
    }
    let config = setup.config("", &format!("[rules]\nfolder = {:?}", rules.display().to_string()));
    let file = rules.join("codes/refusals.toml");
    let whole = std::fs::read_to_string(&file).unwrap();
    let line = whole.lines().position(|l| l.starts_with("severity")).unwrap() + 1;
    let broken: String = whole.lines().enumerate().map(|(i, l)| if i + 1 == line { "severity = \n".to_owned() } else { format!("{l}\n") }).collect();
    std::fs::write(&file, broken).unwrap();
    setup.refuses(&config, &["codes/refusals.toml", &format!("{line}")]);
    std::fs::write(&file, whole).unwrap();
    let schema = rules.join("xsd/kanta-social.xsd");
    std::fs::write(&schema, std::fs::read_to_string(&schema).unwrap().replacen("</", "<", 1)).unwrap();
    setup.refuses(&config, &["xsd/kanta-social.xsd"]);
    std::fs::remove_dir_all(&rules).unwrap();
    setup.refuses(&config, &["rules"]);
}
