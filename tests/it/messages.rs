//! Messages over a real broker: the tables of kinds and failures row by row, who may ask what, answers in every shape, the validation service.

mod access;
mod answers;
mod asked;
mod failures;
mod kinds;
mod pages;
mod patient;
mod validation;

use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::amqp::{AmqpClient, Answers, Outgoing, Secret};
use arkki::generate::document::{DocumentSpec, Organisation};
use arkki::generate::event;
use arkki::generate::family::Family;
use arkki::generate::frame::{FrameSpec, TEST_ARCHIVE};
use arkki::generate::person::Person;
use arkki::generate::query::QuerySpec;
use arkki::generate::writer::Style;
use arkki::ports::broker::Published;

use crate::kit;
use crate::kit::rabbit::Vhost;
use crate::road::Gateway;

const INBOUND: &str = "arkki.inbound";
/// How long an answer may take on a machine that builds beside the test.
const SOON: Duration = Duration::from_secs(60);

/// The registered systems of these tests: name, profile, organisation, device, more options.
const SYSTEMS: [(&str, &str, &str, &str, &str); 6] = [
    ("joining", "joining", Organisation::SAMPLE.node, "1.2.246.10.99999992.18.20", ""),
    ("reading", "reading", Organisation::SAMPLE.node, "1.2.246.10.99999992.18.21", ""),
    ("application", "application", Organisation::SAMPLE.node, "1.2.246.10.99999992.18.22", ""),
    ("ended", "joining", Organisation::SAMPLE.node, "1.2.246.10.99999992.18.23", "until = \"2020-12-31\"\n"),
    ("other", "joining", Organisation::OTHER.node, "1.2.246.10.99999984.18.24", "register_rights = [\"1.2.246.10.99999992.10.0\"]\n"),
    ("storing", "storing", Organisation::SAMPLE.node, "1.2.246.10.99999992.18.25", ""),
];

/// How a row's message is made.
type Make = fn(&Ground) -> Vec<u8>;

/// The device of one of [`SYSTEMS`]; the samples' own for guest, who sends them.
fn device(system: &str) -> &'static str {
    SYSTEMS.iter().find(|s| s.0 == system).map_or(Organisation::SAMPLE.unit, |s| s.3)
}

/// Users are the node's: each bears the virtual host's name.
fn user(vhost: &Vhost, system: &str) -> String {
    if system == "guest" { system.to_owned() } else { format!("{}-{system}", vhost.name) }
}

/// A configuration in which only registered systems may send: guest with the samples' device, and [`SYSTEMS`].
fn registered(vhost: &Vhost) -> String {
    let mut text = format!("[answer]\nreceivers = [{TEST_ARCHIVE:?}]\n[limits]\nhold_seconds = 2\n[access]\nregistered_only = true\n");
    let sample = ("guest", "joining", Organisation::SAMPLE.node, Organisation::SAMPLE.unit, "");
    for (name, profile, organisation, device, more) in SYSTEMS.into_iter().chain([sample]) {
        text.push_str(&format!(
            "[registrations.{name}]\nuser = {:?}\nprofile = {profile:?}\norganisation = {organisation:?}\ndevices = [{device:?}]\n{more}",
            user(vhost, name)
        ));
    }
    text
}

/// A gateway that takes messages of registered systems only.
async fn closed_gateway() -> Gateway {
    let vhost = kit::rabbit::vhost().await;
    let config = registered(&vhost);
    Gateway::on(vhost, Some(kit::postgres::database().await.url), &config)
}

/// One system at its end of the broker: a connection of its own user, and its reply queue.
struct Desk {
    user: String,
    reply: String,
    client: AmqpClient,
    answers: Answers,
    sent: usize,
}

impl Desk {
    async fn open(vhost: &Vhost, system: &str) -> Self {
        let user = user(vhost, system);
        let url = if system == "guest" { vhost.amqp_url.clone() } else { tokio::task::block_in_place(|| vhost.user(&user, "words")) };
        let client = AmqpClient::connect(&Secret::new(url), system).await.unwrap();
        let reply = format!("arkki.reply.{user}.desk");
        client.declare_reply_queue(&reply).await.unwrap();
        let answers = client.answers(&reply).await.unwrap();
        Self { user, reply, client, answers, sent: 0 }
    }

