//! Who is in: a link that works once, a card or a provider makes a session; a session knows its person, its forms' secret, its language and what was typed.
//! All of it in memory only: it ends with the process.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::form::Form;
use crate::crypto::sha256;
use crate::domain::digest::Digest;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::staff::{Door, Person, Role};
use crate::domain::time::Moment;
use crate::ports::clock::Entropy;

/// How long a link waits for its one use.
pub const LINK_LIFE: Duration = Duration::from_secs(5 * 60);
/// How many sessions the link may have made at once: one person's few browsers. One more ends the oldest.
const SESSIONS: usize = 8;
/// How many a registered person may have at once.
const SESSIONS_EACH: usize = 4;
/// How many there are in all: an organisation's people at their desks.
const SESSIONS_IN_ALL: usize = 512;
/// How many people may come in by card or provider in a minute: a morning's queue.
const ENTRIES: usize = 120;
/// How many attempts with a link a minute takes, good or bad: people need one.
const ATTEMPTS: usize = 10;
/// How many forms a session may send in a minute.
const POSTS: usize = 30;
/// How many pages it may look at in a minute; a person with the quickest of mice asks for fewer.
const LOOKS: usize = 600;
const MINUTE: Duration = Duration::from_secs(60);
/// How many events a session remembers to have sent, so that sending one again sends the same octets.
const SENT: usize = 32;

/// What the console knows of its visitors.
pub struct Desk {
    state: Mutex<State>,
    life: Duration,
}

#[derive(Default)]
struct State {
    /// The link that waits: its token's hash.
    link: Option<(Digest, Instant)>,
    attempts: Rate,
    entries: Rate,
    sessions: VecDeque<Session>,
}

/// One session.
struct Session {
    /// The cookie's hash: who reads our memory has no cookie.
    key: Digest,
    person: Person,
    door: Door,
    /// The card that opened it: the session is worth nothing without.
    card: Option<Digest>,
    csrf: String,
    since: Instant,
    posts: Rate,
    looks: Rate,
    /// The reason for which glass was broken, and until when.
    glass: Option<Glass>,
    language: Option<Language>,
    draft: Option<Form>,
    sent: VecDeque<Sent>,
}

/// Access beyond a person's roles, for a reason that was given and logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glass {
    /// Why, in the person's words.
    pub reason: String,
    /// When it ends.
    pub until: Instant,
}

/// A session as the administrator sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Names it among others, and opens nothing.
    pub mark: String,
    /// Who.
    pub person: Person,
    /// By which door.
    pub door: Door,
    /// For how long already.
    pub age: Duration,
    /// Whether glass is broken in it.
    pub has_glass: bool,
}

/// An event that was sent.
#[derive(Clone)]
struct Sent {
    event: Oid,
    said: Digest,
    recorded: Moment,
}

/// A session as a page sees it.
#[derive(Clone)]
pub struct Visit {
    key: Digest,
    /// Who it is.
    pub person: Person,
    /// By which door.
    pub door: Door,
    /// Whether the glass is broken: the archivist's pages are open beyond the roles, for this reason.
    pub glass: Option<Glass>,
    /// The secret of its forms.
    pub csrf: String,
    /// The language that was chosen.
    pub language: Option<Language>,
}

/// Why an attempt gives no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEntry {
    /// Not the link that waits: used, too old, or never made.
    Wrong,
    /// Too many attempts.
    TooMany,
    /// The link lets nobody in here: no person is named for it.
    Nobody,
}

impl Desk {
    /// A desk whose sessions last so long.
    #[must_use]
    pub fn new(life: Duration) -> Self {
        Self { state: Mutex::default(), life }
    }

    /// How long a session lasts.
    #[must_use]
    pub const fn life(&self) -> Duration {
        self.life
    }

    /// Makes a new link's token; an older one that waits is void.
    pub fn link(&self, entropy: &dyn Entropy, now: Instant) -> String {
        let token = secret(entropy);
        self.state().link = Some((sha256(token.as_bytes()), now));
        token
    }

    /// Takes a link's token and gives a cookie for it, once; the session is this person's.
    ///
    /// # Errors
    /// Why not.
    pub fn enter(&self, token: &str, person: Option<&Person>, entropy: &dyn Entropy, now: Instant) -> Result<String, NoEntry> {
        let mut state = self.state();
        if !state.attempts.takes(ATTEMPTS, now) {
            return Err(NoEntry::TooMany);
        }
        let is_it = |link: &(Digest, Instant)| link.0 == sha256(token.as_bytes()) && now.duration_since(link.1) < LINK_LIFE;
        if !state.link.as_ref().is_some_and(is_it) {
            return Err(NoEntry::Wrong);
        }
        let person = person.ok_or(NoEntry::Nobody)?;
        state.link = None;
        while state.sessions.iter().filter(|session| session.door == Door::Link).count() >= SESSIONS {
            let oldest = state.sessions.iter().position(|session| session.door == Door::Link);
            oldest.and_then(|at| state.sessions.remove(at));
        }
        Ok(state.open(person, Door::Link, None, entropy, now))
    }

