//! What one channel has in hand: which delivery tags are being worked on, which are settled and not yet told to the broker.
//! Pure bookkeeping, one for each channel and gone with it, so that a tag can never be told to another channel.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ports::broker::Settlement;

/// How long a settled delivery waits for others before the broker is told: a prefetch slot is idle meanwhile, nothing else waits for it.
pub(super) const LINGER: Duration = Duration::from_millis(3);
/// How long settled deliveries wait behind a slow one before they are told one by one.
pub(super) const BLOCKED: Duration = Duration::from_millis(200);
/// How long a delivery that was dropped unsettled rests before it is handed back, so that one that always fails does not spin.
pub(super) const REST: Duration = Duration::from_secs(1);

/// What to tell the broker now, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Telling {
    /// Acknowledge everything up to this tag; everything below that is in hand is settled.
    pub(super) up_to: Option<u64>,
    /// Acknowledge these alone.
    pub(super) alone: Vec<u64>,
    /// Hand these back.
    pub(super) back: Vec<u64>,
}

/// At most `prefetch` tags, because the broker hands over no more.
#[derive(Debug, Default)]
pub(super) struct InHand {
    tags: BTreeMap<u64, State>,
    /// How many are settled and not told.
    done: usize,
    /// How many were dropped.
    dropped: usize,
    /// When the first of the settled and not told was settled.
    oldest_done: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Working(Instant),
    Done,
    Dropped(Instant),
}

impl InHand {
    /// A delivery came.
    pub(super) fn add(&mut self, tag: u64, now: Instant) {
        self.tags.insert(tag, State::Working(now));
    }

    /// A delivery was settled, or dropped (`None`). `true` when the broker must be told at once to dead-letter it.
    pub(super) fn settle(&mut self, tag: u64, how: Option<Settlement>, now: Instant) -> bool {
        let Some(state @ State::Working(_)) = self.tags.get_mut(&tag) else { return false };
        match how {
            Some(Settlement::Done) => {
                *state = State::Done;
                self.done += 1;
                self.oldest_done.get_or_insert(now);
                false
            }
            Some(Settlement::DeadLetter) => {
                self.tags.remove(&tag);
                true
            }
            None => {
                *state = State::Dropped(now);
                self.dropped += 1;
                false
            }
        }
    }

    /// Nothing in hand that somebody still works on or that the broker has not been told.
    pub(super) fn is_settled(&self) -> bool {
        self.tags.len() == self.dropped
    }

    /// Nothing that somebody still works on; what is settled may wait to be told.
    pub(super) fn is_worked_off(&self) -> bool {
        self.tags.len() == self.done + self.dropped
    }

    /// How many deliveries the broker counts as ours.
    pub(super) fn len(&self) -> usize {
        self.tags.len()
    }

