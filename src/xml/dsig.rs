//! XML Signature in one strict profile (documents.md §4.2): exclusive C14N, SHA-256, the algorithms a place allows, two references, the signer's certificate.
//! [`read`] takes a `ds:Signature` apart and refuses whatever the profile does not name; [`Survey`] finds what IDs mean in the document at hand.
//! What the references must point at, and who may sign, is `cda::verify`'s matter.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::algorithm::Algorithm;
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;

use super::c14n;
use super::tree::{self, DSIG, Document, Node};

/// Exclusive XML Canonicalization 1.0 without comments.
pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// The enveloped-signature transform; it changes nothing here, for no target contains its signature, but vendors write it.
pub const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// SHA-256.
pub const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// The most namespace declarations in scope of one element. Real documents have under ten; every lookup walks through them.
const NAMESPACES: usize = 64;
/// How many namespaces are remembered as plain; real documents have about four.
const KNOWN: usize = 8;

/// A `ds:Signature` of the profile's shape. Nothing in it is believed yet.
pub struct Signature<'a, 'i> {
    /// The algorithm of the signature value.
    pub algorithm: Algorithm,
    /// What the signature value covers.
    pub signed_info: Node<'a, 'i>,
    /// The two references, in the order written.
    pub references: [Reference<'a, 'i>; 2],
    /// The signature value.
    pub value: Vec<u8>,
    /// The element that holds it.
    pub value_at: Node<'a, 'i>,
    /// The signer's certificate as it came; perhaps not one.
    pub certificate: Vec<u8>,
    /// The element that holds it.
    pub certificate_at: Node<'a, 'i>,
    /// What a signature beside a document carries itself: its `ds:Object`.
    pub object: Option<Node<'a, 'i>>,
}

/// What shape and which algorithms are read.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'s> {
    /// The signature algorithms taken.
    pub algorithms: &'s [Algorithm],
    /// Whether the first reference is to the octets of a file by its name, without transforms, and a `ds:Object` follows `KeyInfo`.
    pub beside: bool,
}

impl Default for Shape<'static> {
    /// The national profile's: RSA with SHA-256, two references within the document.
    fn default() -> Self {
        Self { algorithms: &[Algorithm::RsaSha256], beside: false }
    }
}

/// One `ds:Reference`.
pub struct Reference<'a, 'i> {
    /// The element.
    pub at: Node<'a, 'i>,
    /// The ID it names, without `#`; the name of the file where [`Self::to_octets`].
    pub id: &'a str,
    /// Whether it covers a file's octets as they are, and no element of this document.
    pub to_octets: bool,
    /// Whether the enveloped-signature transform stands before the canonicalization.
    pub enveloped: bool,
    /// The digest it claims.
    pub digest: Digest,
}

/// Reads a `ds:Signature` of the national profile.
///
/// # Errors
/// Everything that is not of the profile: E601 for its shape, E609 for an algorithm, E610 for its references.
pub fn read<'a, 'i: 'a>(signature: Node<'a, 'i>) -> Result<Signature<'a, 'i>, Vec<Finding>> {
    read_as(signature, Shape::default())
}

/// Reads a `ds:Signature` of another shape.
///
/// # Errors
/// As [`read`].
pub fn read_as<'a, 'i: 'a>(signature: Node<'a, 'i>, shape: Shape<'_>) -> Result<Signature<'a, 'i>, Vec<Finding>> {
    let mut reader = Reader { findings: Vec::new(), shape };
    match reader.signature(signature) {
        Some(read) if reader.findings.is_empty() => Ok(read),
        _ => Err(reader.findings),
    }
}

struct Reader<'s> {
    findings: Vec<Finding>,
    shape: Shape<'s>,
}

