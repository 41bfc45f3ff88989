//! What a commit writes for operators: the refusal's row and its group's counts, and the end of a replay. Rows of refusals before rows of groups, each in
//! the order of their numbers, as the operators' own changes take them: no two can wait for each other.

use std::collections::{BTreeMap, HashMap};

use super::compose::Effected;
use super::fault::Fault;
use super::line::{Both, Kind, Line, Value};
use super::rows::{Rows, digest, key_row, text};
use super::unsigned;
use crate::domain::change::{Commit, Effect, Refuse};
use crate::domain::facts::Standing;
use crate::domain::refused::{ELSEWHERE, GROUPS, RefusedState, ReplayMark, ReplayOutcome};

/// How a batch changes the groups: by group, what is added to each state's count, and when it was seen, where it was.
#[derive(Default)]
pub(super) struct Deltas(BTreeMap<i64, ([i64; 4], Option<i64>)>);

impl Deltas {
    /// One refusal of a group leaves a state, enters another, or both; seen at that moment, where it was.
    pub fn moved(&mut self, group: i64, from: Option<RefusedState>, to: Option<RefusedState>, seen: Option<i64>) {
        self.moved_many(group, from, to, 1);
        if let Some((_, at)) = self.0.get_mut(&group) {
            *at = (*at).max(seen);
        }
    }

    /// So many refusals of a group leave a state, enter another, or both.
    pub fn moved_many(&mut self, group: i64, from: Option<RefusedState>, to: Option<RefusedState>, many: i64) {
        let (counts, _) = self.0.entry(group).or_default();
        for (state, by) in [(from, -many), (to, many)] {
            if let Some(count) = state.and_then(|state| usize::try_from(state.number() - 1).ok()).and_then(|place| counts.get_mut(place)) {
                *count += by;
            }
        }
    }

    /// Writes them, in the order of the groups' numbers.
    ///
    /// # Errors
    /// As the database says.
    pub async fn write(self, line: &mut Line) -> Result<(), Fault> {
        const KINDS: &[Kind] = &[Kind::Int; 6];
        let rows: Rows<'_> = self
            .0
            .iter()
            .filter(|(_, (counts, at))| at.is_some() || counts.iter().any(|count| *count != 0))
            .map(|(group, (counts, at))| std::iter::once(*group).chain(*counts).map(|n| Value::Int(Some(n))).chain([Value::Int(*at)]).collect())
            .collect();
        let lock = Both {
            postgres: "SELECT id FROM refusal_group WHERE id IN (SELECT UNNEST($1::bigint[])) ORDER BY id FOR UPDATE".to_owned(),
            sqlite: "SELECT id FROM refusal_group WHERE id = $1".to_owned(),
        };
        let groups: Rows<'_> = rows.iter().map(|row| row.iter().take(1).copied().collect()).collect();
        if matches!(line, Line::Postgres(_)) {
            line.many(&lock, &[Kind::Int], &groups).await?;
        }
        let sql = Both {
            postgres: "UPDATE refusal_group g SET open = g.open + d.o, held = g.held + d.h, discarded = g.discarded + d.x, mended = g.mended + d.m, \
                       last_at = GREATEST(g.last_at, COALESCE(d.at, g.last_at)) \
                       FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) d(id, o, h, x, m, at) WHERE g.id = d.id"
                .to_owned(),
            sqlite: "UPDATE refusal_group SET open = open + $2, held = held + $3, discarded = discarded + $4, mended = mended + $5, \
                     last_at = max(last_at, COALESCE($6, last_at)) WHERE id = $1"
                .to_owned(),
        };
        line.many(&sql, KINDS, &rows).await.map(drop)
    }
}

/// A refusal's row as it stands.
#[derive(Clone, Copy)]
struct Known {
    id: i64,
    group: i64,
    state: RefusedState,
}

