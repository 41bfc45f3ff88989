//! Replay jobs in the archive: who has what in hand, how fast, and what ends it.

use std::collections::HashSet;

use arkki::adapters::store::Store;
use arkki::domain::change::{Commit, Committed};
use arkki::domain::ledger::Position;
use arkki::domain::refused::{Deed, ItemState, JobState, NewJob, Preview, RefusalId, RefusedCriteria, RefusedState, ReplayMark, ReplayOutcome};
use arkki::ports::archive::Archive as _;
use arkki::ports::refusals::{Change, Refusals as _};

use super::{by, coded, job, open, refuse_at};
use crate::store::make::{archive_message, at, done, header, message, refuse, repeat, superseding};
use crate::store::place::Place;

async fn refused(archive: &Store, many: u32) {
    for n in 0..many {
        done(archive.commit(refuse_at(format!("<a{n}/>").as_bytes(), "E305", "/a")).await.unwrap());
    }
}

fn marked(commit: Commit, mark: ReplayMark) -> Commit {
    Commit { replay: Some(mark), ..commit }
}

pub async fn a_job_takes_each_message_once_whoever_asks(place: Place) {
    let (one, two) = (open(&place).await, open(&place).await);
    refused(&one, 50).await;
    done(one.commit(refuse(b"<other/>", "E101")).await.unwrap());
    let preview = one.preview_replay(&coded("E305"), &arkki::crypto::sha256(b"other rules")).await.unwrap();
    assert_eq!(preview, Preview { matching: 50, ..Preview::default() });
    let (ours, theirs) = (job(coded("E305"), "ours"), job(coded("E305"), "theirs"));
    let started: Vec<_> =
        futures_util::future::join_all([one.start_replay(&ours), two.start_replay(&theirs), one.start_replay(&ours), two.start_replay(&ours)])
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
    let distinct: HashSet<_> = started.iter().map(|job| job.id).collect();
    assert_eq!(distinct.len(), 2, "the same token twice is one job");
    let mut totals: Vec<_> = [&started[0], &started[1]].iter().map(|job| job.total).collect();
    totals.sort_unstable();
    assert_eq!(totals, [0, 50], "each message is in hand of one job");
    assert!(started.iter().all(|job| (job.total == 0) == (job.state == JobState::Done)));
    assert_eq!(one.preview_replay(&coded("E305"), &arkki::crypto::sha256(b"rules")).await.unwrap().busy, 50);
    // Two who lease at once lease different ones.
    let (a, b) = tokio::join!(one.lease_replays(at(200), at(260), 30), two.lease_replays(at(200), at(260), 30));
    let (a, b) = (a.unwrap(), b.unwrap());
    let all: HashSet<_> = a.iter().chain(&b).map(|leased| leased.mark.refusal).collect();
    assert_eq!(all.len(), a.len() + b.len());
    assert!(!all.is_empty());
}

pub async fn a_replay_ends_with_the_decision(place: Place) {
    let archive = open(&place).await;
    let sent = message(&header(1));
    done(archive.commit(refuse_at(&sent, "E402", "/a")).await.unwrap());
    for words in [b"<same/>".as_slice(), b"<else/>", b"<final/>"] {
        done(archive.commit(refuse_at(words, "E402", "/a")).await.unwrap());
    }
    let started = archive.start_replay(&NewJob { rate: 2_000, ..job(coded("E402"), "t") }).await.unwrap();
    let leased = archive.lease_replays(at(101), at(160), 10).await.unwrap();
    assert_eq!(leased.iter().map(|l| l.mark.refusal.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((leased[0].envelope.octets.as_slice(), leased[0].envelope.reply.as_ref().unwrap().correlation.as_deref()), (sent.as_slice(), Some("c")));
    let of = |n: usize| leased[n].mark;

    let taken = done(archive.commit(marked(superseding(archive_message(header(1), sent), 1), of(0))).await.unwrap());
    assert_eq!(taken.outbox.len(), 1, "news are told");
    let same = done(archive.commit(marked(superseding(refuse(b"<same/>", "E402"), 1), of(1))).await.unwrap());
    assert!(same.outbox.is_empty(), "what was told before is not told again");
    let other = done(archive.commit(marked(superseding(refuse(b"<else/>", "E101"), 1), of(2))).await.unwrap());
    assert_eq!(other.outbox.len(), 1);
    let repeated = done(archive.commit(marked(repeat(&leased[3].key, "c"), ReplayMark { answer_again: true, ..of(3) })).await.unwrap());
    assert_eq!(repeated.outbox.len(), 1, "unless it is asked for");
    // The same again: nothing is left to do, and nothing is written.
    let again = archive.commit(marked(repeat(&leased[3].key, "c"), of(3))).await.unwrap();
    assert!(matches!(again, Committed::Moot), "{again:?}");

    let items = archive.replay_items(started.id, RefusalId(0), 10).await.unwrap();
    let outcomes: Vec<_> = items.iter().map(|item| (item.replayed.outcome.unwrap(), item.replayed.before.0, item.replayed.after)).collect();
    let wanted = [
        (ReplayOutcome::Accepted, 1, Some(Position(5))),
        (ReplayOutcome::Same, 2, Some(Position(2))),
        (ReplayOutcome::Refused, 3, Some(Position(6))),
        (ReplayOutcome::Same, 4, Some(Position(4))),
    ];
    assert_eq!(outcomes, wanted);
    assert!(archive.lease_replays(at(102), at(160), 10).await.unwrap().is_empty());
    let ended = archive.replay_job(started.id).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.outcomes, ended.decided()), (JobState::Done, [1, 2, 1, 0, 0], 4));
    let story = archive.refusal(RefusalId(1)).await.unwrap().unwrap();
    assert_eq!((story.row.state, story.replays.len(), story.replays[0].by.why.as_str()), (RefusedState::Mended, 1, "because"));
    assert_eq!(place.sql("SELECT count(*) FROM replay_job WHERE counts IS NULL").await, "0", "an idle archive is not looked through");
}

