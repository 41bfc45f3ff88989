//! From an offset to what a person can find: line, column and the path of the element that stands there.
//! Only failures come here, so it may walk the text once more.

use super::scan::{Scanner, Token};
use super::tree::{self, Document, Node};
use crate::domain::code::Code;
use crate::domain::finding::{Finding, Place};

/// The longest path given, in octets: 256 levels of long names are nothing anyone reads.
const PATH_OCTETS: usize = 4_096;
/// The longest name given, in octets; the longest name in the standards has 40.
pub const NAME_OCTETS: usize = 64;

/// An element that is open at a fault.
#[derive(Debug, Clone, Copy)]
pub struct Open<'a> {
    /// Its name as written.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: Option<&'a str>,
    /// Where its tag begins.
    pub at: usize,
}

/// Lines and columns of offsets that come in ascending order; one walk for all of them.
#[derive(Debug)]
pub struct Positions<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    column: u32,
}

impl<'a> Positions<'a> {
    /// Begins at line 1, column 1.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    /// Line and column of an offset, from 1, columns in characters. An earlier offset than the last gives the last.
    pub fn of(&mut self, offset: usize) -> (u32, u32) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let between = self.text.get(self.at..end).unwrap_or("");
        let lines = between.bytes().filter(|b| *b == b'\n').count();
        let tail = between.rfind('\n').map_or(between, |newline| &between[newline + 1..]);
        let columns = u32::try_from(tail.chars().count()).unwrap_or(u32::MAX);
        if lines > 0 {
            self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            self.column = 1;
        }
        self.column = self.column.saturating_add(columns);
        self.at = end.max(self.at);
        (self.line, self.column)
    }
}

