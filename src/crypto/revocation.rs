//! What an issuer says of its certificates after it issued them: revocation lists (RFC 5280 §5) and OCSP answers (RFC 6960), read and verified. Pure: the octets and the time
//! are given; fetching them, and what is done when they cannot be had, is the adapter's business.

use std::str::FromStr;

use openssl::asn1::{Asn1GeneralizedTimeRef, Asn1Time};
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspRequest, OcspResponse, OcspResponseStatus, OcspRevokedStatus};
use openssl::stack::Stack;
use openssl::x509::{CrlReason, CrlStatus, ReasonCode, X509, X509Crl, X509CrlRef};

use super::Fault;
use super::certificate::{Certificate, moment};
use super::trust::TrustAnchors;
use crate::domain::time::Moment;

/// The largest revocation list read, in octets: a hundred thousand entries with reasons are about 4 MB.
pub const LIST_OCTETS: usize = 32 * 1024 * 1024;
/// The largest OCSP answer read, in octets: one certificate with the responder's own is about 3,000.
pub const ANSWER_OCTETS: usize = 64 * 1024;
/// How far the issuer's clock may be from ours.
const SKEW: std::time::Duration = std::time::Duration::from_secs(300);
/// How long an OCSP answer counts that does not say when the next comes: RFC 6960 §4.2.2.1 says newer information is always to be had.
const WITHOUT_NEXT: std::time::Duration = std::time::Duration::from_secs(300);

/// What is known of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The issuer knows it and has not revoked it.
    Good,
    /// The issuer has revoked it.
    Revoked {
        /// Since when.
        at: Moment,
        /// Only suspended (certificateHold): it may come back.
        hold: bool,
    },
    /// The issuer says that it never issued such a certificate.
    Foreign,
    /// The issuer could not be asked.
    Unknown,
    /// The site has neither lists nor a responder.
    NotAsked,
}

/// The revocation lists at hand, each signed by an authority that the site trusts.
pub struct RevocationLists(Vec<List>);

struct List {
    crl: X509Crl,
    from: Moment,
    next: Moment,
}

impl RevocationLists {
    /// Reads files of lists: one in DER, or any number in PEM. Of two lists of one authority the newer counts.
    ///
    /// # Errors
    /// A file that is no list; a list that no trusted authority with cRLSign signed; one that covers a part of an authority's certificates only; one that does not say when the
    /// next comes.
    pub fn read(files: &[Vec<u8>], anchors: &TrustAnchors) -> Result<Self, Fault> {
        let mut lists: Vec<List> = Vec::new();
        for octets in files {
            for crl in parse(octets)? {
                let list = List::of(crl, anchors)?;
                match lists.iter_mut().find(|known| same_issuer(&known.crl, &list.crl)) {
                    Some(known) if known.from < list.from => *known = list,
                    Some(_) => {}
                    None => lists.push(list),
                }
            }
        }
        Ok(Self(lists))
    }

    /// The trusted authorities of which no list is at hand, by common name. What they issue could not be judged.
    #[must_use]
    pub fn missing<'t>(&self, anchors: &'t TrustAnchors) -> Vec<&'t str> {
        let lacks = |authority: &&Certificate| !self.0.iter().any(|list| list.is_of(authority));
        anchors.authorities().filter(lacks).map(|authority| authority.subject().unwrap_or("an authority without a name")).collect()
    }

    /// When the first of the lists is due to be replaced; `None` without lists.
    #[must_use]
    pub fn due(&self) -> Option<Moment> {
        self.0.iter().map(|list| list.next).min()
    }

    /// From when until when the issuer's list is; `None` without one.
    #[must_use]
    pub fn span_of(&self, issuer: &Certificate) -> Option<(Moment, Moment)> {
        self.0.iter().find(|list| list.is_of(issuer)).map(|list| (list.from, list.next))
    }

    /// What the issuer's list says. `grace` is how long after its `nextUpdate` a list still counts.
    #[must_use]
    pub fn status(&self, certificate: &Certificate, issuer: &Certificate, at: Moment, grace: std::time::Duration) -> Status {
        let list = self.0.iter().find(|list| list.is_of(issuer));
        let Some(list) = list.filter(|list| list.from <= at.plus(SKEW) && at <= list.next.plus(grace)) else { return Status::Unknown };
        match list.crl.get_by_cert(&certificate.x509) {
            CrlStatus::NotRevoked | CrlStatus::RemoveFromCrl(_) => Status::Good,
            CrlStatus::Revoked(entry) => {
                let reason = entry.extension::<ReasonCode>().ok().flatten().and_then(|(_, reason)| reason.get_i64().ok());
                // A date that cannot be read is no reason to believe the certificate.
                let at = moment(entry.revocation_date()).unwrap_or_else(|_| Moment::from_micros(i64::MIN));
                Status::Revoked { at, hold: reason == Some(i64::from(CrlReason::CERTIFICATE_HOLD.as_raw())) }
            }
        }
    }
}

