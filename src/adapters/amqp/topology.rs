//! The queues and exchanges that Arkki needs, as a plan and as a deed that may be repeated. Every argument is spelt out: defaults differ from
//! RabbitMQ 3.10 to 4.x (house.md, "RabbitMQ, exactly").

use std::collections::BTreeSet;
use std::fmt;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};

use super::client::short;
use super::connect::{asked, connect, outage, words};
use super::settings::AmqpSettings;
use crate::domain::outage::Outage;

/// The delivery limit of queues that must have none: RabbitMQ 4 would set 20 by itself, and 3.10 knows no word for "none".
pub(super) const NO_LIMIT: i64 = 1_000_000;

/// One thing to declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declaration {
    /// A durable fanout exchange: what is dead-lettered keeps its routing key, and all of it goes to one queue.
    Exchange {
        /// Its name.
        name: String,
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
    },
}

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Messages come in.
    Inbound,
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
        Declaration::Exchange { name: exchange.clone() },
        Declaration::Queue { name: dead.clone(), role: Role::DeadLetter, arguments: kept() },
        Declaration::Binding { exchange: exchange.clone(), queue: dead.clone() },
    ];
    plan.extend(settings.inbound.iter().map(|q| Declaration::Queue { name: q.queue.clone(), role: Role::Inbound, arguments: inbound(settings) }));
    let taken: BTreeSet<&str> = settings.inbound.iter().map(|q| q.queue.as_str()).chain([dead.as_str()]).collect();
    let more = settings.rules.routes().into_iter().map(|name| (name, Role::Route));
    let more = more.chain(settings.notice_queues.iter().map(|name| (name.as_str(), Role::Notice))).filter(|(name, _)| !taken.contains(name));
    plan.extend(more.map(|(name, role)| Declaration::Queue { name: name.to_owned(), role, arguments: kept() }));
    plan
}

/// Declares all of it. What stands already as it should is left as it is.
///
/// # Errors
/// An outage when the broker cannot be reached; what it refuses stands in the list.
pub async fn apply(settings: &AmqpSettings) -> Result<Vec<Applied>, Outage> {
    let connection = connect(settings, "topology").await?;
    let vhost = connection.status().vhost();
    let mut applied = Vec::new();
    let mut channel = open(&connection).await?;
    for declaration in plan(settings) {
        let fault = match declare(&channel, &declaration).await? {
            Ok(()) => None,
            Err(error) if connection.status().connected() => {
                channel = open(&connection).await?;
                let fault = fault(&declaration, vhost.as_str(), &error);
                Some(fault).filter(|f| f.argument.is_none() || declaration.is_ours())
            }
            Err(error) => return Err(outage(words(&error))),
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
        Declaration::Exchange { name } => {
            let options = ExchangeDeclareOptions { passive: false, durable: true, auto_delete: false, internal: false, nowait: false };
            asked(channel.exchange_declare(short(name)?, ExchangeKind::Fanout, options, FieldTable::default())).await
        }
        Declaration::Queue { name, arguments, .. } => {
            let options = QueueDeclareOptions { passive: false, durable: true, exclusive: false, auto_delete: false, nowait: false };
            asked(channel.queue_declare(short(name)?, options, table(arguments))).await.map(|_| ())
        }
        Declaration::Binding { exchange, queue } => {
            let options = QueueBindOptions { nowait: false };
            asked(channel.queue_bind(short(queue)?, short(exchange)?, "".into(), options, FieldTable::default())).await
        }
    })
}

fn table(arguments: &[(&'static str, Argument)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert((*name).into(), value);
    }
    table
}

/// The broker's refusal, with the argument it names and what mends it. A queue's arguments cannot be changed: it must be made anew.
pub(super) fn fault(declaration: &Declaration, vhost: &str, error: &lapin::Error) -> Fault {
    let said = words(error);
    let argument = said.split_once("inequivalent arg '").and_then(|(_, rest)| rest.split_once('\'')).map(|(name, _)| name.to_owned());
    let mend = match declaration {
        _ if said.contains("ACCESS_REFUSED") => {
            format!("give the user the right to configure, write and read: rabbitmqctl set_permissions -p {} USER '.*' '.*' '.*'", quoted(vhost))
        }
        Declaration::Queue { name, .. } if argument.is_some() => remake(vhost, name),
        Declaration::Exchange { name } if argument.is_some() => {
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

/// The command that makes a queue anew without losing a message: it refuses while one lies there.
pub(super) fn remake(vhost: &str, queue: &str) -> String {
    format!("drain {queue}, then: rabbitmqctl -p {} delete_queue {} --if-empty && arkki topology apply", quoted(vhost), quoted(queue))
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
        }
    }
}

impl fmt::Display for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange { name } => write!(f, "exchange {name} (fanout, durable)"),
            Self::Binding { exchange, queue } => write!(f, "binding {exchange} -> {queue}"),
            Self::Queue { name, role, arguments } => {
                write!(f, "{} {name} (durable", role.as_str())?;
                arguments.iter().try_for_each(|(key, value)| write!(f, ", {key}={value}"))?;
                f.write_str(")")
            }
        }
    }
}

impl Role {
    /// What a person calls such a queue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound queue",
            Self::DeadLetter => "dead-letter queue",
            Self::Route => "reply route",
            Self::Notice => "notice queue",
        }
    }
}
