//! The parts of a document that signing is about, found by their place and never by an ID alone: header, collection, body. And what IDs mean in it.

use std::cell::OnceCell;

use crate::codes::signatures::{SigningPlace, SigningProfile};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::xml::dsig::{self, Survey};
use crate::xml::tree::{self, Document, HL7, HL7FI, Node};

/// What signing needs to know of one document. Made once for verifying and sealing.
pub struct Layout<'a, 'i> {
    pub(super) profile: &'a SigningProfile,
    pub(super) survey: Survey<'a, 'i>,
    pub(super) root: Node<'a, 'i>,
    /// The header with the signatures: `hl7fi:localSocialHeader` or `hl7fi:localHeader`.
    pub(super) header: Option<Node<'a, 'i>>,
    /// `hl7fi:signatureCollection` in it.
    pub(super) collection: Option<Node<'a, 'i>>,
    /// `component/nonXMLBody` or `component/structuredBody`.
    pub(super) body: Option<Node<'a, 'i>>,
    /// What is there twice.
    pub(super) doubles: Vec<Finding>,
    digest: OnceCell<Digest>,
}

impl<'a, 'i: 'a> Layout<'a, 'i> {
    /// As [`Self::within`], with the social family's built-in profile.
    #[must_use]
    pub fn of(document: &'a Document<'i>) -> Self {
        Self::within(document, SigningProfile::social())
    }

    /// Looks through the document once, by the profile of its family. More than one of any part is E610, for then two readers may mean two things.
    #[must_use]
    pub fn within(document: &'a Document<'i>, profile: &'a SigningProfile) -> Self {
        let root = document.root_element();
        let mut doubles = Vec::new();
        let mut only = |parent: Option<Node<'a, 'i>>, namespace: &str, names: &[&str]| {
            let of_name = |n: &Node<'a, 'i>| n.is_element() && n.tag_name().namespace() == Some(namespace) && names.contains(&n.tag_name().name());
            let mut found = parent.into_iter().flat_map(|p| p.children()).filter(of_name);
            let first = found.next();
            if let Some(second) = found.next() {
                doubles.push(fault(Code::E610, second, "second-element"));
            }
            first
        };
        let (header, collection, body) = if profile.place == SigningPlace::Detached {
            (None, None, None)
        } else {
            let component = only(Some(root), HL7, &["component"]);
            let bodies: Vec<&str> = profile.bodies.iter().map(String::as_str).collect();
            let body = only(component, HL7, &bodies);
            let header = only(Some(root), HL7FI, &[profile.header.as_str()]);
            (header, only(header, HL7FI, &["signatureCollection"]), body)
        };
        Self { profile, survey: Survey::of(document), root, header, collection, body, doubles, digest: OnceCell::new() }
    }

    /// SHA-256 of the body's canonical form; computed when it is first asked for, in one pass over the tree and without a copy of it.
    pub(super) fn body_digest(&self, body: Node<'a, 'i>) -> Digest {
        *self.digest.get_or_init(|| dsig::digest_of(body))
    }

    /// What must hold wherever the signature stands: namespaces that every tool can canonicalise.
    pub(super) fn strange_namespace(&self) -> Option<Finding> {
        self.survey.strange_namespaces.map(|element| fault(Code::E601, element, "namespace"))
    }
}

/// The value of an attribute in no namespace.
pub(super) fn plain<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attributes().find(|a| a.name() == name && a.namespace().is_none()).map(|a| a.value())
}

pub(super) fn is(node: Node<'_, '_>, namespace: &str, name: &str) -> bool {
    node.tag_name().name() == name && node.tag_name().namespace() == Some(namespace)
}

pub(super) fn fault(code: Code, at: Node<'_, '_>, reason: &str) -> Finding {
    Finding::new(code, tree::place(at)).with("reason", reason)
}
