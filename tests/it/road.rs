//! The whole road: `arkki serve` on a real RabbitMQ and each of the two databases, `arkki send` as the sender.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::kit::process::{Process, Signal};
use crate::kit::rabbit::Vhost;
use crate::kit::{self, Output};

/// A gateway with its own folder, queues and database.
pub struct Gateway {
    pub folder: kit::TempDir,
    pub vhost: Vhost,
    pub archive_url: String,
    #[allow(dead_code, reason = "the fault runs read its metrics")]
    pub port: u16,
    /// What its commands have in their environment beside the addresses.
    pub environment: Vec<(String, String)>,
}

impl Gateway {
    /// Keys of `samples/keys`, the given archive, a fresh virtual host with its topology applied.
    pub async fn new(archive_url: Option<String>, more: &str) -> Self {
        Self::on(kit::rabbit::vhost().await, archive_url, more)
    }

    pub fn on(vhost: Vhost, archive_url: Option<String>, more: &str) -> Self {
        let folder = kit::temp_dir();
        let archive_url = archive_url.unwrap_or_else(|| format!("sqlite://{}/archive.sqlite", folder.path().display()));
        let port = kit::ports::free();
        std::fs::write(folder.path().join("site.key"), [7; 32]).unwrap();
        let key = folder.path().join("system.key");
        std::fs::copy(kit::repository().join("samples/keys/system-key.pem"), &key).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let keys = kit::repository().join("samples/keys");
        let mut trust = vec![keys.join("ca.pem")];
        trust.extend(kit::shared().map(|s| s.join("examples/ca.pem")));
        let trust: Vec<String> = trust.iter().map(|t| format!("{:?}", t.display().to_string())).collect();
        let config = format!(
            "[archive]\nsite_key_file = {:?}\n[sign]\nkey_file = {:?}\ncertificate_file = {:?}\ntrust = [{}]\n[telemetry]\nlisten = \"127.0.0.1:{port}\"\nlog = \"json\"\n{more}",
            folder.path().join("site.key"),
            key,
            keys.join("system.pem"),
            trust.join(", "),
        );
        std::fs::write(folder.path().join("arkki.toml"), config).unwrap();
        let gateway = Self { folder, vhost, archive_url, port, environment: Vec::new() };
        gateway.arkki(&["topology", "apply"]).must();
        gateway
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(kit::arkki());
        command
            .arg("--config")
            .arg(self.folder.path().join("arkki.toml"))
            .args(args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("ARKKI_BROKER_URL", &self.vhost.amqp_url)
            .env("ARKKI_ARCHIVE_URL", &self.archive_url)
            .env("ARKKI_MANAGEMENT_URL", self.vhost.management_url.replacen("http://", "http://guest:guest@", 1));
        command
    }

    pub fn arkki(&self, args: &[&str]) -> Output {
        kit::run_command(&mut self.command(args), b"")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("serve.log")
    }

    /// Starts `arkki serve` and waits until it is ready.
    pub fn serve(&self, args: &[&str]) -> Process {
        let mut all = vec!["serve"];
        all.extend(args);
        let before = self.ready_lines();
        let process = Process::start(&mut self.command(&all), &self.log());
        assert!(kit::wait_until_blocking(Duration::from_secs(60), || self.ready_lines() > before), "not ready: {}", self.log_text());
        process
    }

    fn ready_lines(&self) -> usize {
        self.log_text().matches("\"message\":\"ready\"").count()
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The answers of `arkki send --json`, in order: file, answer, code.
    pub fn send(&self, files: &[PathBuf]) -> Vec<(String, String, String)> {
        let files: Vec<&str> = files.iter().map(|f| f.to_str().unwrap()).collect();
        let mut args = vec!["send", "--json", "--timeout", "30"];
        args.extend(files);
        let output = self.arkki(&args);
        let report: serde_json::Value = serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()));
        let word = |v: &serde_json::Value, key: &str| v[key].as_str().unwrap_or("").to_owned();
        report["messages"].as_array().unwrap().iter().map(|m| (word(m, "file"), word(m, "answer"), format!("{} {}", word(m, "code"), m["details"]))).collect()
    }
}

/// The files of a folder in name order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "xml")).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seven_examples_are_accepted_in_order_and_with_the_fourth_first() {
    let Some(shared) = kit::shared() else {
        println!("left out: no reference folder");
        return;
    };
    let named = |numbers: &[&str]| -> Vec<PathBuf> {
        let all = files(&shared.join("examples"));
        numbers.iter().map(|n| all.iter().find(|f| f.file_name().unwrap().to_str().unwrap().starts_with(n)).unwrap().clone()).collect()
    };
    for order in [["01", "02", "03", "07", "05", "06", "04"], ["04", "01", "02", "03", "07", "05", "06"]] {
        for archive in [Some(kit::postgres::database().await.url), None] {
            let gateway = Gateway::new(archive, "").await;
            let mut serve = gateway.serve(&[]);
            for (file, answer, details) in gateway.send(&named(&order)) {
                assert_eq!(answer, "AA", "{file}: {details}\n{}", gateway.log_text());
            }
            serve.signal(Signal::Term);
            assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
            println!("{}", gateway.arkki(&["audit"]).must());
        }
    }
}
