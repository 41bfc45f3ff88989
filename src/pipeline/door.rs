//! The door: who sent a message and where its answer may go, decided from the AMQP properties alone, the same for every broker.
//! Pure. Headers are not even looked at: a header is whatever the sender writes (house.md, "Who sends").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::limits;
use crate::domain::message::{Envelope, Reply, Sender};

/// The longest reply pattern taken from configuration: a queue's name cannot be longer.
const PATTERN_CHARS: usize = limits::SHORT_STRING;
/// The broker's own names. `amq.rabbitmq.reply-to` is no queue: what is sent there is not kept.
const RESERVED: &str = "amq.rabbitmq.";

/// Who may send, and where answers may go. Built once from configuration.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    allow_anonymous: bool,
    senders: BTreeMap<String, SenderRules>,
    default_route: Option<String>,
    closed: BTreeSet<String>,
}

/// One sender's rules (`[senders.X]`).
#[derive(Debug, Clone, Default)]
pub struct SenderRules {
    /// Patterns that `reply_to` must match; `None` is `arkki.reply.<sender>.*`.
    pub replies: Option<Vec<Pattern>>,
    /// The queue for answers without a usable `reply_to`.
    pub route: Option<String>,
}

/// The inbound queue a message came through, as far as the door cares.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// Its name in the configuration (`[inbound.X]`).
    pub name: String,
    /// The profile that a bare document takes.
    pub profile: String,
    /// The configured sender, for messages that name none.
    pub sender: Option<String>,
}

/// The AMQP properties that the door reads, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Properties<'a> {
    /// Verified by the broker against the connection's user.
    pub user_id: Option<&'a str>,
    /// Where the sender would like the answer.
    pub reply_to: Option<&'a str>,
    /// The sender's word for this exchange.
    pub correlation_id: Option<&'a str>,
    /// The sender's id for this message.
    pub message_id: Option<&'a str>,
    /// What the octets are said to be.
    pub content_type: Option<&'a str>,
}

impl Rules {
    /// Rules that know no sender: everybody may answer to `arkki.reply.<sender>.*`, nobody has a route.
    ///
    /// `closed` are the queues that never take an answer: every inbound, dead-letter and notice queue.
    #[must_use]
    pub fn new(allow_anonymous: bool, closed: impl IntoIterator<Item = String>) -> Self {
        Self { allow_anonymous, senders: BTreeMap::new(), default_route: None, closed: closed.into_iter().collect() }
    }

    /// Adds a sender's rules.
    #[must_use]
    pub fn with_sender(mut self, name: impl Into<String>, rules: SenderRules) -> Self {
        self.senders.insert(name.into(), rules);
        self
    }

    /// Sets the queue for answers that have no other place (`[reply] default_route`).
    #[must_use]
    pub fn with_default_route(mut self, queue: Option<String>) -> Self {
        self.default_route = queue;
        self
    }

    /// Every configured route, for the topology and for `doctor`.
    #[must_use]
    pub fn routes(&self) -> BTreeSet<&str> {
        self.senders.values().filter_map(|s| s.route.as_deref()).chain(self.default_route.as_deref()).collect()
    }

    /// Every configured sender with its route, for `doctor`.
    pub fn senders(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.senders.iter().map(|(name, rules)| (name.as_str(), rules.route.as_deref()))
    }

    /// Whether a sender may ask for answers on this queue.
    #[must_use]
    pub fn may_reply(&self, sender: &str, queue: &str) -> bool {
        self.allows(&Sender::new(sender.to_owned()), self.senders.get(sender), queue)
    }

    /// Whether this queue never takes an answer.
    #[must_use]
    pub fn is_closed(&self, queue: &str) -> bool {
        self.closed.contains(queue)
    }

    /// Makes the envelope: the checked sender, the checked reply address, the rest as it came but bounded and printable. The octets move in.
    #[must_use]
    pub fn admit(&self, entrance: &Entrance, properties: Properties<'_>, octets: Vec<u8>) -> Envelope {
        let sender = self.sender(entrance, properties.user_id);
        let message_id = clean(properties.message_id);
        let correlation = clean(properties.correlation_id).or_else(|| message_id.clone());
        let reply = self.reply_queue(sender.as_ref(), properties.reply_to).map(|queue| Reply { queue, correlation });
        Envelope {
            octets: Arc::new(octets),
            sender,
            reply,
            message_id,
            content_type: clean(properties.content_type),
            inbound: entrance.name.clone(),
            profile: entrance.profile.clone(),
        }
    }

