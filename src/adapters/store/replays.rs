//! Replay jobs: what they took, whose turn it is, what it came to. An item ends in the transaction of the decision (`refusal_rows`); here it is begun, leased,
//! let go. The job's row is locked before its items, so a stop, a lease and an end come one after the other.

use std::collections::HashMap;

use super::fault::Fault;
use super::line::{Both, Kind, Line, Row, Value};
use super::refusal_rows::mark_values;
use super::refusal_terms::conditions;
use super::refusals::{ENVELOPE, envelope};
use super::rows::{Rows, text};
use super::unsigned;
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::limits::COMMIT_BATCH_OCTETS;
use crate::domain::message::{MessageKey, Sender};
use crate::domain::refused::{
    AT_ONCE, By, FASTEST, ItemState, Job, JobId, JobItem, JobState, LeasedReplay, NewJob, Preview, RefusalId, RefusedCriteria, RefusedState, ReplayMark,
    ReplayOutcome, ReplayStanding, Replayed,
};
use crate::domain::time::Moment;
use crate::ports::refusals::Change;

/// How many jobs are looked at in one lease.
const JOBS: i64 = 16;
/// What a job may catch up at once when its turn came late, in microseconds: a slow second is no reason for a flood after it.
const BURST: i64 = 500_000;
/// How many of a refusal's replays are shown.
const SHOWN: i64 = 200;
/// What is in hand of no job.
const FREE: &str = "NOT EXISTS (SELECT 1 FROM replay_item i WHERE i.refusal = r.id AND i.state < 3)";

/// Open refusals, and no others: of criteria that name another state there are none to replay.
fn open(criteria: &RefusedCriteria) -> String {
    let wanted = criteria.state.map_or(String::new(), |state| format!(" AND r.state = {}", state.number()));
    format!("r.state = {}{wanted}", RefusedState::Open.number())
}

fn number(n: u64) -> Value<'static> {
    Value::Int(i64::try_from(n).ok())
}

/// What a replay would take.
///
/// # Errors
/// As the database says.
pub(super) async fn preview(line: &mut Line, criteria: &RefusedCriteria, rules: &Digest) -> Result<Preview, Fault> {
    let mut values = Vec::new();
    let conditions = conditions(criteria, &mut values);
    values.extend([Value::Octets(Some(&rules.0)), Value::Int(Some(i64::from(AT_ONCE) + 1))]);
    let n = values.len();
    let sql = format!(
        "SELECT count(*), count(s.job), count(s.same), count(s.unanswerable) FROM (SELECT (SELECT i.job FROM replay_item i WHERE i.refusal = r.id AND i.state < 3) AS job, \
         CASE WHEN m.is_final AND m.rules = ${} THEN 1 END AS same, CASE WHEN r.queue IS NULL THEN 1 END AS unanswerable \
         FROM refusal r JOIN inbox m ON m.sender = r.sender AND m.octets_sha = r.octets_sha WHERE {conditions} AND {open} LIMIT ${n}) s",
        n - 1,
        open = open(criteria)
    );
    let rows = line.composed(sql, &values).await?;
    let row = rows.first().ok_or_else(|| Fault::unreadable(0))?;
    let count = |column| row.need_int(column).map(unsigned);
    Ok(Preview { matching: count(0)?, busy: count(1)?, unchanged: count(2)?, unanswerable: count(3)? })
}

