//! Refused messages as operators see them: the port, and its lists. A list walks an index and reads as many rows as it shows; counts stand in the groups.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::fault::Fault;
use super::line::{Both, Kind, Line, Row, Value};
use super::lines::{durably, on_spare, whole};
use super::refusal_terms::{conditions, group_conditions};
use super::rows::{Rows, text};
use super::{Store, deeds, kept, place, replays, unsigned};
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::message::{Envelope, MessageKey, Reply, Sender};
use crate::domain::outage::Outage;
use crate::domain::refused::{
    Acted, ActionId, ActionRow, By, Deed, GroupMark, Job, JobId, JobItem, KeptMessage, LeasedReplay, NewJob, Preview, RefusalId, RefusedCriteria, RefusedGroup,
    RefusedMark, RefusedMessage, RefusedRow, RefusedState, ReplayMark, ReplayStanding,
};
use crate::domain::time::Moment;
use crate::ports::refusals::{Change, Refusals};

/// How many names of senders a group shows.
const SENDERS: i64 = 20;
/// How many groups' newest refusals are merged in one look.
const SOURCES: usize = 64;

#[async_trait]
impl Refusals for Store {
    async fn refusal_groups(&self, criteria: &RefusedCriteria, after: Option<&GroupMark>, limit: u32) -> Result<Vec<RefusedGroup>, Outage> {
        on_spare!(&self.lines, |line| groups(line, criteria, after, limit))
    }

    async fn refusals(&self, criteria: &RefusedCriteria, after: Option<RefusedMark>, limit: u32) -> Result<Vec<RefusedRow>, Outage> {
        on_spare!(&self.lines, |line| list(line, criteria, after, limit))
    }

    async fn refusal(&self, id: RefusalId) -> Result<Option<RefusedMessage>, Outage> {
        on_spare!(&self.lines, |line| one(line, id))
    }

    async fn refusal_at(&self, position: Position) -> Result<Option<RefusalId>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let first = line.one("SELECT id FROM refusal WHERE id = $1", &[place(position)]).await?;
            if let Some(row) = first.first() {
                return Ok::<_, Fault>(Some(RefusalId(unsigned(row.need_int(0)?))));
            }
            let sql = "SELECT r.id FROM ledger l JOIN refusal r ON r.sender = l.sender AND r.octets_sha = l.message WHERE l.position = $1";
            let rows = line.one(sql, &[place(position)]).await?;
            rows.first().map(|row| Ok(RefusalId(unsigned(row.need_int(0)?)))).transpose()
        })
    }

    async fn act_on_refusals(&self, criteria: &RefusedCriteria, deed: Deed, by: &By) -> Result<Acted, Outage> {
        durably!(&self.lines, |line| deeds::act(line, criteria, deed, by).await)
    }

    async fn undo_action(&self, action: ActionId, by: &By) -> Result<Option<Acted>, Outage> {
        durably!(&self.lines, |line| deeds::undo(line, action, by).await)
    }

    async fn refusal_actions(&self, limit: u32) -> Result<Vec<ActionRow>, Outage> {
        on_spare!(&self.lines, |line| deeds::newest(line, limit))
    }

    async fn preview_replay(&self, criteria: &RefusedCriteria, rules: &Digest) -> Result<Preview, Outage> {
        on_spare!(&self.lines, |line| replays::preview(line, criteria, rules))
    }

    async fn start_replay(&self, job: &NewJob) -> Result<Job, Outage> {
        let id = durably!(&self.lines, |line| replays::start(line, job).await)?;
        let job = self.replay_job(id).await?;
        job.ok_or_else(|| Fault::Wrong("a replay job is missing".to_owned()).outage())
    }

    async fn replay_job(&self, id: JobId) -> Result<Option<Job>, Outage> {
        on_spare!(&self.lines, |line| replays::one(line, id))
    }

    async fn replay_standing(&self) -> Result<ReplayStanding, Outage> {
        on_spare!(&self.lines, |line| replays::standing(line))
    }

    async fn replay_jobs(&self, limit: u32) -> Result<Vec<Job>, Outage> {
        on_spare!(&self.lines, |line| replays::newest(line, limit))
    }

    async fn replay_items(&self, id: JobId, after: RefusalId, limit: u32) -> Result<Vec<JobItem>, Outage> {
        on_spare!(&self.lines, |line| replays::items(line, id, after, limit))
    }

    async fn change_replay(&self, id: JobId, change: Change, by: &By) -> Result<Option<Job>, Outage> {
        durably!(&self.lines, |line| replays::change(line, id, change, by).await)?;
        self.replay_job(id).await
    }

    async fn lease_replays(&self, now: Moment, until: Moment, limit: u32) -> Result<Vec<LeasedReplay>, Outage> {
        // Looked first: an idle gateway must not write.
        if on_spare!(&self.lines, |line| replays::is_idle(line))? {
            return Ok(Vec::new());
        }
        let leased = {
            let _turn = self.lines.turn().await;
            // A lease that is lost with a crash is given anew.
            on_spare!(&self.lines, |line| whole(line, async |line: &mut Line| replays::lease(line, now, until, limit).await))?
        };
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| replays::load(line, &leased))
    }

    async fn return_replays(&self, marks: &[ReplayMark]) -> Result<(), Outage> {
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| replays::give_back(line, marks))
    }

    async fn kept_messages(&self, before: Option<Position>, limit: u32, octets: usize) -> Result<Vec<KeptMessage>, Outage> {
        on_spare!(&self.lines, |line| kept::page(line, before, limit, octets))
    }
}

