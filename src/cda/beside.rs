//! A signature kept beside its document: plain CDA R2 has no place for one, and its octets are not touched. A `ds:Signature` of its own covers the document's octets as
//! they are, under a file name made of their SHA-256, and a timestamp in its `ds:Object`. No national profile knows it: it is Arkki's own, as strict as the others.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::codes::signatures::SigningProfile;
use crate::crypto;
use crate::crypto::trust::TrustAnchors;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::domain::time::Moment;
use crate::xml::dsig::{self, Shape, Survey};
use crate::xml::tree::{self, DSIG, Document, HL7FI, Node};

use super::layout::{fault, is};
use super::signers::Signers;
use super::verify::{Kind, SignatureFact, SignerRule, certificate, may_sign};

/// The largest signature document read, in octets: one with a 4096-bit key is about 6,000.
pub const SIGNATURE_OCTETS: usize = 64 * 1024;

/// The name under which a document's octets are signed, and under which its file must lie beside the signature for other tools to find it.
#[must_use]
pub fn file_name(octets: &Digest) -> String {
    format!("{octets}.xml")
}

/// Verifies a signature that lies beside a document: `signature` is its parsed document, `octets` the signed document's, `document` their tree.
///
/// # Errors
/// As for a signature within: E601 shape, E602 digest, E603 value, E604 chain, E605 validity, E606 key usage, E607 signer, E609 algorithm, E610 references.
pub fn verify(
    signature: &Document<'_>,
    (octets, document): (&[u8], &Document<'_>),
    profile: &SigningProfile,
    anchors: &TrustAnchors,
    rule: &SignerRule<'_>,
) -> Result<SignatureFact, Vec<Finding>> {
    let root = signature.root_element();
    if !is(root, DSIG, "Signature") || signature.input_text().len() > SIGNATURE_OCTETS {
        return Err(vec![fault(Code::E601, root, "children")]);
    }
    let survey = Survey::of(signature);
    let mut findings = Vec::new();
    if let Some(element) = survey.strange_namespaces {
        findings.push(fault(Code::E601, element, "namespace"));
    }
    let read = dsig::read_as(root, Shape { algorithms: &profile.algorithms, beside: true }).map_err(|faults| [findings.clone(), faults].concat())?;
    let Some(timestamp) = read.object.and_then(timestamp) else {
        return Err(vec![fault(Code::E601, root, "timestamp")]);
    };
    let at = Moment::parse_iso(tree::text_of(timestamp).trim_ascii()).filter(|_| !timestamp.children().any(|n| n.is_element()));
    if at.is_none() {
        findings.push(fault(Code::E601, timestamp, "timestamp"));
    }
    let [body, time] = &read.references;
    let digest = crypto::sha256(octets);
    if body.id != file_name(&body.digest) {
        findings.push(fault(Code::E610, body.at, "target"));
    } else if body.digest != digest {
        findings.push(fault(Code::E602, body.at, "digest").with("target", "ClinicalDocument"));
    }
    if !survey.means(time.id, timestamp) {
        findings.push(fault(Code::E610, time.at, "target"));
    } else if time.digest != dsig::digest_of(timestamp) {
        findings.push(fault(Code::E602, time.at, "digest").with("target", "hl7fi:signatureTimestamp"));
    }
    let signer = at.and_then(|at| certificate(anchors, &read, at, &mut findings));
    if let Some(signer) = &signer {
        let signers = Signers::of(document.root_element(), profile);
        may_sign(&signers, profile, rule, (&read, signer, Kind::System), &mut findings);
    }
    match (signer, at) {
        (Some(signer), Some(at)) if findings.is_empty() => Ok(SignatureFact::of(&read, signer, Kind::System, at)),
        _ => Err(findings),
    }
}

/// The one element of the object.
fn timestamp<'a, 'i: 'a>(object: Node<'a, 'i>) -> Option<Node<'a, 'i>> {
    let mut children = object.children().filter(Node::is_element);
    children.next().filter(|first| is(*first, HL7FI, "signatureTimestamp") && children.next().is_none())
}

/// Writes the signature's document.
pub(super) fn document(signed_info: &str, value: &[u8], certificate: &[u8], timestamp: &str) -> String {
    format!(
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            "\n",
            r#"<Signature xmlns="{}">{}<SignatureValue>{}</SignatureValue><KeyInfo><X509Data><X509Certificate>{}</X509Certificate></X509Data></KeyInfo>"#,
            "<Object>{}</Object></Signature>\n"
        ),
        DSIG,
        signed_info,
        STANDARD.encode(value),
        STANDARD.encode(certificate),
        timestamp
    )
}
