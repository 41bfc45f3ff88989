//! Who may look: a link that works once makes a session; a session holds its forms' secret, its language and what was typed. All of it in memory only:
//! it ends with the process.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::form::Form;
use crate::crypto::sha256;
use crate::domain::digest::Digest;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::ports::clock::Entropy;

/// How long a link waits for its one use.
pub const LINK_LIFE: Duration = Duration::from_secs(5 * 60);
/// How long a session lasts, used or not.
pub const SESSION_LIFE: Duration = Duration::from_secs(30 * 60);
/// How many sessions there are at once: one person's few browsers. One more ends the oldest.
const SESSIONS: usize = 8;
/// How many attempts with a link a minute takes, good or bad: people need one.
const ATTEMPTS: usize = 10;
/// How many forms a session may send in a minute.
const POSTS: usize = 30;
const MINUTE: Duration = Duration::from_secs(60);
/// How many events a session remembers to have sent, so that sending one again sends the same octets.
const SENT: usize = 32;

/// What the console knows of its visitors.
#[derive(Default)]
pub struct Desk(Mutex<State>);

#[derive(Default)]
struct State {
    /// The link that waits: its token's hash.
    link: Option<(Digest, Instant)>,
    attempts: Rate,
    sessions: VecDeque<Session>,
}

/// One session.
struct Session {
    /// The cookie's hash: who reads our memory has no cookie.
    key: Digest,
    csrf: String,
    since: Instant,
    posts: Rate,
    language: Option<Language>,
    draft: Option<Form>,
    sent: VecDeque<Sent>,
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
}

impl Desk {
    /// Makes a new link's token; an older one that waits is void.
    pub fn link(&self, entropy: &dyn Entropy, now: Instant) -> String {
        let token = secret(entropy);
        self.state().link = Some((sha256(token.as_bytes()), now));
        token
    }

    /// Takes a link's token and gives a cookie for it, once.
    ///
    /// # Errors
    /// Why not.
    pub fn enter(&self, token: &str, entropy: &dyn Entropy, now: Instant) -> Result<String, NoEntry> {
        let mut state = self.state();
        if !state.attempts.takes(ATTEMPTS, now) {
            return Err(NoEntry::TooMany);
        }
        let is_it = |link: &(Digest, Instant)| link.0 == sha256(token.as_bytes()) && now.duration_since(link.1) < LINK_LIFE;
        if !state.link.as_ref().is_some_and(is_it) {
            return Err(NoEntry::Wrong);
        }
        state.link = None;
        let cookie = secret(entropy);
        let session = Session {
            key: sha256(cookie.as_bytes()),
            csrf: secret(entropy),
            since: now,
            posts: Rate::default(),
            language: None,
            draft: None,
            sent: VecDeque::new(),
        };
        while state.sessions.len() >= SESSIONS {
            state.sessions.pop_front();
        }
        state.sessions.push_back(session);
        Ok(cookie)
    }

    /// The session of a cookie, while it lasts.
    #[must_use]
    pub fn visit(&self, cookie: &str, now: Instant) -> Option<Visit> {
        let key = sha256(cookie.as_bytes());
        self.with(key, now, |session| Visit { key, csrf: session.csrf.clone(), language: session.language })
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
        state.sessions.retain(|session| now.duration_since(session.since) < SESSION_LIFE);
        state.sessions.iter_mut().find(|session| session.key == key).map(work)
    }

    /// A panic while the lock was held leaves whole values behind: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
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

    #[test]
    fn a_link_works_once_and_for_five_minutes() {
        let (desk, entropy, now) = (Desk::default(), SystemEntropy::open().unwrap(), Instant::now());
        let token = desk.link(&entropy, now);
        assert_eq!(token.len(), 64);
        assert_eq!(desk.enter(&"0".repeat(64), &entropy, now), Err(NoEntry::Wrong));
        let cookie = desk.enter(&token, &entropy, now + LINK_LIFE - Duration::from_secs(1)).unwrap();
        assert_ne!(cookie, token);
        assert_eq!(desk.enter(&token, &entropy, now), Err(NoEntry::Wrong));
        let late = desk.link(&entropy, now);
        assert_eq!(desk.enter(&late, &entropy, now + LINK_LIFE), Err(NoEntry::Wrong));
        let void = desk.link(&entropy, now);
        let _newer = desk.link(&entropy, now);
        assert_eq!(desk.enter(&void, &entropy, now), Err(NoEntry::Wrong));
    }

    #[test]
    fn guessing_is_slow_and_sessions_are_few_and_short() {
        let (desk, entropy, now) = (Desk::default(), SystemEntropy::open().unwrap(), Instant::now());
        for _ in 0..ATTEMPTS {
            assert_eq!(desk.enter("guess", &entropy, now), Err(NoEntry::Wrong));
        }
        let token = desk.link(&entropy, now);
        assert_eq!(desk.enter(&token, &entropy, now), Err(NoEntry::TooMany));
        let later = now + MINUTE;
        let first = desk.enter(&token, &entropy, later).unwrap();
        for _ in 0..SESSIONS - 1 {
            let token = desk.link(&entropy, later);
            desk.enter(&token, &entropy, later).unwrap();
        }
        assert!(desk.visit(&first, later).is_some());
        let again = later + MINUTE;
        let token = desk.link(&entropy, again);
        let last = desk.enter(&token, &entropy, again).unwrap();
        assert!(desk.visit(&first, again).is_none(), "one more ends the oldest");
        let visit = desk.visit(&last, again).unwrap();
        assert!((0..POSTS).all(|_| desk.may_post(&visit, again)) && !desk.may_post(&visit, again));
        assert!(desk.visit(&last, again + SESSION_LIFE).is_none());
        let visit = desk.visit(&last, again);
        assert!(visit.is_none(), "what has ended stays ended");
    }

    #[test]
    fn the_same_said_again_is_recorded_when_it_was_first_said() {
        let (desk, entropy, now) = (Desk::default(), SystemEntropy::open().unwrap(), Instant::now());
        let cookie = desk.enter(&desk.link(&entropy, now), &entropy, now).unwrap();
        let visit = desk.visit(&cookie, now).unwrap();
        assert!(visit.vouches(&visit.csrf) && !visit.vouches("") && !visit.vouches(&cookie));
        let (event, at) = (Oid::parse("2.25.1").unwrap(), Moment::from_seconds);
        assert_eq!(desk.recorded(&visit, &event, Digest([1; 32]), at(1), now), at(1));
        assert_eq!(desk.recorded(&visit, &event, Digest([1; 32]), at(9), now), at(1));
        assert_eq!(desk.recorded(&visit, &event, Digest([2; 32]), at(9), now), at(9));
        desk.leave(&visit);
        assert!(desk.visit(&cookie, now).is_none());
    }
}