    /// A session for somebody whom a card or the provider vouched for; `card` binds it to the card. A fifth one ends the person's oldest.
    ///
    /// # Errors
    /// Too many come in at once.
    pub fn admit(&self, person: &Person, door: Door, card: Option<Digest>, entropy: &dyn Entropy, now: Instant) -> Result<String, NoEntry> {
        let mut state = self.state();
        if !state.entries.takes(ENTRIES, now) {
            return Err(NoEntry::TooMany);
        }
        let is_theirs = |session: &Session| session.door != Door::Link && session.person.key == person.key;
        while state.sessions.iter().filter(|session| is_theirs(session)).count() >= SESSIONS_EACH {
            let oldest = state.sessions.iter().position(is_theirs);
            oldest.and_then(|at| state.sessions.remove(at));
        }
        Ok(state.open(person, door, card, entropy, now))
    }

    /// The session of a cookie, while it lasts. One that a card opened is nothing without that card on the same connection.
    #[must_use]
    pub fn visit(&self, cookie: &str, card: Option<Digest>, now: Instant) -> Option<Visit> {
        let key = sha256(cookie.as_bytes());
        self.with(key, now, |session| {
            if session.card.is_some() && session.card != card {
                return None;
            }
            session.glass.take_if(|glass| glass.until <= now);
            let (person, door, glass) = (session.person.clone(), session.door, session.glass.clone());
            Some(Visit { key, person, door, glass, csrf: session.csrf.clone(), language: session.language })
        })
        .flatten()
    }

    /// Whether the session still lasts.
    #[must_use]
    pub fn is_in(&self, visit: &Visit, now: Instant) -> bool {
        self.with(visit.key, now, |_| ()).is_some()
    }

    /// Whether the session may look at another page now.
    #[must_use]
    pub fn may_look(&self, visit: &Visit, now: Instant) -> bool {
        self.with(visit.key, now, |session| session.looks.takes(LOOKS, now)).unwrap_or(false)
    }

    /// Breaks the glass of a session for some time; `None` mends it.
    pub fn set_glass(&self, visit: &Visit, glass: Option<Glass>, now: Instant) {
        self.with(visit.key, now, |session| session.glass = glass);
    }

    /// Everybody who is in, the longest first.
    #[must_use]
    pub fn seen(&self, now: Instant) -> Vec<Seen> {
        let mut state = self.state();
        state.sessions.retain(|session| now.duration_since(session.since) < self.life);
        let seen = |session: &Session| Seen {
            mark: mark(session.key),
            person: session.person.clone(),
            door: session.door,
            age: now.duration_since(session.since),
            has_glass: session.glass.as_ref().is_some_and(|glass| glass.until > now),
        };
        state.sessions.iter().map(seen).collect()
    }

    /// Ends the session of a mark; whether there was one, and whose.
    pub fn end(&self, named: &str) -> Option<Person> {
        let mut state = self.state();
        let at = state.sessions.iter().position(|session| mark(session.key) == named)?;
        state.sessions.remove(at).map(|session| session.person)
    }

    /// Whether the session may send another form now.
    #[must_use]
    pub fn may_post(&self, visit: &Visit, now: Instant) -> bool {
        self.with(visit.key, now, |session| session.posts.takes(POSTS, now)).unwrap_or(false)
    }

    /// Ends a session, and what was typed in it.
    pub fn leave(&self, visit: &Visit) {
        self.state().sessions.retain(|session| session.key != visit.key);
    }

    /// Remembers the language that was chosen.
    pub fn speak(&self, visit: &Visit, language: Language, now: Instant) {
        self.with(visit.key, now, |session| session.language = Some(language));
    }

    /// What was typed and not yet taken.
    #[must_use]
    pub fn draft(&self, visit: &Visit, now: Instant) -> Option<Form> {
        self.with(visit.key, now, |session| session.draft.clone()).flatten()
    }

    /// Keeps what was typed; `None` forgets it.
    pub fn keep(&self, visit: &Visit, draft: Option<Form>, now: Instant) {
        self.with(visit.key, now, |session| session.draft = draft);
    }