impl Reader<'_> {
    fn signature<'a, 'i: 'a>(&mut self, signature: Node<'a, 'i>) -> Option<Signature<'a, 'i>> {
        self.attributes(signature, &["Id"]);
        let (signed_info, value_at, key_info, object) = if self.shape.beside {
            let [signed_info, value_at, key_info, object] = self.children(signature, ["SignedInfo", "SignatureValue", "KeyInfo", "Object"])?;
            self.attributes(object, &[]);
            self.only_space(object);
            (signed_info, value_at, key_info, Some(object))
        } else {
            let [signed_info, value_at, key_info] = self.children(signature, ["SignedInfo", "SignatureValue", "KeyInfo"])?;
            (signed_info, value_at, key_info, None)
        };
        self.attributes(signed_info, &["Id"]);
        let parts = self.children(signed_info, ["CanonicalizationMethod", "SignatureMethod", "Reference", "Reference"]);
        let references = parts.and_then(|[canonicalization, method, first, second]| {
            self.algorithm(canonicalization, &[EXCLUSIVE]);
            let algorithm = self.method(method);
            let first = if self.shape.beside { self.reference_to_octets(first) } else { self.reference(first) };
            let second = self.reference(second);
            Some((algorithm?, [first?, second?]))
        });
        self.attributes(value_at, &["Id"]);
        let value = self.octets(value_at);
        self.attributes(key_info, &["Id"]);
        let certificate = self.children(key_info, ["X509Data"]).and_then(|[data]| {
            self.attributes(data, &[]);
            let [certificate] = self.children(data, ["X509Certificate"])?;
            self.attributes(certificate, &[]);
            Some((self.octets(certificate)?, certificate))
        });
        let (certificate, certificate_at) = certificate?;
        let (algorithm, references) = references?;
        Some(Signature { algorithm, signed_info, references, value: value?, value_at, certificate, certificate_at, object })
    }

    /// The signature algorithm, which must be one of the place's.
    fn method(&mut self, method: Node<'_, '_>) -> Option<Algorithm> {
        let uris: Vec<&str> = self.shape.algorithms.iter().map(|a| a.uri()).collect();
        self.algorithm(method, &uris);
        method.attribute("Algorithm").and_then(Algorithm::from_uri)
    }

    /// A reference to the octets of a file beside this one: a plain relative name and no transforms, so that nothing can be made of it but its octets.
    fn reference_to_octets<'a, 'i: 'a>(&mut self, reference: Node<'a, 'i>) -> Option<Reference<'a, 'i>> {
        self.attributes(reference, &["URI"]);
        let [method, value] = self.children(reference, ["DigestMethod", "DigestValue"])?;
        self.algorithm(method, &[SHA256]);
        self.attributes(value, &[]);
        let digest = self.digest(value);
        let plain = |uri: &&str| !uri.is_empty() && !uri.starts_with('.') && uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let id = reference.attribute("URI").filter(plain);
        if id.is_none() {
            self.push(Code::E610, reference, "not-a-plain-name");
        }
        Some(Reference { at: reference, id: id?, to_octets: true, enveloped: false, digest: digest? })
    }

    fn digest(&mut self, value: Node<'_, '_>) -> Option<Digest> {
        self.octets(value).and_then(|octets| {
            let digest = Digest::from_slice(&octets);
            if digest.is_none() {
                self.push(Code::E601, value, "digest-length");
            }
            digest
        })
    }

    fn reference<'a, 'i: 'a>(&mut self, reference: Node<'a, 'i>) -> Option<Reference<'a, 'i>> {
        self.attributes(reference, &["Id", "URI"]);
        let [transforms, method, value] = self.children(reference, ["Transforms", "DigestMethod", "DigestValue"])?;
        self.attributes(transforms, &[]);
        let steps: Vec<_> = transforms.children().filter(Node::is_element).collect();
        match steps.as_slice() {
            [step] if is_dsig(*step, "Transform") => self.algorithm(*step, &[EXCLUSIVE]),
            [first, second] if is_dsig(*first, "Transform") && is_dsig(*second, "Transform") => {
                self.algorithm(*first, &[ENVELOPED]);
                self.algorithm(*second, &[EXCLUSIVE]);
            }
            _ => self.push(Code::E609, transforms, "transforms"),
        }
        self.only_space(transforms);
        self.algorithm(method, &[SHA256]);
        self.attributes(value, &[]);
        let digest = self.digest(value);
        let id = reference.attribute("URI").and_then(|uri| uri.strip_prefix('#')).filter(|id| !id.is_empty() && !id.contains(['(', '#']));
        if id.is_none() {
            self.push(Code::E610, reference, "not-same-document-id");
        }
        Some(Reference { at: reference, id: id?, to_octets: false, enveloped: steps.len() > 1, digest: digest? })
    }

    /// The element's children, which must be exactly these elements of XML Signature in this order, with nothing but white space (and comments) between.
    fn children<'a, 'i: 'a, const N: usize>(&mut self, node: Node<'a, 'i>, names: [&str; N]) -> Option<[Node<'a, 'i>; N]> {
        self.only_space(node);
        let found: Vec<_> = node.children().filter(Node::is_element).collect();
        let named = found.len() == N && found.iter().zip(names).all(|(n, name)| is_dsig(*n, name));
        let found = found.try_into().ok().filter(|_| named);
        if found.is_none() {
            // Another number of references is told apart from another shape: it is what wrapping attacks change.
            let references = node.tag_name().name() == "SignedInfo" && node.children().filter(|n| is_dsig(*n, "Reference")).count() != 2;
            if references {
                self.push(Code::E610, node, "two-references");
            } else {
                self.push(Code::E601, node, "children");
            }
            self.algorithms_below(node);
        }
        found
    }

    /// Names the algorithms of a part that is not read further because its shape is wrong: a legacy signature is called that, not only misshapen.
    fn algorithms_below(&mut self, node: Node<'_, '_>) {
        for method in node.descendants().filter(Node::is_element).take(64) {
            match method.tag_name().name() {
                "CanonicalizationMethod" => self.algorithm(method, &[EXCLUSIVE]),
                "SignatureMethod" => {
                    self.method(method);
                }
                "DigestMethod" => self.algorithm(method, &[SHA256]),
                "Transform" => self.algorithm(method, &[EXCLUSIVE, ENVELOPED]),
                _ => {}
            }
        }
    }

    /// The element names one of these algorithms and gives no parameters.
    fn algorithm(&mut self, node: Node<'_, '_>, allowed: &[&str]) {
        self.attributes(node, &["Algorithm"]);
        let uri = node.attribute("Algorithm").unwrap_or_default();
        if !allowed.contains(&uri) {
            let finding = Finding::new(Code::E609, tree::place(node)).with("reason", "algorithm").with("element", element_name(node));
            self.findings.push(finding.with("algorithm", known_algorithm(uri)));
        } else if node.children().any(|n| n.is_element() || n.text().is_some_and(|t| n.is_text() && !is_space(t))) {
            self.push(Code::E609, node, "parameters");
        }
    }

    fn attributes(&mut self, node: Node<'_, '_>, allowed: &[&str]) {
        if node.attributes().any(|a| a.namespace().is_some() || !allowed.contains(&a.name())) {
            self.push(Code::E601, node, "attribute");
        }
    }

    fn only_space(&mut self, node: Node<'_, '_>) {
        if node.children().any(|n| n.is_text() && !n.text().is_some_and(is_space)) {
            self.push(Code::E601, node, "text");
        }
    }

    /// The base64 text of an element without children.
    fn octets(&mut self, node: Node<'_, '_>) -> Option<Vec<u8>> {
        let mut text = tree::text_of(node);
        text.retain(|c| !matches!(c, ' ' | '\t' | '\n' | '\r'));
        let octets = STANDARD.decode(&text).ok().filter(|_| !node.children().any(|n| n.is_element()));
        if octets.is_none() {
            self.push(Code::E601, node, "base64");
        }
        octets
    }

    fn push(&mut self, code: Code, node: Node<'_, '_>, reason: &str) {
        self.findings.push(Finding::new(code, tree::place(node)).with("reason", reason).with("element", element_name(node)));
    }
}