/// Writes what the batch's refusals and acceptances mean for operators. A batch of new messages that were all taken costs nothing.
///
/// # Errors
/// As the database says.
pub(super) async fn write(line: &mut Line, effected: &[Effected<'_>]) -> Result<(), Fault> {
    let refused: Vec<(&Effected<'_>, &Refuse)> = effected.iter().filter_map(|e| newly_refused(e).map(|refuse| (e, refuse))).collect();
    let taken: Vec<&Effected<'_>> = effected.iter().filter(|e| is_taken(e)).collect();
    let decided_before = |e: &&Effected<'_>| e.inbox.as_ref().is_some_and(|inbox| inbox.revision > 1);
    let again: Rows<'_> = refused.iter().map(|(e, _)| *e).chain(taken.iter().copied()).filter(decided_before).map(|e| key_row(e.commit)).collect();
    if refused.is_empty() && again.is_empty() {
        return Ok(());
    }
    let known = known(line, &again).await?;
    let of = |commit: &Commit| known.get(&(commit.key.sender.as_str().to_owned(), commit.key.octets.0.to_vec())).copied();
    let groups = groups(line, &refused).await?;
    let mut deltas = Deltas::default();
    let mut rows: Rows<'_> = Vec::with_capacity(refused.len());
    for ((e, refuse), group) in refused.iter().zip(&groups) {
        let before = of(e.commit);
        // What somebody put aside stays aside; what was discarded is refused for something else now.
        let state = before.map_or(RefusedState::Open, |known| if known.state == RefusedState::Held { RefusedState::Held } else { RefusedState::Open });
        if let Some(known) = before {
            deltas.moved(known.group, Some(known.state), None, None);
        }
        deltas.moved(*group, None, Some(state), Some(e.commit.at.micros()));
        rows.push(row(e, refuse, before.map(|known| known.id), *group, state));
    }
    rows.sort_unstable_by_key(|row| if let Some(Value::Int(id)) = row.first() { *id } else { None });
    REFUSAL.insert(line, &rows).await?;
    let mut mended: Vec<(Known, Option<i64>)> = taken.iter().filter_map(|e| of(e.commit).map(|known| (known, e.position))).collect();
    mended.sort_unstable_by_key(|(known, _)| known.id);
    let state = Value::Int(Some(RefusedState::Mended.number()));
    let rows: Rows<'_> = mended.iter().map(|(known, position)| vec![Value::Int(Some(known.id)), state, Value::Int(*position)]).collect();
    let sql = Both {
        postgres: "UPDATE refusal r SET state = d.state, position = COALESCE(d.position, r.position), action = NULL \
                   FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) d(id, state, position) WHERE r.id = d.id"
            .to_owned(),
        sqlite: "UPDATE refusal SET state = $2, position = COALESCE($3, position), action = NULL WHERE id = $1".to_owned(),
    };
    line.many(&sql, &[Kind::Int; 3], &rows).await?;
    for (known, _) in mended {
        deltas.moved(known.group, Some(known.state), Some(RefusedState::Mended), None);
    }
    deltas.write(line).await
}

fn newly_refused<'a>(e: &Effected<'a>) -> Option<&'a Refuse> {
    match &e.commit.effect {
        Effect::Refuse(refuse) if !refuse.noted && refuse.code.is_some() && e.chained.is_some() => Some(refuse),
        Effect::Refuse(_) | Effect::Archive(_) | Effect::Event(_) | Effect::Notice(_) | Effect::Answer(_) | Effect::Hold(_) | Effect::Repeat => None,
    }
}

fn is_taken(e: &Effected<'_>) -> bool {
    match &e.commit.effect {
        Effect::Archive(_) | Effect::Event(_) | Effect::Notice(_) | Effect::Answer(_) => e.inbox.is_some(),
        Effect::Refuse(refuse) => refuse.noted,
        Effect::Hold(_) | Effect::Repeat => false,
    }
}

static REFUSAL: super::rows::Table = super::rows::Table::of(
    "refusal",
    &[
        ("id", Kind::Int),
        ("sender", Kind::Text),
        ("octets_sha", Kind::Octets),
        ("grp", Kind::Int),
        ("state", Kind::Int),
        ("at", Kind::Int),
        ("first_at", Kind::Int),
        ("position", Kind::Int),
        ("queue", Kind::Octets),
        ("correlation", Kind::Octets),
        ("message_id", Kind::Octets),
        ("content_type", Kind::Octets),
        ("inbound", Kind::Text),
        ("profile", Kind::Text),
    ],
    "ON CONFLICT (sender, octets_sha) DO UPDATE SET grp = excluded.grp, state = excluded.state, at = excluded.at, position = excluded.position, action = NULL, \
     correlation = CASE WHEN excluded.queue IS NULL THEN refusal.correlation ELSE excluded.correlation END, queue = COALESCE(excluded.queue, refusal.queue), \
     inbound = excluded.inbound, profile = excluded.profile",
);

