//! Looks at the broker's topology and says what could lose a message, with the command that mends it. Changes nothing.
//! By the management API when there is one; else it declares again what a passive declaration found, and names what it could not see.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ExchangeKind};

use super::client::short;
use super::connect::{asked, connect, outage, words};
use super::inspect::{Inspection, loses};
use super::management::{Management, Said};
use super::settings::AmqpSettings;
use super::topology::{Declaration, Leads, declare, fault, open, plan, remake};
use crate::domain::outage::Outage;

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should.
    Well,
    /// A message could be lost, or nothing can work.
    Unwell,
    /// Nothing is lost and all works, but not as it was meant.
    Odd,
    /// Could not be seen.
    Unseen,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: a queue, an exchange, a right.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// What was seen.
    pub what: String,
    /// The command, or the setting, that mends it.
    pub mend: Option<String>,
    /// Whether a message could be lost by it: then nothing is consumed.
    pub loses: bool,
}

impl Check {
    pub(super) fn well(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Well, what: what.into(), mend: None, loses: false }
    }

    pub(super) fn unwell(name: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Unwell, what: what.into(), mend: Some(mend.into()), loses: false }
    }

    /// As [`Self::unwell`], and a message could be lost by it.
    pub(super) fn lossy(name: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { loses: true, ..Self::unwell(name, what, mend) }
    }

    pub(super) fn odd(name: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Odd, what: what.into(), mend: Some(mend.into()), loses: false }
    }

    pub(super) fn unseen(name: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Unseen, what: what.into(), mend: Some(mend.into()), loses: false }
    }
}

/// Looks at everything. A broker that cannot be reached is itself a check, unseen.
pub async fn examine(settings: &AmqpSettings) -> Vec<Check> {
    let connection = match connect(settings, "doctor").await {
        Ok(connection) => connection,
        Err(outage) => return vec![Check::unseen("broker", outage.to_string(), "start RabbitMQ, or mend [broker] url and its password")],
    };
    let mut checks = vec![Check::well("broker", "answers")];
    let looked = match &settings.management_url {
        Some(_) => by_management(settings, &connection).await,
        None => Ok(vec![Check::unseen("management", "[broker] management_url is not set", "set [broker] management_url to http://user:password@host:15672")]),
    };
    let complete = matches!(&looked, Ok(seen) if settings.management_url.is_some() && seen.iter().all(|c| c.name != "management"));
    match looked {
        Ok(seen) => checks.extend(seen),
        Err(outage) => {
            checks.push(Check::unseen("management", outage.detail, "enable it: rabbitmq-plugins enable rabbitmq_management, and mend [broker] management_url"))
        }
    }
    if !complete {
        match by_declaring(settings, &connection).await {
            Ok(seen) => checks.extend(seen),
            Err(outage) => checks.push(Check::unseen("broker", outage.to_string(), "look again when it answers")),
        }
    }
    let _ = asked(connection.close(200, "OK".into())).await;
    checks
}

/// What of it could lose a message.
pub fn dangers(checks: &[Check]) -> impl Iterator<Item = &Check> {
    checks.iter().filter(|check| check.loses)
}

/// What the broker says of its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Users {
    /// These are all.
    These(Vec<String>),
    /// They could not be seen, and why.
    Unseen(String),
}

/// The broker's users, where the management API shows them.
pub async fn users(settings: &AmqpSettings) -> Users {
    let Some(url) = settings.management_url.clone() else { return Users::Unseen("[broker] management_url is not set".to_owned()) };
    let Ok(own) = settings.url.reveal().parse::<AMQPUri>() else { return Users::Unseen("the broker's URL cannot be read".to_owned()) };
    let look = move || {
        let credentials = (own.authority.userinfo.username.as_str(), own.authority.userinfo.password.as_str());
        let management = Management::new(&url, credentials, "/")?;
        match management.users()? {
            Said::This(list) => {
                let name = |user: &serde_json::Value| user.get("name").and_then(serde_json::Value::as_str).map(str::to_owned);
                Ok(Users::These(list.as_array().into_iter().flatten().filter_map(name).collect()))
            }
            Said::Nothing | Said::NotForUs => Ok(Users::Unseen(format!("it shows them to administrators only, and user {} is none", management.user))),
        }
    };
    let looked: Result<Users, Outage> = tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| Err(outage("the look at the management API broke off")));
    looked.unwrap_or_else(|outage| Users::Unseen(outage.detail))
}

