//! One inbound queue, or one partition of it, on one channel: takes deliveries, hands them to the pipeline as fast as it takes them, tells the broker what is settled.
//! Everything here lives and dies with the channel, the receiver of settlements too: what is settled later falls on deaf ears.
//!
//! A partition has a single active consumer: at its cancel the broker lets another instance in at once, whatever we still have in hand. So a partition
//! is left only when all in hand is settled (a stop, or another instance's share), or handed back in one go with the channel (an outage that lasts).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Raw;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use tokio::sync::{mpsc, watch};

use super::connect::{Backoff, asked};
use super::consumer::{Mode, Standing};
use super::handle::{Handle, trace};
use super::in_hand::{InHand, Telling};
use super::ready::{self, Seen};
use super::settings::{AmqpSettings, Source};
use super::share::Share;
use crate::domain::message::Envelope;
use crate::pipeline::door::{Entrance, Properties};
use crate::ports::broker::{Delivery, Settlement};
use crate::telemetry::{self, Partition};

/// How many settlements, or deliveries, are taken in at one go before the others get their turn.
const AT_ONE_GO: usize = 256;
/// How long nothing is acknowledged before a subscription is cancelled, unless the hand is full. An acknowledgement makes room, and what the broker sends
/// into that room may come after its answer to the cancel; lapin then knows no consumer for it any more and drops it without a word.
const QUIET: Duration = Duration::from_millis(100);
/// A sleep that never ends, in practice: nothing is due.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// What a lane works with.
pub(super) struct Lane<'a> {
    pub(super) settings: &'a AmqpSettings,
    pub(super) source: &'a Source,
    /// How the inbound queue's partitions are shared, and the queue itself, whose consumers are the instances.
    pub(super) share: (&'a Share, &'a str),
    pub(super) entrance: Entrance,
    pub(super) deliveries: &'a mpsc::Sender<Delivery>,
    pub(super) standing: &'a Standing,
}

/// How a channel ended without an error.
pub(super) enum Ended {
    /// Everything in hand was settled and told; closed for good.
    Closed,
    /// The channel was closed, because a pause took too long or a partition was left, and taking is wanted again.
    HandedBack,
}

impl Lane<'_> {
    /// Runs one channel to its end.
    pub(super) async fn run(&self, connection: &Connection, mode: &mut watch::Receiver<Mode>, backoff: &mut Backoff) -> lapin::Result<Ended> {
        if self.source.single && !self.is_ready(connection, mode).await? {
            return Ok(Ended::Closed);
        }
        let channel = asked(connection.create_channel()).await?;
        asked(channel.basic_qos(self.source.prefetch, BasicQosOptions { global: false })).await?;
        let (settle, settled) = mpsc::unbounded_channel();
        let mut turn = Turn {
            lane: self,
            channel,
            consumer: None,
            waiting: VecDeque::new(),
            hand: InHand::default(),
            settle,
            settled,
            counted: false,
            next_tag: 1,
            quiet: None,
            wanted: Mode::Taking,
            paused: None,
            ours: false,
            yielding: false,
        };
        turn.go(mode, backoff).await
    }

    /// Asks a partition whether it can be consumed; `false` when we are to close meanwhile.
    async fn is_ready(&self, connection: &Connection, mode: &watch::Receiver<Mode>) -> lapin::Result<bool> {
        let looked = async {
            let _one = self.standing.looking.lock().await;
            ready::look(self.settings, connection, &self.source.queue).await
        };
        let mut mode = mode.clone();
        let seen = tokio::select! {
            seen = looked => seen?,
            _ = mode.wait_for(|m| *m == Mode::Closing) => return Ok(false),
        };
        match seen {
            Seen::Ready => Ok(true),
            Seen::NotYet => Err(std::io::Error::other("the queue is shown, and nobody answers for it").into()),
        }
    }

    /// The body moves; the properties are looked at and dropped. Of the headers the guard left the trace, if anything.
    fn admit(&self, raw: Raw) -> Envelope {
        let p = &raw.properties;
        let properties = Properties {
            user_id: p.user_id().as_ref().map(|s| s.as_str()),
            reply_to: p.reply_to().as_ref().map(|s| s.as_str()),
            correlation_id: p.correlation_id().as_ref().map(|s| s.as_str()),
            message_id: p.message_id().as_ref().map(|s| s.as_str()),
            content_type: p.content_type().as_ref().map(|s| s.as_str()),
        };
        self.settings.rules.admit(&self.entrance, properties, raw.data)
    }
}

