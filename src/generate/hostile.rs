//! Input that means harm or madness: what is small lies in `samples/hostile`, what is large is made here when it is needed.

use super::document::Organisation;

/// A name, the octets, and what must become of them.
pub struct Hostile {
    /// A few words with hyphens.
    pub name: &'static str,
    /// The octets.
    pub octets: Vec<u8>,
    /// The code that refuses it; `None` when it is taken note of and not answered.
    pub code: Option<&'static str>,
}

/// The small ones. `document` is a good bare document with `hl7fi:` prefixes and line breaks.
#[must_use]
pub fn small(document: &[u8]) -> Vec<Hostile> {
    let text = String::from_utf8_lossy(document).into_owned();
    let entity = |definition: &str, used: &str| {
        let with = text.replacen("<ClinicalDocument ", &format!("<!DOCTYPE ClinicalDocument [{definition}]>\n<ClinicalDocument "), 1);
        with.replacen("(TESTI)</name>", &format!("{used}</name>"), 1).into_bytes()
    };
    let bomb: String = (1..10).map(|n| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10))).collect();
    let of = |name, octets: Vec<u8>, code| Hostile { name, octets, code };
    vec![
        of("empty", Vec::new(), Some("E109")),
        of("spaces", b" \n\t \n".to_vec(), Some("E109")),
        of("not-xml", b"%PDF-1.4 this is no message".to_vec(), Some("E103")),
        of("json", b"{\"frame\": \"\", \"document\": \"\"}".to_vec(), Some("E103")),
        of("half-a-character", [text.as_bytes(), b"\xc3"].concat(), Some("E101")),
        of("overlong-slash", [text.as_bytes(), b"<!-- \xc0\xaf -->"].concat(), Some("E101")),
        of("truncated-in-a-tag", text.as_bytes().get(..300).unwrap_or(&[]).to_vec(), Some("E103")),
        of("two-roots", [text.as_bytes(), b"<ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>"].concat(), Some("E103")),
        of("nul", text.replacen("<realmCode", "\0<realmCode", 1).into_bytes(), Some("E115")),
        of("byte-order-mark-alone", b"\xef\xbb\xbf".to_vec(), Some("E106")),
        of("doctype-external", entity("<!ENTITY x SYSTEM \"file:///etc/hostname\">", "&x;"), Some("E102")),
        of("entity-bomb", entity(&format!("<!ENTITY a0 \"lol\">{bomb}"), "&a9;"), Some("E102")),
        of("entity-undeclared", text.replacen("(TESTI)</name>", "&nbsp;</name>", 1).into_bytes(), Some("E103")),
        of("attribute-twice", text.replacen("<realmCode code=\"FI\"", "<realmCode code=\"FI\" code=\"FI\"", 1).into_bytes(), Some("E103")),
        of("prefix-unbound", text.replacen("<recordTarget>", "<x:y/><recordTarget>", 1).into_bytes(), Some("E103")),
        of("wrong-namespace", text.replacen("urn:hl7finland", "urn:hl7finnland", 1).into_bytes(), Some("E210")),
        of("acknowledgement", acknowledgement().into_bytes(), None),
    ]
}

/// An acknowledgement as an archive sends it: it is never acknowledged.
#[must_use]
pub fn acknowledgement() -> String {
    let node = Organisation::SAMPLE.node;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MCCI_IN000002UV01 xmlns=\"urn:hl7-org:v3\" ITSVersion=\"XML_1.0\">\n  \
         <id root=\"{node}.18.2026.77\"/>\n  <creationTime value=\"20261101120000+0200\"/>\n  <versionCode code=\"V3-2006\"/>\n  \
         <interactionId root=\"2.16.840.1.113883.1.6\" extension=\"MCCI_IN000002UV01\"/>\n  <processingCode code=\"T\"/>\n  \
         <processingModeCode code=\"T\"/>\n  <acceptAckCode code=\"NE\"/>\n  \
         <receiver typeCode=\"RCV\"><device classCode=\"DEV\" determinerCode=\"INSTANCE\"><id root=\"{node}.10.0\"/></device></receiver>\n  \
         <sender typeCode=\"SND\"><device classCode=\"DEV\" determinerCode=\"INSTANCE\"><id root=\"1.2.246.556.18007.2\"/></device></sender>\n  \
         <acknowledgement>\n    <typeCode code=\"AA\"/>\n    <targetMessage><id root=\"{node}.18.2026.76\"/></targetMessage>\n  </acknowledgement>\n\
         </MCCI_IN000002UV01>\n"
    )
}

/// The octets as UTF-16, little-endian, with its mark.
#[must_use]
pub fn utf_16(octets: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(octets);
    let mut out = vec![0xff, 0xfe];
    out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    out
}

/// So many levels of elements inside each other, well-formed.
#[must_use]
pub fn levels(count: usize) -> Vec<u8> {
    let mut out = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\">".to_vec();
    out.reserve(count * 7);
    (0..count).for_each(|_| out.extend_from_slice(b"<a>"));
    (0..count).for_each(|_| out.extend_from_slice(b"</a>"));
    out.extend_from_slice(b"</ClinicalDocument>\n");
    out
}

/// A document with an attribute of so many octets.
#[must_use]
pub fn long_attribute(document: &[u8], octets: usize) -> Vec<u8> {
    String::from_utf8_lossy(document)
        .replacen("<realmCode code=\"FI\"", &format!("<realmCode code=\"FI\" nullFlavor=\"{}\"", "x".repeat(octets)), 1)
        .into_bytes()
}

/// A document of so many octets, the most of them one comment: good but for its size.
#[must_use]
pub fn padded(document: &[u8], octets: usize) -> Vec<u8> {
    let padding = octets.saturating_sub(document.len() + 7);
    [document, b"<!--", " ".repeat(padding).as_bytes(), b"-->"].concat()
}

/// So many small elements beside each other.
#[must_use]
pub fn crowd(count: usize) -> Vec<u8> {
    let mut out = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\">".to_vec();
    out.reserve(count * 4 + 30);
    (0..count).for_each(|_| out.extend_from_slice(b"<a/>"));
    out.extend_from_slice(b"</ClinicalDocument>\n");
    out
}

/// A namespace declared anew on each of so many elements beside each other.
#[must_use]
pub fn namespaces(count: usize) -> Vec<u8> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\">");
    (0..count).for_each(|n| out.push_str(&format!("<p{n}:a xmlns:p{n}=\"urn:{n}\"/>")));
    out.push_str("</ClinicalDocument>\n");
    out.into_bytes()
}
