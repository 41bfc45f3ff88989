//! The walk of docs/disclosure.md with `samples/counties/`: the commands of the page, over a real RabbitMQ and PostgreSQL.

use std::path::PathBuf;

use arkki::generate::counties;
use arkki::generate::document::Organisation;
use arkki::generate::frame::TEST_ARCHIVE;

use crate::kit::{self, Output};
use crate::road::Gateway;

fn folder() -> PathBuf {
    kit::repository().join("samples/counties")
}

#[test]
fn the_folder_is_what_the_generator_makes() {
    let made = counties::samples(&crate::generate::keys());
    assert_eq!(made.len(), 14);
    assert_eq!(std::fs::read_dir(folder()).unwrap().count(), made.len());
    for sample in made {
        let file = kit::repository().join("samples").join(&sample.path);
        assert!(std::fs::read(&file).unwrap_or_default() == sample.octets, "{}: run cargo run --example make_samples", sample.path);
    }
}

/// Sends some of the files as one of the users, and wants every answer to be this.
fn send(gateway: &Gateway, url: &str, from: usize, to: usize, expect: &str) -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut arguments = vec!["send".to_owned(), "--show".to_owned(), "--expect".to_owned(), expect.to_owned()];
    arguments.extend(files[from - 1..to].iter().map(|file| file.display().to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said: Output = kit::run_command(gateway.command(&arguments).env("ARKKI_BROKER_URL", url), b"");
    assert!(said.ok(), "{}{}", said.text(), said.errors());
    kept(&format!("{from:02}"), &said.text());
    said.text()
}

/// What docs/disclosure.md shows is written by a run of this test, into the folder that ARKKI_WRITE_ANSWERS names.
fn kept(name: &str, text: &str) {
    if let Some(folder) = std::env::var_os("ARKKI_WRITE_ANSWERS") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.txt")), text).unwrap();
    }
}

fn total(said: &str) -> &str {
    said.split("resultTotalQuantity value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("none")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_goes_as_the_page_says() {
    let vhost = kit::rabbit::vhost().await;
    let mut config = format!("[answer]\nreceivers = [{TEST_ARCHIVE:?}]\nlanguage = \"en\"\n[access]\nregistered_only = true\n");
    let mut urls = Vec::new();
    for (name, county) in [("alfa", Organisation::SAMPLE), ("beta", Organisation::OTHER)] {
        let user = format!("{}-{name}", vhost.name);
        urls.push(tokio::task::block_in_place(|| vhost.user(&user, "words")));
        config.push_str(&format!(
            "[registrations.{name}]\nuser = {user:?}\ndevices = [{:?}]\norganisation = {:?}\nprofile = \"joining\"\ndisclosure_management = true\n",
            county.unit, county.node
        ));
    }
    let gateway = Gateway::on(vhost, Some(kit::postgres::database().await.url), &config);
    let mut serve = gateway.serve(&[]);
    let (alfa, beta) = (urls[0].clone(), urls[1].clone());
    tokio::task::block_in_place(|| {
        send(&gateway, &alfa, 1, 6, "accepted");
        send(&gateway, &beta, 7, 7, "accepted");
        send(&gateway, &alfa, 8, 9, "accepted");
        assert_eq!(total(&send(&gateway, &beta, 10, 10, "accepted")), "5");
        send(&gateway, &alfa, 11, 11, "accepted");
        let filtered = send(&gateway, &beta, 12, 12, "accepted");
        assert!(total(&filtered) == "4" && !filtered.contains("permission") && !filtered.contains("withheld"), "{filtered}");
        let denied = send(&gateway, &beta, 13, 13, "E845");
        assert!(denied.contains("5Y00009"), "{denied}");
        assert_eq!(total(&send(&gateway, &beta, 14, 14, "accepted")), "6");
        // The month's report: who got what of the county's register, and on what ground.
        let month = gateway.arkki(&[
            "log",
            "export",
            "--controller",
            Organisation::SAMPLE.unit,
            "--from",
            "2026-01-01",
            "--to",
            "2099-12-31",
            "--log",
            "disclosure",
            "--format",
            "csv",
        ]);
        let month = month.must();
        kept("month", &month);
        let rows = |word: &str| month.lines().filter(|line| line.contains(word)).count();
        // By permission 1 + 5 and 1 + 4 rows, by law 1 + 6; nothing of what was refused.
        assert_eq!((rows("R7"), rows("R3"), rows("703/2023 64 §")), (9, 6, 7), "{month}");
        gateway.arkki(&["audit"]).must();
    });
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(std::time::Duration::from_secs(60)).is_some());
}
