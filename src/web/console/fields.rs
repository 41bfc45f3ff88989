//! The form's fields: each with its label, its hint and what is wrong with it, bound to it for those who do not see them side by side.

use super::Console;
use super::answers::Told;
use super::html::Html;
use crate::domain::language::Language;

/// Writes fields of one form.
pub(super) struct Fields<'a> {
    pub html: &'a mut Html,
    pub console: &'a Console,
    pub language: Language,
    /// What is wrong, by field.
    pub told: &'a [Told],
}

/// How a field is typed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One line.
    Line,
    /// A day and a time.
    Time,
    /// A day.
    Day,
    /// Some lines.
    Words,
}

/// One field: its name, the keys of its label and hint (no hint: empty), and whether it is needed.
#[derive(Clone, Copy)]
pub(super) struct Field<'f> {
    pub name: &'f str,
    pub label: &'f str,
    pub hint: &'f str,
    pub needed: bool,
}

impl<'f> Field<'f> {
    /// A field whose label's key is its name.
    pub const fn new(name: &'f str, needed: bool) -> Self {
        Self { name, label: name, hint: "", needed }
    }

    /// With a hint.
    pub const fn hint(self, hint: &'f str) -> Self {
        Self { hint, ..self }
    }
}

/// Something to choose: its value and its words.
pub(super) type Choice = (String, String);

/// The longest line and text that the schema takes.
const LINE: &str = "200";
const WORDS: &str = "2000";

impl<'a> Fields<'a> {
    pub fn word(&self, key: &'a str) -> &'a str {
        self.console.words.get(key, self.language)
    }

    /// A typed field.
    pub fn typed(&mut self, field: Field<'_>, kind: Kind, value: &str) {
        let class = if kind == Kind::Words { "wide" } else { "" };
        let described = self.begin(&field, class);
        let mut attributes = vec![("id", field.name), ("name", field.name), ("autocomplete", "off")];
        match kind {
            Kind::Line => attributes.extend([("type", "text"), ("maxlength", LINE), ("value", value)]),
            Kind::Time => attributes.extend([("type", "datetime-local"), ("value", value)]),
            Kind::Day => attributes.extend([("type", "date"), ("value", value)]),
            Kind::Words => attributes.push(("maxlength", WORDS)),
        }
        self.finish(&field, &described, &mut attributes);
        if kind == Kind::Words {
            self.html.open("textarea", &attributes);
            // A first line break belongs to the tag, not to the text.
            self.html.text("\n");
            self.html.text(value);
            self.html.close("textarea");
        } else {
            self.html.open("input", &attributes);
        }
        self.html.close("div");
    }

    /// A field to choose from a list; `empty` is the word of choosing nothing.
    pub fn chosen(&mut self, field: Field<'_>, choices: &[Choice], value: &str, empty: &'a str) {
        let described = self.begin(&field, "");
        let mut attributes = vec![("id", field.name), ("name", field.name)];
        self.finish(&field, &described, &mut attributes);
        self.html.open("select", &attributes);
        if !empty.is_empty() {
            let word = self.word(empty);
            self.html.leaf("option", &[("value", "")], word);
        }
        for (code, words) in choices {
            let mut attributes = vec![("value", code.as_str())];
            if code == value {
                attributes.push(("selected", ""));
            }
            self.html.leaf("option", &attributes, words);
        }
        self.html.close("select");
        self.html.close("div");
    }

    /// A field of which several may be chosen.
    pub fn several(&mut self, field: Field<'_>, choices: &[Choice], values: &[String]) {
        let described = self.described(&field);
        let mut attributes = vec![("class", "wide"), ("id", field.name)];
        if !described.is_empty() {
            attributes.push(("aria-describedby", described.as_str()));
        }
        self.html.open("fieldset", &attributes);
        let label = self.label(&field);
        self.html.leaf("legend", &[], &label);
        self.beside(&field);
        self.html.open("div", &[("class", "fields")]);
        for (code, words) in choices {
            self.html.open("label", &[("class", "check")]);
            let mut attributes = vec![("type", "checkbox"), ("name", field.name), ("value", code.as_str())];
            if values.contains(code) {
                attributes.push(("checked", ""));
            }
            self.html.open("input", &attributes);
            self.html.text(words);
            self.html.close("label");
        }
        self.html.close("div");
        self.html.close("fieldset");
    }

    /// A group of fields under its heading.
    pub fn group(&mut self, heading: &str, inside: impl FnOnce(&mut Self)) {
        self.html.open("fieldset", &[]);
        self.html.leaf("legend", &[], heading);
        self.html.open("div", &[("class", "fields")]);
        inside(self);
        self.html.close("div");
        self.html.close("fieldset");
    }

    /// Opens a field's box with its label, hint and faults; gives the ids of what describes it.
    fn begin(&mut self, field: &Field<'_>, class: &str) -> String {
        self.html.open("div", &[("class", class)]);
        let label = self.label(field);
        self.html.leaf("label", &[("for", field.name)], &label);
        self.beside(field);
        self.described(field)
    }

    fn label(&self, field: &Field<'_>) -> String {
        let key = format!("field-{}", field.label);
        let label = self.console.words.get(&key, self.language);
        if field.needed { format!("{label} *") } else { label.to_owned() }
    }

    fn beside(&mut self, field: &Field<'_>) {
        if !field.hint.is_empty() {
            let key = format!("hint-{}", field.hint);
            let hint = self.console.words.get(&key, self.language);
            self.html.leaf("span", &[("class", "hint"), ("id", &format!("{}-hint", field.name))], hint);
        }
        let faults: Vec<&str> = self.faults(field).collect();
        if !faults.is_empty() {
            self.html.leaf("span", &[("class", "fault"), ("id", &format!("{}-fault", field.name))], &faults.join(" "));
        }
    }

    fn described(&self, field: &Field<'_>) -> String {
        let hint = (!field.hint.is_empty()).then(|| format!("{}-hint", field.name));
        let fault = self.faults(field).next().map(|_| format!("{}-fault", field.name));
        hint.into_iter().chain(fault).collect::<Vec<_>>().join(" ")
    }

    fn faults(&self, field: &Field<'_>) -> impl Iterator<Item = &'a str> {
        let name = field.name.to_owned();
        self.told.iter().filter(move |told| told.field.as_deref() == Some(name.as_str())).map(|told| told.text.as_str())
    }

    fn finish<'v>(&self, field: &Field<'_>, described: &'v str, attributes: &mut Vec<(&'v str, &'v str)>) {
        if field.needed {
            attributes.push(("required", ""));
        }
        if self.faults(field).next().is_some() {
            attributes.push(("aria-invalid", "true"));
        }
        if !described.is_empty() {
            attributes.push(("aria-describedby", described));
        }
    }
}
