//! The RabbitMQ adapter against a real broker: the road in, the road out, the topology and its doctor, hostile properties.

mod dangers;
mod doctor;
pub(crate) mod hostile;
mod inbound;
mod outbound;
mod partitions;
pub(crate) mod raw;

use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::amqp::{AmqpClient, AmqpSettings, InboundQueue, Outgoing, Secret, topology};
use arkki::pipeline::door::Rules;
use arkki::ports::broker::{Delivery, Published, Settlement};
use tokio::sync::mpsc;

use crate::kit::rabbit::Vhost;

/// How long anything may take on a machine that builds beside the test.
const LONG: Duration = Duration::from_secs(60);
const IN: &str = "arkki.in";
const DEAD: &str = "arkki.dead";

fn settings(url: &str, prefetch: u16) -> AmqpSettings {
    let rules = Rules::new(true, [IN.to_owned(), DEAD.to_owned(), "arkki.notice".to_owned()]).with_default_route(Some("arkki.reply.route".into()));
    let mut settings = AmqpSettings::new(Secret::new(url), Arc::new(rules));
    settings.inbound.push(InboundQueue { name: "main".into(), queue: IN.into(), partitions: 0, prefetch, profile: "social".into(), sender: None });
    settings.backoff = (Duration::from_millis(50), Duration::from_millis(500));
    settings
}

/// Settings for a virtual host with the topology in place.
async fn prepared(vhost: &Vhost, prefetch: u16) -> Arc<AmqpSettings> {
    let settings = Arc::new(settings(&vhost.amqp_url, prefetch));
    let applied = topology::apply(&settings).await.unwrap();
    assert!(applied.iter().all(|a| a.fault.is_none()), "{applied:?}");
    settings
}

async fn client(settings: &AmqpSettings) -> AmqpClient {
    AmqpClient::connect(&settings.url, "test").await.unwrap()
}

fn message(number: usize) -> Outgoing {
    Outgoing { queue: IN.into(), message_id: Some(format!("m{number}")), body: Arc::new(format!("body {number}").into_bytes()), ..Outgoing::default() }
}

async fn publish(client: &AmqpClient, numbers: impl IntoIterator<Item = usize>) {
    let sent = futures_util::future::join_all(numbers.into_iter().map(|n| client.send(message(n)))).await;
    assert!(sent.iter().all(|s| *s == Ok(Published::Routed)), "{sent:?}");
}

async fn receive(deliveries: &mut mpsc::Receiver<Delivery>) -> Delivery {
    tokio::time::timeout(LONG, deliveries.recv()).await.expect("a delivery in time").expect("a consumer that goes on")
}

async fn receive_many(deliveries: &mut mpsc::Receiver<Delivery>, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        all.push(receive(deliveries).await);
    }
    all
}

/// Receives and settles one after the other; gives which they were, and whether they came again.
async fn work_off(deliveries: &mut mpsc::Receiver<Delivery>, count: usize) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    while all.len() < count {
        let delivery = receive(deliveries).await;
        all.push((delivery.envelope.message_id.clone().unwrap_or_default(), delivery.redelivered));
        delivery.settle.settle(Settlement::Done);
    }
    all
}

fn ids(deliveries: &[Delivery]) -> Vec<String> {
    let mut ids: Vec<_> = deliveries.iter().map(|d| d.envelope.message_id.clone().unwrap_or_default()).collect();
    ids.sort();
    ids
}

/// Ready and unacknowledged messages, as the broker counts them.
async fn lying(vhost: &Vhost, queue: &str) -> Option<(u64, u64)> {
    let (vhost, queue) = (vhost.clone(), queue.to_owned());
    tokio::task::spawn_blocking(move || {
        let (status, body) = vhost.api("GET", &format!("/api/queues/{}/{queue}", vhost.name), None);
        let queue: serde_json::Value = (status == 200).then(|| serde_json::from_str(&body).ok())??;
        Some((queue.get("messages_ready")?.as_u64()?, queue.get("messages_unacknowledged")?.as_u64()?))
    })
    .await
    .unwrap()
}
