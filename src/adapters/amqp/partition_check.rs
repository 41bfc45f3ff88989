//! The doctor's look at partitions: the plugin, the exchange, its bindings, and whether senders say which client a message is of.

use std::collections::BTreeMap;

use serde_json::Value;

use super::doctor::Check;
use super::inspect::Inspection;
use super::management::Said;
use super::partitions;
use super::settings::InboundQueue;
use super::topology::quoted;
use crate::domain::outage::Outage;

/// From how many messages on their spread over the partitions tells something: fewer may be of a handful of clients.
const TELLING: u64 = 500;
/// How much more than its share one partition may have had, in hundredths of all: clients differ, a header left out does not.
const EXCESS: u64 = 20;

impl Inspection<'_> {
    /// Everything about one inbound queue's partitions; nothing when it has none and none stand there.
    pub(super) fn partitions(&self, inbound: &InboundQueue) -> Result<Vec<Check>, Outage> {
        let exchange = partitions::exchange(&inbound.queue);
        let label = format!("exchange {exchange}");
        let found = match self.management.thing("exchanges", &exchange, "")? {
            Said::NotForUs => return Ok(vec![self.hidden(label)]),
            Said::Nothing if inbound.partitions == 0 => return Ok(Vec::new()),
            Said::Nothing => return Ok(vec![self.plugin()?, Check::unwell(label, "does not exist: senders have nowhere to send to", "arkki topology apply")]),
            Said::This(found) => found,
        };
        let mut checks = vec![self.plugin()?, self.by_client(label, &exchange, &found)];
        checks.push(self.bound(inbound, &exchange)?);
        checks.push(self.left_over(inbound)?);
        if inbound.partitions > 1 {
            checks.push(self.spread(inbound)?);
        }
        Ok(checks)
    }

    fn plugin(&self) -> Result<Check, Outage> {
        let label = format!("plugin {}", partitions::PLUGIN);
        Ok(match self.management.overview()? {
            Said::This(overview) if knows_type(&overview) => Check::well(label, "enabled"),
            Said::This(_) => Check::unwell(label, "is not enabled: the broker cannot lead messages to partitions", partitions::ENABLE),
            Said::Nothing | Said::NotForUs => self.hidden(label),
        })
    }

    fn by_client(&self, label: String, name: &str, found: &Value) -> Check {
        let kind = found.get("type").and_then(Value::as_str).unwrap_or_default();
        let header = found.get("arguments").and_then(|a| a.get("hash-header")).and_then(Value::as_str).unwrap_or("the routing key");
        if kind == partitions::KIND && header == partitions::HEADER && found.get("durable") == Some(&Value::Bool(true)) {
            return Check::well(label, format!("{kind} of {header}, durable"));
        }
        let delete = format!("rabbitmqadmin --vhost={} delete exchange name={} && arkki topology apply", quoted(self.vhost), quoted(name));
        Check::unwell(label, format!("is {kind} of {header}; a durable {} of {} is needed", partitions::KIND, partitions::HEADER), delete)
    }

    /// Every partition is bound once, all with one weight, and nothing else is bound.
    fn bound(&self, inbound: &InboundQueue, exchange: &str) -> Result<Check, Outage> {
        let label = format!("bindings of {exchange}");
        let mend = format!("arkki topology apply --partitions {} --inbound {}", inbound.partitions, quoted(&inbound.name));
        let bindings = match self.management.bindings_of(exchange)? {
            Said::This(list) => bindings(&list),
            Said::Nothing | Said::NotForUs => return Ok(self.hidden(label)),
        };
        let mut wanted: Vec<String> = partitions::queues(&inbound.queue, inbound.partitions).collect();
        if wanted.is_empty() {
            // Switched off: who still sends through the exchange is led to the queue itself.
            wanted.push(inbound.queue.clone());
        }
        let of = |queue: &String| bindings.iter().filter(|(bound, _)| bound == queue).count();
        let missing: Vec<&str> = wanted.iter().filter(|q| of(q) == 0).map(String::as_str).collect();
        let more: Vec<&str> = bindings.iter().map(|(queue, _)| queue.as_str()).filter(|queue| !wanted.iter().any(|w| w == queue)).collect();
        let unequal = bindings.iter().any(|(_, weight)| weight != partitions::WEIGHT) || wanted.iter().any(|q| of(q) > 1);
        Ok(if !missing.is_empty() {
            Check::unwell(label, format!("{} missing: other partitions have their clients", missing.join(", ")), mend)
        } else if !more.is_empty() {
            Check::unwell(label, format!("also lead to {}, which nobody with this configuration consumes", more.join(", ")), mend)
        } else if unequal {
            Check::unwell(label, format!("their weights differ: each is to be {}", partitions::WEIGHT), mend)
        } else {
            Check::well(label, format!("{}, all of weight {}", wanted.len(), partitions::WEIGHT))
        })
    }

    /// Partition queues that the configuration does not know: their messages wait for an instance that consumes them.
    fn left_over(&self, inbound: &InboundQueue) -> Result<Check, Outage> {
        let label = format!("partition queues of {}", inbound.queue);
        let list = match self.management.queues()? {
            Said::This(list) => list,
            Said::Nothing | Said::NotForUs => return Ok(self.hidden(label)),
        };
        let beyond: Vec<String> = names(&list)
            .filter(|name| partitions::number(&inbound.queue, name).is_some_and(|n| n > inbound.partitions))
            .map(|name| format!("{name} ({})", depth(&list, name).map_or_else(|| "depth unseen".to_owned(), |n| format!("{n} messages"))))
            .collect();
        Ok(if beyond.is_empty() {
            Check::well(label, format!("{}, none beyond", inbound.partitions))
        } else {
            let mend = format!(
                "[inbound.{}] partitions as they are while they drain, and: arkki topology apply --partitions {} --inbound {}",
                inbound.name,
                inbound.partitions,
                quoted(&inbound.name)
            );
            Check::unwell(label, format!("also {}", beyond.join(", ")), mend)
        })
    }

    /// Where the messages went: without the header all go to one partition. Counts are since the broker began to count.
    fn spread(&self, inbound: &InboundQueue) -> Result<Check, Outage> {
        let label = format!("header {} of messages to {}", partitions::HEADER, inbound.queue);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for name in partitions::queues(&inbound.queue, inbound.partitions) {
            if let Said::This(queue) = self.management.thing("queues", &name, "")? {
                let published = queue.get("message_stats").and_then(|s| s.get("publish")).and_then(Value::as_u64);
                counts.insert(name, published.unwrap_or(0));
            }
        }
        let all: u64 = counts.values().sum();
        let Some((name, most)) = counts.iter().max_by_key(|(_, count)| **count) else { return Ok(self.hidden(label)) };
        let fair = 100 / u64::from(inbound.partitions.max(1));
        let share = (most * 100).checked_div(all).unwrap_or(0);
        Ok(if all >= TELLING && share > fair + EXCESS {
            Check::odd(
                label,
                format!("{name} had {most} of {all} messages: messages without the header all go to one partition, and wait there for one instance"),
                "let senders set it: the first 16 hexadecimal digits of HMAC-SHA-256(site key, client root, NUL, client extension); see docs/partitions.md",
            )
        } else {
            Check::well(label, format!("{all} messages seen, at most {share} % of them in one partition"))
        })
    }
}

/// Whether the broker's overview names the exchange type of partitions.
pub(super) fn knows_type(overview: &Value) -> bool {
    let types = overview.get("exchange_types").and_then(Value::as_array);
    types.is_some_and(|types| types.iter().any(|t| t.get("name").and_then(Value::as_str) == Some(partitions::KIND)))
}

/// Queue and weight of each binding of an exchange.
pub(super) fn bindings(list: &Value) -> Vec<(String, String)> {
    let text = |binding: &Value, key: &str| binding.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    list.as_array().map_or_else(Vec::new, |all| all.iter().map(|b| (text(b, "destination"), text(b, "routing_key"))).collect())
}

/// The names in a list of queues.
pub(super) fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(|queue| queue.get("name").and_then(Value::as_str))
}

/// How many messages a queue of a list holds, those in somebody's hand among them; `None` when that cannot be seen.
pub(super) fn depth(list: &Value, name: &str) -> Option<u64> {
    let queue = list.as_array()?.iter().find(|queue| queue.get("name").and_then(Value::as_str) == Some(name))?;
    queue.get("messages").and_then(Value::as_u64)
}
