//! The other side's part, for `arkki send` and the demo: puts messages into an inbound queue and waits for their answers.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection};

use super::connect::{asked, connect, outage, words};
use super::publisher::{AmqpPublisher, Letter, Outgoing};
use super::settings::{AmqpSettings, Secret};
use super::topology::NO_LIMIT;
use crate::domain::outage::Outage;
use crate::pipeline::door::Rules;
use crate::ports::broker::Published;

/// How many answers may be on their way to us at once.
const PREFETCH: u16 = 200;

/// A sender's connection: one for what goes out, one for the answers.
pub struct AmqpClient {
    connection: Connection,
    publisher: AmqpPublisher,
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The AMQP `message_id`; copies of one answer bear the same.
    pub message_id: Option<String>,
    /// The AMQP `correlation_id`.
    pub correlation_id: Option<String>,
    /// The octets.
    pub body: Vec<u8>,
}

/// The answers of one reply queue, as they come.
pub struct Answers {
    channel: Channel,
    consumer: lapin::Consumer,
}

impl AmqpClient {
    /// Connects as the user of `url`.
    ///
    /// # Errors
    /// An outage when the broker cannot be reached or refuses the user.
    pub async fn connect(url: &Secret, name: &str) -> Result<Self, Outage> {
        let mut settings = AmqpSettings::new(url.clone(), Arc::new(Rules::default()));
        name.clone_into(&mut settings.connection_name);
        let connection = connect(&settings, "answers").await?;
        let publisher = AmqpPublisher::new(Arc::new(settings));
        publisher.await_up().await?;
        Ok(Self { connection, publisher })
    }

    /// The user we are to the broker: the one `user_id` that it lets pass.
    #[must_use]
    pub fn user(&self) -> String {
        self.connection.status().username()
    }

    /// Declares a durable quorum queue for answers, unless it is there already.
    ///
    /// # Errors
    /// An outage when the broker refuses: the name is taken by a queue of another kind, or the user may not.
    pub async fn declare_reply_queue(&self, queue: &str) -> Result<(), Outage> {
        self.declare(queue, None).await
    }

    /// As [`Self::declare_reply_queue`], a queue that the broker removes when nobody has used it for so long.
    ///
    /// # Errors
    /// As there.
    pub async fn declare_passing_reply_queue(&self, queue: &str, unused: Duration) -> Result<(), Outage> {
        self.declare(queue, Some(unused)).await
    }

    async fn declare(&self, queue: &str, unused: Option<Duration>) -> Result<(), Outage> {
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { passive: false, durable: true, exclusive: false, auto_delete: false, nowait: false };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(NO_LIMIT));
        if let Some(unused) = unused {
            arguments.insert("x-expires".into(), AMQPValue::LongLongInt(i64::try_from(unused.as_millis()).unwrap_or(i64::MAX)));
        }
        asked(channel.queue_declare(short(queue)?, options, arguments)).await.map_err(|e| outage(words(&e)))?;
        close(&channel).await;
        Ok(())
    }

    /// Publishes and waits for the confirm; many may wait at once.
    ///
    /// # Errors
    /// An outage when the broker refuses, is gone or does not confirm in time.
    pub async fn send(&self, message: Outgoing) -> Result<Published, Outage> {
        self.publisher.put(Letter::Own(message)).await
    }

    /// Begins to take the answers of a reply queue.
    ///
    /// # Errors
    /// An outage when there is no such queue or it may not be read.
    pub async fn answers(&self, queue: &str) -> Result<Answers, Outage> {
        let channel = self.channel().await?;
        asked(channel.basic_qos(PREFETCH, BasicQosOptions { global: false })).await.map_err(|e| outage(words(&e)))?;
        let options = BasicConsumeOptions { no_local: false, no_ack: false, exclusive: false, nowait: false };
        let consumer = asked(channel.basic_consume(short(queue)?, "".into(), options, FieldTable::default())).await.map_err(|e| outage(words(&e)))?;
        Ok(Answers { channel, consumer })
    }

    /// Ends the connections the orderly way.
    pub async fn close(self) {
        let _ = asked(self.connection.close(200, "OK".into())).await;
    }

    async fn channel(&self) -> Result<Channel, Outage> {
        asked(self.connection.create_channel()).await.map_err(|e| outage(words(&e)))
    }
}

impl Answers {
    /// The next answer, settled with the broker before it is given; `None` when none came in time.
    ///
    /// # Errors
    /// An outage when the connection is gone.
    pub async fn next(&mut self, within: Duration) -> Result<Option<Answer>, Outage> {
        let Ok(next) = tokio::time::timeout(within, self.consumer.next()).await else { return Ok(None) };
        let delivery = next.ok_or_else(|| outage("the reply queue is gone"))?.map_err(|e| outage(words(&e)))?;
        asked(self.channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: false })).await.map_err(|e| outage(words(&e)))?;
        let text = |value: &Option<ShortString>| value.as_ref().map(|v| v.as_str().to_owned());
        let (message_id, correlation_id) = (text(delivery.properties.message_id()), text(delivery.properties.correlation_id()));
        Ok(Some(Answer { message_id, correlation_id, body: delivery.data }))
    }
}

pub(super) fn short(name: &str) -> Result<ShortString, Outage> {
    ShortString::try_new(name).map_err(|_| outage("a queue's name is longer than AMQP can carry"))
}

async fn close(channel: &Channel) {
    let _ = asked(channel.close(200, "OK".into())).await;
}