    fn sender(&self, entrance: &Entrance, user_id: Option<&str>) -> Option<Sender> {
        clean(user_id).or_else(|| entrance.sender.clone()).or_else(|| self.allow_anonymous.then(|| Sender::ANONYMOUS.to_owned())).map(Sender::new)
    }

    /// Where the answer goes: the sender's wish if it is allowed, else its route, else the default route. A message without a sender gets
    /// its refusal only at the default route: its `reply_to` is nobody's word.
    fn reply_queue(&self, sender: Option<&Sender>, wish: Option<&str>) -> Option<String> {
        let rules = sender.and_then(|s| self.senders.get(s.as_str()));
        let wish = sender.zip(clean(wish)).filter(|(s, queue)| self.allows(s, rules, queue)).map(|(_, queue)| queue);
        wish.or_else(|| rules.and_then(|r| r.route.clone())).or_else(|| self.default_route.clone())
    }

    fn allows(&self, sender: &Sender, rules: Option<&SenderRules>, queue: &str) -> bool {
        if self.is_closed(queue) || queue.starts_with(RESERVED) {
            return false;
        }
        match rules.and_then(|r| r.replies.as_ref()) {
            Some(patterns) => patterns.iter().any(|p| p.matches(queue)),
            None => Pattern::own(sender).matches(queue),
        }
    }
}

/// A pattern over queue names: `*` stands for one or more characters, all else for itself; it must match the whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    This(char),
    Some,
}

impl Pattern {
    /// Reads a pattern; `None` when it is empty, too long or holds a control character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fine = !text.is_empty() && text.len() <= PATTERN_CHARS && !text.chars().any(char::is_control);
        fine.then(|| Self(text.chars().map(|c| if c == '*' { Piece::Some } else { Piece::This(c) }).collect()))
    }

    /// `arkki.reply.<sender>.*`, where a star in the sender's name is only a star.
    #[must_use]
    pub fn own(sender: &Sender) -> Self {
        let literal = "arkki.reply.".chars().chain(sender.as_str().chars()).chain(['.']).map(Piece::This);
        Self(literal.chain([Piece::Some]).collect())
    }

    /// Whether the whole of `name` matches. At most `pattern × name` steps, both bounded by an AMQP short string.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        // `here[i]`: the first `i` characters read so far can end a match of the pieces taken so far.
        let name: Vec<char> = name.chars().take(limits::SHORT_STRING + 1).collect();
        let mut here = vec![false; name.len() + 1];
        if let Some(start) = here.first_mut() {
            *start = true;
        }
        for piece in &self.0 {
            let mut next = vec![false; name.len() + 1];
            let mut before = false;
            for ((slot, from), c) in next.iter_mut().skip(1).zip(&here).zip(&name) {
                *slot = match piece {
                    Piece::This(want) => *from && want == c,
                    Piece::Some => (*from || before) && !c.is_control(),
                };
                before = *slot;
            }
            here = next;
        }
        here.last().copied().unwrap_or(false)
    }
}

