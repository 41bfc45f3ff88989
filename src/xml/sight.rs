//! What a walk shows to somebody who wants to see a text once and needs no tree of it.

use std::borrow::Cow;

use super::scan::{self, Attribute};
use super::scope::Scope;

/// Sees a text go by, in its order. What is not well-formed may come after: nothing seen counts before the walk has ended well.
pub trait Sight<'a> {
    /// An element begins.
    fn element(&mut self, _seen: &Seen<'a, '_>) {}
    /// The innermost element ends.
    fn end(&mut self) {}
    /// Text or a CDATA section, as written.
    fn text(&mut self, _written: &'a str) {}
    /// A comment or an instruction, as written.
    fn aside(&mut self, _at: usize, _written: &'a str) {}
}

/// Nobody looks.
impl Sight<'_> for () {}

/// An element's start tag.
pub struct Seen<'a, 's> {
    /// The name as written, with its prefix.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: Option<&'a str>,
    /// Where its tag begins, in octets.
    pub at: usize,
    pub(super) attributes: &'s [Attribute<'a>],
    pub(super) scope: &'s Scope<'a>,
}

/// An attribute, its references resolved.
pub struct SeenAttribute<'a> {
    /// The name without its prefix.
    pub local: &'a str,
    /// Its namespace; `None` without a prefix.
    pub namespace: Option<&'a str>,
    /// What it says.
    pub value: Cow<'a, str>,
}

impl<'a> Seen<'a, '_> {
    /// The name without its prefix.
    #[must_use]
    pub fn local(&self) -> &'a str {
        self.name.split_once(':').map_or(self.name, |(_, local)| local)
    }

    /// Its attributes in their order, namespace declarations left out.
    pub fn attributes(&self) -> impl Iterator<Item = SeenAttribute<'a>> {
        self.attributes.iter().filter_map(|attribute| {
            let value = scan::resolved(attribute.value);
            match attribute.name.split_once(':') {
                None if attribute.name == "xmlns" => None,
                None => Some(SeenAttribute { local: attribute.name, namespace: None, value }),
                Some(("xmlns", _)) => None,
                // The walk has refused prefixes that nothing declares.
                Some((_, local)) => Some(SeenAttribute { local, namespace: self.scope.of(attribute.name).ok().flatten(), value }),
            }
        })
    }
}

/// A text's octets without references, of a piece that the walk showed: a CDATA section's content, or text with its references resolved.
#[must_use]
pub fn plain(written: &str) -> Cow<'_, str> {
    match written.strip_prefix("<![CDATA[") {
        Some(inside) => Cow::Borrowed(inside.strip_suffix("]]>").unwrap_or(inside)),
        None => scan::resolved(written),
    }
}
