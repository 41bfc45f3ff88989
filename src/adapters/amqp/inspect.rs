//! What the management API shows, judged: each thing that could lose a message is named with the command that mends it.

use serde_json::Value;

use super::doctor::Check;
use super::management::{Management, Said};
use super::partitions;
use super::settings::AmqpSettings;
use super::topology::{Argument, Declaration, Leads, Role, plan, quoted, remake};
use crate::domain::outage::Outage;

/// RabbitMQ closes the channel of a delivery older than this; ours are handed back before (milliseconds).
const CONSUMER_TIMEOUT_LEAST: u128 = 60_000;

/// What RabbitMQ calls the exchange without a name in permissions.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// Whether a right's pattern lets a name through. RabbitMQ looks for it anywhere in the name; the empty one lets nothing through. A pattern of a kind that only
/// Erlang knows is not judged.
fn allows(pattern: &str, name: &str) -> bool {
    !pattern.is_empty() && regex::Regex::new(pattern).map_or(true, |regex| regex.is_match(name))
}

/// Whether it must stand as declared, lest something is lost.
const fn is_ours(role: Role) -> bool {
    role.is_inbound() || matches!(role, Role::DeadLetter)
}

/// Whether a message can be lost when this argument is another. A smaller delivery limit quarantines good messages, and without a single consumer a client's
/// messages lose their order: wrong, but nothing is lost.
pub(super) fn loses(role: Role, argument: &str) -> bool {
    is_ours(role) && !(role.is_inbound() && matches!(argument, "x-delivery-limit" | "x-single-active-consumer"))
}

/// One look.
pub(super) struct Inspection<'a> {
    pub(super) settings: &'a AmqpSettings,
    pub(super) management: &'a Management,
    pub(super) vhost: &'a str,
    pub(super) user: &'a str,
}

