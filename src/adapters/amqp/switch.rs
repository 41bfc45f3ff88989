//! Another number of partitions, while messages flow: bind the new queues, unbind the old ones, let them run empty, delete them. Each step is found done or
//! not done at the broker itself, so a switch that was broken off is ended by the next one, whatever it is to. No order is promised between a client's
//! messages in an old queue and those in a new one: the archive holds what comes too early.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lapin::options::{QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection};
use serde_json::Value;

use super::client::short;
use super::connect::{asked, connect, outage, words};
use super::management::{Management, Said};
use super::partition_check::{bindings, depth, knows_type, names};
use super::partitions;
use super::settings::{AmqpSettings, InboundQueue};
use super::topology::{Declaration, declare, fault, open, partition_plan, quoted};
use crate::domain::outage::Outage;

/// How long a queue must be seen empty before it is deleted. RabbitMQ counts what instances have in hand every five seconds and shows the count five seconds
/// later at the latest; what is in hand longer than that is seen.
const STILL: Duration = Duration::from_secs(12);
/// How often the depths are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long the depth of a queue made a moment ago may be unknown.
const UNSEEN: Duration = Duration::from_secs(15);

/// One step that was taken, or what is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An exchange or a queue stands.
    Declared(String),
    /// Messages go to this queue from now on.
    Bound(String),
    /// Messages go to this queue no more.
    Unbound(String),
    /// This queue is not empty yet.
    Draining {
        /// The queue.
        queue: String,
        /// What it holds, what instances have in hand included.
        messages: u64,
        /// How many instances are its active consumer, one or none; none will never drain it.
        consumers: u64,
    },
    /// The queue was empty and is gone.
    Deleted(String),
}

/// Why a switch did not come to its end. What was done stands, and the next one goes on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchFault {
    /// The broker or its management API is away.
    Outage(Outage),
    /// What must be known is not shown: nothing was changed.
    Blind {
        /// What cannot be seen.
        what: String,
        /// What mends it.
        mend: String,
    },
    /// The broker refuses.
    Refused {
        /// Its words.
        said: String,
        /// What mends it.
        mend: String,
    },
    /// These queues did not run empty in time: messages, and consumers, of each.
    Full(Vec<(String, u64, u64)>),
    /// The one who is told of the steps broke it off.
    BrokenOff,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(name) => write!(f, "declared  {name}"),
            Self::Bound(queue) => write!(f, "bound     {queue}"),
            Self::Unbound(queue) => write!(f, "unbound   {queue}"),
            Self::Draining { queue, messages, consumers: 0 } => write!(f, "draining  {queue}: {messages} messages, and nobody consumes it"),
            Self::Draining { queue, messages, .. } => write!(f, "draining  {queue}: {messages} messages"),
            Self::Deleted(queue) => write!(f, "deleted   {queue}, empty"),
        }
    }
}

impl From<Outage> for SwitchFault {
    fn from(outage: Outage) -> Self {
        Self::Outage(outage)
    }
}

/// Who is told of each step, and may break off.
pub type Told<'a> = &'a mut (dyn FnMut(&Step) -> ControlFlow<()> + Send);

/// Brings an inbound queue to `count` partitions; 0 leads everything to the queue itself. `within` bounds the wait for old queues to run empty.
///
/// # Errors
/// See [`SwitchFault`]; [`SwitchFault::Blind`] before anything was changed.
pub async fn switch(settings: &AmqpSettings, inbound: &InboundQueue, count: u16, within: Duration, told: Told<'_>) -> Result<(), SwitchFault> {
    let connection = connect(settings, "switch").await?;
    let sight = Arc::new(Sight::of(settings, &connection)?);
    let before = Arc::clone(&sight).look(inbound, count).await?;
    before.permits(count)?;
    let mut change = Change { settings, inbound, count, channel: open(&connection).await?, vhost: connection.status().vhost().as_str().to_owned(), told };
    let outcome = change.make(&sight, before, within).await;
    let _ = asked(connection.close(200, "OK".into())).await;
    outcome
}

