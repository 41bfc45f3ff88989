//! Exclusive XML Canonicalization 1.0 (W3C, 18 July 2002) of a whole document or of one element's subtree.
//! Octets go to a sink as they come, so that a body of many megabytes is hashed where it lies. No recursion: depth costs two small stacks on the heap.
//! The profile knows the form without comments and without `InclusiveNamespaces` only (documents.md §4.2): [`exclusive`]. The others are here to be held to the standard's
//! own vectors, which use them.

use std::borrow::Cow;

use crate::crypto::Sha256;
use crate::domain::digest::Digest;

use super::tree::{Attribute, Node};

/// The namespace that `xml:` is bound to by definition: never declared, so never rendered.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Pieces shorter than this are gathered before they are hashed: a call into the hash costs as much as hashing some dozens of octets.
const GATHER: usize = 2048;

/// SHA-256 of the canonical form.
#[must_use]
pub fn digest(apex: Node<'_, '_>) -> Digest {
    let mut hash = Sha256::new();
    let mut gathered: Vec<u8> = Vec::with_capacity(GATHER);
    exclusive(apex, &mut |piece| {
        if gathered.len() + piece.len() > GATHER {
            hash.update(&gathered);
            gathered.clear();
        }
        if piece.len() > GATHER {
            hash.update(piece);
        } else {
            gathered.extend_from_slice(piece);
        }
    });
    hash.update(&gathered);
    hash.finish()
}

/// Writes the canonical form of `apex` (an element with all below it, or the document's root node) to `out`, piece by piece.
///
/// Prefixes are those of the source; a namespace declared above the apex appears on the apex. Attribute values are as the tree normalised them.
pub fn exclusive<'a, 'i: 'a>(apex: Node<'a, 'i>, out: &mut impl FnMut(&[u8])) {
    exclusive_as(apex, Variant::default(), out);
}

/// A form of Exclusive C14N that no profile of ours takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Variant<'v> {
    /// Whether comments are kept.
    pub comments: bool,
    /// The `PrefixList`: prefixes (empty for the default namespace) that are rendered wherever they are in scope.
    pub inclusive: &'v [&'v str],
}

/// As [`exclusive`], in another form.
pub fn exclusive_as<'a, 'i: 'a>(apex: Node<'a, 'i>, variant: Variant<'_>, out: &mut impl FnMut(&[u8])) {
    let source = apex.document().input_text();
    let mut writer = Writer { source, variant, rendered: Vec::new(), open: Vec::new(), fresh: Vec::new(), attributes: Vec::new(), out };
    let mut here = apex;
    loop {
        writer.enter(here);
        if let Some(first) = here.first_child() {
            here = first;
            continue;
        }
        loop {
            writer.leave(here);
            if here == apex {
                return;
            }
            if let Some(next) = here.next_sibling() {
                here = next;
                break;
            }
            match here.parent() {
                Some(parent) => here = parent,
                None => return,
            }
        }
    }
}

struct Writer<'a, 'i, 'o, 'v, F> {
    source: &'i str,
    variant: Variant<'v>,
    /// Namespace declarations written on the elements that are open: prefix (empty for the default) and URI, innermost last.
    rendered: Vec<(&'a str, &'a str)>,
    /// The open elements: name as written, and how many declarations stood in `rendered` before it.
    open: Vec<(&'i str, usize)>,
    /// Declarations to write on the element at hand; kept to save an allocation an element.
    fresh: Vec<(&'a str, &'a str)>,
    attributes: Vec<Attribute<'a, 'i>>,
    out: &'o mut F,
}

impl<'a, 'i: 'a, F: FnMut(&[u8])> Writer<'a, 'i, '_, '_, F> {
    fn enter(&mut self, node: Node<'a, 'i>) {
        if node.is_element() {
            self.start_tag(node);
        } else if node.is_text() {
            let text = node.text().unwrap_or_default();
            // A carriage return in the tree is a character reference, or a line end that the parser overlooked beside one: the source decides.
            let text = if text.contains('\r') { Cow::Owned(character_data(self.source, node.range().start)) } else { Cow::Borrowed(text) };
            escape(text.as_bytes(), is_special_in_text, self.out);
        } else if let Some(pi) = node.pi() {
            self.outside(node, |writer| writer.processing_instruction(pi.target, pi.value));
        } else if self.variant.comments && node.is_comment() {
            let text = line_ends(node.text().unwrap_or_default());
            self.outside(node, |writer| writer.put(&["<!--", &text, "-->"]));
        }
    }