/// Begins a job, in the transaction of the caller; the same token gives the job that is there.
///
/// # Errors
/// As the database says.
pub(super) async fn start(line: &mut Line, new: &NewJob) -> Result<JobId, Fault> {
    let (criteria, shown) = (&new.criteria, new.criteria.shown());
    let at = Value::Int(Some(new.by.at.micros()));
    let rate = i64::from(new.rate.clamp(1, FASTEST));
    let sql = "INSERT INTO replay_job (token, made_at, who, why, criteria, rate, again, state, next_at, total) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $2, 0) \
               ON CONFLICT (token) DO NOTHING RETURNING id";
    let values = [text(&new.token), at, text(&new.by.who), text(&new.by.why), text(&shown), Value::Int(Some(rate)), Value::Flag(Some(new.answer_again))];
    let Some(id) = line.one(sql, &values).await?.first().map(|row| row.need_int(0)).transpose()? else {
        let rows = line.one("SELECT id FROM replay_job WHERE token = $1", &[text(&new.token)]).await?;
        return Ok(JobId(unsigned(rows.first().ok_or_else(|| Fault::unreadable(0))?.need_int(0)?)));
    };
    let mut values = Vec::new();
    let conditions = conditions(criteria, &mut values);
    values.extend([Value::Int(Some(id)), Value::Int(Some(i64::from(AT_ONCE)))]);
    let n = values.len();
    let lock = if matches!(line, Line::Postgres(_)) { " FOR UPDATE OF r" } else { "" };
    // Who asked at the same moment waits here, and finds them taken.
    let sql = format!(
        "INSERT INTO replay_item (job, refusal, state, turn, before_position) SELECT ${}, s.id, 1, 0, s.position FROM \
         (SELECT r.id, r.position FROM refusal r WHERE {conditions} AND {open} AND {FREE} ORDER BY r.id LIMIT ${n}{lock}) s WHERE true ON CONFLICT DO NOTHING",
        n - 1,
        open = open(criteria)
    );
    line.composed(sql, &values).await?;
    let sql = "UPDATE replay_job SET total = (SELECT count(*) FROM replay_item i WHERE i.job = replay_job.id) WHERE id = $1 RETURNING total";
    let rows = line.one(sql, &[Value::Int(Some(id))]).await?;
    if rows.first().map(|row| row.need_int(0)).transpose()? == Some(0) {
        line.one("UPDATE replay_job SET state = 3, counts = '' WHERE id = $1", &[Value::Int(Some(id))]).await?;
    }
    Ok(JobId(unsigned(id)))
}

const JOB: &str = "SELECT id, criteria, who, why, made_at, rate, again, state, changed_who, changed_at, total, counts FROM replay_job";

/// How all of them stand. Jobs are few; what is in hand of one has an index of its own.
///
/// # Errors
/// As the database says.
pub(super) async fn standing(line: &mut Line) -> Result<ReplayStanding, Fault> {
    let mut found = ReplayStanding::default();
    for row in line.one("SELECT state, count(*) FROM replay_job GROUP BY state", &[]).await? {
        let state = JobState::from_number(row.need_int(0)?).ok_or_else(|| Fault::unreadable(0))?;
        if let Some((_, count)) = JobState::ALL.iter().zip(&mut found.jobs).find(|(one, _)| **one == state) {
            *count = unsigned(row.need_int(1)?);
        }
    }
    if found.jobs(JobState::Running) + found.jobs(JobState::Stopped) + found.jobs(JobState::Ended) == 0 {
        return Ok(found);
    }
    for row in line.one("SELECT state, count(*) FROM replay_item WHERE state < 3 GROUP BY state", &[]).await? {
        let many = unsigned(row.need_int(1)?);
        match ItemState::from_number(row.need_int(0)?) {
            Some(ItemState::Waiting) => found.waiting = many,
            Some(ItemState::OnRoad) => found.on_road = many,
            Some(ItemState::Decided | ItemState::Dropped) | None => return Err(Fault::unreadable(0)),
        }
    }
    Ok(found)
}

/// One job.
///
/// # Errors
/// As the database says.
pub(super) async fn one(line: &mut Line, id: JobId) -> Result<Option<Job>, Fault> {
    let rows = line.composed(format!("{JOB} WHERE id = $1"), &[number(id.0)]).await?;
    Ok(jobs(line, &rows).await?.into_iter().next())
}

/// The newest jobs.
///
/// # Errors
/// As the database says.
pub(super) async fn newest(line: &mut Line, limit: u32) -> Result<Vec<Job>, Fault> {
    let rows = line.composed(format!("{JOB} ORDER BY id DESC LIMIT $1"), &[Value::Int(Some(i64::from(limit)))]).await?;
    jobs(line, &rows).await
}