/// What the broker shows of one inbound queue's partitions.
struct Seen {
    /// Whether the plugin is enabled.
    plugin: bool,
    /// Whether the exchange stands.
    exchange: bool,
    /// Queue and weight of each binding.
    bindings: Vec<(String, String)>,
    /// The depth of each partition queue.
    queues: BTreeMap<String, Option<u64>>,
}

impl Seen {
    fn permits(&self, count: u16) -> Result<(), SwitchFault> {
        if count > 0 && !self.plugin {
            let said = format!("the plugin {} is not enabled", partitions::PLUGIN);
            return Err(SwitchFault::Refused { said, mend: partitions::ENABLE.to_owned() });
        }
        Ok(())
    }

    /// Partition queues beyond the wanted ones.
    fn leaving(&self, inbound: &InboundQueue, count: u16) -> Vec<String> {
        self.queues.keys().filter(|name| partitions::number(&inbound.queue, name).is_some_and(|n| n > count)).cloned().collect()
    }
}

/// The eyes: RabbitMQ's management API.
struct Sight(Management);

impl Sight {
    fn of(settings: &AmqpSettings, connection: &Connection) -> Result<Self, SwitchFault> {
        let Some(url) = &settings.management_url else {
            return Err(blind("[broker] management_url is not set", "set it (or ARKKI_MANAGEMENT_URL) to http://user:password@host:15672"));
        };
        let own: AMQPUri = settings.url.reveal().parse().map_err(|_| outage("the broker's URL cannot be read"))?;
        let credentials = (own.authority.userinfo.username.as_str(), own.authority.userinfo.password.as_str());
        Ok(Self(Management::new(url, credentials, connection.status().vhost().as_str())?))
    }