/// What matters to signatures in a whole document, found in one walk.
pub struct Survey<'a, 'i> {
    /// Elements by the value of an attribute whose name is `ID` in whatever case and namespace, and how many elements bear the value.
    ids: HashMap<&'a str, (Node<'a, 'i>, usize)>,
    /// Every `ds:Signature`, wherever it stands, in document order.
    pub signatures: Vec<Node<'a, 'i>>,
    /// The first element with a namespace that is no absolute URI, or with too many in scope: other tools cannot canonicalise it, or not in bounded time.
    pub strange_namespaces: Option<Node<'a, 'i>>,
}

impl<'a, 'i: 'a> Survey<'a, 'i> {
    /// Walks through the document.
    #[must_use]
    pub fn of(document: &'a Document<'i>) -> Self {
        let mut survey = Self { ids: HashMap::new(), signatures: Vec::new(), strange_namespaces: None };
        // The tree keeps each namespace once, so that the few of a real document are known by their address.
        let mut known: Vec<&str> = Vec::with_capacity(KNOWN);
        let mut is_plain = |uri: &'a str| {
            if known.iter().any(|seen| std::ptr::eq(*seen, uri)) {
                return true;
            }
            let plain = is_plain_uri(uri);
            if plain && known.len() < KNOWN {
                known.push(uri);
            }
            plain
        };
        for element in document.descendants().filter(Node::is_element) {
            // A document that defines `xml:id` or `id` beside `ID` means different things to different tools: all count, so that a double is noticed.
            for attribute in element.attributes().filter(|a| a.name().eq_ignore_ascii_case("id")) {
                survey.ids.entry(attribute.value()).or_insert((element, 0)).1 += 1;
            }
            if is_dsig(element, "Signature") {
                survey.signatures.push(element);
            }
            if survey.strange_namespaces.is_none() && (element.namespaces().len() > NAMESPACES || element.namespaces().any(|ns| !is_plain(ns.uri()))) {
                survey.strange_namespaces = Some(element);
            }
        }
        survey
    }

    /// Whether `id` is the value of this element's own `ID` attribute and of no other ID in the document.
    #[must_use]
    pub fn means(&self, id: &str, element: Node<'a, 'i>) -> bool {
        self.ids.get(id).is_some_and(|(bearer, count)| *count == 1 && *bearer == element) && own_id(element) == Some(id)
    }

    /// Whether some element bears this ID.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }
}

