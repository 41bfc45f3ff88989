//! One HTTP question, one answer: what OCSP (and other services of certificate authorities) want. Plain HTTP by design (RFC 6960 Appendix A): the answers are signed, so nothing
//! that happens to them on the way is believed. The address comes from the configuration, never from a certificate or a message.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How much of an answer may be head: real ones are some hundreds of octets.
const HEAD_OCTETS: usize = 8 * 1024;

/// An address of the kind `http://host[:port]/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or_else(|| format!("{text:?} does not begin with http://"))?;
        let (authority, path) = rest.split_once('/').map_or((rest, String::from("/")), |(authority, path)| (authority, format!("/{path}")));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("{text:?} has no port after the colon"))?),
            None => (authority, 80),
        };
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if host.is_empty() || host.contains('@') || !plain(host) || !plain(&path) {
            return Err(format!("{text:?} is not http://host[:port]/path"));
        }
        Ok(Self { host: host.to_owned(), port, path })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

/// Posts `body` and gives the answer's body, at most `most` octets, within `within` for all of it.
///
/// # Errors
/// What was seen, for the operator: it holds the address and nothing of the answer.
pub async fn post(to: &Address, content_type: &str, body: &[u8], most: usize, within: Duration) -> Result<Vec<u8>, String> {
    match tokio::time::timeout(within, exchange(to, content_type, body, most)).await {
        Ok(answer) => answer.map_err(|why| format!("{to}: {why}")),
        Err(_) => Err(format!("{to}: no answer within {} s", within.as_secs())),
    }
}

async fn exchange(to: &Address, content_type: &str, body: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut stream = TcpStream::connect((to.host.as_str(), to.port)).await.map_err(|e| e.to_string())?;
    // HTTP/1.0: the answer ends where the connection does, and comes in one piece.
    let head = format!(
        "POST {} HTTP/1.0\r\nHost: {}:{}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        to.path,
        to.host,
        to.port,
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.map_err(|e| e.to_string())?;
    let mut octets = Vec::new();
    let bound = (most + HEAD_OCTETS) as u64;
    // Some responders close without a word to TLS or TCP's liking; what came before is judged by itself.
    let ended = stream.take(bound).read_to_end(&mut octets).await;
    answer(&octets, most).ok_or_else(|| ended.err().map_or_else(|| "no answer of HTTP with status 200".to_owned(), |e| e.to_string()))
}

/// The body of an answer with status 200.
fn answer(octets: &[u8], most: usize) -> Option<Vec<u8>> {
    let end = octets.windows(4).take(HEAD_OCTETS).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(octets.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let mut status = lines.next()?.split(' ');
    let fine = status.next().is_some_and(|v| v.starts_with("HTTP/1.")) && status.next() == Some("200");
    let length = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: Option<usize> = length.and_then(|(_, value)| value.trim().parse().ok());
    let body = octets.get(end + 4..)?;
    let whole = length.is_none_or(|length| body.len() >= length);
    let body = body.get(..length.unwrap_or(body.len()).min(body.len()))?;
    (fine && whole && body.len() <= most).then(|| body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read = |text: &str| Address::parse(text).map(|a| a.to_string());
        assert_eq!(read("http://ocsp.example.net"), Ok("http://ocsp.example.net:80/".into()));
        assert_eq!(read("http://127.0.0.1:8888/a/b"), Ok("http://127.0.0.1:8888/a/b".into()));
        for bad in ["https://a/", "a", "http://", "http://a:b/", "http://u:p@a/", "http://a/\r\nX: y"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers() {
        let body = |text: &str| answer(text.as_bytes(), 5).map(|b| String::from_utf8_lossy(&b).into_owned());
        assert_eq!(body("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabcd").as_deref(), Some("abc"));
        assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nabc").as_deref(), Some("abc"));
        for bad in
            ["", "HTTP/1.0 500 No\r\n\r\nabc", "HTTP/1.0 200 OK\r\n\r\nabcdef", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nabc", "FTP/1.0 200 OK\r\n\r\na"]
        {
            assert_eq!(body(bad), None, "{bad}");
        }
    }
}
