//! X.509 certificates: what Arkki reads out of one. Whether it is trusted is `trust`'s question.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::x509::{X509, X509KeyUsage, X509NameRef};

use super::Fault;
use super::algorithm::Algorithm;
use crate::domain::digest::Digest;
use crate::domain::time::Moment;

/// The largest certificate taken, in octets: real ones with a 4096-bit key are about 2,000, with long policies 4,000.
pub const CERTIFICATE_OCTETS: usize = 16 * 1024;
/// The smallest RSA modulus trusted, in bits (documents.md §4.4: 3072 and 4096 are in use, 2048 in test material).
pub const RSA_BITS_LEAST: u32 = 2048;
/// The largest RSA modulus taken, in bits: one verification with 16384 bits costs as much as fifty with 2048.
pub const RSA_BITS_MOST: u32 = 8192;
/// The longest RSA public exponent taken, in bits: everyone uses 65537; a long one makes each verification as dear as a signature.
const RSA_EXPONENT_BITS: i32 = 33;
/// How the name of every CA that Arkki makes for itself begins; production refuses it.
pub const TEST_CA: &str = "ARKKI TEST CA";

/// A certificate and the facts in it.
#[derive(Clone)]
pub struct Certificate {
    pub(super) x509: X509,
    key: Option<PKey<Public>>,
    der: Vec<u8>,
    fingerprint: Digest,
    serial: Option<String>,
    organisation: Option<String>,
    subject: Option<String>,
    issuer: Option<String>,
    not_before: Moment,
    not_after: Moment,
    usage: Usage,
}

/// What the `keyUsage` extension allows; nothing where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// digitalSignature.
    pub digital_signature: bool,
    /// nonRepudiation (contentCommitment).
    pub non_repudiation: bool,
    /// keyCertSign.
    pub certificate_sign: bool,
    /// cRLSign.
    pub list_sign: bool,
}

