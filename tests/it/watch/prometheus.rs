//! A real Prometheus with the rules of `deploy/alerts.yml`, quick: it looks every second, and the times in the rules are seconds.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::kit::process::Process;
use crate::kit::{self, wait_until_blocking};

/// How long an alert may take to fire or to close: the gateway looks every 5 s, Prometheus every second, and other builds share the machine.
const SOON: Duration = Duration::from_secs(90);

/// A running Prometheus.
pub struct Prometheus {
    port: u16,
    _folder: kit::TempDir,
    _process: Process,
}

impl Prometheus {
    /// Watches the instances on these ports.
    pub fn start(ports: &[u16]) -> Self {
        let folder = kit::temp_dir();
        let targets: Vec<String> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
        let config = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [rules.yml]\nscrape_configs:\n  - job_name: arkki\n    static_configs:\n      - targets: [{}]\n",
            targets.join(", ")
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        std::fs::write(folder.path().join("rules.yml"), quick()).unwrap();
        let port = kit::ports::free();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new(kit::tool("prometheus"));
        command.arg(format!("--config.file={}", at("prometheus.yml"))).arg(format!("--storage.tsdb.path={}", at("data")));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--log.level=warn");
        let log = folder.path().join("log");
        let process = Process::start(&mut command, &log);
        let prometheus = Self { port, _folder: folder, _process: process };
        let ready = wait_until_blocking(SOON, || prometheus.get("/api/v1/rules").is_some());
        assert!(ready, "Prometheus did not start: {}", std::fs::read_to_string(log).unwrap_or_default());
        // A counter's growth is seen by who has seen it before it grew.
        let scraped =
            || prometheus.get("/api/v1/query?query=count_over_time(up%5B1m%5D)%20%3E%3D%203").is_some_and(|said| said["data"]["result"][0].is_object());
        assert!(wait_until_blocking(SOON, scraped), "Prometheus does not scrape");
        prometheus
    }

    fn get(&self, path: &str) -> Option<Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(5))).build().into();
        let text = agent.get(format!("http://127.0.0.1:{}{path}", self.port)).call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Alerts that fire now.
    pub fn firing(&self) -> Vec<String> {
        let said = self.get("/api/v1/alerts").unwrap_or_default();
        let alerts = said["data"]["alerts"].as_array().cloned().unwrap_or_default();
        alerts.iter().filter(|a| a["state"] == "firing").filter_map(|a| a["labels"]["alertname"].as_str().map(str::to_owned)).collect()
    }

    /// Alerts that fire now or did in the last minutes: what rings for a counter's growth falls silent by itself.
    fn fired(&self) -> Vec<String> {
        let said = self.get("/api/v1/query?query=max_over_time(ALERTS%7Balertstate=%22firing%22%7D%5B4m%5D)").unwrap_or_default();
        let series = said["data"]["result"].as_array().cloned().unwrap_or_default();
        series.iter().filter_map(|s| s["metric"]["alertname"].as_str().map(str::to_owned)).collect()
    }

    /// Waits until all of these have fired.
    pub fn rings(&self, names: &[&str]) {
        let all = || {
            let fired = self.fired();
            names.iter().all(|name| fired.contains(&format!("Arkki{name}")))
        };
        assert!(wait_until_blocking(SOON, all), "{names:?} did not all fire: {:?}", self.fired());
    }

    /// Waits until none of these fires.
    pub fn is_silent(&self, names: &[&str]) {
        let none = || {
            let firing = self.firing();
            !names.iter().any(|name| firing.contains(&format!("Arkki{name}")))
        };
        assert!(wait_until_blocking(SOON, none), "{names:?} did not all close: {:?}", self.firing());
    }
}

/// The rules that are shipped, with seconds for minutes: the conditions stay, but a test must not wait three minutes for an age of three minutes.
fn quick() -> String {
    let shipped = std::fs::read_to_string(kit::repository().join("deploy/alerts.yml")).unwrap();
    let quick = |line: &str| match line.trim_start() {
        start if start.starts_with("for: ") => "        for: 1s".to_owned(),
        start if start.starts_with("keep_firing_for: ") => "        keep_firing_for: 1s".to_owned(),
        start if start.starts_with("expr: ") => {
            let mut line = line.replace("> 180\"", "> 4\"").replace("> 120\"", "> 4\"");
            for window in ["[5m]", "[15m]", "[60m]"] {
                line = line.replace(window, "[15s]");
            }
            line
        }
        _ => line.to_owned(),
    };
    shipped.lines().map(|line| quick(line) + "\n").collect()
}

/// `promtool` takes a file of rules.
pub fn takes(rules: &Path) -> String {
    kit::run("promtool", ["check", "rules", rules.to_str().unwrap()]).must()
}
