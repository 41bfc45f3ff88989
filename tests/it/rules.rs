//! The rules that are data: their examples, their samples, their pages; generated documents against the templates; random edits.

mod coverage;
mod edits;
mod pages;

use std::sync::LazyLock;

use arkki::codes::rule_set::RuleSet;
use arkki::codes::source::embedded;

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::load(&embedded()).expect("the built-in rules load"));