    fn leave(&mut self, node: Node<'a, 'i>) {
        if node.is_element()
            && let Some((name, mark)) = self.open.pop()
        {
            self.rendered.truncate(mark);
            self.put(&["</", name, ">"]);
        }
    }

    fn start_tag(&mut self, element: Node<'a, 'i>) {
        let name = name_at(self.source, element.range().start + 1);
        self.open.push((name, self.rendered.len()));
        self.utilize(prefix_of(name), element.tag_name().namespace().unwrap_or_default());
        self.attributes.clear();
        self.attributes.extend(element.attributes());
        for i in 0..self.attributes.len() {
            let Some(attribute) = self.attributes.get(i).copied() else { break };
            if let Some(uri) = attribute.namespace().filter(|uri| *uri != XML) {
                self.utilize(prefix_of(name_at(self.source, attribute.range().start)), uri);
            }
        }
        for namespace in element.namespaces().filter(|_| !self.variant.inclusive.is_empty()) {
            let prefix = namespace.name().unwrap_or_default();
            if self.variant.inclusive.contains(&prefix) {
                self.utilize(prefix, namespace.uri());
            }
        }
        if self.variant.inclusive.contains(&"") && element.default_namespace().is_none() {
            self.utilize("", "");
        }
        self.fresh.sort_unstable();
        self.attributes.sort_unstable_by_key(|a| (a.namespace().unwrap_or_default(), a.name()));

        self.put(&["<", name]);
        let mut fresh = std::mem::take(&mut self.fresh);
        for (prefix, uri) in fresh.drain(..) {
            self.put(&[" xmlns", if prefix.is_empty() { "" } else { ":" }, prefix, "=\""]);
            escape(uri.as_bytes(), is_special_in_attribute, self.out);
            self.put(&["\""]);
            self.rendered.push((prefix, uri));
        }
        self.fresh = fresh;
        let mut attributes = std::mem::take(&mut self.attributes);
        for attribute in attributes.drain(..) {
            let name = if attribute.namespace().is_some() { name_at(self.source, attribute.range().start) } else { attribute.name() };
            self.put(&[" ", name, "=\""]);
            escape(attribute.value().as_bytes(), is_special_in_attribute, self.out);
            self.put(&["\""]);
        }
        self.attributes = attributes;
        self.put(&[">"]);
    }

    /// Notes a declaration for this element unless an open element already wrote the same one.
    fn utilize(&mut self, prefix: &'a str, uri: &'a str) {
        if prefix == "xml" || self.fresh.iter().any(|(p, _)| *p == prefix) {
            return;
        }
        let written = self.rendered.iter().rev().find(|(p, _)| *p == prefix).map(|(_, uri)| *uri);
        // An element in no namespace needs `xmlns=""` only under one that wrote another default.
        if written.unwrap_or_default() != uri {
            self.fresh.push((prefix, uri));
        }
    }

    /// Instructions and comments outside the document element stand on a line of their own.
    fn outside(&mut self, node: Node<'a, 'i>, write: impl FnOnce(&mut Self)) {
        let outside = node.parent().is_some_and(|p| p.is_root());
        let after = outside && node.prev_siblings().skip(1).any(|n| n.is_element());
        if after {
            self.put(&["\n"]);
        }
        write(self);
        if outside && !after {
            self.put(&["\n"]);
        }
    }

    fn processing_instruction(&mut self, target: &str, value: Option<&str>) {
        self.put(&["<?", target]);
        if let Some(value) = value {
            self.put(&[" "]);
            (self.out)(line_ends(value).as_bytes());
        }
        self.put(&["?>"]);
    }

    fn put(&mut self, pieces: &[&str]) {
        for piece in pieces {
            (self.out)(piece.as_bytes());
        }
    }
}

/// The qualified name that begins at `at`; the parser has already checked it.
fn name_at(source: &str, at: usize) -> &str {
    let rest = source.get(at..).unwrap_or_default();
    let end = rest.bytes().position(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>' | b'=')).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

fn prefix_of(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

const fn is_special_in_text(octet: u8) -> bool {
    matches!(octet, b'&' | b'<' | b'>' | b'\r')
}

const fn is_special_in_attribute(octet: u8) -> bool {
    matches!(octet, b'&' | b'<' | b'"' | b'\t' | b'\n' | b'\r')
}

/// Writes octets with the special ones replaced. Looks at 64 octets at a time, which compilers turn into a few vector instructions: base64 bodies have none.
fn escape(mut octets: &[u8], special: impl Fn(u8) -> bool, out: &mut impl FnMut(&[u8])) {
    const STRIDE: usize = 64;
    loop {
        let mut plain = 0;
        for chunk in octets.chunks(STRIDE) {
            if chunk.iter().fold(false, |seen, octet| seen | special(*octet)) {
                plain += chunk.iter().position(|octet| special(*octet)).unwrap_or(chunk.len());
                break;
            }
            plain += chunk.len();
        }
        let (before, rest) = octets.split_at_checked(plain).unwrap_or((octets, &[]));
        if !before.is_empty() {
            out(before);
        }
        let Some((octet, after)) = rest.split_first() else { return };
        out(match octet {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            b'\t' => b"&#x9;",
            b'\n' => b"&#xA;",
            _ => b"&#xD;",
        });
        octets = after;
    }
}

/// Line ends as XML 1.0 §2.11 wants them, where the tree keeps the source's.
fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) }
}

