//! What people do about refusals: each action with who, when and why, the refusals it met, and how each stood before, so that it can be taken back.

use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::refusal_rows::Deltas;
use super::refusal_terms::conditions;
use super::rows::text;
use super::unsigned;
use crate::domain::refused::{AT_ONCE, Acted, ActionId, ActionRow, By, Deed, RefusalId, RefusedCriteria, RefusedState};
use crate::domain::time::Moment;

/// How many of a refusal's actions are shown.
const SHOWN: i64 = 200;

/// Does it, in the transaction of the caller.
///
/// # Errors
/// As the database says.
pub(super) async fn act(line: &mut Line, criteria: &RefusedCriteria, deed: Deed, by: &By) -> Result<Acted, Fault> {
    let action = note(line, deed, by, &criteria.shown(), None).await?;
    let (from, to) = match (deed.leads(), criteria.state) {
        (Some((from, to)), _) => (from.to_vec(), Some(to)),
        (None, Some(state)) => (vec![state], None),
        (None, None) => (RefusedState::ALL.to_vec(), None),
    };
    let mut values = Vec::new();
    let conditions = conditions(criteria, &mut values);
    let n = values.len();
    values.extend([Value::Int(Some(action)), Value::Int(Some(i64::from(AT_ONCE)))]);
    let states = from.iter().filter(|state| to.is_none() || criteria.state.is_none_or(|wanted| wanted == **state));
    let states: Vec<String> = states.map(|state| state.number().to_string()).collect();
    // What a job has in hand is decided by the job.
    let free = if to.is_some() { " AND NOT EXISTS (SELECT 1 FROM replay_item i WHERE i.refusal = r.id AND i.state < 3)" } else { "" };
    let states = if states.is_empty() { "0".to_owned() } else { states.join(", ") };
    let lock = lock(line);
    let sql = format!(
        "INSERT INTO refusal_acted (action, refusal, was) SELECT ${}, s.id, s.state FROM (SELECT r.id, r.state FROM refusal r WHERE {conditions} \
         AND r.state IN ({states}){free} ORDER BY r.id LIMIT ${}{lock}) s",
        n + 1,
        n + 2
    );
    line.composed(sql, &values).await?;
    if to.is_some() {
        line.one(SPARE, &[Value::Int(Some(action))]).await?;
    }
    let met = count(line, action).await?;
    if met == 0 {
        line.one("DELETE FROM refusal_action WHERE id = $1", &[Value::Int(Some(action))]).await?;
        return Ok(Acted { action: None, count: 0, more: false });
    }
    if let Some(to) = to {
        let mut deltas = Deltas::default();
        let sql = "SELECT r.grp, a.was, count(*) FROM refusal_acted a JOIN refusal r ON r.id = a.refusal WHERE a.action = $1 GROUP BY r.grp, a.was";
        for row in line.one(sql, &[Value::Int(Some(action))]).await? {
            deltas.moved_many(row.need_int(0)?, RefusedState::from_number(row.need_int(1)?), Some(to), row.need_int(2)?);
        }
        let sql = "UPDATE refusal SET state = $2, action = $1 WHERE id IN (SELECT refusal FROM refusal_acted WHERE action = $1)";
        line.one(sql, &[Value::Int(Some(action)), Value::Int(Some(to.number()))]).await?;
        deltas.write(line).await?;
    }
    line.one("UPDATE refusal_action SET count = $2 WHERE id = $1", &[Value::Int(Some(action)), Value::Int(Some(met))]).await?;
    Ok(Acted { action: Some(ActionId(unsigned(action))), count: unsigned(met), more: unsigned(met) >= u64::from(AT_ONCE) })
}