impl std::fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RevocationLists({})", self.0.len())
    }
}

impl List {
    fn of(crl: X509Crl, anchors: &TrustAnchors) -> Result<Self, Fault> {
        let signed = |authority: &&Certificate| {
            let named = authority.x509.subject_name().try_cmp(crl.issuer_name()).is_ok_and(|order| order.is_eq());
            named && authority.usage().list_sign && authority.x509.public_key().is_ok_and(|key| crl.verify(&key).unwrap_or(false))
        };
        if anchors.authorities().find(signed).is_none() {
            return Err(Fault::new("a revocation list that none of the trusted authorities signed (with cRLSign)"));
        }
        if is_partial(&crl.to_der()?) {
            return Err(Fault::new("a revocation list that covers a part of the certificates only (a delta, or one of several)"));
        }
        let next = crl.next_update().ok_or_else(|| Fault::new("a revocation list that does not say when the next one comes"))?;
        let (from, next) = (moment(crl.last_update())?, moment(next)?);
        Ok(Self { crl, from, next })
    }

    fn is_of(&self, authority: &Certificate) -> bool {
        let named = authority.x509.subject_name().try_cmp(self.crl.issuer_name()).is_ok_and(|order| order.is_eq());
        named && authority.x509.public_key().is_ok_and(|key| self.crl.verify(&key).unwrap_or(false))
    }
}

fn same_issuer(a: &X509CrlRef, b: &X509CrlRef) -> bool {
    a.issuer_name().try_cmp(b.issuer_name()).is_ok_and(|order| order.is_eq())
}

fn parse(octets: &[u8]) -> Result<Vec<X509Crl>, Fault> {
    const BEGIN: &str = "-----BEGIN X509 CRL-----";
    if octets.len() > LIST_OCTETS {
        return Err(Fault::new(format!("a revocation list of more than {LIST_OCTETS} octets")));
    }
    match std::str::from_utf8(octets).ok().filter(|text| text.contains(BEGIN)) {
        None => Ok(vec![X509Crl::from_der(octets)?]),
        Some(text) => text.match_indices(BEGIN).map(|(at, _)| Ok(X509Crl::from_pem(text.get(at..).unwrap_or_default().as_bytes())?)).collect(),
    }
}

/// Whether the list says that it is a delta, or that it covers more or less than the certificates its issuer gave to end entities.
fn is_partial(der: &[u8]) -> bool {
    // id-ce-deltaCRLIndicator and id-ce-issuingDistributionPoint (RFC 5280 §5.2.4, §5.2.5), as DER writes them.
    const DELTA: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x1b];
    const POINT: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x1c];
    let after = |object: [u8; 5]| der.windows(object.len()).position(|w| w == object).and_then(|at| der.get(at + object.len()..));
    if after(DELTA).is_some() {
        return true;
    }
    let Some(rest) = after(POINT) else { return false };
    let rest = rest.strip_prefix(&[0x01, 0x01, 0xff]).unwrap_or(rest);
    // OCTET STRING { SEQUENCE { [0] the point's name, [1] only end entities, and others that make it partial } }
    let point = element(rest).filter(|(tag, _, _)| *tag == 0x04).and_then(|(_, value, _)| element(value)).filter(|(tag, _, _)| *tag == 0x30);
    let Some((_, mut fields, _)) = point else { return true };
    while let Some((tag, _, rest)) = element(fields) {
        if !matches!(tag, 0xa0 | 0x81) {
            return true;
        }
        fields = rest;
    }
    !fields.is_empty()
}

/// One DER element: its tag, its value, and what follows.
pub(super) fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f)).filter(|(octets, _)| (1..=4).contains(&octets.len()))?;
        (octets.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet)), rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// The question to an OCSP responder: one certificate, without a nonce, for responders prepare their answers ahead (RFC 5019); freshness is judged by the answer's times.
///
/// # Errors
/// When OpenSSL refuses.
pub fn ocsp_question(certificate: &Certificate, issuer: &Certificate) -> Result<Vec<u8>, Fault> {
    let mut request = OcspRequest::new()?;
    request.add_id(certificate_id(certificate, issuer)?)?;
    Ok(request.to_der()?)
}

