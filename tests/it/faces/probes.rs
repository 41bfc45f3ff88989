//! The port that machines watch, and `--until-answered`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use arkki::telemetry::setup::{COUNTERS, GAUGES};

use super::samples;
use crate::kit::{self, process::Signal, wait_until_blocking};
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(30);

/// Status and body of a GET.
fn get(port: u16, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_health_and_readiness_tell_the_truth() {
    let server = tokio::task::spawn_blocking(kit::postgres::own_server).await.unwrap();
    let gateway = Gateway::new(Some(server.database().await.url), "").await;
    let mut serve = gateway.serve(&[]);
    let first = get(gateway.port, "/metrics").1;
    for (name, _) in COUNTERS.iter().chain(GAUGES) {
        assert!(first.lines().any(|l| l.starts_with(name)), "{name} is not there from the start: {first}");
    }
    gateway.send(&samples("accepted", &["01", "02", "03"]));
    gateway.send(&samples("refused", &["E305", "E402"])[..1]);
    let value = |text: &str, series: &str| text.lines().find_map(|l| l.strip_prefix(series)?.trim().parse::<f64>().ok());
    assert!(wait_until_blocking(SOON, || value(&get(gateway.port, "/metrics").1, "arkki_documents") == Some(3.0)), "{}", get(gateway.port, "/metrics").1);
    let (status, metrics) = get(gateway.port, "/metrics");
    assert_eq!(status, 200);
    for (name, _) in COUNTERS.iter().chain(GAUGES).chain(&[("arkki_message_seconds", "")]) {
        assert!(metrics.contains(&format!("# HELP {name} ")) && metrics.contains(&format!("# TYPE {name} ")), "{name}: {metrics}");
    }
    for (series, want) in [
        ("arkki_messages_total{ending=\"accepted\",code=\"\"}", 3.0),
        ("arkki_messages_total{ending=\"refused\",code=\"E305\"}", 1.0),
        ("arkki_answers_total", 4.0),
        ("arkki_message_seconds_count", 4.0),
        ("arkki_ledger_entries", 4.0),
        ("arkki_broker_up", 1.0),
        ("arkki_in_hand", 0.0),
        ("arkki_outage{part=\"archive\"}", 0.0),
        ("arkki_defects_total", 0.0),
    ] {
        assert_eq!(value(&metrics, series), Some(want), "{series}: {metrics}");
    }
    assert!(value(&metrics, "arkki_sweeps_total") >= Some(1.0));
    assert_eq!(get(gateway.port, "/healthz"), (200, "alive\n".to_owned()));
    assert_eq!(get(gateway.port, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(get(gateway.port, "/other").0, 404);
    // The database goes away while nothing is in hand: alive, not ready, and ready again by itself.
    tokio::task::block_in_place(|| server.stop());
    assert!(wait_until_blocking(SOON, || get(gateway.port, "/readyz").0 == 503), "still ready without its archive");
    assert!(get(gateway.port, "/readyz").1.contains("archive"));
    assert_eq!(get(gateway.port, "/healthz").0, 200);
    tokio::task::block_in_place(|| server.start());
    assert!(wait_until_blocking(SOON, || get(gateway.port, "/readyz").0 == 200), "not ready again");
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
    assert!(TcpStream::connect(("127.0.0.1", gateway.port)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_after_so_many_answers_and_a_taken_port_is_named() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&["--until-answered", "3", "--json"]);
    let second = gateway.arkki(&["serve"]);
    super::exits(&second, 2);
    assert!(second.errors().contains("[telemetry] listen"), "{}", second.errors());
    gateway.send(&samples("accepted", &["01", "02"]));
    assert!(serve.exit_status().is_none());
    gateway.send(&samples("refused", &["E305"]));
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
    assert!(gateway.log_text().contains("{\"answered\":3}"), "{}", gateway.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_starts_it_says_what_it_waits_for_and_stops_when_told() {
    let gateway = Gateway::new(Some("postgres://nobody@127.0.0.1:1/none".to_owned()), "").await;
    let mut serve = kit::process::Process::start(&mut gateway.command(&["serve"]), &gateway.log());
    assert!(wait_until_blocking(SOON, || get_quietly(gateway.port)), "it never took its port");
    assert_eq!(get(gateway.port, "/healthz").0, 200);
    let (status, said) = get(gateway.port, "/readyz");
    assert!(status == 503 && said.contains("starting"), "{status} {said}");
    assert!(wait_until_blocking(SOON, || gateway.log_text().contains("waiting for what is out of reach")), "{}", gateway.log_text());
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

/// Whether the port is taken, though nobody answers there yet.
fn get_quietly(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
