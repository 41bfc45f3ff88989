//! From "this element is not expected" to what a person can act on: what is missing before it, where it belongs, how often it may stand, what its name was
//! probably meant to be, which attributes, values and types are allowed. The facts come from the schema's own files (`model`, `order`), the place from the tree.

use std::collections::BTreeSet;

use super::model::{Known, Model, Name};
use super::order::{Automaton, Order, Step};
use super::sentence::{self, EXPECTED};
use super::tree::{HL7FI, Node, SDTC};
use crate::domain::code::Code;
use crate::domain::finding::Finding;

/// The longest form (a pattern of the schema) that is shown, in octets.
const FORM_OCTETS: usize = 160;
/// The most types named that may stand for an abstract one; CDA has 40 that may stand for ANY.
const STAND_INS: usize = 24;

/// Makes a finding about this element as exact as the schema's files allow. Where they tell nothing the finding stays as it is.
pub fn explain(model: &Model, node: Node<'_, '_>, finding: &mut Finding) {
    let _told = match finding.code {
        Code::E202 | Code::E210 | Code::E233 => child(model, node, finding),
        Code::E203 => patient_side(model, node, finding),
        Code::E204 => end(model, node, finding),
        Code::E207 => attribute(model, node, finding),
        Code::E209 | Code::E228 => value(model, node, finding),
        Code::E222 | Code::E223 | Code::E224 => types(model, node, finding),
        _ => None,
    };
}

/// A child where it may not stand.
fn child(model: &Model, node: Node<'_, '_>, finding: &mut Finding) -> Option<()> {
    let automaton = automaton(model, node.parent_element()?)?;
    let stray = Name::of(node);
    let before: Vec<Name> = preceding(node);
    let order = automaton.why(&before, &stray)?;
    let following: BTreeSet<Name> = node.next_siblings().skip(1).filter(Node::is_element).map(|n| Name::of(n)).collect();
    let to_come = |steps: &[Step]| words(steps.iter().filter(|step| !step.iter().any(|name| following.contains(name))));
    set(finding, "expected", &names(&automaton.next(&before)));
    match order {
        Order::Missing(steps) => {
            let missing = to_come(&steps);
            if missing.is_empty() {
                // All of it comes later: this one stands too early.
                finding.code = Code::E220;
                set(finding, "after", &steps.last().map(alternatives).unwrap_or_default());
            } else {
                finding.code = Code::E204;
                set(finding, "missing", &missing);
                set(finding, "before", &stray_word(finding));
            }
        }
        Order::Late(name) => {
            finding.code = Code::E220;
            set(finding, "before", &name.qualified());
        }
        Order::TooMany(limit) => {
            finding.code = Code::E221;
            set(finding, "limit", &limit.to_string());
        }
        Order::NotHere(steps) => not_here(&automaton, &stray, &to_come(&steps), finding),
    }
    Some(())
}

/// A child that this parent does not know, or knows only in another branch.
fn not_here(automaton: &Automaton<'_>, stray: &Name, to_come: &str, finding: &mut Finding) {
    let alphabet = automaton.alphabet();
    let is_known = alphabet.contains(&stray);
    finding.code = if !is_known && stray.namespace != SDTC && alphabet.iter().any(|name| name.local == stray.local) {
        Code::E210
    } else if !is_known && sentence::is_foreign(Some(&stray.namespace)) {
        Code::E233
    } else if !is_known && stray.namespace == HL7FI && stray.local == "localSocialHeader" {
        Code::E214
    } else {
        Code::E202
    };
    if finding.code == Code::E233 && stray.namespace == SDTC {
        set(finding, "profile", "cda-r2-sdtc");
    }
    if finding.code == Code::E202 && !is_known {
        set(finding, "similar", &similar(&stray.local, alphabet.iter().map(|name| name.local.as_str())).unwrap_or_default());
    }
    if finding.code == Code::E202 {
        set(finding, "missing", to_come);
    }
}

/// `hl7fi:localHeader`: where the profile has a place for it, it is a child like any other.
fn patient_side(model: &Model, node: Node<'_, '_>, finding: &mut Finding) -> Option<()> {
    let automaton = automaton(model, node.parent_element()?)?;
    let alphabet = automaton.alphabet();
    if alphabet.contains(&&Name::of(node)) {
        return child(model, node, finding);
    }
    // Only where the social header is expected does the document belong to another profile rather than to none.
    let is_social = alphabet.iter().any(|name| name.namespace == HL7FI && name.local == "localSocialHeader");
    if !is_social {
        finding.code = Code::E233;
        set(finding, "profile", "kanta-patient");
    }
    finding.args.retain(|(name, _)| *name != "expected");
    Some(())
}

/// An element that ends too early.
fn end(model: &Model, node: Node<'_, '_>, finding: &mut Finding) -> Option<()> {
    let automaton = automaton(model, node)?;
    let children: Vec<Name> = node.children().filter(Node::is_element).map(|n| Name::of(n)).collect();
    let missing = automaton.missing_at_end(&children)?;
    set(finding, "missing", &words(missing.iter()));
    set(finding, "expected", &names(&automaton.next(&children)));
    Some(())
}

/// An attribute that its element does not take.
fn attribute(model: &Model, node: Node<'_, '_>, finding: &mut Finding) -> Option<()> {
    let allowed = model.attributes(model.known(node)?);
    let written = finding.args.iter().find(|(name, _)| *name == "attribute").map(|(_, word)| word.clone())?;
    set(finding, "similar", &similar(&written, allowed.iter().copied()).unwrap_or_default());
    set(finding, "expected", &sentence::some(allowed.into_iter()));
    Some(())
}

