//! docs/templates.md and docs/rules.md, made from the rules; tests hold the files to them.

use super::show::{in_words, place};
use crate::cda::template::Field;
use crate::codes::rule_set::RuleSet;
use crate::codes::rules::{Edit, Example, Holder, Rule};
use crate::domain::document::Group;
use crate::domain::language::Language;

const HEAD: &str = "# Metadata templates

Made from `templates/` and `codes/` by `arkki templates page`; do not edit by hand. The page shows the rules that are built in; `arkki templates show`
with a configuration shows a site's own.

An element is **mandatory** (E301 when it is missing), **recommended** (W905), **optional**, **forbidden** (E307), or stands **without a value** (nullFlavor NA),
always or by a condition on other elements. A value is checked by its type and code system: E302–E306, E310, E312; where only part of a code system is known, an
unknown code is a warning (W901). Codes are judged by the day the document was made.

Conditions are written in the data, and a site's own table can replace them without a release:

| written | holds when |
|---|---|
| `present(F)`, `absent(F)` | the element has a value, has none |
| `F = \"…\"`, `F != \"…\"`, `F in (\"…\", \"…\")`, `F begins \"…\"` | any of its values is that; none is; is one of these; begins so |
| `F = G` | two elements have the same value |
| `F before 2016-03-01`, `F from 2016-03-01`, `F before G` | its day is before; is that day or later; is before the other's |
| `younger(F, 18, G)` | on the day G, fewer than 18 years had passed since the day F |
| `unit(F)` | the organisation's OID names a unit of it |
| `fits(F, G)` | F's code belongs under G's, as F's code system says; unknown codes do |
| `not …`, `… and …`, `… or …`, `( … )` | as in speech; `and` binds closer than `or` |

A statement about a value that is absent is false. A rule beyond single elements is a row of `codes/rules/`: `when` (if), `must` (then), the code it gives, its source,
an example that keeps it and one that breaks it. `arkki templates test` tries all of them.
";

/// docs/templates.md.
#[must_use]
pub fn templates_page(rules: &RuleSet) -> String {
    let mut page = HEAD.to_owned();
    for group in Group::ALL {
        let [name, about] = rules.templates.names(group, Language::En);
        let [fi, _] = rules.templates.names(group, Language::Fi);
        let [sv, _] = rules.templates.names(group, Language::Sv);
        page.push_str(&format!("\n## {} {name}\n\n*{fi}* · *{sv}*. {about}\n\n| element | demand |\n|---|---|\n", group.number()));
        for (at, field) in rules.templates.fields().iter().enumerate() {
            page.push_str(&format!("| `{}` | {} |\n", field.key(), cell(&in_code(rules, group, at))));
        }
    }
    page.push_str("\n## Elements\n\n| key | suomi · svenska · English | where | type | code system | source |\n|---|---|---|---|---|---|\n");
    for field in rules.templates.fields() {
        let names: Vec<&str> = Language::ALL.into_iter().map(|l| field.name(l)).collect();
        page.push_str(&format!(
            "| `{}` | {} | `{}` | {}{} | {} | {} |\n",
            field.key(),
            cell(&names.join(" · ")),
            place(field),
            field.kind(),
            if field.repeats() { ", repeats" } else { "" },
            cell(&system(field)),
            cell(field.source()),
        ));
    }
    page
}

/// The demand with its condition as code.
fn in_code(rules: &RuleSet, group: Group, at: usize) -> String {
    let demand = rules.templates.demand(group, at);
    match demand.when {
        None => in_words(rules, demand, Language::En),
        Some(condition) => in_words(rules, demand, Language::En).replace(condition, &format!("`{condition}`")),
    }
}

fn system(field: &Field) -> String {
    let Some(system) = field.system() else { return field.only().join(", ") };
    let codes = if field.only().is_empty() {
        system.values.iter().map(|v| v.code.as_str()).collect::<Vec<_>>()
    } else {
        field.only().iter().map(String::as_str).collect()
    };
    let codes = if codes.len() > 20 { format!("{} codes", codes.len()) } else { codes.join(", ") };
    format!("{}: {codes}{}", system.base, if system.complete { "" } else { " (partly known)" })
}

const RULES_HEAD: &str = "# Rules

Made from `codes/rules/` and `templates/` by `arkki templates rules`; do not edit by hand. A test runs every sample and every edit in it: what keeps a rule is taken
without a finding under that rule, what breaks it gives exactly that code under that rule. `arkki explain R25` tells of one.