    /// Publishes, with or without a reply address; the message's id.
    async fn put(&mut self, octets: &[u8], reply: Option<&str>) -> String {
        self.sent += 1;
        let id = format!("{}-{}", self.user, self.sent);
        let outgoing = Outgoing {
            queue: INBOUND.into(),
            message_id: Some(id.clone()),
            reply_to: reply.map(str::to_owned),
            user_id: Some(self.user.clone()),
            body: Arc::new(octets.to_vec()),
            ..Outgoing::default()
        };
        assert_eq!(self.client.send(outgoing).await, Ok(Published::Routed));
        id
    }

    /// Sends and waits for the answer's octets.
    async fn ask(&mut self, octets: &[u8]) -> Vec<u8> {
        let reply = self.reply.clone();
        let id = self.put(octets, Some(&reply)).await;
        let answer = self.answers.next(SOON).await.unwrap().unwrap_or_else(|| panic!("no answer to {id}"));
        assert_eq!(answer.correlation_id.as_deref(), Some(id.as_str()));
        answer.body
    }
}

/// The octets of a file under `samples/`.
fn sample(path: &str) -> Vec<u8> {
    std::fs::read(kit::repository().join("samples").join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What messages of these tests are made of: one family that no sample knows.
struct Ground {
    family: Family,
}

impl Ground {
    fn new() -> Self {
        Self { family: Family::new(77, 7_700, arkki::domain::language::Language::Fi) }
    }

    /// A client relation of its own.
    fn relation(&self, number: u64) -> DocumentSpec {
        let id = self.family.id(number);
        DocumentSpec { relation_id: Some(format!("{id}.9")), style: Style::default(), ..self.family.relation.under(&id) }
    }

    /// A document in a good frame, as one of [`SYSTEMS`] sends it.
    fn framed(&self, spec: &DocumentSpec, system: &str, change: impl FnOnce(&mut FrameSpec)) -> Vec<u8> {
        let mut frame = FrameSpec::around(spec, 1);
        frame.sender = device(system).to_owned();
        change(&mut frame);
        frame.render(&spec.render())
    }
}

/// A frame that names a relation of these tests and asks for `request`; `message` tells messages about one document apart.
fn event(ground: &Ground, number: u64, system: &str, request: &'static str, message: u64) -> Vec<u8> {
    let mut frame = event::about(&ground.relation(number), event::Names::VERSION, request, event::Why::words("tallennettu väärälle henkilölle"), message);
    frame.sender = device(system).to_owned();
    frame.render(&[])
}

/// A frame that invalidates a relation of these tests.
fn invalidation(ground: &Ground, number: u64, system: &str) -> Vec<u8> {
    event(ground, number, system, event::SPX_INVALIDATE, 9)
}

/// A query as one of [`SYSTEMS`] sends it.
fn query(spec: &QuerySpec, system: &str) -> Vec<u8> {
    let text = String::from_utf8(spec.render()).unwrap();
    let sender = text.find("<sender ").unwrap();
    let from = sender + text[sender..].find("root=\"").unwrap() + "root=\"".len();
    let to = from + text[from..].find('"').unwrap();
    format!("{}{}{}", &text[..from], device(system), &text[to..]).into_bytes()
}

/// Somebody whose identity code is none of those that are never given to anybody: it could be a person's, born in 1901.
fn nobody() -> Person {
    Person { hetu: ["010101", "002S"].join("-"), ..Person::new((1901, 1, 1), 2, vec!["Testi"], "Testinen") }
}

/// Ready and unacknowledged messages of a queue, as the broker counts them.
fn lying(vhost: &Vhost, queue: &str) -> Option<(u64, u64)> {
    let (status, body) = vhost.api("GET", &format!("/api/queues/{}/{queue}", vhost.name), None);
    let queue: serde_json::Value = (status == 200).then(|| serde_json::from_str(&body).ok())??;
    Some((queue.get("messages_ready")?.as_u64()?, queue.get("messages_unacknowledged")?.as_u64()?))
}