async fn jobs(line: &mut Line, rows: &[Row]) -> Result<Vec<Job>, Fault> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.need_int(0)?;
        let changed_at = row.int(9)?.map(Moment::from_micros);
        let mut job = Job {
            id: JobId(unsigned(id)),
            criteria: row.need_text(1)?,
            by: By { who: row.need_text(2)?, why: row.need_text(3)?, at: Moment::from_micros(row.need_int(4)?) },
            rate: u32::try_from(row.need_int(5)?).unwrap_or(FASTEST),
            answer_again: row.need_flag(6)?,
            state: JobState::from_number(row.need_int(7)?).ok_or_else(|| Fault::unreadable(7))?,
            changed: row.text(8)?.zip(changed_at),
            total: unsigned(row.need_int(10)?),
            waiting: 0,
            on_road: 0,
            dropped: 0,
            outcomes: [0; 5],
        };
        match row.text(11)? {
            // Counted once, when nothing of it was left.
            Some(counts) => {
                let mut numbers = counts.split(',').map(|n| n.parse::<u64>().unwrap_or(0));
                job.outcomes.iter_mut().for_each(|count| *count = numbers.next().unwrap_or(0));
                job.dropped = numbers.next().unwrap_or(0);
            }
            None => count(line, id, &mut job).await?,
        }
        found.push(job);
    }
    Ok(found)
}

async fn count(line: &mut Line, id: i64, job: &mut Job) -> Result<(), Fault> {
    let sql = "SELECT state, outcome, count(*) FROM replay_item WHERE job = $1 GROUP BY state, outcome";
    for row in line.one(sql, &[Value::Int(Some(id))]).await? {
        let many = unsigned(row.need_int(2)?);
        match ItemState::from_number(row.need_int(0)?) {
            Some(ItemState::Waiting) => job.waiting += many,
            Some(ItemState::OnRoad) => job.on_road += many,
            Some(ItemState::Dropped) => job.dropped += many,
            Some(ItemState::Decided) => {
                let place = row.int(1)?.and_then(|outcome| usize::try_from(outcome - 1).ok());
                if let Some(count) = place.and_then(|place| job.outcomes.get_mut(place)) {
                    *count += many;
                }
            }
            None => return Err(Fault::unreadable(0)),
        }
    }
    Ok(())
}

const ITEM: &str = "SELECT i.refusal, i.job, i.state, i.before_position, i.outcome, i.after_position, i.ended_at, j.who, j.why, j.made_at \
                    FROM replay_item i JOIN replay_job j ON j.id = i.job";

/// A job's messages after one.
///
/// # Errors
/// As the database says.
pub(super) async fn items(line: &mut Line, id: JobId, after: RefusalId, limit: u32) -> Result<Vec<JobItem>, Fault> {
    let sql = format!("{ITEM} WHERE i.job = $1 AND i.refusal > $2 ORDER BY i.refusal LIMIT $3");
    line.composed(sql, &[number(id.0), number(after.0), Value::Int(Some(i64::from(limit)))]).await?.iter().map(item).collect()
}

/// A refusal's replays, oldest first.
///
/// # Errors
/// As the database says.
pub(super) async fn of(line: &mut Line, id: RefusalId) -> Result<Vec<Replayed>, Fault> {
    let sql = format!("{ITEM} WHERE i.refusal = $1 ORDER BY i.job LIMIT $2");
    line.composed(sql, &[number(id.0), Value::Int(Some(SHOWN))]).await?.iter().map(|row| Ok(item(row)?.replayed)).collect()
}

fn item(row: &Row) -> Result<JobItem, Fault> {
    Ok(JobItem {
        refusal: RefusalId(unsigned(row.need_int(0)?)),
        replayed: Replayed {
            job: JobId(unsigned(row.need_int(1)?)),
            by: By { who: row.need_text(7)?, why: row.need_text(8)?, at: Moment::from_micros(row.need_int(9)?) },
            state: ItemState::from_number(row.need_int(2)?).ok_or_else(|| Fault::unreadable(2))?,
            before: Position(unsigned(row.need_int(3)?)),
            outcome: row.int(4)?.and_then(ReplayOutcome::from_number),
            after: row.int(5)?.map(|position| Position(unsigned(position))),
            at: row.int(6)?.map(Moment::from_micros),
        },
    })
}

/// Stops, resumes or ends a job, in the transaction of the caller.
///
/// # Errors
/// As the database says.
pub(super) async fn change(line: &mut Line, id: JobId, change: Change, by: &By) -> Result<(), Fault> {
    let sql = match change {
        Change::Stop => "UPDATE replay_job SET state = 2, changed_who = $2, changed_at = $3 WHERE id = $1 AND state = 1 RETURNING id",
        Change::Resume => "UPDATE replay_job SET state = 1, changed_who = $2, changed_at = $3, next_at = $3 WHERE id = $1 AND state = 2 RETURNING id",
        Change::End => "UPDATE replay_job SET state = 4, changed_who = $2, changed_at = $3 WHERE id = $1 AND state < 3 RETURNING id",
    };
    let at = Value::Int(Some(by.at.micros()));
    let changed = line.one(sql, &[number(id.0), text(&by.who), at]).await?;
    if change == Change::End && !changed.is_empty() {
        line.one("UPDATE replay_item SET state = 4, ended_at = $2 WHERE job = $1 AND state = 1", &[number(id.0), at]).await?;
    }
    Ok(())
}

