//! A sender that writes AMQP frames by hand, for what no client library would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub struct RawSender(TcpStream);

/// An AMQP short string.
pub fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

/// An AMQP long string, or a table by its octets.
pub fn long(octets: &[u8]) -> Vec<u8> {
    [u32::try_from(octets.len()).unwrap().to_be_bytes().as_slice(), octets].concat()
}

impl RawSender {
    /// As guest, on channel 1, in confirm mode. `url` as the kit gives it.
    pub fn connect(url: &str) -> Self {
        let (address, vhost) = url.rsplit_once('@').unwrap().1.split_once('/').unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut this = Self(stream);
        this.0.write_all(b"AMQP\0\0\x09\x01").unwrap();
        this.answer();
        this.method(0, 10, 11, &[long(b""), short(b"PLAIN"), long(b"\0guest\0guest"), short(b"en_US")].concat());
        this.answer();
        this.method(0, 10, 31, &[0x07, 0xff, 0, 2, 0, 0, 0, 0]);
        this.method(0, 10, 40, &[short(vhost.as_bytes()), vec![0, 0]].concat());
        this.answer();
        this.method(1, 20, 10, &[0]);
        this.answer();
        this.method(1, 85, 10, &[0]);
        this.answer();
        this
    }

    /// Publishes to `exchange` with `key`; `flags` and `properties` as they stand on the wire. `true` when the broker confirmed it.
    pub fn publish(&mut self, exchange: &[u8], key: &[u8], flags: u16, properties: &[u8], body: &[u8]) -> bool {
        self.method(1, 60, 40, &[vec![0, 0], short(exchange), short(key), vec![0]].concat());
        let size = u64::try_from(body.len()).unwrap().to_be_bytes();
        self.frame(2, 1, &[&[0, 60, 0, 0], size.as_slice(), flags.to_be_bytes().as_slice(), properties].concat());
        if !body.is_empty() {
            self.frame(3, 1, body);
        }
        let answer = self.answer();
        let confirmed = answer.starts_with(&[0, 60, 0, 80]);
        if !confirmed {
            println!("instead of a confirm: {}", String::from_utf8_lossy(&answer));
        }
        confirmed
    }

    fn method(&mut self, channel: u8, class: u8, method: u8, arguments: &[u8]) {
        self.frame(1, channel, &[&[0, class, 0, method], arguments].concat());
    }

    fn frame(&mut self, kind: u8, channel: u8, payload: &[u8]) {
        self.0.write_all(&[&[kind, 0, channel], long(payload).as_slice(), &[0xCE]].concat()).unwrap();
    }

    fn answer(&mut self) -> Vec<u8> {
        let mut head = [0; 7];
        self.0.read_exact(&mut head).unwrap();
        let size = usize::try_from(u32::from_be_bytes([head[3], head[4], head[5], head[6]])).unwrap();
        let mut payload = vec![0; size + 1];
        self.0.read_exact(&mut payload).unwrap();
        payload.pop();
        payload
    }
}