pub async fn the_rate_holds_and_a_stop_keeps_its_place(place: Place) {
    let archive = open(&place).await;
    refused(&archive, 40).await;
    // Ten a second: no more than that in any second, and at most half a second's worth at once.
    let id = archive.start_replay(&job(coded("E305"), "t")).await.unwrap().id;
    let mut gone = 0;
    for tenth in 0..=20_u64 {
        let now = at(100).plus(std::time::Duration::from_millis(100 * tenth));
        gone += archive.lease_replays(now, at(900), 64).await.unwrap().len();
        assert!((gone as u64) <= tenth + 1 && (gone as u64) + 1 >= tenth, "{gone} after {tenth} tenths");
    }
    let burst = archive.lease_replays(at(110), at(900), 64).await.unwrap().len();
    assert!((5..=6).contains(&burst), "{burst}: what was missed is not caught up at once");
    gone += burst;
    let stopped = archive.change_replay(id, Change::Stop, &by(111)).await.unwrap().unwrap();
    assert_eq!((stopped.state, stopped.waiting, stopped.on_road), (JobState::Stopped, 40 - gone as u64, gone as u64));
    assert!(archive.lease_replays(at(112), at(900), 64).await.unwrap().is_empty());
    // While it rests nobody else takes them.
    assert_eq!(archive.start_replay(&job(coded("E305"), "other")).await.unwrap().total, 0);
    assert_eq!(archive.change_replay(id, Change::Resume, &by(120)).await.unwrap().unwrap().state, JobState::Running);
    assert_eq!(archive.lease_replays(at(120), at(900), 64).await.unwrap().len(), 1);
    let ended = archive.change_replay(id, Change::End, &by(121)).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.waiting, ended.dropped), (JobState::Ended, 0, 39 - gone as u64));
    assert_eq!(archive.start_replay(&job(coded("E305"), "third")).await.unwrap().total, ended.dropped);
    assert!(archive.change_replay(arkki::domain::refused::JobId(99), Change::Stop, &by(1)).await.unwrap().is_none());
}

pub async fn a_lease_that_ran_out_is_moot(place: Place) {
    let archive = open(&place).await;
    refused(&archive, 2).await;
    let started = archive.start_replay(&NewJob { rate: 2_000, ..job(coded("E305"), "t") }).await.unwrap();
    let first = archive.lease_replays(at(101), at(160), 10).await.unwrap();
    assert_eq!(first.len(), 2);
    assert!(archive.lease_replays(at(150), at(210), 10).await.unwrap().is_empty(), "they are on the road");
    // Whoever had them is gone.
    let second = archive.lease_replays(at(161), at(220), 10).await.unwrap();
    assert_eq!(second.iter().map(|l| (l.mark.refusal.0, l.mark.turn)).collect::<Vec<_>>(), [(1, 2), (2, 2)]);
    let late = archive.commit(marked(superseding(refuse(b"<a0/>", "E101"), 1), first[0].mark)).await.unwrap();
    assert!(matches!(late, Committed::Moot), "{late:?}");
    assert_eq!(archive.refusal(RefusalId(1)).await.unwrap().unwrap().row.code, "E305");
    // In one batch with a moot one, the others are written.
    let ends = futures_util::future::join_all([
        archive.commit(marked(superseding(refuse(b"<a0/>", "E101"), 1), second[0].mark)),
        archive.commit(marked(superseding(refuse(b"<a1/>", "E101"), 1), first[1].mark)),
        archive.commit(refuse(b"<new/>", "E101")),
    ])
    .await;
    let ends: Vec<_> = ends.into_iter().map(Result::unwrap).collect();
    assert!(matches!(ends[..], [Committed::Done(_), Committed::Moot, Committed::Done(_)]), "{ends:?}");
    archive.return_replays(&[first[1].mark]).await.unwrap();
    assert_eq!(archive.replay_job(started.id).await.unwrap().unwrap().on_road, 1, "another's lease is not given back");
    archive.return_replays(&[second[1].mark]).await.unwrap();
    let third = archive.lease_replays(at(170), at(230), 10).await.unwrap();
    assert_eq!(third.iter().map(|l| (l.mark.refusal.0, l.mark.turn)).collect::<Vec<_>>(), [(2, 3)]);
    // Ended while it was on the road, and nobody comes back: let go when the lease has run out.
    archive.change_replay(started.id, Change::End, &by(1)).await.unwrap();
    assert!(archive.lease_replays(at(231), at(290), 10).await.unwrap().is_empty());
    let states: Vec<_> = archive.replay_items(started.id, RefusalId(0), 9).await.unwrap().iter().map(|item| item.replayed.state).collect();
    assert_eq!(states, [ItemState::Decided, ItemState::Dropped]);
}

