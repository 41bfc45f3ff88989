//! A client asks who used the own data: the officer's file, as the command gives it, of the own organisation's register alone, logged before it is given.

use sqlx::Connection as _;

use super::PEOPLE;
use crate::console::browser::{Browser, Terminal};
use crate::kit;
use crate::kit::process::Signal;
use crate::road::{Gateway, files};

const ASK: &str = "/officer/client";
const HETU: &str = "060666-966W";
const OWN: &str = "1.2.246.10.99999992.10.0";
const OTHER: &str = "1.2.246.10.99999984.10.0";

/// The form as a person fills it, with some of it otherwise.
fn form<'a>(csrf: &'a str, otherwise: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("csrf", csrf),
        ("client", HETU),
        ("reason", "Asked at the desk, letter 7"),
        ("client_log", "both"),
        ("client_format", "csv"),
        ("older", "yes"),
        ("confirm", "yes"),
    ];
    for (name, value) in otherwise {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_who_asks_is_given_the_own_logs_for_a_reason_that_is_logged_first() {
    let role = |role: &str, organisation: &str| {
        format!("[console]\nlink = \"rolf\"\n[people.rolf]\nname = \"Rolf\"\norganisation = \"{organisation}\"\nroles = [\"{role}\"]\n{PEOPLE}")
    };
    let officer = role("data-protection-officer", OWN);
    let gateway = Gateway::new(None, &officer).await;
    let mut serve = gateway.serve(&[]);
    gateway.send(&files(&kit::repository().join("samples/accepted")));
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    let page = browser.get("/officer?lang=en");
    assert!(page.body.contains("One client&#39;s logs as a file") || page.body.contains("One client's logs as a file"), "{}", page.body);
    let csrf = page.field("csrf");
    // What is missing or wrong gives nothing, and leaves no trace but a page.
    let secret = format!("she is {HETU}, she says");
    for otherwise in [
        ("confirm", ""),
        ("reason", " "),
        ("reason", secret.as_str()),
        ("client", "060666-966X"),
        ("client", ""),
        ("client_format", "pdf"),
        ("client_log", "x"),
    ] {
        let refused = browser.post(ASK, &form(&csrf, &[otherwise]));
        assert!(refused.status == 422 && refused.body.contains("role=\"alert\"") && refused.header("content-disposition").is_none(), "{otherwise:?}");
    }
    assert_eq!(browser.post(ASK, &form("forged", &[])).status, 403);
    assert_eq!(browser.get(ASK).status, 405);
    // No log, nothing given.
    let mut line = sqlx::SqliteConnection::connect(&gateway.archive_url).await.unwrap();
    sqlx::query("CREATE TRIGGER full BEFORE INSERT ON access_log BEGIN SELECT RAISE(ABORT, 'full'); END").execute(&mut line).await.unwrap();
    let unlogged = browser.post(ASK, &form(&csrf, &[]));
    assert!(unlogged.status == 503 && unlogged.header("content-disposition").is_none() && !unlogged.body.contains("document,"), "{}", unlogged.status);
    sqlx::query("DROP TRIGGER full").execute(&mut line).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM access_log WHERE action = 'export-client'").fetch_one(&mut line).await.unwrap();
    assert_eq!(rows, 0);
    line.close().await.unwrap();

    // The file is what the command writes.
    let table = browser.post(ASK, &form(&csrf, &[]));
    assert_eq!(table.status, 200, "{}", table.body);
    let name = table.header("content-disposition").unwrap();
    assert!(name.contains("attachment; filename=\"arkki-log-client-20") && name.ends_with(".csv\"") && !name.contains(HETU), "{name}");
    let page = browser.post(ASK, &form(&csrf, &[("client_format", "html"), ("client_log", "access")]));
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) && page.body.contains(HETU), "{}", page.head);
    let id = gateway.folder.path().join("id.txt");
    std::fs::write(&id, HETU).unwrap();
    let command = ["log", "client", "--client", id.to_str().unwrap(), "--controller", OWN, "--older", "--reason", "to compare"];
    let mut expected: Vec<String> = gateway.arkki(&command).must().lines().map(str::to_owned).collect();
    // What the console gave meanwhile is in the later one.
    let of_console = |line: &String| line.contains("console:rolf") && line.contains("export-client") && line.contains("letter 7");
    assert_eq!(expected.iter().filter(|line| of_console(line)).count(), 2, "{expected:#?}");
    expected.retain(|line| !of_console(line));
    let given: Vec<String> = table.body.lines().map(str::to_owned).collect();
    assert_eq!(given, expected);
    assert!(given.len() > 5, "{given:#?}");
    let rows: usize = table.header("x-arkki-rows").unwrap().parse().unwrap();
    assert_eq!(rows + 1, given.len());
    terminal.end();
    assert!(!terminal.said().contains(HETU) && !gateway.log_text().contains(HETU));

    // An officer of another organisation is given that one's register, in which the client is nobody; who is no officer is given nothing.
    let config = gateway.folder.path().join("arkki.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    for (role, rows) in
        [(role("data-protection-officer", OTHER), Some("0")), (role("operator", OWN), None), (role("archivist", OWN), None), (role("administrator", OWN), None)]
    {
        std::fs::write(&config, written.replace(&officer, &role)).unwrap();
        let mut terminal = Terminal::open(&gateway);
        let mut browser = Browser::enter(&terminal.link());
        let csrf = browser.get("/").field("csrf");
        let answer = browser.post(ASK, &form(&csrf, &[]));
        assert_eq!((answer.status, answer.header("x-arkki-rows")), (if rows.is_some() { 200 } else { 403 }, rows), "{role}");
        terminal.end();
    }
    serve.signal(Signal::Term);
    assert!(serve.wait(super::SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
    assert!(gateway.arkki(&["audit"]).ok(), "what the console wrote is in order");
}
