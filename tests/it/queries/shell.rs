//! `arkki query` on the archive of a house that is at work.

use std::process::Command;

use arkki::crypto::sha256;
use arkki::generate::person::Person;
use arkki::generate::samples;
use serde_json::Value;

use super::Place;
use crate::kit::{self, Output};

fn arkki(place: &Place, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(kit::arkki());
    command.arg("--config").arg(place.path("arkki.toml")).arg("query").args(args).env("USER", "tester");
    kit::run_command(&mut command, input.as_bytes())
}

const OWN: [&str; 2] = ["--register", "1.2.246.10.99999992.10.0"];

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_finds_fetches_and_logs() {
    let place = Place::open(|_| ()).await;
    let hetu = Person::canary().hetu;
    let with = |more: &[&str]| [&OWN, more].concat().iter().map(|s| (*s).to_owned()).collect::<Vec<String>>();
    let run = |more: &[&str], input: &str| arkki(&place, &with(more).iter().map(String::as_str).collect::<Vec<_>>(), input);
    let found: Value = serde_json::from_str(&run(&["--client", "-", "--json"], &hetu).must()).unwrap();
    assert_eq!((found["answer"].as_str(), found["total"].as_u64(), found["documents"].as_array().map(Vec::len)), (Some("OK"), Some(8), Some(8)));
    let table = run(&["--client", "-", "--group", "5", "--language", "sv"], &hetu).must();
    assert!(table.starts_with("handling") && table.ends_with("1 handlingar\n"), "{table}");
    // Fetched octets are the archived ones; a file that is there is not written over.
    let id = samples::finnish().client_document.id;
    let file = place.path("fetched.xml").display().to_string();
    run(&["--fetch", &id, "-o", &file, "--purpose", "1"], "").must();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap()) & 0o777, 0o600, "a document is its reader's alone");
    assert_eq!(place.sql("SELECT count(*) FROM access_log WHERE action = 'fetch' AND purpose = '1'").await, ["1"]);
    let archived = place.sql(&format!("SELECT lower(hex(archived_sha)) FROM document WHERE id = '{id}'")).await;
    assert_eq!(archived, [sha256(&std::fs::read(&file).unwrap()).to_hex()]);
    let again = run(&["--fetch", &id, "-o", &file], "");
    assert!(!again.ok() && again.errors().contains("fetched.xml"), "{}", again.errors());
    let out = run(&["--fetch", &id, "-o", "-"], "").must();
    assert_eq!(sha256(out.as_bytes()).to_hex(), archived[0]);
    // Each look is in the access log under the operator's name, and in the ledger.
    let logged = place.sql("SELECT action || ' ' || count(*) FROM access_log WHERE actor = 'operator:tester' GROUP BY action ORDER BY action").await;
    assert_eq!(logged, ["fetch 3", "search 5", "show 9"]);
    assert_eq!(place.sql("SELECT count(*) FROM ledger WHERE kind = 5").await, ["5"]);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_said_and_not_logged() {
    let place = Place::open(|_| ()).await;
    let hetu = Person::canary().hetu;
    for (args, said) in [
        (&["--group", "5"][..], "the criteria do not narrow the search"),
        (&[][..], "no criterion at all"),
        (&["--from", "2026-02-01", "--to", "2026-01-01"][..], "the span begins after its end"),
        (&["--from", "2026-02-31"][..], "a day as YYYY-MM-DD is needed"),
        (&["--case", "x"][..], "not an OID"),
        (&["--state", "lost", "--case", "1.2.3"][..], "valid, invalidated or any"),
        (&["--controller", "1.2.246.10.99999984.10.0", "--case", "1.2.3"][..], "another controller's register"),
        (&["--client", "/no/such/file"][..], "/no/such/file"),
        (&["--purpose", "Matti 080885-902M", "--case", "1.2.3"][..], "--purpose: not a purpose of use that the rules know; there are: 1"),
        (&["--purpose", "2", "--case", "1.2.3"][..], "there are: 1"),
        (&["--fetch", "080885-902M", "-o", "x.xml"][..], "--fetch: not an OID"),
        (&["--language", "sv"][..], "inga sökvillkor"),
        (&["--language", "fi", "--controller", "1.2.246.10.99999984.10.0", "--case", "1.2.3"][..], "toisen rekisterinpitäjän"),
    ] {
        let output = arkki(&place, &[&OWN[..], args].concat(), &hetu);
        assert!(!output.ok() && output.errors().contains(said) && !output.errors().contains("902M"), "{args:?}: {}", output.errors());
    }
    let wrong = arkki(&place, &[&OWN[..], &["--client", "-"]].concat(), "010190-999X");
    assert!(wrong.errors().contains("the check character") && !wrong.errors().contains("999X"), "{}", wrong.errors());
    let wrong = arkki(&place, &[&OWN[..], &["--client", "-", "--language", "fi"]].concat(), "010190-999X");
    assert!(wrong.errors().contains("tarkistusmerkki"), "{}", wrong.errors());
    assert_eq!(place.sql("SELECT count(*) FROM access_log WHERE action = 'search'").await, ["0"]);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_shown_to_its_register_alone_and_each_look_is_logged() {
    let place = Place::open(|_| ()).await;
    let set = samples::finnish().case.set_id;
    let history = |register: &str| {
        let mut command = Command::new(kit::arkki());
        command.arg("--config").arg(place.path("arkki.toml")).args(["history", "--register", register, &set]).env("USER", "tester");
        kit::run_command(&mut command, b"")
    };
    let logged = "SELECT action || ' ' || count(*) FROM access_log WHERE actor = 'operator:tester' GROUP BY action ORDER BY action";
    let other = history("1.2.246.10.99999984.10.0");
    assert_eq!(other.code, Some(1), "{}", other.errors());
    assert!(other.text().contains("Neither a document nor a set") && !other.text().contains("version"), "{}", other.text());
    assert_eq!(place.sql(logged).await, ["search 1"]);
    let own = history(OWN[1]).must();
    let versions = own.lines().filter(|line| line.contains("  version ")).count();
    assert!(versions > 0, "{own}");
    assert_eq!(place.sql(logged).await, [format!("history {versions}"), "search 2".to_owned()]);
    place.close().await;
}
