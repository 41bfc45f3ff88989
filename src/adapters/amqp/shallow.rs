//! Whether a content header may be read as it is: every string is UTF-8, and no table is nested deeper than the broker's tracer nests its own. Everything
//! else would end lapin's parser, or the whole process (see `guard.rs`).

/// The tracer's table of properties holds the sender's table of headers; a sender's own tables may hold one more.
const DEPTH: usize = 4;

/// Whether each property is in order. The place of the bit says how it is written: a string, the table, or so many octets.
pub(super) fn is_shallow(payload: &[u8]) -> bool {
    let look = || {
        let (head, mut rest) = payload.split_at_checked(14)?;
        let flags = u16::from_be_bytes(*head.last_chunk::<2>()?);
        for place in 0..14_u8 {
            if flags & (0x8000 >> place) != 0 {
                rest = match place {
                    2 => table(rest, DEPTH)?,
                    3 | 4 => rest.get(1..)?,
                    9 => rest.get(8..)?,
                    _ => short(rest)?,
                };
            }
        }
        // Bit 0 says that more flags follow, which class basic has none of.
        (flags & 1 == 0 && rest.is_empty()).then_some(())
    };
    look().is_some()
}

/// What follows a short string; `None` when it is not UTF-8 or runs out.
fn short(octets: &[u8]) -> Option<&[u8]> {
    let (size, rest) = octets.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*size))?;
    std::str::from_utf8(text).is_ok().then_some(rest)
}

fn long(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = octets.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*size)).ok()?)
}

/// What follows a table that is nested at most so deep.
fn table(octets: &[u8], depth: usize) -> Option<&[u8]> {
    let (mut entries, rest) = long(octets)?;
    // Each round takes an entry off.
    while !entries.is_empty() {
        entries = value(short(entries)?, depth.checked_sub(1)?)?;
    }
    Some(rest)
}

/// What follows a value with its type before it.
fn value(octets: &[u8], depth: usize) -> Option<&[u8]> {
    let (kind, rest) = octets.split_first()?;
    match kind {
        b'V' => Some(rest),
        b't' | b'b' | b'B' => rest.get(1..),
        b's' | b'u' | b'U' => rest.get(2..),
        b'I' | b'i' | b'f' => rest.get(4..),
        b'D' => rest.get(5..),
        b'L' | b'l' | b'd' | b'T' => rest.get(8..),
        b'S' | b'x' => long(rest).map(|(_, rest)| rest),
        b'F' => table(rest, depth),
        b'A' => {
            let (mut elements, rest) = long(rest)?;
            // Each round takes an element off.
            while !elements.is_empty() {
                elements = value(elements, depth.checked_sub(1)?)?;
            }
            Some(rest)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(table: &[u8]) -> Vec<u8> {
        let size = u32::try_from(table.len()).unwrap_or(0).to_be_bytes();
        [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0x20, 0], size.as_slice(), table].concat()
    }

    /// A table in a table in a table, so many of them.
    fn nested(depth: usize) -> Vec<u8> {
        (0..depth).fold(Vec::new(), |inner, _| [b"\x01aF".as_slice(), &u32::try_from(inner.len()).unwrap_or(0).to_be_bytes(), &inner].concat())
    }

    #[test]
    fn depth_and_strings_are_bounded() {
        assert!(is_shallow(&header(b"")));
        assert!(is_shallow(&header(b"\x01aS\x00\x00\x00\x02\xff\xff\x01bt\x01\x01cA\x00\x00\x00\x05I\x00\x00\x00\x01")));
        assert!(is_shallow(&header(&nested(3))));
        for depth in [DEPTH + 1, 10, 3_000] {
            assert!(!is_shallow(&header(&nested(depth))), "{depth}");
        }
        // A name that is not UTF-8, an unknown type, lengths that lie.
        for wrong in [b"\x01\xffV".as_slice(), b"\x01a?", b"\x01aS\x00\x00\x00\x09a", b"\x09a", b"\x01aA\x00\x00\x00\x02I\x00"] {
            assert!(!is_shallow(&header(wrong)), "{wrong:?}");
        }
        assert!(!is_shallow(b"\0\x3c"));
    }

    #[test]
    fn what_is_let_through_lapin_reads() {
        for entries in [b"\x01aS\x00\x00\x00\x02\xff\xff\x01bt\x01\x01cA\x00\x00\x00\x05I\x00\x00\x00\x01\x01dV\x01eL\0\0\0\0\0\0\0\x01".to_vec(), nested(3)] {
            let payload = header(&entries);
            assert!(is_shallow(&payload));
            let parsed = lapin::types::parsing::parse_field_table(payload.get(14..).unwrap_or_default());
            assert!(parsed.is_ok_and(|(rest, _)| rest.is_empty()), "{entries:?}");
        }
    }
}
