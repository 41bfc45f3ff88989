//! One lane per client: a client's messages take effect in the order in which they were accepted, different clients run side by side.
//! Inside a lane, messages that touch nothing of each other's may be under way together, but they commit in their order;
//! one that hangs on what an earlier one brings waits for it.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use crate::domain::digest::Digest;
use crate::domain::document::{Group, Header};
use crate::domain::lifecycle::Named;
use crate::domain::oid::Oid;

/// What each of a client's will expressions brings beside its ids: the next is judged by all before it, and a notice by the permission it rests on.
const WILL: &str = "will";

/// The ids that a message makes, and those it looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touches {
    brings: Vec<String>,
    needs: Vec<String>,
}

impl Touches {
    /// What a document touches: it brings its id and set, a client-relation document its relation, a case document its case.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        let mut brings = vec![header.id.as_str().to_owned(), header.set_id.as_str().to_owned()];
        let mut needs = Vec::new();
        if header.group.is_will() {
            brings.push(WILL.to_owned());
        }
        for (id, brought) in [(&header.case_id, header.group == Group::Case), (&header.relation_id, header.group == Group::ClientRelation)] {
            if let Some(id) = id {
                if brought { brings.push(id.as_str().to_owned()) } else { needs.push(id.as_str().to_owned()) }
            }
        }
        if let Some(replaced) = &header.replaces {
            needs.push(replaced.id.as_str().to_owned());
        }
        Self { brings, needs }
    }

    /// What an event touches: it changes what it names, so whoever hangs on that waits.
    #[must_use]
    pub fn of_event(target: &Named) -> Self {
        let brings = target.id.iter().chain(&target.set_id).map(Oid::as_str).map(str::to_owned).collect();
        Self { brings, needs: Vec::new() }
    }

    /// What a notice touches: it brings its event's id and hangs on the one it corrects and on the client's will.
    #[must_use]
    pub fn of_notice(id: &Oid, corrects: Option<&Oid>) -> Self {
        let needs = corrects.map(Oid::as_str).into_iter().chain([WILL]).map(str::to_owned).collect();
        Self { brings: vec![id.as_str().to_owned()], needs }
    }

    /// Whether the later message must wait for the earlier one.
    fn must_follow(&self, earlier: &Self) -> bool {
        self.brings.iter().chain(&self.needs).any(|id| earlier.brings.contains(id)) || earlier.needs.iter().any(|id| self.brings.contains(id))
    }
}

/// A message's place in its lane.
#[derive(Debug)]
pub struct Place {
    client: Digest,
    ticket: u64,
    /// Resolves when the message before has handed in its commit (or has gone).
    pub turn: Option<oneshot::Receiver<()>>,
    /// Fired, or dropped, when this message has handed in its commit.
    pub next: Option<oneshot::Sender<()>>,
}

struct Lane<J> {
    active: Vec<(u64, Touches)>,
    waiting: VecDeque<(u64, Touches, J)>,
    last: Option<oneshot::Receiver<()>>,
}

/// All lanes. Bounded by what is in hand: every entry is a delivery or a held message that intake carries.
pub struct Lanes<J> {
    lanes: HashMap<Digest, Lane<J>>,
    tickets: u64,
    waiting: usize,
}

impl<J> Default for Lanes<J> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), tickets: 0, waiting: 0 }
    }
}

impl<J> Lanes<J> {
    /// Takes a message into its client's lane; gives it back with its place when it may start at once.
    pub fn enter(&mut self, client: Digest, touches: Touches, job: J) -> Option<(Place, J)> {
        self.tickets += 1;
        let ticket = self.tickets;
        let lane = self.lanes.entry(client).or_insert_with(|| Lane { active: Vec::new(), waiting: VecDeque::new(), last: None });
        lane.waiting.push_back((ticket, touches, job));
        let started = start_one(client, lane);
        self.waiting += usize::from(started.is_none());
        started
    }

