//! Trust anchors, and the question whether a signer's certificate led to one of them at the moment of signing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509StoreContext, X509VerifyResult};

use super::Fault;
use super::certificate::{CERTIFICATE_OCTETS, Certificate, moment};
use crate::domain::digest::Digest;
use crate::domain::time::Moment;

/// How many verified certificates are remembered: the professionals who sign on one day at one gateway, about 10 KB each. A full memory is emptied, not sorted:
/// to fill it takes as many certificates of trusted authorities, and what is forgotten costs half a millisecond.
const REMEMBERED: usize = 1024;
/// How many intermediate certificates may stand between a signer and an anchor.
const INTERMEDIATES: i32 = 4;

/// The authorities a site trusts, and the intermediates it knows. Certificates that a message brings along besides the signer's are never used.
pub struct TrustAnchors {
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
    remembered: Mutex<HashMap<Digest, Verified>>,
}

/// A certificate whose chain was verified, and when every link of that chain was valid.
#[derive(Clone)]
struct Verified {
    certificate: Arc<Certificate>,
    from: Moment,
    until: Moment,
}

/// Why a certificate is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// Not a certificate, or too large.
    Unreadable,
    /// No chain to an anchor (unknown issuer, wrong signature, issuer that may not issue, constraint broken).
    Chain,
    /// The chain, or a link of it, was not yet or no longer valid then.
    Validity,
}

impl TrustAnchors {
    /// No anchors: no signature is believed. For offline checks that are given none; a gateway refuses to start so.
    #[must_use]
    pub fn none() -> Self {
        Self { anchors: Vec::new(), intermediates: Vec::new(), remembered: Mutex::default() }
    }

    /// Reads PEM bundles: the anchors (self-signed or not), and intermediates between them and the signers (may be empty).
    ///
    /// # Errors
    /// A bundle that cannot be read, no anchor, or a certificate among them that may not issue certificates.
    pub fn from_pem(anchors: &[u8], intermediates: &[u8]) -> Result<Self, Fault> {
        let anchors = Certificate::all_from_pem(anchors)?;
        let intermediates = if intermediates.trim_ascii().is_empty() { Vec::new() } else { Certificate::all_from_pem(intermediates)? };
        for (i, certificate) in anchors.iter().chain(&intermediates).enumerate() {
            if !certificate.is_authority() {
                return Err(Fault::new(format!("certificate {} is no CA (basicConstraints cA and keyCertSign are needed)", i + 1)));
            }
        }
        Ok(Self { anchors, intermediates, remembered: Mutex::default() })
    }

