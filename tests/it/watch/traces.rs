//! Traces: the context of a message's headers goes through the gateway into its answer's headers, and the spans come to a collector over HTTP, as
//! OpenTelemetry's own types read them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{metrics, publish, reconfigure, samples};
use crate::kit::{self, process::Signal, wait_until_blocking};
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(60);
const PINS: &str = "tests/it/watch/requirements.txt";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that takes what is posted to `/v1/traces`.
struct Collector {
    address: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut octets = Vec::new();
                let mut piece = [0; 65_536];
                let end = loop {
                    let Ok(count @ 1..) = stream.read(&mut piece) else { break None };
                    octets.extend_from_slice(&piece[..count]);
                    let text = String::from_utf8_lossy(&octets).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length: usize = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
                    if body.len() >= length {
                        assert!(head.starts_with("POST /v1/traces HTTP/1."), "{head}");
                        assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
                        break Some(body.to_owned());
                    }
                };
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
                kept.lock().unwrap().extend(end);
            }
        });
        Self { address, bodies }
    }

    /// The spans so far, as OpenTelemetry's own types read them.
    fn spans(&self) -> Vec<Value> {
        let bodies: String = self.bodies.lock().unwrap().iter().map(|body| format!("{body}\n")).collect();
        let said = kit::run_with_input(python(), [kit::repository().join("tests/it/watch/judge.py")], bodies.as_bytes()).must();
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn holds(&self, part: &str) -> bool {
        self.bodies.lock().unwrap().iter().any(|body| body.contains(part))
    }
}

/// The judge's Python, as `scripts/setup test` leaves it.
fn python() -> PathBuf {
    let sum = kit::run_with_input("cksum", [] as [&str; 0], &std::fs::read(kit::repository().join(PINS)).unwrap()).must();
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache"))).expect("a home");
    let folder = variable("ARKKI_JUDGES").unwrap_or_else(|| cache().join("arkki")).join(format!("otlp-{}", sum.split(' ').next().unwrap()));
    let python = folder.join("bin/python");
    assert!(folder.join("complete").is_file() && python.is_file(), "{} is missing: scripts/setup test makes it", python.display());
    python
}

/// The headers of the answer in a queue; the queue is declared before.
fn answer(gateway: &Gateway, queue: &str) -> Value {
    let path = format!("/api/queues/{}/{queue}/get", gateway.vhost.name);
    let ask = r#"{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}"#;
    let mut found = Value::Null;
    let came = wait_until_blocking(SOON, || {
        let (_, said) = gateway.vhost.api("POST", &path, Some(ask));
        found = serde_json::from_str::<Value>(&said).unwrap_or_default()[0].clone();
        found.is_object()
    });
    assert!(came, "no answer: {}", gateway.log_text());
    found["properties"]["headers"].clone()
}

