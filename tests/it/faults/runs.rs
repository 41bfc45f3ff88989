//! The seven runs of the matter, and two in which two faults meet.

use std::time::{Duration, Instant};

use super::mix::REPLIES;
use super::place::{REST, Run, metric, more, page};
use super::queue::{Desk, INBOUND};
use super::verdict::Thoroughness;
use crate::kit::wait_until;
use crate::road::Gateway;

/// How many kills must have caught the gateway with deliveries in hand.
const KILLS: usize = 5;
/// How long the database is away.
const AWAY: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_nothing_goes_wrong() {
    let run = Run::prepare("(a) nothing", 101).await;
    run.fill().await;
    let serve = run.gateway.serve(&[]);
    run.finish(vec![serve], Thoroughness::All).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_the_gateway_is_killed_five_times() {
    let mut run = Run::prepare("(b) kill -9 of arkki serve", 102).await;
    run.fill().await;
    let desk = run.desk().await;
    let (mut counted, mut kills) = (0, 0);
    let step = run.messages.len() / (KILLS + 3);
    while counted < KILLS {
        let before = run.decided();
        let mut serve = run.gateway.serve(&[]);
        run.until_decided(before + step).await;
        let ready = desk.ready(INBOUND).await;
        serve.kill9();
        kills += 1;
        // More ready than just before: those came back, so they were in hand when it died.
        let came_back = wait_until(Duration::from_secs(10), || async { desk.ready(INBOUND).await > ready }).await;
        counted += usize::from(came_back);
        let back = desk.ready(INBOUND).await;
        run.tell(format!(
            "kill {kills} at {} decided, {} settled, {} came back",
            run.decided(),
            run.messages.len() - back as usize,
            back.saturating_sub(ready)
        ));
        assert!(kills < 3 * KILLS, "{counted} kills counted of {kills}");
    }
    desk.close().await;
    run.tell(format!("{counted} kills counted"));
    let serve = run.gateway.serve(&[]);
    run.finish(vec![serve], Thoroughness::Sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c_the_broker_is_killed_and_comes_back() {
    let mut run = Run::prepare("(c) kill -9 of the broker", 103).await;
    run.fill().await;
    let serve = run.gateway.serve(&[]);
    run.until_decided(200).await;
    // While messages are ready, the broker has handed over as many as the gateway takes: its hands are full.
    let desk = run.desk().await;
    let (ready, decided) = (desk.ready(INBOUND).await, run.decided());
    assert!(ready > 0, "mid-run");
    tokio::task::block_in_place(|| run.place.rabbit.kill9());
    let noticed = wait_until(REST, || async { page(run.gateway.port, "/readyz").contains(" 503 ") }).await;
    assert!(noticed, "not ready while the broker is away");
    let began = Instant::now();
    tokio::task::block_in_place(|| run.place.rabbit.start());
    run.tell(format!("killed at {decided} decided with {ready} ready beyond those in hand, back after {:.1} s", began.elapsed().as_secs_f32()));
    run.finish(vec![serve], Thoroughness::Sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_the_database_is_away_for_ten_seconds() {
    let mut run = Run::prepare("(d) PostgreSQL away for 10 s", 104).await;
    run.fill().await;
    let serve = run.gateway.serve(&[]);
    run.until_decided(200).await;
    let desk = run.desk().await;
    let (ready, decided) = (desk.ready(INBOUND).await, run.decided());
    assert!(ready > 0, "mid-run");
    tokio::task::block_in_place(|| run.place.postgres.stop());
    let stopped = Instant::now();
    let paused = wait_until(AWAY, || async { run.gateway.log_text().contains("outage: consumer paused") }).await;
    assert!(paused && page(run.gateway.port, "/readyz").contains(" 503 "), "the gateway noticed:\n{}", run.tail());
    // The fault itself takes this long; nothing is awaited by it.
    let _ = wait_until(AWAY.saturating_sub(stopped.elapsed()), || async { false }).await;
    tokio::task::block_in_place(|| run.place.postgres.start());
    let resumed = wait_until(REST, || async { run.gateway.log_text().contains("outage over") }).await;
    assert!(resumed, "the gateway came back by itself:\n{}", run.tail());
    desk.close().await;
    run.tell(format!("stopped at {decided} decided with {ready} ready beyond those in hand, away {:.1} s", stopped.elapsed().as_secs_f32()));
    run.finish(vec![serve], Thoroughness::Sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e_the_reply_queues_are_missing_at_first() {
    let mut run = Run::prepare("(e) reply queues missing, then declared", 105).await;
    let desk = run.desk().await;
    desk.send(&run.messages).await;
    let serve = run.gateway.serve(&[]);
    run.until_decided(100).await;
    let port = run.gateway.port;
    let alarm = wait_until(REST, || async { metric(port, "arkki_answers_unroutable_total") > 0.0 && metric(port, "arkki_outbox_unroutable") > 0.0 }).await;
    assert!(alarm, "the alarm metrics:\n{}", page(port, "/metrics"));
    let (decided, waiting) = (run.decided(), run.count("outbox"));
    assert!(waiting > 0, "answers wait in the outbox");
    for queue in REPLIES {
        desk.declare(queue).await;
    }
    desk.close().await;
    run.tell(format!("declared at {decided} decided with {waiting} answers waiting, unroutable seen {}", metric(port, "arkki_outbox_unroutable")));
    run.finish(vec![serve], Thoroughness::Sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_the_gateway_is_asked_to_stop() {
    let mut run = Run::prepare("(f) SIGTERM mid-run", 106).await;
    run.fill().await;
    let mut serve = run.gateway.serve(&[]);
    run.until_decided(200).await;
    let took = run.stop(&mut serve);
    let desk = run.desk().await;
    let left = desk.take_all(INBOUND).await;
    assert!(!left.is_empty(), "mid-run");
    let back: Vec<_> = left.iter().filter(|m| m.came_back()).map(|m| m.message_id()).collect();
    assert!(back.is_empty(), "came back: {back:?}");
    // Nothing was lost on the way out: every message is decided, or lies in the queue.
    assert!(run.decided() + left.len() >= run.messages.len() - repeats(&run), "{} decided, {} left", run.decided(), left.len());
    put_back(&desk, &left).await;
    desk.close().await;
    run.tell(format!("exit 0 after {:.1} s, {} left in the queue, none with x-delivery-count", took.as_secs_f32(), left.len()));
    let serve = run.gateway.serve(&[]);
    run.finish(vec![serve], Thoroughness::Sample).await;
}

/// Messages that share their octets with another: one row in the inbox for both.
fn repeats(run: &Run) -> usize {
    let distinct: std::collections::HashSet<&[u8]> = run.messages.iter().map(|m| m.octets.as_slice()).collect();
    run.messages.len() - distinct.len()
}

async fn put_back(desk: &Desk, found: &[super::queue::Found]) {
    for some in found.chunks(100) {
        desk.publish(some.iter().map(|m| (m.body.as_slice(), m.properties.clone()))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g_two_instances_share_the_work() {
    let mut run = Run::prepare("(g) two instances", 107).await;
    let other = Gateway::on(run.gateway.vhost.clone(), Some(run.database.url.clone()), &more(""));
    let serves = vec![run.gateway.serve(&[]), other.serve(&[])];
    run.fill().await;
    run.until_at_rest().await;
    let lines = [run.gateway.log_text(), other.log_text()].map(|log| log.lines().filter(|l| l.contains("\"ending\":")).count());
    let all = lines[0] + lines[1];
    assert!(lines.iter().all(|n| n * 10 >= all) && all >= run.messages.len(), "{lines:?} of {}", run.messages.len());
    run.tell(format!("committed {} and {}", lines[0], lines[1]));
    run.finish(serves, Thoroughness::Sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_the_database_is_killed_and_the_gateway_stopped_meanwhile() {
    let mut run = Run::prepare("(h) kill -9 of PostgreSQL, then again with SIGTERM to the gateway", 108).await;
    run.fill().await;
    let mut serve = run.gateway.serve(&[]);
    run.until_decided(150).await;
    tokio::task::block_in_place(|| run.place.postgres.kill9());
    tokio::task::block_in_place(|| run.place.postgres.start());
    let decided = run.decided();
    run.until_decided(decided + 100).await;
    let desk = run.desk().await;
    assert!(desk.ready(INBOUND).await > 0, "mid-run");
    desk.close().await;
    let pauses = || run.gateway.log_text().matches("outage: consumer paused").count();
    let before = pauses();
    tokio::task::block_in_place(|| run.place.postgres.kill9());
    assert!(wait_until(REST, || async { pauses() > before }).await, "noticed:\n{}", run.tail());
    let took = run.stop(&mut serve);
    tokio::task::block_in_place(|| run.place.postgres.start());
    run.tell(format!("stopped without its database after {:.1} s, exit 0", took.as_secs_f32()));
    let serve = run.gateway.serve(&[]);
    run.finish(vec![serve], Thoroughness::Sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i_the_broker_is_killed_and_the_gateway_stopped_meanwhile() {
    let mut run = Run::prepare("(i) kill -9 of the broker, SIGTERM to the gateway meanwhile", 109).await;
    run.fill().await;
    let mut serve = run.gateway.serve(&[]);
    run.until_decided(200).await;
    let desk = run.desk().await;
    assert!(desk.ready(INBOUND).await > 0, "mid-run");
    tokio::task::block_in_place(|| run.place.rabbit.kill9());
    let took = run.stop(&mut serve);
    tokio::task::block_in_place(|| run.place.rabbit.start());
    run.tell(format!("stopped without its broker after {:.1} s, exit 0, {} answers waiting", took.as_secs_f32(), run.count("outbox")));
    let serve = run.gateway.serve(&[]);
    run.finish(vec![serve], Thoroughness::Sample).await;
}