const fn column(state: RefusedState) -> &'static str {
    match state {
        RefusedState::Open => "open",
        RefusedState::Held => "held",
        RefusedState::Discarded => "discarded",
        RefusedState::Mended => "mended",
    }
}

async fn groups(line: &mut Line, criteria: &RefusedCriteria, after: Option<&GroupMark>, limit: u32) -> Result<Vec<RefusedGroup>, Fault> {
    let mut values = Vec::new();
    let mut conditions = group_conditions(criteria, &mut values);
    if let Some(state) = criteria.state {
        conditions.push_str(&format!(" AND g.{} > 0", column(state)));
    }
    let sum = |column: &str| format!("CAST(sum(g.{column}) AS bigint)");
    let mut begin = String::new();
    if let Some(mark) = after {
        let (open, last) = (i64::try_from(mark.open).unwrap_or(i64::MAX), mark.last_at.micros());
        let n = values.len();
        values.extend([Value::Int(Some(open)), Value::Int(Some(last)), text(&mark.code), text(&mark.finding)]);
        let (open, last, code, finding) = (n + 1, n + 2, n + 3, n + 4);
        let rest = format!("max(g.last_at) < ${last} OR (max(g.last_at) = ${last} AND (g.code, g.finding) > (${code}, ${finding}))");
        begin = format!("HAVING {opened} < ${open} OR ({opened} = ${open} AND ({rest}))", opened = sum("open"));
    }
    values.push(Value::Int(Some(i64::from(limit))));
    let sql = format!(
        "SELECT g.code, g.finding, {}, {}, {}, {}, count(*), min(g.first_at), max(g.last_at) FROM refusal_group g WHERE {conditions} \
         GROUP BY g.code, g.finding {begin} ORDER BY sum(g.open) DESC, max(g.last_at) DESC, g.code, g.finding LIMIT ${}",
        sum("open"),
        sum("held"),
        sum("discarded"),
        sum("mended"),
        values.len()
    );
    let mut found = Vec::new();
    for row in line.composed(sql, &values).await? {
        let mut counts = [0_u64; 4];
        for (at, count) in counts.iter_mut().enumerate() {
            *count = unsigned(row.need_int(2 + at)?);
        }
        found.push(RefusedGroup {
            code: row.need_text(0)?,
            finding: row.need_text(1)?,
            senders: Vec::new(),
            sender_count: unsigned(row.need_int(6)?),
            counts,
            first_at: Moment::from_micros(row.need_int(7)?),
            last_at: Moment::from_micros(row.need_int(8)?),
        });
    }
    let asked: Rows<'_> = found.iter().map(|group| vec![text(&group.code), text(&group.finding), Value::Text(criteria.sender.as_deref())]).collect();
    let names = "ORDER BY g.open + g.held + g.discarded + g.mended DESC, g.sender LIMIT";
    let sql = Both {
        postgres: format!(
            "SELECT w.code, w.finding, n.sender FROM UNNEST($1::text[], $2::text[], $3::text[]) w(code, finding, sender) CROSS JOIN LATERAL \
             (SELECT g.sender FROM refusal_group g WHERE g.code = w.code AND g.finding = w.finding AND (w.sender IS NULL OR g.sender = w.sender) {names} {SENDERS}) n"
        ),
        sqlite: format!(
            "SELECT g.code, g.finding, g.sender FROM refusal_group g WHERE g.code = $1 AND g.finding = $2 AND ($3 IS NULL OR g.sender = $3) {names} {SENDERS}"
        ),
    };
    let mut senders: HashMap<(String, String), Vec<String>> = HashMap::new();
    for row in line.many(&sql, &[Kind::Text; 3], &asked).await? {
        senders.entry((row.need_text(0)?, row.need_text(1)?)).or_default().push(row.need_text(2)?);
    }
    for group in &mut found {
        group.senders = senders.remove(&(group.code.clone(), group.finding.clone())).unwrap_or_default();
    }
    Ok(found)
}

