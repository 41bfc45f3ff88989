//! Partition queues: what they are called, and how a client's messages find the one that is theirs. A consistent-hash exchange (RabbitMQ's own plugin)
//! leads each value of the header `x-partition` to one queue; of each queue one instance is the single active consumer, so a client's messages
//! stay in order however many instances there are. They only save holds: what must be right is checked in the archive.

use crate::domain::digest::Digest;

/// The header that says which partition: hexadecimal digits of a keyed hash, never the identity code.
pub const HEADER: &str = "x-partition";
/// The exchange's type.
pub const KIND: &str = "x-consistent-hash";
/// The plugin that knows it; it comes with RabbitMQ.
pub const PLUGIN: &str = "rabbitmq_consistent_hash_exchange";
/// What enables it.
pub const ENABLE: &str = "rabbitmq-plugins enable rabbitmq_consistent_hash_exchange";
/// Each queue's weight, as the binding key: all the same, so that all have the same share of the clients.
pub const WEIGHT: &str = "1";
/// How many hexadecimal digits of the hash the header bears: 64 bits spread clients evenly and tell nobody anything.
const DIGITS: usize = 16;

/// The exchange through which an inbound queue's partitions are reached.
#[must_use]
pub fn exchange(inbound: &str) -> String {
    format!("{inbound}.by-client")
}

/// The name of a partition queue, counted from 1.
#[must_use]
pub fn queue(inbound: &str, number: u16) -> String {
    format!("{inbound}.p{number:02}")
}

/// The names of an inbound queue's first `count` partition queues.
pub fn queues(inbound: &str, count: u16) -> impl Iterator<Item = String> {
    (1..=count).map(move |number| queue(inbound, number))
}

/// Which partition of `inbound` a queue is, if it is one.
#[must_use]
pub fn number(inbound: &str, name: &str) -> Option<u16> {
    let number = name.strip_prefix(inbound)?.strip_prefix(".p")?.parse().ok()?;
    (number > 0 && queue(inbound, number) == name).then_some(number)
}

/// The header's value for a client, by the keyed hash of its id (HMAC-SHA-256 of root, NUL, extension, with the site key).
#[must_use]
pub fn value(client: &Digest) -> String {
    client.to_hex().chars().take(DIGITS).collect()
}

/// How many deliveries each of the queue and its partitions may have in hand, so that all together stay within `prefetch`. At least one: the configuration
/// holds `prefetch` above `partitions`.
#[must_use]
pub const fn share(prefetch: u16, partitions: u16) -> u16 {
    let each = prefetch / partitions.saturating_add(1);
    if each == 0 { 1 } else { each }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again_and_others_are_not_taken_for_them() {
        for number in [1, 9, 10, 64] {
            assert_eq!(super::number("a.in", &queue("a.in", number)), Some(number));
        }
        assert_eq!(queues("a.in", 2).collect::<Vec<_>>(), ["a.in.p01", "a.in.p02"]);
        for other in ["a.in", "a.in.p1", "a.in.p001", "a.in.p00", "a.in.px", "a.in.p01.old", "b.in.p01", "a.in.by-client"] {
            assert_eq!(super::number("a.in", other), None, "{other}");
        }
    }

    #[test]
    fn the_value_is_the_first_sixteen_digits() {
        assert_eq!(value(&Digest([0xab; 32])), "abababababababab");
    }

    #[test]
    fn shares_stay_within_the_whole() {
        for (prefetch, partitions) in [(256, 0), (256, 4), (256, 64), (65, 64), (9, 8), (2, 1)] {
            let all = u32::from(share(prefetch, partitions)) * (u32::from(partitions) + 1);
            assert!(all <= u32::from(prefetch) && share(prefetch, partitions) > 0, "{prefetch} {partitions}");
        }
    }
}
