//! Stands between the socket and lapin's parser and makes hostile properties harmless, in place, before they are parsed.
//!
//! Any sender may write a header table nested as deep as a frame is long, or a short string that is not UTF-8. lapin 4.12 parses tables by
//! recursion (15,000 levels end the whole process with a stack overflow) and treats such a string as a broken connection, again at every
//! redelivery. RabbitMQ lets both through. Of a delivery's headers Arkki reads one, `traceparent`, so the table's octets are overwritten with that one,
//! where it is one, and a harmless entry in the place of all others; and a string that is not UTF-8 with control characters, which the door treats as absent. All lengths stay.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::shallow::is_shallow;
use crate::domain::trace::{TRACEPARENT, TRACEPARENT_OCTETS, TraceContext};

/// How much is read from the socket at once: a full frame of RabbitMQ's default size and some.
const CHUNK: usize = 160 * 1024;
/// The largest content header waited for; RabbitMQ's `frame_max` is 128 KiB by default. A larger one is passed on as it is and refused by lapin.
const HEADER_FRAME: usize = 1024 * 1024;
/// The largest method frame looked into: a `basic.deliver` is at most 800 octets.
const METHOD_FRAME: usize = 1024;
/// Frame type, channel, size.
const PREAMBLE: usize = 7;
/// What an octet of a string that is not UTF-8 becomes.
const BLANK: u8 = 1;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
/// class 60 (basic), method 60 (deliver).
const DELIVER: [u8; 4] = [0, 60, 0, 60];

/// A stream whose reading side has passed the guard.
pub(super) struct Guard<S> {
    inner: S,
    sieve: Sieve,
}