*passes* and *fails* are files of `samples/`, or a generated good document of a group, as it is or changed: `− element` removed, `element = value` set, `2 × element` given twice.
Samples are sent in the order of their names after the accepted ones, for links and versions need what is archived.
";

/// docs/rules.md: the coverage table.
#[must_use]
pub fn rules_page(rules: &RuleSet) -> String {
    let mut page = RULES_HEAD.to_owned();
    for holder in HOLDERS {
        let rows: Vec<&Rule> = rules.rules.all().iter().filter(|r| r.holder == holder).collect();
        if rows.is_empty() {
            continue;
        }
        let title = rules.catalogue.word(heading(holder), Language::En);
        page.push_str(&format!("\n## Held by {title}\n\n| rule | what must hold | source | code | passes | fails |\n|---|---|---|---|---|---|\n"));
        for rule in rows {
            let by = rule.by.as_deref().map(|by| format!(" (`{by}`)")).unwrap_or_default();
            page.push_str(&format!(
                "| {}{by} | {} | {} | {} | {} | {} |\n",
                rule.id,
                cell(rule.sentence(Language::En)),
                cell(&rule.source),
                rule.code.as_str(),
                cell(&example(&rule.passes)),
                cell(&example(&rule.fails))
            ));
        }
    }
    page.push_str(ELEMENTS_HEAD);
    for (at, field) in rules.templates.fields().iter().enumerate().filter(|(_, f)| !f.is_json()) {
        let groups = |words: &[&str]| {
            let is_so = |g: &&Group| {
                let demand = rules.templates.demand(**g, at);
                words.contains(&demand.then) || demand.when.is_some() && words.contains(&demand.otherwise)
            };
            let list: Vec<String> = Group::ALL.iter().filter(is_so).map(|g| g.number().to_string()).collect();
            if list.is_empty() { "–".to_owned() } else { list.join(", ") }
        };
        let value =
            field.bad().map_or_else(|| "any text".to_owned(), |(bad, code)| format!("`{}` taken, `{bad}` {}", field.good().unwrap_or(""), code.as_str()));
        page.push_str(&format!(
            "| `need.{key}`, `value.{key}` | {} | {} | {} | {} |\n",
            groups(&["mandatory"]),
            groups(&["recommended"]),
            groups(&["forbidden", "na"]),
            cell(&value),
            key = field.key()
        ));
    }
    page.push_str("\n## Left to people\n\n| rule | source | why |\n|---|---|---|\n");
    for left in rules.rules.left() {
        page.push_str(&format!("| {} | {} | {} |\n", left.id, cell(&left.source), cell(left.why(Language::En))));
    }
    page
}

const HOLDERS: [Holder; 9] =
    [Holder::Encoding, Holder::Schema, Holder::Frame, Holder::Template, Holder::Body, Holder::Header, Holder::Link, Holder::Version, Holder::Signature];

const ELEMENTS_HEAD: &str = "
## Single elements

`arkki templates test` takes a good document of each group and removes the element where it is mandatory (E301) or recommended (W905), puts it there where it is
forbidden (E307), gives it twice where it does not repeat (E309), and gives it a value that is none; each must give that code alone. Conditions are counted where they can hold.

| rules | mandatory in | recommended in | forbidden in | value |
|---|---|---|---|---|
";

/// The word for who holds a rule.
pub(in super::super) fn heading(holder: Holder) -> &'static str {
    match holder {
        Holder::Encoding => "holder-encoding",
        Holder::Schema => "holder-schema",
        Holder::Frame => "holder-frame",
        Holder::Template => "holder-template",
        Holder::Body => "holder-body",
        Holder::Header => "holder-header",
        Holder::Link => "holder-link",
        Holder::Version => "holder-version",
        Holder::Signature => "holder-signature",
    }
}

/// An example in a few characters.
pub(in super::super) fn example(example: &Example) -> String {
    match example {
        Example::Sample(path) => path.trim_end_matches(".xml").to_owned(),
        Example::Edit(edit) => edited(edit),
    }
}

fn edited(edit: &Edit) -> String {
    let mut parts: Vec<String> = edit.remove.iter().map(|key| format!("− {key}")).collect();
    parts.extend(edit.set.iter().map(|(key, value)| format!("{key} = {value}")));
    parts.extend(edit.repeat.iter().map(|key| format!("2 × {key}")));
    let changed = if parts.is_empty() { "as it is".to_owned() } else { parts.join(", ") };
    let stage = if edit.environment == crate::codes::rules::Stage::Production { ", in production" } else { "" };
    format!("group {}: {changed}{stage}", edit.group)
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
