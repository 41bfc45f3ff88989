//! What a message calls itself, read from its beginning, however broken the rest is: the acknowledgement of an unreadable message names it.
//! Never fails; looks at no more than 64 KiB.

use std::borrow::Cow;

use super::scan::{Scanner, Token};
use super::scope::Scope;
use crate::domain::ack::InstanceId;

/// How much of the message is looked at: an id comes after realm, model and templates, all small.
const LOOKED_AT: usize = 64 * 1024;
/// The longest root or extension believed.
const VALUE_OCTETS: usize = 128;

/// The root element and its first `id` child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstId {
    /// The root element's local name.
    pub element: String,
    /// The root element's namespace.
    pub namespace: Option<String>,
    /// The first `id` child of the root in the root's own namespace, when its values are printable ASCII of at most 128 characters.
    pub id: Option<InstanceId>,
}

/// Reads the root and the id, or gives up with what is known. `None` when not even a root element begins.
#[must_use]
pub fn first_id(octets: &[u8]) -> Option<FirstId> {
    let text = lenient_text(octets.get(..LOOKED_AT).unwrap_or(octets));
    let text = text.trim_start_matches('\u{FEFF}');
    let mut scanner = Scanner::new(text);
    let mut scope = Scope::default();
    let mut found: Option<FirstId> = None;
    let mut depth = 0_usize;
    loop {
        match scanner.token() {
            Ok(Some(Token::Start { name, empty })) => {
                let mark = scope.mark();
                if scope.enter(scanner.attributes()).is_err() {
                    return found;
                }
                let namespace = scope.of(name).ok().flatten();
                let local = name.rsplit(':').next().unwrap_or(name);
                match &mut found {
                    None => {
                        let sane = |text: &str| sane(text).map(|_| text.to_owned());
                        found = Some(FirstId { element: sane(local)?, namespace: namespace.and_then(sane), id: None });
                    }
                    Some(message) if depth == 1 && local == "id" && namespace == message.namespace.as_deref() => {
                        message.id = id_of(&scanner);
                        return found;
                    }
                    Some(_) => {}
                }
                if empty {
                    scope.leave(mark);
                } else {
                    depth += 1;
                }
                if depth == 0 {
                    return found;
                }
            }
            Ok(Some(Token::End(_))) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return found;
                }
            }
            Ok(Some(Token::Doctype)) => scanner.resume_at(after_doctype(text, scanner.token_at())?),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return found,
        }
    }
}

fn id_of(scanner: &Scanner<'_>) -> Option<InstanceId> {
    let value = |name| scanner.attributes().iter().find(|a| a.name == name).map(|a| a.value);
    let root = sane(value("root")?)?;
    let extension = match value("extension") {
        None => None,
        Some(extension) => Some(sane(extension)?.to_owned()),
    };
    Some(InstanceId { root: root.to_owned(), extension })
}

/// Printable ASCII without references, not empty and not long.
fn sane(value: &str) -> Option<&str> {
    let fits = !value.is_empty() && value.len() <= VALUE_OCTETS;
    (fits && value.bytes().all(|b| (0x20..0x7F).contains(&b) && b != b'&')).then_some(value)
}

/// Where a document type that begins at `at` ends.
pub(super) fn after_doctype(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let end = rest.find('>')?;
    match rest.find('[') {
        Some(subset) if subset < end => rest.find("]>").map(|close| at + close + 2),
        _ => Some(at + end + 1),
    }
}

/// The octets as text, whatever they are: UTF-16 by its mark or its zero octets, else UTF-8 with what is not UTF-8 replaced.
fn lenient_text(octets: &[u8]) -> Cow<'_, str> {
    let units = |pair: fn([u8; 2]) -> u16| {
        let units = octets.chunks_exact(2).filter_map(|c| <[u8; 2]>::try_from(c).ok()).map(pair);
        Cow::Owned(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>())
    };
    match octets {
        [0xFF, 0xFE, ..] | [b'<', 0, ..] => units(u16::from_le_bytes),
        [0xFE, 0xFF, ..] | [0, b'<', ..] => units(u16::from_be_bytes),
        _ => String::from_utf8_lossy(octets),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MESSAGE: &str =
        "<?xml version=\"1.0\"?>\n<h:Message xmlns:h=\"urn:hl7-org:v3\"><h:realmCode code=\"FI\"/><h:id root=\"1.2.3\" extension=\"a b\"/><h:rest></wrong>";

    #[test]
    fn broken_messages_are_named() {
        let named = first_id(MESSAGE.as_bytes()).unwrap();
        assert_eq!((named.element.as_str(), named.namespace.as_deref()), ("Message", Some("urn:hl7-org:v3")));
        assert_eq!(named.id, Some(InstanceId { root: "1.2.3".to_owned(), extension: Some("a b".to_owned()) }));
        let wide: Vec<u8> = MESSAGE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(first_id(&wide), Some(named.clone()));
        let marked = [b"\xEF\xBB\xBF".as_slice(), MESSAGE.as_bytes()].concat();
        assert_eq!(first_id(&marked), Some(named.clone()));
        let typed = MESSAGE.replace("<h:Message", "<!DOCTYPE a [<!ENTITY b \"]\">]>\n<h:Message");
        assert_eq!(first_id(typed.as_bytes()), Some(named));
    }

    #[test]
    fn nothing_odd_is_believed() {
        assert_eq!(first_id(b""), None);
        assert_eq!(first_id(b"hello"), None);
        assert_eq!(first_id(&[0xFF; 3]), None);
        let id = |tag: &str| first_id(format!("<a>{tag}").as_bytes()).unwrap().id;
        assert_eq!(id("<b><id root='1'/></b>"), None);
        assert_eq!(id("<id root='1&#10;2'/>"), None);
        assert_eq!(id("<id root='1\n2'/>"), None);
        assert_eq!(id("<id root='1' extension='ä'/>"), None);
        assert_eq!(id(&format!("<id root='{}'/>", "1".repeat(129))), None);
        assert_eq!(id("<id extension='1'/>"), None);
        assert_eq!(id("<id root='1.2'/>").unwrap().root, "1.2");
        assert_eq!(first_id(b"<a/><id root='1'/>").unwrap().id, None);
    }
}
