//! `/metrics`, `/healthz` and `/readyz` on a local port, for the machines that watch the gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::domain::outage::{Outage, Part};

/// Whether the gateway can take messages now: empty when it can, else what is out of reach.
pub type Readiness = dyn Fn() -> Vec<&'static str> + Send + Sync;

struct Probe {
    metrics: PrometheusHandle,
    readiness: Box<Readiness>,
}

/// Opens the port.
///
/// # Errors
/// An outage when the address is taken or not ours.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Outage> {
    TcpListener::bind(address).await.map_err(|e| Outage::new(Part::Machine, format!("[telemetry] listen = {address}: {e}")))
}

/// Answers until `stop`.
pub async fn serve(listener: TcpListener, metrics: PrometheusHandle, readiness: Box<Readiness>, mut stop: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(Arc::new(Probe { metrics, readiness }));
    let until = async move {
        let _sender_gone = stop.wait_for(|s| *s).await;
    };
    // The listener's own end is the end of this task; the gateway lives on without its probe only while it stops.
    let _ended = axum::serve(listener, router).with_graceful_shutdown(until).await;
}

async fn metrics_page(State(probe): State<Arc<Probe>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], probe.metrics.render()).into_response()
}

async fn ready(State(probe): State<Arc<Probe>>) -> Response {
    let missing = (probe.readiness)();
    if missing.is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join(", "))).into_response()
    }
}
