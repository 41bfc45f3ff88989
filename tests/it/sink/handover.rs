//! The courier on a real store against the real server: every notice is taken, once, whatever the server says in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::clock::SystemClock;
use arkki::adapters::fhir_sink::{self, SinkSettings};
use arkki::adapters::store::Store;
use arkki::domain::handover::{Settled, Standing, StoredAs};
use arkki::domain::ledger::Position;
use arkki::domain::time::Moment;
use arkki::pipeline::courier::{Courier, Patience, Round};
use arkki::ports::clock::Clock as _;
use arkki::ports::notices::{Kept, Notices, Retried};
use tokio::sync::watch;

use super::make::{archived, controllers, id, open};
use super::server::{Manner, Server};
use crate::kit;
use crate::store::make::at;
use crate::store::place::Place;

const SOON: Duration = Duration::from_secs(30);

fn courier(store: &Arc<Store>, server: &Server, from: Option<Moment>) -> Courier {
    let settings = SinkSettings {
        base: server.base(),
        authorities: server.papers.authority.clone(),
        client: Some(server.papers.client.clone()),
        token_file: None,
        timeout: Duration::from_secs(2),
    };
    let patience = Patience { first: Duration::from_millis(20), longest: Duration::from_millis(200) };
    Courier {
        notices: Arc::clone(store) as Arc<dyn Notices>,
        sink: fhir_sink::open(settings).unwrap(),
        clock: Arc::new(SystemClock),
        patience,
        from,
        attempt: Duration::from_secs(2),
    }
}

