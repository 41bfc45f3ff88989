//! Whether the tables agree: a page of the ledger in one statement, and so of one moment. An answer leaves the outbox and is noted as sent in one
//! transaction, so at no moment it is neither.

use async_trait::async_trait;

use super::fault::Fault;
use super::line::{Line, Value};
use super::lines::on_spare;
use super::message::RUN;
use super::{Store, decode, place, unsigned};
use crate::domain::ledger::Position;
use crate::domain::message::{MessageKey, Sender};
use crate::domain::outage::Outage;
use crate::domain::reconciling::{Checked, Missing, Unexplained};
use crate::domain::refused::ELSEWHERE;
use crate::domain::time::Moment;
use crate::ports::messages::Reconciling;

/// The most gaps in the ledger that one page names; a larger one is named by its first.
const GAPS: u64 = 100;
/// How many messages on hold are looked at, the oldest first: the waiting room is no larger by default.
const HELD: i64 = 10_000;

#[async_trait]
impl Reconciling for Store {
    async fn reconcile_page(&self, after: Position, limit: u32) -> Result<Checked, Outage> {
        on_spare!(&self.lines, |line| page(line, after, limit))
    }

    async fn reconcile_held(&self) -> Result<Checked, Outage> {
        on_spare!(&self.lines, |line| held(line))
    }

    async fn unanswered_refusals(&self) -> Result<u64, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line
                .one(
                    "SELECT (SELECT count(*) FROM ledger WHERE kind = 2 AND answers = 0) + CAST((SELECT COALESCE(sum(copies), 0) FROM dead_letter) AS bigint)",
                    &[],
                )
                .await?;
            Ok::<_, Fault>(unsigned(rows.first().ok_or_else(|| Fault::unreadable(0))?.need_int(0)?))
        })
    }

    async fn list_refusals(&self, positions: &[Position]) -> Result<u64, Outage> {
        let mut listed = 0;
        for position in positions {
            let _turn = self.lines.turn().await;
            listed += on_spare!(&self.lines, |line| list(line, *position))?;
        }
        Ok(listed)
    }

    async fn forget_refused(&self, before: Moment, now: Moment, limit: u32) -> Result<u64, Outage> {
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| forget(line, before, now, limit))
    }
}

