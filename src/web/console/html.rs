//! Writes HTML: every text and every attribute's value is escaped here and nowhere else, so that no page can forget it.

/// A page in the making.
#[derive(Default)]
pub struct Html(String);

/// Attributes in their order; one with an empty value is still an attribute (`required`).
pub type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Html {
    /// A document up to its `html` element.
    #[must_use]
    pub fn document(language: &str) -> Self {
        let mut html = Self("<!DOCTYPE html>\n".to_owned());
        html.open("html", &[("lang", language)]);
        html
    }

    /// A start tag. Tags and names of attributes are ours, values are anybody's.
    pub fn open(&mut self, tag: &str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.escape(value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    /// An end tag, on a line's end: pages are read by people too.
    pub fn close(&mut self, tag: &str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push_str(">\n");
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        self.escape(text);
    }

    /// An element with text only.
    pub fn leaf(&mut self, tag: &str, attributes: Attributes<'_>, text: &str) {
        self.open(tag, attributes);
        self.escape(text);
        self.close(tag);
    }

    /// As [`Html::leaf`] where white space counts: no line ends behind it.
    pub fn inline(&mut self, tag: &str, text: &str) {
        self.open(tag, &[]);
        self.escape(text);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// A part of a page, as it was made. Carriage returns have no place in it: what is sent line by line knows only line feeds.
    #[must_use]
    pub fn fragment(self) -> String {
        self.0.replace('\r', " ")
    }

    /// The whole page.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.close("html");
        self.0
    }

    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // HTML has no way to write these.
                '\0' => self.0.push('\u{FFFD}'),
                c => self.0.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_text_or_attribute() {
        let mut html = Html::document("fi");
        html.leaf("p", &[("title", "\" onload='x' <b>")], "</p><script>alert(1)</script>&amp;\0");
        let text = html.finish();
        assert_eq!(
            text,
            "<!DOCTYPE html>\n<html lang=\"fi\"><p title=\"&quot; onload=&#39;x&#39; &lt;b&gt;\">&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;\u{FFFD}</p>\n</html>\n"
        );
    }
}
