//! Whose certificate a signed token says it was signed with: the signing-certificate attribute of RFC 5035 (ESSCertIDv2) and RFC 2634 (ESSCertID), which RFC 3161 §2.4.2 asks of every
//! time stamp. Without it a token would verify just as well under another certificate for the same key, with another name, use or end.

use openssl::hash::{MessageDigest, hash};
use openssl::x509::X509;

use super::Fault;
use super::revocation::element;

/// How many certificates a token may bring: the signer's and its chain are four at most.
const CERTIFICATES: usize = 16;

/// id-aa-signingCertificateV2, id-aa-signingCertificate.
const VERSION_2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
const VERSION_1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
/// id-sha256, id-sha384, id-sha512: all but the last octet.
const SHA_2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// Whether the one signer of a CMS `SignedData` says, under its signature, that it signed with the certificate which the token brings for it. That the signature verifies is asked elsewhere.
///
/// # Errors
/// What does not fit: no signer or several, no certificate of it, no such attribute, or another certificate's hash in it.
pub fn fits(token: &[u8]) -> Result<(), Fault> {
    let parts = Parts::read(token).ok_or_else(|| Fault::new("the token's signer cannot be read"))?;
    let signer = parts.certificate()?.ok_or_else(|| Fault::new("the token does not bring its signer's certificate"))?;
    let mut said = false;
    for (kind, value) in parts.attributes {
        let named = match kind {
            VERSION_2 => first_of(value).and_then(named_2),
            VERSION_1 => first_of(value).and_then(named_1),
            _ => continue,
        };
        let (digest, expected) = named.ok_or_else(|| Fault::new("the token names its signer's certificate in a way that cannot be read"))?;
        if hash(digest, signer)?.as_ref() != expected {
            return Err(Fault::new("the token was signed with another certificate than it says"));
        }
        said = true;
    }
    if said { Ok(()) } else { Err(Fault::new("the token does not say which certificate it was signed with")) }
}

/// What is needed of a `SignedData` (RFC 5652 §5).
struct Parts<'t> {
    certificates: Vec<&'t [u8]>,
    /// `SignerInfo.sid`: its tag and content.
    signer: (u8, &'t [u8]),
    /// The signed attributes: type, and the octets of the one value.
    attributes: Vec<(&'t [u8], &'t [u8])>,
}

impl<'t> Parts<'t> {
    fn read(token: &'t [u8]) -> Option<Self> {
        let (0x30, content, []) = element(token)? else { return None };
        let (0x06, _, content) = element(content)? else { return None };
        let (0xa0, content, []) = element(content)? else { return None };
        let (0x30, data, []) = element(content)? else { return None };
        let (0x02, _, data) = element(data)? else { return None };
        let (0x31, _, data) = element(data)? else { return None };
        let (0x30, _, mut data) = element(data)? else { return None };
        let mut certificates = Vec::new();
        if let Some((0xa0, all, rest)) = element(data) {
            certificates = elements(all, 0x30)?;
            data = rest;
        }
        if let Some((0xa1, _, rest)) = element(data) {
            data = rest;
        }
        let (0x31, signers, []) = element(data)? else { return None };
        let (0x30, signer, []) = element(signers)? else { return None };
        let (0x02, _, signer) = element(signer)? else { return None };
        let (kind, sid, signer) = element(signer)?;
        let (0x30, _, signer) = element(signer)? else { return None };
        let (0xa0, signed, _) = element(signer)? else { return None };
        let mut attributes = Vec::new();
        for attribute in elements(signed, 0x30)? {
            let (0x30, attribute, []) = element(attribute)? else { return None };
            let (0x06, kind, values) = element(attribute)? else { return None };
            let (0x31, value, []) = element(values)? else { return None };
            attributes.push((kind, value));
        }
        Some(Self { certificates, signer: (kind, sid), attributes })
    }

    /// The certificate that `sid` means: by issuer and number, or by its key's identifier.
    fn certificate(&self) -> Result<Option<&'t [u8]>, Fault> {
        for der in &self.certificates {
            let certificate = X509::from_der(der)?;
            let is_it = match self.signer {
                (0x30, sid) => {
                    let number = certificate.serial_number().to_bn()?.to_vec();
                    let issuer = certificate.issuer_name().to_der()?;
                    let serial = sid.strip_prefix(issuer.as_slice()).and_then(element);
                    serial.is_some_and(|(tag, value, rest)| tag == 0x02 && rest.is_empty() && value.strip_prefix(&[0]).unwrap_or(value) == number)
                }
                (0x80, sid) => certificate.subject_key_id().is_some_and(|id| id.as_slice() == sid),
                _ => false,
            };
            if is_it {
                return Ok(Some(der));
            }
        }
        Ok(None)
    }
}

/// The elements of a sequence, whole, of which each must have this tag.
fn elements(mut octets: &[u8], tag: u8) -> Option<Vec<&[u8]>> {
    let mut all = Vec::new();
    while !octets.is_empty() {
        let (found, _, rest) = element(octets)?;
        if found != tag || all.len() >= CERTIFICATES {
            return None;
        }
        all.push(octets.get(..octets.len() - rest.len())?);
        octets = rest;
    }
    Some(all)
}

/// The first identifier in the attribute: the signer's own; others may name its chain.
fn first_of(value: &[u8]) -> Option<&[u8]> {
    let (0x30, signing, []) = element(value)? else { return None };
    let (0x30, identifiers, _) = element(signing)? else { return None };
    let (0x30, first, _) = element(identifiers)? else { return None };
    Some(first)
}

/// ESSCertIDv2: the algorithm is SHA-256 where none is named.
fn named_2(identifier: &[u8]) -> Option<(MessageDigest, &[u8])> {
    let (tag, value, rest) = element(identifier)?;
    if tag == 0x04 {
        return Some((MessageDigest::sha256(), value));
    }
    let (0x30, 0x06, name) = (tag, *value.first()?, element(value)?.1) else { return None };
    let digest = match name.strip_prefix(SHA_2)? {
        [1] => MessageDigest::sha256(),
        [2] => MessageDigest::sha384(),
        [3] => MessageDigest::sha512(),
        _ => return None,
    };
    let (0x04, value, _) = element(rest)? else { return None };
    Some((digest, value))
}

/// ESSCertID: SHA-1 and nothing else. To sign under one certificate and name another takes a second certificate with the same SHA-1, which nobody can make to order.
fn named_1(identifier: &[u8]) -> Option<(MessageDigest, &[u8])> {
    let (0x04, value, _) = element(identifier)? else { return None };
    Some((MessageDigest::sha1(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_is_no_token() {
        for cut in [&[][..], &[0x30], &[0x30, 0x02, 0x06, 0x00], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert!(fits(cut).is_err());
        }
        assert!(elements(&[0x30, 0x00, 0x31, 0x00], 0x30).is_none());
        assert_eq!(elements(&[0x30, 0x00, 0x30, 0x00], 0x30).map(|e| e.len()), Some(2));
        assert!(named_2(&[0x30, 0x00]).is_none());
    }
}
