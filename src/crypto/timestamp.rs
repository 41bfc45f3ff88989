//! Time stamps of RFC 3161: the question as DER, the answer taken apart, the token verified. Written with OpenSSL's CMS and a few lines of DER, so no library more. Pure: the adapter asks.

use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::x509::X509PurposeId;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};

use super::Fault;
use super::revocation::element;
use super::signing_certificate;
use super::trust::TrustAnchors;
use crate::domain::digest::Digest;
use crate::domain::time::Moment;

/// The largest answer read, in octets: a token with its authority's chain is 2,000 to 8,000.
pub const ANSWER_OCTETS: usize = 32 * 1024;
/// Octets of a nonce: what two questions of one site never share.
pub const NONCE_OCTETS: usize = 16;

/// SHA-256's AlgorithmIdentifier without and with its NULL: both are written.
const SHA256: [u8; 11] = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// id-ct-TSTInfo, as the content's type.
const TST_INFO: [u8; 13] = [0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// The question (TimeStampReq, RFC 3161 §2.4.1): this digest, this nonce, and the authority's certificate in the answer.
#[must_use]
pub fn question(digest: &Digest, nonce: [u8; NONCE_OCTETS]) -> Vec<u8> {
    let algorithm = wrap(0x30, &[SHA256.as_slice(), &[0x05, 0x00]].concat());
    let imprint = wrap(0x30, &[algorithm, wrap(0x04, &digest.0)].concat());
    wrap(0x30, &[vec![0x02, 0x01, 0x01], imprint, wrap(0x02, &integer(nonce)), vec![0x01, 0x01, 0xff]].concat())
}

/// A positive INTEGER's shortest octets.
fn integer(nonce: [u8; NONCE_OCTETS]) -> Vec<u8> {
    let mut octets = nonce.to_vec();
    // Never zero and never negative: its first octet is made 0x40 to 0x7f.
    if let Some(first) = octets.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    octets
}

fn wrap(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(value.len()) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
            out.push(0x84);
            out.extend_from_slice(&length);
        }
    }
    out.extend_from_slice(value);
    out
}

/// The token in an answer (TimeStampResp, §2.4.2).
///
/// # Errors
/// No answer of that kind, or one that grants nothing.
pub fn token_of(answer: &[u8]) -> Result<Vec<u8>, Fault> {
    let none = || Fault::new("the time-stamping authority's answer is none");
    let (0x30, body, []) = element(answer).ok_or_else(none)? else { return Err(none()) };
    let (0x30, status, token) = element(body).ok_or_else(none)? else { return Err(none()) };
    let (0x02, number, _) = element(status).ok_or_else(none)? else { return Err(none()) };
    // granted (0) or grantedWithMods (1).
    match number {
        [0 | 1] if !token.is_empty() => Ok(token.to_vec()),
        _ => Err(Fault::new(format!("the time-stamping authority refuses with status {}", number.first().copied().unwrap_or(0xff)))),
    }
}

/// Verifies a token over a digest: signed by a certificate that it names under its signature, that is for time stamping alone and leads to one of these anchors at the token's own time;
/// about this digest, with this nonce where one is given. Gives its time.
///
/// # Errors
/// What does not fit.
pub fn verify(token: &[u8], digest: &Digest, nonce: Option<[u8; NONCE_OCTETS]>, anchors: &TrustAnchors) -> Result<Moment, Fault> {
    if token.len() > ANSWER_OCTETS {
        return Err(Fault::new("a time stamp's token that is too large"));
    }
    if !token.windows(TST_INFO.len()).take(64).any(|window| window == TST_INFO) {
        return Err(Fault::new("the token holds no time stamp"));
    }
    // The content is read once without judging, for the time at which the chain is judged; then again with the signature verified. Both readings are of the same octets.
    let read = content(token, None)?;
    let info = Info::read(&read).ok_or_else(|| Fault::new("the token's time stamp cannot be read"))?;
    if content(token, Some((anchors, info.at)))? != read {
        return Err(Fault::new("the token does not hold what it signs"));
    }
    signing_certificate::fits(token)?;
    if info.imprint != digest.0 {
        return Err(Fault::new("the time stamp is of something else"));
    }
    if nonce.is_some_and(|nonce| info.nonce != Some(integer(nonce).as_slice())) {
        return Err(Fault::new("the time stamp answers another question"));
    }
    Ok(info.at)
}