pub async fn what_is_in_hand_is_left_alone(place: Place) {
    let archive = open(&place).await;
    refused(&archive, 4).await;
    let some = RefusedCriteria { ids: vec![RefusalId(1), RefusalId(2)], ..RefusedCriteria::default() };
    archive.act_on_refusals(&RefusedCriteria { ids: vec![RefusalId(4)], ..RefusedCriteria::default() }, Deed::Hold, &by(1)).await.unwrap();
    assert_eq!(archive.start_replay(&job(some, "t")).await.unwrap().total, 2);
    let rows = archive.refusals(&RefusedCriteria::default(), None, 9).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.job.is_some()).collect::<Vec<_>>(), [false, false, true, true]);
    // Who names what was put aside does not get all that is open.
    let aside = RefusedCriteria { state: Some(RefusedState::Held), ..RefusedCriteria::default() };
    let nothing = archive.preview_replay(&aside, &arkki::crypto::sha256(b"rules")).await.unwrap();
    assert_eq!((nothing, archive.start_replay(&job(aside, "aside")).await.unwrap().total), (Preview::default(), 0));
    // What was put aside is not replayed, what is in hand is not discarded.
    assert_eq!(archive.act_on_refusals(&coded("E305"), Deed::Discard, &by(2)).await.unwrap().count, 2);
    assert_eq!(archive.start_replay(&job(coded("E305"), "u")).await.unwrap().total, 0);
    // Octets that are no longer kept cannot be replayed, and are not taken for an empty message.
    place.sql("UPDATE inbox SET octets = NULL WHERE position = 1").await;
    let leased = archive.lease_replays(at(200), at(260), 9).await.unwrap();
    assert_eq!(leased.iter().map(|l| l.mark.refusal.0).collect::<Vec<_>>(), [2]);
}

pub async fn jobs_that_rest_keep_no_place_from_those_that_run(place: Place) {
    let archive = open(&place).await;
    refused(&archive, 21).await;
    let only = |n: u64| RefusedCriteria { ids: vec![RefusalId(n)], ..RefusedCriteria::default() };
    // Stopped in their middle one after the other, more than are looked at in one lease, and all before the last.
    for n in 1..=20 {
        let id = archive.start_replay(&job(only(n), &format!("t{n}"))).await.unwrap().id;
        archive.change_replay(id, Change::Stop, &by(100)).await.unwrap();
    }
    let last = NewJob { by: by(200), ..job(only(21), "last") };
    let last = archive.start_replay(&last).await.unwrap();
    let leased = archive.lease_replays(at(201), at(260), 64).await.unwrap();
    assert_eq!(leased.iter().map(|l| (l.mark.job, l.mark.refusal.0)).collect::<Vec<_>>(), [(last.id, 21)]);
    // One that was stopped while its message was on the road, and nobody comes back with it: it waits again.
    archive.change_replay(last.id, Change::Stop, &by(202)).await.unwrap();
    assert!(archive.lease_replays(at(261), at(300), 64).await.unwrap().is_empty());
    let rests = archive.replay_job(last.id).await.unwrap().unwrap();
    assert_eq!((rests.state, rests.waiting, rests.on_road), (JobState::Stopped, 1, 0));
    // Ended, all are closed, sixteen a look.
    for job in archive.replay_jobs(50).await.unwrap() {
        archive.change_replay(job.id, Change::End, &by(300)).await.unwrap();
    }
    for _ in 0..2 {
        assert!(archive.lease_replays(at(301), at(360), 64).await.unwrap().is_empty());
    }
    assert_eq!(place.sql("SELECT count(*) FROM replay_job WHERE counts IS NULL").await, "0");
}
