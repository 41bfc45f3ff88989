//! Explains a document's signatures step by step, as one would read them aloud in court: who signed what, when, with what, and what is not covered. The verdict is
//! [`verify`](super::verify)'s own; here its findings are put in their places among the facts that hold.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::codes::signatures::{SigningPlace, SigningProfile};
use crate::crypto;
use crate::crypto::certificate::Certificate;
use crate::crypto::revocation::Status;
use crate::crypto::trust::TrustAnchors;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::time::Moment;
use crate::xml::tree::{self, DSIG, Document, Node};

use super::beside;
use super::layout::Layout;
use super::signers::judge;
use super::verify::{Kind, SignatureFact, SignerRule, kind_of};

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Holds,
    /// It is not so; what was found.
    Fails(Vec<Finding>),
    /// It could not be looked at, for something before it fails.
    NotLooked,
    /// Said for the reader's sake: nothing to hold or fail.
    Told,
}

/// One step: a key of `codes/explanations.toml`, its words, and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is looked at.
    pub key: &'static str,
    /// Words for the sentence. They may name the certificate's subject: this is for the operator who asked, never for a log.
    pub words: Vec<(&'static str, String)>,
    /// How it went.
    pub outcome: Outcome,
}

/// What the whole comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every signature meets the profile.
    Valid,
    /// The gateway would refuse the document.
    Invalid,
    /// There is no signature.
    Unsigned,
}

impl Verdict {
    /// The key of its sentence, and its name for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unsigned => "unsigned",
        }
    }
}

/// A document's signatures, explained.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// About the document as a whole, with what is wrong with it as a whole.
    pub document: Vec<Step>,
    /// About each signature, in the document's order.
    pub signatures: Vec<Vec<Step>>,
    /// What is covered and what is not.
    pub coverage: Vec<Step>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// What an explanation is made with.
pub struct Asked<'q> {
    /// The strict profile of the document's family.
    pub profile: &'q SigningProfile,
    /// The site's authorities.
    pub anchors: &'q TrustAnchors,
    /// The site's rule about signers.
    pub rule: SignerRule<'q>,
    /// What is known of a certificate's revocation, and the step that tells which material says so.
    pub status: &'q dyn Fn(&Certificate) -> (Status, Option<Step>),
    /// The document's octets, in whatever encoding they came.
    pub octets: &'q [u8],
    /// When the document came: now, for a file.
    pub arrived: Moment,
}

/// Explains the signatures in a document, or the one that lies beside it.
#[must_use]
pub fn explain(document: &Document<'_>, beside: Option<&Document<'_>>, asked: &Asked<'_>) -> Explanation {
    let octets = asked.octets;
    let layout = Layout::within(document, asked.profile);
    let (mut whole, parts) = if asked.profile.place == SigningPlace::Detached {
        let misplaced = layout.survey.signatures.first().map(|s| super::layout::fault(Code::E610, *s, "misplaced"));
        let part = beside.map(|signature| {
            let verdict = beside::verify(signature, (octets, document), asked.profile, asked.anchors, &asked.rule);
            Part { dsig: signature.root_element(), kind: Some(Kind::System), verdict }
        });
        (Vec::from_iter(misplaced), Vec::from_iter(part))
    } else {
        let (whole, blocks) = layout.each(asked.anchors, &asked.rule);
        let parts = blocks.into_iter().map(|(block, verdict)| {
            let dsig = block.children().find(|n| super::layout::is(*n, DSIG, "Signature")).unwrap_or(block);
            let kind = block.children().find(|n| n.tag_name().name() == "signatureDescription").and_then(kind_of);
            Part { dsig, kind, verdict }
        });
        (whole, parts.collect())
    };
    let target = layout.body.map(|body| body.tag_name().name().to_owned());
    let digest = layout.body.map_or_else(|| crypto::sha256(octets), |body| layout.body_digest(body));
    let signatures: Vec<Vec<Step>> = parts.iter().map(|part| part.steps(asked, target.as_deref(), &digest.to_string())).collect();
    let fails = |steps: &[Step]| steps.iter().any(|s| matches!(&s.outcome, Outcome::Fails(found) if found.iter().any(Finding::is_error)));
    whole.truncate(crate::domain::limits::FINDINGS);
    let verdict = if !whole.is_empty() || signatures.iter().any(|steps| fails(steps)) {
        Verdict::Invalid
    } else if signatures.is_empty() {
        Verdict::Unsigned
    } else {
        Verdict::Valid
    };
    let words = vec![
        ("octets", octets.len().to_string()),
        ("digest", crypto::sha256(octets).to_string()),
        ("count", signatures.len().to_string()),
        ("profile", asked.profile.place.as_str().to_owned()),
    ];
    let mut about = vec![Step { key: "document", words, outcome: Outcome::Told }];
    if !whole.is_empty() {
        about.push(Step { key: "references", words: Vec::new(), outcome: Outcome::Fails(whole) });
    }
    Explanation { document: about, signatures, coverage: coverage(target.as_deref(), asked.profile.place), verdict }
}

