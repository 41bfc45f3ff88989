//! The other side of the broker, by hand: fills the inbound queue, counts what lies in a queue, takes everything out of one.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use super::mix::Sent;

pub const INBOUND: &str = "arkki.inbound";
pub const DEAD: &str = "arkki.dead-letter";
/// How long the next message of a queue that holds some may take.
const NEXT: Duration = Duration::from_secs(30);
/// How many publications wait for their confirm at once.
const PIPELINED: usize = 100;

/// A message as it lay in a queue.
#[derive(Debug, Clone)]
pub struct Found {
    pub body: Vec<u8>,
    pub properties: BasicProperties,
    pub redelivered: bool,
    pub routing_key: String,
}

impl Found {
    pub fn message_id(&self) -> String {
        text(self.properties.message_id())
    }

    pub fn correlation(&self) -> String {
        text(self.properties.correlation_id())
    }

    /// Whether the broker counted an earlier delivery of it.
    pub fn came_back(&self) -> bool {
        let counted = self.properties.headers().as_ref().is_some_and(|h| h.inner().keys().any(|key| key.as_str() == "x-delivery-count"));
        counted || self.redelivered
    }
}

fn text(value: &Option<ShortString>) -> String {
    value.as_ref().map(|v| v.as_str().to_owned()).unwrap_or_default()
}

/// A connection as guest with one channel in confirm mode.
pub struct Desk {
    channel: Channel,
    connection: Connection,
}

impl Desk {
    pub async fn open(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("the broker takes guest");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirm mode");
        Self { channel, connection }
    }

    pub async fn close(self) {
        let _gone = self.connection.close(200, "done".into()).await;
    }

    /// A durable quorum queue, as a sender declares it for its answers.
    pub async fn declare(&self, queue: &str) {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, arguments).await.expect("a queue");
    }

    /// Messages ready in a queue that exists, at this moment and as the queue itself counts them.
    pub async fn ready(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.expect("the queue is there").message_count()
    }

    /// Into the inbound queue, each as guest, persistent, confirmed.
    pub async fn send(&self, messages: &[Sent]) {
        for some in messages.chunks(PIPELINED) {
            let mut letters = Vec::new();
            for message in some {
                let mut properties = BasicProperties::default()
                    .with_message_id(message.id.as_str().into())
                    .with_user_id("guest".into())
                    .with_content_type("application/xml".into());
                if let Some(reply) = message.reply {
                    properties = properties.with_reply_to(reply.into());
                }
                letters.push((message.octets.as_slice(), properties));
            }
            self.publish(letters).await;
        }
    }

    /// Into the inbound queue with these properties.
    pub async fn publish(&self, letters: impl IntoIterator<Item = (&[u8], BasicProperties)>) {
        self.publish_through("", letters).await;
    }

    /// Through an exchange, in this order.
    pub async fn publish_through(&self, exchange: &str, letters: impl IntoIterator<Item = (&[u8], BasicProperties)>) {
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let mut confirms = Vec::new();
        for (body, properties) in letters {
            let properties = properties.with_delivery_mode(2);
            confirms.push(self.channel.basic_publish(exchange.into(), INBOUND.into(), options, body, properties).await.expect("published"));
        }
        for confirm in confirms {
            assert!(matches!(confirm.await.expect("a confirm"), lapin::Confirmation::Ack(None)), "the broker took a message and routed it");
        }
    }

    /// Takes everything out of a queue that nobody else reads.
    pub async fn take_all(&self, queue: &str) -> Vec<Found> {
        let count = usize::try_from(self.ready(queue).await).unwrap();
        let mut all = Vec::with_capacity(count);
        let mut consumer =
            self.channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await.expect("a subscription");
        while all.len() < count {
            let next = tokio::time::timeout(NEXT, consumer.next()).await.unwrap_or_else(|_| panic!("{} of {count} of {queue} came", all.len()));
            let delivery = next.expect("the queue stays").expect("a delivery");
            self.channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await.expect("settled");
            let routing_key = delivery.routing_key.as_str().to_owned();
            all.push(Found { body: delivery.data, properties: delivery.properties, redelivered: delivery.redelivered, routing_key });
        }
        self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.expect("cancelled");
        all
    }
}
