//! Who may sign a document: the header names an organisation and professionals, and the certificate must be one of them (documents.md §4.4).
//! And what only time and the issuer know of a signer: that the moment of signing has come, and that the certificate was not revoked.

use std::collections::HashSet;

use crate::codes::signatures::SigningProfile;
use crate::crypto::certificate::Certificate;
use crate::crypto::revocation::Status;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::xml::tree::{self, HL7, HL7FI, Node};

use super::layout::plain;
use super::verify::{Kind, SignatureFact};

/// How far a signer's clock may be before ours: what clocks set by a time service differ at most, many times over.
pub const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_secs(300);

/// Judges verified signatures by what their octets cannot tell. `statuses` are those of the signers' certificates, in the same order; `arrived` is when the document came to
/// us, which is the earliest moment at which the signatures are known to have existed: the time in a signature is its signer's own word.
///
/// E611: signed later than it arrived. E612: the certificate was revoked, or suspended, before it arrived. W611: the issuer could not be asked, and the site takes that.
#[must_use]
pub fn judge(facts: &[SignatureFact], statuses: &[Status], arrived: Moment) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (fact, status) in facts.iter().zip(statuses) {
        if fact.at > arrived.plus(CLOCK_SKEW) {
            findings.push(Finding::new(Code::E611, fact.place.clone()).with("reason", "future"));
        }
        match status {
            Status::Revoked { at, hold } if *at <= arrived => {
                findings.push(Finding::new(Code::E612, fact.place.clone()).with("reason", if *hold { "suspended" } else { "revoked" }));
            }
            Status::Foreign => findings.push(Finding::new(Code::E612, fact.place.clone()).with("reason", "unknown-to-issuer")),
            Status::Unknown => findings.push(Finding::new(Code::W611, fact.place.clone())),
            Status::Good | Status::Revoked { .. } | Status::NotAsked => {}
        }
    }
    findings
}

/// Who may sign, as the header says.
pub(super) struct Signers<'a> {
    /// `custodian/…/id/@root`.
    custodians: Vec<&'a str>,
    /// Professional numbers among the authors' ids.
    authors: HashSet<&'a str>,
    /// `localSocialHeader/signature/assignedAuthorSigner`.
    pub(super) announced: HashSet<String>,
}

impl<'a> Signers<'a> {
    pub(super) fn of<'i: 'a>(root: Node<'a, 'i>, profile: &SigningProfile) -> Self {
        let ids = |from: Option<Node<'a, 'i>>| from.into_iter().flat_map(|n| tree::children(n, HL7, "id"));
        let custodian = ["custodian", "assignedCustodian", "representedCustodianOrganization"].into_iter().try_fold(root, |n, name| tree::child(n, HL7, name));
        let header = tree::child(root, HL7FI, &profile.header);
        let announced = header.into_iter().flat_map(|h| tree::children(h, HL7FI, "signature")).flat_map(|s| tree::children(s, HL7FI, "assignedAuthorSigner"));
        Self {
            custodians: ids(custodian).filter_map(|id| plain(id, "root")).collect(),
            authors: tree::children(root, HL7, "author")
                .flat_map(|author| ids(tree::child(author, HL7, "assignedAuthor")))
                // An author may bear other ids, which no certificate names.
                .filter(|id| plain(*id, "root").is_some_and(|root| profile.professionals.iter().any(|p| p == root)))
                .filter_map(|id| plain(id, "extension"))
                .collect(),
            announced: announced.map(|a| tree::text_of(a).trim_ascii().to_owned()).filter(|t| !t.is_empty()).collect(),
        }
    }

    /// The certificate's serial fits the kind of signature.
    pub(super) fn fit(&self, kind: Kind, certificate: &Certificate, senders: &[Oid], profile: &SigningProfile) -> bool {
        let serial = certificate.serial().unwrap_or_default();
        match kind {
            Kind::Professional => self.is_professional(serial),
            Kind::System => self.is_system(serial, senders, &profile.organisations),
        }
    }

    /// The number is the announced signer's and an author's, where the header names them (documents.md §4.4). It is a number: the type of a signature is
    /// not covered by it, and a system's certificate, whose serial is an OID, must not pass for a person's by a change of the label.
    fn is_professional(&self, serial: &str) -> bool {
        let is_number = !serial.is_empty() && serial.bytes().all(|b| b.is_ascii_digit());
        is_number && (self.announced.is_empty() || self.announced.contains(serial)) && (self.authors.is_empty() || self.authors.contains(serial))
    }

    /// The OID is the custodian's, lies under its organisation's number, or is a sender's.
    fn is_system(&self, serial: &str, senders: &[Oid], branches: &[String]) -> bool {
        let Ok(serial) = Oid::parse(serial) else { return false };
        let custodians = || self.custodians.iter().filter_map(|root| Oid::parse(root).ok());
        let same = |custodian: Oid| serial == custodian || organisation_of(&custodian, branches).is_some_and(|o| serial.is_under(o));
        senders.contains(&serial) || custodians().any(same)
    }
}

/// `1.2.246.10.<y>` of an OID under it: the longest of the branches counts.
fn organisation_of<'o>(oid: &'o Oid, branches: &[String]) -> Option<&'o str> {
    let of = |branch: &String| {
        let number = oid.as_str().strip_prefix(branch.as_str())?.strip_prefix('.')?.split('.').next().filter(|n| !n.is_empty())?;
        oid.as_str().get(..branch.len() + 1 + number.len())
    };
    branches.iter().filter_map(of).max_by_key(|o| o.len())
}
