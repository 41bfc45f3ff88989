//! The queues and exchanges that Arkki needs, as a plan and as a deed that may be repeated. Every argument is spelt out: defaults differ from
//! RabbitMQ 3.10 to 4.x (house.md, "RabbitMQ, exactly").

use std::collections::BTreeSet;
use std::fmt;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};

use super::client::short;
use super::connect::{asked, connect, outage, words};
use super::partitions;
use super::settings::AmqpSettings;
use crate::domain::outage::Outage;

/// The delivery limit of queues that must have none: RabbitMQ 4 would set 20 by itself, and 3.10 knows no word for "none".
pub(super) const NO_LIMIT: i64 = 1_000_000;

/// One thing to declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declaration {
    /// A durable exchange.
    Exchange {
        /// Its name.
        name: String,
        /// How it leads.
        leads: Leads,
    },
    /// A durable queue.
    Queue {
        /// Its name.
        name: String,
        /// What it is for.
        role: Role,
        /// Its arguments, in the order of declaration.
        arguments: Vec<(&'static str, Argument)>,
    },
    /// A binding of the queue to the exchange.
    Binding {
        /// Where from.
        exchange: String,
        /// Where to.
        queue: String,
        /// The binding key: of a partition its weight.
        key: &'static str,
    },
}

/// How an exchange leads to queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// Fanout: what is dead-lettered keeps its routing key, and all of it goes to one queue.
    All,
    /// Consistent hash of the header `x-partition`: a client's messages go to one partition.
    ByClient,
}

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Messages come in.
    Inbound,
    /// A part of the clients' messages comes in; one instance at a time takes them.
    Partition,
    /// Quarantined messages lie here for a person to look at.
    DeadLetter,
    /// Answers without a usable `reply_to` go here.
    Route,
    /// Disclosure notices go here.
    Notice,
}

/// A queue argument's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A word.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// How one declaration went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What was declared.
    pub declaration: Declaration,
    /// What stands in the way; `None` when it stands as declared.
    pub fault: Option<Fault>,
}

/// Why a declaration was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The argument that differs, when the broker named one.
    pub argument: Option<String>,
    /// The broker's words.
    pub said: String,
    /// What mends it.
    pub mend: String,
}

/// Everything to declare, in order.
#[must_use]
pub fn plan(settings: &AmqpSettings) -> Vec<Declaration> {
    let (exchange, dead) = (&settings.dead_letter_exchange, &settings.dead_letter_queue);
    let mut plan = vec![
        Declaration::Exchange { name: exchange.clone(), leads: Leads::All },
        Declaration::Queue { name: dead.clone(), role: Role::DeadLetter, arguments: kept() },
        Declaration::Binding { exchange: exchange.clone(), queue: dead.clone(), key: "" },
    ];
    plan.extend(settings.inbound.iter().map(|q| Declaration::Queue { name: q.queue.clone(), role: Role::Inbound, arguments: inbound(settings) }));
    plan.extend(settings.inbound.iter().flat_map(|q| partition_plan(settings, &q.queue, q.partitions)));
    let taken: BTreeSet<&str> = settings.inbound.iter().map(|q| q.queue.as_str()).chain([dead.as_str()]).collect();
    let more = settings.rules.routes().into_iter().map(|name| (name, Role::Route));
    let more = more.chain(settings.notice_queues.iter().map(|name| (name.as_str(), Role::Notice))).filter(|(name, _)| !taken.contains(name));
    plan.extend(more.map(|(name, role)| Declaration::Queue { name: name.to_owned(), role, arguments: kept() }));
    plan
}

/// What the first `count` partitions of an inbound queue need: the exchange, the queues, then the bindings, so that nothing is led to a queue that is not
/// there.
pub(super) fn partition_plan(settings: &AmqpSettings, inbound_queue: &str, count: u16) -> Vec<Declaration> {
    let exchange = partitions::exchange(inbound_queue);
    let mut plan = Vec::new();
    if count > 0 {
        plan.push(Declaration::Exchange { name: exchange.clone(), leads: Leads::ByClient });
    }
    let mut arguments = inbound(settings);
    arguments.push(("x-single-active-consumer", Argument::Flag(true)));
    let queues = || partitions::queues(inbound_queue, count);
    plan.extend(queues().map(|name| Declaration::Queue { name, role: Role::Partition, arguments: arguments.clone() }));
    plan.extend(queues().map(|queue| Declaration::Binding { exchange: exchange.clone(), queue, key: partitions::WEIGHT }));
    plan
}

/// Declares all of it. What stands already as it should is left as it is.
///
/// # Errors
/// An outage when the broker cannot be reached; what it refuses stands in the list.
pub async fn apply(settings: &AmqpSettings) -> Result<Vec<Applied>, Outage> {
    let mut connection = connect(settings, "topology").await?;
    let mut applied = Vec::new();
    let mut channel = open(&connection).await?;
    for declaration in plan(settings) {
        let fault = match declare(&channel, &declaration).await? {
            Ok(()) => None,
            Err(error) => {
                if !connection.status().connected() {
                    if !is_plugin_missing(&error) {
                        return Err(outage(words(&error)));
                    }
                    // An exchange of a type that the broker does not know costs the connection.
                    connection = connect(settings, "topology").await?;
                }
                channel = open(&connection).await?;
                let fault = fault(&declaration, connection.status().vhost().as_str(), &error);
                Some(fault).filter(|f| f.argument.is_none() || declaration.is_ours())
            }
        };
        applied.push(Applied { declaration, fault });
    }
    let _ = asked(connection.close(200, "OK".into())).await;
    Ok(applied)
}

