//! JSON Web Signatures in their compact form (RFC 7515), as an OpenID provider signs who somebody is: RS256 and ES256 (P-256) and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;

use super::Fault;
use super::certificate::{RSA_BITS_LEAST, RSA_BITS_MOST};

/// The longest token taken, in octets: real ones have one or two thousand.
const TOKEN_OCTETS: usize = 32 * 1024;
/// A signature of ES256: two numbers of 32 octets.
const ES256_OCTETS: usize = 64;

/// A token, taken apart and not yet believed.
#[derive(Debug)]
pub struct Compact<'t> {
    /// The header's JSON.
    pub header: Vec<u8>,
    /// The payload's JSON.
    pub payload: Vec<u8>,
    signed: &'t str,
    signature: Vec<u8>,
}

/// A provider's public key.
pub enum VerifyingKey {
    /// RS256.
    Rsa(PKey<Public>),
    /// ES256.
    P256(EcKey<Public>),
}

impl<'t> Compact<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It is none, or too long.
    pub fn read(token: &'t str) -> Result<Self, Fault> {
        if token.len() > TOKEN_OCTETS {
            return Err(Fault::new(format!("a token of more than {TOKEN_OCTETS} octets")));
        }
        let none = || Fault::new("no token of three parts");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(none)?;
        let (header, payload) = signed.split_once('.').filter(|(_, payload)| !payload.contains('.')).ok_or_else(none)?;
        Ok(Self { header: decoded(header)?, payload: decoded(payload)?, signed, signature: decoded(signature)? })
    }

    /// Whether this key made the signature.
    #[must_use]
    pub fn is_by(&self, key: &VerifyingKey) -> bool {
        let by = || -> Result<bool, Fault> {
            match key {
                VerifyingKey::Rsa(key) => {
                    let mut verifier = Verifier::new(MessageDigest::sha256(), key)?;
                    Ok(verifier.verify_oneshot(&self.signature, self.signed.as_bytes())?)
                }
                VerifyingKey::P256(key) => {
                    let (Some(r), Some(s), ES256_OCTETS) = (self.signature.get(..32), self.signature.get(32..), self.signature.len()) else { return Ok(false) };
                    let signature = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
                    Ok(signature.verify(&openssl::sha::sha256(self.signed.as_bytes()), key)?)
                }
            }
        };
        by().unwrap_or(false)
    }
}

impl VerifyingKey {
    /// An RSA key from its JWK's `n` and `e`.
    ///
    /// # Errors
    /// It is none, or too small or too large.
    pub fn rsa(n: &str, e: &str) -> Result<Self, Fault> {
        let key = Rsa::from_public_components(BigNum::from_slice(&decoded(n)?)?, BigNum::from_slice(&decoded(e)?)?)?;
        let bits = key.n().num_bits().unsigned_abs();
        if !(RSA_BITS_LEAST..=RSA_BITS_MOST).contains(&bits) || key.e().num_bits() > 33 {
            return Err(Fault::new(format!("an RSA key of {bits} bits")));
        }
        Ok(Self::Rsa(PKey::from_rsa(key)?))
    }

    /// A key on P-256 from its JWK's `x` and `y`.
    ///
    /// # Errors
    /// It is none, or not on the curve.
    pub fn p256(x: &str, y: &str) -> Result<Self, Fault> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = EcKey::from_public_key_affine_coordinates(&group, &*BigNum::from_slice(&decoded(x)?)?, &*BigNum::from_slice(&decoded(y)?)?)?;
        key.check_key()?;
        Ok(Self::P256(key))
    }
}

/// Octets in the alphabet of tokens and addresses, without padding.
#[must_use]
pub fn encoded(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// A user and a secret for HTTP's `Basic`.
#[must_use]
pub fn basic(pair: &[u8]) -> String {
    STANDARD.encode(pair)
}

fn decoded(text: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::new("a part that is no base64url"))
}

/// A provider of the tests' own.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod made {
    use openssl::pkey::Private;

    use super::*;

    /// Its key.
    pub(crate) struct Maker(EcKey<Private>);

    impl Maker {
        /// A new one on P-256.
        pub(crate) fn new() -> Self {
            Self(EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap().as_ref()).unwrap())
        }

        /// The JWK's `x` and `y`.
        pub(crate) fn point(&self) -> (String, String) {
            let (mut x, mut y, mut context) = (BigNum::new().unwrap(), BigNum::new().unwrap(), openssl::bn::BigNumContext::new().unwrap());
            self.0.public_key().affine_coordinates(self.0.group(), &mut x, &mut y, &mut context).unwrap();
            (encoded(&x.to_vec_padded(32).unwrap()), encoded(&y.to_vec_padded(32).unwrap()))
        }

        /// A token with this header and these claims, signed by ES256 whatever the header says.
        pub(crate) fn token(&self, header: &str, claims: &str) -> String {
            let signed = format!("{}.{}", encoded(header.as_bytes()), encoded(claims.as_bytes()));
            let signature = EcdsaSig::sign(&openssl::sha::sha256(signed.as_bytes()), &self.0).unwrap();
            let octets = [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()].concat();
            format!("{signed}.{}", encoded(&octets))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    // RFC 7515, appendix A.3: a token and its key.
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    #[test]
    fn the_standards_own_token_verifies_and_a_changed_one_does_not() {
        let key = VerifyingKey::p256(X, Y).unwrap();
        let token = Compact::read(TOKEN).unwrap();
        assert!(token.is_by(&key) && token.header == br#"{"alg":"ES256"}"#);
        let changed = TOKEN.replacen("eyJpc3Mi", "eyJpc3Mj", 1);
        assert!(!Compact::read(&changed).unwrap().is_by(&key));
        let shorter = TOKEN.get(..TOKEN.len() - 4).unwrap();
        for none in [shorter, "", "a", "a.b", "a.b.c.d", "!.!.!", ".."] {
            assert!(!Compact::read(none).is_ok_and(|token| token.is_by(&key)), "{none}");
        }
        assert!(VerifyingKey::p256(Y, X).is_err(), "not on the curve");
        assert!(VerifyingKey::rsa("AQAB", "AQAB").is_err(), "far too small");
    }
}
