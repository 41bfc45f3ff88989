//! A document in words: its describing data under the names that the templates give them, and its JSON as a form that people read.

use serde_json::Value;

use super::super::Console;
use super::super::html::Html;
use super::name_of;
use crate::cda::body::{self, Body};
use crate::cda::template::{Field, Known};
use crate::domain::document::Group;
use crate::domain::language::Language;
use crate::domain::time::Hl7Time;
use crate::xml::tree::Document;

/// The longest value shown; describing data are codes, ids and names.
const VALUE_CHARACTERS: usize = 400;
/// The most values of a form that one page shows: larger forms are read in pieces nowhere yet, and the page says that there is more.
const LEAVES: usize = 2_000;
/// How deep a form is shown; the archive takes none that is deeper (`cda/structured/strict`).
const DEPTH: usize = 64;

/// One line: what it is called, and its values.
pub(super) struct Line {
    pub name: String,
    pub values: Vec<String>,
}

/// The describing data that stand in a document, in the templates' order.
pub(super) fn lines(console: &Console, document: &Document<'_>, language: Language) -> Vec<Line> {
    let described = console.rules().templates.described(document);
    let line = |(field, values): (&Field, Vec<String>)| Line {
        name: capital(field.name(language)),
        values: values.iter().map(|value| shown(field, value, language)).collect(),
    };
    described.into_iter().map(line).collect()
}

/// A value in words: a code by its name, a time as people write it.
fn shown(field: &Field, value: &str, language: Language) -> String {
    let value: String = value.chars().take(VALUE_CHARACTERS).collect();
    if let Some(name) = field.system().and_then(|system| system.value(&value)).and_then(|known| name_of(&known.names, language)) {
        return format!("{name} ({value})");
    }
    if matches!(field.kind(), "time")
        && let Ok(read) = Hl7Time::parse(&value)
    {
        return super::time(read.moment);
    }
    value
}

/// The body, read by the same function that examined it when it came: what is not on its lists is not shown.
pub(super) fn body_of(console: &Console, document: &Document<'_>, group: Group) -> Option<Body> {
    body::read(document, console.rules(), group).ok()
}

/// The JSON of the structured form.
pub(super) fn json_of(console: &Console, document: &Document<'_>) -> Option<Value> {
    let node = console.rules().templates.reader(document).node(Known::Json)?;
    serde_json::from_slice(&body::base64_of(node)?).ok()
}

/// Writes a form: a name and its value, groups within groups. Gives whether all of it fitted.
pub(super) fn form(html: &mut Html, value: &Value, yes_no: (&str, &str)) -> bool {
    let mut left = LEAVES;
    write(html, value, yes_no, &mut left, DEPTH);
    left > 0
}

fn write(html: &mut Html, value: &Value, yes_no: (&str, &str), left: &mut usize, depth: usize) {
    if *left == 0 || depth == 0 {
        return;
    }
    match value {
        Value::Object(members) => {
            html.open("dl", &[("class", "form")]);
            for (name, member) in members {
                html.leaf("dt", &[], &capital(&name.replace('_', " ")));
                html.open("dd", &[]);
                write(html, member, yes_no, left, depth - 1);
                html.close("dd");
            }
            html.close("dl");
        }
        Value::Array(items) => {
            html.open("ul", &[]);
            for item in items {
                html.open("li", &[]);
                write(html, item, yes_no, left, depth - 1);
                html.close("li");
            }
            html.close("ul");
        }
        leaf => {
            *left -= 1;
            html.text(&plain(leaf, yes_no));
        }
    }
}

/// Every value with the way to it, for comparison.
pub(super) fn leaves(value: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    gather(value, String::new(), &mut out, DEPTH);
    out
}

fn gather(value: &Value, way: String, out: &mut Vec<(String, String)>, depth: usize) {
    if out.len() >= LEAVES || depth == 0 {
        return;
    }
    let on = |name: &str| if way.is_empty() { name.to_owned() } else { format!("{way} › {name}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| gather(member, on(&capital(&name.replace('_', " "))), out, depth - 1)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| gather(item, on(&(at + 1).to_string()), out, depth - 1)),
        leaf => out.push((way, plain(leaf, ("true", "false")))),
    }
}

fn plain(leaf: &Value, (yes, no): (&str, &str)) -> String {
    match leaf {
        Value::Null => "–".to_owned(),
        Value::Bool(true) => yes.to_owned(),
        Value::Bool(false) => no.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_words_and_never_markup() {
        let value: Value = serde_json::from_str(r#"{"asian_nimi":"<script>x</script>","osat":[{"vanha_asiakkuus":true},null,3]}"#).unwrap();
        let mut html = Html::default();
        assert!(form(&mut html, &value, ("Kyllä", "Ei")));
        let text = html.finish();
        assert!(text.contains("<dt>Asian nimi</dt>") && text.contains("&lt;script&gt;") && text.contains("Kyllä") && !text.contains("<script"), "{text}");
        assert_eq!(leaves(&value)[1], ("Osat › 1 › Vanha asiakkuus".to_owned(), "true".to_owned()));
    }
}
