//! How a server outside is asked over HTTP: by its own name, with no proxy, no redirect and no connection kept.

use std::time::Duration;

use ureq::tls::TlsConfig;

/// An agent that asks with these keys and anchors; one exchange takes at most `timeout`, connecting included.
///
/// The environment's proxy is not used: what is sent is for the named server alone. A redirect is an answer like any other, for the address is the
/// configuration's. No connection is used twice: what a server says too much on one is never taken for the answer to the next.
pub(super) fn agent(tls: TlsConfig, timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(timeout))
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .user_agent("arkki")
        .build()
        .into()
}