    /// The same authorities, with nothing remembered: for whoever needs them beside the one that has them.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { anchors: self.anchors.clone(), intermediates: self.intermediates.clone(), remembered: Mutex::default() }
    }

    /// The same anchors, with more intermediates: of these certificates (DER) those that may issue others and are not known yet. What was an intermediate once is so for the
    /// signatures of its days; that it may begin a chain nobody says but the site.
    #[must_use]
    pub fn knowing(&self, more: &[Vec<u8>]) -> Self {
        let mut known = self.again();
        for certificate in more.iter().filter_map(|der| Certificate::from_der(der).ok()).filter(Certificate::is_authority) {
            if !known.authorities().any(|authority| *authority == certificate) {
                known.intermediates.push(certificate);
            }
        }
        known
    }

    /// The anchors.
    #[must_use]
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// Anchors and intermediates: every authority the site knows.
    pub fn authorities(&self) -> impl Iterator<Item = &Certificate> {
        self.anchors.iter().chain(&self.intermediates)
    }

    /// The authority that issued this certificate; `None` for one that none of them did.
    #[must_use]
    pub fn issuer_of(&self, certificate: &Certificate) -> Option<&Certificate> {
        self.authorities().find(|authority| authority.issued(certificate))
    }

    /// The authorities above a certificate, from its issuer to an anchor: for those who explain. At most `INTERMEDIATES` and an anchor.
    #[must_use]
    pub fn path_of<'t>(&'t self, certificate: &'t Certificate) -> Vec<&'t Certificate> {
        let mut path: Vec<&Certificate> = Vec::new();
        let mut here = certificate;
        while let Some(issuer) = self.issuer_of(here).filter(|issuer| !path.contains(issuer)) {
            path.push(issuer);
            if self.anchors.contains(issuer) {
                break;
            }
            here = issuer;
        }
        path
    }

    /// Whether an anchor or intermediate is a test CA made by Arkki, which production refuses.
    #[must_use]
    pub fn has_arkki_test(&self) -> bool {
        self.anchors.iter().chain(&self.intermediates).any(Certificate::is_arkki_test)
    }

    /// The certificate in `der`, if it led to an anchor at `at`.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, der: &[u8], at: Moment) -> Result<Arc<Certificate>, Distrust> {
        if der.len() > CERTIFICATE_OCTETS {
            return Err(Distrust::Unreadable);
        }
        let fingerprint = super::sha256(der);
        let known = self.lock().get(&fingerprint).cloned();
        if let Some(known) = known
            && known.from <= at
            && at <= known.until
        {
            return Ok(known.certificate);
        }
        let certificate = Arc::new(Certificate::from_der(der).map_err(|_| Distrust::Unreadable)?);
        // OpenSSL's own failures (memory) end as "no chain": the certificate is not believed.
        let (from, until) = self.chain(&certificate.x509, at).unwrap_or(Err(Distrust::Chain))?;
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(fingerprint, Verified { certificate: Arc::clone(&certificate), from, until });
        Ok(certificate)
    }

    /// Builds and verifies the chain as it stood at `at`; gives the time in which all its links are valid.
    fn chain(&self, leaf: &X509, at: Moment) -> Result<Result<(Moment, Moment), Distrust>, Fault> {
        let store = self.store_at(at)?;
        let mut untrusted = Stack::new()?;
        for intermediate in &self.intermediates {
            untrusted.push(intermediate.x509.clone())?;
        }
        let mut window = (Moment::from_micros(i64::MIN), Moment::from_micros(i64::MAX));
        let mut context = X509StoreContext::new()?;
        let result = context.init(&store, leaf, &untrusted, |context| {
            if !context.verify_cert()? {
                return Ok(context.error());
            }
            for link in context.chain().into_iter().flatten() {
                let (Ok(from), Ok(until)) = (moment(link.not_before()), moment(link.not_after())) else {
                    return Ok(X509VerifyResult::APPLICATION_VERIFICATION);
                };
                window = (window.0.max(from), window.1.min(until));
            }
            Ok(X509VerifyResult::OK)
        })?;
        Ok(match result {
            X509VerifyResult::OK => Ok(window),
            result if is_time(result) => Err(Distrust::Validity),
            _ => Err(Distrust::Chain),
        })
    }

    /// The anchors as OpenSSL wants them, and the time at which chains are judged.
    pub(super) fn store_at(&self, at: Moment) -> Result<X509Store, Fault> {
        let mut parameters = X509VerifyParam::new()?;
        parameters.set_time(at.seconds());
        parameters.set_depth(INTERMEDIATES);
        // An anchor need not be a root: trust may begin at the authority for social welfare and health care itself.
        parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
        let mut store = X509StoreBuilder::new()?;
        for anchor in &self.anchors {
            store.add_cert(anchor.x509.clone())?;
        }
        store.set_param(&parameters)?;
        Ok(store.build())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Verified>> {
        // A panic elsewhere cannot leave the map half written: every change is one insert or clear.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustAnchors").field("anchors", &self.anchors).field("intermediates", &self.intermediates).finish_non_exhaustive()
    }
}

/// OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID (9) and X509_V_ERR_CERT_HAS_EXPIRED (10).
fn is_time(result: X509VerifyResult) -> bool {
    matches!(result.as_raw(), 9 | 10)
}
