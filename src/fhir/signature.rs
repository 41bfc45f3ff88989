//! `Bundle.signature`: a detached JWS (RFC 7515 appendix F) over the bundle without its signature in canonical JSON (RFC 8785). How Kanta wants it is not
//! published; this is the settled default (domain facts: LILM bundle), and the one place that knows it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::json::{canonical, list, object, text};
use crate::crypto::algorithm::Algorithm;
use crate::crypto::certificate::Certificate;
use crate::crypto::sha256;
use crate::domain::time::Moment;

/// ASTM E1762 purpose of signature: the verification signature of whoever sends.
const PURPOSE: (&str, &str, &str) = ("urn:iso-astm:E1762-95:2013", "1.2.840.10065.1.12.1.5", "Verification Signature");
/// The size of a key on P-256: P-384, the other curve that certificates may have, is larger.
const P256_BITS: u32 = 256;
/// The largest bundle read back, in octets: what we write is far smaller.
const LARGEST: usize = 32 * 1024 * 1024;

/// A bundle that waits for its signature.
pub struct Unsigned {
    bundle: Value,
    head: String,
    /// What is signed.
    pub input: Vec<u8>,
}

/// Prepares the signing of a bundle with the key of this certificate (DER). `None` when no JWS can be made with it ([`algorithm`]), or when the bundle cannot be
/// written canonically, which ours always can.
#[must_use]
pub fn prepare(bundle: Value, certificate: &[u8]) -> Option<Unsigned> {
    let alg = algorithm(&Certificate::from_der(certificate).ok()?)?;
    let header = object([("alg", text(alg)), ("x5c", list(vec![text(STANDARD.encode(certificate))]))]);
    let head = URL_SAFE_NO_PAD.encode(canonical(&header)?);
    let payload = URL_SAFE_NO_PAD.encode(canonical(&bundle)?);
    let input = format!("{head}.{payload}").into_bytes();
    Some(Unsigned { bundle, head, input })
}

impl Unsigned {
    /// The signed bundle's octets: canonical JSON as well. `value` is the signature over `input`: PKCS#1 v1.5, or `r` and `s` side by side, which is what JWS
    /// wants too. `system` signs.
    #[must_use]
    pub fn signed(self, value: &[u8], when: Moment, system: &str) -> Option<Vec<u8>> {
        let jws = format!("{}..{}", self.head, URL_SAFE_NO_PAD.encode(value));
        let signature = object([
            ("type", list(vec![object([("system", text(PURPOSE.0)), ("code", text(PURPOSE.1)), ("display", text(PURPOSE.2))])])),
            ("when", text(when.to_iso())),
            ("who", object([("identifier", object([("system", text("urn:ietf:rfc:3986")), ("value", text(format!("urn:oid:{system}")))]))])),
            ("targetFormat", text("application/fhir+json")),
            ("sigFormat", text("application/jose")),
            ("data", text(STANDARD.encode(jws))),
        ]);
        let Value::Object(mut bundle) = self.bundle else { return None };
        bundle.insert("signature".to_owned(), signature);
        canonical(&Value::Object(bundle))
    }
}

/// Who signed a bundle, once its signature has been verified.
pub struct Verified {
    /// The signer's certificate, DER; whether it is to be trusted is the caller's question.
    pub certificate: Certificate,
    /// The bundle without its signature.
    pub bundle: Value,
}

/// Verifies a signed bundle.
///
/// # Errors
/// What is wrong with it, without any value.
pub fn verify(octets: &[u8]) -> Result<Verified, &'static str> {
    if octets.len() > LARGEST {
        return Err("it is larger than any bundle of ours");
    }
    let Ok(Value::Object(mut bundle)) = serde_json::from_slice(octets) else { return Err("it is no JSON object") };
    if canonical(&Value::Object(bundle.clone())).as_deref() != Some(octets) {
        return Err("it is not in canonical form");
    }
    let signature = bundle.remove("signature").ok_or("it has no signature")?;
    let data = signature.get("data").and_then(Value::as_str).ok_or("its signature has no data")?;
    let jws = STANDARD.decode(data).ok().and_then(|jws| String::from_utf8(jws).ok()).ok_or("its signature is no JWS")?;
    let mut parts = jws.split('.');
    let (Some(head), Some(""), Some(value), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else { return Err("its JWS is not detached") };
    let header: Value = URL_SAFE_NO_PAD.decode(head).ok().and_then(|octets| serde_json::from_slice(&octets).ok()).ok_or("its JWS has no header")?;
    let value = URL_SAFE_NO_PAD.decode(value).map_err(|_| "its JWS has no value")?;
    let first = header.get("x5c").and_then(Value::as_array).and_then(|chain| chain.first()).and_then(Value::as_str).ok_or("its JWS names no certificate")?;
    let der = STANDARD.decode(first).map_err(|_| "its certificate cannot be read")?;
    let certificate = Certificate::from_der(&der).map_err(|_| "its certificate cannot be read")?;
    let alg = algorithm(&certificate).ok_or("its certificate's key is none that a JWS is made with here")?;
    if header.get("alg").and_then(Value::as_str) != Some(alg) {
        return Err("its JWS is by another algorithm than its certificate's key");
    }
    let bundle = Value::Object(bundle);
    let payload = URL_SAFE_NO_PAD.encode(canonical(&bundle).ok_or("it is not in canonical form")?);
    if !certificate.verifies(&sha256(format!("{head}.{payload}").as_bytes()), &value) {
        return Err("its signature does not verify");
    }
    Ok(Verified { certificate, bundle })
}

/// The algorithm of a JWS by this certificate's key (RFC 7518 §3.1). ES256 is ECDSA on P-256 and nothing else (§3.4), so a key on another curve has none: `None`.
#[must_use]
pub fn algorithm(certificate: &Certificate) -> Option<&'static str> {
    match certificate.algorithm()? {
        Algorithm::RsaSha256 => Some("RS256"),
        Algorithm::EcdsaSha256 => (certificate.key_bits() == P256_BITS).then_some("ES256"),
    }
}
