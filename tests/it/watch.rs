//! Whoever watches: metrics and their page, alarms rung by their real causes, the live view on a real terminal, traces at a real collector.

mod alerts;
mod causes;
mod pages;
mod prometheus;
mod rings;
mod top;
mod traces;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::kit::rabbit::Vhost;
use crate::road::Gateway;

/// Publishes a file to the inbound queue as user guest, with these properties and headers, and waits for nothing.
fn publish(vhost: &Vhost, file: &std::path::Path, reply_to: Option<&str>, headers: &Value) {
    let mut properties = json!({ "user_id": "guest", "delivery_mode": 2, "headers": headers });
    if let Some(queue) = reply_to {
        properties["reply_to"] = queue.into();
    }
    let payload = base64::engine::general_purpose::STANDARD.encode(std::fs::read(file).unwrap());
    let body = json!({ "properties": properties, "routing_key": "arkki.inbound", "payload": payload, "payload_encoding": "base64" });
    let (status, said) = vhost.api("POST", &format!("/api/exchanges/{}/amq.default/publish", vhost.name), Some(&body.to_string()));
    assert!(status == 200 && said.contains("true"), "{status} {said}");
}

/// `/metrics` of a gateway.
fn metrics(gateway: &Gateway) -> String {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    agent
        .get(format!("http://127.0.0.1:{}/metrics", gateway.port))
        .call()
        .map_or_else(|_| String::new(), |mut r| r.body_mut().read_to_string().unwrap_or_default())
}

/// Changes the gateway's configuration.
fn reconfigure(gateway: &Gateway, from: &str, to: &str) {
    let path = gateway.folder.path().join("arkki.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

/// Samples by the beginning of their names.
fn samples(folder: &str, names: &[&str]) -> Vec<std::path::PathBuf> {
    let all = crate::road::files(&crate::kit::repository().join("samples").join(folder));
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    names.iter().map(|n| all.iter().find(|f| name(f).starts_with(n)).unwrap_or_else(|| panic!("no sample {n}")).clone()).collect()
}