/// A property as it came, or nothing when it is empty, longer than an AMQP short string, or holds a control character.
fn clean(text: Option<&str>) -> Option<String> {
    text.filter(|t| !t.is_empty() && t.len() <= limits::SHORT_STRING && !t.chars().any(char::is_control)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrance(sender: Option<&str>) -> Entrance {
        Entrance { name: "main".into(), profile: "social".into(), sender: sender.map(Into::into) }
    }

    fn rules() -> Rules {
        let hospital = SenderRules { replies: Pattern::parse("hus.*.answers").map(|p| vec![p]), route: Some("hus.route".into()) };
        Rules::new(false, ["arkki.in".to_owned(), "arkki.dead".to_owned(), "arkki.notice".to_owned(), "arkki.reply.vantaa.closed".to_owned()])
            .with_sender("hus", hospital)
            .with_sender("nowhere", SenderRules { replies: Some(Vec::new()), route: None })
    }

    fn reply(rules: &Rules, user: Option<&str>, wish: Option<&str>) -> Option<String> {
        let properties = Properties { user_id: user, reply_to: wish, ..Properties::default() };
        rules.admit(&entrance(None), properties, Vec::new()).reply.map(|r| r.queue)
    }

    #[test]
    fn the_sender_is_the_verified_user_else_the_queues_else_nobody() {
        let sender = |rules: &Rules, queue: Option<&str>, user: Option<&str>| {
            let properties = Properties { user_id: user, ..Properties::default() };
            rules.admit(&entrance(queue), properties, Vec::new()).sender.map(|s| s.as_str().to_owned())
        };
        let strict = rules();
        assert_eq!(sender(&strict, None, Some("hus")).as_deref(), Some("hus"));
        assert_eq!(sender(&strict, Some("espoo"), Some("hus")).as_deref(), Some("hus"));
        assert_eq!(sender(&strict, Some("espoo"), None).as_deref(), Some("espoo"));
        assert_eq!(sender(&strict, None, None), None);
        assert_eq!(sender(&strict, None, Some("")), None);
        assert_eq!(sender(&strict, None, Some("a\nb")), None);
        assert_eq!(sender(&strict, None, Some(&"x".repeat(256))), None);
        assert_eq!(sender(&Rules::new(true, []), None, None).as_deref(), Some(Sender::ANONYMOUS));
    }

    #[test]
    fn a_reply_goes_only_where_its_sender_may_send() {
        let rules = rules();
        let vantaa = |wish| reply(&rules, Some("vantaa"), Some(wish));
        assert_eq!(vantaa("arkki.reply.vantaa.1").as_deref(), Some("arkki.reply.vantaa.1"));
        for wish in [
            "arkki.reply.vantaa.",
            "arkki.reply.vantaa",
            "arkki.reply.hus.1",
            "arkki.reply.vantaa.closed",
            "xarkki.reply.vantaa.1",
            "arkki.in",
            "arkki.dead",
            "arkki.notice",
            "amq.rabbitmq.reply-to",
            "amq.rabbitmq.reply-to.g2dkABZ",
            "arkki.reply.vantaa.a\u{0}b",
            "arkki.reply.vantaa.a\u{85}b",
            "",
        ] {
            assert_eq!(vantaa(wish), None, "{wish:?}");
        }
        assert_eq!(vantaa(&format!("arkki.reply.vantaa.{}", "x".repeat(300))), None);
    }

    #[test]
    fn a_configured_sender_has_its_own_patterns_and_its_route() {
        let rules = rules();
        let hus = |wish| reply(&rules, Some("hus"), wish);
        assert_eq!(hus(Some("hus.lab.answers")).as_deref(), Some("hus.lab.answers"));
        assert_eq!(hus(Some("hus..answers")).as_deref(), Some("hus.route"));
        assert_eq!(hus(Some("arkki.reply.hus.1")).as_deref(), Some("hus.route"));
        assert_eq!(hus(None).as_deref(), Some("hus.route"));
        assert_eq!(reply(&rules, Some("nowhere"), Some("arkki.reply.nowhere.1")), None);
        let with_default = rules.clone().with_default_route(Some("arkki.lost".into()));
        assert_eq!(reply(&with_default, Some("nowhere"), Some("x")).as_deref(), Some("arkki.lost"));
        assert_eq!(with_default.routes().into_iter().collect::<Vec<_>>(), ["arkki.lost", "hus.route"]);
        // Nobody's reply_to is nobody's word.
        assert_eq!(reply(&with_default, None, Some("arkki.reply.vantaa.1")).as_deref(), Some("arkki.lost"));
    }

    #[test]
    fn a_star_in_a_users_name_opens_nothing() {
        assert_eq!(reply(&rules(), Some("*"), Some("arkki.reply.vantaa.1")), None);
        assert_eq!(reply(&rules(), Some("*"), Some("arkki.reply.*.1")).as_deref(), Some("arkki.reply.*.1"));
    }

    #[test]
    fn the_correlation_falls_back_to_the_message_id() {
        let admit = |correlation_id, message_id| {
            let properties = Properties { user_id: Some("a"), reply_to: Some("arkki.reply.a.1"), correlation_id, message_id, content_type: None };
            rules().admit(&entrance(None), properties, vec![1, 2]).reply.and_then(|r| r.correlation)
        };
        assert_eq!(admit(Some("c"), Some("m")).as_deref(), Some("c"));
        assert_eq!(admit(None, Some("m")).as_deref(), Some("m"));
        assert_eq!(admit(Some("c\r\n"), Some("m")).as_deref(), Some("m"));
        assert_eq!(admit(None, None), None);
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, want) in [
            ("a.*", "a.b", true),
            ("a.*", "a.", false),
            ("a.*", "b.a.b", false),
            ("*", "x", true),
            ("*", "", false),
            ("**", "x", false),
            ("**", "xy", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "abbc", false),
            ("a*b*c", "abbbc", true),
            ("ä*", "äö", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(Pattern::parse(pattern).is_some_and(|p| p.matches(name)), want, "{pattern} {name}");
        }
        assert_eq!(Pattern::parse(""), None);
        assert_eq!(Pattern::parse("a\tb"), None);
        assert_eq!(Pattern::parse(&"*".repeat(256)), None);
    }
}