/// Reads an OCSP answer about one certificate; gives its status and until when that may be remembered.
///
/// # Errors
/// No answer, an answer that the issuer (or a responder it delegated to) did not sign, one about another certificate, or one that is not current.
pub fn ocsp_answer(answer: &[u8], certificate: &Certificate, issuer: &Certificate, anchors: &TrustAnchors, at: Moment) -> Result<(Status, Moment), Fault> {
    if answer.len() > ANSWER_OCTETS {
        return Err(Fault::new("an OCSP answer that is too large"));
    }
    let response = OcspResponse::from_der(answer)?;
    if response.status() != OcspResponseStatus::SUCCESSFUL {
        return Err(Fault::new(format!("the OCSP responder answers with status {}", response.status().as_raw())));
    }
    let basic = response.basic()?;
    let mut known: Stack<X509> = Stack::new()?;
    for authority in anchors.authorities() {
        known.push(authority.x509.clone())?;
    }
    // Without flags OpenSSL asks that the signer be the issuer itself, or have the issuer's certificate with the OCSPSigning purpose.
    let store = anchors.store_at(at)?;
    basic.verify(&known, &store, OcspFlag::empty())?;
    let id = certificate_id(certificate, issuer)?;
    let found = basic.find_status(&id).ok_or_else(|| Fault::new("the OCSP answer is about another certificate"))?;
    let from = generalized(found.this_update)?;
    let until = found.next_update().map(generalized).transpose()?.unwrap_or_else(|| from.plus(WITHOUT_NEXT));
    if from > at.plus(SKEW) || until.plus(SKEW) < at {
        return Err(Fault::new("the OCSP answer is not of today"));
    }
    let status = if found.status == OcspCertStatus::GOOD {
        Status::Good
    } else if found.status == OcspCertStatus::REVOKED {
        let since = found.revocation_time.map_or(Ok(from), generalized)?;
        Status::Revoked { at: since, hold: found.reason == OcspRevokedStatus::STATUS_CERTIFICATE_HOLD }
    } else {
        Status::Foreign
    };
    Ok((status, until))
}

/// SHA-1 here is the name of the issuer in a question, as RFC 5019 wants it; nothing is signed with it.
fn certificate_id(certificate: &Certificate, issuer: &Certificate) -> Result<OcspCertId, Fault> {
    Ok(OcspCertId::from_cert(MessageDigest::sha1(), &certificate.x509, &issuer.x509)?)
}

/// OpenSSL gives these times as words only: `Nov 22 07:40:00 2026 GMT`.
fn generalized(time: &Asn1GeneralizedTimeRef) -> Result<Moment, Fault> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words = time.to_string();
    let parts: Vec<&str> = words.split_ascii_whitespace().collect();
    let read = || {
        let [month, day, clock, year, "GMT"] = parts.as_slice() else { return None };
        let month = MONTHS.iter().position(|name| name == month)? + 1;
        let (day, year) = (u8::from_str(day).ok()?, u16::from_str(year).ok()?);
        let clock: String = clock.chars().filter(|c| *c != ':').take(6).collect();
        let time = Asn1Time::from_str(&format!("{year:04}{month:02}{day:02}{clock}Z")).ok()?;
        moment(&time).ok()
    };
    read().ok_or_else(|| Fault::new("an OCSP time that cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_lists_are_known_by_their_extensions() {
        let with = |extension: &[u8]| [b"0123".as_slice(), extension, b"456"].concat();
        assert!(!is_partial(&with(&[])));
        assert!(is_partial(&with(&[0x06, 0x03, 0x55, 0x1d, 0x1b, 0x01, 0x01, 0xff, 0x04, 0x03, 0x02, 0x01, 0x01])), "a delta");
        let point = |fields: &[u8]| {
            let length = u8::try_from(fields.len()).unwrap_or(0);
            with(&[&[0x06, 0x03, 0x55, 0x1d, 0x1c, 0x01, 0x01, 0xff, 0x04, length + 2, 0x30, length], fields].concat())
        };
        assert!(!is_partial(&point(&[0xa0, 0x02, 0x05, 0x00])), "a list's own name");
        assert!(!is_partial(&point(&[0x81, 0x01, 0xff])), "of end entities");
        for partial in [0x82, 0x83, 0x84, 0x85] {
            assert!(is_partial(&point(&[partial, 0x01, 0xff])), "{partial:x}");
        }
        assert!(is_partial(&with(&[0x06, 0x03, 0x55, 0x1d, 0x1c, 0x04])), "cut short");
    }
}