fn row<'a>(e: &'a Effected<'_>, refuse: &'a Refuse, id: Option<i64>, group: i64, state: RefusedState) -> Vec<Value<'a>> {
    // After a hold the answer's address is one of those that waited.
    let reply = e.commit.reply.as_ref().or_else(|| e.out.first().map(|(_, reply)| reply));
    let at = Value::Int(Some(e.commit.at.micros()));
    let octets = |word: Option<&'a str>| Value::Octets(word.map(str::as_bytes));
    let came = &refuse.came;
    vec![
        Value::Int(id.or(e.position)),
        text(e.commit.key.sender.as_str()),
        digest(&e.commit.key.octets),
        Value::Int(Some(group)),
        Value::Int(Some(state.number())),
        at,
        at,
        Value::Int(e.position),
        octets(reply.map(|reply| reply.queue.as_str())),
        octets(reply.and_then(|reply| reply.correlation.as_deref())),
        octets(came.message_id.as_deref()),
        octets(came.content_type.as_deref()),
        text(&came.inbound),
        text(&came.profile),
    ]
}

async fn known(line: &mut Line, keys: &Rows<'_>) -> Result<HashMap<(String, Vec<u8>), Known>, Fault> {
    let columns = "SELECT sender, octets_sha, id, grp, state FROM refusal";
    let sql = Both {
        postgres: format!("{columns} WHERE (sender, octets_sha) IN (SELECT * FROM UNNEST($1::text[], $2::bytea[])) ORDER BY id FOR UPDATE"),
        sqlite: format!("{columns} WHERE sender = $1 AND octets_sha = $2"),
    };
    let mut found = HashMap::new();
    for row in line.many(&sql, &[Kind::Text, Kind::Octets], keys).await? {
        let state = RefusedState::from_number(row.need_int(4)?).ok_or_else(|| Fault::unreadable(4))?;
        found.insert((row.need_text(0)?, row.need_octets(1)?), Known { id: row.need_int(2)?, group: row.need_int(3)?, state });
    }
    Ok(found)
}

