//! E6xx: the professional's own signature.

use super::{Fault, cut, swap};
use crate::domain::code::Code;
use crate::generate::signature::Hand;

const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E601, "two-signed-infos", |g| {
        let signed = String::from_utf8(g.signed(Hand::Professional)?).ok()?;
        let start = signed.find("<ds:SignedInfo").or_else(|| signed.find("<SignedInfo"))?;
        let name = if signed.get(start..)?.starts_with("<ds:") { "</ds:SignedInfo>" } else { "</SignedInfo>" };
        let end = start + signed.get(start..)?.find(name)? + name.len();
        let info = signed.get(start..end)?.to_owned();
        Some(format!("{}{info}{}", signed.get(..end)?, signed.get(end..)?).into_bytes())
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
        let body = format!("URI=\"#OID{}\"", g.fresh());
        let start = signed.windows(body.len()).position(|w| w == body.as_bytes())?;
        let prefix = if signed.windows(14).any(|w| w == b"<ds:Reference ") { "ds:" } else { "" };
        let open = format!("<{prefix}Reference URI=\"#OID");
        debug_assert!(start > 0);
        cut(&signed, &open, &format!("</{prefix}Reference>"))
    }),
];