impl<S> Guard<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, sieve: Sieve::default() }
    }

    /// One that lets headers through as they are when they can be read without harm: for the tap, which reads what the broker's tracer says in them.
    pub(super) fn shallow(inner: S) -> Self {
        Self { inner, sieve: Sieve { shallow: true, ..Sieve::default() } }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            let taken = this.sieve.take(buf);
            if taken > 0 || buf.is_empty() {
                return Poll::Ready(Ok(taken));
            }
            let count = ready!(Pin::new(&mut this.inner).poll_read(cx, this.sieve.space()))?;
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
            this.sieve.filled(count);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// Octets on their way: `[given, clear)` may go on, `[clear, end)` waits for the rest of its frame.
#[derive(Default)]
struct Sieve {
    octets: Vec<u8>,
    given: usize,
    clear: usize,
    end: usize,
    /// Octets of the current frame that pass unseen.
    pass: usize,
    /// Headers that are in order pass as they are.
    shallow: bool,
}

impl Sieve {
    /// Gives on what is clear.
    fn take(&mut self, buf: &mut [u8]) -> usize {
        let count = buf.len().min(self.clear - self.given);
        if let (Some(to), Some(from)) = (buf.get_mut(..count), self.octets.get(self.given..self.given + count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        count
    }

    /// Room for at least a chunk, after everything clear was given on.
    fn space(&mut self) -> &mut [u8] {
        if self.given > 0 {
            self.octets.copy_within(self.given..self.end, 0);
            self.end -= self.given;
            self.clear -= self.given;
            self.given = 0;
        }
        let wanted = if self.end == 0 { CHUNK } else { (self.end * 2).max(CHUNK) };
        if self.octets.len() < wanted {
            self.octets.resize(wanted, 0);
        }
        self.octets.get_mut(self.end..).unwrap_or_default()
    }

    /// Looks at what came.
    fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.octets.len());
        loop {
            let step = self.pass.min(self.end - self.clear);
            self.clear += step;
            self.pass -= step;
            let Some(waiting) = self.octets.get_mut(self.clear..self.end) else { return };
            let Some(&[kind, _, _, a, b, c, d]) = waiting.first_chunk::<PREAMBLE>() else { return };
            let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            let looked_into = match kind {
                HEADER => size <= HEADER_FRAME,
                METHOD => size <= METHOD_FRAME,
                _ => false,
            };
            if looked_into {
                let Some(payload) = waiting.get_mut(PREAMBLE..PREAMBLE + size) else { return };
                if kind == HEADER {
                    if !(self.shallow && is_shallow(payload)) {
                        tame_header(payload);
                    }
                } else if payload.starts_with(&DELIVER) {
                    tame_deliver(payload);
                }
            }
            self.pass = size.saturating_add(PREAMBLE + 1);
        }
    }
}

/// The properties of class basic in wire order: how each is written.
const PROPERTIES: [Written; 14] = [
    Written::Text,      // content-type
    Written::Text,      // content-encoding
    Written::Table,     // headers
    Written::Octets(1), // delivery-mode
    Written::Octets(1), // priority
    Written::Text,      // correlation-id
    Written::Text,      // reply-to
    Written::Text,      // expiration
    Written::Text,      // message-id
    Written::Octets(8), // timestamp
    Written::Text,      // type
    Written::Text,      // user-id
    Written::Text,      // app-id
    Written::Text,      // cluster-id
];

#[derive(Clone, Copy)]
enum Written {
    Text,
    Table,
    Octets(usize),
}

/// Class, weight, body size, flags, then the properties whose flags stand.
fn tame_header(payload: &mut [u8]) {
    let Some((head, mut rest)) = payload.split_at_mut_checked(14) else { return };
    let Some(flags) = head.last_chunk::<2>().map(|f| u16::from_be_bytes(*f)) else { return };
    for (place, written) in PROPERTIES.iter().enumerate() {
        if flags & (0x8000 >> place) != 0 {
            let Some(after) = tame(rest, *written) else { return };
            rest = after;
        }
    }
}

/// Class, method, consumer tag, delivery tag and redelivered flag, exchange, routing key.
fn tame_deliver(payload: &mut [u8]) {
    let mut rest = payload.get_mut(4..).unwrap_or_default();
    for written in [Written::Text, Written::Octets(9), Written::Text, Written::Text] {
        let Some(after) = tame(rest, written) else { return };
        rest = after;
    }
}

/// Makes one value harmless; what follows it, or `None` when it runs out of its frame.
fn tame(octets: &mut [u8], written: Written) -> Option<&mut [u8]> {
    match written {
        Written::Octets(count) => octets.get_mut(count..),
        Written::Text => {
            let (size, rest) = octets.split_first_mut()?;
            let (text, rest) = rest.split_at_mut_checked(usize::from(*size))?;
            if std::str::from_utf8(text).is_err() {
                text.fill(BLANK);
            }
            Some(rest)
        }
        Written::Table => {
            let (size, rest) = octets.split_first_chunk_mut::<4>()?;
            let (table, rest) = rest.split_at_mut_checked(usize::try_from(u32::from_be_bytes(*size)).ok()?)?;
            tame_table(table);
            Some(rest)
        }
    }
}

/// What an entry `traceparent` is long: the name's length and the name, the type, the value's length and the value.
const TRACE_ENTRY: usize = 1 + TRACEPARENT.len() + 1 + 4 + TRACEPARENT_OCTETS;

/// Keeps a strict `traceparent`, first, and blanks all else.
fn tame_table(table: &mut [u8]) {
    let found = traceparent(table);
    let Some((trace, (entry, rest))) = found.filter(|_| table.len() != TRACE_ENTRY + 1).zip(table.split_at_mut_checked(TRACE_ENTRY)) else {
        return blank_table(table);
    };
    let name = TRACEPARENT.as_bytes();
    let octets = [11].iter().chain(name).chain(&[b'S', 0, 0, 0, 55]).chain(&trace);
    entry.iter_mut().zip(octets).for_each(|(octet, is)| *octet = *is);
    blank_table(rest);
}

/// The value of a header `traceparent` that a string of the right length and form: entries are passed over by their lengths, one after the other, never
/// looked into.
fn traceparent(table: &[u8]) -> Option<[u8; TRACEPARENT_OCTETS]> {
    let mut rest = table;
    // Each round takes an entry off the table.
    while let Some((size, after)) = rest.split_first() {
        let (name, after) = after.split_at_checked(usize::from(*size))?;
        let (kind, after) = after.split_first()?;
        let length = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'u' | b'U' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            b'S' | b'x' | b'A' | b'F' => 4 + usize::try_from(u32::from_be_bytes(*after.first_chunk::<4>()?)).ok()?,
            _ => return None,
        };
        let (value, after) = after.split_at_checked(length)?;
        if *kind == b'S' && name == TRACEPARENT.as_bytes() {
            let text = value.get(4..)?;
            return TraceContext::parse(text).and_then(|_| text.first_chunk().copied());
        }
        rest = after;
    }
    None
}

