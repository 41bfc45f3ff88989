//! How instances share partitions. RabbitMQ gives a queue's messages to the consumer that came first, so the instance that starts first would have all
//! partitions for ever. Each instance therefore counts the partitions that it is the active consumer of and the instances (the consumers of the plain
//! inbound queue, which all of them consume), and yields what it has beyond its share. Pure: the lanes ask and tell.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest pause between two rounds that change nothing: an instance that is alone with what it yields gets it back.
const LONGEST: Duration = Duration::from_secs(300);

/// One inbound queue's partitions, as this instance has them.
pub(super) struct Share {
    partitions: usize,
    every: Duration,
    state: Mutex<State>,
}

struct State {
    /// Partitions that have given us a delivery since we subscribed: of these we are the active consumer.
    active: usize,
    /// Instances at the last look.
    instances: usize,
    /// When to look again.
    look_at: Instant,
    /// How many may yet be yielded in this round.
    permits: usize,
    /// When the next round may begin, and the pause after it.
    round_at: Instant,
    pause: Duration,
}

impl Share {
    pub(super) fn new(partitions: u16, every: Duration, now: Instant) -> Self {
        let state = State { active: 0, instances: 1, look_at: now + every, permits: 0, round_at: now, pause: every };
        Self { partitions: usize::from(partitions), every, state: Mutex::new(state) }
    }

    /// A partition gave its first delivery: it is ours.
    pub(super) fn took(&self) {
        self.state().active += 1;
    }

    /// A partition that was ours is not any more.
    pub(super) fn left(&self) {
        let mut state = self.state();
        state.active = state.active.saturating_sub(1);
    }

    /// When somebody should look how many instances there are; `None` while it could change nothing.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let state = self.state();
        (state.active > 1).then_some(state.look_at)
    }

    /// Whether the caller is the one who looks now: one lane looks for all.
    pub(super) fn looks_now(&self, now: Instant) -> bool {
        let mut state = self.state();
        let due = state.active > 1 && state.look_at <= now;
        if due {
            state.look_at = now + self.every;
        }
        due
    }

    /// So many instances there are. Begins a round when we have more than our share.
    pub(super) fn seen(&self, instances: u32, now: Instant) {
        let mut state = self.state();
        let instances = usize::try_from(instances).unwrap_or(usize::MAX).max(1);
        if state.instances != instances {
            state.instances = instances;
            state.pause = self.every;
            state.round_at = now;
        }
        let fair = self.partitions.div_ceil(instances);
        if instances > 1 && state.active > fair && state.round_at <= now {
            state.permits = state.active - fair;
            state.round_at = now + state.pause;
            state.pause = (state.pause * 2).min(LONGEST);
        }
    }

    /// Whether a round is under way.
    pub(super) fn is_yielding(&self) -> bool {
        self.state().permits > 0
    }

    /// Whether the caller, whose partition is ours, is to yield it: as often as the round allows.
    pub(super) fn yields(&self) -> bool {
        let mut state = self.state();
        let may = state.permits > 0 && state.active > self.partitions.div_ceil(state.instances);
        if may {
            state.permits -= 1;
        } else {
            state.permits = 0;
        }
        may
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(5);

    fn share(active: usize, now: Instant) -> Share {
        let share = Share::new(8, EVERY, now);
        (0..active).for_each(|_| share.took());
        share
    }

    fn yielded(share: &Share) -> usize {
        (0..100).take_while(|_| share.yields()).count()
    }

    #[test]
    fn one_alone_keeps_all_and_two_have_half_each() {
        let now = Instant::now();
        let share = share(8, now);
        assert!(!share.looks_now(now) && share.looks_now(now + EVERY) && !share.looks_now(now + EVERY), "one looks");
        share.seen(1, now);
        assert_eq!(yielded(&share), 0);
        share.seen(2, now);
        assert_eq!(yielded(&share), 4);
    }

    #[test]
    fn three_of_eight_are_the_most_of_three() {
        let now = Instant::now();
        let share = share(4, now);
        share.seen(3, now);
        assert_eq!(yielded(&share), 1);
        share.left();
        share.seen(3, now + EVERY);
        assert_eq!(yielded(&share), 0);
    }

    #[test]
    fn what_comes_back_is_yielded_again_after_longer_and_longer() {
        let now = Instant::now();
        let share = share(8, now);
        let mut rounds = Vec::new();
        for second in 0..1200 {
            share.seen(2, now + Duration::from_secs(second));
            if yielded(&share) > 0 {
                rounds.push(second);
            }
        }
        assert_eq!(rounds, [0, 5, 15, 35, 75, 155, 315, 615, 915]);
        // Another instance: at once.
        share.seen(3, now + Duration::from_secs(1200));
        assert_eq!(yielded(&share), 5);
    }

    #[test]
    fn whoever_leaves_by_himself_is_not_yielded_twice() {
        let now = Instant::now();
        let share = share(8, now);
        share.seen(2, now);
        (0..4).for_each(|_| share.left());
        assert_eq!(yielded(&share), 0);
    }
}
