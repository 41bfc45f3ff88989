//! Searches over a full archive: facts of many documents written straight into the store, then the searches and fetches that queries make, on each
//! database; and the road with one message in five a query, on the same PostgreSQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::crypto::sha256;
use arkki::domain::digest::Digest;
use arkki::domain::document::Date;
use arkki::domain::limits;
use arkki::domain::oid::Oid;
use arkki::domain::query::{Criteria, Fetched, Found, Register, Registers};
use arkki::domain::scope::Scope;
use arkki::generate::query::{Parameter, QuerySpec};
use arkki::generate::scenario::{Expected, Message};
use arkki::ports::archive::Archive;
use futures_util::StreamExt as _;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::gateway::Gateway;
use crate::{kit, sender};

/// How many documents unless ARKKI_BENCH_DOCUMENTS says otherwise.
pub const DOCUMENTS: u32 = 1_000_000;
/// Documents of one client, and of one case.
const OF_CLIENT: u32 = 20;
const OF_CASE: u32 = 5;
/// How often each search is made.
const TIMES: u32 = 2_000;
/// A document's octets: small, for the searches never touch them.
const OCTETS: &[u8] = &[b'x'; 600];
/// Where the generated documents lie.
const NODE: &str = "1.2.246.10.99999992";
/// One message in so many is a query.
const QUERY_EACH: usize = 5;
const REPLIES: &str = "arkki.reply.guest.search";

