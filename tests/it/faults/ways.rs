//! Ways a message can go that a run of a thousand does not single out: told again, held too long, held too many, told with and without ids.

use std::time::Duration;

use arkki::domain::ack::AckType;
use arkki::domain::language::Language;
use arkki::generate::family::Family;
use arkki::v3::ack::{self, AckRead};
use lapin::BasicProperties;

use super::mix::REPLIES;
use super::place::{REST, more};
use super::queue::{DEAD, Desk, Found, INBOUND};
use crate::kit::process::{Process, Signal};
use crate::kit::{self, wait_until};
use crate::road::Gateway;

/// A gateway on the run's shared servers, running, with the two reply queues.
pub struct Bench {
    pub gateway: Gateway,
    pub desk: Desk,
    pub serve: Process,
    pub database: String,
}

impl Bench {
    pub async fn new(more: &str) -> Self {
        let database = kit::postgres::database().await;
        let gateway = Gateway::new(Some(database.url), more).await;
        let desk = Desk::open(&gateway.vhost.amqp_url).await;
        for queue in REPLIES {
            desk.declare(queue).await;
        }
        let serve = gateway.serve(&[]);
        Self { gateway, desk, serve, database: database.name }
    }

    /// Properties of an honest sender.
    pub fn honest(id: &str, reply: &str) -> BasicProperties {
        BasicProperties::default().with_user_id("guest".into()).with_message_id(id.into()).with_reply_to(reply.into())
    }

    pub async fn send(&self, octets: &[u8], properties: BasicProperties) {
        self.desk.publish([(octets, properties)]).await;
    }

    /// The one message that comes to lie in a queue.
    pub async fn next(&self, queue: &str) -> Found {
        let came = wait_until(REST, || async { self.desk.ready(queue).await > 0 }).await;
        assert!(came, "nothing came to {queue}\n{}", self.gateway.log_text());
        let mut all = self.desk.take_all(queue).await;
        assert_eq!(all.len(), 1, "{queue}");
        all.remove(0)
    }

    /// Sends and waits for the answer.
    pub async fn ask(&self, octets: &[u8], id: &str) -> AckRead {
        self.send(octets, Self::honest(id, REPLIES[0])).await;
        ack::read(&self.next(REPLIES[0]).await.body).expect("an acknowledgement")
    }

    pub fn sql(&self, statement: &str) -> String {
        tokio::task::block_in_place(|| kit::postgres::server().sql(&self.database, statement))
    }

    pub fn stop(mut self) {
        self.serve.signal(Signal::Term);
        assert!(self.serve.wait(Duration::from_secs(60)).is_some_and(|s| s.success()), "{}", self.gateway.log_text());
    }
}

/// Answer and first code.
pub fn said(answer: &AckRead) -> (AckType, &str) {
    (answer.ack_type, answer.details.first().map_or("", |d| d.code.as_str()))
}

