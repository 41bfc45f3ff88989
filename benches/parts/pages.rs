//! The console's pages over a full archive: a million documents' facts beside the accepted samples, each page asked for as a browser asks, one after another.
//! Each look at a document is also a commit of its own, with its ledger entry and its access-log rows: the time of a page holds that too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::gateway::Gateway;
use crate::kit::process::Process;
use crate::{kit, search};

/// How often each page is asked for: all pages together stay below what a session may look at in a minute.
const TIMES: u32 = 50;
const SOON: Duration = Duration::from_secs(60);
/// Of `samples/accepted`.
const STRUCTURED: &str = "1.2.246.10.99999992.95.2026.1.4";
const PDF: &str = "1.2.246.10.99999992.95.2026.1.7";
const CASE: [&str; 2] = ["1.2.246.10.99999992.95.2026.1.20", "1.2.246.10.99999992.95.2026.1.2"];

pub fn run(gateway: &Gateway) -> String {
    let count = std::env::var("ARKKI_BENCH_DOCUMENTS").ok().map_or(search::DOCUMENTS, |n| n.parse().expect("ARKKI_BENCH_DOCUMENTS is a number"));
    let folder = kit::temp_dir();
    let file = folder.path().join("archive.sqlite");
    let url = format!("sqlite://{}", file.display());
    let log = folder.path().join("log");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let wait = |word: &str| assert!(kit::wait_until_blocking(SOON, || said().contains(word)), "{}", said());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        drop(store::open(&url, "bench", Arc::new(SystemEntropy::open().expect("entropy"))).await.expect("a file"));
        let mut line = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.expect("the same file");
        for statement in search::statements(count, "sqlite") {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut line).await.expect("generated rows");
        }
        line.close().await.expect("a clean end");
    });
    let serve = Process::start(gateway.command(&["serve"]).env("ARKKI_ARCHIVE_URL", &url), &log);
    wait("\"ready\"");
    let mut samples: Vec<_> = std::fs::read_dir(kit::repository().join("samples/accepted")).expect("samples").map(|e| e.expect("a file").path()).collect();
    samples.sort();
    kit::run_command(gateway.command(&["send", "--timeout", "60"]).args(&samples).env("ARKKI_ARCHIVE_URL", &url), b"").must();
    let console = Process::start(gateway.command(&["console"]).env("ARKKI_ARCHIVE_URL", &url), &log);
    wait("/enter/");
    let link = said().lines().find(|line| line.contains("/enter/")).expect("a link").to_owned();
    let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false).proxy(None).build().into();
    let entered = agent.get(&link).call().expect("a session");
    let cookie = entered.headers()["set-cookie"].to_str().expect("a cookie").split(';').next().expect("a value").to_owned();
    let origin = link.split("/enter/").next().expect("an address");
    let mut table = format!("| page, {count} archived documents (SQLite) | p50, ms | p99 | most | KB |\n|---|---|---|---|---|\n");
    for (name, path) in [
        ("first page", "/".to_owned()),
        ("search form", "/documents".to_owned()),
        ("a case's documents", "/documents?case=1.2.246.10.99999992.96.2016.777".to_owned()),
        ("a document, XHTML", format!("/documents/{STRUCTURED}")),
        ("its body", format!("/documents/{STRUCTURED}/body")),
        ("its structured form", format!("/documents/{STRUCTURED}/form")),
        ("its signatures explained", format!("/documents/{STRUCTURED}/signature")),
        ("a document, PDF", format!("/documents/{PDF}")),
        ("two versions compared", format!("/documents/{}/compare?with={}", CASE[0], CASE[1])),
        ("an invalidation begun", format!("/documents/{PDF}/invalidate")),
    ] {
        let (mut took, mut octets) = (Vec::new(), 0);
        for _ in 0..TIMES {
            let began = Instant::now();
            let mut answer = agent.get(format!("{origin}{path}")).header("Cookie", &cookie).call().unwrap_or_else(|e| panic!("{path}: {e}"));
            octets = answer.body_mut().read_to_vec().expect("a page").len();
            took.push(began.elapsed());
        }
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
        table += &format!("| {name} | {:.1} | {:.1} | {:.1} | {:.1} |\n", at(50), at(99), at(100), octets as f64 / 1000.0);
    }
    drop((console, serve));
    table
}
