//! The road in: taking, settling, pausing, closing, and what a lost connection does.

use std::time::{Duration, Instant};

use arkki::adapters::amqp::AmqpConsumer;
use arkki::ports::broker::Consumer;
use tokio::sync::mpsc;

use super::*;
use crate::kit::rabbit::{own_server, vhost};
use crate::kit::wait_until;

async fn started(settings: &Arc<AmqpSettings>) -> (AmqpConsumer, mpsc::Receiver<Delivery>) {
    let consumer = AmqpConsumer::new(Arc::clone(settings));
    let (sender, receiver) = mpsc::channel(16);
    consumer.start(sender).await.unwrap();
    assert!(consumer.is_up());
    (consumer, receiver)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_is_gone_what_is_quarantined_is_dead_lettered_what_is_dropped_comes_back() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 50).await;
    let client = client(&settings).await;
    let (consumer, mut deliveries) = started(&settings).await;
    publish(&client, 0..100).await;
    let mut dead = Vec::new();
    for (n, delivery) in receive_many(&mut deliveries, 40).await.into_iter().enumerate() {
        assert!(!delivery.redelivered);
        assert_eq!(delivery.envelope.octets.as_slice(), format!("body {n}").as_bytes());
        match n % 10 {
            3 => {
                dead.push(format!("m{n}"));
                delivery.settle.settle(Settlement::DeadLetter);
            }
            7 => drop(delivery),
            _ => delivery.settle.settle(Settlement::Done),
        }
    }
    // 60 were not seen yet, 4 were dropped and come again.
    let mut again: Vec<_> = work_off(&mut deliveries, 64).await.into_iter().filter(|(_, again)| *again).map(|(id, _)| id).collect();
    again.sort();
    assert_eq!(again, ["m17", "m27", "m37", "m7"]);
    consumer.close(LONG).await;
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((0, 0)) }).await, "an empty inbound queue");
    let mut answers = client.answers(DEAD).await.unwrap();
    let mut found = Vec::new();
    while found.len() < dead.len() {
        found.extend(answers.next(LONG).await.unwrap().expect("a dead letter").message_id);
    }
    assert_eq!(found, dead);
    assert_eq!(answers.next(Duration::from_millis(200)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_keeps_what_is_in_hand_and_takes_nothing_new() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 10).await;
    let client = client(&settings).await;
    let (consumer, mut deliveries) = started(&settings).await;
    publish(&client, 0..30).await;
    let hand = receive_many(&mut deliveries, 10).await;
    consumer.pause().await;
    // Cancelled at the broker, and the ten still ours.
    assert!(wait_until(LONG, || async { consumers(&vhost).await == Some(0) }).await);
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((20, 10)) }).await);
    hand.into_iter().for_each(|d| d.settle.settle(Settlement::Done));
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((20, 0)) }).await, "settled during the pause");
    assert!(deliveries.try_recv().is_err());
    for _ in 0..3 {
        consumer.resume().await;
        consumer.pause().await;
    }
    consumer.resume().await;
    assert!(work_off(&mut deliveries, 20).await.iter().all(|(_, again)| !again), "a pause burns no attempt");
    consumer.close(LONG).await;
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((0, 0)) }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_takes_too_long_hands_back_and_begins_anew() {
    let vhost = vhost().await;
    let mut settings = settings(&vhost.amqp_url, 10);
    settings.in_hand = Duration::from_millis(300);
    topology::apply(&settings).await.unwrap();
    let settings = Arc::new(settings);
    let client = client(&settings).await;
    let (consumer, mut deliveries) = started(&settings).await;
    publish(&client, 0..5).await;
    let hand = receive_many(&mut deliveries, 5).await;
    consumer.pause().await;
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((5, 0)) }).await, "the channel was closed");
    assert!(consumer.is_up());
    // These belong to a channel that is gone: settling them must change nothing.
    hand.into_iter().for_each(|d| d.settle.settle(Settlement::Done));
    consumer.resume().await;
    let again = receive_many(&mut deliveries, 5).await;
    assert!(again.iter().all(|d| d.redelivered));
    assert_eq!(ids(&again), ["m0", "m1", "m2", "m3", "m4"]);
    again.into_iter().for_each(|d| d.settle.settle(Settlement::Done));
    consumer.close(LONG).await;
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((0, 0)) }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_comes_back_and_old_settlements_touch_nothing_new() {
    let server = tokio::task::spawn_blocking(own_server).await.unwrap();
    let vhost = server.vhost().await;
    let settings = prepared(&vhost, 20).await;
    let sender = client(&settings).await;
    let (consumer, mut deliveries) = started(&settings).await;
    publish(&sender, 0..40).await;
    let old = receive_many(&mut deliveries, 20).await;
    tokio::task::block_in_place(|| server.kill9());
    assert!(wait_until(LONG, || async { !consumer.is_up() }).await, "the loss is seen");
    tokio::task::block_in_place(|| server.start());
    assert!(wait_until(LONG, || async { consumer.is_up() }).await, "back by itself");
    // The same tags, 1 to 20, now name other deliveries: of the old handles half are settled, half quarantined, and none of it may count.
    let new = receive_many(&mut deliveries, 20).await;
    for (n, delivery) in old.into_iter().enumerate() {
        delivery.settle.settle(if n % 2 == 0 { Settlement::Done } else { Settlement::DeadLetter });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((20, 20)) }).await, "all forty are still the broker's");
    let mut seen = ids(&new);
    new.into_iter().for_each(|d| d.settle.settle(Settlement::Done));
    let rest = receive_many(&mut deliveries, 20).await;
    seen.extend(ids(&rest));
    rest.into_iter().for_each(|d| d.settle.settle(Settlement::Done));
    seen.sort();
    let mut want: Vec<_> = (0..40).map(|n| format!("m{n}")).collect();
    want.sort();
    assert_eq!(seen, want, "each exactly once after the restart");
    consumer.close(LONG).await;
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((0, 0)) && lying(&vhost, DEAD).await == Some((0, 0)) }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_works_off_everything_in_hand_and_hands_nothing_back() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 100).await;
    let client = client(&settings).await;
    publish(&client, 0..300).await;
    let consumer = AmqpConsumer::new(Arc::clone(&settings));
    // A pipeline that takes one at a time, slowly.
    let (sender, mut deliveries) = mpsc::channel(1);
    consumer.start(sender).await.unwrap();
    let work = tokio::spawn(async move {
        let mut done = 0;
        while let Some(delivery) = deliveries.recv().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
            delivery.settle.settle(Settlement::Done);
            done += 1;
        }
        done
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    consumer.close(LONG).await;
    assert!(!consumer.is_up());
    let done = work.await.unwrap();
    assert!(done < 300, "closed in the middle");
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((300 - done, 0)) }).await);
    let (second, mut deliveries) = started(&settings).await;
    let rest = receive_many(&mut deliveries, usize::try_from((300 - done).min(100)).unwrap()).await;
    assert!(rest.iter().all(|d| !d.redelivered), "nothing was handed back");
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_delivery_does_not_hold_up_the_others() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 10).await;
    let client = client(&settings).await;
    let (consumer, mut deliveries) = started(&settings).await;
    publish(&client, 0..60).await;
    let slow = receive(&mut deliveries).await;
    let since = Instant::now();
    work_off(&mut deliveries, 59).await;
    println!("59 past a slow one in {:?}", since.elapsed());
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((0, 1)) }).await);
    slow.settle.settle(Settlement::Done);
    consumer.close(LONG).await;
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((0, 0)) }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_or_its_queue_the_start_says_why() {
    let vhost = vhost().await;
    let mut settings = settings(&vhost.amqp_url, 10);
    settings.start_timeout = Duration::from_secs(2);
    let (sender, _deliveries) = mpsc::channel(1);
    let missing = AmqpConsumer::new(Arc::new(settings.clone())).start(sender.clone()).await.unwrap_err();
    assert!(missing.detail.contains("NOT_FOUND") && missing.detail.contains(IN), "{missing}");
    settings.url = Secret::new("amqp://guest:verysecret@127.0.0.1:1/%2f");
    let gone = AmqpConsumer::new(Arc::new(settings.clone())).start(sender).await.unwrap_err();
    assert!(gone.detail.contains("127.0.0.1:1") && !gone.detail.contains("verysecret"), "{gone}");
    assert!(!format!("{settings:?}").contains("verysecret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_vanishes_and_returns_is_consumed_again_and_does_not_disturb_the_other() {
    let vhost = vhost().await;
    let mut settings = settings(&vhost.amqp_url, 10);
    settings.inbound.push(InboundQueue {
        name: "other".into(),
        queue: "arkki.other".into(),
        partitions: 0,
        prefetch: 5,
        profile: "social".into(),
        sender: Some("espoo".into()),
    });
    topology::apply(&settings).await.unwrap();
    let settings = Arc::new(settings);
    let client = client(&settings).await;
    let (consumer, mut deliveries) = started(&settings).await;
    client.send(Outgoing { queue: "arkki.other".into(), ..message(1) }).await.unwrap();
    let kept = receive(&mut deliveries).await;
    assert_eq!((kept.envelope.inbound.as_str(), kept.envelope.sender.as_ref().map(|s| s.as_str())), ("other", Some("espoo")));
    let (status, _) = tokio::task::block_in_place(|| vhost.api("DELETE", &format!("/api/queues/{}/{IN}", vhost.name), None));
    assert_eq!(status, 204);
    topology::apply(&settings).await.unwrap();
    publish(&client, 2..3).await;
    let new = receive(&mut deliveries).await;
    assert_eq!(new.envelope.message_id.as_deref(), Some("m2"));
    kept.settle.settle(Settlement::Done);
    new.settle.settle(Settlement::Done);
    consumer.close(LONG).await;
    assert!(wait_until(LONG, || async { lying(&vhost, "arkki.other").await == Some((0, 0)) }).await, "the other channel lived on");
}

async fn consumers(vhost: &Vhost) -> Option<usize> {
    let vhost = vhost.clone();
    tokio::task::spawn_blocking(move || {
        let (_, body) = vhost.api("GET", &format!("/api/consumers/{}", vhost.name), None);
        Some(serde_json::from_str::<serde_json::Value>(&body).ok()?.as_array()?.len())
    })
    .await
    .unwrap()
}

/// A cancel while acknowledgements make room: what the broker sends into that room comes after its answer to the cancel.
#[tokio::test(flavor = "multi_thread")]
async fn no_delivery_comes_back_after_an_orderly_close_at_any_moment() {
    const COUNT: usize = 1_500;
    let vhost = vhost().await;
    let settings = prepared(&vhost, 16).await;
    publish(&client(&settings).await, 0..COUNT).await;
    let (mut seen, mut rounds, mut back) = (0, 0, 0);
    while seen < COUNT {
        rounds += 1;
        let consumer = AmqpConsumer::new(Arc::clone(&settings));
        let (deliveries_in, mut deliveries) = mpsc::channel(1);
        consumer.start(deliveries_in).await.unwrap();
        let work = tokio::spawn(async move {
            let mut came = Vec::new();
            while let Some(delivery) = deliveries.recv().await {
                came.push(delivery.redelivered);
                delivery.settle.settle(Settlement::Done);
            }
            came
        });
        // A moment of its own each round, so that the close meets every state; nothing is awaited by it.
        tokio::time::sleep(std::time::Duration::from_micros(rounds * 997 % 20_000)).await;
        consumer.close(LONG).await;
        drop(consumer);
        let came = work.await.unwrap();
        seen += came.len();
        back += came.iter().filter(|redelivered| **redelivered).count();
    }
    assert_eq!((seen, back), (COUNT, 0), "in {rounds} rounds");
    assert!(rounds > 5, "{rounds} rounds: the queue was emptied before the close could meet anything");
}
