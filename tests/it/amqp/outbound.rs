//! The road out: routed, unroutable, refused, many at once; and whom the broker lets speak for whom.

use std::time::{Duration, Instant};

use arkki::adapters::amqp::{AmqpConsumer, AmqpPublisher};
use arkki::domain::outbox::{OutboxEntry, OutboxId};
use arkki::ports::broker::{Consumer, Publisher};

use super::*;
use crate::kit::rabbit::{own_server, vhost};
use crate::kit::wait_until;

fn entry(number: i64, queue: &str) -> Arc<OutboxEntry> {
    Arc::new(OutboxEntry {
        id: OutboxId(number),
        amqp_id: format!("a{number}"),
        queue: queue.into(),
        correlation: Some(format!("c{number}")),
        content_type: "application/xml".into(),
        body: vec![b'x'; 2048],
        attempts: 0,
        trace: None,
    })
}

async fn publisher(settings: &Arc<AmqpSettings>) -> AmqpPublisher {
    let publisher = AmqpPublisher::new(Arc::clone(settings));
    publisher.await_up().await.unwrap();
    publisher
}

/// lapin hangs a return on whichever confirm comes next; with routed and unroutable ones mixed and hundreds in flight each must still get its own.
#[tokio::test(flavor = "multi_thread")]
async fn among_many_in_flight_each_learns_its_own_fate() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 10).await;
    let publisher = publisher(&settings).await;
    let client = client(&settings).await;
    client.declare_reply_queue("arkki.reply.x.1").await.unwrap();
    let since = Instant::now();
    let mut routed = std::collections::BTreeSet::new();
    for round in 0..10 {
        let wants: Vec<_> = (0..400).map(|n| (round * 400 + n, (n * 7919 + round * 31) % 3 == 0)).collect();
        let sends = wants.iter().map(|(n, lost)| publisher.publish(entry(*n, if *lost { "arkki.reply.x.nowhere" } else { "arkki.reply.x.1" })));
        let fates = futures_util::future::join_all(sends).await;
        for ((n, lost), fate) in wants.iter().zip(fates) {
            assert_eq!(fate, Ok(if *lost { Published::Unroutable } else { Published::Routed }), "{n}");
            if !lost {
                routed.insert(format!("a{n}"));
            }
        }
    }
    println!("4000 mixed publications confirmed in {:?}", since.elapsed());
    let mut answers = client.answers("arkki.reply.x.1").await.unwrap();
    let mut found = std::collections::BTreeSet::new();
    while found.len() < routed.len() {
        let answer = answers.next(LONG).await.unwrap().expect("an answer");
        let id = answer.message_id.unwrap();
        assert_eq!(answer.correlation_id.unwrap()[1..], id[1..]);
        assert!(found.insert(id));
    }
    assert_eq!(found, routed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_that_is_an_outage() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 10).await;
    let publisher = publisher(&settings).await;
    let body = r#"{"durable":true,"arguments":{"x-queue-type":"classic","x-max-length":1,"x-overflow":"reject-publish"}}"#;
    let (status, _) = tokio::task::block_in_place(|| vhost.api("PUT", &format!("/api/queues/{}/full", vhost.name), Some(body)));
    assert_eq!(status, 201);
    assert_eq!(publisher.publish(entry(1, "full")).await, Ok(Published::Routed));
    let mut refused = 0;
    for n in 2..6 {
        refused += usize::from(publisher.publish(entry(n, "full")).await.is_err_and(|o| o.detail.contains("nack")));
    }
    assert!(refused >= 3, "{refused}");
    assert!(publisher.is_up(), "a nack is that message's trouble alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_is_an_outage_at_once_and_then_comes_back() {
    let server = tokio::task::spawn_blocking(own_server).await.unwrap();
    let vhost = server.vhost().await;
    let settings = prepared(&vhost, 10).await;
    let publisher = publisher(&settings).await;
    assert_eq!(publisher.publish(entry(1, "arkki.reply.route")).await, Ok(Published::Routed));
    tokio::task::block_in_place(|| server.kill9());
    let since = Instant::now();
    let fates = futures_util::future::join_all((2..200).map(|n| publisher.publish(entry(n, "arkki.reply.route")))).await;
    assert!(fates.iter().all(Result::is_err));
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    tokio::task::block_in_place(|| server.start());
    assert!(wait_until(LONG, || async { publisher.publish(entry(1, "arkki.reply.route")).await == Ok(Published::Routed) }).await, "back by itself");
}

