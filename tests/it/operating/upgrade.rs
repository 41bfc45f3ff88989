//! From the release before: its archive, brought forward by our migrations; and, where its program is at hand, both releases side by side on one archive and one queue.

use std::path::PathBuf;

use super::{LONG, exits, json, samples};
use crate::kit;
use crate::kit::process::{Process, Signal};
use crate::road::Gateway;

/// The last migration of the release before.
const FORMER: i64 = 11;
/// What the former archives in `tests/it/operating/former` hold, in this order.
const HELD: [&str; 4] = ["01", "02", "03", "05"];

/// What a gateway of the release before, which runs on while the tables change, does not notice: new tables, new columns that need no value, new indexes, and
/// indexes that another replaces.
fn is_unnoticed(statement: &str) -> bool {
    let words: Vec<String> = statement.split_whitespace().map(str::to_uppercase).collect();
    let line = words.join(" ");
    let adds = line.starts_with("ALTER TABLE") && line.contains(" ADD COLUMN ") && (!line.contains("NOT NULL") || line.contains("DEFAULT"));
    let tunes = line.starts_with("ALTER TABLE") && (line.contains(" SET (") || line.contains("SET COMPRESSION") || line.contains(" SET STATISTICS "));
    let makes = ["CREATE TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX", "DROP INDEX", "INSERT INTO", "CREATE VIEW"].iter().any(|start| line.starts_with(start));
    adds || tunes || makes || line.starts_with("DO $$")
}

#[test]
fn a_running_gateway_of_the_release_before_does_not_notice_our_migrations() {
    for dialect in ["postgres", "sqlite"] {
        let folder = kit::repository().join("migrations").join(dialect);
        let mut noticed = Vec::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.split('_').next().unwrap().parse::<i64>().unwrap() <= FORMER {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let bare: String = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
            // A block is one statement, whatever stands in it.
            let whole =
                bare.split("$$").enumerate().map(|(n, part)| if n % 2 == 1 { part.replace(';', " ") } else { part.to_owned() }).collect::<Vec<_>>().join("$$");
            noticed.extend(whole.split(';').map(str::trim).filter(|s| !s.is_empty() && !is_unnoticed(s)).map(|s| format!("{name}: {s}")));
        }
        assert!(noticed.is_empty(), "{dialect}: {noticed:#?}");
    }
}

/// The backup of an archive that the release before made.
fn former(dialect: &str) -> PathBuf {
    kit::repository().join("tests/it/operating/former").join(dialect)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_of_the_release_before_is_brought_forward_on_both() {
    for dialect in ["postgres", "sqlite"] {
        let archive = if dialect == "postgres" { Some(kit::postgres::database().await.url) } else { None };
        let gateway = Gateway::new(archive, "").await;
        let restored = gateway.arkki(&["restore", former(dialect).to_str().unwrap(), "--json"]);
        exits(&restored, 0);
        let told = json(&restored);
        assert_eq!((told["position"].as_u64(), told["faults"].as_u64(), told["documents"].as_u64()), (Some(4), Some(0), Some(4)), "{told}");
        assert!(json(&gateway.arkki(&["migrate", "--json"]))["ran"].as_array().is_some_and(Vec::is_empty), "all of it was run");
        // Its documents are answered as they were, and the next version of one of them is archived.
        let mut serve = gateway.serve(&[]);
        let answers = gateway.send(&samples(&[&HELD[..], &["06"]].concat()));
        assert!(answers.iter().all(|(_, answer, _)| answer == "AA"), "{answers:?}");
        let audit = json(&gateway.arkki(&["audit", "--json"]));
        assert_eq!((audit["faults"].as_u64(), audit["documents"].as_u64(), audit["entries"].as_u64()), (Some(0), Some(5), Some(5)), "{audit}");
        serve.signal(Signal::Term);
        assert!(serve.wait(LONG).is_some_and(|s| s.success()), "{}", gateway.log_text());
    }
}

/// The program of the release before at work on a gateway's queue and archive.
fn serve_former(gateway: &Gateway, program: &str, log: &str) -> Process {
    let log = gateway.folder.path().join(log);
    // It knows nothing of options that came later, and its probe must not stand in the way of ours.
    let config = gateway.folder.path().join("former.toml");
    let text = std::fs::read_to_string(gateway.folder.path().join("arkki.toml")).unwrap();
    std::fs::write(&config, text.replace(&format!("127.0.0.1:{}", gateway.port), &format!("127.0.0.1:{}", kit::ports::free()))).unwrap();
    let mut command = std::process::Command::new(program);
    command.arg("--config").arg(&config).arg("serve").env("ARKKI_BROKER_URL", &gateway.vhost.amqp_url).env("ARKKI_ARCHIVE_URL", &gateway.archive_url);
    let process = Process::start(&mut command, &log);
    let ready = || std::fs::read_to_string(&log).unwrap_or_default().contains("\"message\":\"ready\"");
    assert!(kit::wait_until_blocking(LONG, ready), "{}", std::fs::read_to_string(&log).unwrap_or_default());
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_side_by_side_without_a_gap() {
    let Ok(program) = std::env::var("ARKKI_FORMER") else {
        println!("left out: ARKKI_FORMER names no program of the release before (build its tag, and give the path)");
        return;
    };
    for dialect in ["postgres", "sqlite"] {
        let archive = if dialect == "postgres" { Some(kit::postgres::database().await.url) } else { None };
        let gateway = Gateway::new(archive, "").await;
        let mut old = serve_former(&gateway, &program, "former.log");
        let accepted = |names: &[&str]| {
            let answers = gateway.send(&samples(names));
            assert!(answers.iter().all(|(_, answer, _)| answer == "AA"), "{answers:?}");
        };
        accepted(&HELD);
        if let Ok(folder) = std::env::var("ARKKI_FORMER_COPY") {
            // How tests/it/operating/former was made.
            exits(&gateway.arkki(&["backup", &format!("{folder}/{dialect}")]), 0);
        }
        // The tables change under the running old one, which goes on alone…
        println!("{dialect}: {}", gateway.arkki(&["migrate", "--json"]).must().trim());
        accepted(&["06", "07"]);
        // … then beside the new one, on the same queue …
        let mut new = gateway.serve(&[]);
        accepted(&["08", "13", "14", "11", "01", "02"]);
        // … which stays when the old one leaves.
        old.signal(Signal::Term);
        assert!(old.wait(LONG).is_some_and(|s| s.success()));
        accepted(&["15", "17"]);
        let audit = json(&gateway.arkki(&["audit", "--json"]));
        assert_eq!((audit["faults"].as_u64(), audit["documents"].as_u64()), (Some(0), Some(12)), "{audit}");
        new.signal(Signal::Term);
        assert!(new.wait(LONG).is_some_and(|s| s.success()), "{}", gateway.log_text());
        let text = std::fs::read_to_string(gateway.folder.path().join("former.log")).unwrap();
        assert!(!text.contains("\"level\":\"ERROR\""), "{text}");
        let by = |log: &str| log.matches("\"ending\":").count();
        println!("{dialect}: the release before decided {} messages, this one {}", by(&text), by(&gateway.log_text()));
    }
}
