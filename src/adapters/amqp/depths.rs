//! How many messages lie in which queue, by the management API where one is configured.

use std::sync::Arc;

use async_trait::async_trait;
use lapin::uri::AMQPUri;

use super::connect::outage;
use super::management::{Management, Said};
use super::partitions;
use super::settings::AmqpSettings;

use crate::domain::outage::Outage;
use crate::ports::broker::{Depths, QueueDepths};

/// Asks the management API.
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
impl Depths for AmqpDepths {
    async fn depths(&self) -> Result<Option<QueueDepths>, Outage> {
        let Some(url) = self.settings.management_url.clone() else { return Ok(None) };
        let own: AMQPUri = self.settings.url.reveal().parse().map_err(|_| outage("the broker's URL cannot be read"))?;
        let settings = Arc::clone(&self.settings);
        let look = move || {
            let credentials = (own.authority.userinfo.username.as_str(), own.authority.userinfo.password.as_str());
            match Management::new(&url, credentials, &own.vhost)?.queues()? {
                Said::This(list) => Ok(Some(sum(&list, &settings))),
                Said::Nothing | Said::NotForUs => Ok(None),
            }
        };
        tokio::task::spawn_blocking(look).await.map_err(|_| outage("the look at the management API broke off"))?
    }
}

fn sum(list: &serde_json::Value, settings: &AmqpSettings) -> QueueDepths {
    let inbound: Vec<String> =
        settings.inbound.iter().flat_map(|q| std::iter::once(q.queue.clone()).chain(partitions::queues(&q.queue, q.partitions))).collect();
    let mut depths = QueueDepths::default();
    for queue in list.as_array().into_iter().flatten() {
        let name = queue.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
        let messages = queue.get("messages").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if name == settings.dead_letter_queue {
            depths.dead_letters += messages;
        } else if inbound.iter().any(|ours| ours == name) {
            depths.inbound += messages;
        }
    }
    depths
}
