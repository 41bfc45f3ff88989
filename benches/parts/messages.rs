//! The ledger of messages when it is full: a million messages written straight into each database, then every list that operators ask for, one message's page,
//! and a page of the reconciler.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store::{self, Store};
use arkki::crypto::sha256;
use arkki::domain::facts::Standing;
use arkki::domain::ledger::Position;
use arkki::domain::messages::{MessageCriteria, MessageName};
use arkki::domain::time::Moment;
use arkki::ports::messages::{Messages as _, Reconciling as _};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::gateway::Gateway;
use crate::kit;

/// How many messages unless ARKKI_BENCH_LEDGER says otherwise.
const MESSAGES: u64 = 1_000_000;
/// How often each list is asked for.
const TIMES: u64 = 300;
/// Rows of a page.
const PAGE: u32 = 50;
/// A message each so many microseconds: a million in some eleven days.
const EACH: i64 = 1_000_000;
/// One in so many is refused, and one in so many comes from the rare sender.
const REFUSED_EACH: u64 = 20;
const RARE_EACH: u64 = 100_000;

pub fn run(gateway: &Gateway) -> String {
    let count = std::env::var("ARKKI_BENCH_LEDGER").ok().map_or(MESSAGES, |n| n.parse().expect("ARKKI_BENCH_LEDGER is a number"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut table = format!("| {count} messages in the ledger | p50, ms | p99 | most |\n|---|---|---|---|\n");
    let folder = kit::temp_dir();
    let file = folder.path().join("archive.sqlite");
    table += &runtime.block_on(async {
        let archive = open(&format!("sqlite:{}", file.display())).await;
        let mut line = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.expect("the same file");
        let began = Instant::now();
        for statement in statements(count, true) {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut line).await.expect("generated rows");
        }
        line.close().await.expect("a clean end");
        println!("messages: SQLite filled in {:.0} s", began.elapsed().as_secs_f64());
        lists("SQLite", &archive, count).await
    });
    table += &runtime.block_on(async {
        let archive = open(&gateway.database_url()).await;
        let began = Instant::now();
        for statement in statements(count, false) {
            gateway.sql(&statement);
        }
        println!("messages: PostgreSQL filled in {:.0} s", began.elapsed().as_secs_f64());
        lists("PostgreSQL", &archive, count).await
    });
    table
}

async fn open(url: &str) -> Arc<Store> {
    store::open_store(url, "bench", Arc::new(SystemEntropy::open().expect("entropy"))).await.expect("an archive")
}

/// The n-th message: its hash is its number in decimal digits, its AMQP id `m-n`, whose tag stands in for the real one.
pub fn statements(count: u64, sqlite: bool) -> Vec<String> {
    let (sha, amqp, numbers, zero) = if sqlite {
        (
            "CAST(printf('%032d', n) AS BLOB)",
            "CAST('m-' || n AS BLOB)",
            format!("(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {count}) SELECT n FROM r) g"),
            format!("x'{}'", "00".repeat(32)),
        )
    } else {
        (
            "convert_to(lpad(n::text, 32, '0'), 'UTF8')",
            "convert_to('m-' || n, 'UTF8')",
            format!("generate_series(1::bigint, {count}) AS g(n)"),
            format!("'\\x{}'::bytea", "00".repeat(32)),
        )
    };
    let refused = format!("n % {REFUSED_EACH} = 0");
    let sender = format!("CASE WHEN n % {RARE_EACH} = 7 THEN 'rare' ELSE 'his-' || (n % 20) END");
    let code = format!("CASE WHEN {refused} THEN CASE WHEN n % 100000 = 0 THEN 'E100' ELSE 'E' || (300 + n / {REFUSED_EACH} % 9) END END");
    let no = if sqlite { "0" } else { "false" };
    vec![
        format!(
            "INSERT INTO inbox (sender, octets_sha, standing, revision, outcome, rules, is_final, code, position, decided_at, octets) \
             SELECT {sender}, {sha}, CASE WHEN {refused} THEN 2 ELSE 1 END, 1, {zero}, {zero}, {no}, {code}, n, n * {EACH}, CASE WHEN {refused} THEN {sha} END FROM {numbers}"
        ),
        format!(
            "INSERT INTO ledger (position, before, hash, kind, at, sender, message, document_id, code, rules, amqp_id, amqp_tag, received_at, examined_at, written_at, instance, answers) \
             SELECT n, {zero}, {zero}, CASE WHEN {refused} THEN 2 ELSE 1 END, n * {EACH}, {sender}, {sha}, '1.2.246.10.99999992.95.2026.' || n, {code}, {zero}, {amqp}, \
             n * 2654435761, n * {EACH}, n * {EACH}, n * {EACH}, 'bench', 1 FROM {numbers}"
        ),
        format!("INSERT INTO sent (first, last, at, instance) SELECT n, n + 63, n * {EACH}, 'bench' FROM {numbers} WHERE n % 64 = 0"),
        format!("UPDATE head SET position = {count}, messages = {count} WHERE id = 1"),
        if sqlite { "ANALYZE".to_owned() } else { "VACUUM ANALYZE".to_owned() },
    ]
}

async fn lists(name: &str, archive: &Store, count: u64) -> String {
    let pick = |n: u64| n * 2_654_435_761 % count + 1;
    let at = |n: u64| Some(Moment::from_micros(i64::try_from(n).expect("small") * EACH));
    let text = |text: String| Some(text);
    let all = MessageCriteria::default;
    let kinds: [(&str, &dyn Fn(u64) -> MessageCriteria); 10] = [
        ("the newest", &|_| all()),
        ("refused", &|_| MessageCriteria { state: Some(Standing::Refused), ..all() }),
        ("accepted", &|_| MessageCriteria { state: Some(Standing::Accepted), ..all() }),
        ("one code", &|n| MessageCriteria { code: text(format!("E{}", 300 + n % 9)), ..all() }),
        ("one code of one sender", &|n| MessageCriteria { code: text(format!("E{}", 300 + n % 9)), sender: text("his-0".to_owned()), ..all() }),
        ("a rare code of a sender who never got it", &|_| MessageCriteria { code: text("E100".to_owned()), sender: text("his-3".to_owned()), ..all() }),
        ("a rare sender", &|_| MessageCriteria { sender: text("rare".to_owned()), ..all() }),
        ("an hour", &|n| MessageCriteria { from: at(pick(n)), until: at(pick(n) + 3600), ..all() }),
        ("refused in an hour", &|n| MessageCriteria { state: Some(Standing::Refused), from: at(pick(n)), until: at(pick(n) + 3600), ..all() }),
        ("by document id", &|n| MessageCriteria {
            document_id: text(format!("1.2.246.10.99999992.95.2026.{}", pick(n) / REFUSED_EACH * REFUSED_EACH)),
            ..all()
        }),
    ];
    let mut table = String::new();
    for (what, criteria) in kinds {
        let (mut took, mut found) = (Vec::new(), 0);
        for n in 0..TIMES {
            let criteria = criteria(n);
            let began = Instant::now();
            let page = archive.messages(&criteria, None, PAGE).await.expect("an answer");
            took.push(began.elapsed());
            found += page.rows.len();
        }
        table += &row(&format!("{name}: {what}, {:.1} rows", found as f64 / TIMES as f64), took);
    }
    let mut took = Vec::new();
    for n in 0..TIMES {
        let began = Instant::now();
        let page = archive.messages(&all(), Some(pick(n)), PAGE).await.expect("an answer");
        took.push(began.elapsed());
        assert!(!page.rows.is_empty() || pick(n) == 1);
    }
    table += &row(&format!("{name}: a page in the middle"), took);
    for (what, named) in [
        ("one message by position", &(|n: u64| MessageName::Position(Position(pick(n)))) as &dyn Fn(u64) -> MessageName),
        ("one message by its hash", &|n| {
            let digits = format!("{:032}", pick(n));
            MessageName::Hash(digits.bytes().map(|b| format!("{b:02x}")).collect())
        }),
        ("a message that is not there", &|n| MessageName::Hash(sha256(&n.to_be_bytes()).to_hex())),
    ] {
        let mut took = Vec::new();
        for n in 0..TIMES {
            let began = Instant::now();
            let found = archive.message(&named(n)).await.expect("an answer");
            took.push(began.elapsed());
            assert_eq!(found.len(), usize::from(!what.contains("not there")), "{name}: {what}");
        }
        table += &row(&format!("{name}: {what}"), took);
    }
    let mut took = Vec::new();
    for n in 0..TIMES / 10 {
        let began = Instant::now();
        let page = archive.reconcile_page(Position(pick(n)), 1000).await.expect("an answer");
        took.push(began.elapsed());
        assert!(page.entries > 0);
    }
    table + &row(&format!("{name}: 1,000 entries reconciled"), took)
}

fn row(what: &str, mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
    format!("| {what} | {:.2} | {:.2} | {:.2} |\n", at(50), at(99), at(100))
}
