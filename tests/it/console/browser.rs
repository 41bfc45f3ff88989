//! As much of a browser as the tests need: one cookie, forms, and the HTML's fields; and the terminal that the console runs in.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use crate::kit::wait_until_blocking;
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(60);

/// A terminal with `arkki console` in it.
pub struct Terminal {
    child: Child,
    input: ChildStdin,
    log: std::path::PathBuf,
}

impl Terminal {
    pub fn open(gateway: &Gateway) -> Self {
        Self::open_with(gateway, &gateway.vhost.amqp_url.clone())
    }

    pub fn open_with(gateway: &Gateway, broker: &str) -> Self {
        let log = gateway.folder.path().join("console.log");
        let out = File::create(&log).unwrap();
        let mut command = gateway.command(&["console"]);
        command.env("ARKKI_BROKER_URL", broker).stdin(Stdio::piped()).stderr(out.try_clone().unwrap()).stdout(out);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let terminal = Self { child, input, log };
        assert!(wait_until_blocking(SOON, || !terminal.links().is_empty()), "{}", terminal.said());
        terminal
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn links(&self) -> Vec<String> {
        self.said().lines().filter(|line| line.starts_with("http://127.0.0.1:")).map(str::to_owned).collect()
    }

    /// The newest link.
    pub fn link(&self) -> String {
        self.links().pop().unwrap()
    }

    /// Presses Enter and gives the new link.
    pub fn another(&mut self) -> String {
        let before = self.links().len();
        self.input.write_all(b"\n").unwrap();
        assert!(wait_until_blocking(SOON, || self.links().len() > before), "{}", self.said());
        self.link()
    }

    /// SIGTERM, and a good end.
    pub fn end(&mut self) {
        let _ = std::process::Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(wait_until_blocking(SOON, || self.child.try_wait().unwrap().is_some()), "{}", self.said());
        assert!(self.child.wait().unwrap().success(), "{}", self.said());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser with the session's one cookie.
pub struct Browser {
    host: String,
    pub cookie: Option<String>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Browser {
    /// At a link's address, not yet in.
    pub fn at(link: &str) -> Self {
        let host = link.trim_start_matches("http://").split('/').next().unwrap();
        Self { host: host.to_owned(), cookie: None }
    }

    /// In, by a link.
    pub fn enter(link: &str) -> Self {
        let mut browser = Self::at(link);
        assert_eq!(browser.get(link).status, 303);
        browser
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.host)
    }

    /// A page, by path or by its whole address.
    pub fn get(&mut self, path: &str) -> Answer {
        let path = path.strip_prefix(&self.origin()).unwrap_or(path).to_owned();
        self.request("GET", &path, &[], "")
    }

    /// A page that is no text: its head, and its octets.
    pub fn request_octets(&mut self, path: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let cookie = self.cookie.clone().unwrap_or_default();
        write!(stream, "GET {path} HTTP/1.1\r\nConnection: close\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", self.host).unwrap();
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).unwrap();
        let at = octets.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        (String::from_utf8_lossy(&octets[..at]).into_owned(), octets.split_off(at + 4))
    }

    /// A page of any kind: its head, and its body where that is text that ends.
    pub fn get_head(&mut self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let cookie = self.cookie.clone().unwrap_or_default();
        write!(stream, "GET {path} HTTP/1.1\r\nConnection: close\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", self.host).unwrap();
        let mut head = Vec::new();
        let mut octet = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut octet).unwrap() > 0 {
            head.extend(octet);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut answer = Answer { status, head, body: String::new() };
        if answer.header("content-type").is_none_or(|kind| kind.contains("html") || kind.contains("plain")) {
            let mut octets = Vec::new();
            stream.read_to_end(&mut octets).unwrap();
            answer.body = String::from_utf8_lossy(&octets).into_owned();
        }
        answer
    }

    /// Sends a form as a browser that obeys `no-referrer` does.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        self.request("POST", path, &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")], &body.join("&"))
    }

    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str(&format!("Host: {}\r\n", self.host));
        }
        if let Some(cookie) = &self.cookie {
            head.push_str(&format!("Cookie: other=1; {cookie}\r\n"));
        }
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        // A server that refuses early may close before the whole body is written.
        let _refused_early = stream.write_all(format!("{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}").as_bytes());
        let mut octets = Vec::new();
        let _closed_early = stream.read_to_end(&mut octets);
        let text = String::from_utf8(octets).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let answer =
            Answer { status: head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), head: head.to_owned(), body: body.to_owned() };
        if let Some(cookie) = answer.header("set-cookie").filter(|cookie| !cookie.contains("Max-Age=0")) {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        answer
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn between(&self, begin: &str, end: &str) -> String {
        self.body.split(begin).nth(1).and_then(|rest| rest.split(end).next()).unwrap_or_default().to_owned()
    }

    /// A hidden field's value.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        let value = self.between(&format!("name=\"{name}\" value=\""), "\"");
        assert!(!value.is_empty(), "{name}: {}", self.body);
        value
    }

    fn all(&self, begin: &str) -> Vec<String> {
        self.body.split(begin).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    }

    /// The names of the page's fields.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.all(" name=\"");
        names.retain(|name| name != "viewport");
        names.sort();
        names.dedup();
        names
    }

    /// What labels point at.
    pub fn labelled(&self) -> Vec<String> {
        self.all(" for=\"")
    }

    /// What describes fields.
    pub fn described(&self) -> Vec<String> {
        self.all(" aria-describedby=\"").iter().flat_map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

/// As a form writes it.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|octet| match octet {
            b' ' => "+".to_owned(),
            octet if octet.is_ascii_alphanumeric() || b"-._*".contains(&octet) => char::from(octet).to_string(),
            octet => format!("%{octet:02X}"),
        })
        .collect()
}
