//! Asks an instance for its `/metrics`, as Prometheus does: one plain GET, bounded in octets and time.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long one answer may take.
const WITHIN: Duration = Duration::from_secs(2);
/// The largest page taken: Arkki's own is some tens of kilobytes.
const PAGE_OCTETS: u64 = 4 * 1024 * 1024;

/// The page of the instance at `host:port`; `None` when it does not answer as one.
pub async fn metrics(address: &str) -> Option<String> {
    tokio::time::timeout(WITHIN, page(address)).await.ok().flatten()
}

async fn page(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    // HTTP/1.0: the answer ends where the connection does, and comes in one piece.
    let asked = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.take(PAGE_OCTETS).read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    (head.split(' ').nth(1) == Some("200")).then(|| body.to_owned())
}