    /// When the oldest delivery in hand came.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.tags.values().find_map(|s| if let State::Working(at) = s { Some(*at) } else { None })
    }

    /// When `tell` will next have something to say; `None` while there is nothing. `soon` is how many settled ones need not wait.
    pub(super) fn due(&self, soon: usize) -> Option<Instant> {
        let dropped =
            if self.dropped > 0 { self.tags.values().filter_map(|s| if let State::Dropped(at) = s { Some(*at + REST) } else { None }).min() } else { None };
        let head_done = matches!(self.tags.first_key_value(), Some((_, State::Done)));
        let done = self.oldest_done.map(|at| match head_done {
            true if self.done >= soon || self.done == self.tags.len() => at,
            true => at + LINGER,
            false => at + BLOCKED,
        });
        done.into_iter().chain(dropped).min()
    }

    /// What to tell the broker. What is given here is out of hand.
    pub(super) fn tell(&mut self, now: Instant) -> Telling {
        self.tell_if(now, false)
    }

    /// As [`tell`](Self::tell), before the channel goes: whatever is settled, however lately. What is not goes back with the channel.
    pub(super) fn tell_last(&mut self, now: Instant) -> Telling {
        self.tell_if(now, true)
    }

    fn tell_if(&mut self, now: Instant, last: bool) -> Telling {
        let mut telling = Telling::default();
        while let Some(first) = self.tags.first_entry() {
            if !matches!(first.get(), State::Done) {
                break;
            }
            telling.up_to = Some(first.remove_entry().0);
            self.done -= 1;
        }
        if self.done > 0 && (last || self.oldest_done.is_some_and(|at| now.saturating_duration_since(at) >= BLOCKED)) {
            telling.alone = self.tags.iter().filter(|(_, s)| matches!(s, State::Done)).map(|(tag, _)| *tag).collect();
            self.done = 0;
        }
        if self.dropped > 0 {
            let rested = |s: &State| matches!(s, State::Dropped(at) if now.saturating_duration_since(*at) >= REST);
            telling.back = self.tags.iter().filter(|(_, s)| rested(s)).map(|(tag, _)| *tag).collect();
            self.dropped -= telling.back.len();
        }
        for tag in telling.alone.iter().chain(&telling.back) {
            self.tags.remove(tag);
        }
        if self.done == 0 {
            self.oldest_done = None;
        } else if telling.up_to.is_some() {
            // The rest stands behind a slow one: it has its own time from now on.
            self.oldest_done = Some(now);
        }
        telling
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DONE: Option<Settlement> = Some(Settlement::Done);

    fn hand(count: u64, now: Instant) -> InHand {
        let mut hand = InHand::default();
        (1..=count).for_each(|tag| hand.add(tag, now));
        hand
    }

    #[test]
    fn a_settled_prefix_is_told_at_once_and_the_rest_after_a_while() {
        let now = Instant::now();
        let mut hand = hand(6, now);
        for tag in [1, 2, 4, 6] {
            assert!(!hand.settle(tag, DONE, now));
        }
        assert_eq!(hand.due(100), Some(now + LINGER));
        assert_eq!(hand.due(4), Some(now));
        assert_eq!(hand.tell(now), Telling { up_to: Some(2), ..Telling::default() });
        assert_eq!(hand.due(1), Some(now + BLOCKED));
        assert_eq!(hand.tell(now), Telling::default());
        assert_eq!(hand.tell(now + BLOCKED), Telling { alone: vec![4, 6], ..Telling::default() });
        assert!(!hand.is_settled() && !hand.is_worked_off());
        hand.settle(3, DONE, now);
        hand.settle(5, DONE, now);
        assert!(hand.is_worked_off() && !hand.is_settled(), "settled, and the broker not told yet");
        // Nothing else is in hand: nobody waits.
        assert_eq!(hand.due(100), Some(now));
        assert_eq!(hand.tell(now), Telling { up_to: Some(5), ..Telling::default() });
        assert!(hand.is_settled());
    }

    #[test]
    fn before_the_channel_goes_all_that_is_settled_is_told() {
        let now = Instant::now();
        let mut hand = hand(5, now);
        for (tag, how) in [(1, DONE), (3, DONE), (4, None)] {
            hand.settle(tag, how, now);
        }
        // One settled a moment ago is not due, with others in hand.
        assert!(hand.due(4).is_some_and(|at| at > now));
        assert_eq!(hand.tell_last(now), Telling { up_to: Some(1), alone: vec![3], ..Telling::default() });
        assert_eq!(hand.tell_last(now), Telling::default());
    }

    #[test]
    fn a_quarantined_one_is_told_at_once_and_a_dropped_one_rests() {
        let now = Instant::now();
        let mut hand = hand(3, now);
        assert!(hand.settle(1, Some(Settlement::DeadLetter), now));
        assert!(!hand.settle(1, Some(Settlement::DeadLetter), now));
        hand.settle(2, None, now);
        hand.settle(3, DONE, now);
        assert_eq!(hand.tell(now), Telling::default());
        assert_eq!(hand.due(1), Some(now + BLOCKED));
        assert_eq!(hand.tell(now + BLOCKED), Telling { alone: vec![3], ..Telling::default() });
        assert!(hand.is_settled());
        assert_eq!(hand.due(1), Some(now + REST));
        assert_eq!(hand.tell(now + REST), Telling { back: vec![2], ..Telling::default() });
        assert_eq!(hand.due(1), None);
    }

    proptest! {
        /// Against a model of the broker: every tag is told exactly once, as it was settled, and `up_to` never covers one that is not settled.
        #[test]
        fn the_broker_is_told_every_settlement_once_and_nothing_else(order in Just((1..=40_u64).collect::<Vec<_>>()).prop_shuffle(), kinds in prop::collection::vec(0..10_u8, 40), gaps in prop::collection::vec(0..150_u64, 40)) {
            let start = Instant::now();
            let mut now = start;
            let mut hand = hand(40, now);
            let mut unacked: std::collections::BTreeSet<u64> = (1..=40).collect();
            let mut settled = std::collections::BTreeSet::new();
            let mut dropped = std::collections::BTreeSet::new();
            for ((tag, kind), gap) in order.iter().zip(&kinds).zip(&gaps) {
                now += Duration::from_millis(*gap);
                match kind {
                    0 => { prop_assert!(hand.settle(*tag, Some(Settlement::DeadLetter), now)); prop_assert!(unacked.remove(tag)); }
                    1 => { hand.settle(*tag, None, now); dropped.insert(*tag); }
                    _ => { hand.settle(*tag, DONE, now); settled.insert(*tag); }
                }
                if hand.due(8).is_some_and(|at| at <= now) {
                    let telling = hand.tell(now);
                    prop_assert!(telling != Telling::default(), "due, and nothing to say");
                    apply(&telling, &mut unacked, &settled, &dropped)?;
                }
            }
            let telling = hand.tell(now + REST * 2);
            apply(&telling, &mut unacked, &settled, &dropped)?;
            prop_assert!(unacked.is_empty() && hand.is_settled() && hand.due(1).is_none());
        }
    }

    type Tags = std::collections::BTreeSet<u64>;

    fn apply(telling: &Telling, unacked: &mut Tags, settled: &Tags, dropped: &Tags) -> Result<(), TestCaseError> {
        if let Some(tag) = telling.up_to {
            // RabbitMQ closes the channel when the tag itself is not outstanding.
            prop_assert!(unacked.contains(&tag));
            prop_assert!(unacked.range(..=tag).all(|t| settled.contains(t)));
            *unacked = unacked.split_off(&(tag + 1));
        }
        for tag in &telling.alone {
            prop_assert!(settled.contains(tag) && unacked.remove(tag));
        }
        for tag in &telling.back {
            prop_assert!(dropped.contains(tag) && unacked.remove(tag));
        }
        Ok(())
    }
}