/// The entries of a page and what each is missing. Scalar subqueries throughout: each is one look-up by key, where PostgreSQL could answer an EXISTS by
/// hashing a whole table.
async fn page(line: &mut Line, after: Position, limit: u32) -> Result<Checked, Fault> {
    // Read before the entries: what it counts is there by then, unless it was taken away.
    let head = unsigned(super::transaction::head(line).await?.position);
    // Of a sending that shows a stored answer again, and of an event along, the decision is another entry's.
    let sql = format!(
        "SELECT l.position, l.message, CAST( \
         CASE WHEN l.kind = 7 OR (l.kind = 4 AND l.answer IS NULL) OR \
           (SELECT i.position FROM inbox i WHERE i.sender = l.sender AND i.octets_sha = l.message AND i.position >= l.position) IS NOT NULL THEN 0 ELSE 2 END \
         + CASE WHEN l.kind <> 1 OR (SELECT d.id FROM document d WHERE d.position = l.position) IS NOT NULL THEN 0 ELSE 4 END \
         + CASE WHEN l.kind <> 1 OR (SELECT o.document_id FROM document_octets o WHERE o.document_id = l.document_id) IS NOT NULL THEN 0 ELSE 8 END \
         + CASE WHEN l.kind <> 4 OR (SELECT e.kind FROM document_event e WHERE e.position = l.position) IS NOT NULL THEN 0 ELSE 16 END \
         + CASE WHEN l.kind <> 6 OR (SELECT n.at FROM notice n WHERE n.position = l.position) IS NOT NULL THEN 0 ELSE 32 END \
         + CASE WHEN l.log_rows IS NULL OR (SELECT count(*) FROM access_log a WHERE a.position = l.position) \
           + (SELECT count(*) FROM disclosure_log g WHERE g.position = l.position) >= l.log_rows THEN 0 ELSE 64 END \
         + CASE WHEN l.answer IS NULL OR l.kind NOT IN (1, 2, 3, 4, 6) OR \
           (SELECT i.revision FROM inbox i WHERE i.position = l.position AND i.answer IS NULL AND i.forgotten_at IS NULL) IS NULL THEN 0 ELSE 128 END \
         + CASE WHEN l.kind NOT IN (2, 3, 4) OR \
           (SELECT i.revision FROM inbox i WHERE i.position = l.position AND i.octets IS NULL AND i.forgotten_at IS NULL) IS NULL THEN 0 ELSE 256 END \
         + CASE WHEN l.answers IS NULL OR l.answers = 0 OR (SELECT min(o.id) FROM outbox o WHERE o.position = l.position) IS NOT NULL OR \
           (SELECT min(s.at) FROM sent s WHERE s.first >= l.position - l.position % {RUN} AND s.first <= l.position AND s.last >= l.position) IS NOT NULL THEN 0 ELSE 512 END \
         + CASE WHEN l.kind <> 2 OR l.answers IS NULL OR (SELECT i.standing FROM inbox i WHERE i.position = l.position AND i.code IS NOT NULL) IS NULL OR \
           (SELECT r.grp FROM refusal r JOIN refusal_group g ON g.id = r.grp WHERE r.sender = l.sender AND r.octets_sha = l.message) IS NOT NULL THEN 0 ELSE 1024 END AS bigint), \
         l.sender, l.at, \
         CAST(CASE WHEN l.answers IS NOT NULL THEN 0 WHEN l.kind <> 2 THEN 1 ELSE 1 + CASE WHEN l.code IN ('E813', 'E903') THEN 2 ELSE 0 END + CASE WHEN \
           (SELECT r.id FROM refusal r WHERE r.sender = l.sender AND r.octets_sha = l.message) IS NULL AND \
           (SELECT i.standing FROM inbox i WHERE i.position = l.position AND i.code IS NOT NULL) = 2 THEN 4 ELSE 0 END END AS bigint) \
         FROM (SELECT position, at, message, sender, kind, code, answer, document_id, log_rows, answers FROM ledger WHERE position > $1 ORDER BY position LIMIT $2) l \
         ORDER BY l.position"
    );
    let rows = line.composed(sql, &[place(after), Value::Int(Some(i64::from(limit)))]).await?;
    let mut checked = Checked { entries: rows.len() as u64, ..Checked::default() };
    let mut before = after.0;
    for row in &rows {
        let position = Position(unsigned(row.need_int(0)?));
        for lost in (before.saturating_add(1)..position.0).take(usize::try_from(GAPS).unwrap_or(0)) {
            checked.found.push(Unexplained { position: Some(Position(lost)), missing: Missing::Entry, which: String::new() });
        }
        before = position.0;
        let decided = Moment::from_micros(row.need_int(4)?);
        // The bits are the places in `Missing::ALL`.
        let bits = row.need_int(2)?;
        for missing in Missing::ALL.into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, missing)| missing) {
            let one = Unexplained { position: Some(position), missing, which: short(&row.need_text(3)?, decode::digest(row, 1).ok()) };
            if missing == Missing::Answer { checked.owed.push((decided, one)) } else { checked.found.push(one) }
        }
        // An entry that does not say how many answers it made is a former release's; which of its refusals the door made, for want of a sender or an address
        // to answer to, and which the list lacks.
        let former = row.need_int(5)?;
        if former & 1 == 1 {
            checked.former = checked.former.max(Some(decided));
            checked.unanswered += u64::from(former & 2 == 2);
            checked.unlisted.extend((former & 4 == 4).then_some(position));
        }
    }
    checked.last = (before > after.0).then_some(Position(before));
    // Behind the last entry no later one shows the gap.
    if checked.entries < u64::from(limit) {
        for lost in (before.saturating_add(1)..=head).take(usize::try_from(GAPS).unwrap_or(0)) {
            checked.found.push(Unexplained { position: Some(Position(lost)), missing: Missing::Entry, which: String::new() });
        }
    }
    Ok(checked)
}

fn short(sender: &str, octets: Option<crate::domain::digest::Digest>) -> String {
    octets.map_or_else(String::new, |octets| MessageKey { sender: Sender::new(sender), octets }.short())
}