/// A broker that neither answers nor goes away: every caller has its answer in time, and things go on when it wakes.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_falls_silent_is_an_outage_in_time() {
    let server = tokio::task::spawn_blocking(own_server).await.unwrap();
    let vhost = server.vhost().await;
    let mut settings = settings(&vhost.amqp_url, 10);
    settings.confirm_timeout = Duration::from_secs(2);
    topology::apply(&settings).await.unwrap();
    let publisher = publisher(&Arc::new(settings)).await;
    let pid = server.pid().unwrap().to_string();
    let signal = |name: &str| assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    signal("-STOP");
    let since = Instant::now();
    let fates = futures_util::future::join_all((0..100).map(|n| publisher.publish(entry(n, "arkki.reply.route")))).await;
    let waited = since.elapsed();
    let next = publisher.publish(entry(200, "arkki.reply.route")).await;
    let in_all = since.elapsed();
    signal("-CONT");
    assert!(fates.iter().all(|f| f.as_ref().is_err_and(|o| o.detail.contains("no confirm"))), "{fates:?}");
    assert!(waited < Duration::from_secs(6) && in_all < Duration::from_secs(7) && next.is_err(), "{waited:?} {in_all:?} {next:?}");
    assert!(wait_until(LONG, || async { publisher.publish(entry(1, "arkki.reply.route")).await == Ok(Published::Routed) }).await, "back by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_amqp_cannot_carry_hurts_nobody_else() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 10).await;
    let publisher = publisher(&settings).await;
    let long = "q".repeat(300);
    let (bad, good) = tokio::join!(publisher.publish(entry(1, &long)), publisher.publish(entry(2, "arkki.reply.route")));
    assert!(bad.is_err());
    assert_eq!(good, Ok(Published::Routed));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_verifies_the_user_and_the_door_believes_only_that() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 10).await;
    let user = format!("espoo-{}", vhost.name);
    let url = tokio::task::block_in_place(|| vhost.user(&user, "secret"));
    let espoo = AmqpClient::connect(&Secret::new(url), "espoo").await.unwrap();
    assert_eq!(espoo.user(), user);
    let consumer = AmqpConsumer::new(Arc::clone(&settings));
    let (sender, mut deliveries) = mpsc::channel(16);
    consumer.start(sender).await.unwrap();
    let forged = espoo.send(Outgoing { user_id: Some("guest".into()), ..message(1) }).await.unwrap_err();
    assert!(forged.detail.contains("user_id") || forged.detail.contains("PRECONDITION"), "{forged}");
    // The publisher comes back by itself after the broker closed its channel.
    let own = format!("arkki.reply.{user}.1");
    let honest = || Outgoing { user_id: Some(user.clone()), reply_to: Some(own.clone()), ..message(2) };
    assert!(wait_until(LONG, || async { espoo.send(honest()).await == Ok(Published::Routed) }).await);
    let delivery = receive(&mut deliveries).await;
    assert_eq!(delivery.envelope.sender.as_ref().map(|s| s.as_str()), Some(user.as_str()));
    let reply = delivery.envelope.reply.clone().unwrap();
    assert_eq!((reply.queue, reply.correlation.as_deref()), (own, Some("m2")));
    delivery.settle.settle(Settlement::Done);
    for stolen in [IN, DEAD, "arkki.notice", "arkki.reply.guest.1", "amq.rabbitmq.reply-to.x"] {
        let wish = Outgoing { user_id: Some(user.clone()), reply_to: Some(stolen.into()), ..message(3) };
        assert_eq!(espoo.send(wish).await, Ok(Published::Routed));
        let delivery = receive(&mut deliveries).await;
        assert_eq!(delivery.envelope.reply.clone().unwrap().queue, "arkki.reply.route", "{stolen}");
        delivery.settle.settle(Settlement::Done);
    }
    consumer.close(LONG).await;
}
