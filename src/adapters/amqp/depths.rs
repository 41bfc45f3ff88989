//! How many messages wait in our queues and who reads them: by passive declarations on a connection of its own, which needs no management API and
//! changes nothing; and, where there is one, every queue of the virtual host by the management API.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection};
use serde_json::Value;

use super::client::short;
use super::connect::{asked, connect, outage, words};
use super::management::{Management, Said};
use super::settings::{AmqpSettings, InboundQueue};
use crate::domain::outage::Outage;
use crate::ports::broker::{self, QueueDepths};

/// A queue that is not there is looked for again after so many looks: each one ends a channel and writes a line into the broker's log.
const MISSING_LOOKS: u32 = 12;

/// How a queue stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// Its name.
    pub queue: String,
    /// What it is to us: inbound, dead-letter, notice, reply, or nothing.
    pub role: &'static str,
    /// Messages that wait; by the management API those handed over and not settled too.
    pub messages: u64,
    /// Who reads it.
    pub consumers: u64,
}

/// Looks at our queues, on a connection that is made when it is needed.
pub struct Depths {
    settings: Arc<AmqpSettings>,
    line: Option<(Connection, Channel)>,
    missing: BTreeMap<String, u32>,
}

impl Depths {
    /// For the queues of these settings.
    #[must_use]
    pub fn new(settings: Arc<AmqpSettings>) -> Self {
        Self { settings, line: None, missing: BTreeMap::new() }
    }

    /// Looks once.
    ///
    /// # Errors
    /// An outage: the connection is made anew at the next look.
    pub async fn look(&mut self) -> Result<Vec<Depth>, Outage> {
        let mut depths = Vec::new();
        for (queue, role) in ours(&self.settings) {
            if let Some(left) = self.missing.get_mut(&queue)
                && *left > 0
            {
                *left -= 1;
                continue;
            }
            match self.ask(&queue).await? {
                Some((messages, consumers)) => {
                    self.missing.remove(&queue);
                    depths.push(Depth { queue, role, messages, consumers });
                }
                None => {
                    self.missing.insert(queue, MISSING_LOOKS);
                }
            }
        }
        Ok(depths)
    }

    /// Messages and consumers; `None` for a queue that is not there or may not be seen.
    async fn ask(&mut self, queue: &str) -> Result<Option<(u64, u64)>, Outage> {
        let (connection, channel) = match self.line.take() {
            Some(line) if line.0.status().connected() && line.1.status().connected() => line,
            Some((connection, _)) if connection.status().connected() => {
                let channel = asked(connection.create_channel()).await.map_err(|e| outage(words(&e)))?;
                (connection, channel)
            }
            _ => {
                let connection = connect(&self.settings, "depths").await?;
                let channel = asked(connection.create_channel()).await.map_err(|e| outage(words(&e)))?;
                (connection, channel)
            }
        };
        let options = QueueDeclareOptions { passive: true, durable: true, exclusive: false, auto_delete: false, nowait: false };
        let seen = asked(channel.queue_declare(short(queue)?, options, FieldTable::default())).await;
        let is_connected = connection.status().connected();
        self.line = Some((connection, channel));
        match seen {
            Ok(queue) => Ok(Some((u64::from(queue.message_count()), u64::from(queue.consumer_count())))),
            Err(error) if !is_connected => {
                self.line = None;
                Err(outage(words(&error)))
            }
            Err(_) => Ok(None),
        }
    }
}

/// Every queue of the virtual host, by the management API; `None` without one, or where it does not show them to us.
///
/// # Errors
/// An outage when it does not answer.
pub async fn everywhere(settings: &Arc<AmqpSettings>) -> Result<Option<Vec<Depth>>, Outage> {
    let Some(url) = settings.management_url.clone() else { return Ok(None) };
    let own: AMQPUri = settings.url.reveal().parse().map_err(|_| outage("the broker's URL cannot be read"))?;
    let ours: BTreeMap<String, &'static str> = ours(settings).into_iter().collect();
    let look = move || {
        let credentials = (own.authority.userinfo.username.as_str(), own.authority.userinfo.password.as_str());
        let management = Management::new(&url, credentials, &own.vhost)?;
        let Said::This(Value::Array(list)) = management.depths()? else { return Ok(None) };
        let depth = |queue: &Value| {
            let number = |key: &str| queue.get(key).and_then(Value::as_u64).unwrap_or(0);
            let name = queue.get("name").and_then(Value::as_str)?.to_owned();
            let role = ours.get(&name).copied().unwrap_or(if name.starts_with("arkki.reply.") { "reply" } else { "" });
            Some(Depth { queue: name, role, messages: number("messages"), consumers: number("consumers") })
        };
        Ok(Some(list.iter().filter_map(depth).collect()))
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| Err(outage("the look at the management API broke off")))
}

/// What the reconciler asks of the broker, by the management API.
pub struct AmqpDepths {
    settings: Arc<AmqpSettings>,
}

impl AmqpDepths {
    /// Who asks; nothing is opened yet.
    #[must_use]
    pub const fn new(settings: Arc<AmqpSettings>) -> Self {
        Self { settings }
    }
}

#[async_trait]
impl broker::Depths for AmqpDepths {
    async fn depths(&self) -> Result<Option<QueueDepths>, Outage> {
        let sum = |depths: &[Depth], role| depths.iter().filter(|depth| depth.role == role).map(|depth| depth.messages).sum();
        let depths = everywhere(&self.settings).await?;
        Ok(depths.map(|depths| QueueDepths { inbound: sum(&depths, "inbound"), dead_letters: sum(&depths, "dead-letter") }))
    }
}

/// The queues of the configuration, each with what it is to us.
fn ours(settings: &AmqpSettings) -> Vec<(String, &'static str)> {
    let inbound = settings.inbound.iter().flat_map(InboundQueue::sources).map(|source| (source.queue, "inbound"));
    let dead = std::iter::once((settings.dead_letter_queue.clone(), "dead-letter"));
    let notices = settings.notice_queues.iter().cloned().map(|queue| (queue, "notice"));
    let replies = settings.rules.routes().into_iter().map(|queue| (queue.to_owned(), "reply"));
    inbound.chain(dead).chain(notices).chain(replies).filter(|(queue, _)| !queue.is_empty()).collect()
}
