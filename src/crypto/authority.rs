//! A certificate authority for demo, samples and tests. Whatever it makes is named [`TEST_CA`], and production refuses it.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Builder, X509Name};

use super::Fault;
use super::certificate::{Certificate, TEST_CA};
use super::key::SigningKey;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;

/// The size of the keys made, in bits.
pub const BITS: u32 = 2048;

/// A test CA: key and certificate.
pub struct Authority {
    key: PKey<Private>,
    x509: X509,
    bits: u32,
    elliptic: bool,
}

/// A key with its certificate, as PEM files would hold them.
pub struct Issued {
    /// PKCS#8, unencrypted.
    pub key_pem: Vec<u8>,
    /// The certificate.
    pub certificate_pem: Vec<u8>,
}

/// From when until when a certificate is valid.
#[derive(Debug, Clone, Copy)]
pub struct Validity {
    /// First second.
    pub from: Moment,
    /// Last second.
    pub until: Moment,
}

impl Authority {
    /// Makes a CA whose name begins with "ARKKI TEST CA"; `name` follows it (may be empty).
    ///
    /// # Errors
    /// When OpenSSL refuses.
    pub fn make(name: &str, valid: Validity) -> Result<Self, Fault> {
        Self::make_with_bits(name, valid, BITS)
    }

    /// As [`Self::make`], with keys of this size here and in what it issues.
    ///
    /// # Errors
    /// When OpenSSL refuses.
    pub fn make_with_bits(name: &str, valid: Validity, bits: u32) -> Result<Self, Fault> {
        let key = PKey::from_rsa(Rsa::generate(bits)?)?;
        let subject = name_of(&[(Nid::COUNTRYNAME, "FI"), (Nid::ORGANIZATIONNAME, "ARKKI TEST"), (Nid::COMMONNAME, format!("{TEST_CA} {name}").trim_end())])?;
        let mut builder = begin(&subject, &subject, &key, valid)?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        let own = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(own)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self { key, x509: builder.build(), bits, elliptic: false })
    }

    /// Reads back a CA that was kept as PEM.
    ///
    /// # Errors
    /// What cannot be read, or is no test CA.
    pub fn from_pem(key_pem: &[u8], certificate_pem: &[u8]) -> Result<Self, Fault> {
        let key = PKey::private_key_from_pem_callback(key_pem, |_| Ok(0))?;
        let x509 = X509::from_pem(certificate_pem)?;
        if !Certificate::from_x509(x509.clone())?.is_arkki_test() {
            return Err(Fault::new("not a test CA made by Arkki"));
        }
        Ok(Self { bits: key.bits(), key, x509, elliptic: false })
    }

    /// The same CA, issuing RSA keys of this size from now on.
    #[must_use]
    pub fn issuing(self, bits: u32) -> Self {
        Self { bits, elliptic: false, ..self }
    }

    /// The same CA, issuing keys on P-256 from now on.
    #[must_use]
    pub fn issuing_elliptic(self) -> Self {
        Self { elliptic: true, ..self }
    }

    /// The CA's certificate and key as PEM.
    ///
    /// # Errors
    /// When OpenSSL refuses.
    pub fn to_pem(&self) -> Result<Issued, Fault> {
        Ok(Issued { key_pem: self.key.private_key_to_pem_pkcs8()?, certificate_pem: self.x509.to_pem()? })
    }

    /// A system's key and certificate (documents.md §4.4): `serialNumber` is the organisation unit's OID; digitalSignature and nonRepudiation.
    ///
    /// # Errors
    /// When OpenSSL refuses (a name of more than 64 characters, for one).
    pub fn system(&self, organisation: &str, unit: &Oid, name: &str, valid: Validity) -> Result<Issued, Fault> {
        let subject = [(Nid::COUNTRYNAME, "FI"), (Nid::ORGANIZATIONNAME, organisation), (Nid::SERIALNUMBER, unit.as_str()), (Nid::COMMONNAME, name)];
        self.issue(&subject, KeyUsage::new().critical().digital_signature().non_repudiation(), valid)
    }

    /// A professional's key and certificate (documents.md §4.4): `serialNumber` is the registration number; nonRepudiation only.
    ///
    /// # Errors
    /// When OpenSSL refuses (a name of more than 64 characters, for one).
    pub fn professional(&self, given: &str, family: &str, registration: &str, valid: Validity) -> Result<Issued, Fault> {
        let common = format!("{family} {given} {registration}");
        let subject = [
            (Nid::COUNTRYNAME, "FI"),
            (Nid::TITLE, "251 sosionomi, socionom"),
            (Nid::SERIALNUMBER, registration),
            (Nid::GIVENNAME, given),
            (Nid::SURNAME, family),
            (Nid::COMMONNAME, &common),
        ];
        self.issue(&subject, KeyUsage::new().critical().non_repudiation(), valid)
    }

    fn issue(&self, subject: &[(Nid, &str)], usage: &mut KeyUsage, valid: Validity) -> Result<Issued, Fault> {
        let key = if self.elliptic {
            PKey::from_ec_key(EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?.as_ref())?)?
        } else {
            PKey::from_rsa(Rsa::generate(self.bits)?)?
        };
        let mut builder = begin(&name_of(subject)?, &self.x509.subject_name().to_owned()?, &key, valid)?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        builder.append_extension(usage.build()?)?;
        let context = builder.x509v3_context(Some(&self.x509), None);
        let (own, issuer) = (SubjectKeyIdentifier::new().build(&context)?, AuthorityKeyIdentifier::new().keyid(true).build(&context)?);
        builder.append_extension(own)?;
        builder.append_extension(issuer)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok(Issued { key_pem: key.private_key_to_pem_pkcs8()?, certificate_pem: builder.build().to_pem()? })
    }
}

impl Issued {
    /// Key and certificate, read back.
    ///
    /// # Errors
    /// When OpenSSL refuses.
    pub fn open(&self) -> Result<(SigningKey, Certificate), Fault> {
        let key = PKey::private_key_from_pem_callback(&self.key_pem, |_| Ok(0))?;
        Ok((SigningKey::from_key(key)?, Certificate::from_pem(&self.certificate_pem)?))
    }
}

fn begin(subject: &X509Name, issuer: &X509Name, key: &PKey<Private>, valid: Validity) -> Result<X509Builder, Fault> {
    // 127 random bits, as CAs do, so that no two certificates of one name share a number.
    let mut number = BigNum::new()?;
    number.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let number: Asn1Integer = number.to_asn1_integer()?;
    builder.set_serial_number(&number)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    let (from, until) = (Asn1Time::from_unix(valid.from.seconds())?, Asn1Time::from_unix(valid.until.seconds())?);
    builder.set_not_before(&from)?;
    builder.set_not_after(&until)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}

fn name_of(entries: &[(Nid, &str)]) -> Result<X509Name, Fault> {
    let mut name = X509Name::builder()?;
    for (kind, text) in entries {
        name.append_entry_by_nid(*kind, text)?;
    }
    Ok(name.build())
}