fn family(seed: u64) -> Family {
    Family::new(seed, 900_000 + seed, Language::Fi)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_gets_the_same_octets_wherever_they_go() {
    let bench = Bench::new(&more("")).await;
    let family = family(1);
    let (good, bad) = (family.relation.render(), b"<unknown/>".to_vec());
    let mut ids = std::collections::BTreeSet::new();
    for (octets, code) in [(&good, ""), (&bad, "E201")] {
        bench.send(octets, Bench::honest("first", REPLIES[0])).await;
        let first = bench.next(REPLIES[0]).await;
        assert_eq!(said(&ack::read(&first.body).unwrap()).1, code);
        bench.send(octets, Bench::honest("second", REPLIES[1]).with_correlation_id("of my own".into())).await;
        let second = bench.next(REPLIES[1]).await;
        assert_eq!(first.body, second.body, "{code}: the same octets");
        assert_eq!((first.correlation().as_str(), second.correlation().as_str()), ("first", "of my own"));
        assert!(ids.insert(first.message_id()) && ids.insert(second.message_id()), "no copies: two answers");
    }
    assert_eq!(bench.sql("SELECT count(*) FROM ledger"), "2", "a repeat leaves no entry");
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_first_and_with_one_later() {
    let bench = Bench::new(&more("")).await;
    let octets = family(2).relation.render();
    let nowhere = BasicProperties::default().with_user_id("guest".into()).with_message_id("nowhere".into());
    bench.send(&octets, nowhere.clone()).await;
    assert_eq!(bench.next(DEAD).await.message_id(), "nowhere");
    assert_eq!(said(&bench.ask(&octets, "somewhere").await).0, AckType::Accept, "the same octets with an address are taken");
    bench.send(&octets, nowhere).await;
    assert_eq!(bench.next(DEAD).await.message_id(), "nowhere", "decided, but its answer has no address");
    assert_eq!(bench.sql("SELECT count(*) FROM document"), "1");
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_with_the_refusal_that_names_what_is_missing() {
    let bench = Bench::new(&more("hold_seconds = 2")).await;
    let family = family(3);
    let octets = family.phase_one.render();
    // Told twice while it is on hold: one decision, one answer each.
    bench.send(&octets, Bench::honest("held", REPLIES[0])).await;
    assert!(wait_until(REST, || async { bench.sql("SELECT count(*) FROM held") == "1" }).await, "on hold");
    bench.send(&octets, Bench::honest("again", REPLIES[1])).await;
    let (first, second) = (bench.next(REPLIES[0]).await, bench.next(REPLIES[1]).await);
    assert_eq!(first.body, second.body);
    assert_eq!(said(&ack::read(&first.body).unwrap()), (AckType::Error, "E401"));
    assert_eq!(bench.sql("SELECT (SELECT count(*) FROM held) || ' ' || (SELECT count(*) FROM held_reply)"), "0 0");
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_awaited_releases_a_chain_of_held_messages() {
    let bench = Bench::new(&more("")).await;
    let family = family(4);
    for (spec, id) in [(&family.phase_one, "document"), (&family.case, "case")] {
        bench.send(&spec.render(), Bench::honest(id, REPLIES[1])).await;
    }
    assert!(wait_until(REST, || async { bench.sql("SELECT count(*) FROM held") == "2" }).await, "both on hold");
    assert_eq!(said(&bench.ask(&family.relation.render(), "relation").await).0, AckType::Accept);
    assert!(wait_until(REST, || async { bench.desk.ready(REPLIES[1]).await == 2 }).await, "both are answered");
    for answer in bench.desk.take_all(REPLIES[1]).await {
        assert_eq!(said(&ack::read(&answer.body).unwrap()).0, AckType::Accept, "{}", answer.correlation());
    }
    assert_eq!(bench.sql("SELECT count(*) FROM document"), "3");
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_may_have_so_many_on_hold_and_no_more() {
    let bench = Bench::new(&more("held_per_sender = 2")).await;
    let family = family(5);
    let document = |number: u64| family.phase_one.under(&family.id(number)).render();
    for number in [50, 51] {
        bench.send(&document(number), Bench::honest(&number.to_string(), REPLIES[1])).await;
    }
    assert!(wait_until(REST, || async { bench.sql("SELECT count(*) FROM held") == "2" }).await, "two on hold");
    let third = document(52);
    assert_eq!(said(&bench.ask(&third, "third").await), (AckType::Reject, "E902"), "come again later");
    for (spec, id) in [(&family.relation, "relation"), (&family.case, "case")] {
        assert_eq!(said(&bench.ask(&spec.render(), id).await).0, AckType::Accept);
    }
    assert_eq!(said(&bench.ask(&third, "third, later").await).0, AckType::Accept, "E902 is not final");
    assert!(wait_until(REST, || async { bench.desk.ready(REPLIES[1]).await == 2 }).await, "the held ones are answered");
    assert_eq!(bench.desk.ready(INBOUND).await, 0);
    bench.stop();
}
