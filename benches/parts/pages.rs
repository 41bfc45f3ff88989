//! The console's pages over a full archive of each database: a million documents' facts and a million messages beside the accepted samples, each page asked for as
//! a browser asks, one after another. Each look at a document is also a commit of its own, with its ledger entry and its access-log rows: the time of a page holds
//! that too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::gateway::Gateway;
use crate::kit::process::Process;
use crate::{kit, messages, search};

/// How often each page is asked for. A session may look at so many pages a minute only: each page has a session of its own.
const TIMES: u32 = 200;
const SOON: Duration = Duration::from_secs(60);
/// Of `samples/accepted`.
const STRUCTURED: &str = "1.2.246.10.99999992.95.2026.1.4";
const PDF: &str = "1.2.246.10.99999992.95.2026.1.7";
const CASE: [&str; 2] = ["1.2.246.10.99999992.95.2026.1.20", "1.2.246.10.99999992.95.2026.1.2"];

pub fn run(gateway: &Gateway) -> String {
    let count = std::env::var("ARKKI_BENCH_DOCUMENTS").ok().map_or(search::DOCUMENTS, |n| n.parse().expect("ARKKI_BENCH_DOCUMENTS is a number"));
    let folder = kit::temp_dir();
    let file = folder.path().join("archive.sqlite");
    let mut table = format!("| page, {count} archived documents and messages | p50, ms | p99 | most | KB |\n|---|---|---|---|---|\n");
    let url = format!("sqlite://{}", file.display());
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        drop(store::open(&url, "bench", Arc::new(SystemEntropy::open().expect("entropy"))).await.expect("a file"));
        let mut line = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.expect("the same file");
        for statement in filled(count, "sqlite") {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut line).await.expect("generated rows");
        }
        line.close().await.expect("a clean end");
    });
    table += &pages(gateway, "SQLite", &url);
    let database = gateway.postgres.database_blocking();
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        drop(store::open(&database.url, "bench", Arc::new(SystemEntropy::open().expect("entropy"))).await.expect("a database"));
    });
    for statement in filled(count, "postgres") {
        gateway.postgres.sql(&database.name, &statement);
    }
    table + &pages(gateway, "PostgreSQL", &database.url)
}

/// Documents' positions lie far behind those of the messages.
fn filled(count: u32, dialect: &str) -> Vec<String> {
    let mut statements = search::statements(count, dialect);
    statements.extend(messages::statements(u64::from(count), dialect == "sqlite"));
    statements
}

/// Every page, with the program's own `serve` and `console` on that archive.
fn pages(gateway: &Gateway, name: &str, url: &str) -> String {
    let folder = kit::temp_dir();
    let log = folder.path().join("log");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let serve = Process::start(gateway.command(&["serve"]).env("ARKKI_ARCHIVE_URL", url), &log);
    assert!(kit::wait_until_blocking(SOON, || said().contains("\"ready\"")), "{}", said());
    let mut samples: Vec<_> = std::fs::read_dir(kit::repository().join("samples/accepted")).expect("samples").map(|e| e.expect("a file").path()).collect();
    samples.sort();
    kit::run_command(gateway.command(&["send", "--timeout", "60"]).args(&samples).env("ARKKI_ARCHIVE_URL", url), b"").must();
    let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false).proxy(None).build().into();
    let mut table = String::new();
    let mut message = None;
    for (page, path) in [
        ("the board", "/".to_owned()),
        ("what doctor says", "/doctor".to_owned()),
        ("the newest messages", "/messages".to_owned()),
        ("refused messages of a code", "/messages?state=refused&code=E303".to_owned()),
        ("a message", "(of the list)".to_owned()),
        ("templates and codes", "/rules".to_owned()),
        ("refusals grouped", "/refusals".to_owned()),
        ("search form", "/documents".to_owned()),
        ("a case's documents", "/documents?case=1.2.246.10.99999992.96.2016.777".to_owned()),
        ("a document, XHTML", format!("/documents/{STRUCTURED}")),
        ("its body", format!("/documents/{STRUCTURED}/body")),
        ("its structured form", format!("/documents/{STRUCTURED}/form")),
        ("its signatures explained", format!("/documents/{STRUCTURED}/signature")),
        ("a document, PDF", format!("/documents/{PDF}")),
        ("two versions compared", format!("/documents/{}/compare?with={}", CASE[0], CASE[1])),
        ("an invalidation begun", format!("/documents/{PDF}/invalidate")),
        ("the officer's page", "/officer".to_owned()),
        ("notices", "/officer/notices".to_owned()),
    ] {
        let own = folder.path().join(page.replace([' ', ','], "-"));
        let console = Process::start(gateway.command(&["console"]).env("ARKKI_ARCHIVE_URL", url), &own);
        let link = || std::fs::read_to_string(&own).unwrap_or_default().lines().find(|line| line.contains("/enter/")).map(str::to_owned);
        assert!(kit::wait_until_blocking(SOON, || link().is_some()), "no link");
        let link = link().expect("a link");
        let entered = agent.get(&link).call().expect("a session");
        let cookie = entered.headers()["set-cookie"].to_str().expect("a cookie").split(';').next().expect("a value").to_owned();
        let origin = link.split("/enter/").next().expect("an address").to_owned();
        let get = |path: &str| agent.get(format!("{origin}{path}")).header("Cookie", &cookie).call();
        let path = if path.starts_with('/') { path } else { message.clone().expect("the list came before") };
        let (mut took, mut octets) = (Vec::new(), 0);
        for _ in 0..TIMES {
            let began = Instant::now();
            let mut answer = get(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
            let body = answer.body_mut().read_to_vec().expect("a page");
            took.push(began.elapsed());
            octets = body.len();
            if path == "/messages" && message.is_none() {
                let text = String::from_utf8_lossy(&body);
                message = text.split("href=\"/messages/").nth(1).and_then(|rest| rest.split('"').next()).map(|name| format!("/messages/{name}"));
            }
        }
        drop(console);
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() * percent).div_ceil(100).saturating_sub(1)].as_secs_f64() * 1000.0;
        table += &format!("| {name}: {page} | {:.1} | {:.1} | {:.1} | {:.1} |\n", at(50), at(99), at(100), octets as f64 / 1000.0);
    }
    drop(serve);
    table
}
