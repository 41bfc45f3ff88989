//! `arkki serve` as an operator runs it, on servers of the bench's own, and what it costs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use arkki::adapters::amqp::{AmqpClient, Answers};

use crate::kit::postgres::{Database, Postgres};
use crate::kit::process::{Process, Signal};
use crate::kit::rabbit::{Rabbit, Vhost};
use crate::{cpu, kit, sender};

/// The steady phase: messages a second, and for how long.
const RATE: u32 = 200;
const STEADY: Duration = Duration::from_secs(15);
/// Where answers come out, a queue for each phase.
const FULL_REPLIES: &str = "arkki.reply.guest.full";
const STEADY_REPLIES: &str = "arkki.reply.guest.steady";
/// How long a run may take before it counts as hung.
const HUNG: Duration = Duration::from_secs(600);

pub struct Gateway {
    folder: kit::TempDir,
    pub rabbit: Rabbit,
    pub postgres: Postgres,
    pub vhost: Vhost,
    database: Database,
}

/// Processor seconds at one moment.
#[derive(Clone, Copy)]
pub struct Cost {
    pub broker: f64,
    pub database: f64,
}

impl Gateway {
    pub fn new() -> Self {
        let (rabbit, postgres) = (kit::rabbit::own_server(), kit::postgres::own_server());
        let (vhost, database) = (rabbit.vhost_blocking(), postgres.database_blocking());
        let folder = kit::temp_dir();
        std::fs::write(folder.path().join("site.key"), [7; 32]).unwrap();
        let keys = kit::repository().join("samples/keys");
        let key = folder.path().join("system.key");
        std::fs::copy(keys.join("system-key.pem"), &key).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let config = format!(
            "[archive]\nsite_key_file = {:?}\n[sign]\nkey_file = {key:?}\ncertificate_file = {:?}\ntrust = [{:?}]\n[telemetry]\nlisten = \"127.0.0.1:{}\"\nlog = \"json\"\n",
            folder.path().join("site.key"),
            keys.join("system.pem"),
            keys.join("ca.pem"),
            kit::ports::free(),
        );
        std::fs::write(folder.path().join("arkki.toml"), config).unwrap();
        let gateway = Self { folder, rabbit, postgres, vhost, database };
        kit::run_command(&mut gateway.command(&["topology", "apply"]), b"").must();
        gateway
    }

    /// A full queue, emptied as fast as can be: messages a second from ready to the last answer, and what it costs.
    pub async fn throughput(&self, count: usize, octets: usize) -> String {
        let client = sender::client(&self.vhost.amqp_url, FULL_REPLIES).await;
        let sent = sender::fill(&client, FULL_REPLIES, 1, count, octets).await;
        println!("road: {count} documents, {} octets each on average", sent / count.max(1));
        self.emptied("**arkki serve**", count, client, FULL_REPLIES).await
    }