/// Whether no job has anything left.
///
/// # Errors
/// As the database says.
pub(super) async fn is_idle(line: &mut Line) -> Result<bool, Fault> {
    Ok(line.one("SELECT 1 FROM replay_job WHERE counts IS NULL LIMIT 1", &[]).await?.is_empty())
}

/// Leases what may go now, and closes the jobs that have nothing left, in the transaction of the caller.
///
/// # Errors
/// As the database says.
pub(super) async fn lease(line: &mut Line, now: Moment, until: Moment, limit: u32) -> Result<Vec<ReplayMark>, Fault> {
    // A job that rests is looked at only where there is something to do: however many are stopped, they keep no place from those that run.
    let live = "SELECT j.id, j.state, j.rate, j.next_at, j.again FROM replay_job j WHERE j.counts IS NULL AND CASE WHEN j.state = 1 \
                THEN j.next_at <= $1 OR j.next_at > $1 + 2000000 \
                ELSE EXISTS (SELECT 1 FROM replay_item i WHERE i.job = j.id AND i.state = 2 AND i.lease_until <= $1) \
                  OR NOT EXISTS (SELECT 1 FROM replay_item i WHERE i.job = j.id AND i.state IN (1, 2)) END ORDER BY j.next_at, j.id LIMIT $2";
    let sql = if matches!(line, Line::Postgres(_)) { format!("{live} FOR UPDATE OF j SKIP LOCKED") } else { live.to_owned() };
    let at = now.micros();
    let mut left = i64::from(limit);
    let mut leased = Vec::new();
    for row in line.composed(sql, &[Value::Int(Some(at)), Value::Int(Some(JOBS))]).await? {
        let (id, state, rate, again) = (row.need_int(0)?, row.need_int(1)?, row.need_int(2)?.max(1), row.need_flag(4)?);
        let (job, clock) = (Value::Int(Some(id)), Value::Int(Some(at)));
        // Whoever had these is gone: an ended job lets them go, any other gives them anew.
        let lapsed = if state == JobState::Ended.number() { ItemState::Dropped } else { ItemState::Waiting };
        let sql = "UPDATE replay_item SET state = $3, lease_until = NULL WHERE job = $1 AND state = 2 AND lease_until <= $2";
        line.one(sql, &[job, clock, Value::Int(Some(lapsed.number()))]).await?;
        if line.one("SELECT 1 FROM replay_item WHERE job = $1 AND state < 3 LIMIT 1", &[job]).await?.is_empty() {
            finish(line, id).await?;
            continue;
        }
        if state != JobState::Running.number() || left <= 0 {
            continue;
        }
        // A moment further ahead than the slowest pace was written by a clock that is fast: it holds nobody up.
        let start = Some(row.need_int(3)?).filter(|next| *next <= at).map_or(at, |next| next.max(at.saturating_sub(BURST)));
        let due = ((at - start).saturating_mul(rate) / 1_000_000 + 1).min(left);
        let sql = "UPDATE replay_item SET state = 2, turn = turn + 1, lease_until = $2 WHERE job = $1 AND refusal IN \
                   (SELECT refusal FROM replay_item WHERE job = $1 AND state = 1 ORDER BY refusal LIMIT $3) RETURNING refusal, turn";
        let taken = line.one(sql, &[job, Value::Int(Some(until.micros())), Value::Int(Some(due))]).await?;
        let many = i64::try_from(taken.len()).unwrap_or(left);
        left -= many;
        line.one("UPDATE replay_job SET next_at = $2 WHERE id = $1", &[job, Value::Int(Some(start + many.max(1) * 1_000_000 / rate))]).await?;
        for row in taken {
            let turn = u32::try_from(row.need_int(1)?).unwrap_or(u32::MAX);
            leased.push(ReplayMark { job: JobId(unsigned(id)), refusal: RefusalId(unsigned(row.need_int(0)?)), turn, answer_again: again });
        }
    }
    leased.sort_unstable_by_key(|mark| (mark.job, mark.refusal));
    Ok(leased)
}

