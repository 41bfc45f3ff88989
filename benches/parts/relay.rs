//! The ceiling: the same messages through the same two AMQP adapters and nothing between them. Take, publish an answer's size confirmed, settle.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arkki::adapters::amqp::{AmqpConsumer, AmqpPublisher, AmqpSettings, InboundQueue, Secret};
use arkki::domain::outbox::{OutboxEntry, OutboxId};
use arkki::pipeline::door::Rules;
use arkki::ports::broker::{Consumer as _, Published, Publisher as _, Settlement};

use crate::gateway::{Gateway, row};
use crate::{cpu, sender};

/// Where its answers come out.
const REPLIES: &str = "arkki.reply.guest.relay";
/// An acknowledgement's size.
const ANSWER: usize = 1_700;

pub async fn run(gateway: &Gateway, count: usize, octets: usize) -> String {
    let client = sender::client(&gateway.vhost.amqp_url, REPLIES).await;
    sender::fill(&client, REPLIES, 3, count, octets).await;
    let inbound = InboundQueue { name: "main".into(), queue: sender::INBOUND.into(), partitions: 0, prefetch: 256, profile: String::new(), sender: None };
    let rules = Arc::new(Rules::default());
    let settings = Arc::new(AmqpSettings { inbound: vec![inbound], ..AmqpSettings::new(Secret::new(&gateway.vhost.amqp_url), rules) });
    let publisher = Arc::new(AmqpPublisher::new(Arc::clone(&settings)));
    publisher.await_up().await.expect("the broker takes us");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, own) = (gateway.cost(), cpu::of(std::process::id()));
    let (deliver, mut deliveries) = tokio::sync::mpsc::channel(64);
    let consumer = AmqpConsumer::new(settings);
    let began = Instant::now();
    consumer.start(deliver).await.expect("the broker gives");
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..count {
        let delivery = deliveries.recv().await.expect("a delivery");
        let publisher = Arc::clone(&publisher);
        under_way.spawn(async move {
            let reply = delivery.envelope.reply.expect("a reply address");
            let entry = OutboxEntry {
                id: OutboxId(i64::try_from(number).expect("a count")),
                amqp_id: format!("relay-{number}"),
                queue: reply.queue,
                correlation: reply.correlation,
                content_type: "application/xml".into(),
                body: vec![b'a'; ANSWER],
                attempts: 0,
                trace: None,
            };
            assert_eq!(publisher.publish(Arc::new(entry)).await.expect("confirmed"), Published::Routed);
            delivery.settle.settle(Settlement::Done);
        });
    }
    while under_way.join_next().await.is_some() {}
    let seconds = began.elapsed().as_secs_f64();
    let own = cpu::of(std::process::id()) - own;
    consumer.close(Duration::from_secs(30)).await;
    drop(publisher);
    let after = gateway.cost();
    let mut answers = client.answers(REPLIES).await.expect("answers");
    for _ in 0..count {
        answers.next(Duration::from_secs(60)).await.expect("the broker answers").expect("an answer");
    }
    client.close().await;
    row("bare relay (ceiling)", count, seconds, own, before, after, None)
}