    /// A message is done: gives those that may start now, in order.
    pub fn leave(&mut self, place: &Place) -> Vec<(Place, J)> {
        let mut started = Vec::new();
        if let Some(lane) = self.lanes.get_mut(&place.client) {
            lane.active.retain(|(ticket, _)| *ticket != place.ticket);
            while let Some(start) = start_one(place.client, lane) {
                started.push(start);
            }
            self.waiting = self.waiting.saturating_sub(started.len());
            if lane.active.is_empty() && lane.waiting.is_empty() {
                self.lanes.remove(&place.client);
            }
        }
        started
    }

    /// Messages that wait for an earlier one of their client.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Clients whose messages are under way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lanes.len()
    }
}

/// Starts the first waiting message if nothing under way stands in its way. Strictly first come, first served.
fn start_one<J>(client: Digest, lane: &mut Lane<J>) -> Option<(Place, J)> {
    let (_, touches, _) = lane.waiting.front()?;
    if lane.active.iter().any(|(_, earlier)| touches.must_follow(earlier)) {
        return None;
    }
    let (ticket, touches, job) = lane.waiting.pop_front()?;
    let (next, turn) = oneshot::channel();
    let before = if lane.active.is_empty() { None } else { lane.last.take() };
    lane.last = Some(turn);
    lane.active.push((ticket, touches));
    Some((Place { client, ticket, turn: before, next: Some(next) }, job))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn touches(brings: &[&str], needs: &[&str]) -> Touches {
        Touches { brings: brings.iter().map(|s| (*s).to_owned()).collect(), needs: needs.iter().map(|s| (*s).to_owned()).collect() }
    }

    #[test]
    fn a_document_waits_for_its_case_and_others_do_not() {
        let mut lanes = Lanes::default();
        let (a, b) = (Digest([1; 32]), Digest([2; 32]));
        let (case, _) = lanes.enter(a, touches(&["doc1", "case"], &["relation"]), "case").unwrap();
        assert!(lanes.enter(a, touches(&["doc2"], &["case"]), "hangs on it").is_none());
        assert!(lanes.enter(a, touches(&["doc3"], &[]), "came later, stays later").is_none());
        assert!(lanes.enter(b, touches(&["doc4"], &["case"]), "other client").is_some());
        let started: Vec<&str> = lanes.leave(&case).into_iter().map(|(_, j)| j).collect();
        assert_eq!(started, ["hangs on it", "came later, stays later"]);
        assert_eq!(lanes.waiting(), 0);
    }

    #[test]
    fn a_permission_waits_for_the_informing_before_it() {
        let will = |id: &str| touches(&[id, WILL], &[]);
        assert!(will("permission").must_follow(&will("informing")));
        let notice = Touches::of_notice(&Oid::parse("1.2.246.10.1").unwrap(), None);
        assert!(notice.must_follow(&will("permission")) && will("denial").must_follow(&notice));
        assert!(!notice.must_follow(&touches(&["1.2.246.10.2"], &["case"])));
    }

    #[tokio::test]
    async fn turns_pass_from_one_to_the_next_even_when_one_is_dropped() {
        let mut lanes = Lanes::default();
        let client = Digest([1; 32]);
        let (mut first, ()) = lanes.enter(client, touches(&["1"], &[]), ()).unwrap();
        let (mut second, ()) = lanes.enter(client, touches(&["2"], &[]), ()).unwrap();
        let (mut third, ()) = lanes.enter(client, touches(&["3"], &[]), ()).unwrap();
        assert!(first.turn.is_none());
        let (mut turn, mut last) = (second.turn.take().unwrap(), third.turn.take().unwrap());
        assert!(turn.try_recv().is_err());
        first.next.take().unwrap().send(()).unwrap();
        assert_eq!(turn.await, Ok(()));
        assert!(last.try_recv().is_err());
        drop(second);
        assert!(last.await.is_err(), "a dropped sender wakes too");
        assert!(third.next.take().is_some());
    }
}