async fn finish(line: &mut Line, id: i64) -> Result<(), Fault> {
    let rows = line.composed(format!("{JOB} WHERE id = $1"), &[Value::Int(Some(id))]).await?;
    let Some(job) = jobs(line, &rows).await?.into_iter().next() else { return Ok(()) };
    let counts: Vec<String> = job.outcomes.iter().chain([&job.dropped]).map(u64::to_string).collect();
    let sql = "UPDATE replay_job SET counts = $2, state = CASE WHEN state = 4 THEN 4 ELSE 3 END WHERE id = $1";
    line.one(sql, &[Value::Int(Some(id)), text(&counts.join(","))]).await.map(drop)
}

/// The leased messages as they came, in the order given, no more octets than a batch's; what is too much is given back. One whose octets are gone is let go.
///
/// # Errors
/// As the database says.
pub(super) async fn load(line: &mut Line, marks: &[ReplayMark]) -> Result<Vec<LeasedReplay>, Fault> {
    let sized = by_refusal("r.id, CAST(length(i.octets) AS bigint)");
    let rows = |marks: &[ReplayMark]| -> Rows<'static> { marks.iter().map(|mark| vec![number(mark.refusal.0)]).collect() };
    let mut sizes = HashMap::with_capacity(marks.len());
    for row in line.many(&sized, &[Kind::Int], &rows(marks)).await? {
        sizes.insert(unsigned(row.need_int(0)?), row.int(1)?);
    }
    let (mut wanted, mut gone, mut later, mut octets) = (Vec::new(), Vec::new(), Vec::new(), 0_usize);
    for mark in marks {
        let Some(size) = sizes.get(&mark.refusal.0).copied().flatten() else {
            gone.push(*mark);
            continue;
        };
        octets = octets.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        if wanted.is_empty() || octets <= COMMIT_BATCH_OCTETS { &mut wanted } else { &mut later }.push(*mark);
    }
    give_back(line, &later).await?;
    let_go(line, &gone).await?;
    let whole = by_refusal(&format!("r.id, r.octets_sha, {ENVELOPE}"));
    let mut found = HashMap::with_capacity(wanted.len());
    for row in line.many(&whole, &[Kind::Int], &rows(&wanted)).await? {
        let envelope = envelope(&row, 2)?;
        let octets = Digest::from_slice(&row.need_octets(1)?).ok_or_else(|| Fault::unreadable(1))?;
        let sender = envelope.sender.clone().unwrap_or_else(|| Sender::new(""));
        found.insert(unsigned(row.need_int(0)?), (MessageKey { sender, octets }, envelope));
    }
    Ok(wanted.iter().filter_map(|mark| found.remove(&mark.refusal.0).map(|(key, envelope)| LeasedReplay { mark: *mark, key, envelope })).collect())
}

fn by_refusal(columns: &str) -> Both {
    let sql = format!("SELECT {columns} FROM refusal r JOIN inbox i ON i.sender = r.sender AND i.octets_sha = r.octets_sha");
    Both { postgres: format!("{sql} WHERE r.id IN (SELECT UNNEST($1::bigint[]))"), sqlite: format!("{sql} WHERE r.id = $1") }
}

/// Gives leased messages back undecided.
///
/// # Errors
/// As the database says.
pub(super) async fn give_back(line: &mut Line, marks: &[ReplayMark]) -> Result<(), Fault> {
    set(line, marks, ItemState::Waiting).await
}

async fn let_go(line: &mut Line, marks: &[ReplayMark]) -> Result<(), Fault> {
    set(line, marks, ItemState::Dropped).await
}

async fn set(line: &mut Line, marks: &[ReplayMark], state: ItemState) -> Result<(), Fault> {
    let rows: Rows<'_> = marks.iter().map(mark_values).collect();
    let set = format!("UPDATE replay_item SET state = {}, lease_until = NULL WHERE", state.number());
    let sql = Both {
        postgres: format!("{set} (job, refusal, turn) IN (SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[])) AND state = 2"),
        sqlite: format!("{set} job = $1 AND refusal = $2 AND turn = $3 AND state = 2"),
    };
    line.many(&sql, &[Kind::Int; 3], &rows).await.map(drop)
}