/// The character data that begins at `at`, read from the source: text and CDATA sections up to other markup, line ends normalised, character references not.
fn character_data(source: &str, at: usize) -> String {
    let mut rest = source.get(at..).unwrap_or_default();
    let mut data = String::new();
    loop {
        if let Some(section) = rest.strip_prefix("<![CDATA[") {
            let (inside, after) = section.split_once("]]>").unwrap_or((section, ""));
            data.push_str(&line_ends(inside));
            rest = after;
        } else if let Some(reference) = rest.strip_prefix('&') {
            let (name, after) = reference.split_once(';').unwrap_or((reference, ""));
            data.extend(referred(name));
            rest = after;
        } else {
            let end = rest.find(['<', '&']).unwrap_or(rest.len());
            if end == 0 {
                return data;
            }
            let (text, after) = rest.split_at(end);
            data.push_str(&line_ends(text));
            rest = after;
        }
    }
}

/// The character a reference names. Only the five predefined names exist: there is no DTD.
fn referred(name: &str) -> Option<char> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::tree;

    fn canonical(text: &str, of: &str) -> String {
        let document = tree::parse(text).unwrap_or_else(|_| unreachable!("test documents are well-formed"));
        let apex = document.descendants().find(|n| n.tag_name().name() == of).unwrap_or_else(|| document.root());
        let mut octets = Vec::new();
        exclusive(apex, &mut |piece| octets.extend_from_slice(piece));
        assert_eq!(digest(apex), crate::crypto::sha256(&octets));
        String::from_utf8(octets).unwrap_or_default()
    }

    #[test]
    fn a_subtree_brings_its_namespaces_with_the_prefixes_of_the_source() {
        let text = r#"<a xmlns="urn:a" xmlns:b="urn:b" xmlns:unused="urn:u"><b:c z="1" b:y='2' a="3"/></a>"#;
        assert_eq!(canonical(text, "c"), r#"<b:c xmlns:b="urn:b" a="3" z="1" b:y="2"></b:c>"#);
        assert_eq!(canonical(text, "a"), r#"<a xmlns="urn:a"><b:c xmlns:b="urn:b" a="3" z="1" b:y="2"></b:c></a>"#);
    }

    #[test]
    fn the_default_namespace_is_undone_only_where_it_was_written() {
        assert_eq!(canonical(r#"<a xmlns="urn:a"><b xmlns=""><c/></b></a>"#, "a"), r#"<a xmlns="urn:a"><b xmlns=""><c></c></b></a>"#);
        assert_eq!(canonical(r#"<a xmlns="urn:a"><b xmlns=""><c/></b></a>"#, "b"), "<b><c></c></b>");
        assert_eq!(canonical(r#"<p:a xmlns:p="urn:a" xmlns="urn:d"><b xmlns=""/></p:a>"#, "a"), r#"<p:a xmlns:p="urn:a"><b></b></p:a>"#);
    }

    #[test]
    fn sections_references_and_line_ends() {
        assert_eq!(canonical("<a>x<![CDATA[<&>]]>&#13;\r\ny\r&#65;&#x20AC;</a>", "a"), "<a>x&lt;&amp;&gt;&#xD;\ny\nA€</a>");
        assert_eq!(canonical("<a b='\r\n\t&#9;&#xA;&#13;\"&lt;&gt;'/>", "a"), "<a b=\"  &#x9;&#xA;&#xD;&quot;&lt;>\"></a>");
        assert_eq!(canonical("<?p  q ?>\n<a><!-- c --><?r\r\ns?></a><!--c--><?t?>", ""), "<?p q ?>\n<a><?r s?></a>\n<?t?>");
    }

    #[test]
    fn depth_costs_no_stack() {
        let text = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
        assert_eq!(canonical(&text, "a"), text);
    }
}
