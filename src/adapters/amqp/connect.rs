//! One connection to RabbitMQ, through the guard, and the words for what went wrong. lapin's own recovery stays off: the supervisors rebuild.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio, TokioRuntime};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::{Stream, StreamExt, stream};
use lapin::tcp::AMQPUriTcpExt;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, Event};
use tokio::runtime::Handle;

use super::guard::Guard;
use super::settings::{ANSWER, AmqpSettings};
use crate::domain::outage::{Outage, Part};

/// Connects; `suffix` tells this process's connections apart in the management pages.
pub(super) async fn connect(settings: &AmqpSettings, suffix: &str) -> Result<Connection, Outage> {
    connect_through(settings, suffix, Guard::new).await
}

/// As [`connect`], for the tap: headers that can be read without harm are kept.
pub(super) async fn connect_to_tracer(settings: &AmqpSettings, suffix: &str) -> Result<Connection, Outage> {
    connect_through(settings, suffix, Guard::shallow).await
}

async fn connect_through(settings: &AmqpSettings, suffix: &str, guard: fn(AsyncTcpStream<Tcp>) -> Guarded) -> Result<Connection, Outage> {
    let mut uri: AMQPUri = settings.url.reveal().parse().map_err(|_| outage("the broker's URL cannot be read"))?;
    let heartbeat = settings.heartbeat.as_secs().min(u64::from(u16::MAX));
    uri.query.heartbeat = Some(u16::try_from(heartbeat).unwrap_or(u16::MAX));
    uri.query.connection_timeout = None;
    let place = format!("{}:{}", uri.authority.host, uri.authority.port);
    let properties = ConnectionProperties::default().with_connection_name(format!("{}-{suffix}", settings.connection_name).into());
    let kit = Runtime::new(RuntimeParts::new(Tokio::current(), GuardedReactor(Handle::current())));
    let connecting = Connection::connector(uri, kit, move |uri, _| guarded(uri, guard), properties);
    match tokio::time::timeout(ANSWER, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(outage(format!("{place}: {}", words(&error)))),
        Err(_) => Err(outage(format!("{place}: no answer within {} s", ANSWER.as_secs()))),
    }
}

/// A broker outage.
pub(super) fn outage(detail: impl Into<String>) -> Outage {
    Outage::new(Part::Broker, detail)
}

/// lapin's error in an operator's words. It names queues, exchanges, users and socket errors, never a password or a message's content.
pub(super) fn words(error: &lapin::Error) -> String {
    error.to_string()
}

/// A question to the broker, answered in time or an error.
pub(super) async fn asked<T>(question: impl Future<Output = lapin::Result<T>>) -> lapin::Result<T> {
    match tokio::time::timeout(ANSWER, question).await {
        Ok(answer) => answer,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the broker does not answer").into()),
    }
}

/// Resolves when the connection is no more, with what was seen. Only one may listen: lapin hands each event to one listener.
pub(super) async fn lost(connection: &Connection) -> String {
    let mut events = std::pin::pin!(connection.events_listener());
    let mut seen = String::from("the connection is gone");
    while connection.status().connected() {
        // An event may come before the state that it speaks of, so the state is looked at again every second.
        match tokio::time::timeout(Duration::from_secs(1), events.next()).await {
            Ok(Some(Event::Error(error))) => seen = words(&error),
            Ok(Some(_)) | Err(_) => {}
            Ok(None) => break,
        }
    }
    seen
}

/// Pauses that double from the first to the longest, each between half and the whole of itself, so that instances do not come back in step.
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new((first, longest): (Duration, Duration)) -> Self {
        Self { first, longest, next: first }
    }

    /// Begins anew, after something worked.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The pause to make now.
    pub(super) fn pause(&mut self) -> Duration {
        let whole = self.next.min(self.longest);
        self.next = (whole * 2).min(self.longest);
        let mut chance = [0; 1];
        // Without chance there is merely no jitter.
        let _ = getrandom::fill(&mut chance);
        whole / 2 + whole * u32::from(chance[0]) / 510
    }
}

type Tcp = <Tokio as Reactor>::TcpStream;
type Guarded = Guard<AsyncTcpStream<Tcp>>;

/// Opens the socket (and TLS) as lapin would, with the guard around the decrypted side.
async fn guarded(uri: AMQPUri, guard: fn(AsyncTcpStream<Tcp>) -> Guarded) -> lapin::Result<AsyncTcpStream<Guarded>> {
    Ok(AsyncTcpStream::Plain(guard(uri.connect_async(&TokioRuntime::tokio_current()).await?)))
}

/// Tokio's reactor whose streams are guarded. It carries the runtime's handle: lapin calls it from a thread of its own.
#[derive(Clone, Debug)]
struct GuardedReactor(Handle);

impl Reactor for GuardedReactor {
    type TcpStream = Guarded;
    type Sleep = tokio::time::Sleep;

    fn register<H: Read + Write + Send + 'static>(&self, _: H) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Guarded, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, length: Duration) -> Self::Sleep {
        let _entered = self.0.enter();
        tokio::time::sleep(length)
    }

    fn interval(&self, length: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        let _entered = self.0.enter();
        let mut ticks = tokio::time::interval(length);
        stream::poll_fn(move |cx| ticks.poll_tick(cx).map(|at| Some(at.into_std())))
    }

    fn tcp_connect_addr(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let kit = TokioRuntime::tokio_with_handle(self.0.clone());
        async move { Ok(Guard::new(AsyncTcpStream::connect(&kit, address).await?)) }
    }
}