    /// When an event was recorded: the first time that just this was said under its id. Said again it has the same octets, which the archive takes once.
    #[must_use]
    pub fn recorded(&self, visit: &Visit, event: &Oid, said: Digest, at: Moment, now: Instant) -> Moment {
        let recorded = self.with(visit.key, now, |session| {
            if let Some(known) = session.sent.iter().find(|sent| sent.event == *event && sent.said == said) {
                return known.recorded;
            }
            while session.sent.len() >= SENT {
                session.sent.pop_front();
            }
            session.sent.push_back(Sent { event: event.clone(), said, recorded: at });
            at
        });
        recorded.unwrap_or(at)
    }

    fn with<T>(&self, key: Digest, now: Instant, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut state = self.state();
        state.sessions.retain(|session| now.duration_since(session.since) < self.life);
        state.sessions.iter_mut().find(|session| session.key == key).map(work)
    }

    /// A panic while the lock was held leaves whole values behind: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&mut self, person: &Person, door: Door, card: Option<Digest>, entropy: &dyn Entropy, now: Instant) -> String {
        let cookie = secret(entropy);
        while self.sessions.len() >= SESSIONS_IN_ALL {
            self.sessions.pop_front();
        }
        self.sessions.push_back(Session {
            key: sha256(cookie.as_bytes()),
            person: person.clone(),
            door,
            card,
            csrf: secret(entropy),
            since: now,
            posts: Rate::default(),
            looks: Rate::default(),
            glass: None,
            language: None,
            draft: None,
            sent: VecDeque::new(),
        });
        cookie
    }
}

/// A session's name on the administrator's page: a part of a hash of the cookie's hash.
fn mark(key: Digest) -> String {
    sha256(&key.0).to_hex().chars().take(16).collect()
}

impl Visit {
    /// Whether this person works in this role.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        self.person.may(role) || (role == Role::Archivist && self.glass.is_some())
    }

    /// What the access log calls whoever looks: with the mark of broken glass where that is what lets them.
    #[must_use]
    pub fn actor(&self) -> String {
        let is_by_glass = self.glass.is_some() && !self.person.may(Role::Archivist);
        if is_by_glass { format!("{} (glass broken)", self.person.actor()) } else { self.person.actor() }
    }

    /// Whether a form bears this session's secret. Hashes are compared: how long that takes tells nothing of the secret.
    #[must_use]
    pub fn vouches(&self, token: &str) -> bool {
        sha256(token.as_bytes()) == sha256(self.csrf.as_bytes())
    }
}

/// What happened in the last minute.
#[derive(Default)]
struct Rate(VecDeque<Instant>);

impl Rate {
    fn takes(&mut self, most: usize, now: Instant) -> bool {
        self.0.retain(|at| now.duration_since(*at) < MINUTE);
        let is_room = self.0.len() < most;
        if is_room {
            self.0.push_back(now);
        }
        is_room
    }
}