pub fn run(gateway: &Gateway, messages: usize, octets: usize) -> String {
    let count = std::env::var("ARKKI_BENCH_DOCUMENTS").ok().map_or(DOCUMENTS, |n| n.parse().expect("ARKKI_BENCH_DOCUMENTS is a number"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut table = format!("| {count} archived documents | p50, ms | p99 | most |\n|---|---|---|---|\n");
    let folder = kit::temp_dir();
    let file = folder.path().join("archive.sqlite");
    table += &runtime.block_on(async {
        let url = format!("sqlite:{}", file.display());
        let archive = store::open(&url, "bench", Arc::new(SystemEntropy::open().expect("entropy"))).await.expect("a file");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
        let mut line = options.connect().await.expect("the same file");
        let began = Instant::now();
        for statement in statements(count, "sqlite") {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut line).await.expect("generated rows");
        }
        line.close().await.expect("a clean end");
        println!("search: SQLite filled in {:.0} s", began.elapsed().as_secs_f64());
        searches("SQLite", archive.as_ref(), count).await
    });
    table += &runtime.block_on(async {
        let url = &gateway.database_url();
        let archive = store::open(url, "bench", Arc::new(SystemEntropy::open().expect("entropy"))).await.expect("a database");
        let began = Instant::now();
        for statement in statements(count, "postgres") {
            gateway.sql(&statement);
        }
        println!("search: PostgreSQL filled in {:.0} s", began.elapsed().as_secs_f64());
        searches("PostgreSQL", archive.as_ref(), count).await
    });
    table += "\n| on that PostgreSQL | messages/s | CPU-s per 1,000: arkki | broker | database | peak RSS, MB |\n|---|---|---|---|---|---|\n";
    table += &runtime.block_on(mixed(gateway, messages, octets));
    table
}

/// The rows of `count` documents: a client has twenty, a case five, one in ten is another's second version, dates lie over ten years.
pub fn statements(count: u32, database: &str) -> Vec<String> {
    let sqlite = database == "sqlite";
    let hex = |octets: &[u8]| {
        let digits: String = octets.iter().map(|b| format!("{b:02x}")).collect();
        if sqlite { format!("x'{digits}'") } else { format!("'\\x{digits}'::bytea") }
    };
    let (client, date, numbers) = if sqlite {
        (
            format!("CAST(printf('%032d', n / {OF_CLIENT}) AS BLOB)"),
            "CAST(strftime('%Y%m%d', '2016-01-01', '+' || (n * 7919 % 3650) || ' days') AS INTEGER)".to_owned(),
            format!("(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {count}) SELECT n FROM r) g"),
        )
    } else {
        (
            format!("convert_to(lpad((n / {OF_CLIENT})::text, 32, '0'), 'UTF8')"),
            "to_char(date '2016-01-01' + (n * 7919 % 3650)::int, 'YYYYMMDD')::bigint".to_owned(),
            format!("generate_series(1::bigint, {count}) AS g(n)"),
        )
    };
    let (sha, octets) = (hex(&sha256(OCTETS).0), hex(OCTETS));
    vec![
        format!(
            "INSERT INTO document (id, set_id, version, doc_group, client, controller, service_task, case_id, relation_id, general_type, specific_type, authored, authored_date, \
             language, received_sha, archived_sha, splice_start, splice_len, position, sender, archived_at) \
             SELECT '{NODE}.95.2016.' || n, '{NODE}.95.2016.' || CASE WHEN n % 10 = 0 THEN n - 1 ELSE n END, CASE WHEN n % 10 = 0 THEN 2 ELSE 1 END, 5, {client}, '{NODE}.10.0', \
             '2' || (3 + n % 4), '{NODE}.96.2016.' || (n / {OF_CASE}), '{NODE}.97.2016.' || (n / {OF_CLIENT}), '15', '1500' || (n % 9), n * 1000000, {date}, 'fi', {sha}, {sha}, 0, 0, \
             1000000000 + n, 'bench', 0 FROM {numbers}"
        ),
        format!("INSERT INTO document_octets (document_id, octets) SELECT '{NODE}.95.2016.' || n, {octets} FROM {numbers}"),
        if sqlite { "ANALYZE".to_owned() } else { "VACUUM ANALYZE".to_owned() },
    ]
}

async fn searches(name: &str, archive: &dyn Archive, count: u32) -> String {
    let own = Scope::of(Registers::new(vec![Register::Organisation(oid(NODE))]));
    let pick = |n: u32| u32::try_from(u64::from(n) * 2_654_435_761 % u64::from(count.max(1))).expect("below the count") + 1;
    let client = |n: u32| {
        let mut digest = [0; 32];
        digest.copy_from_slice(format!("{:032}", pick(n) / OF_CLIENT).as_bytes());
        Criteria { client: Some(Digest(digest)), ..Criteria::default() }
    };
    let day = |year| Some(Date { year, month: 1, day: 1 });
    let case =
        |n: u32| Criteria { case_id: Some(oid(&format!("{NODE}.96.2016.{}", pick(n) / OF_CASE))), from: day(2018), to: day(2024), ..Criteria::default() };
    let year = |n: u32| Criteria {
        from: day(2017 + u16::try_from(n % 8).expect("eight")),
        to: day(2018 + u16::try_from(n % 8).expect("eight")),
        ..Criteria::default()
    };
    let mut rows = String::new();
    for (what, times, criteria) in
        [("by client", TIMES, &client as &dyn Fn(u32) -> Criteria), ("by case and date", TIMES, &case), ("too many: a year of the whole register", 40, &year)]
    {
        let mut took = Vec::new();
        let mut hits = 0;
        for n in 0..times {
            let criteria = criteria(n);
            let began = Instant::now();
            let found = archive.search(&criteria, &own, limits::QUERY_HITS).await.expect("an answer");
            took.push(began.elapsed());
            hits += if let Found::Hits(hits) = found { hits.len() } else { 0 };
        }
        assert!(what.starts_with("too many") || hits > 0, "{name} {what} finds nothing");
        rows += &row(&format!("{name}: {what}, {:.1} hits", hits as f64 / f64::from(times)), took);
    }
    let mut took = Vec::new();
    for n in 0..TIMES {
        let id = [oid(&format!("{NODE}.95.2016.{}", pick(n)))];
        let began = Instant::now();
        let fetched = archive.fetch(&id, &own, limits::ANSWER_OCTETS).await.expect("an answer");
        took.push(began.elapsed());
        assert!(matches!(fetched, Fetched::Octets(octets) if octets.first().is_some_and(Option::is_some)), "{name}: not what was archived");
    }
    rows + &row(&format!("{name}: fetch by id"), took)
}

fn row(what: &str, mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
    format!("| {what} | {:.2} | {:.2} | {:.2} |\n", at(50), at(99), at(100))
}

/// Documents with a query after every four, about clients of the full archive: their answers must all be AA.
async fn mixed(gateway: &Gateway, count: usize, octets: usize) -> String {
    let client = sender::client(&gateway.vhost.amqp_url, REPLIES).await;
    let mut documents = sender::documents(7, octets);
    let messages = (0..count).map(|n| if n % QUERY_EACH == QUERY_EACH - 1 { query(n) } else { documents.next().expect("no end of documents") });
    let client_ref = &client;
    futures_util::stream::iter(messages)
        .map(|message| async move { client_ref.send(sender::outgoing(message, REPLIES)).await.expect("the broker takes it") })
        .buffer_unordered(256)
        .collect::<Vec<_>>()
        .await;
    gateway.emptied("**arkki serve**, one in five a query", count, client, REPLIES).await
}

fn query(n: usize) -> Message {
    let case = format!("{NODE}.96.2016.{}", n * 37 % 1000);
    let spec = QuerySpec::metadata(n as u64, vec![Parameter::ids("caseId", &[&case]), Parameter::authored(Some("2016"), Some("2026"))]);
    Message { id: format!("query-{n}"), octets: spec.render(), reply: true, expected: Expected::Accepted { document: String::new() } }
}

fn oid(text: &str) -> Oid {
    Oid::parse(text).expect("an OID")
}