/// A courier at work until dropped.
struct AtWork {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl AtWork {
    fn start(courier: Courier) -> Self {
        let (stop, seen) = watch::channel(false);
        Self { stop, task: tokio::spawn(courier.run(seen)) }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(SOON, self.task).await.expect("it stops when told").unwrap();
    }
}

async fn standings(store: &Store) -> BTreeMap<u64, (Standing, u32)> {
    let all = store.reckon(Position(0), 10_000).await.unwrap();
    all.into_iter().filter_map(|one| one.sink.map(|sink| (one.position.0, (sink.standing, sink.attempts)))).collect()
}

async fn until(store: &Store, count: usize, standing: Standing) {
    let reached = || async { standings(store).await.values().filter(|(s, _)| *s == standing).count() >= count };
    assert!(kit::wait_until(SOON, reached).await, "{:?}", standings(store).await);
}

/// What the server holds is what the archive says it holds, each notice once.
async fn agree(store: &Store, server: &Server, numbers: impl IntoIterator<Item = u32>) {
    let kept = server.kept();
    for n in numbers {
        let ours = store.stored_ids(id(n).as_str()).await.unwrap();
        assert_eq!(ours.len(), 2 * controllers(n).len());
        let stored: Vec<String> = ours.iter().map(|one| one.stored_id.clone()).collect();
        assert!(kept[id(n).as_str()].contains(&stored), "{n}");
        let sent: Vec<&str> = ours.iter().map(|one| one.sent_id.as_str()).collect();
        assert!(sent.iter().all(|sent| sent.starts_with(id(n).as_str().trim_end_matches('0'))), "{sent:?}");
        assert_eq!(ours.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>()[..2], ["AuditEvent", "Provenance"]);
    }
}

pub async fn every_notice_is_taken_once_and_both_ids_are_kept(place: Place) {
    let (store, server) = (open(&place).await, Server::start(Manner::Well));
    archived(&store, 1..=12).await;
    let work = AtWork::start(courier(&store, &server, None));
    until(&store, 12, Standing::Taken).await;
    // And what is archived later.
    archived(&store, 13..=15).await;
    until(&store, 15, Standing::Taken).await;
    work.end().await;
    assert_eq!((server.kept().len(), server.requests()), (15, 15));
    agree(&store, &server, 1..=15).await;
    let standings = standings(&store).await;
    assert!(standings.values().all(|(_, attempts)| *attempts == 1), "{standings:?}");
}

pub async fn a_refused_notice_stops_and_a_person_sends_it_on(place: Place) {
    let (store, server) = (open(&place).await, Server::start(Manner::Outcome(400)));
    archived(&store, 1..=3).await;
    let work = AtWork::start(courier(&store, &server, None));
    until(&store, 3, Standing::Stopped).await;
    server.behave(Manner::Well);
    let one = store.reckon(Position(0), 1).await.unwrap().remove(0);
    assert_eq!(one.sink.unwrap().words, "HTTP 400; error invalid 40112 at Bundle.entry[0].resource.agent[1].who");
    // Nobody tries a stopped one, until somebody says so.
    let before = server.requests();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(server.requests(), before);
    assert_eq!(store.retry_notice(id(2).as_str(), SystemClock.now()).await.unwrap(), Retried::Due);
    until(&store, 1, Standing::Taken).await;
    assert_eq!(store.retry_notice(id(2).as_str(), SystemClock.now()).await.unwrap(), Retried::Taken);
    assert_eq!(store.retry_notice(id(9).as_str(), SystemClock.now()).await.unwrap(), Retried::Unknown);
    work.end().await;
    assert_eq!(server.kept().len(), 1);
    agree(&store, &server, [2]).await;
}

pub async fn whatever_the_server_says_nothing_is_lost_and_nothing_is_taken_twice(place: Place) {
    let (store, server) = (open(&place).await, Server::start(Manner::Outcome(401)));
    let work = AtWork::start(courier(&store, &server, None));
    let mut n = 0;
    for manner in [
        Manner::Outcome(401),
        Manner::Outcome(503),
        Manner::Page(400),
        Manner::Page(502),
        Manner::Garbage,
        Manner::Noise,
        Manner::Half,
        Manner::Endless,
        Manner::StoresAndDies,
        Manner::StoresSlowly,
        Manner::Redirect,
    ] {
        server.behave(manner);
        let before = server.requests();
        archived(&store, n + 1..=n + 2).await;
        n += 2;
        assert!(kit::wait_until(SOON, || async { server.requests() >= before + 4 }).await, "{manner:?}: it goes on trying");
        assert_eq!(standings(&store).await.values().filter(|(standing, _)| *standing != Standing::Waiting).count(), 0, "{manner:?}");
    }
    server.behave(Manner::Well);
    until(&store, n as usize, Standing::Taken).await;
    work.end().await;
    // A server that remembers ids has each notice once, although it had stored some before it could say so.
    assert!(server.kept().values().all(|times| times.len() == 1));
    agree(&store, &server, 1..=n).await;

    // A second word about a taken notice changes nothing; another notice's id is not believed.
    let first = store.stored_ids(id(1).as_str()).await.unwrap();
    let other: Vec<StoredAs> = first.iter().map(|one| StoredAs { stored_id: format!("{}x", one.stored_id), ..one.clone() }).collect();
    let settled = |n: u32, stored: Vec<StoredAs>| Settled {
        id: id(n).as_str().to_owned(),
        standing: Standing::Taken,
        stored,
        words: String::new(),
        at: at(1),
        again: at(1),
    };
    assert_eq!(store.settle_notice(&settled(1, first.clone())).await.unwrap(), Kept::Done);
    assert_eq!(store.settle_notice(&settled(1, other)).await.unwrap(), Kept::Twice);
    let waiting = Settled { standing: Standing::Waiting, ..settled(1, Vec::new()) };
    assert_eq!(store.settle_notice(&waiting).await.unwrap(), Kept::Done);
    assert_eq!(store.stored_ids(id(1).as_str()).await.unwrap(), first);
    assert_eq!(standings(&store).await[&1].0, Standing::Taken);
    archived(&store, [n + 1]).await;
    store.retry_notice(id(n + 1).as_str(), at(0)).await.unwrap();
    assert_eq!(store.settle_notice(&settled(n + 1, first)).await.unwrap(), Kept::Foreign);
    assert_eq!(standings(&store).await[&u64::from(n + 1)].0, Standing::Waiting);
}

pub async fn a_sink_that_begins_later_leaves_the_past_alone(place: Place) {
    let (store, server) = (open(&place).await, Server::start(Manner::Well));
    archived(&store, 1..=2).await;
    let work = AtWork::start(courier(&store, &server, Some(at(1))));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!((server.requests(), standings(&store).await.len()), (0, 0));
    let later = arkki::domain::change::Commit { at: at(1), ..super::make::notice(3, 0) };
    use arkki::ports::archive::Archive as _;
    crate::store::make::done(store.commit(later).await.unwrap());
    until(&store, 1, Standing::Taken).await;
    work.end().await;
    assert_eq!(server.kept().into_keys().collect::<Vec<_>>(), [id(3).as_str()]);
}

pub async fn two_couriers_share_the_work(place: Place) {
    let (store, server) = (open(&place).await, Server::start(Manner::Forgetful));
    let other = open(&place).await;
    archived(&store, 1..=40).await;
    let work = [AtWork::start(courier(&store, &server, None)), AtWork::start(courier(&other, &server, None))];
    until(&store, 40, Standing::Taken).await;
    for one in work {
        one.end().await;
    }
    // A server without memory would show every notice that went out twice.
    assert!(server.kept().values().all(|times| times.len() == 1));
    assert_eq!(server.requests(), 40);
    agree(&store, &server, 1..=40).await;
}

/// A clock that a test moves.
struct Moved(std::sync::atomic::AtomicI64);

impl Moved {
    fn by(&self, step: Duration) {
        self.0.fetch_add(i64::try_from(step.as_micros()).unwrap(), std::sync::atomic::Ordering::Relaxed);
    }
}

impl arkki::ports::clock::Clock for Moved {
    fn now(&self) -> Moment {
        Moment::from_micros(self.0.load(std::sync::atomic::Ordering::Relaxed))
    }
}

/// An hour in which the server answers nothing or 503, by the clock and with the usual patience: it is tried a few times and not hammered, the reckoning names
/// what should have left, nothing is stopped; and once the server is back, each notice is taken within the longest pause, once.
pub async fn an_hour_without_the_server_costs_nothing_but_time(place: Place) {
    const STEP: Duration = Duration::from_secs(30);
    let (store, server) = (open(&place).await, Server::start(Manner::Noise));
    archived(&store, 1..=9).await;
    let begin = at(0);
    let clock = Arc::new(Moved(std::sync::atomic::AtomicI64::new(begin.micros())));
    let courier = Courier { clock: Arc::clone(&clock) as Arc<dyn arkki::ports::clock::Clock>, patience: Patience::USUAL, ..courier(&store, &server, None) };
    let (_stop, seen) = watch::channel(false);
    let late = |all: Vec<arkki::domain::reckoning::Reckoned>| {
        all.iter().filter(|one| one.flaws(clock.now(), Some(Moment::from_seconds(0))).contains(&arkki::domain::reckoning::Flaw::NotTaken)).count()
    };
    // As `run` does, but that the pauses are the clock's. Silence lengthens the pause between rounds; nobody is asked before it is over.
    let (mut silent, mut next) = (0_u32, begin);
    let mut walk = async |until: Moment| {
        while clock.now() < until {
            if clock.now() >= next {
                match courier.round(silent, &seen).await.unwrap() {
                    Round::Silent => {
                        next = clock.now().plus(Patience::USUAL.first.saturating_mul(1 << silent.min(16)).min(Patience::USUAL.longest));
                        silent += 1;
                    }
                    Round::Spoken => silent = 0,
                    Round::Idle => {}
                }
            }
            clock.by(STEP);
        }
    };
    walk(begin.plus(Duration::from_secs(1800))).await;
    server.behave(Manner::Page(503));
    walk(begin.plus(Duration::from_secs(3600))).await;
    let (asked, all) = (server.requests(), standings(&store).await);
    assert!(all.values().all(|(standing, _)| *standing == Standing::Waiting), "{all:?}");
    assert!((9..=9 * 12).contains(&asked), "{asked} requests in an hour");
    assert_eq!(late(store.reckon(Position(0), 100).await.unwrap()), 9);
    server.behave(Manner::Well);
    walk(begin.plus(Duration::from_secs(3600 + 2 * 15 * 60))).await;
    let all = standings(&store).await;
    assert!(all.len() == 9 && all.values().all(|(standing, _)| *standing == Standing::Taken), "{all:?}");
    assert_eq!(late(store.reckon(Position(0), 100).await.unwrap()), 0);
    assert!(server.kept().len() == 9 && server.kept().values().all(|times| times.len() == 1));
    agree(&store, &server, 1..=9).await;
}