async fn held(line: &mut Line) -> Result<Checked, Fault> {
    let most = Value::Int(Some(HELD));
    let lost = "SELECT i.sender, i.octets_sha FROM inbox i WHERE i.standing = 4 AND i.standing <> 1 AND \
                (SELECT h.since FROM held h WHERE h.sender = i.sender AND h.octets_sha = i.octets_sha) IS NULL LIMIT $1";
    let stray = "SELECT h.sender, h.octets_sha FROM held h WHERE \
                 (SELECT i.revision FROM inbox i WHERE i.sender = h.sender AND i.octets_sha = h.octets_sha AND i.standing = 4) IS NULL ORDER BY h.since LIMIT $1";
    let mut checked = Checked::default();
    for (sql, missing) in [(lost, Missing::Held), (stray, Missing::Message)] {
        for row in line.one(sql, &[most]).await? {
            let which = short(&row.need_text(0)?, decode::digest(&row, 1).ok());
            checked.found.push(Unexplained { position: None, missing, which });
        }
    }
    let rows = line.one("SELECT count(*) FROM held", &[]).await?;
    checked.entries = unsigned(rows.first().ok_or_else(|| Fault::unreadable(0))?.need_int(0)?);
    Ok(checked)
}

/// As migration 0013 listed what was refused before it: without the place of the finding and without the reply address, which nobody kept. The refusal before
/// its group, as a commit takes them.
async fn list(line: &mut Line, position: Position) -> Result<u64, Fault> {
    line.begin().await?;
    let outcome = list_one(line, place(position)).await;
    if outcome.is_ok() {
        line.commit().await?;
    } else {
        line.rollback().await?;
    }
    outcome
}

async fn list_one(line: &mut Line, position: Value<'_>) -> Result<u64, Fault> {
    let refused = "FROM inbox i WHERE i.position = $1 AND i.standing = 2 AND i.code IS NOT NULL";
    let group = format!(
        "INSERT INTO refusal_group (code, finding, sender, open, held, discarded, mended, first_at, last_at) \
         SELECT i.code, '{ELSEWHERE}', i.sender, 0, 0, 0, 0, i.decided_at, i.decided_at {refused} ON CONFLICT (code, finding, sender) DO NOTHING"
    );
    line.composed(group, &[position]).await?;
    let row = format!(
        "INSERT INTO refusal (id, sender, octets_sha, grp, state, at, first_at, position, inbound, profile) \
         SELECT i.position, i.sender, i.octets_sha, \
         (SELECT g.id FROM refusal_group g WHERE g.code = i.code AND g.finding = '{ELSEWHERE}' AND g.sender = i.sender), \
         1, i.decided_at, i.decided_at, i.position, '', '' {refused} ON CONFLICT (sender, octets_sha) DO NOTHING RETURNING grp, at"
    );
    let listed = line.composed(row, &[position]).await?;
    for row in &listed {
        let values = [Value::Int(Some(row.need_int(0)?)), Value::Int(Some(row.need_int(1)?))];
        let sql = "UPDATE refusal_group SET open = open + 1, first_at = CASE WHEN first_at < $2 THEN first_at ELSE $2 END, \
                   last_at = CASE WHEN last_at > $2 THEN last_at ELSE $2 END WHERE id = $1";
        line.one(sql, &values).await?;
    }
    Ok(listed.len() as u64)
}

/// Refusals whose answer has left, the oldest first, then notes. A refusal that is forgotten is not final any more: when it comes again it is decided anew,
/// and its sender gets a new answer. A note keeps its answer, which is small and goes out again.
async fn forget(line: &mut Line, before: Moment, now: Moment, limit: u32) -> Result<u64, Fault> {
    macro_rules! forget {
        ($standing:literal, $also:literal) => {
            concat!(
                "UPDATE inbox SET octets = NULL",
                $also,
                ", forgotten_at = $2 WHERE position IN (SELECT i.position FROM inbox i WHERE i.standing = ",
                $standing,
                " AND i.octets IS NOT NULL AND i.decided_at <= $1 AND (SELECT min(o.id) FROM outbox o WHERE o.position = i.position) IS NULL \
                 ORDER BY i.decided_at LIMIT $3) RETURNING position"
            )
        };
    }
    let values = |most| [Value::Int(Some(before.micros())), Value::Int(Some(now.micros())), Value::Int(Some(most))];
    let refused = line.one(forget!("2", ", answer = NULL, is_final = false"), &values(i64::from(limit))).await?.len() as u64;
    let room = i64::from(limit).saturating_sub(i64::try_from(refused).unwrap_or(i64::MAX)).max(0);
    let noted = if room > 0 { line.one(forget!("3", ""), &values(room)).await?.len() as u64 } else { 0 };
    Ok(refused + noted)
}
