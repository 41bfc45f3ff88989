//! Every combination of factors, each in exactly one line: the table as it works, not as it is written. The lines are found by halving the whole at the
//! conditions of the rules, so they are few, and their counts add up to all situations there are.

use std::fmt::Write as _;

use crate::codes::disclosure::DisclosureRules;
use crate::domain::disclosure::{Bits, FACTORS, Rule, Situation, Table};
use crate::domain::language::Language;

/// Situations that one rule decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'t> {
    /// The values of each factor.
    pub values: Bits,
    /// The rule.
    pub rule: &'t Rule,
}

impl Line<'_> {
    /// How many situations it stands for.
    #[must_use]
    pub fn count(&self) -> usize {
        self.values.iter().map(|bits| bits.count_ones() as usize).product()
    }
}

/// All lines. They overlap nowhere and leave nothing out.
#[must_use]
pub fn lines(table: &Table) -> Vec<Line<'_>> {
    let mut whole: Bits = [0; FACTORS.len()];
    for (bits, factor) in whole.iter_mut().zip(&FACTORS) {
        *bits = all(factor.values.len());
    }
    let mut out = Vec::new();
    // Each halving makes both parts smaller, so this ends; the parts wait here in the order of the table.
    let mut waiting = vec![whole];
    while let Some(part) = waiting.pop() {
        match split(&part, table) {
            Ok(rule) => out.push(Line { values: part, rule }),
            Err((inside, outside)) => waiting.extend([outside, inside]),
        }
    }
    let place = |line: &Line<'_>| table.iter().position(|rule| std::ptr::eq(rule, line.rule));
    out.sort_by_key(place);
    out
}

/// The rule that decides all of a part, or the part in two.
fn split<'t>(part: &Bits, table: &'t Table) -> Result<&'t Rule, (Bits, Bits)> {
    for rule in table.iter() {
        let mut touching = rule.when.iter().filter(|case| part.iter().zip(*case).all(|(part, case)| part & case != 0)).peekable();
        let Some(first) = touching.peek().copied() else { continue };
        if touching.any(|case| part.iter().zip(case).all(|(part, case)| part & !case == 0)) {
            return Ok(rule);
        }
        let (mut inside, mut outside) = (*part, *part);
        for ((inside, outside), case) in inside.iter_mut().zip(&mut outside).zip(first) {
            if *inside & !case != 0 {
                (*inside, *outside) = (*inside & case, *outside & !case);
                break;
            }
        }
        return Err((inside, outside));
    }
    Ok(&table.otherwise)
}

const fn all(values: usize) -> u8 {
    ((1_u16 << values) - 1).to_be_bytes()[1]
}

/// The table for docs/disclosure.md: the rules as they are written, then all combinations, each in one line.
#[must_use]
pub fn markdown(rules: &DisclosureRules) -> String {
    let table = rules.table();
    let lines = lines(table);
    let mut page = String::from("| rule | result | log | notice | says | source | combinations |\n|---|---|---|---|---|---|---|\n");
    for rule in table.iter() {
        let count: usize = lines.iter().filter(|line| std::ptr::eq(line.rule, rule)).map(Line::count).sum();
        let notice = if rule.notice { "yes" } else { "" };
        let tells = rule.refuses.map(|code| format!(" ({})", code.as_str())).unwrap_or_default();
        let _ = writeln!(
            page,
            "| {} | {}{tells} | {} | {notice} | {} | {} | {count} |",
            rule.id,
            rule.outcome.as_str(),
            rule.logged.as_str(),
            rule.sentence(Language::En),
            rule.source
        );
    }
    let _ = write!(
        page,
        "\n{} combinations of {} factors, each in exactly one of these {} lines. A factor left out may be anything.\n\n| rule | result | combinations | when |\n|---|---|---|---|\n",
        Situation::count(),
        FACTORS.len(),
        lines.len()
    );
    for line in &lines {
        let _ = writeln!(page, "| {} | {} | {} | {} |", line.rule.id, line.rule.outcome.as_str(), line.count(), when(&line.values));
    }
    page.push_str("\n| ground | section | wide | says |\n|---|---|---|---|\n");
    for ground in rules.grounds() {
        let wide = if ground.wide { "yes" } else { "" };
        let _ = writeln!(page, "| {} | {} | {wide} | {} |", ground.code, ground.section, ground.says(Language::En));
    }
    page
}

fn when(values: &Bits) -> String {
    let named = FACTORS.iter().zip(values).filter(|(factor, bits)| **bits != all(factor.values.len()));
    let words = named.map(|(factor, bits)| {
        let taken: Vec<&str> = factor.values.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, word)| *word).collect();
        format!("{} {}", factor.key, taken.join("/"))
    });
    words.collect::<Vec<_>>().join(" · ")
}