fn declare(gateway: &Gateway, queue: &str) {
    assert_eq!(gateway.vhost.api("PUT", &format!("/api/queues/{}/{queue}", gateway.vhost.name), Some(r#"{"durable":true}"#)).0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_goes_in_and_out_and_the_spans_arrive() {
    let collector = Collector::start();
    let gateway = Gateway::new(Some(kit::postgres::database().await.url), "").await;
    reconfigure(&gateway, "log = \"json\"", &format!("log = \"json\"\notlp = {:?}", collector.address));
    let mut serve = gateway.serve(&[]);
    for queue in ["arkki.reply.guest.t1", "arkki.reply.guest.t2", "arkki.reply.guest.t3"] {
        declare(&gateway, queue);
    }
    let files = samples("accepted", &["01", "13", "17"]);
    let with = |flags: &str| json!({ "traceparent": format!("00-{TRACE}-{PARENT}-{flags}"), "x-other": "secret-header", "n": 7 });
    publish(&gateway.vhost, &files[0], Some("arkki.reply.guest.t1"), &with("01"));
    let out = answer(&gateway, "arkki.reply.guest.t1");
    let header = out["traceparent"].as_str().unwrap_or_default().to_owned();
    assert!(header.starts_with(&format!("00-{TRACE}-")) && header.ends_with("-01") && !header.contains(PARENT), "{out}");
    // What its sender does not want recorded is passed on as it came, and not recorded.
    publish(&gateway.vhost, &files[1], Some("arkki.reply.guest.t2"), &with("00"));
    assert_eq!(answer(&gateway, "arkki.reply.guest.t2"), json!({ "traceparent": format!("00-{TRACE}-{PARENT}-00") }));
    // A context that is none begins a trace of its own.
    publish(&gateway.vhost, &files[2], Some("arkki.reply.guest.t3"), &json!({ "traceparent": "00-nonsense" }));
    let own = answer(&gateway, "arkki.reply.guest.t3")["traceparent"].as_str().unwrap_or_default().to_owned();
    assert!(own.len() == 55 && !own.contains(TRACE), "{own}");
    let both = || [&header, &own].into_iter().all(|header| collector.holds(&header[36..52]));
    assert!(wait_until_blocking(SOON, both), "{}", gateway.log_text());
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());

    let spans = collector.spans();
    let of =
        |trace: &str, name: &str| spans.iter().find(|s| s["trace"] == trace && s["name"] == name).cloned().unwrap_or_else(|| panic!("no {name}: {spans:#?}"));
    for (trace, parent) in [(TRACE, PARENT), (&own[3..35], "")] {
        let process = of(trace, "arkki process");
        assert_eq!((process["kind"].as_str(), process["parent"].as_str()), (Some("SPAN_KIND_CONSUMER"), Some(parent)), "{process}");
        assert_eq!((process["attributes"]["arkki.ending"].as_str(), process["service"].as_str()), (Some("accepted"), Some("arkki")), "{process}");
        for step in ["examine", "decide", "seal", "commit", "arkki send"] {
            assert_eq!(of(trace, step)["parent"], process["span"], "{step}");
        }
    }
    assert_eq!(of(TRACE, "arkki send")["span"].as_str(), Some(&header[36..52]), "the receiver's parent is the span of the sending");
    assert_eq!(spans.iter().filter(|s| s["name"] == "arkki process").count(), 2, "the unsampled one is not recorded");
    assert!(!collector.holds("secret-header") && !collector.holds("guest"));
    // No identity code, no document: only what a span may name.
    let keys = spans.iter().flat_map(|s| s["attributes"].as_object().unwrap().keys()).collect::<std::collections::BTreeSet<_>>();
    assert!(keys.iter().all(|k| k.starts_with("arkki.") || k.starts_with("messaging.")), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_context_passes_and_a_dead_collector_keeps_nothing_up() {
    let gateway = Gateway::new(None, "").await;
    declare(&gateway, "arkki.reply.guest.t1");
    declare(&gateway, "arkki.reply.guest.t2");
    let files = samples("accepted", &["01", "13"]);
    let headers = json!({ "traceparent": format!("00-{TRACE}-{PARENT}-01") });
    let mut serve = gateway.serve(&[]);
    publish(&gateway.vhost, &files[0], Some("arkki.reply.guest.t1"), &headers);
    assert_eq!(answer(&gateway, "arkki.reply.guest.t1"), headers);
    assert!(metrics(&gateway).contains("arkki_spans_sent_total 0") && metrics(&gateway).contains("arkki_spans_dropped_total 0"));
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
    reconfigure(&gateway, "log = \"json\"", "log = \"json\"\notlp = \"http://127.0.0.1:1\"");
    let mut serve = gateway.serve(&[]);
    publish(&gateway.vhost, &files[1], Some("arkki.reply.guest.t2"), &headers);
    assert!(answer(&gateway, "arkki.reply.guest.t2")["traceparent"].is_string());
    let dropped =
        || metrics(&gateway).lines().any(|l| l.strip_prefix("arkki_spans_dropped_total ").and_then(|n| n.parse::<f64>().ok()).is_some_and(|n| n >= 6.0));
    assert!(wait_until_blocking(SOON, dropped), "{}", metrics(&gateway));
    assert_eq!(gateway.log_text().matches("takes no traces").count(), 1, "{}", gateway.log_text());
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}
