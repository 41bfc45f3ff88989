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
    let text = text.replace("reconcile_minutes = 1\n", "");
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
        let config = gateway.folder.path().join("arkki.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("[archive]\n", "[archive]\nreconcile_minutes = 1\n")).unwrap();
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
        // … and refuses one that nobody can be answered.
        publish(&gateway, b"<stranger/>", None);
        // … then beside the new one, on the same queue …
        let mut new = gateway.serve(&[]);
        accepted(&["08", "13", "14", "11", "01", "02"]);
        // Answers that find no queue yet are due again and again, and either of the two takes them: what the old one sends it does not note.
        let late = made(&gateway, "late", &["--kind", "client-relation", "--seed", "31", "--count", "20"]);
        for file in &crate::road::files(&late) {
            publish(&gateway, &std::fs::read(file).unwrap(), Some("arkki.reply.guest.late"));
        }
        assert!(kit::wait_until_blocking(LONG, || waiting(&gateway) >= 20.0), "{} answers wait", waiting(&gateway));
        let queue = format!("/api/queues/{}/arkki.reply.guest.late", gateway.vhost.name);
        assert!(gateway.vhost.api("PUT", &queue, Some(r#"{"durable":true}"#)).0 < 300);
        // Under load the old one leaves, and the new one stays.
        let plans = made(&gateway, "plans", &["--kind", "client-document", "--seed", "32", "--count", "60"]);
        let bad = made(&gateway, "bad", &["--fault", "E305", "--seed", "33", "--count", "60"]);
        std::thread::scope(|scope| {
            let replay = |folder: PathBuf| {
                let gateway = &gateway;
                move || {
                    gateway.arkki(&[
                        "replay",
                        folder.to_str().unwrap(),
                        "--rate",
                        "25",
                        "--reply",
                        &format!("arkki.reply.guest.{}", folder.file_name().unwrap().to_str().unwrap()),
                    ])
                }
            };
            let both = [scope.spawn(replay(plans)), scope.spawn(replay(bad))];
            std::thread::sleep(std::time::Duration::from_secs(3));
            old.signal(Signal::Term);
            assert!(old.wait(LONG).is_some_and(|s| s.success()));
            for one in both {
                println!("{}", one.join().unwrap().must());
            }
        });
        accepted(&["15", "17"]);
        let came = || messages(&gateway, "arkki.reply.guest.late");
        assert!(kit::wait_until_blocking(LONG, || came() >= 20), "{} of 20 answers came late", came());
        let audit = json(&gateway.arkki(&["audit", "--json"]));
        assert_eq!((audit["faults"].as_u64(), audit["documents"].as_u64()), (Some(0), Some(12 + 20 + 180)), "{audit}");
        // Nothing is unexplained, and what the old one refused is in the operators' list after a round of the new one's.
        let listed = || json(&gateway.arkki(&["refusals", "list", "--limit", "200", "--json"]));
        assert!(kit::wait_until_blocking(LONG * 3, || refusals(&listed()) == 61), "{}", listed());
        let sum = json(&gateway.arkki(&["reconcile", "--json"]));
        println!("{dialect}: {}", gateway.arkki(&["reconcile"]).text());
        assert_eq!(
            (sum["unexplained"].as_u64(), sum["unlisted"].as_u64(), sum["dead_letters"].as_u64(), sum["unanswered_refusals"].as_u64()),
            (Some(0), Some(0), Some(1), Some(1)),
            "{sum}"
        );
        println!("{}", gateway.arkki(&["refusals", "groups"]).text());
        assert_eq!(came(), 20, "each answer once");
        new.signal(Signal::Term);
        assert!(new.wait(LONG).is_some_and(|s| s.success()), "{}", gateway.log_text());
        let text = std::fs::read_to_string(gateway.folder.path().join("former.log")).unwrap();
        assert!(!text.contains("\"level\":\"ERROR\""), "{text}");
        let by = |log: &str| log.matches("\"ending\":").count();
        println!("{dialect}: the release before decided {} messages, this one {}", by(&text), by(&gateway.log_text()));
    }
}

/// A message by the broker's own HTTP API, as guest, with this reply address.
fn publish(gateway: &Gateway, octets: &[u8], reply: Option<&str>) {
    use base64::Engine as _;
    let mut properties = serde_json::json!({ "user_id": "guest", "delivery_mode": 2 });
    if let Some(reply) = reply {
        properties["reply_to"] = reply.into();
    }
    let payload = base64::engine::general_purpose::STANDARD.encode(octets);
    let body = serde_json::json!({ "properties": properties, "routing_key": "arkki.inbound", "payload": payload, "payload_encoding": "base64" });
    let path = format!("/api/exchanges/{}/amq.default/publish", gateway.vhost.name);
    let (status, said) = gateway.vhost.api("POST", &path, Some(&body.to_string()));
    assert!(status < 300 && said.contains("true"), "{status} {said}");
}

/// Messages made to order, in a folder of the gateway's.
fn made(gateway: &Gateway, name: &str, words: &[&str]) -> PathBuf {
    let folder = gateway.folder.path().join(name);
    gateway.arkki(&[&["generate", "--out", folder.to_str().unwrap()], words].concat()).must();
    folder
}

/// Answers in the outbox.
fn waiting(gateway: &Gateway) -> f64 {
    super::gauge(gateway.port, "arkki_outbox").unwrap_or(0.0)
}

/// Messages in a queue, as the broker counts them.
fn messages(gateway: &Gateway, queue: &str) -> u64 {
    let (_, said) = gateway.vhost.api("GET", &format!("/api/queues/{}/{queue}", gateway.vhost.name), None);
    serde_json::from_str::<serde_json::Value>(&said).ok().and_then(|said| said["messages"].as_u64()).unwrap_or(0)
}

fn refusals(listed: &serde_json::Value) -> usize {
    listed["refusals"].as_array().map_or(0, Vec::len)
}
