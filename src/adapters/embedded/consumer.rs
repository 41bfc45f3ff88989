//! The inbound side of the in-process broker: the same port, the same door.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::{EmbeddedBroker, Letter};
use crate::domain::outage::Outage;
use crate::pipeline::door::{Entrance, Properties, Rules};
use crate::ports::broker::{Consumer, Delivery, Settle, Settlement};

/// How long a message that was dropped unsettled rests before it is handed over again, so that one that always fails does not spin.
const REST: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Taking,
    Paused,
    Closing,
}

/// Consumes some queues of an embedded broker.
pub struct EmbeddedConsumer {
    road: Arc<Road>,
    queues: Vec<(String, Entrance)>,
    prefetch: usize,
    mode: watch::Sender<Mode>,
    tasks: Mutex<JoinSet<()>>,
}

struct Road {
    broker: EmbeddedBroker,
    rules: Arc<Rules>,
    dead_letters: String,
    in_hand: Arc<Semaphore>,
}

impl EmbeddedConsumer {
    /// `queues` are names and entrances; `prefetch` bounds what is in hand over all of them. Declares them and the dead-letter queue.
    #[must_use]
    pub fn new(broker: EmbeddedBroker, queues: Vec<(String, Entrance)>, rules: Arc<Rules>, dead_letters: impl Into<String>, prefetch: u16) -> Self {
        let prefetch = usize::from(prefetch.max(1));
        let road = Road { broker, rules, dead_letters: dead_letters.into(), in_hand: Arc::new(Semaphore::new(prefetch)) };
        queues.iter().for_each(|(name, _)| road.broker.declare(name));
        road.broker.declare(&road.dead_letters);
        Self { road: Arc::new(road), queues, prefetch, mode: watch::Sender::new(Mode::Taking), tasks: Mutex::default() }
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn start(&self, deliveries: mpsc::Sender<Delivery>) -> Result<(), Outage> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for (queue, entrance) in self.queues.clone() {
            tasks.spawn(consume(Arc::clone(&self.road), queue, entrance, deliveries.clone(), self.mode.subscribe()));
        }
        Ok(())
    }

    async fn pause(&self) {
        self.mode.send_if_modified(|mode| *mode == Mode::Taking && std::mem::replace(mode, Mode::Paused) == Mode::Taking);
    }

    async fn resume(&self) {
        self.mode.send_if_modified(|mode| *mode == Mode::Paused && std::mem::replace(mode, Mode::Taking) == Mode::Paused);
    }