impl Declaration {
    /// Whether it must stand exactly as declared. A reply route or notice queue may be its reader's own, made as the reader likes.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        !matches!(self, Self::Queue { role: Role::Route | Role::Notice, .. })
    }
}

fn text(value: &str) -> Argument {
    Argument::Text(value.to_owned())
}

fn inbound(settings: &AmqpSettings) -> Vec<(&'static str, Argument)> {
    vec![
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", Argument::Number(i64::from(settings.delivery_limit))),
        ("x-dead-letter-exchange", text(&settings.dead_letter_exchange)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

/// A queue that nothing falls out of.
fn kept() -> Vec<(&'static str, Argument)> {
    vec![("x-queue-type", text("quorum")), ("x-delivery-limit", Argument::Number(NO_LIMIT))]
}

pub(super) async fn open(connection: &Connection) -> Result<Channel, Outage> {
    asked(connection.create_channel()).await.map_err(|e| outage(words(&e)))
}

/// Declares one; the inner error is the broker's refusal, which has ended the channel.
pub(super) async fn declare(channel: &Channel, declaration: &Declaration) -> Result<lapin::Result<()>, Outage> {
    Ok(match declaration {
        Declaration::Exchange { name, leads } => {
            let options = ExchangeDeclareOptions { passive: false, durable: true, auto_delete: false, internal: false, nowait: false };
            asked(channel.exchange_declare(short(name)?, leads.kind(), options, table(&leads.arguments()))).await
        }
        Declaration::Queue { name, arguments, .. } => {
            let options = QueueDeclareOptions { passive: false, durable: true, exclusive: false, auto_delete: false, nowait: false };
            asked(channel.queue_declare(short(name)?, options, table(arguments))).await.map(|_| ())
        }
        Declaration::Binding { exchange, queue, key } => {
            let options = QueueBindOptions { nowait: false };
            asked(channel.queue_bind(short(queue)?, short(exchange)?, (*key).into(), options, FieldTable::default())).await
        }
    })
}

fn table<'a>(arguments: impl IntoIterator<Item = &'a (&'static str, Argument)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
            Argument::Flag(flag) => AMQPValue::Boolean(*flag),
        };
        table.insert((*name).into(), value);
    }
    table
}

/// Whether the broker does not know the type of the partitions' exchange.
fn is_plugin_missing(error: &lapin::Error) -> bool {
    let said = words(error);
    said.contains("unknown exchange type") && said.contains(partitions::KIND)
}

/// The broker's refusal, with the argument it names and what mends it. A queue's arguments cannot be changed: it must be made anew.
pub(super) fn fault(declaration: &Declaration, vhost: &str, error: &lapin::Error) -> Fault {
    let said = words(error);
    let argument = said.split_once("inequivalent arg '").and_then(|(_, rest)| rest.split_once('\'')).map(|(name, _)| name.to_owned());
    let mend = match declaration {
        _ if is_plugin_missing(error) => format!("{} && arkki topology apply", partitions::ENABLE),
        _ if said.contains("ACCESS_REFUSED") => {
            format!("give the user the right to configure, write and read: rabbitmqctl set_permissions -p {} USER '.*' '.*' '.*'", quoted(vhost))
        }
        Declaration::Queue { name, .. } if argument.is_some() => remake(vhost, name),
        Declaration::Exchange { name, .. } if argument.is_some() => {
            format!(
                "delete exchange {name} (management page, or rabbitmqadmin --vhost={} delete exchange name={}), then: arkki topology apply",
                quoted(vhost),
                quoted(name)
            )
        }
        _ => "arkki topology apply".to_owned(),
    };
    Fault { argument, said, mend }
}

/// What makes a queue anew without losing a message. RabbitMQ knows no "delete if empty" for quorum queues, so a person looks first.
pub(super) fn remake(vhost: &str, queue: &str) -> String {
    let (vhost, queue) = (quoted(vhost), quoted(queue));
    format!(
        "drain {queue}; when `rabbitmqctl -p {vhost} list_queues name messages` shows 0 for it: rabbitmqctl -p {vhost} delete_queue {queue} && arkki topology apply"
    )
}

/// As one word of a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

impl fmt::Display for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange { name, leads } => write!(f, "exchange {name} ({leads}, durable)"),
            Self::Binding { exchange, queue, key: "" } => write!(f, "binding {exchange} -> {queue}"),
            Self::Binding { exchange, queue, key } => write!(f, "binding {exchange} -> {queue} (weight {key})"),
            Self::Queue { name, role, arguments } => {
                let arguments: Vec<String> = arguments.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "{} {name} ({})", role.as_str(), arguments.join(", "))
            }
        }
    }
}

impl Leads {
    pub(super) fn kind(self) -> ExchangeKind {
        match self {
            Self::All => ExchangeKind::Fanout,
            Self::ByClient => ExchangeKind::Custom(partitions::KIND.to_owned()),
        }
    }

    /// The exchange's arguments.
    #[must_use]
    pub fn arguments(self) -> Vec<(&'static str, Argument)> {
        match self {
            Self::All => Vec::new(),
            Self::ByClient => vec![("hash-header", text(partitions::HEADER))],
        }
    }
}

impl fmt::Display for Leads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("fanout"),
            Self::ByClient => write!(f, "{}, hash-header={}", partitions::KIND, partitions::HEADER),
        }
    }
}

impl Role {
    /// Whether messages for us come by it.
    #[must_use]
    pub const fn is_inbound(self) -> bool {
        matches!(self, Self::Inbound | Self::Partition)
    }

    /// What a person calls such a queue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound queue",
            Self::Partition => "partition queue",
            Self::DeadLetter => "dead-letter queue",
            Self::Route => "reply route",
            Self::Notice => "notice queue",
        }
    }
}
