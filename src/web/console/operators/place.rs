//! Which part of a line a finding is about: an attribute's value, an element's text, or its tag. Whatever stands there is shown as text.

use super::super::html::Html;
use crate::domain::finding::Place;

/// How much of a line is shown on either side of the place, in characters: a whole document may stand on one line.
pub(super) const SIDE: usize = 120;
/// How much of what is marked is shown, in characters: a value may be a whole picture.
const MARKED: usize = 4 * SIDE;

/// Writes a line with the place marked.
pub(super) fn marked(html: &mut Html, line: &str, place: &Place) {
    let chars: Vec<char> = line.chars().collect();
    let column = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    let (begin, end) = span(&chars, column, &place.path);
    let shown = end.min(begin + MARKED);
    html.text(&part(&chars, begin.saturating_sub(SIDE), begin));
    html.inline("mark", &part(&chars, begin, shown));
    if shown < end {
        html.text("…");
    }
    html.text(&part(&chars, end, end + SIDE));
}

fn part(chars: &[char], from: usize, to: usize) -> String {
    chars.iter().skip(from).take(to.saturating_sub(from)).collect()
}

/// From where to where: of an attribute its value, of an element its text; where one has none, the attribute or the start tag. What goes on on the next line ends with this one.
fn span(chars: &[char], column: usize, path: &str) -> (usize, usize) {
    let column = column.min(chars.len());
    let name = path.rsplit_once("/@").map(|(_, name)| name).filter(|name| !name.contains('/'));
    if chars.get(column) == Some(&'<') {
        let tag = tag_end(chars, column);
        return match name {
            Some(name) => attribute_in(chars, (column, tag), name).unwrap_or((column, tag)),
            None => text_behind(chars, tag).unwrap_or((column, tag)),
        };
    }
    if let Some(span) = name.and_then(|name| value_of(chars, column, name)) {
        return span;
    }
    let end = chars.iter().skip(column + 1).position(|c| matches!(c, '<' | '>' | '"' | '\'')).map_or(chars.len(), |at| column + 1 + at);
    (column, end)
}

/// Where a start tag ends, behind its `>`: one within a value ends nothing.
fn tag_end(chars: &[char], from: usize) -> usize {
    let mut quote = None;
    for (at, c) in chars.iter().enumerate().skip(from) {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '>') => return at + 1,
            _ => {}
        }
    }
    chars.len()
}

/// The text of an element whose start tag ends here, without the space around it; `None` where there is none on this line.
fn text_behind(chars: &[char], tag: usize) -> Option<(usize, usize)> {
    let is_whole = tag >= 2 && chars.get(tag - 1) == Some(&'>') && chars.get(tag - 2) != Some(&'/');
    let text = chars.get(tag..).filter(|_| is_whole)?;
    let text = text.split(|c| *c == '<').next()?;
    let begin = text.iter().position(|c| !c.is_whitespace())?;
    let end = text.iter().rposition(|c| !c.is_whitespace())?;
    Some((tag + begin, tag + end + 1))
}

/// The value of an attribute that begins here; of an empty one the whole attribute. `None` where no such attribute does.
fn value_of(chars: &[char], at: usize, name: &str) -> Option<(usize, usize)> {
    let mut next = at;
    for c in name.chars() {
        (chars.get(next) == Some(&c)).then_some(())?;
        next += 1;
    }
    let skip = |from: usize| from + chars.iter().skip(from).take_while(|c| c.is_whitespace()).count();
    next = skip(next);
    (chars.get(next) == Some(&'=')).then_some(())?;
    next = skip(next + 1);
    let quote = chars.get(next).filter(|c| matches!(c, '"' | '\''))?;
    let begin = next + 1;
    let end = chars.iter().skip(begin).position(|c| c == quote).map_or(chars.len(), |length| begin + length);
    Some(if begin == end { (at, (end + 1).min(chars.len())) } else { (begin, end) })
}

/// The value of an attribute within a start tag.
fn attribute_in(chars: &[char], (from, to): (usize, usize), name: &str) -> Option<(usize, usize)> {
    let mut quote = None;
    for at in from..to {
        let c = chars.get(at)?;
        match quote {
            Some(open) if open == c => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c.is_whitespace() => {
                if let Some(span) = value_of(chars, at + 1, name) {
                    return Some(span);
                }
            }
            None => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What is marked of a line, for a place that begins at these words.
    fn mark(line: &str, at: &str, path: &str) -> String {
        let column = line.split(at).next().unwrap().chars().count();
        let chars: Vec<char> = line.chars().collect();
        let (begin, end) = span(&chars, column, path);
        part(&chars, begin, end)
    }

    #[test]
    fn an_attributes_value_is_marked_and_not_its_name() {
        let line = "  <ä/><id root=\"1.2.3\" extension = '010190-900P' note=\"a > b\" empty=\"\"/> <time value=\"2026";
        for (at, path, marked) in [
            ("root=", "/a/id/@root", "1.2.3"),
            ("extension =", "/a/id/@extension", "010190-900P"),
            ("note=", "/a/id[2]/@note", "a > b"),
            ("empty=", "/a/id/@empty", "empty=\"\""),
            // A place at the element: the attribute in it, or the tag where there is none.
            ("<id", "/a/id/@extension", "010190-900P"),
            ("<id", "/a/id/@code", "<id root=\"1.2.3\" extension = '010190-900P' note=\"a > b\" empty=\"\"/>"),
            // What goes on on the next line.
            ("value=", "/a/time/@value", "2026"),
        ] {
            assert_eq!(mark(line, at, path), marked, "{path} at {at}");
        }
        // A name within a value is no attribute.
        assert_eq!(mark("<a x=\" root='1' \" root='2'>", "<a", "/a/@root"), "2");
    }

    #[test]
    fn an_elements_text_is_marked_and_where_it_has_none_its_tag() {
        for (line, path, marked) in [
            ("<title a=\">\">  Words of a title </title>", "/a/title", "Words of a title"),
            ("<id root=\"1\"/>behind", "/a/id", "<id root=\"1\"/>"),
            ("<body><p>x</p></body>", "/a/body", "<body>"),
            ("<body>", "/a/body", "<body>"),
            ("<id root=\"1\"", "/a/id", "<id root=\"1\""),
            ("words", "/", "words"),
            ("", "/a/b", ""),
        ] {
            let at = line.get(..1).unwrap_or("");
            assert_eq!(mark(line, if at.is_empty() { "\n" } else { at }, path), marked, "{line}");
        }
    }

    #[test]
    fn hostile_words_stay_words_and_a_long_value_is_cut() {
        let place = Place { line: 1, column: 4, path: "/a/@b".to_owned() };
        let mut html = Html::default();
        marked(&mut html, "<a b='</mark><script>alert(1)</script>'>&lt;", &place);
        let text = html.fragment();
        assert_eq!(text, "&lt;a b=&#39;<mark>&lt;/mark&gt;&lt;script&gt;alert(1)&lt;/script&gt;</mark>&#39;&gt;&amp;lt;");
        let mut html = Html::default();
        marked(&mut html, &format!("<a b='{}'/>", "ä".repeat(100_000)), &place);
        let text = html.fragment();
        assert!(text.chars().count() < 2 * MARKED && text.contains("…&#39;/&gt;"), "{text}");
        // A column beyond the line, as of another parser.
        let mut html = Html::default();
        marked(&mut html, "<a/>", &Place { line: 1, column: 4000, path: "/a/@b".to_owned() });
        assert!(html.fragment().contains("<mark></mark>"));
    }
}