impl Inspection<'_> {
    /// Everything in the plan, then the user's rights.
    pub(super) fn all(&self) -> Result<Vec<Check>, Outage> {
        let mut checks = Vec::new();
        for declaration in plan(self.settings) {
            match &declaration {
                Declaration::Exchange { leads: Leads::ByClient, .. } | Declaration::Binding { key: partitions::WEIGHT, .. } => {}
                Declaration::Exchange { name, .. } => checks.push(self.exchange(name)?),
                Declaration::Binding { exchange, queue, .. } => checks.push(self.binding(exchange, queue)?),
                Declaration::Queue { name, role, arguments } => checks.extend(self.queue(name, *role, arguments)?),
            }
        }
        for inbound in &self.settings.inbound {
            checks.extend(self.partitions(inbound)?);
        }
        checks.extend(self.replies()?);
        checks.extend(self.rights()?);
        Ok(checks)
    }

    fn exchange(&self, name: &str) -> Result<Check, Outage> {
        let label = format!("exchange {name}");
        Ok(match self.management.thing("exchanges", name, "")? {
            Said::NotForUs => self.hidden(label),
            Said::Nothing => Check::lossy(label, "does not exist: what is quarantined would be lost", "arkki topology apply"),
            Said::This(exchange) => {
                let (kind, durable) = (exchange.get("type").and_then(Value::as_str).unwrap_or_default(), exchange.get("durable") == Some(&Value::Bool(true)));
                if kind == "fanout" && durable {
                    Check::well(label, "fanout, durable")
                } else {
                    let delete = format!("rabbitmqadmin --vhost={} delete exchange name={} && arkki topology apply", quoted(self.vhost), quoted(name));
                    Check::lossy(label, format!("is {kind}, durable={durable}; fanout, durable=true is needed"), delete)
                }
            }
        })
    }

    fn binding(&self, exchange: &str, queue: &str) -> Result<Check, Outage> {
        let label = format!("binding {exchange} -> {queue}");
        Ok(match self.management.thing("queues", queue, "/bindings")? {
            Said::NotForUs => self.hidden(label),
            Said::This(Value::Array(bindings)) if bindings.iter().any(|b| b.get("source").and_then(Value::as_str) == Some(exchange)) => {
                Check::well(label, "bound")
            }
            Said::This(_) | Said::Nothing => Check::lossy(label, "is missing: what is quarantined would be lost", "arkki topology apply"),
        })
    }

    fn queue(&self, name: &str, role: Role, wanted: &[(&'static str, Argument)]) -> Result<Vec<Check>, Outage> {
        let label = format!("{} {name}", role.as_str());
        let queue = match self.management.thing("queues", name, "")? {
            Said::This(queue) => queue,
            Said::NotForUs => return Ok(vec![self.hidden(label)]),
            Said::Nothing => return Ok(vec![Check::unwell(label, "does not exist", "arkki topology apply")]),
        };
        let mut faults = Vec::new();
        // A route or notice queue of somebody's own is made as they like: told, and no reason to stand still.
        let mut fault = |what: String, mend: String, loses: bool| {
            faults.push(Check { loses: loses && is_ours(role), ..Check::unwell(label.clone(), what, mend) });
        };
        if queue.get("durable") != Some(&Value::Bool(true)) || queue.get("auto_delete") == Some(&Value::Bool(true)) {
            fault("is not durable: a restart of the broker empties it".into(), remake(self.vhost, name), true);
        }
        for (argument, value) in wanted {
            if let Some(what) = differs(&queue, argument, value, role) {
                fault(what, self.mend(&queue, argument, value, name), loses(role, argument));
            }
        }
        for (key, why) in LOSSY {
            if effective(&queue, key).is_some() {
                fault(format!("{key} is set: {why}"), self.unset(&queue, key, name), true);
            }
        }
        let reject = effective(&queue, "overflow").and_then(Value::as_str) == Some("reject-publish");
        for key in ["max-length", "max-length-bytes"].into_iter().filter(|_| !reject) {
            if effective(&queue, key).is_some() {
                fault(format!("{key} is set without overflow=reject-publish: the oldest messages are dropped"), self.unset(&queue, key, name), true);
            }
        }
        if let Some(timeout) = effective(&queue, "consumer-timeout").and_then(Value::as_u64)
            && u128::from(timeout) < self.settings.in_hand.as_millis() + CONSUMER_TIMEOUT_LEAST
        {
            let least = self.settings.in_hand.as_millis() + CONSUMER_TIMEOUT_LEAST;
            fault(
                format!("consumer-timeout is {timeout} ms: deliveries are taken back while we still keep them"),
                format!("raise it to {least} or more"),
                false,
            );
        }
        if faults.is_empty() {
            faults.push(Check::well(label, "stands as declared"));
        }
        Ok(faults)
    }

    /// What gives a queue the argument that it needs: a policy that spoils a right one is cleared, else the queue is made anew.
    fn mend(&self, queue: &Value, argument: &str, wanted: &Argument, name: &str) -> String {
        let key = argument.strip_prefix("x-").unwrap_or(argument);
        let own = by_argument(queue, key);
        let is_right = match wanted {
            Argument::Text(text) => own.and_then(Value::as_str) == Some(text),
            Argument::Number(number) => own.and_then(Value::as_i64) == Some(*number),
            Argument::Flag(flag) => own.and_then(Value::as_bool) == Some(*flag),
        };
        let policy = |of: &str| queue.get(of).and_then(Value::as_str).filter(|p| !p.is_empty());
        match (is_right && by_policy(queue, key).is_some(), policy("policy"), policy("operator_policy")) {
            (true, Some(policy), None) => format!("rabbitmqctl clear_policy -p {} {}", quoted(self.vhost), quoted(policy)),
            (true, None, Some(policy)) => format!("rabbitmqctl clear_operator_policy -p {} {}", quoted(self.vhost), quoted(policy)),
            _ => remake(self.vhost, name),
        }
    }

    /// A policy is cleared, an argument needs the queue made anew.
    fn unset(&self, queue: &Value, key: &str, name: &str) -> String {
        let policy = |of: &str| queue.get(of).and_then(Value::as_str).filter(|p| !p.is_empty());
        let by_argument = queue.get("arguments").and_then(|a| a.get(format!("x-{key}"))).is_some();
        match (by_argument, policy("policy"), policy("operator_policy")) {
            (false, Some(policy), _) => format!("rabbitmqctl clear_policy -p {} {}", quoted(self.vhost), quoted(policy)),
            (false, None, Some(policy)) => format!("rabbitmqctl clear_operator_policy -p {} {}", quoted(self.vhost), quoted(policy)),
            _ => remake(self.vhost, name),
        }
    }

    /// Whether each configured sender has a queue that its answers can go to: without one they wait in the outbox.
    fn replies(&self) -> Result<Vec<Check>, Outage> {
        let senders: Vec<_> = self.settings.rules.senders().collect();
        if senders.is_empty() {
            return Ok(Vec::new());
        }
        let queues = match self.management.queues()? {
            Said::This(queues) => queues,
            Said::Nothing | Said::NotForUs => return Ok(vec![self.hidden("reply queues".to_owned())]),
        };
        let names: Vec<&str> = super::partition_check::names(&queues).collect();
        let check = |(name, route): (&str, Option<&str>)| {
            let label = format!("replies of sender {name}");
            let count = names.iter().filter(|queue| self.settings.rules.may_reply(name, queue)).count();
            match (count, route) {
                (0, None) => Check::odd(
                    label,
                    "no queue of its own is there, and it has no route: its answers would wait in the outbox",
                    format!("let the sender declare its reply queue, or set [senders.{name}] route and: arkki topology apply"),
                ),
                (0, Some(route)) => Check::well(label, format!("by its route {route}")),
                (count, _) => Check::well(label, format!("{count} queues of its own")),
            }
        };
        Ok(senders.into_iter().map(check).collect())
    }

    /// Reading every inbound queue, and writing answers through the default exchange, which RabbitMQ calls `amq.default` in its permissions.
    fn rights(&self) -> Result<Option<Check>, Outage> {
        let label = format!("rights of user {}", self.user);
        // Only an administrator may look; that we were let in and could declare says enough otherwise.
        let rights = match self.management.permissions(self.user)? {
            Said::This(rights) => rights,
            Said::Nothing => {
                let mend = format!("rabbitmqctl set_permissions -p {} {} '' '.*' '.*'", quoted(self.vhost), quoted(self.user));
                return Ok(Some(Check::unwell(label, "has no rights in this virtual host", mend)));
            }
            Said::NotForUs => return Ok(None),
        };
        let pattern = |of: &str| rights.get(of).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (configure, read, write) = (pattern("configure"), pattern("read"), pattern("write"));
        let mend = |read: &str, write: &str| {
            let words = [self.vhost, self.user, configure.as_str(), write, read].map(quoted);
            format!("rabbitmqctl set_permissions -p {}", words.join(" "))
        };
        let inbound = self.settings.inbound.iter().flat_map(|q| std::iter::once(q.queue.clone()).chain(partitions::queues(&q.queue, q.partitions)));
        for queue in inbound {
            if !allows(&read, &queue) {
                return Ok(Some(Check::unwell(label, format!("may not read {queue} (read {read:?}): none of its messages come in"), mend(".*", &write))));
            }
        }
        Ok(Some(if allows(&write, DEFAULT_EXCHANGE) {
            Check::well(label, format!("read {read}, write {write}"))
        } else {
            Check::unwell(label, format!("may not write to the default exchange (write {write:?}): no answer can go out"), mend(&read, ".*"))
        }))
    }

    pub(super) fn hidden(&self, label: String) -> Check {
        let user = &self.management.user;
        Check::unseen(label, format!("user {user} may not see it"), format!("rabbitmqctl set_user_tags {} monitoring", quoted(user)))
    }
}

/// What makes messages, or the queue, vanish by itself.
const LOSSY: [(&str, &str); 2] = [("expires", "the queue deletes itself when nobody uses it"), ("message-ttl", "messages leave the queue by themselves")];

/// How an argument differs from what is needed, if it does.
fn differs(queue: &Value, argument: &str, wanted: &Argument, role: Role) -> Option<String> {
    let key = argument.strip_prefix("x-").unwrap_or(argument);
    let shown = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    match wanted {
        // The type is a property of the queue; a route or notice queue of somebody's own may be a classic one, as long as it is durable.
        Argument::Text(kind) if key == "queue-type" => {
            let is = queue.get("type").and_then(Value::as_str).unwrap_or_default();
            (is != kind && (role.is_inbound() || role == Role::DeadLetter)).then(|| format!("is a {is} queue; {kind} is needed"))
        }
        Argument::Text(text) => {
            let is = effective(queue, key);
            (is.and_then(Value::as_str) != Some(text)).then(|| format!("{argument} is {}; {text} is needed", shown(is)))
        }
        Argument::Flag(flag) => {
            let is = by_argument(queue, key);
            (is.and_then(Value::as_bool) != Some(*flag))
                .then(|| format!("{argument} is {}; {flag} is needed: two instances would mix a client's messages", shown(is)))
        }
        Argument::Number(number) if role.is_inbound() => {
            // Of argument and policy RabbitMQ takes the smaller.
            let both = [by_argument(queue, key), by_policy(queue, key)];
            let is = both.into_iter().flatten().filter_map(Value::as_i64).min();
            let what = |is: String| {
                format!("{argument} is {is}; {number} is needed: fewer quarantines good messages after a few restarts, none lets poison circle for ever")
            };
            (is != Some(*number)).then(|| what(is.map_or_else(|| "not set".into(), |n| n.to_string())))
        }
        Argument::Number(number) => {
            let is = effective(queue, key).and_then(Value::as_i64);
            let unsafe_when_unset = role == Role::DeadLetter && is.is_none();
            let shown = is.map_or_else(|| "not set (20 from RabbitMQ 4 on)".to_owned(), |n| n.to_string());
            (unsafe_when_unset || is.is_some_and(|n| n < *number)).then(|| format!("{argument} is {shown}: what a reader returns that often is dropped"))
        }
    }
}

/// What holds: the argument, else the policy.
fn effective<'a>(queue: &'a Value, key: &str) -> Option<&'a Value> {
    by_argument(queue, key).or_else(|| by_policy(queue, key))
}

fn by_argument<'a>(queue: &'a Value, key: &str) -> Option<&'a Value> {
    queue.get("arguments")?.get(format!("x-{key}"))
}

fn by_policy<'a>(queue: &'a Value, key: &str) -> Option<&'a Value> {
    queue.get("effective_policy_definition")?.get(key)
}
