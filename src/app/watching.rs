//! Looks at running instances from outside: their `/metrics`, and the broker's queues where the management API is configured. For `arkki top` and the
//! console's board.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::broker_settings;
use crate::adapters::amqp::{AmqpSettings, depths};
use crate::adapters::clock::SystemClock;
use crate::adapters::scrape;
use crate::config::checked::{Config, ConfigFault};
use crate::ports::clock::Clock as _;
use crate::telemetry::snapshot::{Queue, Scrape, Snapshot, Watcher};

/// One who watches; remembers the look before, so each has its own.
pub struct Watching {
    instances: Vec<String>,
    settings: Arc<AmqpSettings>,
    watcher: Mutex<Watcher>,
}

impl Watching {
    /// Watches these instances (`host:port` of `[telemetry] listen`); none named: those of `[telemetry] instances`, else this configuration's own.
    ///
    /// # Errors
    /// A reply pattern that is none, or there is no instance to watch.
    pub fn new(config: &Config, instances: &[String]) -> Result<Self, ConfigFault> {
        let mut instances = instances.to_vec();
        if instances.is_empty() {
            instances.clone_from(&config.instances);
        }
        if instances.is_empty() {
            instances.extend(config.listen.map(|address| address.to_string()));
        }
        if instances.is_empty() {
            return Err(ConfigFault("there is no instance to watch: set [telemetry] listen or instances".into()));
        }
        Ok(Self { instances, settings: Arc::new(broker_settings(config)?), watcher: Mutex::new(Watcher::default()) })
    }

    /// Looks. An instance that does not answer is down, a management API that does not answer leaves the depths that the instances know.
    pub async fn look(&self) -> Snapshot {
        let scrape = |name: &String| {
            let name = name.clone();
            async move { Scrape { page: scrape::metrics(&name).await, name } }
        };
        let (scrapes, queues) = tokio::join!(join_all(self.instances.iter().map(scrape)), depths::everywhere(&self.settings));
        let queue = |d: depths::Depth| Queue { name: d.queue, role: d.role.to_owned(), messages: d.messages, consumers: d.consumers };
        let queues = queues.ok().flatten().unwrap_or_default().into_iter().map(queue).collect();
        self.watcher.lock().await.look(SystemClock.now(), &scrapes, queues)
    }
}