/// One entry of exactly this length: a void while the name can be long enough, else a string of octets. Nothing is one octet long.
fn blank_table(table: &mut [u8]) {
    table.fill(b'x');
    match table.len() {
        0 | 1 => {}
        size @ 2..=200 => {
            if let (Some(name), Ok(count)) = (table.first_mut(), u8::try_from(size - 2)) {
                *name = count;
            }
            if let Some(kind) = table.last_mut() {
                *kind = b'V';
            }
        }
        size => {
            if let (Some(head), Ok(count)) = (table.first_chunk_mut::<7>(), u32::try_from(size - 7)) {
                let [a, b, c, d] = count.to_be_bytes();
                *head = [1, b'x', b'S', a, b, c, d];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
        [&[kind, 0, 1], size.as_slice(), payload, &[0xCE]].concat()
    }

    fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
        frame(HEADER, &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], flags.to_be_bytes().as_slice(), properties].concat())
    }

    /// Sends octets through in pieces of `step` and gives what came out.
    fn through(octets: &[u8], step: usize) -> Vec<u8> {
        let mut sieve = Sieve::default();
        let mut out = Vec::new();
        for piece in octets.chunks(step) {
            sieve.space()[..piece.len()].copy_from_slice(piece);
            sieve.filled(piece.len());
            let mut buf = [0; 64];
            loop {
                let count = sieve.take(&mut buf);
                if count == 0 {
                    break;
                }
                out.extend_from_slice(&buf[..count]);
            }
        }
        out
    }

    fn table(size: usize) -> Vec<u8> {
        [u32::try_from(size).unwrap_or(0).to_be_bytes().as_slice(), &vec![b'F'; size]].concat()
    }

    #[test]
    fn ordinary_octets_pass_unchanged_in_any_pieces() {
        let text = header(0x8180, b"\x04text\x03abc\x02id");
        let body = frame(3, &[0x02; 3000]);
        let method = frame(METHOD, b"\0\x3c\0\x3c\x02ct\0\0\0\0\0\0\0\x01\0\0\x05queue");
        let all = [method, text, body, frame(8, &[])].concat();
        for step in [1, 2, 7, 8, 100, 4000] {
            assert_eq!(through(&all, step), all, "{step}");
        }
    }

    #[test]
    fn tables_become_one_entry_of_the_same_length_that_lapin_reads() {
        for size in [0, 2, 3, 6, 7, 8, 50, 200, 201, 257, 5000] {
            let out = through(&header(0x2000, &table(size)), 11);
            assert_eq!(out.len(), 7 + 14 + 4 + size + 1);
            let parsed = lapin::types::parsing::parse_field_table(&out[21..25 + size]);
            let entries = parsed.map(|(rest, t)| (rest.len(), t.inner().len()));
            assert_eq!(entries.ok(), Some((0, usize::from(size > 0))), "{size}");
        }
    }

    #[test]
    fn a_strict_traceparent_passes_and_nothing_beside_it() {
        let text = |name: &str, value: &[u8]| {
            let (name, size) = (name.as_bytes(), u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
            [&[u8::try_from(name.len()).unwrap_or(0)], name, b"S", size.as_slice(), value].concat()
        };
        let trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let entries = |parts: &[Vec<u8>]| {
            let table = parts.concat();
            let all = [u32::try_from(table.len()).unwrap_or(0).to_be_bytes().as_slice(), &table].concat();
            let out = through(&header(0x2000, &all), 13);
            assert_eq!(out.len(), 7 + 14 + 4 + table.len() + 1);
            let parsed = lapin::types::parsing::parse_field_table(&out[21..25 + table.len()]).map(|(_, t)| t);
            let read = parsed.map(|table| (table.inner().len(), table.inner().get("traceparent").map(|v| format!("{v:?}"))));
            read.unwrap_or((99, None))
        };
        let nested = [b"\x04deepF".as_slice(), &[0, 0, 0, 9], &[b'F'; 9]].concat();
        let (number, own) = (b"\x01nI\0\0\0\x05".to_vec(), text("traceparent", trace));
        assert_eq!(entries(std::slice::from_ref(&own)).0, 1);
        for parts in [vec![own.clone(), number.clone()], vec![nested.clone(), text("x-secret", b"value"), own.clone(), number.clone()]] {
            let (count, found) = entries(&parts);
            assert!(count == 2 && found.as_ref().is_some_and(|f| f.contains("4bf92f35") || f.contains("52, 98, 102, 57")), "{count} {found:?}");
        }
        for wrong in [text("traceparent", b"00-zz"), text("traceparent", &trace[1..]), text("Traceparent", trace), [own, vec![b'x']].concat(), vec![1, 2, 3]] {
            assert_eq!(entries(&[wrong, Vec::new()]).1, None);
        }
    }

    #[test]
    fn strings_that_are_not_utf8_become_control_characters() {
        let out = through(&header(0x0080, b"\x02\xff\xfe"), 5);
        assert_eq!(out, header(0x0080, b"\x02\x01\x01"));
        let deliver = |key: &[u8]| frame(METHOD, &[b"\0\x3c\0\x3c\x02ct\0\0\0\0\0\0\0\x01\0\x02ex\x03".as_slice(), key].concat());
        assert_eq!(through(&deliver(b"a\xc3b"), 9), deliver(b"\x01\x01\x01"));
    }

    #[test]
    fn lengths_that_lie_do_no_harm() {
        for octets in
            [header(0x2000, b"\xff\xff\xff\xff"), header(0xfffc, b"\xff"), frame(HEADER, b"\0"), frame(METHOD, &DELIVER), b"AMQP\0\0\x09\x01".to_vec()]
        {
            assert_eq!(through(&octets, 3).len(), octets.len());
        }
    }
}