/// A value: the allowed ones if they can be counted, else the form.
fn value(model: &Model, _: Node<'_, '_>, finding: &mut Finding) -> Option<()> {
    let word = |wanted: &str| finding.args.iter().find(|(name, _)| *name == wanted).map(|(_, word)| word.clone());
    if word("expected").is_some() {
        return Some(());
    }
    let kind = word("type")?;
    if let Some(values) = model.values(&kind) {
        finding.code = Code::E228;
        set(finding, "expected", &sentence::some(values.into_iter()));
    } else if let Some(form) = model.form(&kind).filter(|form| form.len() <= FORM_OCTETS) {
        set(finding, "form", form);
    }
    Some(())
}

/// A type that `xsi:type` must name, or names in vain.
fn types(model: &Model, node: Node<'_, '_>, finding: &mut Finding) -> Option<()> {
    let declared = model.declared(node)?;
    let Known { name, .. } = model.of_kind(declared)?;
    set(finding, "base", name.map_or("", |name| &name.local));
    let mut stand_ins = model.stand_ins(declared);
    // The simple ones first: `ST` is meant more often than `UVP_TS`.
    stand_ins.sort_by_key(|name| (name.contains(['_', '.']), name.len()));
    let more = if stand_ins.len() > STAND_INS { ", …" } else { "" };
    let shown = stand_ins.into_iter().take(STAND_INS).collect::<Vec<_>>().join(", ");
    set(finding, "expected", &(shown + more));
    Some(())
}

fn automaton<'m>(model: &'m Model, parent: Node<'_, '_>) -> Option<Automaton<'m>> {
    Automaton::build(model, &model.content(model.known(parent)?)?)
}

fn preceding(node: Node<'_, '_>) -> Vec<Name> {
    let mut before: Vec<Name> = node.prev_siblings().skip(1).filter(Node::is_element).map(|n| Name::of(n)).collect();
    before.reverse();
    before
}

fn stray_word(finding: &Finding) -> String {
    finding.args.iter().find(|(name, _)| *name == "element").map(|(_, word)| word.clone()).unwrap_or_default()
}

/// Puts a word in place of the one that was there; an empty one only takes it away.
fn set(finding: &mut Finding, name: &'static str, word: &str) {
    finding.args.retain(|(known, _)| *known != name);
    if !word.is_empty() {
        finding.args.push((name, word.to_owned()));
    }
}

fn names(names: &[&Name]) -> String {
    let words: Vec<String> = names.iter().map(|name| name.qualified()).collect();
    sentence::some(words.iter().map(String::as_str))
}

fn words<'s>(steps: impl Iterator<Item = &'s Step>) -> String {
    let words: Vec<String> = steps.take(EXPECTED + 1).map(alternatives).collect();
    sentence::some(words.iter().map(String::as_str))
}

fn alternatives(step: &Step) -> String {
    step.iter().take(EXPECTED).map(Name::qualified).collect::<Vec<_>>().join(" | ")
}

/// The one of the schema's own names that was probably meant.
fn similar<'n>(written: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let near = |name: &&str| {
        let (short, long) = if name.len() < written.len() { (*name, written) } else { (written, *name) };
        let is_begun = short.len() >= 4 && long.get(..short.len()).is_some_and(|head| head.eq_ignore_ascii_case(short));
        is_begun || name.eq_ignore_ascii_case(written) || (short.len() >= 3 && distance(written, name) <= 1 + short.len() / 6)
    };
    names.filter(near).min_by_key(|name| distance(written, name)).map(str::to_owned)
}

/// How many slips lie between two words: a letter too many, too few, another one, or two exchanged. Names longer than [`super::path::NAME_OCTETS`] were cut.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    let at = |rows: &[Vec<usize>], i: usize, j: usize| rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(usize::MAX / 2);
    for i in 1..=a.len() {
        rows.push(vec![i]);
        for j in 1..=b.len() {
            let is_same = a.get(i - 1) == b.get(j - 1);
            let is_exchanged = i > 1 && j > 1 && a.get(i - 1) == b.get(j - 2) && a.get(i - 2) == b.get(j - 1);
            let exchanged = if is_exchanged { at(&rows, i - 2, j - 2) + 1 } else { usize::MAX };
            let cost = (at(&rows, i - 1, j - 1) + usize::from(!is_same)).min(at(&rows, i - 1, j) + 1).min(at(&rows, i, j - 1) + 1).min(exchanged);
            if let Some(row) = rows.last_mut() {
                row.push(cost);
            }
        }
    }
    at(&rows, a.len(), b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_seen() {
        let names = ["languageCode", "setId", "id", "recordTarget", "typeCode", "custodian"];
        for (written, meant) in [
            ("language", Some("languageCode")),
            ("setID", Some("setId")),
            ("recordtargets", Some("recordTarget")),
            ("custodien", Some("custodian")),
            ("stId", Some("setId")),
            ("cutsodian", Some("custodian")),
            ("title", None),
            ("x", None),
        ] {
            assert_eq!(similar(written, names.into_iter()).as_deref(), meant, "{written}");
        }
        assert_eq!((distance("", "ab"), distance("kitten", "sitting"), distance("ä", "a"), distance("first", "frist")), (2, 3, 1, 1));
    }
}
