//! The logs on the whole road: what is sealed opens in exports and nowhere else, refused queries leave rows, a log that cannot be written lets nothing out,
//! and an export is logged before it is given.

use std::process::Command;
use std::time::Duration;

use arkki::crypto::sealed::{Sealer, Sort};
use arkki::crypto::{hmac_sha256, sha256};
use arkki::domain::digest::Digest;
use arkki::generate::person::Person;
use arkki::generate::query::{Parameter, QuerySpec};
use serde_json::Value;

use super::{Place, REPLY, text};
use crate::kit::{self, Output};

const CONTROLLER: &str = "1.2.246.10.99999992.10.0";

fn arkki(place: &Place, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(kit::arkki());
    command.arg("--config").arg(place.path("arkki.toml")).arg("log").args(args).env("USER", "tester").env_remove("ARKKI_CLIENT");
    kit::run_command(&mut command, input.as_bytes())
}

/// What docs/logs.md shows is written by a run of these tests, into the folder that ARKKI_WRITE_ANSWERS names.
fn kept(name: &str, written: &str) {
    if let Some(folder) = std::env::var_os("ARKKI_WRITE_ANSWERS") {
        std::fs::write(std::path::Path::new(&folder).join(name), written).unwrap();
    }
}

fn by_client() -> QuerySpec {
    QuerySpec::metadata(1, vec![Parameter::client(&Person::canary().hetu)])
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Every octet of the database and of what lies beside it.
fn octets(place: &Place) -> Vec<u8> {
    let files = ["archive.sqlite", "archive.sqlite-wal"].map(|name| place.path(name));
    files.iter().filter_map(|file| std::fs::read(file).ok()).flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn persons_stand_in_the_logs_sealed() {
    let mut place = Place::open(|_| ()).await;
    let named = "<assignedPerson>\n        <assignedPerson><name><given>Testi-Kysyjä</given> <family>Nimetön</family></name></assignedPerson>";
    let query = text(&by_client().render()).replacen("<assignedPerson>", named, 1);
    assert!(text(&place.send(query.as_bytes()).await).contains("\"AA\""));
    let hetu = Person::canary().hetu;
    // Of stored documents, of the search and of what it showed: each has its client, sealed, and the seal is of the client that the hash names.
    let sealer = Sealer::new(&[7; 32]).unwrap();
    let id = [b"1.2.246.21".as_slice(), &[0], hetu.as_bytes()].concat();
    let hash = hmac_sha256(&[7; 32], &id).unwrap();
    let rows = place.sql("SELECT hex(client) || ' ' || hex(client_sealed) FROM access_log WHERE client_sealed IS NOT NULL").await;
    assert_eq!(place.sql("SELECT count(*) FROM access_log WHERE client IS NOT NULL AND client_sealed IS NULL").await, ["0"]);
    let mut of_canary = 0;
    for row in &rows {
        let (client, sealed) = row.split_once(' ').unwrap();
        let opened = sealer.open(Sort::Client, &unhex(sealed)).unwrap();
        let client = Digest::from_slice(&unhex(client)).unwrap();
        assert_eq!(hmac_sha256(&[7; 32], &opened).unwrap(), client, "the seal is of the client that the hash names");
        if client == hash {
            assert_eq!(opened, id);
            of_canary += 1;
        }
    }
    let documents: usize = place.sql("SELECT count(*) FROM document").await[0].parse().unwrap();
    assert!(rows.len() >= documents + 11 && of_canary > 11, "{} rows, {of_canary} of this client, {documents} documents", rows.len());
    // The person who asked: id and name.
    let person = place.sql("SELECT hex(person_sealed) FROM access_log WHERE action = 'search'").await;
    let person = text(&sealer.open(Sort::Person, &unhex(&person[0])).unwrap());
    let parts: Vec<&str> = person.split('\0').collect();
    assert_eq!(parts[2..], ["Testi-Kysyjä Nimetön"], "root, extension and name: {person:?}");
    // In clear it stands in no column of the log, and the name, which no document bears, nowhere in the database.
    let count = |octets: &[u8], word: &[u8]| octets.windows(word.len()).filter(|window| *window == word).count();
    let after = octets(&place);
    for column in ["actor", "controller", "document_id", "organisation", "detail", "query_id", "client_sealed", "person_sealed"] {
        let found = place.sql(&format!("SELECT count(*) FROM access_log WHERE instr(CAST({column} AS BLOB), CAST('{hetu}' AS BLOB)) > 0")).await;
        assert_eq!(found, ["0"], "{column}");
    }
    assert!(["Nimetön", "Testi-Kysyjä"].iter().all(|name| count(&after, name.as_bytes()) == 0), "the name of who asked stands nowhere in clear");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_query_leaves_its_row_and_its_repeat_looks_at_nothing() {
    let mut place = Place::open(|_| ()).await;
    let mut refused = 0;
    for (name, query) in super::samples("refused").into_iter().filter(|(name, _)| name.starts_with("E83")) {
        place.send(&query).await;
        refused += 1;
        let code = &name[..4];
        let row = place.sql("SELECT action || '|' || detail || '|' || coalesce(service_request, '') FROM access_log ORDER BY id DESC LIMIT 1").await;
        assert!(row[0].starts_with("search|") && row[0].contains(code), "{name}: {row:?}");
        let sealed = "SELECT count(*) FROM ledger WHERE log_rows = 1 AND kind IN (2, 5) AND code = ";
        assert!(place.sql(&format!("{sealed}'{code}'")).await[0].parse::<u32>().unwrap() > 0, "{name}: its entry hashes the row");
    }
    assert!(refused > 3);
    let rows = "SELECT count(*) FROM access_log WHERE action = 'search'";
    assert_eq!(place.sql(rows).await, [refused.to_string()]);
    // E835 says who asked in vain, and for whom.
    let who = "SELECT count(*) FROM access_log WHERE detail LIKE '%E835' AND organisation IS NOT NULL AND client IS NOT NULL AND client_sealed IS NOT NULL";
    assert!(place.sql(who).await[0].parse::<u32>().unwrap() > 0);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_no_answer() {
    let mut place = Place::open(|_| ()).await;
    let query = by_client().render();
    for table in ["access_log", "disclosure_log"] {
        let entries = place.sql("SELECT count(*) FROM ledger").await;
        place.sql(&format!("ALTER TABLE {table} RENAME TO away")).await;
        if table == "disclosure_log" {
            // Without a row to write the table is not missed; so the column that every row of the other log needs is away instead.
            place.sql("ALTER TABLE away RENAME TO disclosure_log").await;
            place.sql("ALTER TABLE access_log RENAME COLUMN actor TO away").await;
        }
        let id = place.put(&query);
        let early = place.broker.take(REPLY, Duration::from_secs(3)).await;
        assert!(early.is_none(), "nothing leaves while nothing can be logged");
        assert_eq!(place.sql("SELECT count(*) FROM ledger").await, entries);
        if table == "disclosure_log" {
            place.sql("ALTER TABLE access_log RENAME COLUMN away TO actor").await;
        } else {
            place.sql("ALTER TABLE away RENAME TO access_log").await;
        }
        // The message was kept, and is answered when the log is there again.
        let (correlation, answer) = place.take().await;
        assert_eq!(correlation, id);
        assert!(text(&answer).contains("\"AA\""));
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_show_what_was_logged_and_are_logged_themselves() {
    let mut place = Place::open(|_| ()).await;
    place.send(&by_client().render()).await;
    let hetu = Person::canary().hetu;
    let today = place.sql("SELECT date(max(at) / 1000000, 'unixepoch', '+2 hours') FROM access_log").await.remove(0);
    let month = ["export", "--controller", CONTROLLER, "--from", "2026-01-01", "--to", &today];
    let file = |name: &str| place.path(name).display().to_string();
    let export = |more: &[&str]| arkki(&place, &[&month[..], more].concat(), "");
    // A table for programs.
    let csv = file("log.csv");
    let said = export(&["-o", &csv]).must();
    let table = std::fs::read_to_string(&csv).unwrap();
    assert!(said.contains(&sha256(table.as_bytes()).to_hex()), "{said}");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("log,position,at,") && lines.len() > 12, "{table}");
    assert!(table.contains(&hetu), "the export opens what is sealed");
    assert_eq!(std::fs::metadata(&csv).unwrap().permissions(), std::os::unix::fs::PermissionsExt::from_mode(0o100_600));
    kept("log.csv", &table.replace(&csv, "november.csv"));
    kept("said.txt", &said.replace(&csv, "november.csv"));
    // Logged: the entry, its row, and the hash of what was given in the stored description.
    let row = place.sql("SELECT action || '|' || actor || '|' || controller || '|' || detail FROM access_log ORDER BY id DESC LIMIT 1").await;
    assert!(row[0].starts_with(&format!("export|operator:tester|{CONTROLLER}|access,disclosure ")), "{row:?}");
    assert_eq!(place.sql("SELECT kind || ' ' || log_rows FROM ledger ORDER BY position DESC LIMIT 1").await, ["8 1"]);
    let described = place.sql("SELECT CAST(answer AS TEXT) FROM inbox ORDER BY position DESC LIMIT 1").await;
    assert!(described[0].contains(&sha256(table.as_bytes()).to_hex()), "{described:?}");
    // The next export has the one before it.
    let value = export(&["--format", "json"]).must();
    kept("log.json", &value);
    let value: Value = serde_json::from_str(&value).unwrap();
    let access = value["access"].as_array().unwrap();
    assert!(access.iter().any(|row| row["action"] == "export") && value["disclosure"].as_array().unwrap().is_empty(), "{value}");
    assert_eq!(value["rows"].as_u64().unwrap(), access.len() as u64);
    let shown: Vec<&Value> = access.iter().filter(|row| row["action"] == "show").collect();
    assert!(!shown.is_empty() && shown.iter().all(|row| row["client"] == hetu.as_str() && row["by_person"].is_string()), "{shown:?}");
    let only: Value = serde_json::from_str(&export(&["--json", "--log", "disclosure"]).must()).unwrap();
    assert!(only["access"].is_null() && only["disclosure"].is_array(), "{only}");
    // A page for people, in each language, well-formed as XML but for its doctype.
    for (language, title) in [("fi", "Lokiraportti"), ("sv", "Loggrapport"), ("en", "Log report")] {
        let page = export(&["--format", "html", "--language", language]).must();
        assert!(
            page.contains(title) && page.contains(&format!("lang=\"{language}\"")) && !page.contains("log-col-") && !page.contains("log-action-"),
            "{page}"
        );
        assert!(!page.contains("<script") && page.contains("@page"));
        kept(&format!("log-{language}.html"), &page);
    }
    // Nothing of another register.
    let other: Value = serde_json::from_str(
        &arkki(&place, &["export", "--controller", "1.2.246.10.99999984.10.0", "--from", "2026-01-01", "--to", &today, "--format", "json"], "").must(),
    )
    .unwrap();
    assert!(other["access"].as_array().unwrap().iter().all(|row| row["controller"] == "1.2.246.10.99999984.10.0"), "{other}");
    // A dash is standard output, as everywhere.
    let out = export(&["-o", "-"]).must();
    assert!(out.starts_with("log,position,at"), "{out}");
    assert!(!kit::repository().join("-").exists());
    // A file that is there is not written over, and then nothing was given and nothing is logged.
    let count = "SELECT count(*) FROM ledger WHERE kind = 8";
    let exports = place.sql(count).await;
    let again = export(&["-o", &csv]);
    assert!(!again.ok() && again.errors().contains("log.csv"), "{}", again.errors());
    assert_eq!(place.sql(count).await, exports);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_its_own_two_years_and_more_with_a_reason() {
    let mut place = Place::open(|_| ()).await;
    place.send(&by_client().render()).await;
    let hetu = Person::canary().hetu;
    let client = |more: &[&str]| arkki(&place, &[&["client", "--client", "-", "--format", "json"], more].concat(), &hetu);
    let value: Value = serde_json::from_str(&client(&[]).must()).unwrap();
    let rows = value["access"].as_array().unwrap();
    assert!(rows.len() > 11 && rows.iter().all(|row| row["client"] == hetu.as_str()), "{value}");
    assert!(value["export"]["client"] == true && !value["export"].to_string().contains(&hetu));
    let row = place.sql("SELECT action || ' ' || length(client) || ' ' || (client_sealed IS NOT NULL) FROM access_log ORDER BY id DESC LIMIT 1").await;
    assert_eq!(row, ["export-client 32 1"]);
    // What is older is there only with a reason, and the reason is kept.
    place.sql("UPDATE access_log SET at = at - 3 * 366 * 86400000000 WHERE action = 'search'").await;
    let searches = |value: &Value| value["access"].as_array().unwrap().iter().filter(|row| row["action"] == "search").count();
    assert_eq!(searches(&serde_json::from_str(&client(&[]).must()).unwrap()), 0);
    assert!(!client(&["--older"]).ok(), "without a reason");
    let named = client(&["--older", "--reason", &format!("asked by {hetu}")]);
    assert!(!named.ok() && named.errors().contains("identity code") && !named.errors().contains(&hetu), "{}", named.errors());
    let older: Value = serde_json::from_str(&client(&["--older", "--reason", "court order 26/1234"]).must()).unwrap();
    assert_eq!(searches(&older), 1);
    assert!(place.sql("SELECT detail FROM access_log ORDER BY id DESC LIMIT 1").await[0].ends_with("; court order 26/1234"));
    // Nobody, a wrong id, and the environment instead of standard input.
    assert!(arkki(&place, &["client"], "").errors().contains("whose?"));
    let wrong = arkki(&place, &["client", "--client", "-"], "010190-999X");
    assert!(!wrong.ok() && !wrong.errors().contains("999X"), "{}", wrong.errors());
    let mut command = Command::new(kit::arkki());
    command.arg("--config").arg(place.path("arkki.toml")).args(["log", "client", "--json"]).env("USER", "tester").env("ARKKI_CLIENT", &hetu);
    let value: Value = serde_json::from_str(&kit::run_command(&mut command, b"").must()).unwrap();
    assert!(value["access"].as_array().unwrap().len() > 10, "{value}");
    place.close().await;
}