/// The place of a fault in a text that cannot be read to its end: `open` are the elements open there, outermost first.
/// A position stands in the path where the same name came before among the siblings; what comes after is not known.
#[must_use]
pub fn place_among(text: &str, offset: usize, open: &[Open<'_>], attribute: Option<&str>) -> Place {
    let (line, column) = Positions::new(text).of(offset);
    let mut path = String::new();
    for (element, position) in open.iter().zip(positions_of(text, open)) {
        path.push('/');
        let local = element.name.rsplit(':').next().unwrap_or_default();
        path.push_str(&tree::qualified(element.namespace, &short(local)));
        if position > 1 {
            path.push_str(&format!("[{position}]"));
        }
        if path.len() > PATH_OCTETS {
            path.push('…');
            break;
        }
    }
    if path.is_empty() {
        path.push('/');
    } else if let Some(attribute) = attribute {
        path.push_str("/@");
        path.push_str(&short(attribute));
    }
    Place { line, column, path }
}

/// How many siblings of the same name each open element follows, itself counted. Walks to the innermost one; memory grows with depth only.
fn positions_of(text: &str, open: &[Open<'_>]) -> Vec<u32> {
    let mut counts = vec![0_u32; open.len()];
    let Some(last) = open.last() else { return counts };
    let mut scanner = Scanner::new(text);
    // `on`: how many of the innermost elements we are in are those of the path; `depth`: how deep we are.
    let (mut on, mut depth) = (0, 0_usize);
    while let Ok(Some(token)) = scanner.token() {
        match token {
            Token::Start { name, empty } => {
                if on == depth
                    && let (Some(element), Some(count)) = (open.get(depth), counts.get_mut(depth))
                {
                    *count = count.saturating_add(u32::from(element.name == name));
                    if element.at == scanner.token_at() {
                        on += 1;
                    }
                }
                depth += usize::from(!empty || on > depth);
            }
            Token::End(_) => {
                depth = depth.saturating_sub(1);
                on = on.min(depth);
            }
            Token::Doctype => break,
            Token::Text(_) | Token::CData | Token::Aside | Token::Declaration => {}
        }
        if scanner.token_at() >= last.at {
            break;
        }
    }
    counts
}

/// A name that is fit for a finding: cut to [`NAME_OCTETS`].
#[must_use]
pub fn short(name: &str) -> String {
    let mut end = name.len().min(NAME_OCTETS);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let cut = name.get(..end).unwrap_or("");
    if end < name.len() { format!("{cut}…") } else { cut.to_owned() }
}

/// A finding that waits for its place: the element's number (counted from 0 in document order), the attribute, the finding.
pub type Unplaced = (u32, Option<String>, Finding);

/// Gives findings about whole elements their places, and puts them in document order.
/// The text is well-formed here; if the tree's parser thinks otherwise, that is the finding.
#[must_use]
pub fn place_all(text: &str, found: Vec<Unplaced>) -> Vec<Finding> {
    place_each(text, found, |_, _| ())
}

/// As [`place_all`]; `explain` may make each finding more exact while its element is at hand.
#[must_use]
pub fn place_each(text: &str, mut found: Vec<Unplaced>, explain: impl Fn(Node<'_, '_>, &mut Finding)) -> Vec<Finding> {
    let document = match tree::parse(text) {
        Ok(document) => document,
        Err(fault) => {
            let code = if fault.too_much { Code::E111 } else { Code::E103 };
            return vec![Finding::new(code, Place { line: fault.line, column: fault.column, path: "/".to_owned() })];
        }
    };
    found.sort_by_key(|(ordinal, ..)| *ordinal);
    let mut elements = elements(&document).enumerate();
    let mut here: Option<(usize, Node<'_, '_>)> = None;
    let mut placed = Vec::with_capacity(found.len());
    for (ordinal, attribute, mut finding) in found {
        let ordinal = usize::try_from(ordinal).unwrap_or(usize::MAX);
        if here.is_none_or(|(n, _)| n < ordinal) {
            here = elements.by_ref().find(|(n, _)| *n == ordinal).or(here);
        }
        let mut offset = 0;
        if let Some((_, node)) = here {
            explain(node, &mut finding);
            (offset, finding.place.path) = offset_and_path(node, attribute.as_deref());
            if attribute.is_none() {
                offset = within(text, node, &finding).unwrap_or(offset);
            }
            if finding.args.iter().all(|(name, _)| *name != "element") {
                finding = finding.with("element", tree::qualified(node.tag_name().namespace(), &short(node.tag_name().name())));
            }
        }
        placed.push((offset, finding));
    }
    placed.sort_by_key(|(offset, _)| *offset);
    let mut positions = Positions::new(text);
    for (offset, finding) in &mut placed {
        (finding.place.line, finding.place.column) = positions.of(*offset);
    }
    placed.into_iter().map(|(_, finding)| finding).collect()
}

fn elements<'a, 'i>(document: &'a Document<'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    document.descendants().filter(Node::is_element)
}

/// Where in an element to look: at its end, when something is missing there; at its text, when that is what is wrong.
fn within(text: &str, node: Node<'_, '_>, finding: &Finding) -> Option<usize> {
    let range = node.range();
    match finding.code {
        Code::E204 if finding.args.iter().all(|(name, _)| *name != "before") => {
            // An attribute's value has no "<", so in an empty tag the last one is the first.
            text.get(range.clone())?.rfind('<').map(|at| range.start + at)
        }
        Code::E209 | Code::E211 | Code::E228 | Code::E229 | Code::E230 | Code::E231 => {
            let stray = node.children().filter(|n| n.is_text() && n.text().is_some_and(|t| !t.trim_ascii().is_empty())).find_map(|n| {
                let raw = text.get(n.range())?;
                Some(n.range().start + raw.len() - raw.trim_ascii_start().len())
            });
            stray.filter(|at| *at < range.end)
        }
        _ => None,
    }
}

fn offset_and_path(node: Node<'_, '_>, attribute: Option<&str>) -> (usize, String) {
    let mut path = tree::path(node);
    if path.len() > PATH_OCTETS {
        let mut end = PATH_OCTETS;
        while !path.is_char_boundary(end) {
            end -= 1;
        }
        path.truncate(end);
        path.push('…');
    }
    let mut offset = node.range().start;
    if let Some(name) = attribute {
        path.push_str("/@");
        path.push_str(&short(name));
        let local = name.rsplit(':').next().unwrap_or(name);
        offset = node.attributes().find(|a| a.name() == local).map_or(offset, |a| a.range().start);
    }
    (offset, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_positions_go_forward() {
        let text = "<ä>\n  ö<b/>\n</ä>";
        let mut positions = Positions::new(text);
        assert_eq!(positions.of(0), (1, 1));
        assert_eq!(positions.of(text.find("<b").unwrap_or(0)), (2, 4));
        assert_eq!(positions.of(text.len()), (3, 5));
        assert_eq!(positions.of(text.len() + 10), (3, 5));
    }

    #[test]
    fn siblings_before_are_counted() {
        let text = "<r><a/><a><b/></a><c/><a><b/><b>";
        let third = text.rfind("<a").unwrap_or(0);
        let inner = text.rfind("<b").unwrap_or(0);
        let open = |name, at| Open { name, namespace: None, at };
        let place = place_among(text, inner, &[open("r", 0), open("a", third), open("b", inner)], Some("x"));
        assert_eq!(place.path, "/r/a[3]/b[2]/@x");
    }
}
