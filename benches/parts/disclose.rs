//! Disclosure: decisions a second, and fetches of another county by permission, filtered by denials, as the road makes them: the client's wills, the link, the
//! search with its scope, each hit decided, the octets; on each database.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::codes::disclosure::DisclosureRules;
use arkki::codes::source;
use arkki::domain::digest::Digest;
use arkki::domain::disclosure::Situation;
use arkki::domain::limits;
use arkki::domain::oid::Oid;
use arkki::domain::query::{Basis, Criteria, Fetched, Found, Hit, Register, Registers};
use arkki::domain::time::Moment;
use arkki::domain::will::{Denied, Edition, Wills};
use arkki::ports::archive::Archive;
use arkki::rules::disclose::{self, Standing};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::gateway::Gateway;
use crate::{cpu, kit, search};

/// Documents in the archive.
const DOCUMENTS: u32 = 200_000;
/// Fetches measured.
const FETCHES: u32 = 1_000;

pub fn run(gateway: &Gateway) -> String {
    let rules = DisclosureRules::load(&source::embedded()).expect("the table");
    let situations: Vec<Situation> = (0..Situation::count()).filter_map(Situation::nth).collect();
    let best = (0..5)
        .map(|_| {
            let began = cpu::of_this_thread();
            for situation in &situations {
                black_box(disclose::decide(black_box(situation), rules.table()));
            }
            cpu::of_this_thread() - began
        })
        .min()
        .expect("rounds");
    let each = best as f64 / situations.len() as f64;
    let mut table = format!("| | |\n|---|---|\n| decisions a second, one thread | {:.1} million ({each:.0} ns each) |\n", 1e3 / each);
    table += &format!("\n| {FETCHES} filtered fetches, {DOCUMENTS} archived documents | p50, ms | p99 | most |\n|---|---|---|---|\n");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = kit::temp_dir();
    let file = folder.path().join("archive.sqlite");
    table += &runtime.block_on(async {
        let archive = store::open(&format!("sqlite:{}", file.display()), "bench", Arc::new(SystemEntropy::open().expect("entropy"))).await.expect("a file");
        let mut line = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.expect("the same file");
        for statement in search::statements(DOCUMENTS, "sqlite") {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut line).await.expect("generated rows");
        }
        line.close().await.expect("a clean end");
        fetches("SQLite", archive.as_ref(), &rules).await
    });
    table
        + &runtime.block_on(async {
            let archive = store::open(&gateway.database_url(), "bench", Arc::new(SystemEntropy::open().expect("entropy"))).await.expect("a database");
            for statement in search::statements(DOCUMENTS, "postgres") {
                gateway.sql(&statement);
            }
            fetches("PostgreSQL", archive.as_ref(), &rules).await
        })
}

async fn fetches(name: &str, archive: &dyn Archive, rules: &DisclosureRules) -> String {
    let oid = |text: &str| Oid::parse(text).expect("an OID");
    let other = Registers::new(vec![Register::Organisation(oid("1.2.246.10.99999984"))]);
    let denials = [Denied::Task("24".to_owned()), Denied::Document(oid("1.2.3")), Denied::Controller(oid("1.2.4"))].map(|denied| (denied, oid("1.2.5")));
    let mut took = Vec::new();
    let mut given = 0;
    for n in 0..FETCHES {
        let mut client = [0; 32];
        client.copy_from_slice(format!("{:032}", u64::from(n) * 2_654_435_761 % u64::from(DOCUMENTS / 20)).as_bytes());
        let client = Digest(client);
        let began = Instant::now();
        let said = archive.wills(&client).await.expect("an answer").at(Moment::from_seconds(2_000_000_000), Edition { major: 2, minor: 0 });
        black_box(archive.linked(&client, &other).await.expect("an answer"));
        // The archive of this bench has no wills: what they would be is put in here.
        let wills = Wills { informing: Some(oid("1.2.6")), permission: Some(oid("1.2.7")), denials: denials.to_vec(), ..said };
        let standing = Standing {
            basis: Basis::Permission,
            ground: None,
            has_purpose: true,
            manages: true,
            is_linked: true,
            wills,
            own: other.clone(),
            rights: Registers::new(Vec::new()),
            unmanaged: None,
        };
        let scope = standing.scope(rules.table());
        let criteria = Criteria { client: Some(client), ..Criteria::default() };
        let Found::Hits(hits) = archive.search(&criteria, &scope, limits::QUERY_HITS).await.expect("an answer") else { panic!("too many") };
        let hits: Vec<Hit> = hits.into_iter().filter(|hit| standing.rule(&hit.header, hit.is_valid, rules.table()).is_some()).collect();
        let ids: Vec<Oid> = hits.iter().map(|hit| hit.header.id.clone()).collect();
        let Fetched::Octets(octets) = archive.fetch(&ids, &scope, limits::ANSWER_OCTETS).await.expect("an answer") else { panic!("too large") };
        took.push(began.elapsed());
        assert!(octets.iter().all(Option::is_some), "what was found is given");
        given += octets.len();
    }
    assert!(given > 0, "nothing was given");
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    format!("| {name}, {:.1} documents each | {:.2} | {:.2} | {:.2} |\n", given as f64 / f64::from(FETCHES), ms(at(50)), ms(at(99)), ms(at(100)))
}