/// 256 bits of the kernel's, in hexadecimal.
fn secret(entropy: &dyn Entropy) -> String {
    entropy.sixteen().iter().chain(&entropy.sixteen()).map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::adapters::clock::SystemEntropy;

    const LIFE: Duration = Duration::from_secs(30 * 60);

    fn named(key: &str, roles: &[Role]) -> Person {
        Person { key: key.into(), name: key.into(), organisation: Oid::parse("1.2.3").unwrap(), roles: roles.to_vec() }
    }

    fn tester() -> Person {
        named("tester", &Role::ALL)
    }

    #[test]
    fn a_cards_session_is_nothing_without_the_card() {
        let (desk, entropy, now) = (Desk::new(LIFE), SystemEntropy::open().unwrap(), Instant::now());
        let (card, other) = (Digest([1; 32]), Digest([2; 32]));
        let anna = named("anna", &[Role::Archivist]);
        let cookie = desk.admit(&anna, Door::Card, Some(card), &entropy, now).unwrap();
        assert_eq!(desk.visit(&cookie, Some(card), now).map(|visit| visit.person), Some(anna.clone()));
        assert!(desk.visit(&cookie, None, now).is_none() && desk.visit(&cookie, Some(other), now).is_none());
        // A fifth session ends her oldest, and nobody else's.
        let bo = desk.admit(&named("bo", &[Role::Operator]), Door::OpenId, None, &entropy, now).unwrap();
        for _ in 0..SESSIONS_EACH {
            desk.admit(&anna, Door::Card, Some(card), &entropy, now).unwrap();
        }
        assert!(desk.visit(&cookie, Some(card), now).is_none() && desk.visit(&bo, None, now).is_some());
        // The administrator's list opens nothing, and ends one.
        let seen = desk.seen(now);
        assert_eq!(seen.len(), SESSIONS_EACH + 1);
        let mark = seen.iter().find(|one| one.person.key == "bo").map(|one| one.mark.clone()).unwrap();
        assert!(desk.visit(&mark, None, now).is_none());
        assert_eq!(desk.end(&mark).map(|person| person.key), Some("bo".to_owned()));
        assert!(desk.visit(&bo, None, now).is_none() && desk.end(&mark).is_none());
    }

    #[test]
    fn broken_glass_opens_the_archivists_pages_for_its_time_and_changes_no_role() {
        let (desk, entropy, now) = (Desk::new(LIFE), SystemEntropy::open().unwrap(), Instant::now());
        let cookie = desk.admit(&named("bo", &[Role::Operator]), Door::OpenId, None, &entropy, now).unwrap();
        let visit = desk.visit(&cookie, None, now).unwrap();
        assert!(!visit.may(Role::Archivist) && visit.may(Role::Operator));
        desk.set_glass(&visit, Some(Glass { reason: "fire".into(), until: now + MINUTE }), now);
        let visit = desk.visit(&cookie, None, now).unwrap();
        assert!(visit.may(Role::Archivist) && !visit.person.may(Role::Archivist) && !visit.may(Role::Officer));
        assert!(!desk.visit(&cookie, None, now + MINUTE).unwrap().may(Role::Archivist));
    }

    #[test]
    fn a_link_works_once_and_for_five_minutes() {
        let (desk, entropy, now) = (Desk::new(LIFE), SystemEntropy::open().unwrap(), Instant::now());
        let token = desk.link(&entropy, now);
        assert_eq!(token.len(), 64);
        assert_eq!(desk.enter(&"0".repeat(64), Some(&tester()), &entropy, now), Err(NoEntry::Wrong));
        let cookie = desk.enter(&token, Some(&tester()), &entropy, now + LINK_LIFE - Duration::from_secs(1)).unwrap();
        assert_ne!(cookie, token);
        assert_eq!(desk.enter(&token, Some(&tester()), &entropy, now), Err(NoEntry::Wrong));
        let late = desk.link(&entropy, now);
        assert_eq!(desk.enter(&late, Some(&tester()), &entropy, now + LINK_LIFE), Err(NoEntry::Wrong));
        let void = desk.link(&entropy, now);
        let _newer = desk.link(&entropy, now);
        assert_eq!(desk.enter(&void, Some(&tester()), &entropy, now), Err(NoEntry::Wrong));
    }

    #[test]
    fn guessing_is_slow_and_sessions_are_few_and_short() {
        let (desk, entropy, now) = (Desk::new(LIFE), SystemEntropy::open().unwrap(), Instant::now());
        for _ in 0..ATTEMPTS {
            assert_eq!(desk.enter("guess", Some(&tester()), &entropy, now), Err(NoEntry::Wrong));
        }
        let token = desk.link(&entropy, now);
        assert_eq!(desk.enter(&token, Some(&tester()), &entropy, now), Err(NoEntry::TooMany));
        let later = now + MINUTE;
        let first = desk.enter(&token, Some(&tester()), &entropy, later).unwrap();
        for _ in 0..SESSIONS - 1 {
            let token = desk.link(&entropy, later);
            desk.enter(&token, Some(&tester()), &entropy, later).unwrap();
        }
        assert!(desk.visit(&first, None, later).is_some());
        let again = later + MINUTE;
        let token = desk.link(&entropy, again);
        let last = desk.enter(&token, Some(&tester()), &entropy, again).unwrap();
        assert!(desk.visit(&first, None, again).is_none(), "one more ends the oldest");
        let visit = desk.visit(&last, None, again).unwrap();
        assert!((0..POSTS).all(|_| desk.may_post(&visit, again)) && !desk.may_post(&visit, again));
        assert!(desk.visit(&last, None, again + LIFE).is_none());
        let visit = desk.visit(&last, None, again);
        assert!(visit.is_none(), "what has ended stays ended");
    }

    #[test]
    fn the_same_said_again_is_recorded_when_it_was_first_said() {
        let (desk, entropy, now) = (Desk::new(LIFE), SystemEntropy::open().unwrap(), Instant::now());
        let cookie = desk.enter(&desk.link(&entropy, now), Some(&tester()), &entropy, now).unwrap();
        let visit = desk.visit(&cookie, None, now).unwrap();
        assert!(visit.vouches(&visit.csrf) && !visit.vouches("") && !visit.vouches(&cookie));
        let (event, at) = (Oid::parse("2.25.1").unwrap(), Moment::from_seconds);
        assert_eq!(desk.recorded(&visit, &event, Digest([1; 32]), at(1), now), at(1));
        assert_eq!(desk.recorded(&visit, &event, Digest([1; 32]), at(9), now), at(1));
        assert_eq!(desk.recorded(&visit, &event, Digest([2; 32]), at(9), now), at(9));
        desk.leave(&visit);
        assert!(desk.visit(&cookie, None, now).is_none());
    }
}
