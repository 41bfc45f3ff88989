//! Streams unpacked within a bound: Flate, with PNG predictors. PDF/A knows other filters, but no writer packs objects or metadata with them.

use std::borrow::Cow;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use super::lexer::Value;

/// A stream's content.
pub(super) enum Unpacked<'a> {
    /// All of it.
    Whole(Cow<'a, [u8]>),
    /// Its beginning: there is more than was allowed.
    More(Vec<u8>),
    /// Packed in a way that is not known here.
    Unknown,
}

/// Unpacks a stream's octets to at most `limit`.
pub(super) fn unpack<'a>(dict: &Value<'_>, octets: &'a [u8], limit: usize) -> Unpacked<'a> {
    let filters = dict.get(b"Filter").or_else(|| dict.get(b"F")).map_or(&[][..], Value::each);
    match filters {
        [] | [Value::Null] if octets.len() <= limit => Unpacked::Whole(Cow::Borrowed(octets)),
        [] | [Value::Null] => Unpacked::More(octets.get(..limit).unwrap_or_default().to_vec()),
        [Value::Name(name)] if matches!(name.as_ref(), b"FlateDecode" | b"Fl") => match decompress_to_vec_zlib_with_limit(octets, limit) {
            Ok(out) => predicted(dict, out),
            Err(error) => match error.status {
                TINFLStatus::HasMoreOutput => Unpacked::More(error.output),
                // Readers take what could be unpacked of a stream that is cut or whose check sum is wrong.
                TINFLStatus::Adler32Mismatch | TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => predicted(dict, error.output),
                _ => Unpacked::Unknown,
            },
        },
        _ => Unpacked::Unknown,
    }
}

/// Takes a predictor away (ISO 32000-1 §7.4.4.4): each row has its kind before it.
fn predicted(dict: &Value<'_>, out: Vec<u8>) -> Unpacked<'static> {
    let parameters = dict.get(b"DecodeParms").map_or(&[][..], Value::each);
    let Some(parameters) = parameters.first().filter(|p| **p != Value::Null) else { return Unpacked::Whole(Cow::Owned(out)) };
    let number = |key: &[u8], default: usize| parameters.get(key).map_or(Some(default), Value::count);
    let (Some(predictor), Some(colours), Some(bits), Some(columns)) =
        (number(b"Predictor", 1), number(b"Colors", 1), number(b"BitsPerComponent", 8), number(b"Columns", 1))
    else {
        return Unpacked::Unknown;
    };
    if predictor == 1 {
        return Unpacked::Whole(Cow::Owned(out));
    }
    let width = colours.checked_mul(columns).filter(|w| (1..=4096).contains(w));
    match width {
        Some(width) if predictor >= 10 && bits == 8 => png(&out, colours, width).map_or(Unpacked::Unknown, |rows| Unpacked::Whole(Cow::Owned(rows))),
        _ => Unpacked::Unknown,
    }
}

fn png(packed: &[u8], step: usize, width: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(packed.len());
    let mut before = vec![0_u8; width];
    for row in packed.chunks(width + 1) {
        let (kind, row) = row.split_first()?;
        let mut now = vec![0_u8; width];
        for (at, octet) in row.iter().enumerate() {
            let left = at.checked_sub(step).and_then(|i| now.get(i)).copied().unwrap_or(0);
            let up = before.get(at).copied().unwrap_or(0);
            let corner = at.checked_sub(step).and_then(|i| before.get(i)).copied().unwrap_or(0);
            let guess = match kind {
                0 => 0,
                1 => left,
                2 => up,
                3 => u8::try_from((u16::from(left) + u16::from(up)) / 2).unwrap_or(0),
                4 => paeth(left, up, corner),
                _ => return None,
            };
            if let Some(place) = now.get_mut(at) {
                *place = octet.wrapping_add(guess);
            }
        }
        out.extend_from_slice(now.get(..row.len())?);
        before = now;
    }
    Some(out)
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(up) - i16::from(corner);
    let away = |octet: u8| (guess - i16::from(octet)).abs();
    if away(left) <= away(up) && away(left) <= away(corner) {
        left
    } else if away(up) <= away(corner) {
        up
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_undone_by_their_kind() {
        assert_eq!(png(&[0, 1, 2, 3], 1, 3), Some(vec![1, 2, 3]));
        assert_eq!(png(&[1, 1, 1, 1, 2, 1, 1, 1], 1, 3), Some(vec![1, 2, 3, 2, 3, 4]));
        assert_eq!(png(&[0, 4, 8, 3, 1, 1, 4, 1, 1], 1, 2), Some(vec![4, 8, 3, 6, 4, 7]));
        assert_eq!(png(&[9, 1, 2, 3], 1, 3), None);
    }

    #[test]
    fn a_bomb_stops_at_its_limit() {
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 5_000_000], 9);
        let dict = Value::Dict(vec![(Cow::Borrowed(b"Filter"), Value::Name(Cow::Borrowed(b"FlateDecode")))]);
        assert!(packed.len() < 10_000);
        assert!(matches!(unpack(&dict, &packed, 100_000), Unpacked::More(out) if out.len() <= 100_000));
        assert!(matches!(unpack(&dict, &packed, 5_000_000), Unpacked::Whole(out) if out.len() == 5_000_000));
    }
}
