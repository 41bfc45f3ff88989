//! A look at what passes, through the broker's own tracer: copies only, in a queue that is ours alone, is bounded and goes when we go. Nothing is taken
//! from anybody. The tracer must be on: `rabbitmqctl trace_on`.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection};

use super::client::short;
use super::connect::{asked, connect_to_tracer, outage, words};
use super::settings::{AmqpSettings, Secret};
use crate::domain::outage::Outage;
use crate::pipeline::door::Rules;

/// Where the broker's tracer puts its copies.
const TRACER: &str = "amq.rabbitmq.trace";
/// How many copies wait for us at the broker, and how many octets of them; the oldest go when there are more, for a tap may miss what a gateway may not.
const KEPT: i64 = 2_000;
const KEPT_OCTETS: i64 = 64 * 1024 * 1024;
/// How many are on their way to us at once.
const PREFETCH: u16 = 100;

/// A copy of a message that passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passing {
    /// Handed to a consumer; else published.
    pub is_delivery: bool,
    /// The exchange that it was published to; empty for the default one.
    pub exchange: String,
    /// Where it went: the queues that took it, else the routing keys.
    pub queues: Vec<String>,
    /// Whether it came to any queue; `None` when its headers could not be read without harm.
    pub routed: Option<bool>,
    /// A delivery that was made before.
    pub redelivered: bool,
    /// Who sent it: the message's `user_id`, which the broker checked, else the connection's user.
    pub user: Option<String>,
    /// The AMQP `message_id`.
    pub message_id: Option<String>,
    /// The AMQP `correlation_id`.
    pub correlation_id: Option<String>,
    /// Where the answer is wished.
    pub reply_to: Option<String>,
    /// The octets.
    pub body: Vec<u8>,
}

/// The tap.
pub struct Tap {
    connection: Connection,
    channel: Channel,
    consumer: lapin::Consumer,
    /// Our own queue, whose name nobody else knows.
    queue: String,
}

impl Tap {
    /// Opens a tap; `name` tells its queue from another's.
    ///
    /// # Errors
    /// An outage when the broker cannot be reached, or the user may not bind to the tracer.
    pub async fn open(url: &Secret, name: &str) -> Result<Self, Outage> {
        let mut settings = AmqpSettings::new(url.clone(), std::sync::Arc::new(Rules::default()));
        "arkki tap".clone_into(&mut settings.connection_name);
        let connection = connect_to_tracer(&settings, "tracer").await?;
        let channel = asked(connection.create_channel()).await.map_err(|e| outage(words(&e)))?;
        let queue = format!("arkki.tap.{}.{name}", connection.status().username());
        let options = QueueDeclareOptions { passive: false, durable: false, exclusive: true, auto_delete: true, nowait: false };
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(KEPT));
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(KEPT_OCTETS));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
        asked(channel.queue_declare(short(&queue)?, options, arguments)).await.map_err(|e| outage(words(&e)))?;
        let bind = QueueBindOptions { nowait: false };
        asked(channel.queue_bind(short(&queue)?, TRACER.into(), "#".into(), bind, FieldTable::default())).await.map_err(|e| outage(words(&e)))?;
        asked(channel.basic_qos(PREFETCH, BasicQosOptions { global: false })).await.map_err(|e| outage(words(&e)))?;
        let options = BasicConsumeOptions { no_local: false, no_ack: false, exclusive: true, nowait: false };
        let consumer = asked(channel.basic_consume(short(&queue)?, "".into(), options, FieldTable::default())).await.map_err(|e| outage(words(&e)))?;
        Ok(Self { connection, channel, consumer, queue })
    }

    /// Whether the tracer is on: an empty message to a queue that does not exist must come by as a copy.
    ///
    /// # Errors
    /// An outage.
    pub async fn is_on(&mut self, within: Duration) -> Result<bool, Outage> {
        let nowhere = format!("{}.nowhere", self.queue);
        let options = BasicPublishOptions { mandatory: false, immediate: false };
        let sent = asked(self.channel.basic_publish("".into(), short(&nowhere)?, options, b"", BasicProperties::default())).await;
        drop(sent.map_err(|e| outage(words(&e)))?);
        let end = tokio::time::Instant::now() + within;
        // Ends with our own message, or in time.
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            match self.take(left).await? {
                Some(passing) if passing.queues == [nowhere.clone()] => return Ok(true),
                Some(_) => {}
                None => return Ok(false),
            }
        }
    }

    /// The next message that passed; `None` when none did in time.
    ///
    /// # Errors
    /// An outage when the connection is gone.
    pub async fn next(&mut self, within: Duration) -> Result<Option<Passing>, Outage> {
        let own = self.queue.clone();
        Ok(self.take(within).await?.filter(|passing| !passing.queues.iter().any(|queue| queue.starts_with(&own))))
    }

    async fn take(&mut self, within: Duration) -> Result<Option<Passing>, Outage> {
        let Ok(next) = tokio::time::timeout(within, self.consumer.next()).await else { return Ok(None) };
        let delivery = next.ok_or_else(|| outage("the tap's queue is gone"))?.map_err(|e| outage(words(&e)))?;
        asked(self.channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: false })).await.map_err(|e| outage(words(&e)))?;
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        Ok(Some(passing(delivery.routing_key.as_str(), &headers, delivery.data)))
    }

    /// Ends it; its queue goes with it.
    pub async fn close(self) {
        let _ = asked(self.connection.close(200, "OK".into())).await;
    }
}

/// What the tracer says beside the octets.
fn passing(key: &str, headers: &FieldTable, body: Vec<u8>) -> Passing {
    let table = FieldTable::default();
    let properties = match headers.inner().get("properties") {
        Some(AMQPValue::FieldTable(properties)) => properties,
        _ => &table,
    };
    let is_delivery = key.starts_with("deliver.");
    let routed = list(headers, "routed_queues");
    let queues = match key.strip_prefix("deliver.") {
        Some(queue) => vec![queue.to_owned()],
        None if routed.is_empty() => list(headers, "routing_keys"),
        None => routed.clone(),
    };
    Passing {
        is_delivery,
        exchange: text(headers, "exchange_name").unwrap_or_default(),
        queues,
        routed: if is_delivery { Some(true) } else { headers.inner().contains_key("node").then_some(!routed.is_empty()) },
        redelivered: matches!(headers.inner().get("redelivered"), Some(AMQPValue::LongInt(1) | AMQPValue::LongLongInt(1) | AMQPValue::Boolean(true))),
        user: text(properties, "user_id").or_else(|| text(headers, "user")).filter(|user| user != "none"),
        message_id: text(properties, "message_id"),
        correlation_id: text(properties, "correlation_id"),
        reply_to: text(properties, "reply_to"),
        body,
    }
}

fn text(table: &FieldTable, name: &str) -> Option<String> {
    table.inner().get(name).and_then(value)
}

fn list(table: &FieldTable, name: &str) -> Vec<String> {
    match table.inner().get(name) {
        Some(AMQPValue::FieldArray(values)) => values.as_slice().iter().filter_map(value).collect(),
        _ => Vec::new(),
    }
}

fn value(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}
