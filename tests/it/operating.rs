//! Operating: the HTTP API, a gateway that refuses a broker which could lose messages, backup and restore, the upgrade from the release before.

mod api;
mod broker;
mod copies;
mod scenario;
mod upgrade;

use std::time::Duration;

use serde_json::Value;

use crate::kit::{self, Output};

/// How long anything may take on a machine that builds beside the test.
const LONG: Duration = Duration::from_secs(60);

/// An answer over HTTP.
struct Said {
    status: u16,
    exit: Option<String>,
    body: String,
}

impl Said {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// Asks a port of this machine.
fn ask(port: u16, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Said {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(LONG)).build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(format!("http://127.0.0.1:{port}{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let mut answer = agent.run(request.body(body.unwrap_or_default().to_owned()).unwrap()).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
    let exit = answer.headers().get("arkki-exit").and_then(|v| v.to_str().ok()).map(str::to_owned);
    Said { status: answer.status().as_u16(), exit, body: answer.body_mut().read_to_string().unwrap() }
}

/// A series of `/metrics`.
fn gauge(port: u16, name: &str) -> Option<f64> {
    ask(port, "GET", "/metrics", None, None).body.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// The one JSON value on standard output.
#[track_caller]
fn json(output: &Output) -> Value {
    serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()))
}

#[track_caller]
fn exits(output: &Output, code: i32) {
    assert_eq!(output.code, Some(code), "{}\n{}", output.text(), output.errors());
}

/// Accepted samples by the beginning of their names, in that order.
fn samples(names: &[&str]) -> Vec<std::path::PathBuf> {
    let all = crate::road::files(&kit::repository().join("samples/accepted"));
    names
        .iter()
        .map(|n| all.iter().find(|f| f.file_name().unwrap().to_str().unwrap().starts_with(n)).unwrap_or_else(|| panic!("no sample {n}")).clone())
        .collect()
}
