//! W3C trace context and spans: who is told what took how long. Never part of a decision, never stored: what a sender writes here only names a trace.

use std::fmt::Write as _;

use super::time::Moment;

/// The AMQP header that carries the context, in and out (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";
/// Its length: version, trace, parent and flags as hexadecimal digits between dashes.
pub const TRACEPARENT_OCTETS: usize = 55;

/// A place in a trace: `traceparent` as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The span that whatever follows is a child of.
    pub span: [u8; 8],
    /// Whether it is recorded.
    pub is_sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` of version 00, strictly: anything else is no context.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Option<Self> {
        if octets.len() != TRACEPARENT_OCTETS || !octets.starts_with(b"00-") || octets.get(35) != Some(&b'-') || octets.get(52) != Some(&b'-') {
            return None;
        }
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        unhex(octets.get(3..35)?, &mut trace)?;
        unhex(octets.get(36..52)?, &mut span)?;
        let mut flags = [0; 1];
        unhex(octets.get(53..)?, &mut flags)?;
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, is_sampled: flags[0] & 1 == 1 })
    }

    /// The header's value.
    #[must_use]
    pub fn header(&self) -> String {
        format!("00-{}-{}-0{}", hex(&self.trace), hex(&self.span), u8::from(self.is_sampled))
    }
}

/// Lower-case digits only, as the standard wants.
fn unhex(digits: &[u8], into: &mut [u8]) -> Option<()> {
    let digit = |octet: u8| match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    };
    for (pair, octet) in digits.chunks_exact(2).zip(into) {
        let [high, low] = pair else { return None };
        *octet = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

/// Hexadecimal digits.
#[must_use]
pub fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// What a span is to its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A step inside.
    Internal,
    /// A message was taken.
    Consumer,
    /// A message was sent.
    Producer,
}

/// A value that a span names: never personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A word.
    Text(String),
    /// A number.
    Number(i64),
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The trace and this span's own id.
    pub context: TraceContext,
    /// The span it is a child of.
    pub parent: Option<[u8; 8]>,
    /// What it was.
    pub name: &'static str,
    /// What it is to the trace.
    pub kind: Kind,
    /// When it began.
    pub start: Moment,
    /// When it ended.
    pub end: Moment,
    /// What it names.
    pub attributes: Vec<(&'static str, Named)>,
}

/// The trace of a message that leaves: its header, and where the span of its sending belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaving {
    /// What the header says: the span of the sending.
    pub context: TraceContext,
    /// The span that the sending is a child of; `None` when it is not recorded here and the context only passes through.
    pub parent: Option<[u8; 8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_read_strictly_and_written_as_it_was() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceContext::parse(text.as_bytes());
        assert_eq!(read.map(|c| (c.header(), c.is_sampled)), Some((text.to_owned(), true)));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47 6-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(wrong.as_bytes()), None, "{wrong}");
        }
        let unsampled = TraceContext::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
        assert_eq!(unsampled.map(|c| c.is_sampled), Some(false));
    }
}
