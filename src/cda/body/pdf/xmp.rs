//! The claim in a file's XMP metadata: `pdfaid:part` and `pdfaid:conformance`, as elements, as attributes or as `rdf:value`, whatever the prefix.

use crate::xml::tree::{self, Node};

/// The identification schema's namespace (ISO 19005-1 §6.7.11).
const PDFAID: &str = "http://www.aiim.org/pdfa/ns/id/";
const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// What a file declares of itself. Nobody has looked whether it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The part of ISO 19005: `1`.
    pub part: String,
    /// The conformance level: `B`; none in part 4.
    pub level: Option<String>,
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PDF/A-{}{}", self.part, self.level.as_deref().unwrap_or("").to_lowercase())
    }
}

/// Why there is no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoClaim {
    /// The metadata are no well-formed XML.
    NotXml,
    /// They do not speak of PDF/A.
    Silent,
}

/// Reads the claim out of an XMP packet.
pub(super) fn claim(packet: &[u8]) -> Result<Claim, NoClaim> {
    let text = text(packet).ok_or(NoClaim::NotXml)?;
    let document = tree::parse(text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}')).map_err(|_| NoClaim::NotXml)?;
    let mut part = None;
    let mut level = None;
    for node in document.descendants().filter(Node::is_element) {
        for attribute in node.attributes().filter(|a| a.namespace() == Some(PDFAID)) {
            match attribute.name() {
                "part" => part = part.or_else(|| short(attribute.value())),
                "conformance" => level = level.or_else(|| short(attribute.value())),
                _ => {}
            }
        }
        if node.tag_name().namespace() == Some(PDFAID) {
            match node.tag_name().name() {
                "part" => part = part.or_else(|| value(node)),
                "conformance" => level = level.or_else(|| value(node)),
                _ => {}
            }
        }
    }
    part.map(|part| Claim { part, level }).ok_or(NoClaim::Silent)
}

fn value(node: Node<'_, '_>) -> Option<String> {
    let qualified = node.descendants().find(|n| n.is_element() && n.tag_name().namespace() == Some(RDF) && n.tag_name().name() == "value");
    let attribute = node.descendants().find_map(|n| n.attribute((RDF, "value"))).and_then(short);
    attribute.or_else(|| short(&tree::text_of(qualified.unwrap_or(node))))
}

/// One or two letters or digits: all that a claim is made of, and nothing that could be a secret.
fn short(text: &str) -> Option<String> {
    let text = text.trim();
    ((1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| text.to_owned())
}

/// UTF-8, or UTF-16 where a byte order mark or the first sign says so.
fn text(packet: &[u8]) -> Option<String> {
    let wide = |octets: &[u8], of: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = octets.chunks_exact(2).map(|pair| of([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)])).collect();
        String::from_utf16(&units).ok()
    };
    match packet {
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0, b'<', ..] => wide(packet, u16::from_be_bytes),
        [b'<', 0, ..] => wide(packet, u16::from_le_bytes),
        _ => std::str::from_utf8(packet).ok().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(inside: &str) -> String {
        format!(
            "<?xpacket begin=\"\u{feff}\" id=\"x\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"{RDF}\" xmlns:q=\"{PDFAID}\">{inside}</rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>  \n"
        )
    }

    #[test]
    fn every_form_of_the_claim_is_read() {
        let forms = [
            "<rdf:Description><q:part>2</q:part><q:conformance> U </q:conformance></rdf:Description>",
            "<rdf:Description q:part=\"2\" q:conformance=\"U\"/>",
            "<rdf:Description><q:part rdf:parseType=\"Resource\"><rdf:value>2</rdf:value></q:part><q:conformance><rdf:Description rdf:value=\"U\"/></q:conformance></rdf:Description>",
            "<rdf:Description q:conformance=\"U\"/><rdf:Description><q:part>2</q:part></rdf:Description>",
        ];
        for form in forms {
            let claim = claim(packet(form).as_bytes()).map(|c| c.to_string());
            assert_eq!(claim.as_deref(), Ok("PDF/A-2u"), "{form}");
        }
        let utf16: Vec<u8> = packet(forms[0]).encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(claim(&utf16).map(|c| c.to_string()).as_deref(), Ok("PDF/A-2u"));
        assert_eq!(claim(packet("<rdf:Description q:part=\"4\"/>").as_bytes()).map(|c| c.to_string()).as_deref(), Ok("PDF/A-4"));
    }

    #[test]
    fn silence_and_noise_are_told_apart() {
        for (text, why) in [
            (packet("<rdf:Description/>"), NoClaim::Silent),
            (packet("<rdf:Description q:part=\"one\"/>"), NoClaim::Silent),
            (packet("<rdf:Description xmlns:q=\"urn:other\"><q:part>1</q:part></rdf:Description>"), NoClaim::Silent),
            ("<x".to_owned(), NoClaim::NotXml),
            ("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>".to_owned(), NoClaim::NotXml),
        ] {
            assert_eq!(claim(text.as_bytes()), Err(why), "{text}");
        }
    }
}