fn told(key: &'static str, words: Vec<(&'static str, String)>) -> Step {
    Step { key, words, outcome: Outcome::Told }
}

fn coverage(target: Option<&str>, place: SigningPlace) -> Vec<Step> {
    if place == SigningPlace::Detached {
        return vec![told("covers-octets", Vec::new())];
    }
    let target = vec![("element", target.unwrap_or("–").to_owned())];
    vec![told("covers", target), told("not-covers", Vec::new()), told("ledger", Vec::new())]
}

/// One signature and what became of it.
struct Part<'a, 'i> {
    dsig: Node<'a, 'i>,
    kind: Option<Kind>,
    verdict: Result<SignatureFact, Vec<Finding>>,
}

/// The steps in which a signature is read; a finding belongs to the first that names its code.
const STEPS: [(&str, &[Code]); 9] = [
    ("shape", &[Code::E601]),
    ("algorithms", &[Code::E609]),
    ("references", &[Code::E610]),
    ("digest-body", &[Code::E602]),
    ("digest-time", &[Code::E602]),
    ("chain", &[Code::E604]),
    ("validity", &[Code::E605]),
    ("value", &[Code::E603]),
    ("usage", &[Code::E606]),
];

impl Part<'_, '_> {
    fn steps(&self, asked: &Asked<'_>, target: Option<&str>, digest: &str) -> Vec<Step> {
        let certificate = self.certificate();
        let findings: &[Finding] = self.verdict.as_ref().err().map_or(&[], Vec::as_slice);
        let words = self.words(asked, certificate.as_ref(), target, digest);
        let mut steps = vec![Step { key: self.who(certificate.is_some()), words: words.clone(), outcome: Outcome::Told }];
        // What cannot be read is not looked into; without a chain nothing is said of what the certificate's key made.
        let unread = findings.iter().any(|f| matches!(f.code, Code::E601) || (f.code == Code::E609 && !of_key(f)) || (f.code == Code::E610 && !of_target(f)));
        let unbelieved = findings.iter().any(|f| matches!(f.code, Code::E604 | Code::E605));
        for (key, codes) in STEPS.into_iter().chain([("signer", &[Code::E607][..])]) {
            let found: Vec<Finding> =
                findings.iter().filter(|f| codes.contains(&f.code) && (f.code != Code::E602 || of_time(f) == (key == "digest-time"))).cloned().collect();
            let chained = ["validity", "value", "usage", "signer"].contains(&key);
            let read_first = ["shape", "algorithms", "references"].contains(&key);
            let looked = (read_first || !unread) && !(unbelieved && chained);
            let outcome = match (found.is_empty(), looked) {
                (false, _) => Outcome::Fails(found),
                (true, true) => Outcome::Holds,
                (true, false) => Outcome::NotLooked,
            };
            steps.push(Step { key, words: words.clone(), outcome });
        }
        let (revocation, source) = self.revocation(asked, words);
        steps.push(revocation);
        steps.extend(source);
        steps
    }

