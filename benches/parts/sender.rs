//! The senders' part: documents that lie in the queue, and their answers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::amqp::{AmqpClient, Answers, Outgoing, Secret};
use arkki::generate::scenario::{self, Message};
use futures_util::StreamExt as _;

/// Where documents go in.
pub const INBOUND: &str = "arkki.inbound";

/// How many clients' documents lie between each other.
const BLOCK: usize = 100;
/// What [`scenario::bench`] makes of one client.
const OF_CLIENT: usize = 8;
/// How many publications wait for their confirm at once.
const IN_FLIGHT: usize = 512;
/// How long the next answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Documents of many clients, each client's in its order, a hundred clients' taking turns as they do in life.
pub fn documents(seed: u64, octets: usize) -> impl Iterator<Item = Message> {
    let mut all = scenario::bench(seed, octets);
    std::iter::from_fn(move || {
        let mut block: Vec<Option<Message>> = all.by_ref().take(BLOCK * OF_CLIENT).map(Some).collect();
        let turns = (0..OF_CLIENT).flat_map(|turn| (0..BLOCK).map(move |client| client * OF_CLIENT + turn));
        Some(turns.filter_map(|at| block.get_mut(at).and_then(Option::take)).collect::<Vec<_>>())
    })
    .flatten()
}

/// Connects as guest and declares the reply queue.
pub async fn client(url: &str, replies: &str) -> AmqpClient {
    let client = AmqpClient::connect(&Secret::new(url), "bench").await.expect("the broker takes us");
    client.declare_reply_queue(replies).await.expect("a reply queue");
    client
}

pub fn outgoing(message: Message, replies: &str) -> Outgoing {
    Outgoing {
        queue: INBOUND.to_owned(),
        message_id: Some(message.id),
        correlation_id: None,
        reply_to: Some(replies.to_owned()),
        content_type: Some("application/xml".to_owned()),
        user_id: Some("guest".to_owned()),
        body: Arc::new(message.octets),
    }
}

/// Fills the inbound queue; gives the octets sent.
pub async fn fill(client: &AmqpClient, replies: &str, seed: u64, count: usize, octets: usize) -> usize {
    let sent = futures_util::stream::iter(documents(seed, octets).take(count)).map(|message| async {
        let octets = message.octets.len();
        client.send(outgoing(message, replies)).await.expect("the broker takes a document");
        octets
    });
    sent.buffer_unordered(IN_FLIGHT).fold(0, |sum, octets| async move { sum + octets }).await
}

/// Takes the answers to `count` messages: each AA, each to another message.
pub async fn all_accepted(answers: &mut Answers, count: usize) {
    let mut answered = HashSet::new();
    while answered.len() < count {
        let answer = answers.next(PATIENCE).await.expect("the broker answers").unwrap_or_else(|| panic!("{} of {count} answers", answered.len()));
        let text = String::from_utf8(answer.body).expect("an answer is text");
        assert!(text.contains("typeCode code=\"AA\""), "not accepted: {}", text.get(..4_000).unwrap_or(&text));
        answered.insert(answer.correlation_id.expect("an answer says to what"));
    }
}
