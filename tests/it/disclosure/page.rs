//! docs/disclosure.md: its table is what the rules decide.

use crate::faces::{arkki, exits, json};
use crate::kit;

#[test]
fn the_table_is_made_from_the_rules() {
    let page = std::fs::read_to_string(kit::repository().join("docs/disclosure.md")).unwrap_or_default();
    let table = arkki(&["codes", "disclosure", "--markdown"]).must();
    assert!(page.contains(table.trim_end()), "docs/disclosure.md is old: put what `arkki codes disclosure --markdown` prints between its marks");
}

#[test]
fn the_table_for_machines_counts_every_combination() {
    let said = arkki(&["codes", "disclosure", "--json"]);
    exits(&said, 0);
    let said = json(&said);
    let rows = said.as_array().unwrap();
    assert!(rows.iter().any(|row| row["rule"] == "R-OLD" && row["result"] == "deny"));
    assert_eq!(rows.iter().map(|row| row["combinations"].as_u64().unwrap()).sum::<u64>(), 589_824);
}
