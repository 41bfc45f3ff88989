//! Two versions of one set side by side: describing data that differ, values of the form that differ, lines of the text that came and went.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::html::Html;
use super::super::{Asked, Console, pages, query};
use super::{Failed, One, PATH, ROLES, describe};
use crate::domain::language::Language;
use crate::xml::tree;

/// The most lines of a text that are held against each other: the table that finds what they share has a place for each pair.
const LINES: usize = 1_500;

pub(super) async fn show(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let with = query(request.uri(), "with").unwrap_or_default().to_owned();
    let found = async {
        let one = One::find(&console, &visit, &id, "compare").await?;
        let other = One::find(&console, &visit, &with, "compare").await?;
        if one.hit.header.set_id == other.hit.header.set_id { Ok((one, other)) } else { Err(Failed::NotThere) }
    };
    let (one, other) = match found.await {
        Ok(found) => found,
        Err(failed) => return failed.page(&console, &asked),
    };
    // The older one stands first, whichever was asked from.
    let (old, new) = if one.hit.header.version <= other.hit.header.version { (one, other) } else { (other, one) };
    let word = |key| console.words.get(key, asked.language);
    let title = format!("{}: {} {} – {}", word("compare-heading"), word("document-version"), old.hit.header.version, new.hit.header.version);
    // Holding texts against each other is work: other tasks move on elsewhere.
    let written = |html: &mut Html| {
        html.open("p", &[]);
        for (at, version) in [&old, &new].into_iter().enumerate() {
            if at > 0 {
                html.text(" · ");
            }
            html.leaf("a", &[("href", &format!("{PATH}/{}", version.id()))], &format!("{} {}", word("document-version"), version.hit.header.version));
        }
        html.close("p");
        let numbers = (old.hit.header.version, new.hit.header.version);
        let facts = |one: &One| facts(&console, one, asked.language);
        changes(&console, &asked, html, ("document-describing", numbers), &differing(&facts(&old), &facts(&new)));
        let leaves = |one: &One| one.read(|document| describe::json_of(&console, document)).flatten().map(|value| describe::leaves(&value)).unwrap_or_default();
        changes(&console, &asked, html, ("form-page", numbers), &differing(&leaves(&old), &leaves(&new)));
        text(&console, &asked, html, &lines(&console, &old), &lines(&console, &new));
    };
    tokio::task::block_in_place(|| pages::page(&console, &asked, StatusCode::OK, (&title, &title), written))
}

fn facts(console: &Console, one: &One, language: Language) -> Vec<(String, String)> {
    let lines = one.read(|document| describe::lines(console, document, language)).unwrap_or_default();
    lines.into_iter().map(|line| (line.name, line.values.join("; "))).collect()
}

/// One value that is not the same: its name, and what it was and is.
type Change = (String, Option<String>, Option<String>);

fn differing(old: &[(String, String)], new: &[(String, String)]) -> Vec<Change> {
    let later: BTreeMap<&str, &str> = new.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let earlier: BTreeMap<&str, &str> = old.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let owned = |value: Option<&&str>| value.map(|value| (*value).to_owned());
    let mut out: Vec<Change> = Vec::new();
    for (name, value) in old {
        if later.get(name.as_str()) != Some(&value.as_str()) {
            out.push((name.clone(), Some(value.clone()), owned(later.get(name.as_str()))));
        }
    }
    out.extend(new.iter().filter(|(name, _)| !earlier.contains_key(name.as_str())).map(|(name, value)| (name.clone(), None, Some(value.clone()))));
    out
}

fn changes(console: &Console, asked: &Asked, html: &mut Html, (heading, numbers): (&str, (u32, u32)), changes: &[Change]) {
    let word = |key| console.words.get(key, asked.language);
    html.leaf("h2", &[], console.words.get(heading, asked.language));
    if changes.is_empty() {
        return html.leaf("p", &[], word("compare-same"));
    }
    html.open("dl", &[("class", "changes")]);
    for (name, was, is) in changes {
        html.leaf("dt", &[], name);
        html.open("dd", &[]);
        for (mark, number, value) in [("del", numbers.0, was), ("ins", numbers.1, is)] {
            html.open("p", &[]);
            html.leaf("span", &[("class", "hint")], &format!("{} {number}", word("document-version")));
            html.leaf(mark, &[], value.as_deref().unwrap_or("–"));
            html.close("p");
        }
        html.close("dd");
    }
    html.close("dl");
}

