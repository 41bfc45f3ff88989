//! Where the fault runs happen: one RabbitMQ and one PostgreSQL for all of them, used by one run at a time, for each kills or stops what it likes.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arkki::generate::frame::TEST_ARCHIVE;
use tokio::sync::{Mutex, MutexGuard};

use super::mix::{self, REPLIES, Sent};
use super::queue::{DEAD, Desk, INBOUND};
use super::verdict::{self, Thoroughness};
use crate::kit::postgres::{Database, Postgres};
use crate::kit::process::{Process, Signal};
use crate::kit::rabbit::Rabbit;
use crate::kit::{self, wait_until};
use crate::road::Gateway;

/// The longest a run may take to come to rest on a busy machine: a lease of 15 s, a retry of 30 s, and the work itself.
pub const REST: Duration = Duration::from_secs(240);
/// What `serve` may take to settle what is in hand, by its own configuration.
pub const STOP: Duration = Duration::from_secs(30);

/// Debug lines, and the receiver that the generated frames name; `limits` is one more line or a few of `[limits]`.
pub fn more(limits: &str) -> String {
    format!("level = \"arkki=debug\"\n[answer]\nreceivers = [{TEST_ARCHIVE:?}]\n[limits]\n{limits}\n")
}

/// The servers, and the right to use them.
pub struct Place {
    pub rabbit: &'static Rabbit,
    pub postgres: &'static Postgres,
    _turn: MutexGuard<'static, ()>,
}

impl Place {
    pub async fn take() -> Self {
        static TURN: Mutex<()> = Mutex::const_new(());
        static SERVERS: OnceLock<(Rabbit, Postgres)> = OnceLock::new();
        let turn = TURN.lock().await;
        let begin = || (kit::rabbit::own_server(), kit::postgres::own_server());
        let (rabbit, postgres) = tokio::task::block_in_place(|| SERVERS.get_or_init(begin));
        Self { rabbit, postgres, _turn: turn }
    }

    pub async fn gateway(&self, more: &str) -> (Gateway, Database) {
        let database = self.postgres.database().await;
        let gateway = Gateway::on(self.rabbit.vhost().await, Some(database.url.clone()), more);
        tokio::task::block_in_place(|| gateway.arkki(&["migrate"]).must());
        (gateway, database)
    }
}

/// One run: a gateway, its queues and database, the messages, and what is worth telling.
pub struct Run {
    pub name: &'static str,
    pub place: Place,
    pub gateway: Arc<Gateway>,
    pub database: Database,
    pub messages: Vec<Sent>,
    pub told: Vec<String>,
    began: Instant,
}

impl Run {
    /// Servers, virtual host, database and messages; nothing sent yet.
    pub async fn prepare(name: &'static str, seed: u64) -> Self {
        let messages = tokio::task::block_in_place(|| mix::mixed(seed));
        Self::with(name, messages, &more("")).await
    }

    /// As [`Run::prepare`], with messages and configuration of the caller's.
    pub async fn with(name: &'static str, messages: Vec<Sent>, more: &str) -> Self {
        let place = Place::take().await;
        let (gateway, database) = place.gateway(more).await;
        Self { name, place, gateway: Arc::new(gateway), database, messages, told: Vec::new(), began: Instant::now() }
    }

    pub async fn desk(&self) -> Desk {
        Desk::open(&self.gateway.vhost.amqp_url).await
    }

    /// Declares the reply queues and fills the inbound queue.
    pub async fn fill(&self) {
        let desk = self.desk().await;
        for queue in REPLIES {
            desk.declare(queue).await;
        }
        desk.send(&self.messages).await;
        desk.close().await;
    }

    pub fn tell(&mut self, what: impl Into<String>) {
        self.told.push(what.into());
    }

    /// Messages decided or held, by the archive's word.
    pub fn decided(&self) -> usize {
        self.count("inbox")
    }

    pub fn count(&self, table: &str) -> usize {
        tokio::task::block_in_place(|| self.place.postgres.sql(&self.database.name, &format!("SELECT count(*) FROM {table}"))).parse().unwrap()
    }

    pub async fn until_decided(&self, count: usize) {
        assert!(wait_until(REST, || async { self.decided() >= count }).await, "{} decided, {count} awaited\n{}", self.decided(), self.tail());
    }

    /// Waits until nothing is on its way: inbound, hold and outbox are empty.
    pub async fn until_at_rest(&self) {
        let desk = self.desk().await;
        let rest = wait_until(REST, || async {
            desk.ready(INBOUND).await == 0 && self.unacknowledged(INBOUND).await == Some(0) && self.count("held") == 0 && self.count("outbox") == 0
        })
        .await;
        let left = (desk.ready(INBOUND).await, self.count("held"), self.count("outbox"));
        assert!(rest, "{}: not at rest; inbound, held and outbox have {left:?}\n{}", self.name, self.tail());
        desk.close().await;
    }

    /// Deliveries in somebody's hand; at most a second old.
    pub async fn unacknowledged(&self, queue: &str) -> Option<u64> {
        let path = format!("/api/queues/{}/{queue}", self.gateway.vhost.name);
        let (status, body) = tokio::task::block_in_place(|| self.gateway.vhost.api("GET", &path, None));
        let queue: serde_json::Value = (status == 200).then(|| serde_json::from_str(&body).ok())??;
        queue.get("messages_unacknowledged")?.as_u64()
    }

    /// SIGTERM; exit 0 in time.
    pub fn stop(&self, serve: &mut Process) -> Duration {
        let began = Instant::now();
        serve.signal(Signal::Term);
        let status = serve.wait(STOP);
        assert!(status.is_some_and(|s| s.success()), "{}: {status:?}\n{}", self.name, self.tail());
        began.elapsed()
    }

    /// Comes to rest, stops every gateway, and holds the end state to the messages' fates.
    pub async fn finish(mut self, serves: Vec<Process>, thoroughness: Thoroughness) {
        self.until_at_rest().await;
        for mut serve in serves {
            self.stop(&mut serve);
        }
        let desk = self.desk().await;
        assert_eq!(desk.ready(INBOUND).await, 0, "{}: inbound", self.name);
        let mut answers = Vec::new();
        for queue in REPLIES {
            answers.extend(desk.take_all(queue).await);
        }
        let dead = desk.take_all(DEAD).await;
        desk.close().await;
        assert_eq!((self.count("held"), self.count("outbox")), (0, 0), "{}: held, outbox", self.name);
        let seen = tokio::task::block_in_place(|| verdict::check(&self, &answers, &dead, thoroughness));
        self.told.extend(seen);
        let audit = tokio::task::block_in_place(|| self.gateway.arkki(&["audit"]).must());
        self.tell(audit.lines().next().unwrap_or_default());
        println!("fault run {}: {}; {:.1} s", self.name, self.told.join("; "), self.began.elapsed().as_secs_f32());
    }

    /// The end of the gateway's log.
    pub fn tail(&self) -> String {
        let text = self.gateway.log_text();
        text.lines().rev().take(30).collect::<Vec<_>>().join("\n")
    }
}

/// A page of a gateway's local port: status line and all.
pub fn page(port: u16, path: &str) -> String {
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    let mut text = String::new();
    let asked = write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let _ = asked.and_then(|()| stream.read_to_string(&mut text));
    text
}

/// The sum of a metric over its labels.
pub fn metric(port: u16, name: &str) -> f64 {
    let page = page(port, "/metrics");
    page.lines()
        .filter(|l| l.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
        .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
