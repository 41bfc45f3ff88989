//! The test authority's keys, as `samples/keys` holds them, and the hands that sign with them.

use super::document::{Organisation, Professional};
use super::signature::{Hand, Hands};
use crate::cda::seal::{self, SealPoint};
use crate::crypto::Fault;
use crate::crypto::authority::{Authority, Issued, Validity};
use crate::crypto::certificate::Certificate;
use crate::crypto::key::SigningKey;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::xml::tree;

/// The test authority's certificate: the trust anchor of samples, demo and tests.
pub const ANCHOR: &str = "ca.pem";
/// The gateway's own test certificate and key.
pub const SYSTEM: [&str; 2] = ["system.pem", "system-key.pem"];

/// 2026-11-21T10:00:00Z: when the samples are signed. RSA with PKCS#1 v1.5 makes the same octets from the same key and time.
pub const SIGNED_AT: Moment = Moment::from_seconds(1_795_255_200);
/// 2026-01-01, from when the test certificates are valid.
const FROM: Moment = Moment::from_seconds(1_767_225_600);
/// 2026-06-01, when the expired one ended.
const ENDED: Moment = Moment::from_seconds(1_780_272_000);
/// 2046-01-01, when the others end.
const UNTIL: Moment = Moment::from_seconds(2_398_377_600);

/// Keys with their certificates, by hand.
pub struct Keys {
    pairs: Vec<(Hand, SigningKey, Vec<u8>)>,
    at: Moment,
}

impl Keys {
    /// Makes a test authority and everything it issues, as file names and PEM. Takes seconds: seven RSA keys.
    ///
    /// # Errors
    /// When OpenSSL refuses, in its words.
    pub fn make() -> Result<Vec<(String, Vec<u8>)>, String> {
        Self::issue().map_err(|fault| fault.to_string())
    }

    fn issue() -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let valid = Validity { from: FROM, until: UNTIL };
        let authority = Authority::make("samples", valid)?;
        let untrusted = Authority::make("nobody trusts", valid)?;
        let Professional { number, given, family } = Professional::SAMPLE;
        let issued = [
            ("ca", authority.to_pem()?),
            (name(Hand::Professional), authority.professional(given, family, number, valid)?),
            (name(Hand::Stranger), authority.professional("Testi", "Toinen", "90000000025", valid)?),
            (name(Hand::Untrusted), untrusted.professional(given, family, number, valid)?),
            (name(Hand::Expired), authority.professional(given, family, number, Validity { from: FROM, until: ENDED })?),
        ];
        let unit = Oid::parse(Organisation::SAMPLE.unit).ok();
        let system = unit.map(|unit| authority.system("Testilan hyvinvointialue TESTI", &unit, "ARKKI TEST gateway", valid)).transpose()?;
        let issued = issued.into_iter().chain(system.map(|system| ("system", system)));
        let files =
            issued.flat_map(|(name, Issued { key_pem, certificate_pem })| [(format!("{name}.pem"), certificate_pem), (format!("{name}-key.pem"), key_pem)]);
        Ok(files.collect())
    }

    /// The hands, from files of the names that [`Keys::make`] gives them. `file` gives a file's octets; a hand whose files it does not have is left out.
    /// Signatures will say that they were made at `at`.
    ///
    /// # Errors
    /// A file that cannot be read as what it should be.
    pub fn read(file: impl Fn(&str) -> Option<Vec<u8>>, at: Moment) -> Result<Self, Fault> {
        let mut pairs = Vec::new();
        for hand in Hand::ALL {
            let name = name(hand);
            if let (Some(certificate), Some(key)) = (file(&format!("{name}.pem")), file(&format!("{name}-key.pem"))) {
                pairs.push((hand, SigningKey::from_pem(&key)?, Certificate::from_pem(&certificate)?.der().to_vec()));
            }
        }
        Ok(Self { pairs, at })
    }
}

impl Hands for Keys {
    fn sign(&self, octets: &[u8], hand: Hand) -> Option<Vec<u8>> {
        let (_, key, certificate) = self.pairs.iter().find(|(h, ..)| *h == hand)?;
        let document = tree::parse(std::str::from_utf8(octets).ok()?).ok()?;
        let point = SealPoint::locate(&document).ok()?;
        seal::sign_professional(octets, &point, key, certificate, self.at).ok().map(|sealed| sealed.octets)
    }
}

/// The files' name without its ending.
const fn name(hand: Hand) -> &'static str {
    match hand {
        Hand::Professional => "professional",
        Hand::Stranger => "stranger",
        Hand::Untrusted => "untrusted",
        Hand::Expired => "expired",
        Hand::Authority => "ca",
    }
}