/// The element's attribute `ID`, upper case and in no namespace.
#[must_use]
pub fn own_id<'a>(element: Node<'a, '_>) -> Option<&'a str> {
    element.attributes().find(|a| a.name() == "ID" && a.namespace().is_none()).map(|a| a.value())
}

/// SHA-256 of an element's canonical form.
#[must_use]
pub fn digest_of(element: Node<'_, '_>) -> Digest {
    c14n::digest(element)
}

fn is_dsig(node: Node<'_, '_>, name: &str) -> bool {
    node.tag_name().name() == name && node.tag_name().namespace() == Some(DSIG)
}

fn is_space(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
}

/// The element's name if it is one of XML Signature's: any other might be a text of the sender's own.
fn element_name(node: Node<'_, '_>) -> String {
    let name = node.tag_name();
    if name.namespace() == Some(DSIG) { format!("ds:{}", name.name()) } else { "other".to_owned() }
}

/// A short name for an algorithm that signatures are known to use; others are not repeated, for they are the sender's text.
fn known_algorithm(uri: &str) -> &'static str {
    match uri {
        "" => "none",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1" => "rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1" => "dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1" => "hmac-sha1",
        "http://www.w3.org/2000/09/xmldsig#sha1" => "sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => "rsa-sha384",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => "rsa-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256" => "hmac-sha256",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1" => "rsa-pss-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => "sha384",
        "http://www.w3.org/2001/04/xmlenc#sha512" => "sha512",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" => "c14n",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments" => "c14n-with-comments",
        "http://www.w3.org/2006/12/xml-c14n11" => "c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments" => "exc-c14n-with-comments",
        "http://www.w3.org/TR/1999/REC-xslt-19991116" => "xslt",
        "http://www.w3.org/TR/1999/REC-xpath-19991116" => "xpath",
        "http://www.w3.org/2002/06/xmldsig-filter2" => "xpath-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64" => "base64",
        EXCLUSIVE => "exc-c14n",
        ENVELOPED => "enveloped-signature",
        SHA256 => "sha256",
        _ => Algorithm::from_uri(uri).map_or("other", Algorithm::as_str),
    }
}

/// Whether every tool takes this namespace name for an absolute URI (RFC 3986), or it is the empty one. Canonicalization of relative ones is undefined
/// (C14N 1.0 §1.3): libxml2 refuses the whole document, and with it every signature. It also writes `&` unescaped, which other tools do not: neither is taken.
fn is_plain_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return uri.is_empty() };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let is_part = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?@!$'()*+,;=".contains(&b));
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let authority = rest.strip_prefix("//").map_or("", |a| a.split(['/', '?']).next().unwrap_or_default());
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let is_host = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    is_scheme && is_part(rest) && is_part(fragment) && is_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_that_every_tool_takes() {
        for good in ["", "urn:hl7-org:v3", "urn:hl7finland", "http://www.w3.org/2000/09/xmldsig#", "http://host:8080/a?b=c;d"] {
            assert!(is_plain_uri(good), "{good}");
        }
        for bad in ["x", "../a", "/a", "#a", "a b:c", "urn:a b", "1a:b", "http://h:x/", "http://[::1]/", "urn:ä", "urn:a#b#c", ":a", "urn:a&b"] {
            assert!(!is_plain_uri(bad), "{bad}");
        }
    }
}
