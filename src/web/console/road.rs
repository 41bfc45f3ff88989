//! The way to the gateway: the inbound queue and a reply queue of this console's own, as for every other sender.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::adapters::amqp::{AmqpClient, Outgoing, Secret};
use crate::adapters::embedded::{EmbeddedBroker, Letter};
use crate::cli::send::Way;
use crate::domain::outage::Outage;
use crate::ports::broker::Published;
use crate::ports::clock::Entropy;
use crate::v3::ack::{self, AckRead};

/// How long the broker may take to be reached before the page says that it is not.
const REACH: Duration = Duration::from_secs(10);
/// How long a page waits for an acknowledgement; the gateway answers in milliseconds unless something is out of its reach.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a page waits for its turn: one message is on its way at a time, since answers come by one queue.
const TURN: Duration = Duration::from_secs(30);
/// How long the reply queue stands after the last console that used it.
const UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends, and waits for the answer.
pub struct Road {
    line: Line,
    /// Names this console among others of the same user: answers come to the one that asked.
    run: String,
    turn: Semaphore,
}

/// Over which broker.
enum Line {
    /// RabbitMQ, and the way to the inbound queue.
    Broker(Secret, Box<Way>),
    /// The demo's own, and its inbound queue.
    Embedded(EmbeddedBroker, String),
}

/// What became of a message.
pub enum Ending {
    /// Its acknowledgement.
    Answered(Box<AckRead>),
    /// It left, or may have left, and no answer came in time.
    Unanswered,
    /// It did not leave; for operators, why.
    Away(String),
    /// Others were before it for too long.
    Busy,
}

impl Road {
    /// A road to this broker.
    #[must_use]
    pub fn new(url: Secret, way: Way, entropy: &dyn Entropy) -> Self {
        Self::over(Line::Broker(url, Box::new(way)), entropy)
    }

    /// A road in this process, to the demo's gateway.
    #[must_use]
    pub fn embedded(broker: EmbeddedBroker, queue: &str, entropy: &dyn Entropy) -> Self {
        Self::over(Line::Embedded(broker, queue.to_owned()), entropy)
    }

    fn over(line: Line, entropy: &dyn Entropy) -> Self {
        let run = entropy.sixteen().iter().take(6).map(|octet| format!("{octet:02x}")).collect();
        Self { line, run, turn: Semaphore::new(1) }
    }

    /// Sends a message and waits. Sending the same octets once more is safe: the gateway repeats its answer.
    pub async fn send(&self, message: Vec<u8>, id: String) -> Ending {
        let Ok(Ok(_turn)) = tokio::time::timeout(TURN, self.turn.acquire()).await else { return Ending::Busy };
        let away = |outage: Outage| Ending::Away(outage.to_string());
        let (url, way) = match &self.line {
            Line::Broker(url, way) => (url, way),
            Line::Embedded(broker, queue) => return self.within(broker, queue, message, id).await.unwrap_or_else(away),
        };
        let client = match tokio::time::timeout(REACH, AmqpClient::connect(url, "arkki console")).await {
            Ok(Ok(client)) => client,
            Ok(Err(outage)) => return away(outage),
            Err(_) => return Ending::Away("the broker does not answer".to_owned()),
        };
        let ending = self.exchange(&client, way, message, id).await.unwrap_or_else(away);
        client.close().await;
        ending
    }

    /// As [`Self::exchange`], over the broker of this process.
    async fn within(&self, broker: &EmbeddedBroker, queue: &str, message: Vec<u8>, id: String) -> Result<Ending, Outage> {
        let reply = format!("arkki.reply.anonymous.console-{}", self.run);
        broker.declare(&reply);
        let (reply_to, content_type) = (Some(reply.clone()), Some("application/xml".to_owned()));
        broker.put(queue, Letter { message_id: Some(id.clone()), reply_to, content_type, body: Arc::new(message), ..Letter::default() })?;
        // Ends with our answer, or with the patience.
        while let Some(answer) = broker.take(&reply, PATIENCE).await {
            if answer.correlation_id.as_deref() == Some(&id) {
                return Ok(ack::read(&answer.body).map_or(Ending::Unanswered, |answer| Ending::Answered(Box::new(answer))));
            }
        }
        Ok(Ending::Unanswered)
    }

    async fn exchange(&self, client: &AmqpClient, way: &Way, message: Vec<u8>, id: String) -> Result<Ending, Outage> {
        let user = client.user();
        let reply = format!("arkki.reply.{user}.console-{}", self.run);
        client.declare_passing_reply_queue(&reply, UNUSED).await?;
        let mut answers = client.answers(&reply).await?;
        let outgoing = Outgoing {
            queue: way.queue().to_owned(),
            through: way.through(&message)?,
            message_id: Some(id.clone()),
            correlation_id: None,
            reply_to: Some(reply),
            content_type: Some("application/xml".into()),
            user_id: Some(user),
            body: Arc::new(message),
        };
        match client.send(outgoing).await {
            Ok(Published::Unroutable) => return Ok(Ending::Away(format!("there is no queue {}: run `arkki topology apply`", way.queue()))),
            Ok(_) => {}
            // The confirm is missing, not for certain the message.
            Err(_) => return Ok(Ending::Unanswered),
        }
        let waited = tokio::time::timeout(PATIENCE, async {
            // Ends with our answer, or with the patience: answers of an earlier attempt may lie before it.
            while let Ok(Some(answer)) = answers.next(PATIENCE).await {
                if answer.correlation_id.as_deref() == Some(&id) {
                    return ack::read(&answer.body).ok();
                }
            }
            None
        });
        Ok(waited.await.ok().flatten().map_or(Ending::Unanswered, |answer| Ending::Answered(Box::new(answer))))
    }
}
