//! Strict base64, many octets at a time: bodies are most of a message, and frames carry whole documents in it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Strict base64 whose padding may be missing: both occur in the wild (documents.md §1.2).
const LAST: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(false));

/// The octets that digits without white space stand for; `None` when they are no base64. All but the last four digits are plain ones, which vector
/// instructions read; padding and left-over bits can only stand in the last four.
pub fn decode(digits: &[u8]) -> Option<Vec<u8>> {
    let (plain, last) = digits.split_at(digits.len().saturating_sub(1) / 4 * 4);
    let mut octets = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    base64_simd::STANDARD_NO_PAD.decode_append(plain, &mut octets).ok()?;
    LAST.decode_vec(last, &mut octets).ok()?;
    Some(octets)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Every length and every digit changed to every octet: the same verdict and the same octets as the slow reader's.
    #[test]
    fn two_readers_agree() {
        let agree = |digits: &[u8]| assert_eq!(decode(digits), LAST.decode(digits).ok(), "{digits:?}");
        for length in 0..200_usize {
            let octets: Vec<u8> = (0..length).map(|n| u8::try_from(n * 37 % 256).unwrap()).collect();
            let digits = LAST.encode(&octets).into_bytes();
            assert_eq!(decode(&digits).unwrap(), octets);
            agree(digits.strip_suffix(b"=").unwrap_or(&digits));
            agree(digits.strip_suffix(b"==").unwrap_or(&digits));
            agree(&[&digits[..], b"="].concat());
            agree(&[b"=", &digits[..]].concat());
            for cut in 0..digits.len() {
                agree(&digits[..cut]);
            }
        }
        for length in [4, 8, 40, 67, 68] {
            let digits = LAST.encode(vec![0xA5; length]).into_bytes();
            for at in 0..digits.len() {
                for octet in 0..=255 {
                    let mut changed = digits.clone();
                    changed[at] = octet;
                    agree(&changed);
                }
            }
        }
    }
}