    async fn close(&self, within: Duration) {
        self.mode.send_replace(Mode::Closing);
        let all = u32::try_from(self.prefetch).unwrap_or(u32::MAX);
        let settled = async {
            // Every permit home means that nothing is in hand.
            let _ = self.road.in_hand.acquire_many(all).await;
        };
        let _ = tokio::time::timeout(within, settled).await;
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    fn is_up(&self) -> bool {
        *self.mode.borrow() != Mode::Closing
    }
}

async fn consume(road: Arc<Road>, queue: String, entrance: Entrance, deliveries: mpsc::Sender<Delivery>, mut mode: watch::Receiver<Mode>) {
    loop {
        if mode.wait_for(|m| *m != Mode::Paused).await.is_ok_and(|m| *m == Mode::Closing) {
            return;
        }
        let Ok(permit) = Arc::clone(&road.in_hand).acquire_owned().await else { return };
        let letter = tokio::select! {
            biased;
            _ = mode.changed() => continue,
            letter = road.broker.first(&queue) => letter,
        };
        let properties = Properties {
            user_id: letter.user_id.as_deref(),
            reply_to: letter.reply_to.as_deref(),
            correlation_id: letter.correlation_id.as_deref(),
            message_id: letter.message_id.as_deref(),
            content_type: letter.content_type.as_deref(),
        };
        // The copy is the price of handing the same octets over again.
        let envelope = road.rules.admit(&entrance, properties, letter.body.as_ref().clone());
        let redelivered = letter.redelivered;
        let hand = Hand { road: Arc::clone(&road), queue: queue.clone(), letter: Some(letter), _permit: permit };
        if deliveries.send(Delivery { envelope, redelivered, trace: None, settle: Box::new(hand) }).await.is_err() {
            return;
        }
    }
}

/// One message in hand.
struct Hand {
    road: Arc<Road>,
    queue: String,
    letter: Option<Letter>,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Settle for Hand {
    fn settle(mut self: Box<Self>, how: Settlement) {
        if let (Some(letter), Settlement::DeadLetter) = (self.letter.take(), how)
            && self.road.broker.put(&self.road.dead_letters, letter.clone()).is_err()
        {
            // At least once: it stays where it was until there is room.
            self.road.broker.put_back(&self.queue, letter);
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let Some(letter) = self.letter.take() else { return };
        let (road, queue) = (Arc::clone(&self.road), std::mem::take(&mut self.queue));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    tokio::time::sleep(REST).await;
                    road.broker.put_back(&queue, letter);
                });
            }
            Err(_) => road.broker.put_back(&queue, letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outbox::{OutboxEntry, OutboxId};
    use crate::ports::broker::{Published, Publisher};

    const SOON: Duration = Duration::from_secs(10);

    fn letter(n: usize) -> Letter {
        Letter { message_id: Some(format!("m{n}")), reply_to: Some("arkki.reply.anonymous.1".into()), body: Arc::new(vec![b'x'; n]), ..Letter::default() }
    }

    async fn started(prefetch: u16) -> (EmbeddedBroker, EmbeddedConsumer, mpsc::Receiver<Delivery>) {
        let broker = EmbeddedBroker::new();
        let entrance = Entrance { name: "main".into(), profile: "social".into(), sender: None };
        let rules = Arc::new(Rules::new(true, ["in".to_owned(), "dead".to_owned()]));
        let consumer = EmbeddedConsumer::new(broker.clone(), vec![("in".into(), entrance)], rules, "dead", prefetch);
        let (sender, receiver) = mpsc::channel(100);
        assert!(consumer.start(sender).await.is_ok());
        (broker, consumer, receiver)
    }

    async fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> Option<Delivery> {
        tokio::time::timeout(SOON, deliveries.recv()).await.ok().flatten()
    }

    /// Takes the next one and settles it, or drops it.
    async fn settle(deliveries: &mut mpsc::Receiver<Delivery>, how: Option<Settlement>) -> Option<(String, bool)> {
        let delivery = next(deliveries).await?;
        let seen = (delivery.envelope.message_id.clone().unwrap_or_default(), delivery.redelivered);
        if let Some(how) = how {
            delivery.settle.settle(how);
        }
        Some(seen)
    }

    #[tokio::test]
    async fn settled_quarantined_and_dropped_end_where_they_should() {
        let (broker, consumer, mut deliveries) = started(10).await;
        for n in 0..3 {
            assert_eq!(broker.put("in", letter(n)), Ok(Published::Routed));
        }
        assert_eq!(settle(&mut deliveries, Some(Settlement::Done)).await, Some(("m0".into(), false)));
        assert_eq!(settle(&mut deliveries, Some(Settlement::DeadLetter)).await, Some(("m1".into(), false)));
        assert_eq!(settle(&mut deliveries, None).await, Some(("m2".into(), false)));
        assert_eq!(settle(&mut deliveries, Some(Settlement::Done)).await, Some(("m2".into(), true)));
        consumer.close(SOON).await;
        assert_eq!((broker.count("in"), broker.count("dead")), (Some(0), Some(1)));
        assert_eq!(broker.take("dead", SOON).await.and_then(|l| l.message_id).as_deref(), Some("m1"));
    }

    #[tokio::test]
    async fn no_more_than_prefetch_is_in_hand_and_a_pause_takes_nothing() {
        let (broker, consumer, mut deliveries) = started(2).await;
        for n in 0..4 {
            assert!(broker.put("in", letter(n)).is_ok());
        }
        let (first, second) = (next(&mut deliveries).await, next(&mut deliveries).await);
        assert!(tokio::time::timeout(Duration::from_millis(50), deliveries.recv()).await.is_err());
        consumer.pause().await;
        for delivery in first.into_iter().chain(second) {
            assert!(delivery.envelope.reply.as_ref().is_some_and(|r| r.queue == "arkki.reply.anonymous.1"));
            delivery.settle.settle(Settlement::Done);
        }
        assert!(tokio::time::timeout(Duration::from_millis(50), deliveries.recv()).await.is_err());
        consumer.resume().await;
        for _ in 0..2 {
            if let Some(delivery) = next(&mut deliveries).await {
                delivery.settle.settle(Settlement::Done);
            }
        }
        assert_eq!(broker.count("in"), Some(0));
    }

    #[tokio::test]
    async fn an_answer_without_a_queue_is_unroutable() {
        let broker = EmbeddedBroker::new();
        let entry = OutboxEntry {
            id: OutboxId(1),
            amqp_id: "a".into(),
            queue: "r".into(),
            correlation: None,
            content_type: "application/xml".into(),
            body: vec![1],
            attempts: 0,
            trace: None,
        };
        let entry = Arc::new(entry);
        assert_eq!(broker.publish(Arc::clone(&entry)).await, Ok(Published::Unroutable));
        broker.declare("r");
        assert_eq!(broker.publish(entry).await, Ok(Published::Routed));
        assert_eq!(broker.take("r", SOON).await.map(|l| l.body.as_ref().clone()), Some(vec![1]));
    }
}
