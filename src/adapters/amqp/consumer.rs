//! The inbound side. One supervisor task owns the connection and every channel on it, and rebuilds them; what one queue's channel does is in `lane.rs`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use lapin::Connection;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::connect::{Backoff, asked, connect, lost, outage, words};
use super::lane::{Ended, Lane};
use super::settings::{AmqpSettings, InboundQueue, Source};
use super::share::Share;
use crate::domain::outage::Outage;
use crate::ports::broker::{Consumer, Delivery};
use crate::telemetry;

/// What is wanted of the inbound side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Taking,
    Paused,
    Closing,
}

/// Consumes every inbound queue of one RabbitMQ.
///
/// `close` works off what is in hand, deliveries not yet taken by the pipeline among them: go on receiving until it returns.
pub struct AmqpConsumer {
    settings: Arc<AmqpSettings>,
    mode: watch::Sender<Mode>,
    standing: Arc<Standing>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

/// How things stand, for `is_up` and for the one who waits in `start`.
#[derive(Default)]
pub(super) struct Standing {
    connected: AtomicBool,
    /// Queues with a subscription.
    subscribed: AtomicUsize,
    /// What was last seen to be wrong.
    trouble: Mutex<String>,
    changed: Notify,
    /// Held while a partition is looked at: one connection more at a time, however many partitions come or go.
    pub(super) looking: tokio::sync::Mutex<()>,
}

impl Standing {
    pub(super) fn subscribed(&self, more: bool) {
        if more {
            self.subscribed.fetch_add(1, Ordering::AcqRel);
        } else {
            self.subscribed.fetch_sub(1, Ordering::AcqRel);
        }
        self.changed.notify_waiters();
    }