/// Takes an action back, in the transaction of the caller.
///
/// # Errors
/// As the database says.
pub(super) async fn undo(line: &mut Line, action: ActionId, by: &By) -> Result<Option<Acted>, Fault> {
    let old = i64::try_from(action.0).unwrap_or(0);
    let claimed = line.one("UPDATE refusal_action SET undone_by = 0 WHERE id = $1 AND undone_by IS NULL RETURNING deed", &[Value::Int(Some(old))]).await?;
    let Some(row) = claimed.first() else { return Ok(None) };
    let Some((_, to)) = Deed::from_number(row.need_int(0)?).and_then(Deed::leads) else {
        line.one("UPDATE refusal_action SET undone_by = NULL WHERE id = $1", &[Value::Int(Some(old))]).await?;
        return Ok(None);
    };
    let new = note(line, Deed::Undo, by, &format!("action={old}"), Some(old)).await?;
    line.one("UPDATE refusal_action SET undone_by = $2 WHERE id = $1", &[Value::Int(Some(old)), Value::Int(Some(new))]).await?;
    let lock = lock(line);
    let sql = format!(
        "INSERT INTO refusal_acted (action, refusal, was) SELECT $2, s.id, s.state FROM (SELECT r.id, r.state FROM refusal r \
         WHERE r.id IN (SELECT refusal FROM refusal_acted WHERE action = $1) AND r.action = $1 AND r.state = $3 \
         AND NOT EXISTS (SELECT 1 FROM replay_item i WHERE i.refusal = r.id AND i.state < 3) ORDER BY r.id{lock}) s"
    );
    let (old, new) = (Value::Int(Some(old)), Value::Int(Some(new)));
    line.composed(sql, &[old, new, Value::Int(Some(to.number()))]).await?;
    line.one(SPARE, &[new]).await?;
    let mut deltas = Deltas::default();
    let sql = "SELECT r.grp, before.was, count(*) FROM refusal_acted a JOIN refusal r ON r.id = a.refusal \
               JOIN refusal_acted before ON before.action = $1 AND before.refusal = a.refusal WHERE a.action = $2 GROUP BY r.grp, before.was";
    let mut count = 0;
    for row in line.one(sql, &[old, new]).await? {
        deltas.moved_many(row.need_int(0)?, Some(to), RefusedState::from_number(row.need_int(1)?), row.need_int(2)?);
        count += row.need_int(2)?;
    }
    let sql = "UPDATE refusal SET action = $2, state = (SELECT b.was FROM refusal_acted b WHERE b.action = $1 AND b.refusal = refusal.id) \
               WHERE id IN (SELECT refusal FROM refusal_acted WHERE action = $2)";
    line.one(sql, &[old, new]).await?;
    deltas.write(line).await?;
    line.one("UPDATE refusal_action SET count = $2 WHERE id = $1", &[new, Value::Int(Some(count))]).await?;
    let Value::Int(Some(number)) = new else { return Ok(None) };
    Ok(Some(Acted { action: Some(ActionId(unsigned(number))), count: unsigned(count), more: false }))
}

/// Whoever waited for a row's lock saw the jobs as they stood before: what a job took meanwhile is the job's. With the rows locked no other job can take more.
const SPARE: &str =
    "DELETE FROM refusal_acted WHERE action = $1 AND EXISTS (SELECT 1 FROM replay_item i WHERE i.refusal = refusal_acted.refusal AND i.state < 3)";

/// PostgreSQL's rows are locked while they are looked at; SQLite's whole file is.
const fn lock(line: &Line) -> &'static str {
    match line {
        Line::Postgres(_) => " FOR UPDATE OF r",
        Line::Sqlite(_) => "",
    }
}

async fn note(line: &mut Line, deed: Deed, by: &By, criteria: &str, undoes: Option<i64>) -> Result<i64, Fault> {
    let sql = "INSERT INTO refusal_action (deed, at, who, why, criteria, count, undoes) VALUES ($1, $2, $3, $4, $5, 0, $6) RETURNING id";
    let values = [Value::Int(Some(deed.number())), Value::Int(Some(by.at.micros())), text(&by.who), text(&by.why), text(criteria), Value::Int(undoes)];
    line.one(sql, &values).await?.first().ok_or_else(|| Fault::unreadable(0))?.need_int(0)
}

async fn count(line: &mut Line, action: i64) -> Result<i64, Fault> {
    let rows = line.one("SELECT count(*) FROM refusal_acted WHERE action = $1", &[Value::Int(Some(action))]).await?;
    rows.first().ok_or_else(|| Fault::unreadable(0))?.need_int(0)
}

/// The newest actions.
///
/// # Errors
/// As the database says.
pub(super) async fn newest(line: &mut Line, limit: u32) -> Result<Vec<ActionRow>, Fault> {
    let sql = "SELECT id, deed, at, who, why, criteria, count, undoes, undone_by FROM refusal_action ORDER BY id DESC LIMIT $1";
    line.one(sql, &[Value::Int(Some(i64::from(limit)))]).await?.iter().map(read).collect()
}

/// A refusal's actions, oldest first.
///
/// # Errors
/// As the database says.
pub(super) async fn of(line: &mut Line, id: RefusalId) -> Result<Vec<ActionRow>, Fault> {
    let sql = "SELECT a.id, a.deed, a.at, a.who, a.why, a.criteria, a.count, a.undoes, a.undone_by FROM refusal_acted m \
               JOIN refusal_action a ON a.id = m.action WHERE m.refusal = $1 ORDER BY m.action LIMIT $2";
    line.one(sql, &[Value::Int(i64::try_from(id.0).ok()), Value::Int(Some(SHOWN))]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<ActionRow, Fault> {
    let action = |column: usize| Ok::<_, Fault>(row.int(column)?.map(|id| ActionId(unsigned(id))));
    Ok(ActionRow {
        id: ActionId(unsigned(row.need_int(0)?)),
        deed: Deed::from_number(row.need_int(1)?).ok_or_else(|| Fault::unreadable(1))?,
        by: By { at: Moment::from_micros(row.need_int(2)?), who: row.need_text(3)?, why: row.need_text(4)? },
        criteria: row.need_text(5)?,
        count: unsigned(row.need_int(6)?),
        undoes: action(7)?,
        undone_by: action(8)?,
    })
}
