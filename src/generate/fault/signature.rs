//! E6xx: the professional's own signature.

use super::{Fault, cut, swap};
use crate::domain::code::Code;
use crate::generate::signature::Hand;

const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E601, "two-certificates", |g| {
        let signed = String::from_utf8(g.signed(Hand::Professional)?).ok()?;
        let start = signed.find("<ds:X509Certificate>").or_else(|| signed.find("<X509Certificate>"))?;
        let (_, rest) = signed.split_at_checked(start)?;
        let end = start + rest.find("X509Certificate>\n").or_else(|| rest.find("</X509Data>")).or_else(|| rest.find("</ds:X509Data>"))?;
        let certificate = signed.get(start..end)?;
        Some(format!("{}{certificate}{}", signed.get(..end)?, signed.get(end..)?).into_bytes())
    }),
    Fault::new(Code::E602, "body-changed-after-signing", |g| swap(&g.signed(Hand::Professional)?, "representation=\"B64\">", "representation=\"B64\">\n")),
    Fault::new(Code::E603, "signature-value-changed", |g| {
        let signed = g.signed(Hand::Professional)?;
        let at = signed.windows(15).position(|w| w == b"SignatureValue>")? + 15 + 20;
        let mut octets = signed;
        let letter = octets.get_mut(at)?;
        *letter = if *letter == b'A' { b'B' } else { b'A' };
        Some(octets)
    }),
    Fault::new(Code::E604, "authority-unknown", |g| g.signed(Hand::Untrusted)),
    Fault::new(Code::E605, "certificate-had-ended", |g| g.signed(Hand::Expired)),
    Fault::new(Code::E606, "certificate-for-certificates", |g| g.signed(Hand::Authority)),
    Fault::new(Code::E607, "signed-by-somebody-else", |g| g.signed(Hand::Stranger)),
    Fault::new(Code::E608, "professional-signature-missing", |g| Some(g.unsigned().render())),
    Fault::new(Code::E609, "rsa-sha1", |g| swap(&g.signed(Hand::Professional)?, RSA_SHA256, RSA_SHA1)),
    Fault::new(Code::E610, "body-not-referred-to", |g| {
        let signed = g.signed(Hand::Professional)?;
        let prefix = if signed.windows(14).any(|w| w == b"<ds:Reference ") { "ds:" } else { "" };
        cut(&signed, &format!("<{prefix}Reference URI=\"#OID"), &format!("</{prefix}Reference>"))
    }),
];