    /// A look that refuses when the depth of a queue that is to go cannot be seen. One made a moment ago has none yet.
    async fn look(self: Arc<Self>, inbound: &InboundQueue, count: u16) -> Result<Seen, SwitchFault> {
        let deadline = Instant::now() + UNSEEN;
        loop {
            let (sight, queue) = (Arc::clone(&self), inbound.queue.clone());
            let seen = tokio::task::spawn_blocking(move || sight.ask(&queue)).await.map_err(|_| outage("the look at the management API broke off"))??;
            let unseen = seen.leaving(inbound, count).into_iter().find(|name| seen.queues.get(name).copied().flatten().is_none());
            match unseen {
                None => return Ok(seen),
                Some(queue) if Instant::now() >= deadline => {
                    return Err(blind(
                        &format!("the depth of {queue}"),
                        "let the management agent collect statistics: management_agent.disable_metrics_collector = false",
                    ));
                }
                Some(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    fn ask(&self, inbound: &str) -> Result<Seen, SwitchFault> {
        let exchange = partitions::exchange(inbound);
        let away = |outage: Outage| blind(&outage.detail, "enable it: rabbitmq-plugins enable rabbitmq_management, and mend [broker] management_url");
        let overview = self.shown(self.0.overview().map_err(away)?)?.unwrap_or_default();
        let standing = self.shown(self.0.thing("exchanges", &exchange, "").map_err(away)?)?;
        let bound = match standing {
            Some(_) => self.shown(self.0.bindings_of(&exchange).map_err(away)?)?.unwrap_or_default(),
            None => Value::Null,
        };
        let list = self.shown(self.0.queues().map_err(away)?)?.unwrap_or_default();
        let ours = names(&list).filter(|name| partitions::number(inbound, name).is_some());
        let queues = ours.map(|name| (name.to_owned(), depth(&list, name))).collect();
        Ok(Seen { plugin: knows_type(&overview), exchange: standing.is_some(), bindings: bindings(&bound), queues })
    }

    fn shown(&self, said: Said) -> Result<Option<Value>, SwitchFault> {
        match said {
            Said::This(value) => Ok(Some(value)),
            Said::Nothing => Ok(None),
            Said::NotForUs => {
                let user = &self.0.user;
                Err(blind(&format!("user {user} may not look"), &format!("rabbitmqctl set_user_tags {} monitoring", quoted(user))))
            }
        }
    }
}

fn blind(what: &str, mend: &str) -> SwitchFault {
    SwitchFault::Blind { what: what.to_owned(), mend: mend.to_owned() }
}

/// Blindness that comes when something was changed already is an outage: the next switch goes on.
fn midway(fault: SwitchFault) -> SwitchFault {
    match fault {
        SwitchFault::Blind { what, .. } => SwitchFault::Outage(outage(what)),
        other => other,
    }
}

/// A switch under way.
struct Change<'a> {
    settings: &'a AmqpSettings,
    inbound: &'a InboundQueue,
    count: u16,
    channel: Channel,
    vhost: String,
    told: Told<'a>,
}

impl Change<'_> {
    async fn make(&mut self, sight: &Arc<Sight>, before: Seen, within: Duration) -> Result<(), SwitchFault> {
        self.lead_in(&before).await?;
        // What was bound may have been bound wrongly, or by another switch meanwhile: looked at again.
        let now = Arc::clone(sight).look(self.inbound, self.count).await.map_err(midway)?;
        self.lead_out(&now).await?;
        self.drain(sight, now.leaving(self.inbound, self.count), within).await
    }

    /// The wanted queues, bound once each with the one weight.
    async fn lead_in(&mut self, before: &Seen) -> Result<(), SwitchFault> {
        let exchange = partitions::exchange(&self.inbound.queue);
        for declaration in partition_plan(self.settings, &self.inbound.queue, self.count) {
            let bound = match &declaration {
                Declaration::Binding { queue, .. } => Some(queue.clone()),
                Declaration::Exchange { .. } | Declaration::Queue { .. } => None,
            };
            if let Some(queue) = &bound {
                self.unbind_but(queue, Some(partitions::WEIGHT), &before.bindings, &exchange).await?;
            }
            let is_new = match &bound {
                Some(queue) => !before.bindings.iter().any(|(b, weight)| b == queue && weight == partitions::WEIGHT),
                None => true,
            };
            if let Err(error) = declare(&self.channel, &declaration).await? {
                let fault = fault(&declaration, &self.vhost, &error);
                return Err(SwitchFault::Refused { said: fault.said, mend: fault.mend });
            }
            match (bound, is_new) {
                (Some(queue), true) => self.tell(Step::Bound(queue))?,
                (Some(_), false) => {}
                (None, _) => self.tell(Step::Declared(name_of(&declaration)))?,
            }
        }
        if self.count == 0 && before.exchange && !before.bindings.iter().any(|(queue, _)| *queue == self.inbound.queue) {
            let queue = self.inbound.queue.clone();
            let bind = self.channel.queue_bind(
                short(&queue)?,
                short(&exchange)?,
                partitions::WEIGHT.into(),
                QueueBindOptions { nowait: false },
                FieldTable::default(),
            );
            asked(bind).await.map_err(|e| refused(&e))?;
            self.tell(Step::Bound(queue))?;
        }
        Ok(())
    }

    /// Everything else that is bound, unbound.
    async fn lead_out(&mut self, now: &Seen) -> Result<(), SwitchFault> {
        let exchange = partitions::exchange(&self.inbound.queue);
        let wanted: Vec<String> =
            if self.count == 0 { vec![self.inbound.queue.clone()] } else { partitions::queues(&self.inbound.queue, self.count).collect() };
        let mut others: Vec<&String> = now.bindings.iter().map(|(queue, _)| queue).filter(|queue| !wanted.contains(queue)).collect();
        others.dedup();
        for queue in others {
            self.unbind_but(queue, None, &now.bindings, &exchange).await?;
            self.tell(Step::Unbound(queue.clone()))?;
        }
        Ok(())
    }

    /// Takes away a queue's bindings, all but that of `kept`.
    async fn unbind_but(&self, queue: &str, kept: Option<&str>, bindings: &[(String, String)], exchange: &str) -> Result<(), SwitchFault> {
        for (_, weight) in bindings.iter().filter(|(bound, weight)| bound == queue && Some(weight.as_str()) != kept) {
            let unbind = self.channel.queue_unbind(short(queue)?, short(exchange)?, short(weight)?, FieldTable::default());
            asked(unbind).await.map_err(|e| refused(&e))?;
        }
        Ok(())
    }

    /// Waits until each of the queues has run empty, and deletes it. Nothing is led to them any more, so what they hold can only become less.
    async fn drain(&mut self, sight: &Arc<Sight>, mut queues: Vec<String>, within: Duration) -> Result<(), SwitchFault> {
        let deadline = Instant::now() + within;
        let mut empty_since: BTreeMap<String, Instant> = BTreeMap::new();
        let mut last_told: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut bound_since: BTreeMap<String, Instant> = BTreeMap::new();
        while !queues.is_empty() {
            let seen = Arc::clone(sight).look(self.inbound, self.count).await.map_err(midway)?;
            let mut left = Vec::new();
            for queue in queues {
                let Some(depth) = seen.queues.get(&queue).copied() else { continue };
                let (ready, consumers) = self.ready(&queue).await?;
                let messages = depth.unwrap_or(0).max(ready);
                // Somebody else leads messages here again: what is consumed at once looks empty, and is not.
                if seen.bindings.iter().any(|(bound, _)| *bound == queue) {
                    empty_since.remove(&queue);
                    if bound_since.entry(queue.clone()).or_insert_with(Instant::now).elapsed() >= STILL {
                        return Err(bound_again(&queue, self.count));
                    }
                } else if messages > 0 {
                    empty_since.remove(&queue);
                    if last_told.insert(queue.clone(), (messages, consumers)) != Some((messages, consumers)) {
                        self.tell(Step::Draining { queue: queue.clone(), messages, consumers })?;
                    }
                } else if empty_since.entry(queue.clone()).or_insert_with(Instant::now).elapsed() >= STILL {
                    asked(self.channel.queue_delete(short(&queue)?, QueueDeleteOptions::default())).await.map_err(|e| refused(&e))?;
                    self.tell(Step::Deleted(queue))?;
                    continue;
                }
                left.push((queue, messages, consumers));
            }
            // A queue that is being watched to be empty is given its time.
            if Instant::now() >= deadline && left.iter().any(|(_, messages, _)| *messages > 0) {
                return Err(SwitchFault::Full(left));
            }
            queues = left.into_iter().map(|(queue, ..)| queue).collect();
            if !queues.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Messages that nobody has in hand, and active consumers, as the queue itself counts them at this moment.
    async fn ready(&self, queue: &str) -> Result<(u64, u64), SwitchFault> {
        let options = QueueDeclareOptions { passive: true, durable: true, exclusive: false, auto_delete: false, nowait: false };
        let queue = asked(self.channel.queue_declare(short(queue)?, options, FieldTable::default())).await.map_err(|e| refused(&e))?;
        Ok((u64::from(queue.message_count()), u64::from(queue.consumer_count())))
    }

    fn tell(&mut self, step: Step) -> Result<(), SwitchFault> {
        match (self.told)(&step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SwitchFault::BrokenOff),
        }
    }
}

fn name_of(declaration: &Declaration) -> String {
    match declaration {
        Declaration::Exchange { name, .. } | Declaration::Queue { name, .. } => name.clone(),
        Declaration::Binding { queue, .. } => queue.clone(),
    }
}

/// Another apply, or another configuration, binds what this one drains.
fn bound_again(queue: &str, count: u16) -> SwitchFault {
    SwitchFault::Refused {
        said: format!("{queue} is bound again: somebody else declares partitions at the same time"),
        mend: format!("see that no other apply runs and that every configuration says {count}, then: arkki topology apply --partitions {count}"),
    }
}

/// The broker's refusal of something that needs no more than the rights of `topology apply`.
fn refused(error: &lapin::Error) -> SwitchFault {
    SwitchFault::Refused { said: words(error), mend: "arkki topology apply once more; it goes on where this one ended".to_owned() }
}
