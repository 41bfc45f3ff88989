//! Looks at the gateway from time to time, remembers the last minutes, and tells each page that stands open (server-sent events).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::super::html::Html;
use super::super::session::Visit;
use super::super::{Asked, Console};
use crate::app::Watching;
use crate::domain::language::Language;
use crate::domain::staff::Role;
use crate::telemetry::snapshot::Snapshot;

/// Between two looks.
const PACE: Duration = Duration::from_secs(2);
/// How many looks are remembered: five minutes.
const REMEMBERED: usize = 150;
/// How many pages may stand open with news.
const READERS: usize = 64;

/// What the board knows.
#[derive(Default)]
pub struct Series {
    /// The last look.
    pub(super) snapshot: Option<Snapshot>,
    /// Those before and it, the oldest first.
    pub(super) past: VecDeque<Look>,
}

/// What the plots show of a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) rate: f64,
    pub(super) p99: f64,
    pub(super) oldest: f64,
    pub(super) outbox: f64,
    pub(super) queued: f64,
}

impl Look {
    #[allow(clippy::cast_precision_loss)] // a picture
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            rate: snapshot.flow.per_second.unwrap_or(0.0),
            p99: snapshot.flow.p99.unwrap_or(0.0),
            oldest: snapshot.standing.oldest,
            outbox: snapshot.standing.outbox as f64,
            queued: super::inbound(snapshot) as f64,
        }
    }
}

/// The board's looks, and who reads them.
pub struct Board {
    watching: Option<Watching>,
    series: watch::Sender<Arc<Series>>,
    readers: Arc<Semaphore>,
}

impl Board {
    /// A board that looks with this; without, it shows that there is nothing to watch.
    #[must_use]
    pub fn new(watching: Option<Watching>) -> Self {
        Self { watching, series: watch::Sender::new(Arc::new(Series::default())), readers: Arc::new(Semaphore::new(READERS)) }
    }

    /// Looks until `stop`.
    pub(in super::super) async fn look(&self, mut stop: watch::Receiver<bool>) {
        let Some(watching) = &self.watching else { return };
        let mut past = VecDeque::with_capacity(REMEMBERED);
        while !*stop.borrow() {
            let snapshot = watching.look().await;
            while past.len() >= REMEMBERED {
                past.pop_front();
            }
            past.push_back(Look::of(&snapshot));
            self.series.send_replace(Arc::new(Series { snapshot: Some(snapshot), past: past.clone() }));
            let _stopped = tokio::time::timeout(PACE, stop.wait_for(|s| *s)).await;
        }
        // Pages that stand open end with the console.
        self.readers.close();
        self.series.send_replace(Arc::new(Series::default()));
    }

    /// A place for a page that stands open, as long as there is one.
    pub(in super::super) fn reader(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.readers).try_acquire_owned().ok()
    }

    /// Whether the console ends, and pages that stand open with it.
    pub(in super::super) fn is_over(&self) -> bool {
        self.readers.is_closed()
    }

    /// What is known now.
    pub(super) fn now(&self) -> Arc<Series> {
        Arc::clone(&self.series.borrow())
    }
}

/// One page that stands open.
struct Reader {
    console: Arc<Console>,
    visit: Visit,
    language: Language,
    news: watch::Receiver<Arc<Series>>,
    _place: OwnedSemaphorePermit,
}

/// The board's news for as long as the session lasts; each is the board as a page shows it.
pub(in super::super) async fn stream(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, &[Role::Operator]) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let Some(place) = console.board.reader() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let news = console.board.series.subscribe();
    let reader = Reader { news, visit, language: asked.language, _place: place, console: Arc::clone(&console) };
    let events = stream::unfold(reader, |mut reader| async move {
        reader.news.changed().await.ok()?;
        if reader.console.board.is_over() || !reader.console.desk.is_in(&reader.visit, Instant::now()) {
            return None;
        }
        let series = Arc::clone(&reader.news.borrow_and_update());
        let mut html = Html::default();
        super::render(&reader.console, reader.language, &series, &mut html);
        Some((Ok::<_, Infallible>(Event::default().event("board").data(html.fragment())), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