async fn by_management(settings: &AmqpSettings, connection: &Connection) -> Result<Vec<Check>, Outage> {
    let Some(url) = &settings.management_url else { return Ok(Vec::new()) };
    let own: AMQPUri = settings.url.reveal().parse().map_err(|_| outage("the broker's URL cannot be read"))?;
    let credentials = (own.authority.userinfo.username.as_str(), own.authority.userinfo.password.as_str());
    let management = Management::new(url, credentials, connection.status().vhost().as_str())?;
    let (settings, vhost, user) = (settings.clone(), connection.status().vhost().as_str().to_owned(), connection.status().username());
    let look = move || match management.overview()? {
        Said::This(_) => Inspection { settings: &settings, management: &management, vhost: &vhost, user: &user }.all(),
        Said::Nothing | Said::NotForUs => Ok(vec![Check::unseen("management", format!("it does not let user {} in", management.user), management.way_in())]),
    };
    tokio::task::spawn_blocking(look).await.map_err(|_| outage("the look at the management API broke off"))?
}

/// Without the management API: what exists is declared again with our arguments; the broker names the first that differs.
async fn by_declaring(settings: &AmqpSettings, connection: &Connection) -> Result<Vec<Check>, Outage> {
    let vhost = connection.status().vhost();
    let mut checks = Vec::new();
    let mut channel = open(connection).await?;
    for declaration in plan(settings) {
        let found = passive(&channel, &declaration).await?;
        let again = match &found {
            Ok(()) if declaration.is_ours() => declare(&channel, &declaration).await?,
            Ok(()) | Err(_) => Ok(()),
        };
        if found.is_err() || again.is_err() {
            if !connection.status().connected() {
                return Err(outage("the connection was lost"));
            }
            channel = open(connection).await?;
        }
        checks.push(judged(&declaration, vhost.as_str(), found, again));
    }
    checks.push(Check::unseen("policies", "policies and consumer_timeout are seen only by the management API", "set [broker] management_url"));
    Ok(checks)
}

fn judged(declaration: &Declaration, vhost: &str, found: lapin::Result<()>, again: lapin::Result<()>) -> Check {
    let name = match declaration {
        Declaration::Exchange { name, .. } => format!("exchange {name}"),
        Declaration::Queue { name, role, .. } => format!("{} {name}", role.as_str()),
        Declaration::Binding { exchange, queue, .. } => {
            let name = format!("binding {exchange} -> {queue}");
            return Check::unseen(name, "a binding is seen only by the management API", "set [broker] management_url, or bind it again: arkki topology apply");
        }
    };
    match (found, again) {
        (Ok(()), Ok(())) => Check::well(name, "stands as declared"),
        (Err(error), _) if words(&error).contains("NOT_FOUND") && matches!(declaration, Declaration::Exchange { leads: Leads::All, .. }) => {
            Check::lossy(name, "does not exist: what is quarantined would be lost", "arkki topology apply")
        }
        (Err(error), _) if words(&error).contains("NOT_FOUND") => Check::unwell(name, "does not exist", "arkki topology apply"),
        (Err(error), _) => Check::unseen(name, words(&error), fault(declaration, vhost, &error).mend),
        (Ok(()), Err(error)) => {
            let fault = fault(declaration, vhost, &error);
            match (&fault.argument, declaration) {
                (Some(argument), Declaration::Queue { name: queue, role, .. }) if loses(*role, argument) => {
                    Check::lossy(name, fault.said, remake(vhost, queue))
                }
                (Some(_), Declaration::Queue { name: queue, .. }) => Check::unwell(name, fault.said, remake(vhost, queue)),
                (Some(_), _) => Check::unwell(name, fault.said, fault.mend),
                (None, _) => Check::unseen(name, fault.said, fault.mend),
            }
        }
    }
}

async fn passive(channel: &Channel, declaration: &Declaration) -> Result<lapin::Result<()>, Outage> {
    Ok(match declaration {
        Declaration::Exchange { name, .. } => {
            let options = ExchangeDeclareOptions { passive: true, durable: true, auto_delete: false, internal: false, nowait: false };
            asked(channel.exchange_declare(short(name)?, ExchangeKind::Fanout, options, FieldTable::default())).await
        }
        Declaration::Queue { name, .. } => {
            let options = QueueDeclareOptions { passive: true, durable: true, exclusive: false, auto_delete: false, nowait: false };
            asked(channel.queue_declare(short(name)?, options, FieldTable::default())).await.map(|_| ())
        }
        // Asked for by `declare` it would be made.
        Declaration::Binding { .. } => Err(std::io::Error::other("not looked at").into()),
    })
}