    pub(super) fn trouble(&self, what: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    fn troubled(&self) -> String {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn connected(&self, now: bool) {
        self.connected.store(now, Ordering::Release);
        self.changed.notify_waiters();
    }
}

impl AmqpConsumer {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(settings: Arc<AmqpSettings>) -> Self {
        Self { settings, mode: watch::Sender::new(Mode::Taking), standing: Arc::default(), supervisor: Mutex::new(None) }
    }

    fn stop(&self) {
        if let Some(supervisor) = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take() {
            supervisor.abort();
            self.standing.connected(false);
        }
    }

    fn all_subscribed(&self) -> bool {
        self.standing.subscribed.load(Ordering::Acquire) >= self.settings.inbound.len() && self.is_up()
    }
}

#[async_trait]
impl Consumer for AmqpConsumer {
    async fn start(&self, deliveries: mpsc::Sender<Delivery>) -> Result<(), Outage> {
        let supervisor = supervise(Arc::clone(&self.settings), deliveries, self.mode.subscribe(), Arc::clone(&self.standing));
        self.stop();
        *self.supervisor.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokio::spawn(supervisor));
        let standing = async {
            loop {
                let changed = self.standing.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.all_subscribed() {
                    return;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(self.settings.start_timeout, standing).await {
            Ok(()) => Ok(()),
            Err(_) => {
                self.stop();
                Err(outage(self.standing.troubled()))
            }
        }
    }

    async fn pause(&self) {
        self.mode.send_if_modified(|mode| *mode == Mode::Taking && std::mem::replace(mode, Mode::Paused) == Mode::Taking);
    }

    async fn resume(&self) {
        self.mode.send_if_modified(|mode| *mode == Mode::Paused && std::mem::replace(mode, Mode::Taking) == Mode::Paused);
    }

    async fn close(&self, within: Duration) {
        self.mode.send_replace(Mode::Closing);
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut supervisor) = supervisor
            && tokio::time::timeout(within, &mut supervisor).await.is_err()
        {
            supervisor.abort();
        }
        self.standing.connected(false);
    }

    fn is_up(&self) -> bool {
        self.standing.connected.load(Ordering::Acquire)
    }
}

impl Drop for AmqpConsumer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Connects, tends every queue, and on any failure of the connection drops all and begins again after a pause, until closed.
async fn supervise(settings: Arc<AmqpSettings>, deliveries: mpsc::Sender<Delivery>, mode: watch::Receiver<Mode>, standing: Arc<Standing>) {
    let mut backoff = Backoff::new(settings.backoff);
    while *mode.borrow() != Mode::Closing {
        match connect(&settings, "in").await {
            Ok(connection) => {
                standing.connected(true);
                telemetry::broker_connection(true, connection.status().vhost().as_str());
                let groups: Vec<Group> = settings.inbound.iter().map(|queue| Group::of(queue, &settings)).collect();
                let lanes = groups.iter().flat_map(|group| {
                    group.sources.iter().map(|source| Lane {
                        settings: &settings,
                        source,
                        share: (&group.share, &group.queue.queue),
                        entrance: group.queue.entrance(),
                        deliveries: &deliveries,
                        standing: &standing,
                    })
                });
                let tended = lanes.map(|lane| tend(lane, &connection, mode.clone()));
                let since = Instant::now();
                let trouble = tokio::select! {
                    // Every lane is closed, or one of them found the connection gone.
                    tended = try_join_all(tended) => tended.err().map(|Lost| standing.troubled()),
                    trouble = lost(&connection) => Some(trouble),
                };
                if let Some(trouble) = trouble {
                    telemetry::broker_connection(false, &trouble);
                    standing.trouble(trouble);
                }
                standing.connected(false);
                if connection.status().connected() {
                    let _ = asked(connection.close(200, "OK".into())).await;
                }
                // A connection that falls at once is no success.
                if since.elapsed() > settings.backoff.1 {
                    backoff.reset();
                }
            }
            Err(outage) => standing.trouble(outage.detail),
        }
        rest(backoff.pause(), &mode).await;
    }
    standing.connected(false);
}

/// An inbound queue with its partitions.
struct Group<'a> {
    queue: &'a InboundQueue,
    sources: Vec<Source>,
    share: Share,
}

impl<'a> Group<'a> {
    fn of(queue: &'a InboundQueue, settings: &AmqpSettings) -> Self {
        Self { queue, sources: queue.sources(), share: Share::new(queue.partitions, settings.balance, Instant::now()) }
    }
}

/// The connection is gone.
struct Lost;

/// One queue: a channel at a time, again after each failure that the connection survives. A partition that is not there is looked for at leisure: it was
/// not made yet, or `arkki topology apply` has taken it away.
async fn tend(lane: Lane<'_>, connection: &Connection, mut mode: watch::Receiver<Mode>) -> Result<(), Lost> {
    let mut backoff = Backoff::new(lane.settings.backoff);
    let mut missing = false;
    loop {
        match lane.run(connection, &mut mode, &mut backoff).await {
            Ok(Ended::Closed) => return Ok(()),
            Ok(Ended::HandedBack) => missing = false,
            Err(error) => {
                let what = words(&error);
                let is_away = lane.source.single && what.contains("NOT_FOUND");
                if is_away && !missing {
                    telemetry::partition_missing(&lane.source.queue);
                }
                lane.standing.trouble(format!("queue {}: {what}", lane.source.queue));
                if !connection.status().connected() {
                    return Err(Lost);
                }
                let pause = if is_away { lane.settings.missing } else { backoff.pause() };
                missing = is_away;
                rest(pause, &mode).await;
            }
        }
        if *mode.borrow() == Mode::Closing {
            return Ok(());
        }
    }
}

/// A pause that a close cuts short.
async fn rest(pause: Duration, mode: &watch::Receiver<Mode>) {
    let mut mode = mode.clone();
    let closing = async { mode.wait_for(|m| *m == Mode::Closing).await.is_ok() };
    let _ = tokio::time::timeout(pause, closing).await;
}
