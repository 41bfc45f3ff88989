//! How PostgreSQL finds a message, and how many commits a second it takes with documents of 30 KB: printed, never asserted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::make::*;
use super::place::Place;
use crate::kit;

const CALLERS: u32 = 100;
const EACH: u32 = 20;
/// How many messages are looked up and committed to see which index finds them.
const MESSAGES: u32 = 40;
/// How long the last connection may take to go.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_a_second() {
    let place = Place::postgres().await;
    let archive_ = place.open("one").await;
    let text: String = (0_u32..3000).map(|n| format!("<p>{:06x}</p>", n.wrapping_mul(2_654_435_761) >> 8)).collect();
    let text = Arc::new(text);
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let callers = (0..CALLERS).map(|caller| {
        let (archive_, text) = (Arc::clone(&archive_), Arc::clone(&text));
        tokio::spawn(async move {
            for i in 0..EACH {
                let head = header(1 + caller * EACH + i);
                let sent = [message(&head), text[..30_000].as_bytes().to_vec()].concat();
                archive_.facts(needs(&sent, Some(&head))).await.unwrap();
                let end = done(archive_.commit(archive_message(head, sent)).await.unwrap());
                archive_.outbox_sent(&end.outbox.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
            }
        })
    });
    for end in join_all(callers).await {
        end.unwrap();
    }
    let (elapsed, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let count = f64::from(CALLERS * EACH);
    println!(
        "{:.0} commits/s of 30 KB, {:.3} ms CPU each in this process (building the test's commits and hashing them among it)",
        count / elapsed,
        1000.0 * cpu / count
    );
}

/// The statements run with plans made on empty tables, where every index looks alike: the key must be the only one that fits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_looked_up_by_its_key_alone() {
    let place = Place::postgres().await;
    // Making the tables walks indexes, too: what comes after it counts.
    drop(place.open("one").await);
    let made = walked(&place).await;
    let archive_ = place.open("two").await;
    for n in 1..=MESSAGES {
        let head = header(n);
        let sent = message(&head);
        archive_.facts(needs(&sent, Some(&head))).await.unwrap();
        done(archive_.commit(archive(head)).await.unwrap());
    }
    drop(archive_);
    let after = walked(&place).await;
    assert!(after[0] - made[0] >= u64::from(MESSAGES), "the key finds each message: {made:?}, {after:?}");
    assert_eq!(after[1..], made[1..], "an index made for lists was walked");
}

/// How often each index of the inbox was walked, the key's first, once nobody is connected: a connection that ends tells what it counted.
async fn walked(place: &Place) -> Vec<u64> {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(kit::wait_until(SOON, async || place.sql(others).await == "0").await, "connections stay open");
    let keys = ["pkey", "sender", "standing", "code", "kept"];
    let mut all = Vec::new();
    for key in keys {
        all.push(place.sql(&format!("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'inbox_{key}'")).await.parse().unwrap());
    }
    all
}

/// CPU time of this process so far; other tests running beside are counted too.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    ticks / 100.0
}