/// The group of each refusal; made where it is not there. The head's lock is held, so nobody else makes one.
async fn groups(line: &mut Line, refused: &[(&Effected<'_>, &Refuse)]) -> Result<Vec<i64>, Fault> {
    let mut words: Vec<(String, String, String)> = Vec::with_capacity(refused.len());
    let mut ids: HashMap<(String, String, String), i64> = HashMap::new();
    for (e, refuse) in refused {
        let code = refuse.code.clone().unwrap_or_default();
        words.push((code, refuse.came.finding.clone(), e.commit.key.sender.as_str().to_owned()));
    }
    look_up(line, &words, &mut ids).await?;
    let mut made = BTreeMap::new();
    for ((e, _), word) in refused.iter().zip(&mut words) {
        if ids.contains_key(word) || made.contains_key(word) {
            continue;
        }
        let sql = "SELECT count(*) FROM (SELECT 1 FROM refusal_group WHERE code = $1 AND sender = $2 LIMIT $3) g";
        let rows = line.one(sql, &[text(&word.0), text(&word.2), Value::Int(Some(i64::from(GROUPS)))]).await?;
        let there = rows.first().map_or(Ok(0), |row| row.need_int(0))?;
        let mine = made.keys().filter(|(code, _, sender): &&(String, String, String)| *code == word.0 && *sender == word.2).count();
        if unsigned(there) + mine as u64 >= u64::from(GROUPS) {
            ELSEWHERE.clone_into(&mut word.1);
        }
        made.insert(word.clone(), e.commit.at.micros());
    }
    let rows: Rows<'_> = made.iter().map(|((code, finding, sender), at)| vec![text(code), text(finding), text(sender), Value::Int(Some(*at))]).collect();
    let columns = "INSERT INTO refusal_group (code, finding, sender, open, held, discarded, mended, first_at, last_at)";
    let sql = Both {
        postgres: format!(
            "{columns} SELECT c, f, s, 0, 0, 0, 0, a, a FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[]) n(c, f, s, a) ON CONFLICT DO NOTHING"
        ),
        sqlite: format!("{columns} VALUES ($1, $2, $3, 0, 0, 0, 0, $4, $4) ON CONFLICT DO NOTHING"),
    };
    line.many(&sql, &[Kind::Text, Kind::Text, Kind::Text, Kind::Int], &rows).await?;
    if !made.is_empty() {
        look_up(line, &words, &mut ids).await?;
    }
    words.iter().map(|word| ids.get(word).copied().ok_or_else(|| Fault::Wrong("a group of refusals is missing".to_owned()))).collect()
}

async fn look_up(line: &mut Line, words: &[(String, String, String)], ids: &mut HashMap<(String, String, String), i64>) -> Result<(), Fault> {
    let mut asked: Vec<&(String, String, String)> = words.iter().filter(|word| !ids.contains_key(*word)).collect();
    asked.sort_unstable();
    asked.dedup();
    let rows: Rows<'_> = asked.iter().map(|(code, finding, sender)| vec![text(code), text(finding), text(sender)]).collect();
    let columns = "SELECT id, code, finding, sender FROM refusal_group";
    let sql = Both {
        postgres: format!("{columns} WHERE (code, finding, sender) IN (SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[]))"),
        sqlite: format!("{columns} WHERE code = $1 AND finding = $2 AND sender = $3"),
    };
    for row in line.many(&sql, &[Kind::Text; 3], &rows).await? {
        ids.insert((row.need_text(1)?, row.need_text(2)?, row.need_text(3)?), row.need_int(0)?);
    }
    Ok(())
}

/// The commits, by place, whose replay was ended by another or let go: nothing of theirs may be written. The items of the others are locked.
///
/// # Errors
/// As the database says.
pub(super) async fn moot(line: &mut Line, commits: &[&Commit]) -> Result<Vec<usize>, Fault> {
    let marked: Vec<(usize, ReplayMark)> = commits.iter().enumerate().filter_map(|(at, commit)| commit.replay.map(|mark| (at, mark))).collect();
    let rows: Rows<'_> = marked.iter().map(|(_, mark)| mark_values(mark)).collect();
    let columns = "SELECT job, refusal, turn FROM replay_item";
    let sql = Both {
        postgres: format!(
            "{columns} WHERE (job, refusal, turn) IN (SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[])) AND state = 2 ORDER BY job, refusal FOR UPDATE"
        ),
        sqlite: format!("{columns} WHERE job = $1 AND refusal = $2 AND turn = $3 AND state = 2"),
    };
    let mut valid = Vec::with_capacity(rows.len());
    for row in line.many(&sql, &[Kind::Int; 3], &rows).await? {
        valid.push((unsigned(row.need_int(0)?), unsigned(row.need_int(1)?)));
    }
    Ok(marked.into_iter().filter(|(_, mark)| !valid.contains(&(mark.job.0, mark.refusal.0))).map(|(at, _)| at).collect())
}

/// An item's key and turn.
pub(super) fn mark_values(mark: &ReplayMark) -> Vec<Value<'static>> {
    let number = |n: u64| Value::Int(i64::try_from(n).ok());
    vec![number(mark.job.0), number(mark.refusal.0), number(u64::from(mark.turn))]
}

/// Ends the items of the batch's replays.
///
/// # Errors
/// As the database says.
pub(super) async fn end_replays(line: &mut Line, effected: &[Effected<'_>]) -> Result<(), Fault> {
    let rows: Rows<'_> = effected
        .iter()
        .filter_map(|e| {
            let mut row = mark_values(&e.commit.replay?);
            row.extend([Value::Int(Some(outcome(e).number())), Value::Int(e.position), Value::Int(Some(e.commit.at.micros()))]);
            Some(row)
        })
        .collect();
    let sql = Both {
        postgres: "UPDATE replay_item i SET state = 3, outcome = d.outcome, after_position = d.position, ended_at = d.at, lease_until = NULL \
                   FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) d(job, refusal, turn, outcome, position, at) \
                   WHERE i.job = d.job AND i.refusal = d.refusal AND i.turn = d.turn"
            .to_owned(),
        sqlite: "UPDATE replay_item SET state = 3, outcome = $4, after_position = $5, ended_at = $6, lease_until = NULL WHERE job = $1 AND refusal = $2 AND turn = $3"
            .to_owned(),
    };
    line.many(&sql, &[Kind::Int; 6], &rows).await.map(drop)
}

/// What a replay came to.
pub(super) fn outcome(e: &Effected<'_>) -> ReplayOutcome {
    match &e.commit.effect {
        Effect::Archive(_) | Effect::Event(_) | Effect::Notice(_) | Effect::Answer(_) => ReplayOutcome::Accepted,
        Effect::Refuse(refuse) if refuse.noted => ReplayOutcome::Accepted,
        Effect::Refuse(_) if e.chained.is_some() => ReplayOutcome::Refused,
        Effect::Refuse(_) => ReplayOutcome::Same,
        Effect::Hold(_) => ReplayOutcome::Held,
        Effect::Repeat => match e.was {
            Some(Standing::Held) => ReplayOutcome::Held,
            Some(Standing::Refused) => ReplayOutcome::Same,
            Some(Standing::Accepted | Standing::Noted | Standing::Answered) | None => ReplayOutcome::Already,
        },
    }
}
