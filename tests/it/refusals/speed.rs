//! How long lists take with many refusals: `ARKKI_REFUSALS=1000000` for the promised number; a few thousand by default. Printed, and held to a bound.

use std::cell::Cell;
use std::time::{Duration, Instant};

use arkki::adapters::store::Store;
use arkki::domain::ledger::Position;
use arkki::domain::refused::{Deed, NewJob, RefusalId, RefusedCriteria, RefusedState};
use arkki::ports::refusals::{Change, Refusals as _};

use super::{by, coded, job, open};
use crate::store::make::at;
use crate::store::place::Place;

/// What a list may take (issue: under 200 ms).
const MOST: Duration = Duration::from_millis(200);
const ROUNDS: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_many_on_postgres() {
    measure(Place::postgres().await, "(SELECT generate_series(1, {n}) AS n)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_many_on_sqlite() {
    measure(Place::sqlite(), "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {n}) SELECT n FROM s)").await;
}

async fn measure(place: Place, series: &str) {
    let many: u64 = std::env::var("ARKKI_REFUSALS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let archive = open(&place).await;
    fill(&place, many, series).await;
    let criteria = |code: Option<&str>, sender: Option<&str>, state| RefusedCriteria {
        code: code.map(str::to_owned),
        sender: sender.map(str::to_owned),
        state,
        ..RefusedCriteria::default()
    };
    let middle = at(i64::try_from(many / 2).unwrap());
    timed("groups", async |_| drop(archive.refusal_groups(&RefusedCriteria::default(), None, 50).await.unwrap())).await;
    for (name, wanted) in [
        ("list of all", criteria(None, None, None)),
        ("list of the open", criteria(None, None, Some(RefusedState::Open))),
        ("list of the discarded", criteria(None, None, Some(RefusedState::Discarded))),
        ("list of a code", coded("E305")),
        ("list of a sender", criteria(None, Some("s3"), None)),
        ("list of a code and sender in a state", criteria(Some("E102"), Some("s1"), Some(RefusedState::Open))),
        ("list until the middle", RefusedCriteria { until: Some(middle), ..coded("E305") }),
    ] {
        timed(name, async |_| drop(archive.refusals(&wanted, None, 50).await.unwrap())).await;
        deep(&archive, name, &wanted).await;
    }
    timed("one", async |n| drop(archive.refusal(RefusalId(u64::from(n) + 1)).await.unwrap())).await;
    timed("one by its position", async |n| assert!(archive.refusal_at(Position(u64::from(n) + 1)).await.unwrap().is_some())).await;
    let big = coded("E305");
    once("preview of a replay", async || println!("  {:?}", archive.preview_replay(&big, &arkki::crypto::sha256(b"rules")).await.unwrap())).await;
    let held = Cell::new(None);
    once("hold", async || held.set(Some(archive.act_on_refusals(&big, Deed::Hold, &by(1)).await.unwrap()))).await;
    println!("  {:?}", held.get());
    let action = held.get().and_then(|acted| acted.action).unwrap();
    once("undo", async || assert!(archive.undo_action(action, &by(2)).await.unwrap().is_some())).await;
    let job = Cell::new(None);
    once("start of a replay", async || job.set(Some(archive.start_replay(&job_of(&big)).await.unwrap().id))).await;
    let id = job.get().unwrap();
    once("lease", async || assert_eq!(archive.lease_replays(at(1_000), at(1_060), 64).await.unwrap().len(), 64)).await;
    timed("one job", async |_| drop(archive.replay_job(id).await.unwrap().unwrap())).await;
    once("end of a replay", async || drop(archive.change_replay(id, Change::End, &by(3)).await.unwrap())).await;
    timed("actions", async |_| drop(archive.refusal_actions(50).await.unwrap())).await;
    timed("jobs", async |_| drop(archive.replay_jobs(50).await.unwrap())).await;
}

/// A page far down: no page is dearer than the first.
async fn deep(archive: &Store, name: &str, wanted: &RefusedCriteria) {
    let mut after = None;
    for _ in 0..20 {
        let page = archive.refusals(wanted, after, 500).await.unwrap();
        let Some(last) = page.last() else { return };
        after = Some(last.mark());
    }
    timed(&format!("{name}, a page far down"), async |_| drop(archive.refusals(wanted, after, 50).await.unwrap())).await;
}

fn job_of(criteria: &RefusedCriteria) -> NewJob {
    NewJob { rate: 2_000, ..job(criteria.clone(), "speed") }
}

/// Something that is done once, to as many as one action takes.
async fn once(name: &str, work: impl AsyncFnOnce()) {
    let begun = Instant::now();
    work().await;
    println!("{name:<50} {:>8.2} ms", begun.elapsed().as_secs_f64() * 1e3);
}

async fn timed(name: &str, work: impl AsyncFn(u32)) {
    let mut took = Vec::new();
    for n in 0..ROUNDS {
        let begun = Instant::now();
        work(n).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let (half, most) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{name:<50} {:>8.2} ms median, {:>8.2} ms most", half.as_secs_f64() * 1e3, most.as_secs_f64() * 1e3);
    assert!(half < MOST, "{name}: {half:?}");
}

/// Rows made straight in the tables: 40 groups of 4 senders, in all states.
async fn fill(place: &Place, many: u64, series: &str) {
    let series = series.replace("{n}", &many.to_string());
    let digest = if place.url.starts_with("sqlite") { "CAST(printf('%032d', s.n) AS BLOB)" } else { "convert_to(lpad(s.n::text, 32, '0'), 'UTF8')" };
    let start = at(0).micros();
    let code = "'E' || (101 + 17 * (s.n % 13))";
    let state = "CASE WHEN s.n % 10 < 6 THEN 1 WHEN s.n % 10 < 7 THEN 2 WHEN s.n % 10 < 8 THEN 3 ELSE 4 END";
    for sql in [
        format!(
            "INSERT INTO inbox (sender, octets_sha, standing, revision, outcome, rules, is_final, code, position, octets, decided_at) SELECT 's' || (s.n % 4), {digest}, 2, 1, \
             {digest}, {digest}, false, {code}, s.n, {digest}, {start} + CAST(s.n AS bigint) * 1000000 FROM {series} s"
        ),
        "INSERT INTO refusal_group (code, finding, sender, open, held, discarded, mended, first_at, last_at) SELECT code, '/p' || (position % 3), sender, \
         0, 0, 0, 0, min(decided_at), max(decided_at) FROM inbox GROUP BY code, position % 3, sender"
            .to_owned(),
        format!(
            "INSERT INTO refusal (id, sender, octets_sha, grp, state, at, first_at, position, inbound, profile) SELECT s.position, s.sender, s.octets_sha, g.id, {}, s.decided_at, \
             s.decided_at, s.position, 'main', 'kanta-social' FROM inbox s JOIN refusal_group g ON g.code = s.code AND g.sender = s.sender AND g.finding = '/p' || (s.position % 3)",
            state.replace("s.n", "s.position")
        ),
        "UPDATE refusal_group SET open = (SELECT count(*) FROM refusal r WHERE r.grp = refusal_group.id AND r.state = 1), \
         held = (SELECT count(*) FROM refusal r WHERE r.grp = refusal_group.id AND r.state = 2), \
         discarded = (SELECT count(*) FROM refusal r WHERE r.grp = refusal_group.id AND r.state = 3), \
         mended = (SELECT count(*) FROM refusal r WHERE r.grp = refusal_group.id AND r.state = 4)"
            .to_owned(),
        "ANALYZE".to_owned(),
    ] {
        place.sql(&sql).await;
    }
}