fn content(token: &[u8], judged: Option<(&TrustAnchors, Moment)>) -> Result<Vec<u8>, Fault> {
    let mut cms = CmsContentInfo::from_der(token)?;
    let mut builder = X509StoreBuilder::new()?;
    let mut flags = CMSOptions::BINARY;
    match judged {
        None => flags |= CMSOptions::NO_SIGNER_CERT_VERIFY | CMSOptions::NO_ATTR_VERIFY | CMSOptions::NO_CONTENT_VERIFY,
        Some((anchors, at)) => {
            let mut parameters = X509VerifyParam::new()?;
            parameters.set_time(at.seconds());
            parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
            // extendedKeyUsage critical, and timeStamping alone (RFC 3161 §2.3).
            parameters.set_purpose(X509PurposeId::TIMESTAMP_SIGN)?;
            for authority in anchors.anchors() {
                builder.add_cert(authority.x509.clone())?;
            }
            builder.set_param(&parameters)?;
        }
    }
    let mut out = Vec::new();
    cms.verify(None, Some(&builder.build()), None, Some(&mut out), flags)?;
    Ok(out)
}

/// What a TSTInfo (§2.4.2) says.
struct Info<'a> {
    imprint: &'a [u8],
    at: Moment,
    nonce: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let (0x30, body, []) = element(der)? else { return None };
        let (0x02, [1], rest) = element(body)? else { return None };
        let (0x06, _, rest) = element(rest)? else { return None };
        let (0x30, imprint, rest) = element(rest)? else { return None };
        let (0x30, algorithm, hashed) = element(imprint)? else { return None };
        let (0x04, imprint, []) = element(hashed)? else { return None };
        let (0x02, _, rest) = element(rest)? else { return None };
        let (0x18, time, mut rest) = element(rest)? else { return None };
        if !algorithm.starts_with(&SHA256) {
            return None;
        }
        let mut nonce = None;
        // accuracy, ordering, nonce, tsa, extensions: the nonce is the one INTEGER among them.
        while let Some((tag, value, behind)) = element(rest) {
            if tag == 0x02 {
                nonce = Some(value);
            }
            rest = behind;
        }
        Some(Self { imprint, at: time_of(time)?, nonce })
    }
}

/// `20261122094500Z`, with a fraction or without.
fn time_of(octets: &[u8]) -> Option<Moment> {
    let text = std::str::from_utf8(octets).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let part = |from: usize, to: usize| whole.get(from..to);
    if whole.len() != 14 {
        return None;
    }
    let fraction = fraction.map_or(String::new(), |fraction| format!(".{fraction}"));
    Moment::parse_iso(&format!("{}-{}-{}T{}:{}:{}{fraction}Z", part(0, 4)?, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_der_and_its_nonce_is_positive() {
        let asked = question(&Digest([7; 32]), [0xff; NONCE_OCTETS]);
        let (tag, body, rest) = element(&asked).unwrap_or((0, &[], &[]));
        assert_eq!((tag, rest.len()), (0x30, 0));
        assert!(body.starts_with(&[2, 1, 1]) && body.ends_with(&[1, 1, 0xff]));
        assert_eq!(integer([0xff; NONCE_OCTETS]).first(), Some(&0x7f));
        assert_eq!(integer([0; NONCE_OCTETS]).first(), Some(&0x40));
    }

    #[test]
    fn answers_that_grant_nothing_hold_no_token() {
        assert!(token_of(&[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02]).is_err());
        assert!(token_of(&[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00]).is_err());
        for cut in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], b"HTTP"] {
            assert!(token_of(cut).is_err());
            assert!(verify(cut, &Digest::ZERO, None, &TrustAnchors::none()).is_err());
        }
    }

    #[test]
    fn times_with_and_without_fractions() {
        assert_eq!(time_of(b"20261122094500Z"), Moment::parse_iso("2026-11-22T09:45:00Z"));
        assert_eq!(time_of(b"20261122094500.5Z"), Moment::parse_iso("2026-11-22T09:45:00.5Z"));
        assert_eq!(time_of(b"202611220945Z"), None);
    }
}
