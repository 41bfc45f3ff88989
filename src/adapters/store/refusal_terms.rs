//! Criteria on refusals as conditions of a statement, with their values.

use super::line::Value;
use crate::domain::refused::RefusedCriteria;

/// What the groups' table says of criteria: conditions on `g`, with their values.
pub(super) fn group_conditions<'a>(criteria: &'a RefusedCriteria, values: &mut Vec<Value<'a>>) -> String {
    let mut sql = String::from("1 = 1");
    if let Some(ids) = numbered(criteria, values) {
        sql.push_str(&format!(" AND g.id IN (SELECT r.grp FROM refusal r WHERE {ids})"));
    }
    push_words(criteria, values, &mut sql);
    for (condition, moment) in [("g.last_at >=", criteria.from), ("g.first_at <", criteria.until)] {
        if let Some(moment) = moment {
            values.push(Value::Int(Some(moment.micros())));
            sql.push_str(&format!(" AND {condition} ${}", values.len()));
        }
    }
    sql
}

fn push_words<'a>(criteria: &'a RefusedCriteria, values: &mut Vec<Value<'a>>, sql: &mut String) {
    let words = [("code", criteria.code.as_deref()), ("finding", criteria.finding.as_deref()), ("sender", criteria.sender.as_deref())];
    for (column, word) in words.into_iter().filter(|(_, word)| word.is_some()) {
        values.push(Value::Text(word));
        sql.push_str(&format!(" AND g.{column} = ${}", values.len()));
    }
}

/// The refusals `r` that are named by their numbers, where any are.
fn numbered<'a>(criteria: &'a RefusedCriteria, values: &mut Vec<Value<'a>>) -> Option<String> {
    let first = values.len() + 1;
    values.extend(criteria.ids.iter().map(|id| Value::Int(i64::try_from(id.0).ok())));
    let places: Vec<String> = (first..=values.len()).map(|place| format!("${place}")).collect();
    (!places.is_empty()).then(|| format!("r.id IN ({})", places.join(", ")))
}

/// Conditions on refusals `r`, all but their state.
pub(super) fn conditions<'a>(criteria: &'a RefusedCriteria, values: &mut Vec<Value<'a>>) -> String {
    let mut sql = String::from("1 = 1");
    if let Some(ids) = numbered(criteria, values) {
        sql.push_str(&format!(" AND {ids}"));
    }
    if criteria.code.is_some() || criteria.finding.is_some() || criteria.sender.is_some() {
        let mut inner = String::from("SELECT g.id FROM refusal_group g WHERE 1 = 1");
        push_words(criteria, values, &mut inner);
        sql.push_str(&format!(" AND r.grp IN ({inner})"));
    }
    for (condition, moment) in [(">=", criteria.from), ("<", criteria.until)] {
        if let Some(moment) = moment {
            values.push(Value::Int(Some(moment.micros())));
            sql.push_str(&format!(" AND r.at {condition} ${}", values.len()));
        }
    }
    sql
}
