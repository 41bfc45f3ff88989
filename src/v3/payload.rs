//! The document inside a frame: base64 in `text`, or an RFC 2557 MIME part (domain README: payload). Nothing else is taken.

use crate::cda::body::{base64_of, digits};
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::limits::DOCUMENT_OCTETS;
use crate::xml::tree::{self, HL7, Node};

/// The most header lines taken before a MIME part's content; the real one has three.
const MIME_HEADERS: usize = 32;

/// Cuts the document's octets out of `clinicalDocument`.
pub(crate) fn read(described: Node<'_, '_>, out: &mut Vec<Finding>) -> Option<Vec<u8>> {
    let mut texts = tree::children(described, HL7, "text");
    let Some(text) = texts.next() else {
        out.push(Finding::new(Code::E815, tree::place(described)).with("rule", "payload-none"));
        return None;
    };
    let finding = |node, rule: &str| Finding::new(Code::E815, tree::place(node)).with("rule", rule);
    if let Some(reference) = tree::children(described, HL7, "text").find_map(|t| t.children().find(Node::is_element)) {
        out.push(Finding::new(Code::E816, tree::place(reference)));
        return None;
    }
    if let Some(second) = texts.next() {
        out.push(finding(second, "payload-many"));
        return None;
    }
    let id = tree::child(described, HL7, "id").and_then(|n| n.attribute("root")).unwrap_or("");
    let is_multipart = text.attribute("mediaType").is_some_and(|m| m.trim().to_ascii_lowercase().starts_with("multipart/"));
    let octets = match (is_multipart, text.attribute("representation")) {
        (true, None | Some("TXT")) => mime_part(&tree::text_of(text), id),
        (false, Some("B64")) => base64_of(text).ok_or("payload-base64"),
        _ => Err("payload-form"),
    };
    match octets {
        Ok(octets) if octets.len() > DOCUMENT_OCTETS => {
            out.push(Finding::new(Code::E105, tree::place(text)).with("limit", DOCUMENT_OCTETS.to_string()));
            None
        }
        Ok(octets) => Some(octets),
        Err(rule) => {
            out.push(finding(text, rule));
            None
        }
    }
}

/// The one part of a MIME multipart: `text/xml`, UTF-8, base64, with the document's id as Content-ID. `Err` is the key of the word that says what is wrong.
fn mime_part(text: &str, id: &str) -> Result<Vec<u8>, &'static str> {
    let (headers, rest) = headers(text).ok_or("payload-headers")?;
    let boundary = value(&headers, "content-type").and_then(|v| parameter(v, "boundary")).filter(|b| !b.is_empty()).ok_or("payload-boundary")?;
    let delimiter = format!("--{boundary}");
    // What stands before the first delimiter and after the last is no part (RFC 2046 §5.1.1).
    let mut parts: Vec<String> = Vec::new();
    let mut open = false;
    let mut closed = false;
    for line in rest.lines() {
        match line.trim_end().strip_prefix(delimiter.as_str()) {
            Some("--") => {
                closed = true;
                break;
            }
            Some("") => {
                open = true;
                parts.push(String::new());
                if parts.len() > 1 {
                    return Err("payload-parts");
                }
            }
            _ if open => {
                if let Some(part) = parts.last_mut() {
                    part.push_str(line);
                    part.push('\n');
                }
            }
            _ => {}
        }
    }
    let part = parts.first().filter(|_| closed).ok_or("payload-parts")?;
    content(part, id)
}

fn content(part: &str, id: &str) -> Result<Vec<u8>, &'static str> {
    let (headers, body) = headers(part).ok_or("payload-headers")?;
    let kind = value(&headers, "content-type").ok_or("payload-type")?;
    if !kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("text/xml")) {
        return Err("payload-type");
    }
    if parameter(kind, "charset").is_some_and(|c| !c.eq_ignore_ascii_case("utf-8")) {
        return Err("payload-charset");
    }
    if !value(&headers, "content-transfer-encoding").is_some_and(|e| e.trim().eq_ignore_ascii_case("base64")) {
        return Err("payload-encoding");
    }
    let content_id = value(&headers, "content-id").map(|v| v.trim().trim_start_matches('<').trim_end_matches('>'));
    if content_id != Some(id) {
        return Err("payload-contentid");
    }
    let plain: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits::decode(&plain).filter(|octets| !octets.is_empty()).ok_or("payload-base64")
}

/// Header lines up to the first empty one, and what follows it. A line that begins with white space, or follows one that ends in a semicolon
/// (as real frames have it, unindented), continues the line before.
fn headers(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (line, after) = rest.split_once('\n')?;
        rest = after;
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() {
            return Some((headers, rest));
        }
        let continues = line.starts_with([' ', '\t']) || headers.last().is_some_and(|(_, v)| v.trim_end().ends_with(';'));
        match (headers.last_mut(), continues) {
            (Some((_, value)), true) => value.push_str(line.trim()),
            _ => {
                let (name, value) = line.split_once(':')?;
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        if headers.len() > MIME_HEADERS {
            return None;
        }
    }
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

fn parameter<'v>(value: &'v str, name: &str) -> Option<&'v str> {
    value.split(';').skip(1).find_map(|p| {
        let (n, v) = p.split_once('=')?;
        n.trim().eq_ignore_ascii_case(name).then(|| v.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "MIME-Version: 1.0\nContent-Type: multipart/related;\nboundary=\"b\"\n\n--b\nContent-Type: text/xml; charset=UTF-8\nContent-Transfer-Encoding: BASE64\nContent-ID: <1.2.3>\n\nPGE+\nPC9hPg==\n\n--b--\n";

    #[test]
    fn the_one_part_and_nothing_else() {
        assert_eq!(mime_part(GOOD, "1.2.3").as_deref(), Ok(b"<a></a>".as_slice()));
        for (old, new, rule) in [
            ("boundary=\"b\"", "x=\"b\"", "payload-boundary"),
            ("--b--", "--b", "payload-parts"),
            ("--b--", "--b\n\n--b--", "payload-parts"),
            ("text/xml", "text/html", "payload-type"),
            ("UTF-8", "ISO-8859-1", "payload-charset"),
            ("BASE64", "8bit", "payload-encoding"),
            ("<1.2.3>", "<1.2.4>", "payload-contentid"),
            ("PGE+", "PG*+", "payload-base64"),
            ("\n\nPGE+\nPC9hPg==\n\n", "\n", "payload-headers"),
        ] {
            assert!(GOOD.contains(old));
            assert_eq!(mime_part(&GOOD.replacen(old, new, 1), "1.2.3"), Err(rule), "{old} → {new}");
        }
        for hostile in ["", "\n", ":", "a", "Content-Type: multipart/related; boundary=b\n", &"a: b\n".repeat(100)] {
            assert!(mime_part(hostile, "1.2.3").is_err(), "{hostile:.20}");
        }
    }
}