    /// A queue that is full already, emptied as fast as can be; every answer must be AA.
    pub async fn emptied(&self, name: &str, count: usize, client: AmqpClient, replies: &str) -> String {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = self.cost();
        let mut serve = self.serve(&["--until-answered", &count.to_string()]);
        let mut peak = 0.0_f64;
        let started = Instant::now();
        while !cpu::is_zombie(serve.pid()) {
            assert!(started.elapsed() < HUNG, "hung: {}", self.tail());
            peak = peak.max(cpu::peak_rss(serve.pid()).unwrap_or(0.0));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The last threads may end a little after the first; what all used is known until the process is reaped.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let arkki = cpu::of(serve.pid());
        assert!(serve.wait(HUNG).is_some_and(|s| s.success()), "{}", self.tail());
        let after = self.cost();
        let seconds = self.seconds_between("\"ready\"", "\"stopping:");
        let mut answers = client.answers(replies).await.expect("answers");
        sender::all_accepted(&mut answers, count).await;
        client.close().await;
        row(name, count, seconds, arkki, before, after, Some(peak))
    }

    /// Documents at a steady rate with somebody who waits: from publication to the answer in hand.
    pub async fn steady(&self, octets: usize) -> String {
        let client = sender::client(&self.vhost.amqp_url, STEADY_REPLIES).await;
        let mut serve = self.serve(&[]);
        let count = usize::try_from(u64::from(RATE) * STEADY.as_secs()).unwrap();
        let messages: Vec<_> = sender::documents(2, octets).take(count).collect();
        let mut answers = client.answers(STEADY_REPLIES).await.expect("answers");
        let before = cpu::of(serve.pid());
        let collecting = tokio::spawn(async move { received(&mut answers, count).await });
        let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
        let mut sent = HashMap::new();
        let client = std::sync::Arc::new(client);
        for message in messages {
            tick.tick().await;
            sent.insert(message.id.clone(), Instant::now());
            let client = std::sync::Arc::clone(&client);
            tokio::spawn(async move { client.send(sender::outgoing(message, STEADY_REPLIES)).await.expect("the broker takes a document") });
        }
        let received = collecting.await.expect("answers");
        let used = cpu::of(serve.pid()) - before;
        let mut took: Vec<f64> = received.iter().map(|(id, at)| at.duration_since(sent[id]).as_secs_f64() * 1000.0).collect();
        took.sort_unstable_by(f64::total_cmp);
        let percentile = |p: usize| took[(took.len() * p / 100).min(took.len() - 1)];
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(60)).is_some_and(|s| s.success()), "{}", self.tail());
        format!(
            "| at a steady {RATE}/s | p50 | p90 | p99 | most | arkki CPU-s per 1,000 |\n|---|---|---|---|---|---|\n| publication to answer, ms | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} |\n",
            percentile(50),
            percentile(90),
            percentile(99),
            percentile(100),
            used * 1000.0 / count as f64,
        )
    }

    /// The database's address, and a way to speak to it.
    pub fn database_url(&self) -> String {
        self.database.url.clone()
    }

    pub fn sql(&self, statement: &str) {
        self.postgres.sql(&self.database.name, statement);
    }

    pub fn cost(&self) -> Cost {
        Cost { broker: self.rabbit.pid().map_or(0.0, cpu::with_children), database: self.postgres.pid().map_or(0.0, cpu::with_children) }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(kit::arkki());
        command
            .arg("--config")
            .arg(self.folder.path().join("arkki.toml"))
            .args(args)
            .env("ARKKI_BROKER_URL", &self.vhost.amqp_url)
            .env("ARKKI_ARCHIVE_URL", self.postgres.local_url(&self.database.name));
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("serve.log")
    }

    fn serve(&self, args: &[&str]) -> Process {
        let _ = std::fs::remove_file(self.log());
        let mut all = vec!["serve"];
        all.extend(args);
        let process = Process::start(&mut self.command(&all), &self.log());
        let ready = kit::wait_until_blocking(Duration::from_secs(60), || std::fs::read_to_string(self.log()).is_ok_and(|log| log.contains("\"ready\"")));
        assert!(ready, "not ready: {}", self.tail());
        process
    }

    fn tail(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().rev().take(10).collect::<Vec<_>>().join("\n")
    }

    /// Between the first lines of the log that hold these words, by its own clock.
    fn seconds_between(&self, from: &str, to: &str) -> f64 {
        let log = std::fs::read_to_string(self.log()).expect("a log");
        let at = |words: &str| {
            let line = log.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no line with {words}"));
            let value: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            seconds_of_day(value["timestamp"].as_str().expect("a timestamp"))
        };
        (at(to) - at(from)).rem_euclid(86_400.0)
    }
}

/// `…THH:MM:SS.ffffffZ`
fn seconds_of_day(timestamp: &str) -> f64 {
    let time = timestamp.split_once('T').expect("a time").1.trim_end_matches('Z');
    time.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"))
}

async fn received(answers: &mut Answers, count: usize) -> Vec<(String, Instant)> {
    let mut received = Vec::with_capacity(count);
    while received.len() < count {
        let answer = answers.next(Duration::from_secs(60)).await.expect("the broker answers").expect("an answer in time");
        received.push((answer.correlation_id.expect("an answer says to what"), Instant::now()));
        assert!(String::from_utf8_lossy(&answer.body).contains("typeCode code=\"AA\""), "not accepted");
    }
    received
}

/// A row of the first table.
pub fn row(name: &str, count: usize, seconds: f64, own: f64, before: Cost, after: Cost, peak: Option<f64>) -> String {
    let of = |spent: f64| spent * 1000.0 / count as f64;
    format!(
        "| {name} | {:.0} | {:.2} | {:.2} | {:.2} | {} |\n",
        count as f64 / seconds,
        of(own),
        of(after.broker - before.broker),
        of(after.database - before.database),
        peak.map_or_else(|| "–".to_owned(), |megabytes| format!("{megabytes:.0}")),
    )
}