/// A channel's life.
struct Turn<'a> {
    lane: &'a Lane<'a>,
    channel: Channel,
    consumer: Option<lapin::Consumer>,
    /// Received and not yet taken by the pipeline; at most `prefetch`.
    waiting: VecDeque<Raw>,
    hand: InHand,
    settle: mpsc::UnboundedSender<(u64, Option<Settlement>)>,
    /// Holds at most one entry for each delivery in hand.
    settled: mpsc::UnboundedReceiver<(u64, Option<Settlement>)>,
    /// Whether this lane counts as subscribed.
    counted: bool,
    /// The tag of the next delivery: the broker counts every one of the channel.
    next_tag: u64,
    /// Since when nothing was acknowledged, while a cancel is wanted.
    quiet: Option<Instant>,
    /// What is wanted, as last looked at.
    wanted: Mode,
    /// Since when a pause is wanted.
    paused: Option<Instant>,
    /// A partition of which we are the active consumer: it gave us something.
    ours: bool,
    /// A partition that another instance is to have, as soon as all in hand is settled.
    yielding: bool,
}

impl Turn<'_> {
    async fn go(&mut self, mode: &mut watch::Receiver<Mode>, backoff: &mut Backoff) -> lapin::Result<Ended> {
        let mut batch = Vec::with_capacity(AT_ONE_GO);
        let mut alarm = std::pin::pin!(tokio::time::sleep(FAR));
        loop {
            self.want(*mode.borrow_and_update());
            let wanted = self.wanted;
            self.balance().await?;
            self.subscribe_or_cancel(backoff).await?;
            // A subscription still open while none is wanted: it is cancelled at this moment at the latest, and until then nothing is told.
            let cancel_at = self.quiet.map(|since| since + QUIET);
            if cancel_at.is_none() {
                self.tell().await?;
            }
            if wanted != Mode::Closing && self.lane.source.single && self.consumer.is_none() {
                // The partition is another's from now on. Closed, the channel gives back what the broker may have sent on the way to the cancel.
                self.tell_last().await?;
                asked(self.channel.close(200, "OK".into())).await?;
                let _ = mode.wait_for(|m| *m != Mode::Paused).await;
                return Ok(Ended::HandedBack);
            }
            if wanted == Mode::Closing && self.consumer.is_none() && self.is_empty() {
                asked(self.channel.close(200, "OK".into())).await?;
                return Ok(Ended::Closed);
            }
            let too_long = self.too_long();
            if too_long.is_some_and(|at| at <= Instant::now()) {
                self.disown(Partition::HandedBack);
                self.tell_last().await?;
                asked(self.channel.close(200, "OK".into())).await?;
                let _ = mode.wait_for(|m| *m != Mode::Paused).await;
                return Ok(Ended::HandedBack);
            }
            let due = match cancel_at {
                // What is awaited before a partition is left wakes us when it is settled.
                Some(_) if !self.may_leave() => None,
                Some(at) => Some(at),
                None => self.hand.due(self.soon()).into_iter().chain(too_long).chain(self.look_at()).min(),
            };
            alarm.as_mut().reset(due.map_or_else(|| tokio::time::Instant::now() + FAR, Into::into));
            let hand_over = wanted != Mode::Paused && !self.waiting.is_empty();
            tokio::select! {
                biased;
                _ = mode.changed() => {}
                count = self.settled.recv_many(&mut batch, AT_ONE_GO) => if count > 0 { self.mark(&mut batch).await?; },
                () = alarm.as_mut(), if due.is_some() => {}
                permit = self.lane.deliveries.reserve(), if hand_over => match permit {
                    Ok(permit) => if let Some(raw) = self.waiting.pop_front() { permit.send(self.delivery(raw)); self.hand_over(); },
                    // The pipeline takes no more: what waits here goes back when the channel closes.
                    Err(_) => self.drop_waiting(),
                },
                next = next(&mut self.consumer) => match next {
                    Some(raw) => { self.take(raw?); self.take_ready()?; }
                    None => return Err(std::io::Error::other("the broker ended the subscription: was the queue deleted?").into()),
                },
            }
        }
    }

    fn want(&mut self, wanted: Mode) {
        self.wanted = wanted;
        if wanted == Mode::Paused {
            self.paused.get_or_insert_with(Instant::now);
        } else {
            self.paused = None;
        }
        // Who waits for an outage, or leaves for good, yields nothing besides.
        self.yielding &= wanted == Mode::Taking;
    }

    /// How many settled ones need not wait for more.
    fn soon(&self) -> usize {
        usize::from(self.lane.source.prefetch / 4).max(1)
    }

    /// When what is in hand has been kept long enough through a pause, and goes back.
    fn too_long(&self) -> Option<Instant> {
        let oldest = self.hand.oldest().filter(|_| self.wanted == Mode::Paused)?;
        let kept = oldest + self.lane.settings.in_hand;
        let patience = self.paused.filter(|_| self.lane.source.single).map(|since| since + self.lane.settings.patience);
        Some(patience.map_or(kept, |at| at.min(kept)))
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.hand.is_settled()
    }

    /// Whether a cancel would let nobody overtake what we have in hand.
    fn may_leave(&self) -> bool {
        !self.lane.source.single || (self.waiting.is_empty() && self.hand.is_worked_off())
    }

    /// Whether the subscription is to end. A pause with a partition's messages in hand waits with the subscription open: no more than `prefetch` can come.
    fn is_leaving(&self) -> bool {
        self.consumer.is_some()
            && match self.wanted {
                Mode::Taking => self.yielding,
                Mode::Paused => self.may_leave(),
                Mode::Closing => true,
            }
    }

    async fn subscribe_or_cancel(&mut self, backoff: &mut Backoff) -> lapin::Result<()> {
        let is_leaving = self.is_leaving();
        self.quiet = is_leaving.then(|| self.quiet.unwrap_or_else(Instant::now));
        // A full hand: the broker has sent all that it may, and all of it is here.
        let is_still = self.hand.len() >= usize::from(self.lane.source.prefetch) || self.quiet.is_some_and(|since| since.elapsed() >= QUIET);
        if self.wanted == Mode::Taking && self.consumer.is_none() {
            let options = BasicConsumeOptions { no_local: false, no_ack: false, exclusive: false, nowait: false };
            let queue = self.lane.source.queue.as_str().into();
            self.consumer = Some(asked(self.channel.basic_consume(queue, "".into(), options, FieldTable::default())).await?);
            backoff.reset();
        } else if is_leaving
            && is_still
            && self.may_leave()
            && let Some(mut consumer) = self.consumer.take()
        {
            self.quiet = None;
            asked(self.channel.basic_cancel(consumer.tag(), BasicCancelOptions { nowait: false })).await?;
            // What came before the broker's answer is in hand too; of a partition it goes back, for another instance may have what comes after it.
            while let Some(Some(raw)) = consumer.next().now_or_never() {
                self.take(raw?);
            }
            if self.lane.source.single {
                self.drop_waiting();
            }
            self.disown(if self.yielding { Partition::Yielded } else { Partition::Left });
        }
        self.count(true);
        Ok(())
    }

    /// When to look whether we have more partitions than our share.
    fn look_at(&self) -> Option<Instant> {
        self.lane.share.0.look_at().filter(|_| self.ours && !self.yielding && self.wanted == Mode::Taking)
    }

    /// Every partition that is ours comes by here; one of them looks how many instances there are, and each yields if the share says so.
    async fn balance(&mut self) -> lapin::Result<()> {
        let (share, plain) = self.lane.share;
        let now = Instant::now();
        let Some(look_at) = self.look_at() else { return Ok(()) };
        if look_at > now && !share.is_yielding() {
            return Ok(());
        }
        if share.looks_now(now) {
            let options = QueueDeclareOptions { passive: true, durable: true, exclusive: false, auto_delete: false, nowait: false };
            let instances = asked(self.channel.queue_declare(plain.into(), options, FieldTable::default())).await?.consumer_count();
            share.seen(instances, now);
        }
        self.yielding = share.yields();
        Ok(())
    }

    /// From now on another instance may be the active consumer.
    fn disown(&mut self, how: Partition) {
        if std::mem::take(&mut self.ours) {
            self.lane.share.0.left();
            telemetry::partition(&self.lane.source.queue, how);
        }
        self.yielding = false;
    }

    /// Partitions are not counted: one that is not there yet must not keep the others from being consumed.
    fn count(&mut self, now: bool) {
        if self.counted != now && !self.lane.source.single {
            self.counted = now;
            self.lane.standing.subscribed(now);
        }
    }

    fn take(&mut self, raw: Raw) {
        let now = Instant::now();
        if self.lane.source.single && self.consumer.is_some() && !self.ours {
            self.ours = true;
            self.lane.share.0.took();
            telemetry::partition(&self.lane.source.queue, Partition::Taken);
        }
        // A gap: deliveries that came after a cancel and were dropped on the way. The broker thinks we have them; they go back.
        for dropped in (self.next_tag..raw.delivery_tag).take(usize::from(self.lane.source.prefetch)) {
            self.hand.add(dropped, now);
            self.hand.settle(dropped, None, now);
        }
        self.next_tag = raw.delivery_tag.saturating_add(1);
        self.hand.add(raw.delivery_tag, now);
        self.waiting.push_back(raw);
        self.hand_over_if_first();
    }

    /// What else has come already, so that a burst costs one turn and not one for each.
    fn take_ready(&mut self) -> lapin::Result<()> {
        for _ in 0..AT_ONE_GO {
            let Some(consumer) = self.consumer.as_mut() else { return Ok(()) };
            match consumer.next().now_or_never() {
                Some(Some(raw)) => self.take(raw?),
                Some(None) => {
                    return Err(std::io::Error::other("the broker ended the subscription").into());
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// A delivery that nothing waits before goes on at once, unless a pause keeps it here.
    fn hand_over_if_first(&mut self) {
        if self.consumer.is_some() && self.wanted != Mode::Paused && self.waiting.len() == 1 {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        while !self.waiting.is_empty() {
            let Ok(permit) = self.lane.deliveries.try_reserve() else { return };
            if let Some(raw) = self.waiting.pop_front() {
                permit.send(self.delivery(raw));
            }
        }
    }

    fn delivery(&self, raw: Raw) -> Delivery {
        let settle = Box::new(Handle::new(raw.delivery_tag, self.settle.clone()));
        Delivery { redelivered: raw.redelivered, trace: trace(&raw), envelope: self.lane.admit(raw), settle }
    }

    fn drop_waiting(&mut self) {
        let now = Instant::now();
        for raw in self.waiting.drain(..) {
            self.hand.settle(raw.delivery_tag, None, now);
        }
    }

    async fn mark(&mut self, batch: &mut Vec<(u64, Option<Settlement>)>) -> lapin::Result<()> {
        let now = Instant::now();
        for (tag, how) in batch.drain(..) {
            if self.hand.settle(tag, how, now) {
                self.quiet = self.quiet.map(|_| now);
                asked(self.channel.basic_reject(tag, BasicRejectOptions { requeue: false })).await?;
            }
        }
        Ok(())
    }

    async fn tell(&mut self) -> lapin::Result<()> {
        let now = Instant::now();
        if self.hand.due(self.soon()).is_none_or(|at| at > now) {
            return Ok(());
        }
        let telling = self.hand.tell(now);
        self.say(telling).await
    }

    /// Before the channel is closed with something in hand: what is settled must not come again, however lately it was.
    async fn tell_last(&mut self) -> lapin::Result<()> {
        let mut batch = Vec::new();
        while let Ok(settled) = self.settled.try_recv() {
            batch.push(settled);
        }
        self.mark(&mut batch).await?;
        let telling = self.hand.tell_last(Instant::now());
        self.say(telling).await
    }

    async fn say(&self, telling: Telling) -> lapin::Result<()> {
        if let Some(tag) = telling.up_to {
            asked(self.channel.basic_ack(tag, BasicAckOptions { multiple: true })).await?;
        }
        for tag in telling.alone {
            asked(self.channel.basic_ack(tag, BasicAckOptions { multiple: false })).await?;
        }
        for tag in telling.back {
            asked(self.channel.basic_nack(tag, BasicNackOptions { multiple: false, requeue: true })).await?;
        }
        Ok(())
    }
}

impl Drop for Turn<'_> {
    /// A lane may end in the middle of anything, when the connection goes.
    fn drop(&mut self) {
        self.count(false);
        self.disown(Partition::Lost);
    }
}

/// The next delivery, or never while there is no subscription.
async fn next(consumer: &mut Option<lapin::Consumer>) -> Option<lapin::Result<Raw>> {
    match consumer {
        Some(consumer) => consumer.next().await,
        None => std::future::pending().await,
    }
}
