//! Writing XML: escaping and nothing else. What is escaped here reads back as the same text, white space in attributes included.

/// Appends text content: `&`, `<` and `>` escaped (`>` because of `]]>`), a carriage return kept as a reference, what XML forbids left out.
pub fn text(out: &mut String, value: &str) {
    escape(out, value, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends ` name="value"`, the value escaped for double quotes; `name` must be a name.
pub fn attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(out, value, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#9;"),
        '\n' => Some("&#10;"),
        '\r' => Some("&#13;"),
        _ => None,
    });
    out.push('"');
}

/// Appends an empty element with attributes in the given order: `<name a="1" b="2"/>`.
pub fn empty(out: &mut String, name: &str, attributes: &[(&str, &str)]) {
    open(out, name, attributes);
    out.pop();
    out.push_str("/>");
}

/// Appends a start tag with attributes in the given order.
pub fn open(out: &mut String, name: &str, attributes: &[(&str, &str)]) {
    out.push('<');
    out.push_str(name);
    for (name, value) in attributes {
        attribute(out, name, value);
    }
    out.push('>');
}

/// Appends an end tag.
pub fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Appends an element with text only.
pub fn element(out: &mut String, name: &str, attributes: &[(&str, &str)], content: &str) {
    open(out, name, attributes);
    text(out, content);
    close(out, name);
}

fn escape(out: &mut String, value: &str, how: impl Fn(char) -> Option<&'static str>) {
    for c in value.chars().filter(|c| super::scan::is_xml_char(*c)) {
        match how(c) {
            Some(reference) => out.push_str(reference),
            None => out.push(c),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let odd = "a<b>&\"'\t\n\r]]> ä \u{1F600}";
        let mut out = String::new();
        open(&mut out, "r", &[("a", odd)]);
        element(&mut out, "t", &[], odd);
        empty(&mut out, "e", &[("x", ""), ("y", "1")]);
        close(&mut out, "r");
        let read = crate::xml::tree::parse(&out).unwrap();
        assert_eq!(read.root_element().attribute("a"), Some(odd));
        assert_eq!(read.root_element().first_child().unwrap().text(), Some(odd));
        assert!(out.contains("<e x=\"\" y=\"1\"/>"));
    }

    #[test]
    fn forbidden_characters_are_left_out() {
        let mut out = String::new();
        text(&mut out, "a\0b\u{B}c\u{FFFE}d");
        assert_eq!(out, "abcd");
    }
}