impl Certificate {
    /// Reads one DER certificate with nothing behind it.
    ///
    /// # Errors
    /// Too large, or no certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, Fault> {
        if der.len() > CERTIFICATE_OCTETS {
            return Err(Fault::new(format!("a certificate of more than {CERTIFICATE_OCTETS} octets")));
        }
        let certificate = Self::from_x509(X509::from_der(der)?)?;
        if certificate.der != der {
            return Err(Fault::new("the certificate is followed by other octets, or is not in DER"));
        }
        Ok(certificate)
    }

    /// Reads every certificate of a PEM file, in its order; there must be at least one.
    ///
    /// # Errors
    /// No certificate, or one that cannot be read.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>, Fault> {
        let all = X509::stack_from_pem(pem)?.into_iter().map(Self::from_x509).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() { Err(Fault::new("no BEGIN CERTIFICATE in it")) } else { Ok(all) }
    }

    /// Reads the first certificate of a PEM file.
    ///
    /// # Errors
    /// As [`Self::all_from_pem`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, Fault> {
        Self::all_from_pem(pem)?.into_iter().next().ok_or_else(|| Fault::new("no certificate"))
    }

    pub(super) fn from_x509(x509: X509) -> Result<Self, Fault> {
        let der = x509.to_der()?;
        let usage = x509.key_usage().map_or(Usage::default(), |u| Usage {
            digital_signature: u.contains(X509KeyUsage::DIGITAL_SIGNATURE),
            non_repudiation: u.contains(X509KeyUsage::NON_REPUDIATION),
            certificate_sign: u.contains(X509KeyUsage::KEY_CERT_SIGN),
            list_sign: u.contains(X509KeyUsage::CRL_SIGN),
        });
        Ok(Self {
            fingerprint: super::sha256(&der),
            key: x509.public_key().ok().filter(|key| is_bounded_rsa(key) || order_octets(key).is_some()),
            serial: entry(x509.subject_name(), Nid::SERIALNUMBER),
            organisation: entry(x509.subject_name(), Nid::ORGANIZATIONNAME),
            subject: entry(x509.subject_name(), Nid::COMMONNAME),
            issuer: entry(x509.issuer_name(), Nid::COMMONNAME),
            not_before: moment(x509.not_before())?,
            not_after: moment(x509.not_after())?,
            usage,
            der,
            x509,
        })
    }

    /// The octets.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the octets.
    #[must_use]
    pub const fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The subject's `serialNumber`: an organisation unit's OID or a professional's registration number (documents.md §4.4). `None` when there is none or more than one.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }

    /// The subject's common name, for operators: a system's or a CA's; never shown for a professional.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The issuer's common name.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// When it begins to be valid.
    #[must_use]
    pub const fn not_before(&self) -> Moment {
        self.not_before
    }

    /// The last second in which it is valid.
    #[must_use]
    pub const fn not_after(&self) -> Moment {
        self.not_after
    }

    /// What its key may be used for.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether this is a CA that Arkki made for itself (demo, samples, tests), or comes from one: nothing that production may trust or sign with.
    #[must_use]
    pub fn is_arkki_test(&self) -> bool {
        [&self.subject, &self.issuer].into_iter().flatten().any(|name| name.starts_with(TEST_CA))
    }

    /// Whether the key is one a profile can use: RSA of 2048–8192 bits with an ordinary exponent, or on P-256 or P-384.
    #[must_use]
    pub const fn has_usable_key(&self) -> bool {
        self.key.is_some()
    }

    /// The algorithm its key signs with; `None` for a key that no profile can use.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.key.as_ref().map(|key| if key.id() == Id::EC { Algorithm::EcdsaSha256 } else { Algorithm::RsaSha256 })
    }

    /// The size of its key in bits; 0 for one that cannot be used.
    #[must_use]
    pub fn key_bits(&self) -> u32 {
        self.key.as_ref().map_or(0, |key| key.bits())
    }

    /// The subject's organisation.
    #[must_use]
    pub fn organisation(&self) -> Option<&str> {
        self.organisation.as_deref()
    }

    /// Its number at its issuer, in hexadecimal.
    #[must_use]
    pub fn number(&self) -> String {
        self.x509.serial_number().to_bn().and_then(|n| n.to_hex_str()).map_or_else(|_| String::new(), |hex| hex.to_string())
    }

    /// Whether `value` is this key's signature over octets with this SHA-256: PKCS#1 v1.5 of an RSA key, `r` and `s` of an elliptic one. The certificate's key
    /// decides which, never the message, so that no value is tried under an algorithm its key is not for.
    #[must_use]
    pub fn verifies(&self, digest: &Digest, value: &[u8]) -> bool {
        let Some(key) = &self.key else { return false };
        let verify = || -> Result<bool, openssl::error::ErrorStack> {
            if let Some(order) = order_octets(key) {
                let Some((r, s)) = value.split_at_checked(order).filter(|(_, s)| s.len() == order) else { return Ok(false) };
                let pair = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
                let elliptic = key.ec_key()?;
                return pair.verify(&digest.0, &elliptic);
            }
            if value.len() != key.size() {
                return Ok(false);
            }
            let mut context = PkeyCtx::new(key)?;
            context.verify_init()?;
            context.set_rsa_padding(Padding::PKCS1)?;
            context.set_signature_md(openssl::md::Md::sha256())?;
            context.verify(&digest.0, value)
        };
        verify().unwrap_or(false)
    }

    /// Whether this is the certificate of the authority that issued `other`: the name fits and the signature verifies.
    pub(super) fn issued(&self, other: &Self) -> bool {
        let named = self.x509.subject_name().try_cmp(other.x509.issuer_name()).is_ok_and(|order| order.is_eq());
        named && self.x509.public_key().is_ok_and(|key| other.x509.verify(&key).unwrap_or(false))
    }

    pub(super) fn holds<T: openssl::pkey::HasPublic>(&self, key: &PKey<T>) -> bool {
        self.key.as_ref().is_some_and(|own| own.public_eq(key))
    }

    /// Whether it may issue others: `basicConstraints` with cA, and keyCertSign. Asked only of certificates that the site's own configuration names.
    pub(super) fn is_authority(&self) -> bool {
        // id-ce-basicConstraints, critical or not, then a SEQUENCE that begins with BOOLEAN TRUE (X.690: DER writes it in exactly these octets).
        const CONSTRAINTS: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x13];
        const TRUE: [u8; 3] = [0x01, 0x01, 0xff];
        let says_ca = self.der.windows(CONSTRAINTS.len()).enumerate().filter(|(_, w)| *w == CONSTRAINTS).any(|(at, _)| {
            let rest = self.der.get(at + CONSTRAINTS.len()..).unwrap_or_default();
            let rest = rest.strip_prefix(&TRUE).unwrap_or(rest);
            matches!(rest, [0x04, _, 0x30, _, after @ ..] if after.starts_with(&TRUE))
        });
        says_ca && self.usage.certificate_sign
    }
}

impl std::fmt::Debug for Certificate {
    /// The fingerprint only: a professional's name and number stand in the subject.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.fingerprint)
    }
}

/// How long `r` and `s` of a key on P-256 or P-384 are, in octets; `None` for any other key.
pub(super) fn order_octets<T: HasPublic>(key: &PKey<T>) -> Option<usize> {
    let elliptic = key.ec_key().ok()?;
    match elliptic.group().curve_name() {
        Some(Nid::X9_62_PRIME256V1) => Some(32),
        Some(Nid::SECP384R1) => Some(48),
        _ => None,
    }
}

fn is_bounded_rsa(key: &PKey<Public>) -> bool {
    key.id() == Id::RSA
        && (RSA_BITS_LEAST..=RSA_BITS_MOST).contains(&key.bits())
        && key.rsa().is_ok_and(|rsa| rsa.e().num_bits() <= RSA_EXPONENT_BITS && rsa.e().is_odd() && rsa.e().num_bits() > 1)
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Certificate {}

/// The one entry of this kind in a name.
fn entry(name: &X509NameRef, kind: Nid) -> Option<String> {
    let mut entries = name.entries_by_nid(kind);
    let text = entries.next()?.data().to_string().ok()?;
    entries.next().is_none().then_some(text)
}

pub(super) fn moment(time: &Asn1TimeRef) -> Result<Moment, Fault> {
    let difference = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(Moment::from_seconds(i64::from(difference.days) * 86_400 + i64::from(difference.secs)))
}