    fn revocation(&self, asked: &Asked<'_>, mut words: Vec<(&'static str, String)>) -> (Step, Option<Step>) {
        let Ok(fact) = &self.verdict else { return (Step { key: "revocation-good", words, outcome: Outcome::NotLooked }, None) };
        let (status, source) = (asked.status)(&fact.signed_with);
        let found = judge(std::slice::from_ref(fact), &[status], asked.arrived);
        let key = match status {
            Status::NotAsked => "revocation-not-asked",
            Status::Revoked { at, .. } => {
                words.retain(|(name, _)| *name != "at");
                words.push(("at", at.to_iso()));
                "revocation-later"
            }
            Status::Good | Status::Foreign | Status::Unknown => "revocation-good",
        };
        let outcome = match (found.is_empty(), status) {
            (false, _) => Outcome::Fails(found),
            (true, Status::NotAsked) => Outcome::Told,
            (true, _) => Outcome::Holds,
        };
        (Step { key, words, outcome }, source)
    }

    const fn who(&self, is_read: bool) -> &'static str {
        match (self.kind, is_read) {
            (Some(Kind::Professional), true) => "professional",
            (Some(Kind::System), true) => "system",
            _ => "someone",
        }
    }

    /// The certificate as it came, believed or not.
    fn certificate(&self) -> Option<Arc<Certificate>> {
        if let Ok(fact) = &self.verdict {
            return Some(Arc::clone(&fact.signed_with));
        }
        let element = self.dsig.descendants().find(|n| super::layout::is(*n, DSIG, "X509Certificate"))?;
        let text: String = tree::text_of(element).chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Certificate::from_der(&STANDARD.decode(text).ok()?).ok().map(Arc::new)
    }

    fn words(&self, asked: &Asked<'_>, certificate: Option<&Arc<Certificate>>, target: Option<&str>, digest: &str) -> Vec<(&'static str, String)> {
        let uri = self.dsig.descendants().find(|n| super::layout::is(*n, DSIG, "SignatureMethod")).and_then(|n| n.attribute("Algorithm"));
        let algorithm = uri.and_then(crypto::algorithm::Algorithm::from_uri).map_or("–", crypto::algorithm::Algorithm::as_str);
        let place = self.dsig.parent().filter(Node::is_element).unwrap_or(self.dsig);
        let time = place.descendants().find(|n| n.tag_name().name() == "signatureTimestamp").and_then(|n| Moment::parse_iso(tree::text_of(n).trim_ascii()));
        let mut words = vec![
            ("algorithm", algorithm.to_owned()),
            ("digest", digest.to_owned()),
            ("element", target.unwrap_or_default().to_owned()),
            ("at", time.map_or_else(|| "–".to_owned(), Moment::to_iso)),
        ];
        if let Some(certificate) = certificate {
            let path = asked.anchors.path_of(certificate);
            let named = |c: Option<&&Certificate>| masked(c.and_then(|c| c.subject()).unwrap_or("–"));
            let usage = certificate.usage();
            let uses: Vec<&str> = [(usage.digital_signature, "digitalSignature"), (usage.non_repudiation, "nonRepudiation")]
                .into_iter()
                .filter(|(is, _)| *is)
                .map(|(_, name)| name)
                .collect();
            words.extend([
                ("subject", masked(certificate.subject().unwrap_or("–"))),
                ("organisation", masked(certificate.organisation().unwrap_or("–"))),
                ("serial", masked(certificate.serial().unwrap_or("–"))),
                ("number", certificate.number()),
                ("issuer", masked(certificate.issuer().unwrap_or("–"))),
                ("anchor", named(path.last())),
                ("fingerprint", certificate.fingerprint().to_string()),
                ("from", certificate.not_before().to_iso()),
                ("until", certificate.not_after().to_iso()),
                ("bits", certificate.key_bits().to_string()),
                ("usage", uses.join(", ")),
            ]);
        }
        words
    }
}

/// The finding is about the certificate's key, found after all else was read.
fn of_key(finding: &Finding) -> bool {
    finding.args.iter().any(|(name, word)| *name == "reason" && word == "key")
}

/// The finding is about what a reference means, found after the signature was read.
fn of_target(finding: &Finding) -> bool {
    finding.args.iter().any(|(name, word)| *name == "reason" && word == "target")
}

fn of_time(finding: &Finding) -> bool {
    finding.args.iter().any(|(name, word)| *name == "target" && word == "hl7fi:signatureTimestamp")
}

/// A certificate's words with whatever looks like a personal identity code covered, and nothing that could steer a terminal.
fn masked(text: &str) -> String {
    let is_code = |word: &str| {
        let octets = word.as_bytes();
        octets.len() == 11
            && octets.iter().take(6).all(u8::is_ascii_digit)
            && !octets.get(6).is_some_and(u8::is_ascii_digit)
            && octets.iter().skip(7).take(3).all(u8::is_ascii_digit)
    };
    let clean: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    clean.split(' ').map(|word| if is_code(word.trim_matches([',', ';', '.', '(', ')'])) { "***********" } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn identity_codes_in_a_subject_are_covered() {
        assert_eq!(masked("Testi Sosionomi 99999999999"), "Testi Sosionomi 99999999999");
        assert_eq!(masked("Testi 010190-999W, x"), "Testi *********** x");
        assert_eq!(masked("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