const COLUMNS: &str = "r.id, r.sender, r.octets_sha, r.position, g.code, g.finding, r.state, r.first_at, r.at, \
                       (SELECT i.job FROM replay_item i WHERE i.refusal = r.id AND i.state < 3)";

/// Where a list is read from: a state, of a group or of all.
struct Source {
    group: Option<i64>,
    state: RefusedState,
    last_at: i64,
}

async fn list(line: &mut Line, criteria: &RefusedCriteria, after: Option<RefusedMark>, limit: u32) -> Result<Vec<RefusedRow>, Fault> {
    let mut start = after.map_or((i64::MAX, i64::MAX), |mark| (mark.at.micros(), i64::try_from(mark.id.0).unwrap_or(i64::MAX)));
    if let Some(until) = criteria.until {
        start = start.min((until.micros(), i64::MIN));
    }
    let from = criteria.from.map_or(i64::MIN, Moment::micros);
    let mut found = Vec::new();
    if criteria.ids.is_empty() {
        let mut sources = sources(line, criteria).await?;
        sources.sort_unstable_by_key(|source| std::cmp::Reverse(source.last_at));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        for chunk in sources.chunks(SOURCES) {
            // The newest of the rest is older than what is there already.
            let oldest = found.get(limit.wrapping_sub(1)).map(|row: &RefusedRow| row.at.micros());
            if oldest.is_some_and(|oldest| chunk.first().is_some_and(|source| source.last_at < oldest)) {
                break;
            }
            found.extend(newest_of(line, chunk, start, from, limit).await?);
            found.sort_unstable_by_key(|row| std::cmp::Reverse((row.at, row.id)));
            found.truncate(limit);
        }
        return Ok(found);
    }
    let mut values = Vec::new();
    let conditions = conditions(criteria, &mut values);
    values.extend([Value::Int(Some(start.0)), Value::Int(Some(start.1)), Value::Int(Some(i64::from(limit)))]);
    let n = values.len();
    let state = criteria.state.map_or(String::new(), |state| format!(" AND r.state = {}", state.number()));
    let sql = format!(
        "SELECT {COLUMNS} FROM refusal r JOIN refusal_group g ON g.id = r.grp WHERE {conditions}{state} AND (r.at, r.id) < (${}, ${}) \
         ORDER BY r.at DESC, r.id DESC LIMIT ${n}",
        n - 2,
        n - 1
    );
    for row in line.composed(sql, &values).await? {
        found.push(read(&row)?);
    }
    Ok(found)
}

async fn sources(line: &mut Line, criteria: &RefusedCriteria) -> Result<Vec<Source>, Fault> {
    let states: Vec<RefusedState> = criteria.state.map_or_else(|| RefusedState::ALL.to_vec(), |state| vec![state]);
    if criteria.code.is_none() && criteria.finding.is_none() && criteria.sender.is_none() {
        return Ok(states.into_iter().map(|state| Source { group: None, state, last_at: i64::MAX }).collect());
    }
    let mut values = Vec::new();
    let conditions = group_conditions(criteria, &mut values);
    let sql = format!("SELECT g.id, g.open, g.held, g.discarded, g.mended, g.last_at FROM refusal_group g WHERE {conditions}");
    let mut found = Vec::new();
    for row in line.composed(sql, &values).await? {
        for state in &states {
            if row.need_int(usize::try_from(state.number()).unwrap_or(1))? > 0 {
                found.push(Source { group: Some(row.need_int(0)?), state: *state, last_at: row.need_int(5)? });
            }
        }
    }
    Ok(found)
}