/// The text of an XHTML body, line by line; nothing of a PDF.
fn lines(console: &Console, one: &One) -> Vec<String> {
    let body = one.read(|document| describe::body_of(console, document, one.hit.header.group)).flatten();
    let Some(text) = body.and_then(|body| String::from_utf8(body.display).ok()) else { return Vec::new() };
    let Ok(document) = tree::parse(&text) else { return Vec::new() };
    let blocks = ["p", "li", "td", "th", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "caption", "pre", "div"];
    let is_block = |node: &tree::Node<'_, '_>| node.is_element() && blocks.contains(&node.tag_name().name());
    let innermost = document.root_element().descendants().filter(|node| is_block(node) && !node.descendants().skip(1).any(|inner| is_block(&inner)));
    innermost.map(|node| tree::text_of(node).split_whitespace().collect::<Vec<_>>().join(" ")).filter(|line| !line.is_empty()).take(LINES).collect()
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
enum Step<'l> {
    Same(&'l str),
    Gone(&'l str),
    Come(&'l str),
}

/// The longest common subsequence, walked through.
fn steps<'l>(old: &'l [String], new: &'l [String]) -> Vec<Step<'l>> {
    let width = new.len() + 1;
    let mut shared = vec![0_u16; (old.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    let get = |shared: &[u16], i: usize, j: usize| shared.get(at(i, j)).copied().unwrap_or(0);
    for (i, before) in old.iter().enumerate().rev() {
        for (j, after) in new.iter().enumerate().rev() {
            let best = if before == after { get(&shared, i + 1, j + 1) + 1 } else { get(&shared, i + 1, j).max(get(&shared, i, j + 1)) };
            if let Some(place) = shared.get_mut(at(i, j)) {
                *place = best;
            }
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    // Each turn passes a line of one of them or of both.
    while i < old.len() || j < new.len() {
        match (old.get(i), new.get(j)) {
            (Some(before), Some(after)) if before == after => {
                out.push(Step::Same(before));
                (i, j) = (i + 1, j + 1);
            }
            (Some(before), after) if after.is_none() || get(&shared, i + 1, j) >= get(&shared, i, j + 1) => {
                out.push(Step::Gone(before));
                i += 1;
            }
            (_, Some(after)) => {
                out.push(Step::Come(after));
                j += 1;
            }
            _ => break,
        }
    }
    out
}

fn text(console: &Console, asked: &Asked, html: &mut Html, old: &[String], new: &[String]) {
    let word = |key| console.words.get(key, asked.language);
    html.leaf("h2", &[], word("document-body"));
    let steps = steps(old, new);
    if steps.iter().all(|step| matches!(step, Step::Same(_))) {
        return html.leaf("p", &[], word(if steps.is_empty() { "compare-no-text" } else { "compare-same" }));
    }
    html.open("div", &[("class", "text")]);
    for step in &steps {
        html.open("p", &[]);
        match step {
            Step::Same(line) => html.text(line),
            Step::Gone(line) => html.leaf("del", &[], line),
            Step::Come(line) => html.leaf("ins", &[], line),
        }
        html.close("p");
    }
    html.close("div");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_came_and_went_are_told_apart() {
        let all = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (old, new) = (all("a b c d"), all("a x c d e"));
        assert_eq!(steps(&old, &new), [Step::Same("a"), Step::Gone("b"), Step::Come("x"), Step::Same("c"), Step::Same("d"), Step::Come("e")]);
        assert!(steps(&[], &[]).is_empty());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let changes = differing(&[pair("a", "1"), pair("b", "2")], &[pair("a", "1"), pair("b", "3"), pair("c", "4")]);
        assert_eq!(changes, [("b".to_owned(), Some("2".to_owned()), Some("3".to_owned())), ("c".to_owned(), None, Some("4".to_owned()))]);
    }
}
