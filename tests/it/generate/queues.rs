//! Queues full of messages: ids of their own, and expectations that fit each other.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use arkki::generate::scenario::{self, Expected, Message};

use super::{keys, xmllint};

#[test]
fn a_thousand_mixed_messages_say_what_must_become_of_them() {
    let messages = scenario::mixed(42, 1_000, Some(&keys()));
    assert!((1_000..1_020).contains(&messages.len()), "{}", messages.len());
    let by_id: HashMap<&str, &Message> = messages.iter().map(|m| (m.id.as_str(), m)).collect();
    assert_eq!(by_id.len(), messages.len(), "a message id stands twice");
    let position: HashMap<&str, usize> = messages.iter().enumerate().map(|(n, m)| (m.id.as_str(), n)).collect();
    let (mut documents, mut kinds) = (HashSet::new(), [0; 5]);
    for message in &messages {
        let kind = match &message.expected {
            Expected::Accepted { document } => {
                assert!(documents.insert(document.clone()), "two accepted documents with one id");
                0
            }
            Expected::Refused(_) => 1,
            Expected::Repeat { of } => {
                assert_eq!(by_id[of.as_str()].octets, message.octets);
                assert!(position[of.as_str()] < position[message.id.as_str()]);
                2
            }
            Expected::Conflict { with, document } => {
                let other = by_id[with.as_str()];
                assert_ne!(other.octets, message.octets);
                assert!(matches!(&other.expected, Expected::Conflict { with, document: d } if *with == message.id && d == document));
                3
            }
            Expected::Quarantined => {
                assert!(!message.reply);
                4
            }
        };
        kinds[kind] += 1;
    }
    assert!(kinds[0] > 600 && kinds[1..].iter().all(|n| *n > 10), "{kinds:?}");
}

#[test]
fn the_same_seed_gives_the_same_queue() {
    let keys = keys();
    assert_eq!(scenario::mixed(1, 60, Some(&keys)), scenario::mixed(1, 60, Some(&keys)));
    assert!(scenario::mixed(1, 60, None).iter().all(|m| !m.octets.windows(14).any(|w| w == b"SignatureValue")), "signed without keys");
}

#[test]
fn bench_messages_are_of_one_size_and_quick_to_make() {
    let start = Instant::now();
    let messages: Vec<_> = scenario::bench(9, 30_000).take(500).collect();
    println!("{} messages of 30 KB in {:?}", messages.len(), start.elapsed());
    let ids: HashSet<_> = messages.iter().map(|m| &m.id).collect();
    assert_eq!(ids.len(), messages.len());
    for message in &messages {
        assert!((27_000..34_000).contains(&message.octets.len()), "{}", message.octets.len());
        assert!(matches!(message.expected, Expected::Accepted { .. }));
    }
    let files: Vec<_> = messages.into_iter().take(16).map(|m| (m.id, m.octets)).collect();
    xmllint(&files, &["--noout", "--nonet"]).unwrap();
}