/// The newest of these sources together: each walks its own index as far as the whole list may need, and only the list's rows are read.
async fn newest_of(line: &mut Line, sources: &[Source], start: (i64, i64), from: i64, limit: usize) -> Result<Vec<RefusedRow>, Fault> {
    let walks: Vec<String> = sources
        .iter()
        .map(|source| {
            let group = source.group.map_or_else(String::new, |group| format!("grp = {group} AND "));
            format!(
                "SELECT * FROM (SELECT id, at FROM refusal WHERE {group}state = {} AND (at, id) < ($1, $2) AND at >= $3 ORDER BY at DESC, id DESC LIMIT $4) w",
                source.state.number()
            )
        })
        .collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT * FROM ({}) m ORDER BY at DESC, id DESC LIMIT $4) n JOIN refusal r ON r.id = n.id JOIN refusal_group g ON g.id = r.grp",
        walks.join(" UNION ALL ")
    );
    let values = [start.0, start.1, from, i64::try_from(limit).unwrap_or(i64::MAX)].map(|n| Value::Int(Some(n)));
    line.composed(sql, &values).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<RefusedRow, Fault> {
    let octets = Digest::from_slice(&row.need_octets(2)?).ok_or_else(|| Fault::unreadable(2))?;
    Ok(RefusedRow {
        id: RefusalId(unsigned(row.need_int(0)?)),
        key: MessageKey { sender: Sender::new(row.need_text(1)?), octets },
        position: Position(unsigned(row.need_int(3)?)),
        code: row.need_text(4)?,
        finding: row.need_text(5)?,
        state: RefusedState::from_number(row.need_int(6)?).ok_or_else(|| Fault::unreadable(6))?,
        first_at: Moment::from_micros(row.need_int(7)?),
        at: Moment::from_micros(row.need_int(8)?),
        job: row.int(9)?.map(|job| JobId(unsigned(job))),
    })
}

/// The columns of a message as it came, of `refusal r` and `inbox i`, from a column on: see [`envelope`].
pub(super) const ENVELOPE: &str = "r.sender, r.queue, r.correlation, r.message_id, r.content_type, r.inbound, r.profile, i.octets";

/// The message as it came, from the columns of [`ENVELOPE`]; octets that are no longer kept are empty.
///
/// # Errors
/// A value that is none of ours.
pub(super) fn envelope(row: &Row, first: usize) -> Result<Envelope, Fault> {
    let words = |column: usize| row.octets(column)?.map(String::from_utf8).transpose().map_err(|_| Fault::unreadable(column));
    let correlation = words(first + 2)?;
    Ok(Envelope {
        octets: Arc::new(row.octets(first + 7)?.unwrap_or_default()),
        // Nobody's message bears the empty name.
        sender: Some(Sender::new(row.need_text(first)?)).filter(|sender| !sender.as_str().is_empty()),
        reply: words(first + 1)?.map(|queue| Reply { queue, correlation }),
        message_id: words(first + 3)?,
        content_type: words(first + 4)?,
        inbound: row.need_text(first + 5)?,
        profile: row.need_text(first + 6)?,
    })
}

async fn one(line: &mut Line, id: RefusalId) -> Result<Option<RefusedMessage>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS}, {ENVELOPE}, i.answer, i.rules, i.is_final FROM refusal r JOIN refusal_group g ON g.id = r.grp \
         JOIN inbox i ON i.sender = r.sender AND i.octets_sha = r.octets_sha WHERE r.id = $1"
    );
    let rows = line.composed(sql, &[Value::Int(i64::try_from(id.0).ok())]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(RefusedMessage {
        row: read(row)?,
        envelope: envelope(row, 10)?,
        answer: row.octets(18)?,
        rules: Digest::from_slice(&row.need_octets(19)?).ok_or_else(|| Fault::unreadable(19))?,
        is_final: row.need_flag(20)?,
        actions: deeds::of(line, id).await?,
        replays: replays::of(line, id).await?,
    }))
}
